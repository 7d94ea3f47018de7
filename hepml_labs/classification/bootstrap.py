"""Bootstrap ensembles: how far a classifier would move if the training data were drawn again."""

import numpy as np
from scipy.special import logit
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from hepml_labs.validation import check_count

__all__ = ["BootstrapEnsemble"]

# log-odds of probabilities that a tree may round to 0 or 1 stay finite
SMALLEST = 1e-12


class BootstrapEnsemble(ClassifierMixin, BaseEstimator):
    """Copies of one classifier, each fitted to its own bootstrap sample of the events.

    A bootstrap sample draws n of the n events with replacement (Efron 1979). An event that is drawn k times gets
    the weight k, so any classifier that takes `sample_weight` will do. The spread of the copies estimates the
    statistical error of the fit; what all copies do wrong together does not show.

    Parameters
    ----------
    estimator : scikit-learn classifier for two classes
        With `sample_weight` in `fit`, and `predict_proba`, or `score_samples` that returns log-ratios. Its `seed` or
        `random_state`, where it has one, differs from copy to copy.
    members : int
        Number of copies. The spread has a relative error of 1 / sqrt(2 (members - 1)).
    counts : {"multinomial", "poisson"}
        How often an event is drawn: n in all, or a Poisson number of mean one for each event. The first keeps the
        total fixed and varies shapes only; the second lets the total fluctuate as counted events do.
    seed : int
        Fixes the draws and, through the estimator, everything that the copies draw.

    Attributes
    ----------
    members_ : list of fitted estimators
    counts_ : array of int, shape (members, n)
        How often each training event was drawn.
    classes_ : array of shape (2,)

    Raises
    ------
    ValueError
        From `fit`: `members` below two, an unknown `counts`, other than two classes, or data that scikit-learn rejects.

    Notes
    -----
    B. Efron, Annals of Statistics 7 (1979) 1; as deep ensembles with bootstrap weights in ATLAS, arXiv:2301.03212.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=400)
    >>> ensemble = BootstrapEnsemble(LogisticRegression(), members=10).fit(rng.normal(y[:, None], 1.0), y)
    >>> ensemble.member_scores(np.array([[0.0], [3.0]])).shape
    (10, 2)
    >>> near, far = ensemble.spread(np.array([[0.5], [3.0]]))
    >>> bool(far > near)
    True
    """

    def __init__(self, estimator, members=20, counts="multinomial", seed=0):
        self.estimator = estimator
        self.members = members
        self.counts = counts
        self.seed = seed

    def __sklearn_tags__(self):
        """Tell scikit-learn that there are two classes."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    def fit(self, X, y, sample_weight=None):
        """Fit one copy to each bootstrap sample of X (n, d) with labels y (n,) and weights (n,); return self."""
        check_count("members", self.members, minimum=2)
        if self.counts not in ("multinomial", "poisson"):
            raise ValueError(f"counts: found {self.counts!r}, expected 'multinomial' or 'poisson'")
        X, y = validate_data(self, X, y)
        weight = _check_sample_weight(sample_weight, X)
        check_classification_targets(y)
        self.classes_ = np.unique(y)
        if len(self.classes_) != 2:
            raise ValueError(
                f"y: found {len(self.classes_)} classes, expected 2 classes. "
                "Only binary classification is supported. The type of the target is "
                f"{type_of_target(y)}."  # in the words that scikit-learn's checks look for
            )
        rng = np.random.default_rng(self.seed)
        self.members_, self.counts_ = [], np.empty((self.members, len(y)), dtype=np.int32)
        seeds = {"seed", "random_state"} & set(self.estimator.get_params())
        for m in range(self.members):
            self.counts_[m] = self._draw(rng, y, weight)
            drawn = self.counts_[m] > 0
            member = clone(self.estimator).set_params(**{name: self.seed + m for name in seeds})
            self.members_.append(member.fit(X[drawn], y[drawn], sample_weight=(weight * self.counts_[m])[drawn]))
        return self

    def _draw(self, rng, y, weight):
        """Counts of one bootstrap sample, drawn again while a class is missing (which matters for tiny samples)."""
        for _ in range(1000):
            if self.counts == "poisson":
                counts = rng.poisson(1.0, len(y))
            else:
                counts = np.bincount(rng.integers(len(y), size=len(y)), minlength=len(y))
            if len(np.unique(y[(counts > 0) & (weight > 0)])) == 2:
                return counts
        raise ValueError("sample_weight: one class hardly ever has weight in a bootstrap sample, expected both classes")

    def _checked(self, X):
        check_is_fitted(self)
        return validate_data(self, X, reset=False)

    def member_scores(self, X):
        """Log-odds (or the estimator's own log-ratio) of each copy, shape (members, n)."""
        X = self._checked(X)
        if hasattr(self.members_[0], "score_samples"):
            return np.array([member.score_samples(X) for member in self.members_])
        probabilities = np.array([member.predict_proba(X)[:, 1] for member in self.members_])
        return logit(np.clip(probabilities, SMALLEST, 1 - SMALLEST))

    def score_samples(self, X):
        """Mean of the members' scores, shape (n,)."""
        return self.member_scores(X).mean(axis=0)

    def spread(self, X):
        """Standard deviation of the members' scores, shape (n,): the bootstrap error of the score of *one* fit."""
        return self.member_scores(X).std(axis=0, ddof=1)

    def predict_proba(self, X):
        """Mean of the members' probabilities, shape (n, 2)."""
        X = self._checked(X)
        return np.mean([member.predict_proba(X) for member in self.members_], axis=0)

    def predict(self, X):
        """Class of the larger mean probability, shape (n,)."""
        probability = self.predict_proba(X)
        return self.classes_[probability.argmax(axis=1)]
