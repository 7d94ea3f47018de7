"""The histogram tree against closed forms, scikit-learn's exact tree and XGBoost."""

import time

import numpy as np
import pytest
import sklearn.tree
import xgboost
from sklearn.utils.estimator_checks import parametrize_with_checks

from hepml_labs.classification.tree_classifier import DecisionTreeClassifier
from hepml_labs.classification.trees import RegressionTree, apply_edges, quantile_edges


def integers(n=2000, d=5, seed=0):
    """Features of a few values, so that bins lose nothing, and a target with structure."""
    random = np.random.default_rng(seed)
    X = random.integers(0, 40, size=(n, d)).astype(float)
    return X, np.sin(X[:, 0] / 5) + (X[:, 1] > 12) * X[:, 2] / 20 + random.normal(size=n), random.uniform(0.2, 3, n)


@parametrize_with_checks([DecisionTreeClassifier()])
def test_scikit_learn_interface(estimator, check):
    check(estimator)


@pytest.mark.parametrize("weighted", [False, True])
def test_squared_error_gives_scikit_learns_tree(weighted):
    X, y, weight = integers()
    weight = weight if weighted else np.ones(len(y))
    ours = RegressionTree(depth=5, minimum_leaf=15.0).fit(X, -weight * y, weight)
    share = 15.0 / weight.sum()
    theirs = sklearn.tree.DecisionTreeRegressor(max_depth=5, min_weight_fraction_leaf=share).fit(X, y, weight)
    assert ours.predict(X) == pytest.approx(theirs.predict(X), abs=1e-12)
    assert ours.importance() / ours.gain.sum() == pytest.approx(theirs.feature_importances_, abs=1e-12)


@pytest.mark.parametrize("classes", [2, 4])
def test_gini_gives_scikit_learns_tree(classes):
    X, y, weight = integers(seed=3)
    label = np.digitize(y, np.quantile(y, np.arange(1, classes) / classes))
    ours = DecisionTreeClassifier(depth=4, minimum_leaf=0.1).fit(X, label, weight)
    theirs = sklearn.tree.DecisionTreeClassifier(max_depth=4).fit(X, label, weight)
    assert ours.predict_proba(X) == pytest.approx(theirs.predict_proba(X), abs=1e-12)
    assert ours.feature_importances_ == pytest.approx(theirs.feature_importances_, abs=1e-12)


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_one_newton_step_gives_xgboosts_tree(missing):
    X, y, weight = integers(seed=5)
    X[np.random.default_rng(1).random(X.shape) < missing] = np.nan
    X[:, 4] += 100 * np.isnan(X[:, 0])  # whether a value is missing matters
    label = (y > 1).astype(float)
    data = xgboost.DMatrix(X, label, weight=weight, base_margin=np.zeros(len(y)))
    options = {"max_depth": 4, "eta": 1.0, "lambda": 2.5, "min_child_weight": 8.0, "tree_method": "exact"}
    theirs = xgboost.train({**options, "objective": "binary:logistic"}, data, 1)
    ours = RegressionTree(depth=4, minimum_leaf=8.0, l2=2.5).fit(X, weight * (0.5 - label), weight / 4)
    assert ours.predict(X) == pytest.approx(theirs.predict(data, output_margin=True), abs=1e-5)
    gains = theirs.get_score(importance_type="total_gain")  # twice ours: XGBoost leaves the half of equation 7 out
    found = [gains.get(f"f{k}", 0.0) / 2 for k in range(5)]
    assert ours.importance() == pytest.approx(found, rel=1e-4)


def test_leaf_and_gain_by_hand():
    X = np.array([[0.0], [0.0], [1.0], [1.0]])
    gradient, hessian = np.array([-1.0, -3.0, 2.0, 4.0]), np.array([1.0, 2.0, 0.5, 1.5])
    tree = RegressionTree(depth=1, l2=1.0).fit(X, gradient, hessian)
    assert tree.predict(X) == pytest.approx([1.0, 1.0, -2.0, -2.0])  # 4 / (3 + 1), -6 / (2 + 1)
    assert tree.gain[0] == pytest.approx((16 / 4 + 36 / 3 - 4 / 6) / 2)


