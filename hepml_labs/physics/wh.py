r"""Associated production, pp to W H with W to l nu, at leading order with the dimension-6 coefficients f_W and f_WW.

One diagram: quark and antiquark annihilate to a W boson, which radiates the Higgs boson and decays, with all spin
correlations and a Breit-Wigner shape. Massless quarks of five flavours (no top), l = e and mu, both charges; a Higgs
boson of zero width that does not decay here. Parton densities at the scale m_W + m_H.
"""

from typing import NamedTuple

import numpy as np

from hepml_labs.physics.electroweak import GAMMA_W, M_H, M_W, PICOBARN, G, ckm_squared, propagator
from hepml_labs.physics.higgs_vertices import fermion_current, higgs_amplitude, quadratic_coefficients
from hepml_labs.physics.kinematics import boost, mass
from hepml_labs.physics.morphing import monomials
from hepml_labs.physics.parton_densities import PartonDensities
from hepml_labs.validation import check_array, check_between, check_count

ENERGY = 13_000.0  # GeV, of the collision
SCALE = M_W + M_H  # GeV, of the parton densities
LEPTON_PAIR = (60.0, 100.0)  # GeV, range of the mass of lepton and neutrino
LEPTONS = 2  # e and mu

_PAIRS = [(up, down, ckm_squared(up, down)) for up in (2, 4) for down in (1, 3, 5)]
_BATCH = 20_000


class Events(NamedTuple):
    """Events before the detector.

    Attributes
    ----------
    lepton, neutrino, higgs : arrays, (n, 4)
        (E, px, py, pz) in GeV, in the laboratory.
    charge : array of int, (n,)
        Of the W boson and the lepton, 1 or -1.
    coefficients : array, (n, 6)
        In pb; an event's weight at theta is ``coefficients @ monomials(theta)``, and their sum is the cross-section.
    """

    lepton: np.ndarray
    neutrino: np.ndarray
    higgs: np.ndarray
    charge: np.ndarray
    coefficients: np.ndarray


def amplitudes(quark, antiquark, fermion, antifermion):
    r"""Amplitude of q qbar' to H f fbar' through a W boson, without quark mixing.

    .. math:: \frac{g^2}{2}\,P_W(k_1^2)\,P_W(k_2^2)\;\bar v\gamma_\mu P_L u\;V^{\mu\nu}(k_1, -k_2)\;
              \bar u\gamma_\nu P_L v

    Parameters
    ----------
    quark, antiquark : arrays, (..., 4)
        Incoming momenta in GeV, in any frame.
    fermion, antifermion : arrays, (..., 4)
        Outgoing: neutrino and l+ from a W+, l- and antineutrino from a W-.

    Returns
    -------
    complex array, (..., 3)
        Standard Model, f_W, f_WW, in 1/GeV. All other helicities vanish.

    Examples
    --------
    >>> beam = np.array([[200.0, 0, 0, 200.0], [200.0, 0, 0, -200.0]])
    >>> pair = boost(np.array([[40.0, 40.0, 0, 0], [40.0, -40.0, 0, 0]]), [0.0, 0.0, 0.8])
    >>> amplitudes(*beam, *pair).shape
    (3,)
    """
    k1, k2 = quark + antiquark, fermion + antifermion
    joined = higgs_amplitude(
        fermion_current(quark, antiquark, -1), k1, fermion_current(antifermion, fermion, -1), -k2, "WW"
    )
    return (G**2 / 2 * propagator("W", mass(k1) ** 2) * propagator("W", mass(k2) ** 2))[..., None] * joined


def emission(charge, x1, x2, densities, scale=SCALE):
    r"""Luminosities of quark and antiquark, :math:`\sum |V_{ij}|^2\,x_1 f_i(x_1)\,x_2 f_j(x_2)`.

    Parameters
    ----------
    charge : array of int, (n,)
        Of the W boson.
    x1, x2 : arrays, (n,)
        Momentum fractions in the protons along +z and -z.
    densities : PartonDensities
    scale : float
        Factorisation scale in GeV.

    Returns
    -------
    array, (n, 2)
        With the quark from the proton along +z, and from the other.
    """
    found = {}
    for number, x in ((1, x1), (2, x2)):
        values = densities.all(x, scale**2, (2, 4, -1, -3, -5, -2, -4, 1, 3, 5))
        # up-type parton (u from a W+, ubar for a W-) and down-type one (dbar, d), by flavour
        values = np.where(charge[:, None] > 0, values[:, :5], values[:, 5:])
        found[number] = dict(zip((2, 4, 1, 3, 5), values.T, strict=True))
    up_first = sum(v * found[1][up] * found[2][down] for up, down, v in _PAIRS)
    down_first = sum(v * found[2][up] * found[1][down] for up, down, v in _PAIRS)
    # the up-type parton is the quark of a W+, the antiquark of a W-
    return np.where(charge[:, None] > 0, np.stack([up_first, down_first], 1), np.stack([down_first, up_first], 1))


