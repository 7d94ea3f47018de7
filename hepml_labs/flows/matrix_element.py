r"""The matrix-element method with a learned transfer function and a learned proposal.

For one measured event x, a theory with parameter C, efficiency :math:`\varepsilon` and transfer function T,

.. math::

    p(x|C) = \frac{1}{\sigma_\mathrm{sel}(C)} \int dz\,\frac{d\sigma(z|C)}{dz}\,\varepsilon(z)\,T(x|z)
    \approx \frac{1}{\sigma_\mathrm{sel}(C)}\,\Big\langle \frac{d\sigma(z|C)/dz\;\varepsilon(z)\,T(x|z)}{q(z|x)}
    \Big\rangle_{z\sim q(z|x)} .

Butter et al., arXiv:2210.00019, and Heimel et al., arXiv:2310.07752: T, :math:`\varepsilon` and the proposal q are
networks. The best q is the posterior p(z|x), for which all weights are equal: a flow that unfolds is a proposal.
Cross-sections are polynomials in C, so each event has a handful of integrals, and scanning C costs nothing.
"""

from typing import NamedTuple

import numpy as np

from hepml_labs.validation import check_array, check_count

__all__ = ["Estimate", "EventIntegrals", "estimate", "integrate_events", "log_likelihood"]

CHUNK = 65_536  # points at a time


class EventIntegrals(NamedTuple):
    """Integrals of n events.

    Attributes
    ----------
    coefficients : array, (n, k)
        Of the density of x, as a polynomial in the parameters of the theory.
    covariance : array, (n, k, k)
        Statistical covariance of the coefficients of an event.
    spread : array, (n,)
        Standard deviation of one weight of the first coefficient over its mean; zero for the best proposal.
        The relative error of an integral is this over the root of the number of points.
    """

    coefficients: np.ndarray
    covariance: np.ndarray
    spread: np.ndarray


