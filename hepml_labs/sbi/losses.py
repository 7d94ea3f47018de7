"""Losses whose minimum is the likelihood ratio, the score or the likelihood, with and without gold.

The six losses of a ratio share one signature; f is the network's log r(x|theta), y the label (1: event of the numerator
p(x|theta), 0: of the reference), j the joint log ratio, t and t_xz the network's score and the joint score. All
are means over the batch and, for scores, over the parameters. Labels in MadMiner's own functions are 1 - y.
"""

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

from hepml_labs.validation import check_array, check_same_shape

__all__ = ["LOSSES", "SCORE_TERM", "alice", "alices", "carl", "cascal", "rascal", "rolr", "sally", "scandal"]

#: Ratios beyond e^10 have the loss, and on the network's side no gradient, of e^10: ROLR squares them.
LARGEST_LOG_RATIO = 10.0


def _check(log_ratio, **others):
    check_array("log_ratio", log_ratio, ("n",), finite=False)
    for name, value in others.items():
        if value is None:
            raise ValueError(
                f"{name}: found None, expected values of shape {tuple(log_ratio.shape)}: this loss needs them"
            )
        check_same_shape(log_ratio=log_ratio, **{name: value})


def _score_term(label, score, joint_score):
    """Mean of y (t - t_xz)^2: only events of the numerator have a score at theta that averages to the truth."""
    for name, value in (("score", score), ("joint_score", joint_score)):
        if value is None:
            raise ValueError(f"{name}: found None, expected values of shape ({len(label)}, parameters)")
    check_array("score", score, (len(label), "parameters"), finite=False)
    check_same_shape(score=score, joint_score=joint_score)
    numerator = label[:, None]  # 0 or 1, its own square
    return mse_loss(numerator * score, numerator * joint_score)


def carl(log_ratio, label, joint_log_ratio=None, score=None, joint_score=None, alpha=1.0):
    """Cross-entropy of the labels, softplus(f) - y f: the classifier that knows no gold.

    Calibrated approximate ratios of likelihoods, Cranmer, Pavez and Louppe, arXiv:1506.02169.

    Parameters
    ----------
    log_ratio : tensor (n,)
        The network's f.
    label : tensor (n,)
        1 for the numerator, 0 for the reference.
    joint_log_ratio : tensor (n,), optional
        Used by `rolr`, `alice` and what builds on them.
    score, joint_score : tensor (n, p), optional
        The network's gradient of f in theta and the joint score; used by `cascal`, `rascal` and `alices`.
    alpha : float
        Weight of the score term.

    Returns
    -------
    tensor
        Scalar.

    Raises
    ------
    ValueError
        If shapes differ or values that this loss needs are missing.

    Examples
    --------
    >>> carl(torch.zeros(2), torch.tensor([0.0, 1.0]))  # log 2
    tensor(0.6931)
    """
    _check(log_ratio, label=label)
    return binary_cross_entropy_with_logits(log_ratio, label)


def rolr(log_ratio, label, joint_log_ratio=None, score=None, joint_score=None, alpha=1.0):
    """Squared error of the ratio on events of the reference, of its inverse on those of the numerator.

    (1 - y)(e^f - e^j)^2 + y (e^-f - e^-j)^2: regression on the likelihood ratio, arXiv:1805.00020.

    Parameters
    ----------
    log_ratio, label, joint_log_ratio, score, joint_score, alpha
        As for `carl`, which also says what raises a ValueError.

    Returns
    -------
    tensor
        Scalar. All log ratios are cut at +-10.

    Examples
    --------
    >>> one = torch.ones(1)
    >>> rolr(0 * one, 0 * one, one)  # (1 - e)^2
    tensor(2.9525)
    """
    _check(log_ratio, label=label, joint_log_ratio=joint_log_ratio)
    sign = 1 - 2 * label
    found, true = (value.clamp(-LARGEST_LOG_RATIO, LARGEST_LOG_RATIO) for value in (log_ratio, joint_log_ratio))
    return (torch.exp(sign * found) - torch.exp(sign * true)).square().mean()


