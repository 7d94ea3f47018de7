"""Slices and curves of loss landscapes, against closed forms and autograd."""

import numpy as np
import pytest
import torch

from hepml_labs.regression import landscape
from hepml_labs.regression.scratch import Network, squared_loss


def test_flatten_and_unflatten_are_inverse():
    parameters = Network((3, 4, 2), seed=0).parameters
    again = landscape.unflatten(landscape.flatten(parameters), parameters)
    assert all(np.array_equal(a, b) for a, b in zip(parameters, again, strict=True))


def test_filter_normalised_directions_have_the_norm_of_each_row_and_no_bias():
    network = Network((3, 5, 2), seed=0)
    directions = landscape.random_directions(network.parameters, seed=1)
    for direction in directions:
        for piece, parameter in zip(
            landscape.unflatten(direction, network.parameters), network.parameters, strict=True
        ):
            if parameter.ndim == 2:
                np.testing.assert_allclose(np.linalg.norm(piece, axis=1), np.linalg.norm(parameter, axis=1))
            else:
                assert not piece.any()
    assert np.abs(directions[0] - directions[1]).max() > 0.1
    assert np.array_equal(directions, landscape.random_directions(network.parameters, seed=1))


def test_filter_normalised_slice_does_not_see_the_rescaling_symmetry_of_relu():
    x = np.random.default_rng(0).standard_normal((20, 3))
    target = np.sin(x[:, :1])

    def one_slice(parameters):
        network = Network((3, 6, 1), "relu")

        def loss(vector):
            network.parameters = landscape.unflatten(vector, parameters)
            return squared_loss(network.forward(x), target)[0]

        directions = landscape.random_directions(parameters, seed=3)
        grid = np.linspace(-1, 1, 5)
        return landscape.slice_loss(loss, landscape.flatten(parameters), directions, grid, grid)

    first, bias, last, last_bias = Network((3, 6, 1), "relu", seed=1).parameters
    scaled = [4 * first, 4 * bias, last / 4, last_bias]
    np.testing.assert_allclose(one_slice([first, bias, last, last_bias]), one_slice(scaled), rtol=1e-10)


def test_plane_passes_through_the_three_points_and_is_orthonormal():
    points = np.random.default_rng(0).standard_normal((3, 50))
    directions, coordinates = landscape.plane_through(*points)
    np.testing.assert_allclose(directions @ directions.T, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(points[0] + coordinates @ directions, points, atol=1e-12)


def test_slice_of_a_quadratic_is_the_quadratic():
    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((6, 6))
    hessian, origin, directions = matrix @ matrix.T, rng.standard_normal(6), rng.standard_normal((2, 6))
    a, b = np.linspace(-1, 1, 4), np.linspace(-2, 2, 3)
    values = landscape.slice_loss(lambda w: 0.5 * w @ hessian @ w, origin, directions, a, b)
    assert values.shape == (3, 4)
    w = origin + a[3] * directions[0] + b[1] * directions[1]
    assert values[1, 3] == pytest.approx(0.5 * w @ hessian @ w)


def test_bezier_has_its_ends_its_middle_and_the_straight_line_as_a_special_case():
    start, bend, end = np.random.default_rng(0).standard_normal((3, 5))
    np.testing.assert_allclose(landscape.bezier(start, bend, end, 0), start)
    np.testing.assert_allclose(landscape.bezier(start, bend, end, 1), end)
    np.testing.assert_allclose(landscape.bezier(start, bend, end, 0.5), (start + 2 * bend + end) / 4)
    middle = 0.5 * (start + end)
    np.testing.assert_allclose(landscape.bezier(start, middle, end, 0.3), 0.7 * start + 0.3 * end)


@pytest.mark.parametrize("seed", range(3))
def test_connect_goes_round_the_hill(seed):
    def ring(w):
        excess = w @ w - 1
        return excess**2, 4 * excess * w

    angle = 2.0
    start, end = np.array([1.0, 0.0]), np.array([np.cos(angle), np.sin(angle)])
    bend = landscape.connect(ring, start, end, steps=1500, seed=seed)
    t = np.linspace(0, 1, 21)
    curve = max(ring(landscape.bezier(start, bend, end, u))[0] for u in t)
    straight = max(ring((1 - u) * start + u * end)[0] for u in t)
    assert curve < 0.1 * straight


def test_module_loss_agrees_with_autograd_and_leaves_the_module_alone():
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1)).double()
    x, y = torch.randn(8, 2).double(), torch.randn(8, 1).double()

    def mse(module, x, y):
        return ((module(x) - y) ** 2).mean()

    function = landscape.module_loss(module, mse, x, y)
    vector = landscape.module_vector(module)
    value, gradient = function(vector)
    expected = torch.autograd.grad(mse(module, x, y), list(module.parameters()))
    assert value == pytest.approx(mse(module, x, y).item(), rel=1e-14)
    np.testing.assert_allclose(gradient, np.concatenate([g.ravel() for g in expected]), atol=1e-14)
    assert function(vector + 0.1)[0] != value
    assert np.array_equal(landscape.module_vector(module), vector)


@pytest.mark.parametrize(
    "call, name",
    [
        (lambda: landscape.unflatten(np.zeros(3), [np.zeros(4)]), "vector"),
        (lambda: landscape.random_directions([]), "parameters"),
        (lambda: landscape.random_directions([np.zeros((2, 2))], number=0), "number"),
        (lambda: landscape.plane_through(np.zeros(3), np.zeros(3), np.ones(3)), "second"),
        (lambda: landscape.plane_through(np.zeros(3), np.ones(3), np.full(3, 2.0)), "third"),
        (lambda: landscape.plane_through(np.zeros(3), np.full(3, np.nan), np.ones(3)), "second"),
        (lambda: landscape.plane_through(np.zeros(3), np.ones(4), np.ones(3)), "second"),
        (lambda: landscape.slice_loss(np.sum, np.zeros(3), np.zeros((2, 4)), [0], [0]), "directions"),
        (lambda: landscape.slice_loss(np.sum, np.array([np.inf]), np.zeros((2, 1)), [0], [0]), "origin"),
        (lambda: landscape.bezier(np.zeros(3), np.zeros(2), np.zeros(3), 0.5), "bend"),
        (lambda: landscape.connect(np.sum, np.zeros(3), np.zeros(2)), "end"),
        (lambda: landscape.connect(np.sum, np.zeros(3), np.zeros(3), steps=0), "steps"),
    ],
)
def test_bad_input_is_named(call, name):
    with pytest.raises(ValueError, match=name):
        call()
