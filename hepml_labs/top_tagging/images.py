"""Jets as images: from padded constituents to pixels, one symmetry after the other.

An image is a histogram of transverse momentum in the plane of pseudorapidity and azimuth. Before the histogram is
filled, each step brings jets that differ by a symmetry to one form, on the exact positions of the constituents: no
pixel is ever interpolated. The steps follow Cogan et al., arXiv:1407.5675, section 2, and Kasieczka et al.,
arXiv:1701.08784, section 2.1.
"""

import torch

from hepml_labs.top_tagging.inputs import momentum_shares, relative_angles
from hepml_labs.validation import check_array, check_between, check_count


def centre(angles, shares):
    """Move the centre of the momentum to the origin: translations are boosts along the beam and turns around it.

    Parameters
    ----------
    angles : tensor
        Shape ``(n, particles, 2)``: pseudorapidity and azimuth relative to a point near the jet, in radians, with the
        azimuth already brought to (-pi, pi], as from `relative_angles`.
    shares : tensor
        Shape ``(n, particles)``: shares of the transverse momentum, zero for padding.

    Returns
    -------
    tensor
        Shape ``(n, particles, 2)``; the mean of the angles, weighted with the shares, is zero.

    Examples
    --------
    >>> centre(torch.tensor([[[0.0, 0.0], [0.4, 0.0]]]), torch.tensor([[0.75, 0.25]]))[0, :, 0]
    tensor([-0.1000,  0.3000])
    """
    _check(angles, shares)
    return angles - (shares[..., None] * angles).sum(1, keepdim=True)


def rotate(angles, shares):
    """Turn each jet around the origin until its longest direction stands upright.

    The longest direction is the eigenvector of the larger eigenvalue of the covariance of the momentum. Distances, and
    with them the mass of a narrow jet, stay the same.

    Parameters
    ----------
    angles : tensor
        Shape ``(n, particles, 2)``, centred.
    shares : tensor
        Shape ``(n, particles)``.

    Returns
    -------
    tensor
        Shape ``(n, particles, 2)``; a jet without a longest direction is left as it is.

    Examples
    --------
    >>> turned = rotate(torch.tensor([[[0.3, 0.3], [-0.3, -0.3]]]), torch.tensor([[0.5, 0.5]]))
    >>> [[round(angle, 4) + 0 for angle in particle] for particle in turned[0].tolist()]
    [[0.0, 0.4243], [0.0, -0.4243]]
    """
    _check(angles, shares)
    x, y = angles.unbind(-1)
    difference = (shares * (x**2 - y**2)).sum(1, keepdim=True)
    mixed = 2 * (shares * x * y).sum(1, keepdim=True)
    # the longest direction lies at an angle a with tan 2a = mixed / difference; the turn that is missing is pi / 2 - a
    turn = torch.atan2(mixed, -difference) / 2
    turn = torch.where((mixed == 0) & (difference == 0), torch.zeros_like(turn), turn)
    sine, cosine = turn.sin(), turn.cos()
    return torch.stack([cosine * x - sine * y, sine * x + cosine * y], dim=-1)


def flip(angles, shares):
    """Mirror each jet so that more of its momentum lies at positive angles, along both axes.

    Parameters
    ----------
    angles : tensor
        Shape ``(n, particles, 2)``, centred and turned.
    shares : tensor
        Shape ``(n, particles)``.

    Returns
    -------
    tensor
        Shape ``(n, particles, 2)``.

    Examples
    --------
    >>> flip(torch.tensor([[[-0.1, 0.2], [0.3, -0.6]]]), torch.tensor([[0.75, 0.25]])).tolist()[0][0]
    [0.10000000149011612, 0.20000000298023224]
    """
    _check(angles, shares)
    side = (shares[..., None] * angles.sign()).sum(1, keepdim=True)
    return torch.where(side < 0, -angles, angles)


def pixelate(angles, shares, pixels=40, width=1.6):
    """Fill one histogram per jet.

    Parameters
    ----------
    angles : tensor
        Shape ``(n, particles, 2)``.
    shares : tensor
        Shape ``(n, particles)``: what is filled; padding must have zero.
    pixels : int
        Pixels along each side.
    width : float
        Length of each side in radians, with the origin in the middle.

    Returns
    -------
    tensor
        Shape ``(n, 1, pixels, pixels)``: rows follow the second angle, columns the first. What lies outside is lost.

    Raises
    ------
    ValueError
        Naming the argument.

    Examples
    --------
    >>> pixelate(torch.tensor([[[0.3, -0.3], [0.2, -0.1], [9.0, 0.0]]]), torch.tensor([[0.5, 0.3, 0.2]]), pixels=2)
    tensor([[[[0.0000, 0.8000],
              [0.0000, 0.0000]]]])
    """
    _check(angles, shares)
    check_count("pixels", pixels)
    check_between("width", width, 0, float("inf"))
    bins = ((angles / width + 0.5) * pixels).floor()
    inside = ((bins >= 0) & (bins < pixels)).all(-1)
    column, row = bins.clamp(0, pixels - 1).long().unbind(-1)
    jet = torch.arange(len(angles), device=angles.device)[:, None]
    position = (jet * pixels + row) * pixels + column
    flat = shares.new_zeros(len(shares) * pixels**2)
    flat = flat.index_add(0, position.flatten(), (shares * inside).flatten())
    return flat.unflatten(0, (len(shares), 1, pixels, pixels))


def normalise(images):
    """Divide each image by its sum, so that the pixels are shares of what the image holds.

    Parameters
    ----------
    images : tensor
        Shape ``(n, 1, pixels, pixels)``, at least zero.

    Returns
    -------
    tensor
        The same shape; an empty image stays empty.

    Examples
    --------
    >>> normalise(torch.tensor([[[[1.0, 3.0], [0.0, 0.0]]]]))
    tensor([[[[0.2500, 0.7500],
              [0.0000, 0.0000]]]])
    """
    check_array("images", images, ("n", 1, "pixels", "pixels"))
    total = images.sum((1, 2, 3), keepdim=True)
    return images / torch.where(total > 0, total, torch.ones_like(total))


def jet_images(momenta, pixels=40, width=1.6):
    """Preprocessed images of jets: centred, turned, flipped, filled and normalised.

    Parameters
    ----------
    momenta : tensor
        Shape ``(n, particles, 4)``: (E, px, py, pz) in GeV, zeros for padding.
    pixels : int
        Pixels along each side.
    width : float
        Length of each side in radians; 1.6 is the diameter of a jet of radius 0.8.

    Returns
    -------
    tensor
        Shape ``(n, 1, pixels, pixels)``; each image sums to one. The type is that of `momenta`.

    Raises
    ------
    ValueError
        Naming the argument, also for a jet without constituents.

    Examples
    --------
    >>> jet = torch.tensor([[[5.0, 3.0, 4.0, 0.0], [5.0, 4.0, 3.0, 0.0], [0.0, 0.0, 0.0, 0.0]]])
    >>> jet_images(jet, pixels=3, width=0.6)[0, 0]  # two equal particles, one above the other
    tensor([[0.0000, 0.5000, 0.0000],
            [0.0000, 0.0000, 0.0000],
            [0.0000, 0.5000, 0.0000]])
    """
    angles, shares = relative_angles(momenta), momentum_shares(momenta)
    angles = centre(angles, shares)
    angles = rotate(angles, shares)
    angles = flip(angles, shares)
    return normalise(pixelate(angles, shares, pixels, width))


def _check(angles, shares):
    check_array("angles", angles, ("n", "particles", 2))
    check_array("shares", shares, tuple(angles.shape[:2]))
