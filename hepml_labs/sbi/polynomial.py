"""The likelihood ratio as a polynomial in the parameters: one regression for each coefficient."""

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.multioutput import MultiOutputRegressor
from sklearn.utils.validation import check_is_fitted

from hepml_labs.physics.morphing import parameters_of, quadratic_form
from hepml_labs.sbi import gold
from hepml_labs.validation import to_numpy

__all__ = ["PolynomialRatio", "nearest_positive"]


def _boosted_trees(seed):
    trees = HistGradientBoostingRegressor(
        max_iter=100, learning_rate=0.1, max_leaf_nodes=15, min_samples_leaf=100, random_state=seed
    )
    return MultiOutputRegressor(trees)


def nearest_positive(coefficients, floor=1e-3):
    """Replace quadratics that are negative at some theta by the nearest that are not.

    A quadratic w(theta) = u^T C u with u = (1, theta) is not negative at any theta exactly if the symmetric matrix C
    has no negative eigenvalue: cutting the eigenvalues from below gives the nearest such matrix (Frobenius norm).

    Parameters
    ----------
    coefficients : array (n, K)
        In the order of :func:`hepml_labs.physics.morphing.monomials`.
    floor : float
        Smallest eigenvalue, in units of the largest one of the same matrix.

    Returns
    -------
    array (n, K)
        Coefficients of quadratics above zero everywhere; those that were so already are unchanged up to rounding.

    Raises
    ------
    ValueError
        If the number of columns is not (p + 1)(p + 2)/2, an entry is not finite, or a quadratic is nowhere positive.

    Examples
    --------
    >>> nearest_positive(np.array([[1.0, 0.5, 1.0]]))
    array([[1. , 0.5, 1. ]])
    >>> nearest_positive(np.array([[1.0, 3.0, 1.0]])).round(2)  # 1 + 3 theta + theta^2 is negative at -1
    array([[1.25, 2.5 , 1.25]])
    """
    coefficients = to_numpy("coefficients", coefficients, ("n", "K"))
    matrix = quadratic_form(coefficients)
    values, vectors = np.linalg.eigh(matrix)
    if not (values[:, -1] > 0).all():
        raise ValueError(f"coefficients: found {(values[:, -1] <= 0).sum()} quadratics that are nowhere positive")
    values = np.maximum(values, floor * values[:, -1:])
    matrix = np.einsum("nik,nk,njk->nij", vectors, values, vectors)
    first, second = np.triu_indices(matrix.shape[1])
    return matrix[:, first, second] * np.where(first == second, 1, 2).astype(coefficients.dtype)


class PolynomialRatio(BaseEstimator):
    """Log ratio and score at every theta from a regression of the coefficients of the weights on the observables.

    The mean of the coefficients of events with the same x is the coefficient vector of their cross-section,
    E[c | x] = (d sigma_k / dx) / q(x), where q is the density of the generated events. It cancels in the ratio,

        r(x|theta) = E[c|x] . m(theta) / E[c|x] . m(reference) * sigma(reference) / sigma(theta).

    So a regression with squared errors on *all* events, unweighted, knows the ratio at every theta. With trees that are
    boosted it is the idea of boosted information trees (Chatterjee et al., arXiv:2107.10859 and 2205.12976).

    Parameters
    ----------
    regressor : scikit-learn regressor, optional
        For K outputs at once, with squared errors. By default gradient-boosted trees, one set for each coefficient.
    seed : int
        Of the default regressor.

    Attributes
    ----------
    regressor_ : scikit-learn regressor
        The fitted copy.
    total_ : array (K,)
        Coefficients of the cross-section: the sum over the training events.

    Notes
    -----
    A mean of positive quadratics is positive. Regressors that predict means with positive weights (forests, nearest
    neighbours) therefore need no correction; boosted trees and networks do, and get it from `nearest_positive`.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(4000, 1))
    >>> coefficients = np.hstack([1 + x**2, 2 * x, 1 + 0 * x])  # x^2 + 2 x theta + theta^2 + 1 > 0
    >>> ratio = PolynomialRatio().fit(x, coefficients)
    >>> ratio.log_ratio(x[:5], np.array([[0.5], [1.0]])).shape
    (2, 5)
    """

    def __init__(self, regressor=None, seed=0):
        self.regressor = regressor
        self.seed = seed

    def fit(self, x, coefficients):
        """Train on events x (n, d) and the coefficients (n, K) of their weights.

        Raises
        ------
        ValueError
            If shapes do not fit, or an entry is not finite.
        """
        x = to_numpy("x", x, ("n", "d"))
        coefficients = to_numpy("coefficients", coefficients, (len(x), "K"))
        parameters_of(coefficients.shape[1])
        self.total_ = coefficients.sum(axis=0, dtype=np.float64)
        self.scale_ = coefficients.std(axis=0, dtype=np.float64)
        self.scale_[self.scale_ == 0] = 1.0
        self.mean_ = self.total_ / len(x)
        self.regressor_ = _boosted_trees(self.seed) if self.regressor is None else clone(self.regressor)
        self.regressor_.fit(x, (coefficients - self.mean_) / self.scale_)
        self.features_ = x.shape[1]
        return self

    def coefficients(self, x):
        """Estimate of E[c|x], the coefficients of the density, for x (n, d): (n, K), positive at all theta.

        Raises
        ------
        ValueError
            If shapes do not fit.
        """
        check_is_fitted(self)
        x = to_numpy("x", x, ("n", self.features_))
        raw = self.regressor_.predict(x).reshape(len(x), -1) * self.scale_ + self.mean_
        return nearest_positive(raw)

    def log_ratio(self, x, theta, reference=None):
        """Log of p(x|theta)/p(x|reference).

        Parameters
        ----------
        x : array (n, d)
            Observables.
        theta : array (m, p)
            Parameters of the numerator.
        reference : array (p,), optional
            Of the denominator; the Standard Model, theta = 0, by default.

        Returns
        -------
        array (m, n)
            At all pairs, in the type of `x`.

        Raises
        ------
        ValueError
            If shapes do not fit.
        """
        coefficients = self.coefficients(x)
        p = parameters_of(coefficients.shape[1])
        theta = to_numpy("theta", np.asarray(theta), ("m", p))
        reference = np.zeros(p) if reference is None else reference
        rows = [gold.joint_log_ratio(coefficients, point, reference, self.total_) for point in theta]
        return np.stack(rows).astype(x.dtype)

    def score(self, x, theta):
        """Gradient of log p(x|theta) in theta at one point (p,), for x (n, d): (n, p).

        Raises
        ------
        ValueError
            If shapes do not fit.
        """
        return gold.joint_score(self.coefficients(x), theta, self.total_).astype(x.dtype)
