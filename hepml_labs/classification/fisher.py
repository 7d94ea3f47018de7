"""Fisher's linear discriminant: the best single number that a linear map makes of many."""

import numpy as np

from hepml_labs.classification.linear import LinearClassifier


class FisherDiscriminant(LinearClassifier):
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
    intercept_, threshold_ : float
        The log-odds are t + intercept_; threshold_ = -intercept_ is the t at which both classes are equally probable.
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
        X, index, weight, total = self._two_classes(X, y, sample_weight)
        x = X.astype(np.float64)
        self.priors_ = total / total.sum()
        self.means_ = np.stack([weight[index == k] @ x[index == k] for k in (0, 1)]) / total[:, None]
        residual = x - self.means_[index]
        self.covariance_ = (residual * weight[:, None]).T @ residual / total.sum()
        difference = self.means_[1] - self.means_[0]
        self.coefficients_ = _solve(self.covariance_, difference)
        self.separation_ = float(np.sqrt(self.coefficients_ @ difference))
        middle = self.coefficients_ @ self.means_.mean(0)
        self.intercept_ = float(np.log(self.priors_[1] / self.priors_[0]) - middle)
        return self

    @property
    def threshold_(self):
        """Value of t at which both classes are equally probable."""
        return -self.intercept_


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
