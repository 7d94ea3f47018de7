"""The recipe of the top-tagging set: cuts, labels, storage, and that it looks like tops and QCD."""

import awkward as ak
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from hepml_labs.datasets import parton_jets, top_tagging
from hepml_labs.datasets.parton_jets import PartonJets
from hepml_labs.datasets.top_tagging import COLUMNS, generate, match, pack, unpack
from hepml_labs.physics.jets import n_subjettiness
from hepml_labs.physics.kinematics import delta_r, eta, mass, phi, pt
from hepml_labs.physics.substructure import multiplicity


@pytest.fixture(scope="module")
def jets():
    return generate(300, seed=1)


def test_columns_and_cuts(jets):
    assert list(jets) == list(COLUMNS)
    assert jets["constituents"].shape == (300, 100, 4) and jets["jet"].shape == jets["truth_top"].shape == (300, 4)
    types = {name: str(column.dtype) for name, column in jets.items()}
    assert types.pop("number") == "int16" and types.pop("is_top") == "int8" and set(types.values()) == {"float32"}
    assert (550 < pt(jets["jet"])).all() and (pt(jets["jet"]) < 650).all() and (np.abs(eta(jets["jet"])) < 2).all()
    assert 110 < jets["is_top"].sum() < 190


def test_constituents_are_sorted_massless_near_the_axis_and_make_the_jet(jets):
    momenta, present = jets["constituents"].astype(float), jets["constituents"][..., 0] > 0
    assert (np.diff(pt(momenta), axis=1) <= 1e-4).all()
    assert np.array_equal(present.sum(1), np.minimum(jets["number"], 100))
    assert np.abs(mass(momenta[present]) / momenta[present][:, 0]).max() < 2e-3  # single precision
    far = delta_r(momenta[present], np.repeat(jets["jet"], present.sum(1), axis=0))
    assert np.mean(far < 0.8) > 0.99 and far.max() < 1.3
    complete = jets["number"] <= 100
    assert complete.mean() > 0.95
    np.testing.assert_allclose(momenta.sum(1)[complete], jets["jet"][complete], rtol=1e-5, atol=1e-3)


def test_tops_are_in_their_jets(jets):
    top, is_top = jets["truth_top"], jets["is_top"] == 1
    assert (top[~is_top] == 0).all()
    assert np.median(mass(top[is_top].astype(float))) == pytest.approx(172.5, abs=2)
    assert (delta_r(top[is_top], jets["jet"][is_top]) < 0.8).all()
    assert np.median(pt(jets["jet"][is_top]) / pt(top[is_top])) == pytest.approx(1, abs=0.04)


def test_stored_jets_are_the_same_within_the_precision(jets):
    stored = pack(jets)
    assert {str(stored[f"constituents_{name}"].dtype) for name in ("pt", "eta", "phi")} == {"uint16", "int16"}
    again = unpack(stored)
    assert list(again) == list(COLUMNS)
    for name in ("jet", "number", "truth_top", "is_top"):
        assert np.array_equal(again[name], jets[name]) and again[name].dtype == jets[name].dtype
    present = jets["constituents"][..., 0] > 0
    before, after = (columns["constituents"].astype(float)[present] for columns in (jets, again))
    assert (again["constituents"][~present] == 0).all() and again["constituents"].dtype == np.float32
    np.testing.assert_allclose(pt(after), pt(before), rtol=6e-4)
    np.testing.assert_allclose(eta(after), eta(before), atol=3e-4)
    assert np.abs((phi(after) - phi(before) + np.pi) % (2 * np.pi) - np.pi).max() < 3e-4
    complete = jets["number"] <= 100
    total = again["constituents"].astype(float).sum(1)[complete]
    ratio = pt(total) / pt(jets["jet"][complete])
    assert np.abs(ratio - 1).max() < 6e-4 and np.std(ratio) < 2e-4  # half a step of 1e-3 for each constituent
    difference = mass(total) - mass(jets["jet"][complete].astype(float))
    assert np.std(difference) < 0.05 and np.abs(difference).max() < 0.5


