"""Morphing: move simulated events so that they are distributed as data, through the base variables of a flow."""

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from hepml_labs.flows.coupling import coupling_flow
from hepml_labs.flows.elementwise import RationalQuadraticSpline
from hepml_labs.flows.estimator import negative_log_likelihood
from hepml_labs.nn import Standardizer
from hepml_labs.training import fit
from hepml_labs.validation import check_between, to_numpy

__all__ = ["FlowMorphing", "fill_spikes", "restore_spikes"]

SIDES = {"simulation": -1.0, "data": 1.0}  # value of the switch


def fill_spikes(x, columns, width=1.0, seed=0):
    """Replace exact zeros by random negative numbers, so that a variable with a spike gets a density.

    The numbers are minus the absolute value of a Gaussian, independent of everything: nothing is known about what
    would have been measured below zero. `restore_spikes` takes them back exactly.

    Parameters
    ----------
    x : array, (n, d)
        Events; the chosen columns at least zero.
    columns : sequence of int
        Columns with a spike at zero.
    width : float
        Of the Gaussian, in the units of the columns. Best about as wide as what is above zero.
    seed : int or numpy Generator
        Source of randomness.

    Returns
    -------
    array, (n, d)
        A copy.

    Raises
    ------
    ValueError
        If `x` has the wrong shape, is not finite or negative in a chosen column, or `width` is not above zero.

    Examples
    --------
    >>> filled = fill_spikes(np.array([[0.0, 1.0], [2.0, 0.0]]), columns=[0], seed=1)
    >>> filled.round(2), restore_spikes(filled, columns=[0])
    (array([[-0.35,  1.  ],
           [ 2.  ,  0.  ]]), array([[0., 1.],
           [2., 0.]]))
    """
    x = to_numpy("x", x, ("n", "d")).copy()
    check_between("width", width, 0, np.inf)
    rng = np.random.default_rng(seed)
    for k in columns:
        if x[:, k].min() < 0:
            raise ValueError(f"x: found a smallest entry of {x[:, k].min():.4g} in column {k}, expected at least zero")
        x[:, k] = np.where(x[:, k] == 0, -width * np.abs(rng.normal(size=len(x))), x[:, k])
    return x


def restore_spikes(x, columns):
    """Set negative entries of the chosen columns to zero: the inverse of `fill_spikes`.

    Parameters
    ----------
    x : array, (n, d)
        Events.
    columns : sequence of int
        Columns with a spike at zero.

    Returns
    -------
    array, (n, d)
        A copy.

    Raises
    ------
    ValueError
        If `x` has the wrong shape or is not finite.

    Examples
    --------
    >>> restore_spikes(np.array([[-0.3, -1.0]]), columns=[0])
    array([[ 0., -1.]])
    """
    x = to_numpy("x", x, ("n", "d")).copy()
    for k in columns:
        x[:, k] = np.maximum(x[:, k], 0)
    return x


