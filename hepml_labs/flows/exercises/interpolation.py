"""Exercises of the lab "Interpolation across a mass window"."""

import numpy as np

from hepml_labs.teaching import Exercise, Mistake


def mass_distance(masses, centre):
    """Distance of two candidate masses from a point of the plane, in units of a resolution of 10 %.

    Parameters
    ----------
    masses : array of shape (n, 2)
        Masses of the two candidates, GeV.
    centre : tuple of float
        The point, GeV.

    Returns
    -------
    array of shape (n,)
        For the centre (124, 117) GeV this is X_HH.

    Examples
    --------
    >>> mass_distance(np.array([[124.0, 117.0], [155.0, 117.0]]), (124.0, 117.0))
    array([0., 2.])
    """
    return np.hypot(*((masses - np.array(centre)) / (0.1 * masses)).T)


def process_prediction(kernel, cross, prior, noise, value):
    """Mean and standard deviation of a Gaussian process at new points.

    Parameters
    ----------
    kernel : array of shape (k, k)
        Covariance of the process between the k points with data.
    cross : array of shape (t, k)
        Covariance between the t new points and those with data.
    prior : array of shape (t,)
        Variance of the process at the new points, before the data.
    noise : array of shape (k,)
        Variance of the noise of each value.
    value : array of shape (k,)
        The data, less the mean of the process.

    Returns
    -------
    mean, error : arrays of shape (t,)

    Examples
    --------
    >>> one = np.ones((1, 1))
    >>> mean, error = process_prediction(one, one, np.ones(1), np.ones(1), np.array([3.0]))
    >>> mean, error.round(3)  # half-way between the prior, 0 ± 1, and the data, 3 ± 1
    (array([1.5]), array([0.707]))
    """
    gain = np.linalg.solve(kernel + np.diag(noise), cross.T).T
    return gain @ value, np.sqrt(prior - (gain * cross).sum(axis=1))


def pull(observed, expected, error):
    """Pull of counts that were not fitted.

    Parameters
    ----------
    observed : array of shape (bins,)
        Counts.
    expected, error : arrays of shape (bins,)
        Expected counts and their standard deviation.

    Returns
    -------
    array of shape (bins,)
        Positive where more was found than expected; of width one if both noises are what they are said to be.

    Examples
    --------
    >>> pull(np.array([130.0]), np.array([100.0]), np.array([10.0])).round(3)
    array([2.121])
    """
    return (observed - expected) / np.sqrt(expected + error**2)


def from_back_to_back(phi_1, phi_2):
    """Angle by which two directions miss being opposite.

    Parameters
    ----------
    phi_1, phi_2 : arrays of shape (n,)
        Azimuths, each from -pi to pi.

    Returns
    -------
    array of shape (n,)
        phi_2 - phi_1 - pi, brought to [-pi, pi).

    Examples
    --------
    >>> from_back_to_back(np.array([0.0, 3.0]), np.array([3.0, 0.0])).round(3)  # the same pair, seen from either side
    array([-0.142,  0.142])
    """
    return (phi_2 - phi_1) % (2 * np.pi) - np.pi


def sample_factorised(draw_masses, draw_x, expected, n):
    """Draw from p(x | m) p(m), with weights that sum up to the expected number of events.

    Parameters
    ----------
    draw_masses : callable
        ``draw_masses(n)`` draws masses of shape (n, 2) from p(m).
    draw_x : callable
        ``draw_x(masses)`` draws one x from p(x | m) for each row of its argument, shape (n, d).
    expected : float
        Expected number of events.
    n : int
        Number of draws.

    Returns
    -------
    x : array of shape (n, d)
    masses : array of shape (n, 2)
    weight : array of shape (n,)

    Examples
    --------
    >>> x, masses, weight = sample_factorised(lambda n: np.full((n, 2), 125.0), lambda m: m / 2, 30.0, 4)
    >>> x[0], weight
    (array([62.5, 62.5]), array([7.5, 7.5, 7.5, 7.5]))
    """
    masses = draw_masses(n)
    return draw_x(masses), masses, np.full(n, expected / n)


def _mass_inputs(rng):
    return rng.uniform(60, 220, size=(7, 2)), tuple(float(value) for value in rng.uniform(95, 170, size=2))


