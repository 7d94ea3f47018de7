r"""Muon pairs of high mass, :math:`pp \to \mu^-\mu^+`, with a contact interaction: an exact density, and its events.

Quark and antiquark annihilate through photon and Z, and through the operator
:math:`C\,(\bar\ell\gamma^\mu\sigma^a\ell)(\bar q\gamma_\mu\sigma^a q)`, called :math:`O_{\ell q}^{(3)}` in the Warsaw
basis :cite:`grzadkowski2010dimension`. With the helicities i of the quark and j of the muon,

.. math::

    \frac{d\hat\sigma}{d\cos\theta} = \frac{\hat s}{384\pi} \sum_{ij} |A_{ij}|^2 (1 + h_i h_j \cos\theta)^2 ,\qquad
    A_{ij} = \frac{e^2 Q_q Q_\mu}{\hat s} + \frac{g_i^q g_j^\mu}{\hat s - m_Z^2 + i m_Z\Gamma_Z}
    \mp C\,\delta_{iL}\delta_{jL}

(- for up-type, + for down-type quarks). Quadratic in C, so three coefficients say all. The pair recoils against
radiation of transverse momentum k, :math:`p(k) = \frac{n-1}{\pi Q^2}(1+k^2/Q^2)^{-n}`; angles are those of Collins and
Soper. One event is (ln pT-, ln pT+, eta-, eta+, phi+ - phi-), logarithms of GeV; its overall azimuth is integrated.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hepml_labs.physics.electroweak import PICOBARN, fermion_coupling, propagator
from hepml_labs.physics.off_shell_events import COLLIDER, parton_density
from hepml_labs.validation import check_array, check_count

TRUTH = ("log_pt_minus", "log_pt_plus", "eta_minus", "eta_plus", "delta_phi")
MASS_RANGE = (220.0, 6000.0)  # GeV, of the generated pairs
RADIATION, POWER = 30.0, 2.5  # GeV and none: Q and n of the recoil
ACCEPTANCE = 2.4  # largest |eta| of a muon
_TRIES, _PROPOSAL = 200_000, 3.5  # of the generator: points at a time, and the power with which masses fall


class Pair(NamedTuple):
    """What describes a pair: four arrays (n,).

    Attributes
    ----------
    mass, transverse : array, (n,)
        Invariant mass and transverse momentum in GeV.
    rapidity, cosine : array, (n,)
        Of the pair, and cosine of the Collins-Soper angle of the negative muon.
    """

    mass: np.ndarray
    transverse: np.ndarray
    rapidity: np.ndarray
    cosine: np.ndarray


def monomials(coupling):
    """Powers 1, C, C^2 that multiply the coefficients.

    Parameters
    ----------
    coupling : float or array, (...)
        C in TeV^-2.

    Returns
    -------
    array, (..., 3)

    Examples
    --------
    >>> monomials(0.5)
    array([1.  , 0.5 , 0.25])
    """
    return np.stack([np.ones_like(coupling := np.asarray(coupling, dtype=float)), coupling, coupling**2], -1)


def observables(z):
    """Mass, transverse momentum, rapidity and Collins-Soper cosine of pairs.

    Parameters
    ----------
    z : array, (n, 5)
        Columns as `TRUTH`.

    Returns
    -------
    Pair

    Raises
    ------
    ValueError
        If `z` has another shape, or entries that are not finite.

    Examples
    --------
    Two muons of 200 GeV back to back, the negative one along +z:

    >>> pair = observables(np.array([[np.log(200), np.log(200), 1.0, -1.0, np.pi]]))
    >>> [round(float(value[0]), 3) + 0.0 for value in pair]
    [617.232, 0.0, 0.0, 0.762]
    """
    check_array("z", z, ("n", len(TRUTH)))
    pt, eta, cosine = np.exp(z[:, :2]), z[:, 2:4], np.cos(z[:, 4])
    mass = np.sqrt(2 * pt[:, 0] * pt[:, 1] * (np.cosh(eta[:, 0] - eta[:, 1]) - cosine))
    transverse = np.sqrt(((pt**2).sum(1) + 2 * pt[:, 0] * pt[:, 1] * cosine).clip(0))
    plus, minus = pt * np.exp(eta), pt * np.exp(-eta)  # E + p_z and E - p_z of each muon
    rapidity = np.log(plus.sum(1) / minus.sum(1)) / 2
    angle = (plus[:, 0] * minus[:, 1] - minus[:, 0] * plus[:, 1]) / (mass * np.hypot(mass, transverse))
    return Pair(mass, transverse, rapidity, angle)


def cross_section(mass, rapidity, cosine):
    r"""Coefficients of :math:`d\sigma/(dm\,dy\,d\cos\theta)` at leading order.

    Parameters
    ----------
    mass, rapidity, cosine : arrays, (n,)
        Mass in GeV, rapidity of the pair, cosine of the angle between the negative muon and the +z direction.

    Returns
    -------
    array, (n, 3)
        In pb / GeV, of 1, C and C^2 with C in TeV^-2; zero beyond the kinematic limit.

    Examples
    --------
    The forward-backward asymmetry of the Standard Model shows at large rapidity:

    >>> forward, backward = cross_section(np.full(2, 500.0), np.full(2, 1.5), np.array([0.5, -0.5]))[:, 0]
    >>> bool(forward > 1.5 * backward)
    True
    """
    s = mass**2
    fractions = [mass / COLLIDER * np.exp(sign * rapidity) for sign in (1, -1)]
    inside = (fractions[0] < 1) & (fractions[1] < 1)
    fractions = [np.where(inside, fraction, 0.5).clip(1e-4) for fraction in fractions]  # the densities' range
    density = {q: [parton_density(q, x) for x in fractions] for q in (-2, -1, 1, 2, 3, 4, 5)}
    density |= {-q: density[q] for q in (3, 4, 5)}
    # the two kinds of quarks: luminosity with the quark from +z and from -z
    result = np.zeros((len(mass), 3))
    for kind, flavours in ((2, (2, 4)), (1, (1, 3, 5))):
        along = sum(density[q][0] * density[-q][1] for q in flavours)
        against = sum(density[-q][0] * density[q][1] for q in flavours)
        for i in (-1, 1):
            for j in (-1, 1):
                exchange = sum(
                    fermion_coupling(boson, kind, i) * fermion_coupling(boson, 13, j) * propagator(boson, s)
                    for boson in "AZ"
                )
                contact = (-1e-6 if kind == 2 else 1e-6) * (i == j == -1)  # per TeV^2, in GeV^-2
                squared = np.stack(
                    [np.abs(exchange) ** 2, 2 * exchange.real * contact, np.full(len(mass), contact**2)], -1
                )
                angular = along * (1 + i * j * cosine) ** 2 + against * (1 - i * j * cosine) ** 2
                result += squared * angular[:, None]
    # x f(x) x f(x) / tau is the luminosity; dx dx = (2 m / S) dm dy, and tau = m^2 / S
    return result * (inside * 2 / mass * s / (384 * np.pi) * PICOBARN)[:, None]


def differential(z, radiation=RADIATION):
    """Coefficients of the differential cross-section in the five variables of `TRUTH`.

    From :math:`M\\,dM\\,dy\\,d^2k\\,d\\Omega/8 = d^3p_1 d^3p_2/(4E_1E_2)`, with the overall azimuth integrated.

    Parameters
    ----------
    z : array, (n, 5)
    radiation : float
        Scale Q of the recoil in GeV.

    Returns
    -------
    array, (n, 3)
        In pb per unit of the variables, of 1, C and C^2 with C in TeV^-2; zero outside of `MASS_RANGE` and
        `ACCEPTANCE`.

    Examples
    --------
    >>> differential(generate(3, seed=1)).shape
    (3, 3)
    """
    pair = observables(z)
    recoil = (POWER - 1) / (np.pi * radiation**2) * (1 + (pair.transverse / radiation) ** 2) ** -POWER
    jacobian = 2 * np.exp(2 * z[:, :2].sum(1)) / pair.mass
    inside = (pair.mass > MASS_RANGE[0]) & (pair.mass < MASS_RANGE[1])
    inside &= (np.abs(z[:, 2:4]) < ACCEPTANCE).all(axis=1)
    return cross_section(pair.mass, pair.rapidity, pair.cosine) * (inside * recoil * jacobian)[:, None]


def generate(n, coupling=0.0, seed=None, radiation=RADIATION):
    """Draw unweighted events, both muons in the acceptance, from the exact density.

    Parameters
    ----------
    n : int
    coupling : float
        C in TeV^-2.
    seed : int or numpy.random.Generator, optional
    radiation : float
        Scale Q of the recoil in GeV.

    Returns
    -------
    array, (n, 5)
        Columns as `TRUTH`.

    Raises
    ------
    ValueError
        If `n` is not a whole number above zero.

    Examples
    --------
    A contact interaction adds pairs of high mass:

    >>> masses = [observables(generate(2000, c, seed=1)).mass for c in (0.0, 1.0)]
    >>> bool((masses[1] > 1000).mean() > 3 * (masses[0] > 1000).mean())
    True
    """
    check_count("n", n)
    random, parts = np.random.default_rng(seed), []
    ceiling = 0.0
    while sum(map(len, parts)) < n:
        mass, rapidity, cosine, volume = _tries(random)
        weight = (cross_section(mass, rapidity, cosine) @ monomials(coupling)) * volume
        if not parts:
            ceiling = 1.1 * weight.max()
        keep = random.random(_TRIES) * ceiling < weight
        z = _muons(mass[keep], rapidity[keep], cosine[keep], radiation, random)
        parts.append(z[(np.abs(z[:, 2:4]) < ACCEPTANCE).all(axis=1)])
    return np.concatenate(parts)[:n]


def _tries(random):
    """Points that fill (m, y, cos) and their volume: masses fall with a power, rapidities are flat."""
    low, high = (m ** (1 - _PROPOSAL) for m in MASS_RANGE)
    mass = (low + random.random(_TRIES) * (high - low)) ** (1 / (1 - _PROPOSAL))
    limit = np.minimum(np.log(COLLIDER / mass), ACCEPTANCE)  # the pair lies between its muons
    rapidity, cosine = random.uniform(-1, 1, (2, _TRIES))
    return mass, rapidity * limit, cosine, mass**_PROPOSAL * limit


def _muons(mass, rapidity, cosine, radiation, random):
    """Give the pair a recoil along x and a decay: boosts along x, then along z, from its rest frame."""
    phi, u = random.uniform(-np.pi, np.pi, len(mass)), random.random(len(mass))
    transverse = radiation * np.sqrt(u ** (1 / (1 - POWER)) - 1)
    gamma, boost = np.hypot(mass, transverse) / mass, transverse / mass
    sine = np.sqrt(1 - cosine**2)
    columns = []
    for sign in (1, -1):
        px, py, pz = (sign * mass / 2 * part for part in (sine * np.cos(phi), sine * np.sin(phi), cosine))
        px = gamma * px + boost * mass / 2
        pt = np.hypot(px, py)
        columns.append((np.log(pt), np.arcsinh(pz / pt) + rapidity, np.arctan2(py, px)))
    (pt1, eta1, phi1), (pt2, eta2, phi2) = columns
    return np.stack([pt1, pt2, eta1, eta2, (phi2 - phi1) % (2 * np.pi)], -1)
