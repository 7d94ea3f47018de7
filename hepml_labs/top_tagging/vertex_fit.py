r"""A vertex fit that gradients pass: tracks with weights in, their common point and its covariance out.

A network that selects tracks can be trained by what the *fit* makes of its selection, without a true label for any
track. The fit is an iteration, but at its end only one thing counts: there the derivative of chi^2 vanishes, and the
implicit function theorem gives all gradients from it (`fit_vertex`).
"""

from typing import NamedTuple

import torch

from hepml_labs.physics.tracking import BENDING, FIELD
from hepml_labs.validation import check_array, check_between, check_count, check_same_shape

__all__ = ["Tracks", "Vertex", "fit_vertex", "jet_tracks"]


class Tracks(NamedTuple):
    """Perigees of the tracks of jets, tensors of shape (n, tracks); angles in radians, lengths in mm.

    Attributes
    ----------
    d0, z0_sin_theta : tensor
        As in :class:`hepml_labs.physics.tracking.Perigee`, mm.
    phi, theta : tensor
        Direction at the perigee.
    curvature : tensor
        1 / mm, in the transverse plane: the direction turns by minus this times the way.
    sigma_d0, sigma_z0, sigma_phi : tensor
        Standard deviations of d0, z0 sin(theta), phi.
    """

    d0: torch.Tensor
    z0_sin_theta: torch.Tensor
    phi: torch.Tensor
    theta: torch.Tensor
    curvature: torch.Tensor
    sigma_d0: torch.Tensor
    sigma_z0: torch.Tensor
    sigma_phi: torch.Tensor


class Vertex(NamedTuple):
    """Result of a fit.

    Attributes
    ----------
    position : tensor, (n, 3)
        mm, from the primary vertex.
    covariance : tensor, (n, 3, 3)
        mm^2: the inverse of half the second derivative of chi^2 at its minimum.
    """

    position: torch.Tensor
    covariance: torch.Tensor


def jet_tracks(jets, dtype=torch.float64):
    """Perigees of the tracks of `heavy_flavor`, and which of them are there.

    Parameters
    ----------
    jets : mapping
        With the columns `jet` (n, 4) and `tracks` (n, tracks, 12).
    dtype : torch.dtype

    Returns
    -------
    tracks : Tracks
        Padding has the perigee of a track along x through the origin with an error of 1 mm.
    mask : bool tensor, (n, tracks)

    Examples
    --------
    >>> from hepml_labs.datasets import load
    >>> tracks, mask = jet_tracks(load("heavy_flavor", "test", n=3))
    >>> tracks.d0.shape == mask.shape == (3, 40)
    True
    """
    jet, columns = (torch.as_tensor(jets[name], dtype=dtype) for name in ("jet", "tracks"))
    check_array("tracks", columns, ("n", "tracks", 12))
    check_array("jet", jet, (len(columns), 4))
    mask = columns[..., 8] > 0
    _, px, py, pz = jet.unbind(-1)
    q_over_p, delta_eta, delta_phi, d0, z0_sin_theta = columns[..., :5].unbind(-1)
    eta = delta_eta + torch.asinh(pz / torch.hypot(px, py))[:, None]
    phi, sin_theta = delta_phi + torch.atan2(py, px)[:, None], 1 / torch.cosh(eta)
    sigma_phi, sigma_d0, sigma_z0 = (torch.where(mask, columns[..., k], 1.0) for k in (7, 8, 9))
    curvature = BENDING * FIELD * q_over_p / sin_theta
    theta = torch.atan2(sin_theta, torch.tanh(eta))
    found = Tracks(d0, z0_sin_theta, phi, theta, curvature, sigma_d0, sigma_z0, sigma_phi)
    return Tracks(*(torch.where(mask, column, default) for column, default in zip(found, _PADDING, strict=True))), mask


_PADDING = (0.0, 0.0, 0.0, torch.pi / 2, 0.0, 1.0, 1.0, 1.0)


