"""Exercises of the lab "Diffusion, one step at a time"."""

import torch

from hepml_labs.diffusion.schedules import PREDICTIONS
from hepml_labs.diffusion.steps import posterior
from hepml_labs.teaching import Exercise, Mistake


def noisy_point(x1, eps, alpha_bar):
    """Data after noise has been added, in one go.

    Parameters
    ----------
    x1, eps : tensor, (n, d)
        Data and standard normal noise.
    alpha_bar : tensor, (n,)
        Share of the variance that is still that of the data, alpha^2, in (0, 1).

    Returns
    -------
    tensor, (n, d)

    Examples
    --------
    >>> noisy_point(torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 0.0]]), torch.tensor([0.36]))
    tensor([[1.4000, 1.2000]])
    """
    return alpha_bar.sqrt()[:, None] * x1 + (1 - alpha_bar).sqrt()[:, None] * eps


def velocity_loss(output, x1, eps, alpha, sigma):
    """Mean squared error of a network that predicts v = alpha eps - sigma x_1.

    Parameters
    ----------
    output, x1, eps : tensor, (n, d)
        The network's prediction, the data and the noise.
    alpha, sigma : tensor, (n, 1)

    Returns
    -------
    tensor, ()

    Examples
    --------
    >>> one = torch.ones(1, 1)
    >>> velocity_loss(0 * one, one, 2 * one, 0.8 * one, 0.6 * one).item()  # (1.6 - 0.6)^2
    1.0
    """
    return (output - PREDICTIONS["v"].target(x1, eps, alpha, sigma)).square().mean()


def ancestral_step(x, data, z, here, there):
    """One step of DDPM towards the data.

    Parameters
    ----------
    x, data, z : tensor, (n, d)
        Points, the expected data there, and fresh standard normal noise.
    here, there : tuple of float
        alpha and sigma at the present and at the next time.

    Returns
    -------
    tensor, (n, d)

    Examples
    --------
    >>> one = torch.ones(1, 1)
    >>> ancestral_step(one, 2 * one, 0 * one, (0.6, 0.8), (0.8, 0.6))
    tensor([[1.5156]])
    """
    mean, width = posterior(x, data, here, there)
    return mean + width * z


def guided_score(conditional, anything, guidance):
    """Score with guidance: 0 is the unconditional one, 1 the conditional one.

    Parameters
    ----------
    conditional, anything : tensor, (n, d)
        Scores of p(x|c) and of p(x).
    guidance : float

    Returns
    -------
    tensor, (n, d)

    Examples
    --------
    >>> guided_score(torch.tensor([[2.0]]), torch.tensor([[1.5]]), 3.0)
    tensor([[3.]])
    """
    return anything + guidance * (conditional - anything)


def _noising(rng):
    n = int(rng.integers(4, 8))
    x1, eps = torch.from_numpy(rng.normal(size=(2, n, 3)))
    return x1, eps, torch.from_numpy(rng.uniform(0.05, 0.95, size=n))


def _noisy_with(data=torch.sqrt, noise=lambda a: (1 - a).sqrt()):
    return lambda x1, eps, alpha_bar: data(alpha_bar)[:, None] * x1 + noise(alpha_bar)[:, None] * eps


def _predictions(rng):
    n = int(rng.integers(4, 8))
    output, x1, eps = torch.from_numpy(rng.normal(size=(3, n, 3)))
    angle = torch.from_numpy(rng.uniform(0.2, 1.4, size=(n, 1)))
    return output, x1, eps, angle.cos(), angle.sin()


def _loss_with(target, mean=torch.mean):
    def wrong(output, x1, eps, alpha, sigma):
        return mean((output - target(x1, eps, alpha, sigma)) ** 2)

    return wrong


def _steps(rng):
    n = int(rng.integers(4, 8))
    x, data, z = torch.from_numpy(rng.normal(size=(3, n, 2)))
    angle = float(rng.uniform(0.2, 0.8))
    here = angle + float(rng.uniform(0.2, 0.6))
    both = torch.tensor([here, angle], dtype=torch.float64)
    (alpha, alpha_next), (sigma, sigma_next) = both.cos().tolist(), both.sin().tolist()
    return x, data, z, (alpha, sigma), (alpha_next, sigma_next)


def _step_with(width=lambda b, sigma, sigma_next: b**0.5 * sigma_next / sigma, swap=False, data_weight=1.0):
    def wrong(x, data, z, here, there):
        (alpha, sigma), (alpha_next, sigma_next) = here, there
        r = alpha / alpha_next
        b = sigma**2 - (r * sigma_next) ** 2
        first, second = r * sigma_next**2 / sigma**2, alpha_next * b / sigma**2
        first, second = (second, first) if swap else (first, second)
        return first * x + data_weight * second * data + width(b, sigma, sigma_next) * z

    return wrong


