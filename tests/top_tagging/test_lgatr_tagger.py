"""The L-GATr tagger: its symmetries, and lgatr itself on one jet at a time without padding."""

import sys

import pytest
import torch

from hepml_labs.top_tagging.equivariance import invariance_error
from hepml_labs.top_tagging.lgatr_tagger import LGATrTagger

pytest.importorskip("lgatr")
SMALL = {"channels": 4, "scalars": 8, "blocks": 2, "heads": 2, "buckets": 2}
KINDS = [{"slim": True}, {"slim": False}]


def jets(seed=0, counts=(7, 1, 4, 9, 2), particles=10):
    """Massless particles of some tens of GeV; real ones anywhere in the row."""
    generator = torch.Generator().manual_seed(seed)
    mask = torch.zeros(len(counts), particles, dtype=torch.bool)
    for row, count in zip(mask, counts, strict=True):
        row[torch.randperm(particles, generator=generator)[:count]] = True
    momenta = torch.randn(len(counts), particles, 4, generator=generator, dtype=torch.float64) * 20
    momenta[..., 0] = momenta[..., 1:].norm(dim=-1)
    return momenta * mask[..., None], mask


def network(**settings):
    torch.manual_seed(1)
    return LGATrTagger(**(SMALL | settings)).double().eval()


@pytest.mark.parametrize("kind", KINDS)
def test_same_as_lgatr_on_one_jet_at_a_time(kind):
    momenta, mask = jets()
    net = network(**kind, outputs=2)
    found = net(momenta, mask)
    for jet, real, row in zip(momenta, mask, found, strict=True):
        vectors = torch.cat([torch.zeros(1, 4, dtype=torch.float64), jet[real] / 20])
        is_token = torch.zeros(len(vectors), 1, dtype=torch.float64)
        is_token[0] = 1
        if kind["slim"]:
            reference = torch.tensor([[1.0, 0, 0, 1], [1, 0, 0, -1], [1, 0, 0, 0]], dtype=torch.float64)
            inputs = torch.cat([vectors[:, None], reference.expand(len(vectors), 3, 4)], 1)
            expected = net.network(inputs, is_token)[1][0]
        else:
            multivectors = torch.zeros(len(vectors), 3, 16, dtype=torch.float64)
            multivectors[:, 0, 1:5], multivectors[:, 1, 8], multivectors[:, 2, 1] = vectors, 1, 1
            expected = net.network(multivectors, is_token)[0][0, :, 0]
        torch.testing.assert_close(row, expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("kind", KINDS)
def test_boosts_and_rotations_change_nothing_unless_references_are_given(kind):
    momenta, mask = jets(counts=(9,) * 10)
    net = network(**kind, references=False)
    assert invariance_error(net, momenta, mask, gamma=5, seed=2).max() < 1e-9 * net(momenta, mask).abs().max()
    net = network(**kind)
    assert invariance_error(net, momenta, mask, gamma=5, seed=2).max() > 0.1 * net(momenta, mask).std()


@pytest.mark.parametrize("kind", KINDS)
def test_order_padding_batch_and_buckets_change_nothing(kind):
    momenta, mask = jets()
    net = network(**kind)
    expected = net(momenta, mask)
    order = torch.randperm(10, generator=torch.Generator().manual_seed(3))
    for found in [
        net(momenta[:, order], mask[:, order]),
        net(momenta.masked_fill(~mask[..., None], torch.nan), mask),
        network(**kind, buckets=1)(momenta, mask),
    ]:
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-11)


def test_float32_and_gradients():
    momenta, mask = jets()
    net = network(slim=True).float()
    logits = net(momenta.float(), mask)
    assert logits.dtype == torch.float32
    logits.square().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in net.parameters() if parameter.grad is not None)


def test_readable_errors(monkeypatch):
    momenta, mask = jets()
    with pytest.raises(ValueError, match="momenta: found shape"):
        network()(momenta[..., :3], mask)
    with pytest.raises(ValueError, match="channels: found 0"):
        LGATrTagger(channels=0)
    monkeypatch.setitem(sys.modules, "lgatr", None)
    with pytest.raises(ImportError, match="pip install 'lgatr>=2'"):
        LGATrTagger()
