"""How good an energy calibration is: response, closure, pull and the three terms of the resolution.

Small and transparent versions for teaching, as a lab asks for them; `hepml_labs.evaluation` has their relatives with
statistical errors.
"""

from itertools import pairwise

import numpy as np
from scipy.optimize import nnls

from hepml_labs.validation import check_alike

__all__ = ["closure_and_resolution", "log_response", "quadrature_fit", "response_pull"]


def log_response(energy, energy_true):
    """Logarithm of the response, ln(E_obs / E_true): the target of the regression.

    Parameters
    ----------
    energy, energy_true : arrays, (n,)
        Observed and true energy, GeV, positive.

    Returns
    -------
    array, (n,)

    Raises
    ------
    ValueError
        If shapes differ or an energy is not positive.

    Examples
    --------
    >>> log_response(np.array([80.0]), np.array([100.0])).round(3)
    array([-0.223])
    """
    check_alike(("n",), positive=True, energy=energy, energy_true=energy_true)
    return np.log(energy / energy_true)


def closure_and_resolution(energy_true, energy, edges):
    """Median and relative 68 % half width of E / E_true in bins of the true energy.

    Parameters
    ----------
    energy_true, energy : arrays, (n,)
        True and reconstructed energy, GeV.
    edges : array, (bins + 1,)
        Bin edges of the true energy, GeV, increasing; a bin holds edges[i] <= E_true < edges[i + 1].

    Returns
    -------
    median, resolution : arrays, (bins,)
        The 50 % quantile of the ratio, and half the distance between its 16 % and 84 % quantiles over the median.
        NaN for an empty bin.

    Raises
    ------
    ValueError
        If shapes differ or an energy is not positive.

    Examples
    --------
    >>> truth = np.full(1001, 50.0)
    >>> median, resolution = closure_and_resolution(truth, truth * np.linspace(0.8, 1.2, 1001), np.array([10.0, 100.0]))
    >>> print(median.round(3), resolution.round(3))
    [1.] [0.136]
    """
    check_alike(("n",), positive=True, energy_true=energy_true, energy=energy)
    summary = []
    for low, high in pairwise(edges):
        inside = (energy_true >= low) & (energy_true < high)
        ratio = energy[inside] / energy_true[inside]
        quantiles = np.quantile(ratio, [0.16, 0.5, 0.84]) if inside.any() else np.full(3, np.nan)
        summary.append((quantiles[1], (quantiles[2] - quantiles[0]) / 2 / quantiles[1]))
    median, resolution = np.array(summary).T
    return median, resolution


def response_pull(energy, energy_true, response, sigma):
    """Pull of a predicted response: (ln R_predicted - ln R_true) / sigma.

    Parameters
    ----------
    energy, energy_true : arrays, (n,)
        Observed and true energy, GeV.
    response, sigma : arrays, (n,)
        Predicted response, and predicted standard deviation of its logarithm.

    Returns
    -------
    array, (n,)
        Positive where the response is overestimated, that is the calibrated energy underestimated.

    Raises
    ------
    ValueError
        If shapes differ or an entry is not positive.

    Examples
    --------
    >>> response_pull(*(np.array([value]) for value in (80.0, 100.0, 0.88, 0.1))).round(2)
    array([0.95])
    """
    check_alike(("n",), positive=True, energy=energy, energy_true=energy_true, response=response, sigma=sigma)
    return (np.log(response) - np.log(energy / energy_true)) / sigma


def quadrature_fit(energy, resolution, error):
    """Fit sigma/E = a/sqrt(E) (+) b/E (+) c, where (+) adds in quadrature.

    The squared resolution is linear in the squares of the three terms, so that the weighted least-squares fit of
    (sigma/E)^2 has one solution; squares cannot be negative, so it is solved by non-negative least squares.

    Parameters
    ----------
    energy, resolution, error : arrays, (bins,)
        Mean energy of each bin in GeV, relative resolution, and its statistical error.

    Returns
    -------
    array, (3,)
        The stochastic term a (in sqrt(GeV)), the noise term b (in GeV) and the constant term c.

    Raises
    ------
    ValueError
        If shapes differ, an entry is not positive, or there are fewer than three bins.

    Examples
    --------
    >>> energy = np.geomspace(5, 500, 10)
    >>> resolution = np.sqrt(0.1**2 / energy + (0.3 / energy) ** 2 + 0.01**2)
    >>> quadrature_fit(energy, resolution, 0.01 * resolution).round(3)
    array([0.1 , 0.3 , 0.01])
    """
    check_alike(("n",), positive=True, energy=energy, resolution=resolution, error=error)
    if len(energy) < 3:
        raise ValueError(f"energy: found {len(energy)} bins, expected at least as many as terms, three")
    error_of_square = 2 * resolution * error  # d(s^2) = 2 s ds
    terms = np.stack([1 / energy, 1 / energy**2, np.ones_like(energy)], axis=1)
    squares, _ = nnls(terms / error_of_square[:, None], resolution**2 / error_of_square)
    return np.sqrt(squares)
