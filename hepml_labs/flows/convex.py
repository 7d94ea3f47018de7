"""A network that is convex in some of its inputs, and the map that is its gradient."""

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from hepml_labs.validation import check_array, check_count

__all__ = ["ConvexNetwork", "transport"]


class ConvexNetwork(nn.Module):
    """Scalar function g(x, c): convex in x for every weight that a training can reach, free in the context c.

    A hidden layer is softplus(P(W) h + V [x * a(u)] + B u): increasing and convex in the layer h before it because P
    makes weights positive, linear in x with a gate a(u) that depends on the context features u alone. The output adds
    a parabola, x . A x exp(k(u)) / 2. At the start g is nearly x . A x / 2 and its gradient nearly A x.

    Parameters
    ----------
    features, context : int
        Numbers of variables x and conditions c.
    hidden : tuple of int
        Widths of the hidden layers.
    matrix : tensor, (features, features), optional
        A, symmetric and positive definite; the unit matrix by default.

    Raises
    ------
    ValueError
        If a number is no whole number of at least one (zero for `context`), or on a wrong shape.

    Notes
    -----
    Partially input-convex network, Amos et al., arXiv:1609.07152, equation 3, with one network for u.
    Shapes: x ``(n, features)``, c ``(n, context)`` to ``(n,)``.

    Examples
    --------
    >>> network = ConvexNetwork(2)
    >>> x = torch.randn(3, 2, generator=torch.Generator().manual_seed(1))
    >>> bool(network((x[:1] + x[1:2]) / 2) < (network(x[:1]) + network(x[1:2])) / 2)
    True
    """

    def __init__(self, features, context=0, hidden=(32, 32), matrix=None):
        super().__init__()
        check_count("features", features)
        check_count("context", context, minimum=0)
        self.features, self.context, width = features, context, hidden[0]
        self.register_buffer("matrix", torch.eye(features) if matrix is None else matrix)
        self.context_layer = nn.Linear(max(context, 1), width)
        self.gates = nn.ModuleList(nn.Linear(width, features) for _ in hidden)
        self.direct = nn.ModuleList(nn.Linear(features, size, bias=False) for size in hidden)
        self.bias = nn.ModuleList(nn.Linear(width, size) for size in hidden)
        # softplus of these is positive, and small enough that a sum over a layer does not explode
        sizes = [*pairwise(hidden), (hidden[-1], 1)]
        self.positive = nn.ParameterList(nn.Parameter(torch.full((out, into), -3.0)) for into, out in sizes)
        self.parabola = nn.Linear(width, 1)
        self.slope = nn.Linear(width, features)
        for layer in (*self.gates, self.parabola, self.slope):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x, context=None):
        """Map x ``(n, features)`` and context ``(n, context)`` to g, ``(n,)``."""
        check_array("x", x, ("n", self.features), finite=False)
        if self.context:
            check_array("context", context, (len(x), self.context), finite=False)
        else:
            context = x.new_ones(len(x), 1)
        u = torch.tanh(self.context_layer(context))
        h = 0.0
        for k, (gate, direct, bias) in enumerate(zip(self.gates, self.direct, self.bias, strict=True)):
            before = functional.linear(h, functional.softplus(self.positive[k - 1])) if k else 0.0
            h = functional.softplus(before + direct(x * (1 + gate(u))) + bias(u))
        convex = functional.linear(h, functional.softplus(self.positive[-1])).squeeze(1)
        parabola = 0.5 * (x @ self.matrix * x).sum(1) * self.parabola(u).squeeze(1).exp()
        return parabola + convex + (x * self.slope(u)).sum(1)


def transport(potential, x, context=None):
    """Gradient of a potential with respect to x: the map T(x | c).

    Parameters
    ----------
    potential : callable
        ``potential(x, context)`` of shape ``(n,)``, such as a `ConvexNetwork`.
    x : tensor, (n, d)
        Events.
    context : tensor, (n, c), optional
        Conditions.

    Returns
    -------
    tensor, (n, d)
        With a graph to the weights of the potential where gradients are on.

    Examples
    --------
    >>> transport(lambda x, context: (x**4).sum(1) / 4, torch.tensor([[1.0, 2.0]])).tolist()
    [[1.0, 8.0]]
    """
    training = torch.is_grad_enabled()
    with torch.enable_grad():
        x = x if x.requires_grad else x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(potential(x, context).sum(), x, create_graph=training)
    return gradient
