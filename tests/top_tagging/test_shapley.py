"""Shapley values: axioms, closed forms, brute force over all orders, and the shap package."""

from itertools import permutations

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingRegressor

from hepml_labs.top_tagging.shapley import (
    coalitions,
    conditional_values,
    marginal_values,
    sampled_shapley,
    shapley_values,
)

RANDOM = np.random.default_rng(2)
MIXING = RANDOM.normal(size=(4, 4)) + 2 * np.eye(4)
BACKGROUND, EVENTS = RANDOM.normal(size=(40, 4)) @ MIXING, RANDOM.normal(size=(7, 4)) @ MIXING
WEIGHTS = np.array([1.0, -2.0, 0.0, 0.5])


def linear(x):
    return x @ WEIGHTS


def curved(x):
    return np.tanh(x[:, 0] * x[:, 1]) + np.maximum(x[:, 2], 0) * x[:, 0] - x[:, 3] ** 2


def exact(model):
    return shapley_values(marginal_values(model, EVENTS, BACKGROUND))


def test_linear_model():
    np.testing.assert_allclose(exact(linear), WEIGHTS * (EVENTS - BACKGROUND.mean(axis=0)), atol=1e-12)


def test_average_over_all_orders():
    worth = marginal_values(curved, EVENTS, BACKGROUND)
    expected = np.zeros((len(EVENTS), 4))
    for order in permutations(range(4)):
        known = 0
        for j in order:
            expected[:, j] += (worth[known | 1 << j] - worth[known]) / 24
            known |= 1 << j
    np.testing.assert_allclose(shapley_values(worth), expected, atol=1e-12)


def test_axioms():
    values = exact(curved)
    np.testing.assert_allclose(values.sum(axis=1), curved(EVENTS) - curved(BACKGROUND).mean())  # nothing is lost
    np.testing.assert_allclose(exact(lambda x: curved(x) + 3 * linear(x)), values + 3 * exact(linear), atol=1e-12)
    np.testing.assert_allclose(exact(lambda x: curved(np.where([1, 1, 0, 1], x, 5.0)))[:, 2], 0, atol=1e-12)  # dummy
    swapped = shapley_values(
        marginal_values(lambda x: curved(x[:, [1, 0, 2, 3]]), EVENTS[:, [1, 0, 2, 3]], BACKGROUND[:, [1, 0, 2, 3]])
    )
    np.testing.assert_allclose(swapped, values[:, [1, 0, 2, 3]], atol=1e-12)  # symmetry


def test_glove_game():
    # Shapley's example: one left and two right gloves, a pair is worth one: 2/3 and twice 1/6
    worth = np.array([[float(members[0] and members[1:].any())] for members in coalitions(3)])
    np.testing.assert_allclose(shapley_values(worth), [[2 / 3, 1 / 6, 1 / 6]])


def test_sampling_agrees_within_its_errors():
    found = sampled_shapley(curved, EVENTS, BACKGROUND, permutations=400, seed=3)
    pulls = (found.value - exact(curved)) / found.error
    assert np.abs(pulls).max() < 4.5 and 0.6 < pulls.std() < 1.4
    np.testing.assert_array_equal(
        found.value, sampled_shapley(curved, EVENTS, BACKGROUND, permutations=400, seed=3).value
    )


def test_shap_package():
    shap = pytest.importorskip("shap")
    masker = shap.maskers.Independent(BACKGROUND, max_samples=len(BACKGROUND))
    peer = shap.explainers.Exact(curved, masker)(EVENTS)
    np.testing.assert_allclose(exact(curved), peer.values, atol=1e-9)
    trees = GradientBoostingRegressor(n_estimators=20, random_state=0).fit(BACKGROUND, curved(BACKGROUND))
    peer = shap.TreeExplainer(trees, BACKGROUND, feature_perturbation="interventional").shap_values(EVENTS)
    np.testing.assert_allclose(exact(trees.predict), peer, atol=1e-6)


def test_an_unused_input_is_credited_when_it_is_correlated():
    # f = x0, correlation rho: marginal (x0, 0), conditional (x0 - rho x1 / 2, rho x1 / 2)
    rho, random = 0.8, np.random.default_rng(4)
    draws = random.normal(size=(20_000, 2))
    background = np.column_stack([draws[:, 0], rho * draws[:, 0] + np.sqrt(1 - rho**2) * draws[:, 1]])
    events = np.array([[1.0, 1.0], [0.5, -0.5], [-1.0, 0.4]])

    def model(x):
        return x[:, 0]

    marginal = shapley_values(marginal_values(model, events, background))
    np.testing.assert_allclose(marginal[:, 1], 0, atol=1e-12)
    conditional = shapley_values(conditional_values(model, events, background, neighbors=400))
    np.testing.assert_allclose(conditional[:, 1], rho * events[:, 1] / 2, atol=0.05)
    np.testing.assert_allclose(conditional.sum(axis=1), events[:, 0] - background[:, 0].mean())


def test_conditional_values_ask_only_for_real_events():
    seen = []

    def model(x):
        seen.append(x)
        return curved(x)

    worth = conditional_values(model, EVENTS, BACKGROUND, neighbors=5)
    real = {tuple(row) for row in np.concatenate([EVENTS, BACKGROUND])}
    assert {tuple(row) for batch in seen for row in batch} <= real
    np.testing.assert_allclose(worth[-1], curved(EVENTS))
    np.testing.assert_allclose(worth[0], curved(BACKGROUND).mean())


def test_independent_inputs_leave_no_choice():
    random = np.random.default_rng(6)
    background, events = random.uniform(-1, 1, size=(20_000, 2)), random.uniform(-0.8, 0.8, size=(5, 2))

    def model(x):
        return x[:, 0] * x[:, 1] + x[:, 1]

    one = shapley_values(marginal_values(model, events, background))
    other = shapley_values(conditional_values(model, events, background, neighbors=300))
    np.testing.assert_allclose(one, other, atol=0.08)


def test_bad_input():
    for call in (
        lambda: coalitions(13),
        lambda: marginal_values(linear, EVENTS, BACKGROUND[:, :3]),
        lambda: conditional_values(linear, EVENTS, BACKGROUND, neighbors=41),
        lambda: shapley_values(np.zeros((6, 2))),
        lambda: sampled_shapley(linear, EVENTS, BACKGROUND, permutations=1),
    ):
        with pytest.raises(ValueError, match=r"features|background|neighbors|worth|permutations"):
            call()
