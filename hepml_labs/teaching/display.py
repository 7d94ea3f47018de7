"""Show text in boxes in a notebook, and as plain text in a terminal."""

import html
import re

from IPython import get_ipython
from IPython.display import display

_COLORS = {"right": "0,158,115", "wrong": "213,94,0", "neutral": "0,114,178"}
_SYMBOLS = {"right": "✓", "wrong": "✗", "neutral": "○"}


def in_notebook():
    """Whether there is a Jupyter kernel that can show HTML (bool)."""
    shell = get_ipython()
    return shell is not None and hasattr(shell, "kernel")


def show_html(markup, plain, **options):
    """Display HTML in a notebook, and plain text elsewhere.

    Parameters
    ----------
    markup : str
        A self-contained piece of HTML.
    plain : str
        The same as text.
    **options
        Passed to `IPython.display.display` (such as `display_id`).

    Returns
    -------
    IPython.display.DisplayHandle or None

    Examples
    --------
    >>> show_html("<b>bold</b>", "bold")
    bold
    """
    if in_notebook():
        return display({"text/html": markup, "text/plain": plain}, raw=True, **options)
    print(plain)
    return None


def inline_html(text):
    """Escape text for HTML and set what stands between backticks as code.

    Examples
    --------
    >>> inline_html("use `a < b`")
    'use <code>a &lt; b</code>'
    """
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def show_box(state, title, lines=()):
    """Display a box with a symbol, a title and a few sentences.

    Parameters
    ----------
    state : str
        `"right"`, `"wrong"` or `"neutral"`; gives the symbol and the colour (never the colour alone).
    title : str
        First line, in bold.
    lines : sequence of str
        Text with code between backticks, a paragraph each.

    Examples
    --------
    >>> show_box("right", "toy.double: correct", ["1 point."])
    ✓ toy.double: correct
      1 point.
    """
    color = _COLORS[state]
    paragraphs = "".join(f'<div style="margin-top:.3em">{inline_html(line)}</div>' for line in lines)
    markup = (
        f'<div class="hepml-check" role="status" style="border-left:6px solid rgb({color});'
        f'background:rgba({color},.12);padding:.6em 1em;margin:.4em 0;max-width:48em;line-height:1.4">'
        f'<strong><span aria-hidden="true">{_SYMBOLS[state]}</span> {inline_html(title)}</strong>{paragraphs}</div>'
    )
    show_html(markup, "\n  ".join([f"{_SYMBOLS[state]} {title}", *lines]))
