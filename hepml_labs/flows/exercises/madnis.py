"""Exercises of the lab "MadNIS"."""

import numpy as np
import torch

from hepml_labs.flows.surrogate import effective_gain
from hepml_labs.teaching import Exercise, Mistake


def integral_and_error(weights):
    """Integral and its statistical error from the weights w = f/q of points drawn from q.

    Parameters
    ----------
    weights : array, (n,)

    Returns
    -------
    value, error : float

    Examples
    --------
    >>> integral_and_error(np.array([1.0, 3.0]))
    (2.0, 1.0)
    """
    return float(weights.mean()), float(weights.std(ddof=1) / np.sqrt(len(weights)))


def accept(weights, uniform, maximum):
    """Decide which weighted events survive unweighting.

    Parameters
    ----------
    weights, uniform : arrays, (n,)
        Weights, and random numbers from the unit interval.
    maximum : float
        The weight that is always accepted.

    Returns
    -------
    array of bool, (n,)

    Examples
    --------
    >>> accept(np.array([0.2, 1.0]), np.array([0.5, 0.5]), 1.0)
    array([False,  True])
    """
    return uniform < weights / maximum


def multi_channel_integral(f, alpha, density, channel):
    """Integral from points of several channels.

    Parameters
    ----------
    f : array, (n,)
        Integrand.
    alpha : array, (n, channels)
        Channel weights at each point.
    density : array, (n,)
        Density of the channel that has drawn the point, at the point.
    channel : array of int, (n,)
        Number of that channel.

    Returns
    -------
    float
        Sum over the channels of the mean of alpha f / density over the channel's own points.

    Examples
    --------
    >>> alpha = np.array([[0.5, 0.5], [0.5, 0.5], [0.5, 0.5]])
    >>> multi_channel_integral(np.ones(3), alpha, np.ones(3), np.array([0, 1, 1]))
    1.0
    """
    weight = f * alpha[np.arange(len(f)), channel] / density
    return float(sum(weight[channel == number].mean() for number in range(alpha.shape[1])))


def variance_loss(f, log_q, log_drawn):
    """Variance of the weights f/q under q, from points that were drawn from another density.

    Parameters
    ----------
    f, log_q, log_drawn : tensors, (n,)
        Integrand, logarithm of the density in training, and of the density the points are from.

    Returns
    -------
    tensor, ()

    Examples
    --------
    >>> variance_loss(torch.tensor([1.0, 3.0]), torch.zeros(2), torch.zeros(2))
    tensor(1.)
    """
    ratio = torch.exp(log_q - log_drawn)
    integral = (f / log_drawn.exp()).mean()
    return ((f / log_q.exp() - integral) ** 2 * ratio).mean()


def _weight_inputs(rng):
    return (rng.exponential(rng.uniform(0.5, 3), size=17) - 0.3,)


def _accept_inputs(rng):
    return rng.exponential(2.0, size=41), rng.uniform(size=41), float(rng.uniform(1.5, 3.0))


def _channel_inputs(rng):
    channel = rng.permutation(np.repeat([0, 1, 2], [5, 9, 14]))
    return rng.exponential(size=28), rng.dirichlet(np.ones(3), size=28), rng.uniform(0.3, 2, size=28), channel


def _loss_inputs(rng):
    f, log_q, log_drawn = rng.exponential(2.0, size=15), 0.6 * rng.normal(size=15), 0.6 * rng.normal(size=15)
    return torch.from_numpy(f), torch.from_numpy(log_q).requires_grad_(), torch.from_numpy(log_drawn)


def _gain_inputs(rng):
    return tuple(float(number) for number in rng.uniform([0.001, 0.001, 0.001, 0.3], [0.05, 0.05, 0.05, 0.9]))


def _all_points(f, alpha, density, channel):
    return float((f * alpha[np.arange(len(f)), channel] / density).mean())


