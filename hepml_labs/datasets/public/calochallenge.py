"""Read the CaloChallenge: HDF5 files of single showers, energies in MeV :cite:`krause2024calochallenge`."""

import numpy as np

from hepml_labs.datasets.public.rows import ALL, damaged, published_hdf5, rows_of, shares, stack, windows

COLUMNS = {
    "showers": "(n, voxels), GeV: energy in each voxel; the radius runs fastest, then the angle, then the layer",
    "incident_energies": "(n,), GeV: energy of the particle",
}
GEV = 1e-3  # in MeV


def read(paths, n=None, lanes=ALL):
    """Read showers of the CaloChallenge.

    Parameters
    ----------
    paths : list of path
        Files of a split.
    n : int, optional
        Number of showers, of each file the same number and spread evenly; all by default.
    lanes : tuple of int
        Row numbers, modulo 20, to read.

    Returns
    -------
    dict of float32 arrays
        `COLUMNS`. ``showers.reshape(n, 45, 16, 9)`` or ``(n, 45, 50, 18)`` gives layer, angle and radius in data
        sets 2 and 3; the layers of data set 1 have different voxels.

    Raises
    ------
    ValueError
        If there are fewer than `n` showers.
    DamagedFile
        If a file is not laid out as published.

    Examples
    --------
    >>> import h5py, tempfile
    >>> with tempfile.NamedTemporaryFile() as path:
    ...     with h5py.File(path.name, "w") as file:
    ...         file["showers"], file["incident_energies"] = np.full((3, 6480), 2.0), np.full((3, 1), 5000.0)
    ...     columns = read([path.name])
    >>> columns["showers"].shape, columns["incident_energies"]
    ((3, 6480), array([5., 5., 5.], dtype=float32))
    """
    each = zip(paths, shares(n, len(paths)), strict=True)
    return stack(part for path, share in each for part in _file(path, share, lanes))


def _file(path, n, lanes):
    with published_hdf5(path) as file:
        showers, energies = file["showers"], file["incident_energies"]
        if showers.ndim != 2 or energies.shape not in ((len(showers), 1), (len(showers),)):
            raise damaged(path, f"found shapes {showers.shape} and {energies.shape}")
        for window, inside in windows(rows_of(len(showers), n, lanes), block=1000):
            yield {
                "showers": (GEV * showers[window][inside]).astype(np.float32),
                "incident_energies": (GEV * energies[window].reshape(-1)[inside]).astype(np.float32),
            }
