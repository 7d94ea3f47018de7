r"""Weighted events :math:`pp \to e^+e^-\mu^+\mu^-` off the Higgs resonance, with the exact weight of every part.

The amplitudes are those of `off_shell_zz`; here are parton densities, phase space, cuts and the generator.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hepml_labs.physics.electroweak import GAMMA_Z, M_Z, PICOBARN, fermion_coupling
from hepml_labs.physics.kinematics import eta, pt
from hepml_labs.physics.off_shell_zz import (
    FEATURES,
    gluon_parts,
    lepton_factor,
    leptons,
    quark_amplitudes,
    z_momentum,
)
from hepml_labs.validation import check_array, check_count

PARTS = ("quark", "gluon", "interference", "signal")
COLLIDER = 13_000.0  # GeV
MASS_RANGE, Z_RANGE = (220.0, 1500.0), (66.0, 116.0)  # GeV
_SPREAD = 1.1  # of the proposal in cos theta*

# ln x f(x) at Q = 250 GeV = polynomial in ln x, and the last number times ln(1 - x): fits to NNPDF2.3 LO as in Pythia,
# within 5 % where 0.0002 < x < 0.3
_DENSITY = {
    21: (-0.19774, 0.23918, 0.31613, 0.041685, 0.0018272, 6.3878),
    2: (1.4523, 1.0334, 0.16996, 0.0036986, -0.00027898, 4.6134),
    1: (0.52289, 0.80123, 0.16778, 0.0068682, -7.6714e-05, 5.2843),
    -2: (-4.457, -1.1856, -0.089174, -0.002574, 8.7389e-05, 4.4736),
    -1: (-4.0439, -1.3378, -0.21144, -0.023129, -0.00096622, 5.1413),
    3: (-5.2408, -1.2851, -0.09187, -0.0030427, 3.763e-05, 3.422),
    4: (-2.2502, 0.95313, 0.49961, 0.06423, 0.0028265, 7.4396),
    5: (-3.1888, 0.60077, 0.41734, 0.054458, 0.0023922, 7.7228),
}


class OffShellEvents(NamedTuple):
    """Weighted events.

    Attributes
    ----------
    x : array, (n, 9)
        The columns of `FEATURES`.
    parts : array, (n, 4)
        The weight of each event in pb, as the sum of the columns of `PARTS`; sums over events are cross-sections.
    """

    x: np.ndarray
    parts: np.ndarray

    @property
    def coefficients(self):
        r"""Of (1, kappa, kappa^2) with :math:`\kappa = \sqrt\mu`, (n, 3): background, interference, signal."""
        return np.column_stack([self.parts[:, :2].sum(1), self.parts[:, 2], self.parts[:, 3]])


def parton_density(flavour, x):
    """Density x f(x) of a parton at Q = 250 GeV; sea quarks s, c and b equal their antiquarks.

    Parameters
    ----------
    flavour : int
        PDG code: 21 for the gluon, 1 to 5 and -1 to -5.
    x : array, (n,)
        Momentum fraction in (0, 1).

    Returns
    -------
    array, (n,)

    Examples
    --------
    >>> parton_density(21, np.array([0.01, 0.1])).round(1)
    array([8.1, 0.8])
    """
    *polynomial, end = _DENSITY[flavour if flavour in _DENSITY else -flavour]
    return np.exp(np.polynomial.polynomial.polyval(np.log(x), polynomial) + end * np.log1p(-x))


def differential(x):
    """Differential cross-section of each part, in pb per unit of the nine features.

    Parameters
    ----------
    x : array, (n, 9)
        Events, columns as `FEATURES`. Divided by cross-sections, these are the exact densities of the model; the
        cuts of `accepted` are not looked at.

    Returns
    -------
    array, (n, 4)
        Columns as `PARTS`; the interference may be negative, the sum of the last three is not.

    Raises
    ------
    ValueError
        If `x` has another shape, or entries that are not finite.
    """
    check_array("x", x, ("n", len(FEATURES)))
    m_4l, rapidity, m_1, m_2 = x[:, :4].T
    s, tau = m_4l**2, (m_4l / COLLIDER) ** 2
    fractions = np.sqrt(tau) * np.exp(rapidity), np.sqrt(tau) * np.exp(-rapidity)
    # flux; three two-body phase spaces, the azimuth of the production integrated; dm^2 = 2 m dm; d tau = 2 tau dm / m
    space = z_momentum(m_4l, m_1, m_2) * 2 * np.pi / (16 * np.pi**2 * m_4l) / (32 * np.pi**2) ** 2
    space = space * (m_1 / np.pi) * (m_2 / np.pi) * 2 / m_4l * PICOBARN / (2 * s)
    gluons = np.prod([parton_density(21, fraction) for fraction in fractions], axis=0)

    chain = quark_amplitudes(x) / (4 * m_1**2 * m_2**2)  # `lepton_factor` has the size 2 m^2 of the currents
    lepton = lepton_factor(m_1)[:, None] * lepton_factor(m_2)[None]
    quarks = {-1: (lepton * chain).sum((0, 1)), 1: (lepton * chain[::-1, ::-1]).sum((0, 1))}
    quark = 0.0
    for flavour in range(1, 6):
        for antiquark_first, (a, b) in enumerate(((flavour, -flavour), (-flavour, flavour))):
            luminosity = parton_density(a, fractions[0]) * parton_density(b, fractions[1])
            for h in (-1, 1):
                power = fermion_coupling("Z", flavour, h) ** 4
                quark = quark + luminosity * power * quarks[-h if antiquark_first else h]
    return np.column_stack([quark / 12, gluons[:, None] * gluon_parts(x)]) * space[:, None]


def accepted(x):
    """Whether all leptons have a transverse momentum above 7 GeV and a pseudorapidity below 2.5.

    Parameters
    ----------
    x : array, (n, 9)

    Returns
    -------
    array of bool, (n,)
    """
    momenta = leptons(x)
    return ((pt(momenta) > 7) & (np.abs(eta(momenta)) < 2.5)).all(axis=1)


def generate(n, seed=None, mass_range=MASS_RANGE):
    """Weighted events of all parts at once.

    Parameters
    ----------
    n : int
        Number of events that are tried; about two thirds pass the cuts and are returned.
    seed : int or numpy.random.Generator, optional
    mass_range : tuple of two floats
        Of the four leptons, in GeV.

    Returns
    -------
    OffShellEvents

    Raises
    ------
    ValueError
        If n is not a whole number above zero, or the range is empty or below two Z bosons.

    Examples
    --------
    Cross-sections in fb: the interference is destructive.

    >>> quark, gluon, interference, signal = 1000 * generate(20_000, seed=1).parts.sum(0)
    >>> bool(quark > gluon > signal > 0 > interference)
    True
    """
    check_count("n", n)
    if not MASS_RANGE[0] <= mass_range[0] < mass_range[1] < COLLIDER / 2:
        raise ValueError(f"mass_range: found {mass_range}, expected two rising masses from {MASS_RANGE[0]:g} GeV")
    random = np.random.default_rng(seed)
    x, volume = np.empty((n, len(FEATURES))), np.ones(n)
    low, high = (value**-2.0 for value in mass_range)
    x[:, 0] = (low + random.random(n) * (high - low)) ** -0.5  # density in proportion to m^-3
    volume *= x[:, 0] ** 3 * (low - high) / 2
    limit = np.minimum(2.4, np.log(COLLIDER / x[:, 0]))
    x[:, 1] = random.uniform(-1, 1, n) * limit
    volume *= 2 * limit
    ends = np.arctan((np.array(Z_RANGE) ** 2 - M_Z**2) / (M_Z * GAMMA_Z))
    for column in (2, 3):  # a Breit-Wigner function in m^2
        angle = random.uniform(*ends, n)
        square = M_Z**2 + M_Z * GAMMA_Z * np.tan(angle)
        x[:, column] = np.sqrt(square)
        volume *= (ends[1] - ends[0]) * M_Z * GAMMA_Z / np.cos(angle) ** 2 / (2 * x[:, column])
    edge = np.arctanh(1 / _SPREAD)
    x[:, 4] = _SPREAD * np.tanh(random.uniform(-edge, edge, n))
    volume *= 2 * edge * (_SPREAD**2 - x[:, 4] ** 2) / _SPREAD
    x[:, 5:7], x[:, 7:] = random.uniform(-1, 1, (n, 2)), random.uniform(-np.pi, np.pi, (n, 2))
    volume *= 4 * (2 * np.pi) ** 2
    keep = accepted(x)
    x = x[keep]
    return OffShellEvents(x, differential(x) * (volume[keep] / n)[:, None])
