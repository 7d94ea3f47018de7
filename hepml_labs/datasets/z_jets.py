"""Z + jets events for generative models: a sharp mass peak, hard edges, and a number of jets that varies.

Proton-proton collisions at 13 TeV, q qbar -> Z/gamma* -> mu- mu+ with 76 < m < 106 GeV. All jets come from Pythia 8's
initial-state shower, of which the first emission is corrected to the matrix element; hadronisation is on, multiple
parton interactions and photon emission off the muons are off, so that the muons give back the boson. There is no
detector. Final-state particles but neutrinos and these two muons are clustered into anti-kT jets of R = 0.4. Kept are
jets with pT > 20 GeV and pseudorapidity within 5, and events with both muons within 5, at least one jet, and
Delta R > 0.4 between any two jets.
"""

import awkward as ak
import numpy as np

from hepml_labs.datasets.packing import dequantize, quantize
from hepml_labs.datasets.pythia import events, momentum_records, take
from hepml_labs.physics.jets import cluster, pad, to_array
from hepml_labs.physics.kinematics import delta_r, eta, mass, phi, pt
from hepml_labs.validation import check_array, check_between, check_count

CHUNK = 2500
BATCH = 500  # events at a time: fixed, so that fewer rows are the first of more
JETS = 8  # columns; the bundled samples have no event that needs more
MINIMUM_PT = 20.0  # GeV
MAXIMUM_ETA = 5.0
RADIUS = MINIMUM_DELTA_R = 0.4
MASS_RANGE = 76.0, 106.0  # GeV
MUON_MASS = 0.10566  # GeV
MARGIN = 1e-5  # above the edges, so that they also hold for a reader in single precision
STEP = 2e-4  # of ln pT, eta and phi: moves the Z mass by 6 MeV, 1/400 of its width
MASS_STEP = 1e-3  # of ln(1 + m / MASS_UNIT), for jets
MASS_UNIT = 0.1  # GeV
SOFTEST = 0.02  # GeV: smallest pT of a muon that the steps reach
SETTINGS = (
    "Beams:eCM = 13000",
    "WeakSingleBoson:ffbar2gmZ = on",
    "23:onMode = off",
    "23:onIfAny = 13",
    f"PhaseSpace:mHatMin = {MASS_RANGE[0]}",
    f"PhaseSpace:mHatMax = {MASS_RANGE[1]}",
    "PartonLevel:MPI = off",
    "TimeShower:QEDshowerByL = off",
)
VARIATIONS = {
    "nominal": (),
    "alternative": (
        "SpaceShower:dipoleRecoil = on",
        "SpaceShower:alphaSvalue = 0.11",
        "TimeShower:alphaSvalue = 0.11",
        "SpaceShower:pT0Ref = 4.0",
        "BeamRemnants:primordialKThard = 3.0",
        "PDF:pSet = 8",
    ),
}
"""Name: Pythia's settings beside `SETTINGS`, see `generate`."""
FIRST, SECOND = np.triu_indices(JETS, 1)

COLUMNS = {
    "muons": "(n, 2, 4), GeV: E, px, py, pz of mu- and mu+",
    "jets": f"(n, {JETS}, 4), GeV: E, px, py, pz in order of pT, then zeros",
    "number": f"(n,): number of jets, at most {JETS}",
}

FEATURES = (
    *("log_pt_z", "rapidity_z", "number", "log_ht"),
    *(f"{name}_{k}" for name in ("log_pt", "eta", "dphi") for k in (1, 2, 3)),
    *("dr_12", "dr_13", "dr_23"),
)
"""Columns of `features`; momenta in GeV, natural logarithms."""


def generate(n, seed, *, minimum_jets=1, variation="nominal"):
    """Generate Z + jets events.

    Parameters
    ----------
    n : int
        Number of events.
    seed : int or numpy.random.Generator
        With an integer, the events of a smaller set open the larger one.
    minimum_jets : int
        Events with fewer jets are dropped; 1 to 8.
    variation : {"nominal", "alternative"}
        Which simulation. The alternative one shares the process and the cuts; its initial-state shower recoils within
        dipoles, both showers have alpha_s(m_Z) = 0.11 (nominal: 0.1365), emission is damped below 4 GeV (2 GeV), the
        primordial transverse momentum is 3 GeV (1.8 GeV), and the parton densities are CTEQ6L1 (NNPDF2.3 at leading
        order).

    Returns
    -------
    dict of arrays
        ``muons`` float32 (n, 2, 4) and ``jets`` float32 (n, 8, 4) in GeV, ``number`` int8 (n,), all rounded as in a
        file (see `pack`) before the cuts, so that the edges are exact. A mass computed from single-precision momenta
        has an error of about 1e-7 E^2 / m.

    Raises
    ------
    ValueError
        Naming the argument that is out of range.

    Notes
    -----
    The process, the jets and their hard edge in Delta R follow :cite:`butter2023jetgpt`. Our second and further jets
    are the shower's, so they are softer than those of matrix elements.

    Examples
    --------
    >>> events = generate(3, seed=1)
    >>> events["jets"].shape, bool((events["number"] > 0).all())
    ((3, 8, 4), True)
    """
    check_between("minimum_jets", minimum_jets, 1, JETS, include_low=True, include_high=True)
    check_count("minimum_jets", minimum_jets)
    if variation not in VARIATIONS:
        raise ValueError(f"variation: found {variation!r}, expected one of {list(VARIATIONS)}")
    settings = (*SETTINGS, *VARIATIONS[variation])
    return take(n, _events(np.random.default_rng(seed), minimum_jets, settings))


