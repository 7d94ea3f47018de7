"""Deformed contours for integrals above threshold: one trained size per variable, and a flow that samples them."""

import math
from typing import NamedTuple

import torch
from torch import nn

from hepml_labs.flows.coupling import coupling_flow
from hepml_labs.flows.elementwise import RationalQuadraticSpline
from hepml_labs.validation import check_array, check_count

__all__ = ["ComplexEstimate", "Contour", "complex_mean", "contour_loss", "deform", "train_contour"]


def deform(integral, x, scale):
    """Push points of the unit cube into the complex plane, to the side where the i0 of the propagators wants them.

    z_j = x_j - i scale_j x_j (1 - x_j) dF/dx_j, so that Im F = - sum_j scale_j x_j (1 - x_j) (dF/dx_j)^2 + O(scale^3)
    is not positive while `scale` is small; the ends of the contour stay where they are.

    Parameters
    ----------
    integral : OneLoop
        Its polynomial F decides where to go.
    x : tensor
        Shape ``(n, d)``, in the unit cube.
    scale : tensor
        Shape ``(d,)``, not negative, in GeV^-2.

    Returns
    -------
    z : complex tensor
        Shape ``(n, d)``.
    determinant : complex tensor
        Of dz/dx, shape ``(n,)``.

    Raises
    ------
    ValueError
        If the shape of `x` is wrong.

    Notes
    -----
    Soper, arXiv:hep-ph/9910292; Nagy and Soper, arXiv:hep-ph/0610028; in this form Borowka, Carter and Heinrich,
    arXiv:1204.4152.

    Examples
    --------
    >>> from hepml_labs.flows.one_loop import bubble
    >>> x, scale = torch.tensor([[0.25]], dtype=torch.float64), torch.tensor([0.1], dtype=torch.float64)
    >>> z, determinant = deform(bubble(9.0, 1.0), x, scale)
    >>> z.item()
    (0.25+0.084375j)
    """
    slope, curvature = integral.derivatives(x)
    ends = x * (1 - x)
    matrix = torch.diag_embed((1 - 2 * x) * slope) + ends.unsqueeze(-1) * curvature
    identity = torch.eye(integral.features, dtype=x.dtype, device=x.device)
    jacobian = torch.complex(identity.expand_as(matrix), -scale.unsqueeze(-1) * matrix)
    return torch.complex(x, -scale * ends * slope), torch.linalg.det(jacobian)


class Contour(nn.Module):
    """A contour with trainable size, and a flow that chooses where on it to sample.

    Parameters
    ----------
    integral : OneLoop
        The integral.
    scale : float
        Size of the deformation at the start: the largest shift of each variable.
    flow : Flow, optional
        Density of the real parts on the unit cube; uniform if not given. `Contour.with_flow` makes one.

    Notes
    -----
    A global scale for each Feynman parameter, and a normalising flow for the real parts: Winterhalder et al.,
    arXiv:2112.09145. Each point has the complex weight w = f(z) det(dz/dx) / q(x), whose mean is the integral whatever
    the contour (Cauchy) and the density q (importance sampling) are.

    Examples
    --------
    >>> from hepml_labs.flows.one_loop import triangle, triangle_exact
    >>> weight, polynomial = Contour(triangle(s=9.0, mass=1.0))(1000, generator=1)
    >>> bool((polynomial.imag <= 0).all()), abs(weight.mean() - triangle_exact(9.0, 1.0)).item() < 0.1
    (True, True)
    """

    def __init__(self, integral, scale=0.5, flow=None):
        super().__init__()
        self.integral, self.flow = integral, flow
        generator = torch.Generator("cpu").manual_seed(0)
        x = torch.rand(2000, integral.features, generator=generator, dtype=torch.float64, device="cpu")
        x = x.to(integral.cayley.device)
        slope, _ = integral.derivatives(x)
        self.log_scale = nn.Parameter(math.log(scale) - (x * (1 - x) * slope).abs().amax(0).log())

    @classmethod
    def with_flow(cls, integral, scale=0.5, layers=4, bins=8, hidden=(32, 32), seed=0):
        """Return a contour with a coupling flow on the unit cube, which starts out uniform."""
        spline = RationalQuadraticSpline(bins, tails="box")
        flow = coupling_flow(integral.features, 0, layers, spline, hidden, base="uniform", seed=seed)
        return cls(integral, scale, flow.double())

    def at(self, uniform):
        """Map points of the unit cube ``(n, d)`` to complex weights ``(n,)`` and values of F ``(n,)``."""
        x, log_volume = uniform, uniform.new_zeros(len(uniform))
        if self.flow is not None:
            x, log_volume = self.flow.transform.inverse(uniform)
        z, determinant = deform(self.integral, x, self.log_scale.exp())
        return self.integral.integrand(z) * determinant * log_volume.exp(), self.integral.polynomial(z)

    def forward(self, n, generator=None):
        """Draw n points, with a seed or torch.Generator; return complex weights and values of F, both ``(n,)``."""
        check_count("n", n)
        if isinstance(generator, int):
            generator = torch.Generator(self.log_scale.device).manual_seed(generator)
        here = {"dtype": self.log_scale.dtype, "device": self.log_scale.device}
        return self.at(torch.rand(n, self.integral.features, generator=generator, **here))


