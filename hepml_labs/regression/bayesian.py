"""Variational Bayesian networks: a distribution over networks instead of one network."""

import torch
from torch import nn

from hepml_labs.nn import BayesianLinear
from hepml_labs.regression.losses import gaussian_nll
from hepml_labs.regression.predictive import total_variance
from hepml_labs.validation import check_array, check_count

__all__ = ["BayesianMLP", "elbo_loss"]


class BayesianMLP(nn.Module):
    """A Bayesian network for regression: mean and log sigma of the target, with a posterior over all weights.

    Parameters
    ----------
    inputs : int
        Number of input features.
    hidden : tuple of int
        Widths of the hidden layers.
    activation : class
        Activation between the layers.
    prior_sigma : float
        Width of the Gaussian prior of the weights.
    initial_sigma : float
        Width of the posterior before training.

    Raises
    ------
    ValueError
        If a size or a width is not positive.

    Notes
    -----
    For amplitudes: arXiv:2206.14831 and arXiv:2412.12069.

    Examples
    --------
    >>> model = BayesianMLP(inputs=4, hidden=(16, 16))
    >>> mean, sigma_syst, sigma_stat = model.predict_distribution(torch.zeros(10, 4), samples=5)
    >>> mean.shape, bool((sigma_stat > 0).all())
    (torch.Size([10]), True)
    """

    def __init__(self, inputs, hidden=(64, 64, 64), activation=nn.SiLU, prior_sigma=1.0, initial_sigma=0.01):
        super().__init__()
        widths = (inputs, *hidden, 2)
        layers = []
        for i in range(len(widths) - 1):
            layers += [BayesianLinear(widths[i], widths[i + 1], prior_sigma, initial_sigma), activation()]
        self.inputs = inputs
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, x):
        """Map (n, inputs) to (n, 2): mean and log sigma of the target, for one draw of the weights."""
        return self.layers(x)

    def kl(self):
        """Return KL(posterior || prior) of the whole network, a scalar tensor in nats."""
        return sum(layer.kl() for layer in self.layers if isinstance(layer, BayesianLinear))

    @torch.no_grad()
    def predict_distribution(self, x, samples=30, seed=0):
        """Mean, systematic and statistical uncertainty of the prediction.

        Parameters
        ----------
        x : tensor of shape (n, inputs)
            Inputs.
        samples : int
            Networks drawn from the posterior, at least 2.
        seed : int
            Fixes the draws.

        Returns
        -------
        mean, sigma_syst, sigma_stat : tensor of shape (n,)
            See :func:`hepml_labs.regression.predictive.total_variance`.

        Raises
        ------
        ValueError
            If `x` has the wrong shape or is not finite, or `samples` is below 2.
        """
        check_array("x", x, ("n", self.inputs))
        check_count("samples", samples, minimum=2)
        was_training = self.training
        self.eval()
        devices = [x.device] if x.is_cuda else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            outputs = torch.stack([self(x) for _ in range(samples)])
        self.train(was_training)
        return total_variance(outputs[..., 0], outputs[..., 1].exp())


def elbo_loss(model, x, target, train_size):
    """Negative evidence lower bound per training point: Gaussian negative log-likelihood + KL / train_size.

    Parameters
    ----------
    model : BayesianMLP
        Any module with outputs (n, 2) and a method ``kl()``.
    x : tensor of shape (n, inputs)
        Batch of inputs.
    target : tensor of shape (n,)
        Targets.
    train_size : int
        Points in the whole training set. The likelihood of the set is train_size times the batch mean, the prior
        counts once: without this factor the posterior does not shrink as data are added.

    Returns
    -------
    tensor
        Scalar.

    Raises
    ------
    ValueError
        If `train_size` is not positive.

    Notes
    -----
    Blundell et al., arXiv:1505.05424, equation 1; Plehn et al., arXiv:2211.01421, section on Bayesian networks.

    Examples
    --------
    >>> loss = elbo_loss(BayesianMLP(inputs=2), torch.zeros(8, 2), torch.zeros(8), train_size=1000)
    >>> loss.ndim
    0
    """
    check_count("train_size", train_size)
    mean, log_sigma = model(x).unbind(dim=-1)
    return gaussian_nll(mean, log_sigma, target) + model.kl() / train_size
