r"""Limits on parameters: from log-likelihood ratios of events to regions with a confidence level.

All functions work on a table of log-likelihood ratios of normalised densities,
``log_ratio[j, i]`` :math:`= \log p(x_i|\theta_j) / p(x_i|\theta_r)`, for the points :math:`\theta_j` of a grid, from
whatever estimator. The rate of events is in where ``expected`` is given, the expected number of events at each point,
and left out where it is not. Here are the likelihood and its asymptotics; toys and the construction of Neyman are in
`neyman`.
"""

import numpy as np
from scipy.stats import chi2

from hepml_labs.validation import check_between, check_count, to_numpy

__all__ = [
    "asymptotic_p_value",
    "asymptotic_threshold",
    "expected_statistic",
    "extended_log_likelihood",
    "parameter_grid",
    "profile_statistic",
    "statistic",
]


def parameter_grid(*axes):
    """All points of a rectangular grid.

    Parameters
    ----------
    *axes : arrays of shape (m_k,)
        Values of each parameter.

    Returns
    -------
    array of shape (m_1 m_2 ..., p)
        The last parameter runs fastest: a result of shape (m,) is drawn as ``result.reshape(m_1, m_2, ...)``.

    Raises
    ------
    ValueError
        If an axis is no such array.

    Examples
    --------
    >>> parameter_grid(np.array([0.0, 1.0]), np.array([5.0, 6.0])).tolist()
    [[0.0, 5.0], [0.0, 6.0], [1.0, 5.0], [1.0, 6.0]]
    """
    axes = [to_numpy("axes", axis, ("m",)) for axis in axes]
    return np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=-1)


def extended_log_likelihood(log_ratio, expected=None):
    r"""Log-likelihood of observed events at each point, up to a constant.

    .. math:: \log L(\theta) = n \log\nu(\theta) - \nu(\theta) + \sum_{i=1}^{n} \log r(x_i|\theta)

    Parameters
    ----------
    log_ratio : array of shape (m, n)
        Log-likelihood ratio of each observed event at each point; n may be zero.
    expected : array of shape (m,), optional
        Expected number of events nu at each point. Without it only the shape counts: the last term.

    Returns
    -------
    array of shape (m,)

    Raises
    ------
    ValueError
        If a shape is wrong, an entry is not finite, or an expected number is not positive.

    Notes
    -----
    Barlow, Nucl. Instrum. Meth. A 297 (1990) 496.

    Examples
    --------
    Two events that prefer the second point by log 2 each; it expects 4 events, the first 2.

    >>> extended_log_likelihood(np.log([[1.0, 1.0], [2.0, 2.0]]), np.array([2.0, 4.0])).round(3)
    array([-0.614,  0.159])
    """
    log_ratio = np.asarray(log_ratio)
    if log_ratio.ndim != 2 or not np.isfinite(log_ratio).all():
        raise ValueError(f"log_ratio: found shape {log_ratio.shape}, expected (m, n), all finite")
    shape = log_ratio.sum(axis=1, dtype=np.float64)
    if expected is None:
        return shape
    expected = to_numpy("expected", expected, (len(log_ratio),), positive=True).astype(np.float64)
    return log_ratio.shape[1] * np.log(expected) - expected + shape


def statistic(log_likelihood):
    r"""Test statistic :math:`q(\theta) = -2 \log L(\theta) / L(\hat\theta)` with the maximum taken over the grid.

    Parameters
    ----------
    log_likelihood : array of shape (..., m)

    Returns
    -------
    array of shape (..., m)
        Zero at the best point of the grid, positive elsewhere. The grid should be fine against the standard error:
        with a step of a third of it the true maximum is higher by about 0.01 per parameter on average.

    Raises
    ------
    ValueError
        If an entry is not finite.

    Examples
    --------
    >>> statistic(np.array([-3.0, -1.0, -1.5]))
    array([4., 0., 1.])
    """
    log_likelihood = to_numpy("log_likelihood", log_likelihood)
    return 2 * (log_likelihood.max(axis=-1, keepdims=True) - log_likelihood)


