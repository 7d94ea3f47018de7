"""Energy calibration of calorimeter clusters: a network for the response and its uncertainty, and two baselines.

The response of a cluster is R = E_obs / E_true. All calibrations here estimate ln R from observables x and divide:
E_cal = E_obs / R(x). The learned one follows the ATLAS Collaboration, arXiv:2412.04370, in its target and in its
per-cluster uncertainty; there the network is Bayesian, here its likelihood is a Gaussian (or a mixture) in ln R.
Derivations: the lecture page "Calibrating a calorimeter".
"""

import numpy as np
import torch
from torch import nn

from hepml_labs.datasets.calorimeter import FEATURES
from hepml_labs.nn import MLP, Standardizer
from hepml_labs.regression.heads import GaussianMixtureHead
from hepml_labs.regression.losses import gaussian_mixture_nll
from hepml_labs.training import fit, predict
from hepml_labs.validation import check_array, check_count, check_same_shape

__all__ = ["BinnedCalibration", "ResponseCalibration", "calibration_inputs", "invert_response"]


def calibration_inputs(clusters, features=FEATURES):
    """Turn columns of a cluster data set into network inputs of comparable size.

    Energy, number of cells and significance span orders of magnitude: their logarithm is used (a significance below
    0.1 counts as 0.1). The detector is the same forwards and backwards: the absolute value of eta is used.

    Parameters
    ----------
    clusters : mapping of str to array, (n,)
        Columns of `hepml_labs.datasets.calorimeter.COLUMNS`.
    features : sequence of str
        Which to use, by default all observables.

    Returns
    -------
    array of float32, (n, len(features))

    Raises
    ------
    ValueError
        If a column is missing, an entry is not finite, or an energy is not positive.

    Examples
    --------
    >>> calibration_inputs({"energy": np.array([1.0, 10.0]), "eta": np.array([-1.0, 2.0])}, ("energy", "eta"))
    array([[0.       , 1.       ],
           [2.3025851, 2.       ]], dtype=float32)
    """
    columns = []
    for name in features:
        try:
            column = np.asarray(clusters[name], dtype=np.float32)
        except KeyError as error:
            raise ValueError(f"clusters: found no column {name!r}, expected all of {', '.join(features)}") from error
        check_array(name, column, ("n",), positive=name in ("energy", "cells"))
        if name in ("energy", "cells", "significance"):
            column = np.log(np.maximum(column, 0.1) if name == "significance" else column)
        columns.append(np.abs(column) if name == "eta" else column)
    check_same_shape(**dict(zip(features, columns, strict=True)))
    return np.stack(columns, axis=1)


class _Network(nn.Module):
    """Standardised inputs to the parameters of a Gaussian mixture in ln R."""

    def __init__(self, x, target, hidden, components):
        super().__init__()
        self.inputs, self.target = Standardizer.fit(x), Standardizer.fit(target)
        self.body = MLP(x.shape[1], hidden[-1], hidden[:-1])
        self.head = GaussianMixtureHead(hidden[-1], components)

    def forward(self, x):
        log_weights, means, log_sigmas = self.head(nn.functional.silu(self.body(self.inputs(x))))
        return log_weights, self.target.inverse(means), log_sigmas + self.target.scale.log()


