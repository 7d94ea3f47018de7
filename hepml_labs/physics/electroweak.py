r"""Electroweak parameters at tree level: one place for masses, widths, couplings and propagators.

The inputs are :math:`G_F, m_W, m_Z` (the :math:`G_\mu` scheme); all else follows at tree level. Values: Particle Data
Group, Review of Particle Physics 2022, https://doi.org/10.1093/ptep/ptac097. Masses and widths are in GeV.
"""

from math import sqrt

import numpy as np

G_FERMI = 1.1663788e-5  # GeV^-2
M_W, GAMMA_W = 80.377, 2.085
M_Z, GAMMA_Z = 91.1876, 2.4955
M_H = 125.25

V = (sqrt(2) * G_FERMI) ** -0.5  # 246.22 GeV, vacuum expectation value
SIN2 = 1 - M_W**2 / M_Z**2  # squared sine of the weak mixing angle, on shell: 0.2231
SIN, COS = sqrt(SIN2), sqrt(1 - SIN2)
G = 2 * M_W / V  # gauge coupling of SU(2): 0.653
E = G * SIN  # positron's charge
ALPHA = E**2 / (4 * np.pi)  # 1 / 132.1
PICOBARN = 3.893793721e8  # (hbar c)^2 in GeV^2 pb

#: Moduli of the quark-mixing matrix; rows u, c, t, columns d, s, b.
CKM = np.array([[0.97435, 0.22500, 0.00369], [0.22486, 0.97349, 0.04182], [0.00857, 0.04110, 0.999118]])

_MASS = {"W": (M_W, GAMMA_W), "Z": (M_Z, GAMMA_Z), "A": (0.0, 0.0)}


def ckm_squared(up, down):
    r""":math:`|V_{ij}|^2` for quarks given by their PDG numbers.

    Parameters
    ----------
    up, down : int
        2, 4 or 6, and 1, 3 or 5; signs are not looked at.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If a number is not that of an up-type or down-type quark.

    Examples
    --------
    >>> round(ckm_squared(2, -1), 4)
    0.9494
    """
    if abs(up) not in (2, 4, 6) or abs(down) not in (1, 3, 5):
        raise ValueError(f"up, down: found {up} and {down}, expected one of 2, 4, 6 and one of 1, 3, 5")
    return float(CKM[abs(up) // 2 - 1, (abs(down) - 1) // 2] ** 2)


def fermion_coupling(boson, flavour, helicity):
    r"""Strength c of a fermion's coupling, :math:`\mathcal{L} = -c\,\bar\psi'\gamma^\mu P_h\psi\,V_\mu`.

    From :math:`D_\mu = \partial_\mu + i g\,T^a W^a_\mu + i g' Y B_\mu`: :math:`g/\sqrt2` (left-handed only, without
    quark mixing) for W, :math:`g\,(T^3 - Q \sin^2\theta_W)/\cos\theta_W` for Z, :math:`eQ` for the photon.

    Parameters
    ----------
    boson : {"W", "Z", "A"}
    flavour : int
        PDG number of the fermion, 1 to 6 or 11 to 16; for an antifermion the coupling is that of its line's fermion.
    helicity : {-1, 1}
        Chirality h of the line: -1 for left-handed.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If an argument is not one of those.

    Examples
    --------
    >>> round(fermion_coupling("A", 2, -1) / E, 4)                  # the charge of an up quark
    0.6667
    """
    number = abs(flavour)
    if number not in (1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16):
        raise ValueError(f"flavour: found {flavour}, expected the PDG number of a quark or lepton")
    if helicity not in (-1, 1):
        raise ValueError(f"helicity: found {helicity}, expected -1 or 1")
    up = number % 2 == 0
    charge = (2 / 3 if up else -1 / 3) if number < 10 else (0.0 if up else -1.0)
    isospin = (0.5 if up else -0.5) if helicity == -1 else 0.0
    if boson == "W":
        return G / sqrt(2) if helicity == -1 else 0.0
    if boson == "Z":
        return G / COS * (isospin - charge * SIN2)
    if boson == "A":
        return E * charge
    raise ValueError(f"boson: found {boson!r}, expected 'W', 'Z' or 'A'")


def propagator(boson, virtuality):
    r"""Denominator's inverse, :math:`1/(k^2 - m^2 + i m \Gamma)`; the width only where :math:`k^2 > 0`.

    A fixed width, and none for space-like bosons, which cannot decay. The :math:`k^\mu k^\nu` part of a massive
    boson's propagator is left out: it vanishes between currents of massless fermions.

    Parameters
    ----------
    boson : {"W", "Z", "A"}
    virtuality : array, shape (...)
        k^2 in GeV^2.

    Returns
    -------
    complex array, shape (...)
        In GeV^-2.

    Raises
    ------
    ValueError
        For an unknown boson.

    Examples
    --------
    >>> round(float(np.abs(propagator("Z", M_Z**2)) * M_Z * GAMMA_Z), 12)          # on the resonance
    1.0
    """
    if boson not in _MASS:
        raise ValueError(f"boson: found {boson!r}, expected 'W', 'Z' or 'A'")
    mass, width = _MASS[boson]
    virtuality = np.asarray(virtuality)
    return 1 / (virtuality - mass**2 + 1j * mass * width * (virtuality > 0))
