"""More jets from the same jets: turned about their axis and reflected."""

import math

import torch

from hepml_labs.validation import check_array

__all__ = ["turned"]


def turned(angles):
    """Turn each jet about its axis by a random angle, and reflect half of the jets.

    What the detector and the beam do to a jet depends little on its orientation in the plane of pseudorapidity and
    azimuth, so every turned jet is as good a training jet. New turns in each step of a training keep a network from
    learning jets by heart.

    Parameters
    ----------
    angles : tensor
        Shape ``(n, particles, 2)``, relative to the jet axis, both in the same unit.

    Returns
    -------
    tensor
        Shape ``(n, particles, 2)``: distances within a jet are kept. Drawn from torch's own generator, which
        `hepml_labs.training.fit` seeds.

    Raises
    ------
    ValueError
        For another shape.

    Examples
    --------
    >>> angles = torch.tensor([[[0.3, 0.4], [0.0, 0.0]]])
    >>> turned(angles).norm(dim=-1)
    tensor([[0.5000, 0.0000]])
    """
    check_array("angles", angles, ("n", "particles", 2), finite=False)
    turn = 2 * math.pi * torch.rand(len(angles), 1, dtype=angles.dtype, device=angles.device)
    sign = torch.where(torch.rand_like(turn) < 0.5, 1.0, -1.0).to(angles)
    first, second = angles.unbind(-1)
    cosine, sine = turn.cos(), turn.sin()
    return torch.stack([cosine * first - sine * second, sign * (sine * first + cosine * second)], dim=-1)
