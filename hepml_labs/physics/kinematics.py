"""Four-vectors (E, px, py, pz) as arrays of shape (..., 4), metric (+, -, -, -), units of GeV.

Every function takes numpy arrays or torch tensors, keeps their type and precision, and is
vectorised over all leading dimensions.
"""

from __future__ import annotations

import math
import sys

import numpy as np


def _library(array):
    """Return torch for a tensor (without importing it), else numpy."""
    torch = sys.modules.get("torch")
    return torch if torch is not None and isinstance(array, torch.Tensor) else np


def _four_vectors(momenta, name="momenta"):
    momenta = momenta if hasattr(momenta, "shape") else np.asarray(momenta, dtype=float)
    if not momenta.shape or momenta.shape[-1] != 4:
        raise ValueError(f"{name}: found shape {tuple(momenta.shape)}, expected (..., 4) with (E, px, py, pz)")
    return momenta


def minkowski_product(a, b):
    """Lorentz-invariant product of four-vectors, E_a E_b - p_a . p_b.

    Parameters
    ----------
    a, b : arrays or tensors, shape (..., 4)
        Four-vectors in GeV; leading dimensions are broadcast.

    Returns
    -------
    array or tensor, shape (...)
        In GeV^2.

    Examples
    --------
    >>> float(minkowski_product([5.0, 3.0, 0.0, 0.0], [5.0, 3.0, 0.0, 0.0]))
    16.0
    """
    a, b = _four_vectors(a, "a"), _four_vectors(b, "b")
    return a[..., 0] * b[..., 0] - (a[..., 1:] * b[..., 1:]).sum(-1)


def invariants(momenta):
    """Pairwise invariants 2 p_i.p_j; for massless particles the squared invariant masses s_ij.

    Parameters
    ----------
    momenta : array or tensor, shape (..., particles, 4)

    Returns
    -------
    array or tensor, shape (..., particles, particles)
        Symmetric, in GeV^2; the diagonal is 2 m^2.

    Examples
    --------
    >>> back_to_back = np.array([[5.0, 0.0, 0.0, 5.0], [5.0, 0.0, 0.0, -5.0]])
    >>> invariants(back_to_back)
    array([[  0., 100.],
           [100.,   0.]])
    """
    momenta = _four_vectors(momenta)
    return 2 * minkowski_product(momenta[..., :, None, :], momenta[..., None, :, :])


def mass(momenta):
    """Invariant mass; rounding errors that make m^2 negative give zero.

    Parameters
    ----------
    momenta : array or tensor, shape (..., 4)

    Returns
    -------
    array or tensor, shape (...)
        In GeV.

    Examples
    --------
    >>> float(mass([5.0, 3.0, 0.0, 0.0]))
    4.0
    """
    return minkowski_product(momenta, momenta).clip(0) ** 0.5


def pt(momenta):
    """Transverse momentum.

    Parameters
    ----------
    momenta : array or tensor, shape (..., 4)

    Returns
    -------
    array or tensor, shape (...)
        In GeV.

    Examples
    --------
    >>> float(pt([13.0, 3.0, 4.0, 12.0]))
    5.0
    """
    momenta = _four_vectors(momenta)
    return _library(momenta).hypot(momenta[..., 1], momenta[..., 2])


def eta(momenta):
    """Pseudorapidity, -ln tan(theta / 2); infinite along the beam.

    Parameters
    ----------
    momenta : array or tensor, shape (..., 4)

    Returns
    -------
    array or tensor, shape (...)

    Examples
    --------
    >>> float(eta([5.0, 3.0, 4.0, 0.0]))
    0.0
    """
    momenta = _four_vectors(momenta)
    with np.errstate(divide="ignore", invalid="ignore"):
        return _library(momenta).arcsinh(momenta[..., 3] / pt(momenta))


def phi(momenta):
    """Azimuthal angle in (-pi, pi].

    Parameters
    ----------
    momenta : array or tensor, shape (..., 4)

    Returns
    -------
    array or tensor, shape (...)
        In radians.

    Examples
    --------
    >>> round(float(phi([5.0, 0.0, 4.0, 3.0])), 4)
    1.5708
    """
    momenta = _four_vectors(momenta)
    return _library(momenta).arctan2(momenta[..., 2], momenta[..., 1])


def delta_r(a, b):
    """Distance in the plane of pseudorapidity and azimuth.

    Parameters
    ----------
    a, b : arrays or tensors, shape (..., 4)

    Returns
    -------
    array or tensor, shape (...)

    Examples
    --------
    >>> round(float(delta_r([1.0, 1.0, 0.0, 0.0], [1.0, -1.0, 0.0, 0.0])), 4)
    3.1416
    """
    difference = phi(a) - phi(b)
    wrapped = (difference + math.pi) % (2 * math.pi) - math.pi
    return _library(difference).hypot(eta(a) - eta(b), wrapped)


def boost(momenta, velocity):
    """Boost four-vectors: a particle at rest comes out with the given velocity.

    Parameters
    ----------
    momenta : array or tensor, shape (..., 4)
    velocity : array or tensor, shape (..., 3) or (3,)
        In units of the speed of light; leading dimensions are broadcast.

    Returns
    -------
    array or tensor, shape (..., 4)

    Raises
    ------
    ValueError
        If a velocity is not below 1.

    Examples
    --------
    >>> boost([1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.6])
    array([1.25, 0.  , 0.  , 0.75])
    """
    momenta = _four_vectors(momenta)
    library = _library(momenta)
    velocity = library.asarray(velocity, dtype=momenta.dtype)
    squared = (velocity**2).sum(-1)
    if not bool((squared < 1).all()):
        raise ValueError(f"velocity: found {float(squared.max()) ** 0.5:.6g}, expected all below 1")
    gamma = 1 / (1 - squared) ** 0.5
    energy, three = momenta[..., 0], momenta[..., 1:]
    along = (velocity * three).sum(-1)
    # (gamma - 1) / v^2 = gamma^2 / (1 + gamma) has no 0 / 0 at rest
    moved = three + velocity * (gamma * energy + gamma**2 / (1 + gamma) * along)[..., None]
    return library.concatenate([(gamma * (energy + along))[..., None], moved], -1)


def rotate(momenta, axis, angle):
    """Rotate four-vectors in space by an angle about an axis (Rodrigues' formula).

    Parameters
    ----------
    momenta : array or tensor, shape (..., 4)
    axis : array or tensor, shape (..., 3) or (3,)
        Need not be normalised.
    angle : float, array or tensor, shape (...)
        In radians.

    Returns
    -------
    array or tensor, shape (..., 4)

    Examples
    --------
    >>> rotate([2.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0], math.pi / 2).round(12)
    array([2., 0., 1., 0.])
    """
    momenta = _four_vectors(momenta)
    library = _library(momenta)
    axis = library.asarray(axis, dtype=momenta.dtype)
    axis = axis / ((axis**2).sum(-1) ** 0.5)[..., None]
    angle = library.asarray(angle, dtype=momenta.dtype)[..., None]
    three = momenta[..., 1:]
    axis = axis + library.zeros_like(three)
    along = axis * (axis * three).sum(-1)[..., None]
    across = library.stack(
        [
            axis[..., 1] * three[..., 2] - axis[..., 2] * three[..., 1],
            axis[..., 2] * three[..., 0] - axis[..., 0] * three[..., 2],
            axis[..., 0] * three[..., 1] - axis[..., 1] * three[..., 0],
        ],
        -1,
    )
    turned = along + (three - along) * library.cos(angle) + across * library.sin(angle)
    return library.concatenate([momenta[..., :1], turned], -1)
