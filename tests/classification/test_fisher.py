"""Fisher's discriminant against scikit-learn, the closed form of two Gaussians, and its invariances."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.utils.estimator_checks import parametrize_with_checks

from hepml_labs.classification.fisher import FisherDiscriminant
from hepml_labs.evaluation import area_under_curve

FLAT = "its inputs have no spread inside the classes, so the best direction is not defined: a ValueError that says so"
EXCEPTIONS = {
    "check_sample_weights_shape": FLAT,
    "check_sample_weights_not_overwritten": FLAT,
    "check_sample_weight_equivalence_on_dense_data": "15 events in 30 dimensions; see our own test below",
}


@parametrize_with_checks([FisherDiscriminant()], expected_failed_checks=lambda estimator: EXCEPTIONS)
def test_scikit_learn_interface(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def skewed():
    """Two classes of unequal size and covariance, with inputs of very different units."""
    random = np.random.default_rng(5)
    mixing = [random.normal(size=(4, 4)) for _ in range(2)]
    signal, background = random.gamma(2.0, size=(700, 4)) @ mixing[1] + 1, random.normal(size=(2100, 4)) @ mixing[0]
    X = np.concatenate([background, signal]) * [1e-3, 1.0, 50.0, 1e4]
    return X, np.repeat([0, 1], [2100, 700])


def test_equals_linear_discriminant_analysis(skewed):
    X, y = skewed
    ours, peer = FisherDiscriminant().fit(X, y), LinearDiscriminantAnalysis(solver="lsqr").fit(X, y)
    np.testing.assert_allclose(ours.coefficients_, peer.coef_[0], rtol=1e-7)
    np.testing.assert_allclose(ours.threshold_, -peer.intercept_[0], rtol=1e-7)
    np.testing.assert_allclose(ours.predict_proba(X), peer.predict_proba(X), atol=1e-8)
    assert (ours.predict(X) == peer.predict(X)).all()


def test_two_gaussians_of_one_covariance():
    random = np.random.default_rng(2)
    covariance = np.array([[1.0, 0.6, 0.0], [0.6, 2.0, -0.3], [0.0, -0.3, 0.5]])
    shift, share, n = np.array([1.0, 0.5, -0.4]), 0.25, 200_000
    y = (random.uniform(size=n) < share).astype(int)
    X = random.multivariate_normal(np.zeros(3), covariance, n) + y[:, None] * shift
    model = FisherDiscriminant().fit(X, y)
    exact = np.linalg.solve(covariance, shift)
    np.testing.assert_allclose(model.coefficients_, exact, atol=0.03)
    np.testing.assert_allclose(model.separation_**2, shift @ exact, rtol=0.02)
    log_odds = X @ exact - exact @ shift / 2 + np.log(share / (1 - share))
    assert np.abs(model.decision_function(X) - log_odds).max() < 0.15
    area = area_under_curve(y, model.decision_function(X))
    assert abs(area.value - norm.cdf(np.sqrt(shift @ exact / 2))) < 4 * area.error
    # calibrated: among events with a probability near p, a share p is signal
    probability = model.predict_proba(X)[:, 1]
    near = np.abs(probability - 0.5) < 0.05
    assert abs(y[near].mean() - probability[near].mean()) < 4 * np.sqrt(0.25 / near.sum())


def test_it_maximises_fishers_criterion(skewed):
    X, y = skewed
    model = FisherDiscriminant().fit(X, y)

    def criterion(direction):
        projected = [X[y == k] @ direction for k in (0, 1)]
        within = sum(len(values) * values.var() for values in projected) / len(X)
        return (projected[1].mean() - projected[0].mean()) ** 2 / within

    best = criterion(model.coefficients_)
    np.testing.assert_allclose(best, model.separation_**2, rtol=1e-9)
    random = np.random.default_rng(0)
    others = model.coefficients_ * (1 + 0.1 * random.normal(size=(200, 4)))
    assert max(criterion(direction) for direction in others) < best


def test_invariant_under_linear_maps(skewed):
    X, y = skewed
    mapping, offset = np.random.default_rng(1).normal(size=(4, 4)), np.array([3.0, -1.0, 7.0, 100.0])
    moved = (X / [1e-3, 1.0, 50.0, 1e4]) @ mapping + offset
    scores = [FisherDiscriminant().fit(inputs, y).decision_function(inputs) for inputs in (X, moved)]
    np.testing.assert_allclose(*scores, rtol=1e-7, atol=1e-7)


def test_weights_count_as_repetitions(skewed):
    X, y = skewed
    weight = np.random.default_rng(3).integers(0, 4, len(y))
    weighted = FisherDiscriminant().fit(X, y, sample_weight=weight)
    repeated = FisherDiscriminant().fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    for name in ("coefficients_", "threshold_", "priors_", "means_", "covariance_", "separation_"):
        np.testing.assert_allclose(getattr(weighted, name), getattr(repeated, name), rtol=1e-9)


def test_negative_weights_cancel_events(skewed):
    X, y = skewed
    extra = np.concatenate([X, X[::50], X[::50]])
    labels = np.concatenate([y, y[::50], y[::50]])
    weight = np.concatenate([np.ones(len(X)), np.ones(len(X[::50])), -np.ones(len(X[::50]))])
    cancelled = FisherDiscriminant().fit(extra, labels, sample_weight=weight)
    np.testing.assert_allclose(cancelled.coefficients_, FisherDiscriminant().fit(X, y).coefficients_, rtol=1e-8)


def test_useless_inputs_change_nothing(skewed):
    X, y = skewed
    plain = FisherDiscriminant().fit(X, y).decision_function(X)
    more = np.column_stack([X, np.full(len(X), 7.0), X[:, 1] - 2 * X[:, 0]])
    np.testing.assert_allclose(FisherDiscriminant().fit(more, y).decision_function(more), plain, rtol=1e-6, atol=1e-6)


def test_float_type_is_kept(skewed):
    X, y = skewed
    for kind in (np.float32, np.float64):
        model = FisherDiscriminant().fit(X.astype(kind), y)
        assert model.decision_function(X.astype(kind)).dtype == kind
        assert model.predict_proba(X.astype(kind)).dtype == kind


def test_bad_input(skewed):
    X, y = skewed
    with pytest.raises(ValueError, match="without spread inside the classes"):
        FisherDiscriminant().fit(np.column_stack([X, y]), y)  # the answer as an input
    with pytest.raises(ValueError, match="without spread inside the classes"):
        FisherDiscriminant().fit(X[[0, 1, 2500]], y[[0, 1, 2500]])  # fewer events than inputs
    with pytest.raises(ValueError, match="sample_weight: found"):
        FisherDiscriminant().fit(X, y, sample_weight=1.0 - 2 * y)
    with pytest.raises(ValueError, match="one class"):
        FisherDiscriminant().fit(X, np.zeros(len(X)))
