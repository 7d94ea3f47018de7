"""Maps from hard edges and long tails to nearly Gaussian variables, for generators that start from Gaussian noise."""

import math

import torch

from hepml_labs.flows.transforms import Transform
from hepml_labs.validation import check_array, check_between

__all__ = ["Interval", "Pareto", "Positive", "Probit"]

LOG_ROOT = 0.5 * math.log(2 * math.pi)
ATOM = 1e-9  # values on an edge itself move so far inside, in the units of the data: below any resolution


def _check_inside(x, low, high):
    check_array("x", x, ("n", "d"), finite=False)
    if x.is_meta:
        return
    outside = ~((x >= low) & (x <= high))  # true for NaN as well
    if outside.any():
        examples = [float(f"{value:.6g}") for value in x.detach()[outside][:3]]
        raise ValueError(
            f"x: found {int(outside.sum())} of {x.numel()} values outside of [{low:g}, {high:g}], such as {examples}, "
            "expected none: nothing can be generated there"
        )


class Probit(Transform):
    """Between two edges: z = Phi^{-1}((x - low) / (high - low)), so that a flat density becomes standard normal.

    Parameters
    ----------
    low, high : float
        The edges, in the units of the data.

    Raises
    ------
    ValueError
        If `low` is not below `high`, or a value lies outside.

    Notes
    -----
    The logit of `hepml_labs.flows.scalers.Logit` makes a logistic density of a flat one, with longer tails.
    |dx/dz| = (high - low) phi(z). A value on an edge itself is moved inside, by 1e-9.

    Examples
    --------
    >>> z, log_det = Probit(-1.0, 1.0)(torch.tensor([[0.0], [0.6826895]]))
    >>> z.flatten().numpy().round(4) + 0.0  # 68.27 % of a Gaussian lie within one width
    array([0., 1.], dtype=float32)
    """

    def __init__(self, low, high):
        super().__init__()
        check_between("low", low, -math.inf, math.inf)
        check_between("high", high, low, math.inf)
        self.low, self.high = float(low), float(high)

    def _log_derivative(self, z):
        return (math.log(self.high - self.low) - LOG_ROOT - z**2 / 2).sum(1)

    def forward(self, x, context=None):
        """Data ``(n, d)`` between the edges to the real line, and the logarithm of the determinant ``(n,)``."""
        _check_inside(x, self.low, self.high)
        margin = max(min(ATOM / (self.high - self.low), 0.1), torch.finfo(x.dtype).eps)
        z = torch.special.ndtri(((x - self.low) / (self.high - self.low)).clamp(margin, 1 - margin))
        return z, -self._log_derivative(z)

    def inverse(self, z, context=None):
        """Back to the units of the data."""
        check_array("z", z, ("n", "d"), finite=False)
        # from the nearer edge, where most digits are left
        part = (self.high - self.low) * torch.special.ndtr(-z.abs())
        return torch.where(z < 0, self.low + part, self.high - part), self._log_derivative(z)


class Pareto(Transform):
    """Above a threshold, with a falling spectrum: a shifted power law becomes standard normal.

    Parameters
    ----------
    low : float
        Threshold, in the units of the data.
    scale, power : float
        The density that becomes Gaussian is proportional to (1 + (x - low) / scale)^(-power - 1).

    Raises
    ------
    ValueError
        If an option is out of range, or a value lies below the threshold.

    Notes
    -----
    The fraction above x is S = (1 + (x - low) / scale)^(-power), and z = -Phi^{-1}(S). A spectrum that is *finite* at
    its threshold gets an exponential tail from log(x - low), a Gaussian one from this map.

    Examples
    --------
    >>> pareto = Pareto(20.0, scale=60.0, power=5.0)
    >>> z, _ = pareto(torch.tensor([[20.5], [29.0], [100.0], [500.0]], dtype=torch.float64))
    >>> z.flatten().numpy().round(2)
    array([-1.74,  0.01,  2.18,  4.15])
    """

    def __init__(self, low, scale, power):
        super().__init__()
        check_between("low", low, -math.inf, math.inf)
        check_between("scale", scale, 0, math.inf)
        check_between("power", power, 0, math.inf)
        self.low, self.scale, self.power = float(low), float(scale), float(power)

    def _log_derivative(self, z):
        """log |dx/dz|: the normal density over that of x."""
        log_survival = torch.special.log_ndtr(-z)
        log_density = math.log(self.power / self.scale) + log_survival * (1 + 1 / self.power)
        return (-LOG_ROOT - z**2 / 2 - log_density).sum(1)

    def forward(self, x, context=None):
        """Data ``(n, d)`` above the threshold to the real line, and the logarithm of the determinant ``(n,)``."""
        _check_inside(x, self.low, math.inf)
        above = (x - self.low).clamp(min=max(ATOM, self.scale * torch.finfo(x.dtype).eps))
        log_survival = -self.power * torch.log1p(above / self.scale)
        # the smaller of both tails, where most digits are left
        z = torch.where(
            log_survival < -1,
            -torch.special.ndtri(log_survival.exp()),
            torch.special.ndtri(-torch.expm1(log_survival)),
        )
        return z, -self._log_derivative(z)

    def inverse(self, z, context=None):
        """Back to the units of the data."""
        check_array("z", z, ("n", "d"), finite=False)
        # log(1 - Phi(z)): log_ndtr has all digits for large z, log1p for very negative z
        log_survival = torch.where(z > 0, torch.special.log_ndtr(-z), torch.log1p(-torch.special.ndtr(z)))
        return self.low + self.scale * torch.expm1(-log_survival / self.power), self._log_derivative(z)


