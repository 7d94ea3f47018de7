"""`hepml train`: the dispatch, the training of a tagger, a stop and its continuation, several processes."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from hepml_labs import cli, training
from hepml_labs.datasets import load
from hepml_labs.top_tagging import train as command
from hepml_labs.top_tagging.taggers import TAGGERS
from hepml_labs.top_tagging.weights import load_tagger, read_facts

SIZES = {"train": 256, "validation": 100, "test": 200}


@pytest.fixture(autouse=True)
def few_jets(monkeypatch):
    def load_few(name, split, source="bundled", n=None):
        return load(name, split, source, n=min(n or 10**9, SIZES[split]))

    monkeypatch.setattr(command, "load", load_few)


def train(*arguments):
    return cli.main(["train", "top_tagging", *map(str, arguments)])


def test_trains_and_writes_what_it_did(tmp_path, capsys):
    assert train("--model", "pfn", "--epochs", 1, "--seed", 3, "--half", "--output", tmp_path) == 0
    path = tmp_path / "pfn-256-3.safetensors"
    facts = read_facts(path)
    assert facts["command"] == (
        "hepml train top_tagging --model pfn --source bundled --jets 256 --epochs 1 --seed 3 --half"
    )
    assert (facts["epochs"], facts["best_epoch"], facts["test_jets"]) == ("1", "1", "200 bundled")
    assert "AUC" in capsys.readouterr().out
    score = load_tagger(path).score(load("top_tagging", "test", n=200)["constituents"])
    from hepml_labs.evaluation import area_under_curve

    area = area_under_curve(load("top_tagging", "test", n=200)["is_top"], score)
    assert facts["auc"] == f"{area.value:.6f} +- {area.error:.6f}"  # of the rounded weights


def test_a_name_may_be_given_and_nothing_is_overwritten(tmp_path, capsys):
    path = tmp_path / "mine.safetensors"
    path.write_text("precious")
    assert train("--model", "pfn", "--output", path) == 1
    assert "mine.safetensors exists already" in capsys.readouterr().err
    assert path.read_text() == "precious"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--model", "nix"), "--model: found 'nix', expected one of cnn"),
        (("--model", "pfn", "--jets", 0), "--jets: found 0, expected at least 1"),
        (("--model", "pfn", "--devices", 0), "--devices: found 0"),
    ],
)
def test_wrong_options_are_named(arguments, said, capsys):
    assert train(*arguments) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["top_tagging"], ["top_tagging", "--model", "pfn", "--list"]])
def test_wrong_usage_stops_with_two(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", *arguments])
    assert stop.value.code == 2
    assert "usage: hepml train" in capsys.readouterr().err


def test_list_shows_all_taggers(capsys):
    assert train("--list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(TAGGERS)


def test_goes_on_after_a_stop_where_it_was(tmp_path, monkeypatch, capsys):
    options = ["--model", "pfn", "--epochs", 3]
    assert train(*options, "--output", tmp_path / "whole") == 0
    with_checkpoint = [*options, "--checkpoint", tmp_path / "run.safetensors", "--output", tmp_path / "parts"]
    save = training.save_checkpoint

    def save_and_stop(*arguments):
        save(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training, "save_checkpoint", save_and_stop)
        assert train(*with_checkpoint) == 130
    assert "goes on from there" in capsys.readouterr().out
    assert train(*with_checkpoint, "--seed", 1) == 1
    assert "belongs to" in capsys.readouterr().err
    assert train(*with_checkpoint) == 0
    whole, parts = (load_tagger(tmp_path / name / "pfn-256-0.safetensors") for name in ("whole", "parts"))
    for one, other in zip(whole.parameters(), parts.parameters(), strict=True):
        assert torch.equal(one, other)
    facts = read_facts(tmp_path / "parts" / "pfn-256-0.safetensors")
    assert (facts["epochs"], facts["resumed_at_step"]) == ("3", "2")


def test_a_foreign_checkpoint_is_refused(tmp_path, capsys):
    path = tmp_path / "run.safetensors"
    path.write_text("not a checkpoint")
    assert train("--model", "pfn", "--checkpoint", path, "--output", tmp_path) == 1
    assert "run.safetensors is no checkpoint" in capsys.readouterr().err


TWO_PROCESSES = """
import dataclasses, sys
from hepml_labs import cli
from hepml_labs.datasets import load
from hepml_labs.top_tagging import taggers, train
taggers.TAGGERS["pfn"] = dataclasses.replace(taggers.TAGGERS["pfn"], augment=None)
sizes = {"train": 256, "validation": 100, "test": 200}
train.load = lambda name, split, source="bundled", n=None: load(name, split, source, n=sizes[split])
sys.exit(cli.main(sys.argv[1:]))
"""


def test_two_processes_train_one_tagger(tmp_path, monkeypatch):
    # each process draws random numbers of its own, so that only a recipe without any trains the same network
    monkeypatch.setitem(TAGGERS, "pfn", replace(TAGGERS["pfn"], augment=None))
    script = tmp_path / "two.py"
    script.write_text(TWO_PROCESSES)
    options = ["--model", "pfn", "--epochs", "2", "--accelerator", "cpu"]
    run = subprocess.run(
        [sys.executable, script, "train", "top_tagging", *options, "--devices", "2", "--output", tmp_path / "two"],
        capture_output=True, text=True, timeout=240, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("test jets;") == 1  # the first process alone writes
    assert train(*options, "--output", tmp_path / "one") == 0
    two, one = (load_tagger(tmp_path / name / "pfn-256-0.safetensors") for name in ("two", "one"))
    for first, second in zip(one.parameters(), two.parameters(), strict=True):
        torch.testing.assert_close(first, second, rtol=1e-3, atol=1e-5)
    assert read_facts(tmp_path / "two" / "pfn-256-0.safetensors")["devices"] == "2"
