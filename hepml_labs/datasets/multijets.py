"""Events with four jets, two to four of them tagged, and a resonance that decays to two Higgs bosons among them.

Proton collisions at 13 TeV from Pythia 8 without multiple parton interactions: all hard QCD processes above 75 GeV,
whose further jets come from the shower, and X -> H H -> b bbar b bbar with masses of 500 and 125 GeV. Visible particles
are clustered into anti-kT jets of R = 0.4, whose momenta are smeared with the resolution of a calorimeter and scaled
by a common calibration. Events have at least four jets with pT > 40 GeV and abs(eta) < 2.5. The four leading ones make
two Higgs candidates, in the pairing whose candidate of higher pT has the closest jets, both with 60 < m < 220 GeV.

The tag is an emulation: no b quark is looked for. Each jet is tagged, independently of the others, with a probability
that depends on its pT, its pseudorapidity and the distance to the nearest of the other three (`tag_efficiency`), in
the manner of a mixture of light, charm and bottom jets; in the signal with that of a bottom jet. Kept are events with
two, three or four tags. What an experiment has to learn from data, the ratio of the densities of events with four and
with two tags, is therefore known exactly: it is the ratio of two columns of `tag_probability`. Selection, pairing,
regions and features follow the search of ATLAS for pairs of Higgs bosons :cite:`atlas2023bbbb`.
"""

import numpy as np

from hepml_labs.datasets.packing import dequantize, quantize
from hepml_labs.physics.higgs_pairs import FEATURES, candidates, features, m_hh, region, x_hh
from hepml_labs.physics.kinematics import delta_r, eta, mass, phi, pt
from hepml_labs.validation import check_array, check_between

__all__ = [
    "COLUMNS",
    "FEATURES",
    "candidates",
    "features",
    "generate",
    "m_hh",
    "pack",
    "region",
    "tag_efficiency",
    "tag_probability",
    "unpack",
    "x_hh",
]

CHUNK = 1000  # rows of one unit of work
BATCH = 100  # events at a time: fixed, so that fewer rows are the first of more

COLUMNS = {
    "jets": "(n, 4, 4), GeV: E, px, py, pz of the four leading jets in order of pT",
    "number": "int8: number of jets",
    "tags": "int8: number of tagged jets among the four, 2 to 4",
    "tag_probability": "(n, 3), truth: probability of 2, 3 and 4 tags given these four jets and the label",
    "label": "int8: 1 for X to H H to four b quarks, 0 for multi-jet events",
}
"""Column name: shape if not (n,), type if not float32, unit and meaning."""

MINIMUM_PT, MAXIMUM_ETA, RADIUS = 40.0, 2.5, 0.4  # GeV
MASS_WINDOW = 60.0, 220.0  # GeV, of both candidates
CALIBRATION = 1.06  # what a jet loses on average: particles outside of its radius, and neutrinos
RESOLUTION = 0.8, 0.04  # of pT: GeV^0.5 over the root of pT, and constant

PROTONS = ("Beams:eCM = 13000.", "PartonLevel:MPI = off")
QCD = (*PROTONS, "HardQCD:all = on", "PhaseSpace:pTHatMin = 75.")
FASTER = ("TimeShower:pTmin = 1.5", "111:mayDecay = off")  # radiation below that and photons leave jets as they are
EARLY_PT, LATE_PT = 34.0, 35.0  # GeV: least pT of the fourth jet of partons, during the shower and after it
EFFICIENCIES = {0: (0.5, 0.5, 0.18, 1.1), 1: (1.2, 0.3, 0.08, -0.3)}  # by label, see `tag_efficiency`

PT_STEP, ANGLE_STEP, MASS_STEP = 5e-4, 1e-3, 0.01  # of ln(pT / 20 GeV), of eta and phi, and of ln(1 + m / GeV)
SOFTEST = 20.0  # GeV
MARGIN = 0.01  # GeV inside the window of masses, more than single precision moves one
EDGE = 1e-5  # the same for pT and eta, relative


