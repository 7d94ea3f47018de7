"""Exercises of the lab "A jet under the microscope"."""

import numpy as np
import torch

from hepml_labs.teaching import Exercise, Mistake


def subjettiness(angles, shares, axes, radius):
    """N-subjettiness of a jet for given axes.

    Parameters
    ----------
    angles : array, (particles, 2)
        Rapidity and azimuth of the constituents.
    shares : array, (particles,)
        Shares of the transverse momentum.
    axes : array, (N, 2)
        Rapidity and azimuth of the axes.
    radius : float
        Radius of the jet.

    Returns
    -------
    float

    Examples
    --------
    >>> angles, shares = np.array([[0.0, 0.0], [0.4, 0.0]]), np.array([0.75, 0.25])
    >>> subjettiness(angles, shares, axes=angles[:1], radius=0.8)
    0.125
    """
    distance = np.linalg.norm(angles[:, None] - axes[None], axis=-1)
    return float((shares * distance.min(axis=1)).sum() / radius)


def centred_angles(eta, phi, pt):
    """Angles of the constituents relative to the centre of the momentum, azimuth wrapped.

    Parameters
    ----------
    eta, phi, pt : tensor, (n, particles)
        Pseudorapidity, azimuth in (-pi, pi], transverse momentum in GeV.

    Returns
    -------
    tensor, (n, particles, 2)
        Pseudorapidity and azimuth relative to their means, weighted with the transverse momentum. The means are taken
        of angles relative to the hardest constituent, the azimuth in (-pi, pi].

    Examples
    --------
    >>> eta, phi, pt = torch.tensor([[[0.5, 0.5]], [[3.1, -3.1]], [[20.0, 20.0]]])
    >>> [round(angle, 4) for angle in centred_angles(eta, phi, pt)[0, :, 1].tolist()]
    [-0.0416, 0.0416]
    """
    hardest = pt.argmax(1, keepdim=True)
    difference = phi - phi.gather(1, hardest)
    wrapped = torch.remainder(difference + torch.pi, 2 * torch.pi) - torch.pi
    angles = torch.stack([eta - eta.gather(1, hardest), wrapped], dim=-1)
    share = (pt / pt.sum(1, keepdim=True))[..., None]
    return angles - (share * angles).sum(1, keepdim=True)


def fill_pixels(column, row, shares, pixels):
    """Add up the shares that fall into each pixel of each image.

    Parameters
    ----------
    column, row : int tensor, (n, particles)
        Pixel of each constituent, from 0 to pixels - 1.
    shares : tensor, (n, particles)
        Shares of the transverse momentum, zero for padding.
    pixels : int
        Pixels along each side.

    Returns
    -------
    tensor, (n, 1, pixels, pixels)

    Examples
    --------
    >>> fill_pixels(torch.tensor([[1, 1, 0]]), torch.tensor([[0, 0, 1]]), torch.tensor([[0.5, 0.25, 0.25]]), 2)
    tensor([[[[0.0000, 0.7500],
              [0.2500, 0.0000]]]])
    """
    jet = torch.arange(len(shares))[:, None].expand_as(row)
    images = torch.zeros(len(shares), pixels, pixels, dtype=shares.dtype)
    return images.index_put((jet, row, column), shares, accumulate=True)[:, None]


def _jet(rng):
    particles = int(rng.integers(8, 14))
    shares = rng.dirichlet(np.ones(particles))
    angles = rng.normal(size=(particles, 2)) * 0.3
    return angles, shares, rng.normal(size=(3, 2)) * 0.3, float(rng.uniform(0.5, 1.0))


def _subjettiness_with(reduce=lambda d: d.min(axis=1), power=1.0, share=lambda z: z, scaled=True):
    def wrong(angles, shares, axes, radius):
        distance = np.linalg.norm(angles[:, None] - axes[None], axis=-1)
        return float((share(shares) * reduce(distance) ** power).sum() / (radius**power if scaled else 1))

    return wrong


def _jets_at_the_edge(rng):
    """Some of the jets lie across the azimuth of pi."""
    n, particles = 6, int(rng.integers(7, 11))
    axis = np.array([np.pi, -np.pi, 3.0, -2.9, 0.3, 3.1])[:, None]
    phi = axis + rng.normal(size=(n, particles)) * 0.3
    phi = np.pi - np.remainder(np.pi - phi, 2 * np.pi)
    eta = rng.normal(size=(n, 1)) + rng.normal(size=(n, particles)) * 0.3
    pt = rng.exponential(20, size=(n, particles)) + 1
    return tuple(torch.from_numpy(values) for values in (eta, phi, pt))


