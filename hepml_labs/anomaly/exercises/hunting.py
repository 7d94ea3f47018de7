"""Exercises of the lab "CWoLa hunting"."""

import numpy as np

from hepml_labs.anomaly.folding import select_in_folds
from hepml_labs.teaching import Exercise, Mistake


def sideband_weights(mass, low, high):
    """Weights with which window and sidebands enter the training.

    Parameters
    ----------
    mass : array, (n,)
        GeV; all events lie in the window or in one of the two sidebands that are used.
    low, high : float
        Edges of the window, GeV.

    Returns
    -------
    array, (n,)
        1 in the window; in each of the two sidebands a constant, with a sum of half the number of events in the window.

    Examples
    --------
    >>> sideband_weights(np.array([3250.0, 3350, 3450, 3550, 3650, 3750, 3760]), 3300, 3700)
    array([2., 1., 1., 1., 1., 1., 1.])
    """
    below, above = mass < low, mass >= high
    half = (~below & ~above).sum() / 2
    return np.where(below, half / below.sum(), np.where(above, half / above.sum(), 1.0))


def cut_in_folds(score, fold, efficiency):
    """Select the share `efficiency` of the events with the highest scores, in each fold for itself.

    Parameters
    ----------
    score : array, (n,)
        No two are equal.
    fold : array of int, (n,)
    efficiency : float
        Its product with the size of each fold is a whole number of at least one.

    Returns
    -------
    array of bool, (n,)

    Examples
    --------
    >>> cut_in_folds(np.array([1.0, 2, 10, 20]), np.array([0, 0, 1, 1]), 0.5)
    array([False,  True, False,  True])
    """
    return select_in_folds(score, fold, efficiency)


def excess(inside, passed, share):
    """Excess of the window among the events that pass a cut, in standard deviations of a binomial.

    Parameters
    ----------
    inside, passed : arrays of bool, (n,)
        Which events lie in the window, and which pass the cut.
    share : float
        Probability of a background event to lie in the window, with or without the cut.

    Returns
    -------
    float

    Examples
    --------
    >>> inside = np.array([True, True, True, True, False])
    >>> excess(inside, np.array([True, True, True, True, False]), 0.5)
    2.0
    """
    number, seen = passed.sum(), (inside & passed).sum()
    return float((seen - number * share) / np.sqrt(number * share * (1 - share)))


def without_trend(feature, mass, sideband):
    """Take off a feature the straight line in the mass that fits it in the sidebands.

    Parameters
    ----------
    feature, mass : arrays, (n,)
        The mass in GeV.
    sideband : array of bool, (n,)
        Events that may be used for the fit.

    Returns
    -------
    array, (n,)
        Of all events; in the sidebands of mean zero and without slope.

    Examples
    --------
    >>> mass = np.array([3000.0, 3500.0, 4000.0])
    >>> without_trend(np.array([3.0, 4.0, 4.0]), mass, np.array([True, False, True])).round(6) + 0.0
    array([0. , 0.5, 0. ])
    """
    slope, offset = np.polyfit(mass[sideband] - 3500, feature[sideband], 1)
    return feature - offset - slope * (mass - 3500)


def _masses(rng):
    below, inside, above = (int(k) for k in rng.integers([30, 20, 5], [40, 30, 12]))
    parts = [rng.uniform(a, b, k) for a, b, k in ((3100, 3300, below), (3300, 3700, inside), (3700, 3900, above))]
    return rng.permutation(np.concatenate(parts)), 3300.0, 3700.0


def _weights_of(per_side=True, total=0.5, window=False):
    def wrong(mass, low, high):
        below, above = mass < low, mass >= high
        inside = ~below & ~above
        if not per_side:
            return np.where(inside, 1.0, inside.sum() / (~inside).sum())
        if window:
            return np.where(inside, (~inside).sum() / inside.sum(), 1.0)
        part = total * inside.sum()
        return np.where(below, part / below.sum(), np.where(above, part / above.sum(), 1.0))

    return wrong


def _folds(rng):
    fold = rng.permutation(np.repeat([0, 1, 2], 20))
    return rng.normal(size=60) * (1 + fold) + 2 * fold, fold, float(rng.choice([0.1, 0.2, 0.3]))


def _tail(score, fold, efficiency, highest=True):
    passed = np.zeros(len(score), bool)
    for k in np.unique(fold):
        rows = np.flatnonzero(fold == k)
        order = rows[np.argsort(-score[rows] if highest else score[rows])]
        passed[order[: round(efficiency * len(rows))]] = True
    return passed


def _top(score, number):
    return score >= np.sort(score)[::-1][number - 1]


def _passing(rng):
    inside, passed = rng.random(400) < 0.4, rng.random(400) < 0.2
    return inside, passed & (inside | (rng.random(400) < 0.6)), float(rng.uniform(0.3, 0.45))


def _binomial(inside, passed, share, variance):
    number, seen = passed.sum(), (inside & passed).sum()
    return float((seen - number * share) / np.sqrt(variance(number, share)))