def generate(n, seed, *, signal_share=0.03, resonance_mass=500.0):
    """Make four-jet events of background and signal.

    Parameters
    ----------
    n : int
        Number of events.
    seed : int or numpy.random.Generator
        With an integer, the events of a smaller set open the larger one.
    signal_share : float
        Probability of each event to be signal.
    resonance_mass : float
        Mass of X, GeV; its width is 1 % of it.

    Returns
    -------
    dict of arrays, first dimension n
        The columns of `COLUMNS`: float32, but for ``number``, ``tags`` and ``label`` (int8). Jets are rounded as in a
        file (see `pack`) before the cuts and the tags, so that edges and probabilities are exact.

    Raises
    ------
    ValueError
        Naming the argument that is out of range.

    Notes
    -----
    The cuts on the hard process and on the jets of partons (`QCD`, `EARLY_PT`, `LATE_PT`) save time and act like a
    trigger that turns on slowly. Of the background that 45, 20 and 28 GeV would give they lose 28 % (18 % the first
    cut alone), 37 % in the three regions of `region`: events with little mass and near the threshold.

    Examples
    --------
    >>> events = generate(3, seed=1, signal_share=1.0)
    >>> events["jets"].shape, events["label"].tolist()
    ((3, 4, 4), [1, 1, 1])
    """
    from hepml_labs.datasets.pythia import mixture  # the extra `generate` is needed here, not for reading files

    check_between("signal_share", signal_share, 0, 1, include_low=True, include_high=True)
    check_between("resonance_mass", resonance_mass, 250, 2000, include_high=True)
    sources = {
        label: (share, lambda random, label=label: _events(label, random, resonance_mass))
        for label, share in ((0, 1 - signal_share), (1, signal_share))
        if share > 0
    }
    labels, columns = mixture(n, seed, sources)
    columns["label"] = labels
    columns["tag_probability"] = _probability(columns["jets"], labels)
    return {name: columns[name] for name in COLUMNS}


def signal_settings(resonance_mass):
    """Pythia's settings of X to H H to four b quarks.

    Parameters
    ----------
    resonance_mass : float
        Mass of X (Pythia's heavy neutral Higgs boson), GeV.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> [line for line in signal_settings(400.0) if "m0" in line]
    ['35:m0 = 400.0', '25:m0 = 125.0']
    """
    return (
        *PROTONS,
        *("Higgs:useBSM = on", "HiggsBSM:gg2H2 = on"),
        *(f"35:m0 = {resonance_mass}", f"35:mWidth = {0.01 * resonance_mass}", "35:doForceWidth = on"),
        *(f"35:mMin = {0.9 * resonance_mass}", f"35:mMax = {1.1 * resonance_mass}"),
        *("35:onMode = off", "35:onIfMatch = 25 25", "25:m0 = 125.0", "25:onMode = off", "25:onIfMatch = 5 -5"),
    )


