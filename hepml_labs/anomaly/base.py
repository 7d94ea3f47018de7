"""The one interface of all anomaly detectors: features, a mass and its regions in; a score without labels out."""

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from hepml_labs.anomaly.classifiers import classifier
from hepml_labs.validation import to_numpy

__all__ = ["AnomalyDetector", "TemplateDetector", "check_events", "default_classifier", "split_events"]


def check_events(features, mass, columns="d"):
    """Return features (n, d) and masses (n,) as arrays, or say which of them is wrong.

    Parameters
    ----------
    features : array, (n, d)
        Without the mass. Any units.
    mass : array, (n,)
        The mass that defines the regions, GeV.
    columns : int or str
        Number of features that is expected; any by default.

    Returns
    -------
    features, mass : numpy arrays
        In their own floating-point types.

    Raises
    ------
    ValueError
        If an array is empty, not of floating-point numbers, not finite, or has another shape; if a mass is not above
        zero.

    Examples
    --------
    >>> features, mass = check_events(np.zeros((3, 2)), np.full(3, 3500.0))
    >>> check_events(np.zeros((3, 2)), np.full(4, 3500.0))
    Traceback (most recent call last):
    ...
    ValueError: mass: found shape (4,), expected (3,)
    """
    features = to_numpy("features", features, ("n", columns))
    return features, to_numpy("mass", mass, (len(features),), positive=True)


def split_events(mass, regions, minimum=10):
    """Return which events lie in the signal region and which in the sidebands, with enough of both.

    Parameters
    ----------
    mass : array, (n,)
        GeV.
    regions : hepml_labs.anomaly.regions.Regions
        Or anything with ``inside(mass)`` and ``sideband(mass)``. Events in neither are in neither mask.
    minimum : int
        Fewest events in each.

    Returns
    -------
    inside, sideband : arrays of bool, (n,)

    Raises
    ------
    ValueError
        If `regions` lacks a method, or one of the two holds too few events.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> window = SimpleNamespace(inside=lambda m: abs(m - 3500) < 200, sideband=lambda m: abs(m - 3500) >= 200)
    >>> inside, sideband = split_events(np.linspace(2500.0, 4500.0, 101), window)
    >>> int(inside.sum()), int(sideband.sum())
    (19, 82)
    """
    for name in ("inside", "sideband"):
        if not hasattr(regions, name):
            raise ValueError(f"regions: found {type(regions).__name__} without {name!r}, expected Regions")
    inside, sideband = regions.inside(mass), regions.sideband(mass)
    for name, mask in (("signal region", inside), ("sidebands", sideband)):
        if mask.sum() < minimum:
            raise ValueError(f"regions: found {mask.sum()} event(s) in the {name}, expected at least {minimum}")
    return inside, sideband


