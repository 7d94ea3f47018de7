"""W H events: selection, observables from momenta, storage, normalisation that does not depend on the number."""

import numpy as np
import pytest

from hepml_labs.datasets import higgs_wh, load
from hepml_labs.datasets.higgs_wh import BENCHMARKS, COLUMNS, MIXTURE, OBSERVABLES, generate, measure, pack, unpack
from hepml_labs.physics import wh
from hepml_labs.physics.electroweak import M_H
from hepml_labs.physics.kinematics import mass, pt
from hepml_labs.physics.morphing import monomials


@pytest.fixture(scope="module")
def bundled():
    return load("higgs_wh", "test")


def test_selection_and_columns(bundled):
    assert bundled.columns == list(COLUMNS) and len(OBSERVABLES) == 21
    assert bundled["pt_l"].min() > 24.9 and bundled["pt_b2"].min() > 24.9 and bundled["missing_pt"].min() > 19.9
    assert (bundled["pt_b1"] >= bundled["pt_b2"]).all()
    assert max(np.abs(bundled[name]).max() for name in ("eta_l", "eta_b1", "eta_b2")) < 2.501
    assert 105 < np.median(bundled["m_bb"]) < 130
    for name in ("cos_theta_star", "cos_theta_w"):
        assert np.abs(bundled[name]).max() <= 1


def test_weights_are_positive_and_sum_to_the_cross_section(bundled):
    theta = np.random.default_rng(1).uniform(-0.5, 0.5, (50, 2))
    weights = bundled["coefficients"] @ monomials(theta).T
    assert (weights > 0).all()
    effective = weights.sum(0) ** 2 / (weights**2).sum(0) / len(weights)
    assert effective.min() > 0.35
    mixture = bundled["coefficients"] @ monomials(BENCHMARKS).mean(0)
    assert mixture.sum() == pytest.approx(MIXTURE, rel=0.005)
    few = load("higgs_wh", "test", n=2000)["coefficients"]
    assert few.sum(0)[0] == pytest.approx(bundled["coefficients"].sum(0)[0], rel=0.08)


def test_normalisation():
    """The constant in the module against a fresh sample."""
    pytest.importorskip("pythia8mc")
    mixture = monomials(BENCHMARKS).mean(0)
    coefficients, _ = wh.cross_section(50_000, seed=1)
    events = wh.generate(6000, BENCHMARKS, seed=2)
    kept = higgs_wh.select(measure(events.lepton, events.neutrino, events.higgs, events.charge, 3))
    found = higgs_wh.BRANCHING_RATIO * (coefficients @ mixture) * kept.mean()
    assert found == pytest.approx(MIXTURE, rel=4 * 0.017)


def test_storage():
    pytest.importorskip("pythia8mc")
    events = generate(400, seed=4)
    again = unpack(pack(events))
    assert {values.dtype for name, values in again.items() if name != "coefficients"} == {np.dtype("float32")}
    for name in ("pt_l", "pt_b1", "pt_b2", "missing_pt"):
        np.testing.assert_allclose(again[name], events[name], rtol=1.1e-3)
    for name in ("eta_l", "eta_b1", "eta_b2", "delta_phi_missing", "charge"):
        np.testing.assert_allclose(again[name], events[name], atol=1.1e-3)
    theta = np.random.default_rng(5).uniform(-0.5, 0.5, (20, 2))
    before, after = (columns["coefficients"] @ monomials(theta).T for columns in (events, again))
    np.testing.assert_allclose(np.sqrt(after), np.sqrt(before), atol=1e-3 * np.sqrt(before.mean()))


def test_observables_without_a_detector(monkeypatch):
    """With nothing to smear, the neutrino's p_z is one of the two solutions and all masses come back."""
    pytest.importorskip("pythia8mc")
    events = wh.generate(500, seed=6)
    for name in ("LEPTON", "MISSING"):
        monkeypatch.setattr(higgs_wh, name, 0.0)
    monkeypatch.setattr(higgs_wh, "smear_jets", lambda jets, *_, **__: jets)
    found = measure(events.lepton, events.neutrino, events.higgs, events.charge, 7)
    np.testing.assert_allclose(found["m_bb"], M_H, rtol=1e-9)
    recoil = np.hypot(12.0, 12.0)
    assert np.abs(found["pt_w"] - pt(events.lepton + events.neutrino)).mean() < recoil
    assert (found["m_t"] <= mass(events.lepton + events.neutrino) * (1 + 1e-9)).all()
    right = np.abs(found["m_wh"] / mass(events.lepton + events.neutrino + events.higgs) - 1) < 0.02
    assert right.mean() > 0.5
    # a W boson of its helicities: left-handed fermions, so the lepton's angle is not symmetric
    assert np.std(found["cos_theta_star"]) == pytest.approx(np.sqrt(0.3), abs=0.15)


def test_bad_arguments():
    with pytest.raises(ValueError, match="n"):
        generate(0, seed=1)
