"""Flows: densities integrate to one, samples follow them, and nflows and zuko give the same with the same weights."""

import math

import pytest
import torch
from torch import nn

from hepml_labs.flows.autoregressive import autoregressive_flow
from hepml_labs.flows.coupling import coupling_flow
from hepml_labs.flows.elementwise import MINIMUM, SOFTPLUS_OF_ONE, Affine, RationalQuadraticSpline
from hepml_labs.flows.flow import Flow
from hepml_labs.flows.transforms import Chain, Linear

FLOWS = {"coupling": coupling_flow, "autoregressive": autoregressive_flow}
ELEMENTWISE = {
    "affine": (Affine(), "normal", 14.0),
    "spline": (RationalQuadraticSpline(), "normal", 8.0),
    "box": (RationalQuadraticSpline(tails="box"), "uniform", None),
}


def random_flow(build, features, elementwise, base="normal", context=0, layers=4, spread=0.3):
    flow = build(features, context, layers, elementwise, (16, 16), base).double()
    generator = torch.Generator().manual_seed(0)
    for parameter in flow.parameters():
        nn.init.normal_(parameter, std=spread, generator=generator)
    return flow


@pytest.mark.parametrize("build", FLOWS)
@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("features", [1, 2])
def test_density_integrates_to_one_and_samples_follow_it(build, name, features):
    elementwise, base, reach = ELEMENTWISE[name]
    flow = random_flow(FLOWS[build], features, elementwise, base, context=1, spread=0.2 if name == "affine" else 0.3)
    low, high = (-reach, reach) if reach else (0.0, 1.0)
    cells = {1: 10_000, 2: 400}[features]
    axis = low + (high - low) * (torch.arange(cells, dtype=torch.float64) + 0.5) / cells
    x = torch.cartesian_prod(*[axis] * features).reshape(-1, features)
    context = torch.full((len(x), 1), 0.7, dtype=torch.float64)
    with torch.no_grad():
        weight = flow.log_prob(x, context).exp() * ((high - low) / cells) ** features
        assert abs(weight.sum().item() - 1) < 1e-3
        n = 4000
        sample, log_prob = flow.sample_and_log_prob(n, context[:1].expand(n, -1), generator=1)
        torch.testing.assert_close(flow.log_prob(sample, context[:1].expand(n, -1)), log_prob, rtol=0, atol=1e-8)
    mean = weight @ x / weight.sum()
    width = (weight @ (x - mean) ** 2).sqrt()
    assert ((sample.mean(0) - mean).abs() < 4.5 * width / math.sqrt(n)).all()


def test_linear_flow_is_the_normal_density_with_its_covariance():
    linear = Linear(3).double()
    for parameter in linear.parameters():
        nn.init.normal_(parameter, std=0.5, generator=torch.Generator().manual_seed(4))
    flow = Flow(linear, 3)
    origin = torch.zeros(1, 3, dtype=torch.float64)
    matrix = torch.linalg.inv(torch.autograd.functional.jacobian(lambda x: linear(x)[0].sum(0), origin)[:, 0])
    expected = torch.distributions.MultivariateNormal(linear.inverse(origin)[0][0], matrix @ matrix.T)
    x = torch.randn(20, 3, dtype=torch.float64)
    torch.testing.assert_close(flow(x), expected.log_prob(x))


@pytest.mark.parametrize("build", FLOWS)
def test_seeds_gradients_and_devices(build):
    flow = FLOWS[build](3, context=1)
    context = torch.zeros(50, 1)
    assert torch.equal(flow.sample(50, context, 3), flow.sample(50, context, torch.Generator().manual_seed(3)))
    assert not torch.equal(flow.sample(50, context, 3), flow.sample(50, context, 4))
    assert not flow.sample(50, context, 3).requires_grad and flow.sample(2, context[:2]).dtype == torch.float32
    for parameter, again in zip(flow.parameters(), FLOWS[build](3, context=1).parameters(), strict=True):
        assert torch.equal(parameter, again)
    x, log_prob = flow.sample_and_log_prob(50, context, 3)
    (x.sum() + log_prob.sum()).backward()
    assert all(p.grad is not None for p in flow.parameters())
    with torch.device("meta"):
        flow = FLOWS[build](3, base="uniform", elementwise=RationalQuadraticSpline(tails="box"))
        assert flow(torch.zeros(4, 3)).shape == (4,) and flow.sample(4).shape == (4, 3)


