"""Z + jets: exact edges, the line shape of the Z boson, numbers of jets, and what storage changes."""

import awkward as ak
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize

pytest.importorskip("pythia8mc")

from hepml_labs.datasets import load, z_jets
from hepml_labs.datasets.z_jets import COLUMNS, FEATURES, MASS_STEP, MASS_UNIT, STEP, features, generate, pack, unpack
from hepml_labs.evaluation import area_under_curve
from hepml_labs.physics.kinematics import delta_r, eta, mass, phi, pt

EVENTS = 1500
FIRST, SECOND = np.triu_indices(8, 1)


def wrap(angle):
    return (angle + np.pi) % (2 * np.pi) - np.pi


@pytest.fixture(scope="module")
def events():
    return generate(EVENTS, seed=5)


@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_edges_are_exact_in_either_precision(events, precision):
    muons, jets = events["muons"].astype(precision), events["jets"].astype(precision)
    present = jets[..., 0] > 0
    assert pt(jets[present]).min() > 20 and np.abs(eta(jets[present])).max() < 5
    assert np.abs(eta(muons)).max() < 5
    distance = delta_r(jets[:, FIRST], jets[:, SECOND])[present[:, SECOND]]
    assert 0.4 < distance.min() < 0.45
    masses = mass(muons.sum(axis=1))
    assert masses.min() > 76 and masses.max() < 106


def test_columns_and_order(events):
    assert list(events) == list(COLUMNS)
    assert [events[name].dtype.name for name in COLUMNS] == ["float32", "float32", "int8"]
    assert events["muons"].shape == (EVENTS, 2, 4) and events["jets"].shape == (EVENTS, 8, 4)
    present = events["jets"][..., 0] > 0
    assert np.array_equal(present, np.arange(8) < events["number"][:, None]) and events["number"].min() == 1
    assert (events["jets"][~present] == 0).all()
    assert (np.diff(pt(events["jets"].astype(np.float64)), axis=1) < 1e-4).all()
    jets = events["jets"][present].astype(np.float64)
    assert np.median(mass(jets)) > 2 and (mass(jets) < pt(jets)).all()


def test_line_shape_of_the_z_boson(events):
    """Unbinned fit of a relativistic Breit-Wigner function to the masses: PDG mass 91.188, width 2.495 GeV."""
    low, high = 84.0, 98.0
    masses = mass(events["muons"].astype(np.float64).sum(axis=1))
    masses = masses[(masses > low) & (masses < high)]

    def density(m, peak, width):  # of q qbar to Z: m times the parton luminosity, which falls like m^-0.5, in front
        return m**0.5 / ((m**2 - peak**2) ** 2 + (m**2 * width / peak) ** 2)

    def loss(parameters):
        norm = quad(density, low, high, args=tuple(parameters), points=[parameters[0]])[0]
        return -np.log(density(masses, *parameters) / norm).sum()

    fit = minimize(loss, [91.0, 2.6], method="Nelder-Mead")
    error = np.array([0.67, 1.53]) * 2.495 / len(masses) ** 0.5  # the Fisher information of this density
    assert (np.abs(fit.x - [91.188, 2.495]) < 3.5 * error).all()


def test_muons_are_on_their_shell(events):
    slow = events["muons"].astype(np.float64)
    slow = slow[slow[..., 0] < 20]
    np.testing.assert_allclose(mass(slow) ** 2, 0.10566**2, atol=1e-4)


def test_jets_recoil_against_the_boson(events):
    one = events["number"] == 1
    boson, jet = events["muons"][one].astype(np.float64).sum(axis=1), events["jets"][one, 0].astype(np.float64)
    assert np.median(np.abs(wrap(phi(boson) - phi(jet)))) > 0.85 * np.pi
    missing = pt(events["muons"].astype(np.float64).sum(axis=1) + events["jets"].astype(np.float64).sum(axis=1))
    assert np.median(missing) < 15  # below the threshold of a jet
    assert np.median(pt(boson)) > 20


def test_numbers_of_jets_form_a_staircase(events):
    counts = np.bincount(events["number"], minlength=9)
    assert 0.7 < counts[1] / EVENTS < 0.8
    assert 0.2 < counts[2] / counts[1] < 0.35 and 0.12 < counts[3] / counts[2] < 0.35


def test_minimum_jets_selects_among_the_same_events(events):
    many = generate(20, seed=5, minimum_jets=3)
    chosen = events["number"] >= 3
    for name in COLUMNS:
        assert np.array_equal(many[name], events[name][chosen][:20])


def test_the_alternative_simulation_has_the_same_cuts_and_other_events(events):
    alternative = generate(300, seed=5, variation="alternative")
    assert list(alternative) == list(COLUMNS)
    assert not np.isin(alternative["muons"][:, 0, 0], events["muons"][:, 0, 0]).any()
    present = alternative["jets"][..., 0] > 0
    assert pt(alternative["jets"][present]).min() > 20 and np.abs(eta(alternative["jets"][present])).max() < 5
    nominal = generate(30, seed=5, variation="nominal")
    for name in COLUMNS:
        assert np.array_equal(nominal[name], events[name][:30])


