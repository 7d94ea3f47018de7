"""Looking at a loss landscape: two-dimensional slices, planes through solutions, curves between minima.

All functions work on flat parameter vectors, so that they serve the numpy network of this chapter and any
``torch.nn.Module`` (through ``module_loss``) alike.
"""

import numpy as np
import torch
from torch.nn.utils import parameters_to_vector

from hepml_labs.regression.optimizers import Adam
from hepml_labs.validation import check_alike, check_array, check_count


def flatten(arrays):
    """Return one vector with the entries of a list of arrays.

    Examples
    --------
    >>> flatten([np.ones((1, 2)), np.zeros(1)])
    array([1., 1., 0.])
    """
    return np.concatenate([np.ravel(array) for array in arrays])


def unflatten(vector, like):
    """Return the list of arrays whose entries are ``vector`` and whose shapes are those of ``like``.

    Examples
    --------
    >>> unflatten(np.arange(3.0), like=[np.ones((1, 2)), np.zeros(1)])
    [array([[0., 1.]]), array([2.])]
    """
    sizes = [np.size(array) for array in like]
    if len(vector) != sum(sizes):
        raise ValueError(f"vector: found {len(vector)} entries, expected {sum(sizes)} as in `like`")
    pieces = np.split(vector, np.cumsum(sizes)[:-1])
    return [piece.reshape(np.shape(array)) for piece, array in zip(pieces, like, strict=True)]


def random_directions(parameters, number=2, seed=0):
    """Return filter-normalised random directions (Li et al. 1712.09913, section 4).

    A network with ReLU does the same with the weights into a unit doubled and those out of it halved, so a
    step of fixed length means nothing. Each unit's incoming weights (a row of W) get a Gaussian direction
    scaled to their own norm; biases stay fixed.

    Parameters
    ----------
    parameters : list of arrays
        Weights of shape (d_out, ...) and biases of shape (d_out,).
    number : int
    seed : int or numpy Generator

    Returns
    -------
    array, shape (number, total size)

    Examples
    --------
    >>> weight = np.array([[3.0, 4.0], [0.0, 1.0]])
    >>> direction = random_directions([weight, np.ones(2)], number=1)[0]
    >>> np.linalg.norm(direction[:4].reshape(2, 2), axis=1).round(6), direction[4:]
    (array([5., 1.]), array([0., 0.]))
    """
    check_count("number of parameters", len(parameters))
    check_count("number", number)
    rng = np.random.default_rng(seed)
    directions = []
    for _ in range(number):
        pieces = []
        for array in parameters:
            array = np.asarray(array)
            if array.ndim < 2:
                pieces.append(np.zeros_like(array))
                continue
            rows = array.reshape(len(array), -1)
            noise = rng.standard_normal(rows.shape)
            pieces.append(noise * np.linalg.norm(rows, axis=1, keepdims=True) / np.linalg.norm(noise, axis=1)[:, None])
        directions.append(flatten(pieces))
    return np.stack(directions)


def plane_through(first, second, third):
    """Return an orthonormal basis of the plane through three parameter vectors, and their coordinates in it.

    Parameters
    ----------
    first, second, third : arrays, shape (p,)
        Three solutions, not on one line. The first is the origin (Garipov et al. 1802.10026, appendix A.2).

    Returns
    -------
    directions : array, shape (2, p)
    coordinates : array, shape (3, 2)

    Examples
    --------
    >>> directions, coordinates = plane_through(np.zeros(3), np.array([2.0, 0, 0]), np.array([1.0, 3.0, 0]))
    >>> coordinates
    array([[0., 0.],
           [2., 0.],
           [1., 3.]])
    """
    check_alike(("p",), first=first, second=second, third=third)
    u, v = second - first, third - first
    length = np.linalg.norm(u)
    if length == 0:
        raise ValueError("second: found the same point as first, expected three points that span a plane")
    u = u / length
    along = v @ u
    v = v - along * u
    height = np.linalg.norm(v)
    if height <= 1e-12 * max(length, abs(along)):
        raise ValueError("third: found a point on the line of first and second, expected a plane's third point")
    return np.stack([u, v / height]), np.array([[0.0, 0.0], [length, 0.0], [along, height]])


