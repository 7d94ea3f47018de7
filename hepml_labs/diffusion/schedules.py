"""Noise schedules of diffusion models, and the three things that a network can predict.

Time runs from noise, t = 0, to data, t = 1. The DDPM literature counts the other way, in steps of
t_ddpm = T (1 - t).
"""

import math

import torch

from hepml_labs.diffusion.paths import Path
from hepml_labs.validation import check_array, check_between, check_count

__all__ = ["PREDICTIONS", "SCHEDULES", "CosineSchedule", "LinearSchedule", "Schedule", "error_ratio"]

LOWEST_ANGLE = 5e-3  # at the last point of a grid before the data themselves


class Schedule(Path):
    """Variance-preserving path whose noise is added at a rate beta: alpha^2 + sigma^2 = 1.

    Seen from the data, towards smaller t, the path is the forward process dx = -beta/2 x ds + sqrt(beta) dw with
    s = 1 - t. A subclass writes `log_alpha`, its inverse, and `rate` = beta; all else follows.

    Notes
    -----
    Song et al., arXiv:2011.13456, eq. 11. Since d(ln alpha)/dt = beta/2 and sigma^2 = 1 - alpha^2,
    alpha' = alpha beta/2 and sigma' = -alpha^2 beta/(2 sigma).

    Both schedules here end at alpha(0) = 0.006 rather than 0: little enough that the noise may be drawn from a
    standard normal, enough to divide by.
    """

    def log_alpha(self, t):
        """Logarithm of the weight of the data."""
        raise NotImplementedError

    def time_of_log_alpha(self, log_alpha):
        """Time at which ln alpha has this value: the inverse of `log_alpha`."""
        raise NotImplementedError

    def rate(self, t):
        """Rate beta at which noise is added, per unit of time."""
        raise NotImplementedError

    def alpha(self, t):
        """Weight of the data."""
        return self.log_alpha(t).exp()

    def sigma(self, t):
        """Weight of the noise."""
        return (-torch.expm1(2 * self.log_alpha(t))).sqrt()

    def alpha_rate(self, t):
        """Time derivative of `alpha`."""
        return self.alpha(t) * self.rate(t) / 2

    def sigma_rate(self, t):
        """Time derivative of `sigma`; minus infinity at t = 1."""
        return -(self.alpha(t) ** 2) * self.rate(t) / (2 * self.sigma(t))

    def log_snr(self, t):
        """Logarithm of the signal-to-noise ratio, ln(alpha^2 / sigma^2)."""
        return 2 * (self.log_alpha(t) - self.sigma(t).log())

    def angle(self, t):
        """Angle phi with alpha = cos(phi) and sigma = sin(phi): from about pi/2 (noise) to 0 (data)."""
        return torch.atan2(self.sigma(t), self.alpha(t))

    def time_of_angle(self, angle):
        """Time of an angle between 0 and pi/2."""
        return self.time_of_log_alpha(torch.log1p(-(angle.sin() ** 2)) / 2)

    def times(self, steps, spacing="angle"):
        """Grid of times for a sampler, from 0 to 1.

        Parameters
        ----------
        steps : int
            Number of steps.
        spacing : {"angle", "uniform"}
            Equal steps of the cubic root of the angle, which become short towards the data, or equal steps of t, as in
            DDPM.

        Returns
        -------
        tensor, (steps + 1,)
            In float64.

        Raises
        ------
        ValueError
            If an argument is not as above.

        Notes
        -----
        Karras et al., arXiv:2206.00364, eq. 5, with the angle in place of its tangent and a power of 3 in place of 7:
        for Gaussians of widths 0.03 to 1, twenty steps of `sample_ode` then find the width to one per cent. The last
        step goes from an angle of 0.005 to 0.

        Examples
        --------
        >>> LinearSchedule().times(4)
        tensor([0.0000, 0.8177, 0.9648, 0.9998, 1.0000], dtype=torch.float64)
        """
        check_count("steps", steps)
        if spacing not in ("angle", "uniform"):
            raise ValueError(f"spacing: found {spacing!r}, expected 'angle' or 'uniform'")
        times = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
        if spacing == "angle" and steps > 1:
            first, last = self.angle(times[0]) ** (1 / 3), LOWEST_ANGLE ** (1 / 3)
            roots = first + (last - first) * torch.linspace(0, 1, steps, dtype=torch.float64)
            times[1:-1] = self.time_of_angle(roots[1:] ** 3)
        return times


class LinearSchedule(Schedule):
    """Noise added at a rate that falls linearly from `highest` at t = 0 to `lowest` at t = 1.

    Parameters
    ----------
    lowest, highest : float
        Rates per unit of time, above zero. With T steps, DDPM's beta is rate / T: 1e-4 to 0.02 at T = 1,000.

    Raises
    ------
    ValueError
        If not 0 < lowest < highest.

    Notes
    -----
    Ho et al., arXiv:2006.11239, section 4; in continuous time Song et al., arXiv:2011.13456, eqs. 32 and 33:
    ln alpha = -(highest - lowest) s^2 / 4 - lowest s / 2 with s = 1 - t.

    Examples
    --------
    >>> schedule, t = LinearSchedule(), torch.tensor([0.0, 0.5, 1.0])
    >>> schedule.alpha(t), schedule.rate(t)
    (tensor([0.0066, 0.2812, 1.0000]), tensor([20.0000, 10.0500,  0.1000]))
    """

    def __init__(self, lowest=0.1, highest=20.0):
        check_between("lowest", lowest, 0, highest)
        self.lowest, self.highest = lowest, highest

    def log_alpha(self, t):
        """Minus half of the integral of the rate from t to 1."""
        s = 1 - t
        return -(self.highest - self.lowest) * s**2 / 4 - self.lowest * s / 2

    def time_of_log_alpha(self, log_alpha):
        """Root of a quadratic equation, written so that no digits cancel near t = 1."""
        width = self.highest - self.lowest
        return 1 + 4 * log_alpha / (self.lowest + (self.lowest**2 - 4 * width * log_alpha).sqrt())

    def rate(self, t):
        """A straight line."""
        return self.lowest + (self.highest - self.lowest) * (1 - t)


