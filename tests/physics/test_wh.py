"""W H: weights against amplitudes, cross-section against Pythia, reweighting against generation, the score."""

import numpy as np
import pytest

from hepml_labs.physics import wh
from hepml_labs.physics.electroweak import GAMMA_W, M_H, M_W, G
from hepml_labs.physics.kinematics import mass, minkowski_product, pt, rotate
from hepml_labs.physics.morphing import Morphing, monomial_gradients, monomials

pytest.importorskip("pythia8mc")
SQUARE = ((0.0, 0.0), (0.5, 0.0), (-0.5, 0.0), (0.0, 0.5), (0.0, -0.5), (0.5, 0.5))


@pytest.fixture(scope="module")
def total():
    return wh.cross_section(200_000, seed=1)


@pytest.fixture(scope="module")
def events():
    return wh.generate(6000, SQUARE, seed=2)


def test_kinematics(events):
    assert np.allclose(mass(events.higgs), M_H) and np.allclose(mass(events.lepton), 0, atol=1e-4)
    everything = events.lepton + events.neutrino + events.higgs
    assert np.abs(everything[:, 1:3]).max() < 1e-8 and everything[:, 0].max() < wh.ENERGY
    pair = mass(events.lepton + events.neutrino)
    assert (pair > 60).all() and (pair < 100).all() and np.median(pair) == pytest.approx(M_W, abs=0.2)
    # W+ from u dbar: more than W-
    weights = events.coefficients[:, 0]
    assert 1.4 < weights[events.charge > 0].sum() / weights[events.charge < 0].sum() < 1.8


def test_squared_amplitude_has_a_closed_form():
    """In the Standard Model |J1.J2|^2 = 16 (q.fbar)(qbar.f): the antifermion's spin tells where the quark came from."""
    random = np.random.default_rng(3)
    root = 500.0
    pair = np.repeat([[[60.0, 60, 0, 0]], [[26.92, -26.92, 0, 0]]], 50, axis=1)
    fermion, antifermion = rotate(pair, random.normal(size=3), random.uniform(0, 6, 50))
    beam = root / 2 * np.array([[1.0, 0, 0, 1.0], [1.0, 0, 0, -1.0]])
    found = np.abs(wh.amplitudes(beam[0], beam[1], fermion, antifermion)[:, 0]) ** 2
    invariant = 16 * minkowski_product(beam[0], antifermion) * minkowski_product(beam[1], fermion)
    s1, s2 = root**2, mass(fermion + antifermion) ** 2
    width = (M_W * GAMMA_W) ** 2
    factor = (G**3 * M_W / 2) ** 2 / ((s1 - M_W**2) ** 2 + width) / ((s2 - M_W**2) ** 2 + width)
    np.testing.assert_allclose(found, factor * invariant, rtol=1e-9)


def test_weights_are_those_of_the_amplitudes(events):
    """Ratios of weights at random theta against amplitudes from the laboratory momenta, summed over both directions."""
    theta = np.random.default_rng(4).uniform(-1, 1, (5, 2))
    few = [values[:200] for values in events]
    lepton, neutrino, higgs, charge, coefficients = few
    total = lepton + neutrino + higgs
    plus = (charge > 0)[:, None]
    fermion, antifermion = np.where(plus, neutrino, lepton), np.where(plus, lepton, neutrino)
    x = [(total[:, 0] + sign * total[:, 3]) / wh.ENERGY for sign in (1, -1)]
    beams = [np.outer(x_ * wh.ENERGY / 2, [1.0, 0, 0, sign]) for x_, sign in zip(x, (1, -1), strict=True)]
    luminosity = wh.emission(charge, *x, wh.PartonDensities.load())
    extended = np.concatenate([np.ones((5, 1)), theta], 1)
    direct = sum(
        luminosity[:, k, None] * np.abs(wh.amplitudes(beams[k], beams[1 - k], fermion, antifermion) @ extended.T) ** 2
        for k in range(2)
    )
    standard = sum(
        luminosity[:, k] * np.abs(wh.amplitudes(beams[k], beams[1 - k], fermion, antifermion)[:, 0]) ** 2
        for k in range(2)
    )
    found = coefficients @ monomials(theta).T / coefficients[:, :1]
    np.testing.assert_allclose(found, direct / standard[:, None], rtol=1e-8)