def _trend(rng):
    mass = rng.uniform(2600, 5000, size=80)
    inside = (mass > 3300) & (mass < 3700)
    return rng.normal(size=80) * 20 + 0.1 * mass + 60 * inside, mass, ~inside


def _line(feature, mass, fitted):
    slope, offset = np.polyfit(mass[fitted] - 3500, feature[fitted], 1)
    return slope, offset


EXERCISES = [
    Exercise(
        name="anomaly.sideband_weights",
        reference=sideband_weights,
        inputs=_masses,
        mistakes=(
            Mistake(
                "All sideband events have one weight now. The spectrum falls, so the lower sideband counts more than "
                "the upper one: give each its own weight.",
                _weights_of(per_side=False),
            ),
            Mistake(
                "Both sidebands *together* should weigh as much as the window; now each does.", _weights_of(total=1)
            ),
            Mistake(
                "The sums are equal, to one. Bring them to half the number of events in the window.",
                lambda mass, low, high: _weights_of(total=1 / ((mass >= low) & (mass < high)).sum())(mass, low, high),
            ),
            Mistake("You weight the window. Its weights are one; the sidebands follow.", _weights_of(window=True)),
        ),
        hints=(
            "Three groups: below, in the window, above. How many events are in each?",
            "A constant w for n events has the sum n w. It should be half the number of events in the window.",
            "half = inside.sum() / 2; then half / below.sum() and half / above.sum(), put in place by np.where.",
        ),
    ),
    Exercise(
        name="anomaly.cut_in_folds",
        reference=cut_in_folds,
        inputs=_folds,
        mistakes=(
            Mistake(
                "One threshold for all folds: the scores of different trainings need not share a scale.",
                lambda score, fold, efficiency: _top(score, round(efficiency * len(score))),
            ),
            Mistake(
                "These are the lowest scores. High is anomalous.",
                lambda score, fold, efficiency: _tail(score, fold, efficiency, highest=False),
            ),
            Mistake(
                "You select all but the share that was asked for.",
                lambda score, fold, efficiency: ~_tail(score, fold, efficiency),
            ),
            Mistake(
                "Only the first fold is cut. Every fold has its own events that pass.",
                lambda score, fold, efficiency: _tail(score, fold, efficiency) & (fold == 0),
            ),
        ),
        hints=(
            "Go through the folds, np.unique(fold), and look at the scores of one of them at a time.",
            "The threshold of a fold is the quantile 1 - efficiency of its scores.",
            "cut = np.quantile(score[fold == k], 1 - efficiency); passed |= (fold == k) & (score > cut).",
        ),
    ),
    Exercise(
        name="anomaly.excess",
        reference=excess,
        inputs=_passing,
        mistakes=(
            Mistake(
                "The variance of a binomial is n f (1 - f): given how many pass, the window cannot have more than all.",
                lambda inside, passed, share: _binomial(inside, passed, share, lambda n, f: n * f),
            ),
            Mistake(
                "The excess is counted in standard deviations: take the root of the variance.",
                lambda inside, passed, share: _binomial(inside, passed, share, lambda n, f: (n * f * (1 - f)) ** 2),
            ),
            Mistake(
                "Look only at the events that pass: you compare the window with all events.",
                lambda inside, passed, share: excess(inside, np.ones_like(passed), share),
            ),
            Mistake(
                "An excess in the window counts positive.",
                lambda inside, passed, share: -excess(inside, passed, share),
            ),
        ),
        hints=(
            "Of n events that pass, how many do you expect in the window, and with which variance?",
            "Mean n f and variance n f (1 - f), with f the share.",
            "(k - n * f) / np.sqrt(n * f * (1 - f)), with k = (inside & passed).sum() and n = passed.sum().",
        ),
    ),
    Exercise(
        name="anomaly.without_trend",
        reference=without_trend,
        inputs=_trend,
        mistakes=(
            Mistake(
                "The window is in the fit. A signal there would pull the line up and hide itself: fit sidebands only.",
                lambda feature, mass, sideband: without_trend(feature, mass, np.ones_like(sideband)),
            ),
            Mistake(
                "You took off the mean only. The slope is what knows the mass.",
                lambda feature, mass, sideband: feature - feature[sideband].mean(),
            ),
            Mistake(
                "The slope is gone, but a constant is left: take off the whole line.",
                lambda feature, mass, sideband: feature - _line(feature, mass, sideband)[0] * mass,
            ),
            Mistake(
                "This is the line itself. Return the feature minus the line.",
                lambda feature, mass, sideband: feature - without_trend(feature, mass, sideband),
            ),
        ),
        hints=(
            "A straight line has two parameters; np.polyfit(x, y, 1) returns slope and offset.",
            "Fit mass[sideband] and feature[sideband], then evaluate the line for all events.",
            "line = np.polyval(np.polyfit(mass[sideband], feature[sideband], 1), mass); return feature - line",
        ),
    ),
]
