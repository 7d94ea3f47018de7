r"""Likelihoods of mixtures: a sum of components with yields that depend on a parameter and may be negative.

All functions take the ratios :math:`r_c(x) = p_c(x)/p'(x)` of each event to one reference, or the contents of each bin:
a histogram is a ratio that is constant in bins.
"""

import numpy as np

from hepml_labs.validation import check_between, to_numpy

__all__ = ["mixture_log_ratio", "negative_log_likelihood", "profile_likelihood"]


def _mixture(ratios, yields):
    """Sum of the components at each point and event (m, n), with a floor for estimates that are not positive."""
    return np.maximum(yields @ ratios.T, 1e-9 * np.abs(yields).sum(1, keepdims=True))


def mixture_log_ratio(ratios, yields):
    r"""Logarithm of :math:`p(x|\mu)/p'(x) = \sum_c \nu_c r_c(x) / \sum_c \nu_c`.

    Parameters
    ----------
    ratios : array, (n, C)
        Ratio of each component's density to the reference.
    yields : array, (m, C)
        Yield of each component at m points; negative ones are allowed.

    Returns
    -------
    array, (m, n)
        For the functions of `limits` and `neyman`. Where the estimates add up to less than 1e-9 of their size, that.

    Raises
    ------
    ValueError
        If shapes do not fit, or the yields of a point do not sum to more than zero.

    Examples
    --------
    >>> mixture_log_ratio(np.array([[2.0, 0.5]]), np.array([[1.0, 1.0], [3.0, -1.0]])).round(3)
    array([[0.223],
           [1.012]])
    """
    ratios = to_numpy("ratios", ratios, ("n", "C"))
    yields = to_numpy("yields", yields, ("m", ratios.shape[1]))
    total = yields.sum(1, keepdims=True)
    if (total <= 0).any():
        raise ValueError(f"yields: found a sum of {total.min():.4g}, expected all above zero")
    return np.log(_mixture(ratios, yields) / total)


def negative_log_likelihood(ratios, yields, weights=None):
    r"""Extended negative log-likelihood, :math:`\sum_c\nu_c - \sum_i w_i \ln \sum_c \nu_c r_c(x_i)`, up to a constant.

    Parameters
    ----------
    ratios : array, (n, C)
        Of events; or of bins, then the share of each component in each bin.
    yields : array, (m, C)
        Expected events of each component at m points.
    weights : array, (n,), optional
        Weights of the events (Asimov data), or contents of the bins; 1 by default.

    Returns
    -------
    array, (m,)

    Raises
    ------
    ValueError
        If shapes do not fit.

    Examples
    --------
    One bin: the Poisson likelihood of 9 events is largest where 9 are expected.

    >>> yields = np.array([[5.0], [9.0], [12.0]])
    >>> int(negative_log_likelihood(np.ones((1, 1)), yields, np.array([9.0])).argmin())
    1
    """
    ratios = to_numpy("ratios", ratios, ("n", "C"))
    yields = to_numpy("yields", yields, ("m", ratios.shape[1]))
    weights = np.ones(len(ratios)) if weights is None else to_numpy("weights", weights, (len(ratios),))
    return yields.sum(1) - np.log(_mixture(ratios, yields)) @ weights


def profile_likelihood(ratios, yields, component, uncertainty, weights=None, steps=6):
    r"""Negative log-likelihood, smallest over the normalisation of one component.

    The component's yield is multiplied by :math:`(1 + \delta)^a` with a Gaussian constraint :math:`a^2/2`. Newton's
    steps in a, at all points at once.

    Parameters
    ----------
    ratios, yields, weights
        As `negative_log_likelihood`.
    component : int
        Column of the component.
    uncertainty : float
        Relative uncertainty delta.
    steps : int
        Newton's steps.

    Returns
    -------
    value, pull : arrays, (m,)
        Profiled negative log-likelihood, and a at its minimum.

    Raises
    ------
    ValueError
        If shapes do not fit or the uncertainty is not above zero.

    Examples
    --------
    >>> ratios, yields = np.ones((1, 2)), np.array([[20.0, 100.0]])
    >>> profile_likelihood(ratios, yields, 1, 0.1, np.array([130.0]))[1].round(2)       # not all of the excess
    array([0.45])
    """
    check_between("uncertainty", uncertainty, 0, np.inf)
    ratios = to_numpy("ratios", ratios, ("n", "C"))
    yields = to_numpy("yields", yields, ("m", ratios.shape[1]))
    weights = np.ones(len(ratios)) if weights is None else to_numpy("weights", weights, (len(ratios),))
    rate, pull = np.log1p(uncertainty), np.zeros(len(yields))
    density = yields[:, component, None] * ratios[:, component]
    rest = yields @ ratios.T - density
    for _ in range(steps):
        scaled = np.exp(rate * pull)[:, None]
        share = scaled * density / np.maximum(rest + scaled * density, 1e-300)
        slope = rate * (scaled[:, 0] * yields[:, component] - share @ weights) + pull
        curvature = rate**2 * (scaled[:, 0] * yields[:, component] - (share * (1 - share)) @ weights) + 1
        pull = pull - slope / np.maximum(curvature, 1)
    changed = yields.copy()
    changed[:, component] *= np.exp(rate * pull)
    return changed.sum(1) - np.log(_mixture(ratios, changed)) @ weights + pull**2 / 2, pull
