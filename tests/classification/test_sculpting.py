"""Divergence against scipy, its floor against the expansion, and the coverage of the sideband fit."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.spatial.distance import jensenshannon

from hepml_labs.classification.sculpting import jensen_shannon_divergence, sculpting, sideband_fit

EDGES = np.linspace(0, 3, 21)


def test_divergence_equals_scipy():
    random = np.random.default_rng(1)
    p, q = random.integers(0, 20, size=(2, 12)).astype(float)
    p[3] = q[5] = p[7] = q[7] = 0
    assert jensen_shannon_divergence(p, q) == pytest.approx(jensenshannon(p, q, base=2) ** 2, rel=1e-12)
    assert jensen_shannon_divergence(p, q) == pytest.approx(jensen_shannon_divergence(q, 7 * p))
    assert jensen_shannon_divergence(p, p) == 0
    assert jensen_shannon_divergence(np.array([1, 0]), np.array([0, 3])) == pytest.approx(1)
    many = jensen_shannon_divergence(np.stack([p, q]), q)
    assert many == pytest.approx([jensen_shannon_divergence(p, q), 0])


def test_floor_is_what_a_blind_cut_shows():
    random = np.random.default_rng(2)
    found = []
    for seed in range(60):
        mass = random.exponential(size=4000)
        found.append(sculpting(mass, random.permutation(4000) < 400, EDGES, seed=seed))
    values = np.array([one.value for one in found])
    floor, spread = found[0].floor, found[0].floor_error
    assert floor == pytest.approx(19 * (1 / 400 - 1 / 4000) / (8 * np.log(2)), rel=0.15)
    assert values.mean() == pytest.approx(floor, abs=3 * spread / np.sqrt(60))
    assert values.std() == pytest.approx(spread, rel=0.35)


def test_error_is_the_spread_over_samples():
    random = np.random.default_rng(3)
    found = []
    for seed in range(60):
        mass = random.exponential(size=4000)
        found.append(sculpting(mass, random.random(4000) < 0.3 * np.minimum(mass, 2) / 2, EDGES, seed=seed))
    spread = np.std([one.value for one in found])
    assert np.mean([one.error for one in found]) == pytest.approx(spread, rel=0.35)
    assert np.mean([one.value for one in found]) > 10 * found[0].floor


def test_all_pass():
    mass = np.random.default_rng(4).exponential(size=500)
    found = sculpting(mass, np.ones(500, dtype=bool), EDGES)
    assert found.value == found.floor == 0


def test_fit_is_the_maximum_of_the_likelihood():
    count = np.random.default_rng(5).poisson(300 * np.exp(-EDGES[:-1] - 0.3 * EDGES[:-1] ** 2))
    window = (0.9, 1.5)
    fit = sideband_fit(count, EDGES, window, degree=2)
    centre = (EDGES[1:] + EDGES[:-1]) / 2
    side = (centre < 0.9) | (centre > 1.5)

    def minus_log_likelihood(parameters):
        log_rate = np.polyval(parameters, centre[side])
        return (np.exp(log_rate) - count[side] * log_rate).sum()

    best = minimize(minus_log_likelihood, [0, -1, 5], method="Nelder-Mead", options={"maxiter": 5000, "fatol": 1e-10})
    assert fit.expected == pytest.approx(np.exp(np.polyval(best.x, centre)), rel=1e-3)
    assert fit.observed_in_window == count[~side].sum()
    assert fit.expected_in_window == pytest.approx(fit.expected[~side].sum())


def test_significance_is_a_unit_gaussian_without_signal_and_grows_with_one():
    random = np.random.default_rng(6)
    truth = 200 * np.exp(-EDGES[:-1])
    fits = [sideband_fit(random.poisson(truth), EDGES, (0.9, 1.5), degree=1) for _ in range(300)]
    significance = np.array([fit.significance for fit in fits])
    assert abs(significance.mean()) < 0.2
    assert significance.std() == pytest.approx(1, abs=0.13)
    assert np.mean([fit.goodness for fit in fits]) == pytest.approx(1, abs=0.15)
    spectrum = truth + 60 * ((EDGES[:-1] > 0.9) & (EDGES[:-1] < 1.4))
    assert sideband_fit(random.poisson(spectrum), EDGES, (0.9, 1.5), degree=1).significance > 5


def test_sparse_sidebands_converge():
    count = np.array([5, 2, 0, 1, 0, 0, 30, 40, 20, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0])
    fit = sideband_fit(count, EDGES, (0.9, 1.35), degree=2)
    assert np.isfinite(fit.expected).all() and fit.significance > 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: jensen_shannon_divergence(np.zeros(3), np.ones(3)), "first: found negative contents or an empty"),
        (lambda: jensen_shannon_divergence(np.ones(3), np.ones(4)), "second: found 4 bins"),
        (lambda: sculpting(np.zeros(3), np.zeros(3, dtype=bool), EDGES), "passed"),
        (lambda: sculpting(np.zeros(3), np.ones(3), EDGES), "passed"),
        (lambda: sculpting(np.zeros(3), np.ones(2, dtype=bool), EDGES), "passed: found shape"),
        (lambda: sculpting(np.zeros(3), np.ones(3, dtype=bool), EDGES[::-1]), "edges"),
        (lambda: sideband_fit(np.zeros(20), EDGES, (1.0, 2.0)), "filled sideband bins"),
        (lambda: sideband_fit(np.ones(20), EDGES, (2.0, 1.0)), "window"),
        (lambda: sideband_fit(np.ones(5), EDGES, (1.0, 2.0)), "edges"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