class CosineSchedule(Schedule):
    """A quarter of a cosine for alpha, so that the share alpha^2 of the data changes slowly at both ends.

    Parameters
    ----------
    offset : float
        Keeps the rate away from zero at the data, in (0, 1).
    end : float
        Where to stop on the way to pure noise, in (0, 1): at 1, alpha is zero and the rate infinite.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    Notes
    -----
    Nichol and Dhariwal, arXiv:2102.09672, eq. 17: alpha = f(s) / f(0), f = cos(pi/2 (s + offset) / (1 + offset)), with
    s = end (1 - t). They cut the last beta instead, at 0.999, for the same reason.

    Examples
    --------
    >>> schedule, t = CosineSchedule(), torch.tensor([0.0, 0.5, 1.0])
    >>> schedule.alpha(t)
    tensor([0.0062, 0.7050, 1.0000])
    """

    def __init__(self, offset=0.008, end=0.996):
        for name, value in (("offset", offset), ("end", end)):
            check_between(name, value, 0, 1)
        self.offset, self.end = offset, end

    def _angle(self, t):
        return math.pi / 2 * (self.end * (1 - t) + self.offset) / (1 + self.offset)

    def log_alpha(self, t):
        """Logarithm of f(s) / f(0)."""
        return self._angle(t).cos().log() - self._angle(torch.ones_like(t)).cos().log()

    def time_of_log_alpha(self, log_alpha):
        """By the arc cosine."""
        angle = (log_alpha.exp() * self._angle(torch.ones_like(log_alpha)).cos()).acos()
        return 1 - (angle * 2 / math.pi * (1 + self.offset) - self.offset) / self.end

    def rate(self, t):
        """Twice the derivative of `log_alpha`: proportional to the tangent of the angle."""
        return math.pi * self.end / (1 + self.offset) * self._angle(t).tan()


SCHEDULES = {"linear": LinearSchedule, "cosine": CosineSchedule}


class _Noise:
    """The noise eps (Ho et al., arXiv:2006.11239, eq. 12)."""

    def target(self, x1, eps, alpha, sigma):
        return eps

    def solve(self, output, x, alpha, sigma):
        return (x - sigma * output) / alpha, output

    def error(self, alpha, sigma):
        return torch.ones_like(alpha)


class _Data:
    """The data x_1; the literature says x_0."""

    def target(self, x1, eps, alpha, sigma):
        return x1

    def solve(self, output, x, alpha, sigma):
        return output, (x - alpha * output) / sigma

    def error(self, alpha, sigma):
        return alpha / sigma


class _V:
    """v = alpha eps - sigma x_1 (Salimans and Ho, arXiv:2202.00512, appendix D): orthogonal to x_t."""

    def target(self, x1, eps, alpha, sigma):
        return alpha * eps - sigma * x1

    def solve(self, output, x, alpha, sigma):
        return alpha * x - sigma * output, sigma * x + alpha * output

    def error(self, alpha, sigma):
        return alpha


#: What a network may predict. ``target`` makes the prediction's training target, ``solve`` turns a prediction at x_t
#: into data and noise, ``error`` says by how much an error of the prediction moves the noise.
PREDICTIONS = {"noise": _Noise(), "data": _Data(), "v": _V()}


def error_ratio(predict, other, t, schedule):
    """Squared error of one prediction over that of another, for the same network seen as either.

    Parameters
    ----------
    predict, other : {"noise", "data", "v"}
        The two predictions.
    t : tensor, (n,)
        Times, below 1.
    schedule : Schedule

    Returns
    -------
    tensor, (n,)
        The weight that turns a loss of `other` into a loss of `predict`.

    Raises
    ------
    ValueError
        If a prediction is not one of the three.

    Notes
    -----
    x_t is known, so errors obey alpha dx_1 + sigma deps = 0 and v = alpha eps - sigma x_1. Hence
    deps^2 = (alpha/sigma)^2 dx_1^2 = alpha^2 dv^2.

    Examples
    --------
    >>> t = torch.tensor([0.5])
    >>> error_ratio("noise", "data", t, CosineSchedule()).allclose(CosineSchedule().log_snr(t).exp())
    True
    """
    check_array("t", t, ("n",), finite=False)
    for name, value in (("predict", predict), ("other", other)):
        if value not in PREDICTIONS:
            raise ValueError(f"{name}: found {value!r}, expected one of {list(PREDICTIONS)}")
    alpha, sigma = schedule.alpha(t), schedule.sigma(t)
    return (PREDICTIONS[other].error(alpha, sigma) / PREDICTIONS[predict].error(alpha, sigma)) ** 2
