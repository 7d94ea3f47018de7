"""The toy simulator of MadMiner's tutorial: one parameter, one latent variable, and everything known in closed form."""

import numpy as np
from scipy.stats import norm

from hepml_labs.sbi.gold import TrainingSample
from hepml_labs.validation import check_between, check_count, to_numpy

__all__ = ["ToySimulator"]


class ToySimulator:
    r"""A chain of two Gaussian steps: a hard process z ~ N(theta, s) and a detector x ~ N(z, d).

    The observable alone is Gaussian too, p(x|theta) = N(theta, sqrt(s^2 + d^2)), so that the true log-likelihood ratio
    and score are known beside the joint ones, which a real simulator gives as well.

    Parameters
    ----------
    latent_width : float
        s, the width of the hard process, above zero.
    detector_width : float
        d, the width of the detector, above zero.

    Raises
    ------
    ValueError
        If a width is not above zero, or an array has another shape than the one that is stated. In all methods a
        `theta` (or `reference`) is a number for all events or an array (n, 1) with one for each.

    Notes
    -----
    The model, its widths 2 and 1, the training range and `tutorial_test` are those of the notebook
    `examples/tutorial_toy_simulator` of MadMiner, Brehmer et al., arXiv:1907.10621. The joint score of that notebook
    takes x where z belongs.

    Examples
    --------
    >>> toy = ToySimulator()
    >>> x, z = toy.sample(theta=1.0, n=3, seed=1)
    >>> x.shape, z.shape
    ((3, 1), (3, 1))
    >>> toy.score(np.array([[6.0]]), 1.0), toy.joint_score(np.array([[5.0]]), 1.0)  # (6 - 1)/5 and (5 - 1)/4
    (array([[1.]]), array([[1.]]))
    """

    def __init__(self, latent_width=2.0, detector_width=1.0):
        check_between("latent_width", latent_width, 0, np.inf)
        check_between("detector_width", detector_width, 0, np.inf)
        self.latent_width, self.detector_width = latent_width, detector_width
        self.width = np.hypot(latent_width, detector_width)

    def sample(self, theta, n, seed=0):
        """Run the chain.

        Parameters
        ----------
        theta : float or array, (n, 1)
        n : int
            Number of events.
        seed : int
            Fixes the events.

        Returns
        -------
        x, z : array, (n, 1)
            Observable and latent variable of each event.
        """
        check_count("n", n)
        theta = _parameter("theta", theta, n)
        random = np.random.default_rng(seed)
        z = random.normal(theta, self.latent_width, size=(n, 1))
        return random.normal(z, self.detector_width), z

    def log_likelihood(self, x, theta):
        """Logarithm of p(x|theta), the integral over the latent variable.

        Parameters
        ----------
        x : array, (n, 1)
        theta : array, (m, 1)

        Returns
        -------
        array, (m, n)
        """
        x, theta = to_numpy("x", x, ("n", 1)), to_numpy("theta", theta, ("m", 1))
        return norm.logpdf(x[:, 0], theta, self.width)

    def log_ratio(self, x, theta, reference=0.0):
        """Logarithm of p(x|theta) / p(x|reference): what the ratio estimators shall learn.

        Parameters
        ----------
        x : array, (n, 1)
        theta : array, (m, 1)
        reference : float

        Returns
        -------
        array, (m, n)
            (theta - reference) (x - (theta + reference)/2) / (s^2 + d^2)
        """
        return self.log_likelihood(x, theta) - self.log_likelihood(x, np.array([[float(reference)]]))

    def score(self, x, theta):
        """Derivative of log p(x|theta) by theta: what SALLY shall learn.

        Parameters
        ----------
        x : array, (n, 1)
        theta : float or array, (n, 1)

        Returns
        -------
        array, (n, 1)
            (x - theta) / (s^2 + d^2)
        """
        x = to_numpy("x", x, ("n", 1))
        return (x - _parameter("theta", theta, len(x))) / self.width**2

    def joint_log_prob(self, x, z, theta):
        """Logarithm of p(x, z|theta) = p(x|z) p(z|theta), the density of one complete history.

        Parameters
        ----------
        x, z : array, (n, 1)
        theta : float or array, (n, 1)

        Returns
        -------
        array, (n,)
        """
        x, z = to_numpy("x", x, ("n", 1)), to_numpy("z", z, ("n", 1))
        if len(x) != len(z):
            raise ValueError(f"z: found {len(z)} events, expected {len(x)} as in x")
        theta = _parameter("theta", theta, len(x))
        return (norm.logpdf(z, theta, self.latent_width) + norm.logpdf(x, z, self.detector_width))[:, 0]

    def joint_log_ratio(self, x, z, theta, reference=0.0):
        """Logarithm of p(x, z|theta) / p(x, z|reference): the detector cancels.

        Parameters
        ----------
        x, z : array, (n, 1)
        theta, reference : float or array, (n, 1)

        Returns
        -------
        array, (n,)
            (theta - reference) (z - (theta + reference)/2) / s^2
        """
        return self.joint_log_prob(x, z, theta) - self.joint_log_prob(x, z, reference)

    def joint_score(self, z, theta):
        """Derivative of log p(x, z|theta) by theta. It depends on the latent variable only.

        Parameters
        ----------
        z : array, (n, 1)
        theta : float or array, (n, 1)

        Returns
        -------
        array, (n, 1)
            (z - theta) / s^2
        """
        z = to_numpy("z", z, ("n", 1))
        return (z - _parameter("theta", theta, len(z))) / self.latent_width**2

    def training_sample(self, n, low=-4.0, high=4.0, reference=0.0, seed=0):
        """Draw events for the ratio estimators, with their gold.

        Parameters
        ----------
        n : int
            Even number of events: half from p(x|theta) with theta uniform in [low, high], label 1, and half from
            p(x|reference), label 0. Both halves carry the same values of theta.
        low, high : float
            The range of theta.
        reference : float
        seed : int
            Fixes the events.

        Returns
        -------
        hepml_labs.sbi.gold.TrainingSample
            x (n, 1), theta (n, 1), label (n,), joint log ratio (n,) and joint score (n, 1), both at that theta.

        Examples
        --------
        >>> sample = ToySimulator().training_sample(1000, seed=1)
        >>> sample.x.shape, float(sample.label.mean())
        ((1000, 1), 0.5)
        """
        check_count("n", n, minimum=2)
        if n % 2:
            raise ValueError(f"n: found {n}, expected an even number, half of the events for each label")
        check_between("low", low, -np.inf, high)
        random = np.random.default_rng(seed)
        theta = np.tile(random.uniform(low, high, size=(n // 2, 1)), (2, 1))
        label = np.repeat([1.0, 0.0], n // 2)
        x, z = self.sample(np.where(label[:, None] == 1, theta, reference), n, seed=random)
        gold = self.joint_log_ratio(x, z, theta, reference), self.joint_score(z, theta)
        return TrainingSample(x, theta, label, *gold)

    def tutorial_test(self, n=1000, seed=0):
        """Draw MadMiner's test: events at theta = 1, and a grid in theta that goes beyond the training range.

        Parameters
        ----------
        n : int
            Number of events.
        seed : int
            Fixes the events.

        Returns
        -------
        x : array, (n, 1)
        theta : array, (100, 1)
            From -5 to 5.
        log_ratio : array, (100, n)
            The truth. The mean squared error of log r over this array is the published figure.
        """
        x, _ = self.sample(1.0, n, seed)
        theta = np.linspace(-5, 5, 100)[:, None]
        return x, theta, self.log_ratio(x, theta)


def _parameter(name, value, n):
    """Return theta as a float or as an array (n, 1)."""
    if np.ndim(value) == 0:
        check_between(name, value, -np.inf, np.inf)
        return float(value)
    return to_numpy(name, value, (n, 1))
