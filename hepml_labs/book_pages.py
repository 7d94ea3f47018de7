"""What the book makes of its sources: folded solutions, the table of labs, and the buttons that launch a lab."""

import os
import platform
import re
import subprocess
from datetime import datetime

import nbformat
import yaml

WIDGET = "application/vnd.jupyter.widget-view+json"
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
CHECK_CALL = re.compile(r"\blab\.check\(\s*[\"']([\w.]+)[\"']")


def fold_solutions(notebook):
    """Return a copy of a lab for the page: blanks first, each solution behind a click, then what the cell printed.

    A code cell with a solution becomes three: the code with its blank, a closed box with the solution, and the outputs.
    Widgets that have an HTML version as well are dropped, so that the page loads no widget manager for them.

    Examples
    --------
    >>> source = "def double(x):\\n    ### BEGIN SOLUTION\\n    return 2 * x\\n    ### END SOLUTION"
    >>> page = fold_solutions(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)]))
    >>> [cell.cell_type for cell in page.cells]
    ['code', 'markdown']
    >>> "2 * x" in page.cells[0].source, "2 * x" in page.cells[1].source
    (False, True)
    """
    from hepml_labs.teaching.student import BEGIN, END, cut_solutions

    notebook = nbformat.from_dict(notebook)
    cells = []
    for cell in notebook.cells:
        if cell.cell_type != "code" or BEGIN not in cell.source:
            cells.append(cell)
            continue
        code = "\n".join(line for line in cell.source.split("\n") if line.strip() not in (BEGIN, END))
        solution = nbformat.v4.new_markdown_cell(
            f":::{{dropdown}} Solution\n:class-container: hepml-solution\n:icon: key\n\n```python\n{code}\n```\n:::",
            id=f"{cell.id}-solution",
        )
        outputs, cell.outputs = cell.outputs, []
        cell.source = cut_solutions(cell.source)
        cells += [cell, solution]
        if outputs:
            printed = nbformat.v4.new_code_cell("", id=f"{cell.id}-outputs", outputs=outputs)
            printed.metadata.tags = ["remove-input"]
            cells.append(printed)
    notebook.cells = cells
    bundles = [output.data for cell in cells for output in cell.get("outputs", []) if "data" in output]
    for data in bundles:
        if "text/html" in data:
            data.pop(WIDGET, None)
    if not any(WIDGET in data for data in bundles):
        notebook.metadata.get("widgets", {}).pop(WIDGET_STATE, None)
    return notebook


def number_title(notebook, name):
    """Put the lab's number, from the name of its file, before its title, in place.

    Examples
    --------
    >>> lab = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Fits and losses")])
    >>> number_title(lab, "notebooks/regression/02_fits_and_losses.ipynb").cells[0].source
    '# Lab 2: Fits and losses'
    """
    number = int(name.rpartition("/")[2].partition("_")[0])
    notebook.cells[0].source = re.sub(
        r"^# (?!Lab)", f"# Lab {number}: ", notebook.cells[0].source, count=1, flags=re.MULTILINE
    )
    return notebook


def run_time(notebook):
    """Return the seconds from the first to the last cell of an executed notebook, or None if it was not executed."""
    stamps = [
        datetime.fromisoformat(stamp.replace("Z", "+00:00"))
        for cell in notebook.cells
        for stamp in cell.metadata.get("execution", {}).values()
    ]
    return (max(stamps) - min(stamps)).total_seconds() if stamps else None


def lab_facts(name, notebook):
    """Return one row of the table of labs as a dict: title, link, run time, minutes, level, exercises, points.

    Raises
    ------
    KeyError
        If the lab checks an exercise that its chapter does not have.
    """
    from hepml_labs.teaching.exercise import find

    heading = re.search(r"^# (.+)$", notebook.cells[0].source, flags=re.MULTILINE)
    card = notebook.metadata.get("hepml", {})
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    exercises = list(dict.fromkeys(CHECK_CALL.findall(code)))
    return {
        "chapter": name.split("/")[1],
        "link": f"[{heading.group(1) if heading else name}](/{name})",
        "seconds": run_time(notebook),
        "minutes": card.get("minutes"),
        "level": card.get("level", ""),
        "prerequisites": card.get("prerequisites", []),
        "exercises": len(exercises),
        "points": sum(find(exercise).points for exercise in exercises),
    }


