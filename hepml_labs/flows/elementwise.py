"""Monotone functions of one variable whose parameters a network predicts: the bricks of coupling layers."""

import math
from dataclasses import dataclass

import torch
from torch.nn import functional

from hepml_labs.validation import check_between, check_count

__all__ = ["Affine", "RationalQuadraticSpline"]

MINIMUM = 1e-3  # smallest width and height of a bin, as a fraction of the box, and smallest derivative
SOFTPLUS_OF_ONE = math.log(math.expm1(1 - MINIMUM))  # softplus of this is 1 - MINIMUM: a derivative of one
LARGEST_LOG_SCALE = math.log(1000)


@dataclass(frozen=True)
class Affine:
    """Shift and scale: z = exp(a) x + b, with a kept inside of +-log(1000).

    The network's raw number a' becomes a = a' / (1 + |a'| / log 1000), so that no weight can overflow the exponential.

    Notes
    -----
    Real-valued non-volume-preserving transformations, Dinh et al., arXiv:1605.08803, equation 7. Two parameters a
    feature: the shift b and the raw log-scale a'.

    Examples
    --------
    >>> Affine()(torch.tensor([[2.0]]), torch.tensor([[[1.0, 0.0]]]))
    (tensor([[3.]]), tensor([[0.]]))
    """

    parameters = 2

    def _shift_and_log_scale(self, parameters):
        shift, raw = parameters.unbind(-1)
        return shift, raw / (1 + raw.abs() / LARGEST_LOG_SCALE)

    def __call__(self, x, parameters):
        """Map x ``(n, k)`` with parameters ``(n, k, 2)`` to z and log dz/dx, both ``(n, k)``."""
        shift, log_scale = self._shift_and_log_scale(parameters)
        return x * log_scale.exp() + shift, log_scale

    def inverse(self, z, parameters):
        """Map z ``(n, k)`` with parameters ``(n, k, 2)`` back to x and log dx/dz, both ``(n, k)``."""
        shift, log_scale = self._shift_and_log_scale(parameters)
        return (z - shift) * (-log_scale).exp(), -log_scale


