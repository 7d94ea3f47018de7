"""ParticleNet against brute force, scikit-learn, its symmetries and the authors' code."""

import copy

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from hepml_labs.datasets import load
from hepml_labs.top_tagging.inputs import particle_features
from hepml_labs.top_tagging.particle_net import EdgeConv, ParticleNet, nearest_neighbors

SMALL = {"blocks": ((3, (6, 5)), (4, (8, 7))), "hidden": 9}


def jets(sizes, inputs=7, columns=None, seed=0, dtype=torch.float64):
    """Points, features and mask of random jets, with padding at random places and NaN in it."""
    draw = np.random.default_rng(seed)
    columns = columns or max(sizes) + 3
    mask = np.array([draw.permutation(np.arange(columns) < size) for size in sizes])
    points, features = draw.normal(size=(len(sizes), columns, 2)), draw.normal(size=(len(sizes), columns, inputs))
    points[~mask], features[~mask] = np.nan, np.nan
    return torch.as_tensor(points, dtype=dtype), torch.as_tensor(features, dtype=dtype), torch.as_tensor(mask)


def network(seed=0, build=ParticleNet, **options):
    """A network in double precision whose normalisations have seen some jets."""
    torch.manual_seed(seed)
    made = build(dropout=0.0, **({} if build is ParticleNet.lite else SMALL) | options).double()
    made(*jets([9] * 20, seed=seed + 100))
    return made.eval()


@pytest.fixture(scope="module")
def real_jets():
    momenta = torch.as_tensor(load("top_tagging", "test", n=400)["constituents"], dtype=torch.float64)
    features, angles, mask = particle_features(momenta)
    return angles, features, mask


@pytest.mark.parametrize(("k", "dimensions"), [(1, 2), (5, 2), (6, 30)])
def test_neighbors_against_scikit_learn(k, dimensions):
    draw = np.random.default_rng(1)
    sizes = [7, 30, 8, 12, 7, 9, 41, 10, 11, 22]
    points = draw.normal(size=(sum(sizes), dimensions))
    found = nearest_neighbors(torch.as_tensor(points), torch.tensor(sizes), k).numpy()
    ends = np.cumsum(sizes)
    for start, end in zip(ends - sizes, ends, strict=True):
        expected = NearestNeighbors(n_neighbors=k).fit(points[start:end]).kneighbors(return_distance=False)
        np.testing.assert_array_equal(found[start:end] - start, expected)


def test_neighbors_of_small_sets_and_of_equal_points():
    points = torch.zeros(8, 2)
    points[4:] += 1
    found = nearest_neighbors(points, torch.tensor([1, 2, 5]), k=3)
    assert found[0].tolist() == [-1, -1, -1]
    assert found[1:3].tolist() == [[2, -1, -1], [1, -1, -1]]
    assert not (found == torch.arange(8)[:, None]).any()
    assert found[3:].min() >= 3
    assert nearest_neighbors(points, torch.tensor([8]), k=0)[:, 0].tolist() == list(range(8))


def test_small_angles_survive_in_single_precision():
    """Neighbours a ten-thousandth apart, far from the origin: |x|^2 + |y|^2 - 2 x.y would round them away."""
    points = torch.tensor(np.cumsum(1e-4 * np.arange(1, 31)) + 5.0, dtype=torch.float32)[:, None] * torch.ones(1, 2)
    found = nearest_neighbors(points, torch.tensor([30]), k=1)
    assert found[1:, 0].tolist() == list(range(29))


def test_edge_convolution_is_its_formula():
    torch.manual_seed(1)
    layer, x = EdgeConv(4, (6, 5)).double(), torch.randn(9, 4, dtype=torch.float64)
    neighbors = nearest_neighbors(x, torch.tensor([1, 2, 6]), k=3)
    weights = [torch.cat([layer.center.weight, layer.difference.weight], 1), layer.layers[0].weight]
    edges = [(i, j) for i in range(9) for j in neighbors[i].tolist() if j >= 0]
    y = torch.stack([torch.cat([x[i], x[j] - x[i]]) for i, j in edges])
    for weight in weights:
        y = y @ weight.T
        y = torch.relu((y - y.mean(0)) / (y.var(0, unbiased=False) + 1e-5).sqrt())
    mean = torch.zeros(9, 5, dtype=torch.float64)
    for i in range(1, 9):
        mean[i] = y[[number for number, (receiver, _) in enumerate(edges) if receiver == i]].mean(0)
    shortcut = x @ layer.shortcut[0].weight.T
    shortcut = (shortcut - shortcut.mean(0)) / (shortcut.var(0, unbiased=False) + 1e-5).sqrt()
    torch.testing.assert_close(layer(x, neighbors), torch.relu(mean + shortcut), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("build", "parameters"), [(ParticleNet, 365_903), (ParticleNet.lite, 26_287)])
