"""Are probabilities what they say? The reliability diagram and the expected calibration error."""

from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from hepml_labs.evaluation.scoring import check_probability
from hepml_labs.evaluation.thresholds import effective_count
from hepml_labs.validation import check_count

__all__ = ["CalibrationError", "Reliability", "expected_calibration_error", "reliability"]


class Reliability(NamedTuple):
    """Predicted and observed frequency in bins of the prediction: arrays of shape (k,), bins without events left out.

    Attributes
    ----------
    predicted : array
        Mean predicted probability.
    observed, observed_error : array
        Share of events that are signal, and its standard deviation, which is never zero.
    count : array
        Number of events.
    """

    predicted: np.ndarray
    observed: np.ndarray
    observed_error: np.ndarray
    count: np.ndarray


class CalibrationError(NamedTuple):
    """Expected calibration error.

    Attributes
    ----------
    value, error : float
        Mean distance of observed from predicted frequency, and its standard deviation.
    floor : float
        Mean of the value for a perfectly calibrated classifier with these predictions: it is positive, since a
        distance has no sign. Only a value well above it says anything.
    """

    value: float
    error: float
    floor: float


def _outcome(label, probability):
    """Return whether it happened, and the probability given: for several classes that the most probable is right."""
    if probability.ndim == 1:
        return label, probability
    top = probability.argmax(axis=1)
    return label == top, np.take_along_axis(probability, top[:, None], axis=1)[:, 0]


def _bin_index(probability, bins, strategy):
    check_count("bins", bins)
    if strategy == "uniform":
        edges = np.linspace(0.0, 1.0, bins + 1)
    elif strategy == "quantile":
        edges = np.percentile(probability, np.linspace(0, 1, bins + 1) * 100)
    else:
        raise ValueError(f"strategy: found {strategy!r}, expected 'uniform' or 'quantile'")
    return np.searchsorted(edges[1:-1], probability)


def reliability(label, probability, bins=15, strategy="uniform", weight=None):
    """Return observed against predicted frequency in bins of the prediction: the data of a reliability diagram.

    Parameters
    ----------
    label : array, (n,)
        1 (or True) for signal, 0 for background; the number of the class for several classes.
    probability : array, (n,) or (n, classes)
        Predicted probability of signal; for several classes the largest is compared with how often it is right.
    bins : int
        Number of bins in [0, 1].
    strategy : str
        ``"uniform"`` for bins of equal width, ``"quantile"`` for bins of equal numbers of events.
    weight : array, (n,), optional
        Weights of the events, of at least zero.

    Returns
    -------
    Reliability
        ``predicted``, ``observed``, ``observed_error``, ``count``. Calibrated predictions lie on the diagonal.

    Raises
    ------
    ValueError
        If shapes differ, an entry is not finite, labels or probabilities are out of range, or a weight is negative.

    Notes
    -----
    The error is the standard deviation of the posterior for k of n and a flat prior, with n the effective number of
    events: the binomial error for large n, and not zero for k = 0 or k = n.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> probability = random.uniform(size=20_000)
    >>> found = reliability(random.uniform(size=20_000) < probability, probability, bins=5)
    >>> found.predicted.round(2), found.observed.round(2)
    (array([0.1, 0.3, 0.5, 0.7, 0.9]), array([0.09, 0.29, 0.52, 0.69, 0.91]))
    """
    label, probability, weight = check_probability(label, probability, weight)
    happened, probability = _outcome(label, probability)
    index = _bin_index(probability, bins, strategy)
    weight = np.ones(len(index)) if weight is None else weight
    total, signal, predicted, square, signal_square, count = (
        np.bincount(index, values, minlength=bins)
        for values in (weight, weight * happened, weight * probability, weight**2, weight**2 * happened, weight > 0)
    )
    filled = total > 0
    total, signal, predicted, square, signal_square = (
        entry[filled] for entry in (total, signal, predicted, square, signal_square)
    )
    observed = signal / total
    n = effective_count(observed, signal_square / total**2, square / total**2)
    centre = (n * observed + 1) / (n + 2)
    error = np.sqrt(centre * (1 - centre) / (n + 3))
    return Reliability(predicted / total, observed, error, count[filled].astype(np.int64))


def expected_calibration_error(label, probability, bins=15, strategy="quantile"):
    """Return the mean distance of observed from predicted frequency, with the value that statistics alone gives.

    Parameters
    ----------
    label : array, (n,)
        1 (or True) for signal, 0 for background; the number of the class for several classes.
    probability : array, (n,) or (n, classes)
        As in `reliability`.
    bins : int
        Number of bins. More bins see finer structure and raise the floor as the square root of their number.
    strategy : str
        ``"quantile"`` or ``"uniform"``, as in `reliability`.

    Returns
    -------
    CalibrationError
        ``value``, ``error``, ``floor``.

    Raises
    ------
    ValueError
        As `reliability`.

    Notes
    -----
    Sum over bins of (n_b / n) |observed - predicted|: Naeini, Cooper and Hauskrecht, AAAI 2015; Guo et al.,
    arXiv:1706.04599, eq. 3. Under calibration the difference of a bin is close to a Gaussian of variance
    sum p (1 - p) / n_b^2, whose mean distance from zero is sqrt(2 / pi) standard deviations: that gives the floor. The
    error adds the variances of such folded Gaussians around the differences found.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> probability = random.uniform(size=10_000)
    >>> label = random.uniform(size=10_000) < probability
    >>> found = expected_calibration_error(label, probability)
    >>> print(f"{found.value:.4f} ± {found.error:.4f}, floor {found.floor:.4f}")
    0.0106 ± 0.0028, floor 0.0122
    """
    label, probability, _ = check_probability(label, probability, None)
    happened, probability = _outcome(label, probability)
    probability = probability.astype(np.float64)
    index = _bin_index(probability, bins, strategy)
    difference = happened - probability
    count, sums, squares, variances = (
        np.bincount(index, values, minlength=bins)
        for values in (np.ones(len(index)), difference, difference**2, probability * (1 - probability))
    )
    filled = count > 0
    count, sums, squares, variances = (entry[filled] for entry in (count, sums, squares, variances))
    share = count / count.sum()
    gap = sums / count
    floor = np.sqrt(2 / np.pi * variances).sum() / len(index)
    variance = np.maximum(squares - count * gap**2, 0) / count**2
    return CalibrationError(
        float(share @ np.abs(gap)), float(np.sqrt(share**2 @ _folded_variance(gap, variance))), float(floor)
    )


def _folded_variance(gap, variance):
    """Return the variance of |x| for Gaussian x, from one x and the variance of x."""
    gap = np.sqrt(np.maximum(gap**2 - variance, 0))  # the square of what is found is too large by the variance
    sigma = np.sqrt(variance)
    ratio = np.divide(gap, sigma, out=np.zeros_like(gap), where=sigma > 0)
    mean = sigma * np.sqrt(2 / np.pi) * np.exp(-(ratio**2) / 2) + gap * (2 * ndtr(ratio) - 1)
    return np.where(sigma > 0, np.maximum(gap**2 + variance - mean**2, 0), 0)
