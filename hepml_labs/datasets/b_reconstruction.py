"""From particles to what a B factory measures: detector, candidates for B+ to K*0 rho+, shapes of events.

The recipe, with what is simplified, is described in `hepml_labs.datasets.b_factory`.
"""

import awkward as ak
import numpy as np

from hepml_labs.physics.event_shapes import (
    fox_wolfram_ratios,
    momentum_cones,
    momentum_monomials,
    sphericity_eigenvalues,
    thrust,
)
from hepml_labs.physics.kinematics import boost, mass

ENERGY = 10.58  # GeV
KAON_MASS, PION_MASS, NEUTRAL_PION_MASS = 0.49368, 0.13957, 0.13498  # GeV
LONGITUDINAL = 0.79  # polarisation f_L of B+ to K*0 rho+ as BaBar measured it

DETECTOR = {
    "cosine": 0.90,  # |cos theta| of tracks and photons; BaBar's calorimeter: -0.916 to 0.895 in this frame
    "track_pt": 0.06,  # GeV, least
    "track_efficiency": 0.97,
    "track_resolution": (0.0013, 0.0045),  # sigma(pT) / pT = first * pT / GeV + second
    "kaon_efficiency": 0.96,
    "kaon_fake": 0.02,  # pions taken for kaons
    "photon_energy": 0.03,  # GeV, least
    "photon_efficiency": 0.96,
    "photon_resolution": (0.0232, 0.0185),  # sigma(E) / E = first / (E / GeV)^(1/4), in quadrature with second
    "photon_angle": 0.00387,  # radians / (E / GeV)^(1/2)
    "energy_spread": 0.0046,  # GeV, of the collision energy
}
"""About BaBar's performance :cite:`aubert2001babar`."""

WINDOWS = {
    "neutral_pion": (0.115, 0.150),
    "kstar": (0.75, 1.05),
    "rho": (0.40, 1.15),
    "m_es": (5.20, 5.30),
    "delta_e": (-0.20, 0.20),
}
"""GeV: what a candidate must satisfy."""


def flatten(prt):
    """Give Pythia's record as flat arrays.

    Parameters
    ----------
    prt : awkward array of events
        The field of this name of a batch of `hepml_labs.datasets.pythia.events`.

    Returns
    -------
    dict of arrays
        For each particle: ``event``, PDG ``id``, ``final`` or not, ``momentum`` (E, px, py, pz) in GeV, row of the
        ``mother``, and whether it comes ``from_signal``; for each event: ``code`` of the B meson or the quark, and row
        of its ``head``, the B+ or the virtual photon.
    """
    count = ak.to_numpy(ak.num(prt.id))
    start = np.cumsum(count) - count
    identity, status, mother = (ak.to_numpy(ak.flatten(prt[name])) for name in ("id", "status", "mother1"))
    momentum = np.stack([ak.to_numpy(ak.flatten(prt.p[name])) for name in ("e", "px", "py", "pz")], axis=1)
    # entry 5 is the B+, or the virtual photon, whose first quark comes next
    resonance = (mother == 5) & np.isin(identity, (313, 213))
    mother = mother + np.repeat(start, count)
    neutral_pion = (identity == 111) & resonance[mother]
    head = np.abs(identity[start + 5])
    return {
        "event": np.repeat(np.arange(len(count)), count),
        "id": identity,
        "final": status > 0,
        "momentum": momentum,
        "mother": mother,
        "from_signal": (resonance | neutral_pion)[mother],
        "code": np.where(head == 23, np.abs(identity[start + 6]), head),
        "head": start + 5,
    }