def test_published_number_of_parameters(build, parameters):
    assert sum(parameter.numel() for parameter in build().parameters()) == parameters


@pytest.mark.parametrize("options", [{}, {"dynamic": False}, {"blocks": ((0, (6, 5)), (0, (8, 7)))}])
def test_order_of_particles_padding_and_company_do_not_matter(options):
    tagger = network(**options)
    points, features, mask = jets([9, 2, 14, 1, 5, 14, 4])  # not in the order of their sizes
    expected = tagger(points, features, mask)
    assert expected.isfinite().all()
    shuffle = torch.randperm(mask.shape[1], generator=torch.Generator().manual_seed(1))
    shuffled = tagger(points[:, shuffle], features[:, shuffle], mask[:, shuffle])
    torch.testing.assert_close(shuffled, expected, rtol=1e-12, atol=1e-12)
    filled = tagger(points.nan_to_num(3.0), features.nan_to_num(-7.0), mask)
    assert torch.equal(filled, expected)
    alone = torch.cat([tagger(points[i : i + 1], features[i : i + 1], mask[i : i + 1]) for i in range(len(mask))])
    torch.testing.assert_close(alone, expected, rtol=1e-12, atol=1e-12)


def test_padding_does_not_enter_the_batch_statistics():
    first, second = network().train(), network().train()
    points, features, mask = jets([14, 3, 9])
    wider = [torch.nn.functional.pad(tensor, (0, 0, 0, 30)) for tensor in (points, features, mask[..., None])]
    expected = first(points, features, mask)
    torch.testing.assert_close(second(wider[0], wider[1], wider[2][..., 0]), expected, rtol=1e-12, atol=1e-12)
    for name, value in first.state_dict().items():
        torch.testing.assert_close(second.state_dict()[name], value, rtol=1e-12, atol=1e-12)


def test_a_lonely_particle_gets_no_message():
    tagger = network()
    points, features, mask = jets([1], columns=1)
    x = tagger.norm(features[0])
    for convolution in tagger.convolutions:
        x = torch.relu(convolution.shortcut(x))
    torch.testing.assert_close(tagger(points, features, mask), tagger.head(x))


def test_without_edges_it_is_a_deep_set():
    """The mean over particles knows nothing of pairs: a jet of two copies of each particle looks the same."""
    points, features, mask = jets([5, 8, 8])
    twice = [torch.cat([tensor, tensor], 1) for tensor in (points, features, mask)]
    for k, same in ((0, True), (3, False)):
        tagger = network(blocks=((k, (6, 5)), (k, (8, 7))))
        assert torch.allclose(tagger(*twice), tagger(points, features, mask), rtol=1e-10) == same


def test_graphs_in_the_columns_of_the_batch():
    points, features, mask = jets([5, 14, 2])
    tagger = network(dynamic=True)
    first, second = tagger.graphs(points, features, mask)
    assert first.shape == (3, 17, 3)
    assert second.shape == (3, 17, 4)
    for jet in range(3):
        real = mask[jet].nonzero()[:, 0]
        distance = torch.cdist(points[jet, real], points[jet, real]).fill_diagonal_(torch.inf)
        nearest = real[distance.argsort(1)][:, :3][:, : len(real) - 1]
        assert torch.equal(first[jet, real, : nearest.shape[1]], nearest)
        assert (first[jet, real, nearest.shape[1] :] == -1).all()
        assert (first[jet, ~mask[jet]] == -1).all()
    static = network(dynamic=False).graphs(points, features, mask)
    assert torch.equal(static[1][..., :3], first)
    assert not torch.equal(second[..., :3], first)


def test_every_parameter_learns():
    tagger = network().train()
    tagger(*jets([5, 9, 14, 20])).square().sum().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in tagger.parameters())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu():
    tagger = network()
    batch = jets([2, 5, 14])
    expected = tagger(*batch)
    found = tagger.cuda()(*(tensor.cuda() for tensor in batch))
    torch.testing.assert_close(found.cpu(), expected)


def test_single_precision_is_kept():
    tagger = network().float()
    assert tagger(*jets([2, 5, 14], dtype=torch.float32)).dtype == torch.float32


