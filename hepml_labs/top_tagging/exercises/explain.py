"""Exercises of the lab "What did it learn?"."""

import numpy as np

from hepml_labs.teaching import Exercise, Mistake
from hepml_labs.top_tagging.latent import linear_remainder, principal_components


def variance_shares(latent):
    """Share of each principal component in the total variance, the largest first.

    Parameters
    ----------
    latent : array, (n, size)
        More events than features.

    Returns
    -------
    array, (size,)

    Examples
    --------
    >>> variance_shares(np.array([[3.0, 0.0], [-3.0, 0.0], [0.0, 1.0], [0.0, -1.0]])).round(6)
    array([0.9, 0.1])
    """
    return principal_components(latent, components=latent.shape[1]).shares


def credits(worth, order):
    """What each input adds when the inputs become known one after the other.

    Parameters
    ----------
    worth : array, (2**d,)
        Worth of each set of known inputs; in place k stands the set of the inputs whose bit is set in k.
    order : integer array, (d,)
        The input that becomes known first, second, ...

    Returns
    -------
    array, (d,)
        In place j: by how much the worth rises when input j joins those before it.

    Examples
    --------
    >>> credits(np.array([0.0, 1.0, 2.0, 10.0]), [1, 0])  # nothing, {1}, {1, 0}: worth 0, 2, 10
    array([8., 2.])
    """
    found, known = np.empty(len(order)), 0
    for j in order:
        found[j] = worth[known | 1 << j] - worth[known]
        known |= 1 << j
    return found


def linear_scaling(value, target):
    """Best slope and intercept of a formula, and the share of the variance that is left.

    Parameters
    ----------
    value : array, (n,)
        What the formula gives.
    target : array, (n,)
        What it should describe.

    Returns
    -------
    slope, intercept, loss : float
        Of the least-squares fit target = slope * value + intercept; `loss` is the mean squared residual over the
        variance of the target.

    Examples
    --------
    >>> [round(number, 6) for number in linear_scaling(np.array([0.0, 1.0, 2.0]), np.array([5.0, 3.0, 1.0]))]
    [-2.0, 5.0, 0.0]
    """
    centred = value - value.mean()
    slope = centred @ target / (centred @ centred)
    intercept = target.mean() - slope * value.mean()
    loss = np.mean((target - slope * value - intercept) ** 2) / target.var()
    return float(slope), float(intercept), float(loss)


def _cloud(rng):
    size = int(rng.integers(3, 6))
    return (rng.normal(size=(40, size)) @ rng.normal(size=(size, size)) + 3 * rng.normal(size=size),)


def _shares_of(values):
    return values / values.sum()


def _eigenvalues(matrix):
    return np.linalg.eigvalsh(matrix)[::-1]


def _observables(rng):
    known = rng.normal(3, 2, size=30)
    return 4 - 1.5 * known + rng.normal(size=30) * (1 + known**2 / 4), known


def _game(rng):
    d = int(rng.integers(3, 5))
    return rng.normal(size=2**d), rng.permutation(d)


def _in_order(worth, order):
    return credits(worth, order)[np.asarray(order)]


def _alone(worth, order):
    return np.array([worth[1 << j] - worth[0] for j in range(len(order))])


def _last(worth, order):
    everything = len(worth) - 1
    return np.array([worth[everything] - worth[everything ^ 1 << j] for j in range(len(order))])


def _total(worth, order):
    return credits(worth - worth[0], order)[np.asarray(order)].cumsum()[np.argsort(order)]


def _pair(rng):
    value = rng.normal(2, 3, size=25)
    return value, 5 - 0.7 * value + rng.normal(0, 1.5, size=25)


def _exchanged(value, target):
    return linear_scaling(target, value)


