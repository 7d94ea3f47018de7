"""Bring notebooks into the one form in which they are stored: no outputs, no counts, standard metadata.

Run by the pre-commit hook: `python tools/normalise_notebooks.py notebooks/**/*.ipynb`. Prints the files it changed and
exits with 1 when there were any, as a hook should.
"""

import sys
from pathlib import Path

import nbformat

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def normalised(text):
    """Return the text of a notebook file in its stored form."""
    notebook = nbformat.reads(text, as_version=4)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata = nbformat.from_dict(
        {
            "hepml": notebook.metadata.get("hepml", {}),
            "kernelspec": KERNEL,
            "language_info": {"name": "python"},
        }
    )
    for cell in notebook.cells:
        tags = cell.metadata.get("tags")
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        cell.setdefault("id", nbformat.v4.new_markdown_cell().id)
    return nbformat.writes(notebook) + "\n"


def main(files):
    """Rewrite the files that are not in the stored form, and return how many."""
    changed = 0
    for file in map(Path, files):
        text = file.read_text(encoding="utf-8")
        if (new := normalised(text)) != text:
            file.write_text(new, encoding="utf-8")
            print(f"normalised {file}")
            changed += 1
    return changed


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)
