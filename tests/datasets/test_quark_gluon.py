"""Quark and gluon jets: cuts, labels, masses of the particles, and what storage changes."""

import awkward as ak
import numpy as np
import pytest

pythia8mc = pytest.importorskip("pythia8mc")

from hepml_labs.datasets import load, quark_gluon  # noqa: E402
from hepml_labs.datasets.packing import ANGLE_STEP, PT_STEP  # noqa: E402
from hepml_labs.datasets.pythia import events  # noqa: E402
from hepml_labs.datasets.quark_gluon import COLUMNS, PARTICLES, generate, pack, unpack  # noqa: E402
from hepml_labs.physics.kinematics import mass, phi, pt  # noqa: E402

JETS = 400


def rapidity(momenta):
    return np.arctanh(momenta[..., 3] / momenta[..., 0])


def wrap(angle):
    return (angle + np.pi) % (2 * np.pi) - np.pi


@pytest.fixture(scope="module")
def jets():
    """The bundled jets: `test_datasets` proves that the recipe makes these."""
    data = load("quark_gluon", "test", n=JETS)
    return {name: data[name] for name in data.columns}


@pytest.fixture(scope="module")
def exact(jets):
    """The same in double precision."""
    return {name: jets[name].astype(np.float64) for name in ("constituents", "jet")}


def test_columns_cuts_and_order(jets, exact):
    assert list(jets) == list(COLUMNS)
    assert [jets[name].dtype.name for name in COLUMNS] == ["float32", "int16", "float32", "int8"]
    assert jets["constituents"].shape == (JETS, 100, 4) and jets["pid"].shape == (JETS, 100)
    assert pt(exact["jet"]).min() > 500 and pt(exact["jet"]).max() < 550
    assert np.abs(rapidity(exact["jet"])).max() < 1.7
    present = jets["pid"] != 0
    assert np.array_equal(present, jets["constituents"][..., 0] > 0)
    assert (np.diff(present.astype(int), axis=1) <= 0).all() and present[:, 0].all()
    assert (np.diff(pt(exact["constituents"]), axis=1) <= 1e-4).all()


def test_particles_add_up_to_their_jet(jets, exact):
    """Each component within the worst rounding of its particles; mostly far better."""
    whole = jets["pid"][:, -1] == 0
    particles, jet = exact["constituents"][whole], exact["jet"][whole]
    difference = np.abs(particles.sum(axis=1) - jet)
    allowed = particles[..., 0].sum(axis=1, keepdims=True) * (PT_STEP + 2 * ANGLE_STEP) / 2
    assert (difference < allowed + 1e-3 * 100).all()  # and 1 MeV for each particle too soft to be kept
    assert difference.mean() < 0.15
    assert np.abs(mass(particles.sum(axis=1)) - mass(jet)).mean() < 0.05
    y = np.divide(particles[..., 3], particles[..., 0], where=particles[..., 0] > 0, out=np.zeros(particles.shape[:2]))
    separation = np.hypot(np.arctanh(y) - rapidity(jet)[:, None], wrap(phi(particles) - phi(jet)[:, None]))
    separation = separation[particles[..., 0] > 0]
    assert np.quantile(separation, 0.99) < 0.42 and separation.max() < 0.8


def test_masses_are_those_of_the_kinds(jets, exact):
    data = pythia8mc.Pythia("", False).particleData
    for number, value in PARTICLES.items():
        assert value == data.m0(number)
    soft = (jets["pid"] != 0) & (exact["constituents"][..., 0] < 5)
    expected = np.vectorize(PARTICLES.get)(jets["pid"][soft])
    np.testing.assert_allclose(mass(exact["constituents"][soft]) ** 2, expected**2, atol=3e-5)
    share = {number: (np.abs(jets["pid"][jets["pid"] != 0]) == number).mean() for number in (22, 211)}
    assert 0.35 < share[22] < 0.5 and 0.35 < share[211] < 0.5  # isospin: two photons for each pair of charged pions


def test_quark_jets_have_fewer_particles_and_are_narrower(jets, exact):
    quark = jets["is_quark"] == 1
    assert 0.3 < quark.mean() < 0.7
    number = (jets["pid"] != 0).sum(axis=1)
    particles, jet = exact["constituents"], exact["jet"]
    angle = np.hypot(np.arcsinh(particles[..., 3] / np.maximum(pt(particles), 1e-9)) - rapidity(jet)[:, None],
                     wrap(phi(particles) - phi(jet)[:, None]))  # fmt: skip
    girth = (pt(particles) * angle).sum(axis=1) / pt(particles).sum(axis=1)
    for observable in (number, girth, mass(jet)):
        gluon_mean, quark_mean = observable[~quark].mean(), observable[quark].mean()
        error = np.hypot(observable[~quark].std() / (~quark).sum() ** 0.5, observable[quark].std() / quark.sum() ** 0.5)
        assert gluon_mean - quark_mean > 3 * error
    assert 1.3 < number[~quark].mean() / number[quark].mean() < 2.0  # below the ratio of colour factors, 9/4


