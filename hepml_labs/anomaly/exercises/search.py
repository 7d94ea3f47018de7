"""Exercises of the lab "The whole search"."""

import numpy as np

from hepml_labs.anomaly.search import nested_correlation
from hepml_labs.teaching import Exercise, Mistake


def twin_share(share, folds):
    """Probability that an event of a bootstrap sample has a copy of itself in another fold.

    Parameters
    ----------
    share : float
        Number of events drawn over the number of different events to draw from.
    folds : int
        Copies are dealt to the folds at random.

    Returns
    -------
    float

    Notes
    -----
    How often an event is drawn is a Poisson number of mean `share`, and given that it is there, the number of its
    *other* copies is again a Poisson number of mean `share`. Each of them lies in another fold with probability
    (folds - 1) / folds.

    Examples
    --------
    >>> round(twin_share(1.0, 2), 3)
    0.393
    """
    return float(1 - np.exp(-share * (folds - 1) / folds))


def best_of_all(significance, toys):
    """Global p-value of a scan, from significances of pseudo-experiments.

    Parameters
    ----------
    significance : array, (windows, efficiencies)
        Local, of the data.
    toys : array, (n, windows, efficiencies)
        Local, of pseudo-experiments without signal.

    Returns
    -------
    float
        (1 + k) / (1 + n), for k pseudo-experiments whose best is at least as good as that of the data.

    Examples
    --------
    >>> best_of_all(np.array([[1.0], [2.0]]), np.array([[[3.0], [0.0]], [[1.5], [1.5]], [[0.0], [0.1]]]))
    0.5
    """
    best = toys.reshape(len(toys), -1).max(axis=1)
    return float((1 + np.count_nonzero(best >= significance.max())) / (1 + len(toys)))


def upper_limit(strength, mean, spread, observed):
    r"""Largest signal that could have left as little as was seen with a probability of 5 %.

    Parameters
    ----------
    strength : array, (k,)
        Injected numbers of signal events, rising.
    mean, spread : array, (k,)
        Of the significance that the whole search finds at each of them, taken as Gaussian.
    observed : float
        Significance in the data.

    Returns
    -------
    float
        Where mean - 1.645 spread, on straight lines between the points, rises through `observed` for the first time:
        zero if it is above already without signal, infinity if it stays below.

    Examples
    --------
    >>> round(upper_limit(np.array([0.0, 100.0]), np.array([0.0, 4.0]), np.array([1.0, 1.0]), 0.0), 1)
    41.1
    """
    low = mean - 1.6448536 * spread - observed
    if low[0] >= 0:
        return 0.0
    above = np.flatnonzero(low >= 0)
    if len(above) == 0:
        return float("inf")
    k = above[0]
    return float(strength[k - 1] - low[k - 1] * (strength[k] - strength[k - 1]) / (low[k] - low[k - 1]))


def _shares(rng):
    return float(rng.uniform(0.1, 2)), int(rng.integers(2, 7))


def _twins(value):
    return lambda share, folds: float(value(share, folds))


def _efficiencies(rng):
    return (rng.permutation(np.sort(rng.uniform(0.001, 0.2, size=4))),)


def _correlation(value):
    return lambda efficiency: value(
        np.minimum(*np.broadcast_arrays(efficiency[:, None], efficiency)),
        np.maximum(*np.broadcast_arrays(efficiency[:, None], efficiency)),
    )


def _scans(rng):
    toys = rng.normal(size=(40, 3, 2))
    return rng.uniform(0.6, 1.2, size=(3, 2)), toys


def _best(value):
    return lambda significance, toys: float(value(significance, toys))


def _injections(rng):
    strength = np.cumsum(rng.uniform(20, 60, size=5)) - 20
    mean = np.cumsum(rng.uniform(0.5, 3.0, size=5)) - 1
    spread = rng.uniform(0.8, 1.3, size=5)
    return strength, mean, spread, float(mean[1] - 1.6 * spread[1] + 0.3 + rng.uniform(0, 0.4))


def _limit(shift):
    def wrong(strength, mean, spread, observed):
        return float(np.interp(observed, mean + shift * spread, strength))

    return wrong


