"""Exercises of the lab "ANODE and CATHODE"."""

import numpy as np

from hepml_labs.teaching import Exercise, Mistake


def reflect_into(masses, low, high):
    """Mirror masses that lie outside of an interval at the edge that they crossed.

    Parameters
    ----------
    masses : array, (n,)
        GeV; none farther outside than the interval is wide.
    low, high : float
        Edges, GeV.

    Returns
    -------
    array, (n,)

    Examples
    --------
    >>> reflect_into(np.array([3290.0, 3500.0, 3720.0]), 3300.0, 3700.0)
    array([3310., 3500., 3680.])
    """
    masses = np.where(masses < low, 2 * low - masses, masses)
    return np.where(masses > high, 2 * high - masses, masses)


def background_above(score, cut):
    """Estimate how many of the events above a cut are background, from log p_data/p_background alone.

    Parameters
    ----------
    score : array, (n,)
        Log ratio of each event in the signal region, with both densities normalised.
    cut : float
        Events above it are selected.

    Returns
    -------
    float

    Examples
    --------
    >>> float(background_above(np.log([0.5, 1.0, 2.0, 4.0]), 0.1).round(3))
    0.75
    """
    return np.exp(-score[score > cut]).sum()


def ratio_from_probability(probability, n_template, n_data):
    """Log ratio of densities from the probability of a classifier that was trained on unequal samples.

    Parameters
    ----------
    probability : array, (n,)
        Of being data.
    n_template, n_data : int
        Events of the two classes in the training, without weights.

    Returns
    -------
    array, (n,)
        log p_data/p_template.

    Examples
    --------
    >>> ratio_from_probability(np.array([0.2, 0.5]), 40_000, 10_000).round(3)
    array([0.   , 1.386])
    """
    return np.log(probability / (1 - probability)) - np.log(n_data / n_template)


def signal_probability(score, fraction):
    """Probability of an event to be signal, from log p_data/p_background and the share of signal in the data.

    Parameters
    ----------
    score : array, (n,)
    fraction : float
        Share of signal among all events of the signal region.

    Returns
    -------
    array, (n,)
        Between 0 and 1, also where a score is so low that it cannot be right.

    Examples
    --------
    >>> signal_probability(np.log([0.5, 0.9, 1.8]), 0.1).round(3)
    array([0. , 0. , 0.5])
    """
    return np.clip(1 - (1 - fraction) * np.exp(-score), 0, 1)


def _masses(rng):
    low = float(rng.uniform(3000, 3400))
    high = low + 400.0
    inside = rng.uniform(low, high, size=6)
    return (
        rng.permutation(np.concatenate([inside, low - rng.uniform(1, 90, 3), high + rng.uniform(1, 90, 4)])),
        low,
        high,
    )


def _scores(rng):
    return rng.normal(0.2, 1.0, size=40), float(rng.uniform(-0.3, 0.4))


def _probabilities(rng):
    n_template, n_data = rng.permutation([int(rng.integers(5_000, 9_000)), int(rng.integers(20_000, 40_000))])
    return rng.uniform(0.05, 0.95, size=7), int(n_template), int(n_data)


def _events(rng):
    fraction = float(rng.uniform(0.05, 0.3))
    low, high = np.log(1 - fraction) - 0.5, np.log(1 - fraction)
    return np.concatenate([rng.uniform(low, high - 0.1, 3), high + rng.uniform(0.05, 4, 8)]), fraction


def _upper_only(masses, low, high):
    return np.where(masses > high, 2 * high - masses, masses)