def alice(log_ratio, label, joint_log_ratio=None, score=None, joint_score=None, alpha=1.0):
    """Cross-entropy with the exact probability s = 1/(1 + e^-j) in place of the label, softplus(f) - s f.

    Approximate likelihood with improved cross-entropy estimator, Stoye et al., arXiv:1808.00973.

    Parameters
    ----------
    log_ratio, label, joint_log_ratio, score, joint_score, alpha
        As for `carl`, which also says what raises a ValueError.

    Returns
    -------
    tensor
        Scalar. The label does not enter: it has been averaged over.

    Examples
    --------
    >>> alice(torch.zeros(1), torch.ones(1), torch.ones(1))  # log 2
    tensor(0.6931)
    """
    _check(log_ratio, label=label, joint_log_ratio=joint_log_ratio)
    return binary_cross_entropy_with_logits(log_ratio, torch.sigmoid(joint_log_ratio))


def cascal(log_ratio, label, joint_log_ratio=None, score=None, joint_score=None, alpha=1.0):
    """`carl` with the score, plus alpha y (t - t_xz)^2: arXiv:1805.00020.

    Parameters
    ----------
    log_ratio, label, joint_log_ratio, score, joint_score, alpha
        As for `carl`, which also says what raises a ValueError.

    Returns
    -------
    tensor
        Scalar.

    Examples
    --------
    >>> zero, one = torch.zeros(1), torch.ones(1)
    >>> cascal(zero, one, None, zero[:, None], 2 * one[:, None], alpha=0.5)  # log 2 + 0.5 * 4
    tensor(2.6931)
    """
    return carl(log_ratio, label) + alpha * _score_term(label, score, joint_score)


def rascal(log_ratio, label, joint_log_ratio=None, score=None, joint_score=None, alpha=1.0):
    """`rolr` with the score, plus alpha y (t - t_xz)^2: arXiv:1805.00020.

    Parameters
    ----------
    log_ratio, label, joint_log_ratio, score, joint_score, alpha
        As for `carl`, which also says what raises a ValueError.

    Returns
    -------
    tensor
        Scalar.

    Examples
    --------
    >>> zero, one = torch.zeros(1), torch.ones(1)
    >>> rascal(zero, one, zero, zero[:, None], 2 * one[:, None], alpha=0.5)
    tensor(2.)
    """
    return rolr(log_ratio, label, joint_log_ratio) + alpha * _score_term(label, score, joint_score)


def alices(log_ratio, label, joint_log_ratio=None, score=None, joint_score=None, alpha=1.0):
    """`alice` with the score, plus alpha y (t - t_xz)^2: arXiv:1808.00973.

    Parameters
    ----------
    log_ratio, label, joint_log_ratio, score, joint_score, alpha
        As for `carl`, which also says what raises a ValueError.

    Returns
    -------
    tensor
        Scalar.

    Examples
    --------
    >>> zero, one = torch.zeros(1), torch.ones(1)
    >>> alices(zero, one, zero, zero[:, None], 2 * one[:, None], alpha=0.5)
    tensor(2.6931)
    """
    return alice(log_ratio, label, joint_log_ratio) + alpha * _score_term(label, score, joint_score)


def sally(score, joint_score):
    """Squared error of the score at one point: score approximates likelihood locally, arXiv:1805.00020.

    Parameters
    ----------
    score, joint_score : tensor (n, p)
        The network's and the joint one, of events drawn at the point where the score is taken.

    Returns
    -------
    tensor
        Scalar.

    Raises
    ------
    ValueError
        If shapes differ.

    Examples
    --------
    >>> sally(torch.zeros(1, 2), torch.tensor([[1.0, 3.0]]))
    tensor(5.)
    """
    check_array("score", score, ("n", "parameters"), finite=False)
    check_same_shape(score=score, joint_score=joint_score)
    return mse_loss(score, joint_score)


def scandal(log_density, score, joint_score, alpha=1.0):
    """Negative log-likelihood of a density estimator with the score: arXiv:1805.00020.

    Parameters
    ----------
    log_density : tensor (n,)
        The network's log p(x|theta) of events drawn at theta.
    score, joint_score : tensor (n, p)
        Its gradient in theta and the joint score.
    alpha : float
        Weight of the score term.

    Returns
    -------
    tensor
        Scalar.

    Raises
    ------
    ValueError
        If shapes differ.

    Examples
    --------
    >>> scandal(torch.tensor([-2.0]), torch.zeros(1, 1), torch.ones(1, 1), alpha=0.5)
    tensor(2.5000)
    """
    check_array("log_density", log_density, (len(score),), finite=False)
    return alpha * sally(score, joint_score) - log_density.mean()


#: Losses of a ratio by name.
LOSSES = {"carl": carl, "rolr": rolr, "alice": alice, "cascal": cascal, "rascal": rascal, "alices": alices}

#: Names of the losses that need the network's score.
SCORE_TERM = ("cascal", "rascal", "alices")
