"""Noise schedules against the formulas and numbers of their papers, and the relations between predictions."""

import math

import numpy as np
import pytest
import torch

from hepml_labs.diffusion.schedules import PREDICTIONS, SCHEDULES, CosineSchedule, LinearSchedule, error_ratio

every_schedule = pytest.mark.parametrize("schedule", [make() for make in SCHEDULES.values()], ids=list(SCHEDULES))
T = torch.linspace(0, 1, 101, dtype=torch.float64)


def test_linear_schedule_is_that_of_ddpm():
    schedule, beta = LinearSchedule(), np.linspace(1e-4, 0.02, 1000)  # Ho et al., section 4
    np.testing.assert_allclose(schedule.rate(torch.linspace(1, 0, 1000, dtype=torch.float64)) / 1000, beta)
    t = torch.from_numpy(1 - np.arange(1, 1001) / 1000)
    integral = -2 * schedule.log_alpha(t).numpy()
    # a sum takes the rate at the start of each step, and ln(1 - beta) = -beta - beta^2/2
    expected = integral - (schedule.rate(t).numpy() - 0.1) / 2000 + np.cumsum(beta**2) / 2
    np.testing.assert_allclose(-np.cumsum(np.log1p(-beta)), expected, rtol=2e-3)


def test_cosine_schedule_is_that_of_nichol_and_dhariwal():
    s = 0.996 * (1 - T)
    f = torch.cos((s + 0.008) / 1.008 * math.pi / 2) ** 2
    torch.testing.assert_close(CosineSchedule().alpha(T) ** 2, f / math.cos(0.008 / 1.008 * math.pi / 2) ** 2)


@every_schedule
def test_schedule_is_consistent(schedule):
    alpha, sigma = schedule.alpha(T), schedule.sigma(T)
    torch.testing.assert_close(alpha**2 + sigma**2, torch.ones_like(T))
    assert alpha[0] < 0.01 and alpha[-1] == 1 and sigma[-1] == 0
    assert (alpha.diff() > 0).all()
    inside = T[:-1].clone().requires_grad_()
    for function, rate in ((schedule.alpha, schedule.alpha_rate), (schedule.sigma, schedule.sigma_rate)):
        (gradient,) = torch.autograd.grad(function(inside).sum(), inside)
        torch.testing.assert_close(rate(inside), gradient)
    torch.testing.assert_close(schedule.log_snr(T[:-1]), 2 * (alpha / sigma).log()[:-1])
    torch.testing.assert_close(schedule.time_of_angle(schedule.angle(T)), T, atol=1e-9, rtol=0)
    torch.testing.assert_close(torch.tan(schedule.angle(T)), sigma / alpha)


@every_schedule
@pytest.mark.parametrize("spacing", ["angle", "uniform"])
def test_grid(schedule, spacing):
    times = schedule.times(20, spacing)
    assert times.dtype == torch.float64 and len(times) == 21 and times[0] == 0 and times[-1] == 1
    assert (times.diff() > 0).all()
    if spacing == "angle":
        roots = schedule.angle(times[:-1]) ** (1 / 3)
        torch.testing.assert_close(roots.diff(), roots.diff()[0].expand(19), atol=1e-7, rtol=0)
        assert schedule.angle(times[-2:-1]).item() == pytest.approx(5e-3)
    assert schedule.times(1, spacing).tolist() == [0, 1]


@every_schedule
@pytest.mark.parametrize("predict", list(PREDICTIONS))
def test_predictions_lead_to_the_same_data_and_noise(schedule, predict):
    random = torch.Generator().manual_seed(1)
    x1, eps = torch.randn(2, 50, 3, generator=random, dtype=torch.float64)
    t = torch.rand(50, generator=random, dtype=torch.float64)
    alpha, sigma = schedule.alpha(t)[:, None], schedule.sigma(t)[:, None]
    kind, x = PREDICTIONS[predict], schedule.point(x1, eps, t)
    data, noise = kind.solve(kind.target(x1, eps, alpha, sigma), x, alpha, sigma)
    torch.testing.assert_close(data, x1, atol=1e-10, rtol=0)
    torch.testing.assert_close(noise, eps, atol=1e-10, rtol=0)


@every_schedule
def test_losses_of_the_three_predictions_agree_up_to_their_weights(schedule):
    """Give an arbitrary wrong answer, turn it into all three predictions, compare their squared errors."""
    random = torch.Generator().manual_seed(2)
    x1, eps, mistake = torch.randn(3, 50, 2, generator=random, dtype=torch.float64)
    t = 0.98 * torch.rand(50, generator=random, dtype=torch.float64)
    alpha, sigma = schedule.alpha(t)[:, None], schedule.sigma(t)[:, None]
    x = schedule.point(x1, eps, t)
    data, noise = PREDICTIONS["v"].solve(mistake, x, alpha, sigma)
    loss = {
        name: (kind.target(data, noise, alpha, sigma) - kind.target(x1, eps, alpha, sigma)).square().sum(1)
        for name, kind in PREDICTIONS.items()
    }
    for predict in PREDICTIONS:
        for other in PREDICTIONS:
            torch.testing.assert_close(loss[predict], error_ratio(predict, other, t, schedule) * loss[other])


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: LinearSchedule(lowest=0.0), "lowest"),
        (lambda: LinearSchedule(lowest=3.0, highest=2.0), "lowest"),
        (lambda: CosineSchedule(offset=0.0), "offset"),
        (lambda: CosineSchedule(end=1.0), "end"),
        (lambda: CosineSchedule().times(0), "steps"),
        (lambda: CosineSchedule().times(5, "log"), "spacing"),
        (lambda: error_ratio("x0", "v", T[:3], CosineSchedule()), "predict"),
        (lambda: error_ratio("v", "x0", T[:3], CosineSchedule()), "other"),
    ],
)
def test_bad_input(make, name):
    with pytest.raises(ValueError, match=f"^{name}: found"):
        make()
