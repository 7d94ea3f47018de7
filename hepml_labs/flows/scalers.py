"""Changes of variables before the flow: fixed maps that know the logarithm of their Jacobian."""

import math

import torch
from torch import nn

from hepml_labs.flows.transforms import Transform
from hepml_labs.nn import Standardizer
from hepml_labs.validation import check_array, check_between, check_count

__all__ = ["Angle", "Columns", "Log", "Logit", "Standardize"]


def _check_inside(x, low, high):
    """Raise a ValueError unless all of x lies inside of the open interval (skipped on the meta device)."""
    check_array("x", x, ("n", "d"), finite=False)
    if x.is_meta:
        return
    outside = ~((x > low) & (x < high))  # true for NaN as well
    if outside.any():
        examples = [float(f"{value:.6g}") for value in x.detach()[outside][:3]]
        raise ValueError(
            f"x: found {int(outside.sum())} of {x.numel()} values outside of the open interval ({low:g}, {high:g}), "
            f"such as {examples}, expected none: at and beyond the edge the density does not exist"
        )


class Standardize(Transform):
    """z = (x - mean) / scale for each feature.

    Parameters
    ----------
    mean, scale : tensor
        Shape ``(d,)``, in the units of the data; `scale` above zero, or a ValueError says so.

    Examples
    --------
    >>> energies = torch.tensor([[10.0], [20.0], [30.0]])
    >>> z, log_det = Standardize.fit(energies)(energies)
    >>> z.flatten(), log_det[0]  # log(1 / 8.165)
    (tensor([-1.2247,  0.0000,  1.2247]), tensor(-2.0999))
    """

    def __init__(self, mean, scale):
        super().__init__()
        checked = Standardizer(mean, scale)
        self.register_buffer("mean", checked.mean)
        self.register_buffer("scale", checked.scale)

    @classmethod
    def fit(cls, x):
        """Return a scaler with the mean and standard deviation of data ``(n, d)``, kept in float64.

        Parameters
        ----------
        x : tensor or numpy array
            Shape ``(n, d)``. A feature that does not vary is shifted but keeps its scale.

        Raises
        ------
        ValueError
            If `x` is no floating-point array, is empty, or holds NaN.
        """
        check_array("x", x, ("n", "d"))
        fitted = Standardizer.fit(torch.as_tensor(x, dtype=torch.float64))
        return cls(fitted.mean, fitted.scale)

    def forward(self, x, context=None):
        """Data ``(n, d)`` to mean zero and width one, and the logarithm of the determinant ``(n,)``."""
        check_array("x", x, ("n", len(self.mean)), finite=False)
        mean, scale = self.mean.to(x.dtype), self.scale.to(x.dtype)
        return (x - mean) / scale, -scale.log().sum().expand(len(x))

    def inverse(self, z, context=None):
        """Back to the units of the data."""
        check_array("z", z, ("n", len(self.mean)), finite=False)
        mean, scale = self.mean.to(z.dtype), self.scale.to(z.dtype)
        return z * scale + mean, scale.log().sum().expand(len(z))


class Log(Transform):
    """z = log(x - low), for positive quantities with long tails, such as a pt above a threshold.

    Parameters
    ----------
    low : float
        Lower edge, in the units of the data. Values at or below it are refused.

    Raises
    ------
    ValueError
        If `low` is not finite, or a value is not above it.

    Notes
    -----
    |dz/dx| = 1/(x - low). Where z has an exponential tail, exp(-a z), x has a power law, x^(-a - 1).

    Examples
    --------
    >>> z, log_det = Log(20.0)(torch.tensor([[22.0]]))
    >>> z.exp().item(), log_det.exp().item()
    (2.0, 0.5)
    """

    def __init__(self, low=0.0):
        super().__init__()
        check_between("low", low, -math.inf, math.inf)
        self.low = float(low)

    def forward(self, x, context=None):
        """Data ``(n, d)`` above the edge to the real line, and the logarithm of the determinant ``(n,)``."""
        _check_inside(x, self.low, math.inf)
        z = (x - self.low).log()
        return z, -z.sum(1)

    def inverse(self, z, context=None):
        """Back to the units of the data."""
        check_array("z", z, ("n", "d"), finite=False)
        return self.low + z.exp(), z.sum(1)


class Logit(Transform):
    """z = log((x - low)/(high - x)), for quantities with two hard edges, such as a fraction.

    Parameters
    ----------
    low, high : float
        The edges, in the units of the data: of the definition or of the cuts, not the extremes of a sample.
        Values at or beyond them are refused.

    Raises
    ------
    ValueError
        If `low` is not below `high`, either is not finite, or a value is not between them.

    Notes
    -----
    |dz/dx| = (high - low)/((x - low)(high - x)). With edges -1 and 1, z = 2 artanh x.

    Examples
    --------
    >>> z, log_det = Logit(0.0, 1.0)(torch.tensor([[0.5]]))
    >>> z.item(), log_det.exp().item()
    (0.0, 4.0)
    """

    def __init__(self, low, high):
        super().__init__()
        check_between("low", low, -math.inf, math.inf)
        check_between("high", high, low, math.inf)
        self.low, self.high = float(low), float(high)

    def forward(self, x, context=None):
        """Data ``(n, d)`` between the edges to the real line, and the logarithm of the determinant ``(n,)``."""
        _check_inside(x, self.low, self.high)
        above, below = (x - self.low).log(), (self.high - x).log()
        return above - below, (math.log(self.high - self.low) - above - below).sum(1)

    def inverse(self, z, context=None):
        """Back to the units of the data, always between the edges."""
        check_array("z", z, ("n", "d"), finite=False)
        width = self.high - self.low
        # from the nearer edge, where most digits are left; one step away from an edge that rounding would reach
        x = torch.where(z < 0, self.low + width * z.sigmoid(), self.high - width * (-z).sigmoid())
        edges = x.new_tensor([self.low, self.high])
        low, high = torch.nextafter(edges, edges.flip(0))
        log_derivative = math.log(width) + nn.functional.logsigmoid(z) + nn.functional.logsigmoid(-z)
        return torch.minimum(torch.maximum(x, low), high), log_derivative.sum(1)


