"""Loss functions of regression: each is the negative logarithm of a likelihood, averaged over the batch.

All take and return torch tensors, compare shapes (nothing broadcasts), and keep the floating-point type.
Derivations: the lecture page "From a fit to a loss".
"""

import math

import torch

from hepml_labs.validation import check_alike, check_array, check_between

__all__ = [
    "beta_nll",
    "chi_squared",
    "gaussian_mixture_log_prob",
    "gaussian_mixture_nll",
    "gaussian_nll",
    "huber",
    "mae",
    "mse",
    "quantile_loss",
]


def _check(**arrays):
    for name, value in arrays.items():
        if not isinstance(value, torch.Tensor):
            raise ValueError(f"{name}: found {type(value).__name__}, expected a torch tensor")
    # to look for NaN on a GPU would hold it up at every step; there `fit` notices a loss that is NaN
    check_alike(finite=all(value.device.type == "cpu" for value in arrays.values()), **arrays)


def mse(prediction, target):
    """Mean squared error; its minimum is the mean of the target at each input.

    Parameters
    ----------
    prediction, target : tensor
        Same shape, same units.

    Returns
    -------
    tensor
        Scalar, in squared units of the target.

    Raises
    ------
    ValueError
        If shapes differ, a tensor is empty or not floating-point.

    Examples
    --------
    >>> mse(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 4.0]))
    tensor(2.)
    """
    _check(prediction=prediction, target=target)
    return (prediction - target).square().mean()


def mae(prediction, target):
    """Mean absolute error; its minimum is the median of the target at each input.

    Parameters
    ----------
    prediction, target : tensor
        Same shape, same units.

    Returns
    -------
    tensor
        Scalar, in units of the target.

    Raises
    ------
    ValueError
        If shapes differ, a tensor is empty or not floating-point.

    Examples
    --------
    >>> mae(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 4.0]))
    tensor(1.)
    """
    _check(prediction=prediction, target=target)
    return (prediction - target).abs().mean()


def huber(prediction, target, delta=1.0):
    """Huber's loss (Huber 1964): quadratic for small residuals r, linear beyond `delta`.

    r^2 / 2 for abs(r) < delta, and delta (abs(r) - delta / 2) beyond: value and slope are continuous.

    Parameters
    ----------
    prediction, target : tensor
        Same shape, same units.
    delta : float
        Where the loss turns linear, in units of the target, above zero.

    Returns
    -------
    tensor
        Scalar, in squared units of the target.

    Raises
    ------
    ValueError
        If shapes differ, a tensor is empty or not floating-point, or `delta` is not above zero.

    Examples
    --------
    >>> huber(torch.tensor([0.0, 0.0]), torch.tensor([1.0, 10.0]))
    tensor(5.)
    """
    _check(prediction=prediction, target=target)
    check_between("delta", delta, 0, math.inf)
    residual = (prediction - target).abs()
    return torch.where(residual < delta, residual.square() / 2, delta * (residual - delta / 2)).mean()


def quantile_loss(prediction, target, level):
    """Pinball loss (Koenker and Bassett 1978): its minimum is the quantile of the target at `level`.

    Parameters
    ----------
    prediction, target : tensor
        Same shape, same units.
    level : float
        Probability of a target below the prediction, in (0, 1); 0.5 gives half the mean absolute error.

    Returns
    -------
    tensor
        Scalar, in units of the target.

    Raises
    ------
    ValueError
        If shapes differ, a tensor is empty or not floating-point, or `level` is outside of (0, 1).

    Examples
    --------
    >>> quantile_loss(torch.tensor([0.0]), torch.tensor([10.0]), 0.9)
    tensor(9.)
    """
    _check(prediction=prediction, target=target)
    check_between("level", level, 0, 1)
    residual = target - prediction
    return torch.maximum(level * residual, (level - 1) * residual).mean()


def chi_squared(prediction, target, sigma):
    """Gaussian negative log-likelihood with known uncertainties: the mean of (y - f)^2 / (2 sigma^2).

    N times this is half of the chi-squared of a fit. The normalisation of the Gaussian does not depend on the
    prediction and is left out.

    Parameters
    ----------
    prediction, target, sigma : tensor
        Same shape, same units; `sigma` is the standard deviation of each target and above zero.

    Returns
    -------
    tensor
        Scalar, without units; about 1/2 for a good fit.

    Raises
    ------
    ValueError
        If shapes differ, a tensor is empty or not floating-point.

    Examples
    --------
    >>> chi_squared(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 4.0]), torch.tensor([0.5, 2.0]))
    tensor(0.2500)
    """
    _check(prediction=prediction, target=target, sigma=sigma)
    return 0.5 * ((target - prediction) / sigma).square().mean()


