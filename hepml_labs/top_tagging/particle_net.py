"""ParticleNet: graphs of nearest neighbours, drawn anew in each layer, and convolutions along their edges."""

from itertools import pairwise

import torch
from torch import nn

from hepml_labs.nn.sets import Packing, check_mask, cut
from hepml_labs.validation import check_array, check_between, check_count

__all__ = ["EdgeConv", "ParticleNet", "nearest_neighbors"]

# up to this dimension distances are computed from differences: |x|^2 + |y|^2 - 2 x.y loses the small angles to rounding
_FEW_DIMENSIONS = 4


def nearest_neighbors(points, count, k, parts=8):
    """Find the nearest other points of the same set, for packed sets of different sizes.

    Parameters
    ----------
    points : tensor
        Shape ``(total, d)``: the points of all sets, one set behind the other, without padding.
    count : tensor
        Shape ``(n,)``, int: points in each set. The search is fastest for sets in order of their sizes.
    k : int
        Neighbours per point. With 0 each point is its own and only neighbour.
    parts : int
        On a CPU the batch is cut into so many parts, each padded to its own largest set.

    Returns
    -------
    tensor
        Shape ``(total, max(k, 1))``, int: positions in `points`, nearest first, never the point itself (k > 0);
        -1 where a set has too few points.

    Examples
    --------
    >>> points = torch.tensor([[0.0], [1.0], [3.0], [0.0], [2.0]])
    >>> nearest_neighbors(points, torch.tensor([3, 2]), k=2).tolist()
    [[1, 2], [0, 2], [1, 0], [4, -1], [3, -1]]
    """
    if k == 0:
        return torch.arange(len(points), device=points.device)[:, None]
    mode = "donot_use" if points.shape[1] <= _FEW_DIMENSIONS else "use"
    found, start = [], 0
    for sizes in cut(count, parts):
        column = torch.arange(int(sizes.max()), device=points.device)
        packing = Packing(column < sizes[:, None])
        first = (start + sizes.cumsum(0) - sizes)[packing.owner]
        padded = packing.pad(points[start : start + len(first)])
        distance = torch.cdist(padded, padded, compute_mode=f"{mode}_mm_for_euclid_dist")
        distance.diagonal(dim1=1, dim2=2).fill_(torch.inf)
        distance.masked_fill_(~packing.mask[:, None], torch.inf)
        near = packing.pack(distance).topk(min(k, len(column)), largest=False)
        index = torch.where(near.values < torch.inf, near.indices + first[:, None], -1)
        found.append(nn.functional.pad(index, (0, k - index.shape[1]), value=-1))
        start += len(first)
    return torch.cat(found)


class EdgeConv(nn.Module):
    r"""Edge convolution with a shortcut: figure 1 of arXiv:1902.08570, after arXiv:1801.07829.

    .. math:: x_i' = \mathrm{ReLU}\Big(S x_i + \frac{1}{|N(i)|} \sum_{j \in N(i)} h(x_i, x_j - x_i)\Big)

    with a network h of linear layers, each followed by batch normalisation over all edges and ReLU.

    Parameters
    ----------
    inputs : int
        Features per particle.
    widths : sequence of int
        Widths of the layers of h; the last one is the number of features that come out.

    Examples
    --------
    >>> layer = EdgeConv(3, (8, 16))
    >>> layer(torch.randn(5, 3), neighbors=torch.tensor([[1, 2], [0, 2], [1, 0], [4, -1], [3, -1]])).shape
    torch.Size([5, 16])
    """

    def __init__(self, inputs, widths):
        super().__init__()
        # W [x_i, x_j - x_i] = C x_i + D x_j - D x_i: the first layer is linear, so it acts on particles, not on edges
        self.center = nn.Linear(inputs, widths[0], bias=False)
        self.difference = nn.Linear(inputs, widths[0], bias=False)
        self.layers = nn.ModuleList(nn.Linear(a, b, bias=False) for a, b in pairwise(widths))
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for width in widths)
        self.shortcut = nn.Sequential(nn.Linear(inputs, widths[-1], bias=False), nn.BatchNorm1d(widths[-1]))

    def forward(self, x, neighbors):
        """Send messages along the edges: x ``(total, inputs)``, neighbors ``(total, k)`` with -1 for no edge."""
        receiver, column = (neighbors >= 0).nonzero(as_tuple=True)
        sender = neighbors[receiver, column]
        difference = self.difference(x)
        own = self.center(x) - difference
        y = own.index_select(0, receiver) + difference.index_select(0, sender)
        y = self.norms[0](y).relu_()
        for layer, norm in zip(self.layers, self.norms[1:], strict=True):
            y = norm(layer(y)).relu_()
        total = y.new_zeros(len(x), y.shape[1]).index_add(0, receiver, y)
        # a lonely particle has no neighbour and gets no message
        mean = total / (neighbors >= 0).sum(1, keepdim=True).clamp(min=1)
        return torch.relu(mean + self.shortcut(x))


