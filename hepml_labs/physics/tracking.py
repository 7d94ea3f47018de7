r"""Charged tracks in a solenoid: perigee parameters, their resolution, and the sign of a lifetime.

A track is a helix around the field, which points along +z. Its perigee is the point of closest approach to the z axis
through a reference point, usually the primary vertex, in the transverse plane. Lengths are in mm, momenta in GeV,
fields in tesla. Functions are vectorised over all leading dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from hepml_labs.validation import check_array, check_between

FIELD = 2.0  # tesla, in the ATLAS inner detector
BENDING = 0.299792458e-3  # curvature in 1/mm of unit charge at 1 GeV and 1 tesla: the speed of light in these units


class Perigee(NamedTuple):
    r"""Parameters of tracks, each an array of shape (...).

    Attributes
    ----------
    d0 : array
        mm: signed distance of the perigee from the reference in the transverse plane; the perigee lies at
        :math:`(-d_0 \sin\phi, d_0 \cos\phi)`.
    z0 : array
        mm: z of the perigee relative to the reference.
    phi, theta : array
        Azimuth and polar angle of the momentum at the perigee.
    q_over_p : array
        1 / GeV: charge over momentum.
    """

    d0: np.ndarray
    z0: np.ndarray
    phi: np.ndarray
    theta: np.ndarray
    q_over_p: np.ndarray


class Uncertainty(NamedTuple):
    """Standard deviations of measured track parameters, each an array of shape (...).

    Attributes
    ----------
    d0, z0_sin_theta : array
        mm: across the track, which is why z0 is multiplied by sin(theta).
    phi, theta : array
    q_over_p : array
        1 / GeV.
    """

    d0: np.ndarray
    z0_sin_theta: np.ndarray
    phi: np.ndarray
    theta: np.ndarray
    q_over_p: np.ndarray


def perigee(vertex, momentum, charge, reference=(0.0, 0.0, 0.0), field=FIELD):
    r"""Track parameters of particles from where they were made and with which momentum.

    Parameters
    ----------
    vertex : array, (..., 3)
        Point of production, mm.
    momentum : array, (..., 3)
        There, in GeV.
    charge : array, (...)
        In units of the positron's; 0 gives a straight line.
    reference : array, (3,) or (..., 3)
        The point that the perigee is counted from, mm.
    field : float
        Tesla, along +z.

    Returns
    -------
    Perigee

    Raises
    ------
    ValueError
        If shapes do not fit, numbers are not finite or a transverse momentum is zero.

    Notes
    -----
    With :math:`\vec r` from the reference to the vertex, :math:`\vec t = (\cos\phi_v, \sin\phi_v)` along the momentum
    there, :math:`\vec n = (\sin\phi_v, -\cos\phi_v)` to its right and the curvature :math:`\kappa = q c B / p_T`, the
    circle has its centre at :math:`\vec r + \vec n / \kappa`, to the right for positive charges. The closest point lies
    on the line from the reference to the centre, so that, free of differences of large numbers,

    .. math::

        d_0 = -\frac{2 \vec r \vec n + \kappa r^2}{1 + \sqrt{1 + 2 \kappa \vec r \vec n + \kappa^2 r^2}}, \quad
        \phi - \phi_v = \arctan\frac{\kappa \vec r \vec t}{1 + \kappa \vec r \vec n}, \quad
        z_0 = z - \frac{\phi - \phi_v}{\kappa} \cot\theta .

    A particle is taken to be on its first half turn. Sign of d0 as in ATLAS :cite:`atlas2008experiment`.

    Examples
    --------
    >>> track = perigee(np.array([3.0, 1.0, 2.0]), np.array([5.0, 0.0, 5.0]), charge=np.array(0.0))
    >>> float(track.d0), float(track.z0)  # a straight line along x in a distance of 1 mm
    (1.0, -1.0)
    """
    vertex, momentum = np.asarray(vertex, dtype=np.float64), np.asarray(momentum, dtype=np.float64)
    charge, reference = np.asarray(charge, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    check_array("vertex", vertex, (..., 3))
    check_array("momentum", momentum, vertex.shape)
    check_array("charge", charge, vertex.shape[:-1])
    check_array("reference", reference, (..., 3))
    pt = np.asarray(np.hypot(momentum[..., 0], momentum[..., 1]))
    check_array("transverse momentum", pt, positive=True)
    cos, sin = momentum[..., 0] / pt, momentum[..., 1] / pt
    x, y, z = np.moveaxis(vertex - reference, -1, 0)
    curvature = BENDING * field * charge / pt
    across, along = x * sin - y * cos, x * cos + y * sin
    to_centre = np.sqrt(np.clip(1 + 2 * curvature * across + curvature**2 * (x**2 + y**2), 0, None))
    turn = np.arctan2(curvature * along, 1 + curvature * across)
    straight = curvature == 0
    length = np.where(straight, along, turn / np.where(straight, 1.0, curvature))
    return Perigee(
        d0=-(2 * across + curvature * (x**2 + y**2)) / (1 + to_centre),
        z0=z - length * momentum[..., 2] / pt,
        phi=wrap(np.arctan2(sin, cos) + turn),
        theta=np.arctan2(pt, momentum[..., 2]),
        q_over_p=charge / np.hypot(pt, momentum[..., 2]),
    )


def position(track, length, field=FIELD):
    r"""Points on a track, as in a vertex fit.

    Parameters
    ----------
    track : Perigee
    length : array, (...)
        Path in the transverse plane from the perigee, mm.
    field : float
        Tesla, along +z.

    Returns
    -------
    array, (..., 3)
        mm, relative to the reference of the track. The direction turns by :math:`-\kappa s` on the way s.

    Examples
    --------
    >>> track = Perigee(*(np.array(value) for value in (1.0, 0.0, 0.0, np.pi / 4, 0.0)))
    >>> position(track, np.array(2.0)).round(9)
    array([2., 1., 2.])
    """
    half_turn = 0.5 * BENDING * field * track.q_over_p / np.sin(track.theta) * length
    chord = length * np.sinc(half_turn / np.pi)  # numpy's sinc(x) is sin(pi x) / (pi x)
    x = -track.d0 * np.sin(track.phi) + chord * np.cos(track.phi - half_turn)
    y = track.d0 * np.cos(track.phi) + chord * np.sin(track.phi - half_turn)
    return np.stack([x, y, track.z0 + length / np.tan(track.theta)], axis=-1)


@dataclass(frozen=True)
class Resolution:
    r"""Resolution of a silicon tracker of the size of ATLAS' inner detector.

    Each pair (a, b) stands for :math:`\sigma = a \oplus b / (p_T \sqrt{\sin\theta})`: a from the measurement of points,
    b in GeV from scattering in the material, of which a track crosses 1 / sin(theta) as much as at a right angle. The
    numbers are those expected for ATLAS at small pseudorapidity :cite:`atlas2008experiment`, Table 4, where b is given
    as the momentum at which both parts are equal. Those of the impact parameters are ours, about two thirds of the
    table's but for the first, for the innermost layer that came later :cite:`atlas2018ibl`.

    Attributes
    ----------
    d0, z0_sin_theta : (float, float)
        mm, mm GeV.
    phi, cot_theta : (float, float)
        For cot(theta) the second part is divided by another sin(theta).
    inverse_pt : (float, float)
        1 / GeV.
    tail_fraction, tail_width : float
        This share of tracks is smeared by so many standard deviations instead of one, in all parameters: wrong hits,
        large scattering angles. The uncertainties do not know of it.

    Examples
    --------
    >>> track = Perigee(*(np.array([value]) for value in (0.0, 0.0, 0.0, np.pi / 2, 0.2)))
    >>> Resolution().uncertainty(track).d0.round(4)  # mm, at 5 GeV
    array([0.0206])
    """

    d0: tuple = (0.010, 0.090)
    z0_sin_theta: tuple = (0.060, 0.140)
    phi: tuple = (70e-6, 2.7e-3)
    cot_theta: tuple = (0.7e-3, 3.5e-3)
    inverse_pt: tuple = (0.34e-3, 15e-3)
    tail_fraction: float = 0.05
    tail_width: float = 3.0

    def __post_init__(self):
        check_between("tail_fraction", self.tail_fraction, 0, 1, include_low=True, include_high=True)

    def uncertainty(self, track):
        """Standard deviations of the core of the resolution.

        Parameters
        ----------
        track : Perigee
            Of which the direction and q/p count, with q/p not zero.

        Returns
        -------
        Uncertainty
        """
        sin = np.sin(track.theta)
        pt = sin / np.abs(track.q_over_p)
        scattering = 1 / (pt * np.sqrt(sin))
        theta = sin**2 * np.hypot(self.cot_theta[0], self.cot_theta[1] * scattering / sin)  # d theta = -sin^2 d cot
        # q/p = (q/pT) sin(theta): the angle's part is a thousandth of the curvature's and is left out
        return Uncertainty(
            d0=np.hypot(self.d0[0], self.d0[1] * scattering),
            z0_sin_theta=np.hypot(self.z0_sin_theta[0], self.z0_sin_theta[1] * scattering),
            phi=np.hypot(self.phi[0], self.phi[1] * scattering),
            theta=theta,
            q_over_p=sin * np.hypot(self.inverse_pt[0], self.inverse_pt[1] * scattering),
        )


def smear(track, random, resolution=None):
    """Measure tracks: add Gaussian errors with a small tail to all parameters.

    Parameters
    ----------
    track : Perigee
        True parameters, arrays of one shape.
    random : numpy.random.Generator
    resolution : Resolution, optional

    Returns
    -------
    Perigee
        Measured parameters. Errors of different parameters are independent.

    Examples
    --------
    >>> track = Perigee(*(np.full(10_000, value) for value in (0.0, 0.0, 0.0, np.pi / 2, 0.2)))
    >>> measured = smear(track, np.random.default_rng(1), Resolution(tail_fraction=0.0))
    >>> round(float(measured.d0.std()), 3)
    0.02
    """
    resolution = resolution or Resolution()
    sigma = resolution.uncertainty(track)
    width = np.where(random.uniform(size=track.d0.shape) < resolution.tail_fraction, resolution.tail_width, 1.0)
    errors = width * random.standard_normal((5, *track.d0.shape))
    return Perigee(
        d0=track.d0 + sigma.d0 * errors[0],
        z0=track.z0 + sigma.z0_sin_theta / np.sin(track.theta) * errors[1],
        phi=wrap(track.phi + sigma.phi * errors[2]),
        theta=np.arccos(np.cos(track.theta + sigma.theta * errors[3])),  # beyond the beam axis it comes back
        q_over_p=track.q_over_p + sigma.q_over_p * errors[4],
    )


def lifetime_sign(track, jet_eta, jet_phi):
    """Signs of the impact parameters with respect to a jet: +1 if the track crosses the jet's axis downstream.

    Tracks from a long-lived particle that flies along the axis are positive; errors of measurement fall on both sides.

    Parameters
    ----------
    track : Perigee
    jet_eta, jet_phi : array, (...)
        Direction of the axis, which passes the reference of the track.

    Returns
    -------
    transverse, longitudinal : arrays of -1 and 1, (...)
        To be multiplied with abs(d0) and abs(z0). The first is the sign of the perigee's component along the jet's
        transverse momentum, the second that of the radius where track and axis have the same z.

    Examples
    --------
    >>> track = perigee(np.array([2.0, 0.0, 2.0]), np.array([5.0, 1.0, 6.0]), charge=np.array(1.0))
    >>> [int(sign) for sign in lifetime_sign(track, jet_eta=np.arcsinh(1.0), jet_phi=0.0)]  # made 2 mm down the jet
    [1, 1]
    """
    eta = np.arcsinh(1 / np.tan(track.theta))
    transverse = np.where(track.d0 * np.sin(jet_phi - track.phi) < 0, -1, 1)
    return transverse, np.where(track.z0 * (jet_eta - eta) < 0, -1, 1)


def wrap(angle):
    """Bring angles to [-pi, pi).

    Parameters
    ----------
    angle : array

    Returns
    -------
    array

    Examples
    --------
    >>> round(float(wrap(np.array(4.0))), 6)
    -2.283185
    """
    return (angle + np.pi) % (2 * np.pi) - np.pi


def number_vertices(points, real, distance, count):
    """Number the points where the tracks of each jet were made; points that nearly touch are one vertex.

    Parameters
    ----------
    points : array, (n, tracks, 3)
        mm, from the primary vertex.
    real : bool array, (n, tracks)
        False where there is no track, or one without a point.
    distance : float
        Points closer than this, in mm, are one vertex, and so are points that a chain of such neighbours joins.
    count : int
        Vertices whose positions are wanted.

    Returns
    -------
    vertex : int8 array, (n, tracks)
        0 for the primary vertex, the others in order of their distance from it; -1 where `real` is false.
    vertices : array, (n, count, 3)
        Position of each vertex: of its point nearest to the primary one. The first is the primary vertex itself, at
        the origin; zeros after the last.

    Examples
    --------
    >>> points = np.array([[[0.0, 0.0, 5.0], [0.0, 0.05, 0.0], [0.0, 0.0, 2.0], [0.0, 0.0, 2.05]]])
    >>> vertex, vertices = number_vertices(points, np.ones((1, 4), dtype=bool), distance=0.1, count=4)
    >>> vertex.tolist(), vertices[0, :, 2].tolist()
    ([[2, 0, 1, 1]], [0.0, 2.0, 5.0, 0.0])
    """
    check_array("points", points, ("n", "tracks", 3))
    check_array("real", real, points.shape[:2], floating=False)
    points = np.concatenate([np.zeros((len(points), 1, 3)), points], axis=1)  # the primary vertex comes first
    real = np.concatenate([np.ones((len(points), 1), bool), real], axis=1)
    order = np.argsort(np.where(real, np.linalg.norm(points, axis=2), np.inf), axis=1, kind="stable")
    points = np.take_along_axis(points, order[..., None], axis=1)
    real = np.take_along_axis(real, order, axis=1)
    touch = np.linalg.norm(points[:, :, None] - points[:, None, :], axis=-1) < distance
    touch &= real[:, :, None] & real[:, None, :]
    own = np.arange(points.shape[1])
    first = np.broadcast_to(own, real.shape)
    while True:  # hand on the smallest number from neighbour to neighbour
        smallest = np.where(touch, first[:, None, :], first[..., None]).min(axis=2)
        if (smallest == first).all():
            break
        first = smallest
    opens = real & (first == own)
    number = np.take_along_axis(np.cumsum(opens, axis=1) - 1, first, axis=1)
    vertices = np.zeros((len(points), count, 3))
    row, which = np.nonzero(opens & (number < count))
    vertices[row, number[row, which]] = points[row, which]
    vertex = np.empty(real.shape, np.int8)
    np.put_along_axis(vertex, order, np.where(real, number, -1).astype(np.int8), axis=1)
    return vertex[:, 1:], vertices