@pytest.mark.parametrize("label", [0, 1])
def test_the_label_is_the_parton_of_the_process(label):
    off = [f"{step} = off" for step in ("PartonLevel:ISR", "PartonLevel:FSR", "PartonLevel:MPI", "HadronLevel:all")]
    batch = next(events((*quark_gluon.SETTINGS, quark_gluon.PROCESSES[label], *off), 1, 200))
    out = batch.prt[(batch.prt.status == 23) | (batch.prt.status == -23)]
    partons = np.abs(ak.to_numpy(ak.flatten(out[(abs(out.id) < 6) | (out.id == 21)].id)))
    assert len(partons) == 200
    assert ((partons == 21) if label == 0 else (partons <= 5)).all()


def particle(number, transverse, y=0.0, angle=0.0, status=1):
    e, pz = transverse * np.cosh(y), transverse * np.sinh(y)
    px, py = transverse * np.cos(angle), transverse * np.sin(angle)
    return {"id": number, "status": status, "p": {"px": px, "py": py, "pz": pz, "e": e}}


def parton(number):
    return particle(number, 520.0, status=-23)


BOSON = parton(23)
EVENTS = {
    "kept": [BOSON, parton(2), particle(22, 500.5), particle(22, 20.0, 0.1), particle(12, 30.0)],
    "charm": [BOSON, parton(-4), particle(22, 520.0)],
    "bottom": [BOSON, parton(5), particle(22, 520.0)],
    "not the hardest": [BOSON, parton(1), particle(22, 520.0), particle(22, 560.0, angle=2.0)],
    "forward": [BOSON, parton(1), particle(22, 520.0, 1.72)],
    "too soft without its neutrino": [BOSON, parton(1), particle(22, 495.0), particle(-14, 30.0)],
    "decayed": [BOSON, parton(1), particle(22, 495.0), particle(310, 30.0, status=-91)],
    "nothing": [BOSON, parton(1)],
    "edge": [BOSON, parton(3), particle(22, 520.0, 1.69), particle(22, 10.0, 1.0)],
}


def test_selection_on_events_made_by_hand(monkeypatch):
    batch = ak.Array([{"prt": particles} for particles in EVENTS.values()])
    monkeypatch.setattr(quark_gluon, "events", lambda *arguments: iter([batch]))
    (rows,) = quark_gluon._jets(1, np.random.default_rng(1))
    np.testing.assert_allclose(pt(rows["jet"]), [520.5, 520.0], rtol=1e-4)
    assert (rows["pid"] == 22).sum(axis=1).tolist() == [2, 1]
    np.testing.assert_allclose(rows["constituents"][0, :3, 0], [500.5, 20 * np.cosh(0.1), 0])


def test_storage_rounds_once(jets):
    stored = pack(jets)
    assert {name: values.dtype.name for name, values in stored.items()} == {
        **{"pt": "uint16", "eta": "int16", "phi": "int16"},
        **{"kind": "uint8", "jet": "float32", "is_quark": "int8"},
    }
    again = unpack(stored)
    for name in COLUMNS:
        assert np.array_equal(again[name], jets[name]) and again[name].dtype == jets[name].dtype


def test_precision_of_storage():
    random = np.random.default_rng(3)
    n, m = 200, 100
    pid = random.choice(list(PARTICLES), (n, m)).astype(np.int16)
    transverse = np.sort(10 ** random.uniform(-2, 2.5, (n, m)))[:, ::-1]
    axis_y, axis_phi = random.uniform(-1.7, 1.7, (n, 1)), random.uniform(-np.pi, np.pi, (n, 1))
    y, angle = axis_y + random.uniform(-0.5, 0.5, (n, m)), axis_phi + random.uniform(-0.5, 0.5, (n, m))
    heavy = np.hypot(transverse, np.vectorize(PARTICLES.get)(pid))
    momenta = [heavy * np.cosh(y), transverse * np.cos(angle), transverse * np.sin(angle), heavy * np.sinh(y)]
    columns = {"constituents": np.stack(momenta, axis=-1), "pid": pid, "is_quark": np.zeros(n)}
    columns["jet"] = columns["constituents"].sum(axis=1)
    again = unpack(pack(columns))
    assert np.array_equal(again["pid"], pid)
    found = again["constituents"].astype(np.float64)
    assert np.abs(np.log(pt(found) / transverse)).max() < PT_STEP / 2 * 1.01
    assert np.abs(wrap(phi(found) - angle)).max() < ANGLE_STEP / 2 * 1.01
    rapid = np.arcsinh(found[..., 3] / np.hypot(pt(found), np.vectorize(PARTICLES.get)(pid)))
    assert np.abs(rapid - y).max() < ANGLE_STEP / 2 * 1.01


def test_bad_input_is_named(jets):
    with pytest.raises(ValueError, match="^n: found 0"):
        generate(0, seed=1)
    with pytest.raises(ValueError, match=r"^pid: found \[310, 3122\], expected those of PARTICLES"):
        pid = jets["pid"].copy()
        pid[3, 0], pid[4, 0] = 3122, 310
        pack({**jets, "pid": pid})
    with pytest.raises(ValueError, match="^constituents: found shape"):
        pack({**jets, "constituents": jets["constituents"][..., :3]})
    with pytest.raises(ValueError, match="^pid: found shape"):
        pack({**jets, "pid": jets["pid"][:, :3]})
