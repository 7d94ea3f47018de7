"""ABCD by counting: closed forms, toys, scipy as the peer."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import chi2, fisher_exact

from hepml_labs.classification.abcd import abcd, independence_test


def profile(tau, b, c, d):
    """Twice the log of the likelihood ratio at tau, by brute force over the two means that are left."""

    def loss(logs):
        means = np.exp([logs[0], logs[1], logs[0] + logs[1] - np.log(tau)])
        return 2 * (means - np.array([b, c, d]) * np.log(means)).sum()

    counts = np.array([b, c, d], dtype=float)
    return minimize(loss, np.log(counts[:2]), tol=1e-12).fun - 2 * (counts - counts * np.log(counts)).sum()


def test_value_and_linear_error():
    estimate = abcd(40, 50, 100)
    assert estimate.value == 20
    assert estimate.error == pytest.approx(20 * np.sqrt(1 / 40 + 1 / 50 + 1 / 100))


@pytest.mark.parametrize("counts", [(40, 50, 100), (3, 9, 4), (2, 2, 15)])
@pytest.mark.parametrize("level", [0.6827, 0.95])
def test_interval_ends_where_the_profile_likelihood_says(counts, level):
    estimate = abcd(*counts, level=level)
    for end in (estimate.low, estimate.high):
        assert profile(end, *counts) == pytest.approx(chi2.ppf(level, 1), rel=1e-4)


@pytest.mark.parametrize("mean", [(3.0, 3.0, 10.0), (5.0, 5.0, 5.0), (20.0, 30.0, 40.0)])
def test_bias_and_coverage_in_toys(mean):
    counts = np.random.default_rng(1).poisson(mean, (2500, 3))
    truth = mean[0] * mean[1] / mean[2]
    estimates = np.array([abcd(*map(int, row)) for row in counts])
    value, _, unbiased, low, high = estimates.T
    error = unbiased.std() / np.sqrt(len(counts))
    assert unbiased.mean() == pytest.approx(truth * (1 - np.exp(-mean[2])), abs=4 * error)
    assert 0.61 < ((low <= truth) & (truth <= high)).mean() < 0.74
    with_d = np.isfinite(value)
    assert value[with_d].mean() > truth * (1 + 0.8 / mean[2]) - 4 * error  # Jensen: 1/N is high by 1/mu at least


def test_empty_regions():
    assert abcd(0, 50, 100)[:4] == (0, 0, 0, 0)
    assert abcd(0, 50, 100).high == pytest.approx(abcd(50, 0, 100).high)
    assert 0 < abcd(0, 50, 100).high < 1  # half an event in B would give 0.25
    nothing_in_d = abcd(3, 4, 0)
    assert nothing_in_d.value == nothing_in_d.high == np.inf
    assert nothing_in_d.unbiased == 12
    assert 12 < nothing_in_d.low < 3 * 4 / 0.4  # half an event in D would give 24


def test_correlation_biases_by_the_odds_ratio():
    """Two correlated Gaussians: A / (B C / D) is the odds ratio, not one."""
    rng = np.random.default_rng(2)
    x, y = rng.multivariate_normal([0, 0], [[1, 0.3], [0.3, 1]], 200_000).T
    table, _, _ = np.histogram2d(x, y, bins=[[-9, 1, 9], [-9, 1, 9]])
    (d, b), (c, a) = table.astype(int)
    odds = a * d / (b * c)
    assert a / abcd(b, c, d).value == pytest.approx(odds)
    assert odds > 1.5
    assert independence_test(table.astype(int)).p_value < 1e-6


def test_independence_test_is_uniform_for_independent_counts():
    rng = np.random.default_rng(3)
    tables = rng.multinomial(3000, np.outer([0.2, 0.3, 0.5], [0.6, 0.4]).ravel(), 1500).reshape(-1, 3, 2)
    results = [independence_test(table) for table in tables]
    assert results[0].degrees == 2
    p_values = np.array([result.p_value for result in results])
    assert np.mean(p_values < 0.05) == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 1500))
    assert np.mean(p_values) == pytest.approx(0.5, abs=4 / np.sqrt(12 * 1500))


def test_independence_test_beside_fisher():
    table = np.array([[40, 60], [90, 210]])
    assert independence_test(table).p_value == pytest.approx(fisher_exact(table).pvalue, rel=0.3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: abcd(-1, 2, 3), "count_b: found -1"),
        (lambda: abcd(1, 2.5, 3), "count_c: found 2.5"),
        (lambda: abcd(1, 2, 3, level=1.0), "level: found 1.0"),
        (lambda: independence_test(np.ones(4, dtype=int)), r"table: found shape \(4,\)"),
        (lambda: independence_test(np.ones((2, 2))), "table: found type float64"),
        (lambda: independence_test(np.array([[1, 2], [0, 0]])), "empty row or column"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
