"""CWoLa: the theorem, its price, and the ways back, against closed forms."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import chi2, kstest, norm, rankdata
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures

from hepml_labs.anomaly.cwola import CWoLa, draw_mixtures, mixed_log_ratio, pure_log_ratio
from hepml_labs.anomaly.dilution import discriminant_angle, information_share
from hepml_labs.anomaly.topics import anchor_bins, closure, pure_area, topic_fractions, unmix
from hepml_labs.classification.density_ratio import ClassifierRatio
from hepml_labs.classification.two_densities import Gaussians
from hepml_labs.evaluation import area_under_curve

PAIR = Gaussians(np.array([[-1.0, 0.5], [1.0, 0.0]]), np.eye(2))
FRACTIONS = [(1.0, 0.0), (0.8, 0.2), (0.55, 0.45), (0.02, 0.0), (1.0, 0.7)]


@pytest.mark.parametrize("fractions", FRACTIONS)
def test_theorem_against_the_densities(fractions):
    x = PAIR.sample(500, seed=1)[0]
    background, signal = np.exp(PAIR.log_prob(x)).T
    first, second = (f * signal + (1 - f) * background for f in fractions)
    mixed = mixed_log_ratio(PAIR.log_ratio(x), fractions)
    np.testing.assert_allclose(mixed, np.log(first / second), rtol=1e-9, atol=1e-12)
    assert (rankdata(mixed) == rankdata(PAIR.log_ratio(x))).all()
    np.testing.assert_allclose(pure_log_ratio(mixed, fractions), PAIR.log_ratio(x), rtol=1e-6, atol=1e-9)


def test_ends_of_the_mixed_ratio():
    ends = np.array([-np.inf, -800.0, 800.0, np.inf])
    np.testing.assert_allclose(np.exp(mixed_log_ratio(ends, (0.8, 0.3))), [2 / 7, 2 / 7, 8 / 3, 8 / 3], rtol=1e-12)
    assert pure_log_ratio(np.array([-3.0, 3.0]), (0.8, 0.3)).tolist() == [-np.inf, np.inf]
    assert np.isposinf(mixed_log_ratio(np.array([np.inf]), (0.5, 0.0)))


@pytest.mark.parametrize("fractions", FRACTIONS[1:])
def test_information_is_the_ratio_of_two_variances(fractions):
    """Numbers of events in one cell, thrown many times: variances of log L from pure and mixed counts."""
    random, ratio, background = np.random.default_rng(2), 3.0, 2e7
    signal = ratio * background
    pure = np.log(random.poisson(signal, 40_000) / random.poisson(background, 40_000))
    first, second = (random.poisson(f * signal + (1 - f) * background, 40_000) for f in fractions)
    mixed = pure_log_ratio(np.log(first / second), fractions)
    share = information_share(np.array([np.log(ratio)]), fractions)[0]
    assert pure.var() / mixed.var() == pytest.approx(share, rel=0.06)
    assert information_share(np.array([0.0]), fractions)[0] == pytest.approx((fractions[0] - fractions[1]) ** 2)


def test_angle_of_a_linear_discriminant():
    """Fisher's discriminant, trained on mixtures 300 times, against the formula."""
    random, n, dimensions, distance = np.random.default_rng(3), 1500, 4, 2.0
    for fractions in ((1.0, 0.0), (0.7, 0.2)):
        means, covariance = [], 0
        for f in fractions:
            x = random.normal(size=(300, n, dimensions))
            x[:, : round(f * n), 0] += distance
            means.append(x.mean(axis=1))
            x -= means[-1][:, None]
            covariance = covariance + np.matmul(x.transpose(0, 2, 1), x) / (2 * n)
        w = np.linalg.solve(covariance, (means[0] - means[1])[..., None])[..., 0]
        found = (w[:, 1:] ** 2).sum(axis=1) / w[:, 0] ** 2
        error = found.std() / np.sqrt(len(found))
        expected = discriminant_angle(n, dimensions, distance, fractions)
        assert found.mean() == pytest.approx(expected, abs=4 * error + 0.02 * expected)


def test_mixtures_hold_what_they_should():
    label = np.random.default_rng(4).permutation(np.repeat([1, 0], (300, 600)))
    rows, mixture = draw_mixtures(label, (0.6, 0.1), n=400, seed=5)
    assert len(set(rows)) == 800 and mixture.sum() == 400
    assert [label[rows[mixture == m]].sum() for m in (1, 0)] == [240, 40]
    assert (draw_mixtures(label, (0.6, 0.1), n=400, seed=5)[0] == rows).all()
    with pytest.raises(ValueError, match="needs 350 signal events of 300"):
        draw_mixtures(label, (0.6, 0.1), n=500, seed=5)


def test_classifier_without_labels():
    """It orders events as the exact ratio does, and with the fractions it is calibrated."""
    X, label = PAIR.sample(60_000, seed=6)
    fractions = (0.7, 0.4)
    rows, mixture = draw_mixtures(label, fractions, n=20_000, seed=7)
    cubic = ClassifierRatio(make_pipeline(PolynomialFeatures(3), LogisticRegression(max_iter=1000)))
    model = CWoLa(cubic, fractions).fit_mixtures(X[rows], mixture)
    fresh, truth = PAIR.sample(20_000, seed=8)
    area = area_under_curve(truth, model.score_samples(fresh))
    assert area.value == pytest.approx(PAIR.area(), abs=4 * area.error)
    bulk = np.abs(PAIR.log_ratio(fresh)) < 1
    assert np.abs(model.log_ratio(fresh[bulk]) - PAIR.log_ratio(fresh[bulk])).mean() < 0.25
    # the same through the common interface: the signal region is the first mixture
    mass = np.where(mixture == 1, 3500.0, 3000.0)
    window = SimpleNamespace(inside=lambda m: m > 3300, sideband=lambda m: m <= 3300)
    same = CWoLa(cubic).fit(X[rows], mass, window)
    np.testing.assert_array_equal(same.score_samples(fresh, np.full(len(fresh), 3500.0)), model.score_samples(fresh))
    with pytest.raises(ValueError, match="fractions: found None"):
        same.log_ratio(fresh)


