"""Recognise pickles, to refuse them: opening one runs whatever code its author, or somebody on the way, put into it."""

import zipfile
from pathlib import Path

import h5py
import numpy as np

ENDINGS = (".pkl", ".pickle", ".p", ".joblib", ".pt", ".pth", ".ckpt", ".pkl.gz", ".pkl.bz2", ".pkl.xz")
FIRST_BYTES = tuple(bytes([0x80, protocol]) for protocol in range(2, 6))  # the PROTO opcode of protocols 2 to 5
REASON = "opening it could run any code; this project opens HDF5, ROOT and plain numpy arrays only"


def refuse_pickle(path):
    """Raise unless a file is free of pickled Python objects.

    Refused are files that begin as a pickle or are named like one, zip archives that hold one (torch's ``.pt``),
    arrays of Python objects in ``.npy`` and ``.npz``, and columns of Python objects in HDF5 files of pandas.
    Attributes that pandas pickles into HDF5 files are harmless: no reader here opens them.

    Parameters
    ----------
    path : path

    Raises
    ------
    ValueError
        With what was found.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "jets.npz"
    ...     np.savez(path, jets=np.array([{"pt": 1.0}]))
    ...     refuse_pickle(path)
    Traceback (most recent call last):
    ...
    ValueError: .../jets.npz holds Python objects in its array 'jets.npy': opening it could run any code; ...
    """
    path = Path(path)
    with open(path, "rb") as file:
        start = file.read(8)
    found = ""
    if start.startswith(FIRST_BYTES):
        found = "is a pickle"
    elif path.name.lower().endswith(ENDINGS):
        found = "is named like a pickle"
    elif start.startswith(b"\x93NUMPY"):
        with open(path, "rb") as file:
            found = "holds Python objects" if _has_objects(file) else ""
    elif start.startswith(b"PK"):
        found = _in_archive(path)
    elif start == b"\x89HDF\r\n\x1a\n":
        found = _in_hdf5(path)
    if found:
        raise ValueError(f"{path} {found}: {REASON}")


def _has_objects(file):
    """Whether an array in numpy's format is one of Python objects; only its header is read."""
    version = np.lib.format.read_magic(file)
    read_header = np.lib.format.read_array_header_1_0 if version[0] == 1 else np.lib.format.read_array_header_2_0
    return read_header(file)[2].hasobject


def _in_archive(path):
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            with archive.open(name) as member:
                start = member.read(6)
            if start.startswith(FIRST_BYTES) or name.lower().endswith(ENDINGS):
                return f"holds the pickle {name!r}"
            if start == b"\x93NUMPY":
                with archive.open(name) as member:
                    if _has_objects(member):
                        return f"holds Python objects in its array {name!r}"
    return ""


def _in_hdf5(path):
    """Columns of Python objects, which PyTables marks as such and stores as pickles."""

    def is_pickled(name, item):
        objects = isinstance(item, h5py.Dataset) and item.attrs.get("PSEUDOATOM") in (b"object", "object")
        return name if objects else None  # anything but None ends the visit

    with h5py.File(path) as file:
        name = file.visititems(is_pickled)
    return f"holds pickled Python objects in its column {name!r}" if name else ""
