"""Four-vectors: closed forms, Lorentz invariance, numpy and torch alike."""

import numpy as np
import pytest
import torch

from hepml_labs.physics import kinematics
from hepml_labs.physics.kinematics import boost, delta_r, eta, invariants, mass, minkowski_product, phi, pt, rotate


def random_momenta(n=50, masses=0.0, seed=1):
    three = np.random.default_rng(seed).normal(size=(n, 3)) * 100
    return np.concatenate([np.sqrt((three**2).sum(1, keepdims=True) + masses**2), three], axis=1)


def test_components_from_pt_eta_phi_come_back():
    random = np.random.default_rng(2)
    p_t, rapidity, azimuth = random.uniform(1, 500, 99), random.uniform(-5, 5, 99), random.uniform(-np.pi, np.pi, 99)
    p = np.stack([p_t * np.cosh(rapidity), p_t * np.cos(azimuth), p_t * np.sin(azimuth), p_t * np.sinh(rapidity)], -1)
    np.testing.assert_allclose(pt(p), p_t)
    np.testing.assert_allclose(eta(p), rapidity, atol=1e-12)
    np.testing.assert_allclose(phi(p), azimuth)
    # E - |p| loses digits: a massless particle's mass is zero only up to the square root of the rounding error.
    assert (mass(p) < 1e-6 * p[:, 0]).all()


def test_delta_r_wraps_around():
    a = np.array([1.0, np.cos(3.1), np.sin(3.1), 0.0])
    b = np.array([1.0, np.cos(-3.1), np.sin(-3.1), 0.0])
    assert delta_r(a, b) == pytest.approx(2 * np.pi - 6.2)


def test_products_are_invariant_and_lengths_are_not():
    p, q = random_momenta(seed=3, masses=40.0), random_momenta(seed=4)
    velocity = np.random.default_rng(5).uniform(-0.5, 0.5, (50, 3))
    axis, angle = np.random.default_rng(6).normal(size=(50, 3)), np.random.default_rng(7).uniform(-3, 3, 50)
    move = lambda x: rotate(boost(x, velocity), axis, angle)  # noqa: E731
    np.testing.assert_allclose(minkowski_product(move(p), move(q)), minkowski_product(p, q), rtol=1e-9)
    assert not np.allclose(pt(move(p)), pt(p))


def test_boost_goes_there_and_back_and_makes_the_velocity():
    p, velocity = random_momenta(masses=10.0), np.array([0.3, -0.5, 0.6])
    np.testing.assert_allclose(boost(boost(p, velocity), -velocity), p, atol=1e-9)
    moved = boost(np.array([7.0, 0, 0, 0]), velocity)
    np.testing.assert_allclose(moved[1:] / moved[0], velocity)


def test_rotation_keeps_its_axis_and_turns_by_the_right_hand():
    axis = np.array([1.0, 1.0, 1.0])
    np.testing.assert_allclose(rotate(np.array([9.0, 2, 2, 2]), axis, 1.2), [9, 2, 2, 2])
    # a third of a turn about the diagonal: x -> y -> z -> x
    np.testing.assert_allclose(rotate(np.array([9.0, 1, 0, 0]), axis, 2 * np.pi / 3), [9, 0, 1, 0], atol=1e-12)


def test_invariants_are_masses_of_pairs():
    p = random_momenta(12, masses=5.0).reshape(3, 4, 4)
    pair = mass(p[:, 1] + p[:, 2]) ** 2
    np.testing.assert_allclose(invariants(p)[:, 1, 2] + 2 * 25.0, pair)
    np.testing.assert_allclose(np.diagonal(invariants(p), axis1=1, axis2=2), 50.0, rtol=1e-6)


@pytest.mark.parametrize("name", ["mass", "pt", "eta", "phi", "invariants"])
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_torch_agrees_with_numpy_and_precision_is_kept(name, precision):
    p = random_momenta(8, masses=3.0).astype(precision)
    function = getattr(kinematics, name)
    found = function(torch.from_numpy(p))
    assert found.dtype == getattr(torch, precision) and function(p).dtype == precision
    np.testing.assert_allclose(found.numpy(), function(p), rtol=1e-5, atol=1e-3 if precision == "float32" else 1e-9)


@pytest.mark.parametrize("precision", [torch.float32, torch.float64])
def test_boost_and_rotate_take_tensors(precision):
    p = random_momenta(8, masses=3.0)
    tensor = torch.from_numpy(p).to(precision)
    moved = rotate(boost(tensor, [0.1, 0.2, 0.3]), [0.0, 1.0, 2.0], 0.7)
    assert moved.dtype == precision
    expected = rotate(boost(p, [0.1, 0.2, 0.3]), [0.0, 1.0, 2.0], 0.7)
    np.testing.assert_allclose(moved.numpy(), expected, rtol=1e-4, atol=1e-4)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"momenta: found shape \(3,\)"):
        pt(np.zeros(3))
    with pytest.raises(ValueError, match="velocity: found 1"):
        boost(np.ones(4), [0.0, 0.0, 1.0])
