"""Exercises of the lab "Fits and losses"."""

import math

import torch

from hepml_labs.regression import losses
from hepml_labs.regression.preprocessing import mean_from_log
from hepml_labs.teaching import Exercise, Mistake


def _tensor(array):
    return torch.from_numpy(array)


def _pair(rng):
    """Prediction and target of seven points, both signs of the residual."""
    return _tensor(rng.normal(0, 2, 7)).requires_grad_(), _tensor(rng.normal(0, 2, 7))


def _chi_squared_inputs(rng):
    return *_pair(rng), _tensor(rng.uniform(0.3, 3, 7))


def _quantile_inputs(rng):
    return *_pair(rng), float(rng.choice([0.16, 0.3, 0.84]))


def _gaussian_inputs(rng):
    mean, target = _pair(rng)
    return mean, _tensor(rng.normal(0, 0.7, 7)).requires_grad_(), target


def _mixture_inputs(rng):
    log_weights = _tensor(rng.normal(size=(7, 3))).log_softmax(-1)
    means, log_sigmas = _tensor(rng.normal(0, 2, (7, 3))), _tensor(rng.uniform(-1, 0, (7, 3)))
    target = rng.normal(0, 2, 7)
    target[0] = 60.0  # more than forty standard deviations away: exp() of its log-density is zero
    return log_weights, means.requires_grad_(), log_sigmas.requires_grad_(), _tensor(target)


def _log_inputs(rng):
    return _tensor(rng.normal(0, 2, 7)).requires_grad_(), _tensor(rng.normal(-0.5, 0.6, 7))


def _log_gaussians(means, log_sigmas, target):
    standardized = (target[:, None] - means) / log_sigmas.exp()
    return -0.5 * standardized**2 - log_sigmas - 0.5 * math.log(2 * math.pi)


def _quantile(residual, level):
    return torch.maximum(level * residual, (level - 1) * residual)


