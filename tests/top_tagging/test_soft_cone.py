"""The soft cone: against the sum over all 64 clusterings of six particles, with an observable that has no gradient."""

import itertools

import numpy as np
import pytest
import torch

from hepml_labs.top_tagging.soft_cone import inclusion_probability, radius_gradient

RANDOM = np.random.default_rng(1)
MOMENTUM = RANDOM.normal(size=(6, 3)) * 5 + [30, 0, 0]
MOMENTA = torch.as_tensor(np.column_stack([np.linalg.norm(MOMENTUM, axis=1), MOMENTUM]))
DISTANCE = torch.tensor([0.05, 0.2, 0.35, 0.38, 0.45, 0.6], dtype=torch.float64)


def mass(jet):
    return torch.sqrt((jet[:, 0] ** 2 - (jet[:, 1:] ** 2).sum(1)).clamp(min=0))


def is_heavy(jet):
    return (mass(jet) > 11).double()


@pytest.mark.parametrize("observable", [mass, is_heavy])
def test_gradient_is_that_of_the_sum_over_all_clusterings(observable):
    radius = torch.tensor(0.4, dtype=torch.float64, requires_grad=True)
    probability = inclusion_probability(DISTANCE, radius)
    chosen = torch.tensor(list(itertools.product([0.0, 1.0], repeat=6)), dtype=torch.float64)
    weight = (chosen * probability + (1 - chosen) * (1 - probability)).prod(dim=1)
    exact = (weight * observable(chosen @ MOMENTA)).sum()
    (slope,) = torch.autograd.grad(exact, radius)
    mean, gradient, error = radius_gradient(MOMENTA, DISTANCE, 0.4, observable, samples=20_000)
    assert mean == pytest.approx(float(exact.detach()), rel=0.03)
    assert abs(gradient - float(slope)) < 4 * error and error < 0.05 * abs(float(slope)) + 0.05
    assert abs(float(slope)) > 10 * error


def test_a_wrong_number_of_distances_is_named():
    with pytest.raises(ValueError, match="distance"):
        radius_gradient(MOMENTA, DISTANCE[:3], 0.4, mass)
