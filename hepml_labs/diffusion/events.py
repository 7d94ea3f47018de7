"""Z + jets events for generators: which of them, their symmetries, their cuts, and what to look at."""

import numpy as np

from hepml_labs.datasets.z_jets import MASS_RANGE, MAXIMUM_ETA, MINIMUM_DELTA_R, MINIMUM_PT, MUON_MASS
from hepml_labs.physics.kinematics import delta_r, eta, mass, phi, pt
from hepml_labs.validation import check_count, to_numpy

__all__ = ["mirror_images", "observables", "passes_cuts", "select"]


def select(data, jets=2):
    """Momenta of the events with at least so many jets: the muons and the leading jets, in double precision.

    Parameters
    ----------
    data : mapping
        With ``muons``, ``jets`` and ``number``, from ``hepml_labs.datasets.load("z_jets")``.
    jets : int
        Number of jets that are kept.

    Returns
    -------
    array, (n, 2 + jets, 4)
        E, px, py, pz in GeV of mu-, mu+ and the jets in order of pT.

    Raises
    ------
    ValueError
        If `jets` is no positive whole number.

    Examples
    --------
    >>> data = {"muons": np.ones((3, 2, 4)), "jets": np.ones((3, 8, 4)), "number": np.array([1, 2, 5])}
    >>> select(data).shape
    (2, 4, 4)
    """
    check_count("jets", jets)
    enough = np.asarray(data["number"]) >= jets
    parts = [np.asarray(data["muons"])[enough], np.asarray(data["jets"])[enough, :jets]]
    x = np.concatenate(parts, axis=1).astype(np.float64)
    masses = np.concatenate([np.full((len(x), 2), MUON_MASS), mass(x[:, 2:])], axis=1)
    # single precision is not enough for a mass shell, nor for the order of two jets of nearly one pT
    x[..., 0] = np.sqrt((x[..., 1:] ** 2).sum(axis=2) + masses**2)
    order = np.argsort(-pt(x[:, 2:]), axis=1, kind="stable")
    x[:, 2:] = np.take_along_axis(x[:, 2:], order[..., None], axis=1)
    return x


def mirror_images(x):
    """Each event and its reflections y -> -y, z -> -z, and both: four events for one.

    Parameters
    ----------
    x : array, (n, 2 + jets, 4)
        Four-momenta in GeV.

    Returns
    -------
    array, (4 n, 2 + jets, 4)

    Raises
    ------
    ValueError
        If the array has not this shape, or is not finite.

    Notes
    -----
    Exact symmetries of this sample. z -> -z exchanges two equal beams. Odd under y -> -y are triple products, with no
    mean at tree level: they need absorptive phases, as weak and strong loops have.

    Examples
    --------
    >>> mirror_images(np.array([[[5.0, 1.0, 2.0, 3.0]]]))[:, 0, 2:].tolist()
    [[2.0, 3.0], [2.0, -3.0], [-2.0, 3.0], [-2.0, -3.0]]
    """
    x = to_numpy("x", x, ("n", "particles", 4))
    signs = [[1, 1, y, z] for y in (1, -1) for z in (1, -1)]
    return np.concatenate([x * np.array(sign, dtype=x.dtype) for sign in signs])


def passes_cuts(x):
    """Whether events lie in the phase space of the sample.

    Parameters
    ----------
    x : array, (n, 2 + jets, 4)
        Four-momenta in GeV; jets in order of pT.

    Returns
    -------
    array of bool, (n,)
        Jets of pT > 20 GeV and pseudorapidity within 5, Delta R > 0.4 between any two, in order; muons within 5, their
        mass between 76 and 106 GeV.

    Raises
    ------
    ValueError
        If the array has not this shape, or is not finite.

    Examples
    --------
    >>> muons = [[45.6, 45.6, 0.0, 0.0], [45.6, -45.6, 0.0, 0.0]]
    >>> passes_cuts(np.array([[*muons, [30.0, 0.0, 30.0, 0.0]], [*muons, [19.0, 0.0, 19.0, 0.0]]]))
    array([ True, False])
    """
    x = to_numpy("x", x, ("n", "particles", 4))
    muons, jets = x[:, :2], x[:, 2:]
    first, second = np.triu_indices(jets.shape[1], 1)
    transverse, dimuon = pt(jets), mass(muons.sum(axis=1))
    return (
        (transverse > MINIMUM_PT).all(axis=1)
        & (np.diff(transverse, axis=1) <= 0).all(axis=1)
        & (np.abs(eta(x)) < MAXIMUM_ETA).all(axis=1)
        & (delta_r(jets[:, first], jets[:, second]) > MINIMUM_DELTA_R).all(axis=1)
        & (dimuon > MASS_RANGE[0])
        & (dimuon < MASS_RANGE[1])
    )


def observables(x):
    """Quantities to look at, among them those that no coordinate shows directly.

    Parameters
    ----------
    x : array, (n, 2 + jets, 4)
        Four-momenta in GeV.

    Returns
    -------
    dict of str to array, (n,)
        Mass, pT (GeV) and rapidity of the Z boson, azimuth of the negative muon, pT (GeV) and pseudorapidity of both
        muons, of each jet pT, pseudorapidity and mass, of each pair of jets the azimuthal angle in [-pi, pi) and
        Delta R, and the azimuth between Z boson and leading jet.

    Raises
    ------
    ValueError
        If the array has not this shape, or is not finite.

    Examples
    --------
    >>> muons = [[45.6, 45.6, 0.0, 0.0], [45.6, -45.6, 0.0, 0.0]]
    >>> found = observables(np.array([[*muons, [30.0, 0.0, 30.0, 0.0], [25.0, 25.0, 0.0, 0.0]]]))
    >>> round(float(found["mass_z"][0]), 1), round(float(found["delta_r_12"][0]), 3)
    (91.2, 1.571)
    """
    x = to_numpy("x", x, ("n", "particles", 4)).astype(np.float64)
    muons, jets, boson = x[:, :2], x[:, 2:], x[:, :2].sum(axis=1)
    speed = np.clip(boson[:, 3] / boson[:, 0], -1 + 1e-12, 1 - 1e-12)  # a naive generator may exceed that of light
    found = {"mass_z": mass(boson), "pt_z": pt(boson), "rapidity_z": np.arctanh(speed)}
    found |= {"phi_muon": phi(muons[:, 0]), "dphi_z1": _difference(phi(boson), phi(jets[:, 0]))}
    for sign, k in (("minus", 0), ("plus", 1)):
        found |= {f"pt_{sign}": pt(muons[:, k]), f"eta_{sign}": eta(muons[:, k])}
    for j in range(jets.shape[1]):
        found |= {f"{name}_{j + 1}": f(jets[:, j]) for name, f in (("pt", pt), ("eta", eta), ("mass", mass))}
    for i, j in zip(*np.triu_indices(jets.shape[1], 1), strict=True):
        found[f"dphi_{i + 1}{j + 1}"] = _difference(phi(jets[:, j]), phi(jets[:, i]))
        found[f"delta_r_{i + 1}{j + 1}"] = delta_r(jets[:, i], jets[:, j])
    return found


def _difference(first, second):
    """Difference of azimuths in [-pi, pi)."""
    return (first - second + np.pi) % (2 * np.pi) - np.pi
