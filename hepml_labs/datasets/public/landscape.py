"""Read the Top Quark Tagging Reference Dataset: tables of pandas in HDF5, read without pandas.

The set of the landscape of top taggers :cite:`kasieczka2019landscape`, section 2.

A row holds 200 times (E, px, py, pz) in GeV, highest pT first and zeros after the last, the top quark's four-momentum,
and two whole numbers, of which the second is the label. The names of the columns are pickled into attributes of the
file; those are not opened: the order is known, and no energy may be smaller than its momentum in it.
"""

import numpy as np

from hepml_labs.datasets.public.rows import ALL, damaged, published_hdf5, rows_of, stack, windows

COLUMNS = {
    "constituents": "(n, 100, 4), GeV: E, px, py, pz of the constituents, highest pT first, zeros after the last",
    "jet": "(n, 4), GeV: E, px, py, pz of the jet: the sum of all its constituents",
    "number": "number of constituents of the jet, stored or not",
    "truth_top": "(n, 4), GeV: E, px, py, pz of the top quark before its decay, zeros for QCD jets",
    "is_top": "1 for a top jet, 0 for a QCD jet",
}
PUBLISHED = 200  # constituents


def read(paths, n=None, lanes=ALL, *, constituents=100):
    """Read jets of the Landscape in the columns of `hepml_labs.datasets.top_tagging`.

    Parameters
    ----------
    paths : list of path
        The file of a split.
    n : int, optional
        Number of jets, spread evenly through the file; all by default.
    lanes : tuple of int
        Row numbers, modulo 20, to read.
    constituents : int
        Constituents kept, of 200. The jet is the sum of all.

    Returns
    -------
    dict of arrays
        `COLUMNS`: float32, `number` int16, `is_top` int8.

    Raises
    ------
    ValueError
        If there are fewer than `n` jets, or the file holds pickled columns.
    DamagedFile
        If the file is not laid out as published.

    Examples
    --------
    >>> jets = read(["val.h5"], n=1000)  # doctest: +SKIP
    >>> jets["constituents"].shape  # doctest: +SKIP
    (1000, 100, 4)
    """
    (path,) = paths
    with published_hdf5(path, blosc=True) as file:
        table = file["table/table"]
        if [table.dtype[f"values_block_{k}"].shape for k in (0, 1)] != [(4 * PUBLISHED + 4,), (2,)]:
            raise damaged(path, f"found columns {table.dtype}")
        rows = rows_of(len(table), n, lanes)
        parts = (_columns(table[window][inside], constituents, path) for window, inside in windows(rows))
        columns = stack(parts, len(rows))
        if len(rows) > 100 and columns["is_top"].min() == columns["is_top"].max():
            raise damaged(path, "all jets have one label")  # the last column is another one
        return columns


def _columns(rows, constituents, path):
    numbers, labels = rows["values_block_0"], rows["values_block_1"]
    momenta = numbers[:, : 4 * PUBLISHED].reshape(-1, PUBLISHED, 4)
    momentum = np.linalg.norm(momenta[..., 1:], axis=-1)
    is_top = labels[:, 1]
    if (momenta[..., 0] < 0.999 * momentum - 1e-3).any() or not np.isin(is_top, (0, 1)).all():
        raise damaged(path, "its columns are not (E, px, py, pz) and a label")
    return {
        "constituents": momenta[:, :constituents].astype(np.float32),
        "jet": momenta.sum(axis=1, dtype=np.float64).astype(np.float32),
        "number": (momenta[..., 0] > 0).sum(axis=1).astype(np.int16),
        "truth_top": np.where(is_top[:, None], numbers[:, 4 * PUBLISHED :], 0).astype(np.float32),
        "is_top": is_top.astype(np.int8),
    }
