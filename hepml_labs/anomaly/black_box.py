"""A black box: events with a signal of unknown mass and strength, or none, and a seal that is broken once.

In the LHC Olympics :cite:`kasieczka2021lhco` the groups were handed samples without labels, one of which held no signal
at all. They answered with a p-value, a mass and a number of events, and only then the boxes were opened.
"""

from typing import NamedTuple

import numpy as np

from hepml_labs.anomaly.samples import all_events, together
from hepml_labs.datasets import load
from hepml_labs.datasets.lhco import TRIGGER_PT
from hepml_labs.validation import check_between, check_count

__all__ = ["Box", "Verdict", "move_resonance", "open_box", "seal"]

SIZE = 20_000  # background events in a box, on average
EMPTY_SHARE = 1 / 3  # of the boxes
STRENGTHS = (1.0, 4.0)  # S / sqrt(B) around the resonance, where there is one
FACTORS = (0.9, 1.2)  # of all masses: resonances of 3.15 to 4.2 TeV
LEVEL = 0.68  # of the interval that is asked for


class Verdict(NamedTuple):
    """What was in the box, and what the answer is worth.

    Attributes
    ----------
    signal : int
        Number of signal events in the box.
    mass : float
        Median mass of the signal events, GeV; NaN without any.
    detection : float
        Brier score (probability - truth)^2: 0 for sure and right, 0.25 for a shrug, 1 for sure and wrong.
    mass_off : float
        Distance of the mass named to that of the signal, GeV; NaN without signal, or without a mass named.
    interval : float
        Score of the interval for the number of events: its width, and 2 / (1 - 0.68) times the distance by which it
        misses. Its expectation is lowest for the honest central interval.
    covered : bool
        Whether the interval holds the truth.
    """

    signal: int
    mass: float
    detection: float
    mass_off: float
    interval: float
    covered: bool


class Box:
    """Events without labels. What is in them is under seal until an answer is given.

    Parameters
    ----------
    events : Events
        With labels, which go under the seal.

    Attributes
    ----------
    features : array, (n, d)
    mass : array, (n,)
        GeV.
    """

    def __init__(self, events):
        self.features, self.mass = events.features, events.mass
        self._label = events.label

    def __len__(self):
        return len(self.mass)

    def __repr__(self):
        return f"Box({len(self):,} events, sealed)"

    def unseal(self, probability, interval, mass=None):
        """Give the answer, and see the truth.

        Parameters
        ----------
        probability : float
            That there is a signal in the box, in [0, 1].
        interval : (float, float)
            Central 68 % interval for the number of signal events.
        mass : float, optional
            Of the resonance, GeV; None for no claim.

        Returns
        -------
        Verdict

        Raises
        ------
        ValueError
            If the probability or the mass is out of range, or the interval is not one of numbers of at least zero.

        Notes
        -----
        Scores for probability and interval are proper: G. W. Brier, Monthly Weather Review 78 (1950) 1, and
        T. Gneiting and A. E. Raftery, JASA 102 (2007) 359, eq. 43.

        Examples
        --------
        >>> from hepml_labs.anomaly.samples import Events
        >>> box = Box(Events(np.zeros((4, 1)), np.full(4, 3500.0), np.array([0, 1, 1, 1])))
        >>> verdict = box.unseal(probability=0.9, interval=(1, 2), mass=3600.0)
        >>> verdict.signal, round(verdict.detection, 2), verdict.mass_off, round(verdict.interval, 2), verdict.covered
        (3, 0.01, 100.0, 7.25, False)
        """
        check_between("probability", probability, 0, 1, include_low=True, include_high=True)
        low, high = interval
        if not 0 <= low <= high < np.inf:
            raise ValueError(f"interval: found {interval}, expected two numbers of at least zero, in order")
        truth = int(self._label.sum())
        centre = float(np.median(self.mass[self._label == 1])) if truth else np.nan
        off = np.nan
        if mass is not None:
            check_between("mass", mass, 0, np.inf)
            off = abs(mass - centre)
        miss = max(low - truth, truth - high, 0)
        detection = (probability - (truth > 0)) ** 2
        return Verdict(truth, centre, detection, off, high - low + 2 / (1 - LEVEL) * miss, low <= truth <= high)


