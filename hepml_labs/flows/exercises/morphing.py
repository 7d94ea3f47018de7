"""Exercises of the lab "Simulation to data"."""

import numpy as np
import torch

from hepml_labs.flows.convex import transport
from hepml_labs.flows.coupling import coupling_flow
from hepml_labs.teaching import Exercise, Mistake


def quantile_map(x, simulation, data):
    """Map values so that a share of the simulation becomes the same share of data.

    Parameters
    ----------
    x : array of shape (n,)
        Simulated values to be mapped.
    simulation, data : array of shape (m,) and (k,)
        Samples of both, in any order.

    Returns
    -------
    array of shape (n,)
        The quantile of `data` at the share of `simulation` that is at most x.

    Examples
    --------
    >>> quantile_map(np.array([2.0]), simulation=np.array([1.0, 2.0, 3.0, 4.0]), data=np.array([0.0, 10.0]))
    array([5.])
    """
    share = (simulation[None, :] <= x[:, None]).mean(axis=1)
    return np.quantile(data, share)


def fill_spike(values, gaussian):
    """Replace exact zeros by minus the absolute value of Gaussian numbers.

    Parameters
    ----------
    values : array of shape (n,)
        At least zero, some exactly.
    gaussian : array of shape (n,)
        Random numbers.

    Returns
    -------
    array of shape (n,)

    Examples
    --------
    >>> fill_spike(np.array([0.0, 3.0]), np.array([0.5, -1.2]))
    array([-0.5,  3. ])
    """
    return np.where(values == 0, -np.abs(gaussian), values)


def morph(flow, x, conditions):
    """Send simulated events to the base with the switch at simulation (-1), and back with the switch at data (+1).

    Parameters
    ----------
    flow : hepml_labs.flows.flow.Flow
        With the conditions and, as the last column of its context, the switch.
    x : tensor of shape (n, d)
        Simulated events.
    conditions : tensor of shape (n, c)
        Their conditions.

    Returns
    -------
    tensor of shape (n, d)

    Examples
    --------
    >>> flow = coupling_flow(2, context=3)  # starts as the identity
    >>> bool(torch.allclose(morph(flow, torch.ones(4, 2), torch.zeros(4, 2)), torch.ones(4, 2)))
    True
    """
    ones = torch.ones(len(x), 1)
    z, _ = flow.transform(x, torch.cat([conditions, -ones], dim=1))
    moved, _ = flow.transform.inverse(z, torch.cat([conditions, ones], dim=1))
    return moved


def transport_loss(f, g, target, source):
    """Value of the game of two convex potentials: <f(y)> over the target + <x . T(x) - f(T(x))> over the source.

    Parameters
    ----------
    f, g : callable
        From tensors (n, d) to (n,): the potentials of target and source. The map T is the gradient of g.
    target, source : tensor of shape (m, d) and (n, d)
        Samples y and x; those of the source require gradients.

    Returns
    -------
    tensor of shape ()

    Examples
    --------
    >>> x = torch.tensor([[1.0, 2.0]], requires_grad=True)
    >>> half_square = lambda x: (x**2).sum(1) / 2
    >>> transport_loss(half_square, half_square, x, x).item()  # T(x) = x: 2.5 + 5 - 2.5
    5.0
    """
    (moved,) = torch.autograd.grad(g(source).sum(), source, create_graph=True)
    return f(target).mean() + ((source * moved).sum(dim=1) - f(moved)).mean()


def _quantile_inputs(rng):
    return rng.normal(size=7), rng.normal(size=40), rng.gamma(2.0, 3.0, size=60)


def _spike_inputs(rng):
    return np.maximum(rng.normal(size=12), 0) * rng.integers(1, 5), rng.normal(size=12)


def _flow_inputs(rng):
    flow = coupling_flow(3, context=3, layers=2, hidden=(8,))
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter += torch.randn(parameter.shape, generator=generator)
    return flow, *(torch.randn(6, size, generator=generator) for size in (3, 2))


def _potential(rng):
    curvature, slope = torch.from_numpy(rng.uniform(0.5, 2, size=2)), torch.from_numpy(rng.normal(size=2))
    return lambda x: (curvature * x**2 / 2 + slope * x).sum(dim=1) + torch.logaddexp(x[:, 0], x[:, 1])


def _game_inputs(rng):
    target, source = (torch.from_numpy(rng.normal(size=(size, 2))) for size in (5, 7))
    return _potential(rng), _potential(rng), target, source.requires_grad_()


def _game(change):
    def answer(f, g, target, source):
        return change(f, target, source, transport(lambda x, context: g(x), source))

    return answer


def _switched(first, second):
    """Morphing with other values of the switch."""

    def answer(flow, x, conditions):
        ones = torch.ones(len(x), 1)
        z, _ = flow.transform(x, torch.cat([conditions, first * ones], dim=1))
        return flow.transform.inverse(z, torch.cat([conditions, second * ones], dim=1))[0]

    return answer


def _backwards(flow, x, conditions):
    ones = torch.ones(len(x), 1)
    z, _ = flow.transform.inverse(x, torch.cat([conditions, -ones], dim=1))
    return flow.transform(z, torch.cat([conditions, ones], dim=1))[0]


