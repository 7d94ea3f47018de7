"""Run a recipe in units of work: here, in a pool of processes or on a Dask cluster; and go on after a stop."""

import hashlib
import importlib
import multiprocessing
import os
import shutil
import signal
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from hepml_labs.datasets import store
from hepml_labs.validation import check_count


def generate(entry, n, seed, *, workers=1, scheduler=None, kept=None):
    """Make packed columns by the recipe of a catalogue entry.

    The work is cut into chunks, each with a seed of its own that follows from `seed` and the chunk's number. The
    result is the same for any number of workers, and a smaller sample opens a larger one.

    Parameters
    ----------
    entry : hepml_labs.datasets.Entry
    n : int
        Number of rows.
    seed : int
    workers : int
        Processes on this machine.
    scheduler : str, optional
        Address of a Dask scheduler, such as ``"tcp://node:8786"``; its workers do the work, and `workers` is unused.
        They need the same version of this package.
    kept : path, optional
        Folder for finished chunks. Those found there are not made again, and it is removed when all are done.

    Returns
    -------
    dict of numpy arrays, first dimension n
        What the recipe's ``pack`` gives.

    Raises
    ------
    ValueError
        If `n` or `workers` is not a whole number above zero.

    Examples
    --------
    >>> from hepml_labs.datasets import CATALOGUE
    >>> generate(CATALOGUE["gluons_3g"], 10, seed=1)["amplitude"].shape
    (10,)
    """
    check_count("n", n)
    check_count("workers", workers)
    recipe = importlib.import_module(entry.recipe)
    size = getattr(recipe, "CHUNK", n)  # recipes that take seconds have no chunks
    tasks = {}
    for number, first in enumerate(range(0, n, size)):
        own = int(np.random.SeedSequence([seed, number]).generate_state(1)[0]) if hasattr(recipe, "CHUNK") else seed
        tasks[number] = (entry.recipe, min(size, n - first), own, entry.settings)
    mark = fingerprint(entry)
    done = _finished(kept, tasks, mark) if kept else {}
    bar = tqdm(total=n, desc=entry.name, unit="row", unit_scale=True, disable=os.environ.get("HEPML_PROGRESS") == "0")
    bar.update(sum(tasks[number][1] for number in done))
    waiting = {number: task for number, task in tasks.items() if number not in done}
    with bar:
        for number, columns in _results(waiting, workers, scheduler):
            done[number] = columns
            if kept:
                store.write(kept / _name(number), {"task": repr((mark, tasks[number]))}, {"chunk": columns})
            bar.update(tasks[number][1])
    columns = {name: np.concatenate([done[number][name] for number in sorted(done)]) for name in done[0]}
    if kept:
        shutil.rmtree(kept, ignore_errors=True)
    return columns


def fingerprint(entry):
    """Return a short hash of what decides the rows of an entry besides the seed: its settings and the code behind them.

    Parameters
    ----------
    entry : hepml_labs.datasets.Entry

    Returns
    -------
    str

    Examples
    --------
    >>> from hepml_labs.datasets import CATALOGUE
    >>> fingerprint(CATALOGUE["gluons_3g"]) == fingerprint(CATALOGUE["gluons_4g"])
    False
    """
    digest = hashlib.sha256(repr((entry.recipe, entry.settings, versions(entry))).encode())
    recipe = Path(importlib.import_module(entry.recipe).__file__)
    here = Path(__file__).parent
    for path in (recipe, *sorted(here.parent.glob("physics/*.py")), here / "packing.py", here / "pythia.py"):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:8]


def versions(entry):
    """Return the versions of what made a sample: this package, numpy, and the generators of the entry.

    Parameters
    ----------
    entry : hepml_labs.datasets.Entry

    Returns
    -------
    dict of str to str

    Examples
    --------
    >>> from hepml_labs.datasets import CATALOGUE
    >>> list(versions(CATALOGUE["gluons_3g"]))
    ['hepml-labs', 'numpy']
    """
    return {name: metadata.version(name) for name in ("hepml-labs", "numpy", *entry.packages)}


def _chunk(recipe, n, seed, settings):
    """One unit of work; runs in any process that can import this package."""
    module = importlib.import_module(recipe)
    columns = module.generate(n, seed, **settings)
    return module.pack(columns) if hasattr(module, "pack") else columns


def _results(tasks, workers, scheduler):
    """Yield the number and the columns of each chunk as it is done."""
    if workers == 1 and scheduler is None:
        for number, task in tasks.items():
            yield number, _chunk(*task)
        return
    with _executor(workers, scheduler) as executor:
        futures = {executor.submit(_chunk, *task): number for number, task in tasks.items()}
        for future in as_completed(futures):
            yield futures[future], future.result()


@contextmanager
def _executor(workers, scheduler):
    """Give an executor of the standard library's kind; chunks that wait are not begun after Ctrl-C or an error."""
    if scheduler is None:
        # spawned, not forked: Pythia and FastJet start clean in each process
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_ignore_interrupt)
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)
    else:
        from distributed import Client

        with Client(scheduler) as client:
            yield client.get_executor()


def _ignore_interrupt():
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _name(number):
    return f"{number:05d}.h5"


def _finished(kept, tasks, mark):
    """Chunks of an earlier, interrupted run of the same code. Each file is whole: it got its name when it was."""
    found = {}
    for number, task in tasks.items():
        if (kept / _name(number)).exists():
            card, columns = store.read(kept / _name(number), "chunk")
            if card["task"] == repr((mark, task)):
                found[number] = columns
    return found
