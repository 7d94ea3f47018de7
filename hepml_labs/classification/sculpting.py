"""How much a cut sculpts the background: a divergence with its statistical floor, and the sideband fit of a search."""

from typing import NamedTuple

import numpy as np

from hepml_labs.validation import check_between, check_count, check_same_shape, to_numpy

__all__ = ["Sculpting", "SidebandFit", "jensen_shannon_divergence", "sculpting", "sideband_fit"]


def jensen_shannon_divergence(first, second):
    r"""Jensen-Shannon divergence of two histograms, in bits: 0 for equal shapes, 1 for no overlap.

    .. math:: \frac12 \sum_k p_k \log_2\frac{2 p_k}{p_k + q_k} + \frac12 \sum_k q_k \log_2\frac{2 q_k}{p_k + q_k}

    Parameters
    ----------
    first, second : array, (..., bins)
        Contents of at least zero, brought to sum one along the last axis.

    Returns
    -------
    float or array, (...)

    Raises
    ------
    ValueError
        If numbers of bins differ, or a histogram has a negative content or is empty.

    Notes
    -----
    Lin, IEEE Trans. Inf. Theory 37 (1991) 145. It is the information, in bits, that the bin of an event gives on which
    of the two histograms the event was drawn from. Its root is a distance.

    Examples
    --------
    >>> print(round(jensen_shannon_divergence(np.array([1.0, 1.0]), np.array([2.0, 0.0])), 4))
    0.3113
    """
    shares = []
    for name, contents in (("first", first), ("second", second)):
        contents = to_numpy(name, contents, (..., "bins"), floating=False).astype(np.float64)
        total = contents.sum(axis=-1, keepdims=True)
        if contents.min() < 0 or not (total > 0).all():
            raise ValueError(f"{name}: found negative contents or an empty histogram, expected a sum above zero")
        shares.append(contents / total)
    p, q = shares
    if p.shape[-1] != q.shape[-1]:
        raise ValueError(f"second: found {q.shape[-1]} bins, expected {p.shape[-1]} like first")
    half = (p + q) / 2
    terms = [np.where(r > 0, r * np.log2(np.where(r > 0, r, 1) / np.where(half > 0, half, 1)), 0) for r in (p, q)]
    divergence = (terms[0] + terms[1]).sum(axis=-1) / 2
    return float(divergence) if divergence.ndim == 0 else divergence


class Sculpting(NamedTuple):
    """Divergence of the protected variable between events that pass a cut and all events.

    Attributes
    ----------
    value : float
        Jensen-Shannon divergence in bits.
    error : float
        One standard deviation, from the finite sample.
    floor, floor_error : float
        What a cut that knows nothing would show with as many events passing: mean and standard deviation.
    """

    value: float
    error: float
    floor: float
    floor_error: float


def sculpting(protected, passed, edges, replicas=400, seed=0):
    """Measure how much a cut changes the distribution of the protected variable.

    Parameters
    ----------
    protected : array, (n,)
        The protected variable of background events.
    passed : bool array, (n,)
        Which of them pass the cut.
    edges : array, (bins + 1,)
        Rising bin edges; events outside count in the first and last bin.
    replicas : int
        Random draws for errors and floor.
    seed : int

    Returns
    -------
    Sculpting

    Raises
    ------
    ValueError
        If shapes differ, edges do not rise, or no event passes.

    Notes
    -----
    The floor draws as many events as pass at random from all (a multivariate hypergeometric distribution); to lowest
    order it is (bins - 1) (1/n_pass - 1/n) / (8 ln 2). The error is that of a multinomial bootstrap of both groups.
    A value compatible with the floor says that *this many events* show no sculpting.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> mass, blind = random.exponential(size=10_000), random.random(10_000) < 0.1
    >>> edges = np.linspace(0, 3, 21)
    >>> for passed in (blind, mass > 2):
    ...     found = sculpting(mass, passed, edges)
    ...     print(f"{found.value:.4f} ± {found.error:.4f}, floor {found.floor:.4f} ± {found.floor_error:.4f}")
    0.0055 ± 0.0021, floor 0.0030 ± 0.0010
    0.6950 ± 0.0011, floor 0.0023 ± 0.0008
    """
    protected = to_numpy("protected", protected, ("n",), floating=False)
    passed = to_numpy("passed", passed, ("n",), floating=False)
    edges = to_numpy("edges", edges, ("bins + 1",), floating=False)
    check_same_shape(protected=protected, passed=passed)
    check_count("replicas", replicas, minimum=2)
    if len(edges) < 3 or not (np.diff(edges) > 0).all():
        raise ValueError(f"edges: found {edges[:5]}, expected at least three, each larger than the one before")
    if passed.dtype != bool or not passed.any():
        raise ValueError(
            f"passed: found {passed.dtype} with {passed.sum()} events passing, expected bool, at least one"
        )
    index = np.clip(np.digitize(protected, edges) - 1, 0, len(edges) - 2)
    count = np.bincount(index, minlength=len(edges) - 1)
    count_passed = np.bincount(index[passed], minlength=len(edges) - 1)
    random = np.random.default_rng(seed)

    def resample(contents):
        return random.multinomial(contents.sum(), contents / contents.sum(), size=replicas)

    failed = count - count_passed
    varied = resample(count_passed)
    varied_all = varied + (resample(failed) if failed.sum() else 0)
    spread = jensen_shannon_divergence(varied, varied_all).std(ddof=1)
    blind = random.multivariate_hypergeometric(count, int(count_passed.sum()), size=replicas)
    floor = jensen_shannon_divergence(blind, count)
    value = jensen_shannon_divergence(count_passed, count)
    return Sculpting(value, float(spread), float(floor.mean()), float(floor.std(ddof=1)))


