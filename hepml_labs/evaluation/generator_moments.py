"""Distances between true and generated events by moments and kernels: the Frechet and the kernel physics distance."""

import numpy as np

from hepml_labs.evaluation.generators import Distance, check_events, standardise
from hepml_labs.validation import check_count, to_numpy

__all__ = ["frechet_distance", "gaussian_kernel", "kernel_distance", "polynomial_kernel"]

GROUPS, BATCHES = 20, 4  # of the Frechet distance: parts that the jackknife leaves out, and samples of reduced size


def frechet_distance(truth, generated, seed=0, draws=50):
    """Frechet distance of the Gaussians with the samples' means and covariances, for infinite samples.

    Parameters
    ----------
    truth, generated : array, (n, d) and (m, d)
        Events or high-level features of events, at least 40 d of each.
    seed : int
        Of the partition and the bootstrap.
    draws : int
        Bootstrap samples for the floor.

    Returns
    -------
    Distance
        Floats, columns in standard deviations of the truth. The floor is zero up to the residual bias of the
        extrapolation; estimates may be negative. The error is the jackknife's: rather too large than too small.

    Raises
    ------
    ValueError
        If inputs are not finite or do not fit together, a true column is constant, or there are too few events.

    Notes
    -----
    The Frechet physics distance of Kansal et al., arXiv:2211.10295:
    F = |mu - nu|^2 + tr(S + T - 2 (S T)^(1/2)). Sample moments bias it by about a / n, far more than good generators
    differ. The paper draws samples of many sizes and fits F + a / n; here the line goes through two sizes, all events
    and four disjoint quarters: for the term of the means this is the unbiased average of the products of *different*
    quarters. Error: each of 20 parts is left out in turn. Blind to all that leaves means and covariances alone.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> found = frechet_distance(random.normal(size=(20_000, 3)), random.normal(0.5, 1, size=(20_000, 3)))
    >>> round(found.value, 1), bool(abs(found.floor) < 0.001)  # 3 * 0.5^2
    (0.8, True)
    """
    truth, generated, _ = check_events(truth, generated)
    check_count("draws", draws, minimum=2)
    for name, events in (("truth", truth), ("generated", generated)):
        if len(events) < 2 * GROUPS * truth.shape[1]:
            raise ValueError(f"{name}: found {len(events)} events, expected 40 for each of {truth.shape[1]} columns")
    truth, generated = standardise(truth, generated)
    random = np.random.default_rng(seed)
    groups = _group_moments(random.permutation(truth)), _group_moments(random.permutation(generated))
    kept = 1.0 - np.eye(GROUPS)
    without = np.array([_extrapolated(*(g * keep[:, None, None] for g in groups)) for keep in kept])
    error = np.sqrt((GROUPS - 1) * without.var())
    floor = [
        _extrapolated(*(_group_moments(truth[random.integers(len(truth), size=len(x))]) for x in (truth, generated)))
        for _ in range(draws)
    ]
    return Distance(float(_extrapolated(*groups)), float(error), float(np.mean(floor)), float(np.std(floor, ddof=1)))


def _pair(x, y):
    x = to_numpy("x", x, ("n", "d"))
    return x, to_numpy("y", y, ("m", x.shape[1]))


def polynomial_kernel(x, y):
    """Kernel (x . y / d + 1)^4 of events (n, d) and (m, d), shape (n, m): sees moments up to the fourth."""
    x, y = _pair(x, y)
    return (x @ y.T / x.shape[1] + 1) ** 4


def gaussian_kernel(x, y):
    """Kernel exp(-|x - y|^2 / 2d) of events (n, d) and (m, d), shape (n, m): sees any difference, if not too small."""
    x, y = _pair(x, y)
    squared = (x**2).sum(1)[:, None] + (y**2).sum(1) - 2 * x @ y.T
    return np.exp(-squared / (2 * x.shape[1]))


