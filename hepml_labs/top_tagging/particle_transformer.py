"""Particle Transformer: attention among the constituents of a jet, biased by what each pair of them looks like."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from hepml_labs.nn import Packing, check_mask, cut
from hepml_labs.validation import check_array, check_between, check_count

__all__ = ["ParticleTransformer", "pair_features"]

PAIR_FEATURES = ("ln kT", "ln z", "ln delta R", "ln m2")
"""The columns of `pair_features`."""


def pair_features(a, b, smallest=1e-8):
    """Four symmetric functions of two momenta that follow how jets branch: ln kT, ln z, ln delta R and ln m^2.

    Parameters
    ----------
    a, b : tensors
        Shape ``(..., 4)``: (E, px, py, pz) in GeV, none of them zero; leading dimensions are broadcast.
    smallest : float
        Floor under kT, z, delta R and m^2 before the logarithm: a particle paired with itself has delta R = 0.

    Returns
    -------
    tensor
        Shape ``(..., 4)``, columns `PAIR_FEATURES`; delta R with the rapidity y = artanh(pz / E).

    Notes
    -----
    arXiv:2202.03772, eq. (3).

    Examples
    --------
    >>> a, b = torch.tensor([5.0, 3.0, 4.0, 0.0]), torch.tensor([5.0, -3.0, -4.0, 0.0])
    >>> kt, z, delta_r, m2 = pair_features(a, b).exp()
    >>> round(kt.item(), 3), round(z.item(), 3), round(delta_r.item(), 3), round(m2.item(), 3)
    (15.708, 0.5, 3.142, 100.0)
    """

    def coordinates(momenta):
        energy, px, py, pz = momenta.unbind(-1)
        return torch.hypot(px, py), 0.5 * torch.log1p(2 * pz / (energy - pz).clamp(min=1e-20)), torch.atan2(py, px)

    (pt_a, rapidity_a, phi_a), (pt_b, rapidity_b, phi_b) = coordinates(a), coordinates(b)
    turn = (phi_a - phi_b + torch.pi) % (2 * torch.pi) - torch.pi
    squared_distance = (rapidity_a - rapidity_b) ** 2 + turn**2
    softer = torch.minimum(pt_a, pt_b)
    energy, px, py, pz = (a + b).unbind(-1)
    return torch.stack(
        [
            # logarithms of squares, so that no square root has an infinite slope at delta R = 0
            0.5 * (softer**2 * squared_distance).clamp(min=smallest**2).log(),
            (softer / (pt_a + pt_b)).clamp(min=smallest).log(),
            0.5 * squared_distance.clamp(min=smallest**2).log(),
            (energy**2 - (px**2 + py**2 + pz**2)).clamp(min=smallest).log(),
        ],
        dim=-1,
    )


class AttentionBlock(nn.Module):
    """Attention, then a network on each row, each added to what came in: figure 3(b) and (c) of arXiv:2202.03772.

    The layer norms behind the attention and inside the network, and the learned scales of the heads and of the second
    sum, are those of NormFormer (arXiv:2110.09456).

    Parameters
    ----------
    width, heads : int
        Length of a row; number of heads that share it.
    dropout : float
        Fraction of numbers set to zero in training, in the network and in what is added.
    """

    def __init__(self, width, heads, dropout=0.0):
        super().__init__()
        self.before_attention = nn.LayerNorm(width)
        self.query, self.key_value = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.mix = nn.Linear(width, width)
        self.head_scale = nn.Parameter(torch.ones(heads))
        self.after_attention = nn.Sequential(nn.LayerNorm(width), nn.Dropout(dropout))
        self.network = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 4 * width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.LayerNorm(4 * width),
            nn.Linear(4 * width, width),
            nn.Dropout(dropout),
        )
        self.residual_scale = nn.Parameter(torch.ones(width))

    def forward(self, rows, attend, particles=None):
        """Update rows ``(m, width)`` by what they find in each other, or in themselves and in `particles`.

        ``attend(query, key, value)`` takes packed rows and keeps the jets apart.
        """
        if particles is None:
            query = source = self.before_attention(rows)
        else:
            query, source = rows, self.before_attention(torch.cat([rows, particles]))
        found = self.mix(attend(self.query(query), *self.key_value(source).chunk(2, dim=-1)))
        found = found * self.head_scale.repeat_interleave(found.shape[-1] // len(self.head_scale))
        rows = rows + self.after_attention(found)
        return self.residual_scale * rows + self.network(rows)


class ParticleTransformer(nn.Module):
    """Particle Transformer (ParT).

    All linear layers and normalisations see real particles and real pairs only (packed), the symmetric pairs once.
    The attention itself needs rectangles: the jets are sorted by size and padded within groups of similar ones.

    Parameters
    ----------
    inputs : int
        Features of a particle.
    width, heads : int
        Length of the vector that stands for a particle; number of heads that share it.
    layers, class_layers : int
        Blocks in which the particles attend to each other; blocks in which the class token attends to them.
    pair_hidden : tuple of int
        Hidden layers of the network that turns the four pair features into one bias for each head.
    dropout : float
        In the particle blocks (residuals, networks and attention weights).
    buckets : int
        On a CPU, groups of jets of similar size; one is ordinary padding, more save work where sizes differ.
    outputs : int
        Logits of a jet.

    Raises
    ------
    ValueError
        If a size is below one, or `width` is no multiple of `heads`.

    Notes
    -----
    H. Qu, C. Li and S. Qian, arXiv:2202.03772, with the settings of the published configuration.

    Examples
    --------
    >>> network = ParticleTransformer(inputs=7, width=64, heads=4, layers=3, class_layers=1, pair_hidden=(32, 32))
    >>> features, momenta = torch.zeros(2, 5, 7), torch.tensor([5.0, 3.0, 4.0, 0.0]).repeat(2, 5, 1)
    >>> network(features, momenta, torch.tensor([[True] * 5, [True] * 3 + [False] * 2])).shape
    torch.Size([2, 1])
    """

    def __init__(
        self,
        inputs=7,
        width=128,
        heads=8,
        layers=8,
        class_layers=2,
        pair_hidden=(64, 64, 64),
        dropout=0.1,
        buckets=4,
        outputs=1,
    ):
        super().__init__()
        sizes = {"inputs": inputs, "width": width, "heads": heads, "layers": layers, "class_layers": class_layers}
        for name, value in {**sizes, "buckets": buckets, "outputs": outputs}.items():
            check_count(name, value)
        check_between("dropout", dropout, 0, 1, include_low=True)
        if width % heads:
            raise ValueError(f"width: found {width}, expected a multiple of the {heads} heads")
        self.inputs, self.heads, self.buckets, self.dropout = inputs, heads, buckets, dropout
        steps = [nn.BatchNorm1d(inputs)]
        for size, new in pairwise((inputs, width, 4 * width, width)):
            steps += [nn.LayerNorm(size), nn.Linear(size, new), nn.GELU()]
        self.embedding = nn.Sequential(*steps)
        sizes = (len(PAIR_FEATURES), *pair_hidden, heads)
        steps = [nn.BatchNorm1d(sizes[0])]
        for size, new in pairwise(sizes):
            steps += [nn.Linear(size, new), nn.BatchNorm1d(new), nn.GELU()]
        self.pair_embedding = nn.Sequential(*steps)
        self.blocks = nn.ModuleList(AttentionBlock(width, heads, dropout) for _ in range(layers))
        self.class_blocks = nn.ModuleList(AttentionBlock(width, heads) for _ in range(class_layers))
        self.class_token = nn.Parameter(torch.empty(width))
        nn.init.trunc_normal_(self.class_token, std=0.02)
        self.output = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, outputs))

    def forward(self, features, momenta, mask):
        """Return logits ``(n, outputs)``.

        Parameters
        ----------
        features : tensor
            Shape ``(n, particles, inputs)``; the padding is never looked at.
        momenta : tensor
            Shape ``(n, particles, 4)``: (E, px, py, pz) in GeV; the padding is never looked at.
        mask : tensor
            Shape ``(n, particles)``, bool: True for real particles.
        """
        check_array("features", features, ("n", "particles", self.inputs), finite=False)
        check_array("momenta", momenta, (*features.shape[:2], 4), finite=False)
        check_mask(mask, features.shape[:2])
        order = mask.sum(1).argsort()
        packing = Packing(mask[order])
        attend = self._attention(packing.count, packing.pack(momenta[order]))
        particles = self.embedding(packing.pack(features[order]))
        for block in self.blocks:
            particles = block(particles, attend)
        tokens = self.class_token.expand(len(mask), -1)
        padded = F.pad(packing.mask, (1, 0), value=True)

        def attend_to_particles(query, key, value):
            # the first n keys are those of the class tokens themselves
            key, value = (torch.cat([x[: len(mask), None], packing.pad(x[len(mask) :])], dim=1) for x in (key, value))
            return self._attend(query[:, None], key, value, padded[:, None, None])[:, 0]

        for block in self.class_blocks:
            tokens = block(tokens, attend_to_particles, particles)
        return self.output(tokens)[order.argsort()]

    def _attend(self, query, key, value, bias, dropout=0.0):
        """Multi-head attention on rectangles ``(n, rows, width)``."""
        heads = (x.unflatten(-1, (self.heads, -1)).transpose(1, 2) for x in (query, key, value))
        dropout = dropout if self.training else 0.0
        return F.scaled_dot_product_attention(*heads, bias, dropout).transpose(1, 2).flatten(2)

    def _attention(self, count, momenta):
        """Return the function that lets the particles of each jet attend to each other, with the bias of the pairs."""
        counts = cut(count, self.buckets)
        totals = [int(part.sum()) for part in counts]
        packings, places, features = [], [], []
        for part, packed in zip(counts, momenta.split(totals), strict=True):
            packings.append(Packing(torch.arange(int(part.max()), device=part.device) < part[:, None]))
            real, padded = packings[-1].mask, packings[-1].pad(packed)
            jet, i, j = (real[:, :, None] & real[:, None]).tril().nonzero().unbind(1)
            places.append((jet, i, j))
            features.append(pair_features(padded[jet, i], padded[jet, j]))
        # one network for all, so that its batch norms see every pair
        values = self.pair_embedding(torch.cat(features)).split([len(part) for part in features])
        biases = [self._bias(*parts) for parts in zip(values, places, packings, strict=True)]

        def attend(*packed):
            found = []
            for packing, bias, *parts in zip(packings, biases, *(x.split(totals) for x in packed), strict=True):
                found.append(packing.pack(self._attend(*map(packing.pad, parts), bias, self.dropout)))
            return torch.cat(found)

        return attend

    def _bias(self, values, place, packing):
        """Spread the values ``(pairs, heads)`` over ``(n, heads, particles, particles)``; no one sees the padding."""
        (jet, i, j), (n, longest) = place, packing.mask.shape
        bias = values.new_zeros(n, longest, longest, self.heads)
        bias[jet, i, j] = values
        bias[jet, j, i] = values
        return bias.permute(0, 3, 1, 2).masked_fill(~packing.mask[:, None, None], -torch.inf).contiguous()
