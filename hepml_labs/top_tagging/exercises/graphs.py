"""Exercises of the lab "What is a neighbour?"."""

import math

import torch

from hepml_labs.teaching import Exercise, Mistake


def angular_distance(eta, phi):
    """Distances between all pairs of particles of a jet.

    Parameters
    ----------
    eta, phi : tensor, (particles,)
        Pseudorapidity and azimuth in radians; the azimuth may be given in any turn.

    Returns
    -------
    tensor, (particles, particles)
        The root of the sum of squared differences, the azimuth taken the short way round.

    Examples
    --------
    >>> angular_distance(torch.tensor([0.0, 0.3]), torch.tensor([3.1, 3.5 - 2 * math.pi]))
    tensor([[0.0000, 0.5000],
            [0.5000, 0.0000]])
    """
    difference = phi[:, None] - phi
    wrapped = (difference + math.pi) % (2 * math.pi) - math.pi
    return torch.hypot(eta[:, None] - eta, wrapped)


def nearest_columns(distance, mask, k):
    """Columns of the k nearest other particles of each real particle.

    Parameters
    ----------
    distance : tensor, (particles, particles)
    mask : tensor, (particles,)
        bool, True for real particles; there are more than k of them.
    k : int

    Returns
    -------
    tensor, (real particles, k)
        Nearest first; neither the particle itself nor padding.

    Examples
    --------
    >>> x = torch.tensor([0.0, 0.1, 1.0, 3.0])
    >>> nearest_columns((x[:, None] - x).abs(), torch.tensor([True, False, True, True]), k=1)[:, 0]
    tensor([2, 0, 2])
    """
    allowed = mask[None, :] & ~torch.eye(len(mask), dtype=torch.bool)
    return distance.masked_fill(~allowed, torch.inf)[mask].topk(k, largest=False).indices


def edge_features(x, neighbors):
    """What an edge convolution sees of each edge: the particle, and the way to its neighbour.

    Parameters
    ----------
    x : tensor, (particles, features)
    neighbors : tensor, (particles, k)
        int: rows of `x`.

    Returns
    -------
    tensor, (particles, k, 2 features)
        ``[x_i, x_j - x_i]``

    Examples
    --------
    >>> edge_features(torch.tensor([[1.0], [4.0]]), torch.tensor([[1], [0]]))
    tensor([[[ 1.,  3.]],
    <BLANKLINE>
            [[ 4., -3.]]])
    """
    center = x[:, None].expand(-1, neighbors.shape[1], -1)
    return torch.cat([center, x[neighbors] - center], dim=-1)


def mean_over_particles(x, mask):
    """Mean over the real particles of each jet.

    Parameters
    ----------
    x : tensor, (n, particles, features)
        The padding may contain anything.
    mask : tensor, (n, particles)
        bool, True for real particles.

    Returns
    -------
    tensor, (n, features)

    Examples
    --------
    >>> mean_over_particles(torch.tensor([[[1.0], [3.0], [9.0]]]), torch.tensor([[True, True, False]]))
    tensor([[2.]])
    """
    return torch.where(mask[..., None], x, 0.0).sum(1) / mask.sum(1, keepdim=True)


def _angles(rng):
    particles = int(rng.integers(5, 9))
    phi = rng.normal(math.pi, 0.3, size=particles)  # a jet that sits on the seam
    return torch.as_tensor(rng.normal(size=particles)), torch.as_tensor((phi + math.pi) % (2 * math.pi) - math.pi)


def _distances(rng):
    real, padding = int(rng.integers(6, 9)), int(rng.integers(3, 5))
    points = torch.as_tensor(rng.normal(size=(real + padding, 2)))
    # padding first for some particles, so that a column and a count of real particles differ
    mask = torch.as_tensor(rng.permutation([True] * real + [False] * padding))
    mask[0], mask[-1] = False, True
    points[~mask] = 0.0  # in the middle of all: the nearest of many
    return torch.cdist(points, points), mask, int(rng.integers(2, 4))


def _graph(rng):
    particles, k = int(rng.integers(5, 8)), int(rng.integers(2, 4))
    neighbors = [rng.choice([j for j in range(particles) if j != i], k, replace=False) for i in range(particles)]
    return torch.as_tensor(rng.normal(size=(particles, 3))), torch.tensor([row.tolist() for row in neighbors])


def _padded(rng):
    n, particles = int(rng.integers(3, 5)), int(rng.integers(6, 9))
    mask = torch.as_tensor(rng.random((n, particles)) < 0.6)
    mask[:, 1], mask[:, 3], mask[0, 2] = True, False, True
    x = torch.as_tensor(rng.normal(1.0, 1.0, size=(n, particles, 2)))
    x[~mask] = 50.0  # anything may stand in the padding
    return x, mask


def _distance_with(wrap, combine=torch.hypot):
    return lambda eta, phi: combine(eta[:, None] - eta, wrap(phi[:, None] - phi))


def _wrapped(difference):
    return (difference + math.pi) % (2 * math.pi) - math.pi


