"""From showers to cells, and from cells to clusters: the second half of the calorimeter model.

`read_out` spreads the energy of `hepml_labs.physics.showers.shower` over cells and adds what the electronics and
the pile-up add; `find_cluster` keeps the connected cells that stand out of the noise; `moments` describes the cluster
by the observables of the ATLAS clusters (arXiv:1603.02934). `simulate` does all of it.
"""

import numpy as np

from hepml_labs.physics.calorimeter import ACTIVE, ELECTROMAGNETIC, Calorimeter, checked_particles
from hepml_labs.physics.showers import shower

SEED, GROW = 4.0, 2.0  # thresholds in units of the expected noise; the neighbours of grown cells are all taken


def lateral_fractions(position, radius, detector=None):
    """Share of a shower's energy in each cell of a square window.

    The energy per area at the distance r from the axis is R^2 / (pi (r^2 + R^2)^2) (Grindhammer and Peters,
    hep-ex/0001020, equation for the radial profile): half of the energy lies within R, 90 % within 3 R. Its integral
    over the rectangle from (0, 0) to (x, y) is, as differentiating twice shows,

        G(x, y) = 1/(2 pi) [x/X arctan(y/X) + y/Y arctan(x/Y)],   X^2 = x^2 + R^2,  Y^2 = y^2 + R^2.

    Parameters
    ----------
    position : array, (n, 2)
        Impact point in cm, measured from the centre of the window.
    radius : array, (n,)
        R in cm.
    detector : Calorimeter, optional

    Returns
    -------
    array, (n, cells, cells)
        What falls outside of the window is missing from the sum.

    Examples
    --------
    >>> shares = lateral_fractions(np.zeros((1, 2)), np.array([0.5]))
    >>> print(shares.shape, shares.sum().round(3), shares[0, 3, 3].round(2))
    (1, 7, 7) 0.999 0.97
    """
    detector = detector or Calorimeter()
    edges = (np.arange(detector.cells + 1) - detector.cells / 2) * detector.cell
    x = (edges - position[:, :1])[:, :, None]
    y = (edges - position[:, 1:])[:, None, :]
    return np.diff(np.diff(corner_fraction(x, y, np.asarray(radius)[:, None, None]), axis=1), axis=2)


def corner_fraction(x, y, radius):
    """Integral of R^2 / (pi (r^2 + R^2)^2), R the radius, over the rectangle from (0, 0) to (x, y), with signs.

    Examples
    --------
    >>> float(corner_fraction(1e9, 1e9, 0.5))  # a quadrant
    0.25
    """
    root_x, root_y = np.sqrt(x**2 + radius**2), np.sqrt(y**2 + radius**2)
    return (x / root_x * np.arctan(y / root_x) + y / root_y * np.arctan(x / root_y)) / (2 * np.pi)


def noise_per_cell(eta, interactions, detector=None):
    """Standard deviation of the noise of a cell in the six active layers, GeV.

    Electronic noise and pile-up in quadrature; pile-up of a fixed transverse energy weighs as cosh(eta), and the
    fluctuation of a sum over independent interactions grows as the root of their number.

    Parameters
    ----------
    eta, interactions : arrays, (n,)
    detector : Calorimeter, optional

    Returns
    -------
    array, (n, 6)

    Examples
    --------
    >>> noise_per_cell(np.zeros(1), np.zeros(1))
    array([[0.03, 0.03, 0.03, 0.04, 0.04, 0.04]])
    """
    detector = detector or Calorimeter()
    electronic, pileup = (
        np.where(ELECTROMAGNETIC, pair[0], pair[1]) for pair in (detector.electronic_noise, detector.pileup_noise)
    )
    growth = np.cosh(eta) * np.sqrt(np.asarray(interactions) / 40.0)
    return np.sqrt(electronic**2 + (pileup * growth[:, None]) ** 2)


