"""Every transform: inverse, Jacobian, gradients, identity at the start, types and devices."""

import math

import pytest
import torch
from torch import nn

from hepml_labs.flows.autoregressive import MaskedAutoregressive
from hepml_labs.flows.coupling import Coupling
from hepml_labs.flows.elementwise import Affine, RationalQuadraticSpline
from hepml_labs.flows.scalers import Angle, Columns, Log, Logit, Standardize
from hepml_labs.flows.transforms import Chain, Linear, Permutation

FEATURES, CONTEXT = 3, 2
MASK = [True, False, True]
ELEMENTWISE = {
    "affine": Affine(),
    "spline": RationalQuadraticSpline(bins=5),
    "box": RationalQuadraticSpline(bins=5, tails="box"),
    "circular": RationalQuadraticSpline(bins=5, bound=math.pi, tails="circular"),
}
TRAINED = (
    {
        f"coupling, {name}": lambda f=function: Coupling(MASK, f, CONTEXT, (16, 16))
        for name, function in ELEMENTWISE.items()
    }
    | {
        f"autoregressive, {name}": lambda f=function: MaskedAutoregressive(FEATURES, f, CONTEXT, (16, 16))
        for name, function in ELEMENTWISE.items()
    }
    | {
        "linear": lambda: Linear(FEATURES),
        "chain": lambda: Chain(
            [
                Coupling(MASK, ELEMENTWISE["spline"], CONTEXT, (16,)),
                Linear(FEATURES),
                Coupling([False, True, False], ELEMENTWISE["affine"], CONTEXT, (16,)),
            ]
        ),
    }
)
FIXED = {
    "permutation": lambda: Permutation([2, 0, 1]),
    "standardize": lambda: Standardize(torch.tensor([1.0, -2.0, 0.5]), torch.tensor([0.1, 3.0, 40.0])),
    "log": lambda: Log(-5e6),
    "logit": lambda: Logit(-5e6, 5e6),
    "angle": lambda: Angle(0.3),
    "columns": lambda: Columns([Log(-5e6), None, Angle()]),
}
TRANSFORMS = TRAINED | FIXED


def build(name, spread=0.3, dtype=torch.float64):
    """Return the transform with random weights: each layer's outputs have a spread of about `spread` x 4."""
    transform = TRANSFORMS[name]().to(dtype)
    generator = torch.Generator().manual_seed(1)
    for parameter in transform.parameters():
        nn.init.normal_(parameter, std=spread, generator=generator)
    return transform


def points(name, n=40, far=False, dtype=torch.float64):
    """Return points over the bulk, the tails, the box's edges and zero, in the domain of the transform; a context."""
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(n, FEATURES, generator=generator, dtype=dtype) * 2
    if "box" in name:
        x = torch.rand(n, FEATURES, generator=generator, dtype=dtype)
        x[:2] = torch.tensor([[0.0] * 3, [1.0] * 3])
    else:
        x[:5] = torch.tensor([-4.0, 4.0, 0.0, -30.0, 30.0])[:, None]
    if "angle" in name or "circular" in name or name == "columns":
        x = x.clamp(-3.1, 3.1)
    if far:
        x[5:8] = torch.tensor([-1e6, 1e6, 5.0])[:, None]
    return x, torch.randn(n, CONTEXT, generator=generator, dtype=dtype)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_inverse_and_log_determinant(name):
    transform, (x, context) = build(name), points(name)
    z, log_det = transform(x, context)
    back, log_det_back = transform.inverse(z, context)
    torch.testing.assert_close(back, x, rtol=1e-9, atol=1e-10 if name not in ("log", "logit", "columns") else 1e-7)
    torch.testing.assert_close(log_det_back, -log_det, rtol=0, atol=1e-10)
    for function, start, found in [(transform, x, log_det), (transform.inverse, z, log_det_back)]:
        jacobian = torch.autograd.functional.jacobian(lambda s, f=function: f(s, context)[0].sum(0), start.detach())
        expected = torch.linalg.slogdet(jacobian.movedim(1, 0)).logabsdet
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", TRAINED)
def test_identity_at_the_start(name):
    transform, (x, context) = TRANSFORMS[name]().double(), points(name)
    for direction in (transform, transform.inverse):
        z, log_det = direction(x, context)
        torch.testing.assert_close(z, x, rtol=0, atol=1e-12)
        torch.testing.assert_close(log_det, torch.zeros_like(log_det), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("spread", [0.0, 0.3, 5.0])
def test_gradients_are_finite_and_types_are_kept(name, dtype, spread):
    transform = build(name, spread, dtype)
    x, context = points(name, far=True, dtype=dtype)
    for direction in (transform, transform.inverse):
        x = x.clone().requires_grad_()
        z, log_det = direction(x if direction is transform or name in TRAINED else x.clamp(-5, 5), context)
        assert z.dtype == log_det.dtype == dtype and z.shape == x.shape and log_det.shape == (len(x),)
        gradients = torch.autograd.grad(
            z.sum() + log_det.sum(), [x, *transform.parameters()], allow_unused=True, materialize_grads=True
        )
        assert z.isfinite().all() and log_det.isfinite().all()
        assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("name", TRAINED)
def test_every_parameter_learns(name):
    transform, (x, context) = build(name), points(name)
    z, log_det = transform(x, context)
    (z.square().sum() + log_det.sum()).backward()
    for parameter_name, parameter in transform.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, parameter_name


@pytest.mark.parametrize("name", TRANSFORMS)
def test_meta_device(name):
    if name in ("log", "logit", "columns"):
        pytest.skip("refuses values beyond its edges, so it must see them")
    with torch.device("meta"):
        transform = TRANSFORMS[name]()
        for direction in (transform, transform.inverse):
            z, log_det = direction(torch.zeros(4, FEATURES), torch.zeros(4, CONTEXT))
            assert z.shape == (4, FEATURES) and log_det.shape == (4,)


@pytest.mark.parametrize("name", [name for name in TRAINED if name != "linear"])
def test_context_matters_and_its_shape_is_checked(name):
    transform, (x, context) = build(name), points(name)
    assert not torch.equal(transform(x, context)[0], transform(x, context + 1)[0])
    for wrong in (None, context[:-1], context[:, :1]):
        with pytest.raises(ValueError, match="context|x:"):
            transform(x, wrong)
    with pytest.raises(ValueError, match="x: found shape"):
        transform(x[:, :2], context)


def test_linear_is_the_product_of_its_factors():
    linear, (x, _) = build("linear"), points("linear")
    lower, upper = linear.factors.tril(-1) + torch.eye(3), linear.factors.triu(1) + linear.log_scale.exp().diag()
    torch.testing.assert_close(linear(x)[0], x @ (lower @ upper).T + linear.bias)


def test_permutations_and_bad_input():
    x = torch.arange(6.0).reshape(2, 3)
    assert Permutation([2, 0, 1])(x)[0].tolist() == [[2, 0, 1], [5, 3, 4]]
    assert Permutation.reverse(3)(x)[0].tolist() == [[2, 1, 0], [5, 4, 3]]
    assert torch.equal(Permutation.random(9, seed=3).order, Permutation.random(9, seed=3).order)
    for wrong in ([0, 0, 1], [1, 2, 3], []):
        with pytest.raises(ValueError, match="order: found"):
            Permutation(wrong)
    with pytest.raises(ValueError, match="mask: found"):
        Coupling([False, False], Affine())
