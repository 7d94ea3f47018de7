"""The smeared density: limits in which it is known, its norm, its errors, and what it must have in common with gold."""

import numpy as np
import pytest
from scipy.integrate import quad

from hepml_labs.physics import wbf
from hepml_labs.physics.electroweak import M_H
from hepml_labs.physics.smearing import Resolution, measure
from hepml_labs.sbi.matrix_element_method import SmearedDensity, exact_coefficients, score_error

pytest.importorskip("pythia8mc")  # its parton densities

EVENTS, SAMPLES = 250, 120


@pytest.fixture(scope="module")
def events():
    return wbf.generate(EVENTS, seed=1, benchmarks=[(0.0, 0.0), (0.5, 0.0), (-0.5, 0.0), (0.0, 0.5), (0.0, -0.5)])


@pytest.fixture(scope="module")
def measured(events):
    return measure(events.quarks, events.higgs, seed=2)


@pytest.fixture(scope="module")
def density(measured):
    return exact_coefficients(*measured, samples=SAMPLES, seed=3)


def ratios(coefficients):
    return coefficients[:, 1:] / coefficients[:, :1]


def test_a_perfect_detector_gives_the_parton_level_back(events):
    fine = Resolution(recoil=1e-3, noise=1e-5, stochastic=1e-5, constant=1e-5, angle=1e-5, photon=1e-5)
    perfect = measure(events.quarks[:60], events.higgs[:60], seed=4, resolution=fine)
    found = exact_coefficients(*perfect, samples=4, seed=5, resolution=fine)
    assert (found.effective > 1).all()
    truth = sum(wbf.differential(events.quarks[:60][:, order], events.higgs[:60]) for order in ([0, 1], [1, 0]))
    np.testing.assert_allclose(ratios(found.coefficients), ratios(truth), rtol=1e-2, atol=2e-3)


def test_the_phase_space_of_two_photons():
    """Integral of exp(-E_H / T) over d^3p/E dOmega*/(4 pi) = m^2 / (4 pi (1-c)^2) dOmega_1 dOmega_2 dln E_1."""
    scale = 150.0
    left = quad(lambda p: 4 * np.pi * p**2 / np.hypot(p, M_H) * np.exp(-np.hypot(p, M_H) / scale), 0, 60 * scale)[0]
    log_e, u = np.meshgrid(np.linspace(-5, 12, 1001), np.linspace(np.log(1e-7), np.log(2), 1001), indexing="ij")
    one_minus = np.exp(u)
    total = np.exp(log_e) + M_H**2 / (2 * one_minus * np.exp(log_e))
    values = 8 * np.pi**2 * M_H**2 / (4 * np.pi * one_minus**2) * np.exp(-total / scale) * one_minus
    right = np.trapezoid(np.trapezoid(values, u[0], axis=1), log_e[:, 0])
    assert abs(right / left - 1) < 2e-3


def test_errors_are_those_of_repetitions(measured, density):
    other = exact_coefficients(*measured, samples=SAMPLES, seed=6)
    assert np.quantile(density.effective, 0.05) > SAMPLES / 4 and np.median(density.effective) > SAMPLES / 2
    for theta in ((0.0, 0.0), (0.4, -0.3)):
        a, b = theta
        gradients = np.array([[0, 1, 0, 2 * a, b, 0], [0, 0, 1, 0, a, 2 * b]])
        first, second = (
            d.coefficients @ gradients.T / (d.coefficients @ [1, a, b, a * a, a * b, b * b])[:, None]
            for d in (density, other)
        )
        pulls = (first - second) / np.hypot(score_error(density, theta), score_error(other, theta))
        assert (np.abs(pulls.std(0) - 1) < 0.35).all()


def test_the_exact_score_is_the_mean_of_the_joint_score(events, density):
    """Regression of the joint on the exact score: slope one; and information is not gained by measuring."""
    weight = events.coefficients[:, 0] / events.coefficients[:, 0].sum()
    joint, exact = ratios(events.coefficients)[:, :2], ratios(density.coefficients)[:, :2]
    mean = weight @ joint
    for k in range(2):
        x, y = exact[:, k] - weight @ exact[:, k], joint[:, k] - mean[k]
        slope = (weight * x * y).sum() / (weight * x**2).sum()
        residual = weight * x * (y - slope * x)
        assert abs(slope - 1) < 4 * np.sqrt((residual**2).sum()) / (weight * x**2).sum() + 0.003
        shift = weight * (joint - exact)[:, k]
        assert abs(shift.sum()) < 4 * np.sqrt((shift**2).sum())
    information, bound = (np.einsum("n,np,nq->pq", weight, s - mean, s - mean) for s in (exact, joint))
    # one number with its error: the trace of what is lost, from the events themselves
    lost = weight * (((joint - mean) ** 2).sum(1) - ((exact - mean) ** 2).sum(1))
    assert lost.sum() > -3 * np.sqrt((lost**2).sum()) and np.trace(information) < 1.1 * np.trace(bound)


def test_densities_of_two_detectors_have_the_same_norm(events, measured, density):
    """The mean of p_2(x) / p_1(x) over x from p_1 is one, each with its own norms of recoil, jets and photons."""
    wider = Resolution(recoil=13.5, constant=0.07, angle=0.033, photon=0.0165)
    other = exact_coefficients(*measured, samples=SAMPLES, seed=7, resolution=wider)
    weight = events.coefficients[:, 0] / events.coefficients[:, 0].sum()
    ratio = other.coefficients[:, 0] / density.coefficients[:, 0]
    error = np.sqrt((weight**2 * (ratio - 1) ** 2).sum())
    assert abs(weight @ ratio - 1) < 4 * error and error < 0.1


def test_error_of_the_score_by_hand():
    random = np.random.default_rng(8)
    central = np.array([2.0, 0.3, -0.2, 0.5, 0.1, 0.7])
    root = 0.01 * random.normal(size=(6, 6))
    draws = central + random.normal(size=(40_000, 6)) @ root.T
    a, b = 0.3, -0.2
    value = draws @ [1, a, b, a * a, a * b, b * b]
    scores = np.stack(
        [draws[:, 1] + 2 * a * draws[:, 3] + b * draws[:, 4], draws[:, 2] + a * draws[:, 4] + 2 * b * draws[:, 5]]
    )
    spread = (scores / value).std(1)
    found = score_error(SmearedDensity(central[None], (root @ root.T)[None], np.ones(1)), (a, b))
    np.testing.assert_allclose(found[0], spread, rtol=0.03)


def test_bad_input(measured):
    with pytest.raises(ValueError, match="photons"):
        exact_coefficients(measured.jets, measured.photons[:, 0])
    with pytest.raises(ValueError, match="samples"):
        exact_coefficients(*measured, samples=1)
