"""The gold of a simulator: joint likelihood ratios and scores from weights that are quadratic in the parameters.

Event i has the weight ``coefficients[i] @ monomials(theta)``, in pb, at every theta. The weights of all events at one
theta sum to the cross-section there. Ratios and scores below are those of normalised densities.
"""

from typing import NamedTuple

import numpy as np

from hepml_labs.physics.morphing import monomial_gradients, monomials, parameters_of
from hepml_labs.validation import check_count, to_numpy

__all__ = ["TrainingSample", "augment", "cross_section", "draw", "joint_log_ratio", "joint_score"]


class TrainingSample(NamedTuple):
    """Unweighted events with their gold, n of them with d observables and p parameters.

    Attributes
    ----------
    x : array (n, d)
        Observables.
    theta : array (n, p)
        Parameters of the numerator.
    label : array (n,)
        1: the event was drawn from the numerator p(x|theta). 0: from the reference.
    log_ratio : array (n,)
        Joint log ratio of numerator and reference.
    score : array (n, p)
        Joint score at `theta`.
    """

    x: np.ndarray
    theta: np.ndarray
    label: np.ndarray
    log_ratio: np.ndarray
    score: np.ndarray


def _check(coefficients, theta, name="theta"):
    """Coefficients (n, K) and theta, (p,) or (n, p), as arrays; theta comes back as (1, p) or (n, p)."""
    coefficients = to_numpy("coefficients", coefficients, ("n", "K"))
    theta = np.asarray(theta, dtype=np.float64)
    p = parameters_of(coefficients.shape[1])
    if theta.shape not in {(p,), (len(coefficients), p)}:
        raise ValueError(f"{name}: found shape {theta.shape}, expected ({p},) or ({len(coefficients)}, {p})")
    return coefficients, to_numpy(name, np.atleast_2d(theta))


def _weights(coefficients, theta, name):
    """Weights at theta, all above zero: the density of an event may not vanish where a ratio is formed."""
    weights = (coefficients * monomials(theta)).sum(axis=1)
    if not (weights > 0).all():
        raise ValueError(
            f"coefficients: found {(weights <= 0).sum()} of {len(weights)} weights at or below zero at {name}, "
            "expected all above"
        )
    return weights


def _total(coefficients, total):
    """Coefficients of the cross-section, (1, K), in double precision."""
    if total is None:
        return coefficients.sum(axis=0, dtype=np.float64, keepdims=True)
    return to_numpy("total", np.asarray(total, dtype=np.float64), (coefficients.shape[1],))[None]


def cross_section(coefficients, theta):
    """Cross-section of a sample, quadratic in the parameters.

    Parameters
    ----------
    coefficients : array (n, K)
        Of the weights, in pb.
    theta : array (m, p)
        Parameters.

    Returns
    -------
    array (m,)
        Sum of the weights at each theta, in pb.

    Raises
    ------
    ValueError
        If shapes do not fit, or an entry is not finite.

    Examples
    --------
    >>> cross_section(np.array([[1.0, 0.2, 0.1], [2.0, 0.0, 0.3]]), np.array([[0.0], [1.0]]))
    array([3. , 3.6])
    """
    coefficients = to_numpy("coefficients", coefficients, ("n", "K"))
    theta = to_numpy("theta", theta, ("m", parameters_of(coefficients.shape[1])))
    return (monomials(theta) @ _total(coefficients, None)[0]).astype(coefficients.dtype)


def joint_log_ratio(coefficients, theta, reference, total=None):
    """Log of r(x, z|theta) = p(x, z|theta) / p(x, z|reference), exactly known event by event.

    Everything after the hard process cancels (Brehmer et al., arXiv:1805.00020): what remains is the
    ratio of the weights, over the ratio of the cross-sections.

    Parameters
    ----------
    coefficients : array (n, K)
        Of the weights.
    theta : array (p,) or (n, p)
        Parameters of the numerator, for all events or for each.
    reference : array (p,) or (n, p)
        Parameters of the denominator.
    total : array (K,), optional
        Of the cross-section; by default the sum over the events.

    Returns
    -------
    array (n,)
        The mean of its exponential over events of the reference is one.

    Raises
    ------
    ValueError
        If shapes do not fit, an entry is not finite, or a weight is not above zero.

    Examples
    --------
    >>> coefficients = np.array([[1.0, 2.0, 1.0], [1.0, 0.0, 0.0]])  # weights (1 + theta)^2 and 1
    >>> joint_log_ratio(coefficients, np.array([1.0]), np.array([0.0])).round(3)  # log 4 and log 1, less log 5/2
    array([ 0.47 , -0.916])
    """
    coefficients, theta = _check(coefficients, theta)
    _, reference = _check(coefficients, reference, "reference")
    total = _total(coefficients, total)
    ratio = _weights(coefficients, theta, "theta") / _weights(coefficients, reference, "reference")
    norm = _weights(total, theta, "theta") / _weights(total, reference, "reference")
    return np.log(ratio / norm).astype(coefficients.dtype)


