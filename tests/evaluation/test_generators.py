"""Distances of true and generated samples: closed forms, peers, no bias at zero, and floors that are what they say."""

import numpy as np
import pytest
from scipy.stats import norm, spearmanr, wasserstein_distance
from sklearn.linear_model import LogisticRegression

from hepml_labs.evaluation import (
    ClassifierWeights,
    Distance,
    classifier_weights,
    copied_fraction,
    correlation_distance,
    frechet_distance,
    gaussian_kernel,
    kernel_distance,
    neighbor_scores,
    sliced_wasserstein,
    wasserstein_distances,
    weight_tails,
)


def normal(n, d, seed, shift=0.0):
    return np.random.default_rng(seed).normal(shift, 1, size=(n, d))


def test_wasserstein_is_that_of_scipy():
    truth, generated = normal(300, 3, 1), 1.5 * normal(170, 3, 2)
    weight = np.random.default_rng(3).exponential(size=170)
    for weights in (None, weight):
        found = wasserstein_distances(truth, generated, generated_weight=weights, draws=2).value
        expected = [wasserstein_distance(a, b, None, weights) for a, b in zip(truth.T, generated.T, strict=True)]
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_wasserstein_of_a_shift_with_its_error_and_floor():
    found = wasserstein_distances(normal(4000, 1, 1), normal(4000, 1, 2, shift=0.5))
    assert abs(found.value[0] - 0.5) < 4 * found.error[0]
    assert found.error[0] == pytest.approx(np.sqrt(2 / 4000), rel=0.35)  # W1 is the difference of the means here
    # <|F_n - F_m|> = sqrt(2 / pi) sqrt(F (1 - F) (1/n + 1/m)), integrated
    x = np.linspace(-8, 8, 2001)
    integral = np.sqrt(norm.cdf(x) * norm.sf(x)).sum() * (x[1] - x[0])
    for n, m in ((4000, 4000), (1000, 4000), (4000, 250)):
        floor = wasserstein_distances(normal(n, 1, 3), normal(m, 1, 4), draws=100).floor[0]
        assert floor == pytest.approx(np.sqrt(2 / np.pi * (1 / n + 1 / m)) * integral, rel=0.12)


def test_the_floor_is_what_two_true_samples_have():
    pairs = [wasserstein_distances(normal(500, 1, [1, k]), normal(500, 1, [2, k]), draws=20) for k in range(60)]
    values = np.array([pair.value[0] for pair in pairs])
    claimed = np.mean([pair.floor[0] for pair in pairs])
    assert abs(values.mean() - claimed) < 4 * values.std() / np.sqrt(60)
    assert np.mean([pair.floor_error[0] for pair in pairs]) == pytest.approx(values.std(), rel=0.35)


def test_weights_count_by_their_effective_number():
    weight = np.r_[np.ones(1000), np.zeros(3000)]
    heavy = wasserstein_distances(normal(4000, 1, 1), normal(4000, 1, 2), generated_weight=weight, draws=100)
    few = wasserstein_distances(normal(4000, 1, 1), normal(1000, 1, 2), draws=100)
    assert heavy.floor[0] == pytest.approx(few.floor[0], rel=0.1)
    # importance weights turn one density into the other
    moved = normal(4000, 1, 3, shift=0.5)
    closed = wasserstein_distances(normal(4000, 1, 1), moved, generated_weight=np.exp(0.125 - 0.5 * moved[:, 0]))
    assert abs(closed.deviations[0]) < 4
    assert wasserstein_distances(normal(4000, 1, 1), moved).deviations[0] > 20


def test_sliced_wasserstein_closed_form_and_what_the_marginals_hide():
    # along a direction u the distance of shifted Gaussians is |u . shift|: its mean over the circle is 2 / pi
    found = sliced_wasserstein(normal(5000, 2, 1), normal(5000, 2, 2) + [1.0, 0.0], directions=200, draws=5)
    assert found.value == pytest.approx(2 / np.pi, rel=0.08)
    truth = normal(3000, 2, 3) @ [[1.0, 0.7], [0.0, 0.714]]
    shuffled = np.random.default_rng(4).permuted(normal(3000, 2, 5) @ [[1.0, 0.7], [0.0, 0.714]], axis=0)
    assert np.abs(wasserstein_distances(truth, shuffled).deviations).max() < 4
    assert sliced_wasserstein(truth, shuffled, draws=20).deviations > 10
    assert correlation_distance(truth, shuffled, draws=10).deviations > 10


