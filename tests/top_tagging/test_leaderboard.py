"""The shipped taggers: files, scores, table, and the published numbers beside them."""

import re

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from sklearn.metrics import roc_auc_score

from hepml_labs import paths
from hepml_labs.datasets import load, store
from hepml_labs.top_tagging import leaderboard as board
from hepml_labs.top_tagging.published import FRACTIONS, PUBLISHED, SIZES
from hepml_labs.top_tagging.taggers import TAGGERS, Tagger, train_tagger
from hepml_labs.top_tagging.weights import FOLDER, Weights, load_tagger, read_facts, rounded, save_tagger, shipped

FACTS = {"command", "jets", "epochs", "seed", "source", "parameters", "cpu_seconds", "device", "threads", "versions"}
FACTS |= {"date", "validation_loss", "accuracy", "auc", "background_50", "background_30", "name"}
JETS = 400


def tagger(seed=0, name="pfn"):
    torch.manual_seed(seed)
    return Tagger(name).eval()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder in the place of data/ with three files of weights, and a test set of few jets."""
    for seed in (0, 1):
        facts = {"parameters": 7, "cpu_seconds": 10 * seed}
        save_tagger(tmp_path / FOLDER / f"pfn-100-{seed}.safetensors", tagger(seed), facts)
    save_tagger(tmp_path / FOLDER / "pfn-50-1.safetensors", tagger(2), {"parameters": 7, "cpu_seconds": 1})
    monkeypatch.setattr(board, "load", lambda name, split: load(name, split, n=JETS))
    return tmp_path


@pytest.mark.parametrize("half", [False, True])
def test_weights_come_back_with_their_facts(tmp_path, half):
    path, original = tmp_path / "deep" / "mine.safetensors", tagger()
    save_tagger(path, original, {"jets": 10, "command": "hepml"}, half=half)
    assert read_facts(path) == {"name": "pfn", "jets": "10", "command": "hepml"}
    found = load_tagger(path)
    assert not found.training and found.name == "pfn"
    expected = rounded(original.network.state_dict()) if half else original.network.state_dict()
    for name, value in found.network.state_dict().items():
        assert value.dtype == torch.float32 and torch.equal(value, expected[name].float())
    assert [file.name for file in path.parent.iterdir()] == ["mine.safetensors"]
    assert path.stat().st_mode & 0o044 == 0o044


def test_rounding_halves_the_file_and_keeps_vectors(tmp_path):
    for half in (False, True):
        save_tagger(tmp_path / f"{half}.safetensors", tagger(), {}, half=half)
    assert (tmp_path / "True.safetensors").stat().st_size < 0.55 * (tmp_path / "False.safetensors").stat().st_size
    state = rounded({"matrix": torch.full((2, 2), 0.1), "vector": torch.full((2,), 0.1), "count": torch.tensor(3)})
    assert [str(value.dtype) for value in state.values()] == ["torch.float16", "torch.float32", "torch.int64"]


def test_errors_name_the_file_and_what_to_do(tmp_path, folder):
    path = folder / FOLDER / "pfn-100-0.safetensors"
    with pytest.raises(ValueError, match=r"found 'nix', expected one of .*pfn"):
        load_tagger("nix")
    with pytest.raises(FileNotFoundError, match=r"jets=7 seed=0; there are: jets=50 seed=1, jets=100 seed=0"):
        load_tagger("pfn", jets=7, folder=folder)
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        load_tagger(tmp_path / "none.safetensors")
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(store.DamagedFile, match=r"cut\.safetensors is no file of weights, or cut off"):
        load_tagger(cut)
    save_file({"x": torch.zeros(1)}, cut)
    with pytest.raises(store.DamagedFile, match="does not name a tagger"):
        read_facts(cut)
    save_file({"x": torch.zeros(1)}, cut, metadata={"name": "pfn"})
    with pytest.raises(ValueError, match=r"cut\.safetensors are not those of a 'pfn'"):
        load_tagger(cut)
    broken = tagger()
    next(broken.parameters()).data[0, 0] = 1e6  # too large for 16 bits
    with pytest.raises(ValueError, match="NaN or infinite numbers in the weights"):
        save_tagger(tmp_path / "broken.safetensors", broken, {}, half=True)
    assert not list(tmp_path.glob("broken*"))


def test_shipped_weights_are_found_by_their_names(folder):
    (folder / FOLDER / "notes-1-2.safetensors").write_text("another file")
    assert [weights.key for weights in shipped(folder)] == ["pfn-50-1", "pfn-100-0", "pfn-100-1"]
    assert Weights("particlenet-lite", 40000, 2, None).key == "particlenet-lite-40000-2"
    first = tagger(0).network.state_dict()
    for name, value in load_tagger("pfn", folder=folder).network.state_dict().items():
        assert torch.equal(value, first[name])


def test_scores_are_those_of_the_present_weights(folder):
    with pytest.raises(ValueError, match=r"no scores for the present weights of \['pfn-100-0', .*--evaluate"):
        board.scores(folder)
    said = []
    board.write_scores(folder, progress=said.append)
    assert len(said) == 3
    found, jets = board.scores(folder), load("top_tagging", "test", n=JETS)["constituents"]
    for seed in (0, 1):
        np.testing.assert_allclose(found[f"pfn-100-{seed}"], tagger(seed).score(jets), atol=0.51 * board.STEP)
    save_tagger(folder / FOLDER / "pfn-100-1.safetensors", tagger(7), {"parameters": 7, "cpu_seconds": 2})
    (folder / FOLDER / "pfn-50-1.safetensors").unlink()
    with pytest.raises(ValueError, match=r"\['pfn-100-1', 'pfn-50-1'\]"):
        board.scores(folder)
    said.clear()
    board.write_scores(folder, progress=said.append)
    assert said == [f"pfn-100-1: evaluated on {JETS} test jets"]
    assert list(board.scores(folder)) == ["pfn-100-0", "pfn-100-1"]


def test_table_has_means_spreads_and_errors(folder):
    board.write_scores(folder, progress=lambda line: None)
    few, many = board.leaderboard(folder)
    assert (few.jets, few.seeds, many.jets, many.seeds, many.parameters) == (50, (1,), 100, (0, 1), 7)
    assert np.isnan(few.auc.spread) and many.cpu_seconds.mean == 5
    label, scores = load("top_tagging", "test", n=JETS)["is_top"], board.scores(folder)
    areas = [roc_auc_score(label, scores[f"pfn-100-{seed}"]) for seed in (0, 1)]
    assert many.auc.mean == pytest.approx(np.mean(areas))
    assert many.auc.spread == pytest.approx(abs(areas[0] - areas[1]) / np.sqrt(2))
    kept = [board.measure(label, scores[f"pfn-100-{seed}"])["background_30"][0] for seed in (0, 1)]
    assert many.rejection_30.mean == pytest.approx(1 / np.mean(kept))


def test_measure_agrees_with_counting_and_survives_an_empty_background():
    random = np.random.default_rng(3)
    label = np.repeat([1, 0], [1000, 3000])
    score = random.normal(size=4000) + 2.0 * label - 1
    found = board.measure(label, score)
    threshold = np.sort(score[label == 1])[-500]
    assert found["background_50"][0] == (score[label == 0] >= threshold).mean()
    assert found["accuracy"] == (((score > 0) == label).mean(), pytest.approx(0.0058, abs=2e-4))
    value, error = board.measure(label, score + 20 * label)["background_30"]
    assert value == 0 and 0 < error < 1e-3
    empty = board._inverse(board._estimate([(0.0, 1e-3), (0.0, 1e-3)]))
    assert empty.mean == np.inf and np.isnan(empty.error)
    assert board._inverse(board.Estimate(0.01, 0.001, 0.002)) == pytest.approx((100, 10, 20))


def test_errors_of_the_rejection_are_those_of_repeated_test_sets():
    random = np.random.default_rng(4)
    label = np.repeat([1, 0], 2000)
    found = [board.measure(label, random.normal(size=4000) + 2 * label)["background_50"] for _ in range(200)]
    values, errors = np.array(found).T
    assert errors.mean() == pytest.approx(values.std(), rel=0.12)


def test_a_short_training_reaches_its_area_and_rounding_does_not_matter():
    sizes = {"train": 1500, "validation": 500, "test": 3000}
    train, validation, test = (load("top_tagging", split, n=n) for split, n in sizes.items())
    trained, history = train_tagger("lola", train, validation, epochs=8, progress=False)
    score = trained.score(test["constituents"])
    assert history.steps < 500 and roc_auc_score(test["is_top"], score) > 0.925
    trained.network.load_state_dict(rounded(trained.network.state_dict()))
    change = trained.score(test["constituents"]) - score
    assert 0 < np.abs(change).max() < 0.05
    assert abs(roc_auc_score(test["is_top"], score + change) - roc_auc_score(test["is_top"], score)) < 1e-4


# what ships


def test_shipped_files_are_small_and_say_how_they_were_made():
    there = shipped()
    assert sum(weights.path.stat().st_size for weights in there) < 6.5e6  # three seeds of nine taggers
    for weights in there:
        facts = read_facts(weights.path)
        assert set(facts) >= FACTS, weights.key
        assert (facts["name"], int(facts["jets"]), int(facts["seed"])) == weights[:3]
        assert f"--model {weights.name} " in facts["command"] and f"--seed {weights.seed}" in facts["command"]
        assert float(facts["cpu_seconds"]) > 0 and not re.search(r"/(home|tmp|work|root)\b", str(facts))
        assert int(facts["parameters"]) == sum(value.numel() for value in Tagger(weights.name).parameters())


@pytest.mark.parametrize("weights", shipped(), ids=lambda weights: weights.key)
def test_shipped_weights_give_the_stored_scores(weights):
    test = load("top_tagging", "test", n=100)
    stored = board.scores()[weights.key]
    score = load_tagger(weights.path).score(test["constituents"]).clip(-32767 * board.STEP, 32767 * board.STEP)
    difference = np.abs(score - stored[:100])
    # on another processor, rounding may turn one of a jet's neighbours in ParticleNet into another
    assert np.quantile(difference, 0.95) < 2 * board.STEP and difference.max() < 0.5
    label = load("top_tagging", "test")["is_top"]
    value = float(read_facts(weights.path)["auc"].split()[0])
    assert roc_auc_score(label, stored) == pytest.approx(value, abs=2e-4)


def test_weights_travel_with_the_package():
    text = (paths.root() / "pyproject.toml").read_text()
    assert '"data" = "hepml_labs/_bundle/data"' in text


# what others published


def test_published_numbers_are_cited_and_consistent():
    entries = (paths.root() / "book" / "references.bib").read_text()
    for one in (*PUBLISHED, *SIZES, *FRACTIONS):
        entry = re.search(rf"@\w+\{{{one.citation},(.*?)\n\}}", entries, re.DOTALL)
        assert entry and f"eprint = {{{one.arxiv}}}" in entry[1], one
        assert 0.9 < (one.accuracy or 0.93) < one.auc < 0.99 and one.rejection_30 > (one.rejection_50 or 0)
    assert {one.fraction for one in PUBLISHED} == {1.0}
    areas = [one.auc for one in PUBLISHED]
    assert areas == sorted(areas)
    full = {one.name: one for one in PUBLISHED}
    for one in FRACTIONS:
        if one.fraction == 1:
            assert one[3:9] == full[one.name][3:9]


def test_taggers_are_cited_and_their_names_can_be_told_from_numbers():
    entries = (paths.root() / "book" / "references.bib").read_text()
    assert all(f"{{{recipe.citation}," in entries for recipe in TAGGERS.values())
    assert not [name for name in TAGGERS if re.fullmatch(r".*-\d+", name)]
