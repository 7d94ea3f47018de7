"""The command `hepml`."""

import subprocess
import sys

import pytest
from packaging.requirements import Requirement

from hepml_labs import cli, doctor, paths


def test_help_lists_all_commands(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["--help"])
    assert stop.value.code == 0
    said = capsys.readouterr().out
    assert all(command in said for command in ("doctor", "lab", "book", "student", "points", "grade", "data"))


@pytest.mark.parametrize("arguments", [[], ["cook"], ["points", "--no-such-option"]])
def test_wrong_usage_is_an_error(arguments):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2


def test_doctor_finds_this_installation_well(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HEPML_HOME", str(tmp_path))
    assert cli.main(["doctor"]) == 0
    assert "All is well." in capsys.readouterr().out


def test_doctor_finds_problems(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HEPML_HOME", str(tmp_path / "file" / "home"))
    monkeypatch.setattr(
        doctor.importlib.metadata, "requires", lambda name: ["numpy>=99", "not-there", "x ; extra == 'lab'"]
    )
    monkeypatch.setattr(paths, "data", lambda: tmp_path)
    assert cli.main(["doctor"]) == 1
    said = capsys.readouterr().out
    assert "PROBLEM  numpy: found 2" in said or "PROBLEM  numpy: found 1" in said
    assert "PROBLEM  not-there: found none" in said
    assert "note     extra 'lab': x missing" in said
    assert "PROBLEM  bundled data" in said
    assert "PROBLEM  home" in said


def test_requirement_that_is_met():
    assert doctor.check_requirement(Requirement("numpy>=1.26"))[0] == "good"
    assert doctor.check_requirement(Requirement("numpy>=99"))[0] == "version"


def test_lab_copies_and_starts_jupyterlab(tmp_path, monkeypatch, capsys):
    started = []
    monkeypatch.setattr(
        cli.subprocess, "run", lambda command: started.append(command) or subprocess.CompletedProcess(command, 0)
    )
    assert cli.main(["lab", "--directory", str(tmp_path), "--no-browser"]) == 0
    assert started == [[sys.executable, "-m", "jupyterlab", "--no-browser", str(tmp_path / "exercises")]]
    assert cli.main(["lab", "--directory", str(tmp_path), "--solutions", "--copy-only"]) == 0
    assert len(started) == 1
    expected = {file.relative_to(paths.notebooks()) for file in paths.notebooks().rglob("*.ipynb")}
    for folder in (tmp_path / "exercises", tmp_path / "solutions"):
        assert {file.relative_to(folder) for file in folder.rglob("*.ipynb")} == expected


def test_student_and_points(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HEPML_HOME", str(tmp_path))
    assert cli.main(["student", "--output", str(tmp_path / "out")]) == 0
    assert "student versions" in capsys.readouterr().out
    assert cli.main(["points"]) == 0
    assert "No points yet" in capsys.readouterr().out


def test_user_errors_are_one_line_and_exit_code_1(tmp_path, capsys):
    assert cli.main(["student", str(tmp_path / "nowhere.ipynb")]) == 1
    said = capsys.readouterr().err
    assert said.startswith("hepml: ")
    assert said.count("\n") == 1


def test_options_are_passed_on_to_data(capsys):
    assert cli.main(["data", "list"]) == 0
    assert "gluons_3g" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        cli.main(["data", "--help"])
    assert stop.value.code == 0
    assert "hepml data" in capsys.readouterr().out


def test_files_are_found_in_the_checkout_and_in_the_wheel(tmp_path, monkeypatch):
    assert paths.in_checkout()
    assert (paths.data()).is_dir()
    monkeypatch.setattr(paths, "_CHECKOUT", tmp_path)
    monkeypatch.setattr(paths, "_BUNDLE", tmp_path / "_bundle")
    with pytest.raises(FileNotFoundError, match="install the package again"):
        paths.root()
    (tmp_path / "_bundle" / "notebooks").mkdir(parents=True)
    assert paths.notebooks() == tmp_path / "_bundle" / "notebooks"
    with pytest.raises(FileNotFoundError, match="clone"):
        paths.book()
