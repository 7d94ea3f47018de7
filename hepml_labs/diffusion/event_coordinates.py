"""One number for each degree of freedom of a Z + jets event, and four-momenta back from them.

An event of a Z boson, decayed to two muons, and k jets has 6 + 4 k degrees of freedom; one, the azimuth of the whole,
is an exact symmetry. `coordinates` takes four-momenta to the remaining 5 + 4 k numbers, `momenta` takes them back.
"""

import math

import numpy as np

from hepml_labs.datasets.z_jets import MUON_MASS
from hepml_labs.physics.kinematics import boost, eta, mass, phi, pt
from hepml_labs.validation import check_count, to_numpy

__all__ = ["BOSON", "TURN", "coordinates", "momenta", "names", "of_jets"]

BOSON = ("mass_z", "rapidity_z", "cos_theta", "phi_muon", "imbalance_x", "imbalance_y")
TURN = 2 * math.pi


def names(jets):
    """Names of the coordinates of Z + `jets` events, in the order of their columns.

    Parameters
    ----------
    jets : int
        Number of jets, at least one, or a ValueError says so.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> names(2)[6:]
    ('pt_1', 'eta_1', 'mass_1', 'pt_2', 'eta_2', 'dphi_2', 'mass_2')
    """
    check_count("jets", jets)
    columns = [
        f"{name}_{j}" for j in range(1, jets + 1) for name in ("pt", "eta", "dphi", "mass") if (name, j) != ("dphi", 1)
    ]
    return BOSON + tuple(columns)


def of_jets(jets):
    """Where the coordinates of jets stand: lists of the columns of pt, eta, dphi (from the second jet on) and mass.

    Parameters
    ----------
    jets : int
        Number of jets.

    Returns
    -------
    tuple of four lists of int

    Examples
    --------
    >>> of_jets(2)
    ([6, 9], [7, 10], [11], [8, 12])
    """
    found = names(jets)
    kinds = ("pt", "eta", "dphi", "mass")
    return tuple([found.index(f"{kind}_{j + 1}") for j in range(kind == "dphi", jets)] for kind in kinds)


def _check_events(x):
    x = to_numpy("x", x, ("n", "particles", 4)).astype(np.float64)
    if x.shape[1] < 3:
        raise ValueError(f"x: found {x.shape[1]} particles, expected two muons and at least one jet")
    return x


def coordinates(x):
    """One number for each degree of freedom of an event, without the azimuth of the whole.

    Parameters
    ----------
    x : array, (n, 2 + jets, 4)
        Four-momenta in GeV of mu-, mu+ and jets, as from `select`.

    Returns
    -------
    array of float64, (n, 5 + 4 jets)
        Columns as in `names`: the mass (GeV) and rapidity of the Z boson; cosine and azimuth of the negative muon in
        the Collins-Soper frame; the imbalance, which is the sum of all transverse momenta (GeV) in a frame with the
        leading jet along x; of each jet pT (GeV), pseudorapidity, azimuth from the leading jet, and mass (GeV). The
        muon's azimuth lies in [0, 2 pi), those of jets in [-pi, pi).

    Raises
    ------
    ValueError
        If the shape does not fit, or values are not finite.

    Notes
    -----
    Instead of the pT of the Z boson, which must balance the jets to a few GeV, we keep what is left of the balance: a
    smooth distribution around zero. The Collins-Soper frame is reached by a boost along the beam to a Z boson without
    longitudinal momentum, and another one along its transverse momentum, which is the axis x there.

    Examples
    --------
    >>> muons = [[45.6, 0.0, 45.6, 0.0], [45.6, 0.0, -45.6, 0.0]]  # a Z boson at rest
    >>> row = coordinates(np.array([[*muons, [50.0, 0.0, 30.0, 40.0]]]))[0]
    >>> {name: round(float(value), 2) for name, value in zip(names(1), row) if "z" in name or "_1" in name}
    {'mass_z': 91.2, 'rapidity_z': 0.0, 'pt_1': 30.0, 'eta_1': 1.1, 'mass_1': 0.0}
    """
    x = _check_events(x)
    jets, boson = x[:, 2:], x[:, :2].sum(axis=1)
    rapidity = np.arctanh(boson[:, 3] / boson[:, 0])
    muon = _transverse_boost(_longitudinal_boost(x[:, 0], -rapidity), boson, -1)
    axis = np.arctan2(boson[:, 2], boson[:, 1])
    along = muon[:, 1] * np.cos(axis) + muon[:, 2] * np.sin(axis)
    across = muon[:, 2] * np.cos(axis) - muon[:, 1] * np.sin(axis)
    cosine = muon[:, 3] / np.linalg.norm(muon[:, 1:], axis=1)
    leading = phi(jets[:, 0])
    total = x[:, :, 1:3].sum(axis=1)
    turned = _turn(total, -leading)
    result = [mass(boson), rapidity, cosine, np.arctan2(across, along) % TURN, *turned.T]
    for j in range(jets.shape[1]):
        angle = [(phi(jets[:, j]) - leading + math.pi) % TURN - math.pi] if j else []
        result += [pt(jets[:, j]), eta(jets[:, j]), *angle, mass(jets[:, j])]
    return np.stack(result, axis=1)


