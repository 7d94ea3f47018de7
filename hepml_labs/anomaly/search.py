"""The whole search: train, cut and count in each window, local p-values, and the one global p-value of all of it."""

from typing import NamedTuple

import numpy as np
from scipy.stats import beta, norm

from hepml_labs.anomaly.base import check_events
from hepml_labs.anomaly.bump_hunt import count_window, profile_window
from hepml_labs.anomaly.folding import cross_scores, select_in_folds
from hepml_labs.evaluation.intervals import ONE_SIGMA
from hepml_labs.validation import check_array, check_between, check_count

__all__ = ["GlobalPValue", "ScanTable", "global_p_value", "nested_correlation", "scan", "spectrum_edges", "tile"]

BIN = 100.0  # GeV, about the resolution of the dijet mass


class ScanTable(NamedTuple):
    """Result of a scan: arrays over windows and efficiencies.

    Attributes
    ----------
    window : array, (windows, 2)
        Edges, GeV.
    efficiency : array, (efficiencies,)
        Share of the sidebands that passes the cut.
    observed, expected, error : array, (windows, efficiencies)
        Events in the window behind the cut, the background fitted to the sidebands behind the same cut, and its
        standard deviation.
    significance, p_value : array, (windows, efficiencies)
        Local: signed profile-likelihood significance and its one-sided p-value.
    passed : array of bool, (windows, efficiencies, n)
        Which events pass.
    """

    window: np.ndarray
    efficiency: np.ndarray
    observed: np.ndarray
    expected: np.ndarray
    error: np.ndarray
    significance: np.ndarray
    p_value: np.ndarray
    passed: np.ndarray

    @property
    def best(self):
        """Window and efficiency of the smallest p-value: two indices."""
        return tuple(int(k) for k in np.unravel_index(self.p_value.argmin(), self.p_value.shape))


class GlobalPValue(NamedTuple):
    """Probability that the best of all p-values is as small as this in background alone.

    Attributes
    ----------
    value : float
        (1 + k) / (1 + n) for k of n toys: never zero.
    low, high : float
        68 % interval of Clopper and Pearson for the finite number of toys.
    local : float
        The smallest local p-value.
    """

    value: float
    low: float
    high: float
    local: float


def tile(regions, below=1, above=2):
    """Return windows that lie side by side, each wider than the one before in proportion to its mass.

    Parameters
    ----------
    regions : hepml_labs.anomaly.regions.Regions
        One of the windows, and the range of all.
    below, above : int
        Number of further windows on both sides.

    Returns
    -------
    list of Regions
        In the order of mass.

    Raises
    ------
    ValueError
        If a window leaves no sideband on one side.

    Examples
    --------
    >>> from hepml_labs.anomaly.regions import Regions
    >>> [tuple(round(edge) for edge in regions.signal) for regions in tile(Regions())]
    [(2943, 3300), (3300, 3700), (3700, 4148), (4148, 4651)]
    """
    check_count("below", below, minimum=0)
    check_count("above", above, minimum=0)
    ratio = regions.signal[1] / regions.signal[0]
    return [regions.shift(regions.centre * ratio**k) for k in range(-below, above + 1)]


def spectrum_edges(regions):
    """Return the edges of a spectrum with whole bins in the window and in each sideband, about `BIN` wide.

    Parameters
    ----------
    regions : hepml_labs.anomaly.regions.Regions

    Returns
    -------
    array, (bins + 1,)
        GeV.
    """
    low, high = regions.signal
    pieces = [(regions.range[0], low), (low, high), (high, regions.range[1])]
    edges = [np.linspace(a, b, max(1, round((b - a) / BIN)) + 1)[:-1] for a, b in pieces]
    return np.append(np.concatenate(edges), regions.range[1])


