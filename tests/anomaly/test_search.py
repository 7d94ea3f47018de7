"""The whole search: uniform p-values without signal, a found signal with one, and no event used twice."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import kstest, norm

from hepml_labs.anomaly.base import AnomalyDetector
from hepml_labs.anomaly.bump_hunt import count_window
from hepml_labs.anomaly.regions import Regions
from hepml_labs.anomaly.samples import Events
from hepml_labs.anomaly.search import global_p_value, nested_correlation, scan, spectrum_edges, tile


class Shares(AnomalyDetector):
    """Classification without labels in its simplest form: share of the window in each bin of the one feature."""

    def fit(self, features, mass, regions):
        features, mass, inside, sideband = self._prepare(features, mass, regions)
        code = self._code(features)
        window, side = (np.bincount(code[mask], minlength=50) for mask in (inside, sideband))
        self.score_ = np.log((window + 1) / (side + 1))
        return self

    def _code(self, features):
        return np.clip((features[:, 0] * 50).astype(int), 0, 49)

    def score_samples(self, features, mass):
        features, mass = self._check(features, mass)
        return self.score_[self._code(features)] + 1e-3 * features[:, 0]  # no two scores alike


def pseudo_data(random, n=12_000, signal=0):
    mass = 2600 + random.exponential(700, n)
    keep = mass < 6000
    x, mass = random.uniform(size=(keep.sum() + signal, 1)), np.append(mass[keep], random.normal(3500, 80, signal))
    x[keep.sum() :, 0] = random.uniform(0.42, 0.44, signal)
    return Events(x, mass, np.r_[np.zeros(keep.sum(), int), np.ones(signal, int)])


def test_tiles_touch_and_edges_hold_the_window():
    windows = tile(Regions(), below=1, above=3)
    for first, second in pairwise(windows):
        assert first.signal[1] == pytest.approx(second.signal[0])
    for regions in windows:
        edges = spectrum_edges(regions)
        assert set(regions.signal) <= set(edges) and (edges[0], edges[-1]) == regions.range
        assert (np.diff(edges) > 0).all() and 60 < np.diff(edges).min() and np.diff(edges).max() < 160


def test_search_without_signal_has_uniform_p_values_and_the_derived_correlation():
    windows, efficiencies, z, p = tile(Regions(), above=1), np.array([0.2, 0.05]), [], []
    for seed in range(40):
        table = scan(Shares(), pseudo_data(np.random.default_rng(seed)), windows, efficiencies, seed=seed)
        z.append(table.significance)
        p.append(global_p_value(table, toys=2000, seed=seed, width=1.1).value)
    z = np.array(z)  # 240 numbers, worth 192 for a variance: errors 0.09 on the mean, 0.06 on the width
    assert kstest(p, "uniform").pvalue > 0.005
    assert abs(z.mean()) < 0.27 and 0.97 < z.std() < 1.35  # two folds with a table: between 1 and sqrt(2)
    assert np.corrcoef(z[..., 0].ravel(), z[..., 1].ravel())[0, 1] == pytest.approx(0.5, abs=0.2)
    assert abs(np.corrcoef(z[:, :-1].ravel(), z[:, 1:].ravel())[0, 1]) < 0.27  # neighbouring windows


def test_search_finds_a_signal_in_its_window_and_counts_what_passes():
    events = pseudo_data(np.random.default_rng(1), signal=200)
    table = scan(Shares(), events, tile(Regions()), (0.05,), seed=1)
    assert table.best == (1, 0) and global_p_value(table).value < 1e-3
    inside = Regions().inside(events.mass)
    assert table.observed[1, 0] == (table.passed[1, 0] & inside).sum()
    assert events.label[table.passed[1, 0] & inside].sum() > 100
    side = Regions().sideband(events.mass)
    assert (table.passed[1, 0] & side).sum() == pytest.approx(0.05 * side.sum(), abs=2)
    regions = tile(Regions())[1]
    counts = np.histogram(events.mass[table.passed[1, 0]], spectrum_edges(regions))[0]
    fitted = count_window(counts[None], spectrum_edges(regions), regions.signal, 4)
    assert table.expected[1, 0] == pytest.approx(fitted.expected[0])
    assert table.p_value == pytest.approx(norm.sf(table.significance))


def test_labels_are_not_read():
    events = pseudo_data(np.random.default_rng(2), signal=50)
    blind = SimpleNamespace(features=events.features, mass=events.mass)
    found, again = (scan(Shares(), data, [Regions()], (0.1,), seed=3) for data in (events, blind))
    np.testing.assert_array_equal(found.passed, again.passed)


def test_copies_are_refused():
    events = pseudo_data(np.random.default_rng(3), n=2000)
    doubled = Events(*(np.concatenate([column, column[:2]]) for column in events))
    with pytest.raises(ValueError, match=r"^events: found 2 event\(s\) more than once"):
        scan(Shares(), doubled, [Regions()], (0.1,))


def test_nested_correlation_of_poisson_counts():
    random, efficiencies = np.random.default_rng(4), np.array([0.3, 0.1])
    hard, rest = random.poisson(100, 20_000), random.poisson(200, 20_000)
    expected = nested_correlation(efficiencies)
    assert expected[0, 1] == pytest.approx(np.sqrt(1 / 3)) and (np.diag(expected) == 1).all()
    assert np.corrcoef(hard + rest, hard)[0, 1] == pytest.approx(expected[0, 1], abs=0.02)


def test_global_p_value_has_its_closed_forms():
    one_cut = SimpleNamespace(p_value=np.array([[0.02], [0.5], [0.9]]), efficiency=np.array([0.01]))
    found = global_p_value(one_cut, toys=50_000, seed=1)
    assert found.value == pytest.approx(1 - 0.98**3, abs=0.004) and found.local == 0.02
    assert found.low < found.value < found.high
    wider = global_p_value(one_cut, toys=50_000, seed=1, width=1.3)
    assert wider.value == pytest.approx(1 - norm.cdf(norm.isf(0.02) / 1.3) ** 3, abs=0.006)
    same_cut = SimpleNamespace(p_value=np.array([[0.02, 0.02]]), efficiency=np.array([0.01, 0.01]))
    assert global_p_value(same_cut, toys=50_000).value == pytest.approx(0.02, abs=0.003)
    nothing = SimpleNamespace(p_value=np.array([[1e-12]]), efficiency=np.array([0.01]))
    assert global_p_value(nothing, toys=999).value == 1e-3


def test_bad_input_is_named():
    events = pseudo_data(np.random.default_rng(5), n=2000)
    with pytest.raises(ValueError, match="^efficiencies: "):
        scan(Shares(), events, [Regions()], (0.1, 1.5))
    with pytest.raises(ValueError, match="^p_value: "):
        global_p_value(SimpleNamespace(p_value=np.array([[1.5]]), efficiency=np.array([0.01])))
    with pytest.raises(ValueError, match="^width: "):
        global_p_value(SimpleNamespace(p_value=np.array([[0.5]]), efficiency=np.array([0.01])), width=0)
    with pytest.raises(ValueError, match="^above: "):
        tile(Regions(), above=-1)
