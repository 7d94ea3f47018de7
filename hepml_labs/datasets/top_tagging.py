"""Jets from boosted hadronic tops and from light quarks and gluons, after the recipe of the top-tagging landscape.

Proton collisions at 14 TeV from Pythia 8 without multiple interactions and pile-up: top pairs whose W bosons decay to
quarks, and QCD scattering. A fast energy-flow detector (`hepml_labs.physics.detector`) reconstructs the events, and
anti-kT with R = 0.8 clusters its objects. Each of the two leading jets is kept if 550 GeV < pT < 650 GeV and
abs(eta) < 2; in the signal, a parton-level top and all three quarks of its decay must lie within Delta R = 0.8 of it.
This is the recipe of the published set :cite:`kasieczka2019landscape`, section 2, with our detector in the place of
Delphes, and with the second jet of an event beside the first (the setting `jets_per_event` leaves it out).
"""

import awkward as ak
import numpy as np

from hepml_labs.datasets.packing import pack_constituents, unpack_constituents
from hepml_labs.datasets.pythia import events, mixture, momentum_records
from hepml_labs.physics.detector import energy_flow
from hepml_labs.physics.jets import cluster, pad, to_array
from hepml_labs.physics.kinematics import delta_r, eta, pt
from hepml_labs.validation import check_between, check_count

CHUNK = 1000  # 15 to 30 s

COLUMNS = {
    "constituents": "(n, 100, 4), GeV: E, px, py, pz of the leading constituents by pT, massless, zero-padded",
    "jet": "(n, 4), GeV: E, px, py, pz of the jet, the sum of all its constituents",
    "number": "(n,): number of constituents of the jet, stored or not",
    "truth_top": "(n, 4), GeV: E, px, py, pz of the top quark before its decay; zeros for a QCD jet",
    "is_top": "(n,): 1 for a top jet, 0 for a QCD jet",
}
"""Column name: shape, unit and meaning; the setting `constituents` may ask for another number than 100."""

RADIUS, JET_PT, MAXIMUM_ETA = 0.8, (550.0, 650.0), 2.0  # GeV
BATCH = 250  # events that Pythia makes at a time: part of what a seed means

PROTONS = ("Beams:eCM = 14000", "PartonLevel:MPI = off", "PhaseSpace:pTHatMax = 1000")
PROCESSES = {
    0: ("HardQCD:all = on",),
    1: ("Top:gg2ttbar = on", "Top:qqbar2ttbar = on", "24:onMode = off", "24:onIfAny = 1 2 3 4 5"),
}


def generate(n, seed, *, constituents=100, jets_per_event=2, minimum_pt_hat=(400.0, 450.0)):
    """Make top jets and QCD jets, half of each.

    Parameters
    ----------
    n : int
        Number of jets.
    seed : int or numpy.random.Generator
        With an integer, the jets of a smaller set open the larger one.
    constituents : int
        Constituents stored for each jet; the published set has 200.
    jets_per_event : int
        How many of the leading jets of an event may be used; in the published set 1.
    minimum_pt_hat : (float, float)
        Smallest transverse momentum of the hard scattering in GeV, for QCD and for top pairs. With the default, jets
        are lost that owe their momentum to a third parton: 6 % of the QCD jets, which are heavier than the others
        (100 GeV on average, where all have 90), and 10 % of the top jets, which look like the others.

    Returns
    -------
    dict of arrays, first dimension n
        The columns of `COLUMNS`: float32, but for `number` (int16) and `is_top` (int8).

    Raises
    ------
    ValueError
        Naming the argument.

    Examples
    --------
    >>> jets = generate(4, seed=1, constituents=30)  # doctest: +SKIP
    >>> jets["constituents"].shape, jets["is_top"].dtype  # doctest: +SKIP
    ((4, 30, 4), dtype('int8'))
    """
    check_count("n", n)
    check_count("constituents", constituents)
    check_count("jets_per_event", jets_per_event)
    for minimum in minimum_pt_hat:
        check_between("minimum_pt_hat", minimum, 100.0, JET_PT[0])

    def source(label):
        return lambda random: _jets(label, random, constituents, jets_per_event, minimum_pt_hat[label])

    is_top, columns = mixture(n, seed, {0: (1.0, source(0)), 1: (1.0, source(1))})
    columns["is_top"] = is_top
    return {name: columns[name] for name in COLUMNS}


