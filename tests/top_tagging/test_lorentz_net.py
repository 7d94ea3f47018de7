"""LorentzNet beside the authors' formulas on explicit edge lists, with the same weights."""

import pytest
import torch
from torch.nn.functional import batch_norm, linear

from hepml_labs.top_tagging.equivariance import invariance_error
from hepml_labs.top_tagging.lorentz_net import LorentzNet, psi


def jets(seed=0, counts=(7, 1, 4, 9, 2), particles=10):
    """Massive particles of a few GeV; real ones anywhere in the row."""
    generator = torch.Generator().manual_seed(seed)
    mask = torch.zeros(len(counts), particles, dtype=torch.bool)
    for row, count in zip(mask, counts, strict=True):
        row[torch.randperm(particles, generator=generator)[:count]] = True
    momenta = torch.randn(len(counts), particles, 4, generator=generator, dtype=torch.float64) * 5
    momenta[..., 0] = (momenta[..., 1:].square().sum(-1) + 0.1).sqrt()
    return momenta * mask[..., None], mask


def network(**settings):
    torch.manual_seed(1)
    net = LorentzNet(**({"width": 6, "layers": 3, "step": 0.3, "dropout": 0.0, "buckets": 2} | settings)).double()
    with torch.no_grad():  # nothing at its neutral starting value
        for name, parameter in net.named_parameters():
            if "norm" in name or parameter.abs().max() < 1e-2:
                parameter.add_(0.3 * torch.randn_like(parameter))
    return net


def square(p):
    return p[..., 0] ** 2 - p[..., 1] ** 2 - p[..., 2] ** 2 - p[..., 3] ** 2


def on_edges(net, momenta, mask, training, scalars=None):
    """The network as in the authors' models.py: every edge in a list, tensors of edges, one loop over layers."""
    x = [jet[real] for jet, real in zip(momenta, mask, strict=True)]
    extra = [torch.zeros(len(p), 0).double() for p in x]
    if scalars is not None:
        extra = [jet[real] for jet, real in zip(scalars, mask, strict=True)]
    if net.beams:
        beams = torch.tensor([[2**0.5, 0, 0, 1], [2**0.5, 0, 0, -1]], dtype=torch.float64)
        x = [torch.cat([beams, p]) for p in x]
        extra = [torch.cat([torch.zeros(2, e.shape[1]).double(), e]) for e in extra]
    features = []
    for p, e in zip(x, extra, strict=True):
        mass = psi(square(p).abs().sqrt())
        columns = [mass]
        if net.beams:
            beam = torch.arange(len(p)) < 2
            columns = [mass * ~beam, mass * beam]
        features.append(torch.cat([torch.stack(columns, 1), e], 1))
    start, edges = 0, []
    for p in x:
        edges += [(start + i, start + j) for i in range(len(p)) for j in range(len(p)) if i != j]
        start += len(p)
    i, j = torch.tensor(edges).T
    owner = torch.cat([torch.full((len(p),), k) for k, p in enumerate(x)])
    x, features = torch.cat(x), torch.cat(features)
    h = linear(features, net.embedding.weight, net.embedding.bias)
    for block in net.blocks:
        norm = block.norm
        inputs = torch.cat([h[i], h[j], psi(square(x[i] - x[j]))[:, None], psi((square(x[i] + x[j]) - square(x[i])
                            - square(x[j])) / 2)[:, None]], 1)  # fmt: skip
        weight = torch.cat([block.of_i.weight, block.of_j.weight, block.of_invariants.weight], 1)
        mean, variance = norm.running_mean.clone(), norm.running_var.clone()
        z = batch_norm(linear(inputs, weight), mean, variance, norm.weight, norm.bias, training).relu()
        m = linear(z, block.message.weight, block.message.bias).relu()
        m = m * linear(m, block.weight.weight, block.weight.bias).sigmoid()
        new_x = x
        if not block.last:
            t = block.phi_x[1](block.phi_x[0](m).relu())
            degree = torch.zeros(len(x), 1).double().index_add(0, i, torch.ones_like(t)).clamp(min=1)
            new_x = x + block.step * torch.zeros_like(x).index_add(0, i, (x[i] - x[j]) * t) / degree
        summed = torch.zeros_like(h).index_add(0, i, m)
        first, phi_norm, _, last = block.phi_h
        inner = first(torch.cat([h, summed, features], 1))
        inner = batch_norm(inner, phi_norm.running_mean.clone(), phi_norm.running_var.clone(), phi_norm.weight,
                           phi_norm.bias, training).relu()  # fmt: skip
        h, x = h + last(inner), new_x
    pooled = torch.stack([h[owner == k].mean(0) for k in range(len(mask))])
    return net.output(net.hidden(pooled).relu()), (mean, variance)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("beams", [True, False])
