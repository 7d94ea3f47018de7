"""`hepml train top_tagging`: train the taggers of the chapter, and evaluate those that ship with the project."""

import json
import platform
import time
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import torch
from lightning_fabric import Fabric
from safetensors import SafetensorError, safe_open

from hepml_labs import __version__
from hepml_labs.datasets import load
from hepml_labs.datasets.dataset import SOURCES
from hepml_labs.settings import set_threads
from hepml_labs.top_tagging.leaderboard import measure, write_scores
from hepml_labs.top_tagging.taggers import TAGGERS, Tagger, train_tagger
from hepml_labs.top_tagging.weights import rounded, save_tagger

COMMAND = "hepml train top_tagging"
VALIDATION = 6000  # jets, where the sample does not say


def add_arguments(parser):
    """Add the options of ``hepml train top_tagging`` to a parser.

    Parameters
    ----------
    parser : argparse.ArgumentParser

    Examples
    --------
    >>> import argparse
    >>> parser = argparse.ArgumentParser()
    >>> add_arguments(parser)
    >>> parser.parse_args(["--model", "pfn", "--jets", "15000"]).source
    'bundled'
    """
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--model", metavar="NAME", help="the tagger to train")
    what.add_argument("--list", action="store_true", help="list the taggers and their sizes")
    what.add_argument("--evaluate", action="store_true", help="score the weights in data/ that are new or changed")
    parser.add_argument("--source", choices=SOURCES, default="bundled", help="where jets come from (default: bundled)")
    parser.add_argument("--jets", type=int, help="training jets (default: all that there are)")
    parser.add_argument("--epochs", type=int, help="another number than the recipe's")
    parser.add_argument("--seed", type=int, default=0, help="of weights and shuffles (default: 0)")
    parser.add_argument("--devices", type=int, default=1, help="devices on each node (default: 1)")
    parser.add_argument("--nodes", type=int, default=1, help="nodes, under SLURM or torchrun (default: 1)")
    parser.add_argument("--accelerator", default="auto", help="cpu, cuda, mps ... (default: what there is)")
    parser.add_argument("--precision", default="32-true", help="such as bf16-mixed (default: 32-true)")
    parser.add_argument("--checkpoint", type=Path, help="a file to go on from after a stop, written at each epoch")
    parser.add_argument("--output", type=Path, default=Path(), help="file or folder for the weights (default: here)")
    parser.add_argument("--half", action="store_true", help="store matrices in 16 bits, and evaluate them so")


def run(chosen):
    """Run ``hepml train top_tagging`` with parsed options and return the exit code.

    Parameters
    ----------
    chosen : argparse.Namespace
        With the options of `add_arguments`.

    Returns
    -------
    int
        0 when all went well, 130 after a stop from the keyboard.

    Raises
    ------
    ValueError
        For an unknown tagger, an option out of range, or a checkpoint of another training.
    FileExistsError
        If there are weights of that name already.
    """
    set_threads()
    if chosen.list:
        return _list()
    if chosen.evaluate:
        print(write_scores())
        return 0
    try:
        return _train(chosen)
    except KeyboardInterrupt:
        if chosen.checkpoint:
            print("Stopped. Finished epochs are kept: the same command goes on from there.")
        return 130


def _list():
    print(f"{'name':20s} {'parameters':>10s} {'particles':>9s} {'epochs':>6s}  citation")
    for name, recipe in TAGGERS.items():
        try:
            parameters = f"{_parameters(Tagger(name)):,}"
        except ImportError:
            parameters = "not there"  # an optional package
        print(f"{name:20s} {parameters:>10s} {recipe.particles:9d} {recipe.settings['epochs']:6d}  {recipe.citation}")
    return 0


