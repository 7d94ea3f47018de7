"""Scalar one-loop integrals in Feynman parameters, with closed forms to test them against."""

import cmath
import math

import numpy as np
import torch
from scipy.special import spence

from hepml_labs.validation import check_array, check_between

__all__ = ["OneLoop", "box", "box_exact", "bubble", "bubble_exact", "triangle", "triangle_exact"]


class OneLoop:
    """A finite scalar one-loop integral in Feynman parameters, on the unit cube.

    The loop integral over the product of N propagators 1 / (m_i^2 - q_i^2 - i0) is

        Gamma(N - D/2) int dX_1 ... dX_N delta(1 - sum X) F(X)^(D/2 - N),    F = X.Y.X / 2 - i0,

    with Y_ij = m_i^2 + m_j^2 - (q_i - q_j)^2. The simplex is broken off stick by stick: X_1 = x_1,
    X_2 = (1 - x_1) x_2, and so on; the last one is the rest.

    Parameters
    ----------
    cayley : tensor
        The matrix Y, shape ``(N, N)``, symmetric, in GeV^2.
    dimension : int
        Number D of space-time dimensions, below 2 N.

    Raises
    ------
    ValueError
        If `cayley` is no square matrix, or the integral diverges.

    Notes
    -----
    't Hooft and Veltman, Nucl. Phys. B 153 (1979) 365; Borowka, Carter and Heinrich, arXiv:1204.4152.

    Examples
    --------
    >>> integral = triangle(s=9.0, mass=1.0)
    >>> integral.features, integral.polynomial(torch.tensor([[0.5, 0.5]], dtype=torch.float64)).item()
    (2, -0.125)
    """

    def __init__(self, cayley, dimension=4):
        check_array("cayley", cayley, ("N", "N"))
        self.cayley, self.features = cayley, len(cayley) - 1
        self.power = len(cayley) - dimension / 2
        if self.power <= 0:
            raise ValueError(
                f"dimension: found {dimension}, expected below {2 * len(cayley)}, or the integral diverges"
            )

    def simplex(self, x):
        """Map points of the cube ``(..., N - 1)`` to X ``(..., N)``; also return the Jacobian, ``(...)``."""
        pieces, rest, jacobian = [], torch.ones_like(x[..., 0]), torch.ones_like(x[..., 0])
        for share in x.unbind(-1):
            jacobian = jacobian * rest
            pieces.append(rest * share)
            rest = rest * (1 - share)
        return torch.stack([*pieces, rest], -1), jacobian

    def polynomial(self, x):
        """Return F at real or complex points ``(..., N - 1)`` of the cube, shape ``(...)``, in GeV^2."""
        simplex, _ = self.simplex(x)
        return 0.5 * ((simplex @ self.cayley.to(x.dtype)) * simplex).sum(-1)

    def integrand(self, z):
        """Return Gamma(N - D/2) J(z) F(z)^(D/2 - N) at complex points ``(..., N - 1)``, shape ``(...)``."""
        _, jacobian = self.simplex(z)
        return math.gamma(self.power) * jacobian * self.polynomial(z) ** (-self.power)

    def derivatives(self, x):
        """Return dF/dx, ``(n, N - 1)``, and the matrix of second derivatives, at real points ``(n, N - 1)``."""
        check_array("x", x, ("n", self.features), finite=False)
        tracked = torch.is_grad_enabled() and x.requires_grad  # by the flow that made x
        with torch.enable_grad():
            x = x if tracked else x.detach().requires_grad_()
            (slope,) = torch.autograd.grad(self.polynomial(x).sum(), x, create_graph=True)
            rows = [torch.autograd.grad(part.sum(), x, create_graph=True)[0] for part in slope.unbind(1)]
        curvature = torch.stack(rows, 1)
        return (slope, curvature) if tracked else (slope.detach(), curvature.detach())


def bubble(s, mass):
    """Two propagators of one mass in D = 2: in D = 4 this is minus the derivative of the bubble in mass^2."""
    return OneLoop(2 * mass**2 - torch.tensor([[0.0, s], [s, 0.0]], dtype=torch.float64), dimension=2)


