"""CATHODE: a background density interpolated into the signal region, sampled, and a classifier of data against it."""

import numpy as np
from sklearn.base import clone

from hepml_labs.anomaly.anode import bounded_flow
from hepml_labs.anomaly.base import TemplateDetector
from hepml_labs.validation import check_between, check_count, to_numpy

__all__ = ["CATHODE", "smooth_masses"]


def smooth_masses(mass, n, seed=0):
    """Draw masses from a kernel density estimate of a sample that ends at two edges.

    Parameters
    ----------
    mass : array, (k,)
        Masses of the events in the signal region, GeV. At least two.
    n : int
        Number of draws.
    seed : int
        Of the draws.

    Returns
    -------
    array, (n,)
        Between the smallest and the largest of the sample, in its floating-point type.

    Raises
    ------
    ValueError
        If an argument is malformed.

    Notes
    -----
    A draw from a kernel density estimate is an event of the sample plus noise of the width of the kernel, here
    Silverman's (*Density Estimation*, 1986, eq. 3.31), 0.9 times the smaller of the standard deviation and the
    interquartile range over 1.34, times k^(-1/5). Noise that leads over an edge is reflected, which keeps the
    density up to the edge.

    Examples
    --------
    >>> masses = np.random.default_rng(0).uniform(3300, 3700, size=1000)
    >>> drawn = smooth_masses(masses, 4000)
    >>> bool(drawn.min() >= masses.min() and drawn.max() <= masses.max()), bool(abs(drawn.mean() - masses.mean()) < 10)
    (True, True)
    """
    mass = to_numpy("mass", mass, ("n",))
    check_count("n", n)
    check_count("the number of masses", len(mass), minimum=2)
    low, high = mass.min(), mass.max()
    quartiles = np.subtract(*np.percentile(mass, [75, 25]))
    width = 0.9 * min(mass.std(), quartiles / 1.34) * len(mass) ** -0.2
    random = np.random.default_rng(seed)
    drawn = random.choice(mass, n) + width * random.normal(size=n)
    drawn = np.where(drawn < low, 2 * low - drawn, drawn)
    drawn = np.where(drawn > high, 2 * high - drawn, drawn)
    return np.clip(drawn, low, high).astype(mass.dtype)  # for kernels wider than the sample


class CATHODE(TemplateDetector):
    r"""Classifying anomalies through outer density estimation.

    1. Learn :math:`p_{\text{background}}(x|m)` in the sidebands.
    2. Draw masses like those in the signal region, and one x for each: a sample of background *in* the region.
    3. Train a classifier of the data in the region against this sample.

    Parameters
    ----------
    density : estimator, optional
        ``fit(x, context)`` and ``sample(context=, seed=)``: a `FlowEstimator`, or a `FlowMatching` from the chapter
        on generative networks. One that has been fitted goes into a :class:`sklearn.frozen.FrozenEstimator`. None:
        `bounded_flow`.
    classifier : estimator, optional
        See `TemplateDetector`. None: `default_classifier`.
    oversampling : float
        Sampled background events for each event in the signal region.
    seed : int
        Of the default density and classifier, and of the draws.

    Attributes
    ----------
    density_ : estimator
        The background density.
    background_ : array, (k, d)
        The sample that the classifier saw.
    classifier_ : estimator
        The fitted classifier.

    Notes
    -----
    Hallin et al., arXiv:2109.00546 :cite:`hallin2022cathode`. The mass is no input of the classifier.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> window = SimpleNamespace(inside=lambda m: abs(m - 3500) < 200, sideband=lambda m: abs(m - 3500) >= 200)
    >>> random = np.random.default_rng(1)
    >>> mass = random.uniform(2500, 4500, size=6000)
    >>> x = random.normal(size=(6000, 1))
    >>> bump = window.inside(mass) & (random.uniform(size=6000) < 0.3)
    >>> x[bump] = random.normal(2.5, 0.3, size=(bump.sum(), 1))
    >>> detector = CATHODE().fit(x, mass, window)
    >>> low, high = detector.score_samples(np.array([[-1.0], [2.5]]), np.array([3500.0, 3500.0]))
    >>> bool(high - low > 1)
    True
    """

    def __init__(self, density=None, classifier=None, oversampling=4, seed=0):
        super().__init__(classifier, seed)
        self.density = density
        self.oversampling = oversampling

    def fit(self, features, mass, regions):
        """Learn from data.

        Parameters
        ----------
        features : array, (n, d)
            Without the mass.
        mass : array, (n,)
            GeV.
        regions : Regions
            Signal region and sidebands.

        Returns
        -------
        CATHODE
            Itself.

        Raises
        ------
        ValueError
            If an array is malformed, a region has too few events, or `oversampling` is not above zero.
        """
        check_between("oversampling", self.oversampling, 0, np.inf)
        features, mass, inside, sideband = self._prepare(features, mass, regions)
        density = bounded_flow(features[inside | sideband], self.seed) if self.density is None else clone(self.density)
        self.density_ = density.fit(features[sideband], mass[sideband, None])
        number = max(1, round(self.oversampling * inside.sum()))
        self.background_ = self.sample_background(mass[inside], number, self.seed)
        return self._classify(self.background_, features[inside])

    def sample_background(self, mass, n, seed=0):
        """Draw background features (n, d), at masses smoothed from a sample (k,) in GeV."""
        masses = smooth_masses(mass, n, seed)
        return self.density_.sample(context=masses[:, None], seed=seed)
