"""AdaBoost against its closed forms and scikit-learn's; gradient boosting against XGBoost and the exact log-odds."""

import numpy as np
import pytest
import sklearn.ensemble
import sklearn.tree
import xgboost
from scipy.special import expit
from sklearn.utils.estimator_checks import parametrize_with_checks

from hepml_labs.classification.adaboost import AdaBoostClassifier
from hepml_labs.classification.boosting import GradientBoostingClassifier


@parametrize_with_checks([AdaBoostClassifier(trees=10), GradientBoostingClassifier(trees=10)])
def test_scikit_learn_interface(estimator, check):
    check(estimator)


def integers(n=3000, seed=0, classes=2):
    """Features of a few values, so that bins lose nothing."""
    random = np.random.default_rng(seed)
    X = random.integers(0, 50, size=(n, 6)).astype(float)
    signal = np.sin(X[:, 0] / 6) + (X[:, 1] - 25) * (X[:, 2] - 25) / 150 + random.normal(0, 0.7, n)
    return X, np.digitize(signal, np.quantile(signal, np.arange(1, classes) / classes)), random.uniform(0.3, 2, n)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("learning_rate", [1.0, 0.5])
def test_adaboost_gives_scikit_learns(classes, learning_rate):
    X, y, weight = integers(classes=classes)
    ours = AdaBoostClassifier(trees=25, depth=2, learning_rate=learning_rate, minimum_leaf=0.01).fit(X, y, weight)
    base = sklearn.tree.DecisionTreeClassifier(max_depth=2)
    options = {"n_estimators": 25, "learning_rate": learning_rate, "random_state": 0}
    theirs = sklearn.ensemble.AdaBoostClassifier(base, **options).fit(X, y, weight)
    assert ours.alphas_ == pytest.approx(theirs.estimator_weights_, abs=1e-9)
    assert ours.errors_ == pytest.approx(theirs.estimator_errors_, abs=1e-9)
    assert np.array_equal(ours.predict(X), theirs.predict(X))
    votes = theirs.decision_function(X) * theirs.estimator_weights_.sum()
    if classes == 2:  # theirs counts each vote for one class as one against the other as well
        assert ours.decision_function(X) == pytest.approx(votes / 2, abs=1e-9)


def test_adaboost_closed_forms():
    X, y, weight = integers(seed=2)
    boosted = AdaBoostClassifier(trees=40).fit(X, y, weight)
    sign = 2.0 * y - 1
    assert boosted.alphas_ == pytest.approx(np.log((1 - boosted.errors_) / boosted.errors_))
    # exponential loss of half the votes: the product of the normalisations of each round
    bound = np.cumprod(2 * np.sqrt(boosted.errors_ * (1 - boosted.errors_)))
    for k, votes in enumerate(boosted.staged_decision_function(X)):
        assert np.average(np.exp(-sign * votes / 2), weights=weight) == pytest.approx(bound[k])
        assert np.average(votes * sign <= 0, weights=weight) <= bound[k] + 1e-12
    assert bound[-1] < bound[0] < 1


def test_after_its_vote_a_tree_is_no_better_than_chance():
    X, y, weight = integers(seed=3)
    boosted = AdaBoostClassifier(trees=8, depth=2).fit(X, y, weight)
    stages = list(boosted.staged_decision_function(X))
    sign = 2.0 * y - 1
    binned, _ = boosted._binned(X)
    for k, votes in enumerate(stages):
        new = weight * np.exp(-sign * votes / 2)
        wrong = boosted.trees_[k].predict(binned).argmax(1) != y
        assert new @ wrong / new.sum() == pytest.approx(0.5, abs=1e-9)


def test_adaboost_ends():
    X = np.arange(10.0)[:, None]
    perfect = AdaBoostClassifier(trees=20).fit(X, X[:, 0] > 4)
    assert len(perfect.trees_) == 1
    assert perfect.score(X, X[:, 0] > 4) == 1
    chance = AdaBoostClassifier(trees=20).fit(np.ones((10, 1)), np.arange(10) % 2)
    assert chance.predict_proba(np.ones((1, 1))) == pytest.approx(np.full((1, 2), 0.5))


OPTIONS = {"max_depth": 4, "eta": 0.3, "lambda": 1.7, "min_child_weight": 3.0, "max_bin": 256}


