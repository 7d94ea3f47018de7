"""Checks of what users pass in: every complaint is a ValueError that names the argument.

The functions work for numpy arrays and torch tensors alike and do not import torch.
Shapes and types cost nothing to check, so even loss functions do it at every step; looking for NaN
reads the whole array, so that is left to data entry points and evaluation.
"""

import numbers

import numpy as np

__all__ = ["check_alike", "check_array", "check_between", "check_count", "check_same_shape", "to_numpy"]


def _is_tensor(value):
    return hasattr(value, "is_floating_point") and hasattr(value, "detach")


def _shape_text(shape):
    return "(" + ", ".join(str(size) for size in shape) + ("," if len(shape) == 1 else "") + ")"


def check_array(name, value, shape=None, *, ndim=None, floating=True, finite=True, positive=False):
    """Raise a ValueError that names the argument unless `value` is an array of the expected kind.

    Parameters
    ----------
    name : str
        Name of the argument, as the user knows it.
    value : numpy array or torch tensor
        What the user passed.
    shape : tuple, optional
        Expected shape. A number must match; a string such as ``"n"`` stands for any size except zero, and the
        same string twice for the same size; a leading ``...`` for any further dimensions.
    ndim : int, optional
        Expected number of dimensions, where the shape does not matter.
    floating : bool
        Require a floating-point type.
    finite : bool
        Require all entries to be finite (skipped on the meta device, where there are no entries).
    positive : bool
        Require all entries to be above zero (implies a look at the entries, as `finite` does).

    Raises
    ------
    ValueError
        Naming the argument, what was found and what is expected.

    Examples
    --------
    >>> check_array("momenta", np.zeros((5, 4)), ("n", 4))
    >>> check_array("momenta", np.zeros((5, 3)), ("n", 4))
    Traceback (most recent call last):
    ...
    ValueError: momenta: found shape (5, 3), expected (n, 4)
    """
    tensor = _is_tensor(value)
    if not (tensor or isinstance(value, np.ndarray)):
        raise ValueError(f"{name}: found {type(value).__name__}, expected a numpy array or a torch tensor")
    is_float = value.is_floating_point() if tensor else np.issubdtype(value.dtype, np.floating)
    if floating and not is_float:
        raise ValueError(f"{name}: found type {value.dtype}, expected floating-point numbers")
    if shape is not None:
        _check_shape(name, tuple(value.shape), shape)
    if ndim is not None and value.ndim != ndim:
        raise ValueError(f"{name}: found shape {_shape_text(value.shape)}, expected {ndim} dimension(s)")
    if 0 in value.shape:
        raise ValueError(f"{name}: found an empty array of shape {_shape_text(value.shape)}")
    if not (finite or positive) or (tensor and value.device.type == "meta"):
        return
    value = value.detach() if tensor else value
    good = value.isfinite() if tensor else np.isfinite(value)  # torch's own, for types that numpy lacks
    if finite and not good.all():
        bad = int((~good).sum())
        raise ValueError(f"{name}: found {bad} of {good.reshape(-1).shape[0]} entries NaN or infinite, expected none")
    if positive and not (value > 0).all():
        raise ValueError(f"{name}: found a smallest entry of {float(value.min()):.4g}, expected all above zero")


def _check_shape(name, found, expected):
    message = f"{name}: found shape {_shape_text(found)}, expected " + _shape_text(
        ["..." if size is Ellipsis else size for size in expected]
    )
    if expected and expected[0] is Ellipsis:
        expected = expected[1:]
        if len(found) < len(expected):
            raise ValueError(message)
        found = found[len(found) - len(expected) :]
    if len(found) != len(expected):
        raise ValueError(message)
    named = {}
    for size, wanted in zip(found, expected, strict=True):
        if named.setdefault(wanted, size) != size or (isinstance(wanted, int) and size != wanted):
            raise ValueError(message)


