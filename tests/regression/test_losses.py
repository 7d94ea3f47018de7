"""Losses against closed forms, against peers, and by what their minimum estimates."""

import math

import pytest
import torch
from torch import distributions, nn

from hepml_labs.nn import MLP
from hepml_labs.regression import losses
from hepml_labs.regression.heads import GaussianHead, GaussianMixtureHead

TWO = [losses.mse, losses.mae, losses.huber, lambda f, y: losses.quantile_loss(f, y, 0.3)]
THREE = [losses.chi_squared, losses.gaussian_nll, losses.beta_nll]


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def minimise(loss, parameters, steps=60):
    """Minimise a smooth or piecewise linear loss of a few parameters, in place."""
    optimizer = torch.optim.LBFGS(parameters, max_iter=steps, line_search_fn="strong_wolfe", tolerance_change=0)

    def closure():
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    for _ in range(5):
        optimizer.step(closure)


def test_peers_in_torch():
    f, y, s = random(50, 2), random(50, 2, seed=1), random(50, 2, seed=2)
    torch.testing.assert_close(losses.mse(f, y), nn.functional.mse_loss(f, y))
    torch.testing.assert_close(losses.mae(f, y), nn.functional.l1_loss(f, y))
    torch.testing.assert_close(losses.huber(f, y, 0.7), nn.functional.huber_loss(f, y, delta=0.7))
    peer = nn.GaussianNLLLoss(eps=1e-12)(f, y, (2 * s).exp())
    torch.testing.assert_close(losses.gaussian_nll(f, s, y), peer)


def test_chi_squared_is_the_gaussian_likelihood_up_to_a_constant():
    f, y, sigma = random(50), random(50, seed=1), random(50, seed=2).exp()
    constant = (sigma.log() + 0.5 * math.log(2 * math.pi)).mean()
    expected = -distributions.Normal(f, sigma).log_prob(y).mean() - constant
    torch.testing.assert_close(losses.chi_squared(f, y, sigma), expected)
    torch.testing.assert_close(losses.chi_squared(f, y, torch.full_like(y, 3.0)), losses.mse(f, y) / 18)


@pytest.mark.parametrize("components", [1, 2, 5])
def test_mixture_agrees_with_torch_distributions(components):
    logits, means, log_sigmas = (random(40, components, seed=k) for k in range(3))
    y = 3 * random(40, seed=9)
    peer = distributions.MixtureSameFamily(
        distributions.Categorical(logits=logits), distributions.Normal(means, log_sigmas.exp())
    )
    found = losses.gaussian_mixture_log_prob(logits.log_softmax(-1), means, log_sigmas, y)
    torch.testing.assert_close(found, peer.log_prob(y))
    loss = losses.gaussian_mixture_nll(logits.log_softmax(-1), means, log_sigmas, y)
    torch.testing.assert_close(loss, -peer.log_prob(y).mean())


def test_mixture_density_is_normalised():
    grid = torch.linspace(-30, 30, 20001, dtype=torch.float64)
    parameters = [random(1, 3, seed=k).expand(len(grid), 3) for k in range(3)]
    density = losses.gaussian_mixture_log_prob(parameters[0].log_softmax(-1), *parameters[1:], grid).exp()
    assert torch.trapezoid(density, grid).item() == pytest.approx(1.0, abs=1e-9)


def test_mixture_stays_finite_far_away():
    parameters = [torch.zeros(1, 2, requires_grad=True) for _ in range(3)]
    loss = losses.gaussian_mixture_nll(parameters[0].log_softmax(-1), *parameters[1:], torch.tensor([1e4]))
    loss.backward()
    assert loss.item() == pytest.approx(5e7, rel=1e-3)
    assert all(parameter.grad.isfinite().all() for parameter in parameters)
    assert parameters[1].grad.abs().sum() > 1e3


def skewed():
    """An exponential sample: mean 2, standard deviation 2, median 2 log 2."""
    return 2 * distributions.Exponential(torch.tensor(1.0, dtype=torch.float64)).icdf(
        (torch.arange(20001, dtype=torch.float64) + 0.5) / 20001
    )


@pytest.mark.parametrize(
    "loss, expected",
    [
        (losses.mse, 2.0),
        (losses.mae, 2 * math.log(2)),
        (lambda f, y: losses.quantile_loss(f, y, 0.9), 2 * math.log(10)),
        (lambda f, y: losses.quantile_loss(f, y, 0.1), -2 * math.log(0.9)),
        (lambda f, y: losses.huber(f, y, 1e-3), 2 * math.log(2)),
        (lambda f, y: losses.huber(f, y, 1e3), 2.0),
    ],
)
def test_minimisers_of_a_constant_model(loss, expected):
    y = skewed()
    grid = torch.linspace(0.5 * expected, 1.5 * expected, 401, dtype=torch.float64)
    values = torch.stack([loss(f.expand_as(y), y) for f in grid])
    assert grid[values.argmin()].item() == pytest.approx(expected, abs=0.006 * expected)


@pytest.mark.parametrize("loss", [losses.gaussian_nll, losses.beta_nll])
def test_heteroscedastic_minimum_is_mean_and_standard_deviation(loss):
    y = skewed()
    mean, log_sigma = (torch.zeros(1, dtype=torch.float64, requires_grad=True) for _ in range(2))
    # The weight of beta_nll is no part of its derivative: a line search would see a wrong slope, so plain descent.
    optimizer = torch.optim.Adam([mean, log_sigma], lr=0.05)
    for _ in range(800):
        optimizer.zero_grad()
        loss(mean.expand_as(y), log_sigma.expand_as(y), y).backward()
        optimizer.step()
    assert mean.item() == pytest.approx(y.mean().item(), rel=1e-3)
    assert log_sigma.exp().item() == pytest.approx(y.std(correction=0).item(), rel=1e-3)


