"""Maps of a plane along its radii: a dense rim around a hole magnified, and long tails in all directions shortened."""

import math

import torch

from hepml_labs.flows.transforms import Transform
from hepml_labs.validation import check_array, check_between

__all__ = ["Asinh", "Magnifier"]


class Magnifier(Transform):
    """Stretch the plane of two columns around its origin, and leave it alone beyond a circle.

    Parameters
    ----------
    excess : float
        By how much the area at the origin is to grow: a density 1 + `excess` times that around it becomes flat.
    scale : float
        Distance from the origin at which half of the excess is left.
    radius : float
        Of the circle, several times `scale`.

    Raises
    ------
    ValueError
        If an option is not above zero, or the map cannot be inverted: the circle is too small for the excess.

    Notes
    -----
    In polar coordinates only q = r^2 changes, q -> q', and the area element by dq'/dq = 1 + excess / (1 + (q/s^2)^2)
    - 6 d u (1 - u) with u = q / radius^2. What the first term pushes out the last one takes up: d is such that q' = q
    on the circle, and since the slope is one there (but for the rest of the excess), the density stays continuous.

    Examples
    --------
    >>> magnifier = Magnifier(2.0, 0.5, 3.0)
    >>> x = torch.tensor([[0.1, 0.0], [3.0, 0.1]], dtype=torch.float64)
    >>> z, _ = magnifier(x)
    >>> z[:, 0].numpy().round(3), torch.allclose(magnifier.inverse(z)[0], x)
    (array([0.173, 3.   ]), True)
    """

    def __init__(self, excess, scale, radius):
        super().__init__()
        for name, value in (("excess", excess), ("scale", scale), ("radius", radius)):
            check_between(name, value, 0, math.inf)
        self.excess, self.area, self.full = float(excess), float(scale) ** 2, float(radius) ** 2
        self.dip = self.excess * self.area * math.atan(self.full / self.area) / self.full
        if 1.5 * self.dip >= 1:
            raise ValueError(f"radius: found {radius:g}, expected it larger for excess {excess:g} and scale {scale:g}")

    def _primitive(self, q):
        u = q / self.full
        return q + self.excess * self.area * torch.atan(q / self.area) - self.dip * q * u * (3 - 2 * u)

    def _log_slope(self, q):
        u = q / self.full
        slope = 1 + self.excess / (1 + (q / self.area) ** 2) - 6 * self.dip * u * (1 - u)
        return torch.where(u < 1, slope, torch.ones_like(u)).log()

    def forward(self, x, context=None):
        """Points ``(n, 2)`` to stretched ones, and the logarithm of the determinant ``(n,)``."""
        check_array("x", x, ("n", 2), finite=False)
        q = (x**2).sum(1, keepdim=True).clamp(min=torch.finfo(x.dtype).tiny)
        factor = torch.where(q < self.full, (self._primitive(q) / q).sqrt(), torch.ones_like(q))
        return factor * x, self._log_slope(q)[:, 0]

    def inverse(self, z, context=None):
        """Back to the plane of the data."""
        check_array("z", z, ("n", 2), finite=False)
        target = (z**2).sum(1, keepdim=True).clamp(min=torch.finfo(z.dtype).tiny)
        low, high = torch.zeros_like(target), torch.full_like(target, self.full)
        q = (target / (1 + self.excess)).clamp(max=self.full)
        for _ in range(40):  # Newton's step where it stays between the brackets, bisection otherwise
            too_small = self._primitive(q) < target
            low, high = torch.where(too_small, q, low), torch.where(too_small, high, q)
            step = q - (self._primitive(q) - target) * (-self._log_slope(q)).exp()
            q = torch.where((step > low) & (step < high), step, (low + high) / 2)
        q = torch.where(target < self.full, q, target)
        return (q / target).sqrt() * z, -self._log_slope(q)[:, 0]


class Asinh(Transform):
    """Long tails in all directions: r -> arsinh(r / scale) for the length r of a vector, its direction kept.

    Parameters
    ----------
    scale : float
        Where the straight line goes over into logarithms, in the units of the data; above zero, or a ValueError
        says so.

    Notes
    -----
    For vectors of d components the determinant is (r'/r)^(d-1) dr'/dr. Component by component, large values of two
    components would come together, as they do for one long vector, and the map would not know.

    Examples
    --------
    >>> z, _ = Asinh(20.0)(torch.tensor([[-2000.0, 0.0], [0.0, 2.0]]))
    >>> z.numpy().round(2) + 0.0
    array([[-5.3,  0. ],
           [ 0. ,  0.1]], dtype=float32)
    """

    def __init__(self, scale):
        super().__init__()
        check_between("scale", scale, 0, math.inf)
        self.scale = float(scale)

    def _result(self, x, length, new_length, log_slope):
        factor = new_length / length
        return factor * x, log_slope[:, 0] + (x.shape[1] - 1) * factor[:, 0].log()

    def forward(self, x, context=None):
        """Vectors ``(n, d)`` to compressed ones, and the logarithm of the determinant ``(n,)``."""
        check_array("x", x, ("n", "d"), finite=False)
        length = x.norm(dim=1, keepdim=True).clamp(min=self.scale * torch.finfo(x.dtype).tiny ** 0.5)
        ratio = length / self.scale
        return self._result(x, length, ratio.asinh(), -math.log(self.scale) - torch.log1p(ratio**2) / 2)

    def inverse(self, z, context=None):
        """Back to the units of the data."""
        check_array("z", z, ("n", "d"), finite=False)
        length = z.norm(dim=1, keepdim=True).clamp(min=torch.finfo(z.dtype).tiny ** 0.5)
        ratio = length.sinh()
        return self._result(z, length, self.scale * ratio, math.log(self.scale) + torch.log1p(ratio**2) / 2)
