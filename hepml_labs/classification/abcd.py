"""The ABCD method by counting: the background in a signal region from three regions beside it."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import xlogy
from scipy.stats import chi2, chi2_contingency

from hepml_labs.validation import check_between, check_count

__all__ = ["AbcdEstimate", "IndependenceTest", "abcd", "independence_test"]

ONE_SIGMA = 0.682689492137086  # probability of a Gaussian within one standard deviation


class AbcdEstimate(NamedTuple):
    """Expected events in region A: N_B N_C / N_D and its linear error, N_B N_C / (N_D + 1), likelihood interval."""

    value: float
    error: float
    unbiased: float
    low: float
    high: float


class IndependenceTest(NamedTuple):
    """Twice the log-likelihood ratio of a free table and a factorised one, its degrees of freedom and p-value."""

    statistic: float
    degrees: int
    p_value: float


def abcd(count_b, count_c, count_d, level=ONE_SIGMA):
    r"""Estimate the events in A from three neighbours, for two independent variables: A / B = C / D.

    The interval holds all :math:`\tau = \mu_B\mu_C/\mu_D` whose profile likelihood is close enough to the largest. With
    a Lagrange parameter :math:`\kappa` the best Poisson means are :math:`N_B-\kappa,\ N_C-\kappa,\ N_D+\kappa`, so that
    :math:`\tau` and the likelihood ratio are both elementary functions of :math:`\kappa`, and no fit is needed.

    Parameters
    ----------
    count_b, count_c, count_d : int
        Events in the regions that share a side with A (B, C) and in the one opposite (D).
    level : float
        Confidence level of the interval, in (0, 1).

    Returns
    -------
    AbcdEstimate
        value, error (linear propagation), unbiased, low, high. Without events in D value, error and high are infinite.

    Raises
    ------
    ValueError
        If a count is not a whole number of at least zero, or `level` is out of range.

    Notes
    -----
    The mean of 1 / (N + 1) for a Poisson N of mean mu is (1 - exp(-mu)) / mu: `unbiased` is low by exp(-mu_D) only.
    The interval is approximate for few events, like each interval from a likelihood ratio (Wilks); its coverage is
    measured in the tests.

    Examples
    --------
    >>> estimate = abcd(40, 50, 100)
    >>> estimate.value, round(estimate.error, 2)
    (20.0, 4.69)
    >>> round(estimate.low, 2), round(estimate.high, 2)
    (15.77, 25.22)
    """
    for name, count in (("count_b", count_b), ("count_c", count_c), ("count_d", count_d)):
        check_count(name, count, minimum=0)
    check_between("level", level, 0, 1)
    b, c, d = float(count_b), float(count_c), float(count_d)
    unbiased = b * c / (d + 1)
    threshold = chi2.ppf(level, 1)

    def tau(kappa):
        return (b - kappa) * (c - kappa) / (d + kappa)

    def excess(kappa):  # minus twice the log of the likelihood ratio, minus its threshold
        ratio = sum(xlogy(n, n / mean) if n else 0.0 for n, mean in ((b, b - kappa), (c, c - kappa), (d, d + kappa)))
        return 2 * (ratio - kappa) - threshold

    # towards kappa = min(b, c) the estimate falls to zero, towards kappa = -d it grows without bound
    tiny = 1e-12
    most, least = min(b, c) * (1 - tiny), -d * (1 - tiny)
    low = tau(brentq(excess, 0.0, most)) if most > 0 and excess(most) > 0 else 0.0
    high = tau(brentq(excess, least, 0.0)) if least < 0 and excess(least) > 0 else np.inf
    if d == 0:
        return AbcdEstimate(np.inf, np.inf, unbiased, low, np.inf)
    error = np.sqrt(b * c * (b + c) + (b * c) ** 2 / d) / d  # value * sqrt(1/b + 1/c + 1/d), also for b = 0
    return AbcdEstimate(b * c / d, float(error), unbiased, float(low), float(high))


def independence_test(table):
    """Test whether the rows and columns of a table of counts are independent, as ABCD assumes.

    Parameters
    ----------
    table : array of int, shape (rows, columns)
        Counted events, at least 2 x 2; no weights, since a weighted count is not Poisson.

    Returns
    -------
    IndependenceTest
        statistic, degrees = (rows - 1) (columns - 1), p_value from the chi-squared distribution.

    Raises
    ------
    ValueError
        If the table is not two-dimensional with whole numbers of at least zero, or a row or column is empty.

    Notes
    -----
    S. S. Wilks, Annals of Mathematical Statistics 9 (1938) 60. Under independence the expected counts are row sum times
    column sum over the total.

    Examples
    --------
    >>> independence_test(np.array([[20, 40], [50, 100]])).p_value
    1.0
    >>> independence_test(np.array([[60, 40], [50, 100]])).p_value < 1e-3
    True
    """
    table = np.asarray(table)
    if table.ndim != 2 or min(table.shape) < 2:
        raise ValueError(f"table: found shape {table.shape}, expected at least (2, 2)")
    if not np.issubdtype(table.dtype, np.integer) or (table < 0).any():
        raise ValueError(f"table: found type {table.dtype}, smallest entry {table.min()}, expected counted events")
    if not (table.sum(axis=0).all() and table.sum(axis=1).all()):
        raise ValueError("table: found an empty row or column, expected events in each")
    result = chi2_contingency(table, correction=False, lambda_="log-likelihood")
    return IndependenceTest(max(float(result.statistic), 0.0), int(result.dof), float(result.pvalue))
