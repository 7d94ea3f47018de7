"""Distance correlation, zero only for independent variables, and the penalty that is made of it."""

import numpy as np
import torch

from hepml_labs.classification.losses import binary_cross_entropy
from hepml_labs.validation import check_array, check_between, check_same_shape

__all__ = [
    "disco_loss",
    "distance_correlation",
    "gaussian_distance_correlation",
    "squared_distance_correlation",
]


def squared_distance_correlation(first, second, weight=None):
    r"""Squared distance correlation of two variables: between 0 and 1, and 0 only if they are independent.

    With the distances a_ij = \|x_i - x_j\|, b_ij = \|y_i - y_j\|, centred in rows and columns,
    A_ij = a_ij - a_i. - a_.j + a_.., it is

    .. math:: \frac{\mathrm{dCov}^2(x, y)}{\sqrt{\mathrm{dCov}^2(x, x)\,\mathrm{dCov}^2(y, y)}}, \qquad
        \mathrm{dCov}^2(x, y) = \sum_{ij} w_i w_j A_{ij} B_{ij} .

    Parameters
    ----------
    first, second : numpy array or torch tensor, (n,)
        Any units: scale and shift cancel.
    weight : like `first`, (n,), optional
        Of at least zero; brought to sum one.

    Returns
    -------
    scalar of the same library
        Differentiable for tensors. Zero where one of the variables does not vary.

    Raises
    ------
    ValueError
        If shapes differ, there are fewer than two events, or an entry is not finite.

    Notes
    -----
    Szekely, Rizzo and Bakirov, arXiv:0803.4101, definitions 4 and 5. Time and memory grow as n^2. With n events of
    independent variables the expectation is of order 1/n, not zero: compare with what shuffling one variable gives.

    Examples
    --------
    >>> x = np.linspace(-1, 1, 201)
    >>> print(round(np.corrcoef(x, x**2)[0, 1] ** 2, 3), round(squared_distance_correlation(x, x**2), 3))
    0.0 0.242
    """
    for name, values in (("first", first), ("second", second)):
        check_array(name, values, ("n",), finite=True)
    check_same_shape(first=first, second=second)
    if len(first) < 2:
        raise ValueError(f"first: found {len(first)} entry, expected at least two")
    if weight is None:
        weight = 0 * first + 1
    check_array("weight", weight, ("n",))
    check_same_shape(first=first, weight=weight)
    weight = weight / weight.sum()

    def covariance(a, a_mean, b, b_mean):  # the sum over A_ij B_ij multiplied out: no centred matrix is needed
        return weight @ ((a * b) @ weight) - 2 * (weight @ (a_mean * b_mean)) + (weight @ a_mean) * (weight @ b_mean)

    a, b = (abs(values[:, None] - values[None, :]) for values in (first, second))
    a_mean, b_mean = a @ weight, b @ weight
    spread = covariance(a, a_mean, a, a_mean) * covariance(b, b_mean, b, b_mean)
    return covariance(a, a_mean, b, b_mean) / spread**0.5 if spread > 0 else 0 * spread


def distance_correlation(first, second, weight=None):
    """Distance correlation: the root of `squared_distance_correlation`, 1 for a straight line.

    Parameters
    ----------
    first, second, weight : numpy array or torch tensor, (n,)
        As for `squared_distance_correlation`, which also says what raises a ValueError.

    Returns
    -------
    scalar of the same library
        For training take the square: the slope of the root is infinite at zero.

    Examples
    --------
    >>> x = np.linspace(-1, 1, 50)
    >>> print(round(distance_correlation(x, 3 - 2 * x), 6))
    1.0
    """
    square = squared_distance_correlation(first, second, weight)
    return max(square, 0 * square) ** 0.5  # rounding may leave a value just below zero


def gaussian_distance_correlation(correlation):
    """Distance correlation of two jointly Gaussian variables, from their linear correlation.

    Parameters
    ----------
    correlation : float or array
        Linear correlation, between -1 and 1.

    Returns
    -------
    float or array
        Never above the absolute value of `correlation`.

    Raises
    ------
    ValueError
        If a correlation is outside of [-1, 1].

    Notes
    -----
    Szekely, Rizzo and Bakirov, arXiv:0803.4101, theorem 7.

    Examples
    --------
    >>> gaussian_distance_correlation(np.array([0.0, 0.5, 1.0])).round(3)
    array([0.   , 0.454, 1.   ])
    """
    rho = np.asarray(correlation, dtype=np.float64)
    if not (np.abs(rho) <= 1).all():
        raise ValueError(f"correlation: found {correlation}, expected values in [-1, 1]")
    square = rho * np.arcsin(rho) + np.sqrt(1 - rho**2) - rho * np.arcsin(rho / 2) - np.sqrt(4 - rho**2) + 1
    return np.sqrt(np.maximum(square, 0) / (1 + np.pi / 3 - np.sqrt(3)))


def disco_loss(strength):
    """Return the cross-entropy plus a penalty on the distance correlation of score and mass in the background.

    Parameters
    ----------
    strength : float
        Factor of the penalty, at least zero.

    Returns
    -------
    callable
        ``loss(model, x, label, protected, weight=None)`` for `hepml_labs.training.fit`: x ``(n, inputs)``, the others
        ``(n,)``; the model gives log-odds ``(n, 1)``. Weights enter both terms.

    Raises
    ------
    ValueError
        If `strength` is negative; the loss raises it for a batch with fewer than two background events.

    Notes
    -----
    Kasieczka and Shih, arXiv:2001.05310, equation 1: the squared distance correlation of the network's output (the
    probability, not the log-odds) with the protected variable. It costs n^2 in the background events of a batch, and
    needs batches of several hundred: of fewer its noise and its bias of order 1/n are felt.

    Examples
    --------
    >>> from hepml_labs.nn import MLP
    >>> x, label, mass = torch.randn(64, 3), torch.randint(2, (64,)).float(), torch.rand(64)
    >>> disco_loss(10.0)(MLP(3, 1), x, label, mass).shape
    torch.Size([])
    """
    check_between("strength", strength, 0, np.inf, include_low=True)

    def loss(model, x, label, protected, weight=None):
        log_odds = model(x).squeeze(-1)
        background = label == 0
        penalty = squared_distance_correlation(
            torch.sigmoid(log_odds[background]), protected[background], None if weight is None else weight[background]
        )
        return binary_cross_entropy(log_odds, label, weight) + strength * penalty

    return loss
