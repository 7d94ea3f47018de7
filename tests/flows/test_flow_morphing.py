"""Morphing: exact for flows that are known on paper, and correct to the sampling error for those that are learned."""

import numpy as np
import pytest
import torch
from scipy import stats

from hepml_labs.flows.flow import Flow
from hepml_labs.flows.morphing import FlowMorphing, fill_spikes, restore_spikes
from hepml_labs.flows.optimal_transport import gaussian_transport
from hepml_labs.flows.quantiles import ChainedQuantiles, QuantileMapping
from hepml_labs.flows.transforms import Transform
from hepml_labs.nn import Standardizer

COVARIANCE = {
    "simulation": np.array([[1.0, 0.6, 0.2], [0.6, 1.5, 0.1], [0.2, 0.1, 0.8]]),
    "data": np.array([[2.0, -0.7, 0.3], [-0.7, 1.0, 0.2], [0.3, 0.2, 0.5]]),
}


class Whitening(Transform):
    """z = R L^-1 x: the exact flow of a Gaussian to the unit Gaussian, for any rotation R."""

    def __init__(self, covariance, rotation=None):
        super().__init__()
        whiten = np.linalg.inv(np.linalg.cholesky(covariance))
        self.matrix = torch.from_numpy(whiten if rotation is None else rotation @ whiten).float()

    def forward(self, x, context=None):
        return x @ self.matrix.T, torch.linalg.slogdet(self.matrix)[1].expand(len(x))

    def inverse(self, z, context=None):
        return z @ torch.linalg.inv(self.matrix).T, -torch.linalg.slogdet(self.matrix)[1].expand(len(z))


def exact_morphing(rotation=None):
    morphing = FlowMorphing(switch=False)
    morphing.scaler_ = Standardizer(torch.zeros(3), torch.ones(3))
    morphing.condition_scaler_ = torch.nn.Identity()
    morphing.flows_ = {
        side: Flow(Whitening(covariance, rotation if side == "data" else None), 3)
        for side, covariance in COVARIANCE.items()
    }
    return morphing


def test_gaussians_through_exact_flows_give_the_cholesky_map():
    matrix = np.linalg.cholesky(COVARIANCE["data"]) @ np.linalg.inv(np.linalg.cholesky(COVARIANCE["simulation"]))
    np.testing.assert_allclose(exact_morphing().transform(np.eye(3)), matrix.T, atol=1e-5)
    np.testing.assert_allclose(matrix @ COVARIANCE["simulation"] @ matrix.T, COVARIANCE["data"], atol=1e-12)


def test_a_rotation_of_the_base_closes_as_well_but_moves_further():
    rotation = stats.special_ortho_group(3, seed=1).rvs()
    best = gaussian_transport(np.zeros(3), COVARIANCE["simulation"], np.zeros(3), COVARIANCE["data"])
    costs = []
    for chosen in (None, rotation):
        matrix = exact_morphing(chosen).transform(np.eye(3)).T
        np.testing.assert_allclose(matrix @ COVARIANCE["simulation"] @ matrix.T, COVARIANCE["data"], atol=1e-5)
        moves = matrix - np.eye(3)
        costs.append(np.trace(moves @ COVARIANCE["simulation"] @ moves.T))
    assert best.cost < costs[0] < costs[1]


def conditional(n, side, rng):
    """Two variables; location, scale and correlation depend on the condition, and differently in data."""
    c = rng.uniform(-1, 1, size=(n, 1)) if side == "simulation" else 2 * rng.beta(2, 1, size=(n, 1)) - 1
    first, second = rng.normal(size=(2, n, 1))
    if side == "simulation":
        return np.hstack([100 * first, 0.5 * first + second]), c
    return np.hstack([100 * (1 + c + 0.7 * first), -0.8 * first + 0.6 * second * np.exp(0.5 * c)]), c


@pytest.mark.parametrize("switch", [True, False])
def test_learned_morphing_closes_at_each_condition(switch):
    rng = np.random.default_rng(1)
    x, c = conditional(8000, "simulation", rng)
    y, c_data = conditional(8000, "data", rng)
    morphing = FlowMorphing(switch, layers=2, hidden=(32,), epochs=8, batch_size=256, learning_rate=1e-2)
    morphing.fit(x, y, c, c_data)
    x_test, _ = conditional(4000, "simulation", rng)
    for value in (-0.5, 0.8):
        moved = morphing.transform(x_test, np.full((len(x_test), 1), value))
        assert (np.abs(moved.mean(0) - [100 * (1 + value), 0.0]) < [7.0, 0.08]).all()
        np.testing.assert_allclose(moved.std(0), [70, np.hypot(0.8, 0.6 * np.exp(0.5 * value))], rtol=0.08)
        exact = -0.8 / np.hypot(0.8, 0.6 * np.exp(0.5 * value))
        assert np.corrcoef(moved.T)[0, 1] == pytest.approx(exact, abs=0.07)
    for kind in ("simulation", "data"):
        base = morphing.to_base(x_test, c[:4000], kind)
        np.testing.assert_allclose(morphing.from_base(base, c[:4000], kind), x_test, atol=5e-2)
    assert morphing.transform(x_test.astype(np.float32), c[:4000]).dtype == np.float32


