"""A lab outside of the book: citations become links, and links to lecture pages become words."""

import re
from functools import cache
from urllib.parse import quote

from hepml_labs import paths

CITATION = re.compile(r"\{cite\}`([^`]+)`")
PAGE = re.compile(r"\[([^\]]+)\]\((?:\.\./)+book/([\w/]+)\.md(?:#[\w-]+)?\)")


def standalone(text):
    """Spell out what only the book can resolve in a Markdown cell.

    Parameters
    ----------
    text : str
        Source of the cell.

    Returns
    -------
    str
        With a link to the paper for each key of a `{cite}` role, and with the title and the place of a lecture page for
        each relative link to one, which JupyterLab could not follow out of the reader's folder.

    Raises
    ------
    ValueError
        When a key is not in the bibliography.

    Examples
    --------
    >>> standalone("MadMiner {cite}`brehmer2019madminer`.")
    'MadMiner [Brehmer et al. 2019](https://arxiv.org/abs/1907.10621).'
    >>> standalone("See [From a fit to a loss](../../book/regression/losses.md).")
    'See *From a fit to a loss* (book, regression/losses).'
    """
    text = CITATION.sub(lambda found: ", ".join(_link(key.strip()) for key in found[1].split(",")), text)
    return PAGE.sub(r"*\1* (book, \2)", text)


def _link(key):
    if key not in _bibliography():
        raise ValueError(f"text: found the citation '{key}', expected a key of book/references.bib")
    return _bibliography()[key]


@cache
def _bibliography():
    """Return the Markdown for each key of the references."""
    from pybtex.database import parse_file

    entries = parse_file(paths.root() / "book" / "references.bib").entries
    return {key: _reference(entry) for key, entry in entries.items()}


def _reference(entry):
    from pybtex.richtext import Text

    people = entry.persons.get("author") or entry.persons["editor"]
    names = [" ".join([*person.prelast_names, *person.last_names]) for person in people]
    if len(names) > 2 or "others" in names:
        names = [f"{names[0]} et al."]
    fields = entry.fields
    short = f"{Text.from_latex(' and '.join(names))} {fields['year']}"
    if "eprint" in fields:
        return f"[{short}](https://arxiv.org/abs/{fields['eprint']})"
    if "doi" in fields or "url" in fields:
        return f"[{short}](<{fields.get('url') or 'https://doi.org/' + quote(fields['doi'])}>)"
    return f"{short} ({fields.get('number') or 'ISBN ' + fields['isbn']})"  # a report or a book
