"""Density ratios p1(x)/p0(x) from classifiers: networks with any of the losses, or any scikit-learn classifier."""

import numpy as np
import torch
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, has_fit_parameter, validate_data
from torch import nn

from hepml_labs.classification.losses import LOSSES
from hepml_labs.nn import MLP, Ensemble, Standardizer, bootstrap_counts
from hepml_labs.training import fit, predict
from hepml_labs.validation import check_array, check_between

__all__ = ["ClassifierRatio", "DensityRatio"]


class _Ratio(ClassifierMixin, BaseEstimator):
    """What all estimators of a log ratio share: everything follows from `member_scores`."""

    def _prepare(self, X, y, sample_weight):
        """Return X, labels 0 and 1, and weights with the same sum in both classes; the total sum is kept."""
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32], ensure_min_samples=2)
        check_classification_targets(y)
        self.classes_, label = np.unique(y, return_inverse=True)
        if len(self.classes_) != 2:
            found = "1 class" if len(self.classes_) == 1 else f"{len(self.classes_)} classes"
            raise ValueError(f"y: found {found}, expected two classes. Only binary classification is supported.")
        weight = np.ones(len(X)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        check_array("sample_weight", weight, (len(X),))
        total = np.bincount(label, weight)
        if not (total > 0).all():
            raise ValueError(f"sample_weight: found sums {total} in the two classes, expected both above zero")
        return X, label, weight * (total.sum() / (2 * total))[label]

    def score_samples(self, X):
        """Estimate of log p1(x)/p0(x) at equal class weights, shape (n,); the mean over the members."""
        return self.member_scores(X).mean(axis=0)

    def decision_function(self, X):
        """Log odds at equal class weights, which are the log ratio."""
        return self.score_samples(X)

    def weights(self, X):
        """Ratio p1(x)/p0(x), shape (n,): on events of class 0 the weight that makes them look like class 1."""
        return np.exp(self.score_samples(X))

    def predict_proba(self, X):
        """Probabilities of the two classes at equal class weights, shape (n, 2)."""
        score = self.score_samples(X)
        return np.stack([expit(-score), expit(score)], axis=1)

    def predict(self, X):
        """Class with the larger density, shape (n,)."""
        label = (self.score_samples(X) > 0).astype(int)
        return self.classes_[label]

    def __sklearn_tags__(self):
        """Tell scikit-learn that there are two classes only."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags


class DensityRatio(_Ratio):
    """Network that learns the logarithm of the ratio of two densities from samples of both.

    Parameters
    ----------
    loss : {"binary_cross_entropy", "square_root", "maximum_likelihood", "mean_squared_error"}
        One of :data:`hepml_labs.classification.losses.LOSSES`; all have their minimum at the log ratio.
    hidden : tuple of int
        Widths of the hidden layers.
    epochs, batch_size, learning_rate
        Passed to :func:`hepml_labs.training.fit`.
    members : int
        Number of networks, each from its own start; their log ratios are averaged.
    bootstrap : bool
        Give each member its own bootstrap sample, so that their spread contains the scatter of the data.
    validation_fraction : float
        Share of the events that chooses the best epoch and is not trained on; 0 for the last epoch.
    seed : int
        Of starts, batches, bootstrap and validation sample.
    progress : bool
        Show a progress bar and a line at the end.

    Attributes
    ----------
    classes_ : array of shape (2,)
        Labels of denominator and numerator, in sorted order (0 and 1 by the project's convention).
    history_ : hepml_labs.training.History
        Of the training; the loss is summed over the members.
    network_ : torch.nn.Module
        Maps (n, d) to (members, n, 1).

    Notes
    -----
    Both classes are brought to equal total weight, so the ratio is that of normalised densities. Weights of
    single events may be negative, as those of next-to-leading-order generators: the expected loss, and with it the
    optimum, is that of the density which the weights describe. But a network that can isolate an event of negative
    weight lowers the loss without limit there. Keep the validation sample (it stops this), and use a loss that grows
    slowly: the mean squared error is bounded, the cross-entropy grows linearly, the other two exponentially.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> y = np.repeat([0, 1], 4000)
    >>> X = random.normal(size=(8000, 1)) + y[:, None]  # log r = x - 1/2
    >>> ratio = DensityRatio(hidden=(16,), epochs=10).fit(X, y)
    >>> bool(np.abs(ratio.score_samples(np.array([[0.5], [1.5]])) - [0, 1]).max() < 0.15)
    True
    """

    def __init__(
        self,
        loss="binary_cross_entropy",
        hidden=(64, 64),
        epochs=20,
        batch_size=512,
        learning_rate=3e-3,
        members=1,
        bootstrap=False,
        validation_fraction=0.1,
        seed=0,
        progress=False,
    ):
        self.loss = loss
        self.hidden = hidden
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.members = members
        self.bootstrap = bootstrap
        self.validation_fraction = validation_fraction
        self.seed = seed
        self.progress = progress

    def fit(self, X, y, sample_weight=None):
        """Train on events X of shape (n, d) with two classes of labels y (n,) and weights (n,).

        Raises
        ------
        ValueError
            If inputs are not finite or do not fit together, there are not two classes, the weights of a class
            do not sum to more than zero, or an option is out of range.
        """
        if self.loss not in LOSSES:
            raise ValueError(f"loss: found {self.loss!r}, expected one of {list(LOSSES)}")
        check_between("validation_fraction", self.validation_fraction, 0, 1, include_low=True)
        X, label, weight = self._prepare(X, y, sample_weight)
        x, label, weight = (torch.tensor(values, dtype=torch.float32) for values in (X, label, weight / weight.mean()))
        weight = weight[:, None].expand(-1, self.members)
        order = torch.from_numpy(np.random.default_rng(self.seed).permutation(len(x)))
        held_out = round(self.validation_fraction * len(x))
        validation, train = (tuple(v[rows] for v in (x, label, weight)) for rows in order.tensor_split([held_out]))
        if self.bootstrap:
            train = *train[:2], train[2] * bootstrap_counts(len(train[0]), self.members, self.seed)

        def network():
            return MLP(x.shape[1], 1, self.hidden)

        def loss(model, x, label, weight):
            log_ratio = model(x).squeeze(-1)
            # the sum over the members gives each the gradient that it would have alone
            return self.members * LOSSES[self.loss](log_ratio, label.expand_as(log_ratio), weight.mT)

        self.network_ = nn.Sequential(Standardizer.fit(train[0]), Ensemble(network, self.members, self.seed))
        self.history_ = fit(
            self.network_,
            loss,
            _balanced(*train),
            _balanced(*validation) if held_out else None,
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            seed=self.seed,
            progress=self.progress,
            label=self.loss.replace("_", " "),
        )
        return self

    def member_scores(self, X):
        """Log ratio of each member, shape (members, n), in the floating-point type of X."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        # members last, because `predict` joins batches along the first axis
        by_event = nn.Sequential(self.network_, _MembersLast())
        return predict(by_event, torch.tensor(X, dtype=torch.float32)).numpy().T.astype(X.dtype)


def _balanced(x, label, weight):
    """Bring each member's weights, (n, members), to mean one and an equal sum in both classes, after all draws."""
    total = torch.stack([weight[label == c].sum(dim=0) for c in (0, 1)])
    return x, label, weight * (len(label) / (2 * total))[label.long()]


class _MembersLast(nn.Module):
    def forward(self, output):
        return output.squeeze(-1).mT


class ClassifierRatio(_Ratio):
    """Log ratio of two densities from the probabilities of any scikit-learn classifier, trees included.

    At equal class weights p = p1 / (p0 + p1), so log r = log p - log(1 - p): the likelihood-ratio trick
    (Cranmer, Pavez and Louppe, arXiv:1506.02169). It needs a *calibrated* probability; wrap the estimator in
    :class:`sklearn.calibration.CalibratedClassifierCV` where that is in doubt.

    Parameters
    ----------
    estimator : scikit-learn classifier
        With `predict_proba`. If its `fit` takes weights, the classes are brought to equal total weight; if not,
        the log ratio of their numbers is taken off afterwards.

    Attributes
    ----------
    estimator_ : scikit-learn classifier
        The fitted copy.
    classes_ : array of shape (2,)
        Labels of denominator and numerator.

    Notes
    -----
    Probabilities of exactly 0 or 1 (pure leaves) would be infinite ratios. They are moved to 1 / (n + 2) from
    the end for n training events, Laplace's rule of succession.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> random = np.random.default_rng(0)
    >>> y = np.repeat([0, 1], (3000, 9000))
    >>> X = random.normal(size=(12000, 1)) + y[:, None]  # log r = x - 1/2
    >>> ratio = ClassifierRatio(LogisticRegression()).fit(X, y)
    >>> bool(np.abs(ratio.score_samples(np.array([[0.5], [1.5]])) - [0, 1]).max() < 0.1)
    True
    """

    def __init__(self, estimator):
        self.estimator = estimator

    def fit(self, X, y, sample_weight=None):
        """Fit a copy of the estimator to events X (n, d) with two classes of labels y (n,) and weights (n,).

        Raises
        ------
        ValueError
            If inputs are not finite or do not fit together, there are not two classes, the weights of a class
            do not sum to more than zero, or the estimator cannot use the weights.
        """
        X, label, weight = self._prepare(X, y, sample_weight)
        self.estimator_ = clone(self.estimator)
        if has_fit_parameter(self.estimator_, "sample_weight"):
            self.estimator_.fit(X, label, sample_weight=weight)
            self.log_prior_ = 0.0
        elif sample_weight is None:
            self.estimator_.fit(X, label)
            self.log_prior_ = np.log(label.mean() / (1 - label.mean()))
        else:
            raise ValueError(f"sample_weight: {type(self.estimator).__name__}.fit takes none, expected None")
        self.smallest_ = 1 / (np.count_nonzero(weight) + 2)
        return self

    def member_scores(self, X):
        """Log ratio as one row, shape (1, n), in the floating-point type of X."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        probability = self.estimator_.predict_proba(X)[:, 1].clip(self.smallest_, 1 - self.smallest_)
        return (np.log(probability) - np.log1p(-probability) - self.log_prior_)[None].astype(X.dtype)