def _scores(rng):
    conditional, anything = torch.from_numpy(rng.normal(size=(2, int(rng.integers(4, 8)), 2)))
    return conditional, anything, float(rng.uniform(1.5, 6))


EXERCISES = [
    Exercise(
        name="diffusion.noisy_point",
        reference=noisy_point,
        inputs=_noising,
        mistakes=(
            Mistake("Variances add, not widths: take square roots.", _noisy_with(lambda a: a, lambda a: 1 - a)),
            Mistake(
                "The weight of the data is right. That of the noise is not: alpha^2 + sigma^2 = 1.",
                _noisy_with(noise=lambda a: 1 - a.sqrt()),
            ),
            Mistake("Data and noise have changed places.", _noisy_with(lambda a: (1 - a).sqrt(), torch.sqrt)),
            Mistake("Noise of width one is added; it should be sigma.", _noisy_with(noise=torch.ones_like)),
        ),
        hints=(
            "alpha_bar is a variance: alpha is its square root.",
            "sigma is the square root of 1 - alpha_bar. Both need a second dimension: [:, None].",
            "alpha_bar.sqrt()[:, None] * x1 + (1 - alpha_bar).sqrt()[:, None] * eps",
        ),
    ),
    Exercise(
        name="diffusion.velocity_loss",
        reference=velocity_loss,
        inputs=_predictions,
        mistakes=(
            Mistake("This is the loss of a network that predicts the noise.", _loss_with(lambda x1, eps, a, s: eps)),
            Mistake("This is the loss of a network that predicts the data.", _loss_with(lambda x1, eps, a, s: x1)),
            Mistake(
                "The target is x_t itself. v is orthogonal to it: a minus sign.",
                _loss_with(lambda x1, eps, a, s: a * x1 + s * eps),
            ),
            Mistake("The sign of v is flipped.", _loss_with(lambda x1, eps, a, s: s * x1 - a * eps)),
            Mistake(
                "This is the sum of the squares, not their mean.",
                _loss_with(lambda x1, eps, a, s: a * eps - s * x1, torch.sum),
            ),
        ),
        hints=(
            "First compute the target v from x1 and eps.",
            "target = alpha * eps - sigma * x1",
            "((output - target) ** 2).mean()",
        ),
    ),
    Exercise(
        name="diffusion.ancestral_step",
        reference=ancestral_step,
        inputs=_steps,
        mistakes=(
            Mistake(
                "The mean is right. The noise is sqrt(b) sigma' / sigma wide: you use sqrt(b), that of a "
                "step *forward*.",
                _step_with(lambda b, sigma, sigma_next: b**0.5),
            ),
            Mistake(
                "The mean is right. Multiply the noise with the width, not with the variance.",
                _step_with(lambda b, sigma, sigma_next: b * sigma_next**2 / sigma**2),
            ),
            Mistake("The mean is right, but no noise is added.", _step_with(lambda b, sigma, sigma_next: 0.0)),
            Mistake(
                "The mean is right. After the step sigma' of noise is left, but part of it was there before.",
                _step_with(lambda b, sigma, sigma_next: sigma_next),
            ),
            Mistake("The weights of the point and of the data have changed places.", _step_with(swap=True)),
            Mistake("The expected data do not enter with the right sign.", _step_with(data_weight=-1.0)),
        ),
        hints=(
            "Unpack (alpha, sigma), (alpha_next, sigma_next) = here, there. Then r and b, as in the text.",
            "mean = (r * sigma_next**2 * x + alpha_next * b * data) / sigma**2",
            "Add b**0.5 * sigma_next / sigma * z to the mean.",
        ),
    ),
    Exercise(
        name="diffusion.guided_score",
        reference=guided_score,
        inputs=_scores,
        mistakes=(
            Mistake("Here guidance 0 gives the conditional score.", lambda c, a, g: c + g * (a - c)),
            Mistake(
                "This is the convention of the paper, where 0 is the conditional score. Here it is 1.",
                lambda c, a, g: (1 + g) * c - g * a,
            ),
            Mistake("The unconditional score is to be left behind, not added.", lambda c, a, g: a + g * c),
            Mistake("A stronger conditional score alone sharpens everything.", lambda c, a, g: g * c),
        ),
        hints=(
            "A straight line through both scores: at 0 one, at 1 the other.",
            "The direction is conditional - anything.",
            "anything + guidance * (conditional - anything)",
        ),
    ),
]
