"""Exercises of the lab "Sets and safety"."""

import torch

from hepml_labs.teaching import Exercise, Mistake


def masked_sum(values, mask):
    """Sum over the real particles of each jet.

    Parameters
    ----------
    values : tensor, (n, particles, latent)
        The padding may hold anything, NaN as well.
    mask : tensor, (n, particles)
        True for real particles.

    Returns
    -------
    tensor, (n, latent)

    Examples
    --------
    >>> values = torch.tensor([[[1.0], [2.0], [torch.nan]]])
    >>> masked_sum(values, torch.tensor([[True, True, False]]))
    tensor([[3.]])
    """
    return values.masked_fill(~mask.unsqueeze(-1), 0).sum(1)


def energy_flow(pt, filters):
    """Sum over particles, weighted with their shares of the transverse momentum.

    Parameters
    ----------
    pt : tensor, (n, particles)
        GeV, zero for padding.
    filters : tensor, (n, particles, latent)
        Functions of the directions of the particles.

    Returns
    -------
    tensor, (n, latent)

    Examples
    --------
    >>> energy_flow(torch.tensor([[30.0, 10.0, 0.0]]), torch.tensor([[[1.0], [2.0], [5.0]]]))
    tensor([[1.2500]])
    """
    share = pt / pt.sum(1, keepdim=True)
    return (share[..., None] * filters).sum(1)


def split_particle(momenta, which, fraction):
    """Replace one particle of each jet by two parallel ones.

    Parameters
    ----------
    momenta : tensor, (n, particles, 4)
        GeV.
    which : tensor, (n,)
        Index of the particle that is split.
    fraction : tensor, (n,)
        Share of the momentum for the first half, which stays in its place.

    Returns
    -------
    tensor, (n, particles + 1, 4)
        The second half stands at the end.

    Examples
    --------
    >>> jet = torch.tensor([[[8.0, 4.0, 4.0, 0.0]]])
    >>> split_particle(jet, torch.tensor([0]), torch.tensor([0.75])).tolist()
    [[[6.0, 3.0, 3.0, 0.0], [2.0, 1.0, 1.0, 0.0]]]
    """
    row = torch.arange(len(momenta))
    parent, share = momenta[row, which], fraction[:, None]
    split = torch.cat([momenta, ((1 - share) * parent)[:, None]], dim=1)
    split[row, which] = share * parent
    return split


def massless(pt, eta, phi):
    """Four-momenta of massless particles.

    Parameters
    ----------
    pt, eta, phi : tensor, (n,)
        Transverse momentum in GeV, pseudorapidity, azimuth in radians.

    Returns
    -------
    tensor, (n, 4)
        (E, px, py, pz), GeV.

    Examples
    --------
    >>> massless(torch.tensor([2.0]), torch.tensor([0.0]), torch.tensor([0.0])).tolist()
    [[2.0, 2.0, 0.0, 0.0]]
    """
    return pt[:, None] * torch.stack([eta.cosh(), phi.cos(), phi.sin(), eta.sinh()], dim=-1)


def _padded(rng):
    values = torch.from_numpy(rng.normal(size=(5, 6, 3)) + 0.5).float()
    mask = torch.from_numpy(rng.random((5, 6)) < 0.6)
    mask[:, int(rng.integers(6))] = True
    mask[0, :3], mask[1, :3] = torch.tensor([True, False, False]), torch.tensor([True, True, False])
    values[0, 1] = torch.nan  # padding of one jet: not a number, of the others: just wrong
    return values, mask


def _weighted(rng):
    pt = torch.from_numpy(rng.exponential(20.0, size=(4, 6)) + 1.0).float()
    pt[0, 4:] = 0
    return pt, torch.from_numpy(rng.normal(size=(4, 6, 3))).float()


def _weighted_with(weight):
    return lambda pt, filters: (weight(pt)[..., None] * filters).sum(1)


def _momenta(rng, n=4, particles=5):
    three = torch.from_numpy(rng.normal(size=(n, particles, 3)) * 30).double()
    return torch.cat([three.norm(dim=-1, keepdim=True), three], dim=-1)


def _splitting(rng):
    which = torch.from_numpy(rng.integers(0, 5, size=4))
    return _momenta(rng), which, torch.from_numpy(rng.uniform(0.1, 0.4, size=4))


def _split_with(first, second):
    def wrong(momenta, which, fraction):
        row = torch.arange(len(momenta))
        parent, share = momenta[row, which], fraction[:, None]
        split = torch.cat([momenta, second(parent, share)[:, None]], dim=1)
        split[row, which] = first(parent, share)
        return split

    return wrong


def _energy_only(parent, share):
    return torch.cat([share * parent[:, :1], parent[:, 1:]], dim=-1)


def _angles(rng):
    return tuple(torch.from_numpy(rng.uniform(low, high, size=5)) for low, high in ((1, 50), (-2, 2), (-3, 3)))


def _massless_with(components):
    return lambda pt, eta, phi: pt[:, None] * torch.stack(components(eta, phi), dim=-1)


