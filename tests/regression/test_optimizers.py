"""The optimizers against torch.optim and against closed forms on quadratics."""

import numpy as np
import pytest
import torch

from hepml_labs.regression.optimizers import (
    SGD,
    Adam,
    AdamW,
    Optimizer,
    RMSProp,
    adam_update,
    rmsprop_update,
    sgd_update,
)

PAIRS = {
    "sgd": (SGD, torch.optim.SGD, {}, {}),
    "sgd decay": (SGD, torch.optim.SGD, {"weight_decay": 0.1}, {"weight_decay": 0.1}),
    "momentum": (SGD, torch.optim.SGD, {"momentum": 0.9}, {"momentum": 0.9}),
    "nesterov": (SGD, torch.optim.SGD, *[{"momentum": 0.9, "nesterov": True, "weight_decay": 0.05}] * 2),
    "rmsprop": (RMSProp, torch.optim.RMSprop, {"decay": 0.9}, {"alpha": 0.9}),
    "rmsprop decay": (RMSProp, torch.optim.RMSprop, *[{"weight_decay": 0.1}] * 2),
    "adam": (Adam, torch.optim.Adam, {"beta_1": 0.8, "beta_2": 0.95}, {"betas": (0.8, 0.95)}),
    "adam decay": (Adam, torch.optim.Adam, {"weight_decay": 0.1}, {"weight_decay": 0.1}),
    "adamw": (AdamW, torch.optim.AdamW, {"weight_decay": 0.1}, {"weight_decay": 0.1}),
}


@pytest.mark.parametrize("name", PAIRS)
def test_agrees_with_torch_to_machine_precision(name):
    ours, theirs, settings, their_settings = PAIRS[name]
    rng = np.random.default_rng(0)
    start = [rng.standard_normal((4, 3)), rng.standard_normal(4)]
    mine = [p.copy() for p in start]
    tensors = [torch.tensor(p, requires_grad=True) for p in start]
    optimizer = ours(mine, learning_rate=0.03, **settings)
    reference = theirs(tensors, lr=0.03, **their_settings)
    for step in range(200):
        if step == 100:  # a schedule
            optimizer.learning_rate = reference.param_groups[0]["lr"] = 0.01
        gradients = [rng.standard_normal(p.shape) + p for p in mine]
        for tensor, gradient in zip(tensors, gradients, strict=True):
            tensor.grad = torch.tensor(gradient)
        optimizer.step(gradients)
        reference.step()
        for a, b in zip(mine, tensors, strict=True):
            assert np.abs(a - b.detach().numpy()).max() < 1e-13


CURVATURES = np.array([1.0, 10.0])


@pytest.mark.parametrize("learning_rate", [0.05, 0.15, 0.19, 0.21])
def test_gradient_descent_on_a_quadratic_multiplies_each_direction_by_one_minus_eta_lambda(learning_rate):
    w = np.array([1.0, 1.0])
    optimizer = SGD([w], learning_rate)
    for _ in range(50):
        optimizer.step([CURVATURES * w])
    np.testing.assert_allclose(w, (1 - learning_rate * CURVATURES) ** 50, rtol=1e-10)
    assert (np.abs(w).max() > 1) == (learning_rate > 2 / CURVATURES.max())


