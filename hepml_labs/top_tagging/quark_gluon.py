"""What quark and gluon taggers see: the kinds of the particles as features, and the observables of the literature."""

import numpy as np
import torch

from hepml_labs.physics.fragmentation import (
    CHARGED,
    angularity,
    charged_energy_share,
    fragmentation_entropy,
    species_entropy,
)
from hepml_labs.physics.substructure import multiplicity, pair_correlation, pt_dispersion, width
from hepml_labs.validation import check_array

__all__ = ["KINDS", "OBSERVABLES", "kind_features", "observables", "species"]

KINDS = ("photon", "electron", "muon", "charged hadron", "neutral hadron", "charge")
"""The columns of `kind_features`."""

OBSERVABLES = ("n", "w", "pTD", "C0.2", "r", "S_PID", "S_frag", "E_Q")
"""The columns of `observables`."""

_GROUPS = {22: 1, 11: 2, 13: 3}  # all other charged particles are charged hadrons, 4, and the rest neutral ones, 5


def species(pid):
    """Sort particles into the kinds that a detector tells apart.

    Parameters
    ----------
    pid : integer array, any shape
        PDG numbers, 0 for no particle.

    Returns
    -------
    integer array, same shape
        1 photon, 2 electron, 3 muon, 4 charged hadron, 5 neutral hadron, with the sign of the charge; 0 for nothing.

    Raises
    ------
    ValueError
        If `pid` is no array of whole numbers.

    Examples
    --------
    >>> species(np.array([22, 11, -11, 211, -2212, 2112, 0]))
    array([ 1, -2,  2,  4, -4,  5,  0])
    """
    if not isinstance(pid, np.ndarray) or not np.issubdtype(pid.dtype, np.integer):
        raise ValueError(f"pid: found {getattr(pid, 'dtype', type(pid).__name__)}, expected an array of whole numbers")
    size = np.abs(pid.astype(np.int64))
    charged = np.isin(size, CHARGED)
    group = np.where(charged, 4, 5)
    for number, place in _GROUPS.items():
        group[size == number] = place
    # leptons of positive number are negative, hadrons of positive number positive (kaons, pions, protons)
    sign = np.where(charged, np.sign(pid) * np.where(np.isin(size, (11, 13)), -1, 1), 1)
    return np.where(pid == 0, 0, sign * group)


def kind_features(pid):
    """Mark the kind of each particle for a network.

    Parameters
    ----------
    pid : integer array, (n, particles)
        PDG numbers, 0 for no particle.

    Returns
    -------
    tensor, (n, particles, 6)
        float32: the columns `KINDS`, five flags and the charge; zeros for padding.

    Raises
    ------
    ValueError
        If `pid` is no array of whole numbers of this shape.

    Notes
    -----
    The inputs that ParticleNet has beside the kinematic ones in arXiv:1902.08570, table 1.

    Examples
    --------
    >>> kind_features(np.array([[22, -211, 0]])).tolist()
    [[[1.0, 0.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0, 0.0, -1.0], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]]]
    """
    check_array("pid", pid, ("n", "particles"), floating=False)
    found = species(pid)
    flags = [np.abs(found) == place for place in range(1, 6)]
    charge = np.sign(found) * np.isin(np.abs(found), (2, 3, 4))
    return torch.from_numpy(np.stack([*flags, charge], axis=-1).astype(np.float32))


def observables(constituents, pid):
    r"""Eight observables that separate quark from gluon jets.

    Parameters
    ----------
    constituents : array, (n, particles, 4)
        GeV: E, px, py, pz, zeros for padding.
    pid : integer array, (n, particles)
        PDG numbers, 0 for no particle.

    Returns
    -------
    array, (n, 8)
        The columns `OBSERVABLES`: number of constituents, width, :math:`p_T^D`, :math:`C_{0.2}`,
        :math:`r_\lambda = \lambda^1_{0.5} / \lambda^2_1`, entropy of the `species`, entropy of the momentum shares,
        share of the charged energy.

    Raises
    ------
    ValueError
        Naming the argument.

    Notes
    -----
    Those of Vent, Winterhalder and Plehn, arXiv:2507.21214. The ratio :math:`r_\lambda` has no upper bound: it is
    large where all hard particles lie near the axis; a jet of a single particle would have zero over zero and is
    given one.

    Examples
    --------
    >>> jet = np.array([[[5.0, 3.0, 4.0, 0.0], [5.0, 4.0, 3.0, 0.0]]])
    >>> found = dict(zip(OBSERVABLES, observables(jet, np.array([[22, 211]]))[0].round(3), strict=True))
    >>> found["n"].item(), found["w"].item(), found["S_PID"].item(), found["E_Q"].item()
    (2.0, 0.142, 0.693, 0.5)
    """
    check_array("pid", pid, np.shape(constituents)[:2], floating=False)
    soft, hard = angularity(constituents, 1.0, 0.5), angularity(constituents, 2.0, 1.0)
    columns = [
        multiplicity(constituents),
        width(constituents),
        pt_dispersion(constituents),
        pair_correlation(constituents, beta=0.2),
        np.divide(soft, hard, out=np.ones_like(soft), where=hard > 0),
        species_entropy(species(pid)),
        fragmentation_entropy(constituents),
        charged_energy_share(constituents, pid),
    ]
    return np.column_stack(columns)
