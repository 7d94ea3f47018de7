"""Exercises of the lab "What decorrelation costs"."""

import numpy as np
import torch

from hepml_labs.classification.decorrelation import planing_weights
from hepml_labs.classification.distance_correlation import squared_distance_correlation
from hepml_labs.classification.sculpting import jensen_shannon_divergence
from hepml_labs.teaching import Exercise, Mistake


def flat_weights(mass, edges):
    """Weights of mean one that make a spectrum flat between the edges.

    Parameters
    ----------
    mass : array, (n,)
        All between the first and the last edge.
    edges : array, (bins + 1,)
        Rising bin edges, bins of any width.

    Returns
    -------
    array, (n,)

    Examples
    --------
    >>> flat_weights(np.array([0.5, 0.5, 0.5, 1.5]), np.array([0.0, 1.0, 2.0])).round(3)
    array([0.667, 0.667, 0.667, 2.   ])
    """
    return planing_weights(mass, np.zeros(len(mass)), edges)


def normed_step(x, gradient, size):
    """Move each event by a given distance along its gradient.

    Parameters
    ----------
    x, gradient : tensor, (n, features)
    size : float
        Euclidean length of the step of each event.

    Returns
    -------
    tensor, (n, features)

    Examples
    --------
    >>> normed_step(torch.zeros(1, 2), torch.tensor([[3.0, -4.0]]), 0.1)
    tensor([[ 0.0600, -0.0800]])
    """
    return x + size * gradient / gradient.norm(dim=1, keepdim=True)


def _pair(rng):
    x = rng.normal(size=12)
    return 3 * x, x**2 + 0.5 * x + 0.4 * rng.normal(size=12)


def _correlation_with(centre=lambda d: d - d.mean(0) - d.mean(1)[:, None] + d.mean(), norm=True, power=1.0):
    def wrong(x, y):
        a, b = (centre(np.abs(v[:, None] - v[None, :])) for v in (x, y))
        covariance = (a * b).mean()
        return (covariance / np.sqrt((a * a).mean() * (b * b).mean()) if norm else covariance) ** power

    return wrong


def _spectrum(rng):
    edges = np.array([40.0, 60.0, 90.0, 100.0, 180.0])
    return rng.permutation(
        np.concatenate([edges[:-1] + 1, rng.uniform(40, 180, size=int(rng.integers(20, 30)))])
    ), edges


def _weights_with(value, norm=np.mean):
    def wrong(mass, edges):
        index = np.digitize(mass, edges) - 1
        weight = value(np.bincount(index, minlength=len(edges) - 1), np.diff(edges))[index].astype(float)
        return weight / norm(weight)

    return wrong


def _histograms(rng):
    first, second = rng.integers(1, 30, size=(2, 9)).astype(float)
    first[2] = second[5] = 0.0  # empty bins are part of life
    first[7] = second[7] = 0.0
    return first, second


def _divergence_with(log=np.log2, factor=0.5, normalise=True, both=True, power=1.0):
    def wrong(first, second):
        p, q = (h / h.sum() if normalise else h for h in (first, second))
        half = (p + q) / 2

        def relative_entropy(r):
            full = r > 0
            return (r[full] * log(r[full] / half[full])).sum()

        return (factor * (relative_entropy(p) + (relative_entropy(q) if both else 0))) ** power

    return wrong


def _gradients(rng):
    x, gradient = rng.normal(size=(2, 5, 3))
    return torch.from_numpy(x).float(), torch.from_numpy(gradient * 0.01).float(), float(rng.uniform(0.1, 0.5))


