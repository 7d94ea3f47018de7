"""Autoencoders of jet images and of constituents."""

import numpy as np
import pytest
import torch

from hepml_labs.anomaly.constituent_autoencoder import ConstituentAutoencoder, SetAutoencoder, energy_distance
from hepml_labs.anomaly.jet_autoencoder import ConvolutionalAutoencoder, ImageAutoencoder
from hepml_labs.anomaly.principal_components import principal_directions, residuals
from hepml_labs.datasets import load
from hepml_labs.evaluation import area_under_curve
from hepml_labs.top_tagging.images import jet_images


def draw(jets, particles, seed, padded=0):
    """Angles and shares of random jets, with padding at the end."""
    generator = torch.Generator().manual_seed(seed)
    angles = torch.randn(jets, particles, 2, generator=generator, dtype=torch.float64)
    shares = torch.rand(jets, particles, generator=generator, dtype=torch.float64)
    if padded:
        shares[:, -padded:] = 0
    return angles, shares / shares.sum(1, keepdim=True)


def test_energy_distance_of_shifted_points():
    """Two jets of one particle each: twice their distance. A jet and itself: zero."""
    one = torch.zeros(3, 1, 2), torch.ones(3, 1)
    other = torch.tensor([[[0.0, 0.0]], [[3.0, 4.0]], [[0.0, -0.1]]]), torch.ones(3, 1)
    torch.testing.assert_close(energy_distance(*one, *other), torch.tensor([0.0, 10.0, 0.2]))
    jets = draw(4, 6, seed=1)
    torch.testing.assert_close(energy_distance(*jets, *jets), torch.zeros(4, dtype=torch.float64))


def test_energy_distance_in_one_dimension_is_cramers():
    """On a line it is twice the integral of the squared difference of the cumulative momenta."""
    (angles, shares), (points, weights) = draw(1, 7, seed=2), draw(1, 4, seed=3)
    angles[..., 1] = points[..., 1] = 0
    grid = np.linspace(-6, 6, 200_001)
    first, second = (
        (weight[0].numpy() * (grid[:, None] >= place[0, :, 0].numpy())).sum(1)
        for place, weight in ((angles, shares), (points, weights))
    )
    expected = 2 * np.trapezoid((first - second) ** 2, grid)
    assert float(energy_distance(angles, shares, points, weights)[0]) == pytest.approx(expected, rel=1e-3)


def test_error_and_code_are_safe_under_splitting_and_soft_particles():
    angles, shares = draw(5, 6, seed=4)
    order = torch.tensor([3, 1, 0, 5, 2, 4])
    split = torch.cat([angles[:, order], angles[:, :1]], 1), torch.cat([shares[:, order], 0.3 * shares[:, :1]], 1)
    split[1][:, 2] *= 0.7  # the particle that was cut in two
    soft = (
        torch.cat([angles, torch.full((5, 1, 2), 9.0, dtype=torch.float64)], 1),
        torch.nn.functional.pad(shares, (0, 1)),
    )
    torch.manual_seed(0)
    network = SetAutoencoder(latent=3, particles=4).double()
    reference = network(angles, shares)
    for changed in (split, soft):
        torch.testing.assert_close(network(*changed), reference)
        other = draw(5, 3, seed=5)
        torch.testing.assert_close(energy_distance(*changed, *other), energy_distance(angles, shares, *other))


def test_gradient_is_finite_where_points_meet():
    angles, shares = draw(2, 3, seed=6)
    points = angles.clone().requires_grad_()
    energy_distance(angles, shares, points, shares).sum().backward()
    assert torch.isfinite(points.grad).all()


def test_networks_keep_shapes_and_use_every_parameter():
    images = torch.rand(3, 1, 16, 16)
    network = ConvolutionalAutoencoder(pixels=16, latent=2)
    assert network(images).shape == images.shape and network.encoder(images).shape == (3, 2)
    network(images).square().sum().backward()
    angles, shares = draw(3, 5, seed=7)
    sets = SetAutoencoder(latent=2, particles=4).double()
    energy_distance(angles, shares, *sets(angles, shares)).sum().backward()
    for model in (network, sets):
        assert all(parameter.grad.abs().sum() > 0 for parameter in model.parameters())


def test_image_error_does_not_depend_on_the_unit():
    images = torch.rand(64, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    scores = [ImageAutoencoder(latent=1, epochs=1).fit(k * images).score_samples(k * images) for k in (1.0, 64.0)]
    np.testing.assert_allclose(*scores, rtol=1e-4)
    untrained = ((images / (images**2).sum((1, 2, 3)).mean().sqrt()) ** 2).sum((1, 2, 3))
    assert untrained.mean() == pytest.approx(1, rel=1e-5)


@pytest.fixture(scope="module")
def jets():
    data = load("top_tagging", "train", n=3000)
    return torch.as_tensor(data["constituents"]), np.asarray(data["is_top"])


def test_complexity_bias(jets):
    """arXiv:2104.09051: trained on QCD the error finds tops; trained on tops it does not find QCD."""
    momenta, is_top = jets
    images = jet_images(momenta, pixels=20) ** 0.5
    flat = images.flatten(1).numpy()
    network, linear = {}, {}
    for kind in (0, 1):
        chosen, unlike = is_top[:2000] == kind, is_top[2000:] != kind
        detector = ImageAutoencoder(latent=6, epochs=3, batch_size=32, learning_rate=0.01)
        detector.fit(images[:2000][torch.as_tensor(chosen)])
        network[kind] = area_under_curve(unlike, detector.score_samples(images[2000:])).value
        mean, _, directions = principal_directions(flat[:2000][chosen])
        linear[kind] = area_under_curve(unlike, residuals(flat[2000:], mean, directions, latent=20)).value
    assert network[0] > 0.87 and network[1] < 0.6
    assert linear[0] > 0.9 and linear[1] < 0.4


def test_constituents_find_tops(jets):
    momenta, is_top = jets
    learned = momenta[:2000][torch.as_tensor(is_top[:2000] == 0)]
    detector = ConstituentAutoencoder(latent=4, epochs=4, batch_size=32, leading=20).fit(learned)
    score = detector.score_samples(momenta[2000:])
    assert (score > -1e-6).all()
    assert area_under_curve(is_top[2000:], score).value > 0.7


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: ConvolutionalAutoencoder(pixels=18), "pixels"),
        (lambda: ConvolutionalAutoencoder(latent=0), "latent"),
        (lambda: ConvolutionalAutoencoder(pixels=20)(torch.zeros(2, 1, 16, 16)), "images"),
        (lambda: ImageAutoencoder().fit(torch.zeros(4, 1, 8, 8)), "images"),
        (lambda: ImageAutoencoder().fit(torch.full((4, 1, 8, 8), torch.nan)), "images"),
        (lambda: ConstituentAutoencoder(leading=0).fit(torch.ones(4, 3, 4)), "leading"),
        (lambda: ConstituentAutoencoder().fit(torch.ones(4, 3, 3)), "momenta"),
        (lambda: SetAutoencoder(particles=0), "particles"),
        (lambda: energy_distance(*draw(2, 3, 1), *draw(2, 3, 1)[:1], torch.ones(2, 4)), "weights"),
    ],
)
def test_bad_input_is_named(call, name):
    with pytest.raises(ValueError, match=f"^{name}"):
        call()
