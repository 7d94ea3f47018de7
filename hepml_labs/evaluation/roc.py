"""The ROC curve, its confidence band, and the background rejection at a fixed signal efficiency."""

from typing import NamedTuple

import numpy as np
from scipy.stats import norm

from hepml_labs.evaluation.thresholds import check_scores, effective_count, order_scores, wilson_interval
from hepml_labs.validation import check_between

__all__ = ["Rejection", "RocBand", "RocCurve", "background_rejection", "roc_band", "roc_curve"]


class RocCurve(NamedTuple):
    """Both efficiencies at each distinct score, from no event kept to all: arrays of shape (k + 1,)."""

    false_positive_rate: np.ndarray
    true_positive_rate: np.ndarray
    threshold: np.ndarray


class Rejection(NamedTuple):
    """Background rejection at fixed signal efficiency: floats, or arrays of shape (k,) for k efficiencies.

    Attributes
    ----------
    value, error : float or array
        1 / background efficiency and its standard deviation.
    threshold : float or array
        Events with a score of at least this are kept.
    background_efficiency, background_efficiency_error : float or array
        Share of the background that is kept, and its standard deviation.
    signal_efficiency : float or array
        What the threshold gives: above the efficiency asked for only where scores are tied.
    low, high : float or array
        68 % interval of the rejection; wider upwards where few backgrounds are left.
    """

    value: float
    error: float
    threshold: float
    background_efficiency: float
    background_efficiency_error: float
    signal_efficiency: float
    low: float
    high: float


class RocBand(NamedTuple):
    """Background efficiency and its confidence interval at each signal efficiency: arrays of shape (k,)."""

    efficiency: np.ndarray
    background_efficiency: np.ndarray
    low: np.ndarray
    high: np.ndarray


class WorkingPoints(NamedTuple):
    """What the samples say at fixed signal efficiencies: arrays of shape (k,).

    Attributes
    ----------
    signal_efficiency, background_efficiency, threshold : array
        At the highest threshold that keeps at least the signal efficiency asked for.
    background_count : array
        Number of unweighted events that measure the background efficiency as well.
    threshold_error : array
        Relative error of the background efficiency from the threshold, which a finite signal sample sets.
    passing : array
        Effective number of backgrounds that are kept.
    """

    signal_efficiency: np.ndarray
    background_efficiency: np.ndarray
    threshold: np.ndarray
    background_count: np.ndarray
    threshold_error: np.ndarray
    passing: np.ndarray


def roc_curve(label, score, weight=None):
    """Return the signal and background efficiencies for all thresholds.

    Parameters
    ----------
    label : array, (n,)
        1 (or True) for signal, 0 for background.
    score : array, (n,)
        Higher for signal.
    weight : array, (n,), optional
        Weights of the events, of at least zero.

    Returns
    -------
    RocCurve
        ``false_positive_rate``, ``true_positive_rate``, ``threshold``, each of shape ``(k + 1,)`` for k distinct
        scores: the first point keeps nothing (threshold infinite), the last everything.

    Raises
    ------
    ValueError
        If shapes differ, an entry is not finite, labels are not 0 and 1, a weight is negative, or a class is missing.

    Examples
    --------
    >>> curve = roc_curve(np.array([1, 0, 1, 0]), np.array([0.9, 0.6, 0.6, 0.1]))
    >>> curve.true_positive_rate, curve.false_positive_rate
    (array([0. , 0.5, 1. , 1. ]), array([0. , 0. , 0.5, 1. ]))
    """
    signal, score, weight = check_scores(label, score, weight)
    if weight is not None and not weight.all():
        signal, score, weight = (array[weight > 0] for array in (signal, score, weight))
    ordered = order_scores(signal, score, weight)
    signals, backgrounds = (np.append(0.0, _cumulative_share(ordered, own)) for own in ordered[2:])
    return RocCurve(backgrounds, signals, np.append(np.inf, score[ordered.order[ordered.end]]))


def _cumulative_share(ordered, weight):
    """Return the share of a weight that lies at or above each distinct score."""
    total = np.cumsum(weight[ordered.order])[ordered.end]
    return total / total[-1]


def working_points(label, score, efficiency, weight=None):
    """Return thresholds, background efficiencies and what their errors need at fixed signal efficiencies.

    Parameters
    ----------
    label, score, weight : array, (n,)
        As in `roc_curve`.
    efficiency : array, (k,)
        Signal efficiencies, in (0, 1].

    Returns
    -------
    WorkingPoints

    Raises
    ------
    ValueError
        As `roc_curve`, or if an efficiency is outside of (0, 1].

    Notes
    -----
    The threshold of a fixed signal efficiency e is a sample quantile. In units of e it fluctuates with the variance
    e (1 - e) / n_signal, and takes the background efficiency b along with the slope db/de of the ROC curve. The slope
    of log b comes from the rise of the curve over a window around e that shrinks with n_signal^(-1/5),
    so that both its noise and its bias vanish for large samples.
    """
    efficiency = np.atleast_1d(np.asarray(efficiency, dtype=np.float64))
    if efficiency.ndim != 1 or not ((efficiency > 0) & (efficiency <= 1)).all():
        raise ValueError(f"efficiency: found {efficiency}, expected numbers in (0, 1]")
    signal, score, weight = check_scores(label, score, weight, minimum=2)
    ordered = order_scores(signal, score, weight)
    signals, backgrounds = (_cumulative_share(ordered, own) for own in ordered[2:])
    signal_square, background_square = (
        np.cumsum((own / own.sum())[ordered.order] ** 2)[ordered.end] for own in ordered[2:]
    )
    place = np.searchsorted(signals, efficiency * (1 - 1e-12))  # 0.3 of 10 signals are 3 in spite of rounding
    e, b = signals[place], backgrounds[place]
    background_count = effective_count(b, background_square[place], background_square[-1])
    signal_count = effective_count(e, signal_square[place], signal_square[-1])
    half_window = 0.5 * signal_count**-0.2 * np.sqrt(efficiency * (1 - efficiency))
    low, high = np.maximum(efficiency - half_window, efficiency / 2), np.minimum(efficiency + half_window, 1)
    below, above = (np.interp(ends, np.append(0, signals), np.append(0, backgrounds)) for ends in (low, high))
    half_event = background_square[-1] / 2  # keeps the logarithm finite where none is left
    rise = np.log((above + half_event) / (below + half_event))
    slope = np.divide(rise, high - low, out=np.zeros_like(rise), where=efficiency < 1)
    threshold_error = slope * np.sqrt(efficiency * (1 - efficiency) / signal_count)  # zero at an efficiency of one
    passing = b**2 / np.maximum(background_square[place], 1e-300)
    return WorkingPoints(e, b, score[ordered.order[ordered.end[place]]], background_count, threshold_error, passing)


