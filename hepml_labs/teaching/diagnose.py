"""Say how wrong values differ from the right ones."""

import math
from fractions import Fraction

import numpy as np

from hepml_labs.teaching.compare import close, flatten, is_tensor, place, to_array

_NAMED_FACTORS = {math.pi: "pi", 2 * math.pi: "2 pi", math.sqrt(2): "the square root of 2", math.e: "e"}
_NAMED_FACTORS |= {
    math.sqrt(2 * math.pi): "the square root of 2 pi",
    math.log(2): "ln 2",
    math.log(10): "ln 10",
    180 / math.pi: "180/pi (degrees for radians?)",
}

_TRANSFORMATIONS = (
    (lambda found, expected: (-found, expected), "The sign is flipped everywhere."),
    (lambda found, expected: (np.abs(found), np.abs(expected)), "The magnitudes are right, but some signs are not."),
    (lambda found, expected: (found, expected**2), "This is the square of what is expected."),
    (lambda found, expected: (found**2, expected), "This is the square root of what is expected."),
    (lambda found, expected: (1 / found, expected), "This is one over what is expected."),
    (lambda found, expected: (found, np.log(expected)), "This is the logarithm of what is expected."),
    (lambda found, expected: (found, np.exp(expected)), "This is the exponential of what is expected."),
)


def number(value):
    """Write a number so that it can be read.

    Examples
    --------
    >>> number(0.1234567), number(True), number(3)
    ('0.123457', 'True', '3')
    """
    value = np.asarray(value)
    return f"{value.item():.6g}" if value.dtype.kind in "fc" else str(value.item())


def diagnose(found, expected, sizes, rtol, atol):
    """Describe how the values of a result differ from those expected.

    Parameters
    ----------
    found, expected : list
        Results of the answer and of the reference, one per trial, equal in form.
    sizes : list of set of int
        Lengths of the axes of the inputs of each trial, to recognise a sum in the place of a mean.
    rtol, atol : float
        Tolerances, as in `Exercise`.

    Returns
    -------
    list of str
        One or two sentences of diagnosis, then one with the first element that differs; empty when all agree.

    Examples
    --------
    >>> diagnose([np.array([-1.0, 2.0])], [np.array([1.0, -2.0])], [{2}], 1e-4, 1e-6)
    ['The sign is flipped everywhere.', 'At index [0]: expected 1, found -1.']
    """
    paths = [path for path, _ in flatten(expected[0])]
    for path in paths:
        pairs = [
            (to_array(dict(flatten(one))[path]), to_array(dict(flatten(other)).get(path)))
            for one, other in zip(found, expected, strict=True)
        ]
        if any(other is None for _, other in pairs):
            continue
        wrong = [not close(one, other, rtol, atol).all() for one, other in pairs]
        if any(wrong):
            where = f"In {place(path)}: " if path else ""
            sentences = _describe_values(pairs, sizes, rtol, atol)
            located = _first_difference(*pairs[wrong.index(True)], rtol, atol)
            return [where + sentences[0], *sentences[1:], located] if sentences else [where + located]
    return []


def _first_difference(found, expected, rtol, atol):
    """Name the first element that differs, with the value expected and the value found."""
    index = tuple(int(i) for i in np.argwhere(~close(found, expected, rtol, atol))[0])
    at = f"At index [{', '.join(map(str, index))}]: expected" if index else "Expected"
    return f"{at} {number(expected[index])}, found {number(found[index])}."


def _describe_values(pairs, sizes, rtol, atol):
    """Try the explanations in turn; `pairs` are (found, expected) arrays, one per trial."""
    unexpected = [np.isnan(one) & ~np.isnan(other) for one, other in pairs]
    infinite = [np.isinf(one) & ~np.isinf(other) for one, other in pairs]
    for bad, name in ((unexpected, "not a number (NaN)"), (infinite, "infinite")):
        trial = next((i for i, mask in enumerate(bad) if mask.any()), None)
        if trial is not None:
            count, total = int(bad[trial].sum()), bad[trial].size
            return [
                f"{count} of {total} values are {name}: a division by zero, or the logarithm or root of a negative?"
            ]
    if any(array.dtype.kind == "b" for pair in pairs for array in pair):
        return _count_right(pairs, rtol, atol)

    def explains(transformation, trials=pairs):
        with np.errstate(all="ignore"):
            return all(close(*transformation(*map(_as_real, pair)), rtol, atol).all() for pair in trials)

    for transformation, sentence in _TRANSFORMATIONS:
        if explains(transformation):
            return [sentence]
    return (
        _factor(pairs, sizes, rtol, atol)
        or _offset(pairs, rtol, atol)
        or _same_for_all_inputs(pairs)
        or _permuted(pairs, rtol, atol)
        or _count_right(pairs, rtol, atol)
    )


def _as_real(array):
    return array.astype(complex if array.dtype.kind == "c" else float)


