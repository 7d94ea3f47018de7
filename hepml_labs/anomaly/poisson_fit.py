"""Poisson maximum likelihood for many histograms at once: Fisher's scoring, damped where a step does not gain.

A fit of a few parameters is a few small matrices, and numpy does thousands of them in one go.
"""

import numpy as np
from scipy.special import xlogy

from hepml_labs.validation import check_array

__all__ = ["fisher_information", "maximise_likelihood", "poisson_loss"]

STEPS = 200
PRECISION = 1e-7  # stop where the next step would gain less than this in the log-likelihood
TOLERATED = 1e-3  # what it may still gain when the steps are used up


def poisson_loss(counts, expected):
    """Return minus the Poisson log-likelihood, measured from that of a perfect description: half the deviance.

    Parameters
    ----------
    counts, expected : array, (..., bins)
        Counts may be fractions.

    Returns
    -------
    array, (...)
        At least zero; infinite where an expectation is not above zero.

    Notes
    -----
    Baker and Cousins, Nucl. Instrum. Meth. 221 (1984) 437.

    Examples
    --------
    >>> poisson_loss(np.array([[4.0, 9.0], [0.0, 9.0]]), np.array([4.0, 9.0]))
    array([0., 4.])
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        loss = (expected - counts + xlogy(counts, counts / expected)).sum(axis=-1)
    return np.where((expected > 1e-30).all(axis=-1) & np.isfinite(loss), loss, np.inf)


def fisher_information(slope, expected):
    """Return the mean second derivatives of `poisson_loss`; their inverse is the covariance of the parameters.

    Parameters
    ----------
    slope : array, (n, bins, k)
        Derivatives of the expectation.
    expected : array, (n, bins)

    Returns
    -------
    array, (n, k, k)

    Examples
    --------
    >>> fisher_information(np.ones((1, 4, 1)), np.full((1, 4), 2.0))  # a mean, from four bins with two events each
    array([[[2.]]])
    """
    return np.swapaxes(slope, -1, -2) @ (slope / expected[..., None])


def maximise_likelihood(expectation, counts, start):
    """Fit the parameters of an expectation to each of many histograms.

    Parameters
    ----------
    expectation : callable
        Takes parameters (m, k) and the rows (m,) of `counts` that they belong to; returns the expected counts
        (m, bins) and their derivatives (m, bins, k). Counts of zero or less, or overflow, are allowed: such a step is
        refused and a shorter one tried.
    counts : array, (n, bins)
        Above zero, however little: an expectation that may vanish has no derivative of its logarithm.
    start : array, (n, k)

    Returns
    -------
    array, (n, k)

    Raises
    ------
    ValueError
        If `counts` or `start` is no array of that shape, or a count is not above zero.
    RuntimeError
        If a fit does not converge.

    Examples
    --------
    >>> slope = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])  # a straight line
    >>> line = lambda parameters, rows: (parameters @ slope.T, np.broadcast_to(slope, (len(rows), 3, 2)))
    >>> maximise_likelihood(line, np.array([[2.0, 3.0, 4.0]]), np.array([[9.0, 0.0]])).round(4)
    array([[2., 1.]])
    """
    check_array("counts", counts, ("n", "bins"), positive=True)
    check_array("start", start, (len(counts), "k"))
    best, damping, active = start.copy(), np.full(len(start), 1e-9), np.arange(len(start))
    for _ in range(STEPS):
        expected, slope = expectation(best[active], active)
        ratio = counts[active] / expected
        gradient = (slope * (1 - ratio)[..., None]).sum(axis=1)
        information = fisher_information(slope, expected / np.maximum(ratio, 1))  # steeper where expected -> 0
        diagonal = np.einsum("ikk->ik", information)  # a view
        diagonal *= 1 + damping[active, None]
        step = np.linalg.solve(information, gradient[..., None])[..., 0]
        trial = best[active] - step
        gain = poisson_loss(counts[active], expected) - poisson_loss(counts[active], expectation(trial, active)[0])
        good = gain >= -PRECISION
        best[active[good]] = trial[good]
        damping[active] = np.where(good, damping[active] / 10, np.maximum(damping[active] * 10, 1e-3)).clip(1e-9, 1e9)
        missing = (gradient * step).sum(axis=-1)
        left = ~good | (missing > PRECISION)
        active, missing = active[left], missing[left]
        if len(active) == 0:
            return best
    failed = (missing > TOLERATED).sum()
    if failed:
        raise RuntimeError(f"found {failed} of {len(start)} fits without a maximum of the likelihood")
    return best
