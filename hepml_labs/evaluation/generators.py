"""Distances between true and generated events: each with its error, and with the floor that true events reach.

Each number sees some differences and is blind to others. Distances between moments and kernels are in
`generator_moments`, judgement event by event in `generator_events`.
"""

from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata

from hepml_labs.validation import check_array, check_count, to_numpy

__all__ = [
    "Distance",
    "check_events",
    "correlation_distance",
    "sliced_wasserstein",
    "standardise",
    "wasserstein_distances",
]


class Distance(NamedTuple):
    """A distance between a true and a generated sample; floats, or arrays with an entry for each column.

    Attributes
    ----------
    value, error : float or array
        Estimate and its standard deviation.
    floor, floor_error : float or array
        Mean and standard deviation of the estimate for a perfect generator: two true samples of the same sizes.
    """

    value: float | np.ndarray
    error: float | np.ndarray
    floor: float | np.ndarray
    floor_error: float | np.ndarray

    @property
    def ratio(self):
        """Estimate in units of the floor; of use where the floor is not zero."""
        return self.value / self.floor

    @property
    def deviations(self):
        """Standard deviations of the floor by which the estimate lies above it."""
        return (self.value - self.floor) / self.floor_error


def wasserstein_distances(truth, generated, seed=0, generated_weight=None, draws=50):
    """Wasserstein-1 distance of each column: the mean distance that probability has to be moved.

    Parameters
    ----------
    truth, generated : array, (n, d) and (m, d)
        Events; n and m may differ.
    seed : int
        Of the bootstrap.
    generated_weight : array, (m,), optional
        Weights of the generated events, of at least zero.
    draws : int
        Bootstrap samples for the error and for the floor.

    Returns
    -------
    Distance
        Arrays of shape (d,) in the units of the columns. For weighted events the floor is that of their effective
        number, (sum w)^2 / sum w^2.

    Raises
    ------
    ValueError
        If inputs are not finite or do not fit together, or weights are negative.

    Notes
    -----
    In one dimension W1 = int |F(x) - G(x)| dx, the area between the cumulative distributions (and the number that
    `scipy.stats.wasserstein_distance` gives). It is never zero for finite samples: the floor falls like 1 / sqrt(n).
    Blind to all correlations between columns; a missing tail of share f adds only f times its distance.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> found = wasserstein_distances(random.normal(size=(4000, 2)), random.normal([0, 1], size=(4000, 2)))
    >>> found.value.round(1), (found.ratio < 3)
    (array([0., 1.]), array([ True, False]))
    """
    truth, generated, weight = check_events(truth, generated, generated_weight)
    both = np.concatenate([truth, generated])
    signed = _signed_weights(len(truth), weight, draws, seed)
    columns = [_estimates(*_areas(x, len(truth), signed)) for x in both.T]
    return Distance(*np.array(columns).T)


def sliced_wasserstein(truth, generated, seed=0, generated_weight=None, directions=50, draws=50):
    """Mean Wasserstein-1 distance along random directions, in standard deviations of the true columns.

    Parameters
    ----------
    truth, generated : array, (n, d) and (m, d)
        Events.
    seed : int
        Of directions and bootstrap.
    generated_weight : array, (m,), optional
        Weights of the generated events, of at least zero.
    directions : int
        Unit vectors, uniform on the sphere of the standardised columns.
    draws : int
        Bootstrap samples for the error and for the floor.

    Returns
    -------
    Distance
        Floats. The error does not contain the choice of directions: it is the same for all generators of one seed.

    Raises
    ------
    ValueError
        As `wasserstein_distances`, and if a true column is constant.

    Notes
    -----
    Bonneel et al., J. Math. Imaging Vision 51 (2015) 22. It vanishes only for equal distributions (all projections
    determine a distribution), so it sees correlations; but in many dimensions a random projection averages
    over many columns, and a defect of one of d columns is diluted by 1 / sqrt(d).

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> truth, other = random.normal(size=(2, 4000, 2))
    >>> correlated = other @ np.array([[1.0, 0.8], [0.0, 0.6]])  # the marginals are as before
    >>> bool(sliced_wasserstein(truth, correlated).ratio > 5)
    True
    """
    truth, generated, weight = check_events(truth, generated, generated_weight)
    check_count("directions", directions)
    truth, generated = standardise(truth, generated)
    axes = np.random.default_rng(seed).normal(size=(directions, truth.shape[1]))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    signed = _signed_weights(len(truth), weight, draws, seed)
    both = np.concatenate([truth, generated])
    areas = [_areas(both @ axis, len(truth), signed) for axis in axes]
    return Distance(*_estimates(*(np.mean(area, axis=0) for area in zip(*areas, strict=True))))