def test_cross_section_is_pythias(total):
    """Pythia 8.3's HiggsSM:ffbar2HW: same densities, scale, masses, g^2 and mixing; 180,000 events; see the page."""
    coefficients, covariance = total
    branching_ratio = G**2 / 2 * M_W / (24 * np.pi) / GAMMA_W  # of W to one lepton pair, at tree level
    pythia, error = 1.0377 * 2 * branching_ratio, 0.0012 * 2 * branching_ratio
    assert coefficients[0] == pytest.approx(pythia, abs=4 * np.hypot(error, covariance[0, 0] ** 0.5))
    assert covariance[0, 0] ** 0.5 < 0.004 * coefficients[0]


def test_morphed_cross_section_is_the_direct_one(total):
    """Integrations with their own seeds at six benchmarks, morphed to a seventh theta, against one there."""
    benchmarks, theta = np.array(SQUARE), np.array([[-0.4, 0.3]])
    values, errors = np.empty(6), np.empty(6)
    for k, m in enumerate(monomials(benchmarks)):
        coefficients, covariance = wh.cross_section(20_000, seed=10 + k)
        values[k], errors[k] = coefficients @ m, np.sqrt(m @ covariance @ m)
    weights = Morphing(benchmarks).weights(theta)[0]
    m = monomials(theta)[0]
    direct, error = total[0] @ m, np.sqrt(m @ total[1] @ m)
    assert weights @ values == pytest.approx(direct, abs=4 * np.hypot(error, np.sqrt(weights**2 @ errors**2)))


def test_sample_has_the_cross_section_and_its_score(total, events):
    theta = np.array([[0.2, -0.1]])
    m, gradient = monomials(theta)[0], monomial_gradients(theta)[0]
    weights = events.coefficients @ m
    assert weights.sum() == pytest.approx(total[0] @ m, rel=0.03)
    score = events.coefficients @ gradient / weights[:, None]
    mean = (weights[:, None] * score).sum(0) / weights.sum()
    slope = total[0] @ gradient / (total[0] @ m)  # d ln sigma / d theta
    np.testing.assert_allclose(mean, slope, atol=0.1)


def test_reweighted_events_are_generated_ones(events):
    theta = [[0.4, -0.2]]
    direct = wh.generate(6000, theta, seed=5)
    edges = np.array([0, 40, 80, 120, 170, 250, 400, 5000.0])
    found = []
    for sample in (events, direct):
        weights = sample.coefficients @ monomials(theta)[0]
        values = pt(sample.lepton + sample.neutrino)
        histogram = np.histogram(values, edges, weights=weights)[0]
        errors = np.sqrt(np.histogram(values, edges, weights=weights**2)[0])
        found += [histogram / weights.sum(), errors / weights.sum()]
    pulls = (found[0] - found[2]) / np.hypot(found[1], found[3])
    assert (pulls**2).sum() < 25  # 7 bins
    assert np.abs(pulls).max() < 3.8


def test_seeds_and_bad_arguments():
    one, two = (wh.generate(50, seed=7) for _ in range(2))
    np.testing.assert_array_equal(one.coefficients, two.coefficients)
    for call, name in (
        (lambda: wh.generate(0), "n"),
        (lambda: wh.generate(5, [[0.0]]), "benchmarks"),
        (lambda: wh.cross_section(100, energy=100.0), "energy"),
        (lambda: wh.cross_section(1), "n"),
    ):
        with pytest.raises(ValueError, match=name):
            call()
