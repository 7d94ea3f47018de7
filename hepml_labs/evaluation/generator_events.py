"""Where generated events are wrong: classifier weights and their tails, nearest neighbours, copies of the training."""

from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from hepml_labs.evaluation.generators import Distance, check_events, standardise
from hepml_labs.evaluation.two_sample import TwoSampleTest, classifier_two_sample_test
from hepml_labs.validation import check_between, check_count, to_numpy

__all__ = [
    "ClassifierWeights",
    "NeighborScores",
    "classifier_weights",
    "copied_fraction",
    "neighbor_scores",
    "weight_tails",
]


class ClassifierWeights(NamedTuple):
    """Estimated ratio of true to generated density at each event.

    Attributes
    ----------
    truth, generated : array, (n,) and (m,)
        Ratio p_true(x) / p_generated(x) at the true and at the generated events.
    test : TwoSampleTest
        Area under the ROC curve of the same classifier, with its error.
    """

    truth: np.ndarray
    generated: np.ndarray
    test: TwoSampleTest


def classifier_weights(truth, generated, classifier=None, folds=5, seed=0):
    """Weights w = p_true / p_generated of all events from a classifier, each from one that has not seen the event.

    Parameters
    ----------
    truth, generated : array, (n, d) and (m, d)
        Events.
    classifier : scikit-learn classifier, optional
        With `fit` and a *calibrated* `predict_proba`; boosted trees by default.
    folds : int
        As in `classifier_two_sample_test`.
    seed : int
        Of folds and the default classifier.

    Returns
    -------
    ClassifierWeights
        `truth`, `generated`, `test`.

    Raises
    ------
    ValueError
        As `classifier_two_sample_test`.

    Notes
    -----
    The best classifier of balanced classes gives p = p_true / (p_true + p_generated), hence w = p / (1 - p); m / n
    undoes the numbers of events. By the lemma of Neyman and Pearson w is the best test of one event, so what its
    distribution does not show no number of this page can find, if the classifier is good enough. Das et al.,
    arXiv:2305.16774, read the tails: a small w at a generated event is one that should not be there, a large w at a
    true event is one that the generator does not make. Probabilities within 1e-6 of 0 or 1 are moved there.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> truth, generated = random.normal(size=(4000, 1)), random.normal(0.5, 1, size=(4000, 1))
    >>> weights = classifier_weights(truth, generated)
    >>> round(weights.generated.mean()), bool(np.corrcoef(np.log(weights.truth), truth[:, 0])[0, 1] < -0.6)
    (1, True)
    """
    truth, generated, _ = check_events(truth, generated)
    test = classifier_two_sample_test(truth, generated, classifier=classifier, folds=folds, seed=seed)
    probability = test.score.clip(1e-6, 1 - 1e-6)
    weight = probability / (1 - probability) * len(generated) / len(truth)
    return ClassifierWeights(weight[: len(truth)], weight[len(truth) :], test)


def weight_tails(weights, threshold=2.0):
    """Shares of true events that the generator makes too rarely and of generated ones that it makes too often.

    Parameters
    ----------
    weights : ClassifierWeights
    threshold : float
        Factor between the densities, above one.

    Returns
    -------
    missing, missing_error : float
        Share of true events with w above the threshold, and its binomial standard deviation.
    invented, invented_error : float
        Share of generated events with w below 1 / threshold, and its standard deviation.

    Raises
    ------
    ValueError
        If the threshold is not above one.

    Notes
    -----
    Even between two samples of one distribution the classifier's noise fills the tails: compare with the shares for a
    second true sample.

    Examples
    --------
    >>> weights = ClassifierWeights(np.array([0.9, 1.1, 4.0, 1.0]), np.array([0.2, 0.1, 1.1, 0.8]), None)
    >>> weight_tails(weights)[::2]
    (0.25, 0.5)
    """
    check_between("threshold", threshold, 1, np.inf)
    shares = (weights.truth > threshold).mean(), (weights.generated < 1 / threshold).mean()
    sizes = len(weights.truth), len(weights.generated)
    errors = [np.sqrt(share * (1 - share) / size) for share, size in zip(shares, sizes, strict=True)]
    return float(shares[0]), float(errors[0]), float(shares[1]), float(errors[1])


class NeighborScores(NamedTuple):
    """Scores from balls around events that reach to their k-th neighbour; each a `Distance` with its floor.

    Attributes
    ----------
    precision, recall : Distance
        Share of generated events in any ball around true events, and of true ones in any around generated events.
    density, coverage : Distance
        Mean number of true balls that hold a generated event over k, and share of true balls with generated events.
    """

    precision: Distance
    recall: Distance
    density: Distance
    coverage: Distance


