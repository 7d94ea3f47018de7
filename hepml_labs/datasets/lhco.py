"""Dijets in the manner of the LHC Olympics: QCD jets above 1.2 TeV, and a resonance that decays into two of them.

The recipe follows the research-and-development set of the challenge :cite:`kasieczka2021lhco`: proton collisions at
13 TeV in Pythia without multiple parton interactions and pile-up, a fast detector, anti-kT jets of R = 1.0 from its
energy flow, and a trigger that asks for one jet of pT > 1.2 TeV and abs(eta) < 2.5. Background: all hard QCD processes.
Signal: a W' of 3.5 TeV that decays to X and Y of 500 and 100 GeV, each of which decays to two quarks inside one jet.
What X and Y are is left open there; here they are what a W' decays to, vector bosons with longitudinal polarisation
(the W and the Z of Pythia's W' with other masses). Kept are the two jets of highest pT.
"""

import numpy as np

from hepml_labs.datasets.packing import dequantize, pack_constituents, quantize, unpack_constituents
from hepml_labs.physics.kinematics import eta, mass, phi, pt
from hepml_labs.validation import check_array, check_between, check_count

CHUNK = 1500  # 15 to 25 s, one of them for the start of Pythia

COLUMNS = {
    "jets": "(n, 2, 4), GeV: E, px, py, pz of the two leading jets, highest pT first",
    "tau": "(n, 2, 3): N-subjettiness tau_1, tau_2, tau_3 of each jet, beta = 1, R_0 = 1",
    "mjj": "(n,), GeV: invariant mass of the two jets",
    "signal": "(n,): 1 for W' to X Y, 0 for QCD",
    "constituents": "(n, 2, N, 4), GeV: E, px, py, pz of each jet's leading constituents by pT, zero-padded",
}
"""Column name: shape, unit and meaning; `constituents` only where the setting asks for N > 0."""

FEATURES = ("mjj", "mass_light", "mass_difference", "tau21_light", "tau21_heavy")
"""Columns of `features`: GeV and GeV and GeV, and two ratios."""

RADIUS = 1.0
TRIGGER_PT, TRIGGER_ETA = 1200.0, 2.5  # of the leading jet; GeV

#: Delphes' card for CMS in the version of the challenge, 3.4.1 (delphes_card_CMS.tcl), where its numbers are not those
#: of the ATLAS card. An electromagnetic tower is one crystal wide, so that Y, whose quarks are 2 m / pT = 0.12 apart,
#: stays two-pronged. The crystals' resolution grows with eta, here in steps.
DETECTOR = {
    "electromagnetic_step": (0.0174, np.pi / 180),
    "hadronic_step": (0.087, np.pi / 36),
    "electromagnetic_eta": (0.5, 1.0, 1.5, 2.5, 4.9),
    "electromagnetic_resolution": (
        *((0.008 * factor, 0.11 * factor, 0.40 * factor) for factor in (1.05, 1.37, 2.0, 2.6)),
        (0.107, 2.08, 0.0),
    ),
    "hadronic_eta": (3.0, 4.9),
    "hadronic_resolution": ((0.050, 1.50, 0.0), (0.130, 2.70, 0.0)),
}

PROTONS = ("Beams:eCM = 13000.", "PartonLevel:MPI = off")

# Steps of stored numbers. Rounding moves mjj by 0.004 % (its resolution is 3 %) and a jet's mass by at most 0.025 GeV.
PT_STEP, SOFTEST_JET = 1e-4, 10.0  # of ln(pT / 10 GeV), up to 7 TeV
ANGLE_STEP = 2e-4  # of eta and phi
MASS_STEP = 0.05  # GeV, up to 3.3 TeV
TAU_STEP = 2e-5  # of the square root, up to 1.7: a tau of 0.01 to 2 parts in 10,000


def columns(constituents=0, **_):
    """Describe the columns of `generate` with the same settings: shape, unit and meaning (dict of str to str)."""
    return {name: text for name, text in COLUMNS.items() if constituents or name != "constituents"}


