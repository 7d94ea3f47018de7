r"""Higgs bosons that decay to two photons against the diphoton continuum, in low- and high-level features.

Proton-proton collisions at 13 TeV. *Signal.* All of Pythia's Higgs production (gluon fusion, weak-boson fusion, with W,
Z or top quarks) in the shares of its leading order, with the decay to two photons and one of several masses. Gluon
fusion gains a factor of two to three from higher orders and the others do not, so it has less than its natural share;
the column ``process`` allows to reweight. *Background.* Quark-antiquark annihilation and the gluon-gluon box to two
photons. Jets that pass for photons, and photons radiated off quarks in the final state, are left out. *Recoil.* In
both, the initial-state shower may emit up to the kinematic limit and is damped above the mass of the pair. Pythia's
defaults treat the two differently (no damping for H, no emission above the photons' pT for the continuum), and a
classifier would find that out: transverse momentum would separate them better than it does in nature. The transverse
momentum remains the feature whose modelling matters most; matched calculations are the better tool.

*Detector.* Photon energies are smeared with a resolution that depends on abs(eta) and from photon to photon, and that
is known for each photon, as after the energy regression of CMS. Photons must be isolated. Jets: anti-kT
0.4 from all visible particles but the two photons, smeared, above 30 GeV within abs(eta) < 4.7, at 0.4 or more from the
photons. No pile-up and no further parton interactions in the collision; the vertex is known.

*Selection*, as CMS :cite:`cms2012observation` :cite:`cms2014diphoton`: two photons within abs(eta) < 2.5 but not 1.44
to 1.57, pT above m/3 and m/4, 100 < m < 180 GeV. For the background ``higgs_mass`` is a hypothesis drawn from the
masses of the signal, so that a classifier can take it as a parameter :cite:`baldi2016parameterized`; low- and
high-level features as in :cite:`baldi2014exotic`.
"""

import numpy as np

from hepml_labs.datasets.packing import dequantize, quantize
from hepml_labs.validation import check_array, check_between, check_count

CHUNK = 5000
WINDOW = (100.0, 180.0)  # GeV
CRACK = (1.44, 1.57)  # between the barrel and the endcaps of the calorimeter
JETS = 3

RESOLUTION = {
    "stochastic": 0.028,  # GeV^(1/2)
    "noise": 0.12,  # GeV
    "barrel": 0.009,
    "outer barrel": 0.015,  # above abs(eta) of 1: more material in front
    "endcap": 0.025,
    "spread": 0.3,  # of ln(resolution) from photon to photon: conversions, cracks between modules
    "jet": (0.7, 0.04),  # sigma(pT) / pT: GeV^(1/2) / pT^(1/2), in quadrature with the second
}
"""The detector in numbers: CMS's :cite:`cms2013ecal`, rounded."""

PROCESSES = ("q q to gamma gamma", "g g to gamma gamma", "g g to H", "weak-boson fusion", "W H or Z H", "t t H")
"""Meaning of the column ``process``."""

LOW_LEVEL = {
    "photons": "(n, 2, 4), GeV: E, px, py, pz of the photons, higher pT first",
    "resolution": "(n, 2): sigma_E / E of each photon as estimated",
    "isolation": "(n, 2), GeV: scalar sum of pT of visible particles within 0.3 of each photon",
    "jets": "(n, 3, 4), GeV: E, px, py, pz of up to three jets, higher pT first, zeros for none",
}
HIGH_LEVEL = {
    "m_gg": "GeV: mass of the photon pair",
    "sigma_m": "estimated relative resolution of m_gg",
    "pt_gg": "pT of the pair over m_gg",
    "pt_1": "pT of the first photon over m_gg",
    "pt_2": "pT of the second photon over m_gg",
    "eta_1": "pseudorapidity of the first photon",
    "eta_2": "pseudorapidity of the second photon",
    "cos_theta_star": "abs(cos) of the decay angle in the Collins-Soper frame",
    "delta_phi": "radians: between the photons, 0 to pi",
    "delta_eta": "abs(difference of pseudorapidities) of the photons",
    "n_jets": "number of jets, at most 3",
    "pt_j1": "GeV: pT of the first jet, 0 for none",
    "pt_j2": "GeV: pT of the second jet, 0 for none",
    "m_jj": "GeV: mass of the first two jets, 0 for fewer",
    "delta_eta_jj": "abs(difference of pseudorapidities) of the first two jets, 0 for fewer",
    "zeppenfeld": "abs(eta of the pair less mean eta of the first two jets), 0 for fewer",
    "delta_phi_ggjj": "radians: between the pair and the first two jets together, 0 for fewer",
}
TRUTH = {
    "higgs_mass": "GeV: mass of the Higgs boson; for background, a hypothesis drawn from the same list",
    "process": "int8: 0 q q, 1 g g to two photons; 2 gluon fusion, 3 weak-boson fusion, 4 W H or Z H, 5 t t H",
    "signal": "int8: 1 for Higgs bosons, 0 for the continuum",
}
COLUMNS = {**LOW_LEVEL, **HIGH_LEVEL, **TRUTH}
"""Column name: shape if not (n,), type if not float32, unit and meaning."""

