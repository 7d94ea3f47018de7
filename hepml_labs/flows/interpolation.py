"""A background that is learned around a hole in the plane of two masses, and filled in.

p(x, m1, m2) = p(x | m1, m2) p(m1, m2): a conditional flow gives the first factor, a Gaussian process fitted to a
histogram the second, as in the interpolation for pairs of Higgs bosons of :cite:`hartman2023thesis`.
"""

import warnings
from typing import NamedTuple

import numpy as np

from hepml_labs.validation import check_array, check_between, check_count, to_numpy

__all__ = ["Interpolation", "MassInterpolation", "Prediction", "Yield"]

PARTS = 10  # of the side of a bin, to find how much of it a region covers


class Yield(NamedTuple):
    """Expected number of events, ``value``, and its standard deviation, ``error``."""

    value: float
    error: float


class Prediction(NamedTuple):
    """Sampled events: ``x`` (n, d), ``masses`` (n, 2) in GeV, and ``weight`` (n,), whose sum is the expected yield."""

    x: np.ndarray
    masses: np.ndarray
    weight: np.ndarray


def _basis(points):
    return np.column_stack([np.ones(len(points)), points / 100])


class MassInterpolation:
    r"""Density of events in the plane of two masses, interpolated by a Gaussian process.

    The counts in the bins outside of a region, divided by their area, are values with Poisson noise of a smooth
    function :math:`\rho(m) = e^{a + b_1 m_1 + b_2 m_2}\,[1 + f(m)]`. First the exponential is fitted; the prior of
    :math:`f` is a Gaussian process around zero, with the kernel

    .. math:: k(m, m') = \sigma^2 \exp\Big[-\frac{(m_1 - m_1')^2}{2\ell_1^2} - \frac{(m_2 - m_2')^2}{2\ell_2^2}\Big] ,

    whose width and lengths maximise the marginal likelihood. Of a bin that the region cuts, the part outside is used,
    at its centre of gravity, if it is half of the bin or more.

    Parameters
    ----------
    window : (float, float)
        Range of both masses, GeV. All events must lie in it.
    bins : int
        Number of bins for each mass.
    length_scale : (float, float), optional
        Where the search for the two lengths starts, GeV; half of the window by default.
    optimize : bool
        Fit width and lengths; otherwise the width is one and the lengths stay as given.

    Notes
    -----
    The noise of a bin is the *fitted* count, from a first pass with that of the exponential. With the observed count in
    its place, bins that fluctuated down would count for more than those that fluctuated up, and the yield be low by one
    event for each bin. Equations (2.23), (2.24) and section 5.4.1 of Rasmussen and Williams
    :cite:`rasmussen2006gaussian`.

    Examples
    --------
    >>> masses = np.random.default_rng(1).uniform(60, 220, size=(25_600, 2))  # one event per GeV squared
    >>> hole = lambda m1, m2: np.hypot(m1 - 140, m2 - 140) < 20
    >>> found = MassInterpolation().fit(masses, hole).expected_yield()
    >>> abs(found.value - 400 * np.pi) < 3 * found.error + 1
    True
    """

    def __init__(self, window=(60.0, 220.0), bins=16, length_scale=None, *, optimize=True):
        check_count("bins", bins, minimum=4)
        check_between("window[0]", window[0], 0, window[1], include_low=True)
        length_scale = (0.5 * (window[1] - window[0]),) * 2 if length_scale is None else length_scale
        for k in (0, 1):
            check_between(f"length_scale[{k}]", length_scale[k], 0, np.inf)
        self.window, self.bins, self.length_scale, self.optimize = window, bins, length_scale, optimize

    def fit(self, masses, region, sample_weight=None):
        """Fit the process to the events outside of a region.

        Parameters
        ----------
        masses : array, (n, 2)
            Masses of the events, GeV. Those inside of the region are not looked at.
        region : callable
            ``region(m1, m2)`` returns a bool array, true inside.
        sample_weight : array, (n,), optional
            Weights of the events.

        Returns
        -------
        self
            With ``process_`` (scikit-learn's, of f), ``length_scale_`` (2,) in GeV, ``points_`` (k, 2), ``density_``
            (k,) and ``density_error_`` (k,) of the bins that were fitted.

        Raises
        ------
        ValueError
            If an array is malformed, a mass outside of the window, or fewer than ten bins are left to fit.
        """
        masses, n = self._checked(masses), len(masses)
        weight = to_numpy("sample_weight", np.ones(n) if sample_weight is None else sample_weight, (n,))
        outside = ~region(*masses.T)
        edges = np.linspace(*self.window, self.bins + 1)
        count, variance = (
            np.histogram2d(*masses[outside].T, edges, weights=w[outside])[0].ravel() for w in (weight, weight**2)
        )
        points, area = self._overlap(lambda m1, m2: ~region(m1, m2))
        used = area >= 0.5 * (edges[1] - edges[0]) ** 2
        if used.sum() < 10 or count[used].sum() <= 0:
            raise ValueError(f"region: leaves {used.sum()} of {used.size} bins to fit, expected ten with events")
        self.region, self.points_, area, count = region, points[used], area[used], count[used]
        self.density_ = count / area
        one = variance[used].sum() / count.sum()  # variance per event: one without weights
        self._fit_trend(count, area)
        expected = self._trend(self.points_)
        for _ in range(2):  # noise of the trend first, then of the fitted counts, but not below that of one event
            self.density_error_ = np.sqrt(one * np.maximum(expected, one / area) / area)
            self._fit_process()
            expected = self.density(self.points_)[0]
        return self

    def _fit_trend(self, count, area):
        """Maximise the Poisson likelihood of an exponential of a plane, by Newton's steps."""
        basis = _basis(self.points_)
        self.trend_ = np.array([np.log(count.sum() / area.sum()), 0.0, 0.0])
        for _ in range(20):
            expected = area * np.exp(basis @ self.trend_)
            self.trend_ = self.trend_ + np.linalg.solve((basis.T * expected) @ basis, basis.T @ (count - expected))

    def _trend(self, points):
        return np.exp(_basis(points) @ self.trend_)

    def _fit_process(self):
        from sklearn.exceptions import ConvergenceWarning  # heavy: only those who fit pay for it
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import RBF, ConstantKernel

        size = self.window[1] - self.window[0]
        bounds = (size / self.bins, 20 * size) if self.optimize else "fixed"
        kernel = ConstantKernel(1.0, (1e-4, 1e4) if self.optimize else "fixed") * RBF(self.length_scale, bounds)
        trend = self._trend(self.points_)
        self.process_ = GaussianProcessRegressor(kernel, alpha=(self.density_error_ / trend) ** 2)
        with warnings.catch_warnings():
            # width or lengths at their bounds are an answer: nothing is left beside the exponential
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.process_.fit(self.points_, self.density_ / trend - 1)
        self.length_scale_ = self.process_.kernel_.k2.length_scale

    def density(self, masses):
        """Predict the density of events.

        Parameters
        ----------
        masses : array, (n, 2)
            GeV.

        Returns
        -------
        value, error : arrays, (n,)
            Mean, not below zero, and standard deviation of the process, events per GeV squared.
        """
        masses = self._checked(masses)
        mean, error = self.process_.predict(masses, return_std=True)
        return self._trend(masses) * np.maximum(1 + mean, 0), self._trend(masses) * error

    def expected_yield(self, region=None):
        """Integrate the density over a region, that of the fit by default, to a `Yield`.

        The error is that of the *expected* yield, for the kernel that was found; a count has Poisson noise on top.
        """
        points, area = self._covered(region)
        mean, covariance = self.process_.predict(points, return_cov=True)
        share = area * self._trend(points)
        return Yield(float(share @ (1 + mean)), float(np.sqrt(share @ covariance @ share)))

    def sample(self, n, region=None, seed=0):
        """Draw masses from the density in a region.

        Parameters
        ----------
        n : int
            Number of events.
        region : callable, optional
            As for `fit`; that of the fit by default.
        seed : int or numpy.random.Generator

        Returns
        -------
        array of float64, (n, 2)
            GeV.
        """
        check_count("n", n)
        points, _ = self._covered(region)
        region, random = region or self.region, np.random.default_rng(seed)
        side = (self.window[1] - self.window[0]) / self.bins
        low, high = np.maximum(points.min(0) - side, self.window[0]), np.minimum(points.max(0) + side, self.window[1])
        ceiling, kept = 1.5 * self.density(points)[0].max(), [np.empty((0, 2))]
        while sum(map(len, kept)) < n:  # accept with a probability proportional to the density
            masses = random.uniform(low, high, size=(2 * n, 2))
            masses = masses[region(*masses.T)]
            kept.append(masses[random.uniform(0, ceiling, len(masses)) < self.density(masses)[0]])
        return np.concatenate(kept)[:n]

    def _covered(self, region):
        """Return those of `_overlap` that have an area."""
        points, area = self._overlap(region or self.region)
        if not area.any():
            raise ValueError("region: covers nothing of the window, expected a region inside of it")
        return points[area > 0], area[area > 0]

    def _overlap(self, region):
        """Centre of gravity and area of the part of each bin in a region, (bins^2, 2) and (bins^2,)."""
        low, high = self.window
        step = (high - low) / (self.bins * PARTS)
        axis = low + step * (np.arange(self.bins * PARTS) + 0.5)
        cells = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)
        cells = cells.reshape(self.bins, PARTS, self.bins, PARTS, 2).swapaxes(1, 2).reshape(self.bins**2, -1, 2)
        inside = region(*cells.reshape(-1, 2).T).reshape(self.bins**2, -1)
        number = inside.sum(axis=1)
        return (cells * inside[..., None]).sum(axis=1) / np.maximum(number, 1)[:, None], number * step**2

    def _checked(self, masses):
        masses = to_numpy("masses", masses, ("n", 2))
        low, high = self.window
        if masses.min() < low or masses.max() > high:
            found = f"{masses.min():.4g} to {masses.max():.4g} GeV"
            raise ValueError(f"masses: found {found}, expected all in the window of {low:g} to {high:g} GeV")
        return masses.astype(np.float64)


