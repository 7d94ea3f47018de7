"""A network as a scikit-learn classifier: array in, array out."""

import json

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from hepml_labs.classification.losses import binary_cross_entropy, cross_entropy
from hepml_labs.nn import MLP, Standardizer
from hepml_labs.training import fit, predict
from hepml_labs.validation import check_between, check_count

__all__ = ["NetworkClassifier"]

TYPES = (np.float64, np.float32)


def _binary_loss(model, x, label, weight=None):
    return binary_cross_entropy(model(x).squeeze(-1), label, weight)


def _many_classes_loss(model, x, label, weight=None):
    return cross_entropy(model(x), label, weight)


class NetworkClassifier(ClassifierMixin, BaseEstimator):
    """Multi-layer perceptron, trained on the cross-entropy with AdamW and a cosine schedule.

    With two classes the network has one output, the log-odds; with more it has a logit for each class. The inputs are
    shifted and scaled to mean zero and width one. The network computes in the floating-point type of the training data.

    Parameters
    ----------
    hidden : tuple of int
        Widths of the hidden layers (SiLU in between); an empty tuple makes logistic regression.
    epochs : int
        Passes over the training data.
    batch_size : int
        Events per step; `epochs` times ``n / batch_size`` steps are taken in all.
    learning_rate, weight_decay : float
        Of AdamW.
    validation_fraction : float
        Share of the events, in [0, 1), that is held back to choose the best epoch. If it makes less than one event
        there is no validation, and the last epoch counts.
    seed : int
        Fixes the initial weights, the events held back and the order of the batches.
    progress : bool
        Show a progress bar and a line at the end.

    Attributes
    ----------
    classes_ : array, (classes,)
        The labels in order; with two, the second is the signal.
    network_ : torch.nn.Module
        Standardisation and perceptron, on the device of the training.
    history_ : hepml_labs.training.History
        Losses by epoch.
    n_features_in_ : int
        Number of inputs.

    Notes
    -----
    Weights are divided by their mean, so their unit does not matter. Negative weights, as of generators at
    next-to-leading order, are allowed: the weighted loss is still an unbiased estimate of the loss on the true density.
    But an event of negative weight is rewarded without bound for being classified wrongly, and only positive
    neighbours hold it. Keep the network small or stop early when many weights are negative.

    Derivation: the lecture page "The likelihood ratio"; with equal total weights `decision_function` estimates
    log p1(x)/p0(x) (Cranmer, Pavez and Louppe, arXiv:1506.02169).

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> y = random.integers(0, 2, 4000)
    >>> X = random.normal(size=(4000, 1)) + y[:, None]  # log ratio x - 1/2
    >>> classifier = NetworkClassifier(hidden=(16,), epochs=30, batch_size=100).fit(X, y)
    >>> classifier.decision_function(np.array([[0.5], [1.5]])).round(0) + 0
    array([0., 1.])
    """

    def __init__(
        self,
        hidden=(64, 64),
        epochs=20,
        batch_size=512,
        learning_rate=3e-3,
        weight_decay=0.0,
        validation_fraction=0.1,
        seed=0,
        progress=False,
    ):
        self.hidden = hidden
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.validation_fraction = validation_fraction
        self.seed = seed
        self.progress = progress

    def fit(self, X, y, sample_weight=None):
        """Train the network.

        Parameters
        ----------
        X : array, (n, features)
        y : array, (n,)
            Labels of two or more classes.
        sample_weight : array, (n,), optional
            Weights of the events, see the notes above for negative ones.

        Returns
        -------
        NetworkClassifier
            Itself.

        Raises
        ------
        ValueError
            If X or y is no such array, there is one class only, or the total weight of a class is not above zero.
        """
        X, y = validate_data(self, X, y, dtype=TYPES)
        check_classification_targets(y)
        check_between("validation_fraction", self.validation_fraction, 0, 1, include_low=True)
        check_count("seed", self.seed, minimum=0)
        self.classes_, index = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError("y: found one class, expected at least two")
        binary = len(self.classes_) == 2
        columns = [torch.tensor(X), torch.tensor(index.astype(X.dtype if binary else np.int64))]
        if sample_weight is not None:
            weight = _check_sample_weight(sample_weight, X, dtype=X.dtype)
            total = np.bincount(index, weight)
            if not (total > 0).all():
                raise ValueError(f"sample_weight: found {total} in total for each class, expected all above zero")
            columns.append(torch.tensor(weight / weight.mean()))

        order = np.random.default_rng(self.seed).permutation(len(X))
        held_back = int(self.validation_fraction * len(X))
        train, validation = order[held_back:], order[:held_back]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self.network_ = self._build(X.shape[1], columns[0][train])
        self.history_ = fit(
            self.network_,
            _binary_loss if binary else _many_classes_loss,
            tuple(column[train] for column in columns),
            tuple(column[validation] for column in columns) if held_back else None,
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            seed=self.seed,
            progress=self.progress,
            label="network",
        )
        return self

    def _build(self, inputs, x):
        """Standardise after `x` and put an untrained perceptron behind it."""
        outputs = 1 if len(self.classes_) == 2 else len(self.classes_)
        return torch.nn.Sequential(Standardizer.fit(x), MLP(inputs, outputs, self.hidden).to(x.dtype))

    def decision_function(self, X):
        """Logits of the classes.

        Parameters
        ----------
        X : array, (n, features)

        Returns
        -------
        array, (n,) or (n, classes)
            Two classes: the log-odds of the second, at the class shares of the training data. More: a logit for each;
            the difference of two is the log-odds between these classes.
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=TYPES)
        kind = next(self.network_.parameters()).dtype
        logits = predict(self.network_, torch.tensor(X, dtype=kind)).numpy()
        return logits[:, 0] if len(self.classes_) == 2 else logits

    def predict_proba(self, X):
        """Probability of each class at the class shares of the training data.

        Parameters
        ----------
        X : array, (n, features)

        Returns
        -------
        array, (n, classes)
        """
        logits = self.decision_function(X)
        return np.stack([expit(-logits), expit(logits)], axis=1) if logits.ndim == 1 else softmax(logits, axis=1)

    def predict(self, X):
        """Give the most probable label.

        Parameters
        ----------
        X : array, (n, features)

        Returns
        -------
        array, (n,)
        """
        logits = self.decision_function(X)
        return self.classes_[(logits > 0).astype(int) if logits.ndim == 1 else logits.argmax(axis=1)]

    def save(self, path):
        """Write weights, parameters and labels to one safetensors file.

        Parameters
        ----------
        path : path
            The file; labels must be numbers or texts.
        """
        check_is_fitted(self)
        header = {"parameters": self.get_params(), "classes": self.classes_.tolist()}
        tensors = {name: tensor.cpu().contiguous() for name, tensor in self.network_.state_dict().items()}
        save_file(tensors, path, metadata={"classifier": json.dumps(header)})

    @classmethod
    def load(cls, path):
        """Read a classifier that `save` has written.

        Parameters
        ----------
        path : path
            The file.

        Returns
        -------
        NetworkClassifier
            Fitted, without its history.
        """
        with safe_open(path, framework="pt") as file:
            header = json.loads(file.metadata()["classifier"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        parameters = header["parameters"]
        classifier = cls(**{**parameters, "hidden": tuple(parameters["hidden"])})
        classifier.classes_ = np.array(header["classes"])
        mean = tensors["0.mean"]
        classifier.n_features_in_ = len(mean)
        classifier.network_ = classifier._build(len(mean), mean[None])
        classifier.network_.load_state_dict(tensors)
        return classifier
