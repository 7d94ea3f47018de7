import math

import numpy as np
import pytest
import torch
from torch import nn

from hepml_labs.flows.bayesian import BayesianFlow, density_band, ensemble_elbo, flow_elbo, histogram_band
from hepml_labs.flows.coupling import coupling_flow
from hepml_labs.flows.elementwise import Affine
from hepml_labs.flows.flow import Flow
from hepml_labs.flows.transforms import Transform
from hepml_labs.nn import BayesianLinear, Ensemble, gaussian_kl
from hepml_labs.training import fit


class _Shift(Transform):
    """z = (x - b) / sigma with a learned b: a flow whose posterior is known."""

    def __init__(self, sigma):
        super().__init__()
        self.sigma, self.network = sigma, nn.Linear(1, 1)

    def forward(self, x, context=None):
        shift = self.network(torch.zeros_like(x))  # without an input only the bias is left
        return (x - shift) / self.sigma, torch.full_like(x[:, 0], -math.log(self.sigma))


def _build(**options):
    return BayesianFlow(coupling_flow(2, layers=2, hidden=(4,), **options))


def _shift_flow(prior=2.0):
    return BayesianFlow(Flow(_Shift(3.0), 1), prior_sigma=prior, initial_sigma=0.1)


def test_the_posterior_of_a_shift_is_the_exact_one():
    """Gaussian data, prior of width 2 on the bias: precision n / sigma^2 + 1 / 4, mean by Bayes' theorem."""
    n, sigma, prior = 40, 3.0, 2.0
    x = 1.5 + sigma * torch.randn(n, 1, generator=torch.Generator().manual_seed(1))
    precision = n / sigma**2 + 1 / prior**2
    model = _shift_flow(prior)
    layer = model.flow.transform.network
    averaged, steps = torch.zeros(2), 800
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    torch.manual_seed(2)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 0.03 / (1 + step / 100)
        loss = flow_elbo(model, x.repeat(20, 1), train_size=n)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step >= steps // 2:
            averaged += torch.cat([layer.bias_mean, layer.bias_log_sigma.exp()]).detach() / (steps // 2)
    mean = x.sum().item() / sigma**2 / precision
    assert averaged[0].item() == pytest.approx(mean, abs=0.02 / math.sqrt(precision))
    assert averaged[1].item() == pytest.approx(precision**-0.5, rel=0.03)
    # the weight multiplies zero: nothing is learned about it, so its posterior is the prior
    assert layer.weight_log_sigma.exp().item() == pytest.approx(prior, rel=0.25)
    # and the band of the density is the one of that posterior: dp = p |x - b| / sigma^2 * sigma_b
    at = torch.tensor([[-3.0], [6.0]])
    mean, band = density_band(model.posterior_log_prob(at, draws=2000, seed=3))
    b, sigma_b = layer.bias_mean.item(), layer.bias_log_sigma.exp().item()
    linear = torch.exp(-0.5 * ((at[:, 0] - b) / sigma) ** 2) / math.sqrt(2 * math.pi) / sigma
    linear = linear * (at[:, 0] - b).abs() / sigma**2 * sigma_b
    torch.testing.assert_close(band, linear, rtol=0.06, atol=0)


def test_bands_of_repeated_trainings_cover_and_shrink_with_the_root_of_n():
    """The same shift for 60 data sets at once: pulls of width one, bands of width sigma / sqrt(n)."""
    widths = {}
    for n in (25, 400):
        x = 3.0 * torch.randn(n, 60, 1, generator=torch.Generator().manual_seed(n))
        ensemble = Ensemble(_shift_flow, members=60)
        repeated = (x.repeat(max(1, 200 // n), 1, 1),)
        options = dict(epochs=300, batch_size=1000, learning_rate=0.05, schedule="cosine", progress=False)
        fit(ensemble, lambda e, x, n=n: ensemble_elbo(e, x, n, prior_sigma=2.0), repeated, **options)
        layers = [ensemble.member(m).flow.transform.network for m in range(60)]
        mean = torch.stack([layer.bias_mean for layer in layers])
        sigma = torch.stack([layer.bias_log_sigma for layer in layers]).exp()
        assert (mean / sigma).std().item() == pytest.approx(1, abs=0.25)  # three standard errors
        widths[n] = sigma.mean().item()
        assert widths[n] == pytest.approx((n / 9 + 0.25) ** -0.5, rel=0.06)
    assert widths[25] / widths[400] == pytest.approx(4, rel=0.12)  # the prior costs a tenth at n = 25


def test_mean_field_counts_a_redundant_weight_twice():
    """Weight and bias of a constant input do one job; each gets the variance 1 / n, so their sum gets twice that."""
    n = 400
    x = torch.randn(n, 1, generator=torch.Generator().manual_seed(5))
    model = BayesianFlow(coupling_flow(1, layers=1, hidden=(), elementwise=Affine()), initial_sigma=0.05)
    fit(model, lambda f, x: flow_elbo(f, x, train_size=n), (x,), epochs=400, batch_size=n, learning_rate=0.03,
        progress=False)  # fmt: skip
    log_prob = model.posterior_log_prob(torch.tensor([[-1.0], [0.0], [1.0]]), draws=1000)
    mean, band = density_band(log_prob)
    exact = torch.sqrt((1 + torch.tensor([1.0, 0.0, 1.0])) / (2 * n))
    torch.testing.assert_close(band / mean, math.sqrt(2) * exact, rtol=0.15, atol=0)


def test_draws_are_normalised_densities_and_samples_follow_them():
    torch.manual_seed(6)
    model = BayesianFlow(coupling_flow(2, layers=2, hidden=(4,)), initial_sigma=0.3)
    grid = torch.linspace(-6, 6, 161)
    points = torch.cartesian_prod(grid, grid)
    density = model.posterior_log_prob(points, draws=4, seed=1).exp()
    integral = density.sum(1) * (grid[1] - grid[0]) ** 2
    torch.testing.assert_close(integral, torch.ones(4), atol=5e-3, rtol=0)
    assert (density[0] - density[1]).abs().max() > 0.01
    # the same seed gives the same flows, for densities and for events
    again = model.posterior_log_prob(points[:7], draws=4, seed=1)
    torch.testing.assert_close(again.exp(), density[:, :7])
    samples = model.posterior_sample(4000, draws=3, seed=2)
    assert samples.shape == (3, 4000, 2) and model.training
    assert torch.equal(samples, model.posterior_sample(4000, draws=3, seed=2))


def test_wrapping_keeps_the_flow_and_the_loss_is_likelihood_plus_kl_over_n():
    torch.manual_seed(7)
    flow = coupling_flow(2, context=1, layers=2, hidden=(4,)).double()
    for parameter in flow.parameters():
        nn.init.normal_(parameter, std=0.3)
    model = BayesianFlow(flow, prior_sigma=0.5, initial_sigma=1e-10)
    x, context = torch.randn(9, 2).double(), torch.randn(9, 1).double()
    torch.testing.assert_close(model.eval()(x, context), flow(x, context))
    layers = [layer for layer in model.modules() if isinstance(layer, BayesianLinear)]
    assert len(layers) == 4 and not any(type(layer) is nn.Linear for layer in model.modules())
    kl = sum(gaussian_kl(p, torch.full_like(p, math.log(1e-10)), 0.5) for p in flow.parameters())
    torch.testing.assert_close(flow_elbo(model, x, context, train_size=50), -flow(x, context).mean() + kl / 50)


def test_an_ensemble_has_the_losses_of_its_members():
    ensemble = Ensemble(lambda: BayesianFlow(coupling_flow(2, layers=2, hidden=(4,)), initial_sigma=1e-9), members=3)
    with torch.no_grad():
        for parameter in ensemble.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(8)))
        for name, parameter in ensemble.named_parameters():
            if name.endswith("log_sigma"):
                parameter.fill_(-20.0)
    x = torch.randn(6, 3, 2, generator=torch.Generator().manual_seed(9))
    expected = sum(flow_elbo(ensemble.member(m), x[:, m], train_size=30) for m in range(3))
    together = ensemble_elbo(ensemble, x, train_size=30)
    torch.testing.assert_close(together, expected)
    together.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in ensemble.parameters())


def test_histogram_band_takes_out_the_counting_noise():
    """Beta-binomial: a fraction that varies by 0.05 between draws, counted with 200 events (noise 0.035)."""
    rng = np.random.default_rng(10)
    fraction = rng.normal(0.5, 0.05, size=(4000, 1))
    band = histogram_band((rng.random((4000, 200)) > fraction).astype(float), np.array([-0.5, 0.5, 1.5]))
    np.testing.assert_allclose(band.sigma, 0.05, rtol=0.05)
    np.testing.assert_allclose(band.covariance, 0.05**2 * np.array([[1, -1], [-1, 1]]), rtol=0.1)
    still = histogram_band(rng.random((4000, 200)), np.array([0.0, 0.3, 1.0]))
    assert np.abs(still.covariance).max() < 4 * math.sqrt(2 / 4000) * 0.21 / 200


def test_runs_on_the_meta_device():
    model = _build().to("meta")
    assert flow_elbo(model, torch.zeros(5, 2, device="meta"), train_size=10).device.type == "meta"
    assert model.eval()(torch.zeros(5, 2, device="meta")).shape == (5,)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("flow", lambda: BayesianFlow(nn.Identity())),
        ("prior_sigma", lambda: BayesianFlow(coupling_flow(2, layers=1), prior_sigma=0.0)),
        ("draws", lambda: _build().posterior_log_prob(torch.zeros(3, 2), draws=0)),
        ("x", lambda: _build().posterior_log_prob(torch.full((3, 2), torch.nan))),
        ("x", lambda: _build().posterior_log_prob(torch.zeros(3, 1))),
        ("train_size", lambda: flow_elbo(_build(), torch.zeros(3, 2), train_size=0)),
        ("x", lambda: ensemble_elbo(Ensemble(_build, members=2), torch.zeros(3, 3, 2), 10)),
        ("log_probs", lambda: density_band(torch.zeros(1, 3))),
        ("log_probs", lambda: density_band(torch.full((2, 3), torch.nan))),
        ("edges", lambda: histogram_band(np.zeros((3, 4)), np.array([1.0, 0.0]))),
        ("values", lambda: histogram_band(np.zeros((1, 4)), np.array([0.0, 1.0]))),
        ("values", lambda: histogram_band(np.zeros((4, 1)), np.array([0.0, 1.0]))),
    ],
)
def test_bad_input_is_named(name, call):
    with pytest.raises(ValueError, match=name):
        call()