def test_several_outputs_add_their_gains():
    X, y, weight = integers(400, seed=8)
    pair = np.stack([y, X[:, 3] / 10], axis=1)
    tree = RegressionTree(depth=2).fit(X, -weight[:, None] * pair, weight)
    before = (weight[:, None] * (pair - np.average(pair, axis=0, weights=weight)) ** 2).sum()
    after = (weight[:, None] * (pair - tree.predict(X)) ** 2).sum()
    assert tree.predict(X).shape == (400, 2)
    assert tree.gain.sum() == pytest.approx((before - after) / 2)


def test_limits_hold():
    X, y, weight = integers(seed=9)
    for minimum in (5.0, 60.0):
        tree = RegressionTree(depth=6, minimum_leaf=minimum).fit(X, -weight * y, weight)
        assert np.bincount(tree.apply(X), weight)[np.unique(tree.apply(X))].min() >= minimum
    all_splits = RegressionTree(depth=6).fit(X, -weight * y, weight)
    few = RegressionTree(depth=6, minimum_gain=20.0).fit(X, -weight * y, weight)
    assert 0 < (few.gain > 0).sum() < (all_splits.gain > 0).sum()
    assert few.gain[few.gain > 0].min() > 20
    assert (RegressionTree(depth=6, l2=50.0).fit(X, -weight * y, weight).predict(X)).std() < all_splits.predict(X).std()


def test_no_split_in_noise_free_constants():
    X, _, weight = integers(300)
    tree = RegressionTree(depth=4, minimum_leaf=0.01).fit(X, -0.3 * weight, weight)
    assert tree.feature.shape == (1,)
    assert tree.predict(X) == pytest.approx(np.full(300, 0.3))


def test_monotone_transformations_change_nothing():
    X, y, weight = integers(seed=11)
    tree = RegressionTree(depth=5).fit(X, -weight * y, weight)
    other = RegressionTree(depth=5).fit(np.exp(X / 10), -weight * y, weight)
    assert np.array_equal(tree.predict(X), other.predict(np.exp(X / 10)))


def test_codes_and_values_agree():
    random = np.random.default_rng(2)
    X = random.normal(size=(5000, 3)).astype(np.float32)
    y = X[:, 0] * X[:, 1]
    edges = quantile_edges(X, 32)
    binned = apply_edges(X, edges)
    tree = RegressionTree(depth=4).fit(binned, -y, np.ones(len(y)))
    assert np.array_equal(tree.predict(X), tree.predict(binned))
    node = np.zeros(len(X), int)  # walk down by hand, with the thresholds
    for _ in range(4):
        leaf = tree.left[node] == node
        cut = np.array(
            [np.inf if tree.left[k] == k else edges[tree.feature[k]][tree.cut[k]] for k in range(len(tree.left))]
        )
        right = X[np.arange(len(X)), tree.feature[node]] > cut[node]
        node = np.where(leaf, node, tree.left[node] + right)
    assert np.array_equal(tree.value[node, 0], tree.predict(X))


def test_bins_hold_equal_weight():
    random = np.random.default_rng(4)
    X, weight = random.normal(size=(50_000, 1)), random.exponential(size=50_000)
    (edges,) = quantile_edges(X, 20, weight)
    share = np.histogram(X[:, 0], [-np.inf, *edges, np.inf], weights=weight)[0] / weight.sum()
    assert len(edges) == 19
    assert share == pytest.approx(np.full(20, 0.05), abs=2e-4)
    (heavy,) = quantile_edges(X[:500], 20, np.repeat([2.0, 1.0], 250))
    (repeated,) = quantile_edges(np.concatenate([X[:500], X[:250]]), 20)
    assert np.array_equal(heavy, repeated)


