import math

import pytest
import torch
from torch import nn

from hepml_labs.nn import BayesianLinear, gaussian_kl
from hepml_labs.regression.bayesian import BayesianMLP, elbo_loss
from hepml_labs.regression.losses import gaussian_nll


class _Line(BayesianMLP):
    """Bayesian linear model with known noise, whose mean-field posterior is known in closed form."""

    def __init__(self, inputs, sigma, prior_sigma):
        super().__init__(inputs, hidden=(), prior_sigma=prior_sigma)
        self.layers = nn.Sequential(BayesianLinear(inputs, 1, prior_sigma))
        self.log_sigma = math.log(sigma)

    def forward(self, x):
        mean = self.layers(x)
        return torch.cat([mean, torch.full_like(mean, self.log_sigma)], dim=1)


def test_bayesian_linear_regression_reaches_the_known_mean_field_optimum():
    """The optimum has the exact posterior mean, and variances 1 / diag(precision) (Bishop, PRML 10.1.2)."""
    generator = torch.Generator().manual_seed(4)
    n, sigma, prior_sigma = 40, 0.5, 0.8
    x = torch.randn(n, 2, generator=generator, dtype=torch.float64) + 0.5
    target = x @ torch.tensor([1.0, -2.0]).double() + 0.3 + sigma * torch.randn(n, generator=generator).double()
    design = torch.cat([x, torch.ones(n, 1)], dim=1)
    precision = design.T @ design / sigma**2 + torch.eye(3) / prior_sigma**2
    mean = torch.linalg.solve(precision, design.T @ target / sigma**2)

    torch.manual_seed(5)
    model = _Line(2, sigma, prior_sigma).double()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    averaged = torch.zeros(2, 3, dtype=torch.float64)
    for step in range(2400):
        for group in optimizer.param_groups:
            group["lr"] = 0.03 / (1 + step / 100)
        # 4 copies of the data: less noise from the drawn outputs, the same expectation
        loss = elbo_loss(model, x.repeat(4, 1), target.repeat(4), train_size=n)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        layer = model.layers[0]
        if step >= 1200:
            means = torch.cat([layer.weight_mean[0], layer.bias_mean]).detach()
            sigmas = torch.cat([layer.weight_log_sigma[0], layer.bias_log_sigma]).detach().exp()
            averaged += torch.stack([means, sigmas]) / 1200
    torch.testing.assert_close(averaged[0], mean, atol=0.01, rtol=0)
    torch.testing.assert_close(averaged[1], precision.diagonal() ** -0.5, atol=0, rtol=0.03)


def test_loss_is_likelihood_plus_kl_over_train_size():
    torch.manual_seed(6)
    model = BayesianMLP(3, hidden=(8,), initial_sigma=1e-8)
    x, target = torch.randn(10, 3), torch.randn(10)
    mean, log_sigma = model(x).unbind(-1)
    likelihood = gaussian_nll(mean, log_sigma, target)
    parts = [layer for layer in model.layers if isinstance(layer, BayesianLinear)]
    kl = sum(
        gaussian_kl(layer.weight_mean, layer.weight_log_sigma) + gaussian_kl(layer.bias_mean, layer.bias_log_sigma)
        for layer in parts
    )
    torch.testing.assert_close(elbo_loss(model, x, target, 50), likelihood + kl / 50, rtol=1e-4, atol=1e-4)


def test_prediction_splits_the_variance_and_repeats_with_the_seed():
    torch.manual_seed(7)
    model = BayesianMLP(3, hidden=(8, 8), initial_sigma=0.2)
    x = torch.randn(6, 3)
    state = torch.random.get_rng_state()
    first = model.predict_distribution(x, samples=20, seed=1)
    assert torch.equal(torch.random.get_rng_state(), state), "the caller's random numbers must not move"
    assert model.training
    for one, again in zip(first, model.predict_distribution(x, samples=20, seed=1), strict=True):
        assert torch.equal(one, again)
    assert not torch.equal(first[0], model.predict_distribution(x, samples=20, seed=2)[0])
    assert (first[1] > 0).all() and (first[2] > 0).all()


def test_gradients_reach_every_parameter_and_types_are_kept():
    model = BayesianMLP(3, hidden=(8, 8)).double()
    loss = elbo_loss(model, torch.randn(5, 3).double(), torch.randn(5).double(), 100)
    loss.backward()
    assert loss.dtype == torch.float64
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_runs_on_the_meta_device():
    model = BayesianMLP(3, hidden=(8,)).to("meta")
    loss = elbo_loss(model, torch.zeros(5, 3, device="meta"), torch.zeros(5, device="meta"), 100)
    assert loss.device.type == "meta"
    assert model.eval()(torch.zeros(5, 3, device="meta")).shape == (5, 2)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("train_size", lambda: elbo_loss(BayesianMLP(2), torch.zeros(4, 2), torch.zeros(4), 0)),
        ("target", lambda: elbo_loss(BayesianMLP(2), torch.zeros(4, 2), torch.zeros(4, 1), 10)),
        ("x", lambda: BayesianMLP(2).predict_distribution(torch.zeros(4, 3))),
        ("x", lambda: BayesianMLP(2).predict_distribution(torch.full((4, 2), torch.nan))),
        ("x", lambda: BayesianMLP(2).predict_distribution(torch.zeros(0, 2))),
        ("x", lambda: BayesianMLP(2).predict_distribution(torch.zeros(4, 2, dtype=torch.int64))),
        ("samples", lambda: BayesianMLP(2).predict_distribution(torch.zeros(4, 2), samples=1)),
    ],
)
def test_bad_input_is_named(name, call):
    with pytest.raises(ValueError, match=name):
        call()