def test_a_classifier_tells_the_simulations_apart_but_not_often():
    """Area under the curve of boosted trees, and their density ratio: the supports overlap."""
    ensemble = pytest.importorskip("sklearn.ensemble")
    n = 20_000
    inputs, label = (
        np.concatenate([function(load(name, "train", n=n)) for name in ("z_jets", "z_jets_alternative")])
        for function in (features, lambda data: np.full(len(data), data.card["name"] == "z_jets_alternative"))
    )
    order = np.random.default_rng(1).permutation(len(label))
    fit, test = order[:n], order[n:]
    trees = ensemble.HistGradientBoostingClassifier(max_iter=80, max_leaf_nodes=12, learning_rate=0.1, random_state=1)
    probability = trees.fit(inputs[fit], label[fit]).predict_proba(inputs[test])[:, 1]
    assert 0.58 < area_under_curve(label[test], probability).value < 0.65
    ratio = probability / (1 - probability)
    assert np.mean((ratio > 0.2) & (ratio < 5)) > 0.98
    masses = [mass(load(name, "train", n=n)["muons"].astype(float).sum(1)) for name in ("z_jets", "z_jets_alternative")]
    assert abs(np.median(masses[0]) - np.median(masses[1])) < 4 * 1.25 * np.std(masses) * np.sqrt(2 / n)


def test_features_of_an_event_made_by_hand():
    def momentum(size, angle, rapid=0.0):
        return [size * np.cosh(rapid), size * np.cos(angle), size * np.sin(angle), size * np.sinh(rapid)]

    jets = np.zeros((2, 8, 4))
    jets[:, 0] = momentum(60.0, 3.0, 1.5)
    jets[0, 1] = momentum(30.0, -3.0, -0.5)
    muons = np.array([[momentum(50.0, 0.0, 0.3), momentum(30.0, 0.0, 0.3)]] * 2)
    two, one = (dict(zip(FEATURES, row, strict=True)) for row in features({"muons": muons, "jets": jets}).tolist())
    distance = np.hypot(2.0, 2 * np.pi - 6.0)
    expected = [
        np.log(80),
        0.3,
        2,
        np.log(90),
        np.log(60),
        np.log(30),
        np.log(20),
        1.5,
        -0.5,
        0,
        3,
        3,
        0,
        distance,
        0,
        0,
    ]
    np.testing.assert_allclose(list(two.values()), expected, rtol=1e-5, atol=1e-6)
    assert one["number"] == 1 and one["dr_12"] == one["eta_2"] == one["dphi_2"] == 0
    np.testing.assert_allclose([one["log_ht"], one["log_pt_2"]], np.log([60, 20]), rtol=1e-6)


def particle(number, transverse, pseudorapidity=0.0, angle=0.0, status=None):
    status = status or (23 if abs(number) == 13 else 1)
    px, py, pz = transverse * np.cos(angle), transverse * np.sin(angle), transverse * np.sinh(pseudorapidity)
    return {"id": number, "status": status, "p": {"px": px, "py": py, "pz": pz, "e": np.sqrt(px**2 + py**2 + pz**2)}}


BOSON = [particle(-13, 45.6, 0.0, 0.0), particle(13, 45.6, 0.0, np.pi)]
HAND_MADE = {
    "two jets": [*BOSON, particle(22, 30.0, 1.0, 1.0), particle(22, 50.0, -1.0, -1.0)],
    "a muon and a neutrino of a hadron": [
        *BOSON,
        *[particle(number, 15.0, 1.0, 1.0, status=91) for number in (13, -12)],
        particle(22, 10.0, 1.0, 1.0),
    ],
    "muons of a photon": [
        *BOSON,
        *[particle(number, 15.0, 1.0, 1.0, status=62) for number in (13, -13)],
    ],
    "too soft": [*BOSON, particle(22, 19.999, 1.0, 1.0)],
    # anti-kT closes the jet of 60 GeV first; then the others merge, between them and so closer than 0.4
    "too close": [*BOSON, particle(22, 60.0), particle(22, 20.0, 0.39, 0.12), particle(22, 20.0, 0.39, -0.12)],
    "a jet too far": [*BOSON, particle(22, 30.0, 5.01, 1.0), particle(22, 25.0, 4.99, -1.0)],
    "a muon too far": [particle(13, 45.6, 5.1), particle(-13, 45.6, 5.1, np.pi), particle(22, 30.0)],
    "mass": [particle(13, 37.9), particle(-13, 37.9, 0.0, np.pi), particle(22, 30.0)],
    "nothing": BOSON,
}


