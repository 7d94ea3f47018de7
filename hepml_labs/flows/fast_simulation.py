r"""Fast simulation: the detector as a conditional density, from generator-level objects to analysis-level columns.

.. math::

    p(x, \text{found}\,|\,z) = \varepsilon(z)\;p(x|z)

Whether an object is found at all is a discrete fact: a classifier learns its probability. What is measured of those
that are found is continuous: a conditional flow learns its density. The same factors are the acceptance and the
transfer function of the matrix-element method. The scheme is that of FlashSim, Vaselli et al., arXiv:2402.13684.
"""

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from hepml_labs.flows.estimator import FlowEstimator
from hepml_labs.nn import MLP
from hepml_labs.training import fit, predict
from hepml_labs.validation import check_count, to_numpy

__all__ = ["FastSimulation"]


class FastSimulation:
    """A detector learned from pairs of truth and measurement, object by object.

    Parameters
    ----------
    residual : object
        With ``context(truth)``, ``forward(measured, truth)`` and ``inverse(y, truth)`` as
        `residuals.CurvatureResidual`.
    flow : FlowEstimator, optional
        Untrained.
    hidden : tuple of int
        Hidden widths of the classifier.
    epochs : int
        Of the classifier.
    seed : int
        Of the classifier; that of the flow is the estimator's own.

    Attributes
    ----------
    flow : FlowEstimator
        Density of y, given the context.
    classifier_ : MLP
        Logit of the probability to be found, of the standardised context.

    Examples
    --------
    >>> from hepml_labs.flows.residuals import CurvatureResidual
    >>> from hepml_labs.physics.spectrometer import Spectrometer
    >>> truth = np.random.default_rng(1).uniform([4.0, -2.4], [6.0, 2.4], (2000, 2))
    >>> measured, found = Spectrometer().measure(truth, seed=2)
    >>> flow = FlowEstimator(layers=2, hidden=(8,), epochs=2)
    >>> fast = FastSimulation(CurvatureResidual(), flow, epochs=2).fit(truth, measured, found)
    >>> fast.log_density(measured, truth).shape, fast.efficiency(truth).shape
    ((2000,), (2000,))
    >>> fast.simulate(truth, seed=3)[0].shape
    (2000, 2)
    """

    def __init__(self, residual, flow=None, hidden=(32, 32), epochs=10, seed=0):
        self.residual, self.flow = residual, flow or FlowEstimator()
        self.hidden, self.epochs, self.seed = hidden, epochs, seed

    def fit(self, truth, measured, found):
        """Train classifier and flow.

        Parameters
        ----------
        truth : array, (n, c)
            Generator-level objects.
        measured : array, (n, d)
            What was measured; rows of objects that were not found are not looked at, but must be finite.
        found : array of bool, (n,)

        Returns
        -------
        FastSimulation
            Itself.

        Raises
        ------
        ValueError
            If the arrays disagree in length, have entries that are not finite, or no object was found.
        """
        truth = to_numpy("truth", truth, ("n", "c"))
        measured, found = to_numpy("measured", measured, (len(truth), "d")), np.asarray(found)
        if found.shape != (len(truth),) or found.dtype != bool:
            raise ValueError(f"found: found {found.dtype} of shape {found.shape}, expected bool ({len(truth)},)")
        if not found.any():
            raise ValueError("found: found no object that was found, expected some")
        y, _ = self.residual.forward(measured[found], truth[found])
        self.flow.fit(y, self.residual.context(truth[found]))

        context = self.residual.context(truth)
        self.center_, self.scale_ = context.mean(0), context.std(0)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self.classifier_ = MLP(context.shape[1], 1, self.hidden)
        label = torch.tensor(found, dtype=torch.float32)[:, None]

        def cross_entropy(network, inputs, target):
            return binary_cross_entropy_with_logits(network(inputs), target)

        fit(
            self.classifier_,
            cross_entropy,
            (self._inputs(truth), label),
            epochs=self.epochs,
            batch_size=512,
            learning_rate=1e-2,
            seed=self.seed,
            progress=False,
        )
        return self

    def _inputs(self, truth):
        return torch.tensor((self.residual.context(truth) - self.center_) / self.scale_, dtype=torch.float32)

    def efficiency(self, truth):
        """Probability (n,) that objects (n, c) are found."""
        return torch.sigmoid(predict(self.classifier_, self._inputs(truth)).double())[:, 0].numpy()

    def log_density(self, measured, truth):
        """Logarithm of the transfer function p(measured | truth, found).

        Parameters
        ----------
        measured : array, (n, d)
        truth : array, (n, c)

        Returns
        -------
        array, (n,)
            In units of the measured columns.
        """
        y, log_det = self.residual.forward(measured, truth)
        return self.flow.score_samples(y, self.residual.context(truth)) + log_det

    def simulate(self, truth, seed=0):
        """Draw measurements.

        Parameters
        ----------
        truth : array, (n, c)
        seed : int

        Returns
        -------
        measured : array, (n, d)
        found : array of bool, (n,)
            Rows of `measured` are drawn for all objects.
        """
        check_count("seed", seed, minimum=0)
        found = np.random.default_rng(seed).random(len(truth)) < self.efficiency(truth)
        y = self.flow.sample(context=self.residual.context(truth), seed=seed)
        return self.residual.inverse(y, truth), found
