"""What classifiers of two classes with linear log-odds share: their input, and all that follows from the line."""

import numpy as np
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

__all__ = ["TYPES", "LinearClassifier"]

TYPES = (np.float64, np.float32)


class LinearClassifier(ClassifierMixin, BaseEstimator):
    """Two classes whose log-odds are ``X @ coefficients_ + intercept_``; `fit` of a subclass finds these numbers."""

    def _two_classes(self, X, y, sample_weight, **requirements):
        """Check the training data; return X, the class of each event (0 or 1), its weight, and both total weights."""
        X, y = validate_data(self, X, y, dtype=TYPES)
        check_classification_targets(y)
        self.classes_, index = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError("y: found one class, expected two")
        if len(self.classes_) > 2:
            kind = type_of_target(y)
            raise ValueError(f"Only binary classification is supported. The type of the target is {kind}.")
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, **requirements)
        total = np.bincount(index, weight)
        if not (total > 0).all():
            raise ValueError(f"sample_weight: found {total} in total for the two classes, expected both above zero")
        return X, index, weight, total

    def decision_function(self, X):
        """Log-odds of the signal at the class shares of the training data.

        Parameters
        ----------
        X : array, (n, features)

        Returns
        -------
        array, (n,)
            In the floating-point type of X.
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=TYPES)
        return (X @ self.coefficients_ + self.intercept_).astype(X.dtype)

    def predict_proba(self, X):
        """Probability of both classes.

        Parameters
        ----------
        X : array, (n, features)

        Returns
        -------
        array, (n, 2)
        """
        log_odds = self.decision_function(X)
        return np.stack([expit(-log_odds), expit(log_odds)], axis=1)

    def predict(self, X):
        """Give the more probable label.

        Parameters
        ----------
        X : array, (n, features)

        Returns
        -------
        array, (n,)
        """
        signal = self.decision_function(X) > 0
        return self.classes_[signal.astype(int)]

    def __sklearn_tags__(self):
        """Say that there are two classes only."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags
