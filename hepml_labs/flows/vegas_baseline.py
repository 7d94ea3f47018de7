"""VEGAS from its author's library, as a baseline and as the start of a channel."""

import numpy as np
import torch

from hepml_labs.flows.channels import Grid
from hepml_labs.flows.importance_sampling import Integral, summarize
from hepml_labs.flows.transforms import Chain

__all__ = ["vegas_channel", "vegas_integral"]


def _trained(integrand, channel, features, calls, iterations, seed, **options):
    """Integrator with an adapted grid, and the integrand as it wants it."""
    import gvar
    import vegas

    gvar.ranseed(seed)

    @vegas.lbatchintegrand
    def on_the_cube(u):
        u = torch.from_numpy(np.array(u)).to(torch.get_default_dtype())
        with torch.no_grad():
            x, log_det = (u, u.new_zeros(len(u))) if channel is None else channel.inverse(u)
            return (integrand(x) * log_det.exp()).double().numpy()

    integrator = vegas.Integrator([[0, 1]] * features)
    integrator(on_the_cube, nitn=iterations, neval=calls, **options)
    return integrator, on_the_cube


def vegas_channel(integrand, channel, features, calls=1000, iterations=8, bins=32, seed=0):
    """Chain a channel with the grid that VEGAS learns on top of it, the start of MadNIS Reloaded.

    Parameters
    ----------
    integrand : callable
        Physical variables (n, d) to the channel's share of the integrand, (n,).
    channel : Transform or None
        Analytic map to the unit cube; None where the variables are on the cube already.
    features : int
        Number d of variables.
    calls, iterations : int
        Calls of the integrand in each iteration of VEGAS, and their number.
    bins : int
        Largest number of bins in each variable: the fewer, the smoother.
    seed : int

    Returns
    -------
    Transform
        From the physical variables to a cube on which the channel's share is flat, as far as a product can make it.

    Notes
    -----
    Heimel et al. :cite:`heimel2024reloaded`.

    Examples
    --------
    >>> line = vegas_channel(lambda x: x.prod(1), None, features=2)
    >>> x, log_det = line.inverse(torch.rand(1000, 2))
    >>> weight = x.prod(1) * log_det.exp()
    >>> bool(weight.std() < 0.2 * weight.mean())
    True
    """
    integrator, _ = _trained(integrand, channel, features, calls, iterations, seed, maxinc_axis=bins)
    grid = Grid.from_vegas(integrator.map)
    return grid if channel is None else Chain([channel, grid])


def vegas_integral(integrand, channel, features, train_calls, n, iterations=10, seed=0):
    """Integrate with VEGAS+: adapt, then integrate with the grid and the stratification fixed.

    Parameters
    ----------
    integrand, channel, features, seed
        As in `vegas_channel`.
    train_calls : int
        Calls for the adaptation, in `iterations` equal parts.
    n : int
        Calls of the integration.
    iterations : int

    Returns
    -------
    Integral
        `relative_std` belongs to the error that VEGAS states, with stratified sampling; `efficiency` and
        `effective_size` to single weighted events. `calls` is what VEGAS made of n.

    Notes
    -----
    Lepage :cite:`lepage1978vegas`; the adaptive stratification is that of :cite:`lepage2021vegas`.

    Examples
    --------
    >>> found = vegas_integral(lambda x: 4 * x.prod(1), None, 2, train_calls=10_000, n=10_000)
    >>> bool(abs(found.value - 1) < 5 * found.error and found.relative_std < 0.1)
    True
    """
    integrator, on_the_cube = _trained(integrand, channel, features, train_calls // iterations, iterations, seed)
    result = integrator(on_the_cube, nitn=1, neval=n, adapt=False)
    weights = np.concatenate([weight * on_the_cube(np.array(u)) for u, weight in integrator.random_batch()])
    events = summarize(weights * len(weights))
    calls = int(result.sum_neval)
    return Integral(
        float(result.mean),
        float(result.sdev),
        float(result.sdev * np.sqrt(calls) / abs(result.mean)),
        events.efficiency,
        events.effective_size,
        calls,
    )