def test_frechet_distance_of_gaussians():
    shift, width = np.array([0.3, 0.0, -0.2]), np.array([1.0, 1.2, 0.7])
    expected = (shift**2).sum() + ((width - 1) ** 2).sum()  # diagonal covariances
    found = frechet_distance(normal(20_000, 3, 1), normal(10_000, 3, 2) * width + shift, draws=5)
    assert abs(found.value - expected) < 4 * found.error < 0.1
    correlated = normal(20_000, 2, 3) @ np.linalg.cholesky([[1, 0.6], [0.6, 1]]).T
    expected = 2 + 2 - 2 * (np.sqrt(1.6) + np.sqrt(0.4))
    found = frechet_distance(normal(20_000, 2, 4), correlated, draws=5)
    assert abs(found.value - expected) < 4 * found.error < 0.1


def test_frechet_distance_has_no_bias_at_zero():
    repeats = [frechet_distance(normal(800, 4, [1, k]), normal(800, 4, [2, k]), draws=2) for k in range(60)]
    values, errors = (np.array([getattr(r, name) for r in repeats]) for name in ("value", "error"))
    naive = 4 * 2 / 800  # the term of the means alone
    assert abs(values.mean()) < 4 * values.std() / np.sqrt(60) < naive
    assert 0.8 < np.sqrt((errors**2).mean()) / values.std() < 2  # the jackknife is never too small on average
    one = frechet_distance(normal(800, 4, 1), normal(800, 4, 2), draws=100)
    assert one.floor_error == pytest.approx(values.std(), rel=0.4)


def test_kernel_distance_of_gaussians():
    shift = 0.5
    truth, generated = normal(10_000, 1, 1), normal(10_000, 1, 2, shift)
    found = kernel_distance(truth, generated, kernel=gaussian_kernel, draws=20)
    expected = 2 / np.sqrt(3) * (1 - np.exp(-(shift**2) / 6))
    assert abs(found.value - expected) < 4 * found.error < 0.5 * expected
    # (x y + 1)^4 has the features sqrt(binomial) x^j: the distance is that of the moments
    difference = np.array([shift, shift**2, shift**3 + 3 * shift, shift**4 + 6 * shift**2])
    expected = (np.array([4, 6, 4, 1]) * difference**2).sum()
    found = kernel_distance(truth, generated, draws=20)
    assert abs(found.value - expected) < 4 * found.error < 0.5 * expected


def test_kernel_distance_has_no_bias_and_the_right_floor():
    same = [kernel_distance(normal(300, 2, [1, k]), normal(200, 2, [2, k]), kernel=gaussian_kernel) for k in range(60)]
    values = np.array([s.value for s in same])
    assert abs(values.mean()) < 4 * values.std() / np.sqrt(60)
    assert np.mean([s.floor_error for s in same]) == pytest.approx(values.std(), rel=0.3)


def test_correlation_distance_is_of_ranks():
    truth, generated = normal(500, 3, 1) @ [[1, 0.5, 0], [0, 1, 0.3], [0, 0, 1]], normal(400, 3, 2)
    found = correlation_distance(truth, generated, draws=2).value
    pairs = np.triu_indices(3, 1)
    expected = (spearmanr(truth).statistic - spearmanr(generated).statistic)[pairs]
    assert found == pytest.approx(np.sqrt((expected**2).mean()))
    assert correlation_distance(truth, np.exp(3 * generated), draws=2).value == pytest.approx(found)


def test_classifier_weights_are_the_ratio():
    truth, generated = normal(3000, 1, 1), normal(6000, 1, 2, shift=1.0)
    weights = classifier_weights(truth, generated, LogisticRegression())
    np.testing.assert_allclose(np.log(weights.generated), 0.5 - generated[:, 0], atol=0.35)  # 6,000 for 3,000
    assert weights.generated.mean() == pytest.approx(1, abs=0.1)
    assert abs(weights.test.auc - norm.cdf(1 / np.sqrt(2))) < 4 * weights.test.error


def test_weight_tails():
    weights = ClassifierWeights(np.array([1.0, 3.0, 1.0, 1.0]), np.array([0.1, 1.0, 0.4, 0.6]), None)
    missing, missing_error, invented, _ = weight_tails(weights)
    assert (missing, invented) == (0.25, 0.5)
    assert missing_error == pytest.approx(np.sqrt(0.25 * 0.75 / 4))


