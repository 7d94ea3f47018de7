"""Exercises of the lab "Collider events"."""

import numpy as np
from scipy.special import ndtr, ndtri

from hepml_labs.teaching import Exercise, Mistake


def threshold_map(pt, low, scale, power):
    """Transverse momentum above a threshold to a real number, normal for a shifted power law.

    Parameters
    ----------
    pt : array of shape (n,)
        In GeV, above `low`.
    low, scale : float
        Threshold and scale of the power law, in GeV.
    power : float
        The fraction above pT falls like (1 + (pT - low) / scale)^(-power).

    Returns
    -------
    array of shape (n,)

    Examples
    --------
    >>> threshold_map(np.array([30.0, 100.0]), 20.0, 60.0, 5.0).round(2)
    array([0.09, 2.18])
    """
    return -ndtri((1 + (pt - low) / scale) ** -power)


def threshold_inverse(z, low, scale, power):
    """Inverse of `threshold_map`: a real number to a transverse momentum.

    Parameters
    ----------
    z : array of shape (n,)
    low, scale, power : float
        As there.

    Returns
    -------
    array of shape (n,)
        In GeV.

    Examples
    --------
    >>> threshold_inverse(np.array([0.0]), 20.0, 60.0, 5.0).round(1)
    array([28.9])
    """
    return low + scale * (ndtr(-z) ** (-1 / power) - 1)


def angle_difference(first, second):
    """Difference of two azimuths on the circle, in [-pi, pi).

    Parameters
    ----------
    first, second : array of shape (n,)
        In radians, any number of turns.

    Returns
    -------
    array of shape (n,)
        first - second.

    Examples
    --------
    >>> angle_difference(np.array([3.1]), np.array([-3.1])).round(3)
    array([-0.083])
    """
    return (first - second + np.pi) % (2 * np.pi) - np.pi


def dilepton_mass(pt, eta, phi):
    """Invariant mass of two massless leptons.

    Parameters
    ----------
    pt, eta, phi : array of shape (n, 2)
        Transverse momenta in GeV, pseudorapidities and azimuths in radians.

    Returns
    -------
    array of shape (n,)
        In GeV: sqrt(2 pT1 pT2 (cosh(eta1 - eta2) - cos(phi1 - phi2))).

    Examples
    --------
    >>> dilepton_mass(np.array([[45.6, 45.6]]), np.array([[0.3, 0.3]]), np.array([[0.0, np.pi]]))
    array([91.2])
    """
    return np.sqrt(2 * pt.prod(axis=1) * (np.cosh(eta[:, 0] - eta[:, 1]) - np.cos(phi[:, 0] - phi[:, 1])))


def wasserstein_and_floor(truth, generated, rows):
    """Wasserstein distance of two samples of equal size, and its mean for pairs of bootstrap samples of the truth.

    Parameters
    ----------
    truth, generated : array of shape (n,)
        One observable.
    rows : array of int of shape (draws, 2, n)
        Indices of the true events of both bootstrap samples of each pair.

    Returns
    -------
    distance, floor : float

    Examples
    --------
    >>> rows = np.array([[[0, 1], [1, 1]]])
    >>> distance, floor = wasserstein_and_floor(np.array([1.0, 2.0]), np.array([4.0, 3.0]), rows)
    >>> float(distance), float(floor)
    (2.0, 0.5)
    """
    pairs = np.sort(truth[rows], axis=-1)
    distance = np.abs(np.sort(truth) - np.sort(generated)).mean()
    return distance, np.abs(pairs[:, 0] - pairs[:, 1]).mean()


def _spectrum(rng):
    low, scale, power = rng.uniform(10, 40), rng.uniform(40, 90), rng.uniform(3, 7)
    return low + rng.exponential(40, 9) + 0.01, low, scale, power


def _normal(rng):
    return rng.normal(size=9), rng.uniform(10, 40), rng.uniform(40, 90), rng.uniform(3, 7)


def _angles(rng):
    near = rng.uniform(-0.3, 0.3, 4)
    return (
        np.concatenate([[3.1, -3.0], np.pi + near, rng.uniform(-7, 7, 6)]),
        np.concatenate([[-3.1, 3.0], -np.pi - near[::-1], rng.uniform(-7, 7, 6)]),
    )


