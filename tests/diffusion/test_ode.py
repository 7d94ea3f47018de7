"""Samplers and the density along the flow: orders, peers, closed forms."""

import math

import pytest
import torch

from hepml_labs.diffusion.ode import divergence, integrate, log_likelihood
from hepml_labs.diffusion.paths import GaussianMixture, Linear, VariancePreserving

DOUBLE = {"dtype": torch.float64}


def swirl(x, t):
    """A field without a closed form: both coordinates and the time matter."""
    return torch.stack([torch.sin(x[:, 1]) + t, -(x[:, 0] ** 2) * torch.cos(t)], dim=1)


def mixture():
    means = torch.tensor([[-1.5, 0.0], [1.0, 1.0], [0.5, -1.5]], **DOUBLE)
    return GaussianMixture(torch.tensor([0.5, 0.3, 0.2], **DOUBLE), means, torch.tensor([0.4, 0.6, 0.5], **DOUBLE))


@pytest.mark.parametrize(("method", "order"), [("euler", 1), ("midpoint", 2), ("rk4", 4)])
def test_order_of_convergence(method, order):
    """dx/dt = x cos t has the solution x(0) exp(sin t)."""
    x = torch.tensor([[0.5], [2.0]], **DOUBLE)
    exact = x * math.exp(math.sin(1.5))
    field = lambda x, t: x * torch.cos(t)[:, None]  # noqa: E731
    few, many = [(integrate(field, x, 0, 1.5, n, method) - exact).abs().max() for n in (20, 40)]
    assert math.log2(few / many) == pytest.approx(order, abs=0.15)


@pytest.mark.parametrize("method", ["euler", "midpoint", "rk4"])
def test_against_torchdiffeq(method):
    """Equal steps, equal numbers. Its rk4 is the 3/8 rule: the same for linear fields with constant coefficients."""
    torchdiffeq = pytest.importorskip("torchdiffeq")
    x = torch.tensor([[0.3, -0.7], [1.0, 0.2]], **DOUBLE)
    turn = torch.tensor([[-0.1, 2.0], [-2.0, -0.3]], **DOUBLE)
    field = (lambda x, t: x @ turn) if method == "rk4" else swirl
    times = torch.linspace(0.0, 1.2, 9, **DOUBLE)
    theirs = torchdiffeq.odeint(lambda t, x: field(x, t.expand(len(x))), x, times, method=method)
    torch.testing.assert_close(integrate(field, x, 0.0, 1.2, 8, method, trajectory=True), theirs)
    accurate = torchdiffeq.odeint(lambda t, x: swirl(x, t.expand(len(x))), x, times[[0, -1]], rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(integrate(swirl, x, 0.0, 1.2, 200, "rk4"), accurate[-1], rtol=1e-8, atol=1e-9)


def test_backwards_returns():
    x = torch.tensor([[0.3, -0.7]], **DOUBLE)
    there = integrate(swirl, x, 0.2, 0.9, 50, "rk4")
    torch.testing.assert_close(integrate(swirl, there, 0.9, 0.2, 50, "rk4"), x, rtol=0, atol=1e-8)


def test_divergence_is_the_trace_and_hutchinson_its_mean():
    x, t = torch.randn(5, 4, generator=torch.Generator().manual_seed(0), **DOUBLE), torch.zeros(5, **DOUBLE)
    mix = torch.randn(4, 4, generator=torch.Generator().manual_seed(1), **DOUBLE)
    field = lambda x, t: torch.tanh(x @ mix)  # noqa: E731
    v, trace = divergence(field, x, t)
    jacobian = torch.func.vmap(torch.func.jacrev(lambda x: torch.tanh(x @ mix)))(x)
    torch.testing.assert_close(trace, jacobian.diagonal(dim1=1, dim2=2).sum(1))
    torch.testing.assert_close(v, field(x, t))
    signs = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0], **DOUBLE)] * 4)  # all sixteen: the mean is exact
    estimates = torch.stack([divergence(field, x, t, sign.expand(5, 4))[1] for sign in signs])
    assert estimates.std(0).min() > 0.1
    torch.testing.assert_close(estimates.mean(0), trace)


@pytest.mark.parametrize("path", [Linear(), VariancePreserving()], ids=["linear", "variance preserving"])
def test_likelihood_of_a_known_density_by_its_closed_form_velocity(path):
    target = mixture()
    x = target.sample(100, torch.Generator().manual_seed(2))
    field = lambda x, t: target.velocity(x, t, path)  # noqa: E731
    found = log_likelihood(field, x, steps=60)
    torch.testing.assert_close(found, target.log_prob(x), rtol=0, atol=2e-4)
    estimate = log_likelihood(field, x, steps=20, exact=False, seed=1)
    assert (estimate - found).std() > 0.05  # noisy point by point,
    assert (estimate - found).mean().abs() < 4 * (estimate - found).std() / math.sqrt(len(x))  # right on average
    torch.testing.assert_close(estimate, log_likelihood(field, x, steps=20, exact=False, seed=1))


def test_samples_of_the_closed_form_velocity():
    target = mixture()
    noise = torch.randn(10_000, 2, generator=torch.Generator().manual_seed(3), **DOUBLE)
    x = integrate(lambda x, t: target.velocity(x, t, Linear()), noise, steps=25)
    found = torch.stack([x[:, 0], x[:, 1], x[:, 0] ** 2, x[:, 0] * x[:, 1], (x[:, 0] > 0).double()], dim=1)
    true = target.sample(200_000, torch.Generator().manual_seed(4))
    expected = torch.stack(
        [true[:, 0], true[:, 1], true[:, 0] ** 2, true[:, 0] * true[:, 1], (true[:, 0] > 0).double()], dim=1
    )
    pulls = (found.mean(0) - expected.mean(0)) / (found.std(0) * math.sqrt(1 / 10_000 + 1 / 200_000))
    assert pulls.abs().max() < 4.5


def test_kinds_and_bad_input():
    field = lambda x, t: x  # noqa: E731
    x = torch.zeros(3, 2, device="meta")
    assert integrate(field, x, method="rk4").is_meta
    assert log_likelihood(field, x, steps=2).is_meta
    assert log_likelihood(field, torch.zeros(3, 2)).dtype == torch.float32
    constant = log_likelihood(lambda x, t: torch.ones_like(x), torch.ones(1, 2, **DOUBLE))
    assert constant.item() == pytest.approx(-math.log(2 * math.pi))
    for arguments, name in [
        ({"x": torch.zeros(3)}, "x"),
        ({"steps": 0}, "steps"),
        ({"method": "heun"}, "method"),
        ({"stop": math.inf}, "stop"),
    ]:
        with pytest.raises(ValueError, match=f"^{name}: "):
            integrate(field, **{"x": torch.zeros(3, 2)} | arguments)
    with pytest.raises(ValueError, match="^seed: "):
        log_likelihood(field, torch.zeros(3, 2), seed=-1)
