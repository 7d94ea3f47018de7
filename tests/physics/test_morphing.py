"""Morphing is exact for polynomials, fails loudly where the basis is degenerate, and its basis can be optimised."""

import numpy as np
import pytest

from hepml_labs.physics.morphing import Morphing, monomial_gradients, monomials, optimize_benchmarks


def amplitudes_squared(theta, seed=0, n=7):
    """Events whose weight is a sum of two squared amplitudes."""
    random = np.random.default_rng(seed)
    parts = random.normal(size=(2, n, theta.shape[1] + 1)) + 1j * random.normal(size=(2, n, theta.shape[1] + 1))
    extended = np.concatenate([np.ones((len(theta), 1)), theta], axis=1)
    return (np.abs(parts @ extended.T) ** 2).sum(0)  # (n, m)


@pytest.mark.parametrize("parameters", [1, 2, 3])
@pytest.mark.parametrize("extra", [0, 4])
def test_morphing_is_exact(parameters, extra):
    random = np.random.default_rng(parameters)
    count = (parameters + 1) * (parameters + 2) // 2
    benchmarks, theta = (random.uniform(-1, 1, (k, parameters)) for k in (count + extra, 30))
    morphing = Morphing(benchmarks)
    at_benchmarks, expected = amplitudes_squared(benchmarks), amplitudes_squared(theta)
    np.testing.assert_allclose(at_benchmarks @ morphing.weights(theta).T, expected, rtol=1e-9, atol=1e-9)
    coefficients = morphing.coefficients(at_benchmarks)
    np.testing.assert_allclose(coefficients @ monomials(theta).T, expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(morphing.weights(theta).sum(1), 1, rtol=1e-9)
    if not extra:
        np.testing.assert_allclose(morphing.weights(benchmarks), np.eye(count), atol=1e-9)
        np.testing.assert_allclose(morphing.condition(benchmarks), 1, rtol=1e-9)


def test_order_of_monomials_and_gradients():
    theta = np.random.default_rng(1).normal(size=(5, 2))
    t1, t2 = theta.T
    np.testing.assert_allclose(monomials(theta), np.stack([t1**0, t1, t2, t1**2, t1 * t2, t2**2], 1), rtol=1e-14)
    for axis, step in enumerate(1e-5 * np.eye(2)):
        numerical = (monomials(theta + step) - monomials(theta - step)) / 2e-5
        np.testing.assert_allclose(monomial_gradients(theta)[..., axis], numerical, atol=1e-9)


def test_scale_of_the_parameters_is_no_defect():
    small = 1e-4 * np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1], [1, 1]])
    np.testing.assert_allclose(Morphing(small).weights(small), np.eye(6), atol=1e-9)


def test_error_of_a_morphed_cross_section():
    """With independent samples at the benchmarks, the spread is what `condition` says."""
    random = np.random.default_rng(2)
    morphing = Morphing([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1], [1, 1.0]])
    theta = np.array([[0.7, -0.8]])
    values = 1 + 0.01 * random.normal(size=(4000, 6))
    assert np.std(values @ morphing.weights(theta)[0]) == pytest.approx(0.01 * morphing.condition(theta)[0], rel=0.05)


def test_optimised_benchmarks():
    region = np.array([[-1.0, 1.0], [-0.5, 0.5]])
    best = optimize_benchmarks(region, fixed=[[0.0, 0.0]], seed=3)
    assert best.shape == (6, 2) and (best[0] == 0).all()
    assert (best >= region[:, 0]).all() and (best <= region[:, 1]).all()
    grid = np.stack(np.meshgrid(np.linspace(-1, 1, 15), np.linspace(-0.5, 0.5, 15)), -1).reshape(-1, 2)
    axes = np.array([[0, 0], [1, 0], [-1, 0], [0, 0.5], [0, -0.5], [1, 0.5]])

    def spread(benchmarks):
        return (Morphing(benchmarks).condition(grid) ** 2).mean()

    random = np.random.default_rng(4)
    others = [spread(np.concatenate([best[:1], random.uniform(*region.T, (5, 2))])) for _ in range(50)]
    assert spread(best) < min(spread(axes), np.min(others))
    np.testing.assert_array_equal(best, optimize_benchmarks(region, fixed=[[0.0, 0.0]], seed=3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Morphing([[0, 0], [1, 0]]), "benchmarks"),
        (lambda: Morphing([[k, 0.0] for k in range(8)]), "benchmarks"),  # on a line
        (lambda: Morphing(np.stack([np.cos(np.arange(8.0)), np.sin(np.arange(8.0))], 1)), "conic"),
        (lambda: Morphing([[0.0], [1.0], [2.0]]).weights([[1.0, 2.0]]), "theta"),
        (lambda: Morphing([[0.0], [1.0], [2.0]]).coefficients(np.ones((4, 2))), "values"),
        (lambda: monomials([1.0, 2.0]), "theta"),
        (lambda: monomials([[np.nan]]), "theta"),
        (lambda: optimize_benchmarks([[1.0, -1.0]]), "region"),
        (lambda: optimize_benchmarks([[-1.0, 1.0]], fixed=np.zeros((4, 1))), "fixed"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()
