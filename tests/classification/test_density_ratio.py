"""Density ratios against closed forms: every loss, weights of both signs, ensembles, and any classifier."""

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from hepml_labs.classification.density_ratio import ClassifierRatio, DensityRatio
from hepml_labs.classification.losses import LOSSES

SHIFT = np.array([0.6, -0.3, 0.0])
QUICK = dict(hidden=(16,), epochs=6, batch_size=256, learning_rate=1e-2)


def gaussians(n0, n1, seed=0, shift=SHIFT):
    """Unit Gaussians at 0 (label 0) and `shift`: log r = x . shift - shift^2 / 2."""
    y = np.repeat([0, 1], (n0, n1))
    return np.random.default_rng(seed).normal(size=(n0 + n1, len(shift))) + y[:, None] * shift, y


def exact(X, shift=SHIFT):
    return X @ shift - shift @ shift / 2


def rms(values):
    return np.sqrt(np.mean(values**2))


@pytest.mark.parametrize("loss", LOSSES)
def test_learns_the_log_ratio(loss):
    X, y = gaussians(24_000, 8000)  # three to one: the ratio is that of normalised densities all the same
    test, _ = gaussians(2000, 2000, seed=1)
    ratio = DensityRatio(loss, **QUICK).fit(X, y)
    assert rms(exact(test)) > 0.7
    assert rms(ratio.score_samples(test) - exact(test)) < 0.12
    assert np.array_equal(ratio.weights(test), np.exp(ratio.score_samples(test)))
    assert np.allclose(ratio.predict_proba(test)[:, 1], 1 / (1 + np.exp(-ratio.decision_function(test))))
    assert np.mean(ratio.predict(test) == (exact(test) > 0)) > 0.95


def test_sample_weights_change_the_density():
    X, _ = gaussians(20_000, 20_000, shift=np.zeros(2))
    y = np.repeat([0, 1], 20_000)
    weight = np.where(y == 1, np.exp(0.5 * X[:, 0]), 1e-6)  # exp(x/2) moves a unit Gaussian by 1/2
    test = np.random.default_rng(5).normal(size=(4000, 2))
    ratio = DensityRatio(**QUICK).fit(X, y, weight)
    assert rms(ratio.score_samples(test) - exact(test, np.array([0.5, 0.0]))) < 0.1


