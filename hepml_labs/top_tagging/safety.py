"""Infrared and collinear emissions by hand, to see whether a tagger notices them.

Both functions take padded constituents ``(n, particles, 4)``: (E, px, py, pz) in GeV, zeros for padding, and return
as many more columns as they add particles.
"""

import math

import torch

from hepml_labs.physics.kinematics import eta, phi
from hepml_labs.top_tagging.inputs import real_particles
from hepml_labs.validation import check_between, check_count

__all__ = ["add_soft", "collinear_split"]


def collinear_split(momenta, splittings=1, seed=0):
    """Replace particles by two that fly in the same direction and share the momentum.

    The limit of zero angle of a QCD splitting: an observable with O(jet) = O(split jet) is collinear safe. Each
    splitting takes one of the particles of the jet at that time, all with the same probability, and gives a uniformly
    distributed fraction of its momentum to the first half. The jet's momentum and mass do not change.

    Parameters
    ----------
    momenta : tensor
        Shape ``(n, particles, 4)``, GeV, zeros for padding.
    splittings : int
        Particles split in each jet, one after the other.
    seed : int
        Of the choice of particles and of the fractions.

    Returns
    -------
    tensor
        Shape ``(n, particles + splittings, 4)``: the second halves stand in the new columns.

    Raises
    ------
    ValueError
        For another shape, NaN, a jet without constituents, or less than one splitting.

    Examples
    --------
    >>> jet = torch.tensor([[[5.0, 3.0, 4.0, 0.0], [0.0, 0.0, 0.0, 0.0]]])
    >>> split = collinear_split(jet)
    >>> (split[0, :, 0] > 0).tolist(), round(split[0, :, 0].sum().item(), 4)
    ([True, False, True], 5.0)
    """
    check_count("splittings", splittings)
    mask = real_particles(momenta)
    random = torch.Generator().manual_seed(seed)
    row = torch.arange(len(momenta), device=momenta.device)
    for _ in range(splittings):
        # draws are made on the CPU, so that a seed means the same on every device
        draw = torch.rand(mask.shape, generator=random).to(momenta.device)
        fraction = torch.rand(len(momenta), 1, generator=random, dtype=torch.float64).to(momenta)
        chosen = draw.masked_fill(~mask, -1).argmax(1)
        parent = momenta[row, chosen]
        momenta = torch.cat([momenta, ((1 - fraction) * parent)[:, None]], dim=1)
        momenta[row, chosen] = fraction * parent
        mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
    return momenta


def add_soft(momenta, particles=1, share=1e-3, radius=0.8, seed=0):
    """Add massless particles of small momentum anywhere in the jet.

    An observable that does not change as `share` goes to zero is infrared safe.

    Parameters
    ----------
    momenta : tensor
        Shape ``(n, particles, 4)``, GeV, zeros for padding.
    particles : int
        Particles added to each jet.
    share : float
        Transverse momentum of each of them, in units of the jet's.
    radius : float
        They are spread evenly over a disc of this radius in pseudorapidity and azimuth around the jet axis.
    seed : int
        Of the directions: two calls with different shares add particles in the same directions.

    Returns
    -------
    tensor
        Shape ``(n, particles_before + particles, 4)``: the new particles stand in the new columns.

    Raises
    ------
    ValueError
        For another shape, NaN, a jet without constituents, or a number out of range.

    Examples
    --------
    >>> jet = torch.tensor([[[5.0, 3.0, 4.0, 0.0]]])
    >>> soft = add_soft(jet, particles=2, share=0.01)
    >>> soft.shape, [round(value, 4) for value in soft[0, 1:, 1:3].norm(dim=-1).tolist()]
    (torch.Size([1, 3, 4]), [0.05, 0.05])
    """
    check_count("particles", particles)
    check_between("share", share, 0, math.inf)
    check_between("radius", radius, 0, math.inf)
    real_particles(momenta)
    random = torch.Generator().manual_seed(seed)
    uniform = torch.rand(2, len(momenta), particles, generator=random, dtype=torch.float64).to(momenta)
    distance, turn = radius * uniform[0].sqrt(), 2 * math.pi * uniform[1]
    jet = momenta.sum(1, keepdim=True)
    pseudorapidity = eta(jet) + distance * turn.cos()
    azimuth = phi(jet) + distance * turn.sin()
    unit = torch.stack([pseudorapidity.cosh(), azimuth.cos(), azimuth.sin(), pseudorapidity.sinh()], dim=-1)
    transverse = jet[..., 1:3].norm(dim=-1)[..., None]
    return torch.cat([momenta, share * transverse * unit], dim=1)
