"""The generative adversarial network as an estimator of tables: a generator trained by a classifier."""

import itertools

import numpy as np
import torch

from hepml_labs.diffusion.adversarial import AdversarialPair, check_loss
from hepml_labs.diffusion.tabular import TabularGenerator
from hepml_labs.training import fit
from hepml_labs.validation import check_between, check_count, to_numpy

__all__ = ["GAN"]


class GAN(TabularGenerator):
    """Generator of tables by an adversarial network. It has no density, and no loss that says when to stop.

    The data go through `scaler`, then to mean zero and width one, both in double precision.

    Parameters
    ----------
    loss : {"non-saturating", "minimax", "wasserstein"}
        The game. "minimax" is the original one, for study.
    latent : int
        Dimension of the noise.
    hidden : tuple of int
        Hidden widths of generator and critic.
    penalty : float
        Factor on the gradient penalty of the critic: towards slope zero at the real events (R1), or, for
        "wasserstein", towards slope one between real and generated ones. 0: none.
    critic_steps : int
        Steps of the critic for each step of the generator.
    scaler : Transform, optional
        What is known about the variables (`hepml_labs.flows.scalers`). Fixed, not fitted here. None: none.
    epochs : int
        Passes over the training events; the learning rate goes to zero towards it.
    batch_size : int
        Events in a step.
    learning_rate : float
        Of Adam with momenta 0.5 and 0.9, at the start, for both networks.
    seed : int
        Fixes the weights at the start, the order of the batches, and the noise.
    progress : bool
        Show a progress bar and a line at the end.

    Attributes
    ----------
    network : AdversarialPair
        Of the *scaled* variables.
    scaler_, context_scaler_
        From the data to the scaled variables, and that of the context.
    critic_loss_, generator_loss_ : array
        Mean loss of each of their steps. The critic's holds its penalty.

    Notes
    -----
    Goodfellow et al., arXiv:1406.2661; Gulrajani et al., arXiv:1704.00028; the moments of Adam are theirs. Without
    a likelihood there is nothing to choose an epoch by, so that all events are trained on.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal([100.0, 0.0], [10.0, 0.1], size=(2000, 2))  # GeV, radians
    >>> GAN(hidden=(16,), epochs=5).fit(x).sample(3, seed=1).shape
    (3, 2)
    """

    def __init__(
        self,
        loss="non-saturating",
        latent=8,
        hidden=(64, 64, 64),
        penalty=0.1,
        critic_steps=1,
        scaler=None,
        epochs=50,
        batch_size=256,
        learning_rate=1e-3,
        seed=0,
        progress=False,
    ):
        self.loss = loss
        self.latent = latent
        self.hidden = hidden
        self.penalty = penalty
        self.critic_steps = critic_steps
        self.scaler = scaler
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.seed = seed
        self.progress = progress

    def fit(self, x, context=None, sample_weight=None):
        """Train generator and critic in turns.

        Parameters
        ----------
        x : array, (n, d)
            Data, in their units.
        context : array, (n, c), optional
            What the density is conditional on.
        sample_weight : array, (n,), optional
            Weights of the events, their sum above zero. Their unit does not matter.

        Returns
        -------
        GAN
            Itself.

        Raises
        ------
        ValueError
            If an array has not this shape, is not finite, or has values that the scaler refuses; if the weights do not
            sum to more than zero, or an option is out of range.
        """
        check_loss(self.loss)
        check_count("critic_steps", self.critic_steps)
        check_between("penalty", self.penalty, 0, float("inf"), include_low=True)
        check_count("seed", self.seed, minimum=0)
        x = to_numpy("x", x, ("n", "d"))
        columns = self._prepare_columns(x, context, sample_weight, slice(None))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self.network = AdversarialPair(self.n_features_in_, self.latent, self.n_context_, self.hidden)
        losses = {"critic": [], "generator": []}
        steps = itertools.count()

        def turn(network, *batch):
            given = dict(zip(columns, batch, strict=True))
            x, context = given["x1"], given.get("context")
            # a network that is not asked gets no gradient, and an optimiser leaves what has no gradient alone
            if next(steps) % (self.critic_steps + 1) < self.critic_steps:
                who, values = "critic", network.critic_turn(x, context, self.loss, self.penalty)
            else:
                who, values = "generator", network.generator_turn(x, context, self.loss)
            value = (given.get("weight", 1.0) * values).mean()
            losses[who].append(value.detach())
            return value

        fit(
            self.network,
            turn,
            tuple(columns.values()),
            epochs=self.epochs,
            batch_size=self.batch_size,
            optimizer=lambda weights: torch.optim.Adam(weights, self.learning_rate, betas=(0.5, 0.9), fused=True),
            seed=self.seed,
            progress=self.progress,
            label="GAN",
        )
        self.critic_loss_ = np.array([value.item() for value in losses["critic"]])
        self.generator_loss_ = np.array([value.item() for value in losses["generator"]])
        return self

    def sample(self, n=None, context=None, seed=0):
        """Draw noise, and turn it into events.

        Parameters
        ----------
        n : int, optional
            Number of draws, where there is no context.
        context : array, (n, c), optional
            One draw is made for each row.
        seed : int
            Of the draws.

        Returns
        -------
        array, (n, d)
            In the units and the floating-point type of the training data.

        Raises
        ------
        ValueError
            If `n` is missing, or disagrees with the rows of the context.
        """
        rows, context, generator = self._prepare_draws(n, context, seed)
        z = torch.randn(rows, self.latent, generator=generator)
        return self._to_data(self._apply(self.network.generate, z, context))

    def decision_function(self, x, context=None):
        """Give the value ``(n,)`` that the critic sees in events ``(n, d)``: a logit, or the Wasserstein critic's."""
        x = to_numpy("x", x)
        scaled, context, _ = self._prepare_events(x, context)
        return self._apply(self.network.criticise, scaled, context).numpy().astype(x.dtype)
