"""Flow matching between particles with a velocity that is Lorentz-covariant, by the transformer L-GATr-slim."""

import math

import torch
from torch import nn

from hepml_labs.validation import check_array, check_count

__all__ = ["CovariantVelocity", "covariant_loss", "difference", "particle_coordinates", "particle_momenta"]

UNIT = 20.0  # GeV: the unit of the momenta that the transformer sees
TURN = 2 * math.pi


def particle_coordinates(momenta):
    """Coordinates (log pT/GeV, azimuth, pseudorapidity, log m^2/GeV^2) of four-momenta.

    Parameters
    ----------
    momenta : tensor, (..., 4)
        E, px, py, pz in GeV, massive.

    Returns
    -------
    tensor, (..., 4)

    Raises
    ------
    ValueError
        If the last dimension is not four, or a number is not finite.

    Examples
    --------
    >>> particle_coordinates(torch.tensor([2.0**0.5, 1.0, 0.0, 0.0])).abs() < 1e-6
    tensor([True, True, True, True])
    """
    check_array("momenta", momenta, (..., 4))
    energy, x, y, z = momenta.unbind(-1)
    transverse = torch.hypot(x, y)
    squared = energy**2 - transverse**2 - z**2
    return torch.stack([transverse.log(), torch.atan2(y, x), torch.asinh(z / transverse), squared.log()], dim=-1)


def particle_momenta(coordinates):
    """Four-momenta from `particle_coordinates`.

    Parameters
    ----------
    coordinates : tensor, (..., 4)

    Returns
    -------
    tensor, (..., 4)
        E, px, py, pz in GeV.

    Raises
    ------
    ValueError
        If the last dimension is not four.

    Examples
    --------
    >>> momenta = torch.tensor([50.0, 20.0, -10.0, 35.0])
    >>> torch.allclose(particle_momenta(particle_coordinates(momenta)), momenta, atol=1e-3)
    True
    """
    check_array("coordinates", coordinates, (..., 4), finite=False)
    log_pt, phi, eta, log_squared = coordinates.unbind(-1)
    # during sampling a point may stray; what no particle of a collider has is cut before it overflows
    pt, eta = log_pt.clamp(-5, 10).exp(), eta.clamp(-10, 10)
    x, y, z = pt * phi.cos(), pt * phi.sin(), pt * eta.sinh()
    energy = (log_squared.clamp(-20, 20).exp() + x**2 + y**2 + z**2).sqrt()
    return torch.stack([energy, x, y, z], dim=-1)


def difference(stop, start):
    """The way from `start` to `stop` in `particle_coordinates`: straight, and the short way round in azimuth.

    Examples
    --------
    >>> difference(torch.tensor([0.0, 3.0, 0.0, 0.0]), torch.tensor([0.0, -3.0, 0.0, 0.0]))[1].round(decimals=3)
    tensor(-0.2830)
    """
    way = stop - start
    turn = torch.remainder(way[..., 1] + math.pi, TURN) - math.pi
    return torch.stack([way[..., 0], turn, way[..., 2], way[..., 3]], dim=-1)


