"""The LHC-Olympics-like dijets: trigger, masses, features, the signal's decay angles, storage, and bad input."""

import awkward as ak
import numpy as np
import pytest

from hepml_labs.datasets.lhco import COLUMNS, features, generate, pack, signal_settings, unpack
from hepml_labs.datasets.pythia import events
from hepml_labs.physics.jets import n_subjettiness
from hepml_labs.physics.kinematics import boost, eta, mass, pt


@pytest.fixture(scope="module")
def dijets():
    return generate(400, seed=1, signal_share=0.5)


@pytest.fixture(scope="module")
def with_constituents():
    return generate(60, seed=2, signal_share=0.5, constituents=250)


def test_columns_and_trigger(dijets):
    assert list(dijets) == [name for name in COLUMNS if name != "constituents"]
    assert dijets["jets"].shape == (400, 2, 4) and dijets["tau"].shape == (400, 2, 3)
    assert {values.dtype for name, values in dijets.items() if name != "signal"} == {np.dtype(np.float32)}
    assert dijets["signal"].dtype == np.int8 and abs(dijets["signal"].mean() - 0.5) < 4 * 0.5 / 400**0.5
    leading, second = dijets["jets"][:, 0], dijets["jets"][:, 1]
    assert pt(leading).min() > 1200 and (pt(leading) >= pt(second)).all()
    assert np.abs(eta(leading)).max() < 2.5
    assert (np.diff(dijets["tau"], axis=2) <= 1e-3).all() and dijets["tau"].min() >= 0


def test_mjj_follows_from_the_jets(dijets):
    energy, *momentum = dijets["jets"].astype(float).sum(axis=1).T
    expected = np.sqrt(energy**2 - sum(part**2 for part in momentum))
    np.testing.assert_allclose(dijets["mjj"], expected, rtol=1e-6)
    np.testing.assert_allclose(features(dijets)[:, 0], expected, rtol=1e-6)


def test_signal_peaks_where_the_masses_are(dijets):
    signal = dijets["signal"] == 1
    mjj, light, difference, *_ = features(dijets).T
    assert abs(np.median(mjj[signal]) / 3500 - 1) < 0.03
    assert np.mean(np.abs(mjj[signal] / 3500 - 1) < 0.06) > 0.6
    assert abs(np.median(light[signal]) - 100) < 15
    assert abs(np.median((light + difference)[signal]) - 500) < 30
    assert np.median(mjj[~signal]) < 3100 and np.median((light + difference)[~signal]) < 300
    assert (
        np.median(features(dijets)[signal, 3:], axis=0).max() < np.median(features(dijets)[~signal, 3:], axis=0).min()
    )


def test_the_masses_are_settings():
    shifted = generate(60, seed=3, signal_share=1.0, resonance_mass=4500.0, daughter_masses=(200.0, 300.0))
    mjj, light, difference, *_ = np.median(features(shifted), axis=0)
    assert abs(mjj / 4500 - 1) < 0.04 and abs(light - 200) < 20 and abs(light + difference - 300) < 25


def test_daughters_are_longitudinally_polarised():
    """The mean of cos^2 theta* is 1/5 for longitudinal and 2/5 for transverse bosons (isotropic decays: 1/3).

    The amplitudes of W' to W Z with a transverse W are 2 m_W / m_W' times the longitudinal one, for two helicities.
    """
    no_shower = ("PartonLevel:ISR = off", "PartonLevel:FSR = off", "HadronLevel:all = off")
    batch = next(events([*signal_settings(3500.0, (500.0, 100.0)), *no_shower], seed=5, batch=3000)).prt
    quarks = batch[abs(batch.status) == 23]  # of X, then of Y
    assert ak.all(ak.num(quarks) == 4)
    momenta = np.stack([ak.to_numpy(quarks.p[name]) for name in ("e", "px", "py", "pz")], axis=-1)
    resonance = momenta.sum(axis=1)
    assert abs(np.median(mass(resonance)) / 3500 - 1) < 0.005
    at_rest = boost(momenta, -(resonance[:, 1:] / resonance[:, :1])[:, None])
    pairs = at_rest.reshape(-1, 2, 2, 4)
    daughters = pairs.sum(axis=2)
    assert np.abs(np.median(mass(daughters), axis=0) / [500, 100] - 1).max() < 0.005
    # a massless quark of energy (gamma + gamma beta cos theta*) m / 2
    cosine = (pairs[:, :, 0, 0] - pairs[:, :, 1, 0]) / np.sqrt((daughters[..., 1:] ** 2).sum(-1))
    transverse = 8 * (np.array([500.0, 100.0]) / 3500.0) ** 2
    expected = (0.2 + 0.4 * transverse) / (1 + transverse)
    np.testing.assert_allclose((cosine**2).mean(axis=0), expected, atol=0.013)  # 3 standard deviations


def test_constituents_make_the_jets_and_their_shapes(with_constituents):
    constituents, jets = with_constituents["constituents"].astype(float), with_constituents["jets"]
    assert (constituents[:, :, -1] == 0).all()  # none was cut off
    np.testing.assert_allclose(constituents.sum(axis=2), jets, rtol=1e-5, atol=0.02)
    assert (np.diff(pt(constituents), axis=2) <= 0).all()
    tau = n_subjettiness(constituents.reshape(-1, 250, 4), (1, 2, 3), radius=1.0, beta=1.0).reshape(-1, 2, 3)
    np.testing.assert_allclose(with_constituents["tau"], tau, atol=2e-4)


