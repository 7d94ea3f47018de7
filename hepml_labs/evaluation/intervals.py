"""Median and central interval of a sample, with statistical errors that assume no particular shape."""

from typing import NamedTuple

import numpy as np

from hepml_labs.validation import check_between, to_numpy

__all__ = ["CentralInterval", "central_interval", "mean_with_error"]

ONE_SIGMA = 0.682689492137086  # probability of a Gaussian within one standard deviation


class CentralInterval(NamedTuple):
    """Median and half width of the central interval, each with its statistical error."""

    median: float
    median_error: float
    half_width: float
    half_width_error: float


def central_interval(values, level=ONE_SIGMA):
    """Median and half the width of the interval that holds the central fraction `level` of the values.

    For a Gaussian and the default level the half width is the standard deviation, but tails do not move it.
    The errors come from the variance of sample quantiles, p (1 - p) / (n density^2), with the density taken
    from the spacing of the values around the quantile (David and Nagaraja, Order Statistics,
    section 10.2).

    Parameters
    ----------
    values : array
        Shape ``(n,)``, n of at least 10.
    level : float
        Fraction inside the interval, in (0, 1).

    Returns
    -------
    CentralInterval
        median, median_error, half_width, half_width_error.

    Raises
    ------
    ValueError
        If there are fewer than 10 values, or NaN among them, or `level` is outside of (0, 1).

    Examples
    --------
    >>> interval = central_interval(np.random.default_rng(0).normal(5.0, 2.0, 10_000))
    >>> round(interval.median, 1), round(interval.half_width, 1)
    (5.0, 2.0)
    """
    values = to_numpy("values", values, ("n",)).astype(np.float64)
    check_between("level", level, 0, 1)
    count = len(values)
    if count < 10:
        raise ValueError(f"values: found {count} entries, expected at least 10 for an interval with an error")
    probability = np.array([0.5 - level / 2, 0.5, 0.5 + level / 2])
    low, median, high = np.quantile(values, probability)
    # q(p +- step) spans two standard deviations of the quantile: half of the difference is its error.
    step = np.sqrt(probability * (1 - probability) / count)
    ends = np.quantile(values, np.clip([probability - step, probability + step], 0, 1))
    low_error, median_error, high_error = (ends[1] - ends[0]) / 2
    # Covariance of two quantiles p < q is p (1 - q) / (n density_p density_q): correlation p / q by symmetry.
    correlation = probability[0] / probability[2]
    variance = low_error**2 + high_error**2 - 2 * correlation * low_error * high_error
    return CentralInterval(float(median), float(median_error), float(high - low) / 2, float(np.sqrt(variance)) / 2)


def mean_with_error(values):
    """Mean of the values and its statistical error, the standard deviation over sqrt(n).

    Parameters
    ----------
    values : array
        Shape ``(n,)``, n of at least 2.

    Returns
    -------
    mean, error : float
        In the units of the values.

    Raises
    ------
    ValueError
        If there are fewer than two values or NaN among them.

    Examples
    --------
    >>> mean_with_error(np.array([1.0, 3.0]))
    (2.0, 1.0)
    """
    values = to_numpy("values", values, ("n",)).astype(np.float64)
    if len(values) < 2:
        raise ValueError("values: found 1 entry, expected at least 2 for a mean with an error")
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))
