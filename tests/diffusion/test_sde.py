"""Scores against automatic differentiation, and samplers with the exact score against exact densities."""

import math

import pytest
import torch

from hepml_labs.diffusion.ode import integrate
from hepml_labs.diffusion.paths import GaussianMixture
from hepml_labs.diffusion.schedules import CosineSchedule, LinearSchedule
from hepml_labs.diffusion.sde import (
    denoiser_from_score,
    gaussian_score,
    langevin_step,
    probability_flow,
    sample_ode,
    sample_sde,
)

MEAN = torch.tensor([1.0, -0.5], dtype=torch.float64)
COVARIANCE = torch.tensor([[0.5, 0.3], [0.3, 0.4]], dtype=torch.float64)
MIXTURE = GaussianMixture(
    torch.tensor([0.3, 0.7]).double(),
    torch.tensor([[-1.0, 0.5], [0.8, 0.0]]).double(),
    torch.tensor([0.2, 0.4]).double(),
)
every_schedule = pytest.mark.parametrize("schedule", [LinearSchedule(), CosineSchedule()], ids=["linear", "cosine"])


def exact_gaussian(schedule):
    return denoiser_from_score(lambda x, t: gaussian_score(x, t, schedule, MEAN, COVARIANCE), schedule)


def start(n, seed=0):
    return torch.randn(n, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def moments_agree(x, mean, covariance, sigmas=4.5):
    """Compare mean and covariance of a sample with what they should be, in units of their standard errors."""
    n = len(x)
    variance = covariance.diagonal()
    assert ((x.mean(0) - mean).abs() < sigmas * (variance / n).sqrt()).all()
    error = ((variance[:, None] * variance + covariance**2) / n).sqrt()  # Wishart
    assert ((x.T.cov() - covariance).abs() < sigmas * error).all()


@every_schedule
def test_score_of_a_gaussian_is_the_gradient_of_its_marginal(schedule):
    x = start(20).requires_grad_()
    for time in (0.0, 0.3, 0.8, 1.0):
        t = torch.full((20,), time, dtype=torch.float64)
        alpha, sigma = schedule.alpha(t[:1]), schedule.sigma(t[:1])
        marginal = torch.distributions.MultivariateNormal(
            alpha * MEAN, alpha**2 * COVARIANCE + sigma**2 * torch.eye(2).double()
        )
        (gradient,) = torch.autograd.grad(marginal.log_prob(x).sum(), x)
        torch.testing.assert_close(gaussian_score(x, t, schedule, MEAN, COVARIANCE), gradient)


@every_schedule
def test_denoiser_of_a_mixture_is_the_posterior_mean(schedule):
    """Bayes' theorem by brute force: weights p(x_t|x_1) over many draws of the data."""
    data = MIXTURE.sample(200_000, torch.Generator().manual_seed(3))
    denoise = denoiser_from_score(lambda x, t: MIXTURE.score(x, t, schedule), schedule)
    x, t = torch.tensor([[0.1, 0.2]]).double(), torch.tensor([0.6]).double()
    alpha, sigma = schedule.alpha(t), schedule.sigma(t)
    weight = torch.softmax(-(x - alpha * data).square().sum(1) / (2 * sigma**2), 0)
    expected = weight @ data
    error = (weight.square() @ (data - expected).square()).sqrt()
    found, noise = denoise(x, t)
    assert ((found[0] - expected).abs() < 4 * error).all() and (error < 0.01).all()
    torch.testing.assert_close(alpha * found + sigma * noise, x)


@every_schedule
def test_probability_flow_is_the_velocity_of_flow_matching(schedule):
    x, t = start(30), torch.linspace(0, 0.99, 30, dtype=torch.float64)
    velocity = probability_flow(denoiser_from_score(lambda x, t: MIXTURE.score(x, t, schedule), schedule), schedule)
    torch.testing.assert_close(velocity(x, t), MIXTURE.velocity(x, t, schedule))
    score = MIXTURE.score(x, t, schedule)
    torch.testing.assert_close(velocity(x, t), schedule.rate(t)[:, None] / 2 * (x + score))  # Song et al., eq. 13


@every_schedule
def test_fokker_planck_equation(schedule):
    """dp/dt = -div(v p) for the density of the mixture, by finite differences: derivation of the page."""
    x, t, h = start(10), torch.full((10,), 0.55, dtype=torch.float64), 1e-4

    def p(x, t):
        return MIXTURE.log_prob(x, t, schedule).exp()

    change = (p(x, t + h) - p(x, t - h)) / (2 * h)
    divergence = torch.zeros(10, dtype=torch.float64)
    for i in range(2):
        shift = h * torch.eye(2, dtype=torch.float64)[i]
        flux = [MIXTURE.velocity(x + s, t, schedule)[:, i] * p(x + s, t) for s in (shift, -shift)]
        divergence += (flux[0] - flux[1]) / (2 * h)
    torch.testing.assert_close(change, -divergence, atol=1e-6, rtol=1e-5)


@every_schedule
def test_ode_reproduces_a_gaussian(schedule):
    x = sample_ode(exact_gaussian(schedule), schedule, start(20_000), schedule.times(40))
    moments_agree(x, MEAN, COVARIANCE)


def test_ode_is_of_second_order_and_solves_the_equation():
    """Up to a time before the data, against small Runge-Kutta steps of an independent integrator in t."""
    schedule, x = CosineSchedule(), start(20)
    denoise = denoiser_from_score(lambda x, t: MIXTURE.score(x, t, schedule), schedule)
    exact = integrate(probability_flow(denoise, schedule), x, 0.0, 0.9, steps=200, method="rk4")
    error = []
    for steps in (40, 80, 160):
        times = torch.linspace(0, 0.9, steps + 1, dtype=torch.float64)
        error.append((sample_ode(denoise, schedule, x, times) - exact).square().mean().sqrt().item())
    assert error[2] < 1e-3
    assert 1.7 < math.log2(error[0] / error[1]) < 2.5 and 1.7 < math.log2(error[1] / error[2]) < 2.5


@every_schedule
def test_sde_reproduces_a_gaussian(schedule):
    generator = torch.Generator().manual_seed(1)
    x = sample_sde(exact_gaussian(schedule), schedule, start(4_000), schedule.times(250), generator)
    moments_agree(x, MEAN, COVARIANCE, sigmas=6)  # a bias of the step is left


def test_corrector_improves_few_steps():
    """Euler and Maruyama with 30 steps get the covariance wrong; Langevin steps at each time repair much of it."""
    schedule, error = CosineSchedule(), []
    for corrections in (0, 6):
        generator = torch.Generator().manual_seed(1)
        x = sample_sde(
            exact_gaussian(schedule), schedule, start(4_000), schedule.times(30), generator, corrections, 0.3
        )
        error.append((x.T.cov() - COVARIANCE).norm().item())
    assert error[1] < 0.7 * error[0]


def test_langevin_step_keeps_the_density():
    t, generator = torch.ones(20_000, dtype=torch.float64), torch.Generator().manual_seed(1)
    x = MEAN + start(20_000) @ torch.linalg.cholesky(COVARIANCE).T
    wrong = x.clone()
    for _ in range(60):
        score = gaussian_score(x, t, CosineSchedule(), MEAN, COVARIANCE)
        x = langevin_step(x, score, 2e-3, generator)
        wrong = langevin_step(wrong, 0 * score, 2e-3, generator)
    moments_agree(x, MEAN, COVARIANCE, sigmas=5)
    with pytest.raises(AssertionError):
        moments_agree(wrong, MEAN, COVARIANCE, sigmas=5)


def test_samplers_repeat_with_a_seed_and_run_without_data():
    schedule = CosineSchedule()
    first, again = (
        sample_sde(exact_gaussian(schedule), schedule, start(5), schedule.times(5), torch.Generator().manual_seed(4))
        for _ in range(2)
    )
    assert torch.equal(first, again)
    empty = torch.empty(7, 2, device="meta")
    assert sample_ode(lambda x, t: (x, x), schedule, empty, schedule.times(3)).shape == (7, 2)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda s: sample_ode(None, s, torch.zeros(3), s.times(3)), "x"),
        (lambda s: sample_ode(None, s, torch.zeros(3, 1), 3), "times"),
        (lambda s: sample_sde(None, s, torch.zeros(3, 1), s.times(3), corrections=-1), "corrections"),
        (lambda s: langevin_step(torch.zeros(3, 1), torch.zeros(3), 0.1), "score"),
        (lambda s: gaussian_score(torch.zeros(3, 2), torch.zeros(3), s, torch.zeros(2), torch.eye(3)), "covariance"),
        (lambda s: gaussian_score(torch.zeros(3, 2), torch.zeros(2), s, torch.zeros(2), torch.eye(2)), "t"),
    ],
)
def test_bad_input(call, name):
    with pytest.raises(ValueError, match=f"^{name}: found"):
        call(CosineSchedule())
