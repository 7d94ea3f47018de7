"""Problems whose likelihood ratio is known: what a classifier should have learned, to compare with what it has."""

import numpy as np
from scipy.special import expit, log_softmax, ndtr, ndtri
from scipy.stats import qmc

from hepml_labs.validation import check_between, check_count, to_numpy

__all__ = ["Gaussians", "KnownDensities"]


class KnownDensities:
    """What problems with known densities share.

    A problem provides `classes`, `dimensions`, ``log_prob(X)`` of shape ``(n, classes)``, and ``transform(u, label)``,
    which maps uniform numbers to events of a class.
    """

    classes = 2

    def sample(self, n, seed=0):
        """Draw events, the same number of each class (one more of the first ones if n does not divide).

        Parameters
        ----------
        n : int
            Number of events, at least one of each class.
        seed : int
            Fixes the events.

        Returns
        -------
        X : array, (n, dimensions)
        y : array of int64, (n,)
            The class, from 0; shuffled.
        """
        check_count("n", n, minimum=self.classes)
        random = np.random.default_rng(seed)
        y = random.permutation(np.arange(n) % self.classes)
        u = random.random((n, self.dimensions))
        X = np.empty_like(u)
        for label in range(self.classes):
            X[y == label] = self.transform(u[y == label], label)
        return X, y

    def log_ratio(self, X, numerator=1, denominator=0):
        """Logarithm of the ratio of two of the densities: what the best classifier of these two knows.

        Parameters
        ----------
        X : array, (n, dimensions)
        numerator, denominator : int
            Classes.

        Returns
        -------
        array, (n,)
        """
        log_prob = self.log_prob(X)
        return log_prob[:, numerator] - log_prob[:, denominator]

    def posterior(self, X):
        """Probability of each class where all are equally frequent.

        Parameters
        ----------
        X : array, (n, dimensions)

        Returns
        -------
        array, (n, classes)
        """
        return np.exp(log_softmax(self.log_prob(X), axis=1))

    def roc(self, signal_efficiency, points=2**15, seed=0):
        """Background efficiency of the best classifier of class 1 against class 0, by numerical integration.

        Parameters
        ----------
        signal_efficiency : array
            Values in (0, 1).
        points : int
            Points of the integration for each class, a power of two.
        seed : int
            Shifts the points.

        Returns
        -------
        array
            Same shape; accurate to some 0.0001.

        Notes
        -----
        Quasi-random points follow the sum of both densities. Each of them counts as signal with its posterior
        probability and as background with the rest: with the densities known, nobody has to ask for the label.
        """
        signal, background = self._cumulative(points, seed)
        return np.interp(signal_efficiency, signal, background)

    def area(self, points=2**15, seed=0):
        """Area under the ROC curve of `roc`, the largest that any classifier can have.

        Parameters
        ----------
        points, seed : int
            As in `roc`.

        Returns
        -------
        float
        """
        signal, background = self._cumulative(points, seed)
        return float(0.5 * (signal[1:] + signal[:-1]) @ np.diff(background))

    def _cumulative(self, points, seed):
        """Signal and background efficiency at falling thresholds, from (0, 0) to (1, 1)."""
        power = int(points).bit_length() - 1
        if points != 2**power or power < 4:
            raise ValueError(f"points: found {points!r}, expected a power of two of at least 16")
        u = qmc.Sobol(self.dimensions, seed=seed).random_base2(power)
        u = np.clip(u, 1e-12, 1 - 1e-12)
        log_ratio = self.log_ratio(np.concatenate([self.transform(u, label) for label in (0, 1)]))
        log_ratio = -np.sort(-log_ratio)
        weights = np.stack([expit(log_ratio), expit(-log_ratio)])
        efficiency = np.cumsum(weights, axis=1) / weights.sum(axis=1, keepdims=True)
        return np.concatenate([np.zeros((2, 1)), efficiency], axis=1)


