"""Gold: exact sums over all events, finite differences, and draws against weights."""

import numpy as np
import pytest

from hepml_labs.physics.morphing import monomials
from hepml_labs.sbi.gold import augment, cross_section, draw, joint_log_ratio, joint_score, parameters_of

REFERENCE, THETA = np.array([0.1, -0.2]), np.array([0.8, 0.4])


def events(n=4000, helicities=2, seed=0):
    """Observables (n, 2) and coefficients (n, 6) of sums over helicities of |A . (1, theta)|^2."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, helicities, 1))
    amplitudes = np.concatenate([1 + 0 * z, 0.3 * z, 0.2 * z**2], axis=2) + 0.1 * rng.normal(size=(n, helicities, 3))
    first, second = np.triu_indices(3)
    products = amplitudes[..., first] * amplitudes[..., second] * np.where(first == second, 1, 2)
    return z[..., 0] + 0.3 * rng.normal(size=(n, 2)), products.sum(axis=1) / n


def test_means_over_the_sample_are_exact():
    _, coefficients = events()
    weights = {name: coefficients @ monomials(point[None])[0] for name, point in (("t", THETA), ("r", REFERENCE))}
    ratio = np.exp(joint_log_ratio(coefficients, THETA, REFERENCE))
    assert np.average(ratio, weights=weights["r"]) == pytest.approx(1, abs=1e-12)
    score = joint_score(coefficients, THETA)
    assert np.average(score, weights=weights["t"], axis=0) == pytest.approx([0, 0], abs=1e-12)
    # the reweighted reference has the numerator's density, up to the cross-sections
    norm = cross_section(coefficients, np.stack([THETA, REFERENCE]))
    assert weights["r"] * ratio / norm[1] == pytest.approx(weights["t"] / norm[0], rel=1e-12)


def test_score_is_the_gradient_of_the_log_ratio():
    _, coefficients = events(50)
    thetas = np.random.default_rng(1).uniform(-1, 1, (50, 2))
    score = joint_score(coefficients, thetas)
    for k, step in enumerate(1e-5 * np.eye(2)):
        up, down = (joint_log_ratio(coefficients, thetas + sign * step, REFERENCE) for sign in (1, -1))
        assert score[:, k] == pytest.approx((up - down) / 2e-5, abs=1e-7)
    assert joint_log_ratio(coefficients, THETA, THETA) == pytest.approx(np.zeros(50), abs=1e-12)
    total = 2 * coefficients.sum(axis=0)  # a common factor of the cross-section cancels
    assert joint_score(coefficients, THETA, total) == pytest.approx(joint_score(coefficients, THETA), abs=1e-12)


def test_draws_follow_the_weights():
    _, coefficients = events(40)
    thetas = np.array([[1.0, -1.0], [-1.0, 1.0]])
    index = draw(coefficients, np.tile(thetas, (40_000, 1)), 80_000, seed=3)
    for k, theta in enumerate(thetas):
        weights = coefficients @ monomials(theta[None])[0]
        expected = 40_000 * weights / weights.sum()
        chi2 = ((np.bincount(index[k::2], minlength=40) - expected) ** 2 / expected).sum()
        assert 39 - 4 * np.sqrt(78) < chi2 < 39 + 4 * np.sqrt(78)
    assert (draw(coefficients, THETA, 500, seed=1) == draw(coefficients, np.tile(THETA, (500, 1)), 500, seed=1)).all()


def test_augmented_sample_has_the_densities_that_it_says():
    x, coefficients = events(20_000)
    thetas = np.stack([THETA, -THETA])
    n = 16_000
    sample = augment(x, coefficients, thetas, REFERENCE, n, seed=2)
    assert sample.label.sum() == n / 2
    edges = np.quantile(x[:, 0], np.linspace(0, 1, 13))
    edges[[0, -1]] = -np.inf, np.inf
    for theta in thetas:
        rows = (sample.theta == theta).all(axis=1)
        assert rows.sum() == n / 2
        assert sample.label[rows].sum() == n / 4
        for label, point in ((1, theta), (0, REFERENCE)):
            weights = coefficients @ monomials(point[None])[0]
            share = np.histogram(x[:, 0], edges, weights=weights)[0] / weights.sum()
            counts = np.histogram(sample.x[rows & (sample.label == label), 0], edges)[0]
            chi2 = ((counts - n / 4 * share) ** 2 / (n / 4 * share)).sum()
            assert chi2 < 11 + 4 * np.sqrt(22)
    ratio = np.exp(sample.log_ratio[sample.label == 0])
    assert abs(ratio.mean() - 1) < 4 * ratio.std() / np.sqrt(n / 2)
    score = sample.score[sample.label == 1]
    assert (np.abs(score.mean(axis=0)) < 4 * score.std(axis=0) / np.sqrt(n / 2)).all()


def test_gold_of_a_sample_is_that_of_its_events():
    x, coefficients = events(300)
    thetas = np.random.default_rng(0).uniform(-1, 1, (100, 2))  # each theta comes once
    sample = augment(x, coefficients, thetas, REFERENCE, 200, seed=4)
    assert len(np.unique(sample.theta[sample.label == 1], axis=0)) == 100
    index = (sample.x[:, None] == x).all(axis=2).argmax(axis=1)
    total = coefficients.sum(axis=0)
    again = joint_log_ratio(coefficients[index], sample.theta, REFERENCE, total)
    assert sample.log_ratio == pytest.approx(again, abs=1e-12)
    assert sample.score == pytest.approx(joint_score(coefficients[index], sample.theta, total), abs=1e-12)
    other = augment(x, coefficients, thetas, REFERENCE, 200, seed=4)
    assert all((a == b).all() for a, b in zip(sample, other, strict=True))


def test_types_are_kept():
    x, coefficients = events(100)
    for kind in (np.float32, np.float64):
        c = coefficients.astype(kind)
        assert joint_log_ratio(c, THETA, REFERENCE).dtype == kind
        assert joint_score(c, THETA).dtype == kind
        assert cross_section(c, THETA[None]).dtype == kind
        assert {part.dtype for part in augment(x.astype(kind), c, THETA[None], REFERENCE, 20)} == {np.dtype(kind)}
    single = joint_log_ratio(coefficients.astype(np.float32), THETA, REFERENCE)
    assert single == pytest.approx(joint_log_ratio(coefficients, THETA, REFERENCE), abs=1e-5)


def test_bad_input():
    x, c = events(20)
    zeros = np.zeros(2)
    assert [parameters_of(size) for size in (3, 6, 10)] == [1, 2, 3]
    for message, call in {
        "coefficients: found 5 columns": lambda: cross_section(c[:, :5], THETA[None]),
        "theta: found shape": lambda: joint_log_ratio(c, np.zeros(3), zeros),
        "reference: found shape": lambda: joint_log_ratio(c, zeros, np.zeros((3, 2))),
        "weights at or below zero at theta": lambda: joint_score(-c, zeros),
        "total: found shape": lambda: joint_score(c, zeros, total=np.ones(3)),
        "coefficients: found 120": lambda: joint_score(c * np.nan, zeros),
        "n: found 0": lambda: draw(c, zeros, 0),
        "theta: found shape .3, 2.": lambda: draw(c, np.zeros((3, 2)), 5),
        "n: found 3, expected an even": lambda: augment(x, c, THETA[None], zeros, 3),
        "thetas: found shape": lambda: augment(x, c, THETA, zeros, 4),
        "coefficients: found shape": lambda: augment(x[:5], c, THETA[None], zeros, 4),
    }.items():
        with pytest.raises(ValueError, match=message):
            call()