EXERCISES = [
    Exercise(
        name="anomaly.twin_share",
        reference=twin_share,
        inputs=_shares,
        mistakes=(
            Mistake(
                "This is the probability of any copy at all. A copy in the same fold does no harm.",
                _twins(lambda f, k: 1 - np.exp(-f)),
            ),
            Mistake(
                "This is the probability of a copy in the *same* fold. The harm comes from the other folds.",
                _twins(lambda f, k: 1 - np.exp(-f / k)),
            ),
            Mistake(
                "This is the mean number of copies in other folds, not the probability of at least one.",
                _twins(lambda f, k: f * (k - 1) / k),
            ),
            Mistake("This is the probability that there is no such copy.", _twins(lambda f, k: np.exp(-f + f / k))),
        ),
        hints=(
            "Given that an event is in the sample, how many other copies of it are there on average?",
            "Other copies: a Poisson number of mean `share`, each elsewhere with probability (folds - 1) / folds.",
            "A Poisson number of mean m is at least one with the probability 1 - exp(-m).",
        ),
    ),
    Exercise(
        name="anomaly.nested_correlation",
        reference=nested_correlation,
        inputs=_efficiencies,
        mistakes=(
            Mistake("Nearly: a covariance over two standard deviations has a root.", _correlation(lambda a, b: a / b)),
            Mistake(
                "A correlation is at most one: the smaller count over the larger one.",
                _correlation(lambda a, b: np.sqrt(b / a)),
            ),
            Mistake(
                "This would hold for two cuts that select independently. Here the harder cut is inside the softer one.",
                _correlation(lambda a, b: np.where(a == b, 1.0, np.sqrt(a * b))),
            ),
            Mistake(
                "This is the covariance of two shares, up to the number of events. Divide by both standard deviations.",
                _correlation(lambda a, b: a),
            ),
        ),
        hints=(
            "Write the larger count as the smaller one and the rest, which are independent Poisson numbers.",
            "So the covariance is the variance of the smaller count, N_1. Divide by sqrt(N_1 N_2).",
            "With a = efficiencies[:, None] and b = efficiencies: np.sqrt(np.minimum(a, b) / np.maximum(a, b)).",
        ),
    ),
    Exercise(
        name="anomaly.best_of_all",
        reference=best_of_all,
        inputs=_scans,
        mistakes=(
            Mistake(
                "This counts single windows. Ask of each pseudo-experiment whether its *best* beats the data's best.",
                _best(lambda z, toys: (1 + (toys >= z.max()).sum()) / (1 + toys.size)),
            ),
            Mistake(
                "This compares at the place where the data are best: the local p-value again.",
                _best(lambda z, t: (1 + (t.reshape(len(t), -1)[:, z.argmax()] >= z.max()).sum()) / (1 + len(t))),
            ),
            Mistake(
                "Nearly: the data count as one of the pseudo-experiments, so that no p-value is zero.",
                _best(lambda z, toys: (toys.max(axis=(1, 2)) >= z.max()).mean()),
            ),
            Mistake(
                "This is the share of pseudo-experiments that look *less* like a signal.",
                _best(lambda z, toys: (1 + (toys.max(axis=(1, 2)) < z.max()).sum()) / (1 + len(toys))),
            ),
        ),
        hints=(
            "A pseudo-experiment is as striking as the data if the best of its significances is.",
            "toys.max(axis=(1, 2)) has one number for each; count those of at least significance.max().",
            "With k of n: (1 + k) / (1 + n).",
        ),
    ),
    Exercise(
        name="anomaly.upper_limit",
        reference=upper_limit,
        inputs=_injections,
        mistakes=(
            Mistake(
                "This signal gives as much as was seen, on average: an estimate. A limit needs the 5 % tail.",
                _limit(0.0),
            ),
            Mistake(
                "The wrong tail: look for a signal that *seldom* gives as little as this, not for one that seldom "
                "gives as much.",
                _limit(1.6448536),
            ),
            Mistake("1.96 belongs to two tails of 2.5 %; this limit has one of 5 %.", _limit(-1.959964)),
        ),
        hints=(
            "A strength is excluded if the search would have found more than `observed` in 95 % of cases.",
            "That is where mean - 1.645 spread passes `observed`; below 1.645 lie 5 % of a Gaussian.",
            "If the curve rises: np.interp(observed, mean - 1.645 * spread, strength); take care of both ends.",
        ),
        rtol=1e-3,
    ),
]
