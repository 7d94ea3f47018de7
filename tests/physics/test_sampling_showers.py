"""The parametrised showers against the formulas that they are made of."""

import numpy as np
import pytest

from hepml_labs.physics.sampling_showers import (
    SamplingCalorimeter,
    longitudinal_parameters,
    shower_features,
    simulate_showers,
)

WIDE = SamplingCalorimeter(edges=(0.0, 10.0, 80.0), cells=11, cell=20.0, threshold=1e-9)  # hardly anything leaks


def test_contained_showers_have_the_sampling_resolution():
    """A Poisson number of exponential signals of mean q: mean E and variance 2 q E, exactly."""
    energy = 20.0
    total = simulate_showers(np.full(1500, energy), WIDE, seed=1).sum((1, 2, 3))
    variance = 2 * WIDE.crossing * energy
    assert total.mean() == pytest.approx(energy, abs=0.01 * energy)
    assert total.var() == pytest.approx(variance, rel=5 * np.sqrt(2 / 1500))


def test_depth_of_the_maximum_in_thin_layers():
    """Mean profile over fine layers: its maximum at the depth T = ln y - 0.812 of hep-ex/0001020."""
    fine = SamplingCalorimeter(edges=tuple(np.arange(0, 30.5, 0.5)), cells=1, cell=20.0)
    profile = simulate_showers(np.full(3000, 50.0), fine, seed=2).sum((2, 3)).mean(0)
    expected = np.log(50.0 / fine.critical_energy) - 0.812
    top = slice(profile.argmax() - 5, profile.argmax() + 6)
    parabola = np.polyfit(fine.centres[top], profile[top], 2)
    assert -parabola[1] / (2 * parabola[0]) == pytest.approx(expected, abs=0.5)


def test_parameters_of_one_energy():
    detector = SamplingCalorimeter(critical_energy=0.01, atomic_number=10.0)
    mean, width, correlation = longitudinal_parameters(np.array([0.01 * np.exp(5.0)]), detector)
    np.testing.assert_allclose(np.exp(mean[0]), [4.188, 0.81 + 0.684 * 5])
    np.testing.assert_allclose(1 / width[0], [4.9, 3.72])
    assert correlation == pytest.approx(0.59)


def test_threshold_seed_and_symmetry():
    energy = np.full(4000, 10.0)
    showers = simulate_showers(energy, seed=3)
    assert showers[showers > 0].min() >= SamplingCalorimeter().threshold and (showers == 0).any()
    np.testing.assert_array_equal(showers, simulate_showers(energy, seed=3))
    mean, error = showers.mean(0), showers.std(0) / np.sqrt(len(showers))
    for turned in (mean[:, ::-1], mean[:, :, ::-1], mean.transpose(0, 2, 1)):
        assert np.abs((mean - turned) / (np.sqrt(2) * error)).max() < 5


def test_features_of_a_shower_known_by_hand():
    shower = np.zeros((1, 5, 5, 5))
    shower[0, 0, 2, 2], shower[0, 1, 2, 2], shower[0, 1, 3, 2] = 1.0, 2.0, 1.0
    features = {name: value[0] for name, value in shower_features(shower, np.array([5.0])).items()}
    assert features["response"] == pytest.approx(0.8) and features["core"] == pytest.approx(0.75)
    assert features["fraction 2"] == pytest.approx(0.75) and features["occupancy"] == pytest.approx(3 / 125)
    assert features["depth"] == pytest.approx(0.25 * 1.5 + 0.75 * 4.75)
    assert features["width"] == pytest.approx(np.sqrt(0.5 * 0.25 * 0.75 * 0.7**2))


def test_bad_input():
    with pytest.raises(ValueError, match="energy: found"):
        simulate_showers(np.array([0.1]))
    with pytest.raises(ValueError, match="edges"):
        SamplingCalorimeter(edges=(1.0, 2.0))
    with pytest.raises(ValueError, match="cells"):
        SamplingCalorimeter(cells=4)
    with pytest.raises(ValueError, match="without energy"):
        shower_features(np.zeros((1, 5, 5, 5)), np.ones(1))
