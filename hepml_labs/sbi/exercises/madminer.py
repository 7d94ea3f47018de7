"""Exercises of the lab "MadMiner end to end"."""

import numpy as np

from hepml_labs.physics.morphing import Morphing, monomials
from hepml_labs.teaching import Exercise, Mistake


def coefficients_from_benchmarks(weights, benchmarks):
    """Quadratic coefficients of events from their weights at a morphing basis.

    Parameters
    ----------
    weights : array of shape (n, K)
        Weights at the benchmarks, in pb.
    benchmarks : array of shape (K, p)
        As many as there are monomials.

    Returns
    -------
    array of shape (n, K)

    Examples
    --------
    >>> coefficients_from_benchmarks(np.array([[1.0, 4.0, 0.0]]), np.array([[0.0], [1.0], [-1.0]])).round(10)
    array([[1., 2., 1.]])
    """
    return Morphing(benchmarks).coefficients(weights)


def from_madminer(y, r_xz):
    """MadMiner's label and joint ratio in our conventions.

    Parameters
    ----------
    y : array of shape (n, 1)
        0 for events of the numerator, 1 for events of the reference.
    r_xz : array of shape (n, 1)
        p(x, z | theta0) / p(x, z | theta1), the numerator over the reference.

    Returns
    -------
    label : array of shape (n,)
        1 for the numerator, 0 for the reference.
    log_ratio : array of shape (n,)
        Log of numerator over reference.

    Examples
    --------
    >>> from_madminer(np.array([[0.0], [1.0]]), np.array([[1.0], [1.0]]))
    (array([1., 0.]), array([0., 0.]))
    """
    return 1 - y[:, 0], np.log(r_xz[:, 0])


def expected_events(weights, share, luminosity):
    """Events that an experiment expects, from the weights of a part of the simulated sample.

    Parameters
    ----------
    weights : array of shape (n,)
        Weights in pb of the events of one partition.
    share : float
        Share of all simulated events that the partition holds.
    luminosity : float
        Integrated luminosity in 1/fb.

    Returns
    -------
    float

    Examples
    --------
    >>> expected_events(np.array([0.001, 0.003]), 0.2, 300.0)  # 0.02 pb and 300,000 / pb
    6000.0
    """
    return float(1000 * luminosity * weights.sum() / share)


def bin_log_ratio(h, weights, reference_weights, edges):
    """Log ratio of two densities of one summary statistic, bin by bin.

    Parameters
    ----------
    h : array of shape (n,)
        Summary statistic of each event.
    weights, reference_weights : arrays of shape (n,)
        Weights of the events at theta and at the reference.
    edges : array of shape (bins + 1,)
        Edges of the bins, which hold all events.

    Returns
    -------
    array of shape (bins,)

    Examples
    --------
    >>> h = np.array([0.5, 0.5, 1.5])
    >>> np.exp(bin_log_ratio(h, np.array([1.0, 1.0, 2.0]), np.ones(3), np.array([0.0, 1.0, 2.0]))).round(3)
    array([0.75, 1.5 ])
    """
    numerator, reference = (np.histogram(h, edges, weights=w)[0] / w.sum() for w in (weights, reference_weights))
    return np.log(numerator / reference)


def _weights_at_benchmarks(rng):
    parameters = int(rng.integers(1, 4))
    terms = (parameters + 1) * (parameters + 2) // 2
    while np.linalg.cond(monomials(points := rng.uniform(-1, 1, size=(terms, parameters)))) > 100:
        pass
    return rng.uniform(0.5, 2.0, size=(int(rng.integers(11, 15)), terms)), points


def _labels(rng):
    n = int(rng.integers(8, 14))
    y = rng.permutation(np.resize([0.0, 1.0, 0.0], n))[:, None]
    return y, rng.lognormal(0.3, 0.5, size=(n, 1))


def _partition(rng):
    return rng.uniform(0.5, 1.5, size=20) * 1e-4, float(rng.uniform(0.1, 0.4)), float(rng.uniform(30, 300))


def _histogrammed(rng):
    h = np.concatenate([np.linspace(0.1, 2.9, 12), rng.uniform(0, 3, size=30)])
    edges = np.array([0.0, rng.uniform(0.6, 0.9), rng.uniform(1.2, 1.5), 3.0])
    return h, rng.uniform(0.5, 2.0, size=h.size) * (1 + h), rng.uniform(0.5, 2.0, size=h.size), edges


def _bins_with(per_bin):
    def wrong(h, weights, reference_weights, edges):
        counts = [np.histogram(h, edges, weights=w)[0] for w in (weights, reference_weights)]
        return per_bin(*counts, np.diff(edges))

    return wrong


