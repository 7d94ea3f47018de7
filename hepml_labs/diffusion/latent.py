"""What the estimators that decode a latent variable share: the number of draws, chunks, and the way back to data."""

import torch
from sklearn.utils.validation import check_is_fitted

from hepml_labs.diffusion.tabular import CHUNK, TabularGenerator
from hepml_labs.validation import check_count, to_numpy

__all__ = ["LatentGenerator", "with_context"]


def with_context(x, context):
    """Put the context behind the features, where there is one: ``(n, d)`` and ``(n, c)`` to ``(n, d + c)``."""
    return x if context is None else torch.cat([x, context], dim=1)


class LatentGenerator(TabularGenerator):
    """Base of `VAE` and `GAN`. A subclass has the parameters `scaler` and `seed`, and its `fit` sets `network`."""

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