def _centred_with(wrap=True, weight=True, both=True, sign=1.0):
    def wrong(eta, phi, pt):
        hardest = pt.argmax(1, keepdim=True)
        difference = phi - phi.gather(1, hardest)
        if wrap:
            difference = torch.remainder(difference + torch.pi, 2 * torch.pi) - torch.pi
        angles = torch.stack([eta - eta.gather(1, hardest), difference], dim=-1)
        share = pt / pt.sum(1, keepdim=True) if weight else torch.full_like(pt, 1 / pt.shape[1])
        mean = (share[..., None] * angles).sum(1, keepdim=True)
        return sign * (angles - mean) if both else angles

    return wrong


def _mean_first(eta, phi, pt):
    share = pt / pt.sum(1, keepdim=True)
    difference = phi - (share * phi).sum(1, keepdim=True)
    wrapped = torch.remainder(difference + torch.pi, 2 * torch.pi) - torch.pi
    return torch.stack([eta - (share * eta).sum(1, keepdim=True), wrapped], dim=-1)


def _centred(rng):
    """Jets with a longest direction that is far from both axes, centred."""
    n, particles = 5, int(rng.integers(9, 14))
    shares = torch.from_numpy(rng.dirichlet(np.ones(particles), size=n))
    long, short = rng.normal(size=(2, n, particles)) * np.array([0.4, 0.1])[:, None, None]
    turn = rng.uniform(0.3, 1.2, size=(n, 1)) * rng.choice([-1, 1], size=(n, 1))
    angles = np.stack([np.cos(turn) * long - np.sin(turn) * short, np.sin(turn) * long + np.cos(turn) * short], -1)
    angles = torch.from_numpy(angles)
    return angles - (shares[..., None] * angles).sum(1, keepdim=True), shares


def upright_angle(angles, shares):
    """Angle by which each jet must be turned to stand upright, between -pi / 2 and pi / 2.

    Parameters
    ----------
    angles : tensor, (n, particles, 2)
        Centred pseudorapidity and azimuth.
    shares : tensor, (n, particles)
        Shares of the transverse momentum.

    Returns
    -------
    tensor, (n,)

    Examples
    --------
    >>> upright_angle(torch.tensor([[[0.3, 0.3], [-0.3, -0.3]]]), torch.tensor([[0.5, 0.5]]))
    tensor([0.7854])
    """
    x, y = angles.unbind(-1)
    mixed = 2 * (shares * x * y).sum(1)
    difference = (shares * (x**2 - y**2)).sum(1)
    return torch.atan2(mixed, -difference) / 2


def _angle_with(half=0.5, sign=1.0, vertical=True, weighted=True):
    def wrong(angles, shares):
        x, y = angles.unbind(-1)
        weight = shares if weighted else torch.full_like(shares, 1 / shares.shape[1])
        mixed = 2 * (weight * x * y).sum(1)
        difference = (weight * (x**2 - y**2)).sum(1)
        return sign * half * (torch.atan2(mixed, -difference) if vertical else -torch.atan2(mixed, difference))

    return wrong


def _pixels_of(rng):
    n, particles, pixels = 4, int(rng.integers(9, 14)), int(rng.integers(3, 6))
    column, row = torch.from_numpy(rng.integers(0, pixels, size=(2, n, particles)))
    shares = torch.from_numpy(rng.dirichlet(np.ones(particles), size=n))
    # several constituents in one pixel are the rule, and padding sits somewhere with a share of zero
    column[:, :3], row[:, :3] = 1, 2
    shares[:, -1] = 0
    return column, row, shares, pixels


def _fill_with(accumulate=True, swap=False, value=lambda shares: shares):
    def wrong(column, row, shares, pixels):
        jet = torch.arange(len(shares))[:, None].expand_as(row)
        images = torch.zeros(len(shares), pixels, pixels, dtype=shares.dtype)
        place = (jet, column, row) if swap else (jet, row, column)
        return images.index_put(place, value(shares), accumulate=accumulate)[:, None]

    return wrong


