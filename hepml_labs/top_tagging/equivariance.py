"""Lorentz transformations at random, and what a network makes of them."""

import torch

from hepml_labs.validation import check_array, check_count

__all__ = ["METRIC", "boost_matrix", "invariance_error", "random_boosts", "random_rotations", "random_transformations"]

METRIC = torch.diag(torch.tensor([1.0, -1.0, -1.0, -1.0], dtype=torch.float64))
"""The metric g = diag(1, -1, -1, -1): a matrix L is a Lorentz transformation if L^T g L = g."""


def boost_matrix(direction, rapidity):
    """Matrix of a boost along a direction.

    Parameters
    ----------
    direction : tensor
        Shape ``(..., 3)``; need not be normalised.
    rapidity : tensor
        Shape ``(...)``: y with gamma = cosh y and velocity tanh y.

    Returns
    -------
    tensor
        Shape ``(..., 4, 4)``, to act on columns (E, px, py, pz).

    Examples
    --------
    >>> matrix = boost_matrix(torch.tensor([0.0, 0.0, 1.0]), torch.tensor(5 / 4).acosh())
    >>> matrix @ torch.tensor([1.0, 0.0, 0.0, 0.0])
    tensor([1.2500, 0.0000, 0.0000, 0.7500])
    """
    check_array("direction", direction, (..., 3))
    unit = direction / direction.norm(dim=-1, keepdim=True)
    gamma, momentum = rapidity.cosh()[..., None, None], rapidity.sinh()[..., None] * unit
    along = unit[..., :, None] * unit[..., None, :]
    space = torch.eye(3, dtype=direction.dtype, device=direction.device) + (gamma - 1) * along
    top = torch.cat([gamma, momentum[..., None, :]], dim=-1)
    return torch.cat([top, torch.cat([momentum[..., :, None], space], dim=-1)], dim=-2)


def random_boosts(n, gamma=5.0, seed=0, fixed=False):
    """Boosts in isotropic directions.

    Parameters
    ----------
    n : int
        How many.
    gamma : float
        Largest Lorentz factor, at least 1.
    seed : int
        Of the random numbers.
    fixed : bool
        All with exactly this Lorentz factor; else the rapidity is uniform between 0 and arcosh(gamma).

    Returns
    -------
    tensor
        Shape ``(n, 4, 4)``, float64.

    Raises
    ------
    ValueError
        For `n` below 1 or `gamma` below 1.

    Examples
    --------
    >>> boosts = random_boosts(3, gamma=5.0, fixed=True)
    >>> boosts.shape, boosts[:, 0, 0].tolist()
    (torch.Size([3, 4, 4]), [5.0, 5.0, 5.0])
    """
    check_count("n", n)
    if not gamma >= 1:
        raise ValueError(f"gamma: found {gamma!r}, expected a Lorentz factor of at least 1")
    generator = torch.Generator().manual_seed(seed)
    direction = torch.randn(n, 3, generator=generator, dtype=torch.float64)
    share = torch.rand(n, generator=generator, dtype=torch.float64)
    largest = torch.tensor(float(gamma), dtype=torch.float64).acosh()
    return boost_matrix(direction, largest * (torch.ones_like(share) if fixed else share))


def random_rotations(n, seed=0):
    """Rotations of space, uniform over the group, as Lorentz transformations.

    Parameters
    ----------
    n : int
        How many.
    seed : int
        Of the random numbers.

    Returns
    -------
    tensor
        Shape ``(n, 4, 4)``, float64.

    Notes
    -----
    A unit quaternion (w, v), uniform on the sphere in four dimensions, turns x into x + 2 w v x x + 2 v x (v x x).

    Examples
    --------
    >>> rotation = random_rotations(1)[0]
    >>> bool(torch.allclose(rotation.T @ rotation, torch.eye(4, dtype=torch.float64)))
    True
    """
    check_count("n", n)
    generator = torch.Generator().manual_seed(seed)
    quaternion = torch.randn(n, 4, generator=generator, dtype=torch.float64)
    w, v = (quaternion / quaternion.norm(dim=1, keepdim=True)).split([1, 3], dim=1)
    across = torch.zeros(n, 3, 3, dtype=torch.float64)  # the matrix of "v x"
    for i, j, k in [(0, 1, 2), (1, 2, 0), (2, 0, 1)]:
        across[:, j, k], across[:, k, j] = -v[:, i], v[:, i]
    matrix = torch.eye(4, dtype=torch.float64).repeat(n, 1, 1)
    matrix[:, 1:, 1:] += 2 * w[..., None] * across + 2 * across @ across
    return matrix


def random_transformations(n, gamma=5.0, seed=0, fixed=False):
    """Lorentz transformations: a rotation, then a boost. Parameters and result as in `random_boosts`.

    Every proper orthochronous Lorentz transformation is such a product.

    Examples
    --------
    >>> matrix = random_transformations(2)
    >>> bool(torch.allclose(matrix.mT @ METRIC @ matrix, METRIC.expand(2, 4, 4)))
    True
    """
    return random_boosts(n, gamma, seed, fixed) @ random_rotations(n, seed + 1)


def invariance_error(network, momenta, mask, gamma=5.0, seed=0, fixed=False):
    """How much the output of a network changes when each jet is transformed as a whole.

    Parameters
    ----------
    network : callable
        ``network(momenta, mask)`` returns ``(n, outputs)``; put it in evaluation mode before.
    momenta : tensor
        Shape ``(n, particles, 4)``, GeV.
    mask : tensor
        Shape ``(n, particles)``, bool.
    gamma : float
        Largest Lorentz factor.
    seed : int
        Of the random transformations, one for each jet.
    fixed : bool
        As in `random_boosts`.

    Returns
    -------
    tensor
        Shape ``(n,)``: largest difference over the outputs of each jet. The transformation itself is computed in
        float64 and rounded once, so that the error is the network's own.

    Examples
    --------
    >>> def squared_mass(momenta, mask):
    ...     total = (momenta * mask[..., None]).sum(1)
    ...     return (total**2 @ METRIC.diagonal())[:, None]
    >>> momenta, mask = torch.rand(4, 5, 4, dtype=torch.float64), torch.ones(4, 5, dtype=torch.bool)
    >>> bool(invariance_error(squared_mass, momenta, mask).max() < 1e-10)
    True
    """
    check_array("momenta", momenta, ("n", "particles", 4))
    matrix = random_transformations(len(momenta), gamma, seed, fixed).to(momenta.device)
    transformed = (momenta.double() @ matrix.mT).to(momenta.dtype)
    with torch.no_grad():
        return (network(transformed, mask) - network(momenta, mask)).abs().flatten(1).amax(1)
