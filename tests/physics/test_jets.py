"""Jets: FastJet against algorithms and observables written by hand, invariants, closed forms."""

import subprocess
import sys

import awkward as ak
import fastjet
import numpy as np
import pytest

from hepml_labs.physics.jets import cluster, n_subjettiness, pad, soft_drop_mass, to_array
from hepml_labs.physics.kinematics import boost, eta, phi, pt, rotate
from hepml_labs.physics.recombination import (
    cluster_by_hand,
    declusterings,
    exclusive_subjets,
    jet_mass,
    passes_soft_drop,
    separation,
    subjettiness,
)
from hepml_labs.physics.substructure import energy_correlations, energy_ratios, multiplicity, pt_dispersion, width


def showers(n, seed, particles=25, spread=0.35):
    """Jets of massless particles around three directions near (0, 0), zero-padded: (n, particles, 4)."""
    random = np.random.default_rng(seed)
    counts = random.integers(4, particles, n, endpoint=True)
    prong = random.integers(0, 3, (n, particles))
    rows = np.arange(n)[:, None]
    y, angle = random.normal(0, spread, (2, n, 3))[:, rows, prong] + random.normal(0, 0.08, (2, n, particles))
    size = random.exponential(10, (n, particles)) + 0.3
    momenta = np.stack([np.cosh(y), np.cos(angle), np.sin(angle), np.sinh(y)], -1) * size[..., None]
    return np.where((np.arange(particles) < counts[:, None])[..., None], momenta, 0.0)


def records(momenta, **others):
    """Awkward records of padded momenta."""
    real = momenta[..., 0] > 0
    names = dict(zip(("E", "px", "py", "pz"), momenta[real].T, strict=True))
    flat = ak.zip(names | {name: values[real] for name, values in others.items()})
    return ak.unflatten(flat, real.sum(1))


JETS = showers(60, seed=1)


@pytest.mark.parametrize(("algorithm", "power"), [("antikt", -1), ("ca", 0), ("kt", 1)])
def test_clustering_agrees_with_the_algorithm_by_hand(algorithm, power):
    jets, _ = cluster(records(JETS[:25]), 0.5, 5.0, algorithm)
    for found, momenta in zip(jets, JETS[:25], strict=True):
        expected = cluster_by_hand(momenta[momenta[:, 0] > 0], 0.5, power)
        expected = expected[pt(expected) > 5]
        np.testing.assert_allclose(to_array(found), expected, rtol=1e-9, atol=1e-9)


def test_constituents_keep_their_fields_and_add_up_to_their_jets():
    number = np.arange(JETS[..., 0].size).reshape(JETS.shape[:2])
    particles = records(JETS, number=number)
    jets, constituents = cluster(particles, 0.4, 10.0)
    assert ak.num(jets).to_list() == ak.num(constituents).to_list()
    for name in ("px", "py", "pz", "E"):
        np.testing.assert_allclose(ak.flatten(ak.sum(constituents[name], axis=2)), ak.flatten(jets[name]), atol=1e-9)
    flat = ak.flatten(ak.flatten(constituents))
    np.testing.assert_array_equal(JETS.reshape(-1, 4)[flat.number.to_numpy()], to_array(flat))
    assert len(np.unique(flat.number)) == len(flat)
    momenta = [pt(to_array(event)) for event in jets]
    assert all((np.diff(event) <= 0).all() and (event >= 10).all() for event in momenta)


def test_events_without_particles_or_jets_have_none():
    particles = records(JETS[:3], number=np.ones(JETS[:3].shape[:2]))
    for chosen in (particles[:0], particles[particles.E < 0], ak.concatenate([particles[:1], particles[:1][:, :0]])):
        jets, constituents = cluster(chosen, 0.8, 1e-3)
        assert len(jets) == len(constituents) == len(chosen)
        assert (ak.num(jets) > 0).to_list() == (ak.num(chosen) > 0).to_list()
        assert set(jets.fields) == {"E", "px", "py", "pz"} and constituents.fields == particles.fields
    assert ak.num(cluster(particles, 0.8, 1e5)[0]).to_list() == [0, 0, 0]


def test_pad_sorts_cuts_and_fills():
    padded = pad(records(JETS), 10)
    assert padded.shape == (60, 10, 4) and padded.dtype == np.float64
    for row, momenta in zip(padded, JETS, strict=True):
        expected = momenta[np.argsort(-pt(momenta))][:10]
        np.testing.assert_array_equal(row, expected)
    assert pad(records(JETS)[:0], 3).shape == (0, 3, 4)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_subjettiness_agrees_with_the_formula_on_kt_axes(count):
    found = n_subjettiness(JETS, (count,), radius=0.8, axes="KT_Axes")[:, 0]
    present = [momenta[momenta[:, 0] > 0] for momenta in JETS]
    expected = [subjettiness(momenta, exclusive_subjets(momenta, count), 0.8) for momenta in present]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


def test_subjettiness_of_known_jets():
    def four(size, angle):
        return size * np.array([1, np.cos(angle), np.sin(angle), 0.0])

    three = np.array([[four(60, 0.0), four(30, 0.5), four(10, -0.2)]])
    tau = n_subjettiness(three, (1, 2, 3, 4), radius=0.8)[0]
    np.testing.assert_allclose(
        tau, [(30 * 0.5 + 10 * 0.2) / 80, 10 * 0.2 / 80, 0, 0], rtol=1e-3, atol=1e-7
    )  # axes to 1e-4
    squared = n_subjettiness(three, (1,), radius=0.8, beta=2.0, axes="WTA_KT_Axes")[0, 0]
    assert squared == pytest.approx((30 * 0.25 + 10 * 0.04) / 64, rel=1e-6)
    assert n_subjettiness(three[:, :1], (1, 2))[0].tolist() == [0, 0]


