"""What an information matrix means: smallest errors, unknown parameters, and the share that an analysis keeps."""

import numpy as np

from hepml_labs.validation import check_between, check_same_shape, to_numpy

__all__ = ["cramer_rao", "profiled_information", "shares"]


def cramer_rao(matrix, events=1.0):
    """Smallest covariance of unbiased estimators: the inverse of the information.

    Parameters
    ----------
    matrix : array of shape (p, p)
        Information per event, or of the whole measurement with ``events=1``.
    events : float
        Number of events.

    Returns
    -------
    array of shape (p, p)
        The bound; the roots of its diagonal are the smallest standard errors, with all other parameters unknown.

    Raises
    ------
    ValueError
        If the matrix is not square, or has no inverse: some combination of parameters cannot be measured.

    Examples
    --------
    >>> cramer_rao(np.array([[4.0]]), events=25)
    array([[0.01]])
    """
    matrix = to_numpy("matrix", matrix, ("p", "p")).astype(np.float64)
    check_between("events", events, 0, np.inf)
    values = np.linalg.eigvalsh(matrix)
    if values[0] <= 1e-12 * abs(values[-1]):
        raise ValueError(
            f"matrix: found a smallest eigenvalue of {values[0]:.3g} beside {values[-1]:.3g}, expected all above "
            "zero: there is a direction that this information does not constrain"
        )
    return np.linalg.inv(matrix) / events


def profiled_information(matrix, keep):
    r"""Information on some parameters when the others are unknown and fitted as well.

    Parameters
    ----------
    matrix : array of shape (p, p)
        Information on all parameters.
    keep : sequence of int
        Which parameters are of interest.

    Returns
    -------
    array of shape (k, k)
        :math:`I_{aa} - I_{ab}\, I_{bb}^{-1}\, I_{ba}`; its inverse is that block of the full inverse. Leaving out
        the second term would mean that the others are known.

    Raises
    ------
    ValueError
        If the matrix is not square, or `keep` names no parameter or one that does not exist.

    Notes
    -----
    Brehmer, Cranmer, Kling and Plehn, arXiv:1612.05261, section 2.

    Examples
    --------
    >>> profiled_information(np.array([[2.0, 1.0], [1.0, 2.0]]), [0])
    array([[1.5]])
    """
    matrix = to_numpy("matrix", matrix, ("p", "p")).astype(np.float64)
    keep = [int(index) for index in keep]
    if not keep or min(keep) < 0 or max(keep) >= len(matrix):
        raise ValueError(f"keep: found {keep}, expected some of 0 to {len(matrix) - 1}")
    other = [index for index in range(len(matrix)) if index not in keep]
    mixed = matrix[np.ix_(other, keep)]
    return matrix[np.ix_(keep, keep)] - mixed.T @ np.linalg.pinv(matrix[np.ix_(other, other)], hermitian=True) @ mixed


def shares(part, full):
    """Share of the information that an analysis keeps, in its worst and in its best direction.

    Parameters
    ----------
    part, full : array of shape (p, p)
        Information of the analysis, and of the data that it was made from.

    Returns
    -------
    array of shape (p,)
        Ascending generalised eigenvalues of the pair: the stationary values of (u part u) / (u full u) over all
        directions u of the parameter space. They do not depend on the units or on the choice of parameters.

    Raises
    ------
    ValueError
        If the shapes differ, or `full` has no inverse.

    Examples
    --------
    >>> shares(np.diag([1.0, 4.0]), np.diag([2.0, 4.0]))
    array([0.5, 1. ])
    """
    part, full = to_numpy("part", part, ("p", "p")), to_numpy("full", full, ("p", "p"))
    check_same_shape(full=full, part=part)
    root = np.linalg.cholesky(cramer_rao(full))
    return np.linalg.eigvalsh(root.T @ part @ root)
