r"""Weak-boson fusion with two coefficients of dimension 6, from matrix element to detector, with the gold attached.

Proton collisions at 13 TeV, p p to H j j with H to two photons: leading order, `hepml_labs.physics.wbf`, then the
detector of `hepml_labs.physics.smearing`. No parton shower, no background. Events follow a mixture of nine benchmarks,
(0, 0) and the corners and edges' centres of the square of side 2, so that weights are of one size for all theta within
it. An event's weight at theta is ``coefficients @ monomials(theta)`` in pb, and the sum over all loaded rows is the
cross-section after the selection, decay included. The Standard Model's branching ratio is kept, also where f_WW
would change it. The process and the parameters are those of :cite:`brehmer2018constraining`, with a decay that is
easier to measure.

Selection, on what is measured: two jets with pT > 30 GeV and abs(eta) < 4.7, m_jj > 300 GeV, abs(delta eta) > 2; two
photons with pT > 40 and 30 GeV and abs(eta) < 2.5. The transverse plane is turned so that the first jet has azimuth 0.
"""

import numpy as np

from hepml_labs.datasets.packing import dequantize, quantize
from hepml_labs.physics import wbf
from hepml_labs.physics.kinematics import mass
from hepml_labs.physics.smearing import cylindrical, massless, measure
from hepml_labs.validation import check_array, check_count

BRANCHING_RATIO = 2.27e-3  # of H to two photons in the Standard Model
BENCHMARKS = tuple((float(a), float(b)) for a in (-1, 0, 1) for b in (-1, 0, 1))
BATCH = 5000  # events before the selection at a time: fixed, so that fewer rows are the first of more
JET_PT, JET_ETA, DIJET_MASS, DIJET_ETA = 30.0, 4.7, 300.0, 2.0  # GeV, 1, GeV, 1
PHOTON_PT, PHOTON_ETA = (40.0, 30.0), 2.5  # GeV

OBSERVABLES = {
    "pt_j1": "GeV: pT of the first jet, the one of higher pT",
    "pt_j2": "GeV: pT of the second jet",
    "eta_j1": "pseudorapidity of the first jet",
    "eta_j2": "pseudorapidity of the second jet",
    "delta_eta_jj": "abs(difference of pseudorapidities) of the jets",
    "delta_phi_jj": "radians, -pi to pi: azimuth of the jet of higher eta less that of the other",
    "m_jj": "GeV: mass of the two jets",
    "pt_h": "GeV: pT of the photon pair",
    "eta_h": "pseudorapidity of the photon pair",
    "delta_phi_hj1": "radians, -pi to pi: azimuth of the photon pair less that of the first jet",
    "delta_phi_hj2": "radians, -pi to pi: azimuth of the photon pair less that of the second jet",
    "zeppenfeld": "rapidity of the photon pair less the mean of the jets' eta, over delta_eta_jj",
    "pt_balance": "GeV: transverse momentum of photons and jets together",
    "m_gg": "GeV: mass of the photon pair",
}
"""Functions of the momenta; with the mass of H they are all of the kinematics up to the decay angles of a scalar."""

COLUMNS = {
    **OBSERVABLES,
    "jets": "(n, 2, 4), GeV: E, px, py, pz of the jets, higher pT first",
    "photons": "(n, 2, 4), GeV: E, px, py, pz of the photons, higher pT first",
    "coefficients": "(n, 6), pb: weight = coefficients @ (1, t1, t2, t1^2, t1 t2, t2^2), t = (f_W, f_WW) v^2/Lambda^2",
}
"""Column name: shape if not (n,), unit and meaning; all float32 but the coefficients, which are float64."""

_UNIT = 1e-3  # pb: of the order of the cross-section, so that half precision holds the root of an event's share
_PT_STEP, _JET_ANGLE, _PHOTON_ANGLE = 5e-4, 1e-3, 5e-4  # of ln pT; of eta and phi


