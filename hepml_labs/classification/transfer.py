"""Generalised ABCD: transfer weights learned in a control region, and the histogram that they predict."""

from dataclasses import dataclass, field

import numpy as np
from scipy.stats import chi2

from hepml_labs.classification.abcd import IndependenceTest
from hepml_labs.validation import check_between, to_numpy

__all__ = ["TransferEstimate", "transfer_estimate", "transfer_weights"]


def transfer_weights(log_ratio, control_log_ratio, control_target):
    """Turn learned log-ratios into weights that carry events of the source into the target, with the right number.

    The ratio is learned for densities, both normalised to one in the control region. One factor per member brings the
    weighted events of the source there to the number of target events, exactly: ABCD, if the ratio is constant.

    Parameters
    ----------
    log_ratio : array of shape (..., n)
        log p_target / p_source of the events to be weighted (2 tags, signal region); one row per member.
    control_log_ratio : array of shape (..., m)
        The same for the events of the source in the control region.
    control_target : float
        Events of the target (4 tags) in the control region.

    Returns
    -------
    array of shape (..., n)
        Weights w = r N_target / sum_control r.

    Raises
    ------
    ValueError
        If an array is empty or not finite, the leading shapes differ, or `control_target` is not above zero.

    Examples
    --------
    >>> transfer_weights(np.zeros(3), np.zeros(100), 40)  # no shape learned: 40 / 100
    array([0.4, 0.4, 0.4])
    """
    log_ratio, control = to_numpy("log_ratio", log_ratio), to_numpy("control_log_ratio", control_log_ratio)
    check_between("control_target", control_target, 0, np.inf)
    if log_ratio.shape[:-1] != control.shape[:-1]:
        raise ValueError(
            f"control_log_ratio: found shape {control.shape}, expected {log_ratio.shape[:-1]} before the last axis"
        )
    highest = control.max(axis=-1, keepdims=True)  # taken out, so that no exponential overflows
    sums = np.exp(control - highest).sum(axis=-1, keepdims=True)
    return np.exp(log_ratio - highest) / sums * control.dtype.type(control_target)


@dataclass(frozen=True)
class TransferEstimate:
    """Predicted histogram with its uncertainties; the arrays have one entry per bin.

    Attributes
    ----------
    edges : array of shape (bins + 1,)
    value : array of shape (bins,)
        Expected events, the mean over the members.
    statistical : array of shape (bins,)
        From the number of source events in the bin, sqrt(sum w^2); independent bin by bin.
    bootstrap : array of shape (bins, bins)
        Covariance of the members: the error of the learned ratio.
    normalisation : array of shape (bins,)
        From counting in the control region; moves all bins together.
    region : array of shape (choices, bins)
        Difference to the estimate from another choice of control region, one row each; moves all bins together.
    """

    edges: np.ndarray
    value: np.ndarray
    statistical: np.ndarray
    bootstrap: np.ndarray
    normalisation: np.ndarray
    region: np.ndarray = field(repr=False)

    @property
    def covariance(self):
        """Sum of the four covariances, shape (bins, bins)."""
        together = np.vstack([self.normalisation[None], self.region])
        return np.diag(self.statistical**2) + self.bootstrap + together.T @ together

    @property
    def error(self):
        """Total error of each bin, shape (bins,)."""
        return np.sqrt(np.diag(self.covariance))

    def compare(self, counts):
        """Compare with observed `counts` (bins,); return statistic, degrees of freedom and p-value.

        The statistic is the squared residual with the inverse of the estimate's covariance plus the Poisson variance of
        the expected counts.
        """
        counts = np.asarray(counts, dtype=float)
        if counts.shape != self.value.shape:
            raise ValueError(f"counts: found shape {counts.shape}, expected {self.value.shape}")
        residual = counts - self.value
        empty = np.flatnonzero(self.value <= 0)
        if len(empty):
            raise ValueError(f"counts: no events are predicted in bin {empty[0]}, expected some in each: merge bins")
        statistic = float(residual @ np.linalg.solve(self.covariance + np.diag(self.value), residual))
        return IndependenceTest(statistic, len(counts), float(chi2.sf(statistic, len(counts))))


def transfer_estimate(values, edges, weights, alternatives=(), normalisation=0.0):
    """Fill the predicted histogram and its covariances (generalised ABCD).

    Parameters
    ----------
    values : array of shape (n,)
        The variable, for the source events in the signal region; events outside of the edges are left out.
    edges : array of shape (bins + 1,)
        Rising bin edges.
    weights : array of shape (members, n) or (n,)
        Transfer weights, one row per bootstrap member; with one row there is no bootstrap error.
    alternatives : sequence of arrays of shape (n,)
        Weights learned with other choices of control region.
    normalisation : float
        Relative error of the normalisation, such as ``sqrt(1 / N_target + 1 / N_source)`` in the control region. A
        multinomial bootstrap holds both numbers fixed and does not contain it.

    Returns
    -------
    TransferEstimate

    Raises
    ------
    ValueError
        If shapes do not fit, entries are not finite, edges do not rise, or `normalisation` is negative.

    Examples
    --------
    >>> weights = np.array([[0.5, 0.5, 1.0], [0.7, 0.7, 1.0]])
    >>> estimate = transfer_estimate(np.array([0.2, 0.4, 1.5]), np.array([0.0, 1.0, 2.0]), weights)
    >>> estimate.value
    array([1.2, 1. ])
    >>> estimate.bootstrap.round(3)
    array([[0.08, 0.  ],
           [0.  , 0.  ]])
    """
    values, edges = to_numpy("values", values, ("n",)), to_numpy("edges", edges, ("edges",))
    rows = np.atleast_2d(to_numpy("weights", weights)).astype(float)
    others = [to_numpy(f"alternatives[{k}]", other, (len(values),)) for k, other in enumerate(alternatives)]
    if rows.shape[-1] != len(values) or rows.ndim != 2:
        raise ValueError(f"weights: found shape {np.shape(weights)}, expected (members, {len(values)})")
    if len(edges) < 2 or not (np.diff(edges) > 0).all():
        raise ValueError("edges: found edges that do not rise, expected at least two in rising order")
    check_between("normalisation", normalisation, 0, np.inf, include_low=True)
    bins = len(edges) - 1

    def filled(weight):
        return np.histogram(values, bins=edges, weights=weight)[0]

    histograms = np.array([filled(row) for row in rows])
    value = histograms.mean(axis=0)
    covariance = np.atleast_2d(np.cov(histograms.T)) if len(rows) > 1 else np.zeros((bins, bins))
    region = np.array([filled(other) - value for other in others]).reshape(-1, bins)
    statistical = np.sqrt(filled(rows.mean(axis=0) ** 2))
    return TransferEstimate(edges, value, statistical, covariance, normalisation * value, region)
