"""LoLa: linear combinations of four-momenta, their Lorentz invariants, and a dense network on those."""

import torch
from torch import nn

from hepml_labs.nn import MLP, check_mask
from hepml_labs.physics.kinematics import pt
from hepml_labs.validation import check_array, check_count

UNIT = 100.0  # GeV: momenta, and with them masses and distances, become of order one


class LoLa(nn.Module):
    r"""Combination layer, Lorentz layer and dense network (Butter et al., arXiv:1707.08966).

    The **combination layer** (equations 7 to 9) appends M trainable linear combinations to the N constituents of
    highest transverse momentum and to their sum,

    .. math:: \tilde k_j = \sum_i k_i C_{ij}, \qquad C = (1 | \mathbb{1}_N | C^\text{trainable}_{N \times M}) .

    The **Lorentz layer** (equation 10) replaces each of the 1 + N + M four-momenta by seven numbers,

    .. math:: \tilde k_j \to \Bigl(m^2(\tilde k_j),\ p_T(\tilde k_j),\ \sum_m w^{(E)}_{jm} E(\tilde k_m),\
        \sum_m w^{(d)}_{jm} d^2_{jm}\ (2\times),\ \min_m w^{(d)}_{jm} d^2_{jm}\ (2\times)\Bigr), \qquad
        d^2_{jm} = (\tilde k_j - \tilde k_m)^2

    with the Minkowski square and independent weights in each copy.

    Parameters
    ----------
    particles : int
        N. Softer constituents are left out, missing ones are zero vectors.
    combinations : int
        M.
    hidden : tuple of int
        Widths of the dense network.
    dropout : float
        Probability to drop a hidden unit in training.
    outputs : int
        Number of outputs (logits).

    Raises
    ------
    ValueError
        Naming the argument.

    Notes
    -----
    Shapes: momenta ``(n, p, 4)`` as (E, px, py, pz) in GeV and mask ``(n, p)`` for any p; result ``(n, outputs)``.
    The layers know particles by their rank. They are sorted by transverse momentum inside, so that the order of the
    input does not matter. The network sees transverse momenta and energies beside invariants, so it is *not* invariant
    under boosts. Invariants spread over many decades: before the dense network each is compressed by asinh and
    normalised over the batch, which the paper does not say and which trains faster.

    Examples
    --------
    >>> network = LoLa(particles=20, combinations=5).eval()
    >>> momenta, mask = torch.tensor([[[5.0, 3.0, 4.0, 0.0], [5.0, 4.0, 3.0, 0.0]]]), torch.tensor([[True, True]])
    >>> network(momenta, mask).shape, torch.allclose(network(momenta, mask), network(momenta.flip(1), mask))
    (torch.Size([1, 1]), True)
    """

    def __init__(self, particles=40, combinations=15, hidden=(100, 50), dropout=0.0, outputs=1):
        super().__init__()
        check_count("particles", particles)
        check_count("combinations", combinations)
        self.particles = particles
        total = 1 + particles + combinations
        self.combine = nn.Parameter(torch.randn(particles, combinations) / particles**0.5)
        self.energy = nn.Parameter(torch.randn(total, total) / total)
        self.summed_distance = nn.Parameter(torch.randn(2, total, total) / total)
        self.smallest_distance = nn.Parameter(torch.randn(2, total, total))
        self.normalise = nn.BatchNorm1d(7 * total)
        self.network = MLP(7 * total, outputs, hidden, activation=nn.ReLU, dropout=dropout)

    def forward(self, momenta, mask):
        """Map momenta ``(n, p, 4)`` and mask ``(n, p)`` to logits ``(n, outputs)``."""
        check_array("momenta", momenta, ("n", "p", 4), finite=False)
        check_mask(mask, momenta.shape[:2])
        features = self.lorentz_layer(*self.combination_layer(momenta / UNIT, mask))
        return self.network(self.normalise(features.asinh().flatten(1)))

    def combination_layer(self, momenta, mask):
        """Return the sum, the hardest constituents and their combinations, and which of them are no padding.

        Parameters
        ----------
        momenta : tensor
            Shape ``(n, p, 4)``.
        mask : tensor
            Shape ``(n, p)``, bool.

        Returns
        -------
        combined : tensor
            Shape ``(n, 1 + particles + combinations, 4)``.
        present : tensor
            Shape ``(n, 1 + particles + combinations)``, bool.
        """
        momenta = momenta.masked_fill(~mask[..., None], 0)
        order = pt(momenta).masked_fill(~mask, -1).argsort(dim=1, descending=True, stable=True)[:, : self.particles]
        hardest, present = momenta.take_along_dim(order[..., None], 1), mask.take_along_dim(order, 1)
        missing = self.particles - hardest.shape[1]
        hardest = nn.functional.pad(hardest, (0, 0, 0, missing))
        combinations = self.combine.T @ hardest
        combined = torch.cat([hardest.sum(1, keepdim=True), hardest, combinations], dim=1)
        # the sum and the combinations are always there
        present = nn.functional.pad(nn.functional.pad(present, (1, missing)), (0, combinations.shape[1]))
        present[:, 0] = present[:, 1 + self.particles :] = True
        return combined, present

    def lorentz_layer(self, combined, present):
        """Return the seven numbers of each vector.

        Parameters
        ----------
        combined : tensor
            Shape ``(n, total, 4)``.
        present : tensor
            Shape ``(n, total)``, bool: a distance to a missing constituent counts as zero.

        Returns
        -------
        tensor
            Shape ``(n, 7, total)``.
        """
        products = combined @ (combined * combined.new_tensor([1, -1, -1, -1])).mT
        square = products.diagonal(dim1=1, dim2=2)
        distance = square[:, :, None] + square[:, None, :] - 2 * products
        distance = distance * (present[:, :, None] & present[:, None, :])
        transverse = pt(combined)
        energy = combined[..., 0] @ self.energy.T
        summed = [(weight * distance).sum(2) for weight in self.summed_distance]
        smallest = [(weight * distance).amin(2) for weight in self.smallest_distance]
        return torch.stack([square, transverse, energy, *summed, *smallest], dim=1)