def test_negative_weights():
    """Numerator 1.5 N(0, 1) - 0.5 N(0, 0.6): positive everywhere, drawn with a third of negative weights..."""
    random, n = np.random.default_rng(0), 40_000
    positive, negative = random.normal(size=n), 0.6 * random.normal(size=n // 3)
    X = np.concatenate([random.normal(size=n), positive, negative])[:, None]
    y = np.repeat([0, 1], (n, n + n // 3))
    weight = np.concatenate([np.ones(n), np.ones(n), -np.ones(n // 3)])
    test = np.random.default_rng(1).uniform(-2, 2, (1000, 1))
    x = test[:, 0]
    truth = np.log(1.5 - 0.5 / 0.6 * np.exp(-(x**2) / 2 * (1 / 0.36 - 1)))
    options = dict(hidden=(16,), epochs=10, batch_size=1024, learning_rate=1e-2)
    for loss in ("binary_cross_entropy", "mean_squared_error"):
        score = DensityRatio(loss, **options).fit(X, y, weight).score_samples(test)
        assert rms(score - truth) < 0.1 < 0.2 < rms(truth)
    with pytest.raises(ValueError, match="expected both above zero"):
        DensityRatio(**QUICK).fit(X, y, -weight)


def test_members_learn_what_they_would_alone():
    X, y = gaussians(1000, 1000)
    options = dict(hidden=(8,), epochs=3, validation_fraction=0)
    together = DensityRatio(members=3, seed=4, **options).fit(X, y).member_scores(X)
    alone = DensityRatio(members=1, seed=4, **options).fit(X, y).member_scores(X)
    assert together.shape == (3, 2000)
    assert np.allclose(together[0], alone[0], atol=1e-5)
    assert np.std(together, axis=0).min() > 1e-4


def test_bootstrap_gives_the_statistical_uncertainty():
    """A linear model has one optimum: its members agree; with a sample each they spread as they should.

    The covariance of logistic regression is the inverse of the sum of p (1 - p) x x^T.
    """
    X, y = gaussians(1500, 1500, shift=np.array([0.8]))
    options = dict(hidden=(), epochs=200, batch_size=3000, learning_rate=0.1, members=30, validation_fraction=0)
    points = np.array([[-1.0], [3.0]])
    spread = [
        DensityRatio(bootstrap=bootstrap, **options).fit(X, y).member_scores(points).std(axis=0, ddof=1)
        for bootstrap in (False, True)
    ]
    probability = 1 / (1 + np.exp(-exact(X, np.array([0.8]))))
    design = np.hstack([np.ones_like(X), X])
    covariance = np.linalg.inv((design * (probability * (1 - probability))[:, None]).T @ design)
    covariance[0, 0] -= 4 / 3000  # the share of the classes is given
    at_points = np.hstack([np.ones_like(points), points])
    expected = np.sqrt(np.einsum("pi,ij,pj->p", at_points, covariance, at_points))
    assert (spread[0] < 0.1 * expected).all()
    assert spread[1] == pytest.approx(expected, rel=0.35)  # thirty members know a width to 13 %


def test_types_and_seeds():
    X, y = gaussians(500, 500)
    ratio = DensityRatio(hidden=(4,), epochs=1, seed=3).fit(X, y)
    assert ratio.score_samples(X).dtype == np.float64
    assert ratio.score_samples(X.astype(np.float32)).dtype == np.float32
    again = DensityRatio(hidden=(4,), epochs=1, seed=3).fit(X, y)
    other = DensityRatio(hidden=(4,), epochs=1, seed=4).fit(X, y)
    assert np.array_equal(ratio.score_samples(X), again.score_samples(X))
    assert not np.allclose(ratio.score_samples(X), other.score_samples(X))


def test_classifier_ratio_with_and_without_weights():
    X, y = gaussians(30_000, 6000)
    test, _ = gaussians(1000, 1000, seed=1)
    weighted = ClassifierRatio(LogisticRegression()).fit(X, y).score_samples(test)
    assert rms(weighted - exact(test)) < 0.06
    neighbours = ClassifierRatio(KNeighborsClassifier(800)).fit(X, y)  # its fit takes no weights
    assert abs(np.mean(neighbours.score_samples(test) - exact(test))) < 0.05
    assert neighbours.log_prior_ == pytest.approx(np.log(0.2))
    with pytest.raises(ValueError, match="KNeighborsClassifier.fit takes none"):
        neighbours.fit(X, y, np.ones(len(X)))


def test_pure_leaves_stay_finite_and_calibration_mends_them():
    X, y = gaussians(3000, 3000)
    test, _ = gaussians(1000, 1000, seed=1)
    forest = RandomForestClassifier(10, random_state=0)
    raw = ClassifierRatio(forest).fit(X, y).score_samples(test)
    assert np.abs(raw).max() == pytest.approx(np.log(6001))
    mended = ClassifierRatio(CalibratedClassifierCV(forest, cv=3)).fit(X, y).score_samples(test)
    assert rms(mended - exact(test)) < 0.3 * rms(raw - exact(test))


def test_bad_input():
    X, y = gaussians(20, 20)
    with pytest.raises(ValueError, match="loss: found 'hinge'"):
        DensityRatio("hinge").fit(X, y)
    with pytest.raises(ValueError, match="validation_fraction: found 1"):
        DensityRatio(validation_fraction=1).fit(X, y)
    with pytest.raises(ValueError, match="y: found 1 class"):
        DensityRatio().fit(X, np.ones(40))
    with pytest.raises(ValueError, match="y: found 4 classes"):
        ClassifierRatio(LogisticRegression()).fit(X, np.arange(40) % 4)
    with pytest.raises(ValueError, match="sample_weight: found shape"):
        DensityRatio().fit(X, y, np.ones(39))
    with pytest.raises(ValueError, match="contains NaN"):
        DensityRatio().fit(np.where(X > 2, np.nan, X) * np.nan, y)


def differs(estimator):
    if isinstance(estimator, DensityRatio):
        return {
            "check_sample_weight_equivalence_on_dense_data": "other batches are drawn when events are repeated",
            "check_methods_subset_invariance": "single precision",
        }
    return {"check_sample_weight_equivalence_on_dense_data": "the smallest probability counts events"}


@parametrize_with_checks(
    [
        DensityRatio(hidden=(16,), epochs=40, batch_size=32, learning_rate=1e-2),
        ClassifierRatio(LogisticRegression(solver="newton-cholesky", tol=1e-10)),
    ],
    expected_failed_checks=differs,
)
def test_scikit_learn_compatible(estimator, check):
    check(estimator)
