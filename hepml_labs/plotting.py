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


def roc(curves_by_label, axes=None, rejection=True):
    """Draw background rejection (or background efficiency) against signal efficiency.

    Parameters
    ----------
    curves_by_label : dict of str to hepml_labs.evaluation.RocCurve or hepml_labs.evaluation.RocBand
        One entry per classifier; a RocBand is drawn with its confidence band.
    axes : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    rejection : bool
        1 / background efficiency on a logarithmic axis, as in tagging papers; otherwise the background efficiency.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> from hepml_labs.evaluation import roc_curve
    >>> axes = roc({"toy": roc_curve(np.array([0, 1, 0, 1]), np.array([0.1, 0.9, 0.6, 0.4]))})
    >>> axes.get_ylabel()
    'background rejection'
    """
    axes = axes or plt.subplots()[1]

    def height(background):
        return 1 / np.where(background > 0, background, np.nan) if rejection else background

    for label, curve in curves_by_label.items():
        band = hasattr(curve, "low")
        signal = curve.efficiency if band else curve.true_positive_rate
        background = curve.background_efficiency if band else curve.false_positive_rate
        (line,) = axes.plot(signal, height(background), label=label)
        if band:
            axes.fill_between(signal, height(curve.low), height(curve.high), color=line.get_color(), alpha=0.25, lw=0)
    axes.plot(grid := np.linspace(0.01, 1, 200), height(grid), "k:", linewidth=1, label="guessing")
    kind, scale = ("rejection", "log") if rejection else ("efficiency", "linear")
    axes.set(xlabel="signal efficiency", ylabel=f"background {kind}", xlim=(0, 1), yscale=scale)
    axes.legend()
    return axes


def reliability(by_label, axes=None):
    """Draw observed against predicted frequency: a reliability diagram.

    Parameters
    ----------
    by_label : dict of str to hepml_labs.evaluation.Reliability
        One entry per classifier.
    axes : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> from hepml_labs.evaluation import reliability as measure
    >>> axes = reliability({"toy": measure(np.array([0, 1, 1]), np.array([0.2, 0.7, 0.9]), bins=3)})
    >>> axes.get_xlabel()
    'predicted probability'
    """
    axes = axes or plt.subplots(figsize=(4.6, 4.4))[1]
    axes.plot([0, 1], [0, 1], "k:", linewidth=1, label="calibrated")
    for label, found in by_label.items():
        axes.errorbar(found.predicted, found.observed, found.observed_error, fmt="o-", ms=4, lw=1.2, label=label)
    axes.set(xlabel="predicted probability", ylabel="observed frequency", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.legend()
    return axes


def significance_improvement(by_label, axes=None):
    """Draw significance improvement against signal efficiency, with bands of one standard deviation.

    Parameters
    ----------
    by_label : dict of str to hepml_labs.evaluation.SignificanceImprovement
        One entry per classifier.
    axes : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> from hepml_labs.evaluation import significance_improvement as measure
    >>> axes = significance_improvement({"toy": measure(np.arange(100) % 2, np.arange(100.0))})
    >>> axes.get_xlabel()
    'signal efficiency'
    """
    axes = axes or plt.subplots()[1]
    for label, curve in by_label.items():
        (line,) = axes.plot(curve.signal_efficiency, curve.value, label=label)
        ends = curve.value - curve.error, curve.value + curve.error
        axes.fill_between(curve.signal_efficiency, *ends, color=line.get_color(), alpha=0.25, lw=0)
    axes.axhline(1, color="black", linestyle=":", linewidth=1, label="no cut")
    axes.set(xlabel="signal efficiency", ylabel="significance improvement", xlim=(0, 1), ylim=(0, None))
    axes.legend()
    return axes
