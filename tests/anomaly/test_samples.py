"""Samples of a search: what is injected is known exactly, and no event is there twice."""

import numpy as np
import pytest

from hepml_labs.anomaly.regions import Regions
from hepml_labs.anomaly.samples import SIGNAL_EVENTS, Events, all_events, inject, thin
from hepml_labs.datasets import load


@pytest.fixture(scope="module")
def train():
    return all_events(load("lhco_dijets", "train"))


def test_the_default_signal_has_the_published_significance(train):
    inside = Regions().inside(train.mass)
    b, share = (inside & (train.label == 0)).sum(), inside[train.label == 1].mean()
    assert SIGNAL_EVENTS * share / np.sqrt(b) == pytest.approx(2.2, abs=0.05)  # arXiv:2109.00546, section 3


def test_inject_keeps_all_background_and_divides_the_signal(train):
    events, rest = inject(train, signal=100, seed=3, with_rest=True)
    assert events.label.sum() == 100 and (events.label == 0).sum() == (train.label == 0).sum()
    assert (rest.label == 1).all() and len(rest.label) == train.label.sum() - 100
    assert not np.isin(rest.mass, events.mass[events.label == 1]).all()
    np.testing.assert_array_equal(events.features[events.label == 0], train.features[train.label == 0])


def test_a_smaller_signal_is_part_of_a_larger_one(train):
    small, large = (inject(train, signal=n, seed=3) for n in (50, 100))
    both = set(large.mass[large.label == 1])
    assert set(small.mass[small.label == 1]) <= both
    assert set(inject(train, 50, seed=4).mass[: len(small.mass)]) != set(small.mass)
    np.testing.assert_array_equal(small.mass, inject(train, signal=50, seed=3).mass)


def test_thinned_counts_are_binomial_and_share_what_was_derived():
    n, size, repeats = 2000, 500, 400
    events = Events(np.zeros((n, 1)), np.linspace(2600, 6000, n), np.zeros(n, int))
    region = events.mass < 4300
    counts = np.array([(thin(events, size, seed).mass < 4300).sum() for seed in range(repeats)])
    f = size / n
    assert counts.mean() == pytest.approx(f * region.sum(), abs=4 * np.sqrt(f * region.sum() / repeats))
    assert counts.var() == pytest.approx(f * (1 - f) * region.sum(), rel=4 * np.sqrt(2 / repeats))
    # a Poisson parent adds the variance f^2 that all samples of the same parent have in common
    random = np.random.default_rng(0)
    pairs = []
    for seed in range(repeats):
        parent = events.select(slice(0, random.poisson(n / 2)))
        pairs.append([len(thin(parent, round(f * len(parent.mass)), 2 * seed + k).mass) for k in (0, 1)])
    pairs = np.array(pairs)
    assert pairs.var(axis=0).mean() == pytest.approx(f * n / 2, rel=0.3)
    assert np.corrcoef(pairs.T)[0, 1] == pytest.approx(f, abs=0.17)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("signal", lambda e: inject(e, signal=-1)),
        ("signal", lambda e: inject(e, signal=10**6)),
        ("size", lambda e: thin(e, 10**6)),
        ("data", lambda e: all_events({"jets": np.ones((2, 2, 4)), "tau": np.ones((2, 2, 3))})),
    ],
)
def test_bad_input_is_named(train, name, call):
    with pytest.raises(ValueError, match=f"^{name}: "):
        call(train)
