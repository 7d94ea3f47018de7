"""Every exercise of every chapter: the right answer passes, and nothing else does."""

from dataclasses import replace

import numpy as np
import pytest

from hepml_labs.teaching.compare import is_tensor, to_array
from hepml_labs.teaching.exercise import chapters, exercises
from hepml_labs.teaching.judge import judge

EXERCISES = [exercise for chapter in chapters() for exercise in exercises(chapter).values()]
SEEDS = range(5)
FEWER_SEEDS = range(3)  # each judges every mistake on several inputs

pytestmark = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)


def judged(exercise, answer, seed=0):
    return judge(exercise, answer, np.random.default_rng(seed))


def prepared(exercise):
    """Move the preparation into the reference, so that an answer can be spoiled after it."""
    if exercise.prepare is None:
        return exercise
    return replace(exercise, prepare=None, mistakes=(), reference=lambda *a: exercise.prepare(exercise.reference(*a)))


def spoil(change, value):
    """Apply a change to each number, array or tensor in a result."""
    if isinstance(value, dict):
        return {key: spoil(change, item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(spoil(change, item) for item in value)
    return value if to_array(value) is None else change(value)


def answer_with(exercise, change):
    """Return the right answer with its result changed."""
    if not callable(exercise.reference):
        return spoil(change, exercise.reference)
    return lambda *arguments: spoil(change, exercise.reference(*arguments))


def not_a_number(value):
    return value * float("nan") if is_tensor(value) else np.asarray(value) * np.nan


def flip_sign(value):
    return (not value if isinstance(value, bool) else ~value) if to_array(value).dtype.kind == "b" else -value


def shift(value):
    array = to_array(value)
    if array.dtype.kind == "b":
        return flip_sign(value)
    if array.dtype.kind in "iu":
        return value + 1
    size = np.abs(array[np.isfinite(array)])
    return value + 0.01 * (float(size.max()) if size.size and size.max() > 0 else 1.0)


def add_axis(value):
    return value[None] if is_tensor(value) else np.asarray(value)[None]


@pytest.mark.parametrize("seed", SEEDS)
def test_right_answer_is_accepted(exercise, seed):
    verdict = judged(exercise, exercise.reference, seed)
    assert verdict.kind == "correct", verdict.lines


@pytest.mark.parametrize("seed", FEWER_SEEDS)
def test_each_mistake_is_rejected_with_its_own_message(exercise, seed):
    for mistake in exercise.mistakes:
        verdict = judged(exercise, mistake.answer, seed)
        assert (verdict.kind, verdict.lines[:1]) == ("mistake", (mistake.message,))


@pytest.mark.parametrize("change", [not_a_number, flip_sign, shift, add_axis])
def test_spoiled_result_is_rejected(exercise, change):
    exercise = prepared(exercise)
    if callable(exercise.reference) and exercise.reference(*exercise.inputs(np.random.default_rng(0))) is None:
        answer = lambda *arguments: None  # works on its arguments: doing nothing must not pass  # noqa: E731
    else:
        answer = answer_with(exercise, change)
    verdict = judged(exercise, answer)
    assert verdict.kind != "correct"
    assert verdict.lines


def test_raising_is_rejected(exercise):
    def raises(*arguments):
        raise RuntimeError("on purpose")

    verdict = judged(exercise, raises)
    assert verdict.kind == ("raised" if callable(exercise.reference) else "type")


@pytest.mark.parametrize("answer", [None, ..., lambda *arguments: ..., lambda *arguments: None])
def test_blank_is_not_accepted(exercise, answer):
    assert judged(exercise, answer).kind in ("missing", "type")


def test_endless_loop_is_interrupted(exercise):
    if not callable(exercise.reference):
        pytest.skip("the answer is a value")

    def forever(*arguments):
        while True:
            pass

    assert judged(replace(exercise, time_limit=0.05), forever).kind == "time"


def test_exercise_helps(exercise):
    assert len(exercise.mistakes) >= 3
    assert len(exercise.hints) >= 2
    assert all(len(text) > 15 for text in (*exercise.hints, *(mistake.message for mistake in exercise.mistakes)))
    assert len({mistake.message for mistake in exercise.mistakes}) == len(exercise.mistakes)


def test_inputs_vary(exercise):
    if not callable(exercise.reference):
        pytest.skip("the answer is a value")
    assert exercise.trials >= 2
    rng = np.random.default_rng(1)
    constant = prepared(exercise).reference(*exercise.inputs(rng))
    assert judged(prepared(exercise), lambda *arguments: constant).kind != "correct"
