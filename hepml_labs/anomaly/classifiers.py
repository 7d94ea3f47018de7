"""Ensembles of classifiers behind one interface: boosted trees, or networks trained side by side."""

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.utils.validation import check_is_fitted, validate_data

from hepml_labs.classification.density_ratio import ClassifierRatio, DensityRatio
from hepml_labs.validation import check_between, check_count

__all__ = ["KINDS", "BoostedTrees", "classifier"]

BINS = 255


class BoostedTrees(BaseEstimator):
    """Boosted trees that learn the logarithm of the ratio of two densities; an ensemble with early stopping.

    Each member holds back another share of the events, drawn at random, to decide when to stop. Trees stop after a
    few rounds where there is little to learn, and features without information do them little harm.

    Parameters
    ----------
    members : int
        Number of boosted classifiers; their log ratios are averaged.
    trees : int
        Largest number of trees in each.
    leaves, minimum_leaf : int
        Most leaves of a tree, and fewest events in a leaf.
    learning_rate : float
        Factor on each tree.
    validation_fraction : float
        Share of the events that each member holds back.
    patience : int
        Rounds without a better validation loss after which a member stops.
    seed : int
        Member m draws its validation share from ``seed + m``.

    Attributes
    ----------
    members_ : list of hepml_labs.classification.density_ratio.ClassifierRatio
        The fitted members.
    edges_ : list of arrays
        Edges of the bins of each feature, quantiles of the training events.

    Notes
    -----
    :class:`sklearn.ensemble.HistGradientBoostingClassifier` with early stopping on random halves, averaged: the recipe
    of Finke et al., arXiv:2309.13111, section 2 (50 members there). Classes are brought to equal total weight. All
    members take part in the mean, so that one which stopped at once only draws the mean towards zero.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> y = np.repeat([0, 1], 4000)
    >>> X = random.normal(size=(8000, 1)) + y[:, None]  # log r = x - 1/2
    >>> ratio = BoostedTrees(members=3, leaves=4).fit(X, y)
    >>> bool(np.abs(ratio.score_samples(np.array([[0.5], [1.5]])) - [0, 1]).max() < 0.25)
    True
    """

    def __init__(
        self,
        members=10,
        trees=100,
        leaves=31,
        minimum_leaf=20,
        learning_rate=0.1,
        validation_fraction=0.5,
        patience=10,
        seed=0,
    ):
        self.members = members
        self.trees = trees
        self.leaves = leaves
        self.minimum_leaf = minimum_leaf
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.seed = seed

    def fit(self, X, y, sample_weight=None):
        """Train all members on events X of shape (n, d) with two classes of labels y (n,) and weights (n,).

        Raises
        ------
        ValueError
            If inputs are not finite or do not fit together, there are not two classes, the weights of a class
            do not sum to more than zero, or an option is out of range.
        """
        for name in ("members", "trees", "minimum_leaf", "patience"):
            check_count(name, getattr(self, name))
        check_count("leaves", self.leaves, minimum=2)
        check_count("seed", self.seed, minimum=0)
        check_between("learning_rate", self.learning_rate, 0, np.inf)
        check_between("validation_fraction", self.validation_fraction, 0, 1)
        X = validate_data(self, X, dtype=[np.float64, np.float32])
        shares = np.arange(1, BINS) / BINS
        self.edges_ = [np.unique(np.quantile(column, shares)) for column in X.T]
        binned = self._bin(X)
        self.members_ = [self._member(self.seed + m).fit(binned, y, sample_weight) for m in range(self.members)]
        return self

    def _bin(self, X):
        """Replace each feature by the number of its bin: once for all members, and without the weights.

        Scikit-learn would compute weighted quantiles for each member, which takes longer than growing the trees.
        """
        numbers = [np.searchsorted(edges, column, side="right") for edges, column in zip(self.edges_, X.T, strict=True)]
        return np.column_stack(numbers).astype(X.dtype)

    def _member(self, seed):
        trees = HistGradientBoostingClassifier(
            learning_rate=self.learning_rate,
            max_iter=self.trees,
            max_leaf_nodes=self.leaves,
            min_samples_leaf=self.minimum_leaf,
            early_stopping=True,
            validation_fraction=self.validation_fraction,
            n_iter_no_change=self.patience,
            random_state=seed,
        )
        return ClassifierRatio(trees)

    def member_scores(self, X):
        """Log ratio of each member, shape (members, n), in the floating-point type of X."""
        check_is_fitted(self, "members_")
        binned = self._bin(validate_data(self, X, dtype=[np.float64, np.float32], reset=False))
        return np.concatenate([member.member_scores(binned) for member in self.members_])

    def score_samples(self, X):
        """Estimate of log p1(x)/p0(x) at equal class weights, shape (n,); the mean over the members."""
        return self.member_scores(X).mean(axis=0)


KINDS = {"trees": BoostedTrees, "network": DensityRatio}
"""Name: class of the ensemble; each takes `members` and `seed`, and has options of its own."""


def classifier(kind="trees", members=10, seed=0, **options):
    """Make an untrained ensemble of classifiers.

    Parameters
    ----------
    kind : {"trees", "network"}
        `BoostedTrees`, or :class:`hepml_labs.classification.density_ratio.DensityRatio`, whose networks differ in
        their starts and are trained in one go.
    members : int
        Classifiers in the ensemble.
    seed : int
        Of all that is drawn.
    **options
        Further parameters of the class, such as ``trees=50`` or ``hidden=(64, 32), epochs=10``.

    Returns
    -------
    BoostedTrees or DensityRatio
        With ``fit(X, y, sample_weight=None)``; ``score_samples(X)``, an estimate of log p1(x)/p0(x) at equal class
        weights, shape (n,), the mean over the members; and ``member_scores(X)``, shape (members, n).

    Raises
    ------
    ValueError
        If there is no such kind, or it has no such option.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> y = np.repeat([0, 1], 2000)
    >>> X = random.normal(size=(4000, 2)) + y[:, None]
    >>> for kind, options in (("trees", {"trees": 20}), ("network", {"epochs": 3})):
    ...     ensemble = classifier(kind, members=2, **options).fit(X, y)
    ...     print(kind, ensemble.member_scores(X[:5]).shape)
    trees (2, 5)
    network (2, 5)
    """
    if kind not in KINDS:
        raise ValueError(f"kind: found {kind!r}, expected one of {list(KINDS)}")
    known = list(KINDS[kind]().get_params())
    for name in options:
        if name not in known:
            raise ValueError(f"options: found {name!r}, expected some of {known} for kind={kind!r}")
    return KINDS[kind](members=members, seed=seed, **options)