def background_rejection(label, score, efficiency, weight=None):
    """Return the background rejection 1 / eps_B at a fixed signal efficiency, with its uncertainty.

    Parameters
    ----------
    label : array, (n,)
        1 (or True) for signal, 0 for background.
    score : array, (n,)
        Higher for signal.
    efficiency : float or array, (k,)
        Signal efficiency, in (0, 1].
    weight : array, (n,), optional
        Weights of the events, of at least zero.

    Returns
    -------
    Rejection
        ``value``, ``error``, ``threshold``, ``background_efficiency``, ``background_efficiency_error``,
        ``signal_efficiency``, ``low``, ``high``.

    Raises
    ------
    ValueError
        As `roc_curve`, or if an efficiency is outside of (0, 1], or if no background is left: then the sample gives a
        limit (`roc_band`), not a value.

    Notes
    -----
    Two errors add in quadrature. The finite background: eps_B (1 - eps_B) / n_B. The finite signal, which sets
    the threshold: (d eps_B / d eps_S)^2 eps_S (1 - eps_S) / n_S. ``error`` is a standard deviation to first order;
    ``low`` and ``high`` come from a Wilson interval and stay right for a handful of backgrounds.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> label = np.repeat([1, 0], 20_000)
    >>> found = background_rejection(label, random.normal(size=40_000) + 2 * label, 0.5)  # exactly 43.96
    >>> print(f"{found.value:.1f} ± {found.error:.1f} at scores above {found.threshold:.2f}")
    43.0 ± 2.1 at scores above 1.99
    """
    points = working_points(label, score, efficiency, weight)
    b = points.background_efficiency
    if not b.all():
        lost, kept = np.atleast_1d(efficiency)[b == 0].max(), b > 0
        hint = f" of at least {np.atleast_1d(efficiency)[kept].min():.3g}" if kept.any() else ""
        raise ValueError(f"efficiency: found {lost:.3g}, where no background is left; expected one{hint} where some is")
    relative = np.sqrt((1 - b) / (b * points.background_count) + points.threshold_error**2)
    low, high = wilson_interval(b, points.background_count, 1.0, points.threshold_error)
    found = Rejection(
        1 / b, relative / b, points.threshold, b, relative * b, points.signal_efficiency, 1 / high, 1 / low
    )
    return Rejection(*(float(entry[0]) for entry in found)) if np.ndim(efficiency) == 0 else found


def roc_band(label, score, efficiency, level=0.6827, weight=None):
    """Return the background efficiency at fixed signal efficiencies, with a pointwise confidence band.

    Pointwise: at any one signal efficiency the band holds the true value in a share `level` of all repetitions. The
    share of repetitions where it holds the true curve everywhere is smaller.

    Parameters
    ----------
    label : array, (n,)
        1 (or True) for signal, 0 for background.
    score : array, (n,)
        Higher for signal.
    efficiency : float or array, (k,)
        Signal efficiencies, in (0, 1].
    level : float
        Confidence level, in (0, 1).
    weight : array, (n,), optional
        Weights of the events, of at least zero.

    Returns
    -------
    RocBand
        ``efficiency``, ``background_efficiency``, ``low``, ``high``, each of shape ``(k,)``.

    Raises
    ------
    ValueError
        As `roc_curve`, or if an efficiency or the level is out of range.

    Notes
    -----
    A Wilson interval for the finite background, widened by the error of the threshold (see `background_rejection`).
    Where no background is left, ``low`` is zero and ``high`` a limit.

    Examples
    --------
    >>> random = np.random.default_rng(5)
    >>> label = np.repeat([1, 0], 1_000)
    >>> band = roc_band(label, random.normal(size=2_000) + 2 * label, [0.5, 0.9])  # exactly 0.0228, 0.2363
    >>> band.low.round(3), band.high.round(3)
    (array([0.015, 0.21 ]), array([0.025, 0.251]))
    """
    check_between("level", level, 0, 1)
    points = working_points(label, score, efficiency, weight)
    ends = wilson_interval(
        points.background_efficiency, points.background_count, norm.ppf(0.5 + level / 2), points.threshold_error
    )
    return RocBand(np.atleast_1d(np.asarray(efficiency, dtype=np.float64)), points.background_efficiency, *ends)
