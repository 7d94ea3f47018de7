"""Losses on the log ratio: one optimum, closed forms at it, gradients, and no overflow where none is needed."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar

from hepml_labs.classification.losses import LOSSES, cross_entropy

LOG_RATIOS = (-7.0, -1.3, 0.0, 0.4, 5.0)

# (value, second derivative) of p1 A(f) + p0 B(f) at f = log p1/p0, by hand
CLOSED_FORMS = {
    "binary_cross_entropy": lambda p0, p1: (
        -p1 * np.log(p1 / (p0 + p1)) - p0 * np.log(p0 / (p0 + p1)),
        p0 * p1 / (p0 + p1),
    ),
    "square_root": lambda p0, p1: (2 * np.sqrt(p0 * p1), np.sqrt(p0 * p1) / 2),
    "maximum_likelihood": lambda p0, p1: (p1 - p0 - p1 * np.log(p1 / p0), p1),
    "mean_squared_error": lambda p0, p1: (p0 * p1 / (p0 + p1), 2 * (p0 * p1) ** 2 / (p0 + p1) ** 3),
}

every_loss = pytest.mark.parametrize("name", LOSSES)


def densities(log_ratio):
    """Two densities at one x with this log ratio; their sum is not one, so that it does not drop out."""
    return 0.7 / (1 + np.exp(log_ratio)), 0.7 / (1 + np.exp(-log_ratio))


def at_one_x(name, p0, p1):
    """The loss at one x as a function of the output f: p1 A(f) + p0 B(f)."""
    labels = torch.tensor([0.0, 1.0], dtype=torch.float64)
    weights = torch.tensor([2 * p0, 2 * p1], dtype=torch.float64)  # the loss is a mean over two entries

    def loss(f):
        return LOSSES[name](torch.as_tensor(f, dtype=torch.float64).expand(2), labels, weights)

    return loss


@every_loss
@pytest.mark.parametrize("log_ratio", LOG_RATIOS)
def test_minimum_is_the_log_ratio(name, log_ratio):
    p0, p1 = densities(log_ratio)
    loss = at_one_x(name, p0, p1)
    found = minimize_scalar(lambda f: loss(f).item(), bracket=(log_ratio - 1, log_ratio + 0.7), tol=1e-12)
    assert found.x == pytest.approx(log_ratio, abs=1e-4 if name == "mean_squared_error" else 1e-5)
    # nowhere lower, far away either
    assert all(loss(f).item() > found.fun for f in np.linspace(-20, 20, 100) if abs(f - log_ratio) > 0.1)


@every_loss
@pytest.mark.parametrize("log_ratio", LOG_RATIOS)
def test_closed_forms_at_the_minimum(name, log_ratio):
    p0, p1 = densities(log_ratio)
    value, curvature = CLOSED_FORMS[name](p0, p1)
    f = torch.tensor(log_ratio, dtype=torch.float64, requires_grad=True)
    loss = at_one_x(name, p0, p1)(f)
    (slope,) = torch.autograd.grad(loss, f, create_graph=True)
    (second,) = torch.autograd.grad(slope, f)
    assert loss.item() == pytest.approx(value, rel=1e-12, abs=1e-14)
    assert slope.item() == pytest.approx(0, abs=1e-14)
    assert second.item() == pytest.approx(curvature, rel=1e-10)


@every_loss
def test_properness(name):
    """A'(f) e^f + B'(f) = 0 for every f, and A' < 0: the condition of the lecture page, by autograd."""
    f = torch.linspace(-10, 10, 201, dtype=torch.float64, requires_grad=True)
    slopes = [torch.autograd.grad(len(f) * LOSSES[name](f, torch.full_like(f, y)), f)[0] for y in (1.0, 0.0)]
    assert (slopes[0] < 0).all()
    assert torch.allclose(slopes[0] * f.exp(), -slopes[1], rtol=1e-10, atol=0)


