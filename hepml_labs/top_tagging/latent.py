"""What a hidden layer knows: its principal components, and their correlations with observables.

Following Vent, Winterhalder and Plehn, arXiv:2507.21214, who look into a ParticleNet for quark and gluon jets.
"""

from typing import NamedTuple

import numpy as np
import torch

from hepml_labs.training import predict
from hepml_labs.validation import check_array, check_count

__all__ = ["PrincipalComponents", "correlations", "linear_remainder", "principal_components", "tap"]


def tap(network, layer, *inputs, batch_size=1024):
    """Evaluate a network and listen in at one of its layers.

    Parameters
    ----------
    network : torch.nn.Module
        Called as ``network(*batch)`` in evaluation mode.
    layer : torch.nn.Module
        One of its modules, used once in the forward pass, with one row per event in its output: ``network.head[0]``.
    *inputs : tensor
        As for `hepml_labs.training.predict`.
    batch_size : int
        Events per call.

    Returns
    -------
    array, (n, size)
        Output of the layer.

    Raises
    ------
    ValueError
        If the layer is not part of the network, does not give one row for each event, or has its rows in another order:
        some networks sort their events inside.

    Examples
    --------
    >>> from torch import nn
    >>> network = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 1))
    >>> tap(network, network[1], torch.ones(10, 3)).shape
    (10, 5)
    """
    if not any(layer is module for module in network.modules()):
        raise ValueError(f"layer: found {type(layer).__name__}, expected a module of the network")
    output = _listen(network, layer, inputs, batch_size)
    if len(output) != len(inputs[0]):
        raise ValueError(f"layer: found {len(output)} rows in its output, expected {len(inputs[0])}, one per event")
    few = [tensor[:16].flip(0) for tensor in inputs]
    if not torch.allclose(_listen(network, layer, few, 16).flip(0), output[:16], rtol=1e-2, atol=1e-3):
        raise ValueError("layer: expected one whose rows are in the order of the events")
    return output.numpy()


def _listen(network, layer, inputs, batch_size):
    heard = []
    handle = layer.register_forward_hook(lambda module, arguments, output: heard.append(output.detach().cpu()))
    try:
        predict(network, *inputs, batch_size=batch_size)
    finally:
        handle.remove()
    return torch.cat(heard)


class PrincipalComponents(NamedTuple):
    """The directions in which data vary most.

    Attributes
    ----------
    mean : array, (features,)
    directions : array, (components, features)
        Orthonormal rows, largest variance first. The sign is free: the largest entry of each is made positive.
    variances : array, (components,)
    shares : array, (components,)
        Variances in units of the total variance.
    """

    mean: np.ndarray
    directions: np.ndarray
    variances: np.ndarray
    shares: np.ndarray

    def transform(self, x):
        """Coordinates ``(n, components)`` of data ``(n, features)`` along the directions."""
        check_array("x", x, ("n", len(self.mean)))
        return (x - self.mean) @ self.directions.T


def principal_components(x, components=5):
    """Find the orthogonal directions of largest variance, by a singular value decomposition.

    Parameters
    ----------
    x : array, (n, features)
    components : int
        How many directions to keep.

    Returns
    -------
    PrincipalComponents

    Raises
    ------
    ValueError
        If there are fewer events or features than components, or the data do not vary.

    Notes
    -----
    With the centred data X = U S V^T, the covariance X^T X / (n - 1) has the eigenvectors V and the eigenvalues
    S^2 / (n - 1). In the coordinates X V it is diagonal: principal components are uncorrelated.

    Examples
    --------
    >>> line = np.linspace(-1, 1, 50)[:, None] * [3.0, 4.0]
    >>> found = principal_components(line, components=2)
    >>> found.directions[0].round(3), found.shares.round(3)
    (array([0.6, 0.8]), array([1., 0.]))
    """
    check_array("x", x, ("n", "features"))
    check_count("components", components)
    if min(x.shape) < components or len(x) < 2:
        raise ValueError(f"components: found {components}, expected at most the {min(x.shape)} that x has")
    mean = x.mean(axis=0)
    _, singular, directions = np.linalg.svd(x - mean, full_matrices=False)
    variances = singular**2 / (len(x) - 1)
    if not variances[0] > 0:
        raise ValueError("x: found data that do not vary")
    largest = np.take_along_axis(directions, np.abs(directions).argmax(axis=1)[:, None], axis=1)
    directions = directions * np.sign(largest)
    return PrincipalComponents(
        mean, directions[:components], variances[:components], (variances / variances.sum())[:components]
    )


def correlations(x, y):
    """Linear (Pearson) correlation of each column of one array with each column of another.

    Parameters
    ----------
    x : array, (n, p)
    y : array, (n, q)

    Returns
    -------
    array, (p, q)
        From -1 to 1. Independent columns have a spread of about 1 / sqrt(n).

    Raises
    ------
    ValueError
        If shapes differ, or a column does not vary.

    Examples
    --------
    >>> x = np.arange(4.0)[:, None]
    >>> correlations(x, np.column_stack([2 * x, -x, (x - 1.5) ** 2])).round(3) + 0.0
    array([[ 1., -1.,  0.]])
    """
    check_array("x", x, ("n", "p"))
    check_array("y", y, (len(x), "q"))
    standard = []
    for name, values in (("x", x), ("y", y)):
        scale = values.std(axis=0)
        if not (scale > 0).all():
            raise ValueError(f"{name}: found a column that does not vary, which has no correlation")
        standard.append((values - values.mean(axis=0)) / scale)
    return standard[0].T @ standard[1] / len(x)


def linear_remainder(target, known):
    """What is left of observables when all that is linear in known ones has been taken off.

    Parameters
    ----------
    target : array, (n,) or (n, p)
        Observables to be cleaned.
    known : array, (n,) or (n, q)
        What they shall not repeat.

    Returns
    -------
    array, shape of `target`
        Mean zero, and zero linear correlation with each column of `known`: the residual of a least-squares fit.

    Raises
    ------
    ValueError
        If lengths differ.

    Notes
    -----
    Uncorrelated is not independent: what is *not* linear in `known` stays.

    Examples
    --------
    >>> n = np.arange(5.0)
    >>> linear_remainder(n**2, n)  # the parabola without its straight line
    array([ 2., -1., -2., -1.,  2.])
    """
    check_array("target", target)
    check_array("known", known)
    if len(target) != len(known):
        raise ValueError(f"known: found {len(known)} rows, expected {len(target)} like target")
    known = np.reshape(known, (len(known), -1))
    design = np.column_stack([np.ones(len(known)), (known - known.mean(axis=0))])
    return target - design @ np.linalg.lstsq(design, target, rcond=None)[0]
