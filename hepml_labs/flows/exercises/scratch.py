"""Exercises of the lab "A flow from scratch": the coupling layer and its loss."""

import math

import torch

from hepml_labs.teaching import Exercise, Mistake


def coupling_forward(x, moved, network):
    """Affine coupling from data to base: z = x exp(s) + t for the features that are moved.

    Parameters
    ----------
    x : tensor, (n, d)
    moved : tensor of bool, (d,)
        True for the features that move; the others stay, and decide how.
    network : callable
        From the k features that stay, (n, k), to (n, 2 (d - k)): all shifts t, then all log-scales s.

    Returns
    -------
    z : tensor, (n, d)
    log_det : tensor, (n,)
        The sum of s.

    Examples
    --------
    >>> moved = torch.tensor([False, True])
    >>> coupling_forward(torch.tensor([[1.0, 2.0]]), moved, lambda kept: torch.cat([kept, 0 * kept + 0.5], dim=1))
    (tensor([[1.0000, 4.2974]]), tensor([0.5000]))
    """
    shift, log_scale = network(x[:, ~moved]).chunk(2, dim=1)
    z = x.clone()
    z[:, moved] = x[:, moved] * log_scale.exp() + shift
    return z, log_scale.sum(dim=1)


def coupling_inverse(z, moved, network):
    """Affine coupling from base to data: x = (z - t) exp(-s) for the features that are moved.

    Parameters
    ----------
    z : tensor, (n, d)
    moved, network
        As for `coupling_forward`.

    Returns
    -------
    x : tensor, (n, d)
    log_det : tensor, (n,)
        Minus the sum of s.

    Examples
    --------
    >>> moved = torch.tensor([False, True])
    >>> network = lambda kept: torch.cat([kept, 0 * kept + 0.5], dim=1)
    >>> z, log_det = coupling_forward(torch.tensor([[1.0, 2.0]]), moved, network)
    >>> coupling_inverse(z, moved, network)
    (tensor([[1., 2.]]), tensor([-0.5000]))
    """
    shift, log_scale = network(z[:, ~moved]).chunk(2, dim=1)
    x = z.clone()
    x[:, moved] = (z[:, moved] - shift) * torch.exp(-log_scale)
    return x, -log_scale.sum(dim=1)


def negative_log_likelihood(z, log_det):
    """Mean negative log-likelihood of a flow with a standard normal base.

    Parameters
    ----------
    z : tensor, (n, d)
        The events, brought to the base.
    log_det : tensor, (n,)
        log |det dz/dx|.

    Returns
    -------
    tensor, ()
        Mean over the events of |z|^2 / 2 + d/2 log(2 pi) - log_det.

    Examples
    --------
    >>> negative_log_likelihood(torch.zeros(1, 2), torch.zeros(1))  # log(2 pi)
    tensor(1.8379)
    """
    return (0.5 * (z**2).sum(dim=1) + 0.5 * z.shape[1] * math.log(2 * math.pi) - log_det).mean()


def _coupling_inputs(rng):
    kept, others = 2, 3
    first, second = (
        torch.from_numpy(rng.normal(size=(kept, 6))),
        torch.from_numpy(0.6 * rng.normal(size=(6, 2 * others))),
    )
    moved = torch.from_numpy(rng.permutation(kept + others) >= kept)
    return torch.from_numpy(rng.normal(size=(7, kept + others))), moved, lambda y: torch.tanh(y @ first) @ second


def _likelihood_inputs(rng):
    return torch.from_numpy(rng.normal(size=(6, 4))), torch.from_numpy(2 * rng.normal(size=6))


def _forward_with(move, log_det):
    """Make a wrong answer from a wrong map and a wrong log-determinant."""

    def answer(x, moved, network):
        shift, log_scale = network(x[:, ~moved]).chunk(2, dim=1)
        z = x.clone()
        z[:, moved] = move(x[:, moved], shift, log_scale)
        return z, log_det(log_scale)

    return answer


def _right(x, t, s):
    return x * s.exp() + t


def _back(z, t, s):
    return (z - t) * torch.exp(-s)


def _plus(s):
    return s.sum(dim=1)


def _minus(s):
    return -s.sum(dim=1)