def test_every_feature_moves_in_each_pair_of_layers():
    for features in (1, 2, 3, 7):
        first, second = coupling_flow(features, layers=2, seed=5).transform.transforms
        assert set(first.moved.tolist()) | set(second.moved.tolist()) == set(range(features))


def test_outside_of_the_unit_box_the_density_is_zero():
    flow = coupling_flow(2, base="uniform", elementwise=RationalQuadraticSpline(tails="box"))
    x = torch.tensor([[0.5, 0.5], [1.5, 0.5], [0.5, -0.1]])
    assert flow(x).exp().round(decimals=5).tolist() == [1.0, 0.0, 0.0]


def test_bad_input():
    flow = coupling_flow(2, context=1)
    with pytest.raises(ValueError, match="x: found shape"):
        flow(torch.zeros(3, 3), torch.zeros(3, 1))
    with pytest.raises(ValueError, match="context: found shape"):
        flow.sample(4, torch.zeros(3, 1))
    with pytest.raises(ValueError, match="base: found"):
        coupling_flow(2, base="cauchy")
    with pytest.raises(ValueError, match="layers: found"):
        coupling_flow(2, layers=0)


class Conditioner(nn.Module):
    """A network under the signature of nflows, with the outputs changed to what its elementwise map expects."""

    hidden_features = 1  # no rescaling of the spline's parameters

    def __init__(self, network, change):
        super().__init__()
        self.network, self.change = network, change

    def forward(self, x, context=None):
        return self.change(self.network(x if context is None else torch.cat([x, context], 1)))


@pytest.mark.parametrize("name", ["affine", "spline"])
@pytest.mark.parametrize("context", [0, 2])
def test_nflows_with_the_same_weights(name, context):
    nflows = pytest.importorskip("nflows.transforms")
    flows, normal = pytest.importorskip("nflows.flows"), pytest.importorskip("nflows.distributions")
    elementwise = Affine() if name == "affine" else RationalQuadraticSpline(bins=5)
    ours = random_flow(coupling_flow, 4, elementwise, context=context)

    def twin(layer):
        mask = [int(column in layer.moved) for column in range(4)]

        def affine(parameters):  # nflows: the shifts, then all u of a scale sigmoid(u + 2) + 0.001
            shift, log_scale = Affine()._shift_and_log_scale(parameters.unflatten(1, (-1, 2)))
            return torch.cat([shift, torch.logit(log_scale.exp() - 1e-3) - 2], 1)

        def spline(parameters):
            parameters = parameters.unflatten(1, (-1, elementwise.parameters)).clone()
            parameters[..., 10:] += SOFTPLUS_OF_ONE
            return parameters.flatten(1)

        if name == "affine":
            return nflows.AffineCouplingTransform(mask, lambda *_: Conditioner(layer.network, affine))
        return nflows.PiecewiseRationalQuadraticCouplingTransform(
            mask, lambda *_: Conditioner(layer.network, spline), num_bins=5, tails="linear", tail_bound=4.0
        )

    if name == "affine":  # their scale stays below one
        with torch.no_grad():
            for layer in ours.transform.transforms:
                layer.network[-1].weight[1::2] *= 0.05
                layer.network[-1].bias[1::2] = -1.5
    layers = nflows.CompositeTransform([twin(layer) for layer in ours.transform.transforms])
    theirs = flows.Flow(layers, normal.StandardNormal([4])).double()
    generator = torch.Generator().manual_seed(1)
    x = 3 * torch.randn(100, 4, generator=generator, dtype=torch.float64)
    c = torch.randn(100, context, generator=generator, dtype=torch.float64) if context else None
    torch.testing.assert_close(ours.log_prob(x, c), theirs.log_prob(x, c), rtol=0, atol=1e-9)
    z = torch.randn(100, 4, generator=generator, dtype=torch.float64)
    for ours_back, theirs_back in zip(ours.transform.inverse(z, c), layers.inverse(z, c), strict=True):
        torch.testing.assert_close(ours_back, theirs_back, rtol=0, atol=1e-8)


