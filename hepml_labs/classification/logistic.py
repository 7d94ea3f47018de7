"""Logistic regression by Newton's method."""

import warnings

import numpy as np
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning

from hepml_labs.classification.linear import LinearClassifier
from hepml_labs.validation import check_array, check_between, check_count

__all__ = ["LogisticRegression", "newton_step"]


def newton_step(design, label, coefficients, weight=None, l2=0.0):
    """One step of Newton's method for logistic regression (iteratively reweighted least squares).

    Parameters
    ----------
    design : array, (n, k)
        Inputs; the first column is one, for the intercept.
    label : array, (n,)
        1 for signal, 0 for background.
    coefficients : array, (k,)
        Where the step starts.
    weight : array, (n,), optional
        Weights of the events.
    l2 : float
        Strength of the penalty ``l2 / 2`` times the squared coefficients without the intercept.

    Returns
    -------
    array, (k,)
        ``coefficients - H^-1 gradient`` with ``gradient = D^T (p - y) + l2 c`` and ``H = D^T diag(p (1 - p)) D + l2``.
        Where H has no inverse (inputs that depend linearly on others), the shortest of the steps that solve the
        equation, in units in which H has ones on its diagonal.

    Raises
    ------
    ValueError
        If shapes do not fit or entries are not finite.

    Notes
    -----
    Hastie, Tibshirani and Friedman, The Elements of Statistical Learning (2009), eqs. 4.21 to 4.26.

    Examples
    --------
    >>> x = np.array([-1.0, -0.5, 0.5, 1.0])
    >>> newton_step(np.stack([np.ones(4), x], axis=1), np.array([0.0, 1.0, 0.0, 1.0]), np.zeros(2))
    array([0. , 0.8])
    """
    check_array("design", design, ("n", "k"))
    check_array("coefficients", coefficients, (design.shape[1],))
    check_array("label", label, (len(design),), floating=False)
    weight = np.ones(len(design)) if weight is None else weight
    check_array("weight", weight, (len(design),))
    gradient, hessian = _derivatives(design, label, coefficients, weight, l2)
    return coefficients - _inverse(hessian) @ gradient


def _inverse(hessian):
    """Inverse, or pseudo-inverse, after a scaling to a unit diagonal: inputs may be in GeV and in rad."""
    scale = np.sqrt(np.maximum(np.diag(hessian), np.finfo(float).tiny))
    scale = np.outer(scale, scale)
    return np.linalg.pinv(hessian / scale, rcond=1e-12, hermitian=True) / scale


def _derivatives(design, label, coefficients, weight, l2):
    """Gradient and matrix of second derivatives of the penalised loss."""
    probability = expit(design @ coefficients)
    penalty = np.full(len(coefficients), float(l2))
    penalty[0] = 0.0  # a shift of all scores costs nothing
    gradient = design.T @ (weight * (probability - label)) + penalty * coefficients
    hessian = (design.T * (weight * probability * (1 - probability))) @ design + np.diag(penalty)
    return gradient, hessian


def _loss(design, label, coefficients, weight, l2):
    log_odds = design @ coefficients
    return weight @ (np.logaddexp(0, log_odds) - label * log_odds) + 0.5 * l2 * coefficients[1:] @ coefficients[1:]


class LogisticRegression(LinearClassifier):
    """Logistic regression for two classes: log-odds that are linear in the inputs.

    For two Gaussians with one covariance this is the exact form of the log ratio; otherwise it is the best linear
    approximation in the sense of the cross-entropy. There is one minimum, and Newton's method finds it in a few steps.

    Parameters
    ----------
    l2 : float
        Penalty ``l2 / 2`` times the sum of the squared coefficients (not of the intercept), beside the *sum* of the
        events' losses; zero for plain maximum likelihood. It is scikit-learn's ``1 / C``.
    iterations : int
        Newton steps at most.
    tolerance : float
        Stop when a step changes the mean loss by less than this, in nats. The steps converge quadratically, so the
        last one is far more accurate than that.

    Attributes
    ----------
    classes_ : array, (2,)
        The labels; the second one is the signal.
    coefficients_ : array, (features,)
        In inverse units of the inputs.
    intercept_ : float
        Holds the logarithm of the class shares.
    covariance_ : array, (features + 1, features + 1)
        Inverse of the second derivatives, the intercept first: the statistical covariance of the estimate, where the
        log ratio is truly linear, events have weight one, and `l2` is zero.
    iterations_ : int
        Newton steps taken.
    n_features_in_ : int
        Number of inputs.

    Notes
    -----
    If a plane separates the classes, the likelihood has no maximum: the coefficients grow for ever. The fit stops when
    the loss no longer changes, and warns. A small `l2` cures it.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> y = random.integers(0, 2, 100_000)
    >>> X = random.normal(size=(100_000, 1)) + y[:, None]  # log ratio x - 1/2
    >>> model = LogisticRegression().fit(X, y)
    >>> print(f"{model.coefficients_[0]:.2f} ± {model.covariance_[1, 1] ** 0.5:.2f}, {model.intercept_:.2f}")
    0.99 ± 0.01, -0.50
    """

    def __init__(self, l2=0.0, iterations=100, tolerance=1e-12):
        self.l2 = l2
        self.iterations = iterations
        self.tolerance = tolerance

    def fit(self, X, y, sample_weight=None):
        """Find the minimum by Newton steps, halved where they would overshoot.

        Parameters
        ----------
        X : array, (n, features)
        y : array, (n,)
            Two labels; the larger one is the signal.
        sample_weight : array, (n,), optional
            Weights of the events, zero or positive (with negative ones there may be no minimum).

        Returns
        -------
        LogisticRegression
            Itself.

        Raises
        ------
        ValueError
            If X or y is no such array, a weight is negative, or a class has no weight.
        """
        check_between("l2", self.l2, 0, np.inf, include_low=True)
        check_count("iterations", self.iterations)
        X, index, weight, _ = self._two_classes(X, y, sample_weight, ensure_non_negative=True)
        label = index.astype(np.float64)

        # the design is centred, so that intercept and slopes are nearly independent
        center = weight @ X.astype(np.float64) / weight.sum()
        design = np.column_stack([np.ones(len(X)), X - center])
        coefficients = np.zeros(design.shape[1])
        loss = _loss(design, label, coefficients, weight, self.l2)
        small = self.tolerance * weight.sum()
        for self.iterations_ in range(1, self.iterations + 1):  # noqa: B020
            proposal = newton_step(design, label, coefficients, weight, self.l2)
            while (new := _loss(design, label, proposal, weight, self.l2)) > loss + small:
                proposal = 0.5 * (proposal + coefficients)
            gain, loss, coefficients = loss - new, new, proposal
            if gain < small:
                break
        else:
            warnings.warn(f"not converged after {self.iterations} steps", ConvergenceWarning, stacklevel=2)
        if self.l2 == 0 and ((design @ coefficients > 0) == (label == 1))[weight > 0].all():
            text = "a plane separates the classes: without l2 the coefficients grow for ever"
            warnings.warn(text, ConvergenceWarning, stacklevel=2)

        covariance = _inverse(_derivatives(design, label, coefficients, weight, self.l2)[1])
        shift = np.eye(len(coefficients))
        shift[0, 1:] = -center  # back from the centred inputs
        self.covariance_ = shift @ covariance @ shift.T
        self.intercept_, self.coefficients_ = float((shift @ coefficients)[0]), coefficients[1:]
        return self