def tag_efficiency(jets, label=0):
    r"""Probability of each jet to be tagged.

    .. math:: \ln\frac{\epsilon}{1 - \epsilon} = a - b \ln^2\frac{p_T}{150\ \mathrm{GeV}} - c\,\eta^2
        + d\, e^{-(\Delta R - 0.4) / 0.6}

    with the distance to the nearest of the other three jets. Taggers are best around 150 GeV and in the barrel; the
    constants of background jets make it likelier that a jet with a close neighbour is tagged, as in gluons that split.

    Parameters
    ----------
    jets : array, (n, 4, 4)
        (E, px, py, pz) in GeV.
    label : int or int array, (n,)
        0 for multi-jet events, 1 for the signal with its bottom jets.

    Returns
    -------
    array of float64, (n, 4)

    Raises
    ------
    ValueError
        Naming the argument: another shape, or a label that is neither 0 nor 1.

    Notes
    -----
    An emulation of ours: :math:`a, b, c, d` are `EFFICIENCIES`, by label.

    Examples
    --------
    >>> jets = np.array([[[50.0, 50, 0, 0], [50.0, -50, 0, 0], [50.0, 0, 50, 0], [50.0, 0, -50, 0]]])
    >>> tag_efficiency(jets).round(3), tag_efficiency(jets, label=1).round(3)
    (array([[0.513, 0.513, 0.513, 0.513]]), array([[0.689, 0.689, 0.689, 0.689]]))
    """
    jets = _checked(jets)
    label = np.broadcast_to(np.asarray(label), (len(jets),))
    if not np.isin(label, (0, 1)).all():
        raise ValueError(f"label: found {np.unique(label).tolist()}, expected 0 or 1")
    distance = delta_r(jets[:, :, None], jets[:, None]) + np.where(np.eye(4), np.inf, 0)
    a, b, c, d = np.array(list(EFFICIENCIES.values()))[label].T[..., None]
    logit = a - b * np.log(pt(jets) / 150) ** 2 - c * eta(jets) ** 2 + d * np.exp((0.4 - distance.min(axis=2)) / 0.6)
    return 1 / (1 + np.exp(-logit))


def tag_probability(efficiency):
    """Probability of 2, 3 and 4 tags among four jets that are tagged independently.

    Parameters
    ----------
    efficiency : array, (n, 4)

    Returns
    -------
    array, (n, 3)

    Raises
    ------
    ValueError
        If the shape is another.

    Examples
    --------
    >>> tag_probability(np.full((1, 4), 0.5)) * 16
    array([[6., 4., 1.]])
    """
    check_array("efficiency", efficiency, ("n", 4))
    share = np.zeros((len(efficiency), 5), dtype=efficiency.dtype)  # of 0 to 4 tags
    share[:, 0] = 1
    for one in efficiency.T[..., None]:
        share[:, 1:] = share[:, 1:] * (1 - one) + share[:, :-1] * one
        share[:, :1] *= 1 - one
    return share[:, 2:]


def pack(columns):
    """Compact form of the columns of `generate`, for a file: 16-bit steps of logarithms and angles.

    Parameters
    ----------
    columns : mapping
        With ``jets``, ``number``, ``tags`` and ``label``, as returned by `generate`.

    Returns
    -------
    dict of arrays
        ``pt`` (steps of 0.05 % above 20 GeV), ``eta``, ``phi`` (0.001) and ``mass`` (1 % of m + 1 GeV), each (n, 4),
        and the others; probabilities are not stored, as they follow from the jets.

    Raises
    ------
    ValueError
        If the shape is another, or a momentum is out of the range of the steps.
    """
    jets = _checked(columns["jets"])
    return {
        "pt": quantize(np.log(pt(jets) / SOFTEST), PT_STEP, np.uint16),
        "eta": quantize(eta(jets), ANGLE_STEP),
        "phi": quantize(phi(jets), ANGLE_STEP),
        "mass": quantize(np.log1p(mass(jets)), MASS_STEP, np.uint16),
        **{name: np.asarray(columns[name], dtype=np.int8) for name in ("number", "tags", "label")},
    }


def unpack(stored):
    """Columns of `generate` from their compact form.

    Parameters
    ----------
    stored : mapping
        As returned by `pack`.

    Returns
    -------
    dict of arrays
        As `generate`. Packing and unpacking again changes energies by single-precision rounding, and nothing else.
    """
    columns = {name: np.asarray(stored[name]) for name in ("number", "tags", "label")}
    columns["jets"] = _unpack_jets(stored)
    columns["tag_probability"] = _probability(columns["jets"], columns["label"])
    return {name: columns[name] for name in COLUMNS}


