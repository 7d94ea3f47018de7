"""Exercises of the lab "What does an autoencoder find strange?"."""

import numpy as np
import torch

from hepml_labs.anomaly import constituent_autoencoder
from hepml_labs.anomaly.latent_score import surprise_in
from hepml_labs.anomaly.principal_components import residuals
from hepml_labs.teaching import Exercise, Mistake


def expected_error(covariance, shift, directions, latent):
    """Mean squared distance of a class of events from the plane of another one.

    Parameters
    ----------
    covariance : array, (d, d)
        Of the class that is tested.
    shift : array, (d,)
        Its mean minus that of the class that was trained on.
    directions : array, (d, d)
        Orthonormal rows, the class that was trained on has its largest variance along the first.
    latent : int
        Directions that span the plane.

    Returns
    -------
    float

    Examples
    --------
    >>> expected_error(np.diag([5.0, 2.0]), np.array([1.0, 3.0]), np.eye(2), latent=1)
    11.0
    """
    out = directions[latent:]
    return float(np.trace(out @ covariance @ out.T) + ((out @ shift) ** 2).sum())


def energy_distance(angles, shares, points, weights):
    """Squared energy distance of two jets.

    Parameters
    ----------
    angles, points : array, (particles, 2) and (others, 2)
        Radians.
    shares, weights : array, (particles,) and (others,)
        Shares of the momentum, of sum one in each jet.

    Returns
    -------
    float
        Radians.

    Examples
    --------
    >>> energy_distance(np.zeros((1, 2)), np.ones(1), np.array([[0.3, 0.4]]), np.ones(1))
    1.0
    """
    jets = (torch.from_numpy(np.asarray(part, dtype=np.float64))[None] for part in (angles, shares, points, weights))
    return float(constituent_autoencoder.energy_distance(*jets)[0])


def surprise_of_power(surprise, mass, power):
    """Minus the log-density in y = mass^power, where that in the mass is known.

    Parameters
    ----------
    surprise : array, (n,)
        Minus log p(mass), nats.
    mass : array, (n,)
        GeV, above zero.
    power : float
        Not zero, of either sign.

    Returns
    -------
    array, (n,)

    Examples
    --------
    >>> surprise_of_power(np.zeros(2), np.array([1.0, 10.0]), 2.0).round(3)
    array([0.693, 2.996])
    """
    return surprise_in(surprise, np.log(abs(power)) + (power - 1) * np.log(mass))


def _plane(rng):
    directions = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    return rng.normal(size=(7, 5)) * [3.0, 1.0, 1.0, 2.0, 0.5], rng.normal(size=5), directions, int(rng.integers(1, 4))


def _classes(rng):
    root = rng.normal(size=(5, 5))
    return root @ root.T, rng.normal(size=5), np.linalg.qr(rng.normal(size=(5, 5)))[0], int(rng.integers(1, 4))


def _jets(rng):
    sizes = rng.integers(3, 6), rng.integers(6, 9)
    jets = []
    for size in sizes:
        shares = rng.uniform(0.1, 1.0, size)
        jets += [rng.normal(size=(size, 2)), shares / shares.sum()]
    return tuple(jets)


def _energy_distance_with(distance=lambda d: np.sqrt((d**2).sum(-1)), cross=2.0, own=1.0, weighted=True):
    def wrong(angles, shares, points, weights):
        if not weighted:
            shares, weights = (np.full(len(part), 1 / len(part)) for part in (shares, weights))

        def mean(a, z, b, w):
            return z @ distance(a[:, None] - b[None]) @ w

        itself = mean(angles, shares, angles, shares) + mean(points, weights, points, weights)
        return cross * mean(angles, shares, points, weights) - own * itself

    return wrong


def _powers(rng):
    power = float(rng.choice([-1, 1]) * rng.uniform(0.3, 0.8))
    return rng.normal(size=6), rng.uniform(20.0, 400.0, size=6), power


