"""Principal components against scikit-learn, and what decorrelation promises."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch import nn

from hepml_labs.top_tagging.disentangled import DisentangledClassifier, disentangled_loss
from hepml_labs.top_tagging.latent import correlations, linear_remainder, principal_components, tap
from hepml_labs.top_tagging.particle_net import ParticleNet
from hepml_labs.top_tagging.quark_gluon import KINDS, kind_features, species
from hepml_labs.training import fit, predict

RANDOM = np.random.default_rng(5)
DATA = RANDOM.normal(size=(300, 6)) @ RANDOM.normal(size=(6, 6)) + RANDOM.normal(size=6)


def test_principal_components_agree_with_scikit_learn():
    ours, peer = principal_components(DATA, components=4), PCA(n_components=4).fit(DATA)
    np.testing.assert_allclose(ours.variances, peer.explained_variance_)
    np.testing.assert_allclose(ours.shares, peer.explained_variance_ratio_)
    np.testing.assert_allclose(ours.mean, peer.mean_)
    signs = np.sign((ours.directions * peer.components_).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(ours.directions, signs * peer.components_, atol=1e-10)
    np.testing.assert_allclose(ours.transform(DATA), peer.transform(DATA) * signs[:, 0], atol=1e-10)


def test_components_are_uncorrelated_and_carry_their_variance():
    found = principal_components(DATA, components=6)
    covariance = np.cov(found.transform(DATA), rowvar=False)
    np.testing.assert_allclose(covariance, np.diag(found.variances), atol=1e-10)
    assert found.shares.sum() == pytest.approx(1)
    assert (np.take_along_axis(found.directions, np.abs(found.directions).argmax(1)[:, None], axis=1) > 0).all()


def test_a_rotated_cloud_has_rotated_components():
    turn = np.linalg.qr(RANDOM.normal(size=(6, 6)))[0]
    np.testing.assert_allclose(principal_components(DATA @ turn).variances, principal_components(DATA).variances)


def test_correlations_agree_with_numpy():
    x, y = DATA[:, :2], DATA[:, 2:]
    np.testing.assert_allclose(correlations(x, y), np.corrcoef(DATA, rowvar=False)[:2, 2:])


def test_remainder_is_uncorrelated_and_nothing_more():
    known, other = DATA[:, :2], RANDOM.normal(size=300)
    target = known @ [2.0, -3.0] + 7 + other
    left = linear_remainder(target, known)
    np.testing.assert_allclose(correlations(left[:, None], known), 0, atol=1e-12)
    assert np.corrcoef(left, other)[0, 1] > 0.99
    assert correlations(linear_remainder(known[:, 0] ** 2, known)[:, None], known[:, :1] ** 2)[0, 0] > 0.5
    np.testing.assert_allclose(linear_remainder(DATA[:, 3:5], known)[:, 1], linear_remainder(DATA[:, 4], known))


def jets(n, seed):
    torch.manual_seed(seed)
    mask = torch.arange(15) < torch.randint(3, 16, (n, 1))
    return torch.randn(n, 15, 2), torch.randn(n, 15, 7), mask


def test_tap_of_particle_net_leads_to_its_output():
    network, inputs = ParticleNet.lite(), jets(40, seed=1)
    hidden = tap(network, network.head[1], *inputs, batch_size=16)
    assert hidden.shape == (40, 128) and (hidden >= 0).all()
    with torch.no_grad():
        output = network.eval().head[3](torch.from_numpy(hidden))  # in evaluation the dropout between them is idle
    torch.testing.assert_close(output, predict(network, *inputs, batch_size=40), rtol=1e-4, atol=1e-5)


class Sorted(nn.Module):
    """A network that sorts its events and puts only its output back."""

    def __init__(self):
        super().__init__()
        self.inner, self.outer = nn.Linear(2, 3), nn.Linear(3, 1)

    def forward(self, x):
        order = x[:, 0].argsort()
        return self.outer(self.inner(x[order]))[order.argsort()]


def test_tap_refuses_rows_that_are_not_the_events():
    network, x = Sorted(), torch.randn(50, 2)
    with pytest.raises(ValueError, match="order of the events"):
        tap(network, network.inner, x)
    particle_net, inputs = ParticleNet.lite(), jets(20, seed=2)
    with pytest.raises(ValueError, match="one per event"):
        tap(particle_net, particle_net.convolutions[0], *inputs)
    with pytest.raises(ValueError, match="module of the network"):
        tap(network, nn.Linear(2, 3), x)


def test_disentangled_loss_by_hand():
    torch.manual_seed(0)
    x, reconstruction, latent = torch.randn(8, 3), torch.randn(8, 3), torch.randn(8, 2)
    logits, label = torch.randn(8, 1), torch.randint(0, 2, (8,)).float()
    p = torch.sigmoid(logits[:, 0])
    # minus the logarithm of the probability of the label: a good classifier has a small loss
    separation = -(label * p.log() + (1 - label) * (1 - p).log()).mean()
    covariance = np.cov(latent.numpy(), rowvar=False, bias=True)[0, 1]
    expected = ((x - reconstruction) ** 2).mean() + 2 * separation + 5 * 2 * covariance**2
    found = disentangled_loss(x, label, latent, reconstruction, logits, class_weight=2, disentangle_weight=5)
    torch.testing.assert_close(found, expected.float())


def test_latent_numbers_have_unit_width_and_every_weight_a_gradient():
    torch.manual_seed(0)
    network, x = DisentangledClassifier(inputs=6, latent=3), torch.randn(64, 6)
    latent, reconstruction, logits = network(x)
    torch.testing.assert_close(latent.mean(0), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(latent.var(0, correction=0), torch.ones(3), atol=1e-2, rtol=0)
    disentangled_loss(x, torch.ones(64), latent, reconstruction, logits).backward()
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    # normalisation takes off the mean, so the last shift of the encoder changes nothing
    assert all(gradient.abs().sum() > 0 for name, gradient in gradients.items() if not name.endswith("0.6.bias"))


def trained(weight):
    """Two latent numbers for data that lie in a plane, with a label in one direction of it."""
    random = np.random.default_rng(1)
    plane = random.normal(size=(1500, 2)) @ np.array([[1.0, 0.8], [0.0, 0.6]])
    x = torch.tensor(plane @ random.normal(size=(2, 5)), dtype=torch.float32)
    y = torch.tensor(plane[:, 0] + 0.3 * random.normal(size=1500) > 0, dtype=torch.float32)
    torch.manual_seed(0)
    network = DisentangledClassifier(inputs=5, latent=2, hidden=(16,), head=())

    def loss(model, x, y):
        return disentangled_loss(x, y, *model(x), disentangle_weight=weight)

    fit(network, loss, (x, y), epochs=15, batch_size=250, learning_rate=1e-2, progress=False)
    latent, reconstruction, logits = predict(network, x)
    accuracy = ((logits[:, 0] > 0) == (y > 0)).float().mean().item()
    return abs(np.corrcoef(latent.numpy(), rowvar=False)[0, 1]), (x - reconstruction).var() / x.var(), accuracy


def test_training_disentangles():
    free, _, _ = trained(0.0)
    correlation, lost, accuracy = trained(1.0)
    assert correlation < 0.1 < free
    assert lost < 0.1 and accuracy > 0.85


def test_kinds():
    pid = np.array([[22, 11, -13, 321, -211, 2212, -2112, 130, 0]], dtype=np.int16)
    assert species(pid).tolist() == [[1, -2, 3, 4, -4, 4, 5, 5, 0]]
    features = kind_features(pid)[0]
    assert features.shape == (9, len(KINDS))
    assert features[:, :5].sum(1).tolist() == [1] * 8 + [0]  # one kind each, none for padding
    assert features[:, 5].tolist() == [0, -1, 1, 1, -1, 1, 0, 0, 0]


def test_bad_input():
    for call in (
        lambda: principal_components(DATA, components=7),
        lambda: principal_components(np.ones((5, 3)), components=1),
        lambda: correlations(DATA, DATA[:5]),
        lambda: correlations(DATA, np.ones((300, 1))),
        lambda: linear_remainder(DATA, DATA[:5]),
        lambda: species(np.ones(3)),
    ):
        with pytest.raises(ValueError, match=r"components|x:|y:|known|pid"):
            call()