class Interpolation:
    """Events in a region that nobody has looked at: masses from one model, what depends on them from another.

    Parameters
    ----------
    masses : MassInterpolation
        Gives p(m1, m2) and the yield.
    conditional : FlowEstimator
        Gives p(x | m1, m2): anything with ``fit(x, context=, sample_weight=)``, ``sample(context=, seed=)`` and
        ``score_samples(x, context=)``.

    Notes
    -----
    What is inside of the region is predicted, not fitted: p(x | m1, m2) must change little across it, and no signal be
    outside.

    Examples
    --------
    >>> from hepml_labs.flows.estimator import FlowEstimator
    >>> random = np.random.default_rng(1)
    >>> masses = random.uniform(60, 220, size=(4000, 2))
    >>> x = masses[:, :1] / 100 + random.normal(size=(4000, 1))
    >>> hole = lambda m1, m2: np.hypot(m1 - 140, m2 - 140) < 20
    >>> flow = FlowEstimator(kind="autoregressive", layers=1, hidden=(16,), epochs=2)
    >>> model = Interpolation(MassInterpolation(bins=8), flow).fit(x, masses, hole)
    >>> events = model.sample(500)
    >>> events.x.shape, bool(hole(*events.masses.T).all())
    ((500, 1), True)
    """

    def __init__(self, masses, conditional):
        self.masses, self.conditional = masses, conditional

    def fit(self, x, masses, region, sample_weight=None):
        """Fit both factors to the events outside of a region: x (n, d), and the rest as `MassInterpolation.fit`."""
        check_array("x", x, (len(masses), "d"))
        self.masses.fit(masses, region, sample_weight)
        outside = ~region(*masses.T)
        weight = None if sample_weight is None else sample_weight[outside]
        self.conditional.fit(x[outside], context=masses[outside], sample_weight=weight)
        return self

    def expected_yield(self, region=None):
        """Return `MassInterpolation.expected_yield` of a region, that of the fit by default."""
        return self.masses.expected_yield(region)

    def sample(self, n, region=None, seed=0):
        """Draw n events in a region (that of the fit by default): masses, then x given the masses; a `Prediction`.

        Take many more than are expected, they cost little.
        """
        masses = self.masses.sample(n, region, seed)
        x = self.conditional.sample(context=masses.astype(np.float32), seed=seed)
        return Prediction(x, masses, np.full(n, self.expected_yield(region).value / n))

    def score_samples(self, x, masses):
        """Logarithm of the expected density of events in (x, m1, m2), (n,): its integral is the yield, not one."""
        with np.errstate(divide="ignore"):
            return self.conditional.score_samples(x, context=masses) + np.log(self.masses.density(masses)[0])
