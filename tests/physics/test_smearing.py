"""The detector: densities are normalised and are those of what is drawn; boosts and decays are what they should be."""

import numpy as np
import pytest
from scipy.stats import kstest

from hepml_labs.physics.kinematics import boost, mass, minkowski_product, pt
from hepml_labs.physics.smearing import (
    Resolution,
    cylindrical,
    decay_to_photons,
    jet_log_density,
    massless,
    measure,
    smear_jets,
    transverse_boost,
)

N = 4000


def jets(n=N, seed=1):
    random = np.random.default_rng(seed)
    return massless(20 + random.exponential(60, n), random.uniform(-4, 4, n), random.uniform(-np.pi, np.pi, n))


def balanced(n=N, seed=2):
    """Two quarks and a Higgs boson without transverse momentum."""
    quarks = jets(2 * n, seed).reshape(n, 2, 4)
    px, py = -quarks[..., 1].sum(1), -quarks[..., 2].sum(1)
    pz = np.random.default_rng(seed + 1).normal(0, 200, n)
    higgs = np.stack([np.sqrt(125.25**2 + px**2 + py**2 + pz**2), px, py, pz], -1)
    return quarks, higgs


@pytest.mark.parametrize("transverse", [25.0, 150.0])
def test_the_density_of_a_jet_is_normalised(transverse):
    truth = massless(np.array(transverse), np.array(-1.0), np.array(3.1))  # near the seam of the azimuth
    log_pt, eta, phi = np.linspace(-1.6, 1.2, 120), np.linspace(-1.2, -0.8, 41), np.linspace(2.9, 3.3, 41)
    grid = np.meshgrid(log_pt, eta, phi, indexing="ij")
    measured = massless(transverse * np.exp(grid[0]), grid[1], grid[2])
    cell = np.prod([axis[1] - axis[0] for axis in (log_pt, eta, phi)])
    assert abs(np.exp(jet_log_density(measured, truth)).sum() * cell - 1) < 1e-5


def test_what_is_drawn_has_that_density():
    resolution, truth = Resolution(constant=0.1, angle=0.05), jets()
    measured = smear_jets(truth, seed=3, resolution=resolution)
    (pt1, eta1, phi1), (pt0, eta0, phi0) = cylindrical(measured), cylindrical(truth)
    sigma = np.sqrt(3.0**2 / pt0**2 + 0.8**2 / pt0 + 0.1**2)
    assert kstest((np.log(pt1 / pt0) + sigma**2 / 2) / sigma, "norm").pvalue > 1e-3
    assert kstest((eta1 - eta0) / 0.05, "norm").pvalue > 1e-3
    assert kstest(((phi1 - phi0 + np.pi) % (2 * np.pi) - np.pi) / 0.05, "norm").pvalue > 1e-3
    # -2 ln p, less its constant, is a chi-squared of three degrees of freedom
    best = -np.log(sigma * 0.05**2) - 1.5 * np.log(2 * np.pi)
    assert kstest(2 * (best - jet_log_density(measured, truth, resolution=resolution)), "chi2", (3,)).pvalue > 1e-3
    assert abs((pt1 / pt0).mean() - 1) < 4 * (pt1 / pt0).std() / np.sqrt(N)  # the mean of the log-normal is the truth


def test_transverse_boosts():
    event = np.concatenate([balanced()[0], balanced()[1][:, None]], 1)
    recoil = np.random.default_rng(4).normal(0, 30, (N, 2))
    moved = transverse_boost(event, recoil)
    before, after = event.sum(1), moved.sum(1)
    np.testing.assert_allclose(after[:, 1:3], recoil, atol=1e-8)
    np.testing.assert_allclose(after[:, 3], before[:, 3], atol=1e-8)
    np.testing.assert_allclose(minkowski_product(after, after), minkowski_product(before, before), rtol=1e-10)
    np.testing.assert_allclose(transverse_boost(moved, -recoil), event, rtol=1e-9, atol=1e-8)


def test_photons_are_isotropic_in_the_rest_frame():
    higgs = balanced()[1]
    photons = decay_to_photons(higgs, seed=5)
    np.testing.assert_allclose(photons.sum(1), higgs, rtol=1e-10, atol=1e-9)
    assert np.abs(minkowski_product(photons, photons)).max() < 1e-8 * (photons[..., 0] ** 2).max()
    rest = boost(photons, -(higgs[:, 1:] / higgs[:, :1])[:, None])[:, 0]
    for axis in (1, 2, 3):
        assert kstest(rest[:, axis] / rest[:, 0], "uniform", (-1, 2)).pvalue > 1e-3


def test_whole_events():
    quarks, higgs = balanced()
    event = measure(quarks, higgs, seed=6)
    for momenta in event:
        assert momenta.shape == (N, 2, 4) and (np.diff(pt(momenta), axis=1) <= 0).all()
    again = measure(quarks, higgs, seed=6)
    assert (again.jets == event.jets).all() and (measure(quarks, higgs, seed=7).jets != event.jets).any()
    # the mass: both energies are off by 1.5 %, so its logarithm by 1.5 % / sqrt(2)
    assert kstest(np.log(mass(event.photons.sum(1)) / 125.25) / (0.015 / np.sqrt(2)), "norm").pvalue > 1e-3
    perfect = measure(quarks, higgs, seed=6, resolution=Resolution(12.0, 1e-9, 1e-9, 1e-9, 1e-9, 1e-9))
    sums = perfect.jets.sum(1) + perfect.photons.sum(1)
    assert kstest(sums[:, 1:3].ravel() / 12.0, "norm").pvalue > 1e-3


def test_bad_input():
    quarks, higgs = balanced(5)
    with pytest.raises(ValueError, match="quarks"):
        measure(quarks[:, 0], higgs)
    with pytest.raises(ValueError, match="higgs"):
        decay_to_photons(higgs[:, :3])
    with pytest.raises(ValueError, match="recoil"):
        transverse_boost(quarks, np.zeros((4, 2)))
