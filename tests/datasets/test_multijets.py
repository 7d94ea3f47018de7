"""Four-jet events: exact tag probabilities, pairing, regions, closure of the known weight, storage, and bad input."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import chi2

from hepml_labs.datasets import load
from hepml_labs.datasets.multijets import (
    COLUMNS,
    FEATURES,
    candidates,
    features,
    generate,
    m_hh,
    pack,
    region,
    signal_settings,
    tag_efficiency,
    tag_probability,
    unpack,
    x_hh,
)
from hepml_labs.physics.kinematics import delta_r, eta, mass, phi, pt

EVENTS = 60


@pytest.fixture(scope="module")
def made():
    pytest.importorskip("pythia8mc")
    return generate(EVENTS, seed=3, signal_share=0.4)


@pytest.fixture(scope="module")
def bundled():
    return {name: np.concatenate([load("multijets", split)[name] for split in ("train", "test")]) for name in COLUMNS}


def four_jets(n, seed=1):
    """Random jets (n, 4, 4), in no order."""
    random = np.random.default_rng(seed)
    transverse, rapid = 40 + random.exponential(50, (n, 4)), random.uniform(-2.5, 2.5, (n, 4))
    angle, heavy = random.uniform(-np.pi, np.pi, (n, 4)), random.uniform(2, 20, (n, 4))
    energy = np.hypot(transverse * np.cosh(rapid), heavy)
    return np.stack([energy, *(transverse * np.stack([np.cos(angle), np.sin(angle), np.sinh(rapid)]))], axis=-1)


def test_columns(made):
    assert list(made) == list(COLUMNS)
    assert [made[name].dtype.name for name in COLUMNS] == ["float32", "int8", "int8", "float32", "int8"]
    assert made["jets"].shape == (EVENTS, 4, 4) and made["tag_probability"].shape == (EVENTS, 3)
    assert set(made["label"]) == {0, 1} and abs(made["label"].mean() - 0.4) < 4 * np.sqrt(0.24 / EVENTS)


@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_edges_are_exact_in_either_precision(bundled, precision):
    jets = bundled["jets"].astype(precision)
    assert pt(jets).min() > 40 and np.abs(eta(jets)).max() < 2.5
    assert (np.diff(pt(bundled["jets"].astype(np.float64)), axis=1) < 1e-4).all()
    masses = mass(candidates(jets))
    assert masses.min() > 60 and masses.max() < 220
    assert bundled["number"].min() == 4 and set(bundled["tags"]) == {2, 3, 4}


def test_generated_rows_pass_the_cuts_and_have_their_probabilities(made):
    assert pt(made["jets"]).min() > 40 and np.abs(eta(made["jets"])).max() < 2.5
    assert mass(candidates(made["jets"])).min() > 60 and mass(candidates(made["jets"])).max() < 220
    expected = tag_probability(tag_efficiency(made["jets"], made["label"]))
    np.testing.assert_allclose(made["tag_probability"], expected, rtol=1e-6)


def test_tag_probability_against_all_sixteen_patterns():
    efficiency = np.random.default_rng(2).uniform(0, 1, (200, 4))
    expected = np.zeros((200, 5))
    for pattern in product([False, True], repeat=4):
        expected[:, sum(pattern)] += np.where(pattern, efficiency, 1 - efficiency).prod(axis=1)
    np.testing.assert_allclose(tag_probability(efficiency), expected[:, 2:], rtol=1e-12, atol=1e-16)
    assert np.array_equal(tag_probability(np.ones((1, 4))), [[0, 0, 1]])


def test_efficiency_by_hand_and_its_shape():
    def row(size, distance, forward=0.0):
        angles = np.array([0.0, distance, np.pi, np.pi - distance])
        three = size * np.stack([np.cos(angles), np.sin(angles), np.full(4, np.sinh(forward))])
        return np.stack([np.sqrt((three**2).sum(axis=0)), *three], axis=-1)[None]

    logit = 0.5 - 0.5 * np.log(300 / 150) ** 2 - 0.18 * 1.5**2 + 1.1 * np.exp(-(1.0 - 0.4) / 0.6)
    np.testing.assert_allclose(tag_efficiency(row(300.0, 1.0, 1.5)), 1 / (1 + np.exp(-logit)), rtol=1e-12)
    near, far = tag_efficiency(row(60.0, 0.5)), tag_efficiency(row(60.0, 1.0))
    soft, forward = tag_efficiency(row(41.0, 0.5)), tag_efficiency(row(60.0, 0.5, 2.0))
    assert (near > far).all() and (near > soft).all() and (near > forward).all()
    assert (tag_efficiency(row(60.0, 1.0), label=1) > far).all()


def test_tags_follow_their_probabilities(bundled):
    """Given that a row is kept, its number of tags is drawn from its three probabilities."""
    share = bundled["tag_probability"].astype(np.float64)
    share /= share.sum(axis=1, keepdims=True)
    found = bundled["tags"][:, None] == [2, 3, 4]
    spread = np.sqrt(share * (1 - share))
    pulls = [(found - share).sum(axis=0) / np.sqrt((spread**2).sum(axis=0))]
    slope = share - share.mean(axis=0)  # the more probable, the more often
    pulls.append((slope * (found - share)).sum(axis=0) / np.sqrt((slope**2 * spread**2).sum(axis=0)))
    assert np.abs(pulls).max() < 4


def test_the_known_weight_closes(bundled):
    """Events with two tags, weighted with p_4 / p_2, are as many as those with four, and look like them."""
    background = bundled["label"] == 0
    probability = bundled["tag_probability"].astype(np.float64)
    variables = np.column_stack([features(bundled), m_hh(bundled["jets"]), mass(candidates(bundled["jets"]))])
    two, four = background & (bundled["tags"] == 2), background & (bundled["tags"] == 4)
    weight = probability[two, 2] / probability[two, 0]
    total, expected, error = four.sum(), weight.sum(), np.sqrt((weight**2).sum() + four.sum())
    assert abs(total - expected) < 4 * error
    unweighted = 0
    for column in variables.T:
        edges = np.unique(np.quantile(column[four], np.linspace(0, 1, 13)[1:-1]))
        place = np.searchsorted(edges, column)
        observed, predicted, variance, flat = (
            np.bincount(place[rows], weights, minlength=len(edges) + 1)
            for rows, weights in ((four, None), (two, weight), (two, weight**2), (two, None))
        )
        statistic = ((observed - predicted) ** 2 / (observed + variance)).sum()
        assert chi2.sf(statistic, len(observed)) > 1e-4
        scale = total / two.sum()
        distance = ((observed - flat * scale) ** 2 / (observed + flat * scale**2)).sum()
        unweighted += chi2.sf(distance, len(edges)) < 1e-4
    assert unweighted >= 5  # without the weight most variables disagree


def test_shares_of_tags_and_regions(bundled):
    background = bundled["label"] == 0
    counts = np.bincount(bundled["tags"][background], minlength=5)
    assert 0.1 < counts[4] / counts[2] < 0.3
    masks = region(*mass(candidates(bundled["jets"][background])).T)
    assert 0.03 < masks["signal"].mean() < 0.1 and 0.08 < masks["control"].mean() < 0.25
    assert 0.02 < bundled["label"].mean() < 0.04


def test_signal_peaks_at_the_mass_of_the_higgs_boson(bundled):
    signal = bundled["label"] == 1
    first, second = mass(candidates(bundled["jets"][signal])).T
    for masses in (first, second):
        counts, edges = np.histogram(masses, np.arange(60, 221, 5))
        smooth = np.convolve(counts, [1, 2, 3, 2, 1], "same")
        assert abs(edges[smooth.argmax()] + 2.5 - 122) < 10
    inside = region(first, second)["signal"].mean()
    background = region(*mass(candidates(bundled["jets"][~signal])).T)["signal"].mean()
    assert inside > 0.2 and inside > 4 * background
    assert abs(np.median(m_hh(bundled["jets"][signal])[x_hh(first, second) < 1.6]) - 500) < 25


def test_pairing_against_a_loop_and_under_permutations():
    jets = four_jets(200)
    found = candidates(jets)
    for event, (first, second) in zip(jets, found, strict=True):
        best = None
        for pairs in ([(0, 1), (2, 3)], [(0, 2), (1, 3)], [(0, 3), (1, 2)]):
            harder, softer = sorted(pairs, key=lambda pair: -pt(event[pair[0]] + event[pair[1]]))
            distance = delta_r(event[harder[0]], event[harder[1]])
            if best is None or distance < best[0]:
                best = distance, event[list(harder)].sum(axis=0), event[list(softer)].sum(axis=0)
        np.testing.assert_allclose([first, second], best[1:], rtol=1e-12)
    order = np.random.default_rng(5).permuted(np.tile(np.arange(4), (200, 1)), axis=1)
    shuffled = np.take_along_axis(jets, order[..., None], axis=1)
    assert np.array_equal(candidates(shuffled), found)
    number = np.full(200, 4)
    np.testing.assert_allclose(
        features({"jets": shuffled, "number": number}), features({"jets": jets, "number": number}), rtol=1e-6
    )


@pytest.mark.parametrize(
    ("m1", "m2", "name"),
    [
        (124.0, 117.0, "signal"),
        (147.5, 117.0, "signal"),  # 23.5 / 14.75 = 1.593
        (147.7, 117.0, "validation"),  # 23.7 / 14.77 = 1.605
        (124.0, 101.0, "signal"),  # 16 / 10.1 = 1.584
        (124.0, 100.8, "validation"),  # 16.2 / 10.08 = 1.607
        (127.72, 150.4, "validation"),  # 29.89 above 120.51
        (127.72, 150.6, "control"),
        (130.2, 167.8, "control"),  # 44.95 above 122.85
        (130.2, 167.9, None),  # 45.05
        (97.8, 120.51, "validation"),  # 29.92 left of 127.72
        (97.6, 120.51, "control"),
        (60.0, 220.0, None),
    ],
)
def test_regions_by_hand(m1, m2, name):
    masks = region(np.array([m1]), np.array([m2]))
    assert {key: bool(mask[0]) for key, mask in masks.items()} == {
        key: key == name for key in ("signal", "validation", "control")
    }


def test_features_of_an_event_made_by_hand():
    def jet(size, angle, rapid=0.0):
        return [size * np.cosh(rapid), size * np.cos(angle), size * np.sin(angle), size * np.sinh(rapid)]

    event = np.array([[jet(100, 0.0), jet(80, 0.6), jet(60, 3.1, 1.0), jet(50, -2.6, 0.2)]])
    row = dict(zip(FEATURES, features({"jets": event, "number": np.array([6])})[0].tolist(), strict=True))
    other = np.hypot(0.8, 2 * np.pi - 5.7)
    first, second = event[0, 0] + event[0, 1], event[0, 2] + event[0, 3]
    expected = (np.log(80), np.log(50), np.log(0.6), np.log(other), 0.3, np.log(pt(first + second)))
    expected += (delta_r(first, second), 0.6, 2 * np.pi - 5.7, 6)
    np.testing.assert_allclose(list(row.values()), expected, rtol=1e-5)
    np.testing.assert_allclose(m_hh(event), mass(first + second), rtol=1e-12)
    assert features({"jets": event.astype(np.float32), "number": np.array([6])}).dtype == np.float32


def test_storage_rounds_once(bundled):
    rows = {name: values[:5000] for name, values in bundled.items()}
    again = unpack(pack(rows))
    for name in ("number", "tags", "label", "tag_probability"):
        assert np.array_equal(again[name], rows[name])
    assert np.array_equal(again["jets"][..., 1:], rows["jets"][..., 1:])
    np.testing.assert_allclose(again["jets"], rows["jets"], rtol=1e-5)
    assert "tag_probability" not in pack(rows)


def test_precision_of_storage():
    jets = four_jets(500, seed=3)
    zeros = np.zeros(500, dtype=np.int8)
    again = unpack(pack({"jets": jets, "number": zeros, "tags": zeros, "label": zeros}))["jets"].astype(np.float64)
    assert np.abs(np.log(pt(again) / pt(jets))).max() < 2.6e-4
    assert np.abs(eta(again) - eta(jets)).max() < 5.1e-4
    assert np.abs((phi(again) - phi(jets) + np.pi) % (2 * np.pi) - np.pi).max() < 5.1e-4
    assert np.abs(mass(again) - mass(jets)).max() < 0.0051 * 21
    assert np.std(m_hh(again) / m_hh(jets) - 1) < 5e-4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "^n: found 0"),
        ({"signal_share": 1.5}, "^signal_share: found 1.5"),
        ({"resonance_mass": 200.0}, "^resonance_mass: found 200"),
    ],
)
def test_bad_settings_are_named(arguments, message):
    pytest.importorskip("pythia8mc")
    with pytest.raises(ValueError, match=message):
        generate(**{"n": 5, "seed": 1, **arguments})
    assert "35:m0 = 450.0" in signal_settings(450.0)


def test_bad_columns_are_named():
    jets = four_jets(5)
    for function in (candidates, m_hh, tag_efficiency):
        with pytest.raises(ValueError, match=r"^jets: found shape \(5, 3, 4\)"):
            function(jets[:, :3])
    with pytest.raises(ValueError, match="^data: column 'number' is missing"):
        features({"jets": jets})
    with pytest.raises(ValueError, match=r"^number: found shape \(4,\)"):
        features({"jets": jets, "number": np.full(4, 4)})
    with pytest.raises(ValueError, match=r"^label: found \[2\]"):
        tag_efficiency(jets, label=2)
    with pytest.raises(ValueError, match=r"^efficiency: found shape \(5, 3\)"):
        tag_probability(np.full((5, 3), 0.5))
    with pytest.raises(ValueError, match="^m2: found shape"):
        x_hh(np.ones(3), np.ones(2))
    with pytest.raises(ValueError, match="^m1: found a smallest entry of 0"):
        region(np.zeros(3), np.ones(3))