def move_resonance(data, factor):
    r"""Signal events as a resonance of another mass would give them: all momenta times a factor.

    Parameters
    ----------
    data : mapping with `jets`, `tau` and `signal`
        As from ``load("lhco_dijets", split)``.
    factor : float
        New mass over old, for the resonance and its daughters alike.

    Returns
    -------
    Events
        The signal events that pass the trigger with their new momenta.

    Raises
    ------
    ValueError
        If the factor is not above zero, or a column is missing or has another shape.

    Notes
    -----
    Dimensional analysis: with all masses multiplied by the factor the decays have the same boosts and angles, so that
    momenta grow with it and ratios such as tau_21 stay. The scale of QCD and the steps of the detector do not grow;
    a resonance of 4.2 TeV generated with daughters of 600 and 120 GeV agrees with the factor 1.2 in all five features
    (300 events, p-values of KS tests from 0.08 to 0.66). For factors above one those events are missing that would
    pass the trigger only with their new momenta.

    Examples
    --------
    >>> data = load("lhco_dijets", "validation")
    >>> [int(np.median(move_resonance(data, factor).mass).round(-2)) for factor in (0.9, 1.0, 1.2)]
    [3100, 3400, 4100]
    """
    check_between("factor", factor, 0, np.inf)
    kept = np.asarray(data["signal"]) == 1
    jets = factor * np.asarray(data["jets"])[kept]
    passed = np.hypot(jets[:, 0, 1], jets[:, 0, 2]) > TRIGGER_PT
    return all_events({"jets": jets[passed], **{name: data[name][kept][passed] for name in ("tau", "signal")}})


def seal(background, signal, seed):
    """Make a box of other events: a signal of another kind, say, for somebody else to find.

    Parameters
    ----------
    background : Events
        From which a random part, some `SIZE` events, is taken.
    signal : Events
        Signal of one kind.
    seed : int
        Decides on everything, also on whether there is any signal.

    Returns
    -------
    Box
        In random order.

    Raises
    ------
    ValueError
        If there are too few events, or the seed is no whole number.

    Examples
    --------
    Daughters of other masses, with the packages of the extra ``generate`` (a minute)::

        from hepml_labs.datasets.lhco import generate
        other = generate(500, seed=7, signal_share=1.0, resonance_mass=4200.0, daughter_masses=(300.0, 200.0))
        box = seal(background, all_events(other), seed=11)
    """
    check_count("seed", seed, minimum=0)
    random = np.random.default_rng([seed, 20_101])
    if len(background.mass) < 1.2 * SIZE:
        raise ValueError(f"background: found {len(background.mass)} events, expected at least {1.2 * SIZE:.0f}")
    background = background.select(random.random(len(background.mass)) < SIZE / len(background.mass))
    number = 0
    if random.random() > EMPTY_SHARE:
        low, high = np.quantile(signal.mass, [0.1, 0.9])
        beside = ((background.mass > low) & (background.mass < high)).sum()
        number = random.poisson(random.uniform(*STRENGTHS) * np.sqrt(beside) / 0.8)
    if number > len(signal.mass):
        raise ValueError(f"signal: found {len(signal.mass)} events, expected at least {number}")
    signal = signal.select(random.permutation(len(signal.mass))[:number])
    mixed = together(background, signal)
    return Box(mixed.select(random.permutation(len(mixed.mass))))


def open_box(seed):
    """Return the box of a number: dijets with a resonance of unknown mass and strength, or without one.

    Parameters
    ----------
    seed : int
        Number of the box. A third of all boxes are empty.

    Returns
    -------
    Box
        Some 20,000 events of the validation and test samples of `lhco_dijets`, which no detector is trained on
        elsewhere. Where there is a resonance its mass is between 3.15 and 4.2 TeV (see `move_resonance`), and
        S / sqrt(B) around it between 1 and 4: the published set has 2.2, with some 45 times as many background events
        in its window.

    Raises
    ------
    ValueError
        If the seed is no whole number of at least zero.

    Examples
    --------
    >>> open_box(1)
    Box(20,069 events, sealed)
    """
    check_count("seed", seed, minimum=0)
    factor = np.random.default_rng([seed, 20_102]).uniform(*FACTORS)
    parts = [load("lhco_dijets", split) for split in ("validation", "test")]
    background, signal = (
        together(*kind)
        for kind in ([all_events(part) for part in parts], [move_resonance(part, factor) for part in parts])
    )
    return seal(background.select(background.label == 0), signal, seed)
