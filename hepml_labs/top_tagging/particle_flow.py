"""The particle-flow network: a deep set whose elements are the particles of a jet."""

from torch import nn

from hepml_labs.nn import MLP, Packing, check_mask
from hepml_labs.validation import check_array, check_between, check_count

__all__ = ["ParticleFlowNetwork"]


class ParticleFlowNetwork(nn.Module):
    r"""Function of a set of particles, whatever their order and their number.

    .. math:: O(\{p_1, \ldots, p_M\}) = F\left(\sum_{i=1}^M \Phi(p_i)\right)

    with two networks: Phi sees one particle at a time, F sees the sum. Komiske, Metodiev and Thaler,
    arXiv:1810.05165, equation 1.1; with the default sizes, three inputs and two outputs it has the 82,458 parameters
    of the network in the top-tagging landscape, arXiv:1902.09914.

    Parameters
    ----------
    inputs : int
        Features of each particle.
    latent : int
        Size of the sum: the number of observables that the network may form.
    hidden : tuple of int
        Widths of the hidden layers of Phi.
    head : tuple of int
        Widths of the hidden layers of F.
    dropout : float
        Probability to drop a hidden unit of F in training, in [0, 1).
    typical : float
        Number of particles of a typical set. The sum is taken in units of it, so that F starts with inputs of order
        one; it is a constant that F could absorb, not the number of particles of the set at hand.
    outputs : int
        Logits.

    Raises
    ------
    ValueError
        If a size is no positive whole number, shapes do not fit, or a mask leaves a set empty.

    Notes
    -----
    Shapes: features ``(n, particles, inputs)``, mask ``(n, particles)`` (True for real particles; the padding may hold
    anything and lie anywhere), result ``(n, outputs)``. Phi is evaluated on real particles only.

    Examples
    --------
    >>> import torch
    >>> _ = torch.manual_seed(0)
    >>> network, features = ParticleFlowNetwork(7).eval(), torch.randn(2, 5, 7)
    >>> mask = torch.tensor([[True, True, True, False, False], [True, True, True, True, True]])
    >>> network(features, mask).shape
    torch.Size([2, 1])
    >>> torch.allclose(network(features, mask), network(features.flip(1), mask.flip(1)), atol=1e-6)
    True
    """

    def __init__(
        self, inputs, latent=256, hidden=(100, 100), head=(100, 100, 100), dropout=0.0, typical=32.0, outputs=1
    ):
        super().__init__()
        check_count("latent", latent)
        check_between("typical", typical, 0, float("inf"))
        self.inputs, self.typical = inputs, typical
        # an activation behind the last layer of Phi as well, as in the authors' code: each observable counts upwards
        self.phi = nn.Sequential(MLP(inputs, latent, hidden, nn.ReLU), nn.ReLU())
        self.f = MLP(latent, outputs, head, nn.ReLU, dropout)

    def observables(self, features, mask):
        """Sum Phi over the particles: ``(n, latent)``, what F knows of a jet (equation 2.3)."""
        check_array("features", features, ("n", "particles", self.inputs), finite=False)
        check_mask(mask, features.shape[:2])
        packing = Packing(mask)
        return packing.sum(self.phi(packing.pack(features))) / self.typical

    def forward(self, features, mask):
        """Map a batch of sets to logits ``(n, outputs)``."""
        return self.f(self.observables(features, mask))
