"""Electron showers in a sampling calorimeter of layers and cells: a fast parametrised simulation, with fluctuations.

The profiles are those of Grindhammer and Peters, hep-ex/0001020 (GFLASH, which Geant4 offers as its fast simulation):
a gamma density in depth whose two parameters fluctuate together from shower to shower, and a core and a tail in the
radius that widen with depth. The cells count what crosses their active material: a Poisson number of crossings, each
with an exponential signal, which makes the sampling fluctuations and leaves many cells empty. What is smaller than the
read-out threshold is not read out. Left out: noise, dead material, hadrons, correlations of core and profile.
"""

from dataclasses import dataclass

import numpy as np

from hepml_labs.physics.clusters import corner_fraction
from hepml_labs.physics.showers import slab_fractions
from hepml_labs.validation import to_numpy

__all__ = ["SamplingCalorimeter", "longitudinal_parameters", "shower_features", "simulate_showers"]


@dataclass(frozen=True)
class SamplingCalorimeter:
    """All numbers of the calorimeter. Depths in radiation lengths, widths in Moliere radii, energies in GeV.

    Raises
    ------
    ValueError
        If the depths do not increase from zero, `cells` is even, or a size is not above zero.

    Examples
    --------
    >>> SamplingCalorimeter().shape, SamplingCalorimeter().centres
    ((5, 5, 5), array([ 1.5 ,  4.75,  8.5 , 13.  , 18.5 ]))
    """

    edges: tuple = (0.0, 3.0, 6.5, 10.5, 15.5, 21.5)  # front and back of the layers; behind the last one is leakage
    cells: int = 5  # square cells along each side of the window
    cell: float = 0.7  # side of a cell
    spot: float = 0.1  # width of the beam spot in x and y
    atomic_number: float = 82.0  # of the absorber: lead
    critical_energy: float = 0.0074
    crossing: float = 0.005  # mean signal of one crossing; the stochastic term is sqrt(2 crossing) = 10 %
    threshold: float = 0.005  # smallest signal of a cell that is read out

    def __post_init__(self):
        if len(self.edges) < 2 or self.edges[0] != 0 or not np.all(np.diff(self.edges) > 0):
            raise ValueError(f"edges: found {self.edges}, expected depths that increase from zero")
        if self.cells < 1 or self.cells % 2 == 0:
            raise ValueError(f"cells: found {self.cells}, expected an odd number")
        if min(self.cell, self.critical_energy, self.crossing, self.threshold) <= 0 or self.spot < 0:
            raise ValueError("cell, critical_energy, crossing, threshold, spot: found zero or less, expected positive")

    @property
    def shape(self):
        """Layers, cells, cells."""
        return len(self.edges) - 1, self.cells, self.cells

    @property
    def centres(self):
        """Depth of the middle of each layer, in radiation lengths, ``(layers,)``."""
        return (np.array(self.edges[1:]) + np.array(self.edges[:-1])) / 2


def longitudinal_parameters(energy, detector=None):
    """Means, widths and correlation of the two parameters of the depth profile, ln T and ln a.

    Parameters
    ----------
    energy : array, (n,)
        GeV; above about 10 critical energies.
    detector : SamplingCalorimeter, optional

    Returns
    -------
    mean, width : arrays, (n, 2)
        Of ln T (depth of the maximum, in radiation lengths) and of ln a (shape of the gamma density).
    correlation : array, (n,)

    Raises
    ------
    ValueError
        If the energies are no list of finite numbers.

    Notes
    -----
    hep-ex/0001020, homogeneous media, with y = E / critical energy:
    <ln T> = ln(ln y - 0.812), <ln a> = ln(0.81 + (0.458 + 2.26/Z) ln y), 1/sigma(ln T) = -1.4 + 1.26 ln y,
    1/sigma(ln a) = -0.58 + 0.86 ln y, rho = 0.705 - 0.023 ln y.

    Examples
    --------
    >>> mean, width, correlation = longitudinal_parameters(np.array([10.0]))
    >>> np.exp(mean).round(1), width.round(2), correlation.round(2)
    (array([[6.4, 4.3]]), array([[0.13, 0.18]]), array([0.54]))
    """
    detector = detector or SamplingCalorimeter()
    log_y = np.log(to_numpy("energy", energy, ("n",)) / detector.critical_energy)
    mean = np.log([log_y - 0.812, 0.81 + (0.458 + 2.26 / detector.atomic_number) * log_y])
    width = 1 / np.array([-1.4 + 1.26 * log_y, -0.58 + 0.86 * log_y])
    return mean.T, width.T, 0.705 - 0.023 * log_y


def _radial_parameters(energy, relative_depth, atomic_number):
    """Radii of core and tail and the weight of the core, (n, layers): hep-ex/0001020, homogeneous media."""
    log_e, tau = np.log(energy)[:, None], relative_depth
    core = 0.0251 + 0.00319 * log_e + (0.1162 - 0.000381 * atomic_number) * tau
    slow, fast = np.exp((0.3585 + 0.0421 * log_e) * (tau - 0.645)), np.exp(-2.59 * (tau - 0.645))
    tail = (0.659 - 0.00309 * atomic_number) * (slow + fast)
    power = (0.401 + 0.00187 * atomic_number - tau) / (1.313 - 0.0686 * log_e)
    weight = (2.632 - 0.00094 * atomic_number) * np.exp(power - np.exp(power))
    return core, tail, weight.clip(0, 1)


