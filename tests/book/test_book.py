"""The sources of the book: table of contents, bibliography, and what the pipeline makes of a lab."""

import json
import re
from collections import Counter

import jupyter_cache
import nbformat
import pytest
import yaml
from myst_nb.core.read import read_myst_markdown_notebook
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from hepml_labs import book_build, book_pages

ROOT = book_build.ROOT
CITATION = re.compile(r"\{cite(?::\w+)?\}`([^`]+)`")
PAGES = [path for path in sorted((ROOT / "book").rglob("*.md")) if "vendor" not in path.parts]
LABS = [ROOT / path for path in book_build.find_labs()]


@pytest.fixture(scope="module")
def bibliography():
    database = pytest.importorskip("pybtex.database")
    return database.parse_file(str(ROOT / "book" / "references.bib"))


def test_every_page_and_every_lab_is_in_the_table_of_contents():
    listed = book_pages.toc_files((ROOT / "_toc.yml").read_text())
    assert Counter(listed).most_common(1)[0][1] == 1
    present = {path.relative_to(ROOT).with_suffix("").as_posix() for path in PAGES + LABS}
    assert set(listed) == present


def test_every_citation_is_in_the_bibliography(bibliography):
    unknown = set()
    for path in PAGES + LABS:
        for keys in CITATION.findall(path.read_text(encoding="utf-8")):
            unknown |= {(path.name, key.strip()) for key in keys.split(",")} - {
                (path.name, key) for key in bibliography.entries
            }
    assert not unknown


def test_every_entry_of_the_bibliography_can_be_looked_up(bibliography):
    places = []
    for key, entry in bibliography.entries.items():
        assert entry.persons["author"], key
        assert entry.fields["title"].strip(), key
        assert re.fullmatch(r"(19|20)\d\d", entry.fields["year"]), key
        eprint, doi = entry.fields.get("eprint"), entry.fields.get("doi")
        report = entry.type == "techreport" and entry.fields.get("number")  # from before there was an arXiv
        other = report or entry.fields.get("isbn") or entry.fields.get("url")
        assert eprint or doi or other, f"{key} has neither eprint nor doi, number of a report, ISBN or address"
        assert not eprint or re.fullmatch(r"\d{4}\.\d{4,5}|[a-z-]+/\d{7}", eprint), key
        assert not doi or doi.startswith("10."), key
        assert re.fullmatch(r"[a-z]+\d{4}[a-z]+", key), f"{key}: expected surname, year and a word"
        places.append(eprint or doi or other)
    assert [place for place, count in Counter(places).items() if count > 1] == []


def test_the_configuration_takes_nothing_from_the_network():
    settings = yaml.safe_load((ROOT / "_config.yml").read_text())["sphinx"]["config"]
    scripts = [settings["mathjax_path"], *settings["nb_ipywidgets_js"]]
    assert all((ROOT / "book" / "vendor" / script).is_file() for script in scripts)
    assert not {"sphinx_thebe"} & set(settings["extensions"])


def exercise():
    source = "def double(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION\nprint(double(2))"
    return new_code_cell(source, id="a", execution_count=1, outputs=[new_output("stream", text="4\n")])


def test_a_solution_stands_behind_a_click_and_its_output_below():
    lab = new_notebook(cells=[new_markdown_cell("# Twice", id="t"), exercise()])
    page = book_pages.fold_solutions(lab)
    nbformat.validate(page)
    _, blank, solution, printed = page.cells
    assert "2 * x" not in blank.source and "your code here" in blank.source and not blank.outputs
    assert solution.source.startswith(":::{dropdown}") and "return 2 * x" in solution.source
    assert "SOLUTION" not in solution.source
    assert printed.outputs[0].text == "4\n" and printed.metadata.tags == ["remove-input"]
    assert "return 2 * x" in lab.cells[1].source  # the lab itself is left as it was


def test_widgets_give_way_to_their_html_version_and_stay_where_there_is_none():
    def lab(**data):
        output = new_output("display_data", data={book_pages.WIDGET: {"model_id": "1"}, **data})
        state = {book_pages.WIDGET_STATE: {"state": {"1": {}}}}
        return new_notebook(cells=[new_code_cell("show()", outputs=[output])], metadata={"widgets": state})

    slider = book_pages.fold_solutions(lab(**{"text/html": "<input type='range'>"}))
    assert list(slider.cells[0].outputs[0].data) == ["text/html"]
    assert book_pages.WIDGET_STATE not in slider.metadata.widgets
    bare = book_pages.fold_solutions(lab(**{"text/plain": "a widget"}))
    assert book_pages.WIDGET in bare.cells[0].outputs[0].data
    assert book_pages.WIDGET_STATE in bare.metadata.widgets


