"""Shapley values: a fair share for each input in the output of any model, exact for few inputs or by sampling.

What a set of inputs is "worth" must be defined first, and everything hangs on it:

- `marginal_values`: the other inputs are drawn from background events, *independently* of the known ones. This is what
  the SHAP package does, and it evaluates the model on events that do not exist where inputs are correlated.
- `conditional_values`: the other inputs are drawn from background events that *agree* with the known ones.
"""

from math import comb
from typing import NamedTuple

import numpy as np

from hepml_labs.validation import check_array, check_count

__all__ = ["Sampled", "coalitions", "conditional_values", "marginal_values", "sampled_shapley", "shapley_values"]

LARGEST = 12  # inputs, for 4096 coalitions


class Sampled(NamedTuple):
    """Shapley values from random permutations.

    Attributes
    ----------
    value : array, (n, d)
    error : array, (n, d)
        Standard error from the finite number of permutations.
    """

    value: np.ndarray
    error: np.ndarray


def coalitions(features):
    """All subsets of the inputs; row k holds the inputs whose bit is set in k.

    Parameters
    ----------
    features : int
        Number of inputs d, at most 12.

    Returns
    -------
    bool array, (2**d, d)

    Raises
    ------
    ValueError
        If there are too many inputs to visit all subsets.

    Examples
    --------
    >>> coalitions(2).astype(int).tolist()
    [[0, 0], [1, 0], [0, 1], [1, 1]]
    """
    check_count("features", features)
    if features > LARGEST:
        raise ValueError(f"features: found {features}, expected at most {LARGEST}: sample permutations instead")
    return (np.arange(2**features)[:, None] >> np.arange(features) & 1).astype(bool)


def marginal_values(model, x, background):
    r"""Worth of all coalitions when unknown inputs come from the background, whatever the known ones are.

    .. math:: v_S(x) = \frac1m \sum_{b=1}^m f(x_S, x^b_{\bar S})

    Parameters
    ----------
    model : callable
        ``model(array (k, d))`` returns ``(k,)``: log-odds, say.
    x : array, (n, d)
        Events to explain.
    background : array, (m, d)
        Events to average over; 100 will do.

    Returns
    -------
    array, (2**d, n)
        In the order of `coalitions`. The model is called with n * m events at a time.

    Raises
    ------
    ValueError
        If shapes do not fit.

    Notes
    -----
    Lundberg and Lee, arXiv:1705.07874, with the assumption of independent features (their equation 11).

    Examples
    --------
    >>> marginal_values(lambda x: x[:, 0] * x[:, 1], np.array([[2.0, 3.0]]), np.array([[0.0, 1.0]])).ravel()
    array([0., 2., 0., 6.])
    """
    _check(x, background)
    worth = []
    for known in coalitions(x.shape[1]):
        mixed = np.where(known, x[:, None, :], background[None, :, :])
        worth.append(model(mixed.reshape(-1, x.shape[1])).reshape(len(x), -1).mean(axis=1))
    return np.stack(worth)


def conditional_values(model, x, background, neighbors=50):
    r"""Worth of all coalitions when unknown inputs come from background events that agree in the known ones.

    .. math:: v_S(x) = \langle f(X) \,|\, X_S = x_S \rangle

    Parameters
    ----------
    model, x, background
        As `marginal_values`; some thousand background events, which should not include x.
    neighbors : int
        The expectation is the mean over so many background events, the nearest in the known inputs.

    Returns
    -------
    array, (2**d, n)
        In the order of `coalitions`. The model is called on real events only.

    Raises
    ------
    ValueError
        If shapes do not fit, or there are fewer background events than neighbours.

    Notes
    -----
    Lundberg and Lee, arXiv:1705.07874, equation 10; with nearest neighbours for the conditional density, in the
    spirit of Aas, Jullum and Loland, arXiv:1903.10464. Distances are Euclidean in units of the background's standard
    deviations; the full coalition is the model's own output. Too few neighbors are noisy, too many smear.

    Examples
    --------
    >>> twins = np.repeat(np.linspace(-1, 1, 201)[:, None], 2, axis=1)  # two inputs that are always equal
    >>> conditional_values(lambda x: x[:, 0], twins[150:151], twins, neighbors=3).ravel().round(2) + 0.0
    array([0. , 0.5, 0.5, 0.5])
    """
    _check(x, background)
    check_count("neighbors", neighbors)
    if neighbors > len(background):
        raise ValueError(f"neighbors: found {neighbors}, expected at most the {len(background)} background events")
    scale = background.std(axis=0)
    scale = np.where(scale > 0, scale, 1)
    output = model(background)
    squares = ((x[:, None, :] - background[None, :, :]) / scale).transpose(2, 0, 1) ** 2
    worth = [np.full(len(x), output.mean())]
    for known in coalitions(x.shape[1])[1:-1]:
        distance = squares[known].sum(axis=0)
        worth.append(output[np.argpartition(distance, neighbors - 1, axis=1)[:, :neighbors]].mean(axis=1))
    return np.stack([*worth, model(x)])


