"""Closed forms for Gaussians, and statistical errors against the scatter of many repetitions."""

import numpy as np
import pytest
import torch
from scipy.stats import norm

from hepml_labs.evaluation import (
    accuracy_summary,
    binned_response,
    calibration_curve,
    central_interval,
    coverage,
    mean_squared_error,
    mean_with_error,
    pull_summary,
    pulls,
    relative_accuracy,
    sigma_scale,
)

GOOD = np.array([1.0, 2.0, 3.0])


def scatter(estimate, draw, repetitions=400):
    """Return means of (value, error) and the standard deviation of the values over repetitions."""
    rng = np.random.default_rng(1)
    values, errors = np.array([estimate(draw(rng)) for _ in range(repetitions)]).T
    return values.mean(), errors.mean(), values.std()


DRAWS = {
    "normal": lambda rng: rng.normal(2.0, 3.0, 500),
    "exponential": lambda rng: rng.exponential(2.0, 500),
    "student": lambda rng: rng.standard_t(6, 500),
}
ESTIMATES = {
    "mean": mean_with_error,
    "median": lambda x: central_interval(x)[:2],
    "half width": lambda x: central_interval(x)[2:],
    "half width of 90 %": lambda x: central_interval(x, 0.9)[2:],
    "width": lambda x: pull_summary(x)[2:],
    "width of the bulk": lambda x: pull_summary(x, bulk=0.8)[2:],
    "scale": lambda x: sigma_scale(x, np.zeros_like(x), np.ones_like(x)),
    "mean squared error": lambda x: mean_squared_error(x, np.zeros_like(x)),
}


@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize("estimate", ESTIMATES)
def test_statistical_errors_are_the_scatter_of_repetitions(draw, estimate):
    _, error, observed = scatter(ESTIMATES[estimate], DRAWS[draw])
    tails = draw == "student" and estimate in ("width", "mean squared error", "scale")
    assert error == pytest.approx(observed, rel=0.25 if tails else 0.12)


def test_central_interval_of_a_gaussian():
    mean, _, _ = scatter(ESTIMATES["half width"], DRAWS["normal"])
    assert mean == pytest.approx(3.0, rel=0.01)
    x = np.random.default_rng(0).normal(size=400_000)
    for level in (0.3, 0.9):
        assert central_interval(x, level).half_width == pytest.approx(norm.ppf(0.5 + level / 2), rel=0.01)


def test_pulls_sign_and_units():
    found = pulls(np.array([10.0], np.float32), np.array([12.0], np.float32), np.array([4.0], np.float32))
    assert found.dtype == np.float32 and found[0] == 0.5
    assert pulls(torch.zeros(3), torch.ones(3), torch.ones(3)).tolist() == [1.0, 1.0, 1.0]


def test_pull_summary_sees_bias_width_and_tails():
    rng = np.random.default_rng(2)
    t = rng.normal(0.3, 1.4, 40_000)
    for summary in (pull_summary(t), pull_summary(t, bulk=0.68)):
        assert abs(summary.mean - 0.3) < 4 * summary.mean_error < 0.05
        assert abs(summary.width - 1.4) < 4 * summary.width_error < 0.05
    t[:40] = 1000.0
    assert pull_summary(t).width > 10
    assert pull_summary(t, bulk=0.68).width == pytest.approx(1.4, rel=0.02)


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_coverage_and_scale_of_gaussians_in_closed_form(factor):
    rng = np.random.default_rng(3)
    sigma = rng.uniform(0.5, 3, 50_000)
    target = rng.normal(0, sigma)
    levels = np.array([0.1, 0.5, 0.6827, 0.9, 0.99])
    found = coverage(target, np.zeros_like(target), factor * sigma, levels)
    expected = 2 * norm.cdf(factor * norm.ppf(0.5 + levels / 2)) - 1
    np.testing.assert_allclose(found.fraction, expected, atol=0.008)
    scale, error = sigma_scale(target, np.zeros_like(target), factor * sigma)
    assert abs(scale - 1 / factor) < 4 * error
    after = coverage(target, np.zeros_like(target), scale * factor * sigma, levels)
    assert (abs(after.fraction - levels) < 4 * after.error).all()


def test_scale_minimises_the_gaussian_likelihood():
    rng = np.random.default_rng(4)
    target, mean, sigma = rng.normal(size=200), rng.normal(size=200), rng.uniform(0.5, 2, 200)
    grid = np.linspace(0.5, 3, 2001)
    nll = [-norm.logpdf(target, mean, s * sigma).sum() for s in grid]
    assert sigma_scale(target, mean, sigma)[0] == pytest.approx(grid[np.argmin(nll)], abs=0.002)


def test_calibration_curve_is_the_diagonal_only_for_the_right_sigma():
    rng = np.random.default_rng(5)
    sigma = rng.uniform(1, 4, 60_000)
    target = rng.normal(0, sigma)
    right = calibration_curve(target, np.zeros_like(target), sigma, bins=8)
    assert (abs(right.observed - right.predicted) < 4 * right.observed_error).all()
    assert right.count.sum() == 60_000 and right.predicted[0] < 1.5 < 3.5 < right.predicted[-1]
    # The same average width, but the wrong one for each point: only the curve sees it.
    shuffled = calibration_curve(target, np.zeros_like(target), rng.permutation(sigma), bins=8)
    assert abs(shuffled.observed - shuffled.predicted).max() > 10 * shuffled.observed_error.max()


