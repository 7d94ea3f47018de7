"""The calorimeter model against closed forms."""

import numpy as np
import pytest
from scipy import stats

from hepml_labs.datasets.calorimeter import COLUMNS, FEATURES, generate, pack, unpack
from hepml_labs.physics.calorimeter import ACTIVE, SLABS, Calorimeter
from hepml_labs.physics.clusters import (
    find_cluster,
    lateral_fractions,
    moments,
    noise_per_cell,
    read_out,
    simulate,
    with_neighbours,
)
from hepml_labs.physics.showers import (
    lump,
    mean_electromagnetic_fraction,
    radiation_depth,
    shower,
    slab_fractions,
)

QUIET = {"electronic_noise": (1e-9, 1e-9), "pileup_noise": (0.0, 0.0), "constant": (0.0, 0.0)}
POINT = {"radius": (1e-3, 1e-3)}  # all energy in one cell


def pions(n, energy=50.0):
    return np.full(n, energy), np.zeros(n), np.ones(n, dtype=bool)


def test_path_through_barrel_and_end_cap():
    detector = Calorimeter(crack_radiation_lengths=0.0)
    radiation, interaction = detector.slabs(np.array([0.0, 1.0, -1.0, 2.0]))
    theta = 2 * np.arctan(np.exp(-np.array([0.0, 1.0, 1.0, 2.0])))
    path = np.array([1.0, 1 / np.sin(theta[1]), 1 / np.sin(theta[2]), 1 / np.cos(theta[3])])
    np.testing.assert_allclose(radiation, path[:, None] * np.array(detector.radiation_lengths))
    np.testing.assert_allclose(interaction, path[:, None] * np.array(detector.interaction_lengths))


def test_crack_adds_dead_material_only():
    with_crack, without = Calorimeter(), Calorimeter(crack_radiation_lengths=0.0)
    extra = with_crack.slabs(np.array([1.45]))[0] - without.slabs(np.array([1.45]))[0]
    np.testing.assert_allclose(extra[0], [2.5] + [0] * 7, atol=1e-12)


@pytest.mark.parametrize("hadron", [False, True])
def test_energy_is_conserved(hadron):
    random = np.random.default_rng(1)
    energy, eta = np.exp(random.uniform(0, 7, 500)), random.uniform(-2.5, 2.5, 500)
    electromagnetic, hadronic = shower(energy, eta, np.full(500, hadron), seed=2)
    assert electromagnetic.shape == hadronic.shape == (500, len(SLABS))
    assert (electromagnetic >= 0).all() and (hadronic >= 0).all()
    np.testing.assert_allclose((electromagnetic + hadronic).sum(axis=1), energy, rtol=1e-12)
    assert hadron or not hadronic.any()


def test_profile_has_the_moments_of_a_gamma_distribution():
    shape, rate = 5.0, 0.5
    edges = np.linspace(0, 80, 4001)
    shares = slab_fractions(edges[None, 1:], np.array([3.0]), np.array([shape]), np.array([rate]))[0, :-1]
    centre = (edges[1:] + edges[:-1]) / 2 - 3
    assert (shares * centre).sum() == pytest.approx(shape / rate, abs=1e-3)
    assert (shares * (centre - shape / rate) ** 2).sum() == pytest.approx(shape / rate**2, abs=1e-2)
    assert centre[shares.argmax()] == pytest.approx((shape - 1) / rate, abs=0.05)  # the maximum lies at (a - 1) / b


def test_photon_maximum_grows_with_the_logarithm_of_the_energy():
    # fine slabs of one material, no conversion depth in the mean of (depth - conversion): compare two energies
    thin = Calorimeter(
        radiation_lengths=(1e-6, 10, 10, 10, 1e-6, 10, 10, 10),
        interaction_lengths=(1e-8, 1e-2, 1e-2, 1e-2, 1e-8, 1e-2, 1e-2, 1e-2),
        shape_spread=0.0,
    )
    middle = np.array([5.0, 15, 25, 35, 45, 55])
    depth = []
    for energy in (100.0, 1000.0):
        electromagnetic, _ = shower(np.full(20_000, energy), np.zeros(20_000), np.zeros(20_000, bool), thin, seed=3)
        depth.append((electromagnetic[:, ACTIVE] @ middle).mean() / energy)
    # a / b with b = 0.5 shifts by ln 10; coarse slabs cost a little
    assert depth[1] - depth[0] == pytest.approx(np.log(10), abs=0.25)


def test_electromagnetic_fraction_mean_and_variance():
    electromagnetic, _ = shower(*pions(40_000, 100.0), seed=4)
    fraction = electromagnetic.sum(axis=1) / 100.0
    mean = 1 - 100.0 ** (0.82 - 1)
    variance = mean * (1 - mean) / (Calorimeter().fraction_concentration + 1)
    assert fraction.mean() == pytest.approx(mean, abs=5 * np.sqrt(variance / 40_000))
    assert fraction.var() == pytest.approx(variance, rel=0.03)
    assert mean_electromagnetic_fraction(np.array([0.5]))[0] == 0


