"""A fast detector in the manner of Delphes: tracks, calorimeter towers, and the energy flow that joins them.

The response is parametrised, not simulated. Charged particles leave a track with some probability and a smeared
transverse momentum; every particle but muons and neutrinos leaves its energy in one tower of the electromagnetic or
hadronic calorimeter, whose total is smeared; energy flow subtracts the tracks from the towers that they point to, so
that each particle counts once :cite:`defavereau2014delphes`. The curvature of tracks in the magnetic field is
neglected: charged particles hit the tower of their own direction (at 2 T, after 1.15 m, a track of 5 GeV has turned by
0.07).
"""

from __future__ import annotations

from dataclasses import dataclass

import awkward as ak
import numpy as np

TRACK, PHOTON, NEUTRAL_HADRON = 0, 1, 2
"""Kinds of reconstructed particles."""

ELECTRON, MUON, INVISIBLE = 11, 13, (12, 14, 16)


@dataclass(frozen=True)
class EnergyFlow:
    """Numbers of the detector: those of Delphes' ATLAS card (delphes_card_ATLAS.tcl), unless marked as ours.

    Lengths of tables follow the regions in abs(eta) that stand above them, from the centre outwards. A track has the
    resolution sigma(pT) / pT = sqrt(a^2 + b^2 pT^2) with (a, b per GeV), a tower sigma(E) = sqrt(c^2 E^2 + s^2 E + n^2)
    with (c, s in sqrt(GeV), n in GeV).

    Examples
    --------
    >>> EnergyFlow().hadronic_step  # eta, and phi in radians: 10 degrees
    (0.1, 0.17453292519943295)
    >>> fine = EnergyFlow(electromagnetic_step=(0.0174, np.pi / 180))  # as in the present card
    """

    # tracks: none below the minimum; then the efficiency up to each pT (GeV), for each region
    minimum_track_pt: float = 0.1
    efficiency_eta: tuple = (1.5, 2.5)
    hadron_efficiency: tuple = ((1.0, (0.70, 0.60)), (np.inf, (0.95, 0.85)))
    electron_efficiency: tuple = ((1.0, (0.73, 0.50)), (100.0, (0.95, 0.83)), (np.inf, (0.99, 0.90)))
    muon_efficiency: tuple = ((1.0, (0.75, 0.70)), (np.inf, (0.99, 0.98)))
    resolution_eta: tuple = (0.5, 1.5, 2.5)
    hadron_resolution: tuple = ((0.06, 1.3e-3), (0.10, 1.7e-3), (0.25, 3.1e-3))
    electron_resolution: tuple = ((0.03, 1.3e-3), (0.05, 1.7e-3), (0.15, 3.1e-3))
    muon_resolution: tuple = ((0.01, 1.0e-4), (0.015, 1.5e-4), (0.025, 3.5e-4))

    # towers: widths in (eta, phi). The hadronic ones are the card's. Its earlier versions had one grid for both, as the
    # published top-tagging jets suggest; the present card has electromagnetic towers of 0.0174 x 1 degree.
    electromagnetic_step: tuple = (0.1, np.pi / 18)
    hadronic_step: tuple = (0.1, np.pi / 18)
    forward_eta: float = 2.5  # beyond it towers are twice as wide in both directions; ours, the card varies more
    coverage: float = 4.9  # in abs(eta)
    electromagnetic_eta: tuple = (3.2, 4.9)
    electromagnetic_resolution: tuple = ((0.0017, 0.101, 0.0), (0.0350, 0.285, 0.0))
    hadronic_eta: tuple = (1.7, 3.2, 4.9)
    hadronic_resolution: tuple = ((0.0302, 0.5205, 1.59), (0.0500, 0.706, 0.0), (0.09420, 1.00, 0.0))
    # shares of the energy in the electromagnetic towers by abs(id), the rest in the hadronic ones; others: none
    electromagnetic_share: tuple = ((11, 1.0), (22, 1.0), (111, 1.0), (310, 0.3), (3122, 0.3))
    minimum_energy: tuple = (0.5, 1.0)  # GeV, of an electromagnetic and a hadronic tower, and of its excess over tracks
    minimum_significance: float = 2.0  # of the same, in standard deviations