@dataclass(frozen=True)
class RationalQuadraticSpline:
    """Monotone curve through knots: in each bin the ratio of two quadratic polynomials.

    Parameters
    ----------
    bins : int
        Number K of bins.
    bound : float
        The spline lives on [-bound, bound] (not used by the unit box).
    tails : str
        "linear": the identity outside of [-bound, bound], where the derivative is one; "circular": periodic, for
        angles, with a free shift round the circle; "box": from [0, 1] to [0, 1].

    Notes
    -----
    Gregory and Delbourgo, IMA J. Numer. Anal. 2 (1982) 123; Durkan et al., arXiv:1906.04032, appendix A;
    circular: Rezende et al., arXiv:2002.02428. Parameters of a feature: K widths, K heights, then the derivatives at
    the knots (K - 1 inner ones for "linear", K for "circular", K + 1 for "box"), then the shift for "circular". At
    zero parameters the spline is the identity.

    Examples
    --------
    >>> spline = RationalQuadraticSpline(bins=4)
    >>> z, log_derivative = spline(torch.tensor([[0.5]]), torch.zeros(1, 1, spline.parameters))
    >>> z.item(), log_derivative.abs().item() < 1e-6
    (0.5, True)
    """

    bins: int = 8
    bound: float = 4.0
    tails: str = "linear"

    def __post_init__(self):
        check_count("bins", self.bins)
        check_between("bins", self.bins, 0, 1 / MINIMUM)
        check_between("bound", self.bound, 0, math.inf)
        if self.tails not in ("linear", "circular", "box"):
            raise ValueError(f"tails: found {self.tails!r}, expected 'linear', 'circular' or 'box'")

    @property
    def parameters(self):
        """Number of parameters of one feature."""
        return 3 * self.bins + {"linear": -1, "circular": 1, "box": 1}[self.tails]

    def __call__(self, x, parameters):
        """Map x ``(n, k)`` with parameters ``(n, k, P)`` to z and log dz/dx, both ``(n, k)``."""
        return self._apply(x, parameters, inverse=False)

    def inverse(self, z, parameters):
        """Map z ``(n, k)`` with parameters ``(n, k, P)`` back to x and log dx/dz, both ``(n, k)``."""
        return self._apply(z, parameters, inverse=True)

    def _apply(self, x, parameters, inverse):
        """Go to the unit box, clip, apply the spline there, and come back; outside of the box: the identity."""
        low, width = (0.0, 1.0) if self.tails == "box" else (-self.bound, 2 * self.bound)
        unit = (x - low) / width
        if self.tails == "circular":
            shift = parameters[..., -1] / width
            unit = torch.remainder(unit - shift, 1) if inverse else torch.remainder(unit, 1)
        clipped = unit.clamp(0, 1)  # before the spline: a NaN in a branch not taken would poison the gradient
        moved, log_derivative = (_spline_inverse if inverse else _spline)(
            clipped, *self._bin(clipped, parameters, inverse)
        )
        if self.tails == "circular":
            moved = moved if inverse else torch.remainder(moved + shift, 1)
            return moved * width + low, log_derivative
        inside = unit == clipped
        return torch.where(inside, moved.clamp(0, 1) * width + low, x), log_derivative * inside

    def _bin(self, unit, parameters, inverse):
        """Return the lower corner, width and height of the bin of each value, and the derivatives at its ends."""
        bins = self.bins
        parameters = parameters.movedim(-1, 0)  # (P, n, k): sums over bins are then additions of long rows, much faster
        fractions = parameters[: 2 * bins].unflatten(0, (2, bins)).softmax(1)
        fractions = MINIMUM + (1 - MINIMUM * bins) * fractions
        raw = parameters[2 * bins : 3 * bins + 1]
        if self.tails == "linear":
            raw = functional.pad(raw, (0, 0, 0, 0, 1, 1))  # raw zero is a derivative of one, as in the tails
        elif self.tails == "circular":
            raw = torch.cat([raw[:bins], raw[:1]])
        knots = functional.pad(fractions.cumsum(1), (0, 0, 0, 0, 1, 0))
        knots[:, -1] = 1  # exactly, so that rounding puts no point outside of the box
        index = (unit >= knots[1 if inverse else 0, 1:-1]).sum(0, keepdim=True)
        ends = torch.cat([index, index + 1])
        (x_low, x_high), (y_low, y_high) = knots.gather(1, ends.expand(2, -1, -1, -1))
        low, high = MINIMUM + functional.softplus(raw.gather(0, ends) + SOFTPLUS_OF_ONE)
        return x_low, y_low, x_high - x_low, y_high - y_low, low, high


def _spline(x, x_low, y_low, width, height, low, high):
    """Durkan et al., appendix A: theta is the place in the bin, low and high the derivatives at its ends."""
    slope = height / width
    theta = (x - x_low) / width
    both = theta * (1 - theta)
    denominator = slope + (low + high - 2 * slope) * both
    z = y_low + height * ((slope * theta**2 + low * both) / denominator)
    derivative = (slope / denominator) ** 2 * (high * theta**2 + 2 * slope * both + low * (1 - theta) ** 2)
    return z, derivative.log()


def _spline_inverse(y, x_low, y_low, width, height, low, high):
    """Solve for theta. The discriminant of the quadratic is a sum of squares in eta, the height in the bin."""
    slope = height / width
    eta = ((y - y_low) / height).clamp(0, 1)
    tilt = low * (1 - eta) - high * eta
    root = (tilt**2 + 4 * slope**2 * eta * (1 - eta)).sqrt()
    # the two forms are equal; each adds positive numbers only where the other would subtract equal ones
    both = root + tilt.abs()
    theta = torch.where(tilt > 0, 2 * slope * eta / (2 * slope * eta + both), both / (both + 2 * slope * (1 - eta)))
    denominator = slope + (low + high - 2 * slope) * theta * (1 - theta)
    return x_low + width * theta, (denominator / (slope * root)).log()
