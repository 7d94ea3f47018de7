"""The area under the ROC curve, and the difference of two, with statistical uncertainties."""

from typing import NamedTuple

import numpy as np

from hepml_labs.evaluation.thresholds import check_scores, order_scores
from hepml_labs.validation import check_same_shape

__all__ = ["Area", "area_difference", "area_under_curve"]


class Area(NamedTuple):
    """An area under a ROC curve, or a difference of two.

    Attributes
    ----------
    value : float
        Probability that a random signal has a higher score than a random background.
    error : float
        One standard deviation, from the finite samples.
    """

    value: float
    error: float


class Placements(NamedTuple):
    """Where each event stands among the events of either class.

    Attributes
    ----------
    signal_below, background_below : array, (n,)
        Share of the signals (backgrounds) with a lower score; those of equal score count half.
    signal, background : array, (n,)
        Share of the event in the total weight of its class; zero for the other class.
    """

    signal_below: np.ndarray
    background_below: np.ndarray
    signal: np.ndarray
    background: np.ndarray


def placements(signal, score, weight=None):
    """Return the placements of all events, by one sort and two cumulative sums.

    Parameters
    ----------
    signal, score, weight : array, (n,)
        As returned by `hepml_labs.evaluation.thresholds.check_scores`.

    Returns
    -------
    Placements

    Examples
    --------
    >>> placements(np.array([True, False, True]), np.array([0.9, 0.5, 0.5])).background_below
    array([1. , 0.5, 0.5])
    """
    order, end, *weights = order_scores(signal, score, weight)
    below, shares = [], []
    for one in weights:
        above = np.cumsum(one[order])[end]
        middle = 1 - (above + np.append(0, above[:-1])) / (2 * above[-1])
        placed = np.empty(len(order))
        placed[order] = middle if len(end) == len(order) else np.repeat(middle, np.diff(end, prepend=-1))
        below.append(placed)
        shares.append(one / above[-1])
    return Placements(*below, *shares)


def _area_with_influence(signal, score, weight):
    """Return the area and, for each event, by how much its presence moves the area."""
    place = placements(signal, score, weight)
    value = place.signal @ place.background_below
    # Backgrounds contribute the share of signals above them. The factors make a mean of squares unbiased:
    # n / (n - 1) without weights, with the effective number of events otherwise.
    signal_factor = 1 / np.sqrt(1 - place.signal @ place.signal)
    background_factor = 1 / np.sqrt(1 - place.background @ place.background)
    influence = signal_factor * place.signal * (place.background_below - value)
    influence += background_factor * place.background * (1 - place.signal_below - value)
    return value, influence


def area_under_curve(label, score, weight=None):
    """Return the area under the ROC curve and its uncertainty, by the ranks of the scores.

    Parameters
    ----------
    label : array, (n,)
        1 (or True) for signal, 0 for background.
    score : array, (n,)
        Higher for signal; ties count half.
    weight : array, (n,), optional
        Weights of the events, of at least zero.

    Returns
    -------
    Area
        ``value`` and ``error``.

    Raises
    ------
    ValueError
        If shapes differ, a score is not finite, labels are not 0 and 1, a weight is negative, or a class has fewer
        than two events.

    Notes
    -----
    The estimator of DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988) 837: the variance of the mean of
    the share of backgrounds below each signal, and of signals above each background. It assumes no shape of the scores.
    With weights, each event enters with the square of its own, so weights that depend on the score are allowed for.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> label = random.integers(0, 2, 10_000)
    >>> area = area_under_curve(label, random.normal(size=10_000) + label)  # exactly 0.7602
    >>> print(f"{area.value:.3f} ± {area.error:.3f}")
    0.762 ± 0.005
    """
    value, influence = _area_with_influence(*check_scores(label, score, weight, minimum=2))
    return Area(float(value), float(np.sqrt(influence @ influence)))


def area_difference(label, first, second, weight=None):
    """Return by how much the area of one score exceeds that of another on the same events.

    The two areas rise and fall together, since the same events are easy or hard for both: the difference is known far
    better than either area. The error takes this from the events, without any assumption on the correlation.

    Parameters
    ----------
    label : array, (n,)
        1 (or True) for signal, 0 for background.
    first, second : array, (n,)
        Two scores of the same events, higher for signal.
    weight : array, (n,), optional
        Weights of the events, of at least zero.

    Returns
    -------
    Area
        ``value``: area of `first` minus area of `second`, and its ``error``.

    Raises
    ------
    ValueError
        As `area_under_curve`.

    Notes
    -----
    The paired comparison of DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988) 837.

    Examples
    --------
    >>> random = np.random.default_rng(2)
    >>> label = random.integers(0, 2, 5_000)
    >>> score = random.normal(size=5_000) + label
    >>> single = area_under_curve(label, score)
    >>> pair = area_difference(label, score, score + 0.1 * random.normal(size=5_000))
    >>> print(f"{single.value:.4f} ± {single.error:.4f}, difference {pair.value:.4f} ± {pair.error:.4f}")
    0.7695 ± 0.0066, difference 0.0003 ± 0.0007
    """
    check_same_shape(first=first, second=second)
    one, one_influence = _area_with_influence(*check_scores(label, first, weight, minimum=2))
    two, two_influence = _area_with_influence(*check_scores(label, second, weight, minimum=2))
    influence = one_influence - two_influence
    return Area(float(one - two), float(np.sqrt(influence @ influence)))
