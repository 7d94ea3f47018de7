"""Jets with b hadrons, with c hadrons and without, and the tracks that tell them apart.

Proton-proton collisions at 13 TeV: b jets from hard b bbar, c jets from c cbar, light jets from gluons and u, d, s
quarks, at leading order with parton shower, hadronisation and decays by Pythia 8 :cite:`bierlich2022pythia`, without
the underlying event. The visible stable particles are clustered by anti-kT with R = 0.4; energies are smeared by
sigma(pT) / pT = 3 GeV / pT (+) 0.6 / sqrt(pT) (+) 0.04 and directions by 0.01. Jets have 20 < pT < 250 GeV and
abs(eta) < 2.5. A jet is a b jet if a weakly decaying b hadron with pT > 5 GeV lies within Delta R = 0.3 of its axis,
else a c jet with such a c hadron, else light, as in ATLAS' GN1 :cite:`atlas2022graph`. Each class comes from its own
process only: gluons that split into heavy quarks are left out. Events are biased towards high pT so that all classes
have nearly one spectrum, flat in ln pT, which tells nothing about the flavour.

Tracks are the charged particles of the jet, as a tracker like ATLAS' in a field of 2 T measures them
(`hepml_labs.physics.tracking`): with pT > 0.5 GeV, abs(eta) < 2.5, abs(d0) < 3.5 mm and abs(z0 sin theta) < 5 mm about
the reconstructed primary vertex, at most 40, the largest abs(d0) / sigma(d0) first. Some are not found; to the others
come pile-up tracks and fake ones. Photon conversions and nuclear interactions are left out.
"""

import awkward as ak
import numpy as np

from hepml_labs.datasets.packing import dequantize, quantize
from hepml_labs.datasets.pythia import events, mixture
from hepml_labs.physics.detector import charge
from hepml_labs.physics.jets import cluster, to_array
from hepml_labs.physics.tracking import Perigee, Resolution, lifetime_sign, number_vertices, perigee, smear, wrap
from hepml_labs.validation import check_between, check_count

CHUNK = 1500
TRACKS, VERTICES = 40, 8
LIGHT, CHARM, BOTTOM = 0, 4, 5
ORIGINS = ("pile-up", "fake", "primary", "from b", "from b to c", "from c", "other secondary")
"""Where a track comes from, in the order of the numbers in the column `origin`."""

FEATURES = (
    *("q/p", "d eta", "d phi", "d0", "z0 sin theta"),
    *("sigma(q/p)", "sigma(theta)", "sigma(phi)", "sigma(d0)", "sigma(z0 sin theta)", "s(d0)", "s(z0 sin theta)"),
)
"""Last axis of the column `tracks`: charge over momentum in 1 / GeV, direction relative to the jet, impact parameters
in mm, the standard deviations of all, and the impact parameters over theirs with the sign of a lifetime (positive if
the track crosses the axis of the jet downstream). The sign of d0 itself is that of a `Perigee`."""

COLUMNS = {
    "jet": "(n, 4), GeV: E, px, py, pz as measured",
    "flavor": "(n,): 0 light, 4 charm, 5 bottom",
    "tracks": f"(n, {TRACKS}, {len(FEATURES)}): {', '.join(FEATURES)}; GeV, mm, radians; zeros after the last track",
    "origin": f"(n, {TRACKS}): {', '.join(f'{k} {name}' for k, name in enumerate(ORIGINS))}, -1 no track",
    "vertex": f"(n, {TRACKS}): number of the track's true vertex, 0 the primary one, -1 none (pile-up, fake, no track)",
    "vertices": f"(n, {VERTICES}, 3), mm: these vertices, from the reconstructed primary one, by distance; or zeros",
    "hadron_pt": "(n,), GeV: transverse momentum of the hardest hadron that makes it a b or c jet, 0 for light",
    "decay_length": "(n,), mm: transverse distance from the primary vertex to its decay, 0 for light",
}

