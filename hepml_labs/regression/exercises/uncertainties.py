"""Exercises of the lab "Uncertainties that are calibrated"."""

import math

import numpy as np
import torch

from hepml_labs.evaluation import pulls
from hepml_labs.nn import gaussian_kl
from hepml_labs.regression.evidential import evidential_split
from hepml_labs.regression.predictive import subtract_in_quadrature, total_variance
from hepml_labs.teaching import Exercise, Mistake


def total_pull(target, mean, sigma_syst, sigma_stat):
    """Residual in units of the total uncertainty, (mean - target) / sqrt(sigma_syst^2 + sigma_stat^2).

    Parameters
    ----------
    target, mean, sigma_syst, sigma_stat : array of shape (n,)
        In one unit; at least one of the uncertainties above zero at each point.

    Returns
    -------
    array of shape (n,)
        Pulls, without units.

    Raises
    ------
    ValueError
        As :func:`hepml_labs.evaluation.pulls`.

    Examples
    --------
    >>> total_pull(np.array([1.0]), np.array([2.0]), np.array([3.0]), np.array([4.0]))
    array([0.2])
    """
    return pulls(target, mean, np.hypot(sigma_syst, sigma_stat))


def _tensors(rng, *shape):
    return torch.from_numpy(rng.normal(size=shape)).float()


def _kl_inputs(rng):
    return _tensors(rng, 4, 3), 0.5 * _tensors(rng, 4, 3) - 1, float(rng.uniform(0.4, 2.5))


def _kl_with(mean_term=1.0, log_sign=1.0, constant=0.5, reduce=torch.sum):
    def wrong(mean, log_sigma, prior_sigma):
        log_ratio = log_sigma - math.log(prior_sigma)
        quadratic = 0.5 * torch.exp(2 * log_ratio) + mean_term * 0.5 * (mean / prior_sigma) ** 2
        return reduce(quadratic - constant - log_sign * log_ratio)

    return wrong


def _kl_reversed(mean, log_sigma, prior_sigma):
    log_ratio = log_sigma - math.log(prior_sigma)
    return (0.5 * (prior_sigma**2 + mean**2) * torch.exp(-2 * log_sigma) - 0.5 + log_ratio).sum()


def _network_inputs(rng):
    return _tensors(rng, 5, 7), torch.exp(0.5 * _tensors(rng, 5, 7))


def _split_with(syst=None, stat=None, dim=0):
    def wrong(means, sigmas):
        mean, sigma_syst, sigma_stat = total_variance(means, sigmas) if dim == 0 else total_variance(means.T, sigmas.T)
        return (
            mean,
            sigma_syst if syst is None else syst(means, sigmas),
            sigma_stat if stat is None else stat(means, sigmas),
        )

    return wrong


def _pull_inputs(rng):
    return rng.normal(size=8), rng.normal(size=8), rng.uniform(0.5, 2, size=8), rng.uniform(0.5, 2, size=8)


def _evidence_inputs(rng):
    nu, alpha, beta = rng.uniform(0.3, 4, 6), rng.uniform(1.2, 5, 6), rng.uniform(0.2, 3, 6)
    return tuple(torch.from_numpy(values).float() for values in (nu, alpha, beta))


def _quadrature_inputs(rng):
    floor = rng.uniform(0.1, 1, size=9)
    sigma = floor + rng.uniform(0.1, 2, size=9)
    sigma[0] = 0.9 * floor[0]  # a fluctuation below the floor
    return sigma, floor


EXERCISES = [
    Exercise(
        name="regression.total_pull",
        reference=total_pull,
        inputs=_pull_inputs,
        mistakes=(
            Mistake(
                "The sign is turned: with the convention of the papers an overestimate has a positive pull.",
                lambda target, mean, syst, stat: (target - mean) / np.hypot(syst, stat),
            ),
            Mistake(
                "Independent uncertainties add in quadrature, not linearly.",
                lambda target, mean, syst, stat: (mean - target) / (syst + stat),
            ),
            Mistake(
                "You divide by the variance. The pull has no unit: divide by its root.",
                lambda target, mean, syst, stat: (mean - target) / (syst**2 + stat**2),
            ),
            Mistake(
                "Only the systematic uncertainty is in your pull.",
                lambda target, mean, syst, stat: (mean - target) / syst,
            ),
            Mistake(
                "This is the relative accuracy. A pull compares with the predicted uncertainty.",
                lambda target, mean, syst, stat: (mean - target) / target,
            ),
        ),
        hints=(
            "A pull is a residual measured in a unit. Which unit should make its distribution as wide as one?",
            "The two uncertainties are independent, so their variances add up to that of the residual.",
            "(mean - target) / np.sqrt(sigma_syst**2 + ...)",
        ),
    ),
    Exercise(
        name="regression.subtract_in_quadrature",
        reference=subtract_in_quadrature,
        inputs=_quadrature_inputs,
        mistakes=(
            Mistake(
                "Widths of independent effects do not subtract; their squares do.",
                lambda sigma, floor: np.clip(sigma - floor, 0, None),
            ),
            Mistake("You add the floor instead of taking it out.", np.hypot),
            Mistake(
                "This is a variance: the root is missing.",
                lambda sigma, floor: np.clip(sigma**2 - floor**2, 0, None),
            ),
            Mistake(
                "Where the floor is larger than sigma your result is a noise; it should be zero.",
                lambda sigma, floor: np.sqrt(np.abs(sigma**2 - floor**2)),
            ),
        ),
        hints=(
            "Two independent effects make up sigma. What adds: widths or variances?",
            "sigma^2 = noise^2 + floor^2. Solve for the noise.",
            "np.sqrt(np.clip(..., 0, None)) keeps a fluctuation below the floor from giving NaN.",
        ),
    ),
    Exercise(
        name="regression.total_variance",
        reference=total_variance,
        inputs=_network_inputs,
        mistakes=(
            Mistake(
                "The mean of the sigmas is not the root of the mean variance: average the squares.",
                _split_with(syst=lambda means, sigmas: sigmas.mean(0)),
            ),
            Mistake(
                "The statistical uncertainty is the spread of the means, not of the sigmas.",
                _split_with(stat=lambda means, sigmas: sigmas.std(0)),
            ),
            Mistake(
                "Divided by sqrt(networks) the spread is the error of the average over networks. What one network "
                "drawn from the posterior can be off by is the spread itself.",
                _split_with(stat=lambda means, sigmas: means.std(0) / math.sqrt(len(means))),
            ),
            Mistake(
                "The networks are a sample: divide by their number minus one, or the spread comes out too small.",
                _split_with(stat=lambda means, sigmas: means.std(0, correction=0)),
            ),
            Mistake(
                "The variances are right, but uncertainties are asked: take the roots.",
                lambda means, sigmas: (means.mean(0), (sigmas**2).mean(0), means.var(0)),
            ),
            Mistake("You average over the points. The networks are along the first axis.", _split_with(dim=1)),
        ),
        hints=(
            "Three numbers for each point, all taken over the networks (axis 0).",
            "Law of total variance: the mean of the variances, and the variance of the means.",
            "means.mean(0), (sigmas**2).mean(0).sqrt(), means.std(0)",
        ),
    ),
    Exercise(
        name="regression.gaussian_kl",
        reference=gaussian_kl,
        inputs=_kl_inputs,
        mistakes=(
            Mistake("The means do not enter: weights far from zero must cost something.", _kl_with(mean_term=0.0)),
            Mistake(
                "The logarithm has the wrong sign: narrow posteriors are the costly ones.", _kl_with(log_sign=-1.0)
            ),
            Mistake("A posterior equal to the prior must cost nothing: a constant is missing.", _kl_with(constant=0.0)),
            Mistake("All weights count: sum over the entries, do not average.", _kl_with(reduce=torch.mean)),
            Mistake("This is KL(prior || posterior). The expectation is taken under the posterior.", _kl_reversed),
        ),
        hints=(
            "Write log q - log p for two Gaussians and take the expectation under q.",
            "Under q, E[w^2] = sigma^2 + mean^2, and E[(w - mean)^2] = sigma^2.",
            "(log(prior_sigma) - log_sigma + (sigma^2 + mean^2) / (2 prior_sigma^2) - 1/2).sum()",
        ),
    ),
    Exercise(
        name="regression.evidential_split",
        reference=evidential_split,
        inputs=_evidence_inputs,
        mistakes=(
            Mistake(
                "The two are in the wrong order: first systematic, then statistical.",
                lambda nu, alpha, beta: evidential_split(nu, alpha, beta)[::-1],
            ),
            Mistake(
                "These are variances: take the roots.",
                lambda nu, alpha, beta: (beta / (alpha - 1), beta / (nu * (alpha - 1))),
            ),
            Mistake(
                "The mean of an inverse gamma distribution is beta / (alpha - 1).",
                lambda nu, alpha, beta: (torch.sqrt(beta / alpha), torch.sqrt(beta / (nu * alpha))),
            ),
            Mistake(
                "More evidence nu must make the mean better known: divide by nu.",
                lambda nu, alpha, beta: (torch.sqrt(beta / (alpha - 1)), torch.sqrt(beta * nu / (alpha - 1))),
            ),
        ),
        hints=(
            "sigma_syst^2 is the expected variance, E[sigma^2] of the inverse gamma distribution.",
            "sigma_stat^2 is the variance of mu, E[sigma^2 / nu].",
            "torch.sqrt(beta / (alpha - 1)), and the same divided by the root of nu.",
        ),
    ),
]
