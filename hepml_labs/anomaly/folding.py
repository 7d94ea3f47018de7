"""Cross-training: every event is scored by a detector that has not seen it, and cut at its own fold's threshold."""

from typing import NamedTuple

import numpy as np
from sklearn.base import clone

from hepml_labs.anomaly.base import check_events
from hepml_labs.validation import check_between, check_count, check_same_shape, to_numpy

__all__ = ["FoldedScores", "assign_folds", "cross_scores", "select_in_folds"]


def assign_folds(n, folds=5, seed=0):
    """Deal events into folds at random, as evenly as possible.

    Parameters
    ----------
    n : int
        Number of events, at least one for each fold.
    folds : int
        Number of folds, at least two.
    seed : int

    Returns
    -------
    array of int, (n,)
        Fold of each event, from 0 to folds - 1; sizes differ by one at most.

    Raises
    ------
    ValueError
        If a number is out of range.

    Examples
    --------
    >>> np.bincount(assign_folds(11, folds=3)).tolist()
    [4, 4, 3]
    """
    check_count("folds", folds, minimum=2)
    check_count("n", n, minimum=folds)
    return np.random.default_rng(seed).permutation(np.arange(n) % folds)


class FoldedScores(NamedTuple):
    """What cross-training gives for each event of the data.

    Attributes
    ----------
    score : array, (n,)
        By the detector that was fitted to all other folds.
    fold : array of int, (n,)
        Fold of each event.
    detectors : list of AnomalyDetector
        Entry k was fitted to all folds but k.
    """

    score: np.ndarray
    fold: np.ndarray
    detectors: list

    def score_samples(self, features, mass):
        """Mean score of all detectors for *other* events: features (n, d), masses (n,) in GeV."""
        return np.mean([detector.score_samples(features, mass) for detector in self.detectors], axis=0)


def cross_scores(detector, features, mass, regions, folds=5, seed=0):
    """Fit a detector to all folds but one and score that one, for each fold in turn.

    Parameters
    ----------
    detector : AnomalyDetector
        Not fitted; a copy is made for each fold. If it has a parameter `seed`, that of fold k gets seed + 1000 k.
    features : array, (n, d)
        Of the data, without the mass.
    mass : array, (n,)
        GeV.
    regions : hepml_labs.anomaly.regions.Regions
        Signal region and sidebands.
    folds, seed : int
        As in `assign_folds`.

    Returns
    -------
    FoldedScores

    Raises
    ------
    ValueError
        If arrays or options are not as described.

    Notes
    -----
    Collins, Howe and Nachman, arXiv:1902.02634, section 2. A detector that has seen an event of the signal region has
    learned to call *it* anomalous, even where there is only noise to learn; the sidebands have been learned as
    background. So the fraction that passes a cut differs between the two without any signal. No detector here has
    seen the events that it scores. Scores of different detectors need not share a scale: cut with `select_in_folds`.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from hepml_labs.anomaly.base import AnomalyDetector
    >>> class Memory(AnomalyDetector):  # the worst case: learns by heart what it has seen in the window
    ...     def fit(self, features, mass, regions):
    ...         features, mass, inside, _ = self._prepare(features, mass, regions)
    ...         self.seen_ = features[inside, 0]
    ...         return self
    ...
    ...     def score_samples(self, features, mass):
    ...         return np.isin(features[:, 0], self.seen_).astype(float)
    >>> window = SimpleNamespace(inside=lambda m: abs(m - 3500) < 200, sideband=lambda m: abs(m - 3500) >= 200)
    >>> random = np.random.default_rng(1)
    >>> features, mass = random.normal(size=(500, 1)), random.uniform(2500, 4500, 500)
    >>> bool((Memory().fit(features, mass, window).score_samples(features, mass) == window.inside(mass)).all())
    True
    >>> float(cross_scores(Memory(), features, mass, window).score.max())
    0.0
    """
    features, mass = check_events(features, mass)
    fold = assign_folds(len(mass), folds, seed)
    score, detectors = np.empty(len(mass), dtype=features.dtype), []
    for k in range(folds):
        held = fold == k
        copy = clone(detector)
        if "seed" in copy.get_params():
            copy.set_params(seed=copy.seed + 1000 * k)
        detectors.append(copy.fit(features[~held], mass[~held], regions))
        score[held] = copy.score_samples(features[held], mass[held])
    return FoldedScores(score, fold, detectors)


def select_in_folds(score, fold, efficiency, reference=None):
    """Select the most anomalous events of each fold, with a threshold of its own.

    Parameters
    ----------
    score : array, (n,)
        Higher for the more anomalous.
    fold : array of int, (n,)
        Fold of each event.
    efficiency : float
        Share of the reference events of each fold that passes, in (0, 1).
    reference : array of bool, (n,), optional
        Events that set the thresholds, for instance the sidebands; all by default.

    Returns
    -------
    array of bool, (n,)
        Events above the threshold of their fold.

    Raises
    ------
    ValueError
        If shapes differ, or a fold has no reference events.

    Notes
    -----
    The threshold is the score of the event of rank round(efficiency N) among the N reference events of the fold,
    counted from the top, and passed by scores that are larger or equal. Where many scores are equal more pass.

    Examples
    --------
    >>> score = np.array([1.0, 2, 3, 4, 10, 20, 30, 40])  # two folds with scores on different scales
    >>> select_in_folds(score, np.repeat([0, 1], 4), efficiency=0.5).astype(int)
    array([0, 0, 1, 1, 0, 0, 1, 1])
    """
    score = to_numpy("score", score, ("n",))
    fold = to_numpy("fold", fold, ("n",), floating=False)
    reference = np.ones(len(score), bool) if reference is None else to_numpy("reference", reference, floating=False)
    check_same_shape(score=score, fold=fold, reference=reference)
    if reference.dtype != bool:
        raise ValueError(f"reference: found type {reference.dtype}, expected bool")
    check_between("efficiency", efficiency, 0, 1)
    passed = np.zeros(len(score), dtype=bool)
    for k in np.unique(fold):
        ranked = np.sort(score[(fold == k) & reference])[::-1]
        if len(ranked) == 0:
            raise ValueError(f"reference: found no event in fold {k}, expected some in each")
        number = max(1, round(efficiency * len(ranked)))
        passed |= (fold == k) & (score >= ranked[number - 1])
    return passed
