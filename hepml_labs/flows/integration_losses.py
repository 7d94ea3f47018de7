"""Losses of neural importance sampling, on weighted points of one or several channels."""

import torch

__all__ = ["LOSSES", "kl", "variance"]


def variance(f, log_q, log_drawn, channel):
    r"""Variance of the integral per call, for the best allocation of calls, in units of its square.

    Parameters
    ----------
    f : tensor, (n,)
        Integrand in the coordinates of log_q; with several channels the share :math:`\alpha_i f` of the point's own.
    log_q : tensor, (n,)
        Logarithm of the density to be trained.
    log_drawn : tensor, (n,)
        Logarithm of the density that the points were drawn from, without gradient; differs for points of the buffer.
    channel : tensor of int, (n,)
        Channel of each point.

    Returns
    -------
    tensor, ()
        :math:`(\sum_i\sigma_i)^2/I^2` with :math:`\sigma_i^2 = \langle (f/q - I_i)^2\, q/q_0\rangle_{q_0}` and
        :math:`I_i = \langle f/q_0\rangle_{q_0}`, arXiv:2311.01548. With :math:`n_i\propto\sigma_i` calls
        in channel i, the variance of the integral is this over n.

    Examples
    --------
    Any proposal that is proportional to the integrand has no variance:

    >>> log_q = torch.tensor([0.3, -0.2, 0.1])
    >>> round(variance(2 * log_q.exp(), log_q, log_q, torch.zeros(3, dtype=torch.long)).item(), 5)
    0.0
    """
    spreads, integral = 0.0, 0.0
    for number in channel.unique():
        here = channel == number
        share, q, drawn = f[here], log_q[here].exp(), log_drawn[here].exp()
        mean = (share / drawn).mean()
        square = ((share / q - mean) ** 2 * q / drawn).mean()
        spreads = spreads + (square + torch.finfo(f.dtype).eps).sqrt()  # the root has no gradient at zero
        integral = integral + (share.detach().abs() / drawn).mean()
    return (spreads / integral) ** 2


def kl(f, log_q, log_drawn, channel):
    r"""Kullback-Leibler divergence from the integrand to the density, averaged over the channels.

    Parameters
    ----------
    f, log_q, log_drawn, channel : tensors, (n,)
        As in `variance`, f not negative. Only the density gets a gradient, not the shares.

    Returns
    -------
    tensor, ()
        :math:`\sum_i \frac{I_i}{I}\,\langle\frac{f}{I_i\,q_0}\log\frac{f}{I_i\,q}\rangle_{q_0}`, arXiv:2212.06172:
        maximum likelihood with the weights of importance sampling.

    Examples
    --------
    >>> log_q = torch.tensor([0.3, -0.2, 0.1])
    >>> bool(kl(2 * log_q.exp(), log_q, log_q, torch.zeros(3, dtype=torch.long)).abs() < 1e-6)
    True
    """
    f = f.detach().abs()
    divergence, integral = 0.0, 0.0
    for number in channel.unique():
        here = channel == number
        weight = f[here] / log_drawn[here].exp()
        mean = weight.mean()
        target = torch.log(f[here] / mean + torch.finfo(f.dtype).tiny)
        divergence = divergence + (weight * (target - log_q[here])).mean()
        integral = integral + mean
    return divergence / integral


LOSSES = {"variance": variance, "kl": kl}
