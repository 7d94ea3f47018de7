import math

import pytest
import torch
from torch import nn
from torch.distributions import Normal, kl_divergence

from hepml_labs.nn import BayesianLinear, gaussian_kl


def test_kl_agrees_with_torch_distributions():
    generator = torch.Generator().manual_seed(1)
    mean, log_sigma = torch.randn(2, 7, 3, generator=generator, dtype=torch.float64)
    for width in (0.3, 1.0, 2.5):
        expected = kl_divergence(Normal(mean, log_sigma.exp()), Normal(0.0, width)).sum()
        torch.testing.assert_close(gaussian_kl(mean, log_sigma, width), expected.double())


def test_local_reparametrisation_has_the_moments_of_drawn_weights():
    """Both modes of a layer must give outputs with the same mean and variance, and the closed-form ones."""
    torch.manual_seed(2)
    layer = BayesianLinear(4, 3, initial_sigma=0.3).double()
    x = torch.randn(2, 4, dtype=torch.float64)
    mean = x @ layer.weight_mean.T + layer.bias_mean
    variance = x**2 @ torch.exp(2 * layer.weight_log_sigma).T + torch.exp(2 * layer.bias_log_sigma)
    trained = layer(x.repeat(20_000, 1)).reshape(20_000, 2, 3)
    layer.eval()
    drawn = torch.stack([layer(x) for _ in range(20_000)])
    for outputs in (trained, drawn):
        # five standard errors of a mean and of a variance
        assert ((outputs.mean(0) - mean).abs() < 5 * (variance / 20_000).sqrt()).all()
        assert ((outputs.var(0) / variance - 1).abs() < 5 * math.sqrt(2 / 20_000)).all()


def test_training_draws_points_apart_and_evaluation_draws_one_function():
    torch.manual_seed(3)
    layer = BayesianLinear(2, 1, initial_sigma=0.5)
    x = torch.ones(50, 2)
    assert layer(x).std() > 0.1
    assert layer.eval()(x).std() < 1e-6


def test_a_layer_takes_over_the_weights_of_a_plain_one():
    plain = nn.Linear(3, 2).double()
    layer = BayesianLinear.from_linear(plain, prior_sigma=2.0, initial_sigma=1e-9).eval()
    x = torch.randn(5, 3, dtype=torch.float64)
    assert layer(x).dtype == torch.float64 and layer.prior_sigma == 2.0
    torch.testing.assert_close(layer(x), plain(x), atol=1e-7, rtol=0)
    with torch.no_grad():
        plain.weight.zero_()
    assert layer.weight_mean.abs().sum() > 0, "the weights are copied, not shared"


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("inputs", lambda: BayesianLinear(0, 2)),
        ("outputs", lambda: BayesianLinear(2, -1)),
        ("prior_sigma", lambda: BayesianLinear(2, 2, prior_sigma=0.0)),
        ("initial_sigma", lambda: BayesianLinear(2, 2, initial_sigma=-1.0)),
        ("prior_sigma", lambda: gaussian_kl(torch.zeros(2), torch.zeros(2), prior_sigma=-1.0)),
        ("log_sigma", lambda: gaussian_kl(torch.zeros(2), torch.zeros(3))),
        ("linear", lambda: BayesianLinear.from_linear(nn.Linear(2, 2, bias=False))),
        ("linear", lambda: BayesianLinear.from_linear(nn.Identity())),
    ],
)
def test_bad_input_is_named(name, call):
    with pytest.raises(ValueError, match=name):
        call()
