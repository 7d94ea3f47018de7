"""Photons in an electromagnetic calorimeter: shower shapes and isolation, in data and in an imperfect simulation.

Six variables of each photon depend on its kinematics and on the pile-up. Both detectors, the real and the simulated
one, are explicit invertible functions of the *same* six standard Gaussian numbers, the `latent` record of a photon, so
the correction of the simulation is known exactly, photon by photon: give the record to the other detector.

With w the latent numbers, c the conditions and j the variable,

    u = L w + curvature * (w_1^2 - 1),     y_j = location_j(c) + scale_j sinh((arcsinh(u_j) + skew_j) / tail_j),

L from the Cholesky decomposition of a correlation matrix (lower triangular), and the sinh-arcsinh function of Jones and
Pewsey, Biometrika 96 (2009) 761, for skewed distributions with tails. A known function of each y_j gives the variable
in its units; negative energies are not measured, which makes the spikes at zero of H/E and of the charged isolation.
The values are chosen to look like photons in a barrel and endcap calorimeter; they describe no experiment's data.
"""

from typing import NamedTuple

import numpy as np
from scipy import stats

from hepml_labs.physics.photon_variables import (
    CONDITIONS,
    CRACK,
    SHAPES,
    SPIKES,
    check_conditions,
    condition_features,
    from_smooth,
    to_smooth,
)
from hepml_labs.validation import check_count, to_numpy

__all__ = [
    "CONDITIONS",
    "SHAPES",
    "SPIKES",
    "Photons",
    "condition_features",
    "condition_weights",
    "detector",
    "from_smooth",
    "generate",
    "to_smooth",
]


class _Detector(NamedTuple):
    correlation: tuple  # lower triangle of the correlation matrix, row by row
    curvature: tuple  # of each variable with the first latent number
    skew: tuple
    tail: tuple
    scale: tuple
    shift: tuple  # of the location of each variable
    pileup: tuple  # slope of the location in log rho
    pipe: tuple  # shift behind material at one azimuth that only the real detector has


_DETECTORS = {
    "simulation": _Detector(
        correlation=(-0.55, -0.40, 0.30, -0.15, 0.20, 0.05, -0.10, 0.15, 0.05, 0.10, -0.05, 0.05, 0.05, 0.10, 0.20),
        curvature=(0.0, 0.15, 0.10, 0.0, 0.0, 0.0),
        skew=(-0.35, 0.15, 0.20, 0.20, 0.30, 0.30),
        tail=(1.00, 0.95, 1.00, 1.05, 0.95, 1.00),
        scale=(0.55, 0.060, 0.20, 0.80, 0.45, 0.80),
        shift=(0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
        pileup=(0.0, 0.0, 0.04, 0.15, 0.50, 0.25),
        pipe=(0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    ),
    "data": _Detector(
        correlation=(-0.25, -0.65, 0.45, -0.20, 0.40, 0.15, -0.10, 0.15, 0.10, 0.30, -0.10, 0.10, 0.10, 0.35, 0.50),
        curvature=(0.0, 0.0, 0.20, 0.0, 0.0, 0.0),
        skew=(-0.45, 0.25, 0.25, 0.25, 0.35, 0.35),
        tail=(0.97, 0.93, 0.98, 1.02, 0.92, 0.98),
        scale=(0.57, 0.064, 0.22, 0.85, 0.47, 0.85),
        shift=(-0.12, 0.015, 0.05, 0.05, 0.08, 0.08),
        pileup=(-0.05, 0.01, 0.08, 0.25, 0.70, 0.45),
        pipe=(-0.35, 0.025, 0.12, 0.10, 0.0, 0.0),
    ),
}
#: What a jet with a leading neutral pion looks like instead of a photon: shifts of the locations.
_FAKE_SHIFT = np.array([-0.45, 0.065, 0.06, 0.65, 0.50, 0.90])

_SPECTRUM = {"simulation": 3.0, "data": 3.3}  # power of the falling distribution of pt above 25 GeV
_PILEUP = {"simulation": 22.0, "data": 25.0}  # mean rho, GeV
_PT_MIN, _PT_MAX, _PILEUP_SHAPE = 25.0, 250.0, 9.0
_ETA_MAX = 2.5


class Photons(NamedTuple):
    """A sample of photon candidates.

    Attributes
    ----------
    conditions : array, (n, 4)
        Columns `CONDITIONS`.
    shapes : array, (n, 6)
        Columns `SHAPES`.
    latent : array, (n, 6)
        The six Gaussian numbers that both detectors would turn into shapes: the truth, for tests only.
    """

    conditions: np.ndarray
    shapes: np.ndarray
    latent: np.ndarray


def generate(n, kind="data", process="photon", seed=0):
    """Draw photon candidates.

    Parameters
    ----------
    n : int
        Number of candidates.
    kind : {"data", "simulation"}
        The detector, and the spectra of pt and rho that it saw (the latter differ by `condition_weights`).
    process : {"photon", "fake"}
        A prompt photon, or a jet that looks like one.
    seed : int or numpy Generator
        Source of randomness.

    Returns
    -------
    Photons
        ``conditions`` (n, 4), ``shapes`` (n, 6), ``latent`` (n, 6).

    Raises
    ------
    ValueError
        If `n` is no positive whole number, or `kind` or `process` is unknown.

    Examples
    --------
    >>> photons = generate(1000, kind="simulation", seed=1)
    >>> photons.shapes.shape, bool(np.median(photons.shapes[:, 0]) > 0.9)  # R9
    ((1000, 6), True)
    """
    check_count("n", n)
    _check_choice("kind", kind, _DETECTORS)
    rng = np.random.default_rng(seed)
    power = 1 - _SPECTRUM[kind]
    low, high = _PT_MIN**power, _PT_MAX**power
    pt = (low + rng.uniform(size=n) * (high - low)) ** (1 / power)
    eta = rng.uniform(0, _ETA_MAX - CRACK[1] + CRACK[0], size=n)
    eta = np.where(eta > CRACK[0], eta + CRACK[1] - CRACK[0], eta) * rng.choice([-1, 1], size=n)
    phi = rng.uniform(-np.pi, np.pi, size=n)
    rho = rng.gamma(_PILEUP_SHAPE, _PILEUP[kind] / _PILEUP_SHAPE, size=n)
    conditions = np.stack([pt, eta, phi, rho], axis=1)
    latent = rng.normal(size=(n, len(SHAPES)))
    return Photons(conditions, detector(latent, conditions, kind, process), latent)


def detector(latent, conditions, kind, process="photon"):
    """Shapes that a detector measures: an increasing, lower triangular function of the latent numbers.

    ``detector(photons.latent, photons.conditions, "data")`` is the exact correction of simulated photons.

    Parameters
    ----------
    latent : array, (n, 6)
        Standard Gaussian numbers.
    conditions : array, (n, 4)
        Columns `CONDITIONS`.
    kind, process
        As in `generate`.

    Returns
    -------
    array, (n, 6)
        Columns `SHAPES`.

    Raises
    ------
    ValueError
        If shapes do not fit, entries are not finite, pt or rho is not above zero, or `kind` or `process` is unknown.

    Examples
    --------
    >>> conditions = np.array([[50.0, 0.5, 0.0, 20.0]])
    >>> detector(np.zeros((1, 6)), conditions, "simulation").round(3)
    array([[0.969, 0.01 , 0.013, 0.   , 2.007, 0.   ]])
    """
    latent = to_numpy("latent", latent, ("n", len(SHAPES)))
    conditions = check_conditions(conditions, len(latent))
    _check_choice("kind", kind, _DETECTORS)
    _check_choice("process", process, ("photon", "fake"))
    this = _DETECTORS[kind]
    u = latent @ _cholesky(this.correlation).T + np.array(this.curvature) * (latent[:, :1] ** 2 - 1)
    u = np.sinh((np.arcsinh(u) + np.array(this.skew)) / np.array(this.tail))
    smooth = _location(conditions, this, process) + np.array(this.scale) * u
    return from_smooth(smooth)


def _check_choice(name, value, known):
    if value not in known:
        raise ValueError(f"{name}: found {value!r}, expected one of {list(known)}")


def _cholesky(triangle):
    """Cholesky factor of a correlation matrix with this lower triangle: rows of length one."""
    matrix = np.eye(len(SHAPES))
    matrix[np.tril_indices(len(SHAPES), -1)] = triangle
    return np.linalg.cholesky(np.tril(matrix) + np.tril(matrix, -1).T)


def _location(conditions, this, process):
    """Middle of the smooth variables at given conditions, (n, 6)."""
    pt, eta, phi, rho = conditions.T
    energy, endcap, material = pt * np.cosh(eta), np.abs(eta) > CRACK[0], (eta / _ETA_MAX) ** 2
    resolution = np.sqrt(0.07**2 / energy + np.where(endcap, 0.016, 0.009) ** 2)
    location = np.stack(
        [
            3.40 - 0.9 * material + 0.10 * np.log(pt / 50),
            np.log(np.where(endcap, 0.0255, 0.0097)) - 0.02 * np.log(pt / 50) + 0.04 * material,
            np.log(resolution) + 0.25 * material,
            -0.65 + 0.3 * endcap - 0.10 * np.log(pt / 50),
            0.60 + 0.10 * np.log(pt / 50),
            -0.55 + 0.05 * np.log(pt / 50),
        ],
        axis=1,
    )
    location += np.array(this.shift) + np.array(this.pileup) * np.log(rho / 22)[:, None]
    behind_pipe = np.exp(2 * (np.cos(phi - 0.8) - 1))
    location += np.array(this.pipe) * behind_pipe[:, None]
    return location + (_FAKE_SHIFT if process == "fake" else 0)


def condition_weights(conditions):
    """Exact ratio of the density of the conditions in data to that in simulation.

    Parameters
    ----------
    conditions : array, (n, 4)
        Columns `CONDITIONS`, of simulated photons.

    Returns
    -------
    array, (n,)
        Weights with mean one that give simulated photons the spectra of pt and rho of data.

    Raises
    ------
    ValueError
        If the shape does not fit, entries are not finite, or pt or rho is not above zero.

    Examples
    --------
    >>> weight = condition_weights(generate(100_000, kind="simulation", seed=1).conditions)
    >>> bool(abs(weight.mean() - 1) < 0.01)
    True
    """
    conditions = check_conditions(conditions)
    pt, rho = conditions[:, 0], conditions[:, 3]
    density = {}
    for kind, power in _SPECTRUM.items():
        norm = (_PT_MIN ** (1 - power) - _PT_MAX ** (1 - power)) / (power - 1)
        pileup = stats.gamma.pdf(rho, _PILEUP_SHAPE, scale=_PILEUP[kind] / _PILEUP_SHAPE)
        density[kind] = pt**-power / norm * pileup
    return density["data"] / density["simulation"]
