r"""A Higgs boson to four equal leptons, h -> Z* Z* -> l- l+ l- l+, at tree level and in closed form.

Leptons 1 and 3 are negative, 2 and 4 positive, all massless. Nothing tells which l- belongs to which l+, so there are
two pairings, (12)(34) and (14)(32), and they interfere.
"""

from __future__ import annotations

import math

import torch

from hepml_labs.physics.electroweak import GAMMA_Z, M_H, M_Z, V, fermion_coupling
from hepml_labs.validation import check_array

__all__ = ["exchange", "invariants", "phase_space", "propagators", "squared_amplitude"]


def _momentum(x):
    """K = M^2 - s12 - s34 and the root of the Kaellen function, 2 M times the momentum of a pair, each (n,)."""
    rest = M_H**2 - x[:, 0] - x[:, 1]
    return rest, (rest**2 - 4 * x[:, 0] * x[:, 1]).clamp(min=1e-6).sqrt()


def invariants(x):
    r"""Squared masses of all pairs of leptons.

    Parameters
    ----------
    x : tensor, (n, 5)
        :math:`s_{12}, s_{34}` in GeV^2; the cosines of leptons 1 and 3, in the rest frame of their pair, with the
        pair's direction in the rest frame of the Higgs boson; the angle between the two decay planes, 0 to pi.

    Returns
    -------
    tensor, (n, 6)
        :math:`s_{12}, s_{34}, s_{13}, s_{24}, s_{14}, s_{23}` in GeV^2; they add up to :math:`m_H^2`.

    Notes
    -----
    With :math:`K = m_H^2 - s_{12} - s_{34}` and :math:`L^2 = K^2 - 4s_{12}s_{34}` the boosts give
    :math:`s_{13} = \frac14[K(1 + c_1c_2) + L(c_1 + c_2)] - \frac12\sqrt{s_{12}s_{34}}\,\sin_1\sin_2\cos\phi`, and the
    others by :math:`c\to-c`, :math:`\phi\to\phi+\pi` for the other lepton of a pair.

    Examples
    --------
    >>> s = invariants(torch.tensor([[8000.0, 500.0, 0.3, -0.2, 1.0]]))
    >>> round(s.sum().item() / M_H**2, 5)
    1.0
    """
    check_array("x", x, ("n", 5), finite=False)
    rest, root = _momentum(x)
    c1, c2 = x[:, 2], x[:, 3]
    plane = 2 * (x[:, 0] * x[:, 1] * (1 - c1**2).clamp(min=0) * (1 - c2**2).clamp(min=0)).sqrt() * x[:, 4].cos()
    s13 = rest * (1 + c1 * c2) + root * (c1 + c2) - plane
    s24 = rest * (1 + c1 * c2) - root * (c1 + c2) - plane
    s14 = rest * (1 - c1 * c2) + root * (c1 - c2) + plane
    s23 = rest * (1 - c1 * c2) - root * (c1 - c2) + plane
    return torch.stack([x[:, 0], x[:, 1], *(s / 4 for s in (s13, s24, s14, s23))], dim=1)


def exchange(x):
    r"""The same event with the two positive leptons exchanged, in the coordinates of the new pairs.

    Parameters
    ----------
    x : tensor, (n, 5)
        As in `invariants`.

    Returns
    -------
    tensor, (n, 5)
        Coordinates in which :math:`s_{14}` and :math:`s_{23}` take the place of :math:`s_{12}` and :math:`s_{34}`.
        Twice is the identity.

    Examples
    --------
    >>> x = torch.tensor([[8000.0, 500.0, 0.3, -0.2, 1.0]], dtype=torch.float64)
    >>> torch.allclose(exchange(exchange(x)), x)
    True
    """
    s12, s34, s13, _, s14, s23 = invariants(x).T
    new = torch.stack([s14, s23], dim=1).clamp(min=1e-9)
    rest, root = _momentum(new)
    c1 = ((2 * (s13 + s12) - rest) / root).clamp(-1, 1)
    c2 = ((2 * (s13 + s34) - rest) / root).clamp(-1, 1)
    plane = 2 * (new[:, 0] * new[:, 1] * (1 - c1**2) * (1 - c2**2)).sqrt().clamp(min=1e-12)
    cosine = (rest * (1 + c1 * c2) + root * (c1 + c2) - 4 * s13) / plane
    return torch.cat([new, torch.stack([c1, c2, cosine.clamp(-1, 1).acos()], dim=1)], dim=1)


