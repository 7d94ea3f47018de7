r"""Associated production, pp to W H to l nu b b, with the weight of every event at every f_W and f_WW.

Proton-proton collisions at 13 TeV, leading order, `hepml_labs.physics.wh`: e and mu of both charges, no other process.
The Higgs boson decays to two massless b quarks with its Standard Model branching ratio at every theta. Events come in
equal parts from seven benchmarks (`BENCHMARKS`), so that weights within abs(theta) < 0.5 are of comparable size. The
range is half of that for weak-boson fusion: annihilation reaches higher virtualities, and with them the operators gain.

*Detector.* Known densities given the truth: the final state recoils against unseen radiation with a Gaussian
transverse momentum, as in `hepml_labs.physics.smearing`; b jets have its jets' resolution; pT of leptons is Gaussian
in its logarithm, 2 %; the missing transverse momentum is what balances lepton, jets and the radiation, the latter
measured with 15 GeV in each component. *Selection.* Lepton pT > 25 GeV, b jets pT > 25 GeV, abs(eta) < 2.5 for all
three, missing pT > 20 GeV, all three Delta R > 0.4 apart.
"""

import numpy as np

from hepml_labs.datasets.packing import dequantize, quantize
from hepml_labs.physics import smearing
from hepml_labs.physics.electroweak import M_W
from hepml_labs.physics.kinematics import boost, delta_r, mass
from hepml_labs.physics.morphing import monomials, quadratic_form
from hepml_labs.physics.smearing import cylindrical, massless, smear_jets
from hepml_labs.validation import check_count

BENCHMARKS = ((0.0, 0.0), (0.5, 0.0), (-0.5, 0.0), (0.0, 0.5), (0.0, -0.5), (0.5, 0.5), (-0.5, -0.5))
BRANCHING_RATIO = 0.581  # of H to b bbar
MIXTURE = 0.0764  # pb, mean cross-section at the benchmarks after the selection, with H to b b; +- 0.3 %
LEPTON = 0.02  # of the logarithm of a lepton's pT
MISSING = 15.0  # GeV, of each component of the measured recoil
_BLOCK = 5000

LOW_LEVEL = {
    "pt_l": "GeV: pT of the lepton",
    "eta_l": "pseudorapidity of the lepton",
    "pt_b1": "GeV: pT of the first b jet",
    "eta_b1": "pseudorapidity of the first b jet",
    "delta_phi_b1": "azimuth of the first b jet less the lepton's, -pi to pi",
    "pt_b2": "GeV: pT of the second b jet, below that of the first",
    "eta_b2": "pseudorapidity of the second b jet",
    "delta_phi_b2": "azimuth of the second b jet less the lepton's, -pi to pi",
    "missing_pt": "GeV: missing transverse momentum",
    "delta_phi_missing": "azimuth of the missing momentum less the lepton's, -pi to pi",
    "charge": "of the lepton, 1 or -1",
}
HIGH_LEVEL = {
    "pt_w": "GeV: pT of lepton and missing momentum together",
    "pt_h": "GeV: pT of the b jets together",
    "eta_h": "pseudorapidity of the b jets together",
    "m_bb": "GeV: mass of the b jets",
    "m_t": "GeV: transverse mass of lepton and missing momentum",
    "delta_phi_wh": "angle between pt_w and pt_h, 0 to pi",
    "m_wh": "GeV: mass of all, with the neutrino's p_z from the mass of the W boson (the smaller solution)",
    "cos_theta_star": "cos of the angle between lepton, in the W boson's rest frame, and W boson, in that of W H",
    "phi_star": "azimuth of that lepton about the W boson's direction, from the plane of W boson and beam, -pi to pi",
    "cos_theta_w": "cos of the angle between W boson and boost of the pair, in the rest frame of W H",
}
OBSERVABLES = (*LOW_LEVEL, *HIGH_LEVEL)
COLUMNS = {
    **LOW_LEVEL,
    **HIGH_LEVEL,
    "coefficients": (
        "(n, 6), pb: of the weight, for (1, t1, t2, t1^2, t1 t2, t2^2) with t = (f_W, f_WW) v^2 / Lambda^2; the sum "
        "over the rows loaded is the cross-section after the selection"
    ),
}
"""Column name: shape if not (n,), unit and meaning; all float32 but the coefficients, which are float64."""

_STEP = 2e-3  # of ln(pT / GeV), eta and angles
_LOGARITHMIC = {"pt_l", "pt_b1", "pt_b2", "missing_pt"}
_PRECISION = 2e-4  # of the square root of a weight, relative to that of the mixture


def generate(n, seed):
    """Make events.

    Parameters
    ----------
    n : int
        Number of events after the selection.
    seed : int
        The events of a smaller set open the larger one.

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
    >>> events["coefficients"].shape, bool(events["pt_l"].min() > 25)
    ((100, 6), True)
    """
    from hepml_labs.physics import wh  # reads the parton densities of Pythia, which bundled files do not need

    check_count("n", n)
    mixture, parts, found = monomials(BENCHMARKS).mean(0), [], 0
    while found < n:
        random = np.random.default_rng([seed, len(parts)])
        events = wh.generate(_BLOCK, BENCHMARKS, random)
        columns = measure(events.lepton, events.neutrino, events.higgs, events.charge, random)
        columns["coefficients"] = events.coefficients / (events.coefficients @ mixture).mean()
        kept = select(columns)
        parts.append({name: values[kept] for name, values in columns.items()})
        found += int(kept.sum())
    columns = {name: np.concatenate([part[name] for part in parts])[:n] for name in COLUMNS}
    columns["coefficients"] *= MIXTURE / n
    return columns


def measure(lepton, neutrino, higgs, charge, seed=None):
    """Let the Higgs boson decay to b quarks and measure the event.

    Parameters
    ----------
    lepton, neutrino, higgs : arrays, (n, 4)
        In GeV; their transverse momenta must add to zero.
    charge : array, (n,)
    seed : int or numpy.random.Generator, optional

    Returns
    -------
    dict of arrays, (n,)
        The columns of `LOW_LEVEL` and `HIGH_LEVEL`, without selection.

    Examples
    --------
    >>> lepton, neutrino = np.array([[50.0, 30, 0, 40]]), np.array([[50.0, 30, 0, -40]])
    >>> higgs = np.array([[np.hypot(60, 125.25), -60, 0, 0]])
    >>> bool(80 < measure(lepton, neutrino, higgs, np.array([1]), seed=1)["m_bb"][0] < 170)
    True
    """
    random, resolution, n = np.random.default_rng(seed), smearing.Resolution(), len(lepton)
    recoil = resolution.recoil * random.normal(size=(n, 2))
    moved = smearing.transverse_boost(np.stack([lepton, neutrino, higgs], 1), recoil)
    quarks = smearing.decay_to_photons(moved[:, 2], random)  # massless and isotropic, whatever they are
    jets = smear_jets(quarks, random, resolution=resolution)
    seen = moved[:, 0] * np.exp(LEPTON * random.normal(size=n))[:, None]
    missing = recoil + MISSING * random.normal(size=(n, 2)) - seen[:, 1:3] - jets[:, :, 1:3].sum(1)
    jets = np.take_along_axis(jets, np.argsort(-np.hypot(jets[..., 1], jets[..., 2]), 1)[..., None], 1)
    (pt_l, eta_l, phi_l), (pt_b, eta_b, phi_b) = cylindrical(seen), cylindrical(jets)
    columns = {
        "pt_l": pt_l,
        "eta_l": eta_l,
        "missing_pt": np.hypot(*missing.T),
        "delta_phi_missing": _turn(np.arctan2(missing[:, 1], missing[:, 0]) - phi_l),
        "charge": np.asarray(charge, dtype=float),
    }
    for k in range(2):
        columns |= {f"pt_b{k + 1}": pt_b[:, k], f"eta_b{k + 1}": eta_b[:, k]}
        columns[f"delta_phi_b{k + 1}"] = _turn(phi_b[:, k] - phi_l)
    return columns | high_level(columns)


def high_level(columns):
    """Compute the high-level observables from the low-level ones.

    Parameters
    ----------
    columns : dict of arrays, (n,)
        Of `LOW_LEVEL`.

    Returns
    -------
    dict of float64 arrays, (n,)
        The columns of `HIGH_LEVEL`.
    """
    columns = {name: np.asarray(columns[name], dtype=np.float64) for name in LOW_LEVEL}
    lepton = massless(columns["pt_l"], columns["eta_l"], 0 * columns["pt_l"])
    h = sum(massless(*(columns[f"{name}_b{k}"] for name in ("pt", "eta", "delta_phi"))) for k in (1, 2))
    missing = columns["missing_pt"]
    x, y = missing * np.cos(columns["delta_phi_missing"]), missing * np.sin(columns["delta_phi_missing"])
    w = lepton + _neutrino(lepton, x, y)
    pt_w, pt_h = np.hypot(w[:, 1], w[:, 2]), np.hypot(h[:, 1], h[:, 2])
    return {
        "pt_w": pt_w,
        "pt_h": pt_h,
        "eta_h": cylindrical(h)[1],
        "m_bb": mass(h),
        "m_t": np.sqrt(2 * columns["pt_l"] * missing * (1 - np.cos(columns["delta_phi_missing"]))),
        "delta_phi_wh": np.abs(_turn(np.arctan2(w[:, 2], w[:, 1]) - np.arctan2(h[:, 2], h[:, 1]))),
        "m_wh": mass(w + h),
        **_angles(lepton, w, w + h),
    }


