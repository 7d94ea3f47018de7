"""What taggers see of a jet: its constituents relative to the jet's axis.

All functions take padded constituents ``(n, particles, 4)``: (E, px, py, pz) in GeV, massless or not, with zeros for
padding, as `hepml_labs.datasets` gives them (`torch.as_tensor(data["constituents"])`).
"""

import math

import torch

from hepml_labs.physics.kinematics import eta, phi, pt
from hepml_labs.validation import check_array

FEATURES = ("delta eta", "delta phi", "log pT", "log E", "log pT / pT(jet)", "log E / E(jet)", "delta R")
"""The seven kinematic inputs of ParticleNet, arXiv:1902.08570, table 1, in the order of `particle_features`."""

# shift and factor that bring each feature to order one in jets of 550 to 650 GeV
_SHIFT = torch.tensor([0.0, 0.0, 1.7, 2.0, -4.7, -4.7, 0.2])
_SCALE = torch.tensor([2.5, 2.5, 0.7, 0.7, 0.7, 0.7, 4.0])


def real_particles(momenta):
    """Mark the constituents that are no padding.

    Parameters
    ----------
    momenta : tensor
        Shape ``(n, particles, 4)``, GeV, zeros for padding.

    Returns
    -------
    tensor
        Shape ``(n, particles)``, bool: whether the energy is above zero.

    Raises
    ------
    ValueError
        For another shape, NaN, or a jet without a single constituent.

    Examples
    --------
    >>> real_particles(torch.tensor([[[5.0, 3.0, 4.0, 0.0], [0.0, 0.0, 0.0, 0.0]]]))
    tensor([[ True, False]])
    """
    check_array("momenta", momenta, ("n", "particles", 4))
    mask = momenta[..., 0] > 0
    if momenta.device.type != "meta" and not mask.any(1).all():
        raise ValueError("momenta: found a jet without constituents, expected an energy above zero in each jet")
    return mask


def relative_angles(momenta):
    """Angles of the constituents relative to the axis of their jet.

    Parameters
    ----------
    momenta : tensor
        Shape ``(n, particles, 4)``, GeV, zeros for padding.

    Returns
    -------
    tensor
        Shape ``(n, particles, 2)``: differences of pseudorapidity and azimuth in radians; zeros for padding.

    Examples
    --------
    >>> jet = torch.tensor([[[5.0, 3.0, 4.0, 0.0], [5.0, 4.0, 3.0, 0.0]]])
    >>> [[round(angle, 3) for angle in particle] for particle in relative_angles(jet)[0].tolist()]
    [[0.0, 0.142], [0.0, -0.142]]
    """
    mask = real_particles(momenta)
    jet = momenta.sum(1, keepdim=True)
    # padding has no direction: any will do, so that no NaN is made
    direction = torch.where(mask[..., None], momenta, jet)
    difference = phi(direction) - phi(jet)
    wrapped = (difference + math.pi) % (2 * math.pi) - math.pi
    return torch.stack([eta(direction) - eta(jet), wrapped], dim=-1) * mask[..., None]


def momentum_shares(momenta):
    """Shares z of the constituents in the scalar sum of transverse momenta.

    Parameters
    ----------
    momenta : tensor
        Shape ``(n, particles, 4)``, GeV, zeros for padding.

    Returns
    -------
    tensor
        Shape ``(n, particles)``; they add up to one in each jet.

    Examples
    --------
    >>> momentum_shares(torch.tensor([[[5.0, 3.0, 4.0, 0.0], [15.0, 9.0, 12.0, 0.0]]])).tolist()
    [[0.25, 0.75]]
    """
    real_particles(momenta)
    transverse = pt(momenta)
    return transverse / transverse.sum(1, keepdim=True)


def particle_features(momenta):
    """Seven kinematic features of each constituent, of order one.

    Parameters
    ----------
    momenta : tensor
        Shape ``(n, particles, 4)``, GeV, zeros for padding.

    Returns
    -------
    features : tensor
        Shape ``(n, particles, 7)``, the columns `FEATURES`, shifted and scaled to order one; zeros for padding.
    angles : tensor
        Shape ``(n, particles, 2)``, as `relative_angles`.
    mask : tensor
        Shape ``(n, particles)``, bool.

    Examples
    --------
    >>> features, angles, mask = particle_features(torch.tensor([[[5.0, 3.0, 4.0, 0.0], [0.0, 0.0, 0.0, 0.0]]]))
    >>> features.shape, mask.tolist()
    (torch.Size([1, 2, 7]), [[True, False]])
    """
    mask, angles = real_particles(momenta), relative_angles(momenta)
    jet = momenta.sum(1, keepdim=True)
    direction = torch.where(mask[..., None], momenta, jet)
    log_pt, log_energy = pt(direction).log(), direction[..., 0].log()
    columns = [
        *angles.unbind(-1),
        log_pt,
        log_energy,
        log_pt - pt(jet).log(),
        log_energy - jet[..., 0].log(),
        angles.norm(dim=-1),
    ]
    features = (torch.stack(columns, dim=-1) - _SHIFT.to(momenta)) * _SCALE.to(momenta)
    return features * mask[..., None], angles, mask
