"""Conditional flow matching: a regression that learns to move noise to data, and its density."""

import torch

from hepml_labs.diffusion.ode import integrate, log_likelihood
from hepml_labs.diffusion.paths import Linear, pair_optimally
from hepml_labs.diffusion.tabular import TabularGenerator
from hepml_labs.nn import TimeMLP
from hepml_labs.validation import check_array, to_numpy

__all__ = ["FlowMatching", "flow_matching_loss"]


def flow_matching_loss(network, x1, context=None, weight=None, *, path=None, pairing="independent", generator=None):
    """Mean squared error of the velocity at random times of random pairs of noise and data.

    Parameters
    ----------
    network : callable
        ``network(x, t, context)`` of points ``(n, d)`` and times ``(n,)`` returns velocities ``(n, d)``.
    x1 : tensor, (n, d)
        Data, of the order of one.
    context : tensor, (n, c), optional
        What the density is conditional on.
    weight : tensor, (n,), optional
        Weights of the events, with a mean of one over the sample.
    path : Path, optional
        By default straight lines, `Linear()`.
    pairing : {"independent", "optimal"}
        Noise drawn independently of the data, or reordered by `pair_optimally` within the batch.
    generator : torch.Generator, optional
        Of noise and times; by default torch's global one.

    Returns
    -------
    tensor, ()
        Mean over events and features.

    Raises
    ------
    ValueError
        If a shape is wrong, or optimal pairing meets a context or weights. It would make the noise depend on them,
        while the sampler draws it independently: the learned density would be wrong.

    Notes
    -----
    Lipman et al., arXiv:2210.02747, eq. 9 (and eq. 23 for straight lines). The times of a batch are an equally
    spaced grid with one random offset: each is uniform, and together they fluctuate less than independent ones
    (the low-discrepancy sampler of Kingma et al., arXiv:2107.00630).

    Examples
    --------
    >>> perfect = lambda x, t, context: -x / (1 - t)[:, None]  # all data at zero: every particle heads there
    >>> flow_matching_loss(perfect, torch.zeros(100, 2)).item() < 1e-6
    True
    """
    check_array("x1", x1, ("n", "d"), finite=False)
    if pairing not in ("independent", "optimal"):
        raise ValueError(f"pairing: found {pairing!r}, expected 'independent' or 'optimal'")
    if pairing == "optimal" and not (context is None and weight is None):
        raise ValueError("pairing: found 'optimal' with a context or weights, expected 'independent' with them")
    path = Linear() if path is None else path
    device = x1.device if generator is None else generator.device
    eps = torch.randn(x1.shape, generator=generator, dtype=x1.dtype, device=device).to(x1.device)
    offset = torch.rand(1, generator=generator, dtype=x1.dtype, device=device).to(x1.device)
    t = (offset + torch.arange(len(x1), device=x1.device) / len(x1)) % 1
    if pairing == "optimal":
        eps = pair_optimally(x1, eps)
    found = network(path.point(x1, eps, t), t, context)
    error = (found - path.velocity(x1, eps, t)).square().mean(1)
    if weight is None:
        return error.mean()
    check_array("weight", weight, (len(x1),), finite=False)
    return (weight * error).mean()


