"""Optimal transport: the map between two densities that moves events least, the gradient of a convex network."""

import copy
from typing import NamedTuple

import numpy as np
import torch
from scipy.linalg import sqrtm
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from tqdm.auto import trange

from hepml_labs.flows.convex import ConvexNetwork, transport
from hepml_labs.settings import scale
from hepml_labs.training import SMOKE_STEPS
from hepml_labs.validation import check_count, to_numpy

__all__ = ["GaussianTransport", "OptimalTransport", "gaussian_transport"]


class GaussianTransport(NamedTuple):
    """Optimal transport between two Gaussians: T(x) = matrix x + offset.

    Attributes
    ----------
    matrix : array, (d, d)
        Symmetric and positive definite.
    offset : array, (d,)
        In the units of the data.
    cost : float
        Mean squared distance by which the map moves an event, the square of the Wasserstein-2 distance.
    """

    matrix: np.ndarray
    offset: np.ndarray
    cost: float


def gaussian_transport(mean_0, covariance_0, mean_1, covariance_1):
    """Optimal transport between two Gaussians, in closed form.

    With C the covariances, A = C0^(-1/2) (C0^(1/2) C1 C0^(1/2))^(1/2) C0^(-1/2), the one symmetric positive matrix with
    A C0 A = C1, and the cost is |mean_0 - mean_1|^2 + tr(C0 + C1 - 2 A C0).

    Parameters
    ----------
    mean_0, mean_1 : array, (d,)
        Means of source and target.
    covariance_0, covariance_1 : array, (d, d)
        Symmetric, positive definite.

    Returns
    -------
    GaussianTransport
        ``matrix``, ``offset``, ``cost``.

    Raises
    ------
    ValueError
        If shapes do not fit or a covariance matrix is not positive definite.

    Notes
    -----
    Peyre and Cuturi, arXiv:1803.00567, section 2.6: the cost of the covariances is the Bures distance.

    Examples
    --------
    >>> found = gaussian_transport(np.zeros(1), np.eye(1), np.array([3.0]), 4 * np.eye(1))
    >>> found.matrix.round(6), found.offset, round(found.cost, 6)  # the quantile map 2 x + 3
    (array([[2.]]), array([3.]), 10.0)
    """
    mean_0 = to_numpy("mean_0", mean_0, ("d",))
    size = len(mean_0)
    mean_1 = to_numpy("mean_1", mean_1, (size,))
    covariances = {"covariance_0": covariance_0, "covariance_1": covariance_1}
    for name, matrix in covariances.items():
        lowest = np.linalg.eigvalsh(to_numpy(name, matrix, (size, size))).min()
        if not lowest > 0:
            raise ValueError(f"{name}: found a lowest eigenvalue of {lowest:.4g}, expected all above zero")
    root = np.real(sqrtm(covariance_0))
    inverse = np.linalg.inv(root)
    matrix = inverse @ np.real(sqrtm(root @ covariance_1 @ root)) @ inverse
    matrix = (matrix + matrix.T) / 2
    cost = ((mean_0 - mean_1) ** 2).sum() + np.trace(covariance_0 + covariance_1 - 2 * matrix @ covariance_0)
    return GaussianTransport(matrix, mean_1 - matrix @ mean_0, float(cost))


