"""Exercises of the lab "What each estimator learns"."""

from itertools import pairwise

import numpy as np
import torch

from hepml_labs.sbi.losses import alice, rolr
from hepml_labs.teaching import Exercise, Mistake


def chain_log_ratio(x, z, theta, reference, latent_width):
    """Joint log-likelihood ratio of the chain theta -> z -> x, with z ~ N(theta, latent_width).

    Parameters
    ----------
    x, z : array of shape (n,)
        Observable and latent variable.
    theta : array of shape (n,)
        Parameter of the numerator, one for each event.
    reference : float
        Parameter of the denominator.
    latent_width : float
        Width of the hard process.

    Returns
    -------
    array of shape (n,)

    Examples
    --------
    >>> chain_log_ratio(np.array([9.0]), np.array([3.0]), np.array([2.0]), 0.0, 2.0)
    array([1.])
    """
    return ((z - reference) ** 2 - (z - theta) ** 2) / (2 * latent_width**2)


def chain_score(x, z, theta, latent_width):
    """Joint score of the chain, the derivative of log p(x, z|theta) by theta.

    Parameters
    ----------
    x, z, theta : array of shape (n,)
        Observable, latent variable and parameter.
    latent_width : float
        Width of the hard process.

    Returns
    -------
    array of shape (n,)

    Examples
    --------
    >>> chain_score(np.array([9.0]), np.array([3.0]), np.array([1.0]), 2.0)
    array([0.5])
    """
    return (z - theta) / latent_width**2


def mean_pulls(x, values, edges):
    """Mean of the values in each bin of x, in units of its standard error: zero with a spread of one if all is well.

    Parameters
    ----------
    x, values : array of shape (n,)
        Where each event lies, and what shall average to zero there.
    edges : array of shape (bins + 1,)
        Edges of the bins; each bin holds two events or more.

    Returns
    -------
    array of shape (bins,)

    Examples
    --------
    >>> mean_pulls(np.array([0.1, 0.2, 0.7, 0.8]), np.array([1.0, 3.0, -1.0, 1.0]), np.array([0.0, 0.5, 1.0]))
    array([2., 0.])
    """
    bins = [values[(x >= low) & (x < high)] for low, high in pairwise(edges)]
    return np.array([inside.mean() / (inside.std(ddof=1) / np.sqrt(len(inside))) for inside in bins])


def _chain_inputs(rng):
    theta = rng.uniform(-3, 3, size=8)
    width = float(rng.uniform(1.3, 2.5))
    z = rng.normal(theta, width)
    return rng.normal(z, 1.0), z, theta, float(rng.uniform(0.5, 1.5)), width


def _score_inputs(rng):
    x, z, theta, _, width = _chain_inputs(rng)
    return x, z, theta, width


def _loss_inputs(rng):
    label = torch.from_numpy((rng.permutation(9) < 4).astype(float))
    return torch.from_numpy(1.3 * rng.normal(size=9)), label, torch.from_numpy(1.3 * rng.normal(size=9))


def _pull_inputs(rng):
    sizes = rng.integers(5, 12, size=4)
    x = np.concatenate([k + rng.uniform(0.05, 0.95, size=size) for k, size in enumerate(sizes)])
    order = rng.permutation(len(x))
    outside = np.array([-0.5, 4.5])  # events beyond the bins belong to none
    values = rng.normal(0.7, 1.5, size=len(x))
    return np.append(x[order], outside), np.append(values, [30.0, -20.0]), np.arange(5.0)


def _pulls(x, values, edges, pull):
    return np.array([pull(values[(x >= a) & (x < b)]) for a, b in pairwise(edges)])


