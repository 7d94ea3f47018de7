"""CWoLa hunting: a classifier of the mass window against its sidebands, and what protects it from learning the mass."""

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from hepml_labs.anomaly.base import TemplateDetector, check_events, split_events
from hepml_labs.validation import check_between, check_count, to_numpy

__all__ = ["CWoLaHunting", "MassDecorrelation", "sideband_weights"]


def sideband_weights(mass, regions, width=None):
    r"""Weights of window and sidebands for the training: the lower and the upper sideband count the same.

    Parameters
    ----------
    mass : array, (n,)
        GeV.
    regions : hepml_labs.anomaly.regions.Regions
        Signal region and sidebands.
    width : float, optional
        Only sideband events nearer to the window than this are used, GeV; all by default.

    Returns
    -------
    array, (n,)
        1 in the window; in each sideband a constant, with a sum of half the number of events in the window; else 0.

    Raises
    ------
    ValueError
        If the masses or the width are not above zero, or the window or a sideband is empty.

    Notes
    -----
    Collins, Howe and Nachman, arXiv:1902.02634, section 2. Let the density of the background change smoothly with
    the mass, and let the two sidebands lie at the same distance :math:`\delta` from the centre. With equal sums the
    terms of first order in :math:`\delta` cancel,
    :math:`\frac12 p(x|m-\delta)+\frac12 p(x|m+\delta)=p(x|m)+\frac12\delta^2\,\partial_m^2p(x|m)`.
    A falling spectrum without weights has most of its sideband events below the window, and then they do not.

    Examples
    --------
    >>> from hepml_labs.anomaly.regions import Regions
    >>> mass = np.array([3150.0, 3200, 3250, 3400, 3600, 3800, 5000])
    >>> sideband_weights(mass, Regions(), width=200).round(3)
    array([0.333, 0.333, 0.333, 1.   , 1.   , 1.   , 0.   ])
    """
    mass = to_numpy("mass", mass, ("n",), positive=True)
    inside, sideband = split_events(mass, regions, minimum=1)
    low, high = regions.signal
    if width is not None:
        check_between("width", width, 0, np.inf)
        sideband = sideband & (mass >= low - width) & (mass < high + width)
    weight = inside.astype(mass.dtype)
    for name, side in (("below", sideband & (mass < low)), ("above", sideband & (mass >= high))):
        if not side.any():
            raise ValueError(f"regions: found no event in the sideband {name} the window, expected some")
        weight[side] = inside.sum() / (2 * side.sum())
    return weight


class MassDecorrelation(BaseEstimator):
    r"""Take from each feature the trend of its mean and of its width with the mass.

    .. math:: x \to \frac{x - \mu(m)}{\sigma(m)}

    Both are polynomials in the logarithm of the mass, fitted by least squares: the first to the feature, the second to
    the absolute deviation from the first. Fitted to sidebands they interpolate over the window.

    Parameters
    ----------
    degree : int
        Of the polynomials.

    Attributes
    ----------
    mean_, width_ : arrays, (degree + 1, d)
        Coefficients of Legendre polynomials.
    range_ : (float, float)
        Smallest and largest mass of the fit, GeV. Masses beyond are treated as these.

    Notes
    -----
    Mean and width no longer depend on the mass; correlations among the features and tails still may. Uncorrelated is
    not independent: measure what is left.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> mass = random.uniform(2600, 6000, 5000)
    >>> features = (random.normal(size=5000) + mass / 1000)[:, None]
    >>> flat = MassDecorrelation().fit(features, mass).transform(features, mass)
    >>> print(f"{np.corrcoef(features[:, 0], mass)[0, 1]:.1f} {abs(np.corrcoef(flat[:, 0], mass)[0, 1]):.1f}")
    0.7 0.0
    """

    def __init__(self, degree=2):
        self.degree = degree

    def fit(self, features, mass):
        """Fit the trends of features (n, d) with the mass (n,) in GeV.

        Raises
        ------
        ValueError
            If an array is malformed, there are too few events, or a feature does not vary.
        """
        check_count("degree", self.degree)
        features, mass = check_events(features, mass)
        if len(np.unique(mass)) <= 2 * (self.degree + 1):
            raise ValueError(f"mass: found {len(mass)} event(s), expected more for polynomials of {self.degree=}")
        if (features.std(axis=0) == 0).any():
            raise ValueError("features: found one that does not vary, expected all to")
        self.n_features_in_, self.range_ = features.shape[1], (float(mass.min()), float(mass.max()))
        design, target = self._design(mass), features.astype(np.float64)
        self.mean_ = np.linalg.lstsq(design, target)[0]
        deviation = np.abs(target - design @ self.mean_)
        self.width_, self.smallest_ = np.linalg.lstsq(design, deviation)[0], 0.1 * deviation.mean(axis=0)
        return self

    def _design(self, mass):
        low, high = np.log(self.range_)
        place = 2 * (np.log(np.clip(mass, *self.range_).astype(np.float64)) - low) / (high - low) - 1
        return np.polynomial.legendre.legvander(place.clip(-1, 1), self.degree)

    def transform(self, features, mass):
        """Return features (n, d) without their trends, in units of the mean absolute deviation."""
        check_is_fitted(self, "mean_")
        features, mass = check_events(features, mass, self.n_features_in_)
        design = self._design(mass)
        width = np.maximum(design @ self.width_, self.smallest_)
        return ((features - design @ self.mean_) / width).astype(features.dtype)


