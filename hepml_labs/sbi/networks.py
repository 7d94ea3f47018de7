"""The network of a likelihood ratio, a function of observables and parameters with its gradient in the parameters."""

from itertools import pairwise

import torch
from torch import nn
from torch.autograd.function import once_differentiable

from hepml_labs.validation import check_count

__all__ = ["RatioNetwork"]


def _tanh(x):
    value = torch.tanh(x)
    slope = 1 - value * value
    return value, slope, -2 * value * slope


def _silu(x):
    gate = torch.sigmoid(x)
    value, rest = x * gate, 1 - gate
    return value, gate + value * rest, rest * (2 * gate + value * (rest - gate))


#: Activations, each with its first and second derivative.
ACTIVATIONS = {"silu": _silu, "tanh": _tanh}


class _ValueAndScore(torch.autograd.Function):
    """Value and score of `RatioNetwork`, and the gradient of any loss of both in all weights, written out.

    In the letters of the class: a_l, s_l, c_l are the activation and its derivatives at h_l; g_l = u_l s_l with
    u_L = W_L and u_l = g_(l+1) W_l runs back from the output, and the score is g_1 V. The backward pass undoes first
    this chain, upwards, then that of the values, downwards.
    """

    @staticmethod
    def forward(ctx, x, theta, activation, of_x, bias, of_theta, *layers):
        weights, biases = layers[::2], layers[1::2]
        value, passed = torch.addmm(torch.addmm(bias, x, of_x.mT), theta, of_theta.mT), []
        for weight, offset in zip(weights, biases, strict=True):
            passed.append(activation(value))
            value = torch.addmm(offset, passed[-1][0], weight.mT)
        before, after = [weights[-1]], [weights[-1] * passed[-1][1]]  # u_l and g_l, from the last layer down
        for weight, (_, slope, _) in zip(weights[-2::-1], passed[-2::-1], strict=True):
            before.append(after[-1] @ weight)
            after.append(before[-1] * slope)
        ctx.save_for_backward(x, theta, of_theta, *weights, *before, *after, *(part for act in passed for part in act))
        return value.squeeze(-1), after[-1] @ of_theta

    @staticmethod
    @once_differentiable
    def backward(ctx, d_value, d_score):
        x, theta, of_theta, *saved = ctx.saved_tensors
        size = len(saved) // 6
        weights, before, after, flat = (
            saved[:size],
            saved[size : 2 * size],
            saved[2 * size : 3 * size],
            saved[3 * size :],
        )
        passed, before, after = [flat[i : i + 3] for i in range(0, 3 * size, 3)], before[::-1], after[::-1]
        d_theta, d_after = after[0].mT @ d_score, d_score @ of_theta.mT
        d_slope, d_weights, d_biases = [], [], [None] * size
        for i, weight in enumerate(weights):
            d_slope.append(d_after * before[i])
            d_before = d_after * passed[i][1]
            if i < size - 1:
                d_weights.append(after[i + 1].mT @ d_before)
                d_after = d_before @ weight.mT
        d_weights.append(d_before.sum(0, keepdim=True))
        d_hidden = d_value[:, None]
        for i in reversed(range(size)):
            value, slope, curvature = passed[i]
            d_weights[i].addmm_(d_hidden.mT, value)
            d_biases[i] = d_hidden.sum(0)
            d_hidden = torch.addcmul((d_hidden @ weights[i]) * slope, d_slope[i], curvature)
        d_theta.addmm_(d_hidden.mT, theta)
        layers = [part for pair in zip(d_weights, d_biases, strict=True) for part in pair]
        return None, None, None, d_hidden.mT @ x, d_hidden.sum(0), d_theta, *layers


class RatioNetwork(nn.Module):
    """Multi-layer perceptron for log r(x|theta) with its score, the gradient in theta, written out.

    For h_1 = U x + V theta + b and h_(l+1) = W_l a(h_l) + b_l the chain rule from the end gives the score as the
    product W_L diag(a'(h_L)) W_(L-1) ... diag(a'(h_1)) V, at a cost that hardly depends on the number of parameters.

    Parameters
    ----------
    observables, parameters : int
        Number of inputs of each kind.
    hidden : tuple of int
        Widths of the hidden layers, at least one.
    activation : {"silu", "tanh"}
        Smooth, since the loss of the score sees its derivative.

    Raises
    ------
    ValueError
        If a size is no positive whole number, there is no hidden layer, or the activation is unknown.

    Examples
    --------
    >>> _ = torch.manual_seed(0)
    >>> network, x, theta = RatioNetwork(3, 2), torch.randn(5, 3), torch.randn(5, 2, requires_grad=True)
    >>> log_ratio, score = network.with_score(x, theta)
    >>> torch.allclose(score, torch.autograd.grad(network(x, theta).sum(), theta)[0], atol=1e-6)
    True
    """

    def __init__(self, observables, parameters, hidden=(64, 64), activation="silu"):
        super().__init__()
        for name, size in (("observables", observables), ("parameters", parameters), ("hidden layers", len(hidden))):
            check_count(name, size)
        for width in hidden:
            check_count("hidden", width)
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation: found {activation!r}, expected one of {list(ACTIVATIONS)}")
        self.activation = ACTIVATIONS[activation]
        joint = nn.Linear(observables + parameters, hidden[0])
        self.of_theta = nn.Parameter(joint.weight[:, observables:].detach().clone())
        self.of_x = nn.Linear(observables, hidden[0])
        self.of_x.weight.data = joint.weight[:, :observables].detach().clone()
        sizes = [*hidden, 1]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))

    def forward(self, x, theta):
        """Map x (..., observables) and theta (..., parameters) to log r (...); leading dimensions broadcast."""
        value = self.of_x(x) + theta @ self.of_theta.mT
        for layer in self.layers:
            value = layer(self.activation(value)[0])
        return value.squeeze(-1)

    def with_score(self, x, theta):
        """Map x (n, observables) and theta (n, parameters) to log r (n,) and its gradient in theta (n, parameters).

        Both can be trained on, but gradients flow to the weights only, not to x and theta.
        """
        layers = [part for layer in self.layers for part in (layer.weight, layer.bias)]
        first = self.of_x.weight, self.of_x.bias, self.of_theta
        return _ValueAndScore.apply(x, theta, self.activation, *first, *layers)
