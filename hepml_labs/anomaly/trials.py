"""Look-elsewhere effect: p-values from pseudo-experiments, upcrossings of a scan, and the BumpHunter.

A local p-value belongs to one place that was named beforehand. A search looks at many places and quotes the best, and
its p-value is the probability that the best of them looks as good as this, or better, in background alone.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import gammainc
from scipy.stats import beta, norm

from hepml_labs.evaluation.intervals import ONE_SIGMA
from hepml_labs.validation import check_array, check_count

__all__ = [
    "BumpHunter",
    "ToyPValue",
    "bump_hunter",
    "count_upcrossings",
    "global_p_value",
    "toy_p_value",
]

TOYS_AT_ONCE = 500


class ToyPValue(NamedTuple):
    """Fraction of pseudo-experiments at least as extreme as the data."""

    observed: float
    p_value: float  # (1 + k) / (1 + n): never zero, and valid for any n
    low: float  # 68 % interval of Clopper and Pearson for k of n
    high: float
    toys: np.ndarray  # (n,): the statistic in each


def toy_p_value(statistic, counts, expected, toys=1000, seed=0):
    """Return the p-value of any statistic of a histogram, by Poisson pseudo-experiments of the background.

    Parameters
    ----------
    statistic : callable
        Takes counts ``(n, bins)``, returns ``(n,)``, larger for less background-like data. All that is done to the
        data belongs inside: fit the background in here where it was fitted to the data.
    counts : array, (bins,)
        The data.
    expected : array, (bins,)
        Expectation of the background, from which the pseudo-experiments are drawn.
    toys : int
        Number of pseudo-experiments: a p-value of p needs some 10 / p of them.
    seed : int or numpy.random.Generator
        For the pseudo-experiments.

    Returns
    -------
    ToyPValue
        ``observed``, ``p_value``, ``low``, ``high``, ``toys``.

    Raises
    ------
    ValueError
        If shapes differ, an expectation is negative, `toys` is no whole number above zero, or the statistic is NaN
        or not one number per histogram.

    Notes
    -----
    Davison and Hinkley, Bootstrap Methods and their Application (1997), eq. 4.11: the data count as one of the
    pseudo-experiments, which under the hypothesis they are.

    Examples
    --------
    >>> result = toy_p_value(lambda n: n.max(axis=-1), np.array([7, 19, 8]), np.full(3, 9.0), toys=2000, seed=1)
    >>> 0.003 < result.p_value < 0.015  # three times the Poisson probability of 19 or more, 0.0024 for each bin
    True
    """
    counts, expected = _histograms(counts, expected, ("bins",))
    check_count("toys", toys)
    random = np.random.default_rng(seed)

    def evaluate(histograms):
        values = np.asarray(statistic(histograms), dtype=np.float64)
        if values.shape != (len(histograms),) or np.isnan(values).any():
            raise ValueError(f"statistic: found shape {values.shape} or NaN, expected {len(histograms)} numbers")
        return values

    observed = float(evaluate(counts[None])[0])
    sizes = [min(TOYS_AT_ONCE, toys - start) for start in range(0, toys, TOYS_AT_ONCE)]
    values = np.concatenate([evaluate(random.poisson(expected, (size, len(expected)))) for size in sizes])
    k = int((values >= observed).sum())
    outside = (1 - ONE_SIGMA) / 2
    low = beta.ppf(outside, k, toys - k + 1) if k > 0 else 0.0
    high = beta.isf(outside, k + 1, toys - k) if k < toys else 1.0
    return ToyPValue(observed, (1 + k) / (1 + toys), float(low), float(high), values)


def _histograms(counts, expected, shape):
    counts, expected = np.asarray(counts, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    check_array("counts", counts, shape)
    check_array("expected", expected, shape)
    if counts.shape[-1] != expected.shape[-1]:
        raise ValueError(f"expected: found {expected.shape[-1]} bins, expected {counts.shape[-1]} like counts")
    for name, values in (("counts", counts), ("expected", expected)):
        if (values < 0).any():
            raise ValueError(f"{name}: found a smallest entry of {values.min():.4g}, expected none below zero")
    return counts, expected


def count_upcrossings(significance, level=0.0):
    """Count how often a scan rises through a level.

    Parameters
    ----------
    significance : array, (..., points)
        Signed local significance against the mass (or any other place), in fine steps: two crossings between
        neighbouring points are not seen.
    level : float
        Low enough to be crossed often: few pseudo-experiments then give a precise mean.

    Returns
    -------
    array of int, (...)

    Raises
    ------
    ValueError
        If `significance` has fewer than two points or contains NaN.

    Examples
    --------
    >>> count_upcrossings(np.array([[-1.0, 1.0, -0.5, 2.0], [1.0, 2.0, 0.5, -1.0]]))
    array([2, 0])
    """
    significance = np.asarray(significance, dtype=np.float64)
    check_array("significance", significance, (..., "points"))
    if significance.shape[-1] < 2:
        raise ValueError(f"significance: found {significance.shape[-1]} point, expected at least two")
    above = significance > level
    return (above[..., 1:] & ~above[..., :-1]).sum(axis=-1)


def global_p_value(significance, upcrossings, level=0.0):
    """Return the probability that a scan of pure background reaches this local significance anywhere.

    The scan is above `significance` if it starts there or rises to it; for a Gaussian process the mean number of
    upcrossings falls as exp(-Z^2 / 2), so that it can be counted where they are frequent.

    Parameters
    ----------
    significance : float or array
        Largest local significance of the scan, in standard deviations.
    upcrossings : float
        Mean number of upcrossings of `level` in background, from `count_upcrossings` of pseudo-experiments.
    level : float
        Level at which they were counted.

    Returns
    -------
    float or array
        An upper bound, at most one; close to the probability where it is small.

    Raises
    ------
    ValueError
        If `upcrossings` is negative, or an entry is not finite.

    Notes
    -----
    Gross and Vitells, arXiv:1005.1891, after Davies, Biometrika 74 (1987) 33, for a signal that can only add events:
    the first term is the local p-value (half of their chi-squared probability), and their level of q is Z^2.

    Examples
    --------
    >>> print(f"{global_p_value(4.0, 0.0):.1e} {global_p_value(4.0, 10.0):.1e}")
    3.2e-05 3.4e-03
    """
    z = np.asarray(significance, dtype=np.float64)
    if not (np.isfinite(z).all() and np.isfinite([upcrossings, level]).all() and upcrossings >= 0):
        raise ValueError(
            f"upcrossings: found {upcrossings} at level {level} for significance {significance}, "
            "expected finite numbers, the first of at least zero"
        )
    return np.minimum(norm.sf(z) + upcrossings * np.exp(-(z**2 - level**2) / 2), 1.0)[()]


class BumpHunter(NamedTuple):
    """The most significant window of each histogram: arrays of shape (...)."""

    statistic: np.ndarray  # minus the logarithm of the smallest p-value
    start: np.ndarray  # first bin of the window
    stop: np.ndarray  # first bin behind it


def bump_hunter(counts, expected, minimum_width=1, maximum_width=None):
    """Find the window with the smallest Poisson p-value among all positions and widths.

    Parameters
    ----------
    counts : array, (..., bins)
        Data or pseudo-experiments.
    expected : array, (..., bins)
        Background; one histogram for all, or one for each.
    minimum_width, maximum_width : int
        Widths of the windows in bins; by default up to half of the histogram.

    Returns
    -------
    BumpHunter
        ``statistic``, ``start``, ``stop``. The statistic is no p-value: it needs pseudo-experiments, see
        `toy_p_value`, which redo the background fit where `expected` was fitted to the same data.

    Raises
    ------
    ValueError
        If shapes differ, there are negative entries, or the widths do not fit in.

    Notes
    -----
    Choudalakis, arXiv:1101.0390, without its optional demands on the sidebands: windows with no more events than
    expected count as p = 1, and windows move in steps of one bin.

    Examples
    --------
    >>> found = bump_hunter(np.array([9, 11, 30, 28, 10, 8]), np.full(6, 10.0))
    >>> print(int(found.start), int(found.stop), round(float(found.statistic), 1))
    2 4 26.3
    """
    counts, expected = _histograms(counts, expected, (..., "bins"))
    bins = counts.shape[-1]
    maximum_width = bins // 2 if maximum_width is None else maximum_width
    check_count("minimum_width", minimum_width)
    check_count("maximum_width", maximum_width, minimum_width)
    if maximum_width > bins:
        raise ValueError(f"maximum_width: found {maximum_width}, expected at most the {bins} bins")
    sums = [np.concatenate([np.zeros(x.shape[:-1] + (1,)), x.cumsum(-1)], axis=-1) for x in (counts, expected)]
    p_values, windows = [], []
    for width in range(minimum_width, maximum_width + 1):
        n, b = (total[..., width:] - total[..., :-width] for total in sums)
        excess = n > b
        p_values.append(np.where(excess, gammainc(np.where(excess, n, 1.0), b), 1.0))
        windows.extend((start, start + width) for start in range(bins - width + 1))
    p_values = np.concatenate(p_values, axis=-1)
    best = p_values.argmin(axis=-1)
    smallest = np.maximum(p_values.min(axis=-1), np.finfo(float).tiny)
    start, stop = np.moveaxis(np.array(windows)[best], -1, 0)
    return BumpHunter(-np.log(smallest), start, stop)
