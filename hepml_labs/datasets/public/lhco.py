"""Read the research-and-development set of the LHC Olympics 2020: features of the leading jets, or all particles.

Both files are frames of pandas in HDF5. The smaller has px, py, pz, mass (GeV), tau_1, tau_2, tau_3 of the two leading
jets and the label; the larger 700 times (pT, eta, phi) of massless particles, zeros after the last, and the label
:cite:`kasieczka2021lhco`.
"""

import os

import numpy as np
from tqdm.auto import tqdm

from hepml_labs.datasets.public.rows import ALL, damaged, published_hdf5, rows_of, stack, windows
from hepml_labs.physics.kinematics import mass

COLUMNS = {
    "jets": "(n, 2, 4), GeV: E, px, py, pz of the two leading jets, highest pT first",
    "tau": "(n, 2, 3): N-subjettiness tau_1, tau_2, tau_3 of each jet, beta = 1, R_0 = 1",
    "mjj": "(n,), GeV: invariant mass of the two jets",
    "signal": "(n,): 1 for W' to X Y, 0 for QCD",
    "constituents": (
        "(n, 2, N, 4), GeV: E, px, py, pz of each jet's leading constituents by pT, massless, zeros after them"
    ),
}
FEATURES = 15
PARTICLES = 700
RADIUS = 1.0
SOFTEST_JET = 10.0  # GeV
EVENTS_AT_A_TIME = 1000


def read(paths, n=None, lanes=ALL, *, constituents=0, label=True):
    """Read dijet events in the columns of `hepml_labs.datasets.lhco`.

    Parameters
    ----------
    paths : list of path
        The file of features, or that of the particles if constituents are wanted.
    n : int, optional
        Number of events, spread evenly through the file; all by default.
    lanes : tuple of int
        Row numbers, modulo 20, to read.
    constituents : int
        Leading constituents of each jet; with any, the event's particles are clustered (anti-kT, R = 1.0) and the
        jets and N-subjettiness are ours, which takes milliseconds an event and the packages of the extra `generate`.
    label : bool
        Whether the last column is the label. False for a file of features that holds background only, with or without
        a column that says so.

    Returns
    -------
    dict of arrays
        `COLUMNS`, without constituents if none are asked for: float32, `signal` int8.

    Raises
    ------
    ValueError
        If there are fewer than `n` events, or the file holds pickled columns.
    DamagedFile
        If the file is not laid out as published.

    Examples
    --------
    >>> events = read(["events_anomalydetection_v2.features.h5"], n=1000)  # doctest: +SKIP
    >>> events["jets"].shape  # doctest: +SKIP
    (1000, 2, 4)
    """
    (path,) = paths
    width = 3 * PARTICLES + 1 if constituents else FEATURES
    hidden = not constituents or os.environ.get("HEPML_PROGRESS") == "0"
    with published_hdf5(path, blosc=True) as file:
        values = file["df/block0_values"]
        widths = (width,) if label else (width - 1, width)
        if values.ndim != 2 or values.shape[1] not in widths:
            raise damaged(path, f"found {values.shape[1:]} columns, expected {' or '.join(map(str, widths))}")
        rows, tables = rows_of(len(values), n, lanes), []
        with tqdm(total=len(rows), desc="clustering", unit="event", leave=False, disable=hidden) as bar:
            for window, inside in windows(rows, EVENTS_AT_A_TIME if constituents else 10 * EVENTS_AT_A_TIME):
                events = values[window][inside]
                if events.shape[1] < width:
                    events = np.column_stack([events, np.zeros(len(events))])
                if not np.isin(events[:, -1], (0, 1)).all():
                    raise damaged(path, "its last column is no label of 0 and 1")
                if not label and events[:, -1].any():
                    raise damaged(path, "it holds signal, expected background only")
                tables.append(_clustered(events, constituents) if constituents else _features(events))
                bar.update(len(inside))
        return stack(tables)


def _features(events):
    published = events[:, :-1].reshape(-1, 2, 7)
    energy = np.sqrt((published[..., :4] ** 2).sum(axis=-1))  # px, py, pz and the mass
    jets = np.concatenate([energy[..., None], published[..., :3]], axis=-1)
    return _columns(jets, published[..., 4:], events)


def _clustered(events, constituents):
    import awkward as ak

    from hepml_labs.physics.jets import cluster, n_subjettiness, pad, to_array

    pt, eta, phi = np.moveaxis(events[:, :-1].astype(np.float64).reshape(-1, PARTICLES, 3), -1, 0)
    present = pt > 0
    pt, eta, phi = pt[present], eta[present], phi[present]
    momenta = {"px": pt * np.cos(phi), "py": pt * np.sin(phi), "pz": pt * np.sinh(eta), "E": pt * np.cosh(eta)}
    jets, members = cluster(ak.unflatten(ak.zip(momenta), present.sum(axis=1)), RADIUS, SOFTEST_JET)
    if ak.any(ak.num(jets) < 2):
        raise ValueError("constituents: found an event with fewer than two jets")
    members = ak.flatten(members[:, :2])
    tau = n_subjettiness(members, (1, 2, 3), RADIUS, beta=1.0).reshape(-1, 2, 3)
    columns = _columns(to_array(jets[:, :2]), tau, events)
    columns["constituents"] = pad(members, constituents).astype(np.float32).reshape(-1, 2, constituents, 4)
    return columns


def _columns(jets, tau, events):
    return {
        "jets": jets.astype(np.float32),
        "tau": tau.astype(np.float32),
        "mjj": mass(jets.sum(axis=1)).astype(np.float32),
        "signal": events[:, -1].astype(np.int8),
    }
