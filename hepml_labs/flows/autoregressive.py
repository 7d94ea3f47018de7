"""Masked autoregressive flows: each feature is transformed given all the features before it."""

import torch
from torch import nn

from hepml_labs.flows.elementwise import RationalQuadraticSpline
from hepml_labs.flows.flow import Flow
from hepml_labs.flows.transforms import Chain, Permutation, Transform
from hepml_labs.validation import check_array, check_count

__all__ = ["MaskedAutoregressive", "MaskedMLP", "autoregressive_flow"]


class MaskedLinear(nn.Linear):
    """A linear layer whose weights are multiplied by a mask, so that some outputs do not see some inputs."""

    def __init__(self, mask):
        super().__init__(mask.shape[1], mask.shape[0])
        self.register_buffer("mask", mask.to(self.weight.dtype))

    def forward(self, x):
        return nn.functional.linear(x, self.weight * self.mask, self.bias)


class MaskedMLP(nn.Module):
    """Multi-layer perceptron whose outputs for feature i see the features before i and the context, no others.

    Parameters
    ----------
    features : int
        Number of features d.
    outputs : int
        Number of outputs for each feature.
    context : int
        Number of context features, which all outputs see; 0 for none.
    hidden : tuple of int
        Widths of the hidden layers, each at least d - 1 (d with a context).
    activation : class
        Module class of the activation.

    Raises
    ------
    ValueError
        If a size is no positive whole number, a hidden layer is too narrow, or inputs do not have these shapes.

    Notes
    -----
    MADE, Germain et al., arXiv:1502.03509, section 4. Each unit has a degree: feature i has i = 1...d, the
    context 0, a hidden unit any number below d. A hidden unit sees what has its own degree or a lower one, an output of
    feature i what has a lower degree than i, so that a path from feature j to an output of feature i exists only if
    j < i. Hidden units of degree 0 carry the context to the first feature. They are easily forgotten: without them
    the distribution of the first feature cannot depend on the context.

    Shapes: x ``(n, features)``, context ``(n, context)``; result ``(n, features, outputs)``.

    Examples
    --------
    >>> network = MaskedMLP(features=3, outputs=1, hidden=(16,))
    >>> x = torch.randn(3)
    >>> jacobian = torch.autograd.functional.jacobian(lambda x: network(x[None])[0, :, 0], x)
    >>> (jacobian != 0).int()
    tensor([[0, 0, 0],
            [1, 0, 0],
            [1, 1, 0]], dtype=torch.int32)
    """

    def __init__(self, features, outputs, context=0, hidden=(64, 64), activation=nn.SiLU):
        super().__init__()
        check_count("features", features)
        check_count("outputs", outputs)
        check_count("context", context, minimum=0)
        lowest = 0 if context or features == 1 else 1
        for width in hidden:
            check_count("hidden", width, minimum=max(features - lowest, 1))
        self.features, self.outputs, self.context = features, outputs, context

        layers = []
        degrees = torch.cat([torch.arange(1, features + 1), torch.zeros(context, dtype=torch.long)])
        for width in hidden:
            unit_degrees = torch.arange(width) % (features - lowest) + lowest
            layers += [MaskedLinear(unit_degrees[:, None] >= degrees), activation()]
            degrees = unit_degrees
        output_degrees = torch.arange(1, features + 1).repeat_interleave(outputs)
        self.layers = nn.Sequential(*layers, MaskedLinear(output_degrees[:, None] > degrees))

    def forward(self, x, context=None):
        """Map features (and context) to ``(n, features, outputs)``."""
        check_array("x", x, ("n", self.features), finite=False)
        if (context is None) != (self.context == 0):
            raise ValueError(f"context: found {type(context).__name__}, expected {self.context} features")
        if context is not None:
            check_array("context", context, (len(x), self.context), finite=False)
            x = torch.cat([x, context], dim=1)
        return self.layers(x).unflatten(1, (self.features, self.outputs))


