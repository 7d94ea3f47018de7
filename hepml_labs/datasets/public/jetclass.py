"""Read JetClass: ROOT files of 100,000 jets of one class each, read inside their tar files, which stay as they came.

The set of the Particle Transformer :cite:`qu2022transformer`, section 3.
"""

import tarfile
from pathlib import PurePosixPath

import numpy as np

from hepml_labs.datasets.public.rows import ALL, damaged, needed, rows_of, shares, stack, take_turns

CLASSES = ("QCD", "Hbb", "Hcc", "Hgg", "H4q", "Hqql", "Zqq", "Wqq", "Tbqq", "Tbl")
"""Names of the labels 0 to 9, as in the branches ``label_*``."""

KINDS = ("isChargedHadron", "isNeutralHadron", "isPhoton", "isElectron", "isMuon")
PARTICLES = 128
TRACK = {"d0": "part_d0val", "d0_error": "part_d0err", "dz": "part_dzval", "dz_error": "part_dzerr"}

COLUMNS = {
    "constituents": "(n, 128, 4), GeV: E, px, py, pz of the particles, highest pT first, zeros after the last",
    "kind": "(n, 128): 0 none, 1 charged hadron, 2 neutral hadron, 3 photon, 4 electron, 5 muon",
    "charge": "(n, 128): electric charge",
    "d0": "(n, 128), mm: transverse impact parameter of tracks, 0 for others",
    "d0_error": "(n, 128), mm: its uncertainty",
    "dz": "(n, 128), mm: longitudinal impact parameter of tracks, 0 for others",
    "dz_error": "(n, 128), mm: its uncertainty",
    "jet": "(n, 4), GeV: E, px, py, pz of the jet",
    "soft_drop_mass": "(n,), GeV: mass of the jet after soft drop",
    "tau": "(n, 4): N-subjettiness tau_1 to tau_4",
    "label": "(n,): " + ", ".join(f"{k} {name}" for k, name in enumerate(CLASSES)),
}


def read(paths, n=None, lanes=ALL):
    """Read jets of all classes of JetClass, in turn.

    Parameters
    ----------
    paths : list of path
        Tar files; a class is read from as many as it takes.
    n : int, optional
        Number of jets, the same number of each class (or one more); all by default, which are millions.
    lanes : tuple of int
        Row numbers, modulo 20, to read.

    Returns
    -------
    dict of arrays
        `COLUMNS`: float32; `kind`, `charge` and `label` int8.

    Raises
    ------
    ValueError
        If there are fewer jets of a class than its share of `n`.
    DamagedFile
        If a file is not laid out as published.

    Examples
    --------
    >>> jets = read(["JetClass_Pythia_val_5M.tar"], n=1000)  # doctest: +SKIP
    >>> jets["constituents"].shape  # doctest: +SKIP
    (1000, 128, 4)
    """
    members = _members(paths)
    tables = [
        stack(_class(name, found, share, lanes))
        for (name, found), share in zip(sorted(members.items()), shares(n, len(members)), strict=True)
        if share != 0
    ]
    return take_turns(tables)


def _members(paths):
    """Class: its ROOT files in the tar files."""
    found = {}
    for path in paths:
        try:
            with tarfile.open(path, "r:") as archive:  # not compressed: a member is a stretch of the file
                for name in sorted(member.name for member in archive if member.name.endswith(".root")):
                    found.setdefault(PurePosixPath(name).name.rsplit("_", 1)[0], []).append((path, name))
        except tarfile.TarError as error:
            raise damaged(path, error) from error
    if not found:
        raise damaged(paths[0], "no ROOT files are inside")
    return found


def _class(name, members, n, lanes):
    left = n
    for path, member in members:
        with tarfile.open(path, "r:") as archive:
            try:
                with needed("uproot").open(archive.extractfile(member)) as file:
                    tree = file["tree"]
                    available = rows_of(tree.num_entries, None, lanes)
                    rows = available if left is None else available[:left]
                    yield _columns(tree.arrays(_branches(), entry_stop=int(rows[-1]) + 1), rows)
            except (OSError, KeyError) as error:
                raise damaged(f"{path}:{member}", error) from error
        left = None if left is None else left - len(rows)
        if left == 0:
            return
    if left:
        raise ValueError(f"n: found {n:,} for class {name}, but the files at hand have {n - left:,}")


def _branches():
    particles = [f"part_{name}" for name in ("px", "py", "pz", "energy", "charge", *KINDS)]
    jet = [f"jet_{name}" for name in ("pt", "eta", "phi", "energy", "sdmass", "tau1", "tau2", "tau3", "tau4")]
    return [*particles, *TRACK.values(), *jet, *(f"label_{name}" for name in CLASSES)]


def _columns(tree, rows):
    ak = needed("awkward")
    tree = tree[rows]
    order = ak.argsort(np.hypot(tree.part_px, tree.part_py), axis=1, ascending=False)

    def padded(name, dtype=np.float32):
        particles = ak.pad_none(tree[name][order], PARTICLES, clip=True)
        return ak.to_numpy(ak.fill_none(particles, 0)).astype(dtype)

    pt, eta, phi, energy = (ak.to_numpy(tree[f"jet_{name}"]) for name in ("pt", "eta", "phi", "energy"))
    labels = np.stack([ak.to_numpy(tree[f"label_{name}"]) for name in CLASSES], axis=1)
    return {
        "constituents": np.stack([padded(f"part_{name}") for name in ("energy", "px", "py", "pz")], axis=-1),
        "kind": sum((k + 1) * padded(f"part_{name}", np.int8) for k, name in enumerate(KINDS)).astype(np.int8),
        "charge": padded("part_charge", np.int8),
        **{name: padded(branch) for name, branch in TRACK.items()},
        "jet": np.stack([energy, pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)], axis=1).astype(np.float32),
        "soft_drop_mass": ak.to_numpy(tree.jet_sdmass).astype(np.float32),
        "tau": np.stack([ak.to_numpy(tree[f"jet_tau{k}"]) for k in (1, 2, 3, 4)], axis=1).astype(np.float32),
        "label": labels.argmax(axis=1).astype(np.int8),
    }
