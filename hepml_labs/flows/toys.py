"""Toy densities in closed form, to hold a learned density against."""

import numpy as np
from scipy.special import logsumexp

from hepml_labs.validation import check_between, check_count, to_numpy

__all__ = ["TwoMoons"]


class TwoMoons:
    """Two half circles of radius one that reach into each other, blurred by Gaussian noise.

    The upper one is (cos t, sin t), the lower one (1 - cos t, 1/2 - sin t), both with t uniform in [0, pi]: the curves
    of `sklearn.datasets.make_moons`. Unlike there, the density is at hand.

    Parameters
    ----------
    noise : float
        Standard deviation of the noise in each coordinate, in [0.01, 1].

    Raises
    ------
    ValueError
        If `noise` is out of range.

    Notes
    -----
    The density is the average over both curves of a Gaussian,
    p(x) = 1/2 sum_curves 1/pi int_0^pi dt N(x; c(t), noise^2). The integrand is smooth on the scale of the noise; a
    Gauss-Legendre rule with 8 / noise points is exact to rounding.

    Examples
    --------
    >>> moons = TwoMoons(noise=0.1)
    >>> x = moons.sample(20_000, seed=1)
    >>> x.shape, round(float(-moons.log_prob(x).mean()), 2)  # the entropy, in nats
    ((20000, 2), 1.01)
    """

    def __init__(self, noise=0.1):
        check_between("noise", noise, 0.01, 1, include_low=True, include_high=True)
        self.noise = noise

    def curves(self, t):
        """Points of the two curves without noise.

        Parameters
        ----------
        t : array, (k,)
            Angle along the half circle, in [0, pi].

        Returns
        -------
        array, (2, k, 2)
            Upper and lower curve.
        """
        upper = np.stack([np.cos(t), np.sin(t)], axis=-1)
        return np.stack([upper, np.array([1.0, 0.5]) - upper])

    def sample(self, n, seed=0):
        """Draw points, each from either moon with probability one half.

        Parameters
        ----------
        n : int
            Number of points.
        seed : int
            Fixes the points.

        Returns
        -------
        array, (n, 2)
        """
        check_count("n", n)
        random = np.random.default_rng(seed)
        points = self.curves(np.pi * random.random(n))[random.integers(2, size=n), np.arange(n)]
        return points + self.noise * random.normal(size=(n, 2))

    def log_prob(self, x):
        """Logarithm of the density.

        Parameters
        ----------
        x : array, (n, 2)

        Returns
        -------
        array, (n,)
        """
        x = to_numpy("x", x, ("n", 2)).astype(np.float64)
        nodes, weights = np.polynomial.legendre.leggauss(int(np.ceil(8 / self.noise)))
        centers = self.curves(np.pi / 2 * (nodes + 1)).reshape(-1, 2)
        # |x - c|^2 as a matrix product: no array of shape (n, 2 k, 2)
        squared = (x**2).sum(1)[:, None] - 2 * x @ centers.T + (centers**2).sum(1)
        gaussians = -squared / (2 * self.noise**2) - np.log(2 * np.pi * self.noise**2)
        return logsumexp(gaussians, axis=1, b=np.tile(weights, 2) / 4)
