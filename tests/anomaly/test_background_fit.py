"""Background fits: minimum and errors against iminuit, score equations, coverage of the window's expectation."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import xlogy
from scipy.stats import chi2, kstest
from scipy.stats import t as student

from hepml_labs.anomaly.background_fit import dijet, fit_spectrum, window_bins
from hepml_labs.anomaly.bump_hunt import gaussian_template
from hepml_labs.anomaly.fit_quality import f_test, goodness_of_fit

EDGES = np.linspace(2600, 6600, 41)
TRUE = np.array([-10.5, 0.2, 16.2, 4.4])  # of the shape of the bundled QCD dijets, about 60,000 events
WINDOW = (3300.0, 3700.0)


def expectation(edges=EDGES, parameters=TRUE):
    return np.array([quad(lambda m: dijet(np.array([m]), parameters)[0], *ends)[0] for ends in pairwise(edges)])


@pytest.fixture(scope="module")
def truth():
    return expectation()


@pytest.fixture(scope="module")
def toys(truth):
    return np.random.default_rng(11).poisson(truth, (500, len(truth)))


def test_dijet_is_the_published_function():
    mass = np.array([2600.0, 4000.0, 9000.0])
    x = mass / 13_000
    published = 0.3 * (1 - x) ** 7 / x ** (5 + 0.2 * np.log(x) + 0.01 * np.log(x) ** 2)
    np.testing.assert_allclose(dijet(mass, np.array([np.log(0.3), 7, 5, 0.2, 0.01])), published, rtol=1e-12)


def test_a_perfect_spectrum_gives_its_parameters_back(truth):
    fit = fit_spectrum(truth, EDGES, 4)
    np.testing.assert_allclose(fit.parameters, TRUE, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(fit.expected, truth, rtol=1e-6)
    assert fit.deviance < 1e-6


def test_iminuit_finds_the_same_minimum_and_errors(truth, toys):
    iminuit = pytest.importorskip("iminuit")
    template = gaussian_template(EDGES, 4000.0, 100.0)
    for counts in (toys[0], truth + 150 * template):
        fit = fit_spectrum(counts, EDGES, 3, template=template)
        nodes, weights = np.polynomial.legendre.leggauss(4)
        mass = (EDGES[1:] + EDGES[:-1])[:, None] / 2 + 50 * nodes

        def loss(theta, n=counts, mass=mass, weights=weights):  # in other coordinates than those of the fit
            a, b, c, s = theta
            logarithm = a + b * (np.log1p(-mass / 13_000) + 0.37) - c * np.log(mass / 4000)
            mu = 50 * (weights * np.exp(logarithm)).sum(-1) + s * template
            return 2 * (mu - n + xlogy(n, n / mu)).sum()

        minuit = iminuit.Minuit(loss, [2.5, 5.0, 5.0, 0.0])
        minuit.errordef, minuit.tol, minuit.strategy = 1.0, 1e-4, 2
        minuit.migrad()
        minuit.hesse()
        assert minuit.valid
        assert fit.deviance == pytest.approx(minuit.fval, abs=1e-4)
        assert fit.strength == pytest.approx(minuit.values[3], abs=0.01 * minuit.errors[3])
        # expected against observed second derivatives: they differ by the noise of the data
        assert fit.strength_error == pytest.approx(minuit.errors[3], rel=0.05)
        assert np.sqrt(fit.parameter_covariance[1, 1]) == pytest.approx(minuit.errors[1], rel=0.05)


def test_score_equations(toys):
    """At the maximum the observed and expected sums agree for 1 and nearly so for the logarithms of the bins."""
    fit = fit_spectrum(toys[:5], EDGES, 4)
    np.testing.assert_allclose(fit.expected.sum(-1), toys[:5].sum(-1), rtol=1e-8)
    pull = np.einsum("ij,ijk->ik", 1 - toys[:5] / fit.expected, fit.modes)  # gradient in units of its own error
    assert np.abs(pull).max() < 1e-3


def test_a_masked_window_does_not_matter_and_batches_are_single_fits(toys):
    used = ~window_bins(EDGES, *WINDOW)
    fit = fit_spectrum(toys[:3], EDGES, 4, used=used)
    changed = fit_spectrum(np.where(used, toys[:3], 0), EDGES, 4, used=used)
    np.testing.assert_allclose(fit.expected, changed.expected, rtol=1e-7)
    single = fit_spectrum(toys[1], EDGES, 4, used=used)
    np.testing.assert_allclose(single.expected, fit.expected[1], rtol=1e-5)
    np.testing.assert_allclose(single.window(*WINDOW), [x[1] for x in fit.window(*WINDOW)], rtol=1e-4)


def test_the_error_of_the_window_covers(truth, toys):
    fit = fit_spectrum(toys, EDGES, 4, used=~window_bins(EDGES, *WINDOW))
    expected, error = fit.window(*WINDOW)
    pull = (expected - truth[window_bins(EDGES, *WINDOW)].sum()) / error
    assert abs(pull.mean()) < 4 / np.sqrt(500)
    assert abs(pull.std() - 1) < 4 / np.sqrt(1000)


def test_deviance_is_chi_squared_where_counts_are_large(toys):
    wide = toys[:, :20]  # hundreds of events in each bin
    assert kstest(chi2.sf(fit_spectrum(wide, EDGES[:21], 4).deviance, 16), "uniform").pvalue > 1e-3


def test_f_test_is_uniform_for_the_right_function_and_sees_a_wrong_one(truth, toys):
    right = [f_test(fit_spectrum(n, EDGES, 4), fit_spectrum(n, EDGES, 5)) for n in toys[:40]]
    assert kstest([result.p_value for result in right], "uniform").pvalue > 1e-3
    assert kstest([result.gain_p_value for result in right], "uniform").pvalue > 1e-3
    four, five = (float(fit_spectrum(toys[0], EDGES, k).deviance) for k in (4, 5))
    assert right[0].gain == pytest.approx(four - five, rel=1e-9)
    assert right[0].statistic == pytest.approx((four - five) / (five / 35), rel=1e-9)
    assert right[0].p_value == pytest.approx(2 * student.sf(np.sqrt(right[0].statistic), 35), rel=1e-9)
    wrong = [f_test(fit_spectrum(n, EDGES, 3), fit_spectrum(n, EDGES, 4)).p_value for n in toys[:20]]
    assert np.median(wrong) < 1e-3


def test_goodness_of_fit(toys):
    p_value = goodness_of_fit(fit_spectrum(toys[0], EDGES, 4), toys=500, seed=1).p_value
    assert p_value == pytest.approx(chi2.sf(fit_spectrum(toys[0], EDGES, 4).deviance, 36), abs=0.1)
    step = toys[0] * np.where(EDGES[1:] > 4000, 1.5, 1.0)
    assert goodness_of_fit(fit_spectrum(step, EDGES, 4), toys=99, seed=1).p_value == 0.01


def test_few_events_converge(truth):
    """Most bins empty, and a signal that wants to be negative there."""
    few = np.random.default_rng(3).poisson(truth / 600, (30, 40))
    template = gaussian_template(EDGES, np.arange(3000.0, 6000.0, 250.0), 100.0)
    fit = fit_spectrum(few[:, None], EDGES, 3, template=template)
    assert np.isfinite(fit.deviance).all() and fit.strength.shape == (30, 12)
    background = fit_spectrum(few[:, None], EDGES, 3).deviance
    assert (fit.deviance <= background + 1e-4).all()


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"parameters": 2}, "parameters"),
        ({"parameters": 6}, "parameters"),
        ({"counts": np.full(40, -1.0)}, "counts"),
        ({"counts": np.full(40, np.nan)}, "counts"),
        ({"edges": EDGES[:-1]}, "edges"),
        ({"edges": EDGES[::-1].copy()}, "edges"),
        ({"edges": EDGES * 10}, "mass"),
        ({"used": np.arange(40) < 2}, "used"),
        ({"used": np.ones(40)}, "used"),
        ({"template": np.ones(39)}, "template"),
    ],
)
def test_bad_input_is_named(change, name):
    with pytest.raises(ValueError, match=name):
        fit_spectrum(**({"counts": np.ones(40), "edges": EDGES} | change))


def test_more_bad_input_is_named(truth, toys):
    fit = fit_spectrum(truth, EDGES)
    with pytest.raises(ValueError, match="window"):
        fit.window(3333.0, 3700.0)
    with pytest.raises(ValueError, match="fit"):
        goodness_of_fit(fit_spectrum(toys[:2], EDGES))
    with pytest.raises(ValueError, match="complex"):
        f_test(fit, fit)
    with pytest.raises(ValueError, match="complex"):
        f_test(fit, fit_spectrum(toys[0], EDGES, 4))