EXERCISES = [
    Exercise(
        name="sbi.coefficients_from_benchmarks",
        reference=coefficients_from_benchmarks,
        inputs=_weights_at_benchmarks,
        mistakes=(
            Mistake(
                "You go the wrong way: this turns coefficients into weights. Solve for the coefficients instead.",
                lambda weights, benchmarks: weights @ monomials(benchmarks).T,
            ),
            Mistake(
                "The rows of the matrix of monomials are benchmarks, its columns coefficients: you have solved with "
                "the matrix transposed.",
                lambda weights, benchmarks: weights @ np.linalg.inv(monomials(benchmarks)),
            ),
            Mistake(
                "The transpose is not the inverse: the monomials at the benchmarks are not orthogonal.",
                lambda weights, benchmarks: weights @ monomials(benchmarks),
            ),
            Mistake(
                "The weights have been normalised event by event. Keep them in pb: their size says how much of the "
                "cross-section the event carries.",
                lambda weights, benchmarks: Morphing(benchmarks).coefficients(
                    weights / weights.sum(axis=1, keepdims=True)
                ),
            ),
            Mistake(
                "One row per event is expected, one column per coefficient: transpose.",
                lambda weights, benchmarks: Morphing(benchmarks).coefficients(weights).T,
            ),
        ),
        hints=(
            "At each benchmark the weight is a sum of coefficients times monomials: K equations for K unknowns.",
            "With M = monomials(benchmarks), the weights of one event are M c. Solve for c, for all events at once.",
            "np.linalg.solve(monomials(benchmarks), weights.T).T",
        ),
    ),
    Exercise(
        name="sbi.from_madminer",
        reference=from_madminer,
        inputs=_labels,
        mistakes=(
            Mistake(
                "The ratio is right, the label is not: MadMiner's y is 0 where an event comes from the numerator.",
                lambda y, r_xz: (y[:, 0], np.log(r_xz[:, 0])),
            ),
            Mistake(
                "The label is right, the ratio is upside down. Both theta0 in MadMiner and theta here are the "
                "numerator: only the labels differ.",
                lambda y, r_xz: (1 - y[:, 0], -np.log(r_xz[:, 0])),
            ),
            Mistake("MadMiner stores the ratio itself: take its logarithm.", lambda y, r_xz: (1 - y[:, 0], r_xz[:, 0])),
            Mistake(
                "The shapes are (n, 1), and (n,) is expected. Kept as columns they would broadcast to (n, n) later.",
                lambda y, r_xz: (1 - y, np.log(r_xz)),
            ),
            Mistake(
                "The joint ratio is the same function for events of both classes: it must not depend on the label.",
                lambda y, r_xz: (1 - y[:, 0], (1 - 2 * y[:, 0]) * np.log(r_xz[:, 0])),
            ),
        ),
        hints=(
            "Two things differ: which class is called 1, and whether the ratio or its logarithm is stored.",
            "label = 1 - y. Both arrays come as columns, and leave without the second dimension.",
            "return 1 - y[:, 0], np.log(...)",
        ),
    ),
    Exercise(
        name="sbi.expected_events",
        reference=expected_events,
        inputs=_partition,
        mistakes=(
            Mistake(
                "1/fb times pb: one inverse femtobarn is 1,000 inverse picobarns.",
                lambda weights, share, luminosity: luminosity * weights.sum() / share,
            ),
            Mistake(
                "The conversion goes the other way: 1 fb is 0.001 pb, so 1/fb is 1,000/pb.",
                lambda weights, share, luminosity: luminosity / 1000 * weights.sum() / share,
            ),
            Mistake(
                "The partition holds only a share of the events, so its weights add up to only that share of the "
                "cross-section.",
                lambda weights, share, luminosity: 1000 * luminosity * weights.sum(),
            ),
            Mistake(
                "A part of the sample has less weight than the whole: divide by the share.",
                lambda weights, share, luminosity: 1000 * luminosity * weights.sum() * share,
            ),
            Mistake(
                "The weights add up to the cross-section; their mean depends on how many events were simulated.",
                lambda weights, share, luminosity: 1000 * luminosity * weights.mean() / share,
            ),
        ),
        hints=(
            "Events = luminosity times cross-section, once the units agree.",
            "The cross-section in pb is the sum of the weights over the share; 300/fb = 300,000/pb.",
            "return 1000 * luminosity * ... / share",
        ),
    ),
    Exercise(
        name="sbi.bin_log_ratio",
        reference=bin_log_ratio,
        inputs=_histogrammed,
        mistakes=(
            Mistake(
                "This is the log of one density. Its value depends on the units of h, and h changes with theta: divide "
                "by the density of the same h at the reference.",
                _bins_with(lambda top, bottom, width: np.log(top / top.sum() / width)),
            ),
            Mistake(
                "Both histograms must be normalised first: the rate is not part of the shape.",
                _bins_with(lambda top, bottom, width: np.log(top / bottom)),
            ),
            Mistake(
                "The ratio is upside down: theta over the reference.",
                _bins_with(lambda top, bottom, width: np.log(bottom / bottom.sum() * top.sum() / top)),
            ),
            Mistake(
                "The ratio is right. Take its logarithm.",
                _bins_with(lambda top, bottom, width: top / top.sum() * bottom.sum() / bottom),
            ),
            Mistake(
                "At the reference events were counted, but there too each event has a weight.",
                lambda h, weights, reference_weights, edges: _bins_with(
                    lambda top, bottom, width: np.log(top / top.sum() * bottom.sum() / bottom)
                )(h, weights, np.ones_like(weights), edges),
            ),
        ),
        hints=(
            "Fill one histogram of h with the weights at theta, and one in the same bins with those at the reference.",
            "Divide each by its sum of weights. The widths of the bins drop out of the ratio.",
            "np.log((numerator / numerator.sum()) / (...))",
        ),
    ),
]
