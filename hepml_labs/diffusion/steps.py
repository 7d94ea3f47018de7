"""From noise to data with a trained network: guidance, the posterior of DDPM, the step of DDIM, and all samplers."""

import torch

from hepml_labs.diffusion.schedules import PREDICTIONS
from hepml_labs.diffusion.sde import check_times, sample_ode, sample_sde
from hepml_labs.validation import check_alike, check_array, check_between

__all__ = ["SAMPLERS", "Denoiser", "ddim_step", "posterior", "sample_ddim"]


class Denoiser:
    """Expected data and noise from a trained network, with or without guidance.

    Parameters
    ----------
    network : callable
        ``network(x, t)`` returns the prediction, given the context of each point if there is one.
    schedule : Schedule
    predict : {"noise", "data", "v"}
        What the network predicts.
    anything : callable, optional
        ``anything(x, t)`` returns the prediction without the context, for guidance.
    guidance : float
        1: conditional, 0: unconditional. Beyond 1 the difference of both is exaggerated.

    Raises
    ------
    ValueError
        If `predict` is not one of the three, or a guidance other than 1 comes without `anything`.

    Notes
    -----
    Ho and Salimans, arXiv:2207.12598, eq. 6, where w = guidance - 1. All three predictions are linear in the score, so
    it does not matter which of them is extrapolated. The result is the score of p(x|c)^guidance p(x)^(1 - guidance) *at
    each time*, but these densities are not connected by any diffusion: guided samples follow neither this density nor
    p(x|c).

    Examples
    --------
    >>> from hepml_labs.diffusion.schedules import CosineSchedule
    >>> zero = lambda x, t: torch.zeros_like(x)
    >>> data, noise = Denoiser(zero, CosineSchedule(), "data")(torch.ones(1, 2), torch.zeros(1))
    >>> data, noise  # pure noise
    (tensor([[0., 0.]]), tensor([[1.0000, 1.0000]]))
    """

    def __init__(self, network, schedule, predict, anything=None, guidance=1.0):
        if predict not in PREDICTIONS:
            raise ValueError(f"predict: found {predict!r}, expected one of {list(PREDICTIONS)}")
        if guidance != 1 and anything is None:
            raise ValueError(f"guidance: found {guidance}, expected 1 where there is no prediction without context")
        self.network, self.schedule, self.predict = network, schedule, predict
        self.anything, self.guidance = anything, guidance

    def __call__(self, x, t):
        """Return the expected data and the expected noise ``(n, d)`` at points ``(n, d)`` and times ``(n,)``."""
        output = self.network(x, t)
        if self.guidance != 1:
            output = torch.lerp(self.anything(x, t), output, float(self.guidance))
        alpha, sigma = self.schedule.alpha(t)[:, None], self.schedule.sigma(t)[:, None]
        return PREDICTIONS[self.predict].solve(output, x, alpha, sigma)


def posterior(x, x1, here, there):
    """Mean and width of where a noisy point came from, one step closer to the data, if the data are known.

    Parameters
    ----------
    x, x1 : tensor, (n, d)
        Points x_t and their data.
    here, there : tuple of float
        alpha and sigma at the time t of `x`, and at a later time (with less noise).

    Returns
    -------
    mean : tensor, (n, d)
    width : float

    Raises
    ------
    ValueError
        If the shapes differ.

    Notes
    -----
    Ho et al., arXiv:2006.11239, eqs. 6 and 7, for any two times. Forward, x_t = r x_t' + sqrt(b) z with
    r = alpha / alpha' and b = sigma^2 - r^2 sigma'^2 (which is 1 - r^2 if the variance is preserved). Bayes' theorem
    multiplies this Gaussian with that of x_t' given x_1; the product has the variance b sigma'^2 / sigma^2.

    Examples
    --------
    >>> mean, width = posterior(torch.tensor([[1.0]]), torch.tensor([[2.0]]), (0.6, 0.8), (0.8, 0.6))
    >>> round(mean.item(), 3), round(width, 3)
    (1.516, 0.496)
    """
    check_alike(("n", "d"), x=x, x1=x1, finite=False)
    (alpha, sigma), (alpha_next, sigma_next) = here, there
    r = alpha / alpha_next
    b = sigma**2 - (r * sigma_next) ** 2
    return (r * sigma_next**2 * x + alpha_next * b * x1) / sigma**2, _width(here, there)


