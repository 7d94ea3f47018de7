"""How accurate is a learned function? Relative accuracy and squared error, with statistical errors."""

from typing import NamedTuple

import numpy as np

from hepml_labs.evaluation.intervals import central_interval, mean_with_error
from hepml_labs.validation import check_same_shape, to_numpy

__all__ = ["AccuracySummary", "accuracy_summary", "mean_squared_error", "relative_accuracy"]


class AccuracySummary(NamedTuple):
    """Bias and width of the relative accuracy with statistical errors, and the size of its tails."""

    median: float
    median_error: float
    width: float
    width_error: float
    percentile_99: float


def relative_accuracy(target, prediction):
    """Relative accuracy Delta = (prediction - target) / target (Badger et al., arXiv:2206.14831).

    Parameters
    ----------
    target, prediction : array
        Same shape, same units; no target is zero.

    Returns
    -------
    array
        Same shape, without units.

    Raises
    ------
    ValueError
        If shapes differ, an array is empty, holds NaN or no floating-point numbers, or a target is zero.

    Examples
    --------
    >>> relative_accuracy(np.array([2.0, 4.0]), np.array([2.5, 3.0]))
    array([ 0.25, -0.25])
    """
    target, prediction = to_numpy("target", target), to_numpy("prediction", prediction)
    check_same_shape(target=target, prediction=prediction)
    if (target == 0).any():
        raise ValueError("target: found a zero, expected none: the relative accuracy divides by it")
    return (prediction - target) / target


def accuracy_summary(target, prediction):
    """Median and 68 % half width of the relative accuracy, and the 99 % percentile of its absolute value.

    Parameters
    ----------
    target, prediction : array
        Shape ``(n,)``, n of at least 10, same units; no target is zero.

    Returns
    -------
    AccuracySummary
        median, median_error, width, width_error, percentile_99.

    Raises
    ------
    ValueError
        As `relative_accuracy`, or if there are fewer than 10 entries.

    Examples
    --------
    >>> target = np.linspace(1.0, 2.0, 1001)
    >>> noise = np.random.default_rng(0).normal(1.0, 0.01, 1001)
    >>> round(accuracy_summary(target, target * noise).width, 2)
    0.01
    """
    delta = relative_accuracy(target, prediction)
    return AccuracySummary(*central_interval(delta), float(np.quantile(np.abs(delta), 0.99)))


def mean_squared_error(target, prediction):
    """Mean of (prediction - target)^2 and its statistical error from the finite test sample.

    Parameters
    ----------
    target, prediction : array
        Shape ``(n,)``, n of at least 2, same units.

    Returns
    -------
    value, error : float
        In squared units of the target.

    Raises
    ------
    ValueError
        If shapes differ, an array is empty, holds NaN or no floating-point numbers.

    Examples
    --------
    >>> mean_squared_error(np.array([0.0, 0.0]), np.array([1.0, 1.0]))
    (1.0, 0.0)
    """
    target, prediction = to_numpy("target", target, ("n",)), to_numpy("prediction", prediction, ("n",))
    check_same_shape(target=target, prediction=prediction)
    return mean_with_error((prediction.astype(np.float64) - target) ** 2)