EXERCISES = [
    Exercise(
        name="flows.integral_and_error",
        reference=integral_and_error,
        inputs=_weight_inputs,
        mistakes=(
            Mistake(
                "This is the spread of a single weight. The mean of n of them is known better.",
                lambda w: (w.mean(), w.std(ddof=1)),
            ),
            Mistake(
                "The error of the mean falls like one over the square root of n, not like 1/n.",
                lambda w: (w.mean(), w.std(ddof=1) / len(w)),
            ),
            Mistake(
                "That is the sum over its error. The integral is the mean of the weights.",
                lambda w: (w.sum(), np.sqrt((w**2).sum())),
            ),
            Mistake(
                "Without subtracting the mean, even a perfect proposal would have an error.",
                lambda w: (w.mean(), np.sqrt((w**2).mean() / len(w))),
            ),
            Mistake(
                "Nearly: the mean was taken from the same weights, so divide by n - 1 (ddof=1).",
                lambda w: (w.mean(), w.std() / np.sqrt(len(w))),
            ),
        ),
        hints=(
            "The integral is the expectation of w under q. What estimates an expectation?",
            "The variance of a mean of n independent numbers is the variance of one of them over n.",
            "weights.mean(), weights.std(ddof=1) / np.sqrt(len(weights))",
        ),
    ),
    Exercise(
        name="flows.accept",
        reference=accept,
        inputs=_accept_inputs,
        mistakes=(
            Mistake(
                "The random number decides, not a cut: light events must sometimes survive.",
                lambda w, u, m: w > m / 2,
            ),
            Mistake("Turned round: heavy events must survive more often than light ones.", lambda w, u, m: u > w / m),
            Mistake(
                "The reference is the given maximum, not the largest weight of this sample.",
                lambda w, u, m: u < w / w.max(),
            ),
            Mistake(
                "This compares with the mean weight. Nothing forbids weights of twice the mean.",
                lambda w, u, m: u < w / w.mean(),
            ),
            Mistake("The probability is linear in the weight.", lambda w, u, m: u < (w / m) ** 2),
        ),
        hints=(
            "An event with half of the maximal weight shall survive in half of all cases.",
            "A uniform number is smaller than p with the probability p.",
            "uniform < weights / maximum",
        ),
    ),
    Exercise(
        name="flows.multi_channel_integral",
        reference=multi_channel_integral,
        inputs=_channel_inputs,
        mistakes=(
            Mistake(
                "This is the mean over all points. Each channel integrates its own share: add the channels' means.",
                _all_points,
            ),
            Mistake(
                "Without the channel weights every channel integrates all of f, and the sum counts it several times.",
                lambda f, alpha, g, c: float(sum((f / g)[c == k].mean() for k in range(alpha.shape[1]))),
            ),
            Mistake(
                "These are sums over points: more calls in a channel must not change the integral.",
                lambda f, alpha, g, c: float((f * alpha[np.arange(len(f)), c] / g).sum()),
            ),
            Mistake(
                "You took channel 0's weight for all points. Take the weight of the channel that drew the point.",
                lambda f, alpha, g, c: float(sum((f * alpha[:, 0] / g)[c == k].mean() for k in range(alpha.shape[1]))),
            ),
            Mistake(
                "This is the mean of the channels' integrals. Their shares add up to one already: take the sum.",
                lambda *a: multi_channel_integral(*a) / a[1].shape[1],
            ),
        ),
        hints=(
            "Insert 1 = sum of alpha_i under the integral, and estimate each term with the points of its channel.",
            "The weight of a point is alpha[point, its channel] * f / density.",
            "weight = f * alpha[np.arange(len(f)), channel] / density, then add weight[channel == k].mean() over k.",
        ),
    ),
    Exercise(
        name="flows.variance_loss",
        reference=variance_loss,
        inputs=_loss_inputs,
        mistakes=(
            Mistake(
                "The points are not from q: weigh them with q over the density they were drawn from.",
                lambda f, q, d: ((f / q.exp() - (f / d.exp()).mean()) ** 2).mean(),
            ),
            Mistake(
                "This is the variance of the old weights. It does not depend on q, so nothing would be learned.",
                lambda f, q, d: (f / d.exp()).var(correction=0) + 0 * q.sum(),
            ),
            Mistake(
                "The correction is upside down: q over the density of drawing.",
                lambda f, q, d: ((f / q.exp() - (f / d.exp()).mean()) ** 2 * torch.exp(d - q)).mean(),
            ),
            Mistake(
                "Subtract the integral before squaring; otherwise this is the second moment.",
                lambda f, q, d: (f**2 / (q + d).exp()).mean(),
            ),
            Mistake(
                "The integral is estimated with the density that the points were drawn from.",
                lambda f, q, d: ((f / q.exp() - (f / q.exp()).mean()) ** 2 * torch.exp(q - d)).mean(),
            ),
        ),
        hints=(
            "Write the variance as an integral over q: of (f/q - I)^2.",
            "Points of another density: multiply by q over that density. The integral is the mean of f/drawn.",
            "((f / log_q.exp() - integral) ** 2 * torch.exp(log_q - log_drawn)).mean()",
        ),
    ),
    Exercise(
        name="flows.effective_gain",
        reference=effective_gain,
        inputs=_gain_inputs,
        mistakes=(
            Mistake(
                "You forgot that the surrogate is called as well, for every event that is tried.",
                lambda r, e, e1, e2: e2 / e,
            ),
            Mistake(
                "The truth is called for all that pass the first stage, and some of these fail the second.",
                lambda r, e, e1, e2: 1 / (e * (1 + r / e1)),
            ),
            Mistake("That is the inverse: a gain above one means faster.", lambda r, e, e1, e2: e * (1 + r / e1) / e2),
            Mistake(
                "The surrogate is called once per *tried* event, 1/first times as often as the truth.",
                lambda r, e, e1, e2: e2 / (e * (1 + r)),
            ),
            Mistake(
                "The truth is called only for events that have passed the first stage.",
                lambda r, e, e1, e2: e1 * e2 / (e * (1 + r)),
            ),
        ),
        hints=(
            "Count the time for one event, in units of one call of the truth. Without surrogate: 1/efficiency.",
            "With it: 1/second calls of the truth, 1/(first * second) of the surrogate, each worth cost_ratio.",
            "second / (efficiency * (1 + cost_ratio / first))",
        ),
    ),
]