def test_launch_buttons_only_with_an_address(tmp_path, monkeypatch):
    (tmp_path / "_config.yml").write_text((ROOT / "_config.yml").read_text())
    monkeypatch.setenv("HEPML_HUB", "https://hub.example.org")

    def buttons(remote):
        monkeypatch.setattr(book_pages.subprocess, "run", lambda *args, **options: type("Done", (), {"stdout": remote}))
        settings = yaml.safe_load(book_pages.configuration(tmp_path))
        return settings["repository"].get("url"), settings["launch_buttons"]

    address, launch = buttons("git@github.com:group/labs.git\n")
    assert address == "https://github.com/group/labs"
    assert launch["binderhub_url"] == "https://mybinder.org" and launch["jupyterhub_url"] == "https://hub.example.org"
    address, launch = buttons("/srv/git/labs\n")
    assert address is None and "binderhub_url" not in launch and "jupyterhub_url" not in launch


PAGE = """---
jupytext:
  text_representation: {extension: .md, format_name: myst}
kernelspec: {display_name: Python 3, language: python, name: python3}
---
# Hello

```{code-cell} ipython3
print(6 * 7)
```
"""


@pytest.fixture
def project(tmp_path):
    """A small project with one good lab, one that fails in its second cell, and a page that computes."""
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "intro.md").write_text(PAGE)
    (tmp_path / "_config.yml").write_text((ROOT / "_config.yml").read_text())
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: book/intro\n")
    folder = tmp_path / "notebooks" / "toy"
    folder.mkdir(parents=True)
    for name, code in {"01_good": "print(6 * 7)", "02_bad": "print(1 / 0)"}.items():
        cells = [new_markdown_cell(f"# {name}", id="t"), new_code_cell("a = 1", id="a"), new_code_cell(code, id="b")]
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
        nbformat.write(new_notebook(cells=cells, metadata=kernel), folder / f"{name}.ipynb")
    return tmp_path


def test_a_failing_lab_is_named_and_only_what_is_stale_runs(project, monkeypatch):
    failures = book_build.execute(project, workers=3)
    assert failures == ["notebooks/toy/02_bad.ipynb, cell 3: ZeroDivisionError: division by zero"]
    good = nbformat.read(project / book_build.EXECUTED / "notebooks/toy/01_good.ipynb", as_version=4)
    assert good.cells[2].outputs[0].text == "42\n"
    assert 0 < book_pages.run_time(good) < 60
    assert not nbformat.read(project / "notebooks/toy/01_good.ipynb", as_version=4).cells[2].outputs

    # the code of the page ran as well, and MyST-NB finds what it printed
    book_build.fill_cache(project)
    page = read_myst_markdown_notebook(PAGE)
    _, page = jupyter_cache.get_cache(project / "_build" / ".jupyter_cache").merge_match_into_notebook(page)
    assert page.cells[1].outputs[0].text == "42\n"

    ran = []

    def record(folder, names, **options):
        ran.extend(name.name for name in names)
        return 1

    monkeypatch.setattr(book_build, "run_notebooks", record)
    book_build.execute(project)
    assert ran == ["02_bad.ipynb"]
    (project / "book" / "intro.md").write_text(PAGE.replace("Hello", "Hello, world"))
    ran.clear()
    book_build.execute(project)
    assert ran == ["02_bad.ipynb"]  # prose is not code
    (project / "book" / "intro.md").write_text(PAGE.replace("6 * 7", "7 * 7"))
    ran.clear()
    book_build.execute(project)
    assert ran == ["02_bad.ipynb", "intro.ipynb"]
    (project / "hepml_labs").mkdir()
    (project / "hepml_labs" / "new.py").write_text("answer = 42\n")
    ran.clear()
    book_build.execute(project)
    assert ran == ["01_good.ipynb", "02_bad.ipynb", "intro.ipynb"]


def test_staging_follows_the_sources(project):
    site = project / "_build" / "site"
    book_build.stage(project)
    assert {"book/intro.md", "book/generated/labs.md", "notebooks/toy/01_good.ipynb"} <= {
        path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()
    }
    assert "not yet run" in (site / "book/generated/labs.md").read_text()
    before = (site / "book/intro.md").stat().st_mtime_ns
    (project / "notebooks/toy/02_bad.ipynb").unlink()
    book_build.stage(project)
    assert (site / "book/intro.md").stat().st_mtime_ns == before  # untouched, so that Sphinx does not read it again
    assert not (site / "notebooks/toy/02_bad.ipynb").exists()
    (project / "_toc.yml").write_text("format: jb-book\nroot: book/intro\nchapters: [{file: book/absent}]\n")
    with pytest.raises(FileNotFoundError, match="book/absent"):
        book_build.stage(project)


def test_the_table_of_labs_counts_exercises_and_points():
    labs = {path.relative_to(ROOT).as_posix(): nbformat.reads(path.read_text(), as_version=4) for path in LABS}
    table = book_pages.lab_table(labs)
    assert table.count("](/notebooks/") >= len(labs)
    for name, notebook in labs.items():
        facts = book_pages.lab_facts(name, notebook)
        assert facts["exercises"] >= 3 and facts["points"] >= facts["exercises"], name
        assert facts["minutes"] and facts["level"], name


def test_stored_labs_have_no_outputs():
    for path in LABS:
        cells = json.loads(path.read_text())["cells"]
        assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells), path.name
