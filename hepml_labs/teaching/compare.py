"""Compare what an answer returned with what the reference returned, and describe the first difference of form."""

import sys

import numpy as np

_KINDS = {"b": "booleans", "i": "integers", "u": "integers", "f": "real numbers", "c": "complex numbers"}


def is_tensor(value):
    """Whether the value is a torch tensor (without importing torch)."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def is_module(value):
    """Whether the value is a torch module (without importing torch)."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.nn.Module)


def to_array(value):
    """Turn a number, array or tensor into an array, and anything else into None.

    Examples
    --------
    >>> to_array(2.5)
    array(2.5)
    >>> to_array("text") is None
    True
    """
    if is_tensor(value):
        try:
            value = value.detach().cpu().resolve_conj()
            if value.is_floating_point() and value.element_size() < 4:  # NumPy has no bfloat16
                value = value.float()
            return value.numpy()
        except (RuntimeError, TypeError):  # sparse, meta
            return None
    if isinstance(value, (bool, int, float, complex, np.number, np.bool_, np.ndarray)):
        array = np.asarray(value)
        return array if array.dtype.kind in _KINDS else None
    return None


def flatten(value, path=()):
    """List the leaves of nested tuples, lists and dicts with the path to each.

    Parameters
    ----------
    value : object
        A leaf or a container; a torch module counts as the dict of its parameters and buffers.
    path : tuple
        Path to `value` itself.

    Returns
    -------
    list of (tuple, object)

    Examples
    --------
    >>> flatten({"mean": 1.0, "rest": (2.0, 3.0)})
    [(('mean',), 1.0), (('rest', 0), 2.0), (('rest', 1), 3.0)]
    """
    if is_module(value):
        value = dict(value.state_dict())
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, (tuple, list)):
        items = enumerate(value)
    else:
        return [(path, value)]
    return [leaf for key, item in items for leaf in flatten(item, (*path, key))]


def describe(value):
    """Say in a few words what a value is.

    Examples
    --------
    >>> describe(np.zeros((2, 3)))
    'an array of shape (2, 3)'
    >>> describe((1.0, 2.0))
    'a tuple of 2'
    """
    if value is None or value is ...:
        return "None" if value is None else "..."
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, dict):
        return f"a dict with the keys {', '.join(map(repr, value)) or '(none)'}"
    if is_tensor(value) or isinstance(value, np.ndarray):
        kind = "a tensor" if is_tensor(value) else "an array"
        if value.ndim:
            return f"{kind} of shape {tuple(value.shape)}"
        return f"{kind} with a single number"
    if to_array(value) is not None:
        return f"the number {value}"
    if isinstance(value, str):
        return f"the text {value!r}"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if callable(value) and hasattr(value, "__name__"):
        return f"the function {value.__name__}"
    article = "an" if type(value).__name__[0].lower() in "aeiou" else "a"
    return f"{article} {type(value).__name__}"


def place(path):
    """Name one of several outputs; empty when there is only one.

    Examples
    --------
    >>> place((1,)), place(("mean",)), place(())
    ('output 2', "output 'mean'", '')
    """
    return "output " + ", ".join(str(key + 1) if isinstance(key, int) else repr(key) for key in path) if path else ""


