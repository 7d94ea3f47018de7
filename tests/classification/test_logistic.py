import numpy as np
import pytest
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression as Peer
from sklearn.utils.estimator_checks import parametrize_with_checks

from hepml_labs.classification.logistic import LogisticRegression, newton_step
from hepml_labs.classification.two_densities import Gaussians


@parametrize_with_checks([LogisticRegression()])
@pytest.mark.filterwarnings("ignore:a plane separates")
def test_estimator_checks(estimator, check):
    check(estimator)


def events(n=5000, seed=0):
    random = np.random.default_rng(seed)
    X = random.normal(size=(n, 4)) @ random.normal(size=(4, 4)) + 3
    return X, (random.random(n) < expit(X @ [0.3, -0.2, 0.1, 0.5] - 1)).astype(int), random.uniform(0.1, 3, n)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("l2", [0.0, 7.0, 1000.0])
def test_equals_scikit_learn(l2, weighted):
    X, y, weight = events()
    weight = weight if weighted else None
    ours = LogisticRegression(l2=l2).fit(X, y, weight)
    peer = Peer(C=1 / l2 if l2 else np.inf, solver="newton-cholesky", tol=1e-12, max_iter=1000).fit(X, y, weight)
    np.testing.assert_allclose(ours.coefficients_, peer.coef_[0], rtol=1e-7, atol=1e-9)
    assert ours.intercept_ == pytest.approx(peer.intercept_[0], rel=1e-7)
    np.testing.assert_allclose(ours.predict_proba(X), peer.predict_proba(X), atol=1e-9)
    assert ours.iterations_ < 10


def test_moments_of_the_labels_are_reproduced():
    """At the minimum the mean of p x equals the mean of y x, and of p that of y: logistic regression is unbiased."""
    X, y, _ = events()
    probability = LogisticRegression().fit(X, y).predict_proba(X)[:, 1]
    assert probability.mean() == pytest.approx(y.mean(), abs=1e-10)
    np.testing.assert_allclose((probability[:, None] * X).mean(0), (y[:, None] * X).mean(0), atol=1e-9)


def test_units_and_offsets_do_not_matter():
    X, y, _ = events()
    reference = LogisticRegression().fit(X, y).predict_proba(X)
    moved = X * [1e6, 1e-6, 1.0, 1e3] + [1e9, 0, 1e5, 0]
    np.testing.assert_allclose(LogisticRegression().fit(moved, y).predict_proba(moved), reference, atol=1e-6)


def test_errors_have_the_right_size():
    """On Gaussians the log ratio is truly linear: pulls of all coefficients have mean zero and width one."""
    problem = Gaussians.correlated(2, distance=1.5)
    slope = np.linalg.solve(problem.covariances[0], problem.means[1] - problem.means[0])
    truth, pulls = np.array([0.0, *slope]), []
    for seed in range(300):
        fitted = LogisticRegression().fit(*problem.sample(1000, seed))
        found = np.array([fitted.intercept_, *fitted.coefficients_])
        pulls.append((found - truth) / np.sqrt(np.diag(fitted.covariance_)))
    pulls = np.array(pulls)
    assert np.abs(pulls.mean(0)).max() < 4 / np.sqrt(300)
    # the intercept's width is below one: the numbers of events in the classes are fixed here, and do not scatter
    np.testing.assert_allclose(pulls[:, 1:].std(0), 1, atol=0.17)
    assert pulls[:, 0].std() < 1.17


def test_newton_step_by_finite_differences():
    X, y, weight = events(n=50)
    design, start = np.column_stack([np.ones(50), X]), np.array([0.1, -0.2, 0.3, 0.1, 0.2])

    def gradient(c):
        return design.T @ (weight * (expit(design @ c) - y)) + 2.0 * c * [0, 1, 1, 1, 1]

    hessian = np.array([(gradient(start + h) - gradient(start - h)) / 2e-5 for h in 1e-5 * np.eye(5)])
    expected = start - np.linalg.solve(hessian, gradient(start))
    np.testing.assert_allclose(newton_step(design, y.astype(float), start, weight, l2=2.0), expected, rtol=1e-6)


def test_separable_classes_and_collinear_inputs():
    X, y = np.array([[-2.0], [-1.0], [1.0], [3.0]]), np.array([0, 0, 1, 1])
    with pytest.warns(ConvergenceWarning, match="plane separates"):
        assert (LogisticRegression().fit(X, y).predict(X) == y).all()
    twice, labels, _ = events()
    once = LogisticRegression().fit(twice, labels).decision_function(twice)
    twice = np.column_stack([twice, twice[:, 0] - 2 * twice[:, 1], np.ones(len(twice))])
    np.testing.assert_allclose(LogisticRegression().fit(twice, labels).decision_function(twice), once, atol=1e-7)


def test_bad_input():
    X, y, weight = events(100)
    for broken, argument in (
        (lambda: LogisticRegression(l2=-1.0).fit(X, y), "l2"),
        (lambda: LogisticRegression(iterations=0).fit(X, y), "iterations"),
        (lambda: LogisticRegression().fit(X, np.zeros(100)), "y"),
        (lambda: LogisticRegression().fit(X, y, weight * y), "sample_weight"),
        (lambda: newton_step(X, y.astype(float), np.zeros(3)), "coefficients"),
        (lambda: newton_step(X, y[:50].astype(float), np.zeros(4)), "label"),
    ):
        with pytest.raises(ValueError, match=rf"^{argument}: "):
            broken()
