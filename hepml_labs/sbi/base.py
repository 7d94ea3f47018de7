"""What the estimators share: tensors from arrays, scales, the call of `fit`, and evaluation on a grid in theta."""

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from hepml_labs.nn import Standardizer
from hepml_labs.training import fit, predict
from hepml_labs.validation import check_between, to_numpy

__all__ = ["Conditional", "Trained", "to_tensor"]


def to_tensor(name, value, shape):
    """Check an array or tensor and turn it into a float32 tensor.

    Parameters
    ----------
    name : str
        Name of the argument.
    value : array
        Of finite floating-point numbers.
    shape : tuple
        As in :func:`hepml_labs.validation.check_array`.

    Returns
    -------
    tensor

    Raises
    ------
    ValueError
        Naming the argument.

    Examples
    --------
    >>> to_tensor("x", np.zeros((2, 1)), ("n", 1)).dtype
    torch.float32
    """
    return torch.tensor(to_numpy(name, value, shape), dtype=torch.float32)


class Trained(BaseEstimator):
    """An estimator with one network and one training.

    Subclasses have the options epochs, batch_size, learning_rate, validation_fraction, seed and progress.

    Examples
    --------
    >>> Trained()
    Trained()
    """

    def _train(self, network, loss, tensors, label):
        check_between("validation_fraction", self.validation_fraction, 0, 1, include_low=True)
        order = torch.from_numpy(np.random.default_rng(self.seed).permutation(len(tensors[0])))
        held_out = round(self.validation_fraction * len(order))
        validation, train = (tuple(t[rows] for t in tensors) for rows in order.tensor_split([held_out]))
        self.network_ = network
        self.history_ = fit(
            network,
            loss,
            train,
            validation if held_out else None,
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            seed=self.seed,
            progress=self.progress,
            label=label,
        )
        return self

    def _build(self, build):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return build()


class Conditional(Trained):
    """An estimator whose network has parameters theta as inputs and, by `with_score`, its gradient in them.

    Examples
    --------
    >>> Conditional()
    Conditional()
    """

    def _scale_sample(self, sample, reference=None):
        """Standardised x and theta, label, joint log ratio, and joint score in units of the standardised theta.

        With a reference, theta is counted from there and not from its mean.
        """
        x, theta = to_tensor("x", sample.x, ("n", "d")), to_tensor("theta", sample.theta, (len(sample.x), "p"))
        label, joint_log_ratio = (to_tensor(n, getattr(sample, n), (len(x),)) for n in ("label", "log_ratio"))
        score = to_tensor("score", sample.score, tuple(theta.shape))
        if not ((label == 0) | (label == 1)).all():
            raise ValueError(
                "label: found values other than 0 and 1, expected 1 for the numerator, 0 for the reference"
            )
        self.scale_x_, self.scale_theta_ = Standardizer.fit(x), Standardizer.fit(theta)
        if reference is not None:
            self.scale_theta_ = Standardizer(
                to_tensor("reference", reference, tuple(theta.shape[1:])), self.scale_theta_.scale
            )
        scaled = self.scale_x_(x), self.scale_theta_(theta), score * self.scale_theta_.scale
        return *scaled[:2], label, joint_log_ratio, scaled[2]

    def _on_grid(self, x, theta):
        """The network at all pairs of x (n, d) and theta (m, p): (m, n) in the type of x."""
        check_is_fitted(self)
        scaled = self.scale_x_(to_tensor("x", x, ("n", len(self.scale_x_.mean))))
        points = self.scale_theta_(to_tensor("theta", np.asarray(theta), ("m", len(self.scale_theta_.mean))))
        rows = [predict(self.network_, scaled, point.expand(len(scaled), -1)).numpy() for point in points]
        return np.stack(rows).astype(x.dtype)

    def score(self, x, theta):
        """Gradient of the logarithm in theta at one point.

        Parameters
        ----------
        x : array (n, d)
            Observables.
        theta : array (p,)
            Parameters.

        Returns
        -------
        array (n, p)
            In the type of `x`.

        Raises
        ------
        ValueError
            If shapes do not fit.
        """
        check_is_fitted(self)
        scaled = self.scale_x_(to_tensor("x", x, ("n", len(self.scale_x_.mean))))
        point = self.scale_theta_(to_tensor("theta", np.asarray(theta), (len(self.scale_theta_.mean),)))
        device = next(self.network_.parameters()).device
        parts = [
            self.network_.with_score(part.to(device), point.to(device).expand(len(part), -1))[1].detach().cpu()
            for part in scaled.split(8192)
        ]
        return (torch.cat(parts) / self.scale_theta_.scale).numpy().astype(x.dtype)
