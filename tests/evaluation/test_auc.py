"""The area under the ROC curve against scikit-learn, and its error against repetition."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from hepml_labs.evaluation.auc import area_difference, area_under_curve


@pytest.fixture
def random():
    return np.random.default_rng(3)


def test_value_of_scikit_learn_with_ties(random):
    label = random.integers(0, 2, 500)
    for score in (random.normal(size=500) + label, random.integers(0, 4, 500) + label, np.zeros(500)):
        assert area_under_curve(label, score).value == pytest.approx(roc_auc_score(label, score), abs=1e-12)


@pytest.mark.parametrize(("signal", "background", "shift"), [(200, 200, 0.3), (60, 400, 1.5), (300, 50, 2.5)])
def test_error_is_the_spread_of_repetitions(random, signal, background, shift):
    """Two Gaussians, whose area is known, many times over: pulls have width one."""
    label = np.repeat([1, 0], [signal, background])
    areas = [area_under_curve(label, random.normal(size=len(label)) + shift * label) for _ in range(2000)]
    values, errors = np.array(areas).T
    assert values.mean() == pytest.approx(norm.cdf(shift / np.sqrt(2)), abs=4 * values.std() / np.sqrt(2000))
    assert np.sqrt((errors**2).mean()) == pytest.approx(values.std(), rel=0.08)


def test_bad_input_is_named():
    score = np.arange(4.0)
    for label, message in (
        (np.array([0, 1, 0]), "^score: found shape"),
        (np.array([0, 1, 2, 1]), "^label: found values"),
        (np.array([0, 1, 1, 1]), "^label: found 3 signals and 1 backgrounds"),
    ):
        with pytest.raises(ValueError, match=message):
            area_under_curve(label, score)
    with pytest.raises(ValueError, match="^score:.*NaN"):
        area_under_curve(np.array([0, 1, 0, 1]), score * np.nan)


def test_weighted_value_of_scikit_learn(random):
    label = random.integers(0, 2, 500)
    weight = random.gamma(2, size=500) * (random.uniform(size=500) > 0.2)
    for score in (random.normal(size=500) + label, random.integers(0, 4, 500) + label):
        expected = roc_auc_score(label, score, sample_weight=weight)
        assert area_under_curve(label, score, weight).value == pytest.approx(expected, abs=1e-12)
        plain = area_under_curve(label, score)
        assert area_under_curve(label, score, np.full(500, 3)) == pytest.approx(plain, abs=1e-12)


def test_weighted_error_is_the_spread_of_repetitions(random):
    """Drawn from wider Gaussians and weighted back: large weights cluster where few events lie."""
    label = np.repeat([1, 0], [200, 400])
    centre, width = np.where(label, 0.3, 0.5), np.where(label, 1.1, 1.3)
    areas = []
    for _ in range(800):
        score = random.normal(centre, width)
        areas.append(area_under_curve(label, score, norm.pdf(score, label) / norm.pdf(score, centre, width)))
    values, errors = np.array(areas).T
    truth = norm.cdf(1 / np.sqrt(2))
    assert values.mean() == pytest.approx(truth, abs=4 * values.std() / np.sqrt(800) + 0.001)
    assert np.sqrt((errors**2).mean()) == pytest.approx(values.std(), rel=0.10)
    assert 0.62 < np.mean(abs(values - truth) < errors) < 0.74
    assert area_under_curve(label, score).error > 1.15 * errors.mean()  # other errors for other distributions


@pytest.mark.parametrize("weighted", [False, True])
def test_difference_of_areas_on_the_same_events(random, weighted):
    label = np.repeat([1, 0], [150, 250])
    found, single = [], []
    for _ in range(500):
        first = random.normal(size=400) + label
        second = first + 0.5 * random.normal(size=400)
        weight = random.gamma(1, size=400) if weighted else None
        found.append(area_difference(label, first, second, weight))
        single.append(area_under_curve(label, first, weight).error)
    values, errors = np.array(found).T
    truth = norm.cdf(1 / np.sqrt(2)) - norm.cdf(1 / np.sqrt(2.5))
    assert values.mean() == pytest.approx(truth, abs=4 * values.std() / np.sqrt(500))
    assert np.sqrt((errors**2).mean()) == pytest.approx(values.std(), rel=0.12)
    assert errors.mean() < 0.6 * np.mean(single)
    assert area_difference(label, first, 3 * first + 1) == (0, 0)


def test_bad_weights_are_named():
    label, score = np.array([0, 1, 0, 1]), np.arange(4.0)
    for weight, message in ((-score, "^weight: f"), (score[:3], "^weight: f"), (score * 0, "^label: found 0 signals")):
        with pytest.raises(ValueError, match=message):
            area_under_curve(label, score, weight)
    with pytest.raises(ValueError, match="^second: found shape"):
        area_difference(label, score, score[:3])
