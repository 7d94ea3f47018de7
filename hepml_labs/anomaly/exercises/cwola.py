"""Exercises of the lab "Classification without labels"."""

import numpy as np

from hepml_labs.anomaly import cwola, dilution, topics
from hepml_labs.teaching import Exercise, Mistake


def mixed_log_ratio(log_ratio, f1, f2):
    """Log ratio of two mixtures, (n,), from log p_S/p_B (n,) and the shares f1 > f2 of signal.

    Examples
    --------
    >>> mixed_log_ratio(np.log([1.0, 2.0]), 0.8, 0.2).round(4)
    array([0.    , 0.4055])
    """
    return cwola.mixed_log_ratio(log_ratio, (f1, f2))


def information_share(log_ratio, f1, f2):
    """Share of the information on log p_S/p_B, (n,), that mixtures keep; log_ratio (n,), shares f1 > f2 of signal.

    Examples
    --------
    >>> information_share(np.array([0.0]), 0.7, 0.3).round(4)
    array([0.16])
    """
    return dilution.information_share(log_ratio, (f1, f2))


def unmixed_efficiencies(first, second, f1, f2):
    """Efficiencies (signal, background), each (k,), from those of two mixtures with shares f1 > f2 of signal.

    Examples
    --------
    >>> [x.round(4).tolist() for x in unmixed_efficiencies(np.array([0.68]), np.array([0.32]), 0.8, 0.2)]
    [[0.8], [0.2]]
    """
    found = topics.unmix(first, second, (f1, f2))
    return found.signal, found.background


def topic_fractions(k12, k21):
    """Shares (f1, f2) of signal in two mixtures from the smallest ratios of first to second and second to first.

    Examples
    --------
    >>> [round(f, 4) for f in topic_fractions(0.25, 0.25)]
    [0.8, 0.2]
    """
    return topics.topic_fractions((k12, k21))


def _two_fractions(rng):
    f2 = rng.uniform(0.1, 0.4)
    return float(f2 + rng.uniform(0.15, 0.4)), float(f2)


def _ratio_inputs(rng):
    return rng.normal(size=9) * 2, *_two_fractions(rng)


def _efficiency_inputs(rng):
    f1, f2 = _two_fractions(rng)
    signal, background = np.sort(rng.uniform(0.05, 0.95, size=(2, 6)), axis=0)[::-1]
    return f1 * signal + (1 - f1) * background, f2 * signal + (1 - f2) * background, f1, f2


def _kappa_inputs(rng):
    f1, f2 = _two_fractions(rng)
    return (1 - f1) / (1 - f2), f2 / f1


def _share_with(numerator, denominator):
    """Build a wrong share of information from two functions of L, A1 and A2."""

    def wrong(log_ratio, f1, f2):
        L = np.exp(log_ratio)
        A1, A2 = f1 * L + 1 - f1, f2 * L + 1 - f2
        return numerator(L, A1, A2, f1 - f2) / denominator(L, A1, A2, f1 - f2)

    return wrong


