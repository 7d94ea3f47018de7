"""Exercises of the lab "Amplitudes and their symmetries"."""

import numpy as np
import torch

from hepml_labs.physics.kinematics import boost, invariants
from hepml_labs.physics.phase_space import rambo
from hepml_labs.regression.amplitudes import (
    canonical_order,
    log_standardize,
    pairwise_invariants,
    sum_over_partners,
    undo_log_standardize,
)
from hepml_labs.teaching import Exercise, Mistake


def _events(rng, n=7):
    """Events with four outgoing gluons, in a boosted frame, with the incoming ones in either order."""
    outgoing = rambo(n, 4, rng.uniform(500, 2000), rng)
    half = outgoing[:, :, 0].sum(1)[:, None, None] / 2
    beams = half * np.array([[[1.0, 0, 0, 1], [1.0, 0, 0, -1]]])
    momenta = boost(np.concatenate([beams, outgoing], axis=1), [0.0, 0.0, rng.uniform(-0.5, 0.5)])
    exchange = rng.random(n) < 0.5
    momenta[exchange, :2] = momenta[exchange, 1::-1]
    return torch.from_numpy(momenta)


def _amplitudes(rng):
    return torch.from_numpy(np.exp(rng.normal(-5, 2, 30))), rng.uniform(-6, -4), rng.uniform(1.3, 2.5)


def _logs(rng):
    return torch.from_numpy(rng.normal(size=30)), rng.uniform(-3, -1), rng.uniform(1.3, 2.5)


def _pairs(rng):
    particles = int(rng.integers(4, 7))
    shape = 5, particles * (particles - 1) // 2, 3
    return torch.from_numpy(rng.normal(size=shape)), particles


def _upper(momenta):
    first, second = torch.triu_indices(momenta.shape[1], momenta.shape[1], offset=1)
    return invariants(momenta)[:, first, second]


def _euclidean(momenta):
    product = 2 * momenta @ momenta.mT
    first, second = torch.triu_indices(momenta.shape[1], momenta.shape[1], offset=1)
    return product[:, first, second] * torch.sign(pairwise_invariants(momenta))


def _sorted_by(key, descending=True, exchange=None):
    """Return canonical_order with another key or without the exchange of the incoming gluons."""

    def wrong(momenta):
        incoming, outgoing = momenta[:, :2], momenta[:, 2:]
        order = key(incoming, outgoing).argsort(dim=1, descending=descending)
        outgoing = outgoing.gather(1, order[..., None].expand_as(outgoing))
        swap = torch.zeros(len(momenta), 1, 1, dtype=torch.bool)
        if exchange is not None:
            near = invariants(torch.cat([incoming, outgoing[:, :1]], dim=1))[:, 2, :2]
            swap = exchange(near[:, 0], near[:, 1])[:, None, None]
        return torch.cat([torch.where(swap, incoming.flip(1), incoming), outgoing], dim=1)

    return wrong


def _energy(incoming, outgoing):
    total = incoming.sum(1, keepdim=True)
    return outgoing[..., 0] * total[..., 0] - (outgoing[..., 1:] * total[..., 1:]).sum(-1)


def _one_sided(pairs, particles):
    out = torch.zeros(len(pairs), particles, pairs.shape[-1], dtype=pairs.dtype)
    first = torch.triu_indices(particles, particles, offset=1)[0]
    return out.index_add(1, first, pairs)


