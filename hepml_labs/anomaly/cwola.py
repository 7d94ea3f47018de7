"""Classification without labels: a classifier of two mixtures is a classifier of what they are made of."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from hepml_labs.anomaly.base import TemplateDetector
from hepml_labs.validation import check_count, to_numpy

__all__ = [
    "CWoLa",
    "check_fractions",
    "draw_mixtures",
    "log_mixture",
    "mixed_log_ratio",
    "pure_log_ratio",
]


def check_fractions(fractions):
    """Return the signal fractions of two mixtures, the larger one first.

    Parameters
    ----------
    fractions : tuple of two floats
        (f1, f2) with 0 <= f2 < f1 <= 1.

    Returns
    -------
    f1, f2 : float

    Raises
    ------
    ValueError
        If they are not two numbers in that order: with equal fractions there is nothing to learn.

    Examples
    --------
    >>> check_fractions((0.8, 0.2))
    (0.8, 0.2)
    """
    values = np.asarray(fractions, dtype=np.float64)
    if values.shape != (2,) or not 0 <= values[1] < values[0] <= 1:
        raise ValueError(f"fractions: found {fractions!r}, expected (f1, f2) with 0 <= f2 < f1 <= 1")
    return float(values[0]), float(values[1])


def log_mixture(log_ratio, fraction):
    """Logarithm of the density of a mixture over that of the background, log (f L + 1 - f), for log L of any size.

    Parameters
    ----------
    log_ratio : array
        log L; infinities are allowed.
    fraction : float
        Share f of signal, in [0, 1].

    Returns
    -------
    array
        Same shape.

    Examples
    --------
    >>> log_mixture(np.log([2.0, 1e300]), 0.5).round(3).tolist()
    [0.405, 690.082]
    """
    if fraction == 0:
        return np.zeros_like(log_ratio)  # 0 times infinity
    with np.errstate(divide="ignore"):
        return np.logaddexp(np.log(fraction) + log_ratio, np.log1p(-fraction))


def mixed_log_ratio(log_ratio, fractions):
    """Log ratio of the densities of two mixtures, from that of signal and background: the theorem of CWoLa.

    Parameters
    ----------
    log_ratio : array
        log L = log p_S/p_B; infinities are allowed.
    fractions : tuple of two floats
        Shares (f1, f2) of signal in the two mixtures, f1 > f2.

    Returns
    -------
    array
        log (f1 L + 1 - f1) / (f2 L + 1 - f2), same shape: strictly rising from log (1 - f1)/(1 - f2) to log f1/f2.

    Raises
    ------
    ValueError
        If an entry is NaN, or as `check_fractions`.

    Notes
    -----
    Metodiev, Nachman and Thaler, arXiv:1708.02949, theorem 1.

    Examples
    --------
    >>> mixed_log_ratio(np.log([0.5, 1.0, 2.0]), (0.8, 0.2)).round(4)  # -log 1.5, 0, log 1.5
    array([-0.4055,  0.    ,  0.4055])
    """
    f1, f2 = check_fractions(fractions)
    log_ratio = _without_nan("log_ratio", log_ratio)
    if f2 > 0:
        log_ratio = np.minimum(log_ratio, 800.0)  # where it is f1/f2 to all digits, instead of inf - inf
    return log_mixture(log_ratio, f1) - log_mixture(log_ratio, f2)


def pure_log_ratio(mixed, fractions):
    """Log ratio of signal and background from that of two mixtures: calibration without labels.

    Parameters
    ----------
    mixed : array
        log p_M1/p_M2, as a classifier of the mixtures learns it.
    fractions : tuple of two floats
        Shares (f1, f2) of signal in the two mixtures, f1 > f2.

    Returns
    -------
    array
        log p_S/p_B, same shape; minus or plus infinity where `mixed` is outside of what mixtures can give.

    Raises
    ------
    ValueError
        If an entry is NaN, or as `check_fractions`.

    Examples
    --------
    >>> np.exp(pure_log_ratio(np.log([1.0, 1.5, 5.0]), (0.8, 0.2))).round(4)  # at most 0.8 / 0.2 is possible
    array([ 1.,  2., inf])
    """
    f1, f2 = check_fractions(fractions)
    ratio = np.exp(_without_nan("mixed", mixed))
    with np.errstate(divide="ignore", invalid="ignore"):
        above = np.maximum((1 - f2) * ratio - (1 - f1), 0)
        below = np.maximum(f1 - f2 * ratio, 0)
        return np.log(above) - np.log(below)


def draw_mixtures(label, fractions, n, seed):
    """Draw two mixtures of labelled events, none of them twice.

    Parameters
    ----------
    label : array, (events,)
        1 (or True) for signal, 0 for background.
    fractions : tuple of two floats
        Shares (f1, f2) of signal, f1 > f2.
    n : int
        Number of events in each mixture.
    seed : int
        Of the choice.

    Returns
    -------
    rows : array of int, (2 n,)
        Which events, in random order.
    mixture : array of int, (2 n,)
        1 for an event of the first mixture, 0 for one of the second.

    Raises
    ------
    ValueError
        If there are not enough events of a kind, or as `check_fractions`.

    Examples
    --------
    >>> label = np.repeat([1, 0], 50)
    >>> rows, mixture = draw_mixtures(label, (0.8, 0.2), n=50, seed=1)
    >>> [float(label[rows[mixture == m]].mean()) for m in (1, 0)]
    [0.8, 0.2]
    """
    check_count("n", n)
    random = np.random.default_rng(seed)
    counts = np.array([round(f * n) for f in check_fractions(fractions)])
    pools = [random.permutation(np.flatnonzero(np.asarray(label) == kind)) for kind in (1, 0)]
    for name, pool, wanted in zip(("signal", "background"), pools, (counts.sum(), (n - counts).sum()), strict=True):
        if len(pool) < wanted:
            raise ValueError(f"n: found {n}, which needs {wanted} {name} events of {len(pool)}")
    signal, background = pools
    rows = [signal[: counts[0]], background[: n - counts[0]]]
    rows += [signal[counts[0] : counts.sum()], background[n - counts[0] : 2 * n - counts.sum()]]
    order = random.permutation(2 * n)
    return np.concatenate(rows)[order], np.repeat([1, 0], n)[order]


class CWoLa(TemplateDetector):
    """A classifier of signal and background that is trained to tell two mixtures of them apart.

    Parameters
    ----------
    classifier : estimator, optional
        With ``fit(X, y)`` and ``score_samples(X)`` that estimates the log ratio of the densities of y = 1 and y = 0, as
        `hepml_labs.anomaly.classifiers.classifier` makes; boosted trees by default.
    fractions : tuple of two floats, optional
        Shares (f1, f2) of signal in the mixtures. The ordering of events does not need them, `log_ratio` does.
    seed : int
        Of the default classifier.

    Attributes
    ----------
    classifier_ : estimator
        The fitted copy.

    Notes
    -----
    Metodiev, Nachman and Thaler, arXiv:1708.02949. In a search for a resonance (`fit`) the mixtures are the events
    inside the signal region and those of the sidebands, and nothing keeps an event from being scored by a classifier
    that has seen it: `hepml_labs.anomaly.cwola_hunting` adds what this takes.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from hepml_labs.classification.density_ratio import ClassifierRatio
    >>> from hepml_labs.classification.two_densities import Gaussians
    >>> X, label = Gaussians(np.array([[-1.0], [1.0]]), np.eye(1)).sample(8000, seed=1)  # log L = 2 x
    >>> rows, mixture = draw_mixtures(label, (0.8, 0.2), n=4000, seed=2)
    >>> detector = CWoLa(ClassifierRatio(LogisticRegression()), (0.8, 0.2)).fit_mixtures(X[rows], mixture)
    >>> bool(np.abs(detector.log_ratio(np.array([[-0.5], [0.5]])) - [-1, 1]).max() < 0.5)
    True
    """

    def __init__(self, classifier=None, fractions=None, seed=0):
        super().__init__(classifier, seed)
        self.fractions = fractions

    def fit_mixtures(self, X, mixture):
        """Learn from events X (n, d) of the mixture with more signal (1) and of that with less (0), labels (n,)."""
        X = to_numpy("X", X, ("n", "d"))
        mixture = to_numpy("mixture", np.asarray(mixture), (len(X),), floating=False)
        if set(np.unique(mixture)) != {0, 1}:
            raise ValueError(f"mixture: found values {np.unique(mixture)}, expected 0 and 1")
        if self.fractions is not None:
            check_fractions(self.fractions)
        self.n_features_in_ = X.shape[1]
        return self._classify(X[mixture == 0], X[mixture == 1])

    def fit(self, features, mass, regions):
        """Learn from data, with the signal region as first mixture and the sidebands as second."""
        features, _, inside, sideband = self._prepare(features, mass, regions)
        return self._classify(features[sideband], features[inside])

    def score_samples(self, features, mass=None):
        """Estimate of the log ratio of the two mixtures, (n,), for features (n, d); the mass is not used."""
        check_is_fitted(self, "n_features_in_")
        return self.classifier_.score_samples(to_numpy("features", features, ("n", self.n_features_in_)))

    def log_ratio(self, features):
        """Estimate of log p_S/p_B, (n,), from the known fractions: infinite where the estimate is beyond its range."""
        if self.fractions is None:
            raise ValueError("fractions: found None, expected (f1, f2), without which there is an ordering only")
        return pure_log_ratio(self.score_samples(features), self.fractions)


def _without_nan(name, values):
    values = to_numpy(name, np.asarray(values), finite=False)
    if np.isnan(values).any():
        raise ValueError(f"{name}: found {np.isnan(values).sum()} NaN, expected none")
    return values