SETTINGS = (
    "Beams:eCM = 13000.",
    *("PartonLevel:MPI = off", "PhaseSpace:pTHatMin = 15.", "PhaseSpace:pTHatMax = 500."),
    *("PhaseSpace:bias2Selection = on", "PhaseSpace:bias2SelectionPow = 4.", "PhaseSpace:bias2SelectionRef = 15."),
    # what decays behind the pixel detector leaves no track here
    *("ParticleDecays:limitCylinder = on", "ParticleDecays:xyMax = 300.", "ParticleDecays:zMax = 1000."),
)
LIGHT_PROCESSES = ("gg2gg", "qg2qg", "qq2qq", "gg2qqbar", "qqbar2gg", "qqbar2qqbarNew")
PROCESSES = {
    LIGHT: (
        *(f"HardQCD:{name} = on" for name in LIGHT_PROCESSES),
        *("HardQCD:nQuarkNew = 3", "PhaseSpace:bias2SelectionPow = 4.7"),
    ),
    CHARM: ("HardQCD:hardccbar = on",),
    BOTTOM: ("HardQCD:hardbbbar = on",),
}
BATCH = 50  # events; the jets of a seed depend on it

B_HADRONS = (511, 521, 531, 541, 5122, 5132, 5232, 5332)  # those that decay weakly
C_HADRONS = (411, 421, 431, 4122, 4132, 4232, 4332)
LONG_LIVED = (310, 130, 321, 211, 3122, 3112, 3222, 3312, 3322, 3334, 13, 15)
INVISIBLE = (12, 14, 16)
HADRON_PT, HADRON_RADIUS = 5.0, 0.3
JET_PT, JET_ETA, JET_RADIUS = (20.0, 250.0), 2.5, 0.4
TRACK_PT, TRACK_ETA, TRACK_D0, TRACK_Z0 = 0.5, 2.5, 3.5, 5.0
INNERMOST = 100.0  # mm from the beam: a particle made beyond leaves too few points in the silicon
SAME_VERTEX = 0.1  # mm, as in GN1
PRIMARY_VERTEX = (0.010, 0.010, 0.030)  # mm: resolution in x (with the beam spot), y, z
BEAM_SPOT = (0.010, 0.010, 40.0)  # mm
DENSITY = 2.874 / (2 * np.pi)  # charged particles with pT > 0.5 GeV per unit of eta and phi in one soft interaction
FAKES = 0.1  # per jet
# pT spectrum of charged particles in soft interactions: pT (1 + E_kin / (n T))^-n with T = 145 MeV, n = 6.6
SPECTRUM_PT = np.geomspace(0.4, 20.0, 400)
SPECTRUM = np.cumsum(SPECTRUM_PT**2 * (1 + (np.hypot(SPECTRUM_PT, 0.1396) - 0.1396) / (6.6 * 0.145)) ** -6.6)
SPECTRUM = (SPECTRUM - SPECTRUM[0]) / (SPECTRUM[-1] - SPECTRUM[0])


def generate(n, seed, *, light=1 / 3, charm=1 / 3, bottom=1 / 3, interactions=35.0):
    """Make jets with their tracks.

    Parameters
    ----------
    n : int
        Number of jets.
    seed : int or numpy.random.Generator
        With an integer, the jets of a smaller set open the larger one.
    light, charm, bottom : float
        Shares of the classes, drawn at random for each jet.
    interactions : float
        Mean number of other proton-proton collisions at the same time.

    Returns
    -------
    dict of arrays
        The columns of `COLUMNS`, float32 and int8.

    Raises
    ------
    ValueError
        If a number is out of range.

    Notes
    -----
    Track origins and pairs of tracks with a common vertex are the auxiliary targets of GN1 :cite:`atlas2022graph` and
    GN2 :cite:`atlas2025transformer`. What comes from a b or c hadron counts as such, also by way of a long-lived
    strange hadron. Vertices closer than 0.1 mm are one, also in chains; `vertices` gives the nearest point of such a
    chain. The first vertex is the primary one, so its position is the error of its reconstruction
    :cite:`atlas2017vertices`.

    Pile-up: other interactions spread along the beam with a standard deviation of 40 mm; the density of charged
    particles in one is measured :cite:`atlas2016charged`, and the spectrum of their pT :cite:`cms2010charged`. Only
    those are kept whose z0 happens to fit. Shares of fake and of lost tracks are our choice, of the usual size.

    Examples
    --------
    >>> jets = generate(20, seed=1)
    >>> jets["tracks"].shape, sorted(set(jets["flavor"].tolist()))
    ((20, 40, 12), [0, 4, 5])
    """
    check_count("n", n)
    for name, share in (("light", light), ("charm", charm), ("bottom", bottom)):
        check_between(name, share, 0, np.inf, include_low=True)
    check_between("light + charm + bottom", light + charm + bottom, 0, np.inf)
    check_between("interactions", interactions, 0, np.inf, include_low=True)

    def stream(flavor):
        return lambda random: (
            _jets(batch.prt, flavor, random, interactions)
            for batch in events(SETTINGS + PROCESSES[flavor], random, BATCH)
        )

    shares = {LIGHT: light, CHARM: charm, BOTTOM: bottom}
    flavor, columns = mixture(n, seed, {label: (share, stream(label)) for label, share in shares.items()})
    return {"jet": columns.pop("jet"), "flavor": flavor, **columns}


