"""The likelihood itself, by a conditional density that learns from the joint score."""

import math

import numpy as np
import torch
from torch import nn

from hepml_labs.nn import MLP
from hepml_labs.sbi.base import Conditional
from hepml_labs.sbi.losses import scandal
from hepml_labs.validation import check_array, check_between, check_count

__all__ = ["ConditionalDensity", "DensityEstimator"]


class ConditionalDensity(nn.Module):
    """Density p(x|theta) as a product of one-dimensional mixtures of Gaussians, each given what came before.

    p(x|theta) = prod_i p(x_i | x_1 ... x_(i-1), theta), where one network for each i turns its conditions into the
    weights, means and widths of a mixture (Bishop's mixture density network; the chain is that of Uria et al.,
    arXiv:1306.0186). It is normalised by construction, and exact for any order of the observables.

    Parameters
    ----------
    observables, parameters : int
        Number of inputs of each kind.
    components : int
        Gaussians for each observable.
    hidden : tuple of int
        Widths of the hidden layers of each network.

    Raises
    ------
    ValueError
        If a size is no positive whole number, or shapes do not fit.

    Examples
    --------
    >>> _ = torch.manual_seed(0)
    >>> density, x = ConditionalDensity(1, 1), torch.linspace(-30, 30, 6001)[:, None]
    >>> round((density(x, torch.ones(6001, 1)).exp().sum() * 0.01).item(), 3)
    1.0
    """

    def __init__(self, observables, parameters, components=8, hidden=(48, 48)):
        super().__init__()
        check_count("observables", observables)
        check_count("parameters", parameters)
        check_count("components", components)
        self.conditionals = nn.ModuleList(
            MLP(parameters + i, 3 * components, hidden, nn.Tanh) for i in range(observables)
        )
        # means start spread over the standardised data, so that the components differ
        for network in self.conditionals:
            network[-1].bias.data[components : 2 * components] = torch.linspace(-2, 2, components)

    def forward(self, x, theta):
        """Map x (n, observables) and theta (n, parameters) to log p(x|theta) (n,)."""
        check_array("x", x, ("n", len(self.conditionals)), finite=False)
        total = 0.0
        for i, network in enumerate(self.conditionals):
            weight, mean, width = network(torch.cat([theta, x[:, :i]], dim=1)).chunk(3, dim=1)
            # a floor on the widths, here 0.7 %, keeps single events from infinite density
            width = width.clamp(min=-5)
            gaussian = -0.5 * ((x[:, i : i + 1] - mean) * torch.exp(-width)).square() - width
            total = total + torch.logsumexp(gaussian + weight.log_softmax(dim=1), dim=1) - 0.5 * math.log(2 * math.pi)
        return total

    def with_score(self, x, theta):
        """Log p(x|theta) (n,) and its gradient in theta (n, parameters), which can be trained on."""
        with torch.enable_grad():
            theta = theta.detach().requires_grad_()
            log_density = self(x, theta)
            (score,) = torch.autograd.grad(log_density.sum(), theta, create_graph=True)
        return log_density, score


class DensityEstimator(Conditional):
    """SCANDAL: the likelihood p(x|theta) itself, by a conditional density whose score learns from the joint score.

    Parameters
    ----------
    components : int
        Gaussians in the mixture of each observable, see `ConditionalDensity`.
    hidden, epochs, batch_size, learning_rate, alpha, validation_fraction, seed, progress
        As for `RatioEstimator`; with `alpha` zero it is plain maximum likelihood.

    Attributes
    ----------
    history_ : hepml_labs.training.History
        Of the training.
    network_ : ConditionalDensity
        Of standardised inputs.

    Examples
    --------
    >>> from hepml_labs.sbi.toy import ToySimulator
    >>> sample = ToySimulator().training_sample(4000, seed=1)
    >>> density = DensityEstimator(components=2, hidden=(20,), epochs=20).fit(sample)
    >>> x, theta = np.array([[0.0], [2.0]]), np.array([[1.0]])
    >>> bool(np.abs(density.log_ratio(x, theta, np.array([0.0])) - [[-0.1, 0.3]]).max() < 0.2)
    True
    """

    def __init__(
        self,
        components=8,
        hidden=(48, 48),
        epochs=20,
        batch_size=256,
        learning_rate=3e-3,
        alpha=1.0,
        validation_fraction=0.1,
        seed=0,
        progress=False,
    ):
        self.components = components
        self.hidden = hidden
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.alpha = alpha
        self.validation_fraction = validation_fraction
        self.seed = seed
        self.progress = progress

    def fit(self, sample):
        """Train on the events of the numerator, label 1, of a :class:`hepml_labs.sbi.gold.TrainingSample`.

        Raises
        ------
        ValueError
            If shapes do not fit, an entry is not finite, there is no event of label 1, or an option is out of range.
        """
        check_between("alpha", self.alpha, 0, np.inf, include_low=True)
        x, theta, label, _, joint_score = self._scale_sample(sample)
        if not label.any():
            raise ValueError("label: found no event of label 1, expected events drawn from p(x|theta)")
        sizes = x.shape[1], theta.shape[1]
        network = self._build(lambda: ConditionalDensity(*sizes, self.components, self.hidden))

        def loss(network, x, theta, joint_score):
            if self.alpha == 0:
                return -network(x, theta).mean()
            return scandal(*network.with_score(x, theta), joint_score, self.alpha)

        numerator = label == 1
        return self._train(network, loss, (x[numerator], theta[numerator], joint_score[numerator]), "SCANDAL")

    def log_prob(self, x, theta):
        """Log p(x|theta) at all pairs of x (n, d) and theta (m, p), shape (m, n).

        Raises
        ------
        ValueError
            If shapes do not fit.
        """
        return self._on_grid(x, theta) + x.dtype.type(self.scale_x_.log_abs_det())

    def log_ratio(self, x, theta, reference):
        """Log of p(x|theta)/p(x|reference) for x (n, d), theta (m, p) and reference (p,), shape (m, n).

        Raises
        ------
        ValueError
            If shapes do not fit.
        """
        return self._on_grid(x, theta) - self._on_grid(x, np.asarray(reference)[None])
