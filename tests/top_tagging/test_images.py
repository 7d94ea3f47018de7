"""Jet images against symmetries, numpy's histogram and convolutions written out."""

import math

import numpy as np
import pytest
import torch

from hepml_labs.physics.kinematics import boost, mass, pt
from hepml_labs.top_tagging.image_cnn import BRIGHTNESS, ImageCNN
from hepml_labs.top_tagging.images import centre, flip, jet_images, normalise, pixelate, rotate
from hepml_labs.top_tagging.inputs import momentum_shares, relative_angles


def narrow_jets(n=6, particles=12, seed=0, phi0=0.0, spread=0.15):
    """Massless constituents around an axis at (0.4, phi0), the last ones of odd jets missing."""
    generator = torch.Generator().manual_seed(seed)
    transverse = torch.rand(n, particles, generator=generator, dtype=torch.float64) * 50 + 1
    eta, phi = torch.randn(2, n, particles, generator=generator, dtype=torch.float64) * spread
    eta, phi = eta * 2 + 0.4, phi + phi0
    momenta = torch.stack([eta.cosh(), phi.cos(), phi.sin(), eta.sinh()], -1) * transverse[..., None]
    momenta[1::2, 9:] = 0
    return momenta


def prepared(momenta):
    angles, shares = relative_angles(momenta), momentum_shares(momenta)
    return centre(angles, shares), shares


def test_centre_and_rotate_leave_no_mean_and_no_covariance():
    angles, shares = prepared(narrow_jets())
    assert (shares[..., None] * angles).sum(1).abs().max() < 1e-14
    turned = rotate(angles, shares)
    covariance = torch.einsum("np,npi,npj->nij", shares, turned, turned)
    assert covariance[:, 0, 1].abs().max() < 1e-14
    assert (covariance[:, 1, 1] > covariance[:, 0, 0]).all()
    wanted = torch.linalg.eigvalsh(torch.einsum("np,npi,npj->nij", shares, angles, angles))
    torch.testing.assert_close(covariance.diagonal(dim1=1, dim2=2), wanted)
    # it is a rotation: no reflection, no change of a length
    cross = angles[:, 0, 0] * angles[:, 1, 1] - angles[:, 0, 1] * angles[:, 1, 0]
    torch.testing.assert_close(turned[:, 0, 0] * turned[:, 1, 1] - turned[:, 0, 1] * turned[:, 1, 0], cross)
    torch.testing.assert_close(turned.norm(dim=-1), angles.norm(dim=-1))


@pytest.mark.parametrize("jet", [[[0.0, 0.0]], [[0.2, 0.0], [-0.2, 0.0], [0.0, 0.2], [0.0, -0.2]]])
def test_rotate_leaves_a_jet_without_direction(jet):
    angles = torch.tensor([jet])
    shares = torch.full(angles.shape[:2], 1 / len(jet))
    assert torch.equal(rotate(angles, shares), angles)


def test_flip():
    angles, shares = prepared(narrow_jets())
    flipped = flip(angles, shares)
    assert torch.equal(flipped.abs(), angles.abs())
    assert ((shares[..., None] * flipped.sign()).sum(1) >= 0).all()
    for mirror in ([-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]):
        torch.testing.assert_close(flip(angles * angles.new_tensor(mirror), shares), flipped, rtol=0, atol=0)


def test_pixelate_is_numpys_histogram():
    angles, shares = prepared(narrow_jets(spread=0.4))
    images = pixelate(angles, shares, pixels=7, width=1.1)
    edges = np.linspace(-0.55, 0.55, 8)
    for image, (x, y), share in zip(images[:, 0], angles.transpose(1, 2), shares, strict=True):
        np.testing.assert_allclose(image, np.histogram2d(y, x, bins=(edges, edges), weights=share)[0], atol=1e-15)
    outside = (angles.abs() > 0.55).any(-1)
    assert outside.any()
    torch.testing.assert_close(images.sum((1, 2, 3)), (shares * ~outside).sum(1))
    torch.testing.assert_close(normalise(images).sum((1, 2, 3)), torch.ones(len(images), dtype=torch.float64))
    assert torch.equal(normalise(torch.zeros(1, 1, 3, 3)), torch.zeros(1, 1, 3, 3))