def test_areas_and_efficiencies_without_labels():
    """Both are exact relations: on a fixed sample, mixed by weights, they hold to rounding for any score."""
    random = np.random.default_rng(9)
    label = np.repeat([1, 0], 2000)
    score = random.normal(size=4000) + 0.7 * label
    fractions = (0.65, 0.25)
    both, mixture = np.tile(score, 2), np.repeat([1, 0], 4000)
    weight = np.concatenate([np.where(label == 1, f, 1 - f) for f in fractions])
    mixed = area_under_curve(mixture, both, weight)
    assert pure_area(mixed, fractions).value == pytest.approx(area_under_curve(label, score).value, rel=1e-9)
    signal, background = ((score[label == k] > 0.4).mean() for k in (1, 0))
    first, second = (np.array([f * signal + (1 - f) * background]) for f in fractions)
    found = unmix(first, second, fractions, 0.01, 0.02)
    assert (found.signal[0], found.background[0]) == pytest.approx((signal, background))
    throws = unmix(*(e + s * random.normal(size=100_000) for e, s in ((first, 0.01), (second, 0.02))), fractions)
    assert found.signal_error[0] == pytest.approx(throws.signal.std(), rel=0.02)
    assert found.background_error[0] == pytest.approx(throws.background.std(), rel=0.02)


def test_fractions_from_anchors():
    """Three bins, one of them empty of signal and one of background: the fractions come back exactly."""
    signal, background = np.array([0.0, 0.6, 0.4]), np.array([0.5, 0.5, 0.0])
    first, second = (1e6 * (f * signal + (1 - f) * background) for f in (0.7, 0.2))
    anchors = anchor_bins(first, second)
    assert anchors.bins == (0, 2)
    assert topic_fractions(anchors.kappa) == pytest.approx((0.7, 0.2))
    found = unmix(first / 1e6, second / 1e6, topic_fractions(anchors.kappa))
    np.testing.assert_allclose([found.signal, found.background], [signal, background], atol=1e-12)
    # a purer bin is chosen if it has enough events, one with a lucky ratio is not: 0.32 +- 0.13 against 0.375 +- 0.036
    for pair, bin_number in (((1.0, 30.0), 3), ((1.0, 9.0), 0), ((8.0, 25.0), 0)):
        counts = [np.append(c / 1e3, extra) for c, extra in zip((first, second), pair, strict=True)]
        assert anchor_bins(*counts).bins[0] == bin_number


def test_closure_is_calibrated():
    random = np.random.default_rng(10)
    signal, background = random.dirichlet(np.full(8, 3.0), size=2)
    expected = [4000 * (f * signal + (1 - f) * background) for f in (0.8, 0.2, 0.5)]
    found = [closure(*(random.poisson(e).astype(float) for e in expected)) for _ in range(300)]
    assert np.mean([position for position, _, _ in found]) == pytest.approx(0.5, abs=0.02)
    assert kstest([chi2.sf(value, degrees) for _, value, degrees in found], "uniform").pvalue > 1e-3
    bent = expected[1] * np.linspace(0.4, 1.6, 8)
    assert closure(expected[0], bent, expected[2])[1] > 30


def test_area_of_the_mixed_ratio_by_integration():
    """A_M - 1/2 = (f1 - f2)(A - 1/2), for the Gaussians of the lecture."""
    f1, f2, distance = 0.9, 0.3, 1.5

    def integrand(x):
        density = f1 * norm.pdf(x, distance) + (1 - f1) * norm.pdf(x)
        return density * (f2 * norm.cdf(x, distance) + (1 - f2) * norm.cdf(x))

    mixed = quad(integrand, -8, 10)[0]
    assert (mixed - 0.5) / (f1 - f2) + 0.5 == pytest.approx(norm.cdf(distance / np.sqrt(2)), rel=1e-7)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: mixed_log_ratio(np.zeros(3), (0.3, 0.3)), "fractions: found"),
        (lambda: mixed_log_ratio(np.zeros(3), (0.2, 0.8)), "fractions: found"),
        (lambda: pure_log_ratio(np.array([np.nan]), (0.8, 0.2)), "mixed: found 1 NaN"),
        (lambda: discriminant_angle(100, 3, 0.0), "distance: found"),
        (lambda: anchor_bins(np.array([-1.0, 2.0]), np.ones(2)), "negative"),
        (lambda: anchor_bins(np.ones(3), np.ones(3)), "minimum: found 25"),
        (lambda: topic_fractions((0.2, 1.0)), r"kappa\[1\]: found"),
        (lambda: closure(*[np.ones(2)] * 3), "fewer than three"),
        (lambda: CWoLa().fit_mixtures(np.zeros((4, 1)), np.zeros(4)), "mixture: found values"),
    ],
)
def test_complaints_name_the_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()
