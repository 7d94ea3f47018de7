r"""Channels: analytic maps of the known peaks of an integrand onto the unit interval, with exact Jacobians.

A channel is a density with a closed distribution function F: u = F(x) is uniform if x has the density F'. Each is a
`Transform` from physical variables (forward) to the unit cube, so that a flow on the cube continues where the channel
ends: the channel knows the physics, the flow learns the rest.
"""

import math

import numpy as np
import torch

from hepml_labs.flows.transforms import Transform
from hepml_labs.validation import check_array, check_between

__all__ = ["BreitWigner", "Flat", "Grid", "PowerLaw"]


class _Quantile(Transform):
    """Map of every column by one distribution function on [low, high]; subclasses give its primitive.

    The density is F'(x) = g(x) / (G(high) - G(low)) with G' = g > 0.
    """

    def __init__(self, low, high):
        super().__init__()
        check_between("high", high, low, math.inf)
        self.low, self.high = float(low), float(high)

    def forward(self, x, context=None):
        """Physical variables (n, k) to the unit cube; see `Transform`."""
        check_array("x", x, ("n", "k"), finite=False)
        start, end = self._primitive(self.low), self._primitive(self.high)
        log_det = self._log_density(x) - math.log(end - start)
        return (self._primitive(x) - start) / (end - start), log_det.sum(1)

    def inverse(self, z, context=None):
        """Unit cube (n, k) to physical variables; see `Transform`."""
        check_array("z", z, ("n", "k"), finite=False)
        start, end = self._primitive(self.low), self._primitive(self.high)
        x = self._quantile(start + z * (end - start)).clamp(self.low, self.high)  # rounding must not leave the range
        return x, (math.log(end - start) - self._log_density(x)).sum(1)


class Flat(_Quantile):
    """Uniform density on [low, high], for a variable without structure.

    Parameters
    ----------
    low, high : float
        Range, in the unit of x.

    Raises
    ------
    ValueError
        If the range is empty.

    Examples
    --------
    >>> Flat(-1, 3)(torch.zeros(1, 1))
    (tensor([[0.2500]]), tensor([-1.3863]))
    """

    def _primitive(self, x):
        return x

    def _quantile(self, primitive):
        return primitive

    def _log_density(self, x):
        return torch.zeros_like(x)


class BreitWigner(_Quantile):
    r"""Density of a resonance in the squared mass s, :math:`g(s) = m\Gamma / [(s - m^2)^2 + m^2\Gamma^2]`.

    The primitive is :math:`\arctan[(s - m^2)/(m\Gamma)]`, so :math:`s = m^2 + m\Gamma\tan(\cdot)`.

    Parameters
    ----------
    mass, width : float
        m and :math:`\Gamma` in GeV.
    low, high : float
        Range of s in GeV^2.

    Raises
    ------
    ValueError
        If the range is empty, or mass or width is not positive.

    Examples
    --------
    Half of the resonance lies above its mass:

    >>> z = torch.rand(100_000, 1, generator=torch.Generator().manual_seed(1))
    >>> s, _ = BreitWigner(91.2, 2.5, 60.0**2, 120.0**2).inverse(z)
    >>> bool(abs((s > 91.2**2).float().mean() - 0.5) < 0.02)
    True
    """

    def __init__(self, mass, width, low, high):
        super().__init__(low, high)
        check_between("mass", mass, 0, math.inf)
        check_between("width", width, 0, math.inf)
        self.mass, self.width = float(mass), float(width)

    def _primitive(self, s):
        shift = (s - self.mass**2) / (self.mass * self.width)
        return shift.atan() if torch.is_tensor(shift) else math.atan(shift)

    def _quantile(self, primitive):
        return self.mass**2 + self.mass * self.width * primitive.tan()

    def _log_density(self, s):
        scale = self.mass * self.width
        return -math.log(scale) - torch.log1p(((s - self.mass**2) / scale) ** 2)


