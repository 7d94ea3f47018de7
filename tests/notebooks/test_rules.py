"""The rules that every lab keeps, so that sixty of them read as one course."""

import ast
import importlib.util
import re
from pathlib import Path

import nbformat
import pytest

from hepml_labs.teaching.exercise import chapters, exercises, find
from hepml_labs.teaching.quiz import load
from hepml_labs.teaching.student import BEGIN, student_version

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted(file for file in ROOT.glob("notebooks/*/*.ipynb") if ".ipynb_checkpoints" not in file.parts)
SETUP = "from hepml_labs.teaching import lab"
LONGEST_CELL = 25

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: f"{path.parent.name}/{path.stem}")


def read(path):
    return nbformat.read(path, as_version=4)


def code(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def text(notebook):
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def trees(notebook):
    return [ast.parse(source) for source in code(notebook)]


def calls(notebook, owner, name):
    """List the calls `owner.name(...)` in a notebook."""
    return [node for tree in trees(notebook) for node in ast.walk(tree) if is_call(node, owner, name)]


def is_call(node, owner, name):
    if (owner, name) == ("plotting", "show") and isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id == "show"  # from hepml_labs.plotting import show
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == name
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == owner
    )


def first_texts(found):
    """Return the first arguments of calls, which must be written out."""
    assert all(node.args and isinstance(node.args[0], ast.Constant) for node in found), "the name must be written out"
    return [node.args[0].value for node in found]


@every_notebook
def test_stored_form(path):
    spec = importlib.util.spec_from_file_location("normalise", ROOT / "tools" / "normalise_notebooks.py")
    normalise = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(normalise)
    stored = path.read_text(encoding="utf-8")
    assert stored == normalise.normalised(stored), f"run: python tools/normalise_notebooks.py {path.relative_to(ROOT)}"


@every_notebook
def test_format_and_metadata(path):
    notebook = read(path)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    identifiers = [cell.id for cell in notebook.cells]
    assert len(set(identifiers)) == len(identifiers)
    assert set(notebook.metadata) == {"hepml", "kernelspec", "language_info"}
    hepml = notebook.metadata["hepml"]
    assert isinstance(hepml["minutes"], int) and 15 <= hepml["minutes"] <= 180
    assert isinstance(hepml["prerequisites"], list) and hepml["prerequisites"]
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"tags"}
        if cell.cell_type == "code":
            assert cell.execution_count is None and not cell.outputs


@every_notebook
def test_anatomy(path):
    notebook = read(path)
    first = notebook.cells[0]
    assert first.cell_type == "markdown" and first.source.startswith("# "), "the first cell is the title"
    assert "{cite" in text(notebook), "the papers are cited"
    lines = [line for source in code(notebook) for line in source.splitlines()]
    assert sum(line.strip() == SETUP for line in lines) == 1, f"the one line of set-up: {SETUP}"
    assert len(calls(notebook, "lab", "check")) >= 3
    assert sum(source.count(BEGIN) for source in code(notebook)) >= 3
    assert calls(notebook, "lab", "explore")
    assert calls(notebook, "lab", "expect")
    assert calls(notebook, "lab", "quiz")


@every_notebook
def test_names_exist(path):
    notebook = read(path)
    for name in first_texts(calls(notebook, "lab", "check")):
        assert find(name).chapter == path.parent.name
    for name in first_texts(calls(notebook, "lab", "quiz")):
        assert load(name)


@pytest.mark.parametrize("chapter", chapters())
def test_every_exercise_is_used(chapter):
    notebooks = [read(path) for path in NOTEBOOKS if path.parent.name == chapter]
    used = {name for notebook in notebooks for name in first_texts(calls(notebook, "lab", "check"))}
    assert set(exercises(chapter)) == used


@every_notebook
def test_cells_are_short_and_clean(path):
    for number, source in enumerate(code(read(path))):
        lines = source.splitlines()
        assert len(lines) <= LONGEST_CELL, f"code cell {number} has {len(lines)} lines: {lines[0]}"
        for line in lines:
            assert not re.search(r"plt\.show\(|pip install|^\s*[%!]|/tmp/|/home/", line), line


