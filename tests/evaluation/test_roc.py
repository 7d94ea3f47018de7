"""ROC curve against scikit-learn; rejection, band and significance improvement against Gaussians in closed form."""

import numpy as np
import pytest
import torch
from scipy.stats import norm
from sklearn import metrics

from hepml_labs.evaluation import background_rejection, roc_band, roc_curve, significance_improvement
from hepml_labs.evaluation.thresholds import effective_count, wilson_interval

TOYS = 250


def gaussians(seed, signals, backgrounds, shift):
    """Return labels and scores of two unit Gaussians: background at 0, signal at `shift`."""
    label = np.repeat([1, 0], [signals, backgrounds])
    return label, np.random.default_rng(seed).normal(size=len(label)) + shift * label


def exact_background(efficiency, shift):
    return norm.sf(norm.isf(efficiency) + shift)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ties", ["none", "some", "all"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_curve_of_scikit_learn(weighted, ties, dtype):
    random = np.random.default_rng(1)
    label, score = gaussians(1, 3_000, 5_000, 1.0)
    shuffle = random.permutation(len(label))
    label, score = label[shuffle], score[shuffle].astype(dtype)
    score = {"none": score, "some": np.round(score, 1), "all": np.zeros_like(score)}[ties]
    weight = random.gamma(2, size=len(label)) * (random.uniform(size=len(label)) > 0.2) if weighted else None
    expected = metrics.roc_curve(label, score, sample_weight=weight, drop_intermediate=False)
    for found, peer in zip(roc_curve(label, score, weight), expected, strict=True):
        np.testing.assert_allclose(found, peer, rtol=0, atol=1e-12)


def test_tensors_and_booleans_are_welcome():
    label, score = gaussians(2, 50, 50, 1.0)
    from_arrays = roc_curve(label, score)
    from_tensors = roc_curve(torch.from_numpy(label).bool(), torch.from_numpy(score))
    np.testing.assert_array_equal(from_arrays.threshold, from_tensors.threshold)
    np.testing.assert_array_equal(from_arrays.true_positive_rate, from_tensors.true_positive_rate)


def test_unit_weights_and_copies_are_the_same_as_none():
    label, score = gaussians(3, 300, 300, 1.0)
    count = np.random.default_rng(3).integers(1, 4, len(label))
    grid = np.array([0.2, 0.5, 0.9])
    plain, weighted = (background_rejection(label, score, grid, w) for w in (None, np.full(len(label), 7)))
    np.testing.assert_allclose(plain, weighted, rtol=1e-12)
    copied = roc_curve(np.repeat(label, count), np.repeat(score, count))
    np.testing.assert_allclose(copied[:2], roc_curve(label, score, count)[:2], atol=1e-12)


# Many events, few signals (the threshold decides), few backgrounds, both ends of the curve, a steep curve.
SAMPLES = [(500, 500, 1, 0.5), (100, 3000, 1, 0.5), (2000, 200, 1, 0.5), (300, 300, 1, 0.9), (100, 15_000, 3, 0.5)]


@pytest.mark.parametrize(("signals", "backgrounds", "shift", "efficiency"), SAMPLES)
def test_intervals_cover_the_exact_efficiency(signals, backgrounds, shift, efficiency):
    truth = exact_background(efficiency, shift)
    inside, spread = [], []
    for seed in range(TOYS):
        label, score = gaussians(seed, signals, backgrounds, shift)
        band, wide = roc_band(label, score, efficiency), roc_band(label, score, efficiency, level=0.95)
        found = background_rejection(label, score, efficiency)
        improvement = significance_improvement(label, score, 1, [efficiency])
        inside.append(
            (
                band.low[0] <= truth <= band.high[0],
                abs(found.value - 1 / truth) < found.error,
                found.low <= 1 / truth <= found.high,
                abs(improvement.value[0] - efficiency / np.sqrt(truth)) < improvement.error[0],
                wide.low[0] <= truth <= wide.high[0],
            )
        )
        spread.append((found.background_efficiency, found.background_efficiency_error))
    covered = np.mean(inside, axis=0)
    assert (covered[:4] > 0.60).all() and (covered[:4] < 0.76).all()
    assert 0.90 < covered[4] < 0.98
    values, errors = np.transpose(spread)
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(values.std(), rel=0.12)


def test_interval_with_about_five_backgrounds_left():
    """The coverage for one truth jumps with whole numbers; over a range of truths it must be 68 %."""
    inside = []
    for seed in range(500):
        shift = 1.9 + 0.4 * seed / 500  # 8 to 3 backgrounds expected
        label, score = gaussians(seed, 2000, 500, shift)
        band = roc_band(label, score, 0.4)
        inside.append(band.low[0] <= exact_background(0.4, shift) <= band.high[0])
    assert 0.62 < np.mean(inside) < 0.75