def _leptons(rng):
    return rng.exponential(40, (7, 2)) + 5, rng.normal(size=(7, 2)) * 1.5, rng.uniform(-np.pi, np.pi, (7, 2))


def _samples(rng):
    n = int(rng.integers(30, 40))
    return rng.exponential(3, n), rng.normal(3.5, 1.2, n), rng.integers(n, size=(8, 2, n))


def _floor(truth, rows):
    return wasserstein_and_floor(truth, truth, rows)[1]


EXERCISES = [
    Exercise(
        name="diffusion.threshold_map",
        reference=threshold_map,
        inputs=_spectrum,
        mistakes=(
            Mistake(
                "The threshold is missing: the spectrum begins at pT = low, where the fraction above is one.",
                lambda pt, low, scale, power: -ndtri((1 + pt / scale) ** -power),
            ),
            Mistake(
                "Your map falls with pT: what you put into the normal quantile is the fraction above. Turn the sign.",
                lambda pt, low, scale, power: ndtri((1 + (pt - low) / scale) ** -power),
            ),
            Mistake(
                "You stop at the fraction, a number between 0 and 1. The last step makes it a normal variable.",
                lambda pt, low, scale, power: 1 - (1 + (pt - low) / scale) ** -power,
            ),
            Mistake(
                "This is log(pT - low). It opens the edge, but with an exponential tail; use the power law.",
                lambda pt, low, scale, power: np.log(pt - low),
            ),
            Mistake(
                "The fraction above has the exponent -power; -power - 1 is that of the density.",
                lambda pt, low, scale, power: -ndtri((1 + (pt - low) / scale) ** (-power - 1)),
            ),
        ),
        hints=(
            "Two steps: the fraction S of the spectrum above this pT, then the normal quantile of it.",
            "S = (1 + (pT - low) / scale)^(-power) is 1 at the threshold and goes to 0. Which sign makes z rise?",
            "-ndtri((1 + (pt - low) / scale) ** -power)",
        ),
    ),
    Exercise(
        name="diffusion.threshold_inverse",
        reference=threshold_inverse,
        inputs=_normal,
        mistakes=(
            Mistake(
                "You forgot to add the threshold at the end.",
                lambda z, low, scale, power: threshold_inverse(z, 0, scale, power),
            ),
            Mistake(
                "A large z must give a large pT: the fraction above is Phi(-z).",
                lambda z, low, scale, power: threshold_inverse(-z, low, scale, power),
            ),
            Mistake(
                "The root is upside down: solve S = (...)^(-power) with the exponent -1 / power.",
                lambda z, low, scale, power: low + scale * (threshold_inverse(z, 0, 1, 1 / power)),
            ),
            Mistake(
                "Between two brackets a -1 was lost: (1 + (pT - low) / scale) is the root, pT - low less by one scale.",
                lambda z, low, scale, power: threshold_inverse(z, low, scale, power) + scale,
            ),
        ),
        hints=(
            "Undo the two steps in reverse order: z to the fraction S above, S to pT.",
            "S = Phi(-z), which is ndtr(-z). Then solve S = (1 + (pT - low) / scale)^(-power) for pT.",
            "low + scale * (ndtr(-z) ** (-1 / power) - 1)",
        ),
    ),
    Exercise(
        name="diffusion.angle_difference",
        reference=angle_difference,
        inputs=_angles,
        atol=1e-9,
        mistakes=(
            Mistake(
                "A plain difference: 3.1 and -3.1 are neighbours on the circle, and you find 6.2 between them.",
                lambda first, second: first - second,
            ),
            Mistake(
                "These differences lie in [0, 2 pi). Shift by pi before the modulo, and back afterwards.",
                lambda first, second: (first - second) % (2 * np.pi),
            ),
            Mistake(
                "The period of an azimuth is 2 pi, not pi.",
                lambda first, second: (first - second + np.pi / 2) % np.pi - np.pi / 2,
            ),
            Mistake(
                "The sign is lost: this is the opening angle. The generator needs to know on which side.",
                lambda first, second: np.abs(angle_difference(first, second)),
            ),
            Mistake(
                "First minus second: yours is the other way round.",
                lambda first, second: -angle_difference(first, second),
            ),
        ),
        hints=(
            "Subtract, then add or take away whole turns until you are in [-pi, pi).",
            "x % (2 * np.pi) lies in [0, 2 pi). You want the interval that begins at -pi.",
            "(first - second + np.pi) % (2 * np.pi) - np.pi",
        ),
    ),
    Exercise(
        name="diffusion.dilepton_mass",
        reference=dilepton_mass,
        inputs=_leptons,
        mistakes=(
            Mistake("That is the mass squared.", lambda pt, eta, phi: dilepton_mass(pt, eta, phi) ** 2),
            Mistake(
                "A factor 2 under the root is lost: m^2 = 2 p1.p2.",
                lambda pt, eta, phi: dilepton_mass(pt, eta, phi) / np.sqrt(2),
            ),
            Mistake(
                "That is the transverse mass: the pseudorapidities are missing.",
                lambda pt, eta, phi: np.sqrt(2 * pt.prod(1) * (1 - np.cos(phi[:, 0] - phi[:, 1]))),
            ),
            Mistake(
                "The two terms have different signs: energy less momentum.",
                lambda pt, eta, phi: np.sqrt(
                    2 * pt.prod(1) * (np.cosh(eta[:, 0] - eta[:, 1]) + np.cos(phi[:, 0] - phi[:, 1]))
                ),
            ),
            Mistake(
                "You add the two masses. Add the four-momenta first: the leptons have no mass of their own.",
                lambda pt, eta, phi: np.zeros(len(pt)),
            ),
        ),
        hints=(
            "Add the four-momenta. With p1^2 = p2^2 = 0 only the mixed product is left: m^2 = 2 p1.p2.",
            "E1 E2 - p1z p2z = pT1 pT2 cosh(eta1 - eta2); the transverse part is pT1 pT2 cos(phi1 - phi2).",
            "np.sqrt(2 * pt[:, 0] * pt[:, 1] * (np.cosh(eta[:, 0] - eta[:, 1]) - np.cos(phi[:, 0] - phi[:, 1])))",
        ),
    ),
    Exercise(
        name="diffusion.wasserstein_and_floor",
        reference=wasserstein_and_floor,
        inputs=_samples,
        mistakes=(
            Mistake(
                "You compare events in the order of the files. Sort both samples: the k-th smallest goes to the k-th.",
                lambda truth, generated, rows: (np.abs(truth - generated).mean(), _floor(truth, rows)),
            ),
            Mistake(
                "The distance of the means is not enough: sort, then take the mean of the absolute differences.",
                lambda truth, generated, rows: (abs(truth.mean() - generated.mean()), _floor(truth, rows)),
            ),
            Mistake(
                "The second number is to be the distance that pure chance makes: two samples of the truth, not one of "
                "truth and one generated.",
                lambda truth, generated, rows: (
                    wasserstein_and_floor(truth, generated, rows)[0],
                    np.abs(np.sort(truth[rows[:, 0]], axis=-1) - np.sort(generated[rows[:, 1]], axis=-1)).mean(),
                ),
            ),
            Mistake(
                "One bootstrap sample against the original: that is too small by a root of two. Take two of them.",
                lambda truth, generated, rows: (
                    wasserstein_and_floor(truth, generated, rows)[0],
                    np.abs(np.sort(truth[rows[:, 0]], axis=-1) - np.sort(truth)).mean(),
                ),
            ),
            Mistake(
                "That is the root of the mean square, W2. W1 is the mean of the absolute differences.",
                lambda truth, generated, rows: (
                    np.sqrt(((np.sort(truth) - np.sort(generated)) ** 2).mean()),
                    _floor(truth, rows),
                ),
            ),
            Mistake(
                "Sum over events and mean over events differ by n: W1 is the mean.",
                lambda truth, generated, rows: tuple(
                    len(truth) * part for part in wasserstein_and_floor(truth, generated, rows)
                ),
            ),
        ),
        hints=(
            "In one dimension the cheapest way to move one sample onto the other keeps the order of the events.",
            "np.abs(np.sort(a) - np.sort(b)).mean(); for the floor a, b = truth[rows[k, 0]], truth[rows[k, 1]].",
            "pairs = np.sort(truth[rows], axis=-1); floor = np.abs(pairs[:, 0] - pairs[:, 1]).mean()",
        ),
    ),
]
