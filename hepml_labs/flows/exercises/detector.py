"""Exercises of the lab "To the detector and back"."""

import numpy as np
from scipy.special import logsumexp

from hepml_labs.flows.binned_unfolding import bayes_step
from hepml_labs.flows.unfolding import rank_statistic
from hepml_labs.teaching import Exercise, Mistake


def curvature_density(log_density_y, curvature, pt, rough):
    r"""Log-density of a measured curvature from that of the residual that the flow has learned.

    Parameters
    ----------
    log_density_y : array, (n,)
        ln p(y) of :math:`y = \mathrm{arsinh}\,u` with :math:`u = (\kappa p_T - 1)/\rho`.
    curvature : array, (n,)
        In 1/TeV.
    pt : array, (n,)
        True momentum in TeV.
    rough : array, (n,)
        Rough resolution rho.

    Returns
    -------
    array, (n,)

    Examples
    --------
    >>> curvature_density(np.zeros(1), np.array([2.0]), np.array([0.5]), np.array([0.1])).round(3)
    array([1.609])
    """
    u = (curvature * pt - 1) / rough
    return log_density_y + np.log(pt / rough) - 0.5 * np.log1p(u**2)


def matrix_element_integral(log_theory, log_transfer, log_proposal):
    """Logarithm of the density of each event, by importance sampling.

    Parameters
    ----------
    log_theory, log_transfer, log_proposal : arrays, (n, points)
        Logarithms of d sigma / dz, of T(x|z) and of q(z|x) at points drawn from q.

    Returns
    -------
    array, (n,)

    Examples
    --------
    >>> matrix_element_integral(np.full((1, 4), -900.0), np.zeros((1, 4)), np.full((1, 4), 2.0))
    array([-902.])
    """
    return logsumexp(log_theory + log_transfer - log_proposal, axis=1) - np.log(log_theory.shape[1])


def _track(rng):
    pt, rough = rng.uniform(0.05, 1.5, 9), rng.uniform(0.02, 0.6, 9)
    return rng.normal(-1, 1, 9), (1 + rough * rng.normal(0, 2, 9)) / pt, pt, rough


def _density_with(scale=1.0, slope=1.0, invert=False):
    def wrong(log_density_y, curvature, pt, rough):
        u = (curvature * pt - 1) / rough
        log_det = np.log(pt / rough) * (-1 if invert else 1)
        return log_density_y + scale * log_det - slope * 0.5 * np.log1p(u**2)

    return wrong


def _draws(rng):
    draws = rng.normal(size=(7, 19))
    return rng.normal(size=7), draws


def _matrix(rng):
    response = rng.dirichlet(np.ones(5), 3).T * rng.uniform(0.4, 0.9, 3)
    return response, rng.integers(20, 90, 5).astype(float), rng.uniform(30, 200, 3)


def _without_efficiency(response, observed, prior):
    return bayes_step(response, observed, prior) * response.sum(0)


def _no_prior(response, observed, prior):
    return bayes_step(response, observed, np.ones_like(prior))


def _columns(response, observed, prior):
    joint = response * prior
    return observed @ (joint / joint.sum(axis=0)) / response.sum(axis=0)


def _points(rng):
    a, b, c = rng.normal(-3, 1, size=(3, 6, 11))
    return a - 900.0, b, c


def _integral_with(sign=1.0, mean=True, log=False, norm=False):
    def wrong(log_theory, log_transfer, log_proposal):
        log_weight = log_theory + log_transfer - sign * log_proposal
        if log:
            return log_weight.mean(axis=1)
        result = logsumexp(log_weight, axis=1) - mean * np.log(log_weight.shape[1])
        return result - logsumexp(log_transfer, axis=1) if norm else result

    return wrong


