"""The network from scratch against autograd, finite differences and closed forms."""

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from hepml_labs.regression.gradient_check import numerical_gradient, relative_error
from hepml_labs.regression.landscape import flatten, unflatten
from hepml_labs.regression.line_shape import Z_MASS, Z_WIDTH, breit_wigner, energy_scan
from hepml_labs.regression.scratch import (
    ACTIVATIONS,
    Network,
    dense_backward,
    dense_forward,
    squared_loss,
    tanh_derivative,
)

TORCH_ACTIVATIONS = {
    "identity": lambda z: z,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "silu": torch.nn.functional.silu,
}


def random_problem(seed=0, n=7):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, 3)), rng.standard_normal((n, 2)), rng.uniform(0.5, 2, (n, 2))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_and_their_derivatives_agree_with_autograd(name):
    z = np.linspace(-30, 30, 101) + 0.01
    tensor = torch.tensor(z, requires_grad=True)
    value = TORCH_ACTIVATIONS[name](tensor)
    (slope,) = torch.autograd.grad(value.sum(), tensor)
    function, derivative = ACTIVATIONS[name]
    np.testing.assert_allclose(function(z), value.detach(), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(derivative(z), slope, rtol=1e-9, atol=1e-14)
    assert derivative(z.astype(np.float32)).dtype == np.float32
    assert np.isfinite(function(np.array([-1e4, 1e4]))).all()


def test_tanh_derivative_is_the_one_of_the_table():
    np.testing.assert_allclose(tanh_derivative(np.array([0.3])), 1 / np.cosh(0.3) ** 2)


def test_dense_layer_agrees_with_torch_linear_and_autograd():
    rng = np.random.default_rng(1)
    inputs, weight, bias, upstream = (rng.standard_normal(s) for s in ((5, 3), (4, 3), (4,), (5, 4)))
    tensors = [torch.tensor(a, requires_grad=True) for a in (inputs, weight, bias)]
    output = torch.nn.functional.linear(*tensors)
    np.testing.assert_allclose(dense_forward(inputs, weight, bias), output.detach(), atol=1e-14)
    expected = torch.autograd.grad(output, tensors, torch.tensor(upstream))
    for ours, theirs in zip(dense_backward(inputs, weight, upstream), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-13)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden", [(), (6,), (6, 5, 4)])
def test_back_propagation_agrees_with_autograd(activation, hidden):
    inputs, target, sigma = random_problem()
    network = Network((3, *hidden, 2), activation, seed=2)
    for bias in network.parameters[1::2]:
        bias[...] = np.random.default_rng(3).standard_normal(bias.shape)
    loss, gradient = squared_loss(network.forward(inputs), target, sigma)
    ours = [*network.backward(gradient), network.input_gradient]

    x = torch.tensor(inputs, requires_grad=True)
    parameters = [torch.tensor(p, requires_grad=True) for p in network.parameters]
    h = x
    for layer in range(len(parameters) // 2):
        h = torch.nn.functional.linear(h, *parameters[2 * layer : 2 * layer + 2])
        if layer < len(hidden):
            h = TORCH_ACTIVATIONS[activation](h)
    their_loss = 0.5 * (((h - torch.tensor(target)) / torch.tensor(sigma)) ** 2).mean()
    theirs = torch.autograd.grad(their_loss, [*parameters, x])
    assert loss == pytest.approx(their_loss.item(), rel=1e-13)
    for mine, reference in zip(ours, theirs, strict=True):
        assert np.abs(mine - reference.numpy()).max() < 1e-12


def test_back_propagation_agrees_with_finite_differences():
    inputs, target, sigma = random_problem(4)
    network = Network((3, 8, 8, 2), "silu", seed=1)
    _, gradient = squared_loss(network.forward(inputs), target, sigma)
    ours = flatten(network.backward(gradient))
    like = network.parameters

    def loss(vector):
        network.parameters = unflatten(vector, like)
        return squared_loss(network.forward(inputs), target, sigma)[0]

    assert relative_error(ours, numerical_gradient(loss, flatten(like))) < 1e-9


def test_central_difference_error_is_quadratic_and_best_near_the_cube_root_of_epsilon():
    def error(step):
        return abs(numerical_gradient(lambda x: np.exp(x[0]), np.array([1.0]), step)[0] - np.e)

    # f'''/6 h^2 exactly, where rounding is negligible
    assert error(1e-2) == pytest.approx(np.e / 6 * 1e-4, rel=1e-3)
    assert error(1e-3) == pytest.approx(np.e / 6 * 1e-6, rel=1e-3)
    best = error(np.finfo(float).eps ** (1 / 3))
    assert best < 1e-9 < min(error(1e-3), error(1e-9))


@pytest.mark.parametrize("a, b, expected", [([1.0, 2.0], [1.0, 2.0], 0), ([1.0], [-1.0], 1), ([0.0], [0.0], 0)])
def test_relative_error_limits(a, b, expected):
    assert relative_error(np.array(a), np.array(b)) == expected
    assert relative_error(np.array([2.0]), np.array([1.0])) == pytest.approx(1 / 3)


@pytest.mark.parametrize("name, variance", [("glorot", 2 / 300), ("he", 2 / 100), (0.5, 0.25), (0.0, 0.0)])
def test_initial_variance(name, variance):
    weight, bias = Network((100, 200), initialisation=name, seed=0).parameters
    assert weight.var() == pytest.approx(variance, rel=0.04)
    assert not bias.any()


def test_he_initialisation_keeps_the_size_of_the_signal_through_relu_layers():
    x = np.random.default_rng(0).standard_normal((200, 100))
    network = Network((100,) * 12, "relu", "he", seed=1)
    network.forward(x)
    sizes = [np.mean(z**2) for z in network.sums]
    assert 0.3 < sizes[-1] / sizes[0] < 3
    glorot = Network((100,) * 12, "relu", "glorot", seed=1)
    glorot.forward(x)
    ratio = np.mean(glorot.sums[-1] ** 2) / np.mean(glorot.sums[0] ** 2)
    assert np.log2(ratio) == pytest.approx(-10, abs=2)  # half of the variance lost per layer


def test_network_of_zeros_never_breaks_the_symmetry_between_its_units():
    x = np.linspace(-1, 1, 9)[:, None]
    network = Network((1, 4, 1), "sigmoid", initialisation=0.0)
    for _ in range(3):
        _, gradient = squared_loss(network.forward(x), x**2)
        for parameter, step in zip(network.parameters, network.backward(gradient), strict=True):
            parameter -= step
    weight = network.parameters[0]
    assert np.ptp(weight) == 0


def test_same_seed_same_network():
    first, second = Network((2, 5, 1), seed=3), Network((2, 5, 1), seed=np.random.default_rng(3))
    assert all(np.array_equal(a, b) for a, b in zip(first.parameters, second.parameters, strict=True))


def test_line_shape_has_the_peak_the_width_and_the_integral_of_a_breit_wigner():
    assert breit_wigner(Z_MASS) == pytest.approx(41.540)
    # half the height at s = M^2 + x with x^2 = (s width / M)^2
    s_half = Z_MASS**2 / (1 - Z_WIDTH / Z_MASS)
    assert breit_wigner(np.sqrt(s_half)) / (41.540 * Z_MASS**2 / s_half) == pytest.approx(0.5)
    # narrow-width limit of the integral over the energy: peak pi width / 2
    narrow, _ = quad(lambda e: breit_wigner(e, width=1e-3), Z_MASS - 1, Z_MASS + 1, points=[Z_MASS], limit=500)
    assert narrow == pytest.approx(41.540 * np.pi * 1e-3 / 2, rel=2e-3)
    assert breit_wigner(np.float32([91.0])).dtype == np.float32


def test_energy_scan_is_poisson():
    energies = np.full(20_000, 89.0)
    cross_section, uncertainty = energy_scan(energies, luminosity=20, seed=0)
    truth = breit_wigner(89.0)
    assert cross_section.mean() == pytest.approx(truth, abs=5 * np.sqrt(truth / 20 / 20_000))
    assert cross_section.var() == pytest.approx(truth / 20, rel=0.05)
    np.testing.assert_allclose(uncertainty**2, cross_section / 20)
    assert np.array_equal(cross_section, energy_scan(energies, luminosity=20, seed=0)[0])


@pytest.mark.parametrize(
    "call, name",
    [
        (lambda: Network((3,)), "number of sizes"),
        (lambda: Network((3, 0, 1)), "sizes"),
        (lambda: Network((3, 1), activation="gelu"), "activation"),
        (lambda: Network((3, 1), initialisation="xavier"), "initialisation"),
        (lambda: Network((3, 1), initialisation=-1.0), "initialisation"),
        (lambda: Network((3, 1)).forward(np.zeros(3)), "inputs"),
        (lambda: Network((3, 1)).forward(np.zeros((5, 2))), "inputs"),
        (lambda: Network((3, 1)).forward(np.zeros((0, 3))), "inputs"),
        (lambda: Network((3, 1)).forward([[1.0, 2.0, 3.0]]), "inputs"),
        (lambda: Network((3, 1)).forward(np.zeros((5, 3), dtype=int)), "inputs"),
        (lambda: Network((3, 1)).backward(np.zeros((5, 1))), "forward"),
        (lambda: squared_loss(np.zeros((4, 1)), np.zeros(4)), "target"),
        (lambda: squared_loss(np.zeros(4), np.zeros(4), sigma=np.zeros(4)), "sigma"),
        (lambda: squared_loss(np.zeros(4), np.full(4, np.nan)), "target"),
        (lambda: squared_loss(np.zeros((4, 1)), np.zeros((4, 1)), sigma=np.ones(4)), "sigma"),
        (lambda: numerical_gradient(np.sum, np.array([np.nan])), "point"),
        (lambda: numerical_gradient(np.sum, np.ones(2), step=0.0), "step"),
        (lambda: relative_error(np.zeros(2), np.zeros(3)), "reference"),
        (lambda: energy_scan(np.array([91.0, np.nan])), "energies"),
        (lambda: energy_scan(np.array([91.0]), luminosity=-1), "luminosity"),
        (lambda: energy_scan(np.array([80.0] * 50), luminosity=0.1), "luminosity"),
    ],
)
def test_bad_input_is_named(call, name):
    with pytest.raises(ValueError, match=name):
        call()


def test_backward_rejects_a_gradient_of_another_batch():
    network = Network((3, 1))
    network.forward(np.zeros((5, 3)))
    with pytest.raises(ValueError, match="output_gradient"):
        network.backward(np.zeros((4, 1)))
