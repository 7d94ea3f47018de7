from itertools import pairwise

import numpy as np
import pytest
from numpy.polynomial.legendre import leggauss
from scipy import stats

from hepml_labs.classification.resonance import Resonance
from hepml_labs.classification.two_densities import Gaussians
from hepml_labs.evaluation import area_under_curve

RANGES = ((100, 160), (-1, 1), (1e-9, 1500), (-np.pi, np.pi), (0, 200))  # finite ones, for the integrals


def three():
    means = np.array([[0.0, 0.0], [1.0, 0.5], [-0.5, 1.5]])
    covariances = np.array([[[1.0, 0.3], [0.3, 1.0]], [[0.5, 0.0], [0.0, 2.0]], [[1.5, -0.6], [-0.6, 0.8]]])
    return Gaussians(means, covariances)


def test_gaussians_against_scipy():
    problem = three()
    X, _ = problem.sample(1000, seed=1)
    found = problem.log_prob(X)
    for label in range(3):
        expected = stats.multivariate_normal(problem.means[label], problem.covariances[label]).logpdf(X)
        np.testing.assert_allclose(found[:, label], expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(problem.log_ratio(X, 2, 1), found[:, 2] - found[:, 1])
    np.testing.assert_allclose(problem.posterior(X), np.exp(found) / np.exp(found).sum(1, keepdims=True))


def test_gaussian_samples_have_the_moments():
    problem = three()
    X, y = problem.sample(300_000, seed=2)
    assert (np.bincount(y) == 100_000).all()
    for label in range(3):
        drawn = X[y == label]
        np.testing.assert_allclose(drawn.mean(0), problem.means[label], atol=0.02)
        np.testing.assert_allclose(np.cov(drawn.T), problem.covariances[label], atol=0.03)


@pytest.mark.parametrize("dimensions, distance, correlation", [(1, 1.0, 0.0), (2, 2.0, 0.5), (6, 1.5, 0.9)])
def test_closed_forms_of_two_gaussians(dimensions, distance, correlation):
    problem = Gaussians.correlated(dimensions, distance, correlation)
    assert problem.distance == pytest.approx(distance, rel=1e-12)
    # linear, with the coefficients of Fisher's discriminant
    X = np.random.default_rng(0).normal(size=(10, dimensions))
    slope = np.linalg.solve(problem.covariances[0], problem.means[1] - problem.means[0])
    np.testing.assert_allclose(problem.log_ratio(X), X @ slope, atol=1e-12)
    # the numerical integration, which knows nothing of the closed form, agrees with it
    numerical = super(Gaussians, problem)
    assert problem.area() == pytest.approx(stats.norm.cdf(distance / np.sqrt(2)), rel=1e-12)
    assert numerical.area() == pytest.approx(problem.area(), abs=2e-5)
    efficiency = np.array([0.1, 0.3, 0.5, 0.8, 0.95])
    np.testing.assert_allclose(numerical.roc(efficiency), problem.roc(efficiency), atol=4e-4)


def test_log_ratio_of_two_gaussians_is_gaussian():
    problem = Gaussians.correlated(3, distance=1.7)
    X, y = problem.sample(200_000, seed=3)
    log_ratio = problem.log_ratio(X)
    for label, sign in ((0, -1), (1, 1)):
        drawn = log_ratio[y == label]
        assert drawn.mean() == pytest.approx(sign * 1.7**2 / 2, abs=4 * 1.7 / np.sqrt(len(drawn)))
        assert drawn.std() == pytest.approx(1.7, rel=0.01)


def nodes(dimensions):
    """Nodes and weights of a product of Gauss-Legendre rules over the ranges of the features."""
    axes = []
    for number, (low, high) in enumerate(RANGES[:dimensions]):
        pieces = np.linspace(low, high, 4 if number in (0, 2, 4) else 2)
        x, w = leggauss({0: 14, 1: 16, 2: 24, 3: 12, 4: 16}[number])
        x = np.concatenate([0.5 * (a + b) + 0.5 * (b - a) * x for a, b in pairwise(pieces)])
        w = np.concatenate([0.5 * (b - a) * w for a, b in pairwise(pieces)])
        axes.append((x, w))
    grid = np.meshgrid(*[x for x, _ in axes], indexing="ij")
    weight = np.ones([])
    for _, w in axes:
        weight = np.multiply.outer(weight, w)
    return np.stack([g.ravel() for g in grid], axis=1), weight.ravel()


@pytest.mark.parametrize("dimensions", [2, 3, 4])
def test_resonance_is_normalised(dimensions):
    X, weight = nodes(dimensions)
    norm = weight @ np.exp(Resonance(dimensions).log_prob(X))
    np.testing.assert_allclose(norm, 1, atol=2e-3 if dimensions > 2 else 1e-4)


def test_isolation_is_normalised_and_independent():
    X, _ = Resonance(5).sample(50, seed=1)
    isolation, weight = np.arange(0.0005, 200, 0.001), 0.001
    for row in X[:5]:
        line = np.repeat(row[None], len(isolation), axis=0)
        line[:, 4] = isolation
        norm = weight * np.exp(Resonance(5).log_prob(line)).sum(0)
        np.testing.assert_allclose(norm, np.exp(Resonance(4).log_prob(row[None, :4]))[0], rtol=1e-5)


@pytest.mark.parametrize("dimensions", [2, 5])
def test_resonance_samples_follow_the_density(dimensions):
    """E0[r] = E1[1/r] = 1, and the share of each class in bins of the exact posterior is the posterior."""
    problem = Resonance(dimensions)
    X, y = problem.sample(400_000, seed=4)
    posterior = problem.posterior(X)[:, 1]
    order = np.argsort(posterior)
    for members in np.array_split(order, 20):
        expected, observed = posterior[members].mean(), y[members].mean()
        assert abs(observed - expected) < 4.5 * np.sqrt(expected * (1 - expected) / len(members))
    area = area_under_curve(y, problem.log_ratio(X))
    assert abs(area.value - problem.area()) < 4 * area.error


@pytest.mark.parametrize("label", [0, 1])
def test_resonance_features_follow_their_own_laws(label):
    """Each feature, given those before it, is uniform after its cumulative distribution, written here anew."""
    X, y = Resonance(5).sample(100_000, seed=5)
    mass, cosine, pt, azimuth, isolation = X[y == label].T
    if label:
        width = 3 * (1 + cosine**2)
        law = stats.cauchy(125, width)
        uniform = [(law.cdf(mass) - law.cdf(100)) / (law.cdf(160) - law.cdf(100)), (3 * cosine + cosine**3 + 4) / 8]
    else:
        uniform = [stats.truncexpon(2, loc=100, scale=30).cdf(mass), (1 + cosine) / 2]
    modulation = label * 0.8 * (1 - cosine**2)
    uniform += [
        stats.gamma(2, scale=(0.30 if label else 0.20) * mass).cdf(pt),
        (azimuth + np.pi + 0.5 * modulation * np.sin(2 * azimuth)) / (2 * np.pi),
        stats.expon(scale=3 if label else 5).cdf(isolation),
    ]
    for column in uniform:
        assert stats.kstest(column, "uniform").pvalue > 1e-3
    assert np.abs(np.corrcoef(uniform) - np.eye(5)).max() < 0.02


def test_exact_roc_against_quadrature():
    """Area by a fine grid over mass and cosine: no random numbers, no common code but the density."""
    problem = Resonance(2)
    mass = (np.arange(1200) + 0.5) / 20 + 100
    cosine = (np.arange(400) + 0.5) / 200 - 1
    X = np.stack([g.ravel() for g in np.meshgrid(mass, cosine, indexing="ij")], axis=1)
    density = np.exp(problem.log_prob(X)) * (1 / 20) * (1 / 200)
    order = np.argsort(-problem.log_ratio(X))
    background, signal = np.cumsum(density[order], axis=0).T
    area = 0.5 * (signal[1:] + signal[:-1]) @ np.diff(background)
    assert problem.area() == pytest.approx(area, abs=1e-4)
    efficiency = np.array([0.2, 0.5, 0.9])
    np.testing.assert_allclose(problem.roc(efficiency), np.interp(efficiency, signal, background), atol=2e-4)
    # the slope of the ROC curve at a threshold is the threshold
    low, high = problem.roc(np.array([0.49, 0.51]))
    threshold = np.exp(problem.log_ratio(X)[order][np.searchsorted(signal, 0.5)])
    assert 0.02 / (high - low) == pytest.approx(threshold, rel=0.02)


def test_seeds_types_and_shares():
    problem = Resonance(5)
    first, again, other = problem.sample(100, seed=1), problem.sample(100, seed=1), problem.sample(100, seed=2)
    assert (first[0] == again[0]).all() and (first[1] == again[1]).all() and (first[0] != other[0]).any()
    assert np.bincount(problem.sample(101)[1]).tolist() == [51, 50]
    for kind in (np.float32, np.float64):
        assert problem.log_ratio(first[0].astype(kind)).dtype == kind
    np.testing.assert_allclose(problem.log_ratio(first[0].astype(np.float32)), problem.log_ratio(first[0]), atol=1e-4)


@pytest.mark.parametrize(
    "broken, argument",
    [
        (lambda: Resonance(1), "dimensions"),
        (lambda: Resonance(6), "dimensions"),
        (lambda: Resonance(2).log_prob(np.array([[99.0, 0.0]])), "X"),
        (lambda: Resonance(2).log_prob(np.array([[125.0, 1.5]])), "X"),
        (lambda: Resonance(2).log_prob(np.array([[np.nan, 0.0]])), "X"),
        (lambda: Resonance(3).log_prob(np.zeros((4, 2))), "X"),
        (lambda: Resonance(2).sample(1), "n"),
        (lambda: Resonance(2).area(points=1000), "points"),
        (lambda: Gaussians(np.zeros((1, 2)), np.eye(2)), "means"),
        (lambda: Gaussians(np.zeros((2, 2)), np.eye(3)), "covariances"),
        (lambda: Gaussians(np.zeros((2, 2)), np.ones((2, 2))), "covariances"),
        (lambda: Gaussians(np.zeros((2, 2)), np.array([[1.0, 0.5], [0.0, 1.0]])), "covariances"),
        (lambda: three().distance, "covariances"),
        (lambda: Gaussians.correlated(2, distance=-1.0), "distance"),
    ],
)
def test_bad_input(broken, argument):
    with pytest.raises(ValueError, match=rf"^{argument}: "):
        broken()
