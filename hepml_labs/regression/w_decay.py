"""W bosons decaying to a lepton and a neutrino: a regression target that has two right answers.

The neutrino's transverse momentum is measured (as missing momentum), its rapidity is not. That lepton and neutrino
make up the mass of the W gives one equation, M^2 = 2 pT pT' (cosh(y' - y) - cos(phi' - phi)), with two solutions.
"""

import numpy as np

from hepml_labs.physics.kinematics import boost
from hepml_labs.validation import check_between, check_count, to_numpy

__all__ = ["W_MASS", "W_WIDTH", "draw_w_decays", "neutrino_rapidities", "transverse_mass"]

W_MASS, W_WIDTH = 80.37, 2.14  # GeV
W_RAPIDITY_WIDTH = 2.0  # standard deviation of the rapidity of the W
W_PT_SCALE = 7.0  # GeV; the transverse momentum of the W peaks here


def _measured(pt_lepton, pt_neutrino, delta_phi):
    pt_lepton = to_numpy("pt_lepton", pt_lepton, positive=True)
    pt_neutrino = to_numpy("pt_neutrino", pt_neutrino, positive=True)
    return pt_lepton, pt_neutrino, to_numpy("delta_phi", delta_phi)


def transverse_mass(pt_lepton, pt_neutrino, delta_phi):
    """Mass of lepton and neutrino if both had the same rapidity: never above the true mass.

    Parameters
    ----------
    pt_lepton, pt_neutrino : array
        Transverse momenta in GeV, above zero, same shape.
    delta_phi : array
        Angle between them in the transverse plane.

    Returns
    -------
    array
        In GeV.

    Raises
    ------
    ValueError
        If an array is empty, NaN, no floating-point array, or a momentum is not above zero.

    Examples
    --------
    >>> transverse_mass(np.array([40.0]), np.array([40.0]), np.array([np.pi]))
    array([80.])
    """
    pt_lepton, pt_neutrino, delta_phi = _measured(pt_lepton, pt_neutrino, delta_phi)
    return np.sqrt(2 * pt_lepton * pt_neutrino * (1 - np.cos(delta_phi)))


def neutrino_rapidities(pt_lepton, eta_lepton, pt_neutrino, delta_phi, mass=W_MASS):
    """Both rapidities of the neutrino that give lepton and neutrino the mass of the W.

    y' = y +- arcosh(M^2 / (2 pT pT') + cos(delta phi)), from the equation at the top of this file. Where
    mismeasurement puts the transverse mass above the mass there is no real solution; both are then y, the nearest.

    Parameters
    ----------
    pt_lepton, eta_lepton, pt_neutrino, delta_phi : array
        Transverse momenta in GeV, above zero, rapidity of the (massless) lepton, and angle between the momenta in
        the transverse plane; same shape ``(...)``.
    mass : float
        Mass of the pair in GeV.

    Returns
    -------
    array
        Shape ``(..., 2)``, lower solution first.

    Raises
    ------
    ValueError
        If an array is empty, NaN, no floating-point array, or a momentum or the mass is not above zero.

    Examples
    --------
    >>> neutrino_rapidities(*np.array([40.0, 0.5, 30.0, 2.0]).reshape(4, 1)).round(3)
    array([[-0.963,  1.963]])
    """
    pt_lepton, pt_neutrino, delta_phi = _measured(pt_lepton, pt_neutrino, delta_phi)
    eta_lepton = to_numpy("eta_lepton", eta_lepton, pt_lepton.shape)
    check_between("mass", mass, 0, np.inf)
    cosh = mass**2 / (2 * pt_lepton * pt_neutrino) + np.cos(delta_phi)
    distance = np.arccosh(np.maximum(cosh, 1))
    return np.stack([eta_lepton - distance, eta_lepton + distance], axis=-1)


def draw_w_decays(n, seed=0, smearing=5.0):
    """Draw W bosons as a detector sees them: lepton and missing transverse momentum.

    Breit-Wigner mass, Gaussian rapidity, transverse momentum of a few GeV, decay without preferred direction
    (averaged over charges and beams). The lepton is measured well, each component of the missing momentum with a
    Gaussian of width `smearing`. Kept are events with both above 25 GeV and the lepton within 2.5 in rapidity.

    Parameters
    ----------
    n : int
        Number of events after the selection.
    seed : int or numpy Generator
        Source of randomness.
    smearing : float
        Resolution of the missing momentum in GeV, from zero.

    Returns
    -------
    dict of array
        Shape ``(n,)`` each: pt_lepton, eta_lepton, pt_neutrino, delta_phi (in 0 to pi) as measured; eta_neutrino,
        the truth that one would like to know.

    Raises
    ------
    ValueError
        If `n` or `smearing` is out of range.

    Examples
    --------
    >>> events = draw_w_decays(500, seed=1)
    >>> sorted(events), events["pt_lepton"].shape
    (['delta_phi', 'eta_lepton', 'eta_neutrino', 'pt_lepton', 'pt_neutrino'], (500,))
    """
    check_count("n", n)
    check_between("smearing", smearing, 0, np.inf, include_low=True)
    rng = np.random.default_rng(seed)
    parts = []
    while sum(len(part["pt_lepton"]) for part in parts) < n:
        parts.append(_draw(2 * n, rng, smearing))
    return {name: np.concatenate([part[name] for part in parts])[:n] for name in parts[0]}


def _draw(n, rng, smearing):
    # Breit-Wigner by inverting its cumulative distribution, within 15 widths
    limit = np.arctan(30.0)
    mass = W_MASS + 0.5 * W_WIDTH * np.tan(rng.uniform(-limit, limit, n))
    pt, azimuth = rng.rayleigh(W_PT_SCALE, n), rng.uniform(-np.pi, np.pi, n)
    rapidity = rng.normal(0, W_RAPIDITY_WIDTH, n)
    transverse_energy = np.hypot(mass, pt)
    energy, pz = transverse_energy * np.cosh(rapidity), transverse_energy * np.sinh(rapidity)
    velocity = np.stack([pt * np.cos(azimuth), pt * np.sin(azimuth), pz], axis=-1) / energy[:, None]
    cosine, angle = rng.uniform(-1, 1, n), rng.uniform(-np.pi, np.pi, n)
    sine = np.sqrt(1 - cosine**2)
    direction = np.stack([sine * np.cos(angle), sine * np.sin(angle), cosine], axis=-1)
    half = np.ones((n, 1))
    decay = [np.concatenate([half, sign * direction], axis=-1) * mass[:, None] / 2 for sign in (1, -1)]
    lepton, neutrino = (boost(momentum, velocity) for momentum in decay)
    missing = neutrino[:, 1:3] + rng.normal(0, smearing, (n, 2))
    pt_lepton, pt_missing = np.hypot(lepton[:, 1], lepton[:, 2]), np.hypot(*missing.T)
    cos_phi = (lepton[:, 1:3] * missing).sum(-1) / (pt_lepton * pt_missing)
    events = {
        "pt_lepton": pt_lepton,
        "eta_lepton": np.arcsinh(lepton[:, 3] / pt_lepton),
        "pt_neutrino": pt_missing,
        "delta_phi": np.arccos(np.clip(cos_phi, -1, 1)),
        "eta_neutrino": np.arcsinh(neutrino[:, 3] / np.hypot(neutrino[:, 1], neutrino[:, 2])),
    }
    kept = (pt_lepton > 25) & (pt_missing > 25) & (np.abs(events["eta_lepton"]) < 2.5)
    return {name: values[kept] for name, values in events.items()}
