"""What the estimators that move noise to tables of data share: scaling, contexts, weights and chunks."""

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from hepml_labs.flows.scalers import Standardize
from hepml_labs.flows.transforms import Chain
from hepml_labs.training import fit
from hepml_labs.validation import check_between, check_count, to_numpy

__all__ = ["TabularGenerator", "with_context"]

CHUNK = 32_768  # events at a time, where memory counts


class TabularGenerator(BaseEstimator):
    """Base of the estimators that learn a `network` of standardised data; for `_generate`, a `network(x, t, context)`.

    A subclass has the parameters `scaler` and `seed`, and its `fit` sets `network`. The data go through `scaler`, then
    to mean zero and width one, both in double precision; the network works in single precision.

    Attributes
    ----------
    scaler_ : Transform
        From the data to the scaled variables, standardisation included.
    context_scaler_ : Standardize or None
        That of the context.
    """

    def _prepare_training(self, x, context, sample_weight, validation):
        """Check and scale the data, fit the scalers, and hold events back.

        Returns a dictionary of the columns x1, context and weight (the last two only where they are given), and the
        rows that are kept for the training and held back.
        """
        x = to_numpy("x", x, ("n", "d"))
        n = len(x)
        check_count("seed", self.seed, minimum=0)
        if np.ndim(validation):
            mask = np.asarray(validation)
            if mask.dtype != bool or mask.shape != (n,) or mask.all() or not mask.any():
                raise ValueError(f"validation: expected a number, or {n} booleans of which some are true and some not")
            held, kept = np.flatnonzero(mask), np.flatnonzero(~mask)
        else:
            check_between("validation", validation, 0, 1)
            held_back = max(1, int(validation * n))
            if n - held_back < 1:
                raise ValueError(f"x: found {n} event(s), expected at least two, to hold one back")
            order = np.random.default_rng(self.seed).permutation(n)
            held, kept = order[:held_back], order[held_back:]
        columns = self._prepare_columns(x, context, sample_weight, kept)
        if "weight" in columns and not columns["weight"][held].sum() > 0:
            raise ValueError("sample_weight: found a sum of at most zero in the validation events, expected it above")
        return columns, kept, held

    def _prepare_columns(self, x, context, sample_weight, kept):
        """Fit the scalers on the rows `kept`, and return the scaled columns of all rows: x1, context and weight."""
        n, features = x.shape
        self.scaler_ = self._fit_scaler(x[kept])
        columns = {"x1": self.scaler_(torch.tensor(x, dtype=torch.float64))[0].float()}
        self.context_scaler_ = None
        self.n_features_in_, self.n_context_ = features, 0
        if context is not None:
            context = to_numpy("context", context, (n, "c"))
            self.context_scaler_ = Standardize.fit(context[kept])
            self.n_context_ = context.shape[1]
            columns["context"] = self._prepare_context(context, n)
        if sample_weight is not None:
            weight = to_numpy("sample_weight", sample_weight, (n,)).astype(np.float64)
            if not weight[kept].sum() > 0:
                raise ValueError(f"sample_weight: found a sum of {weight[kept].sum():.4g}, expected it above zero")
            columns["weight"] = torch.tensor(weight / weight[kept].mean(), dtype=torch.float32)
        self.type_ = x.dtype
        return columns

    def _fit_scaler(self, x):
        if self.scaler is None:
            return Standardize.fit(x)
        known = self.scaler(torch.tensor(x, dtype=torch.float64))[0]
        return Chain([self.scaler, Standardize.fit(known)])

    def _prepare_context(self, context, n):
        """Return the standardised context, or None."""
        if (context is None) != (self.n_context_ == 0):
            raise ValueError(f"context: found {type(context).__name__}, expected {self.n_context_} feature(s)")
        if context is None:
            return None
        context = to_numpy("context", context, (n, self.n_context_))
        return self.context_scaler_(torch.tensor(context, dtype=torch.float64))[0].float()

    def _train(self, loss, columns, kept, held, label, **options):
        """Train `network` on ``loss(network, **batch)`` with x1, context, weight of a batch; return the estimator."""
        self.history_ = fit(
            self.network,
            lambda network, *batch: loss(network, **dict(zip(columns, batch, strict=True))),
            tuple(column[kept] for column in columns.values()),
            tuple(column[held] for column in columns.values()),
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            patience=self.patience,
            seed=self.seed,
            progress=self.progress,
            label=label,
            **options,
        )
        return self

    def _prepare_draws(self, n, context, seed):
        """Return the number of draws, their context (or None), and the generator of their noise."""
        check_is_fitted(self, "network")
        rows = n if context is None or n is not None else len(context)
        check_count("n", rows)
        check_count("seed", seed, minimum=0)
        return rows, self._prepare_context(context, rows), torch.Generator().manual_seed(seed)

    def _prepare_events(self, x, context):
        """Return scaled events, their context (or None), and the logarithm of the Jacobian of the scaler."""
        check_is_fitted(self, "network")
        x = to_numpy("x", x, ("n", self.n_features_in_))
        scaled, log_det = self.scaler_(torch.tensor(x, dtype=torch.float64))
        return scaled.float(), self._prepare_context(context, len(x)), log_det

    def _apply(self, function, *columns, chunk=CHUNK):
        """Apply a function to chunks of tensors (None stays None) on the device of the network."""
        device = next(self.network.parameters()).device
        parts = []
        with torch.no_grad():
            for start in range(0, len(columns[0]), chunk):
                batch = [None if column is None else column[start : start + chunk].to(device) for column in columns]
                parts.append(function(*batch).cpu().double())
        return torch.cat(parts)

    def _to_data(self, scaled):
        """Map scaled variables back to data, in the type of the training data."""
        return self.scaler_.inverse(scaled)[0].numpy().astype(self.type_)

    def _generate(self, function, n, context, seed):
        """Draw noise, turn it into scaled data by ``function(network, noise)``, and those into data."""
        rows, context, generator = self._prepare_draws(n, context, seed)
        noise = torch.randn(rows, self.n_features_in_, generator=generator)
        return self._to_data(self._apply(lambda x, given: function(self._given(given), x), noise, context))

    def _given(self, context):
        """Return the network as a function of points and times, at the given context."""
        return lambda x, t: self.network(x, t, context)


def with_context(x, context):
    """Put the context behind the features, where there is one: ``(n, d)`` and ``(n, c)`` to ``(n, d + c)``."""
    return x if context is None else torch.cat([x, context], dim=1)
