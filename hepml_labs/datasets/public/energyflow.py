"""Read the quark and gluon jets of EnergyFlow: numpy archives of particles (pT, rapidity, phi, PDG number).

The set of the Energy Flow Networks :cite:`komiske2018energyflow`, section 4.1.
"""

import zipfile
import zlib

import numpy as np

from hepml_labs.datasets.public.rows import ALL, damaged, refuse, rows_of, stack, windows

COLUMNS = {
    "constituents": "(n, 100, 4), GeV: E, px, py, pz of the hardest particles, in order of pT, then zeros",
    "pid": "(n, 100): their PDG numbers, 0 for no particle",
    "jet": "(n, 4), GeV: E, px, py, pz of the whole jet",
    "is_quark": "(n,): 1 for a light-quark jet, 0 for a gluon jet",
}
MASSES = {
    **{0: 0.0, 11: 0.000511, 13: 0.10566, 22: 0.0},
    **{130: 0.49761, 211: 0.13957, 321: 0.49368, 2112: 0.93957, 2212: 0.93827},
}
"""Absolute PDG number: mass in GeV, of all that Pythia does not let decay; 0 is no particle."""


def read(paths, n=None, lanes=ALL, *, constituents=100):
    """Read quark and gluon jets in the columns of `hepml_labs.datasets.quark_gluon`.

    Parameters
    ----------
    paths : list of path
        Files of 100,000 jets, read in this order.
    n : int, optional
        Number of jets; all by default. Of the last file needed they are spread evenly.
    lanes : tuple of int
        Row numbers, modulo 20, to read.
    constituents : int
        Hardest particles kept. The jet is the sum of all.

    Returns
    -------
    dict of arrays
        `COLUMNS`: float32, `pid` int16, `is_quark` int8.

    Raises
    ------
    ValueError
        If there are fewer than `n` jets, a particle of unknown mass, or pickled objects in the archive.
    DamagedFile
        If a file is not laid out as published.

    Examples
    --------
    >>> jets = read(["QG_jets.npz"], n=1000)  # doctest: +SKIP
    >>> jets["pid"].shape  # doctest: +SKIP
    (1000, 100)
    """
    tables, left = [], n
    for place, path in enumerate(paths):
        particles, labels = _arrays(path)
        available = len(rows_of(len(particles), None, lanes))
        wanted = left if left is None or place == len(paths) - 1 else min(left, available)
        for window, inside in windows(rows_of(len(particles), wanted, lanes)):
            tables.append(_columns(particles[window][inside], labels[window][inside], constituents))
        left = None if left is None else left - wanted
        if left == 0:
            break
    return stack(tables)


def _arrays(path):
    refuse(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            particles, labels = file["X"], file["y"]
    except (OSError, KeyError, ValueError, zlib.error, zipfile.BadZipFile) as error:
        raise damaged(path, error) from error
    if particles.ndim != 3 or particles.shape[2] != 4 or labels.shape != particles.shape[:1]:
        raise damaged(path, f"found shapes {particles.shape} and {labels.shape}")
    return particles, labels


def _columns(particles, labels, constituents):
    order = np.argsort(-particles[..., 0], axis=1, kind="stable")  # they come in no particular order
    pt, rapidity, phi, pid = np.moveaxis(np.take_along_axis(particles, order[..., None], axis=1), -1, 0)
    present = pt > 0
    pid = np.where(present, pid, 0).astype(np.int16)
    transverse_mass = np.hypot(pt, _masses(pid))
    momenta = np.stack(
        [transverse_mass * np.cosh(rapidity), pt * np.cos(phi), pt * np.sin(phi), transverse_mass * np.sinh(rapidity)],
        axis=-1,
    )
    momenta[~present] = 0
    return {
        "constituents": _fit(momenta, constituents).astype(np.float32),
        "pid": _fit(pid, constituents),
        "jet": momenta.sum(axis=1).astype(np.float32),
        "is_quark": labels.astype(np.int8),
    }


def _masses(pid):
    known = np.array(list(MASSES))
    place = np.searchsorted(known, np.abs(pid)).clip(max=len(known) - 1)
    unknown = known[place] != np.abs(pid)
    if unknown.any():
        raise ValueError(f"pid: found {sorted(set(pid[unknown].tolist()))}, expected plus or minus {known.tolist()}")
    return np.array(list(MASSES.values()))[place]


def _fit(array, m):
    """The first m along the second axis, with zeros where there are fewer: files differ in the longest jet."""
    padding = [(0, 0)] * array.ndim
    padding[1] = (0, max(0, m - array.shape[1]))
    return np.pad(array[:, :m], padding)