def _events(random, minimum_jets, settings=SETTINGS):
    """Selected events, a batch of generated ones at a time."""
    for batch in events(settings, random, BATCH):
        final = batch.prt[batch.prt.status > 0]
        # 23 marks what leaves the hard process: there are also muons of hadrons and of photons that split
        muon = (abs(final.id) == 13) & (final.status == 23)
        neutrino = (abs(final.id) == 12) | (abs(final.id) == 14) | (abs(final.id) == 16)
        muons = final[muon]
        muons = to_array(momentum_records(ak.to_regular(muons[ak.argsort(muons.id, axis=1, ascending=False)], axis=1)))
        jets, _ = cluster(momentum_records(final[~muon & ~neutrino]), RADIUS, MINIMUM_PT * (1 + STEP))
        # a step inside the edges, so that none is rounded out of them
        jets = pad(jets[abs(np.arcsinh(jets.pz / np.hypot(jets.px, jets.py))) < MAXIMUM_ETA - STEP], JETS)
        kept = (abs(eta(muons)).max(axis=1) < MAXIMUM_ETA - STEP) & (pt(muons).min(axis=1) > SOFTEST * (1 + STEP))
        columns = unpack(pack({"muons": muons[kept], "jets": jets[kept]}))
        passed = _selected(columns) & (columns["number"] >= minimum_jets)
        yield {name: values[passed] for name, values in columns.items()}


def _selected(columns):
    """Cuts that rounding could undo, and Delta R: anti-kT leaves a few pairs of jets closer than its radius."""
    jets, dimuon = columns["jets"].astype(np.float64), mass(columns["muons"].astype(np.float64).sum(axis=1))
    with np.errstate(invalid="ignore"):
        close = delta_r(jets[:, FIRST], jets[:, SECOND]) < MINIMUM_DELTA_R + MARGIN
    low, high = MASS_RANGE
    return ~(close & (jets[:, SECOND, 0] > 0)).any(axis=1) & (dimuon > low + MARGIN) & (dimuon < high - MARGIN)


def features(data):
    """Variables of events for classifiers, of fixed length.

    Parameters
    ----------
    data : mapping with ``muons`` and ``jets``
        From `generate` or `hepml_labs.datasets.load`.

    Returns
    -------
    array of float32, (n, 16)
        The columns of `FEATURES`: ln pT and rapidity of the Z boson, number of jets, ln of the sum of all jets' pT; of
        the three leading jets ln pT, pseudorapidity and abs(Delta phi) from the Z boson, and Delta R of each two.
        A missing jet has a pT of 20 GeV, the threshold, and zeros for its other variables.

    Raises
    ------
    ValueError
        If a column is missing or has another shape.

    Examples
    --------
    >>> muons = [[[45.6, 45.6, 0.0, 0.0], [40.0, 0.0, 40.0, 0.0]]]
    >>> jets = np.zeros((1, 8, 4))
    >>> jets[0, 0] = 60.0, -36.0, -48.0, 0.0
    >>> row = features({"muons": np.array(muons), "jets": jets})[0]
    >>> {name: round(float(value), 2) for name, value in zip(FEATURES, row) if name.endswith(("_1", "_2"))}
    {'log_pt_1': 4.09, 'log_pt_2': 3.0, 'eta_1': 0.0, 'eta_2': 0.0, 'dphi_1': 2.93, 'dphi_2': 0.0}
    """
    for name in ("muons", "jets"):
        if name not in data:
            raise ValueError(f"data: column {name!r} is missing")
    muons, jets = (np.asarray(data[name], dtype=np.float64) for name in ("muons", "jets"))
    check_array("muons", muons, ("n", 2, 4))
    check_array("jets", jets, (len(muons), JETS, 4))
    boson, three = muons.sum(axis=1), jets[:, :3]
    first, second = np.triu_indices(3, 1)
    present = three[..., 0] > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        angle = np.abs((phi(three) - phi(boson)[:, None] + np.pi) % (2 * np.pi) - np.pi)
        logarithm, pseudorapidity, distance = np.log(pt(three)), eta(three), delta_r(three[:, first], three[:, second])
    return np.column_stack(
        [
            np.log(np.maximum(pt(boson), 1e-3)),  # perfect balance has no logarithm
            np.arctanh(boson[:, 3] / boson[:, 0]),
            (jets[..., 0] > 0).sum(axis=1),
            np.log(np.maximum(pt(jets).sum(axis=1), MINIMUM_PT)),
            np.where(present, logarithm, np.log(MINIMUM_PT)),
            np.where(present, pseudorapidity, 0.0),
            np.where(present, angle, 0.0),
            np.where(present[:, second], distance, 0.0),
        ]
    ).astype(np.float32)


