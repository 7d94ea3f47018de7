"""Samplers of an ordinary differential equation dx/dt = v(x, t), and the density that flows along."""

import math

import torch

from hepml_labs.validation import check_array, check_between, check_count

__all__ = ["METHODS", "divergence", "integrate", "log_likelihood"]


def _euler(velocity, x, t, step):
    return x + step * velocity(x, t)


def _midpoint(velocity, x, t, step):
    half = x + step / 2 * velocity(x, t)
    return x + step * velocity(half, t + step / 2)


def _rk4(velocity, x, t, step):
    k1 = velocity(x, t)
    k2 = velocity(x + step / 2 * k1, t + step / 2)
    k3 = velocity(x + step / 2 * k2, t + step / 2)
    k4 = velocity(x + step * k3, t + step)
    return x + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


METHODS = {"euler": _euler, "midpoint": _midpoint, "rk4": _rk4}  # of order 1, 2, 4 with as many evaluations a step


def integrate(velocity, x, start=0.0, stop=1.0, steps=20, method="midpoint", trajectory=False):
    """Move points along a velocity field with equal steps in time.

    Parameters
    ----------
    velocity : callable
        ``velocity(x, t)`` of points ``(n, d)`` and times ``(n,)`` returns ``(n, d)``.
    x : tensor, (n, d)
        Points at time `start`.
    start, stop : float
        Times; backwards if `stop` is smaller.
    steps : int
        Number of steps.
    method : {"euler", "midpoint", "rk4"}
        Of order 1, 2 and 4: the error goes down with that power of the step. One, two and four evaluations a step.
    trajectory : bool
        Return the points after each step as well.

    Returns
    -------
    tensor, (n, d) or (steps + 1, n, d)
        Points at time `stop`, or at all times from `start` on.

    Raises
    ------
    ValueError
        If an argument is not as above.

    Notes
    -----
    Hairer, Norsett and Wanner, Solving Ordinary Differential Equations I, section II.1: Euler's method,
    Runge's of 1895, and Kutta's of 1901.

    Examples
    --------
    >>> grow = lambda x, t: x  # x(1) = e x(0)
    >>> x = torch.ones(1, 1)
    >>> for method in ("euler", "midpoint", "rk4"):
    ...     print(round(integrate(grow, x, steps=4, method=method).item(), 3))
    2.441
    2.695
    2.718
    """
    check_array("x", x, ("n", "d"), finite=False)
    check_count("steps", steps)
    if method not in METHODS:
        raise ValueError(f"method: found {method!r}, expected one of {list(METHODS)}")
    for name, time in [("start", start), ("stop", stop)]:
        check_between(name, time, -math.inf, math.inf)
    step, points = (stop - start) / steps, [x]
    for i in range(steps):
        x = METHODS[method](velocity, x, torch.full_like(x[:, 0], start + i * step), step)
        points.append(x)
    return torch.stack(points) if trajectory else x


def divergence(velocity, x, t, probe=None):
    """Velocity and its divergence sum_i dv_i/dx_i, by automatic differentiation.

    Parameters
    ----------
    velocity : callable
        As in `integrate`. Points must not influence each other.
    x : tensor, (n, d)
    t : tensor, (n,)
    probe : tensor, (n, d), optional
        Random vectors with unit covariance. None: the exact trace, with d backward passes. Otherwise one pass gives
        probe^T (dv/dx) probe, whose expectation is the trace (Hutchinson's estimator).

    Returns
    -------
    tuple of tensors
        Velocity ``(n, d)`` and divergence ``(n,)``, cut off from the gradient.

    Raises
    ------
    ValueError
        If `x` is no table of numbers.

    Notes
    -----
    Grathwohl et al., arXiv:1810.01367, section 3.1.

    Examples
    --------
    >>> v, trace = divergence(lambda x, t: x**2, torch.tensor([[1.0, 3.0]]), torch.zeros(1))
    >>> v.tolist(), trace.tolist()
    ([[1.0, 9.0]], [8.0])
    """
    check_array("x", x, ("n", "d"), finite=False)
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        v = velocity(x, t)
        if not v.requires_grad:  # a field that does not depend on x
            return v, torch.zeros_like(t)
        if probe is not None:
            (product,) = torch.autograd.grad(v, x, probe)
            return v.detach(), (product * probe).sum(1)
        trace = torch.zeros_like(t)
        for i in range(x.shape[1]):
            (row,) = torch.autograd.grad(v[:, i].sum(), x, retain_graph=True)
            trace = trace + row[:, i]
    return v.detach(), trace


def log_likelihood(velocity, x, steps=20, exact=True, method="rk4", seed=0):
    """Log-density of data at t = 1, when standard normal noise at t = 0 moves along a velocity field.

    Parameters
    ----------
    velocity : callable
        As in `integrate`.
    x : tensor, (n, d)
        Data.
    steps, method
        As in `integrate`, for the way from the data back to the noise.
    exact : bool
        Exact trace of the Jacobian, or Hutchinson's estimate with one random sign vector for each point: unbiased,
        noisy, and without the factor d in the cost.
    seed : int
        Of these vectors.

    Returns
    -------
    tensor, (n,)
        log p(x), in the units of 1/x^d.

    Raises
    ------
    ValueError
        If an argument is not as above.

    Notes
    -----
    Along a trajectory d log p / dt = -div v (Chen et al., arXiv:1806.07366, theorem 1), so that
    log p_1(x) = log N(x_0; 0, 1) - int_0^1 div v dt. The divergence is integrated as one more coordinate.

    Examples
    --------
    >>> log_likelihood(lambda x, t: 0 * x + 3.0, torch.tensor([[3.0]]))  # noise moved by 3: log N(0) = -0.919
    tensor([-0.9189])
    """
    check_array("x", x, ("n", "d"), finite=False)
    check_count("seed", seed, minimum=0)
    probe = None
    if not exact:
        signs = torch.randint(0, 2, x.shape, generator=torch.Generator().manual_seed(seed))
        probe = (2 * signs - 1).to(x)

    def with_divergence(state, t):
        v, trace = divergence(velocity, state[:, :-1], t, probe)
        return torch.cat([v, trace[:, None]], dim=1)

    state = torch.cat([x, torch.zeros_like(x[:, :1])], dim=1)
    state = integrate(with_divergence, state, 1.0, 0.0, steps, method)
    noise, log_det = state[:, :-1], state[:, -1]  # backwards in time: minus the integral of the divergence
    return log_det - (noise**2).sum(1) / 2 - x.shape[1] / 2 * math.log(2 * math.pi)
