"""Bootstrap ensembles: against the known covariance of logistic regression, and scikit-learn's interface."""

import numpy as np
import pytest
from scipy.special import logit
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from hepml_labs.classification.bootstrap import BootstrapEnsemble

GRID = np.array([[-1.0], [0.5], [2.0], [3.0]])


def gaussians(n, seed, classes=(0, 1)):
    """Draw two unit Gaussians at 0 and 1: the log-ratio is x - 1/2."""
    rng = np.random.default_rng(seed)
    y = np.repeat([0, 1], n // 2)
    return rng.normal(y[:, None], 1.0), np.asarray(classes)[y]


def logistic():
    return LogisticRegression(C=np.inf)


@pytest.mark.parametrize("counts", ["multinomial", "poisson"])
def test_spread_is_the_error_from_the_information_matrix(counts):
    """For a fit by maximum likelihood the error is known: phi^T (Phi^T P (1 - P) Phi)^-1 phi."""
    X, y = gaussians(1500, seed=1)
    ensemble = BootstrapEnsemble(logistic(), members=400, counts=counts, seed=2).fit(X, y)
    probability = logistic().fit(X, y).predict_proba(X)[:, 1]
    design = np.column_stack([np.ones(len(X)), X])
    covariance = np.linalg.inv(design.T * (probability * (1 - probability)) @ design)
    at = np.column_stack([np.ones(len(GRID)), GRID])
    error = np.sqrt(np.einsum("ni,ij,nj->n", at, covariance, at))
    np.testing.assert_allclose(ensemble.spread(GRID), error, rtol=0.13)  # 400 members: 3.5 %, three sigma and misfit


def test_intervals_cover_the_exact_log_ratio():
    """68 % intervals of 40 data sets at four points: the estimator is right on average, so they must cover."""
    inside = []
    for seed in range(40):
        ensemble = BootstrapEnsemble(logistic(), members=20, seed=seed).fit(*gaussians(600, seed=100 + seed))
        scores = ensemble.member_scores(GRID)
        inside.append(np.abs(scores.mean(axis=0) - (GRID[:, 0] - 0.5)) < scores.std(axis=0, ddof=1))
    assert 0.58 < np.mean(inside) < 0.78


def test_multinomial_keeps_the_total_and_poisson_does_not():
    X, y = gaussians(500, seed=3)
    fixed = BootstrapEnsemble(logistic(), members=200, seed=1).fit(X, y).counts_
    free = BootstrapEnsemble(logistic(), members=200, counts="poisson", seed=1).fit(X, y).counts_
    assert (fixed.sum(axis=1) == 500).all()
    assert free.sum(axis=1).std() == pytest.approx(np.sqrt(500), rel=0.2)
    for counts in (fixed, free):
        assert counts.var() == pytest.approx(1, rel=0.05)


def test_a_count_is_a_weight():
    """A member is the estimator fitted to the events that it drew, each as often as it was drawn."""
    X, y = gaussians(300, seed=4)
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    ensemble = BootstrapEnsemble(logistic(), members=3, seed=5).fit(X, y, sample_weight=weight)
    for member, counts in zip(ensemble.member_scores(GRID), ensemble.counts_, strict=True):
        repeated = np.repeat(np.arange(len(y)), counts)
        alone = logistic().fit(X[repeated], y[repeated], sample_weight=weight[repeated])
        np.testing.assert_allclose(member, alone.decision_function(GRID), rtol=1e-3)


def test_scores_and_probabilities_are_means_over_members():
    X, y = gaussians(400, seed=6, classes=("qcd", "signal"))
    ensemble = BootstrapEnsemble(HistGradientBoostingClassifier(max_iter=10), members=4).fit(X, y)
    single = np.array([member.predict_proba(GRID)[:, 1] for member in ensemble.members_])
    np.testing.assert_allclose(ensemble.predict_proba(GRID), np.column_stack([1 - single.mean(0), single.mean(0)]))
    np.testing.assert_allclose(ensemble.score_samples(GRID), logit(single).mean(axis=0))
    assert set(ensemble.predict(X)) == {"qcd", "signal"}
    assert len({member.random_state for member in ensemble.members_}) == 4


def test_an_estimator_of_log_ratios_is_asked_for_them():
    class Ratio(LogisticRegression):
        def score_samples(self, X):
            return np.full(len(X), self.intercept_[0])

    ensemble = BootstrapEnsemble(Ratio(), members=3).fit(*gaussians(200, seed=7))
    assert (ensemble.member_scores(GRID) == [[member.intercept_[0]] * 4 for member in ensemble.members_]).all()


def test_seed():
    X, y = gaussians(200, seed=8)
    first, again, other = (BootstrapEnsemble(logistic(), members=3, seed=s).fit(X, y).spread(GRID) for s in (1, 1, 2))
    assert (first == again).all() and (first != other).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [({"members": 1}, "members: found 1"), ({"counts": "gauss"}, "counts: found 'gauss'")],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        BootstrapEnsemble(logistic(), **options).fit(*gaussians(100, seed=9))


def test_bad_data():
    X, y = gaussians(100, seed=9)
    with pytest.raises(ValueError, match="found 3 classes"):
        BootstrapEnsemble(logistic()).fit(X, np.arange(100) % 3)
    with pytest.raises(ValueError, match="NaN"):
        BootstrapEnsemble(logistic()).fit(np.full_like(X, np.nan), y)
    with pytest.raises(ValueError, match="sample_weight: one class"):
        BootstrapEnsemble(logistic()).fit(X, y, sample_weight=1.0 - y)


@parametrize_with_checks(
    [BootstrapEnsemble(LogisticRegression(), members=3)],
    expected_failed_checks=lambda estimator: {
        "check_sample_weight_equivalence_on_dense_data": "bootstrap draws events, not their weights",
        "check_sample_weight_equivalence_on_sparse_data": "bootstrap draws events, not their weights",
    },
)
def test_scikit_learn_interface(estimator, check):
    check(estimator)