def _columns_with(itself=False, padding=False, largest=False, rows=True):
    def wrong(distance, mask, k):
        allowed = torch.ones_like(distance, dtype=torch.bool) if padding else mask[None, :].expand(distance.shape)
        allowed = allowed if itself else allowed & ~torch.eye(len(mask), dtype=torch.bool)
        table = distance.masked_fill(~allowed, -torch.inf if largest else torch.inf)
        return (table[mask] if rows else table).topk(k, largest=largest).indices

    return wrong


def _columns_among_real(distance, mask, k):
    squeezed = distance[mask][:, mask].clone()
    return squeezed.fill_diagonal_(torch.inf).topk(k, largest=False).indices


EXERCISES = [
    Exercise(
        name="top_tagging.angular_distance",
        reference=angular_distance,
        inputs=_angles,
        mistakes=(
            Mistake(
                "Two particles on either side of the seam at ±π are neighbours; for you they are a whole turn apart.",
                _distance_with(lambda difference: difference),
            ),
            Mistake(
                "A remainder between 0 and 2π takes the long way round for half of the pairs. Bring it to -π ... π.",
                _distance_with(lambda difference: difference % (2 * math.pi)),
            ),
            Mistake("This is the square of the distance.", _distance_with(_wrapped, lambda a, b: a**2 + b**2)),
            Mistake(
                "You add the sides of the triangle. Its long side is the root of the sum of their squares.",
                _distance_with(_wrapped, lambda a, b: a.abs() + b.abs()),
            ),
        ),
        hints=(
            "eta[:, None] - eta is the table of all differences. The azimuth needs one step more.",
            "Add π, take the remainder of 2π, subtract π: the difference lies between -π and π.",
            "torch.hypot(eta[:, None] - eta, (phi[:, None] - phi + torch.pi) % (2 * torch.pi) - torch.pi)",
        ),
    ),
    Exercise(
        name="top_tagging.nearest_columns",
        reference=nearest_columns,
        inputs=_distances,
        mistakes=(
            Mistake("Each particle is its own nearest neighbour. Forbid the diagonal.", _columns_with(itself=True)),
            Mistake("Padding is among the neighbours. Forbid its columns.", _columns_with(padding=True)),
            Mistake("These are the farthest particles: topk looks for large values.", _columns_with(largest=True)),
            Mistake(
                "There are rows for the padding as well. Give one row for each real particle.",
                _columns_with(rows=False),
            ),
            Mistake(
                "You count among the real particles only. Give the columns of the table as it came in.",
                _columns_among_real,
            ),
        ),
        hints=(
            "What may not be a neighbour gets an infinite distance. Change a copy: the table is still needed.",
            "~mask are forbidden columns, torch.eye(len(mask), dtype=torch.bool) the forbidden diagonal. "
            "table[mask] keeps the rows of real particles.",
            "distance.masked_fill(~mask | torch.eye(len(mask), dtype=torch.bool), torch.inf)[mask], then "
            ".topk(k, largest=False).indices",
        ),
    ),
    Exercise(
        name="top_tagging.edge_features",
        reference=edge_features,
        inputs=_graph,
        mistakes=(
            Mistake(
                "The sign: from the particle to its neighbour is x_j - x_i.",
                lambda x, neighbors: torch.cat(
                    [x[:, None].expand(-1, neighbors.shape[1], -1), x[:, None] - x[neighbors]], dim=-1
                ),
            ),
            Mistake(
                "These are particle and neighbour. The second half is asked for relative to the particle.",
                lambda x, neighbors: torch.cat([x[:, None].expand(-1, neighbors.shape[1], -1), x[neighbors]], dim=-1),
            ),
            Mistake(
                "The two halves are swapped: the particle comes first.",
                lambda x, neighbors: torch.cat(
                    [x[neighbors] - x[:, None], x[:, None].expand(-1, neighbors.shape[1], -1)], dim=-1
                ),
            ),
            Mistake(
                "The first half holds the neighbours' features. It is the particle's own that belong there.",
                lambda x, neighbors: torch.cat([x[neighbors], x[neighbors] - x[:, None]], dim=-1),
            ),
        ),
        hints=(
            "x[neighbors] has shape (particles, k, features): the features of all neighbours.",
            "x[:, None] has shape (particles, 1, features); .expand(-1, k, -1) repeats it for each neighbour.",
            "torch.cat([x[:, None].expand(-1, k, -1), x[neighbors] - x[:, None]], dim=-1), with k = neighbors.shape[1]",
        ),
    ),
    Exercise(
        name="top_tagging.mean_over_particles",
        reference=mean_over_particles,
        inputs=_padded,
        mistakes=(
            Mistake("The padding takes part. Only particles where the mask is True count.", lambda x, mask: x.mean(1)),
            Mistake(
                "You divide by the number of columns: the more padding, the smaller the result.",
                lambda x, mask: (x * mask[..., None]).mean(1),
            ),
            Mistake(
                "This is the sum. Divide by the number of particles.", lambda x, mask: (x * mask[..., None]).sum(1)
            ),
            Mistake(
                "You divide by the number of particles in the whole batch. Each jet has its own.",
                lambda x, mask: (x * mask[..., None]).sum(1) / mask.sum(),
            ),
        ),
        hints=(
            "A sum over the real particles, divided by how many there are in this jet.",
            "x * mask[..., None] has zeros in the padding, mask.sum(1) counts.",
            "(x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)",
        ),
    ),
]