def form_problem(found, expected, path=()):
    """Find the first difference in type, number of outputs or shape.

    Parameters
    ----------
    found, expected : object
        What the answer and the reference returned.
    path : tuple
        Where in the outputs this is.

    Returns
    -------
    tuple of (str, str) or None
        A kind (`"type"`, `"count"`, `"shape"`, `"gradient"`) and a sentence; None when the forms agree.

    Examples
    --------
    >>> form_problem(np.zeros(3), np.zeros((3, 1)))
    ('shape', 'wrong shape: found (3,), expected (3, 1)')
    """
    at = f" ({place(path)})" if path else ""
    if isinstance(expected, (tuple, list, dict)):
        container = dict if isinstance(expected, dict) else (tuple, list)
        if not isinstance(found, container):
            return "count", f"found {describe(found)}{at}, expected {describe(expected)}"
        if isinstance(expected, dict):
            if set(found) != set(expected):
                return "count", f"found {describe(found)}{at}, expected the keys {', '.join(map(repr, expected))}"
            keys = list(expected)
        else:
            if len(found) != len(expected):
                return "count", f"wrong number of outputs{at}: found {len(found)}, expected {len(expected)}"
            keys = range(len(expected))
        problems = (form_problem(found[key], expected[key], (*path, key)) for key in keys)
        return next((problem for problem in problems if problem), None)
    target = to_array(expected)
    if target is None:
        same = type(found) is type(expected)
        return None if same else ("type", f"wrong type{at}: found {describe(found)}, expected {describe(expected)}")
    array = to_array(found)
    if array is None:
        return "type", f"wrong type{at}: found {describe(found)}, expected {describe(expected)}"
    if array.shape != target.shape:
        found_shape, expected_shape = (shape or "() (a single number)" for shape in (array.shape, target.shape))
        return "shape", f"wrong shape{at}: found {found_shape}, expected {expected_shape}"
    if not _kind_accepted(array, target):
        found_kind, expected_kind = _KINDS[array.dtype.kind], _KINDS[target.dtype.kind]
        return "type", f"wrong type of numbers{at}: found {found_kind} ({array.dtype}), expected {expected_kind}"
    if is_tensor(expected) and expected.requires_grad and not (is_tensor(found) and found.requires_grad):
        return "gradient", (
            f"no gradient flows through the result{at}: `.item()`, `.detach()`, `no_grad` or NumPy cuts it off"
        )
    return None


def _kind_accepted(found, expected):
    """Decide whether the kind of number may stand in for the expected one.

    Values decide between float32 and float64, and integers may stand for real numbers. Not so for booleans (a mask of
    ones and zeros selects the wrong elements), nor for real numbers in the place of an array of integers (no index).
    """
    found, expected, single = found.dtype.kind, expected.dtype.kind, expected.ndim == 0
    accepted = {"b": "b", "i": "iu", "u": "iu", "f": "fiu", "c": "cfiu"}[expected]
    return found in accepted or (single and expected in "iu" and found == "f")


def close(found, expected, rtol, atol):
    """Compare two arrays of equal shape element by element.

    Parameters
    ----------
    found, expected : array
        Arrays of equal shape.
    rtol : float
        Tolerance relative to each expected element.
    atol : float
        Tolerance in units of the largest expected element.

    Returns
    -------
    array of bool
        True where they agree; NaN agrees with NaN, infinity with infinity of the same sign.

    Examples
    --------
    >>> close(np.array([1.0, 2e-9]), np.array([1.0, 1e-9]), rtol=1e-4, atol=1e-6)
    array([ True,  True])
    >>> close(np.array([2e-9]), np.array([1e-9]), rtol=1e-4, atol=1e-6)
    array([False])
    """
    if expected.dtype.kind in "biu" and found.dtype.kind in "biu":
        return found == expected
    found, expected = (array.astype(complex if array.dtype.kind == "c" else float) for array in (found, expected))
    size = np.abs(expected[np.isfinite(expected)])
    tolerance = atol * (size.max() if size.size and size.max() > 0 else 1.0)
    with np.errstate(all="ignore"):
        same = np.abs(found - expected) <= tolerance + rtol * np.abs(expected)
    return np.where(np.isfinite(expected), same, (found == expected) | (np.isnan(found) & np.isnan(expected)))


def agree(found, expected, rtol, atol):
    """Whether two results have the same form and the same values.

    Examples
    --------
    >>> agree((1.0, np.ones(2)), (1.0, np.ones(2)), 1e-4, 1e-6)
    True
    >>> agree(np.ones((2, 1)), np.ones(2), 1e-4, 1e-6)
    False
    """
    if form_problem(found, expected):
        return False
    leaves = dict(flatten(found))
    for path, other in flatten(expected):
        one, array = leaves[path], to_array(other)
        if array is None:
            if one is not other and one != other:
                return False
        elif not close(to_array(one), array, rtol, atol).all():
            return False
    return True