class ResponseCalibration:
    """A network that learns the response of each cluster and how well it knows it.

    Minimises the negative log-likelihood of ln R under a Gaussian (or a mixture of Gaussians) whose parameters are
    functions of x.

    Parameters
    ----------
    hidden : tuple of int
        Widths of the hidden layers.
    components : int
        Gaussians in the likelihood: 1 learns a mean and a width; more allow two kinds of cluster to hide in one x.
    epochs, batch_size, learning_rate, seed
        Passed to `hepml_labs.training.fit`; the learning rate rises and falls once ("one-cycle").

    Attributes
    ----------
    network : torch.nn.Module
        The trained network, after `fit`.
    history : hepml_labs.training.History
        Its losses, after `fit`.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> x = random.uniform(-1, 1, (4000, 1)).astype(np.float32)
    >>> response = np.exp(0.5 * x[:, 0] + 0.1 * random.standard_normal(4000)).astype(np.float32)
    >>> calibration = ResponseCalibration(hidden=(16, 16), epochs=30).fit(x, response, progress=False)
    >>> estimate, sigma = calibration.predict(np.array([[0.0], [1.0]], dtype=np.float32))
    >>> bool(np.allclose(estimate, np.exp([0, 0.5]), rtol=0.05)), bool(np.allclose(sigma, 0.1, atol=0.02))
    (True, True)
    """

    def __init__(self, hidden=(64, 64, 64), components=1, epochs=15, batch_size=512, learning_rate=3e-3, seed=0):
        check_count("components", components)
        if not hidden:
            raise ValueError("hidden: found no layer, expected at least one width")
        self.hidden, self.components = tuple(hidden), components
        self.epochs, self.batch_size, self.learning_rate, self.seed = epochs, batch_size, learning_rate, seed

    def fit(self, x, response, validation=None, progress=True, label="calibration"):
        """Train on features `x` (n, d) and responses (n,), both floating-point; return the estimator.

        `validation` is another pair (x, response): with it the weights of the best epoch are kept.
        Raises a ValueError if shapes do not fit, an entry is not finite, or a response is not positive.
        """
        train = self._tensors(x, response)
        validation = None if validation is None else self._tensors(*validation)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self.network = _Network(*train, self.hidden, self.components)
        self.history = fit(
            self.network,
            lambda network, x, target: gaussian_mixture_nll(*network(x), target),
            train,
            validation,
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            schedule="one-cycle",
            seed=self.seed,
            progress=progress,
            label=label,
        )
        return self

    def predict(self, x):
        """Estimate the response and its relative uncertainty.

        Parameters
        ----------
        x : array, (n, d)
            Features as in `fit`.

        Returns
        -------
        response : array, (n,)
            exp of the mean of ln R.
        sigma : array, (n,)
            Standard deviation of ln R, which is the relative uncertainty of the calibrated energy when small.

        Raises
        ------
        ValueError
            If the estimator was not fitted or `x` has the wrong shape.
        """
        if not hasattr(self, "network"):
            raise ValueError("predict: the calibration was not fitted, call fit first")
        check_array("x", x, ("n", len(self.network.inputs.mean)))
        log_weights, means, log_sigmas = predict(self.network, torch.as_tensor(np.asarray(x, dtype=np.float32)))
        weights = log_weights.exp()
        mean = (weights * means).sum(-1)
        # law of total variance: the components' own width, and their distance
        variance = (weights * ((2 * log_sigmas).exp() + (means - mean[:, None]) ** 2)).sum(-1)
        return mean.exp().numpy().astype(x.dtype), variance.sqrt().numpy().astype(x.dtype)

    @staticmethod
    def _tensors(x, response):
        check_array("x", x, ("n", "d"))
        check_array("response", response, (len(x),), positive=True)
        return torch.as_tensor(np.asarray(x, np.float32)), torch.as_tensor(np.log(response, dtype=np.float32))