class FlowMatching(TabularGenerator):
    """Generator and density p(x) or p(x|context) by conditional flow matching.

    The data go through `scaler`, then to mean zero and width one, both in double precision. A `TimeMLP` learns the
    velocity there, in single precision. Samples and densities come from the differential equation dx/dt = v(x, t).

    Parameters
    ----------
    path : Path, optional
        Way from noise to data (`hepml_labs.diffusion.paths`); None: straight lines.
    pairing : {"independent", "optimal"}
        See `flow_matching_loss`.
    hidden : tuple of int
        Hidden widths of the network.
    frequencies : int
        Fourier features of the time.
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
        The trained velocity of the *scaled* variables, given the standardised context.
    scaler_ : Transform
        From the data to the scaled variables, standardisation included.
    context_scaler_ : Standardize or None
        That of the context.
    history_ : hepml_labs.training.History
        Losses by epoch. The validation loss uses the same noise and times in each.

    Notes
    -----
    Lipman et al., arXiv:2210.02747; Tong et al., arXiv:2302.00482. The loss does not go to zero: what remains is the
    spread of the velocities of the particles that meet in one point. Negative weights are allowed while their sum is
    above zero, but then nothing bounds the loss from below.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal([100.0, 0.0], [10.0, 0.1], size=(2000, 2))  # GeV, radians
    >>> estimator = FlowMatching(hidden=(16,), epochs=10).fit(x)
    >>> estimator.sample(3, seed=1).shape
    (3, 2)
    >>> estimator.score_samples(np.array([[100.0, 0.0]])).round()  # log(1 / (2 pi 10 0.1)) = -1.84
    array([-2.])
    """

    def __init__(
        self,
        path=None,
        pairing="independent",
        hidden=(128, 128, 128),
        frequencies=4,
        scaler=None,
        epochs=50,
        batch_size=256,
        learning_rate=5e-3,
        patience=None,
        seed=0,
        progress=False,
    ):
        self.path = path
        self.pairing = pairing
        self.hidden = hidden
        self.frequencies = frequencies
        self.scaler = scaler
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.patience = patience
        self.seed = seed
        self.progress = progress

    def fit(self, x, context=None, sample_weight=None, validation=0.2):
        """Train the velocity.

        Parameters
        ----------
        x : array, (n, d)
            Data, in their units.
        context : array, (n, c), optional
            What the density is conditional on.
        sample_weight : array, (n,), optional
            Weights of the events, their sum above zero. Their unit does not matter.
        validation : float or array of bool, (n,)
            Share of the events, in (0, 1), that is held back to choose the best epoch; or true for each of these,
            where events are not independent, such as mirror images of one event.

        Returns
        -------
        FlowMatching
            Itself.

        Raises
        ------
        ValueError
            If an array has not this shape, is not finite, or has values that the scaler refuses; if the weights do not
            sum to more than zero, or an option is out of range.
        """
        columns, kept, held = self._prepare_training(x, context, sample_weight, validation)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self.network = TimeMLP(self.n_features_in_, self.n_context_, self.hidden, self.frequencies)

        def loss(network, **batch):
            # the same noise and times at each look at the validation events, so that epochs can be compared
            generator = None if network.training else torch.Generator().manual_seed(self.seed)
            return flow_matching_loss(network, path=self.path, pairing=self.pairing, generator=generator, **batch)

        # pairs of larger batches would be other pairs, and the assignment takes the third power of the time
        largest = self.batch_size if self.pairing == "optimal" else 4096
        return self._train(loss, columns, kept, held, "flow matching", validation_batch_size=largest)

    def sample(self, n=None, context=None, seed=0, steps=20, method="midpoint"):
        """Draw from the learned density.

        Parameters
        ----------
        n : int, optional
            Number of draws, where there is no context.
        context : array, (n, c), optional
            One draw is made for each row.
        seed : int
            Of the draws.
        steps, method
            See `integrate`.

        Returns
        -------
        array, (n, d)
            In the units and the floating-point type of the training data.

        Raises
        ------
        ValueError
            If `n` is missing, or disagrees with the rows of the context.
        """
        return self._generate(
            lambda velocity, noise: integrate(velocity, noise, steps=steps, method=method), n, context, seed
        )

    def score_samples(self, x, context=None, steps=20, method="rk4", exact=True, seed=0):
        """Give the logarithm of the density in units of the data: of 1/GeV, if x is a mass in GeV.

        Parameters
        ----------
        x : array, (n, d)
        context : array, (n, c), optional
        steps, method, exact, seed
            See `log_likelihood`. The exact trace costs d backward passes a step; beyond ten features or so think of
            Hutchinson's estimate.

        Returns
        -------
        array, (n,)
            log p(x) or log p(x|context), in the floating-point type of `x`.

        Raises
        ------
        ValueError
            If an array has not this shape, is not finite, or has values that the scaler refuses.
        """
        x = to_numpy("x", x)
        scaled, context, log_det = self._prepare_events(x, context)

        def log_density(points, given):
            return log_likelihood(self._given(given), points, steps, exact, method, seed)

        return (self._apply(log_density, scaled, context) + log_det).numpy().astype(x.dtype)
