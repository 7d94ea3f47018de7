r"""Conditional generation of calorimeter showers: first the energies of the layers, then the cells given the layers.

.. math::

    p(\text{shower}\,|\,E) = p(E_1, \dots, E_L\,|\,E)\;\; p(\text{cells}\,|\,E_1, \dots, E_L, E)

as in CaloFlow (Krause and Shih, arXiv:2106.05285), with flow matching for both factors. The cells are scaled to the
energies of their layers, so the first network alone decides about the response, and no second network can spoil it.
"""

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from hepml_labs.diffusion.flow_matching import FlowMatching
from hepml_labs.diffusion.shower_maps import (
    fill_below_threshold,
    from_stick_fractions,
    scale_to_layers,
    stick_fractions,
)
from hepml_labs.validation import check_count, to_numpy

__all__ = ["DirectShowerGenerator", "ShowerGenerator"]


def _check_showers(showers, energy):
    showers = to_numpy("showers", showers, ("n", "layers", "cells", "cells")).astype(float)
    energy = to_numpy("energy", energy, (len(showers),)).astype(float)
    if not np.all(energy > 0):
        raise ValueError(f"energy: found a smallest of {energy.min():.4g}, expected all above zero")
    if not np.all(showers >= 0) or not np.all(showers.sum((1, 2, 3)) > 0):
        raise ValueError("showers: found negative cells or showers without energy, expected none")
    return showers, energy


class ShowerGenerator(BaseEstimator):
    """Showers given the energy of the particle, in two steps: energies of the layers, then cells.

    Parameters
    ----------
    threshold : float
        Smallest energy of a cell that is read out, GeV.
    layer_model, cell_model : FlowMatching, optional
        Untrained generators of the two steps.
    noise : (float, float)
        Ends of the noise that fills empty cells, see `fill_below_threshold`.
    seed : int
        Of the noise below the threshold.

    Attributes
    ----------
    layer_model_, cell_model_ : FlowMatching
        The trained generators.

    Notes
    -----
    The first generator learns sqrt(E) log(sum of all layers / E), of constant width where the stochastic term of the
    resolution dominates, and the logits of the stick fractions, given log E. The second learns the logarithms of the
    cells' fractions in their layers given log E and the logarithms of the layers' energies. Empty layers and cells
    hold noise below the threshold in the training, and what is generated below the threshold is set to zero.

    Examples
    --------
    >>> from hepml_labs.physics.sampling_showers import simulate_showers
    >>> energy = np.geomspace(1, 100, 400)
    >>> small = FlowMatching(hidden=(16,), epochs=2)
    >>> generator = ShowerGenerator(layer_model=small, cell_model=small).fit(simulate_showers(energy), energy)
    >>> showers = generator.sample(np.array([10.0, 50.0]), seed=1)
    >>> showers.shape, bool(((showers == 0) | (showers >= 0.0049999)).all())
    ((2, 5, 5, 5), True)
    """

    def __init__(self, threshold=0.005, layer_model=None, cell_model=None, noise=(0.0, 1.0), seed=0):
        self.threshold = threshold
        self.layer_model = layer_model
        self.cell_model = cell_model
        self.noise = noise
        self.seed = seed

    def fit(self, showers, energy):
        """Train both generators on showers ``(n, layers, cells, cells)`` and energies ``(n,)``, in GeV.

        Raises
        ------
        ValueError
            If a shape is another, a number is not finite, a cell is negative, or a shower or a particle is without
            energy.
        """
        showers, energy = _check_showers(showers, energy)
        random = np.random.default_rng(self.seed)
        self.shape_ = showers.shape[1:]
        layers = showers.sum((2, 3))
        filled = fill_below_threshold(layers, self.threshold, random)
        sticks = stick_fractions(filled)
        response = np.sqrt(energy) * np.log(layers.sum(1) / energy)
        targets = np.column_stack([response, np.log(sticks) - np.log1p(-sticks)])
        context = np.log(energy)[:, None]
        self.layer_model_ = clone(self.layer_model or FlowMatching(hidden=(64, 64, 64), epochs=40))
        self.layer_model_.fit(targets, context)
        cells = fill_below_threshold(showers, self.threshold, random, self.noise) / filled[..., None, None]
        self.cell_model_ = clone(self.cell_model or FlowMatching(hidden=(256, 256), epochs=60))
        self.cell_model_.fit(np.log(cells).reshape(len(cells), -1), np.column_stack([context, np.log(filled)]))
        return self

    def sample_layers(self, energy, seed=0, steps=20):
        """Draw energies of the layers ``(n, layers)`` for particles of energies ``(n,)``, GeV; zero or read out."""
        check_is_fitted(self, "layer_model_")
        energy = to_numpy("energy", energy, ("n",)).astype(float)
        if not np.all(energy > 0):
            raise ValueError(f"energy: found a smallest of {energy.min():.4g}, expected all above zero")
        drawn = self.layer_model_.sample(context=np.log(energy)[:, None], seed=seed, steps=steps)
        total = np.maximum(energy * np.exp(drawn[:, 0] / np.sqrt(energy)), self.threshold)
        layers = from_stick_fractions(total, 0.5 + 0.5 * np.tanh(drawn[:, 1:] / 2))
        return scale_to_layers(np.maximum(layers, np.finfo(float).tiny)[:, None], total[:, None], self.threshold)[:, 0]

    def sample_cells(self, layers, energy, seed=0, steps=20, conserve=True):
        """Draw cells ``(n, layers, cells, cells)`` for given energies of the layers ``(n, layers)`` and particles.

        With ``conserve=False`` the cells are what the network gives, cut at the threshold but not scaled to the
        layers: for the study of what the scaling is good for.
        """
        check_is_fitted(self, "cell_model_")
        check_count("seed", seed, minimum=0)
        layers = to_numpy("layers", layers, ("n", self.shape_[0])).astype(float)
        filled = fill_below_threshold(layers, self.threshold, seed)
        context = np.column_stack([np.log(energy), np.log(filled)])
        fractions = np.exp(self.cell_model_.sample(context=context, seed=seed, steps=steps))
        cells = np.maximum(fractions, np.finfo(float).tiny).reshape(*layers.shape, -1) * layers[..., None]
        if conserve:
            positive = np.maximum(cells, np.finfo(float).tiny)
            cells = scale_to_layers(positive, layers, self.threshold)
        return np.where(cells >= self.threshold * (1 - 1e-9), cells, 0.0).reshape(-1, *self.shape_)

    def sample(self, energy, seed=0, steps=20):
        """Draw one shower for each particle.

        Parameters
        ----------
        energy : array, (n,)
            GeV.
        seed : int
            Of the draws.
        steps : int
            Of the differential equation, for both generators.

        Returns
        -------
        array, (n, layers, cells, cells)
            GeV; zero or at least the threshold.

        Raises
        ------
        ValueError
            If an energy is not finite and above zero.
        """
        layers = self.sample_layers(energy, seed=seed, steps=steps)
        return self.sample_cells(layers, energy, seed=seed + 1, steps=steps)


