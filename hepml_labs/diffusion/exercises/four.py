"""Exercises of the lab "Four generators"."""

import math

import numpy as np
import torch
from torch.nn import functional

from hepml_labs.diffusion.adversarial import critic_loss, generator_loss
from hepml_labs.diffusion.variational import kl_to_standard_normal, reparametrise
from hepml_labs.teaching import Exercise, Mistake


def evidence_bound(x, decoded, log_noise, mean, log_sigma):
    """Evidence lower bound of a variational autoencoder with a Gaussian decoder, averaged over events.

    Parameters
    ----------
    x, decoded : tensor, (n, d)
        Data, and the decoder's means for one latent point of each event.
    log_noise : tensor, (d,)
        Logarithm of the decoder's noise.
    mean, log_sigma : tensor, (n, k)
        What the encoder says about the latent variables.

    Returns
    -------
    tensor, ()
        Mean of log p(x|z) - KL(q(z|x) || N(0, 1)), in nats.

    Examples
    --------
    >>> zero = torch.zeros(1, 1)
    >>> evidence_bound(zero, zero, torch.zeros(1), zero, zero)  # log N(0; 0, 1)
    tensor(-0.9189)
    """
    pull = (x - decoded) / log_noise.exp()
    reconstruction = -(0.5 * pull**2 + log_noise + 0.5 * math.log(2 * math.pi)).sum(1)
    return (reconstruction - kl_to_standard_normal(mean, log_sigma).sum(1)).mean()


def adversarial_losses(real, generated):
    """Losses of critic and generator in the non-saturating game.

    Parameters
    ----------
    real, generated : tensor, (n,)
        Logits of the critic for real and for generated events.

    Returns
    -------
    tuple of tensors, () and ()
        Mean binary cross-entropy of the critic, and mean of -log D(G(z)) of the generator.

    Examples
    --------
    >>> adversarial_losses(torch.zeros(3), torch.zeros(3))  # 2 log 2 and log 2
    (tensor(1.3863), tensor(0.6931))
    """
    return critic_loss(real, generated).mean(), generator_loss(generated).mean()


def interpolate(first, second, steps):
    """Path between two draws of a standard normal whose points are all typical draws.

    Parameters
    ----------
    first, second : array, (k,)
        Independent standard normal numbers.
    steps : int
        Points on the path, both ends included.

    Returns
    -------
    array, (steps, k)
        cos(a) first + sin(a) second with a from 0 to pi/2 in equal steps: of unit variance for each a.

    Examples
    --------
    >>> interpolate(np.array([1.0, 0.0]), np.array([0.0, 1.0]), 3).round(3)
    array([[1.   , 0.   ],
           [0.707, 0.707],
           [0.   , 1.   ]])
    """
    angle = np.linspace(0, np.pi / 2, steps)[:, None]
    return np.cos(angle) * first + np.sin(angle) * second


def _normal(rng, *shape, gradient=False):
    return torch.tensor(rng.normal(size=shape), requires_grad=gradient)


def _reparametrise_inputs(rng):
    through_mean = bool(rng.integers(2))  # one at a time, so that cutting either of them off is seen
    mean, log_sigma = _normal(rng, 5, 3, gradient=through_mean), _normal(rng, 5, 3, gradient=not through_mean)
    return mean, log_sigma, _normal(rng, 5, 3)


def _bound_inputs(rng):
    return tuple(_normal(rng, *shape) for shape in ((6, 3), (6, 3), (3,), (6, 2), (6, 2)))


def _logit_inputs(rng):
    return 2 * _normal(rng, 7) + 1, 2 * _normal(rng, 7) - 1


def _interpolation_inputs(rng):
    return rng.normal(size=4), rng.normal(size=4), int(rng.integers(5, 9))


def _bound_with(reconstruction=lambda pull, log_noise: 0.5 * pull**2 + log_noise, kl=kl_to_standard_normal, sign=-1):
    """Make a wrong bound out of the right one."""

    def bound(x, decoded, log_noise, mean, log_sigma):
        pull = (x - decoded) / log_noise.exp()
        term = -(reconstruction(pull, log_noise) + 0.5 * math.log(2 * math.pi)).sum(1)
        return (term + sign * kl(mean, log_sigma).sum(1)).mean()

    return bound


