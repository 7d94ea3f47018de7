"""Features as bins: what makes growing a tree fast."""

from typing import NamedTuple

import numpy as np

from hepml_labs.validation import check_array, check_between, check_count, to_numpy

__all__ = ["BinnedFeatures", "apply_edges", "quantile_edges"]

ROUNDING = 1e-10  # of a sum of weights


class BinnedFeatures(NamedTuple):
    """Features as numbers of bins: all that a tree needs to know.

    Attributes
    ----------
    codes : uint16 array, (d, n)
        Number of the bin, from 0; the largest, ``missing``, stands for NaN.
    edges : list of d arrays
        Upper edges of all bins but the last: bin b holds ``edges[b - 1] < x <= edges[b]``.
    """

    codes: np.ndarray
    edges: list

    @property
    def missing(self):
        """Code of a missing value."""
        return max(1, *(len(edge) for edge in self.edges)) + 1


def quantile_edges(X, bins=256, weight=None):
    """Cut each feature into bins of equal weight.

    Parameters
    ----------
    X : array, (n, d)
        Features; NaN is left out.
    bins : int
        Largest number of bins, 2 to 65,000.
    weight : array, (n,), optional
        Not negative; the weighted quantiles of Chen and Guestrin (arXiv:1603.02754), section 3.3. A weight of two
        counts like an event that is there twice.

    Returns
    -------
    list of d arrays
        At most bins - 1 edges each, half way between two neighbouring values.

    Raises
    ------
    ValueError
        If an argument has a wrong shape or range.

    Examples
    --------
    >>> quantile_edges(np.array([[1.0], [2.0], [2.0], [4.0]]), bins=4)
    [array([1.5, 3. ])]
    """
    check_count("bins", bins, 2)
    check_between("bins", bins, 2, 65_000, include_low=True, include_high=True)
    check_array("X", X, ("n", "d"), finite=False, floating=False)
    weight = np.ones(len(X)) if weight is None else to_numpy("weight", weight, (len(X),), floating=False)
    edges = []
    for column in X.T:
        seen = ~np.isnan(column)
        values, position = np.unique(column[seen], return_inverse=True)
        last = np.arange(len(values) - 1)
        if len(values) > bins:
            below = np.cumsum(np.bincount(position, weight[seen], len(values)))
            last = np.searchsorted(below, below[-1] * np.arange(1, bins) / bins * (1 - ROUNDING))
            last = np.unique(np.minimum(last, len(values) - 2))
        values = values.astype(np.float64)
        lower, upper = (values[last], values[last + 1]) if len(values) else (values, values)
        middle = lower / 2 + upper / 2
        # neighbouring numbers have nothing between them, and the lower one must not pass the edge
        edges.append(np.where(middle < upper, middle, lower))
    return edges


def apply_edges(X, edges):
    """Look up the bins of features.

    Parameters
    ----------
    X : array, (n, d)
        Features, NaN for missing.
    edges : list of d arrays
        From `quantile_edges`.

    Returns
    -------
    BinnedFeatures

    Raises
    ------
    ValueError
        If the number of features is not that of the edges.

    Examples
    --------
    >>> apply_edges(np.array([[0.0], [1.5], [9.0], [np.nan]]), [np.array([1.5, 3.0])]).codes
    array([[0, 0, 2, 3]], dtype=uint16)
    """
    check_array("X", X, ("n", len(edges)), finite=False, floating=False)
    binned = BinnedFeatures(np.empty(X.shape[::-1], dtype=np.uint16), edges)
    for codes, column, edge in zip(binned.codes, X.T, edges, strict=True):
        codes[:] = np.where(np.isnan(column), binned.missing, np.searchsorted(edge, column))
    return binned
