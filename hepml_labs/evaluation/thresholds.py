"""What all measures of a score begin with: one check of the input, one sort, and intervals of an efficiency."""

from typing import NamedTuple

import numpy as np

from hepml_labs.validation import check_same_shape, to_numpy

__all__ = ["OrderedScores", "check_scores", "effective_count", "order_scores", "wilson_interval"]


class OrderedScores(NamedTuple):
    """Events in the order of falling score.

    Attributes
    ----------
    order : array, (n,)
        Positions of the events by falling score.
    end : array, (k,)
        Last place in `order` of each of the k distinct scores: events of equal score cannot be separated.
    signal, background : array, (n,)
        Weight of each event in its own class, in the original order; zero (False) in the other.
    """

    order: np.ndarray
    end: np.ndarray
    signal: np.ndarray
    background: np.ndarray


def check_scores(label, score, weight=None, *, minimum=1):
    """Return label as booleans, score, and weight (ones by default), or raise a ValueError.

    Parameters
    ----------
    label : array, (n,)
        1 (or True) for signal, 0 for background.
    score : array, (n,)
        Higher for signal.
    weight : array, (n,), optional
        Of at least zero.
    minimum : int
        Fewest events of each class that count, those of weight zero left out.

    Returns
    -------
    label, score, weight : array, (n,)
        bool, as given, float64 or None.

    Raises
    ------
    ValueError
        If shapes differ, an entry is not finite, labels are not 0 and 1, a weight is negative, or a class has too
        few events.

    Examples
    --------
    >>> check_scores(np.array([0, 1]), np.array([0.2, 0.7]))
    (array([False,  True]), array([0.2, 0.7]), None)
    """
    label = to_numpy("label", label, ("n",), floating=False)
    score = to_numpy("score", score, ("n",), floating=False)
    check_same_shape(label=label, score=score)
    signal = label == 1
    if not (signal | (label == 0)).all():
        raise ValueError(f"label: found values {np.unique(label)[:5]}, expected 0 and 1")
    counted = signal
    if weight is not None:
        weight = to_numpy("weight", weight, ("n",), floating=False).astype(np.float64)
        check_same_shape(label=label, weight=weight)
        if weight.min() < 0:
            raise ValueError(f"weight: found a smallest entry of {weight.min():.4g}, expected none below zero")
        counted = signal[weight > 0]
    signals = int(np.count_nonzero(counted))
    if min(signals, len(counted) - signals) < minimum:
        raise ValueError(
            f"label: found {signals} signals and {len(counted) - signals} backgrounds, expected at least {minimum}"
        )
    return signal, score, weight


def order_scores(signal, score, weight=None):
    """Sort events by falling score: the one expensive step of every measure here.

    Parameters
    ----------
    signal, score, weight : array, (n,)
        As returned by `check_scores`.

    Returns
    -------
    OrderedScores

    Examples
    --------
    >>> ordered = order_scores(np.array([False, True, True]), np.array([0.5, 0.5, 0.9]))
    >>> ordered.order[0], ordered.end, ordered.background
    (np.int64(2), array([0, 2]), array([ True, False, False]))
    """
    order = np.argsort(score)[::-1]  # not stable, hence fast: the order within ties plays no role
    falling = score[order]
    end = np.append(np.flatnonzero(falling[1:] != falling[:-1]), len(score) - 1)
    if weight is None:
        return OrderedScores(order, end, signal, ~signal)  # booleans add up to whole numbers, which are exact
    return OrderedScores(order, end, signal * weight, ~signal * weight)


def effective_count(efficiency, passing_square, total_square):
    """Return the number of unweighted events that would measure an efficiency as well as these weighted ones.

    A weighted efficiency e is a ratio of sums. To first order the variance of sum_pass w - e sum_all w is
    (1 - e)^2 sum_pass w^2 + e^2 sum_fail w^2, and n follows from setting it to e (1 - e) / n.

    Parameters
    ----------
    efficiency : array, (k,)
        Share of the weight that passes.
    passing_square : array, (k,)
        Sum of squared weights of events that pass, for weights that sum to one.
    total_square : float
        Sum of all squared weights.

    Returns
    -------
    array, (k,)
        n for weights of one, fewer otherwise. Where all or nothing passes: 1 / total_square.

    Examples
    --------
    >>> effective_count(np.array([0.5]), np.array([0.005]), 0.01)  # 50 of 100 events
    array([100.])
    """
    e = efficiency
    variance = (1 - e) ** 2 * passing_square + e**2 * np.maximum(total_square - passing_square, 0)
    inside = (e > 0) & (e < 1) & (variance > 0)
    return np.where(inside, e * (1 - e) / np.where(inside, variance, 1), 1 / total_square)


def wilson_interval(efficiency, count, deviations=1.0, relative_error=0.0):
    """Return the interval of all true efficiencies that lie within some standard deviations of the one found.

    The standard deviation is that of the *true* efficiency p, not of the one found e: solve
    (e - p)^2 = z^2 [p (1 - p) / n + (r p)^2] for p. Without r this is the interval of Wilson,
    J. Am. Stat. Assoc. 22 (1927) 209. Its coverage oscillates around the level even for a handful of events, and it
    is neither empty at e = 0 nor leaves [0, 1].

    Parameters
    ----------
    efficiency : array, (k,)
        Found share e.
    count : array, (k,)
        Number n of events, passing or not.
    deviations : float
        z: 1 for 68 %.
    relative_error : array, (k,)
        r, a further uncertainty in proportion to p, as that of a threshold which was itself measured.

    Returns
    -------
    low, high : array, (k,)

    Examples
    --------
    >>> low, high = wilson_interval(np.array([0.0, 0.05]), 100)
    >>> low.round(3), high.round(3)
    (array([0.   , 0.032]), array([0.01 , 0.077]))
    """
    square = deviations**2
    a = 1 + square / count - square * relative_error**2
    b = efficiency + square / (2 * count)
    root = np.sqrt(np.maximum(b**2 - a * efficiency**2, 0))
    low = efficiency**2 / np.maximum(b + root, 1e-300)  # the other root by Vieta: no cancellation
    high = np.where(a > 0, (b + root) / np.where(a > 0, a, 1), 1.0)  # r z > 1: no upper end
    return low, np.minimum(high, 1.0)
