"""Looking elsewhere: a process whose maximum is known in closed form, brute force, pyBumpHunter, uniform p-values."""

import numpy as np
import pytest
from scipy.stats import kstest, norm, poisson

from hepml_labs.anomaly.background_fit import dijet, fit_spectrum
from hepml_labs.anomaly.bump_hunt import scan
from hepml_labs.anomaly.trials import bump_hunter, count_upcrossings, global_p_value, toy_p_value

EDGES = np.linspace(2600, 6600, 41)


def wave(length, n, seed=0, points=200):
    """a cos t + b sin t with Gaussian a and b: Gaussian at each t, with correlation cos(t - t')."""
    t = np.linspace(0, length, points)
    a, b = np.random.default_rng(seed).normal(size=(2, n, 1))
    return a * np.cos(t) + b * np.sin(t)


def test_upcrossings_of_a_wave_follow_rice():
    """Over a length L the mean number above u is L / (2 pi) exp(-u^2 / 2)."""
    z = wave(np.pi, 20_000)
    for level in (0.0, 1.0, 2.0):
        mean = 0.5 * np.exp(-(level**2) / 2)
        crossings = count_upcrossings(z, level)
        assert crossings.mean() == pytest.approx(mean, abs=4 * np.sqrt(mean / 20_000))


def test_global_p_value_of_a_wave_is_exact():
    """Over half a period the wave rises at most once, so that the bound is the probability; checked on the maximum."""
    z = wave(np.pi, 20_000, seed=1)
    for level in (0.0, 1.0):
        upcrossings = 0.5 * np.exp(-(level**2) / 2)
        for u in (1.0, 2.0, 3.0):
            p = global_p_value(u, upcrossings, level)
            assert p == pytest.approx(norm.sf(u) + 0.5 * np.exp(-(u**2) / 2), rel=1e-12)
            assert (z.max(-1) > u).mean() == pytest.approx(p, abs=4 * np.sqrt(p / 20_000))
    assert global_p_value(np.array([0.0, -2.0]), 50.0).tolist() == [1.0, 1.0]


def test_global_p_value_of_a_mass_scan():
    """Upcrossings of a few pseudo-experiments predict how often many reach a high significance."""
    truth = fit_spectrum(
        100 * dijet((EDGES[1:] + EDGES[:-1]) / 2, np.array([-10.5, 0.2, 16.2, 4.4])), EDGES, 4
    ).expected
    toys = np.random.default_rng(31).poisson(truth, (200, 40))
    z = scan(toys, EDGES, np.arange(2900.0, 4800.0, 75.0), 120.0, 4).significance
    upcrossings = count_upcrossings(z[:80]).mean()
    for u in (2.0, 2.5):
        p = global_p_value(u, upcrossings)
        assert (z.max(-1) > u).mean() == pytest.approx(p, abs=4 * np.sqrt(p / 200) + 0.15 * p)
        assert p > 4 * norm.sf(u)  # the trial factor


def test_toy_p_values_are_valid_and_uniform():
    random = np.random.default_rng(2)
    expected = np.array([4.0, 9.0, 2.0])
    weight = np.array([1.0, 0.37, 2.1])  # no ties worth mentioning
    found = [
        toy_p_value(lambda n: n @ weight + 1e-3 * (n @ weight[::-1]), random.poisson(expected), expected, 99, seed)
        for seed in range(300)
    ]
    p_values = np.array([result.p_value for result in found])
    assert kstest(p_values, "uniform").pvalue > 1e-3
    assert p_values.min() >= 0.01 and all(result.low < result.p_value < result.high + 0.01 for result in found)
    exact = poisson.sf(15, expected.sum())
    result = toy_p_value(lambda n: n.sum(-1), np.array([6, 8, 2]), expected, 4000, seed=1)
    assert result.low - 3 * 0.01 < exact < result.high + 3 * 0.01 and result.observed == 16


