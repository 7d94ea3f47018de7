"""Symbolic regression by genetic programming: a short list of formulas, from the simplest to the most accurate.

Two old ideas make a small search good (Keijzer, EuroGP 2003, LNCS 2610, 70):

- *linear scaling*: every expression f is judged as slope * f + intercept with the best slope and intercept, so that
  the search is for the shape alone, and the loss is one minus the squared correlation of f and target;
- *interval arithmetic*: an expression with a pole, or a logarithm of a negative number, anywhere in the box that the
  inputs span is thrown away, so that no formula explodes between the points on which it was fitted.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from sklearn.base import BaseEstimator, RegressorMixin

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
from hepml_labs.validation import check_array, check_between, check_count

__all__ = ["Formula", "SymbolicRegressor"]


class Formula(NamedTuple):
    """One formula of the front.

    Attributes
    ----------
    complexity : int
        Operators, inputs and constants, slope and intercept not counted.
    loss : float
        Mean squared residual in units of the target's variance, on the data of the fit.
    text : str
        The expression; the prediction is slope * expression + intercept.
    expression : tuple
    slope, intercept : float
    """

    complexity: int
    loss: float
    text: str
    expression: tuple
    slope: float
    intercept: float


class SymbolicRegressor(RegressorMixin, BaseEstimator):
    """Find formulas for a target, one for each complexity that pays.

    Parameters
    ----------
    names : sequence of str, optional
        Names of the inputs; x0, x1, ... by default.
    operators : tuple of str
        Keys of `OPERATORS`.
    largest : int
        Highest complexity.
    population : int
        Expressions per generation.
    generations : int
        How often the population is renewed.
    parsimony : float
        How much lower the logarithm of the loss has to be for one more node, when two expressions compete.
    seed : int
        Seed of the search.

    Attributes
    ----------
    front_ : list of Formula
        In order of complexity, each with a lower loss than all before it.

    Notes
    -----
    Genetic programming; the front and the tuning of constants as in PySR, Cranmer, arXiv:2305.01582,
    whose compiled search goes much deeper. Bring inputs to order one, and targets to the log-odds of a classifier,
    which are a sum where probabilities are not.

    Examples
    --------
    >>> x = np.random.default_rng(0).uniform(1, 2, size=(200, 3))
    >>> target = 3 - 5 * x[:, 0] * x[:, 2]
    >>> found = SymbolicRegressor(generations=5, population=100).fit(x, target).front_[-1]
    >>> found.text in ("x0 * x2", "x2 * x0"), round(found.slope, 6), round(found.intercept, 6)
    (True, -5.0, 3.0)
    """

    def __init__(
        self,
        names=None,
        operators=("+", "-", "*", "/", "sqrt", "log"),
        largest=15,
        population=300,
        generations=30,
        parsimony=0.01,
        seed=0,
    ):
        self.names = names
        self.operators = operators
        self.largest = largest
        self.population = population
        self.generations = generations
        self.parsimony = parsimony
        self.seed = seed

    def fit(self, X, y):
        """Search formulas.

        Parameters
        ----------
        X : array, (n, features)
        y : array, (n,)

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If shapes do not fit, an operator is unknown, or the target does not vary.
        """
        self._check(X, y)
        self.low_, self.high_ = X.min(axis=0), X.max(axis=0)
        self._random, self._known, self._best = np.random.default_rng(self.seed), {}, {}
        self._x, self._target = X, (y - y.mean()) / y.std()
        pool = [self._grow(self._random.integers(1, 4)) for _ in range(self.population)]
        for generation in range(self.generations):
            scores = [self._score(expression) for expression in pool]
            if generation % 10 == 9 or generation == self.generations - 1:
                for size in list(self._best):
                    self._tune(self._best[size][1])
            pool = [self._child(pool, scores) for _ in range(self.population)]
            pool[: len(self._best)] = [expression for _, expression in self._best.values()]
        names = self.names or [f"x{j}" for j in range(X.shape[1])]
        self.front_, lowest = [], np.inf
        for size, (loss, expression) in sorted(self._best.items()):
            if loss < lowest * (1 - 1e-3) - 1e-12:
                value, lowest = evaluate(expression, X), loss
                slope, intercept = np.polyfit(value, y, 1) if value.std() > 0 else (0.0, y.mean())
                text = write(expression, names)
                self.front_.append(Formula(size, float(loss), text, expression, float(slope), float(intercept)))
        del self._random, self._known, self._best, self._x, self._target
        return self

    def predict(self, X, largest=None):
        """Value of the best formula up to a complexity, slope and intercept included.

        Parameters
        ----------
        X : array, (n, features)
            Inputs outside of the box of the fit are moved to its edge.
        largest : int, optional
            Highest complexity; by default that of the last formula.

        Returns
        -------
        array, (n,)
        """
        check_array("X", X, ("n", len(self.low_)))
        allowed = [formula for formula in self.front_ if largest is None or formula.complexity <= largest]
        if not allowed:
            raise ValueError(f"largest: found {largest}, expected at least {self.front_[0].complexity}")
        best = allowed[-1]
        return best.slope * evaluate(best.expression, X.clip(self.low_, self.high_)) + best.intercept

    def _check(self, X, y):
        check_array("X", X, ("n", "features"))
        check_array("y", y, (len(X),))
        for name in ("largest", "population", "generations"):
            check_count(name, getattr(self, name))
        check_between("parsimony", self.parsimony, 0, np.inf, include_low=True)
        if self.names is not None and len(self.names) != X.shape[1]:
            raise ValueError(f"names: found {len(self.names)}, expected {X.shape[1]}, one for each column of X")
        unknown = [name for name in self.operators if name not in OPERATORS]
        if unknown or not self.operators:
            raise ValueError(f"operators: found {unknown or 'none'}, expected some of {list(OPERATORS)}")
        if not y.std() > 0:
            raise ValueError("y: found a target that does not vary")

    def _score(self, expression):
        """Logarithm of the loss with the price of complexity; remembers losses, and the best of each complexity."""
        if expression not in self._known:
            size = complexity(expression)
            self._known[expression] = loss = self._loss(expression) if size <= self.largest else np.inf
            if loss < self._best.get(size, (np.inf,))[0]:
                self._best[size] = loss, expression
        return np.log(self._known[expression] + 1e-12) + self.parsimony * complexity(expression)

    def _loss(self, expression):
        if np.isnan(interval(expression, self.low_, self.high_)[0]):
            return np.inf
        value = evaluate(expression, self._x)
        value = value - value.mean()
        square = value @ value
        if square <= 1e-12 * len(value):
            return 1.0
        return max(1 - (value @ self._target) ** 2 / (square * len(value)), 0.0)

    def _tune(self, expression):
        """Move the constants of an expression downhill."""
        constants = np.array([part[1] for part in parts(expression) if part[0] == "c"])
        if len(constants):
            objective = lambda values: min(self._loss(_filled(expression, values)), 10.0)  # noqa: E731
            found = minimize(objective, constants, method="Nelder-Mead", options={"maxfev": 60 * len(constants)})
            self._score(_filled(expression, found.x))

    def _child(self, pool, scores):
        """Return a new expression: a changed winner of a tournament, or one with a part of another winner."""
        first, second = (pool[min(self._random.integers(len(pool), size=3), key=scores.__getitem__)] for _ in range(2))
        place = self._random.integers(complexity(first))
        kind = self._random.random()
        if kind < 0.5:
            part = parts(second)[self._random.integers(complexity(second))]
        elif kind < 0.7:
            return map_constants(first, lambda value: value * (1 + 0.3 * self._random.normal()))
        elif kind < 0.85:
            part = self._grow(self._random.integers(0, 3))
        else:  # lift one part of the expression in the place of the whole
            return parts(first)[place]
        return replace(first, place, part)

    def _grow(self, depth):
        """Return a random expression of up to a depth."""
        if depth == 0 or self._random.random() < 0.15:
            if self._random.random() < 0.25:
                return ("c", float(self._random.normal(0, 2)))
            return ("x", int(self._random.integers(self._x.shape[1])))
        name = self.operators[self._random.integers(len(self.operators))]
        return (name, *(self._grow(depth - 1) for _ in range(2 if name in "+-*/" else 1)))


def _filled(expression, values):
    """Return the expression with other constants."""
    rest = iter(values)
    return map_constants(expression, lambda _: next(rest))
