"""Importance sampling, unweighting and look-up tables against closed forms."""

import numpy as np
import pytest
import torch

from hepml_labs.flows.importance_sampling import (
    combine,
    integrate,
    reference_weight,
    summarize,
    unweight,
    unweighting_efficiency,
)
from hepml_labs.flows.surrogate import effective_gain, two_stage_unweight


class Ramp:
    """Density 2x on the unit interval in each of two dimensions."""

    def sample_and_log_prob(self, n, context=None, generator=None):
        x = torch.rand(n, 2, generator=generator, dtype=torch.float64).sqrt()
        return x, (2 * x).prod(1).log()


def test_variance_of_a_known_integrand():
    """f = 1 from q = 4 x y: the weights 1/(4 x y) have mean one; f = 9 x^2 y^2 has the variance (9/8)^2 - 1."""
    found = integrate(lambda x: 9 * (x**2).prod(1), Ramp(), 200_000, seed=1, batch_size=30_000)
    assert found.value == pytest.approx(1, abs=4 * found.error)
    assert found.relative_std == pytest.approx(np.sqrt((9 / 8) ** 2 - 1), rel=0.01)
    assert found.efficiency == pytest.approx(4 / 9, rel=0.01)  # the largest weight is 9/4
    assert found.effective_size / found.calls == pytest.approx((8 / 9) ** 2, rel=0.01)


def test_pulls_are_unit_gaussian():
    pulls = []
    for seed in range(300):
        found = integrate(lambda x: 9 * (x**2).prod(1), Ramp(), 500, seed=seed)
        pulls.append((found.value - 1) / found.error)
    assert abs(np.mean(pulls)) < 4 / np.sqrt(300)
    assert 0.88 < np.std(pulls) < 1.12


def test_perfect_proposal():
    found = integrate(lambda x: 3 * (2 * x).prod(1), Ramp(), 10)
    assert found.value == pytest.approx(3)
    assert found.error < 1e-12
    assert found.efficiency == pytest.approx(1)


def test_signed_weights_and_zero():
    found = summarize(np.array([1.0, -1.0, 2.0, 2.0]))
    assert (found.value, found.efficiency) == (1.0, 0.75)
    assert summarize(np.zeros(3)).efficiency == 0


def test_combine():
    found = combine([(1.0, 0.1), (1.2, 0.2)])
    assert found.value == pytest.approx(1.04)
    assert found.error == pytest.approx(0.2 / np.sqrt(5))
    assert found.chi_squared == pytest.approx(0.04 / 0.05)
    assert found.degrees == 1


def test_unweighting_leaves_the_right_density():
    random = np.random.default_rng(1)
    x = random.uniform(size=200_000)
    weights = 3 * x**2
    kept = unweight(weights, seed=2)
    assert len(kept) / len(x) == pytest.approx(unweighting_efficiency(weights), abs=0.005)
    assert x[kept].mean() == pytest.approx(0.75, abs=4 * 0.19 / np.sqrt(len(kept)))
    maximum = reference_weight(weights, 0.5)
    assert maximum == pytest.approx(3 * 0.5 ** (2 / 3), rel=0.01)  # half of the integral lies below x^3 = 1/2
    kept = unweight(weights, seed=3, maximum=maximum)
    above = np.maximum(1, weights[kept] / maximum)
    assert np.average(x[kept], weights=above) == pytest.approx(0.75, abs=0.003)
    assert len(kept) / len(x) == pytest.approx(unweighting_efficiency(weights, 0.5), abs=0.005)


def test_two_stages_are_unbiased_for_a_bad_surrogate():
    random = np.random.default_rng(3)
    x = random.uniform(size=200_000)
    truth, surrogate = 3 * x**2, 0.5 + x
    asked = []

    def called(indices):
        asked.append(len(indices))
        return truth[indices]

    for largest_ratio in (2.0, 1.2):  # the largest ratio is 2; with 1.2 some events keep a weight above one
        found = two_stage_unweight(surrogate, called, largest_ratio, seed=4)
        assert np.average(x[found.indices], weights=found.weights) == pytest.approx(0.75, abs=0.004)
        assert found.calls == asked[-1] < len(x)
        assert found.first == pytest.approx(1 / 1.5, abs=0.005)
    assert found.weights.max() == pytest.approx(2 / 1.2, rel=0.01)
    assert found.kish < 1


def test_gain_by_counting():
    """Count calls: truth 1 s, surrogate 0.01 s."""
    first, second, efficiency = 0.02, 0.5, 0.004
    per_event = 1 / second * (1 + 0.01 / first)
    assert effective_gain(0.01, efficiency, first, second) == pytest.approx(1 / efficiency / per_event)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: summarize(np.array([1.0, np.nan])), "weights"),
        (lambda: unweight(np.array([1.0, -1.0])), "weights"),
        (lambda: unweight(np.zeros(3)), "weights"),
        (lambda: unweight(np.ones(3), maximum=0.0), "maximum"),
        (lambda: reference_weight(np.ones(3), 0.0), "quantile"),
        (lambda: combine([(1.0, 0.0)]), "errors"),
        (lambda: integrate(lambda x: x[:, 0], Ramp(), 1), "n"),
        (lambda: two_stage_unweight(np.zeros(3), None, 1.0), "surrogate"),
        (lambda: two_stage_unweight(np.ones(3), lambda i: -np.ones(len(i)), 1.0), "truth"),
        (lambda: effective_gain(0.1, 0.0, 0.1, 0.1), "efficiency"),
    ],
)
def test_bad_input(call, name):
    with pytest.raises(ValueError, match=f"^{name}"):
        call()