def _jets(particles, flavor, random, interactions):
    """Jets of one flavour in a batch of events."""
    counts = ak.num(particles.id).to_numpy()
    flat = _flat(particles, counts)
    final = (flat["status"] > 0) & ~np.isin(np.abs(flat["id"]), INVISIBLE)
    visible = ak.unflatten(
        ak.zip(
            {**dict(zip(("px", "py", "pz", "E"), flat["p"][final].T, strict=True)), "number": np.flatnonzero(final)}
        ),
        np.bincount(flat["event"][final], minlength=len(counts)),
    )
    jets, members = cluster(visible, JET_RADIUS, JET_PT[0] / 2)
    event = np.repeat(np.arange(len(counts)), ak.num(jets).to_numpy())
    jets, members = _measured(to_array(ak.flatten(jets)), random), ak.flatten(members.number)
    pt, eta, _ = _direction(jets)
    label, hadron_pt, decay_length = _labels(jets, event, flat)
    keep = (pt > JET_PT[0]) & (pt < JET_PT[1]) & (np.abs(eta) < JET_ETA) & (label == flavor)
    if flavor == LIGHT:  # what the bias leaves of a softer spectrum
        keep &= random.uniform(size=len(pt)) < 0.5 * (pt / JET_PT[0]) ** 0.75
    jets, event, members = jets[keep], event[keep], members[keep]
    jets = jets.astype(np.float32)
    return {
        "jet": jets,
        **_tracks(jets.astype(np.float64), event, members, flat, random, interactions),
        "hadron_pt": hadron_pt[keep].astype(np.float32),
        "decay_length": decay_length[keep].astype(np.float32),
    }


def _flat(particles, counts):
    """All particles of a batch in a row; the mother's number counts from the first of them."""
    first = np.repeat(np.cumsum(counts) - counts, counts)
    columns = {name: ak.to_numpy(ak.flatten(particles[name])) for name in ("id", "status", "mother1", "daughter1")}
    return {
        **columns,
        "mother": columns["mother1"] + first,
        "daughter": columns["daughter1"] + first,
        "event": np.repeat(np.arange(len(counts)), counts),
        "p": _components(particles.p, ("px", "py", "pz", "e")),
        "vertex": _components(particles.vProd, ("px", "py", "pz")),  # mm, and none for the primary particles
    }


def _components(vectors, names):
    return np.stack([ak.to_numpy(ak.flatten(ak.fill_none(vectors[name], 0.0))) for name in names], axis=-1)


def _measured(jets, random):
    """Jets (E, px, py, pz) with the resolution of a calorimeter."""
    pt, eta, phi = _direction(jets)
    error = random.standard_normal((3, len(jets)))
    scale = np.clip(1 + np.sqrt((3 / pt) ** 2 + 0.36 / pt + 0.04**2) * error[0], 0.1, None)
    mass_squared = jets[:, 0] ** 2 - (jets[:, 1:] ** 2).sum(1)
    eta, phi, pt = eta + 0.01 * error[1], phi + 0.01 * error[2], pt * scale
    energy = np.sqrt((pt * np.cosh(eta)) ** 2 + (scale**2 * mass_squared).clip(0))
    return np.stack([energy, pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)], axis=-1)


