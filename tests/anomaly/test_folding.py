"""Cross-training: no event is scored by what has seen it; the bias without folds, and the width with them."""

import numpy as np
import pytest

from hepml_labs.anomaly.base import AnomalyDetector
from hepml_labs.anomaly.folding import assign_folds, cross_scores, select_in_folds
from hepml_labs.anomaly.regions import Regions


class Table(AnomalyDetector):
    """Share of window events among the training events of a cell; the feature is the number of the cell."""

    def __init__(self, cells=100, seed=3):
        self.cells, self.seed = cells, seed

    def fit(self, features, mass, regions):
        features, mass, inside, _ = self._prepare(features, mass, regions)
        self.seen_ = mass
        cell = features[:, 0].astype(int)
        self.share_ = np.bincount(cell, inside, self.cells) / np.maximum(np.bincount(cell, minlength=self.cells), 1)
        return self

    def score_samples(self, features, mass):
        features, _ = self._check(features, mass)
        return self.share_[features[:, 0].astype(int)] + 1e-9 * features[:, 0]


def background(random, n=2000):
    mass = np.where(random.random(n) < 0.5, random.uniform(3300, 3699, n), random.uniform(3000, 3299, n))
    return random.integers(100, size=(n, 1)).astype(float), mass


def pull(inside, passed):
    return (inside[passed].sum() - passed.sum() / 2) / np.sqrt(passed.sum() / 4)


@pytest.mark.parametrize(("n", "folds"), [(10, 2), (11, 5), (7, 7)])
def test_folds_are_even_and_random(n, folds):
    fold = assign_folds(n, folds, seed=1)
    assert sorted(np.bincount(fold)) == sorted([n // folds + (k < n % folds) for k in range(folds)])
    assert np.array_equal(fold, assign_folds(n, folds, seed=1))


def test_no_event_is_scored_by_a_detector_that_has_seen_it():
    features, mass = background(np.random.default_rng(0))
    found = cross_scores(Table(), features, mass, Regions(), folds=4, seed=2)
    for k, detector in enumerate(found.detectors):
        held = found.fold == k
        assert not np.isin(mass[held], detector.seen_).any()
        assert len(detector.seen_) + held.sum() == len(mass)
        assert np.array_equal(found.score[held], detector.score_samples(features[held], mass[held]))
        assert detector.seed == 3 + 1000 * k
    others = np.mean([detector.score_samples(features, mass) for detector in found.detectors], axis=0)
    assert np.array_equal(found.score_samples(features, mass), others)


def test_own_events_show_an_excess_that_folds_take_away():
    random, pulls = np.random.default_rng(1), {"own": [], "folds": []}
    for _ in range(120):
        features, mass = background(random)
        inside = Regions().inside(mass)
        score = Table().fit(features, mass, Regions()).score_samples(features, mass)
        pulls["own"].append(pull(inside, select_in_folds(score, np.zeros(len(score), int), 0.1)))
        found = cross_scores(Table(), features, mass, Regions())
        pulls["folds"].append(pull(inside, select_in_folds(found.score, found.fold, 0.1)))
    own, folds = np.mean(pulls["own"]), np.mean(pulls["folds"])
    assert own > 4
    assert abs(folds) < 4 * 1.4 / np.sqrt(120)
    assert 0.95 < np.std(pulls["folds"]) < 1.65  # a little above one, see the next test


@pytest.mark.parametrize("folds", [2, 5])
def test_variance_is_twice_the_binomial_one_for_scores_linear_in_the_training_data(folds):
    # T = sum over folds of sum_i (y_i - 1/2) s(x_i) with s = sum_j (y_j - 1/2) [same cell], j in the other folds
    random, cells, total, assumed = np.random.default_rng(4), 50, [], []
    for _ in range(1500):
        cell, fold = random.integers(cells, size=500), random.integers(folds, size=500)
        y = random.integers(2, size=500) - 0.5
        by_fold = np.zeros((folds, cells))
        np.add.at(by_fold, (fold, cell), y)
        score = (by_fold.sum(axis=0) - by_fold)[fold, cell]
        total.append((y * score).sum())
        assumed.append((score**2).sum() / 4)
    assert np.var(total) / np.mean(assumed) == pytest.approx(2, abs=0.3)


def test_each_fold_has_its_threshold_and_reference():
    random = np.random.default_rng(5)
    fold = np.repeat([0, 1, 2], 200)
    score = random.normal(size=600) * 10.0**fold + 50 * fold
    reference = random.random(600) < 0.5
    passed = select_in_folds(score, fold, 0.1, reference)
    for k in range(3):
        assert (passed & reference)[fold == k].sum() == round(0.1 * reference[fold == k].sum())
        assert score[(fold == k) & passed].min() > score[(fold == k) & ~passed].max()
    for k in range(3):  # a monotone function in each fold changes nothing
        score[fold == k] = np.exp(score[fold == k] / 10.0**k)
    assert np.array_equal(passed, select_in_folds(score, fold, 0.1, reference))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: assign_folds(10, folds=1), "folds: found 1"),
        (lambda: assign_folds(3, folds=4), "n: found 3"),
        (lambda: select_in_folds(np.ones(3), np.zeros(2, int), 0.1), "fold: found shape"),
        (lambda: select_in_folds(np.ones(3), np.zeros(3, int), 1.5), "efficiency: found 1.5"),
        (lambda: select_in_folds(np.array([1.0, np.nan]), np.zeros(2, int), 0.1), "score: found 1 of 2"),
        (lambda: select_in_folds(np.ones(3), np.array([0, 0, 1]), 0.1, np.array([True, True, False])), "in fold 1"),
    ],
)
def test_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
