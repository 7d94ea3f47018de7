"""Probability paths: against torchcfm at the same draws, exact conversions, and the continuity equation."""

import warnings

import pytest
import torch

from hepml_labs.diffusion.paths import GaussianMixture, Linear, VariancePreserving, pair_optimally

PATHS = [Linear(), Linear(smallest=0.1), VariancePreserving()]
NAMES = ["linear", "blurred", "variance preserving"]


def draws(n=64, d=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x1, eps = torch.randn(2, n, d, generator=generator, dtype=torch.float64)
    return x1, eps, 0.02 + 0.96 * torch.rand(n, generator=generator, dtype=torch.float64)


def mixture():
    double = {"dtype": torch.float64}
    return GaussianMixture(
        torch.tensor([0.3, 0.7], **double), torch.tensor([[-1.0], [2.0]], **double), torch.tensor([0.4, 0.8], **double)
    )


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_ends_and_derivatives(path):
    x1, eps, t = draws()
    torch.testing.assert_close(path.point(x1, eps, torch.zeros_like(t)), eps)
    blur = getattr(path, "smallest", 0.0)
    torch.testing.assert_close(path.point(x1, eps, torch.ones_like(t)), x1 + blur * eps)
    _, rate = torch.func.jvp(lambda time: path.point(x1, eps, time), (t,), (torch.ones_like(t),))
    torch.testing.assert_close(path.velocity(x1, eps, t), rate)


def test_variance_is_preserved():
    _, _, t = draws()
    path = VariancePreserving()
    torch.testing.assert_close(path.alpha(t) ** 2 + path.sigma(t) ** 2, torch.ones_like(t))


@pytest.mark.parametrize(
    ("path", "peer"),
    [
        (Linear(), "ConditionalFlowMatcher"),
        (Linear(smallest=0.1), "TargetConditionalFlowMatcher"),
        (VariancePreserving(), "VariancePreservingConditionalFlowMatcher"),
    ],
    ids=NAMES,
)
def test_against_torchcfm(path, peer):
    torchcfm = pytest.importorskip("torchcfm")
    x1, eps, t = draws()
    if peer == "TargetConditionalFlowMatcher":  # its noise is the epsilon around t x_1
        matcher = torchcfm.TargetConditionalFlowMatcher(sigma=0.1)
        point = t[:, None] * x1 + matcher.compute_sigma_t(t)[:, None] * eps
    else:
        matcher = getattr(torchcfm, peer)(sigma=0.0)
        _, point, _ = matcher.sample_location_and_conditional_flow(eps, x1, t=t)
    torch.testing.assert_close(path.point(x1, eps, t), point)
    velocity = matcher.compute_conditional_flow(eps, x1, t[:, None], point)
    torch.testing.assert_close(path.velocity(x1, eps, t), velocity)


def test_optimal_pairing_against_torchcfm_and_sorting():
    x1, eps, _ = draws(n=40)
    paired = pair_optimally(x1, eps)
    assert sorted(paired[:, 0].tolist()) == sorted(eps[:, 0].tolist())
    cost = (x1 - paired).square().sum()
    assert cost < (x1 - eps).square().sum()
    torch.testing.assert_close(pair_optimally(x1[:, :1], eps[:, :1]).argsort(0), x1[:, :1].argsort(0))  # one dimension
    torchcfm = pytest.importorskip("torchcfm")
    sampler = torchcfm.optimal_transport.OTPlanSampler(method="exact")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plan = torch.as_tensor(sampler.get_map(eps, x1))  # (noise, data): 1/n for partners
    distance = torch.cdist(eps, x1).square()
    torch.testing.assert_close((plan * distance).sum() * len(x1), cost)
    torch.testing.assert_close(eps[plan.argmax(0)], paired)


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_conversions(path):
    """Exact velocity and score of a mixture turn into each other, into noise and into data."""
    x, _, t = draws(d=1)
    target = mixture()
    velocity, score = target.velocity(x, t, path), target.score(x, t, path)
    torch.testing.assert_close(path.score_from_velocity(velocity, x, t), score)
    torch.testing.assert_close(path.velocity_from_score(score, x, t), velocity)
    noise, data = path.noise_from_velocity(velocity, x, t), path.data_from_velocity(velocity, x, t)
    torch.testing.assert_close(path.velocity_from_noise(noise, x, t), velocity)
    torch.testing.assert_close(path.point(data, noise, t), x)
    torch.testing.assert_close(path.velocity(data, noise, t), velocity)


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_the_mixture_obeys_the_continuity_equation(path):
    """dp/dt + d(p v)/dx = 0 point by point, and the score is the gradient of log p."""
    x, _, t = draws(d=1)
    target = mixture()
    ones = torch.ones_like(t)
    density = lambda place, time: target.log_prob(place, time, path).exp()  # noqa: E731
    _, change = torch.func.jvp(lambda time: density(x, time), (t,), (ones,))
    flux = lambda place: density(place, t) * target.velocity(place, t, path)[:, 0]  # noqa: E731
    _, outflow = torch.func.jvp(flux, (x,), (ones[:, None],))
    torch.testing.assert_close(change, -outflow)
    _, gradient = torch.func.jvp(lambda place: target.log_prob(place, t, path), (x,), (ones[:, None],))
    torch.testing.assert_close(target.score(x, t, path)[:, 0], gradient)


def test_mixture_samples_follow_its_density():
    target = mixture()
    x = target.sample(200_000, torch.Generator().manual_seed(1))
    grid = torch.linspace(-6, 8, 4001, dtype=torch.float64)
    density = target.log_prob(grid[:, None]).exp()
    assert torch.trapezoid(density, grid).item() == pytest.approx(1, abs=1e-10)
    entropy = -torch.trapezoid(density * density.log(), grid).item()
    assert -target.log_prob(x).mean().item() == pytest.approx(entropy, abs=0.01)


def test_bad_input():
    x1, eps, t = draws()
    with pytest.raises(ValueError, match="^smallest: "):
        Linear(1.0)
    with pytest.raises(ValueError, match="^eps: "):
        Linear().point(x1, eps[:3], t)
    with pytest.raises(ValueError, match="^t: "):
        Linear().velocity(x1, eps, t[:, None])
    with pytest.raises(ValueError, match="^eps: "):
        pair_optimally(x1, eps[:3])
    with pytest.raises(ValueError, match="^weights: "):
        GaussianMixture(torch.tensor([0.0, 1.0]), torch.zeros(2, 1), torch.ones(2))
