"""Bayesian flows: a distribution over densities, and what it says about a density and about generated events."""

import copy
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from hepml_labs.nn import BayesianLinear, gaussian_kl
from hepml_labs.validation import check_array, check_count, to_numpy

__all__ = ["BayesianFlow", "HistogramBand", "density_band", "ensemble_elbo", "flow_elbo", "histogram_band"]


class BayesianFlow(nn.Module):
    """A flow whose networks have a Gaussian posterior over all weights (mean field).

    Each linear layer of the flow becomes a :class:`hepml_labs.nn.BayesianLinear` with the same means. In training
    mode a call draws new outputs of the layers for each event, in evaluation mode one call is one flow out of the
    posterior: one density, normalised, with one set of weights for all events.

    Parameters
    ----------
    flow : Flow
        For example of :func:`hepml_labs.flows.coupling.coupling_flow`; it is copied.
    prior_sigma : float
        Width of the Gaussian prior of every weight and bias.
    initial_sigma : float
        Width of the posterior before training.

    Raises
    ------
    ValueError
        If `flow` has no linear layer, or a width is not positive.

    Notes
    -----
    Bellagente et al., arXiv:2104.04543.

    Examples
    --------
    >>> from hepml_labs.flows.coupling import coupling_flow
    >>> model = BayesianFlow(coupling_flow(2, layers=2))
    >>> mean, sigma = density_band(model.posterior_log_prob(torch.zeros(5, 2), draws=10))
    >>> mean.shape, bool((sigma > 0).all())
    (torch.Size([5]), True)
    """

    def __init__(self, flow, prior_sigma=1.0, initial_sigma=0.01):
        super().__init__()
        self.flow = copy.deepcopy(flow)
        linear = [name for name, module in self.flow.named_modules() if type(module) is nn.Linear]
        if not linear:
            raise ValueError("flow: found no torch.nn.Linear in it, expected networks that can become Bayesian")
        for name in linear:
            parent, _, child = name.rpartition(".")
            layer = BayesianLinear.from_linear(self.flow.get_submodule(name), prior_sigma, initial_sigma)
            setattr(self.flow.get_submodule(parent), child, layer)

    def forward(self, x, context=None):
        """Return log p(x | context) in units of the data, ``(n,)``, for x ``(n, d)`` and one draw of the weights."""
        return self.flow(x, context)

    def kl(self):
        """Return KL(posterior || prior) of all layers, a scalar tensor in nats."""
        return sum(layer.kl() for layer in self.flow.modules() if isinstance(layer, BayesianLinear))

    def _draw(self, function, draws, seed):
        """Call a function `draws` times, each time with new weights; random numbers and mode are put back."""
        check_count("draws", draws)
        was_training = self.training
        self.eval()
        devices = [self.flow.zero.device] if self.flow.zero.is_cuda else []
        with torch.no_grad(), torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            results = torch.stack([function() for _ in range(draws)])
        self.train(was_training)
        return results

    def posterior_log_prob(self, x, context=None, draws=30, seed=0):
        """Log-densities of events under flows out of the posterior.

        Parameters
        ----------
        x : tensor of shape (n, d)
            Events, in units of the data.
        context : tensor of shape (n, c), optional
            Conditions.
        draws : int
            Flows drawn from the posterior.
        seed : int
            Fixes the draws: the same seed and number give the same flows for other events.

        Returns
        -------
        tensor of shape (draws, n)
            One row is the logarithm of one normalised density.

        Raises
        ------
        ValueError
            If `x` has the wrong shape or is not finite, or `draws` is below one.
        """
        check_array("x", x, ("n", self.flow.features))
        return self._draw(lambda: self.flow(x, context), draws, seed)

    def posterior_sample(self, n, context=None, draws=30, seed=0):
        """Samples of events, one sample from each flow out of the posterior.

        Parameters
        ----------
        n : int
            Events in each sample.
        context : tensor of shape (n, c), optional
            Conditions, one for each event.
        draws, seed : int
            As in `posterior_log_prob`.

        Returns
        -------
        tensor of shape (draws, n, d)
            In units of the data. Events of one row share their weights, so their errors are correlated.
        """
        return self._draw(lambda: self.flow.sample(n, context), draws, seed)


def flow_elbo(model, x, context=None, *, train_size):
    """Negative evidence lower bound per event: -log p(x) under drawn weights, plus KL / train_size.

    Parameters
    ----------
    model : BayesianFlow
        Any module that returns log p ``(n,)`` and has a method ``kl()``.
    x : tensor of shape (n, d)
        Batch of events.
    context : tensor of shape (n, c), optional
        Conditions.
    train_size : int
        Events in the whole training set, not in the batch: the prior counts once for all of them.

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
    Bellagente et al., arXiv:2104.04543; Blundell et al., arXiv:1505.05424, equation 1.

    Examples
    --------
    >>> from hepml_labs.flows.coupling import coupling_flow
    >>> flow_elbo(BayesianFlow(coupling_flow(2, layers=2)), torch.zeros(8, 2), train_size=1000).ndim
    0
    """
    check_count("train_size", train_size)
    return -model(x, context).mean() + model.kl() / train_size