_COMMON = (
    *("Beams:eCM = 13000.", "PartonLevel:MPI = off"),
    # emissions up to the kinematic limit, half of them dropped at the factorisation scale: the mass for the signal
    *("SpaceShower:pTmaxMatch = 2", "SpaceShower:pTdampMatch = 1", "SpaceShower:MEcorrections = off"),
)
_SIGNAL = (*_COMMON, "HiggsSM:all = on", "25:onMode = off", "25:onIfMatch = 22 22")
_BACKGROUND = (
    *_COMMON,
    "PromptPhoton:ffbar2gammagamma = on",
    "PromptPhoton:gg2gammagamma = on",
    # wider than the selection by far more than the detector moves events
    *("PhaseSpace:mHatMin = 90.", "PhaseSpace:mHatMax = 200.", "PhaseSpace:pTHatMin = 15."),
    "SpaceShower:pTdampFudge = 2.",  # twice the scale, a photon's pT: the mass again
)
_PT_STEP, _ETA_STEP, _PHI_STEP = 1.2e-4, 2e-4, 2 * np.pi / 32768  # photons: 0.01 GeV in m_gg
_JET_STEP, _MASS_STEP = 1e-3, 0.1


def generate(n, seed, *, masses=(125.0,), signal=0.5):
    """Make diphoton events.

    Parameters
    ----------
    n : int
        Number of events.
    seed : int or numpy.random.Generator
        With an integer, the events of a smaller set open the larger one.
    masses : sequence of float
        Of the Higgs boson, in GeV, between the ends of the window; a mass that stands twice is drawn twice as often.
    signal : float
        Share of Higgs bosons.

    Returns
    -------
    dict of arrays, first dimension n
        float32 and int8; the columns of `COLUMNS`.

    Raises
    ------
    ValueError
        If n < 1, `masses` is empty or outside the window, or `signal` is not between 0 and 1.

    Examples
    --------
    >>> events = generate(5, seed=1, signal=0.0)
    >>> events["photons"].shape, events["jets"].shape, events["higgs_mass"].tolist()
    ((5, 2, 4), (5, 3, 4), [125.0, 125.0, 125.0, 125.0, 125.0])
    """
    # imported here, so that a bundled file can be read without Pythia
    from hepml_labs.datasets.pythia import events, mixture

    check_count("n", n)
    check_between("signal", signal, 0, 1, include_low=True, include_high=True)
    if len(masses) == 0:
        raise ValueError("masses: found none, expected at least one")
    for value in masses:
        check_between("masses", value, *WINDOW)

    def stream(settings, mass):
        def rows(random):
            for batch in events(settings, random, batch=400):
                columns = _reconstruct(batch.prt, random)
                drawn = random.choice(masses, size=len(columns["process"]))
                columns["higgs_mass"] = np.full_like(drawn, mass) if mass else drawn
                yield columns

        return rows

    sources = {0: (1 - signal, stream(_BACKGROUND, None))}
    for number, value in enumerate(dict.fromkeys(masses), start=1):
        share = signal * list(masses).count(value) / len(masses)
        sources[number] = (share, stream((*_SIGNAL, f"25:m0 = {value}"), value))
    labels, columns = mixture(n, seed, sources)
    columns["signal"] = labels > 0
    columns |= high_level(columns["photons"], columns["resolution"], columns["jets"])
    return {name: columns[name].astype(np.int8 if name in ("process", "signal") else np.float32) for name in COLUMNS}


