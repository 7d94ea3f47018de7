import numpy as np
import pytest

from hepml_labs.teaching import Exercise, Mistake, check


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Points are recorded in a folder of each test's own."""
    monkeypatch.setenv("HEPML_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HEPML_SCALE", raising=False)
    monkeypatch.setattr(check, "_wrong_tries", {})
    return tmp_path / "home"


@pytest.fixture
def toy(monkeypatch):
    """Register one exercise: the mean of the squares of each column."""
    exercise = Exercise(
        name="toy.mean_square",
        reference=lambda x: (x**2).mean(axis=0),
        inputs=lambda rng: (rng.normal(size=(int(rng.integers(5, 9)), 3)),),
        mistakes=(Mistake("That is the square of the mean.", lambda x: x.mean(axis=0) ** 2),),
        hints=("First hint.", "Second hint."),
        points=2,
        time_limit=0.3,
    )
    monkeypatch.setattr(check, "find", lambda name: exercise)
    assert np.ndim(exercise.reference(np.ones((4, 3)))) == 1
    return exercise
