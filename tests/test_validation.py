import numpy as np
import pytest
import torch

from hepml_labs.validation import check_array, check_between, check_count, check_same_shape, to_numpy


@pytest.mark.parametrize("make", [np.asarray, torch.as_tensor])
@pytest.mark.parametrize(
    "value, options, complaint",
    [
        ([1.0, np.nan], {}, "1 of 2 entries NaN"),
        ([1.0, np.inf], {}, "NaN or infinite"),
        ([[1.0], [2.0]], {"shape": ("n",)}, r"found shape \(2, 1\), expected \(n,\)"),
        ([[1.0], [2.0]], {"shape": ("n", "n")}, r"expected \(n, n\)"),
        ([[1.0], [2.0]], {"shape": (..., 3)}, r"expected \(..., 3\)"),
        ([1.0], {"ndim": 2}, "expected 2 dimension"),
        ([1, 2], {}, "expected floating-point"),
        ([], {}, "empty"),
        ([1.0, 0.0], {"positive": True}, "above zero"),
    ],
)
def test_bad_arrays_are_named(make, value, options, complaint):
    value = make(np.array(value, dtype=float) if len(value) == 0 else np.array(value))
    with pytest.raises(ValueError, match=f"energy: .*{complaint}"):
        check_array("energy", value, **options)


@pytest.mark.parametrize("value", [[1.0, 2.0], None, 3.0, "text"])
def test_not_an_array(value):
    with pytest.raises(ValueError, match="energy: found .*expected a numpy array or a torch tensor"):
        check_array("energy", value)


def test_good_arrays_pass():
    check_array("x", np.zeros((2, 5, 4), dtype=np.float32), (..., 4))
    check_array("x", torch.zeros(4, 4), ("n", "n"))
    check_array("x", np.array([np.nan]), finite=False)
    check_array("x", np.array([1, 2]), floating=False)
    check_array("x", torch.zeros(3, device="meta"), ("n",))


def test_to_numpy_keeps_the_type():
    assert to_numpy("x", torch.ones(2, requires_grad=True)).dtype == np.float32
    assert to_numpy("x", torch.ones(2, dtype=torch.float64)).dtype == np.float64


def test_numbers():
    check_count("n", np.int64(3))
    check_between("p", 0.0, 0, 1, include_low=True)
    for bad in (0, -1, 2.0, True, "3", None):
        with pytest.raises(ValueError, match="n: found"):
            check_count("n", bad)
    for bad in (0.0, 1.0, np.nan, "x", None):
        with pytest.raises(ValueError, match="p: found"):
            check_between("p", bad, 0, 1)
    with pytest.raises(ValueError, match=r"b: found shape \(3,\), expected \(2,\) like a"):
        check_same_shape(a=np.zeros(2), b=np.zeros(3))
