"""The Particle Transformer against the authors' code, closed forms and its symmetries."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from hepml_labs.datasets import load
from hepml_labs.physics.kinematics import boost, mass
from hepml_labs.top_tagging.inputs import particle_features
from hepml_labs.top_tagging.particle_transformer import ParticleTransformer, pair_features

SMALL = {"width": 16, "heads": 4, "layers": 2, "class_layers": 1, "pair_hidden": (8, 6)}


def jets(sizes, columns=None, seed=0, dtype=torch.float64):
    """Features, momenta and mask of random jets, with padding at random places and NaN in it."""
    draw = np.random.default_rng(seed)
    columns = columns or max(sizes) + 3
    mask = np.array([draw.permutation(np.arange(columns) < size) for size in sizes])
    features, three = draw.normal(size=(len(sizes), columns, 7)), draw.normal(size=(len(sizes), columns, 3)) * 20
    momenta = np.concatenate([np.sqrt((three**2).sum(-1, keepdims=True) + 0.02), three], axis=-1)
    features[~mask], momenta[~mask] = np.nan, np.nan
    return torch.as_tensor(features, dtype=dtype), torch.as_tensor(momenta, dtype=dtype), torch.as_tensor(mask)


def shaken(network, seed=0):
    """Give every number of a network, batch statistics included, a value of its own."""
    draw = torch.Generator().manual_seed(seed)
    for name, value in network.state_dict().items():
        if value.is_floating_point() and name.endswith("running_var"):
            value.uniform_(0.5, 2.0, generator=draw)
        elif value.is_floating_point():
            value.add_(0.05 * torch.randn(value.shape, generator=draw, dtype=value.dtype))
    return network.eval()


def network(seed=0, **options):
    torch.manual_seed(seed)
    return shaken(ParticleTransformer(**SMALL | options).double(), seed)


def copy_weights(peer, ours):
    """Give our network the weights of weaver-core's."""
    state = {}

    def put(name, module, **renamed):
        for key, value in module.state_dict().items():
            # a convolution over one point is a linear layer
            state[f"{name}.{key}"] = value[..., 0] if isinstance(module, nn.Conv1d) and value.ndim == 3 else value

    put("embedding.0", peer.embed.input_bn)
    for name, modules in (("embedding", [None, *peer.embed.embed]), ("pair_embedding", peer.pair_embed.embed)):
        for number, module in enumerate(modules):
            if module is not None:
                put(f"{name}.{number}", module)
    for name, blocks in (("blocks", peer.blocks), ("class_blocks", peer.cls_blocks)):
        for number, block in enumerate(blocks):
            here, width = f"{name}.{number}", block.embed_dim
            for kind, values in block.attn.in_proj.state_dict().items():
                state[f"{here}.query.{kind}"], state[f"{here}.key_value.{kind}"] = values[:width], values[width:]
            put(f"{here}.before_attention", block.pre_attn_norm)
            put(f"{here}.mix", block.attn.out_proj)
            put(f"{here}.after_attention.0", block.post_attn_norm)
            parts = {0: block.pre_fc_norm, 1: block.fc1, 4: block.post_fc_norm, 5: block.fc2}
            for place, module in parts.items():
                put(f"{here}.network.{place}", module)
            state[f"{here}.head_scale"], state[f"{here}.residual_scale"] = block.c_attn, block.w_resid
    state["class_token"] = peer.cls_token[0, 0]
    put("output.0", peer.norm)
    put("output.1", peer.fc[0])
    ours.load_state_dict(state)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 2e-5)])
def test_same_weights_same_output_as_the_authors_code(dtype, tolerance):
    weaver = pytest.importorskip("weaver.nn.model.ParticleTransformer")
    torch.manual_seed(1)
    # use_pre_activation_pair=False is the published configuration
    peer = shaken(weaver.ParticleTransformer(7, 3, use_pre_activation_pair=False), 2)
    ours = ParticleTransformer(outputs=3).eval()
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in peer.parameters())
    copy_weights(peer, ours)
    peer, ours = peer.to(dtype), ours.to(dtype)
    momenta = torch.as_tensor(load("top_tagging", "test", n=24)["constituents"], dtype=dtype)
    features, _, mask = particle_features(momenta)
    with torch.no_grad():
        expected = peer(features.transpose(1, 2), momenta[..., [1, 2, 3, 0]].transpose(1, 2), mask[:, None])
        found = ours(features, momenta, mask)
    assert expected.std(0).min() > 0.1
    torch.testing.assert_close(found, expected, rtol=0, atol=tolerance)


def test_sizes_of_the_paper_and_of_a_small_version():
    assert sum(p.numel() for p in ParticleTransformer(inputs=7, outputs=2).parameters()) == 2_141_134
    small = ParticleTransformer(width=64, heads=4, layers=3, class_layers=1, pair_hidden=(32, 32))
    assert sum(p.numel() for p in small.parameters()) == 238_785