EXERCISES = [
    Exercise(
        name="classification.jensen_shannon_divergence",
        reference=jensen_shannon_divergence,
        inputs=_histograms,
        mistakes=(
            Mistake("This is in nats. Take the logarithm to base two for bits.", _divergence_with(log=np.log)),
            Mistake("The average of two divergences has a factor one half.", _divergence_with(factor=1.0)),
            Mistake("Bring both histograms to sum one first: shapes are compared.", _divergence_with(normalise=False)),
            Mistake(
                "Only the first histogram is compared with the average. The second has its own term.",
                _divergence_with(both=False),
            ),
            Mistake("The root is a distance; the divergence itself is asked for.", _divergence_with(power=0.5)),
        ),
        hints=(
            "Bring both to sum one, and take their average m = (p + q) / 2.",
            "The sum over bins of p log2(p / m), the same for q, and the average of the two. An empty bin adds zero.",
            "scipy.special.rel_entr(p, m).sum() / np.log(2) is the first sum, with empty bins taken care of.",
        ),
    ),
    Exercise(
        name="classification.flat_weights",
        reference=flat_weights,
        inputs=_spectrum,
        mistakes=(
            Mistake(
                "Full bins get large weights: it is the rare masses that must count more.",
                _weights_with(lambda count, width: count / width),
            ),
            Mistake(
                "The contents of the bins are equal now, but the bins are not equally wide: the density must be flat.",
                _weights_with(lambda count, width: 1 / count),
            ),
            Mistake(
                "The weights sum to one. Bring their mean to one, so that the size of the loss stays the same.",
                _weights_with(lambda count, width: width / count, norm=np.sum),
            ),
            Mistake(
                "You divide by the root of the density: the spectrum is only half as steep.",
                _weights_with(lambda count, width: np.sqrt(width / count)),
            ),
        ),
        hints=(
            "A flat density means: the weights in each bin sum to something in proportion to the width of the bin.",
            "np.histogram counts, np.digitize(mass, edges) - 1 tells each jet its bin.",
            "weight = (np.diff(edges) / count)[index], then divide by weight.mean().",
        ),
    ),
    Exercise(
        name="classification.squared_distance_correlation",
        reference=squared_distance_correlation,
        inputs=_pair,
        mistakes=(
            Mistake("The distances are not centred.", _correlation_with(centre=lambda d: d)),
            Mistake(
                "You take off the overall mean only: rows and columns have their own means.",
                _correlation_with(centre=lambda d: d - d.mean()),
            ),
            Mistake(
                "Taking off rows and columns, you took off the overall mean twice: add it once.",
                _correlation_with(centre=lambda d: d - d.mean(0) - d.mean(1)[:, None]),
            ),
            Mistake(
                "This is the covariance, which has units: divide by the two variances.", _correlation_with(norm=False)
            ),
            Mistake(
                "This is the root. The square of the distance correlation is asked for.", _correlation_with(power=0.5)
            ),
            Mistake(
                "This is the linear correlation, squared. Work with the distances between events.",
                lambda x, y: np.corrcoef(x, y)[0, 1] ** 2,
            ),
        ),
        hints=(
            "Start from the matrix of distances, np.abs(x[:, None] - x[None, :]), for each of the two.",
            "Centre it: minus the mean of the row, minus the mean of the column, plus the mean of all.",
            "(A * B).mean() / np.sqrt((A * A).mean() * (B * B).mean())",
        ),
    ),
    Exercise(
        name="classification.normed_step",
        reference=normed_step,
        inputs=_gradients,
        mistakes=(
            Mistake(
                "With the absolute value the direction is lost: every feature of every event moves up.",
                lambda x, gradient, size: x + size * gradient.abs() / gradient.norm(dim=1, keepdim=True),
            ),
            Mistake(
                "You go downhill. An attack raises the loss.",
                lambda x, gradient, size: x - size * gradient / gradient.norm(dim=1, keepdim=True),
            ),
            Mistake(
                "That is the sign method: there each feature moves by the same amount.",
                lambda x, gradient, size: x + size * gradient.sign(),
            ),
            Mistake(
                "You divide by the norm over the whole batch: each event has its own.",
                lambda x, gradient, size: x + size * gradient / gradient.norm(),
            ),
            Mistake(
                "The step has the length of the gradient. Its length should be `size`, wherever the event lies.",
                lambda x, gradient, size: x + size * gradient,
            ),
        ),
        hints=(
            "A step of a given length in the direction of a vector: divide the vector by its length.",
            "gradient.norm(dim=1) has shape (n,): one length for each event.",
            "keepdim=True makes it (n, 1), so that it divides every feature of its event.",
        ),
    ),
]
