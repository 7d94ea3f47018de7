"""The covariant velocity: gradients against automatic differentiation, symmetries, the way round the circle."""

import math

import pytest
import torch

from hepml_labs.diffusion.covariant import (
    CovariantVelocity,
    covariant_loss,
    difference,
    particle_coordinates,
    particle_momenta,
)
from hepml_labs.top_tagging.equivariance import random_transformations

pytest.importorskip("lgatr")

PARTICLES = 3


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return CovariantVelocity(PARTICLES, channels=8, scalars=8, blocks=2, heads=2).double()


def draw(n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    y = torch.randn(n, PARTICLES, 4, generator=generator, dtype=torch.float64)
    return y + torch.tensor([4.0, 0.0, 0.0, 4.0]), torch.rand(n, generator=generator, dtype=torch.float64)


def test_coordinates_and_momenta_are_inverse():
    y, _ = draw(1000)
    y[..., 1] = torch.remainder(y[..., 1] + math.pi, 2 * math.pi) - math.pi
    torch.testing.assert_close(particle_coordinates(particle_momenta(y)), y, rtol=0, atol=1e-6)


def test_velocity_of_the_angles_is_the_projected_vector(network):
    """pT d(phi)/dp . u and pT d(eta)/dp . u, the gradients by automatic differentiation."""
    y, t = draw(20)
    momenta = particle_momenta(y).requires_grad_()
    vectors, scalars = network.vectors(momenta.detach(), t)
    found = network(y, t)
    pt = y[..., 0].exp()
    for column in (1, 2):
        (gradient,) = torch.autograd.grad(particle_coordinates(momenta)[..., column].sum(), momenta)
        torch.testing.assert_close(found[..., column], pt * (gradient * vectors).sum(-1))
    torch.testing.assert_close(found[..., [0, 3]], scalars)


def test_turning_the_event_about_the_beam_turns_the_flow(network):
    y, t = draw(50)
    turned = y + torch.tensor([0.0, 2.5, 0.0, 0.0])
    torch.testing.assert_close(network(turned, t), network(y, t), rtol=0, atol=1e-9)
    tilted = y + torch.tensor([0.0, 0.0, 0.5, 0.0])  # a boost along the beam: the references stay behind
    assert (network(tilted, t) - network(y, t)).abs().max() > 1e-4


def test_without_references_the_vectors_are_covariant_under_the_whole_group():
    torch.manual_seed(1)
    network = CovariantVelocity(PARTICLES, channels=8, scalars=8, blocks=2, heads=2, references=False).double()
    y, t = draw(20)
    momenta, matrix = particle_momenta(y), random_transformations(20, seed=3).double()[:, None]
    vectors, scalars = network.vectors(momenta, t)
    moved, same = network.vectors((matrix @ momenta[..., None])[..., 0], t)
    torch.testing.assert_close(moved, (matrix @ vectors[..., None])[..., 0], rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(same, scalars, rtol=1e-6, atol=1e-6)


def test_particles_go_the_short_way_round():
    start, stop = draw(1000, 1)[0] * 3, draw(1000, 2)[0] * 3
    way = difference(stop, start)
    assert way[..., 1].abs().max() <= math.pi
    torch.testing.assert_close((start + way)[..., 1].cos(), stop[..., 1].cos())
    torch.testing.assert_close((start + way)[..., [0, 2, 3]], stop[..., [0, 2, 3]])


def test_loss_is_the_mean_square_in_units_of_the_widths():
    (start, _), (stop, t) = draw(200, 1), draw(200, 2)
    scale = torch.full((PARTICLES, 4), 2.0, dtype=torch.float64)
    still = covariant_loss(lambda y, t: torch.zeros_like(y), start, stop, t, scale)
    torch.testing.assert_close(still, difference(stop, start).square().mean() / 4)


def test_shapes_are_checked(network):
    y, t = draw(5)
    with pytest.raises(ValueError, match="coordinates: found"):
        network(y[:, :2], t)
    with pytest.raises(ValueError, match="heads"):
        CovariantVelocity(3, heads=0)
