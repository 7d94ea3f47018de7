"""Small changes of the input that do the most harm, training against them, and jets as another detector would see them.

An attack moves each event by a given distance in the direction in which the loss grows. It is a model of what a wrong
simulation could do, and a pessimistic one: no detector knows the gradient of our network.
"""

import numpy as np
import torch

from hepml_labs.classification.losses import binary_cross_entropy
from hepml_labs.physics.kinematics import pt
from hepml_labs.validation import check_alike, check_array, check_between, check_same_shape

__all__ = ["adversarial_loss", "bernoulli_divergence", "fast_gradient_sign", "normed_gradient", "vary_constituents"]


def _input_gradient(model, x, label):
    """Gradient of each event's cross-entropy with respect to its own input, (n, inputs)."""
    check_array("x", x, ("n", "inputs"), finite=False)
    check_same_shape(label=label, x=x[:, 0])
    with torch.enable_grad():
        moved = x.detach().requires_grad_()
        # the sum, not the mean: no event's gradient may depend on how many others are in the batch
        total = binary_cross_entropy(model(moved).squeeze(-1), label) * len(x)
        return torch.autograd.grad(total, moved)[0]


def fast_gradient_sign(model, x, label, size):
    r"""Move every feature by `size` in the direction in which the loss grows: the fast gradient sign method.

    .. math:: x_\text{adv} = x + \epsilon \,\mathrm{sign}\,\nabla_x \mathrm{CE}(x)

    Parameters
    ----------
    model : torch.nn.Module
        Maps ``(n, inputs)`` to log-odds ``(n, 1)``; its weights and their gradients stay as they are.
    x : tensor, (n, inputs)
        Standardised: one step has one meaning for all features.
    label : tensor, (n,)
        1 or 0, floating-point.
    size : float
        Step of each feature.

    Returns
    -------
    tensor, (n, inputs)
        Cut off from the graph: training on it does not differentiate through the attack.

    Raises
    ------
    ValueError
        If shapes do not fit or `size` is negative.

    Notes
    -----
    Goodfellow, Shlens and Szegedy, arXiv:1412.6572. Of all steps with no feature moved by more than `size` it
    raises a linear loss the most.

    Examples
    --------
    >>> model = torch.nn.Linear(2, 1)
    >>> model.weight.data = torch.tensor([[1.0, -2.0]])
    >>> fast_gradient_sign(model, torch.zeros(1, 2), torch.ones(1), 0.1)
    tensor([[-0.1000,  0.1000]])
    """
    check_between("size", size, 0, np.inf, include_low=True)
    return x.detach() + size * _input_gradient(model, x, label).sign()


def normed_gradient(model, x, label, size):
    r"""Move each event by a distance of `size` along the gradient of its loss: the normed gradient method.

    .. math:: x_\text{adv} = x + \epsilon \,\nabla_x \mathrm{CE}(x) \,/\, \|\nabla_x \mathrm{CE}(x)\|_2

    Parameters
    ----------
    model, x, label
        As for `fast_gradient_sign`, which also says what raises a ValueError.
    size : float
        Euclidean length of the step of each event. Features that matter little hardly move.

    Returns
    -------
    tensor, (n, inputs)
        Cut off from the graph. An event whose gradient is zero stays where it is.

    Examples
    --------
    >>> model = torch.nn.Linear(2, 1)
    >>> model.weight.data = torch.tensor([[3.0, -4.0]])
    >>> normed_gradient(model, torch.zeros(1, 2), torch.ones(1), 0.1)
    tensor([[-0.0600,  0.0800]])
    """
    check_between("size", size, 0, np.inf, include_low=True)
    gradient = _input_gradient(model, x, label)
    length = gradient.norm(dim=1, keepdim=True)
    return x.detach() + size * gradient / length.clamp_min(torch.finfo(x.dtype).tiny)


