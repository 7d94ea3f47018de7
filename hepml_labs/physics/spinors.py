"""Massless spinors, spinor products and helicity polarisation vectors, vectorised over events.

All momenta count as outgoing; a negative energy marks an incoming particle. The conventions are those of
L. Dixon, hep-ph/9601359, with ``<ij>[ji] = 2 p_i.p_j = s_ij`` for either sign of the energies.
"""

from __future__ import annotations

import numpy as np


def spinors(momenta):
    r"""Two-component spinors of massless momenta, :math:`p_{a\dot b} = \lambda_a \tilde\lambda_{\dot b}`.

    Parameters
    ----------
    momenta : array, shape (..., 4)
        Light-like momenta (E, px, py, pz) in GeV, outgoing; E < 0 for incoming particles.

    Returns
    -------
    angle, square : complex arrays, shape (..., 2)
        :math:`\lambda` and :math:`\tilde\lambda`. For E > 0 the second is the conjugate of the first,
        for E < 0 it is minus the conjugate.

    Notes
    -----
    The usual form divides by :math:`\sqrt{E + p_z}` and fails for a momentum along -z, where one of the
    beams is. Both halves of the sphere therefore have their own form; they differ by a phase.

    Examples
    --------
    >>> angle, square = spinors(np.array([5.0, 3.0, 0.0, 4.0]))
    >>> np.round(np.outer(angle, square).real, 12)            # [[E + pz, px], [px, E - pz]] as py = 0
    array([[9., 3.],
           [3., 1.]])
    """
    momenta = np.asarray(momenta, dtype=float)
    sign = np.where(momenta[..., 0] < 0, -1.0, 1.0)
    energy, px, py, pz = np.moveaxis(momenta, -1, 0) * sign
    transverse = px + 1j * py
    largest = np.sqrt(energy + np.abs(pz))
    angle = np.where(
        (pz >= 0)[..., None],
        np.stack([largest + 0j, transverse / largest], -1),
        np.stack([transverse.conj() / largest, largest + 0j], -1),
    )
    return angle, sign[..., None] * angle.conj()


def spinor_product(left, right):
    """Antisymmetric product of two-component spinors, <ij> from angle spinors and -[ij] from square ones.

    Parameters
    ----------
    left, right : arrays, shape (..., 2)

    Returns
    -------
    array, shape (...)

    Examples
    --------
    >>> angle, square = spinors(np.array([[5.0, 3.0, 0.0, 4.0], [1.0, 0.0, 0.0, -1.0]]))
    >>> s = spinor_product(*angle) * -spinor_product(*square[::-1])
    >>> float(np.round(s.real, 12))                                       # 2 p_1.p_2 = 2 (5 + 4)
    18.0
    """
    return left[..., 0] * right[..., 1] - left[..., 1] * right[..., 0]


def polarization_vectors(momenta, reference):
    r"""Polarisation vectors of both helicities, for outgoing gluons or photons.

    .. math:: \epsilon_+^\mu = \frac{\langle q|\gamma^\mu|k]}{\sqrt2\,\langle q k\rangle},\qquad
              \epsilon_-^\mu = \frac{[q|\gamma^\mu|k\rangle}{\sqrt2\,[k q]}

    (hep-ph/9601359, equation 24). They obey :math:`\epsilon\cdot k = \epsilon\cdot q = 0`,
    :math:`\epsilon_\pm^2 = 0` and :math:`\epsilon_+\cdot\epsilon_- = -1`. Another reference vector adds a
    multiple of k: a gauge transformation, which drops out of every amplitude.

    Parameters
    ----------
    momenta : array, shape (..., 4)
        Light-like momenta k, outgoing (E < 0 for incoming).
    reference : array, shape (..., 4) or (4,)
        Light-like reference vectors q, not parallel to k.

    Returns
    -------
    complex array, shape (2, ..., 4)
        Helicity -1 first, then helicity +1.

    Examples
    --------
    >>> minus, plus = polarization_vectors(np.array([1.0, 0.0, 0.0, 1.0]), np.array([1.0, 1.0, 0.0, 0.0]))
    >>> metric = np.array([1.0, -1.0, -1.0, -1.0])
    >>> bool(np.isclose((plus * minus * metric).sum(), -1))
    True
    """
    angle_k, square_k = spinors(momenta)
    angle_q, square_q = spinors(np.broadcast_to(reference, np.shape(momenta)))

    def vector(angle, square):  # <a| gamma^mu |b] as the components of the bispinor a b
        a0b0, a0b1 = angle[..., 0] * square[..., 0], angle[..., 0] * square[..., 1]
        a1b0, a1b1 = angle[..., 1] * square[..., 0], angle[..., 1] * square[..., 1]
        return np.stack([a0b0 + a1b1, a0b1 + a1b0, 1j * (a0b1 - a1b0), a0b0 - a1b1], -1)

    plus = vector(angle_q, square_k) / (np.sqrt(2) * spinor_product(angle_q, angle_k))[..., None]
    minus = vector(angle_k, square_q) / (np.sqrt(2) * spinor_product(square_q, square_k))[..., None]
    return np.stack([minus, plus])