EXERCISES = [
    Exercise(
        name="regression.chi_squared",
        reference=losses.chi_squared,
        inputs=_chi_squared_inputs,
        mistakes=(
            Mistake(
                "You divide by sigma and not by its square. Check the units: an exponent has none.",
                lambda f, y, s: (0.5 * (y - f) ** 2 / s).mean(),
            ),
            Mistake(
                "The factor 1/2 of the Gaussian's exponent is missing: the minimum is the same, "
                "but the curvature, and with it the uncertainty of the fit, is not.",
                lambda f, y, s: (((y - f) / s) ** 2).mean(),
            ),
            Mistake(
                "This is the sum over the points. The loss is their mean: chi-squared over 2 N.",
                lambda f, y, s: 0.5 * (((y - f) / s) ** 2).sum(),
            ),
            Mistake(
                "The residual is not squared.",
                lambda f, y, s: 0.5 * ((y - f).abs() / s).mean(),
            ),
            Mistake(
                "Each point has its own sigma: divide before you average, not after.",
                lambda f, y, s: 0.5 * ((y - f) ** 2).mean() / (s**2).mean(),
            ),
            Mistake(
                "Sigma multiplies where it should divide: a precise point must weigh more, not less.",
                lambda f, y, s: 0.5 * (((y - f) * s) ** 2).mean(),
            ),
        ),
        hints=(
            "Write the Gaussian density of one point, take minus its logarithm, and drop what does not depend on "
            "the prediction.",
            "What is left is the squared residual over twice the variance of that point; then average.",
            "`0.5 * (((target - prediction) / sigma) ** 2).mean()`",
        ),
    ),
    Exercise(
        name="regression.quantile_loss",
        reference=losses.quantile_loss,
        inputs=_quantile_inputs,
        mistakes=(
            Mistake(
                "The two sides are exchanged: this is the loss of the level 1 - q. A target above the prediction "
                "must cost q per unit.",
                lambda f, y, q: _quantile(f - y, q).mean(),
            ),
            Mistake("The level is not used: this is the mean absolute error.", lambda f, y, q: (y - f).abs().mean()),
            Mistake(
                "Both sides cost the same: a target below the prediction must cost 1 - q per unit.",
                lambda f, y, q: (q * (y - f).abs()).mean(),
            ),
            Mistake(
                "The loss is negative for targets below the prediction: the slope changes sign there, "
                "the loss does not.",
                lambda f, y, q: torch.where(y > f, q * (y - f), (1 - q) * (y - f)).mean(),
            ),
            Mistake("This is the sum over the points, not the mean.", lambda f, y, q: _quantile(y - f, q).sum()),
            Mistake(
                "The residuals are squared: that gives expectiles and not quantiles.",
                lambda f, y, q: (torch.where(y > f, q, 1 - q) * (y - f) ** 2).mean(),
            ),
        ),
        hints=(
            "For the median both sides cost the same. Which side must cost more, so that 84 % of the targets end up "
            "below the prediction?",
            "With r = target - prediction: q r where r is positive, (q - 1) r where it is negative.",
            "`torch.maximum(level * residual, (level - 1) * residual).mean()`",
        ),
    ),
    Exercise(
        name="regression.gaussian_nll",
        reference=losses.gaussian_nll,
        inputs=_gaussian_inputs,
        mistakes=(
            Mistake(
                "The normalisation of the Gaussian is missing: without log(sigma) the loss falls for ever as sigma "
                "grows.",
                lambda f, s, y: (0.5 * ((y - f) / s.exp()) ** 2).mean(),
            ),
            Mistake(
                "The logarithm of sigma has the wrong sign: a large sigma must cost something.",
                lambda f, s, y: (-s + 0.5 * ((y - f) / s.exp()) ** 2).mean(),
            ),
            Mistake(
                "The second argument is the logarithm of sigma: take its exponential before you divide.",
                lambda f, s, y: (s + 0.5 * ((y - f) / s) ** 2).mean(),
            ),
            Mistake(
                "You treat log_sigma as the logarithm of the variance.",
                lambda f, s, y: (0.5 * s + 0.5 * (y - f) ** 2 / s.exp()).mean(),
            ),
            Mistake(
                "The residual is divided by sigma and not by sigma squared.",
                lambda f, s, y: (s + 0.5 * (y - f) ** 2 / s.exp()).mean(),
            ),
            Mistake(
                "The factor 1/2 in front of the squared residual is missing: sigma would come out too large by the "
                "square root of two.",
                lambda f, s, y: (s + ((y - f) / s.exp()) ** 2).mean(),
            ),
            Mistake(
                "This is the sum over the points, not the mean.",
                lambda f, s, y: (s + 0.5 * ((y - f) / s.exp()) ** 2).sum(),
            ),
        ),
        hints=(
            "Now the factor 1 / (sqrt(2 pi) sigma) in front of the exponential depends on the network: it must stay.",
            "Minus the logarithm of the density is log(sigma) plus the squared residual over 2 sigma^2; leave out "
            "the constant log(2 pi) / 2.",
            "`(log_sigma + 0.5 * ((target - mean) / log_sigma.exp()) ** 2).mean()`",
        ),
    ),
    Exercise(
        name="regression.gaussian_mixture_nll",
        reference=losses.gaussian_mixture_nll,
        inputs=_mixture_inputs,
        mistakes=(
            Mistake(
                "The exponential of a very negative number is zero, and its logarithm minus infinity: use "
                "`torch.logsumexp`, which never leaves the logarithms.",
                lambda w, f, s, y: -(w.exp() * _log_gaussians(f, s, y).exp()).sum(-1).log().mean(),
            ),
            Mistake(
                "The weights are missing.",
                lambda w, f, s, y: -torch.logsumexp(_log_gaussians(f, s, y), dim=-1).mean(),
            ),
            Mistake(
                "The weights are given as logarithms: add them, do not multiply by them.",
                lambda w, f, s, y: -torch.logsumexp(w * _log_gaussians(f, s, y), dim=-1).mean(),
            ),
            Mistake(
                "This is the average of the logarithms and not the logarithm of the average: it asks every component "
                "to describe every event.",
                lambda w, f, s, y: -(w.exp() * _log_gaussians(f, s, y)).sum(-1).mean(),
            ),
            Mistake(
                "The sign is flipped: a likelihood is to be maximised, a loss to be minimised.",
                lambda w, f, s, y: losses.gaussian_mixture_log_prob(w, f, s, y).mean(),
            ),
            Mistake(
                "The sum runs over the events and not over the components.",
                lambda w, f, s, y: -torch.logsumexp(w + _log_gaussians(f, s, y), dim=0).mean(),
            ),
            Mistake(
                "The normalisation of each Gaussian is missing: log(sigma) differs between the components.",
                lambda w, f, s, y: -torch.logsumexp(w + _log_gaussians(f, s, y) + s, dim=-1).mean(),
            ),
            Mistake(
                "Almost: the constant log(2 pi) / 2 is missing. The gradient does not care, but the comparison of "
                "losses below does.",
                lambda w, f, s, y: -losses.gaussian_mixture_log_prob(w, f, s, y).mean() - 0.5 * math.log(2 * math.pi),
            ),
            Mistake(
                "This is the sum over the events, not the mean.",
                lambda w, f, s, y: -losses.gaussian_mixture_log_prob(w, f, s, y).sum(),
            ),
        ),
        hints=(
            "First the logarithm of each Gaussian, shape (events, components): `target[:, None]` lines the target up "
            "with the components.",
            "The logarithm of a product is a sum: add the logarithms of the weights, then `torch.logsumexp` over the "
            "components (dim=-1) is the logarithm of the sum of the exponentials.",
            "`-torch.logsumexp(log_weights + log_gaussians, dim=-1).mean()` with log_gaussians = "
            "-0.5 * ((target[:, None] - means) / log_sigmas.exp()) ** 2 - log_sigmas - 0.5 * math.log(2 * math.pi)",
        ),
        points=2,
        rtol=1e-6,  # the far target dominates the mean, and must not hide the others
    ),
    Exercise(
        name="regression.mean_from_log",
        reference=mean_from_log,
        inputs=_log_inputs,
        mistakes=(
            Mistake(
                "This is the median: the exponential of a mean is not the mean of the exponential.",
                lambda m, s: m.exp() + 0 * s,
            ),
            Mistake(
                "The correction goes the wrong way: the long tail is above, so the mean lies above the median.",
                lambda m, s: (m - (2 * s).exp() / 2).exp(),
            ),
            Mistake("The factor 1/2 in the exponent is missing.", lambda m, s: (m + (2 * s).exp()).exp()),
            Mistake("Sigma is not squared.", lambda m, s: (m + s.exp() / 2).exp()),
            Mistake(
                "The second argument is the logarithm of sigma: take its exponential first.",
                lambda m, s: (m + s**2 / 2).exp(),
            ),
            Mistake("This is still the logarithm of the mean.", lambda m, s: m + (2 * s).exp() / 2),
        ),
        hints=(
            "Complete the square in the integral of exp(l) times a Gaussian in l.",
            "The mean of exp(l) is exp(mean + variance / 2).",
            "`(log_mean + log_sigma.exp() ** 2 / 2).exp()`",
        ),
    ),
]
