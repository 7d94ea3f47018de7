"""Histograms as likelihoods: against the densities they approximate, and against counting by hand."""

import numpy as np
import pytest

from hepml_labs.sbi.fisher import histogram_information, information
from hepml_labs.sbi.gold import joint_score
from hepml_labs.sbi.histograms import HistogramRatio, rank_observables


@pytest.fixture(scope="module")
def events():
    """Uniform z in the square, weights 1 + t1 z1 + t2 z1 z2 + t1^2 z2^2: ratio and score are known."""
    z = np.random.default_rng(1).uniform(-1, 1, (60_000, 2))
    zero = np.zeros(len(z))
    columns = [zero + 1, z[:, 0], z[:, 0] * z[:, 1], z[:, 1] ** 2, zero, zero]
    return z, np.stack(columns, axis=-1) / len(z)


def test_ratio_and_score_of_two_observables(events):
    z, coefficients = events
    histogram = HistogramRatio((20, 20)).fit(z, coefficients)
    theta = np.array([[0.0, 0.0], [0.6, 0.3], [-0.5, 0.4]])
    found = histogram.log_ratio(z[:2000], theta)
    t1, t2 = theta.T[:, :, None]
    exact = np.log(1 + t1 * z[:2000, 0] + t2 * z[:2000, 0] * z[:2000, 1] + t1**2 * z[:2000, 1] ** 2)
    exact -= np.log(1 + t1**2 / 3)
    assert found == pytest.approx(exact, abs=0.2)  # the width of a bin is 0.1, the slope at most 2
    assert (found - exact).std() < 0.04
    assert (found[0] == 0).all()
    score = histogram.score(z, np.zeros(2))
    assert (score - np.stack([z[:, 0], z[:, 0] * z[:, 1]], axis=-1)).std(axis=0).max() < 0.06


def test_score_is_the_slope_of_the_log_ratio(events):
    z, coefficients = events
    histogram = HistogramRatio((5, 4)).fit(z, coefficients)
    theta, step = np.array([0.3, -0.2]), 1e-5
    for k in range(2):
        shift = step * np.eye(2)[k]
        ends = histogram.log_ratio(z[:500], np.stack([theta + shift, theta - shift]))
        assert histogram.score(z[:500], theta)[:, k] == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=1e-6)


def test_bins_by_hand(events):
    z, coefficients = events
    histogram = HistogramRatio((3, 4)).fit(z, coefficients)
    index = histogram.bin_of(z)
    assert (np.bincount(index) == 5000).all()  # equal numbers of simulated events in all bins
    assert (histogram.bin_of(np.array([[-9.0, -9.0], [9.0, 9.0]])) == [0, 11]).all()
    assert histogram.total_ == pytest.approx(coefficients.sum(axis=0))
    theta = np.array([[0.5, -0.7]])
    weights = coefficients @ [1, 0.5, -0.7, 0.25, -0.35, 0.49]
    assert histogram.cross_sections(theta)[0] == pytest.approx(np.bincount(index, weights))
    ratio = np.exp(histogram.log_ratio(z, theta, np.array([0.2, 0.1])))[0]
    reference = coefficients @ [1, 0.2, 0.1, 0.04, 0.02, 0.01]
    assert np.average(ratio, weights=reference) == pytest.approx(1)  # normalised densities


def test_its_score_has_the_information_of_the_histogram(events):
    z, coefficients = events
    theta = np.array([0.4, 0.2])
    weights = coefficients @ [1, 0.4, 0.2, 0.16, 0.08, 0.04]
    histogram = HistogramRatio((6, 6)).fit(z, coefficients)
    direct = information(histogram.score(z, theta), weights)
    projected = histogram_information(histogram.bin_of(z), joint_score(coefficients, theta), weights)
    assert projected.matrix == pytest.approx(direct.matrix, rel=0.01, abs=0.002)  # less the noise of 36 bins


def test_ranking_finds_the_observables_that_matter(events):
    z, coefficients = events
    noise = np.random.default_rng(2).normal(size=len(z))
    values = np.column_stack([noise, z[:, 1], z[:, 0]])
    t, weights = joint_score(coefficients, np.zeros(2)), coefficients[:, 0]
    pairs = rank_observables(values, t, weights, bins=8, dimensions=2)
    assert pairs[0].columns == (1, 2) and len(pairs) == 3
    single = rank_observables(values, t, weights, bins=8)
    assert single[0].columns == (2,)
    best, full = pairs[0].estimate.matrix, information(t, weights).matrix
    assert np.diag(best) == pytest.approx(np.diag(full), rel=0.05)
    assert single[0].estimate.matrix[1, 1] < 0.01  # no single observable here knows the second parameter


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: HistogramRatio(1), "bins: found 1"),
        (lambda: HistogramRatio(5).fit(np.ones((100, 2)), np.ones((100, 3))), "values: found shape"),
        (lambda: HistogramRatio(50).fit(np.random.default_rng(0).normal(size=(99, 1)), np.ones((99, 3))), "99 events"),
        (lambda: HistogramRatio(5).fit(np.ones((100, 1)), np.ones((100, 3))), "many events of one value"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