def neighbor_scores(truth, generated, neighbors=5, blocks=10, seed=0):
    """Precision, recall, density and coverage by nearest neighbours, in standard deviations of the true columns.

    Parameters
    ----------
    truth, generated : array, (n, d) and (m, d)
        Events, at least 10 times `neighbors` in each block. As many of the larger sample as of the smaller are used.
    neighbors : int
        k: the ball around an event reaches to its k-th neighbour in its own sample.
    blocks : int
        The samples are cut into as many independent parts: their scatter is the error.
    seed : int
        Of the parts.

    Returns
    -------
    NeighborScores
        The floor is what true events of the next block get in place of the generated ones.

    Raises
    ------
    ValueError
        If inputs are not finite or do not fit together, a true column is constant, or there are too few events.

    Notes
    -----
    Precision and recall: Kynkaanniemi et al., arXiv:1904.06991; density and coverage: Naeem et al., arXiv:2002.09797.
    For equal densities the mean density is 1 and the mean coverage near 1 - 2^-k in any dimension; precision and recall
    have no such value, and a single outlier with its large ball raises precision. All are blind to shapes between
    neighbours that change slowly: use them for modes that are missing or invented, not for per cent precision.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> truth, generated = random.normal(size=(2, 5000, 2))
    >>> scores = neighbor_scores(truth, generated[generated[:, 0] > 0])  # half of the events are never made
    >>> bool(scores.coverage.deviations < -10), bool(abs(scores.precision.deviations) < 5)
    (True, True)
    """
    truth, generated, _ = check_events(truth, generated)
    check_count("neighbors", neighbors)
    check_count("blocks", blocks, minimum=3)
    size = min(len(truth), len(generated)) // blocks
    if size < 10 * neighbors:
        raise ValueError(f"truth, generated: found {size} events in each block, expected at least {10 * neighbors}")
    truth, generated = standardise(truth, generated)
    random = np.random.default_rng(seed)
    true_parts, parts = (np.split(random.permutation(x)[: blocks * size], blocks) for x in (truth, generated))
    found = np.array([_balls(a, b, neighbors) for a, b in zip(true_parts, parts, strict=True)])
    floor = np.array(
        [_balls(a, b, neighbors) for a, b in zip(true_parts, true_parts[1:] + true_parts[:1], strict=True)]
    )
    error, floor_error = (x.std(axis=0, ddof=1) / np.sqrt(blocks) for x in (found, floor))
    columns = zip(found.mean(axis=0), error, floor.mean(axis=0), floor_error, strict=True)
    return NeighborScores(*(Distance(*(float(value) for value in column)) for column in columns))


def copied_fraction(train, held_out, generated, seed=0):
    """Share of generated events that lie nearer to the training sample than to one of as many unseen true events.

    Parameters
    ----------
    train, held_out, generated : array, (n, d), (k, d) and (m, d)
        Events; the larger of the first two is cut to the size of the smaller one.
    seed : int
        Of the cut.

    Returns
    -------
    value, error : float
        One half for a generator that knows the training sample only through its distribution; one for copies.
        The error counts by nearest true event: generated events with the same one are not independent.

    Raises
    ------
    ValueError
        If inputs are not finite or do not fit together, or a training column is constant.

    Notes
    -----
    The three-sample test of Meehan et al., arXiv:2004.05675, in its simplest form. All distances to a true sample
    praise a generator that repeats its training events; only unseen events betray it.

    Examples
    --------
    >>> train, held_out, fresh = np.random.default_rng(1).normal(size=(3, 2000, 2))
    >>> blurred = train + 0.001 * fresh
    >>> round(copied_fraction(train, held_out, fresh)[0], 1), round(copied_fraction(train, held_out, blurred)[0], 1)
    (0.5, 1.0)
    """
    train = to_numpy("train", train, ("n", "d")).astype(np.float64)
    held_out = to_numpy("held_out", held_out, ("k", train.shape[1])).astype(np.float64)
    generated = to_numpy("generated", generated, ("m", train.shape[1])).astype(np.float64)
    size, random = min(len(train), len(held_out)), np.random.default_rng(seed)
    samples = [random.permutation(standardise(train, x)[1])[:size] for x in (train, held_out)]
    nearest = cKDTree(np.concatenate(samples)).query(standardise(train, generated)[1])[1]
    share = (nearest < size).mean()
    parts = np.bincount(nearest, minlength=2 * size) / len(generated)
    # two sums of independent shares, those of the training and of the unseen events
    squares = [part.var() * size for part in np.split(parts, 2)]
    error = np.sqrt(squares[0] * (1 - share) ** 2 + squares[1] * share**2)
    return float(share), float(max(error, 1 / len(generated)))


def _balls(truth, generated, neighbors):
    tree, other = cKDTree(truth), cKDTree(generated)
    radius = tree.query(truth, neighbors + 1)[0][:, -1]  # the nearest is the event itself
    other_radius = other.query(generated, neighbors + 1)[0][:, -1]
    inside = other.query_ball_point(truth, radius)
    counts = np.array([len(found) for found in inside])
    precision = len(np.unique(np.concatenate(inside))) / len(generated) if counts.any() else 0.0
    reached = np.concatenate(tree.query_ball_point(generated, other_radius))
    recall = len(np.unique(reached)) / len(truth)
    return precision, recall, counts.sum() / (neighbors * len(generated)), (counts > 0).mean()