class MaskedAutoregressive(Transform):
    """z_i = f(x_i; parameters that depend on x_1 ... x_(i-1) and the context), for all features i.

    Parameters
    ----------
    features : int
        Number of features d.
    elementwise : Affine or RationalQuadraticSpline
        The monotone function f of one variable.
    context : int
        Number of context features; 0 for none.
    hidden : tuple of int
        Hidden widths of the masked network.

    Raises
    ------
    ValueError
        As `MaskedMLP`.

    Notes
    -----
    Masked autoregressive flow, Papamakarios, Pavlakou and Murray, arXiv:1705.07057, section 3. All parameters come from
    one pass of the network, as all x are known, and the Jacobian is triangular: its determinant is the product of
    the derivatives of f. The inverse needs x_1 before x_2, and so on: d passes. The last layer starts at zero, and the
    transform at the identity.

    Shapes: x and z ``(n, features)``, context ``(n, context)``, log-determinant ``(n,)``.

    Examples
    --------
    >>> transform = MaskedAutoregressive(3, RationalQuadraticSpline(), hidden=(16, 16))
    >>> x = torch.randn(5, 3)
    >>> z, log_det = transform(x)
    >>> torch.allclose(z, x, atol=1e-5), z.shape, log_det.shape
    (True, torch.Size([5, 3]), torch.Size([5]))
    """

    def __init__(self, features, elementwise, context=0, hidden=(64, 64)):
        super().__init__()
        self.elementwise = elementwise
        self.network = MaskedMLP(features, elementwise.parameters, context, hidden)
        nn.init.zeros_(self.network.layers[-1].weight)
        nn.init.zeros_(self.network.layers[-1].bias)

    def forward(self, x, context=None):
        """Data to base, in one pass of the network: z and log|det dz/dx|."""
        z, log_derivative = self.elementwise(x, self.network(x, context))
        return z, log_derivative.sum(1)

    def inverse(self, z, context=None):
        """Base to data, in as many passes as there are features: x and log|det dx/dz|."""
        check_array("z", z, ("n", self.network.features), finite=False)
        x, log_det = torch.zeros_like(z), 0
        for i in range(z.shape[1]):
            parameters = self.network(x, context)[:, i : i + 1]
            x_i, log_derivative = self.elementwise.inverse(z[:, i : i + 1], parameters)
            # a new tensor, as the gradient needs the old one
            x = torch.cat([x[:, :i], x_i, x[:, i + 1 :]], dim=1)
            log_det = log_det + log_derivative[:, 0]
        return x, log_det


def autoregressive_flow(features, context=0, layers=6, elementwise=None, hidden=(64, 64), base="normal", seed=0):
    """Stack masked autoregressive transforms, with the order of the features reversed from each to the next.

    Parameters
    ----------
    features : int
        Number of features.
    context : int
        Number of context features; 0 for none.
    layers : int
        Number of autoregressive transforms.
    elementwise : Affine or RationalQuadraticSpline, optional
        Function of each feature; by default ``RationalQuadraticSpline()``.
    hidden : tuple of int
        Hidden widths of each masked network.
    base : {"normal", "uniform"}
        Distribution of z.
    seed : int
        Fixes the first weights.

    Returns
    -------
    Flow
        Fast to evaluate and to train by likelihood, slow to sample where there are many features.

    Raises
    ------
    ValueError
        If a size is no positive whole number, or the base is unknown.

    Examples
    --------
    >>> flow = autoregressive_flow(features=2, layers=3)
    >>> flow.log_prob(torch.zeros(4, 2)).shape
    torch.Size([4])
    """
    check_count("features", features)
    check_count("layers", layers)
    elementwise = RationalQuadraticSpline() if elementwise is None else elementwise
    transforms = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for layer in range(layers):
            if layer > 0 and features > 1:
                transforms.append(Permutation.reverse(features))
            transforms.append(MaskedAutoregressive(features, elementwise, context, hidden))
    return Flow(Chain(transforms), features, base)