def generate(
    n,
    seed,
    *,
    signal_share=0.06,
    resonance_mass=3500.0,
    daughter_masses=(500.0, 100.0),
    mass_range=None,
    minimum_pt_hat=1000.0,
    constituents=0,
):
    """Make dijet events of background and signal.

    Parameters
    ----------
    n : int
        Number of events.
    seed : int or numpy.random.Generator
        With an integer, the events of a smaller set open the larger one.
    signal_share : float
        Probability of each event to be signal.
    resonance_mass : float
        Mass of the W', GeV.
    daughter_masses : (float, float)
        Masses of X and Y, GeV. All three have widths of 1 %; W' and daughters are cut off 15 and 10 % away.
    mass_range : (float, float), optional
        Bounds of mjj, GeV; by default there are none.
    minimum_pt_hat : float
        Smallest transverse momentum of the hard QCD process, GeV. Lower values take longer and lose less: see Notes.
    constituents : int
        Leading constituents of each jet in the column of this name; 0 leaves it out.

    Returns
    -------
    dict of arrays
        The columns of `COLUMNS`, in float32 (`signal` in int8).

    Raises
    ------
    ValueError
        Naming the argument that is out of range, also where so light a resonance could not pass the trigger.

    Notes
    -----
    Where the hard process has less than 1000 GeV, initial-state radiation can still lift a jet above the trigger: the
    default loses 16 % of the background that 500 GeV would give, 22 % between mjj = 2.3 and 2.7 TeV, but 7 % in the
    window 3.3 to 3.7 TeV (900 GeV: 9, 13 and 0 to 2 %).

    Examples
    --------
    >>> events = generate(4, seed=1, signal_share=1.0)
    >>> events["jets"].shape, events["tau"].shape, events["signal"].tolist()
    ((4, 2, 4), (4, 2, 3), [1, 1, 1, 1])
    """
    from hepml_labs.datasets.pythia import mixture  # the extra `generate` is needed here, not for reading files

    check_count("constituents", constituents, minimum=0)
    check_between("signal_share", signal_share, 0, 1, include_low=True, include_high=True)
    check_between("minimum_pt_hat", minimum_pt_hat, 100, 2000, include_low=True, include_high=True)
    low, high = mass_range or (0.0, 13_000.0)
    if not (0 <= low < high and low < 8000 and high > 2000):  # beyond these there is next to nothing above the trigger
        raise ValueError(f"mass_range: found {mass_range}, expected two masses in GeV in order, around 2000 to 8000")
    if signal_share and not low < resonance_mass < high:
        raise ValueError(f"resonance_mass: found {resonance_mass:g} GeV, expected one inside mass_range {mass_range}")
    sources = {
        0: (1 - signal_share, (*PROTONS, "HardQCD:all = on", f"PhaseSpace:pTHatMin = {minimum_pt_hat}")),
        1: (signal_share, signal_settings(resonance_mass, daughter_masses)),
    }
    labels, columns = mixture(
        n,
        seed,
        {
            label: (share, lambda random, settings=settings: _dijets(settings, random, low, high, constituents))
            for label, (share, settings) in sources.items()
            if share > 0
        },
    )
    columns["signal"] = labels
    return {name: columns[name] for name in COLUMNS if name in columns}


