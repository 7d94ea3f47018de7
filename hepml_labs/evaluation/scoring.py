"""Proper scores of probabilities: the Brier score and the log loss, each with its error."""

from typing import NamedTuple

import numpy as np

from hepml_labs.evaluation.thresholds import check_scores
from hepml_labs.validation import check_array, check_same_shape, to_numpy

__all__ = ["Score", "brier_score", "check_probability", "log_loss"]


class Score(NamedTuple):
    """Mean of a loss over events, and its standard deviation."""

    value: float
    error: float


def check_probability(label, probability, weight):
    """Return label, probability and weight as numpy arrays, or raise a ValueError.

    Parameters
    ----------
    label : array, (n,)
        1 (or True) for signal, 0 for background; the number of the class for several classes.
    probability : array, (n,) or (n, classes)
        Predicted probability of signal, or of each class.
    weight : array, (n,) or None
        Of at least zero.

    Returns
    -------
    label, probability, weight : array
        Labels are bool for shape ``(n,)`` and int64 for ``(n, classes)``; weights float64 or None.

    Raises
    ------
    ValueError
        If shapes differ, an entry is not finite, labels or probabilities are out of range, rows of probabilities do
        not sum to one, or a weight is negative.

    Examples
    --------
    >>> check_probability(np.array([0, 1]), np.array([0.2, 1.7]), None)
    Traceback (most recent call last):
    ...
    ValueError: probability: found a range of 0.2 to 1.7, expected probabilities in [0, 1]; a score is not one
    """
    check_array("probability", probability)
    if probability.ndim == 1:
        label = to_numpy("label", label, ("n",), floating=False)
        check_same_shape(label=label, probability=probability)
        label, probability, weight = check_scores(label, probability, weight, minimum=0)
    else:
        probability = to_numpy("probability", probability, ("n", "classes"))
        label = to_numpy("label", label, (len(probability),), floating=False)
        inside = (label >= 0) & (label < probability.shape[1]) & (label == np.floor(label))
        if not inside.all():
            expected = f"whole numbers from 0 to {probability.shape[1] - 1}"
            raise ValueError(f"label: found values {np.unique(label[~inside])[:5]}, expected {expected}")
        if abs(probability.sum(axis=1) - 1).max() > 1e-3:
            raise ValueError(
                "probability: found rows that do not sum to one, expected the probabilities of all classes"
            )
        label = label.astype(np.int64)
        _, _, weight = check_scores(np.zeros(len(label)), probability[:, 0], weight, minimum=0)
    if probability.min() < 0 or probability.max() > 1:
        found = f"a range of {probability.min():.4g} to {probability.max():.4g}"
        raise ValueError(f"probability: found {found}, expected probabilities in [0, 1]; a score is not one")
    if weight is not None and not weight.any():
        raise ValueError("weight: found only zeros, expected some above zero")
    return label, probability, weight


def _mean_loss(loss, weight):
    """Return the weighted mean of a loss per event, and its standard deviation."""
    n = len(loss)
    share = np.full(n, 1 / n) if weight is None else weight / weight.sum()
    mean = share @ loss
    effective = 1 / (share @ share)
    variance = share**2 @ (loss - mean) ** 2 * effective / (effective - 1) if effective > 1 + 1e-9 else np.nan
    return Score(float(mean), float(np.sqrt(variance)))


def brier_score(label, probability, weight=None):
    """Return the Brier score, the mean squared distance of the probability from what happened, and its error.

    Parameters
    ----------
    label : array, (n,)
        1 (or True) for signal, 0 for background.
    probability : array, (n,)
        Predicted probability of signal.
    weight : array, (n,), optional
        Weights of the events, of at least zero.

    Returns
    -------
    Score
        ``value`` and ``error`` (NaN for one event).

    Raises
    ------
    ValueError
        As `check_probability`, or if there are several classes.

    Notes
    -----
    Brier, Monthly Weather Review 78 (1950) 1. A proper score: its mean is smallest for the true probabilities.

    Examples
    --------
    >>> brier_score(np.array([0, 1]), np.array([0.1, 0.7])).value.__round__(4)
    0.05
    """
    label, probability, weight = check_probability(label, probability, weight)
    if probability.ndim == 2:
        raise ValueError(f"probability: found {probability.shape[1]} classes, expected shape (n,)")
    return _mean_loss((label - probability.astype(np.float64)) ** 2, weight)


def log_loss(label, probability, weight=None):
    """Return the mean of minus the logarithm of the probability given to what happened, and its error.

    Parameters
    ----------
    label : array, (n,)
        1 (or True) for signal, 0 for background; the number of the class for several classes.
    probability : array, (n,) or (n, classes)
        Predicted probability of signal, or of each class.
    weight : array, (n,), optional
        Weights of the events, of at least zero.

    Returns
    -------
    Score
        ``value`` and ``error`` in nats per event.

    Raises
    ------
    ValueError
        As `check_probability`.

    Notes
    -----
    Probabilities are kept off zero by the resolution of their type, as in scikit-learn: one event that was called
    impossible costs 36 nats in float64, 16 in float32.

    Examples
    --------
    >>> print(f"{log_loss(np.array([0, 1]), np.array([0.5, 0.25])).value:.4f}")  # 3 log(2) / 2
    1.0397
    """
    label, probability, weight = check_probability(label, probability, weight)
    if probability.ndim == 2:
        given = np.take_along_axis(probability, label[:, None], axis=1)[:, 0]
    else:
        given = np.where(label, probability, 1 - probability)
    smallest = np.finfo(probability.dtype).eps
    return _mean_loss(-np.log(np.clip(given.astype(np.float64), smallest, 1 - smallest)), weight)
