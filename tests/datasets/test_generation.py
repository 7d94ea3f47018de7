"""The worker pool: the same rows for any number of workers, on a cluster, and after an interruption."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from hepml_labs.datasets import Entry, generation, store

RECIPE = """
import time
from pathlib import Path

import numpy as np

CHUNK = 10

def generate(n, seed, *, log=None, fail_at=None, pause=0.0):
    time.sleep(pause)
    if log:
        with open(log, "a") as file:
            file.write(f"{n} {seed}\\n")
        if fail_at is not None and len(Path(log).read_text().splitlines()) == fail_at:
            raise KeyboardInterrupt
    return {"x": np.random.default_rng(seed).normal(size=n)}

def pack(columns):
    return {"packed": columns["x"].astype(np.float32)}
"""


@pytest.fixture
def entry(tmp_path, monkeypatch):
    (tmp_path / "toy_recipe.py").write_text(RECIPE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("HEPML_PROGRESS", "0")

    def make(**settings):
        return Entry("toy", "Toy", "", "toy_recipe", {}, 1, "numpy", settings=settings)

    yield make
    sys.modules.pop("toy_recipe", None)


def test_chunks_are_independent_and_a_smaller_sample_opens_a_larger_one(entry):
    large = generation.generate(entry(), 95, seed=3)["packed"]
    assert large.shape == (95,) and large.dtype == np.float32 and len(np.unique(large)) == 95
    for n in (1, 10, 25):
        np.testing.assert_array_equal(generation.generate(entry(), n, seed=3)["packed"], large[:n])
    assert not np.isin(generation.generate(entry(), 95, seed=4)["packed"], large).any()


def test_workers_change_nothing(entry):
    np.testing.assert_array_equal(
        generation.generate(entry(), 45, seed=3, workers=2)["packed"],
        generation.generate(entry(), 45, seed=3)["packed"],
    )


def test_a_dask_cluster_changes_nothing(entry):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        found = generation.generate(entry(), 45, seed=3, scheduler=cluster.scheduler_address)["packed"]
    np.testing.assert_array_equal(found, generation.generate(entry(), 45, seed=3)["packed"])


def test_an_interruption_keeps_finished_chunks(entry, tmp_path):
    log, kept = tmp_path / "log", tmp_path / "kept"
    with pytest.raises(KeyboardInterrupt):
        generation.generate(entry(log=str(log), fail_at=4), 95, seed=3, kept=kept)
    assert sorted(path.name for path in kept.iterdir()) == ["00000.h5", "00001.h5", "00002.h5"]
    # the settings differ, so nothing of it may be used
    generation.generate(entry(log=str(tmp_path / "other")), 95, seed=3, kept=tmp_path / "kept2")
    found = generation.generate(entry(log=str(log), fail_at=4), 95, seed=3, kept=kept)["packed"]
    np.testing.assert_array_equal(found, generation.generate(entry(), 95, seed=3)["packed"])
    assert len(log.read_text().splitlines()) == 4 + 7  # three kept, one interrupted, seven more
    assert not kept.exists()


def test_chunks_of_other_settings_are_made_again(entry, tmp_path):
    log, kept = tmp_path / "log", tmp_path / "kept"
    with pytest.raises(KeyboardInterrupt):
        generation.generate(entry(log=str(log), fail_at=4), 95, seed=3, kept=kept)
    generation.generate(entry(log=str(log), fail_at=400), 95, seed=3, kept=kept)
    assert len(log.read_text().splitlines()) == 4 + 10


KILLED = """
import sys
sys.path.insert(0, {folder!r})
from pathlib import Path
from hepml_labs.datasets import Entry, generation
if __name__ == "__main__":
    entry = Entry("toy", "Toy", "", "toy_recipe", {{}}, 1, "numpy", settings={{"pause": 0.1}})
    generation.generate(entry, 95, seed=3, workers={workers}, kept=Path({kept!r}))
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_run_goes_on(entry, tmp_path, workers):
    kept, script = tmp_path / "kept", tmp_path / "run.py"
    script.write_text(KILLED.format(folder=str(tmp_path), kept=str(kept), workers=workers))
    process = subprocess.Popen([sys.executable, str(script)], stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 60
    while len(list(kept.glob("*.h5"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    finished = list(kept.glob("*.h5"))
    assert 2 <= len(finished) < 10
    for path in finished:
        assert len(store.read(path, "chunk")[1]["packed"]) == 10
    found = generation.generate(entry(pause=0.1), 95, seed=3, kept=kept)["packed"]
    np.testing.assert_array_equal(found, generation.generate(entry(), 95, seed=3)["packed"])


@pytest.mark.parametrize("bad", [{"n": 0}, {"n": 5, "workers": 0}])
def test_bad_numbers_are_named(entry, bad):
    with pytest.raises(ValueError, match="workers: found 0" if "workers" in bad else "n: found 0"):
        generation.generate(entry(), **{"seed": 1, **bad})
