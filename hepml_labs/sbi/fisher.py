r"""Fisher information: how well the best analysis can do, and how much of that a given one keeps.

The score :math:`t(x) = \nabla_\theta \log p(x|\theta)` says how the log-likelihood of an event changes with the
parameters. Its covariance is the Fisher information of one event,

.. math:: I_{ij} = E[t_i\, t_j] ,

and no unbiased estimator from n events has a covariance below :math:`I^{-1}/n` (Rao 1945, Cramer 1946). Whatever is
done to the events, the information can only fall; the functions below measure by how much.
"""

from typing import NamedTuple

import numpy as np

from hepml_labs.physics.morphing import monomial_gradients, monomials
from hepml_labs.validation import check_between, check_same_shape, to_numpy

__all__ = [
    "Estimate",
    "attained_information",
    "extended_information",
    "histogram_information",
    "information",
    "rate_information",
]


class Estimate(NamedTuple):
    """An information matrix from a finite sample of events.

    Attributes
    ----------
    matrix : array of shape (p, p)
        Information per event, dimensionless for dimensionless parameters.
    error : array of shape (p, p)
        Standard error of each entry from the number of events.
    """

    matrix: np.ndarray
    error: np.ndarray


def _normalised(weights, n):
    """Weights (n,) that sum to one."""
    if weights is None:
        return np.full(n, 1 / n)
    weights = to_numpy("weights", weights, (n,)).astype(np.float64)
    if (weights < 0).any() or weights.sum() <= 0:
        raise ValueError(f"weights: found a smallest one of {weights.min():.4g}, expected none below zero, some above")
    return weights / weights.sum()


def _estimate(projected, score, weights, lost=0.0):
    """E[m m^T] for the projection m of the score t on what an analysis keeps, with its error.

    The projection depends on the sample as well; to first order the information is the mean of t m^T + m t^T - m m^T,
    and its error the scatter of that. With m = t this is the error of the mean of t t^T.
    """
    matrix = (projected * weights[:, None]).T @ projected - lost
    cross = score[:, :, None] * projected[:, None, :]
    terms = cross + cross.transpose(0, 2, 1) - projected[:, :, None] * projected[:, None, :]
    error = np.sqrt(np.einsum("n,nij->ij", weights**2, (terms - matrix) ** 2))
    return Estimate(matrix, error)


def information(score, weights=None):
    """Fisher information of one event, the mean of the outer product of the score with itself.

    Parameters
    ----------
    score : array of shape (n, p)
        Score of each event, of the normalised density (so its mean is zero). With the joint score this is the
        information of the event record, latent variables included, the most that any detector could leave.
        With an *estimated* score it is what the estimator claims: noise in it counts as information. See
        `attained_information` for what it really carries.
    weights : array of shape (n,), optional
        Weights that make the events a sample of p(x|theta), such as ``coefficients @ monomials(theta)``.

    Returns
    -------
    Estimate
        Matrix and error, both of shape (p, p).

    Raises
    ------
    ValueError
        If the score is no such array, or the weights are negative or all zero.

    Notes
    -----
    Brehmer, Cranmer, Kling and Plehn, arXiv:1612.05261, section 2.

    Examples
    --------
    A Gaussian of width 0.5 around its parameter: t = (x - theta) / 0.25, and the information is 1 / 0.25.

    >>> x = np.random.default_rng(1).normal(0.0, 0.5, 200_000)
    >>> estimate = information(x[:, None] / 0.25)
    >>> print(f"{estimate.matrix[0, 0]:.1f} +- {estimate.error[0, 0]:.2f}")
    4.0 +- 0.01
    """
    score = to_numpy("score", score, ("n", "p")).astype(np.float64)
    return _estimate(score, score, _normalised(weights, len(score)))


def attained_information(statistic, joint_score, weights=None):
    r"""Information in the mean of a statistic s(x), such as an estimated score, measured with exact joint scores.

    Small changes of the parameters move the mean of s by :math:`C^T d\theta` with :math:`C = E[s\,t^T]`, against a
    covariance :math:`V` of s. The best estimator that is linear in s attains

    .. math:: J = C^T\, V^{-1}\, C \;\le\; I ,

    with equality where the exact score is a linear function of s. A statistic that is noisy, over-trained, in wrong
    units or of wrong sign gets what it deserves. The joint score t(x, z) may stand for t(x), as both have the same
    mean at given x.

    Parameters
    ----------
    statistic : array of shape (n, k)
        Any k numbers per event; take events that were not used to train them.
    joint_score : array of shape (n, p)
        Joint score (or exact score) of the same events.
    weights : array of shape (n,), optional
        As in `information`.

    Returns
    -------
    Estimate
        J and its error, shape (p, p).

    Raises
    ------
    ValueError
        If an array has another shape, or the weights are negative or all zero.

    Notes
    -----
    Godambe, Ann. Math. Statist. 31 (1960) 1208; as optimal observables of collider physics: Diehl and Nachtmann,
    Z. Phys. C 62 (1994) 397. The finite sample adds about k/n times the information.

    Examples
    --------
    A detector doubles the variance, so half of the information is left; a wrong scale does not matter.

    >>> random = np.random.default_rng(1)
    >>> z = random.normal(size=(200_000, 1))  # joint score of a unit Gaussian at zero
    >>> x = z + random.normal(size=z.shape)
    >>> float(information(z).matrix[0, 0].round(1)), float(attained_information(-7 * x, z).matrix[0, 0].round(2))
    (1.0, 0.5)
    """
    statistic = to_numpy("statistic", statistic, ("n", "k")).astype(np.float64)
    score = to_numpy("joint_score", joint_score, (len(statistic), "p")).astype(np.float64)
    weights = _normalised(weights, len(score))
    centred = statistic - weights @ statistic
    weighted = centred * weights[:, None]
    projected = centred @ np.linalg.pinv(weighted.T @ centred, rcond=1e-10, hermitian=True) @ (weighted.T @ score)
    return _estimate(projected, score - weights @ score, weights)