def integrate_events(x, density, log_transfer, propose, points, seed=0):
    """Integrate the latent variables of measured events out.

    Parameters
    ----------
    x : array, (n, m)
        Measured events.
    density : callable
        ``density(z)`` gives the coefficients (p, k) of the differential cross-section of points (p, d).
    log_transfer : callable
        ``log_transfer(x, z)`` gives ln(efficiency times transfer function) (p,) for equal numbers of x and z.
    propose : callable
        ``propose(x, points, seed)`` gives z (n * points, d), the points of one event after another, and ln q of them.
    points : int
        For each event, at least 2.
    seed : int
        Of the proposal.

    Returns
    -------
    EventIntegrals

    Raises
    ------
    ValueError
        If x is no array (n, m), or the proposal gives another number of points.

    Examples
    --------
    A Gaussian smeared with a Gaussian, and the exact posterior as the proposal: no spread.

    >>> from scipy.stats import norm
    >>> def propose(x, points, seed):
    ...     centre = np.repeat(x[:, 0] / 2, points)
    ...     z = np.random.default_rng(seed).normal(centre, np.sqrt(0.5))
    ...     return z[:, None], norm.logpdf(z, centre, np.sqrt(0.5))
    >>> result = integrate_events(
    ...     np.array([[0.0], [2.0]]), norm.pdf, lambda x, z: norm.logpdf(x, z)[:, 0], propose, points=10
    ... )
    >>> exact = norm.pdf([0, 2], scale=np.sqrt(2))
    >>> bool(np.allclose(result.coefficients[:, 0], exact)), bool(result.spread.max() < 1e-9)
    (True, True)
    """
    check_array("x", x, ("n", "m"))
    check_count("points", points, minimum=2)
    parts = []
    for number, rows in enumerate(np.array_split(np.arange(len(x)), len(x) * points // CHUNK + 1)):
        if len(rows) == 0:
            continue
        z, log_q = propose(x[rows], points, seed + number)
        if len(z) != len(rows) * points:
            raise ValueError(f"propose: found {len(z)} points, expected {len(rows) * points}")
        log_weight = log_transfer(np.repeat(x[rows], points, axis=0), z) - log_q
        values = (density(z) * np.exp(log_weight)[:, None]).reshape(len(rows), points, -1)
        mean = values.mean(axis=1)
        deviation = values - mean[:, None]
        covariance = deviation.swapaxes(1, 2) @ deviation / (points - 1)
        # a proposal that misses an event altogether leaves 0 / 0: its spread is infinite
        spread = np.divide(
            np.sqrt(covariance[:, 0, 0]), mean[:, 0], where=mean[:, 0] > 0, out=np.full(len(mean), np.inf)
        )
        parts.append((mean, covariance / points, spread))
    return EventIntegrals(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def log_likelihood(coefficients, total, monomials):
    r"""Log-likelihood of each event, :math:`\ln[\,a(x)\cdot m(C)\,/\,\sigma\cdot m(C)\,]`.

    Parameters
    ----------
    coefficients : array, (n, k)
        Of the density of the events, `EventIntegrals.coefficients`.
    total : array, (k,)
        The same coefficients of the selected cross-section.
    monomials : array, (grid, k)
        Of the parameter at the points of a scan, such as (1, C, C^2).

    Returns
    -------
    array, (n, grid)

    Raises
    ------
    ValueError
        If shapes disagree, or a density is not above zero.

    Examples
    --------
    >>> log_likelihood(np.array([[2.0, 1.0]]), np.array([1.0, 1.0]), np.array([[1.0, 0.0], [1.0, 2.0]])).round(3)
    array([[0.693, 0.288]])
    """
    check_array("coefficients", coefficients, ("n", "k"))
    check_array("total", total, (coefficients.shape[1],))
    check_array("monomials", monomials, ("grid", coefficients.shape[1]))
    density, norm = coefficients @ monomials.T, monomials @ total
    if not (density > 0).all() or not (norm > 0).all():
        raise ValueError("coefficients: found a density that is not above zero in the scan, expected all above")
    return np.log(density / norm)


class Estimate(NamedTuple):
    """Maximum of a likelihood and its interval.

    Attributes
    ----------
    value, low, high : float
        Maximum, and where the log-likelihood is lower by one half on both sides; NaN where the scan ends before,
        and all three where its highest point is an end: scan a wider range.
    """

    value: float
    low: float
    high: float

    @property
    def error(self):
        """Half of the length of the interval."""
        return (self.high - self.low) / 2


def estimate(grid, curve):
    """Maximum likelihood and the interval of Delta ln L = 1/2, from a scan.

    Parameters
    ----------
    grid : array, (points,)
        Rising values of the parameter.
    curve : array, (points,)
        Log-likelihood of all events together.

    Returns
    -------
    Estimate
        The maximum from a parabola through the three points around the highest, crossings by linear interpolation.

    Raises
    ------
    ValueError
        If shapes disagree, or entries are not finite.

    Examples
    --------
    >>> grid = np.linspace(-1, 1, 201)
    >>> [round(value, 3) for value in estimate(grid, -0.5 * (grid - 0.123) ** 2 / 0.1**2)]
    [0.123, 0.023, 0.223]
    """
    check_array("grid", grid, ("points",))
    check_array("curve", curve, grid.shape)
    best = int(np.argmax(curve))
    if best in (0, len(grid) - 1):
        return Estimate(np.nan, np.nan, np.nan)
    value, top = _vertex(grid[best - 1 : best + 2], curve[best - 1 : best + 2])
    below = top - curve
    low, high = np.nan, np.nan
    if (below[:best] > 0.5).any():
        last = np.nonzero(below[:best] > 0.5)[0][-1]
        low = np.interp(0.5, below[[last + 1, last]], grid[[last + 1, last]])
    if (below[best:] > 0.5).any():
        first = best + np.nonzero(below[best:] > 0.5)[0][0]
        high = np.interp(0.5, below[[first - 1, first]], grid[[first - 1, first]])
    return Estimate(float(value), float(low), float(high))


def _vertex(grid, curve):
    """Vertex of the parabola through three points, with coordinates from the middle one."""
    square, slope, _ = np.polyfit(grid - grid[1], curve - curve[1], 2)
    return grid[1] - slope / (2 * square), curve[1] - slope**2 / (4 * square)