def test_tops_and_qcd_look_like_the_published_ones(jets):
    """Wide bands around the values of the landscape's recipe: a broken detector, cut or label leaves them."""
    is_top, masses = jets["is_top"], mass(jets["jet"].astype(float))
    assert 160 < np.median(masses[is_top == 1]) < 185 and np.mean(np.abs(masses[is_top == 1] - 172) < 25) > 0.7
    assert 60 < np.median(masses[is_top == 0]) < 100
    assert 0.88 < roc_auc_score(is_top, masses) < 0.98
    tau = n_subjettiness(jets["constituents"], (2, 3))
    assert 0.75 < roc_auc_score(is_top, -tau[:, 1] / np.maximum(tau[:, 0], 1e-9)) < 0.9
    number = multiplicity(jets["constituents"])
    assert 46 < number[is_top == 1].mean() < 56 and 35 < number[is_top == 0].mean() < 44


def test_fewer_constituents_are_the_leading_ones(jets):
    few = generate(20, seed=1, constituents=40)
    for name in ("jet", "truth_top", "number", "is_top"):
        assert np.array_equal(few[name], jets[name][:20])
    assert np.array_equal(few["constituents"], jets["constituents"][:20, :40])


def test_matching_needs_the_top_and_all_its_quarks_in_the_jet():
    def particle(code, status, mother, angle):
        momentum = {"e": 100.0, "px": 100 * np.cos(angle), "py": 100 * np.sin(angle), "pz": 0.0}
        return {"id": code, "status": status, "mother1": mother, "p": momentum}

    def event(last):
        """Two tops back to back; the last quark of the first lies at the angle `last`."""
        rows = [particle(90, -11, 0, 0.0), particle(6, -62, 0, 0.1), particle(-6, -62, 0, 3.1)]
        for top, direction in ((1, 0.0), (2, 3.14)):
            rows.append(particle(24 if top == 1 else -24, -22, top, direction))
        for sign, top, w, direction in ((1, 1, 3, 0.0), (-1, 2, 4, 3.14)):
            rows.append(particle(5 * sign, -23, top, direction + 0.3))
            rows += [
                particle(2 * sign, -23, w, direction - 0.3),
                particle(-sign, -23, w, last if top == 1 else direction),
            ]
        return rows

    jet = np.array([[100.0, 100.0, 0.0, 0.0]])
    for last, expected in ((0.7, True), (-0.7, True), (0.9, False), (-0.9, False)):
        top, matched = match(ak.Array([event(last)]), jet)
        assert matched.tolist() == [expected]
        assert np.allclose(top[0], [100, 100 * np.cos(0.1), 100 * np.sin(0.1), 0] if expected else 0)
    assert match(ak.Array([event(0.9)]), -jet * [-1, 1, 1, 1])[1].tolist() == [True]  # the other top


@pytest.mark.parametrize("label", [0, 1])
def test_dropping_events_early_loses_few_jets(label, monkeypatch):
    """Make all events, note which would have been dropped, and look for jets in those."""
    dropped = []

    class Audit(PartonJets):
        def doVetoPT(self, position, event):
            if position != 5:
                self.early = super().doVetoPT(position, event)
            return False

        def doVetoPartonLevel(self, event):
            dropped.append(self.early or super().doVetoPartonLevel(event))
            return False

    monkeypatch.setattr(parton_jets, "PartonJets", Audit)
    monkeypatch.setattr(top_tagging, "BATCH", 1)
    stream = top_tagging._jets(label, np.random.default_rng(3), 10, 2, 450.0)
    found, lost = np.array([len(next(stream)["jet"]) for _ in range(70)]), np.array(dropped)
    assert found.sum() > 6 and 0.3 < lost.mean() < 0.9
    assert found[lost].sum() <= 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "^n: found 0"),
        ({"constituents": 0}, "^constituents: found 0"),
        ({"jets_per_event": 0}, "^jets_per_event: found 0"),
        ({"minimum_pt_hat": (400.0, 900.0)}, "^minimum_pt_hat: found 900"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        generate(**{"n": 1, "seed": 1} | arguments)
