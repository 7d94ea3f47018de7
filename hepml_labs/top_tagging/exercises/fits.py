"""Exercises of the lab "A fit inside a network"."""

import numpy as np

from hepml_labs.teaching import Exercise, Mistake


def crossing_point(phi, d0, sigma, weight):
    """Fit the point in the transverse plane that is nearest to straight tracks.

    Parameters
    ----------
    phi : array, (n,)
        Azimuths of the tracks.
    d0, sigma : array, (n,)
        mm: impact parameters, with the perigee at (-d0 sin phi, d0 cos phi), and their standard deviations.
    weight : array, (n,)
        Of each track in chi^2, at least two above zero.

    Returns
    -------
    array, (2,)
        x and y, mm.

    Examples
    --------
    >>> crossing_point(np.array([0.0, np.pi / 2]), np.array([1.0, -2.0]), np.full(2, 0.1), np.ones(2)).round(6)
    array([2., 1.])
    """
    normal = np.stack([-np.sin(phi), np.cos(phi)], axis=1)
    precision = (weight / sigma**2)[:, None]
    return np.linalg.solve(normal.T @ (precision * normal), normal.T @ (precision[:, 0] * d0))


def implicit_gradient(hessian, mixed):
    """Derivative of the place of a minimum with respect to parameters.

    Parameters
    ----------
    hessian : array, (d, d)
        Second derivatives of the function at its minimum, with respect to the place.
    mixed : array, (d, k)
        Second derivatives with respect to place and parameters.

    Returns
    -------
    array, (d, k)

    Examples
    --------
    The minimum of (v - 3 w)^2 is at v = 3 w:

    >>> implicit_gradient(np.array([[2.0]]), np.array([[-6.0]]))
    array([[3.]])
    """
    return -np.linalg.solve(hessian, mixed)


def constrained(measured, covariance, slope, offset):
    """Improve measurements by a linear constraint that holds exactly: slope . q = offset.

    Parameters
    ----------
    measured : array, (d,)
    covariance : array, (d, d)
    slope : array, (d,)
    offset : float

    Returns
    -------
    array, (d,)

    Examples
    --------
    The better measured of two lengths of sum 3 moves less:

    >>> constrained(np.array([1.0, 1.0]), np.diag([0.1, 0.3]), np.ones(2), 3.0)
    array([1.25, 1.75])
    """
    moved = covariance @ slope
    return measured - moved * (slope @ measured - offset) / (slope @ moved)


def _tracks(rng):
    n = int(rng.integers(4, 8))
    phi, point = rng.uniform(-0.6, 0.6, n) + rng.uniform(-3, 3), rng.normal(size=2) * 3
    sigma = rng.uniform(0.02, 0.2, n)
    d0 = -point[0] * np.sin(phi) + point[1] * np.cos(phi) + 3 * sigma * rng.normal(size=n)
    return phi, d0, sigma, rng.uniform(0.1, 1, n)


def _crossing_with(normal=lambda phi: (-np.sin(phi), np.cos(phi)), precision=lambda w, s: w / s**2):
    def wrong(phi, d0, sigma, weight):
        rows, scale = np.stack(normal(phi), axis=1), precision(weight, sigma)[:, None]
        return np.linalg.solve(rows.T @ (scale * rows), rows.T @ (scale[:, 0] * d0))

    return wrong


def _derivatives(rng):
    root = rng.normal(size=(3, 3))
    return root @ root.T + np.eye(3), rng.normal(size=(3, 4))


def _measurement(rng):
    d = int(rng.integers(3, 6))
    root = rng.normal(size=(d, d))
    return rng.normal(size=d), root @ root.T + 0.1 * np.eye(d), rng.normal(size=d), float(rng.normal())


EXERCISES = [
    Exercise(
        name="top_tagging.crossing_point",
        reference=crossing_point,
        inputs=_tracks,
        mistakes=(
            Mistake(
                "A term of chi^2 is the squared distance over the *squared* error.",
                _crossing_with(precision=lambda w, s: w / s),
            ),
            Mistake("The weights of the tracks are missing.", _crossing_with(precision=lambda w, s: 1 / s**2)),
            Mistake(
                "All tracks count the same: divide by their errors, squared.", _crossing_with(precision=lambda w, s: w)
            ),
            Mistake(
                "The weight multiplies a term of chi^2 once, here it enters squared.",
                _crossing_with(precision=lambda w, s: w**2 / s**2),
            ),
            Mistake(
                "These are distances along the tracks. Across a track of azimuth phi points (-sin phi, cos phi).",
                _crossing_with(normal=lambda phi: (np.cos(phi), np.sin(phi))),
            ),
            Mistake(
                "Check the sign of the sine with a track along y, phi = 90 degrees: its perigee is at (-d0, 0).",
                _crossing_with(normal=lambda phi: (np.sin(phi), np.cos(phi))),
            ),
        ),
        hints=(
            "The distance of a point v from track k is n_k . v - d0_k with n_k = (-sin phi_k, cos phi_k).",
            "chi^2 is quadratic in v. Its derivative vanishes where (sum_k p_k n_k n_k^T) v = sum_k p_k d0_k n_k "
            "with p_k = w_k / sigma_k^2.",
            "np.linalg.solve(n.T @ (p[:, None] * n), n.T @ (p * d0)) with the n_k as the rows of n.",
        ),
    ),
    Exercise(
        name="top_tagging.implicit_gradient",
        reference=implicit_gradient,
        inputs=_derivatives,
        mistakes=(
            Mistake(
                "The sign: if the slope at the old place rises, the minimum moves back.",
                lambda hessian, mixed: np.linalg.solve(hessian, mixed),
            ),
            Mistake(
                "The second derivative divides: a narrow minimum moves less.", lambda hessian, mixed: -hessian @ mixed
            ),
            Mistake("The second derivative with respect to the place is missing.", lambda hessian, mixed: -mixed),
            Mistake(
                "A matrix is not divided element by element: solve a linear system.",
                lambda hessian, mixed: -mixed / np.diag(hessian)[:, None],
            ),
        ),
        hints=(
            "At the minimum the derivative g(v, w) is zero, and it must stay zero when w changes.",
            "0 = dg = (dg/dv) dv + (dg/dw) dw. The first factor is the Hessian, the second the mixed derivatives.",
            "Minus np.linalg.solve(hessian, mixed).",
        ),
    ),
    Exercise(
        name="top_tagging.constrained",
        reference=constrained,
        inputs=_measurement,
        mistakes=(
            Mistake(
                "This is the nearest point in ordinary distance. Badly measured quantities should move more.",
                lambda q, v, a, b: q - a * (a @ q - b) / (a @ a),
            ),
            Mistake(
                "The sign: now the constraint is violated twice as much.",
                lambda q, v, a, b: q + v @ a * (a @ q - b) / (a @ v @ a),
            ),
            Mistake(
                "The covariance itself, not its inverse, tells how far each measurement moves.",
                lambda q, v, a, b: q - np.linalg.solve(v, a) * (a @ q - b) / (a @ np.linalg.solve(v, a)),
            ),
            Mistake(
                "The offset is missing: the constraint is slope . q = offset.",
                lambda q, v, a, b: q - v @ a * (a @ q) / (a @ v @ a),
            ),
        ),
        hints=(
            "Make (q - m)^T V^-1 (q - m) + 2 lambda (a . q - b) stationary, in q and in lambda.",
            "The derivative with respect to q gives q = m - lambda V a. Put this into the constraint.",
            "lambda = (a . m - b) / (a^T V a).",
        ),
    ),
]