class ParticleNet(nn.Module):
    """ParticleNet of Qu and Gouskos, arXiv:1902.08570 (section III and figure 2).

    Each block joins every particle to its k nearest neighbours and convolves along the edges. In the first block
    near means near in angle; in the next ones near in the features that the block before has made. Only real
    particles are neighbours, and only real particles and edges enter the batch statistics, so that padding and its
    content change nothing. (The authors' code lets padding in where a jet has no more than k particles.)

    Parameters
    ----------
    inputs : int
        Features per particle.
    blocks : sequence of (int, sequence of int)
        For each block the number of neighbours k and the widths of its layers. With k = 0 each particle sees itself
        alone: a deep set of the same widths.
    hidden : int
        Width of the layer behind the mean over all particles.
    dropout : float
        Share of hidden features dropped in training.
    outputs : int
        Logits per jet.
    dynamic : bool
        Whether neighbours are searched again in each block; otherwise all blocks use distances between `points`.

    Examples
    --------
    >>> network = ParticleNet.lite()
    >>> sum(parameter.numel() for parameter in network.parameters())
    26287
    >>> mask = torch.arange(12) < torch.tensor([[12], [5], [1]])
    >>> network(torch.randn(3, 12, 2), torch.randn(3, 12, 7), mask).shape
    torch.Size([3, 1])
    """

    def __init__(
        self,
        inputs=7,
        blocks=((16, (64, 64, 64)), (16, (128, 128, 128)), (16, (256, 256, 256))),
        hidden=256,
        dropout=0.1,
        outputs=1,
        dynamic=True,
    ):
        super().__init__()
        check_between("dropout", dropout, 0, 1, include_low=True)
        for k, _ in blocks:
            check_count("blocks: number of neighbours", k, minimum=0)
        self.inputs, self.dynamic = inputs, dynamic
        self.neighbors = tuple(k for k, _ in blocks)
        sizes = [inputs, *(widths[-1] for _, widths in blocks)]
        self.norm = nn.BatchNorm1d(inputs)
        self.convolutions = nn.ModuleList(
            EdgeConv(size, widths) for size, (_, widths) in zip(sizes, blocks, strict=False)
        )
        self.head = nn.Sequential(
            nn.Linear(sizes[-1], hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, outputs)
        )

    @classmethod
    def lite(cls, inputs=7, outputs=1, **options):
        """Build ParticleNet-lite: two blocks of 7 neighbours, widths 32 and 64 (arXiv:1902.08570, figure 2c)."""
        options = {"blocks": ((7, (32, 32, 32)), (7, (64, 64, 64))), "hidden": 128, **options}
        return cls(inputs, outputs=outputs, **options)

    def forward(self, points, features, mask):
        """Compute logits.

        Parameters
        ----------
        points : tensor
            Shape ``(n, particles, d)``: coordinates for the first graph, (delta eta, delta phi) in the paper.
        features : tensor
            Shape ``(n, particles, inputs)``.
        mask : tensor
            Shape ``(n, particles)``, bool: True for real particles. What the padding contains does not matter.

        Returns
        -------
        tensor
            Shape ``(n, outputs)``: logits.

        Raises
        ------
        ValueError
            For another shape, or a jet without particles.
        """
        x, packing, order, _ = self._convolve(points, features, mask)
        return self.head(packing.mean(x)[order.argsort()])

    def graphs(self, points, features, mask):
        """Return the graph of each block: a list of ``(n, particles, k)``, neighbours' columns and -1 for none."""
        with torch.no_grad():
            _, packing, order, found = self._convolve(points, features, mask)
        column = packing.pack(torch.arange(mask.shape[1], device=mask.device).expand(mask.shape))
        tables = [torch.where(neighbors >= 0, column[neighbors], -1) for neighbors in found]
        return [packing.pad(table, -1)[order.argsort()] for table in tables]

    def _convolve(self, points, features, mask):
        check_array("points", points, ("n", "particles", "d"), finite=False)
        check_array("features", features, (*points.shape[:2], self.inputs), finite=False)
        check_mask(mask, points.shape[:2])
        # jets of similar size side by side: then the tables of distances need little padding
        order = mask.sum(1).argsort()
        packing = Packing(mask[order])
        x, place = self.norm(packing.pack(features[order])), packing.pack(points[order])
        graphs = []
        for k, convolution in zip(self.neighbors, self.convolutions, strict=True):
            if self.dynamic or not graphs or k != graphs[-1].shape[1]:
                graphs.append(nearest_neighbors(place.detach(), packing.count, k))
            else:
                graphs.append(graphs[-1])
            x = convolution(x, graphs[-1])
            place = x if self.dynamic else place
        return x, packing, order, graphs