def test_chi_squared_minimum_is_the_weighted_mean_with_its_error():
    y, sigma = random(30), random(30, seed=1).exp()
    f = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    minimise(lambda: losses.chi_squared(f.expand_as(y), y, sigma), [f])
    weight = sigma**-2
    assert f.item() == pytest.approx(((weight * y).sum() / weight.sum()).item())
    curvature = torch.autograd.functional.hessian(
        lambda c: len(y) * losses.chi_squared(c.expand_as(y), y, sigma), f.detach()
    )
    assert curvature.item() == pytest.approx(weight.sum().item())  # 1 / variance of the weighted mean


def test_mixture_minimum_finds_both_modes():
    y = torch.cat([random(3000, seed=1) * 0.3 - 2, random(1000, seed=2) * 0.1 + 1])
    parameters = [torch.zeros(2, dtype=torch.float64), torch.tensor([-1.0, 1.0]).double(), torch.zeros(2).double()]
    for parameter in parameters:
        parameter.requires_grad_()

    def loss():
        logits, means, log_sigmas = (parameter.expand(len(y), 2) for parameter in parameters)
        return losses.gaussian_mixture_nll(logits.log_softmax(-1), means, log_sigmas, y)

    minimise(loss, parameters)
    torch.testing.assert_close(parameters[0].softmax(-1), torch.tensor([0.75, 0.25]).double(), atol=0.001, rtol=0)
    torch.testing.assert_close(parameters[1], torch.tensor([-2.0, 1.0]).double(), atol=0.02, rtol=0)
    torch.testing.assert_close(parameters[2].exp(), torch.tensor([0.3, 0.1]).double(), atol=0.01, rtol=0)


def test_beta_nll_interpolates_between_likelihood_and_squared_error():
    mean, log_sigma, y = random(20), random(20, seed=1), random(20, seed=2)

    def gradient(loss):
        f = mean.clone().requires_grad_()
        loss(f).backward()
        return f.grad

    nll = gradient(lambda f: losses.gaussian_nll(f, log_sigma, y))
    torch.testing.assert_close(gradient(lambda f: losses.beta_nll(f, log_sigma, y, beta=0)), nll)
    half_mse = gradient(lambda f: losses.mse(f, y) / 2)
    torch.testing.assert_close(gradient(lambda f: losses.beta_nll(f, log_sigma, y, beta=1)), half_mse)
    between = gradient(lambda f: losses.beta_nll(f, log_sigma, y, beta=0.5))
    torch.testing.assert_close(between, nll * log_sigma.exp())


@pytest.mark.parametrize("head", [GaussianHead, lambda d: GaussianMixtureHead(d, 3)])
def test_heads_on_meta_device_and_gradients(head):
    with torch.device("meta"):
        assert all(output.shape[0] == 8 for output in nn.Sequential(MLP(2, 16), head(16))(torch.zeros(8, 2)))
    torch.manual_seed(0)
    model = nn.Sequential(MLP(2, 16), nn.SiLU(), head(16))
    outputs, y = model(torch.randn(64, 2)), torch.randn(64)
    loss = losses.gaussian_nll if len(outputs) == 2 else losses.gaussian_mixture_nll
    loss(*outputs, y).backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, key


def test_mixture_head_weights_add_up_and_means_start_apart():
    torch.manual_seed(0)
    log_weights, means, log_sigmas = GaussianMixtureHead(4, 3)(torch.zeros(7, 4))
    assert log_weights.shape == means.shape == log_sigmas.shape == (7, 3)
    torch.testing.assert_close(log_weights.exp().sum(-1), torch.ones(7))
    torch.testing.assert_close(means[0], torch.tensor([-1.0, 0.0, 1.0]))


@pytest.mark.parametrize("loss, count", [(loss, 2) for loss in TWO] + [(loss, 3) for loss in THREE])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_type_is_kept(loss, count, dtype):
    assert loss(*[torch.ones(5, dtype=dtype)] * count).dtype == dtype


@pytest.mark.parametrize("loss, count", [(loss, 2) for loss in TWO] + [(loss, 3) for loss in THREE])
@pytest.mark.parametrize(
    "last", [torch.ones(5, 1), torch.ones(1), torch.ones(5, dtype=torch.int64), torch.ones(0), [1.0] * 5]
)
def test_bad_input_is_named(loss, count, last):
    with pytest.raises(ValueError, match="^(target|sigma): "):
        loss(*[torch.ones(5)] * (count - 1), last)


@pytest.mark.parametrize(
    "call, name",
    [
        (lambda y: losses.huber(y, y, delta=0), "delta"),
        (lambda y: losses.quantile_loss(y, y, 1.0), "level"),
        (lambda y: losses.beta_nll(y, y, y, beta=2), "beta"),
        (lambda y: losses.gaussian_mixture_nll(y, y, y, y), "target"),
        (lambda y: losses.gaussian_mixture_nll(y[:, None], y, y[:, None], y), "means"),
        (lambda y: losses.gaussian_mixture_log_prob(*[y[:, None]] * 3, y[:, None]), "target"),
        (lambda y: losses.gaussian_mixture_log_prob(*[y[:, None]] * 3, y.int()), "target"),
        (lambda y: GaussianHead(3)(y), "features"),
        (lambda y: GaussianHead(0), "inputs"),
        (lambda y: GaussianMixtureHead(3, 0), "components"),
        (lambda y: GaussianMixtureHead(3, 2)(y), "features"),
    ],
)
def test_bad_options_are_named(call, name):
    with pytest.raises(ValueError, match=f"^{name}: "):
        call(torch.ones(5))
