"""Diphoton events: the peak, the selection, features from an independent calculation, storage, seeds, bad input."""

import numpy as np
import pytest

from hepml_labs.datasets import higgs_diphoton, load
from hepml_labs.datasets.higgs_diphoton import COLUMNS, HIGH_LEVEL, LOW_LEVEL, generate, high_level, pack, unpack
from hepml_labs.physics.kinematics import boost, delta_r, eta, mass, phi, pt

pytest.importorskip("pythia8mc")


@pytest.fixture(scope="module")
def signal():
    return generate(700, seed=1, signal=1.0)


@pytest.fixture(scope="module")
def background():
    return generate(500, seed=2, signal=0.0, masses=(110, 120, 120))


@pytest.fixture(params=["signal", "background"])
def events(request):
    return request.getfixturevalue(request.param)


def test_columns_and_types(events):
    assert list(events) == list(COLUMNS)
    for name, values in events.items():
        assert values.dtype == (np.int8 if "int8" in COLUMNS[name] else np.float32)
        assert len(values) == len(events["signal"]) and np.isfinite(values).all()
    assert events["photons"].shape[1:] == (2, 4) and events["jets"].shape[1:] == (3, 4)


def test_peak_and_width(signal):
    """The mass peaks at the one asked for, as wide as the photons' estimated resolutions say."""
    pull = (signal["m_gg"] / 125 - 1) / signal["sigma_m"]
    assert np.median(signal["m_gg"]) == pytest.approx(125, abs=0.2)
    assert np.median(pull) == pytest.approx(0, abs=0.15)
    assert np.diff(np.percentile(pull, [16, 84])) / 2 == pytest.approx(1, abs=0.12)
    best = signal["sigma_m"] < np.median(signal["sigma_m"])
    assert signal["m_gg"][best].std() < 0.8 * signal["m_gg"][~best].std()


def test_selection(events):
    photons, jets = events["photons"].astype(float), events["jets"].astype(float)
    total = mass(photons.sum(1))
    np.testing.assert_allclose(mass(photons) / photons[..., 0], 0, atol=1e-3)  # single precision
    assert total.min() > 99.99 and total.max() < 180.01
    assert (pt(photons) / total[:, None] > np.array([1 / 3, 1 / 4]) - 1e-4).all()
    assert (np.diff(pt(photons), axis=1) <= 1e-3).all()
    abs_eta = np.abs(eta(photons))
    assert abs_eta.max() < 2.5 and not ((abs_eta > 1.44) & (abs_eta < 1.57)).any()
    present = jets[..., 0] > 0
    assert (pt(jets)[present] > 29.99).all() and (np.diff(pt(jets), axis=1) <= 1e-3).all()
    assert (np.abs(eta(jets[present])) < 4.7).all()
    for k in range(2):
        apart = delta_r(np.where(present[..., None], jets, [1.0, 1.0, 0.0, 0.0]), photons[:, None, k])
        assert apart[present].min() > 0.4
    assert (events["isolation"] < 0.12 * pt(photons) + 0.1).all() and (events["isolation"] >= 0).all()


def test_labels(signal, background):
    assert signal["signal"].all() and not background["signal"].any()
    assert (signal["process"] >= 2).all() and set(background["process"]) == {0, 1}
    assert (signal["process"] == 2).mean() == pytest.approx(0.84, abs=0.06)
    assert (signal["higgs_mass"] == 125).all()
    assert set(background["higgs_mass"]) == {110, 120}
    assert (background["higgs_mass"] == 120).mean() == pytest.approx(2 / 3, abs=0.08)
    fusion = signal["process"] == 3
    assert signal["m_jj"][fusion].mean() > 2 * signal["m_jj"][signal["process"] == 2].mean()


def collins_soper(photons):
    """Decay angle by definition: boost to the rest frame, bisect the beams there."""
    pair = photons.sum(1)
    velocity = -pair[:, 1:] / pair[:, :1]
    beams = [boost(np.tile([1.0, 0.0, 0.0, sign], (len(pair), 1)), velocity)[:, 1:] for sign in (1.0, -1.0)]
    first, second = (beam / np.linalg.norm(beam, axis=1, keepdims=True) for beam in beams)
    axis = first - second
    photon = boost(photons[:, 0], velocity)[:, 1:]
    return np.abs((photon * axis).sum(1)) / np.linalg.norm(photon, axis=1) / np.linalg.norm(axis, axis=1)


def wrapped(difference):
    return np.abs(np.arctan2(np.sin(difference), np.cos(difference)))


