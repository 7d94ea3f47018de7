"""Exercises of the lab "The uncertainty as the loss"."""

import torch

from hepml_labs.classification.systematics_aware import asimov_information, profiled_variance, soft_histogram
from hepml_labs.teaching import Exercise, Mistake


def _tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def _templates(rng):
    bins = int(rng.integers(4, 8))
    return _tensor(rng.uniform(5, 100, bins)), _tensor(rng.normal(0, 10, (3, bins)))


def _information_with(weigh=lambda expected: 1 / expected, constraint=lambda n: [0.0] + [1.0] * (n - 1)):
    def wrong(expected, derivatives):
        product = (derivatives * weigh(expected)) @ derivatives.T
        return product + torch.diag(_tensor(constraint(len(derivatives))))

    return wrong


def _information(rng):
    slope = _tensor(rng.normal(size=(3, 9)))
    return (slope @ slope.T + torch.eye(3, dtype=torch.float64),)


def _complement(information):
    return profiled_variance(information).reciprocal()


def _scores(rng):
    edges = torch.tensor([0.2, 0.45, 0.8], dtype=torch.float64)
    return _tensor(rng.uniform(0, 1, int(rng.integers(6, 12)))), edges, float(rng.uniform(0.05, 0.3))


def _above(score, edges, temperature):
    return torch.sigmoid((score[:, None] - edges) / temperature)


def _bins_with(above=_above, open_ends=True):
    def wrong(score, edges, temperature):
        steps = above(score, edges, temperature)
        if open_ends:
            one = torch.ones_like(score[:, None])
            steps = torch.cat([one, steps, 0 * one], dim=1)
        return (steps[:, :-1] - steps[:, 1:]).sum(dim=0)

    return wrong


EXERCISES = [
    Exercise(
        name="classification.asimov_information",
        reference=asimov_information,
        inputs=_templates,
        mistakes=(
            Mistake(
                "The constraints are missing: each nuisance parameter is known to one standard deviation.",
                _information_with(constraint=lambda n: [0.0] * n),
            ),
            Mistake(
                "The signal strength is constrained too. Nothing but these data knows it.",
                _information_with(constraint=lambda n: [1.0] * n),
            ),
            Mistake(
                "Each bin counts with one over its variance, and the variance of a count is its expectation.",
                _information_with(weigh=lambda expected: expected**-2),
            ),
            Mistake(
                "The bins are not weighted: the same slope says less where more events are expected.",
                _information_with(weigh=torch.ones_like),
            ),
        ),
        hints=(
            "A sum over bins: the slope by one parameter times the slope by the other, over the expected number.",
            "(derivatives / expected) @ derivatives.T has the right shape.",
            "Then add one to every entry of the diagonal but the first.",
        ),
    ),
    Exercise(
        name="classification.profiled_variance",
        reference=profiled_variance,
        inputs=_information,
        mistakes=(
            Mistake(
                "This holds the nuisance parameters fixed: it is the statistical error alone.",
                lambda information: 1 / information[0, 0],
            ),
            Mistake("This is what is left of the information. Its inverse is the variance.", _complement),
            Mistake(
                "This is a standard deviation; the variance is asked for.",
                lambda information: profiled_variance(information).sqrt(),
            ),
            Mistake(
                "The sign: what the nuisance parameters imitate is *lost*.",
                lambda information: 1 / (2 * information[0, 0] - _complement(information)),
            ),
        ),
        hints=(
            "Profiling is the first entry of the diagonal of the *inverse* matrix.",
            "Take the block of the nuisance parameters, information[1:, 1:], and the row information[0, 1:].",
            "One over: I[0, 0] - I[0, 1:] @ torch.linalg.solve(I[1:, 1:], I[1:, 0])",
        ),
    ),
    Exercise(
        name="classification.soft_histogram",
        reference=soft_histogram,
        inputs=_scores,
        mistakes=(
            Mistake(
                "The outermost bins must be open: an event beyond the last edge belongs to the last bin.",
                _bins_with(open_ends=False),
            ),
            Mistake(
                "You multiply by the temperature. A small temperature makes the step steep: divide.",
                _bins_with(lambda score, edges, t: torch.sigmoid((score[:, None] - edges) * t)),
            ),
            Mistake(
                "The bins come in reverse: the first one holds the lowest scores.",
                lambda score, edges, t: soft_histogram(score, edges, t).flip(0),
            ),
            Mistake(
                "These edges are hard. The result is right, but no gradient comes through.",
                lambda score, edges, t: soft_histogram(score, edges, 0.0),
            ),
        ),
        hints=(
            "How far above an edge is an event? A sigmoid of (score - edge) / temperature goes from 0 to 1.",
            "A bin holds what is above its lower edge less what is above its upper edge.",
            "Add a column of ones in front and one of zeros behind, subtract neighbours, sum over events.",
        ),
    ),
]