class ComplexEstimate(NamedTuple):
    """An integral and its errors: `value` complex, `error` the errors of real and imaginary part as one complex number,
    and `spread` the standard deviation of a single weight, over |value|."""

    value: complex
    error: complex
    spread: float


def complex_mean(weight):
    """Return the `ComplexEstimate` from complex weights ``(n,)``, n at least 2.

    Examples
    --------
    >>> complex_mean(torch.tensor([1.0 + 1j, 3.0 + 1j]))
    ComplexEstimate(value=(2+1j), error=(1+0j), spread=0.6324555320336759)
    """
    check_array("weight", weight, ("n",), floating=False)
    check_count("number of weights", len(weight), minimum=2)
    weight = weight.detach().to(torch.complex128)
    value = weight.mean().item()
    real, imaginary = weight.real.std().item(), weight.imag.std().item()
    root = math.sqrt(len(weight))
    return ComplexEstimate(value, complex(real / root, imaginary / root), math.hypot(real, imaginary) / abs(value))


def contour_loss(weight, polynomial, penalty=10.0):
    """Return the logarithm of the mean of |w|^2, plus a penalty where the imaginary part of F is positive.

    The mean of w does not depend on contour and density, so the smallest mean of |w|^2 is the smallest variance.

    Parameters
    ----------
    weight, polynomial : complex tensor
        Weights and values of F, shape ``(n,)``.
    penalty : float
        Factor of the mean of max(0, Im F / |F|).

    Returns
    -------
    tensor
        A real number.

    Notes
    -----
    The idea of Winterhalder et al., arXiv:2112.09145: the contour is trained on the spread of the estimate.

    Examples
    --------
    >>> contour_loss(torch.tensor([1j, -1j]), torch.tensor([1 - 1j, -1j])).item()
    0.0
    """
    wrong_side = torch.relu(polynomial.imag) / polynomial.abs()
    return (weight.abs() ** 2).mean().log() + penalty * wrong_side.mean()


def train_contour(contour, steps=200, batch_size=512, learning_rate=1e-2, seed=0):
    """Minimise `contour_loss` over the sizes of the contour and the weights of its flow, on new points at each step.

    Parameters
    ----------
    contour : Contour
        Trained in place.
    steps, batch_size : int
        Number of steps, and points of each.
    learning_rate : float
        Of Adam, at the start; it falls to zero along a cosine.
    seed : int
        Fixes the points.

    Returns
    -------
    list of float
        The loss at each step.

    Raises
    ------
    ValueError
        If `steps` or `batch_size` is no positive whole number.
    """
    check_count("steps", steps)
    generator = torch.Generator(contour.log_scale.device).manual_seed(seed)
    optimizer = torch.optim.Adam(contour.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    losses = []
    for _ in range(steps):
        loss = contour_loss(*contour(batch_size, generator))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(contour.parameters(), 10.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return losses
