"""A flavour tagger with auxiliary tasks: the flavour of a jet, the origin of each track, and tracks with one vertex."""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from hepml_labs.datasets.heavy_flavor import BOTTOM, CHARM, LIGHT, ORIGINS
from hepml_labs.nn import MLP, Packing, check_mask, trim
from hepml_labs.top_tagging.particle_transformer import AttentionBlock
from hepml_labs.validation import check_array, check_between, check_count

__all__ = ["FLAVOURS", "INPUTS", "FlavourTagger", "Tasks", "flavour_loss", "jet_tensors", "same_vertex", "task_losses"]

FLAVOURS = ("light", "c", "b")
"""The classes of jets, in the order of the logits and of the labels of `jet_tensors`."""

INPUTS = (
    *("ln pT(jet)", "eta(jet)", "ln p", "d eta", "d phi", "d0", "z0 sin theta"),
    *("ln sigma(q/p)", "ln sigma(theta)", "ln sigma(phi)", "ln sigma(d0)", "ln sigma(z0 sin theta)"),
    *("arsinh s(d0)", "arsinh s(z0 sin theta)"),
)
"""What the network sees of each track: the jet's momentum is repeated, as in GN1."""


class Tasks(NamedTuple):
    """Logits of the three tasks, or a loss for each.

    Attributes
    ----------
    flavour : tensor
        Logits ``(n, 3)`` in the order of `FLAVOURS`.
    origin : tensor
        Logits ``(n, tracks, 7)`` in the order of `hepml_labs.datasets.heavy_flavor.ORIGINS`.
    vertex : tensor
        Logits ``(n, tracks, tracks)``: two tracks come from one vertex. Symmetric; zero on the diagonal and in the
        padding.
    """

    flavour: torch.Tensor
    origin: torch.Tensor
    vertex: torch.Tensor


def jet_tensors(jets):
    """Turn jets of the set ``heavy_flavor`` into inputs and targets. Jets without tracks are left out.

    Parameters
    ----------
    jets : dict of arrays
        From ``hepml_labs.datasets.load("heavy_flavor")``.

    Returns
    -------
    tuple of tensors
        tracks ``(n, t, 14)`` (`INPUTS`, zeros in the padding), mask ``(n, t)`` (bool), flavour ``(n,)`` (index in
        `FLAVOURS`), origin ``(n, t)`` and vertex ``(n, t)`` (whole numbers, -1 for none), with the t tracks of the
        largest jet.

    Notes
    -----
    The inputs of GN1 :cite:`atlas2022graph`, without the hits. Numbers that span decades enter as logarithms, and
    significances as arsinh, which is linear near zero and a logarithm with a sign far away.

    Examples
    --------
    >>> from hepml_labs.datasets import load
    >>> [tuple(tensor.shape)[:1] for tensor in jet_tensors(load("heavy_flavor", split="test", n=50))]
    [(50,), (50,), (50,), (50,), (50,)]
    """
    mask = torch.as_tensor(np.asarray(jets["origin"]) >= 0)
    full = mask.any(1)
    mask = mask[full]
    targets = [torch.as_tensor(np.asarray(jets[name]), dtype=torch.int64)[full] for name in ("origin", "vertex")]
    flavour = torch.as_tensor(np.searchsorted([LIGHT, CHARM, BOTTOM], jets["flavor"]))[full]
    tracks = torch.as_tensor(np.asarray(jets["tracks"]), dtype=torch.float32)[full]
    _, px, py, pz = torch.as_tensor(np.asarray(jets["jet"]), dtype=torch.float32)[full].T
    pt = torch.hypot(px, py)
    curvature, direction, sigma, significance = tracks.split([1, 4, 5, 2], dim=-1)
    jet = torch.stack([pt.log(), torch.arcsinh(pz / pt)], dim=-1)[:, None].expand(-1, mask.shape[1], -1)
    rows = torch.cat([jet, -curvature.abs().log(), direction, sigma.log(), significance.arcsinh()], dim=-1)
    mask, rows, *targets = trim(mask, rows.masked_fill(~mask[..., None], 0), *targets)
    return rows, mask, flavour, *targets


