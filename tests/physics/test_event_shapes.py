"""Event shapes: closed forms, exact thrust against all sign choices, rotations, padding, bad input."""

import itertools

import numpy as np
import pytest

from hepml_labs.physics.event_shapes import (
    fox_wolfram,
    fox_wolfram_ratios,
    momentum_cones,
    momentum_monomials,
    sphericity_eigenvalues,
    thrust,
)
from hepml_labs.physics.kinematics import rotate


def ring(k):
    """`k` unit momenta at equal angles in a plane."""
    angle = 2 * np.pi * np.arange(k) / k
    return np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)[None]


def sphere(k):
    """`k` unit momenta spread evenly over the sphere (Fibonacci's spiral)."""
    z = 1 - (2 * np.arange(k) + 1) / k
    phi = np.pi * (3 - 5**0.5) * np.arange(k)
    r = np.sqrt(1 - z**2)
    return np.stack([r * np.cos(phi), r * np.sin(phi), z], axis=1)[None]


def random_events(seed, n=40, most=9):
    """Padded events with 1 to `most` particles."""
    random = np.random.default_rng(seed)
    momenta = random.normal(size=(n, most, 3)) * random.exponential(size=(n, most, 1))
    return momenta * (np.arange(most) < random.integers(1, most, n, endpoint=True)[:, None])[..., None]


def brute_force_thrust(momenta):
    """Longest sum over all choices of signs: the definition."""
    signs = np.array(list(itertools.product([1.0, -1.0], repeat=momenta.shape[1])))
    longest = np.linalg.norm(signs @ momenta, axis=2).max(1)
    return longest / np.linalg.norm(momenta, axis=2).sum(1)


def flat(momenta):
    return momenta * [1.0, 1.0, 0.0]


def balanced(momenta):
    return np.concatenate([momenta, -momenta.sum(1, keepdims=True)], axis=1)


@pytest.mark.parametrize(
    "change", [np.copy, flat, balanced, lambda p: flat(balanced(p)), lambda p: p * [1.0, 0.0, 0.0]]
)
def test_thrust_is_the_best_of_all_sign_choices(change):
    """General, flat, momentum-conserving and one-dimensional events."""
    momenta = change(random_events(1))
    value, axis = thrust(momenta)
    np.testing.assert_allclose(value, brute_force_thrust(momenta), rtol=1e-8)
    np.testing.assert_allclose(np.linalg.norm(axis, axis=1), 1.0)
    along = np.abs(np.einsum("nmk,nk->nm", momenta, axis)).sum(1)
    np.testing.assert_allclose(along / np.linalg.norm(momenta, axis=2).sum(1), value)


def test_thrust_beats_a_scan_of_directions_for_many_particles():
    momenta = np.random.default_rng(2).normal(size=(5, 30, 3))
    directions = sphere(20_000)[0]
    scan = np.abs(momenta @ directions.T).sum(1).max(1) / np.linalg.norm(momenta, axis=2).sum(1)
    value, _ = thrust(momenta)
    assert (value >= scan).all() and (value - scan < 1e-3).all()


def test_back_to_back():
    momenta = np.array([[[1.0, 2.0, 2.0], [-1.0, -2.0, -2.0]]])
    value, axis = thrust(momenta)
    assert value[0] == pytest.approx(1) and np.allclose(axis, [[1 / 3, 2 / 3, 2 / 3]])
    np.testing.assert_allclose(sphericity_eigenvalues(momenta), [[1, 0, 0]], atol=1e-15)
    np.testing.assert_allclose(fox_wolfram(momenta), [[1, 0, 1, 0, 1]], atol=1e-15)
    np.testing.assert_allclose(momentum_cones(momenta, axis), [[6] + [0] * 8], atol=1e-12)
    np.testing.assert_allclose(momentum_monomials(momenta, axis), [[6, 6]])


def test_three_fold_symmetric():
    momenta = ring(3)
    assert thrust(momenta)[0][0] == pytest.approx(2 / 3)
    np.testing.assert_allclose(sphericity_eigenvalues(momenta), [[0.5, 0.5, 0]], atol=1e-15)
    # P_l(-1/2) = -1/2, -1/8, 7/16, -37/128; H_l = (3 + 6 P_l) / 9
    expected = (3 + 6 * np.array([1, -1 / 2, -1 / 8, 7 / 16, -37 / 128])) / 9
    np.testing.assert_allclose(fox_wolfram(momenta)[0], expected, atol=1e-15)


def test_sphere_and_disk_limits():
    assert thrust(sphere(60))[0][0] == pytest.approx(0.5, abs=0.01)
    assert thrust(ring(60))[0][0] == pytest.approx(2 / np.pi, abs=1e-3)
    np.testing.assert_allclose(sphericity_eigenvalues(sphere(500)), [[1 / 3] * 3], atol=1e-3)
    np.testing.assert_allclose(fox_wolfram_ratios(sphere(500)), [[1, 0, 0, 0, 0]], atol=1e-3)
    axis = np.array([[1.0, 1.0, 1.0]])
    edges = np.cos(np.linspace(0, np.pi / 2, 10))
    np.testing.assert_allclose(momentum_cones(sphere(50_000), axis)[0] / 50_000, -np.diff(edges), atol=2e-4)
    np.testing.assert_allclose(
        momentum_monomials(sphere(5000), axis, (0, 1, 2))[0] / 5000, [1, 1 / 2, 1 / 3], atol=1e-3
    )


