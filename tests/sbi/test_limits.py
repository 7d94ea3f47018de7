"""Limits: closed forms for Gaussians and Poisson counts, coverage by construction, pyhf for a binned likelihood."""

import numpy as np
import pytest
from scipy.stats import chi2, kstest, poisson

from hepml_labs.sbi.bounds import cramer_rao
from hepml_labs.sbi.histograms import HistogramRatio
from hepml_labs.sbi.limits import (
    asymptotic_p_value,
    asymptotic_threshold,
    expected_statistic,
    extended_log_likelihood,
    parameter_grid,
    profile_statistic,
    statistic,
)
from hepml_labs.sbi.neyman import Coverage, coverage, neyman_thresholds, toy_log_likelihoods, toy_p_value

CORRELATION = np.array([[1.0, 0.6], [0.6, 1.0]])
AXIS = np.linspace(-0.8, 0.8, 33)
THETA = parameter_grid(AXIS, AXIS)
CENTRE = len(THETA) // 2


@pytest.fixture(scope="module")
def gaussian():
    """Events of N(0, S) and the exact log ratios of N(theta, S) on the grid."""
    x = np.random.default_rng(1).multivariate_normal([0.0, 0.0], CORRELATION, 20_000)
    inverse = np.linalg.inv(CORRELATION)
    log_ratio = THETA @ inverse @ (x - x.mean(axis=0)).T
    log_ratio -= np.einsum("mi,ij,mj->m", THETA, inverse, THETA)[:, None] / 2
    return log_ratio, inverse


def toys_of(log_ratio, events=36, toys=1500, seed=2, **options):
    return toy_log_likelihoods(log_ratio, np.ones(log_ratio.shape[1]), events, toys, seed, **options)


def test_extended_likelihood_is_a_product_of_poissons():
    """Unbinned in name only: for a histogram it is the likelihood of its independent counts, up to a constant."""
    random = np.random.default_rng(2)
    shapes = random.dirichlet(np.ones(6), size=4)
    expected = np.array([10.0, 14.0, 9.0, 20.0])
    counts = random.poisson(3.0, 6)
    events = np.repeat(np.arange(6), counts)
    found = extended_log_likelihood(np.log(shapes / shapes[0])[:, events], expected)
    exact = poisson.logpmf(counts, expected[:, None] * shapes).sum(axis=1)
    assert found - found[0] == pytest.approx(exact - exact[0])
    nothing = extended_log_likelihood(np.empty((4, 0)), expected)  # no event at all is an observation, too
    assert nothing == pytest.approx(-expected)


@pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")
def test_pyhf_agrees_on_a_binned_likelihood():
    pyhf = pytest.importorskip("pyhf")
    signal, background, counts = np.array([6.0, 3.0, 1.0]), np.array([9.0, 9.0, 9.0]), np.array([13, 14, 8])
    modifiers = [{"name": "mu", "type": "normfactor", "data": None}]
    samples = [
        {"name": "signal", "data": signal.tolist(), "modifiers": modifiers},
        {"name": "background", "data": background.tolist(), "modifiers": []},
    ]
    model = pyhf.Model({"channels": [{"name": "channel", "samples": samples}]}, poi_name="mu")
    mu = np.linspace(0, 4, 4001)
    expected = background + mu[:, None] * signal
    shapes = expected / expected.sum(axis=1, keepdims=True)
    events = np.repeat(np.arange(3), counts)
    ours = statistic(extended_log_likelihood(np.log(shapes / shapes[0])[:, events], expected.sum(axis=1)))
    best, value = pyhf.infer.mle.fit(counts.tolist(), model, return_fitted_val=True)
    assert mu[ours.argmin()] == pytest.approx(best[0], abs=2e-3)
    for k in (0, 1500, 4000):
        peer = -2 * float(model.logpdf([mu[k]], counts.tolist())[0]) - value
        assert ours[k] == pytest.approx(float(peer), abs=1e-4)


def test_asimov_is_the_parabola_of_the_information(gaussian):
    log_ratio, inverse = gaussian
    found = expected_statistic(log_ratio, np.ones(log_ratio.shape[1]), 36)
    exact = 36 * np.einsum("mi,ij,mj->m", THETA, inverse, THETA)
    assert found == pytest.approx(exact, abs=1e-9)
    bound = np.sqrt(cramer_rao(inverse, 36)[0, 0])  # profiling gives the width with the other parameter unknown
    profile = profile_statistic(found, (33, 33), keep=0)
    assert profile == pytest.approx((AXIS / bound) ** 2, rel=0.05, abs=0.05)
    known = found.reshape(33, 33)[0, 16]  # with the other one known, the parabola is narrower
    assert known / (AXIS[0] / bound) ** 2 == pytest.approx(1 / (1 - 0.6**2))


def test_asimov_of_a_count():
    """Rate only: the well-known 2 (nu - n + n log(n / nu))."""
    nu = np.array([20.0, 25.0, 40.0])
    found = expected_statistic(np.zeros((3, 5)), np.ones(5), 25, nu)
    assert found == pytest.approx(2 * (nu - 25 + 25 * np.log(25 / nu)))


def test_wilks_on_a_gaussian(gaussian):
    log_ratio, _ = gaussian
    q = statistic(toys_of(log_ratio))[:, CENTRE]
    assert kstest(q, chi2(2).cdf).pvalue > 1e-3
    assert kstest(asymptotic_p_value(q, 2), "uniform").pvalue > 1e-3
    assert kstest(q, chi2(1).cdf).pvalue < 1e-10  # the test can tell two parameters from one
    for level in (0.68, 0.95):
        found = coverage(q, asymptotic_threshold(level, 2))
        assert abs(found.value - level) < 4 * found.error


