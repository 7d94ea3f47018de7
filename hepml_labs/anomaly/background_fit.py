r"""The smooth background of a bump hunt: dijet functions, fitted to a histogram by Poisson maximum likelihood.

With x = m / sqrt(s), f(m) = p_0 (1 - x)^p_1 / x^(p_2 + p_3 log x + p_4 log^2 x) has a logarithm that is linear in
(log p_0, p_1, p_2, ...). All fits are therefore one small Newton iteration, done for many histograms at once
(`hepml_labs.anomaly.poisson_fit`): pseudo-experiments cost next to nothing.

Masses are in GeV, of collisions at 13 TeV. Only x enters: for another energy, scale the masses by the ratio.
"""

from dataclasses import dataclass

import numpy as np

from hepml_labs.anomaly.poisson_fit import fisher_information, maximise_likelihood, poisson_loss
from hepml_labs.validation import check_array, check_count

__all__ = ["SpectrumFit", "dijet", "fit_spectrum", "window_bins"]

ENERGY = 13_000.0  # of the collision, GeV
EMPTY = 1e-3  # events put into an empty bin: keeps the expectation above zero where a signal could make it negative
NODES, WEIGHTS = np.polynomial.legendre.leggauss(4)  # integral over a bin


def _logarithms(mass, parameters):
    mass = np.asarray(mass, dtype=np.float64)
    check_count("parameters", parameters, 3)
    if parameters > 5:
        raise ValueError(f"parameters: found {parameters}, expected 3, 4 or 5")
    if mass.size == 0 or not ((mass > 0) & (mass < ENERGY)).all():
        raise ValueError(f"mass: found values outside of (0, {ENERGY:g}) or none, expected GeV")
    x = mass / ENERGY
    columns = [np.ones_like(x), np.log1p(-x)] + [-(np.log(x) ** k) for k in range(1, parameters - 1)]
    return np.stack(columns, axis=-1)


def dijet(mass, parameters):
    """Evaluate a dijet function, in events per GeV.

    Parameters
    ----------
    mass : array, (m,)
        GeV.
    parameters : array, (..., k)
        log(p_0 GeV), p_1, p_2, ... with k from 3 to 5.

    Returns
    -------
    array, (..., m)

    Raises
    ------
    ValueError
        If a mass is not between zero and the energy of the collision, or there are not 3 to 5 parameters.

    Notes
    -----
    The function of CDF, arXiv:0812.4036, and since then of most searches for dijet resonances (Harris and Kousouris,
    arXiv:1110.5302): (1 - x)^p_1 for the parton densities at large x, a power law for the hard process, and
    corrections to its exponent.

    Examples
    --------
    >>> dijet(np.array([2600.0, 5200.0]), np.array([0.0, 8.0, 5.0]))
    array([524.288...,   1.6402...])
    """
    parameters = np.asarray(parameters, dtype=np.float64)
    check_array("parameters", parameters, (..., "k"))
    return np.exp(parameters @ _logarithms(mass, parameters.shape[-1]).T)


@dataclass(frozen=True)
class SpectrumFit:
    """Background, and signal where there is a template, fitted to one histogram or to many.

    Attributes
    ----------
    edges : array, (bins + 1,), GeV.
    counts : array, (..., bins)
    used : array of bool, (bins,): the bins that entered the likelihood.
    parameters, parameter_covariance : arrays, (..., k) and (..., k, k), as in `dijet`.
    expected : array, (..., bins): events of the background in each bin, fitted or not.
    modes : array, (..., bins, r): changes of `expected` when each of r independent combinations of the parameters moves
        by one standard deviation: ``modes @ modes.T`` is the covariance of `expected`.
    deviance : array, (...): twice the log-likelihood ratio to a perfect description, the chi-squared of
        Baker and Cousins, Nucl. Instrum. Meth. 221 (1984) 437.
    strength, strength_error : arrays, (...): fitted multiple of the template; zero without one.
    """

    edges: np.ndarray
    counts: np.ndarray
    used: np.ndarray
    parameters: np.ndarray
    parameter_covariance: np.ndarray
    expected: np.ndarray
    modes: np.ndarray
    deviance: np.ndarray
    strength: np.ndarray
    strength_error: np.ndarray

    def window(self, low, high):
        """Return the background between two of the edges and its standard deviation from the fit, with correlations.

        Parameters
        ----------
        low, high : float
            GeV, as for `window_bins`.

        Returns
        -------
        (array, array), each (...)
        """
        inside = window_bins(self.edges, low, high)
        modes = self.modes[..., inside, :].sum(axis=-2)
        return self.expected[..., inside].sum(axis=-1), np.sqrt((modes**2).sum(axis=-1))


def window_bins(edges, low, high):
    """Return which bins of a histogram lie in a window.

    Parameters
    ----------
    edges : array, (bins + 1,)
        GeV, rising.
    low, high : float
        Ends of the window, GeV: two of the edges, since a bin cannot be half inside.

    Returns
    -------
    array of bool, (bins,)

    Raises
    ------
    ValueError
        If an end is no edge, or they are not in order.

    Examples
    --------
    >>> window_bins(np.array([3000.0, 3300.0, 3500.0, 3700.0, 4000.0]), 3300.0, 3700.0)
    array([False,  True,  True, False])
    """
    edges = np.asarray(edges, dtype=np.float64)
    if not (low < high and np.isclose(edges, low).any() and np.isclose(edges, high).any()):
        raise ValueError(f"window: found {low:g} to {high:g}, expected two different edges of the histogram, in order")
    centres = (edges[1:] + edges[:-1]) / 2
    return (centres > low) & (centres < high)


