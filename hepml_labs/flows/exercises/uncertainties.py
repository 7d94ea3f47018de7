"""Exercises of the lab "What a flow knows, and what its events are worth"."""

import numpy as np
import torch

from hepml_labs.flows.amplification import cell_fractions, quantile_mse
from hepml_labs.nn import gaussian_kl
from hepml_labs.teaching import Exercise, Mistake


def bayesian_loss(log_probs, mean, log_sigma, prior_sigma, train_size):
    """Negative evidence lower bound per event, -<log p> + KL / train_size.

    Parameters
    ----------
    log_probs : tensor of shape (batch,)
        log p of the events of a batch, with drawn weights.
    mean, log_sigma : tensor of shape (weights,)
        Means and log standard deviations of the Gaussian posterior of all weights.
    prior_sigma : float
        Width of the Gaussian prior around zero.
    train_size : int
        Events in the whole training set.

    Returns
    -------
    tensor
        Scalar.

    Examples
    --------
    >>> bayesian_loss(torch.tensor([-1.0, -3.0]), torch.ones(2), torch.zeros(2), 1.0, 100).item()
    2.009999990463257
    """
    return -log_probs.mean() + gaussian_kl(mean, log_sigma, prior_sigma) / train_size


def fit_band(t, n):
    """Relative uncertainty of a Gaussian density whose mean and width are fitted to n events.

    Parameters
    ----------
    t : array
        Distance from the mean in units of the width.
    n : int
        Events in the fit.

    Returns
    -------
    array
        sigma_p / p = sqrt((1 + t^4) / (2 n)), for large n.

    Examples
    --------
    >>> fit_band(np.array([0.0, 1.0]), 50)
    array([0.1       , 0.14142136])
    """
    return np.sqrt((1 + t**4) / (2 * n))


def generated_band(values, edges):
    """Mean and standard deviation, over flows, of the fraction of generated events in each bin.

    Parameters
    ----------
    values : array of shape (flows, n)
        An observable of the events that each flow has generated.
    edges : array of shape (bins + 1,)
        Bin edges.

    Returns
    -------
    mean, sigma : array of shape (bins,)
        Sigma with 1 / (flows - 1); it still holds the counting noise of n events.

    Examples
    --------
    >>> mean, sigma = generated_band(np.array([[0.1, 0.2], [0.3, 0.9]]), np.array([0.0, 0.5, 1.0]))
    >>> mean, sigma.round(3)
    (array([0.75, 0.25]), array([0.354, 0.354]))
    """
    fractions = np.stack([np.histogram(row, edges)[0] for row in values]) / values.shape[1]
    return fractions.mean(0), fractions.std(0, ddof=1)


def equivalent_events(unit, quantiles):
    """Number of true events whose fractions in the quantiles have the squared error of these events.

    Parameters
    ----------
    unit : array of shape (n,)
        True cumulative of each event, in [0, 1].
    quantiles : int
        Intervals of equal probability.

    Returns
    -------
    float
        (1 - 1 / quantiles) / (quantiles mse), with the mean squared distance of the fractions from 1 / quantiles.

    Examples
    --------
    >>> round(equivalent_events(np.array([0.1, 0.2, 0.3, 0.4, 0.8]), 2), 6)
    2.777778
    """
    mse = quantile_mse(cell_fractions(unit[:, None], quantiles))
    return float((1 - 1 / quantiles) / (quantiles * mse))


def _loss_inputs(rng):
    log_probs = torch.from_numpy(rng.normal(-2, 1, size=7)).float()
    mean, log_sigma = torch.from_numpy(rng.normal(size=(2, 11))).float()
    return log_probs, mean, log_sigma - 1, float(rng.uniform(0.4, 2.5)), int(rng.integers(20, 60))


def _band_inputs(rng):
    return rng.uniform(-3, 3, size=9), int(rng.integers(20, 500))


