"""The heavy-flavour jets: cuts, truth that fits the tracks, lifetimes, known separation, storage."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from hepml_labs.datasets import heavy_flavor
from hepml_labs.datasets.heavy_flavor import BOTTOM, CHARM, COLUMNS, LIGHT, ORIGINS, generate, pack, unpack

PILE_UP, FAKE, PRIMARY, FROM_B, FROM_B_TO_C, FROM_C, OTHER = range(len(ORIGINS))
Q_OVER_P, D_ETA, D_PHI, D0, Z0, S_D0 = 0, 1, 2, 3, 4, 10


@pytest.fixture(scope="module")
def jets():
    return generate(1500, seed=1)


def auc(values, flavor, signal, background):
    chosen = (flavor == signal) | (flavor == background)
    return roc_auc_score(flavor[chosen] == signal, values[chosen])


def axis(jet):
    pt = np.hypot(jet[:, 1], jet[:, 2])
    return pt, np.arcsinh(jet[:, 3] / pt), np.arctan2(jet[:, 2], jet[:, 1])


def test_columns_and_cuts(jets):
    assert list(jets) == list(COLUMNS)
    for values in jets.values():
        assert len(values) == 1500 and values.dtype in (np.float32, np.int8) and np.isfinite(values).all()
    pt, eta, _ = axis(jets["jet"])
    assert (pt > 20).all() and (pt < 250).all() and (np.abs(eta) < 2.5).all()
    assert np.bincount(jets["flavor"], minlength=6)[[LIGHT, CHARM, BOTTOM]].min() > 400
    there = jets["origin"] >= 0
    tracks = jets["tracks"]
    assert np.array_equal(there, tracks[..., Q_OVER_P] != 0) and not tracks[~there].any()
    assert (np.diff(there.astype(int), axis=1) <= 0).all()  # no gaps
    assert (np.diff(np.abs(tracks[..., S_D0]), axis=1) <= 1e-3).all()  # the most significant first
    track_eta = eta[:, None] + tracks[..., D_ETA]
    track_pt = 1 / (np.abs(tracks[..., Q_OVER_P])[there] * np.cosh(track_eta[there]))
    assert track_pt.min() > 0.4999 and np.abs(track_eta[there]).max() < 2.5001
    assert np.abs(tracks[..., D0]).max() < 3.5 and np.abs(tracks[..., Z0]).max() < 5.0
    np.testing.assert_allclose(
        tracks[there][:, 8], np.hypot(0.010, 0.090 / (track_pt * np.cosh(track_eta[there]) ** -0.5)), rtol=1e-3
    )


def test_origins_belong_to_their_flavours(jets):
    share = {flavor: jets["origin"][jets["flavor"] == flavor] for flavor in (LIGHT, CHARM, BOTTOM)}
    mean = {flavor: [(origin == k).sum(1).mean() for k in range(len(ORIGINS))] for flavor, origin in share.items()}
    assert mean[LIGHT][FROM_B] + mean[LIGHT][FROM_B_TO_C] + mean[CHARM][FROM_B] < 0.05
    assert mean[BOTTOM][FROM_B] > 1.4 and mean[BOTTOM][FROM_B_TO_C] > 1.4  # five charged particles in a mean b decay
    assert 1.5 < mean[CHARM][FROM_C] < 2.3 and mean[LIGHT][FROM_C] < 0.05
    assert 0.1 < mean[LIGHT][OTHER] < 0.4
    for flavor in mean:
        assert 0.6 < mean[flavor][PILE_UP] < 0.9 and 0.02 < mean[flavor][FAKE] < 0.12


def test_ancestors_decide_the_origin():
    #      event  B0   D+   K0S  pi   pi  rho  pi  Lambda  p   D0   e   tau  mu
    ids = [90, 511, 411, 310, 211, 211, 113, 211, 3122, 2212, 421, 11, 15, 13]
    mother = [0, 0, 1, 2, 3, 1, 0, 6, 0, 8, 0, 10, 2, 12]
    flat = {"id": np.array(ids), "mother": np.array(mother)}
    final = np.array([4, 5, 7, 9, 11, 13])
    found = heavy_flavor._origins(final, flat)
    assert found.tolist() == [FROM_B_TO_C, FROM_B, PRIMARY, OTHER, FROM_C, FROM_B_TO_C]


def test_lifetimes_are_those_of_b_and_c_hadrons(jets):
    """Lxy m / pT is c times the proper time: about 0.46 mm for b hadrons, 0.12 (D0), 0.15 and 0.31 mm (D+) for c."""
    proper = jets["decay_length"] / np.where(jets["hadron_pt"] > 0, jets["hadron_pt"], 1.0)
    bottom, charm = jets["flavor"] == BOTTOM, jets["flavor"] == CHARM
    assert (proper[bottom] * 5.3).mean() == pytest.approx(0.46, abs=0.07)  # three times 0.46 / sqrt(500)
    assert (proper[charm] * 1.9).mean() == pytest.approx(0.19, abs=0.04)
    assert (jets["hadron_pt"][bottom | charm] > 5).all()
    assert not jets["hadron_pt"][jets["flavor"] == LIGHT].any()


def test_true_vertices_are_those_of_the_hadrons(jets):
    vertex, origin, places = jets["vertex"], jets["origin"], jets["vertices"]
    assert (vertex[(origin == PILE_UP) | (origin == FAKE) | (origin == -1)] == -1).all()
    assert (vertex[origin >= PRIMARY] >= 0).all() and (vertex[origin == PRIMARY] == 0).all()
    assert places[:, 0].std(axis=0) == pytest.approx((0.010, 0.010, 0.030), rel=0.1)  # of the primary vertex
    row, track = np.nonzero((origin == FROM_B) & (vertex > 0) & (vertex < places.shape[1]))
    flight = np.hypot(*(places[row, vertex[row, track]] - places[row, 0])[:, :2].T)
    assert (np.abs(flight - jets["decay_length"][row]) < 0.02 * flight).mean() > 0.95  # the rest: vertices that touch
    row, track = np.nonzero((origin == FROM_B_TO_C) & (vertex > 0) & (vertex < places.shape[1]))
    flight = np.hypot(*(places[row, vertex[row, track]] - places[row, 0])[:, :2].T)
    assert (flight > 0.98 * jets["decay_length"][row]).mean() > 0.9  # downstream of the b hadron's


def test_tracks_point_back_to_their_vertices(jets):
    """The distance of the helix from the true vertex, over its uncertainty, has a core of width 1."""
    _, eta, phi = (values.astype(float) for values in axis(jets["jet"]))
    row, place = np.nonzero((jets["vertex"] >= 0) & (jets["vertex"] < jets["vertices"].shape[1]))
    track = jets["tracks"][row, place].astype(float)
    x, y, _ = jets["vertices"][row, jets["vertex"][row, place]].astype(float).T
    track_phi = phi[row] + track[:, D_PHI]
    pt = 1 / (np.abs(track[:, Q_OVER_P]) * np.cosh(eta[row] + track[:, D_ETA]))
    radius = np.sign(track[:, Q_OVER_P]) * pt / (0.299792458e-3 * 2.0)
    centre = (radius - track[:, D0])[:, None] * np.stack([np.sin(track_phi), -np.cos(track_phi)], axis=-1)
    miss = np.hypot(x - centre[:, 0], y - centre[:, 1]) - np.abs(radius)
    pull = miss / np.hypot(track[:, 8], np.hypot(x, y) * track[:, 7])
    far = np.hypot(x, y) > 1.0
    assert len(pull) > 8000 and far.sum() > 1000
    for values in (pull, pull[far]):
        low, high = np.quantile(values, (0.1587, 0.8413))
        assert (high - low) / 2 == pytest.approx(1.04, abs=0.06)  # the tail widens the centre by 4 %


def test_the_separation_is_the_known_one(jets):
    """Second largest signed significance: about 0.86 for b against light jets, 0.78 for b against c jets."""
    significance = np.where(jets["origin"] >= 0, jets["tracks"][..., S_D0], -100.0)
    second = np.sort(significance, axis=1)[:, -2]
    assert 0.82 < auc(second, jets["flavor"], BOTTOM, LIGHT) < 0.90
    assert 0.74 < auc(second, jets["flavor"], BOTTOM, CHARM) < 0.83
    pt, eta, _ = axis(jets["jet"])
    for values in (pt, np.abs(eta)):  # 0.5 within two and a half standard deviations
        assert 0.455 < auc(values, jets["flavor"], BOTTOM, LIGHT) < 0.545
        assert 0.455 < auc(values, jets["flavor"], BOTTOM, CHARM) < 0.545
    far = np.abs(jets["tracks"][..., S_D0]) > 3
    downstream = [(jets["tracks"][..., S_D0][far & (jets["origin"] == k)] > 0).mean() for k in (PRIMARY, FROM_B)]
    assert 0.4 < downstream[0] < 0.6 and downstream[1] > 0.85


def test_storage(jets):
    stored = pack(jets)
    assert {values.dtype.itemsize for values in stored.values()} == {1, 2}
    again = unpack(stored)
    assert list(again) == list(COLUMNS)
    for name in ("flavor", "origin", "vertex"):
        assert np.array_equal(again[name], jets[name])
    np.testing.assert_allclose(axis(again["jet"])[0], axis(jets["jet"])[0], rtol=1.1e-4)
    np.testing.assert_allclose(again["tracks"][..., Q_OVER_P], jets["tracks"][..., Q_OVER_P], rtol=2e-3)
    half = np.array([1.01e-4, 1.01e-4, 1.01e-3, 2.51e-3])
    assert (np.abs(again["tracks"] - jets["tracks"])[..., D_ETA : Z0 + 1] <= half).all()
    worst = np.abs(again["tracks"] - jets["tracks"])[..., 3:5] / np.where(
        jets["tracks"][..., 8:10] > 0, jets["tracks"][..., 8:10], 1
    )
    assert worst.max() < 0.1  # a tenth of the resolution
    for name in ("vertices", "hadron_pt", "decay_length"):
        np.testing.assert_allclose(again[name], jets[name], rtol=5e-4, atol=1e-6)
    twice = pack(again)
    for name, values in stored.items():
        assert np.abs(twice[name].astype(float) - values).max() <= 1  # steps, where single precision meets a half


def test_settings_and_bad_input():
    jets = generate(30, seed=1, light=0.0, charm=0.0, interactions=0.0)
    assert (jets["flavor"] == BOTTOM).all() and not (jets["origin"] == PILE_UP).any()
    with pytest.raises(ValueError, match="^n: found 0"):
        generate(0, seed=1)
    with pytest.raises(ValueError, match="^charm: found -1"):
        generate(5, seed=1, charm=-1.0)
    with pytest.raises(ValueError, match=r"^light \+ charm \+ bottom: found 0"):
        generate(5, seed=1, light=0.0, charm=0.0, bottom=0.0)
    with pytest.raises(ValueError, match="^interactions: found nan"):
        generate(5, seed=1, interactions=float("nan"))
