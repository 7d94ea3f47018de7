"""A figure with a slider that moves with a kernel and, from pre-computed frames, without one."""

import base64
import html
import io
import json
import warnings

import matplotlib.pyplot as plt
from IPython.display import display
from matplotlib.figure import Figure
from PIL import Image

from hepml_labs.settings import scale
from hepml_labs.teaching.display import in_notebook

MAX_FRAMES = 25
MAX_BYTES = 1_500_000
DPI = 130

# Plain event handler in the element itself: no identifiers, no script tag, any number of sliders on a page.
_MOVE = (
    "const f=this.closest('figure'),l=JSON.parse(this.dataset.labels),i=+this.value;"
    "f.querySelectorAll('img').forEach((m,k)=>{m.style.display=k===i?'block':'none'});"
    "f.querySelector('output').textContent=l[i];this.setAttribute('aria-valuetext',l[i])"
)


def explore(draw, alt, *, label=None, **parameter):
    """Show a figure with a slider over one parameter.

    In JupyterLab this is a widget; in the built book, and wherever there is no kernel, a slider of plain HTML. Both
    move through the same frames, drawn once.

    Parameters
    ----------
    draw : callable
        `draw(value)` returns a matplotlib figure. Keep it under 0.15 s: it is called once per value.
    alt : str
        What the figure shows and what to see in it, for readers who cannot see it; the value is added.
    label : str, optional
        Text beside the slider; the parameter's name by default.
    **parameter
        One keyword with the values of the slider, in order; at most 25.

    Raises
    ------
    ValueError
        When `alt` is empty, when there is not exactly one parameter with 2 to 25 values, or when `draw` does not return
        a figure.

    Examples
    --------
    >>> def draw(width):
    ...     figure, axes = plt.subplots()
    ...     axes.set(xlabel="x", ylabel="density")
    ...     return figure
    >>> explore(draw, "A Gaussian of the chosen width.", width=[0.5, 1.0, 2.0])
    A Gaussian of the chosen width. (slider: width = 0.5, 1, 2)
    """
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError(f"alt: found {alt!r}, expected a sentence that says what the figure shows")
    if len(parameter) != 1:
        raise ValueError(f"parameter: found {list(parameter) or 'none'}, expected one keyword with the slider's values")
    (name, values), label = next(iter(parameter.items())), label or next(iter(parameter))
    values = list(values[0]) if isinstance(values, tuple) and len(values) == 1 else list(values)
    if not 2 <= len(values) <= MAX_FRAMES:
        raise ValueError(f"{name}: found {len(values)} values, expected 2 to {MAX_FRAMES}")
    if scale() == "smoke":
        values = [values[0], values[-1]]
    texts = [value if isinstance(value, str) else f"{value:.4g}" for value in values]
    plain = f"{alt} (slider: {label} = {', '.join(texts)})"
    frames = [_frame(draw, value) for value in values]
    size = sum(len(frame) for frame, _ in frames)
    if size > MAX_BYTES:
        warnings.warn(
            f"the frames of '{label}' take {size / 1e6:.1f} MB, expected at most {MAX_BYTES / 1e6:.1f}: "
            "use fewer values, a smaller figure or fewer points",
            stacklevel=2,
        )
    if not in_notebook():
        print(plain)
        return
    images = [_image(*frame, f"{alt} ({label} = {text})") for frame, text in zip(frames, texts, strict=True)]
    bundle = {"text/html": slider_html(images, texts, label), "text/plain": plain}
    display({**_widget_bundle(images, texts, label), **bundle}, raw=True)


def _frame(draw, value):
    """Draw one frame and return it as a small PNG, with the width to show it at in CSS pixels."""
    figure = draw(value)
    if not isinstance(figure, Figure):
        raise ValueError(f"draw: returned {type(figure).__name__} for {value!r}, expected a matplotlib Figure")
    buffer = io.BytesIO()
    with plt.rc_context({"savefig.bbox": None}):  # frames of one size, so that nothing jumps
        figure.savefig(buffer, format="png", dpi=DPI)
    width = round(100 * figure.get_size_inches()[0])
    plt.close(figure)
    small = io.BytesIO()
    image = Image.open(buffer).convert("RGB")
    image.quantize(128, dither=Image.Dither.NONE).save(small, format="png", optimize=True)
    return min(buffer.getvalue(), small.getvalue(), key=len), width


def _image(png, width, alt):
    data = base64.b64encode(png).decode()
    style = f"width:{width}px;max-width:100%;height:auto"
    return f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{data}" style="{style}">'


def slider_html(images, texts, label):
    """Return a self-contained slider over images.

    Parameters
    ----------
    images : list of str
        `<img ... style="...">` elements, one per value.
    texts : list of str
        The values as text.
    label : str
        Name of the parameter.

    Returns
    -------
    str
        A `<figure>` element. It needs neither network nor kernel, works with the keyboard, and shows the first frame
        where scripts are switched off.

    Examples
    --------
    >>> markup = slider_html(['<img alt="a" style="">', '<img alt="b" style="">'], ["1", "2"], "width")
    >>> markup.count("<img"), markup.count("display:none")
    (2, 1)
    """
    stack = "".join(
        image.replace('style="', f'style="display:{"none" if number else "block"};', 1)
        for number, image in enumerate(images)
    )
    name, labels = html.escape(label), html.escape(json.dumps(texts))
    return (
        f'<figure class="hepml-explore" style="margin:1em 0">{stack}'
        f'<label style="display:flex;gap:.8em;align-items:center;max-width:40em"><span>{name}</span>'
        f'<input type="range" min="0" max="{len(images) - 1}" step="1" value="0" style="flex:1" aria-label="{name}" '
        f'aria-valuetext="{html.escape(texts[0])}" data-labels="{labels}" oninput="{html.escape(_MOVE)}" '
        f'autocomplete="off">'
        f'<output style="min-width:5em">{html.escape(texts[0])}</output></label></figure>'
    )


def _widget_bundle(images, texts, label):
    """Return the mime bundle of the widget, empty when ipywidgets is not installed."""
    try:
        import ipywidgets
    except ImportError:
        return {}
    image = ipywidgets.HTML(images[0])
    options = [(text, number) for number, text in enumerate(texts)]
    slider = ipywidgets.SelectionSlider(
        options=options,
        description=label,
        continuous_update=False,
        style={"description_width": "initial"},
        layout={"width": "90%", "max_width": "40em"},
    )
    slider.observe(lambda change: setattr(image, "value", images[change["new"]]), names="value")
    return ipywidgets.VBox([image, slider])._repr_mimebundle_()
