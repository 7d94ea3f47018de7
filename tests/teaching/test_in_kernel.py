"""What a notebook shows, in a real kernel; and grading, which runs one."""

import csv
import io
import os

import nbformat
import pytest
from nbclient import NotebookClient

from hepml_labs.cli import main
from hepml_labs.teaching.exercise import chapters, exercises

# an exercise whose reference is a plain function of the package, so that a submission can import the right answer
EXERCISE = next(
    exercise
    for chapter in chapters()
    for exercise in exercises(chapter).values()
    if getattr(exercise.reference, "__module__", "").startswith("hepml_labs")
    and exercise.reference.__name__ != "<lambda>"
    and exercise.prepare is None
)

DISPLAYS = """
from hepml_labs.teaching import lab
import matplotlib.pyplot as plt
def draw(width):
    figure, axes = plt.subplots(figsize=(2, 1))
    axes.plot([0, width])
    return figure
"""

BLANK = f"""
def blank(*arguments):
    ...  # your code here
answer = lab.check({EXERCISE.name!r}, blank)
"""

BROKEN = f"""
def broken(*arguments):
    return 1 / 0
answer = lab.check({EXERCISE.name!r}, broken)
"""

ENDLESS = f"""
import dataclasses
from hepml_labs.teaching import check
find = check.find
check.find = lambda name: dataclasses.replace(find(name), time_limit=0.3)
def endless(*arguments):
    while True:
        pass
answer = lab.check({EXERCISE.name!r}, endless)
"""


def notebook(*sources):
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    return nbformat.v4.new_notebook(
        cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "python3"}}
    )


def correct_cell():
    function = EXERCISE.reference
    return (
        f"from hepml_labs.teaching import lab\nfrom {function.__module__} import {function.__name__} as answer\n"
        f"answer = lab.check({EXERCISE.name!r}, answer)"
    )


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    content = notebook(
        DISPLAYS,
        "lab.expect('a', 1, low=0)\nlab.expect('<b>', 2, low=0, published=3)\nlab.expect('c', 3, low=0)",
        "lab.expect('d', 4, low=0)",
        "lab.explore(draw, 'A line.', width=[1, 2, 3])\nlab.explore(draw, 'Another.', width=[1, 2])",
        "lab.show(lab.at_scale)",
        BLANK,
        BROKEN,
        ENDLESS,
        "import time; time.sleep(0.7); 'still alive'",
    )
    environment = {**os.environ, "HEPML_HOME": str(tmp_path_factory.mktemp("home")), "HEPML_SCALE": "lab"}
    NotebookClient(content, timeout=120, kernel_name="python3").execute(env=environment)
    return [cell.outputs for cell in content.cells]


def test_expectations_of_a_cell_make_one_table(outputs):
    (table,), (other,) = outputs[1], outputs[2]
    assert table.data["text/html"].count("<tr>") == 4
    assert "&lt;b&gt;" in table.data["text/html"]
    assert other.data["text/html"].count("<tr>") == 2
    assert "published" not in other.data["text/html"]


def test_slider_comes_as_widget_and_as_html(outputs):
    assert len(outputs[3]) == 2
    for output, frames in zip(outputs[3], (3, 2), strict=True):
        assert "application/vnd.jupyter.widget-view+json" in output.data
        assert output.data["text/html"].count("<img") == frames
    assert 'alt="A line. (width = 2)"' in outputs[3][0].data["text/html"]


def test_source_is_shown(outputs):
    (output,) = outputs[4]
    assert "hepml_labs.teaching.lab.at_scale" in output.data["text/html"]
    assert "smoke=None" in output.data["text/plain"]


def test_verdicts_on_functions_of_the_notebook(outputs):
    (blank,), (broken,), (endless,) = outputs[5:8]
    assert "to do" in blank.data["text/plain"]
    assert "ZeroDivisionError" in broken.data["text/plain"]
    assert "in the line: `return 1 / 0`" in broken.data["text/plain"]
    assert "<code>return 1 / 0</code>" in broken.data["text/html"]
    assert "Interrupted after 0.3 s" in endless.data["text/plain"]
    assert "still alive" in outputs[8][0].data["text/plain"]


def test_grade(tmp_path, capsys):
    nbformat.write(notebook(correct_cell()), tmp_path / "good.ipynb")
    nbformat.write(notebook("1 / 0", correct_cell()), tmp_path / "stumbles.ipynb")
    (tmp_path / "broken.ipynb").write_text("not a notebook")
    assert main(["grade", str(tmp_path)]) == 0
    rows = {row["notebook"].rpartition(os.sep)[2]: row for row in csv.DictReader(io.StringIO(capsys.readouterr().out))}
    points = str(EXERCISE.points)
    assert [rows["good.ipynb"][key] for key in ("status", "total", EXERCISE.name)] == ["ok", points, points]
    assert [rows["stumbles.ipynb"][key] for key in ("status", "total")] == ["errors in cells 0", points]
    assert rows["broken.ipynb"]["total"] == "0"
    assert "NotJSONError" in rows["broken.ipynb"]["status"]