def joint_score(coefficients, theta, total=None):
    """Score t(x, z|theta), the gradient of log p(x, z|theta) in theta, exactly known event by event.

    Parameters
    ----------
    coefficients, theta, total
        As for `joint_log_ratio`, which also says what raises a ValueError; the gradient is taken at `theta`.

    Returns
    -------
    array (n, p)
        Its mean over events drawn at theta is zero.

    Examples
    --------
    >>> coefficients = np.array([[1.0, 2.0, 1.0], [1.0, 0.0, 0.0]])
    >>> joint_score(coefficients, np.array([0.0]))  # 2 and 0, less 2/2
    array([[ 1.],
           [-1.]])
    """
    coefficients, theta = _check(coefficients, theta)
    total = _total(coefficients, total)
    gradients = monomial_gradients(theta)

    def slope(values):
        return np.einsum("nk,nkp->np", values, gradients) / _weights(values, theta, "theta")[:, None]

    return (slope(coefficients) - slope(total)).astype(coefficients.dtype)


def draw(coefficients, theta, n, seed=0):
    """Draw unweighted events: each with a probability in proportion to its weight at theta, with replacement.

    Parameters
    ----------
    coefficients : array (N, K)
        Of the weights.
    theta : array (p,) or (n, p)
        Parameters, one for all draws or one for each.
    n : int
        Number of draws.
    seed : int or numpy.random.Generator
        Source of the draws.

    Returns
    -------
    array (n,) of int
        Indices of the events; an event with a large weight comes more than once.

    Raises
    ------
    ValueError
        If shapes do not fit, an entry is not finite, or the cross-section is not above zero.

    Notes
    -----
    The running sum of the weights is quadratic in theta as well, with the running sums of the coefficients. So the
    cumulative distribution at *any* theta is looked up by bisection, K products a step, and every draw may have a
    theta of its own.

    Examples
    --------
    >>> np.bincount(draw(np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 3.0]]), np.array([1.0]), 4000)) / 4000
    array([0.2535, 0.7465])
    """
    check_count("n", n)
    coefficients = to_numpy("coefficients", coefficients, ("n", "K"))
    p = parameters_of(coefficients.shape[1])
    theta = np.asarray(theta, dtype=np.float64)
    if theta.shape not in {(p,), (n, p)}:
        raise ValueError(f"theta: found shape {theta.shape}, expected ({p},) or ({n}, {p})")
    theta = to_numpy("theta", np.broadcast_to(theta, (n, p)))
    running = coefficients.cumsum(axis=0, dtype=np.float64)
    powers = monomials(theta)
    height = np.random.default_rng(seed).random(n) * _weights(running[-1:], theta, "theta")
    low, high = np.zeros(n, dtype=np.int64), np.full(n, len(running) - 1)
    while (low < high).any():  # the first event whose running sum is above the height
        middle = (low + high) // 2
        above = np.einsum("nk,nk->n", running[middle], powers) > height
        low, high = np.where(above, low, middle + 1), np.where(above, middle, high)
    return low


def augment(observables, coefficients, thetas, reference, n, seed=0):
    """Make a balanced training sample of unweighted events with their gold.

    For each theta one half of the events comes from p(x|theta), label 1, the other from the reference, label 0
    (arXiv:1805.00020; MadMiner counts the labels the other way round).

    Parameters
    ----------
    observables : array (N, d)
        Of the weighted events.
    coefficients : array (N, K)
        Of their weights.
    thetas : array (m, p)
        Parameters of the numerators, each with an equal share; m may be as large as n / 2.
    reference : array (p,)
        Parameters of the denominator.
    n : int
        Events to draw, even. Draws are with replacement: keep n below N for events that differ.
    seed : int
        Of the draws and their order.

    Returns
    -------
    TrainingSample
        In the type of the observables, in random order.

    Raises
    ------
    ValueError
        If shapes do not fit, `n` is odd, an entry is not finite, or the weight of a drawn event is not above zero.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(5000, 1))
    >>> sample = augment(x, np.hstack([x**0, 0.2 * x, 0.1 * x**2]), np.array([[-1.0], [1.0]]), np.array([0.0]), 1000)
    >>> sample.x.shape, sample.label.mean()
    ((1000, 1), np.float64(0.5))
    """
    observables = to_numpy("observables", observables, ("n", "d"))
    coefficients = to_numpy("coefficients", coefficients, (len(observables), "K"))
    check_count("n", n, minimum=2)
    if n % 2:
        raise ValueError(f"n: found {n}, expected an even number: one half from the numerator, one from the reference")
    thetas = to_numpy("thetas", np.asarray(thetas, dtype=np.float64), ("m", parameters_of(coefficients.shape[1])))
    rng = np.random.default_rng(seed)
    choice = np.resize(rng.permutation(len(thetas)), n // 2)
    theta = thetas[np.concatenate([choice, choice])]
    index = np.concatenate(
        [draw(coefficients, theta[: n // 2], n // 2, rng), draw(coefficients, reference, n // 2, rng)]
    )
    order = rng.permutation(n)
    theta, index, label = theta[order], index[order], (order < n // 2)
    total = _total(coefficients, None)[0]
    log_ratio = joint_log_ratio(coefficients[index], theta, reference, total)
    score = joint_score(coefficients[index], theta, total)
    kind = observables.dtype
    return TrainingSample(observables[index], *(part.astype(kind) for part in (theta, label, log_ratio, score)))
