"""Denoising diffusion: the loss, and the generator that it trains."""

import torch
from sklearn.utils.validation import check_is_fitted

from hepml_labs.diffusion.schedules import PREDICTIONS, SCHEDULES, Schedule
from hepml_labs.diffusion.steps import SAMPLERS, Denoiser
from hepml_labs.diffusion.tabular import TabularGenerator
from hepml_labs.nn import TimeMLP
from hepml_labs.validation import check_array, check_between, check_count

__all__ = ["Diffusion", "diffusion_loss"]


def diffusion_loss(network, x1, context=None, weight=None, *, schedule, predict="noise", generator=None):
    """Mean squared error of what the network predicts from noisy data, at random times.

    Parameters
    ----------
    network : callable
        ``network(x, t, context)`` of points ``(n, d)`` and times ``(n,)`` returns predictions ``(n, d)``.
    x1 : tensor, (n, d)
        Data, of the order of one.
    context : tensor, (n, c), optional
        What the density is conditional on.
    weight : tensor, (n,), optional
        Weights of the events, with a mean of one over the sample.
    schedule : Schedule
    predict : {"noise", "data", "v"}
        What the network predicts; see `hepml_labs.diffusion.schedules.error_ratio` for what that does to the weights.
    generator : torch.Generator, optional
        Of noise and times; by default torch's global one.

    Returns
    -------
    tensor, ()
        Mean over events and features.

    Raises
    ------
    ValueError
        If a shape is wrong or `predict` is not one of the three.

    Notes
    -----
    L_simple of Ho et al., arXiv:2006.11239, eq. 14, in continuous time. The times of a batch are an equally spaced grid
    with one random offset: each is uniform, and together they fluctuate less than independent ones (Kingma et al.,
    arXiv:2107.00630, appendix I.1).

    Examples
    --------
    >>> from hepml_labs.diffusion.schedules import CosineSchedule
    >>> perfect = lambda x, t, context: torch.zeros_like(x)  # all data at zero
    >>> diffusion_loss(perfect, torch.zeros(100, 2), schedule=CosineSchedule(), predict="data").item()
    0.0
    """
    check_array("x1", x1, ("n", "d"), finite=False)
    if predict not in PREDICTIONS:
        raise ValueError(f"predict: found {predict!r}, expected one of {list(PREDICTIONS)}")
    options = dict(generator=generator, dtype=x1.dtype, device=x1.device if generator is None else generator.device)
    eps, offset = torch.randn(x1.shape, **options).to(x1), torch.rand(1, **options).to(x1)
    t = (offset + torch.arange(len(x1), device=x1.device)) / len(x1)
    alpha, sigma = schedule.alpha(t)[:, None], schedule.sigma(t)[:, None]
    target = PREDICTIONS[predict].target(x1, eps, alpha, sigma)
    error = (network(alpha * x1 + sigma * eps, t, context) - target).square().mean(1)
    if weight is None:
        return error.mean()
    check_array("weight", weight, (len(x1),), finite=False)
    return (weight * error).mean()