class PowerLaw(_Quantile):
    r"""Density that falls like a power, :math:`g(x) = x^{-\nu}`, for a massless exchange or parton densities.

    Parameters
    ----------
    power : float
        :math:`\nu`, any sign; for 1 the primitive is a logarithm.
    low, high : float
        Range of x, above zero.

    Raises
    ------
    ValueError
        If the range is empty or does not lie above zero.

    Examples
    --------
    Flat in the logarithm:

    >>> x, _ = PowerLaw(1.0, 1.0, 100.0).inverse(torch.tensor([[0.5]]))
    >>> round(x.item(), 4)
    10.0
    """

    def __init__(self, power, low, high):
        check_between("low", low, 0, math.inf)
        super().__init__(low, high)
        self.power = float(power)

    def _primitive(self, x):
        log = x.log() if torch.is_tensor(x) else math.log(x)
        rise = 1 - self.power
        return log if rise == 0 else (torch.exp(rise * log) if torch.is_tensor(x) else math.exp(rise * log)) / rise

    def _quantile(self, primitive):
        rise = 1 - self.power
        return primitive.exp() if rise == 0 else (rise * primitive) ** (1 / rise)

    def _log_density(self, x):
        return -self.power * x.log()


class Grid(Transform):
    r"""The map that VEGAS learns: in each column bins of equal probability, flat within each.

    Parameters
    ----------
    edges : tensor, (d, bins + 1)
        Growing edges of the bins of each column, from its lower to its upper end.

    Raises
    ------
    ValueError
        If the edges do not grow.

    Notes
    -----
    Lepage :cite:`lepage1978vegas`. A density that is piecewise constant in each variable and a product of them: what
    lies along a diagonal is beyond it. As the first layer below a flow it is the start that MadNIS takes from VEGAS
    :cite:`heimel2024reloaded`.

    Examples
    --------
    >>> Grid(torch.tensor([[0.0, 0.1, 1.0]])).inverse(torch.tensor([[0.5], [0.75]]))[0].flatten()
    tensor([0.1000, 0.5500])
    """

    def __init__(self, edges):
        super().__init__()
        check_array("edges", edges, ("d", "edges"))
        check_array("widths of the bins", edges.diff(dim=1), positive=True)
        self.register_buffer("edges", edges)

    @classmethod
    def from_vegas(cls, adaptive_map):
        """Take over the map of a trained integrator: ``Grid.from_vegas(vegas.Integrator(...).map)``."""
        common = np.linspace(0, 1, int(max(adaptive_map.ninc)) + 1)  # the columns may have different numbers of bins
        edges = [
            np.interp(common, np.linspace(0, 1, count + 1), grid[: count + 1])
            for count, grid in zip(adaptive_map.ninc, np.asarray(adaptive_map.grid), strict=True)
        ]
        return cls(torch.tensor(np.array(edges), dtype=torch.get_default_dtype()))

    def _bin(self, bins, dtype):
        """Left edge and width (n, d) of bins (d, n)."""
        edges = self.edges.to(dtype)
        return edges.gather(1, bins).T, edges.diff(dim=1).gather(1, bins).T

    def forward(self, x, context=None):
        """Physical variables (n, d) to the unit cube; see `Transform`."""
        check_array("x", x, ("n", len(self.edges)), finite=False)
        count = self.edges.shape[1] - 1
        bins = (torch.searchsorted(self.edges.to(x.dtype), x.T.contiguous(), right=True) - 1).clamp(0, count - 1)
        left, width = self._bin(bins, x.dtype)
        return (bins.T + (x - left) / width) / count, -(count * width).log().sum(1)

    def inverse(self, z, context=None):
        """Unit cube (n, d) to physical variables; see `Transform`."""
        check_array("z", z, ("n", len(self.edges)), finite=False)
        count = self.edges.shape[1] - 1
        bins = (z.T * count).long().clamp(0, count - 1)
        left, width = self._bin(bins, z.dtype)
        return left + width * (z * count - bins.T), (count * width).log().sum(1)