def signal_settings(resonance_mass, daughter_masses):
    """Pythia's settings of W' to X Y, each to two quarks.

    Parameters
    ----------
    resonance_mass : float
        Mass of the W', GeV.
    daughter_masses : (float, float)
        Masses of X (Pythia's W, to u d and c s) and Y (its Z, to light quarks), GeV.

    Returns
    -------
    tuple of str

    Raises
    ------
    ValueError
        Naming the argument.

    Notes
    -----
    Daughters much lighter than the W' come out longitudinally polarised (but for a share of about 8 m^2 / m_W'^2: 14 %
    of X), so that their decay angle follows sin^2 theta*: two quarks of similar momentum, in one jet. Daughters that
    decay isotropically more often lose a quark from the jet. This and the crystals decide how well the four
    features but mjj separate signal from background in the window 3.3 to 3.7 TeV: boosted trees reach an area under
    the curve of 0.98 here, 0.95 with isotropic decays, 0.95 with electromagnetic towers of 0.1 x 10 degrees, 0.91
    with both; 0.98 without a detector. Multiple parton interactions would take 0.004 away.

    Examples
    --------
    >>> [line for line in signal_settings(3500.0, (500.0, 100.0)) if "m0" in line]
    ['34:m0 = 3500.0', '24:m0 = 500.0', '23:m0 = 100.0']
    """
    check_between("resonance_mass", resonance_mass, 0, 10_000, include_high=True)
    try:
        x, y = daughter_masses
    except (TypeError, ValueError):
        raise ValueError(f"daughter_masses: found {daughter_masses!r}, expected two masses in GeV") from None
    for daughter in (x, y):
        check_between("daughter_masses", daughter, 20, resonance_mass / 3, include_low=True)
    m2 = resonance_mass**2  # momentum of X and Y at rest: a two-body decay
    momentum = np.sqrt((m2 - (x + y) ** 2) * (m2 - (x - y) ** 2)) / (2 * resonance_mass)
    if momentum < 1.05 * TRIGGER_PT:
        raise ValueError(
            f"resonance_mass: found {resonance_mass:g} GeV, which gives jets of at most {momentum:.0f} GeV, "
            f"expected well above the trigger's {TRIGGER_PT:g} GeV"
        )
    settings = [*PROTONS, "NewGaugeBoson:ffbar2Wprime = on", "Wprime:coup2WZ = 1."]
    for code, size, cut in ((34, resonance_mass, 0.15), (24, x, 0.1), (23, y, 0.1)):
        settings += [
            f"{code}:m0 = {size}",
            f"{code}:mWidth = {0.01 * size}",
            f"{code}:doForceWidth = on",
            f"{code}:mMin = {(1 - cut) * size}",
            f"{code}:mMax = {(1 + cut) * size}",
            f"{code}:onMode = off",
        ]
    return (*settings, "34:onIfMatch = 24 23", "24:onIfMatch = 1 2", "24:onIfMatch = 3 4", "23:onIfAny = 1 2 3 4")


def features(data):
    """The five columns of anomaly searches on this set, as CATHODE takes them.

    Parameters
    ----------
    data : mapping with `jets` and `tau`
        From `generate` or `hepml_labs.datasets.load`, whatever its source.

    Returns
    -------
    array of float32, (n, 5)
        mjj (GeV); mass of the lighter of the two jets (GeV); how much heavier the other is (GeV); tau_2 / tau_1 of
        the lighter and of the heavier jet (0 where tau_1 = 0).

    Raises
    ------
    ValueError
        If a column is missing or has another shape.

    Notes
    -----
    The features of CATHODE :cite:`hallin2022cathode`, which takes masses in TeV.

    Examples
    --------
    >>> light, heavy = [1000.0, 960.0, 0.0, 0.0], [1000.0, -600.0, 0.0, 0.0]
    >>> tau = np.array([[[0.4, 0.1, 0.0], [0.2, 0.1, 0.0]]])
    >>> features({"jets": np.array([[heavy, light]]), "tau": tau}).round(2).tolist()
    [[1967.3299560546875, 280.0, 520.0, 0.5, 0.25]]
    """
    for name in ("jets", "tau"):
        if name not in data:
            raise ValueError(f"data: column {name!r} is missing")
    jets, tau = np.asarray(data["jets"], dtype=np.float64), np.asarray(data["tau"], dtype=np.float64)
    check_array("jets", jets, ("n", 2, 4))
    check_array("tau", tau, (len(jets), 2, 3))
    masses = mass(jets)
    order = np.argsort(masses, axis=1, kind="stable")
    light, heavy = np.take_along_axis(masses, order, axis=1).T
    ratio = np.divide(tau[..., 1], tau[..., 0], out=np.zeros_like(masses), where=tau[..., 0] > 0)
    ratio = np.take_along_axis(ratio, order, axis=1)
    return np.column_stack([mass(jets.sum(axis=1)), light, heavy - light, ratio]).astype(np.float32)


def pack(columns):
    """Store jets as pT, eta, phi and mass, N-subjettiness as its root, constituents relative to their jet: in 16 bits.

    Parameters
    ----------
    columns : mapping
        As returned by `generate`.

    Returns
    -------
    dict of arrays
        mjj is not stored: it follows from the jets.

    Raises
    ------
    ValueError
        If a number does not fit into 16 bits.

    Examples
    --------
    >>> columns = {
    ...     "jets": np.array([[[1500.0, 1490.0, 0, 0], [1500.0, -1490.0, 0, 0]]], dtype=np.float32),
    ...     "tau": np.full((1, 2, 3), 0.1, dtype=np.float32),
    ...     "signal": np.ones(1, dtype=np.int8),
    ... }
    >>> unpack(pack(columns))["mjj"].round(-1)
    array([3000.], dtype=float32)
    """
    jets = np.asarray(columns["jets"], dtype=np.float64)
    stored = {
        "jet_pt": quantize(np.log(pt(jets) / SOFTEST_JET), PT_STEP, np.uint16),
        "jet_eta": quantize(eta(jets), ANGLE_STEP),
        "jet_phi": quantize(phi(jets), ANGLE_STEP),
        "jet_mass": quantize(mass(jets), MASS_STEP, np.uint16),
        "tau_root": quantize(np.sqrt(columns["tau"]), TAU_STEP, np.uint16),
        "signal": np.asarray(columns["signal"], dtype=np.int8),
    }
    if "constituents" in columns:
        momenta = columns["constituents"]
        packed = pack_constituents(momenta.reshape(-1, *momenta.shape[2:]), _jets(stored).reshape(-1, 4))
        stored |= {f"constituent_{name}": steps.reshape(momenta.shape[:3]) for name, steps in packed.items()}
    return stored


