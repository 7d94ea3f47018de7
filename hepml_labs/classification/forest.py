"""Bagging and the random forest: many trees that err in different ways, averaged."""

import numpy as np

from hepml_labs.classification.binning import apply_edges, quantile_edges
from hepml_labs.classification.tree_classifier import TreeClassifierBase
from hepml_labs.classification.trees import RegressionTree
from hepml_labs.validation import check_count

__all__ = ["RandomForestClassifier"]


class RandomForestClassifier(TreeClassifierBase):
    r"""The average of trees that see different bootstrap samples and, at each split, different features.

    With B trees of variance :math:`\sigma^2` and correlation :math:`\rho` the average has the variance
    :math:`\rho\,\sigma^2 + (1-\rho)\,\sigma^2/B`: more trees remove the second term, less correlation the first.

    Parameters
    ----------
    trees : int
        Number of trees.
    depth : int
        Largest number of splits on the way to a leaf. Trees of a forest are deep: averaging removes their variance
        and leaves their bias.
    minimum_leaf : float
        Smallest sum of weights in a leaf.
    features : int, optional
        How many features, drawn at random, each split may choose from; by default the root of their number. With all
        of them the forest is plain bagging.
    bins : int
        Largest number of bins of a feature.
    seed : int
        Of the bootstrap samples and of the draws of features.

    Attributes
    ----------
    trees_ : list of RegressionTree
        Their values are shares of the classes.
    feature_importances_ : array, (d,)
        Decrease of the impurity by feature, normalised to 1 for each tree and averaged.
    classes_ : array, (classes,)
        Labels.

    Notes
    -----
    L. Breiman, Machine Learning 24 (1996) 123 (bagging) and 45 (2001) 5 (forests). A bootstrap sample gives each
    event an integer weight, so that all trees share the bins.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> X = random.normal(size=(2000, 2))
    >>> y = (X[:, 0] * X[:, 1] > 0).astype(int)  # no single cut separates them
    >>> forest = RandomForestClassifier(trees=20, depth=6).fit(X[:1000], y[:1000])
    >>> bool(forest.score(X[1000:], y[1000:]) > 0.93)
    True
    """

    def __init__(self, trees=100, depth=10, minimum_leaf=1.0, features=None, bins=64, seed=0):
        self.trees, self.depth, self.minimum_leaf = trees, depth, minimum_leaf
        self.features, self.bins, self.seed = features, bins, seed

    def fit(self, X, y, sample_weight=None):
        """Grow the trees.

        Parameters
        ----------
        X : array, (n, d)
            Features, NaN for missing.
        y : array, (n,)
            Labels of two or more classes.
        sample_weight : array, (n,), optional
            Not negative; a bootstrap sample multiplies them by how often the event is drawn.

        Returns
        -------
        RandomForestClassifier
            Itself.

        Raises
        ------
        ValueError
            If input or options are out of range; a negative weight is.
        """
        check_count("trees", self.trees)
        X, target, weight = self._validated(X, y, sample_weight)
        self.edges_ = quantile_edges(X, self.bins, weight)
        binned = apply_edges(X, self.edges_)
        indicator = np.eye(len(self.classes_))[target]
        features = self.features or max(1, round(np.sqrt(X.shape[1])))
        self.trees_, importance = [], []
        for stream in np.random.SeedSequence(self.seed).spawn(self.trees):
            random = np.random.default_rng(stream)
            drawn = weight * np.bincount(random.integers(len(X), size=len(X)), minlength=len(X))
            seed = int(random.integers(2**63))
            tree = RegressionTree(self.depth, self.minimum_leaf, bins=self.bins, features=features, seed=seed)
            self.trees_.append(tree.fit(binned, -drawn[:, None] * indicator, drawn))
            gain = tree.importance()
            importance.append(gain / max(gain.sum(), np.finfo(float).tiny))
        self.feature_importances_ = np.mean(importance, axis=0)
        return self

    def member_probabilities(self, X):
        """Return what each tree says.

        Parameters
        ----------
        X : array, (n, d)
            Features, NaN for missing.

        Returns
        -------
        array, (trees, n, classes)
            Columns as in ``classes_``.
        """
        binned, dtype = self._binned(X)
        return np.stack([tree.predict(binned) for tree in self.trees_]).astype(dtype)

    def predict_proba(self, X):
        """Return the average over trees of the shares of the classes.

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
        return (sum(tree.predict(binned) for tree in self.trees_) / len(self.trees_)).astype(dtype)
