"""Quark and gluon jets: the recipe of the Energy Flow Network's sample.

Proton-proton collisions at 14 TeV make a Z boson that decays to neutrinos and one parton: a light quark in
qg -> Zq, a gluon in q qbar -> Zg. Pythia 8 adds showers, hadronisation and multiple parton interactions in its default
tune. All final-state particles but neutrinos, without a detector, are clustered into anti-kT jets of R = 0.4, and the
hardest jet of the event is kept if 500 < pT < 550 GeV and its rapidity is within 1.7. The label is the parton of the
process; charm and bottom quarks are left out.
"""

import awkward as ak
import numpy as np

from hepml_labs.datasets.packing import SOFTEST, pack_constituents, unpack_constituents
from hepml_labs.datasets.pythia import events, mixture, momentum_records
from hepml_labs.physics.jets import cluster, to_array
from hepml_labs.physics.kinematics import pt
from hepml_labs.validation import check_array

CHUNK = 200
BATCH = 50  # events at a time: fixed, so that fewer rows are the first of more
RADIUS = 0.4
PT_RANGE = 500.0, 550.0  # GeV
MAXIMUM_RAPIDITY = 1.7
CONSTITUENTS = 100
SETTINGS = (
    "Beams:eCM = 14000",
    "23:onMode = off",
    "23:onIfAny = 12 14 16",
    "PhaseSpace:pTHatMin = 450",
    "PhaseSpace:pTHatMax = 700",
)
PROCESSES = {0: "WeakBosonAndParton:qqbar2gmZg = on", 1: "WeakBosonAndParton:qg2gmZq = on"}  # by label
PARTICLES = {
    **{22: 0.0, 211: 0.13957, -211: 0.13957, 321: 0.49368, -321: 0.49368, 130: 0.49761, 2112: 0.93957},
    **{-2112: 0.93957, 2212: 0.93827, -2212: 0.93827, 11: 0.000511, -11: 0.000511, 13: 0.10566, -13: 0.10566},
}
"""PDG number: mass in GeV, of all that Pythia does not let decay."""
_IDS = np.array([0, *PARTICLES], dtype=np.int16)  # a stored kind is a place in this list
_MASSES = np.array([0.0, *PARTICLES.values()])

COLUMNS = {
    "constituents": f"(n, {CONSTITUENTS}, 4), GeV: E, px, py, pz of the hardest particles, in order of pT, then zeros",
    "pid": f"(n, {CONSTITUENTS}): their PDG numbers, 0 for no particle",
    "jet": "(n, 4), GeV: E, px, py, pz of the whole jet",
    "is_quark": "(n,): 1 for a light-quark jet, 0 for a gluon jet",
}


def generate(n, seed):
    r"""Generate quark and gluon jets in equal shares.

    Parameters
    ----------
    n : int
        Number of jets.
    seed : int or numpy.random.Generator
        With an integer, the jets of a smaller set open the larger one.

    Returns
    -------
    dict of arrays
        ``constituents`` float32 (n, 100, 4) in GeV, ``pid`` int16 (n, 100), ``jet`` float32 (n, 4) in GeV, ``is_quark``
        int8 (n,). Constituents are rounded as in a file: :math:`p_T` to 0.05 %, rapidity and azimuth to 0.00025, with
        the exact mass of their kind; the jet is not.

    Raises
    ------
    ValueError
        If `n` is not a whole number above zero.

    Notes
    -----
    Recipe: :cite:`komiske2018energyflow` and its public sample :cite:`komiske2019quarkgluon`. Ours asks the hard
    process for 450 to 700 GeV: of all jets that pass the cuts, 7 % of the gluon jets and 16 % of the quark jets come
    from outside and are missing, a quarter of them farther than R from the parton. Of those kept, 97 % and 95 % have
    it within R.

    Examples
    --------
    >>> jets = generate(2, seed=1)
    >>> jets["constituents"].shape, jets["pid"][0, 0] in PARTICLES
    ((2, 100, 4), True)
    """
    sources = {label: (0.5, lambda random, label=label: _jets(label, random)) for label in PROCESSES}
    is_quark, columns = mixture(n, seed, sources)
    return unpack(pack({**columns, "is_quark": is_quark}))