class Diffusion(TabularGenerator):
    """Generator of p(x) or p(x|context) by denoising diffusion.

    The data go through `scaler`, then to mean zero and width one, both in double precision. A `TimeMLP` learns to
    denoise there, in single precision.

    Parameters
    ----------
    schedule : {"cosine", "linear"} or Schedule
        How noise is added.
    predict : {"v", "noise", "data"}
        What the network predicts.
    hidden, frequencies : tuple of int, int
        Hidden widths of the network, and Fourier features of the time.
    drop_context : float
        Share of the events that are shown without their context in training, in [0, 1): above zero allows guidance
        and unconditional samples.
    scaler : Transform, optional
        What is known about the variables (`hepml_labs.flows.scalers`): hard edges, long tails, angles. Fixed, not
        fitted here. None: none.
    epochs : int
        Largest number of passes over the training events; the learning rate goes to zero towards it.
    batch_size : int
        Events in a step.
    learning_rate : float
        Of AdamW, at the start.
    patience : int, optional
        Stop after so many epochs without a better validation loss. The best epoch's weights are kept anyway.
    seed : int
        Fixes the weights at the start, the events held back, the order of the batches, noise and times.
    progress : bool
        Show a progress bar and a line at the end.

    Attributes
    ----------
    network : TimeMLP
        Trained on the *scaled* variables. Its context has one more column, 1 where the context is given and 0 where it
        is not.
    schedule_ : Schedule
    scaler_, context_scaler_ : Transform, Standardize or None
        From the data, and from the context, to what the network sees.
    history_ : hepml_labs.training.History
        Losses by epoch. The validation loss uses the same noise and times in each.

    Notes
    -----
    Ho et al., arXiv:2006.11239; guidance without a classifier by Ho and Salimans, arXiv:2207.12598.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal([100.0, 0.0], [10.0, 0.1], size=(2000, 2))  # GeV, radians
    >>> estimator = Diffusion(hidden=(16,), epochs=10).fit(x)
    >>> estimator.sample(3, seed=1).shape
    (3, 2)
    """

    def __init__(
        self,
        schedule="cosine",
        predict="v",
        hidden=(128, 128, 128),
        frequencies=8,
        drop_context=0.1,
        scaler=None,
        epochs=50,
        batch_size=256,
        learning_rate=2e-3,
        patience=None,
        seed=0,
        progress=False,
    ):
        self.schedule = schedule
        self.predict = predict
        self.hidden = hidden
        self.frequencies = frequencies
        self.drop_context = drop_context
        self.scaler = scaler
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.patience = patience
        self.seed = seed
        self.progress = progress

    def fit(self, x, context=None, sample_weight=None, validation=0.2):
        """Train the network.

        Parameters
        ----------
        x : array, (n, d)
            Data, in their units.
        context : array, (n, c), optional
            What the density is conditional on: numbers, or classes as columns of zeros and ones.
        sample_weight : array, (n,), optional
            Weights of the events, their sum above zero. Their unit does not matter.
        validation : float or array of bool, (n,)
            Share of the events, in (0, 1), that is held back to choose the best epoch; or true for each of these.

        Returns
        -------
        Diffusion
            Itself.

        Raises
        ------
        ValueError
            If an array has not this shape, is not finite, or has values that the scaler refuses; if the weights do not
            sum to more than zero, or an option is out of range.
        """
        check_between("drop_context", self.drop_context, 0, 1, include_low=True)
        if not (isinstance(self.schedule, Schedule) or self.schedule in SCHEDULES):
            raise ValueError(f"schedule: found {self.schedule!r}, expected a Schedule or one of {list(SCHEDULES)}")
        self.schedule_ = self.schedule if isinstance(self.schedule, Schedule) else SCHEDULES[self.schedule]()
        columns, kept, held = self._prepare_training(x, context, sample_weight, validation)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            inputs = self.n_context_ + 1 if self.n_context_ else 0
            self.network = TimeMLP(self.n_features_in_, inputs, self.hidden, self.frequencies)

        return self._train(self._loss, columns, kept, held, "diffusion")

    def _loss(self, network, x1, context=None, weight=None):
        # the same noise and times at each look at the validation events, so that epochs can be compared
        generator = None if network.training else torch.Generator().manual_seed(self.seed)
        if context is not None and network.training:
            context = context * (torch.rand_like(x1[:, :1]) >= self.drop_context)
        options = dict(schedule=self.schedule_, predict=self.predict, generator=generator)
        return diffusion_loss(network, x1, context, weight, **options)

    def _prepare_context(self, context, n):
        """Return the standardised context and a column of ones, or zeros where it is not given; None without any."""
        if context is None and self.n_context_ and self.drop_context:
            return torch.zeros(n, self.n_context_ + 1)
        context = super()._prepare_context(context, n)
        return None if context is None else torch.cat([context, torch.ones(n, 1)], dim=1)

    def sample(self, n=None, context=None, seed=0, steps=20, sampler="ode", guidance=1.0, spacing="angle"):
        """Draw from the learned density.

        Parameters
        ----------
        n : int, optional
            Number of draws, where there is no context.
        context : array, (n, c), optional
            One draw is made for each row. None, in a model trained with a context: draws from all contexts.
        seed : int
            Of the draws.
        steps : int
            Number of steps: one evaluation of the network each, two for "ode".
        sampler : {"ode", "ddim", "ancestral", "sde"}
            Heun's method on the probability flow, DDIM, DDPM's own, or the reverse stochastic equation. The last two
            draw new noise in each step and want more of them.
        guidance : float
            See `Denoiser`: 1 samples p(x|context), more exaggerates what the context does.
        spacing : {"angle", "uniform"}
            See `Schedule.times`.

        Returns
        -------
        array, (n, d)
            In the units and the floating-point type of the training data.

        Raises
        ------
        ValueError
            If `n` is missing, or disagrees with the rows of the context; if an option is none of the above, or there
            is guidance without a context or with drop_context = 0.
        """
        if sampler not in SAMPLERS:
            raise ValueError(f"sampler: found {sampler!r}, expected one of {list(SAMPLERS)}")
        if guidance != 1 and (context is None or self.drop_context == 0):
            raise ValueError(f"guidance: found {guidance}, expected 1 without a context or with drop_context = 0")
        check_is_fitted(self, "network")
        check_count("seed", seed, minimum=0)
        times = self.schedule_.times(steps, spacing)
        generator = torch.Generator().manual_seed(seed + 1_000_003)  # not the numbers that make the first noise

        def to_data(network, x):
            def anything(x, t):
                return network(x, t, torch.zeros(len(x), self.n_context_ + 1, device=x.device))

            denoise = Denoiser(network, self.schedule_, self.predict, anything, guidance)
            return SAMPLERS[sampler](denoise, self.schedule_, x, times, generator)

        return self._generate(to_data, n, context, seed)