def test_improved_axes_never_do_worse():
    plain, improved = n_subjettiness(JETS, axes="WTA_KT_Axes"), n_subjettiness(JETS)
    assert (improved <= 1.005 * plain + 1e-9).all() and (improved < 0.95 * plain).any()
    assert (improved[:, 1:] <= 1.005 * improved[:, :-1]).all()


@pytest.mark.parametrize(("z_cut", "beta"), [(0.1, 0.0), (0.2, 0.0), (0.1, 1.0), (0.05, 2.0)])
def test_soft_drop_agrees_with_the_procedure_by_hand(z_cut, beta):
    masses = soft_drop_mass(JETS, 0.8, z_cut, beta)
    for mass, momenta in zip(masses, JETS, strict=True):
        expected = 0.0
        for hard, soft in declusterings(momenta[momenta[:, 0] > 0], radius=50.0):
            if passes_soft_drop(pt(hard), pt(soft), separation(hard, soft), 0.8, z_cut, beta):
                expected = jet_mass(np.stack([hard, soft]))
                break
        assert mass == pytest.approx(expected, rel=1e-6, abs=1e-5)


def test_energy_correlations_agree_with_fastjet_contrib():
    sequence = fastjet.ClusterSequence(records(JETS), fastjet.JetDefinition(fastjet.cambridge_algorithm, 100.0))

    def contrib(**arguments):
        found = sequence.exclusive_jets_energy_correlator(njets=1, beta=1.5, **arguments)
        return np.asarray(found).reshape(len(JETS))

    e2, e3 = energy_correlations(JETS, beta=1.5)
    np.testing.assert_allclose(e2, contrib(npoint=2, angles=-1, func="generalized"), rtol=1e-6)
    np.testing.assert_allclose(e3, contrib(npoint=3, angles=-1, func="generalized"), rtol=1e-6)
    c2, d2 = energy_ratios(JETS, beta=1.5)
    np.testing.assert_allclose(c2, e3 / e2**2, rtol=1e-12)
    np.testing.assert_allclose(d2, contrib(func="d2"), rtol=1e-6)


OBSERVABLES = {
    "tau": lambda jets: n_subjettiness(jets, (1, 2, 3)),
    "soft drop": lambda jets: soft_drop_mass(jets, 0.8),
    "width": width,
    "pt dispersion": pt_dispersion,
    "multiplicity": multiplicity,
    "D2": lambda jets: np.stack(energy_ratios(jets), -1),
}


@pytest.mark.parametrize("name", OBSERVABLES)
def test_observables_do_not_see_order_padding_axis_or_the_type_of_array(name):
    observable = OBSERVABLES[name]
    expected = observable(JETS)
    turned = rotate(boost(JETS.reshape(-1, 4), [0.0, 0.0, 0.4]), [0.0, 0.0, 1.0], 2.9).reshape(JETS.shape)
    wider = np.concatenate([np.zeros_like(JETS[:, :3]), JETS[:, ::-1]], axis=1)
    for same in (wider, turned):
        np.testing.assert_allclose(observable(same), expected, rtol=1e-6, atol=1e-6)
    if name in ("tau", "soft drop"):
        np.testing.assert_array_equal(observable(records(JETS)), expected)


def test_width_and_dispersion_of_equal_particles():
    momenta = JETS / np.where(JETS[..., :1] > 0, pt(JETS)[..., None], 1)  # all with the same pT
    np.testing.assert_allclose(pt_dispersion(momenta), multiplicity(JETS) ** -0.5)
    axis = momenta.sum(1, keepdims=True)
    far = np.where(momenta[..., 0] > 0, separation(np.where(momenta > 0, momenta, momenta + (momenta == 0)), axis), 0)
    np.testing.assert_allclose(width(momenta), far.sum(1) / multiplicity(JETS), rtol=0.2)
    assert (np.abs(eta(axis)) < 3).all() and (np.abs(phi(axis)) < 3.2).all()


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: cluster(JETS, 0.4, 10.0), "particles"),
        (lambda: cluster(records(JETS)[["px", "py", "pz"]], 0.4, 10.0), "particles"),
        (lambda: cluster(records(JETS), -0.4, 10.0), "radius"),
        (lambda: cluster(records(JETS), 0.4, -1.0), "minimum_pt"),
        (lambda: cluster(records(JETS), 0.4, 10.0, "cone"), "algorithm"),
        (lambda: pad(records(JETS), 0), "n"),
        (lambda: to_array(records(JETS)[["px", "py", "E"]]), "records"),
        (lambda: n_subjettiness(JETS[0]), "constituents"),
        (lambda: n_subjettiness(JETS[:, :0]), "constituents"),
        (lambda: n_subjettiness(np.zeros((2, 3, 4))), "constituents"),
        (lambda: n_subjettiness(np.where(JETS == JETS.max(), np.nan, JETS)), "constituents"),
        (lambda: n_subjettiness(JETS, (0,)), "counts"),
        (lambda: n_subjettiness(JETS, (1,), beta=0.0), "beta"),
        (lambda: soft_drop_mass(JETS, 0.8, z_cut=0.7), "z_cut"),
        (lambda: width(np.zeros((2, 3, 4))), "constituents"),
        (lambda: energy_correlations(JETS, beta=-1.0), "beta"),
    ],
)
def test_bad_input_is_named(call, name):
    with pytest.raises(ValueError, match=f"^{name}: "):
        call()


def test_fastjet_prints_no_banner():
    code = (
        "import awkward as ak; from hepml_labs.physics.jets import cluster\n"
        "cluster(ak.Array([[{'px': 9.0, 'py': 0.0, 'pz': 0.0, 'E': 9.0}]]), 0.4, 1.0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ""
