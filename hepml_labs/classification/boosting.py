"""Gradient boosting: each tree is a Newton step of the loss in the space of functions."""

from collections import deque

import numpy as np
from scipy.special import log_softmax, softmax

from hepml_labs.classification.binning import apply_edges, quantile_edges
from hepml_labs.classification.tree_classifier import TreeClassifierBase
from hepml_labs.classification.trees import RegressionTree
from hepml_labs.validation import check_between, check_count

__all__ = ["GradientBoostingClassifier"]


class GradientBoostingClassifier(TreeClassifierBase):
    r"""Boosting by gradients: each tree is a Newton step of the cross-entropy, shortened by the learning rate.

    For log-odds F and p = sigmoid(F) the derivatives of the cross-entropy are g = w (p - y) and h = w p (1 - p); the
    tree's leaves are -G/(H + lambda). For K > 2 classes each round grows K trees, with h = 2 w p (1 - p), an upper
    bound of the Hessian of the softmax.

    Parameters
    ----------
    trees : int
        Largest number of rounds.
    depth : int
        Of each tree.
    learning_rate : float
        Factor on each tree (shrinkage).
    l2 : float
        lambda: draws the leaves to zero.
    minimum_leaf : float
        Smallest sum of h in a leaf (XGBoost's min_child_weight): four times as many events where p is one half.
    minimum_gain : float
        A split must gain more than this (gamma).
    subsample : float
        Share of the events that each round sees, drawn without replacement.
    bins : int
        Largest number of bins of a feature.
    validation_fraction : float
        Share of the events held back for early stopping; 0 to train all rounds on all events.
    patience : int
        Rounds without a better validation loss after which training ends; the trees after the best round are dropped.
    seed : int
        Of the subsamples and the validation share.

    Attributes
    ----------
    trees_ : list of lists of RegressionTree
        One list for each round: one tree, or as many as classes.
    start_ : array, (1,) or (classes,)
        Log-odds, or logarithms of the shares, of the classes: what F starts from.
    train_loss_, validation_loss_ : array, (rounds,)
        Mean cross-entropy after each round, the dropped ones included.
    feature_importances_ : array, (d,)
        Gain of all splits by feature, normalised to 1.
    classes_ : array, (classes,)
        Labels.

    Notes
    -----
    J. Friedman, Annals of Statistics 29 (2001) 1189; T. Chen and C. Guestrin, arXiv:1603.02754.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> X = random.normal(size=(4000, 2))
    >>> y = (random.random(4000) < 1 / (1 + np.exp(-2 * X[:, 0] * X[:, 1]))).astype(int)  # log-odds 2 x1 x2
    >>> boosted = GradientBoostingClassifier(trees=60, depth=3).fit(X, y)
    >>> boosted.decision_function(np.array([[1.0, 1.0], [1.0, -1.0]])) > 0
    array([ True, False])
    """

    def __init__(
        self,
        trees=100,
        depth=4,
        learning_rate=0.1,
        l2=1.0,
        minimum_leaf=1.0,
        minimum_gain=0.0,
        subsample=1.0,
        bins=256,
        validation_fraction=0.0,
        patience=10,
        seed=0,
    ):
        self.trees, self.depth, self.learning_rate = trees, depth, learning_rate
        self.l2, self.minimum_leaf, self.minimum_gain = l2, minimum_leaf, minimum_gain
        self.subsample, self.bins = subsample, bins
        self.validation_fraction, self.patience, self.seed = validation_fraction, patience, seed

    def fit(self, X, y, sample_weight=None):
        """Grow the trees.

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
        GradientBoostingClassifier
            Itself.

        Raises
        ------
        ValueError
            If input or options are out of range; a negative weight is.
        """
        check_count("trees", self.trees)
        check_count("patience", self.patience)
        check_between("learning_rate", self.learning_rate, 0, np.inf)
        check_between("subsample", self.subsample, 0, 1, include_high=True)
        check_between("validation_fraction", self.validation_fraction, 0, 1, include_low=True)
        X, target, weight = self._validated(X, y, sample_weight)
        random = np.random.default_rng(self.seed)
        held = np.zeros(len(X), bool)
        for k in range(len(self.classes_)):
            rows = random.permutation(np.flatnonzero(target == k))
            held[rows[: int(self.validation_fraction * len(rows))]] = True
        self.edges_ = quantile_edges(X[~held], self.bins, weight[~held])
        binned, train_weight = apply_edges(X, self.edges_), np.where(held, 0.0, weight)
        indicator = np.eye(len(self.classes_))[target]
        share = train_weight @ indicator / train_weight.sum()
        self.start_ = np.log(share) if len(share) > 2 else np.log(share[1:] / share[:1])
        F = np.tile(self.start_, (len(X), 1))
        options = (self.depth, self.minimum_leaf, self.l2, self.minimum_gain, self.bins)
        self.trees_, train_loss, validation_loss = [], [], []
        while len(self.trees_) < self.trees:
            used = train_weight
            if self.subsample < 1:
                used = used * (random.permutation(len(X)) < round(self.subsample * len(X)))
            probability = _probabilities(F)
            slope = probability - indicator
            curvature = probability * (1 - probability) * (2 if len(share) > 2 else 1)
            first = len(share) - F.shape[1]  # two classes: one tree, for class 1
            self.trees_.append([])
            for k in range(F.shape[1]):
                tree = RegressionTree(*options).fit(binned, used * slope[:, first + k], used * curvature[:, first + k])
                F[:, k] += self.learning_rate * tree.predict(binned)
                self.trees_[-1].append(tree)
            loss = -_log_probabilities(F)[np.arange(len(F)), target]
            train_loss.append(train_weight @ loss / train_weight.sum())
            if held.any():
                validation_loss.append(weight[held] @ loss[held] / weight[held].sum())
                if len(validation_loss) - 1 - np.argmin(validation_loss) >= self.patience:
                    break
        if held.any():
            del self.trees_[np.argmin(validation_loss) + 1 :]
        self.train_loss_, self.validation_loss_ = np.array(train_loss), np.array(validation_loss)
        gain = sum(tree.importance() for trees in self.trees_ for tree in trees)
        self.feature_importances_ = gain / max(gain.sum(), np.finfo(float).tiny)
        return self

    def staged_decision_function(self, X):
        """Yield the sum of the trees after each round; the same forms as `decision_function`."""
        binned, dtype = self._binned(X)
        F = np.tile(self.start_, (binned.codes.shape[1], 1))
        for trees in self.trees_:
            F = F + self.learning_rate * np.stack([tree.predict(binned) for tree in trees], axis=1)
            yield (F[:, 0] if F.shape[1] == 1 else F).astype(dtype)

    def decision_function(self, X):
        """Return the sum of the trees.

        Parameters
        ----------
        X : array, (n, d)
            Features, NaN for missing.

        Returns
        -------
        array, (n,) or, for more than two classes, (n, classes)
            Log-odds, or logarithms of the probabilities up to a constant.
        """
        return deque(self.staged_decision_function(X), maxlen=1).pop()

    def staged_predict_proba(self, X):
        """Yield the probabilities after each round; the same forms as `predict_proba`."""
        for F in self.staged_decision_function(X):
            yield _probabilities(F)

    def predict_proba(self, X):
        """Return the probabilities of the classes.

        Parameters
        ----------
        X : array, (n, d)
            Features, NaN for missing.

        Returns
        -------
        array, (n, classes)
            Columns as in ``classes_``.
        """
        return _probabilities(self.decision_function(X))


def _two_columns(F):
    """Logits of shape (n, classes) from log-odds (n,) or (n, 1)."""
    F = F.reshape(len(F), -1)
    return np.concatenate([np.zeros_like(F), F], axis=1) if F.shape[1] == 1 else F


def _probabilities(F):
    return softmax(_two_columns(F), axis=1)


def _log_probabilities(F):
    return log_softmax(_two_columns(F), axis=1)
