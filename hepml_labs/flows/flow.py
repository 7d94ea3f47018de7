"""A normalising flow: a simple density seen through an invertible map."""

import math

import torch
from torch import nn

from hepml_labs.validation import check_array, check_count

__all__ = ["Flow"]


class Flow(nn.Module):
    """A density that can be evaluated and sampled: a base density and a transform from the data to it.

    Parameters
    ----------
    transform : Transform
        From the data to the base variables.
    features : int
        Number d of features.
    base : str
        "normal": standard normal in d dimensions; "uniform": flat on the unit box [0, 1]^d, zero outside.

    Raises
    ------
    ValueError
        If `base` is neither of the two, or on a wrong shape.

    Notes
    -----
    log p(x) = log p_base(z(x)) + log |det dz/dx|, Papamakarios et al., arXiv:1912.02762, equation 3. The module's call
    is `log_prob`, so that the loss of a training is ``lambda flow, x: -flow(x).mean()``.

    Examples
    --------
    >>> from hepml_labs.flows.transforms import Linear
    >>> flow = Flow(Linear(2), features=2)
    >>> round(flow.log_prob(torch.zeros(1, 2)).item(), 4)  # minus log(2 pi)
    -1.8379
    >>> flow.sample(3, generator=1).shape
    torch.Size([3, 2])
    """

    def __init__(self, transform, features, base="normal"):
        super().__init__()
        check_count("features", features)
        if base not in ("normal", "uniform"):
            raise ValueError(f"base: found {base!r}, expected 'normal' or 'uniform'")
        self.transform, self.features, self.base = transform, features, base
        self.register_buffer("zero", torch.zeros(()), persistent=False)  # knows type and device of the flow

    def base_log_prob(self, z):
        """Return the logarithm of the base density at z ``(n, d)``, shape ``(n,)``."""
        if self.base == "normal":
            return -0.5 * (z * z).sum(1) - 0.5 * self.features * math.log(2 * math.pi)
        outside = ((z < 0) | (z > 1)).any(1)
        return torch.where(outside, -math.inf, 0.0).to(z.dtype)

    def log_prob(self, x, context=None):
        """Return log p(x | context) in units of the data: x ``(n, d)``, context ``(n, c)``, result ``(n,)``."""
        check_array("x", x, ("n", self.features), finite=False)
        z, log_det = self.transform(x, context)
        return self.base_log_prob(z) + log_det

    forward = log_prob

    def sample_and_log_prob(self, n, context=None, generator=None):
        """Draw n points x ``(n, d)`` and return them with log p(x | context), ``(n,)``; both carry gradients.

        With a context ``(n, c)`` each row gets one point. `generator` is a seed or a torch.Generator.
        """
        check_count("n", n)
        if context is not None:
            check_array("context", context, (n, context.shape[-1]), finite=False)
        if isinstance(generator, int):
            generator = torch.Generator(self.zero.device).manual_seed(generator)
        draw = torch.randn if self.base == "normal" else torch.rand
        z = draw(n, self.features, generator=generator, dtype=self.zero.dtype, device=self.zero.device)
        x, log_det = self.transform.inverse(z, context)
        return x, self.base_log_prob(z) - log_det

    @torch.no_grad()
    def sample(self, n, context=None, generator=None):
        """Draw n points ``(n, d)`` without gradients; arguments as in `sample_and_log_prob`."""
        return self.sample_and_log_prob(n, context, generator)[0]