def polarised(particles, random):
    """Keep events with B+ to K*0 rho+, K*0 to K+ pi-, with the probability that gives the measured polarisation.

    Parameters
    ----------
    particles : dict of arrays
        From `flatten`.
    random : numpy.random.Generator

    Returns
    -------
    dict of arrays
        Of the events that are kept, what the reconstruction needs.
    """
    event, identity, mother = (particles[name] for name in ("event", "id", "mother"))
    n = len(particles["code"])
    weight = np.ones((2, n)) * [[LONGITUDINAL], [(1 - LONGITUDINAL) / 4]]  # longitudinal, transverse
    for daughter, parent in ((321, 313), (211, 213)):
        row = np.flatnonzero((identity == daughter) & (identity[mother] == parent) & particles["from_signal"])
        cosine = np.full(n, np.nan)  # no such decay
        momenta = (particles["momentum"][rows] for rows in (row, mother[row], particles["head"][event[row]]))
        cosine[event[row]] = _helicity(*momenta)
        weight *= [cosine**2, 1 - cosine**2]
    # 9/4 (f_L cos^2 cos^2 + (1 - f_L) / 4 sin^2 sin^2), relative to its largest value
    kept = random.uniform(size=n) * LONGITUDINAL < weight.sum(0)
    chosen = kept[event]
    number = np.cumsum(kept) - 1
    per_row = {name: particles[name][chosen] for name in ("id", "final", "momentum", "from_signal")}
    return {"event": number[event[chosen]], "code": particles["code"][kept], **per_row}


def _helicity(daughter, resonance, parent):
    """Cosine between a daughter and the direction opposite to the parent in the frame of a resonance."""
    velocity = -resonance[:, 1:] / resonance[:, :1]
    first, second = boost(daughter, velocity)[:, 1:], boost(parent, velocity)[:, 1:]
    return -(first * second).sum(1) / np.linalg.norm(first, axis=1) / np.linalg.norm(second, axis=1)


def _detect(particles, random):
    """Tracks and photons as measured, in flat arrays ordered by event."""
    final = particles["final"]
    event, identity, momentum, signal = (particles[name][final] for name in ("event", "id", "momentum", "from_signal"))
    code, photon = np.abs(identity), identity == 22
    track = np.isin(code, (11, 13, 211, 321, 2212))
    size, pt = np.linalg.norm(momentum[:, 1:], axis=1), np.hypot(momentum[:, 1], momentum[:, 2])
    uniform, fake, error = random.uniform(size=len(code)), random.uniform(size=len(code)), random.normal(size=len(code))
    seen = np.where(photon, uniform < DETECTOR["photon_efficiency"], track & (uniform < DETECTOR["track_efficiency"]))
    seen &= np.abs(momentum[:, 3]) < DETECTOR["cosine"] * size

    slope, constant = DETECTOR["track_resolution"]
    root, photon_constant = DETECTOR["photon_resolution"]
    width = np.where(photon, np.hypot(root / np.maximum(size, 1e-6) ** 0.25, photon_constant), slope * pt + constant)
    size = size * np.maximum(1 + width * error, 0.01)
    kick = np.where(photon, DETECTOR["photon_angle"] / np.sqrt(np.maximum(momentum[:, 0], 1e-6)), 0.0)
    direction = momentum[:, 1:] / np.linalg.norm(momentum[:, 1:], axis=1, keepdims=True)
    direction = direction + kick[:, None] * random.normal(size=direction.shape)  # the part along it drops out
    three = size[:, None] * direction / np.linalg.norm(direction, axis=1, keepdims=True)
    hard_track = np.hypot(three[:, 0], three[:, 1]) > DETECTOR["track_pt"]
    seen &= np.where(photon, size > DETECTOR["photon_energy"], hard_track)

    kaon = ((code == 321) & (fake < DETECTOR["kaon_efficiency"])) | ((code == 211) & (fake < DETECTOR["kaon_fake"]))
    mass_squared = np.where(photon, 0.0, np.where(kaon, KAON_MASS, PION_MASS) ** 2)
    energy = np.sqrt((three**2).sum(1) + mass_squared)
    return {
        "event": event[seen],
        "momentum": np.concatenate([energy[:, None], three], axis=1)[seen],
        "charge": np.where(np.isin(code, (11, 13)), -np.sign(identity), np.sign(identity))[seen] * ~photon[seen],
        "kaon": kaon[seen],
        "pion": (np.isin(code, (211, 321)) & ~kaon)[seen],
        "photon": photon[seen],
        "from_signal": signal[seen],
    }