def high_level(photons, resolution, jets):
    """Compute the high-level features from the low-level ones.

    Parameters
    ----------
    photons : array, (n, 2, 4)
        (E, px, py, pz) in GeV.
    resolution : array, (n, 2)
        sigma_E / E.
    jets : array, (n, m, 4)
        With m of at least 2; zeros for no jet.

    Returns
    -------
    dict of float64 arrays, (n,)
        The columns of `HIGH_LEVEL`.

    Raises
    ------
    ValueError
        Naming the argument whose shape is another.

    Notes
    -----
    The classifier of CMS :cite:`cms2014diphoton` takes the transverse momenta relative to the mass, so that it cannot
    learn the mass from them. The decay angle in the Collins-Soper frame has a closed form for massless photons.

    Examples
    --------
    >>> photons = np.array([[[65.0, 65.0, 0.0, 0.0], [65.0, -65.0, 0.0, 0.0]]])
    >>> features = high_level(photons, np.array([[0.01, 0.01]]), np.zeros((1, 3, 4)))
    >>> features["m_gg"], features["sigma_m"].round(5)
    (array([130.]), array([0.00707]))
    """
    for name, value, shape in (
        ("photons", photons, ("n", 2, 4)),
        ("resolution", resolution, (len(photons), 2)),
        ("jets", jets, (len(photons), "m", 4)),
    ):
        check_array(name, value, shape)
    photons, jets = np.asarray(photons, dtype=np.float64), np.asarray(jets, dtype=np.float64)
    pt, eta, phi = _cylindrical(photons)
    # E1 E2 (1 - cos) in a form without cancellation
    m_gg = np.sqrt(2 * pt[:, 0] * pt[:, 1] * (np.cosh(eta[:, 0] - eta[:, 1]) - np.cos(phi[:, 0] - phi[:, 1])))
    pair = photons.sum(1)
    pair_pt = np.hypot(pair[:, 1], pair[:, 2])
    jet_pt, jet_eta, _ = _cylindrical(jets)
    two = jets[:, 1, 0] > 0
    dijet = jets[:, :2].sum(1)
    m_jj = np.sqrt(np.maximum(dijet[:, 0] ** 2 - (dijet[:, 1:] ** 2).sum(1), 0.0))
    decay = np.abs(np.sinh(eta[:, 0] - eta[:, 1])) * 2 * pt[:, 0] * pt[:, 1] / m_gg**2 / np.hypot(1, pair_pt / m_gg)
    return {
        "m_gg": m_gg,
        "sigma_m": np.hypot(resolution[:, 0], resolution[:, 1]) / 2,
        "pt_gg": pair_pt / m_gg,
        "pt_1": pt[:, 0] / m_gg,
        "pt_2": pt[:, 1] / m_gg,
        "eta_1": eta[:, 0],
        "eta_2": eta[:, 1],
        "cos_theta_star": decay,
        "delta_phi": _angle(phi[:, 0] - phi[:, 1]),
        "delta_eta": np.abs(eta[:, 0] - eta[:, 1]),
        "n_jets": (jets[..., 0] > 0).sum(1).astype(np.float64),
        "pt_j1": jet_pt[:, 0],
        "pt_j2": jet_pt[:, 1],
        "m_jj": m_jj * two,
        "delta_eta_jj": np.abs(jet_eta[:, 0] - jet_eta[:, 1]) * two,
        "zeppenfeld": np.abs(_cylindrical(pair)[1] - jet_eta[:, :2].mean(1)) * two,
        "delta_phi_ggjj": _angle(_cylindrical(pair)[2] - _cylindrical(dijet)[2]) * two,
    }