EXERCISES = [
    Exercise(
        name="anomaly.reconstruction_error",
        reference=residuals,
        inputs=_plane,
        mistakes=(
            Mistake(
                "You forgot to subtract the mean: the plane goes through the mean, not through the origin.",
                lambda x, mean, directions, latent: residuals(x, 0 * mean, directions, latent),
            ),
            Mistake(
                "That is what the plane keeps. The error is what lies outside of it.",
                lambda x, mean, directions, latent: (((x - mean) @ directions[:latent].T) ** 2).sum(axis=1),
            ),
            Mistake(
                "The directions are the rows of the matrix, and you took its columns.",
                lambda x, mean, directions, latent: residuals(x, mean, directions.T, latent),
            ),
            Mistake(
                "This is the distance. The squared distance is asked for.",
                lambda x, mean, directions, latent: np.sqrt(residuals(x, mean, directions, latent)),
            ),
            Mistake(
                "You average over the directions left out: the squares are to be added.",
                lambda x, mean, directions, latent: (((x - mean) @ directions[latent:].T) ** 2).mean(axis=1),
            ),
        ),
        hints=(
            "An orthonormal basis: the squared length of x - mean is the sum of the squares of its components.",
            "The components are (x - mean) @ directions.T, one column for each direction.",
            "Those of index `latent` and higher are lost in the middle: the sum of their squares, event by event.",
        ),
    ),
    Exercise(
        name="anomaly.expected_error",
        reference=expected_error,
        inputs=_classes,
        mistakes=(
            Mistake(
                "The shift of the mean is missing: a class that lies elsewhere is far from the plane on average.",
                lambda covariance, shift, directions, latent: expected_error(covariance, 0 * shift, directions, latent),
            ),
            Mistake(
                "The covariance is missing: each event scatters around the mean of its class.",
                lambda covariance, shift, directions, latent: expected_error(0 * covariance, shift, directions, latent),
            ),
            Mistake(
                "You count all of the shift. The part of it that lies in the plane is reconstructed.",
                lambda covariance, shift, directions, latent: (
                    expected_error(covariance, 0 * shift, directions, latent) + float(shift @ shift)
                ),
            ),
            Mistake(
                "You sum the eigenvalues of the tested class. The plane is that of the other class: project onto it.",
                lambda covariance, shift, directions, latent: float(
                    np.linalg.eigvalsh(covariance)[::-1][latent:].sum() + ((directions[latent:] @ shift) ** 2).sum()
                ),
            ),
            Mistake(
                "That is what lies in the plane, and is reconstructed.",
                lambda covariance, shift, directions, latent: expected_error(
                    covariance, shift, np.roll(directions, -latent, axis=0), len(directions) - latent
                ),
            ),
        ),
        hints=(
            "With P = directions[latent:] the error of an event is |P (x - mean of the other class)|^2.",
            "x minus the other mean is x minus its own mean, plus the shift. The product of both averages to zero.",
            "The mean of |P u|^2 for a u of covariance C and mean zero is the trace of P C P^T.",
        ),
    ),
    Exercise(
        name="anomaly.energy_distance",
        reference=energy_distance,
        inputs=_jets,
        mistakes=(
            Mistake("The distance of the two jets counts twice.", _energy_distance_with(cross=1.0)),
            Mistake(
                "The distances within each jet are missing: a wide jet would be far from itself.",
                _energy_distance_with(own=0.0),
            ),
            Mistake(
                "You use squared distances. With them only the means of the two jets are compared.",
                _energy_distance_with(distance=lambda d: (d**2).sum(-1)),
            ),
            Mistake(
                "All particles count the same. Weight them with their momentum, or a soft one changes everything.",
                _energy_distance_with(weighted=False),
            ),
            Mistake("Within each jet all ordered pairs count: you have half of them.", _energy_distance_with(own=0.5)),
        ),
        hints=(
            "Three averages of distances: between the jets, within the first, within the second.",
            "np.linalg.norm(a[:, None] - b[None], axis=-1) is the table of distances; z @ table @ w is its average.",
            "2 * mean(angles, points) - mean(angles, angles) - mean(points, points), each with its weights.",
        ),
    ),
    Exercise(
        name="anomaly.surprise_of_power",
        reference=surprise_of_power,
        inputs=_powers,
        mistakes=(
            Mistake(
                "The sign of the Jacobian: where y is stretched, the density in y is lower and the surprise higher.",
                lambda surprise, mass, power: 2 * surprise - surprise_of_power(surprise, mass, power),
            ),
            Mistake(
                "The derivative of m^a is a m^(a-1): the exponent is lower by one.",
                lambda surprise, mass, power: surprise + np.log(abs(power)) + power * np.log(mass),
            ),
            Mistake(
                "The constant log|a| is missing. It does not change the order, but p(y) is not normalised without it.",
                lambda surprise, mass, power: surprise + (power - 1) * np.log(mass),
            ),
            Mistake(
                "You added the derivative itself. The surprise is a logarithm.",
                lambda surprise, mass, power: surprise + np.abs(power * mass ** (power - 1)),
            ),
        ),
        hints=(
            "Events do not move: p_y(y) |dy| = p_m(m) |dm|.",
            "So -log p_y = -log p_m + log|dy/dm|, with y = m^a.",
            "log|dy/dm| = log|a| + (a - 1) log m.",
        ),
    ),
]