def generate(n, seed):
    """Make events that pass the selection.

    Parameters
    ----------
    n : int
        Number of events.
    seed : int or numpy.random.Generator
        With an integer, the events of a smaller set open the larger one.

    Returns
    -------
    dict of arrays, first dimension n
        The columns of `COLUMNS`.

    Raises
    ------
    ValueError
        If n < 1.

    Examples
    --------
    >>> events = generate(100, seed=1)
    >>> events["coefficients"].shape, bool(0.001 < events["coefficients"][:, 0].sum() < 0.004)
    ((100, 6), True)
    """
    check_count("n", n)
    random = np.random.default_rng(seed)
    parts, found = [], 0
    while found < n:
        events = wbf.generate(BATCH, random, benchmarks=BENCHMARKS)
        measured = measure(events.quarks, events.higgs, random)
        passed = select(measured.jets, measured.photons)
        # times the rows of the batch, so that the mean over rows, however many, is the cross-section
        parts.append((*(momenta[passed] for momenta in measured), events.coefficients[passed] * passed.sum()))
        found += passed.sum()
    jets, photons, coefficients = (np.concatenate(part) for part in zip(*parts, strict=True))
    coefficients = coefficients[:n] * BRANCHING_RATIO / n
    jets, photons = _turn(jets[:n], photons[:n])
    columns = {"jets": jets, "photons": photons, "coefficients": coefficients, **observables(jets, photons)}
    return _typed(columns)


def select(jets, photons):
    """Say which measured events are kept.

    Parameters
    ----------
    jets, photons : arrays, (n, 2, 4)
        In GeV, higher pT first.

    Returns
    -------
    array of bool, (n,)
    """
    check_array("jets", jets, ("n", 2, 4))
    check_array("photons", photons, (len(jets), 2, 4))
    pt, eta, _ = cylindrical(jets)
    photon_pt, photon_eta, _ = cylindrical(photons)
    return (
        (pt > JET_PT).all(1)
        & (np.abs(eta) < JET_ETA).all(1)
        & (np.abs(eta[:, 0] - eta[:, 1]) > DIJET_ETA)
        & (mass(jets.sum(1)) > DIJET_MASS)
        & (photon_pt > PHOTON_PT).all(1)
        & (np.abs(photon_eta) < PHOTON_ETA).all(1)
    )


def observables(jets, photons):
    """Compute the observables from measured momenta.

    Parameters
    ----------
    jets, photons : arrays, (n, 2, 4)
        In GeV, higher pT first.

    Returns
    -------
    dict of arrays, (n,)
        The columns of `OBSERVABLES`.

    Raises
    ------
    ValueError
        For arrays of other shapes.

    Examples
    --------
    >>> jets = massless(np.array([[90.0, 40.0]]), np.array([[2.0, -1.5]]), np.array([[0.0, 3.0]]))
    >>> photons = massless(np.array([[60.0, 60.0]]), np.array([[0.5, -0.5]]), np.array([[2.0, -1.0]]))
    >>> values = observables(jets, photons)
    >>> [round(float(values[name][0]), 2) for name in ("m_jj", "delta_eta_jj", "delta_phi_jj")]
    [355.6, 3.5, -3.0]
    """
    check_array("jets", jets, ("n", 2, 4))
    check_array("photons", photons, (len(jets), 2, 4))
    jets, photons = np.asarray(jets, dtype=np.float64), np.asarray(photons, dtype=np.float64)
    pt, eta, phi = cylindrical(jets)
    pair = photons.sum(1)
    pt_h, eta_h, phi_h = cylindrical(pair)
    rapidity = np.arctanh(pair[:, 3] / pair[:, 0])
    both = jets.sum(1) + pair
    sign = np.where(eta[:, 0] > eta[:, 1], 1.0, -1.0)
    gap = np.abs(eta[:, 0] - eta[:, 1])
    return {
        "pt_j1": pt[:, 0],
        "pt_j2": pt[:, 1],
        "eta_j1": eta[:, 0],
        "eta_j2": eta[:, 1],
        "delta_eta_jj": gap,
        "delta_phi_jj": _angle(sign * (phi[:, 0] - phi[:, 1])),
        "m_jj": mass(jets.sum(1)),
        "pt_h": pt_h,
        "eta_h": eta_h,
        "delta_phi_hj1": _angle(phi_h - phi[:, 0]),
        "delta_phi_hj2": _angle(phi_h - phi[:, 1]),
        "zeppenfeld": (rapidity - eta.mean(1)) / gap,
        "pt_balance": np.hypot(both[:, 1], both[:, 2]),
        "m_gg": mass(pair),
    }


