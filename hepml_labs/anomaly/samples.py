"""Samples for anomaly searches: background with a known number of signal events, features and mass apart."""

from typing import NamedTuple

import numpy as np

from hepml_labs.datasets.lhco import FEATURES, features
from hepml_labs.validation import check_count

__all__ = ["FEATURES", "SIGNAL_EVENTS", "Events", "all_events", "inject", "thin", "together"]

FEATURES = FEATURES[1:]
"""Names of the features: all of `hepml_labs.datasets.lhco.FEATURES` but the mass of the dijet."""

SIGNAL_EVENTS = 280
"""Signal events that give S / sqrt(B) = 2.2 in the window of the training set, as in the published one.

About 220 of them lie in the window 3.3 to 3.7 TeV, S/B = 2.2 %; the published set has 772 in 121,352 there, 0.6 %.
"""


class Events(NamedTuple):
    """Events as an anomaly search sees them, and the truth beside them.

    Attributes
    ----------
    features : array of float32, (n, 4)
        Columns `FEATURES`: GeV, GeV, and two ratios.
    mass : array of float32, (n,)
        Invariant mass of the dijet, GeV.
    label : array of int, (n,)
        1 for signal. No detector sees it; bounds and tests do.
    """

    features: np.ndarray
    mass: np.ndarray
    label: np.ndarray

    def select(self, rows):
        """Return the events of an index or a mask.

        Parameters
        ----------
        rows : array of int or bool, slice

        Returns
        -------
        Events
        """
        return Events(*(column[rows] for column in self))


def together(*samples):
    """Return the events of several samples in one.

    Parameters
    ----------
    *samples : Events
        With the same features.

    Returns
    -------
    Events
        In the order given.

    Examples
    --------
    >>> one = Events(np.zeros((2, 4)), np.full(2, 3500.0), np.zeros(2, int))
    >>> len(together(one, one, one).mass)
    6
    """
    return Events(*(np.concatenate(columns) for columns in zip(*samples, strict=True)))


def all_events(data):
    """Return all events of a set, with its own share of signal: for tests and for the supervised bound.

    Parameters
    ----------
    data : mapping with `jets`, `tau` and `signal`
        As from ``load("lhco_dijets", split)``, from whatever source.

    Returns
    -------
    Events

    Raises
    ------
    ValueError
        If a column is missing or has another shape.

    Examples
    --------
    >>> from hepml_labs.datasets import load
    >>> all_events(load("lhco_dijets", "test", n=100)).features.shape
    (100, 4)
    """
    table = features(data)
    if "signal" not in data:
        raise ValueError("data: column 'signal' is missing")
    return Events(table[:, 1:], table[:, 0], np.asarray(data["signal"]).astype(int))


def inject(data, signal=SIGNAL_EVENTS, seed=0, *, with_rest=False):
    """Make the data of a search: all background and a random choice of the signal events.

    Parameters
    ----------
    data : mapping with `jets`, `tau` and `signal`, or Events
        As from ``load("lhco_dijets", split)``, from whatever source.
    signal : int
        Number of signal events at all masses; of those of `lhco_dijets` 79 % lie in the window 3.3 to 3.7 TeV.
    seed : int
        Of the choice. With the same seed the events of a smaller signal are among those of a larger one.
    with_rest : bool
        Return the signal events that were left out as well: what a supervised bound may learn from.

    Returns
    -------
    Events, or (Events, Events)
        In the order of `data`; each event once.

    Raises
    ------
    ValueError
        If there are fewer signal events, or a column is missing or has another shape.

    Examples
    --------
    >>> from hepml_labs.datasets import load
    >>> events, rest = inject(load("lhco_dijets", "test"), signal=100, seed=1, with_rest=True)
    >>> int(events.label.sum()), len(rest.label)
    (100, 1409)
    """
    events = data if isinstance(data, Events) else all_events(data)
    check_count("signal", signal, minimum=0)
    resonances = np.flatnonzero(events.label == 1)
    if signal > len(resonances):
        raise ValueError(f"signal: found {signal}, expected at most {len(resonances)}, the events that there are")
    left_out = np.random.default_rng(seed).permutation(resonances)[signal:]
    kept = np.ones(len(events.label), bool)
    kept[left_out] = False
    found = events.select(kept)
    return (found, events.select(np.sort(left_out))) if with_rest else found


def thin(events, size, seed=0):
    """Keep each event with the same probability: a smaller sample in which no event is there twice.

    A Poisson process that is thinned is again a Poisson process. So each sample is what a shorter run would have
    given, with Poisson counts in all bins. Two samples from the same events share some: their counts have a
    correlation of ``size / len(events)``.

    Parameters
    ----------
    events : Events
    size : int
        Expected number of events; at most those that there are.
    seed : int

    Returns
    -------
    Events
        In the order of `events`.

    Raises
    ------
    ValueError
        If `size` is out of range.

    Examples
    --------
    >>> events = Events(np.zeros((1000, 4)), np.full(1000, 3500.0), np.zeros(1000, int))
    >>> len(thin(events, 100, seed=1).mass)
    92
    """
    check_count("size", size)
    if size > len(events.mass):
        raise ValueError(f"size: found {size}, expected at most {len(events.mass)}, the events that there are")
    return events.select(np.random.default_rng(seed).random(len(events.mass)) < size / len(events.mass))