EXERCISES = [
    Exercise(
        name="regression.log_standardize",
        reference=log_standardize,
        inputs=_amplitudes,
        mistakes=(
            Mistake(
                "The amplitude is standardised without its logarithm: a few huge values would fill the loss.",
                lambda amplitude, mean, width: (amplitude - mean) / width,
            ),
            Mistake(
                "Divide by the width, not by its square.",
                lambda amplitude, mean, width: (amplitude.log() - mean) / width**2,
            ),
            Mistake("The mean is added instead of subtracted.", lambda a, mean, width: (a.log() + mean) / width),
            Mistake(
                "That is the logarithm to base 10; mean and width belong to the natural one.",
                lambda amplitude, mean, width: (amplitude.log10() - mean) / width,
            ),
            Mistake(
                "Subtract the mean before you divide by the width.",
                lambda amplitude, mean, width: amplitude.log() / width - mean,
            ),
        ),
        hints=(
            "First the logarithm, then shift and scale so that the training set has mean 0 and width 1.",
            "z = (ln A - mean) / width.",
            "(amplitude.log() - mean) / width",
        ),
    ),
    Exercise(
        name="regression.undo_log_standardize",
        reference=undo_log_standardize,
        inputs=_logs,
        mistakes=(
            Mistake("The exponential is missing: that is ln A.", lambda z, mean, width: mean + width * z),
            Mistake(
                "The operations are undone in the wrong order: last in, first out.",
                lambda z, mean, width: (z + mean) * width,
            ),
            Mistake(
                "Shift and scale are undone in the wrong order: multiply by the width first.",
                lambda z, mean, width: ((z + mean) * width).exp(),
            ),
            Mistake("Multiply by the width, do not divide.", lambda z, mean, width: (z / width + mean).exp()),
            Mistake("That undoes a logarithm to base 10.", lambda z, mean, width: 10 ** (z * width + mean)),
        ),
        hints=(
            "Undo the steps of `log_standardize` from the last to the first.",
            "ln A = mean + width z, and then?",
            "(mean + width * z).exp()",
        ),
    ),
    Exercise(
        name="regression.pairwise_invariants",
        reference=pairwise_invariants,
        inputs=lambda rng: (_events(rng),),
        points=2,
        mistakes=(
            Mistake(
                "The values are right but for the sign: crossing turns p into -p for the incoming gluons 0 and 1, so "
                "pairs of one incoming and one outgoing gluon are negative.",
                _upper,
            ),
            Mistake("The factor 2 is missing: s_ij = 2 p_i.p_j.", lambda p: pairwise_invariants(p) / 2),
            Mistake(
                "The metric is Euclidean: the space components of a four-vector product come with a minus.", _euclidean
            ),
            Mistake(
                "All pairs come with a flipped sign: use the metric (+, -, -, -).", lambda p: -pairwise_invariants(p)
            ),
            Mistake(
                "Those are the masses, the roots of the invariants.", lambda p: pairwise_invariants(p).abs().sqrt()
            ),
        ),
        hints=(
            "Flip the sign of the incoming momenta, multiply out all pairs with the metric, keep each pair once.",
            "first, second = torch.triu_indices(particles, particles, offset=1) lists the pairs; momenta[:, first] are "
            "the first members of all pairs.",
            "2 * minkowski_product(crossed[:, first], crossed[:, second]), where crossed is a copy of momenta with "
            "crossed[:, :2] = -momenta[:, :2].",
        ),
    ),
    Exercise(
        name="regression.sum_over_partners",
        reference=sum_over_partners,
        inputs=_pairs,
        points=2,
        mistakes=(
            Mistake(
                "Each pair was given to its first gluon only. It belongs to both.",
                _one_sided,
            ),
            Mistake(
                "That is the mean over the partners, not the sum.",
                lambda pairs, particles: sum_over_partners(pairs, particles) / (particles - 1),
            ),
            Mistake(
                "That is the sum over all pairs of the event: every gluon gets the same, and nothing of its own.",
                lambda pairs, particles: pairs.sum(1, keepdim=True).expand(-1, particles, -1),
            ),
            Mistake("Each pair was counted twice.", lambda pairs, particles: 2 * sum_over_partners(pairs, particles)),
        ),
        hints=(
            "Start from zeros of shape (n, particles, features) and add each pair to both of its gluons.",
            "first, second = torch.triu_indices(particles, particles, offset=1) says which gluons pair number k joins.",
            "total = torch.zeros(len(pairs), particles, pairs.shape[-1]).to(pairs); then "
            "total.index_add(1, first, pairs).index_add(1, second, pairs).",
        ),
    ),
    Exercise(
        name="regression.canonical_order",
        reference=canonical_order,
        inputs=lambda rng: (_events(rng, 40),),
        points=2,
        mistakes=(
            Mistake(
                "The outgoing gluons are right. The incoming ones are identical too: exchange them where needed.",
                _sorted_by(_energy),
            ),
            Mistake(
                "The gluons are sorted by the energy in this frame. Another frame would sort them differently: use "
                "the invariant p_i.(p_1 + p_2).",
                _sorted_by(lambda incoming, outgoing: outgoing[..., 0], exchange=torch.gt),
            ),
            Mistake(
                "The gluons are sorted by rising energy, and falling was asked for.",
                _sorted_by(_energy, descending=False, exchange=torch.gt),
            ),
            Mistake(
                "The incoming gluons are exchanged the wrong way round: the first should be the closer one, with the "
                "smaller p_1.p_3.",
                _sorted_by(_energy, exchange=torch.lt),
            ),
        ),
        hints=(
            "The energy in the centre-of-mass frame is p.(p_1 + p_2) / sqrt(s): an invariant that you can sort by.",
            "order = energy.argsort(dim=1, descending=True), then "
            "outgoing.gather(1, order[..., None].expand_as(outgoing)).",
            "Then compare minkowski_product(incoming, outgoing[:, :1]) for the two incoming gluons, and use "
            "torch.where between incoming and incoming.flip(1).",
        ),
    ),
]