def test_pair_features_in_closed_form():
    def massless(pt, eta, phi):
        return torch.tensor([math.cosh(eta), math.cos(phi), math.sin(phi), math.sinh(eta)], dtype=torch.float64) * pt

    a, b = massless(50.0, 0.7, 3.0), massless(20.0, 0.4, -3.0)
    turn = 2 * math.pi - 6.0  # across the seam at pi
    distance = math.hypot(0.3, turn)
    squared_mass = 2 * 50 * 20 * (math.cosh(0.3) - math.cos(turn))
    expected = [math.log(20 * distance), math.log(20 / 70), math.log(distance), math.log(squared_mass)]
    np.testing.assert_allclose(pair_features(a, b), expected, rtol=1e-12)
    np.testing.assert_allclose(pair_features(b, a), expected, rtol=1e-12)
    np.testing.assert_allclose(0.5 * pair_features(a, b)[3], math.log(mass(a + b)), rtol=1e-12)
    # boosts along the beam change none of them
    along = torch.tensor([0.0, 0.0, 0.8], dtype=torch.float64)
    np.testing.assert_allclose(pair_features(boost(a, along), boost(b, along)), expected, rtol=1e-10)


def test_pair_features_of_a_particle_with_itself_are_finite_and_have_gradients():
    a = torch.tensor([5.0, 3.0, 4.0, 0.0], requires_grad=True)
    found = pair_features(a, a)
    np.testing.assert_allclose(found[[0, 2]].detach(), math.log(1e-8), rtol=1e-6)
    found.sum().backward()
    assert a.grad.isfinite().all()


def test_order_and_padding_do_not_matter():
    sizes, model = [5, 1, 9, 2, 7], network()
    features, momenta, mask = jets(sizes)
    expected = model(features, momenta, mask)
    assert expected.std() > 1e-3
    shuffle = torch.randperm(features.shape[1], generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(model(features[:, shuffle], momenta[:, shuffle], mask[:, shuffle]), expected)
    for row, one in enumerate(mask):
        alone = model(features[row, one][None], momenta[row, one][None], one[one][None])
        torch.testing.assert_close(alone[0], expected[row])
    reverse = model(features.flip(0), momenta.flip(0), mask.flip(0))
    torch.testing.assert_close(reverse.flip(0), expected)


def test_training_does_not_depend_on_the_buckets():
    """Batch statistics are those of all real particles and pairs, whatever stands next to what."""
    batch, results = jets([4, 9, 3, 6, 2, 8]), []
    for buckets in (1, 2, 6):
        model = network(buckets=buckets, dropout=0.0).train()
        value = model(*batch)
        value.square().sum().backward()
        results.append((value.detach(), *(p.grad for p in model.parameters()), *model.buffers()))
    for other in results[1:]:
        for found, expected in zip(other, results[0], strict=True):
            torch.testing.assert_close(found, expected)


def test_every_parameter_learns_and_nan_in_the_padding_stays_there():
    model = network().train()
    model(*jets([5, 3, 8])).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        # a bias in front of a batch norm, or of a key in a softmax, has none by construction
        if not (name.startswith("pair_embedding") and name.endswith("bias")):
            assert parameter.grad.abs().max() > 1e-9, name


def test_the_pairs_matter():
    """The same features with other momenta give another answer: the bias reaches the softmax."""
    model = network()
    features, momenta, mask = jets([6, 4])
    _, other, _ = jets([6, 4], seed=5)
    other = torch.where(mask[..., None], torch.where(other.isnan(), torch.ones_like(other), other), other)
    other[..., 0] = (other[..., 1:] ** 2).sum(-1).sqrt() + 0.1
    assert (model(features, momenta, mask) - model(features, other, mask)).abs().max() > 1e-4


def test_mixed_precision():
    model = network().float()
    batch = jets([20, 30, 25], dtype=torch.float32)
    with torch.no_grad():
        expected = model(*batch)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = model(*batch)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), expected, rtol=0, atol=0.1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        model.train()(*batch).float().sum().backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("precision", [torch.float32, torch.float64])
def test_precision_is_kept(precision):
    assert network().to(precision)(*jets([3, 4], dtype=precision)).dtype == precision


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="width: found 10, expected a multiple of the 4 heads"):
        ParticleTransformer(width=10, heads=4)
    with pytest.raises(ValueError, match="layers: found 0"):
        ParticleTransformer(layers=0)
    features, momenta, mask = jets([3, 4])
    model = network()
    with pytest.raises(ValueError, match="features: found shape"):
        model(features[..., :6], momenta, mask)
    with pytest.raises(ValueError, match="momenta: found shape"):
        model(features, momenta[:, 1:], mask)
    with pytest.raises(ValueError, match="mask"):
        model(features, momenta, torch.zeros_like(mask))
