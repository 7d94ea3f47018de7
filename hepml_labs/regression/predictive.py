"""What all uncertainty-aware networks share: a Gaussian per network, a spread between networks, and noise."""

import math

import numpy as np
import torch

from hepml_labs.validation import check_alike, check_array, check_between, to_numpy

__all__ = ["smear", "subtract_in_quadrature", "total_variance"]


def total_variance(means, sigmas):
    """Combine the Gaussians of several networks: mean, systematic and statistical uncertainty.

    Parameters
    ----------
    means, sigmas : tensor of shape (networks, n)
        Mean and standard deviation that each network predicts for each point.

    Returns
    -------
    mean : tensor of shape (n,)
        Mean over the networks.
    sigma_syst : tensor of shape (n,)
        Root of the mean variance: what every network sees in the data.
    sigma_stat : tensor of shape (n,)
        Spread of the means between networks, with 1 / (networks - 1); zero for one network.
        The total is sigma_tot^2 = sigma_syst^2 + sigma_stat^2.

    Raises
    ------
    ValueError
        If the shapes differ or are not two-dimensional, or a sigma is not positive.

    Notes
    -----
    The law of total variance; arXiv:2206.14831 and arXiv:2412.12069 for amplitudes.

    Examples
    --------
    >>> mean, syst, stat = total_variance(torch.tensor([[1.0], [3.0]]), torch.tensor([[1.0], [1.0]]))
    >>> mean.item(), syst.item(), round(stat.item(), 4)
    (2.0, 1.0, 1.4142)
    """
    check_alike(("networks", "n"), means=means, sigmas=sigmas)
    check_array("sigmas", sigmas, positive=True)
    mean = means.mean(dim=0)
    sigma_stat = means.std(dim=0) if len(means) > 1 else torch.zeros_like(mean)
    return mean, (sigmas**2).mean(dim=0).sqrt(), sigma_stat


def smear(amplitude, sigma, seed):
    """Multiply amplitudes by log-normal noise: A exp(sigma e) with e from a unit Gaussian.

    For small sigma this is Gaussian noise of relative width sigma; in log A it is Gaussian exactly, so that a
    Gaussian likelihood in log A has nothing left to get wrong.

    Parameters
    ----------
    amplitude : array of shape (n,)
        Positive amplitudes.
    sigma : float
        Relative width of the noise, zero or more.
    seed : int or numpy.random.Generator
        Source of the noise.

    Returns
    -------
    array of shape (n,)
        Noisy amplitudes.

    Raises
    ------
    ValueError
        If an amplitude is not positive or `sigma` is negative.

    Examples
    --------
    >>> noisy = smear(np.ones(100_000), 0.05, seed=1)
    >>> round(float(noisy.std()), 3)
    0.05
    """
    amplitude = to_numpy("amplitude", amplitude, positive=True)
    check_between("sigma", sigma, 0, math.inf, include_low=True)
    noise = np.random.default_rng(seed).standard_normal(amplitude.shape)
    return amplitude * np.exp(sigma * noise).astype(amplitude.dtype)


def subtract_in_quadrature(sigma, sigma_floor):
    """Noise that is left when the floor of the noise-free training is taken out: sqrt(sigma^2 - floor^2).

    Parameters
    ----------
    sigma, sigma_floor : array of one shape, or numbers
        Learned systematic uncertainty with and without noise in the training data.

    Returns
    -------
    array
        Recovered noise; zero where the floor is larger.

    Raises
    ------
    ValueError
        If a value is negative or not finite.

    Notes
    -----
    arXiv:2412.12069: sigma_syst^2 - sigma_syst,0^2 is close to sigma_train^2 for independent sources.

    Examples
    --------
    >>> float(subtract_in_quadrature(5.0, 3.0))
    4.0
    """
    sigma, sigma_floor = np.asarray(sigma, dtype=float), np.asarray(sigma_floor, dtype=float)
    for name, value in (("sigma", sigma), ("sigma_floor", sigma_floor)):
        if value.size == 0 or not (np.isfinite(value).all() and (value >= 0).all()):
            raise ValueError(f"{name}: found no, negative or non-finite values, expected uncertainties of zero or more")
    return np.sqrt(np.clip(sigma**2 - sigma_floor**2, 0.0, None))
