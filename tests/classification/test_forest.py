"""The forest against scikit-learn's, and the variance of its average against the closed form."""

import numpy as np
import pytest
import sklearn.ensemble
from sklearn.utils.estimator_checks import parametrize_with_checks

from hepml_labs.classification.forest import RandomForestClassifier
from hepml_labs.evaluation import area_under_curve

FAILS = {
    "check_sample_weight_equivalence_on_dense_data": "a bootstrap draws rows: an event of weight two is not two events",
}


@parametrize_with_checks([RandomForestClassifier(trees=10)], expected_failed_checks=lambda estimator: FAILS)
def test_scikit_learn_interface(estimator, check):
    check(estimator)


def two_moons(n, seed):
    random = np.random.default_rng(seed)
    y = random.integers(0, 2, n)
    angle = random.uniform(0, np.pi, n)
    x = np.stack([np.cos(angle), np.sin(angle)], axis=1) * (1 - 2 * y[:, None]) + y[:, None] * [1.0, 0.4]
    return np.concatenate([x + random.normal(0, 0.35, (n, 2)), random.normal(size=(n, 4))], axis=1), y


def test_as_good_as_scikit_learns():
    X, y = two_moons(2000, 1)
    tested, label = two_moons(8000, 2)
    areas, importances = [], []
    for seed in range(4):
        ours = RandomForestClassifier(trees=40, depth=8, features=2, minimum_leaf=2.0, seed=seed).fit(X, y)
        options = {"max_depth": 8, "max_features": 2, "min_samples_leaf": 2, "random_state": seed}
        theirs = sklearn.ensemble.RandomForestClassifier(40, **options).fit(X, y)
        areas.append([area_under_curve(label, f.predict_proba(tested)[:, 1]).value for f in (ours, theirs)])
        importances.append([f.feature_importances_ for f in (ours, theirs)])
    difference = np.subtract(*np.array(areas).T)
    assert abs(difference.mean()) < 3 * max(difference.std(ddof=1) / 2, 3e-4)
    assert np.mean(areas) > 0.93
    assert np.subtract(*np.mean(importances, axis=0)) == pytest.approx(np.zeros(6), abs=0.04)


def test_variance_of_the_average():
    """The variance over forests is rho sigma^2 + (1 - rho) sigma^2 / B, trees of one forest being exchangeable."""
    X, y = two_moons(300, 3)
    point = np.array([[0.5, 0.3, 0.0, 0.0, 0.0, 0.0]])
    members = RandomForestClassifier(trees=600, depth=5, features=2, seed=4).fit(X, y).member_probabilities(point)
    # for fixed training events the trees are independent draws: rho = 0, and the variance falls like 1 / B
    trees = members[:, 0, 1].reshape(-1, 20)
    assert trees.mean(axis=1).var(ddof=1) == pytest.approx(trees.var(ddof=1) / 20, rel=0.55)
    # over training sets the bootstrap samples share their events: rho > 0, and the variance levels off
    several = []
    for seed in range(40):
        X, y = two_moons(300, 10 + seed)
        forest = RandomForestClassifier(trees=16, depth=5, features=2, seed=seed).fit(X, y)
        several.append(forest.member_probabilities(point)[:, 0, 1])
    several = np.array(several)
    covariance = np.cov(several.T)
    variance = covariance.diagonal().mean()
    rho = covariance[~np.eye(16, dtype=bool)].mean() / variance
    expected = rho * variance + (1 - rho) * variance / 16
    assert several.mean(axis=1).var(ddof=1) == pytest.approx(expected, rel=1e-9)
    assert 0.05 < rho < 0.9


def test_average_of_its_trees_and_less_noise_than_one():
    X, y = two_moons(1500, 5)
    tested, label = two_moons(4000, 6)
    forest = RandomForestClassifier(trees=30, depth=9).fit(X, y)
    members = forest.member_probabilities(tested)
    assert members.mean(axis=0) == pytest.approx(forest.predict_proba(tested))
    single = [area_under_curve(label, member[:, 1]).value for member in members[:5]]
    assert area_under_curve(label, forest.predict_proba(tested)[:, 1]).value > max(single) + 0.02


def test_seeds():
    X, y = two_moons(300, 7)
    first, same, other = (RandomForestClassifier(trees=5, seed=seed).fit(X, y).predict_proba(X) for seed in (1, 1, 2))
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


def test_labels_weights_and_missing_values():
    X, y = two_moons(600, 8)
    X[::7, 0] = np.nan
    weight = np.where(np.arange(600) % 3 == 0, 0.0, 1.0)
    poisoned = np.where(weight > 0, y, 1 - y)
    forest = RandomForestClassifier(trees=20).fit(X, np.array(["b", "s"])[poisoned], weight)
    assert forest.score(X, np.array(["b", "s"])[y]) > 0.85
    with pytest.raises(ValueError, match="sample_weight"):
        forest.fit(X, y, -weight)
    with pytest.raises(ValueError, match="trees"):
        RandomForestClassifier(trees=0).fit(X, y)
