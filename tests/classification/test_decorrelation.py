"""Adversary, planing and conditional rank, each against a problem whose answer is known."""

import numpy as np
import pytest
import torch
from scipy.stats import norm

from hepml_labs.classification.decorrelation import (
    AdversarialClassifier,
    ConditionalRank,
    adversary_loss,
    planing_weights,
    reverse_gradient,
)
from hepml_labs.classification.logistic import LogisticRegression
from hepml_labs.classification.losses import binary_cross_entropy
from hepml_labs.evaluation import area_under_curve
from hepml_labs.nn import MLP
from hepml_labs.training import fit

SHIFT = np.array([1.5, 1.0])  # of the signal, in the protected variable m and in u, which are independent


def gaussians(n, seed):
    """Return label, m, u and the observed pair (m, x) with x correlated with m."""
    label = np.arange(n) % 2
    z = np.random.default_rng(seed).normal(size=(n, 2)) + label[:, None] * SHIFT
    return label, z, z @ np.array([[1.0, 0.6], [0.0, 0.8]])


def test_gradient_is_reversed_and_value_kept():
    x = torch.randn(5, requires_grad=True)
    y = reverse_gradient(x, 0.7)
    assert torch.equal(y, x)
    (y**3).sum().backward()
    assert torch.allclose(x.grad, -0.7 * 3 * x.detach() ** 2)


def test_classifier_and_adversary_pull_in_opposite_directions():
    torch.manual_seed(0)
    x, label, index = torch.randn(64, 3), torch.zeros(64), torch.arange(64) % 4
    gradients = {}
    for strength in (-1.0, 2.0):
        torch.manual_seed(1)
        model = AdversarialClassifier(MLP(3, 1), slices=4)
        model.strength = strength  # minus one undoes the reversal
        (adversary_loss(model, x, label, index) - binary_cross_entropy(model(x).squeeze(-1), label)).backward()
        gradients[strength] = [
            p.grad.clone() for part in (model.classifier, model.adversary) for p in part.parameters()
        ]
    own = len(list(model.classifier.parameters()))
    for plain, turned in zip(gradients[-1.0][:own], gradients[2.0][:own], strict=True):
        assert torch.allclose(turned, -2 * plain, atol=1e-6)
    for plain, turned in zip(gradients[-1.0][own:], gradients[2.0][own:], strict=True):
        assert torch.equal(plain, turned)


def test_adversary_leaves_the_information_that_is_not_in_the_mass():
    """The best score of correlation c with the mass has separation c 1.5 + sqrt(1 - c^2) 1 (page "Decorrelation")."""
    label, z, x = gaussians(8000, 2)
    edges = np.quantile(z[label == 0, 0], np.linspace(0, 1, 9)[1:-1])
    torch.manual_seed(0)
    model = AdversarialClassifier(MLP(2, 1, hidden=(16,)), slices=8, strength=0.0)
    tensors = (torch.tensor(x).float(), torch.tensor(label).float(), torch.tensor(np.searchsorted(edges, z[:, 0])))

    def optimizer(_):
        return torch.optim.AdamW(model.parameter_groups(5e-3), weight_decay=0.0)

    for model.strength, epochs in ((0.0, 5), (10.0, 20)):  # it must know the classes before the game begins
        train = tuple(tensor[:6000] for tensor in tensors)
        fit(model, adversary_loss, train, epochs=epochs, batch_size=256, optimizer=optimizer, progress=False)
    score = model(tensors[0][6000:]).detach().numpy()[:, 0]
    background = label[6000:] == 0
    correlation = np.corrcoef(score[background], z[6000:, 0][background])[0, 1]
    assert abs(correlation) < 0.2
    best = correlation * SHIFT[0] + np.sqrt(1 - correlation**2) * SHIFT[1]
    assert area_under_curve(label[6000:], score).value == pytest.approx(norm.cdf(best / np.sqrt(2)), abs=0.03)


def test_blind_adversary_costs_the_logarithm_of_the_slices():
    model = AdversarialClassifier(MLP(2, 1), slices=8)
    for parameter in model.adversary.parameters():
        torch.nn.init.zeros_(parameter)
    x, label = torch.randn(80, 2), torch.zeros(80)
    penalty = adversary_loss(model, x, label, torch.arange(80) % 8) - binary_cross_entropy(model(x)[:, 0], label)
    assert float(penalty) == pytest.approx(np.log(8), rel=1e-5)
    assert all(torch.isfinite(p).all() for p in model.parameters())


