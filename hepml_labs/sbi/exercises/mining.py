"""Exercises of the lab "Mining gold"."""

import numpy as np

from hepml_labs.physics.higgs_vertices import quadratic_coefficients
from hepml_labs.physics.morphing import Morphing, monomial_gradients, monomials
from hepml_labs.teaching import Exercise, Mistake

_FIRST, _SECOND = np.triu_indices(3)
_BENCHMARKS = np.array([[0, 0], [0.5, 0], [-0.5, 0], [0, 0.5], [0, -0.5], [0.5, 0.5]])


def morphing_weights(benchmarks, theta):
    """Weights that give a quadratic polynomial at theta from its values at six benchmarks.

    Parameters
    ----------
    benchmarks : array of shape (6, 2)
    theta : array of shape (m, 2)

    Returns
    -------
    array of shape (m, 6)

    Examples
    --------
    >>> morphing_weights(_BENCHMARKS, _BENCHMARKS[:2]).round(9) + 0.0
    array([[1., 0., 0., 0., 0., 0.],
           [0., 1., 0., 0., 0., 0.]])
    """
    return Morphing(benchmarks).weights(theta)


def event_log_ratio(coefficients, theta, reference):
    """Joint log ratio of normalised densities, from the coefficients of the weights.

    Parameters
    ----------
    coefficients : array of shape (n, 6)
    theta, reference : arrays of shape (2,)

    Returns
    -------
    array of shape (n,)

    Examples
    --------
    >>> coefficients = np.array([[1.0, 2.0, 0, 1.0, 0, 0], [1.0, 0, 0, 0, 0, 0]])   # weights (1 + t1)^2 and 1
    >>> event_log_ratio(coefficients, np.array([1.0, 0.0]), np.zeros(2)).round(3)     # log 4, log 1, less log 5/2
    array([ 0.47 , -0.916])
    """
    above, below = (coefficients @ monomials(point[None])[0] for point in (theta, reference))
    return np.log(above / above.sum()) - np.log(below / below.sum())


def event_score(coefficients, theta):
    """Joint score of normalised densities, from the coefficients of the weights.

    Parameters
    ----------
    coefficients : array of shape (n, 6)
    theta : array of shape (2,)

    Returns
    -------
    array of shape (n, 2)

    Examples
    --------
    >>> coefficients = np.array([[1.0, 2.0, 0, 1.0, 0, 0], [1.0, 0, 0, 0, 0, 0]])   # weights (1 + t1)^2 and 1
    >>> event_score(coefficients, np.zeros(2))                                        # 2 and 0, less their mean
    array([[ 1.,  0.],
           [-1.,  0.]])
    """
    m, gradient = monomials(theta[None])[0], monomial_gradients(theta[None])[0]
    weight, slope = coefficients @ m, coefficients @ gradient
    return slope / weight[:, None] - slope.sum(axis=0) / weight.sum()


def _amplitudes(rng):
    return (rng.normal(size=(7, 3)) + 1j * rng.normal(size=(7, 3)),)


def _events(rng, n=9):
    parts = rng.normal(size=(2, n, 3)) + 1j * rng.normal(size=(2, n, 3))
    return quadratic_coefficients(parts).sum(axis=0) * rng.uniform(0.1, 0.3)


def _event_inputs(rng):
    return _events(rng), rng.uniform(-0.5, 0.5, 2), rng.uniform(-0.5, 0.5, 2)


def _score_inputs(rng):
    return _events(rng), rng.uniform(-0.5, 0.5, 2)


def _morphing_inputs(rng):
    return _BENCHMARKS + rng.uniform(-0.05, 0.05, (6, 2)), rng.uniform(-0.6, 0.6, (4, 2))


def _products(a, factor=2.0, conjugate=True, part=np.real):
    left = a[:, _FIRST].conj() if conjugate else a[:, _FIRST]
    return part(left * a[:, _SECOND]) * np.where(_FIRST == _SECOND, 1.0, factor)


def _weight(c, t):
    return c @ monomials(t[None])[0]


def _slope(c, t):
    return c @ monomial_gradients(t[None])[0]