def test_same_weights_same_output_and_gradients_as_on_explicit_edges(training, beams):
    net = network(beams=beams, scalars=2).train(training)
    momenta, mask = jets()
    scalars = torch.randn(*mask.shape, 2, dtype=torch.float64)
    expected, (mean, variance) = on_edges(net, momenta, mask, training, scalars)
    wanted = torch.autograd.grad(expected.square().sum(), list(net.parameters()))
    found = net(momenta, mask, scalars)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    got = torch.autograd.grad(found.square().sum(), list(net.parameters()))
    for left, right in zip(got, wanted, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-7, atol=1e-8)
    torch.testing.assert_close(net.blocks[-1].norm.running_mean, mean)
    torch.testing.assert_close(net.blocks[-1].norm.running_var, variance)


def test_the_published_size():
    count = sum(parameter.numel() for parameter in LorentzNet(beams=True, outputs=2).parameters())
    assert count == 224_072  # "224k" in arXiv:2201.08187


def test_boosts_and_rotations_change_nothing():
    momenta, mask = jets(counts=(9,) * 20)
    net = network(layers=3).eval()
    error = invariance_error(net, momenta, mask, gamma=5, seed=2)
    assert error.max() < 1e-9 * net(momenta, mask).abs().max()
    # with beams the detector has a direction, and the same error is of the order of the output
    assert invariance_error(network(beams=True).eval(), momenta, mask, gamma=5, seed=2).max() > 1e-3


def test_order_padding_and_batch_change_nothing():
    momenta, mask = jets()
    net = network(beams=True).eval()
    expected = net(momenta, mask)
    order = torch.randperm(10, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(net(momenta[:, order], mask[:, order]), expected, rtol=1e-12, atol=1e-12)
    dirty = momenta.masked_fill(~mask[..., None], torch.nan)
    torch.testing.assert_close(net(dirty, mask), expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(net(momenta[2:3], mask[2:3]), expected[2:3], rtol=1e-12, atol=1e-12)
    net.train()(dirty, mask).sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in net.parameters())


def test_gradients_reach_every_parameter():
    momenta, mask = jets(counts=(9, 8, 7, 6, 5))
    net = network(beams=True)
    net(momenta, mask).square().sum().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in net.parameters())


def test_float32_gives_the_same_to_its_precision():
    momenta, mask = jets()
    net = network().eval()
    single = network().float().eval()
    assert single(momenta.float(), mask).dtype == torch.float32
    torch.testing.assert_close(single(momenta.float(), mask).double(), net(momenta, mask), rtol=1e-3, atol=1e-3)


def test_readable_errors():
    momenta, mask = jets()
    with pytest.raises(ValueError, match="momenta: found shape"):
        network()(momenta[..., :3], mask)
    with pytest.raises(ValueError, match="scalars: found NoneType, expected 2"):
        network(scalars=2)(momenta, mask)
    with pytest.raises(ValueError, match="width: found 0"):
        LorentzNet(width=0)
