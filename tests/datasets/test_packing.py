"""Compact storage: errors of at most half a step, exact repetition, and refusal of what does not fit."""

import numpy as np
import pytest

from hepml_labs.datasets.packing import (
    ANGLE_STEP,
    PT_STEP,
    dequantize,
    pack_constituents,
    quantize,
    unpack_constituents,
)
from hepml_labs.physics.kinematics import eta, mass, phi, pt


def jets(n=200, m=30, seed=1):
    """Massless constituents around axes in all directions, some close to phi = pi, padded with zeros."""
    random = np.random.default_rng(seed)
    axis_eta, axis_phi = random.uniform(-2, 2, (n, 1)), random.uniform(-np.pi, np.pi, (n, 1))
    axis_phi[:20] = np.pi - 1e-3
    transverse = random.exponential(20, (n, m)) + 0.01
    rapidity, azimuth = axis_eta + random.normal(size=(n, m)) * 0.3, axis_phi + random.normal(size=(n, m)) * 0.3
    momenta = np.stack(
        [
            transverse * np.cosh(rapidity),
            transverse * np.cos(azimuth),
            transverse * np.sin(azimuth),
            transverse * np.sinh(rapidity),
        ],
        axis=-1,
    )
    momenta[np.arange(m) >= random.integers(1, m + 1, (n, 1))] = 0
    return momenta


def test_steps_are_rounded_to_the_nearest():
    values = np.random.default_rng(1).uniform(-30, 30, 10_000)
    back = dequantize(quantize(values, 1e-3), 1e-3, np.float64)
    assert np.abs(back - values).max() <= 0.5e-3 * (1 + 1e-9)
    np.testing.assert_array_equal(quantize(back, 1e-3), quantize(values, 1e-3))


def test_constituents_come_back_within_half_a_step():
    momenta = jets()
    jet = momenta.sum(1)
    back = unpack_constituents(pack_constituents(momenta, jet), jet)
    present = momenta[..., 0] > 0
    assert back.dtype == np.float32 and (back[~present] == 0).all()
    small = 2e-6  # single precision
    assert np.abs(np.log(pt(back)[present] / pt(momenta)[present])).max() <= PT_STEP / 2 + small
    assert np.abs(eta(back)[present] - eta(momenta)[present]).max() <= ANGLE_STEP / 2 + small
    turn = (phi(back)[present] - phi(momenta)[present] + np.pi) % (2 * np.pi) - np.pi
    assert np.abs(turn).max() <= ANGLE_STEP / 2 + small
    np.testing.assert_allclose(back[..., 0], np.linalg.norm(back[..., 1:], axis=-1), rtol=1e-6)


def test_the_sum_and_the_mass_of_a_jet_survive():
    momenta = jets()
    jet = momenta.sum(1)
    back = unpack_constituents(pack_constituents(momenta, jet), jet).astype(np.float64).sum(1)
    assert np.abs(pt(back) / pt(jet) - 1).max() < PT_STEP / 2
    assert np.std(mass(back) - mass(jet)) < 1e-3 * mass(jet).mean()


def test_packing_what_was_unpacked_changes_nothing():
    momenta = jets()
    jet = momenta.sum(1).astype(np.float32)
    stored = pack_constituents(momenta, jet)
    again = pack_constituents(unpack_constituents(stored, jet), jet)
    for name in stored:
        np.testing.assert_array_equal(again[name], stored[name])


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"^values: found .* expected -32\.768 to 32\.767 for int16 steps of 0\.001"):
        quantize(np.array([40.0]), 1e-3)
    with pytest.raises(ValueError, match="^values: found 1 of 2 entries NaN"):
        quantize(np.array([np.nan, 0.0]), 1e-3)
    momenta = jets(5)
    with pytest.raises(ValueError, match="^momenta: found shape"):
        pack_constituents(momenta[..., :3], momenta.sum(1))
    with pytest.raises(ValueError, match="^jet: found shape"):
        pack_constituents(momenta, momenta.sum(1)[:2])
    with pytest.raises(ValueError, match="^momenta: found a pT of 1e-05 GeV"):
        pack_constituents(np.array([[[1e-5, 1e-5, 0.0, 0.0]]]), np.array([[5.0, 3.0, 4.0, 0.0]]))
