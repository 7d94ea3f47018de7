"""Exercises of the lab "Flavour tagging"."""

import numpy as np
import torch
import torch.nn.functional as F

from hepml_labs.teaching import Exercise, Mistake
from hepml_labs.top_tagging.flavour_results import connected_tracks, discriminant
from hepml_labs.top_tagging.flavour_tagger import same_vertex


def signed_significance(d0, sigma, track_phi, jet_phi):
    """Impact parameters in units of their uncertainty, positive if the perigee lies on the side where the jet flies.

    Parameters
    ----------
    d0, sigma : array, (n,)
        mm: impact parameter, with the perigee at (-d0 sin phi, d0 cos phi), and its standard deviation.
    track_phi, jet_phi : array, (n,)
        Azimuths of the track at its perigee and of the jet.

    Returns
    -------
    array, (n,)

    Examples
    --------
    >>> signed_significance(np.array([0.1]), np.array([0.02]), np.array([0.0]), np.array([0.3]))
    array([5.])
    """
    return np.abs(d0) / sigma * np.where(d0 * np.sin(jet_phi - track_phi) < 0, -1, 1)


def b_discriminant(probability, fraction):
    """Logarithm of the likelihood ratio of b jets against a mixture of c and light jets.

    Parameters
    ----------
    probability : array, (n, 3)
        Probabilities to be a light, c and b jet.
    fraction : float
        Share of c jets in the background.

    Returns
    -------
    array, (n,)

    Examples
    --------
    >>> b_discriminant(np.array([[0.2, 0.2, 0.6]]), 0.05).round(3)
    array([1.099])
    """
    return discriminant(np.log(probability), "b", fraction)


def vertex_loss(logit, vertex):
    """Cross-entropy of the question "do these two tracks share a vertex?", mean over the pairs of one jet.

    Parameters
    ----------
    logit : tensor, (tracks, tracks)
        Symmetric.
    vertex : tensor, (tracks,)
        Number of each track's true vertex, -1 for tracks that have none.

    Returns
    -------
    tensor, ()
        Mean over all pairs of different tracks.

    Examples
    --------
    >>> round(vertex_loss(torch.zeros(3, 3), torch.tensor([0, 0, -1])).exp().item(), 6)
    2.0
    """
    i, j = torch.triu_indices(len(vertex), len(vertex), offset=1)
    return F.binary_cross_entropy_with_logits(logit[i, j], same_vertex(vertex[None])[0, i, j].to(logit))


def group_tracks(compatible):
    """Groups of tracks that are joined by chains of compatible pairs.

    Parameters
    ----------
    compatible : bool array, (tracks, tracks)
        Symmetric.

    Returns
    -------
    int array, (tracks,)
        Number of each track's group, counted from zero in the order of the groups' first tracks.

    Examples
    --------
    >>> group_tracks(np.array([[1, 0, 1], [0, 1, 0], [1, 0, 1]], dtype=bool))
    array([0, 1, 0])
    """
    return connected_tracks(compatible[None], np.ones((1, len(compatible)), dtype=bool))[0]


def _some_tracks(rng):
    n = int(rng.integers(20, 40))
    jet_phi = rng.uniform(-np.pi, np.pi, n)
    jet_phi[:10] = rng.uniform(3.1, np.pi, 10)  # beside the seam
    track_phi = (jet_phi + rng.normal(0, 0.2, n) + np.pi) % (2 * np.pi) - np.pi
    return rng.normal(0, 0.3, n), rng.uniform(0.01, 0.05, n), track_phi, jet_phi


def _significance_with(sign=lambda d0, turn: np.where(d0 * np.sin(turn) < 0, -1, 1), scale=lambda d0, s: abs(d0) / s):
    return lambda d0, sigma, track_phi, jet_phi: scale(d0, sigma) * sign(d0, jet_phi - track_phi)


def _some_probabilities(rng):
    return rng.dirichlet([0.8, 1.0, 1.2], int(rng.integers(5, 12))), float(rng.uniform(0.02, 0.4))


def _some_pairs(rng):
    n = int(rng.integers(8, 11))
    logit = torch.as_tensor(rng.normal(0, 2, (n, n)))
    vertex = rng.integers(-1, 3, n)
    vertex[:6] = -1, -1, 0, 0, 1, 1  # two without a vertex, two from each of two vertices
    return logit + logit.T, torch.as_tensor(rng.permutation(vertex))


def _loss_with(
    chosen=lambda n: torch.ones(n, n).triu(1).bool(), label=lambda v: same_vertex(v[None])[0], reduce="mean"
):
    def wrong(logit, vertex):
        use = chosen(len(vertex))
        return F.binary_cross_entropy_with_logits(logit[use], label(vertex)[use].to(logit), reduction=reduce)

    return wrong


def _some_graph(rng):
    n = int(rng.integers(8, 12))
    compatible = np.zeros((n, n), dtype=bool)
    order = rng.permutation(n)
    chain = order[:5]  # a chain: its ends are joined by the others only
    compatible[chain[:-1], chain[1:]] = True
    compatible[order[5], order[6]] = True
    return (compatible | compatible.T | np.eye(n, dtype=bool),)


def _neighbours_only(compatible):
    return np.unique(compatible.argmax(axis=1), return_inverse=True)[1]


