"""The autoencoder against models that are solved on paper, and against scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA, FactorAnalysis

from hepml_labs.diffusion.vae import VAE
from hepml_labs.diffusion.variational import VariationalAutoencoder, kl_to_standard_normal, reparametrise


@pytest.fixture
def linear():
    """A linear model with orthogonal columns W and noise s, its encoder set to the posterior, and its density."""
    model = VariationalAutoencoder(4, latent=2, hidden=(), noise="shared").double()
    random = np.random.default_rng(1)
    w = np.linalg.qr(random.normal(size=(4, 2)))[0] * [2.0, 0.7]
    offset, noise = random.normal(size=4), 0.5
    width = (w**2).sum(0) + noise**2
    with torch.no_grad():
        model.decoder[0].weight.copy_(torch.tensor(w))
        model.decoder[0].bias.copy_(torch.tensor(offset))
        model.log_noise.fill_(np.log(noise))
        encoder = model.encoder[0]
        encoder.weight.zero_()
        encoder.weight[:2] = torch.tensor(w.T / width[:, None])
        encoder.bias[:2] = torch.tensor(-(w.T @ offset) / width)
        encoder.bias[2:] = torch.tensor(np.log(noise / np.sqrt(width)))
    density = torch.distributions.MultivariateNormal(torch.tensor(offset), torch.tensor(w @ w.T + noise**2 * np.eye(4)))
    return model, density


def test_divergence_and_reparametrisation():
    mean, log_sigma, noise = torch.randn(3, 5, 2, dtype=torch.float64)
    normal = torch.distributions.Normal(mean, log_sigma.exp())
    expected = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0.0, 1.0))
    torch.testing.assert_close(kl_to_standard_normal(mean, log_sigma), expected)
    torch.testing.assert_close(reparametrise(mean, log_sigma, noise), mean + normal.scale * noise)


def test_bounds_are_exact_for_the_exact_posterior(linear):
    """Each importance weight is then p(x), whatever the draw; the evidence bound is exact on average."""
    model, density = linear
    x = density.sample((6,)) * 1.5
    with torch.no_grad():
        torch.testing.assert_close(model.importance_bound(x, draws=3), density.log_prob(x))
        many = model(x.repeat_interleave(20_000, 0), generator=torch.Generator().manual_seed(1)).reshape(6, -1)
    deviation = (many.mean(1) - density.log_prob(x)) / (many.std(1) / 20_000**0.5)
    assert deviation.abs().max() < 4


def test_evidence_bound_is_low_by_the_divergence_from_the_posterior(linear):
    model, density = linear
    x = density.sample((1,)).expand(40_000, 4)
    with torch.no_grad():
        posterior = torch.distributions.Normal(model.encode(x)[0][0], model.encode(x)[1][0].exp())
        model.encoder[0].bias += torch.tensor([0.3, -0.5, 0.4, -0.6])
        proposal = torch.distributions.Normal(model.encode(x)[0][0], model.encode(x)[1][0].exp())
        bound = model(x, generator=torch.Generator().manual_seed(2))
        better = model.importance_bound(x[:2000], draws=20, generator=torch.Generator().manual_seed(3))
    gap = torch.distributions.kl_divergence(proposal, posterior).sum()
    exact = density.log_prob(x[0])
    assert gap > 0.3
    assert abs(bound.mean() - (exact - gap)) < 4 * bound.std() / 200
    assert bound.mean() + 0.2 < better.mean() < exact


@pytest.mark.parametrize("noise", ["shared", "feature"])
def test_linear_autoencoder_reaches_the_likelihood_of_its_closed_form(noise):
    random = np.random.default_rng(3)
    x = random.normal(size=(4000, 2)) @ random.normal(size=(2, 5)) + random.normal(size=(4000, 5)) * 0.6
    x = (x - x.mean(0)) / x.std(0)  # principal components, unlike factors, depend on the units
    peer = PCA(2) if noise == "shared" else FactorAnalysis(2)
    estimator = VAE(latent=2, hidden=(), noise=noise, epochs=40, batch_size=200, learning_rate=0.03).fit(x)
    found, best = estimator.score_samples(x, draws=50).mean(), peer.fit(x).score(x)
    assert best - 0.02 < found < best + 0.005
    np.testing.assert_allclose(np.cov(estimator.sample(20_000, seed=1).T), peer.get_covariance(), atol=0.08)


def test_units_types_seeds_and_codes():
    x = np.random.default_rng(0).normal([100.0, 0.0], [10.0, 0.1], size=(1500, 2)).astype(np.float32)
    estimator = VAE(latent=1, hidden=(8,), epochs=4).fit(x)
    first = estimator.sample(500, seed=1)
    assert first.dtype == np.float32 and np.array_equal(first, estimator.sample(500, seed=1))
    assert not np.array_equal(first, estimator.sample(500, seed=2))
    assert abs(first[:, 0].mean() - 100) < 3 and 7 < first[:, 0].std() < 13
    mean, width = estimator.encode(x)
    assert mean.shape == width.shape == (1500, 1) and mean.dtype == np.float32 and (width > 0).all()
    assert estimator.decode(mean).shape == x.shape
    shifted = VAE(latent=1, hidden=(8,), epochs=4).fit(1000 * x.astype(np.float64))
    change = shifted.score_samples(1000 * x[:100].astype(np.float64)) - estimator.score_samples(x[:100])
    np.testing.assert_allclose(change, -2 * np.log(1000), atol=0.05)  # a density has units


def test_context_and_weights():
    random = np.random.default_rng(0)
    context = random.uniform(-1, 1, size=(3000, 1))
    x = np.hstack([3 * context, -context]) + 0.2 * random.normal(size=(3000, 2))
    estimator = VAE(latent=1, hidden=(16,), epochs=15, learning_rate=1e-2).fit(x, context=context)
    drawn = estimator.sample(context=np.full((2000, 1), 0.5), seed=1)
    np.testing.assert_allclose(drawn.mean(0), [1.5, -0.5], atol=0.15)
    weight = np.where(x[:, 0] > 0, 9.0, 1.0)
    weighted = VAE(latent=1, hidden=(16,), epochs=15, learning_rate=1e-2).fit(x, sample_weight=weight)
    # 0.9 in the data, a little less behind the blur of the edge at zero; 0.5 if the weights were ignored
    assert 0.7 < (weighted.sample(4000, seed=1)[:, 0] > 0).mean() < 0.95


def test_a_high_price_empties_the_code():
    x = np.random.default_rng(0).normal(size=(1000, 1)) * [1.0, 1.0] + 0.1
    cheap, dear = (VAE(beta=beta, latent=1, hidden=(8,), epochs=25, learning_rate=2e-2).fit(x) for beta in (1.0, 50.0))
    assert np.abs(cheap.encode(x)[0]).std() > 0.3
    assert np.abs(dear.encode(x)[0]).max() < 0.2


def test_meta_device_and_gradients():
    with torch.device("meta"):
        model = VariationalAutoencoder(3, latent=2, context=1)
        assert model(torch.zeros(5, 3), torch.zeros(5, 1)).shape == (5,)
        assert model.importance_bound(torch.zeros(5, 3), torch.zeros(5, 1), draws=4).shape == (5,)
    model = VariationalAutoencoder(3)
    model(torch.randn(10, 3)).sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in model.parameters())


@pytest.mark.parametrize(
    ("options", "given", "match"),
    [
        ({"noise": "none"}, {}, "noise"),
        ({"beta": -1.0}, {}, "beta"),
        ({}, {"x": np.full((50, 2), np.nan)}, "x"),
        ({}, {"context": np.ones((3, 1))}, "context"),
        ({}, {"sample_weight": -np.ones(50)}, "sample_weight"),
        ({}, {"validation": 1.5}, "validation"),
    ],
)
def test_bad_input(options, given, match):
    with pytest.raises(ValueError, match=match):
        VAE(epochs=1, **options).fit(**{"x": np.random.default_rng(0).normal(size=(50, 2)), **given})
