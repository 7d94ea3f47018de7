"""The muon pairs and their spectrometer against closed forms, and the learned detector against the exact one."""

import numpy as np
import pytest
from scipy import integrate
from scipy.stats import kstest

from hepml_labs.flows.estimator import FlowEstimator
from hepml_labs.flows.fast_simulation import FastSimulation
from hepml_labs.flows.residuals import CurvatureResidual, MomentumResidual
from hepml_labs.physics import muon_pairs
from hepml_labs.physics.electroweak import ALPHA, PICOBARN
from hepml_labs.physics.muon_pairs import differential, generate, monomials, observables
from hepml_labs.physics.off_shell_events import COLLIDER, parton_density
from hepml_labs.physics.spectrometer import Spectrometer, as_truth, complete, log_transfer, measure_pairs


@pytest.fixture(scope="module")
def events():
    return generate(20_000, seed=1)


def build(mass, rapidity, cosine, transverse, phi):
    """Event (5,) from the variables in which the density is a product, independent of the generator's code."""
    sine, momentum = np.sqrt(1 - cosine**2), mass / 2
    columns = []
    for sign in (1, -1):
        p = sign * momentum * np.array([sine * np.cos(phi), sine * np.sin(phi), cosine])
        energy = momentum
        gamma, beta = np.hypot(mass, transverse) / mass, transverse / np.hypot(mass, transverse)
        energy, p[0] = gamma * (energy + beta * p[0]), gamma * (p[0] + beta * energy)
        energy, p[2] = (
            np.cosh(rapidity) * energy + np.sinh(rapidity) * p[2],
            np.cosh(rapidity) * p[2] + np.sinh(rapidity) * energy,
        )
        columns.append((np.log(np.hypot(p[0], p[1])), np.arctanh(p[2] / energy), np.arctan2(p[1], p[0])))
    (a, b, c), (d, e, f) = columns
    return np.array([a, d, b, e, (f - c) % (2 * np.pi)])


def test_observables_invert_the_construction():
    wanted = 700.0, 0.4, -0.3, 55.0
    pair = observables(build(*wanted, 1.1)[None])
    np.testing.assert_allclose([pair.mass[0], pair.rapidity[0], pair.cosine[0], pair.transverse[0]], wanted, rtol=1e-12)


def test_jacobian_of_the_differential_cross_section():
    """Density in the event's variables = density in (m, y, cos, kT, phi) / |d event / d variables|, numerically."""
    point, step = np.array([700.0, 0.4, -0.3, 55.0, 1.1]), np.array([1e-2, 1e-5, 1e-5, 1e-3, 1e-5])
    columns = [(build(*(point + d)) - build(*(point - d))) / 2 for d in np.diag(step)]
    determinant = abs(np.linalg.det(np.array(columns) / step[:, None]))
    mass, rapidity, cosine, transverse, _ = point
    recoil = 1.5 / (np.pi * 30**2) * (1 + (transverse / 30) ** 2) ** -2.5 * transverse  # phi: 2 pi / 2 pi
    hard = muon_pairs.cross_section(*(np.array([value]) for value in (mass, rapidity, cosine)))
    np.testing.assert_allclose(differential(build(*point)[None]), hard * recoil / determinant, rtol=1e-7)


def test_photon_exchange_has_the_textbook_cross_section(monkeypatch):
    """Without the Z: d sigma / d cos = pi alpha^2 Q^2 (1 + cos^2) / (6 s), colour included."""
    plain = muon_pairs.fermion_coupling
    monkeypatch.setattr(muon_pairs, "fermion_coupling", lambda b, f, h: plain(b, f, h) if b == "A" else 0.0)
    mass, rapidity, cosine = np.array([400.0]), np.array([0.5]), np.array([0.3])
    x1, x2 = (mass / COLLIDER * np.exp(sign * rapidity) for sign in (1, -1))
    luminosity = 0.0
    for flavour, charge in ((1, -1 / 3), (2, 2 / 3), (3, -1 / 3), (4, 2 / 3), (5, -1 / 3)):
        for a, b in ((flavour, -flavour), (-flavour, flavour)):
            luminosity = luminosity + charge**2 * parton_density(a, x1) * parton_density(b, x2) * 2 / mass
    expected = luminosity * np.pi * ALPHA**2 * (1 + cosine**2) / (6 * mass**2) * PICOBARN
    np.testing.assert_allclose(muon_pairs.cross_section(mass, rapidity, cosine)[:, 0], expected, rtol=1e-10)


def test_contact_interaction_completes_the_square():
    """In the Standard Model plus C the cross-section is a sum of squares: never negative, smallest near -b / 2c."""
    m = np.geomspace(250, 4000, 30)
    a, b, c = muon_pairs.cross_section(m, np.zeros(30), np.zeros(30)).T
    assert (c > 0).all() and (b > 0).all() and (4 * a * c > b**2).all()
    # C dominates at high mass, like s^2 over the propagators
    assert c[-1] / a[-1] > 1e3 * c[0] / a[0]


