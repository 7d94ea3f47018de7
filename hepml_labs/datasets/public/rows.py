"""Which rows of published files to read, and how: shared by the readers."""

import importlib
import zipfile
from contextlib import contextmanager

import h5py
import numpy as np

from hepml_labs.datasets.public.pickles import refuse_pickle
from hepml_labs.datasets.public.sources import ALL, LANES
from hepml_labs.datasets.store import DamagedFile

BLOCK = 10_000  # rows in memory as they are in the file
GAP = 64  # unwanted rows that are cheaper to read than to leave out


def rows_of(total, n=None, lanes=ALL):
    """Choose rows of a file: those of a split, and `n` of them spread evenly, in case the file is sorted.

    Parameters
    ----------
    total : int
        Rows in the file.
    n : int, optional
        Rows wanted; all by default.
    lanes : tuple of int
        Row numbers, modulo 20, that belong to the split.

    Returns
    -------
    numpy array of int, ascending

    Raises
    ------
    ValueError
        If there are fewer than `n`.

    Examples
    --------
    >>> rows_of(60, lanes=(18, 19))
    array([18, 19, 38, 39, 58, 59])
    >>> rows_of(60, 3, lanes=(18, 19))
    array([18, 38, 58])
    """
    numbers = np.arange(total)
    numbers = numbers[np.isin(numbers % LANES, lanes)]
    if n is None:
        return numbers
    if n > len(numbers):
        raise ValueError(f"n: found {n:,}, but the published split has {len(numbers):,} rows in the files at hand")
    return numbers[np.arange(n) * len(numbers) // n]


def windows(rows, block=BLOCK):
    """Cut ascending row numbers into runs that are read at once.

    Parameters
    ----------
    rows : numpy array of int
    block : int
        Longest run.

    Yields
    ------
    window : slice
        Of the file.
    inside : numpy array of int
        Wanted rows of the window.

    Examples
    --------
    >>> [(window.start, window.stop, inside.tolist()) for window, inside in windows(np.array([3, 5, 500]))]
    [(3, 6, [0, 2]), (500, 501, [0])]
    """
    first = 0
    jumps = np.flatnonzero(np.diff(rows) > GAP) + 1
    for last in [*jumps.tolist(), len(rows)]:
        while first < last:
            stop = min(last, int(np.searchsorted(rows, rows[first] + block)))
            window = slice(int(rows[first]), int(rows[stop - 1]) + 1)
            yield window, rows[first:stop] - window.start
            first = stop


def stack(tables, total=None):
    """Join tables of columns one below the other.

    Parameters
    ----------
    tables : iterable of dict of numpy arrays
    total : int, optional
        Number of rows of all, where it is known: then the tables are copied as they come, and only one is in memory
        beside the result.

    Returns
    -------
    dict of numpy arrays

    Examples
    --------
    >>> stack([{"x": np.ones(2)}, {"x": np.zeros(1)}])["x"]
    array([1., 1., 0.])
    """
    if total is None:
        tables = list(tables)
        return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    columns, filled = {}, 0
    for table in tables:
        for name, values in table.items():
            column = columns.setdefault(name, np.empty((total, *values.shape[1:]), values.dtype))
            column[filled : filled + len(values)] = values
        filled += len(values)
    return columns


def take_turns(tables):
    """Join tables of columns so that the first rows of all come first, then the second rows, and so on.

    Parameters
    ----------
    tables : iterable of dict of numpy arrays

    Returns
    -------
    dict of numpy arrays

    Examples
    --------
    >>> take_turns([{"label": np.array([0, 0, 0])}, {"label": np.array([1, 1])}])["label"]
    array([0, 1, 0, 1, 0])
    """
    tables = list(tables)
    place = np.concatenate([np.arange(len(next(iter(table.values())))) for table in tables])
    order = np.argsort(place, kind="stable")
    return {name: column[order] for name, column in stack(tables).items()}


def shares(n, parts):
    """Divide `n` rows among files or classes as evenly as can be; None is all.

    Parameters
    ----------
    n : int or None
    parts : int

    Returns
    -------
    list of int or None

    Examples
    --------
    >>> shares(8, 3), shares(None, 2)
    ([3, 3, 2], [None, None])
    """
    return [None if n is None else n // parts + (part < n % parts) for part in range(parts)]


@contextmanager
def published_hdf5(path, blosc=False):
    """Open an HDF5 file that somebody published: no pickle in it is read, and damage is named.

    Parameters
    ----------
    path : path
    blosc : bool
        Whether it is compressed in a way that needs the package hdf5plugin.

    Yields
    ------
    h5py.File

    Raises
    ------
    ValueError
        If the file is a pickle or holds columns of them.
    DamagedFile
        If it cannot be read, or is not laid out as published.
    """
    if blosc:
        needed("hdf5plugin")
    refuse(path)
    try:
        with h5py.File(path) as file:
            yield file
    except (OSError, KeyError) as error:
        raise damaged(path, error) from error


def refuse(path):
    """Refuse pickles; call a file damaged that is too damaged to tell.

    Parameters
    ----------
    path : path

    Raises
    ------
    ValueError
        As `hepml_labs.datasets.public.refuse_pickle`.
    DamagedFile
        If the file cannot be read.
    """
    try:
        refuse_pickle(path)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise damaged(path, error) from error


def damaged(path, error):
    """Return the error for a published file that cannot be read.

    Parameters
    ----------
    path : path
    error : Exception or str
        What was found.

    Returns
    -------
    DamagedFile

    Examples
    --------
    >>> str(damaged("jets.h5", "found 3 columns"))
    'jets.h5 is not the published file (found 3 columns): delete it, and `hepml data fetch` brings it again'
    """
    return DamagedFile(f"{path} is not the published file ({error}): delete it, and `hepml data fetch` brings it again")


def needed(package):
    """Import a package of the extra for published data, or say how to install it.

    Parameters
    ----------
    package : str

    Returns
    -------
    module

    Raises
    ------
    ImportError
        With the command that installs it.

    Examples
    --------
    >>> needed("no_such_package")
    Traceback (most recent call last):
    ...
    ImportError: this published data set needs no_such_package: pip install "hepml-labs[public]"
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ImportError(f'this published data set needs {package}: pip install "hepml-labs[public]"') from error
