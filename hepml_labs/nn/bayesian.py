"""Linear layers with a Gaussian posterior over their weights: what Bayesian networks and flows are made of."""

import math

import torch
from torch import nn
from torch.nn import functional

from hepml_labs.validation import check_alike, check_between, check_count

__all__ = ["BayesianLinear", "gaussian_kl"]


def gaussian_kl(mean, log_sigma, prior_sigma=1.0):
    """Kullback-Leibler divergence KL(q || p) of independent Gaussians q from a Gaussian prior p around zero.

    Parameters
    ----------
    mean, log_sigma : tensor
        Means and logarithms of the standard deviations of q, of one shape.
    prior_sigma : float
        Standard deviation of the prior, one for all entries.

    Returns
    -------
    tensor
        Scalar in nats: the sum over all entries of
        log(prior_sigma / sigma) + (sigma^2 + mean^2) / (2 prior_sigma^2) - 1/2.

    Raises
    ------
    ValueError
        If `prior_sigma` is not positive or the shapes differ.

    Notes
    -----
    Kingma and Welling, arXiv:1312.6114, appendix B, where the prior has unit width.

    Examples
    --------
    >>> gaussian_kl(torch.zeros(5), torch.zeros(5)).item()
    0.0
    >>> gaussian_kl(torch.ones(2), torch.zeros(2)).item()
    1.0
    """
    check_between("prior_sigma", prior_sigma, 0, math.inf)
    check_alike(finite=False, mean=mean, log_sigma=log_sigma)
    log_ratio = log_sigma - math.log(prior_sigma)
    return (0.5 * (torch.exp(2 * log_ratio) + (mean / prior_sigma) ** 2 - 1) - log_ratio).sum()


class BayesianLinear(nn.Module):
    """A linear layer whose weights and biases follow independent Gaussians (mean-field posterior).

    In training mode the layer draws its outputs and not its weights: for Gaussian weights the outputs are Gaussian,
    and drawing them separately for each sample has the same mean gradient with less variance (local
    reparametrisation; Kingma, Salimans and Welling, arXiv:1506.02557, equation 6). In evaluation mode one call
    draws one set of weights for all samples: one call is one network out of the posterior.

    Parameters
    ----------
    inputs, outputs : int
        Numbers of features.
    prior_sigma : float
        Width of the Gaussian prior of every weight and bias.
    initial_sigma : float
        Width of the posterior before training.

    Raises
    ------
    ValueError
        If a size or a width is not positive.

    Examples
    --------
    >>> layer = BayesianLinear(3, 2)
    >>> layer(torch.zeros(10, 3)).shape
    torch.Size([10, 2])
    """

    def __init__(self, inputs, outputs, prior_sigma=1.0, initial_sigma=0.01):
        super().__init__()
        check_count("inputs", inputs)
        check_count("outputs", outputs)
        check_between("prior_sigma", prior_sigma, 0, math.inf)
        check_between("initial_sigma", initial_sigma, 0, math.inf)
        start = nn.Linear(inputs, outputs)
        self.prior_sigma = prior_sigma
        self.weight_mean = nn.Parameter(start.weight.detach().clone())
        self.bias_mean = nn.Parameter(start.bias.detach().clone())
        log_sigma = math.log(initial_sigma)
        self.weight_log_sigma = nn.Parameter(torch.full_like(self.weight_mean, log_sigma))
        self.bias_log_sigma = nn.Parameter(torch.full_like(self.bias_mean, log_sigma))

    @classmethod
    def from_linear(cls, linear, prior_sigma=1.0, initial_sigma=0.01):
        """Make a Bayesian layer whose means are the weights of a plain one (copied), in its type and on its device.

        Parameters
        ----------
        linear : torch.nn.Linear
            With a bias.
        prior_sigma, initial_sigma : float
            As in the constructor.

        Returns
        -------
        BayesianLinear

        Raises
        ------
        ValueError
            If `linear` is no linear layer with a bias, or a width is not positive.
        """
        if type(linear) is not nn.Linear or linear.bias is None:
            raise ValueError(f"linear: found {linear!r}, expected a torch.nn.Linear with a bias")
        layer = cls(linear.in_features, linear.out_features, prior_sigma, initial_sigma).to(linear.weight)
        with torch.no_grad():
            layer.weight_mean.copy_(linear.weight)
            layer.bias_mean.copy_(linear.bias)
        return layer

    def forward(self, x):
        """Map (..., inputs) to (..., outputs), with fresh random numbers in each call."""
        weight_sigma, bias_sigma = self.weight_log_sigma.exp(), self.bias_log_sigma.exp()
        if self.training:
            mean = functional.linear(x, self.weight_mean, self.bias_mean)
            variance = functional.linear(x**2, weight_sigma**2, bias_sigma**2)
            return mean + variance.sqrt() * torch.randn_like(mean)
        weight = self.weight_mean + weight_sigma * torch.randn_like(self.weight_mean)
        bias = self.bias_mean + bias_sigma * torch.randn_like(self.bias_mean)
        return functional.linear(x, weight, bias)

    def kl(self):
        """Return KL(posterior || prior) of this layer, a scalar tensor in nats."""
        return gaussian_kl(self.weight_mean, self.weight_log_sigma, self.prior_sigma) + gaussian_kl(
            self.bias_mean, self.bias_log_sigma, self.prior_sigma
        )
