"""Observables of jets for taggers: vectorised formulae on padded constituents, with no package but numpy.

Constituents are arrays of shape (n, m, 4) with (E, px, py, pz) in GeV last and rows of zeros after the last particle.
Masses are in :func:`hepml_labs.physics.recombination.jet_mass`, N-subjettiness and soft drop in
:mod:`hepml_labs.physics.jets`; entropies, angularities and what needs the kinds of particles in
:mod:`hepml_labs.physics.fragmentation`.
"""

import numpy as np

from hepml_labs.physics.kinematics import phi, pt
from hepml_labs.physics.recombination import rapidity
from hepml_labs.validation import check_array, check_between

BLOCK = 256  # jets at a time, where all pairs of constituents are needed: 20 MB for 100 constituents


def multiplicity(constituents):
    """Count the constituents of jets.

    Parameters
    ----------
    constituents : array, (n, m, 4)

    Returns
    -------
    int array, (n,)

    Raises
    ------
    ValueError
        Naming the argument.

    Examples
    --------
    >>> multiplicity(np.array([[[5.0, 3.0, 4.0, 0.0], [2.0, 0.0, 2.0, 0.0], [0.0, 0.0, 0.0, 0.0]]]))
    array([2])
    """
    check_array("constituents", constituents, ("n", "m", 4))
    return (constituents[..., 0] > 0).sum(axis=1)


def width(constituents):
    r"""Mean distance of the transverse momentum from the jet axis, also called girth.

    .. math:: w = \sum_i p_{T,i} \Delta R_i / \sum_i p_{T,i}

    Parameters
    ----------
    constituents : array, (n, m, 4)

    Returns
    -------
    array, (n,)

    Raises
    ------
    ValueError
        Naming the argument, also for a jet without constituents.

    Notes
    -----
    :cite:`gallicchio2011quarkgluon`. The axis is the direction of the sum of the constituents.

    Examples
    --------
    >>> jet = np.array([[[5.0, 5 * np.cos(0.3), y, 0.0] for y in (5 * np.sin(0.3), -5 * np.sin(0.3))]])
    >>> width(jet).round(6)
    array([0.3])
    """
    share, y, angle = shares_and_angles(constituents)
    return (share * np.hypot(y, angle)).sum(axis=1)


def pt_dispersion(constituents):
    r"""How unevenly the transverse momentum is shared: one for a single constituent, 1/sqrt(k) for k equal ones.

    .. math:: p_T^D = \sqrt{\sum_i p_{T,i}^2} / \sum_i p_{T,i}

    Parameters
    ----------
    constituents : array, (n, m, 4)

    Returns
    -------
    array, (n,)

    Raises
    ------
    ValueError
        Naming the argument, also for a jet without constituents.

    Examples
    --------
    >>> pt_dispersion(np.array([[[5.0, 3.0, 4.0, 0.0], [5.0, 0.0, 5.0, 0.0], [0.0, 0.0, 0.0, 0.0]]])).round(4)
    array([0.7071])
    """
    return np.sqrt((shares_and_angles(constituents)[0] ** 2).sum(axis=1))


def energy_correlations(constituents, beta=1.0):
    r"""Energy correlation functions of two and three particles, in units of powers of the total transverse momentum.

    .. math::
        e_2 = \sum_{i<j} z_i z_j \Delta R_{ij}^\beta, \qquad
        e_3 = \sum_{i<j<k} z_i z_j z_k (\Delta R_{ij} \Delta R_{jk} \Delta R_{ki})^\beta

    Parameters
    ----------
    constituents : array, (n, m, 4)
    beta : float
        Angular exponent.

    Returns
    -------
    e2, e3 : arrays, (n,)
        A jet of fewer than two (three) particles has zero.

    Raises
    ------
    ValueError
        Naming the argument, also for a jet without constituents.

    Notes
    -----
    :cite:`larkoski2013correlations`, with shares of the momentum. The triple sum is a sixth of the trace of the third
    power of the matrix :math:`\sqrt{z_i z_j} \Delta R_{ij}^\beta`.

    Examples
    --------
    >>> jet = np.array([[[5.0, 5 * np.cos(0.3), y, 0.0] for y in (5 * np.sin(0.3), -5 * np.sin(0.3))]])
    >>> [value.round(6).tolist() for value in energy_correlations(jet)]  # a quarter of the distance
    [[0.15], [0.0]]
    """
    check_between("beta", beta, 0, np.inf)
    both = np.empty((2, len(constituents)))
    for jets, share, distance in _pairs(constituents, beta):
        root = np.sqrt(share)
        matrix = root[:, :, None] * distance * root[:, None, :]
        both[0, jets] = (share * (distance @ share[:, :, None])[..., 0]).sum(axis=1) / 2
        both[1, jets] = ((matrix @ matrix) * matrix).sum(axis=(1, 2)) / 6
    return tuple(both)