def test_binned_response_recovers_scale_and_resolution():
    rng = np.random.default_rng(6)
    truth = rng.uniform(10, 100, 90_000)
    prediction = truth * rng.normal(np.where(truth < 55, 0.9, 1.1), 1 / np.sqrt(truth))
    edges = np.array([10.0, 11.0, 54.0, 56.0, 99.0, 100.0, 200.0])
    found = binned_response(truth, prediction, edges)
    assert found.count.sum() == 90_000 and found.count[-1] == 0
    assert np.isnan(found.median[-1]) and np.isnan(found.resolution[-1])
    for which, scale, energy in [(0, 0.9, 10.5), (4, 1.1, 99.5)]:
        assert abs(found.median[which] - scale) < 4 * found.median_error[which] < 0.05
        expected = 1 / np.sqrt(energy) / scale
        assert abs(found.resolution[which] - expected) < 4 * found.resolution_error[which] < 0.2 * expected
        assert found.centre[which] == pytest.approx(energy, abs=0.05)
    side = rng.uniform(-1, 1, 90_000)
    other = binned_response(truth, truth * (1 + 0.1 * (side > 0)), np.array([-1.0, 0.0, 1.0]), variable=side)
    np.testing.assert_allclose(other.median, [1.0, 1.1])


def test_resolution_is_relative_to_the_response_and_so_is_its_error():
    def estimate(response):
        truth = np.full_like(response, 50.0)
        found = binned_response(truth, 50 * response, np.array([0.0, 100.0]))
        return found.resolution[0], found.resolution_error[0]

    mean, error, observed = scatter(estimate, lambda rng: rng.normal(0.5, 0.05, 500))
    assert mean == pytest.approx(0.1, rel=0.02)
    assert error == pytest.approx(observed, rel=0.12)


def test_accuracy():
    assert relative_accuracy(np.array([-2.0]), np.array([-3.0]))[0] == 0.5
    target = np.geomspace(1e-8, 1e3, 20_000)
    found = accuracy_summary(target, target * np.random.default_rng(7).normal(1.002, 0.01, 20_000))
    assert abs(found.median - 0.002) < 4 * found.median_error
    assert abs(found.width - 0.01) < 4 * found.width_error
    assert found.percentile_99 == pytest.approx(0.01 * 2.58, rel=0.1)


BAD_THREE = [
    ((GOOD[:, None], GOOD, GOOD), "target"),
    ((GOOD, GOOD[:2], GOOD), "mean"),
    ((GOOD, GOOD, GOOD[:2]), "sigma"),
    ((GOOD, GOOD, -GOOD), "sigma"),
    ((GOOD * np.nan, GOOD, GOOD), "target"),
    ((GOOD, GOOD * np.inf, GOOD), "mean"),
    ((GOOD[:0], GOOD[:0], GOOD[:0]), "target"),
    ((GOOD.astype(int), GOOD, GOOD), "target"),
    (([1.0], GOOD, GOOD), "target"),
]


@pytest.mark.parametrize("function", [pulls, coverage, calibration_curve, sigma_scale])
@pytest.mark.parametrize("arguments, name", BAD_THREE)
def test_bad_triples_are_named(function, arguments, name):
    with pytest.raises(ValueError, match=f"^{name}: "):
        function(*arguments)


@pytest.mark.parametrize(
    "call, name",
    [
        (lambda: coverage(GOOD, GOOD, GOOD, [0.0, 0.5]), "levels"),
        (lambda: coverage(GOOD, GOOD, GOOD, []), "levels"),
        (lambda: calibration_curve(GOOD, GOOD, GOOD, bins=2), "bins"),
        (lambda: calibration_curve(GOOD, GOOD, GOOD, bins=0), "bins"),
        (lambda: sigma_scale(GOOD[:1], GOOD[:1], GOOD[:1]), "target"),
        (lambda: pull_summary(GOOD), "pulls"),
        (lambda: pull_summary(np.full(20, np.nan)), "pulls"),
        (lambda: pull_summary(np.ones((20, 2))), "pulls"),
        (lambda: pull_summary(np.arange(20.0), bulk=68), "bulk"),
        (lambda: central_interval(GOOD), "values"),
        (lambda: central_interval(np.arange(20)), "values"),
        (lambda: central_interval(np.arange(20.0), level=1.0), "level"),
        (lambda: mean_with_error(GOOD[:1]), "values"),
        (lambda: mean_with_error(GOOD * np.nan), "values"),
        (lambda: mean_squared_error(GOOD, GOOD[:2]), "prediction"),
        (lambda: mean_squared_error(GOOD.astype(int), GOOD), "target"),
        (lambda: relative_accuracy(GOOD, GOOD[:2]), "prediction"),
        (lambda: relative_accuracy(0 * GOOD, GOOD), "target"),
        (lambda: relative_accuracy(GOOD[:0], GOOD[:0]), "target"),
        (lambda: accuracy_summary(GOOD, GOOD), "values"),
        (lambda: binned_response(-GOOD, GOOD, GOOD), "truth"),
        (lambda: binned_response(GOOD, GOOD[:2], GOOD), "prediction"),
        (lambda: binned_response(GOOD, GOOD * np.nan, GOOD), "prediction"),
        (lambda: binned_response(GOOD, GOOD, GOOD[::-1].copy()), "edges"),
        (lambda: binned_response(GOOD, GOOD, GOOD[:1]), "edges"),
        (lambda: binned_response(GOOD, GOOD, GOOD, variable=GOOD[:2]), "variable"),
    ],
)
def test_bad_input_is_named(call, name):
    with pytest.raises(ValueError, match=f"^{name}: "):
        call()
