"""Download a large file: resumed where it broke off, checked, and visible only when it is whole and right."""

import errno
import json
import os
import shutil
import time
from pathlib import Path
from urllib.parse import urlsplit

import requests
from filelock import FileLock, Timeout
from tqdm.auto import tqdm
from urllib3.exceptions import MaxRetryError

from hepml_labs.datasets.public.checks import difference, examine, is_verified, record
from hepml_labs.datasets.store import DamagedFile

CHUNK = 16384  # bytes; what is lost when a connection breaks stays below this
LONGEST_WAIT = 60.0  # seconds


class _Broken(Exception):
    """An answer that broke off or makes no sense; worth another try."""


def download(
    url, path, *, size=None, md5=None, sha256=None, progress=True, timeout=30.0, wait=1.0, patience=8, alternative=""
):
    """Fetch a file from the web, going on where an earlier attempt broke off.

    The data grow in a neighbour ending in ``.part``, which survives a kill, a full disk and a lost network; the next
    call asks for the rest only (a range request that holds for the very same version of the file, RFC 9110, sections
    13.1.5 and 14.2). The file takes its name when its size and checksums are right. A second process that wants the
    same file waits for the first and takes its result.

    Parameters
    ----------
    url : str
    path : path
        Where the file goes. One that is already there is taken if it was checked before or is right.
    size : int, optional
        Published size in bytes.
    md5, sha256 : str, optional
        Published checksums, hexadecimal.
    progress : bool
        Show a progress bar (never where ``HEPML_PROGRESS=0``).
    timeout : float
        Seconds without a byte after which a connection counts as stalled.
    wait : float
        Seconds before the first new attempt; doubled after each attempt that brought nothing, up to a minute.
    patience : int
        Number of attempts in a row that may bring nothing. As long as the file grows, attempts are free.
    alternative : str
        A sentence for the error without network: what works without.

    Returns
    -------
    pathlib.Path
        `path`.

    Raises
    ------
    ConnectionError
        If the server cannot be reached or stays silent.
    OSError
        If the server refuses, or the disk is too small or full; what has arrived is kept for the next call.
    DamagedFile
        If what arrives is not the published file, twice.

    Examples
    --------
    >>> download("https://zenodo.org/records/2603256/files/test.h5", "test.h5", size=347849376)  # doctest: +SKIP
    PosixPath('test.h5')
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    published = {"size": size, "md5": md5, "sha256": sha256}
    hidden = not progress or os.environ.get("HEPML_PROGRESS") == "0"
    with _alone(path):
        if is_verified(path, **published):
            return path
        for _ in range(2):
            with tqdm(desc=path.name, unit="B", unit_scale=True, leave=False, disable=hidden) as bar:
                _complete(url, part, published, bar, timeout, wait, patience, alternative)
            found = examine(part)
            wrong = difference(found, **published)
            if not wrong:
                os.replace(part, path)
                record(path, {"url": url, "published": published, **found})
                _forget(part)
                return path
            _forget(part)  # and once more from the start: the fault may have been on the way
        raise DamagedFile(f"{url} is not the published file: {wrong}. It was fetched twice; nothing of it is kept.")


def _alone(path):
    """Return a lock that is held; say so when another process has it."""
    lock = FileLock(path.with_name(path.name + ".lock"))
    try:
        return lock.acquire(timeout=0)
    except Timeout:
        print(f"another process is fetching {path}: waiting for it")
        return lock.acquire()


def _complete(url, part, published, bar, timeout, wait, patience, alternative):
    """Attempt after attempt until the part is complete."""
    reached, idle, answered = _length(part), 0, False
    if published["size"] == reached:
        return  # whole, but its process ended before the check
    while True:
        try:
            return _attempt(url, part, published, bar, timeout)
        except (requests.RequestException, _Broken) as error:
            unreachable = isinstance(error.args[0] if error.args else None, MaxRetryError)
            if unreachable and not answered:
                raise ConnectionError(
                    f"no network: {urlsplit(url).netloc} cannot be reached ({error.args[0].reason}). {alternative}"
                ) from error
            answered = True
            idle = 0 if _length(part) > reached else idle + 1
            reached = max(reached, _length(part))
            if idle > patience:
                raise ConnectionError(
                    f"{url} brought nothing in {idle} attempts, the last: {error}. What has arrived is kept, and the "
                    f"next call goes on from there. {alternative}"
                ) from error
            time.sleep(min(wait * 2 ** max(idle - 1, 0), LONGEST_WAIT))


def _attempt(url, part, published, bar, timeout):
    """Ask for what is missing and append it."""
    offset, version = _length(part), _version(part, url)
    if not (version or published["md5"] or published["sha256"]):
        offset = 0  # nothing would tell whether the rest belongs to the same file
    headers = {"Accept-Encoding": "identity"}
    if offset:
        headers |= {"Range": f"bytes={offset}-"} | ({"If-Range": version} if version else {})
    with requests.get(url, headers=headers, stream=True, timeout=timeout) as response:
        if response.status_code in (408, 429) or response.status_code >= 500:
            raise _Broken(f"the server answered {response.status_code} {response.reason}")
        if response.status_code == 416:
            return _after_the_end(response, part, offset)
        if not response.ok:
            raise OSError(f"{url}: the server answered {response.status_code} {response.reason}")
        if response.headers.get("Content-Type", "").startswith("text/html"):
            raise OSError(f"{url}: the answer is a web page, not a file. Does this network ask for a login?")
        total = _total(response, offset)
        if response.status_code != 206:  # the whole file: ranges are refused, or the file has changed since
            offset = 0
        elif total is None or (version and _version_of(response) not in ("", version)):
            _forget(part)
            raise _Broken(f"asked for bytes {offset}-, was sent {response.headers.get('Content-Range')}")
        if None not in (total, published["size"]) and total != published["size"]:
            raise DamagedFile(
                f"{url}: the server offers {total:,} bytes, the published file has {published['size']:,}. "
                "Either the file was replaced, or something on the way answers in its place (a login page?)."
            )
        check_room(part.parent, (total or 0) - offset)
        if not offset:
            _forget(part)
            _note(part).write_text(json.dumps({"url": url, "version": _version_of(response)}))
            part.touch()
        bar.reset(total)
        bar.update(offset)
        _write(response, part, offset, bar)
    if total is not None and _length(part) != total:
        raise _Broken(f"the connection ended after {_length(part):,} of {total:,} bytes")


def _total(response, offset):
    """Size of the whole file; None where it is not told, or where a part of it does not begin at the offset."""
    if response.status_code != 206:
        length = response.headers.get("Content-Length", "")
        return int(length) if length.isdigit() else None
    span, _, total = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
    return int(total) if total.isdigit() and span.startswith(f"{offset}-") else None


def _after_the_end(response, part, offset):
    """Nothing follows the part (416): either it is complete, or it is no part of this file."""
    if response.headers.get("Content-Range", "").endswith(f"/{offset}"):
        return
    _forget(part)
    raise _Broken(f"the server has nothing after byte {offset}")


def _write(response, part, offset, bar):
    try:
        with open(part, "r+b") as file:
            file.seek(offset)
            for block in response.iter_content(CHUNK):
                file.write(block)
                bar.update(len(block))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise OSError(
            errno.ENOSPC, f"the disk is full; the first {_length(part):,} bytes stay in {part}. Make room and try again"
        ) from error


def check_room(folder, needed):
    """Raise an OSError unless a folder's disk has room.

    Parameters
    ----------
    folder : path
    needed : int
        Bytes.

    Examples
    --------
    >>> check_room("/", 10**18)
    Traceback (most recent call last):
    ...
    OSError: [Errno 28] too little room on the disk of /: needs 1000000000.000 GB, has ... GB
    """
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(
            errno.ENOSPC,
            f"too little room on the disk of {folder}: needs {needed / 1e9:.3f} GB, has {free / 1e9:.3f} GB",
        )


def _version_of(response):
    """Tell apart versions of the file: a strong ETag (a weak one does not promise equal bytes), or its date."""
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified", "")


def _version(part, url):
    """Version that the part belongs to, from the note beside it; empty where unknown."""
    try:
        note = json.loads(_note(part).read_text())
        return note["version"] if note["url"] == url else ""
    except (OSError, ValueError, KeyError):
        return ""


def _note(part):
    return part.with_name(part.name + ".json")


def _length(part):
    return part.stat().st_size if part.exists() else 0


def _forget(part):
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)
