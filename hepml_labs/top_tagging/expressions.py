"""Formulas as trees: evaluate them, bound them, write them down, and change their parts.

An expression is a nested tuple: ``("x", 2)`` is input number 2, ``("c", 0.7)`` a constant, ``("*", a, b)`` and
``("log", a)`` act on expressions.
"""

import numpy as np

__all__ = ["OPERATORS", "complexity", "evaluate", "interval", "map_constants", "parts", "replace", "write"]

LARGEST = 1e6  # values of no use


def _corners(operation):
    return lambda a, b: (lambda ends: (min(ends), max(ends)))([operation(p, q) for p in a for q in b])


def _rising(function, start=-np.inf):
    return lambda a: (function(a[0]), function(a[1])) if a[0] > start else (np.nan, np.nan)


def _quotient(a, b):
    return _corners(lambda p, q: p / q)(a, b) if b[0] * b[1] > 0 else (np.nan, np.nan)


OPERATORS = {
    "+": (np.add, lambda a, b: (a[0] + b[0], a[1] + b[1])),
    "-": (np.subtract, lambda a, b: (a[0] - b[1], a[1] - b[0])),
    "*": (np.multiply, _corners(lambda p, q: p * q)),
    "/": (np.divide, _quotient),
    "square": (np.square, lambda a: (0.0 if a[0] * a[1] < 0 else min(a[0] ** 2, a[1] ** 2), max(a[0] ** 2, a[1] ** 2))),
    "sqrt": (np.sqrt, _rising(np.sqrt, start=0)),
    "log": (np.log, _rising(np.log, start=0)),
    "exp": (np.exp, lambda a: _rising(np.exp)(a) if a[1] < np.log(LARGEST) else (np.nan, np.nan)),
    "tanh": (np.tanh, _rising(np.tanh)),
}
"""Name: (function of arrays, the same for intervals). Infix operators take two arguments, names one."""


def evaluate(expression, x):
    """Value of an expression for each event.

    Parameters
    ----------
    expression : tuple
    x : array, (n, features)

    Returns
    -------
    array, (n,)

    Examples
    --------
    >>> evaluate(("*", ("c", 2.0), ("log", ("x", 1))), np.array([[0.0, 1.0], [0.0, np.e]]))
    array([0., 2.])
    """
    kind, *arguments = expression
    if kind == "x":
        return x[:, arguments[0]]
    if kind == "c":
        return np.full(len(x), arguments[0])
    return OPERATORS[kind][0](*(evaluate(argument, x) for argument in arguments))


def interval(expression, low, high):
    """Bounds of an expression when each input lies anywhere between its own.

    Parameters
    ----------
    expression : tuple
    low, high : sequence of float
        Bounds of the inputs.

    Returns
    -------
    low, high : float
        NaN if the expression is undefined, or above a million, somewhere in between. Wider than needed if an input
        occurs more than once.

    Examples
    --------
    >>> interval(("-", ("x", 0), ("x", 1)), [0.0, 0.0], [1.0, 2.0])
    (-2.0, 1.0)
    >>> interval(("/", ("c", 1.0), ("x", 0)), [-1.0], [1.0])  # a pole
    (nan, nan)
    """
    kind, *arguments = expression
    if kind == "x":
        return float(low[arguments[0]]), float(high[arguments[0]])
    if kind == "c":
        return arguments[0], arguments[0]
    parts = [interval(argument, low, high) for argument in arguments]
    found = (np.nan, np.nan) if any(np.isnan(part[0]) for part in parts) else OPERATORS[kind][1](*parts)
    return tuple(map(float, found)) if max(map(abs, found)) < LARGEST else (np.nan, np.nan)


def complexity(expression):
    """Count the operators, inputs and constants of an expression.

    Examples
    --------
    >>> complexity(("*", ("c", 2.0), ("log", ("x", 1))))
    4
    """
    kind, *arguments = expression
    return 1 if kind in ("x", "c") else 1 + sum(complexity(argument) for argument in arguments)


def write(expression, names, digits=3):
    """Write an expression as people do.

    Parameters
    ----------
    expression : tuple
    names : sequence of str
        Names of the inputs.
    digits : int
        Significant digits of constants.

    Returns
    -------
    str

    Examples
    --------
    >>> write(("*", ("+", ("x", 0), ("c", 0.5)), ("log", ("x", 1))), ["width", "number"])
    '(width + 0.5) * log(number)'
    """
    kind, *arguments = expression
    if kind == "x":
        return names[arguments[0]]
    if kind == "c":
        return f"{arguments[0]:.{digits}g}"
    texts = [write(argument, names, digits) for argument in arguments]
    if len(texts) == 1:
        return f"{kind}({texts[0]})"
    weak = {"+": (), "-": ("+", "-"), "*": ("+", "-"), "/": ("+", "-", "*", "/")}[kind]  # need brackets on the right
    left = ("+", "-") if kind in "*/" else ()
    brackets = arguments[0][0] in left, arguments[1][0] in weak
    return f" {kind} ".join(f"({text})" if needed else text for text, needed in zip(texts, brackets, strict=True))


def parts(expression):
    """List all expressions within an expression, itself first.

    Examples
    --------
    >>> parts(("+", ("x", 0), ("log", ("x", 1))))[1:]
    [('x', 0), ('log', ('x', 1)), ('x', 1)]
    """
    found = [expression]
    if expression[0] not in ("x", "c"):
        for argument in expression[1:]:
            found += parts(argument)
    return found


def replace(expression, place, part):
    """Put an expression in the place of the part with this number, counted as in `parts`.

    Examples
    --------
    >>> replace(("+", ("x", 0), ("log", ("x", 1))), 2, ("c", 3.0))
    ('+', ('x', 0), ('c', 3.0))
    """
    if place == 0:
        return part
    place -= 1
    arguments = list(expression[1:])
    for number, argument in enumerate(arguments):
        if place < complexity(argument):
            arguments[number] = replace(argument, place, part)
            break
        place -= complexity(argument)
    return (expression[0], *arguments)


def map_constants(expression, change):
    """Apply a function to each constant, in the order of `parts`.

    Examples
    --------
    >>> map_constants(("+", ("c", 1.0), ("c", 2.0)), lambda value: 10 * value)
    ('+', ('c', 10.0), ('c', 20.0))
    """
    kind, *arguments = expression
    if kind == "x":
        return expression
    if kind == "c":
        return ("c", float(change(arguments[0])))
    return (kind, *(map_constants(argument, change) for argument in arguments))
