"""What a change of the target does to the answer."""

from hepml_labs.validation import check_alike

__all__ = ["mean_from_log"]


def mean_from_log(log_mean, log_sigma):
    """Mean of a positive quantity whose natural logarithm is Gaussian: exp(mean + sigma^2 / 2).

    A network trained on the logarithm with the squared error learns the mean of the logarithm; its exponential is
    the median of the quantity, below the mean by exp(-sigma^2 / 2).

    Parameters
    ----------
    log_mean : tensor
        Mean of the logarithm, any shape.
    log_sigma : tensor
        Natural logarithm of the standard deviation of the logarithm, same shape.

    Returns
    -------
    tensor
        Same shape, in the units of the quantity.

    Raises
    ------
    ValueError
        If shapes differ, or a tensor is empty, not finite or not floating-point.

    Examples
    --------
    >>> import torch
    >>> mean_from_log(torch.tensor([0.0]), torch.tensor([0.5]).log())
    tensor([1.1331])
    """
    check_alike(log_mean=log_mean, log_sigma=log_sigma)
    return (log_mean + (2 * log_sigma).exp() / 2).exp()
