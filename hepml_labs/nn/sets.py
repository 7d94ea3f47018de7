"""Sets of different sizes in one batch: padded with a mask, or packed one behind the other without padding."""

import torch

from hepml_labs.validation import check_array, check_count

__all__ = ["Packing", "check_mask", "cut", "in_buckets", "trim"]


def check_mask(mask, shape):
    """Raise a ValueError unless `mask` marks at least one element in each set.

    Parameters
    ----------
    mask : tensor
        Shape ``(n, particles)``, bool: True for real particles, False for padding.
    shape : (int, int)
        The sizes n and particles that it must have.

    Raises
    ------
    ValueError
        For another shape or type, or a set without a single element.

    Examples
    --------
    >>> check_mask(torch.tensor([[True, False]]), (1, 2))
    >>> check_mask(torch.tensor([[False, False]]), (1, 2))
    Traceback (most recent call last):
    ...
    ValueError: mask: found a set with all elements masked, expected at least one in each
    """
    check_array("mask", mask, tuple(shape), floating=False, finite=False)
    if mask.dtype != torch.bool:
        raise ValueError(f"mask: found type {mask.dtype}, expected torch.bool (True for real particles)")
    if mask.device.type != "meta" and not mask.any(1).all():
        raise ValueError("mask: found a set with all elements masked, expected at least one in each")


def trim(mask, *tensors):
    """Cut off the columns behind the last real particle of the largest set of a batch.

    Parameters
    ----------
    mask : tensor
        Shape ``(n, particles)``, bool.
    *tensors : tensor
        Shapes ``(n, particles, ...)``.

    Returns
    -------
    tuple of tensors
        The mask and the tensors, all with the same smaller number of particles.

    Examples
    --------
    >>> mask = torch.tensor([[True, True, False, False], [True, False, False, False]])
    >>> [tensor.shape[1] for tensor in trim(mask, torch.zeros(2, 4, 3))]
    [2, 2]
    """
    length = int(mask.any(0).nonzero().max()) + 1
    return tuple(tensor[:, :length] for tensor in (mask, *tensors))


def cut(ordered, buckets):
    """Cut what lies in order of the size of sets into buckets, or leave it whole on a GPU.

    A bucket is padded to its own largest set: a CPU saves the work on padding. A GPU does that work while it waits for
    the next kernel to be launched, and the fewer the buckets, the fewer the launches.

    Parameters
    ----------
    ordered : tensor
        Shape ``(n, ...)``: one row per set, the smallest first.
    buckets : int
        How many at the most.

    Returns
    -------
    tuple of tensors

    Examples
    --------
    >>> [part.tolist() for part in cut(torch.tensor([1, 2, 7, 8]), buckets=2)]
    [[1, 2], [7, 8]]
    """
    return ordered.chunk(1 if ordered.is_cuda else buckets)


def in_buckets(network, mask, *tensors, buckets=4):
    """Evaluate a network on sets of similar size together, so that little padding is computed.

    Work on pairs grows with the square of the padded length, and one large set makes a whole batch long.

    Parameters
    ----------
    network : callable
        ``network(*tensors, mask)`` returns a tensor with one row per set, each row a function of its own set.
    mask : tensor
        Shape ``(n, particles)``, bool.
    *tensors : tensor
        Shapes ``(n, particles, ...)``.
    buckets : int
        Number of groups into which the batch is cut, in order of size, on a CPU (see `cut`).

    Returns
    -------
    tensor
        The rows of ``network(*tensors, mask)``, in the order of the batch.

    Examples
    --------
    >>> mask = torch.tensor([[True, True, True], [True, False, False]])
    >>> in_buckets(lambda x, mask: (x * mask).sum(1), mask, torch.ones(2, 3), buckets=2)
    tensor([3., 1.])
    """
    check_count("buckets", buckets)
    order = mask.sum(1).argsort()
    rows = []
    for chosen in cut(order, buckets):
        part, *inputs = trim(mask[chosen], *(tensor[chosen] for tensor in tensors))
        rows.append(network(*inputs, part))
    return torch.cat(rows)[order.argsort()]


class Packing:
    """The way between padded tensors (n, particles, ...) and packed ones (total, ...), all real particles in a row.

    Parameters
    ----------
    mask : tensor
        Shape ``(n, particles)``, bool: True for real particles.

    Attributes
    ----------
    mask : tensor
        As given.
    count : tensor
        Shape ``(n,)``: particles in each set.
    owner : tensor
        Shape ``(total,)``: the set that each packed particle belongs to.

    Examples
    --------
    >>> packing = Packing(torch.tensor([[True, True, False], [True, False, False]]))
    >>> packed = packing.pack(torch.tensor([[1.0, 2.0, 0.0], [5.0, 0.0, 0.0]]))
    >>> packed, packing.mean(packed)
    (tensor([1., 2., 5.]), tensor([1.5000, 5.0000]))
    >>> packing.pairs()
    (tensor([0, 0, 1, 1, 2]), tensor([0, 1, 0, 1, 2]))
    """

    def __init__(self, mask):
        self.mask = mask
        self.count = mask.sum(1)
        # one look at the mask: indexing with positions is faster than with the mask itself, again and again
        self._position = mask.flatten().nonzero()[:, 0]
        self.owner = self._position // mask.shape[1]

    def pack(self, padded):
        """Drop the padding: ``(n, particles, ...)`` to ``(total, ...)``."""
        return padded.flatten(0, 1).index_select(0, self._position)

    def pad(self, packed, value=0.0):
        """Put packed rows ``(total, ...)`` back into ``(n, particles, ...)``, with `value` in the padding."""
        padded = packed.new_full((self.mask.numel(), *packed.shape[1:]), value)
        return padded.index_copy(0, self._position, packed).unflatten(0, self.mask.shape)

    def sum(self, packed):
        """Sum over each set: ``(total, ...)`` to ``(n, ...)``."""
        return packed.new_zeros(len(self.mask), *packed.shape[1:]).index_add(0, self.owner, packed)

    def mean(self, packed):
        """Mean over each set: ``(total, ...)`` to ``(n, ...)``."""
        return self.sum(packed) / self.count.reshape(-1, *[1] * (packed.ndim - 1))

    def pairs(self):
        """Return the packed indices (i, j) of all ordered pairs within each set, j running fastest, i = j included."""
        partners = self.count[self.owner]
        first = torch.repeat_interleave(torch.arange(len(self.owner), device=self.mask.device), partners)
        start_of_set = (self.count.cumsum(0) - self.count)[self.owner]
        start_of_row = partners.cumsum(0) - partners
        step = torch.arange(len(first), device=self.mask.device) - start_of_row[first]
        return first, start_of_set[first] + step
