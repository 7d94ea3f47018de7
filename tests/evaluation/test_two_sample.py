"""The two-sample test: p-values uniform where samples are alike, small where they are not, also with weights."""

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import norm
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from hepml_labs.evaluation import classifier_two_sample_test


class MeanDifference(ClassifierMixin, BaseEstimator):
    """The simplest linear classifier: along the difference of the two means."""

    def fit(self, x, y):
        self.classes_ = np.array([0, 1])
        self.direction_ = x[y == 1].mean(axis=0) - x[y == 0].mean(axis=0)
        return self

    def predict_proba(self, x):
        probability = expit(x @ self.direction_)
        return np.stack([1 - probability, probability], axis=1)


CLASSIFIERS = {
    "linear": MeanDifference(),
    "tree": DecisionTreeClassifier(max_depth=4, min_samples_leaf=10, random_state=0),
}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_p_values_of_equal_samples_are_uniform(name):
    """Naive cross-fitting gives z-values of width 1.3 to 1.4 here: a p-value below 0.05 in 12 % of all tests."""
    results = []
    for seed in range(250):
        first, second = np.random.default_rng(seed).normal(size=(2, 250, 4))
        results.append(classifier_two_sample_test(first, second, classifier=CLASSIFIERS[name], seed=seed)[:3])
    area, error, p_value = np.transpose(results)
    z = norm.isf(p_value)
    assert abs(z.mean()) < 4 / np.sqrt(250)
    assert z.std() == pytest.approx(1, abs=0.12)
    assert area.std() == pytest.approx(np.sqrt((error**2).mean()), rel=0.12)
    for level, slack in ((0.05, 0.035), (0.32, 0.07), (0.68, 0.10)):  # 0.65 for a linear judge, see the page
        assert abs(np.mean(p_value < level) - level) < slack


def reweighted(seed, n, given):
    """First sample: unit Gaussians, randomly weighted. Second: wider and shifted, with exact weights if `given`."""
    random = np.random.default_rng(seed)
    first, second = random.normal(size=(2, n, 2))
    second[:, 0] = 0.3 + 1.2 * second[:, 0]
    weight = norm.pdf(second[:, 0]) / norm.pdf(second[:, 0], 0.3, 1.2)
    return first, second, random.gamma(0.5, size=n), weight if given else None


def test_exact_weights_close_and_none_do_not():
    def p_values(toys, given):
        tests = (
            classifier_two_sample_test(*reweighted(seed, 400, given), classifier=GaussianNB(), seed=seed)
            for seed in range(toys)
        )
        return np.array([test.p_value for test in tests])

    right = p_values(120, given=True)
    assert norm.isf(right).std() == pytest.approx(1, abs=0.2)
    assert np.mean(right < 0.05) < 0.10 and abs(np.mean(right < 0.5) - 0.5) < 0.14
    assert np.mean(p_values(30, given=False) < 0.05) > 0.4


def test_default_classifier_sees_a_correlation():
    """Equal marginal distributions: only a classifier that looks at both columns can tell."""
    random = np.random.default_rng(1)
    first, second = random.normal(size=(2, 1_000, 2))
    second[:, 1] = 0.6 * second[:, 0] + 0.8 * second[:, 1]
    found = classifier_two_sample_test(first, second)
    assert found.p_value < 1e-3 and found.auc > 0.53


def test_the_seed_decides():
    first, second = np.random.default_rng(1).normal(size=(2, 100, 1))
    once, again, other = (
        classifier_two_sample_test(first, second, classifier=GaussianNB(), seed=seed).score for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(once, again)
    assert (once != other).any()


def test_area_and_error_of_known_samples():
    """Shifted Gaussians judged by a classifier that needs no training to be nearly optimal."""
    pulls = []
    for seed in range(100):
        first, second = np.random.default_rng(seed).normal(size=(2, 400, 1))
        found = classifier_two_sample_test(first + 1, second, classifier=MeanDifference(), seed=seed)
        pulls.append((found.auc - norm.cdf(1 / np.sqrt(2))) / found.error)
    assert abs(np.mean(pulls)) < 0.4 and np.std(pulls) == pytest.approx(1, abs=0.2)
    assert found.score[:400].mean() > found.score[400:].mean()


def test_extremes_have_p_values():
    sample = np.random.default_rng(1).normal(size=(100, 1))
    apart = classifier_two_sample_test(sample + 100, sample, classifier=GaussianNB())
    assert apart.auc == 1 and apart.error < 1e-12 and apart.p_value < 1e-6
    constant = classifier_two_sample_test(np.ones((100, 1)), np.ones((100, 1)))
    assert constant.auc == 0.5 and constant.p_value == 0.5


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"first": np.zeros(100)}, "first"),
        ({"second": np.full((100, 2), np.nan)}, "second"),
        ({"second": np.zeros((100, 3))}, "second"),
        ({"second": np.zeros((40, 2))}, "second"),
        ({"first_weight": -np.ones(100)}, "first_weight"),
        ({"first_weight": np.zeros(100)}, "first_weight"),
        ({"second_weight": np.ones(99)}, "second_weight"),
        ({"second_weight": np.eye(100)[0]}, "second"),
        ({"folds": 2}, "folds"),
    ],
)
def test_bad_input_is_named(change, name):
    arguments = {"first": np.zeros((100, 2)), "second": np.zeros((100, 2))} | change
    with pytest.raises(ValueError, match=f"^{name}: "):
        classifier_two_sample_test(**arguments)
