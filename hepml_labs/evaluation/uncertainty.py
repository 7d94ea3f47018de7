"""Are predicted uncertainties right? Pulls, coverage, and calibration of the width."""

from typing import NamedTuple

import numpy as np
from scipy.stats import norm

from hepml_labs.evaluation.intervals import central_interval
from hepml_labs.validation import check_between, check_count, check_same_shape, to_numpy

__all__ = [
    "CalibrationCurve",
    "Coverage",
    "PullSummary",
    "calibration_curve",
    "coverage",
    "pull_summary",
    "pulls",
    "sigma_scale",
]


class PullSummary(NamedTuple):
    """Centre and width of a pull distribution with their statistical errors."""

    mean: float
    mean_error: float
    width: float
    width_error: float


class Coverage(NamedTuple):
    """Fraction of targets inside each central interval."""

    level: np.ndarray
    fraction: np.ndarray
    error: np.ndarray


class CalibrationCurve(NamedTuple):
    """Predicted against observed uncertainty, one entry for each bin of predicted uncertainty."""

    predicted: np.ndarray
    observed: np.ndarray
    observed_error: np.ndarray
    count: np.ndarray


def _three(target, mean, sigma):
    target, mean = to_numpy("target", target, ("n",)), to_numpy("mean", mean, ("n",))
    sigma = to_numpy("sigma", sigma, ("n",), positive=True)
    check_same_shape(target=target, mean=mean, sigma=sigma)
    return target, mean, sigma


def pulls(target, mean, sigma):
    """Residuals in units of the predicted uncertainty, t = (mean - target) / sigma.

    The sign follows Bahl et al., arXiv:2412.12069: a positive pull is an overestimate. Pulls of calibrated
    Gaussian uncertainties follow a normal distribution of mean 0 and width 1.

    Parameters
    ----------
    target, mean, sigma : array
        Shape ``(n,)``, same units; `sigma` above zero. Tensors are converted.

    Returns
    -------
    array
        Shape ``(n,)``.

    Raises
    ------
    ValueError
        If shapes differ, an array is empty, holds NaN or no floating-point numbers, or a sigma is not above
        zero.

    Examples
    --------
    >>> pulls(np.array([1.0, 2.0]), np.array([2.0, 2.0]), np.array([0.5, 0.5]))
    array([2., 0.])
    """
    target, mean, sigma = _three(target, mean, sigma)
    return (mean - target) / sigma


def pull_summary(pulls, bulk=None):
    """Centre and width of a pull distribution with statistical errors.

    Parameters
    ----------
    pulls : array
        Shape ``(n,)``, n of at least 10.
    bulk : float, optional
        By default the mean and the standard deviation of all pulls: a single far outlier can dominate them.
        With a fraction such as 0.68: the median, and half the width of the central interval that holds this
        fraction, divided by its value for a normal distribution.

    Returns
    -------
    PullSummary
        mean, mean_error, width, width_error. The errors assume no Gaussian: that of the standard deviation s
        is sqrt((m4 - s^4) / (4 n s^2)) with the fourth central moment m4.

    Raises
    ------
    ValueError
        If there are fewer than 10 pulls or NaN among them, or `bulk` is outside of (0, 1).

    Examples
    --------
    >>> summary = pull_summary(np.random.default_rng(0).normal(size=10_000))
    >>> abs(summary.width - 1) < 3 * summary.width_error
    True
    """
    pulls = to_numpy("pulls", pulls, ("n",)).astype(np.float64)
    if len(pulls) < 10:
        raise ValueError(f"pulls: found {len(pulls)} entries, expected at least 10")
    if bulk is not None:
        check_between("bulk", bulk, 0, 1)
        interval = central_interval(pulls, bulk)
        expected = norm.ppf(0.5 + bulk / 2)
        return PullSummary(
            interval.median,
            interval.median_error,
            float(interval.half_width / expected),
            float(interval.half_width_error / expected),
        )
    count, width = len(pulls), pulls.std(ddof=1)
    fourth = ((pulls - pulls.mean()) ** 4).mean()
    width_error = np.sqrt(max(fourth - width**4, 0.0) / (4 * count)) / width if width > 0 else 0.0
    return PullSummary(float(pulls.mean()), float(width / np.sqrt(count)), float(width), float(width_error))


