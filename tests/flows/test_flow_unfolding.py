"""Posteriors, ranks, and the removal of a prior: against Gaussians, where all is known."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures

from hepml_labs.flows.binned_unfolding import bayes_step, iterative_bayesian_unfolding
from hepml_labs.flows.estimator import FlowEstimator
from hepml_labs.flows.unfolding import (
    GenerativeUnfolding,
    iterate_prior,
    posterior_weights,
    rank_statistic,
    rank_test,
)

PRIOR = LogisticRegression(C=1e6)


def gaussian(n, mean, seed):
    """Truth N(mean, 1) and a measurement with unit resolution."""
    random = np.random.default_rng(seed)
    z = random.normal(mean, 1, n)
    return z, z + random.normal(size=n)


def exact_draws(x, m, seed):
    """Draws from the posterior for the prior N(0, 1)."""
    return np.random.default_rng(seed).normal(x[:, None] / 2, np.sqrt(0.5), (len(x), m))


def test_posterior_of_a_gaussian():
    z, x = gaussian(6000, 0.0, 1)
    flow = FlowEstimator(layers=2, hidden=(16,), epochs=8, batch_size=100, learning_rate=5e-3)
    unfolding = GenerativeUnfolding(flow=flow).fit(z[:, None], x[:, None])
    z, x = gaussian(4000, 0.0, 2)
    exact = norm.logpdf(z, x / 2, np.sqrt(0.5))
    assert abs((exact - unfolding.log_density(z[:, None], x[:, None])).mean()) < 0.03
    draws = unfolding.sample(x[:, None], 19, seed=3)[..., 0]
    assert draws.shape == (4000, 19)
    assert rank_test(rank_statistic(z, draws), 19, bins=10).p_value > 1e-4


def test_ranks_are_flat_for_the_right_posterior_only():
    z, x = gaussian(5000, 0.0, 3)
    draws = exact_draws(x, 19, 4)
    assert rank_test(rank_statistic(z, draws), 19).p_value > 1e-3
    wide = rank_test(rank_statistic(z, x[:, None] / 2 + 1.3 * (draws - x[:, None] / 2)), 19)
    narrow = rank_test(rank_statistic(z, x[:, None] / 2 + 0.7 * (draws - x[:, None] / 2)), 19)
    shifted = rank_test(rank_statistic(z, draws + 0.2), 19)
    assert max(wide.p_value, narrow.p_value, shifted.p_value) < 1e-6
    assert wide.counts[[0, -1]].sum() < 400 < 600 < narrow.counts[[0, -1]].sum()  # hill and valley; flat: 500
    assert shifted.counts[:10].sum() > 2700
    with pytest.raises(ValueError, match="bins: found 7, expected a divisor of 20"):
        rank_test(np.zeros(10, int), 19, bins=7)


def test_weights_change_the_prior_of_a_posterior():
    """N(0, 1) to N(1, 1): w = exp(z - 1/2), and the posterior moves from x / 2 to (x + 1) / 2."""
    x = np.array([-1.0, 0.5, 2.0])
    draws = exact_draws(x, 200_000, 5)
    weight = posterior_weights(np.exp(draws))
    np.testing.assert_allclose((weight * draws).sum(1), (x + 1) / 2, atol=0.02)


def test_iteration_forgets_the_prior():
    """Without limits on events the mean of the unfolded spectrum goes as 1 - 2^-k: the missing half of each step."""
    _, x = gaussian(10_000, 1.0, 6)
    draws, prior = exact_draws(x, 60, 7), np.random.default_rng(8).normal(size=(10_000, 1))
    weights = iterate_prior(prior, draws[..., None], PRIOR, 4)
    means = (weights * draws).sum(2).mean(1)
    np.testing.assert_allclose(means, [0.5, 0.75, 0.875, 0.9375, 0.969], atol=0.05)
    # data like the training sample: nothing to do, up to noise
    _, same = gaussian(10_000, 0.0, 9)
    draws = exact_draws(same, 8, 10)
    square = make_pipeline(PolynomialFeatures(2), PRIOR)
    weights = iterate_prior(prior, draws[..., None], square, 2)
    assert abs((weights[-1] * draws).sum(1).mean()) < 0.05
    assert (weights[-1] * draws**2).sum(1).mean() == pytest.approx(1, abs=0.08)


def test_binned_iteration_maximises_the_poisson_likelihood():
    random = np.random.default_rng(11)
    response = random.dirichlet(np.ones(5), 4).T * random.uniform(0.5, 0.9, 4)
    truth = np.array([900.0, 500.0, 300.0, 100.0])
    np.testing.assert_allclose(bayes_step(response, response @ truth, truth), truth)  # a fixed point
    observed = random.poisson(response @ truth).astype(float)
    steps = iterative_bayesian_unfolding(response, observed, np.full(4, 400.0), 300)
    folded = steps @ response.T
    likelihood = (observed * np.log(folded) - folded).sum(1)
    assert (np.diff(likelihood[1:]) > -1e-9).all()
    np.testing.assert_allclose(folded[1:].sum(1), observed.sum())  # the total is right after one step
    with pytest.raises(ValueError, match="prior: found shape"):
        bayes_step(response, observed, truth[:3])
    with pytest.raises(ValueError, match="no probability"):
        bayes_step(np.array([[1.0], [0.0]]), np.array([3.0, 1.0]), np.ones(1))
