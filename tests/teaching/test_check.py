"""`lab.check`: what is returned, said and recorded."""

import json
import multiprocessing
import subprocess
import sys

import pytest

from hepml_labs.teaching import check, progress
from hepml_labs.teaching.exercise import chapters, exercises, find


def right(x):
    return (x**2).mean(axis=0)


def wrong(x):
    return x.mean(axis=0) ** 2


def test_right_answer_is_returned_and_recorded(toy, capsys):
    assert check.check("toy.mean_square", right) is right
    assert "✓ toy.mean_square: correct" in capsys.readouterr().out
    assert progress.load() == {"toy.mean_square": {"points": 2, "possible": 2, "tries": 1}}


def test_hints_grow_and_the_lab_goes_on(toy, capsys):
    for hint in ("Hint 1 of 2: First", "Hint 2 of 2: Second", "Hint 2 of 2: Second"):
        assert check.check("toy.mean_square", wrong) is toy.reference
        said = capsys.readouterr().out
        assert hint in said
        assert "That is the square of the mean." in said
        assert "At index [0]: expected" in said
    assert progress.load()["toy.mean_square"] == {"points": 0, "possible": 2, "tries": 3}


def test_blank_costs_no_try_and_shows_no_hint(toy, capsys):
    assert check.check("toy.mean_square", ...) is toy.reference
    said = capsys.readouterr().out
    assert "○ toy.mean_square: to do (2 points)" in said
    assert "Hint" not in said
    assert progress.load()["toy.mean_square"] == {"points": 0, "possible": 2, "tries": 0}


def test_points_are_kept_when_the_answer_is_spoiled_later(toy):
    check.check("toy.mean_square", right)
    check.check("toy.mean_square", wrong)
    assert progress.load()["toy.mean_square"] == {"points": 2, "possible": 2, "tries": 2}


def test_score_shows_the_sum(toy, capsys):
    check.check("toy.mean_square", right)
    capsys.readouterr()
    check.score()
    assert "sum              2 of 2" in capsys.readouterr().out


def test_unknown_names_are_answered_with_close_ones():
    name = next(iter(exercises(chapters()[0])))
    with pytest.raises(ValueError, match=f"did you mean '{name}'"):
        find(name[:-1])
    with pytest.raises(ValueError, match="no chapter 'cooking'"):
        find("cooking.eggs")
    with pytest.raises(ValueError, match="expected the name of an exercise"):
        find(3)


def test_damaged_record_is_put_aside(home):
    home.mkdir()
    for damaged in ("{half", "[1, 2]", '{"toy.a": {"points": "many"}}'):
        (home / "progress.json").write_text(damaged)
        with pytest.warns(UserWarning, match="damaged"):
            assert progress.save("toy.b", 1, 1, 1)
        assert list(json.loads((home / "progress.json").read_text())) == ["toy.b"]
        assert (home / "progress.damaged.json").read_text() == damaged


def test_home_that_cannot_be_written_does_not_stop_the_lab(toy, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HEPML_HOME", str(tmp_path / "file" / "home"))
    with pytest.warns(UserWarning, match="could not be recorded"):
        assert check.check("toy.mean_square", right) is right


def save_many(prefix):
    for number in range(20):
        progress.save(f"toy.{prefix}{number}", 1, 1, 1)


def test_two_notebooks_at_once_lose_no_points():
    context = multiprocessing.get_context("fork" if sys.platform != "win32" else "spawn")
    workers = [context.Process(target=save_many, args=(prefix,)) for prefix in "ab"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(progress.load()) == 40


def test_importing_teaching_is_light():
    code = "import sys, hepml_labs.teaching; print('torch' in sys.modules, 'matplotlib' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False", "False"]
