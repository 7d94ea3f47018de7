"""Each diagnosis, on toy exercises."""

import random
import signal
import threading
import time

import numpy as np
import pytest
import torch

from hepml_labs.teaching import Exercise, Mistake
from hepml_labs.teaching.judge import judge
from hepml_labs.teaching.time_limit import TimeLimitExceeded, run_limited


def vectors(rng):
    return (rng.normal(size=(6, 4)),)


SQUARE_MATRIX = Exercise("toy.a", lambda x: np.exp(x), lambda rng: (rng.normal(size=(4, 4)),))
MEAN = Exercise("toy.b", lambda x: x.mean(), vectors)
COLUMNS = Exercise("toy.c", lambda x: x - 0.3, vectors)
PAIR = Exercise("toy.d", lambda x: (x.mean(axis=0), x.std(axis=0)), vectors)
NAMED = Exercise("toy.e", lambda x: {"mean": x.mean(), "width": x.std()}, vectors)
MASK = Exercise("toy.f", lambda x: x > 0, vectors)
COUNT = Exercise("toy.g", lambda x: (x > 0).sum(axis=0), vectors)
VALUE = Exercise("toy.h", 1153, mistakes=(Mistake("Those are the weights without biases.", 1088),))


@pytest.mark.parametrize(
    ("exercise", "answer", "kind", "words"),
    [
        (COLUMNS, lambda x: -(x - 0.3), "values", "sign is flipped everywhere"),
        (COLUMNS, lambda x: np.abs(x - 0.3), "values", "magnitudes are right"),
        (COLUMNS, lambda x: (x - 0.3) ** 2, "values", "square of"),
        (SQUARE_MATRIX, lambda x: np.exp(x / 2), "values", "square root of"),
        (SQUARE_MATRIX, lambda x: x, "values", "logarithm of"),
        (SQUARE_MATRIX, lambda x: 2 / np.exp(x) / 2, "values", "one over"),
        (COLUMNS, lambda x: np.pi * (x - 0.3), "values", "pi times"),
        (COLUMNS, lambda x: (x - 0.3) / 3, "values", "1/3 times"),
        (COLUMNS, lambda x: -2 * (x - 0.3), "values", "minus 2 times"),
        (COLUMNS, lambda x: x, "values", "plus 0.3"),
        (COLUMNS, lambda x: x / np.abs(x).max() - 0.3 / np.abs(x).max(), "values", "differs from call to call"),
        (MEAN, lambda x: x.mean() * 6, "values", "factor 6"),
        (PAIR, lambda x: (x.sum(axis=0), x.std(axis=0)), "values", "a sum in the place of a mean"),
        (PAIR, lambda x: (x.mean(axis=0), x.std(axis=0) / 4), "values", "a mean in the place of a sum"),
        (SQUARE_MATRIX, lambda x: np.exp(x).T, "values", "axes 0 and 1 are exchanged"),
        (COLUMNS, lambda x: (x - 0.3)[::-1], "values", "along axis 0 is reversed"),
        (COLUMNS, lambda x: np.sort(x - 0.3, axis=1), "values", "in another order"),
        (COLUMNS, lambda x: np.where(x > 0, x - 0.3, x), "values", "of 24 values are right"),
        (MASK, lambda x: x > 1, "values", "of 24 values are right"),
        (MASK, lambda x: (x > 0).astype(int), "type", "expected booleans"),
        (COUNT, lambda x: (x > 0).sum(axis=0).astype(float), "type", "expected integers"),
        (COLUMNS, lambda x: (x - 0.3).astype(complex), "type", "complex"),
        (COLUMNS, lambda x: (x - 0.3)[:, :, None], "shape", "found (6, 4, 1), expected (6, 4)"),
        (MEAN, lambda x: x.mean(keepdims=True), "shape", "expected () (a single number)"),
        (COLUMNS, lambda x: (x - 0.3).tolist(), "type", "found a list of 6, expected an array"),
        (COLUMNS, lambda x: "text", "type", "the text 'text'"),
        (PAIR, lambda x: x.mean(axis=0), "count", "expected a tuple of 2"),
        (PAIR, lambda x: (x.mean(axis=0),), "count", "found 1, expected 2"),
        (NAMED, lambda x: {"mean": x.mean()}, "count", "expected the keys 'mean', 'width'"),
        (NAMED, lambda x: {"width": x.std(), "mean": 2 * x.mean()}, "values", "In output 'mean'"),
        (COLUMNS, lambda x: np.where(x > 0, x - 0.3, np.nan), "values", "not a number"),
        (COLUMNS, lambda x: (x - 0.3) / 0, "values", "infinite"),
        (COLUMNS, lambda x: np.ones((6, 4)), "values", "the same for every input"),
        (COLUMNS, lambda x: x / 0 if x is None else 1 / int("zero"), "raised", "ValueError: invalid literal"),
        (COLUMNS, lambda: 1, "raised", "in that order"),
        (COLUMNS, np.ones((6, 4)), "type", "without calling it"),
        (COLUMNS, lambda x: (_ for _ in ()).throw(SystemExit(3)), "raised", "SystemExit"),
        (VALUE, 1088, "mistake", "without biases"),
        (VALUE, 1000, "values", "Expected 1153, found 1000"),
        (VALUE, ..., "missing", "Not filled in"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_diagnosis(exercise, answer, kind, words):
    for seed in range(3):
        verdict = judge(exercise, answer, np.random.default_rng(seed))
        assert verdict.kind == kind, verdict
        assert words in " ".join(verdict.lines), verdict


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        (MEAN, lambda x: float(x.sum() / x.size)),
        (MEAN, lambda x: torch.tensor(x).mean()),
        (COLUMNS, lambda x: (x - 0.3).astype(np.float32)),
        (PAIR, lambda x: [x.mean(axis=0), x.std(axis=0)]),
        (NAMED, lambda x: {"width": x.std(), "mean": x.mean()}),
        (VALUE, 1153.0),
        (COUNT, lambda x: np.count_nonzero(x > 0, axis=0)),
    ],
)
def test_other_right_answers_are_accepted(exercise, answer):
    assert judge(exercise, answer).kind == "correct"


def test_right_for_the_first_call_only():
    calls = []

    def forgetful(x):
        calls.append(1)
        return x - 0.3 if len(calls) == 1 else 2 * x + 5

    verdict = judge(COLUMNS, forgetful)
    assert (verdict.kind, verdict.lines[0]) == ("values", "Right in 1 of 3 calls with different inputs.")


def test_values_in_tiny_units_are_compared_all_the_same():
    exercise = Exercise("toy.tiny", lambda x: 1e-12 * x, vectors)
    assert judge(exercise, lambda x: 1.01e-12 * x).kind == "values"
    assert judge(exercise, lambda x: 0 * x).kind == "values"


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_infinity_and_nan_that_belong_there_are_asked_for():
    exercise = Exercise("toy.pole", lambda x: np.log(x - x.min()), vectors)
    assert judge(exercise, lambda x: np.log(x - np.min(x))).kind == "correct"
    assert judge(exercise, lambda x: np.log(np.maximum(x - x.min(), 1e-9))).kind == "values"
    assert judge(exercise, lambda x: np.nan_to_num(np.log(x - x.min()), neginf=np.inf)).kind == "values"
    exercise = Exercise("toy.root", np.sqrt, vectors)
    assert judge(exercise, lambda x: np.sqrt(np.abs(x))).kind == "values"


def test_changing_the_arguments_is_rejected_and_harmless():
    def in_place(x):
        x -= 0.3
        return x

    verdict = judge(COLUMNS, in_place)
    assert verdict.kind == "modified"
    assert "work on a copy" in verdict.lines[0]


def test_exercise_that_works_in_place():
    def step(parameters, gradients):
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter -= 0.1 * gradient

    exercise = Exercise("toy.step", step, lambda rng: (list(rng.normal(size=(2, 3))), list(rng.normal(size=(2, 3)))))
    assert judge(exercise, step).kind == "correct"

    def wrong(parameters, gradients):
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter += 0.1 * gradient

    def blank(parameters, gradients): ...  # your code here

    assert judge(exercise, wrong).kind == "values"
    assert judge(exercise, blank).kind == "missing"
    assert judge(exercise, lambda parameters, gradients: parameters).kind != "correct"


def test_gradient_must_flow_where_the_reference_lets_it_flow():
    exercise = Exercise(
        "toy.loss",
        lambda w: (w**2).mean(),
        lambda rng: (torch.tensor(rng.normal(size=4), requires_grad=True),),
    )
    assert judge(exercise, lambda w: (w * w).sum() / 4).kind == "correct"
    for cut in (lambda w: (w**2).mean().item(), lambda w: (w.detach() ** 2).mean()):
        verdict = judge(exercise, cut)
        assert (verdict.kind, "no gradient" in verdict.lines[0].lower()) == ("gradient", True)


def test_module_class_as_answer():
    class Line(torch.nn.Module):
        def __init__(self, slope):
            super().__init__()
            self.slope = slope

        def forward(self, x):
            return self.slope * x

    class Blank(torch.nn.Module):
        def __init__(self, slope):
            super().__init__()
            ...  # your code here

        def forward(self, x):
            return self.slope * x

    class Wrong(Line):
        def forward(self, x):
            return self.slope * x + 1

    exercise = Exercise(
        "toy.line", Line, lambda rng: (rng.normal(),), prepare=lambda model: model(torch.linspace(-1, 1, 5))
    )
    assert judge(exercise, Line).kind == "correct"
    assert judge(exercise, Blank).kind == "missing"
    assert judge(exercise, Wrong).kind == "values"


def draw_with_global_generators(x):
    return x + np.random.normal(size=3) + random.random()  # noqa: NPY002


def seed_global_generators():
    np.random.seed(5)  # noqa: NPY002
    torch.manual_seed(5)
    random.seed(5)


def test_random_answers_are_compared_under_one_seed_and_leave_no_trace():
    exercise = Exercise("toy.noise", draw_with_global_generators, lambda rng: (rng.normal(),))
    seed_global_generators()
    expected = *draw_with_global_generators(0), float(torch.rand(()))
    seed_global_generators()
    assert judge(exercise, lambda x: draw_with_global_generators(x)).kind == "correct"
    assert (*draw_with_global_generators(0), float(torch.rand(()))) == expected
    assert judge(exercise, lambda x: x + 0.1 * (draw_with_global_generators(x) - x)).kind == "values"


def test_generators_among_the_arguments_are_copied():
    exercise = Exercise(
        "toy.draw",
        lambda rng, generator: (rng.normal(size=2), torch.rand(2, generator=generator)),
        lambda rng: (
            np.random.default_rng(int(rng.integers(99))),
            torch.Generator().manual_seed(int(rng.integers(99))),
        ),
    )
    assert (
        judge(exercise, lambda rng, generator: (rng.normal(size=2), torch.rand(2, generator=generator))).kind
        == "correct"
    )
    assert judge(exercise, lambda rng, generator: (rng.normal(size=2), torch.rand(2))).kind == "values"


def test_inputs_must_be_a_tuple():
    with pytest.raises(ValueError, match="inputs of toy.x: found an array of shape \\(3,\\), expected a tuple"):
        judge(Exercise("toy.x", lambda x: x, lambda rng: np.ones(3)), lambda x: x)


def test_strange_tensors_are_the_wrong_type():
    exercise = Exercise("toy.tensor", lambda x: 2 * x, lambda rng: (torch.tensor(rng.normal(size=(2, 2))),))
    assert judge(exercise, lambda x: (2 * x).to_sparse()).kind == "type"
    assert judge(exercise, lambda x: (2 * x).to("meta")).kind == "type"
    assert judge(exercise, lambda x: (2 * x).bfloat16().double()).kind == "values"


def pair_of_blanks(x):
    mean = ...  # your code here
    return mean, x.std(axis=0)


def unfilled(x):
    """Return nothing yet."""
    ...  # your code here


def half_filled(x):
    centre = ...  # your code here
    return x - centre


def forgot_return(x):
    x = x - 0.3


def raises_in_a_line(x):
    y = x - 0.3
    return y[100]


def test_blank_and_forgotten_return_are_told_apart():
    assert judge(COLUMNS, unfilled).kind == "missing"
    assert judge(COLUMNS, half_filled).kind == "missing"
    assert judge(PAIR, pair_of_blanks).kind == "missing"
    verdict = judge(COLUMNS, forgot_return)
    assert (verdict.kind, "forgotten" in verdict.lines[0]) == ("type", True)


def test_error_names_the_line():
    verdict = judge(COLUMNS, raises_in_a_line)
    assert verdict.lines[0].startswith("Your code raised an error. IndexError")
    assert verdict.lines[1] == "It happened in `raises_in_a_line`, in the line: `return y[100]`"


def swallow_and_loop():
    while True:
        try:
            while True:
                pass
        except Exception:
            pass


def test_sleep_and_swallowed_errors_are_interrupted():
    for endless in (swallow_and_loop, lambda: time.sleep(60)):
        start = time.monotonic()
        with pytest.raises(TimeLimitExceeded):
            run_limited(endless, 0.1)
        assert time.monotonic() - start < 5


def test_ctrl_c_of_the_user_is_passed_on():
    handler = signal.getsignal(signal.SIGINT)
    timer = threading.Timer(0.2, lambda: signal.pthread_kill(threading.main_thread().ident, signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        run_limited(lambda: time.sleep(10), 8.0)
    timer.cancel()
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_function_that_ends_at_the_limit_leaves_no_signal_behind():
    handler = signal.getsignal(signal.SIGINT)
    for number in range(60):
        try:
            run_limited(lambda delay=0.0195 + number * 2e-5: time.sleep(delay), 0.02)
        except TimeLimitExceeded:
            pass
        assert signal.getsignal(signal.SIGINT) is handler
    time.sleep(0.05)


def test_outside_of_the_main_thread_there_is_no_limit():
    results = []
    worker = threading.Thread(target=lambda: results.append(run_limited(lambda: time.sleep(0.05) or 7, 0.01)))
    worker.start()
    worker.join()
    assert results == [7]
