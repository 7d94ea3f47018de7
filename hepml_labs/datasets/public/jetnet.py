"""Read JetNet: an HDF5 file for each kind of jet, with particles relative to the jet :cite:`kansal2021jetnet`."""

from pathlib import Path

import numpy as np

from hepml_labs.datasets.public.rows import ALL, damaged, published_hdf5, rows_of, shares, stack, take_turns, windows

KINDS = "gqtwz"
"""First letter of a file's name: gluon, light quark, top, W and Z; the place is the label."""

COLUMNS = {
    "relative": "(n, m, 3): eta and phi from the jet's, pT over the jet's; zeros for no particle",
    "mask": "(n, m): whether there is a particle",
    "constituents": "(n, m, 4), GeV: E, px, py, pz of the same particles, massless; the jet is at phi = 0",
    "jet": "(n, 4), GeV: E, px, py, pz of the jet",
    "number": "(n,): number of particles",
    "kind": "(n,): 0 gluon, 1 light quark, 2 top, 3 W, 4 Z",
}


def read(paths, n=None, lanes=ALL):
    """Read jets of JetNet, of the files' kinds in turn.

    Parameters
    ----------
    paths : list of path
        Files named after their kind of jet: ``g.hdf5``, ``t150.hdf5``.
    n : int, optional
        Number of jets, the same number of each kind (or one more); all by default.
    lanes : tuple of int
        Row numbers, modulo 20, to read.

    Returns
    -------
    dict of arrays
        `COLUMNS`, m is 30 or 150: float32, `mask` bool, `number` int16, `kind` int8.

    Raises
    ------
    ValueError
        If there are fewer jets of a kind than its share of `n`.
    DamagedFile
        If a file is not laid out as published.

    Examples
    --------
    >>> jets = read(["g.hdf5", "t.hdf5"], n=1000)  # doctest: +SKIP
    >>> jets["relative"].shape, jets["kind"][:4]  # doctest: +SKIP
    ((1000, 30, 3), array([0, 2, 0, 2], dtype=int8))
    """
    return take_turns(_kind(path, share, lanes) for path, share in zip(paths, shares(n, len(paths)), strict=True))


def _kind(path, n, lanes):
    with published_hdf5(path) as file:
        particles, jets = file["particle_features"], file["jet_features"]
        if particles.ndim != 3 or particles.shape[2] != 4 or jets.shape != (len(particles), 4):
            raise damaged(path, f"found shapes {particles.shape} and {jets.shape}")
        kind = KINDS.index(Path(path).name[0])
        cuts = windows(rows_of(len(particles), n, lanes))
        empty = _columns(np.zeros((0, *particles.shape[1:])), np.zeros((0, 4)), kind)
        return stack([empty, *(_columns(particles[w][inside], jets[w][inside], kind) for w, inside in cuts)])


def _columns(particles, jets, kind):
    mask = particles[..., 3] > 0.5
    relative = np.where(mask[..., None], particles[..., :3], 0)
    jet_pt, jet_eta, jet_mass, number = jets.astype(np.float64).T
    pt = relative[..., 2] * jet_pt[:, None]
    eta, phi = relative[..., 0] + jet_eta[:, None], relative[..., 1]
    constituents = np.stack([pt * np.cosh(eta), pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)], axis=-1)
    pz = jet_pt * np.sinh(jet_eta)
    energy = np.sqrt(jet_pt**2 + pz**2 + jet_mass**2)
    return {
        "relative": relative.astype(np.float32),
        "mask": mask,
        "constituents": constituents.astype(np.float32),
        "jet": np.stack([energy, jet_pt, np.zeros_like(pz), pz], axis=-1).astype(np.float32),
        "number": number.astype(np.int16),
        "kind": np.full(len(jets), kind, dtype=np.int8),
    }