def pairs(first, second):
    """Give all pairs of rows of two lists that lie in one event.

    Parameters
    ----------
    first, second : int arrays
        Event numbers of the rows of each list, in order.

    Returns
    -------
    left, right : int arrays
        Rows of the first and of the second list.

    Examples
    --------
    >>> left, right = pairs(np.array([0, 2]), np.array([0, 0, 1, 2]))
    >>> left.tolist(), right.tolist()
    ([0, 0, 1], [0, 1, 3])
    """
    start, stop = np.searchsorted(second, first), np.searchsorted(second, first, side="right")
    count = stop - start
    left = np.repeat(np.arange(len(first)), count)
    return left, np.arange(count.sum()) - np.repeat(np.cumsum(count) - count - start, count)


def _inside(values, name):
    low, high = WINDOWS[name]
    return (low < values) & (values < high)


def _combine(seen, energy, random):
    """Rows of kaon, pion, pion and two photons, and four-momentum of the neutral pion, of one candidate per event.

    `energy` is the collision energy as known to the analysis, for each event.
    """
    event, momentum, charge = seen["event"], seen["momentum"], seen["charge"]
    photons, kaons, pions = (np.flatnonzero(seen[name]) for name in ("photon", "kaon", "pion"))

    i, j = pairs(event[photons], event[photons])
    hard, soft = photons[i[i < j]], photons[j[i < j]]
    found = mass(momentum[hard] + momentum[soft])
    good = _inside(found, "neutral_pion")
    hard, soft, found = hard[good], soft[good], found[good]
    # a scale of both energies gives the pair the known mass
    neutral = (momentum[hard] + momentum[soft]) * (NEUTRAL_PION_MASS / found)[:, None]

    i, j = pairs(event[kaons], event[pions])
    kaon, pion = kaons[i], pions[j]
    good = (charge[kaon] != charge[pion]) & _inside(mass(momentum[kaon] + momentum[pion]), "kstar")
    kaon, pion = kaon[good], pion[good]

    i, j = pairs(event[pions], event[hard])
    good = _inside(mass(momentum[pions[i]] + neutral[j]), "rho")
    bachelor, pi0 = pions[i[good]], j[good]

    i, j = pairs(event[kaon], event[bachelor])
    good = charge[kaon[i]] == charge[bachelor[j]]
    i, j = i[good], j[good]
    total = momentum[kaon[i]] + momentum[pion[i]] + momentum[bachelor[j]] + neutral[pi0[j]]
    own = energy[event[kaon[i]]]
    good = _inside(total[:, 0] - own / 2, "delta_e") & _inside(_m_es(total, own), "m_es")
    i, j = i[good], j[good]
    p = pi0[j]
    rows = np.stack([kaon[i], pion[i], bachelor[j], hard[p], soft[p]], axis=1)
    # nearest to the mass of the neutral pion, then at random
    order = np.lexsort((random.uniform(size=len(p)), np.abs(found[p] - NEUTRAL_PION_MASS), event[rows[:, 0]]))
    _, best = np.unique(event[rows[order, 0]], return_index=True)
    return rows[order[best]], neutral[p[order[best]]]


def _m_es(total, energy):
    return np.sqrt(np.maximum(energy**2 / 4 - (total[:, 1:] ** 2).sum(1), 0.0))


def _padded(event, momentum, n):
    """Flat momenta in order of events as (n, m, 4), zeros where there is no particle."""
    count = np.bincount(event, minlength=n)
    padded = np.zeros((n, max(count.max(initial=0), 1), 4))
    padded[event, np.arange(len(event)) - (np.cumsum(count) - count)[event]] = momentum
    return padded


def _shapes(padded):
    value, axis = thrust(padded)
    eigenvalues = sphericity_eigenvalues(padded)
    shapes = {
        "r2": fox_wolfram_ratios(padded, 2)[:, 2],
        "thrust": value,
        "sphericity": 1.5 * eigenvalues[:, 1:].sum(1),
    }
    return shapes, axis


