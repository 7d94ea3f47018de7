"""Diffusion in continuous time: scores, the reverse stochastic equation, and the ordinary one with the same densities.

All samplers here take a *denoiser*, ``denoise(x, t)``: for points ``(n, d)`` and times ``(n,)`` it returns the expected
data E[x_1|x_t = x] and the expected noise E[eps|x_t = x], both ``(n, d)``. The score is -E[eps|x_t] / sigma. A
trained network makes one (`hepml_labs.diffusion.steps.Denoiser`), and so does a known score.
"""

import math

import torch

from hepml_labs.validation import check_alike, check_array, check_count

__all__ = ["denoiser_from_score", "gaussian_score", "langevin_step", "probability_flow", "sample_ode", "sample_sde"]


def gaussian_score(x, t, schedule, mean, covariance):
    """Score of Gaussian data along a path, in closed form.

    Parameters
    ----------
    x : tensor, (n, d)
    t : tensor, (n,)
    schedule : Path
    mean, covariance : tensor, (d,) and (d, d)
        Of the data.

    Returns
    -------
    tensor, (n, d)
        Gradient of log p_t(x), -C_t^-1 (x - alpha mean) with C_t = alpha^2 covariance + sigma^2.

    Raises
    ------
    ValueError
        If shapes disagree, or mean or covariance is not finite.

    Notes
    -----
    Noise keeps a Gaussian Gaussian. C_t has the eigenvectors of the covariance at all times.

    Examples
    --------
    >>> from hepml_labs.diffusion.schedules import LinearSchedule
    >>> x = torch.tensor([[1.0, 0.0]])
    >>> gaussian_score(x, torch.tensor([0.3]), LinearSchedule(), torch.zeros(2), torch.eye(2)).round(decimals=3)
    tensor([[-1., 0.]])
    """
    check_array("mean", mean, ("d",))
    check_array("covariance", covariance, (len(mean), len(mean)))
    check_array("x", x, ("n", len(mean)), finite=False)
    check_array("t", t, (len(x),), finite=False)
    alpha, sigma = schedule.alpha(t)[:, None], schedule.sigma(t)[:, None]
    values, vectors = torch.linalg.eigh(covariance)
    rotated = (x - alpha * mean) @ vectors
    return -(rotated / (alpha**2 * values + sigma**2)) @ vectors.T


def denoiser_from_score(score, schedule):
    """Make a denoiser from a score.

    Parameters
    ----------
    score : callable
        ``score(x, t)`` of points ``(n, d)`` and times ``(n,)`` returns ``(n, d)``.
    schedule : Path

    Returns
    -------
    callable
        ``denoise(x, t)`` returns the expected data and the expected noise.

    Notes
    -----
    Tweedie's formula: alpha E[x_1|x] = x + sigma^2 score(x) (Efron, J. Amer. Statist. Assoc. 106 (2011) 1602, eq. 1.4),
    and E[eps|x] = -sigma score(x).

    Examples
    --------
    >>> from hepml_labs.diffusion.schedules import CosineSchedule
    >>> denoise = denoiser_from_score(lambda x, t: -x, CosineSchedule())  # standard normal data
    >>> [round(part.item(), 2) for part in denoise(torch.tensor([[2.0]]), torch.tensor([0.5]))]  # 2 alpha, 2 sigma
    [1.41, 1.42]
    """

    def denoise(x, t):
        alpha, sigma = schedule.alpha(t)[:, None], schedule.sigma(t)[:, None]
        noise = -sigma * score(x, t)
        return (x - sigma * noise) / alpha, noise

    return denoise


def probability_flow(denoise, schedule):
    """Velocity of the ordinary differential equation that has the densities of the diffusion.

    Parameters
    ----------
    denoise : callable
        See above.
    schedule : Path

    Returns
    -------
    callable
        ``velocity(x, t)``, for `hepml_labs.diffusion.ode`; not at t = 1, where sigma' is infinite.

    Notes
    -----
    Song et al., arXiv:2011.13456, eq. 13: with s = 1 - t, dx/dt = beta/2 (x + score). For any Gaussian path this is
    alpha' E[x_1|x] + sigma' E[eps|x], the velocity of flow matching.

    Examples
    --------
    >>> from hepml_labs.diffusion.schedules import LinearSchedule
    >>> schedule = LinearSchedule()
    >>> velocity = probability_flow(denoiser_from_score(lambda x, t: -x, schedule), schedule)
    >>> velocity(torch.ones(1, 1, dtype=torch.float64), torch.tensor([0.5]).double()).abs().item() < 1e-12
    True
    """

    def velocity(x, t):
        data, noise = denoise(x, t)
        return schedule.velocity(data, noise, t)

    return velocity


def check_times(times):
    """Raise a ValueError if `times` is no tensor of two or more rising numbers."""
    check_array("times", times, ("k",))
    if len(times) < 2 or not (times.diff() > 0).all():
        raise ValueError(f"times: found {times.tolist()[:5]}, expected two or more, rising")


def _weights(schedule, times, like):
    """Return alpha and sigma on a grid, computed in double precision, as numbers."""
    check_array("x", like, ("n", "d"), finite=False)
    check_times(times)
    times = times.double()
    return schedule.alpha(times).tolist(), schedule.sigma(times).tolist()


