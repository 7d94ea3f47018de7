"""Steps with the exact score against exact moments, their identities, and a training against the exact score."""

import numpy as np
import pytest
import torch

from hepml_labs.diffusion.ddpm import Diffusion, diffusion_loss
from hepml_labs.diffusion.ode import integrate
from hepml_labs.diffusion.paths import GaussianMixture
from hepml_labs.diffusion.schedules import PREDICTIONS, SCHEDULES, CosineSchedule, LinearSchedule
from hepml_labs.diffusion.sde import denoiser_from_score, gaussian_score
from hepml_labs.diffusion.steps import SAMPLERS, Denoiser, ddim_step, posterior, sample_ddim
from hepml_labs.nn import TimeMLP

MEAN = torch.tensor([1.0, -0.5], dtype=torch.float64)
COVARIANCE = torch.tensor([[0.5, 0.3], [0.3, 0.4]], dtype=torch.float64)
HERE, THERE = (0.6, 0.8), (0.8, 0.6)


def exact_gaussian(schedule):
    return denoiser_from_score(lambda x, t: gaussian_score(x, t, schedule, MEAN, COVARIANCE), schedule)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_posterior_is_bayes_theorem():
    """Condition the joint Gaussian of x_t' and x_t, given x_1, on x_t."""
    r = HERE[0] / THERE[0]
    x, x1 = normal(5, 2), normal(5, 2, seed=1)
    prior_mean, prior_variance = THERE[0] * x1, THERE[1] ** 2
    gain = r * prior_variance / HERE[1] ** 2
    mean, width = posterior(x, x1, HERE, THERE)
    torch.testing.assert_close(mean, prior_mean + gain * (x - HERE[0] * x1))
    assert width**2 == pytest.approx(prior_variance - gain * r * prior_variance)


@pytest.mark.parametrize("name", list(SCHEDULES))
def test_ancestral_sampling_with_the_exact_score(name):
    schedule, n = SCHEDULES[name](), 5_000
    x = SAMPLERS["ancestral"](
        exact_gaussian(schedule), schedule, normal(n, 2), schedule.times(200), torch.Generator().manual_seed(1)
    )
    variance = COVARIANCE.diagonal()
    assert ((x.mean(0) - MEAN).abs() < 5 * (variance / n).sqrt()).all()
    error = ((variance[:, None] * variance + COVARIANCE**2) / n).sqrt()
    assert ((x.T.cov() - COVARIANCE).abs() < 6 * error).all()


def test_ddim_with_eta_one_is_ancestral():
    x, data = normal(5, 2), normal(5, 2, seed=1)
    noise = (x - HERE[0] * data) / HERE[1]
    found = ddim_step(data, noise, HERE, THERE, 1.0, torch.Generator().manual_seed(3))
    mean, width = posterior(x, data, HERE, THERE)
    torch.testing.assert_close(found, mean + width * normal(5, 2, seed=3))


def test_ddim_with_eta_zero_is_euler_in_its_variables():
    """dy/dk = E[eps] with y = x / alpha, k = sigma / alpha, by the integrator of flow matching."""
    schedule, x, steps = CosineSchedule(), normal(20, 2), 12
    k = torch.linspace(3.0, 0.1, steps + 1, dtype=torch.float64)
    times = schedule.time_of_angle(k.atan())
    denoise, alpha = exact_gaussian(schedule), schedule.alpha(times)

    def slope(y, now):
        t = schedule.time_of_angle(now.atan())
        return denoise(schedule.alpha(t)[:, None] * y, t)[1]

    euler = alpha[-1] * integrate(slope, x / alpha[0], 3.0, 0.1, steps, "euler")
    torch.testing.assert_close(sample_ddim(denoise, schedule, x, times), euler)


def test_loss_of_the_exact_prediction_is_the_spread_of_the_targets():
    """Standard normal data: E[eps|x] = sigma x leaves the variance alpha^2, E[v|x] = 0 leaves 1."""
    schedule, x1 = CosineSchedule(), normal(100_000, 1)
    generator = torch.Generator().manual_seed(1)
    options = dict(schedule=schedule, generator=generator)
    t = torch.linspace(0, 1, 10_001, dtype=torch.float64)
    exact = diffusion_loss(lambda x, t, c: schedule.sigma(t)[:, None] * x, x1, predict="noise", **options)
    assert exact.item() == pytest.approx((schedule.alpha(t) ** 2).mean().item(), rel=0.02)
    assert diffusion_loss(lambda x, t, c: 0 * x, x1, predict="v", **options).item() == pytest.approx(1, rel=0.02)
    doubled = diffusion_loss(lambda x, t, c: 0 * x, x1, None, 2 + 0 * x1[:, 0], predict="v", **options)
    assert doubled.item() == pytest.approx(2, rel=0.02)