EXERCISES = [
    Exercise(
        name="top_tagging.subjettiness",
        reference=subjettiness,
        inputs=_jet,
        mistakes=(
            Mistake(
                "Each constituent counts with its distance to the *nearest* axis, not to all of them.",
                _subjettiness_with(reduce=lambda d: d.sum(axis=1)),
            ),
            Mistake(
                "You take the distance to the furthest axis.",
                _subjettiness_with(reduce=lambda d: d.max(axis=1)),
            ),
            Mistake("Distances enter linearly here (beta = 1), not squared.", _subjettiness_with(power=2.0)),
            Mistake("Divide by the radius of the jet, so that tau_1 is at most one.", _subjettiness_with(scaled=False)),
            Mistake(
                "Weigh each constituent with its share of the momentum: a soft one hardly counts.",
                _subjettiness_with(share=lambda z: np.full_like(z, 1 / len(z))),
            ),
        ),
        hints=(
            "You need the distance of every constituent to every axis: a table of shape (particles, N).",
            "np.linalg.norm(angles[:, None] - axes[None], axis=-1) is this table; .min(axis=1) picks the nearest axis.",
            "(shares * table.min(axis=1)).sum() / radius",
        ),
    ),
    Exercise(
        name="top_tagging.centred_angles",
        reference=centred_angles,
        inputs=_jets_at_the_edge,
        mistakes=(
            Mistake(
                "The azimuth is not wrapped: a jet at phi = pi is torn into two halves, 2 pi apart.",
                _centred_with(wrap=False),
            ),
            Mistake(
                "You take the mean of the azimuth before you wrap. The mean of 3.1 and -3.1 is 0, on the far side of "
                "the detector: go to angles relative to one constituent first.",
                _mean_first,
            ),
            Mistake(
                "Weigh the mean with the transverse momentum, or soft particles decide where the centre is.",
                _centred_with(weight=False),
            ),
            Mistake(
                "The angles are relative to the hardest constituent still. Subtract their weighted mean.",
                _centred_with(both=False),
            ),
            Mistake("The sign is turned round: constituent minus centre.", _centred_with(sign=-1.0)),
        ),
        hints=(
            "Three steps: subtract the hardest constituent, wrap the azimuth, subtract the weighted mean.",
            "hardest = pt.argmax(1, keepdim=True); phi.gather(1, hardest) is its azimuth, of shape (n, 1).",
            "torch.remainder(difference + torch.pi, 2 * torch.pi) - torch.pi wraps. The weights are pt / pt.sum(1).",
        ),
    ),
    Exercise(
        name="top_tagging.upright_angle",
        reference=upright_angle,
        inputs=_centred,
        mistakes=(
            Mistake("The tangent gives twice the angle: divide by two.", _angle_with(half=1.0)),
            Mistake("The jet turns the wrong way round.", _angle_with(sign=-1.0)),
            Mistake(
                "This lays the longest direction along the first axis, pseudorapidity. It should stand along azimuth.",
                _angle_with(vertical=False),
            ),
            Mistake(
                "Weigh the covariance with the shares of the momentum: the jet's direction is that of its momentum.",
                _angle_with(weighted=False),
            ),
        ),
        hints=(
            "Turned by t, the mixed moment becomes (1/2) sin(2t) (C_xx - C_yy) + cos(2t) C_xy, and this must vanish.",
            "So tan(2t) = 2 C_xy / (C_yy - C_xx), with two solutions: upright is the one that makes C_yy large.",
            "torch.atan2(2 * c_xy, c_yy - c_xx) / 2 with c_xy = (shares * x * y).sum(1), and so on.",
        ),
    ),
    Exercise(
        name="top_tagging.fill_pixels",
        reference=fill_pixels,
        inputs=_pixels_of,
        mistakes=(
            Mistake(
                "Of several constituents in one pixel only the last is kept: momentum is lost. Add them up.",
                _fill_with(accumulate=False),
            ),
            Mistake("Rows and columns are exchanged.", _fill_with(swap=True)),
            Mistake(
                "You count constituents. Add up their shares of the momentum.",
                _fill_with(value=lambda shares: torch.ones_like(shares)),
            ),
            Mistake(
                "The pixels do not add up to one: fill the shares themselves, not their squares.",
                _fill_with(value=lambda shares: shares**2),
            ),
        ),
        hints=(
            "images[jet, row, column] += share would keep only one of several constituents in the same pixel.",
            "images.index_put((jet, row, column), shares, accumulate=True) adds them up; jet must have their shape.",
            "jet = torch.arange(len(shares))[:, None].expand_as(row), and [:, None] at the end makes the channel.",
        ),
    ),
]