def slice_loss(loss, origin, directions, horizontal, vertical):
    """Return the loss on a grid of the plane ``origin + a directions[0] + b directions[1]``.

    Parameters
    ----------
    loss : callable
        Takes a vector of shape (p,) and returns a number.
    origin : array, shape (p,)
    directions : array, shape (2, p)
    horizontal, vertical : arrays, shapes (h,) and (v,)
        The coefficients a and b.

    Returns
    -------
    array, shape (v, h)
        Ready for ``axes.contour(horizontal, vertical, ...)``.

    Examples
    --------
    >>> slice_loss(lambda w: w @ w, np.zeros(3), np.eye(3)[:2], np.array([0.0, 1.0]), np.array([0.0, 2.0]))
    array([[0., 1.],
           [4., 5.]])
    """
    check_array("origin", origin, ("p",))
    check_array("directions", directions, (2, len(origin)))
    return np.array([[loss(origin + a * directions[0] + b * directions[1]) for a in horizontal] for b in vertical])


def bezier(start, bend, end, t):
    """Return the quadratic Bezier curve ``(1-t)^2 start + 2t(1-t) bend + t^2 end`` (1802.10026, section 3.2).

    Examples
    --------
    >>> bezier(np.zeros(1), np.ones(1), np.zeros(1), t=0.5)
    array([0.5])
    """
    check_alike(start=start, bend=bend, end=end)
    return (1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * end


def connect(loss_and_gradient, start, end, steps=500, optimizer=None, seed=0):
    """Find a bend that makes the loss low all along the Bezier curve from one minimum to another.

    Minimises ``E_t L(bezier(t))`` with t uniform in (0, 1), one t per step (1802.10026, eq. 2). By the
    chain rule the gradient with respect to the bend is ``2t(1-t)`` times the gradient at the point of the curve.

    Parameters
    ----------
    loss_and_gradient : callable
        Takes a vector (p,), returns the loss and its gradient (p,).
    start, end : arrays, shape (p,)
        Two trained solutions; they stay fixed.
    steps : int
    optimizer : callable, optional
        Takes a list with the bend, returns an object with ``step(gradients)``. Default: Adam at rate 0.01.
    seed : int or numpy Generator

    Returns
    -------
    bend : array, shape (p,)

    Examples
    --------
    >>> ring = lambda w: ((w @ w - 1) ** 2, 4 * (w @ w - 1) * w)  # all minima lie on a circle
    >>> bend = connect(ring, np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    >>> middle = bezier(np.array([1.0, 0.0]), bend, np.array([0.0, 1.0]), 0.5)
    >>> bool(ring(middle)[0] < 0.01), float(ring(np.array([0.5, 0.5]))[0])  # the straight line has a barrier
    (True, 0.25)
    """
    check_array("start", start, ("p",))
    check_array("end", end, start.shape)
    check_count("steps", steps)
    rng = np.random.default_rng(seed)
    bend = 0.5 * (start + end)
    optimizer = Adam([bend], learning_rate=0.01) if optimizer is None else optimizer([bend])
    for t in rng.uniform(size=steps):
        _, gradient = loss_and_gradient(bezier(start, bend, end, t))
        optimizer.step([2 * t * (1 - t) * gradient])
    return bend


def module_loss(module, loss, *batch):
    """Return a function of a flat vector that gives loss and gradient of a torch module, left as it is.

    Parameters
    ----------
    module : torch.nn.Module
    loss : callable
        ``loss(module, *batch)`` as for ``hepml_labs.training.fit``.
    *batch : tensors

    Examples
    --------
    >>> line = torch.nn.Linear(1, 1).double()
    >>> x = torch.ones(3, 1).double()
    >>> function = module_loss(line, lambda module, x: module(x).mean() ** 2, x)
    >>> function(np.array([2.0, 1.0]))
    (9.0, array([6., 6.]))
    """
    names = [name for name, _ in module.named_parameters()]
    shapes = [parameter.shape for parameter in module.parameters()]
    like = next(module.parameters())

    def loss_and_gradient(vector):
        flat = torch.as_tensor(vector).to(like).requires_grad_()
        pieces = flat.split([shape.numel() for shape in shapes])
        weights = {name: piece.view(shape) for name, piece, shape in zip(names, pieces, shapes, strict=True)}

        def replaced(*inputs):
            return torch.func.functional_call(module, weights, inputs)

        value = loss(replaced, *batch)
        (gradient,) = torch.autograd.grad(value, flat)
        return value.item(), gradient.cpu().numpy()

    return loss_and_gradient


def module_vector(module):
    """Return the parameters of a torch module as a flat numpy vector, in the order of ``module_loss``."""
    return parameters_to_vector(module.parameters()).detach().cpu().numpy()