def test_momentum_on_a_quadratic_decays_as_its_characteristic_roots():
    eta, mu = 0.05, 0.5
    # w_{t+1} = (1 + mu - eta lambda) w_t - mu w_{t-1}
    for curvature in (1.0, 30.0):
        w, optimizer = np.array([1.0]), None
        optimizer = SGD([w], eta, momentum=mu)
        path = [1.0]
        for _ in range(30):
            optimizer.step([curvature * w])
            path.append(w[0])
        roots = np.roots([1, -(1 + mu - eta * curvature), mu])
        coefficients = np.linalg.solve(np.array([[1, 1], roots]), np.array(path[:2], dtype=complex))
        expected = [np.sum(coefficients * roots**t).real for t in range(31)]
        np.testing.assert_allclose(path, expected, atol=1e-12)
    assert 2 * (1 + mu) / eta == 60  # the limit of the curvature: beyond it momentum diverges
    for curvature, diverges in ((59.0, False), (61.0, True)):
        w = np.array([1.0])
        optimizer = SGD([w], eta, momentum=mu)
        for _ in range(400):
            optimizer.step([curvature * w])
        assert (abs(w[0]) > 1) == diverges


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_adam_does_not_see_the_scale_of_the_loss(scale):
    w = np.array([1.0, -2.0])
    optimizer = Adam([w], learning_rate=0.01, epsilon=0.0)
    first = w.copy()
    for step in range(20):
        optimizer.step([scale * CURVATURES * w])
        if step == 0:
            np.testing.assert_allclose(first - w, 0.01 * np.sign(first))
    reference = np.array([1.0, -2.0])
    other = Adam([reference], learning_rate=0.01, epsilon=0.0)
    for _ in range(20):
        other.step([CURVATURES * reference])
    np.testing.assert_allclose(w, reference, rtol=1e-12)


def test_bias_correction_makes_the_moments_unbiased_for_a_constant_gradient():
    mean = square = np.zeros(1)
    w = np.zeros(1)
    for step in range(1, 30):
        new, mean, square = adam_update(w, np.array([3.0]), mean, square, step, learning_rate=0.1, epsilon=0.0)
        np.testing.assert_allclose(w - new, 0.1)
        np.testing.assert_allclose([mean / (1 - 0.9**step), square / (1 - 0.999**step)], [[3.0], [9.0]])


def test_decoupled_decay_shrinks_all_weights_alike_and_the_penalty_does_not():
    for cls, alike in ((AdamW, True), (Adam, False)):
        w = np.array([1.0, 1.0])
        optimizer = cls([w], learning_rate=0.01, weight_decay=0.1)
        signs = np.array([1.0, -1.0])
        for step in range(2000):  # noisy gradients of very different size, mean zero
            optimizer.step([signs[step % 2] * np.array([0.01, 10.0])])
        assert (abs(w[0] - w[1]) < 0.01) == alike


def test_rules_change_nothing_in_place_and_keep_the_type():
    for rule, arguments in (
        (sgd_update, (0.1, 0.9)),
        (rmsprop_update, (0.1,)),
        (adam_update, (np.zeros(3, np.float32), 1, 0.1)),
    ):
        parameter, gradient, memory = (np.full(3, value, np.float32) for value in (1, 2, 0))
        new = rule(parameter, gradient, memory, *arguments)
        assert (parameter == 1).all() and (gradient == 2).all() and (memory == 0).all()
        assert all(array.dtype == np.float32 for array in new)


@pytest.mark.parametrize(
    "call, name",
    [
        (lambda: SGD([np.zeros(2)], learning_rate=0.0), "learning_rate"),
        (lambda: SGD([np.zeros(2)], learning_rate=np.nan), "learning_rate"),
        (lambda: Adam([np.zeros(2)], learning_rate=0.1, weight_decay=-1.0), "weight_decay"),
        (lambda: SGD([np.zeros(2, dtype=int)], learning_rate=0.1), "parameters"),
        (lambda: SGD([], learning_rate=0.1), "parameters"),
        (lambda: SGD([np.zeros(2)], learning_rate=0.1, momentum=1.0), "momentum"),
        (lambda: RMSProp([np.zeros(2)], learning_rate=0.1, decay=1.5), "decay"),
        (lambda: Adam([np.zeros(2)], learning_rate=0.1, beta_1=1.0), "beta_1"),
        (lambda: Adam([np.zeros(2)], learning_rate=0.1, beta_2=-0.1), "beta_2"),
        (lambda: SGD([np.zeros(2)], learning_rate=0.1).step([np.zeros(3)]), "gradients"),
        (lambda: SGD([np.zeros(2)], learning_rate=0.1).step([]), "gradients"),
    ],
)
def test_bad_input_is_named(call, name):
    with pytest.raises(ValueError, match=name):
        call()


def test_base_class_has_no_rule():
    with pytest.raises(NotImplementedError):
        Optimizer([np.zeros(2)], learning_rate=0.1).step([np.zeros(2)])
