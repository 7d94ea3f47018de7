"""Observables for quarks against gluons: how a jet's momentum is shared, and among which kinds of particles.

Constituents are arrays of shape (n, m, 4) with (E, px, py, pz) in GeV last and rows of zeros for padding; their PDG
numbers have the shape (n, m), with 0 for padding.
"""

import numpy as np
from scipy.special import entr

from hepml_labs.physics.substructure import shares_and_angles
from hepml_labs.validation import check_array, check_between

CHARGED = (11, 13, 211, 321, 2212)
"""Absolute PDG numbers of the charged particles that live long enough to reach a detector."""


def angularity(constituents, kappa=1.0, beta=0.5):
    r"""Generalised angularity, the sum of powers of momentum share and distance from the axis.

    .. math:: \lambda^\kappa_\beta = \sum_i z_i^\kappa \Delta R_i^\beta

    Parameters
    ----------
    constituents : array, (n, m, 4)
    kappa : float
        Power of the share; infrared and collinear safe for one alone.
    beta : float
        Power of the distance, which is not divided by the jet radius.

    Returns
    -------
    array, (n,)

    Raises
    ------
    ValueError
        Naming the argument, also for a jet without constituents.

    Notes
    -----
    :cite:`larkoski2014mutual`. Special cases, as (kappa, beta): multiplicity (0, 0), :math:`(p_T^D)^2` (2, 0), width
    (1, 1). The ratio (1, 1/2) over (2, 1) compares the soft, wide part of the energy with the hard, collinear one.

    Examples
    --------
    >>> jet = np.array([[[5.0, 5 * np.cos(0.3), y, 0.0] for y in (5 * np.sin(0.3), -5 * np.sin(0.3))]])
    >>> angularity(jet, kappa=1, beta=2).round(6), angularity(jet, kappa=2, beta=1).round(6)
    (array([0.09]), array([0.15]))
    """
    check_between("kappa", kappa, 0, np.inf, include_low=True)
    check_between("beta", beta, 0, np.inf, include_low=True)
    share, y, angle = shares_and_angles(constituents)
    return (np.where(share > 0, share**kappa, 0) * np.hypot(y, angle) ** beta).sum(axis=1)


def fragmentation_entropy(constituents):
    r"""Entropy of the momentum shares: how many constituents really share the momentum.

    .. math:: S_\mathrm{frag} = -\sum_i z_i \log z_i

    Parameters
    ----------
    constituents : array, (n, m, 4)

    Returns
    -------
    array, (n,)
        In nats: zero for one constituent, log k for k equal ones. A soft particle changes it little.

    Raises
    ------
    ValueError
        Naming the argument, also for a jet without constituents.

    Notes
    -----
    :cite:`vent2025quarkgluon`.

    Examples
    --------
    >>> fragmentation_entropy(np.array([[[5.0, 3.0, 4.0, 0.0], [5.0, 0.0, 5.0, 0.0], [0.0, 0.0, 0.0, 0.0]]])).round(4)
    array([0.6931])
    """
    return entr(shares_and_angles(constituents)[0]).sum(axis=1)


def species_entropy(species):
    r"""Entropy of the kinds of particles in a jet: how diverse they are.

    .. math:: S_\mathrm{PID} = -\sum_j f_j \log f_j, \qquad f_j = n_j / n

    Parameters
    ----------
    species : integer array, (n, m)
        The kind of each constituent, such as its PDG number; 0 for no particle. What counts as a kind is your choice:
        take the absolute value first if particle and antiparticle are one.

    Returns
    -------
    array, (n,)
        In nats: zero if all are of one kind, log k for k kinds in equal numbers.

    Raises
    ------
    ValueError
        Naming the argument, also for a jet without constituents.

    Notes
    -----
    :cite:`vent2025quarkgluon`.

    Examples
    --------
    >>> species_entropy(np.array([[22, 22, 211, -211], [22, 22, 22, 0]])).round(4) + 0.0
    array([1.0397, 0.    ])
    """
    check_array("species", species, ("n", "m"), floating=False)
    number = (species != 0).sum(axis=1)
    if (number == 0).any():
        raise ValueError(f"species: found {int((number == 0).sum())} empty jets, expected a particle in each")
    kinds = np.unique(species)
    return sum(entr((species == kind).sum(axis=1) / number) for kind in kinds[kinds != 0])


def charged_energy_share(constituents, pid):
    r"""Share of the energy that charged particles carry.

    .. math:: E_Q = \sum_{i\ \mathrm{charged}} E_i / \sum_i E_i

    Parameters
    ----------
    constituents : array, (n, m, 4)
    pid : integer array, (n, m)
        PDG numbers of the constituents, 0 for no particle.

    Returns
    -------
    array, (n,)
        From zero to one.

    Raises
    ------
    ValueError
        Naming the argument, also for a jet without constituents.

    Notes
    -----
    :cite:`vent2025quarkgluon`. Charged are e, mu, pi, K, p and their antiparticles; all else that lives long enough
    to reach a detector is neutral.

    Examples
    --------
    >>> jet = np.array([[[5.0, 3.0, 4.0, 0.0], [15.0, 9.0, 12.0, 0.0]]])
    >>> charged_energy_share(jet, np.array([[22, -211]]))
    array([0.75])
    """
    check_array("constituents", constituents, ("n", "m", 4))
    check_array("pid", pid, constituents.shape[:2], floating=False)
    energy = np.asarray(constituents[..., 0], dtype=np.float64)
    total = energy.sum(axis=1)
    if not (total > 0).all():
        raise ValueError(f"constituents: found {int((total <= 0).sum())} empty jets, expected a particle in each")
    return (energy * np.isin(np.abs(pid), CHARGED)).sum(axis=1) / total
