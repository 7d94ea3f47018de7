"""From two mixtures back to what they are made of: unmixing with known fractions, and fractions from anchor bins."""

from typing import NamedTuple

import numpy as np

from hepml_labs.anomaly.cwola import check_fractions
from hepml_labs.evaluation import Area
from hepml_labs.validation import check_between, check_count, check_same_shape, to_numpy

__all__ = ["Anchors", "Unmixed", "anchor_bins", "closure", "pure_area", "topic_fractions", "unmix"]


class Unmixed(NamedTuple):
    """A quantity of pure signal and of pure background, with errors: arrays of one shape.

    The two errors are correlated: both come from the same two measurements.
    """

    signal: np.ndarray
    background: np.ndarray
    signal_error: np.ndarray
    background_error: np.ndarray


def unmix(first, second, fractions, first_error=0.0, second_error=0.0):
    """Solve for signal and background in two mixtures: M_k = f_k S + (1 - f_k) B.

    Parameters
    ----------
    first, second : array
        Any quantity that is linear in the density, measured in each mixture: the efficiency of a cut, the normalised
        contents of a histogram, a mean.
    fractions : tuple of two floats
        Shares (f1, f2) of signal, f1 > f2.
    first_error, second_error : array
        Standard deviations of the two measurements, independent of each other.

    Returns
    -------
    Unmixed
        ``signal``, ``background`` and their errors. Efficiencies below zero or above one are possible, and honest.

    Raises
    ------
    ValueError
        If shapes differ, entries are not finite, or as `hepml_labs.anomaly.cwola.check_fractions`.

    Examples
    --------
    >>> found = unmix(np.array([0.68]), np.array([0.32]), (0.8, 0.2), 0.01, 0.01)
    >>> found.signal.round(4), found.background.round(4), found.signal_error.round(4)
    (array([0.8]), array([0.2]), array([0.0137]))
    """
    f1, f2 = check_fractions(fractions)
    first, second = (to_numpy(name, np.asarray(x)) for name, x in (("first", first), ("second", second)))
    check_same_shape(first=first, second=second)
    matrix = np.array([[1 - f2, f1 - 1], [-f2, f1]]) / (f1 - f2)
    values = np.tensordot(matrix, np.stack([first, second]), axes=1)
    squares = [np.broadcast_to(np.square(e), first.shape) for e in (first_error, second_error)]
    errors = np.sqrt(np.tensordot(matrix**2, np.stack(squares), axes=1))
    return Unmixed(*values, *errors)


def pure_area(area, fractions):
    """Area under the ROC curve of signal against background, from that of the first mixture against the second.

    It holds for any score: A_M - 1/2 = (f1 - f2) (A - 1/2).

    Parameters
    ----------
    area : hepml_labs.evaluation.Area
        Of the mixtures, with its error.
    fractions : tuple of two floats
        Shares (f1, f2) of signal, f1 > f2.

    Returns
    -------
    hepml_labs.evaluation.Area

    Raises
    ------
    ValueError
        As `hepml_labs.anomaly.cwola.check_fractions`.

    Examples
    --------
    >>> pure_area(Area(0.62, 0.003), (0.7, 0.4))
    Area(value=0.9, error=0.01)
    """
    f1, f2 = check_fractions(fractions)
    return Area(round(0.5 + (area.value - 0.5) / (f1 - f2), 12), round(area.error / (f1 - f2), 12))


class Anchors(NamedTuple):
    """Smallest ratios of two histograms, in both directions.

    Attributes
    ----------
    kappa : tuple of two floats
        Smallest share of the first mixture over the second, and of the second over the first.
    error : tuple of two floats
        Statistical, for a bin that was chosen in advance.
    bins : tuple of two ints
        The anchor bins.
    """

    kappa: tuple
    error: tuple
    bins: tuple


