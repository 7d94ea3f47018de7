"""Downloads from a server that truncates, stalls, lies and dies: what is visible is always whole and right."""

import errno
import hashlib
import importlib
import io
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from hepml_labs.datasets import DamagedFile
from hepml_labs.datasets.public.checks import is_verified, recorded

sys.path.insert(0, str(Path(__file__).parent))
from bad_server import BadServer

module = importlib.import_module("hepml_labs.datasets.public.download")

CONTENT = np.random.default_rng(1).bytes(1_000_000)
PUBLISHED = {
    "size": len(CONTENT),
    "md5": hashlib.md5(CONTENT).hexdigest(),
    "sha256": hashlib.sha256(CONTENT).hexdigest(),
}
KEPT = len(CONTENT) // 3 // module.CHUNK * module.CHUNK  # of a third of the file
QUICK = {"timeout": 10, "wait": 0.01, "patience": 2, "progress": False}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cache" / "jets.h5"


def fetch(server, path, **arguments):
    """Download; afterwards the file is whole, or there is none."""
    try:
        return module.download(server.url, path, **(PUBLISHED | QUICK | arguments))
    finally:
        assert not path.exists() or path.read_bytes() in (CONTENT, server.content)


def part_of(path):
    return path.with_name(path.name + ".part")


def leave_a_part(server, path):
    """Two thirds of the file are missing when patience ends."""
    server.faults[:0] = ["truncate", 503]
    with pytest.raises(ConnectionError, match=r"brought nothing in 1 attempts.*503.*kept"):
        fetch(server, path, patience=0)
    assert part_of(path).stat().st_size == KEPT and not path.exists()
    server.asked.clear()


def rest(asked):
    """First bytes of the ranges that were asked for, 0 for the whole file."""
    return [int(wanted[6:-1]) if wanted else 0 for wanted in asked]


def test_a_good_server_is_asked_once_and_nothing_else_is_left(path):
    with BadServer(CONTENT) as server:
        assert fetch(server, path) == path
        assert path.read_bytes() == CONTENT
        assert fetch(server, path) == path  # already there: no request
        assert server.asked == [None]
    assert sorted(file.name for file in path.parent.iterdir()) == ["jets.h5", "jets.h5.lock", "jets.h5.verified.json"]
    assert recorded(path)["sha256"] == PUBLISHED["sha256"] and recorded(path)["url"] == server.url


@pytest.mark.parametrize("fault", ["truncate", "stall"])
def test_what_arrived_is_not_asked_for_again(path, fault):
    before = time.perf_counter()
    with BadServer(CONTENT, [fault, fault, 503, fault]) as server:
        fetch(server, path, timeout=0.4 if fault == "stall" else 10)
        assert path.read_bytes() == CONTENT
        first = rest(server.asked)
    assert time.perf_counter() - before < 15  # a stalled server is silent for 20 seconds
    assert len(first) == 5 and first == sorted(first) and first[1] > len(CONTENT) // 3 - module.CHUNK
    assert first[-1] > 0.7 * len(CONTENT) - 3 * module.CHUNK


def test_attempts_are_free_as_long_as_the_file_grows(path):
    with BadServer(CONTENT, ["truncate"] * 7) as server:
        fetch(server, path)
        assert path.read_bytes() == CONTENT and len(server.asked) == 8


@pytest.mark.parametrize("faults", [["no range, truncate"] * 9, [500] * 9, ["silence"] * 9, [429] * 9])
def test_a_server_that_brings_nothing_more_is_given_up(path, faults):
    with BadServer(CONTENT, faults) as server:
        with pytest.raises(ConnectionError, match=r"brought nothing in 3 attempts.*bundled"):
            fetch(server, path, timeout=0.4, alternative="The bundled sample works without.")
        assert not path.exists() and len(server.asked) <= 4


