"""Ensembles of networks and trees: closed form, invariances of trees, and what they refuse."""

import numpy as np
import pytest

from hepml_labs.anomaly.classifiers import KINDS, BoostedTrees, classifier

QUICK = {"trees": {"leaves": 4}, "network": {"hidden": (16,), "epochs": 3, "batch_size": 100, "learning_rate": 0.02}}


def shifted_gaussians(n=6000, seed=0, dtype=np.float64):
    random = np.random.default_rng(seed)
    y = np.repeat([0, 1], [n // 3, n - n // 3])  # twice as many events of class 1, which must not matter
    return (random.normal(size=(n, 1)) + y[:, None]).astype(dtype), y


@pytest.mark.parametrize("kind", KINDS)
def test_log_ratio_of_gaussians_at_equal_class_weights(kind):
    X, y = shifted_gaussians()
    ensemble = classifier(kind, members=2, **QUICK[kind]).fit(X, y)
    grid = np.linspace(-0.5, 1.5, 9)[:, None]
    assert np.abs(ensemble.score_samples(grid) - (grid[:, 0] - 0.5)).mean() < 0.15
    assert np.array_equal(ensemble.member_scores(grid).mean(axis=0), ensemble.score_samples(grid))


@pytest.mark.parametrize("kind", KINDS)
def test_weights_stand_for_events(kind):
    X, y = shifted_gaussians()
    # the weight e^(x/2) makes of the unit Gaussian around 0 one around 1/2; the factor of class 1 drops out
    weight = np.where(y == 0, np.exp(X[:, 0] / 2), 7.0)
    ensemble = classifier(kind, members=2, **QUICK[kind]).fit(X, y, weight)
    grid = np.linspace(-0.5, 1.5, 9)[:, None]
    assert np.abs(ensemble.score_samples(grid) - (grid[:, 0] / 2 - 3 / 8)).mean() < 0.15


def test_trees_do_not_see_how_a_feature_is_measured():
    X, y = shifted_gaussians(1500)
    small = dict(members=2, trees=5)
    plain = BoostedTrees(**small).fit(X, y).score_samples(X)
    assert np.array_equal(plain, BoostedTrees(**small).fit(np.exp(X), y).score_samples(np.exp(X)))


def test_seed_members_and_type():
    X, y = shifted_gaussians(1500, dtype=np.float32)
    small = dict(trees=5, leaves=4)
    scores = classifier(members=3, seed=5, **small).fit(X, y).member_scores(X[:50])
    assert scores.shape == (3, 50) and scores.dtype == np.float32
    assert np.array_equal(scores, classifier(members=3, seed=5, **small).fit(X, y).member_scores(X[:50]))
    # member m of one ensemble is the first member of the one that starts at seed + m
    assert np.array_equal(scores[2], classifier(members=1, seed=7, **small).fit(X, y).member_scores(X[:50])[0])
    assert not np.array_equal(scores[0], scores[1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(kind="forest"), "kind: found 'forest'"),
        (dict(kind="trees", hidden=(3,)), "options: found 'hidden'"),
        (dict(members=0), "members: found 0"),
        (dict(leaves=1), "leaves: found 1"),
        (dict(validation_fraction=0.0), "validation_fraction: found 0.0"),
        (dict(learning_rate=-1.0), "learning_rate: found -1.0"),
    ],
)
def test_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        classifier(**arguments).fit(*shifted_gaussians(30))


@pytest.mark.parametrize("spoil", [np.nan, np.inf])
def test_bad_features_are_refused(spoil):
    X, y = shifted_gaussians(200)
    X[3] = spoil
    with pytest.raises(ValueError, match=r"[Nn]a[Nn]|infinity"):
        classifier(trees=2).fit(X, y)