def test_hadrons_interact_after_an_exponential_depth():
    electromagnetic, hadronic = shower(*pions(40_000), seed=5)
    untouched = ((electromagnetic + hadronic)[:, :3].sum(axis=1) == 0).mean()  # nothing in the first three slabs
    depth = sum(Calorimeter().interaction_lengths[:3])
    # a shower that starts deeper leaves exactly nothing in front
    assert untouched == pytest.approx(np.exp(-depth), abs=0.01)


def test_depth_changes_unit_slab_by_slab():
    radiation, interaction = np.array([[10.0, 12.0]]), np.array([[1.0, 2.0]])
    for depth, expected in ((0.0, 0.0), (0.5, 5.0), (1.0, 10.0), (1.5, 11.0), (3.0, 14.0)):
        assert radiation_depth(np.array([depth]), radiation, interaction)[0] == pytest.approx(expected)


def test_lumps_keep_the_mean_and_have_the_dirichlet_variance():
    shares = np.array([0.1, 0.3, 0.6])
    lumps = lump(np.tile(shares, (100_000, 1)), 20.0, seed=6)
    np.testing.assert_allclose(lumps.sum(axis=1), 1)
    np.testing.assert_allclose(lumps.mean(axis=0), shares, atol=2e-3)
    np.testing.assert_allclose(lumps.var(axis=0), shares * (1 - shares) / 21, rtol=0.03)


def test_lateral_profile_half_within_radius_and_symmetric():
    detector = Calorimeter(cell=0.05, cells=801)
    shares = lateral_fractions(np.zeros((1, 2)), np.array([1.0]), detector)[0]
    line = (np.arange(801) - 400) * 0.05
    distance = np.hypot(line[:, None], line[None, :])
    for radius, expected in ((1.0, 0.5), (3.0, 0.9)):  # r^2 / (r^2 + R^2)
        assert shares[distance < radius].sum() == pytest.approx(expected, abs=0.01)
    np.testing.assert_allclose(shares, shares.T)
    np.testing.assert_allclose(shares, shares[::-1])


def test_sampling_alone_gives_the_square_root_law_and_a_gamma_distribution():
    detector = Calorimeter(**QUIET, **POINT, sampling=(0.2, 0.2))
    for energy in (5.0, 80.0):
        n = 8000
        deposits = np.zeros((n, 9))
        deposits[:, ACTIVE] = energy / 6
        cells = read_out(deposits, np.zeros((n, 9)), np.zeros(n), np.zeros(n), detector, seed=7)
        signal = cells.sum(axis=(1, 2, 3), dtype=float)
        assert signal.mean() == pytest.approx(energy, rel=4 * 0.2 / np.sqrt(energy * n))
        assert signal.std() / energy == pytest.approx(0.2 / np.sqrt(energy), rel=0.04)
        exact = stats.gamma(energy / 0.2**2, scale=0.2**2)
        assert stats.kstest(signal, exact.cdf).pvalue > 1e-3


def test_response_is_linear_without_non_compensation():
    silent = {"sampling": (0.0, 0.0), "hadronic_sampling": 0.0}
    compensating = Calorimeter(**QUIET, **POINT, **silent, hadron_to_electron=(1.0, 1.0))
    physical = Calorimeter(**QUIET, **POINT, **silent)
    response = {}
    for name, detector in (("compensating", compensating), ("physical", physical)):
        for energy in (10.0, 300.0):
            columns = simulate(*pions(3000, energy), np.full(3000, 0.0), detector, seed=8)
            response[name, energy] = (columns["energy"] / columns["energy_deposited"]).mean()
    assert response["compensating", 10.0] == pytest.approx(1, abs=1e-3)
    assert response["compensating", 300.0] == pytest.approx(1, abs=1e-3)
    assert response["physical", 300.0] - response["physical", 10.0] > 0.06


def test_hadronic_response_follows_the_electromagnetic_fraction():
    # with one h/e for all layers, <R> = f + (1 - f) h/e, exactly
    detector = Calorimeter(**QUIET, **POINT, hadron_to_electron=(0.6, 0.6))
    electromagnetic, hadronic = shower(*pions(5000, 100.0), detector, seed=9)
    cells = read_out(electromagnetic, hadronic, np.zeros(5000), np.zeros(5000), detector, seed=9)
    expected = electromagnetic[:, ACTIVE].sum(axis=1) + 0.6 * hadronic[:, ACTIVE].sum(axis=1)
    difference = cells.sum(axis=(1, 2, 3), dtype=float) - expected
    assert abs(difference.mean()) < 4 * difference.std() / np.sqrt(5000)
    assert difference.std() > 1  # sampling is on


def test_noise_has_the_stated_width():
    n = 4000
    crowd = np.full(n, 60.0)
    cells = read_out(np.zeros((n, 9)), np.zeros((n, 9)), np.full(n, 1.0), crowd, seed=10)
    expected = noise_per_cell(np.ones(1), np.array([60.0]))[0]
    np.testing.assert_allclose(cells.std(axis=(0, 2, 3)), expected, rtol=0.01)
    assert expected[0] == pytest.approx(np.hypot(0.03, 0.05 * np.cosh(1.0) * np.sqrt(1.5)))