def _histogram_inputs(rng):
    shifts = rng.normal(size=(6, 1))
    # one event in ten beyond the last edge: fractions of all events do not sum to one
    return 0.3 * shifts + rng.normal(size=(6, 40)), np.array([-2.0, -0.7, 0.1, 0.9, 1.3])


def _unit_inputs(rng):
    return rng.beta(1.3, 0.9, size=int(rng.integers(60, 90))), int(rng.integers(5, 9))


def _fractions(values, edges):
    return np.stack([np.histogram(row, edges)[0] for row in values]) / values.shape[1]


def _mse(unit, quantiles):
    return ((np.histogram(unit, quantiles, (0, 1))[0] / len(unit) - 1 / quantiles) ** 2).mean()


EXERCISES = [
    Exercise(
        name="flows.bayesian_loss",
        reference=bayesian_loss,
        inputs=_loss_inputs,
        mistakes=(
            Mistake(
                "The prior counts once for the whole training set, but your loss is per event: divide the KL by N.",
                lambda log_p, mean, log_sigma, prior, n: -log_p.mean() + gaussian_kl(mean, log_sigma, prior),
            ),
            Mistake(
                "You divide by the size of the batch. The prior counts once for the whole training set.",
                lambda log_p, mean, log_sigma, prior, n: (
                    -log_p.mean() + gaussian_kl(mean, log_sigma, prior) / len(log_p)
                ),
            ),
            Mistake(
                "A high likelihood must make the loss low: the sign of log p is turned.",
                lambda log_p, mean, log_sigma, prior, n: log_p.mean() + gaussian_kl(mean, log_sigma, prior) / n,
            ),
            Mistake(
                "A posterior far from the prior must cost something, not pay: the sign of the KL is turned.",
                lambda log_p, mean, log_sigma, prior, n: -log_p.mean() - gaussian_kl(mean, log_sigma, prior) / n,
            ),
            Mistake(
                "You sum over the batch. With KL / N the likelihood has to be the mean over events.",
                lambda log_p, mean, log_sigma, prior, n: -log_p.sum() + gaussian_kl(mean, log_sigma, prior) / n,
            ),
            Mistake(
                "All weights pay: the KL is the sum over the weights, not their mean.",
                lambda log_p, mean, log_sigma, prior, n: (
                    -log_p.mean() + gaussian_kl(mean, log_sigma, prior) / len(mean) / n
                ),
            ),
        ),
        hints=(
            "Two terms: how well the drawn flow describes the events, and how far the posterior is from the prior.",
            "N times the loss is -log(likelihood of the whole set) + KL. Divide by N.",
            "-log_probs.mean() + (log(prior / sigma) + (sigma^2 + mean^2) / (2 prior^2) - 1/2).sum() / N",
        ),
    ),
    Exercise(
        name="flows.fit_band",
        reference=fit_band,
        inputs=_band_inputs,
        mistakes=(
            Mistake(
                "This is the variance. An uncertainty is its root.",
                lambda t, n: (1 + t**4) / (2 * n),
            ),
            Mistake(
                "Only the error of the mean is in your band: the width was fitted as well.",
                lambda t, n: np.sqrt(t**2 / n),
            ),
            Mistake(
                "Only the error of the width is in your band: the mean was fitted as well.",
                lambda t, n: np.sqrt((t**2 - 1) ** 2 / (2 * n)),
            ),
            Mistake(
                "The width is known better than the mean: var(log width) = 1 / (2 n), not 1 / n.",
                lambda t, n: np.sqrt((t**2 + (t**2 - 1) ** 2) / n),
            ),
            Mistake(
                "The two errors are independent: add them in quadrature, not linearly.",
                lambda t, n: np.abs(t) / np.sqrt(n) + np.abs(t**2 - 1) / np.sqrt(2 * n),
            ),
            Mistake(
                "The derivative of log p with respect to log(width) is t^2 - 1: widening also lowers the peak.",
                lambda t, n: np.sqrt((t**2 + t**4 / 2) / n),
            ),
        ),
        hints=(
            "Propagate: the variance of log p is the sum of (d log p / d parameter)^2 times the parameter's variance.",
            "log p = -t^2 / 2 - log(width) + const with t = (x - mean) / width. Derivatives: t / width and t^2 - 1.",
            "np.sqrt((t**2 + (t**2 - 1)**2 / 2) / n), which simplifies.",
        ),
    ),
    Exercise(
        name="flows.generated_band",
        reference=generated_band,
        inputs=_histogram_inputs,
        mistakes=(
            Mistake(
                "All events in one histogram: the spread between the flows, which is what you look for, is lost. These "
                "are Poisson errors.",
                lambda values, edges: (
                    _fractions(values.reshape(1, -1), edges)[0],
                    np.sqrt(_fractions(values.reshape(1, -1), edges)[0] / values.size),
                ),
            ),
            Mistake(
                "Divided by sqrt(flows) this is the error of the mean. One flow can be off by the spread itself.",
                lambda values, edges: (
                    generated_band(values, edges)[0],
                    generated_band(values, edges)[1] / np.sqrt(len(values)),
                ),
            ),
            Mistake(
                "The flows are a sample: divide by their number minus one (ddof=1).",
                lambda values, edges: (_fractions(values, edges).mean(0), _fractions(values, edges).std(0)),
            ),
            Mistake(
                "These are counts. Divide by the number of events of each flow to get fractions.",
                lambda values, edges: tuple(part * values.shape[1] for part in generated_band(values, edges)),
            ),
            Mistake(
                "These are densities: you divide by the widths of the bins. Fractions of events are asked.",
                lambda values, edges: tuple(part / np.diff(edges) for part in generated_band(values, edges)),
            ),
            Mistake(
                "Each histogram is normalised to the events inside the edges. Events outside are events, too.",
                lambda values, edges: (
                    (shares := _fractions(values, edges) / _fractions(values, edges).sum(1, keepdims=True)).mean(0),
                    shares.std(0, ddof=1),
                ),
            ),
        ),
        hints=(
            "One flow, one histogram. What do you do with many histograms?",
            "Fractions: counts of each flow divided by its number of events. Then mean and spread over the flows.",
            "np.stack([np.histogram(row, edges)[0] for row in values]) / n, then .mean(0) and .std(0, ddof=1)",
        ),
    ),
    Exercise(
        name="flows.equivalent_events",
        reference=equivalent_events,
        inputs=_unit_inputs,
        mistakes=(
            Mistake(
                "The expected fraction is 1 / quantiles; you take the squared fractions themselves.",
                lambda unit, k: float((1 - 1 / k) / (k * ((np.histogram(unit, k, (0, 1))[0] / len(unit)) ** 2).mean())),
            ),
            Mistake(
                "A count in a quantile is binomial: its variance has the factor (1 - 1 / quantiles).",
                lambda unit, k: float(1 / (k * _mse(unit, k))),
            ),
            Mistake(
                "You sum the squared errors over the quantiles, and compare with the variance of a single one.",
                lambda unit, k: float((1 - 1 / k) / (k * k * _mse(unit, k))),
            ),
            Mistake(
                "A fraction p of n events has the variance p (1 - p) / n: the p is missing.",
                lambda unit, k: float((1 - 1 / k) / _mse(unit, k)),
            ),
            Mistake(
                "You use the root of the mean squared error: variances fall with 1 / n, not errors.",
                lambda unit, k: float((1 - 1 / k) / (k * np.sqrt(_mse(unit, k)))),
            ),
        ),
        hints=(
            "Count the events in each of the intervals [0, 1/k], [1/k, 2/k], ... In the truth each holds 1/k of them.",
            "n true events have the error p (1 - p) / n in each fraction, with p = 1/k. Which n gives your error?",
            "mse = ((counts / len(unit) - 1 / k) ** 2).mean(), then (1 / k) * (1 - 1 / k) / mse",
        ),
    ),
]
