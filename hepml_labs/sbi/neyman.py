"""Pseudo-experiments: the construction of Neyman and the coverage of confidence regions, for any likelihood ratio."""

from typing import NamedTuple

import numpy as np

from hepml_labs.sbi.limits import statistic
from hepml_labs.validation import check_between, check_count, to_numpy

__all__ = ["Coverage", "coverage", "neyman_thresholds", "toy_log_likelihoods", "toy_p_value"]


def toy_log_likelihoods(log_ratio, weights, events, toys, seed, expected=None):
    """Log-likelihoods of pseudo-experiments, drawn from a simulated sample.

    Parameters
    ----------
    log_ratio : array of shape (m, n)
        Log-likelihood ratio of each simulated event at each point of the grid, as the analysis computes it.
    weights : array of shape (n,)
        Weights of the events at the true point, as the *simulator* has them. Nothing here assumes that the
        estimated ratio is right.
    events : float
        Number of events at the true point. With `expected` each toy has a Poisson number with this mean,
        otherwise exactly this number, a whole one.
    toys : int
        Number of pseudo-experiments.
    seed : int or numpy.random.Generator
        Source of randomness.
    expected : array of shape (m,), optional
        Expected number of events at each point, to use the rate.

    Returns
    -------
    array of shape (toys, m)

    Raises
    ------
    ValueError
        If the arrays do not fit together, a weight is negative, or a number is out of range.

    Examples
    --------
    >>> x = np.random.default_rng(1).normal(size=10_000)
    >>> theta = np.linspace(-1, 1, 81)
    >>> log_ratio = theta[:, None] * x - theta[:, None] ** 2 / 2
    >>> found = toy_log_likelihoods(log_ratio, np.ones(len(x)), 50, toys=500, seed=1)
    >>> float(np.std(theta[found.argmax(axis=1)]).round(2))  # one over the root of 50 is 0.14
    0.14
    """
    table, cumulative = _prepared(log_ratio, weights)
    return _toys(table, cumulative, events, toys, np.random.default_rng(seed), expected)


def _prepared(log_ratio, weights):
    """One row per event, so that a toy reads contiguous memory, and the cumulative distribution to draw from."""
    log_ratio = to_numpy("log_ratio", log_ratio, ("m", "n"))
    weights = to_numpy("weights", weights, (..., log_ratio.shape[1])).astype(np.float64)
    if (weights < 0).any() or (weights.sum(axis=-1) <= 0).any():
        raise ValueError(f"weights: found a smallest one of {weights.min():.4g}, expected none below zero, some above")
    cumulative = np.cumsum(weights, axis=-1)
    return np.ascontiguousarray(log_ratio.T), cumulative / cumulative[..., -1:]


def _toys(table, cumulative, events, toys, random, expected):
    check_count("toys", toys)
    check_between("events", events, 0, np.inf)
    if expected is None:
        check_count("events", int(events) if events == int(events) else events)
        counts = np.full(toys, int(events))
    else:
        expected = to_numpy("expected", expected, (table.shape[1],), positive=True).astype(np.float64)
        counts = random.poisson(events, toys)
    log_likelihood = np.zeros((toys, table.shape[1]))
    for toy, count in enumerate(counts):
        chosen = np.searchsorted(cumulative, random.random(count), side="right")
        log_likelihood[toy] = table[chosen].sum(axis=0, dtype=np.float64)
    if expected is not None:
        log_likelihood += counts[:, None] * np.log(expected) - expected
    return log_likelihood


