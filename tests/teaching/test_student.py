"""Student versions: solutions cut, all else kept, and valid Python left."""

import re

import nbformat
import pytest

from hepml_labs import paths
from hepml_labs.teaching.copies import copy_labs
from hepml_labs.teaching.student import cut_solutions, student_version, write_student_versions

FUNCTION = """import numpy as np


def loss(x, y):
    '''Say what it is.'''
    ### BEGIN SOLUTION
    difference = x - y
    for value in difference:
        value += 1
    return np.mean(difference**2)
    ### END SOLUTION


loss = lab.check("toy.loss", loss)"""

USED_LATER = """def loss(x, y):
    scale = 2.0
    ### BEGIN SOLUTION
    difference = x - y
    unused = 3
    if scale:
        square = difference**2
    ### END SOLUTION
    return scale * (square + difference)"""

NESTED = """class Net(nn.Module):
    def __init__(self):
        super().__init__()
        ### BEGIN SOLUTION
        self.layer = nn.Linear(2, 3)
        ### END SOLUTION

    def forward(self, x):
        if x.ndim == 1:
            ### BEGIN SOLUTION
            x = x[None]
            ### END SOLUTION
        return self.layer(x)"""


def test_body_of_a_function():
    expected = FUNCTION[: FUNCTION.index("    ### BEGIN")] + "    ...  # your code here\n\n\n"
    assert cut_solutions(FUNCTION) == expected + 'loss = lab.check("toy.loss", loss)'


def test_names_that_the_function_needs_later_become_blanks():
    assert cut_solutions(USED_LATER).splitlines()[2:] == [
        "    difference = ...  # your code here",
        "    square = ...  # your code here",
        "    return scale * (square + difference)",
    ]


def test_two_solutions_in_a_class():
    assert cut_solutions(NESTED).splitlines() == [
        "class Net(nn.Module):",
        "    def __init__(self):",
        "        super().__init__()",
        "        ...  # your code here",
        "",
        "    def forward(self, x):",
        "        if x.ndim == 1:",
        "            x = ...  # your code here",
        "        return self.layer(x)",
    ]


def test_assignments_and_magics():
    source = "%time\n### BEGIN SOLUTION\na, (b, c) = 1, (2, 3)\nd: int = 4\n### END SOLUTION\nprint(a, d)"
    blanks = [f"{name} = ...  # your code here" for name in "abcd"]
    assert cut_solutions(source).splitlines() == ["%time", *blanks, "print(a, d)"]


def test_source_without_solutions_is_untouched():
    source = "x = 1  # the SOLUTION is elsewhere\n\n"
    assert cut_solutions(source) is source


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("### BEGIN SOLUTION\na = 1", "has no '### END SOLUTION'"),
        ("a = 1\n### END SOLUTION", "line 2"),
        ("### BEGIN SOLUTION\n### BEGIN SOLUTION\na = 1\n### END SOLUTION", "line 2"),
        ("### begin SOLUTION\na = 1\n### END SOLUTION", "line 1"),
        ("### BEGIN SOLUTION\nprint(3)\n### END SOLUTION", "neither inside of a function nor made of assignments"),
        ("### BEGIN SOLUTION\ndef f():\n    return 1\n### END SOLUTION", "neither inside of a function"),
        ("### BEGIN SOLUTION\n### END SOLUTION", "is empty"),
        ("### BEGIN SOLUTION\na = (\n### END SOLUTION\n1)", "is empty or cuts through"),
        ("def f(:\n    ### BEGIN SOLUTION\n    return 1\n    ### END SOLUTION", "not valid Python"),
    ],
)
def test_wrong_markers(source, message):
    with pytest.raises(ValueError, match=message):
        cut_solutions(source)


def make_notebook(path, code=FUNCTION):
    cells = [nbformat.v4.new_markdown_cell("# Title"), nbformat.v4.new_code_cell(code, execution_count=3)]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"hepml": {"minutes": 60}})
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return notebook


