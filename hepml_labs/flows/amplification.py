"""Amplification: how many true events a sample of generated events is worth, in cells of equal probability."""

from typing import NamedTuple

import numpy as np

from hepml_labs.validation import check_count, to_numpy

__all__ = [
    "Amplification",
    "amplification",
    "cell_fractions",
    "parametric_mse",
    "posterior_mse",
    "quantile_mse",
    "sample_mse",
]


def cell_fractions(unit, per_axis):
    """Fraction of events in each cell of a grid on the unit box.

    Parameters
    ----------
    unit : array of shape (n, d)
        Events mapped to the unit box by the true cumulative, where cells of equal volume have equal probability.
    per_axis : int
        Cells along each axis: quantiles of each variable.

    Returns
    -------
    array of shape (per_axis**d,)
        Fractions; those of a true sample scatter around per_axis**-d. They sum to one.

    Raises
    ------
    ValueError
        If a value lies outside of [0, 1].

    Examples
    --------
    >>> cell_fractions(np.array([[0.1], [0.2], [0.7], [1.0]]), per_axis=2)
    array([0.5, 0.5])
    """
    unit = to_numpy("unit", unit, ("n", "d"))
    check_count("per_axis", per_axis)
    if unit.min() < 0 or unit.max() > 1:
        raise ValueError(f"unit: found values from {unit.min():.4g} to {unit.max():.4g}, expected them in [0, 1]")
    index = np.minimum((unit * per_axis).astype(np.int64), per_axis - 1)
    cell = np.ravel_multi_index(index.T, (per_axis,) * unit.shape[1])
    return np.bincount(cell, minlength=per_axis ** unit.shape[1]) / len(unit)


def quantile_mse(fractions):
    """Mean squared distance of fractions in cells of equal probability from the truth, 1 / cells.

    Parameters
    ----------
    fractions : array of shape (..., cells)
        Fractions of events or probabilities, for example of each of many trainings.

    Returns
    -------
    array of shape (...,)
        Mean over the cells.

    Notes
    -----
    Butter et al., arXiv:2008.06545, section 2.

    Examples
    --------
    >>> float(quantile_mse(np.array([0.4, 0.6])).round(6))
    0.01
    """
    fractions = to_numpy("fractions", fractions)
    return ((fractions - 1 / fractions.shape[-1]) ** 2).mean(-1)


def posterior_mse(fractions):
    """Squared error of the cell probabilities that a posterior or an ensemble claims, without the truth.

    Parameters
    ----------
    fractions : array of shape (..., flows, cells)
        Probabilities of the cells under two or more flows.

    Returns
    -------
    array of shape (...,)
        Variance over the flows, with 1 / (flows - 1), averaged over the cells. As an estimate of `quantile_mse` of
        the mean it leaves out what all flows get wrong together.

    Raises
    ------
    ValueError
        If there are fewer than two flows.

    Notes
    -----
    The idea of Bieringer et al., arXiv:2408.00838, and of the averaging amplification of Bahl et al., arXiv:2509.08048.

    Examples
    --------
    >>> float(posterior_mse(np.array([[0.4, 0.6], [0.6, 0.4]])).round(6))
    0.02
    """
    fractions = to_numpy("fractions", fractions, (..., "flows", "cells"))
    check_count("fractions: number of flows", fractions.shape[-2], minimum=2)
    return fractions.var(-2, ddof=1).mean(-1)


def sample_mse(n, cells):
    """Expected `quantile_mse` of n true events: the binomial variance (1 - 1 / cells) / (cells n).

    Examples
    --------
    >>> sample_mse(100, cells=10)
    0.0009
    """
    check_count("n", n)
    check_count("cells", cells)
    return (1 - 1 / cells) / (cells * n)


def parametric_mse(gradient, fisher, n):
    """Expected `quantile_mse` of a maximum-likelihood fit of the right form to n events, for large n.

    Parameters
    ----------
    gradient : array of shape (cells, parameters)
        Derivatives of the cells' probabilities with respect to the parameters, at the truth.
    fisher : array of shape (parameters, parameters)
        Fisher information of one event.
    n : int
        Events in the fit.

    Returns
    -------
    float
        Mean over the cells of the propagated variance, diag(J I^-1 J^T) / n.

    Examples
    --------
    >>> gaussian = np.diag([1.0, 2.0])  # mean and logarithm of the width, in units of the width
    >>> below_zero = np.array([[-0.3989, 0.0], [0.3989, 0.0]])
    >>> round(parametric_mse(below_zero, gaussian, n=100), 5)
    0.00159
    """
    gradient = to_numpy("gradient", gradient, ("cells", "parameters"))
    fisher = to_numpy("fisher", fisher, (gradient.shape[1],) * 2)
    check_count("n", n)
    return float((gradient * np.linalg.solve(fisher, gradient.T).T).sum(1).mean() / n)


class Amplification(NamedTuple):
    """What a generated sample is worth.

    Attributes
    ----------
    factor : float
        Number of true events with the same error, divided by the number of training events.
    error : float
        Standard deviation of `factor`, from the scatter between trainings.
    equivalent_events : float
        That number of true events.
    """

    factor: float
    error: float
    equivalent_events: float


def amplification(mse, cells, train_size):
    """Amplification factor from the errors of several independent trainings.

    Parameters
    ----------
    mse : array of shape (trainings,)
        `quantile_mse` or `posterior_mse` of each training, on a training set of its own.
    cells : int
        Cells that the error was averaged over. The factor depends on them: it is a statement about a resolution.
    train_size : int
        Events in each training set.

    Returns
    -------
    Amplification
        From the mean error; its standard error over the trainings is propagated.

    Raises
    ------
    ValueError
        If there are fewer than two trainings or an error is not positive.

    Examples
    --------
    >>> same = amplification(np.full(4, sample_mse(300, cells=10)), cells=10, train_size=100)
    >>> round(same.factor, 6), round(same.equivalent_events, 6)
    (3.0, 300.0)
    """
    mse = to_numpy("mse", mse, ("trainings",), positive=True)
    check_count("mse: number of trainings", len(mse), minimum=2)
    check_count("train_size", train_size)
    factor = sample_mse(train_size, cells) / mse.mean()
    relative = mse.std(ddof=1) / np.sqrt(len(mse)) / mse.mean()
    return Amplification(float(factor), float(factor * relative), float(factor * train_size))