def test_generator_follows_the_density(events):
    """Events of one coupling, weighted with the ratio of exact densities, are events of another."""
    coefficients = differential(events)
    weight = coefficients @ monomials(0.1) / coefficients[:, 0]
    other = observables(generate(20_000, 0.1, seed=2))
    pair = observables(events)
    for name in ("mass", "rapidity", "cosine"):
        values, target = np.abs(getattr(pair, name)), np.abs(getattr(other, name))
        for edge in np.quantile(target, [0.3, 0.6, 0.9]):
            above = values > edge
            mean = np.average(above, weights=weight)
            error = np.sqrt((weight**2 * (above - mean) ** 2).sum()) / weight.sum()
            assert abs(mean - (target > edge).mean()) < 4 * np.hypot(error, 0.5 / np.sqrt(20_000)), name
    wide = observables(generate(4000, seed=3, radiation=60.0)).transverse
    narrow = observables(generate(4000, seed=3)).transverse
    assert kstest(wide, lambda k: 1 - (1 + (k / 60) ** 2) ** -1.5).pvalue > 1e-3 > kstest(wide, narrow).pvalue


def test_spectrometer_density_is_that_of_its_events():
    spectrometer, truth = Spectrometer(), np.array([[np.log(600.0), 1.2]])

    def density(q, r):
        return np.exp(spectrometer.log_density(np.array([[r, q]]), truth)[0])

    total = integrate.dblquad(density, -4, 8, -2, 4, epsabs=1e-4)[0]
    assert total == pytest.approx(1, abs=1e-3)
    many = np.repeat(truth, 40_000, 0)
    measured, found = spectrometer.measure(many, seed=3)
    assert found.mean() == pytest.approx(spectrometer.efficiency(truth)[0], abs=0.01)
    # entropy by quadrature against the mean of -ln t over events; the mean curvature in closed form
    share, sigma = spectrometer.share(truth)[0], spectrometer.resolution(truth)[0]
    mean = (1 + share * sigma) / 0.6
    assert measured[:, 0].mean() == pytest.approx(mean, abs=5 * measured[:, 0].std() / 200)
    axis_r, axis_q = np.linspace(-4, 8, 601), np.linspace(-2, 4, 301)
    grid = np.stack(np.meshgrid(axis_r, axis_q, indexing="ij"), -1).reshape(-1, 2)
    log_t = spectrometer.log_density(grid, np.repeat(truth, len(grid), 0))
    entropy = -(np.exp(log_t) * log_t).sum() * 0.02 * 0.02
    assert -spectrometer.log_density(measured, many).mean() == pytest.approx(entropy, abs=0.03)


def test_pairs_factorise(events):
    x, selected = measure_pairs(events[:500], seed=4)
    spectrometer, z = Spectrometer(), events[:500]
    both = log_transfer(x, z, spectrometer.log_density, spectrometer.efficiency)
    expected = sum(
        spectrometer.log_density(x[:, 2 * k : 2 * k + 2], z[:, [k, 2 + k]])
        + np.log(spectrometer.efficiency(z[:, [k, 2 + k]]))
        for k in (0, 1)
    )
    np.testing.assert_allclose(both, expected)
    np.testing.assert_array_equal(complete(z[:, :2], x), z)
    read = observables(as_truth(x[selected]))
    assert (read.mass > 300).all() and (x[selected][:, [0, 2]] > 0).all()


@pytest.mark.parametrize("residual", [CurvatureResidual(), MomentumResidual()])
def test_residuals_have_exact_jacobians(residual, events):
    x, selected = measure_pairs(events, seed=5)
    x, z = x[selected][:200], events[selected][:200]
    value, given = (x[:, :2], z[:, [0, 2]]) if isinstance(residual, CurvatureResidual) else (z[:, :2], x)
    y, log_det = residual.forward(value, given)
    np.testing.assert_allclose(residual.inverse(y, given), value, rtol=1e-9)
    columns = []
    for k in (0, 1):
        shift = np.zeros(2)
        shift[k] = 1e-6
        columns.append((residual.forward(value + shift, given)[0] - residual.forward(value - shift, given)[0]) / 2e-6)
    np.testing.assert_allclose(log_det, np.linalg.slogdet(np.stack(columns, -1))[1], atol=1e-6)


def test_learned_detector_is_close_to_the_exact_one():
    spectrometer, random = Spectrometer(), np.random.default_rng(1)

    def sample(n, seed):
        truth = np.column_stack([random.uniform(np.log(40), np.log(1500), n), random.uniform(-2.4, 2.4, n)])
        return truth, *spectrometer.measure(truth, seed=10 + seed)

    truth, measured, found = sample(12_000, 1)
    flow = FlowEstimator(layers=4, hidden=(24, 24), epochs=6, batch_size=100, learning_rate=6e-3)
    fast = FastSimulation(CurvatureResidual(), flow, epochs=20).fit(truth, measured, found)
    truth, measured, _ = sample(8000, 2)
    exact = spectrometer.log_density(measured, truth)
    assert -0.01 < (exact - fast.log_density(measured, truth)).mean() < 0.08  # in nat; untrained: 0.5
    assert np.abs(fast.efficiency(truth) - spectrometer.efficiency(truth)).mean() < 0.05
    drawn, there = fast.simulate(truth, seed=3)
    assert abs(there.mean() - spectrometer.efficiency(truth).mean()) < 0.02
    response = [np.quantile(m[:, 0] * np.exp(truth[:, 0]) / 1000, [0.1, 0.5, 0.9]) for m in (drawn, measured)]
    np.testing.assert_allclose(*response, atol=0.03)
    with pytest.raises(ValueError, match="found: found float64"):
        fast.fit(truth, measured, found[:8000].astype(float))