def pack(columns):
    """Compact form of the columns of `generate`, for a file: 16-bit steps of logarithms and angles.

    Parameters
    ----------
    columns : mapping
        With ``muons`` and ``jets``, as returned by `generate`.

    Returns
    -------
    dict of arrays
        ``muon_pt`` (uint16, steps of 0.02 % above 20 MeV), ``muon_eta``, ``muon_phi`` (int16, steps of 0.0002), each
        (n, 2); ``jet_pt`` (uint16, steps of 0.02 % above 20 GeV, 0 for no jet), ``jet_eta``, ``jet_phi``, ``jet_mass``
        (uint16, steps of 0.1 % of m + 0.1 GeV), each (n, 8).

    Raises
    ------
    ValueError
        If shapes do not fit, or a momentum is out of the range of the steps.
    """
    muons, jets = (np.asarray(columns[name], dtype=np.float64) for name in ("muons", "jets"))
    check_array("muons", muons, ("n", 2, 4))
    check_array("jets", jets, (len(muons), JETS, 4))
    for name, momenta, least in (("muons", muons, SOFTEST), ("jets", jets[jets[..., 0] > 0], MINIMUM_PT)):
        if (pt(momenta) < least * (1 + STEP / 2)).any():
            raise ValueError(f"{name}: found a pT of {pt(momenta).min():.6g} GeV, expected all above {least:g} GeV")
    return {**_pack("muon", muons, SOFTEST), **_pack("jet", jets, MINIMUM_PT), "jet_mass": _pack_mass(jets)}


def _pack(name, momenta, least):
    present = momenta[..., 0] > 0
    logarithm = np.log(np.where(present, pt(momenta), least) / least)
    return {
        f"{name}_pt": quantize(logarithm, STEP, np.uint16),
        f"{name}_eta": quantize(np.where(present, eta(momenta), 0.0), STEP),
        f"{name}_phi": quantize(np.where(present, phi(momenta), 0.0), STEP),
    }


def _pack_mass(jets):
    return quantize(np.log1p(mass(jets) / MASS_UNIT), MASS_STEP, np.uint16)


def unpack(stored):
    """Columns of `generate` from their compact form.

    Parameters
    ----------
    stored : mapping
        As returned by `pack`.

    Returns
    -------
    dict of arrays
        As `generate`: ``muons``, with the muon's mass, ``jets`` and ``number``. Packing and unpacking again changes
        energies of jets by single-precision rounding, and nothing else.
    """
    jet_mass = MASS_UNIT * np.expm1(dequantize(stored["jet_mass"], MASS_STEP, np.float64))
    return {
        "muons": _unpack("muon", stored, SOFTEST, MUON_MASS),
        "jets": _unpack("jet", stored, MINIMUM_PT, jet_mass),
        "number": (stored["jet_pt"] > 0).sum(axis=1).astype(np.int8),
    }


def _unpack(name, stored, least, masses):
    steps = [dequantize(stored[f"{name}_{quantity}"], STEP, np.float64) for quantity in ("pt", "eta", "phi")]
    transverse = np.where(stored[f"{name}_pt"] > 0, least * np.exp(steps[0]), 0.0)
    momenta = np.empty((*transverse.shape, 4), dtype=np.float32)
    momenta[..., 0] = np.hypot(transverse * np.cosh(steps[1]), np.where(transverse > 0, masses, 0.0))
    momenta[..., 1] = transverse * np.cos(steps[2])
    momenta[..., 2] = transverse * np.sin(steps[2])
    momenta[..., 3] = transverse * np.sinh(steps[1])
    return momenta