def _width(here, there):
    """Width of the `posterior`."""
    (alpha, sigma), (alpha_next, sigma_next) = here, there
    return (sigma**2 - (alpha / alpha_next * sigma_next) ** 2) ** 0.5 * sigma_next / sigma


def ddim_step(data, noise, here, there, eta=0.0, generator=None):
    """One step towards the data: expected data and noise, put together with the weights of the new time.

    Parameters
    ----------
    data, noise : tensor, (n, d)
        Expected data and noise at the present time.
    here, there : tuple of float
        alpha and sigma at the present and at the new time.
    eta : float
        Share of the noise that is drawn anew, in units of the width of the `posterior`: 0 is deterministic, 1 is DDPM's
        ancestral step.
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
    Song et al., arXiv:2010.02502, eqs. 12 and 16.

    Examples
    --------
    >>> ddim_step(torch.tensor([[2.0]]), torch.tensor([[0.5]]), (0.6, 0.8), (0.8, 0.6))  # 0.8 * 2 + 0.6 * 0.5
    tensor([[1.9000]])
    """
    check_alike(("n", "d"), data=data, noise=noise, finite=False)
    fresh = eta * _width(here, there)
    x = there[0] * data + (there[1] ** 2 - fresh**2) ** 0.5 * noise
    return x + fresh * torch.randn(x.shape, generator=generator, dtype=x.dtype).to(x) if fresh else x


def sample_ddim(denoise, schedule, x, times, generator=None, eta=0.0):
    """Move noise to data in DDIM steps, or DDPM's ancestral ones.

    Parameters
    ----------
    denoise : callable
        See `hepml_labs.diffusion.sde`. It is called once a step.
    schedule : Schedule
    x : tensor, (n, d)
        Points at the first time.
    times : tensor, (steps + 1,)
        Rising, such as ``schedule.times(steps)``; the last one may be 1.
    generator : torch.Generator, optional
    eta : float
        0: DDIM, 1: ancestral sampling. See `ddim_step`.

    Returns
    -------
    tensor, (n, d)
        Points at the last time.

    Raises
    ------
    ValueError
        If `x` is no table of numbers, `times` no list of finite ones, or `eta` lies outside of [0, 1].

    Examples
    --------
    >>> from hepml_labs.diffusion.schedules import CosineSchedule
    >>> everything_at_one = lambda x, t: (torch.ones_like(x), torch.zeros_like(x))
    >>> sample_ddim(everything_at_one, CosineSchedule(), torch.zeros(1, 2), CosineSchedule().times(5))
    tensor([[1., 1.]])
    """
    check_array("x", x, ("n", "d"), finite=False)
    check_times(times)
    check_between("eta", eta, 0, 1, include_low=True, include_high=True)
    weights = torch.stack([schedule.alpha(times.double()), schedule.sigma(times.double())], dim=1).tolist()
    for i in range(len(times) - 1):
        data, noise = denoise(x, times[i].to(x).expand(len(x)))
        x = ddim_step(data, noise, weights[i], weights[i + 1], eta, generator)
    return x


#: Ways from noise to data: each ``sampler(denoise, schedule, x, times, generator)``.
SAMPLERS = {
    "ancestral": lambda *way: sample_ddim(*way, eta=1.0),
    "ddim": sample_ddim,
    "ode": lambda denoise, schedule, x, times, generator: sample_ode(denoise, schedule, x, times),
    "sde": sample_sde,
}