EXERCISES = [
    Exercise(
        name="sbi.squared_amplitude",
        reference=quadratic_coefficients,
        inputs=_amplitudes,
        mistakes=(
            Mistake(
                "Interferences appear twice in the square, once as A*B and once as B*A: a factor two is missing.",
                lambda a: _products(a, factor=1.0),
            ),
            Mistake(
                "One of the two amplitudes has to be conjugated: |A|^2 = A* A.",
                lambda a: _products(a, conjugate=False),
            ),
            Mistake(
                "Moduli multiplied: the phase between two amplitudes decides on the sign of their interference.",
                lambda a: _products(np.abs(a)),
            ),
            Mistake(
                "The columns are ordered as 1, t1, t2, t1^2, t1 t2, t2^2: here the square of t1 stands before t2.",
                lambda a: _products(a)[:, [0, 1, 3, 2, 4, 5]],
            ),
        ),
        hints=(
            "Write |A0 + t1 A1 + t2 A2|^2 as a product with its conjugate, and collect the powers of t1 and t2.",
            "A square gives np.abs(A1) ** 2. A mixed term gives A0* A1 + A1* A0 = 2 Re(A0* A1).",
            "a0, a1, a2 = amplitudes.T; the second column is 2 * (a0.conj() * a1).real, the fifth "
            "2 * (a1.conj() * a2).real; np.stack([...], axis=1)",
        ),
    ),
    Exercise(
        name="sbi.morphing_weights",
        reference=morphing_weights,
        inputs=_morphing_inputs,
        mistakes=(
            Mistake(
                "The matrix of the benchmarks enters transposed: row k of the system says that monomial k comes out "
                "right, and it sums over benchmarks.",
                lambda b, t: np.linalg.solve(monomials(b), monomials(t).T).T,
            ),
            Mistake(
                "One row for each theta, one column for each benchmark: transposed.",
                lambda b, t: morphing_weights(b, t).T,
            ),
            Mistake(
                "This inverts the benchmarks' matrix, but the monomials at theta are not yet in it.",
                lambda b, t: np.linalg.inv(monomials(b)),
            ),
            Mistake(
                "Weights of both signs are right: a polynomial can lie outside of its values at the benchmarks.",
                lambda b, t: np.abs(morphing_weights(b, t)),
            ),
        ),
        hints=(
            "The weights must be right for every quadratic polynomial, so for each of the six monomials: "
            "sum_b w_b m_k(theta_b) = m_k(theta).",
            "With M = monomials(benchmarks), of shape (6, 6): w @ M = monomials(theta).",
            "monomials(theta) @ np.linalg.inv(monomials(benchmarks))",
        ),
    ),
    Exercise(
        name="sbi.event_log_ratio",
        reference=event_log_ratio,
        inputs=_event_inputs,
        mistakes=(
            Mistake(
                "This is the ratio of differential cross-sections. Densities are normalised: divide each weight by the "
                "sum of the weights at its theta.",
                lambda c, t, r: np.log(_weight(c, t) / _weight(c, r)),
            ),
            Mistake(
                "Upside down: theta belongs to the numerator, the reference below.",
                lambda c, t, r: event_log_ratio(c, r, t),
            ),
            Mistake("The logarithm is missing.", lambda c, t, r: np.exp(event_log_ratio(c, t, r))),
            Mistake(
                "The cross-sections are the wrong way round: p(z|theta) is the weight divided by sigma(theta).",
                lambda c, t, r: 2 * np.log(_weight(c, t) / _weight(c, r)) - event_log_ratio(c, t, r),
            ),
        ),
        hints=(
            "The weight of an event at theta is coefficients @ monomials(theta[None])[0].",
            "p(z|theta) is weight / weight.sum(): the sum over the events is the cross-section.",
            "Compute above and below, the weights at theta and at the reference; then "
            "np.log(above / above.sum()) - np.log(below / below.sum()).",
        ),
    ),
    Exercise(
        name="sbi.event_score",
        reference=event_score,
        inputs=_score_inputs,
        mistakes=(
            Mistake(
                "The gradient of the log of the WEIGHT. The density has a sigma(theta) below, and its gradient counts.",
                lambda c, t: _slope(c, t) / _weight(c, t)[:, None],
            ),
            Mistake(
                "The gradient of the weight itself. Of its logarithm: divide by the weight.",
                lambda c, t: _slope(c, t) - _slope(c, t).mean(axis=0),
            ),
            Mistake(
                "The mean over the events, each counted once, is not the gradient of log sigma: events count with "
                "their weights.",
                lambda c, t: (
                    (_slope(c, t) / _weight(c, t)[:, None]) - (_slope(c, t) / _weight(c, t)[:, None]).mean(axis=0)
                ),
            ),
            Mistake("The sign is turned.", lambda c, t: -event_score(c, t)),
        ),
        hints=(
            "log p = log weight - log sigma, with sigma the sum of the weights. Take the gradient of both.",
            "The gradient of the weight is coefficients @ monomial_gradients(theta[None])[0], of shape (n, 2).",
            "slope / weight[:, None] - slope.sum(axis=0) / weight.sum()",
        ),
    ),
]