def histogram_information(bins, joint_score, weights=None):
    r"""Information in the shape of a histogram: the covariance of the mean score in each bin.

    The score of a bin is :math:`t_b = \nabla_\theta \log p_b = E[t | b]`, the mean of the joint scores in it, and the
    information :math:`\sum_b p_b\, t_b t_b^T`. What varies inside a bin is lost. The expectation of
    the statistical noise of the means, which would count as information, is subtracted.

    Parameters
    ----------
    bins : integer array of shape (n,)
        Bin of each event, in any number of dimensions (see `histograms.HistogramRatio.bin_of`).
    joint_score : array of shape (n, p)
        Joint score of each event, of the normalised density.
    weights : array of shape (n,), optional
        As in `information`.

    Returns
    -------
    Estimate
        Matrix and error, both of shape (p, p).

    Raises
    ------
    ValueError
        If an array has another shape, a bin number is negative, or the weights are negative or all zero.

    Notes
    -----
    Brehmer, Cranmer, Kling and Plehn, arXiv:1612.05261; MadMiner's ``FisherInformation.histo_information``.

    Examples
    --------
    The sign of a unit Gaussian knows 2/pi = 0.64 of what the Gaussian knows about its mean.

    >>> x = np.random.default_rng(1).normal(size=200_000)
    >>> estimate = histogram_information((x > 0).astype(int), x[:, None])
    >>> print(f"{estimate.matrix[0, 0]:.1f} +- {estimate.error[0, 0]:.3f}")
    0.6 +- 0.002
    """
    score = to_numpy("joint_score", joint_score, ("n", "p")).astype(np.float64)
    bins = np.asarray(bins)
    if bins.shape != score.shape[:1] or bins.dtype.kind not in "iu" or bins.min() < 0:
        raise ValueError(
            f"bins: found shape {bins.shape} of type {bins.dtype}, expected ({len(score)},) integers of at least 0"
        )
    weights = _normalised(weights, len(score))
    total = np.bincount(bins, weights)
    filled = np.where(total > 0, total, 1.0)
    means = np.stack([np.bincount(bins, weights * t) for t in score.T], axis=-1) / filled[:, None]
    projected = means[bins]
    residual = (score - projected) * (weights / np.sqrt(filled[bins]))[:, None]
    return _estimate(projected, score, weights, lost=residual.T @ residual)


def rate_information(total, theta, luminosity=1.0):
    r"""Information in the number of events alone, a Poisson variable with mean :math:`L\,\sigma(\theta)`.

    Parameters
    ----------
    total : array of shape (K,)
        Coefficients of the cross-section in the monomials of theta (the sum of the events' coefficients), in pb.
    theta : array of shape (p,)
        Point of the parameter space.
    luminosity : float
        Integrated luminosity in 1/pb.

    Returns
    -------
    array of shape (p, p)
        :math:`L\, \nabla\sigma\, \nabla\sigma^T / \sigma`: of rank one, a single number cannot measure two.

    Raises
    ------
    ValueError
        If the shapes do not fit, or the cross-section or the luminosity is not positive.

    Notes
    -----
    arXiv:1612.05261, section 2.

    Examples
    --------
    sigma = 100 (1 + 0.1 theta), 100 events at theta = 0: one parameter is known to 10 / 10 = 1.

    >>> rate_information(np.array([100.0, 10.0, 0.0]), np.array([0.0]))
    array([[1.]])
    """
    theta = to_numpy("theta", theta, ("p",))
    p = len(theta)
    total = to_numpy("total", total, ((p + 1) * (p + 2) // 2,))
    check_between("luminosity", luminosity, 0, np.inf)
    sigma = float(total @ monomials(theta[None])[0])
    if sigma <= 0:
        raise ValueError(f"total: found a cross-section of {sigma:.4g} at theta = {theta}, expected one above zero")
    gradient = total @ monomial_gradients(theta[None])[0]
    return luminosity * np.outer(gradient, gradient) / sigma


def extended_information(shape, total, theta, luminosity):
    """Information of a whole measurement: the number of events and the shape of their distribution.

    Parameters
    ----------
    shape : array of shape (p, p)
        Information of one event, of the normalised density.
    total : array of shape (K,)
        Coefficients of the cross-section, in pb.
    theta : array of shape (p,)
        Point of the parameter space.
    luminosity : float
        Integrated luminosity in 1/pb.

    Returns
    -------
    array of shape (p, p)
        Rate information plus expected number of events times `shape`.

    Raises
    ------
    ValueError
        As `rate_information`, or if `shape` has another shape.

    Notes
    -----
    The two add because the mean score vanishes, so the number of events and their shape are uncorrelated.

    Examples
    --------
    >>> extended_information(np.array([[0.5]]), np.array([100.0, 10.0, 0.0]), np.array([0.0]), 1.0)
    array([[51.]])
    """
    rate = rate_information(total, theta, luminosity)
    check_same_shape(rate=rate, shape=to_numpy("shape", shape))
    return rate + luminosity * float(total @ monomials(theta[None])[0]) * shape
