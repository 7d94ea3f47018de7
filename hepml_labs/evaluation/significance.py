"""What a cut is worth to a search: significance improvement and the significance expected of a counting experiment."""

from typing import NamedTuple

import numpy as np

from hepml_labs.evaluation.roc import working_points

__all__ = ["SignificanceImprovement", "asimov_significance", "significance_improvement"]


class SignificanceImprovement(NamedTuple):
    """Improvement eps_S / sqrt(eps_B) with its error at each signal efficiency: arrays of shape (k,)."""

    signal_efficiency: np.ndarray
    background_efficiency: np.ndarray
    value: np.ndarray
    error: np.ndarray


def significance_improvement(label, score, minimum_background=10, efficiency=None, weight=None):
    """Return the factor by which a cut on the score raises S / sqrt(B), against the signal efficiency.

    Parameters
    ----------
    label : array, (n,)
        1 (or True) for signal, 0 for background.
    score : array, (n,)
        Higher for signal.
    minimum_background : float
        Fewest backgrounds (effective number, with weights) that must pass: with fewer the ratio is mostly noise, and
        its largest value a lucky fluctuation.
    efficiency : array, (k,), optional
        Signal efficiencies; 0.005, 0.010, ... 1 by default.
    weight : array, (n,), optional
        Weights of the events, of at least zero.

    Returns
    -------
    SignificanceImprovement
        ``signal_efficiency``, ``background_efficiency``, ``value``, ``error``, at those efficiencies where enough
        background is left.

    Raises
    ------
    ValueError
        As `hepml_labs.evaluation.roc_curve`, or if there is no efficiency with enough background.

    Notes
    -----
    Source of the measure: Gallicchio et al., arXiv:1010.3698. The error is that at fixed signal efficiency, half the
    relative error of eps_B with the error of the threshold included, see `hepml_labs.evaluation.background_rejection`.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> label = np.repeat([1, 0], 20_000)
    >>> curve = significance_improvement(label, random.normal(size=40_000) + 2 * label, efficiency=[0.5])
    >>> print(f"{curve.value[0]:.2f} ± {curve.error[0]:.2f}")  # exactly 3.32
    3.28 ± 0.08
    """
    grid = np.arange(1, 201) / 200 if efficiency is None else efficiency
    points = working_points(label, score, grid, weight)
    b = points.background_efficiency
    enough = (b > 0) & (points.passing >= minimum_background * (1 - 1e-12))
    if not enough.any():
        raise ValueError(
            f"minimum_background: found {minimum_background}, expected at most {points.passing.max():.4g}, "
            "the number of backgrounds that pass at the largest efficiency"
        )
    points = type(points)(*(entry[enough] for entry in points))
    b, e = points.background_efficiency, points.signal_efficiency
    value = e / np.sqrt(b)
    relative = np.sqrt((1 - b) / (b * points.background_count) + points.threshold_error**2) / 2
    return SignificanceImprovement(e, b, value, value * relative)


def asimov_significance(signal, background, background_error=0.0):
    """Return the median significance expected for the discovery of a signal in a counting experiment.

    Parameters
    ----------
    signal : float or array
        Expected number of signal events, of at least zero.
    background : float or array
        Expected number of background events, above zero.
    background_error : float or array
        Standard deviation of the background expectation, of at least zero, as from a side measurement.

    Returns
    -------
    float or array
        In standard deviations; S / sqrt(B) for S much smaller than B and a known background.

    Raises
    ------
    ValueError
        If an argument is out of range or not finite.

    Notes
    -----
    The likelihood ratio at data equal to their expectation: Cowan, Cranmer, Gross and Vitells, arXiv:1007.1727,
    eq. 97; with an uncertain background, the profile over a Poisson side measurement of the same relative error.

    Examples
    --------
    >>> print(f"{asimov_significance(10, 100):.3f} {asimov_significance(10, 100, 10):.3f}")
    0.984 0.690
    """
    signal, background, sigma = (np.asarray(x, dtype=np.float64) for x in (signal, background, background_error))
    for name, values, good, expected in (
        ("signal", signal, signal >= 0, "of at least zero"),
        ("background", background, background > 0, "above zero"),
        ("background_error", sigma, sigma >= 0, "of at least zero"),
    ):
        if values.size == 0 or not (good & np.isfinite(values)).all():
            raise ValueError(f"{name}: found {values[()]}, expected finite numbers {expected}")
    total = signal + background
    variance = sigma**2
    known = total * np.log1p(signal / background) - signal
    safe = np.where(variance > 0, variance, 1.0)
    uncertain = total * np.log(total * (background + safe) / (background**2 + total * safe))
    uncertain -= background**2 / safe * np.log1p(safe * signal / (background * (background + safe)))
    significance = np.sqrt(2 * np.maximum(np.where(variance > 0, uncertain, known), 0))
    return float(significance) if significance.ndim == 0 else significance
