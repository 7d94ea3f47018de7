"""Exercises of the lab "Limits"."""

import numpy as np

from hepml_labs.sbi.limits import extended_log_likelihood
from hepml_labs.teaching import Exercise, Mistake


def fisher_information(score, weights):
    """Fisher information of one event, the weighted mean of the outer product of the score with itself.

    Parameters
    ----------
    score : array of shape (n, p)
        Score of each event.
    weights : array of shape (n,)
        Weights of the events, in any normalisation.

    Returns
    -------
    array of shape (p, p)

    Examples
    --------
    >>> fisher_information(np.array([[1.0, 0.0], [1.0, 2.0]]), np.array([3.0, 1.0]))
    array([[1. , 0.5],
           [0.5, 1. ]])
    """
    return (weights[:, None] * score).T @ score / weights.sum()


def attained_information(statistic, joint_score, weights):
    """Information in the mean of a statistic: what it really carries, whatever it claims.

    Parameters
    ----------
    statistic : array of shape (n, k)
        For example the estimated score.
    joint_score : array of shape (n, p)
        Exact joint score of the same events; its weighted mean is zero.
    weights : array of shape (n,)
        Weights of the events, in any normalisation.

    Returns
    -------
    array of shape (p, p)
        C^T V^-1 C with V the covariance of the statistic and C its covariance with the joint score.

    Examples
    --------
    >>> t = np.array([[-1.0], [1.0]])
    >>> attained_information(5 * t + 3, t, np.ones(2))  # units and offsets do not matter
    array([[1.]])
    """
    share = (weights / weights.sum())[:, None]
    centred = statistic - (share * statistic).sum(axis=0)
    covariance = centred.T @ (share * centred)
    slope = centred.T @ (share * joint_score)
    return slope.T @ np.linalg.solve(covariance, slope)


def neyman_threshold(log_likelihoods, truth, level):
    """Threshold of the Neyman construction at one point, from pseudo-experiments that were drawn there.

    Parameters
    ----------
    log_likelihoods : array of shape (toys, m)
        Log-likelihood of each pseudo-experiment at each point of a grid.
    truth : int
        The point from which they were drawn.
    level : float
        Confidence level.

    Returns
    -------
    float
        Quantile of the test statistic, -2 log L(truth) / L(best point), over the pseudo-experiments.

    Examples
    --------
    >>> float(neyman_threshold(np.array([[0.0, -1.0], [-2.0, 0.0], [-1.0, 0.0]]), truth=0, level=0.5))
    2.0
    """
    statistic = 2 * (log_likelihoods.max(axis=1) - log_likelihoods[:, truth])
    return np.quantile(statistic, level)


def _score_inputs(rng):
    score = rng.normal(size=(30, 2)) @ np.array([[1.0, 0.7], [0.0, 2.0]]) + [0.8, -0.5]
    return score, rng.exponential(rng.uniform(0.5, 2), size=30)


def _statistic_inputs(rng):
    weights = rng.exponential(rng.uniform(0.5, 2), size=40)
    joint = rng.normal(size=(40, 2)) @ np.array([[1.0, 0.6], [0.0, 1.5]])
    joint = joint - weights @ joint / weights.sum()
    noise = rng.normal(size=(40, 2))
    return joint @ rng.uniform(0.5, 1.5, (2, 2)) + noise + [2.0, -3.0], joint, weights


def _likelihood_inputs(rng):
    return 0.3 * rng.normal(size=(5, 12)), rng.uniform(6, 20, size=5)


def _toy_inputs(rng):
    best = rng.integers(2, 9, size=(60, 1))
    curves = -rng.uniform(0.1, 0.4) * (np.arange(11) - best) ** 2 + rng.normal(size=(60, 1)) * 5
    return curves, int(rng.integers(4, 7)), float(rng.choice([0.68, 0.9, 0.95]))


