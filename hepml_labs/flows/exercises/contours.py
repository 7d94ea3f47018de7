"""Exercises of the lab "Feynman integrals on a trained contour"."""

import math

import torch

from hepml_labs.flows.contours import complex_mean, contour_loss
from hepml_labs.teaching import Exercise, Mistake


def triangle_polynomial(x, s, virtuality, mass):
    """F = mass^2 - X_3 (s X_1 + virtuality X_2) of the triangle on the unit square.

    Parameters
    ----------
    x : tensor
        Shape ``(n, 2)``, with X_1 = x_1, X_2 = (1 - x_1) x_2 and X_3 = (1 - x_1)(1 - x_2).
    s, virtuality, mass : float
        Two squared momenta in GeV^2, and the mass in the loop in GeV.

    Returns
    -------
    tensor
        Shape ``(n,)``, in GeV^2.

    Examples
    --------
    >>> triangle_polynomial(torch.tensor([[0.5, 0.5]]), s=9.0, virtuality=0.0, mass=1.0).item()
    -0.125
    """
    first, second = x[:, 0], (1 - x[:, 0]) * x[:, 1]
    third = (1 - x[:, 0]) * (1 - x[:, 1])
    return mass**2 - third * (s * first + virtuality * second)


def bubble_contour(x, s, scale):
    """The contour of the bubble, whose F = mass^2 - s x (1 - x), and its derivative.

    Parameters
    ----------
    x : tensor
        Shape ``(n,)``, in [0, 1].
    s : float
        Squared momentum, in GeV^2.
    scale : float
        Size of the deformation, in GeV^-2.

    Returns
    -------
    z, derivative : complex tensors
        z = x - i scale x (1 - x) F'(x) and dz/dx, shape ``(n,)``.

    Examples
    --------
    >>> z, derivative = bubble_contour(torch.tensor([0.25]), s=8.0, scale=1.0)
    >>> z.item(), derivative.item()
    ((0.25+0.75j), (1-1j))
    """
    shift = scale * s * x * (1 - x) * (1 - 2 * x)
    slope = scale * s * ((1 - 2 * x) ** 2 - 2 * x * (1 - x))
    return torch.complex(x, shift), torch.complex(torch.ones_like(x), slope)


def complex_error(weight):
    """Standard errors of the mean of complex weights, of its real and of its imaginary part.

    Parameters
    ----------
    weight : complex tensor
        Shape ``(n,)``.

    Returns
    -------
    real, imaginary : float

    Examples
    --------
    >>> complex_error(torch.tensor([1.0 + 1j, 3.0 + 1j]))
    (1.0, 0.0)
    """
    error = complex_mean(weight).error
    return error.real, error.imag


def _points(rng):
    n = int(rng.integers(5, 9))
    s, virtuality, mass = rng.uniform(8, 30), rng.uniform(2, 7), rng.uniform(0.5, 2)
    return torch.from_numpy(rng.uniform(0.1, 0.9, size=(n, 2))), float(s), float(virtuality), float(mass)


def _triangle_with(sign=-1.0, power=2, rest=lambda x: 1 - x[:, 0], last=lambda x: (1 - x[:, 0]) * (1 - x[:, 1])):
    def wrong(x, s, virtuality, mass):
        return mass**power + sign * last(x) * (s * x[:, 0] + virtuality * rest(x) * x[:, 1])

    return wrong


def _line(rng):
    x = torch.from_numpy(rng.uniform(0.05, 0.95, size=int(rng.integers(5, 9))))
    return x, float(rng.uniform(5, 20)), float(rng.uniform(0.1, 1))


def _bubble_with(
    sign=1.0,
    ends=lambda x: x * (1 - x),
    slope=lambda x: (1 - 2 * x) ** 2 - 2 * x * (1 - x),
    gradient=lambda x: 1 - 2 * x,
):
    def wrong(x, s, scale):
        z = torch.complex(x, sign * scale * s * ends(x) * gradient(x))
        return z, torch.complex(torch.ones_like(x), sign * scale * s * slope(x))

    return wrong


def _weights(rng):
    n = int(rng.integers(20, 40))
    real, imaginary = rng.normal(1, 2, size=n), rng.normal(-2, 0.7, size=n)
    return (torch.complex(torch.from_numpy(real), torch.from_numpy(imaginary)),)


def _weights_and_polynomial(rng):
    (weight,) = _weights(rng)
    (polynomial,) = _weights(rng)
    return weight, polynomial + 1.8j


def _loss_with(mean=lambda w: (w.abs() ** 2).mean().log(), side=1.0, relative=True, sign=1.0):
    def wrong(weight, polynomial):
        beyond = torch.relu(side * polynomial.imag) / (polynomial.abs() if relative else 1)
        return mean(weight) + sign * 10 * beyond.mean()

    return wrong