def energy_ratios(constituents, beta=1.0):
    r"""Ratios of energy correlations that are small for jets with two prongs.

    .. math:: C_2 = e_3 / e_2^2, \qquad D_2 = e_3 / e_2^3

    Parameters
    ----------
    constituents : array, (n, m, 4)
    beta : float
        Angular exponent.

    Returns
    -------
    c2, d2 : arrays, (n,)
        Zero for a jet of fewer than three particles.

    Raises
    ------
    ValueError
        Naming the argument, also for a jet without constituents.

    Notes
    -----
    C2: :cite:`larkoski2013correlations`; D2: :cite:`larkoski2014power`.

    Examples
    --------
    >>> jet = np.array([[[5.0, 5 * np.cos(a), 5 * np.sin(a), 0.0] for a in (-0.3, 0.0, 0.3)]])
    >>> [value.round(6).tolist() for value in energy_ratios(jet)]
    [[0.1125], [0.84375]]
    """
    e2, e3 = energy_correlations(constituents, beta)
    safe = np.where(e3 > 0, e2, 1)
    return e3 / safe**2, e3 / safe**3


def pair_correlation(constituents, beta=0.2):
    r"""Energy correlation of two particles alone, :math:`C_\beta`: much faster than that of three.

    .. math:: C_\beta = \sum_{i<j} z_i z_j \Delta R_{ij}^\beta

    Parameters
    ----------
    constituents : array, (n, m, 4)
    beta : float
        Angular exponent. Small ones weigh collinear splittings and wide ones alike.

    Returns
    -------
    array, (n,)
        The first result of `energy_correlations`; zero for a jet of one particle.

    Raises
    ------
    ValueError
        Naming the argument, also for a jet without constituents.

    Notes
    -----
    :cite:`larkoski2013correlations`, who find small exponents best to tell quarks from gluons, near
    :math:`\beta = 0.2`. For :math:`\beta\to0` it becomes :math:`(1 - (p_T^D)^2) / 2`.

    Examples
    --------
    >>> jet = np.array([[[5.0, 5 * np.cos(0.3), y, 0.0] for y in (5 * np.sin(0.3), -5 * np.sin(0.3))]])
    >>> pair_correlation(jet, beta=1.0).round(6)
    array([0.15])
    """
    check_between("beta", beta, 0, np.inf)
    found = np.empty(len(constituents))
    for jets, share, distance in _pairs(constituents, beta):
        found[jets] = (share * (distance @ share[:, :, None])[..., 0]).sum(axis=1) / 2
    return found


def _pairs(constituents, beta):
    """Yield, for jets of similar size: their places, shares (k, m) and distances to a power (k, m, m)."""
    shares, y, angle = shares_and_angles(constituents)
    number = shares.shape[1] - (shares[:, ::-1] > 0).argmax(axis=1)  # columns up to the last particle
    order = number.argsort(kind="stable")
    for start in range(0, len(shares), BLOCK):
        jets = order[start : start + BLOCK]
        part = np.s_[jets, : number[jets[-1]]]  # padding beyond the largest of the block costs nothing
        turn = (angle[part][:, :, None] - angle[part][:, None, :] + np.pi) % (2 * np.pi) - np.pi
        yield jets, shares[part], np.hypot(y[part][:, :, None] - y[part][:, None, :], turn) ** beta


def shares_and_angles(constituents):
    """Coordinates of the constituents that all observables are made of.

    Parameters
    ----------
    constituents : array, (n, m, 4)

    Returns
    -------
    share, rapidity, azimuth : arrays, (n, m)
        Share in the scalar sum of transverse momenta; differences to the axis, which is the sum of the constituents, in
        radians. Padding has share zero.

    Raises
    ------
    ValueError
        Naming the argument, also for a jet without constituents.

    Examples
    --------
    >>> share, _, azimuth = shares_and_angles(np.array([[[5.0, 3.0, 4.0, 0.0], [5.0, 4.0, 3.0, 0.0]]]))
    >>> share, azimuth.round(3)
    (array([[0.5, 0.5]]), array([[ 0.142, -0.142]]))
    """
    check_array("constituents", constituents, ("n", "m", 4))
    momenta = np.asarray(constituents, dtype=np.float64)
    transverse = pt(momenta)
    total = transverse.sum(axis=1, keepdims=True)
    if not (total > 0).all():
        raise ValueError(f"constituents: found {int((total <= 0).sum())} empty jets, expected a particle in each")
    axis = momenta.sum(axis=1, keepdims=True)
    momenta = np.where(transverse[..., None] > 0, momenta, axis)  # where there is nothing: any direction
    y, angle = rapidity(momenta) - rapidity(axis), phi(momenta) - phi(axis)
    return transverse / total, y, (angle + np.pi) % (2 * np.pi) - np.pi
