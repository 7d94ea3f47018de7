"""Invertible maps with a known Jacobian, and how to chain them."""

import torch
from torch import nn

from hepml_labs.validation import check_array, check_count

__all__ = ["Chain", "Linear", "Permutation", "Transform"]


class Transform(nn.Module):
    """An invertible map between data and base variables, with the logarithm of its Jacobian determinant.

    A subclass writes ``forward(x, context=None)``, from the data ``x`` to the base variables ``z``, and
    ``inverse(z, context=None)`` back again. Shapes: ``x`` and ``z`` are ``(n, d)``, ``context`` is ``(n, c)`` or
    None. ``forward`` returns z and log |det dz/dx| of shape ``(n,)``, ``inverse`` returns x and log |det dx/dz|.

    Notes
    -----
    The convention of Papamakarios et al., arXiv:1912.02762, section 2, read from the data to the base.
    """

    def forward(self, x, context=None):
        """Map data ``(n, d)`` to base variables ``(n, d)``; also return log |det dz/dx|, ``(n,)``."""
        raise NotImplementedError

    def inverse(self, z, context=None):
        """Map base variables ``(n, d)`` to data ``(n, d)``; also return log |det dx/dz|, ``(n,)``."""
        raise NotImplementedError


class Chain(Transform):
    """Transforms one after the other: the logarithms of their determinants add up.

    Parameters
    ----------
    transforms : list of Transform
        ``forward`` applies the first one first, ``inverse`` the last one first.

    Notes
    -----
    The chain rule of determinants, Papamakarios et al., arXiv:1912.02762, section 2.1.

    Examples
    --------
    >>> chain = Chain([Permutation([1, 0]), Linear(2)])
    >>> z, log_det = chain(torch.tensor([[1.0, 2.0]]))
    >>> z.tolist(), log_det.tolist()
    ([[2.0, 1.0]], [0.0])
    """

    def __init__(self, transforms):
        super().__init__()
        self.transforms = nn.ModuleList(transforms)

    def forward(self, x, context=None):
        """Map data ``(n, d)`` to base variables; also return log |det dz/dx|, ``(n,)``."""
        total = x.new_zeros(len(x))
        for transform in self.transforms:
            x, log_det = transform(x, context)
            total = total + log_det
        return x, total

    def inverse(self, z, context=None):
        """Map base variables ``(n, d)`` to data; also return log |det dx/dz|, ``(n,)``."""
        total = z.new_zeros(len(z))
        for transform in reversed(self.transforms):
            z, log_det = transform.inverse(z, context)
            total = total + log_det
        return z, total


class Permutation(Transform):
    """The features in another order; volumes do not change.

    Parameters
    ----------
    order : list of int
        Column ``i`` of z is column ``order[i]`` of x.

    Raises
    ------
    ValueError
        If `order` does not hold each of 0, 1, ... d - 1 once.

    Examples
    --------
    >>> Permutation([2, 0, 1])(torch.tensor([[10.0, 11.0, 12.0]]))[0].tolist()
    [[12.0, 10.0, 11.0]]
    """

    def __init__(self, order):
        super().__init__()
        order = [int(column) for column in order]
        if sorted(order) != list(range(len(order))) or not order:
            raise ValueError(f"order: found {order}, expected each of 0 ... d - 1 once")
        self.register_buffer("order", torch.tensor(order))
        self.register_buffer("backward_order", torch.tensor([order.index(column) for column in range(len(order))]))

    @classmethod
    def random(cls, features, seed=0):
        """Return a random permutation of `features` columns."""
        check_count("features", features)
        generator = torch.Generator("cpu").manual_seed(seed)
        return cls(torch.randperm(features, generator=generator, device="cpu").tolist())

    @classmethod
    def reverse(cls, features):
        """Return the permutation that turns the order of `features` columns round."""
        check_count("features", features)
        return cls(range(features - 1, -1, -1))

    def forward(self, x, context=None):
        """Reorder ``(n, d)``; the logarithm of the determinant is zero, ``(n,)``."""
        check_array("x", x, ("n", len(self.order)), finite=False)
        return x.index_select(1, self.order), x.new_zeros(len(x))

    def inverse(self, z, context=None):
        """Undo the order of ``(n, d)``; the logarithm of the determinant is zero, ``(n,)``."""
        check_array("z", z, ("n", len(self.order)), finite=False)
        return z.index_select(1, self.backward_order), z.new_zeros(len(z))


class Linear(Transform):
    """A trainable matrix, z = L U x + b, with triangular factors so that the determinant is a product.

    Parameters
    ----------
    features : int
        Number d of features.

    Notes
    -----
    L has ones on its diagonal and U has exp(log_scale): always invertible, and the identity at zero parameters.
    The idea is from Kingma and Dhariwal, arXiv:1807.03039, section 3.2.

    Examples
    --------
    >>> Linear(3)(torch.ones(2, 3))[1].tolist()
    [0.0, 0.0]
    """

    def __init__(self, features):
        super().__init__()
        check_count("features", features)
        self.factors = nn.Parameter(torch.zeros(features, features))  # below the diagonal L, above it U
        self.log_scale = nn.Parameter(torch.zeros(features))
        self.bias = nn.Parameter(torch.zeros(features))

    def _lower_upper(self):
        identity = torch.eye(len(self.bias), dtype=self.bias.dtype, device=self.bias.device)
        return self.factors.tril(-1) + identity, self.factors.triu(1) + torch.diag(self.log_scale.exp())

    def forward(self, x, context=None):
        """Map data ``(n, d)`` to L U x + b; also return the sum of log_scale, ``(n,)``."""
        check_array("x", x, ("n", len(self.bias)), finite=False)
        lower, upper = self._lower_upper()
        return x @ (lower @ upper).T + self.bias, self.log_scale.sum().expand(len(x))

    def inverse(self, z, context=None):
        """Solve L U x = z - b for x ``(n, d)``; also return minus the sum of log_scale, ``(n,)``."""
        check_array("z", z, ("n", len(self.bias)), finite=False)
        lower, upper = self._lower_upper()
        half = torch.linalg.solve_triangular(lower, (z - self.bias).T, upper=False, unitriangular=True)
        return torch.linalg.solve_triangular(upper, half, upper=True).T, -self.log_scale.sum().expand(len(z))
