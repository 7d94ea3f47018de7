"""Exercises of the lab "B factory: continuum suppression": event shapes and Fisher's discriminant."""

import numpy as np

from hepml_labs.classification.fisher import FisherDiscriminant
from hepml_labs.physics.event_shapes import fox_wolfram_ratios
from hepml_labs.teaching import Exercise, Mistake
from hepml_labs.validation import check_array


def second_moment_ratio(momenta):
    """Ratio R_2 = H_2 / H_0 of Fox-Wolfram moments.

    Parameters
    ----------
    momenta : array, (n, particles, 3)
        In GeV.

    Returns
    -------
    array, (n,)
        0 for a sphere, 1 for two pencils back to back.

    Raises
    ------
    ValueError
        As :func:`hepml_labs.physics.event_shapes.fox_wolfram`.

    Examples
    --------
    >>> second_moment_ratio(np.array([[[0.0, 0.0, 2.0], [0.0, 0.0, -2.0]]]))
    array([1.])
    """
    return fox_wolfram_ratios(momenta, highest=2)[:, 2]


def axes_angle(first, second):
    """Cosine of the angle between two axes, which have no sign, so between 0 and 1.

    Parameters
    ----------
    first, second : array, (n, 3)
        Of any length above zero.

    Returns
    -------
    array, (n,)

    Raises
    ------
    ValueError
        If the shapes are others.

    Examples
    --------
    >>> axes_angle(np.array([[0.0, 0.0, 2.0]]), np.array([[0.0, 3.0, -4.0]]))
    array([0.8])
    """
    check_array("first", first, ("n", 3))
    check_array("second", second, (len(first), 3))
    product = np.abs((first * second).sum(1))
    return product / np.linalg.norm(first, axis=1) / np.linalg.norm(second, axis=1)


def fisher_coefficients(signal, background):
    """Coefficients of Fisher's discriminant from means and the covariance within the classes.

    Parameters
    ----------
    signal, background : array, (events, features)
        As many rows as there are events in each class.

    Returns
    -------
    array, (features,)
        In inverse units of the features.

    Raises
    ------
    ValueError
        As :class:`hepml_labs.classification.fisher.FisherDiscriminant`.

    Examples
    --------
    >>> fisher_coefficients(np.array([[3.0], [5.0]]), np.array([[-1.0], [1.0]]))
    array([4.])
    """
    label = np.repeat([1, 0], [len(signal), len(background)])
    return FisherDiscriminant().fit(np.concatenate([signal, background]), label).coefficients_


def _momenta(rng):
    return (rng.normal(size=(6, 7, 3)) * [0.4, 0.7, 1.5] + 0.2,)


def _moments(legendre, weight=lambda size: size, diagonal=1.0, norm=lambda size: size.sum(1) ** 2):
    """Give R_2 with something changed."""

    def wrong(momenta):
        size = np.linalg.norm(momenta, axis=2)
        unit, each = momenta / size[..., None], weight(size)
        terms = legendre(unit @ unit.swapaxes(1, 2)) * (1 - (1 - diagonal) * np.eye(momenta.shape[1]))
        return np.einsum("ni,nij,nj->n", each, terms, each) / norm(size)

    return wrong


def _second(cosine):
    return (3 * cosine**2 - 1) / 2


def _axes(rng):
    return rng.normal(size=(9, 3)) * rng.uniform(0.5, 3, size=(9, 1)), rng.normal(size=(9, 3))


def _product(first, second, power=0):
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return (first * second).sum(1) / lengths**power


def _classes(rng):
    mixing = rng.normal(size=(3, 3))
    signal = rng.normal(size=(40, 3)) @ mixing + rng.normal(size=3)
    return signal, rng.normal(size=(25, 3)) @ (mixing + 0.3 * rng.normal(size=(3, 3)))


def _discriminant(covariance, solve=np.linalg.solve):
    """Give the coefficients with another matrix."""
    return lambda signal, background: solve(covariance(signal, background), signal.mean(0) - background.mean(0))


def _scatter(signal, background):
    return sum(len(x) * np.cov(x.T, bias=True) for x in (signal, background))