def _jets(label, random):
    """Jets of one process, a batch of events at a time."""
    for batch in events((*SETTINGS, PROCESSES[label]), random, BATCH):
        partons = batch.prt[(batch.prt.status == -23) & (batch.prt.id != 23)]
        record = batch.prt[~ak.any((abs(partons.id) == 4) | (abs(partons.id) == 5), axis=1)]
        final = record[record.status > 0]
        final = final[(abs(final.id) != 12) & (abs(final.id) != 14) & (abs(final.id) != 16)]
        jets, constituents = cluster(momentum_records(final), RADIUS, PT_RANGE[0])
        found = ak.num(jets) > 0
        jet, members = to_array(jets[found][:, 0]).astype(np.float32), constituents[found][:, 0]
        passed = _selected(jet)
        if passed.any():
            yield {"jet": jet[passed], **_padded(members[passed])}


def _selected(jet):
    jet = jet.astype(np.float64)
    inside = (pt(jet) > PT_RANGE[0]) & (pt(jet) < PT_RANGE[1])
    return inside & (np.abs(np.arctanh(jet[:, 3] / jet[:, 0])) < MAXIMUM_RAPIDITY)


def _padded(members):
    """Hardest particles of each jet as arrays."""
    transverse = np.hypot(members.px, members.py)
    members = members[transverse > SOFTEST]
    order = ak.argsort(transverse[transverse > SOFTEST], axis=1, ascending=False)
    members = ak.pad_none(members[order], CONSTITUENTS, clip=True)
    arrays = {name: ak.to_numpy(ak.fill_none(members[name], 0)) for name in ("E", "px", "py", "pz", "id")}
    pid = arrays.pop("id").astype(np.int16)
    return {"constituents": np.stack(list(arrays.values()), axis=-1), "pid": pid}


def pack(columns):
    """Compact form of the columns of `generate`, for a file.

    A particle is the massless one with its transverse momentum, rapidity and azimuth, and a kind: rapidity, because a
    jet is a circle in it, while the pseudorapidity of a soft proton can lie far outside.

    Parameters
    ----------
    columns : mapping
        As returned by `generate`.

    Returns
    -------
    dict of arrays
        ``pt`` (steps of 0.1 %), ``eta`` (here the rapidity) and ``phi`` relative to the jet (steps of 0.0005), as in
        `hepml_labs.datasets.packing`, each (n, 100); ``kind``, uint8 (n, 100), the place in `PARTICLES` from 1, 0 for
        none; ``jet``, float32 (n, 4); ``is_quark``, int8 (n,).

    Raises
    ------
    ValueError
        If shapes do not fit or a PDG number is not in `PARTICLES`.
    """
    momenta, pid = np.asarray(columns["constituents"], dtype=np.float64), np.asarray(columns["pid"])
    check_array("constituents", momenta, ("n", "m", 4))
    check_array("pid", pid, momenta.shape[:2], floating=False)
    sorted_ids = np.argsort(_IDS)
    kind = sorted_ids[np.searchsorted(_IDS, pid, sorter=sorted_ids).clip(max=len(_IDS) - 1)]
    if (_IDS[kind] != pid).any():
        raise ValueError(f"pid: found {sorted(set(pid[_IDS[kind] != pid].tolist()))}, expected those of PARTICLES or 0")
    transverse = pt(momenta)
    with np.errstate(invalid="ignore"):
        longitudinal = np.nan_to_num(momenta[..., 3] * transverse / np.hypot(transverse, _MASSES[kind]))
    momenta = np.stack([np.hypot(transverse, longitudinal), momenta[..., 1], momenta[..., 2], longitudinal], axis=-1)
    return {
        **pack_constituents(momenta, columns["jet"]),
        "kind": kind.astype(np.uint8),
        "jet": np.asarray(columns["jet"], dtype=np.float32),
        "is_quark": np.asarray(columns["is_quark"], dtype=np.int8),
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
        As `generate`; packing and unpacking again changes nothing.
    """
    momenta = unpack_constituents(stored, stored["jet"])
    transverse = np.hypot(momenta[..., 1], momenta[..., 2])
    mass = _MASSES.astype(np.float32)[stored["kind"]]
    with np.errstate(invalid="ignore"):  # transverse mass over pT stretches E and pz; none where there is no particle
        stretch = np.nan_to_num(np.hypot(transverse, mass) / transverse)
    momenta[..., 0] *= stretch
    momenta[..., 3] *= stretch
    return {"constituents": momenta, "pid": _IDS[stored["kind"]], "jet": stored["jet"], "is_quark": stored["is_quark"]}