def test_bump_hunter_is_the_best_of_all_windows():
    random = np.random.default_rng(4)
    expected = random.uniform(1, 30, 12)
    counts = random.poisson(expected, (5, 12))
    found = bump_hunter(counts, expected, 1, 4)
    for i, row in enumerate(counts):
        best = {
            (start, start + width): poisson.sf(
                row[start : start + width].sum() - 1, expected[start : start + width].sum()
            )
            for width in range(1, 5)
            for start in range(13 - width)
            if row[start : start + width].sum() > expected[start : start + width].sum()
        }
        window = min(best, key=best.get)
        assert (found.start[i], found.stop[i]) == window
        assert found.statistic[i] == pytest.approx(-np.log(best[window]), rel=1e-8)
    widest = bump_hunter(np.array([9, 9, 15, 15, 15, 15, 9, 9]), np.full(8, 9.0), 1, 4)
    assert (widest.start, widest.stop) == (2, 6)
    assert bump_hunter(np.zeros(6), np.ones(6)).statistic == 0  # no excess anywhere


COUNTS = np.array([419, 339, 250, 238, 212, 171, 165, 121, 123, 131, 102, 68, 48, 55, 43, 33, 23, 28, 14, 16])
FALLING = 400 * np.exp(-np.arange(20) / 6)


def test_bump_hunter_gives_the_number_of_py_bump_hunter():
    """Version 0.5.1: t_ar, min_loc_ar and min_width_ar of BumpHunter1D(width_min=1, width_max=10, scan_step=1)."""
    found = bump_hunter(COUNTS, FALLING, 1, 10)
    assert found.statistic == pytest.approx(14.936838480760597, rel=1e-12)
    assert (found.start, found.stop - found.start) == (9, 2)
    peer = pytest.importorskip("pyBumpHunter")
    hunter = peer.BumpHunter1D(rang=[0, 20], bins=np.arange(21.0), width_min=1, width_max=10)
    hunter.bump_scan(COUNTS, FALLING, is_hist=True, do_pseudo=False)
    assert found.statistic == pytest.approx(hunter.t_ar[0], rel=1e-12)
    assert (found.start, found.stop - found.start) == (hunter.min_loc_ar[0], hunter.min_width_ar[0])


def test_bump_hunter_with_refitted_toys_is_calibrated():
    """The background is fitted to each histogram; forgetting this in the pseudo-experiments would bias the p-value."""
    truth = dijet((EDGES[1:] + EDGES[:-1]) / 2, np.array([0.0, 8.0, 5.0]))  # some 2,500 events

    def statistic(counts):
        return bump_hunter(counts, fit_spectrum(counts, EDGES, 3).expected, 1, 6).statistic

    data = np.random.default_rng(6).poisson(truth, (40, 40))
    fits = fit_spectrum(data, EDGES, 3).expected
    p_values = [
        toy_p_value(statistic, n, b, 49, seed).p_value for seed, (n, b) in enumerate(zip(data, fits, strict=True))
    ]
    assert kstest(p_values, "uniform").pvalue > 1e-3


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="expected"):
        bump_hunter(np.ones(5), np.ones(4))
    with pytest.raises(ValueError, match="counts"):
        bump_hunter(-np.ones(5), np.ones(5))
    with pytest.raises(ValueError, match="maximum_width"):
        bump_hunter(np.ones(5), np.ones(5), 1, 6)
    with pytest.raises(ValueError, match="significance"):
        count_upcrossings(np.array([1.0]))
    with pytest.raises(ValueError, match="upcrossings"):
        global_p_value(3.0, -1.0)
    with pytest.raises(ValueError, match="toys"):
        toy_p_value(lambda n: n.sum(-1), np.ones(3), np.ones(3), toys=0)
    with pytest.raises(ValueError, match="statistic"):
        toy_p_value(lambda n: n.sum(), np.ones(3), np.ones(3), toys=10)