def candidate_columns(particles, random):
    """Yield the columns of one candidate for each event that has some; nothing if none has.

    Parameters
    ----------
    particles : dict of arrays
        From `flatten` or `polarised`.
    random : numpy.random.Generator
        Of the detector.

    Yields
    ------
    dict of arrays
        `hepml_labs.datasets.b_factory.COLUMNS` without label and Fisher discriminant.
    """
    seen = _detect(particles, random)
    energy = ENERGY + DETECTOR["energy_spread"] * random.normal(size=len(particles["code"]))
    rows, neutral = _combine(seen, energy, random)
    if len(rows) == 0:
        return
    momentum = seen["momentum"]
    events = seen["event"][rows[:, 0]]
    energy = energy[events]
    number = np.full(len(particles["code"]), -1)
    number[events] = np.arange(len(events))
    own = number[seen["event"]]  # row of the candidate of each particle's event
    used = np.zeros(len(momentum), dtype=bool)
    used[rows] = True
    rest = _padded(own[(own >= 0) & ~used], momentum[(own >= 0) & ~used], len(rows))
    enough = (rest[..., 0] > 0).sum(1) > 1

    parts = np.stack([momentum[rows[:, 0]], momentum[rows[:, 1]], momentum[rows[:, 2]], neutral], axis=1)
    total, kstar, rho = parts.sum(1), parts[:, :2].sum(1), parts[:, 2:].sum(1)
    _, axis = thrust(parts)
    _, rest_axis = thrust(rest)
    l0, l2 = momentum_monomials(rest, axis).T
    photons, momentum_of_pi0 = momentum[rows[:, 3:], 0], np.linalg.norm(neutral[:, 1:], axis=1)
    shapes, _ = _shapes(_padded(own[own >= 0], momentum[own >= 0], len(rows)))
    yield {
        name: np.asarray(values)[enough]
        for name, values in {
            "m_es": _m_es(total, energy),
            "delta_e": total[:, 0] - energy / 2,
            "mass_kstar": mass(kstar),
            "mass_rho": mass(rho),
            "helicity_kstar": _helicity(parts[:, 0], kstar, total),
            "helicity_rho": _helicity(parts[:, 2], rho, total),
            "l0": l0,
            "l2": l2,
            "cos_b_beam": np.abs(total[:, 3]) / np.linalg.norm(total[:, 1:], axis=1),
            "cos_thrust_beam": np.abs(axis[:, 2]),
            "cos_thrust_thrust": np.abs((axis * rest_axis).sum(1)),
            "cos_pi0": np.abs(photons[:, 0] - photons[:, 1]) / photons.sum(1) * neutral[:, 0] / momentum_of_pi0,
            "sum_pt": np.hypot(rest[..., 1], rest[..., 2]).sum(1),
            "cones": momentum_cones(rest, axis),
            **shapes,
            "tracks": np.bincount(own[(own >= 0) & ~seen["photon"]], minlength=len(rows)),
            "photons": np.bincount(own[(own >= 0) & seen["photon"]], minlength=len(rows)),
            "correct": seen["from_signal"][rows].all(1),
            "flavor": _flavor(particles)[events],
        }.items()
    }


def _flavor(particles):
    return np.where(particles["code"] < 10, particles["code"], 0)


def event_columns(particles, random):
    """Yield the columns of all events with three tracks or more.

    Parameters
    ----------
    particles : dict of arrays
        From `flatten`.
    random : numpy.random.Generator
        Of the detector.

    Yields
    ------
    dict of arrays
        `hepml_labs.datasets.b_factory.EVENT_COLUMNS` without label.
    """
    seen = _detect(particles, random)
    n = len(particles["code"])
    tracks = np.bincount(seen["event"][~seen["photon"]], minlength=n)
    enough = tracks >= 3
    padded = _padded(seen["event"], seen["momentum"], n)[enough]
    shapes, axis = _shapes(padded)
    yield {
        **shapes,
        "tracks": tracks[enough],
        "photons": np.bincount(seen["event"][seen["photon"]], minlength=n)[enough],
        "energy": padded[..., 0].sum(1),
        "cones": momentum_cones(padded, axis),
        "charged": (particles["code"] == 521)[enough],
        "flavor": _flavor(particles)[enough],
    }