def select(columns):
    """Which events pass the selection; boolean array, (n,)."""
    lepton = massless(columns["pt_l"], columns["eta_l"], np.zeros_like(columns["pt_l"]))
    jets = [massless(*(columns[f"{name}_b{k}"] for name in ("pt", "eta", "delta_phi"))) for k in (1, 2)]
    kept = (columns["pt_l"] > 25) & (columns["pt_b2"] > 25) & (columns["missing_pt"] > 20)
    for name in ("eta_l", "eta_b1", "eta_b2"):
        kept &= np.abs(columns[name]) < 2.5
    return kept & (np.minimum.reduce([delta_r(*jets), *(delta_r(lepton, jet) for jet in jets)]) > 0.4)


def pack(columns):
    """Store the low-level observables in steps, and weights as triangular roots.

    The coefficients of an event are a positive matrix Q in (1, t) x (1, t): rounded factors L with Q = L L^T keep
    every weight positive at every theta.

    Parameters
    ----------
    columns : dict of arrays
        Of `COLUMNS`; high-level ones are not looked at.

    Returns
    -------
    dict of integer arrays
        ln pT, eta and angles in steps of 2e-3; factors in steps of 2e-4 of the root of the mean weight.
    """
    stored = {}
    for name in LOW_LEVEL:
        values = np.log(columns[name]) if name in _LOGARITHMIC else columns[name]
        stored[name] = quantize(values, 1.0 if name == "charge" else _STEP)
    matrix = quadratic_form(columns["coefficients"] * len(columns["coefficients"]) / MIXTURE)
    factor = np.linalg.cholesky(matrix + 1e-9 * np.einsum("nii->n", matrix)[:, None, None] * np.eye(3))
    rows, places = np.tril_indices(3)
    stored["factors"] = quantize(factor[:, rows, places], _PRECISION)
    stored["charge"] = stored["charge"].astype(np.int8)
    return stored


def unpack(stored):
    """Give the columns back; the coefficients are those of the rows that there are.

    Parameters
    ----------
    stored : dict of arrays

    Returns
    -------
    dict of arrays
        float32, and float64 for the coefficients.
    """
    columns = {}
    for name in LOW_LEVEL:
        values = dequantize(stored[name], 1.0 if name == "charge" else _STEP, np.float64)
        columns[name] = np.exp(values) if name in _LOGARITHMIC else values
    columns |= high_level(columns)
    rows, places = np.tril_indices(3)
    factor = np.zeros((len(stored["factors"]), 3, 3))
    factor[:, rows, places] = dequantize(stored["factors"], _PRECISION, np.float64)
    matrix = factor @ factor.swapaxes(1, 2)
    first, second = np.triu_indices(3)
    columns["coefficients"] = matrix[:, first, second] * np.where(first == second, 1.0, 2.0) * MIXTURE / len(matrix)
    return {name: columns[name].astype("f8" if name == "coefficients" else "f4", copy=False) for name in COLUMNS}


def _turn(angle):
    """Bring an angle to -pi to pi."""
    return (angle + np.pi) % (2 * np.pi) - np.pi


def _neutrino(lepton, x, y):
    """Massless neutrino of given transverse momentum that makes a W boson with the lepton, if there is one.

    Of two solutions for p_z the smaller; without any (the transverse mass is above that of the W boson) the real part.
    """
    product = M_W**2 / 2 + lepton[:, 1] * x + lepton[:, 2] * y
    pt2 = lepton[:, 1] ** 2 + lepton[:, 2] ** 2
    middle = product * lepton[:, 3] / pt2
    root = lepton[:, 0] / pt2 * np.sqrt(np.maximum(product**2 - pt2 * (x**2 + y**2), 0.0))
    z = np.where(np.abs(middle - root) < np.abs(middle + root), middle - root, middle + root)
    return np.stack([np.sqrt(x**2 + y**2 + z**2), x, y, z], 1)


def _angles(lepton, w, pair):
    """Angles of production and decay, in the rest frames of the pair and of the W boson."""
    down = -pair[:, 1:] / pair[:, :1]
    w, lepton = boost(w, down), boost(lepton, down)
    # quarks carry more momentum than antiquarks: the boost points along the quark more often than not
    beam = np.sign(pair[:, 3:]) * [[0.0, 0.0, 1.0]]
    axis = w[:, 1:] / np.linalg.norm(w[:, 1:], axis=1, keepdims=True)
    lepton = boost(lepton, -w[:, 1:] / w[:, :1])[:, 1:]
    lepton = lepton / np.linalg.norm(lepton, axis=1, keepdims=True)
    normal = np.cross(beam, axis)
    normal = normal / np.linalg.norm(normal, axis=1, keepdims=True)
    in_plane = np.cross(normal, axis)
    return {
        "cos_theta_star": (lepton * axis).sum(1),
        "phi_star": np.arctan2((lepton * normal).sum(1), (lepton * in_plane).sum(1)),
        "cos_theta_w": (axis * beam).sum(1),
    }
