"""The boosted reweighter: its split is the largest chi-squared, its weights are density ratios."""

import numpy as np
import pytest
from sklearn.tree import DecisionTreeRegressor

from hepml_labs.classification.reweighting import BoostedReweighter, effective_sample_size, leaf_log_ratio
from hepml_labs.classification.trees import RegressionTree


def chi_squared(leaf, is_target, weight):
    """Symmetrised binned chi-squared of Rogozhnikov (arXiv:1608.05806), written from its definition."""
    total = 0.0
    for value in np.unique(leaf):
        target = weight[(leaf == value) & is_target].sum()
        original = weight[(leaf == value) & ~is_target].sum()
        total += (target - original) ** 2 / (target + original)
    return total


def samples(n, seed=0, shift=(0.5, 0.0, -0.3)):
    random = np.random.default_rng(seed)
    return random.normal(size=(n, len(shift))), random.normal(size=(n, len(shift))) + shift


def test_least_squares_is_the_largest_chi_squared():
    """Try every cut by hand: the one with the largest chi-squared is the one that a regression tree on +-1 takes."""
    random = np.random.default_rng(1)
    x = random.integers(0, 30, 400).astype(float)
    is_target = random.random(400) < 0.3 + 0.4 * (x > 17)
    weight = random.uniform(0.2, 2, 400)
    by_hand = [chi_squared(x > cut, is_target, weight) for cut in range(29)]
    sign = np.where(is_target, 1.0, -1.0)
    tree = RegressionTree(depth=1, minimum_leaf=1e-9).fit(x[:, None], -weight * sign, weight)
    leaf = tree.apply(x[:, None])
    assert chi_squared(leaf, is_target, weight) == pytest.approx(max(by_hand), rel=1e-12)
    # twice the gain is what the split adds
    before = chi_squared(np.zeros(400), is_target, weight)
    assert 2 * tree.gain[0] == pytest.approx(max(by_hand) - before, rel=1e-10)
    # and what is left of the squared error is the weight minus chi-squared
    error = (weight * (sign - tree.predict(x[:, None])) ** 2).sum()
    assert error == pytest.approx(weight.sum() - max(by_hand), rel=1e-12)


def test_leaf_is_the_log_ratio_of_weights():
    leaf, is_target = np.array([0, 0, 1, 1, 1]), np.array([True, False, True, False, False])
    weight = np.array([3.0, 1.0, 2.0, 0.5, 0.5])
    assert leaf_log_ratio(leaf, is_target, weight, 2, 0.0) == pytest.approx(np.log([3, 2]))
    assert leaf_log_ratio(leaf, is_target, weight, 2, 1.0) == pytest.approx(np.log([4 / 2, 3 / 2]))
    # in terms of the mean m of +-1 in the leaf it is 2 artanh m
    assert leaf_log_ratio(leaf, is_target, weight, 2, 0.0) == pytest.approx(2 * np.arctanh([2 / 4, 1 / 3]))


def boosted_with_sklearn(original, target, test, steps, depth, rate, minimum, regularization):
    """The paper's algorithm on scikit-learn's regression trees: an independent implementation."""
    X, n = np.concatenate([original, target]), len(original)
    sign = np.repeat([-1.0, 1.0], (n, len(target)))
    half = len(X) / 2
    weight = np.where(sign > 0, half / len(target), half / n)
    log_ratio, at_test = np.zeros(n), np.zeros(len(test))
    for _ in range(steps):
        tree = DecisionTreeRegressor(max_depth=depth, min_weight_fraction_leaf=minimum / len(X))
        leaf = tree.fit(X, sign, weight).apply(X)
        sums = [np.bincount(leaf, weight * (sign == s), tree.tree_.node_count) for s in (1, -1)]
        values = np.log((sums[0] + regularization) / (sums[1] + regularization))
        log_ratio += rate * values[leaf[:n]]
        at_test += rate * values[tree.apply(test)]
        weight[:n] = half / n * np.exp(log_ratio)
        norm = np.log(half / weight[:n].sum())
        weight[:n] *= np.exp(norm)
    return at_test + norm


def test_agrees_with_scikit_learn_trees():
    original, target = (np.round(4 * sample) for sample in samples(3000))  # few values: no cut is lost in binning
    test = np.round(4 * samples(500, seed=1)[0])
    options = dict(depth=3, learning_rate=0.3, minimum_leaf=50.0, regularization=2.0)
    ours = BoostedReweighter(trees=12, **options).fit(original, target).score_samples(test)
    peer = boosted_with_sklearn(original, target, test, 12, 3, 0.3, 50.0, 2.0)
    assert np.std(ours) > 0.3
    assert np.median(np.abs(ours - peer)) < 1e-10
    assert np.mean(np.abs(ours - peer) < 1e-8) > 0.97  # equal gains may be decided differently


