"""The data set of weak-boson fusion: observables, storage, selection, and that the weights add to the cross-section."""

import numpy as np
import pytest

from hepml_labs.datasets import load
from hepml_labs.datasets.higgs_wbf import (
    BENCHMARKS,
    BRANCHING_RATIO,
    COLUMNS,
    OBSERVABLES,
    generate,
    observables,
    pack,
    select,
    unpack,
)
from hepml_labs.physics.kinematics import boost, eta, mass, pt, rotate
from hepml_labs.physics.morphing import monomials


@pytest.fixture(scope="module")
def sample():
    return load("higgs_wbf", "test")


def test_columns_and_selection(sample):
    assert tuple(sample.columns) == tuple(COLUMNS)
    jets, photons = sample["jets"].astype(float), sample["photons"].astype(float)
    # rounding in the file may move an event over an edge
    assert select(jets * 1.001, photons * 1.001).mean() > 0.999
    assert (jets[:, 0, 2] == 0).all()
    assert (sample["pt_j1"] >= sample["pt_j2"]).all()
    made = observables(jets, photons)
    for name in OBSERVABLES:
        np.testing.assert_allclose(sample[name], made[name], rtol=1e-3, atol=1e-3)


def test_observables_by_hand(sample):
    jets, photons = sample["jets"][:500].astype(float), sample["photons"][:500].astype(float)
    made, pair = observables(jets, photons), photons.sum(1)
    np.testing.assert_allclose(made["m_jj"], mass(jets[:, 0] + jets[:, 1]), rtol=1e-9)
    np.testing.assert_allclose(made["pt_h"], pt(pair), rtol=1e-9)
    np.testing.assert_allclose(made["eta_h"], eta(pair), rtol=1e-9)
    np.testing.assert_allclose(made["pt_balance"], pt(pair + jets.sum(1)), rtol=1e-9)
    forward = np.where(eta(jets)[:, :1] > eta(jets)[:, 1:], 0, 1)[:, 0]
    first, second = jets[np.arange(500), forward], jets[np.arange(500), 1 - forward]
    cosine = (first[:, 1] * second[:, 1] + first[:, 2] * second[:, 2]) / pt(first) / pt(second)
    sine = (second[:, 1] * first[:, 2] - second[:, 2] * first[:, 1]) / pt(first) / pt(second)
    np.testing.assert_allclose(np.cos(made["delta_phi_jj"]), cosine, atol=1e-9)
    np.testing.assert_allclose(np.sin(made["delta_phi_jj"]), sine, atol=1e-9)


def test_symmetries_of_the_observables(sample):
    jets, photons = sample["jets"][:200].astype(float), sample["photons"][:200].astype(float)
    before = observables(jets, photons)
    turned = observables(*(rotate(momenta, [0.0, 0.0, 1.0], 0.7) for momenta in (jets, photons)))
    moved = observables(*(boost(momenta, np.array([0.0, 0.0, 0.4])) for momenta in (jets, photons)))
    for name in OBSERVABLES:
        np.testing.assert_allclose(turned[name], before[name], rtol=1e-7, atol=1e-7)
        if "eta_j" not in name and name != "eta_h":
            np.testing.assert_allclose(moved[name], before[name], rtol=1e-6, atol=1e-6)


def test_weights_add_to_the_cross_section(sample):
    """For all rows, for a part, and for another split; and no theta on the square is badly covered."""
    total = sample["coefficients"].sum(0)
    assert 0.9 * 1.03 < total[0] / BRANCHING_RATIO < 1.1 * 1.03
    train = load("higgs_wbf", "train")["coefficients"].sum(0)
    np.testing.assert_allclose(total, train, atol=0.03 * total[0])
    np.testing.assert_allclose(load("higgs_wbf", "test", n=4000)["coefficients"].sum(0), total, atol=0.06 * total[0])
    weights = sample["coefficients"] @ monomials(np.array(BENCHMARKS)).T
    assert (weights >= 0).all()
    assert (weights.sum(0) ** 2 / (weights**2).sum(0) > 0.4 * len(weights)).all()


def test_storage_keeps_weights_positive(sample):
    random = np.random.default_rng(1)
    amplitude = random.normal(size=(300, 2, 3)) * np.exp(random.normal(0, 2, (300, 1, 1)))
    first, second = np.triu_indices(3)
    square = np.einsum("nai,naj->nij", amplitude, amplitude)[:, first, second] * np.where(first == second, 1, 2)
    columns = {"jets": sample["jets"][:300], "photons": sample["photons"][:300]}
    again = unpack(pack({**columns, "coefficients": square * 1e-6}))
    theta = monomials(random.uniform(-1, 1, (50, 2)))
    assert (again["coefficients"] @ theta.T >= 0).all()
    scale = np.abs(square).max(1, keepdims=True) * 1e-6
    assert np.abs((again["coefficients"] - square * 1e-6) / scale).max() < 3e-3
    np.testing.assert_allclose(again["jets"], columns["jets"], rtol=2e-3, atol=0.6)


def test_generated_events():
    pytest.importorskip("pythia8mc")
    events = generate(1000, seed=5)
    assert select(events["jets"].astype(float), events["photons"].astype(float)).mean() > 0.999
    assert events["coefficients"].dtype == np.float64 and events["jets"].dtype == np.float32
    assert abs(events["coefficients"][:, 0].sum() / BRANCHING_RATIO - 1.03) < 0.12


def test_bad_input():
    with pytest.raises(ValueError, match="n: "):
        generate(0, seed=1)
    with pytest.raises(ValueError, match="photons"):
        observables(np.ones((3, 2, 4)), np.ones((3, 4)))
    with pytest.raises(ValueError, match="jets"):
        select(np.ones((3, 4)), np.ones((3, 2, 4)))
