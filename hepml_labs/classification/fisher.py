"""Fisher's linear discriminant: the best single number that a linear map makes of many."""

import numpy as np
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, column_or_1d, validate_data

TYPES = (np.float64, np.float32)


class FisherDiscriminant(ClassifierMixin, BaseEstimator):
    r"""Fisher's linear discriminant for two classes, in closed form.

    Of all projections :math:`t = w \cdot x` it takes the one with the largest separation of the means in units of the
    spread within the classes. With the means :math:`m_k` and the covariance :math:`S_W`, averaged over the classes,

    .. math:: w = S_W^{-1} (m_1 - m_0) .

    For Gaussians of one covariance, :math:`t` is the logarithm of the likelihood ratio up to a constant, so nothing can
    do better. The probability uses this: the projections are two Gaussians around :math:`w\cdot m_k` with the common
    variance :math:`\Delta^2 = w \cdot (m_1 - m_0)`, which makes the log-odds linear. Where the covariances differ the
    order of the scores is all that may be trusted; calibrate the probability before you use it.

    Attributes
    ----------
    classes_ : array, (2,)
        The labels; the second one is the signal.
    priors_ : array, (2,)
        Share of each class in the total weight.
    means_ : array, (2, features)
        Means of the inputs in each class.
    covariance_ : array, (features, features)
        :math:`S_W`, divided by the total weight (maximum likelihood).
    coefficients_ : array, (features,)
        The vector w, in inverse units of the inputs.
    threshold_ : float
        Value of t at which both classes are equally probable.
    separation_ : float
        :math:`\Delta`, distance of the projected means in units of the common width. For Gaussians of one covariance
        the area under the ROC curve is :math:`\Phi(\Delta / \sqrt 2)`.
    n_features_in_ : int
        Number of inputs.

    Notes
    -----
    :cite:`fisher1936taxonomic`. The score is invariant under invertible linear maps of the inputs. Inputs that are
    constant or depend linearly on others are allowed and change nothing. It agrees with scikit-learn's
    ``LinearDiscriminantAnalysis(solver="lsqr")``, which takes no weights.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> y = random.integers(0, 2, 200_000)
    >>> X = random.normal(size=(200_000, 2)) @ [[1.0, 0.8], [0.0, 0.6]] + y[:, None] * [1.0, 0.0]
    >>> model = FisherDiscriminant().fit(X, y)  # covariance [[1, 0.8], [0.8, 1]], so w = (1, -0.8) / 0.36
    >>> model.coefficients_.round(1), round(model.separation_, 1)
    (array([ 2.8, -2.2]), 1.7)
    """

    def fit(self, X, y, sample_weight=None):
        """Compute the discriminant from means and covariances.

        Parameters
        ----------
        X : array, (n, features)
        y : array, (n,)
            Two labels; the larger one is the signal.
        sample_weight : array, (n,), optional
            Weights of the events. Some may be negative, as from a generator at next-to-leading order.

        Returns
        -------
        FisherDiscriminant
            Itself.

        Raises
        ------
        ValueError
            If X or y is no such array, the total weight of a class is not positive, or the scatter has no inverse in
            the direction in which the means differ: too few events, or a combination of inputs without any spread.
        """
        X, y = validate_data(self, X, y, dtype=TYPES)
        y = column_or_1d(y)
        check_classification_targets(y)
        self.classes_, index = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError("y: found one class, expected two")
        if len(self.classes_) > 2:
            kind = type_of_target(y)
            raise ValueError(f"Only binary classification is supported. The type of the target is {kind}.")
        x = X.astype(np.float64)
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64)
        total = np.bincount(index, weight, minlength=2)
        if not (total > 0).all():
            raise ValueError(f"sample_weight: found {total} in total for the two classes, expected both above zero")
        self.priors_ = total / total.sum()
        self.means_ = np.stack([weight[index == k] @ x[index == k] for k in (0, 1)]) / total[:, None]
        residual = x - self.means_[index]
        self.covariance_ = (residual * weight[:, None]).T @ residual / total.sum()
        difference = self.means_[1] - self.means_[0]
        self.coefficients_ = _solve(self.covariance_, difference)
        self.separation_ = float(np.sqrt(self.coefficients_ @ difference))
        middle = self.coefficients_ @ self.means_.mean(0)
        self.threshold_ = float(middle - np.log(self.priors_[1] / self.priors_[0]))
        return self

    def decision_function(self, X):
        """Logarithm of the odds for signal, at the class shares of the training data.

        Parameters
        ----------
        X : array, (n, features)

        Returns
        -------
        array, (n,)
            ``X @ coefficients_ - threshold_``, in the floating-point type of X.
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=TYPES)
        return (X @ self.coefficients_ - self.threshold_).astype(X.dtype)

    def predict_proba(self, X):
        """Probability of both classes, from two projected Gaussians of one width.

        Parameters
        ----------
        X : array, (n, features)

        Returns
        -------
        array, (n, 2)
        """
        log_odds = self.decision_function(X)
        return np.stack([expit(-log_odds), expit(log_odds)], axis=1)

    def predict(self, X):
        """Give the more probable label.

        Parameters
        ----------
        X : array, (n, features)

        Returns
        -------
        array, (n,)
        """
        signal = self.decision_function(X) > 0
        return self.classes_[signal.astype(int)]

    def __sklearn_tags__(self):
        """Say that there are two classes only."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags


def _solve(covariance, difference):
    """Solve ``covariance @ w = difference``, of all solutions the smallest in units of the inputs' spreads."""
    spread = np.sqrt(np.clip(np.diag(covariance), 0, None))
    scale = np.where(spread > 0, spread, 1.0)
    values, vectors = np.linalg.eigh(covariance / np.outer(scale, scale))
    along = vectors.T @ (difference / scale)
    flat = values < 1e-10 * len(values)
    if (np.abs(along[flat]) > 1e-8 * np.linalg.norm(along)).any() or flat.all():
        raise ValueError(
            f"X: found {int(flat.sum())} of {len(values)} combinations of features without spread inside the classes "
            "that tell them apart, expected none: give more events, or leave the feature out"
        )
    return vectors[:, ~flat] @ (along[~flat] / values[~flat]) / scale
