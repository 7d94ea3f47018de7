"""Phase space: kinematics, moments known in closed form, and the volume against an independent integral."""

import numpy as np
import pytest

from hepml_labs.physics.kinematics import invariants, minkowski_product
from hepml_labs.physics.phase_space import phase_space_volume, rambo


@pytest.mark.parametrize("particles", [2, 3, 4, 5])
def test_momenta_are_conserved_and_massless(particles):
    p = rambo(2000, particles, 500.0, seed=1)
    np.testing.assert_allclose(p.sum(1), np.broadcast_to([500.0, 0, 0, 0], (2000, 4)), atol=1e-9)
    assert np.abs(minkowski_product(p, p)).max() < 1e-9 * 500**2


@pytest.mark.parametrize("particles", [3, 4, 5])
def test_energies_and_invariants_follow_the_known_densities(particles):
    n, energy = 100_000, 2.0
    p = rambo(n, particles, energy, seed=2)
    # Uniform phase space: the density of x = 2 E / sqrt(s) is proportional to x (1 - x)^(n - 3), a Beta(2, n - 2),
    # and that of s_12 / s to y^0 (1 - y)^(2n - 5) folded with the rest: E[s_12] / s = 1 / (n (n - 1) / 2).
    x = 2 * p[:, 0, 0] / energy
    alpha, beta = 2, particles - 2
    mean, variance = alpha / (alpha + beta), alpha * beta / (alpha + beta) ** 2 / (alpha + beta + 1)
    assert x.mean() == pytest.approx(mean, abs=4 * np.sqrt(variance / n))
    assert x.var() == pytest.approx(variance, rel=0.03)
    y = invariants(p)[:, 0, 1] / energy**2
    assert y.mean() == pytest.approx(2 / particles / (particles - 1), abs=4 * y.std() / np.sqrt(n))
    direction = p[:, 0, 1:] / p[:, 0, :1]
    np.testing.assert_allclose(direction.mean(0), 0, atol=4 / np.sqrt(3 * n))
    np.testing.assert_allclose((direction[:, :, None] * direction[:, None]).mean(0), np.eye(3) / 3, atol=0.01)


def test_three_particles_fill_the_dalitz_plot_evenly():
    s = invariants(rambo(90_000, 3, 1.0, seed=3))
    a, b = s[:, 0, 1], s[:, 0, 2]  # uniform in the triangle a, b > 0, a + b < 1
    counts = [((a < 0.5) & (b < 0.5)).sum(), (a > 0.5).sum(), (b > 0.5).sum()]
    np.testing.assert_allclose(np.array(counts) / 90_000, [0.5, 0.25, 0.25], atol=0.007)


@pytest.mark.parametrize("particles", [3, 4, 5])
def test_volume_obeys_the_factorisation_into_two_body_decays(particles):
    # dPhi_n(s) = dPhi_(n-1)(m^2) dPhi_2(s; m, 0) dm^2 / (2 pi), with dPhi_2 = (1 - m^2 / s) / (8 pi).
    s = 9.0
    nodes, weights = np.polynomial.legendre.leggauss(20)
    m2 = s * (nodes + 1) / 2
    inner = np.array([phase_space_volume(particles - 1, np.sqrt(value)) for value in m2])
    integral = (weights * s / 2 * inner * (1 - m2 / s) / (8 * np.pi) / (2 * np.pi)).sum()
    assert phase_space_volume(particles, np.sqrt(s)) == pytest.approx(integral)


def test_seeds_decide():
    assert np.array_equal(rambo(5, 3, 1.0, seed=4), rambo(5, 3, 1.0, seed=4))
    assert not np.array_equal(rambo(5, 3, 1.0, seed=4), rambo(5, 3, 1.0, seed=5))


@pytest.mark.parametrize("arguments, name", [((0, 3, 1.0), "n"), ((5, 1, 1.0), "particles"), ((5, 3, -1.0), "energy")])
def test_bad_input_is_named(arguments, name):
    with pytest.raises(ValueError, match=f"^{name}: found"):
        rambo(*arguments)