def bernoulli_divergence(log_odds, other_log_odds):
    r"""Kullback-Leibler divergence of two probabilities of "signal", for each event.

    .. math:: p \log\frac{p}{q} + (1 - p) \log\frac{1 - p}{1 - q}

    Parameters
    ----------
    log_odds, other_log_odds : tensor
        Log-odds of p and q, of one shape.

    Returns
    -------
    tensor
        Same shape, in nats; zero where they agree.

    Raises
    ------
    ValueError
        If shapes differ, or a tensor is empty or not floating-point.

    Examples
    --------
    >>> bernoulli_divergence(torch.tensor([0.0, 0.0]), torch.tensor([0.0, 2.0]))
    tensor([0.0000, 0.4338])
    """
    check_alike(finite=False, log_odds=log_odds, other_log_odds=other_log_odds)
    softplus = torch.nn.functional.softplus  # log(1 - p) = -softplus(log-odds): finite for any log-odds
    difference = torch.sigmoid(log_odds) * (log_odds - other_log_odds)
    return difference - softplus(log_odds) + softplus(other_log_odds)


def adversarial_loss(size, strength, attack=normed_gradient):
    r"""Return the loss of adversarial training: cross-entropy on attacked events plus a penalty on any change.

    .. math:: \mathrm{CE}(x_\text{adv}) + \lambda\, \mathrm{KL}\big(f(x) \,\|\, f(x_\text{adv})\big)

    Parameters
    ----------
    size : float
        Length of the attack.
    strength : float
        Factor of the penalty, at least zero.
    attack : callable
        ``attack(model, x, label, size)``, such as `normed_gradient` or `fast_gradient_sign`; made anew in every step.

    Returns
    -------
    callable
        ``loss(model, x, label)`` for `hepml_labs.training.fit`.

    Raises
    ------
    ValueError
        If `size` or `strength` is negative.

    Notes
    -----
    The first term is adversarial training as in arXiv:1412.6572. The second is that of TRADES (Zhang et al.,
    arXiv:1901.08573), which has the cross-entropy of the *nominal* events for its first term and attacks the divergence
    itself, in several steps. One step costs about twice a step of ordinary training.

    Examples
    --------
    >>> from hepml_labs.nn import MLP
    >>> adversarial_loss(0.1, 1.0)(MLP(3, 1), torch.randn(8, 3), torch.ones(8)).shape
    torch.Size([])
    """
    check_between("size", size, 0, np.inf, include_low=True)
    check_between("strength", strength, 0, np.inf, include_low=True)

    def loss(model, x, label):
        attacked = model(attack(model, x, label, size)).squeeze(-1)
        penalty = bernoulli_divergence(model(x).squeeze(-1), attacked).mean()
        return binary_cross_entropy(attacked, label) + strength * penalty

    return loss


def vary_constituents(constituents, scale=1.0, resolution=0.0, efficiency=1.0, threshold=0.0, seed=0):
    """Return jets as another detector would see them: a common scale, smeared and lost constituents.

    Parameters
    ----------
    constituents : array, (n, m, 4)
        E, px, py, pz in GeV, rows of zeros after the last particle.
    scale : float
        Common factor on all momenta: an energy scale that is off.
    resolution : float
        Standard deviation of ln(momentum) of each constituent, independently, with the mean momentum kept.
    efficiency : float
        Probability to see a constituent; the leading one of a jet is always kept.
    threshold : float
        Constituents with less transverse momentum (GeV, after the changes) are dropped, but for the leading one.
    seed : int

    Returns
    -------
    array, (n, m, 4)
        Of the same type, rows still in order of the original, with zeros where a constituent was lost.

    Raises
    ------
    ValueError
        Naming the argument.

    Examples
    --------
    >>> jet = np.array([[[5.0, 3.0, 4.0, 0.0], [2.0, 0.0, 2.0, 0.0], [0.0, 0.0, 0.0, 0.0]]])
    >>> vary_constituents(jet, scale=1.1, threshold=3.0)[0, :, 0]
    array([5.5, 0. , 0. ])
    """
    check_array("constituents", constituents, ("n", "m", 4))
    check_between("scale", scale, 0, np.inf)
    check_between("resolution", resolution, 0, np.inf, include_low=True)
    check_between("efficiency", efficiency, 0, 1, include_high=True)
    check_between("threshold", threshold, 0, np.inf, include_low=True)
    random = np.random.default_rng(seed)
    shape = constituents.shape[:2]
    factor = scale * np.exp(resolution * random.normal(size=shape) - resolution**2 / 2)
    varied = constituents * factor[..., None].astype(constituents.dtype)
    transverse = pt(varied)
    seen = (random.random(shape) < efficiency) & (transverse >= threshold)
    seen[np.arange(len(seen)), transverse.argmax(axis=1)] = True
    return varied * seen[..., None]