class AnomalyDetector(BaseEstimator):
    r"""What all anomaly detectors of this chapter share.

    A detector is fitted to *data*: events without labels, almost all of them background. Its score estimates

    .. math:: s(x, m) = \log\frac{p_{\text{data}}(x|m)}{p_{\text{background}}(x|m)}

    or a monotone function of it: higher is more anomalous. Without a resonance in mind some methods use the
    mass only to be fair to the others, and some do not use it at all; the interface is the same.

    Subclasses write ``fit(features, mass, regions)``, which starts with `_prepare` and returns ``self``, and
    ``score_samples(features, mass)``, which starts with `_check`. Bounds, which know more than data tell,
    take what they know as a keyword of `fit`.

    Attributes
    ----------
    n_features_in_ : int
        Number of features seen in `fit`.
    regions_ : Regions
        Those of the fit.

    Examples
    --------
    The distance from the mean of the sidebands, in standard deviations, as a detector:

    >>> class Distance(AnomalyDetector):
    ...     def fit(self, features, mass, regions):
    ...         features, mass, inside, sideband = self._prepare(features, mass, regions)
    ...         self.mean_, self.scale_ = features[sideband].mean(axis=0), features[sideband].std(axis=0)
    ...         return self
    ...
    ...     def score_samples(self, features, mass):
    ...         features, mass = self._check(features, mass)
    ...         return (((features - self.mean_) / self.scale_) ** 2).sum(axis=1)
    >>> from types import SimpleNamespace
    >>> window = SimpleNamespace(inside=lambda m: abs(m - 3500) < 200, sideband=lambda m: abs(m - 3500) >= 200)
    >>> random = np.random.default_rng(1)
    >>> detector = Distance().fit(random.normal(size=(500, 2)), random.uniform(2500, 4500, 500), window)
    >>> bool(np.diff(detector.score_samples(np.array([[0.0, 0.0], [4.0, 4.0]]), np.array([3500.0, 3500.0])))[0] > 10)
    True
    """

    def fit(self, features, mass, regions):
        """Learn from data: features (n, d) without the mass, masses (n,) in GeV, and the regions; return self."""
        raise NotImplementedError(f"{type(self).__name__} has no fit of its own")

    def score_samples(self, features, mass):
        """Score events: features (n, d) and masses (n,) in GeV to (n,), higher for the more anomalous."""
        raise NotImplementedError(f"{type(self).__name__} has no score_samples of its own")

    def _prepare(self, features, mass, regions):
        """Check what `fit` was given, remember regions and number of features, and return the two masks as well."""
        features, mass = check_events(features, mass)
        inside, sideband = split_events(mass, regions)
        self.n_features_in_, self.regions_ = features.shape[1], regions
        return features, mass, inside, sideband

    def _check(self, features, mass):
        """Check what `score_samples` was given, once there has been a fit."""
        check_is_fitted(self, "n_features_in_")
        return check_events(features, mass, self.n_features_in_)


class TemplateDetector(AnomalyDetector):
    """A detector that is a classifier of data against a sample of background, its *template*.

    CATHODE, CWoLa hunting, the idealised and the supervised bound differ in where the template (and, for the last, the
    signal) comes from, and in nothing else. Their ``fit`` ends with `_classify`.

    Parameters
    ----------
    classifier : estimator, optional
        ``fit(X, y)`` with labels 0 (template) and 1 (data) and ``score_samples(X)``, an estimate of the log ratio, as
        :func:`hepml_labs.anomaly.classifiers.classifier` makes; any scikit-learn classifier in a `ClassifierRatio`.
        None: `default_classifier`.
    seed : int
        Of the default classifier.

    Attributes
    ----------
    classifier_ : estimator
        The fitted copy.
    """

    def __init__(self, classifier=None, seed=0):
        self.classifier = classifier
        self.seed = seed

    def _classify(self, template, data, template_weight=None):
        """Learn log p_data(x)/p_template(x) from two samples of features, (k, d) and (n, d); return self.

        The events of the template may have weights, (k,).
        """
        if self.classifier is not None and not hasattr(self.classifier, "score_samples"):
            found = type(self.classifier).__name__
            raise ValueError(
                f"classifier: found {found} without score_samples, expected one, or a ClassifierRatio of it"
            )
        learner = default_classifier(self.seed) if self.classifier is None else clone(self.classifier)
        label = np.repeat([0, 1], [len(template), len(data)])
        options = {}
        if template_weight is not None:
            options["sample_weight"] = np.concatenate([template_weight, np.ones(len(data))])
        self.classifier_ = learner.fit(np.concatenate([template, data]), label, **options)
        return self

    def score_samples(self, features, mass):
        """Log ratio of data to template by the classifier, (n,): the mass is checked and not used."""
        features, _ = self._check(features, mass)
        return self.classifier_.score_samples(features)


def default_classifier(seed=0):
    """Return ten boosted classifiers whose log ratios are averaged: quick, and robust with few signal events.

    Parameters
    ----------
    seed : int
        Of the events that each member holds back.

    Returns
    -------
    BoostedTrees
        Unfitted.

    Notes
    -----
    After Finke et al., arXiv:2309.13111 :cite:`finke2023trees`. Networks, as in CATHODE :cite:`hallin2022cathode`,
    come from :func:`hepml_labs.anomaly.classifiers.classifier`.

    Examples
    --------
    >>> default_classifier().members
    10
    """
    return classifier("trees", members=10, leaves=15, seed=seed)
