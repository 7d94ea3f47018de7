"""Symbolic regression: known laws are found, intervals hold, and gplearn is no better."""

import numpy as np
import pytest

from hepml_labs.top_tagging.expressions import (
    OPERATORS,
    complexity,
    evaluate,
    interval,
    map_constants,
    parts,
    replace,
    write,
)
from hepml_labs.top_tagging.symbolic import SymbolicRegressor

RANDOM = np.random.default_rng(8)
X = RANDOM.uniform(0.5, 2, size=(200, 3))
NAMES = ("mass", "radius", "angle")


def random_expression(random, depth=3):
    if depth == 0 or random.random() < 0.2:
        return ("x", int(random.integers(3))) if random.random() < 0.7 else ("c", float(random.normal()))
    name = list(OPERATORS)[random.integers(len(OPERATORS))]
    return (name, *(random_expression(random, depth - 1) for _ in range(2 if name in "+-*/" else 1)))


def test_intervals_hold_all_values():
    random, checked = np.random.default_rng(1), 0
    inside = np.concatenate([RANDOM.uniform(X.min(0), X.max(0), size=(500, 3)), X])
    for _ in range(400):
        expression = random_expression(random)
        low, high = interval(expression, X.min(0), X.max(0))
        if not np.isnan(low):
            values = evaluate(expression, inside)
            assert low - 1e-9 * abs(low) <= values.min() and values.max() <= high + 1e-9 * abs(high)
            checked += 1
    assert checked > 150


@pytest.mark.parametrize(
    ("expression", "bad"),
    [
        (("/", ("c", 1.0), ("-", ("x", 0), ("c", 1.0))), True),  # a pole inside
        (("/", ("c", 1.0), ("-", ("x", 0), ("c", 9.0))), False),
        (("log", ("-", ("x", 0), ("c", 1.0))), True),
        (("sqrt", ("-", ("c", 1.0), ("x", 0))), True),
        (("exp", ("*", ("c", 100.0), ("x", 0))), True),
    ],
)
def test_undefined_expressions_are_seen(expression, bad):
    assert np.isnan(interval(expression, X.min(0), X.max(0))[0]) == bad


def test_text_means_what_is_computed():
    random = np.random.default_rng(2)
    functions = {name: OPERATORS[name][0] for name in ("sqrt", "log", "exp", "tanh", "square")}
    columns = dict(zip(NAMES, X.T, strict=True))
    with np.errstate(all="ignore"):
        for _ in range(200):
            expression = random_expression(random)
            text = write(expression, NAMES, digits=17)
            by_text = np.broadcast_to(eval(text, {"__builtins__": {}}, {**functions, **columns}), 200)
            np.testing.assert_allclose(by_text, evaluate(expression, X), rtol=1e-9)


def test_parts_of_a_tree():
    expression = ("-", ("*", ("x", 0), ("c", 2.0)), ("log", ("x", 1)))
    assert complexity(expression) == len(parts(expression)) == 6
    for place, part in enumerate(parts(expression)):
        assert replace(expression, place, part) == expression
        assert parts(replace(expression, place, ("c", 9.0)))[place] == ("c", 9.0)
    assert map_constants(expression, lambda value: value + 1)[1][2] == ("c", 3.0)


LAWS = {
    "product over square": lambda x: 3 - 2 * x[:, 0] * x[:, 1] / x[:, 2] ** 2,
    "Kepler": lambda x: np.sqrt(x[:, 1] ** 3 / x[:, 0]),
    "logarithm": lambda x: 5 * np.log(x[:, 0]) + 5 * x[:, 1],
}


@pytest.mark.parametrize("law", LAWS)
def test_laws_are_found_exactly(law):
    target = LAWS[law](X)
    model = SymbolicRegressor(largest=11, generations=30, seed=1).fit(X, target)
    best = model.front_[-1]
    assert best.loss < 1e-8, [formula.text for formula in model.front_]
    np.testing.assert_allclose(model.predict(X), target, rtol=1e-3)


def test_a_constant_is_tuned():
    target = np.log(X[:, 0] + 0.35)
    model = SymbolicRegressor(operators=("+", "log"), largest=6, generations=20, seed=0).fit(X, target)
    best = next(formula for formula in model.front_ if formula.complexity == 4)
    assert best.loss < 1e-8
    constants = [part[1] for part in parts(best.expression) if part[0] == "c"]
    assert constants == pytest.approx([0.35], rel=0.01)


def test_front_falls_and_predictions_are_its_formulas():
    target = np.sin(3 * X[:, 0]) + X[:, 1] * X[:, 2]
    model = SymbolicRegressor(names=NAMES, generations=10, population=150).fit(X, target)
    sizes, losses = [f.complexity for f in model.front_], [f.loss for f in model.front_]
    assert sizes == sorted(set(sizes)) and losses == sorted(losses, reverse=True) and max(sizes) <= 15
    for formula in model.front_:
        prediction = model.predict(X, largest=formula.complexity)
        assert np.var(target - prediction) / np.var(target) == pytest.approx(formula.loss, rel=1e-6)
    outside = np.array([[-100.0, 100.0, 0.0]])
    assert np.isfinite(model.predict(outside)).all()
    again = SymbolicRegressor(names=NAMES, generations=10, population=150).fit(X, target)
    assert again.front_ == model.front_


def test_noise_is_fitted_by_size_and_not_by_meaning():
    random = np.random.default_rng(3)
    model = SymbolicRegressor(generations=10, largest=20).fit(X[:60], random.normal(size=60))
    assert model.front_[-1].loss < 0.9
    fresh = random.normal(size=140)
    assert np.mean((fresh - model.predict(X[60:])) ** 2) > 1.0


def test_gplearn_is_no_better():
    genetic = pytest.importorskip("gplearn.genetic")
    target = LAWS["product over square"](X)
    peer = genetic.SymbolicRegressor(population_size=300, generations=15, random_state=1, n_jobs=1)
    missed = np.var(target - peer.fit(X, target).predict(X)) / np.var(target)
    ours = SymbolicRegressor(operators=("+", "-", "*", "/"), generations=15, seed=1).fit(X, target)
    assert ours.front_[-1].loss <= missed + 1e-12


def test_bad_input():
    target = X[:, 0]
    for model, features, goal in (
        (SymbolicRegressor(names=["a"]), X, target),
        (SymbolicRegressor(operators=("sin",)), X, target),
        (SymbolicRegressor(largest=0), X, target),
        (SymbolicRegressor(), X, np.ones(200)),
        (SymbolicRegressor(), X[:5], target),
    ):
        with pytest.raises(ValueError, match=r"names|operators|largest|y:"):
            model.fit(features, goal)
