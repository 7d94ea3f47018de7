"""Exercises of the lab "The leaderboard"."""

import numpy as np

from hepml_labs.evaluation import background_rejection
from hepml_labs.teaching import Exercise, Mistake


def rejection_at(label, score, efficiency):
    """Background rejection at a fixed signal efficiency.

    Parameters
    ----------
    label : array, (n,)
        1 for signal, 0 for background.
    score : array, (n,)
        Higher for signal.
    efficiency : float
        Share of the signal that is kept.

    Returns
    -------
    float
        One over the share of the background that is kept with it.

    Examples
    --------
    >>> label = np.array([1, 1, 0, 0, 0, 0])
    >>> rejection_at(label, np.array([0.9, 0.5, 0.7, 0.4, 0.3, 0.1]), 1.0)
    4.0
    """
    return background_rejection(label, score, efficiency).value


def rejection_error(rejection, backgrounds):
    """Statistical error of a background rejection from a finite number of background jets.

    Parameters
    ----------
    rejection : float
        One over the background efficiency.
    backgrounds : int
        Background jets in the test set, kept or not.

    Returns
    -------
    float

    Examples
    --------
    >>> round(float(rejection_error(100.0, 9900)), 6)
    10.0
    """
    return rejection * np.sqrt((rejection - 1) / backgrounds)


def paired_difference(first, second):
    """By how many background jets two taggers differ, and the error of this difference, from the same jets.

    Parameters
    ----------
    first, second : bool array, (n,)
        Whether each background jet passes the cut of the first and of the second tagger.

    Returns
    -------
    difference : float
        Number that passes the first minus number that passes the second.
    error : float
        Its standard deviation.

    Examples
    --------
    >>> paired_difference(np.array([True, True, True, False, False]), np.array([True, False, False, True, False]))
    (1.0, 1.7320508075688772)
    """
    return float(first.sum() - second.sum()), float(np.sqrt((first != second).sum()))


def selection_bias(chosen_on, fresh):
    """By how much the winner of a selection looks better on the jets that it was selected on.

    Parameters
    ----------
    chosen_on : array, (trials, taggers)
        Figure of merit on the jets that the selection uses, the higher the better.
    fresh : array, (trials, taggers)
        The same figure on independent jets.

    Returns
    -------
    float
        Mean over the trials, of the winner's figure on the first jets minus its figure on the second.

    Examples
    --------
    >>> float(selection_bias(np.array([[1.0, 3.0], [5.0, 4.0]]), np.array([[2.0, 2.0], [3.0, 9.0]])))
    1.5
    """
    trial, winner = np.arange(len(chosen_on)), chosen_on.argmax(axis=1)
    return (chosen_on[trial, winner] - fresh[trial, winner]).mean()


def _scores(rng):
    signals, backgrounds = 20, int(rng.integers(180, 220))
    efficiency = float(rng.choice([0.3, 0.4]))
    signal = np.sort(rng.normal(size=signals) + 1)[::-1]
    background = rng.normal(size=backgrounds)
    kept = round(efficiency * signals)
    # no background next to the threshold, where conventions of a quantile differ
    low, high = signal[kept], signal[kept - 2]
    background = np.where((background >= low) & (background <= high), low - 0.5, background)
    background[:5] = high + 0.1 + rng.uniform(size=5)
    order = rng.permutation(signals + backgrounds)
    label = np.concatenate([np.ones(signals, int), np.zeros(backgrounds, int)])[order]
    return label, np.concatenate([signal, background])[order], efficiency


def _kept(label, score, threshold):
    kept = score >= threshold
    return kept[label == 1].mean(), kept[label == 0].mean()


def _cut_on(events, share=lambda efficiency: 1 - efficiency):
    def wrong(label, score, efficiency):
        threshold = np.quantile(score[events(label)], share(efficiency))
        return 1 / max(_kept(label, score, threshold)[1], 1e-9)

    return wrong


def _purity(label, score, efficiency):
    kept = score >= np.quantile(score[label == 1], 1 - efficiency)
    return kept.sum() / (kept & (label == 0)).sum()


def _passes(rng):
    common = rng.uniform(size=400)
    first, second = (common + rng.uniform(0.0, 0.3, size=400) < limit for limit in rng.uniform(0.3, 0.6, size=2))
    first[:3], second[:3] = [True, False, True], [False, True, False]
    return first, second


def _trials(rng):
    taggers = int(rng.integers(4, 7))
    quality = rng.normal(size=taggers)
    chosen_on, fresh = quality + rng.normal(size=(2, 30, taggers))
    return chosen_on, fresh


