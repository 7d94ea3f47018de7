"""Stochastic gradient descent and its relatives, each a few lines of numpy.

The rules are functions of (parameter, gradient, memory) that return the new values and change nothing; the
classes keep the memories and update a list of parameters in place. NaN passes through them: a training that
diverges may be what one wants to see. Each agrees with ``torch.optim``.
The derivations are in the lecture page ``book/regression/optimization.md``.
"""

import numpy as np

from hepml_labs.validation import check_alike, check_array, check_between, check_count


def sgd_update(parameter, gradient, velocity, learning_rate, momentum=0.0, nesterov=False):
    """One step of stochastic gradient descent with momentum.

    ``v <- mu v + g`` and ``w <- w - eta v`` (Polyak 1964; Sutskever et al. 2013, eq. 1-2, with the learning
    rate taken out of v). Nesterov's variant steps along ``g + mu v``.

    Parameters
    ----------
    parameter, gradient, velocity : arrays of one shape
        ``velocity`` starts at zero.
    learning_rate : float
    momentum : float in [0, 1)
    nesterov : bool

    Returns
    -------
    parameter, velocity : arrays

    Examples
    --------
    >>> sgd_update(np.array([1.0]), np.array([2.0]), np.array([4.0]), learning_rate=0.1, momentum=0.5)
    (array([0.6]), array([4.]))
    """
    check_alike(finite=False, parameter=parameter, gradient=gradient, velocity=velocity)
    velocity = momentum * velocity + gradient
    step = gradient + momentum * velocity if nesterov else velocity
    return parameter - learning_rate * step, velocity


def rmsprop_update(parameter, gradient, square, learning_rate, decay=0.99, epsilon=1e-8):
    """One step of RMSProp: each component is divided by the running root mean square of its gradient.

    ``s <- rho s + (1 - rho) g^2`` and ``w <- w - eta g / (sqrt(s) + epsilon)`` (Tieleman and Hinton 2012).

    Parameters
    ----------
    parameter, gradient, square : arrays of one shape
        ``square`` starts at zero.
    learning_rate, decay, epsilon : float

    Returns
    -------
    parameter, square : arrays

    Examples
    --------
    >>> parameter, _ = rmsprop_update(np.array([1.0]), np.array([200.0]), np.array([0.0]), learning_rate=0.1)
    >>> round(float(parameter[0]), 6)  # 0.1 / sqrt(1 - 0.99), whatever the size of the gradient
    0.0
    """
    check_alike(finite=False, parameter=parameter, gradient=gradient, square=square)
    square = decay * square + (1 - decay) * gradient**2
    return parameter - learning_rate * gradient / (np.sqrt(square) + epsilon), square


def adam_update(parameter, gradient, mean, square, step, learning_rate=1e-3, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
    """One step of Adam (Kingma and Ba 1412.6980, algorithm 1).

    Parameters
    ----------
    parameter, gradient, mean, square : arrays of one shape
        ``mean`` and ``square``, the running first and second moments of the gradient, start at zero.
    step : int
        The number of this step, from 1 on: it undoes the bias of the zero start.
    learning_rate, beta_1, beta_2, epsilon : float

    Returns
    -------
    parameter, mean, square : arrays

    Examples
    --------
    >>> start, gradient, zero = np.array([1.0]), np.array([-50.0]), np.zeros(1)
    >>> parameter, mean, square = adam_update(start, gradient, zero, zero, step=1, learning_rate=0.1)
    >>> round(float(parameter[0]), 6)  # the first step has the size of the learning rate
    1.1
    """
    check_alike(finite=False, parameter=parameter, gradient=gradient, mean=mean, square=square)
    mean = beta_1 * mean + (1 - beta_1) * gradient
    square = beta_2 * square + (1 - beta_2) * gradient**2
    corrected_mean = mean / (1 - beta_1**step)
    corrected_square = square / (1 - beta_2**step)
    return parameter - learning_rate * corrected_mean / (np.sqrt(corrected_square) + epsilon), mean, square


class Optimizer:
    """A list of parameters, changed in place by ``step(gradients)``.

    Parameters
    ----------
    parameters : list of float arrays
        For instance ``Network.parameters``.
    learning_rate : float, positive
        May be changed between steps, as a schedule does.
    weight_decay : float
        Strength lambda of the penalty ``lambda |w|^2 / 2``, added to the gradient (AdamW: see there).
    **settings
        Passed on to the update rule.
    """

    memories = 0  # arrays that the rule remembers per parameter

    def __init__(self, parameters, learning_rate, weight_decay=0.0, **settings):
        check_between("learning_rate", learning_rate, 0, np.inf)
        check_between("weight_decay", weight_decay, 0, np.inf, include_low=True)
        for name in ("momentum", "decay", "beta_1", "beta_2"):
            check_between(name, settings.get(name, 0), 0, 1, include_low=True)
        check_count("number of parameters", len(parameters))
        for parameter in parameters:
            check_array("parameters", parameter)
        self.parameters, self.learning_rate, self.weight_decay = list(parameters), learning_rate, weight_decay
        self.settings, self.steps = settings, 0
        self.memory = [[np.zeros_like(p) for _ in range(self.memories)] for p in self.parameters]

    def step(self, gradients):
        """Update every parameter, given the list of the gradients in the same order."""
        shapes, expected = [np.shape(g) for g in gradients], [p.shape for p in self.parameters]
        if shapes != expected:
            raise ValueError(f"gradients: found shapes {shapes}, expected those of the parameters, {expected}")
        self.steps += 1
        for index, (parameter, gradient) in enumerate(zip(self.parameters, gradients, strict=True)):
            new, *self.memory[index] = self.rule(parameter, gradient, *self.memory[index])
            parameter[...] = new

    def rule(self, parameter, gradient, *memory):
        """Return the new parameter and the new memories."""
        raise NotImplementedError


class SGD(Optimizer):
    """Gradient descent; ``momentum=`` and ``nesterov=`` as in ``sgd_update``.

    Examples
    --------
    >>> w = np.array([1.0])
    >>> SGD([w], learning_rate=0.1).step([2 * w])
    >>> w
    array([0.8])
    """

    memories = 1

    def rule(self, parameter, gradient, velocity):  # noqa: D102
        return sgd_update(
            parameter, gradient + self.weight_decay * parameter, velocity, self.learning_rate, **self.settings
        )


class RMSProp(Optimizer):
    """RMSProp; ``decay=`` and ``epsilon=`` as in ``rmsprop_update``."""

    memories = 1

    def rule(self, parameter, gradient, square):  # noqa: D102
        return rmsprop_update(
            parameter, gradient + self.weight_decay * parameter, square, self.learning_rate, **self.settings
        )


class Adam(Optimizer):
    """Adam; ``beta_1=``, ``beta_2=``, ``epsilon=`` as in ``adam_update``; the penalty is in the gradient."""

    memories = 2

    def rule(self, parameter, gradient, mean, square):  # noqa: D102
        gradient = gradient + self.weight_decay * parameter
        return adam_update(parameter, gradient, mean, square, self.steps, self.learning_rate, **self.settings)


class AdamW(Optimizer):
    """Adam with decoupled decay, ``w <- (1 - eta lambda) w`` (Loshchilov, Hutter 1711.05101, algorithm 2)."""

    memories = 2

    def rule(self, parameter, gradient, mean, square):  # noqa: D102
        parameter = (1 - self.learning_rate * self.weight_decay) * parameter
        return adam_update(parameter, gradient, mean, square, self.steps, self.learning_rate, **self.settings)
