"""The fast detector: efficiencies, resolutions, towers and energy flow against their closed forms."""

from dataclasses import replace

import awkward as ak
import numpy as np
import pytest

from hepml_labs.physics.detector import NEUTRAL_HADRON, PHOTON, TRACK, EnergyFlow, charge, energy_flow

DETECTOR = EnergyFlow()
ELECTRON, MUON, PHOTON_ID, PION, NEUTRON, K_LONG = 11, 13, 22, 211, 2112, 130


def alone(ids, pt, eta, n=20_000, seed=1, angle=0.3, detector=DETECTOR):
    """Response to n events of the same massless particles, which all have the same azimuth."""
    ids, pt, eta = (np.broadcast_to(value, np.shape(ids)) for value in (ids, pt, eta))
    one = ak.zip(
        {"px": pt * np.cos(angle), "py": pt * np.sin(angle), "pz": pt * np.sinh(eta), "E": pt * np.cosh(eta), "id": ids}
    )
    return energy_flow(
        ak.Array([one] * n) if n < 5 else one[None][np.zeros(n, int)], np.random.default_rng(seed), detector
    )


def transverse(objects):
    return np.hypot(objects.px, objects.py)


@pytest.mark.parametrize(
    ("particle", "pt", "eta", "efficiency"),
    [
        (PION, 0.5, 0.0, 0.70),
        (PION, 0.5, -2.0, 0.60),
        (-PION, 20.0, 1.0, 0.95),
        (PION, 20.0, -2.0, 0.85),
        (ELECTRON, 0.5, 0.2, 0.73),
        (-ELECTRON, 50.0, 1.7, 0.83),
        (ELECTRON, 200.0, 0.0, 0.99),
        (MUON, 0.5, 2.0, 0.70),
        (-MUON, 50.0, 0.0, 0.99),
        (PION, 0.09, 0.0, 0.0),
        (PION, 20.0, 2.6, 0.0),
    ],
)
def test_tracking_efficiency(particle, pt, eta, efficiency):
    objects = alone([particle], pt, eta)
    tracks = ak.sum(objects.kind == TRACK, axis=1).to_numpy()
    assert tracks.max() <= 1
    assert tracks.mean() == pytest.approx(efficiency, abs=4 * np.sqrt(efficiency * (1 - efficiency) / len(tracks)))
    assert ak.all(objects.charge[objects.kind == TRACK] == np.sign(particle) * (1 if abs(particle) > 100 else -1))
    assert ak.all(objects.charge[objects.kind != TRACK] == 0)


@pytest.mark.parametrize(
    ("pt", "eta", "constant", "slope"),
    [(50.0, 0.3, 0.01, 1e-4), (300.0, 1.0, 0.015, 1.5e-4), (300.0, -2, 0.025, 3.5e-4)],
)
def test_muons_keep_their_momentum_within_the_resolution(pt, eta, constant, slope):
    objects = ak.flatten(alone([MUON], pt, eta))
    ratio, resolution = transverse(objects) / pt, np.hypot(constant, slope * pt)
    assert np.mean(ratio) == pytest.approx(1, abs=4 * resolution / len(ratio) ** 0.5)
    assert np.std(ratio) == pytest.approx(resolution, rel=0.03)
    np.testing.assert_allclose(np.arcsinh(objects.pz / transverse(objects)), eta)
    np.testing.assert_allclose(np.arctan2(objects.py, objects.px), 0.3)


@pytest.mark.parametrize(
    ("particle", "kind", "energy", "eta", "resolution"),
    [
        (PHOTON_ID, PHOTON, 50.0, 1.0, (0.0017, 0.101, 0.0)),
        (PHOTON_ID, PHOTON, 500.0, 4.0, (0.035, 0.285, 0.0)),
        (NEUTRON, NEUTRAL_HADRON, 100.0, 0.5, (0.0302, 0.5205, 1.59)),
        (K_LONG, NEUTRAL_HADRON, 100.0, -2.4, (0.05, 0.706, 0.0)),
        (PION, NEUTRAL_HADRON, 1000.0, 3.5, (0.0942, 1.0, 0.0)),  # beyond the tracker a pion is one of them
    ],
)
def test_neutral_particles_are_towers_with_the_resolution_of_their_calorimeter(particle, kind, energy, eta, resolution):
    objects = alone([particle], energy / np.cosh(eta), eta)
    assert ak.all(ak.num(objects) == 1)
    objects = ak.flatten(objects)
    assert ak.all(objects.kind == kind) and ak.all(objects.charge == 0)
    constant, stochastic, noise = resolution
    sigma = np.sqrt((constant * energy) ** 2 + stochastic**2 * energy + noise**2)
    assert np.mean(objects.E) == pytest.approx(energy, abs=4 * sigma / len(objects) ** 0.5)
    assert np.std(objects.E) == pytest.approx(sigma, rel=0.03)


