"""The area under the ROC curve, with its statistical uncertainty."""

from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata

from hepml_labs.validation import check_same_shape, to_numpy


class Area(NamedTuple):
    """An area under a ROC curve.

    Attributes
    ----------
    value : float
        Probability that a random signal has a higher score than a random background.
    error : float
        One standard deviation, from the finite samples.
    """

    value: float
    error: float


def area_under_curve(label, score):
    """Return the area under the ROC curve and its uncertainty, by the ranks of the scores.

    Parameters
    ----------
    label : array, (n,)
        1 (or True) for signal, 0 for background.
    score : array, (n,)
        Higher for signal; ties count half.

    Returns
    -------
    Area
        ``value`` and ``error``.

    Raises
    ------
    ValueError
        If shapes differ, a score is not finite, labels are not 0 and 1, or a class has fewer than two samples.

    Notes
    -----
    The estimator of DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988) 837: the variance of the mean of
    the share of backgrounds below each signal, and of signals above each background. It assumes no shape of the scores.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> label = random.integers(0, 2, 10_000)
    >>> area = area_under_curve(label, random.normal(size=10_000) + label)  # exactly 0.7602
    >>> print(f"{area.value:.3f} ± {area.error:.3f}")
    0.762 ± 0.005
    """
    label = to_numpy("label", label, ("n",), floating=False)
    score = to_numpy("score", score, ("n",), floating=False)
    check_same_shape(label=label, score=score)
    if not np.isin(label, (0, 1)).all():
        raise ValueError(f"label: found values {np.unique(label)[:5]}, expected 0 and 1")
    signal, background = score[label == 1], score[label == 0]
    if min(len(signal), len(background)) < 2:
        raise ValueError(f"label: found {len(signal)} signals and {len(background)} backgrounds, expected at least 2")
    ranks = rankdata(np.concatenate([signal, background]))
    below = (ranks[: len(signal)] - rankdata(signal)) / len(background)
    above = 1 - (ranks[len(signal) :] - rankdata(background)) / len(signal)
    variance = below.var(ddof=1) / len(signal) + above.var(ddof=1) / len(background)
    return Area(float(below.mean()), float(np.sqrt(variance)))
