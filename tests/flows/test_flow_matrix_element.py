"""The matrix-element method: integrals against closed forms and quadrature, scans and intervals against Gaussians."""

import numpy as np
import pytest
from scipy.stats import norm
from scipy.stats import t as student

from hepml_labs.flows.matrix_element import estimate, integrate_events, log_likelihood
from hepml_labs.physics.muon_pairs import differential, generate, monomials
from hepml_labs.physics.spectrometer import Spectrometer, complete, log_transfer, measure_pairs


def polynomial(z):
    """Density N(z | 0, 1) (1 + C z + C^2 z^2): coefficients (p, 3)."""
    return norm.pdf(z) * np.concatenate([np.ones_like(z), z, z**2], 1)


def test_integrals_of_a_smeared_gaussian():
    x = np.array([[-1.0], [0.3], [2.0]])

    def propose(x, points, seed):
        centre = np.repeat(x[:, 0] / 2, points)
        z = centre + student.rvs(5, size=len(centre), random_state=seed)
        return z[:, None], student.logpdf(z - centre, 5)

    found = integrate_events(x, polynomial, lambda x, z: norm.logpdf(x, z)[:, 0], propose, 20_000, seed=1)
    mean, evidence = x[:, 0] / 2, norm.pdf(x[:, 0], scale=np.sqrt(2))
    exact = evidence[:, None] * np.stack([np.ones(3), mean, mean**2 + 0.5], 1)
    error = np.sqrt(np.einsum("nkk->nk", found.covariance))
    assert (np.abs(found.coefficients - exact) < 5 * error).all()
    assert (error[:, 0] < 0.01 * exact[:, 0]).all()
    # the spread is what repeated integrations show
    again = [
        integrate_events(x, polynomial, lambda x, z: norm.logpdf(x, z)[:, 0], propose, 50, seed=10 * k).coefficients
        for k in range(300)
    ]
    ratio = np.std(again, axis=0)[:, 0] / np.mean(again, axis=0)[:, 0]
    np.testing.assert_allclose(found.spread / np.sqrt(50), ratio, rtol=0.15)


def test_integral_of_a_muon_pair_against_quadrature():
    """Two latent momenta on a grid: no random number at all."""
    spectrometer = Spectrometer()
    z = generate(3000, seed=1)
    x, selected = measure_pairs(z, seed=2)
    x = x[selected][:2]

    def transfer(x, z):
        return log_transfer(x, z, spectrometer.log_density, spectrometer.efficiency)

    axis = np.linspace(-0.8, 0.8, 321)
    shift = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)

    def grid(x, points, seed):
        repeated = np.repeat(x, points, 0)
        centre = np.log(1000 / repeated[:, [0, 2]])
        return complete(centre + np.tile(shift, (len(x), 1)), repeated), np.full(len(repeated), -2 * np.log(1.605))

    def draw(x, points, seed):
        repeated = np.repeat(x, points, 0)
        u = student.rvs(4, size=(len(repeated), 2), random_state=seed)
        z = complete(np.log(1000 / repeated[:, [0, 2]]) + 0.08 * u, repeated)
        return z, (student.logpdf(u, 4) - np.log(0.08)).sum(1)

    exact = integrate_events(x, differential, transfer, grid, len(shift)).coefficients
    found = integrate_events(x, differential, transfer, draw, 40_000, seed=3)
    error = np.sqrt(np.einsum("nkk->nk", found.covariance))
    assert (np.abs(found.coefficients - exact) < 5 * error + 2e-3 * exact).all()
    assert (error < 0.03 * exact).all()


def test_likelihood_finds_the_coupling_of_exact_events():
    """With perfect measurement the coefficients are those of the cross-section, and the estimate is the true C."""
    sample, true = generate(20_000, 0.1, seed=3), 0.05
    coefficients = differential(sample)
    weight = 1 / (coefficients @ monomials(0.1))
    total = (coefficients * weight[:, None]).mean(0)
    events = differential(generate(2000, true, seed=4))
    grid = np.linspace(-0.05, 0.2, 101)
    result = estimate(grid, log_likelihood(events, total, monomials(grid)).sum(0))
    assert result.low < result.value < result.high
    assert abs(result.value - true) < 4 * result.error
    assert 0.002 < result.error < 0.02


def test_intervals():
    grid = np.linspace(-1, 1, 401)
    result = estimate(grid, 7 - 0.5 * (grid - 0.2) ** 2 / 0.1**2)
    assert result == pytest.approx((0.2, 0.1, 0.3), abs=1e-3)
    assert result.error == pytest.approx(0.1, abs=1e-3)
    flat = estimate(grid, -0.5 * (grid - 0.95) ** 2 / 0.1**2)
    assert np.isnan(flat.high) and flat.low == pytest.approx(0.85, abs=1e-3)
    assert np.isnan(estimate(grid, grid)).all()
    with pytest.raises(ValueError, match="not above zero"):
        log_likelihood(np.array([[1.0, -1.0]]), np.ones(2), np.array([[1.0, 2.0]]))
