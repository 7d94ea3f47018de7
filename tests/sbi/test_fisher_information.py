"""Fisher information against closed forms, an efficient estimator, and the inequalities that it must obey."""

import numpy as np
import pytest

from hepml_labs.sbi.bounds import cramer_rao, profiled_information, shares
from hepml_labs.sbi.fisher import (
    attained_information,
    extended_information,
    histogram_information,
    information,
    rate_information,
)
from hepml_labs.sbi.gold import joint_score

N = 100_000


def near(estimate, expected, deviations=4):
    """Within so many standard errors, and the errors small enough to mean something."""
    assert (estimate.error < 0.05 * np.abs(expected).max()).all()
    return (np.abs(estimate.matrix - expected) < deviations * estimate.error + 1e-12).all()


def closed_forms():
    random = np.random.default_rng(1)
    x = random.normal(2.0, 3.0, N)
    yield "Gaussian, mean and width", np.stack([(x - 2) / 9, ((x - 2) ** 2 / 9 - 1) / 3]).T, np.diag([1 / 9, 2 / 9])
    x = random.exponential(0.5, N)
    yield "exponential, rate 2", (1 / 2 - x)[:, None], np.array([[1 / 4]])
    x = random.poisson(7.0, N)
    yield "Poisson, mean 7", (x / 7 - 1)[:, None], np.array([[1 / 7]])
    covariance = np.array([[1.0, 0.6], [0.6, 2.0]])
    x = random.multivariate_normal([0.0, 0.0], covariance, N)
    yield "Gaussian in the plane", x @ np.linalg.inv(covariance), np.linalg.inv(covariance)


@pytest.mark.parametrize(("score", "expected"), [pytest.param(s, e, id=name) for name, s, e in closed_forms()])
def test_closed_forms(score, expected):
    assert near(information(score), expected)
    assert near(attained_information(score, score), expected)  # the score is its own best statistic


def test_weights_move_the_sample():
    """Events of N(0, 1.5^2), weighted to N(0, 1); the error is right for weighted events: it matches repetitions."""
    random = np.random.default_rng(2)
    found = []
    for _ in range(200):
        x = 1.5 * random.normal(size=2000)
        found.append(information(x[:, None], np.exp(-(x**2) / 2 * (1 - 1 / 1.5**2))))
    values, errors = np.array([(f.matrix[0, 0], f.error[0, 0]) for f in found]).T
    assert abs(values.mean() - 1) < 4 * values.std() / np.sqrt(200)
    assert errors.mean() == pytest.approx(values.std(), rel=0.2)


def test_efficient_estimator_attains_the_bound():
    """The mean of n Gaussians: unbiased, and its covariance is the inverse of n times the information."""
    covariance = np.array([[1.0, 0.6], [0.6, 2.0]])
    x = np.random.default_rng(3).multivariate_normal([0.3, -0.2], covariance, (4000, 36))
    means = x.mean(axis=1)
    bound = cramer_rao(information((x.reshape(-1, 2) - [0.3, -0.2]) @ np.linalg.inv(covariance)).matrix, events=36)
    assert np.cov(means.T) == pytest.approx(bound, rel=0.08)


def test_no_estimator_is_better():
    """The median of Gaussians is unbiased too, and needs pi/2 times as many events."""
    x = np.random.default_rng(3).normal(size=(4000, 101))
    bound = cramer_rao(np.array([[1.0]]), events=101)[0, 0]
    assert np.median(x, axis=1).var() / bound == pytest.approx(np.pi / 2, rel=0.1)


def test_smearing_loses_what_theory_says():
    """z of variance 1 seen as x of variance 1 + s^2: a share 1/(1 + s^2) is left, and the joint score has the rest."""
    random = np.random.default_rng(4)
    z = random.normal(size=N)
    for s in (0.3, 1.0, 2.0):
        x = z + s * random.normal(size=N)
        exact = information((x / (1 + s**2))[:, None])
        attained = attained_information(x[:, None], z[:, None])
        assert near(exact, 1 / (1 + s**2)) and near(attained, 1 / (1 + s**2))
        assert exact.matrix < information(z[:, None]).matrix


def test_noise_claims_more_and_attains_less():
    random = np.random.default_rng(5)
    t = random.normal(size=(N, 2))
    noisy = t + random.normal(size=t.shape) * [1.0, 0.5]
    assert near(information(noisy), np.diag([2.0, 1.25]))
    assert near(attained_information(noisy, t), np.diag([0.5, 0.8]))
    assert near(attained_information(noisy @ [[3.0, 1.0], [0.0, -2.0]] + 7, t), np.diag([0.5, 0.8]))


def test_histogram_converges_from_below():
    x = np.random.default_rng(6).normal(size=(N, 1))
    full = information(x)
    found = []
    for bins in (2, 4, 8, 16, 64, 256):
        edges = np.quantile(x, np.arange(1, bins) / bins)
        estimate = histogram_information(np.searchsorted(edges, x[:, 0]), x)
        found.append(estimate.matrix[0, 0])
        assert found[-1] < full.matrix[0, 0]
    assert found == sorted(found)  # each refines the last one
    assert found[0] == pytest.approx(2 / np.pi, abs=0.01) and found[-1] > 0.985 * full.matrix[0, 0]


