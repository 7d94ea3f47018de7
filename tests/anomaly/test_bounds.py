"""Bounds: both learn the same ordering, and their scores are the known log ratios."""

import numpy as np
import pytest
from scipy.stats import norm, spearmanr
from test_anode import centre, toy

from hepml_labs.anomaly.bounds import Idealised, Supervised
from hepml_labs.anomaly.classifiers import classifier
from hepml_labs.anomaly.regions import Regions

GRID = np.linspace(0.0, 3.0, 13)[:, None]
AT = np.full(len(GRID), 3500.0)


def trees():
    return classifier("trees", members=2, trees=60, leaves=8, seed=1)


def background(n=8000, seed=7):
    random = np.random.default_rng(seed)
    return random.normal(size=(n, 1)) + centre(random.uniform(3300, 3700, size=(n, 1)))


def test_idealised_learns_data_over_background():
    x, mass, _ = toy(12_000)
    score = Idealised(trees()).fit(x, mass, Regions(), background=background()).score_samples(GRID, AT)
    exact = np.log(0.8 + 0.2 * norm.pdf(GRID[:, 0], 2.5, 0.3) / norm.pdf(GRID[:, 0]))
    assert np.abs(score - exact).mean() < 0.35


def test_supervised_orders_as_signal_over_background_and_needs_no_sidebands_labels():
    x, mass, signal = toy(12_000)
    label = signal.astype(int)
    detector = Supervised(trees()).fit(x, mass, Regions(), label=label)
    exact = norm.logpdf(GRID[:, 0], 2.5, 0.3) - norm.logpdf(GRID[:, 0])
    assert spearmanr(detector.score_samples(GRID, AT), exact).statistic > 0.9
    flipped = np.where(Regions().inside(mass), label, 1 - label)  # labels outside of the window are not used
    again = Supervised(trees()).fit(x, mass, Regions(), label=flipped)
    np.testing.assert_array_equal(detector.score_samples(GRID, AT), again.score_samples(GRID, AT))


def test_bad_input_is_named():
    x, mass, signal = toy(1000)
    with pytest.raises(ValueError, match="background: found shape"):
        Idealised(trees()).fit(x, mass, Regions(), background=np.zeros((5, 2)))
    for label in (signal[:-1], 2 * signal.astype(int), np.zeros(len(mass))):
        with pytest.raises(ValueError, match="label"):
            Supervised(trees()).fit(x, mass, Regions(), label=label)