@pytest.mark.parametrize(("eta", "wide"), [(0.72, 1), (-0.72, 1), (3.05, 2)])
def test_towers_forget_the_place_in_them(eta, wide):
    objects = ak.flatten(alone([NEUTRON], 50.0, eta, angle=-3.1))
    found = np.arcsinh(objects.pz / transverse(objects)).to_numpy()
    low = np.floor(eta / (0.1 * wide)) * 0.1 * wide
    assert low <= found.min() < found.max() <= low + 0.1 * wide
    assert found.mean() == pytest.approx(low + 0.05 * wide, abs=0.002)  # flat, so the mean is the centre ...
    assert found.std() == pytest.approx(0.1 * wide / np.sqrt(12), rel=0.02)  # ... and this the width
    angle = np.arctan2(objects.py, objects.px).to_numpy()
    assert -np.pi <= angle.min() < angle.max() <= -np.pi + wide * np.pi / 18


def test_particles_in_one_tower_are_one_object_and_in_two_towers_two():
    assert ak.all(ak.num(alone([PHOTON_ID] * 2, 20.0, [0.71, 0.79], n=500)) == 1)
    assert ak.all(ak.num(alone([PHOTON_ID] * 2, 20.0, [0.69, 0.71], n=500)) == 2)
    fine = replace(DETECTOR, electromagnetic_step=(0.0174, np.pi / 180))
    assert ak.all(ak.num(alone([PHOTON_ID] * 2, 20.0, [0.71, 0.79], n=500, detector=fine)) == 2)
    assert ak.all(ak.num(alone([PHOTON_ID, NEUTRON], 20.0, 0.75, n=500)) == 2)  # two calorimeters
    assert ak.all(ak.num(alone([PHOTON_ID] * 2, 20.0, [2.52, 2.59], n=500)) == 1)


def test_neutrinos_and_what_leaves_the_coverage_vanish():
    for particle in (12, -14, 16):
        assert ak.all(ak.num(alone([particle], 50.0, 0.0, n=100)) == 0)
    assert ak.all(ak.num(alone([PHOTON_ID], 50.0, 5.0, n=100)) == 0)
    assert ak.all(ak.num(alone([PHOTON_ID], 0.1, 0.0, n=100)) == 0)  # below the threshold of a tower


def test_energy_flow_counts_each_particle_once():
    """A charged pion, found or lost by the tracker, and neutral particles beside it: energy is kept on average."""
    for ids, pt in (
        ([PION], 30.0),
        ([PION, PHOTON_ID], 30.0),
        ([PION, PION, NEUTRON], 40.0),
        ([ELECTRON, PHOTON_ID], 40.0),
    ):
        energy = ak.sum(alone(ids, pt, 0.35).E, axis=1).to_numpy()
        total = pt * np.cosh(0.35) * len(ids)
        assert energy.mean() == pytest.approx(total, rel=0.015)
        assert np.median(energy) == pytest.approx(total, rel=0.015)


def test_a_neutral_hadron_behind_a_track_is_the_excess():
    objects = alone([PION, NEUTRON], [10.0, 100.0], 0.35)
    both = objects[(ak.sum(objects.kind == TRACK, axis=1) == 1)]
    neutral = ak.flatten(both.E[both.kind == NEUTRAL_HADRON])
    total = np.cosh(0.35) * np.array([10.0, 100.0])
    assert len(neutral) == len(both)
    sigma = np.sqrt((0.0302 * total.sum()) ** 2 + 0.5205**2 * total.sum() + 1.59**2)
    assert np.mean(neutral) == pytest.approx(total[1], abs=4 * sigma / len(neutral) ** 0.5)
    assert np.std(neutral) == pytest.approx(sigma, rel=0.04)


def test_a_tower_without_excess_improves_the_tracks_in_it():
    """Two measurements of one energy give their weighted mean, whose variance is the inverse of the sum of inverses."""
    pt, eta = 500.0, 0.0  # track and tower are equally good here
    track, tower = pt * np.hypot(0.06, 1.3e-3 * pt), np.sqrt((0.0302 * pt) ** 2 + 0.5205**2 * pt + 1.59**2)
    objects = alone([PION], pt, eta)
    tracks = ak.flatten(objects.E[(objects.kind == TRACK) & (ak.num(objects) == 1)])
    assert len(tracks) > 0.8 * len(objects)
    assert np.std(tracks) == pytest.approx((track**-2 + tower**-2) ** -0.5, rel=0.15)
    assert np.std(tracks) < 0.5 * track