def test_guidance_is_linear_and_the_same_for_all_predictions():
    schedule, x, t = LinearSchedule(), normal(6, 2), torch.linspace(0.1, 0.9, 6, dtype=torch.float64)
    alpha, sigma = schedule.alpha(t)[:, None], schedule.sigma(t)[:, None]
    scores = normal(2, 6, 2, seed=1)
    wanted = -sigma * (scores[1] + 3 * (scores[0] - scores[1]))
    for name, kind in PREDICTIONS.items():
        outputs = [kind.target((x + sigma**2 * s) / alpha, -sigma * s, alpha, sigma) for s in scores]
        guided = Denoiser(lambda x, t, o=outputs: o[0], schedule, name, lambda x, t, o=outputs: o[1], 3.0)
        torch.testing.assert_close(guided(x, t)[1], wanted)


def test_guided_samples_do_not_follow_the_power():
    """p = N(0, 2), p(x|c) = N(0, 1): guided samples have the variance 2^(1 - w), not 2 / (1 + w); see the page."""
    schedule, start = CosineSchedule(), torch.ones(1, 1, dtype=torch.float64)
    for w in (0.0, 1.0, 3.0):

        def score(x, t, w=w):
            return -x * (w + (1 - w) / (1 + schedule.alpha(t)[:, None] ** 2))

        x = SAMPLERS["ode"](denoiser_from_score(score, schedule), schedule, start, schedule.times(100), None)
        assert x.item() ** 2 == pytest.approx(2 ** (1 - w), rel=5e-3)


def test_training_recovers_the_exact_score_and_the_classes():
    """A mixture of two classes: the learned v is within 3 % of the exact one, for each class and for both."""
    mixture = GaussianMixture(torch.ones(2), torch.tensor([[-1.0, 0.0], [1.0, 0.0]]), torch.tensor([0.3, 0.3]))
    label = torch.arange(8000) % 2
    x = mixture.means[label] + 0.3 * normal(8000, 2).float()
    options = dict(hidden=(64, 64), epochs=25, batch_size=250, learning_rate=5e-3)
    model = Diffusion(**options).fit(x.numpy(), label[:, None].float().numpy())
    schedule, generator = model.schedule_, torch.Generator().manual_seed(2)
    scale, mean = (getattr(model.scaler_, name).float() for name in ("scale", "mean"))
    assert scale[0] > 2 * scale[1]
    # in the scaled variables the components are not round: compare through the exact score of a Gaussian
    t = torch.rand(2000, generator=generator)
    for which in (0, 1):
        centre, width = (mixture.means[which] - mean) / scale, torch.diag((0.3 / scale) ** 2)
        x1 = centre + 0.3 / scale * torch.randn(2000, 2, generator=generator)
        x = schedule.point(x1, torch.randn(2000, 2, generator=generator), t)
        score = gaussian_score(x, t, schedule, centre, width)
        data, noise = denoiser_from_score(lambda x, t, s=score: s, schedule)(x, t)
        v = schedule.alpha(t)[:, None] * noise - schedule.sigma(t)[:, None] * data
        context = model._prepare_context(np.full((2000, 1), float(which)), 2000)
        with torch.no_grad():
            found = model.network(x, t, context)
        assert (found - v).square().mean() < 0.03 * v.square().mean()
    either = model.sample(4000, seed=1)
    assert abs((either[:, 0] > 0).mean() - 0.5) < 0.04
    for sampler in SAMPLERS:
        right = model.sample(context=np.ones((2000, 1)), sampler=sampler, steps=60, seed=1)
        assert (right[:, 0] > 0).mean() > 0.98 and right[:, 0].std() == pytest.approx(0.3, abs=0.05)
    assert model.sample(3).dtype == np.float32
    np.testing.assert_array_equal(model.sample(3, seed=4), model.sample(3, seed=4))
    with pytest.raises(ValueError, match="guidance: found 2"):
        model.sample(3, guidance=2.0)


def test_runs_without_data():
    with torch.device("meta"):
        network, x = TimeMLP(2, hidden=(8,)), torch.zeros(6, 2)
        loss = diffusion_loss(network, x, schedule=CosineSchedule())
    loss.backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: Diffusion(schedule="square").fit(np.zeros((9, 2))), "schedule"),
        (lambda: Diffusion(drop_context=1.0).fit(np.zeros((9, 2))), "drop_context"),
        (lambda: Diffusion(predict="x0").fit(np.random.default_rng(0).normal(size=(9, 2))), "predict"),
        (lambda: Diffusion().sample(3, sampler="magic"), "sampler"),
        (lambda: Denoiser(None, CosineSchedule(), "x0"), "predict"),
        (lambda: Denoiser(None, CosineSchedule(), "v", guidance=2.0), "guidance"),
        (lambda: sample_ddim(None, CosineSchedule(), normal(3, 1), CosineSchedule().times(2), eta=2.0), "eta"),
        (lambda: posterior(normal(3, 1), normal(2, 1), HERE, THERE), "x1"),
    ],
)
def test_bad_input(call, name):
    with pytest.raises(ValueError, match=f"^{name}: found"):
        call()