def test_errors_name_the_argument():
    points, features, mask = jets([2, 5, 14])
    tagger = network()
    for arguments, message in (
        ((points, features[..., :6], mask), r"features: found shape \(3, 17, 6\)"),
        ((points[:, :5], features, mask), r"features: found shape \(3, 17, 7\), expected \(3, 5, 7\)"),
        ((points, features, mask.double()), "mask: found type"),
        ((points, features, mask & False), "mask: found a set with all elements masked"),
    ):
        with pytest.raises(ValueError, match=message):
            tagger(*arguments)
    with pytest.raises(ValueError, match="blocks: number of neighbours: found -1"):
        ParticleNet(blocks=((-1, (4,)),))
    with pytest.raises(ValueError, match="dropout: found 1.5"):
        ParticleNet(dropout=1.5)


def twins(lite):
    """The authors' network and ours with the same weights, in double precision."""
    theirs_module = pytest.importorskip("weaver.nn.model.ParticleNet")
    torch.manual_seed(3)
    blocks = ((7, (32,) * 3), (7, (64,) * 3)) if lite else ((16, (64,) * 3), (16, (128,) * 3), (16, (256,) * 3))
    theirs = theirs_module.ParticleNet(
        7, 2, conv_params=blocks, fc_params=[(128 if lite else 256, 0.0)], use_fusion=False, trim=False
    ).double()
    for parameter in theirs.parameters():
        if parameter.ndim == 1:  # scales and shifts away from their initial ones and zeros
            torch.nn.init.uniform_(parameter, 0.5, 1.5)
    ours = (ParticleNet.lite if lite else ParticleNet)(outputs=2, dropout=0.0).double()
    return theirs, ours


def copy_weights(theirs, ours):
    with torch.no_grad():
        ours.norm.load_state_dict(theirs.bn_fts.state_dict())
        for mine, other in zip(ours.convolutions, theirs.edge_convs, strict=True):
            first = other.convs[0].weight[:, :, 0, 0]
            mine.center.weight.copy_(first[:, : first.shape[1] // 2])
            mine.difference.weight.copy_(first[:, first.shape[1] // 2 :])
            for layer, convolution in zip(mine.layers, other.convs[1:], strict=True):
                layer.weight.copy_(convolution.weight[:, :, 0, 0])
            for norm, other_norm in zip(mine.norms, other.bns, strict=True):
                norm.load_state_dict(other_norm.state_dict())
            mine.shortcut[0].weight.copy_(other.sc.weight[:, :, 0])
            mine.shortcut[1].load_state_dict(other.sc_bn.state_dict())
        ours.head[0].load_state_dict(theirs.fc[0][0].state_dict())
        ours.head[3].load_state_dict(theirs.fc[1].state_dict())


def run_theirs(theirs, points, features, mask):
    return theirs(points.mT.clone(), features.mT.clone().requires_grad_(), mask[:, None])


@pytest.mark.parametrize("lite", [True, False])
def test_same_weights_same_scores_as_the_authors_code(lite, real_jets):
    """Equal wherever a jet has more particles than neighbours; in smaller jets their neighbours include padding."""
    theirs, ours = twins(lite)
    k = ours.neighbors[0]
    order = real_jets[2].sum(1).argsort()
    chosen = torch.cat([order[:6], order[-380::20]]).flip(0)  # the smallest jets, and some of all sizes
    batch = [tensor[chosen] for tensor in real_jets]
    run_theirs(theirs, *batch)  # running statistics of its own
    copy_weights(theirs, ours)
    theirs.eval()
    ours.eval()
    with torch.no_grad():
        difference = (ours(*batch) - run_theirs(theirs, *batch)).abs().amax(1)
    large = batch[2].sum(1) > k
    assert large.sum() >= 15
    assert (~large).sum() >= 1
    assert difference[large].max() < 1e-9
    assert difference[~large].min() > 1e-4


def test_trains_as_the_authors_code_where_there_is_no_padding(real_jets):
    theirs, ours = twins(lite=True)
    copy_weights(theirs, ours)
    enough = real_jets[2].sum(1) >= 30
    batch = [tensor[enough][:12, :30].contiguous() for tensor in real_jets]
    expected, found = run_theirs(theirs, *batch), ours(*batch)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    for output in (expected, found):
        output[:, 0].square().sum().backward()
    other = copy.deepcopy(ours)
    for parameter in theirs.parameters():
        parameter.data = parameter.grad
    copy_weights(theirs, other)  # their gradients and running statistics, under our names
    for (name, parameter), gradient in zip(ours.named_parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, gradient.data, rtol=1e-8, atol=1e-10, msg=name)
    for (name, mine), their in zip(ours.named_buffers(), other.buffers(), strict=True):
        torch.testing.assert_close(mine, their, rtol=1e-9, atol=1e-9, msg=name)