def _turn(vectors, angle):
    """Rotate transverse vectors (n, 2) by angles (n,)."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.stack(
        [cosine * vectors[:, 0] - sine * vectors[:, 1], sine * vectors[:, 0] + cosine * vectors[:, 1]], axis=1
    )


def _longitudinal_boost(x, rapidity):
    cosh, sinh = np.cosh(rapidity), np.sinh(rapidity)
    return np.stack([cosh * x[:, 0] + sinh * x[:, 3], x[:, 1], x[:, 2], sinh * x[:, 0] + cosh * x[:, 3]], axis=1)


def _transverse_boost(x, boson, sign):
    """Boost to (sign -1) or from (+1) the rest frame of a boson whose longitudinal momentum has been taken out."""
    transverse_mass = np.sqrt(boson[:, 0] ** 2 - boson[:, 3] ** 2)
    velocity = np.zeros((len(x), 3))
    velocity[:, :2] = sign * boson[:, 1:3] / transverse_mass[:, None]
    return boost(x, velocity)


def momenta(x, azimuth=None, seed=0):
    """Four-momenta from coordinates: the inverse of `coordinates`.

    Parameters
    ----------
    x : array, (n, 5 + 4 jets)
        Coordinates as in `names`.
    azimuth : array, (n,), optional
        Azimuth of the leading jet, in radians. By default drawn at random: the symmetry is put back.
    seed : int
        For these.

    Returns
    -------
    array of float64, (n, 2 + jets, 4)
        In GeV. Muons and jets are on their mass shells, and the muons' sum has the mass of the coordinates.

    Raises
    ------
    ValueError
        If the number of columns is none of 5 + 4 k.

    Examples
    --------
    >>> row = np.array([[91.2, 0.5, 0.3, 1.0, 3.0, -2.0, 60.0, 1.0, 8.0]])
    >>> event = momenta(row)
    >>> event.shape, float(mass(event[:, :2].sum(axis=1))[0].round(6)), bool(np.allclose(coordinates(event), row))
    ((1, 3, 4), 91.2, True)
    """
    x = to_numpy("x", x, ("n", "d")).astype(np.float64)
    number, rest = divmod(x.shape[1] - 5, 4)
    if rest or number < 1:
        raise ValueError(f"x: found {x.shape[1]} columns, expected 5 + 4 k for k jets")
    if azimuth is None:
        azimuth = np.random.default_rng(seed).uniform(-np.pi, np.pi, len(x))
    azimuth = to_numpy("azimuth", azimuth, (len(x),)).astype(np.float64)
    columns = of_jets(number)
    dphi = np.concatenate([np.zeros((len(x), 1)), x[:, columns[2]]], axis=1)
    jets = _four_momenta(x[:, columns[0]], x[:, columns[1]], dphi + azimuth[:, None], x[:, columns[3]])

    boson_mass, rapidity, cosine, angle = x[:, :4].T
    transverse = _turn(x[:, 4:6], azimuth) - jets[:, :, 1:3].sum(axis=1)
    transverse_mass = np.sqrt(boson_mass**2 + (transverse**2).sum(axis=1))
    at_rest = np.stack([transverse_mass, *transverse.T, np.zeros(len(x))], axis=1)
    size = np.sqrt(boson_mass**2 / 4 - MUON_MASS**2)
    sine, angle = np.sqrt((1 - cosine) * (1 + cosine)), angle + np.arctan2(transverse[:, 1], transverse[:, 0])
    direction = np.stack([sine * np.cos(angle), sine * np.sin(angle), cosine], axis=1)
    muons = []
    for sign in (1, -1):
        muon = np.concatenate([boson_mass[:, None] / 2, sign * size[:, None] * direction], axis=1)
        muons.append(_longitudinal_boost(_transverse_boost(muon, at_rest, 1), rapidity))
    return np.concatenate([np.stack(muons, axis=1), jets], axis=1)


def _four_momenta(transverse, pseudorapidity, azimuth, masses):
    size = transverse * np.cosh(pseudorapidity)
    directions = transverse * np.cos(azimuth), transverse * np.sin(azimuth), transverse * np.sinh(pseudorapidity)
    return np.stack([np.hypot(size, masses), *directions], axis=-1)
