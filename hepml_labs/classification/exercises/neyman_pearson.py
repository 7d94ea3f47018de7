"""Exercises of the lab "Neyman-Pearson by experiment"."""

import numpy as np
from scipy.special import expit

from hepml_labs.classification.logistic import newton_step
from hepml_labs.classification.two_densities import Gaussians
from hepml_labs.teaching import Exercise, Mistake
from hepml_labs.validation import check_array


def gaussian_log_ratio(x, mean_0, mean_1, covariance):
    """Log ratio log p1(x)/p0(x) of two Gaussians with one covariance.

    Parameters
    ----------
    x : array of shape (n, d)
    mean_0, mean_1 : array of shape (d,)
    covariance : array of shape (d, d)
        Symmetric and positive definite.

    Returns
    -------
    array of shape (n,)

    Raises
    ------
    ValueError
        As :class:`hepml_labs.classification.two_densities.Gaussians`.

    Examples
    --------
    >>> gaussian_log_ratio(np.array([[1.0], [1.5]]), np.array([0.0]), np.array([2.0]), np.eye(1))
    array([0., 1.])
    """
    return Gaussians(np.stack([mean_0, mean_1]), covariance).log_ratio(x)


def cross_entropy(log_odds, label):
    """Binary cross-entropy from log-odds, for any size of them.

    Parameters
    ----------
    log_odds : array of shape (n,)
        f = log p_S / (1 - p_S); 800 is allowed.
    label : array of shape (n,)
        1 for signal, 0 for background.

    Returns
    -------
    float
        Mean of log(1 + exp(f)) - label * f, in nats.

    Raises
    ------
    ValueError
        If shapes differ or an entry is not finite.

    Examples
    --------
    >>> float(cross_entropy(np.array([0.0, -800.0]), np.array([1.0, 1.0])).round(3))  # (log 2 + 800) / 2
    400.347
    """
    check_array("log_odds", log_odds, ("n",))
    check_array("label", label, (len(log_odds),), floating=False)
    return (np.logaddexp(0, log_odds) - label * log_odds).mean()


def log_ratio_of_classes(probability, events, numerator, denominator):
    """Log ratio of the densities of two classes from the probabilities of a classifier of many.

    Parameters
    ----------
    probability : array of shape (n, classes)
        Probabilities of the classes, above zero.
    events : array of shape (classes,)
        Number (or sum of weights) of training events of each class.
    numerator, denominator : int
        The two classes.

    Returns
    -------
    array of shape (n,)
        log p_a/p_b = log P(a|x)/P(b|x) - log N_a/N_b.

    Examples
    --------
    >>> log_ratio_of_classes(np.array([[0.5, 0.25, 0.25]]), np.array([100, 200, 100]), 0, 1)  # log 4
    array([1.38629436])
    """
    odds = np.log(probability[:, numerator]) - np.log(probability[:, denominator])
    return odds - np.log(events[numerator] / events[denominator])


def _gaussian_inputs(rng):
    root = rng.normal(size=(3, 3))
    return rng.normal(size=(7, 3)), rng.normal(size=3), rng.normal(size=3) + 1, root @ root.T + 0.3 * np.eye(3)


def _gaussian_with(sign=1.0, constant=1.0, matrix=np.linalg.inv, power=1):
    def wrong(x, mean_0, mean_1, covariance):
        slope = matrix(covariance) @ (mean_1 - mean_0)
        return sign * power * (x @ slope - constant * 0.5 * (mean_0 + mean_1) @ slope)

    return wrong


def _only_signal(x, mean_0, mean_1, covariance):
    inverse = np.linalg.inv(covariance)
    return -0.5 * np.einsum("ni,ij,nj->n", x - mean_1, inverse, x - mean_1)


def _entropy_inputs(rng):
    """Two certain answers that are right, one that is wrong by so much that clipping shows, and ordinary ones."""
    log_odds = 3 * rng.normal(size=10)
    log_odds[:3] = [1, -1, -0.05] * rng.uniform(750, 1000, size=3)
    return log_odds, np.array([1.0, 0.0, 1.0, *(rng.permutation(7) < 3)])


def _naive_cross_entropy(log_odds, label):
    with np.errstate(all="ignore"):
        probability = 1 / (1 + np.exp(-log_odds))
        return -(label * np.log(probability) + (1 - label) * np.log(1 - probability)).mean()


def _clipped(log_odds, label):
    probability = np.clip(expit(log_odds), 1e-7, 1 - 1e-7)
    return -(label * np.log(probability) + (1 - label) * np.log(1 - probability)).mean()


def _overflowing(log_odds, label):
    with np.errstate(all="ignore"):
        return (np.log(1 + np.exp(log_odds)) - label * log_odds).mean()


def _class_inputs(rng):
    numerator, denominator = rng.permutation(4)[:2]
    return rng.dirichlet(np.full(4, 2.0), size=6), rng.integers(100, 5000, size=4), int(numerator), int(denominator)


def _newton_inputs(rng):
    design = np.column_stack([np.ones(30), rng.normal(size=(30, 2)) * [1.0, 2.0]])
    label = (rng.random(30) < expit(design @ [0.3, 1.0, -0.5])).astype(float)
    return design, label, 0.4 * rng.normal(size=3)


def _step_with(weight=lambda p: p * (1 - p), sign=-1.0, residual=lambda p, y: p - y, invert=True, mean=False):
    def wrong(design, label, coefficients):
        probability = expit(design @ coefficients)
        gradient = design.T @ residual(probability, label) / (len(label) if mean else 1)
        hessian = (design.T * weight(probability)) @ design
        return coefficients + sign * (np.linalg.solve(hessian, gradient) if invert else gradient)

    return wrong


def _only_the_step(design, label, coefficients):
    return newton_step(design, label, coefficients) - coefficients