def sample_ode(denoise, schedule, x, times):
    """Move noise to data along the probability flow, by Heun's method.

    Parameters
    ----------
    denoise : callable
        See above. It is called twice a step, once in the last.
    schedule : Schedule
    x : tensor, (n, d)
        Points at the first time.
    times : tensor, (steps + 1,)
        Rising, such as ``schedule.times(steps)``; the last one may be 1.

    Returns
    -------
    tensor, (n, d)
        Points at the last time.

    Raises
    ------
    ValueError
        If `x` is no table of numbers, or `times` no list of finite ones.

    Notes
    -----
    In the angle phi with alpha = cos(phi), sigma = sin(phi) the equation is dx/dphi = E[v|x], v = alpha eps - sigma x_1
    (Salimans and Ho, arXiv:2202.00512, appendix D): nothing in it is steep. The steps are of second order, as in
    algorithm 1 of Karras et al., arXiv:2206.00364; the step to t = 1 goes to the expected data.

    Examples
    --------
    >>> from hepml_labs.diffusion.schedules import CosineSchedule
    >>> schedule, x = CosineSchedule(), torch.tensor([[-1.0], [0.0], [1.0]])
    >>> narrow = lambda x, t: gaussian_score(x, t, schedule, torch.full((1,), 3.0), torch.tensor([[0.01]]))
    >>> sample_ode(denoiser_from_score(narrow, schedule), schedule, x, schedule.times(20)).flatten().round(decimals=1)
    tensor([2.9000, 3.0000, 3.1000])
    """
    alpha, sigma = _weights(schedule, times, x)

    def slope(x, i):
        data, noise = denoise(x, times[i].to(x).expand(len(x)))
        return alpha[i] * noise - sigma[i] * data, data

    for i in range(len(times) - 1):
        step = math.atan2(sigma[i + 1], alpha[i + 1]) - math.atan2(sigma[i], alpha[i])
        here, data = slope(x, i)
        if sigma[i + 1] == 0:
            return data
        there, _ = slope(x + step * here, i + 1)
        x = x + step * (here + there) / 2
    return x


def langevin_step(x, score, size, generator=None):
    """Move points by a step of Langevin dynamics, which leaves the density alone in the limit of small steps.

    Parameters
    ----------
    x, score : tensor, (n, d)
        Points, and the score there.
    size : float
        Step h: x + h score + sqrt(2 h) z with standard normal z.
    generator : torch.Generator, optional

    Returns
    -------
    tensor, (n, d)

    Raises
    ------
    ValueError
        If the shapes differ.

    Notes
    -----
    Song et al., arXiv:2011.13456, algorithm 5: the corrector. Its drift is the gradient of log p, its noise a
    diffusion; in the Fokker-Planck equation of p they cancel.

    Examples
    --------
    >>> x = langevin_step(torch.zeros(20_000, 1), torch.zeros(20_000, 1), 0.5, torch.Generator().manual_seed(1))
    >>> round(x.var().item(), 1)
    1.0
    """
    check_alike(("n", "d"), x=x, score=score, finite=False)
    return x + size * score + (2 * size) ** 0.5 * torch.randn(x.shape, generator=generator, dtype=x.dtype).to(x)


def sample_sde(denoise, schedule, x, times, generator=None, corrections=0, signal=0.16):
    """Move noise to data by the reverse stochastic equation, with Euler and Maruyama's method.

    Parameters
    ----------
    denoise : callable
        See above. It is called once a step, and once more for each correction.
    schedule : Schedule
    x : tensor, (n, d)
        Points at the first time.
    times : tensor, (steps + 1,)
        Rising; the last one may be 1. The last step goes to the expected data, without noise.
    generator : torch.Generator, optional
    corrections : int
        Langevin steps after each step but the last, at the new time.
    signal : float
        Their size: h = (signal sigma)^2.

    Returns
    -------
    tensor, (n, d)
        Points at the last time.

    Raises
    ------
    ValueError
        If `x` is no table of numbers, `times` no list of finite ones, or `corrections` no count.

    Notes
    -----
    Anderson, Stoch. Proc. Appl. 12 (1982) 313; Song et al., arXiv:2011.13456, eq. 6 and algorithms 3 and 5. With
    s = 1 - t: dx = beta (x/2 + score) dt + sqrt(beta) dw.

    Over a step, beta dt is ln(alpha'^2 / alpha^2). Unlike in DDPM's step nothing bounds it by one: this sampler wants
    short steps.

    Examples
    --------
    >>> from hepml_labs.diffusion.schedules import LinearSchedule
    >>> schedule, generator = LinearSchedule(), torch.Generator().manual_seed(0)
    >>> narrow = lambda x, t: gaussian_score(x, t, schedule, torch.full((1,), 3.0), torch.tensor([[0.01]]))
    >>> x = torch.randn(5000, 1, generator=generator)
    >>> x = sample_sde(denoiser_from_score(narrow, schedule), schedule, x, schedule.times(200), generator)
    >>> round(x.mean().item(), 2), round(x.std().item(), 2)
    (3.0, 0.1)
    """
    check_count("corrections", corrections, minimum=0)
    alpha, sigma = _weights(schedule, times, x)
    for i in range(len(times) - 2):
        amount = 2 * math.log(alpha[i + 1] / alpha[i])  # the integral of beta over the step
        score = -denoise(x, times[i].to(x).expand(len(x)))[1] / sigma[i]
        x = x + amount * (x / 2 + score)
        x = x + amount**0.5 * torch.randn(x.shape, generator=generator, dtype=x.dtype).to(x)
        for _ in range(corrections):
            score = -denoise(x, times[i + 1].to(x).expand(len(x)))[1] / sigma[i + 1]
            x = langevin_step(x, score, (signal * sigma[i + 1]) ** 2, generator)
    return alpha[-1] * denoise(x, times[-2].to(x).expand(len(x)))[0]
