r"""Importance sampling: integrals and unweighted events from weighted ones, for any proposal that can be sampled.

Everything follows from the weights :math:`w_i = f(x_i)/q(x_i)` of points drawn from a proposal density q:
their mean estimates the integral, their spread its error, their maximum the price of unweighted events.
"""

from typing import NamedTuple

import numpy as np
import torch

from hepml_labs.validation import check_between, check_count, to_numpy

__all__ = [
    "Combination",
    "Integral",
    "combine",
    "integrate",
    "reference_weight",
    "summarize",
    "unweight",
    "unweighting_efficiency",
]


class Integral(NamedTuple):
    """A Monte Carlo integral and what its weights say about the proposal.

    Attributes
    ----------
    value, error : float
        Mean of the weights, and its standard error.
    relative_std : float
        Standard deviation of one weight over the mean: the error of the integral is this over the root of the calls.
    efficiency : float
        Unweighting efficiency with the largest weight as reference.
    effective_size : float
        Number of events of equal weight with the same relative error of their sum.
    calls : int
        Number of weights, calls of the integrand.
    """

    value: float
    error: float
    relative_std: float
    efficiency: float
    effective_size: float
    calls: int


class Combination(NamedTuple):
    """Several estimates of one number as one.

    Attributes
    ----------
    value, error : float
        Mean weighted with the inverse variances, and its error.
    chi_squared : float
        Sum of the squared pulls of the estimates from the mean; about `degrees` where the errors are right.
    degrees : int
        Number of estimates less one.
    """

    value: float
    error: float
    chi_squared: float
    degrees: int


def summarize(weights):
    r"""Integral, error and efficiencies from the weights of importance sampling.

    Parameters
    ----------
    weights : array, (n,)
        w = f/q of n independent points from q, n at least 2; may be negative.

    Returns
    -------
    Integral
        With :math:`I = \bar w`, :math:`\sigma^2 = \sum_i (w_i - \bar w)^2 / (n(n-1))`,
        :math:`n_\mathrm{eff} = (\sum w)^2/\sum w^2` and the efficiency :math:`\overline{|w|}/\max|w|`.

    Raises
    ------
    ValueError
        If the weights are no vector of two or more finite numbers.

    Examples
    --------
    >>> found = summarize(np.array([1.0, 3.0]))
    >>> found.value, found.error, round(found.efficiency, 3), found.effective_size
    (2.0, 1.0, 0.667, 1.6)
    """
    weights = to_numpy("weights", weights, ("n",)).astype(np.float64)
    n = len(weights)
    check_count("number of weights", n, 2)
    value, spread, square = weights.mean(), weights.std(ddof=1), (weights**2).sum()
    size = np.abs(weights)
    return Integral(
        value=float(value),
        error=float(spread / np.sqrt(n)),
        relative_std=float(spread / abs(value)) if value else float("inf"),
        efficiency=float(size.mean() / size.max()) if square else 0.0,
        effective_size=float(weights.sum() ** 2 / square) if square else 0.0,
        calls=n,
    )


def integrate(integrand, proposal, n, seed=0, batch_size=65_536):
    r"""Integrate a function with points from a proposal density.

    Parameters
    ----------
    integrand : callable
        Tensor (n, d) to tensor (n,).
    proposal : object
        With ``sample_and_log_prob(n, generator=...)`` that returns points (n, d) and log q (n,), as a `Flow` has. Its
        density must be positive wherever the integrand is not zero.
    n : int
        Calls of the integrand.
    seed : int
        Fixes the points.
    batch_size : int
        Points at a time, for memory only.

    Returns
    -------
    Integral

    Raises
    ------
    ValueError
        If `n` is too small or a weight is not finite.

    Examples
    --------
    >>> class Uniform:
    ...     def sample_and_log_prob(self, n, context=None, generator=None):
    ...         return torch.rand(n, 2, generator=generator), torch.zeros(n)
    >>> found = integrate(lambda x: 4 * x[:, 0] * x[:, 1], Uniform(), 100_000)
    >>> bool(abs(found.value - 1) < 4 * found.error)
    True
    """
    check_count("n", n, 2)
    check_count("batch_size", batch_size)
    generator = torch.Generator().manual_seed(seed)
    weights = []
    with torch.no_grad():
        for start in range(0, n, batch_size):
            x, log_q = proposal.sample_and_log_prob(min(batch_size, n - start), generator=generator)
            weights.append((integrand(x).double() * torch.exp(-log_q.double())).cpu())
    return summarize(torch.cat(weights))