def gaussian_nll(mean, log_sigma, target):
    """Heteroscedastic loss: negative log-likelihood of a Gaussian whose width is learned too.

    log(sigma) + (y - mean)^2 / (2 sigma^2), averaged, without the constant log(2 pi) / 2
    (Nix and Weigend 1994). Its minimum is the mean and the standard deviation of the target.

    Parameters
    ----------
    mean, log_sigma, target : tensor
        Same shape; `log_sigma` is the natural logarithm of the standard deviation.

    Returns
    -------
    tensor
        Scalar.

    Raises
    ------
    ValueError
        If shapes differ, a tensor is empty or not floating-point.

    Examples
    --------
    >>> gaussian_nll(torch.tensor([1.0]), torch.tensor([0.0]), torch.tensor([3.0]))
    tensor(2.)
    """
    _check(mean=mean, log_sigma=log_sigma, target=target)
    return (log_sigma + 0.5 * ((target - mean) * (-log_sigma).exp()).square()).mean()


def beta_nll(mean, log_sigma, target, beta=0.5):
    """Gaussian negative log-likelihood with each point weighted by sigma^(2 beta), the weight held constant.

    The weight undoes part of the 1 / sigma^2 in the gradient of the mean, which starves the mean where the
    network believes in noise (Seitzer et al., arXiv:2203.09168, section 4): beta = 0 is `gaussian_nll`, and
    beta = 1 gives the mean the gradient of the mean squared error.

    Parameters
    ----------
    mean, log_sigma, target : tensor
        Same shape; `log_sigma` is the natural logarithm of the standard deviation.
    beta : float
        In [0, 1].

    Returns
    -------
    tensor
        Scalar; its value is no likelihood: compare trainings with `gaussian_nll`.

    Raises
    ------
    ValueError
        If shapes differ, a tensor is empty or not floating-point, or `beta` is outside of [0, 1].

    Examples
    --------
    >>> beta_nll(torch.tensor([1.0]), torch.tensor([0.0]), torch.tensor([3.0]))
    tensor(2.)
    """
    _check(mean=mean, log_sigma=log_sigma, target=target)
    check_between("beta", beta, 0, 1, include_low=True, include_high=True)
    weight = (2 * beta * log_sigma.detach()).exp()
    return (weight * (log_sigma + 0.5 * ((target - mean) * (-log_sigma).exp()).square())).mean()


def gaussian_mixture_log_prob(log_weights, means, log_sigmas, target):
    """Logarithm of the density of a mixture of Gaussians, log sum_k w_k N(y; mean_k, sigma_k).

    The sum is taken in logarithms (largest term first), so that a target far from all components gives a
    large negative number and a useful gradient, not log(0). Source: Bishop 1994, Mixture Density Networks.

    Parameters
    ----------
    log_weights, means, log_sigmas : tensor
        Shape ``(..., components)``; the weights add up to one over the components.
    target : tensor
        Shape ``(...)``.

    Returns
    -------
    tensor
        Shape ``(...)``; includes the constant log(2 pi) / 2, so that the exponential is a density.

    Raises
    ------
    ValueError
        If shapes do not fit, a tensor is empty or not floating-point.

    Examples
    --------
    >>> zero = torch.zeros(1, 1)
    >>> gaussian_mixture_log_prob(zero, zero, zero, torch.tensor([0.0]))
    tensor([-0.9189])
    """
    _check(log_weights=log_weights, means=means, log_sigmas=log_sigmas)
    check_array("target", target, tuple(means.shape[:-1]), finite=False)
    standardized = (target.unsqueeze(-1) - means) * (-log_sigmas).exp()
    log_gaussians = -0.5 * standardized.square() - log_sigmas - 0.5 * math.log(2 * math.pi)
    return torch.logsumexp(log_weights + log_gaussians, dim=-1)


def gaussian_mixture_nll(log_weights, means, log_sigmas, target):
    """Negative log-likelihood of a mixture of Gaussians, averaged over the batch.

    Parameters
    ----------
    log_weights, means, log_sigmas, target : tensor
        As in `gaussian_mixture_log_prob`, which also says what raises a ValueError.

    Returns
    -------
    tensor
        Scalar; with one component it is `gaussian_nll` plus log(2 pi) / 2.

    Examples
    --------
    >>> zero = torch.zeros(1, 1)
    >>> gaussian_mixture_nll(zero, zero, zero, torch.tensor([0.0]))
    tensor(0.9189)
    """
    return -gaussian_mixture_log_prob(log_weights, means, log_sigmas, target).mean()
