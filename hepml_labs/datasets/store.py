"""Files of columns: HDF5 with checksums inside, written as a whole or not at all, and never a pickle."""

import hashlib
import json
import os
from pathlib import Path

import h5py


class DamagedFile(OSError):
    """A data file that is truncated, changed or not one of ours."""


def write(path, card, splits):
    """Write splits of a data set to one HDF5 file.

    Parameters
    ----------
    path : path
        The file. It appears when it is complete; until then the data lie in a neighbour ending in ``.partial``.
    card : dict
        What is known about the data, stored as JSON.
    splits : dict of str to dict of str to numpy.ndarray
        Columns of each split.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(f"{folder}/toy.h5", {"name": "toy"}, {"train": {"x": np.arange(3.0)}})
    ...     read(f"{folder}/toy.h5", "train", 2)
    ({'name': 'toy'}, {'x': array([0., 1.])})
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with h5py.File(partial, "w") as file:
            file.attrs["card"] = json.dumps(card)
            for split, columns in splits.items():
                group = file.create_group(split, track_order=True)
                for name, values in columns.items():
                    group.create_dataset(
                        name,
                        data=values,
                        chunks=(min(8192, len(values)), *values.shape[1:]),
                        compression="gzip",
                        compression_opts=9,  # written once, read often
                        shuffle=True,
                        fletcher32=True,  # a changed byte is an error when it is read, not a wrong number
                    )
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def read(path, split, n=None):
    """Read the first `n` rows of a split.

    Parameters
    ----------
    path : path
        A file written by :func:`write`.
    split : str
        Name of the split.
    n : int, optional
        Number of rows, all by default.

    Returns
    -------
    card : dict
    columns : dict of str to numpy.ndarray

    Raises
    ------
    DamagedFile
        If the file cannot be read; the message names it and says what to do.
    """
    try:
        with h5py.File(path, "r") as file:
            card = json.loads(file.attrs["card"])
            columns = {name: column[slice(n)] for name, column in file[split].items()}
    except FileNotFoundError:
        raise
    except (OSError, KeyError, ValueError) as error:
        raise DamagedFile(
            f"{path} is damaged or incomplete ({error}). Bundled files come back with `git checkout` or a new "
            "installation, generated ones by deleting the file; `hepml data verify` checks them all."
        ) from error
    return card, columns


def sha256(path):
    """Return the SHA-256 checksum of a file as a hexadecimal text.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     sha256(file.name)[:16]
    'e3b0c44298fc1c14'
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
