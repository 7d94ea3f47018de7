"""LorentzNet: a graph network of four-vectors whose messages are Lorentz invariant, arXiv:2201.08187."""

import torch
from torch import nn
from torch.nn.functional import dropout

from hepml_labs.nn.sets import check_mask
from hepml_labs.physics.kinematics import minkowski_product
from hepml_labs.top_tagging.pair_buckets import METRIC, cut_by_size, normalisation
from hepml_labs.validation import check_array, check_between, check_count

__all__ = ["LorentzNet"]

BEAMS = ((2**0.5, 0.0, 0.0, 1.0), (2**0.5, 0.0, 0.0, -1.0))  # mass 1, as in the authors' code


class LorentzNet(nn.Module):
    """Messages m_ij between all particles, made from scalars h_i and from invariants of the four-vectors x_i.

    Parameters
    ----------
    scalars : int
        Features of each particle beside its momentum (a charge, say), which must be invariant themselves.
    width : int
        Size of the messages and of the hidden scalars h.
    layers : int
        Number of Lorentz group equivariant blocks.
    beams : bool
        Add the two beams as particles, with a tag, as the authors do for top tagging: the network then knows the
        beam axis and the rest frame of the detector, and is no longer invariant when the jet alone is transformed.
    step : float
        The factor c of the update of the four-vectors.
    dropout : float
        Probability to drop a hidden unit before the last layer, in [0, 1).
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
    Shapes: momenta ``(n, particles, 4)`` in GeV, mask ``(n, particles)``, scalars ``(n, particles, scalars)``;
    logits ``(n, outputs)``. The padding may hold anything.

    With ``beams=True, outputs=2`` this is the network of 224,072 parameters of the paper, as its authors' code has
    it, with three differences: the mean at the end is taken over real particles (theirs counts the padding), the
    components of the update are not clipped (that breaks the symmetry; it "is never activated"), and nothing is
    computed twice. The mean over j in the update and the difference x_i - x_j are theirs; the paper writes a
    sum over x_j.

    Source: Gong et al., arXiv:2201.08187, section 3.

    Examples
    --------
    >>> _ = torch.manual_seed(0)
    >>> network, momenta = LorentzNet(width=8, layers=2).double().eval(), torch.rand(2, 5, 4, dtype=torch.float64)
    >>> mask = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    >>> rotated = momenta[..., [0, 2, 3, 1]]
    >>> torch.allclose(network(momenta, mask), network(rotated, mask), atol=1e-10)
    True
    """

    def __init__(self, scalars=0, width=72, layers=6, beams=False, step=5e-3, dropout=0.2, outputs=1, buckets=8):
        super().__init__()
        check_count("scalars", scalars, minimum=0)
        for name, size in [("width", width), ("layers", layers), ("outputs", outputs), ("buckets", buckets)]:
            check_count(name, size)
        check_between("dropout", dropout, 0, 1, include_low=True)
        self.scalars, self.beams, self.buckets, self.dropout = scalars, beams, buckets, dropout
        inputs = scalars + 1 + beams
        self.embedding = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList(
            LorentzBlock(inputs, width, step, last=layer == layers - 1) for layer in range(layers)
        )
        self.hidden, self.output = nn.Linear(width, width), nn.Linear(width, outputs)

    def forward(self, momenta, mask, scalars=None):
        """Map a batch of jets to logits ``(n, outputs)``."""
        check_array("momenta", momenta, ("n", "particles", 4), finite=False)
        check_mask(mask, momenta.shape[:2])
        if (scalars is None) != (self.scalars == 0):
            raise ValueError(f"scalars: found {type(scalars).__name__}, expected {self.scalars} features")
        if scalars is not None:
            check_array("scalars", scalars, (*mask.shape, self.scalars), finite=False)
        # features of particles: psi(mass) of the jet's particles, of the beams (a tag), and what the user gives
        mass = psi(mass_above_rounding(momenta))[..., None]
        features = [mass, *([torch.zeros_like(mass)] if self.beams else []), *([] if scalars is None else [scalars])]
        features = torch.cat(features, dim=-1)
        if self.beams:
            momenta = torch.cat([momenta.new_tensor(BEAMS).expand(len(mask), 2, 4), momenta], dim=1)
            mask = torch.cat([mask.new_ones(len(mask), 2), mask], dim=1)
            tag = features.new_zeros(len(mask), 2, features.shape[-1])
            tag[..., 1] = psi(tag.new_ones(()))
            features = torch.cat([tag, features], dim=1)
        order, packing, buckets = cut_by_size(mask, self.buckets)
        position, features = packing.pack(momenta[order]), packing.pack(features[order])
        h = self.embedding(features)
        for block in self.blocks:
            h, position = block(h, features, position, buckets)
        hidden = dropout(self.hidden(packing.mean(h)).relu(), self.dropout, self.training)
        return self.output(hidden)[order.argsort()]


def mass_above_rounding(momenta):
    """Mass of four-vectors ``(..., 4)``, zero where E^2 - p^2 is no larger than its rounding.

    That rounding grows with the energy: from massless particles a network would read the energy, which is no invariant.
    """
    square = minkowski_product(momenta, momenta)
    heavy = square > 8 * torch.finfo(square.dtype).eps * momenta[..., 0] ** 2
    return square.where(heavy, 1).sqrt().where(heavy, 0)


def psi(x):
    """Compress large values of both signs, sgn(x) log(|x| + 1): the paper's function psi."""
    return x.sign() * x.abs().log1p()