class Angle(Transform):
    """Cut the circle open opposite of `center` and stretch it to the real line by a logit.

    Parameters
    ----------
    center : float
        The angle that becomes zero. The cut lies half a period away: choose a place with few events, or `fit`.
    period : float
        Length of the circle, 2 pi for radians.

    Raises
    ------
    ValueError
        If `center` is not finite or `period` not above zero.

    Notes
    -----
    Any angle is allowed, and phi and phi + period give the same z; ``inverse`` returns angles in [-period/2, period/2).
    The density of a flow behind it is zero at the cut. Where no place is empty, a circular spline does without a cut
    (Rezende et al., arXiv:2002.02428).

    Examples
    --------
    >>> angle, phi = Angle(center=3.0), torch.tensor([[3.1], [-3.1]])
    >>> z, log_det = angle(phi)
    >>> z.flatten()  # neighbours on the circle, and now on the line
    tensor([0.0637, 0.1168])
    >>> torch.allclose(angle.inverse(z)[0], phi)
    True
    """

    def __init__(self, center=0.0, period=2 * math.pi):
        super().__init__()
        check_between("center", center, -math.inf, math.inf)
        check_between("period", period, 0, math.inf)
        self.center, self.period = float(center), float(period)
        self.logit = Logit(0.0, 1.0)

    @classmethod
    def fit(cls, x, period=2 * math.pi, bins=24):
        """Return an `Angle` with its cut in the emptiest of some arcs of equal length.

        Parameters
        ----------
        x : tensor or numpy array
            Angles of the data, any shape.
        period, bins : float, int
            Length of the circle, and number of arcs.

        Raises
        ------
        ValueError
            If `x` is no floating-point array, is empty, or holds NaN.
        """
        check_array("x", x)
        check_count("bins", bins)
        turns = torch.remainder(torch.as_tensor(x, dtype=torch.float64).flatten() / period, 1)
        counts = torch.bincount((turns * bins).long().clamp(max=bins - 1), minlength=bins)
        cut = (counts.argmin().item() + 0.5) / bins
        return cls((cut - 0.5) * period, period)

    def forward(self, x, context=None):
        """Angles ``(n, d)`` to the real line, and the logarithm of the determinant ``(n,)``."""
        check_array("x", x, ("n", "d"), finite=False)
        turns = torch.remainder((x - self.center) / self.period + 0.5, 1)
        # an angle on the cut itself, which rounding can make, goes to the last place beside it
        turns = turns.clamp(torch.finfo(x.dtype).tiny, 1 - torch.finfo(x.dtype).eps)
        z, log_det = self.logit(turns)
        return z, log_det - x.shape[1] * math.log(self.period)

    def inverse(self, z, context=None):
        """Back to angles in [-period/2, period/2)."""
        turns, log_det = self.logit.inverse(z)
        x = torch.remainder(self.center + self.period * (turns - 0.5) + 0.5 * self.period, self.period)
        return x - 0.5 * self.period, log_det + z.shape[1] * math.log(self.period)


class Columns(Transform):
    """A scaler of its own for each column of the data.

    Parameters
    ----------
    scalers : list of Transform or None
        One for each column, each acting on ``(n, 1)``; None leaves the column as it is.

    Raises
    ------
    ValueError
        If the number of columns disagrees, or a scaler refuses its values; the message names the column.

    Examples
    --------
    >>> scaler = Columns([Log(20.0), None, Angle()])  # pt above 20 GeV, eta, phi
    >>> x = torch.tensor([[25.0, -1.5, 3.0], [21.0, 0.3, -2.0]], dtype=torch.float64)
    >>> torch.allclose(scaler.inverse(scaler(x)[0])[0], x)
    True
    >>> scaler(x - 5)
    Traceback (most recent call last):
    ...
    ValueError: column 0: x: found 2 of 2 values outside of the open interval (20, inf), such as [20.0, 16.0], ...
    """

    def __init__(self, scalers):
        super().__init__()
        self.features = len(scalers)
        check_count("scalers", self.features)
        # a dictionary of modules, so that a column without a scaler has none
        self.scalers = nn.ModuleDict({str(i): scaler for i, scaler in enumerate(scalers) if scaler is not None})

    def _apply_each(self, x, direction):
        check_array("x", x, ("n", self.features), finite=False)
        columns, total = list(x.split(1, dim=1)), x.new_zeros(len(x))
        for name, scaler in self.scalers.items():
            try:
                columns[int(name)], log_det = getattr(scaler, direction)(columns[int(name)])
            except ValueError as error:
                raise ValueError(f"column {name}: {error}") from error
            total = total + log_det
        return torch.cat(columns, dim=1), total

    def forward(self, x, context=None):
        """Data ``(n, d)`` to scaled variables, and the logarithm of the determinant ``(n,)``."""
        return self._apply_each(x, "forward")

    def inverse(self, z, context=None):
        """Back to the units of the data."""
        return self._apply_each(z, "inverse")