class CWoLaHunting(TemplateDetector):
    """Classifier of the events in the mass window against those in the sidebands.

    The sidebands are the template of the background. If the features of the background do not depend on the mass, all
    that distinguishes the two samples is the signal, and the classifier orders events as one of signal against
    background would (classification without labels).

    Parameters
    ----------
    classifier : estimator, optional
        ``fit(X, y, sample_weight)`` and ``score_samples``, as :func:`hepml_labs.anomaly.classifiers.classifier` makes.
        None: ten boosted classifiers, :func:`hepml_labs.anomaly.base.default_classifier`.
    sideband_width : float or None
        Sideband events nearer to the window than this are used for training, GeV; None for all.
    decorrelation : MassDecorrelation, optional
        Fitted to all sidebands, applied to all features before the classifier. None: features as they are.
    seed : int
        Of the default classifier.

    Attributes
    ----------
    classifier_, decorrelation_ : estimators
        The fitted copies.

    Notes
    -----
    Collins, Howe and Nachman, arXiv:1805.02664 and arXiv:1902.02634. Never count events that the fit has seen: use
    :func:`hepml_labs.anomaly.folding.cross_scores`.

    Examples
    --------
    >>> from hepml_labs.anomaly.classifiers import classifier
    >>> from hepml_labs.anomaly.regions import Regions
    >>> random = np.random.default_rng(1)
    >>> mass = random.uniform(2600, 4400, size=9000)
    >>> x = random.normal(size=(9000, 1))
    >>> bump = Regions().inside(mass) & (random.uniform(size=9000) < 0.3)
    >>> x[bump] = random.normal(2.5, 0.3, size=(bump.sum(), 1))
    >>> hunter = CWoLaHunting(classifier("trees", members=2)).fit(x, mass, Regions())
    >>> low, high = hunter.score_samples(np.array([[-1.0], [2.5]]), np.array([3500.0, 3500.0]))
    >>> bool(high - low > 1)
    True
    """

    def __init__(self, classifier=None, sideband_width=200.0, decorrelation=None, seed=0):
        super().__init__(classifier, seed)
        self.sideband_width = sideband_width
        self.decorrelation = decorrelation

    def fit(self, features, mass, regions):
        """Learn from data.

        Parameters
        ----------
        features : array, (n, d)
            Without the mass.
        mass : array, (n,)
            GeV.
        regions : Regions
            Signal region and sidebands.

        Returns
        -------
        CWoLaHunting
            Itself.

        Raises
        ------
        ValueError
            If an array is malformed, a region has too few events, or an option is out of range.
        """
        features, mass, inside, sideband = self._prepare(features, mass, regions)
        weight = sideband_weights(mass, regions, self.sideband_width)
        self.decorrelation_ = None
        if self.decorrelation is not None:
            self.decorrelation_ = clone(self.decorrelation).fit(features[sideband], mass[sideband])
        features, used = self._flatten(features, mass), (weight > 0) & ~inside
        return self._classify(features[used], features[inside], weight[used])

    def _flatten(self, features, mass):
        return features if self.decorrelation_ is None else self.decorrelation_.transform(features, mass)

    def score_samples(self, features, mass):
        """Log ratio of window to sidebands by the classifier, (n,); the mass is used for the decorrelation only."""
        features, mass = self._check(features, mass)
        return self.classifier_.score_samples(self._flatten(features, mass))
