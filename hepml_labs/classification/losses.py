"""Losses of classifiers, each a function of the log ratio that the network puts out.

For two classes the average loss at one x is p1 A(f) + p0 B(f), with A for label 1 (the numerator) and B for label 0.
All four pairs obey

    A'(f) e^f + B'(f) = 0  for every f,

so the slope p1 A' + p0 B' = -A' (p0 e^f - p1) vanishes at f = log p1/p0 and nowhere else, as long as A' < 0: one
optimum for all. The second derivative there is p1 a(f), with a = -A'. This is the weight that an error of f carries
at x, and all that differs.

| loss | A(f), label 1 | B(f), label 0 | second derivative at the optimum |
|---|---|---|---|
| binary cross-entropy | log(1 + e^-f) | log(1 + e^f) | p0 p1 / (p0 + p1) |
| square root | e^(-f/2) | e^(f/2) | sqrt(p0 p1) / 2 |
| maximum likelihood | -f | e^f - 1 | p1 |
| mean squared error | s(-f)^2 | s(f)^2, s the sigmoid | 2 (p0 p1)^2 / (p0 + p1)^3 |

The collection is that of Rizvi, Pettee and Nachman, arXiv:2305.10500, with the output map that makes f a logarithm
throughout. Derivations: the lecture page "Density ratios".
"""

import torch

from hepml_labs.validation import check_array, check_same_shape

__all__ = [
    "LOSSES",
    "binary_cross_entropy",
    "cross_entropy",
    "maximum_likelihood",
    "mean_squared_error",
    "square_root",
]


def _check(log_ratio, label, weight):
    check_array("log_ratio", log_ratio, finite=False)
    # to look for NaN on a GPU would hold it up at every step; there `fit` notices a loss that is NaN
    look = log_ratio.device.type == "cpu"
    check_array("label", label, finite=look)
    check_same_shape(log_ratio=log_ratio, label=label)
    if weight is not None:
        check_array("weight", weight, finite=look)
        check_same_shape(log_ratio=log_ratio, weight=weight)


def _mean(loss, weight):
    return loss.mean() if weight is None else (weight * loss).mean()


def binary_cross_entropy(log_ratio, label, weight=None):
    """Minus the log-likelihood of the labels, log(1 + e^-f) for label 1 and log(1 + e^f) for label 0.

    Parameters
    ----------
    log_ratio : tensor
        Any shape: estimates f of log p1(x)/p0(x).
    label : tensor
        Same shape, floating-point: 1 for the numerator, 0 for the denominator. Values in between are probabilities.
    weight : tensor, optional
        Same shape. The mean is that of weight times loss: bring weights to mean one to compare values.

    Returns
    -------
    tensor
        Scalar, in nats.

    Raises
    ------
    ValueError
        If shapes differ, a tensor is empty or not floating-point, or a label or weight is NaN.

    Notes
    -----
    Of all losses of this family it has the smallest variance in the limit of many events, if the network can represent
    the true ratio: there its second derivative equals the variance of its gradient.

    Examples
    --------
    >>> binary_cross_entropy(torch.tensor([0.0, 0.0]), torch.tensor([0.0, 1.0]))
    tensor(0.6931)
    """
    _check(log_ratio, label, weight)
    return _mean(torch.nn.functional.softplus(log_ratio) - label * log_ratio, weight)


def square_root(log_ratio, label, weight=None):
    """Square-root loss, e^(-f/2) for label 1 and e^(f/2) for label 0.

    With w = e^f it is sqrt(w) on the denominator and 1/sqrt(w) on the numerator, the loss of the background model of
    ATLAS' search for HH to 4b (arXiv:2301.03212, with w = p(4b)/p(2b)). An error costs sqrt(p0 p1) / 2: of the
    three losses that treat the classes alike it looks hardest at places where one of them is rare.

    Parameters
    ----------
    log_ratio, label, weight : tensor
        As for `binary_cross_entropy`, which also says what raises a ValueError; labels are 0 or 1.

    Returns
    -------
    tensor
        Scalar; infinite in single precision if |f| exceeds 177.

    Examples
    --------
    >>> square_root(torch.tensor([2.0, 2.0]), torch.tensor([0.0, 1.0]))  # cosh(1)
    tensor(1.5431)
    """
    _check(log_ratio, label, weight)
    return _mean(torch.exp((0.5 - label) * log_ratio), weight)


