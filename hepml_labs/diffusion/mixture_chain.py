"""Mixtures chained coordinate by coordinate: the density of one particle given what came before it."""

import math

import torch
from torch import nn

from hepml_labs.nn import MLP
from hepml_labs.validation import check_count

__all__ = ["MixtureChain"]


class MixtureChain(nn.Module):
    """Density p(x|context) of one particle, a coordinate at a time: each factor is a mixture.

    Parameters
    ----------
    context : int
        Features of the context.
    components : int
        Of each mixture.
    circular : tuple of bool
        Which coordinates are angles, with von Mises components in the place of Gaussian ones.

    Notes
    -----
    log p(x|c) = sum_j log sum_k w_k(c, x_<j) N(x_j; mean_k(c, x_<j), sigma_k(c, x_<j)), arXiv:2305.10475, section 2.3.

    Examples
    --------
    >>> chain = MixtureChain(context=4, components=3, circular=(False, True))
    >>> chain.log_prob(torch.zeros(5, 2), torch.zeros(5, 4)).shape
    torch.Size([5])
    """

    def __init__(self, context, components=6, circular=(False, False, True)):
        super().__init__()
        self.circular = tuple(circular)
        check_count("components", components)
        self.networks = nn.ModuleList()
        for j, angle in enumerate(self.circular):
            before = sum(2 if earlier else 1 for earlier in self.circular[:j])
            network = MLP(context + before, 3 * components, hidden=(32,))
            reach = math.pi * (1 - 1 / components) if angle else 2.0
            with torch.no_grad():  # components that start apart
                bias = torch.zeros(3, components)
                bias[1] = torch.linspace(-reach, reach, components)
                network[-1].bias.copy_(bias.flatten())
            self.networks.append(network)

    def parameters_of(self, j, x, context):
        """Mixture of coordinate j given the ones before: log weights, means, log widths, each (..., components).

        An angle has the logarithm of the concentration kappa in the place of the width's.
        """
        before = [
            torch.stack([x[..., i].cos(), x[..., i].sin()], -1) if angle else x[..., i : i + 1]
            for i, angle in enumerate(self.circular[:j])
        ]
        logits, mean, log_scale = self.networks[j](torch.cat([context, *before], -1)).chunk(3, -1)
        return logits.log_softmax(-1), mean, log_scale.clamp(-6.0, 5.0)

    def log_prob(self, x, context):
        """Logarithm of the density: x (..., d) and context (..., c) to (...)."""
        total = 0.0
        for j, angle in enumerate(self.circular):
            log_weight, mean, log_scale = self.parameters_of(j, x, context)
            distance, scale = x[..., j, None] - mean, log_scale.exp()
            if angle:  # i0e(kappa) = exp(-kappa) I_0(kappa) does not overflow
                log_density = scale * (distance.cos() - 1) - (2 * math.pi * torch.special.i0e(scale)).log()
            else:
                log_density = -0.5 * (distance / scale) ** 2 - log_scale - 0.5 * math.log(2 * math.pi)
            total = total + (log_weight + log_density).logsumexp(-1)
        return total

    @torch.no_grad()
    def sample(self, context, random):
        """Draw x (n, d) for context (n, c) with a numpy Generator; angles in (-pi, pi]."""
        x = context.new_zeros(len(context), len(self.circular))
        for j, angle in enumerate(self.circular):
            log_weight, mean, log_scale = self.parameters_of(j, x, context)
            uniform = torch.as_tensor(random.random((len(x), 1)), device=x.device)
            chosen = (log_weight.double().exp().cumsum(-1) < uniform).sum(-1, keepdim=True)
            chosen = chosen.clamp(max=mean.shape[-1] - 1)  # rounding of the last sum
            mean, scale = (part.gather(-1, chosen)[:, 0].cpu().numpy() for part in (mean, log_scale.exp()))
            drawn = random.vonmises(mean % (2 * math.pi), scale) if angle else random.normal(mean, scale)
            x[:, j] = torch.as_tensor(drawn).to(x)
        return x
