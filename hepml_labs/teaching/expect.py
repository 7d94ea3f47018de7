"""The closing table of a lab: each result beside the band it should lie in."""

import html

from IPython import get_ipython

from hepml_labs.settings import scale
from hepml_labs.teaching.display import in_notebook, show_html

_table = {"cell": None, "rows": [], "handle": None}
_HEADER = ("result", "found", "expected", "published", "")


class OutOfBand(AssertionError):
    """A result of a lab lies outside of the band in which it is expected."""


def expect(name, value, low=None, high=None, published=None, sigma=None):
    """Add a result to the lab's closing table, and stop when it is outside of its band.

    Parameters
    ----------
    name : str
        What was measured, with its unit.
    value : float
        The result of this run.
    low, high : float, optional
        The band; one end may stay open.
    published : float or str, optional
        The published number to stand beside it.
    sigma : float, optional
        Statistical uncertainty of `value`.

    Raises
    ------
    OutOfBand
        When the value is not a number or outside of the band. Not at `HEPML_SCALE=smoke`, where trainings are cut
        short.
    ValueError
        When there is no band, or an empty one.

    Examples
    --------
    >>> expect("width of the pulls", 1.02, low=0.9, high=1.1, sigma=0.01)
    width of the pulls: 1.02 ± 0.01, expected 0.9 to 1.1: ✓ inside
    """
    value = float(value)
    if (low is None and high is None) or (low is not None and high is not None and not low < high):
        raise ValueError(f"low, high: found {low} and {high} for '{name}', expected a band (one end may be None)")
    # one end is given at least, and NaN fails every comparison
    inside = (low is None or value >= low) and (high is None or value <= high)
    enforced = scale() != "smoke"
    verdict = "✓ inside" if inside else ("✗ outside" if enforced else "outside (not enforced at smoke scale)")
    found = f"{value:.4g}" if sigma is None else f"{value:.4g} ± {float(sigma):.2g}"
    row = (name, found, _band(low, high), "" if published is None else _text(published), verdict)
    _add(row)
    if enforced and not inside:
        raise OutOfBand(f"{name}: found {found}, expected {_band(low, high)}")


def _text(value):
    return value if isinstance(value, str) else f"{value:.4g}"


def _band(low, high):
    """Write a band in words."""
    if low is None:
        return f"at most {high:.4g}"
    if high is None:
        return f"at least {low:.4g}"
    return f"{low:.4g} to {high:.4g}"


def _plain(row):
    name, found, band, published, verdict = row
    beside = f", published {published}" if published else ""
    return f"{name}: {found}, expected {band}{beside}: {verdict}"


def _add(row):
    """Show the row: in a notebook as part of one table per cell, elsewhere as a line."""
    if not in_notebook():
        print(_plain(row))
        return
    cell = get_ipython().execution_count
    if _table["cell"] != cell:
        _table.update(cell=cell, rows=[], handle=None)
    _table["rows"].append(row)
    markup, plain = _render(_table["rows"])
    if _table["handle"] is None:
        _table["handle"] = show_html(markup, plain, display_id=True)
    else:
        _table["handle"].update({"text/html": markup, "text/plain": plain}, raw=True)


def _render(rows):
    """Return the table as HTML and as text, leaving out the published column when it is empty."""
    columns = [i for i in range(len(_HEADER)) if i != 3 or any(row[3] for row in rows)]
    left = 'style="text-align:left"'
    head = "".join(f'<th scope="col" {left}>{_HEADER[i] or "verdict"}</th>' for i in columns)
    body = "".join(
        f'<tr><th scope="row" style="text-align:left;font-weight:normal">{html.escape(row[0])}</th>'
        + "".join(f"<td {left}>{html.escape(row[i])}</td>" for i in columns[1:])
        + "</tr>"
        for row in rows
    )
    caption = f"<caption {left}>What you should have seen</caption>"
    return f"<table>{caption}<tr>{head}</tr>{body}</table>", "\n".join(map(_plain, rows))
