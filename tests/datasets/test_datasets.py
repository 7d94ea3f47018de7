"""Loading, storing and generating data sets: contents, damage, and bad input."""

import json
import subprocess
import sys
from importlib import metadata

import numpy as np
import pytest

from hepml_labs import paths
from hepml_labs.datasets import CATALOGUE, DamagedFile, load, store
from hepml_labs.datasets.cli import checksums, damaged, main
from hepml_labs.datasets.entry import SPLITS

NAMES = sorted(CATALOGUE)


@pytest.mark.parametrize("name", NAMES)
def test_citations_are_in_the_bibliography(name):
    bibliography = (paths.book() / "references.bib").read_text()
    assert CATALOGUE[name].citation
    for key in CATALOGUE[name].citation:
        assert f"{{{key}," in bibliography


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HEPML_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("split", SPLITS)
def test_bundled_sets_have_the_columns_of_their_card(name, split):
    entry, data = CATALOGUE[name], load(name, split)
    assert data.columns == list(entry.columns) == list(data.card["columns"])
    assert len(data) == entry.sizes[split]
    for column in data.columns:
        assert len(data[column]) == len(data) and np.isfinite(data[column]).all()
    made_with = data.card["made_with"]
    assert {"hepml-labs", "numpy", *entry.packages} == set(made_with) and all(made_with.values())
    assert data.card == {**entry.card(), "made_with": made_with, "split": split, "source": "bundled"}
    assert data.card["title"] in repr(data) and data.card["title"] in data._repr_html_()


@pytest.mark.parametrize("name", NAMES)
def test_generated_sets_are_the_bundled_ones(name, home):
    """The recipe gives back the first bundled rows: generators draw row by row or in fixed blocks.

    So a small set opens every larger one of its seed, and what the tests of a recipe find in bundled rows holds for it.
    """
    if "pythia8mc" in CATALOGUE[name].packages:
        pytest.importorskip("pythia8mc")
    n = 20
    bundled = load(name, "test", n=n)
    if any(bundled.card["made_with"][package] != metadata.version(package) for package in CATALOGUE[name].packages):
        pytest.skip("another version of the generator made the bundled file")
    again = load(name, "test", source="generated", n=CATALOGUE[name].sizes["test"] if "cal" in name else n)
    assert again.columns == bundled.columns
    for column in bundled.columns:
        np.testing.assert_allclose(again[column][:n], bundled[column], rtol=1e-6)


def test_bundled_files_are_small():
    assert sum(path.stat().st_size for path in paths.data().glob("*.h5")) < 60e6


@pytest.mark.parametrize("name", NAMES)
def test_splits_are_independent(name):
    samples = [load(name, split, n=1000) for split in SPLITS]
    rows = [np.column_stack([data[column].reshape(1000, -1) for column in data.columns]) for data in samples]
    assert len(np.unique(np.concatenate(rows), axis=0)) == 3000


@pytest.mark.parametrize("name", ["gluons_3g", "z_jets"])
def test_the_same_seed_gives_the_same_file(home, name):
    if name != "gluons_3g":
        pytest.importorskip("pythia8mc")
    sums = set()
    for _ in range(2):
        load(name, source="generated", n=100, seed=7)
        (path,) = (home / "generated").glob("*.h5")
        sums.add(store.sha256(path))
        path.unlink()
    assert len(sums) == 1
    load(name, source="generated", n=100, seed=8)
    (path,) = (home / "generated").glob("*.h5")
    assert store.sha256(path) not in sums


def test_checksums_and_readme_are_up_to_date():
    assert sorted(checksums()) == [f"{name}.h5" for name in NAMES]
    assert damaged() == []
    text = (paths.data() / "README.md").read_text()
    sys.path.insert(0, str(paths.root() / "tools"))
    from bundle_data import readme

    assert text == readme(checksums())


@pytest.mark.parametrize("change", ["truncate", "flip a byte", "empty", "not a file of ours"])
def test_damaged_files_are_named(change, home):
    path = home / "toy.h5"
    values = np.random.default_rng(1).normal(size=50_000)
    store.write(path, {"name": "toy"}, {"train": {"x": values}})
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    if change == "truncate":
        del content[middle:]
    elif change == "flip a byte":
        content[middle] ^= 0xFF
    elif change == "empty":
        content.clear()
    else:
        content[:] = b"PK\x03\x04 something else"
    path.write_bytes(content)
    with pytest.raises(DamagedFile, match=r"toy\.h5 is damaged .* hepml data verify|toy\.h5 is damaged"):
        store.read(path, "train")


def test_nothing_half_written_is_left(home):
    with pytest.raises(TypeError):
        store.write(home / "toy.h5", {}, {"train": {"x": np.array([object()])}})
    assert list(home.iterdir()) == []


KILLED = """
import os, signal, threading, numpy as np
from hepml_labs.datasets import store
threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
store.write({path!r}, {{}}, {{str(i): {{"x": np.random.default_rng(i).normal(size=1_000_000)}} for i in range(50)}})
"""


def test_a_killed_writer_leaves_no_file_under_the_final_name(home):
    path = home / "toy.h5"
    process = subprocess.run([sys.executable, "-c", KILLED.format(path=str(path))], check=False)
    assert process.returncode == -9
    assert not path.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "gluons4g"}, "did you mean 'gluons_4g'"),
        ({"name": "gluons_4g", "split": "training"}, "split: found 'training'"),
        ({"name": "gluons_4g", "source": "internet"}, "source: found 'internet'"),
        ({"name": "gluons_4g", "n": 0}, "n: found 0"),
        ({"name": "gluons_4g", "n": 10**9}, "source='generated' makes more"),
        ({"name": "gluons_4g", "seed": 3}, "seed: bundled samples have seed"),
        ({"name": "gluons_4g", "source": "public"}, "source: 'gluons_4g' has no published counterpart"),
        ({"name": "jetclass"}, "source: 'jetclass' exists as a published set only"),
        ({"name": "gluons_4g", "source": "generated", "n": 5, "workers": 0}, "workers: found 0"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        load(**arguments)


def test_an_unknown_column_lists_the_known_ones():
    with pytest.raises(KeyError, match="'energy' is not a column of gluons_3g"):
        load("gluons_3g", "test", n=1)["energy"]


def test_command_line(home, capsys, monkeypatch):
    assert main(["list"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in NAMES)
    assert main(["verify"]) == 0
    assert "DAMAGED" not in capsys.readouterr().out
    assert "jetclass" in printed
    assert main(["card", "jetclass"]) == 0
    assert "zenodo.org/records/6619768" in capsys.readouterr().out
    assert main(["generate", "gluons_3g", "--n", "10"]) == 0
    assert "10 samples" in capsys.readouterr().out
    (home / "checksums.json").write_text(json.dumps({"gone.h5": {"sha256": "0", "bytes": 1}}))
    monkeypatch.setattr(paths, "data", lambda: home)
    assert main(["verify"]) == 1
    assert "DAMAGED  gone.h5" in capsys.readouterr().out