def test_selection_on_events_made_by_hand(monkeypatch):
    batch = ak.Array([{"prt": particles} for particles in HAND_MADE.values()])
    monkeypatch.setattr(z_jets, "events", lambda *arguments: iter([batch]))
    (rows,) = z_jets._events(np.random.default_rng(1), 1)
    assert rows["number"].tolist() == [2, 1, 1, 1]
    np.testing.assert_allclose(pt(rows["jets"])[:, :2], [[50, 30], [25, 0], [30, 0], [25, 0]], rtol=1e-4)
    assert (rows["muons"][:, 0, 1] < 0).all() and (rows["muons"][:, 1, 1] > 0).all()  # mu- before mu+


def test_close_pairs_are_dropped():
    jets = np.zeros((2, 8, 4))
    for row, distance in enumerate((0.3998, 0.4002)):
        jets[row, 0] = 50.0, 50.0, 0.0, 0.0
        jets[row, 1] = 30.0, 30 * np.cos(distance), 30 * np.sin(distance), 0.0
    muons = np.array([[[45.6, 45.6, 0.0, 0.0], [45.6, -45.6, 0.0, 0.0]]] * 2)
    assert z_jets._selected({"muons": muons, "jets": jets}).tolist() == [False, True]


def test_storage_rounds_once(events):
    stored = pack(events)
    assert {values.dtype.name for values in stored.values()} == {"int16", "uint16"}
    again = unpack(stored)
    assert np.array_equal(again["muons"], events["muons"]) and np.array_equal(again["number"], events["number"])
    assert np.array_equal(again["jets"][..., 1:], events["jets"][..., 1:])
    np.testing.assert_allclose(again["jets"], events["jets"], rtol=3e-7)


def test_precision_of_storage():
    random = np.random.default_rng(3)

    def momenta(shape, least, masses):
        transverse = np.sort(least * 10 ** random.uniform(0.01, 1.5, shape))[..., ::-1]
        rapid, angle = random.uniform(-4.9, 4.9, shape), random.uniform(-np.pi, np.pi, shape)
        three = transverse * np.stack([np.cos(angle), np.sin(angle), np.sinh(rapid)])
        return np.stack([np.sqrt((three**2).sum(axis=0) + masses**2), *three], axis=-1)

    masses = random.uniform(0, 100, (500, 8))
    columns = {"muons": momenta((500, 2), 1.0, 0.10566), "jets": momenta((500, 8), 20.0, masses)}
    stored = pack(columns)
    again = {name: values.astype(np.float64) for name, values in unpack(stored).items()}
    for name in ("muons", "jets"):
        assert np.abs(np.log(pt(again[name]) / pt(columns[name]))).max() < STEP / 2 * 1.01
        assert np.abs(eta(again[name]) - eta(columns[name])).max() < STEP / 2 * 1.01
        assert np.abs(wrap(phi(again[name]) - phi(columns[name]))).max() < STEP / 2 * 1.01
    stored_mass = MASS_UNIT * np.expm1(stored["jet_mass"] * MASS_STEP)
    assert np.abs(stored_mass - masses).max() < 0.5 * MASS_STEP * (100 + MASS_UNIT)


def test_the_z_mass_hardly_feels_the_rounding():
    random = np.random.default_rng(4)
    angle, rapid = random.uniform(-np.pi, np.pi, (2000, 1)), random.uniform(-2, 2, (2000, 2))
    transverse, angle = (
        random.uniform(20, 60, (2000, 2)),
        angle + np.array([0, np.pi]) + random.normal(0, 0.2, (2000, 2)),
    )
    three = transverse * np.stack([np.cos(angle), np.sin(angle), np.sinh(rapid)])
    muons = np.stack([np.sqrt((three**2).sum(axis=0) + 0.10566**2), *three], axis=-1)
    again = unpack(pack({"muons": muons, "jets": np.zeros((2000, 8, 4))}))["muons"].astype(np.float64)
    before, after = mass(muons.sum(axis=1)), mass(again.sum(axis=1))
    assert np.std(after / before - 1) * 91.2 < 0.007


def test_bad_input_is_named(events):
    with pytest.raises(ValueError, match="^n: found 0"):
        generate(0, seed=1)
    for wrong in (0, 9, 1.5):
        with pytest.raises(ValueError, match=f"^minimum_jets: found {wrong}"):
            generate(5, seed=1, minimum_jets=wrong)
    with pytest.raises(ValueError, match="^variation: found 'other', expected one of"):
        generate(5, seed=1, variation="other")
    with pytest.raises(ValueError, match="^data: column 'muons' is missing"):
        features({"jets": events["jets"]})
    for name in ("muons", "jets"):
        with pytest.raises(ValueError, match=f"^{name}: found shape"):
            features({**events, name: events[name][:, :1]})
        with pytest.raises(ValueError, match=f"^{name}: found shape"):
            pack({**events, name: events[name][:, :1]})
    with pytest.raises(ValueError, match="^jets: found a pT of .* expected all above 20 GeV"):
        pack({**events, "jets": events["jets"] * 0.5})
    with pytest.raises(ValueError, match="^muons: found a pT of"):
        pack({**events, "muons": events["muons"] * 1e-5})