def test_a_server_that_refuses_ranges_starts_again(path):
    with BadServer(CONTENT, ["truncate", "no range"]) as server:
        fetch(server, path)
        assert path.read_bytes() == CONTENT
        assert rest(server.asked) == [0, KEPT]


@pytest.mark.parametrize(
    ("fault", "asked"), [("wrong range", [KEPT, 0]), ("changed", [KEPT]), ("changed, ignore If-Range", [KEPT, 0])]
)
@pytest.mark.parametrize("named_by", ["tag", "date"])
def test_parts_of_different_files_are_never_joined(path, fault, asked, named_by):
    """A wrong Content-Range, and a file that changed between attempts, even with no checksum to notice it."""
    with BadServer(CONTENT, tag=named_by == "tag", date=named_by == "date") as server:
        leave_a_part(server, path)
        server.faults.append(fault)
        fetch(server, path, md5=None, sha256=None)
        assert path.read_bytes() == server.content and rest(server.asked) == asked
    assert (server.content == CONTENT) is (fault == "wrong range")


def test_without_version_and_checksum_there_is_no_resuming(path):
    with BadServer(CONTENT, ["truncate"], tag=False) as server:
        fetch(server, path, md5=None, sha256=None)
        assert rest(server.asked) == [0, 0]
    path.unlink()
    with BadServer(CONTENT, ["truncate"], tag=False) as server:
        fetch(server, path)  # the checksum would notice
        assert rest(server.asked) == [0, KEPT]


def test_a_wrong_byte_is_fetched_again_from_scratch_once(path):
    with BadServer(CONTENT, ["wrong byte"]) as server:
        fetch(server, path)
        assert path.read_bytes() == CONTENT and server.asked == [None, None]
    path.unlink()
    with BadServer(CONTENT, ["wrong byte"] * 2) as server:
        with pytest.raises(DamagedFile, match=r"not the published file: sha256 is .* twice"):
            fetch(server, path)
        assert not path.exists() and not part_of(path).exists() and len(server.asked) == 2


def test_a_part_that_goes_wrong_is_not_resumed_for_ever(path):
    with BadServer(CONTENT) as server:
        leave_a_part(server, path)
        part_of(path).write_bytes(bytes(KEPT))
        fetch(server, path)
        assert path.read_bytes() == CONTENT
        assert rest(server.asked) == [KEPT, 0]


@pytest.mark.parametrize(("extra", "again"), [(0, 0), (5, 1)])
def test_a_part_that_is_complete_or_too_long(path, extra, again):
    """The process was killed just before the check; or the part belongs to another file (416)."""
    with BadServer(CONTENT) as server:
        leave_a_part(server, path)
        part_of(path).write_bytes(CONTENT + bytes(extra))
        fetch(server, path, size=None, md5=None, sha256=None)
        assert path.read_bytes() == CONTENT
        assert len(server.asked) == 1 + again


def test_a_complete_part_needs_no_server(path):
    path.parent.mkdir()
    part_of(path).write_bytes(CONTENT)
    module.download("http://127.0.0.1:1/jets.h5", path, **PUBLISHED, **QUICK)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        (404, OSError, "the server answered 404"),
        (403, OSError, "the server answered 403"),
        ("short", DamagedFile, r"offers 100 bytes, the published file has 1,000,000"),
        ("web page", OSError, "web page.*login"),
    ],
)
def test_clear_errors_without_further_attempts(path, fault, error, message):
    with BadServer(CONTENT, [fault]) as server:
        with pytest.raises(error, match=message):
            fetch(server, path)
        assert len(server.asked) == 1 and not path.exists()


def test_no_network_is_said_at_once_with_the_alternative(path):
    before = time.perf_counter()
    with pytest.raises(ConnectionError, match=r"no network: 127.0.0.1:1 cannot be reached .*refused.*bundled"):
        module.download(
            "http://127.0.0.1:1/jets.h5", path, timeout=5, alternative="load(...) of the bundled sample works."
        )
    assert time.perf_counter() - before < 3 and not path.exists()


