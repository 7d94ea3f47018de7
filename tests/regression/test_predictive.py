import numpy as np
import pytest
import torch

from hepml_labs.regression.predictive import smear, subtract_in_quadrature, total_variance


def test_total_variance_is_that_of_points_drawn_from_the_mixture():
    rng = np.random.default_rng(1)
    means, sigmas = torch.tensor([[1.0], [2.0], [4.0]]), torch.tensor([[0.5], [1.0], [2.0]])
    mean, sigma_syst, sigma_stat = total_variance(means, sigmas)
    member = rng.integers(3, size=400_000)
    drawn = rng.normal(means[member, 0], sigmas[member, 0])
    assert mean.item() == pytest.approx(drawn.mean(), rel=0.01)
    # sigma_stat estimates the variance of the posterior, 3/2 of the variance within these three members
    total = sigma_syst**2 + sigma_stat**2 * 2 / 3
    assert total.sqrt().item() == pytest.approx(drawn.std(), rel=0.01)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_smearing_is_gaussian_in_the_logarithm_and_keeps_the_type(dtype):
    amplitude = np.full(200_000, 3.0, dtype)
    noisy = smear(amplitude, 0.1, seed=2)
    assert noisy.dtype == dtype
    residual = np.log(noisy / amplitude)
    assert residual.mean() == pytest.approx(0, abs=1e-3)
    assert residual.std() == pytest.approx(0.1, rel=0.01)
    assert np.array_equal(noisy, smear(amplitude, 0.1, seed=2))
    assert np.array_equal(smear(amplitude, 0.0, seed=2), amplitude)


def test_quadrature_undoes_quadrature():
    noise, floor = np.array([0.01, 0.1]), np.array([0.004, 0.02])
    np.testing.assert_allclose(subtract_in_quadrature(np.hypot(noise, floor), floor), noise)
    assert subtract_in_quadrature(0.1, 0.2) == 0


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("means", lambda: total_variance(torch.zeros(3), torch.ones(3))),
        ("sigmas", lambda: total_variance(torch.zeros(3, 2), torch.ones(3, 3))),
        ("sigmas", lambda: total_variance(torch.zeros(3, 2), torch.zeros(3, 2))),
        ("means", lambda: total_variance(torch.full((3, 2), torch.nan), torch.ones(3, 2))),
        ("amplitude", lambda: smear(np.array([1.0, -1.0]), 0.1, seed=1)),
        ("amplitude", lambda: smear(np.array([]), 0.1, seed=1)),
        ("sigma", lambda: smear(np.ones(3), -0.1, seed=1)),
        ("sigma", lambda: subtract_in_quadrature(-1.0, 0.0)),
        ("sigma_floor", lambda: subtract_in_quadrature(1.0, np.nan)),
    ],
)
def test_bad_input_is_named(name, call):
    with pytest.raises(ValueError, match=name):
        call()