def test_poisson_numbers_are_in_with_the_rate(gaussian):
    log_ratio, _ = gaussian
    expected = 36 * (1 + 0.5 * THETA[:, 0])
    toys = toys_of(log_ratio, expected=expected)
    n = (toys[:, 0] - toys_of(log_ratio)[:, 0]).std()  # differs from toy to toy
    assert n > 1
    q = statistic(toys)[:, CENTRE]
    assert abs(coverage(q, asymptotic_threshold(0.68, 2)).value - 0.68) < 0.05
    assert toys.argmax(axis=1).std() < toys_of(log_ratio).argmax(axis=1).std()  # the rate helps


def test_construction_covers_with_a_wrong_ratio(gaussian):
    """An over-confident ratio, log r times 3: after Wilks it covers P(chi2 < t/3), after Neyman what it says."""
    log_ratio, _ = gaussian
    wrong = 3 * log_ratio
    weights = np.ones((1, log_ratio.shape[1]))
    q = statistic(toys_of(wrong, seed=5))[:, CENTRE]
    for level in (0.68, 0.95):
        asymptotic = asymptotic_threshold(level, 2)
        naive = coverage(q, asymptotic)
        assert abs(naive.value - chi2.cdf(asymptotic / 3, 2)) < 4 * naive.error
        threshold = neyman_thresholds(wrong, weights, np.array([CENTRE]), 36, level, 1500, seed=6)
        assert threshold == pytest.approx([3 * asymptotic], rel=0.12)
        repaired = coverage(q, threshold[0])
        assert abs(repaired.value - level) < 5 * repaired.error  # quantile and coverage both fluctuate


def test_construction_at_several_points_and_levels(gaussian):
    log_ratio, _ = gaussian
    points = np.array([CENTRE, CENTRE + 4 * 33])
    weights = np.exp(log_ratio[points])
    found = neyman_thresholds(log_ratio, weights, points, np.array([36, 50]), [0.68, 0.95], 800, seed=7)
    assert found.shape == (2, 2)
    assert found == pytest.approx(np.array([[2.28, 2.28], [5.99, 5.99]]), rel=0.15)


def test_wilks_fails_where_only_the_square_matters():
    """x around theta^2: at theta = 0 half of the experiments have their maximum at zero, so 68 % become 84 %."""
    x = np.random.default_rng(8).normal(size=20_000)
    square = np.linspace(0, 1.2, 241)
    log_ratio = square[:, None] * (x - x.mean()) - square[:, None] ** 2 / 2
    q = statistic(toys_of(log_ratio))[:, 0]
    found = coverage(q, asymptotic_threshold(0.68, 1))
    assert abs(found.value - 0.84) < 4 * found.error
    threshold = neyman_thresholds(log_ratio, np.ones((1, len(x))), np.array([0]), 36, 0.68, 1500, seed=9)[0]
    assert threshold == pytest.approx(chi2.ppf(2 * 0.68 - 1, 1), abs=0.06)


def test_p_values_of_toys():
    random = np.random.default_rng(10)
    toys, observed = random.chisquare(2, 999), random.chisquare(2, 4000)
    assert kstest(toy_p_value(observed, toys), "uniform").statistic < 0.06
    assert toy_p_value(1e9, toys) == 1 / 1000
    assert toy_p_value(0.0, toys) == 1
    assert toy_p_value(2.0, np.array([1.0, 2.0, 3.0])) == 0.75  # ties count


def test_coverage_has_an_error():
    assert coverage(np.arange(10.0), 6.5) == Coverage(0.7, pytest.approx(np.sqrt(2 / 3 / 3 / 10)))
    assert coverage(np.zeros(50), 1.0).error > 0.01


def test_a_histogram_covers():
    """Histogram, quadratic weights, rate and shape together, 200 toys: the region at 68 % keeps its word."""
    random = np.random.default_rng(11)
    z = random.uniform(-1, 1, (20_000, 1))
    coefficients = np.column_stack([1 + 0 * z, 0.8 * z, 0.4 + 0.2 * z**2]) * 1e-4
    histogram = HistogramRatio(10).fit(z, coefficients)
    theta = np.linspace(-1, 1, 101)[:, None]
    expected = 60 * histogram.cross_sections(theta).sum(axis=1)
    weights = coefficients @ [1.0, 0.5, 0.25]
    log_likelihoods = toy_log_likelihoods(
        histogram.log_ratio(z, theta), weights, 60 * weights.sum(), 400, 12, expected=expected
    )
    assert 0.60 < coverage(statistic(log_likelihoods)[:, 75], asymptotic_threshold(0.68, 1)).value < 0.76


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: extended_log_likelihood(np.array([[np.nan]])), "log_ratio: found"),
        (lambda: extended_log_likelihood(np.ones((2, 3)), np.array([1.0, 0.0])), "expected: found"),
        (lambda: expected_statistic(np.ones((2, 3)), np.ones(2), 5), "weights: found shape"),
        (lambda: profile_statistic(np.ones(4), (2, 2), 2), "keep: found 2"),
        (lambda: asymptotic_threshold(68, 2), "level: found 68"),
        (lambda: toy_log_likelihoods(np.ones((2, 3)), -np.ones(3), 5, 10, 0), "weights: found"),
        (lambda: toy_log_likelihoods(np.ones((2, 3)), np.ones(3), 5.5, 10, 0), "events: found 5.5"),
        (lambda: neyman_thresholds(np.ones((2, 3)), np.ones((2, 3)), np.array([0]), 5, 0.68, 10, 0), "points: found"),
        (lambda: toy_p_value(1.0, np.array([np.nan])), "toys: found"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
