"""A normalising flow as a scikit-learn estimator: array in, log-densities and samples out."""

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from hepml_labs.flows.autoregressive import autoregressive_flow
from hepml_labs.flows.coupling import coupling_flow
from hepml_labs.flows.elementwise import RationalQuadraticSpline
from hepml_labs.flows.scalers import Standardize
from hepml_labs.flows.transforms import Chain
from hepml_labs.training import fit, predict
from hepml_labs.validation import check_between, check_count, to_numpy

__all__ = ["FlowEstimator"]

FLOWS = {"coupling": coupling_flow, "autoregressive": autoregressive_flow}
CHUNK = 32_768  # events at a time, where memory counts


def negative_log_likelihood(flow, x, *others):
    """Mean of -w log p(x|context); `others` are the context, if there is one, and the weights w."""
    *context, weight = others
    return -(weight * flow(x, *context)).mean()


class _Generate(torch.nn.Module):
    """The inverse of a transform as a module of its own, for `predict`."""

    def __init__(self, transform):
        super().__init__()
        self.transform = transform

    def forward(self, z, context=None):
        return self.transform.inverse(z, context)[0]


class FlowEstimator(BaseEstimator):
    """Density p(x) or p(x|context) by a spline flow, trained on the likelihood, with early stopping.

    The data go through `scaler`, then to mean zero and width one, both in double precision, and then through the flow
    in single precision. Contexts are standardised as well.

    Parameters
    ----------
    kind : {"coupling", "autoregressive"}
        Coupling flows are as fast to sample as to evaluate. Autoregressive ones fit a little better at equal
        size and sample d times slower.
    layers : int
        Number of transforms.
    bins : int
        Bins of the rational-quadratic splines.
    bound : float
        The splines end at this number of standard deviations of the scaled data; beyond is the identity.
    hidden : tuple of int
        Hidden widths of the network of each transform.
    scaler : Transform, optional
        What is known about the variables (`hepml_labs.flows.scalers`): hard edges, long tails, angles. Fixed, not
        fitted here. None: none.
    epochs : int
        Largest number of passes over the training events; the learning rate goes to zero towards it.
    batch_size : int
        Events in a step.
    learning_rate : float
        Of AdamW, at the start.
    patience : int
        Stop after so many epochs without a better validation loss. The best epoch's weights are kept.
    seed : int
        Fixes the weights at the start, the events held back, and the order of the batches.
    progress : bool
        Show a progress bar and a line at the end.

    Attributes
    ----------
    flow : Flow
        The trained flow, of the *scaled* variables and the standardised context.
    scaler_ : Transform
        From the data to the scaled variables, standardisation included.
    context_scaler_ : Standardize or None
        That of the context.
    history_ : hepml_labs.training.History
        Losses by epoch, in the scaled variables.

    Notes
    -----
    Maximum likelihood, Papamakarios et al., arXiv:1912.02762, section 2.3.1. The weighted loss is divided by the mean
    weight, so the unit of the weights does not matter. Negative weights are allowed while their sum is above zero, but
    nothing then bounds the loss from below: keep few of them, and the flow small.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal([100.0, 0.0], [10.0, 0.1], size=(2000, 2))  # GeV, radians
    >>> estimator = FlowEstimator(layers=2, hidden=(16,), epochs=10, batch_size=200).fit(x)
    >>> estimator.score_samples(np.array([[100.0, 0.0]])).round()  # log(1 / (2 pi 10 0.1)) = -1.84
    array([-2.])
    >>> estimator.sample(3, seed=1).shape
    (3, 2)
    """

    def __init__(
        self,
        kind="coupling",
        layers=6,
        bins=8,
        bound=4.0,
        hidden=(64, 64),
        scaler=None,
        epochs=50,
        batch_size=256,
        learning_rate=5e-3,
        patience=10,
        seed=0,
        progress=False,
    ):
        self.kind = kind
        self.layers = layers
        self.bins = bins
        self.bound = bound
        self.hidden = hidden
        self.scaler = scaler
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.patience = patience
        self.seed = seed
        self.progress = progress

    def fit(self, x, context=None, sample_weight=None, validation=0.2):
        """Train the flow.

        Parameters
        ----------
        x : array, (n, d)
            Data, in their units.
        context : array, (n, c), optional
            What the density is conditional on.
        sample_weight : array, (n,), optional
            Weights of the events, their sum above zero.
        validation : float
            Share of the events, in (0, 1), that is held back for the early stopping.

        Returns
        -------
        FlowEstimator
            Itself.

        Raises
        ------
        ValueError
            If an array has not this shape, is not finite, or has values that the scaler refuses; if the weights do not
            sum to more than zero, or an option is out of range.
        """
        x = to_numpy("x", x, ("n", "d"))
        n, features = x.shape
        if self.kind not in FLOWS:
            raise ValueError(f"kind: found {self.kind!r}, expected one of {list(FLOWS)}")
        check_between("validation", validation, 0, 1)
        check_count("seed", self.seed, minimum=0)
        held_back = max(1, int(validation * n))
        if n - held_back < 1:
            raise ValueError(f"x: found {n} event(s), expected at least two, to hold one back")
        weight = np.ones(n) if sample_weight is None else to_numpy("sample_weight", sample_weight, (n,))
        order = np.random.default_rng(self.seed).permutation(n)
        held, kept = order[:held_back], order[held_back:]
        if not (weight[kept].sum() > 0 and weight[held].sum() > 0):
            raise ValueError(f"sample_weight: found a sum of {weight.sum():.4g}, expected it well above zero")

        self.scaler_ = self._fit_scaler(x[kept])
        scaled = [self.scaler_(torch.tensor(x, dtype=torch.float64))[0].float()]
        self.context_scaler_ = None
        self.n_features_in_, self.n_context_ = features, 0
        if context is not None:
            context = to_numpy("context", context, (n, "c"))
            self.context_scaler_ = Standardize.fit(context[kept])
            self.n_context_ = context.shape[1]
            scaled += self._prepare_context(context, n)
        self.flow = FLOWS[self.kind](
            features,
            self.n_context_,
            self.layers,
            RationalQuadraticSpline(self.bins, self.bound),
            self.hidden,
            seed=self.seed,
        )

        def part(rows):
            weights = torch.tensor(weight[rows] / weight[rows].mean(), dtype=torch.float32)
            return *[column[rows] for column in scaled], weights

        self.history_ = fit(
            self.flow,
            negative_log_likelihood,
            part(kept),
            part(held),
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            patience=self.patience,
            seed=self.seed,
            progress=self.progress,
            label="flow",
        )
        self.type_ = x.dtype
        return self

    def _fit_scaler(self, x):
        if self.scaler is None:
            return Standardize.fit(x)
        known = self.scaler(torch.tensor(x, dtype=torch.float64))[0]
        return Chain([self.scaler, Standardize.fit(known)])

    def _prepare_context(self, context, n):
        """Return a list of the standardised context, or an empty one."""
        if (context is None) != (self.n_context_ == 0):
            raise ValueError(f"context: found {type(context).__name__}, expected {self.n_context_} features")
        if context is None:
            return []
        context = to_numpy("context", context, (n, self.n_context_))
        return [self.context_scaler_(torch.tensor(context, dtype=torch.float64))[0].float()]

    def _prepare(self, x, context):
        """Return the inputs of the flow, the logarithm of the Jacobian of the scaler, and the type of x."""
        check_is_fitted(self, "flow")
        x = to_numpy("x", x, ("n", self.n_features_in_))
        scaled, log_det = self.scaler_(torch.tensor(x, dtype=torch.float64))
        return [scaled.float(), *self._prepare_context(context, len(x))], log_det, x.dtype

    def transform(self, x, context=None):
        """Map data ``(n, d)`` to the base variables ``(n, d)``, standard normal where the flow is right.

        Parameters, types and errors as in `score_samples`.
        """
        inputs, _, kind = self._prepare(x, context)
        return predict(self.flow.transform, *inputs, batch_size=CHUNK)[0].numpy().astype(kind)

    def inverse_transform(self, z, context=None):
        """Map base variables ``(n, d)`` back to data ``(n, d)``, with one row of the context for each."""
        check_is_fitted(self, "flow")
        z = to_numpy("z", z, ("n", self.n_features_in_))
        inputs = [torch.tensor(z, dtype=torch.float32), *self._prepare_context(context, len(z))]
        scaled = predict(_Generate(self.flow.transform), *inputs, batch_size=CHUNK)
        return self.scaler_.inverse(scaled.double())[0].numpy().astype(z.dtype)

    def score_samples(self, x, context=None):
        """Give the logarithm of the density in units of the data: of 1/GeV, if x is a mass in GeV.

        Parameters
        ----------
        x : array, (n, d)
        context : array, (n, c), optional

        Returns
        -------
        array, (n,)
            log p(x) or log p(x|context), in the floating-point type of `x`.

        Raises
        ------
        ValueError
            If an array has not this shape, is not finite, or has values that the scaler refuses.
        """
        inputs, log_det, kind = self._prepare(x, context)
        return (predict(self.flow, *inputs, batch_size=CHUNK) + log_det).numpy().astype(kind)

    def sample(self, n=None, context=None, seed=0):
        """Draw from the density.

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
        check_is_fitted(self, "flow")
        rows = n if context is None or n is not None else len(context)
        check_count("n", rows)
        check_count("seed", seed, minimum=0)
        z = torch.randn(rows, self.n_features_in_, generator=torch.Generator().manual_seed(seed))
        return self.inverse_transform(z.double(), context).astype(self.type_)
