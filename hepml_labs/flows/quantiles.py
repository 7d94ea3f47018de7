"""Morphing one variable at a time: quantile mapping, and the chain of quantile regressions with correlations."""

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.utils.validation import check_is_fitted

from hepml_labs.validation import to_numpy

__all__ = ["ChainedQuantiles", "QuantileMapping"]


class QuantileMapping(BaseEstimator):
    """Map each column by itself, x' = F_data^-1(F_simulation(x)), with the empirical distributions F.

    Attributes
    ----------
    simulation_, data_ : list of tuple
        For each column the sorted values and the shares of weight below them.

    Notes
    -----
    The increasing map of one density to another, which is the optimal transport in one dimension. It leaves the ranks
    within each column alone, and with them all rank correlations of the simulation. Fill spikes first.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> simulation, data = rng.normal(size=(20_000, 1)), 3 + 2 * rng.normal(size=(20_000, 1))
    >>> QuantileMapping().fit(simulation, data).transform(np.array([[-1.0], [0.0], [1.0]])).round(0)
    array([[1.],
           [3.],
           [5.]])
    """

    def fit(self, simulation, data, simulation_weight=None, data_weight=None):
        """Store the distributions of two samples (n, d) with weights (n,).

        Raises
        ------
        ValueError
            If inputs are not finite or do not fit together.
        """
        self.simulation_ = _distributions("simulation", simulation, simulation_weight)
        self.data_ = _distributions("data", data, data_weight)
        if len(self.data_) != len(self.simulation_):
            raise ValueError(f"data: found {len(self.data_)} columns, expected {len(self.simulation_)} like simulation")
        return self

    def transform(self, simulation):
        """Map simulated events (n, d); beyond the range of the training they end at that of data."""
        check_is_fitted(self)
        moved = to_numpy("simulation", simulation, ("n", len(self.simulation_))).copy()
        for k, (source, target) in enumerate(zip(self.simulation_, self.data_, strict=True)):
            moved[:, k] = np.interp(np.interp(moved[:, k], *source), target[1], target[0])
        return moved


def _distributions(name, x, weight):
    x = to_numpy(name, x, ("n", "d"))
    weight = np.ones(len(x)) if weight is None else to_numpy(f"{name}_weight", weight, (len(x),), floating=False)
    found = []
    for column in x.T:
        order = column.argsort(kind="stable")
        sorted_weight = weight[order]
        found.append((column[order], (sorted_weight.cumsum() - sorted_weight / 2) / sorted_weight.sum()))
    return found


class ChainedQuantiles(BaseEstimator):
    """Chain of quantile regressions by boosted trees: each column given the conditions and the columns before it.

    Column k of an event is mapped by x' = F_data^-1( F_simulation(x | c, x_1..x_k-1) | c, x'_1..x'_k-1 ).

    Parameters
    ----------
    quantiles : tuple of float
        At which the conditional distributions are learned, increasing, in (0, 1). In between the map is linear, beyond
        it is a shift.
    trees : int
        Boosting rounds of each regression; there are two for each column and quantile.
    seed : int
        Of the trees.

    Attributes
    ----------
    simulation_, data_ : list of list
        For each column the fitted regressions, one for each quantile.

    Notes
    -----
    The method that corrected CMS photons in Run 2, with the pinball loss of Koenker and Bassett,
    Econometrica 46 (1978) 33. In the limit of many quantiles it is the Knothe-Rosenblatt map.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> simulation, data = rng.normal(size=(2000, 2)), rng.normal(size=(2000, 1)) * [[1, 1]]  # correlation 0, then 1
    >>> moved = ChainedQuantiles(trees=20).fit(simulation, data).transform(simulation)
    >>> bool(np.corrcoef(moved.T)[0, 1] > 0.8)
    True
    """

    def __init__(self, quantiles=(0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98), trees=30, seed=0):
        self.quantiles = quantiles
        self.trees = trees
        self.seed = seed

    def fit(self, simulation, data, simulation_conditions=None, data_conditions=None):
        """Learn from two samples (n, d) with conditions (n, c).

        Raises
        ------
        ValueError
            If inputs are not finite or do not fit together, or the quantiles do not increase within (0, 1).
        """
        edges = np.array([0.0, *self.quantiles, 1.0])
        if len(edges) < 4 or not (np.diff(edges) > 0).all():
            raise ValueError(f"quantiles: found {self.quantiles}, expected two or more, increasing, in (0, 1)")
        self.simulation_ = self._regressions("simulation", simulation, simulation_conditions)
        self.data_ = self._regressions("data", data, data_conditions)
        if len(self.data_) != len(self.simulation_):
            raise ValueError(f"data: found {len(self.data_)} columns, expected {len(self.simulation_)} like simulation")
        return self

    def transform(self, simulation, conditions=None):
        """Move simulated events (n, d) with conditions (n, c), column after column."""
        check_is_fitted(self)
        x = to_numpy("simulation", simulation, ("n", len(self.simulation_)))
        conditions = _columns(conditions, len(x))
        moved = x.copy()
        for k in range(x.shape[1]):
            source = _predict(self.simulation_[k], np.hstack([conditions, x[:, :k]]))
            target = _predict(self.data_[k], np.hstack([conditions, moved[:, :k]]))
            moved[:, k] = _interpolate(x[:, k], source, target)
        return moved

    def _regressions(self, name, x, conditions):
        x = to_numpy(name, x, ("n", "d"))
        conditions = _columns(conditions, len(x))
        options = dict(loss="quantile", max_iter=self.trees, learning_rate=0.2, max_leaf_nodes=15)
        found = []
        for k in range(x.shape[1]):
            inputs = np.hstack([conditions, x[:, :k]])
            inputs = inputs if inputs.shape[1] else np.zeros((len(x), 1))
            trees = [
                HistGradientBoostingRegressor(quantile=quantile, random_state=self.seed, **options)
                for quantile in self.quantiles
            ]
            found.append([regression.fit(inputs, x[:, k]) for regression in trees])
        return found


def _columns(conditions, n):
    return np.empty((n, 0)) if conditions is None else to_numpy("conditions", conditions, (n, "c"))


def _predict(regressions, inputs):
    """Conditional quantiles, (n, quantiles): regressions know nothing of each other, so put them in order."""
    inputs = inputs if inputs.shape[1] else np.zeros((len(inputs), 1))
    found = np.stack([regression.predict(inputs) for regression in regressions], axis=1)
    return np.maximum.accumulate(found + 1e-6 * np.arange(found.shape[1]), axis=1)


def _interpolate(x, source, target):
    """Map x (n,) by the line through (source, target), both (n, quantiles), a shift beyond the ends."""
    last = source.shape[1] - 1
    low = np.clip((x[:, None] >= source).sum(axis=1) - 1, 0, last - 1)
    rows = np.arange(len(x))
    share = (x - source[rows, low]) / np.maximum(source[rows, low + 1] - source[rows, low], 1e-9)
    inside = target[rows, low] + share * (target[rows, low + 1] - target[rows, low])
    below, above = x + target[:, 0] - source[:, 0], x + target[:, last] - source[:, last]
    return np.where(x < source[:, 0], below, np.where(x > source[:, last], above, inside))
