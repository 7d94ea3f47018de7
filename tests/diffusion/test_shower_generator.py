"""Showers by flow matching: exact sums, exact thresholds, and a response that follows the simulation."""

import numpy as np
import pytest

from hepml_labs.diffusion.calorimeter import DirectShowerGenerator, ShowerGenerator
from hepml_labs.diffusion.flow_matching import FlowMatching
from hepml_labs.diffusion.shower_maps import (
    fill_below_threshold,
    from_stick_fractions,
    scale_to_layers,
    stick_fractions,
)
from hepml_labs.physics.sampling_showers import simulate_showers


def test_sticks_round_trip_and_jacobian():
    layers = np.random.default_rng(0).uniform(0.1, 5, (20, 4))
    np.testing.assert_allclose(from_stick_fractions(layers.sum(1), stick_fractions(layers)), layers, rtol=1e-12)
    step, point = 1e-6, layers[0]

    def moved(values):
        return np.concatenate([[values.sum()], stick_fractions(values[None])[0]])

    jacobian = np.stack([(moved(point + step * e) - moved(point - step * e)) / (2 * step) for e in np.eye(4)])
    remaining = np.cumsum(point[::-1])[::-1]
    assert np.log(abs(np.linalg.det(jacobian))) == pytest.approx(-np.log(remaining[:-1]).sum(), abs=1e-6)


def test_noise_is_below_the_threshold_and_uniform_there():
    energies = np.concatenate([np.zeros(20_000), np.linspace(0.5, 3, 50)])
    filled = fill_below_threshold(energies, 0.5, seed=1)
    np.testing.assert_array_equal(filled[20_000:], energies[20_000:])
    noise = filled[:20_000]
    below = fill_below_threshold(energies, 0.5, seed=1, noise=(0.1, 0.5))[:20_000]
    np.testing.assert_allclose(below, 0.05 + 0.4 * noise)
    with pytest.raises(ValueError, match="noise: found"):
        fill_below_threshold(energies, 0.5, noise=(0.5, 0.1))
    assert noise.min() > 0 and noise.max() < 0.5
    assert noise.mean() == pytest.approx(0.25, abs=5 * 0.5 / np.sqrt(12 * 20_000))


def test_scaling_against_a_search_over_all_subsets():
    random = np.random.default_rng(2)
    for _ in range(50):
        cells, energy, threshold = random.lognormal(0, 1.5, 6), random.uniform(1, 8), 1.0
        found = scale_to_layers(cells[None, None], np.array([[energy]]), threshold)[0, 0]
        best = None
        for kept in range(1, 7):  # the largest number of leading cells that all stay above the threshold
            chosen = np.sort(cells)[::-1][:kept]
            if chosen.min() * energy / chosen.sum() >= threshold:
                best = np.where(cells >= chosen.min(), cells, 0) * energy / chosen.sum()
        np.testing.assert_allclose(found, best, rtol=1e-12)
    empty = scale_to_layers(np.ones((1, 1, 6)), np.zeros((1, 1)), 1.0)
    assert not empty.any()


@pytest.fixture(scope="module")
def trained():
    energy = np.exp(np.random.default_rng(3).uniform(0, np.log(100), 3000))
    layer_model = FlowMatching(hidden=(64, 64), epochs=15)
    cell_model = FlowMatching(hidden=(64, 64), epochs=4)
    return ShowerGenerator(layer_model=layer_model, cell_model=cell_model).fit(simulate_showers(energy, seed=4), energy)


def test_sum_and_threshold_hold_for_each_shower(trained):
    energy = np.geomspace(1, 100, 300)
    layers = trained.sample_layers(energy, seed=5, steps=5)
    showers = trained.sample(energy, seed=5, steps=5)
    np.testing.assert_allclose(showers.sum((2, 3)), layers, rtol=1e-12)
    assert showers[showers > 0].min() > trained.threshold * (1 - 1e-9) and (layers == 0).any()
    loose = trained.sample_cells(layers, energy, seed=6, steps=5, conserve=False).sum((2, 3))
    assert np.abs(loose.sum(1) / layers.sum(1) - 1).mean() > 0.005  # what the scaling is good for


def test_response_follows_the_energy(trained):
    for value in (3.0, 30.0):
        energy = np.full(1500, value)
        truth = simulate_showers(energy, seed=7).sum((2, 3))
        layers = trained.sample_layers(energy, seed=8, steps=10)
        found, expected = layers.sum(1) / value, truth.sum(1) / value
        assert found.mean() == pytest.approx(expected.mean(), abs=0.02)
        assert found.std() == pytest.approx(expected.std(), rel=0.3)
        np.testing.assert_allclose(layers.mean(0) / value, truth.mean(0) / value, atol=0.03)


def test_direct_generator_and_seeds(trained):
    energy = np.geomspace(1, 100, 300)
    model = FlowMatching(hidden=(16,), epochs=1)
    showers = simulate_showers(energy, seed=9)
    direct = DirectShowerGenerator(model=model).fit(showers, energy)
    drawn = direct.sample(energy, seed=1, steps=2)
    assert drawn.shape == showers.shape and drawn[drawn > 0].min() >= direct.threshold
    np.testing.assert_array_equal(drawn, direct.sample(energy, seed=1, steps=2))


def test_bad_input(trained):
    showers, energy = simulate_showers(np.full(5, 10.0)), np.full(5, 10.0)
    with pytest.raises(ValueError, match="energy"):
        ShowerGenerator().fit(showers, energy[:4])
    with pytest.raises(ValueError, match="showers"):
        ShowerGenerator().fit(-showers, energy)
    with pytest.raises(ValueError, match="energy"):
        trained.sample(np.array([-1.0]))
    with pytest.raises(ValueError, match="layers"):
        stick_fractions(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="fractions"):
        from_stick_fractions(np.ones(1), np.array([[1.5]]))
