r"""A cone that decides by chance: how the radius of a jet gets a gradient though clusterings are made of decisions."""

import torch

from hepml_labs.validation import check_array, check_between, check_count, check_same_shape

__all__ = ["inclusion_probability", "radius_gradient"]


def inclusion_probability(distance, radius, temperature=0.05):
    r"""Probability with which each particle belongs to the jet.

    Parameters
    ----------
    distance : tensor, (..., particles)
        Distance from the axis.
    radius : float or tensor
        Of the cone: at it the probability is one half.
    temperature : float
        How soft the edge is; towards zero the cone decides as usual.

    Returns
    -------
    tensor, (..., particles)

    Raises
    ------
    ValueError
        If `temperature` is not above zero.

    Examples
    --------
    >>> inclusion_probability(torch.tensor([0.0, 0.4, 0.8]), 0.4).round(decimals=3).tolist()
    [1.0, 0.5, 0.0]
    """
    check_between("temperature", temperature, 0, float("inf"))
    return torch.sigmoid((radius - distance) / temperature)


def radius_gradient(momenta, distance, radius, observable, samples=1000, temperature=0.05, seed=0):
    r"""Estimate the expectation of an observable of the jet, and its derivative with respect to the radius.

    .. math:: \frac{\mathrm{d}}{\mathrm{d}R}\,\mathrm{E}\left[f\right]
              = \mathrm{E}\left[(f-b)\,\frac{\partial\log p(z|R)}{\partial R}\right]

    with the decisions z that were drawn, and any b that does not depend on them.

    Parameters
    ----------
    momenta : tensor, (particles, 4)
        GeV: E, px, py, pz.
    distance : tensor, (particles,)
        From the axis.
    radius : float
    observable : callable
        Takes summed momenta (samples, 4) to numbers (samples,). It needs no gradient: it may be a count or a cut.
    samples : int
        Clusterings that are drawn.
    temperature : float
        See `inclusion_probability`.
    seed : int

    Returns
    -------
    mean, gradient, error : float
        Expectation, its derivative, and the standard error of that.

    Raises
    ------
    ValueError
        If shapes differ or an option is out of range.

    Notes
    -----
    The score-function estimator (R. J. Williams, Machine Learning 8 (1992) 229), used for simulations of particles in
    matter by Kagan and Heinrich, arXiv:2308.16680 :cite:`kagan2023branches`. The baseline b is the mean over the
    *other* samples, which keeps the estimate unbiased.

    Examples
    --------
    >>> momenta = torch.tensor([[100.0, 100.0, 0.0, 0.0], [10.0, 9.0, 3.0, 0.0]])
    >>> mean, gradient, error = radius_gradient(momenta, torch.tensor([0.0, 0.4]), 0.4, lambda jet: jet[:, 0])
    >>> bool(abs(mean - 105) < 1), bool(abs(gradient - 10 / 4 / 0.05) < 4 * error)  # p' = p (1 - p) / T
    (True, True)
    """
    check_array("momenta", momenta, ("particles", 4))
    check_array("distance", distance, ("particles",))
    check_same_shape(momenta=momenta[:, 0], distance=distance)
    check_count("samples", samples, minimum=2)
    probability = inclusion_probability(distance, radius, temperature)
    generator = torch.Generator().manual_seed(seed)
    chosen = (torch.rand(samples, len(distance), generator=generator) < probability).to(momenta.dtype)
    value = observable(chosen @ momenta)
    # d log p / dR of a Bernoulli decision with the probability sigmoid((R - distance) / T)
    score = (chosen - probability).sum(dim=1) / temperature
    baseline = (value.sum() - value) / (samples - 1)
    terms = (value - baseline) * score
    return float(value.mean()), float(terms.mean()), float(terms.std() / samples**0.5)
