"""A neural network from scratch: dense layers, activations and back-propagation by hand, in numpy.

The code follows the derivation of the lecture page ``book/regression/backpropagation.md``. One layer computes
``z = x W^T + b`` and ``h = activation(z)``; the network is a chain of them, the last one without activation.
Back-propagation (Rumelhart, Hinton and Williams, Nature 323 (1986) 533) carries the gradient of the loss with
respect to ``z`` from the last layer to the first.
"""

import itertools

import numpy as np

from hepml_labs.validation import check_array, check_between, check_count, check_same_shape


def _sigmoid(z):
    return 0.5 * (1 + np.tanh(0.5 * z))  # this form cannot overflow


# name: (function of the sum z, its derivative with respect to z)
ACTIVATIONS = {
    "identity": (lambda z: z, np.ones_like),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "sigmoid": (_sigmoid, lambda z: _sigmoid(z) * _sigmoid(-z)),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(z.dtype)),
    "silu": (lambda z: z * _sigmoid(z), lambda z: _sigmoid(z) * (1 + z * _sigmoid(-z))),
}


def tanh_derivative(z):
    """Return the derivative of the hyperbolic tangent at ``z``, an array of any shape.

    Examples
    --------
    >>> tanh_derivative(np.array([0.0, 100.0]))
    array([1., 0.])
    """
    check_array("z", z, finite=False)
    return ACTIVATIONS["tanh"][1](z)


def dense_forward(inputs, weight, bias):
    """Return the sums ``z = x W^T + b`` of a dense layer for a batch.

    Parameters
    ----------
    inputs : array, shape (n, d_in)
        One row per point of the batch.
    weight : array, shape (d_out, d_in)
    bias : array, shape (d_out,)

    Returns
    -------
    array, shape (n, d_out)

    Examples
    --------
    >>> dense_forward(np.array([[1.0, 2.0]]), weight=np.array([[3.0, 4.0]]), bias=np.array([0.5]))
    array([[11.5]])
    """
    check_array("weight", weight, ("d_out", "d_in"), finite=False)
    check_array("inputs", inputs, ("n", weight.shape[1]), finite=False)
    check_array("bias", bias, (weight.shape[0],), finite=False)
    return inputs @ weight.T + bias


def dense_backward(inputs, weight, output_gradient):
    """Return the gradients of the loss with respect to the inputs, the weight and the bias of a dense layer.

    Parameters
    ----------
    inputs, weight : arrays, shapes (n, d_in) and (d_out, d_in)
        What the forward pass used.
    output_gradient : array, shape (n, d_out)
        dL/dz, the gradient of the loss with respect to the sums of this layer.

    Returns
    -------
    input_gradient, weight_gradient, bias_gradient : arrays
        The three vector-Jacobian products, shapes (n, d_in), (d_out, d_in) and (d_out,).

    Examples
    --------
    >>> x, weight = np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]])
    >>> dense_backward(x, weight, output_gradient=np.array([[10.0]]))
    (array([[30., 40.]]), array([[10., 20.]]), array([10.]))
    """
    check_array("weight", weight, ("d_out", "d_in"), finite=False)
    check_array("inputs", inputs, ("n", weight.shape[1]), finite=False)
    check_array("output_gradient", output_gradient, (len(inputs), weight.shape[0]), finite=False)
    input_gradient = output_gradient @ weight  # sum over the outputs that an input feeds
    weight_gradient = output_gradient.T @ inputs  # sum over the batch, which shares the weight
    bias_gradient = output_gradient.sum(axis=0)
    return input_gradient, weight_gradient, bias_gradient