def charge(ids):
    """Electric charge of long-lived particles.

    Parameters
    ----------
    ids : int array, (n,)
        PDG codes of leptons, photons and hadrons.

    Returns
    -------
    int array, (n,)
        In units of the positron's charge, from the quarks that the code spells.

    Examples
    --------
    >>> charge(np.array([211, -321, 2212, 11, 22, 130, 3112]))
    array([ 1, -1,  1, -1,  0,  0, -1])
    """
    ids = np.asarray(ids)
    size = np.abs(ids)
    first, second, third = (np.where(size > 100, size // power % 10, 0) for power in (1000, 100, 10))
    thirds = [np.where(quark == 0, 0, np.where(quark % 2 == 0, 2, -1)) for quark in (first, second, third)]
    meson = np.where(second % 2 == 0, 1, -1) * (thirds[1] - thirds[2])  # the heavier one, if up-type, is the quark
    hadron = np.where(first > 0, sum(thirds), meson) // 3
    return (np.sign(ids) * np.where((size == ELECTRON) | (size == MUON), -1, hadron)).astype(np.int64)


def energy_flow(particles, random, detector=None):
    """Reconstruct events: particles in, tracks and neutral towers out.

    Parameters
    ----------
    particles : awkward array of records {px, py, pz, E, id}, (events, particles)
        Stable particles in GeV, with their PDG codes.
    random : numpy.random.Generator
    detector : EnergyFlow, optional

    Returns
    -------
    awkward array of records {px, py, pz, E, charge, kind}, (events, objects)
        Massless. `kind` is 0 for a track, 1 for electromagnetic and 2 for hadronic tower energy that no track
        explains; neutrinos and what leaves the coverage are gone.

    Raises
    ------
    ValueError
        If fields are missing.

    Notes
    -----
    In each tower the energy of the tracks is compared with the smeared energy, by the rule of Delphes 3.4 (its module
    SimpleCalorimeter). A significant excess becomes a neutral object. Otherwise the tracks' energy becomes the mean of
    both measurements, weighted with the inverse squares of their resolutions.

    Examples
    --------
    >>> muon = {"px": 30.0, "py": 0.0, "pz": 10.0, "E": 31.6, "id": 13}
    >>> neutrino = {"px": -30.0, "py": 0.0, "pz": 0.0, "E": 30.0, "id": 14}
    >>> seen = energy_flow(ak.Array([[muon, neutrino]]), np.random.default_rng(1))
    >>> seen.charge.tolist(), seen.kind.tolist()
    ([[-1]], [[0]])
    """
    detector = detector or EnergyFlow()
    missing = {"px", "py", "pz", "E", "id"} - set(ak.fields(particles))
    if missing:
        raise ValueError(f"particles: {sorted(missing)} missing, expected records of px, py, pz, E, id")
    counts = ak.num(particles).to_numpy()
    px, py, pz, energy, ids = (ak.flatten(particles[name]).to_numpy() for name in ("px", "py", "pz", "E", "id"))
    pt = np.hypot(px, py)
    with np.errstate(divide="ignore", invalid="ignore"):
        eta = np.arcsinh(pz / pt)
    seen = (np.abs(eta) < detector.coverage) & ~np.isin(np.abs(ids), INVISIBLE)
    event = np.repeat(np.arange(len(counts)), counts)[seen]
    pt, eta, phi, energy, ids = pt[seen], eta[seen], np.arctan2(py, px)[seen], energy[seen], ids[seen]

    track, resolution = _tracks(pt, eta, ids, random, detector)
    size = np.abs(ids)
    share = sum((size == code) * part for code, part in detector.electromagnetic_share)
    electromagnetic, scale = _towers(
        event, eta, phi, energy * share, track * (share > 0.5), resolution, random, detector, 0
    )
    rest = energy * (1 - share) * (size != MUON)
    hadronic, second = _towers(
        event, eta, phi, rest, track * ((rest > 0) & (share == 0)), resolution, random, detector, 1
    )
    track = track * scale * second

    kept = track > 0
    parts = (
        (event[kept], track[kept], eta[kept], phi[kept], charge(ids[kept]), TRACK),
        (*electromagnetic, 0, PHOTON),
        (*hadronic, 0, NEUTRAL_HADRON),
    )
    columns = zip(*(np.broadcast_arrays(*part) for part in parts), strict=True)
    event, energy, eta, phi, charges, kind = (np.concatenate(column) for column in columns)
    order = np.argsort(event, kind="stable")
    pt = energy / np.cosh(eta)
    names = {"px": pt * np.cos(phi), "py": pt * np.sin(phi), "pz": pt * np.sinh(eta), "E": energy}
    records = ak.zip(names | {"charge": charges, "kind": kind})[order]
    return ak.unflatten(records, np.bincount(event, minlength=len(counts)))


def _tracks(pt, eta, ids, random, detector):
    """Energy of each particle's track (zero: no track) and its relative resolution."""
    size, draw, noise = np.abs(ids), random.uniform(size=len(pt)), random.normal(size=len(pt))
    charged = charge(ids) != 0
    kinds = {
        ELECTRON: (detector.electron_efficiency, detector.electron_resolution),
        MUON: (detector.muon_efficiency, detector.muon_resolution),
        None: (detector.hadron_efficiency, detector.hadron_resolution),
    }
    smeared, resolution = np.zeros(len(pt)), np.zeros(len(pt))
    for code, (efficiency, resolutions) in kinds.items():
        mine = charged & ((size == code) if code else (size != ELECTRON) & (size != MUON))
        mine &= (pt > detector.minimum_track_pt) & (np.abs(eta) < detector.efficiency_eta[-1])
        edges, values = zip(*efficiency, strict=True)
        step = np.searchsorted(edges, pt[mine])
        chance = np.array(values)[step, np.searchsorted(detector.efficiency_eta, np.abs(eta[mine]))]
        constant, slope = np.array(resolutions)[np.searchsorted(detector.resolution_eta, np.abs(eta[mine]))].T
        resolution[mine] = np.minimum(np.hypot(constant, slope * pt[mine]), 1)  # the cap is Delphes' own
        found = _log_normal(pt[mine], resolution[mine] * pt[mine], noise[mine])
        smeared[mine] = np.where(draw[mine] < chance, found * np.cosh(eta[mine]), 0)
    return smeared, resolution


def _towers(event, eta, phi, energy, track, resolution, random, detector, layer):
    """Excess of the towers of one calorimeter (event, energy, eta, phi), and the factor that each track receives."""
    widths = (detector.electromagnetic_step, detector.hadronic_step)[layer]
    edges = (detector.electromagnetic_eta, detector.hadronic_eta)[layer]
    table = np.array((detector.electromagnetic_resolution, detector.hadronic_resolution)[layer])

    hit = np.flatnonzero((energy > 0) | (track > 0))
    wide = 1 + (np.abs(eta[hit]) > detector.forward_eta)
    column, row = np.floor(eta[hit] / (widths[0] * wide)), np.floor((phi[hit] + np.pi) / (widths[1] * wide))
    # one number for each tower of each event: columns and rows stay below 2^12, wide towers have numbers of their own
    key = ((event[hit] * 2 + (wide - 1)) << 24) + ((column.astype(np.int64) + 2048) << 12) + row.astype(np.int64)
    _, first, tower = np.unique(key, return_index=True, return_inverse=True)
    total = np.bincount(tower, energy[hit])
    tracks = np.bincount(tower, track[hit])
    track_variance = np.bincount(tower, (track * resolution)[hit] ** 2)

    wide, column, row = wide[first], column[first], row[first]
    c, s, n = table[np.searchsorted(edges[:-1], np.abs((column + 0.5) * widths[0] * wide))].T
    noise, across, around = random.normal(size=len(total)), *random.uniform(size=(2, len(total)))

    def sigma(energy):
        return np.sqrt(c**2 * energy**2 + s**2 * energy + n**2)

    measured = _log_normal(total, sigma(total), noise)
    spread, minimum = sigma(measured), detector.minimum_energy[layer]
    measured[(measured < minimum) | (measured < detector.minimum_significance * spread)] = 0
    excess = measured - tracks
    neutral = (excess > minimum) & (excess > detector.minimum_significance * np.sqrt(track_variance + spread**2))

    # where there is no excess, both measure the same energy (a tower below threshold measures nothing)
    shared = ~neutral & (tracks > 0) & (measured > 0)
    weight = np.where(shared, track_variance / (track_variance + spread**2 + 1e-12), 0)
    factor = 1 + weight * (measured - tracks) / np.where(shared, tracks, 1)
    scale = np.ones(len(energy))
    scale[hit] = np.where(track[hit] > 0, factor[tower], 1)
    eta = (column + across) * widths[0] * wide  # anywhere in the tower, as in Delphes
    phi = (row + around) * widths[1] * wide - np.pi
    return tuple(column[neutral] for column in (event[hit][first], excess, eta, phi)), scale


def _log_normal(mean, sigma, noise):
    """Positive numbers with this mean and standard deviation, from standard normal ones; a mean of zero stays zero."""
    positive = np.where(mean > 0, mean, 1)
    width = np.sqrt(np.log1p((sigma / positive) ** 2))
    return np.where(mean > 0, positive * np.exp(width * noise - width**2 / 2), 0)