def _unit(random, n):
    cosine, azimuth = random.uniform(-1, 1, n), random.uniform(-np.pi, np.pi, n)
    sine = np.sqrt(1 - cosine**2)
    return np.stack([sine * np.cos(azimuth), sine * np.sin(azimuth), cosine], 1)


def _sample(n, random, densities, energy, scale):
    """Weighted events: a point of phase space, and the coefficients of its weight over its density."""
    charge = np.where(random.random(n) < 0.6, 1, -1)
    weight = LEPTONS * PICOBARN / np.where(charge > 0, 0.6, 0.4)
    # mass of the lepton pair: Breit-Wigner
    low, high = (np.arctan((m**2 - M_W**2) / (M_W * GAMMA_W)) for m in LEPTON_PAIR)
    squared = M_W**2 + M_W * GAMMA_W * np.tan(random.uniform(low, high, n))
    weight *= (high - low) / (M_W * GAMMA_W) * ((squared - M_W**2) ** 2 + (M_W * GAMMA_W) ** 2) / (2 * np.pi)
    # energy of the quarks: density s^-2; rapidity: falls to zero at the kinematic limits
    least, most = (np.sqrt(squared) + M_H) ** 2, energy**2
    uniform = random.random(n)
    s = least / (1 - uniform * (1 - least / most))
    weight *= s * (1 - least / most) / least  # of d ln tau
    share = random.beta(3, 3, n)
    widest = np.log(most / s) / 2
    rapidity = widest * (2 * share - 1)
    weight *= 2 * widest / (30 * share**2 * (1 - share) ** 2)
    x1, x2 = np.sqrt(s / most) * np.exp(rapidity), np.sqrt(s / most) * np.exp(-rapidity)
    # decays of the virtual boson to W H and of W to leptons: flat
    root = np.sqrt(s)
    momentum = np.sqrt((s - (np.sqrt(squared) + M_H) ** 2) * (s - (np.sqrt(squared) - M_H) ** 2)) / (2 * root)
    weight *= momentum / root / (4 * np.pi) / (8 * np.pi)
    three = momentum[:, None] * _unit(random, n)
    higgs = np.concatenate([np.sqrt(momentum**2 + M_H**2)[:, None], -three], 1)
    direction = _unit(random, n) * (np.sqrt(squared) / 2)[:, None]
    pair_energy = np.sqrt(momentum**2 + squared)
    half = (np.sqrt(squared) / 2)[:, None]
    velocity = three / pair_energy[:, None]
    fermion, antifermion = (boost(np.concatenate([half, sign * direction], 1), velocity) for sign in (1, -1))
    # dsigma = sum x1 f x2 f / (2 s) |M|^2 / (4 spins x 3 colours) dPhi dln(tau) dy
    weight /= 24 * s
    beam = root[:, None] / 2 * np.array([1.0, 0, 0, 1.0]), root[:, None] / 2 * np.array([1.0, 0, 0, -1.0])
    luminosity = emission(charge, x1, x2, densities, scale)
    coefficients = sum(
        (weight * luminosity[:, k])[:, None]
        * quadratic_coefficients(amplitudes(beam[k], beam[1 - k], fermion, antifermion))
        for k in range(2)
    )
    along = np.stack([np.zeros(n), np.zeros(n), np.tanh(rapidity)], 1)
    positive = (charge > 0)[:, None]
    lepton, neutrino = np.where(positive, antifermion, fermion), np.where(positive, fermion, antifermion)
    return Events(boost(lepton, along), boost(neutrino, along), boost(higgs, along), charge, coefficients)