def pack(columns):
    """Store the low-level features and the truth; the rest follows from them.

    Parameters
    ----------
    columns : dict of arrays
        Of `LOW_LEVEL` and `TRUTH`; others are not looked at.

    Returns
    -------
    dict of arrays
        Transverse momenta in logarithmic steps of 1.2e-4 (photons) and 1e-3 (jets), eta in steps of 2e-4 and 1e-3,
        phi in 32768 steps, jet masses in 0.1 GeV, resolutions in 2e-5, isolation in 0.05 GeV.
    """
    stored = {}
    for name, pt_step, eta_step in (("photons", _PT_STEP, _ETA_STEP), ("jets", _JET_STEP, _JET_STEP)):
        momenta = np.asarray(columns[name], dtype=np.float64)
        pt, eta, phi = _cylindrical(momenta)
        # steps above 1 GeV, counted from 1: zero means none
        steps = np.where(pt > 0, np.log(np.where(pt > 0, pt, 1.0)) + pt_step, 0.0)
        stored[f"{name}_pt"] = quantize(steps, pt_step, np.uint16)
        stored[f"{name}_eta"] = quantize(eta, eta_step)
        stored[f"{name}_phi"] = (np.rint(phi / _PHI_STEP).astype(int) % 32768).astype(np.uint16)
    mass_squared = momenta[..., 0] ** 2 - (momenta[..., 1:] ** 2).sum(-1)
    stored["jets_mass"] = quantize(np.sqrt(np.maximum(mass_squared, 0.0)), _MASS_STEP, np.uint16)
    stored["resolution"] = quantize(columns["resolution"], 2e-5, np.uint16)
    stored["isolation"] = quantize(columns["isolation"], 0.05, np.uint16)
    stored["higgs_mass"] = quantize(columns["higgs_mass"], 0.01, np.uint16)
    return {**stored, "process": columns["process"], "signal": columns["signal"]}


def unpack(stored):
    """Give the columns back; high-level features are computed from the low-level ones.

    Parameters
    ----------
    stored : dict of arrays

    Returns
    -------
    dict of arrays
        float32 and int8.
    """
    columns = {"resolution": stored["resolution"] * 2e-5, "isolation": stored["isolation"] * 0.05}
    for name, pt_step, eta_step in (("photons", _PT_STEP, _ETA_STEP), ("jets", _JET_STEP, _JET_STEP)):
        steps = stored[f"{name}_pt"]
        pt = np.where(steps > 0, np.exp((steps - 1.0) * pt_step), 0.0)
        eta, phi = dequantize(stored[f"{name}_eta"], eta_step, np.float64), stored[f"{name}_phi"] * _PHI_STEP
        three = np.stack([pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)], axis=-1)
        jet_mass = stored["jets_mass"] * _MASS_STEP if name == "jets" else 0.0
        energy = np.sqrt((three**2).sum(-1) + jet_mass**2)
        columns[name] = np.concatenate([energy[..., None], three], axis=-1)
    columns |= high_level(columns["photons"], columns["resolution"], columns["jets"])
    columns |= {"higgs_mass": stored["higgs_mass"] * 0.01, "process": stored["process"], "signal": stored["signal"]}
    return {name: columns[name].astype(np.int8 if name in ("process", "signal") else np.float32) for name in COLUMNS}


def _cylindrical(momenta):
    """Transverse momentum, pseudorapidity and azimuth; zeros where there is no particle."""
    pt = np.hypot(momenta[..., 1], momenta[..., 2])
    eta = np.arcsinh(momenta[..., 3] / np.where(pt > 0, pt, 1.0))
    return pt, eta, np.arctan2(momenta[..., 2], momenta[..., 1])


def _angle(difference):
    """Size of an angle brought to 0 to pi."""
    return np.abs((difference + np.pi) % (2 * np.pi) - np.pi)


