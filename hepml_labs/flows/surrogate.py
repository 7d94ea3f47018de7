r"""Unweighting with a look-up table of the matrix element: the expensive integrand is called for few events only.

Two stages :cite:`danziger2022surrogate`: accept against a fast surrogate s of the weight w, call the truth for the
survivors alone, and accept those against the ratio x = w/s. Whatever the surrogate, the result is unbiased.
"""

from typing import NamedTuple

import numpy as np

from hepml_labs.flows.importance_sampling import reference_weight
from hepml_labs.validation import check_array, check_between, to_numpy

__all__ = ["TwoStage", "effective_gain", "two_stage_unweight"]


class TwoStage(NamedTuple):
    """Events that passed both stages.

    Attributes
    ----------
    indices : array of int, (accepted,)
    weights : array, (accepted,)
        One, or more where a reference weight was exceeded.
    calls : int
        Calls of the true weight.
    first, second : float
        Shares of events that pass each stage.
    kish : float
        Effective over actual number of accepted events, :math:`(\\sum v)^2 / (n\\sum v^2)`: the price of weights
        above one.
    """

    indices: np.ndarray
    weights: np.ndarray
    calls: int
    first: float
    second: float
    kish: float


def two_stage_unweight(surrogate, truth, largest_ratio, maximum=None, seed=0):
    r"""Unweight against a surrogate, then against the truth.

    Parameters
    ----------
    surrogate : array, (n,)
        Surrogate s of the weights, positive: phase-space weight times surrogate of the matrix element.
    truth : callable
        Array of indices (k,) to their true weights (k,). Called once, for the survivors of the first stage.
    largest_ratio : float
        Reference for x = w/s, from a pilot sample with `reference_weight`.
    maximum : float, optional
        Reference for s, by default its largest value.
    seed : int

    Returns
    -------
    TwoStage

    Raises
    ------
    ValueError
        If a weight is not finite, a surrogate not positive, a true weight negative, or a reference not positive.

    Notes
    -----
    An event is accepted with the probability :math:`\min(1, s/s_0)\min(1, x/x_0)` and carries the weight
    :math:`\max(1, s/s_0)\max(1, x/x_0)`: the product is :math:`w/(s_0x_0)` for every s.

    Examples
    --------
    >>> weights = np.random.default_rng(1).exponential(size=10_000)
    >>> found = two_stage_unweight(np.sqrt(weights), lambda i: weights[i], largest_ratio=3.0)
    >>> bool(found.calls < 5000)
    True
    """
    surrogate = to_numpy("surrogate", surrogate, ("n",), positive=True).astype(np.float64)
    maximum = reference_weight(surrogate) if maximum is None else float(maximum)
    for name, value in (("largest_ratio", largest_ratio), ("maximum", maximum)):
        check_between(name, value, 0, np.inf)
    random = np.random.default_rng(seed)
    called = np.flatnonzero(random.random(len(surrogate)) < surrogate / maximum)
    if not len(called):
        raise ValueError("surrogate: no event passed the first stage, expected more events or a smaller maximum")
    true = np.asarray(truth(called), dtype=np.float64)
    check_array("truth", true, (len(called),))
    if true.min() < 0:
        raise ValueError(f"truth: found a smallest weight of {true.min():.4g}, expected none below zero")
    ratio = true / surrogate[called]
    passed = random.random(len(called)) < ratio / largest_ratio
    indices = called[passed]
    weights = np.maximum(1, surrogate[indices] / maximum) * np.maximum(1, ratio[passed] / largest_ratio)
    kish = weights.sum() ** 2 / (len(weights) * (weights**2).sum()) if len(weights) else 0.0
    shares = len(called) / len(surrogate), len(indices) / len(called)
    return TwoStage(indices, weights, len(called), *shares, float(kish))


def effective_gain(cost_ratio, efficiency, first, second, kish=1.0):
    r"""How much faster unweighted events come with a surrogate.

    Parameters
    ----------
    cost_ratio : float
        Time of the surrogate over time of the truth, per event.
    efficiency : float
        Unweighting efficiency without surrogate.
    first, second : float
        Efficiencies of the two stages.
    kish : float
        As in `TwoStage`.

    Returns
    -------
    float
        :math:`\alpha\,\epsilon_2 \,/\, [\epsilon\,(1 + r/\epsilon_1)]`. For one event the old way takes
        :math:`1/\epsilon` calls of the truth; the new one :math:`1/(\alpha\epsilon_2)` calls of the truth and
        :math:`1/(\alpha\epsilon_1\epsilon_2)` of the surrogate.

    Raises
    ------
    ValueError
        If an efficiency is outside of (0, 1] or the cost ratio is negative.

    Notes
    -----
    Danziger et al. :cite:`danziger2022surrogate`; the training of the surrogate is not counted.

    Examples
    --------
    A perfect surrogate that costs nothing saves all rejected calls:

    >>> effective_gain(0.0, efficiency=0.01, first=0.01, second=1.0)
    100.0
    """
    check_between("cost_ratio", cost_ratio, 0, np.inf, include_low=True)
    for name, value in (("efficiency", efficiency), ("first", first), ("second", second), ("kish", kish)):
        check_between(name, value, 0, 1, include_high=True)
    return kish * second / (efficiency * (1 + cost_ratio / first))
