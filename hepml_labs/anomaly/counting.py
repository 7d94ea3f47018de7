"""A count and its background, known from another count: p-values and significances in closed form."""

import numpy as np
from scipy.special import betainc, gammainc, xlogy

__all__ = ["counting_p_value", "li_ma_significance", "on_off_p_value"]


def _numbers(**arguments):
    arrays = [np.asarray(values, dtype=np.float64) for values in arguments.values()]
    for name, values in zip(arguments, arrays, strict=True):
        above = name in ("tau", "expected")
        if values.size == 0 or not (np.isfinite(values) & ((values > 0) if above else (values >= 0))).all():
            wanted = "above zero" if above else "of at least zero"
            raise ValueError(f"{name}: found {values[()]}, expected finite numbers {wanted}")
    return arrays


def on_off_p_value(on, off, tau):
    r"""Return the p-value of a count with a background known from another count: exact, in closed form.

    Off ~ Poisson(tau b) and on ~ Poisson(b + s). Given their sum and s = 0, each event is "on" with the probability
    1 / (1 + tau), whatever b is: a binomial test without any nuisance parameter.

    Parameters
    ----------
    on, off : float or array
        Events in the window and in the control region.
    tau : float or array
        Expected background in the control region over that in the window.

    Returns
    -------
    float or array
        Probability of `on` or more of the on + off events. Discrete, hence never too small: at most a fraction p of
        background-only experiments has p or less.

    Raises
    ------
    ValueError
        If a count is negative or `tau` not above zero.

    Notes
    -----
    p_Bi of Cousins, Linnemann and Tucker, physics/0702156: the binomial tail as an incomplete beta function. The same
    number is the Poisson p-value averaged over the Gamma density of b that the control count leaves.

    Examples
    --------
    >>> print(f"{on_off_p_value(on=178, off=100, tau=1.0):.2e}")
    1.68e-06
    """
    on, off, tau = _numbers(on=on, off=off, tau=tau)
    p_value = betainc(np.maximum(on, 1e-300), off + 1, 1 / (1 + tau))
    return np.where(on > 0, p_value, 1.0)[()]


def li_ma_significance(on, off, tau):
    """Return the signed profile-likelihood significance of a count with a background known from another count.

    Parameters
    ----------
    on, off, tau : float or array
        As for `on_off_p_value`.

    Returns
    -------
    float or array
        In standard deviations, negative for a deficit. Asymptotic: its p-value is good from some ten events on.

    Raises
    ------
    ValueError
        As `on_off_p_value`.

    Notes
    -----
    Li and Ma, Astrophys. J. 272 (1983) 317, eq. 17, with tau = 1 / alpha.

    Examples
    --------
    >>> print(f"{li_ma_significance(on=178, off=100, tau=1.0):.2f}")
    4.71
    """
    on, off, tau = _numbers(on=on, off=off, tau=tau)
    total = np.where(on + off > 0, on + off, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        q = 2 * (xlogy(on, on * (1 + tau) / total) + xlogy(off, off * (1 + tau) / (tau * total)))
    return (np.sign(on - off / tau) * np.sqrt(np.maximum(q, 0)))[()]


def counting_p_value(observed, expected, error=0.0):
    """Return the p-value of a count, given the background's expectation and its standard deviation.

    The estimate is translated into the control region that has the same expectation and error: off = b^2 / sigma^2
    events at tau = b / sigma^2.

    Parameters
    ----------
    observed : float or array
        Events in the window.
    expected, error : float or array
        Background and its standard deviation, as from
        `hepml_labs.anomaly.background_fit.SpectrumFit.window`. Zero error: the Poisson probability.

    Returns
    -------
    float or array

    Raises
    ------
    ValueError
        If `observed` or `error` is negative or `expected` not above zero.

    Notes
    -----
    The correspondence of Cousins, Linnemann and Tucker, physics/0702156.

    Examples
    --------
    >>> print(f"{counting_p_value(130, 100.0):.4f} {counting_p_value(130, 100.0, 10.0):.4f}")
    0.0023 0.0278
    """
    observed, expected, error = _numbers(observed=observed, expected=expected, error=error)
    observed, expected, error = np.broadcast_arrays(observed, expected, error)
    poisson = np.where(observed > 0, gammainc(np.maximum(observed, 1e-300), expected), 1.0)
    variance = np.where(error > 0, error, 1.0) ** 2
    uncertain = on_off_p_value(observed, expected**2 / variance, expected / variance)
    return np.where(error > 1e-4 * np.sqrt(expected), uncertain, poisson)[()]
