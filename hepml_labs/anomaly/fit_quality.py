"""Does the function describe the sidebands? Goodness of fit, and the test that stops adding parameters."""

from typing import NamedTuple

import numpy as np
from scipy.stats import chi2, f

from hepml_labs.anomaly.background_fit import fit_spectrum
from hepml_labs.anomaly.trials import toy_p_value

__all__ = ["FTest", "f_test", "goodness_of_fit"]


class FTest(NamedTuple):
    """Comparison of two nested fits of one histogram."""

    statistic: float  # gain in deviance per added parameter, over the deviance per degree of freedom that is left
    p_value: float  # of the statistic, from Fisher's distribution
    gain: float  # in deviance: twice the log-likelihood ratio of the fits
    gain_p_value: float  # of the gain, from chi-squared (Wilks)


def goodness_of_fit(fit, toys=1000, seed=0):
    """Return the p-value of a fit: how often pseudo-experiments drawn from it fit worse.

    Parameters
    ----------
    fit : SpectrumFit
        Of one histogram, without a template.
    toys : int
        Number of pseudo-experiments; each is fitted again.
    seed : int or numpy.random.Generator

    Returns
    -------
    hepml_labs.anomaly.trials.ToyPValue
        Of the deviance. Where bins hold many events it is chi-squared distributed; where they hold few it is not.

    Raises
    ------
    ValueError
        If `fit` holds more than one histogram, or `toys` is no whole number above zero.

    Examples
    --------
    >>> edges = np.linspace(2600, 6600, 41)
    >>> fit = fit_spectrum(1e4 * np.exp(-(edges[1:] - 2600) / 600), edges)
    >>> goodness_of_fit(fit, toys=99).p_value  # an expectation: smoother than any data
    1.0
    """
    if fit.counts.ndim != 1:
        raise ValueError(f"fit: found {fit.counts.ndim - 1} leading dimensions, expected the fit of one histogram")
    size = fit.parameters.shape[-1]
    return toy_p_value(
        lambda counts: fit_spectrum(counts, fit.edges, size, used=fit.used).deviance,
        fit.counts,
        fit.expected,
        toys,
        seed,
    )


def f_test(simple, complex):
    """Ask whether the added parameters of a dijet function are worth it.

    Parameters
    ----------
    simple, complex : SpectrumFit
        Of the same histogram and bins, the second with more parameters.

    Returns
    -------
    FTest
        ``statistic``, ``p_value``, ``gain``, ``gain_p_value``. Small p-values (below 0.05 by custom) ask for the
        parameters; otherwise the simple function stays.

    Raises
    ------
    ValueError
        If the fits are not of one and the same histogram, or the second has no more parameters or none left over.

    Notes
    -----
    Fisher's ratio divides the gain by the quality of the better fit, so that errors that are wrong by a common factor
    cancel. Poisson errors are known: then the gain alone is the sharper test, and where both functions fit, the two
    p-values agree. Decide for one of them before the window is opened.

    Examples
    --------
    >>> edges = np.linspace(2600, 6600, 41)
    >>> from hepml_labs.anomaly.background_fit import dijet
    >>> density = dijet((edges[1:] + edges[:-1]) / 2, np.array([-10.5, 0.2, 16.2, 4.4]))  # four parameters
    >>> counts = np.random.default_rng(0).poisson(100 * density)
    >>> f_test(fit_spectrum(counts, edges, 3), fit_spectrum(counts, edges, 4)).p_value < 0.001
    True
    """
    if simple.counts.ndim != 1 or not (
        np.array_equal(simple.counts, complex.counts) and np.array_equal(simple.used, complex.used)
    ):
        raise ValueError("complex: found other counts or other bins, expected the one histogram of simple")
    added = complex.parameters.size - simple.parameters.size
    left = int(complex.used.sum()) - complex.parameters.size
    if added < 1 or left < 1:
        raise ValueError(f"complex: found {added} added parameters and {left} bins to spare, expected one each")
    gain = max(float(simple.deviance - complex.deviance), 0.0)
    statistic = (gain / added) / (float(complex.deviance) / left)
    return FTest(statistic, float(f.sf(statistic, added, left)), gain, float(chi2.sf(gain, added)))
