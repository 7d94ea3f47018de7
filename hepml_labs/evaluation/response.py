"""Closure and resolution of a calibrated quantity, in bins, with statistical errors."""

from typing import NamedTuple

import numpy as np

from hepml_labs.evaluation.intervals import central_interval
from hepml_labs.validation import check_same_shape, to_numpy

__all__ = ["BinnedResponse", "binned_response"]


class BinnedResponse(NamedTuple):
    """Median and relative width of the response, one entry for each bin."""

    centre: np.ndarray
    count: np.ndarray
    median: np.ndarray
    median_error: np.ndarray
    resolution: np.ndarray
    resolution_error: np.ndarray


def binned_response(truth, prediction, edges, variable=None):
    """Median (closure) and resolution of the response prediction / truth, in bins of the truth.

    Bins of the predicted value would mix in the shape of the spectrum: where it falls, more events migrate
    into a bin from below than from above, and even a perfect calibration would not close.

    Parameters
    ----------
    truth, prediction : array
        Shape ``(n,)``, same units (GeV for energies); `truth` above zero.
    edges : array
        Shape ``(bins + 1,)``, increasing edges of the bins; values outside are left out.
    variable : array, optional
        Shape ``(n,)``: what to bin in, if not in `truth` (such as the pseudorapidity).

    Returns
    -------
    BinnedResponse
        centre (mean of the variable in the bin), count, median, median_error, resolution (68 % half width
        over the median), resolution_error; each of shape ``(bins,)``. NaN for fewer than 10 entries.

    Raises
    ------
    ValueError
        If shapes differ, an array is empty, holds NaN or no floating-point numbers, a truth is not above
        zero, or `edges` do not increase.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.uniform(10, 100, 20_000)
    >>> found = binned_response(truth, truth * rng.normal(1, 0.1, 20_000), np.array([10.0, 50.0, 100.0]))
    >>> found.median.round(2), found.resolution.round(2)
    (array([1., 1.]), array([0.1, 0.1]))
    """
    truth = to_numpy("truth", truth, ("n",), positive=True)
    prediction = to_numpy("prediction", prediction, ("n",))
    variable = truth if variable is None else to_numpy("variable", variable, ("n",))
    check_same_shape(truth=truth, prediction=prediction, variable=variable)
    edges = to_numpy("edges", edges, ("bins + 1",), floating=False)
    if len(edges) < 2 or not (np.diff(edges) > 0).all():
        raise ValueError(f"edges: found {edges}, expected at least two increasing numbers")
    response = prediction.astype(np.float64) / truth
    number = np.digitize(variable, edges) - 1
    rows = []
    for which in range(len(edges) - 1):
        inside = number == which
        count = int(inside.sum())
        if count < 10:
            rows.append((0.5 * (edges[which] + edges[which + 1]), count, *[np.nan] * 4))
            continue
        median, median_error, width, width_error = central_interval(response[inside])
        relative = (width / median, width_error / median) if median != 0 else (np.nan, np.nan)
        rows.append((variable[inside].mean(dtype=np.float64), count, median, median_error, *relative))
    return BinnedResponse(*(np.array(column) for column in zip(*rows, strict=True)))
