"""A multi-layer perceptron with a time: the network of generators that move noise to data."""

import math

import torch
from torch import nn

from hepml_labs.nn.mlp import MLP
from hepml_labs.validation import check_array, check_count

__all__ = ["TimeMLP"]


class TimeMLP(nn.Module):
    """Vector field f(x, t) or f(x, t | context) by a perceptron that sees the time through its Fourier features.

    Parameters
    ----------
    features : int
        Dimension d of x and of the output.
    context : int
        Number of conditional inputs; 0 for none.
    hidden : tuple of int
        Widths of the hidden layers.
    frequencies : int
        The network sees t and the cosines and sines of pi k t for k = 1, ..., `frequencies`.

    Raises
    ------
    ValueError
        If a size is no whole number in its range, or an input of the forward pass has not the shape below.

    Notes
    -----
    Shapes: x ``(n, features)``, t ``(n,)``, context ``(n, context)`` or None, to ``(n, features)``. Times lie in
    [0, 1]: with half periods (pi k t, not 2 pi k t) no two of them look alike. A plain t lets the network vary slowly
    in time only; sines and cosines give it the fast changes near the ends (Tancik et al., arXiv:2006.10739).

    Examples
    --------
    >>> network = TimeMLP(3, context=1, hidden=(16,))
    >>> network(torch.zeros(5, 3), torch.linspace(0, 1, 5), torch.zeros(5, 1)).shape
    torch.Size([5, 3])
    """

    def __init__(self, features, context=0, hidden=(64, 64, 64), frequencies=8):
        super().__init__()
        check_count("features", features)
        check_count("context", context, minimum=0)
        check_count("frequencies", frequencies, minimum=0)
        self.features, self.context = features, context
        self.register_buffer("angular", math.pi * torch.arange(1, frequencies + 1, dtype=torch.float32))
        self.mlp = MLP(features + context + 1 + 2 * frequencies, features, hidden)

    def forward(self, x, t, context=None):
        """Vector field ``(n, features)`` at points ``(n, features)`` and times ``(n,)``."""
        check_array("x", x, ("n", self.features), finite=False)
        check_array("t", t, (len(x),), finite=False)
        if (context is None) != (self.context == 0):
            raise ValueError(f"context: found {type(context).__name__}, expected {self.context} feature(s)")
        phase = t[:, None] * self.angular.to(t.dtype)
        inputs = [x, t[:, None], phase.cos(), phase.sin()]
        if context is not None:
            check_array("context", context, (len(x), self.context), finite=False)
            inputs.append(context)
        return self.mlp(torch.cat(inputs, dim=1))
