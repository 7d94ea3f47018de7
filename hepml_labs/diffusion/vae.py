"""The variational autoencoder as an estimator of tables: array in, samples, codes and log-densities out."""

import math

import torch
from sklearn.utils.validation import check_is_fitted

from hepml_labs.diffusion.tabular import CHUNK, TabularGenerator
from hepml_labs.diffusion.variational import VariationalAutoencoder
from hepml_labs.validation import check_between, check_count, to_numpy

__all__ = ["VAE"]


class VAE(TabularGenerator):
    """Generator of tables by a variational autoencoder, trained on the evidence lower bound, best epoch kept.

    The data go through `scaler`, then to mean zero and width one, both in double precision.

    Parameters
    ----------
    latent : int
        Dimension of the latent space.
    beta : float
        Factor on the divergence: 1 for the bound, larger for a tidier and emptier latent space, smaller for sharper
        reconstructions from codes that the prior does not follow (Higgins et al., beta-VAE, 2017).
    hidden : tuple of int
        Hidden widths of encoder and decoder.
    noise : {"feature", "shared"}
        See `VariationalAutoencoder`.
    scaler : Transform, optional
        What is known about the variables (`hepml_labs.flows.scalers`). Fixed, not fitted here. None: none.
    epochs : int
        Passes over the training events; the learning rate goes to zero towards it.
    batch_size : int
        Events in a step.
    learning_rate : float
        Of AdamW, at the start.
    patience : int, optional
        Stop after so many epochs without a better validation loss.
    seed : int
        Fixes the weights at the start, the events held back, the order of the batches, and the noise.
    progress : bool
        Show a progress bar and a line at the end.

    Attributes
    ----------
    network : VariationalAutoencoder
        Of the *scaled* variables.
    scaler_, context_scaler_
        See `TabularGenerator`.
    history_ : hepml_labs.training.History
        Losses by epoch, in the scaled variables. The validation loss uses the same noise in each.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal([100.0, 0.0], [10.0, 0.1], size=(2000, 2))  # GeV, radians
    >>> estimator = VAE(latent=1, hidden=(16,), epochs=10).fit(x)
    >>> estimator.sample(3, seed=1).shape
    (3, 2)
    >>> estimator.score_samples(np.array([[100.0, 0.0]])).round()  # log(1 / (2 pi 10 0.1)) = -1.84
    array([-2.])
    """

    def __init__(
        self,
        latent=2,
        beta=1.0,
        hidden=(64, 64),
        noise="feature",
        scaler=None,
        epochs=50,
        batch_size=256,
        learning_rate=3e-3,
        patience=None,
        seed=0,
        progress=False,
    ):
        self.latent = latent
        self.beta = beta
        self.hidden = hidden
        self.noise = noise
        self.scaler = scaler
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.patience = patience
        self.seed = seed
        self.progress = progress

    def fit(self, x, context=None, sample_weight=None, validation=0.2):
        """Train encoder and decoder.

        Parameters
        ----------
        x : array, (n, d)
            Data, in their units.
        context : array, (n, c), optional
            What the density is conditional on.
        sample_weight : array, (n,), optional
            Weights of the events, their sum above zero. Their unit does not matter.
        validation : float or array of bool, (n,)
            Share of the events, in (0, 1), that is held back to choose the best epoch; or true for each of these.

        Returns
        -------
        VAE
            Itself.

        Raises
        ------
        ValueError
            If an array has not this shape, is not finite, or has values that the scaler refuses; if the weights do not
            sum to more than zero, or an option is out of range.
        """
        check_between("beta", self.beta, 0, math.inf, include_low=True)
        columns, kept, held = self._prepare_training(x, context, sample_weight, validation)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self.network = VariationalAutoencoder(
                self.n_features_in_, self.latent, self.n_context_, self.hidden, self.noise
            )

        def loss(network, x1, context=None, weight=1.0):
            # the same noise at each look at the validation events, so that epochs can be compared
            generator = None if network.training else torch.Generator().manual_seed(self.seed)
            reconstruction, kl = network.terms(x1, context, generator)
            return -(weight * (reconstruction - self.beta * kl.sum(1))).mean()

        return self._train(loss, columns, kept, held, "VAE")

    def sample(self, n=None, context=None, seed=0):
        """Draw latent variables from the prior, and data from p(x|z): the decoder's noise is part of the model.

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
        z, noise = (torch.randn(rows, size, generator=generator) for size in (self.latent, self.n_features_in_))

        def draw(z, noise, context):
            return self.network.decode(z, context) + self.network.log_noise.exp() * noise

        return self._to_data(self._apply(draw, z, noise, context))

    def encode(self, x, context=None):
        """Give mean and standard deviation of q(z|x), each ``(n, k)``, for data ``(n, d)``."""
        x = to_numpy("x", x)
        scaled, context, _ = self._prepare_events(x, context)
        both = self._apply(lambda *given: torch.cat(self.network.encode(*given), dim=1), scaled, context)
        mean, log_sigma = both.chunk(2, dim=1)
        return mean.numpy().astype(x.dtype), log_sigma.exp().numpy().astype(x.dtype)

    def decode(self, z, context=None):
        """Give the data ``(n, d)`` at the mean of p(x|z), without noise, for latent variables ``(n, k)``."""
        check_is_fitted(self, "network")
        z = torch.tensor(to_numpy("z", z, ("n", self.latent)), dtype=torch.float32)
        return self._to_data(self._apply(self.network.decode, z, self._prepare_context(context, len(z))))

    def score_samples(self, x, context=None, draws=100, seed=0):
        """Estimate the logarithm of the density in units of the data, by the importance-weighted bound.

        Parameters
        ----------
        x : array, (n, d)
        context : array, (n, c), optional
        draws : int
            Latent variables for each event. One gives the evidence lower bound; with more, the bound rises to log p.
        seed : int
            Of the draws.

        Returns
        -------
        array, (n,)
            Too low on average, by an amount that falls like 1 / draws.

        Raises
        ------
        ValueError
            If an array has not this shape, is not finite, or has values that the scaler refuses.
        """
        check_count("draws", draws)
        check_count("seed", seed, minimum=0)
        x = to_numpy("x", x)
        scaled, context, log_det = self._prepare_events(x, context)
        generator = torch.Generator().manual_seed(seed)

        def bound(x, context):
            return self.network.importance_bound(x, context, draws, generator)

        bounds = self._apply(bound, scaled, context, chunk=max(1, CHUNK // draws))
        return (bounds + log_det).numpy().astype(x.dtype)