@pytest.mark.parametrize("name", ["affine", "spline"])
def test_zuko_with_the_same_weights(name):
    zuko = pytest.importorskip("zuko")
    bins, bound = 5, 4.0
    elementwise = Affine() if name == "affine" else RationalQuadraticSpline(bins, bound)
    ours = coupling_flow(4, 2, 4, elementwise, (16, 16)).double()
    univariate = (
        {}
        if name == "affine"
        else {
            "univariate": lambda *knots: zuko.transforms.MonotonicRQSTransform(*knots, bound=bound),
            "shapes": [(bins,), (bins,), (bins - 1,)],
        }
    )

    def from_zuko(parameters):
        """Undo zuko's soft limits on widths, heights and derivatives, and our smallest widths and derivatives."""
        if name == "affine":
            return parameters
        parameters = parameters.unflatten(1, (-1, 3 * bins - 1))
        sizes = parameters[..., : 2 * bins].unflatten(-1, (2, bins))
        sizes = (sizes / (1 + (2 * sizes / math.log(1e-3)).abs())).softmax(-1)
        derivatives = parameters[..., 2 * bins :]
        derivatives = (derivatives / (1 + (derivatives / math.log(1e-3)).abs())).exp()
        derivatives = torch.log(torch.expm1(derivatives - MINIMUM)) - SOFTPLUS_OF_ONE
        return torch.cat([(sizes - MINIMUM).log().flatten(2), derivatives], 2).flatten(1)

    theirs = []
    for layer in ours.transform.transforms:
        kept = torch.tensor([column in layer.kept for column in range(4)])
        twin = zuko.flows.GeneralCouplingTransform(4, 2, kept, hidden_features=(16, 16), **univariate).double()
        for parameter in twin.parameters():
            nn.init.normal_(parameter, std=0.3, generator=torch.Generator().manual_seed(len(theirs)))
        layer.network = Conditioner(twin.hyper, from_zuko)
        theirs.append(twin)
    zero = torch.zeros(4, dtype=torch.float64)
    base = zuko.lazy.UnconditionalDistribution(zuko.distributions.DiagNormal, zero, zero + 1, buffer=True)
    generator = torch.Generator().manual_seed(1)
    x = 3 * torch.randn(100, 4, generator=generator, dtype=torch.float64)
    c = torch.randn(100, 2, generator=generator, dtype=torch.float64)
    expected = zuko.flows.Flow(theirs, base)(c)
    torch.testing.assert_close(ours.log_prob(x, c), expected.log_prob(x), rtol=1e-12, atol=1e-9)
    z = torch.randn(100, 4, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(ours.transform.inverse(z, c)[0], expected.transform.inv(z), rtol=0, atol=1e-8)


def test_twin_is_ours_for_a_chain_and_its_parts():
    flow = random_flow(coupling_flow, 3, RationalQuadraticSpline(), layers=2)
    x = torch.randn(10, 3, dtype=torch.float64)
    first, second = flow.transform.transforms
    z, first_log_det = first(x)
    z, second_log_det = second(z)
    torch.testing.assert_close(Chain([first, second])(x)[1], first_log_det + second_log_det)
    torch.testing.assert_close(flow(x), flow.base_log_prob(z) + first_log_det + second_log_det)
