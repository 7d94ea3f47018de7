"""MadNIS: unbiased, learns, and its losses equal those of its authors."""

import numpy as np
import pytest
import torch

from hepml_labs.flows.channels import BreitWigner, Flat, PowerLaw
from hepml_labs.flows.integration_losses import kl, variance
from hepml_labs.flows.madnis import MadNIS
from hepml_labs.flows.scalers import Columns


def ramp(x):
    return (2 * x).prod(1)


def peaks(x):
    """A peak in each column: the densities of the two channels, up to their common norm."""
    return 1 / ((x - 0.4) ** 2 + 0.02**2)


def crossed(x):
    """Two ridges in the unit square; the integral is that of each alone, twice."""
    return peaks(x).sum(1)


EXACT = 2 * (np.arctan(0.6 / 0.02) + np.arctan(0.4 / 0.02)) / 0.02


def ridge(column):
    peak = BreitWigner(0.4**0.5, 0.02 / 0.4**0.5, 0.0, 1.0)
    return Columns([peak, Flat(0, 1)] if column == 0 else [Flat(0, 1), peak])


def test_learns_the_ramp_and_reuses_its_calls():
    integrator = MadNIS(ramp, 4, hidden=(16,)).train(20, batch_size=512, replays=3)
    assert integrator.calls == 20 * 512
    found = integrator.integrate(20_000)
    assert found.value == pytest.approx(1, abs=4 * found.error)
    assert found.relative_std < 0.5  # 1.47 for plain Monte Carlo
    online = MadNIS(ramp, 4, hidden=(16,)).train(20, batch_size=512, replays=0).integrate(20_000)
    assert found.relative_std < online.relative_std


def test_untrained_is_plain_monte_carlo():
    found = MadNIS(ramp, 4).integrate(50_000)
    assert found.relative_std == pytest.approx(np.sqrt((4 / 3) ** 4 - 1), rel=0.02)


def test_channels_with_learned_weights():
    integrator = MadNIS(crossed, 2, [ridge(0), ridge(1)], peaks, layers=2, hidden=(16,))
    start = integrator.integrate(5000)
    assert start.relative_std < 0.02  # with this prior each share is its channel's density
    x = torch.rand(50, 2)
    expected = peaks(x) / peaks(x).sum(1, keepdim=True)
    torch.testing.assert_close(integrator.channel_weights(x), expected)

    plain = MadNIS(crossed, 2, [ridge(0), ridge(1)], None, layers=2, hidden=(16,))
    before = plain.integrate(5000)
    after = plain.train(20, batch_size=512, replays=2).integrate(5000)
    assert after.relative_std < before.relative_std / 2
    assert after.value == pytest.approx(EXACT, abs=4 * after.error)
    weights = plain.channel_weights(x)
    torch.testing.assert_close(weights.sum(1), torch.ones(50))
    assert (weights - 0.5).abs().max() > 0.1


def test_pulls_with_few_points_in_unequal_channels():
    tilted = lambda x: peaks(x) * (0.3 + x)  # noqa: E731
    integrator = MadNIS(crossed, 2, [ridge(0), ridge(1)], tilted, layers=2, hidden=(8,))
    integrator.spread = np.array([1.0, 3.0])
    results = [integrator.integrate(400, seed) for seed in range(150)]
    pulls = np.array([(found.value - EXACT) / found.error for found in results])
    assert abs(pulls.mean()) < 4 / np.sqrt(150)
    assert 0.85 < pulls.std() < 1.25
    mean = np.mean([found.value for found in results])
    error = np.std([found.value for found in results]) / np.sqrt(150)
    assert mean == pytest.approx(EXACT, abs=4 * error)


def test_sample_agrees_with_integral():
    integrator = MadNIS(crossed, 2, [ridge(0), ridge(1)])
    points, weights = integrator.sample(20_000, seed=1)
    assert weights.mean().item() == pytest.approx(EXACT, rel=0.05)
    again, _ = integrator.sample(20_000, seed=1)
    assert torch.equal(points.x, again.x)


def numbers(channels=1):
    random = np.random.default_rng(4)
    f, log_q, log_drawn = random.exponential(2, 60), random.normal(0, 0.5, 60), random.normal(0, 0.5, 60)
    channel = torch.from_numpy(random.integers(0, channels, 60))
    return torch.from_numpy(f), torch.from_numpy(log_q).requires_grad_(), torch.from_numpy(log_drawn), channel


def test_losses_of_madnis():
    losses = pytest.importorskip("madnis.integrator.losses")
    f, log_q, log_drawn, channel = numbers(3)
    ours = variance(f, log_q, log_drawn, channel)
    theirs = losses.stratified_variance(f, log_q.exp(), log_drawn.exp(), channel)
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=0)
    gradients = [torch.autograd.grad(value, log_q)[0] for value in (ours, theirs)]
    torch.testing.assert_close(*gradients, rtol=1e-8, atol=1e-12)
    f, log_q, log_drawn, channel = numbers()
    ours = kl(f, log_q, log_drawn, channel)
    torch.testing.assert_close(ours, losses.kl_divergence(f.clone(), log_q.exp(), log_drawn.exp()), rtol=1e-10, atol=0)


def test_losses_vanish_at_the_optimum_only():
    f, log_q, _, channel = numbers(2)
    best = f.log()
    # for q = f / I on points of q itself, with I = 1 in each channel
    assert variance(f, best, best, channel).item() == pytest.approx(0, abs=1e-12)
    assert kl(f, best, best, channel).item() == pytest.approx(0, abs=1e-12)
    assert variance(f, log_q, log_q, channel) > 0.1
    assert kl(f, log_q, log_q, channel) > 0.01


def test_zeros_of_the_integrand_give_finite_gradients():
    f, log_q, log_drawn, channel = numbers(2)
    f[::2] = 0
    for loss in (variance, kl):
        (gradient,) = torch.autograd.grad(loss(f, log_q, log_drawn, channel), log_q)
        assert gradient.isfinite().all()


def test_power_law_process_with_one_channel():
    """The integral of x^-1.5 from 0.01 to 1 is 18; the map makes it flat, nothing is left to learn."""
    found = MadNIS(lambda x: x[:, 0] ** -1.5, 2, [Columns([PowerLaw(1.5, 0.01, 1.0), Flat(0, 1)])]).integrate(100)
    assert found.value == pytest.approx(18, rel=1e-5)


def test_bad_input():
    with pytest.raises(ValueError, match="loss"):
        MadNIS(ramp, 2).train(1, loss="likelihood")
    with pytest.raises(ValueError, match="integrand"):
        MadNIS(lambda x: x[:, 0] / 0, 2).train(1)
    with pytest.raises(ValueError, match="iterations"):
        MadNIS(ramp, 2).train(0)
    with pytest.raises(ValueError, match="prior"):
        MadNIS(crossed, 2, [ridge(0), ridge(1)], lambda x: x[:, :1]).integrate(100)