EXERCISES = [
    Exercise(
        name="flows.quantile_map",
        reference=quantile_map,
        inputs=_quantile_inputs,
        mistakes=(
            Mistake(
                "The two samples are exchanged: this maps data to simulation.",
                lambda x, simulation, data: quantile_map(x, data, simulation),
            ),
            Mistake(
                "Mean and width alone are matched here. The whole distribution is asked.",
                lambda x, simulation, data: (x - simulation.mean()) / simulation.std() * data.std() + data.mean(),
            ),
            Mistake(
                "You have turned the order round: take the share of the simulation at most x, not above it.",
                lambda x, simulation, data: np.quantile(data, (simulation > x[:, None]).mean(axis=1)),
            ),
            Mistake(
                "This is the share itself, a number between 0 and 1. One step is missing.",
                lambda x, simulation, data: (simulation <= x[:, None]).mean(axis=1),
            ),
        ),
        hints=(
            "Which share of the simulated values is at most x?",
            "(simulation <= x[:, None]).mean(axis=1) is that share, and np.quantile finds a value with a given share.",
            "np.quantile(data, (simulation <= x[:, None]).mean(axis=1))",
        ),
    ),
    Exercise(
        name="flows.fill_spike",
        reference=fill_spike,
        inputs=_spike_inputs,
        mistakes=(
            Mistake(
                "Half of your numbers land among the measured energies, and can never be taken back to zero.",
                lambda values, gaussian: np.where(values == 0, gaussian, values),
            ),
            Mistake(
                "The sign is wrong: below zero there is room, above zero there are other photons.",
                lambda values, gaussian: np.where(values == 0, np.abs(gaussian), values),
            ),
            Mistake(
                "Only the spike is filled: measured energies stay as they are.",
                lambda values, gaussian: values - np.abs(gaussian),
            ),
            Mistake(
                "This shifts the spike, and it stays one: use the random numbers.",
                lambda values, gaussian: np.where(values == 0, -1.0, values),
            ),
        ),
        hints=(
            "np.where(condition, a, b) takes a where the condition holds, else b.",
            "The condition is values == 0. What is never positive and made of a Gaussian?",
            "np.where(values == 0, -np.abs(gaussian), values)",
        ),
    ),
    Exercise(
        name="flows.morph",
        reference=morph,
        inputs=_flow_inputs,
        mistakes=(
            Mistake("The switch is the wrong way round: this makes simulation out of data.", _switched(1, -1)),
            Mistake("Both ways go with one value of the switch: you are back where you started.", _switched(-1, -1)),
            Mistake(
                "You have taken the inverse first. forward goes from the events to the base, inverse back.", _backwards
            ),
            Mistake(
                "These are the base variables. The way back is missing.",
                lambda flow, x, c: flow.transform(x, torch.cat([c, -torch.ones(len(x), 1)], dim=1))[0],
            ),
            Mistake(
                "This draws new data at these conditions: nothing is left of the simulated event.",
                lambda flow, x, c: flow.sample(len(x), torch.cat([c, torch.ones(len(x), 1)], dim=1), 1),
            ),
        ),
        hints=(
            "To the base with flow.transform(x, context), back with flow.transform.inverse(z, context): pairs, both.",
            "The context is torch.cat([conditions, switch], dim=1) with a switch of shape (n, 1).",
            "z, _ = flow.transform(x, torch.cat([conditions, -ones], dim=1)), then the inverse with +ones.",
        ),
        atol=1e-5,
    ),
    Exercise(
        name="flows.transport_loss",
        reference=transport_loss,
        inputs=_game_inputs,
        mistakes=(
            Mistake(
                "The map is the gradient of g, a vector for each event: autograd of g(source).sum().",
                lambda f, g, target, source: f(target).mean() + (g(source) - f(source)).mean(),
            ),
            Mistake(
                "The gradient of a mean is n times too small. Differentiate the sum over the events.",
                lambda f, g, target, source: _game(
                    lambda f, y, x, moved: f(y).mean() + ((x * moved / len(x)).sum(1) - f(moved / len(x))).mean()
                )(f, g, target, source),
            ),
            Mistake(
                "f belongs to the target: on the source side it looks at where the event goes, T(x).",
                _game(lambda f, y, x, moved: f(y).mean() + ((x * moved).sum(1) - f(x)).mean()),
            ),
            Mistake(
                "The sign of f(T(x)) is wrong: both means of f cancel when the map closes.",
                _game(lambda f, y, x, moved: f(y).mean() + ((x * moved).sum(1) + f(moved)).mean()),
            ),
            Mistake(
                "The scalar product sums over the variables of an event, then comes the mean over the events.",
                _game(lambda f, y, x, moved: f(y).mean() + (x * moved).mean() - f(moved).mean()),
            ),
        ),
        hints=(
            "First the map: torch.autograd.grad(g(source).sum(), source, create_graph=True)[0], of shape (n, d).",
            "Then (source * moved).sum(dim=1) is the scalar product of each event.",
            "f(target).mean() + ((source * moved).sum(dim=1) - f(moved)).mean()",
        ),
    ),
]
