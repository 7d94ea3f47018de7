"""Exercises of the lab "Density ratios"."""

import numpy as np
import torch

from hepml_labs.classification.losses import maximum_likelihood, square_root
from hepml_labs.classification.reweighting import effective_sample_size
from hepml_labs.teaching import Exercise, Mistake


def ratio_from_probability(probability, events_0, events_1):
    """Density ratio p1(x)/p0(x) from the output of a classifier that was trained on unequal numbers of events.

    Parameters
    ----------
    probability : array of shape (n,)
        Calibrated probability of class 1, in (0, 1).
    events_0, events_1 : int
        Training events of the two classes (or their sums of weights).

    Returns
    -------
    array of shape (n,)
        p / (1 - p) times events_0 / events_1: Bayes' theorem, solved for the ratio.

    Examples
    --------
    >>> ratio_from_probability(np.array([0.5, 0.75]), events_0=300, events_1=100)
    array([3., 9.])
    """
    return probability / (1 - probability) * events_0 / events_1


def log_ratio_of_leaves(target, original, regularization):
    """Value of each leaf of a reweighting tree, log((W_target + c) / (W_original + c)).

    Parameters
    ----------
    target, original : array of shape (leaves,)
        Sums of weights in each leaf.
    regularization : float
        c, the number of events added to both.

    Returns
    -------
    array of shape (leaves,)

    Examples
    --------
    >>> log_ratio_of_leaves(np.array([3.0]), np.array([1.0]), 1.0)  # log 2
    array([0.69314718])
    """
    return np.log((target + regularization) / (original + regularization))


def _loss_inputs(rng):
    return torch.from_numpy(1.5 * rng.normal(size=9)), torch.from_numpy((rng.permutation(9) < 4).astype(float))


def _probability_inputs(rng):
    return rng.uniform(0.05, 0.95, size=7), int(rng.integers(200, 500)), int(rng.integers(1000, 4000))


def _weight_inputs(rng):
    return (rng.exponential(rng.uniform(0.5, 3), size=12),)


def _leaf_inputs(rng):
    target, original = rng.uniform(0, 40, size=(2, 6))
    target[0] = 0.0
    return target, original, float(rng.uniform(1, 8))