def test_energies_set_the_scale_of_the_moments():
    momenta = random_events(3)
    size = np.linalg.norm(momenta, axis=2, keepdims=True)
    np.testing.assert_allclose(fox_wolfram(np.concatenate([2 * size, momenta], 2)), fox_wolfram(momenta) / 4)


def test_moments_of_even_order_by_spherical_harmonics():
    """The other form of Fox and Wolfram: H_2 is 3/2 of the squared tensor of p^a p^b / abs(p), less 1/2 H_0."""
    momenta = random_events(4)
    size = np.linalg.norm(momenta, axis=2, keepdims=True)
    unit = np.divide(momenta, size, where=size > 0, out=np.zeros_like(momenta))
    tensor = np.einsum("nma,nmb->nab", unit, momenta) / size.sum(1)[..., None]
    np.testing.assert_allclose(fox_wolfram(momenta)[:, 2], 1.5 * (tensor**2).sum((1, 2)) - 0.5)


def shapes(momenta, axis):
    value, best = thrust(momenta)
    return np.column_stack(
        [
            value,
            np.abs((best * axis).sum(1)),
            sphericity_eigenvalues(momenta),
            fox_wolfram(momenta),
            momentum_cones(momenta, axis),
            momentum_monomials(momenta, axis),
        ]
    )


def test_rotations_scale_order_and_padding_change_nothing():
    momenta, random = random_events(5), np.random.default_rng(7)
    axis = random.normal(size=(len(momenta), 3))
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    expected = shapes(momenta, axis)
    four = np.concatenate([np.linalg.norm(momenta, axis=2, keepdims=True), momenta], 2)
    turned = rotate(four, [1.0, -2.0, 0.5], 0.8)
    turned_axis = rotate(np.concatenate([np.ones((len(axis), 1)), axis], 1), [1.0, -2.0, 0.5], 0.8)[:, 1:]
    np.testing.assert_allclose(shapes(turned, turned_axis), expected, rtol=1e-6, atol=1e-7)
    scale = np.ones(expected.shape[1])
    scale[-11:] = 3.0  # cones and monomials are momenta
    np.testing.assert_allclose(shapes(3 * momenta, 3 * axis / 3), expected * scale, rtol=1e-6, atol=1e-7)
    shuffled = momenta[:, random.permutation(momenta.shape[1])]
    np.testing.assert_allclose(shapes(shuffled, axis), expected, rtol=1e-6, atol=1e-7)
    padded = np.concatenate([np.zeros((len(momenta), 4, 3)), momenta, np.zeros((len(momenta), 9, 3))], axis=1)
    np.testing.assert_allclose(shapes(padded, axis), expected, rtol=1e-6, atol=1e-7)


def test_events_of_no_and_of_one_particle():
    momenta = np.zeros((2, 3, 3))
    momenta[1, 1] = [0.0, 0.0, -5.0]
    value, axis = thrust(momenta)
    assert value.tolist() == [0, 1] and axis.tolist() == [[0, 0, 0], [0, 0, 1]]
    assert sphericity_eigenvalues(momenta).tolist() == [[0, 0, 0], [1, 0, 0]]
    assert fox_wolfram_ratios(momenta, 1).tolist() == [[0, 0], [1, 1]]
    assert momentum_cones(momenta, axis).sum(1).tolist() == [0, 5]


@pytest.mark.parametrize("function", [thrust, sphericity_eigenvalues, fox_wolfram, fox_wolfram_ratios])
@pytest.mark.parametrize(
    ("momenta", "message"),
    [
        (np.zeros((0, 3, 3)), "momenta: found an empty"),
        (np.zeros((2, 3)), "momenta: found shape"),
        (np.zeros((2, 3, 5)), r"momenta: found shape \(2, 3, 5\)"),
        (np.full((2, 3, 4), np.nan), "momenta: found 24 of 24"),
        (np.zeros((2, 3, 4), dtype=int), "momenta: found type int64"),
    ],
)
def test_bad_momenta_are_named(function, momenta, message):
    with pytest.raises(ValueError, match=message):
        function(momenta)


@pytest.mark.parametrize("function", [momentum_cones, momentum_monomials])
def test_bad_axes_are_named(function):
    momenta = np.ones((2, 3, 3))
    for axis in (np.ones(3), np.ones((1, 3)), np.full((2, 3), np.nan)):
        with pytest.raises(ValueError, match="^axis: found"):
            function(momenta, axis)
    with pytest.raises(ValueError, match="^momenta: found shape"):
        function(np.ones((2, 3)), np.ones((2, 3)))


def test_bad_counts_are_named():
    with pytest.raises(ValueError, match="^highest: found -1"):
        fox_wolfram(np.ones((2, 3, 3)), highest=-1)
    with pytest.raises(ValueError, match="^cones: found 0"):
        momentum_cones(np.ones((2, 3, 3)), np.ones((2, 3)), cones=0)
