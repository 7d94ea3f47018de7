"""Calibration: closed forms for the estimators, physics for the whole chain."""

import numpy as np
import pytest
import torch

from hepml_labs.datasets.calorimeter import FEATURES, generate
from hepml_labs.regression.calibration import (
    BinnedCalibration,
    ResponseCalibration,
    calibration_inputs,
    invert_response,
)
from hepml_labs.regression.closure import closure_and_resolution, log_response, quadrature_fit, response_pull


@pytest.fixture(autouse=True)
def full_training(monkeypatch):
    monkeypatch.setenv("HEPML_SCALE", "lab")


@pytest.fixture(scope="module")
def toy():
    """ln R = 0.5 sin(3x) with a width that grows with x: everything is known."""
    random = np.random.default_rng(1)
    x = random.uniform(-1, 1, (12_000, 1)).astype(np.float32)
    width = 0.1 + 0.05 * x[:, 0]
    response = np.exp(0.5 * np.sin(3 * x[:, 0]) + width * random.standard_normal(len(x))).astype(np.float32)
    return x, response


def test_network_recovers_a_known_response_and_width(toy):
    calibration = ResponseCalibration(hidden=(32, 32), epochs=20, batch_size=128, seed=3).fit(*toy, progress=False)
    grid = np.linspace(-0.9, 0.9, 50, dtype=np.float32)[:, None]
    response, sigma = calibration.predict(grid)
    np.testing.assert_allclose(np.log(response), 0.5 * np.sin(3 * grid[:, 0]), atol=0.04)
    np.testing.assert_allclose(sigma, 0.1 + 0.05 * grid[:, 0], atol=0.02)
    assert response.dtype == sigma.dtype == np.float32
    assert calibration.predict(grid.astype(np.float64))[0].dtype == np.float64


def test_mixture_finds_two_kinds_of_cluster():
    random = np.random.default_rng(2)
    x = random.uniform(-1, 1, (8000, 1)).astype(np.float32)
    kind = random.uniform(size=8000) < 0.4
    response = np.exp(np.where(kind, 0.0, -0.6) + 0.05 * random.standard_normal(8000)).astype(np.float32)
    one = ResponseCalibration(hidden=(16, 16), epochs=8).fit(x, response, (x, response), progress=False)
    two = ResponseCalibration(hidden=(16, 16), epochs=8, components=2).fit(x, response, (x, response), progress=False)
    for calibration in (one, two):  # mean and variance of the mixture: 0.6 * -0.6, and 0.24 * 0.6^2 + 0.05^2
        estimate, sigma = calibration.predict(np.zeros((1, 1), np.float32))
        assert np.log(estimate[0]) == pytest.approx(-0.36, abs=0.04)
        assert sigma[0] == pytest.approx(np.sqrt(0.24 * 0.36 + 0.0025), rel=0.06)
    # the exact gain is the entropy of a Gaussian of that width, minus that of two narrow ones
    gain = one.history.validation_loss[-1] - two.history.validation_loss[-1]
    entropy = -(0.4 * np.log(0.4) + 0.6 * np.log(0.6))
    assert gain == pytest.approx(np.log(np.sqrt(0.24 * 0.36 + 0.0025) / 0.05) - entropy, abs=0.05)


def test_gradients_reach_every_parameter_and_meta_device_works(toy):
    calibration = ResponseCalibration(hidden=(8, 8), epochs=1, components=2).fit(*toy, progress=False)
    network = calibration.network
    sum(output.sum() for output in network(torch.randn(5, 1))).backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in network.parameters())
    assert network.to("meta")(torch.zeros(5, 1, device="meta"))[0].shape == (5, 2)


def test_training_is_reproducible(toy):
    first, again = (ResponseCalibration(hidden=(8,), epochs=1, seed=5).fit(*toy, progress=False) for _ in range(2))
    np.testing.assert_array_equal(first.predict(toy[0])[0], again.predict(toy[0])[0])


def test_table_holds_medians_and_falls_back_to_the_row():
    random = np.random.default_rng(3)
    energy, depth = random.uniform(0, 2, 3000), random.uniform(0, 2, 3000)
    response = np.where(energy < 1, 0.5, 0.8) * np.where(depth < 1, 1.0, 1.1) * np.exp(0.01 * random.normal(size=3000))
    edges = np.array([0.0, 1.0, 2.0])
    table = BinnedCalibration(edges, edges).fit([energy, depth], response)
    points = [np.array([0.5, 0.5, 1.5, 9.0]), np.array([0.5, 1.5, 0.5, 9.0])]
    np.testing.assert_allclose(table.predict(points), [0.5, 0.55, 0.8, 0.88], rtol=5e-3)
    thin = depth < 1
    table = BinnedCalibration(edges, edges).fit([energy[thin], depth[thin]], response[thin])
    np.testing.assert_allclose(table.predict([np.array([1.5]), np.array([1.5])]), [0.8], rtol=5e-3)


def test_inversion_does_not_remember_the_spectrum_but_regression_does():
    # ln E_obs = ln E_true + ln 0.7 + 0.2 g: everything is Gaussian, so that Bayes' theorem can be done by hand
    random = np.random.default_rng(4)

    def measure(log_energy):
        return np.exp(log_energy), np.exp(log_energy + np.log(0.7) + 0.2 * random.standard_normal(len(log_energy)))

    slope = -2.0
    flat, falling = random.uniform(0, 8, 60_000), random.exponential(-1 / slope, 60_000)
    edges = np.geomspace(1, 10, 9)
    at = np.array([3.0, 5.0])
    calibrated = [invert_response(*measure(spectrum), edges)(0.7 * at) for spectrum in (flat, falling)]
    np.testing.assert_allclose(calibrated, [at, at], rtol=0.02)
    means = []
    for spectrum in (flat, falling):
        truth, observed = measure(spectrum)
        near = np.abs(np.log(observed / (0.7 * 5.0))) < 0.1
        means.append(np.log(truth / observed)[near].mean())
    assert means[1] - means[0] == pytest.approx(slope * 0.2**2, abs=0.015)  # the shift s sigma^2 of the lecture