def test_notebook_keeps_everything_else(tmp_path):
    notebook = make_notebook(tmp_path / "a.ipynb")
    version = student_version(notebook)
    assert "SOLUTION" in notebook.cells[1].source
    assert version.cells[1].execution_count is None
    version.cells[1].source, version.cells[1].execution_count = FUNCTION, 3
    assert version == notebook


def test_folders_are_mirrored_and_nothing_is_overwritten(tmp_path):
    make_notebook(tmp_path / "labs" / "chapter" / "01_a.ipynb")
    (written,) = write_student_versions([tmp_path / "labs"], tmp_path / "out")
    assert written == tmp_path / "out" / "chapter" / "01_a.ipynb"
    write_student_versions([tmp_path / "labs"], tmp_path / "out")  # the same again is no conflict
    written.write_text("my own work")
    with pytest.raises(FileExistsError, match="--force"):
        write_student_versions([tmp_path / "labs"], tmp_path / "out")
    write_student_versions([tmp_path / "labs"], tmp_path / "out", force=True)
    assert "your code here" in written.read_text()


def test_error_names_notebook_and_cell(tmp_path):
    make_notebook(tmp_path / "broken.ipynb", "### BEGIN SOLUTION")
    with pytest.raises(ValueError, match=r"broken\.ipynb, cell 1: source"):
        write_student_versions([tmp_path], tmp_path / "out")
    with pytest.raises(ValueError, match="there is no notebook or folder"):
        write_student_versions([tmp_path / "nowhere"], tmp_path / "out")


@pytest.mark.parametrize("solutions", [False, True])
def test_readers_copies_hold_no_role_and_no_link_that_leads_nowhere(tmp_path, solutions):
    folder = copy_labs(paths.notebooks(), tmp_path, solutions).folder
    for file in folder.rglob("*.ipynb"):
        text = "\n".join(c.source for c in nbformat.read(file, as_version=4).cells if c.cell_type == "markdown")
        assert not re.search(r"\{[a-z:]+\}`", text), file
        for target in re.findall(r"\]\((?!<?https?:)([^)#]+)", text):
            assert (file.parent / target).is_file(), f"{file}: {target}"


def test_an_unknown_citation_is_named(tmp_path):
    make_notebook(tmp_path / "a.ipynb")
    notebook = nbformat.read(tmp_path / "a.ipynb", as_version=4)
    notebook.cells[0].source = "# Title {cite}`nobody1900nothing`"
    nbformat.write(notebook, tmp_path / "a.ipynb")
    with pytest.raises(ValueError, match=r"a\.ipynb, text: found the citation 'nobody1900nothing'"):
        write_student_versions([tmp_path / "a.ipynb"], tmp_path / "out")


def test_copies_are_never_overwritten_and_newer_versions_are_named(tmp_path):
    source, mine = tmp_path / "labs", tmp_path / "mine"
    make_notebook(source / "c" / "01_a.ipynb")
    first = copy_labs(source, mine)
    assert (first.new, first.kept, first.newer) == (["c/01_a.ipynb"], [], [])
    copy = first.folder / "c" / "01_a.ipynb"
    assert "SOLUTION" not in copy.read_text()
    copy.write_text("my own work")
    make_notebook(source / "c" / "02_b.ipynb")
    second = copy_labs(source, mine)
    assert (second.new, second.kept, second.newer) == (["c/02_b.ipynb"], ["c/01_a.ipynb"], [])
    make_notebook(source / "c" / "01_a.ipynb", FUNCTION + "\nprint('new')")
    assert copy_labs(source, mine).newer == ["c/01_a.ipynb"]
    assert copy.read_text() == "my own work"
    full = copy_labs(source, mine, solutions=True)
    assert full.folder != first.folder
    assert "SOLUTION" in (full.folder / "c" / "01_a.ipynb").read_text()
