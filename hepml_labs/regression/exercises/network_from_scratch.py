"""Exercises of the lab "A neural network from scratch"."""

import numpy as np

from hepml_labs.regression.gradient_check import relative_error
from hepml_labs.regression.optimizers import adam_update, sgd_update
from hepml_labs.regression.scratch import dense_backward, dense_forward, tanh_derivative
from hepml_labs.teaching import Exercise, Mistake


def _layer(rng):
    n, d_in, d_out = 7, 3, 5  # all different, so that no transposition goes unseen
    return rng.standard_normal((n, d_in)), rng.standard_normal((d_out, d_in)), n, d_out


def _forward_inputs(rng):
    inputs, weight, _, d_out = _layer(rng)
    return inputs, weight, rng.standard_normal(d_out)


def _backward_inputs(rng):
    inputs, weight, n, d_out = _layer(rng)
    return inputs, weight, rng.standard_normal((n, d_out))


def _momentum_inputs(rng):
    parameter, gradient, velocity = rng.standard_normal((3, 4, 2))
    return parameter, gradient, velocity, rng.uniform(0.05, 0.4), rng.uniform(0.5, 0.95)


def _adam_inputs(rng):
    parameter, gradient, mean, square = rng.standard_normal((4, 4, 2))
    settings = rng.uniform(0.05, 0.4), rng.uniform(0.5, 0.8), rng.uniform(0.85, 0.95), rng.uniform(0.1, 0.5)
    return parameter, gradient, mean, square**2 + 0.1, int(rng.integers(1, 6)), *settings


def _replace(position, change):
    """Return dense_backward with one of its three results changed."""

    def wrong(inputs, weight, output_gradient):
        results = list(dense_backward(inputs, weight, output_gradient))
        results[position] = change(results[position], inputs, weight, output_gradient)
        return tuple(results)

    return wrong


def _wrong_order(inputs, weight, output_gradient):
    input_gradient, weight_gradient, bias_gradient = dense_backward(inputs, weight, output_gradient)
    return weight_gradient, bias_gradient, input_gradient


def _adam_with(mean_hat=None, square_hat=None, power=2, corrected_memory=False, epsilon_inside=False):
    """Return Adam's update with one step of it done wrong."""

    def wrong(parameter, gradient, mean, square, step, learning_rate, beta_1, beta_2, epsilon):
        mean = beta_1 * mean + (1 - beta_1) * gradient
        square = beta_2 * square + (1 - beta_2) * np.abs(gradient) ** power
        corrected_mean = mean / (1 - beta_1**step) if mean_hat is None else mean_hat(mean, beta_1)
        corrected_square = square / (1 - beta_2**step) if square_hat is None else square_hat(square, beta_2)
        root = np.sqrt(corrected_square + epsilon) if epsilon_inside else np.sqrt(corrected_square) + epsilon
        memory = (corrected_mean, corrected_square) if corrected_memory else (mean, square)
        return parameter - learning_rate * corrected_mean / root, *memory

    return wrong


