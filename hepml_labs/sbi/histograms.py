"""Histograms as density estimators: the likelihood of binned observables at every parameter point."""

from itertools import combinations
from typing import NamedTuple

import numpy as np

from hepml_labs.physics.morphing import monomial_gradients, monomials
from hepml_labs.sbi.bounds import shares
from hepml_labs.sbi.fisher import Estimate, histogram_information, information
from hepml_labs.validation import check_array, check_count, to_numpy

__all__ = ["HistogramRatio", "Ranked", "rank_observables"]


class HistogramRatio:
    r"""Likelihood ratio of a histogram, for all parameters at once.

    The weight of each event is a polynomial of the parameters, so the sum of weights in a bin is one as well,
    :math:`\sigma_b(\theta) = c_b \cdot m(\theta)`. One filling gives the shape of the histogram,
    :math:`p_b = \sigma_b / \sum_b \sigma_b`, and its score at every theta: no interpolation, no training.

    Parameters
    ----------
    bins : int or sequence of int
        Bins of each observable. The edges are quantiles of the events given to `fit`: first of the first observable,
        then in each of its bins of the second, so all bins hold equally many simulated events.

    Attributes
    ----------
    edges_ : list of arrays
        Inner edges: shape (1, b_1 - 1) for the first observable, (b_1, b_2 - 1) for the second, ...
    coefficients_ : array of shape (bins, K)
        Sums of the events' coefficients, in pb.
    total_ : array of shape (K,)
        Their sum, the cross-section of the sample.

    Notes
    -----
    With an estimated score as the observables this is how SALLY, which knows nothing beyond the score, becomes a
    likelihood at any theta (Brehmer, Cranmer, Louppe and Pavez, arXiv:1805.00020): exact for the binned score, however
    wrong the score is.

    Examples
    --------
    Events with weights 1 + theta z; the histogram of z learns the ratio (1 + theta z) / 1.

    >>> z = np.random.default_rng(1).uniform(-1, 1, (100_000, 1))
    >>> histogram = HistogramRatio(bins=50).fit(z, np.column_stack([z**0, z, 0 * z]))
    >>> theta = np.array([[0.0], [0.8]])
    >>> np.exp(histogram.log_ratio(np.array([[-0.5], [0.5]]), theta)).round(1)
    array([[1. , 1. ],
           [0.6, 1.4]])
    """

    def __init__(self, bins=20):
        self.bins = (bins,) if np.ndim(bins) == 0 else tuple(bins)
        for number in self.bins:
            check_count("bins", int(number) if isinstance(number, np.integer) else number, minimum=2)

    def fit(self, values, coefficients):
        """Choose the edges and add up the coefficients in each bin.

        Parameters
        ----------
        values : array of shape (n, d)
            Observables; d is the number of entries of `bins`.
        coefficients : array of shape (n, K)
            Weight of each event as a polynomial of theta, in pb.

        Returns
        -------
        HistogramRatio
            Itself.

        Raises
        ------
        ValueError
            If the shapes do not fit, there are too few events for the bins, or a bin stays empty because many
            events share one value.
        """
        values = to_numpy("values", values, ("n", len(self.bins)))
        coefficients = to_numpy("coefficients", coefficients, (len(values), "K")).astype(np.float64)
        count = int(np.prod(self.bins))
        if len(values) < 10 * count:
            raise ValueError(f"values: found {len(values)} events for {count} bins, expected at least {10 * count}")
        self.edges_, index, parents = [], np.zeros(len(values), int), 1
        for column, number in zip(values.T, self.bins, strict=True):
            inner = np.arange(1, number) / number
            edges = np.stack([np.quantile(column[index == parent], inner) for parent in range(parents)])
            if (np.diff(edges, axis=1) <= 0).any():
                raise ValueError("values: found many events of one value, expected a continuous observable: fewer bins")
            self.edges_.append(edges)
            index = self._split(index, column, edges)
            parents *= number
        self.coefficients_ = np.stack([np.bincount(index, c, minlength=count) for c in coefficients.T], axis=-1)
        self.total_ = self.coefficients_.sum(axis=0)
        return self

    @staticmethod
    def _split(index, column, edges):
        """Number of the bin after one more observable."""
        inside = np.zeros(len(column), int)
        for edge in edges.T:
            inside += column > edge[index]
        return index * (edges.shape[1] + 1) + inside

    def bin_of(self, values):
        """Bin of each event.

        Parameters
        ----------
        values : array of shape (n, d)

        Returns
        -------
        integer array of shape (n,)
            From 0 to the number of bins minus one; the outermost bins reach to infinity.

        Raises
        ------
        ValueError
            If the shape is another.
        """
        values = to_numpy("values", values, ("n", len(self.bins)))
        index = np.zeros(len(values), int)
        for column, edges in zip(values.T, self.edges_, strict=True):
            index = self._split(index, column, edges)
        return index

    def cross_sections(self, theta):
        """Cross-section in each bin.

        Parameters
        ----------
        theta : array of shape (m, p)

        Returns
        -------
        array of shape (m, bins)
            In pb; times the luminosity it is the expected number of events.

        Raises
        ------
        ValueError
            If theta has another shape.
        """
        check_array("theta", theta, ("m", "p"))
        return monomials(theta) @ self.coefficients_.T

    def log_ratio(self, values, theta, reference=None):
        """Log-likelihood ratio of the normalised histogram between theta and a reference.

        Parameters
        ----------
        values : array of shape (n, d)
        theta : array of shape (m, p)
        reference : array of shape (p,), optional
            Zero, the Standard Model, by default.

        Returns
        -------
        array of shape (m, n)

        Raises
        ------
        ValueError
            If a shape is wrong.
        """
        sigma = self.cross_sections(theta)
        reference = np.zeros(theta.shape[1]) if reference is None else reference
        base = self.cross_sections(reference[None])[0]
        by_bin = np.log(sigma / sigma.sum(axis=1, keepdims=True)) - np.log(base / base.sum())
        return by_bin[:, self.bin_of(values)]

    def score(self, values, theta):
        """Score of the normalised histogram: the mean score of the events in each bin.

        Parameters
        ----------
        values : array of shape (n, d)
        theta : array of shape (p,)

        Returns
        -------
        array of shape (n, p)

        Raises
        ------
        ValueError
            If a shape is wrong.
        """
        sigma = self.cross_sections(theta[None])[0]
        gradient = self.coefficients_ @ monomial_gradients(theta[None])[0]
        by_bin = gradient / sigma[:, None] - gradient.sum(axis=0) / sigma.sum()
        return by_bin[self.bin_of(values)]