def _factor(pairs, sizes, rtol, atol):
    """Recognise a factor that is the same everywhere, or that is a number of elements."""
    ratios = []
    for found, expected in pairs:
        found, expected = _as_real(found), _as_real(expected)
        reference = np.abs(expected)
        if not reference.size or not reference.max() > 0:
            return []
        largest = np.unravel_index(reference.argmax(), reference.shape)
        ratio = found[largest] / expected[largest]
        if not np.isfinite(ratio) or ratio == 0 or not close(found / ratio, expected, rtol, atol).all():
            return []
        ratios.append(complex(ratio).real if abs(complex(ratio).imag) < 1e-9 else complex(ratio))

    def is_size(ratio, lengths):
        return any(length > 1 and math.isclose(abs(ratio), length, rel_tol=10 * rtol) for length in lengths)

    counts = all(is_size(ratio, lengths) for ratio, lengths in zip(ratios, sizes, strict=True))
    inverse = all(is_size(1 / ratio, lengths) for ratio, lengths in zip(ratios, sizes, strict=True))
    constant = all(abs(ratio - ratios[0]) <= 10 * rtol * abs(ratios[0]) for ratio in ratios)
    if counts:
        size = f"{abs(ratios[0]):.0f}"
        return [f"Too large by the factor {size}, the number of elements along an axis: a sum in the place of a mean?"]
    if inverse:
        size = f"{abs(1 / ratios[0]):.0f}"
        return [f"Too small by the factor {size}, the number of elements along an axis: a mean in the place of a sum?"]
    if constant:
        return [f"Right up to a constant factor: found is {_name_factor(ratios[0], rtol)} times what is expected."]
    if len(pairs) > 1 and any(other.size > 1 for _, other in pairs):
        return ["Right up to a factor that differs from call to call: is the normalisation right?"]
    return []


def _name_factor(ratio, rtol):
    """Write a factor as a simple fraction or by its name where it has one."""
    if isinstance(ratio, complex):
        return f"{ratio:.4g}"
    sign = "minus " if ratio < 0 else ""
    size = abs(ratio)
    fraction = Fraction(size).limit_denominator(16)
    if fraction and math.isclose(size, fraction, rel_tol=max(rtol, 1e-6)):
        return f"{sign}{fraction}"
    for value, name in _NAMED_FACTORS.items():
        if math.isclose(size, value, rel_tol=max(rtol, 1e-6)):
            return sign + name
        if math.isclose(size, 1 / value, rel_tol=max(rtol, 1e-6)):
            return f"{sign}one over {name}"
    return f"{ratio:.4g}"


def _offset(pairs, rtol, atol):
    """Recognise a constant that is missing or too much."""
    offsets = [np.mean(_as_real(found) - _as_real(expected)) for found, expected in pairs]
    same = all(np.isclose(offset, offsets[0], rtol=10 * rtol) for offset in offsets)
    shifted = (
        close(_as_real(one) - offset, _as_real(other), rtol, atol).all()
        for (one, other), offset in zip(pairs, offsets, strict=True)
    )
    enough = len(pairs) > 1 or pairs[0][0].size > 1
    if enough and same and all(shifted):
        return [f"Right up to a constant: found is what is expected plus {number(offsets[0])}."]
    return []


def _same_for_all_inputs(pairs):
    """Recognise an answer that does not depend on its arguments."""
    first = pairs[0][0]
    if len(pairs) < 2 or any(one.shape != first.shape or not np.array_equal(one, first) for one, _ in pairs):
        return []
    return [
        "Your result is the same for every input: does the function use a variable of the notebook "
        "in the place of its argument?"
    ]


def _permuted(pairs, rtol, atol):
    """Recognise transposed, reversed and reordered axes."""
    axes = range(pairs[0][1].ndim)
    if not axes:
        return []
    for first in axes:
        for second in range(first + 1, len(axes)):
            swapped = [(np.swapaxes(one, first, second), other) for one, other in pairs]
            if all(one.shape == other.shape and close(one, other, rtol, atol).all() for one, other in swapped):
                return [f"The axes {first} and {second} are exchanged (a transpose)."]
    for axis in axes:
        if all(close(np.flip(one, axis), other, rtol, atol).all() for one, other in pairs):
            return [f"The order along axis {axis} is reversed."]
    for axis in axes:
        if all(close(np.sort(one, axis), np.sort(other, axis), rtol, atol).all() for one, other in pairs):
            return [f"The values along axis {axis} are right, but in another order."]
    return []


def _count_right(pairs, rtol, atol):
    """Say how many elements of the first wrong trial are right, when some but not all are."""
    for found, expected in pairs:
        right = close(found, expected, rtol, atol)
        if not right.all():
            if right.any():
                return [f"{int(right.sum())} of {right.size} values are right."]
            break
    right_calls = sum(bool(close(one, other, rtol, atol).all()) for one, other in pairs)
    return [f"Right in {right_calls} of {len(pairs)} calls with different inputs."] if right_calls else []


def axis_lengths(arguments):
    """Return the lengths of all axes of the arrays and tensors among the arguments.

    Parameters
    ----------
    arguments : tuple
        Arguments of one call.

    Returns
    -------
    set of int

    Examples
    --------
    >>> sorted(axis_lengths((np.zeros((2, 3)), 1.0, [np.zeros(4)])))
    [2, 3, 4]
    """
    leaves = (leaf for _, leaf in flatten(arguments))
    arrays = [leaf for leaf in leaves if isinstance(leaf, np.ndarray) or is_tensor(leaf)]
    return {length for array in arrays for length in array.shape}