@pytest.mark.parametrize("method", ["exact", "hist"])
@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_gradient_boosting_gives_xgboosts(method, missing):
    X, y, weight = integers(seed=4)
    X[np.random.default_rng(0).random(X.shape) < missing] = np.nan
    ours = GradientBoostingClassifier(20, 4, learning_rate=0.3, l2=1.7, minimum_leaf=3.0).fit(X, y, weight)
    start = np.average(y, weights=weight)
    data = xgboost.DMatrix(X, y, weight=weight)
    options = {**OPTIONS, "objective": "binary:logistic", "tree_method": method, "base_score": start}
    theirs = xgboost.train(options, data, 20)
    assert ours.predict_proba(X)[:, 1] == pytest.approx(theirs.predict(data), abs=1e-5)
    gains = theirs.get_score(importance_type="total_gain")
    found = np.array([gains.get(f"f{k}", 0.0) for k in range(6)])
    assert ours.feature_importances_ == pytest.approx(found / found.sum(), abs=1e-4)


def test_several_classes_give_xgboosts():
    X, y, weight = integers(seed=5, classes=3)
    ours = GradientBoostingClassifier(10, 4, learning_rate=0.3, l2=1.7, minimum_leaf=3.0).fit(X, y, weight)
    data = xgboost.DMatrix(X, y, weight=weight, base_margin=np.tile(ours.start_, (len(y), 1)))
    options = {**OPTIONS, "objective": "multi:softprob", "num_class": 3, "tree_method": "exact"}
    theirs = xgboost.train(options, data, 10)
    assert ours.predict_proba(X) == pytest.approx(theirs.predict(data), abs=1e-5)


def test_recovers_the_exact_log_odds():
    random = np.random.default_rng(7)
    X = random.normal(size=(40_000, 2))
    exact = 2 * X[:, 0] * X[:, 1] + np.sin(3 * X[:, 0])
    y = (random.random(len(X)) < expit(exact)).astype(int)
    boosted = GradientBoostingClassifier(120, 5, minimum_leaf=20.0, validation_fraction=0.2).fit(X, y)
    bulk = np.abs(X).max(axis=1) < 1.5
    error = (boosted.decision_function(X) - exact)[bulk]
    assert np.sqrt(np.mean(error**2)) < 0.2
    assert exact[bulk].std() > 1


def test_stages_and_early_stopping():
    X, y, weight = integers(seed=8)
    label = np.where(np.random.default_rng(1).random(len(y)) < 0.3, 1 - y, y)
    options = {"learning_rate": 0.3, "validation_fraction": 0.3, "patience": 15}
    boosted = GradientBoostingClassifier(200, 5, **options).fit(X, label, weight)
    assert len(boosted.trees_) == boosted.validation_loss_.argmin() + 1 < 150
    assert len(boosted.validation_loss_) == len(boosted.trees_) + 15
    assert (np.diff(boosted.train_loss_) < 0).all()
    stages = list(boosted.staged_predict_proba(X))
    assert len(stages) == len(boosted.trees_)
    assert np.array_equal(stages[-1], boosted.predict_proba(X))


def test_train_loss_is_the_cross_entropy():
    X, y, weight = integers(seed=9)
    boosted = GradientBoostingClassifier(5).fit(X, y, weight)
    for probability, loss in zip(boosted.staged_predict_proba(X), boosted.train_loss_, strict=True):
        assert -np.average(np.log(probability[np.arange(len(y)), y]), weights=weight) == pytest.approx(loss)
    half = GradientBoostingClassifier(30, subsample=0.5, seed=1).fit(X, y)
    assert not np.array_equal(
        half.predict_proba(X), GradientBoostingClassifier(30, subsample=0.5, seed=2).fit(X, y).predict_proba(X)
    )
    assert half.score(X, y) > 0.8


@pytest.mark.parametrize("estimator", [AdaBoostClassifier(), GradientBoostingClassifier()])
def test_bad_input_is_named(estimator):
    X, y, weight = integers(200)
    with pytest.raises(ValueError, match="sample_weight: found a smallest entry of"):
        estimator.fit(X, y, -weight)
    with pytest.raises(ValueError, match="y: found 1 class"):
        estimator.fit(X, np.ones(200))
    for name in ("trees", "learning_rate"):
        with pytest.raises(ValueError, match=name):
            type(estimator)(**{name: 0}).fit(X, y)