@every_loss
def test_gradient_is_that_of_finite_differences(name):
    generator = torch.Generator().manual_seed(1)
    f = 2 * torch.randn(7, generator=generator, dtype=torch.float64)
    f.requires_grad_()
    label = torch.tensor([0.0, 1, 1, 0, 1, 0, 1], dtype=torch.float64)
    weight = torch.rand(7, generator=generator, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda f: LOSSES[name](f, label, weight), (f,))


@every_loss
@pytest.mark.parametrize("extreme", [50.0, -50.0])
def test_extreme_ratios_in_single_precision(name, extreme):
    f = torch.full((2,), extreme, requires_grad=True)
    label = torch.tensor([0.0, 1.0])
    loss = LOSSES[name](f, label)
    loss.backward()
    exact = torch.full((2,), extreme, dtype=torch.float64, requires_grad=True)
    reference = LOSSES[name](exact, label.double())
    reference.backward()
    assert torch.isfinite(loss)
    assert loss.item() == pytest.approx(reference.item(), rel=1e-5)
    assert torch.allclose(f.grad.double(), exact.grad, rtol=1e-5, atol=1e-30)
    # the wrong side keeps a pull, except for the mean squared error, whose pull vanishes by construction
    wrong = f.grad[0 if extreme > 0 else 1].abs()
    assert wrong < 1e-12 if name == "mean_squared_error" else wrong >= 0.5


@every_loss
def test_weights_are_repetitions(name):
    f, label = torch.tensor([0.3, -1.0]), torch.tensor([1.0, 0.0])
    weighted = LOSSES[name](f, label, torch.tensor([3.0, 1.0])) * 2
    repeated = LOSSES[name](f[[0, 0, 0, 1]], label[[0, 0, 0, 1]]) * 4
    assert weighted.item() == pytest.approx(repeated.item(), rel=1e-6)


def test_minima_are_distances_between_densities():
    """Averaged over two unit Gaussians a distance d apart, with the exact log ratio put in: d^2/2 and e^(-d^2/8)."""
    distance, n = 0.8, 400_000
    x = torch.from_numpy(np.random.default_rng(1).normal(size=(2, n)))
    x[1] += distance
    log_ratio = distance * x - distance**2 / 2
    label = torch.tensor([[0.0], [1.0]], dtype=torch.float64).expand(2, n)
    found = {name: loss(log_ratio, label).item() for name, loss in LOSSES.items()}
    assert found["square_root"] == pytest.approx(np.exp(-(distance**2) / 8), abs=0.002)  # Bhattacharyya
    assert -2 * found["maximum_likelihood"] == pytest.approx(distance**2 / 2, abs=0.006)  # KL(p1 || p0)


