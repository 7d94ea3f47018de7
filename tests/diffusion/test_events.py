"""Representation of Z + jets events: exact inverses, exact edges, Jacobians, and the generator that ships."""

import numpy as np
import pytest
import torch
from scipy import stats
from torch.autograd.functional import jacobian

from hepml_labs.datasets import load
from hepml_labs.diffusion.edges import Interval, Pareto, Positive, Probit
from hepml_labs.diffusion.event_coordinates import coordinates, momenta, names
from hepml_labs.diffusion.event_map import EventEdges, event_map
from hepml_labs.diffusion.event_weights import load_generator, read_facts, weights_path
from hepml_labs.diffusion.events import mirror_images, observables, passes_cuts, select
from hepml_labs.diffusion.flow_matching import FlowMatching
from hepml_labs.diffusion.radial import Asinh, Magnifier
from hepml_labs.evaluation import classifier_two_sample_test
from hepml_labs.evaluation.generators import wasserstein_distances
from hepml_labs.physics.kinematics import mass, phi

SCALERS = {
    "probit": (Probit(-2.0, 5.0), lambda u: -2 + 7 * u),
    "pareto": (Pareto(20.0, 65.0, 5.5), lambda u: 20 + 65 * ((1 - u) ** (-1 / 5.5) - 1)),
    "positive": (Positive(0.02), lambda u: -0.2 * np.log1p(-u)),
    "interval": (Interval(-2.0, 5.0, 0.5), lambda u: -2 + 7 * u),
    "asinh": (Asinh(20.0), lambda u: 400 * (u - 0.5)),
}


@pytest.fixture(scope="module")
def sample():
    return load("z_jets", "test", n=12_000)


@pytest.mark.parametrize("name", SCALERS)
def test_scalers_invert_and_know_their_jacobian(name):
    scaler, from_unit = SCALERS[name]
    near = np.array([1e-13, 1e-9, 1e-6, 1e-3])
    x = torch.tensor(from_unit(np.concatenate([near, np.linspace(0.01, 0.99, 40), 1 - near[::-1]])))[:, None]
    z, log_det = scaler(x)
    back, log_back = scaler.inverse(z)
    assert (back - x).abs().max() < 2e-9 * max(1.0, x.abs().max())
    assert (z.diff(dim=0) >= 0).all() and z.isfinite().all()
    torch.testing.assert_close(log_det, -log_back, rtol=1e-5, atol=1e-5)
    inner = slice(5, -5)
    slope = torch.stack([jacobian(lambda one: scaler(one)[0], row[None])[0, 0, 0, 0] for row in x[inner]])
    torch.testing.assert_close(log_det[inner], slope.log())


def test_probit_and_pareto_make_their_densities_normal():
    u = np.linspace(0.001, 0.999, 50)
    for name in ("probit", "pareto"):
        scaler, from_unit = SCALERS[name]
        z = scaler(torch.tensor(from_unit(u))[:, None])[0].numpy()[:, 0]
        np.testing.assert_allclose(z, stats.norm.ppf(u), atol=1e-10)


@pytest.mark.parametrize("name", ["probit", "pareto", "positive", "interval"])
def test_scalers_refuse_what_is_outside(name):
    scaler, from_unit = SCALERS[name]
    with pytest.raises(ValueError, match="1 of 2 values outside"):
        scaler(torch.tensor([[from_unit(0.5)], [from_unit(0.0) - 0.1]]))
    scaler(torch.tensor([[from_unit(0.0)]]))  # an edge itself is allowed


@pytest.mark.parametrize("jets", [1, 2, 3])
def test_events_make_the_round_trip(sample, jets):
    events = select(sample, jets)
    assert passes_cuts(events).all()
    x = coordinates(events)
    again = momenta(x, phi(events[:, 2]))
    assert (np.abs(again - events).max(axis=(1, 2)) < 1e-9 * events[..., 0].max(axis=1)).all()
    scaler = event_map(jets)
    z, log_det = scaler(torch.tensor(x))
    back, log_back = scaler.inverse(z)
    np.testing.assert_allclose(back.numpy(), x, atol=1e-6, rtol=0)
    torch.testing.assert_close(log_det, -log_back, rtol=0, atol=1e-8)
    assert z.std(dim=0).max() < 3 and (z.abs().max(dim=0).values < 15).all()