def _within(signal, background):
    return _scatter(signal, background) / (len(signal) + len(background))


EXERCISES = [
    Exercise(
        name="classification.second_moment_ratio",
        reference=second_moment_ratio,
        inputs=_momenta,
        mistakes=(
            Mistake(
                "This is R_1, with the cosine itself. The second Legendre polynomial is (3 cos^2 - 1) / 2.",
                _moments(lambda cosine: cosine),
            ),
            Mistake(
                "You average cos^2. The second Legendre polynomial is (3 cos^2 - 1) / 2, which vanishes on a sphere.",
                _moments(np.square),
            ),
            Mistake(
                "The pairs with i = j are missing: the sums run over all i and all j.", _moments(_second, diagonal=0.0)
            ),
            Mistake(
                "Each particle counts the same in your sum. Weigh the pair with |p_i| |p_j|.",
                _moments(_second, np.ones_like, norm=lambda size: size.shape[1] ** 2),
            ),
            Mistake(
                "You divide by the sum of squared momenta. H_0 has all pairs in it: it is the square of the sum.",
                _moments(_second, norm=lambda size: (size**2).sum(1)),
            ),
        ),
        hints=(
            "Both sums run over all pairs of particles. `unit @ unit.swapaxes(1, 2)` has all cosines, (n, m, m).",
            "H_0 is simple: the Legendre polynomial P_0 is 1, so the double sum is the square of one sum.",
            'np.einsum("ni,nij,nj->n", size, (3 * cosine**2 - 1) / 2, size) / size.sum(1) ** 2',
        ),
    ),
    Exercise(
        name="classification.axes_angle",
        reference=axes_angle,
        inputs=_axes,
        mistakes=(
            Mistake(
                "An axis has no sign: take the magnitude of the cosine.",
                lambda first, second: _product(first, second, power=1),
            ),
            Mistake(
                "This is a scalar product, not yet a cosine: divide by both lengths.",
                lambda first, second: np.abs(_product(first, second)),
            ),
            Mistake(
                "This is the angle. Its cosine is asked: that is flat for two independent directions.",
                lambda first, second: np.arccos(axes_angle(first, second)),
            ),
            Mistake(
                "Divide by the lengths, not by their squares.",
                lambda first, second: np.abs(_product(first, second, power=2)),
            ),
        ),
        hints=(
            "What is the scalar product of two vectors of length one?",
            "np.linalg.norm(first, axis=1) has the length of each row.",
            "np.abs((first * second).sum(1)) / (length of first * length of second)",
        ),
    ),
    Exercise(
        name="classification.fisher_coefficients",
        reference=fisher_coefficients,
        inputs=_classes,
        mistakes=(
            Mistake(
                "The sign is turned: the score should be larger for signal.",
                lambda signal, background: -fisher_coefficients(signal, background),
            ),
            Mistake(
                "This is the covariance of all events in one: it contains the distance of the classes itself. Subtract "
                "from each event the mean of its own class.",
                _discriminant(lambda *classes: np.cov(np.concatenate(classes).T, bias=True)),
            ),
            Mistake(
                "You divide by the variances only. The correlations are what the matrix is for: solve with all of it.",
                _discriminant(lambda *classes: np.diag(np.diag(_within(*classes)))),
            ),
            Mistake(
                "This is the covariance of the background alone: both classes count.",
                _discriminant(lambda signal, background: np.cov(background.T, bias=True)),
            ),
            Mistake(
                "You multiply with the covariance; Fisher's direction needs its inverse.",
                _discriminant(_within, solve=np.matmul),
            ),
            Mistake(
                "Right direction, wrong length: divide the scatter by the number of all events. Then the score is the "
                "log-odds of Gaussians, up to a constant.",
                _discriminant(_scatter),
            ),
        ),
        hints=(
            "Three steps: the two means, the scatter around them, a system of linear equations.",
            "scatter = sum over both classes of (x - mean).T @ (x - mean), divided by the number of all events.",
            "np.linalg.solve(covariance, mean of signal - mean of background)",
        ),
    ),
]
