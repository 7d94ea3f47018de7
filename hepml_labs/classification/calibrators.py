"""Calibration: from a score that orders events to a probability that can be believed.

Fit a calibrator on events that the classifier was not trained on, and measure the result on a third set. All three give
the probability at the class shares of the events that they were fitted to.
"""

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator

from hepml_labs.classification.logistic import LogisticRegression
from hepml_labs.validation import check_array, check_count, to_numpy

__all__ = ["HistogramCalibration", "PlattScaling", "TemperatureScaling"]


def _checked(score, label, sample_weight):
    """Return scores in double precision, labels and weights, or say what is wrong with them."""
    score = to_numpy("score", score).astype(np.float64)
    label = to_numpy("label", label, (len(score),), floating=False)
    classes = 2 if score.ndim == 1 else score.shape[1]
    if not np.isin(label, np.arange(classes)).all():
        raise ValueError(f"label: found values {np.unique(label)[:5]}, expected whole numbers from 0 to {classes - 1}")
    weight = np.ones(len(score)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    check_array("sample_weight", weight, (len(score),))
    if (weight < 0).any():
        raise ValueError(f"sample_weight: found a smallest entry of {weight.min():.4g}, expected none below zero")
    total = np.bincount(label.astype(int), weight, minlength=classes)
    if not (total > 0).all():
        raise ValueError(f"label: found a total weight of {total} in the classes, expected all above zero")
    return score, label.astype(int), weight


def _both(probability):
    return np.stack([1 - probability, probability], axis=-1)


class TemperatureScaling(BaseEstimator):
    """Divide all logits by one number, the temperature, that maximises the likelihood of held-back events.

    It mends a network that is too sure of itself (T > 1) or not sure enough (T < 1), and can do nothing else: order,
    ROC curve and the most probable class stay as they were.

    Attributes
    ----------
    temperature_ : float
        The number T.

    Notes
    -----
    Guo et al., arXiv:1706.04599, section 4.2. The loss is convex in 1/T, so its derivative has one zero.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> logits = random.normal(size=100_000)
    >>> label = random.random(100_000) < expit(logits)
    >>> model = TemperatureScaling().fit(3 * logits, label)  # three times too sure
    >>> round(model.temperature_, 1)
    3.0
    """

    def fit(self, score, label, sample_weight=None):
        """Find the temperature.

        Parameters
        ----------
        score : array, (n,) or (n, classes)
            Log-odds of the signal, or the logits of all classes.
        label : array, (n,)
            0 or 1, or the number of the class.
        sample_weight : array, (n,), optional
            Weights of the events, not negative.

        Returns
        -------
        TemperatureScaling
            Itself.

        Raises
        ------
        ValueError
            If shapes or labels do not fit, a class has no weight, the scores are no better than chance (T would be
            infinite), or they separate the classes without an error (T would be zero).
        """
        score, label, weight = _checked(score, label, sample_weight)
        logits = np.stack([np.zeros_like(score), score], axis=1) if score.ndim == 1 else score
        weight = weight / weight.sum()
        chosen = logits[np.arange(len(label)), label]

        def slope(log_inverse):  # of the loss, by 1/T: expected logit minus that of the label
            expected = (softmax(np.exp(log_inverse) * logits, axis=1) * logits).sum(1)
            return weight @ (expected - chosen)

        size = np.log(max(np.ptp(logits, axis=1).max(), np.finfo(float).tiny))
        low, high = -size - 10, -size + 20
        if slope(low) >= 0:
            raise ValueError("score: found no better than chance on these labels, expected larger logits for the truth")
        if slope(high) <= 0:
            raise ValueError("score: found classes separated without an error, expected events on both sides")
        self.temperature_ = float(np.exp(-brentq(slope, low, high, xtol=1e-12)))
        return self

    def transform(self, score):
        """Divide the logits by the temperature.

        Parameters
        ----------
        score : array, (n,) or (n, classes)

        Returns
        -------
        array
            Same shape and type.
        """
        return to_numpy("score", score) / self.temperature_

    def predict_proba(self, score):
        """Probability of each class.

        Parameters
        ----------
        score : array, (n,) or (n, classes)

        Returns
        -------
        array, (n, classes)
            Two classes if there is one score for each event.
        """
        logits = self.transform(score)
        return _both(expit(logits)) if logits.ndim == 1 else softmax(logits, axis=1)


class PlattScaling(BaseEstimator):
    """Logistic regression on the score: log-odds a + b times the score.

    Right for scores whose distributions in the two classes are Gaussians of one width, whatever their unit; beside
    what `TemperatureScaling` does it moves the offset, and so corrects for other class shares.

    Attributes
    ----------
    slope_, intercept_ : float
        The numbers b and a.

    Notes
    -----
    Platt, Advances in Large Margin Classifiers (1999) 61, without his smoothing of the labels, which matters for some
    dozens of events only.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> label = random.integers(0, 2, 100_000)
    >>> model = PlattScaling().fit(random.normal(size=100_000) + label, label)
    >>> round(model.slope_, 1), round(model.intercept_, 1)
    (1.0, -0.5)
    """

    def fit(self, score, label, sample_weight=None):
        """Find slope and intercept by maximum likelihood.

        Parameters
        ----------
        score : array, (n,)
            Any number that is larger for signal.
        label : array, (n,)
            1 for signal, 0 for background.
        sample_weight : array, (n,), optional
            Weights of the events, not negative.

        Returns
        -------
        PlattScaling
            Itself.

        Raises
        ------
        ValueError
            If shapes or labels do not fit, or a class has no weight.
        """
        check_array("score", score, ("n",))
        score, label, weight = _checked(score, label, sample_weight)
        model = LogisticRegression().fit(score[:, None], label, weight)
        self.slope_, self.intercept_ = float(model.coefficients_[0]), model.intercept_
        return self

    def predict_proba(self, score):
        """Probability of both classes.

        Parameters
        ----------
        score : array, (n,)

        Returns
        -------
        array, (n, 2)
        """
        return _both(expit(self.intercept_ + self.slope_ * to_numpy("score", score, ("n",))))


class HistogramCalibration(BaseEstimator):
    """The share of signal in bins of the score, each with the same number of events.

    It assumes nothing about the shape, but gives steps; a bin without signal says probability zero, so take enough
    events. Calibrated on the fitted events by construction: test it on others.

    Parameters
    ----------
    bins : int
        Number of bins. Ties of the score can make them fewer.

    Attributes
    ----------
    edges_ : array, (k + 1,)
        Edges of the bins; the outer ones are infinite.
    probability_ : array, (k,)
        Share of signal in each bin.

    Notes
    -----
    Zadrozny and Elkan, ICML (2001) 609; used for likelihood ratios in arXiv:1506.02169, section 3.

    Examples
    --------
    >>> score, label = np.array([0.1, 0.2, 0.7, 0.9]), np.array([0, 0, 0, 1])
    >>> HistogramCalibration(bins=2).fit(score, label).predict_proba(np.array([0.0, 0.8]))
    array([[1. , 0. ],
           [0.5, 0.5]])
    """

    def __init__(self, bins=15):
        self.bins = bins

    def fit(self, score, label, sample_weight=None):
        """Count signal and background in the bins.

        Parameters
        ----------
        score : array, (n,)
            Any number; n of at least `bins`.
        label : array, (n,)
            1 for signal, 0 for background.
        sample_weight : array, (n,), optional
            Weights of the events, not negative.

        Returns
        -------
        HistogramCalibration
            Itself.

        Raises
        ------
        ValueError
            If shapes or labels do not fit, or there are fewer events than bins.
        """
        check_array("score", score, ("n",))
        check_count("bins", self.bins)
        score, label, weight = _checked(score, label, sample_weight)
        used = weight > 0
        score, label, weight = score[used], label[used], weight[used]
        if len(score) < self.bins:
            raise ValueError(f"bins: found {self.bins} for {len(score)} events, expected at least one event in each")
        inner = np.unique(np.quantile(score, np.arange(1, self.bins) / self.bins, method="higher"))
        inner = inner[inner > score.min()]  # an edge on the lowest score would leave its bin empty
        self.edges_ = np.concatenate([[-np.inf], inner, [np.inf]])
        number = np.searchsorted(inner, score, side="right")
        total = np.bincount(number, weight, minlength=len(inner) + 1)
        self.probability_ = np.bincount(number, weight * label, minlength=len(inner) + 1) / total
        return self

    def predict_proba(self, score):
        """Probability of both classes.

        Parameters
        ----------
        score : array, (n,)

        Returns
        -------
        array, (n, 2)
        """
        score = to_numpy("score", score, ("n",))
        number = np.searchsorted(self.edges_[1:-1], score, side="right")
        return _both(self.probability_[number]).astype(score.dtype)
