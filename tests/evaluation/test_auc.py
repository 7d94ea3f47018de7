"""The area under the ROC curve against scikit-learn, and its error against repetition."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from hepml_labs.evaluation.auc import area_under_curve


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