def neyman_thresholds(log_ratio, weights, points, events, level, toys, seed, expected=None):
    """Thresholds of the Neyman construction: at each point the quantile of its own test statistic.

    A point belongs to the confidence region of the data when its statistic is at most its threshold. By construction
    this happens in a share `level` of the experiments if the point is true, with any number of events, any
    shape of the likelihood, and any estimated ratio, even a bad one: that only makes the regions large.

    Parameters
    ----------
    log_ratio : array of shape (m, n)
        As in `toy_log_likelihoods`.
    weights : array of shape (k, n)
        Weights of the events at each of k points to test.
    points : integer array of shape (k,)
        Which points of the grid these are.
    events : float or array of shape (k,)
        Number of events at each of these points (see `toy_log_likelihoods`).
    level : float
        Confidence level, or an array of several.
    toys : int
        Pseudo-experiments per point. The coverage of a threshold is uncertain by sqrt(level (1 - level) / toys).
    seed : int or numpy.random.Generator
        Source of randomness.
    expected : array of shape (m,), optional
        Expected number of events at each point of the grid, to use the rate.

    Returns
    -------
    array of shape (k,), or (levels, k) for several levels

    Raises
    ------
    ValueError
        As `toy_log_likelihoods`, or if points and weights do not fit together, or a level is not between 0 and 1.

    Notes
    -----
    Neyman, Phil. Trans. R. Soc. A 236 (1937) 333, ordered by the likelihood ratio as proposed by Feldman and Cousins,
    physics/9711021.

    Examples
    --------
    >>> from hepml_labs.sbi.limits import asymptotic_threshold
    >>> x = np.random.default_rng(1).normal(size=10_000)
    >>> theta = np.linspace(-1, 1, 81)
    >>> log_ratio = theta[:, None] * x - theta[:, None] ** 2 / 2
    >>> found = neyman_thresholds(log_ratio, np.ones((1, len(x))), np.array([40]), 50, 0.68, toys=2000, seed=1)
    >>> print(f"{found[0]:.1f}, and after Wilks {asymptotic_threshold(0.68, 1):.1f}")
    1.0, and after Wilks 1.0
    """
    table, cumulative = _prepared(log_ratio, weights)
    points = np.asarray(points)
    if points.shape != cumulative.shape[:-1] or points.ndim != 1:
        raise ValueError(f"points: found shape {points.shape}, expected ({len(cumulative)},) like weights")
    for one in np.atleast_1d(level):
        check_between("level", float(one), 0, 1)
    random, thresholds = np.random.default_rng(seed), []
    for point, distribution, count in zip(points, cumulative, np.broadcast_to(events, points.shape), strict=True):
        found = _toys(table, distribution, float(count), toys, random, expected)
        thresholds.append(np.quantile(statistic(found)[:, point], level))
    return np.stack(thresholds, axis=-1)


def toy_p_value(observed, toys):
    """Share of pseudo-experiments with a test statistic at least as large as the observed one.

    Parameters
    ----------
    observed : float or array
        Observed test statistic at a point.
    toys : array of shape (n,)
        Test statistic of pseudo-experiments with this point true.

    Returns
    -------
    float or array
        (1 + number at least as large) / (1 + n): the experiment is one of the lot, so this is never zero, and a
        test at any level is wrong at most that often.

    Raises
    ------
    ValueError
        If `toys` is no such array.

    Examples
    --------
    >>> float(toy_p_value(2.0, np.array([0.5, 1.0, 3.0])))
    0.5
    """
    toys = np.sort(to_numpy("toys", toys, ("n",)))
    return (1 + len(toys) - np.searchsorted(toys, observed, side="left")) / (1 + len(toys))


class Coverage(NamedTuple):
    """How often a region holds the truth.

    Attributes
    ----------
    value : float
        Share of the pseudo-experiments.
    error : float
        Binomial standard error of it, sqrt(value (1 - value) / n), with one event of each kind added.
    """

    value: float
    error: float


def coverage(values, threshold):
    """Share of pseudo-experiments whose confidence region holds the true point.

    Parameters
    ----------
    values : array of shape (n,)
        Test statistic at the true point, in each pseudo-experiment.
    threshold : float or array of shape (n,)
        Largest value inside of the region.

    Returns
    -------
    Coverage

    Raises
    ------
    ValueError
        If `values` is no such array.

    Examples
    --------
    >>> from hepml_labs.sbi.limits import asymptotic_threshold
    >>> q = np.random.default_rng(1).chisquare(2, size=1000)
    >>> found = coverage(q, asymptotic_threshold(0.68, 2))
    >>> print(f"{found.value:.2f} +- {found.error:.2f}")
    0.68 +- 0.01
    """
    inside = to_numpy("values", values, ("n",)) <= threshold
    share = (inside.sum() + 1) / (len(inside) + 2)
    return Coverage(float(inside.mean()), float(np.sqrt(share * (1 - share) / len(inside))))