def _process_inputs(rng):
    data, new = rng.uniform(0, 3, size=(6, 2)), rng.uniform(0, 3, size=(4, 2))
    size = rng.uniform(1.5, 3)

    def covariance(a, b):
        return size * np.exp(-0.5 * ((a[:, None] - b) ** 2).sum(axis=2))

    return covariance(data, data), covariance(new, data), np.full(4, size), rng.uniform(0.2, 1.5, 6), rng.normal(size=6)


def _process_with(noise=np.diag, mean=1.0, error=None):
    def wrong(kernel, cross, prior, variance, value):
        gain = np.linalg.solve(kernel + noise(variance), cross.T).T
        known = (gain * cross).sum(axis=1)
        return mean * gain @ value, np.sqrt(np.abs(prior - known)) if error is None else error(prior, known)

    return wrong


def _counts(rng):
    expected = rng.uniform(30, 90, size=6)
    return rng.poisson(expected).astype(float) + 1, expected, rng.uniform(4, 12, size=6)


def _angles(rng):
    first = rng.uniform(-np.pi, np.pi, size=9)
    second = (first + rng.uniform(2.2, 4.1, size=9) + np.pi) % (2 * np.pi) - np.pi
    first[:2], second[:2] = (3.0, -3.0), (-0.4, 0.5)  # pairs on both sides of the cut
    return first, second


def _factor_inputs(rng):
    table, slope = rng.uniform(60, 220, size=(40, 2)), rng.uniform(0.5, 2, size=(2, 3))
    return lambda n: table[:n], lambda masses: masses @ slope, float(rng.uniform(300, 900)), int(rng.integers(8, 20))