def ensemble_elbo(ensemble, x, train_size, prior_sigma=1.0):
    """Sum of the losses `flow_elbo` of many Bayesian flows, each with data of its own, in one call.

    Parameters
    ----------
    ensemble : hepml_labs.nn.Ensemble
        Of flows of the class `BayesianFlow`.
    x : tensor of shape (n, members, d)
        Batch of events: a column for each member.
    train_size : int
        Events in the training set of each member.
    prior_sigma : float
        Width of the prior of all weights.

    Returns
    -------
    tensor
        Scalar. The sum gives each member the gradient that it would have alone.

    Raises
    ------
    ValueError
        If `train_size` is not positive, or `x` has no column for each member.
    """
    check_count("train_size", train_size)
    check_array("x", x, ("n", ensemble.members, "d"), finite=False)
    parameters = dict(ensemble.named_parameters())
    kl = sum(
        gaussian_kl(mean, parameters[name.removesuffix("mean") + "log_sigma"], prior_sigma)
        for name, mean in parameters.items()
        if name.endswith("_mean")
    )
    return -ensemble(x.transpose(0, 1), own_inputs=True).mean(1).sum() + kl / train_size


def density_band(log_probs):
    """Mean and standard deviation of a density over flows, from their log-densities.

    Parameters
    ----------
    log_probs : tensor of shape (flows, n)
        Of a posterior or an ensemble, at least two flows.

    Returns
    -------
    mean, sigma : tensor of shape (n,)
        Of p itself, not of log p: the mean of normalised densities is normalised. With 1 / (flows - 1).

    Raises
    ------
    ValueError
        If there are fewer than two flows or a value is NaN.

    Examples
    --------
    >>> mean, sigma = density_band(torch.log(torch.tensor([[1.0], [3.0]])))
    >>> round(mean.item(), 4), round(sigma.item(), 4)
    (2.0, 1.4142)
    """
    check_array("log_probs", log_probs, ("flows", "n"), finite=False)
    check_count("log_probs: number of flows", len(log_probs), minimum=2)
    density = log_probs.exp()
    check_array("log_probs", density)
    return density.mean(0), density.std(0)


class HistogramBand(NamedTuple):
    """Fractions of generated events in the bins of a histogram, with what the posterior leaves open.

    Attributes
    ----------
    mean, sigma : array of shape (bins,)
        Fractions of events and their standard deviations.
    covariance : array of shape (bins, bins)
        Of the fractions: the bins of a generated histogram move together.
    """

    mean: np.ndarray
    sigma: np.ndarray
    covariance: np.ndarray


def histogram_band(values, edges):
    """Histogram of generated events with its posterior covariance; the counting noise of the samples is taken out.

    Parameters
    ----------
    values : array of shape (draws, n)
        One observable of n > 1 events from each of two or more flows out of the posterior.
    edges : array of shape (bins + 1,)
        Increasing bin edges, in the units of the values.

    Returns
    -------
    HistogramBand
        The covariance between draws minus the average multinomial covariance (diag(f) - f f^T) / (n - 1) within a
        draw: an unbiased estimate. Where the rest is negative the posterior spread is below the counting noise and
        sigma is zero.

    Raises
    ------
    ValueError
        If there are fewer than two draws, or the edges do not increase.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> shifted = rng.normal(size=(400, 1)) * 0.2 + rng.normal(size=(400, 1000))
    >>> band = histogram_band(shifted, np.array([-9.0, 0.0, 9.0]))
    >>> band.sigma.round(2), bool(np.isclose(band.covariance[0, 1], -band.covariance[0, 0]))
    (array([0.07, 0.07]), True)
    """
    values = to_numpy("values", values, ("draws", "n"))
    edges = to_numpy("edges", edges, ndim=1)
    check_count("values: number of draws", len(values), minimum=2)
    n = values.shape[1]
    check_count("values: events per draw", n, minimum=2)
    if len(edges) < 2 or (np.diff(edges) <= 0).any():
        raise ValueError(f"edges: found {edges}, expected two or more increasing numbers")
    fractions = np.stack([np.histogram(row, edges)[0] for row in values]) / n
    mean = fractions.mean(0)
    counting = (np.diag(mean) - fractions.T @ fractions / len(fractions)) / (n - 1)
    covariance = np.atleast_2d(np.cov(fractions.T)) - counting
    return HistogramBand(mean, np.sqrt(np.clip(np.diag(covariance), 0, None)), covariance)
