"""Shift and scale to mean zero and width one, with the Jacobian that densities need."""

import torch
from torch import nn

from hepml_labs.validation import check_array, check_same_shape

__all__ = ["Standardizer"]


class Standardizer(nn.Module):
    """z = (x - mean) / scale for each feature; mean and scale are stored with the weights, but not trained.

    Parameters
    ----------
    mean, scale : tensor
        Shape ``(features,)``, or ``()`` for single numbers, in the units of the data; `scale` above zero.

    Raises
    ------
    ValueError
        If shapes disagree, entries are not finite, or a scale is not above zero.

    Examples
    --------
    >>> energies = torch.tensor([[10.0], [20.0], [30.0]])
    >>> scaler = Standardizer.fit(energies)
    >>> scaler(energies).flatten()
    tensor([-1.2247,  0.0000,  1.2247])
    >>> torch.allclose(scaler.inverse(scaler(energies)), energies)
    True
    """

    def __init__(self, mean, scale):
        super().__init__()
        check_array("mean", mean)
        check_array("scale", scale, positive=True)
        check_same_shape(mean=mean, scale=scale)
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)

    @classmethod
    def fit(cls, x):
        """Take mean and standard deviation over the first dimension of training data.

        Parameters
        ----------
        x : tensor
            Shape ``(n, features)`` or ``(n,)``.

        Returns
        -------
        Standardizer
            With the statistics of `x`. A feature that does not vary is shifted but keeps its scale.

        Raises
        ------
        ValueError
            If `x` is no floating-point tensor, is empty, or holds NaN.
        """
        check_array("x", x)
        if not isinstance(x, torch.Tensor) or x.ndim == 0:
            raise ValueError(f"x: found {x!r}, expected a torch tensor of shape (n, features) or (n,)")
        mean, scale = x.mean(0), x.std(0, correction=0)
        # The momenta of the beams do not vary: what is left of their width is rounding.
        constant = scale <= 10 * torch.finfo(x.dtype).eps * mean.abs()
        return cls(mean, torch.where(constant, torch.ones_like(scale), scale))

    def forward(self, x):
        """Standardise data of shape ``(..., features)``."""
        check_array("x", x, (..., *self.mean.shape), finite=False)
        return (x - self.mean) / self.scale

    def inverse(self, z):
        """Go back from standardised values ``(..., features)`` to the units of the data."""
        check_array("z", z, (..., *self.mean.shape), finite=False)
        return z * self.scale + self.mean

    def log_abs_det(self):
        """Logarithm of |det dz/dx|, one number: log p(x) = log p(z) + log_abs_det."""
        return -self.scale.log().sum()