def test_a_tower_below_threshold_leaves_tracks_alone():
    """The tower of a pion of 2 GeV is known to 1.75 GeV: what it measures counts above two of these only."""
    poor = replace(DETECTOR, hadron_resolution=((0.5, 0.0),) * 3)
    blind = replace(poor, minimum_energy=(0.5, 1e6))
    seen, alone_seen = (alone([PION], 2.0, 0.0, detector=detector) for detector in (poor, blind))
    tracked = ak.num(alone_seen).to_numpy() == 1
    energy = ak.firsts(seen.E)[tracked].to_numpy(), ak.firsts(alone_seen.E)[tracked].to_numpy()
    assert 0.8 < np.mean(np.isclose(*energy)) < 0.99


def test_lost_tracks_turn_into_neutral_hadrons():
    objects = alone([PION], 30.0, 0.35)
    lost = ak.sum(objects.kind == TRACK, axis=1) == 0
    assert np.mean(lost) == pytest.approx(0.05, abs=0.006)
    assert ak.all(objects.kind[lost] == NEUTRAL_HADRON) and np.mean(ak.num(objects[lost])) > 0.99


def events(n=200, seed=3):
    random = np.random.default_rng(seed)
    counts = random.integers(0, 60, n)
    total = counts.sum()
    pt, eta, phi = random.exponential(50, total), random.uniform(-5, 5, total), random.uniform(-np.pi, np.pi, total)
    mass = 0.14
    momenta = {"px": pt * np.cos(phi), "py": pt * np.sin(phi), "pz": pt * np.sinh(eta)}
    energy = np.sqrt((pt * np.cosh(eta)) ** 2 + mass**2)
    ids = random.choice([PION, -PION, PHOTON_ID, K_LONG, NEUTRON, 14, MUON, ELECTRON, 310], total)
    return ak.unflatten(ak.zip(momenta | {"E": energy, "id": ids}), counts)


def test_objects_are_massless_and_events_do_not_mix():
    particles = events()
    objects = energy_flow(particles, np.random.default_rng(1))
    assert len(objects) == len(particles) and ak.all((ak.num(objects) == 0)[ak.num(particles) == 0])
    flat = ak.flatten(objects)
    np.testing.assert_allclose(flat.E**2, flat.px**2 + flat.py**2 + flat.pz**2, rtol=1e-9)
    size = abs(np.arcsinh(particles.pz / transverse(particles)))
    seen = particles[(particles.id != 14) & (size < 4.9) & ((particles.id != MUON) | (size < 2.5))]
    true, found = ak.sum(seen.E, axis=1).to_numpy(), ak.sum(objects.E, axis=1).to_numpy()
    many = ak.num(seen).to_numpy() > 10
    assert np.corrcoef(true[many], found[many])[0, 1] > 0.9  # events that mix would give 0
    assert found[many].sum() == pytest.approx(true[many].sum(), rel=0.05)


def test_the_same_seed_gives_the_same_objects():
    particles = events()
    first, again, other = (energy_flow(particles, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert ak.array_equal(first, again) and not ak.array_equal(ak.num(first), ak.num(other))


def test_no_events_and_empty_events():
    for chosen in (events()[:0], events()[ak.num(events()) < 0], events()[:3][:, :0]):
        objects = energy_flow(chosen, np.random.default_rng(1))
        assert len(objects) == len(chosen) and ak.sum(ak.num(objects)) == 0
        assert objects.fields == ["px", "py", "pz", "E", "charge", "kind"]


def test_charges_are_those_of_pythia():
    pythia8mc = pytest.importorskip("pythia8mc")
    table = pythia8mc.Pythia("", False).particleData
    codes = [11, 12, 13, 22, 111, 130, 310, 2112, 2212, 3112, 3122, 3222, 3312, 3322, 3334]
    codes += [211, 321, 411, 421, 431, 511, 521, 531, 541, 4122, 4132, 4232, 5122, 5132, 5232]
    for code in codes:
        for sign in (1, -1) if table.hasAnti(code) else (1,):
            assert charge(np.array([sign * code]))[0] == round(table.charge(sign * code)), code


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="^particles: .*id"):
        energy_flow(events()[["px", "py", "pz", "E"]], np.random.default_rng(1))