def test_inputs_use_logarithms_and_symmetry():
    clusters = generate(200, seed=5)
    x = calibration_inputs(clusters)
    assert x.shape == (200, len(FEATURES)) and x.dtype == np.float32
    np.testing.assert_allclose(x[:, FEATURES.index("energy")], np.log(clusters["energy"]))
    np.testing.assert_allclose(x[:, FEATURES.index("eta")], np.abs(clusters["eta"]))
    np.testing.assert_allclose(x[:, FEATURES.index("depth")], clusters["depth"])


def test_network_beats_the_table_on_pions():
    clusters, test = generate(8000, seed=6, minimum=20.0), generate(4000, seed=7, minimum=20.0)
    response = clusters["energy"] / clusters["energy_true"]
    network = ResponseCalibration(epochs=12, batch_size=128).fit(calibration_inputs(clusters), response, progress=False)
    table = BinnedCalibration(np.geomspace(5, 1200, 15), np.linspace(0, 2.5, 6))
    table.fit([clusters["energy"], np.abs(clusters["eta"])], response)
    estimate, sigma = network.predict(calibration_inputs(test))
    edges = np.array([100.0, 1000.0])
    truth, energy = test["energy_true"], test["energy"]
    closure, resolution = closure_and_resolution(truth, energy / estimate, edges)
    binned = energy / table.predict([energy, np.abs(test["eta"])])
    _, resolution_of_table = closure_and_resolution(truth, binned, edges)
    assert closure[0] == pytest.approx(1, abs=0.03)
    assert resolution[0] < 0.6 * resolution_of_table[0]
    assert response_pull(energy, truth, estimate, sigma).std() == pytest.approx(1, abs=0.2)


def test_resolution_of_a_known_smearing():
    random = np.random.default_rng(8)
    truth = np.exp(random.uniform(np.log(5), np.log(500), 200_000))
    width = np.sqrt(0.5**2 / truth + (1.0 / truth) ** 2 + 0.04**2)
    energy = 0.9 * truth * (1 + width * random.standard_normal(len(truth)))
    energy = np.maximum(energy, 1e-3)
    edges = np.geomspace(5, 500, 13)
    median, resolution = closure_and_resolution(truth, energy, edges)
    np.testing.assert_allclose(median, 0.9, rtol=0.01)
    centre = np.sqrt(edges[1:] * edges[:-1])
    count = np.histogram(truth, edges)[0]
    terms = quadrature_fit(centre, resolution, resolution / np.sqrt(2 * count))
    np.testing.assert_allclose(terms, [0.5, 1.0, 0.04], rtol=0.1)


def test_quadrature_fit_minimises_chi_squared_of_the_squares():
    random = np.random.default_rng(9)
    energy = np.geomspace(5, 500, 12)
    resolution = np.sqrt(0.5**2 / energy + (0.8 / energy) ** 2 + 0.05**2) * random.normal(1, 0.05, 12)
    error = resolution * random.uniform(0.01, 0.1, 12)
    matrix = np.stack([1 / energy, 1 / energy**2, np.ones(12)])
    weight = 1 / (2 * resolution * error) ** 2
    normal = np.linalg.solve((matrix * weight) @ matrix.T, matrix @ (weight * resolution**2))  # normal equations
    np.testing.assert_allclose(quadrature_fit(energy, resolution, error) ** 2, normal, rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: log_response(np.array([1.0]), np.array([1.0, 2.0])), "energy"),
        (lambda: log_response(np.array([-1.0]), np.array([1.0])), "energy"),
        (lambda: closure_and_resolution(np.ones(3), np.array([1, 2, np.nan]), np.array([0.0, 2.0])), "energy"),
        (lambda: response_pull(*(np.ones(2),) * 3, np.zeros(2)), "sigma"),
        (lambda: quadrature_fit(np.ones(2), np.ones(2), np.ones(2)), "energy"),
        (lambda: ResponseCalibration(components=0), "components"),
        (lambda: ResponseCalibration(hidden=()), "hidden"),
        (lambda: ResponseCalibration().predict(np.ones((2, 1))), "predict"),
        (lambda: ResponseCalibration().fit(np.ones((3, 1)), np.ones(2)), "response"),
        (lambda: ResponseCalibration().fit(np.ones((3, 1)), np.zeros(3)), "response"),
        (lambda: ResponseCalibration().fit(np.full((3, 1), np.nan), np.ones(3)), "x"),
        (lambda: BinnedCalibration([1.0]), "edges"),
        (lambda: BinnedCalibration([0.0, 1.0]).fit([np.ones(2), np.ones(2)], np.ones(2)), "observables"),
        (lambda: calibration_inputs({"energy": np.ones(3)}), "clusters"),
        (lambda: calibration_inputs({"energy": np.zeros(3)}, ("energy",)), "energy"),
        (lambda: invert_response(np.ones(5), np.ones(5), np.array([0.5, 1.5, 2.5])), "edges"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
