"""Reweighting with boosted trees: small bins where two samples differ, and their ratio as the weight."""

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from hepml_labs.classification.trees import BinnedFeatures, RegressionTree, apply_edges, quantile_edges
from hepml_labs.validation import check_array, check_between, check_count, to_numpy

__all__ = ["BoostedReweighter", "effective_sample_size", "leaf_log_ratio"]


def effective_sample_size(weight):
    """Number of events of weight one whose sum has the same relative error, (sum w)^2 / sum w^2.

    Parameters
    ----------
    weight : array of shape (n,)
        Weights; a common factor changes nothing.

    Returns
    -------
    float
        n for equal weights, 1 if a single event has it all; for weights w = r of events from the denominator it
        tends to n / (1 + variance of r).

    Raises
    ------
    ValueError
        If the array is empty, not finite, or all weights are zero.

    Notes
    -----
    Kish, Survey Sampling (1965). With negative weights it says how well their sum is known, too: it can be below one.

    Examples
    --------
    >>> effective_sample_size(np.array([1.0, 1.0, 1.0, 3.0]))
    3.0
    """
    weight = to_numpy("weight", weight, ("n",)).astype(np.float64)
    squares = np.square(weight).sum()
    if squares == 0:
        raise ValueError("weight: found zeros only, expected some weight")
    return float(weight.sum() ** 2 / squares)


def leaf_log_ratio(leaf, is_target, weight, leaves, regularization=5.0):
    """Logarithm of the ratio of target to original weight in each leaf of a tree.

    Parameters
    ----------
    leaf : int array of shape (n,)
        Leaf of each event, from 0.
    is_target : bool array of shape (n,)
        True for events of the target sample.
    weight : array of shape (n,)
        Weights.
    leaves : int
        Number of leaves.
    regularization : float
        Added to both sums: draws leaves with few events towards zero.

    Returns
    -------
    array of shape (leaves,)
        log((W_target + regularization) / (W_original + regularization)); sums below zero count as zero.

    Raises
    ------
    ValueError
        If shapes differ, or leaves are no whole numbers.

    Examples
    --------
    >>> is_target, weight = np.array([True, True, False]), np.ones(3)
    >>> leaf_log_ratio(np.array([0, 0, 0]), is_target, weight, leaves=1, regularization=0.0)  # log 2
    array([0.69314718])
    """
    for name, values in (("leaf", leaf), ("is_target", is_target), ("weight", weight)):
        check_array(name, values, (np.size(leaf),), floating=False)
    if not np.issubdtype(leaf.dtype, np.integer) or is_target.dtype != bool:
        raise ValueError(f"leaf, is_target: found {leaf.dtype} and {is_target.dtype}, expected whole numbers and bool")
    target = np.bincount(leaf, weight * is_target, leaves).clip(0)
    original = np.bincount(leaf, weight * ~is_target, leaves).clip(0)
    return np.log((target + regularization) / (original + regularization))


