"""Corrections of generated events: known ratios, errors against repetitions, and what no weight can do."""

import numpy as np
import pytest
from scipy.integrate import dblquad

from hepml_labs.diffusion.reweighting import GeneratorCorrection, corrected_shares, unweight
from hepml_labs.diffusion.shell import MuonShell


def test_correction_learns_the_ratio():
    random = np.random.default_rng(1)
    truth, generated = random.normal(size=(6000, 1)), random.normal(0.5, 1.0, size=(8000, 1))
    correction = GeneratorCorrection(hidden=(16,), epochs=10, members=3).fit(truth, generated)
    x = np.linspace(-1, 2, 7)[:, None]
    np.testing.assert_allclose(np.log(correction.predict_weights(x)), 0.125 - 0.5 * x[:, 0], atol=0.15)
    assert correction.member_weights(x).shape == (3, 7)
    np.testing.assert_allclose(np.log(correction.member_weights(x)).mean(0), np.log(correction.predict_weights(x)))


def test_errors_of_corrected_shares():
    random = np.random.default_rng(2)
    shares = []
    for _ in range(600):
        x = random.random(200)
        weight = 0.2 + 2 * x
        cell = (3 * x).astype(int)
        found = corrected_shares(cell, weight, np.stack([weight, weight]), cells=3)
        shares.append(found.value)
    np.testing.assert_allclose(found.statistical, np.std(shares, axis=0), rtol=0.2)
    assert found.learned == pytest.approx(0)
    cell, flat = np.repeat([0, 1], (25, 75)), np.ones(100)
    tilted = np.where(cell == 0, 1.2, 1.0)
    found = corrected_shares(cell, flat, np.stack([flat, tilted]), cells=2)
    np.testing.assert_allclose(found.statistical, np.sqrt(0.25 * 0.75 / 100))
    np.testing.assert_allclose(found.learned, (30 / 105 - 0.25) / np.sqrt(2))
    np.testing.assert_allclose(found.error, np.hypot(found.statistical, found.learned))


def test_unweight():
    random = np.random.default_rng(3)
    x = random.random((40_000, 1))
    kept = unweight(x, x[:, 0])  # density 2 x
    assert len(kept) / len(x) == pytest.approx(0.5, abs=0.02)
    assert kept.mean() == pytest.approx(2 / 3, abs=0.01)
    assert len(unweight(x, x[:, 0], quantile=0.5)) > 1.4 * len(kept)


def test_muon_shell():
    shell = MuonShell()
    x = shell.sample(50_000, seed=1)
    unit = shell.to_unit(x)
    np.testing.assert_allclose(shell.from_unit(unit), x, atol=1e-9)
    assert np.abs(unit.mean(0) - 0.5).max() < 0.006 and np.abs(12 * unit.var(0) - 1).max() < 0.03
    assert (x[:, 2] / np.linalg.norm(x, axis=1)).var() == pytest.approx(0.4, abs=0.01)  # <cos^2> of 1 + cos^2
    # normalisation over |p| and cos(theta), and the Jacobian of the map to the cube

    def integrand(c, p):
        s = np.sqrt(1 - c**2)
        return 2 * np.pi * p**2 * shell.density(np.array([[p * s, 0.0, p * c]]))[0]

    assert dblquad(integrand, 15, 76, -1, 1, epsabs=1e-6, epsrel=1e-6)[0] == pytest.approx(1, abs=1e-5)
    point, step = x[0], 1e-3
    jacobian = [(shell.to_unit((point + e)[None]) - shell.to_unit((point - e)[None]))[0] for e in step * np.eye(3)]
    assert abs(np.linalg.det(np.array(jacobian) / (2 * step))) == pytest.approx(shell.density(point[None])[0], rel=1e-5)


def test_bad_input():
    cell, weight = np.array([0, 1]), np.ones(2)
    with pytest.raises(ValueError, match="cell: found int64 from 0 to 1, expected integers below 1"):
        corrected_shares(cell, weight, np.stack([weight, weight]), cells=1)
    with pytest.raises(ValueError, match="number of members"):
        corrected_shares(cell, weight, weight[None], cells=2)
    with pytest.raises(ValueError, match="weight"):
        corrected_shares(cell, -weight, np.stack([weight, weight]), cells=2)
    with pytest.raises(ValueError, match="weight: found"):
        unweight(np.ones((2, 1)), -weight)
    with pytest.raises(ValueError, match="generated"):
        GeneratorCorrection().fit(np.ones((5, 2)), np.ones((5, 3)))
    with pytest.raises(ValueError, match="resolution"):
        MuonShell(resolution=0.0)
