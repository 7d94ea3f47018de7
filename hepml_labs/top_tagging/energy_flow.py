"""The energy-flow network: a deep set that is infrared and collinear safe."""

from torch import nn

from hepml_labs.nn import MLP, Packing, check_mask
from hepml_labs.validation import check_array, check_between, check_count

__all__ = ["EnergyFlowNetwork"]


class EnergyFlowNetwork(nn.Module):
    r"""Function of a set of particles in which soft ones do not count and collinear ones count as their sum.

    .. math:: O(\{p_1, \ldots, p_M\}) = F\left(\sum_{i=1}^M z_i\, \Phi(\hat p_i)\right)

    with two networks: Phi sees the direction of one particle at a time, the share z of the momentum weighs it, and F
    sees the sum. Komiske, Metodiev and Thaler, arXiv:1810.05165, equation 1.2; with the default sizes and two outputs
    it has the 82,358 parameters of the network in the top-tagging landscape, arXiv:1902.09914.

    Parameters
    ----------
    inputs : int
        Components of each direction: two, the angles to the jet axis. Anything else that is handed over here has to be
        the same for the two halves of a split particle.
    latent : int
        Size of the sum: the number of observables that the network may form.
    hidden : tuple of int
        Widths of the hidden layers of Phi.
    head : tuple of int
        Widths of the hidden layers of F.
    dropout : float
        Probability to drop a hidden unit of F in training, in [0, 1).
    angle : float
        Angle that Phi takes for its unit, in radians, so that it starts with inputs of order one.
    outputs : int
        Logits.

    Raises
    ------
    ValueError
        If a size is no positive whole number, shapes do not fit, or a mask leaves a set empty.

    Notes
    -----
    Shapes: shares ``(n, particles)``, angles ``(n, particles, inputs)``, mask ``(n, particles)`` (True for real
    particles; the padding may hold anything and lie anywhere), result ``(n, outputs)``.

    Examples
    --------
    >>> import torch
    >>> _ = torch.manual_seed(0)
    >>> network, angles = EnergyFlowNetwork().eval(), torch.tensor([[[0.1, 0.0], [0.1, 0.0], [-0.3, 0.2]]])
    >>> one = network(torch.tensor([[0.7, 0.0, 0.3]]), angles, torch.tensor([[True, False, True]]))
    >>> split = network(torch.tensor([[0.5, 0.2, 0.3]]), angles, torch.tensor([[True, True, True]]))
    >>> torch.allclose(one, split)
    True
    """

    def __init__(
        self, inputs=2, latent=256, hidden=(100, 100), head=(100, 100, 100), dropout=0.0, angle=0.2, outputs=1
    ):
        super().__init__()
        check_count("latent", latent)
        check_between("angle", angle, 0, float("inf"))
        self.inputs, self.angle = inputs, angle
        self.phi = nn.Sequential(MLP(inputs, latent, hidden, nn.ReLU), nn.ReLU())
        self.f = MLP(latent, outputs, head, nn.ReLU, dropout)

    def filters(self, angles):
        """Evaluate Phi for directions ``(..., inputs)``: ``(..., latent)``, one picture for each observable."""
        check_array("angles", angles, (..., self.inputs), finite=False)
        return self.phi(angles / self.angle)

    def observables(self, shares, angles, mask):
        """Sum z Phi over the particles: ``(n, latent)``, what F knows of a jet (equation 2.5)."""
        check_array("angles", angles, ("n", "particles", self.inputs), finite=False)
        check_array("shares", shares, tuple(angles.shape[:2]), finite=False)
        check_mask(mask, angles.shape[:2])
        packing = Packing(mask)
        return packing.sum(packing.pack(shares)[:, None] * self.filters(packing.pack(angles)))

    def forward(self, shares, angles, mask):
        """Map a batch of sets to logits ``(n, outputs)``."""
        return self.f(self.observables(shares, angles, mask))