def test_high_level_features_from_four_momenta(events):
    """All recomputed by the kinematics module from the stored four-momenta."""
    photons, jets = events["photons"].astype(float), events["jets"].astype(float)
    pair, dijet, two = photons.sum(1), jets[:, :2].sum(1), jets[:, 1, 0] > 0
    expected = {
        "m_gg": mass(pair),
        "sigma_m": np.sqrt((events["resolution"].astype(float) ** 2).sum(1)) / 2,
        "pt_gg": pt(pair) / mass(pair),
        "pt_1": pt(photons[:, 0]) / mass(pair),
        "pt_2": pt(photons[:, 1]) / mass(pair),
        "eta_1": eta(photons[:, 0]),
        "eta_2": eta(photons[:, 1]),
        "cos_theta_star": collins_soper(photons),
        "delta_phi": wrapped(phi(photons[:, 0]) - phi(photons[:, 1])),
        "delta_eta": np.abs(eta(photons[:, 0]) - eta(photons[:, 1])),
        "n_jets": (jets[..., 0] > 0).sum(1),
        "pt_j1": pt(jets[:, 0]),
        "pt_j2": pt(jets[:, 1]),
    }
    assert two.sum() > 10
    for name, values in expected.items():
        np.testing.assert_allclose(events[name], values, rtol=2e-5, atol=2e-4, err_msg=name)
    eta_1, eta_2 = eta(jets[two, 0]), eta(jets[two, 1])
    for name, values in {
        "m_jj": mass(dijet[two]),
        "delta_eta_jj": np.abs(eta_1 - eta_2),
        "zeppenfeld": np.abs(eta(pair[two]) - (eta_1 + eta_2) / 2),
        "delta_phi_ggjj": wrapped(phi(pair[two]) - phi(dijet[two])),
    }.items():
        np.testing.assert_allclose(events[name][two], values, rtol=1e-3, atol=2e-3, err_msg=name)
        assert not events[name][~two].any()


def test_storage_keeps_the_stated_precision(events):
    stored = pack(events)
    assert all(values.dtype.itemsize <= 2 for values in stored.values())
    again = unpack(stored)
    assert list(again) == list(events)
    np.testing.assert_allclose(pt(again["photons"]), pt(events["photons"]), rtol=7e-5)
    np.testing.assert_allclose(again["m_gg"], events["m_gg"], rtol=3e-4)
    assert (again["m_gg"] / events["m_gg"] - 1).std() < 1e-4
    assert delta_r(again["photons"].astype(float), events["photons"].astype(float)).max() < 2e-4
    present = events["jets"][..., 0] > 0
    assert np.array_equal(again["jets"][..., 0] > 0, present)
    np.testing.assert_allclose(pt(again["jets"])[present], pt(events["jets"])[present], rtol=6e-4)
    np.testing.assert_allclose(mass(again["jets"].astype(float)), mass(events["jets"].astype(float)), atol=0.3)
    for name in ("higgs_mass", "process", "signal", "n_jets"):
        assert np.array_equal(again[name], events[name])
    for name in HIGH_LEVEL:  # 3 per mille of the spread of each feature
        spread = max(float(events[name].std()), 1.0 if name == "n_jets" else 1e-3)
        assert np.median(np.abs(again[name] - events[name])) < 3e-3 * spread, name
    assert "m_gg" not in stored and not set(HIGH_LEVEL) & set(stored)


def test_mass_and_angle_closed_forms():
    """Two photons of 65 GeV back to back at 60 degrees from the beam: m = 130, cos = 1/2; jets at eta of -2 and 3."""
    up = 65 * np.array([1, np.sin(np.pi / 3), 0.0, 0.5])
    photons = np.stack([up, up * [1, -1, -1, -1]])[None]
    jets = np.array([[[50 * np.cosh(e), 50 * c, 0.0, 50 * np.sinh(e)] for e, c in ((-2.0, 1.0), (3.0, -1.0))]])
    features = {name: values[0] for name, values in high_level(photons, np.array([[0.03, 0.04]]), jets).items()}
    assert features["m_gg"] == pytest.approx(130) and features["cos_theta_star"] == pytest.approx(0.5)
    assert features["sigma_m"] == pytest.approx(0.025) and features["pt_gg"] == pytest.approx(0, abs=1e-12)
    assert features["delta_phi"] == pytest.approx(np.pi) and features["delta_eta_jj"] == pytest.approx(5)
    assert features["m_jj"] == pytest.approx(50 * np.sqrt(2 * (np.cosh(5) + 1)))
    assert features["zeppenfeld"] == pytest.approx(0.5) and features["n_jets"] == 2


def test_both_kinds_and_all_masses_are_mixed():
    data = load("higgs_diphoton", "test")
    shares = {value: (data["higgs_mass"] == value).mean() for value in (110, 120, 125, 130, 140)}
    for value, share in shares.items():
        assert share == pytest.approx(3 / 7 if value == 125 else 1 / 7, abs=0.015)
        assert 0.2 < data["signal"][data["higgs_mass"] == value].mean() < 0.8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "^n: found 0"),
        ({"n": 5, "signal": -0.1}, "^signal: found -0.1"),
        ({"n": 5, "masses": ()}, "^masses: found none"),
        ({"n": 5, "masses": (125, 90)}, "^masses: found 90"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        generate(**arguments, seed=1)


def test_bad_low_level_columns_are_named():
    photons, resolution, jets = np.ones((5, 2, 4)), np.ones((5, 2)), np.ones((5, 3, 4))
    with pytest.raises(ValueError, match="^photons: found shape"):
        high_level(photons[:, :1], resolution, jets)
    with pytest.raises(ValueError, match="^resolution: found shape"):
        high_level(photons, resolution[:4], jets)
    with pytest.raises(ValueError, match="^jets: found shape"):
        high_level(photons, resolution, jets[..., :3])
    assert set(LOW_LEVEL) == {"photons", "resolution", "isolation", "jets"} and higgs_diphoton.CHUNK > 0