def test_histogram_subtracts_the_noise():
    """Bins that know nothing carry nothing, even with only ten events in each."""
    random = np.random.default_rng(7)
    t, bins = random.normal(size=(20_000, 2)), random.integers(0, 2000, 20_000)
    estimate = histogram_information(bins, t)
    assert np.abs(estimate.matrix).max() < 0.02  # without the subtraction: 0.1
    indicators = (bins[:, None] % 5 == np.arange(4)).astype(float)  # a histogram of five bins is a statistic, too
    projected = attained_information(indicators, t)
    raw = histogram_information(bins % 5, t)
    assert raw.matrix == pytest.approx(projected.matrix, abs=6 * 5 / 20_000)


def test_coarser_bins_never_gain():
    """Data processing: merging bins, dropping an observable; in every direction of the parameter space."""
    random = np.random.default_rng(8)
    x = random.normal(size=(N, 2))
    t = np.stack([x[:, 0] + 0.5 * x[:, 1], x[:, 0] ** 2 - 1 + x[:, 1]], axis=-1)
    fine = 20 * np.digitize(x[:, 0], np.linspace(-2, 2, 19)) + np.digitize(x[:, 1], np.linspace(-2, 2, 19))
    full, two, one = information(t).matrix, histogram_information(fine, t), histogram_information(fine // 20, t)
    assert (shares(two.matrix, full) < 1).all() and (shares(one.matrix, two.matrix) < 1).all()


def test_rate_and_shape_add_up():
    """A Poisson number of events with the quadratic density: information of the joint likelihood by simulation."""
    random = np.random.default_rng(9)
    z = random.uniform(-1, 1, 4000)
    coefficients = np.stack([1 + 0 * z, 0.3 + 0.5 * z, 0.2 * z**2], axis=-1) / 4000
    theta, luminosity = np.array([0.4]), 50.0
    total = coefficients.sum(axis=0)
    weights = coefficients @ [1.0, 0.4, 0.16]
    t = joint_score(coefficients, theta)
    expected = extended_information(information(t, weights).matrix, total, theta, luminosity)
    gradient = coefficients @ [0.0, 1.0, 0.8]
    assert expected[0, 0] == pytest.approx(luminosity * (gradient**2 / weights).sum())  # bins of one event each
    numbers = random.poisson(luminosity * weights.sum(), 3000)
    draws = random.choice(len(z), size=numbers.sum(), p=weights / weights.sum())
    sums = np.add.reduceat(gradient[draws] / weights[draws], np.concatenate([[0], np.cumsum(numbers)[:-1]]))
    assert (sums - luminosity * gradient.sum()).var() == pytest.approx(expected[0, 0], rel=0.12)
    rate = rate_information(total, theta, luminosity)[0, 0]
    assert 0.05 < rate / expected[0, 0] < 0.95  # neither of the two terms is idle


def test_unknown_parameters_cost():
    matrix = np.array([[3.0, 1.0, 0.5], [1.0, 2.0, 0.2], [0.5, 0.2, 1.0]])
    profiled = profiled_information(matrix, [0, 2])
    assert np.linalg.inv(profiled) == pytest.approx(np.linalg.inv(matrix)[np.ix_([0, 2], [0, 2])])
    assert (shares(profiled, matrix[np.ix_([0, 2], [0, 2])]) <= 1 + 1e-12).all()


def test_profiling_agrees_with_madminer():
    peer = pytest.importorskip("madminer.fisherinformation")
    matrix = np.array([[3.0, 1.0, 0.5], [1.0, 2.0, 0.2], [0.5, 0.2, 1.0]])
    assert profiled_information(matrix, [0, 2]) == pytest.approx(peer.profile_information(matrix, [0, 2]))


def test_shares_do_not_depend_on_the_parameters():
    part, full = np.array([[1.0, 0.2], [0.2, 0.5]]), np.array([[2.0, 0.1], [0.1, 0.6]])
    new = np.array([[3.0, 1.0], [-0.5, 2.0]])
    assert shares(new.T @ part @ new, new.T @ full @ new) == pytest.approx(shares(part, full))
    assert shares(0.7 * full, full) == pytest.approx([0.7, 0.7])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: information(np.ones(3)), "score: found shape"),
        (lambda: information(np.ones((3, 1)), -np.ones(3)), "weights: found a smallest"),
        (lambda: attained_information(np.ones((3, 1)), np.ones((4, 1))), "joint_score: found shape"),
        (lambda: histogram_information(np.array([0.0, 1.0]), np.ones((2, 1))), "bins: found"),
        (lambda: rate_information(np.array([-1.0, 0.0, 0.0]), np.zeros(1)), "total: found a cross-section"),
        (lambda: cramer_rao(np.outer([1.0, 2.0], [1.0, 2.0])), "matrix: found a smallest eigenvalue"),
        (lambda: profiled_information(np.eye(2), [2]), "keep: found"),
        (lambda: shares(np.eye(3), np.eye(2)), "part: found shape"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