class BinnedCalibration:
    """The classical baseline: the median of ln R in cells of a grid of observables, kept in a table.

    Parameters
    ----------
    *edges : array
        Bin edges of each observable, increasing; values outside count in the first or last bin.

    Examples
    --------
    >>> table = BinnedCalibration([0.0, 1.0, 2.0]).fit([np.array([0.5] * 30 + [1.5] * 30)], np.repeat([0.5, 0.8], 30))
    >>> table.predict([np.array([0.2, 1.9, 7.0])])
    array([0.5, 0.8, 0.8])
    """

    minimum_entries = 20  # fewer in a cell: the median of all clusters in the same bin of the first observable

    def __init__(self, *edges):
        self.edges = [np.asarray(edge, dtype=float) for edge in edges]
        if not self.edges or any(len(edge) < 2 or not np.all(np.diff(edge) > 0) for edge in self.edges):
            raise ValueError("edges: expected at least one list of two or more increasing numbers")

    def fit(self, observables, response):
        """Fill the table from observables (a list of arrays (n,)) and responses (n,); return the estimator.

        Raises a ValueError if the number or the shapes of the observables do not fit.
        """
        check_array("response", response, ("n",), positive=True)
        cells, target = self._cells(observables), np.log(response)
        self.table = np.full([len(edge) - 1 for edge in self.edges], np.median(target))
        for row in np.unique(cells[0]):
            self.table[row] = np.median(target[cells[0] == row])
        flat = np.ravel_multi_index(cells, self.table.shape)
        for cell, count in zip(*np.unique(flat, return_counts=True), strict=True):
            if count >= self.minimum_entries:
                self.table.flat[cell] = np.median(target[flat == cell])
        return self

    def predict(self, observables):
        """Look up the response of each cluster, shape (n,)."""
        return np.exp(self.table[self._cells(observables)])

    def _cells(self, observables):
        if len(observables) != len(self.edges):
            raise ValueError(
                f"observables: found {len(observables)} arrays, expected {len(self.edges)}, as many as edges"
            )
        for number, column in enumerate(observables):
            check_array(f"observables[{number}]", column, (len(observables[0]),))
        return tuple(
            np.clip(np.digitize(column, edge) - 1, 0, len(edge) - 2)
            for column, edge in zip(observables, self.edges, strict=True)
        )


def invert_response(energy_true, energy, edges):
    """Calibrate by numerical inversion: learn E_obs as a function of E_true, and read it backwards.

    The median of E_obs in narrow bins of E_true does not depend on how many particles a bin holds, so neither does its
    inverse: a calibration that does not remember the spectrum it was made with (Cukierman and Nachman,
    arXiv:1609.05195).

    Parameters
    ----------
    energy_true, energy : arrays, (n,)
        True and observed energy, GeV.
    edges : array, (bins + 1,)
        Bins of the true energy; each needs at least 10 entries.

    Returns
    -------
    callable
        From observed to calibrated energy, both GeV.

    Raises
    ------
    ValueError
        If shapes differ, a bin is nearly empty, or the response curve does not rise.

    Examples
    --------
    >>> truth = np.geomspace(1, 100, 2000)
    >>> calibrate = invert_response(truth, 0.5 * truth**1.1, np.geomspace(1, 100, 21))
    >>> calibrate(0.5 * np.array([10.0, 50.0]) ** 1.1).round(1)
    array([10., 50.])
    """
    for name, column in (("energy_true", energy_true), ("energy", energy)):
        check_array(name, column, (len(energy_true),), positive=True)
    number = np.digitize(energy_true, edges) - 1
    counts = np.bincount(number[(number >= 0) & (number < len(edges) - 1)], minlength=len(edges) - 1)
    if counts.min() < 10:
        raise ValueError(f"edges: bin {counts.argmin()} holds {counts.min()} clusters, expected at least 10 in each")
    bins = range(len(edges) - 1)
    truth, observed = (
        np.array([np.median(np.log(column[number == which])) for which in bins]) for column in (energy_true, energy)
    )
    if not np.all(np.diff(observed) > 0):
        raise ValueError(
            "energy: its median does not rise with energy_true from bin to bin, expected a curve to invert"
        )
    slope = np.diff(truth)[[0, -1]] / np.diff(observed)[[0, -1]]

    def calibrate(energy):
        """Read the curve backwards; beyond its ends it goes on as a power law."""
        log = np.log(energy)
        inside = np.interp(log, observed, truth)
        below, above = np.minimum(log - observed[0], 0), np.maximum(log - observed[-1], 0)
        return np.exp(inside + slope[0] * below + slope[1] * above)

    return calibrate
