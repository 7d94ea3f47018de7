"""PELICAN beside all 15 equivariant maps on full matrices, written out, and beside pelican-lite."""

import pytest
import torch
from torch.nn.functional import linear

from hepml_labs.top_tagging.equivariance import invariance_error
from hepml_labs.top_tagging.pair_buckets import add_pairs, cut_by_size, sum_pairs, windows
from hepml_labs.top_tagging.pelican import Pelican


def jets(seed=0, counts=(7, 1, 4, 8, 2), particles=10):
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
    net = Pelican(**({"width": 5, "layers": 3, "embedding": 4, "dropout": 0.0, "buckets": 2} | settings)).double()
    with torch.no_grad():  # nothing at its neutral starting value
        for name, parameter in net.named_parameters():
            if "norm" in name or name == "tag":
                parameter.add_(0.3 * torch.randn_like(parameter))
    return net


def aggregations(matrix):
    """The 15 maps of arXiv:2211.00454 of one matrix (N, N, C), as means: (N, N, 15, C)."""
    n = len(matrix)
    eye = torch.eye(n, dtype=matrix.dtype)[..., None]
    diagonal = matrix.diagonal().T
    row, column, total, trace = matrix.mean(1), matrix.mean(0), matrix.mean((0, 1)), diagonal.mean(0)
    i, j = (slice(None), None), (None, slice(None))
    maps = [
        matrix, matrix.transpose(0, 1), eye * matrix, diagonal[i], diagonal[j], eye * column[i], eye * row[j],
        column[i], column[j], row[i], row[j], trace, eye * trace, total, eye * total,
    ]  # fmt: skip
    return torch.stack([value + torch.zeros_like(matrix) for value in maps], 2)


def coefficients(layer):
    """Our nine weights (out, in) as the 15 of the full list, whose two orders of i and j share ours."""
    width = layer.entry.out_features
    entry, zero = layer.entry.weight, torch.zeros_like(layer.entry.weight)
    diagonal, row, total, trace = layer.to_pairs.weight.split(width, 1)
    on_diagonal, on_row, on_total, on_trace = layer.to_diagonal.weight.split(width, 1)
    # row and column means are the same: each gets half
    return torch.stack([
        entry, zero, on_diagonal, diagonal, diagonal, on_row / 2, on_row / 2, row / 2, row / 2, row / 2, row / 2,
        2 * trace, on_trace, 2 * total, on_total,
    ])  # fmt: skip


def powers(message, n):
    """Factors (n / 49)^alpha of the 15 maps: none for entries, else those of row, total and trace."""
    row, total, trace = ((n / 49) ** message.powers).unbind()
    one = torch.ones_like(row)
    return torch.stack([one] * 5 + [row] * 6 + [trace] * 2 + [total] * 2)


def messages(net_message, matrices, training):
    """Dense layer, ReLU and batch normalisation over all entries of all matrices."""
    values = [linear(m, net_message.dense.weight, net_message.dense.bias).relu() for m in matrices]
    norm, flat = net_message.norm, torch.cat([value.flatten(0, 1) for value in values])
    mean, variance = (flat.mean(0), flat.var(0, unbiased=False)) if training else (norm.running_mean, norm.running_var)
    return [(v - mean) / (variance + norm.eps).sqrt() * norm.weight + norm.bias for v in values]


def on_matrices(net, momenta, mask, training):
    """The network on full matrices, one jet at a time but for the batch normalisation."""
    matrices = []
    for jet, real in zip(momenta, mask, strict=True):
        x = jet[real]
        if net.beams:
            x = torch.cat([x, torch.tensor([[1.0, 0, 0, 1], [1, 0, 0, -1]], dtype=torch.float64)])
        products = (x[:, None] * x[None] * torch.tensor([1.0, -1, -1, -1])).sum(-1).abs()[..., None]
        power = net.log_power.exp()
        matrix = ((1 + products) ** power - 1) / (1001**power - 1)
        if net.beams:
            is_beam = (torch.arange(len(x)) >= len(x) - 2).double()
            matrix = matrix + torch.diag(is_beam)[..., None] * net.tag
        matrices.append(matrix)
    for layer in net.layers:
        matrices = messages(layer.message, matrices, training)
        new = []
        for m in matrices:
            maps = aggregations(m) * powers(layer.message, len(m))
            eye = torch.eye(len(m), dtype=m.dtype)[..., None]
            bias = 2 * layer.to_pairs.bias + eye * layer.to_diagonal.bias
            new.append((torch.einsum("ijmc,moc->ijo", maps, coefficients(layer)) + bias).relu())
        matrices = new
    matrices = messages(net.message, matrices, training)
    features = []
    for m in matrices:
        factor = (len(m) / 49) ** net.message.powers
        features.append(torch.cat([m.mean((0, 1)) * factor[1], m.diagonal().T.mean(0) * factor[2]]))
    return net.head(torch.stack(features))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("beams", [True, False])
