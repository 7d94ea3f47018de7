"""Polynomial ratios: a closed form, and quadratics that may not be negative."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures

from hepml_labs.physics.morphing import monomials
from hepml_labs.sbi.polynomial import PolynomialRatio, nearest_positive

NOISE = 0.5
THETA = np.array([[-0.8], [0.3], [1.0]])


def events(n, seed=0):
    """Latent z ~ N(0, 1) with weights 1 + (1 + theta z)^2, and x = z + noise."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 1))
    return z + NOISE * rng.normal(size=(n, 1)), np.hstack([2 + 0 * z, 2 * z, z**2])


def exact_log_ratio(x, theta):
    """z given x is Gaussian with mean m and variance v, so E[c|x] = (2, 2m, m^2 + v)."""
    mean, variance = x[:, 0] / (1 + NOISE**2), NOISE**2 / (1 + NOISE**2)
    weight = 2 + 2 * theta * mean + theta**2 * (mean**2 + variance)
    return np.log(weight / 2) - np.log((2 + theta**2) / 2)


@pytest.mark.parametrize(
    ("regressor", "bound"),
    [
        (make_pipeline(PolynomialFeatures(2), LinearRegression()), 1e-4),  # exact but for the statistics
        (None, 0.01),
        (RandomForestRegressor(10, min_samples_leaf=100, random_state=0), 0.01),
    ],
)
def test_ratio_of_a_gaussian_detector(regressor, bound):
    x, coefficients = events(10_000)
    ratio = PolynomialRatio(regressor).fit(x, coefficients)
    test, _ = events(1000, seed=1)
    exact = exact_log_ratio(test, THETA)
    found = ratio.log_ratio(test, THETA)
    assert found.shape == (3, 1000)
    assert ((found - exact) ** 2).mean() < bound < 0.1 * (exact**2).mean()
    assert ratio.log_ratio(test, THETA, THETA[0])[1] == pytest.approx(found[1] - found[0], abs=1e-12)
    assert ratio.log_ratio(test.astype(np.float32), THETA).dtype == np.float32
    step = 1e-5
    up, down = ratio.log_ratio(test, np.array([[0.3 + step], [0.3 - step]]))
    assert ratio.score(test, THETA[1])[:, 0] == pytest.approx((up - down) / (2 * step), abs=1e-7)


def test_means_of_positive_quadratics_need_no_repair():
    x, coefficients = events(2000)
    forest = PolynomialRatio(RandomForestRegressor(5, min_samples_leaf=5, random_state=0)).fit(x, coefficients)
    raw = forest.regressor_.predict(x) * forest.scale_ + forest.mean_
    assert np.abs(forest.coefficients(x) - raw).max() < 1e-2 * np.abs(raw).max()
    assert (raw @ monomials(np.linspace(-20, 20, 81)[:, None]).T > 0).all()


def test_nearest_positive():
    rng = np.random.default_rng(0)
    coefficients = rng.normal(size=(300, 6)) + [2, 0, 0, 1, 0, 1]
    found = nearest_positive(coefficients)
    theta = rng.uniform(-30, 30, size=(500, 2))
    assert (found @ monomials(theta).T > 0).all()
    assert ((coefficients @ monomials(theta).T).min(axis=1) < 0).any()
    assert nearest_positive(found) == pytest.approx(found, abs=1e-12)  # a projection
    amplitudes = rng.normal(size=(50, 4, 3))  # sums of squares are left alone
    first, second = np.triu_indices(3)
    squares = (amplitudes[..., first] * amplitudes[..., second] * np.where(first == second, 1, 2)).sum(axis=1)
    assert nearest_positive(squares, floor=1e-9) == pytest.approx(squares, abs=1e-6)
    assert nearest_positive(squares.astype(np.float32)).dtype == np.float32


def test_bad_input():
    x, c = events(50)
    ratio = PolynomialRatio(LinearRegression()).fit(x, c)
    for message, call in {
        "coefficients: found shape": lambda: PolynomialRatio().fit(x, c[:10]),
        "coefficients: found 2 columns": lambda: PolynomialRatio().fit(x, c[:, :2]),
        "x: found 50 of 50": lambda: PolynomialRatio().fit(x * np.inf, c),
        "x: found shape": lambda: ratio.log_ratio(np.zeros((5, 2)), THETA),
        "theta: found shape": lambda: ratio.log_ratio(x, THETA[:, 0]),
        "nowhere positive": lambda: nearest_positive(-c),
    }.items():
        with pytest.raises(ValueError, match=message):
            call()