EXERCISES = [
    Exercise(
        name="diffusion.reparametrise",
        reference=reparametrise,
        inputs=_reparametrise_inputs,
        trials=12,
        mistakes=(
            Mistake("The network gives the logarithm of sigma: take the exponential.", lambda m, s, e: m + s * e),
            Mistake(
                "This has the right variance for log sigma = log of the variance.",
                lambda m, s, e: m + (s / 2).exp() * e,
            ),
            Mistake("Dividing by sigma standardises. You want the way back.", lambda m, s, e: (e - m) / s.exp()),
        ),
        hints=(
            "Which operation turns a standard normal number into one of mean m and width sigma?",
            "Multiply by sigma, add the mean. Sigma is exp(log_sigma).",
            "mean + log_sigma.exp() * noise",
        ),
    ),
    Exercise(
        name="diffusion.evidence_bound",
        reference=evidence_bound,
        inputs=_bound_inputs,
        mistakes=(
            Mistake("The divergence is subtracted: a code far from the prior costs.", _bound_with(sign=1)),
            Mistake(
                "The norm of the Gaussian is missing. Without it an infinite noise would be the best.",
                _bound_with(lambda pull, log_noise: 0.5 * pull**2),
            ),
            Mistake(
                "The exponent of a Gaussian is half the squared pull.",
                _bound_with(lambda pull, log_noise: pull**2 + log_noise),
            ),
            Mistake(
                "The variance in the divergence is exp(2 log_sigma).",
                _bound_with(kl=lambda m, s: 0.5 * (m**2 + s.exp() - 1) - s),
            ),
            Mistake(
                "Without the divergence nothing keeps the codes near the prior, and you could not sample.",
                _bound_with(sign=0),
            ),
            Mistake(
                "This is the loss, minus the bound.",
                lambda *given: -evidence_bound(*given),
            ),
        ),
        hints=(
            "Two terms: the log-density of the data in the decoder's Gaussian, minus the divergence of the code.",
            "Sum over features in the first and over latent directions in the second, then average over events. "
            "KL = (mean^2 + sigma^2 - 1) / 2 - log sigma.",
            "-(0.5 * ((x - decoded) / log_noise.exp())**2 + log_noise + 0.5 * log(2 pi)).sum(1), minus "
            "(0.5 * (mean**2 + (2 * log_sigma).exp() - 1) - log_sigma).sum(1), and the mean of that.",
        ),
    ),
    Exercise(
        name="diffusion.adversarial_losses",
        reference=adversarial_losses,
        inputs=_logit_inputs,
        mistakes=(
            Mistake(
                "The critic's labels are exchanged: its logit must rise for real events.",
                lambda real, generated: adversarial_losses(-real, -generated),
            ),
            Mistake(
                "The generator minimises log(1 - D) here. That is the saturating game: no gradient where it loses.",
                lambda real, generated: (
                    adversarial_losses(real, generated)[0],
                    -functional.softplus(generated).mean(),
                ),
            ),
            Mistake(
                "The generator must make its events look real: minimise -log D(G(z)).",
                lambda real, generated: (
                    adversarial_losses(real, generated)[0],
                    functional.softplus(generated).mean(),
                ),
            ),
            Mistake(
                "The critic sees real and generated events: two terms.",
                lambda real, generated: (functional.softplus(-real).mean(), functional.softplus(-generated).mean()),
            ),
            Mistake(
                "These are the losses of the Wasserstein game. Here the critic is a classifier.",
                lambda real, generated: (generated.mean() - real.mean(), -generated.mean()),
            ),
        ),
        hints=(
            "D = sigmoid(logit). The critic minimises the binary cross-entropy, real events have the label 1.",
            "-log sigmoid(t) = softplus(-t) and -log(1 - sigmoid(t)) = softplus(t).",
            "softplus(-real).mean() + softplus(generated).mean() for the critic, softplus(-generated).mean() for the "
            "generator.",
        ),
    ),
    Exercise(
        name="diffusion.interpolate",
        reference=interpolate,
        inputs=_interpolation_inputs,
        mistakes=(
            Mistake(
                "On a straight line the variance in the middle is 1/2: the points leave the shell of typical draws.",
                lambda a, b, n: a + np.linspace(0, 1, n)[:, None] * (b - a),
            ),
            Mistake("The path runs from the second point to the first.", lambda a, b, n: interpolate(b, a, n)),
            Mistake(
                "The angle ends at pi/2, where the sine is one.",
                lambda a, b, n: (
                    np.cos(np.linspace(0, np.pi, n))[:, None] * a + np.sin(np.linspace(0, np.pi, n))[:, None] * b
                ),
            ),
            Mistake(
                "One row for each step, one column for each latent direction.", lambda a, b, n: interpolate(a, b, n).T
            ),
            Mistake("Both ends belong to the path.", lambda a, b, n: interpolate(a, b, n + 1)[:-1]),
        ),
        hints=(
            "For independent draws the variance of c a + s b is c^2 + s^2. Keep it at one.",
            "Cosine and sine of an angle that goes from 0 to pi/2.",
            "angle = np.linspace(0, np.pi / 2, steps)[:, None]; np.cos(angle) * first + np.sin(angle) * second",
        ),
    ),
]
