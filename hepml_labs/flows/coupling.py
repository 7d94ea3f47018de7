"""Coupling layers: half of the features tell a network how to move the other half."""

import torch
from torch import nn

from hepml_labs.flows.elementwise import RationalQuadraticSpline
from hepml_labs.flows.flow import Flow
from hepml_labs.flows.transforms import Chain, Transform
from hepml_labs.nn import MLP
from hepml_labs.validation import check_array, check_count

__all__ = ["Coupling", "coupling_flow"]


class Coupling(Transform):
    """Coupling layer: the kept features and the context predict the function that moves the others.

    Parameters
    ----------
    mask : sequence of bool
        Shape ``(d,)``: True for a feature that is moved, False for one that is kept.
    elementwise : Affine or RationalQuadraticSpline
        The monotone function of one variable.
    context : int
        Number of context features.
    hidden : tuple of int
        Widths of the network's hidden layers.

    Raises
    ------
    ValueError
        If no feature is moved, or on a wrong shape.

    Notes
    -----
    Dinh et al., arXiv:1605.08803, equations 4 to 8. The Jacobian is triangular: its determinant is the product of the
    derivatives of the moved features. The last layer of the network starts at zero, so the layer at the identity.

    Examples
    --------
    >>> from hepml_labs.flows.elementwise import Affine
    >>> layer = Coupling([True, False, True], Affine())
    >>> z, log_det = layer(torch.ones(5, 3))
    >>> torch.equal(z, torch.ones(5, 3)), log_det.shape
    (True, torch.Size([5]))
    """

    def __init__(self, mask, elementwise, context=0, hidden=(64, 64)):
        super().__init__()
        mask = [bool(moved) for moved in mask]
        if not any(mask):
            raise ValueError(f"mask: found {mask}, expected at least one True")
        check_count("context", context, minimum=0)
        kept = [column for column, moved in enumerate(mask) if not moved]
        moved = [column for column, moved in enumerate(mask) if moved]
        self.features, self.context, self.elementwise = len(mask), context, elementwise
        self.register_buffer("kept", torch.tensor(kept, dtype=torch.long))
        self.register_buffer("moved", torch.tensor(moved))
        self.register_buffer("order", torch.tensor([(kept + moved).index(column) for column in range(len(mask))]))
        # with nothing to look at, the network gets a constant one
        self.network = MLP(max(len(kept) + context, 1), len(moved) * elementwise.parameters, hidden)
        nn.init.zeros_(self.network[-1].weight)
        nn.init.zeros_(self.network[-1].bias)

    def forward(self, x, context=None):
        """Map data ``(n, d)`` to base variables; also return log |det dz/dx|, ``(n,)``."""
        return self._move(self.elementwise, x, context)

    def inverse(self, z, context=None):
        """Map base variables ``(n, d)`` to data; also return log |det dx/dz|, ``(n,)``."""
        return self._move(self.elementwise.inverse, z, context)

    def _move(self, function, x, context):
        check_array("x", x, ("n", self.features), finite=False)
        kept = x.index_select(1, self.kept)
        inputs = kept
        if self.context:
            check_array("context", context, (len(x), self.context), finite=False)
            inputs = torch.cat([kept, context], 1)
        elif not len(self.kept):
            inputs = x.new_ones(len(x), 1)
        parameters = self.network(inputs).unflatten(1, (len(self.moved), -1))
        moved, log_derivative = function(x.index_select(1, self.moved), parameters)
        return torch.cat([kept, moved], 1).index_select(1, self.order), log_derivative.sum(1)


def coupling_flow(features, context=0, layers=6, elementwise=None, hidden=(64, 64), base="normal", seed=0):
    """Return a flow of coupling layers.

    Parameters
    ----------
    features, context : int
        Numbers of features and of context features.
    layers : int
        Number of coupling layers. Each pair splits the features into random halves and moves each half once, so an
        even number moves all features equally often.
    elementwise : Affine or RationalQuadraticSpline, optional
        The function of one variable; ``RationalQuadraticSpline()`` if not given.
    hidden : tuple of int
        Widths of the hidden layers of each network.
    base : str
        Base density, as in `Flow`.
    seed : int
        For the halves and for the first weights.

    Returns
    -------
    Flow
        A flow that is the identity before training.

    Raises
    ------
    ValueError
        If a number is no positive whole number.

    Examples
    --------
    >>> flow = coupling_flow(3, context=1, layers=2)
    >>> flow.log_prob(torch.zeros(5, 3), torch.zeros(5, 1)).shape
    torch.Size([5])
    """
    check_count("features", features)
    check_count("layers", layers)
    elementwise = RationalQuadraticSpline() if elementwise is None else elementwise
    generator = torch.Generator("cpu").manual_seed(seed)
    transforms = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for layer in range(layers):
            if layer % 2 == 0:
                order = torch.randperm(features, generator=generator, device="cpu").tolist()
            half = order[: features // 2] if layer % 2 else order[features // 2 :]
            mask = [column in half or features == 1 for column in range(features)]
            transforms.append(Coupling(mask, elementwise, context, hidden))
    return Flow(Chain(transforms), features, base)