def test_edges_between_neighbouring_numbers():
    lower = np.float32(1.0)
    X = np.array([[lower], [np.nextafter(lower, np.float32(2))]])
    assert apply_edges(X, quantile_edges(X)).codes.tolist() == [[0, 1]]
    X = np.array([[1.0], [np.nextafter(1.0, 2.0)]])
    assert apply_edges(X, quantile_edges(X)).codes.tolist() == [[0, 1]]
    X = np.array([[-1.7e308], [1.7e308]])
    assert np.isfinite(quantile_edges(X)[0]).all()


def test_missing_values_go_where_they_gain():
    random = np.random.default_rng(6)
    X = random.normal(size=(2000, 1))
    X[random.random(2000) < 0.3] = np.nan
    for side in (-1.0, 1.0):
        y = np.where(np.isnan(X[:, 0]), side, np.sign(X[:, 0]))
        tree = RegressionTree(depth=1).fit(X, -y, np.ones(2000))
        assert tree.missing_left[0] == (side < 0)
        assert tree.predict(np.array([[np.nan]])) == pytest.approx([side], abs=0.1)
    # none seen: the heavier side
    digit = np.arange(2000.0)[:, None] % 10
    tree = RegressionTree(depth=1).fit(digit, -(digit[:, 0] > 2).astype(float), np.ones(2000))
    assert tree.predict(np.array([[np.nan]])) == pytest.approx([1.0])


def test_a_draw_of_features_depends_on_the_seed():
    X, y, weight = integers(seed=12)
    trees = [RegressionTree(depth=3, features=1, seed=seed).fit(X, -weight * y, weight) for seed in (0, 0, 1)]
    assert np.array_equal(trees[0].feature, trees[1].feature)
    assert not np.array_equal(trees[0].feature, trees[2].feature)
    first = [RegressionTree(depth=1, features=2, seed=k).fit(X, -weight * y, weight).feature[0] for k in range(60)]
    assert len(set(first)) >= 3  # the best of all five is in two of five draws only


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hessian": -np.ones(10)}, "hessian: found a smallest entry of -1"),
        ({"gradient": np.full(10, np.nan)}, "gradient: found 10 of 10 entries NaN"),
        ({"gradient": np.ones(9)}, r"gradient: found shape \(9,\), expected \(10,\)"),
        ({"X": np.ones((9, 2))}, "X: found 9 rows, expected 10 like hessian"),
        ({"X": np.ones(10)}, r"X: found shape \(10,\), expected \(n, d\)"),
    ],
)
def test_bad_input_is_named(change, message):
    good = {"X": np.ones((10, 2)), "gradient": np.ones(10), "hessian": np.ones(10)}
    with pytest.raises(ValueError, match=message):
        RegressionTree().fit(**{**good, **change})


@pytest.mark.parametrize(
    "options",
    [
        {"depth": 0},
        {"minimum_leaf": -1.0},
        {"l2": np.nan},
        {"minimum_leaf": 0.0, "l2": 0.0},
        {"features": 0},
        {"minimum_gain": -1},
    ],
)
def test_bad_options_are_named(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        RegressionTree(**options)


def test_weights_that_cannot_be():
    X, y, weight = integers(100)
    with pytest.raises(ValueError, match="sample_weight: found a smallest entry of -1"):
        DecisionTreeClassifier().fit(X, y > 1, np.append(weight[1:], -1.0))
    with pytest.raises(ValueError, match="minimum_leaf: found 1.0, which no split can keep"):
        DecisionTreeClassifier().fit(X, y > 1, weight / 1000)


def test_not_slower_than_the_exact_tree():
    random = np.random.default_rng(0)
    X = random.normal(size=(32_000, 20))
    y = X[:, 0] * X[:, 1] + random.normal(size=32_000)
    binned = apply_edges(X, quantile_edges(X))
    start = time.process_time()
    ours = RegressionTree(depth=4).fit(binned, -y, np.ones(len(y)))
    middle = time.process_time()
    theirs = sklearn.tree.DecisionTreeRegressor(max_depth=4).fit(binned.codes.T, y)
    assert middle - start < time.process_time() - middle  # measured: a seventh
    assert ours.predict(binned) == pytest.approx(theirs.predict(binned.codes.T), abs=1e-12)
