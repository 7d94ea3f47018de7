"""What it costs to learn from mixtures: the share of the information that is left, and the angle that is lost."""

import numpy as np

from hepml_labs.anomaly.cwola import check_fractions, log_mixture
from hepml_labs.validation import check_between, check_count, to_numpy

__all__ = ["discriminant_angle", "information_share"]


def information_share(log_ratio, fractions):
    r"""Share of the information on log p_S/p_B that events keep when their labels are replaced by those of mixtures.

    In a small cell, n events of each mixture fix log L with a variance; as many events of pure signal and background
    would fix it with a smaller one. The ratio of the two variances is

    .. math:: (f_1 - f_2)^2 \frac{L (1 + L)}{A_1 A_2 (A_1 + A_2)}, \qquad A_k = f_k L + 1 - f_k .

    It is (f1 - f2)^2 where L = 1, and one for pure samples.

    Parameters
    ----------
    log_ratio : array
        log L.
    fractions : tuple of two floats
        Shares (f1, f2) of signal in the two mixtures, f1 > f2.

    Returns
    -------
    array
        Same shape, in [0, 1].

    Raises
    ------
    ValueError
        If an entry is not finite, or as `check_fractions`.

    Examples
    --------
    >>> information_share(np.log([0.01, 1.0, 100.0]), (0.7, 0.3)).round(3)
    array([0.007, 0.16 , 0.007])
    """
    f1, f2 = check_fractions(fractions)
    x = to_numpy("log_ratio", np.asarray(log_ratio))
    first, second = log_mixture(x, f1), log_mixture(x, f2)
    return (f1 - f2) ** 2 * np.exp(x + np.logaddexp(0, x) - first - second - np.logaddexp(first, second))


def discriminant_angle(n, dimensions, distance, fractions=(1.0, 0.0)):
    """Expected squared tangent of the angle between a linear discriminant trained on mixtures and the best one.

    Signal and background are Gaussians of one covariance; lengths and angles are those in which it is the unit matrix.
    The separation that is left is the distance times the cosine.

    Parameters
    ----------
    n : int
        Number of training events in each mixture.
    dimensions : int
        Number of features d.
    distance : float
        Mahalanobis distance D of signal and background.
    fractions : tuple of two floats
        Shares (f1, f2) of signal; (1, 0), the default, is training with labels.

    Returns
    -------
    float
        (d - 1) 2 S T / (n m^2) for the distance of the mixtures' means m = (f1 - f2) D, and the variances
        S = 1 + D^2 [f1 (1 - f1) + f2 (1 - f2)] / 2 within the mixtures and T = S + m^2 / 4 of both together.
        To first order in 1 / n.

    Raises
    ------
    ValueError
        If `n` or `dimensions` are no counts, the distance is not above zero, or as `check_fractions`.

    Examples
    --------
    >>> labels, mixtures = (discriminant_angle(1000, 5, 1.0, f) for f in ((1, 0), (0.6, 0.4)))
    >>> round(labels, 4), round(mixtures / labels, 2)  # 1.24 / (0.6 - 0.4)^2
    (0.01, 31.0)
    """
    f1, f2 = check_fractions(fractions)
    check_count("n", n, minimum=2)
    check_count("dimensions", dimensions)
    check_between("distance", distance, 0, np.inf)
    square = ((f1 - f2) * distance) ** 2
    within = 1 + distance**2 * (f1 * (1 - f1) + f2 * (1 - f2)) / 2
    return (dimensions - 1) * 2 * within * (within + square / 4) / (n * square)