@pytest.mark.parametrize("jets", [2, 3])
def test_jacobian_of_the_event_map_against_autograd(sample, jets):
    x = torch.tensor(coordinates(select(sample, jets))[:4])
    scaler = event_map(jets)
    for row, log_det in zip(x, scaler(x)[1], strict=True):
        matrix = jacobian(lambda one: scaler(one[None])[0][0], row)
        assert torch.linalg.slogdet(matrix).logabsdet == pytest.approx(float(log_det), abs=1e-8)


@pytest.mark.parametrize("jets", [2, 3, 4])
def test_whatever_is_generated_keeps_the_edges(jets):
    z = 1.2 * torch.randn(4000, 5 + 4 * jets, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    x = event_map(jets).inverse(z)[0]
    events = momenta(x.numpy(), seed=2)
    found = observables(events)
    muons_inside = (np.abs(found["eta_minus"]) < 5) & (np.abs(found["eta_plus"]) < 5)
    # all but the cut on muons holds by construction; 1e-9 for values on an edge within rounding
    transverse = np.stack([found[f"pt_{j + 1}"] for j in range(jets)], axis=1)
    assert (transverse > 20 - 1e-9).all() and (np.diff(transverse, axis=1) < 1e-9).all()
    assert min(found[f"delta_r_{i}{j}"].min() for j in range(1, jets + 1) for i in range(1, j)) > 0.4 - 1e-9
    assert 76 < found["mass_z"].min() and found["mass_z"].max() < 106
    inside = muons_inside & (np.diff(transverse, axis=1) <= 0).all(axis=1) & (transverse > 20).all(axis=1)
    assert passes_cuts(events)[inside].mean() > 0.999
    slow = events[..., 0].max(axis=1) < 1000  # E^2 - p^2 has no digits left for the mass of a very fast muon
    np.testing.assert_allclose(mass(events[slow, :2]), 0.10566, atol=1e-5)


def test_interval_is_straight_inside_and_odd():
    x = torch.linspace(-3, 3, 13, dtype=torch.float64)[:, None]
    z, _ = Interval(-5.0, 5.0, 0.25)(x)
    assert (z - x).abs().max() < 1e-3
    torch.testing.assert_close(Interval(-5.0, 5.0, 0.5)(-x)[0], -Interval(-5.0, 5.0, 0.5)(x)[0])
    z, _ = Interval(-5.0, 5.0, 1e4)(x)  # one logarithm reaches the other: a logit
    torch.testing.assert_close(z / 1e4, torch.logit((x + 5) / 10), rtol=1e-3, atol=1e-3)


PLANES = {"magnifier": Magnifier(2.0, 0.5, 3.0), "asinh": Asinh(20.0)}


@pytest.mark.parametrize("name", PLANES)
def test_maps_of_planes_invert_and_know_their_jacobian(name):
    transform = PLANES[name]
    x = 1.5 * torch.randn(300, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    z, log_det = transform(x)
    back, log_back = transform.inverse(z)
    torch.testing.assert_close(back, x, rtol=0, atol=1e-10)
    torch.testing.assert_close(log_det, -log_back, rtol=0, atol=1e-10)
    torch.testing.assert_close(x[:, 0] * z[:, 1], x[:, 1] * z[:, 0])  # along the radius
    for row, value in zip(x[:20], log_det, strict=False):
        matrix = jacobian(lambda one: transform(one[None])[0][0], row)
        assert torch.linalg.slogdet(matrix).logabsdet == pytest.approx(float(value), abs=1e-8)


def test_magnifier_flattens_its_density_and_leaves_the_rest_alone():
    magnifier = Magnifier(2.0, 0.5, 3.0)
    radius = torch.tensor([0.0, 0.5, 2.999, 3.0, 3.001, 7.0], dtype=torch.float64)
    z, log_det = magnifier(torch.stack([radius, 0 * radius], dim=1))
    np.testing.assert_allclose(log_det.exp()[[0, 3, 5]], [3, 1, 1], atol=0.002)
    assert log_det.exp()[1] == pytest.approx(2, abs=0.05)
    torch.testing.assert_close(z[2:, 0], radius[2:], atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="radius: found 0.9, expected it larger"):
        Magnifier(2.0, 0.5, 0.9)


def test_map_is_onto_at_the_hole():
    """All real numbers are used, with a jump of the pseudorapidity across the hole, which stands at zero."""
    edges, z = EventEdges(2), torch.zeros(4001, 13, dtype=torch.float64)
    z[:, 0], z[:, 6], z[:, 7], z[:, 8], z[:, 9] = 91.0, 20.0, 2.3, 0.1, 30.0
    z[:, 10] = torch.linspace(-12, 8, 4001)
    x, _ = edges.inverse(z)
    eta, leading = x[:, 10], x[0, 7]
    assert (eta.diff() > 0).all() and eta[0] < -4.99 and eta[-1] > 4.99
    assert eta.diff().max() == pytest.approx(0.8, abs=0.01) and ((eta - leading).abs() > 0.4).all()
    assert ((eta > leading) == (z[:, 10] > 0))[z[:, 10].abs() > 1e-9].all()
    torch.testing.assert_close(edges(x)[0], z)
    x[0, 10] = leading + 0.1
    with pytest.raises(ValueError, match="jet 2 within Delta R"):
        edges(x)


def test_mirror_images_can_be_held_back_together(sample):
    x = coordinates(mirror_images(select(sample, 2)[:60]))
    held = np.tile(np.arange(60) < 10, 4)
    settings = dict(scaler=event_map(2), hidden=(4,), epochs=1)
    one = FlowMatching(**settings).fit(x, validation=held)
    changed = x.copy()
    changed[held] = x[~held][: held.sum()]
    two = FlowMatching(**settings).fit(changed, validation=held)
    assert np.array_equal(one.sample(5), two.sample(5))  # nothing was learned from what is held back
    with pytest.raises(ValueError, match="validation: expected a number, or 240 booleans"):
        FlowMatching(**settings).fit(x, validation=held[:60])


def test_symmetries_leave_the_coordinates_alone(sample):
    events = select(sample, 2)[:50]
    angle = 1.3
    turned = events.copy()
    turned[..., 1] = np.cos(angle) * events[..., 1] - np.sin(angle) * events[..., 2]
    turned[..., 2] = np.sin(angle) * events[..., 1] + np.cos(angle) * events[..., 2]
    np.testing.assert_allclose(coordinates(turned), coordinates(events), atol=1e-6)
    images = coordinates(mirror_images(events)).reshape(4, 50, -1)
    column = names(2).index
    np.testing.assert_allclose(images[1][:, column("eta_1")], -images[0][:, column("eta_1")])
    np.testing.assert_allclose(images[2][:, column("dphi_2")], -images[0][:, column("dphi_2")])
    np.testing.assert_allclose(images[3][:, column("mass_z")], images[0][:, column("mass_z")], rtol=1e-9)


def test_collins_soper_frame_against_the_textbook():
    """cos theta = 2 (p1+ p2- - p1- p2+) / (m sqrt(m^2 + pT^2)) with p+- = (E +- pz) / sqrt(2), for massless leptons."""
    events = select(load("z_jets", "test", n=2000), 1)
    plus, minus = ((events[:, :2, 0] + sign * events[:, :2, 3]) / np.sqrt(2) for sign in (1, -1))
    boson = events[:, :2].sum(axis=1)
    m, transverse = mass(boson), np.hypot(boson[:, 1], boson[:, 2])
    expected = 2 * (plus[:, 0] * minus[:, 1] - minus[:, 0] * plus[:, 1]) / (m * np.hypot(m, transverse))
    np.testing.assert_allclose(coordinates(events)[:, 2], expected, atol=1e-4)


def test_bad_input():
    with pytest.raises(ValueError, match="x: found 2 particles"):
        coordinates(np.ones((3, 2, 4)))
    with pytest.raises(ValueError, match=r"x: found 12 columns, expected 5 \+ 4 k"):
        momenta(np.ones((3, 12)))
    with pytest.raises(FileNotFoundError, match="benchmarks/collider_events"):
        load_generator(9)


def test_shipped_weights_reach_what_they_claim():
    generator, test = load_generator(2), select(load("z_jets", "test"), 2)
    drawn = momenta(generator.sample(9000, seed=1), seed=2)
    kept = passes_cuts(drawn)
    assert kept.mean() > 0.97
    truth, found = (np.stack(list(observables(e).values()), axis=1) for e in (test, drawn[kept]))
    result = classifier_two_sample_test(truth, found)
    claimed = float(read_facts(weights_path(2))["auc"].split()[0])
    assert result.auc < 0.525 and abs(result.auc - claimed) < 4 * result.error
    assert (wasserstein_distances(truth, found, draws=15).ratio < 3).all()