class OptimalTransport(BaseEstimator):
    """Map from a source to a target density that moves events least, by two convex networks in competition.

    The cost is the squared Euclidean distance in the units that are passed: scale the columns first.

    Parameters
    ----------
    hidden : tuple of int
        Widths of the hidden layers of both networks.
    steps : int
        Training steps of the potential f of the target; three at ``HEPML_SCALE=smoke``.
    inner : int
        Steps of the potential g of the source for each of them.
    batch_size, learning_rate
        Events of each sample in a step, and Adam's step size, which falls to zero along half a cosine.
    seed : int
        Of weights and batches.
    progress : bool
        Show a progress bar.

    Attributes
    ----------
    source_potential_, target_potential_ : ConvexNetwork
        g and f, in shifted and scaled variables.

    Notes
    -----
    Brenier: for this cost the best map is the gradient of a convex function g. Makkuva et al., arXiv:1908.10962:
    it is found by min_f max_g <f(y)>_target + <x . T(x) - f(T(x))>_source with T the gradient of g. In the
    conditional case source and target need the same density of the context: give weights.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> source, target = rng.normal(size=(2000, 1)), rng.normal(3, 2, size=(2000, 1))
    >>> found = OptimalTransport(steps=40, inner=2, seed=1).fit(source, target).transform(np.array([[-1.0], [1.0]]))
    >>> bool(np.abs(found - [[1.0], [5.0]]).max() < 0.5)  # the quantile map, 2 x + 3
    True
    """

    def __init__(self, hidden=(32, 32), steps=400, inner=4, batch_size=512, learning_rate=5e-3, seed=0, progress=False):
        self.hidden = hidden
        self.steps = steps
        self.inner = inner
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.seed = seed
        self.progress = progress

    def fit(self, source, target, source_context=None, target_context=None, source_weight=None, target_weight=None):
        """Learn the map from samples (n, d) with contexts (n, c) and weights (n,), which are drawn with.

        Raises
        ------
        ValueError
            If inputs are not finite or do not fit together, or an option is out of range.
        """
        for name in ("steps", "inner", "batch_size"):
            check_count(name, getattr(self, name))
        source, c_source, w_source = self._read("source", source, source_context, source_weight)
        target, c_target, w_target = self._read("target", target, target_context, target_weight)
        if target.shape[1] != source.shape[1] or c_target.shape[1] != c_source.shape[1]:
            raise ValueError(
                f"target: found {target.shape[1]} columns and {c_target.shape[1]} of context, "
                f"expected {source.shape[1]} and {c_source.shape[1]} like source"
            )
        # A shift of either sample and one common scale do not change which map is best.
        self.source_mean_, self.target_mean_ = source.mean(0), target.mean(0)
        self.scale_ = source.std(0).mean()
        self.context_mean_ = c_target.mean(0)
        self.context_scale_ = (c_target - self.context_mean_).square().mean(0).sqrt().clamp(min=1e-6)
        x, y = (source - self.source_mean_) / self.scale_, (target - self.target_mean_) / self.scale_
        c_source, c_target = self._standard(c_source), self._standard(c_target)

        generator = torch.Generator().manual_seed(self.seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            # start at the solution for Gaussians: the networks learn what is left of the difference
            matrix = torch.from_numpy(self._gaussian_matrix(x, w_source, y, w_target)).float()
            g = ConvexNetwork(x.shape[1], c_source.shape[1], self.hidden, matrix)
            f = ConvexNetwork(x.shape[1], c_source.shape[1], self.hidden, torch.linalg.inv(matrix))
        steps = min(self.steps, SMOKE_STEPS) if scale() == "smoke" else self.steps
        average = copy.deepcopy(g)
        optimizers = [
            torch.optim.Adam(network.parameters(), self.learning_rate, betas=(0.5, 0.9), fused=True)
            for network in (f, g)
        ]
        schedules = [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps) for optimizer in optimizers]

        def draw(events, context, weight):
            rows = torch.multinomial(weight, self.batch_size, replacement=True, generator=generator)
            return events[rows], context[rows]

        for step in trange(steps, disable=not self.progress, leave=False, desc="optimal transport"):
            for _ in range(self.inner):  # g climbs: the conjugate of f at the source
                events, context = draw(x, c_source, w_source)
                moved = transport(g, events, context)
                loss = (f(moved, context) - (events * moved).sum(1)).mean()
                _step(optimizers[1], loss)
            moved, context = transport(g, *(pair := draw(x, c_source, w_source))).detach(), pair[1]
            loss = f(*draw(y, c_target, w_target)).mean() - f(moved, context).mean()
            _step(optimizers[0], loss)
            for schedule in schedules:
                schedule.step()
            # the game circles around its solution: average the weights over the last quarter
            late = max(step - 3 * steps // 4 + 1, 1)
            with torch.no_grad():
                for mean, now in zip(average.parameters(), g.parameters(), strict=True):
                    mean.lerp_(now, 1 / late)
        self.source_potential_, self.target_potential_ = average, f
        return self

    def transform(self, source, context=None):
        """Move events (n, d) with context (n, c), (n, d)."""
        check_is_fitted(self)
        x, c, _ = self._read("source", source, context, None)
        with torch.no_grad():
            moved = transport(self.source_potential_, (x - self.source_mean_) / self.scale_, self._standard(c))
        return (moved * self.scale_ + self.target_mean_).numpy().astype(source.dtype)

    @staticmethod
    def _gaussian_matrix(x, x_weight, y, y_weight):
        moments = []
        for events, weight in ((x, x_weight), (y, y_weight)):
            covariance = np.atleast_2d(np.cov(events.double().numpy().T, aweights=weight.numpy()))
            moments += [np.zeros(len(covariance)), covariance]
        return gaussian_transport(*moments).matrix

    def _standard(self, context):
        return (context - self.context_mean_) / self.context_scale_

    @staticmethod
    def _read(name, x, context, weight):
        x = to_numpy(name, x, ("n", "d"))
        if context is not None:
            context = torch.from_numpy(to_numpy(f"{name}_context", context, (len(x), "c"))).float()
        weight = np.ones(len(x)) if weight is None else to_numpy(f"{name}_weight", weight, (len(x),), floating=False)
        if weight.min() < 0 or not weight.any():
            raise ValueError(
                f"{name}_weight: found a smallest entry of {weight.min():.4g}, expected weights above zero"
            )
        return (
            torch.from_numpy(x).float(),
            torch.empty(len(x), 0) if context is None else context,
            torch.from_numpy(weight).float(),
        )


def _step(optimizer, loss):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
