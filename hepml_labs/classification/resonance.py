"""A resonance on a falling spectrum: a problem of particle physics whose likelihood ratio is known."""

import numpy as np
from scipy.special import gammaincinv

from hepml_labs.classification.two_densities import KnownDensities
from hepml_labs.validation import check_count, to_numpy

__all__ = ["Resonance"]


class Resonance(KnownDensities):
    """A resonance on a falling spectrum, with the features that go along with its mass, and an exact log ratio.

    | feature | signal | background |
    |---|---|---|
    | mass [GeV], 100 to 160 | Breit-Wigner (Lorentz) at 125, half width 3 (1 + cos^2) | exp(-mass / 30) |
    | cosine of the decay angle | 3/8 (1 + cos^2) | 1/2 |
    | transverse momentum [GeV] | x e^-x, x = pt / (0.30 mass) | x e^-x, x = pt / (0.20 mass) |
    | azimuth of the decay plane | (1 + 0.8 sin^2 cos 2 phi) / (2 pi) | 1 / (2 pi) |
    | isolation [GeV] | exp(-I / 3) / 3 | exp(-I / 5) / 5 |

    Forward decays are measured worse: the width depends on the angle, and the surfaces of equal ratio are curved. The
    first `dimensions` of these features make the problem.

    Parameters
    ----------
    dimensions : int
        Number of features, 2 to 5.

    Raises
    ------
    ValueError
        If `dimensions` is out of range.

    Examples
    --------
    >>> problem = Resonance(dimensions=2)
    >>> problem.log_ratio(np.array([[125.0, 0.0], [150.0, 0.0]])).round(2)
    array([ 1.63, -1.8 ])
    """

    names = ("mass [GeV]", "cosine", "transverse momentum [GeV]", "azimuth", "isolation [GeV]")
    low, high, peak, half_width, slope = 100.0, 160.0, 125.0, 3.0, 30.0  # GeV
    pt_scale, isolation_scale = (0.20, 0.30), (5.0, 3.0)  # background, signal
    polarisation = 0.8

    def __init__(self, dimensions=2):
        check_count("dimensions", dimensions, minimum=2)
        if dimensions > 5:
            raise ValueError(f"dimensions: found {dimensions}, expected 2 to 5")
        self.dimensions = dimensions

    def log_prob(self, X):
        """Logarithm of both densities, background first.

        Parameters
        ----------
        X : array, (n, dimensions)
            Features in the order and units of the table.

        Returns
        -------
        array, (n, 2)
            In inverse units of the features.

        Raises
        ------
        ValueError
            If a mass, a cosine, a momentum or an isolation lies outside of its range.
        """
        X = to_numpy("X", X, ("n", self.dimensions))
        ranges = ((self.low, self.high), (-1, 1), (0, np.inf), (-np.inf, np.inf), (0, np.inf))
        columns = X.astype(np.float64).T
        for name, column, (low, high) in zip(self.names, columns, ranges, strict=False):
            if ((column < low) | (column > high)).any():
                raise ValueError(f"X: found {name} from {column.min():g} to {column.max():g}, expected {low} to {high}")
        mass, cosine, *others = columns
        width, first, last = self._breit_wigner(cosine)
        signal = np.log(width / (width**2 + (mass - self.peak) ** 2) / (last - first) * 3 / 8 * (1 + cosine**2))
        norm = self.slope * (np.exp(-self.low / self.slope) - np.exp(-self.high / self.slope))
        log_prob = np.stack([-mass / self.slope - np.log(2 * norm), signal], axis=1)
        if self.dimensions > 2:
            scale = np.outer(mass, self.pt_scale)
            pt = np.maximum(others[0], np.finfo(float).tiny)[:, None]
            log_prob += np.log(pt / scale**2) - pt / scale
        if self.dimensions > 3:
            modulation = self.polarisation * (1 - cosine**2) * np.cos(2 * others[1])
            log_prob += np.log1p(np.outer(modulation, (0, 1))) - np.log(2 * np.pi)
        if self.dimensions > 4:
            log_prob += -others[2][:, None] / self.isolation_scale - np.log(self.isolation_scale)
        return log_prob.astype(X.dtype)

    def _breit_wigner(self, cosine):
        """Half width and the arcus tangens at both ends of the mass range."""
        width = self.half_width * (1 + cosine**2)
        return width, np.arctan((self.low - self.peak) / width), np.arctan((self.high - self.peak) / width)

    def transform(self, u, label):
        """Map uniform numbers in [0, 1), (n, dimensions), to features by their inverse cumulative distributions."""
        u = u.T
        X = np.empty_like(u)
        if label == 1:
            X[1] = 2 * np.sinh(np.arcsinh(4 * u[1] - 2) / 3)  # the root of c^3 + 3 c = 8 u - 4
            width, first, last = self._breit_wigner(X[1])
            X[0] = self.peak + width * np.tan(first + u[0] * (last - first))
        else:
            X[1] = 2 * u[1] - 1
            ends = np.exp(-self.low / self.slope), np.exp(-self.high / self.slope)
            X[0] = -self.slope * np.log(ends[0] + u[0] * (ends[1] - ends[0]))
        X[0] = np.clip(X[0], self.low, self.high)  # rounding
        if self.dimensions > 2:
            X[2] = self.pt_scale[label] * X[0] * gammaincinv(2, u[2])
        if self.dimensions > 3:
            modulation = label * self.polarisation * (1 - X[1] ** 2)
            X[3] = 0.5 * _solve_kepler(2 * np.pi * (2 * u[3] - 1), modulation)
        if self.dimensions > 4:
            X[4] = -self.isolation_scale[label] * np.log1p(-u[4])
        return X.T


def _solve_kepler(anomaly, eccentricity):
    """Solve x + e sin x = a for x by Newton's method, kept where the solution must lie."""
    x = anomaly.copy()
    for _ in range(30):
        x -= (x + eccentricity * np.sin(x) - anomaly) / (1 + eccentricity * np.cos(x))
        x = np.clip(x, anomaly - eccentricity, anomaly + eccentricity)
    return x