EXERCISES = [
    Exercise(
        name="flows.mass_distance",
        reference=mass_distance,
        inputs=_mass_inputs,
        mistakes=(
            Mistake(
                "The resolution is 10 % of the mass itself, not of the mass at the centre.",
                lambda m, c: np.hypot(*((m - np.array(c)) / (0.1 * np.array(c))).T),
            ),
            Mistake(
                "This is the distance in GeV: divide each difference by the resolution, 10 % of the mass.",
                lambda m, c: np.hypot(*(m - np.array(c)).T),
            ),
            Mistake("Take the root of the sum of the squares.", lambda m, c: mass_distance(m, c) ** 2),
            Mistake(
                "The two differences are added in squares; their signs must not matter.",
                lambda m, c: ((m - np.array(c)) / (0.1 * m)).sum(axis=1),
            ),
            Mistake("The resolution is 10 %: the factor 0.1 is missing.", lambda m, c: 0.1 * mass_distance(m, c)),
        ),
        hints=(
            "For each candidate: (mass - centre) / (0.1 mass). Then the length of this vector of two.",
            "masses has shape (n, 2) and centre two entries: (masses - np.array(centre)) / (0.1 * masses) does both.",
            "np.sqrt((((masses - np.array(centre)) / (0.1 * masses)) ** 2).sum(axis=1))",
        ),
    ),
    Exercise(
        name="flows.process_prediction",
        reference=process_prediction,
        inputs=_process_inputs,
        mistakes=(
            Mistake(
                "The noise of the data is missing: this goes through every point.", _process_with(noise=lambda v: 0)
            ),
            Mistake("noise is a variance already: do not square it.", _process_with(noise=lambda v: np.diag(v**2))),
            Mistake(
                "Each value has its own noise: it goes on the diagonal, not on every entry.",
                _process_with(noise=lambda v: v),
            ),
            Mistake(
                "The second result is a standard deviation: take the root.",
                _process_with(error=lambda prior, known: prior - known),
            ),
            Mistake(
                "Data make the process better known: what they tell is subtracted from the prior variance.",
                _process_with(error=lambda prior, known: np.sqrt(prior + known)),
            ),
            Mistake(
                "The error at the new points starts from prior, their variance before the data.",
                _process_with(error=lambda prior, known: np.sqrt(np.abs(known))),
            ),
            Mistake("The sign of the mean is wrong.", _process_with(mean=-1.0)),
        ),
        hints=(
            "A = kernel + diag(noise) is the covariance of the data. The mean is cross A^-1 value.",
            "The variance at a new point is prior - c A^-1 c, with c its row of cross.",
            "gain = np.linalg.solve(kernel + np.diag(noise), cross.T).T; mean = gain @ value; "
            "error = np.sqrt(prior - (gain * cross).sum(axis=1))",
        ),
    ),
    Exercise(
        name="flows.pull",
        reference=pull,
        inputs=_counts,
        mistakes=(
            Mistake(
                "The sign: a pull is positive where more was found than expected.",
                lambda observed, expected, error: pull(2 * expected - observed, expected, error),
            ),
            Mistake(
                "The prediction has an error of its own: its variance is added to that of the count.",
                lambda observed, expected, error: (observed - expected) / np.sqrt(expected),
            ),
            Mistake(
                "The variance of the count is the expected number. With the observed one, low counts look too precise.",
                lambda observed, expected, error: (observed - expected) / np.sqrt(observed + error**2),
            ),
            Mistake(
                "Counts fluctuate too: add their variance, the expected number.",
                lambda observed, expected, error: (observed - expected) / error,
            ),
            Mistake(
                "Independent errors add in squares.",
                lambda observed, expected, error: (observed - expected) / (np.sqrt(expected) + error),
            ),
            Mistake(
                "Divide by the standard deviation, not by the variance.",
                lambda observed, expected, error: (observed - expected) / (expected + error**2),
            ),
        ),
        hints=(
            "Difference over standard deviation. Two things fluctuate: the count and the prediction.",
            "A Poisson count has the variance of its expected number; the variances add.",
            "(observed - expected) / np.sqrt(expected + error**2)",
        ),
    ),
    Exercise(
        name="flows.from_back_to_back",
        reference=from_back_to_back,
        inputs=_angles,
        mistakes=(
            Mistake(
                "Without the modulo there is a jump of 2 pi where one of the two azimuths passes pi.",
                lambda first, second: second - first - np.pi,
            ),
            Mistake(
                "This is zero where the two go the same way. Zero shall be where they are opposite.",
                lambda first, second: (second - first + np.pi) % (2 * np.pi) - np.pi,
            ),
            Mistake(
                "The sign: phi_2 - phi_1, not the other way round.",
                lambda first, second: (first - second) % (2 * np.pi) - np.pi,
            ),
            Mistake(
                "The result shall lie around zero, from -pi to pi.",
                lambda first, second: (second - first) % (2 * np.pi),
            ),
            Mistake(
                "Keep the sign: folding at zero makes an edge where most events are.",
                lambda first, second: np.abs(from_back_to_back(first, second)),
            ),
        ),
        hints=(
            "Differences of angles are known up to 2 pi: (difference) % (2 pi) brings them to [0, 2 pi).",
            "Opposite directions have a difference of pi: in the middle of [0, 2 pi). Subtract it.",
            "(phi_2 - phi_1) % (2 * np.pi) - np.pi",
        ),
    ),
    Exercise(
        name="flows.sample_factorised",
        reference=sample_factorised,
        inputs=_factor_inputs,
        mistakes=(
            Mistake(
                "Each x must belong to the masses in the same row: draw the masses once, and keep their order.",
                lambda masses, x, expected, n: (x(masses(n)[::-1]), masses(n), np.full(n, expected / n)),
            ),
            Mistake(
                "The weights shall sum up to the expected number, whatever n is.",
                lambda masses, x, expected, n: (*sample_factorised(masses, x, expected, n)[:2], np.full(n, expected)),
            ),
            Mistake(
                "Weights of one predict n events. Their sum shall be the expected number.",
                lambda masses, x, expected, n: (*sample_factorised(masses, x, expected, n)[:2], np.ones(n)),
            ),
            Mistake(
                "The weight is upside down.",
                lambda masses, x, expected, n: (
                    *sample_factorised(masses, x, expected, n)[:2],
                    np.full(n, n / expected),
                ),
            ),
            Mistake(
                "The order of the results is x, masses, weight.",
                lambda masses, x, expected, n: (lambda r: (r[1], r[0], r[2]))(
                    sample_factorised(masses, x, expected, n)
                ),
            ),
        ),
        hints=(
            "First the masses, then one x for each row of *these* masses.",
            "n events of equal weight shall stand for the expected number.",
            "masses = draw_masses(n); return draw_x(masses), masses, np.full(n, expected / n)",
        ),
    ),
]
