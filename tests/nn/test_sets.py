"""Packed and bucketed sets agree with padded ones."""

import pytest
import torch

from hepml_labs.nn import Packing, check_mask, in_buckets, trim


@pytest.fixture
def batch():
    """Sets of 1 to 9 particles, the padding between the particles, not behind them, and full of NaN."""
    random = torch.Generator().manual_seed(1)
    mask = torch.rand(12, 9, generator=random) < torch.linspace(0.1, 1, 12)[:, None]
    mask[:, 2] = True
    values = torch.randn(12, 9, 3, generator=random, dtype=torch.float64)
    return mask, torch.where(mask[..., None], values, torch.nan)


def test_packing_and_padding_are_inverse(batch):
    mask, values = batch
    packing = Packing(mask)
    packed = packing.pack(values)
    assert packed.shape == (int(mask.sum()), 3)
    assert torch.equal(packing.pad(packed), values.nan_to_num(0.0))
    assert torch.equal(packing.pad(packed, value=7.0)[~mask], torch.full((int((~mask).sum()), 3), 7.0).double())
    assert torch.equal(packing.owner, mask.nonzero()[:, 0])


def test_sums_and_means_ignore_the_padding(batch):
    mask, values = batch
    packing = Packing(mask)
    packed = packing.pack(values)
    torch.testing.assert_close(packing.sum(packed), values.nansum(1))
    torch.testing.assert_close(packing.mean(packed), values.nanmean(1))
    torch.testing.assert_close(packing.mean(packed[:, 0]), values[..., 0].nanmean(1))


def test_pairs_are_all_pairs_within_a_set(batch):
    mask, _ = batch
    packing = Packing(mask)
    first, second = packing.pairs()
    expected = [(i, j) for i, a in enumerate(packing.owner) for j, b in enumerate(packing.owner) if a == b]
    assert list(zip(first.tolist(), second.tolist(), strict=True)) == expected


def test_trim_cuts_only_common_padding():
    mask = torch.tensor([[True, False, True, False], [True, True, False, False]])
    shorter, values = trim(mask, torch.arange(8).reshape(2, 4))
    assert torch.equal(shorter, mask[:, :3])
    assert torch.equal(values, torch.tensor([[0, 1, 2], [4, 5, 6]]))


@pytest.mark.parametrize("buckets", [1, 3, 12, 40])
def test_buckets_change_nothing(batch, buckets):
    mask, values = batch
    lengths = []

    def pair_sum(x, mask):
        lengths.append(mask.shape[1])
        x = torch.where(mask[..., None], x, 0.0)
        return torch.einsum("nik,njl->nkl", x, x)

    bucketed = in_buckets(pair_sum, mask, values, buckets=buckets)
    calls = len(lengths)
    torch.testing.assert_close(bucketed, pair_sum(values, mask))
    assert calls == min(buckets, len(mask))
    if buckets > 1:
        assert min(lengths) < max(lengths)  # or nothing was saved


def test_gradients_pass_through_packing(batch):
    mask, values = batch
    values = values.nan_to_num(0.0).requires_grad_()
    packing = Packing(mask)
    packing.pad(packing.pack(values) ** 2).sum().backward()
    torch.testing.assert_close(values.grad, 2 * values * mask[..., None])


@pytest.mark.parametrize(
    "mask", [torch.ones(2, 3), torch.ones(2, 4, dtype=torch.bool), torch.tensor([[True, True, True], [False] * 3])]
)
def test_bad_masks_are_refused(mask):
    with pytest.raises(ValueError, match="mask"):
        check_mask(mask, (2, 3))