def unpack(stored):
    """Columns of `generate` from their compact form.

    Parameters
    ----------
    stored : mapping
        As returned by `pack`.

    Returns
    -------
    dict of arrays
        In float32 (`signal` in int8).
    """
    jets = _jets(stored)
    columns = {
        "jets": jets.astype(np.float32),
        "tau": dequantize(stored["tau_root"], TAU_STEP) ** 2,
        "mjj": mass(jets.sum(axis=1)).astype(np.float32),
        "signal": np.asarray(stored["signal"], dtype=np.int8),
    }
    if "constituent_pt" in stored:
        shape = stored["constituent_pt"].shape
        packed = {name: stored[f"constituent_{name}"].reshape(-1, shape[2]) for name in ("pt", "eta", "phi")}
        columns["constituents"] = unpack_constituents(packed, jets.reshape(-1, 4)).reshape(*shape, 4)
    return columns


def _jets(stored):
    """Four-momenta (n, 2, 4) in float64 from stored pT, eta, phi and mass."""
    transverse = SOFTEST_JET * np.exp(dequantize(stored["jet_pt"], PT_STEP, np.float64))
    rapidity = dequantize(stored["jet_eta"], ANGLE_STEP, np.float64)
    azimuth = dequantize(stored["jet_phi"], ANGLE_STEP, np.float64)
    energy = np.hypot(transverse * np.cosh(rapidity), dequantize(stored["jet_mass"], MASS_STEP, np.float64))
    x, y = transverse * np.cos(azimuth), transverse * np.sin(azimuth)
    return np.stack([energy, x, y, transverse * np.sinh(rapidity)], axis=-1)


def _dijets(settings, random, low, high, constituents):
    """Columns of the events that pass the trigger, batch by batch."""
    from hepml_labs.datasets.pythia import events
    from hepml_labs.physics.detector import EnergyFlow

    generation, detection = random.spawn(2)
    detector = EnergyFlow(**DETECTOR)
    for batch in events(settings, generation):
        columns = _reconstruct(batch, detection, detector, constituents)
        inside = (columns["mjj"] > low) & (columns["mjj"] < high)
        yield {name: values[inside] for name, values in columns.items()}


def _reconstruct(batch, random, detector, constituents):
    import awkward as ak

    from hepml_labs.datasets.pythia import momentum_records
    from hepml_labs.physics.detector import energy_flow
    from hepml_labs.physics.jets import cluster, n_subjettiness, pad, to_array

    particles = momentum_records(batch.prt[batch.prt.status > 0])
    jets, members = cluster(energy_flow(particles, random, detector), RADIUS, SOFTEST_JET)
    two = ak.num(jets) >= 2
    jets, members = to_array(jets[two][:, :2]), members[two][:, :2]
    leading = jets[:, 0]
    passed = (pt(leading) > TRIGGER_PT) & (np.abs(eta(leading)) < TRIGGER_ETA)
    jets, members = jets[passed], ak.flatten(members[passed])
    columns = {
        "jets": jets.astype(np.float32),
        "tau": np.zeros((len(jets), 2, 3), dtype=np.float32),
        "mjj": mass(jets.sum(axis=1)).astype(np.float32),
    }
    if len(jets):
        columns["tau"][:] = n_subjettiness(members, (1, 2, 3), RADIUS, beta=1.0).reshape(-1, 2, 3)
    if constituents:
        columns["constituents"] = pad(members, constituents).astype(np.float32).reshape(-1, 2, constituents, 4)
    return columns
