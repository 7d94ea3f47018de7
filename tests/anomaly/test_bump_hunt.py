"""Bump hunts: counts against exact enumeration, pyhf and iminuit; uniform p-values; signals found at their strength."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import xlogy
from scipy.stats import binomtest, gamma, kstest, norm, poisson

from hepml_labs.anomaly.background_fit import dijet, fit_spectrum
from hepml_labs.anomaly.bump_hunt import (
    count_window,
    gaussian_template,
    profile_window,
    scan,
    spurious_signal,
)
from hepml_labs.anomaly.counting import counting_p_value, li_ma_significance, on_off_p_value
from hepml_labs.evaluation import asimov_significance

EDGES = np.linspace(2600, 6600, 41)
TRUE = np.array([-10.5, 0.2, 16.2, 4.4])
WINDOW = (3300.0, 3700.0)


@pytest.fixture(scope="module")
def truth():
    return fit_spectrum(100 * dijet((EDGES[1:] + EDGES[:-1]) / 2, TRUE), EDGES, 4).expected


@pytest.fixture(scope="module")
def toys(truth):
    return np.random.default_rng(21).poisson(truth, (600, 40))


def test_on_off_is_a_binomial_test_and_a_gamma_average():
    for on, off, tau in ((4, 5, 5.0), (12, 3, 0.5), (178, 100, 1.0)):
        exact = binomtest(on, on + off, 1 / (1 + tau), alternative="greater").pvalue
        average = quad(
            lambda b, on=on, off=off, tau=tau: poisson.sf(on - 1, b) * gamma.pdf(b, off + 1, 0, 1 / tau),
            0,
            500,
            limit=200,
        )
        assert on_off_p_value(on, off, tau) == pytest.approx(exact, rel=1e-10)
        assert average[0] == pytest.approx(exact, rel=1e-5)


def test_published_significances():
    """Cousins, Linnemann and Tucker, table 1: experiments with 4 to 200 events, some with an estimate for off."""
    on, off, tau = np.array(
        [(4, 5, 5), (6, 18.78, 14.44), (9, 17.83, 4.69), (17, 40.11, 10.56), (50, 55, 2), (67, 15, 0.5), (200, 10, 0.1)]
    ).T
    np.testing.assert_allclose(
        norm.isf(on_off_p_value(on, off, tau)), [1.66, 2.63, 1.82, 4.46, 2.93, 2.89, 2.2], atol=6e-3
    )
    np.testing.assert_allclose(li_ma_significance(on, off, tau), [1.95, 2.82, 1.99, 4.57, 3.02, 3.04, 2.38], atol=6e-3)


def test_on_off_never_claims_too_much():
    """All outcomes enumerated: the probability of p <= alpha is at most alpha, and not far below it."""
    n = np.arange(140)
    for background, tau in ((3.0, 1.0), (10.0, 2.0), (40.0, 1.0)):
        on, off = np.meshgrid(n, n, indexing="ij")
        probability = poisson.pmf(on, background) * poisson.pmf(off, tau * background)
        p_value = on_off_p_value(on, off, tau)
        for alpha in (0.3, 0.05, 0.01, 1e-3):
            found = probability[p_value <= alpha].sum()
            assert found <= alpha and (background < 40 or found > 0.5 * alpha)


def test_li_ma_is_the_statistic_of_pyhf():
    pyhf = pytest.importorskip("pyhf")
    on, off, tau = 178, 100, 1.7
    background = {"name": "background", "modifiers": [{"name": "rate", "type": "normfactor", "data": None}]}
    signal = {"name": "signal", "data": [1.0], "modifiers": [{"name": "mu", "type": "normfactor", "data": None}]}
    model = pyhf.Model(
        {
            "channels": [
                {"name": "on", "samples": [signal, background | {"data": [1.0]}]},
                {"name": "off", "samples": [background | {"data": [tau]}]},
            ]
        },
        poi_name="mu",
    )
    data = [{"on": on, "off": off}[name] for name in model.config.channels]
    bounds = [(0.0, 500.0) if name == "mu" else (1.0, 500.0) for name in model.config.par_order]
    q0 = pyhf.infer.test_statistics.q0(0.0, data, model, [50.0, 60.0], bounds, [False, False])
    assert li_ma_significance(on, off, tau) == pytest.approx(np.sqrt(float(q0)), abs=1e-3)


def test_counting_with_an_error():
    assert counting_p_value(130, 100.0, 0.0) == pytest.approx(poisson.sf(129, 100), rel=1e-10)
    assert counting_p_value(130, 100.0, 0.02) == pytest.approx(poisson.sf(129, 100), rel=1e-3)  # nearly none
    assert counting_p_value(30, 20.0, 4.0) == pytest.approx(on_off_p_value(30, 25.0, 1.25), rel=1e-10)
    assert counting_p_value(0, 3.0, 1.0) == 1
    # the median expectation of the shared room is Li and Ma's formula at the expected counts
    assert li_ma_significance(130, 100.0, 1.0) == pytest.approx(asimov_significance(30, 100, 10), rel=1e-10)


def test_window_p_values_are_uniform_in_background(toys):
    profile = profile_window(toys, EDGES, WINDOW, 4)
    count = count_window(toys, EDGES, WINDOW, 4)
    assert kstest(norm.sf(profile), "uniform").pvalue > 1e-3
    assert kstest(count.p_value, "uniform").pvalue > 1e-3
    np.testing.assert_allclose(profile, count.significance, atol=0.03)  # two roads, one answer
    assert norm.sf(profile_window(toys[:50], EDGES, WINDOW, 3)).mean() < 0.1  # too stiff a function finds bumps


def test_profile_of_the_window_agrees_with_iminuit(toys):
    iminuit = pytest.importorskip("iminuit")
    counts = toys[0] + np.where((EDGES[1:] > 3300) & (EDGES[1:] < 3750), 60, 0)
    merged = np.concatenate([counts[:7], [counts[7:11].sum()], counts[11:]])
    edges = np.concatenate([EDGES[:8], EDGES[11:]])
    nodes, weights = np.polynomial.legendre.leggauss(8)
    half, centre = np.diff(edges)[:, None] / 2, (edges[1:] + edges[:-1])[:, None] / 2
    x = np.log((centre + half * nodes) / 4000)

    def loss(theta):
        a, b, c, s = theta
        mu = (half * weights * np.exp(a + b * (np.log1p(-4000 / 13e3 * np.exp(x)) + 0.37) - c * x)).sum(-1)
        mu[7] += s
        return 2 * (mu - merged + xlogy(merged, merged / mu)).sum()

    values = []
    for fixed in (True, False):
        minuit = iminuit.Minuit(loss, [2.5, 5.0, 5.0, 0.0])
        minuit.errordef, minuit.tol, minuit.fixed[3] = 1.0, 1e-4, fixed
        minuit.migrad()
        values.append(minuit.fval)
    assert profile_window(counts, EDGES, WINDOW, 3) == pytest.approx(np.sqrt(values[0] - values[1]), abs=2e-3)


def test_template_holds_the_resonance():
    template = gaussian_template(EDGES, np.array([3500.0, 2600.0]), 100.0)
    np.testing.assert_allclose(template.sum(-1), [1, 0.5], atol=1e-6)
    assert (EDGES[1:] + EDGES[:-1]) @ template[0] / 2 == pytest.approx(3500)


def test_scan_finds_an_injected_resonance(truth, toys):
    masses = np.array([3200.0, 3500.0, 3800.0])
    signal = 1500 * gaussian_template(EDGES, 3500.0, 100.0)
    assert scan(truth + signal, EDGES, masses, 100.0, 4).strength[1] == pytest.approx(1500, rel=1e-3)
    random = np.random.default_rng(5)
    found = scan(toys[:100] + random.poisson(signal, (100, 40)), EDGES, masses, 100.0, 4)
    pull = (found.strength[:, 1] - 1500) / found.error[:, 1]
    assert abs(pull.mean()) < 0.4 and abs(pull.std() - 1) < 0.3
    assert (found.significance.argmax(-1) == 1).all()
    single = scan(toys[0], EDGES, masses, 100.0, 4)
    assert single.significance.shape == (3,)
    null = scan(toys, EDGES, masses[:1], 100.0, 4).significance[:, 0]
    assert kstest(null, "norm").pvalue > 1e-3


def test_spurious_signal_vanishes_for_the_true_function_only(truth):
    masses = np.arange(3000.0, 5000.0, 200.0)
    assert np.abs(spurious_signal(truth, EDGES, masses, 100.0, 4)).max() < 1e-2
    assert np.abs(spurious_signal(truth, EDGES, masses, 100.0, 3)).max() > 1


def test_bad_input_is_named(truth):
    with pytest.raises(ValueError, match="tau"):
        on_off_p_value(3, 4, 0.0)
    with pytest.raises(ValueError, match="off"):
        li_ma_significance(3, -4, 1.0)
    with pytest.raises(ValueError, match="expected"):
        counting_p_value(3, 0.0)
    with pytest.raises(ValueError, match="window"):
        count_window(truth, EDGES, (3350.0, 3700.0))
    with pytest.raises(ValueError, match="width"):
        gaussian_template(EDGES, 3500.0, -1.0)
    with pytest.raises(ValueError, match="mass"):
        scan(truth, EDGES, np.array([np.nan]), 100.0)