def squared_loss(prediction, target, sigma=1.0):
    """Return half the mean squared pull, ``mean(((f - y) / sigma)^2) / 2``, and its gradient in f.

    With ``sigma`` the measurement's standard deviation this is chi-squared over twice the number of points.

    Parameters
    ----------
    prediction, target : arrays of one shape
    sigma : float or array of that shape, positive

    Examples
    --------
    >>> loss, gradient = squared_loss(np.array([[3.0]]), np.array([[1.0]]))
    >>> float(loss), gradient
    (2.0, array([[2.]]))
    """
    check_same_shape(prediction=prediction, target=target)  # (n, 1) - (n,) would be (n, n), without a word
    check_array("target", target, finite=True)
    sigma = np.asarray(sigma, dtype=prediction.dtype)
    check_array("sigma", sigma, target.shape if sigma.ndim else None, positive=True)
    pull = (prediction - target) / sigma
    return 0.5 * np.mean(pull**2), pull / sigma / pull.size


class Network:
    """A chain of dense layers, with an activation after each but the last.

    Parameters
    ----------
    sizes : sequence of int
        Numbers of units, inputs first: ``(1, 32, 32, 1)`` has two hidden layers.
    activation : str
        A key of ``ACTIVATIONS``.
    initialisation : "glorot", "he" or float
        Variance of a weight at the start: 2 / (d_in + d_out) (Glorot and Bengio 2010, eq. 12), 2 / d_in
        (He et al. 1502.01852, eq. 10), or a standard deviation given as a number. Biases start at zero.
    seed : int or numpy Generator

    Attributes
    ----------
    parameters : list of arrays
        ``[W1, b1, W2, b2, ...]``, weights of shape (d_out, d_in), float64. Optimizers change them in place.

    Examples
    --------
    >>> network = Network((1, 8, 1), seed=0)
    >>> x = np.linspace(-1, 1, 5)[:, None]
    >>> loss, gradient = squared_loss(network.forward(x), x**2)
    >>> [g.shape for g in network.backward(gradient)]
    [(8, 1), (8,), (1, 8), (1,)]
    """

    def __init__(self, sizes, activation="tanh", initialisation="glorot", seed=0):
        check_count("number of sizes", len(sizes), minimum=2)
        for size in sizes:
            check_count("sizes", size)
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation: found {activation!r}, expected one of {sorted(ACTIVATIONS)}")
        if initialisation not in ("glorot", "he"):
            check_between("initialisation (a name or a number)", initialisation, 0, np.inf, include_low=True)
        self.activation, self.derivative = ACTIVATIONS[activation]
        rng = np.random.default_rng(seed)
        self.parameters, self.layer_inputs, self.sums = [], [], []
        for d_in, d_out in itertools.pairwise(sizes):
            by_name = {"glorot": (2 / (d_in + d_out)) ** 0.5, "he": (2 / d_in) ** 0.5}
            scale = by_name.get(initialisation, initialisation)
            self.parameters += [scale * rng.standard_normal((d_out, d_in)), np.zeros(d_out)]

    def forward(self, inputs):
        """Return the outputs, shape (n, sizes[-1]), for inputs (n, sizes[0]); keep what backward needs."""
        check_array("inputs", inputs, ("n", self.parameters[0].shape[1]), finite=False)
        self.layer_inputs, self.sums = [], []
        hidden = inputs
        for weight, bias in zip(self.parameters[::2], self.parameters[1::2], strict=True):
            self.layer_inputs.append(hidden)
            self.sums.append(dense_forward(hidden, weight, bias))
            hidden = self.activation(self.sums[-1])
        return self.sums[-1]  # a regression's output may be any number: no activation

    def backward(self, output_gradient):
        """Return dL/d(parameter) for each parameter, given dL/d(output) of the last forward pass.

        dL/d(input), shape (n, sizes[0]), is left in ``input_gradient``.
        """
        if not self.sums:
            raise ValueError("output_gradient: found no forward pass to go back through, call forward first")
        check_array("output_gradient", output_gradient, self.sums[-1].shape, finite=False)
        gradients, sum_gradient = [], output_gradient
        for layer in reversed(range(len(self.sums))):
            hidden_gradient, weight_gradient, bias_gradient = dense_backward(
                self.layer_inputs[layer], self.parameters[2 * layer], sum_gradient
            )
            gradients = [weight_gradient, bias_gradient, *gradients]
            if layer > 0:
                sum_gradient = hidden_gradient * self.derivative(self.sums[layer - 1])
        self.input_gradient = hidden_gradient
        return gradients
