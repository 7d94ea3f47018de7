"""The dense autoencoder, its closed form, and the scores of the variational one."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.decomposition import PCA

from hepml_labs.anomaly.autoencoder import Autoencoder
from hepml_labs.anomaly.latent_score import SCORES, LatentScore, surprise_in
from hepml_labs.anomaly.principal_components import PrincipalComponents, principal_directions, residuals
from hepml_labs.anomaly.regions import Regions
from hepml_labs.diffusion.vae import VAE

REGIONS = Regions()


@pytest.fixture(scope="module")
def sample():
    """Four correlated features of different widths, off the origin, and masses over all regions."""
    random = np.random.default_rng(3)
    mixing = np.array([[1.0, 0.9, 0.3, 0.0], [0.0, 0.6, 0.5, 0.1], [0.0, 0.0, 0.3, 0.2], [0.0, 0.0, 0.0, 0.15]])
    features = random.normal(size=(4000, 4)) @ mixing * [100.0, 5.0, 0.1, 1.0] + [300.0, 0.0, 0.5, -2.0]
    return features, random.uniform(2600.0, 5900.0, 4000)


@pytest.mark.parametrize("latent", [0, 1, 3, 4])
def test_principal_components_agree_with_scikit_learn(sample, latent):
    features, mass = sample
    side = REGIONS.sideband(mass)
    scaled = (features - features[side].mean(0)) / features[side].std(0)
    score = PrincipalComponents(latent).fit(features, mass, REGIONS).score_samples(features, mass)
    if latent == 0:
        expected = (scaled**2).sum(1)
    else:
        peer = PCA(latent).fit(scaled[side])
        expected = ((scaled - peer.inverse_transform(peer.transform(scaled))) ** 2).sum(1)
    np.testing.assert_allclose(score, expected, rtol=1e-7, atol=1e-9)


def test_mean_residual_is_the_variance_left_out(sample):
    features, _ = sample
    mean, variance, directions = principal_directions(features)
    for latent in range(5):
        found = residuals(features, mean, directions, latent).mean()
        assert found == pytest.approx(variance[latent:].sum(), abs=1e-8 * variance.sum())


def test_no_plane_does_better_than_the_variance_left_out(sample):
    """The bound of the page: a plane found on *another* sample leaves at least the smallest variances of this one."""
    features, _ = sample
    _, variance, _ = principal_directions(features)
    random = np.random.default_rng(5)
    for latent in (1, 2, 3):
        directions = np.linalg.qr(random.normal(size=(4, 4)))[0]
        elsewhere = features.mean(0) + random.normal(size=4)
        assert residuals(features, elsewhere, directions, latent).mean() > variance[latent:].sum()


def test_linear_network_finds_the_principal_plane(sample):
    """Baldi and Hornik 1989: the only minimum of the linear autoencoder is the closed form."""
    features, mass = sample
    exact = PrincipalComponents(latent=2).fit(features, mass, REGIONS)
    linear = Autoencoder(latent=2, hidden=(), epochs=12, batch_size=64, learning_rate=1e-2)
    linear.fit(features, mass, REGIONS)
    found, expected = (detector.score_samples(features, mass) for detector in (linear, exact))
    assert found.mean() == pytest.approx(expected.mean(), rel=0.02)  # it saw four fifths of the sidebands
    assert np.corrcoef(found, expected)[0, 1] > 0.995
    product = (linear.network_.decoder[0].weight @ linear.network_.encoder[0].weight).detach().numpy()
    projector = exact.directions_[:2].T @ exact.directions_[:2]
    # where the data hardly vary the map is hardly determined: compare what it does with one standard deviation
    axes = exact.directions_.T * np.sqrt(exact.variance_)
    np.testing.assert_allclose(product @ axes, projector @ axes, atol=0.05)


def test_bend_beats_plane():
    """A circle has no one-dimensional plane, but a one-dimensional arc that networks find and components cannot."""
    random = np.random.default_rng(1)
    angle = random.uniform(0.0, 4.0, 4000)
    arc = np.column_stack([np.cos(angle), np.sin(angle)]) + 0.01 * random.normal(size=(4000, 2))
    mass = random.uniform(2600.0, 5900.0, 4000)
    detector = Autoencoder(latent=1, hidden=(32, 32), epochs=12, batch_size=128).fit(arc, mass, REGIONS)
    plane = PrincipalComponents(latent=1).fit(arc, mass, REGIONS)
    bent, flat = (d.score_samples(arc, mass).mean() for d in (detector, plane))
    assert bent < 0.1 * flat
    assert detector.score_samples(np.zeros((1, 2)), mass[:1]) > 10 * bent


def test_signal_in_the_window_changes_nothing(sample):
    """The detectors learn from the sidebands alone."""
    features, mass = sample
    other = features.copy()
    other[REGIONS.inside(mass)] += 1000.0
    for detector in (PrincipalComponents(1), Autoencoder(latent=1, hidden=(8,), epochs=1), LatentScore(epochs=1)):
        scores = [
            clone(detector).fit(table, mass, REGIONS).score_samples(features[:50], mass[:50])
            for table in (features, other)
        ]
        np.testing.assert_array_equal(*scores)


def test_seeds_and_types(sample):
    features, mass = (column[:500].astype(np.float32) for column in sample)
    scores = [
        Autoencoder(latent=1, hidden=(8,), epochs=1, seed=seed)
        .fit(features, mass, REGIONS)
        .score_samples(features, mass)
        for seed in (1, 1, 2)
    ]
    assert scores[0].dtype == np.float32
    np.testing.assert_array_equal(scores[0], scores[1])
    assert np.abs(scores[0] - scores[2]).max() > 1e-3


def test_latent_scores_by_hand(sample):
    """Divergence, radius and reconstruction from what the VAE says of its code; surprise from its density."""
    features, mass = (column[:1000] for column in sample)
    detector = LatentScore(vae=VAE(latent=2, hidden=(16,), epochs=3)).fit(features, mass, REGIONS)
    mean, sigma = detector.vae_.encode(features)
    prior = torch.distributions.Normal(torch.zeros(2, dtype=torch.float64), 1.0)
    posterior = torch.distributions.Normal(torch.tensor(mean), torch.tensor(sigma))
    width = features[REGIONS.sideband(mass)].std(0)
    expected = {
        "divergence": torch.distributions.kl_divergence(posterior, prior).sum(1).numpy(),
        "radius": (mean**2).sum(1),
        "reconstruction": (((features - detector.vae_.decode(mean)) / width) ** 2).sum(1),
        "surprise": -detector.vae_.score_samples(features, draws=20),
    }
    assert set(expected) == set(SCORES)
    for name, value in expected.items():
        found = detector.set_params(score=name).score_samples(features, mass)
        # the VAE's own scale comes from four fifths of the sidebands
        tolerance = 0.1 if name == "reconstruction" else 1e-5
        np.testing.assert_allclose(found, value, rtol=tolerance, err_msg=name)


def test_surprise_follows_the_coordinates():
    """Exponential masses: in m the largest are the most surprising, in the rank none is, in exp(-2 m) the smallest."""
    mass = np.linspace(0.1, 5.0, 50)
    surprise = mass  # -log exp(-m)
    flat = surprise_in(surprise, -mass)  # y = 1 - exp(-m), dy/dm = exp(-m)
    np.testing.assert_allclose(flat, 0, atol=1e-12)
    reversed_order = surprise_in(surprise, np.log(2) - 2 * mass)  # y = exp(-2 m)
    assert surprise.argmax() == 49 and reversed_order.argmax() == 0


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda x, m: Autoencoder(latent=0).fit(x, m, REGIONS), "latent"),
        (lambda x, m: Autoencoder(validation_fraction=1.0).fit(x, m, REGIONS), "validation_fraction"),
        (lambda x, m: Autoencoder(seed=-1).fit(x, m, REGIONS), "seed"),
        (lambda x, m: PrincipalComponents(latent=1.5).fit(x, m, REGIONS), "latent"),
        (lambda x, m: PrincipalComponents(latent=9).fit(x, m, REGIONS).score_samples(x, m), "latent"),
        (lambda x, m: LatentScore(score="energy").fit(x, m, REGIONS), "score"),
        (lambda x, m: principal_directions(x[:1]), "x"),
        (lambda x, m: surprise_in(m, m[:-1]), "log_jacobian"),
    ],
)
def test_bad_options_are_named(sample, call, name):
    with pytest.raises(ValueError, match=f"^{name}"):
        call(*(column[:200] for column in sample))
