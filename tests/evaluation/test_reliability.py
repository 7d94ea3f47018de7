"""Reliability, Brier score and log loss against scikit-learn; errors and the floor against repetition."""

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn import metrics
from sklearn.calibration import calibration_curve

from hepml_labs.evaluation import brier_score, expected_calibration_error, log_loss, reliability

TOYS = 400


def draw(seed, n, temperature=1.0):
    """Return labels drawn from logits, and the probabilities that a classifier of another temperature states."""
    random = np.random.default_rng(seed)
    logit = 1.5 * random.normal(size=n)
    return random.uniform(size=n) < expit(logit), expit(logit / temperature)


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
@pytest.mark.parametrize("decimals", [1, 2, 16])
def test_curve_of_scikit_learn(strategy, decimals):
    label, probability = draw(1, 5_000)
    probability = np.round(probability, decimals)
    found = reliability(label, probability, bins=12, strategy=strategy)
    observed, predicted = calibration_curve(label, probability, n_bins=12, strategy=strategy)
    np.testing.assert_allclose(found.observed, observed, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.predicted, predicted, rtol=0, atol=1e-12)
    assert found.count.sum() == 5_000


@pytest.mark.parametrize("weighted", [False, True])
def test_scores_of_scikit_learn(weighted):
    label, probability = draw(2, 4_000)
    probability[:3] = 0, 1, 1  # certain, and wrong for some
    weight = np.random.default_rng(2).gamma(2, size=len(label)) if weighted else None
    expected = metrics.brier_score_loss(label, probability, sample_weight=weight)
    assert brier_score(label, probability, weight).value == pytest.approx(expected, abs=1e-12)
    expected = metrics.log_loss(label, probability, sample_weight=weight)
    assert log_loss(label, probability, weight).value == pytest.approx(expected, abs=1e-12)
    many = softmax(np.random.default_rng(3).normal(size=(4_000, 3)), axis=1)
    number = np.random.default_rng(4).integers(0, 3, 4_000)
    expected = metrics.log_loss(number, many, sample_weight=weight)
    assert log_loss(number, many, weight).value == pytest.approx(expected, abs=1e-12)


def test_weights_are_copies():
    label, probability = draw(3, 500)
    count = np.random.default_rng(3).integers(0, 4, 500)
    weighted = reliability(label, probability, weight=count)
    copied = reliability(np.repeat(label, count), np.repeat(probability, count))
    np.testing.assert_allclose(weighted[:2], copied[:2], atol=1e-12)
    assert (weighted.count <= copied.count).all()
    for score in (brier_score, log_loss):
        copies = score(np.repeat(label, count), np.repeat(probability, count))
        assert score(label, probability, count).value == pytest.approx(copies.value, abs=1e-12)
    scaled = reliability(label, probability, weight=np.full(500, 3.0))
    np.testing.assert_allclose(scaled, reliability(label, probability), rtol=1e-12)


def test_errors_of_observed_frequencies_cover():
    """Also in bins of about 5 events, where one class may be absent."""
    for n in (60, 3_000):
        inside = []
        for seed in range(TOYS):
            label, probability = draw(seed, n)
            found = reliability(label, probability, bins=12, strategy="quantile")
            inside.append(abs(found.observed - found.predicted) < found.observed_error)
        assert 0.60 < np.mean(inside) < 0.76
        assert found.observed_error.min() > 0


def test_weighted_errors_of_observed_frequencies_cover():
    inside = []
    for seed in range(TOYS):
        label, probability = draw(seed, 1_000)
        weight = np.random.default_rng(seed + 10_000).pareto(3, 1_000)
        found = reliability(label, probability, bins=5, weight=weight)
        inside.append(abs(found.observed - found.predicted) < found.observed_error)
    assert 0.60 < np.mean(inside) < 0.76


@pytest.mark.parametrize("strategy", ["quantile", "uniform"])
@pytest.mark.parametrize(("n", "bins"), [(300, 15), (1_000, 50), (5_000, 15)])
def test_floor_is_the_mean_of_calibrated_classifiers(n, bins, strategy):
    found = np.array([expected_calibration_error(*draw(seed, n), bins, strategy) for seed in range(TOYS)])
    value, error, floor = found.T
    assert floor.mean() == pytest.approx(value.mean(), rel=0.03)
    assert np.sqrt((error**2).mean()) == pytest.approx(value.std(), rel=0.25)
    assert 0.60 < np.mean(abs(value - floor) < error) < 0.80


def test_error_of_a_large_calibration_error():
    found = np.array([expected_calibration_error(*draw(seed, 2_000, temperature=0.5)) for seed in range(TOYS)])
    value, error, floor = found.T
    assert value.mean() > 4 * floor.mean()
    assert 0.60 < np.mean(abs(value - value.mean()) < error) < 0.76


@pytest.mark.parametrize("score", [brier_score, log_loss])
def test_errors_of_scores_are_the_scatter_of_repetitions(score):
    for weighted in (False, True):
        rows = []
        for seed in range(TOYS):
            weight = np.random.default_rng(seed + 10_000).gamma(1, size=300) if weighted else None
            rows.append(score(*draw(seed, 300), weight))
        value, error = np.transpose(rows)
        assert np.sqrt((error**2).mean()) == pytest.approx(value.std(), rel=0.12)


def test_many_classes_are_judged_by_the_most_probable():
    random = np.random.default_rng(5)
    probability = softmax(1.5 * random.normal(size=(20_000, 4)), axis=1)
    label = (random.uniform(size=(20_000, 1)) > probability.cumsum(axis=1)).sum(axis=1)
    found = expected_calibration_error(label, probability)
    assert abs(found.value - found.floor) < 4 * found.error
    sharper = softmax(2 * np.log(probability), axis=1)
    assert expected_calibration_error(label, sharper).value > 0.1
    curve = reliability(label, probability, bins=5, strategy="quantile")
    assert (abs(curve.observed - curve.predicted) < 4 * curve.observed_error).all() and curve.predicted[0] > 0.25


LABEL, PROBABILITY = np.array([0, 1, 1]), np.array([0.1, 0.5, 0.9])


@pytest.mark.parametrize("function", [reliability, expected_calibration_error, brier_score, log_loss])
@pytest.mark.parametrize(
    ("label", "probability", "name"),
    [
        (LABEL, 2 * PROBABILITY, "probability"),
        (LABEL, -PROBABILITY, "probability"),
        (LABEL, PROBABILITY * np.nan, "probability"),
        (LABEL[:2], PROBABILITY, "probability"),
        (LABEL + 1, PROBABILITY, "label"),
        (LABEL, LABEL, "probability"),
        (LABEL, np.ones((3, 2)), "probability"),
        (LABEL + 5, np.full((3, 2), 0.5), "label"),
        (LABEL, np.full((4, 2), 0.5), "label"),
    ],
)
def test_bad_input_is_named(function, label, probability, name):
    with pytest.raises(ValueError, match=f"^{name}: "):
        function(label, probability)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: reliability(LABEL, PROBABILITY, bins=0), "bins"),
        (lambda: reliability(LABEL, PROBABILITY, strategy="equal"), "strategy"),
        (lambda: reliability(LABEL, PROBABILITY, weight=-PROBABILITY), "weight"),
        (lambda: log_loss(LABEL, PROBABILITY, weight=0 * PROBABILITY), "weight"),
        (lambda: brier_score(LABEL, np.full((3, 2), 0.5)), "probability"),
    ],
)
def test_bad_options_are_named(call, name):
    with pytest.raises(ValueError, match=f"^{name}: "):
        call()