def combine(integrals):
    r"""Weighted mean of independent estimates, as VEGAS combines its iterations.

    Parameters
    ----------
    integrals : sequence
        `Integral` tuples, or pairs (value, error).

    Returns
    -------
    Combination

    Raises
    ------
    ValueError
        If there is none, or an error is not positive.

    Notes
    -----
    The weights :math:`1/\sigma_k^2` are themselves estimated. An iteration that has missed a peak has a small value
    *and* a small error, so the mean is biased towards low values while iterations are short
    :cite:`lepage1978vegas`. A large :math:`\chi^2` is the warning.

    Examples
    --------
    >>> [round(number, 3) for number in combine([(1.0, 0.1), (1.2, 0.1)])]
    [1.1, 0.071, 2.0, 1]
    """
    pairs = np.array([tuple(integral)[:2] for integral in integrals], dtype=np.float64).reshape(-1, 2)
    errors = to_numpy("errors of integrals", pairs[:, 1], ("n",), positive=True)
    precision = errors**-2
    value = (precision * pairs[:, 0]).sum() / precision.sum()
    chi_squared = (precision * (pairs[:, 0] - value) ** 2).sum()
    return Combination(float(value), float(precision.sum() ** -0.5), float(chi_squared), len(pairs) - 1)


def reference_weight(weights, quantile=1.0):
    """The weight above which no more than a small share of the integral lies.

    Parameters
    ----------
    weights : array, (n,)
        Not negative.
    quantile : float
        Share of the sum of weights that lies at weights up to the reference; 1 gives the largest weight.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If a weight is negative or not finite, all are zero, or `quantile` is outside of (0, 1].

    Notes
    -----
    The largest of n weights grows with n without bound where the weights have a tail; a quantile of the integral
    does not. Event generators therefore allow a small share, 0.001 say, above.

    Examples
    --------
    >>> reference_weight(np.array([1.0, 1.0, 1.0, 7.0])), reference_weight(np.array([1.0, 1.0, 1.0, 7.0]), 0.3)
    (7.0, 1.0)
    """
    check_between("quantile", quantile, 0, 1, include_high=True)
    ordered = np.sort(_positive(weights))
    share = np.cumsum(ordered) / ordered.sum()
    return float(ordered[min(np.searchsorted(share, quantile * (1 - 1e-12)), len(ordered) - 1)])


def unweighting_efficiency(weights, quantile=1.0):
    """Share of the events that survives unweighting.

    Parameters
    ----------
    weights : array, (n,)
        Not negative.
    quantile : float
        As in `reference_weight`. Events above the reference are kept and count once.

    Returns
    -------
    float
        Mean of min(1, w / reference); with ``quantile=1`` the mean weight over the largest.

    Raises
    ------
    ValueError
        As `reference_weight`.

    Examples
    --------
    >>> unweighting_efficiency(np.array([0.0, 1.0, 1.0, 2.0]))
    0.5
    """
    return float(np.minimum(1, _positive(weights) / reference_weight(weights, quantile)).mean())


def unweight(weights, seed=0, maximum=None):
    """Choose events so that all that remain have weight one: accept each with the probability w / maximum.

    Parameters
    ----------
    weights : array, (n,)
        Not negative. (Of signed weights unweight the moduli and keep the signs.)
    seed : int or numpy.random.Generator
    maximum : float, optional
        The weight that is always accepted, the largest one by default. Events above a smaller `maximum` are all
        kept and need the weight w / maximum, larger than one, to leave every mean unbiased.

    Returns
    -------
    array of int, (accepted,)
        Indices of the accepted events, growing.

    Raises
    ------
    ValueError
        If a weight is negative or not finite, all are zero, or `maximum` is not positive.

    Examples
    --------
    >>> weights = np.array([0.0, 0.5, 1.0])
    >>> 0 in unweight(weights), 2 in unweight(weights)
    (False, True)
    """
    weights = _positive(weights)
    maximum = weights.max() if maximum is None else maximum
    check_between("maximum", float(maximum), 0, np.inf)
    return np.flatnonzero(np.random.default_rng(seed).random(len(weights)) < weights / maximum)


def _positive(weights):
    weights = to_numpy("weights", weights, ("n",)).astype(np.float64)
    if weights.min() < 0 or weights.max() == 0:
        raise ValueError(
            f"weights: found {weights.min():.4g} to {weights.max():.4g}, expected none negative, some not 0"
        )
    return weights
