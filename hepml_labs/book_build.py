"""Build the book: execute every lab and page once, stage them, run Jupyter Book. The command line is ``hepml book``.

Three steps, each in one function: `execute` runs stale labs and pages under nbmake into ``_labs/executed``, `stage`
lays ``_build/site`` out (pages, executed labs, the table of labs), `build_html` turns that into ``_build/html``.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat

from hepml_labs import book_pages

ROOT = Path(__file__).resolve().parents[1]
#: Executed labs are not kept below ``_build``, because nbmake ignores every notebook there.
EXECUTED = "_labs/executed"
#: Files that shape what a lab prints; the two modules that only lay out pages are not among them.
INGREDIENTS = ("hepml_labs/**/*.py", "hepml_labs/**/*.json", "data/**/*", "constraints.txt")
LAYOUT_ONLY = {"hepml_labs/book_build.py", "hepml_labs/book_pages.py", "hepml_labs/cli.py"}


def find_labs(root=ROOT):
    """Return the paths of all labs, sorted, relative to `root`.

    Examples
    --------
    >>> all(path.suffix == ".ipynb" for path in find_labs())
    True
    """
    return [path.relative_to(root) for path in sorted(root.glob("notebooks/*/*.ipynb"))]


def page_code(root=ROOT):
    """Return the code of the lecture pages, as notebooks by the names of their files: what MyST-NB would execute.

    Examples
    --------
    >>> sorted({cell.cell_type for notebook in page_code().values() for cell in notebook.cells})
    ['code']
    """
    from myst_nb.core.read import is_myst_markdown_notebook, read_myst_markdown_notebook

    code = {}
    for page in sorted((root / "book").rglob("*.md")):
        text = page.read_text(encoding="utf-8")
        if is_myst_markdown_notebook(text):
            notebook = read_myst_markdown_notebook(text, path=page)
            notebook.cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
            for number, cell in enumerate(notebook.cells, start=1):
                cell.id = f"code-{number}"  # the reader draws a new one every time
            if notebook.cells:
                code[page.relative_to(root).with_suffix(".ipynb")] = notebook
    return code


def fingerprint(root=ROOT):
    """Return a hash of everything but the notebook that decides what a lab shows: code, data, versions and scale.

    Examples
    --------
    >>> len(fingerprint())
    64
    """
    digest = hashlib.sha256(os.environ.get("HEPML_SCALE", "lab").encode())
    for path in sorted({path for pattern in INGREDIENTS for path in root.glob(pattern)}):
        name = path.relative_to(root).as_posix()
        if path.is_file() and name not in LAYOUT_ONLY and "__pycache__" not in name:
            digest.update(name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def failure(notebook):
    """Return what stopped an executed notebook as a string of one line, or None if every cell ran.

    Examples
    --------
    >>> cell = nbformat.v4.new_code_cell("1 / 0", execution_count=1)
    >>> cell.outputs = [nbformat.v4.new_output("error", ename="ZeroDivisionError", evalue="division by zero")]
    >>> failure(nbformat.v4.new_notebook(cells=[cell]))
    'cell 1: ZeroDivisionError: division by zero'
    """
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        for output in cell.outputs:
            if output.output_type == "error":
                return f"cell {number}: {output.ename}: {output.evalue}"
        if cell.execution_count is None:
            return f"cell {number} was not reached: the cell before it took too long, or the kernel died"
    return None


def run_notebooks(folder, names, *, workers=2, cell_timeout=300):
    """Execute notebooks in place, side by side, under nbmake; return the exit status of pytest.

    Parameters
    ----------
    folder : pathlib.Path
        The folder that holds the notebooks; it becomes pytest's root.
    names : list of pathlib.Path
        Notebooks, relative to `folder`.
    workers : int
        How many notebooks run at the same time.
    cell_timeout : int
        Seconds that one cell may take.
    """
    # its own pytest.ini keeps the project's options (doctests) away from the notebooks
    (folder / "pytest.ini").write_text("[pytest]\naddopts = -p no:cacheprovider\n")
    threads = os.environ.get("HEPML_THREADS", "1")
    environment = os.environ | {"HEPML_THREADS": threads, "OMP_NUM_THREADS": threads, "HEPML_PROGRESS": "0"}
    environment["HEPML_HOME"] = str(folder / "home")  # the solutions earn no points in the reader's own record
    command = [sys.executable, "-m", "pytest", "--nbmake", "--overwrite", f"--nbmake-timeout={cell_timeout}"]
    command += ["-n", str(min(workers, len(names))), "--dist", "worksteal", "--durations=0", *map(str, names)]
    if len(names) > workers:  # else no worker would run a second kernel
        command += ["-p", "hepml_labs.warm_kernels"]
    return subprocess.run(command, cwd=folder, env=environment).returncode


def execute(root=ROOT, *, workers=2, cell_timeout=300):
    """Execute the labs and lecture pages whose code, data or versions changed since they last ran; return the failures.

    Executed copies, with outputs and timings, go to ``_labs/executed``; what ran to its end is noted in
    ``_labs/executed/stamps.json`` and not run again until something changes. Of a page only the code is run and noted.

    Returns
    -------
    list of str
        One line for each lab or page that failed: which one, which cell, which error.
    """
    folder = root / EXECUTED
    folder.mkdir(parents=True, exist_ok=True)
    stamps_file = folder / "stamps.json"
    stamps = json.loads(stamps_file.read_text()) if stamps_file.exists() else {}
    ingredients = fingerprint(root)
    sources = {lab: (root / lab).read_bytes() for lab in find_labs(root)}
    sources |= {page: nbformat.writes(notebook).encode() for page, notebook in page_code(root).items()}
    stale = {}
    for name, source in sources.items():
        digest = hashlib.sha256(ingredients.encode() + source).hexdigest()
        if stamps.get(name.as_posix()) != digest or not (folder / name).exists():
            stale[name] = digest
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(source)
    if not stale:
        print("Labs and pages: all up to date.", flush=True)
        return []
    print(f"Labs and pages: executing {len(stale)} of {len(sources)}.", flush=True)
    status = run_notebooks(folder, list(stale), workers=workers, cell_timeout=cell_timeout)
    failures = []
    for name, digest in stale.items():
        problem = failure(nbformat.read(folder / name, as_version=4))
        if problem is None:
            stamps[name.as_posix()] = digest
        else:
            stamps.pop(name.as_posix(), None)
            failures.append(f"{name.as_posix()}, {problem}")
    stamps_file.write_text(json.dumps(stamps, indent=1))
    if status and not failures:
        failures.append(f"pytest ended with status {status}; see its report above")
    return failures


def stage(root=ROOT):
    """Lay out ``_build/site``, the folder that Jupyter Book reads, touching only the files that changed.

    Raises
    ------
    FileNotFoundError
        If ``_toc.yml`` names a page or a lab that does not exist.
    """
    site = root / "_build" / "site"
    labs = {}
    for lab in find_labs(root):
        executed = root / EXECUTED / lab
        notebook = nbformat.read(executed if executed.exists() else root / lab, as_version=4)
        labs[lab.as_posix()] = book_pages.number_title(notebook, lab.as_posix())
    files = {"_toc.yml": (root / "_toc.yml").read_bytes()}
    for path in (root / "book").rglob("*"):
        if path.is_file():
            files[path.relative_to(root).as_posix()] = path.read_bytes()
    files["_config.yml"] = book_pages.configuration(root).encode()
    files["book/generated/labs.md"] = book_pages.lab_table(labs).encode()
    for name, notebook in labs.items():
        files[name] = nbformat.writes(book_pages.fold_solutions(notebook)).encode()
    missing = [name for name in book_pages.toc_files(files["_toc.yml"].decode()) if not book_pages.found(name, files)]
    if missing:
        raise FileNotFoundError(f"_toc.yml names pages that do not exist: {', '.join(missing)}")
    for path in sorted(site.rglob("*"), reverse=True):
        if path.is_file() and path.relative_to(site).as_posix() not in files:
            path.unlink()
    for name, content in files.items():
        target = site / name
        if not target.exists() or target.read_bytes() != content:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)


def fill_cache(root=ROOT):
    """Put the executed pages where MyST-NB looks for them, by their code; it would execute what it does not find."""
    from jupyter_cache import get_cache
    from jupyter_cache.base import CacheBundleIn

    cache = get_cache(root / "_build" / ".jupyter_cache")
    for name in page_code(root):
        if (root / EXECUTED / name).exists():
            notebook = nbformat.read(root / EXECUTED / name, as_version=4)
            for cell in notebook.cells:
                cell.metadata.pop("execution", None)  # time stamps, which would be taken for a part of the code
            cache.cache_notebook_bundle(CacheBundleIn(notebook, name.as_posix()), check_validity=False, overwrite=True)


def build_html(root=ROOT, *, fresh=False):
    """Run Jupyter Book on ``_build/site``, with warnings as errors; return its exit status.

    What earlier builds left is thrown away when the package changed since.
    """
    build = root / "_build"
    mark = build / "pages.sha256"
    ingredients = fingerprint(root)
    if fresh or not mark.exists() or mark.read_text() != ingredients:
        for folder in ("html", ".doctrees", ".jupyter_cache"):
            shutil.rmtree(build / folder, ignore_errors=True)
    fill_cache(root)
    program = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()"]
    command = [*program, "build", str(build / "site"), "--path-output", str(root)]
    environment = os.environ | {"HEPML_PROGRESS": "0", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    status = subprocess.run([*command, "-W", "--keep-going", "-q"], env=environment).returncode
    if status == 0:
        mark.write_text(ingredients)
    return status


def main(argv=None):
    """Run the command ``hepml book``; return the exit status (0 when the book was built)."""
    parser = argparse.ArgumentParser(prog="hepml book", description="Execute the labs and build the book.")
    parser.add_argument("--no-execute", action="store_true", help="take labs and pages as they last ran (for authors)")
    parser.add_argument("--no-build", action="store_true", help="execute labs and pages and stop (for tests)")
    parser.add_argument("--fresh", action="store_true", help="forget what earlier builds left behind")
    parser.add_argument("--workers", type=int, default=2, help="notebooks that run side by side (default: 2)")
    options = parser.parse_args(argv)
    if not (ROOT / "_toc.yml").exists():
        print("hepml book needs a clone of the repository: there is no book in an installed package.", file=sys.stderr)
        return 2
    if options.fresh:
        shutil.rmtree(ROOT / EXECUTED, ignore_errors=True)
    if not options.no_execute:
        failures = execute(workers=options.workers)
        if failures:
            print("\nThese failed:", *failures, sep="\n  ", file=sys.stderr)
            return 1
    if options.no_build:
        return 0
    stage()
    if build_html(fresh=options.fresh):
        print("\nThe book was not built: see the warnings above.", file=sys.stderr)
        return 1
    print(f"\nThe book is ready. Open this file in a browser:\n  {ROOT / '_build' / 'html' / 'index.html'}")
    return 0
