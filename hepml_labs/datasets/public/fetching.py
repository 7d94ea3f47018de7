"""Bring published data sets to this computer, keep them, and read them in our columns."""

import importlib
from difflib import get_close_matches
from pathlib import Path

import requests

from hepml_labs import paths
from hepml_labs.datasets.entry import SPLITS
from hepml_labs.datasets.public.checks import is_verified, recorded
from hepml_labs.datasets.public.download import check_room, download
from hepml_labs.datasets.public.sources import LANES, PUBLIC
from hepml_labs.validation import check_count

RECORDS = "https://zenodo.org/api/records/{}"  # JSON with key, size and checksum of each file
TIMEOUT = 30.0  # seconds


def fetch(name, split=None, *, full=False, files=None, n=None, folder=None, progress=True, verify=False):
    """Download what is missing of a published data set.

    Parameters
    ----------
    name : str
        A name in `PUBLIC`.
    split : {"train", "validation", "test"}, optional
        All three by default.
    full : bool
        All files of the split; else as many as `n` rows take, which by default are the rows that
        :func:`load_public` reads.
    files : sequence of str, optional
        Names of files to take instead, such as one part of JetClass.
    n : int, optional
        Rows wanted.
    folder : path, optional
        By default `public/<name>` in the project's cache, which HEPML_HOME moves.
    progress : bool
        Print what is to come, and show a progress bar.
    verify : bool
        Compute the checksums of files that are there, whatever was recorded of them, and bring damaged ones again.

    Returns
    -------
    list of pathlib.Path
        The files of the split, in order.

    Raises
    ------
    ValueError
        If a name or split is not known.
    ConnectionError
        Without network; the message says what works without.
    OSError
        If the disk has too little room, or a server refuses.
    DamagedFile
        If what arrives is not the published file.

    Examples
    --------
    >>> fetch("top_tagging", "test")  # doctest: +SKIP
    top_tagging: 1 file, 0.35 GB, from https://zenodo.org/records/2603256 to /home/me/.cache/hepml_labs/public/...
    [PosixPath('/home/me/.cache/hepml_labs/public/top_tagging/test.h5')]
    """
    source = _source(name)
    wanted = _wanted(source, split, full, files, n)
    folder = Path(folder) if folder else paths.home() / "public" / name
    missing = [file for file in wanted if not is_verified(folder / file.name, **_checks(file), again=verify)]
    if missing:
        published = {file: _published(file) for file in missing}
        sizes = [facts["size"] for facts in published.values()]
        if progress:
            size = "size unknown" if None in sizes else f"{sum(sizes) / 1e9:.2f} GB"
            files_text = "1 file" if len(missing) == 1 else f"{len(missing)} files"
            print(f"{name}: {files_text}, {size}, from {source.homepage} to {folder}")
        folder.mkdir(parents=True, exist_ok=True)
        check_room(folder, sum(size or 0 for size in sizes) - _arrived(folder, missing))
        for file, facts in published.items():
            download(file.url, folder / file.name, **facts, progress=progress, alternative=_alternative(name))
    return [folder / file.name for file in wanted]


def load_public(name, split="train", n=None, *, files=None, folder=None, progress=True, verify=False):
    """Read rows of a published data set in our columns, after downloading what is missing.

    Parameters
    ----------
    name : str
        A name in `PUBLIC`.
    split : {"train", "validation", "test"}
    n : int, optional
        Number of rows; by default all, or as many as the source says where all would not fit into memory.
    files, folder, progress, verify
        As in :func:`fetch`.

    Returns
    -------
    card : dict
        What is known about the set, with the files that were read and their checksums.
    columns : dict of numpy arrays, first dimension n

    Raises
    ------
    ValueError
        If a name or split is not known, or there are fewer than `n` rows.
    OSError
        As :func:`fetch`.

    Examples
    --------
    >>> card, columns = load_public("top_tagging", "test", n=1000)  # doctest: +SKIP
    >>> columns["constituents"].shape  # doctest: +SKIP
    (1000, 100, 4)
    """
    source = _source(name)
    if split not in SPLITS:
        raise ValueError(f"split: found {split!r}, expected one of {SPLITS}")
    n = source.rows if n is None else n
    found = fetch(name, split, files=files, n=n, folder=folder, progress=progress, verify=verify)
    reader = importlib.import_module(source.reader)
    lanes = {"lanes": source.lanes[split]} if split in source.lanes else {}
    columns = reader.read(found, n, **lanes, **source.settings)
    card = source.card() | {
        "columns": {name: meaning for name, meaning in reader.COLUMNS.items() if name in columns},
        "sizes": {split: len(next(iter(columns.values())))},
        "files": [{"name": path.name, **{k: recorded(path).get(k) for k in ("url", "sha256")}} for path in found],
    }
    return card, columns


def _source(name):
    if name not in PUBLIC:
        close = get_close_matches(name, PUBLIC, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"name: {name!r} is not among the published sets {sorted(PUBLIC)}{hint}")
    return PUBLIC[name]


def _wanted(source, split, full, names, n):
    if split not in (None, *SPLITS):
        raise ValueError(f"split: found {split!r}, expected one of {SPLITS}")
    if n is not None:
        check_count("n", n)
    listed = [file for one in SPLITS if split in (None, one) for file in _some(source, one, full or names, n)]
    listed = list(dict.fromkeys(listed))
    if names is None:
        return listed
    unknown = sorted(set(names) - {file.name for file in listed})
    if unknown:
        raise ValueError(f"files: found {unknown}, expected some of {[file.name for file in listed]}")
    return [file for file in listed if file.name in names]


def _some(source, split, everything, n):
    """The first files of a split that together have `n` rows of it."""
    files, n = source.files[split], n or source.rows
    share = len(source.lanes.get(split, range(LANES))) / LANES
    if everything or n is None or files[0].rows is None:
        return files
    total = 0
    for count, file in enumerate(files, start=1):
        total += int(file.rows * share)
        if total >= n:
            return files[:count]
    return files


def _checks(file):
    return {"size": file.size, "md5": file.md5, "sha256": file.sha256}


def _published(file):
    """What is known of a file; where that is little, also what Zenodo publishes in the record."""
    known = _checks(file)
    if file.record is None or (file.size and (file.md5 or file.sha256)):
        return known
    try:
        answer = requests.get(RECORDS.format(file.record), timeout=TIMEOUT)
        answer.raise_for_status()
        listed = {entry["key"]: entry for entry in answer.json()["files"]}[file.name]
        size, (kind, _, checksum) = int(listed["size"]), listed["checksum"].partition(":")
    except (requests.RequestException, ValueError, KeyError, TypeError):
        return known  # the download tells if there is no network
    known["size"] = known["size"] or size
    if kind == "md5" and not (known["md5"] or known["sha256"]):
        known["md5"] = checksum
    return known


def _arrived(folder, files):
    parts = [folder / f"{file.name}.part" for file in files]
    return sum(part.stat().st_size for part in parts if part.exists())


def _alternative(name):
    from hepml_labs.datasets.catalogue import CATALOGUE

    if name in CATALOGUE:
        return f"load({name!r}) reads the bundled sample, and source='generated' makes more, without a network."
    return "The bundled sets need no network: `hepml data list`."