EXERCISES = [
    Exercise(
        name="regression.dense_forward",
        reference=dense_forward,
        inputs=_forward_inputs,
        mistakes=(
            Mistake("The bias is missing.", lambda x, weight, bias: x @ weight.T),
            Mistake(
                "The result is the transpose of what is asked: one row per point of the batch, please.",
                lambda x, weight, bias: weight @ x.T + bias[:, None],
            ),
            Mistake("The bias has the wrong sign.", lambda x, weight, bias: x @ weight.T - bias),
            Mistake(
                "That is the layer with its activation; asked for is only the sum z.",
                lambda x, weight, bias: np.tanh(x @ weight.T + bias),
            ),
        ),
        hints=(
            "Write down the shapes: x is (n, d_in), the weight (d_out, d_in), the result (n, d_out).",
            "The index equation is z_ni = sum_j x_nj W_ij + b_i: the sum runs over the second index of both.",
            "A sum over the second index of both is x @ weight.T; numpy adds the bias to every row by itself.",
        ),
    ),
    Exercise(
        name="regression.tanh_derivative",
        reference=tanh_derivative,
        inputs=lambda rng: (rng.uniform(-3, 3, (6, 4)),),
        mistakes=(
            Mistake(
                "That is 1 - z^2: right if z were already the activation. Here z is the sum that goes in.",
                lambda z: 1 - z**2,
            ),
            Mistake("The hyperbolic tangent is not squared.", lambda z: 1 - np.tanh(z)),
            Mistake("A square is missing: 1 / cosh(z) is not yet it.", lambda z: 1 / np.cosh(z)),
            Mistake(
                "That is the derivative of the sigmoid, h (1 - h), with tanh put in for h.",
                lambda z: np.tanh(z) * (1 - np.tanh(z)),
            ),
            Mistake("The sign is wrong: tanh rises everywhere.", lambda z: np.tanh(z) ** 2 - 1),
        ),
        hints=(
            "Write tanh(z) = sinh(z) / cosh(z) and use the quotient rule.",
            "The numerator becomes cosh^2 - sinh^2 = 1.",
            "1 / cosh(z)^2, which is also 1 - tanh(z)^2; the second form cannot overflow.",
        ),
    ),
    Exercise(
        name="regression.dense_backward",
        reference=dense_backward,
        inputs=_backward_inputs,
        points=2,
        mistakes=(
            Mistake(
                "The bias gradient still has one row per point: the bias is shared by the batch, so sum over it.",
                _replace(2, lambda _, inputs, weight, output_gradient: output_gradient),
            ),
            Mistake(
                "The bias gradient is a mean over the batch. The 1/n belongs to the loss and is already in dL/dz.",
                _replace(2, lambda result, inputs, *_: result / len(inputs)),
            ),
            Mistake(
                "The weight gradient is a mean over the batch. The 1/n belongs to the loss and is already in dL/dz.",
                _replace(1, lambda result, inputs, *_: result / len(inputs)),
            ),
            Mistake(
                "The weight gradient is transposed: it must have the shape of the weight, (d_out, d_in).",
                _replace(1, lambda result, *_: result.T),
            ),
            Mistake(
                "The sign of the gradients is wrong; the minus belongs to the optimizer's step.",
                lambda *arguments: tuple(-result for result in dense_backward(*arguments)),
            ),
            Mistake(
                "The order is wrong: asked for are the gradients of inputs, weight, bias.",
                _wrong_order,
            ),
        ),
        hints=(
            "A gradient has the shape of the thing it is the gradient of: check the shapes first.",
            "z_ni = sum_j x_nj W_ij + b_i. Then dL/dW_ij = sum_n dL/dz_ni dz_ni/dW_ij = sum_n dL/dz_ni x_nj.",
            "dW = dz.T @ x, db = dz.sum(axis=0), dx = dz @ W.",
        ),
    ),
    Exercise(
        name="regression.relative_error",
        reference=relative_error,
        inputs=lambda rng: (rng.standard_normal((3, 4)), rng.standard_normal((3, 4))),
        mistakes=(
            Mistake("That is the absolute error: it has units.", lambda g, r: np.linalg.norm(g - r)),
            Mistake(
                "That is one number per component; take the norm of the whole array first.",
                lambda g, r: np.abs(g - r) / (np.abs(g) + np.abs(r)),
            ),
            Mistake(
                "The scale is the norm of the first gradient alone: that is not symmetric.",
                lambda g, r: np.linalg.norm(g - r) / np.linalg.norm(g),
            ),
            Mistake(
                "The denominator is |g + r|, which vanishes for opposite gradients; asked for is |g| + |r|.",
                lambda g, r: np.linalg.norm(g - r) / np.linalg.norm(g + r),
            ),
        ),
        hints=(
            "The answer is one number between 0 (equal) and 1 (opposite).",
            "np.linalg.norm of a matrix is the root of the sum of the squares of all its entries.",
            "np.linalg.norm(g - r) / (np.linalg.norm(g) + np.linalg.norm(r))",
        ),
    ),
    Exercise(
        name="regression.sgd_update",
        reference=sgd_update,
        inputs=_momentum_inputs,
        mistakes=(
            Mistake(
                "The step goes uphill: the parameter must move against the gradient.",
                lambda w, g, v, eta, mu: (w + eta * (mu * v + g), mu * v + g),
            ),
            Mistake(
                "The step uses the old velocity; update the velocity first.",
                lambda w, g, v, eta, mu: (w - eta * v, mu * v + g),
            ),
            Mistake(
                "That is plain gradient descent: the velocity is not used.",
                lambda w, g, v, eta, mu: (w - eta * g, g),
            ),
            Mistake(
                "The gradient enters with the weight 1 - mu. That is a running mean (as in Adam), not this rule.",
                lambda w, g, v, eta, mu: (w - eta * (mu * v + (1 - mu) * g), mu * v + (1 - mu) * g),
            ),
            Mistake(
                "The learning rate went into the velocity. The path is the same for a fixed rate, "
                "but the velocity asked for is in units of the gradient.",
                lambda w, g, v, eta, mu: (w - (mu * v + eta * g), mu * v + eta * g),
            ),
        ),
        hints=(
            "Two lines: first the new velocity, then the new parameter.",
            "The velocity keeps a fraction mu of itself and takes up the whole gradient.",
            "v = mu v + g, then w = w - eta v; return both.",
        ),
    ),
    Exercise(
        name="regression.adam_update",
        reference=adam_update,
        inputs=_adam_inputs,
        points=2,
        mistakes=(
            Mistake(
                "The bias of the zero start is not corrected: divide by 1 - beta^step.",
                _adam_with(mean_hat=lambda m, beta: m, square_hat=lambda s, beta: s),
            ),
            Mistake(
                "The correction forgets the power: it is 1 - beta^step, not 1 - beta.",
                _adam_with(mean_hat=lambda m, b: m / (1 - b), square_hat=lambda s, b: s / (1 - b)),
            ),
            Mistake("The second moment needs the square of the gradient.", _adam_with(power=1)),
            Mistake(
                "The moments returned are the corrected ones; the next step would correct them again.",
                _adam_with(corrected_memory=True),
            ),
            Mistake(
                "Epsilon stands under the root; in the paper it is added outside of it.",
                _adam_with(epsilon_inside=True),
            ),
            Mistake(
                "The step goes uphill.",
                lambda w, *others: (2 * w - adam_update(w, *others)[0], *adam_update(w, *others)[1:]),
            ),
        ),
        hints=(
            "Four lines: two running means, two corrections; then the step.",
            "mean = beta_1 mean + (1 - beta_1) g, and the same for the square with beta_2 and g^2.",
            "w - eta * (mean / (1 - beta_1**step)) / (sqrt(square / (1 - beta_2**step)) + epsilon)",
        ),
    ),
]