class Positive(Transform):
    """Above zero, and otherwise left alone: z = scale log(exp(x / scale) - 1), close to x for x well above `scale`.

    Parameters
    ----------
    scale : float
        Where the logarithm near zero goes over into the straight line, in the units of the data.

    Raises
    ------
    ValueError
        If `scale` is not above zero, or a value is negative.

    Examples
    --------
    >>> z, _ = Positive(0.1)(torch.tensor([[0.01], [0.1], [1.0]]))
    >>> z.flatten().numpy().round(3)
    array([-0.225,  0.054,  1.   ], dtype=float32)
    """

    def __init__(self, scale):
        super().__init__()
        check_between("scale", scale, 0, math.inf)
        self.scale = float(scale)

    def forward(self, x, context=None):
        """Data ``(n, d)`` of at least zero to the real line, and the logarithm of the determinant ``(n,)``."""
        _check_inside(x, 0.0, math.inf)
        ratio = x.clamp(min=ATOM) / self.scale
        lost = torch.log(-torch.expm1(-ratio))  # log(1 - exp(-x / scale))
        return self.scale * (ratio + lost), -lost.sum(1)

    def inverse(self, z, context=None):
        """Back to the units of the data: the softplus function."""
        check_array("z", z, ("n", "d"), finite=False)
        ratio = z / self.scale
        return self.scale * torch.logaddexp(ratio, torch.zeros_like(ratio)), torch.nn.functional.logsigmoid(ratio).sum(
            1
        )


class Interval(Transform):
    """Between two edges, and otherwise left alone: close to x - (low + high) / 2 further inside than `scale`.

    Parameters
    ----------
    low, high : float
        The edges, in the units of the data.
    scale : float
        How far inside the straight line goes over into a logarithm, in the units of the data.

    Raises
    ------
    ValueError
        If an option is out of range, or a value lies outside.

    Notes
    -----
    With the half width h and x measured from the middle, z = scale log((e^(x/scale) - E) / (1 - E e^(x/scale))) and
    E = exp(-h / scale): a Moebius map of exponentials, so that the inverse is the same with -E. Unlike the normal
    quantile it keeps distances, wherever in the interval they lie.

    Examples
    --------
    >>> z, _ = Interval(-5.0, 5.0, 0.5)(torch.tensor([[-4.99], [-2.0], [1.0]]))
    >>> z.flatten().numpy().round(2)
    array([-6.95, -2.  ,  1.  ], dtype=float32)
    """

    def __init__(self, low, high, scale):
        super().__init__()
        check_between("low", low, -math.inf, math.inf)
        check_between("high", high, low, math.inf)
        check_between("scale", scale, 0, math.inf)
        self.low, self.high, self.scale = float(low), float(high), float(scale)

    def forward(self, x, context=None):
        """Data ``(n, d)`` between the edges to the real line, and the logarithm of the determinant ``(n,)``."""
        _check_inside(x, self.low, self.high)
        margin = max(ATOM, 4 * (self.high - self.low) * torch.finfo(x.dtype).eps)
        x = x.clamp(self.low + margin, self.high - margin)
        above, below = (x - self.low) / self.scale, (self.high - x) / self.scale
        lost_low, lost_high = torch.log(-torch.expm1(-above)), torch.log(-torch.expm1(-below))
        z = x - (self.low + self.high) / 2 + self.scale * (lost_low - lost_high)
        width = (self.high - self.low) / self.scale
        return z, (math.log(-math.expm1(-width)) - lost_low - lost_high).sum(1)

    def inverse(self, z, context=None):
        """Back to the units of the data."""
        check_array("z", z, ("n", "d"), finite=False)
        width = (self.high - self.low) / self.scale
        small = -z.abs() / self.scale  # from the nearer edge, where most digits are left
        ratio = torch.log1p((small + width / 2).exp()) - torch.log1p((small - width / 2).exp())
        x = torch.where(z < 0, self.low + self.scale * ratio, self.high - self.scale * ratio)
        lost_low, lost_high = (torch.log(-torch.expm1(-part)) for part in (ratio, width - ratio))
        return x, (lost_low + lost_high - math.log(-math.expm1(-width))).sum(1)
