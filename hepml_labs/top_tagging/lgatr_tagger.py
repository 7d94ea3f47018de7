"""A tagger on the Lorentz-equivariant geometric-algebra transformer L-GATr, arXiv:2405.14806 and 2411.00446."""

import torch
from torch import nn
from torch.nn.functional import pad

from hepml_labs.nn.sets import check_mask, in_buckets
from hepml_labs.validation import check_array, check_between, check_count

__all__ = ["LGATrTagger"]

UNIT = 20.0  # GeV: the unit of the momenta in the authors' tagging experiments


class LGATrTagger(nn.Module):
    """Attention between particles that are multivectors; a token beside them gathers the invariants of the jet.

    Needs the package lgatr, version 2 (``pip install lgatr``), by the authors of the papers.

    Parameters
    ----------
    channels : int
        Hidden multivectors of each particle; with ``slim``, hidden four-vectors.
    scalars : int
        Hidden scalars of each particle.
    blocks : int
        Number of transformer blocks.
    heads : int
        Number of attention heads.
    slim : bool
        Use L-GATr-slim, with scalars and four-vectors instead of all 16 components of a multivector: on a CPU several
        times faster.
    references : bool
        Give every particle the beam axis and the rest frame of the detector as further inputs, as in the paper: the
        network may then break the symmetry where the detector and the cuts do. Without them it is invariant.
    dropout : float
        Probability to drop a hidden unit, in [0, 1).
    outputs : int
        Number of outputs.
    buckets : int
        On a CPU the batch is cut into as many groups of jets of similar size, so that little padding is computed.

    Raises
    ------
    ImportError
        If the package lgatr is not installed.
    ValueError
        If sizes are no positive whole numbers, shapes do not fit, or a mask leaves a jet empty.

    Notes
    -----
    Shapes: momenta ``(n, particles, 4)`` in GeV, mask ``(n, particles)``; logits ``(n, outputs)``. The padding may
    hold anything.

    Without references and without dropout the result is a function of the Minkowski products p_i p_j only (and of
    their common orientation: the default of lgatr is the proper orthochronous group, without reflections).

    Source: Brehmer et al., arXiv:2411.00446 (12 blocks, 16 multivectors, 32 scalars, 8 heads; the paper's network of
    1.1 million parameters has 1.7 million in version 2 of the package). The references are the plane across the beam
    and the time direction, and for L-GATr-slim, which knows no planes, the two beams and the time direction.

    Examples
    --------
    >>> _ = torch.manual_seed(0)
    >>> network = LGATrTagger(channels=4, scalars=8, blocks=2, heads=2, slim=True, references=False).double().eval()
    >>> momenta, mask = torch.rand(2, 5, 4, dtype=torch.float64), torch.ones(2, 5, dtype=torch.bool)
    >>> rotated = momenta[..., [0, 2, 3, 1]]
    >>> torch.allclose(network(momenta, mask), network(rotated, mask), atol=1e-10)
    True
    """

    def __init__(
        self,
        channels=16,
        scalars=32,
        blocks=12,
        heads=8,
        slim=False,
        references=True,
        dropout=0.0,
        outputs=1,
        buckets=4,
    ):
        super().__init__()
        sizes = {"channels": channels, "scalars": scalars, "blocks": blocks, "heads": heads}
        for name, size in (sizes | {"outputs": outputs, "buckets": buckets}).items():
            check_count(name, size)
        check_between("dropout", dropout, 0, 1, include_low=True)
        try:
            import lgatr
        except ImportError as error:
            raise ImportError("LGATrTagger needs the package lgatr: pip install 'lgatr>=2'") from error
        self.buckets = buckets
        common = {
            "num_blocks": blocks,
            "in_s_channels": 1,
            "hidden_s_channels": scalars,
            "dropout_prob": dropout or None,
        }
        if slim:
            beams = [[1.0, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, -1.0], [1.0, 0.0, 0.0, 0.0]]
            reference = torch.tensor(beams)[: 3 * references]
            self.network = lgatr.LGATrSlim(
                in_v_channels=1 + len(reference), out_v_channels=0, hidden_v_channels=channels,
                out_s_channels=outputs, num_heads=heads, **common,
            )  # fmt: skip
        else:
            reference = lgatr.get_spurions()[: 2 * references]
            # On a CPU, other than on a GPU, an outer product and a matrix product beat the gathering of single terms,
            # and linear maps are faster without the many zeros of their basis.
            primitives = {} if torch.cuda.is_available() else {"sparse_gp": False, "sparse_linear": True}
            self.network = lgatr.LGATr(
                in_mv_channels=1 + len(reference), out_mv_channels=outputs, hidden_mv_channels=channels,
                out_s_channels=0, attention={"num_heads": heads}, mlp={}, primitives=primitives, **common,
            )  # fmt: skip
        self.register_buffer("reference", reference, persistent=False)
        self.slim = slim

    def forward(self, momenta, mask):
        """Map a batch of jets to logits ``(n, outputs)``."""
        check_array("momenta", momenta, ("n", "particles", 4), finite=False)
        check_mask(mask, momenta.shape[:2])
        return in_buckets(self._padded, mask, momenta.masked_fill(~mask[..., None], 0) / UNIT, buckets=self.buckets)

    def _padded(self, momenta, mask):
        # the token comes first: no momentum, and a scalar that tells it from the particles
        momenta, mask = pad(momenta, (0, 0, 1, 0)), pad(mask, (1, 0), value=True)
        is_token = torch.zeros_like(momenta[..., :1])
        is_token[:, 0] = 1
        vectors = momenta if self.slim else pad(momenta, (1, 11))  # the components 1 to 4 of a multivector
        reference = self.reference.expand(*mask.shape, *self.reference.shape)
        inputs = torch.cat([vectors[..., None, :], reference], dim=-2)
        multivectors, scalars = self.network(inputs, is_token, attn_mask=mask[:, None, None, :])
        # the scalar part of the token
        return scalars[:, 0] if self.slim else multivectors[:, 0, :, 0]
