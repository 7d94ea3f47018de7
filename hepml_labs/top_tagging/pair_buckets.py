"""All pairs of particles of jets of different size, without much padding: shared by LorentzNet and PELICAN.

Pairs are laid out with the channels first: a term of one particle, a sum over partners and a mask then run over
contiguous memory, and a linear map of all pairs is one product of matrices.
"""

import torch
from torch.nn.functional import pad

from hepml_labs.nn.sets import Packing, cut
from hepml_labs.validation import check_count

__all__ = ["Bucket", "add_pairs", "cut_by_size", "normalisation", "sum_pairs", "windows"]

METRIC = (1.0, -1.0, -1.0, -1.0)


class Bucket:
    """A few jets of similar size.

    Parameters
    ----------
    count : tensor
        Shape ``(jets,)``: particles in each jet.
    start : int
        Where the particles of the first jet begin in the packed tensors.
    odd : bool
        Make the padded length odd, as `add_pairs` needs it.

    Attributes
    ----------
    mask : tensor
        Shape ``(jets, length)``, bool, with the real particles in front.
    count : tensor
        As given.

    Examples
    --------
    >>> Bucket(torch.tensor([1, 2]), 0).pad(torch.tensor([[1.0], [5.0], [7.0]]))
    tensor([[[1., 0.],
             [5., 7.]]])
    """

    def __init__(self, count, start, odd=False):
        self.count = count
        length = int(count.max())
        length += odd and length % 2 == 0
        self.mask = torch.arange(length, device=count.device) < count[:, None]
        self._packing = Packing(self.mask)
        self._rows = slice(start, start + len(self._packing.owner))

    def both_orders(self, dtype):
        """Mark pairs (i, j) of two different real particles by 1, others by 0: ``(jets, length, length)``."""
        different = ~torch.eye(self.mask.shape[1], dtype=torch.bool, device=self.mask.device)
        return (self.mask[:, :, None] & self.mask[:, None, :] & different).to(dtype)

    def one_order(self, dtype):
        """Mark real pairs in the order of `windows`, each once: ``(jets, (length - 1) / 2, length)``."""
        return (self.mask[:, None] & windows(self.mask)).to(dtype).contiguous()

    @property
    def stop(self):
        """Where the particles of the next bucket begin."""
        return self._rows.stop

    def pad(self, packed, value=0.0):
        """Take this bucket's rows out of ``(total, channels)`` and lay them out as ``(channels, jets, length)``."""
        return self._packing.pad(packed[self._rows], value).permute(2, 0, 1).contiguous()

    def pack(self, padded):
        """Drop the padding: ``(channels, jets, length)`` to ``(rows, channels)``, to be concatenated over buckets."""
        return self._packing.pack(padded.permute(1, 2, 0))


def cut_by_size(mask, buckets, odd=False):
    """Sort the jets of a batch by size and cut them into buckets.

    Parameters
    ----------
    mask : tensor
        Shape ``(n, particles)``, bool.
    buckets : int
        Number of buckets on a CPU, see `hepml_labs.nn.cut` (fewer for a smaller batch).
    odd : bool
        As in `Bucket`.

    Returns
    -------
    order : tensor
        Shape ``(n,)``: the jets in order of size; ``rows[order.argsort()]`` goes back.
    packing : Packing
        Of the sorted jets.
    list of Bucket
        In the same order.

    Examples
    --------
    >>> mask = torch.tensor([[True, True, True], [False, True, False]])
    >>> order, packing, buckets = cut_by_size(mask, 2)
    >>> order, [bucket.mask.tolist() for bucket in buckets]
    (tensor([1, 0]), [[[True]], [[True, True, True]]])
    """
    check_count("buckets", buckets)
    order = mask.sum(1).argsort()
    packing, made, start = Packing(mask[order]), [], 0
    for count in cut(packing.count, buckets):
        made.append(Bucket(count, start, odd))
        start = made[-1].stop
    return order, packing, made


def windows(x):
    """View the partners j = i + k modulo P of each particle i, k = 1 ... (P - 1) / 2, as ``(..., k, i)``.

    For odd P each pair of two different particles then appears exactly once.

    Parameters
    ----------
    x : tensor
        Shape ``(..., P)``, P odd.

    Returns
    -------
    tensor
        Shape ``(..., (P - 1) / 2, P)``, a view of 1.5 P numbers.

    Examples
    --------
    >>> windows(torch.arange(3))
    tensor([[1, 2, 0]])
    """
    size = x.shape[-1]
    return torch.cat([x, x[..., : size // 2]], dim=-1).unfold(-1, size, 1)[..., 1:, :]


class _AddPairs(torch.autograd.Function):
    @staticmethod
    def forward(context, x):
        return x[..., None, :] + windows(x)

    @staticmethod
    def backward(context, gradient):
        return _SumPairs.apply(gradient)


class _SumPairs(torch.autograd.Function):
    @staticmethod
    def forward(context, pairs):
        size, half = pairs.shape[-1], pairs.shape[-2]
        # pair (i, i + k) belongs to i, and to i + k: rows read as one longer than they are slip to the right by k
        flat = pad(pairs, (1, half)).flatten(-2)[..., : half * (size + half)]
        shifted = flat.unflatten(-1, (half, size + half)).sum(-2)
        total = pairs.sum(-2) + shifted[..., :size]
        total[..., :half] += shifted[..., size:]
        return total

    @staticmethod
    def backward(context, gradient):
        return _AddPairs.apply(gradient)


def add_pairs(x):
    """Compute x_i + x_j for all pairs, each pair once: ``(..., P)`` to ``(..., (P - 1) / 2, P)``.

    Examples
    --------
    >>> add_pairs(torch.tensor([1.0, 10.0, 100.0]))
    tensor([[ 11., 110., 101.]])
    """
    return _AddPairs.apply(x)


def sum_pairs(pairs):
    """Sum over partners: ``(..., (P - 1) / 2, P)`` to ``(..., P)``, the adjoint of `add_pairs`.

    Examples
    --------
    >>> sum_pairs(torch.tensor([[1.0, 10.0, 100.0]]))  # pairs (0, 1), (1, 2), (2, 0)
    tensor([101.,  11., 110.])
    """
    return _SumPairs.apply(pairs)


def normalisation(norm, mean, variance, number):
    """Turn batch statistics into the scale and shift of a batch normalisation, and keep its running averages.

    Parameters
    ----------
    norm : nn.BatchNorm1d
        Holds weight, bias and running averages; out of training those are used.
    mean, variance : tensor
        Shape ``(channels,)``: of the batch, biased.
    number : tensor
        Entries that they were taken over.

    Returns
    -------
    scale, shift : tensor
        Shape ``(channels,)``: ``scale * x + shift`` is the normalised x.
    """
    if norm.training:
        variance = variance.clamp(min=0)
        with torch.no_grad():
            norm.num_batches_tracked += 1
            norm.running_mean.lerp_(mean, norm.momentum)
            norm.running_var.lerp_(variance * (number / (number - 1).clamp(min=1)), norm.momentum)
    else:
        mean, variance = norm.running_mean, norm.running_var
    scale = norm.weight * (variance + norm.eps).rsqrt()
    return scale, norm.bias - mean * scale