EXERCISES = [
    Exercise(
        name="top_tagging.variance_shares",
        reference=variance_shares,
        inputs=_cloud,
        mistakes=(
            Mistake(
                "The mean of the cloud is not taken off: its distance from zero counts as variance.",
                lambda latent: _shares_of(_eigenvalues(latent.T @ latent)),
            ),
            Mistake(
                "These are the variances in their units: divide by the total variance.",
                lambda latent: _eigenvalues(np.cov(latent, rowvar=False)),
            ),
            Mistake(
                "The smallest comes first: eigvalsh sorts upwards.",
                lambda latent: _shares_of(_eigenvalues(np.cov(latent, rowvar=False)))[::-1],
            ),
            Mistake(
                "These are shares of the singular values, widths. Variances are their squares.",
                lambda latent: _shares_of(np.sqrt(_eigenvalues(np.cov(latent, rowvar=False)))),
            ),
            Mistake(
                "These are the variances of the single features: the diagonal of the covariance, not its eigenvalues.",
                lambda latent: _shares_of(np.sort(latent.var(axis=0))[::-1]),
            ),
        ),
        hints=(
            "The variance along a principal component is an eigenvalue of the covariance matrix.",
            "np.cov(latent, rowvar=False) is the matrix, np.linalg.eigvalsh gives its eigenvalues, the smallest first.",
            "values = np.linalg.eigvalsh(...)[::-1], and then values / values.sum().",
        ),
    ),
    Exercise(
        name="top_tagging.linear_remainder",
        reference=linear_remainder,
        inputs=_observables,
        mistakes=(
            Mistake(
                "The line goes through zero: fit an intercept as well.",
                lambda target, known: target - known * (known @ target) / (known @ known),
            ),
            Mistake(
                "You return the line. What is left is the target minus the line.",
                lambda target, known: target - linear_remainder(target, known),
            ),
            Mistake(
                "Subtract a multiple of the known observable; a ratio is something else.",
                lambda target, known: target / known,
            ),
            Mistake(
                "The slope has the wrong sign: the correlation has doubled.",
                lambda target, known: 2 * (target - target.mean()) - linear_remainder(target, known),
            ),
        ),
        hints=(
            "Fit target = slope * known + intercept, and take the residual.",
            "The slope is the covariance of both over the variance of the known one.",
            "slope, intercept = np.polyfit(known, target, 1)",
        ),
    ),
    Exercise(
        name="top_tagging.credits",
        reference=credits,
        inputs=_game,
        mistakes=(
            Mistake("Right numbers, wrong places: place j belongs to input j, not to the j-th to join.", _in_order),
            Mistake("This is what each input is worth alone. The others before it are known already.", _alone),
            Mistake("This is what is lost when an input leaves all others; here they join one after the other.", _last),
            Mistake("These are the sums up to each input. Its credit is the step.", _total),
            Mistake("The sign is turned: with minus without.", lambda worth, order: -credits(worth, order)),
        ),
        hints=(
            "Start with nothing known, k = 0, and let the inputs join in the order given.",
            "If the set has number k, then with input j it has number k | 1 << j (or k + 2**j).",
            "found[j] = worth[k + 2**j] - worth[k]; then k += 2**j.",
        ),
    ),
    Exercise(
        name="top_tagging.linear_scaling",
        reference=linear_scaling,
        inputs=_pair,
        mistakes=(
            Mistake("Value and target are exchanged: you fitted the value as a function of the target.", _exchanged),
            Mistake(
                "The third number should be in units of the variance of the target.",
                lambda value, target: (
                    *linear_scaling(value, target)[:2],
                    linear_scaling(value, target)[2] * target.var(),
                ),
            ),
            Mistake(
                "The third number is the share that is explained; the loss is the share that is left.",
                lambda value, target: (*linear_scaling(value, target)[:2], 1 - linear_scaling(value, target)[2]),
            ),
            Mistake(
                "The line goes through zero: it needs an intercept.",
                lambda value, target: (
                    float(value @ target / (value @ value)),
                    0.0,
                    float(np.mean((target - value * (value @ target) / (value @ value)) ** 2) / target.var()),
                ),
            ),
        ),
        hints=(
            "It is a straight-line fit of the target against the value.",
            "slope, intercept = np.polyfit(value, target, 1)",
            "The loss is np.mean((target - slope * value - intercept) ** 2) / target.var().",
        ),
    ),
]
