"""The bump hunt: how surprising are the events in a window of mass, given a background fitted to the same spectrum?

Two roads. Count: predict the window from its sidebands, and compare with what is there. Or fit background and a signal
of given shape together, and compare the likelihoods with and without it. Both carry the error of the background.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from hepml_labs.anomaly.background_fit import fit_spectrum, window_bins
from hepml_labs.anomaly.counting import counting_p_value
from hepml_labs.validation import check_array

__all__ = [
    "Scan",
    "WindowCount",
    "count_window",
    "gaussian_template",
    "profile_window",
    "scan",
    "spurious_signal",
]


@dataclass(frozen=True)
class WindowCount:
    """A window opened: what was found, and what the sidebands say. Arrays (...) over histograms."""

    observed: np.ndarray
    expected: np.ndarray
    error: np.ndarray

    @property
    def p_value(self):
        """Local p-value with the error of the fit, from `counting_p_value`."""
        return counting_p_value(self.observed, self.expected, self.error)

    @property
    def significance(self):
        """The local p-value as standard deviations of a Gaussian, one-sided."""
        return norm.isf(self.p_value)


def count_window(counts, edges, window, parameters=3):
    """Count the events in a window and predict their background from a fit that does not see it.

    Parameters
    ----------
    counts : array, (..., bins)
        Events; leading dimensions are independent histograms.
    edges : array, (bins + 1,)
        GeV.
    window : (float, float)
        GeV, two of the edges.
    parameters : int
        Of the dijet function, 3 to 5: decided on before, see `hepml_labs.anomaly.fit_quality.f_test`.

    Returns
    -------
    WindowCount
        ``observed``, ``expected``, ``error``, ``p_value``, ``significance``.

    Raises
    ------
    ValueError
        As `fit_spectrum`, or if the window does not end at edges.

    Examples
    --------
    >>> edges = np.linspace(2600, 6600, 41)
    >>> counts = np.random.default_rng(0).poisson(1e3 * np.exp(-(edges[1:] - 2600) / 600))
    >>> counts[7:11] += 60
    >>> round(float(count_window(counts, edges, (3300, 3700)).significance), 1)
    6.7
    """
    inside = window_bins(edges, *window)
    fit = fit_spectrum(counts, edges, parameters, used=~inside)
    return WindowCount(fit.counts[..., inside].sum(axis=-1), *fit.window(*window))


def profile_window(counts, edges, window, parameters=3):
    """Return the signed profile-likelihood significance of the events in a window, whatever their shape in it.

    The window is one bin with a signal of free strength, so that it tells nothing about the background; the sidebands
    keep their bins. Two fits, with and without the signal.

    Parameters
    ----------
    counts, edges, window, parameters
        As for `count_window`.

    Returns
    -------
    float or array, (...)
        Square root of twice the log-likelihood ratio, with the sign of the fitted strength. Continuous where the
        p-value of `count_window` is discrete and conservative.

    Raises
    ------
    ValueError
        As `count_window`.

    Notes
    -----
    Cowan, Cranmer, Gross and Vitells, arXiv:1007.1727, sections 2.3 and 3.5, kept with its sign for a deficit.

    Examples
    --------
    >>> edges = np.linspace(2600, 6600, 41)
    >>> counts = np.random.default_rng(0).poisson(1e3 * np.exp(-(edges[1:] - 2600) / 600))
    >>> counts[7:11] += 60
    >>> round(float(profile_window(counts, edges, (3300, 3700))), 1)
    6.7
    """
    counts, edges = np.asarray(counts, dtype=np.float64), np.asarray(edges, dtype=np.float64)
    inside = window_bins(edges, *window)
    check_array("counts", counts, (..., len(edges) - 1))
    starts = np.flatnonzero(~inside | (inside & ~np.roll(inside, 1)))
    merged = np.add.reduceat(counts, starts, axis=-1)
    template = inside[starts].astype(np.float64)
    return _significance(merged, np.append(edges[starts], edges[-1]), template, parameters)[0]


def _significance(counts, edges, template, parameters):
    with_signal = fit_spectrum(counts, edges, parameters, template=template)
    without = fit_spectrum(counts, edges, parameters).deviance
    q = np.maximum(without - with_signal.deviance, 0)
    return np.sign(with_signal.strength) * np.sqrt(q), with_signal


def gaussian_template(edges, mass, width):
    """Return the share of a Gaussian resonance in each bin.

    Parameters
    ----------
    edges : array, (bins + 1,)
        GeV.
    mass, width : float or array, (...)
        Mean and standard deviation, GeV.

    Returns
    -------
    array, (..., bins)
        Sums to the part that lies inside of the histogram: a strength counts all events of the resonance.

    Raises
    ------
    ValueError
        If a width or mass is not above zero.

    Examples
    --------
    >>> gaussian_template(np.array([3300.0, 3500.0, 3700.0]), 3500.0, 100.0).round(3)
    array([0.477, 0.477])
    """
    edges, mass, width = (np.asarray(values, dtype=np.float64) for values in (edges, mass, width))
    if not ((mass > 0).all() and (width > 0).all()):
        raise ValueError(f"mass, width: found {mass[()]}, {width[()]}, expected GeV, above zero")
    check_array("edges", edges, ("edges",))
    return np.diff(norm.cdf(edges, mass[..., None], width[..., None]), axis=-1)


@dataclass(frozen=True)
class Scan:
    """Fits of a resonance at each mass: arrays (..., masses)."""

    mass: np.ndarray  # (masses,), GeV
    strength: np.ndarray  # fitted events of the resonance
    error: np.ndarray  # their standard deviation, from the second derivatives of the likelihood
    significance: np.ndarray  # signed root of twice the log-likelihood ratio


def scan(counts, edges, mass, width, parameters=3):
    """Fit a Gaussian resonance on top of the background at each of many masses.

    Parameters
    ----------
    counts : array, (..., bins)
        Data or pseudo-experiments; an expectation works as well.
    edges : array, (bins + 1,)
        GeV.
    mass : array, (masses,)
        GeV; in steps well below `width`, so that no peak of the significance is missed.
    width : float or array, (masses,)
        Standard deviation of the resonance, GeV.
    parameters : int
        Of the dijet function, 3 to 5.

    Returns
    -------
    Scan
        ``mass``, ``strength``, ``error``, ``significance``.

    Raises
    ------
    ValueError
        As `fit_spectrum` and `gaussian_template`.

    Examples
    --------
    >>> edges = np.linspace(2600, 6600, 41)
    >>> counts = 1e3 * np.exp(-(edges[1:] - 2600) / 600) + 200 * gaussian_template(edges, 3500, 100)
    >>> found = scan(counts, edges, np.arange(3000.0, 5000.0, 50.0), 100.0)
    >>> float(found.mass[found.significance.argmax()])
    3500.0
    """
    mass = np.asarray(mass, dtype=np.float64)
    check_array("mass", mass, ("masses",), positive=True)
    template = gaussian_template(edges, mass, np.broadcast_to(width, mass.shape))
    counts = np.asarray(counts, dtype=np.float64)[..., None, :]
    significance, fit = _significance(counts, edges, template, parameters)
    return Scan(mass, fit.strength, fit.strength_error, significance)


def spurious_signal(expected, edges, mass, width, parameters=3):
    """Fit resonances to a background without any: what the fit finds is the fault of the function.

    Parameters
    ----------
    expected : array, (bins,)
        Background from simulation or a control region, scaled to the luminosity of the data. Its own statistical
        error must be well below that of the data, or the fluctuations of the sample pass for signal.
    edges, mass, width, parameters
        As for `scan`.

    Returns
    -------
    array, (masses,)
        Spurious strength over its statistical error in the data, at each mass. ATLAS asks for at most 0.2 (or for less
        than a tenth of the expected signal) and adds the largest strength as a systematic error.

    Raises
    ------
    ValueError
        As `scan`.

    Notes
    -----
    As in ATLAS, arXiv:1408.7084 (Higgs bosons to two photons).

    Examples
    --------
    >>> edges = np.linspace(2600, 6600, 41)
    >>> expected = 1e4 * np.exp(-(((edges[1:] - 1600) / 1500) ** 2))
    >>> [round(float(abs(spurious_signal(expected, edges, np.array([4000.0]), 100.0, k))[0]), 1) for k in (3, 4)]
    [0.7, 0.0]
    """
    found = scan(expected, edges, mass, width, parameters)
    return found.strength / found.error