EXERCISES = [
    Exercise(
        name="anomaly.mixed_log_ratio",
        reference=mixed_log_ratio,
        inputs=_ratio_inputs,
        mistakes=(
            Mistake(
                "The two mixtures are swapped: the first one, with more signal, belongs into the numerator.",
                lambda log_ratio, f1, f2: -mixed_log_ratio(log_ratio, f1, f2),
            ),
            Mistake(
                "This is the ratio itself; its logarithm is asked.",
                lambda log_ratio, f1, f2: np.exp(mixed_log_ratio(log_ratio, f1, f2)),
            ),
            Mistake(
                "You put log L where L belongs. Exponentiate first.",
                lambda x, f1, f2: np.log(np.abs((f1 * x + 1 - f1) / (f2 * x + 1 - f2))),
            ),
            Mistake(
                "The background is missing in both mixtures: each holds 1 - f of it.",
                lambda x, f1, f2: np.log(f1 / f2) + 0 * x,
            ),
            Mistake(
                "Logarithms do not mix linearly: form the sum of the densities, then take its logarithm.",
                lambda x, f1, f2: (f1 - f2) * x,
            ),
        ),
        hints=(
            "Divide both densities by p_B. What is p_M1 / p_B in terms of L = p_S / p_B?",
            "p_Mk / p_B = f_k L + 1 - f_k. The ratio of the mixtures is the ratio of these two.",
            "L = np.exp(log_ratio); np.log((f1 * L + 1 - f1) / (f2 * L + 1 - f2))",
        ),
    ),
    Exercise(
        name="anomaly.information_share",
        reference=information_share,
        inputs=_ratio_inputs,
        mistakes=(
            Mistake(
                "This is the share at L = 1 only. Away from there more is lost.",
                lambda x, f1, f2: (f1 - f2) ** 2 + 0 * x,
            ),
            Mistake(
                "The slope enters a variance by its square.",
                _share_with(lambda L, a, b, d: d * (1 + L), lambda L, a, b, d: a + b),
            ),
            Mistake(
                "This is the information of the mixtures on log L, for each event of background. Divide it by that of "
                "pure samples, L / (1 + L).",
                _share_with(lambda L, a, b, d: (d * L) ** 2, lambda L, a, b, d: a * b * (a + b)),
            ),
            Mistake(
                "The share is turned over: mixtures know less than labels do.",
                lambda x, f1, f2: 1 / information_share(x, f1, f2),
            ),
            Mistake(
                "The slope must be that of log L_M by log L: d L_M / d L misses a factor L / L_M.",
                _share_with(lambda L, a, b, d: (d / b**2) ** 2 * a * b * (1 + L), lambda L, a, b, d: (a + b) * L),
            ),
        ),
        hints=(
            "With A_k = f_k L + 1 - f_k: the variance of log L_M in a cell is proportional to 1/A1 + 1/A2, and "
            "that of log L from pure samples to 1/L + 1.",
            "d log L_M / d log L = (f1 - f2) L / (A1 A2). A variance is divided by the square of the slope.",
            "(1 / L + 1) * slope**2 / (1 / A1 + 1 / A2)",
        ),
    ),
    Exercise(
        name="anomaly.unmixed_efficiencies",
        reference=unmixed_efficiencies,
        inputs=_efficiency_inputs,
        mistakes=(
            Mistake(
                "Signal and background are swapped in what you return.",
                lambda e1, e2, f1, f2: unmixed_efficiencies(e1, e2, f1, f2)[::-1],
            ),
            Mistake(
                "The determinant f1 - f2 is missing.",
                lambda e1, e2, f1, f2: ((1 - f2) * e1 - (1 - f1) * e2, f1 * e2 - f2 * e1),
            ),
            Mistake(
                "You multiply by the matrix of the fractions. It has to be inverted.",
                lambda e1, e2, f1, f2: (f1 * e1 + (1 - f1) * e2, f2 * e1 + (1 - f2) * e2),
            ),
            Mistake(
                "Each mixture is taken as pure: its efficiency is not that of its main component.",
                lambda e1, e2, f1, f2: (e1, e2),
            ),
            Mistake(
                "Dividing by the fraction forgets the background in the mixture.",
                lambda e1, e2, f1, f2: (e1 / f1, e2 / (1 - f2)),
            ),
        ),
        hints=(
            "A share of the first mixture f1 is signal. Which share of it passes the cut?",
            "e1 = f1 eS + (1 - f1) eB and e2 = f2 eS + (1 - f2) eB: two equations, two unknowns.",
            "eS = ((1 - f2) e1 - (1 - f1) e2) / (f1 - f2), and eB = (f1 e2 - f2 e1) / (f1 - f2).",
        ),
    ),
    Exercise(
        name="anomaly.topic_fractions",
        reference=topic_fractions,
        inputs=_kappa_inputs,
        mistakes=(
            Mistake(
                "1 - k12 is the share of the first mixture that the second cannot explain: f1 only if f2 is zero.",
                lambda k12, k21: (1 - k12, 1 - k21),
            ),
            Mistake("The order is turned: f1, the larger one, comes first.", lambda a, b: topic_fractions(a, b)[::-1]),
            Mistake("These are the shares of background.", lambda a, b: tuple(1 - f for f in topic_fractions(a, b))),
            Mistake(
                "f1 is right. At the signal's anchor p_M2 / p_M1 = f2 / f1 = k21: multiply, do not divide.",
                lambda a, b: (topic_fractions(a, b)[0], topic_fractions(a, b)[0] / b),
            ),
            Mistake(
                "In 1 - f1 = k12 (1 - f2) put f2 = k21 f1, with a minus sign from both sides.",
                lambda a, b: ((1 - a) / (1 + a * b), b * (1 - a) / (1 + a * b)),
            ),
        ),
        hints=(
            "Where there is no signal the mixtures are in the ratio (1 - f1)/(1 - f2); where there is no background?",
            "k12 = (1 - f1)/(1 - f2) and k21 = f2/f1. Insert f2 = k21 f1 into the first and solve for f1.",
            "f1 = (1 - k12) / (1 - k12 * k21), then f2 = k21 * f1",
        ),
    ),
]