EXERCISES = [
    Exercise(
        name="flows.curvature_density",
        reference=curvature_density,
        inputs=_track,
        mistakes=(
            Mistake(
                "That is the density of the residual: the Jacobian dy / d curvature is missing.",
                _density_with(scale=0.0, slope=0.0),
            ),
            Mistake("The derivative of the arsinh is missing.", _density_with(slope=0.0)),
            Mistake(
                "The derivative of u with respect to the curvature, pT / rho, is missing.", _density_with(scale=0.0)
            ),
            Mistake("The factor from u stands upside down: du / d curvature = pT / rho.", _density_with(invert=True)),
            Mistake(
                "The derivative of arsinh u is one over the root of 1 + u^2, so its logarithm is negative.",
                _density_with(slope=-1.0),
            ),
        ),
        hints=(
            "p(curvature) = p(y) |dy / d curvature|, and the chain rule goes through u.",
            "dy/du = 1 / sqrt(1 + u^2), and du / d curvature = pT / rho.",
            "log_density_y + np.log(pt / rough) - 0.5 * np.log1p(u**2) with u = (curvature * pt - 1) / rough",
        ),
    ),
    Exercise(
        name="flows.rank_of_the_truth",
        reference=rank_statistic,
        inputs=_draws,
        mistakes=(
            Mistake(
                "You count the draws above the truth. Convention here: those below it.",
                lambda truth, draws: (draws > truth[:, None]).sum(axis=1),
            ),
            Mistake(
                "Draws and events are mixed up: the result has one rank for each event.",
                lambda truth, draws: (draws < truth[:, None]).sum(axis=0),
            ),
            Mistake(
                "This is the fraction, between 0 and 1. Ranks are whole numbers from 0 to the number of draws.",
                lambda truth, draws: (draws < truth[:, None]).mean(axis=1),
            ),
            Mistake(
                "Your ranks begin at one: a truth below all draws has rank 0.",
                lambda truth, draws: (draws < truth[:, None]).sum(axis=1) + 1,
            ),
        ),
        hints=(
            "For each event, count the draws that are smaller than the truth of that event.",
            "truth[:, None] has shape (n, 1) and can be compared with all draws of its row.",
            "(draws < truth[:, None]).sum(axis=1)",
        ),
    ),
    Exercise(
        name="flows.bayes_step",
        reference=bayes_step,
        inputs=_matrix,
        mistakes=(
            Mistake(
                "These are the unfolded *selected* events. Divide by the efficiency, the sum of R over measured bins.",
                _without_efficiency,
            ),
            Mistake("The prior is missing: Bayes' theorem weighs each true bin with it.", _no_prior),
            Mistake(
                "You normalise over measured bins. The posterior of a measured bin sums to one over the *true* bins.",
                _columns,
            ),
        ),
        hints=(
            "The posterior of true bin i for an event in measured bin j is R_ji prior_i, normalised over i.",
            "joint = response * prior has shape (measured, true); joint.sum(axis=1) is its norm for each measured bin.",
            "observed @ (joint / joint.sum(axis=1, keepdims=True)) / response.sum(axis=0)",
        ),
    ),
    Exercise(
        name="flows.matrix_element_integral",
        reference=matrix_element_integral,
        inputs=_points,
        mistakes=(
            Mistake(
                "That is the sum over the points. Importance sampling takes the mean.",
                _integral_with(mean=False),
            ),
            Mistake(
                "You average logarithms. The mean of the weights is wanted, and then its logarithm.",
                _integral_with(log=True),
            ),
            Mistake(
                "Points are drawn from q, so each is divided by its density q, not multiplied.", _integral_with(-1.0)
            ),
            Mistake("Without q you integrate something else: each weight is divided by it.", _integral_with(0.0)),
            Mistake(
                "The transfer function is normalised over x, not over z: do not divide by its sum.",
                _integral_with(norm=True),
            ),
        ),
        hints=(
            "The integral is the mean over the points of (theory times transfer) over proposal.",
            "exp(-900) is zero in floating-point numbers: stay in logarithms and use logsumexp.",
            "logsumexp(log_theory + log_transfer - log_proposal, axis=1) - np.log(number of points)",
        ),
    ),
]