def test_cross_entropy_of_two_classes_is_binary():
    logits = torch.randn(9, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    label = torch.tensor([0, 1, 1, 0, 1, 0, 0, 1, 1])
    weight = torch.rand(9, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    binary = LOSSES["binary_cross_entropy"](logits[:, 1] - logits[:, 0], label.double(), weight)
    assert cross_entropy(logits, label, weight).item() == pytest.approx(binary.item(), rel=1e-12)


def test_cross_entropy_of_many_classes_finds_the_densities():
    probability = np.array([0.5, 0.2, 0.25, 0.05])
    logits = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    loss = cross_entropy(logits.expand(4, 4), torch.arange(4), torch.from_numpy(4 * probability))
    (slope,) = torch.autograd.grad(loss, logits)
    assert np.allclose(slope, 0.25 - probability)  # softmax minus share: zero at logits = log of the shares
    logits = torch.from_numpy(np.log(probability) + 3.0).requires_grad_()
    loss = cross_entropy(logits.expand(4, 4), torch.arange(4), torch.from_numpy(4 * probability))
    assert torch.autograd.grad(loss, logits)[0].abs().max() < 1e-15


@every_loss
def test_bad_input(name):
    loss, f = LOSSES[name], torch.zeros(3)
    with pytest.raises(ValueError, match="label: found shape"):
        loss(f, torch.zeros(3, 1))
    with pytest.raises(ValueError, match="weight: found shape"):
        loss(f, torch.zeros(3), torch.zeros(1))
    with pytest.raises(ValueError, match="label: found type"):
        loss(f, torch.zeros(3, dtype=torch.int64))
    with pytest.raises(ValueError, match="label: found 1 of 3"):
        loss(f, torch.tensor([0.0, float("nan"), 1.0]))


def test_bad_input_of_many_classes():
    logits = torch.zeros(2, 3)
    with pytest.raises(ValueError, match="expected 0 to 2"):
        cross_entropy(logits, torch.tensor([0, 3]))
    with pytest.raises(ValueError, match=r"expected torch\.int64"):
        cross_entropy(logits, torch.tensor([0.0, 1.0]))
    with pytest.raises(ValueError, match="weight: found shape"):
        cross_entropy(logits, torch.tensor([0, 1]), torch.ones(3))


# a = -A' at the optimum, by hand
SLOPES = {
    "binary_cross_entropy": lambda r: 1 / (1 + r),
    "square_root": lambda r: 0.5 / np.sqrt(r),
    "maximum_likelihood": np.ones_like,
    "mean_squared_error": lambda r: 2 * r / (1 + r) ** 3,
}


def predicted_covariance(name, basis, p0, p1):
    """H^-1 J H^-1, the covariance of fitted parameters times the number of events in each class."""
    a = SLOPES[name](p1 / p0)
    hessian = (basis * (p1 * a)) @ basis.T
    mean = basis @ (p1 * a)  # of the gradient in each class, up to its sign
    spread = (basis * (p1 * a**2 * (1 + p1 / p0))) @ basis.T - 2 * np.outer(mean, mean)
    return np.linalg.inv(hessian) @ spread @ np.linalg.inv(hessian), hessian


@pytest.mark.parametrize("name", LOSSES)
def test_variance_of_a_fit(name):
    """Fit intercept and slope of an exact model to toys of finite statistics: the lecture's variance comes out."""
    events, toys = 4000, 5000
    t = np.linspace(-2, 2, 9)
    p0 = np.exp(-(t**2) / 2)
    p0 /= p0.sum()
    p1 = p0 * np.exp(1.5 * t)
    p1 /= p1.sum()
    basis, truth = np.stack([np.ones_like(t), t]), np.array([np.log((p1 / p0)[4]), 1.5])
    covariance, hessian = predicted_covariance(name, basis, p0, p1)
    random = np.random.default_rng(3)
    counts = torch.from_numpy(np.stack([random.multinomial(events, p, toys) for p in (p0, p1)]).astype(float))
    label = torch.tensor([0.0, 1.0], dtype=torch.float64)[:, None, None].expand_as(counts)
    theta = torch.from_numpy(np.tile(truth, (toys, 1)))
    for _ in range(20):  # Newton's method with the expected second derivatives
        theta.requires_grad_()
        f = (theta @ torch.from_numpy(basis)).expand_as(counts)
        loss = LOSSES[name](f, label, counts) * counts.numel() / events
        (slope,) = torch.autograd.grad(loss, theta)
        theta = theta.detach() - slope @ torch.from_numpy(np.linalg.inv(hessian))
    measured = np.cov(theta.numpy().T) * events
    assert slope.abs().max() < 1e-6
    assert measured[1, 1] == pytest.approx(covariance[1, 1], rel=0.1)


def test_cross_entropy_has_the_smallest_variance():
    t = np.linspace(-2, 2, 9)
    p0, p1 = (np.exp(-((t - mean) ** 2) / 2) for mean in (0.0, 1.5))
    p0, p1 = p0 / p0.sum(), p1 / p1.sum()
    basis = np.stack([np.ones_like(t), t])
    variance = {name: predicted_covariance(name, basis, p0, p1)[0][1, 1] for name in SLOPES}
    assert min(variance, key=variance.get) == "binary_cross_entropy"
    assert max(variance, key=variance.get) == "maximum_likelihood"