def test_a_limit_where_nothing_is_left():
    label, score = np.array([0] * 100 + [1] * 10), np.arange(110.0)
    band = roc_band(label, score, [0.5], level=0.95)
    assert band.low[0] == 0 and 0.01 < band.high[0] < 0.05  # z^2 / (n + z^2) = 0.037
    with pytest.raises(ValueError, match="^efficiency: found 0.5, where no background is left"):
        background_rejection(label, score, 0.5)
    with pytest.raises(ValueError, match="^minimum_background: found 200, expected at most 100,"):
        significance_improvement(label[::-1].copy(), np.arange(110.0) % 60, 200)
    score[0] = 104.5
    with pytest.raises(ValueError, match="expected one of at least 0.6 where"):
        background_rejection(label, score, np.array([0.3, 0.6]))


def test_threshold_gives_back_both_efficiencies():
    label, original = gaussians(5, 400, 700, 1.0)
    for score in (original, np.round(original, 1)):
        found = background_rejection(label, score, np.array([0.1, 0.25, 0.5, 1.0]))
        kept = score[:, None] >= found.threshold
        np.testing.assert_allclose(kept[label == 0].mean(0), found.background_efficiency)
        np.testing.assert_allclose(kept[label == 1].mean(0), found.signal_efficiency)
        assert (found.signal_efficiency >= [0.1, 0.25, 0.5, 1.0]).all()
        np.testing.assert_allclose(found.value, 1 / found.background_efficiency)
    assert found.threshold[-1] == score[label == 1].min() and 1 <= found.value[-1] < 1.1
    single = background_rejection(label, score, 0.5)
    assert isinstance(single.value, float) and single.value == found.value[2]


def test_weighted_band_covers():
    """Events drawn from a wider Gaussian and weighted back: the error must come from the squares of the weights."""
    truth, inside, naive = exact_background(0.5, 1), [], []
    for seed in range(TOYS):
        label, score = gaussians(seed, 600, 600, 0.0)
        score = 1.5 * score + 0.5
        weight = norm.pdf(score, label) / norm.pdf(score, 0.5, 1.5)
        for results, error_weight in ((inside, weight), (naive, None)):
            band = roc_band(label, score, 0.5, weight=error_weight)
            found = roc_band(label, score, 0.5, weight=weight).background_efficiency[0]
            results.append(abs(found - truth) < (band.high[0] - band.low[0]) / 2)
    assert 0.60 < np.mean(inside) < 0.76


def test_wilson_interval_solves_its_equation():
    share, n, z, r = np.array([0.0, 0.02, 0.5, 1.0]), 50, 1.7, 0.2
    for p in wilson_interval(share, n, z, r):
        clipped = p == 1
        np.testing.assert_allclose(((share - p) ** 2)[~clipped], (z**2 * (p * (1 - p) / n + r**2 * p**2))[~clipped])
    assert wilson_interval(np.array([0.3]), 50, 1.0, 2.0)[1] == 1
    assert effective_count(np.array([0.25]), np.array([25 / 100**2]), 1 / 100)[0] == pytest.approx(100)


def test_significance_improvement_stops_where_backgrounds_are_few():
    label, score = gaussians(6, 5000, 5000, 2.0)
    curve = significance_improvement(label, score, minimum_background=20)
    assert (curve.background_efficiency * 5000 >= 20 - 1e-6).all() and len(curve.value) < 200
    np.testing.assert_allclose(curve.value, curve.signal_efficiency / np.sqrt(curve.background_efficiency))
    pulls = (
        curve.value - curve.signal_efficiency / np.sqrt(exact_background(curve.signal_efficiency, 2))
    ) / curve.error
    assert abs(pulls[:-1]).max() < 4


GOOD_LABEL, GOOD_SCORE = np.array([0, 1, 0, 1]), np.arange(4.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((GOOD_LABEL[:3], GOOD_SCORE), "^score: found shape"),
        ((GOOD_LABEL + 1, GOOD_SCORE), "^label: found values"),
        ((GOOD_LABEL * 0, GOOD_SCORE), "^label: found 0 signals and 4 backgrounds"),
        ((GOOD_LABEL, GOOD_SCORE * np.nan), "^score: .*NaN"),
        ((GOOD_LABEL, GOOD_SCORE[:, None]), "^score: found shape"),
        ((GOOD_LABEL, GOOD_SCORE, 0.5, -GOOD_SCORE), "^weight: found a smallest entry of -3"),
        ((GOOD_LABEL, GOOD_SCORE, 0.5, GOOD_SCORE[:3]), "^weight: found shape"),
        ((GOOD_LABEL, GOOD_SCORE, 0.5, np.array([1.0, 0, 1, 0])), "^label: found 0 signals and 2 backgrounds"),
        ((GOOD_LABEL, GOOD_SCORE, 0.0), "^efficiency: found"),
        ((GOOD_LABEL, GOOD_SCORE, [0.5, 1.1]), "^efficiency: found"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        background_rejection(*arguments, *([0.5] if len(arguments) == 2 else []))
    if "efficiency" not in message:
        with pytest.raises(ValueError, match=message):
            roc_curve(*(argument for argument in arguments if isinstance(argument, np.ndarray)))


def test_bad_level_is_named():
    with pytest.raises(ValueError, match="^level: found 68"):
        roc_band(GOOD_LABEL, GOOD_SCORE, 0.5, level=68)