@every_notebook
def test_every_figure_has_a_text(path):
    notebook = read(path)
    for owner, name in (("plotting", "show"), ("lab", "explore")):
        for call in calls(notebook, owner, name):
            given = [word.value for word in call.keywords if word.arg == "alt"] or call.args[1:2]
            assert given, f"{owner}.{name} without alt in line {call.lineno}"
            if isinstance(given[0], ast.Constant):
                assert len(given[0].value) >= 25, f"say what the figure shows: {given[0].value!r}"
    for tree in trees(notebook):
        outside = [
            node
            for statement in tree.body
            if not isinstance(statement, ast.FunctionDef)
            for node in ast.walk(statement)
        ]
        drawn = any(is_call(node, "plt", "subplots") or is_call(node, "plt", "figure") for node in outside)
        shown = any(is_call(node, "plotting", "show") for node in outside)
        assert shown or not drawn, f"figure without plotting.show: {ast.unparse(tree)[:200]}"


def blanks(tree, lines):
    """Return the names that are blank in the student version: functions, classes and assignments with a solution."""
    marked = [number for number, line in enumerate(lines, start=1) if line.strip() == BEGIN]
    names = []
    for statement in tree.body:
        if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            if any(statement.lineno <= number <= statement.end_lineno for number in marked):
                names.append(statement.name)
        elif isinstance(statement, ast.Assign) and any("END SOLUTION" in line for line in lines):
            before = [line.strip() for line in lines[: statement.lineno] if "SOLUTION" in line]
            if before and before[-1] == BEGIN:
                targets = [node for target in statement.targets for node in ast.walk(target)]
                names += [node.id for node in targets if isinstance(node, ast.Name)]
    return names


def checked(tree):
    """Return the names that are checked and assigned back, as in `f = lab.check("...", f)`."""
    return {
        statement.targets[0].id: statement.lineno
        for statement in tree.body
        if isinstance(statement, ast.Assign)
        and isinstance(statement.targets[0], ast.Name)
        and is_call(statement.value, "lab", "check")
        and len(statement.value.args) == 2
        and isinstance(statement.value.args[1], ast.Name)
        and statement.value.args[1].id == statement.targets[0].id
    }


@every_notebook
def test_every_blank_is_checked_before_it_is_used(path):
    sources = code(read(path))
    parsed = [ast.parse(source) for source in sources]
    for number, (source, tree) in enumerate(zip(sources, parsed, strict=True)):
        for name in blanks(tree, source.splitlines()):
            here, following = checked(tree), checked(parsed[number + 1]) if number + 1 < len(parsed) else {}
            assert name in here or name in following, f"no `{name} = lab.check(...)` in this cell or the next"
            where, line = (tree, here[name]) if name in here else (parsed[number + 1], following[name])
            early = [
                node.lineno
                for block in ([tree] if where is tree else [tree, where])
                for statement in block.body
                if not isinstance(statement, (ast.FunctionDef, ast.ClassDef))
                for node in ast.walk(statement)
                if isinstance(node, ast.Name)
                and node.id == name
                and isinstance(node.ctx, ast.Load)
                and not (block is where and node.lineno >= line)
            ]
            assert not early, f"`{name}` is used in line {early[0]} before it is checked"


@every_notebook
def test_student_version(path):
    full, student = read(path), student_version(read(path))
    assert len(full.cells) == len(student.cells)
    for source in code(student):
        ast.parse(source)
        assert "SOLUTION" not in source
    assert sum(source.count("# your code here") for source in code(student)) >= 3


@every_notebook
def test_references_and_links_exist(path):
    keys = set(re.findall(r"^@\w+\{([^,\s]+),", (ROOT / "book" / "references.bib").read_text(encoding="utf-8"), re.M))
    prose = text(read(path))
    cited = {key.strip() for group in re.findall(r"\{cite[^}]*\}`([^`]+)`", prose) for key in group.split(",")}
    assert cited <= keys, f"not in book/references.bib: {sorted(cited - keys)}"
    for link in re.findall(r"\]\(([^)\s]+)\)", prose):
        if not re.match(r"https?://|mailto:|#", link):
            assert (path.parent / link.partition("#")[0]).is_file(), f"broken link: {link}"


def test_the_rules_see_what_they_should():
    """Break a notebook in small ways and watch the helpers notice."""
    source = f"def f(x):\n    {BEGIN}\n    return x\n    ### END SOLUTION\nf = lab.check('a.f', f)"
    tree = ast.parse(source)
    assert blanks(tree, source.splitlines()) == ["f"]
    assert checked(tree) == {"f": 5}
    assert checked(ast.parse("g = lab.check('a.f', f)")) == {}
    source = f"y = 2\n{BEGIN}\na, b = 1, 2\n### END SOLUTION\nc = a"
    assert blanks(ast.parse(source), source.splitlines()) == ["a", "b"]
