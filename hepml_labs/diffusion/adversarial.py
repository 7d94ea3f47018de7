"""The adversarial games: their losses, the penalty on the critic's slope, and the pair of networks that plays."""

import torch
from torch import nn
from torch.nn import functional

from hepml_labs.diffusion.tabular import with_context
from hepml_labs.nn import MLP
from hepml_labs.validation import check_alike, check_array, check_count

__all__ = ["LOSSES", "AdversarialPair", "check_loss", "critic_loss", "generator_loss", "gradient_penalty"]

LOSSES = ("non-saturating", "minimax", "wasserstein")


def check_loss(loss):
    """Raise a ValueError unless there is such a game."""
    if loss not in LOSSES:
        raise ValueError(f"loss: found {loss!r}, expected one of {list(LOSSES)}")


def critic_loss(real, generated, loss="non-saturating"):
    """Loss of the critic, event by event: what tells real from generated events.

    Parameters
    ----------
    real, generated : tensor, (n,)
        Outputs of the critic for real and for generated events. In the classifier's games these are logits of the
        probability to be real.
    loss : {"non-saturating", "minimax", "wasserstein"}
        Binary cross-entropy -log D(x) - log(1 - D(G(z))), the same in the first two games; or the difference of the
        critic's values, generated minus real.

    Returns
    -------
    tensor, (n,)

    Raises
    ------
    ValueError
        If the shapes differ or there is no such loss.

    Notes
    -----
    Goodfellow et al., arXiv:1406.2661, equation 1; Arjovsky, Chintala and Bottou, arXiv:1701.07875, equation 2.

    Examples
    --------
    >>> critic_loss(torch.zeros(1), torch.zeros(1))  # a coin: 2 log 2
    tensor([1.3863])
    """
    check_alike(("n",), finite=False, real=real, generated=generated)
    check_loss(loss)
    if loss == "wasserstein":
        return generated - real
    return functional.softplus(-real) + functional.softplus(generated)


def generator_loss(generated, loss="non-saturating"):
    """Loss of the generator, event by event: how badly it deceives the critic.

    Parameters
    ----------
    generated : tensor, (n,)
        Output of the critic for generated events.
    loss : {"non-saturating", "minimax", "wasserstein"}
        -log D(G(z)); log(1 - D(G(z))), whose gradient vanishes where the critic is sure; or minus the critic's value.

    Returns
    -------
    tensor, (n,)

    Raises
    ------
    ValueError
        If the shape is not this or there is no such loss.

    Notes
    -----
    Goodfellow et al., arXiv:1406.2661, section 3; Arjovsky, Chintala and Bottou, arXiv:1701.07875, equation 4.

    Examples
    --------
    >>> for loss in ("minimax", "non-saturating"):  # the gradient where the critic is sure: logit -5
    ...     logit = torch.tensor([-5.0], requires_grad=True)
    ...     generator_loss(logit, loss).sum().backward()
    ...     print(round(logit.grad.item(), 3))
    -0.007
    -0.993
    """
    check_array("generated", generated, ("n",), finite=False)
    check_loss(loss)
    if loss == "wasserstein":
        return -generated
    return functional.softplus(-generated) if loss == "non-saturating" else -functional.softplus(generated)


def gradient_penalty(critic, x, target=0.0):
    """How far the slope of a critic is from a target, event by event: (|gradient| - target)^2.

    Parameters
    ----------
    critic : callable
        ``critic(x)`` of events ``(n, d)`` returns values ``(n,)``.
    x : tensor, (n, d)
        Where the slope is taken: real events for the R1 penalty with target 0; points between real and generated
        events for the Wasserstein critic with target 1.
    target : float
        The slope that costs nothing.

    Returns
    -------
    tensor, (n,)
        Differentiable with respect to the critic's weights.

    Raises
    ------
    ValueError
        If `x` is no table.

    Notes
    -----
    Gulrajani et al., arXiv:1704.00028, equation 3 (target 1); Mescheder, Geiger and Nowozin, arXiv:1801.04406,
    equation 9 (target 0).

    Examples
    --------
    >>> slope = torch.tensor([3.0, 4.0])
    >>> gradient_penalty(lambda x: x @ slope, torch.zeros(1, 2), target=1.0)  # (5 - 1)^2
    tensor([16.])
    """
    check_array("x", x, ("n", "d"), finite=False)
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    squared = (gradient**2).sum(1)
    return squared if target == 0 else ((squared + 1e-12).sqrt() - target) ** 2  # a root has no slope at zero


class AdversarialPair(nn.Module):
    """A generator from noise to data, and a critic from data to one number.

    Parameters
    ----------
    features : int
        Dimension d of the data.
    latent : int
        Dimension k of the noise.
    context : int
        Number of conditional inputs c that both networks see; 0 for none.
    hidden : tuple of int
        Hidden widths of both networks.

    Notes
    -----
    Shapes: z ``(n, k)``, x ``(n, d)``, context ``(n, c)`` or None.

    Examples
    --------
    >>> pair = AdversarialPair(features=3, latent=8)
    >>> pair.criticise(pair.generate(torch.zeros(5, 8))).shape
    torch.Size([5])
    """

    def __init__(self, features, latent=8, context=0, hidden=(64, 64, 64)):
        super().__init__()
        check_count("features", features)
        check_count("latent", latent)
        check_count("context", context, minimum=0)
        self.features, self.latent = features, latent
        self.generator = MLP(latent + context, features, hidden)
        self.critic = MLP(features + context, 1, hidden)

    def generate(self, z, context=None):
        """Events ``(n, d)`` from noise ``(n, k)``."""
        check_array("z", z, ("n", self.latent), finite=False)
        return self.generator(with_context(z, context))

    def criticise(self, x, context=None):
        """Value ``(n,)`` of events ``(n, d)``: high where they look real."""
        check_array("x", x, ("n", self.features), finite=False)
        return self.critic(with_context(x, context))[:, 0]

    def critic_turn(self, x, context=None, loss="non-saturating", penalty=0.1):
        """Loss of the critic on real events, with its gradient penalty, ``(n,)``; the generator stands still."""
        with torch.no_grad():
            generated = self.generate(torch.randn(len(x), self.latent, device=x.device, dtype=x.dtype), context)
        value = critic_loss(self.criticise(x, context), self.criticise(generated, context), loss)
        if penalty == 0:
            return value
        place, target = x, 0.0
        if loss == "wasserstein":  # between pairs of a real and a generated event
            place, target = torch.lerp(generated, x, torch.rand_like(x[:, :1])), 1.0
        return value + penalty * gradient_penalty(lambda points: self.criticise(points, context), place, target)

    def generator_turn(self, x, context=None, loss="non-saturating"):
        """Loss of the generator, ``(n,)``, for as many events as `x` has; the critic stands still."""
        generated = self.generate(torch.randn(len(x), self.latent, device=x.device, dtype=x.dtype), context)
        self.critic.requires_grad_(False)  # gradients pass through the critic to the events, and not into its weights
        value = generator_loss(self.criticise(generated, context), loss)
        self.critic.requires_grad_(True)
        return value