def _labels(jets, event, flat):
    """Flavour of each jet, and the transverse momentum and decay length of the hardest hadron that gives it."""
    label, hadron_pt, decay_length = np.zeros(len(jets), np.int8), np.zeros(len(jets)), np.zeros(len(jets))
    px, py, pz = flat["p"][:, :3].T
    pt = np.hypot(px, py)
    _, axis_eta, axis_phi = _direction(jets)
    for flavor, ids in ((CHARM, C_HADRONS), (BOTTOM, B_HADRONS)):
        hadron = np.flatnonzero(np.isin(np.abs(flat["id"]), ids) & (flat["status"] < 0) & (pt > HADRON_PT))
        hadron = hadron[np.argsort(pt[hadron])]  # the hardest is written last
        jet, which = np.nonzero(event[:, None] == flat["event"][hadron])
        hadron = hadron[which]
        eta = axis_eta[jet] - np.arcsinh(pz[hadron] / pt[hadron])
        phi = wrap(axis_phi[jet] - np.arctan2(py[hadron], px[hadron]))
        near = np.hypot(eta, phi) < HADRON_RADIUS
        jet, hadron = jet[near], hadron[near]
        label[jet], hadron_pt[jet] = flavor, pt[hadron]
        decay_length[jet] = np.hypot(*flat["vertex"][flat["daughter"][hadron], :2].T)
    return label, hadron_pt, decay_length


def _origins(track, flat):
    """Class of each track by all its ancestors among hadrons and leptons."""
    ancestor = flat["mother"][track]
    found = {name: np.zeros(len(track), bool) for name in ("b", "c", "late")}
    kinds = {"b": B_HADRONS, "c": C_HADRONS, "late": LONG_LIVED}
    while True:  # one generation at a time, until all have reached the partons or the beam
        ids = np.abs(flat["id"][ancestor])
        alive = (ids > 100) | (ids == 13) | (ids == 15)
        if not alive.any():
            break
        for name, kind in kinds.items():
            found[name] |= alive & np.isin(ids, kind)
        ancestor = np.where(alive, flat["mother"][ancestor], ancestor)
    b, c, late = (found[name] for name in ("b", "c", "late"))
    return np.select([b & c, b, c, late], [4, 3, 5, 6], default=2)


def _tracks(jets, event, members, flat, random, interactions):
    """Measure, select and sort the tracks of jets (n, 4), and keep their truth."""
    row = np.repeat(np.arange(len(jets)), ak.num(members).to_numpy())
    number = ak.to_numpy(ak.flatten(members))
    sign = charge(flat["id"][number])
    particles = {"row": row, "charge": sign, "vertex": flat["vertex"][number], "momentum": flat["p"][number, :3]}
    kept = (sign != 0) & (np.hypot(*flat["vertex"][number, :2].T) < INNERMOST)
    particles = {name: values[kept] for name, values in particles.items()}
    particles["origin"] = _origins(number[kept], flat)
    others = _pileup(jets, interactions, random), _fakes(jets, random)
    particles = {
        name: np.concatenate([values, *(other[name] for other in others)]) for name, values in particles.items()
    }

    # the reconstructed primary vertex, one for each event, is the origin of all that is measured
    reference = random.normal(0, PRIMARY_VERTEX, (event.max(initial=0) + 1, 3))[event]
    row = particles["row"]
    track = perigee(particles["vertex"], particles["momentum"], particles["charge"].astype(float), reference[row])
    track = smear(track, random)
    pt, eta = np.sin(track.theta) / np.abs(track.q_over_p), np.arcsinh(1 / np.tan(track.theta))
    z0 = track.z0 * np.sin(track.theta)
    kept = random.uniform(size=len(row)) < 0.92 - 0.03 * eta**2  # most of the loss is in the material
    kept &= (pt > TRACK_PT) & (np.abs(eta) < TRACK_ETA) & (np.abs(track.d0) < TRACK_D0) & (np.abs(z0) < TRACK_Z0)
    order = np.flatnonzero(kept)
    significance = np.abs(track.d0 / Resolution().uncertainty(track).d0)
    order = order[np.lexsort((-significance[order], row[order]))]
    place = np.arange(len(order)) - np.searchsorted(row[order], row[order])
    order, place = order[place < TRACKS], place[place < TRACKS]

    def padded(values, empty, dtype):
        array = np.full((len(jets), TRACKS, *values.shape[1:]), empty, dtype)
        array[row[order], place] = values[order]
        return array

    _, axis_eta, axis_phi = _direction(jets)
    five = [track.q_over_p, eta - axis_eta[row], wrap(track.phi - axis_phi[row]), track.d0, z0]
    origin = padded(particles["origin"], -1, np.int8)
    points = padded(particles["vertex"], 0.0, float)
    vertex, vertices = number_vertices(points, origin > ORIGINS.index("fake"), SAME_VERTEX, VERTICES)
    present = np.arange(VERTICES) <= vertex.max(axis=1)[:, None]
    return {
        "tracks": _features(padded(np.stack(five, axis=-1), 0.0, float), jets),
        "origin": origin,
        "vertex": vertex,
        "vertices": ((vertices - reference[:, None]) * present[..., None]).astype(np.float32),
    }