def test_neighbor_scores_of_equal_and_of_missing_modes():
    k, truth = 3, normal(4000, 3, 1)
    same = neighbor_scores(truth, normal(4000, 3, 2), neighbors=k)
    n = 400
    expected = 1 - np.prod([(n - 1 - i) / (2 * n - 1 - i) for i in range(k)])
    assert abs(same.coverage.value - expected) < 4 * same.coverage.error
    assert abs(same.density.value - 1) < 4 * same.density.error
    assert max(abs(score.deviations) for score in same) < 8
    other = normal(4000, 3, 3)
    half = neighbor_scores(truth, other[other[:, 0] > 0], neighbors=k)
    assert 0.45 < half.coverage.value < 0.65 and half.recall.value < 0.75  # balls reach across the edge
    assert half.precision.value > 0.85
    # on a line few balls do: those on the right side hold k true events before one of twice as many generated
    line, right = normal(4000, 1, 4), np.abs(normal(4000, 1, 5))
    found = neighbor_scores(line, right, neighbors=k, blocks=4).coverage
    assert abs(found.value - 0.5 * (1 - 3.0**-k)) < 4 * found.error < 0.1
    invented = neighbor_scores(truth, np.r_[other[:2000], other[2000:] + 20], neighbors=k)
    assert invented.precision.value == pytest.approx(0.47, abs=0.06) and invented.density.value < 0.6


def test_copies_pass_every_distance_but_are_found():
    train, truth, unseen = normal(2000, 2, 1), normal(2000, 2, 2), normal(2500, 2, 3)
    assert np.abs(wasserstein_distances(truth, train).deviations).max() < 4
    assert copied_fraction(train, unseen, train)[0] == 1
    samples = [[normal(n, 2, [n, k]) for n in (300, 301, 1000)] for k in range(60)]
    values, errors = np.array([copied_fraction(*three) for three in samples]).T
    assert abs(values.mean() - 0.5) < 4 * values.std() / np.sqrt(60)
    # the binomial error would be 0.016; the choice of 600 true events adds to it
    assert 0.75 < errors.mean() / values.std() < 1.35 and errors.mean() > 0.017


def test_ratio_and_deviations():
    found = Distance(np.array([0.3]), np.array([0.1]), np.array([0.1]), np.array([0.05]))
    assert (found.ratio[0], found.deviations[0]) == (pytest.approx(3), pytest.approx(4))


@pytest.mark.parametrize("distance", [sliced_wasserstein, frechet_distance, kernel_distance, neighbor_scores])
def test_units_do_not_matter(distance):
    truth, generated, scale = normal(1000, 2, 1), normal(1000, 2, 2, shift=0.2), np.array([1e3, 1e-3])
    first, second = (distance(truth * s, generated * s, seed=1) for s in (1.0, scale))
    np.testing.assert_allclose(first, second, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize(
    ("function", "name"),
    [(f, n) for f in (wasserstein_distances, frechet_distance, neighbor_scores) for n in ("truth", "generated")],
)
def test_bad_input(function, name):
    good = {"truth": normal(500, 2, 1), "generated": normal(500, 2, 2)}
    for bad in (np.full((500, 2), np.nan), normal(500, 2, 1)[:, 0], [[1.0, 2.0]]):
        with pytest.raises(ValueError, match=name):
            function(**(good | {name: bad}))


def test_bad_numbers():
    truth, generated = normal(500, 2, 1), normal(500, 2, 2)
    with pytest.raises(ValueError, match="generated_weight: found a range of -1"):
        wasserstein_distances(truth, generated, generated_weight=-np.ones(500))
    with pytest.raises(ValueError, match="truth: found 50 events"):
        frechet_distance(truth[:50], generated)
    with pytest.raises(ValueError, match="constant column 1"):
        kernel_distance(truth * [1, 0], generated)
    with pytest.raises(ValueError, match="at least 20"):
        kernel_distance(truth[:10], generated)
    with pytest.raises(ValueError, match="one column"):
        correlation_distance(truth[:, :1], generated[:, :1])
    with pytest.raises(ValueError, match="threshold"):
        weight_tails(ClassifierWeights(np.ones(3), np.ones(3), None), threshold=0.5)