def test_cluster_grows_through_connected_cells_only():
    cells = np.zeros((3, 2, 7, 7))
    cells[0, 0, 1, 1:5] = 4.5, 2.5, 2.5, 1.0  # a seed and two connected cells; the fourth joins as rim
    cells[0, 1, 6, 6] = 4.2  # could be a seed, but another is larger and it is not connected
    cells[1, 0, 3, 3] = 3.9  # no seed
    cells[2, 0, 3, 3], cells[2, 1, 3, 3] = 5.0, -2.5  # downward fluctuations count as well: |significance|
    cluster = find_cluster(cells)
    assert cluster[0, 0, 0:3, 0:5].all() and cluster[0].sum() == 15 + 3  # 3 x 5 in the layer, 3 behind
    assert not cluster[1].any()
    assert cluster[2].sum() == 18
    assert with_neighbours(np.zeros((1, 2, 3, 3), bool)).sum() == 0


def test_moments_of_a_cluster_made_by_hand():
    cells, cluster = np.zeros((1, 6, 7, 7), np.float32), np.zeros((1, 6, 7, 7), bool)
    cells[0, 0, 3, 3], cells[0, 1, 3, 3], cells[0, 1, 3, 5], cells[0, 5, 0, 0] = 1.0, 2.0, 1.0, 7.0
    cluster[0, :2, 2:5, 2:6] = True
    columns = {name: column[0] for name, column in moments(cells, cluster, np.zeros(1)).items()}
    centres = 0.2 + 0.25 / 2, 0.2 + 0.25 + 0.8 / 2  # depth of the middle of the first two layers
    depth = (centres[0] + 3 * centres[1]) / 4
    expected = {"energy": 4, "cells": 24, "fraction_em": 1, "fraction_front": 0.25, "fraction_back": 0}
    expected |= {"depth": depth, "depth_spread": (centres[1] - centres[0]) * np.sqrt(3) / 4}
    expected |= {"width": np.sqrt(100 / 4 - (10 / 4) ** 2), "compactness": np.sqrt(6) / 4}
    noise = np.hypot(0.03, 0.05)
    expected |= {"significance": 4 / (noise * np.sqrt(24))}
    assert {name: columns[name] for name in expected} == pytest.approx(expected, rel=1e-5)


def test_generate_is_reproducible_and_complete():
    first, again, other = generate(300, seed=1), generate(300, seed=1), generate(300, seed=2)
    assert list(first) == list(COLUMNS)
    for name, column in first.items():
        assert column.shape == (300,) and column.dtype == np.float32 and np.isfinite(column).all()
        np.testing.assert_array_equal(column, again[name])
    assert not np.array_equal(first["energy"], other["energy"])
    assert set(FEATURES).isdisjoint({"energy_true", "energy_deposited", "hadron"})
    assert (first["energy_deposited"] <= first["energy_true"] * (1 + 1e-6)).all()
    assert (first["energy"] > 0.3).all() and (first["cells"] > 0).all()


def test_spectrum_follows_the_slope():
    columns = generate(4000, seed=3, minimum=50.0, maximum=500.0, slope=-1.0)
    # dN/dE ~ E^-2 between the bounds: the cumulative distribution of 1/E is linear
    uniform = (1 / 50 - 1 / columns["energy_true"].astype(float)) / (1 / 50 - 1 / 500)
    assert stats.kstest(uniform, "uniform").pvalue > 1e-3


def test_packing_keeps_counts_and_is_precise():
    columns = generate(500, seed=4)
    back = unpack(pack(columns))
    for name in ("energy", "energy_true", "cells", "interactions", "hadron"):
        np.testing.assert_array_equal(back[name], columns[name])
    for name in COLUMNS:
        np.testing.assert_allclose(back[name], columns[name], rtol=6e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([-1.0], [0.0], [True]), "energy"),
        (([np.nan], [0.0], [True]), "energy"),
        (([], [], []), "energy"),
        (([[1.0]], [0.0], [True]), "energy"),
        (([1.0], [0.0, 0.0], [True]), "eta"),
        (([1.0], [4.0], [True]), "eta"),
        (([1.0], [np.nan], [True]), "eta"),
        (([1.0], [0.0], [True, False]), "hadron"),
    ],
)
def test_bad_particles_are_named(arguments, message):
    with pytest.raises(ValueError, match=f"^{message}:"):
        shower(*(np.array(argument) for argument in arguments))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n": 0}, "n:"),
        ({"minimum": 5.0, "maximum": 2.0}, "minimum, maximum:"),
        ({"photons": 1.5}, "photons:"),
        ({"interactions": (60, 20)}, "interactions:"),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        generate(**({"n": 10, "seed": 1} | settings))


@pytest.mark.parametrize("settings", [{"cells": 4}, {"electronic_noise": (0.0, 0.1)}, {"radiation_lengths": (1.0,)}])
def test_bad_detectors_are_named(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        Calorimeter(**settings)


def test_bad_interactions_are_named():
    with pytest.raises(ValueError, match="^interactions:"):
        simulate(*pions(3), np.array([1.0, -1.0, 2.0]))