def _direction(jets):
    """Transverse momentum, pseudorapidity and azimuth of four-momenta (n, 4)."""
    pt = np.hypot(jets[:, 1], jets[:, 2])
    return pt, np.arcsinh(jets[:, 3] / pt), np.arctan2(jets[:, 2], jets[:, 1])


def _soft(jets, mean, random):
    """Charged particles of soft interactions in the cones of jets, `mean` of them in each."""
    _, eta, phi = _direction(jets)
    row = np.repeat(np.arange(len(jets)), random.poisson(mean, len(jets)))
    uniform = random.uniform(size=(4, len(row)))
    pt = np.interp(uniform[0], SPECTRUM, SPECTRUM_PT)
    radius, angle = JET_RADIUS * np.sqrt(uniform[1]), 2 * np.pi * uniform[2]
    eta, phi = eta[row] + radius * np.cos(angle), phi[row] + radius * np.sin(angle)
    momentum = np.stack([pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)], axis=-1)
    return {"row": row, "momentum": momentum, "charge": np.where(uniform[3] < 0.5, -1, 1)}


def _pileup(jets, interactions, random):
    """Charged particles of other interactions, anywhere along the beam spot."""
    soft = _soft(jets, interactions * DENSITY * np.pi * JET_RADIUS**2, random)
    distance = random.normal(0, np.sqrt(2) * np.array(BEAM_SPOT), (len(soft["row"]), 3))  # of two interactions
    return soft | {"vertex": distance, "origin": np.full(len(distance), ORIGINS.index("pile-up"))}


def _fakes(jets, random):
    """Tracks made of points of several particles: soft, with any impact parameters."""
    soft = _soft(jets, FAKES, random)
    d0, z0 = random.uniform(-1, 1, (2, len(soft["row"]))) * np.array([[TRACK_D0], [TRACK_Z0]])
    x, y, z = soft["momentum"].T
    pt = np.hypot(x, y)
    vertex = np.stack([-d0 * y / pt, d0 * x / pt, z0 * np.hypot(pt, z) / pt], axis=-1)
    return soft | {"vertex": vertex, "origin": np.full(len(d0), ORIGINS.index("fake"))}


def _features(five, jets):
    """All features of tracks, (n, tracks, 12), from the first five; zeros stay zeros."""
    present = five[..., 0] != 0
    row = np.nonzero(present)[0]
    _, axis_eta, axis_phi = (values[row] for values in _direction(np.asarray(jets, dtype=np.float64)))
    q_over_p, eta, phi, d0, z0 = five[present].astype(np.float64).T
    theta = 2 * np.arctan(np.exp(-eta - axis_eta))
    track = Perigee(d0, z0, phi + axis_phi, theta, q_over_p)
    sigma = Resolution().uncertainty(track)
    signs = lifetime_sign(track, axis_eta, axis_phi)
    features = np.zeros((*five.shape[:2], len(FEATURES)), dtype=np.float32)
    features[present, :5] = five[present]
    features[present, 5:10] = np.stack([sigma.q_over_p, sigma.theta, sigma.phi, sigma.d0, sigma.z0_sin_theta], axis=-1)
    features[present, 10:] = np.abs(features[present, 3:5] / features[present, 8:10]) * np.stack(signs, axis=-1)
    return features


