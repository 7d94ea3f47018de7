"""Last layers that turn features into the parameters of a probability density."""

import torch
from torch import nn

from hepml_labs.validation import check_array, check_count

__all__ = ["GaussianHead", "GaussianMixtureHead"]


class GaussianHead(nn.Module):
    """Linear layer to the mean and the logarithm of the standard deviation of a Gaussian.

    The logarithm makes sigma positive for any output of the network.

    Parameters
    ----------
    inputs : int
        Number of features.

    Raises
    ------
    ValueError
        If `inputs` is no positive whole number or the features have another shape.

    Notes
    -----
    Shapes: features ``(..., inputs)`` to a pair mean, log_sigma of shape ``(...)`` each.

    Examples
    --------
    >>> mean, log_sigma = GaussianHead(16)(torch.zeros(5, 16))
    >>> mean.shape, log_sigma.shape
    (torch.Size([5]), torch.Size([5]))
    """

    def __init__(self, inputs):
        super().__init__()
        check_count("inputs", inputs)
        self.linear = nn.Linear(inputs, 2)

    def forward(self, features):
        """Return mean and log_sigma, each of shape ``(...)``."""
        check_array("features", features, (..., self.linear.in_features), finite=False)
        mean, log_sigma = self.linear(features).unbind(-1)
        return mean, log_sigma


class GaussianMixtureHead(nn.Module):
    """Linear layer to the parameters of a mixture of Gaussians (Bishop 1994, Mixture Density Networks).

    The means start spread over [-1, 1]: for a standardised target no component starts as a copy of another.

    Parameters
    ----------
    inputs : int
        Number of features.
    components : int
        Number of Gaussians.

    Raises
    ------
    ValueError
        If a size is no positive whole number or the features have another shape.

    Notes
    -----
    Shapes: features ``(..., inputs)`` to log_weights, means, log_sigmas of shape ``(..., components)`` each;
    the weights add up to one.

    Examples
    --------
    >>> log_weights, means, log_sigmas = GaussianMixtureHead(16, 2)(torch.zeros(5, 16))
    >>> torch.allclose(log_weights.exp().sum(-1), torch.ones(5))
    True
    """

    def __init__(self, inputs, components):
        super().__init__()
        check_count("inputs", inputs)
        check_count("components", components)
        self.linear = nn.Linear(inputs, 3 * components)
        if components > 1:
            with torch.no_grad():
                self.linear.bias[components : 2 * components] = torch.linspace(-1, 1, components)

    def forward(self, features):
        """Return log_weights, means and log_sigmas, each of shape ``(..., components)``."""
        check_array("features", features, (..., self.linear.in_features), finite=False)
        logits, means, log_sigmas = self.linear(features).chunk(3, dim=-1)
        return logits.log_softmax(-1), means, log_sigmas