class BoostedReweighter(BaseEstimator):
    r"""Boosted trees that find weights with which one sample looks like another.

    Each tree looks for regions (leaves) in which the weights of target (t) and original (o) differ, by the largest

    .. math:: \chi^2 = \sum_\text{leaves} \frac{(W_t-W_o)^2}{W_t+W_o} .

    No special tree is needed. Give an event of the target the value s = +1, one of the original s = -1, and fit s with
    squared error and weights w. A leaf with constant prediction c costs :math:`\sum w (s-c)^2`. The best c is the mean
    :math:`(W_t-W_o)/(W_t+W_o)`, and what remains is :math:`\sum w - (W_t-W_o)^2/(W_t+W_o)`, because
    :math:`s^2 = 1`. So the least squared error *is* the largest chi-squared. In terms of gradients g = -w s and
    hessians w the gain of a split is half of what it adds to chi-squared.

    The original weights in a leaf are then multiplied by a power (the learning rate) of :math:`W_t/W_o`,
    and the next tree sees the new weights.

    Parameters
    ----------
    trees : int
        Number of trees.
    depth : int
        Of each tree; d allows for correlations of up to d features.
    learning_rate : float
        Power of the ratio in one step, in (0, 1].
    minimum_leaf : float
        Smallest weight in a leaf, in effective events of both samples together.
    subsample : float
        Share of the events, drawn anew for each tree, in (0, 1].
    regularization : float
        Effective events added to both samples in the ratio of each leaf.
    bins : int
        Quantile bins of each feature between which the trees may cut.
    seed : int
        Of the draws.

    Attributes
    ----------
    trees_ : list of RegressionTree
        Their values are log ratios, without the learning rate.
    log_norm_ : float
        Added to the sum over trees, so that the weights of the training sample keep their sum.
    chi_squared_ : array of shape (trees,)
        The :math:`\chi^2` of the leaves before each step (of the subsample, if there is one).

    Notes
    -----
    Rogozhnikov, arXiv:1608.05806. Negative weights: the sign moves to s, and w becomes abs(w).

    Both samples are scaled to one total T. In a leaf with the share q of both, :math:`W_t-W_o` has the variance
    :math:`q\,T^2(1/n_t+1/n_o)` by chance, so :math:`\chi^2` is :math:`T(1/n_t+1/n_o)/2` on average. T is the harmonic
    mean of the (effective) numbers of events: then this is one for a leaf that was chosen without looking.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> original, target = random.normal(0.0, 1.0, (20_000, 1)), random.normal(0.3, 1.0, (20_000, 1))
    >>> weight = BoostedReweighter().fit(original, target).predict_weights(original)
    >>> bool(abs(np.average(original[:, 0], weights=weight) - 0.3) < 0.02)
    True
    """

    def __init__(
        self,
        trees=50,
        depth=3,
        learning_rate=0.1,
        minimum_leaf=200,
        subsample=1.0,
        regularization=5.0,
        bins=256,
        seed=0,
    ):
        self.trees = trees
        self.depth = depth
        self.learning_rate = learning_rate
        self.minimum_leaf = minimum_leaf
        self.subsample = subsample
        self.regularization = regularization
        self.bins = bins
        self.seed = seed

    def fit(self, original, target, original_weight=None, target_weight=None):
        """Learn the weights that turn the original sample, (n, d), into the target sample, (m, d).

        Features may be NaN where they are missing. Weights, of shapes (n,) and (m,), are one by default; only their
        relative size within a sample counts.

        Raises
        ------
        ValueError
            If shapes do not fit, the weights of a sample do not sum to more than zero, or an option is out of range.
        """
        check_count("trees", self.trees)
        check_between("learning_rate", self.learning_rate, 0, 1, include_high=True)
        check_between("subsample", self.subsample, 0, 1, include_high=True)
        check_between("regularization", self.regularization, 0, np.inf, include_low=True)
        check_array("original", original, ("n", "d"), finite=False)
        check_array("target", target, ("m", original.shape[1]), finite=False)
        X, events = np.concatenate([original, target]), len(original) + len(target)
        start = _shares("original_weight", original_weight, len(original))
        weight = np.concatenate([start, _shares("target_weight", target_weight, len(target))])
        total = 2 / np.square(weight).sum()  # the harmonic mean of the effective sizes
        start, weight = total * start, total * weight
        is_target = np.repeat([False, True], (len(original), len(target)))
        binned = apply_edges(X, quantile_edges(X, self.bins, np.abs(weight)))
        self.n_features_in_, self.edges_ = X.shape[1], binned.edges
        self.trees_, self.log_norm_, self.chi_squared_ = [], 0.0, np.zeros(self.trees)
        random, log_ratio = np.random.default_rng(self.seed), np.zeros(len(original))
        for step in range(self.trees):
            used = slice(None)
            if self.subsample < 1:
                used = random.permutation(events)[: round(self.subsample * events)]
            codes = BinnedFeatures(binned.codes[:, used], binned.edges)
            gradient = np.where(is_target, -weight, weight)[used]
            tree = RegressionTree(self.depth, self.minimum_leaf, bins=self.bins)
            tree.fit(codes, gradient, np.abs(weight[used]))
            leaf, nodes = tree.apply(codes), len(tree.left)
            squared, size = np.bincount(leaf, gradient, nodes) ** 2, np.bincount(leaf, np.abs(weight[used]), nodes)
            self.chi_squared_[step] = (squared[size > 0] / size[size > 0]).sum()
            tree.value = leaf_log_ratio(leaf, is_target[used], weight[used], nodes, self.regularization)[:, None]
            self.trees_.append(tree)
            log_ratio += self.learning_rate * tree.predict(binned)[: len(original)]
            weight[: len(original)] = start * np.exp(log_ratio)
            self.log_norm_ = np.log(total / weight[: len(original)].sum())
            weight[: len(original)] *= np.exp(self.log_norm_)
        return self

    def score_samples(self, X):
        """Estimate of log p_target(x)/p_original(x), shape (n,), for events X of shape (n, d)."""
        check_is_fitted(self)
        check_array("X", X, ("n", self.n_features_in_), finite=False)
        binned = apply_edges(X, self.edges_)
        return self.log_norm_ + self.learning_rate * sum(tree.predict(binned) for tree in self.trees_)

    def predict_weights(self, original, original_weight=None):
        """Weights, shape (n,), that make events of the original sample look like the target.

        With `original_weight` they are multiplied with it; the sum over the training sample stays what it was.

        Raises
        ------
        ValueError
            If shapes do not fit.
        """
        ratio = np.exp(self.score_samples(original))
        if original_weight is None:
            return ratio
        check_array("original_weight", original_weight, (len(ratio),))
        return original_weight * ratio


def _shares(name, weight, events):
    weight = np.ones(events) if weight is None else to_numpy(name, weight, (events,)).astype(np.float64)
    if not weight.sum() > 0:
        raise ValueError(f"{name}: found a sum of {weight.sum():.4g}, expected it above zero")
    return weight / weight.sum()