class LorentzBlock(nn.Module):
    """Lorentz group equivariant block: messages, their weights, and the updates of h and x.

    phi_e starts with a linear layer on (h_i, h_j, two invariants). It is a sum A h_i + B h_j + C s_ij, so that A and B
    are applied to particles, not to pairs; and the mean and variance that the batch normalisation behind it needs
    follow from sums over particles, so that normalising costs nothing on pairs.
    """

    def __init__(self, features, width, step, last):
        super().__init__()
        self.step, self.last = step, last
        self.of_i, self.of_j = nn.Linear(width, width, bias=False), nn.Linear(width, width, bias=False)
        self.of_invariants = nn.Linear(2, width, bias=False)
        bound = (2 * width + 2) ** -0.5  # of the one layer that the three are parts of
        for part in (self.of_i, self.of_j, self.of_invariants):
            nn.init.uniform_(part.weight, -bound, bound)
        self.norm = nn.BatchNorm1d(width)
        self.message = nn.Linear(width, width)
        self.weight = nn.Linear(width, 1)
        self.phi_h = nn.Sequential(
            nn.Linear(2 * width + features, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, width)
        )
        if not last:  # nothing reads the four-vectors behind the last block
            self.phi_x = nn.Linear(width, width), nn.Linear(width, 1, bias=False)
            self.phi_x = nn.ModuleList(self.phi_x)
            nn.init.xavier_uniform_(self.phi_x[1].weight, gain=0.001)

    def forward(self, h, features, position, buckets):
        """Return the new scalars h ``(total, width)`` and four-vectors x ``(total, 4)``."""
        x = [bucket.pad(position) for bucket in buckets]
        pairs = [bucket.both_orders(position.dtype) for bucket in buckets]
        s = [invariants(vectors) * real for vectors, real in zip(x, pairs, strict=True)]
        a, b, c = self._normalised(self.of_i(h), self.of_j(h), s, buckets)
        summed, moved = [], []
        for bucket, vectors, real, invariant in zip(buckets, x, pairs, s, strict=True):
            start = bucket.pad(a)[..., :, None] + bucket.pad(b)[..., None, :]
            shape = start.shape
            # phi_e, phi_m: m_ij = phi_m(phi_e) phi_e
            m = torch.addmm(start.flatten(1), c, invariant.flatten(1)).relu_()
            m = linear(self.message, m).relu_()
            m = m * (linear(self.weight, m).sigmoid() * real.flatten())
            summed.append(bucket.pack(m.view(shape).sum(-1)))
            if not self.last:
                t = linear(self.phi_x[1], linear(self.phi_x[0], m).relu_()).view(shape[1:]) * real
                partners = (bucket.count - 1).clamp(min=1)[:, None]
                # sum over j of t_ij (x_i - x_j)
                shift = vectors * t.sum(-1) - (t @ vectors.permute(1, 2, 0)).permute(2, 0, 1)
                moved.append(bucket.pack(shift / partners))
        h = h + self.phi_h(torch.cat([h, torch.cat(summed), features], dim=-1))
        return h, position if self.last else position + self.step * torch.cat(moved)

    def _normalised(self, a, b, s, buckets):
        """Fold the batch normalisation of z_ij = a_i + b_j + C s_ij over all real pairs into a, b and C.

        With everything centred, sum z^2 = sum_i (N - 1)(a_i^2 + b_i^2) + 2 (sum_i a_i)(sum_j b_j) - 2 sum_i a_i b_i
        + 2 sum_i (a_i + b_i) C S_i + C M C, with S_i = sum_j s_ij and M = sum_ij s_ij s_ij, N - 1 partners each.
        """
        c, norm = self.of_invariants.weight, self.norm
        if self.training:
            count = torch.cat([bucket.count for bucket in buckets])
            owner = torch.arange(len(count), device=count.device).repeat_interleave(count)
            partners = (count - 1).to(a)[owner][:, None]
            number = partners.sum().clamp(min=1)
            s_row = torch.cat([bucket.pack(part.sum(-1)) for bucket, part in zip(buckets, s, strict=True)])
            s_mean = s_row.sum(0) / number
            moment = sum(part.flatten(1) @ part.flatten(1).T for part in s) / number - s_mean[:, None] * s_mean
            a_mean, b_mean = (partners * a).sum(0) / number, (partners * b).sum(0) / number
            a0, b0, s_row = a - a_mean, b - b_mean, s_row - partners * s_mean
            jets = a.new_zeros(len(count), a.shape[1])
            cross = (jets.index_add(0, owner, a0) * jets.index_add(0, owner, b0)).sum(0) - (a0 * b0).sum(0)
            squares = (partners * (a0**2 + b0**2)).sum(0) + 2 * cross + 2 * ((a0 + b0) * (s_row @ c.T)).sum(0)
            mean, variance = a_mean + b_mean + c @ s_mean, squares / number + (c @ moment * c).sum(1)
            scale, shift = normalisation(norm, mean, variance, number)
        else:
            scale, shift = normalisation(norm, None, None, None)
        return a * scale + shift, b * scale, c * scale[:, None]


def linear(layer, pairs):
    """Apply a linear layer to pairs laid out ``(channels, pairs)``."""
    return layer.weight @ pairs if layer.bias is None else torch.addmm(layer.bias[:, None], layer.weight, pairs)


def invariants(vectors):
    """psi of (x_i - x_j)^2 and of x_i x_j: ``(4, n, particles)`` to ``(2, n, i, j)``."""
    rows = vectors.permute(1, 2, 0)
    dots = (rows * rows.new_tensor(METRIC)) @ rows.mT
    squares = dots.diagonal(dim1=1, dim2=2)
    return psi(torch.stack([squares[:, :, None] + squares[:, None, :] - 2 * dots, dots]))