def kernel_distance(truth, generated, seed=0, kernel=polynomial_kernel, block=500, draws=100):
    """Kernel distance: the squared maximum mean discrepancy, without bias, in blocks of events.

    Parameters
    ----------
    truth, generated : array, (n, d) and (m, d)
        Events or high-level features of events, at least 20 of each.
    seed : int
        Of the blocks and the permutations.
    kernel : callable
        From events (n, d) and (m, d) in standard deviations of the truth to (n, m); positive definite and symmetric.
    block : int
        Events of the smaller sample in each block; there are at least five blocks. Cost grows like n times block.
    draws : int
        Permutations of the labels within the blocks.

    Returns
    -------
    Distance
        Floats. The floor is zero by construction, its error that under permutations. Estimates may be negative.

    Raises
    ------
    ValueError
        If inputs are not finite or do not fit together, a true column is constant, or there are too few events.

    Notes
    -----
    The kernel physics distance of Kansal et al., arXiv:2211.10295, with the polynomial kernel; the estimate is
    equation 3 of Gretton et al., JMLR 13 (2012) 723, its average over blocks the test of Zaremba et al.,
    arXiv:1307.1954: independent blocks give an honest error (the paper takes the median of large overlapping batches).
    A polynomial of fourth order has eighth moments as its variance: heavy tails drown everything. A Gaussian
    kernel is bounded and sees all scales near its width, and no structure much narrower.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> truth = random.normal(size=(5000, 2))
    >>> found = kernel_distance(truth, random.normal(0.2, 1, size=(5000, 2)))
    >>> bool(found.deviations > 4)
    True
    """
    truth, generated, _ = check_events(truth, generated)
    check_count("block", block, minimum=4)
    check_count("draws", draws, minimum=2)
    blocks = max(5, min(len(truth), len(generated)) // block)
    if min(len(truth), len(generated)) < 20:
        raise ValueError(f"truth, generated: found {len(truth)} and {len(generated)} events, expected at least 20")
    truth, generated = standardise(truth, generated)
    random = np.random.default_rng(seed)
    parts = [np.array_split(random.permutation(x), blocks) for x in (truth, generated)]
    found = np.array([_discrepancies(kernel, *pair, draws, random) for pair in zip(*parts, strict=True)])
    value, permuted = found[:, 0], found[:, 1:].mean(axis=0)
    return Distance(float(value.mean()), float(value.std(ddof=1) / np.sqrt(blocks)), 0.0, float(permuted.std()))


def _group_moments(x):
    """Sums of (1, x)(1, x)^T in groups: number of events, sums and squares in one array (groups, 1 + d, 1 + d)."""
    ones = np.column_stack([np.ones(len(x)), x])
    return np.stack([group.T @ group for group in np.array_split(ones, GROUPS)])


def _extrapolated(truth, generated):
    """Straight line in 1 / n through all events and through quarters of them, at 1 / n = 0."""
    whole = _frechet(truth.sum(0), generated.sum(0))
    parts = np.mean([_frechet(truth[k::BATCHES].sum(0), generated[k::BATCHES].sum(0)) for k in range(BATCHES)])
    small = 1 / truth[:, 0, 0].sum()
    large = np.mean([1 / truth[k::BATCHES, 0, 0].sum() for k in range(BATCHES)])
    return (large * whole - small * parts) / (large - small)


def _frechet(truth, generated):
    (mean, covariance), (other_mean, other) = _gaussian(truth), _gaussian(generated)
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T
    overlap = np.sqrt(np.linalg.eigvalsh(root @ other @ root).clip(0)).sum()
    return ((mean - other_mean) ** 2).sum() + np.trace(covariance) + np.trace(other) - 2 * overlap


def _gaussian(sums):
    n, mean = sums[0, 0], sums[0, 1:] / sums[0, 0]
    return mean, (sums[1:, 1:] - n * np.outer(mean, mean)) / (n - 1)


def _discrepancies(kernel, truth, generated, draws, random):
    """Unbiased squared discrepancy of a block, then those for permuted labels, (1 + draws,)."""
    n, m = len(truth), len(generated)
    both = np.concatenate([truth, generated])
    values = kernel(both, both)
    np.fill_diagonal(values, 0)  # an event is not compared with itself: that is the bias
    labels = np.zeros((n + m, 1 + draws))
    labels[:n, 0] = 1
    labels[:, 1:] = random.permuted(np.repeat(labels[:, :1], draws, axis=1), axis=0)
    within = (labels * (values @ labels)).sum(axis=0)
    across = values.sum(axis=1) @ labels - within
    return within / (n * (n - 1)) + (values.sum() - within - 2 * across) / (m * (m - 1)) - 2 * across / (n * m)