def _unpack_jets(stored):
    transverse = SOFTEST * np.exp(dequantize(stored["pt"], PT_STEP, np.float64))
    rapid, angle = (dequantize(stored[name], ANGLE_STEP, np.float64) for name in ("eta", "phi"))
    heavy = np.expm1(dequantize(stored["mass"], MASS_STEP, np.float64))
    momenta = np.empty((*transverse.shape, 4), dtype=np.float32)
    momenta[..., 0] = np.hypot(transverse * np.cosh(rapid), heavy)
    momenta[..., 1] = transverse * np.cos(angle)
    momenta[..., 2] = transverse * np.sin(angle)
    momenta[..., 3] = transverse * np.sinh(rapid)
    return momenta


def _probability(jets, label):
    return tag_probability(tag_efficiency(jets, label)).astype(np.float32)


def _checked(jets):
    jets = np.asarray(jets)
    check_array("jets", jets, ("n", 4, 4))
    return jets.astype(np.float64)


def _events(label, random, resonance_mass):
    """Selected events of one label, a batch of generated ones at a time."""
    from hepml_labs.datasets.parton_jets import FourPartonJets
    from hepml_labs.datasets.pythia import events

    generation, detection = random.spawn(2)
    settings = (*(signal_settings(resonance_mass) if label else QCD), *FASTER)
    hooks = None if label else FourPartonJets(RADIUS, EARLY_PT, LATE_PT)
    for batch in events(settings, generation, BATCH, hooks=hooks):
        jets, number = _reconstruct(batch.prt, detection)
        empty = np.zeros(len(jets), dtype=np.int8)
        if len(jets):
            jets = _unpack_jets(pack({"jets": jets, "number": number, "tags": empty, "label": empty}))
        else:
            jets = jets.astype(np.float32)
            yield {"jets": jets, "number": empty, "tags": empty}
            continue
        tagged = detection.uniform(size=(len(jets), 4)) < tag_efficiency(jets, label)
        tags = tagged.sum(axis=1).astype(np.int8)
        kept = (tags >= 2) & _selected(jets)
        yield {"jets": jets[kept], "number": number[kept], "tags": tags[kept]}


def _reconstruct(particles, random):
    """Leading four jets (n, 4, 4) and number of jets, of the events with at least four."""
    import awkward as ak
    import fastjet

    from hepml_labs.datasets.pythia import momentum_records
    from hepml_labs.physics.jets import pad

    size = abs(particles.id)
    visible = particles[(particles.status > 0) & (size != 12) & (size != 14) & (size != 16)]
    visible = ak.to_packed(momentum_records(visible)[["px", "py", "pz", "E"]])
    definition = fastjet.JetDefinition(fastjet.antikt_algorithm, RADIUS)
    # none below 15 GeV is measured above the threshold; what the jets are made of is not asked for
    jets = fastjet.ClusterSequence(visible, definition).inclusive_jets(15.0)
    true = np.hypot(jets.px, jets.py)
    noise = ak.unflatten(random.normal(size=ak.count(true)), ak.num(true))
    factor = CALIBRATION * np.maximum(1 + noise * np.hypot(RESOLUTION[0] / np.sqrt(true), RESOLUTION[1]), 0)
    inside = (true * factor > MINIMUM_PT) & (abs(np.arcsinh(jets.pz / true)) < MAXIMUM_ETA)
    measured = ak.zip({name: jets[name] * factor for name in ("px", "py", "pz", "E")})[inside]
    number = ak.num(measured).to_numpy()
    return pad(measured[number >= 4], 4), number[number >= 4].astype(np.int8)


def _selected(jets):
    """Cuts that rounding could undo, and the window of the candidate masses."""
    inside = (pt(jets).min(axis=1) > MINIMUM_PT * (1 + EDGE)) & (np.abs(eta(jets)).max(axis=1) < MAXIMUM_ETA - EDGE)
    masses = mass(candidates(jets))
    low, high = MASS_WINDOW
    return inside & (masses > low + MARGIN).all(axis=1) & (masses < high - MARGIN).all(axis=1)
