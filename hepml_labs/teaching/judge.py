"""Judge a student's answer to an exercise."""

import ast
import copy
import inspect
import linecache
import random
import re
import sys
import textwrap
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from hepml_labs.teaching.compare import agree, describe, flatten, form_problem, is_module, is_tensor, to_array
from hepml_labs.teaching.diagnose import axis_lengths, diagnose
from hepml_labs.teaching.time_limit import TimeLimitExceeded, run_limited

_BLANK = re.compile(r"\.\.\.\s*# your code here")


@dataclass(frozen=True)
class Verdict:
    """What the check found.

    Parameters
    ----------
    kind : str
        `"correct"`, `"missing"` (not filled in yet) or how it is wrong: `"raised"`, `"time"`, `"type"`, `"count"`,
        `"shape"`, `"gradient"`, `"modified"`, `"mistake"`, `"values"`.
    lines : tuple of str
        Sentences for the student.
    """

    kind: str
    lines: tuple = ()


def judge(exercise, answer, rng=None):
    """Run an answer against the reference on random inputs.

    Parameters
    ----------
    exercise : Exercise
        The exercise.
    answer : object
        The student's function, or value where the reference is a value.
    rng : numpy.random.Generator, optional
        Source of the inputs; a new seed each time by default.

    Returns
    -------
    Verdict

    Examples
    --------
    >>> from hepml_labs.teaching import Exercise
    >>> exercise = Exercise("toy.half", lambda x: x / 2, lambda rng: (rng.normal(size=4),))
    >>> judge(exercise, lambda x: 0.5 * x).kind
    'correct'
    >>> judge(exercise, lambda x: -x / 2).lines[0]
    'The sign is flipped everywhere.'
    """
    rng = rng or np.random.default_rng()
    if answer is None or answer is ...:
        return Verdict("missing", ("Not filled in yet.",))
    if not callable(exercise.reference):
        return _judge_results(exercise, [answer], [exercise.reference], [set()], _wrong_values(exercise))
    if not callable(answer):
        advice = f"pass the function itself, without calling it; found {describe(answer)}"
        return Verdict("type", (advice[0].upper() + advice[1:] + ".",))

    calls = [(exercise.inputs(rng), int(rng.integers(2**31))) for _ in range(exercise.trials)]
    if not all(isinstance(arguments, tuple) for arguments, _ in calls):
        raise ValueError(f"inputs of {exercise.name}: found {describe(calls[0][0])}, expected a tuple of arguments")
    expected = [_call(exercise, exercise.reference, *call) for call in calls]
    try:
        found = run_limited(lambda: [_call(exercise, answer, *call) for call in calls], exercise.time_limit)
    except TimeLimitExceeded:
        limit = f"{exercise.time_limit:g} s"
        return Verdict(
            "time", (f"Interrupted after {limit}: is there a loop that never ends, or one over every event?",)
        )
    except (Exception, SystemExit) as error:
        return _raised(answer, error)

    changes = any(one.changed for one in expected)
    if not changes and any(one.changed for one in found):
        advice = "Your function changes its arguments in place, and so spoils the caller's data: work on a copy."
        return Verdict("modified", (advice,))
    if any(one.result is None and other.result is not None for one, other in zip(found, expected, strict=True)):
        if _is_unfilled(answer):
            return Verdict("missing", ("Not filled in yet.",))
        return Verdict("type", ("Your function returns None: has the line with `return` been forgotten?",))
    blank = any(leaf is ... for one in found for _, leaf in flatten(one.result))
    if blank or (changes and _is_unfilled(answer)):
        return Verdict("missing", ("Not filled in yet.",))
    return _judge_results(
        exercise,
        [one.outcome(changes) for one in found],
        [one.outcome(changes) for one in expected],
        [axis_lengths(inputs) for inputs, _ in calls],
        _wrong_results(exercise, calls, changes),
    )


def _judge_results(exercise, found, expected, sizes, wrong_results):
    """Compare results trial by trial; `wrong_results` yields (message, results) of the known mistakes."""
    tolerances = exercise.rtol, exercise.atol

    def all_agree(others):
        return all(agree(one, other, *tolerances) for one, other in zip(found, others, strict=True))

    if all_agree(expected):
        return Verdict("correct")
    problem = next(filter(None, map(form_problem, found, expected)), None)
    if problem:
        facts = [problem[1][0].upper() + problem[1][1:] + "."]
    else:
        facts = diagnose(found, expected, sizes, *tolerances) or ["The result differs from what is expected."]
    for message, results in wrong_results:
        if all_agree(results):
            return Verdict("mistake", (message, facts[-1]))
    return Verdict(problem[0] if problem else "values", tuple(facts))