def maximum_likelihood(log_ratio, label, weight=None):
    """Maximum-likelihood classifier (MLC), -f for label 1 and e^f - 1 for label 0.

    It is minus the log-likelihood of the numerator under the density p0 e^f, with the norm of this density kept at one
    by the second term (D'Agnolo and Wulzer, arXiv:1806.02350; name from Nachman and Thaler, arXiv:2101.07263).

    Parameters
    ----------
    log_ratio, label, weight : tensor
        As for `binary_cross_entropy`, which also says what raises a ValueError; labels are 0 or 1.

    Returns
    -------
    tensor
        Scalar; infinite in single precision if f exceeds 88.

    Notes
    -----
    The gradient on label 0 is e^f, without bound: single events with a large ratio shake the training. Its variance
    needs the mean of the ratio over the numerator to be finite.

    Examples
    --------
    >>> maximum_likelihood(torch.tensor([1.0, 1.0]), torch.tensor([0.0, 1.0]))  # (e - 2) / 2
    tensor(0.3591)
    """
    _check(log_ratio, label, weight)
    return _mean((1 - label) * torch.expm1(log_ratio) - label * log_ratio, weight)


def mean_squared_error(log_ratio, label, weight=None):
    """Squared distance of the probability s(f) = 1 / (1 + e^-f) from the label (Brier score).

    Bounded, also in its gradient: an event far on the wrong side has no pull at all.

    Parameters
    ----------
    log_ratio, label, weight : tensor
        As for `binary_cross_entropy`, which also says what raises a ValueError.

    Returns
    -------
    tensor
        Scalar.

    Examples
    --------
    >>> mean_squared_error(torch.tensor([0.0, 0.0]), torch.tensor([0.0, 1.0]))
    tensor(0.2500)
    """
    _check(log_ratio, label, weight)
    # s(f) - y as y s(-f) and (1 - y) s(f): no difference of numbers close to one
    return _mean(((1 - label) * torch.sigmoid(log_ratio) - label * torch.sigmoid(-log_ratio)).square(), weight)


def cross_entropy(logits, label, weight=None):
    """Minus the log-likelihood of the labels of many classes, logsumexp(logits) - logits[label].

    At its minimum the difference of two logits is the log ratio of the two densities, plus the log ratio of
    their numbers in training. For two classes the difference of the two logits is the f of `binary_cross_entropy`.

    Parameters
    ----------
    logits : tensor of shape (n, classes)
        Outputs of the network; a common shift changes nothing.
    label : tensor of int64, shape (n,)
        From 0 to classes - 1.
    weight : tensor of shape (n,), optional
        The mean is that of weight times loss.

    Returns
    -------
    tensor
        Scalar, in nats.

    Raises
    ------
    ValueError
        If shapes do not fit, a tensor is empty, or a label is no class.

    Examples
    --------
    >>> cross_entropy(torch.zeros(2, 4), torch.tensor([0, 3]))  # log 4
    tensor(1.3863)
    """
    check_array("logits", logits, ("n", "classes"), finite=False)
    check_array("label", label, (len(logits),), floating=False)
    if label.dtype != torch.int64:
        raise ValueError(f"label: found type {label.dtype}, expected torch.int64")
    classes = logits.shape[1]
    if logits.device.type == "cpu" and not ((label >= 0) & (label < classes)).all():
        raise ValueError(f"label: found {label.min()} to {label.max()}, expected 0 to {classes - 1}")
    if weight is not None:
        check_array("weight", weight, (len(logits),), finite=logits.device.type == "cpu")
    return _mean(torch.nn.functional.cross_entropy(logits, label, reduction="none"), weight)


#: Losses of two classes by name.
LOSSES = {
    "binary_cross_entropy": binary_cross_entropy,
    "square_root": square_root,
    "maximum_likelihood": maximum_likelihood,
    "mean_squared_error": mean_squared_error,
}