EXERCISES = [
    Exercise(
        name="flows.coupling_forward",
        reference=coupling_forward,
        inputs=_coupling_inputs,
        mistakes=(
            Mistake(
                "z is right. The sign of the log-determinant is not: where s > 0 the map stretches.",
                _forward_with(_right, _minus),
            ),
            Mistake(
                "z is right. The determinant is a product of exp(s), so its logarithm is a sum of s.",
                _forward_with(_right, lambda s: s.exp().sum(dim=1)),
            ),
            Mistake(
                "z is right. Each event has its own log-determinant: sum over the features only.",
                _forward_with(_right, lambda s: s.sum()),
            ),
            Mistake("z is right. Sum the log-scales, do not average them.", _forward_with(_right, lambda s: s.mean(1))),
            Mistake(
                "Scale first, then shift: z = x exp(s) + t.",
                _forward_with(lambda x, t, s: (x + t) * s.exp(), _plus),
            ),
            Mistake(
                "The network gives the logarithm of the scale, so that the scale is never zero or negative.",
                _forward_with(lambda x, t, s: x * s + t, _plus),
            ),
            Mistake(
                "Shift and log-scale are exchanged: the first half of the network's output is the shift.",
                _forward_with(lambda x, t, s: x * t.exp() + s, _plus),
            ),
            Mistake("This is the way back, from base to data.", coupling_inverse),
        ),
        hints=(
            "network(x[:, ~moved]).chunk(2, dim=1) gives the shifts and the log-scales.",
            "Copy x, then overwrite z[:, moved] with x[:, moved] * log_scale.exp() + shift.",
            "The Jacobian is triangular with exp(s) on its diagonal: log_det = log_scale.sum(dim=1).",
        ),
        points=2,
    ),
    Exercise(
        name="flows.coupling_inverse",
        reference=coupling_inverse,
        inputs=_coupling_inputs,
        mistakes=(
            Mistake(
                "x is right. The way back shrinks what the way there stretched: the sign of the log-determinant.",
                _forward_with(_back, _plus),
            ),
            Mistake(
                "Undo the last step first: subtract the shift, then divide by the scale.",
                _forward_with(lambda z, t, s: z * torch.exp(-s) - t, _minus),
            ),
            Mistake(
                "The shift is undone, but the scale is applied twice: divide by exp(s).",
                _forward_with(lambda z, t, s: (z - t) * s.exp(), _minus),
            ),
            Mistake("This is the way there, from data to base.", coupling_forward),
            Mistake(
                "The inverse of a function is not its reciprocal.",
                _forward_with(lambda z, t, s: 1 / (z * s.exp() + t), _minus),
            ),
        ),
        hints=(
            "The features that stay have not changed: the network sees the same numbers as on the way there.",
            "So shift and log-scale are the same. Solve z = x exp(s) + t for x.",
            "x = (z - t) exp(-s), and log_det = -log_scale.sum(dim=1).",
        ),
    ),
    Exercise(
        name="flows.negative_log_likelihood",
        reference=negative_log_likelihood,
        inputs=_likelihood_inputs,
        mistakes=(
            Mistake(
                "The log-determinant enters log p with a plus, the loss with a minus. Like this, the flow maps "
                "everything to one point.",
                lambda z, log_det: negative_log_likelihood(z, -log_det),
            ),
            Mistake(
                "Without the log-determinant the flow is rewarded for mapping everything to zero.",
                lambda z, log_det: negative_log_likelihood(z, 0 * log_det),
            ),
            Mistake(
                "The norm of the Gaussian has one factor for each feature: d/2 log(2 pi).",
                lambda z, log_det: (0.5 * (z**2).sum(1) + 0.5 * math.log(2 * math.pi) - log_det).mean(),
            ),
            Mistake(
                "Right up to a constant. Keep d/2 log(2 pi): a density is compared with other densities.",
                lambda z, log_det: (0.5 * (z**2).sum(1) - log_det).mean(),
            ),
            Mistake(
                "The squares are summed over the features, not averaged.",
                lambda z, log_det: (0.5 * (z**2).mean(1) + 0.5 * z.shape[1] * math.log(2 * math.pi) - log_det).mean(),
            ),
            Mistake(
                "The loss is a mean over the events, not a sum.",
                lambda z, log_det: negative_log_likelihood(z, log_det) * len(z),
            ),
            Mistake("This is the log-likelihood: a loss is minimised.", lambda z, d: -negative_log_likelihood(z, d)),
        ),
        hints=(
            "log p(x) = log N(z) + log_det for each event; the loss is minus its mean.",
            "The standard normal in d dimensions: log N(z) = -|z|^2 / 2 - d/2 log(2 pi).",
            "(0.5 * (z**2).sum(dim=1) + 0.5 * z.shape[1] * math.log(2 * math.pi) - log_det).mean()",
        ),
    ),
]
