"""One look for all figures: a style, a palette, and a function per kind of figure."""

import base64
import html
import io

import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler

#: The palette of Okabe and Ito, distinguishable with every common form of colour blindness.
COLORS = {
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "vermillion": "#D55E00",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "yellow": "#F0E442",
    "black": "#000000",
}

_STYLE = {
    "figure.figsize": (6.4, 4.0),
    "figure.constrained_layout.use": True,
    "savefig.dpi": 160,
    "font.size": 11,
    "axes.prop_cycle": cycler(color=[COLORS[name] for name in COLORS if name != "yellow"]),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "image.cmap": "cividis",
    "lines.linewidth": 1.8,
}


def use_style():
    """Set the project's matplotlib style for all figures that follow.

    Examples
    --------
    >>> use_style()
    >>> plt.rcParams["image.cmap"]
    'cividis'
    """
    plt.rcParams.update(_STYLE)


def to_html(figure, alt, dpi=160):
    """Render a figure as a self-contained HTML image with a text alternative, and close it.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.
    alt : str
        What the figure shows, for readers who cannot see it.
    dpi : int
        Resolution of the PNG; it is shown at half of its pixel size, so it stays sharp on dense screens.

    Returns
    -------
    str
        A ``<figure>`` element.

    Raises
    ------
    ValueError
        If `alt` is empty.

    Examples
    --------
    >>> to_html(plt.figure(), "An empty figure.")[:60]
    '<figure class="hepml-figure"><img alt="An empty figure." sty'
    """
    if not alt or not alt.strip():
        raise ValueError("alt: found an empty text, expected a sentence that says what the figure shows")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    width = int(figure.get_size_inches()[0] * 100)
    plt.close(figure)
    data = base64.b64encode(buffer.getvalue()).decode()
    return (
        f'<figure class="hepml-figure"><img alt="{html.escape(alt)}" style="width:{width}px;max-width:100%" '
        f'src="data:image/png;base64,{data}"></figure>'
    )


def show(figure, alt):
    """Display a figure in a notebook or page, with its text alternative, and close it.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.
    alt : str
        What the figure shows, for readers who cannot see it.

    Raises
    ------
    ValueError
        If `alt` is empty.

    Examples
    --------
    >>> show(plt.figure(), "An empty figure.")
    An empty figure.
    """
    from IPython import get_ipython
    from IPython.display import display

    element = to_html(figure, alt)
    if get_ipython() is None:
        print(alt)
    else:
        display({"text/html": element, "text/plain": alt}, raw=True)


def training_history(history, axes=None, label=""):
    """Draw training and validation loss against the epoch, with the best epoch marked.

    Parameters
    ----------
    history : hepml_labs.training.History
        What :func:`hepml_labs.training.fit` returned.
    axes : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    label : str
        Put before "training" and "validation" in the legend.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> from hepml_labs.training import History
    >>> axes = training_history(History(train_loss=[1.0, 0.5], validation_loss=[1.1, 0.7], best_epoch=1))
    >>> axes.get_xlabel()
    'epoch'
    """
    axes = axes or plt.subplots()[1]
    epochs = np.arange(1, len(history.train_loss) + 1)
    (line,) = axes.plot(epochs, history.train_loss, label=f"{label} training".strip())
    if history.validation_loss:
        axes.plot(
            epochs,
            history.validation_loss,
            linestyle="--",
            color=line.get_color(),
            label=f"{label} validation".strip(),
        )
        best = history.best_epoch
        axes.plot(best + 1, history.validation_loss[best], "o", color=line.get_color())
    axes.set(xlabel="epoch", ylabel="loss")
    axes.legend()
    return axes


def pulls(pulls_by_label, axes=None, limit=5.0, bins=60):
    """Draw distributions of pulls beside the unit Gaussian that calibrated uncertainties give.

    Parameters
    ----------
    pulls_by_label : dict of str to array of shape (n,)
        Pulls (dimensionless), one entry per method.
    axes : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    limit : float
        Range of the histogram, plus and minus.
    bins : int
        Number of bins.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> axes = pulls({"toy": np.random.default_rng(1).normal(size=1000)})
    >>> axes.get_xlabel()
    'pull'
    """
    axes = axes or plt.subplots()[1]
    edges = np.linspace(-limit, limit, bins + 1)
    for label, values in pulls_by_label.items():
        values = np.asarray(values)
        counts, _ = np.histogram(values, bins=edges)
        axes.stairs(counts / len(values) / np.diff(edges), edges, label=label, linewidth=1.8)
    grid = np.linspace(-limit, limit, 400)
    axes.plot(grid, np.exp(-0.5 * grid**2) / np.sqrt(2 * np.pi), "k:", label="unit Gaussian")
    axes.set(xlabel="pull", ylabel="density", yscale="log", ylim=(1e-4, 1.0))
    axes.legend()
    return axes