class Gaussians(KnownDensities):
    """Two or more Gaussians with any means and covariances.

    Equal covariances make the log ratio linear, unequal ones quadratic. For two classes of one covariance, all is known
    in closed form: with the distance D of the means in units of the width (Mahalanobis), the log ratio is Gaussian
    with width D and means D^2/2 and -D^2/2 in the two classes.

    Parameters
    ----------
    means : array, (classes, dimensions)
        In any units.
    covariances : array, (dimensions, dimensions) or (classes, dimensions, dimensions)
        One for all classes or one for each, symmetric and positive definite.

    Raises
    ------
    ValueError
        If shapes do not fit, there is one class only, or a covariance is not positive definite.

    Examples
    --------
    >>> problem = Gaussians(np.array([[0.0], [2.0]]), np.eye(1))
    >>> problem.log_ratio(np.array([[1.0], [1.5]]))
    array([0., 1.])
    >>> round(problem.area(), 4)  # Phi(2 / sqrt 2)
    0.9214
    """

    def __init__(self, means, covariances):
        self.means = to_numpy("means", means, ("classes", "dimensions")).astype(np.float64)
        self.classes, self.dimensions = self.means.shape
        if self.classes < 2:
            raise ValueError("means: found one class, expected at least two")
        covariances = to_numpy("covariances", covariances, (..., self.dimensions, self.dimensions))
        self.one_covariance = covariances.ndim == 2
        shape = (self.classes, self.dimensions, self.dimensions)
        if covariances.ndim > 3 or (not self.one_covariance and covariances.shape != shape):
            raise ValueError(f"covariances: found shape {covariances.shape}, expected {shape} or {shape[1:]}")
        self.covariances = np.broadcast_to(covariances, shape).astype(np.float64)
        if not np.allclose(self.covariances, self.covariances.transpose(0, 2, 1)):
            raise ValueError("covariances: found a matrix that is not symmetric")
        try:
            self._root = np.linalg.cholesky(self.covariances)
        except np.linalg.LinAlgError as error:
            raise ValueError("covariances: found a matrix that is not positive definite") from error

    @classmethod
    def correlated(cls, dimensions=2, distance=2.0, correlation=0.5):
        """Two classes with unit widths and one correlation of all pairs of features.

        Parameters
        ----------
        dimensions : int
            Number of features.
        distance : float
            Mahalanobis distance of the means, above zero. The means differ in the first feature only: the other
            features help by their correlation, although each alone looks the same in both classes.
        correlation : float
            In [0, 1).

        Returns
        -------
        Gaussians
        """
        check_count("dimensions", dimensions)
        check_between("distance", distance, 0, np.inf)
        check_between("correlation", correlation, 0, 1, include_low=True)
        covariance = correlation + (1 - correlation) * np.eye(dimensions)
        shift = np.zeros(dimensions)
        shift[0] = distance / np.sqrt(np.linalg.inv(covariance)[0, 0])
        return cls(np.stack([-shift / 2, shift / 2]), covariance)

    def log_prob(self, X):
        """Logarithm of all densities.

        Parameters
        ----------
        X : array, (n, dimensions)

        Returns
        -------
        array, (n, classes)
        """
        X = to_numpy("X", X, ("n", self.dimensions))
        z = np.stack([np.linalg.solve(root, (X - mean).T) for root, mean in zip(self._root, self.means, strict=True)])
        log_det = np.log(np.diagonal(self._root, axis1=1, axis2=2)).sum(axis=1)
        log_prob = -0.5 * (z**2).sum(axis=1) - log_det[:, None] - 0.5 * self.dimensions * np.log(2 * np.pi)
        return log_prob.T.astype(X.dtype)

    def transform(self, u, label):
        """Map uniform numbers in (0, 1) of shape (n, dimensions) to events of a class, same shape."""
        return self.means[label] + ndtri(u) @ self._root[label].T

    @property
    def distance(self):
        """Mahalanobis distance of classes 0 and 1 (float), for one covariance."""
        if not self.one_covariance:
            raise ValueError("covariances: found one for each class, expected one for all")
        return float(np.linalg.norm(np.linalg.solve(self._root[0], self.means[1] - self.means[0])))

    def roc(self, signal_efficiency, points=2**15, seed=0):
        """Background efficiency of the best classifier of class 1 against class 0.

        Parameters
        ----------
        signal_efficiency : array
            Values in (0, 1).
        points, seed : int
            Of the numerical integration; not used for one covariance, where the curve is
            Phi(Phi^-1(signal efficiency) - distance).

        Returns
        -------
        array
            Same shape.
        """
        if not self.one_covariance:
            return super().roc(signal_efficiency, points, seed)
        return ndtr(ndtri(signal_efficiency) - self.distance)

    def area(self, points=2**15, seed=0):
        """Area under the ROC curve of `roc`; Phi(distance / sqrt 2) for one covariance.

        Parameters
        ----------
        points, seed : int
            As in `roc`.

        Returns
        -------
        float
        """
        return float(ndtr(self.distance / np.sqrt(2))) if self.one_covariance else super().area(points, seed)
