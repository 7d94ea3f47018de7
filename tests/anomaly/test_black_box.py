"""Black boxes: a third is empty, seeds decide on everything, and the scores reward honesty."""

import numpy as np
import pytest

from hepml_labs.anomaly.black_box import SIZE, Box, move_resonance, open_box, seal
from hepml_labs.anomaly.samples import Events, all_events
from hepml_labs.datasets import load


@pytest.fixture(scope="module")
def pieces():
    random = np.random.default_rng(0)
    n = 30_000
    background = Events(random.normal(size=(n, 1)), 2600 + random.exponential(600, n), np.zeros(n, int))
    signal = Events(random.normal(size=(1000, 1)), random.normal(3500, 100, 1000), np.ones(1000, int))
    return background, signal


def truth(box):
    return box.unseal(probability=0.5, interval=(0, 0)).signal


def test_a_third_of_the_boxes_is_empty_and_the_others_have_the_promised_strength(pieces):
    signal = np.array([truth(seal(*pieces, seed)) for seed in range(60)])
    assert abs((signal == 0).mean() - 1 / 3) < 0.2
    background, resonance = pieces
    low, high = np.quantile(resonance.mass, [0.1, 0.9])
    beside = ((background.mass > low) & (background.mass < high)).mean() * SIZE
    strength = 0.8 * signal[signal > 0] / np.sqrt(beside)
    assert 0.6 < strength.min() and strength.max() < 6


def test_the_seed_decides(pieces):
    first, again, other = (seal(*pieces, seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.mass, again.mass)
    assert len(first) != len(other) or (first.mass != other.mass).any()
    assert abs(len(first) - SIZE) < 700


def test_signal_does_not_stand_at_the_end(pieces):
    box = next(box for box in (seal(*pieces, seed) for seed in range(9)) if truth(box))
    place = np.flatnonzero(box._label)
    assert place.min() < 0.1 * len(box) and place.max() > 0.9 * len(box)


def test_a_moved_resonance_has_all_masses_times_the_factor_and_passes_the_trigger():
    data = load("lhco_dijets", "validation")
    events = all_events(data)
    signal = events.select(events.label == 1)
    heavier, lighter = move_resonance(data, 1.2), move_resonance(data, 0.9)
    np.testing.assert_allclose(heavier.mass, 1.2 * signal.mass, rtol=1e-5)
    np.testing.assert_allclose(heavier.features[:, 2:], signal.features[:, 2:])
    np.testing.assert_allclose(heavier.features[:, :2], 1.2 * signal.features[:, :2], rtol=1e-3, atol=0.1)
    passes = np.hypot(*data["jets"][data["signal"] == 1][:, 0, 1:3].T) > 1200 / 0.9
    np.testing.assert_allclose(lighter.mass, 0.9 * signal.mass[passes], rtol=1e-5)
    assert 0 < passes.sum() < len(passes)


def test_boxes_differ_in_mass_and_empty_ones_have_none():
    verdicts = [open_box(number).unseal(0.5, (0, 0)) for number in (4, 5, 7)]
    assert verdicts[0].signal == 0 and np.isnan(verdicts[0].mass)
    assert verdicts[2].mass > verdicts[1].mass + 200


def test_a_box_shows_no_label():
    box = open_box(1)
    assert [name for name in vars(box) if not name.startswith("_")] == ["features", "mass"]
    assert "sealed" in repr(box) and box.features.shape == (len(box), 4)


def test_the_honest_answer_scores_best():
    random = np.random.default_rng(1)
    signal = random.poisson(40, 4000)

    def score(low, high):
        return np.mean([high - low + 2 / 0.32 * max(low - s, s - high, 0) for s in signal])

    honest = np.quantile(signal, [0.16, 0.84])
    assert score(*honest) < min(score(30, 50), score(37, 43), score(34, 60))
    box = Box(Events(np.zeros((4, 1)), np.full(4, 3500.0), np.array([1, 0, 1, 0])))
    verdict = box.unseal(0.8, (1, 3), mass=3400.0)
    assert verdict.covered and verdict.interval == 2 and verdict.mass_off == 100
    assert verdict.detection == pytest.approx(0.04)
    missed = box.unseal(0.8, (4, 6))
    assert not missed.covered and missed.interval == pytest.approx(2 + 2 / 0.32 * 2) and np.isnan(missed.mass_off)


def test_bad_answers_are_named():
    box = Box(Events(np.zeros((2, 1)), np.full(2, 3500.0), np.zeros(2, int)))
    for name, arguments in (
        ("probability", {"probability": 2, "interval": (0, 1)}),
        ("interval", {"probability": 0.5, "interval": (3, 1)}),
        ("mass", {"probability": 0.5, "interval": (0, 1), "mass": -1.0}),
    ):
        with pytest.raises(ValueError, match=f"^{name}: "):
            box.unseal(**arguments)
    with pytest.raises(ValueError, match="^factor: "):
        move_resonance(load("lhco_dijets", "validation", n=10), 0)


def test_too_few_events_are_named(pieces):
    background, signal = pieces
    with pytest.raises(ValueError, match="^background: "):
        seal(background.select(slice(0, 100)), signal, 0)
