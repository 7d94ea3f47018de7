"""The two moons have the density that they claim."""

import numpy as np
import pytest
from scipy.integrate import quad
from sklearn.datasets import make_moons

from hepml_labs.evaluation import classifier_two_sample_test
from hepml_labs.flows.toys import TwoMoons


@pytest.mark.parametrize("noise", [0.05, 0.1, 0.4])
def test_density_integrates_to_one(noise):
    step = noise / 2  # a sum over a grid is exact for Gaussians that are wider than its step
    a, b = np.arange(-1 - 8 * noise, 2 + 8 * noise, step), np.arange(-0.5 - 8 * noise, 1 + 8 * noise, step)
    grid = np.stack(np.meshgrid(a, b), axis=-1).reshape(-1, 2)
    assert np.exp(TwoMoons(noise).log_prob(grid)).sum() * step**2 == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("point", [(0.0, 1.0), (0.5, 0.25), (-1.3, 0.1), (1.0, -0.6)])
def test_density_against_adaptive_quadrature(point):
    moons = TwoMoons(0.08)

    def integrand(t):
        squared = ((np.array(point) - moons.curves(np.array(t))) ** 2).sum(-1)
        return np.exp(-squared / (2 * 0.08**2)).sum() / (2 * np.pi * 0.08**2) / (2 * np.pi)

    expected = quad(integrand, 0, np.pi, epsrel=1e-10, limit=200)[0]
    assert moons.log_prob(np.array([point]))[0] == pytest.approx(np.log(expected), abs=1e-8)


def test_sample_is_that_of_scikit_learn_and_of_the_density():
    moons = TwoMoons(0.1)
    x = moons.sample(4000, seed=1)
    test = classifier_two_sample_test(x, make_moons(4000, noise=0.1, random_state=2)[0], folds=3)
    assert abs(test.auc - 0.5) < 4 * test.error
    # <q / p> over the sample is one for every density q
    q = np.exp(-(((x - [0.5, 0.9]) / 0.05) ** 2).sum(1) / 2) / (2 * np.pi * 0.05**2)
    weights = q / np.exp(moons.log_prob(x))
    assert abs(weights.mean() - 1) < 4 * weights.std() / np.sqrt(len(x))


def test_mirror_symmetry_exchanges_the_moons():
    x = np.random.default_rng(3).normal(size=(50, 2))
    moons = TwoMoons(0.3)
    np.testing.assert_allclose(moons.log_prob(x), moons.log_prob(np.array([1.0, 0.5]) - x), rtol=1e-9)


def test_seeds_and_bad_input():
    assert np.array_equal(TwoMoons().sample(5, seed=1), TwoMoons().sample(5, seed=1))
    assert not np.array_equal(TwoMoons().sample(5, seed=1), TwoMoons().sample(5, seed=2))
    with pytest.raises(ValueError, match="noise: found 0"):
        TwoMoons(0)
    with pytest.raises(ValueError, match="x: "):
        TwoMoons().log_prob(np.zeros((3, 3)))