def pack(columns):
    """Store constituents as 16-bit pT, eta and phi relative to their jet.

    Parameters
    ----------
    columns : mapping of arrays
        As returned by `generate`.

    Returns
    -------
    dict of arrays
        Relative steps of pT are 1e-3, of angles 5e-4 (`hepml_labs.datasets.packing`); all else is kept exactly.
    """
    stored = pack_constituents(columns["constituents"], columns["jet"])
    exact = {name: np.asarray(columns[name]) for name in COLUMNS if name != "constituents"}
    return {f"constituents_{name}": values for name, values in stored.items()} | exact


def unpack(stored):
    """Columns of `generate` from their stored form.

    Parameters
    ----------
    stored : mapping of arrays
        As returned by `pack`.

    Returns
    -------
    dict of arrays
        `constituents` rounded as said there, the others exactly.

    Examples
    --------
    >>> jet = np.array([[5.0, 3.0, 4.0, 0.0]], dtype=np.float32)
    >>> columns = {"constituents": jet[None], "jet": jet, "number": [1], "truth_top": 0 * jet, "is_top": [0]}
    >>> unpack(pack(columns))["constituents"].round(2).tolist()
    [[[5.0, 3.0, 4.0, 0.0]]]
    """
    constituents = unpack_constituents(
        {name: stored[f"constituents_{name}"] for name in ("pt", "eta", "phi")}, stored["jet"]
    )
    return {"constituents": constituents} | {name: stored[name] for name in COLUMNS if name != "constituents"}


def _jets(label, random, constituents, jets_per_event, minimum_pt_hat):
    from hepml_labs.datasets.parton_jets import PartonJets  # here, because it needs Pythia

    settings = (*PROTONS, f"PhaseSpace:pTHatMin = {minimum_pt_hat}", *PROCESSES[label])
    for batch in events(settings, random, BATCH, hooks=PartonJets(RADIUS, tops=bool(label))):
        particles = momentum_records(batch.prt[batch.prt.status > 0])
        jets, members = cluster(energy_flow(particles, random), RADIUS, JET_PT[0])
        jets, members = jets[:, :jets_per_event], members[:, :jets_per_event]
        event = np.repeat(np.arange(len(jets)), ak.num(jets).to_numpy())
        jets, members = to_array(ak.flatten(jets)), ak.flatten(members)
        chosen = (pt(jets) < JET_PT[1]) & (np.abs(eta(jets)) < MAXIMUM_ETA)
        top = np.zeros_like(jets)
        if label:
            top[chosen], chosen[chosen] = match(batch.prt[event[chosen]], jets[chosen])
        yield {
            "constituents": pad(members[chosen], constituents).astype(np.float32),
            "jet": jets[chosen].astype(np.float32),
            "number": ak.num(members[chosen]).to_numpy().astype(np.int16),
            "truth_top": top[chosen].astype(np.float32),
        }


def match(particles, jets):
    """Find the top quark whose three decay quarks lie in a jet with it.

    Parameters
    ----------
    particles : awkward array of Pythia's particles, (n, particles)
        The whole event of each jet, with both tops decaying to quarks.
    jets : array, (n, 4)
        (E, px, py, pz) in GeV.

    Returns
    -------
    top : array, (n, 4)
        The last copy of the top before its decay; zeros where there is none in the jet.
    matched : bool array, (n,)
    """
    top, matched = np.zeros((len(jets), 4)), np.zeros(len(jets), dtype=bool)
    if len(jets) == 0:
        return top, matched
    mother, size = particles.id[particles.mother1], abs(particles.id)
    for sign in (1, -1):
        last_copy = (particles.id == 6 * sign) & (particles.status == -62)
        decay = (abs(particles.status) == 23) & (size < 6) & ((mother == 6 * sign) | (mother == 24 * sign))
        partons = np.concatenate([_momenta(particles[last_copy]), _momenta(particles[decay])], axis=1)
        inside = (delta_r(partons, jets[:, None]) < RADIUS).all(axis=1)
        top[inside] = partons[inside, 0]
        matched |= inside
    return top, matched


def _momenta(particles):
    """Plain array of Pythia's momenta, where each event has the same number of them."""
    return np.stack([ak.to_regular(particles.p[name]).to_numpy() for name in ("e", "px", "py", "pz")], axis=-1)