class CovariantVelocity(nn.Module):
    """Velocities of all particles of an event from an attention among their four-momenta.

    Each particle gets one four-vector u and two scalars from L-GATr-slim. The vector is turned into the velocities of
    azimuth and pseudorapidity by their gradients, times pT; the scalars are those of log pT and log m^2, where the
    gradients would explode. Needs the package lgatr, version 2 (``pip install lgatr``).

    Parameters
    ----------
    particles : int
        Number of particles; each has its own label, so that they need not be alike.
    channels, scalars, blocks, heads : int
        Hidden four-vectors and scalars of each particle, blocks of the transformer and heads of the attention.
    references : bool
        Show the network the two beams and the rest frame of the detector: it is then covariant under rotations about
        the beam only, which is what thresholds and acceptance leave. Without them u is covariant under all.

    Raises
    ------
    ImportError
        If the package lgatr is not installed.
    ValueError
        If a size is no positive whole number, or a shape does not fit.

    Notes
    -----
    Shapes: coordinates ``(n, particles, 4)`` of `particle_coordinates`, times ``(n,)``, to ``(n, particles, 4)``.
    Source: Spinner et al., arXiv:2405.14806, section 4.3 (with all multivectors); Brehmer et al., arXiv:2411.00446.

    Examples
    --------
    >>> _ = torch.manual_seed(0)
    >>> network = CovariantVelocity(3, channels=4, scalars=8, blocks=1, heads=1).double()
    >>> y, t = torch.randn(2, 3, 4, dtype=torch.float64), torch.rand(2, dtype=torch.float64)
    >>> turned = y + torch.tensor([0.0, 1.0, 0.0, 0.0])  # all particles by one radian about the beam
    >>> torch.allclose(network(y, t), network(turned, t), atol=1e-10)
    True
    """

    def __init__(self, particles, channels=16, scalars=32, blocks=4, heads=4, references=True):
        super().__init__()
        sizes = {"particles": particles, "channels": channels, "scalars": scalars, "blocks": blocks, "heads": heads}
        for name, size in sizes.items():
            check_count(name, size)
        try:
            import lgatr
        except ImportError as error:
            raise ImportError("CovariantVelocity needs the package lgatr: pip install 'lgatr>=2'") from error
        beams = torch.tensor([[1.0, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, -1.0], [1.0, 0.0, 0.0, 0.0]])
        self.register_buffer("reference", beams[: 3 * references], persistent=False)
        self.register_buffer("angular", math.pi * torch.arange(1.0, 5.0))
        self.network = lgatr.LGATrSlim(
            num_blocks=blocks, in_v_channels=1 + len(self.reference), out_v_channels=1, hidden_v_channels=channels,
            in_s_channels=particles + 9, out_s_channels=2, hidden_s_channels=scalars, num_heads=heads,
        )  # fmt: skip
        self.particles = particles

    def vectors(self, momenta, t):
        """Four-vectors ``(n, particles, 4)`` and scalars ``(n, particles, 2)`` of momenta in GeV and times."""
        n, dtype = len(momenta), momenta.dtype
        phase = t[:, None] * self.angular.to(dtype)
        clock = torch.cat([t[:, None], phase.cos(), phase.sin()], dim=1)[:, None].expand(n, self.particles, 9)
        label = torch.eye(self.particles, dtype=dtype, device=momenta.device).expand(n, -1, -1)
        reference = self.reference.to(dtype).expand(n, self.particles, -1, 4)
        inputs = torch.cat([momenta[:, :, None] / UNIT, reference], dim=2)
        vectors, scalars = self.network(inputs, torch.cat([label, clock], dim=2))
        return vectors[:, :, 0], scalars

    def forward(self, coordinates, t):
        """Map coordinates and times to velocities of the coordinates."""
        check_array("coordinates", coordinates, ("n", self.particles, 4), finite=False)
        check_array("t", t, (len(coordinates),), finite=False)
        vectors, scalars = self.vectors(particle_momenta(coordinates), t)
        phi, eta = coordinates[..., 1], coordinates[..., 2]
        outwards = phi.cos() * vectors[..., 1] + phi.sin() * vectors[..., 2]
        across = phi.cos() * vectors[..., 2] - phi.sin() * vectors[..., 1]
        # pT times the gradients of azimuth and pseudorapidity; pT / |p| = 1 / cosh eta, pz / |p| = tanh eta
        along = vectors[..., 3] / eta.clamp(-10, 10).cosh() - eta.tanh() * outwards
        return torch.stack([scalars[..., 0], across, along, scalars[..., 1]], dim=-1)


def covariant_loss(network, start, stop, t, scale):
    """Flow-matching loss between noise and events in `particle_coordinates`.

    Parameters
    ----------
    network : callable
        ``network(coordinates, t)``, such as `CovariantVelocity`; its velocities are in units of `scale`.
    start, stop : tensors, (n, particles, 4)
        Noise, with azimuths uniform on the circle, and events.
    t : tensor, (n,)
        Times in [0, 1].
    scale : tensor, (particles, 4)
        Widths of the coordinates, in which the error is measured.

    Returns
    -------
    tensor, ()
        Mean over events, particles and coordinates.

    Raises
    ------
    ValueError
        If the shapes disagree, or a number is not finite.

    Notes
    -----
    Straight ways in all coordinates, on the circle the shorter arc: flow matching on a product of lines and circles,
    Chen and Lipman, arXiv:2302.03660, section 3.2.

    Examples
    --------
    >>> start, stop = torch.zeros(10, 2, 4), torch.ones(10, 2, 4)
    >>> loss = covariant_loss(lambda y, t: torch.ones_like(y), start, stop, torch.rand(10), torch.ones(2, 4))
    >>> loss < 1e-12
    tensor(True)
    """
    check_array("start", start, ("n", "particles", 4))
    check_array("stop", stop, tuple(start.shape))
    check_array("t", t, (len(start),))
    way = difference(stop, start)
    found = network(start + t[:, None, None] * way, t)
    return (found - way / scale).square().mean()