EXERCISES = [
    Exercise(
        name="anomaly.reflect_into",
        reference=reflect_into,
        inputs=_masses,
        mistakes=(
            Mistake(
                "Masses outside were moved to the edge itself: they would pile up there. Mirror them.",
                lambda masses, low, high: np.clip(masses, low, high),
            ),
            Mistake(
                "Masses were carried around to the other edge. The window is no circle: mirror them where they left.",
                lambda masses, low, high: low + (masses - low) % (high - low),
            ),
            Mistake("The upper edge is done; masses below the lower edge are still outside.", _upper_only),
            Mistake(
                "Masses outside were dropped. Then density is missing near the edges: mirror them.",
                lambda masses, low, high: masses[(masses >= low) & (masses <= high)],
            ),
        ),
        hints=(
            "A mass 10 GeV below the lower edge belongs 10 GeV above it.",
            "The mirror image of m at an edge e is e + (e - m).",
            "np.where(masses < low, 2 * low - masses, masses), and the same with the upper edge.",
        ),
    ),
    Exercise(
        name="anomaly.background_above",
        reference=background_above,
        inputs=_scores,
        mistakes=(
            Mistake("This counts all selected events, signal included.", lambda score, cut: (score > cut).sum()),
            Mistake(
                "This weights with p_data/p_background. To turn data into background, divide by it.",
                lambda score, cut: np.exp(score[score > cut]).sum(),
            ),
            Mistake("This sums over all events: the cut is missing.", lambda score, cut: np.exp(-score).sum()),
            Mistake(
                "This is the mean of the weights; a number of events is asked for, their sum.",
                lambda score, cut: np.exp(-score[score > cut]).mean(),
            ),
            Mistake("These are the events below the cut.", lambda score, cut: np.exp(-score[score <= cut]).sum()),
        ),
        hints=(
            "The number is N times the integral of p_background over the selected x. Your events follow p_data.",
            "The integral of p_background is the mean over data of p_background/p_data, where selected.",
            "Sum exp(-score) over the events with score > cut.",
        ),
    ),
    Exercise(
        name="anomaly.ratio_from_probability",
        reference=ratio_from_probability,
        inputs=_probabilities,
        mistakes=(
            Mistake(
                "These are the odds of the training sample. They contain its class sizes: take those off.",
                lambda p, n_template, n_data: np.log(p / (1 - p)),
            ),
            Mistake(
                "The class sizes were put in a second time instead of being taken off.",
                lambda p, n_template, n_data: np.log(p / (1 - p)) + np.log(n_data / n_template),
            ),
            Mistake(
                "This is the ratio of template to data: data belong in the numerator.",
                lambda p, n_template, n_data: np.log((1 - p) / p) + np.log(n_data / n_template),
            ),
            Mistake(
                "This is the ratio; its logarithm is asked for.",
                lambda p, n_template, n_data: p / (1 - p) * n_template / n_data,
            ),
        ),
        hints=(
            "Bayes: the odds of being data are the ratio of the densities times the ratio of the class sizes.",
            "Take the logarithm of the odds p / (1 - p), and take the logarithm of n_data / n_template off.",
            "np.log(probability / (1 - probability)) - np.log(n_data / n_template)",
        ),
    ),
    Exercise(
        name="anomaly.signal_probability",
        reference=signal_probability,
        inputs=_events,
        mistakes=(
            Mistake(
                "Nearly: where the score is very low this is negative. A probability ends at 0.",
                lambda score, fraction: 1 - (1 - fraction) * np.exp(-score),
            ),
            Mistake(
                "The share of background, 1 - f, multiplies its density.",
                lambda score, fraction: np.clip(1 - np.exp(-score), 0, 1),
            ),
            Mistake(
                "This is the probability to be background.",
                lambda score, fraction: np.clip((1 - fraction) * np.exp(-score), 0, 1),
            ),
            Mistake(
                "f multiplies the density of the signal. The background has 1 - f.",
                lambda score, fraction: np.clip(1 - fraction * np.exp(-score), 0, 1),
            ),
        ),
        hints=(
            "An event is signal or background: start with the probability to be background.",
            "P(background | x) = (1 - f) p_background(x) / p_data(x), with the ratio from the score.",
            "np.clip(1 - (1 - fraction) * np.exp(-score), 0, 1)",
        ),
    ),
]