EXERCISES = [
    Exercise(
        name="sbi.chain_log_ratio",
        reference=chain_log_ratio,
        inputs=_chain_inputs,
        mistakes=(
            Mistake(
                "The sign is turned: theta belongs into the numerator, so the ratio is large where z is near theta.",
                lambda x, z, t, r, s: -chain_log_ratio(x, z, t, r, s),
            ),
            Mistake(
                "The Gaussian has exp(-(z - theta)^2 / 2 s^2): the 2 is missing.",
                lambda x, z, t, r, s: 2 * chain_log_ratio(x, z, t, r, s),
            ),
            Mistake(
                "The width enters squared.",
                lambda x, z, t, r, s: s * chain_log_ratio(x, z, t, r, s),
            ),
            Mistake(
                "Only the hard process knows theta, and it makes z. Where you wrote x, z belongs.",
                lambda x, z, t, r, s: chain_log_ratio(x, x, t, r, s),
            ),
            Mistake(
                "A ratio has a denominator as well: p(z|reference).",
                lambda x, z, t, r, s: -((z - t) ** 2) / (2 * s**2),
            ),
            Mistake(
                "This is the ratio. The logarithm is asked.",
                lambda x, z, t, r, s: np.exp(chain_log_ratio(x, z, t, r, s)),
            ),
        ),
        hints=(
            "p(x, z|theta) = p(x|z) p(z|theta). Which of the factors is the same in numerator and denominator?",
            "What remains is p(z|theta) / p(z|reference), two Gaussians of one width: norms cancel as well.",
            "((z - reference) ** 2 - (z - theta) ** 2) / (2 * latent_width**2)",
        ),
    ),
    Exercise(
        name="sbi.chain_score",
        reference=chain_score,
        inputs=_score_inputs,
        mistakes=(
            Mistake(
                "p(x|z) does not know theta, p(z|theta) does. So the derivative contains z, not x. "
                "(MadMiner's tutorial made the same mistake; below you will see what follows from it.)",
                lambda x, z, t, s: (x - t) / s**2,
            ),
            Mistake(
                "The sign is turned: with z above theta the likelihood grows with theta.",
                lambda x, z, t, s: (t - z) / s**2,
            ),
            Mistake("The width enters squared.", lambda x, z, t, s: (z - t) / s),
            Mistake(
                "This is log p(z|theta) without its norm. Take the derivative by theta.",
                lambda x, z, t, s: -((z - t) ** 2) / (2 * s**2),
            ),
            Mistake(
                "The square brings a factor two down, the one half takes it away.",
                lambda x, z, t, s: 2 * (z - t) / s**2,
            ),
        ),
        hints=(
            "Write down log p(x|z) + log p(z|theta). Which of the terms depends on theta?",
            "It is the derivative of -(z - theta)^2 / (2 s^2) by theta.",
            "(z - theta) / latent_width**2",
        ),
    ),
    Exercise(
        name="sbi.alice",
        reference=alice,
        inputs=_loss_inputs,
        mistakes=(
            Mistake(
                "This is CARL: the label is still in. The gold says with which probability it is one; take that.",
                lambda f, y, j: torch.nn.functional.binary_cross_entropy_with_logits(f, y),
            ),
            Mistake(
                "The probability is that of the denominator: 1/(1 + r) instead of r/(1 + r).",
                lambda f, y, j: alice(f, y, -j),
            ),
            Mistake(
                "Exchanged: the network's output is f, the target comes from the joint ratio.",
                lambda f, y, j: alice(j, y, f),
            ),
            Mistake(
                "The target is a probability between 0 and 1, not the joint ratio itself.",
                lambda f, y, j: (torch.nn.functional.softplus(f) - j.exp() * f).mean(),
            ),
            Mistake("The loss is a mean over the events, not a sum.", lambda f, y, j: len(f) * alice(f, y, j)),
            Mistake(
                "Both terms of the cross-entropy are needed, that of the numerator and that of the denominator.",
                lambda f, y, j: -(torch.sigmoid(j) * torch.nn.functional.logsigmoid(f)).mean(),
            ),
        ),
        hints=(
            "The cross-entropy is -s log(s_hat) - (1 - s) log(1 - s_hat), with s = P(y = 1|x, z) in place of y.",
            "s = torch.sigmoid(joint_log_ratio), and s_hat = torch.sigmoid(log_ratio).",
            "torch.nn.functional.binary_cross_entropy_with_logits(log_ratio, torch.sigmoid(joint_log_ratio))",
        ),
    ),
    Exercise(
        name="sbi.rolr",
        reference=rolr,
        inputs=_loss_inputs,
        mistakes=(
            Mistake(
                "The labels are exchanged: <r(x, z)> is r(x) over events of the reference, label 0.",
                lambda f, y, j: rolr(f, 1 - y, j),
            ),
            Mistake(
                "This is regression on the logarithm. The mean of log r(x, z) is not log r(x).",
                lambda f, y, j: ((f - j) ** 2).mean(),
            ),
            Mistake(
                "Events of the numerator must learn the inverse, 1/r: only this averages to the truth over them.",
                lambda f, y, j: ((f.exp() - j.exp()) ** 2).mean(),
            ),
            Mistake(
                "The term of the numerator is missing.",
                lambda f, y, j: ((1 - y) * (f.exp() - j.exp()) ** 2).mean(),
            ),
            Mistake(
                "The error is squared, not its absolute value: the absolute value would give the median.",
                lambda f, y, j: (torch.exp((1 - 2 * y) * f) - torch.exp((1 - 2 * y) * j)).abs().mean(),
            ),
            Mistake("The loss is a mean over the events, not a sum.", lambda f, y, j: len(f) * rolr(f, y, j)),
        ),
        hints=(
            "Label 0: the squared error of the ratio. Label 1: the squared error of its inverse.",
            "(r_hat - r)^2 with r = torch.exp(joint_log_ratio) for label 0, (1/r_hat - 1/r)^2 for label 1.",
            "sign = 1 - 2 * label, then (torch.exp(sign * log_ratio) - torch.exp(sign * joint_log_ratio)) ** 2, "
            "averaged.",
        ),
    ),
    Exercise(
        name="sbi.mean_pulls",
        reference=mean_pulls,
        inputs=_pull_inputs,
        mistakes=(
            Mistake(
                "This is the mean itself. Divide by its standard error.",
                lambda x, v, e: _pulls(x, v, e, lambda c: c.mean()),
            ),
            Mistake(
                "You divide by the spread of the events. The mean of N events is known better, by the root of N.",
                lambda x, v, e: _pulls(x, v, e, lambda c: c.mean() / c.std(ddof=1)),
            ),
            Mistake(
                "The standard error falls with the root of N, not with N.",
                lambda x, v, e: _pulls(x, v, e, lambda c: c.mean() / c.std(ddof=1) * len(c)),
            ),
            Mistake(
                "Nearly: the variance from a sample takes N - 1 (ddof=1), since the mean is from the same events.",
                lambda x, v, e: _pulls(x, v, e, lambda c: c.mean() / c.std() * np.sqrt(len(c))),
            ),
            Mistake(
                "Bins of x are asked, with the edges given. This pools all events.",
                lambda x, v, e: np.full(len(e) - 1, v.mean() / v.std(ddof=1) * np.sqrt(len(v))),
            ),
        ),
        hints=(
            "For each bin take the values of its events: values[(x >= low) & (x < high)].",
            "Their mean has the standard error std(ddof=1) / sqrt(N).",
            "Return np.array of inside.mean() / (inside.std(ddof=1) / np.sqrt(len(inside))) for all bins.",
        ),
    ),
]
