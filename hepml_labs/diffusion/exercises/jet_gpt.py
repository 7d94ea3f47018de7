"""Exercises of the lab "JetGPT: jets one after the other"."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from hepml_labs.diffusion.jet_gpt import causal_mask
from hepml_labs.teaching import Exercise, Mistake


def jet_ratios(counts):
    """Ratios of neighbouring jet multiplicities with their statistical errors.

    Parameters
    ----------
    counts : array of shape (k,)
        Numbers of events with n, n + 1, ... jets, all above zero.

    Returns
    -------
    ratio, error : array of shape (k - 1,)
        counts[n + 1] / counts[n] and its Poisson error.

    Examples
    --------
    >>> ratio, error = jet_ratios(np.array([400.0, 100.0]))
    >>> ratio, error.round(4)
    (array([0.25]), array([0.028]))
    """
    ratio = counts[1:] / counts[:-1]
    return ratio, ratio * np.sqrt(1 / counts[1:] + 1 / counts[:-1])


def event_log_likelihood(log_kinematics, split_logit, number):
    """Log-likelihood of events with their own numbers of jets.

    Parameters
    ----------
    log_kinematics : tensor of shape (n, rows)
        log p_kin of each jet given those before; arbitrary in the padding.
    split_logit : tensor of shape (n, rows + 1)
        Logit of p_split after 0, 1, ... rows jets.
    number : tensor of shape (n,)
        Jets of each event.

    Returns
    -------
    tensor of shape (n,)

    Examples
    --------
    >>> event_log_likelihood(torch.zeros(1, 2), torch.zeros(1, 3), torch.tensor([1])).exp()
    tensor([0.2500])
    """
    row = torch.arange(log_kinematics.shape[1])
    real = row < number[:, None]
    jets = torch.where(real, log_kinematics + F.logsigmoid(split_logit[:, :-1]), 0.0).sum(1)
    last = split_logit.gather(1, number[:, None])[:, 0]
    return jets + F.logsigmoid(-last)


def mixture_log_density(x, logits, mean, log_sigma):
    """Logarithm of a mixture of Gaussians.

    Parameters
    ----------
    x : tensor of shape (n,)
        Where.
    logits, mean, log_sigma : tensor of shape (n, components)
        Weights before the softmax, means, and logarithms of the widths.

    Returns
    -------
    tensor of shape (n,)

    Examples
    --------
    >>> zero = torch.zeros(1, 4)
    >>> mixture_log_density(torch.zeros(1), zero, zero, zero)  # -log(2 pi) / 2
    tensor([-0.9189])
    """
    log_weight = logits.log_softmax(-1)
    pull = (x[:, None] - mean) * torch.exp(-log_sigma)
    return (log_weight - 0.5 * pull**2 - log_sigma - 0.5 * math.log(2 * math.pi)).logsumexp(-1)


def causal_weights(score):
    """Attention weights by which each row looks at itself and the rows before it.

    Parameters
    ----------
    score : tensor of shape (n, rows, rows)
        Entry (i, j): how much row i would like to look at row j.

    Returns
    -------
    tensor of shape (n, rows, rows)
        Zero for j > i; the weights of each row i sum to one.

    Examples
    --------
    >>> causal_weights(torch.zeros(1, 2, 2))
    tensor([[[1.0000, 0.0000],
             [0.5000, 0.5000]]])
    """
    return score.masked_fill(~causal_mask(score.shape[-1], score.device), -math.inf).softmax(-1)


def _count_inputs(rng):
    return (rng.integers(5, 500, size=6).astype(float),)


def _event_inputs(rng):
    kinematics = torch.from_numpy(rng.normal(-2, 1, size=(7, 4))).float()
    logit = torch.from_numpy(rng.normal(0, 1.5, size=(7, 5))).float()
    # all numbers from none to all rows
    return kinematics, logit, torch.from_numpy(rng.permutation([0, 1, 2, 3, 4, 4, 2]))


def _mixture_inputs(rng):
    x = torch.from_numpy(rng.normal(0, 3, size=6)).float()
    logits, mean, log_sigma = (torch.from_numpy(rng.normal(size=(6, 3))).float() for _ in range(3))
    return x, logits, mean, 0.5 * log_sigma


def _score_inputs(rng):
    return (torch.from_numpy(rng.normal(size=(3, 4, 4))).float(),)


def _real(kinematics, number):
    return torch.arange(kinematics.shape[1]) < number[:, None]


def _no_stop(kinematics, logit, number):
    return torch.where(_real(kinematics, number), kinematics + F.logsigmoid(logit[:, :-1]), 0.0).sum(1)


EXERCISES = [
    Exercise(
        name="diffusion.jet_ratios",
        reference=jet_ratios,
        inputs=_count_inputs,
        mistakes=(
            Mistake(
                "The ratio is upside down: events with one jet more are in the numerator.",
                lambda counts: (
                    (ratio := counts[:-1] / counts[1:]),
                    ratio * np.sqrt(1 / counts[1:] + 1 / counts[:-1]),
                ),
            ),
            Mistake(
                "Both counts fluctuate: add their relative errors in quadrature.",
                lambda counts: ((ratio := counts[1:] / counts[:-1]), ratio / np.sqrt(counts[1:])),
            ),
            Mistake(
                "This is the relative error. Multiply by the ratio.",
                lambda counts: (counts[1:] / counts[:-1], np.sqrt(1 / counts[1:] + 1 / counts[:-1])),
            ),
        ),
        hints=(
            "A count N has the error sqrt(N), the relative error 1 / sqrt(N).",
            "For a ratio of independent counts the relative errors add in quadrature.",
            "ratio = counts[1:] / counts[:-1]; error = ratio * np.sqrt(1 / counts[1:] + 1 / counts[:-1])",
        ),
    ),
    Exercise(
        name="diffusion.event_log_likelihood",
        reference=event_log_likelihood,
        inputs=_event_inputs,
        mistakes=(
            Mistake(
                "The event ends: the factor 1 - p_split after its last jet is missing.",
                _no_stop,
            ),
            Mistake(
                "Padding is no jet: leave out the rows from `number` on.",
                lambda kinematics, logit, number: (
                    (kinematics + F.logsigmoid(logit[:, :-1])).sum(1)
                    + F.logsigmoid(-logit.gather(1, number[:, None])[:, 0])
                ),
            ),
            Mistake(
                "The decision for jet i is taken after i - 1 jets: your p_split is one place late.",
                lambda kinematics, logit, number: (
                    torch.where(_real(kinematics, number), kinematics + F.logsigmoid(logit[:, 1:]), 0.0).sum(1)
                    + F.logsigmoid(-logit.gather(1, number[:, None])[:, 0])
                ),
            ),
            Mistake(
                "Each real jet needs its p_split as well as its p_kin.",
                lambda kinematics, logit, number: (
                    torch.where(_real(kinematics, number), kinematics, 0.0).sum(1)
                    + F.logsigmoid(-logit.gather(1, number[:, None])[:, 0])
                ),
            ),
            Mistake(
                "The last factor is 1 - p_split, the probability to stop; you multiply with p_split.",
                lambda kinematics, logit, number: (
                    _no_stop(kinematics, logit, number) + F.logsigmoid(logit.gather(1, number[:, None])[:, 0])
                ),
            ),
        ),
        hints=(
            "Three factors: p_kin of each real jet, p_split before each real jet, 1 - p_split after the last.",
            "log p_split = logsigmoid(logit) and log(1 - p_split) = logsigmoid(-logit). The logit after `number` jets: "
            "split_logit.gather(1, number[:, None]).",
            "real = torch.arange(rows) < number[:, None]; torch.where(real, log_kinematics + "
            "F.logsigmoid(split_logit[:, :-1]), 0).sum(1) + F.logsigmoid(-last)",
        ),
    ),
    Exercise(
        name="diffusion.mixture_log_density",
        reference=mixture_log_density,
        inputs=_mixture_inputs,
        mistakes=(
            Mistake(
                "The weights of the components must sum to one: log_softmax of the logits.",
                lambda x, logits, mean, log_sigma: (
                    logits
                    - 0.5 * ((x[:, None] - mean) / log_sigma.exp()) ** 2
                    - log_sigma
                    - 0.5 * math.log(2 * math.pi)
                ).logsumexp(-1),
            ),
            Mistake(
                "A narrow Gaussian is high: the - log sigma of its normalisation is missing.",
                lambda x, logits, mean, log_sigma: (
                    logits.log_softmax(-1)
                    - 0.5 * ((x[:, None] - mean) / log_sigma.exp()) ** 2
                    - 0.5 * math.log(2 * math.pi)
                ).logsumexp(-1),
            ),
            Mistake(
                "This is the weighted mean of the logarithms, the logarithm of a product. A mixture is a sum.",
                lambda x, logits, mean, log_sigma: (
                    logits.softmax(-1)
                    * (-0.5 * ((x[:, None] - mean) / log_sigma.exp()) ** 2 - log_sigma - 0.5 * math.log(2 * math.pi))
                ).sum(-1),
            ),
            Mistake(
                "The constant log(2 pi) / 2 is missing: the density does not integrate to one.",
                lambda x, logits, mean, log_sigma: (
                    logits.log_softmax(-1) - 0.5 * ((x[:, None] - mean) / log_sigma.exp()) ** 2 - log_sigma
                ).logsumexp(-1),
            ),
            Mistake(
                "`log_sigma` is the logarithm of the width: take its exponential before you divide by it.",
                lambda x, logits, mean, log_sigma: (
                    logits.log_softmax(-1)
                    - 0.5 * ((x[:, None] - mean) / log_sigma) ** 2
                    - log_sigma
                    - 0.5 * math.log(2 * math.pi)
                ).logsumexp(-1),
            ),
        ),
        hints=(
            "p(x) = sum_k w_k N(x; mean_k, sigma_k). Work with the logarithm of each term.",
            "log of a sum of exponentials: .logsumexp(-1), which cannot overflow. Weights: logits.log_softmax(-1).",
            "(log_weight - 0.5 * ((x[:, None] - mean) / sigma)**2 - log_sigma - 0.5 * log(2 pi)).logsumexp(-1)",
        ),
    ),
    Exercise(
        name="diffusion.causal_weights",
        reference=causal_weights,
        inputs=_score_inputs,
        mistakes=(
            Mistake(
                "Rows look at later rows: nothing is masked. A generator would see the jets that it has yet to make.",
                lambda score: score.softmax(-1),
            ),
            Mistake(
                "The mask is turned round: each row looks at itself and the later ones.",
                lambda score: score.masked_fill(causal_mask(score.shape[-1]).T.logical_not(), -math.inf).softmax(-1),
            ),
            Mistake(
                "Masked after the softmax: the weights of a row no longer sum to one, and their sum still knows the "
                "later rows. Mask before, with minus infinity.",
                lambda score: score.softmax(-1) * causal_mask(score.shape[-1]),
            ),
            Mistake(
                "A score of zero is not a weight of zero: exp(0) = 1. Mask with minus infinity.",
                lambda score: (score * causal_mask(score.shape[-1])).softmax(-1),
            ),
            Mistake(
                "The weights of each row i sum to one over j, the last axis.",
                lambda score: score.masked_fill(~causal_mask(score.shape[-1]), -math.inf).softmax(-2),
            ),
        ),
        hints=(
            "A weight is zero where its score is minus infinity before the softmax.",
            "torch.ones(rows, rows, dtype=torch.bool).tril() is True for j <= i.",
            "score.masked_fill(~mask, -math.inf).softmax(-1)",
        ),
    ),
]
