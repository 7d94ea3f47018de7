"""Exercises of the lab "A flow from scratch": changes of variables by hand."""

import numpy as np

from hepml_labs.teaching import Exercise, Mistake


def log_normal(x, mean, width):
    """Log-density of x = exp(u), where u is Gaussian.

    Parameters
    ----------
    x : array, (n,)
        Above zero.
    mean, width : float
        Of u = log x.

    Returns
    -------
    array, (n,)
        log N(log x; mean, width) + log |du/dx| with du/dx = 1/x.

    Examples
    --------
    >>> log_normal(np.array([1.0]), 0.0, 1.0).round(4)
    array([-0.9189])
    """
    u = np.log(x)
    return -(((u - mean) / width) ** 2) / 2 - np.log(width * np.sqrt(2 * np.pi)) - u


def scaled_log_prob(log_prob, x, columns, factor):
    """Log-density of events after some of their features have been multiplied by a factor.

    Parameters
    ----------
    log_prob : callable
        Log-density of the events before: from (n, d) to (n,).
    x : array, (n, d)
        Events after the scaling.
    columns : array of bool, (d,)
        True for the features that were multiplied.
    factor : float
        Above zero.

    Returns
    -------
    array, (n,)

    Examples
    --------
    >>> flat = lambda x: np.zeros(len(x))  # the unit square
    >>> scaled_log_prob(flat, np.ones((1, 2)), np.array([True, True]), 2.0)  # a quarter of the density
    array([-1.38629436])
    """
    return log_prob(np.where(columns, x / factor, x)) - columns.sum() * np.log(factor)


def _log_normal_inputs(rng):
    return np.exp(rng.normal(0.5, 0.8, size=8)), float(rng.uniform(-1, 1)), float(rng.uniform(0.3, 2.5))


def _scaled_inputs(rng):
    mixing, columns = rng.normal(size=(4, 4)), rng.permutation(4) < 2
    return (
        lambda x: -(np.tanh(x @ mixing) ** 2).sum(axis=1),
        rng.normal(1, 1, size=(6, 4)),
        columns,
        float(rng.choice([0.7, 1.4]) * rng.uniform(0.9, 1.1)),
    )


EXERCISES = [
    Exercise(
        name="flows.log_normal",
        reference=log_normal,
        inputs=_log_normal_inputs,
        mistakes=(
            Mistake(
                "That is the density of log x. One unit of x is not one unit of log x: the Jacobian is missing.",
                lambda x, mean, width: log_normal(x, mean, width) + np.log(x),
            ),
            Mistake(
                "The Jacobian is upside down: at large x one unit of x is a small step in log x, so the density falls.",
                lambda x, mean, width: log_normal(x, mean, width) + 2 * np.log(x),
            ),
            Mistake(
                "The Gaussian of width w has 1/w in front: without it the density does not integrate to one.",
                lambda x, mean, width: log_normal(x, mean, width) + np.log(width),
            ),
            Mistake(
                "The Gaussian is one in u = log x, not in x.",
                lambda x, mean, width: (
                    -(((x - mean) / width) ** 2) / 2 - np.log(width * np.sqrt(2 * np.pi)) - np.log(x)
                ),
            ),
            Mistake(
                "This is the density. Its logarithm is asked: products of many densities leave the range of numbers.",
                lambda x, mean, width: np.exp(log_normal(x, mean, width)),
            ),
        ),
        hints=(
            "Probability is conserved: p(x) |dx| = p(u) |du| with u = log x.",
            "log p(x) = log N(u; mean, width) + log |du/dx|, and du/dx = 1/x.",
            "-((np.log(x) - mean) / width) ** 2 / 2 - np.log(width * np.sqrt(2 * np.pi)) - np.log(x)",
        ),
    ),
    Exercise(
        name="flows.scaled_log_prob",
        reference=scaled_log_prob,
        inputs=_scaled_inputs,
        mistakes=(
            Mistake(
                "The Jacobian is missing: stretched data are thinner.",
                lambda p, x, columns, f: p(np.where(columns, x / f, x)),
            ),
            Mistake(
                "The sign of the Jacobian: stretched data are thinner, not denser.",
                lambda p, x, columns, f: p(np.where(columns, x / f, x)) + columns.sum() * np.log(f),
            ),
            Mistake(
                "There is one factor for each feature that was scaled.",
                lambda p, x, columns, f: p(np.where(columns, x / f, x)) - np.log(f),
            ),
            Mistake(
                "Only the features in `columns` were scaled: the others have no factor in the Jacobian.",
                lambda p, x, columns, f: p(np.where(columns, x / f, x)) - x.shape[1] * np.log(f),
            ),
            Mistake(
                "x is given after the scaling. Go back: divide by the factor.",
                lambda p, x, columns, f: p(np.where(columns, x * f, x)) - columns.sum() * np.log(f),
            ),
            Mistake(
                "Divide only the features in `columns`.",
                lambda p, x, columns, f: p(x / f) - columns.sum() * np.log(f),
            ),
        ),
        hints=(
            "Which event was x before the scaling? Ask log_prob there.",
            "np.where(columns, x / factor, x) undoes the scaling; its Jacobian is factor^-k for k scaled features.",
            "log_prob(np.where(columns, x / factor, x)) - columns.sum() * np.log(factor)",
        ),
    ),
]