def test_fewer_constituents_are_the_leading_ones(with_constituents):
    few = generate(10, seed=2, signal_share=0.5, constituents=20)
    assert np.array_equal(few["constituents"], with_constituents["constituents"][:10, :, :20])
    assert np.array_equal(few["jets"], with_constituents["jets"][:10])


def test_mass_range_selects_without_changing_events():
    low, high = 3000.0, 4000.0
    window = generate(25, seed=1, signal_share=0.0, mass_range=(low, high))
    everything = generate(60, seed=1, signal_share=0.0)
    inside = (everything["mjj"] > low) & (everything["mjj"] < high)
    assert 10 < inside.sum() < 35 and not window["signal"].any()
    common = min(inside.sum(), 25)
    assert np.array_equal(window["jets"][:common], everything["jets"][inside][:common])
    assert window["mjj"].min() > low and window["mjj"].max() < high


def hand_made(px, masses):
    """Two back-to-back jets."""
    jets = np.zeros((1, 2, 4))
    jets[0, :, 1] = px, -px
    jets[0, :, 0] = np.hypot(px, masses)
    return jets


def test_features_of_rows_made_by_hand():
    tau = np.array([[[0.4, 0.1, 0.05], [0.2, 0.16, 0.1]]])
    first = features({"jets": hand_made(1500.0, [500.0, 100.0]), "tau": tau})[0]
    energy = np.hypot(1500, 500) + np.hypot(1500, 100)
    np.testing.assert_allclose(first, [energy, 100.0, 400.0, 0.8, 0.25], rtol=1e-5)
    swapped = features({"jets": hand_made(1500.0, [100.0, 500.0]), "tau": tau[:, ::-1]})[0]
    np.testing.assert_allclose(first, swapped, rtol=1e-6)
    assert features({"jets": hand_made(1500.0, [500.0, 100.0]), "tau": 0 * tau})[0, 3:].tolist() == [0.0, 0.0]


def test_storage_keeps_the_physics(with_constituents):
    columns, stored = with_constituents, pack(with_constituents)
    assert {values.dtype.itemsize for name, values in stored.items() if name != "signal"} == {2}
    again = unpack(stored)
    assert sorted(again) == sorted(columns)
    for name, values in columns.items():
        assert again[name].shape == values.shape and again[name].dtype == values.dtype
    assert np.array_equal(again["signal"], columns["signal"])
    np.testing.assert_allclose(again["mjj"], columns["mjj"], rtol=1.5e-4)
    assert np.std(again["mjj"] / columns["mjj"] - 1) < 5e-5
    np.testing.assert_allclose(mass(again["jets"].astype(float)), mass(columns["jets"].astype(float)), atol=0.06)
    np.testing.assert_allclose(again["tau"], columns["tau"], rtol=2e-3, atol=1e-6)
    np.testing.assert_allclose(again["mjj"], mass(again["jets"].astype(float).sum(axis=1)), rtol=1e-6)
    real = columns["constituents"][..., 0] > 0
    assert np.array_equal(again["constituents"][..., 0] > 0, real)
    np.testing.assert_allclose(pt(again["constituents"])[real], pt(columns["constituents"])[real], rtol=6e-4)
    np.testing.assert_allclose(eta(again["constituents"][real]), eta(columns["constituents"][real]), atol=3e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "^n: found 0"),
        ({"signal_share": 1.5}, "^signal_share: found 1.5"),
        ({"constituents": -1}, "^constituents: found -1"),
        ({"minimum_pt_hat": 10.0}, "^minimum_pt_hat: found 10"),
        ({"mass_range": (4000.0, 3000.0)}, "^mass_range: found"),
        ({"mass_range": (0.0, 500.0)}, "^mass_range: found"),
        ({"mass_range": (2300.0, 3000.0)}, "^resonance_mass: found 3500 GeV, expected one inside mass_range"),
        ({"resonance_mass": 2400.0}, "^resonance_mass: found 2400 GeV, which gives jets of at most"),
        ({"resonance_mass": -1.0}, "^resonance_mass: found -1"),
        ({"daughter_masses": (500.0, 1.0)}, "^daughter_masses: found 1"),
        ({"daughter_masses": (2000.0, 100.0)}, "^daughter_masses: found 2000"),
        ({"daughter_masses": 500.0}, "^daughter_masses: found 500"),
    ],
)
def test_bad_settings_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        generate(**{"n": 5, "seed": 1, **arguments})


def test_bad_columns_are_named(dijets):
    with pytest.raises(ValueError, match="^data: column 'tau' is missing"):
        features({"jets": dijets["jets"]})
    with pytest.raises(ValueError, match=r"^jets: found shape \(400, 2, 3\)"):
        features({**dijets, "jets": dijets["jets"][..., :3]})
    with pytest.raises(ValueError, match=r"^tau: found shape \(5, 2, 3\)"):
        features({**dijets, "tau": dijets["tau"][:5]})
    with pytest.raises(ValueError, match="^jets: found 1 of"):
        features({**dijets, "jets": np.where(dijets["jets"] == dijets["jets"].max(), np.nan, dijets["jets"])})
    with pytest.raises(ValueError, match="^values: found"):
        pack({**dijets, "tau": dijets["tau"] + 2})