def _expand(tracks, weight, position, lever, prior):
    """Half of chi^2 at a position: its gradient (n, 3), its second derivative, and that without the term of curvature.

    The errors are those at the way `lever` from the perigees, (n, tracks): a constant of the fit.
    """
    cos, sin, zero = torch.cos(tracks.phi), torch.sin(tracks.phi), torch.zeros_like(tracks.phi)
    along, across = torch.stack([cos, sin, zero], dim=-1), torch.stack([-sin, cos, zero], dim=-1)
    polar = torch.stack([-torch.cos(tracks.theta) * cos, -torch.cos(tracks.theta) * sin, torch.sin(tracks.theta)], -1)
    way = (along * position[:, None]).sum(-1)
    transverse = (across * position[:, None]).sum(-1) - tracks.d0 + tracks.curvature * way**2 / 2
    longitudinal = (polar * position[:, None]).sum(-1) - tracks.z0_sin_theta
    slope = across + (tracks.curvature * way)[..., None] * along
    first = weight / (tracks.sigma_d0**2 + (lever * tracks.sigma_phi) ** 2)
    second = weight / tracks.sigma_z0**2
    gradient = ((first * transverse)[..., None] * slope + (second * longitudinal)[..., None] * polar).sum(-2)
    gauss_newton = torch.einsum("nt,nti,ntj->nij", first, slope, slope)
    gauss_newton = gauss_newton + torch.einsum("nt,nti,ntj->nij", second, polar, polar)
    gauss_newton = gauss_newton + torch.eye(3, dtype=position.dtype, device=position.device) / prior**2
    bent = torch.einsum("nt,nti,ntj->nij", first * transverse * tracks.curvature, along, along)
    return gradient + position / prior**2, gauss_newton + bent, gauss_newton


def fit_vertex(tracks, weight, prior=30.0, steps=6):
    r"""Fit the common point of weighted tracks; gradients flow to the weights and to the tracks.

    .. math:: \chi^2(v) = \sum_k w_k \left[\frac{t_k(v)^2}{\sigma_{t,k}^2} + \frac{l_k(v)^2}{\sigma_{l,k}^2}\right]
              + \frac{v^2}{\sigma_0^2}

    with the distances of v from the track across and along the beam.

    Parameters
    ----------
    tracks : Tracks
        Tensors of shape (n, tracks).
    weight : tensor, (n, tracks)
        From 0 (not used) to 1; zero for the padding.
    prior : float
        mm: the broad Gaussian around the primary vertex that holds fits with too few tracks.
    steps : int
        Gauss-Newton steps of each of two rounds; in the second the errors are those at the point of the first.

    Returns
    -------
    Vertex

    Raises
    ------
    ValueError
        If shapes differ, a weight is negative, or an option is out of range.

    Notes
    -----
    After Smith, Ochoa, Inácio, Shoemaker and Kagan, arXiv:2310.12804 :cite:`smith2023vertexing`. At the minimum the
    gradient g of half of chi^2 is zero, and stays zero when a weight changes, so that
    :math:`\mathrm{d}v/\mathrm{d}w = -H^{-1}\,\partial g/\partial w` with the second derivative H. One more Newton
    step from the minimum, with g a function of the weights and all else held fixed, has this gradient. The
    errors, which grow with the way from the perigee, count as constants in it.

    Examples
    --------
    Two straight tracks that cross at x = 2, y = 1 mm:

    >>> values = torch.tensor([[1.0, -2.0]], dtype=torch.float64), torch.zeros(1, 2, dtype=torch.float64)
    >>> angle = torch.tensor([[0.0, torch.pi / 2]], dtype=torch.float64), torch.full((1, 2), torch.pi / 2)
    >>> error = torch.full((1, 2), 0.01, dtype=torch.float64)
    >>> tracks = Tracks(*values, *angle, torch.zeros(1, 2), error, error, error / 10)
    >>> fit_vertex(tracks, torch.ones(1, 2, dtype=torch.float64)).position[:, :2].round(decimals=3).tolist()
    [[2.0, 1.0]]
    """
    check_array("weight", weight, ("n", "tracks"))
    check_same_shape(weight=weight, d0=tracks.d0)
    if (weight < 0).any():
        raise ValueError(f"weight: found {float(weight.min()):.3g}, expected none below zero")
    check_between("prior", prior, 0, float("inf"))
    check_count("steps", steps)
    with torch.no_grad():
        position, lever = weight.new_zeros(len(weight), 3), torch.zeros_like(weight)
        for _ in range(2):
            for _ in range(steps):
                gradient, _, gauss_newton = _expand(tracks, weight, position, lever, prior)
                position = position - torch.linalg.solve(gauss_newton, gradient)
            last, lever = lever, position[:, :1] * torch.cos(tracks.phi) + position[:, 1:2] * torch.sin(tracks.phi)
    gradient, hessian, _ = _expand(tracks, weight, position, last, prior)
    step = torch.linalg.solve(hessian.detach(), gradient)
    return Vertex(position - step, torch.linalg.inv(hessian))