def test_spikes_are_filled_restored_and_corrected():
    rng = np.random.default_rng(2)
    x = np.maximum(rng.normal(-0.3, 1, size=(12_000, 2)), [0, -np.inf])
    filled = fill_spikes(x, [0], seed=1)
    assert (filled[:, 0] != 0).all() and (filled[x[:, 0] == 0, 0] < 0).all()
    np.testing.assert_array_equal(restore_spikes(filled, [0]), x)
    np.testing.assert_array_equal(x[:, 1], filled[:, 1])

    y = np.maximum(rng.normal(0.3, 1, size=(12_000, 2)), [0, -np.inf])
    morphing = FlowMorphing(spikes=(0,), layers=2, hidden=(32,), epochs=6, batch_size=256, learning_rate=1e-2)
    moved = morphing.fit(x, y).transform(x)
    assert moved[:, 0].min() == 0
    assert (moved[:, 0] == 0).mean() == pytest.approx((y[:, 0] == 0).mean(), abs=0.025)
    assert moved.mean(0) == pytest.approx(y.mean(0), abs=0.04)


def test_quantile_mapping_keeps_rank_correlations_and_the_chain_does_not():
    rng = np.random.default_rng(3)
    x = rng.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], size=8000)
    y = np.exp(rng.multivariate_normal([1, 0], [[1, -0.3], [-0.3, 0.25]], size=8000))
    moved = QuantileMapping().fit(x, y).transform(x)
    assert stats.spearmanr(*moved.T).statistic == pytest.approx(stats.spearmanr(*x.T).statistic, abs=1e-12)
    assert max(stats.ks_2samp(moved[:, k], y[:, k]).statistic for k in (0, 1)) < 1e-3
    chained = ChainedQuantiles(trees=15).fit(x, y).transform(x)
    assert stats.spearmanr(*chained.T).statistic == pytest.approx(stats.spearmanr(*y.T).statistic, abs=0.07)
    assert max(stats.ks_2samp(chained[:, k], y[:, k]).statistic for k in (0, 1)) < 0.05


def test_weighted_quantile_mapping_equals_repeated_events():
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(300, 1)), rng.exponential(size=(200, 1))
    count = 1 + 3 * (x[:, 0] > 0)
    weighted = QuantileMapping().fit(x, y, count).transform(x)
    repeated = QuantileMapping().fit(np.repeat(x, count, axis=0), y).transform(x)
    assert np.median(np.abs(weighted - repeated)) < 0.02
    assert np.median(np.abs(QuantileMapping().fit(x, y).transform(x) - repeated)) > 0.1


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda x: FlowMorphing().fit(x[:, 0], x), "simulation:"),
        (lambda x: FlowMorphing().fit(x, x[:, :1]), "data:"),
        (lambda x: FlowMorphing().fit(x, x, x[:5]), "conditions:"),
        (lambda x: FlowMorphing().fit(x, x * np.nan), "data:"),
        (lambda x: FlowMorphing().fit(x, x, data_weight=np.ones(3)), "data_weight:"),
        (lambda x: FlowMorphing(validation_fraction=1).fit(x, x), "validation_fraction:"),
        (lambda x: FlowMorphing(spikes=(0,)).fit(x, x), "x:"),
        (lambda x: exact_morphing().to_base(np.ones((2, 3)), kind="reality"), "kind:"),
        (lambda x: fill_spikes(np.abs(x), [0], width=0), "width:"),
        (lambda x: QuantileMapping().fit(x, x[:, :1]), "data:"),
        (lambda x: ChainedQuantiles(quantiles=(0.5, 0.2)).fit(x, x), "quantiles:"),
        (lambda x: ChainedQuantiles(trees=1).fit(x, x[:, :1]), "data:"),
    ],
)
def test_bad_input_is_named(call, argument):
    with pytest.raises(ValueError, match=f"^{argument}"):
        call(np.random.default_rng(0).normal(size=(100, 2)))