def _reconstruct(prt, random):
    """Low-level columns of the events that pass the selection."""
    import awkward as ak

    from hepml_labs.datasets.pythia import momentum_records
    from hepml_labs.physics.jets import cluster, pad

    hard = (prt.id == 22) & (prt.status > 0) & (np.hypot(prt.p.px, prt.p.py) > 20)
    prt = prt[ak.sum(hard, axis=1) > 1]
    process = _process(prt)
    code = abs(prt.id)
    seen = prt[(prt.status > 0) & (code != 12) & (code != 14) & (code != 16)]
    particles = momentum_records(seen)
    particles["pt"], particles["phi"] = np.hypot(seen.p.px, seen.p.py), np.arctan2(seen.p.py, seen.p.px)
    particles["eta"] = np.arcsinh(particles.pz / particles.pt)
    particles = particles[abs(particles.eta) < 5]
    in_crack = (abs(particles.eta) > CRACK[0]) & (abs(particles.eta) < CRACK[1])
    photons = particles[(particles.id == 22) & (particles.pt > 20) & (abs(particles.eta) < 2.5) & ~in_crack]
    pairs = ak.cartesian({"photon": photons, "other": particles}, nested=True)
    distance = np.hypot(pairs.photon.eta - pairs.other.eta, _angle(pairs.photon.phi - pairs.other.phi))
    isolation = ak.sum(pairs.other.pt * (distance < 0.3), axis=2) - photons.pt
    photons["isolation"] = ak.where(isolation > 0, isolation, 0.0)
    photons = photons[photons.isolation < 0.1 * photons.pt]

    enough = ak.to_numpy(ak.num(photons) >= 2)
    photons, particles, process = photons[enough], particles[enough], process[enough]
    photons = photons[ak.argsort(photons.pt, ascending=False)][:, :2]
    momenta = pad(photons, 2)
    true_eta, isolation = ak.to_numpy(photons.eta), ak.to_numpy(photons.isolation)
    resolution = _photon_resolution(momenta[..., 0], true_eta, random)
    momenta = momenta * np.maximum(1 + resolution * random.normal(size=resolution.shape), 0.1)[..., None]
    order = np.argsort(-np.hypot(momenta[..., 1], momenta[..., 2]), axis=1)
    momenta = np.take_along_axis(momenta, order[..., None], 1)
    resolution, isolation = (np.take_along_axis(values, order, 1) for values in (resolution, isolation))

    features = high_level(momenta, resolution, np.zeros((len(momenta), 2, 4)))
    kept = (features["pt_1"] > 1 / 3) & (features["pt_2"] > 1 / 4)
    kept &= (WINDOW[0] < features["m_gg"]) & (features["m_gg"] < WINDOW[1])
    momenta, particles = momenta[kept], particles[kept]
    _, eta, phi = _cylindrical(momenta)
    for k in range(2):  # smearing has left the directions as they were
        particles = particles[np.hypot(particles.eta - eta[:, k], _angle(particles.phi - phi[:, k])) > 1e-6]
    jets, _ = cluster(particles, radius=0.4, minimum_pt=15.0)
    return {
        "photons": momenta,
        "resolution": resolution[kept],
        "isolation": isolation[kept],
        "jets": _jets(jets, eta, phi, random, pad),
        "process": process[kept],
    }


def _process(prt):
    """Number of `PROCESSES` of each event."""
    import awkward as ak

    hard = abs(prt.id[(prt.status == -22) | (prt.status == -23)])
    gluons = ak.to_numpy(ak.all(prt.id[prt.status == -21] == 21, axis=1))
    higgs, top = (ak.to_numpy(ak.any(hard == code, axis=1)) for code in (25, 6))
    boson, quark = ak.to_numpy(ak.any((hard == 23) | (hard == 24), axis=1)), ak.to_numpy(ak.any(hard < 6, axis=1))
    return np.select([~higgs & ~gluons, ~higgs, top, boson, quark], [0, 1, 5, 4, 3], 2)


def _photon_resolution(energy, eta, random):
    """Relative energy resolution of photons, different from photon to photon."""
    constant = np.select(
        [np.abs(eta) < 1, np.abs(eta) < CRACK[1]],
        [RESOLUTION["barrel"], RESOLUTION["outer barrel"]],
        RESOLUTION["endcap"],
    )
    noise, stochastic = RESOLUTION["noise"] / energy, RESOLUTION["stochastic"] / np.sqrt(energy)
    typical = np.sqrt(constant**2 + noise**2 + stochastic**2)
    return typical * np.exp(RESOLUTION["spread"] * random.normal(size=energy.shape))


def _jets(jets, eta, phi, random, pad):
    """Smear jets, keep those above 30 GeV away from the photons, as (n, 3, 4)."""
    import awkward as ak

    pt = np.hypot(jets.px, jets.py)
    jet_eta, jet_phi = np.arcsinh(jets.pz / pt), np.arctan2(jets.py, jets.px)
    slope, constant = RESOLUTION["jet"]
    error = ak.unflatten(random.normal(size=ak.count(pt)), ak.num(pt))
    factor = 1 + error * np.hypot(slope / np.sqrt(pt), constant)
    kept = (pt * factor > 30) & (abs(jet_eta) < 4.7)
    for k in range(2):
        kept = kept & (np.hypot(jet_eta - eta[:, k], _angle(jet_phi - phi[:, k])) > 0.4)
    smeared = ak.zip({name: jets[name] * factor for name in ("px", "py", "pz", "E")})
    return pad(smeared[kept], JETS)
