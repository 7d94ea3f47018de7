"""One histogram tree, grown on gradients, that serves regression, classification, boosting and reweighting."""

import numpy as np

from hepml_labs.classification.binning import BinnedFeatures, apply_edges, quantile_edges
from hepml_labs.validation import check_between, check_count, to_numpy

__all__ = ["BinnedFeatures", "RegressionTree", "apply_edges", "quantile_edges"]

ROUNDING = 1e-10  # a smaller share of the score, or relative difference of gains, is the rounding of a sum


class RegressionTree:
    r"""A tree that takes one Newton step: in each leaf the value that lowers a loss most.

    To second order the loss changes by :math:`\sum_i (g_i f(x_i) + h_i f(x_i)^2/2) + \lambda/2 \sum_j w_j^2`. The best
    leaf is :math:`w = -G/(H + \lambda)` with G and H the sums over the leaf, and a split gains
    :math:`\frac12 [G_L^2/(H_L+\lambda) + G_R^2/(H_R+\lambda) - G^2/(H+\lambda)]`. With g = -weight * target and
    h = weight the leaves are weighted means and the gain is half of the squared error that the split removes; for
    targets 0 and 1 that is the Gini impurity.

    Parameters
    ----------
    depth : int
        Largest number of splits on the way to a leaf; the tree grows level by level.
    minimum_leaf : float
        Smallest sum of hessians (weights) in a leaf.
    l2 : float
        lambda: draws the leaves to zero.
    minimum_gain : float
        A split must gain more than this (gamma).
    bins : int
        Largest number of bins of a feature.
    features : int, optional
        How many features, drawn at random, each split may choose from; all by default.
    seed : int
        Of this draw.

    Attributes
    ----------
    feature, cut, left : int arrays, (nodes,)
        A row of node k goes to ``left[k]`` if the code of ``feature[k]`` is at most ``cut[k]``, else to
        ``left[k] + 1``; a leaf points at itself.
    missing_left : bool array, (nodes,)
        Where rows without the feature go: to the side with the larger gain, or, if none was seen, the heavier side.
    gain : array, (nodes,)
        Of the split, 0 for leaves.
    value : array, (nodes, k)
        Of the leaves.

    Notes
    -----
    T. Chen and C. Guestrin, arXiv:1603.02754, equations 5 to 7 and algorithm 3 (missing values).

    Examples
    --------
    >>> X = np.array([[1.0], [2.0], [3.0], [4.0]])
    >>> tree = RegressionTree(depth=1).fit(X, -np.array([0.0, 0.0, 4.0, 6.0]), np.ones(4))
    >>> tree.predict(X)
    array([0., 0., 5., 5.])
    """

    def __init__(self, depth=3, minimum_leaf=1.0, l2=0.0, minimum_gain=0.0, bins=256, features=None, seed=0):
        check_count("depth", depth)
        for name, option in (("minimum_leaf", minimum_leaf), ("l2", l2), ("minimum_gain", minimum_gain)):
            check_between(name, option, 0, np.inf, include_low=True)
        if minimum_leaf + l2 == 0:
            raise ValueError("minimum_leaf, l2: found 0, 0, expected one above zero, or leaves could be infinite")
        if features is not None:
            check_count("features", features)
        self.depth, self.minimum_leaf, self.l2, self.minimum_gain = depth, minimum_leaf, l2, minimum_gain
        self.bins, self.features, self.seed = bins, features, seed

    def fit(self, X, gradient, hessian):
        """Grow the tree.

        Parameters
        ----------
        X : array, (n, d), or BinnedFeatures
            Features, NaN for missing; binned ones save the time of binning when many trees grow on the same events.
        gradient : array, (n,) or (n, k)
            First derivatives of the loss; with k columns one tree for k outputs, whose gains add up.
        hessian : array, (n,)
            Second derivatives, not negative.

        Returns
        -------
        RegressionTree
            Itself.

        Raises
        ------
        ValueError
            If shapes differ, or entries are not finite or a hessian is negative.
        """
        hessian = to_numpy("hessian", hessian, ("n",)).astype(np.float64)
        if hessian.min() < 0:
            raise ValueError(f"hessian: found a smallest entry of {hessian.min():.4g}, expected none below zero")
        gradient = to_numpy("gradient", gradient, (len(hessian), "k") if np.ndim(gradient) == 2 else (len(hessian),))
        self._flat = gradient.ndim == 1
        gradient = np.atleast_2d(gradient.T).astype(np.float64)
        if not isinstance(X, BinnedFeatures):
            X = apply_edges(X, quantile_edges(X, self.bins))
        if X.codes.shape[1] != len(hessian):
            raise ValueError(f"X: found {X.codes.shape[1]} rows, expected {len(hessian)} like hessian")
        self.edges = X.edges
        self._grow(X, gradient, hessian, np.random.default_rng(self.seed))
        return self

    def _grow(self, binned, gradient, hessian, random):
        self.feature, self.cut, self.left = np.zeros(1, int), np.full(1, binned.missing), np.zeros(1, int)
        self.missing_left, self.gain = np.ones(1, bool), np.zeros(1)
        node, active = np.zeros(len(hessian), int), np.zeros(1, int)
        for _ in range(self.depth):
            slot_of = np.full(len(self.left), len(active))  # the last slot is for rows whose leaf is final
            slot_of[active] = np.arange(len(active))
            gain, *split = self._best_splits(binned, slot_of[node], len(active), gradient, hessian, random)
            parents = active[gain > 0]
            if len(parents) == 0:
                break
            nodes = len(self.left)
            active = np.arange(nodes, nodes + 2 * len(parents))
            self.feature[parents], self.cut[parents], self.missing_left[parents] = (x[gain > 0] for x in split)
            self.left[parents], self.gain[parents] = active[::2], gain[gain > 0]
            # two new leaves for each of them
            self.feature = np.append(self.feature, np.zeros(len(active), int))
            self.cut = np.append(self.cut, np.full(len(active), binned.missing))
            self.left = np.append(self.left, active)
            self.missing_left = np.append(self.missing_left, np.ones(len(active), bool))
            self.gain = np.append(self.gain, np.zeros(len(active)))
            node = self._step(binned, node)
        weight = np.bincount(node, hessian, len(self.left)) + self.l2
        sums = np.stack([np.bincount(node, g, len(self.left)) for g in gradient], axis=1)
        self.value = 0.0 - sums / np.where(weight > 0, weight, np.inf)[:, None]

    def _best_splits(self, binned, slot, slots, gradient, hessian, random):
        """Return gain (0 for none), feature, cut and side of the missing for the best split of each slot, (slots,)."""
        width = binned.missing + 1
        best = np.zeros(slots), np.zeros(slots, int), np.zeros(slots, int), np.zeros(slots, bool)

        def histogram(index, weight):
            return np.bincount(index, weight, (slots + 1) * width)[: slots * width].reshape(slots, width)

        def score(g, h):
            return (g**2).sum(0) / np.maximum(h + self.l2, np.finfo(float).tiny)

        allowed = np.ones((slots, len(binned.codes)), bool)
        if self.features is not None and self.features < len(binned.codes):
            allowed = random.random(allowed.shape).argsort(axis=1) < self.features
        start = slot * width
        for number, codes in enumerate(binned.codes):
            index = start + codes
            h, g = histogram(index, hessian), np.stack([histogram(index, column) for column in gradient])
            all_h, all_g = h.sum(1, keepdims=True), g.sum(2, keepdims=True)
            h_left, g_left = h[:, :-2].cumsum(1), g[:, :, :-2].cumsum(2)
            for missing_left in (False, True) if h[:, -1].any() else (False,):
                if missing_left:
                    h_left, g_left = h_left + h[:, -1:], g_left + g[:, :, -1:]
                h_right = all_h - h_left
                children = score(g_left, h_left) + score(all_g - g_left, h_right)
                gain = (children - score(all_g, all_h)) / 2
                kept = (h_left >= self.minimum_leaf) & (h_right >= self.minimum_leaf) & allowed[:, number, None]
                kept &= gain > np.maximum(self.minimum_gain, ROUNDING * children)
                gain = np.where(kept, gain, 0)
                largest = gain.max(1, initial=0)
                cut = (gain >= largest[:, None] * (1 - ROUNDING)).argmax(1)  # the first of equals
                better = largest * (1 - ROUNDING) > best[0]
                row = np.flatnonzero(better), cut[better]
                side = np.where(h[row[0], -1] > 0, missing_left, h_left[row] > h_right[row])
                for old, new in zip(best, (largest[better], number, cut[better], side), strict=True):
                    old[better] = new
        return best

    def _step(self, binned, node):
        """Move each row one level down; leaves stay."""
        code = binned.codes[self.feature[node], np.arange(len(node))]
        left = np.where(code == binned.missing, self.missing_left[node], code <= self.cut[node])
        return self.left[node] + ~left

    def apply(self, X):
        """Return the leaf of each row.

        Parameters
        ----------
        X : array, (n, d), or BinnedFeatures of the same edges

        Returns
        -------
        int array, (n,)
        """
        binned = X if isinstance(X, BinnedFeatures) else apply_edges(X, self.edges)
        node = np.zeros(binned.codes.shape[1], int)
        for _ in range(self.depth):
            node = self._step(binned, node)
        return node

    def predict(self, X):
        """Return the value of the leaf of each row.

        Parameters
        ----------
        X : array, (n, d), or BinnedFeatures of the same edges

        Returns
        -------
        float64 array, (n,) or (n, k)
            As the gradient in `fit`.
        """
        value = self.value[self.apply(X)]
        return value[:, 0] if self._flat else value

    def importance(self):
        """Return the gain of all splits by feature, (d,)."""
        return np.bincount(self.feature, self.gain, len(self.edges))