EXERCISES = [
    Exercise(
        name="flows.triangle_polynomial",
        reference=triangle_polynomial,
        inputs=_points,
        mistakes=(
            Mistake("The momenta enter with a minus sign: above threshold F has zeros.", _triangle_with(sign=1.0)),
            Mistake("The propagators hold the square of the mass.", _triangle_with(power=1)),
            Mistake("X_2 is a share x_2 of the rest 1 - x_1, not x_2 itself.", _triangle_with(rest=lambda x: 1.0)),
            Mistake(
                "X_3 is what is left of the stick after two breaks, (1 - x_1)(1 - x_2).",
                _triangle_with(last=lambda x: 1 - x[:, 1]),
            ),
        ),
        hints=(
            "Write X_1, X_2 and X_3 first: they must add up to one.",
            "first = x[:, 0], second = (1 - x[:, 0]) * x[:, 1], third = 1 - first - second.",
            "mass**2 - third * (s * first + virtuality * second)",
        ),
    ),
    Exercise(
        name="flows.bubble_contour",
        reference=bubble_contour,
        inputs=_line,
        mistakes=(
            Mistake("This contour runs on the wrong side of the poles: Im F is positive.", _bubble_with(sign=-1.0)),
            Mistake(
                "The ends of the contour move: the factor x (1 - x) is missing.",
                _bubble_with(ends=torch.ones_like, slope=lambda x: torch.full_like(x, -2.0)),
            ),
            Mistake(
                "The points are right; the derivative of the contour is not one.", _bubble_with(slope=lambda x: 0 * x)
            ),
            Mistake(
                "The points are right; in the derivative the term from x (1 - x) or the one from F' is missing.",
                _bubble_with(slope=lambda x: -2 * x * (1 - x)),
            ),
            Mistake(
                "The slope of F is missing: it decides on which side to pass.", _bubble_with(gradient=torch.ones_like)
            ),
        ),
        hints=(
            "F'(x) = -s (1 - 2x). What is z then?",
            "z = x + i scale s x (1 - x)(1 - 2x). Differentiate the product of x (1 - x) and (1 - 2x).",
            "torch.complex(torch.ones_like(x), scale * s * ((1 - 2 * x) ** 2 - 2 * x * (1 - x))) is the derivative",
        ),
    ),
    Exercise(
        name="flows.complex_error",
        reference=complex_error,
        inputs=_weights,
        mistakes=(
            Mistake(
                "This is the spread of a single weight. The mean of n has a smaller error.",
                lambda weight: (weight.real.std(), weight.imag.std()),
            ),
            Mistake(
                "Each part has an error of its own: the spread of the modulus is neither.",
                lambda weight: (weight.abs().std() / math.sqrt(len(weight)),) * 2,
            ),
            Mistake("This is the square of the errors.", lambda w: (w.real.var() / len(w), w.imag.var() / len(w))),
            Mistake(
                "The order is: real part, imaginary part.",
                lambda weight: (weight.imag.std() / math.sqrt(len(weight)), weight.real.std() / math.sqrt(len(weight))),
            ),
        ),
        hints=(
            "A complex mean is two real means.",
            "weight.real and weight.imag are real tensors: take .std() of each.",
            "weight.real.std() / len(weight) ** 0.5, and the same for weight.imag",
        ),
    ),
    Exercise(
        name="flows.contour_loss",
        reference=contour_loss,
        inputs=_weights_and_polynomial,
        mistakes=(
            Mistake(
                "You square and average the complex weights: phases cancel. The variance needs the modulus.",
                _loss_with(mean=lambda w: (w**2).mean().abs().log()),
            ),
            Mistake(
                "This is the modulus of the mean, which is the integral: it does not depend on the contour.",
                _loss_with(mean=lambda w: (w.mean().abs() ** 2).log()),
            ),
            Mistake("The penalty is for a positive imaginary part of F.", _loss_with(side=-1.0)),
            Mistake("A penalty raises the loss: its sign is wrong.", _loss_with(sign=-1.0)),
            Mistake("The logarithm is missing.", _loss_with(mean=lambda w: (w.abs() ** 2).mean())),
            Mistake("Divide Im F by |F|: the penalty must not depend on the units.", _loss_with(relative=False)),
        ),
        hints=(
            "First the mean of |w|^2, then its logarithm.",
            "torch.relu(polynomial.imag) is zero where the sign is right.",
            "(weight.abs() ** 2).mean().log() + 10 * (torch.relu(polynomial.imag) / polynomial.abs()).mean()",
        ),
    ),
]
