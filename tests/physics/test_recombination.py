"""Jets by hand against FastJet and fastjet-contrib, and against what jet algorithms promise."""

import numpy as np
import pytest

from hepml_labs.physics.kinematics import boost, pt, rotate
from hepml_labs.physics.recombination import (
    cluster_by_hand,
    declusterings,
    exclusive_subjets,
    jet_mass,
    passes_soft_drop,
    rapidity,
    recombination_distances,
    separation,
    subjettiness,
)

ak = pytest.importorskip("awkward")
jets = pytest.importorskip("hepml_labs.physics.jets")

POWERS = {"antikt": -1, "ca": 0, "kt": 1}


@pytest.fixture
def event():
    """Massive particles around three directions, one of them at the seam of the azimuth."""
    random = np.random.default_rng(4)
    axes = np.array([[0.2, np.pi], [-1.0, 0.5], [1.5, -1.2]])[np.arange(60) % 3]
    y, azimuth = (axes + random.normal(scale=0.35, size=(60, 2))).T
    momentum, m = np.exp(random.uniform(-1, 4, 60)), random.uniform(0, 0.5, 60)
    transverse = np.hypot(momentum, m)
    return np.stack(
        [transverse * np.cosh(y), momentum * np.cos(azimuth), momentum * np.sin(azimuth), transverse * np.sinh(y)],
        axis=1,
    )


@pytest.fixture
def large_jets(event):
    """The constituents of the event's jets with more than five of them, as awkward records."""
    constituents = jets.cluster(records(event), 0.8, 0.0)[1][0]
    constituents = constituents[ak.num(constituents) > 5]
    assert len(constituents) >= 3
    return constituents


def records(momenta):
    return ak.Array([[dict(zip(("E", "px", "py", "pz"), map(float, row), strict=True)) for row in momenta]])


@pytest.mark.parametrize("algorithm", POWERS)
@pytest.mark.parametrize("radius", [0.4, 1.0])
def test_the_same_jets_as_fastjet(event, algorithm, radius):
    theirs = jets.to_array(jets.cluster(records(event), radius, 0.0, algorithm)[0][0])
    ours = cluster_by_hand(event, radius, POWERS[algorithm])
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


def test_soft_drop_like_fastjet_contrib(large_jets):
    for z_cut, beta in ((0.1, 0.0), (0.2, 1.0), (0.05, 2.0)):
        theirs = jets.soft_drop_mass(large_jets, 0.8, z_cut, beta)
        for members, expected in zip(large_jets, theirs, strict=True):
            kept = next(
                hard + soft
                for hard, soft in declusterings(jets.to_array(members), 1.2)
                if passes_soft_drop(pt(hard), pt(soft), separation(hard, soft), 0.8, z_cut, beta)
            )
            assert jet_mass(kept[None]) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_subjettiness_like_fastjet_contrib(large_jets, count):
    theirs = jets.n_subjettiness(large_jets, (count,), 0.8, axes="KT_Axes")[:, 0]
    for members, expected in zip(large_jets, theirs, strict=True):
        momenta = jets.to_array(members)
        assert subjettiness(momenta, exclusive_subjets(momenta, count), 0.8) == pytest.approx(expected, rel=1e-6)


def test_no_momentum_is_lost(event):
    np.testing.assert_allclose(cluster_by_hand(event, 0.6).sum(0), event.sum(0))


def test_jets_follow_rotations_about_the_beam_and_boosts_along_it(event):
    def moved(momenta):
        return rotate(boost(momenta, [0.0, 0.0, 0.7]), [0.0, 0.0, 1.0], 2.0)

    np.testing.assert_allclose(cluster_by_hand(moved(event), 0.6), moved(cluster_by_hand(event, 0.6)), atol=1e-8)


def test_anti_kt_is_safe_against_collinear_splitting_and_soft_emission(event):
    hard = cluster_by_hand(event, 0.6)[:3]
    split = np.concatenate([0.3 * event, 0.7 * event])
    np.testing.assert_allclose(cluster_by_hand(split, 0.6)[:3], hard, rtol=1e-9)
    soft = np.concatenate([event, 1e-9 * rotate(event, [1.0, 2.0, 3.0], 1.0)])
    np.testing.assert_allclose(cluster_by_hand(soft, 0.6)[:3], hard, rtol=1e-6)


def test_rapidity_adds_under_boosts(event):
    np.testing.assert_allclose(rapidity(boost(event, [0.0, 0.0, 0.6])), rapidity(event) + np.arctanh(0.6))


def test_bad_input_is_named():
    one = np.ones(2)
    for arguments, name in (
        ((one, one, np.ones(3), 0.4), "phi"),
        ((one - 1, one, one, 0.4), "pt"),
        ((one, one, one, 0.0), "radius"),
    ):
        with pytest.raises(ValueError, match=f"^{name}:"):
            recombination_distances(*arguments)
    with pytest.raises(ValueError, match="^momenta: found 2 particles"):
        exclusive_subjets(np.ones((2, 4)), 3)
    with pytest.raises(ValueError, match="^constituents:"):
        jet_mass(np.ones((2, 3)))
