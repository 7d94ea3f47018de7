"""The network of a likelihood ratio whose dependence on the parameters is known: a positive quadratic polynomial."""

import numpy as np
import torch
from torch import nn

from hepml_labs.nn import MLP
from hepml_labs.physics.morphing import parameters_of, quadratic_form
from hepml_labs.validation import to_numpy

__all__ = ["QuadraticRatioNetwork"]


class QuadraticRatioNetwork(nn.Module):
    r"""Network for log r(x|theta) of densities that are squared amplitudes, linear in theta before they are squared.

    A quadratic polynomial that is positive everywhere and one at the reference is

    .. math:: w(x|\delta) = (1 + a(x)\cdot\delta)^2 + |L(x)^T \delta|^2, \qquad
              r(x|\theta) = w(x|\delta)\, \frac{\sigma(\theta_{\rm ref})}{\sigma(\theta)},
              \qquad \delta = \frac{\theta - \theta_{\rm ref}}{\rm scale},

    with a lower triangular matrix L (Cholesky's, of the form in :math:`(1, \delta)`). A multi-layer perceptron that
    sees x alone gives a and L. So every event teaches all of theta, the ratio at the reference is exactly one, and
    outside of the thetas of the training the polynomial goes on as it must.

    Parameters
    ----------
    observables : int
        Number of observables.
    total : array (K,)
        Coefficients of the cross-section, for the monomials of `hepml_labs.physics.morphing`, K = (p + 1)(p + 2)/2.
    reference, scale : array (p,)
        Of theta. The network takes delta, standardised by them.
    hidden : tuple of int
        Widths of the hidden layers.

    Raises
    ------
    ValueError
        If a shape does not fit, or the cross-section is not above zero at the reference.

    Notes
    -----
    The idea is that of MadMiner's "morphing-aware" estimators, arXiv:1907.10621, section 2.3.

    Examples
    --------
    >>> _ = torch.manual_seed(0)
    >>> network = QuadraticRatioNetwork(3, total=[1.0, 0.0, 0.0, 0.5, 0.0, 0.5], reference=[0.0, 0.0], scale=[1.0, 1.0])
    >>> bool(network(torch.randn(4, 3), torch.zeros(4, 2)).abs().max() < 1e-6)
    True
    """

    def __init__(self, observables, total, reference, scale, hidden=(64, 64)):
        super().__init__()
        total = to_numpy("total", np.asarray(total, dtype=np.float64), ("K",))
        p = parameters_of(len(total))
        reference = to_numpy("reference", np.asarray(reference, dtype=np.float64), (p,))
        scale = to_numpy("scale", np.asarray(scale, dtype=np.float64), (p,))
        form = quadratic_form(total[None])[0]  # sigma = (1, theta) form (1, theta)
        shift = np.eye(p + 1)  # (1, theta) = shift (1, delta)
        shift[1:, 0], shift[range(1, p + 1), range(1, p + 1)] = reference, scale
        form = shift.T @ form @ shift
        if form[0, 0] <= 0:
            raise ValueError(f"total: found a cross-section of {form[0, 0]:.4g} at the reference, expected above zero")
        self.register_buffer("form", torch.as_tensor(form / form[0, 0], dtype=torch.get_default_dtype()))
        self.p = p
        self.body = MLP(observables, p + p * (p + 1) // 2, hidden)

    def _factors(self, x):
        """a (..., p) and L (..., p, p)."""
        a, entries = self.body(x).tensor_split([self.p], dim=-1)
        rows, columns = torch.tril_indices(self.p, self.p)
        lower = entries.new_zeros(*entries.shape[:-1], self.p, self.p)
        lower[..., rows, columns] = entries
        return a, lower

    def forward(self, x, delta):
        """Map x (n, observables) and delta (n, p) to log r (n,)."""
        return self.with_score(x, delta)[0]

    def with_score(self, x, delta):
        """Map x (n, observables) and delta (n, p) to log r (n,) and its gradient in delta (n, p)."""
        a, lower = self._factors(x)
        interference = 1 + (a * delta).sum(-1, keepdim=True)
        bend = (lower.mT @ delta[..., None])[..., 0]
        # the smallest number keeps the logarithm finite where an amplitude changes its sign
        weight = interference[..., 0] ** 2 + (bend**2).sum(-1) + 1e-6
        slope = 2 * (interference * a + (lower @ bend[..., None])[..., 0])
        one = torch.cat([torch.ones_like(delta[..., :1]), delta], -1)
        half = one @ self.form
        sigma = (half * one).sum(-1)
        log_ratio = weight.log() - sigma.log() - np.log1p(1e-6)
        return log_ratio, slope / weight[..., None] - 2 * half[..., 1:] / sigma[..., None]
