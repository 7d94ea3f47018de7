"""Deep sets: functions of a set of particles that do not depend on their order."""

import torch
from torch import nn

from hepml_labs.nn.mlp import MLP
from hepml_labs.nn.sets import check_mask
from hepml_labs.validation import check_array, check_count

__all__ = ["DeepSets"]


class DeepSets(nn.Module):
    """F(sum over particles of Phi(particle), context), with networks Phi and F.

    Every function of a set can be written in this form (Zaheer et al., arXiv:1703.06114, theorem 2). With
    particles for elements it is the particle-flow network (Komiske, Metodiev and Thaler, arXiv:1810.05165).

    Parameters
    ----------
    inputs : int
        Features of each particle.
    outputs : int
        Number of outputs.
    latent : int
        Size of the summed representation.
    hidden : tuple of int
        Hidden widths of both Phi and F.
    context : int
        Number of features of the whole event that F sees beside the sum; 0 for none.
    activation : class
        Module class of the activation.

    Raises
    ------
    ValueError
        If sizes are no positive whole numbers, shapes do not fit, or a mask leaves an event empty.

    Notes
    -----
    Shapes: particles ``(n, particles, inputs)``, mask ``(n, particles)`` (True for real particles, False for
    padding), context ``(n, context)``; result ``(n, outputs)``.

    Examples
    --------
    >>> _ = torch.manual_seed(0)
    >>> network, particles = DeepSets(4, 1), torch.randn(2, 7, 4)
    >>> torch.allclose(network(particles), network(particles.flip(1)), atol=1e-6)
    True
    """

    def __init__(self, inputs, outputs, latent=64, hidden=(64, 64), context=0, activation=nn.SiLU):
        super().__init__()
        check_count("context", context, minimum=0)
        check_count("latent", latent)
        self.inputs, self.context = inputs, context
        self.phi = MLP(inputs, latent, hidden, activation)
        self.f = MLP(latent + context, outputs, hidden, activation)

    def forward(self, particles, mask=None, context=None):
        """Map a batch of sets to ``(n, outputs)``."""
        check_array("particles", particles, ("n", "particles", self.inputs), finite=False)
        if mask is None:
            summed = self.phi(particles).sum(1)
        else:
            check_mask(mask, particles.shape[:2])
            # Clear the input as well as the output: NaN in the padding would spoil the gradient otherwise.
            padding = ~mask.unsqueeze(-1)
            summed = self.phi(particles.masked_fill(padding, 0)).masked_fill(padding, 0).sum(1)
        if (context is None) != (self.context == 0):
            raise ValueError(f"context: found {type(context).__name__}, expected {self.context} features")
        if context is not None:
            check_array("context", context, (len(particles), self.context), finite=False)
            summed = torch.cat([summed, context], dim=-1)
        return self.f(summed)
