"""Channels of h -> Z* Z* -> four leptons: which of the four possible Z bosons is on its mass shell."""

import math

import torch

from hepml_labs.flows.channels import BreitWigner
from hepml_labs.flows.transforms import Transform
from hepml_labs.physics.electroweak import GAMMA_Z, M_H, M_Z
from hepml_labs.physics.higgs_four_leptons import exchange, phase_space
from hepml_labs.validation import check_array

__all__ = ["FourLeptons"]


class FourLeptons(Transform):
    r"""One Z boson with its Breit-Wigner density, all else flat.

    The boson's :math:`s_a` is drawn first, over all of :math:`[0, m_H^2]`; then the other squared mass of the pairing,
    flat up to :math:`(m_H - \sqrt{s_a})^2`; then two cosines and an angle. For the pairing (14)(32) the coordinates are
    those of the exchanged event (`hepml_labs.physics.higgs_four_leptons.exchange`): phase space is the same for every
    labelling, so the Jacobian of the exchange is the ratio of its densities.

    Parameters
    ----------
    boson : int
        0, 1, 2, 3 for a resonance in :math:`s_{12}, s_{34}, s_{14}, s_{23}`.
    line_shape : Transform, optional
        Channel of the boson's squared mass, the Breit-Wigner density of the Z by default.

    Raises
    ------
    ValueError
        If `boson` is none of the four.

    Examples
    --------
    >>> z = torch.tensor([[0.4, 0.5, 0.3, 0.6, 0.7]])
    >>> channel = FourLeptons(2)
    >>> torch.allclose(channel(channel.inverse(z)[0])[0], z, atol=1e-4)
    True
    """

    def __init__(self, boson, line_shape=None):
        super().__init__()
        if boson not in (0, 1, 2, 3):
            raise ValueError(f"boson: found {boson!r}, expected 0, 1, 2 or 3 for s12, s34, s14 or s23")
        self.swap, self.exchanged = boson % 2 == 1, boson >= 2
        self.line_shape = BreitWigner(M_Z, GAMMA_Z, 0, M_H**2) if line_shape is None else line_shape

    def forward(self, x, context=None):
        """Coordinates (n, 5) to the unit cube; see `Transform`."""
        check_array("x", x, ("n", 5), finite=False)
        y = x.double()  # the exchange subtracts large numbers
        log_det = torch.zeros(len(x), dtype=y.dtype, device=x.device)
        if self.exchanged:
            y = exchange(y)
            log_det = (phase_space(x.double()) / phase_space(y)).log()
        boson, other = (y[:, [k]] for k in ((1, 0) if self.swap else (0, 1)))
        z, log_boson = self.line_shape(boson)
        length = (M_H - boson.sqrt()).clamp(min=1e-9) ** 2
        z = torch.cat([z, other / length, (y[:, 2:4] + 1) / 2, y[:, 4:] / math.pi], dim=1)
        log_det = log_det + log_boson - (4 * math.pi * length[:, 0]).log()
        return z.to(x.dtype), log_det.to(x.dtype)

    def inverse(self, z, context=None):
        """Unit cube (n, 5) to coordinates; see `Transform`."""
        check_array("z", z, ("n", 5), finite=False)
        u = z.double()
        boson, log_det = self.line_shape.inverse(u[:, :1])
        length = (M_H - boson.sqrt()).clamp(min=1e-9) ** 2
        pairs = [boson, length * u[:, 1:2]]
        y = torch.cat([*(pairs[::-1] if self.swap else pairs), 2 * u[:, 2:4] - 1, math.pi * u[:, 4:]], dim=1)
        log_det = log_det + (4 * math.pi * length[:, 0]).log()
        if self.exchanged:
            x = exchange(y)
            return x.to(z.dtype), (log_det + (phase_space(y) / phase_space(x)).log()).to(z.dtype)
        return y.to(z.dtype), log_det.to(z.dtype)
