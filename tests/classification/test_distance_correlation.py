"""Distance correlation against its definition and the closed form of Gaussians; the penalty against the best answer."""

import numpy as np
import pytest
import torch
from scipy.stats import norm

from hepml_labs.classification.distance_correlation import (
    disco_loss,
    distance_correlation,
    gaussian_distance_correlation,
    squared_distance_correlation,
)
from hepml_labs.classification.losses import binary_cross_entropy
from hepml_labs.evaluation import area_under_curve
from hepml_labs.nn import MLP
from hepml_labs.training import fit


def brute_force(x, y, weight):
    """Székely, Rizzo and Bakirov, definition 4, entry by entry."""
    n, w = len(x), weight / weight.sum()

    def centred(v):
        d = [[abs(v[i] - v[j]) for j in range(n)] for i in range(n)]
        rows = [sum(w[j] * d[i][j] for j in range(n)) for i in range(n)]
        total = sum(w[i] * rows[i] for i in range(n))
        return [[d[i][j] - rows[i] - rows[j] + total for j in range(n)] for i in range(n)]

    def covariance(a, b):
        return sum(w[i] * w[j] * a[i][j] * b[i][j] for i in range(n) for j in range(n))

    a, b = centred(x), centred(y)
    return covariance(a, b) / np.sqrt(covariance(a, a) * covariance(b, b))


@pytest.fixture
def sample():
    random = np.random.default_rng(3)
    x = random.normal(size=40)
    return x, x**2 + 0.3 * random.normal(size=40), random.uniform(0.2, 2, size=40)


def test_definition(sample):
    x, y, weight = sample
    assert squared_distance_correlation(x, y, weight) == pytest.approx(brute_force(x, y, weight), rel=1e-12)
    assert squared_distance_correlation(x, y) == pytest.approx(brute_force(x, y, np.ones(40)), rel=1e-12)


def test_tensors_agree_with_arrays_and_have_the_right_gradient(sample):
    x, y, weight = (torch.from_numpy(values) for values in sample)
    assert float(squared_distance_correlation(x, y, weight)) == pytest.approx(
        squared_distance_correlation(*sample), rel=1e-12
    )
    assert torch.autograd.gradcheck(squared_distance_correlation, (x.requires_grad_(), y, weight))
    single = squared_distance_correlation(x.detach().float() * 200, y.float())  # GeV, single precision
    assert single.dtype == torch.float32
    assert float(single) == pytest.approx(squared_distance_correlation(sample[0], sample[1]), rel=1e-4)


def test_invariances(sample):
    x, y, weight = sample
    value = distance_correlation(x, y, weight)
    assert distance_correlation(y, x, weight) == pytest.approx(value)
    assert distance_correlation(5 - 3 * x, 100 + 0.01 * y, 7 * weight) == pytest.approx(value)
    assert distance_correlation(x, 2 * x - 1, weight) == pytest.approx(1)
    assert distance_correlation(x, np.ones(40)) == 0


def test_weights_are_repetitions(sample):
    x, y, _ = sample
    count = np.random.default_rng(1).integers(0, 4, size=40)
    repeated = squared_distance_correlation(np.repeat(x, count), np.repeat(y, count))
    assert squared_distance_correlation(x, y, count.astype(float)) == pytest.approx(repeated, rel=1e-10)


@pytest.mark.parametrize("correlation", [0.3, 0.8, -0.6])
def test_gaussian_closed_form(correlation):
    x, u = np.random.default_rng(5).normal(size=(2, 4000))
    found = distance_correlation(x, correlation * x + np.sqrt(1 - correlation**2) * u)
    assert found == pytest.approx(gaussian_distance_correlation(correlation), abs=0.03)
    assert gaussian_distance_correlation(correlation) < abs(correlation)


def test_sees_what_linear_correlation_does_not():
    x, u = np.random.default_rng(6).normal(size=(2, 2000))
    assert abs(np.corrcoef(x, x**2)[0, 1]) < 0.1
    assert distance_correlation(x, x**2) > 0.4
    assert distance_correlation(x, u) < 0.06  # not zero: of order 1 / sqrt(n)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros(3), np.zeros(4)), "second: found shape"),
        ((np.zeros(1), np.zeros(1)), "at least two"),
        ((np.array([0.0, np.nan]), np.zeros(2)), "NaN"),
        ((np.zeros((3, 1)), np.zeros(3)), "first: found shape"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        squared_distance_correlation(*arguments)
    with pytest.raises(ValueError, match="correlation: found"):
        gaussian_distance_correlation(1.2)
    with pytest.raises(ValueError, match="strength"):
        disco_loss(-1.0)


def test_penalty_looks_at_background_only():
    torch.manual_seed(0)
    model, x = MLP(2, 1), torch.randn(200, 2)
    label = (torch.arange(200) % 2).float()
    mass = x[:, 0].clone()
    plain = binary_cross_entropy(model(x).squeeze(-1), label)
    strong = disco_loss(5.0)(model, x, label, mass)
    score = torch.sigmoid(model(x).squeeze(-1))[label == 0].detach()
    penalty = squared_distance_correlation(score, mass[label == 0])
    assert float((strong - plain).detach()) == pytest.approx(5 * float(penalty), rel=1e-4)
    mass[label == 1] = torch.randn(100)  # what the signal does is no matter
    assert float(disco_loss(5.0)(model, x, label, mass)) == pytest.approx(float(strong), rel=1e-6)
    weight = torch.rand(200)
    weighted = squared_distance_correlation(score, mass[label == 0], weight[label == 0])
    expected = binary_cross_entropy(model(x).squeeze(-1), label, weight) + 5 * weighted
    assert float(disco_loss(5.0)(model, x, label, mass, weight)) == pytest.approx(float(expected), rel=1e-5)


def test_training_finds_the_best_decorrelated_classifier():
    """Unit Gaussians in (m, u), signal at (1.5, 1): without m, the separation left is that of u alone."""
    random = np.random.default_rng(2)
    label = (np.arange(8000) % 2).astype(np.float32)
    z = random.normal(size=(8000, 2)) + label[:, None] * np.array([1.5, 1.0])
    x = torch.tensor(z @ np.array([[1.0, 0.6], [0.0, 0.8]]), dtype=torch.float32)
    tensors = (x[:6000], torch.tensor(label[:6000]), torch.tensor(z[:6000, 0], dtype=torch.float32))
    found = {}
    for strength in (0.0, 20.0):
        torch.manual_seed(0)
        model = MLP(2, 1, hidden=(16,))
        fit(model, disco_loss(strength), tensors, epochs=12, batch_size=512, learning_rate=2e-2, progress=False)
        score = model(x[6000:]).detach().numpy()[:, 0]
        background = label[6000:] == 0
        area = area_under_curve(label[6000:], score).value
        found[strength] = area, distance_correlation(score[background], z[6000:, 0][background].astype(np.float32))
    assert found[0.0][0] == pytest.approx(norm.cdf(np.hypot(1.5, 1.0) / np.sqrt(2)), abs=0.02)
    assert found[20.0][0] == pytest.approx(norm.cdf(1.0 / np.sqrt(2)), abs=0.03)
    assert found[0.0][1] > 0.7 and found[20.0][1] < 0.15
