"""Kinematic fits: a linear constraint in closed form, a mass constraint against scipy, chi^2, pulls, gradients."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.stats import chi2, kstest

from hepml_labs.physics.kinematic_fit import kinematic_fit

PION, ANGLE = 0.1349768, 0.3  # GeV: a neutral pion and the opening angle of its photons


def pion_mass(energies):
    return torch.sqrt(2 * energies[:1] * energies[1:] * (1 - np.cos(ANGLE))) - PION


def photons(n, seed, resolution=0.02):
    """Energies of two photons of a pion, as they are and as measured, GeV."""
    random = np.random.default_rng(seed)
    first = random.uniform(0.3, 0.7, n)
    true = np.column_stack([first, PION**2 / (2 * first * (1 - np.cos(ANGLE)))])
    return torch.as_tensor(true), torch.as_tensor(true + resolution * random.normal(size=true.shape))


def test_linear_constraints_are_solved_exactly():
    random = np.random.default_rng(1)
    a, b = random.normal(size=(2, 4)), random.normal(size=2)
    root = random.normal(size=(4, 4))
    v, q = root @ root.T, random.normal(size=(3, 4))
    fit = kinematic_fit(
        torch.as_tensor(q), torch.as_tensor(v), lambda x: torch.as_tensor(a) @ x - torch.as_tensor(b), 1
    )
    kernel = np.block([[np.linalg.inv(v), a.T], [a, np.zeros((2, 2))]])  # the equations with their multipliers
    for k in range(3):
        expected = np.linalg.solve(kernel, np.concatenate([np.linalg.inv(v) @ q[k], b]))[:4]
        np.testing.assert_allclose(fit.value[k], expected, rtol=1e-8)
    np.testing.assert_allclose(a @ fit.covariance[0].numpy(), 0, atol=1e-10)


def test_mass_constraint_agrees_with_scipy():
    _, measured = photons(5, 2)
    fit = kinematic_fit(measured, 4e-4 * torch.eye(2, dtype=torch.float64), pion_mass)
    for q, value, distance in zip(measured.numpy(), fit.value.numpy(), fit.chi2.numpy(), strict=True):
        rule = {"type": "eq", "fun": lambda x: 100 * pion_mass(torch.as_tensor(x)).numpy()}
        found = minimize(lambda x, q=q: ((x - q) ** 2).sum() / 4e-4, q, constraints=rule, options={"ftol": 1e-13})
        np.testing.assert_allclose(value, found.x, rtol=1e-4)
        assert distance == pytest.approx(found.fun, rel=1e-3, abs=1e-6)


def test_chi2_and_pulls():
    true, measured = photons(3000, 3, resolution=0.005)
    fit = kinematic_fit(measured, 2.5e-5 * torch.eye(2, dtype=torch.float64), pion_mass)
    assert kstest(fit.chi2, chi2(1).cdf).pvalue > 0.01
    pull = (fit.value - true)[:, 0] / fit.covariance[:, 0, 0].sqrt()
    assert abs(pull.std() - 1) < 0.05
    assert (fit.value - true).std() < 0.75 * (measured - true).std()


def test_gradients_pass():
    _, measured = photons(2, 4)
    covariance = 4e-4 * torch.eye(2, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda q: kinematic_fit(q, covariance, pion_mass).value, measured.requires_grad_())
