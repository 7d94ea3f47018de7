"""Energies of layers and cells in coordinates that a network can learn: fractions, noise for zeros, exact sums."""

import numpy as np

from hepml_labs.validation import check_between, to_numpy

__all__ = ["fill_below_threshold", "from_stick_fractions", "scale_to_layers", "stick_fractions"]


def stick_fractions(layers):
    """Break the energy like a stick: the fraction of each layer in what the layers before it have left over.

    Parameters
    ----------
    layers : array, (n, layers)
        Energies of the layers, above zero.

    Returns
    -------
    array, (n, layers - 1)
        u_k = E_k / (E_k + ... + E_L), each free to lie anywhere between zero and one.

    Raises
    ------
    ValueError
        If the shape is another, or an energy is not finite and above zero.

    Notes
    -----
    Krause and Shih, arXiv:2106.05285, section III; the logarithm of the Jacobian of (E_1 ... E_L) to (sum, u) is
    the sum over k < L of -log(E_k + ... + E_L).

    Examples
    --------
    >>> stick_fractions(np.array([[5.0, 4.0, 1.0]]))
    array([[0.5, 0.8]])
    """
    layers = to_numpy("layers", layers, ("n", "layers"))
    if not np.all(layers > 0):
        raise ValueError(f"layers: found a smallest energy of {layers.min():.4g}, expected all above zero")
    remaining = np.cumsum(layers[:, ::-1], axis=1)[:, ::-1]
    return layers[:, :-1] / remaining[:, :-1]


def from_stick_fractions(total, fractions):
    """Energies of the layers from their sum and the stick fractions: the inverse of `stick_fractions`.

    Parameters
    ----------
    total : array, (n,)
        Sum of the energies.
    fractions : array, (n, layers - 1)
        Between zero and one.

    Returns
    -------
    array, (n, layers)
        E_k = total u_k (1 - u_1) ... (1 - u_(k-1)); the last layer takes what is left. They sum to `total`.

    Raises
    ------
    ValueError
        If the shapes disagree, or a fraction is outside of [0, 1].

    Examples
    --------
    >>> from_stick_fractions(np.array([10.0]), np.array([[0.5, 0.8]])).round(6)
    array([[5., 4., 1.]])
    """
    fractions = to_numpy("fractions", fractions, ("n", "layers"))
    total = to_numpy("total", total, (len(fractions),))
    if not np.all((fractions >= 0) & (fractions <= 1)):
        raise ValueError(f"fractions: found {fractions.min():.4g} to {fractions.max():.4g}, expected 0 to 1")
    left = np.cumprod(np.pad(1 - fractions, ((0, 0), (1, 0)), constant_values=1.0), axis=1)
    return total[:, None] * np.pad(fractions, ((0, 0), (0, 1)), constant_values=1.0) * left


def fill_below_threshold(energies, threshold, seed=0, noise=(0.0, 1.0)):
    """Replace what is below the threshold by uniform noise below the threshold, so that a density exists.

    Many cells are exactly zero, a spike that no smooth map of a Gaussian can make. The noise spreads it out on a side
    of the threshold where no signal is, and cutting at the threshold takes it back without a trace.

    Parameters
    ----------
    energies : array
        At least zero.
    threshold : float
        Above zero, in the same unit.
    seed : int or numpy Generator
    noise : (float, float)
        Ends of the noise in thresholds, in order and within 0 and 1. With the upper one below 1 there is a gap, in
        which a smooth generator can round off the end of the noise.

    Returns
    -------
    array
        Like `energies`, all above zero.

    Raises
    ------
    ValueError
        If an energy is negative or not finite, the threshold is not above zero, or the ends of the noise are not in
        order within 0 and 1.

    Examples
    --------
    >>> filled = fill_below_threshold(np.array([0.0, 3.0]), 0.5)
    >>> np.where(filled < 0.5, 0.0, filled)
    array([0., 3.])
    """
    energies = to_numpy("energies", energies)
    check_between("threshold", threshold, 0, np.inf)
    if not np.all(energies >= 0):
        raise ValueError(f"energies: found a smallest of {energies.min():.4g}, expected at least zero")
    low, high = noise
    if not 0 <= low < high <= 1:
        raise ValueError(f"noise: found {noise}, expected two numbers in order within 0 and 1")
    drawn = threshold * (high - (high - low) * np.random.default_rng(seed).random(energies.shape))  # above zero
    return np.where(energies < threshold, np.minimum(drawn, np.nextafter(threshold, 0)), energies)


def scale_to_layers(cells, layers, threshold):
    """Scale the cells of each layer to the energy of the layer, and keep only those above the threshold.

    The two wishes disturb each other: a scaled cell may fall below the threshold, and removing it asks for another
    scale. With the cells of a layer in falling order, r_1 > r_2 > ..., the smallest of the k first has the energy
    E r_k / (r_1 + ... + r_k) after scaling. This falls with k, so there is a largest k that keeps all above the
    threshold.

    Parameters
    ----------
    cells : array, (n, layers, cells)
        Energies before scaling, above zero.
    layers : array, (n, layers)
        Energies of the layers. Those below the threshold are taken as empty.
    threshold : float
        Smallest energy of a cell.

    Returns
    -------
    array, (n, layers, cells)
        Each zero or at least the threshold; each layer sums to its energy. The order of the cells is kept.

    Raises
    ------
    ValueError
        If the shapes disagree, a cell is not above zero, or a layer has a negative energy.

    Examples
    --------
    >>> scale_to_layers(np.array([[[6.0, 3.0, 1.0]]]), np.array([[9.0]]), 1.0)  # the last would get 0.9
    array([[[6., 3., 0.]]])
    """
    cells = to_numpy("cells", cells, ("n", "layers", "cells"))
    layers = to_numpy("layers", layers, cells.shape[:2])
    check_between("threshold", threshold, 0, np.inf)
    if not np.all(cells > 0) or not np.all(layers >= 0):
        raise ValueError("cells, layers: found values of zero or less, expected cells above and layers of at least 0")
    order = np.argsort(-cells, axis=2)
    falling = np.take_along_axis(cells, order, axis=2)
    kept = falling * layers[..., None] >= threshold * np.cumsum(falling, axis=2)
    falling = np.where(kept, falling, 0.0)
    scaled = falling * (layers / np.maximum(falling.sum(2), np.finfo(cells.dtype).tiny))[..., None]
    result = np.zeros_like(cells)
    np.put_along_axis(result, order, scaled, axis=2)
    return result
