"""Masked autoregressive flows: masks by brute force, Jacobians by autograd, peers with the same weights."""

import numpy as np
import pytest
import torch
from nflows.flows import MaskedAutoregressiveFlow
from torch.autograd.functional import jacobian
from torch.nn.functional import silu, softplus

from hepml_labs.flows.autoregressive import MaskedAutoregressive, MaskedLinear, MaskedMLP, autoregressive_flow
from hepml_labs.flows.elementwise import Affine, RationalQuadraticSpline
from hepml_labs.flows.flow import Flow
from hepml_labs.flows.transforms import Chain, Permutation

ELEMENTWISE = [Affine(), RationalQuadraticSpline(bins=5, bound=3.0), RationalQuadraticSpline(bins=4, tails="circular")]


def shake(module, seed=0, scale=0.3):
    """Give every parameter a random value, so that no transform is the identity."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        parameter.data += scale * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
    return module


@pytest.mark.parametrize(
    ("features", "context", "hidden"), [(1, 0, (4,)), (1, 2, (4,)), (4, 0, (7, 5)), (4, 3, (9, 6))]
)
def test_masks_let_through_what_comes_before_and_nothing_else(features, context, hidden):
    network = MaskedMLP(features, 2, context, hidden)
    paths = torch.eye(features + context)
    for layer in network.layers:
        if isinstance(layer, MaskedLinear):
            paths = layer.mask @ paths
    reached = paths.unflatten(0, (features, 2)) > 0
    for i in range(features):
        expected = torch.tensor([j < i for j in range(features)] + [True] * context)
        assert (reached[i] == expected).all()


@pytest.mark.parametrize("elementwise", ELEMENTWISE, ids=["affine", "spline", "circular"])
@pytest.mark.parametrize("context", [0, 2])
def test_jacobian_is_triangular_and_the_inverse_exact(elementwise, context):
    transform = shake(MaskedAutoregressive(4, elementwise, context, hidden=(12, 12))).double()
    generator = torch.Generator().manual_seed(1)
    x = 2 * torch.randn(20, 4, generator=generator, dtype=torch.float64)
    if getattr(elementwise, "tails", None) != "circular":
        x[0], x[1], x[2, 1] = 3.0, 0.0, 8.0  # on the edge of the box, at a knot of the start, far out
    else:
        x = x.clamp(-3.9, 3.9)
    c = torch.randn(20, context, generator=generator, dtype=torch.float64) if context else None
    z, log_det = transform(x, c)
    for i in range(len(x)):
        row = None if c is None else c[i : i + 1]
        matrix = jacobian(lambda point, row=row: transform(point[None], row)[0][0], x[i])
        assert (matrix.triu(1) == 0).all()
        assert torch.linalg.slogdet(matrix)[1].item() == pytest.approx(log_det[i].item(), abs=1e-10)
    back, inverse_log_det = transform.inverse(z, c)
    torch.testing.assert_close(back, x, atol=1e-10, rtol=1e-10)
    torch.testing.assert_close(inverse_log_det, -log_det, atol=1e-10, rtol=0)
    if context:  # the first feature as well depends on the context
        inside = x[:, 0].abs() < 3
        assert (transform(x, c + 1)[0][inside, 0] != z[inside, 0]).all()


class _SoftplusAffine:
    """The affine function of nflows: first the scale, as softplus plus 1/1000, then the shift."""

    parameters = 2

    def __call__(self, x, parameters):
        scale = softplus(parameters[..., 0]) + 1e-3
        return x * scale + parameters[..., 1], scale.log()


def test_equal_to_nflows_with_the_same_weights():
    theirs = MaskedAutoregressiveFlow(5, 16, 3, 1, use_residual_blocks=False, activation=silu)
    shake(theirs, seed=2)
    ours = autoregressive_flow(5, layers=3, elementwise=_SoftplusAffine(), hidden=(16, 16))
    transforms = list(ours.transform.transforms)
    transform = Chain([Permutation.reverse(5), *transforms])  # nflows turns the order round before the first one too
    ours = Flow(transform, 5)
    layers = [layer for part in transform.transforms if hasattr(part, "network") for layer in part.network.layers]
    mine = [layer for layer in layers if isinstance(layer, MaskedLinear)]
    twins = [layer for name, layer in theirs.named_modules() if hasattr(layer, "mask")]
    assert len(mine) == len(twins) == 9
    for layer, twin in zip(mine, twins, strict=True):
        assert torch.equal(layer.mask, twin.mask)
        layer.load_state_dict({"weight": twin.weight, "bias": twin.bias, "mask": twin.mask})
    x = 2 * torch.randn(50, 5, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    torch.testing.assert_close(ours.double().log_prob(x), theirs.double().log_prob(x), atol=1e-12, rtol=0)


@pytest.mark.parametrize("context", [0, 2])
def test_equal_to_zuko_with_the_same_weights(context):
    zuko = pytest.importorskip("zuko")
    theirs = zuko.flows.MAF(4, context, transforms=3, hidden_features=(16, 12), activation=torch.nn.SiLU)
    ours = shake(autoregressive_flow(4, context, layers=3, elementwise=Affine(), hidden=(16, 12)), seed=4)
    mine = [layer for part in ours.transform.transforms if hasattr(part, "network") for layer in part.network.layers]
    # zuko turns the order round inside of the masks: the same layer with inputs and outputs in reverse
    for number, part in enumerate(theirs.transform.transforms):
        linear = [layer for layer in part.hyper if hasattr(layer, "mask")]
        layers = [layer for layer in mine[5 * number : 5 * number + 5] if isinstance(layer, MaskedLinear)]
        for place, (layer, twin) in enumerate(zip(layers, linear, strict=True)):
            weight, bias = layer.weight.data, layer.bias.data
            if number % 2 and place == 0:
                weight = torch.cat([weight[:, :4].flip(1), weight[:, 4:]], dim=1)
            if number % 2 and place == 2:
                weight = weight.unflatten(0, (4, 2)).flip(0).flatten(0, 1)
                bias = bias.unflatten(0, (4, 2)).flip(0).flatten()
            twin.load_state_dict({"weight": weight, "bias": bias, "mask": twin.mask})
    generator = torch.Generator().manual_seed(5)
    x = 2 * torch.randn(50, 4, generator=generator, dtype=torch.float64)
    c = torch.randn(50, context, generator=generator, dtype=torch.float64) if context else None
    expected = theirs.double()(c).log_prob(x)
    torch.testing.assert_close(ours.double().log_prob(x, c), expected, atol=1e-12, rtol=1e-12)


def test_flow_starts_at_the_identity_and_depends_on_the_seed_alone():
    x = torch.randn(10, 3, generator=torch.Generator().manual_seed(6))
    state = torch.get_rng_state()
    flow = autoregressive_flow(3, context=1, layers=3, seed=7)
    assert torch.equal(torch.get_rng_state(), state)
    z, log_det = flow.transform(x, torch.ones(10, 1))
    torch.testing.assert_close(z, x, atol=1e-5, rtol=0)
    torch.testing.assert_close(log_det, torch.zeros(10), atol=1e-5, rtol=0)
    again, other = (autoregressive_flow(3, context=1, layers=3, seed=seed) for seed in (7, 8))
    first = "transform.transforms.0.network.layers.0.weight"
    assert torch.equal(again.state_dict()[first], flow.state_dict()[first])
    assert not torch.equal(other.state_dict()[first], flow.state_dict()[first])


@pytest.mark.parametrize("elementwise", ELEMENTWISE, ids=["affine", "spline", "circular"])
def test_gradients_are_finite_and_reach_every_weight(elementwise):
    flow = shake(autoregressive_flow(3, 1, layers=2, elementwise=elementwise, hidden=(8, 8)), scale=0.1)
    x = torch.tensor([[0.0, 3.0, -3.0], [1e6, -1e6, 0.5], [1.0, 4.0, -4.0]], requires_grad=True)
    flow.log_prob(x, torch.ones(3, 1)).sum().backward()
    assert torch.isfinite(x.grad).all()
    flow.zero_grad()
    _, log_prob = flow.sample_and_log_prob(50, torch.linspace(-1, 1, 50)[:, None], generator=1)
    log_prob.sum().backward()  # through the inverse, as for the reverse divergence
    for parameter in flow.parameters():
        assert torch.isfinite(parameter.grad).all()
        assert parameter.grad.abs().sum() > 0


def test_samples_follow_the_density_and_integrate_to_one():
    flow = shake(
        autoregressive_flow(2, layers=2, elementwise=RationalQuadraticSpline(bins=5, bound=3.0)), scale=0.15
    ).double()
    edges = torch.linspace(-9, 9, 401, dtype=torch.float64)
    grid = torch.cartesian_prod(edges, edges)
    density = flow.log_prob(grid).exp().reshape(401, 401).detach() * (edges[1] - edges[0]) ** 2
    assert density.sum().item() == pytest.approx(1, abs=1e-3)
    x, log_prob = flow.sample_and_log_prob(5000, generator=2)
    torch.testing.assert_close(flow.log_prob(x), log_prob, atol=1e-9, rtol=0)
    mean = (density.sum(1) @ edges).item(), (density.sum(0) @ edges).item()
    error = x.detach().std(0).numpy() / np.sqrt(len(x))
    assert np.all(np.abs(x.detach().mean(0).numpy() - mean) < 4 * error + 1e-3)


def test_runs_on_the_meta_device():
    with torch.device("meta"):
        flow = autoregressive_flow(3, context=2, layers=2)
        assert flow.log_prob(torch.zeros(5, 3), torch.zeros(5, 2)).is_meta
        assert flow.transform.inverse(torch.zeros(5, 3), torch.zeros(5, 2))[0].is_meta


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: MaskedMLP(0, 1), "features: found 0"),
        (lambda: MaskedMLP(5, 1, hidden=(3,)), "hidden: found 3, expected a whole number of at least 4"),
        (lambda: MaskedMLP(5, 1, context=1, hidden=(4,)), "hidden: found 4, expected a whole number of at least 5"),
        (lambda: MaskedMLP(2, 1)(torch.zeros(3, 4)), r"x: found shape \(3, 4\)"),
        (lambda: MaskedMLP(2, 1)(torch.zeros(3, 2), torch.zeros(3, 1)), "context: found Tensor, expected 0"),
        (lambda: MaskedMLP(2, 1, context=1)(torch.zeros(3, 2)), "context: found NoneType, expected 1"),
        (lambda: MaskedMLP(2, 1, context=1)(torch.zeros(3, 2), torch.zeros(3, 2)), r"context: found shape \(3, 2\)"),
        (lambda: MaskedAutoregressive(2, Affine()).inverse(torch.zeros(3, 4)), r"z: found shape \(3, 4\)"),
        (lambda: autoregressive_flow(2, layers=0), "layers: found 0"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