def propagators(x):
    r"""Squared propagators of the four possible Z bosons, :math:`|s - m_Z^2 + i m_Z\Gamma_Z|^{-2}`.

    Parameters
    ----------
    x : tensor, (n, 5)
        As in `invariants`.

    Returns
    -------
    tensor, (n, 4)
        For :math:`s_{12}, s_{34}, s_{14}, s_{23}`, in GeV^-4: which boson is on its mass shell.

    Examples
    --------
    >>> propagators(torch.tensor([[M_Z**2, 500.0, 0.3, -0.2, 1.0]])).argmax().item()
    0
    """
    s = invariants(x)[:, [0, 1, 4, 5]]
    return 1 / ((s - M_Z**2) ** 2 + (M_Z * GAMMA_Z) ** 2)


def squared_amplitude(x, identical=True):
    r"""Squared amplitude, summed over helicities.

    Parameters
    ----------
    x : tensor, (n, 5)
        As in `invariants`.
    identical : bool
        Four equal leptons, with both pairings; otherwise two of each kind, e- e+ mu- mu+, and the pairs are known.

    Returns
    -------
    tensor, (n,)
        In GeV^-2. The symmetry factor of equal leptons, 1/4, is not in.

    Notes
    -----
    The currents of massless leptons contract to :math:`J_{12}\cdot J_{34} = 2\langle13\rangle[42]` for equal
    helicities of leptons 1 and 3, and to :math:`2\langle14\rangle[32]` for opposite ones. Only in the first case do
    both pairings contribute, with the same spinors, so they add:
    :math:`4 (g_L^4 + g_R^4)\,s_{13}s_{24}\,|P_{12}P_{34} + P_{14}P_{32}|^2
    + 8 g_L^2g_R^2\,(s_{14}s_{23}|P_{12}P_{34}|^2 + s_{12}s_{34}|P_{14}P_{32}|^2)`, times :math:`(2m_Z^2/v)^2`.

    Examples
    --------
    Exchanging the positive leptons changes nothing:

    >>> x = torch.tensor([[8000.0, 500.0, 0.3, -0.2, 1.0]], dtype=torch.float64)
    >>> torch.allclose(squared_amplitude(x), squared_amplitude(exchange(x)))
    True
    """
    s12, s34, s13, s24, s14, s23 = invariants(x).T
    left, right = (fermion_coupling("Z", 11, helicity) ** 2 for helicity in (-1, 1))

    def product(a, b):
        """Real and imaginary part of (a - m^2 + i m Gamma)^-1 (b - m^2 + i m Gamma)^-1."""
        a, b, width = a - M_Z**2, b - M_Z**2, M_Z * GAMMA_Z
        square = (a**2 + width**2) * (b**2 + width**2)
        return (a * b - width**2) / square, -width * (a + b) / square

    real, imaginary = product(s12, s34)
    direct = real**2 + imaginary**2
    other_real, other_imaginary = product(s14, s23) if identical else (0.0, 0.0)
    crossed = other_real**2 + other_imaginary**2
    both = (real + other_real) ** 2 + (imaginary + other_imaginary) ** 2
    equal = 4 * (left**2 + right**2) * s13 * s24 * both
    opposite = 8 * left * right * (s14 * s23 * direct + s12 * s34 * crossed)
    return (2 * M_Z**2 / V) ** 2 * (equal + opposite)


def phase_space(x):
    r"""Density of four-body phase space in the coordinates, times the flux: :math:`d\Gamma = |M|^2\rho(x)\,dx`.

    Parameters
    ----------
    x : tensor, (n, 5)
        As in `invariants`.

    Returns
    -------
    tensor, (n,)
        :math:`\rho = \frac{1}{2m_H}\,\frac{1}{(2\pi)^2}\,\frac{L}{8\pi m_H^2}\,\frac{1}{(8\pi)^2}\,\frac{1}{4}\,
        \frac{1}{\pi}` in GeV^-1, zero outside of the kinematic range. The factors: flux, the two squared masses, the
        decay into two pairs and of each pair, averages over the cosines and over the angle.

    Examples
    --------
    Two pairs that are too heavy together:

    >>> phase_space(torch.tensor([[8000.0, 8000.0, 0.3, -0.2, 1.0]]))
    tensor([0.])
    """
    check_array("x", x, ("n", 5), finite=False)
    _, root = _momentum(x)
    constant = 1 / (2 * M_H) / (2 * math.pi) ** 2 / (8 * math.pi * M_H**2) / (8 * math.pi) ** 2 / 4 / math.pi
    inside = x[:, 0].clamp(min=0).sqrt() + x[:, 1].clamp(min=0).sqrt() < M_H
    return torch.where(inside, constant * root, 0.0)
