"""Streams of events: seeds, settings that Pythia refuses, and classes drawn at random."""

import itertools

import numpy as np
import pytest

from hepml_labs.datasets.pythia import events, mixture, take

FAST = ("WeakSingleBoson:ffbar2gmZ = on", "PartonLevel:all = off", "Beams:eCM = 13000")


def masses(seed, batch=20, batches=2):
    return np.concatenate(
        [next_.info.mHat.to_numpy() for next_ in itertools.islice(events(FAST, seed, batch), batches)]
    )


def test_the_seed_decides_the_events():
    np.testing.assert_array_equal(masses(1), masses(1))
    assert not np.isin(masses(1), masses(2)).any()
    np.testing.assert_array_equal(masses(np.random.default_rng(1)), masses(1))


def test_settings_that_pythia_refuses_are_named():
    with pytest.raises(ValueError, match="^settings: Pythia does not understand 'HardQDC:all = on'"):
        next(events(["HardQDC:all = on"], 1))
    with pytest.raises(ValueError, match="^settings: Pythia cannot start with"):
        next(events(["Beams:idA = 11"], 1))
    with pytest.raises(ValueError, match="^batch: found 0"):
        next(events(FAST, 1, batch=0))


def counting(start):
    return lambda random: ({"x": np.arange(7) + start + 7 * i} for i in itertools.count())


def test_mixture_keeps_the_order_of_each_stream_and_the_shares():
    labels, columns = mixture(20_000, 5, {0: (3, counting(0)), 5: (1, counting(10**6))})
    assert labels.dtype == np.int8 and abs((labels == 5).mean() - 0.25) < 0.01
    np.testing.assert_array_equal(columns["x"][labels == 0], np.arange((labels == 0).sum()))
    np.testing.assert_array_equal(columns["x"][labels == 5], 10**6 + np.arange((labels == 5).sum()))


def test_a_smaller_mixture_opens_a_larger_one():
    def noisy(random):
        while True:
            yield {"x": random.normal(size=7)}

    sources = {0: (1, noisy), 1: (1, noisy)}
    (few_labels, few), (labels, columns) = mixture(30, 5, sources), mixture(300, 5, sources)
    np.testing.assert_array_equal(few_labels, labels[:30])
    np.testing.assert_array_equal(few["x"], columns["x"][:30])


def test_take_accepts_batches_without_rows():
    stream = iter([{"x": np.zeros(0)}, {"x": np.ones(3)}])
    assert take(2, stream)["x"].tolist() == [1.0, 1.0]
