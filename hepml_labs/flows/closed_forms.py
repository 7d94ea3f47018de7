"""Densities whose events, values and cumulatives are known: what an uncertainty or an amplification is tested on.

Each class has three methods. ``sample(n, seed)`` draws events ``(n, d)``; ``density(x)`` is p(x), ``(n,)``; and
``to_unit(x)`` maps events to the unit box, ``(n, d)``, where the true density is flat: cells of equal volume there
have equal probability.
"""

import numpy as np
from scipy.special import ndtr, ndtri

from hepml_labs.validation import check_between, check_count, to_numpy

__all__ = ["CamelBack", "Ramp", "Ring"]


def _checked(x, features):
    return to_numpy("x", x, ("n", features)).astype(np.float64)


class Ramp:
    """A ramp in x that is flat in y: p(x, y) = 2 x on the unit square (Bellagente et al., arXiv:2104.04543).

    Examples
    --------
    >>> x = Ramp().sample(1000, seed=1)
    >>> x.shape, Ramp().density(np.array([[0.5, 0.2], [1.0, 0.9], [1.5, 0.1]]))
    ((1000, 2), array([1., 2., 0.]))
    """

    features = 2

    def sample(self, n, seed=0):
        """Draw n events, ``(n, 2)``; `seed` is a number or a numpy generator."""
        check_count("n", n)
        unit = np.random.default_rng(seed).random((n, 2))
        return np.stack([np.sqrt(unit[:, 0]), unit[:, 1]], axis=1)

    def density(self, x):
        """Return p(x) for events ``(n, 2)``, shape ``(n,)``; zero outside of the square."""
        x = _checked(x, 2)
        return np.where(((x >= 0) & (x <= 1)).all(1), 2 * x[:, 0], 0.0)

    def to_unit(self, x):
        """Map events ``(n, 2)`` to the unit square, where they are uniform."""
        x = _checked(x, 2)
        return np.stack([np.clip(x[:, 0], 0, 1) ** 2, x[:, 1]], axis=1)


class Ring:
    """A ring in the plane: the radius is Gaussian (cut at zero), the angle uniform.

    Parameters
    ----------
    radius, width : float
        Mean and standard deviation of the radius; 4 and 1 are the values of Bellagente et al., arXiv:2104.04543.

    Raises
    ------
    ValueError
        If a number is not positive.

    Examples
    --------
    >>> ring = Ring()
    >>> ring.sample(1000, seed=1).shape, ring.to_unit(np.array([[0.0, 4.0]])).round(3)
    ((1000, 2), array([[0.5 , 0.25]]))
    """

    features = 2

    def __init__(self, radius=4.0, width=1.0):
        check_between("radius", radius, 0, np.inf)
        check_between("width", width, 0, np.inf)
        self.radius, self.width = radius, width
        self._below = ndtr(-radius / width)  # probability that the cut at zero takes away

    def sample(self, n, seed=0):
        """Draw n events, ``(n, 2)``; `seed` is a number or a numpy generator."""
        check_count("n", n)
        unit = np.random.default_rng(seed).random((n, 2))
        r = self.radius + self.width * ndtri(self._below + (1 - self._below) * unit[:, 0])
        angle = 2 * np.pi * unit[:, 1]
        return np.stack([r * np.cos(angle), r * np.sin(angle)], axis=1)

    def density(self, x):
        """Return p(x) = N(r; radius, width) / (2 pi r) for points ``(n, 2)``, shape ``(n,)``."""
        r = np.hypot(*_checked(x, 2).T)
        gaussian = np.exp(-0.5 * ((r - self.radius) / self.width) ** 2) / (np.sqrt(2 * np.pi) * self.width)
        return gaussian / (1 - self._below) / (2 * np.pi * r)

    def to_unit(self, x):
        """Map points ``(n, 2)`` to the unit square: cumulative of the radius, and angle / (2 pi)."""
        x = _checked(x, 2)
        r = np.hypot(*x.T)
        angle = np.arctan2(x[:, 1], x[:, 0]) / (2 * np.pi) % 1
        return np.stack([(ndtr((r - self.radius) / self.width) - self._below) / (1 - self._below), angle], axis=1)


class CamelBack:
    """Two Gaussians of unit width and equal weight, at -distance and +distance (Butter et al., arXiv:2008.06545).

    Parameters
    ----------
    distance : float
        Half the distance of the peaks.

    Raises
    ------
    ValueError
        If `distance` is not positive.

    Examples
    --------
    >>> CamelBack().sample(1000, seed=1).shape, CamelBack().to_unit(np.array([[0.0]]))
    ((1000, 1), array([[0.5]]))
    """

    features = 1

    def __init__(self, distance=4.0):
        check_between("distance", distance, 0, np.inf)
        self.distance = distance

    def sample(self, n, seed=0):
        """Draw n events, ``(n, 1)``; `seed` is a number or a numpy generator."""
        check_count("n", n)
        random = np.random.default_rng(seed)
        return (self.distance * (2 * random.integers(2, size=n) - 1) + random.normal(size=n))[:, None]

    def density(self, x):
        """Return p(x) for events ``(n, 1)``, shape ``(n,)``."""
        x = _checked(x, 1)
        peaks = np.exp(-0.5 * (x - self.distance * np.array([-1.0, 1.0])) ** 2) / np.sqrt(2 * np.pi)
        return peaks.mean(1)

    def to_unit(self, x):
        """Return the cumulative of events ``(n, 1)``, in [0, 1], of the same shape."""
        x = _checked(x, 1)
        return (0.5 * (ndtr(x + self.distance) + ndtr(x - self.distance))).reshape(-1, 1)
