"""Exercises of the lab "Is a generated event worth an event?"."""

import numpy as np

from hepml_labs.teaching import Exercise, Mistake


def wasserstein(first, second):
    """Wasserstein-1 distance of each column of two samples of equal size.

    Parameters
    ----------
    first, second : array of shape (n, d)
        Events.

    Returns
    -------
    array of shape (d,)
        Mean distance between the sorted values.

    Examples
    --------
    >>> wasserstein(np.array([[0.0], [1.0]]), np.array([[3.0], [1.0]]))
    array([1.5])
    """
    return np.abs(np.sort(first, axis=0) - np.sort(second, axis=0)).mean(axis=0)


def worth_of_density(mse, generated, cells):
    """Number of true events with the squared error of a learned density, counting noise of the sample removed.

    Parameters
    ----------
    mse : float
        Mean squared error of the fractions of generated events in cells of equal probability.
    generated : int
        Number of generated events.
    cells : int
        Number of cells.

    Returns
    -------
    float
        n with (1 - 1 / cells) / (cells n) = mse - (1 - 1 / cells) / (cells generated).

    Examples
    --------
    >>> round(worth_of_density(0.25 / 400 + 0.25 / 100, generated=400, cells=2), 6)
    100.0
    """
    return 1 / (cells * mse / (1 - 1 / cells) - 1 / generated)


def weighted_share(inside, weight):
    """Share of weighted events in a region, and its standard deviation.

    Parameters
    ----------
    inside : bool array of shape (n,)
        Whether an event is in the region.
    weight : array of shape (n,)
        Weights.

    Returns
    -------
    share, error : float
        To first order, for independent events.

    Examples
    --------
    >>> share, error = weighted_share(np.array([True, False, False, False]), np.ones(4))
    >>> float(share), round(float(error), 4)
    (0.25, 0.2165)
    """
    share = weight[inside].sum() / weight.sum()
    return share, np.sqrt((weight**2 * (inside - share) ** 2).sum()) / weight.sum()


def _samples(rng):
    n, d = int(rng.integers(15, 25)), int(rng.integers(2, 4))
    return rng.normal(size=(n, d)), rng.normal(0.3, 1.7, size=(n, d))


def _errors(rng):
    cells, generated, worth = int(rng.integers(5, 30)), int(rng.integers(2000, 9000)), rng.uniform(200, 3000)
    return (1 - 1 / cells) / cells * (1 / worth + 1 / generated), generated, cells


def _weighted(rng):
    n = int(rng.integers(20, 40))
    inside = rng.permutation(n) < n // 2
    return inside, 2.5 * rng.exponential(size=n) + 0.05  # their mean is not one: n and the sum of weights differ


def _share(inside, weight):
    return weight[inside].sum() / weight.sum()


EXERCISES = [
    Exercise(
        name="diffusion.wasserstein",
        reference=wasserstein,
        inputs=_samples,
        mistakes=(
            Mistake(
                "You compare events that happen to stand in the same row. Sort each column first.",
                lambda first, second: np.abs(first - second).mean(axis=0),
            ),
            Mistake(
                "The distance of the means is blind to widths: first absolute values, then the mean.",
                lambda first, second: np.abs(first.mean(axis=0) - second.mean(axis=0)),
            ),
            Mistake(
                "The root mean square is the Wasserstein-2 distance. W1 is the mean of absolute differences.",
                lambda first, second: np.sqrt(((np.sort(first, 0) - np.sort(second, 0)) ** 2).mean(axis=0)),
            ),
            Mistake(
                "One number for each column: the mean goes over the events only.",
                lambda first, second: np.abs(np.sort(first, 0) - np.sort(second, 0)).mean(),
            ),
            Mistake(
                "Each event carries the probability 1 / n: a mean, not a sum.",
                lambda first, second: np.abs(np.sort(first, 0) - np.sort(second, 0)).sum(axis=0),
            ),
        ),
        hints=(
            "In one dimension the cheapest way to move one sample onto the other never lets two events cross.",
            "So the smallest goes to the smallest, the second to the second: sort each column of both.",
            "np.abs(np.sort(first, axis=0) - np.sort(second, axis=0)).mean(axis=0)",
        ),
    ),
    Exercise(
        name="diffusion.worth_of_density",
        reference=worth_of_density,
        inputs=_errors,
        mistakes=(
            Mistake(
                "That is the worth of the generated *sample*: their own counting noise is still in it.",
                lambda mse, generated, cells: (1 - 1 / cells) / (cells * mse),
            ),
            Mistake(
                "The counting noise is taken off the squared error, not added to it.",
                lambda mse, generated, cells: 1 / (cells * mse / (1 - 1 / cells) + 1 / generated),
            ),
            Mistake(
                "A fraction of 1/k has the variance (1/k)(1 - 1/k)/n: the factor 1 - 1/k is missing.",
                lambda mse, generated, cells: 1 / (cells * mse - 1 / generated),
            ),
            Mistake(
                "You are a factor of the number of cells off: the mean squared error is that of one cell.",
                lambda mse, generated, cells: 1 / (mse / (1 - 1 / cells) - 1 / generated),
            ),
            Mistake(
                "Inverse numbers add, not the numbers themselves.",
                lambda mse, generated, cells: (1 - 1 / cells) / (cells * mse) - generated,
            ),
        ),
        hints=(
            "Two independent errors: that of the density, and the counting noise of the draws. Squares add.",
            "n true events have the squared error (1 - 1/k) / (k n). So 1/n_sample = 1/n_density + 1/n_generated.",
            "1 / (cells * mse / (1 - 1 / cells) - 1 / generated)",
        ),
    ),
    Exercise(
        name="diffusion.weighted_share",
        reference=weighted_share,
        inputs=_weighted,
        mistakes=(
            Mistake(
                "Your error is that of the sum in the region. The sum of all weights moves too: use inside - share.",
                lambda inside, weight: (_share(inside, weight), np.sqrt((weight[inside] ** 2).sum()) / weight.sum()),
            ),
            Mistake(
                "Your error is that of events of weight one. Weights are worth less: sum the squares of weights.",
                lambda inside, weight: (
                    _share(inside, weight),
                    np.sqrt(_share(inside, weight) * (1 - _share(inside, weight)) / len(weight)),
                ),
            ),
            Mistake(
                "That is the share of events. The share of *weight* is wanted.",
                lambda inside, weight: (inside.mean(), np.sqrt(inside.mean() * (1 - inside.mean()) / len(weight))),
            ),
            Mistake(
                "This is the variance. The standard deviation is its root.",
                lambda inside, weight: (
                    _share(inside, weight),
                    (weight**2 * (inside - _share(inside, weight)) ** 2).sum() / weight.sum() ** 2,
                ),
            ),
            Mistake(
                "You divide the root of the sum of squares by n. The share was divided by the sum of weights.",
                lambda inside, weight: (
                    _share(inside, weight),
                    np.sqrt((weight**2 * (inside - _share(inside, weight)) ** 2).sum()) / len(weight),
                ),
            ),
        ),
        hints=(
            "The share is a ratio of two sums that fluctuate together: an event in the region is in both.",
            "Add or remove one event of weight w: the share moves by w (inside - share) / (sum of weights).",
            "share = weight[inside].sum() / weight.sum(); "
            "error = sqrt((weight**2 * (inside - share)**2).sum()) / weight.sum()",
        ),
    ),
]