def _train(chosen):
    if chosen.model not in TAGGERS:
        raise ValueError(f"--model: found {chosen.model!r}, expected one of {', '.join(TAGGERS)}")
    for option in ("jets", "epochs", "devices", "nodes"):
        value = getattr(chosen, option)
        if value is not None and value < 1:
            raise ValueError(f"--{option}: found {value}, expected at least 1")
    fabric = _fabric(chosen)
    train, validation, test = _load_in_turn(chosen, fabric)
    jets = len(train)
    output = chosen.output
    if output.suffix != ".safetensors":
        output = output / f"{chosen.model}-{jets}-{chosen.seed}.safetensors"
    if output.exists():
        raise FileExistsError(f"--output: {output} exists already; delete it, or choose another file")
    first = fabric is None or fabric.global_rank == 0
    before = _steps_done(chosen, jets, first)
    start = time.process_time()
    tagger, history = train_tagger(
        chosen.model, train, validation, seed=chosen.seed, epochs=chosen.epochs,
        fabric=fabric, checkpoint=chosen.checkpoint, precision=chosen.precision,
    )  # fmt: skip
    used = (time.process_time() - start) * (fabric.world_size if fabric else 1)
    if before:  # the CPU time of the steps before the stop is not known: as much for each as for those after it
        used = used * history.steps / (history.steps - before) if history.steps > before else sum(history.seconds)
    if not first:
        return 0
    if chosen.half:
        tagger.network.load_state_dict(rounded(tagger.network.state_dict()))
    device = next(tagger.parameters()).device
    found = measure(test["is_top"], tagger.score(test["constituents"]))
    facts = {
        "command": _command(chosen, jets),
        "jets": jets,
        "epochs": len(history.train_loss),
        "seed": chosen.seed,
        "source": chosen.source,
        "parameters": _parameters(tagger),
        "cpu_seconds": f"{used:.0f}",
        "resumed_at_step": before,
        "seconds": f"{sum(history.seconds):.0f}",
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "devices": fabric.world_size if fabric else 1,
        "threads": torch.get_num_threads(),
        "validation_loss": f"{min(history.validation_loss):.5f}",
        "best_epoch": history.best_epoch + 1,
        "test_jets": f"{len(test)} {test.card['source']}",
        **{name: f"{value:.6f} +- {error:.6f}" for name, (value, error) in found.items()},
        "versions": _versions(),
        "date": datetime.now(UTC).date().isoformat(),
    }
    save_tagger(output, tagger, facts, half=chosen.half)
    value, error = found["auc"]
    print(f"{output}: AUC {value:.4f} ± {error:.4f} on {len(test):,} test jets; {used:,.0f} s of CPU")
    return 0


def _fabric(chosen):
    """Return a launched Fabric, or None where `fit` does well without."""
    plain = chosen.accelerator == "auto" or (chosen.accelerator == "cpu" and not torch.cuda.is_available())
    if chosen.devices == chosen.nodes == 1 and plain:
        return None
    fabric = Fabric(
        accelerator=chosen.accelerator,
        devices=chosen.devices,
        num_nodes=chosen.nodes,
        strategy="auto" if chosen.devices * chosen.nodes == 1 else "ddp",
        precision=chosen.precision,
    )
    fabric.launch()
    return fabric


def _load_in_turn(chosen, fabric):
    """Load the jets in every process, so that what is generated or downloaded is made once on each disk."""
    if fabric is None:
        return _load(chosen)
    for turn in (fabric.global_rank == 0, fabric.local_rank == 0 and fabric.global_rank > 0, fabric.local_rank > 0):
        if turn:
            data = _load(chosen)
        fabric.barrier()
    return data


def _load(chosen):
    train = load("top_tagging", "train", chosen.source, n=chosen.jets)
    if chosen.source == "public":
        return train, *(load("top_tagging", split, "public") for split in ("validation", "test"))
    n = VALIDATION if chosen.source == "bundled" else max(VALIDATION, len(train) // 10)
    return train, load("top_tagging", "validation", chosen.source, n=n), load("top_tagging", "test")


def _steps_done(chosen, jets, first):
    """Return how many steps the checkpoint holds, after a look whether it is one of the same training."""
    path = chosen.checkpoint
    if path is None:
        return 0
    note = path.with_name(path.name + ".json")
    settings = {"model": chosen.model, "jets": jets, "epochs": chosen.epochs, "seed": chosen.seed}
    settings |= {"source": chosen.source, "processes": chosen.devices * chosen.nodes}
    if not path.exists():
        if first:
            path.parent.mkdir(parents=True, exist_ok=True)
            note.write_text(json.dumps(settings))
        return 0
    other = json.loads(note.read_text()) if note.exists() else settings
    if other != settings:
        raise ValueError(f"--checkpoint: {path} belongs to {other}, not to {settings}; delete it or name another")
    try:
        with safe_open(path, framework="pt") as file:
            return json.loads(file.metadata()["history"])["steps"]
    except (SafetensorError, OSError, KeyError, TypeError) as error:
        raise ValueError(f"--checkpoint: {path} is no checkpoint ({error}); delete it to start afresh") from error


def _parameters(tagger):
    return sum(parameter.numel() for parameter in tagger.parameters())


def _command(chosen, jets):
    words = [COMMAND, "--model", chosen.model, "--source", chosen.source, "--jets", str(jets)]
    words += ["--epochs", str(chosen.epochs)] if chosen.epochs else []
    words += ["--seed", str(chosen.seed)]
    defaults = {"devices": 1, "nodes": 1, "accelerator": "auto", "precision": "32-true"}
    for option, default in defaults.items():
        if getattr(chosen, option) != default:
            words += [f"--{option}", str(getattr(chosen, option))]
    return " ".join(words + (["--half"] if chosen.half else []))


def _versions():
    packages = {name: metadata.version(name) for name in ("torch", "numpy", "safetensors")}
    packages = {"hepml-labs": __version__, "python": platform.python_version(), **packages}
    return ", ".join(f"{name} {version}" for name, version in packages.items())