def lab_table(labs):
    """Return the table of labs of the instructor's guide, in Markdown.

    Parameters
    ----------
    labs : dict
        Notebooks as they last ran, by their path in the repository.
    """
    lines = [
        "| lab | runs in | student's time | level | exercises | points | builds on |",
        "|---|--:|--:|---|--:|--:|---|",
    ]
    rows = [lab_facts(name, notebook) for name, notebook in labs.items()]
    links = {name.rpartition("/")[2].removesuffix(".ipynb"): row["link"] for name, row in zip(labs, rows, strict=True)}
    for row in rows:
        needs = "; ".join(links.get(need, need) for need in row["prerequisites"])
        seconds = "not yet run" if row["seconds"] is None else f"{row['seconds']:.0f}&nbsp;s"
        minutes = f"{row['minutes']}&nbsp;min" if row["minutes"] else ""
        lines.append(
            f"| {row['link']} | {seconds} | {minutes} | {row['level']} | {row['exercises']} | {row['points']} "
            f"| {needs} |"
        )
    seconds = sum(row["seconds"] or 0 for row in rows)
    minutes = sum(row["minutes"] or 0 for row in rows)
    exercises, points = (sum(row[key] for row in rows) for key in ("exercises", "points"))
    lines.append(f"| **all** | {seconds:.0f}&nbsp;s | {minutes / 60:.1f}&nbsp;h | | {exercises} | {points} | |")
    threads = os.environ.get("HEPML_THREADS", "1")
    lines += [
        "",
        f"Measured when this book was built, by the clock, with {threads} thread per lab and two labs side by side, "
        "without the seconds that the first import of PyTorch takes "
        f"({platform.system()} {platform.machine()}, Python {platform.python_version()}).",
    ]
    return "\n".join(lines) + "\n"


def toc_files(text):
    """Return the files that a table of contents names, in order.

    Examples
    --------
    >>> toc_files("root: a\\nparts: [{chapters: [{file: b, sections: [{file: c}]}]}]")
    ['a', 'b', 'c']
    """

    def walk(node):
        if isinstance(node, dict):
            for key, value in node.items():
                if key in ("root", "file"):
                    yield value
                else:
                    yield from walk(value)
        elif isinstance(node, list):
            for item in node:
                yield from walk(item)

    return list(walk(yaml.safe_load(text)))


def found(name, files):
    """Whether `files` has the page `name`, as Markdown or as a notebook.

    Examples
    --------
    >>> found("book/intro", {"book/intro.md"}), found("book/outro", {"book/intro.md"})
    (True, False)
    """
    return any(name + suffix in files for suffix in ("", ".md", ".ipynb"))


def web_address(remote):
    """Return the web address of a git remote, or None for one that a browser cannot open (a folder, say).

    Examples
    --------
    >>> web_address("git@example.org:group/labs.git"), web_address("https://example.org/group/labs.git")
    ('https://example.org/group/labs', 'https://example.org/group/labs')
    >>> web_address("/srv/git/labs") is None
    True
    """
    match = re.fullmatch(r"(?:https://(?:[^/@]*@)?|ssh://git@|git@)([\w.-]+\.\w+)[:/](.+?/.+?)(?:\.git)?/?", remote)
    return f"https://{match[1]}/{match[2]}" if match else None


def configuration(root):
    """Return the text of ``_config.yml`` with launch buttons, where this clone knows an address to launch from.

    The repository's address is that of the git remote ``origin``; Binder is offered for public hosts, and the
    JupyterHub named by the environment variable ``HEPML_HUB``. Without an address there are no buttons.
    """
    settings = yaml.safe_load((root / "_config.yml").read_text())
    command = ["git", "-C", str(root), "remote", "get-url", "origin"]
    try:
        remote = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    except FileNotFoundError:  # no git on this machine
        remote = ""
    address = web_address(remote)
    if address:
        settings["repository"]["url"] = address
        settings["html"]["use_repository_button"] = True
        if address.startswith(("https://github.com/", "https://gitlab.com/")):
            settings["launch_buttons"]["binderhub_url"] = "https://mybinder.org"
        if os.environ.get("HEPML_HUB"):
            settings["launch_buttons"]["jupyterhub_url"] = os.environ["HEPML_HUB"]
    return yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)
