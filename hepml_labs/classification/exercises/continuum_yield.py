"""Exercises of the lab "B factory: continuum suppression": what a classifier is worth for a measurement."""

import numpy as np

from hepml_labs.teaching import Exercise, Mistake
from hepml_labs.validation import check_array, check_between


def efficiency_at_rejection(signal_score, background_score, rejection):
    """Share of the signal above the cut that rejects a given share of the background.

    Parameters
    ----------
    signal_score, background_score : array, (n,) and (m,)
        Higher for signal.
    rejection : float
        Share of the background below the cut, in (0, 1).

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the scores are no arrays of one dimension, or `rejection` is not between 0 and 1.

    Examples
    --------
    >>> efficiency_at_rejection(np.array([0.5, 1.5, 2.5, 3.5]), np.array([0.0, 1.0, 2.0]), rejection=0.5)
    0.75
    """
    check_array("signal_score", signal_score, ("n",))
    check_array("background_score", background_score, ("m",))
    check_between("rejection", rejection, 0, 1)
    return float((signal_score > np.quantile(background_score, rejection)).mean())


def yield_significance(signal_efficiency, background_efficiency, signal, background):
    """Signal in units of its own statistical uncertainty, S / sqrt(S + B), after a cut.

    Parameters
    ----------
    signal_efficiency, background_efficiency : float or array
        What the cut keeps, in [0, 1].
    signal, background : float
        Expected events before the cut, above zero.

    Returns
    -------
    float or array
        The inverse of the relative uncertainty of the yield; zero where nothing is kept.

    Raises
    ------
    ValueError
        If `signal` or `background` is not above zero.

    Examples
    --------
    >>> float(yield_significance(0.9, 0.01, signal=100.0, background=1000.0))
    9.0
    """
    check_between("signal", signal, 0, np.inf)
    check_between("background", background, 0, np.inf)
    kept = signal * np.asarray(signal_efficiency)
    total = kept + background * np.asarray(background_efficiency)
    return kept / np.sqrt(np.where(total > 0, total, 1.0))


def _scores(rng):
    return rng.normal(1.5, 1.2, size=171), rng.normal(0, 1, size=240), float(rng.uniform(0.7, 0.95))


def _cut(rng):
    efficiency = np.sort(rng.uniform(0.05, 0.95, size=12))
    return efficiency, efficiency**4, float(rng.uniform(100, 900)), float(rng.uniform(1e3, 1e5))


EXERCISES = [
    Exercise(
        name="classification.efficiency_at_rejection",
        reference=efficiency_at_rejection,
        inputs=_scores,
        mistakes=(
            Mistake(
                "This cut keeps that share of the background; it should reject it.",
                lambda signal, background, rejection: float((signal > np.quantile(background, 1 - rejection)).mean()),
            ),
            Mistake(
                "Your cut is a quantile of the signal. It is the background that fixes the cut here.",
                lambda signal, background, rejection: float((background > np.quantile(signal, rejection)).mean()),
            ),
            Mistake(
                "This is the share of the signal that the cut loses.",
                lambda signal, background, rejection: float((signal <= np.quantile(background, rejection)).mean()),
            ),
            Mistake(
                "You give the number of events; an efficiency is a share.",
                lambda signal, background, rejection: float((signal > np.quantile(background, rejection)).sum()),
            ),
        ),
        hints=(
            "First find the cut: the value below which the given share of the background lies.",
            "np.quantile(background_score, rejection) is that value.",
            "(signal_score > cut).mean()",
        ),
    ),
    Exercise(
        name="classification.yield_significance",
        reference=yield_significance,
        inputs=_cut,
        mistakes=(
            Mistake(
                "S / sqrt(B) compares with the fluctuation of the background alone, and runs away where B is small. "
                "The yield fluctuates with all the events that are kept, S + B.",
                lambda s, b, signal, background: s * signal / np.sqrt(b * background),
            ),
            Mistake(
                "These are efficiencies: multiply each with its number of events first.",
                lambda s, b, signal, background: s / np.sqrt(s + b),
            ),
            Mistake(
                "This is the purity S / (S + B). The statistical fluctuation of a count is its root.",
                lambda s, b, signal, background: s * signal / (s * signal + b * background),
            ),
            Mistake(
                "This is the relative uncertainty; its inverse is asked.",
                lambda s, b, signal, background: np.sqrt(s * signal + b * background) / (s * signal),
            ),
            Mistake(
                "The numerator has all the signal: use what the cut keeps.",
                lambda s, b, signal, background: signal / np.sqrt(s * signal + b * background),
            ),
        ),
        hints=(
            "How many signal and background events does the cut keep?",
            "A count of N events fluctuates by sqrt(N), and N = S + B here.",
            "kept = signal_efficiency * signal; kept / np.sqrt(kept + background_efficiency * background)",
        ),
    ),
]