def coverage(target, mean, sigma, levels=(0.6827, 0.9545)):
    """Fraction of targets inside the central interval of the predicted Gaussian, for each level.

    Parameters
    ----------
    target, mean, sigma : array
        Shape ``(n,)``, same units; `sigma` above zero.
    levels : sequence of float
        Probabilities of the intervals, each in (0, 1); 0.6827 is mean +- sigma.

    Returns
    -------
    Coverage
        level, fraction, error of shape ``(levels,)``. The error is the binomial scatter of the fraction that
        calibrated uncertainties would show, sqrt(level (1 - level) / n).

    Raises
    ------
    ValueError
        As `pulls`, or if a level is outside of (0, 1).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> found = coverage(rng.normal(size=10_000), np.zeros(10_000), np.ones(10_000), [0.5, 0.9])
    >>> bool((abs(found.fraction - found.level) < 3 * found.error).all())
    True
    """
    size = np.abs(pulls(target, mean, sigma))
    level = np.atleast_1d(np.asarray(levels, dtype=np.float64))
    if level.size == 0 or not ((level > 0) & (level < 1)).all():
        raise ValueError(f"levels: found {levels}, expected numbers in (0, 1)")
    fraction = np.array([(size <= norm.ppf(0.5 + p / 2)).mean() for p in level])
    return Coverage(level, fraction, np.sqrt(level * (1 - level) / len(size)))


def calibration_curve(target, mean, sigma, bins=10):
    """Compare predicted and observed uncertainty in bins of the predicted one.

    Source: Levi et al., arXiv:1905.11659.

    Parameters
    ----------
    target, mean, sigma : array
        Shape ``(n,)``, same units; `sigma` above zero.
    bins : int
        Number of bins of equal population, each of at least two entries.

    Returns
    -------
    CalibrationCurve
        predicted: root mean square of sigma in the bin; observed: root mean square of mean - target, with its
        statistical error; count. All of shape ``(bins,)``. Calibrated uncertainties lie on the diagonal.

    Raises
    ------
    ValueError
        As `pulls`, or if there are too few entries for `bins`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> sigma = rng.uniform(1, 3, 50_000)
    >>> curve = calibration_curve(rng.normal(0, sigma), np.zeros(50_000), sigma, bins=5)
    >>> bool((abs(curve.observed - curve.predicted) < 4 * curve.observed_error).all())
    True
    """
    target, mean, sigma = (array.astype(np.float64) for array in _three(target, mean, sigma))
    check_count("bins", bins)
    if len(sigma) < 2 * bins:
        raise ValueError(f"bins: found {bins} for {len(sigma)} entries, expected at least two entries in each")
    rows = []
    for members in np.array_split(np.argsort(sigma, kind="stable"), bins):
        squares = (mean[members] - target[members]) ** 2
        observed = np.sqrt(squares.mean())
        error = squares.std(ddof=1) / np.sqrt(len(members)) / (2 * observed) if observed > 0 else 0.0
        rows.append((np.sqrt((sigma[members] ** 2).mean()), observed, error, len(members)))
    predicted, observed, error, count = (np.array(column) for column in zip(*rows, strict=True))
    return CalibrationCurve(predicted, observed, error, count)


def sigma_scale(target, mean, sigma):
    """The one factor on all sigmas that maximises the Gaussian likelihood, and its statistical error.

    Setting the derivative of sum log(s sigma_i) + t_i^2 / (2 s^2) to zero gives s^2 = mean of t^2: the
    root mean square of the pulls. Find it on validation data, apply it on test data.

    Parameters
    ----------
    target, mean, sigma : array
        Shape ``(n,)``, n of at least 2, same units; `sigma` above zero.

    Returns
    -------
    scale, error : float
        Calibrated uncertainties are ``scale * sigma``.

    Raises
    ------
    ValueError
        As `pulls`, or if there are fewer than two entries.

    Examples
    --------
    >>> sigma_scale(np.array([2.0, -2.0]), np.zeros(2), np.ones(2))
    (2.0, 0.0)
    """
    squares = pulls(target, mean, sigma).astype(np.float64) ** 2
    if len(squares) < 2:
        raise ValueError("target: found 1 entry, expected at least 2")
    scale = np.sqrt(squares.mean())
    error = squares.std(ddof=1) / np.sqrt(len(squares)) / (2 * scale) if scale > 0 else 0.0
    return float(scale), float(error)