def correlation_distance(truth, generated, seed=0, draws=30):
    """Root mean square difference of the rank correlations of all pairs of columns.

    Parameters
    ----------
    truth, generated : array, (n, d) and (m, d)
        Events, with at least two columns.
    seed : int
        Of the bootstrap.
    draws : int
        Bootstrap samples for the error and for the floor.

    Returns
    -------
    Distance
        Floats.

    Raises
    ------
    ValueError
        If inputs are not finite or do not fit together, or there is one column only.

    Notes
    -----
    Spearman's correlation: that of the ranks. No monotonic change of a column matters, so wrong marginals do not hide
    or fake a wrong dependence. Blind to dependence without a trend: a ring has the correlation zero.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> truth = random.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], size=4000)
    >>> round(correlation_distance(truth, random.normal(size=(4000, 2))).value, 1)
    0.6
    """
    truth, generated, _ = check_events(truth, generated)
    check_count("draws", draws, minimum=2)
    if truth.shape[1] < 2:
        raise ValueError("truth: found one column, expected two or more")
    random = np.random.default_rng(seed)

    def resample(x, size):
        return _rank_correlations(x[random.integers(len(x), size=size)])

    def distance(first, second):
        return np.sqrt(((first - second) ** 2).mean())

    n, m = len(truth), len(generated)
    spread = [distance(resample(truth, n), resample(generated, m)) for _ in range(draws)]
    floor = [distance(resample(truth, n), resample(truth, m)) for _ in range(draws)]
    return Distance(*_estimates(distance(_rank_correlations(truth), _rank_correlations(generated)), spread, floor))


def check_events(truth, generated, weight=None):
    """Check two samples (n, d) and (m, d) and weights (m,) of the second; return them, the weights with the sum one.

    Raises
    ------
    ValueError
        If inputs are not finite or do not fit together, or weights are negative or all zero.
    """
    truth = to_numpy("truth", truth, ("n", "d")).astype(np.float64)
    generated = to_numpy("generated", generated, ("m", truth.shape[1])).astype(np.float64)
    weight = np.ones(len(generated)) if weight is None else to_numpy("generated_weight", weight).astype(np.float64)
    check_array("generated_weight", weight, (len(generated),))
    if weight.min() < 0 or not weight.any():
        found = f"found a range of {weight.min():.4g} to {weight.max():.4g}"
        raise ValueError(f"generated_weight: {found}, expected none below zero and some above")
    return truth, generated, weight / weight.sum()


def standardise(truth, generated):
    """Bring columns to mean zero and width one of the truth, (n, d) and (m, d): no unit then decides what counts.

    Raises
    ------
    ValueError
        If a true column is constant.
    """
    spread = truth.std(axis=0)
    if not (spread > 0).all():
        raise ValueError(f"truth: found the constant column {spread.argmin()}, expected events that differ")
    return (truth - truth.mean(axis=0)) / spread, (generated - truth.mean(axis=0)) / spread


def _signed_weights(n, weight, draws, seed):
    """Weights of truth minus generated: as they are, under the bootstrap, and of two bootstrap samples of the truth."""
    check_count("draws", draws, minimum=2)
    random = np.random.default_rng(seed)
    uniform, effective = np.full(n, 1 / n), max(1, round(1 / np.square(weight).sum()))
    other = weight * random.multinomial(len(weight), np.full(len(weight), 1 / len(weight)), size=draws)
    other /= other.sum(axis=1, keepdims=True)
    spread = np.hstack([random.multinomial(n, uniform, size=draws) / n, -other])
    floor = random.multinomial(n, uniform, size=draws) / n
    floor -= random.multinomial(effective, uniform, size=draws) / effective
    # events first: their order changes with the column, and gathering rows is fast
    return np.concatenate([uniform, -weight])[:, None], spread.T.copy(), floor.T.copy()


def _areas(x, n, signed):
    """Areas between cumulative distributions for these sets of weights; x (n + m,) is the truth, then the others."""
    areas = []
    for values, weights in zip((x, x, x[:n]), signed, strict=True):
        order = values.argsort()
        areas.append(np.diff(values[order]) @ np.abs(weights[order].cumsum(axis=0)[:-1]))
    return areas[0][0], areas[1], areas[2]


def _estimates(value, spread, floor):
    return tuple(float(v) for v in (value, np.std(spread, ddof=1), np.mean(floor), np.std(floor, ddof=1)))


def _rank_correlations(x):
    return np.corrcoef(rankdata(x, axis=0), rowvar=False)[np.triu_indices(x.shape[1], 1)]