class DirectShowerGenerator(BaseEstimator):
    """All cells at once, given the energy of the particle: the simplest generator, to compare with.

    Parameters
    ----------
    threshold : float
        Smallest energy of a cell that is read out, GeV.
    model : FlowMatching, optional
        Untrained generator of the logarithms of cells / energy.
    seed : int
        Of the noise below the threshold.

    Examples
    --------
    >>> from hepml_labs.physics.sampling_showers import simulate_showers
    >>> energy = np.geomspace(1, 100, 400)
    >>> generator = DirectShowerGenerator(model=FlowMatching(hidden=(16,), epochs=2))
    >>> generator.fit(simulate_showers(energy), energy).sample(np.array([10.0, 50.0])).shape
    (2, 5, 5, 5)
    """

    def __init__(self, threshold=0.005, model=None, seed=0):
        self.threshold = threshold
        self.model = model
        self.seed = seed

    def fit(self, showers, energy):
        """Train on showers ``(n, layers, cells, cells)`` and energies ``(n,)``; errors as `ShowerGenerator.fit`."""
        showers, energy = _check_showers(showers, energy)
        self.shape_ = showers.shape[1:]
        cells = fill_below_threshold(showers, self.threshold, self.seed)
        targets = np.log(cells / energy[:, None, None, None]).reshape(len(cells), -1)
        self.model_ = clone(self.model or FlowMatching(hidden=(256, 256), epochs=60))
        self.model_.fit(targets, np.log(energy)[:, None])
        return self

    def sample(self, energy, seed=0, steps=20):
        """Draw one shower ``(n, layers, cells, cells)`` for each energy ``(n,)``, GeV; zero or above threshold."""
        check_is_fitted(self, "model_")
        energy = to_numpy("energy", energy, ("n",)).astype(float)
        drawn = self.model_.sample(context=np.log(energy)[:, None], seed=seed, steps=steps)
        cells = np.exp(drawn) * energy[:, None]
        return np.where(cells >= self.threshold, cells, 0.0).reshape(-1, *self.shape_)
