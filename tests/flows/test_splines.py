"""The spline and the affine map: knots, tails, extreme weights, and the same numbers as nflows and zuko."""

import math

import pytest
import torch

from hepml_labs.flows.elementwise import MINIMUM, SOFTPLUS_OF_ONE, Affine, RationalQuadraticSpline

BINS = 6
SPLINES = {tails: RationalQuadraticSpline(BINS, bound=3.0, tails=tails) for tails in ("linear", "box", "circular")}


def random_parameters(spline, n=200, spread=1.0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    return spread * torch.randn(n, 1, spline.parameters, generator=generator, dtype=dtype)


def knots(spline, parameters):
    """Return the places and heights of all knots ``(n, K + 1)``, in units of the data, without the circular shift."""
    fractions = parameters[:, 0, : 2 * BINS].unflatten(-1, (2, BINS)).softmax(-1)
    edges = torch.nn.functional.pad((MINIMUM + (1 - BINS * MINIMUM) * fractions).cumsum(-1), (1, 0))
    edges[..., -1] = 1
    if spline.tails != "box":
        edges = spline.bound * (2 * edges - 1)
    return edges.unbind(1)


@pytest.mark.parametrize("tails", SPLINES)
def test_curve_meets_its_knots_with_equal_derivatives_from_both_sides(tails):
    spline = SPLINES[tails]
    parameters = random_parameters(spline)
    if tails == "circular":
        parameters[..., -1] = 0
    places, heights = knots(spline, parameters)
    for k in range(BINS + 1):
        x = places[:, k : k + 1]
        inside = slice(0, 0) if tails == "circular" and k in (0, BINS) else slice(None)  # both ends are one point there
        at, log_at = spline(x, parameters)
        torch.testing.assert_close(at[inside, 0], heights[inside, k], rtol=0, atol=1e-12)
        back = spline.inverse(heights[:, k : k + 1], parameters)[0]
        torch.testing.assert_close(back[inside], x[inside], rtol=0, atol=1e-10)
        if 0 < k < BINS:  # the first derivative is continuous, and is what the parameters say
            below, above = spline(x - 1e-10, parameters)[1], spline(x + 1e-10, parameters)[1]
            torch.testing.assert_close(below, above, rtol=0, atol=1e-5)
            column = 2 * BINS + (k - 1 if tails == "linear" else k)
            wanted = MINIMUM + torch.nn.functional.softplus(parameters[:, 0, column] + SOFTPLUS_OF_ONE)
            torch.testing.assert_close(log_at[:, 0].exp(), wanted, rtol=1e-9, atol=1e-9)


def test_tails_are_the_identity():
    x = torch.tensor([[-1e6], [-3.0], [3.0], [3.1], [1e30]], dtype=torch.float64)
    spline = SPLINES["linear"]
    parameters = random_parameters(spline, len(x), spread=3.0)
    for direction in (spline, spline.inverse):
        z, log_derivative = direction(x, parameters)
        torch.testing.assert_close(z, x, rtol=0, atol=1e-12)
        torch.testing.assert_close(log_derivative, torch.zeros_like(x), rtol=0, atol=1e-12)


def test_circular_spline_is_periodic():
    spline = SPLINES["circular"]
    parameters = random_parameters(spline, 300)
    x = torch.linspace(-3, 3, 300, dtype=torch.float64)[:, None]
    z, log_derivative = spline(x, parameters)
    again, log_again = spline(x + 4 * spline.bound, parameters)
    turn = 2 * math.pi / 6.0
    torch.testing.assert_close(torch.exp(1j * turn * again), torch.exp(1j * turn * z))
    torch.testing.assert_close(log_again, log_derivative, rtol=0, atol=1e-9)
    left, right = spline(torch.full_like(x, -3.0), parameters)[1], spline(torch.full_like(x, 3 - 1e-12), parameters)[1]
    torch.testing.assert_close(left, right, rtol=0, atol=1e-8)
    assert z.abs().max() <= 3


@pytest.mark.parametrize("tails", SPLINES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_weights_neither_fail_nor_leave_the_box(tails, dtype):
    spline = SPLINES[tails]
    for spread in (10.0, 100.0, 1e4):
        parameters = random_parameters(spline, 2000, spread, dtype).requires_grad_()
        x = torch.rand(2000, 1, generator=torch.Generator().manual_seed(1), dtype=dtype, requires_grad=True)
        for direction in (spline, spline.inverse):
            z, log_derivative = direction(x, parameters)
            low = 0 if tails == "box" else -3
            assert (z >= low - 1e-5).all() and (z <= -low + 1e-5 if tails != "box" else z <= 1 + 1e-5).all()
            gradients = torch.autograd.grad(z.sum() + log_derivative.sum(), [x, parameters])
            assert all(value.isfinite().all() for value in (z, log_derivative, *gradients))


def test_spline_increases_and_the_inverse_is_accurate_where_the_curve_is_not_flat():
    spline = SPLINES["linear"]
    parameters = random_parameters(spline, 1, 2.0)
    x = torch.linspace(-4, 4, 4001, dtype=torch.float64)[:, None]
    parameters = parameters.expand(len(x), -1, -1)
    z, log_derivative = spline(x, parameters)
    assert (z.diff(dim=0) > 0).all()
    error = (spline.inverse(z, parameters)[0] - x).abs()
    assert (error < 1e-14 * (1 + (-log_derivative).exp()) * 4).all()  # rounding of z times dx/dz


@pytest.mark.parametrize("tails", ["linear", "box"])
def test_spline_of_nflows(tails):
    splines = pytest.importorskip("nflows.transforms.splines.rational_quadratic")
    spline = SPLINES[tails]
    parameters = random_parameters(spline, 500, 2.0)
    x = torch.rand(500, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    x = 8 * x - 4 if tails == "linear" else x
    widths, heights, derivatives = parameters.split([BINS, BINS, spline.parameters - 2 * BINS], dim=-1)
    for inverse in (False, True):
        arguments = (x, widths, heights, derivatives + SOFTPLUS_OF_ONE, inverse)
        if tails == "linear":
            expected = splines.unconstrained_rational_quadratic_spline(*arguments, tails="linear", tail_bound=3.0)
        else:
            expected = splines.rational_quadratic_spline(*arguments)
        for ours, theirs in zip((spline.inverse if inverse else spline)(x, parameters), expected, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)


def test_affine_of_zuko_and_its_limits():
    zuko = pytest.importorskip("zuko")
    x = torch.linspace(-3, 3, 50, dtype=torch.float64)[:, None]
    parameters = random_parameters(Affine(), 50, 5.0)
    theirs = zuko.transforms.MonotonicAffineTransform(parameters[..., 0], parameters[..., 1])
    z, log_derivative = Affine()(x, parameters)
    torch.testing.assert_close(z, theirs(x))
    torch.testing.assert_close(log_derivative, theirs.log_abs_det_jacobian(x, z))
    assert Affine()(x, 1e30 * parameters)[1].abs().max() <= math.log(1000) + 1e-12


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"bins": 0}, "bins"), ({"bins": 2000}, "bins"), ({"bound": -1.0}, "bound"), ({"tails": "cubic"}, "tails")],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=f"{message}: found"):
        RationalQuadraticSpline(**arguments)