def check_same_shape(**arrays):
    """Raise a ValueError unless all arrays have one shape: no silent broadcasting.

    A loss of a prediction ``(n, 1)`` and a target ``(n,)`` would broadcast to ``(n, n)`` and train nonsense.

    Parameters
    ----------
    **arrays : numpy arrays or torch tensors
        By the name of the argument.

    Raises
    ------
    ValueError
        Naming the first two arguments that disagree.

    Examples
    --------
    >>> check_same_shape(prediction=np.zeros(3), target=np.ones(3))
    >>> check_same_shape(prediction=np.zeros((3, 1)), target=np.ones(3))
    Traceback (most recent call last):
    ...
    ValueError: target: found shape (3,), expected (3, 1) like prediction
    """
    (first, reference), *others = arrays.items()
    for name, value in others:
        if tuple(value.shape) != tuple(reference.shape):
            raise ValueError(
                f"{name}: found shape {_shape_text(value.shape)}, expected {_shape_text(reference.shape)} like {first}"
            )


def check_alike(shape=None, *, finite=True, positive=False, **arrays):
    """Raise a ValueError unless all arrays are of the expected kind and of one shape.

    Parameters
    ----------
    shape : tuple, optional
        As in `check_array`.
    finite, positive : bool
        As in `check_array`.
    **arrays : numpy arrays or torch tensors
        By the name of the argument.

    Raises
    ------
    ValueError
        Naming the argument, as `check_array` and `check_same_shape`.

    Examples
    --------
    >>> check_alike(mean=np.zeros(3), sigma=np.ones(2))
    Traceback (most recent call last):
    ...
    ValueError: sigma: found shape (2,), expected (3,) like mean
    """
    for name, value in arrays.items():
        check_array(name, value, shape, finite=finite, positive=positive)
    check_same_shape(**arrays)


def check_count(name, value, minimum=1):
    """Raise a ValueError unless `value` is a whole number of at least `minimum`.

    Parameters
    ----------
    name : str
        Name of the argument.
    value : int
        What the user passed.
    minimum : int
        Smallest allowed value.

    Raises
    ------
    ValueError
        Naming the argument.

    Examples
    --------
    >>> check_count("outputs", 0)
    Traceback (most recent call last):
    ...
    ValueError: outputs: found 0, expected a whole number of at least 1
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < minimum:
        raise ValueError(f"{name}: found {value!r}, expected a whole number of at least {minimum}")


def check_between(name, value, low, high, *, include_low=False, include_high=False):
    """Raise a ValueError unless `value` is a number between `low` and `high`.

    Parameters
    ----------
    name : str
        Name of the argument.
    value : float
        What the user passed.
    low, high : float
        Ends of the interval.
    include_low, include_high : bool
        Whether the ends themselves are allowed.

    Raises
    ------
    ValueError
        Naming the argument.

    Examples
    --------
    >>> check_between("dropout", 1.5, 0, 1, include_low=True)
    Traceback (most recent call last):
    ...
    ValueError: dropout: found 1.5, expected a number in [0, 1)
    """
    inside = isinstance(value, numbers.Real) and (
        (low < value or (include_low and value == low)) and (value < high or (include_high and value == high))
    )
    if not inside:
        brackets = "[" if include_low else "(", "]" if include_high else ")"
        raise ValueError(f"{name}: found {value!r}, expected a number in {brackets[0]}{low}, {high}{brackets[1]}")


def to_numpy(name, value, shape=None, **requirements):
    """Check an array as `check_array` does and return it as a numpy array of the same type.

    Parameters
    ----------
    name : str
        Name of the argument.
    value : numpy array or torch tensor
        What the user passed; a tensor is detached and moved to the CPU.
    shape : tuple, optional
        As in `check_array`.
    **requirements
        Passed on to `check_array`.

    Returns
    -------
    numpy array
        The same numbers, in the same floating-point type.

    Raises
    ------
    ValueError
        As `check_array`.

    Examples
    --------
    >>> to_numpy("energy", np.array([1.0, 2.0]), ("n",), positive=True)
    array([1., 2.])
    """
    check_array(name, value, shape, **requirements)
    return value.detach().cpu().numpy() if _is_tensor(value) else value
