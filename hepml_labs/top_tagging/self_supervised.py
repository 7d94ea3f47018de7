"""Pretraining without labels: hidden particles that are filled in, and two views of one jet that find each other."""

import torch
import torch.nn.functional as F

from hepml_labs.validation import check_array, check_between, check_same_shape

__all__ = ["contrastive_loss", "hide_particles", "masked_loss"]


def hide_particles(mask, share=0.3, seed=None):
    """Choose particles to hide from a network.

    Parameters
    ----------
    mask : bool tensor, (n, particles)
        Which particles are real.
    share : float
        Probability of each to be hidden, in (0, 1). At least one of each jet stays visible, and one is hidden if it has
        two or more.
    seed : int, optional
        None: torch's own generator, as dropout.

    Returns
    -------
    bool tensor, (n, particles)

    Raises
    ------
    ValueError
        If `mask` is no matrix of booleans or `share` is out of range.

    Examples
    --------
    >>> mask = torch.tensor([[True, True, True, False]])
    >>> hidden = hide_particles(mask, 0.5, seed=1)
    >>> int(hidden.sum()) in (1, 2), bool(hidden[0, 3])
    (True, False)
    """
    if mask.dtype != torch.bool or mask.ndim != 2:
        raise ValueError(f"mask: found {mask.dtype} of shape {tuple(mask.shape)}, expected bool of (n, particles)")
    check_between("share", share, 0, 1)
    generator = None if seed is None else torch.Generator(mask.device).manual_seed(seed)
    draw = torch.rand(mask.shape, generator=generator, device=mask.device).masked_fill(~mask, torch.inf)
    rank = draw.argsort(dim=1).argsort(dim=1)  # the real particles of a jet in random order
    number = mask.sum(dim=1, keepdim=True)
    # all that drew less than the share, but at least the first and never the last
    return ((draw < share) | (rank == 0)) & (rank < number - 1)


def masked_loss(prediction, target, hidden):
    """Mean smooth absolute error of the features of hidden particles.

    Parameters
    ----------
    prediction, target : tensor, (n, particles, features)
        Standardised features.
    hidden : bool tensor, (n, particles)

    Returns
    -------
    tensor, ()

    Raises
    ------
    ValueError
        If shapes differ or nothing is hidden.

    Notes
    -----
    The regression form of masked particle modelling, Golling et al., arXiv:2401.13537 :cite:`golling2024masked`, whose
    first form predicts entries of a learned code book instead. What is optimal is the *median* of a feature given the
    visible particles, or the mean for small errors: many answers are possible, and one is asked for.

    Examples
    --------
    >>> target = torch.zeros(1, 2, 1)
    >>> masked_loss(target + torch.tensor([[[3.0], [9.0]]]), target, torch.tensor([[True, False]])).item()
    2.5
    """
    check_array("prediction", prediction, ("n", "particles", "features"))
    check_same_shape(prediction=prediction, target=target)
    check_same_shape(hidden=hidden, particles=prediction[..., 0])
    if not hidden.any():
        raise ValueError("hidden: found no particle, expected some to predict")
    return F.smooth_l1_loss(prediction[hidden], target[hidden])


def contrastive_loss(first, second, temperature=0.1):
    r"""Cross-entropy of finding the second view of each jet among those of all jets.

    .. math:: L = -\frac1N\sum_i\log\frac{e^{s(z_i,z'_i)/T}}{\sum_j e^{s(z_i,z'_j)/T}}

    and the same with the views exchanged, averaged; s is the cosine.

    Parameters
    ----------
    first, second : tensor, (n, d)
        Outputs for two augmented views of the same jets, in the same order.
    temperature : float

    Returns
    -------
    tensor, ()
        At most about log n for outputs that know nothing; log n minus this is a lower bound of what the views tell of
        each other, in nats.

    Raises
    ------
    ValueError
        If shapes differ or `temperature` is not above zero.

    Notes
    -----
    InfoNCE, van den Oord, Li and Vinyals, arXiv:1807.03748; for jets JetCLR, Dillon et al.,
    arXiv:2108.04253 :cite:`dillon2022jetclr`, whose denominator also has the other jets of the same view.

    Examples
    --------
    >>> float(contrastive_loss(torch.ones(8, 3), torch.ones(8, 3)).exp().round(decimals=4))  # all alike: a guess of 8
    8.0
    """
    check_array("first", first, ("n", "d"))
    check_same_shape(first=first, second=second)
    check_between("temperature", temperature, 0, float("inf"))
    similarity = F.normalize(first, dim=1) @ F.normalize(second, dim=1).mT / temperature
    own = torch.arange(len(first), device=first.device)
    return (F.cross_entropy(similarity, own) + F.cross_entropy(similarity.mT, own)) / 2