def fit_spectrum(counts, edges, parameters=3, *, used=None, template=None):
    """Fit a dijet function, and the strength of a signal, by Poisson maximum likelihood.

    Parameters
    ----------
    counts : array, (..., bins)
        Events in each bin; leading dimensions are independent histograms, such as pseudo-experiments. Fractions are
        allowed, such as an expectation in place of data.
    edges : array, (bins + 1,)
        GeV, rising; the widths may differ.
    parameters : int
        Of the dijet function: 3 to 5.
    used : array of bool, (bins,), optional
        Bins that enter: leave out a window to predict it from its sidebands. By default all.
    template : array, (..., bins), optional
        Expected signal in each bin, broadcast against `counts`. Its strength is fitted along, of either sign.

    Returns
    -------
    SpectrumFit
        With the leading dimensions of `counts` and `template`.

    Raises
    ------
    ValueError
        If shapes do not fit, counts are negative or not finite, edges do not rise or reach beyond the energy of
        the collision, or fewer bins are used than there are parameters.
    RuntimeError
        If a fit does not converge.

    Notes
    -----
    Expectations are integrals over the bins. The covariance is the inverse of Fisher's information.

    Examples
    --------
    >>> edges = np.linspace(2600, 6600, 41)
    >>> truth = fit_spectrum(1e4 * np.exp(-(edges[1:] - 2600) / 600), edges).expected
    >>> counts = np.random.default_rng(0).poisson(truth)
    >>> fit = fit_spectrum(counts, edges, used=(edges[1:] <= 3300) | (edges[:-1] >= 3700))
    >>> expected, error = fit.window(3300, 3700)
    >>> print(f"{expected:.0f} +- {error:.0f}, truth {truth[7:11].sum():.0f}")
    8402 +- 66, truth 8319
    """
    counts, edges = np.asarray(counts, dtype=np.float64), np.asarray(edges, dtype=np.float64)
    check_array("counts", counts, (..., "bins"))
    bins = counts.shape[-1]
    check_array("edges", edges, (bins + 1,))
    if (counts < 0).any() or (np.diff(edges) <= 0).any():
        raise ValueError("counts, edges: found a negative count or edges that do not rise, expected neither")
    used = np.ones(bins, dtype=bool) if used is None else np.asarray(used)
    check_array("used", used, (bins,), floating=False)
    width, centre = np.diff(edges), (edges[1:] + edges[:-1]) / 2
    design = _logarithms(centre[:, None] + width[:, None] / 2 * NODES, parameters)
    if template is not None:
        template = np.asarray(template, dtype=np.float64)
        check_array("template", template, (..., bins))
        shape = np.broadcast_shapes(counts.shape, template.shape)
        template = np.broadcast_to(template, shape).reshape(-1, bins, 1)
        counts = np.broadcast_to(counts, shape)
    size = parameters + (template is not None)
    if used.dtype != bool or used.sum() < size:
        raise ValueError(f"used: found {used.dtype}, {int(used.sum())} bins, expected bool, at least {size} bins")

    # In the combinations of parameters that are orthogonal on the average data the iteration is well conditioned.
    target = np.maximum(counts, EMPTY).reshape(-1, bins)
    root = np.sqrt(target.mean(axis=0) + 0.5)[used]
    orthogonal, mix = np.linalg.qr(root[:, None] * (WEIGHTS / 2 @ design)[used])
    mix = np.linalg.inv(mix)
    design, measure = design @ mix, width[:, None] / 2 * WEIGHTS
    start = np.zeros((len(target), size))
    start[:, :parameters] = (root * np.log((target + 0.5) / width)[:, used]) @ orthogonal

    def expectation(coefficient, rows, bins):
        with np.errstate(over="ignore", invalid="ignore"):  # a step may go too far: it is then refused
            density = np.exp(design[bins] @ coefficient[:, :parameters].T) * measure[bins, :, None]  # bin, node, row
            expected = density.sum(axis=1).T
            slope = (density.swapaxes(1, 2) @ design[bins]).swapaxes(0, 1)
        if template is None:
            return expected, slope
        shape = template[rows][:, bins]
        return expected + coefficient[:, parameters:] * shape[..., 0], np.concatenate([slope, shape], axis=-1)

    best = maximise_likelihood(lambda coefficient, rows: expectation(coefficient, rows, used), target[:, used], start)
    expected, slope = expectation(best, slice(None), slice(None))
    value, vector = np.linalg.eigh(fisher_information(slope[:, used], expected[:, used]))
    error = vector / np.sqrt(np.maximum(value, 1e-12 * value[:, -1:]))[:, None, :]  # error @ error.T: the covariance
    spread = mix @ error[:, :parameters]

    def shaped(values):
        return values.reshape(counts.shape[:-1] + values.shape[1:])[()]

    return SpectrumFit(
        edges,
        counts,
        used,
        parameters=shaped(best[:, :parameters] @ mix.T),
        parameter_covariance=shaped(spread @ spread.swapaxes(-1, -2)),
        expected=shaped(expected - (0 if template is None else best[:, parameters:] * template[..., 0])),
        modes=shaped(slope[..., :parameters] @ error[:, :parameters]),
        deviance=shaped(2 * poisson_loss(target[:, used], expected[:, used])),
        strength=shaped(best[:, parameters:].sum(axis=1)),
        strength_error=shaped(np.sqrt((error[:, parameters:] ** 2).sum(axis=(1, 2)))),
    )