EXERCISES = [
    Exercise(
        name="classification.gaussian_log_ratio",
        reference=gaussian_log_ratio,
        inputs=_gaussian_inputs,
        mistakes=(
            Mistake(
                "The sign is turned: class 1 belongs into the numerator, so events near mean_1 get positive values.",
                _gaussian_with(sign=-1.0),
            ),
            Mistake(
                "The slope is right, the constant is missing. Half way between the means the ratio must be one.",
                _gaussian_with(constant=0.0),
            ),
            Mistake(
                "You multiply by the covariance. Distances are measured in units of the width: take its inverse.",
                _gaussian_with(matrix=lambda covariance: covariance),
            ),
            Mistake(
                "The correlations are lost: the inverse of the matrix is asked, not one over its diagonal.",
                _gaussian_with(matrix=lambda covariance: np.diag(1 / np.diag(covariance))),
            ),
            Mistake("A factor of two is too much: both exponents carry 1/2.", _gaussian_with(power=2)),
            Mistake("This is log p1 up to a constant. Subtract log p0.", _only_signal),
        ),
        hints=(
            "Write down log p1 and log p0. Which terms are the same in both and cancel?",
            "The squares of x cancel: what is left is w . x - c, with w the inverse covariance times mean_1 - mean_0.",
            "w = np.linalg.solve(covariance, mean_1 - mean_0); (x - (mean_0 + mean_1) / 2) @ w",
        ),
    ),
    Exercise(
        name="classification.cross_entropy",
        reference=cross_entropy,
        inputs=_entropy_inputs,
        mistakes=(
            Mistake(
                "Log-odds of 800 make the probability exactly 0 or 1, and its logarithm infinite or NaN. Bring the "
                "formula into the log-odds first.",
                _naive_cross_entropy,
            ),
            Mistake(
                "Right on paper, but exp(800) is infinite in a computer. np.logaddexp(0, f) is log(1 + exp(f)).",
                _overflowing,
            ),
            Mistake(
                "The labels are swapped: for signal, large log-odds must cost nothing.",
                lambda f, y: (np.logaddexp(0, f) - (1 - y) * f).mean(),
            ),
            Mistake("A loss is minus the log-likelihood: turn the sign.", lambda f, y: -cross_entropy(f, y)),
            Mistake(
                "The mean is asked, not the sum.",
                lambda f, y: (np.logaddexp(0, f) - y * f).sum(),
            ),
            Mistake(
                "A probability that is clipped, at 1e-7 or so, hides what a sure and wrong answer costs.",
                _clipped,
            ),
            Mistake("Only the signal events pay in your loss.", lambda f, y: (y * np.logaddexp(0, -f)).mean()),
        ),
        hints=(
            "p = 1 / (1 + exp(-f)). Put it into - y log p - (1 - y) log(1 - p).",
            "log p = f - log(1 + exp(f)), and log(1 - p) = - log(1 + exp(f)).",
            "log(1 + exp(f)) - y f, with np.logaddexp(0, f) for the first term; then the mean.",
        ),
    ),
    Exercise(
        name="classification.newton_step",
        reference=lambda design, label, coefficients: newton_step(design, label, coefficients),
        inputs=_newton_inputs,
        mistakes=(
            Mistake(
                "The matrix of second derivatives lacks the weights p (1 - p) of the events.",
                _step_with(weight=np.ones_like),
            ),
            Mistake("You walk uphill: Newton's step is minus H^-1 times the gradient.", _step_with(sign=1.0)),
            Mistake("This is a step of gradient descent. Solve H step = gradient.", _step_with(invert=False)),
            Mistake(
                "The weights are p (1 - p), the variance of the label, not its root.",
                _step_with(weight=lambda p: np.sqrt(p * (1 - p))),
            ),
            Mistake(
                "Your gradient is a mean and your matrix a sum: both must be of the same kind.",
                _step_with(mean=True),
            ),
            Mistake("Return the new coefficients, not the step.", _only_the_step),
        ),
        hints=(
            "The gradient of the summed cross-entropy is D^T (p - y), with p the sigmoid of D c.",
            "The derivative of p by the log-odds is p (1 - p), so H = D^T diag(p (1 - p)) D.",
            "coefficients - np.linalg.solve((design.T * (p * (1 - p))) @ design, design.T @ (p - label))",
        ),
    ),
    Exercise(
        name="classification.log_ratio_of_classes",
        reference=log_ratio_of_classes,
        inputs=_class_inputs,
        mistakes=(
            Mistake(
                "The class shares of the training are still inside: subtract log N_a / N_b.",
                lambda p, n, a, b: np.log(p[:, a] / p[:, b]),
            ),
            Mistake(
                "The numbers of events enter the other way round: many events make a class probable for free.",
                lambda p, n, a, b: np.log(p[:, a] / p[:, b] * n[a] / n[b]),
            ),
            Mistake(
                "Numerator and denominator are swapped.", lambda p, n, a, b: np.log(p[:, b] / p[:, a] * n[a] / n[b])
            ),
            Mistake("The ratio is right, its logarithm is asked.", lambda p, n, a, b: p[:, a] / p[:, b] * n[b] / n[a]),
            Mistake(
                "With more than two classes 1 - P(a) is the probability of all others together: take P(b).",
                lambda p, n, a, b: np.log(p[:, a] / (1 - p[:, a]) * n[b] / n[a]),
            ),
        ),
        hints=(
            "By Bayes' theorem P(a|x) = N_a p_a(x) / (sum over all classes).",
            "In the ratio of two posterior probabilities the sum cancels. What remains beside p_a / p_b?",
            "np.log(probability[:, numerator] / probability[:, denominator]) - np.log(events[...] / events[...])",
        ),
    ),
]
