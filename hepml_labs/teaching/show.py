"""Show the package's own source in a notebook, so that prose and code cannot drift apart."""

import ast
import html
import inspect
import textwrap

from hepml_labs.teaching.display import show_html


def show(thing):
    """Display the source of a function or class, without its docstring.

    Parameters
    ----------
    thing : function, class or module
        Something written in Python.

    Raises
    ------
    ValueError
        When it has no source, such as a number or a function written in C.

    Examples
    --------
    >>> from hepml_labs.teaching.diagnose import number
    >>> show(number)
    hepml_labs.teaching.diagnose.number
    <BLANKLINE>
    def number(value):
        value = np.asarray(value)
        return f"{value.item():.6g}" if value.dtype.kind in "fc" else str(value.item())
    """
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    code = source_without_docstrings(thing)
    module, name = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
    title = f"{module}.{name}" if module and name else thing.__name__
    plain_box = "margin:0;padding:0;border:0;background:transparent;color:inherit;font-family:monospace;white-space:pre"
    formatter = HtmlFormatter(
        noclasses=True, nobackground=True, cssstyles="background:transparent", prestyles=plain_box
    )
    markup = (
        '<div class="hepml-source" style="background:#f7f7f7;color:#1f1f1f;border:1px solid #bbb;border-radius:4px;'
        'margin:.4em 0;max-width:100%"><div style="padding:.3em .8em;border-bottom:1px solid #ccc;font-size:.9em">'
        f"source of <code>{html.escape(title)}</code></div>"
        f'<div role="region" tabindex="0" aria-label="source of {html.escape(title)}" '
        'style="overflow-x:auto;padding:.5em .8em">'
        f"{highlight(code, PythonLexer(), formatter)}</div></div>"
    )
    show_html(markup, f"{title}\n\n{code}")


def source_without_docstrings(thing):
    """Return the source of a function, class or module with all docstrings cut.

    Parameters
    ----------
    thing : function, class or module
        Something written in Python.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        When it has no source.
    """
    try:
        source = textwrap.dedent(inspect.getsource(inspect.unwrap(thing) if callable(thing) else thing))
    except (OSError, TypeError) as error:
        raise ValueError(f"thing: found {thing!r}, expected a function, class or module written in Python") from error
    lines = source.splitlines()
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a lambda in the middle of an expression
        return source.rstrip()
    documented = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module)
    for node in ast.walk(tree):
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
            docstring, rest = node.body[0], node.body[1:]
            last = docstring.end_lineno
            while last < len(lines) and not lines[last].strip() and rest:
                last += 1  # the blank lines below it go too
            for number in range(docstring.lineno - 1, last):
                lines[number] = None
            if not rest:
                lines[docstring.lineno - 1] = " " * docstring.col_offset + "..."
    return "\n".join(line for line in lines if line is not None).rstrip()
