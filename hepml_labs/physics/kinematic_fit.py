r"""Kinematic fits: measurements moved, within their errors, to where they fulfil what is known exactly."""

from typing import NamedTuple

import torch

from hepml_labs.validation import check_array, check_count

__all__ = ["KinematicFit", "kinematic_fit"]


class KinematicFit(NamedTuple):
    """Result for n events with d measurements each.

    Attributes
    ----------
    value : tensor, (n, d)
        The improved measurements.
    covariance : tensor, (n, d, d)
        Their covariance: smaller, and singular across the constraints.
    chi2 : tensor, (n,)
        How far the measurements had to go; with as many degrees of freedom as constraints.
    """

    value: torch.Tensor
    covariance: torch.Tensor
    chi2: torch.Tensor


def kinematic_fit(measured, covariance, constraint, steps=6):
    r"""Minimise the distance from the measurements under constraints, with Lagrange multipliers.

    Parameters
    ----------
    measured : tensor, (n, d)
        Any units.
    covariance : tensor, (d, d) or (n, d, d)
        Of the measurements.
    constraint : callable
        Takes one event, (d,), to (c,): zero where the constraints hold. In torch, for its derivatives.
    steps : int
        Linearisations; each moves the point at which the constraint is expanded.

    Returns
    -------
    KinematicFit

    Raises
    ------
    ValueError
        If shapes do not fit together, or `steps` is no number above zero.

    Notes
    -----
    Belle II Physics Book, arXiv:1808.10567, eq. 15 :cite:`kou2019belle`:
    :math:`(q-\bar q)^TV^{-1}(q-\bar q)+2\lambda^Th(\bar q)` is stationary. With h expanded around the last point
    :math:`q_i`, :math:`h \approx h(q_i)+D(\bar q-q_i)`, this gives
    :math:`\bar q = q - VD^T(DVD^T)^{-1}\left[h(q_i)+D(q-q_i)\right]`, and the same matrices the covariance.
    All steps are differentiable.

    Examples
    --------
    Two measurements of one length, with equal errors:

    >>> fit = kinematic_fit(torch.tensor([[1.0, 2.0]]), 0.5 * torch.eye(2), lambda q: q[:1] - q[1:])
    >>> fit.value.tolist(), fit.covariance.tolist(), fit.chi2.tolist()
    ([[1.5, 1.5]], [[[0.25, 0.25], [0.25, 0.25]]], [1.0])
    """
    check_array("measured", measured, ("n", "d"))
    n, d = measured.shape
    covariance = covariance.expand(n, d, d)
    check_count("steps", steps)
    value_of, slope_of = torch.func.vmap(constraint), torch.func.vmap(torch.func.jacrev(constraint))
    value = measured
    for _ in range(steps):
        slope = slope_of(value)
        moved = covariance @ slope.mT
        residual = value_of(value) + (slope @ (measured - value)[..., None])[..., 0]
        gain = torch.linalg.solve(slope @ moved, moved.mT).mT
        value = measured - (gain @ residual[..., None])[..., 0]
    chi2 = (residual[:, None] @ torch.linalg.solve(slope @ moved, residual[..., None]))[:, 0, 0]
    return KinematicFit(value, covariance - gain @ moved.mT, chi2)