class FlavourTagger(nn.Module):
    """Tracks in, three answers out: a transformer on the tracks of a jet with one head for each task.

    Each track passes a small network with the jet's momentum, then the tracks attend to each other. A mean over the
    tracks with learned weights stands for the jet. From it comes the flavour; from it and a track, the track's origin;
    from it and a symmetric function of two tracks, whether they share a vertex.

    Parameters
    ----------
    inputs : int
        Features of a track.
    width, heads, layers : int
        Length of the vector that stands for a track; attention heads that share it; blocks of attention.
    dropout : float
        In the blocks.

    Raises
    ------
    ValueError
        If a size is below one, or `width` is no multiple of `heads`.

    Notes
    -----
    After GN1 :cite:`atlas2022graph` (tasks, pooling) and GN2 :cite:`atlas2025transformer` (transformer). The blocks
    are those of `ParticleTransformer`; all but the attention itself sees real tracks and real pairs only.

    Examples
    --------
    >>> network = FlavourTagger(width=16, heads=2, layers=1)
    >>> tracks, mask = torch.zeros(2, 3, 14), torch.tensor([[True] * 3, [True, False, False]])
    >>> [tuple(logits.shape) for logits in network(tracks, mask)]
    [(2, 3), (2, 3, 7), (2, 3, 3)]
    """

    def __init__(self, inputs=14, width=64, heads=4, layers=3, dropout=0.0):
        super().__init__()
        for name, value in {"inputs": inputs, "width": width, "heads": heads, "layers": layers}.items():
            check_count(name, value)
        check_between("dropout", dropout, 0, 1, include_low=True)
        if width % heads:
            raise ValueError(f"width: found {width}, expected a multiple of the {heads} heads")
        self.inputs, self.heads = inputs, heads
        self.initialiser = nn.Sequential(nn.BatchNorm1d(inputs), MLP(inputs, width, (2 * width,)))
        self.blocks = nn.ModuleList(AttentionBlock(width, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.importance = nn.Linear(width, 1)
        self.flavour = MLP(width, len(FLAVOURS), (width,))
        self.origin = MLP(2 * width, len(ORIGINS), (width,))
        self.vertex = MLP(3 * width, 1, (width,))

    def forward(self, tracks, mask):
        """Return the logits of all `Tasks`.

        Parameters
        ----------
        tracks : tensor
            Shape ``(n, tracks, inputs)``; the padding is never looked at.
        mask : tensor
            Shape ``(n, tracks)``, bool: True for real tracks.
        """
        check_array("tracks", tracks, ("n", "tracks", self.inputs), finite=False)
        check_mask(mask, tracks.shape[:2])
        packing = Packing(mask)

        def attend(*packed):
            heads = (packing.pad(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for x in packed)
            found = F.scaled_dot_product_attention(*heads, mask[:, None, None])
            return packing.pack(found.transpose(1, 2).flatten(2))

        rows = self.initialiser(packing.pack(tracks))
        for block in self.blocks:
            rows = block(rows, attend)
        rows = self.norm(rows)
        weight = packing.pad(self.importance(rows), -torch.inf).softmax(dim=1)
        padded = packing.pad(rows)
        jet = (weight * padded).sum(1)
        origin = self.origin(torch.cat([rows, jet[packing.owner]], dim=-1))

        number, i, j = (mask[:, :, None] & mask[:, None]).triu(1).nonzero().unbind(1)
        first, second = padded[number, i], padded[number, j]
        combined = torch.cat([first + second, (first - second) ** 2, jet[number]], dim=-1)
        # jets of one track have no pairs
        pairs = self.vertex(combined)[:, 0] if len(number) else combined.new_zeros(0)
        vertex = pairs.new_zeros(*mask.shape, mask.shape[1]).index_put((number, i, j), pairs)
        return Tasks(self.flavour(jet), packing.pad(origin), vertex + vertex.mT)


def same_vertex(vertex):
    """Say which pairs of tracks come from one vertex.

    Parameters
    ----------
    vertex : tensor
        Shape ``(n, tracks)``: number of the vertex of each track, -1 for none (padding, pile-up, fake).

    Returns
    -------
    tensor
        Shape ``(n, tracks, tracks)``, bool.

    Examples
    --------
    >>> same_vertex(torch.tensor([[0, 0, -1, -1]]))[0].sum().item()
    4
    """
    return (vertex[:, :, None] == vertex[:, None]) & (vertex >= 0)[:, None]


def task_losses(logits, mask, flavour, origin, vertex):
    """Cross-entropy of each task: a mean over jets, over tracks, and over pairs of different tracks.

    Parameters
    ----------
    logits : Tasks
    mask, flavour, origin, vertex : tensor
        From `jet_tensors`.

    Returns
    -------
    Tasks
        Three scalars. Without a single pair the loss of the vertices is zero.

    Examples
    --------
    >>> logits = Tasks(torch.zeros(1, 3), torch.zeros(1, 2, 7), torch.zeros(1, 2, 2))
    >>> one, two = torch.ones(1, dtype=torch.int64), torch.zeros(1, 2, dtype=torch.int64)
    >>> [round(value.exp().item(), 3) for value in task_losses(logits, two == 0, one, two, two)]
    [3.0, 7.0, 2.0]
    """
    pairs = (mask[:, :, None] & mask[:, None]).triu(1)
    # a sum over no pairs is zero; a mean would be 0 / 0
    compatible = F.binary_cross_entropy_with_logits(
        logits.vertex[pairs], same_vertex(vertex)[pairs].to(logits.vertex), reduction="sum"
    )
    return Tasks(
        F.cross_entropy(logits.flavour, flavour),
        F.cross_entropy(logits.origin[mask], origin[mask]),
        compatible / pairs.sum().clamp(min=1),
    )


def flavour_loss(origin_weight=0.5, vertex_weight=1.5):
    """Return the combined loss of `FlavourTagger` for `hepml_labs.training.fit`.

    Parameters
    ----------
    origin_weight, vertex_weight : float
        Weights of the auxiliary tasks, relative to the flavour. With zeros the network learns the flavour alone.

    Returns
    -------
    callable
        ``loss(model, tracks, mask, flavour, origin, vertex)``, with the tensors of `jet_tensors`.

    Notes
    -----
    L = L_jet + alpha L_vertex + beta L_track with alpha = 1.5 and beta = 0.5, as in GN1 :cite:`atlas2022graph`. We
    leave out the weights that GN1 gives to rare classes of tracks and pairs.

    Examples
    --------
    >>> flavour_loss(vertex_weight=-1.0)
    Traceback (most recent call last):
    ...
    ValueError: vertex_weight: found -1.0, expected a number in [0, inf)
    """
    check_between("origin_weight", origin_weight, 0, np.inf, include_low=True)
    check_between("vertex_weight", vertex_weight, 0, np.inf, include_low=True)

    def loss(model, tracks, mask, flavour, origin, vertex):
        mask, tracks, origin, vertex = trim(mask, tracks, origin, vertex)
        losses = task_losses(model(tracks, mask), mask, flavour, origin, vertex)
        return losses.flavour + origin_weight * losses.origin + vertex_weight * losses.vertex

    return loss