def read_out(electromagnetic, hadronic, eta, interactions, detector=None, seed=0):
    """Turn the energy in the slabs into the signals of cells, on the electromagnetic scale.

    The mean signal of a cell is e + (h/e) h, with e and h its electromagnetic and hadronic energy. Sampling makes it
    fluctuate with the variance a_e^2 e + a_h^2 (h/e) h: a gamma distribution of that mean and variance keeps signals
    positive, and when one `a` holds for all energy, sums over cells are gamma distributed again and
    sigma/E = a/sqrt(E) holds exactly. Miscalibration multiplies each layer; Gaussian noise is added to each cell.

    Parameters
    ----------
    electromagnetic, hadronic : arrays, (n, 9)
        From `shower`, GeV.
    eta, interactions : arrays, (n,)
        Pseudorapidity; number of simultaneous proton-proton interactions.
    detector : Calorimeter, optional
    seed : int or numpy.random.Generator

    Returns
    -------
    array of float32, (n, 6, cells, cells)
        GeV.
    """
    detector = detector or Calorimeter()
    random = np.random.default_rng(seed)
    n = len(eta)
    position = random.uniform(-0.5, 0.5, (n, 2)) * detector.cell
    h_over_e, sampling, constant = (
        np.where(ELECTROMAGNETIC, pair[0], pair[1])
        for pair in (detector.hadron_to_electron, detector.sampling, detector.constant)
    )
    parts = []
    for part, radius, spread in zip((electromagnetic, hadronic), detector.radius, detector.radius_spread, strict=True):
        shares = lateral_fractions(position, radius * np.exp(spread * random.standard_normal(n)), detector)
        parts.append(part[:, ACTIVE, None, None] * shares[:, None])
    signal = parts[0] + h_over_e[:, None, None] * parts[1]
    variance = sampling[:, None, None] ** 2 * parts[0]
    variance += (detector.hadronic_sampling**2 * h_over_e)[:, None, None] * parts[1]
    scale = np.maximum(variance / np.maximum(signal, 1e-300), 1e-9)  # the floor keeps signal / scale finite
    signal = scale * random.standard_gamma(signal / scale)
    signal *= 1 + constant[:, None, None] * random.standard_normal((n, 6, 1, 1))
    noise = noise_per_cell(eta, interactions, detector)[:, :, None, None]
    return (signal + noise * random.standard_normal(signal.shape, dtype=np.float32)).astype(np.float32)


def find_cluster(significance):
    """Select the cells of one cluster: a seed, everything connected to it that stands out, and a rim.

    The cell with the largest |significance| is the seed if it exceeds 4; neighbours above 2 join, and theirs, until
    none is left; last, all neighbours of the cluster join. Neighbours are the eight around a cell in its layer and the
    ones in front and behind (the 4-2-0 scheme of arXiv:1603.02934, with one cluster per window).

    Parameters
    ----------
    significance : array, (n, layers, cells, cells)
        Signal over expected noise.

    Returns
    -------
    boolean array, same shape
        Empty where there is no seed.

    Examples
    --------
    >>> cells = np.zeros((1, 1, 5, 5))
    >>> cells[0, 0, 1, 1], cells[0, 0, 1, 2] = 5.0, 2.5
    >>> find_cluster(cells).sum()                   # two cells and the rim around them
    np.int64(12)
    """
    size = np.abs(significance)
    largest = size.max(axis=(1, 2, 3), keepdims=True)
    cluster = (size == largest) & (largest > SEED)
    candidates = size > GROW
    while True:
        grown = cluster | (with_neighbours(cluster) & candidates)
        if (grown == cluster).all():
            return with_neighbours(cluster)
        cluster = grown


def with_neighbours(cells):
    """Add to each marked cell its neighbours in the layer and in the layers in front and behind."""
    wide = cells.copy()
    wide[:, 1:] |= cells[:, :-1]
    wide[:, :-1] |= cells[:, 1:]
    flat = cells.copy()
    for axis in (2, 3):  # first along one side, then along the other: this reaches the corners
        before = flat.copy()
        lower, upper = [slice(None)] * 4, [slice(None)] * 4
        lower[axis], upper[axis] = slice(None, -1), slice(1, None)
        flat[tuple(upper)] |= before[tuple(lower)]
        flat[tuple(lower)] |= before[tuple(upper)]
    return wide | flat


