"""The photons: sensible numbers, and an exact correction that is one."""

import numpy as np
import pytest
from scipy import stats
from sklearn.ensemble import HistGradientBoostingClassifier

from hepml_labs.evaluation import classifier_two_sample_test
from hepml_labs.physics.photon_showers import (
    SHAPES,
    SPIKES,
    condition_features,
    condition_weights,
    detector,
    from_smooth,
    generate,
    to_smooth,
)

SIMULATION, DATA = generate(40_000, "simulation", seed=1), generate(40_000, "data", seed=2)


def test_values_are_those_of_photons():
    for sample in (SIMULATION, DATA):
        pt, eta, _, rho = sample.conditions.T
        assert pt.min() >= 25 and pt.max() <= 250 and rho.min() > 0
        assert np.abs(eta).max() <= 2.5 and not ((np.abs(eta) > 1.44) & (np.abs(eta) < 1.57)).any()
        shapes = dict(zip(SHAPES, sample.shapes.T, strict=True))
        barrel = np.abs(eta) < 1.5
        assert 0 < shapes["r9"].min() and shapes["r9"].max() < 1.01 and np.median(shapes["r9"]) > 0.92
        assert 0.0095 < np.median(shapes["sigma_ieta_ieta"][barrel]) < 0.0115
        assert 0.024 < np.median(shapes["sigma_ieta_ieta"][~barrel]) < 0.03
        assert 0.01 < np.median(shapes["sigma_e_over_e"]) < 0.025
        assert np.quantile(shapes["h_over_e"], 0.99) < 0.2
        for name in ("h_over_e", "charged_isolation"):
            assert 0.5 < (shapes[name] == 0).mean() < 0.75
        assert not (np.delete(sample.shapes, SPIKES, axis=1) == 0).any()
        assert np.corrcoef(shapes["photon_isolation"], rho)[0, 1] > 0.2
    fakes = generate(40_000, "simulation", process="fake", seed=3)
    assert (np.mean(fakes.shapes, 0) > np.mean(SIMULATION.shapes, 0))[1:].all()
    assert np.mean(fakes.shapes[:, 0]) < np.mean(SIMULATION.shapes[:, 0])


def test_weights_of_the_conditions_are_the_ratio_of_densities():
    weight = condition_weights(SIMULATION.conditions)
    for column in (0, 3):
        values, wanted = SIMULATION.conditions[:, column], DATA.conditions[:, column]
        for power in (0, 1, 2):
            error = np.hypot((weight * values**power).std(), (wanted**power).std()) / np.sqrt(len(values))
            assert abs((weight * values**power).mean() - (wanted**power).mean()) < 4 * error + 1e-12


def test_exact_correction_closes_in_bins_of_the_conditions():
    corrected = detector(SIMULATION.latent, SIMULATION.conditions, "data")
    for low, high in ((18, 21), (26, 30)):  # narrow, since the spectra differ
        for endcap in (False, True):
            chosen = [
                (sample.conditions[:, 3] > low)
                & (sample.conditions[:, 3] < high)
                & ((np.abs(sample.conditions[:, 1]) > 1.5) == endcap)
                for sample in (SIMULATION, DATA)
            ]
            real = DATA.shapes[chosen[1]].T
            distance = [
                [stats.ks_2samp(a, b).statistic for a, b in zip(x[chosen[0]].T, real, strict=True)]
                for x in (SIMULATION.shapes, corrected)
            ]
            assert max(distance[0]) > 0.1 > 0.06 > max(distance[1])


def test_a_judge_tells_data_from_simulation_but_not_from_the_exact_correction():
    n = 3000
    weight = condition_weights(SIMULATION.conditions[:n])
    tests = [
        classifier_two_sample_test(
            np.hstack([DATA.shapes[:n], DATA.conditions[:n]]),
            np.hstack([shapes, SIMULATION.conditions[:n]]),
            None,
            weight,
            classifier=HistGradientBoostingClassifier(max_iter=20, random_state=0),
            folds=3,
        )
        for shapes in (SIMULATION.shapes[:n], detector(SIMULATION.latent[:n], SIMULATION.conditions[:n], "data"))
    ]
    assert tests[0].auc > 0.65
    assert abs(tests[1].auc - 0.5) < 4 * tests[1].error


@pytest.mark.parametrize("kind", ["data", "simulation"])
def test_detector_is_lower_triangular_and_increasing(kind):
    conditions = DATA.conditions[:200]
    latent = DATA.latent[:200] * 0.3 + [0, 0, 0, 2, 0, 2]  # away from the spikes
    step, middle = 1e-6, to_smooth(detector(latent, conditions, kind))
    slope = [(to_smooth(detector(latent + step * unit, conditions, kind)) - middle) / step for unit in np.eye(6)]
    jacobian = np.stack(slope, axis=2)  # (n, variable, latent)
    assert np.abs(np.triu(jacobian, 1)).max() < 1e-6
    assert jacobian.diagonal(axis1=1, axis2=2).min() > 0.01


def test_smooth_variables_are_inverse_in_both_precisions():
    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 3e-5)):
        shapes = DATA.shapes[:1000].astype(dtype)
        back = from_smooth(to_smooth(shapes))
        assert back.dtype == dtype
        np.testing.assert_allclose(back, shapes, rtol=tolerance, atol=1e-6 * (dtype == np.float32))
        assert condition_features(DATA.conditions[:5].astype(dtype)).dtype == dtype
    np.testing.assert_array_equal(to_smooth(DATA.shapes)[:, SPIKES] == 0, DATA.shapes[:, SPIKES] == 0)


def test_seeds():
    np.testing.assert_array_equal(generate(50, seed=7).shapes, generate(50, seed=7).shapes)
    assert (generate(50, seed=7).shapes[:, 0] != generate(50, seed=8).shapes[:, 0]).all()


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda: generate(0), "n:"),
        (lambda: generate(10, kind="reality"), "kind:"),
        (lambda: generate(10, process="electron"), "process:"),
        (lambda: detector(np.zeros((2, 5)), np.ones((2, 4)), "data"), "latent:"),
        (lambda: detector(np.zeros((2, 6)), np.ones((3, 4)), "data"), "conditions:"),
        (lambda: condition_features(-np.ones((2, 4))), "conditions:"),
        (lambda: condition_weights(np.zeros((2, 4))), "conditions:"),
        (lambda: to_smooth(np.full((2, 6), 2.0)), "shapes: .*r9"),
        (lambda: to_smooth(np.full((2, 6), -0.1)), "shapes: .*charged_isolation"),
        (lambda: from_smooth(np.full((2, 6), np.nan)), "smooth:"),
    ],
)
def test_bad_input_is_named(call, argument):
    with pytest.raises(ValueError, match=f"^{argument}"):
        call()