def triangle(s, mass, virtuality=0.0):
    """Three propagators of one mass, one leg massless: the loop through which a Higgs boson decays to Z + photon.

    Parameters
    ----------
    s, virtuality : float
        Squared momenta of the two other legs, in GeV^2. With `virtuality` zero: the Higgs boson and two photons.
    mass : float
        Mass in the loop, in GeV.

    Returns
    -------
    OneLoop
        With F = mass^2 - X_3 (s X_1 + virtuality X_2).
    """
    cayley = torch.full((3, 3), 2.0 * mass**2, dtype=torch.float64)
    cayley[0, 2] -= s
    cayley[1, 2] -= virtuality
    cayley[2, :2] = cayley[:2, 2]
    return OneLoop(cayley)


def box(s, t, mass):
    """Four propagators of one mass, four massless legs: light-by-light scattering. s and t in GeV^2."""
    cayley = torch.full((4, 4), 2.0 * mass**2, dtype=torch.float64)
    for first, second, invariant in ((0, 2, s), (1, 3, t)):
        cayley[first, second] -= invariant
        cayley[second, first] -= invariant
    return OneLoop(cayley)


def _logarithm(s, mass):
    """log((beta + 1) / (beta - 1)) with beta^2 = 1 - 4 mass^2 / (s + i0): its imaginary part is -pi above threshold."""
    beta = cmath.sqrt(1 - 4 * mass**2 / s)
    if 0 < s < 4 * mass**2:
        return -2j * math.atan(1 / abs(beta))
    return cmath.log((1 + beta) / abs(1 - beta)) - (1j * math.pi if s > 0 else 0)


def bubble_exact(s, mass):
    """Closed form of `bubble` for s other than 0 and 4 mass^2.

    Examples
    --------
    >>> value = bubble_exact(9.0, 1.0)
    >>> round(value.real, 6), round(value.imag, 6)
    (-0.573879, 0.936642)
    """
    check_between("mass", mass, 0, math.inf)
    beta = cmath.sqrt(1 - 4 * mass**2 / s)
    return -2 * _logarithm(s, mass) / (s * beta)


def triangle_exact(s, mass, virtuality=0.0):
    """Closed form of `triangle`: (L(virtuality)^2 - L(s)^2) / (2 (s - virtuality)), where L(0) = 0.

    Notes
    -----
    L(s) = log((1 + beta)/(1 - beta)) - i pi above threshold; Djouadi, arXiv:hep-ph/0503172, section 2.3.

    Examples
    --------
    >>> value = triangle_exact(9.0, 1.0)
    >>> round(value.real, 6), round(value.imag, 6)
    (0.342476, 0.671898)
    """
    check_between("mass", mass, 0, math.inf)
    squares = [_logarithm(invariant, mass) ** 2 if invariant else 0 for invariant in (s, virtuality)]
    return (squares[1] - squares[0]) / (2 * (s - virtuality))


def box_exact(s, t, mass):
    """Closed form of `box`, good to about 1e-9.

    Notes
    -----
    Davydychev, arXiv:hep-ph/9307323; see also Bern et al., arXiv:hep-ph/0109079.

    Examples
    --------
    >>> value = box_exact(9.0, -3.0, 1.0)
    >>> round(value.real, 6), round(value.imag, 6)
    (0.028616, 0.205707)
    """
    check_between("mass", mass, 0, math.inf)
    s, t = (invariant + 1e-13j * abs(invariant) for invariant in (s, t))  # the i0
    beta_s, beta_t = (np.sqrt(1 - 4 * mass**2 / invariant) for invariant in (s, t))
    both = np.sqrt(1 - 4 * mass**2 / s - 4 * mass**2 / t)

    def dilogarithm(z):
        return spence(1 - z)

    total = 2 * np.log((both + beta_s) / (both + beta_t)) ** 2 - np.pi**2 / 2
    total += np.log((both - beta_s) / (both + beta_s)) * np.log((both - beta_t) / (both + beta_t))
    for beta in (beta_s, beta_t):
        total += 2 * dilogarithm((beta - 1) / (both + beta)) - 2 * dilogarithm((beta - both) / (beta + 1))
        total -= np.log((beta + 1) / (both + beta)) ** 2
    return complex(2 * total / (s * t * both))