def moments(cells, cluster, eta, detector=None):
    """Describe each cluster by its energy and the moments of its cells.

    Shares and moments are weighted with the positive signals of the cluster, since a negative weight makes no mean.

    Parameters
    ----------
    cells : array, (n, 6, cells, cells)
        Signals, GeV.
    cluster : boolean array, same shape
    eta : array, (n,)
    detector : Calorimeter, optional

    Returns
    -------
    dict of arrays, (n,)
        energy (GeV), cells, significance, fraction_em, fraction_front, fraction_back, depth and depth_spread (nuclear
        lengths), width (cm), compactness; see `hepml_labs.datasets.calorimeter.COLUMNS`.
    """
    detector = detector or Calorimeter()
    energy = np.where(cluster, cells, 0).sum(axis=(1, 2, 3), dtype=float)
    weight = np.where(cluster, np.maximum(cells, 0), 0).astype(float)
    total = np.maximum(weight.sum(axis=(1, 2, 3)), np.finfo(float).tiny)
    layers = weight.sum(axis=(2, 3)) / total[:, None]
    _, interaction = detector.slabs(eta)
    centre = (np.cumsum(interaction, axis=1) - interaction / 2)[:, ACTIVE]
    depth = (layers * centre).sum(axis=1)
    spread = np.sqrt((layers * (centre - depth[:, None]) ** 2).sum(axis=1))
    line = (np.arange(detector.cells) - (detector.cells - 1) / 2) * detector.cell
    variance = 0.0
    for profile in (weight.sum(axis=(1, 3)), weight.sum(axis=(1, 2))):
        profile = profile / total[:, None]
        variance = variance + (profile * line**2).sum(axis=1) - (profile * line).sum(axis=1) ** 2
    noise = noise_per_cell(eta, np.full(len(eta), detector.expected_interactions), detector)
    noise_of_cluster = np.sqrt((cluster.sum(axis=(2, 3)) * noise**2).sum(axis=1))
    return {
        "energy": energy,
        "cells": cluster.sum(axis=(1, 2, 3)),
        "significance": energy / np.maximum(noise_of_cluster, np.finfo(float).tiny),
        "fraction_em": layers[:, ELECTROMAGNETIC].sum(axis=1),
        "fraction_front": layers[:, 0],
        "fraction_back": layers[:, -1],
        "depth": depth,
        "depth_spread": spread,
        "width": np.sqrt(np.maximum(variance, 0)),
        "compactness": np.sqrt((weight**2).sum(axis=(1, 2, 3))) / total,
    }


def simulate(energy, eta, hadron, interactions, detector=None, seed=0):
    """Simulate one cluster per particle.

    Parameters
    ----------
    energy, eta, hadron : arrays, (n,)
        As in `hepml_labs.physics.showers.shower`.
    interactions : array, (n,)
        Number of simultaneous proton-proton interactions.
    detector : Calorimeter, optional
    seed : int or numpy.random.Generator

    Returns
    -------
    dict of arrays, (n,)
        What `moments` returns, and energy_deposited: the energy in the active layers, seen or not. `cells` is zero
        where no cell stood out of the noise and no cluster was made.

    Raises
    ------
    ValueError
        If an argument has the wrong shape or an impossible value.

    Examples
    --------
    >>> clusters = simulate(np.full(500, 100.0), np.zeros(500), np.zeros(500, dtype=bool), np.full(500, 40.0), seed=1)
    >>> print(np.median(clusters["energy"]).round())
    98.0
    """
    detector = detector or Calorimeter()
    random = np.random.default_rng(seed)
    energy, eta, hadron = checked_particles(energy, eta, hadron)
    interactions = np.asarray(interactions, dtype=float)
    if interactions.shape != energy.shape or not np.all(interactions >= 0):
        raise ValueError(f"interactions: found {interactions}, expected {len(energy)} numbers, none below zero")
    electromagnetic, hadronic = shower(energy, eta, hadron, detector, random)
    cells = read_out(electromagnetic, hadronic, eta, interactions, detector, random)
    expected = noise_per_cell(eta, np.full(len(eta), detector.expected_interactions), detector)
    cluster = find_cluster(cells / expected[:, :, None, None].astype(np.float32))
    columns = moments(cells, cluster, eta, detector)
    columns["energy_deposited"] = (electromagnetic + hadronic)[:, ACTIVE].sum(axis=1)
    return columns
