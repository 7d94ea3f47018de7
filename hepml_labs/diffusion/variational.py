"""The variational autoencoder: a latent-variable model, trained on a lower bound of its likelihood."""

import math

import torch
from torch import nn

from hepml_labs.diffusion.tabular import with_context
from hepml_labs.nn import MLP
from hepml_labs.validation import check_alike, check_array, check_count

__all__ = ["VariationalAutoencoder", "kl_to_standard_normal", "reparametrise"]

LOG_TWO_PI = math.log(2 * math.pi)


def kl_to_standard_normal(mean, log_sigma):
    """Kullback-Leibler divergence of independent Gaussians from the standard normal, event by event.

    Parameters
    ----------
    mean, log_sigma : tensor, (n, k)
        Mean and logarithm of the standard deviation in each of the k latent directions.

    Returns
    -------
    tensor, (n, k)
        (mean^2 + sigma^2 - 1) / 2 - log sigma, in nats. The sum over k is the divergence of the event; a direction
        with zero for all events is not used.

    Raises
    ------
    ValueError
        If the shapes differ.

    Notes
    -----
    Kingma and Welling, arXiv:1312.6114, appendix B.

    Examples
    --------
    >>> kl_to_standard_normal(torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2))
    tensor([[0.5000, 0.0000]])
    """
    check_alike(("n", "k"), finite=False, mean=mean, log_sigma=log_sigma)
    return 0.5 * (mean**2 + torch.exp(2 * log_sigma) - 1) - log_sigma


def reparametrise(mean, log_sigma, noise):
    """Draw from a Gaussian so that gradients pass: z = mean + sigma * noise, with standard normal noise.

    Parameters
    ----------
    mean, log_sigma, noise : tensor
        Of one shape.

    Returns
    -------
    tensor
        Of this shape. dz/dmean = 1 and dz/dlog_sigma = sigma * noise.

    Raises
    ------
    ValueError
        If the shapes differ.

    Notes
    -----
    Kingma and Welling, arXiv:1312.6114, section 2.4.

    Examples
    --------
    >>> reparametrise(torch.tensor(1.0), torch.tensor(2.0).log(), torch.tensor(-0.5))
    tensor(0.)
    """
    check_alike(finite=False, mean=mean, log_sigma=log_sigma, noise=noise)
    return mean + log_sigma.exp() * noise


def _log_gaussian(x, mean, log_sigma):
    """Log-density of independent Gaussians, summed over the last dimension."""
    return -(0.5 * ((x - mean) * torch.exp(-log_sigma)) ** 2 + log_sigma + 0.5 * LOG_TWO_PI).sum(-1)


class VariationalAutoencoder(nn.Module):
    """Latent z ~ N(0, 1), data x ~ N(decoder(z), noise^2), and an encoder q(z|x) = N(mean(x), sigma(x)^2).

    Parameters
    ----------
    features : int
        Dimension d of the data.
    latent : int
        Dimension k of z.
    context : int
        Number of conditional inputs c, seen by encoder and decoder; 0 for none.
    hidden : tuple of int
        Hidden widths of both networks; an empty tuple makes both linear.
    noise : {"feature", "shared"}
        The decoder's noise is learned: a standard deviation for each feature, or one for all.

    Notes
    -----
    Shapes: x ``(n, d)``, z ``(n, k)``, context ``(n, c)`` or None. Kingma and Welling, arXiv:1312.6114. With linear
    networks it is probabilistic principal component analysis ("shared") or factor analysis ("feature").

    Examples
    --------
    >>> model = VariationalAutoencoder(features=3, latent=2)
    >>> model(torch.zeros(5, 3)).shape  # the bound of each event
    torch.Size([5])
    """

    def __init__(self, features, latent=2, context=0, hidden=(64, 64), noise="feature"):
        super().__init__()
        check_count("features", features)
        check_count("latent", latent)
        check_count("context", context, minimum=0)
        if noise not in ("feature", "shared"):
            raise ValueError(f"noise: found {noise!r}, expected 'feature' or 'shared'")
        self.features, self.latent = features, latent
        self.encoder = MLP(features + context, 2 * latent, hidden)
        self.decoder = MLP(latent + context, features, hidden)
        self.log_noise = nn.Parameter(torch.zeros(features if noise == "feature" else 1))

    def encode(self, x, context=None):
        """Mean and logarithm of the standard deviation of q(z|x), each ``(n, k)``."""
        check_array("x", x, ("n", self.features), finite=False)
        mean, log_sigma = self.encoder(with_context(x, context)).chunk(2, dim=1)
        return mean, log_sigma

    def decode(self, z, context=None):
        """Mean of p(x|z), ``(n, d)``."""
        check_array("z", z, ("n", self.latent), finite=False)
        return self.decoder(with_context(z, context))

    def log_likelihood(self, x, z, context=None):
        """log p(x|z), ``(n,)``: the squared error in units of the noise, and the norm of the Gaussian."""
        return _log_gaussian(x, self.decode(z, context), self.log_noise.expand_as(x))

    def terms(self, x, context=None, generator=None):
        """Reconstruction log p(x|z) with one z ~ q(z|x), ``(n,)``, and divergence by direction, ``(n, k)``."""
        mean, log_sigma = self.encode(x, context)
        z = reparametrise(mean, log_sigma, _normal_like(mean, generator))
        return self.log_likelihood(x, z, context), kl_to_standard_normal(mean, log_sigma)

    def forward(self, x, context=None, generator=None):
        """Evidence lower bound of log p(x), ``(n,)``: arXiv:1312.6114, equation 10 with one draw."""
        reconstruction, kl = self.terms(x, context, generator)
        return reconstruction - kl.sum(1)

    def importance_bound(self, x, context=None, draws=100, generator=None):
        """Bound of log p(x), ``(n,)``, from several draws: the logarithm of the mean of p(x|z) p(z) / q(z|x).

        Above the evidence lower bound on average, rising with the number of draws, and log p(x) in the limit: Burda,
        Grosse and Salakhutdinov, arXiv:1509.00519, equation 8 and theorem 1.
        """
        check_count("draws", draws)
        mean, log_sigma = (part.repeat_interleave(draws, 0) for part in self.encode(x, context))
        noise = _normal_like(mean, generator)
        z = reparametrise(mean, log_sigma, noise)
        x, context = (None if part is None else part.repeat_interleave(draws, 0) for part in (x, context))
        zero = torch.zeros_like(z)
        log_prior, log_posterior = _log_gaussian(z, zero, zero), _log_gaussian(noise, zero, log_sigma * 0)
        log_weight = self.log_likelihood(x, z, context) + log_prior - log_posterior + log_sigma.sum(1)
        return log_weight.reshape(-1, draws).logsumexp(1) - math.log(draws)


def _normal_like(tensor, generator):
    if generator is None:
        return torch.randn_like(tensor)
    return torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype).to(tensor.device)