def _one_step(compatible):
    return _neighbours_only(compatible | (compatible.astype(int) @ compatible > 0))


def _not_numbered(compatible):
    group = group_tracks(compatible)
    return np.array([int(np.flatnonzero(group == number)[0]) for number in group])


EXERCISES = [
    Exercise(
        name="top_tagging.signed_significance",
        reference=signed_significance,
        inputs=_some_tracks,
        mistakes=(
            Mistake(
                "This keeps the sign of d0 itself, which says on which side of the vertex the track passes.",
                _significance_with(sign=lambda d0, turn: np.sign(d0)),
            ),
            Mistake(
                "All signs are flipped: look at the scalar product of the perigee with the direction of the jet.",
                _significance_with(sign=lambda d0, turn: np.where(d0 * np.sin(turn) < 0, 1, -1)),
            ),
            Mistake(
                "Angles have a seam at pi: take the sine of the difference, not the difference.",
                _significance_with(sign=lambda d0, turn: np.where(d0 * turn < 0, -1, 1)),
            ),
            Mistake("These are mm: divide by the uncertainty.", _significance_with(scale=lambda d0, s: abs(d0))),
            Mistake(
                "This multiplies d0 with the sign. Its own sign must be taken away first.",
                _significance_with(scale=lambda d0, s: d0 / s),
            ),
        ),
        hints=(
            "Write down the scalar product of (-d0 sin phi, d0 cos phi) with the direction (cos, sin) of the jet.",
            "It is d0 sin(jet_phi - track_phi). Where it is negative, the sign is -1, else +1.",
            "np.abs(d0) / sigma * np.where(d0 * np.sin(jet_phi - track_phi) < 0, -1, 1)",
        ),
    ),
    Exercise(
        name="top_tagging.b_discriminant",
        reference=b_discriminant,
        inputs=_some_probabilities,
        mistakes=(
            Mistake(
                "The shares are exchanged: `fraction` belongs to the c jets.",
                lambda p, f: np.log(p[:, 2] / (f * p[:, 0] + (1 - f) * p[:, 1])),
            ),
            Mistake("The logarithm is missing.", lambda p, f: p[:, 2] / (f * p[:, 1] + (1 - f) * p[:, 0])),
            Mistake("Light jets have the share 1 - fraction.", lambda p, f: np.log(p[:, 2] / (f * p[:, 1] + p[:, 0]))),
            Mistake(
                "The columns are light, c, b: yours is a tagger of light jets.",
                lambda p, f: np.log(p[:, 0] / (f * p[:, 1] + (1 - f) * p[:, 2])),
            ),
            Mistake(
                "A mixture of densities is a sum of probabilities, not of their logarithms.",
                lambda p, f: np.log(p[:, 2]) - f * np.log(p[:, 1]) - (1 - f) * np.log(p[:, 0]),
            ),
        ),
        hints=(
            "Signal over background, where the background is a mixture of c and light jets.",
            "The background has the density fraction * p_c + (1 - fraction) * p_light.",
            "light, c, b = probability.T; return np.log(b / (fraction * c + (1 - fraction) * light))",
        ),
    ),
    Exercise(
        name="top_tagging.vertex_loss",
        reference=vertex_loss,
        inputs=_some_pairs,
        mistakes=(
            Mistake(
                "Two tracks without a vertex (-1) do not share one.",
                _loss_with(label=lambda v: v[:, None] == v[None, :]),
            ),
            Mistake(
                "A track with itself is no pair: leave out the diagonal.",
                _loss_with(chosen=lambda n: torch.ones(n, n).bool()),
            ),
            Mistake("This is the sum over the pairs. Take the mean.", _loss_with(reduce="sum")),
            Mistake(
                "The labels are inverted: 1 stands for a common vertex.",
                _loss_with(label=lambda v: ~same_vertex(v[None])[0]),
            ),
            Mistake(
                "Tracks of the primary vertex (number 0) share a vertex like all others.",
                _loss_with(label=lambda v: (v[:, None] == v[None, :]) & (v > 0)),
            ),
        ),
        hints=(
            "The label of a pair is vertex[i] == vertex[j], unless they have none.",
            "i, j = torch.triu_indices(n, n, offset=1) lists each pair once. The loss wants floating-point labels.",
            "F.binary_cross_entropy_with_logits(logit[i, j], ((vertex[i] == vertex[j]) & (vertex[i] >= 0)).to(logit))",
        ),
    ),
    Exercise(
        name="top_tagging.group_tracks",
        reference=group_tracks,
        inputs=_some_graph,
        mistakes=(
            Mistake("A chain of compatible pairs is one group, also if its ends do not fit.", _neighbours_only),
            Mistake("Neighbours of neighbours are joined, but longer chains break. Repeat until it stops.", _one_step),
            Mistake("Number the groups 0, 1, 2, ... without gaps.", _not_numbered),
            Mistake("Count from zero.", lambda compatible: group_tracks(compatible) + 1),
        ),
        hints=(
            "Start with a group for each track. Whenever two tracks are compatible, their groups become one.",
            "For each pair (i, j): group[group == group[j]] = group[i]. The result needs new numbers at the end.",
            "Go through np.argwhere(compatible). Keep the smaller number: a, b = sorted((group[i], group[j])), "
            "group[group == b] = a; then np.unique(group, return_inverse=True)[1].",
        ),
    ),
]