def test_images_know_no_direction_no_rapidity_and_no_order():
    momenta = narrow_jets()
    images = jet_images(momenta)
    assert images.shape == (6, 1, 40, 40) and images.dtype == torch.float64
    across = narrow_jets(phi0=math.pi)  # the same jets, half of each jet on the other side of the wrap
    torch.testing.assert_close(jet_images(across), images, rtol=0, atol=1e-12)
    along = boost(momenta, torch.tensor([0.0, 0.0, 0.7], dtype=torch.float64))
    torch.testing.assert_close(jet_images(along), images, rtol=0, atol=1e-12)
    mirrored = momenta * momenta.new_tensor([1.0, 1.0, -1.0, -1.0])
    torch.testing.assert_close(jet_images(mirrored), images, rtol=0, atol=1e-12)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(jet_images(momenta[:, order]), images, rtol=0, atol=1e-12)
    torch.testing.assert_close(jet_images(torch.nn.functional.pad(momenta, (0, 0, 3, 5))), images, rtol=0, atol=1e-12)
    torch.testing.assert_close(jet_images(3 * momenta), images, rtol=0, atol=1e-12)  # normalised: no scale
    assert jet_images(momenta.float()).dtype == torch.float32


def test_images_keep_the_mass_over_the_momentum():
    """m^2 = sum_{i<j} pT_i pT_j 2 (cosh deta - cos dphi) = pT^2 sum_{i<j} z_i z_j dR_ij^2 for a narrow jet."""
    momenta = narrow_jets(n=20, particles=30, spread=0.1)
    angles, shares = prepared(momenta)
    angles = flip(rotate(angles, shares), shares)
    spread = (shares * (angles**2).sum(-1)).sum(1)  # = sum_{i<j} z_i z_j dR_ij^2 around the centre
    jet = momenta.sum(1)
    torch.testing.assert_close(spread.sqrt(), mass(jet) / pt(momenta).sum(1), rtol=0.05, atol=0)


def test_bad_input_is_named():
    angles, shares = prepared(narrow_jets())
    with pytest.raises(ValueError, match="shares: found shape"):
        rotate(angles, shares[:, :5])
    with pytest.raises(ValueError, match="angles: found 1 of"):
        centre(torch.where(angles == angles[0, 0, 0], torch.nan, angles), shares)
    with pytest.raises(ValueError, match="pixels: found 0"):
        pixelate(angles, shares, pixels=0)
    with pytest.raises(ValueError, match="width: found -1"):
        pixelate(angles, shares, width=-1)
    with pytest.raises(ValueError, match="images: found shape"):
        normalise(torch.ones(2, 3))
    with pytest.raises(ValueError, match="channels: found 6 stages for 40 pixels"):
        ImageCNN(channels=(4,) * 6)
    with pytest.raises(ValueError, match="images: found shape"):
        ImageCNN()(torch.zeros(2, 1, 32, 32))


def test_network_is_the_written_out_sum():
    """Strided convolution, convolution, maximum and dense layer, with loops over pixels."""
    torch.manual_seed(0)
    network = ImageCNN(pixels=8, channels=(2, 3), hidden=5, outputs=2).double().eval()
    image = torch.rand(1, 1, 8, 8, dtype=torch.float64) / 64
    first, second = network.convolutions[0], network.convolutions[2]
    x = np.log1p(BRIGHTNESS * image[0].numpy())

    def convolve(x, layer, size, stride):
        weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
        padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
        side = (padded.shape[1] - size) // stride + 1
        out = np.empty((len(weight), side, side))
        for row in range(side):
            for column in range(side):
                patch = padded[:, stride * row : stride * row + size, stride * column : stride * column + size]
                out[:, row, column] = (weight * patch).sum((1, 2, 3)) + bias
        return out.clip(0)

    x = convolve(convolve(x, first, 4, 2), second, 3, 1)
    x = x.reshape(3, 2, 2, 2, 2).max((2, 4)).ravel()
    dense = [layer for layer in network.head if isinstance(layer, torch.nn.Linear)]
    weights = [(layer.weight.detach().numpy(), layer.bias.detach().numpy()) for layer in dense]
    wanted = weights[1][0] @ (weights[0][0] @ x + weights[0][1]).clip(0) + weights[1][1]
    np.testing.assert_allclose(network(image)[0].detach(), wanted, atol=1e-12)


def test_gradients_reach_every_parameter_and_meta_device():
    torch.manual_seed(0)
    network = ImageCNN()
    network(jet_images(narrow_jets().float())).sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in network.parameters())
    with torch.device("meta"):
        assert ImageCNN()(torch.empty(2, 1, 40, 40)).shape == (2, 1)
        assert jet_images(torch.empty(2, 5, 4)).device.type == "meta"
