"""Single hadrons in a calorimeter, in closed form: response, resolution, and pile-up that adds energy.

The response is measured energy over true energy. A hadron's shower has an electromagnetic part, which is seen in
full, and a hadronic part, seen with the smaller efficiency h/e; the first grows with energy, so the mean response
is 1 - (1 - h/e) (E / E0)^(m - 1) with E0 = 1 GeV (Groom, arXiv:physics/0605164). The fluctuations are Gaussian with
a stochastic and a constant term. In a fraction of the events pile-up adds an exponentially distributed energy.
Everything about the density of the response is known, so a learned one can be held against the truth.
"""

import numpy as np
from scipy import stats

from hepml_labs.validation import check_between, check_count, to_numpy

__all__ = ["beam_measurements", "draw_hadrons", "log_density", "mean_response", "resolution"]

PILEUP_ENERGY = 20.0  # GeV, mean of the energy that pile-up adds to a contaminated event


def mean_response(energy, suppression=0.4, power=0.83):
    """Mean of the Gaussian core of the response.

    Parameters
    ----------
    energy : array
        True energy in GeV, above zero, any shape.
    suppression : float
        1 - h/e: the fraction of the hadronic part that is not seen.
    power : float
        Exponent m: the hadronic part of the shower grows like E^m.

    Returns
    -------
    array
        Same shape, without units.

    Raises
    ------
    ValueError
        If `energy` is empty, NaN, not above zero or no array of floating-point numbers.

    Examples
    --------
    >>> mean_response(np.array([1.0, 1000.0])).round(3)
    array([0.6  , 0.876])
    """
    energy = to_numpy("energy", energy, positive=True)
    return 1 - suppression * energy ** (power - 1)


def resolution(energy, stochastic=0.6, constant=0.04):
    """Standard deviation of the Gaussian core of the response, a / sqrt(E) and c in quadrature.

    Parameters
    ----------
    energy : array
        True energy in GeV, above zero, any shape.
    stochastic : float
        a, in sqrt(GeV).
    constant : float
        c.

    Returns
    -------
    array
        Same shape, without units.

    Raises
    ------
    ValueError
        If `energy` is empty, NaN, not above zero or no array of floating-point numbers.

    Examples
    --------
    >>> resolution(np.array([4.0, 100.0])).round(3)
    array([0.303, 0.072])
    """
    energy = to_numpy("energy", energy, positive=True)
    return np.sqrt(stochastic**2 / energy + constant**2)


def draw_hadrons(n, pileup=0.0, seed=0):
    """Draw true energies, logarithmically uniform from 10 to 1000 GeV, and measured responses.

    Parameters
    ----------
    n : int
        Number of hadrons.
    pileup : float
        Fraction of events with energy from pile-up, in [0, 1).
    seed : int or numpy Generator
        Source of randomness.

    Returns
    -------
    energy, response : array
        Shape ``(n,)``, energy in GeV.

    Raises
    ------
    ValueError
        If `n` or `pileup` is out of range.

    Examples
    --------
    >>> energy, response = draw_hadrons(1000, pileup=0.1, seed=1)
    >>> energy.shape, bool(response.max() > 1.5)
    ((1000,), True)
    """
    check_count("n", n)
    check_between("pileup", pileup, 0, 1, include_low=True)
    rng = np.random.default_rng(seed)
    energy = 10 ** rng.uniform(1, 3, n)
    response = rng.normal(mean_response(energy), resolution(energy))
    extra = rng.exponential(PILEUP_ENERGY, n) * (rng.uniform(size=n) < pileup)
    return energy, response + extra / energy


def log_density(energy, response, pileup=0.0):
    """Logarithm of the true density of the response at given energy: the best any model can reach.

    A Gaussian, plus for pile-up the convolution of this Gaussian with an exponential.

    Parameters
    ----------
    energy, response : array
        Shape ``(n,)``, energy in GeV.
    pileup : float
        Fraction of events with energy from pile-up, in [0, 1).

    Returns
    -------
    array
        Shape ``(n,)``.

    Raises
    ------
    ValueError
        If arrays are empty, hold NaN or no floating-point numbers, or `pileup` is out of range.

    Examples
    --------
    >>> log_density(np.array([100.0]), np.array([0.825])).round(2)
    array([1.7])
    """
    response = to_numpy("response", response, ("n",))
    check_between("pileup", pileup, 0, 1, include_low=True)
    mean, sigma = mean_response(energy), resolution(energy)
    core = stats.norm.logpdf(response, mean, sigma)
    if pileup == 0:
        return core
    shift = PILEUP_ENERGY / energy
    contaminated = stats.exponnorm.logpdf(response, shift / sigma, loc=mean, scale=sigma)
    return np.logaddexp(np.log1p(-pileup) + core, np.log(pileup) + contaminated)


def beam_measurements(seed=0):
    """Draw the means of a test beam: at each of 12 energies some hadrons, more of them at high energy.

    Parameters
    ----------
    seed : int or numpy Generator
        Source of randomness.

    Returns
    -------
    energy, response, sigma : array
        Shape ``(12,)``: beam energy in GeV, mean response, and its standard deviation, known from the resolution
        and the number of hadrons.

    Examples
    --------
    >>> energy, response, sigma = beam_measurements()
    >>> energy[[0, -1]].round()
    array([  10., 1000.])
    """
    rng = np.random.default_rng(seed)
    energy = np.geomspace(10, 1000, 12)
    hadrons = np.geomspace(20, 200, 12).round()
    sigma = resolution(energy) / np.sqrt(hadrons)
    return energy, rng.normal(mean_response(energy), sigma), sigma