EXERCISES = [
    Exercise(
        name="classification.square_root",
        reference=square_root,
        inputs=_loss_inputs,
        mistakes=(
            Mistake(
                "The labels are exchanged: the numerator, label 1, must pull the ratio up, so its loss falls with f.",
                lambda f, y: torch.exp((y - 0.5) * f).mean(),
            ),
            Mistake(
                "The roots are missing: with w and 1/w the minimum is half of the log ratio.",
                lambda f, y: torch.exp((1 - 2 * y) * f).mean(),
            ),
            Mistake(
                "f is the logarithm of w: take exp(f / 2) for the root of w.",
                lambda f, y: torch.where(y == 1, f.abs() ** -0.5, f.abs() ** 0.5).mean(),
            ),
            Mistake(
                "The loss is a mean over the events, not a sum.",
                lambda f, y: torch.exp((0.5 - y) * f).sum(),
            ),
            Mistake(
                "All events are in your loss twice: each event has one term, chosen by its label.",
                lambda f, y: (torch.exp(0.5 * f) + torch.exp(-0.5 * f)).mean(),
            ),
        ),
        hints=(
            "w = exp(f). What is its root, and what is one over its root, as an exponential?",
            "Label 0 (the denominator) costs exp(f / 2), label 1 (the numerator) exp(-f / 2).",
            "torch.exp((0.5 - label) * log_ratio).mean() does both at once.",
        ),
    ),
    Exercise(
        name="classification.maximum_likelihood",
        reference=maximum_likelihood,
        inputs=_loss_inputs,
        mistakes=(
            Mistake(
                "The labels are exchanged: this learns the inverse ratio.",
                lambda f, y: maximum_likelihood(f, 1 - y),
            ),
            Mistake(
                "Without the second term nothing keeps the ratio normalised: f grows for ever.",
                lambda f, y: (-y * f).mean(),
            ),
            Mistake(
                "The norm is that of the ratio, exp(f), not of its logarithm.",
                lambda f, y: ((1 - y) * f - y * f).mean(),
            ),
            Mistake(
                "The second term is a mean over the denominator only, label 0.",
                lambda f, y: (torch.expm1(f) - y * f).mean(),
            ),
            Mistake(
                "Right up to a constant: with exp(f) - 1 the loss is zero where f is zero, whatever the labels.",
                lambda f, y: ((1 - y) * f.exp() - y * f).mean(),
            ),
        ),
        hints=(
            "Label 1: minus the logarithm of the density ratio. Label 0: what a wrong norm costs.",
            "Label 1 gives -f, label 0 gives exp(f) - 1.",
            "((1 - label) * torch.expm1(log_ratio) - label * log_ratio).mean()",
        ),
    ),
    Exercise(
        name="classification.ratio_from_probability",
        reference=ratio_from_probability,
        inputs=_probability_inputs,
        mistakes=(
            Mistake(
                "This is the ratio of the numbers of events. Take the share of the classes in training out.",
                lambda p, n0, n1: p / (1 - p),
            ),
            Mistake(
                "The share of the classes enters the other way round: many events of class 1 make p large for free.",
                lambda p, n0, n1: p / (1 - p) * n1 / n0,
            ),
            Mistake(
                "This is p0/p1. The ratio has class 1 in the numerator.",
                lambda p, n0, n1: (1 - p) / p * n1 / n0,
            ),
            Mistake(
                "A ratio is asked, not its logarithm.",
                lambda p, n0, n1: np.log(p / (1 - p) * n0 / n1),
            ),
            Mistake(
                "p is n1 p1 / (n0 p0 + n1 p1): one minus p belongs into the denominator.",
                lambda p, n0, n1: p * n0 / n1,
            ),
        ),
        hints=(
            "By Bayes' theorem p = n1 p1 / (n0 p0 + n1 p1).",
            "Then p / (1 - p) = n1 p1 / (n0 p0).",
            "Multiply by events_0 / events_1.",
        ),
    ),
    Exercise(
        name="classification.effective_sample_size",
        reference=effective_sample_size,
        inputs=_weight_inputs,
        mistakes=(
            Mistake("This is upside down.", lambda w: (w**2).sum() / w.sum() ** 2),
            Mistake("The sum of weights is the yield. Its precision depends on their spread.", lambda w: w.sum()),
            Mistake(
                "Square the sum: the answer must not change when all weights are doubled.",
                lambda w: w.sum() / (w**2).sum(),
            ),
            Mistake(
                "This is the relative error of the sum. The number of events is one over its square.",
                lambda w: np.sqrt((w**2).sum()) / w.sum(),
            ),
            Mistake(
                "This is the share of events, between 0 and 1. Their number is asked.",
                lambda w: w.mean() ** 2 / (w**2).mean(),
            ),
        ),
        hints=(
            "The variance of a sum of weights is the sum of their squares.",
            "n events of weight one have the relative error 1/sqrt(n). Which n has the error sqrt(sum w^2) / sum w?",
            "(sum w)^2 / sum w^2",
        ),
    ),
    Exercise(
        name="classification.log_ratio_of_leaves",
        reference=log_ratio_of_leaves,
        inputs=_leaf_inputs,
        mistakes=(
            Mistake(
                "Upside down: this moves the weights away from the target.",
                lambda target, original, c: log_ratio_of_leaves(original, target, c),
            ),
            Mistake(
                "A ratio multiplies weights, but trees add up: take the logarithm.", lambda t, o, c: (t + c) / (o + c)
            ),
            Mistake(
                "One regularization for the whole ratio leaves the logarithm of zero. Add it to both sums.",
                lambda t, o, c: np.log(t / (o + c) + 1e-12),
            ),
            Mistake(
                "This is the mean of +1 and -1 in the leaf: it finds the leaf, the logarithm reweights it.",
                lambda t, o, c: (t - o) / (t + o + 2 * c),
            ),
        ),
        hints=(
            "Inside a leaf the original weights shall be multiplied by the ratio of the two sums.",
            "Scores of trees add up, weights multiply: the leaf holds the logarithm of the factor.",
            "np.log((target + regularization) / (original + regularization))",
        ),
    ),
]