class FlowMorphing(BaseEstimator):
    """Correction of simulated events: x' = f_data^-1( f_simulation(x | c) | c ).

    Two conditional densities are learned as flows to one base density. Simulated events go to the base with the one
    and come back with the other: there they are distributed as data, all correlations included, at each c.

    Parameters
    ----------
    switch : bool
        One flow with one more condition, data or simulation, as in the paper: what both have in common is learned
        once and cancels. False: two flows that know nothing of each other.
    layers, bins, hidden
        Of the flow: number of coupling layers, bins of the splines, widths of the hidden layers.
    spikes : tuple of int
        Columns with a finite share of exact zeros (see `fill_spikes`).
    epochs, batch_size, learning_rate
        Passed to :func:`hepml_labs.training.fit`.
    validation_fraction : float
        Share of the events that chooses the best epoch and is not trained on; 0 for the last epoch.
    seed : int
        Of starts, batches, spikes and validation sample.
    progress : bool
        Show a progress bar and a line at the end.

    Attributes
    ----------
    flows_ : dict
        From "simulation" and "data" to the flow in standardised variables (one object with the switch).
    history_ : dict of hepml_labs.training.History
        Of the one training, "switch", or of the two, "simulation" and "data".

    Notes
    -----
    Daumann et al., arXiv:2403.18582. The densities are conditional: simulation and data may have different spectra of
    c, and need no weights for that, as long as both have events at each c.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> simulation, data = rng.normal(size=(5000, 1)), rng.normal(2, 0.5, size=(5000, 1))
    >>> morphing = FlowMorphing(layers=2, hidden=(16,), epochs=10, learning_rate=1e-2).fit(simulation, data)
    >>> moved = morphing.transform(simulation)
    >>> bool(abs(moved.mean() - 2) < 0.1 and abs(moved.std() - 0.5) < 0.1)
    True
    """

    def __init__(
        self,
        switch=True,
        layers=6,
        bins=8,
        hidden=(64, 64),
        spikes=(),
        epochs=20,
        batch_size=1024,
        learning_rate=3e-3,
        validation_fraction=0.1,
        seed=0,
        progress=False,
    ):
        self.switch = switch
        self.layers = layers
        self.bins = bins
        self.hidden = hidden
        self.spikes = spikes
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.seed = seed
        self.progress = progress

    def fit(
        self,
        simulation,
        data,
        simulation_conditions=None,
        data_conditions=None,
        simulation_weight=None,
        data_weight=None,
    ):
        """Learn both densities from events (n, d) with conditions (n, c) and weights (n,).

        Raises
        ------
        ValueError
            If inputs are not finite or do not fit together, or an option is out of range.
        """
        check_between("validation_fraction", self.validation_fraction, 0, 1, include_low=True)
        rng = np.random.default_rng(self.seed)
        sides = {
            "simulation": self._read("simulation", simulation, simulation_conditions, simulation_weight, rng),
            "data": self._read("data", data, data_conditions, data_weight, rng),
        }
        widths = {side: (rows[0].shape[1], rows[1].shape[1]) for side, rows in sides.items()}
        if widths["data"] != widths["simulation"]:
            found = f"{widths['data']} columns and conditions"
            raise ValueError(f"data: found {found}, expected {widths['simulation']} like simulation")
        # one scale for both: the flow starts as the identity, and so does the correction
        self.scaler_ = Standardizer.fit(torch.cat([rows[0] for rows in sides.values()]))
        conditions = torch.cat([rows[1] for rows in sides.values()])
        self.condition_scaler_ = Standardizer.fit(conditions) if conditions.shape[1] else torch.nn.Identity()

        ready = {s: (self.scaler_(x), self._context(c, s), weight) for s, (x, c, weight) in sides.items()}
        if self.switch:
            flow = self._train([torch.cat(tensors) for tensors in zip(*ready.values(), strict=True)], "switch")
            self.flows_ = dict.fromkeys(ready, flow)
        else:
            self.flows_ = {side: self._train(sample, side) for side, sample in ready.items()}
        return self

    def _train(self, sample, label):
        """Return a flow trained by maximum likelihood on (events, context, weights)."""
        spline = RationalQuadraticSpline(bins=self.bins)
        features, context = (tensor.shape[1] for tensor in sample[:2])
        flow = coupling_flow(features, context, self.layers, spline, self.hidden, seed=self.seed)
        order = torch.randperm(len(sample[0]), generator=torch.Generator().manual_seed(self.seed))
        kept = round(len(order) * self.validation_fraction)
        self.history_ = getattr(self, "history_", {}) | {
            label: fit(
                flow,
                negative_log_likelihood,
                tuple(tensor[order[kept:]] for tensor in sample),
                tuple(tensor[order[:kept]] for tensor in sample) if kept else None,
                epochs=self.epochs,
                batch_size=self.batch_size,
                learning_rate=self.learning_rate,
                gradient_clip=5.0,
                seed=self.seed,
                progress=self.progress,
                label=f"flow, {label}",
            )
        }
        return flow.cpu()

    def _read(self, name, x, conditions, weight, seed):
        """Check events, conditions and weights, fill spikes, and return float32 tensors."""
        x = fill_spikes(to_numpy(name, x, ("n", "d")), self.spikes, seed=seed)
        weight = np.ones(len(x)) if weight is None else to_numpy(f"{name}_weight", weight, (len(x),), floating=False)
        return (
            torch.from_numpy(x).float(),
            self._conditions(conditions, len(x)),
            torch.from_numpy(weight / weight.mean()).float(),
        )

    def _conditions(self, conditions, n):
        if conditions is None:
            return torch.empty(n, 0)
        return torch.from_numpy(to_numpy("conditions", conditions, (n, "c"))).float()

    def _context(self, conditions, side):
        """Standardised conditions, with the switch if there is one."""
        if side not in SIDES:
            raise ValueError(f"kind: found {side!r}, expected one of {list(SIDES)}")
        parts = [self.condition_scaler_(conditions)]
        if self.switch:
            parts.append(torch.full((len(conditions), 1), SIDES[side]))
        return torch.cat(parts, dim=1)

    def to_base(self, x, conditions=None, kind="simulation", seed=0):
        """Map events (n, d) to the base variables (n, d) by the flow of one kind; `seed` fills the spikes."""
        check_is_fitted(self)
        x, condition, _ = self._read("x", x, conditions, None, seed)
        context = self._context(condition, kind)
        return self._batches(self.flows_[kind].transform, self.scaler_(x), context)

    def from_base(self, z, conditions=None, kind="data"):
        """Map base variables (n, d) to events (n, d) by the flow of one kind; negative numbers become spikes."""
        z = torch.from_numpy(to_numpy("z", z, ("n", "d"))).float()
        context = self._context(self._conditions(conditions, len(z)), kind)
        x = self._batches(self.flows_[kind].transform.inverse, z, context)
        return restore_spikes(self.scaler_.inverse(torch.from_numpy(x)).numpy(), self.spikes)

    def transform(self, simulation, conditions=None, seed=0):
        """Move simulated events (n, d) with conditions (n, c) to where data have them, (n, d)."""
        check_is_fitted(self)
        base = self.to_base(simulation, conditions, "simulation", seed)
        return self.from_base(base, conditions, "data").astype(simulation.dtype)

    @staticmethod
    @torch.no_grad()
    def _batches(function, *tensors):
        parts = zip(*(tensor.split(8192) for tensor in tensors), strict=True)
        return torch.cat([function(*part)[0] for part in parts]).numpy()
