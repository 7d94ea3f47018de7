"""Gradients by finite differences, to check gradients derived by hand."""

import numpy as np

from hepml_labs.validation import check_alike, check_array


def numerical_gradient(function, point, step=None):
    """Return the gradient of a scalar function by central differences, ``(f(x + h) - f(x - h)) / 2h``.

    Parameters
    ----------
    function : callable
        Takes an array of the shape of ``point`` and returns a number.
    point : float array, any shape
    step : float, optional
        The default, the cube root of the machine precision, balances the truncation error h^2 f'''/6 against
        the rounding error eps f/h for a function whose scales are of order one.

    Returns
    -------
    array of the shape of ``point``

    Notes
    -----
    Costs two evaluations per component: good for a check, hopeless for training.

    Examples
    --------
    >>> bool(abs(numerical_gradient(lambda x: x[0] ** 3, np.array([2.0])) - 12) < 1e-8)
    True
    """
    check_array("point", point)
    point = point.astype(np.float64)  # a copy, in double precision: it is changed and restored below
    if step is None:
        step = np.finfo(np.float64).eps ** (1 / 3)
    if not step > 0:
        raise ValueError(f"step: found {step}, expected a positive number")
    gradient = np.empty_like(point)
    for index in np.ndindex(point.shape):
        value = point[index]
        point[index] = value + step
        above = function(point)
        point[index] = value - step
        below = function(point)
        point[index] = value
        gradient[index] = (above - below) / (2 * step)
    return gradient


def relative_error(gradient, reference):
    """Return ``|g - r| / (|g| + |r|)`` with Euclidean norms: 0 for equal, 1 for opposite or unrelated sizes.

    Symmetric in its arguments, free of units, and 0 when both vanish. Below 1e-7 in float64 the two agree as
    well as finite differences can tell; above 1e-4 one of them is wrong.

    Examples
    --------
    >>> float(relative_error(np.array([3.0, 4.0]), np.array([3.0, 4.0])))
    0.0
    >>> float(relative_error(np.array([1.0]), np.array([-1.0])))
    1.0
    """
    check_alike(gradient=gradient, reference=reference)
    scale = np.linalg.norm(gradient) + np.linalg.norm(reference)
    return np.linalg.norm(gradient - reference) / scale if scale > 0 else scale
