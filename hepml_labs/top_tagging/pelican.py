"""PELICAN: permutation-equivariant maps between matrices of Lorentz invariants, arXiv:2211.00454 and 2307.16506."""

import torch
from torch import nn
from torch.nn.functional import dropout

from hepml_labs.nn.mlp import MLP
from hepml_labs.nn.sets import check_mask
from hepml_labs.top_tagging.pair_buckets import METRIC, add_pairs, cut_by_size, normalisation, sum_pairs, windows
from hepml_labs.validation import check_array, check_between, check_count

__all__ = ["Pelican"]

TYPICAL = 49  # particles in a jet: the unit of N in the powers of N
LARGE = 1000.0  # GeV^2: where the embedded products reach one


class Pelican(nn.Module):
    """A classifier that sees the products p_i p_j of all pairs and nothing else.

    Parameters
    ----------
    width : int
        Channels of each matrix.
    layers : int
        Number of equivariant layers between matrices.
    embedding : int
        Number of powers of the products that the first layer sees.
    beams : bool
        Add the two beams (1, 0, 0, +-1) as particles with a tag. The network then knows the beam axis and the rest
        frame of the detector, and is no longer invariant when the jet alone is transformed.
    dropout : float
        Probability to drop an invariant of the jet before the last network, in [0, 1).
    outputs : int
        Number of outputs.
    buckets : int
        On a CPU the batch is cut into as many groups of jets of similar size, so that little padding is computed.

    Raises
    ------
    ValueError
        If sizes are no positive whole numbers, shapes do not fit, or a mask leaves a jet empty.

    Notes
    -----
    Shapes: momenta ``(n, particles, 4)`` in GeV, mask ``(n, particles)``; logits ``(n, outputs)``. The padding may
    hold anything.

    The matrix is symmetric and stays so. Of the 15 linear equivariant maps between matrices nine are left, and each
    pair i < j is computed once; its diagonal is kept apart, as a tensor of particles. Two things differ from the
    authors' network. Their LeakyReLU is a ReLU here: with -infinity added for padding, its zeros mask themselves. And
    their 15 maps have factorised weights, our nine have weights of their own: 217 thousand parameters with
    ``width=64, layers=5``, theirs 208 thousand.

    Source: Bogatskiy, Hoffman, Miller and Offermann, arXiv:2211.00454, section 3; Bogatskiy et al., arXiv:2307.16506.

    Examples
    --------
    >>> _ = torch.manual_seed(0)
    >>> network, momenta = Pelican(width=4, layers=2).double().eval(), torch.rand(2, 5, 4, dtype=torch.float64)
    >>> mask = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    >>> rotated = momenta[..., [0, 2, 3, 1]]
    >>> torch.allclose(network(momenta, mask), network(rotated, mask), atol=1e-10)
    True
    """

    def __init__(self, width=64, layers=5, embedding=8, beams=False, dropout=0.05, outputs=1, buckets=8):
        super().__init__()
        sizes = {"width": width, "layers": layers, "embedding": embedding, "outputs": outputs, "buckets": buckets}
        for name, size in sizes.items():
            check_count(name, size)
        check_between("dropout", dropout, 0, 1, include_low=True)
        self.beams, self.dropout, self.buckets = beams, dropout, buckets
        # powers from nearly logarithmic to the square root, learned
        self.log_power = nn.Parameter(torch.linspace(0.05, 0.5, embedding).log())
        self.tag = nn.Parameter(torch.zeros(embedding)) if beams else None
        self.layers = nn.ModuleList(
            EquivariantLayer(embedding if layer == 0 else width, width) for layer in range(layers)
        )
        self.message = Message(width, width)
        self.head = MLP(2 * width, outputs, (width,), nn.ReLU)

    def forward(self, momenta, mask):
        """Map a batch of jets to logits ``(n, outputs)``."""
        check_array("momenta", momenta, ("n", "particles", 4), finite=False)
        check_mask(mask, momenta.shape[:2])
        if self.beams:
            beams = momenta.new_tensor([[1.0, 0, 0, 1], [1, 0, 0, -1]]).expand(len(mask), 2, 4)
            momenta = torch.cat([momenta, beams], dim=1)
            mask = torch.cat([mask, mask.new_ones(len(mask), 2)], dim=1)
        order, packing, buckets = cut_by_size(mask, self.buckets, odd=True)
        packed = packing.pack(momenta[order])
        metric = momenta.new_tensor(METRIC)
        pairs, real = [], [bucket.one_order(momenta.dtype) for bucket in buckets]
        for bucket, mark in zip(buckets, real, strict=True):
            x = bucket.pad(packed)
            products = (metric[:, None, None, None] * x[:, :, None] * windows(x)).sum(0)
            pairs.append(self._embed(products * mark))  # zero where there is no pair
        diagonal = self._embed(packed**2 @ metric).T
        if self.beams:
            is_beam = torch.zeros_like(mask, dtype=momenta.dtype)
            is_beam[:, -2:] = 1
            diagonal = diagonal + packing.pack(is_beam[order])[:, None] * self.tag
        for layer in self.layers:
            pairs, diagonal = layer(pairs, diagonal, real, packing, buckets)
        _, _, _, total, trace = self.message(pairs, diagonal, real, packing, buckets)
        features = dropout(torch.cat([total, trace], dim=-1), self.dropout, self.training)
        return self.head(features)[order.argsort()]

    def _embed(self, products):
        """Powers ((1 + d)^a - 1) / ((1 + d_0)^a - 1), a logarithm for small a: ``(...)`` to ``(channels, ...)``."""
        power = self.log_power.exp().view(-1, *[1] * products.ndim)
        unit = (power * products.new_tensor(LARGE).log1p()).expm1()
        return (power * products.abs().log1p()).expm1() / unit