class Ranked(NamedTuple):
    """Observables and the information in their histogram.

    Attributes
    ----------
    columns : tuple of int
        Which observables.
    estimate : Estimate
        Information per event.
    """

    columns: tuple
    estimate: Estimate


def rank_observables(values, joint_score, weights, bins=20, dimensions=1):
    """Compare the histograms of all observables, or of all pairs, by their information.

    Parameters
    ----------
    values : array of shape (n, d)
        Observables.
    joint_score : array of shape (n, p)
        Joint score of each event at the point in question.
    weights : array of shape (n,)
        Weights of the events at that point.
    bins : int
        Bins of each axis.
    dimensions : int
        1 for single observables, 2 for pairs.

    Returns
    -------
    list of Ranked
        The best first: with the largest share of the information of the joint score, averaged over the directions of
        the parameter space (see `bounds.shares`).

    Raises
    ------
    ValueError
        If the arrays do not fit together.

    Examples
    --------
    >>> x = np.random.default_rng(1).normal(size=(20_000, 3))
    >>> ranked = rank_observables(x, x[:, :1] + x[:, 1:2] / 2, np.ones(len(x)))
    >>> [best.columns[0] for best in ranked]
    [0, 1, 2]
    """
    values = to_numpy("values", values, ("n", "d"))
    check_count("dimensions", dimensions)
    ones = np.ones((len(values), 1))
    found = []
    for columns in combinations(range(values.shape[1]), dimensions):
        histogram = HistogramRatio((bins,) * dimensions).fit(values[:, columns], ones)
        index = histogram.bin_of(values[:, columns])
        found.append(Ranked(columns, histogram_information(index, joint_score, weights)))
    full = information(joint_score, weights).matrix
    return sorted(found, key=lambda ranked: -shares(ranked.estimate.matrix, full).mean())
