"""Calorimeter clusters of single particles, made by `hepml_labs.physics.clusters`."""

import numpy as np

from hepml_labs.physics.calorimeter import Calorimeter
from hepml_labs.physics.clusters import simulate

COLUMNS = {
    "energy": "GeV: energy of the cluster as measured, on the electromagnetic scale",
    "eta": "pseudorapidity of the cluster",
    "interactions": "number of simultaneous proton-proton interactions",
    "cells": "number of cells in the cluster",
    "significance": "cluster energy over the expected noise of its cells",
    "fraction_em": "share of the signal in the three electromagnetic layers",
    "fraction_front": "share of the signal in the first electromagnetic layer",
    "fraction_back": "share of the signal in the last hadronic layer",
    "depth": "nuclear interaction lengths: mean depth of the signal behind the front of the detector",
    "depth_spread": "nuclear interaction lengths: standard deviation of the depth",
    "width": "cm: root mean square distance of the signal from the shower axis",
    "compactness": "sqrt(sum of squared cell signals) over their sum: 1 when a single cell holds everything",
    "energy_true": "GeV: energy of the particle",
    "energy_deposited": "GeV: energy left in the active layers, seen or not",
    "hadron": "1 for a charged pion, 0 for a photon",
}
"""Column name: unit and meaning. The last three are known in the simulation only."""

FEATURES = tuple(COLUMNS)[:12]
"""The observables: what a calibration may use."""


def generate(n, seed, *, minimum=1.0, maximum=1000.0, slope=0.0, interactions=(20, 60), photons=1 / 3, detector=None):
    """Make clusters of photons and charged pions.

    Energies follow dN/d(ln E) ~ E^slope between the bounds, pseudorapidities are flat within 2.5. Particles that leave
    no cluster, or one below 0.3 GeV, are thrown again: the spectrum of what is left bends down below 3 GeV.

    Parameters
    ----------
    n : int
        Number of clusters.
    seed : int or numpy.random.Generator
    minimum, maximum : float
        Bounds of the true energy, GeV.
    slope : float
        0: flat in ln E; -1: falls as dN/dE ~ E^-2.
    interactions : (int, int)
        Smallest and largest number of simultaneous interactions.
    photons : float
        Share of photons among the particles.
    detector : hepml_labs.physics.calorimeter.Calorimeter, optional

    Returns
    -------
    dict of float32 arrays, (n,)
        The columns of `COLUMNS`.

    Raises
    ------
    ValueError
        If n < 1, bounds are out of order, or `photons` is no probability.

    Examples
    --------
    >>> clusters = generate(1000, seed=1)
    >>> print(len(clusters), clusters["energy"].shape, clusters["energy"].dtype)
    15 (1000,) float32
    """
    if n < 1:
        raise ValueError(f"n: found {n}, expected at least one cluster")
    if not 0 < minimum < maximum:
        raise ValueError(f"minimum, maximum: found {minimum} and {maximum} GeV, expected 0 < minimum < maximum")
    if not 0 <= photons <= 1:
        raise ValueError(f"photons: found {photons}, expected a share between 0 and 1")
    if not 0 <= interactions[0] <= interactions[1]:
        raise ValueError(f"interactions: found {interactions}, expected two numbers in order, none below zero")
    random = np.random.default_rng(seed)
    detector = detector or Calorimeter()
    batches, found = [], 0
    while found < n:
        batch = _batch(
            min(5000, int(1.3 * (n - found)) + 100),
            random,
            minimum,
            maximum,
            slope,
            interactions,
            photons,
            detector,
        )
        batches.append(batch)
        found += len(batch["energy"])
    return {name: np.concatenate([batch[name] for batch in batches])[:n].astype(np.float32) for name in COLUMNS}


def _batch(n, random, minimum, maximum, slope, interactions, photons, detector):
    """Throw n particles and return the clusters of those that left one."""
    uniform = random.uniform(size=n)
    if abs(slope) < 1e-9:
        energy = minimum * (maximum / minimum) ** uniform
    else:  # invert the cumulative distribution of E^(slope - 1)
        energy = (minimum**slope + uniform * (maximum**slope - minimum**slope)) ** (1 / slope)
    eta = random.uniform(-2.5, 2.5, n)
    hadron = random.uniform(size=n) >= photons
    crowd = random.integers(interactions[0], interactions[1], n, endpoint=True).astype(float)
    columns = simulate(energy, eta, hadron, crowd, detector, random)
    columns |= {"eta": eta, "interactions": crowd, "energy_true": energy, "hadron": hadron}
    seen = (columns["cells"] > 0) & (columns["energy"] > 0.3)
    return {name: column[seen] for name, column in columns.items()}


def pack(columns):
    """Store all but the two energies as float16: their rounding, 1 part in 2000, is far below any resolution here.

    Parameters
    ----------
    columns : dict of arrays, (n,)

    Returns
    -------
    dict of arrays, (n,)
        Counts (interactions, cells, hadron) are kept exactly.

    Examples
    --------
    >>> packed = pack({"energy": np.ones(2, dtype=np.float32), "cells": np.full(2, 37.0)})
    >>> packed["energy"].dtype, packed["cells"].dtype
    (dtype('float32'), dtype('float16'))
    """
    exact = ("energy", "energy_true")
    return {name: column.astype(np.float32 if name in exact else np.float16) for name, column in columns.items()}


def unpack(stored):
    """Give stored columns back as float32.

    Parameters
    ----------
    stored : dict of arrays, (n,)

    Returns
    -------
    dict of float32 arrays, (n,)

    Examples
    --------
    >>> unpack({"cells": np.full(2, 37, dtype=np.float16)})["cells"]
    array([37., 37.], dtype=float32)
    """
    return {name: np.asarray(column, dtype=np.float32) for name, column in stored.items()}