PT_STEP, ANGLE_STEP, MASS_STEP = 2e-4, 1e-4, 0.01  # of a jet: of ln(pT / GeV), eta and phi, GeV
TRACK_STEPS = (2e-3, 2e-4, 2e-4, 2e-3, 5e-3)  # of ln(pT / 0.5 GeV), d eta, d phi, d0 and z0 sin(theta) in mm
"""Rounding of tracks: at most a third of the best resolution."""


def pack(columns):
    """Store jets and tracks in 16 bits: rounded to whole steps (`PT_STEP` ... `TRACK_STEPS`), lengths as float16.

    Parameters
    ----------
    columns : dict of arrays
        As from `generate`.

    Returns
    -------
    dict of arrays
        Uncertainties and significances of tracks are not stored, they follow from the others.

    Examples
    --------
    >>> stored = pack(generate(5, seed=1, light=0.0, charm=0.0))
    >>> stored["jet"].dtype, stored["tracks"].dtype, stored["tracks"].shape
    (dtype('int16'), dtype('int16'), (5, 40, 5))
    """
    jet = np.asarray(columns["jet"], dtype=np.float64)
    pt, eta, phi = _direction(jet)
    mass = np.sqrt((jet[:, 0] ** 2 - (jet[:, 1:] ** 2).sum(1)).clip(0))
    stored_jet = [quantize(np.log(pt), PT_STEP), *(quantize(angle, ANGLE_STEP) for angle in (eta, phi))]
    q_over_p, d_eta, *others = np.moveaxis(np.asarray(columns["tracks"], dtype=np.float64)[..., :5], -1, 0)
    present = q_over_p != 0
    track_pt = np.where(present, 1 / np.where(present, np.abs(q_over_p) * np.cosh(d_eta + eta[:, None]), 1.0), TRACK_PT)
    bend = np.sign(q_over_p) * (np.log(track_pt / TRACK_PT).clip(0) + TRACK_STEPS[0])  # zero where there is no track
    five = zip((bend, d_eta, *others), TRACK_STEPS, strict=True)
    return {
        "jet": np.stack([*stored_jet, quantize(mass, MASS_STEP)], axis=-1),
        "tracks": np.stack([quantize(values, step) for values, step in five], axis=-1),
        **{name: np.asarray(columns[name]).astype(np.int8) for name in ("flavor", "origin", "vertex")},
        **{name: np.asarray(columns[name]).astype(np.float16) for name in ("vertices", "hadron_pt", "decay_length")},
    }


def unpack(stored):
    """Give stored columns back.

    Parameters
    ----------
    stored : dict of arrays
        From `pack`.

    Returns
    -------
    dict of arrays
        The columns of `COLUMNS`.

    Examples
    --------
    >>> jets = generate(5, seed=1, light=0.0, charm=0.0)
    >>> again = unpack(pack(jets))
    >>> bool(np.allclose(again["jet"], jets["jet"], rtol=1e-3, atol=0.02))
    True
    """
    steps = np.moveaxis(np.asarray(stored["jet"]), -1, 0)
    scales = (PT_STEP, ANGLE_STEP, ANGLE_STEP, MASS_STEP)
    log_pt, eta, phi, mass = (dequantize(step, scale, np.float64) for step, scale in zip(steps, scales, strict=True))
    pt = np.exp(log_pt)
    energy = np.sqrt((pt * np.cosh(eta)) ** 2 + mass**2)
    jet = np.stack([energy, pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)], axis=-1)
    bend, d_eta, *others = (
        dequantize(step, scale, np.float64)
        for step, scale in zip(np.moveaxis(np.asarray(stored["tracks"]), -1, 0), TRACK_STEPS, strict=True)
    )
    track_pt = TRACK_PT * np.exp(np.abs(bend) - TRACK_STEPS[0])
    q_over_p = np.sign(bend) / (track_pt * np.cosh(d_eta + eta[:, None]))
    columns = {"jet": jet.astype(np.float32), "tracks": _features(np.stack([q_over_p, d_eta, *others], axis=-1), jet)}
    columns |= {name: np.asarray(stored[name]) for name in ("flavor", "origin", "vertex")}
    columns |= {name: stored[name].astype(np.float32) for name in ("vertices", "hadron_pt", "decay_length")}
    return {name: columns[name] for name in COLUMNS}