def expected_statistic(log_ratio, weights, events, expected=None):
    r"""Test statistic of the Asimov data: what a typical experiment finds, without throwing dice.

    The events of a large simulated sample enter with fractional weights that add up to `events`,

    .. math:: \log L_A(\theta) = n\,\log\nu(\theta) - \nu(\theta) + n\,E_{\theta_\text{true}}[\log r(x|\theta)] .

    Parameters
    ----------
    log_ratio : array of shape (m, n)
        Log-likelihood ratio of each simulated event at each point.
    weights : array of shape (n,)
        Weights of the events at the true point, in any normalisation.
    events : float
        Number of events of the experiment.
    expected : array of shape (m,), optional
        Expected number of events at each point, to use the rate.

    Returns
    -------
    array of shape (m,)

    Raises
    ------
    ValueError
        If the arrays do not fit together, or `events` is not positive.

    Notes
    -----
    Cowan, Cranmer, Gross and Vitells, arXiv:1007.1727, section 3.2.

    Examples
    --------
    A unit Gaussian: q = n theta^2.

    >>> x = np.random.default_rng(1).normal(size=1_000_000)
    >>> theta = np.array([0.0, 0.5, 1.0])
    >>> log_ratio = theta[:, None] * x - theta[:, None] ** 2 / 2
    >>> np.abs(expected_statistic(log_ratio, np.ones(len(x)), 10).round(1))
    array([ 0. ,  2.5, 10. ])
    """
    log_ratio = to_numpy("log_ratio", log_ratio, ("m", "n"))
    weights = to_numpy("weights", weights, (log_ratio.shape[1],))
    check_between("events", events, 0, np.inf)
    log_likelihood = events * (log_ratio @ (weights / weights.sum()).astype(log_ratio.dtype)).astype(np.float64)
    if expected is not None:
        expected = to_numpy("expected", expected, (len(log_ratio),), positive=True)
        log_likelihood = log_likelihood + events * np.log(expected) - expected
    return statistic(log_likelihood)


def profile_statistic(values, shape, keep):
    """Test statistic of one parameter with all others at their best value.

    Parameters
    ----------
    values : array of shape (m,)
        Test statistic at the points of `parameter_grid`.
    shape : tuple of int
        Number of points along each axis.
    keep : int
        Parameter of interest.

    Returns
    -------
    array of shape (m_keep,)
        Smallest value over the other parameters: one degree of freedom.

    Raises
    ------
    ValueError
        If the sizes do not fit, or there is no such parameter.

    Examples
    --------
    >>> profile_statistic(np.array([0.0, 3.0, 2.0, 1.0]), (2, 2), keep=0)
    array([0., 1.])
    """
    values = to_numpy("values", values, (int(np.prod(shape)),)).reshape(shape)
    if keep not in range(len(shape)):
        raise ValueError(f"keep: found {keep}, expected a parameter from 0 to {len(shape) - 1}")
    return values.min(axis=tuple(axis for axis in range(len(shape)) if axis != keep))


def asymptotic_p_value(values, parameters):
    """Probability of a larger test statistic after Wilks: a chi-squared distribution.

    Parameters
    ----------
    values : array
        Test statistic, any shape.
    parameters : int
        Number of parameters of interest, the degrees of freedom.

    Returns
    -------
    array of the same shape

    Raises
    ------
    ValueError
        If `parameters` is no number from 1 on.

    Notes
    -----
    Wilks, Ann. Math. Statist. 9 (1938) 60: for many events, parameters inside their range, and a likelihood that
    is Gaussian in them.

    Examples
    --------
    >>> asymptotic_p_value(np.array([0.0, 2.3, 5.99]), parameters=2).round(3)
    array([1.   , 0.317, 0.05 ])
    """
    check_count("parameters", parameters)
    return chi2.sf(values, parameters)


def asymptotic_threshold(level, parameters):
    """Value of the test statistic that encloses the confidence level after Wilks.

    Parameters
    ----------
    level : float
        Confidence level, such as 0.68 or 0.95.
    parameters : int
        Number of parameters of interest.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the level is not between 0 and 1.

    Examples
    --------
    >>> [round(asymptotic_threshold(level, 2), 2) for level in (0.6827, 0.95)]
    [2.3, 5.99]
    """
    check_between("level", level, 0, 1)
    check_count("parameters", parameters)
    return float(chi2.ppf(level, parameters))
