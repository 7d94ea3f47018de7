"""Checksums of large files, recorded beside them so that they are not computed at each load."""

import hashlib
import json
import os
from pathlib import Path

BLOCK = 1 << 22  # bytes read at a time


def examine(path):
    """Return size and checksums of a file.

    Parameters
    ----------
    path : path

    Returns
    -------
    dict
        ``size`` in bytes, ``md5`` and ``sha256`` as hexadecimal texts.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     examine(file.name)["md5"]
    'd41d8cd98f00b204e9800998ecf8427e'
    """
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            md5.update(block)
            sha256.update(block)
    return {"size": os.path.getsize(path), "md5": md5.hexdigest(), "sha256": sha256.hexdigest()}


def difference(found, *, size=None, md5=None, sha256=None):
    """Say in what a file differs from the published one.

    Parameters
    ----------
    found : dict
        From :func:`examine`.
    size : int, optional
    md5, sha256 : str, optional
        As published; what is not given is not compared.

    Returns
    -------
    str
        Empty where nothing differs.

    Examples
    --------
    >>> difference({"size": 3, "md5": "ab", "sha256": "cd"}, size=3, md5="ff")
    'md5 is ab, published is ff'
    >>> difference({"size": 3, "md5": "ab", "sha256": "cd"}, size=3, sha256="cd")
    ''
    """
    for name, published in (("size", size), ("sha256", sha256), ("md5", md5)):
        if published is not None and found.get(name) != published:
            return f"{name} is {found.get(name)}, published is {published}"
    return ""


def is_verified(path, *, size=None, md5=None, sha256=None, again=False):
    """Whether a file is the published one; computed once, and again when its size or date has changed.

    A file without a published checksum is held to the one that it had when it came.

    Parameters
    ----------
    path : path
    size : int, optional
    md5, sha256 : str, optional
        As published.
    again : bool
        Compute the checksums even though size and date are those of the last time.

    Returns
    -------
    bool

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "file"
    ...     _ = path.write_text("content")
    ...     is_verified(path), is_verified(path, size=8), sorted(recorded(path))
    (True, False, ['md5', 'modified', 'sha256', 'size'])
    """
    path = Path(path)
    if not path.exists():
        return False
    facts, status = recorded(path), path.stat()
    if again or (facts.get("size"), facts.get("modified")) != (status.st_size, status.st_mtime_ns):
        found = examine(path)
        if difference(found, size=size, md5=md5, sha256=sha256 or facts.get("sha256")):
            _write(path, facts | {"modified": None})  # so that nobody believes it before it is computed again
            return False
        facts = record(path, facts | found)
    return not difference(facts, size=size, md5=md5, sha256=sha256)


def record(path, facts):
    """Write what is known of a checked file to ``<name>.verified.json`` beside it.

    Parameters
    ----------
    path : path
        A file that has been checked.
    facts : dict
        From :func:`examine`, with anything else worth keeping, such as where the file came from.

    Returns
    -------
    dict
        The facts with the file's date, ``modified`` (nanoseconds).

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     _ = record(file.name, {"size": 0})
    ...     recorded(file.name)["size"]
    ...     _marker(file.name).unlink()
    0
    """
    return _write(path, facts | {"modified": Path(path).stat().st_mtime_ns})


def recorded(path):
    """Return what is recorded of a file.

    Parameters
    ----------
    path : path

    Returns
    -------
    dict
        Empty if there is nothing, or nothing legible: then the checksums are computed again.

    Examples
    --------
    >>> recorded("no such file")
    {}
    """
    try:
        return json.loads(_marker(path).read_text())
    except (OSError, ValueError):
        return {}


def _write(path, facts):
    _marker(path).write_text(json.dumps(facts, indent=1))
    return facts


def _marker(path):
    path = Path(path)
    return path.with_name(path.name + ".verified.json")
