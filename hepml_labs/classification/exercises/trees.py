"""Exercises of the lab "Trees that found the Higgs"."""

import numpy as np

from hepml_labs.teaching import Exercise, Mistake


def gini(label, weight):
    """Gini impurity of a node, 2 p (1 - p) with p the share of the signal in the weight.

    It is the probability that two events, drawn by their weights, are of different classes.

    Parameters
    ----------
    label : array, (n,)
        1 for signal, 0 for background.
    weight : array, (n,)
        Above zero.

    Returns
    -------
    float
        From 0 (pure) to 1/2 (half and half).

    Examples
    --------
    >>> gini(np.array([1, 0, 0]), np.array([2.0, 1.0, 1.0]))
    0.5
    """
    purity = np.average(label, weights=weight)
    return float(2 * purity * (1 - purity))


def leaf_value(gradient, hessian, l2):
    """Value of a leaf that lowers a loss most, to second order: Chen and Guestrin, arXiv:1603.02754, eq. 5.

    Parameters
    ----------
    gradient, hessian : array, (n,)
        First and second derivatives of the loss of the events in the leaf.
    l2 : float
        Strength of the regularisation.

    Returns
    -------
    float
        -G / (H + l2), G and H the sums.

    Examples
    --------
    >>> leaf_value(np.array([-1.0, -3.0]), np.array([1.0, 2.0]), 1.0)
    1.0
    """
    return float(-np.sum(gradient) / (np.sum(hessian) + l2))


def split_gain(gradient, hessian, left, l2):
    """By how much a split lowers the loss, to second order: Chen and Guestrin, arXiv:1603.02754, eq. 7.

    Parameters
    ----------
    gradient, hessian : array, (n,)
        First and second derivatives of the loss of the events in the node.
    left : bool array, (n,)
        Events that go to the left.
    l2 : float
        Strength of the regularisation.

    Returns
    -------
    float
        Half of G_L^2 / (H_L + l2) + G_R^2 / (H_R + l2) - G^2 / (H + l2).

    Examples
    --------
    >>> split_gain(np.array([-2.0, 2.0]), np.ones(2), np.array([True, False]), 1.0)
    2.0
    """
    return _gain(gradient, hessian, left, l2)


def adaboost_step(label, prediction, weight):
    """Vote of a tree and weights of the events for the next one, AdaBoost for two classes.

    Parameters
    ----------
    label, prediction : array, (n,)
        1 for signal, 0 for background.
    weight : array, (n,)
        Above zero.

    Returns
    -------
    alpha : float
        log((1 - error) / error) with the weighted share of wrong events.
    weight : array, (n,)
        Those of wrong events times exp(alpha), then all normalised to a sum of one.

    Examples
    --------
    >>> alpha, weight = adaboost_step(np.array([1, 1, 0, 0]), np.array([1, 0, 0, 0]), np.ones(4))
    >>> round(alpha, 3), weight.round(3).tolist()
    (1.099, [0.167, 0.5, 0.167, 0.167])
    """
    return _boost(label, prediction, weight)


def _entropy(label, weight):
    purity = np.average(label, weights=weight)
    return float(-np.average(np.log(np.where(label == 1, purity, 1 - purity)), weights=weight))


def _gain(gradient, hessian, left, l2, factor=0.5, root=True, power=2, in_denominator=True):
    def score(rows):
        below = hessian[rows].sum() + l2 if in_denominator else rows.sum() + l2
        return np.abs(gradient[rows].sum()) ** power / below

    gain = score(left) + score(~left) - root * score(np.ones(len(left), bool))
    return float(factor * gain)


def _boost(label, prediction, weight, factor=1.0, wrong_is=True, normalise=True, weighted=True):
    wrong = label != prediction
    error = np.average(wrong, weights=weight if weighted else None)
    alpha = factor * np.log((1 - error) / error)
    weight = weight * np.exp(alpha * (wrong == wrong_is))
    return float(alpha), weight / weight.sum() if normalise else weight


def _node(rng):
    return np.append(rng.integers(0, 2, 10), [0, 1]), rng.uniform(0.2, 3, 12)


def _derivatives(rng):
    return rng.normal(1, 1, 14), rng.uniform(0.05, 0.25, 14), float(rng.uniform(0.5, 2))


def _split(rng):
    gradient, hessian, l2 = _derivatives(rng)
    left = rng.permutation(14) < rng.integers(4, 11)
    return gradient, hessian, left, l2


def _round(rng):
    label = rng.integers(0, 2, 15)
    prediction = np.where(rng.permutation(15) < rng.integers(3, 6), 1 - label, label)
    return label, prediction, rng.uniform(0.5, 1.5, 15)