def test_planed_mass_is_flat_in_each_class():
    random = np.random.default_rng(1)
    mass, label = random.exponential(80, size=5000), np.arange(5000) % 2
    edges = np.array([10.0, 30.0, 60.0, 100.0, 200.0])
    weight = planing_weights(mass, label, edges)
    for one in (0, 1):
        density = np.histogram(mass[label == one], edges, weights=weight[label == one])[0] / np.diff(edges)
        assert density == pytest.approx(np.full(4, density[0]))
        assert weight[label == one].mean() == pytest.approx(1)
    assert (weight[(mass < 10) | (mass >= 200)] == 0).all() and (weight[(mass >= 10) & (mass < 200)] > 0).all()
    limited = planing_weights(mass, label, edges, maximum=2.0)
    assert limited.max() / limited.mean() < weight.max() / weight.mean()
    assert limited[label == 0].mean() == pytest.approx(1)


def test_planed_training_estimates_the_conditional_ratio():
    """Equal covariances: log p_S(x|m) / p_B(x|m) = u - 1/2 with u = (x - 0.6 m) / 0.8, without any term in p(m)."""
    label, z, x = gaussians(40_000, 4)
    edges = np.linspace(-1, 2.5, 29)
    weight = planing_weights(z[:, 0], label, edges)
    model = LogisticRegression().fit(x, label, sample_weight=weight)
    # the signal's x for given m is shifted: u has mean one
    expected = z[:, 1] - 0.5
    found = model.decision_function(x)
    chosen = weight > 0
    assert np.sqrt(np.mean((found - expected)[chosen] ** 2)) < 0.15
    plain = LogisticRegression().fit(x, label).decision_function(x)
    assert np.sqrt(np.mean((plain - expected)[chosen] ** 2)) > 0.8


def test_rank_is_the_conditional_distribution_function():
    random = np.random.default_rng(7)
    mass = random.uniform(0, 1, size=60_000)
    width = 0.5 + mass
    score = 4 * mass**2 + width * random.normal(size=60_000)
    rank = ConditionalRank(1000).fit(score[:40_000], mass[:40_000]).predict(score[40_000:], mass[40_000:])
    exact = norm.cdf((score - 4 * mass**2) / width)[40_000:]
    inside = (mass[40_000:] > 0.05) & (mass[40_000:] < 0.95)
    assert np.abs(rank - exact)[inside].max() < 0.1
    for low in (0.1, 0.4, 0.8):  # flat in each slice
        here = rank[(mass[40_000:] > low) & (mass[40_000:] < low + 0.1)]
        assert np.mean(here > 0.9) == pytest.approx(0.1, abs=0.03)


def test_rank_of_the_best_score_is_the_best_decorrelated_score():
    label, z, _ = gaussians(60_000, 5)
    ratio = z @ SHIFT  # the exact log ratio of m and u together, up to a constant
    background = np.flatnonzero(label[:40_000] == 0)
    rank = ConditionalRank(400).fit(ratio[background], z[background, 0]).predict(ratio[40_000:], z[40_000:, 0])
    populated = np.abs(z[40_000:, 0]) < 2  # beyond, the nearest background events are not near
    found = area_under_curve(label[40_000:][populated], rank[populated]).value
    assert found == pytest.approx(norm.cdf(SHIFT[1] / np.sqrt(2)), abs=0.012)
    assert area_under_curve(label, ratio).value > found + 0.1


def test_ties_count_half():
    rank = ConditionalRank(4).fit(np.array([1.0, 1.0, 1.0, 3.0]), np.arange(4.0))
    assert rank.predict(np.array([0.0, 1.0, 2.0, 9.0]), np.zeros(4)) == pytest.approx([0, 0.375, 0.75, 1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ConditionalRank(10).fit(np.zeros(5), np.zeros(5)), "neighbours = 10"),
        (lambda: ConditionalRank(2).fit(np.zeros(5), np.zeros(4)), "protected: found shape"),
        (lambda: ConditionalRank(2).fit(np.full(5, np.nan), np.zeros(5)), "score"),
        (lambda: planing_weights(np.zeros(3), np.zeros(3), np.array([1.0, 0.0])), "edges"),
        (lambda: planing_weights(np.zeros(3), np.zeros(3), np.array([1.0, 2.0])), "no event of class 0"),
        (lambda: AdversarialClassifier(MLP(2, 1), slices=1), "slices"),
        (lambda: AdversarialClassifier(MLP(2, 1), strength=-1.0), "strength"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