class Message(nn.Module):
    """The network of each entry and the aggregations of its result: dense layer, ReLU, batch normalisation, means.

    Source: arXiv:2211.00454, section 3, the messaging layer; the powers of N scale the means.
    """

    def __init__(self, inputs, width):
        super().__init__()
        self.dense, self.norm = nn.Linear(inputs, width), nn.BatchNorm1d(width)
        self.powers = nn.Parameter(torch.rand(3, width))  # of N, for row, total and trace

    def forward(self, pairs, diagonal, real, packing, buckets):
        """Return the entries, the scale that they lack, and the normalised diagonal, row means, total and trace."""
        weight, bias = self.dense.weight, self.dense.bias[:, None]
        # the bias is for real pairs only, so that padding stays zero
        pairs = [
            torch.addmm(bias @ mark.flatten()[None], weight, part.flatten(1)).relu_()
            for part, mark in zip(pairs, real, strict=True)
        ]
        diagonal = self.dense(diagonal).relu()
        row = [
            bucket.pack(sum_pairs(part.view(-1, *mark.shape)))
            for part, mark, bucket in zip(pairs, real, buckets, strict=True)
        ]
        row = torch.cat(row) + diagonal
        number = (packing.count**2).sum().to(row)
        mean = row.sum(0) / number
        squares = 2 * sum(torch.linalg.vector_norm(part, dim=1) ** 2 for part in pairs) + (diagonal**2).sum(0)
        scale, shift = normalisation(self.norm, mean, squares / number - mean**2, number)
        count = packing.count.to(row)[:, None]
        row = row / count[packing.owner] * scale + shift
        diagonal = diagonal * scale + shift
        growth = (count / TYPICAL).log()[:, None] * self.powers
        row_power, total_power, trace_power = growth.exp().unbind(1)
        total, trace = packing.mean(row) * total_power, packing.mean(diagonal) * trace_power
        return pairs, (scale, shift), (diagonal, row * row_power[packing.owner]), total, trace


class EquivariantLayer(nn.Module):
    """Messages, then the nine equivariant linear maps from symmetric matrices to symmetric matrices, then a ReLU.

    Off the diagonal: the entry itself, and m_i + m_j with m_i from the row's mean, the diagonal's entry, the mean of
    the matrix and of the diagonal. On the diagonal: the same, and the last four once more with their own weights. All
    but the first are sums of terms of one particle: they are made for particles and added to the pairs.

    Source: arXiv:2211.00454, section 3.
    """

    def __init__(self, inputs, width):
        super().__init__()
        self.message = Message(inputs, width)
        self.entry = nn.Linear(width, width, bias=False)
        self.to_pairs, self.to_diagonal = nn.Linear(4 * width, width), nn.Linear(4 * width, width)

    def forward(self, pairs, diagonal, real, packing, buckets):
        """Return the new pairs, a list over buckets of ``(width, pairs)``, and the diagonal ``(total, width)``."""
        pairs, (scale, shift), (diagonal, row), total, trace = self.message(pairs, diagonal, real, packing, buckets)
        terms = torch.cat([diagonal, row, total[packing.owner], trace[packing.owner]], dim=-1)
        of_particle = self.to_pairs(terms)
        new_diagonal = (self.entry(diagonal) + 2 * of_particle + self.to_diagonal(terms)).relu()
        # the batch normalisation of the entries, folded into the linear map behind it
        weight = self.entry.weight * scale
        of_particle = of_particle + self.entry.weight @ shift / 2
        pairs = [
            torch.addmm(add_pairs(bucket.pad(of_particle, -torch.inf)).flatten(1), weight, part).relu_()
            for part, bucket in zip(pairs, buckets, strict=True)
        ]
        return pairs, new_diagonal