def test_too_little_room_is_said_before_anything_is_written(path, monkeypatch):
    usage = shutil.disk_usage(path.parent.parent)._replace(free=400_000)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: usage)
    with BadServer(CONTENT) as server:
        with pytest.raises(OSError, match=r"too little room .*needs 0.001 GB, has 0.000 GB") as raised:
            fetch(server, path)
    assert raised.value.errno == errno.ENOSPC and not path.exists() and not part_of(path).exists()


class FullDisk(io.FileIO):
    """A file on a disk that is full after 300,000 bytes."""

    def write(self, block):
        if self.tell() + len(block) > 300_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(block)


def test_a_disk_that_fills_up_keeps_the_part(path, monkeypatch):
    with BadServer(CONTENT) as server:
        with monkeypatch.context() as patch:
            patch.setattr(module, "open", FullDisk, raising=False)
            with pytest.raises(
                OSError, match=r"disk is full; the first 2\d\d,\d\d\d bytes stay in .*jets.h5.part"
            ) as raised:
                fetch(server, path)
        assert raised.value.errno == errno.ENOSPC and not path.exists()
        kept = part_of(path).stat().st_size
        fetch(server, path)
        assert path.read_bytes() == CONTENT and rest(server.asked) == [0, kept] and kept > 200_000


FETCH = f"""
import sys
from hepml_labs.datasets.public.download import download
download(sys.argv[1], sys.argv[2], md5={PUBLISHED["md5"]!r}, progress=False, timeout=5)
"""


def start(server, path):
    arguments = [sys.executable, "-c", FETCH, server.url, str(path)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)


def test_a_killed_download_goes_on_where_it_was(path):
    with BadServer(CONTENT, ["stall"]) as server:
        process = start(server, path)
        deadline = time.monotonic() + 20
        while not (part_of(path).exists() and part_of(path).stat().st_size > 200_000):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        kept = part_of(path).stat().st_size
        assert process.returncode == -signal.SIGKILL and not path.exists()
        fetch(server, path)
        assert path.read_bytes() == CONTENT
        assert rest(server.asked) == [0, kept]  # only the rest


def test_a_server_that_is_killed_half_way(path):
    with BadServer(CONTENT, ["die"]) as server:
        with pytest.raises(ConnectionError, match=r"brought nothing in 3 attempts.*refused.*kept"):
            fetch(server, path)
    assert part_of(path).stat().st_size == KEPT and not path.exists()
    with BadServer(CONTENT, port=server.server_address[1]) as server:  # it comes back
        fetch(server, path)
        assert path.read_bytes() == CONTENT and rest(server.asked) == [KEPT]


def test_two_processes_fetch_once(path):
    with BadServer(CONTENT, ["slow", "slow"]) as server:
        processes = [start(server, path) for _ in range(2)]
        printed = [process.communicate(timeout=30)[0] for process in processes]
        assert [process.returncode for process in processes] == [0, 0]
        assert path.read_bytes() == CONTENT and server.asked == [None]
    assert sum("another process is fetching" in text for text in printed) <= 1


def test_checksums_are_computed_once_and_again_when_the_file_changes(path, monkeypatch):
    checks = importlib.import_module("hepml_labs.datasets.public.checks")
    with BadServer(CONTENT) as server:
        fetch(server, path)
        calls = []
        examine = checks.examine
        monkeypatch.setattr(checks, "examine", lambda path: calls.append(path) or examine(path))
        assert is_verified(path, **PUBLISHED) and calls == []
        assert is_verified(path, **PUBLISHED, again=True) and len(calls) == 1
        changed = bytearray(CONTENT)
        changed[500] ^= 1
        path.write_bytes(changed)
        os.utime(path, ns=(0, 0))
        assert not is_verified(path, **PUBLISHED) and not is_verified(path)  # not what it was when it came
        module.download(server.url, path, **PUBLISHED, **QUICK)
        assert path.read_bytes() == CONTENT and len(server.asked) == 2