def pack(columns):
    """Store momenta in steps of 5e-4 in ln pT and 1e-3 (jets) or 5e-4 (photons) in angles, and halves of coefficients.

    The coefficients form a positive matrix C with weight = (1, t) C (1, t); its triangular root is stored in half
    precision, so that no weight becomes negative, and times the number of rows.

    Parameters
    ----------
    columns : dict of arrays
        With "jets", "photons" and "coefficients".

    Returns
    -------
    dict of arrays
    """
    stored = {}
    for name, step in (("jets", _JET_ANGLE), ("photons", _PHOTON_ANGLE)):
        pt, eta, phi = cylindrical(np.asarray(columns[name], dtype=np.float64))
        stored[f"{name}_pt"] = quantize(np.log(pt), _PT_STEP, np.uint16)
        stored[f"{name}_eta"] = quantize(eta, step)
        stored[f"{name}_phi"] = quantize(phi, step)
    c0, c1, c2, c11, c12, c22 = (
        np.asarray(columns["coefficients"], dtype=np.float64).T * len(columns["coefficients"]) / _UNIT
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        r00 = np.sqrt(c0)
        r10, r20 = c1 / (2 * r00), c2 / (2 * r00)
        r11 = np.sqrt(np.maximum(c11 - r10**2, 0))
        r21 = np.where(r11 > 0, (c12 / 2 - r10 * r20) / r11, 0)
    r22 = np.sqrt(np.maximum(c22 - r20**2 - r21**2, 0))
    return {**stored, "root": np.stack([r00, r10, r20, r11, r21, r22], -1).astype(np.float16)}


def unpack(stored):
    """Give the columns back; observables are computed from the momenta.

    Parameters
    ----------
    stored : dict of arrays

    Returns
    -------
    dict of arrays
        Coefficients are divided by the number of rows that there are.
    """
    columns = {}
    for name, step in (("jets", _JET_ANGLE), ("photons", _PHOTON_ANGLE)):
        pt = np.exp(dequantize(stored[f"{name}_pt"], _PT_STEP, np.float64))
        angles = (dequantize(stored[f"{name}_{angle}"], step, np.float64) for angle in ("eta", "phi"))
        columns[name] = massless(pt, *angles)
    r00, r10, r20, r11, r21, r22 = stored["root"].astype(np.float64).T
    squares = (r00**2, 2 * r00 * r10, 2 * r00 * r20, r10**2 + r11**2, 2 * (r10 * r20 + r11 * r21))
    columns["coefficients"] = np.stack([*squares, r20**2 + r21**2 + r22**2], -1) * _UNIT / len(r00)
    columns |= observables(columns["jets"], columns["photons"])
    return _typed(columns)


def _typed(columns):
    """The columns in order; the coefficients keep double precision."""
    return {
        name: columns[name].astype(np.float64 if name == "coefficients" else np.float32, copy=False) for name in COLUMNS
    }


def _turn(jets, photons):
    """Turn events so that the first jet has azimuth zero."""
    angle = np.arctan2(jets[:, 0, 2], jets[:, 0, 1])[:, None]
    cosine, sine = np.cos(angle), np.sin(angle)
    turned = []
    for momenta in (jets, photons):
        energy, px, py, pz = np.moveaxis(momenta, -1, 0)
        turned.append(np.stack([energy, cosine * px + sine * py, cosine * py - sine * px, pz], -1))
    return turned


def _angle(difference):
    """An angle brought to -pi to pi."""
    return (difference + np.pi) % (2 * np.pi) - np.pi
