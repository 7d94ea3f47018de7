"""A known density with the shape of a decay: muons from a Z boson at rest, on a shell in momentum space."""

import numpy as np
from scipy.special import ndtr, ndtri

from hepml_labs.validation import check_between, check_count, to_numpy

__all__ = ["MuonShell"]


class MuonShell:
    """Momenta of the negative muon from unpolarised Z decays at rest, as a detector sees them, in GeV.

    Angles as in e+ e- to mu+ mu- without the forward-backward asymmetry, 1 + cos^2(theta) about the z axis; half the
    Z mass as magnitude of the momentum, smeared by a Gaussian (cut at zero).

    Parameters
    ----------
    momentum, resolution : float
        Mean and standard deviation of |p|, in GeV.

    Raises
    ------
    ValueError
        If a number is not positive.

    Notes
    -----
    p(x) = N(|x|; momentum, resolution) / |x|^2 times 3 (1 + cos^2 theta) / 16 pi. Most of the space is empty, within
    the shell as well: hard for smooth models, and like the shells of Butter et al., arXiv:2008.06545.

    Examples
    --------
    >>> shell = MuonShell()
    >>> shell.sample(1000, seed=1).shape, shell.to_unit(np.array([[0.0, 45.6, 0.0]]))
    ((1000, 3), array([[0.5 , 0.5 , 0.25]]))
    """

    features = 3

    def __init__(self, momentum=45.6, resolution=6.0):
        check_between("momentum", momentum, 0, np.inf)
        check_between("resolution", resolution, 0, np.inf)
        self.momentum, self.resolution = momentum, resolution
        self._below = ndtr(-momentum / resolution)  # probability that the cut at zero takes away

    def sample(self, n, seed=0):
        """Draw n events, ``(n, 3)``; `seed` is a number, a list of numbers or a numpy generator."""
        check_count("n", n)
        return self.from_unit(np.random.default_rng(seed).random((n, 3)))

    def density(self, x):
        """Return p(x) in 1/GeV^3 for momenta ``(n, 3)``, shape ``(n,)``."""
        x = to_numpy("x", x, ("n", 3)).astype(np.float64)
        p = np.linalg.norm(x, axis=1)
        radial = np.exp(-0.5 * ((p - self.momentum) / self.resolution) ** 2) / np.sqrt(2 * np.pi) / self.resolution
        return radial / (1 - self._below) / p**2 * 3 / (16 * np.pi) * (1 + (x[:, 2] / p) ** 2)

    def to_unit(self, x):
        """Map momenta ``(n, 3)`` to the unit cube by the cumulatives of |p|, cos(theta) and the azimuth."""
        x = to_numpy("x", x, ("n", 3)).astype(np.float64)
        p = np.linalg.norm(x, axis=1)
        radial = (ndtr((p - self.momentum) / self.resolution) - self._below) / (1 - self._below)
        c = x[:, 2] / p
        azimuth = np.arctan2(x[:, 1], x[:, 0]) / (2 * np.pi) % 1
        return np.stack([radial, (4 + 3 * c + c**3) / 8, azimuth], axis=1)

    def from_unit(self, unit):
        """Map points of the unit cube ``(n, 3)`` to momenta: the inverse of `to_unit`."""
        unit = to_numpy("unit", unit, ("n", 3)).astype(np.float64)
        p = self.momentum + self.resolution * ndtri(self._below + (1 - self._below) * unit[:, 0])
        # c^3 + 3 c = q has one real root, by Cardano's formula
        half = 4 * unit[:, 1] - 2
        c = np.cbrt(half + np.hypot(half, 1)) - np.cbrt(np.hypot(half, 1) - half)
        azimuth, s = 2 * np.pi * unit[:, 2], np.sqrt(np.maximum(1 - c**2, 0))
        return p[:, None] * np.stack([s * np.cos(azimuth), s * np.sin(azimuth), c], axis=1)
