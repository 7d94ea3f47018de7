"""The classifier two-sample test: can a classifier tell two samples apart?"""

from typing import NamedTuple

import numpy as np
from scipy.stats import norm

from hepml_labs.evaluation.auc import area_under_curve, placements
from hepml_labs.validation import check_count, to_numpy

__all__ = ["TwoSampleTest", "classifier_two_sample_test"]


class TwoSampleTest(NamedTuple):
    """Outcome of a classifier two-sample test.

    Attributes
    ----------
    auc, error : float
        Area under the ROC curve on events that the classifier has not seen, and its standard deviation; 0.5 for equal
        samples.
    p_value : float
        Probability of an area at least this large if both samples come from one distribution.
    score : array, (n_first + n_second,)
        Out-of-fold probability of each event to belong to the first sample, first sample first. At a high score (or
        a low one) lie the events in which the samples differ.
    """

    auc: float
    error: float
    p_value: float
    score: np.ndarray


def classifier_two_sample_test(first, second, first_weight=None, second_weight=None, classifier=None, folds=5, seed=0):
    """Test whether two samples come from one distribution, by training a classifier to separate them.

    Parameters
    ----------
    first, second : array, (n_first, d) and (n_second, d)
        Events of the two samples.
    first_weight, second_weight : array, (n_first,) and (n_second,), optional
        Weights of the events, of at least zero: then the test is of the weighted distributions, whatever the sums.
    classifier : scikit-learn classifier, optional
        With ``fit`` (``sample_weight`` if weights are given) and ``predict_proba``; boosted trees by default.
        A test finds only what its classifier can learn.
    folds : int
        Number of parts, at least 3.
    seed : int
        For the assignment to folds and the default classifier.

    Returns
    -------
    TwoSampleTest
        ``auc``, ``error``, ``p_value``, ``score``.

    Raises
    ------
    ValueError
        If an array has the wrong shape or entries that are not finite, a weight is negative, or a sample has fewer
        than ten events of non-zero weight per fold.

    Notes
    -----
    The test of Lopez-Paz and Oquab, arXiv:1610.06545, with the area in place of the accuracy and cross-fitting in
    place of a split. Usual cross-fitting invalidates its own error: if fold 1 is judged by a classifier from fold 2
    and fold 2 by one from fold 1, then a chance difference that both share raises both areas, and their mean has up to
    twice the variance of independent folds. Here fold i is judged by a classifier from the (folds - 1) // 2 folds that
    follow it in a ring, so of two folds at most one has trained the judge of the other. Given all other folds, an area
    has the mean 0.5 if the samples are alike; hence the areas are uncorrelated and their variances add exactly,
    whatever the classifier.

    The p-value uses the variance *under the null hypothesis*, that of placements in the union of both samples. The
    variance found, ``error``, vanishes for perfect separation.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> first, second = random.normal(size=(2, 1_000, 3))
    >>> same = classifier_two_sample_test(first, second)
    >>> wider = classifier_two_sample_test(first, 1.3 * second)
    >>> same.p_value > 0.01, wider.p_value < 1e-4
    (True, True)
    """
    from sklearn.base import clone  # heavy: only those who test pay for it

    samples, weights = [], []
    for name, events, weight in (("first", first, first_weight), ("second", second, second_weight)):
        events = to_numpy(name, events, ("n", "d"))
        weights.append(_equal_total(f"{name}_weight", weight, len(events)))
        samples.append(events)
    if samples[0].shape[1] != samples[1].shape[1]:
        raise ValueError(f"second: found {samples[1].shape[1]} columns, expected {samples[0].shape[1]} like first")
    check_count("folds", folds, minimum=3)
    for name, weight in zip(("first", "second"), weights, strict=True):
        if np.count_nonzero(weight) < 10 * folds:
            found = f"{np.count_nonzero(weight)} events of non-zero weight"
            raise ValueError(f"{name}: found {found}, expected at least 10 for each of {folds} folds")
    events, weight = np.concatenate(samples), np.concatenate(weights)
    label = np.repeat([1, 0], [len(sample) for sample in samples])
    weighted = first_weight is not None or second_weight is not None

    random = np.random.default_rng(seed)
    fold = np.concatenate([random.permutation(len(sample)) % folds for sample in samples])
    score = np.empty(len(label))
    areas, errors, null_errors = [], [], []
    for part in range(folds):
        judged = fold == part
        trained = np.isin((fold - part) % folds, np.arange(1, (folds - 1) // 2 + 1))
        judge = _default_classifier(seed) if classifier is None else clone(classifier)
        judge.fit(events[trained], label[trained], **({"sample_weight": weight[trained]} if weighted else {}))
        score[judged] = judge.predict_proba(events[judged])[:, 1]
        area = area_under_curve(label[judged], score[judged], weight[judged])
        areas.append(area.value)
        errors.append(area.error)
        null_errors.append(_null_error(label[judged] == 1, score[judged], weight[judged]))
    auc = np.mean(areas)
    deviations = (auc - 0.5) / (np.linalg.norm(null_errors) / folds) if any(null_errors) else 0.0
    return TwoSampleTest(float(auc), float(np.linalg.norm(errors) / folds), float(norm.sf(deviations)), score)


def _equal_total(name, weight, count):
    """Return weights with a mean of one, or raise a ValueError."""
    if weight is None:
        return np.ones(count)
    weight = to_numpy(name, weight, (count,), floating=False).astype(np.float64)
    if weight.min() < 0 or not weight.any():
        raise ValueError(
            f"{name}: found a range of {weight.min():.4g} to {weight.max():.4g}, expected weights above zero"
        )
    return weight / weight.mean()


def _default_classifier(seed):
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(random_state=seed)


def _null_error(signal, score, weight):
    """Return the standard deviation of the area if both classes have one distribution, by placements in their union."""
    place = placements(signal, score, weight)
    distance = (place.signal_below + place.background_below - 1) / 2
    return np.sqrt((place.signal**2 + place.background**2) @ distance**2)