EXERCISES = [
    Exercise(
        name="top_tagging.masked_sum",
        reference=masked_sum,
        inputs=_padded,
        mistakes=(
            Mistake("You sum over the padding as well: use the mask.", lambda values, mask: values.sum(1)),
            Mistake(
                "Zero times NaN is NaN. Multiplying does not clear the padding, replacing does.",
                lambda values, mask: (values * mask[..., None]).sum(1),
            ),
            Mistake(
                "Padding need not be NaN: any number may stand there. The mask says where, not the content.",
                lambda values, mask: values.nan_to_num().sum(1),
            ),
            Mistake(
                "This is the mean over the real particles. The sum is asked for; it also counts them.",
                lambda values, mask: masked_sum(values, mask) / mask.sum(1, keepdim=True),
            ),
            Mistake(
                "You sum over the padding only: the mask is True for real particles.",
                lambda values, mask: masked_sum(values, ~mask),
            ),
        ),
        hints=(
            "First replace the padding by zero, then sum over the particles, dimension 1.",
            "tensor.masked_fill(condition, 0) writes zeros where the condition is True; ~mask is True in the padding.",
            "The mask needs one more dimension to fit: mask.unsqueeze(-1), or mask[..., None].",
        ),
    ),
    Exercise(
        name="top_tagging.energy_flow",
        reference=energy_flow,
        inputs=_weighted,
        mistakes=(
            Mistake("Divide by the total of each jet: shares add up to one.", _weighted_with(lambda pt: pt)),
            Mistake(
                "You divide by the total of the whole batch. Each jet has its own.",
                _weighted_with(lambda pt: pt / pt.sum()),
            ),
            Mistake(
                "All particles count alike here: the weights are missing.",
                _weighted_with(lambda pt: torch.ones_like(pt)),
            ),
            Mistake(
                "Linear in the momenta, please: with squares, two halves count less than the whole.",
                _weighted_with(lambda pt: (pt / pt.sum(1, keepdim=True)) ** 2),
            ),
            Mistake(
                "A softmax of momenta in GeV is no share: it changes with the unit.",
                _weighted_with(lambda pt: pt.softmax(1)),
            ),
        ),
        hints=(
            "z = pt / (sum of pt over the particles of the jet), shape (n, particles).",
            "pt.sum(1, keepdim=True) keeps the shape (n, 1), so that it divides the particles of its own jet.",
            "(z[..., None] * filters).sum(1)",
        ),
    ),
    Exercise(
        name="top_tagging.split_particle",
        reference=split_particle,
        inputs=_splitting,
        mistakes=(
            Mistake(
                "The jet has become heavier: the first half keeps the whole momentum.",
                _split_with(lambda parent, share: parent, lambda parent, share: (1 - share) * parent),
            ),
            Mistake(
                "You split the energy only. All four components share, or the halves are not massless any more.",
                _split_with(
                    lambda parent, share: _energy_only(parent, share),
                    lambda parent, share: _energy_only(parent, 1 - share),
                ),
            ),
            Mistake(
                "The two halves have changed places: the fraction is that of the first, which stays where it was.",
                _split_with(lambda parent, share: (1 - share) * parent, lambda parent, share: share * parent),
            ),
            Mistake(
                "Both got the same fraction: what the first does not take is left for the second.",
                _split_with(lambda parent, share: share * parent, lambda parent, share: share * parent),
            ),
            Mistake(
                "You split the first particle of each jet, whichever was asked for.",
                lambda momenta, which, fraction: split_particle(momenta, 0 * which, fraction),
            ),
        ),
        hints=(
            "A particle of momentum p becomes two with fraction * p and (1 - fraction) * p: all four components.",
            "row = torch.arange(len(momenta)); momenta[row, which] picks one particle of each jet, shape (n, 4).",
            "torch.cat([momenta, second_half[:, None]], dim=1), then write the first half to split[row, which].",
        ),
    ),
    Exercise(
        name="top_tagging.massless",
        reference=massless,
        inputs=_angles,
        mistakes=(
            Mistake(
                "The energy is larger than pT unless eta is zero: E = pT cosh(eta).",
                _massless_with(lambda eta, phi: [torch.ones_like(eta), phi.cos(), phi.sin(), eta.sinh()]),
            ),
            Mistake(
                "Sine and cosine of the azimuth are exchanged.",
                _massless_with(lambda eta, phi: [eta.cosh(), phi.sin(), phi.cos(), eta.sinh()]),
            ),
            Mistake(
                "cosh belongs to the energy and sinh to pz, which has a sign.",
                _massless_with(lambda eta, phi: [eta.sinh(), phi.cos(), phi.sin(), eta.cosh()]),
            ),
            Mistake(
                "pz is not pT times eta, except for small eta.",
                _massless_with(lambda eta, phi: [eta.cosh(), phi.cos(), phi.sin(), eta]),
            ),
            Mistake(
                "The order is (E, px, py, pz): the energy comes first.",
                _massless_with(lambda eta, phi: [phi.cos(), phi.sin(), eta.sinh(), eta.cosh()]),
            ),
        ),
        hints=(
            "px and py from pT and the azimuth, pz from pT and the pseudorapidity, E from being massless.",
            "pz = pT sinh(eta), and E^2 = pT^2 (1 + sinh(eta)^2).",
            "torch.stack([eta.cosh(), phi.cos(), phi.sin(), eta.sinh()], dim=-1) is the momentum for pT = 1.",
        ),
    ),
]