EXERCISES = [
    Exercise(
        name="classification.gini",
        reference=gini,
        inputs=_node,
        mistakes=(
            Mistake(
                "Your purity counts events. Simulated events have weights: sum those.",
                lambda label, weight: 2 * np.mean(label) * (1 - np.mean(label)),
            ),
            Mistake(
                "A factor of two: two events differ as (signal, background) or as (background, signal).",
                lambda label, weight: gini(label, weight) / 2,
            ),
            Mistake(
                "This is the purity. An impurity is zero for pure signal and for pure background.",
                lambda label, weight: np.average(label, weights=weight),
            ),
            Mistake(
                "This is the entropy: a cousin of the Gini impurity, with logarithms.",
                _entropy,
            ),
        ),
        hints=(
            "What share p of the weight in this node is signal?",
            "Draw two events. With which probability is one of them signal and the other background?",
            "p = (weight * label).sum() / weight.sum(), then 2 p (1 - p)",
        ),
    ),
    Exercise(
        name="classification.split_gain",
        reference=split_gain,
        inputs=_split,
        mistakes=(
            Mistake(
                "A factor of one half is missing: at its minimum a parabola lies G^2 / (2 (H + l2)) below zero.",
                lambda gradient, hessian, left, l2: _gain(gradient, hessian, left, l2, factor=1.0),
            ),
            Mistake(
                "You have the score of the two children. The gain is what they add to that of the parent.",
                lambda gradient, hessian, left, l2: _gain(gradient, hessian, left, l2, root=False),
            ),
            Mistake(
                "The sign is turned: a split that lowers the loss has a positive gain.",
                lambda gradient, hessian, left, l2: _gain(gradient, hessian, left, l2, factor=-0.5),
            ),
            Mistake(
                "The sum of the gradients has to be squared.",
                lambda gradient, hessian, left, l2: _gain(gradient, hessian, left, l2, power=1),
            ),
            Mistake(
                "Divide by the sum of the hessians. The number of events is right for squared errors only.",
                lambda gradient, hessian, left, l2: _gain(gradient, hessian, left, l2, in_denominator=False),
            ),
            Mistake(
                "The regularisation is missing from your denominators.",
                lambda gradient, hessian, left, l2: _gain(gradient, hessian, left, 0.0),
            ),
        ),
        hints=(
            "Write a function for the score of a set of events, G^2 / (H + l2), and call it three times.",
            "Left and right, minus all of them together. `~left` is the other side.",
            "0.5 * (score(left) + score(~left) - score(everything))",
        ),
    ),
    Exercise(
        name="classification.leaf_value",
        reference=leaf_value,
        inputs=_derivatives,
        mistakes=(
            Mistake(
                "The sign is turned: step against the gradient.",
                lambda gradient, hessian, l2: gradient.sum() / (hessian.sum() + l2),
            ),
            Mistake(
                "The regularisation is missing: l2 joins the sum of the hessians.",
                lambda gradient, hessian, l2: -gradient.sum() / hessian.sum(),
            ),
            Mistake(
                "This is the mean of the single steps. One value serves all events: divide sum by sum.",
                lambda gradient, hessian, l2: -np.mean(gradient / (hessian + l2)),
            ),
            Mistake(
                "You divide by the number of events (gradient descent). A Newton step divides by the curvature.",
                lambda gradient, hessian, l2: -gradient.sum() / (len(gradient) + l2),
            ),
            Mistake(
                "l2 is counted once for the leaf, not once for each event.",
                lambda gradient, hessian, l2: -gradient.sum() / (hessian + l2).sum(),
            ),
        ),
        hints=(
            "With the value w in the leaf the loss changes by G w + (H + l2) w^2 / 2. Where is the minimum?",
            "Set the derivative to zero: G + (H + l2) w = 0.",
            "-gradient.sum() / (hessian.sum() + l2)",
        ),
    ),
    Exercise(
        name="classification.adaboost_step",
        reference=adaboost_step,
        inputs=_round,
        mistakes=(
            Mistake(
                "The right events grew. Boosting looks harder at the wrong ones.",
                lambda label, prediction, weight: _boost(label, prediction, weight, wrong_is=False),
            ),
            Mistake(
                "The weights have to sum to one.",
                lambda label, prediction, weight: _boost(label, prediction, weight, normalise=False),
            ),
            Mistake(
                "Half of this is the vote when right events shrink as well; here only wrong ones grow.",
                lambda label, prediction, weight: _boost(label, prediction, weight, factor=0.5),
            ),
            Mistake(
                "The error is a share of the weight, not of the number of events.",
                lambda label, prediction, weight: _boost(label, prediction, weight, weighted=False),
            ),
            Mistake(
                "The vote has the wrong sign: a tree that is right more often than not should have a positive one.",
                lambda label, prediction, weight: _boost(label, prediction, weight, factor=-1.0),
            ),
        ),
        hints=(
            "First the weighted share of wrong events, then its vote, then the new weights.",
            "alpha = log((1 - error) / error); a wrong event's weight grows by exp(alpha).",
            "weight * np.exp(alpha * (label != prediction)), divided by its sum",
        ),
    ),
]