def _wrong_values(exercise):
    return ((mistake.message, [mistake.answer]) for mistake in exercise.mistakes)


def _wrong_results(exercise, calls, changes):
    """Yield the results of each known mistake; one that cannot run on these inputs explains nothing."""
    for mistake in exercise.mistakes:
        try:
            results = [_call(exercise, mistake.answer, *call).outcome(changes) for call in calls]
        except Exception:
            continue
        yield mistake.message, results


@dataclass
class _Call:
    """One call: what came back, the arguments afterwards, and whether these were changed."""

    result: object
    arguments: tuple
    changed: bool

    def outcome(self, changes):
        """Return what is compared: the result, and the arguments where the reference changes them."""
        if not changes:
            return self.result
        return self.arguments if self.result is None else (self.result, self.arguments)


def _call(exercise, function, arguments, seed):
    """Call a function on copies of the arguments under a fixed seed, leaving the notebook's random state alone."""
    mine = _copy(arguments)
    with _seeded(seed):
        result = function(*mine)
        if exercise.prepare is not None and result is not None and result is not ...:
            result = exercise.prepare(result)
    after = [leaf for _, leaf in flatten(mine) if to_array(leaf) is not None]
    before = [leaf for _, leaf in flatten(arguments) if to_array(leaf) is not None]
    changed = len(after) != len(before) or not all(
        np.array_equal(to_array(one), to_array(other), equal_nan=True) for one, other in zip(after, before, strict=True)
    )
    return _Call(_copy(result), tuple(after) if changed else (), changed)


def _copy(value):
    """Copy arguments and results deeply; tensors keep whether they require a gradient."""
    if is_tensor(value):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if "torch" in sys.modules and isinstance(value, sys.modules["torch"].Generator):
        return sys.modules["torch"].Generator(value.device).set_state(value.get_state())
    if type(value) in (tuple, list):
        return type(value)(_copy(item) for item in value)
    if type(value) is dict:
        return {key: _copy(item) for key, item in value.items()}
    if is_module(value) or not callable(value):
        try:
            return copy.deepcopy(value)
        except (TypeError, RuntimeError):  # an object that cannot be copied is shared
            return value
    return value


@contextmanager
def _seeded(seed):
    """Fix the global random generators inside of the block and put them back afterwards."""
    torch = sys.modules.get("torch")
    # students may use NumPy's old global generator, so it is kept in order too
    states = random.getstate(), np.random.get_state(), torch and torch.get_rng_state()  # noqa: NPY002
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    if torch:
        torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        if torch:
            torch.set_rng_state(states[2])


def _source(answer):
    """Return the source of a function or class, or an empty text (classes of a notebook: by their methods)."""
    try:
        return textwrap.dedent(inspect.getsource(answer))
    except (OSError, TypeError):
        methods = vars(answer).values() if isinstance(answer, type) else ()
        return "\n".join(_source(method) for method in methods if inspect.isfunction(method))


def _is_unfilled(answer):
    """Whether a function still has its blank, or nothing but a docstring, `...` or `pass`."""
    source = _source(answer)
    if _BLANK.search(source):
        return True
    try:
        body = ast.parse(source).body[0].body
    except (SyntaxError, IndexError, AttributeError):
        return False
    idle = (ast.Constant, ast.Pass)
    return isinstance(body, list) and all(
        isinstance(getattr(statement, "value", statement), idle) and not isinstance(statement, ast.Return)
        for statement in body
    )


def _raised(answer, error):
    """Report an exception with the line of the student's code that it came from."""
    message = f"{type(error).__name__}: {error}"
    if len(message) > 300:
        message = message[:300] + " ..."
    if "ellipsis" in message.lower() or _BLANK.search(_source(answer)):
        return Verdict("missing", ("Not filled in yet: the line `...  # your code here` is still there.",))
    lines = [f"Your code raised an error. {message}"]
    functions = [answer, *vars(answer).values()] if isinstance(answer, type) else [answer]
    files = {function.__code__.co_filename for function in functions if hasattr(function, "__code__")}
    trace, place = error.__traceback__, None
    while trace:
        code = trace.tb_frame.f_code
        if code.co_filename in files:
            place = code, trace.tb_lineno
        trace = trace.tb_next
    if place:
        code, line_number = place
        text = linecache.getline(code.co_filename, line_number).strip()
        lines.append(f"It happened in `{code.co_name}`, in the line: `{text}`" if text else f"In line {line_number}.")
    elif isinstance(error, TypeError) and "argument" in str(error):
        lines.append("Does your function take the arguments that the exercise names, in that order?")
    return Verdict("raised", tuple(lines))