def test_learns_the_log_ratio_of_gaussians():
    original, target = samples(30_000)
    reweighter = BoostedReweighter(trees=60, learning_rate=0.15).fit(original, target)
    test, _ = samples(20_000, seed=1)
    truth = test @ [0.5, 0, -0.3] - 0.17
    score = reweighter.score_samples(test)
    assert np.sqrt(np.mean((score - truth) ** 2)) < 0.15 < 0.5 < np.std(truth)
    weight = reweighter.predict_weights(test)
    assert np.average(test, axis=0, weights=weight) == pytest.approx([0.5, 0, -0.3], abs=0.03)
    assert np.array_equal(weight, np.exp(score))
    assert reweighter.chi_squared_[-1] < 0.05 * reweighter.chi_squared_[0]


def test_invariants():
    original, target = samples(4000)
    options = dict(trees=8, learning_rate=0.3, minimum_leaf=50)
    plain = BoostedReweighter(**options).fit(original, target)
    weight = plain.predict_weights(original)
    assert weight.sum() == pytest.approx(len(original), rel=1e-10)
    # a common factor on the weights changes nothing, on either side
    scaled = BoostedReweighter(**options).fit(original, target, np.full(4000, 7.0), np.full(4000, 1e-4))
    assert scaled.predict_weights(original) == pytest.approx(weight, rel=1e-9)
    # nor does a monotonic change of the features
    warped = BoostedReweighter(**options).fit(np.exp(original), np.exp(target))
    assert warped.predict_weights(np.exp(original)) == pytest.approx(weight, rel=1e-9)
    # two equal samples need no weights
    assert BoostedReweighter(**options).fit(original, original).predict_weights(original) == pytest.approx(1)


def test_sample_weights():
    original, _ = samples(20_000)
    target_weight = np.exp(0.5 * original[:, 0])  # moves the unit Gaussian by 1/2
    original_weight = np.exp(-0.3 * original[:, 1])
    reweighter = BoostedReweighter(trees=40, learning_rate=0.2)
    reweighter.fit(original, original, original_weight, target_weight)
    test, _ = samples(20_000, seed=1)
    final = reweighter.predict_weights(test, np.exp(-0.3 * test[:, 1]))
    assert np.average(test, axis=0, weights=final) == pytest.approx([0.5, 0, 0], abs=0.04)


def test_negative_weights_cancel():
    """Events that are there twice, with weights of both signs, do not exist."""
    original, target = samples(20_000)
    ghosts = np.random.default_rng(7).normal(2.0, 0.3, (3000, 3))
    both = np.concatenate([target, ghosts, ghosts])
    weight = np.concatenate([np.ones(20_000), np.ones(3000), -np.ones(3000)])
    test, _ = samples(20_000, seed=1)
    plain = BoostedReweighter(trees=30).fit(original, target).score_samples(test)
    ghostly = BoostedReweighter(trees=30).fit(original, both, None, weight).score_samples(test)
    assert np.corrcoef(plain, ghostly)[0, 1] > 0.98


def test_chi_squared_of_chance_is_one_per_leaf():
    """Samples of unequal size and with weights, from one density; few bins, so that the cuts are not much chosen."""
    random, found = np.random.default_rng(5), []
    for _ in range(60):
        original, target = random.integers(0, 2, (4000, 3)) * 1.0, random.integers(0, 2, (500, 3)) * 1.0
        weight = random.exponential(size=4000)
        reweighter = BoostedReweighter(trees=1, depth=3, minimum_leaf=1.0).fit(original, target, weight)
        found.append(reweighter.chi_squared_[0] / 7)  # eight cells, one sum given
    assert np.mean(found) == pytest.approx(1, abs=4 * np.sqrt(2 / 7 / 60))


def test_subsample_and_seed():
    original, target = samples(4000)
    options = dict(trees=10, minimum_leaf=50, subsample=0.5)
    fits = [BoostedReweighter(seed=seed, **options).fit(original, target).score_samples(original) for seed in (0, 0, 1)]
    assert np.array_equal(fits[0], fits[1])
    assert 0.5 < np.corrcoef(fits[0], fits[2])[0, 1] < 0.9999


def test_effective_sample_size():
    assert effective_sample_size(np.ones(10)) == pytest.approx(10)
    assert effective_sample_size(np.array([0.0, 0.0, 5.0])) == pytest.approx(1)
    # r of two unit Gaussians at distance d has the second moment exp(d^2)
    x, distance = np.random.default_rng(0).normal(size=500_000), 0.7
    share = effective_sample_size(np.exp(distance * x - distance**2 / 2)) / len(x)
    assert share == pytest.approx(np.exp(-(distance**2)), rel=0.02)
    with pytest.raises(ValueError, match="expected some weight"):
        effective_sample_size(np.zeros(3))


def test_bad_input():
    original, target = samples(100)
    with pytest.raises(ValueError, match="target: found shape"):
        BoostedReweighter().fit(original, target[:, :2])
    with pytest.raises(ValueError, match="target_weight: found a sum"):
        BoostedReweighter().fit(original, target, None, -np.ones(100))
    with pytest.raises(ValueError, match="original_weight: found shape"):
        BoostedReweighter().fit(original, target, np.ones(99))
    with pytest.raises(ValueError, match="learning_rate"):
        BoostedReweighter(learning_rate=0).fit(original, target)
    reweighter = BoostedReweighter(trees=2, minimum_leaf=10).fit(original, target)
    with pytest.raises(ValueError, match="X: found shape"):
        reweighter.score_samples(original[:, :1])
