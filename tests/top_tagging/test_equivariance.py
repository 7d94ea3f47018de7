"""Lorentz transformations at random: the group's own relations, and the measure of invariance."""

import math

import pytest
import torch

from hepml_labs.physics.kinematics import boost, minkowski_product
from hepml_labs.top_tagging.equivariance import (
    METRIC,
    boost_matrix,
    invariance_error,
    random_boosts,
    random_rotations,
    random_transformations,
)


def test_every_matrix_keeps_the_metric():
    for matrix in (random_boosts(200), random_rotations(200), random_transformations(200)):
        torch.testing.assert_close(matrix.mT @ METRIC @ matrix, METRIC.expand(200, 4, 4), rtol=0, atol=1e-12)
        torch.testing.assert_close(torch.linalg.det(matrix), torch.ones(200, dtype=torch.float64))
        assert (matrix[:, 0, 0] >= 1 - 1e-12).all()


def test_boosts_are_those_of_the_kinematics_and_add_rapidities():
    direction, rapidity = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64), torch.tensor(0.8, dtype=torch.float64)
    momentum = torch.tensor([5.0, 1.0, 2.0, 3.0], dtype=torch.float64)
    matrix = boost_matrix(direction, rapidity)
    velocity = direction / direction.norm() * rapidity.tanh()
    torch.testing.assert_close(matrix @ momentum, boost(momentum, velocity))
    torch.testing.assert_close(matrix @ matrix, boost_matrix(direction, 2 * rapidity))
    torch.testing.assert_close(matrix @ boost_matrix(-direction, rapidity), torch.eye(4, dtype=torch.float64))


def test_two_boosts_make_a_rotation_as_well():
    """Wigner: boosts are no group. The product of two in different directions is not symmetric, a boost is."""
    x, y, z = torch.eye(3, dtype=torch.float64)
    rapidity = torch.tensor(1.0, dtype=torch.float64)
    product = boost_matrix(x, rapidity) @ boost_matrix(y, rapidity)
    assert (product - product.T).abs().max() > 0.5
    torch.testing.assert_close(boost_matrix(z, rapidity), boost_matrix(z, rapidity).T)


def test_rapidities_and_directions_are_spread_as_said():
    boosts = random_boosts(20_000, gamma=5.0, seed=3)
    rapidity = boosts[:, 0, 0].acosh() / math.acosh(5.0)
    assert rapidity.max() < 1 + 1e-12
    assert abs(float(rapidity.mean()) - 0.5) < 4 / math.sqrt(12 * 20_000)
    direction = boosts[:, 1:, 0] / boosts[:, 1:, 0].norm(dim=1, keepdim=True)
    assert direction.mean(0).abs().max() < 4 / math.sqrt(3 * 20_000)
    torch.testing.assert_close(random_boosts(5, gamma=3.0, fixed=True)[:, 0, 0], torch.full((5,), 3.0).double())
    assert torch.equal(random_boosts(5, seed=1), random_boosts(5, seed=1))


def test_rotations_are_uniform():
    """The rotated z axis is isotropic, and the angle has the density (1 - cos a) / pi: its cosine averages -1/2."""
    rotations = random_rotations(20_000, seed=4)[:, 1:, 1:]
    z = rotations[:, :, 2]
    assert z.mean(0).abs().max() < 4 / math.sqrt(3 * 20_000)
    assert abs(float((z[:, 2] ** 2).mean()) - 1 / 3) < 4 * math.sqrt(4 / 45 / 20_000)
    cosine = (rotations.diagonal(dim1=1, dim2=2).sum(1) - 1) / 2
    assert abs(float(cosine.mean()) + 0.5) < 4 * 0.5 / math.sqrt(20_000)


def test_the_error_is_zero_for_an_invariant_and_right_for_the_energy():
    momenta = torch.rand(6, 3, 4, dtype=torch.float64)
    mask = torch.ones(6, 3, dtype=torch.bool)

    def invariant(p, mask):
        return minkowski_product(p[:, :1], p)

    def energy(p, mask):
        return p.sum(1)[:, :1]

    assert invariance_error(invariant, momenta, mask).max() < 1e-12
    error = invariance_error(energy, momenta, mask, gamma=4.0, seed=5)
    matrix = random_transformations(6, gamma=4.0, seed=5)
    total = momenta.sum(1)
    torch.testing.assert_close(error, ((matrix @ total[..., None])[:, 0, 0] - total[:, 0]).abs())


def test_readable_errors():
    with pytest.raises(ValueError, match="gamma: found 0.5, expected a Lorentz factor of at least 1"):
        random_boosts(1, gamma=0.5)
    with pytest.raises(ValueError, match="n: found 0"):
        random_rotations(0)
