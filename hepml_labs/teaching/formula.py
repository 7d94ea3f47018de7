"""Formulas as small drawings that need no MathJax: for places that load nothing from the network."""

import html

import matplotlib
from matplotlib.path import Path
from matplotlib.textpath import TextPath

_SIZE = 10.0
_LETTERS = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C", Path.CLOSEPOLY: "Z"}


def formula_svg(tex):
    r"""Draw a formula as inline SVG in the size and colour of the surrounding text.

    Parameters
    ----------
    tex : str
        The formula in LaTeX without dollar signs (the part of LaTeX that matplotlib knows).

    Returns
    -------
    str
        An `<svg>` element with the formula's LaTeX as text alternative.

    Raises
    ------
    ValueError
        When matplotlib cannot read the formula.

    Examples
    --------
    >>> formula_svg(r"\sigma^2").startswith('<svg role="img" aria-label="\\sigma^2"')
    True
    """
    with matplotlib.rc_context({"mathtext.fontset": "stix", "text.usetex": False}):
        try:
            path = TextPath((0, 0), f"${tex}$", size=_SIZE)
        except ValueError as error:
            raise ValueError(f"tex: cannot read the formula {tex!r}: {error}") from error
    box = path.get_extents()
    bottom, top = min(box.y0, 0.0) - 0.3, max(box.y1, 0.0) + 0.3
    commands = []
    for points, code in path.iter_segments():
        numbers = (
            ""
            if code == Path.CLOSEPOLY
            else " ".join(f"{value if i % 2 == 0 else -value:.2f}" for i, value in enumerate(points))
        )
        commands.append(_LETTERS[code] + numbers)
    em = 1.1 / _SIZE  # a little larger than the text, whose x-height is larger
    return (
        f'<svg role="img" aria-label="{html.escape(tex)}" viewBox="{box.x0 - 0.3:.2f} {-top:.2f} {box.width + 0.6:.2f} '
        f'{top - bottom:.2f}" style="display:inline-block;height:{(top - bottom) * em:.3f}em;'
        f'width:{(box.width + 0.6) * em:.3f}em;vertical-align:{bottom * em:.3f}em" fill="currentColor">'
        f'<path d="{"".join(commands)}"/></svg>'
    )