def test_same_weights_same_output_and_gradients_as_with_full_matrices(training, beams):
    net = network(beams=beams).train(training)
    momenta, mask = jets()
    expected = on_matrices(net, momenta, mask, training)
    found = net(momenta, mask)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    wanted = torch.autograd.grad(expected.square().sum(), list(net.parameters()), allow_unused=True)
    got = torch.autograd.grad(found.square().sum(), list(net.parameters()), allow_unused=True)
    for left, right in zip(got, wanted, strict=True):
        if left is None or right is None:  # the power of the last row mean is not used
            assert left is None or left.abs().max() == 0
        else:
            torch.testing.assert_close(left, right, rtol=1e-7, atol=1e-8)


def test_a_layer_with_the_same_weights_as_one_of_pelican_lite():
    layers = pytest.importorskip("pelican.layers")
    n, width = 7, 4
    ours = network(width=width, embedding=width).layers[0].eval()
    with torch.no_grad():  # no powers of N, no biases, no normalisation: pelican-lite has its own kind
        ours.message.powers.zero_()
        for bias in (ours.to_pairs.bias, ours.to_diagonal.bias, ours.message.norm.bias):
            bias.zero_()
        ours.message.norm.weight.fill_((1 + ours.message.norm.eps) ** 0.5)
    matrix = torch.rand(n, n, width, dtype=torch.float64)
    matrix = matrix + matrix.transpose(0, 1)
    theirs = layers.Aggregator2to2(width, width, map_multipliers=False).double()
    weight = coefficients(ours).permute(1, 2, 0).clone()
    weight[..., 11:13] *= n  # theirs divides the trace by the number of entries of the matrix
    theirs.coeffs_direct.data = weight.reshape(width, width, 15)
    i, j = torch.cartesian_prod(torch.arange(n), torch.arange(n)).T
    dense = linear(matrix, ours.message.dense.weight, ours.message.dense.bias).relu().flatten(0, 1)
    expected = theirs(dense, edge_index=torch.stack([i, j]), batch=torch.zeros(n, dtype=torch.long))
    expected = expected.relu().unflatten(0, (n, n))

    _, packing, buckets = cut_by_size(torch.ones(1, n, dtype=torch.bool), 1, odd=True)
    first = torch.arange(n).expand(n // 2, n)
    second = windows(torch.arange(n))
    pairs = matrix[first, second].permute(2, 0, 1)[:, None]
    real = [buckets[0].one_order(torch.float64)]
    pairs, diagonal = ours([pairs], matrix.diagonal().T, real, packing, buckets)
    torch.testing.assert_close(pairs[0].view(width, n // 2, n), expected[first, second].permute(2, 0, 1))
    torch.testing.assert_close(diagonal, expected.diagonal().T)


def test_pairs_once_are_all_pairs():
    x = torch.randn(2, 3, 7, dtype=torch.float64, requires_grad=True)
    full = x[..., :, None] + x[..., None, :]
    off = full.sum(-1) - full.diagonal(dim1=-2, dim2=-1)
    torch.testing.assert_close(sum_pairs(add_pairs(x)), off)
    assert torch.autograd.gradcheck(lambda x: sum_pairs(add_pairs(x).sin()), x)
    assert torch.autograd.gradgradcheck(
        lambda x: sum_pairs(add_pairs(x).sin()), x[:1, :1, :5].detach().requires_grad_()
    )


def test_boosts_and_rotations_change_nothing():
    momenta, mask = jets(counts=(9,) * 20)
    net = network().eval()
    assert invariance_error(net, momenta, mask, gamma=5, seed=2).max() < 1e-9 * net(momenta, mask).abs().max()
    # with beams the detector has a direction, and the output changes by as much as from jet to jet
    net = network(beams=True).eval()
    assert invariance_error(net, momenta, mask, gamma=5, seed=2).max() > 0.1 * net(momenta, mask).std()


def test_order_padding_and_batch_change_nothing():
    momenta, mask = jets()
    net = network(beams=True).eval()
    expected = net(momenta, mask)
    order = torch.randperm(10, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(net(momenta[:, order], mask[:, order]), expected, rtol=1e-12, atol=1e-12)
    dirty = momenta.masked_fill(~mask[..., None], torch.nan)
    torch.testing.assert_close(net(dirty, mask), expected, rtol=1e-12, atol=1e-12)
    for some in (slice(2, 3), slice(0, 2), slice(1, 4)):
        torch.testing.assert_close(net(momenta[some], mask[some]), expected[some], rtol=1e-12, atol=1e-12)
    net.train()(dirty, mask).sum().backward()
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in net.parameters())


def test_gradients_reach_every_parameter():
    momenta, mask = jets(counts=(8, 8, 7, 6, 5))
    net = network(beams=True, width=10)
    net(momenta, mask).square().sum().backward()
    silent = [name for name, parameter in net.named_parameters() if parameter.grad.abs().max() == 0]
    assert silent == []
    assert all(row.abs().max() > 0 for row in net.layers[0].message.powers.grad)


def test_float32_gives_the_same_to_its_precision():
    momenta, mask = jets()
    net, single = network().eval(), network().float().eval()
    assert single(momenta.float(), mask).dtype == torch.float32
    torch.testing.assert_close(single(momenta.float(), mask).double(), net(momenta, mask), rtol=1e-3, atol=1e-3)


def test_readable_errors():
    momenta, mask = jets()
    with pytest.raises(ValueError, match="momenta: found shape"):
        network()(momenta[..., :3], mask)
    with pytest.raises(ValueError, match="width: found 0"):
        Pelican(width=0)
