"""A decision tree for classes, and what all classifiers made of trees have in common."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from hepml_labs.classification.binning import apply_edges, quantile_edges
from hepml_labs.classification.trees import RegressionTree

__all__ = ["DecisionTreeClassifier", "TreeClassifierBase"]


class TreeClassifierBase(ClassifierMixin, BaseEstimator):
    """What the classifiers of this chapter that are made of trees have in common: checks of their input."""

    def _validated(self, X, y, sample_weight):
        """Return X, the class of each event as a number, and the weights; events of zero weight are left out."""
        X, y = validate_data(self, X, y, dtype=(np.float64, np.float32), ensure_all_finite="allow-nan")
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64)
        if weight.min() < 0:
            raise ValueError(f"sample_weight: found a smallest entry of {weight.min():.4g}, expected none below zero")
        check_classification_targets(y)
        used = weight > 0
        self.classes_, target = np.unique(y[used], return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y: found {len(self.classes_)} class with weight, expected at least two classes")
        if weight.sum() < 2 * self.minimum_leaf:
            raise ValueError(
                f"minimum_leaf: found {self.minimum_leaf}, which no split can keep with a sum of weights of "
                f"{weight.sum():.4g}: make it smaller or the weights larger"
            )
        return X[used], target, weight[used]

    def _binned(self, X):
        """Return the features of a fitted model's input as bins, and their type."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=(np.float64, np.float32), ensure_all_finite="allow-nan")
        return apply_edges(X, self.edges_), X.dtype

    def predict(self, X):
        """Return the class of largest probability.

        Parameters
        ----------
        X : array, (n, d)
            Features, NaN for missing.

        Returns
        -------
        array, (n,)
            Of the type of the labels.
        """
        largest = self.predict_proba(X).argmax(axis=1)
        return self.classes_[largest]

    def __sklearn_tags__(self):
        """Say to scikit-learn that NaN is allowed."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


class DecisionTreeClassifier(TreeClassifierBase):
    """A tree whose splits lower the Gini impurity, and whose leaves hold the shares of the classes.

    The Gini impurity of a node is the variance of the class indicators, summed over classes: the regression tree for
    these indicators is the classification tree.

    Parameters
    ----------
    depth : int
        Largest number of splits on the way to a leaf; 1 is a stump, the best single cut.
    minimum_leaf : float
        Smallest sum of weights in a leaf.
    features : int, optional
        How many features, drawn at random, each split may choose from; all by default.
    bins : int
        Largest number of bins of a feature.
    seed : int
        Of the draw of features.

    Attributes
    ----------
    tree_ : RegressionTree
        The tree; its values are shares of the classes, (nodes, classes).
    feature_importances_ : array, (d,)
        Decrease of the impurity by feature, normalised to 1.
    classes_ : array, (classes,)
        Labels.

    Notes
    -----
    L. Breiman, J. Friedman, R. Olshen and C. Stone, Classification and Regression Trees (1984).

    Examples
    --------
    >>> X = np.array([[1.0], [2.0], [3.0], [4.0]])
    >>> DecisionTreeClassifier(depth=1).fit(X, ["b", "b", "s", "b"]).predict_proba(X)
    array([[1. , 0. ],
           [1. , 0. ],
           [0.5, 0.5],
           [0.5, 0.5]])
    """

    def __init__(self, depth=3, minimum_leaf=1.0, features=None, bins=256, seed=0):
        self.depth, self.minimum_leaf, self.features, self.bins, self.seed = depth, minimum_leaf, features, bins, seed

    def fit(self, X, y, sample_weight=None):
        """Grow the tree.

        Parameters
        ----------
        X : array, (n, d)
            Features, NaN for missing.
        y : array, (n,)
            Labels of two or more classes.
        sample_weight : array, (n,), optional
            Not negative.

        Returns
        -------
        DecisionTreeClassifier
            Itself.

        Raises
        ------
        ValueError
            If input or options are out of range; a negative weight is.
        """
        X, target, weight = self._validated(X, y, sample_weight)
        self.edges_ = quantile_edges(X, self.bins, weight)
        indicator = np.eye(len(self.classes_))[target]
        self.tree_ = RegressionTree(
            self.depth, self.minimum_leaf, bins=self.bins, features=self.features, seed=self.seed
        ).fit(apply_edges(X, self.edges_), -weight[:, None] * indicator, weight)
        gain = self.tree_.importance()
        self.feature_importances_ = gain / max(gain.sum(), np.finfo(float).tiny)
        return self

    def predict_proba(self, X):
        """Return the share of each class in the leaf.

        Parameters
        ----------
        X : array, (n, d)
            Features, NaN for missing.

        Returns
        -------
        array, (n, classes)
            Columns as in ``classes_``.
        """
        binned, dtype = self._binned(X)
        return self.tree_.predict(binned).astype(dtype)