def _cell_shares(position, core, tail, weight, detector):
    """Share of each layer's energy in each cell, (n, layers, cells, cells)."""
    lines = (np.arange(detector.cells + 1) - detector.cells / 2) * detector.cell
    x, y = ((lines - position[:, axis, None])[:, None] for axis in (0, 1))  # (n, 1, cells + 1)
    radii = ((core, weight), (tail, 1 - weight))
    corners = sum(
        w[..., None, None] * corner_fraction(x[..., None], y[..., None, :], r[..., None, None]) for r, w in radii
    )
    return np.diff(np.diff(corners, axis=2), axis=3)


def simulate_showers(energy, detector=None, seed=0):
    """Energy that each cell reads out for electrons that hit the middle of the window at a right angle.

    Parameters
    ----------
    energy : array, (n,)
        Of the electrons, GeV, from 0.5 to 1000.
    detector : SamplingCalorimeter, optional
    seed : int or numpy Generator

    Returns
    -------
    array, (n, layers, cells, cells)
        GeV; zero or at least the threshold.

    Raises
    ------
    ValueError
        If an energy is not finite or outside of the range of the parametrisation.

    Examples
    --------
    >>> showers = simulate_showers(np.full(1000, 50.0), seed=1)
    >>> showers.shape, showers.sum((1, 2, 3)).mean().round()
    ((1000, 5, 5, 5), np.float64(47.0))
    """
    detector = detector or SamplingCalorimeter()
    energy = to_numpy("energy", energy, ("n",)).astype(float)
    if not np.all((energy >= 0.5) & (energy <= 1000)):
        raise ValueError(f"energy: found {energy.min():.4g} to {energy.max():.4g} GeV, expected 0.5 to 1000 GeV")
    random = np.random.default_rng(seed)
    mean, width, correlation = longitudinal_parameters(energy, detector)
    first, second = random.standard_normal((2, len(energy)))
    both = np.stack([first, correlation * first + np.sqrt(1 - correlation**2) * second], axis=1)
    depth, shape = np.exp(mean + width * both).T
    shape = np.maximum(shape, 1.05)  # the maximum lies at (a - 1) / b > 0
    boundaries = np.broadcast_to(detector.edges[1:], (len(energy), len(detector.edges) - 1))
    layers = slab_fractions(boundaries, np.zeros_like(energy), shape, (shape - 1) / depth)[:, :-1]
    core, tail, weight = _radial_parameters(energy, detector.centres / depth[:, None], detector.atomic_number)
    shares = _cell_shares(random.normal(0, detector.spot, (len(energy), 2)), core, tail, weight, detector)
    expected = (energy[:, None] * layers)[..., None, None] * shares.clip(0)
    signal = detector.crossing * random.standard_gamma(random.poisson(expected / detector.crossing))
    return np.where(signal >= detector.threshold, signal, 0.0)


def shower_features(showers, energy, detector=None):
    """Observables that a physicist looks at first.

    Parameters
    ----------
    showers : array, (n, layers, cells, cells)
        GeV.
    energy : array, (n,)
        Of the incoming electrons, GeV.
    detector : SamplingCalorimeter, optional

    Returns
    -------
    dict of str to array, (n,)
        "response" (visible over true energy), "fraction 1" and so on (of the layers in the visible energy), "depth"
        (centre of energy, radiation lengths), "length" (its spread), "width" (spread in x and y, Moliere radii),
        "core" (fraction in the central cells), "occupancy" (fraction of cells that are read out).

    Raises
    ------
    ValueError
        If a shape is not as above, or a shower has no energy.

    Examples
    --------
    >>> features = shower_features(simulate_showers(np.full(1000, 50.0), seed=1), np.full(1000, 50.0))
    >>> [round(float(features[name].mean()), 2) for name in ("response", "depth", "width", "occupancy")]
    [0.94, 9.69, 0.35, 0.78]
    """
    detector = detector or SamplingCalorimeter()
    showers = to_numpy("showers", showers, ("n", *detector.shape))
    energy = to_numpy("energy", energy, (len(showers),))
    layers = showers.sum((2, 3))
    total = layers.sum(1)
    if not np.all(total > 0):
        raise ValueError(f"showers: found {int((total <= 0).sum())} without energy, expected none")
    fractions = layers / total[:, None]
    depth = fractions @ detector.centres
    place = (np.arange(detector.cells) - detector.cells // 2) * detector.cell
    across, up = (showers.sum(axes) / total[:, None] for axes in ((1, 2), (1, 3)))
    spread = sum(side @ place**2 - (side @ place) ** 2 for side in (across, up)) / 2
    middle = detector.cells // 2
    return {
        "response": total / energy,
        **{f"fraction {number + 1}": fractions[:, number] for number in range(fractions.shape[1])},
        "depth": depth,
        "length": np.sqrt(np.maximum(fractions @ detector.centres**2 - depth**2, 0)),
        "width": np.sqrt(np.maximum(spread, 0)),
        "core": showers[:, :, middle, middle].sum(1) / total,
        "occupancy": (showers > 0).mean((1, 2, 3)),
    }