def cross_section(n, seed=None, *, energy=ENERGY, scale=SCALE, densities=None):
    """Total cross-section by Monte Carlo integration.

    Parameters
    ----------
    n : int
        Number of points, at least 2.
    seed : int or numpy.random.Generator, optional
    energy, scale : float
        Of the collision, and of the parton densities, in GeV.
    densities : PartonDensities, optional
        `PartonDensities.load()` by default.

    Returns
    -------
    coefficients : array, (6,)
        In pb, for the monomials (1, t1, t2, t1^2, t1 t2, t2^2).
    covariance : array, (6, 6)
        Of their statistical errors, in pb^2.

    Raises
    ------
    ValueError
        If `n` is below 2, or an energy is not above zero.

    Examples
    --------
    >>> coefficients, covariance = cross_section(2000, seed=1)
    >>> bool(abs(coefficients[0] - 0.226) < 4 * covariance[0, 0] ** 0.5)
    True
    """
    check_count("n", n, minimum=2)
    check_between("energy", energy, M_H + LEPTON_PAIR[1], np.inf)
    check_between("scale", scale, 0, np.inf)
    random, densities = np.random.default_rng(seed), densities or PartonDensities.load()
    sizes = [min(_BATCH, n - start) for start in range(0, n, _BATCH)]
    total, square = np.zeros(6), np.zeros((6, 6))
    for size in sizes:
        values = _sample(size, random, densities, energy, scale).coefficients
        total += values.sum(0)
        square += values.T @ values
    mean = total / n
    return mean, (square / n - np.outer(mean, mean)) / (n - 1)


def generate(n, benchmarks=((0.0, 0.0),), seed=None, *, energy=ENERGY, scale=SCALE, densities=None):
    """Events as nature would make them at one theta, or in equal parts at several benchmarks.

    Points of phase space are kept with a probability that is proportional to their weight, the mean of those at the
    benchmarks. The few whose weight is above the largest that this allows (together less than a thousandth of the
    cross-section) keep the excess as a weight. Each event carries its weight at every theta.

    Parameters
    ----------
    n : int
        Number of events.
    benchmarks : array, (m, 2)
        Values of theta.
    seed : int or numpy.random.Generator, optional
    energy, scale : float
        Of the collision, and of the parton densities, in GeV.
    densities : PartonDensities, optional
        `PartonDensities.load()` by default.

    Returns
    -------
    Events

    Raises
    ------
    ValueError
        If an argument has another shape or is out of range.

    Examples
    --------
    >>> events = generate(100, seed=1)
    >>> weights = events.coefficients[:, 0]
    >>> events.lepton.shape, bool(abs(weights.sum() - 0.226) < 0.01), np.allclose(np.median(weights), weights.min())
    ((100, 4), True, True)
    """
    check_count("n", n)
    benchmarks = np.asarray(benchmarks, dtype=float)
    check_array("benchmarks", benchmarks, ("m", 2))
    check_between("energy", energy, M_H + LEPTON_PAIR[1], np.inf)
    check_between("scale", scale, 0, np.inf)
    random, densities = np.random.default_rng(seed), densities or PartonDensities.load()
    mixture = monomials(benchmarks).mean(0)
    ceiling, kept, total, tried, found = None, [], 0.0, 0, 0
    while found < n:
        points = _sample(_BATCH, random, densities, energy, scale)
        weights = points.coefficients @ mixture
        if ceiling is None:
            ceiling = _ceiling(weights)
        share = np.minimum(weights / ceiling, 1.0)
        accepted = random.random(_BATCH) < share
        scaled = points.coefficients[accepted] / share[accepted, None]
        kept.append(Events(*(values[accepted] for values in points[:4]), scaled))
        total, tried, found = total + weights.sum(), tried + _BATCH, found + int(accepted.sum())
    events = Events(*(np.concatenate(parts)[:n] for parts in zip(*kept, strict=True)))
    # all points tried know the cross-section better than those kept
    factor = total / tried / (events.coefficients @ mixture).sum()
    return events._replace(coefficients=events.coefficients * factor)


def _ceiling(weights):
    """Smallest ceiling above which lies less than 1e-3 of the sum of the weights."""
    falling = np.sort(weights)[::-1]
    excess = np.cumsum(falling) - np.arange(1, len(falling) + 1) * falling
    return falling[np.searchsorted(excess, 1e-3 * weights.sum(), side="right") - 1]