def anchor_bins(first, second, minimum=25):
    """Find the bins that are the purest in either component, and the ratio of the mixtures there.

    Of all bins with enough events it takes the one where ratio plus error is smallest: the smallest ratio itself
    would often be a fluctuation.

    Parameters
    ----------
    first, second : array, (bins,)
        Numbers of events of the two mixtures.
    minimum : int
        Fewest events of both together in a bin.

    Returns
    -------
    Anchors

    Raises
    ------
    ValueError
        If shapes differ, a count is negative, or no bin has enough events.

    Notes
    -----
    Metodiev and Thaler, arXiv:1802.00008, who take the idea of anchors from the topics of documents.

    Examples
    --------
    >>> anchors = anchor_bins(np.array([800.0, 160.0, 40.0]), np.array([250.0, 250.0, 500.0]))
    >>> [round(kappa, 4) for kappa in anchors.kappa], anchors.bins
    ([0.08, 0.3125], (2, 0))
    """
    first, second = (to_numpy(name, np.asarray(x), ("bins",), floating=False)
                     for name, x in (("first", first), ("second", second)))  # fmt: skip
    check_same_shape(first=first, second=second)
    check_count("minimum", minimum)
    if min(first.min(), second.min()) < 0:
        raise ValueError("first, second: found a negative count, expected numbers of events")
    enough = (first + second >= minimum) & (first > 0) & (second > 0)
    if not enough.any():
        raise ValueError(f"minimum: found {minimum}, expected at most {int((first + second).max())}, the fullest bin")
    found = []
    for one, other in ((first, second), (second, first)):
        safe = np.where(enough, [one, other], 1.0)
        ratio = safe[0] / safe[1] * other.sum() / one.sum()
        error = ratio * np.sqrt(1 / safe[0] + 1 / safe[1])
        k = int(np.argmin(np.where(enough, ratio + error, np.inf)))
        found.append((float(ratio[k]), float(error[k]), k))
    return Anchors(*zip(*found, strict=True))


def topic_fractions(kappa):
    """Fractions of two mixtures from their reducibility factors, where each component has a region to itself.

    Where p_S vanishes the ratio of the mixtures is (1 - f1)/(1 - f2), and where p_B does it is f1/f2. So
    f1 = (1 - k12)/(1 - k12 k21) and f2 = k21 f1.

    Parameters
    ----------
    kappa : tuple of two floats
        Smallest ratio of the first to the second mixture, and of the second to the first, in [0, 1).

    Returns
    -------
    f1, f2 : float

    Raises
    ------
    ValueError
        If a ratio is out of range.

    Notes
    -----
    Metodiev and Thaler, arXiv:1802.00008. Without such regions the result is not wrong but about something else: the
    purest distributions, the *topics*, of which both mixtures can be made.

    Examples
    --------
    >>> f1, f2 = topic_fractions((0.25, 0.25))
    >>> round(f1, 6), round(f2, 6)
    (0.8, 0.2)
    """
    for number, value in enumerate(kappa):
        check_between(f"kappa[{number}]", value, 0, 1, include_low=True)
    first, second = kappa
    f1 = (1 - first) / (1 - first * second)
    return f1, second * f1


def closure(first, second, third):
    """Test whether a third mixture is made of the same two components: chi-squared and degrees of freedom.

    A normalised histogram of a third mixture lies on the straight line through those of the first two. The place on
    the line is fitted; with samples whose components differ, no place fits.

    Parameters
    ----------
    first, second, third : array, (bins,)
        Numbers of events.

    Returns
    -------
    position : float
        1 at the first mixture, 0 at the second: (f3 - f2)/(f1 - f2).
    chi_squared : float
        At the best place.
    degrees : int
        Number of bins minus two.

    Raises
    ------
    ValueError
        If shapes differ, there are fewer than three bins, or a bin is empty in all of them.

    Examples
    --------
    >>> counts = [np.array(c) for c in ([600.0, 300.0, 100.0], [200.0, 300.0, 500.0], [400.0, 300.0, 300.0])]
    >>> position, chi_squared, degrees = closure(*counts)
    >>> round(position, 3), round(chi_squared, 6), degrees
    (0.5, 0.0, 1)
    """
    names = ("first", "second", "third")
    counts = [
        to_numpy(n, np.asarray(x), ("bins",), floating=False)
        for n, x in zip(names, (first, second, third), strict=True)
    ]
    check_same_shape(**dict(zip(names, counts, strict=True)))
    if len(counts[0]) < 3 or not (sum(counts) > 0).all():
        raise ValueError("first, second, third: found fewer than three bins or an empty one, expected neither")
    a, b, c = (x / x.sum() for x in counts)
    # the variance of a share under the common shape: stable in bins where one histogram is empty
    variances = [np.maximum(x, 1.0) / x.sum() ** 2 for x in counts]
    position = 0.5
    for _ in range(20):
        variance = position**2 * variances[0] + (1 - position) ** 2 * variances[1] + variances[2]
        position = float(np.sum((c - b) * (a - b) / variance) / np.sum((a - b) ** 2 / variance))
    return position, float(np.sum((c - position * a - (1 - position) * b) ** 2 / variance)), len(a) - 2
