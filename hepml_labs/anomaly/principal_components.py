"""Principal components: the best linear autoencoder, in closed form."""

import numpy as np
import torch

from hepml_labs.anomaly.base import AnomalyDetector
from hepml_labs.nn import Standardizer
from hepml_labs.validation import check_count, to_numpy

__all__ = ["PrincipalComponents", "principal_directions", "residuals"]


def principal_directions(x):
    """Mean, variances and directions of a sample, the direction of the largest variance first.

    Parameters
    ----------
    x : array, (n, d)
        At least two events. In one unit, or standardised: a change of units changes the directions.

    Returns
    -------
    mean : array, (d,)
    variance : array, (d,)
        Eigenvalues of the covariance (with 1 / n), falling.
    directions : array, (d, d)
        Orthonormal eigenvectors, one in each **row**.

    Raises
    ------
    ValueError
        If `x` has another shape, is not finite, or has fewer than two events.

    Examples
    --------
    >>> mean, variance, directions = principal_directions(np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]))
    >>> mean.tolist(), variance.round(3).tolist(), np.abs(directions[0]).round(3).tolist()
    ([2.0, 3.0], [5.333, 0.0], [0.707, 0.707])
    """
    x = to_numpy("x", x, ("n", "d")).astype(np.float64)
    if len(x) < 2:
        raise ValueError(f"x: found {len(x)} event, expected at least two")
    mean = x.mean(axis=0)
    variance, columns = np.linalg.eigh((x - mean).T @ (x - mean) / len(x))
    return mean, variance[::-1].clip(min=0), columns[:, ::-1].T


def residuals(x, mean, directions, latent):
    """Squared distance of each event from the plane through the mean along the first `latent` directions.

    This is the reconstruction error of the best linear autoencoder with `latent` numbers in the middle.

    Parameters
    ----------
    x : array, (n, d)
    mean : array, (d,)
    directions : array, (d, d)
        As `principal_directions` returns them.
    latent : int
        Dimension of the plane, 0 (distance from the mean) to d (zero).

    Returns
    -------
    array, (n,)
        Over the events that gave mean and directions its average is the sum of the variances left out.

    Raises
    ------
    ValueError
        Naming the argument.

    Examples
    --------
    >>> residuals(np.array([[3.0, 4.0]]), np.zeros(2), np.eye(2), latent=1).tolist()
    [16.0]
    """
    x = to_numpy("x", x, ("n", len(mean)))
    check_count("latent", latent, minimum=0)
    if latent > len(mean):
        raise ValueError(f"latent: found {latent}, expected at most the {len(mean)} dimensions of the data")
    return (((x - mean) @ directions[latent:].T) ** 2).sum(axis=1)


class PrincipalComponents(AnomalyDetector):
    """Distance from the plane of the largest variances of the sidebands: the linear autoencoder, solved exactly.

    Parameters
    ----------
    latent : int
        Dimension of the plane.

    Attributes
    ----------
    variance_ : array, (d,)
        In standardised features, falling; those behind the first `latent` are the expected score of background.
    directions_ : array, (d, d)
        One in each row.

    Notes
    -----
    That a linear autoencoder has no other minimum: Baldi and Hornik, Neural Networks 2 (1989) 53, fact 4.

    Examples
    --------
    >>> from hepml_labs.anomaly.regions import Regions
    >>> random = np.random.default_rng(1)
    >>> x = random.normal(size=(500, 1)) * [1.0, 2.0] + random.normal(size=(500, 2)) / 9
    >>> detector = PrincipalComponents(latent=1).fit(x, np.linspace(2600.0, 5900.0, 500), Regions())
    >>> on_the_line, off_it = np.array([[3.0, 6.0], [1.0, -2.0]])
    >>> detector.score_samples(np.array([on_the_line, off_it]), np.full(2, 3500.0)).round(1).tolist()
    [0.0, 2.4]
    """

    def __init__(self, latent=2):
        self.latent = latent

    def fit(self, features, mass, regions):
        """Find the plane of the events in the sidebands; `features` (n, d), `mass` (n,) in GeV, and the regions."""
        features, _, _, sideband = self._prepare(features, mass, regions)
        check_count("latent", self.latent, minimum=0)
        self.scaler_ = Standardizer.fit(torch.tensor(features[sideband], dtype=torch.float64))
        self.mean_, self.variance_, self.directions_ = principal_directions(self._scaled(features[sideband]))
        return self

    def score_samples(self, features, mass):
        """Squared distance from the plane, (n,), in standard deviations of the features."""
        features, _ = self._check(features, mass)
        score = residuals(self._scaled(features), self.mean_, self.directions_, self.latent)
        return score.astype(features.dtype)

    def _scaled(self, features):
        return self.scaler_(torch.tensor(features, dtype=torch.float64)).numpy()