EXERCISES = [
    Exercise(
        name="sbi.fisher_information",
        reference=fisher_information,
        inputs=_score_inputs,
        mistakes=(
            Mistake(
                "This is a covariance. The mean of a score is zero by theory: there is nothing to subtract.",
                lambda t, w: np.cov(t.T, aweights=w, bias=True),
            ),
            Mistake(
                "The events carry weights: without them this is the information somewhere else.",
                lambda t, w: t.T @ t / len(t),
            ),
            Mistake(
                "Divide by the sum of the weights, not by the number of events: a mean does not know their unit.",
                lambda t, w: (w[:, None] * t).T @ t / len(t),
            ),
            Mistake(
                "This sums over the events. The information of one event is the mean.",
                lambda t, w: (w[:, None] * t).T @ t,
            ),
            Mistake(
                "The weight goes in once, not squared.",
                lambda t, w: (w[:, None] * t).T @ (w[:, None] * t) / (w**2).sum(),
            ),
            Mistake(
                "First the outer product of each event, then the mean: not the outer product of the mean score.",
                lambda t, w: np.outer(w @ t, w @ t) / w.sum() ** 2,
            ),
        ),
        hints=(
            "For one event the matrix is np.outer(t, t). Average it over the events with their weights.",
            "A matrix product sums over events: score.T @ score. Multiply one of the two by weights[:, None] first.",
            "(weights[:, None] * score).T @ score / weights.sum()",
        ),
    ),
    Exercise(
        name="sbi.attained_information",
        reference=attained_information,
        inputs=_statistic_inputs,
        mistakes=(
            Mistake(
                "This is what the statistic claims: it never looks at the exact score.",
                lambda s, t, w: fisher_information(s - w @ s / w.sum(), w),
            ),
            Mistake(
                "V is a covariance: subtract the weighted mean of the statistic first.",
                lambda s, t, w: (lambda c: c.T @ np.linalg.solve(fisher_information(s, w), c))(
                    s.T @ (w[:, None] * t) / w.sum()
                ),
            ),
            Mistake(
                "The weights are missing: all means, in V and in C, are weighted ones.",
                lambda s, t, w: attained_information(s, t, np.ones_like(w)),
            ),
            Mistake(
                "V is missing: without it the answer depends on the units of the statistic.",
                lambda s, t, w: (lambda c: c.T @ c)((s - w @ s / w.sum()).T @ (w[:, None] * t) / w.sum()),
            ),
            Mistake(
                "This is C V^-1 C^T. C has the statistic first: C^T V^-1 C lives in the space of the parameters.",
                lambda s, t, w: (lambda c, v: c @ np.linalg.solve(v, c.T))(
                    (s - w @ s / w.sum()).T @ (w[:, None] * t) / w.sum(), fisher_information(s - w @ s / w.sum(), w)
                ),
            ),
        ),
        hints=(
            "V from the centred statistic with itself, C from it with the joint score, then C^T V^-1 C.",
            "With share = weights[:, None] / weights.sum(): V = centred.T @ (share * centred), "
            "C = centred.T @ (share * joint_score).",
            "return C.T @ np.linalg.solve(V, C)",
        ),
    ),
    Exercise(
        name="sbi.extended_log_likelihood",
        reference=extended_log_likelihood,
        inputs=_likelihood_inputs,
        mistakes=(
            Mistake(
                "This is the shape alone. How probable is the number of events?",
                lambda r, nu: r.sum(axis=1),
            ),
            Mistake(
                "The expected number itself is missing: without it, more events are always better.",
                lambda r, nu: r.shape[1] * np.log(nu) + r.sum(axis=1),
            ),
            Mistake(
                "Each observed event brings one log(nu): n times in all.",
                lambda r, nu: np.log(nu) - nu + r.sum(axis=1),
            ),
            Mistake(
                "Sum over the events, the second axis, not their mean: independent events multiply.",
                lambda r, nu: r.shape[1] * np.log(nu) - nu + r.mean(axis=1),
            ),
            Mistake(
                "The sign of the expected number: a Poisson probability has exp(-nu).",
                lambda r, nu: r.shape[1] * np.log(nu) + nu + r.sum(axis=1),
            ),
        ),
        hints=(
            "Poisson: exp(-nu) nu^n / n!. The factorial is the same at all points.",
            "n log(nu) - nu for the number, plus the sum of the log ratios for the shape; n is log_ratio.shape[1].",
            "log_ratio.shape[1] * np.log(expected) - expected + log_ratio.sum(axis=1)",
        ),
    ),
    Exercise(
        name="sbi.neyman_threshold",
        reference=neyman_threshold,
        inputs=_toy_inputs,
        mistakes=(
            Mistake(
                "This is the other end: a share `level` of the experiments must lie below the threshold.",
                lambda curves, truth, level: neyman_threshold(curves, truth, 1 - level),
            ),
            Mistake(
                "The factor of two is missing: the statistic is -2 log of the ratio.",
                lambda curves, truth, level: neyman_threshold(curves, truth, level) / 2,
            ),
            Mistake(
                "Each experiment has its own best point: take the maximum along the second axis.",
                lambda curves, truth, level: np.quantile(2 * (curves.max() - curves[:, truth]), level),
            ),
            Mistake(
                "This is the statistic at all points. Only the true point counts here.",
                lambda curves, truth, level: np.quantile(2 * (curves.max(axis=1, keepdims=True) - curves), level),
            ),
            Mistake(
                "This is the log-likelihood at the truth. Compare it with the best point of the same experiment.",
                lambda curves, truth, level: np.quantile(-2 * curves[:, truth], level),
            ),
        ),
        hints=(
            "First one number per experiment: twice the distance of the truth below the best point of its grid.",
            "log_likelihoods.max(axis=1) - log_likelihoods[:, truth], times two; then a quantile over the experiments.",
            "np.quantile(2 * (log_likelihoods.max(axis=1) - log_likelihoods[:, truth]), level)",
        ),
    ),
]
