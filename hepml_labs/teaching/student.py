"""What a reader gets: notebooks with blanks in the place of solutions."""

import ast
import copy
import re

from hepml_labs.teaching.standalone import standalone

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
BLANK = "...  # your code here"
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def cut_solutions(source):
    """Replace the solutions in a code cell by blanks.

    Parameters
    ----------
    source : str
        Code of a cell, with each solution between `### BEGIN SOLUTION` and `### END SOLUTION`: inside of the body of
        a function, or around whole assignments.

    Returns
    -------
    str
        The code with `...  # your code here` for each solution; a name that the solution assigns and that is needed
        afterwards becomes `name = ...  # your code here`, so that the code around the blank still runs.

    Raises
    ------
    ValueError
        When the markers are unbalanced, when a solution holds anything else, or when the code is not valid Python
        before or after the cut.

    Examples
    --------
    >>> print(cut_solutions('''def double(x):
    ...     ### BEGIN SOLUTION
    ...     return 2 * x
    ...     ### END SOLUTION'''))
    def double(x):
        ...  # your code here
    >>> print(cut_solutions('''### BEGIN SOLUTION
    ... mean, width = 0.0, 1.0
    ... ### END SOLUTION
    ... print(mean)'''))
    mean = ...  # your code here
    width = ...  # your code here
    print(mean)
    """
    if "SOLUTION" not in source:
        return source
    lines = source.split("\n")
    solutions = _find_markers(lines)
    if not solutions:
        return source
    tree = _parse(source)
    for begin, end in reversed(solutions):
        indent = re.match(r"\s*", lines[begin]).group()
        names = _names_needed(tree, begin + 1, end + 1)
        lines[begin : end + 1] = [indent + (f"{name} = " if name else "") + BLANK for name in names or [""]]
    blanked = "\n".join(lines)
    _parse(blanked)
    return blanked


def _find_markers(lines):
    """Return the line numbers (from zero) of each pair of markers."""
    pairs, begin = [], None
    for number, line in enumerate(lines):
        text = line.strip()
        if text == BEGIN and begin is None:
            begin = number
        elif text == END and begin is not None:
            pairs.append((begin, number))
            begin = None
        elif "SOLUTION" in text and text.startswith("#"):
            raise ValueError(f"source: unbalanced or misspelt marker in line {number + 1}: {text!r}")
    if begin is not None:
        raise ValueError(f"source: the solution that begins in line {begin + 1} has no {END!r}")
    return pairs


def _parse(source):
    """Parse a cell, whose lines may hold magics of IPython."""
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        return ast.parse(TransformerManager().transform_cell(source))
    except SyntaxError as error:
        raise ValueError(f"source: not valid Python: {error}") from error


def _names_needed(tree, begin, end):
    """List the names assigned between two lines (from one) that the code after them needs."""
    inside = [
        node for node in ast.walk(tree) if isinstance(node, ast.stmt) and begin < node.lineno and node.end_lineno < end
    ]
    if not inside:
        raise ValueError(f"source: the solution in lines {begin} to {end} is empty or cuts through a statement")
    around = [
        node
        for node in ast.walk(tree)
        if isinstance(node, _FUNCTIONS) and node.lineno < begin and node.end_lineno >= inside[-1].end_lineno
    ]
    top = [node for node in tree.body if node in inside]
    if not around and (not top or not all(isinstance(node, (ast.Assign, ast.AnnAssign)) for node in top)):
        raise ValueError(
            f"source: the solution in lines {begin} to {end} is neither inside of a function nor made of assignments"
        )
    stored = [
        name
        for statement in sorted(inside, key=lambda node: (node.lineno, node.col_offset))
        for name in _assigned(statement)
    ]
    if around:
        function = max(around, key=lambda node: node.lineno)
        needed = {
            node.id
            for node in ast.walk(function)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.lineno > end
        }
        stored = [name for name in stored if name in needed]
    return list(dict.fromkeys(stored))


def _assigned(statement):
    """List the names that a statement binds, in the order of the source."""
    if isinstance(statement, (*_FUNCTIONS, ast.ClassDef)):
        return [statement.name]
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return [(alias.asname or alias.name).partition(".")[0] for alias in statement.names]
    names = [node for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    return [node.id for node in sorted(names, key=lambda node: (node.lineno, node.col_offset))]


def student_version(notebook):
    """Return the student version of a notebook: the same with blanks in the place of solutions.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        The full notebook; it is not changed.

    Returns
    -------
    nbformat.NotebookNode
        A copy without outputs.

    Raises
    ------
    ValueError
        As `cut_solutions`, with the number of the cell.
    """
    version = copy.deepcopy(notebook)
    for number, cell in enumerate(version.cells):
        if cell.cell_type != "code":
            continue
        cell.outputs, cell.execution_count = [], None
        try:
            cell.source = cut_solutions(cell.source)
        except ValueError as error:
            raise ValueError(f"cell {number}: {error}") from error
    return version


def write_student_versions(sources, output, force=False):
    """Write the student versions of notebooks.

    Parameters
    ----------
    sources : list of pathlib.Path
        Notebooks, or folders of notebooks whose structure is kept.
    output : pathlib.Path
        Folder to write to.
    force : bool
        Whether to overwrite files there that differ.

    Returns
    -------
    list of pathlib.Path
        The files of the student versions.

    Raises
    ------
    FileExistsError
        When a file would be overwritten that differs, without `force`.
    ValueError
        When a notebook cannot be cut, with its name.
    """
    written = []
    for source, relative in find_notebooks(sources):
        target, text = output / relative, reader_text(source)
        if target.exists() and target.read_text(encoding="utf-8") != text and not force:
            raise FileExistsError(f"{target} exists and differs: choose another folder, or overwrite with --force")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        written.append(target)
    return written


def reader_text(source, solutions=False):
    """Return a lab as a reader gets it in JupyterLab: its text spelled out, its solutions cut.

    Parameters
    ----------
    source : pathlib.Path
        The full notebook.
    solutions : bool
        Whether to keep the solutions.

    Returns
    -------
    str
        Content of the file.

    Raises
    ------
    ValueError
        When the solutions cannot be cut or a citation is unknown, with the notebook's name.
    """
    import nbformat

    try:
        notebook = nbformat.read(source, as_version=4)
        notebook = notebook if solutions else student_version(notebook)
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = standalone(cell.source)
        return nbformat.writes(notebook) + "\n"
    except ValueError as error:
        raise ValueError(f"{source.name}, {error}") from error


def find_notebooks(sources):
    """List notebooks with the path that each has below the folder it was found in.

    Parameters
    ----------
    sources : list of pathlib.Path
        Notebooks or folders.

    Returns
    -------
    list of (pathlib.Path, pathlib.Path)
        File and relative path, sorted.

    Raises
    ------
    ValueError
        When one of them does not exist.
    """
    found = []
    for source in sources:
        if source.is_dir():
            files = (file for file in source.rglob("*.ipynb") if ".ipynb_checkpoints" not in file.parts)
            found += [(file, file.relative_to(source)) for file in files]
        elif source.is_file():
            found.append((source, source.relative_to(source.parent)))
        else:
            raise ValueError(f"sources: there is no notebook or folder {source}")
    return sorted(found)