def scan(detector, events, windows, efficiencies=(0.02, 0.005), *, folds=2, parameters=4, seed=0):
    """Run the search in each window: cross-train, cut, fit the sidebands behind the cut, count the window.

    Parameters
    ----------
    detector : hepml_labs.anomaly.base.AnomalyDetector
        Not fitted; a copy is trained for each window and fold.
    events : Events or Box
        Anything with `features` (n, d) and `mass` (n,) in GeV. Labels are not read.
    windows : list of hepml_labs.anomaly.regions.Regions
        Where to look, see `tile`; decided on before.
    efficiencies : array, (efficiencies,)
        Falling or rising shares of the sidebands that pass, in (0, 1).
    folds : int
        Each event is scored by a detector that was trained on the other folds.
    parameters : int
        Of the dijet function that is fitted, see `hepml_labs.anomaly.background_fit.dijet`.
    seed : int
        Of the folds.

    Returns
    -------
    ScanTable

    Raises
    ------
    ValueError
        If an event is there more than once, an efficiency is out of range, or arrays are not as described.

    Notes
    -----
    Copies of one event, as a bootstrap makes them, would be split between the folds: a detector that has seen an event
    of the window would be asked about its twin. Use `hepml_labs.anomaly.samples.thin` for pseudo-experiments.
    The procedure is that of the extended bump hunt: Collins, Howe and Nachman, arXiv:1902.02634.
    """
    features, mass = check_events(events.features, events.mass)
    efficiencies = np.asarray(efficiencies, dtype=np.float64)
    check_array("efficiencies", efficiencies, ("efficiencies",))
    for efficiency in efficiencies.tolist():
        check_between("efficiencies", efficiency, 0, 1)
    copies = len(mass) - len(np.unique(np.column_stack([mass, features]), axis=0))
    if copies:
        raise ValueError(
            f"events: found {copies} event(s) more than once, expected each once: copies leak across folds"
        )
    rows, passed = [], np.zeros((len(windows), len(efficiencies), len(mass)), bool)
    for w, regions in enumerate(windows):
        used = regions.inside(mass) | regions.sideband(mass)
        side, edges = regions.sideband(mass[used]), spectrum_edges(regions)
        scores = cross_scores(detector, features[used], mass[used], regions, folds=folds, seed=seed)
        for e, efficiency in enumerate(efficiencies.tolist()):
            passed[w, e, used] = select_in_folds(scores.score, scores.fold, efficiency, reference=side)
        counts = np.stack([np.histogram(mass[rows_], edges)[0] for rows_ in passed[w]])
        found = count_window(counts, edges, regions.signal, parameters)
        z = profile_window(counts, edges, regions.signal, parameters)
        rows.append((found.observed, found.expected, found.error, z, norm.sf(z)))
    columns = (np.stack(column) for column in zip(*rows, strict=True))
    return ScanTable(np.array([regions.signal for regions in windows]), efficiencies, *columns, passed)


def nested_correlation(efficiencies):
    r"""Return the correlations of the significances behind nested cuts.

    Of two cuts the harder one keeps a part of the events that pass the softer one. So their counts share events, and
    with :math:`N_1` events out of :math:`N_2` the covariance is the variance of the smaller count,
    :math:`\rho = N_1 / \sqrt{N_1 N_2} = \sqrt{\varepsilon_1/\varepsilon_2}`.

    Parameters
    ----------
    efficiencies : array, (k,)
        Of the background; above zero.

    Returns
    -------
    array, (k, k)

    Raises
    ------
    ValueError
        If an efficiency is not above zero.

    Examples
    --------
    >>> nested_correlation(np.array([0.02, 0.005]))
    array([[1. , 0.5],
           [0.5, 1. ]])
    """
    efficiencies = np.asarray(efficiencies, dtype=np.float64)
    check_array("efficiencies", efficiencies, ("k",), positive=True)
    first, second = efficiencies[:, None], efficiencies[None, :]
    return np.sqrt(np.minimum(first, second) / np.maximum(first, second))


def global_p_value(table, toys=20_000, seed=0, *, width=1.0):
    """Return the probability that any of the local p-values is as small as the best one, in background alone.

    Parameters
    ----------
    table : ScanTable
        Or anything with `p_value` (windows, efficiencies) and `efficiency` (efficiencies,).
    toys : int
        Number of toys: a p-value of p needs some 10 / p of them.
    seed : int
    width : float
        Standard deviation of the local significances in background alone: measure it with searches without signal.
        Merged folds can make it larger than one, since an event judges the detectors that others have trained and helps
        to train those that judge the others.

    Returns
    -------
    GlobalPValue

    Raises
    ------
    ValueError
        If the p-values have another shape or are outside of [0, 1], or `toys` or `width` is no number above zero.

    Notes
    -----
    A toy draws a Gaussian significance for each window and efficiency, with `nested_correlation` in a window. Windows
    count as independent: they share no event, and are cut by detectors of their own. Where neighbours overlap the
    correlation is positive, and the result too large rather than too small (D. Slepian, Bell System Technical Journal
    41 (1962) 463).

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> table = SimpleNamespace(p_value=np.array([[0.3], [0.01], [0.5], [0.8]]), efficiency=np.array([0.01]))
    >>> print(f"{global_p_value(table).value:.3f}, in closed form {1 - 0.99**4:.3f}")
    0.041, in closed form 0.039
    """
    p = np.asarray(table.p_value, dtype=np.float64)
    check_array("p_value", p, ("windows", len(table.efficiency)))
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"p_value: found {p.min():.4g} to {p.max():.4g}, expected probabilities")
    check_count("toys", toys)
    check_between("width", width, 0, np.inf)
    correlation = nested_correlation(table.efficiency)
    value, vector = np.linalg.eigh(correlation)
    root = vector * np.sqrt(np.maximum(value, 0))
    draws = np.random.default_rng(seed).normal(size=(toys, *p.shape)) @ root.T
    k = int((norm.sf(width * draws.max(axis=(1, 2))) <= p.min()).sum())
    outside = (1 - ONE_SIGMA) / 2
    low = beta.ppf(outside, k, toys - k + 1) if k > 0 else 0.0
    high = beta.isf(outside, k + 1, toys - k) if k < toys else 1.0
    return GlobalPValue((1 + k) / (1 + toys), float(low), float(high), float(p.min()))
