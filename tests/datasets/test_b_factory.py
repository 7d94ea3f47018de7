"""B mesons and continuum: kinematics, truth, separation as published, storage, seeds, bad input."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from hepml_labs.datasets import b_factory, b_reconstruction
from hepml_labs.datasets.b_factory import COLUMNS, EVENT_COLUMNS, SIX, generate, pack, unpack

pytest.importorskip("pythia8mc")


@pytest.fixture(scope="module")
def continuum():
    return generate(120, seed=1, signal=0.0)


@pytest.fixture(scope="module")
def signal():
    return generate(1000, seed=2, signal=1.0)


@pytest.fixture(scope="module")
def events():
    return generate(3000, seed=3, candidates=False)


def test_columns_and_types(continuum, signal, events):
    for columns, names in ((continuum, COLUMNS), (signal, COLUMNS), (events, EVENT_COLUMNS)):
        assert list(columns) == list(names)
        for name, values in columns.items():
            assert values.dtype == (np.int8 if "int8" in names[name] else np.float32)
            assert values.shape == ((len(columns["signal"]), 9) if name == "cones" else (len(columns["signal"]),))
            assert np.isfinite(values).all()
    assert set(SIX) < set(COLUMNS)


def test_signal_peaks_where_a_b_meson_is(signal):
    """Mass and width of m_ES and Delta E: half the spread of the beams, and the photons' resolution."""
    correct = signal["correct"] == 1
    assert 0.6 < correct.mean() < 0.8
    low, middle, high = np.percentile(signal["m_es"][correct], [16, 50, 84])
    assert middle == pytest.approx(5.279, abs=0.0005) and (high - low) / 2 == pytest.approx(0.0029, abs=0.0005)
    low, middle, high = np.percentile(signal["delta_e"][correct], [16, 50, 84])
    assert abs(middle) < 0.01 and 0.03 < (high - low) / 2 < 0.06
    assert np.median(signal["mass_kstar"][correct]) == pytest.approx(0.895, abs=0.005)


def test_directions_and_polarisation_follow_their_laws(signal):
    """sin^2 of a spinless pair from a vector; 9/4 (f_L cos^2 cos^2 + (1 - f_L) / 4 sin^2 sin^2) for the decay."""
    from hepml_labs.datasets.pythia import events as stream

    random = np.random.default_rng(4)
    source = b_factory._upsilon(random, charged=1.0)
    settings = (*b_factory._LEPTONS, "521:onMode = 3", "521:onPosIfMatch = 313 213")
    particles = b_reconstruction.flatten(next(stream(settings, 5, batch=6000, source=source)).prt)
    direction = particles["momentum"][particles["head"]]
    cosine = direction[:, 3] / np.linalg.norm(direction[:, 1:], axis=1)
    assert (cosine**2).mean() == pytest.approx(1 / 5, abs=0.01)
    kept = b_reconstruction.polarised(particles, random)
    # K*0 to K+ pi- is 2/3; the mean of the angular weight over its largest value is (1 / 9) / f_L
    assert len(kept["code"]) / 6000 == pytest.approx(2 / 27 / b_reconstruction.LONGITUDINAL, abs=0.012)
    # E[cos^2] of each angle is f_L 3/5 + (1 - f_L) 1/5; acceptance and resolution move it a little
    correct = signal["correct"] == 1
    expected = 0.2 + 0.4 * b_reconstruction.LONGITUDINAL
    assert (signal["helicity_kstar"][correct] ** 2).mean() == pytest.approx(expected, abs=0.04)


def test_continuum_is_quark_pairs_in_their_shares(continuum, events):
    background = events["signal"] == 0
    assert (continuum["flavor"] > 0).all() and not continuum["correct"].any()
    shares = np.bincount(events["flavor"][background], minlength=5)[1:] / background.sum()
    # squared charges 1 : 4 : 1 : 4 for d u s c; phase space takes little from charm at 10.58 GeV
    np.testing.assert_allclose(shares, np.array([1, 4, 1, 4]) / 10, atol=0.035)
    b_mesons = events["signal"] == 1
    assert (events["flavor"][b_mesons] == 0).all() and not events["charged"][background].any()
    assert events["charged"][b_mesons].mean() == pytest.approx(0.5, abs=0.04)


def test_windows_hold(continuum, signal):
    for columns in (continuum, signal):
        for name, low_high in (("m_es", "m_es"), ("delta_e", "delta_e"), ("mass_kstar", "kstar"), ("mass_rho", "rho")):
            low, high = b_reconstruction.WINDOWS[low_high]
            assert columns[name].min() > low - 1e-3 and columns[name].max() < high + 1e-3
        for name in ("cos_b_beam", "cos_thrust_beam", "cos_thrust_thrust", "cos_pi0"):
            assert 0 <= columns[name].min() and columns[name].max() <= 1 + 1e-6
        np.testing.assert_allclose(columns["cones"].sum(1), columns["l0"], rtol=1e-4)
        assert (columns["l2"] <= columns["l0"]).all() and (columns["sum_pt"] <= columns["l0"]).all()


def test_shapes_separate(continuum, signal, events):
    """The classics: R2 and thrust of whole events, the angle between thrust axes of candidates."""
    assert 0.88 < roc_auc_score(events["signal"], -events["r2"]) < 0.97
    assert 0.88 < roc_auc_score(events["signal"], -events["thrust"]) < 0.97
    labels = np.r_[continuum["signal"], signal["signal"]]
    both = {name: np.concatenate([continuum[name], signal[name]]) for name in COLUMNS}
    assert 0.84 < roc_auc_score(labels, -both["cos_thrust_thrust"]) < 0.94
    assert 0.85 < roc_auc_score(labels, both["fisher"]) < 0.96
    assert both["fisher"][labels == 0].mean() == pytest.approx(0, abs=0.35)
    assert both["fisher"][labels == 0].std() == pytest.approx(1, abs=0.25)
    assert both["fisher"][labels == 1].mean() == pytest.approx(2.07, abs=0.2)
    # the K*0 rho+ decay is spinless: its thrust axis knows nothing of the beam, the jets' do
    assert signal["cos_b_beam"].mean() == pytest.approx(3 / 8, abs=0.05)


def test_storage_keeps_the_stated_precision(signal, events):
    for columns in (signal, events):
        stored = pack(columns)
        assert "fisher" not in stored and all(values.dtype.itemsize <= 2 for values in stored.values())
        again = unpack(stored)
        assert list(again) == list(columns)
        for name, values in columns.items():
            assert again[name].dtype == values.dtype
            step = b_factory._STEPS[name] if values.dtype == np.float32 else 0.0
            tolerance = 0.01 if name == "fisher" else 0.51 * step + 1e-6
            np.testing.assert_allclose(again[name], values, atol=tolerance, rtol=0)
        packed_again = pack(again)
        assert all(np.array_equal(packed_again[name], stored[name]) for name in stored)


def test_pairs_are_those_of_a_double_loop():
    random = np.random.default_rng(8)
    first, second = np.sort(random.integers(0, 9, 30)), np.sort(random.integers(0, 9, 20))
    expected = [(i, j) for i in range(30) for j in range(20) if first[i] == second[j]]
    assert list(zip(*map(list, b_reconstruction.pairs(first, second)), strict=True)) == expected


@pytest.mark.parametrize(
    ("arguments", "message"), [({"n": 0}, "^n: found 0"), ({"n": 5, "signal": 1.5}, "^signal: found 1.5")]
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        generate(**arguments, seed=1)