class SidebandFit(NamedTuple):
    """A smooth function fitted outside of a window and compared with what lies inside.

    Attributes
    ----------
    expected : array, (bins,)
        The fitted function, inside and outside.
    observed_in_window, expected_in_window, error : float
        Events in the window, the prediction for them, and its standard deviation from the fit.
    significance : float
        (observed - expected) / sqrt(expected + error^2).
    goodness : float
        Deviance of the fit per degree of freedom in the sidebands, about one for a good fit to many events.
    """

    expected: np.ndarray
    observed_in_window: float
    expected_in_window: float
    error: float
    significance: float
    goodness: float


def sideband_fit(count, edges, window, degree=2):
    """Fit the exponential of a polynomial to the sidebands of a spectrum and predict the window.

    Parameters
    ----------
    count : array, (bins,)
        Events in each bin.
    edges : array, (bins + 1,)
        Rising bin edges.
    window : (float, float)
        Signal region: bins whose centre lies inside are not fitted.
    degree : int
        Degree of the polynomial in the exponent.

    Returns
    -------
    SidebandFit

    Raises
    ------
    ValueError
        If shapes do not fit or fewer filled sideband bins than parameters are left.

    Notes
    -----
    Maximum of the Poisson likelihood by Newton's method (a log-linear model: the likelihood has one maximum). The error
    is that of the fitted parameters, from the inverse of the Fisher information.

    Examples
    --------
    >>> edges = np.linspace(0, 4, 41)
    >>> count = np.random.default_rng(2).poisson(1000 * np.exp(-edges[:-1]))
    >>> fit = sideband_fit(count, edges, window=(1.5, 2.0), degree=1)
    >>> print(f"{fit.observed_in_window:.0f} seen, {fit.expected_in_window:.0f} ± {fit.error:.0f} expected")
    970 seen, 920 ± 14 expected
    """
    count = to_numpy("count", count, ("bins",), floating=False).astype(np.float64)
    edges = to_numpy("edges", edges, (len(count) + 1,), floating=False)
    check_count("degree", degree)
    centre = (edges[1:] + edges[:-1]) / 2
    check_between("window[1]", window[1], window[0], np.inf)
    inside = (centre > window[0]) & (centre < window[1])
    if np.count_nonzero(count[~inside]) <= degree:
        raise ValueError(f"count: found {np.count_nonzero(count[~inside])} filled sideband bins, expected > {degree}")
    design = np.polynomial.legendre.legvander(2 * (centre - edges[0]) / (edges[-1] - edges[0]) - 1, degree)
    side, seen = design[~inside], count[~inside]
    # weighted least squares on the logarithm to start from, then Newton steps
    parameters = np.linalg.lstsq(side * np.sqrt(seen + 0.5)[:, None], np.log(seen + 0.5) * np.sqrt(seen + 0.5))[0]
    for _ in range(50):
        rate = np.exp(np.minimum(side @ parameters, 50))
        information = side.T @ (rate[:, None] * side)
        step = np.linalg.solve(information, side.T @ (seen - rate))
        parameters = parameters + step * min(1, 2 / np.abs(step).max())
        if np.abs(step).max() < 1e-10:
            break
    expected = np.exp(design @ parameters)
    gradient = (expected[inside, None] * design[inside]).sum(axis=0)
    error = np.sqrt(gradient @ np.linalg.solve(information, gradient))
    observed, predicted = count[inside].sum(), expected[inside].sum()
    fitted = expected[~inside]
    deviance = 2 * (seen * np.log(np.where(seen > 0, seen, 1) / fitted) - seen + fitted).sum()
    return SidebandFit(
        expected,
        float(observed),
        float(predicted),
        float(error),
        float((observed - predicted) / np.sqrt(predicted + error**2)),
        float(deviance / max(len(seen) - degree - 1, 1)),
    )