def shapley_values(worth):
    r"""Share the worth of the full coalition among the inputs.

    .. math:: \phi_j = \sum_{S \not\ni j} \frac{|S|!\,(d-|S|-1)!}{d!}\, (v_{S\cup j} - v_S)

    Parameters
    ----------
    worth : array, (2**d, n)
        Worth of all subsets, in the order of `coalitions`.

    Returns
    -------
    array, (n, d)
        The rows add up to the worth of all inputs minus the worth of none.

    Raises
    ------
    ValueError
        If the number of rows is no power of two.

    Notes
    -----
    Shapley (1953). The weight is the share of all d! orders in which exactly S comes before j.

    Examples
    --------
    >>> shapley_values(np.array([[0.0], [2.0], [0.0], [6.0]]))  # f = x1 x2 at (2, 3), background (0, 1)
    array([[4., 2.]])
    """
    check_array("worth", worth, ("coalitions", "n"))
    features = len(worth).bit_length() - 1
    if len(worth) != 2**features or features == 0:
        raise ValueError(f"worth: found {len(worth)} rows, expected 2**d, one for each coalition of d inputs")
    subsets = coalitions(features)
    values = np.empty((worth.shape[1], features))
    for j in range(features):
        without = np.flatnonzero(~subsets[:, j])
        weight = [1 / (features * comb(features - 1, int(size))) for size in subsets[without].sum(axis=1)]
        values[:, j] = np.array(weight) @ (worth[without + 2**j] - worth[without])
    return values


def sampled_shapley(model, x, background, permutations=50, seed=0):
    """Estimate marginal Shapley values without visiting all coalitions, for any number of inputs.

    Parameters
    ----------
    model, x, background
        As `marginal_values`. Each permutation takes one random background event.
    permutations : int
        Pairs of a random order of the inputs and its reverse, at least two.
    seed : int
        Seed of the draws.

    Returns
    -------
    Sampled
        Unbiased ``value`` and its ``error``. The model is called with 2 n (d + 1) events for each pair.

    Raises
    ------
    ValueError
        If shapes do not fit.

    Notes
    -----
    Strumbelj and Kononenko, Knowl. Inf. Syst. 41 (2014) 647, algorithm 1: go from the background event to x, one input
    after the other in a random order; what an input changes when its turn comes is one draw of its Shapley value. The
    reverse order costs one more walk and cancels part of the noise.

    Examples
    --------
    >>> found = sampled_shapley(lambda x: x @ [1.0, -2.0], np.array([[1.0, 1.0]]), np.zeros((5, 2)))
    >>> found.value, found.error
    (array([[ 1., -2.]]), array([[0., 0.]]))
    """
    _check(x, background)
    check_count("permutations", permutations, minimum=2)
    random = np.random.default_rng(seed)
    n, d = x.shape
    draws = np.zeros((permutations, n, d))
    for draw in draws:
        order = random.permutation(d)
        start = background[random.integers(len(background), size=n)]
        for walk in (order, order[::-1]):
            rank = np.argsort(walk)
            path = np.where(rank < np.arange(d + 1)[:, None, None], x, start)  # (d + 1, n, d)
            steps = np.diff(model(path.reshape(-1, d)).reshape(d + 1, n), axis=0)
            draw[:, walk] += steps.T / 2
    return Sampled(draws.mean(axis=0), draws.std(axis=0, ddof=1) / np.sqrt(permutations))


def _check(x, background):
    check_array("x", x, ("n", "d"))
    check_array("background", background, ("m", x.shape[1]))