EXERCISES = [
    Exercise(
        name="top_tagging.rejection_at",
        reference=rejection_at,
        inputs=_scores,
        mistakes=(
            Mistake(
                "Your threshold keeps that share of the background. Find it from the scores of the signal.",
                _cut_on(lambda label: label == 0),
            ),
            Mistake(
                "Your threshold keeps that share of all jets. The efficiency asked for is that of the signal.",
                _cut_on(lambda label: label >= 0),
            ),
            Mistake(
                "The quantile at the efficiency has that share of the signal below it, and it is the jets above that "
                "you keep.",
                _cut_on(lambda label: label == 1, share=lambda efficiency: efficiency),
            ),
            Mistake(
                "This is the background efficiency. The rejection is its inverse.",
                lambda label, score, efficiency: 1 / rejection_at(label, score, efficiency),
            ),
            Mistake(
                "You divide by the number of backgrounds that pass. The rejection compares with all background jets, "
                "not with the jets that pass.",
                _purity,
            ),
        ),
        hints=(
            "First the threshold: the score that a share `efficiency` of the signal exceeds.",
            "np.quantile(score[label == 1], 1 - efficiency) is that threshold.",
            "passing = score[label == 0] >= threshold, and the answer is 1 / passing.mean().",
        ),
    ),
    Exercise(
        name="top_tagging.rejection_error",
        reference=rejection_error,
        inputs=lambda rng: (float(rng.uniform(2, 15)), int(rng.integers(500, 5000))),
        mistakes=(
            Mistake(
                "This is the error for a Poisson count. The number of background jets is fixed and each passes or not: "
                "take the variance of the binomial.",
                lambda rejection, backgrounds: rejection * np.sqrt(rejection / backgrounds),
            ),
            Mistake(
                "This is the error of the background efficiency. Go on to that of its inverse.",
                lambda rejection, backgrounds: np.sqrt((1 - 1 / rejection) / rejection / backgrounds),
            ),
            Mistake(
                "This is the relative error. Multiply by the rejection.",
                lambda rejection, backgrounds: np.sqrt((rejection - 1) / backgrounds),
            ),
            Mistake(
                "One over the error of the efficiency is not the error of one over the efficiency.",
                lambda rejection, backgrounds: 1 / np.sqrt((1 - 1 / rejection) / rejection / backgrounds),
            ),
            Mistake(
                "The root of the number of background jets is missing: more jets, smaller error.",
                lambda rejection, backgrounds: rejection * np.sqrt(rejection - 1),
            ),
        ),
        hints=(
            "The number of background jets that pass is binomial: n jets, probability eps = 1 / rejection each.",
            "The variance of the found efficiency is eps (1 - eps) / n. And |d(1/eps)| = d(eps) / eps².",
            "rejection**2 * np.sqrt(eps * (1 - eps) / n), with eps = 1 / rejection.",
        ),
    ),
    Exercise(
        name="top_tagging.paired_difference",
        reference=paired_difference,
        inputs=_passes,
        mistakes=(
            Mistake(
                "You add the variances of two counts as if they came from different jets. Jets that pass both, or "
                "neither, cannot change the difference.",
                lambda first, second: (
                    float(first.sum() - second.sum()),
                    float(np.sqrt(first.sum() + second.sum())),
                ),
            ),
            Mistake(
                "The sign: first minus second.",
                lambda first, second: (
                    float(second.sum() - first.sum()),
                    float(np.sqrt((first != second).sum())),
                ),
            ),
            Mistake(
                "You count the jets that pass both. Those are the jets on which the two taggers agree.",
                lambda first, second: (
                    float(first.sum() - second.sum()),
                    float(np.sqrt((first & second).sum())),
                ),
            ),
            Mistake(
                "This is the variance. Take the root.",
                lambda first, second: (float(first.sum() - second.sum()), float((first != second).sum())),
            ),
            Mistake(
                "This is the difference of the shares. Count jets.",
                lambda first, second: (
                    float(first.mean() - second.mean()),
                    float(np.sqrt((first != second).sum())),
                ),
            ),
        ),
        hints=(
            "Sort the jets by what happens to them: both pass, neither passes, only the first, only the second.",
            "The difference is (only the first) - (only the second). Two independent counts: their variances add.",
            "difference = first.sum() - second.sum(), and error = np.sqrt((first != second).sum()).",
        ),
    ),
    Exercise(
        name="top_tagging.selection_bias",
        reference=selection_bias,
        inputs=_trials,
        mistakes=(
            Mistake(
                "You take the best tagger of each sample. The winner is chosen once, and then measured again.",
                lambda chosen_on, fresh: (chosen_on.max(axis=1) - fresh.max(axis=1)).mean(),
            ),
            Mistake(
                "You average over all taggers. Only the winner of each trial counts.",
                lambda chosen_on, fresh: (chosen_on - fresh).mean(),
            ),
            Mistake(
                "The other way round: how much better it looks on the jets that it was chosen on.",
                lambda chosen_on, fresh: -selection_bias(chosen_on, fresh),
            ),
            Mistake(
                "You choose on the fresh jets: those are for the honest measurement.",
                lambda chosen_on, fresh: -selection_bias(fresh, chosen_on),
            ),
            Mistake(
                "The winner may be another one in each trial: argmax(axis=1), over the taggers.",
                lambda chosen_on, fresh: (
                    chosen_on[:, chosen_on.mean(0).argmax()] - fresh[:, chosen_on.mean(0).argmax()]
                ).mean(),
            ),
        ),
        hints=(
            "In each trial (row) find the tagger (column) that is best on the jets of the selection.",
            "winner = chosen_on.argmax(axis=1); the entries of one column per row are chosen_on[np.arange(n), winner].",
            "(chosen_on[rows, winner] - fresh[rows, winner]).mean(), with rows = np.arange(len(chosen_on)).",
        ),
    ),
]
