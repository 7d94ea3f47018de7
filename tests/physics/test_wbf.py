"""Weak-boson fusion: closed forms, flavour sums, phase space, Pythia's cross-sections, and what theta does."""

import numpy as np
import pytest

from hepml_labs.physics import wbf, wbf_amplitudes
from hepml_labs.physics.electroweak import M_W, PICOBARN, G, ckm_squared, fermion_coupling, propagator
from hepml_labs.physics.higgs_vertices import fermion_current, higgs_amplitude
from hepml_labs.physics.kinematics import boost, mass, minkowski_product, pt
from hepml_labs.physics.morphing import Morphing, monomials, optimize_benchmarks
from hepml_labs.physics.phase_space import phase_space_volume, rambo
from hepml_labs.physics.smearing import cylindrical

pytest.importorskip("pythia8mc")  # its parton densities

N = 20_000
SQUARE = [(a, b) for a in (-1.0, 0.0, 1.0) for b in (-1.0, 0.0, 1.0)]


@pytest.fixture(scope="module")
def events():
    return wbf.generate(N, seed=1)


@pytest.fixture(scope="module")
def points():
    quarks, higgs, _ = wbf.phase_space(60, seed=3)
    possible = (quarks.sum(1) + higgs)[:, 0] < 0.4 * wbf.ENERGY
    quarks, higgs = quarks[possible], higgs[possible]
    return quarks, higgs, incoming(quarks, higgs)


def incoming(quarks, higgs):
    total = quarks.sum(1) + higgs
    energies = ((total[:, 0] + sign * total[:, 3]) / 2 for sign in (1, -1))
    return [np.outer(e, [1.0, 0.0, 0.0, sign]) for e, sign in zip(energies, (1, -1), strict=True)]


def cuts(quarks, higgs):
    transverse, eta, _ = cylindrical(quarks)
    apart = np.abs(eta[:, 0] - eta[:, 1]) > 2
    return (transverse > 20).all(1) & (np.abs(eta) < 4.7).all(1) & apart & (mass(quarks.sum(1)) > 300)


def test_closed_form_of_w_fusion(points):
    """|M|^2 of W W fusion without couplings: 16 (p1 p2)(p3 p4), with p2 and p4 exchanged for unlike helicities."""
    quarks, higgs, (p1, p2) = points
    p3, p4 = quarks[:, 0], quarks[:, 1]
    k1, k2 = p1 - p3, p2 - p4
    denominator = ((minkowski_product(k1, k1) - M_W**2) * (minkowski_product(k2, k2) - M_W**2)) ** 2
    charged, _ = wbf_amplitudes.helicity_amplitudes(quarks, higgs)
    like = minkowski_product(p1, p2) * minkowski_product(p3, p4)
    unlike = minkowski_product(p1, p4) * minkowski_product(p2, p3)
    for amplitude, product in zip(charged, (like, unlike), strict=True):
        expected = 16 * (G * M_W) ** 2 * product / denominator
        np.testing.assert_allclose(np.abs(amplitude[:, 0]) ** 2, expected, rtol=1e-9)


def mixed(quark):
    """Sum of squared elements of the mixing matrix over the quarks, but top, that a quark may turn into."""
    if quark % 2 == 0:
        return sum(ckm_squared(quark, down) for down in (1, 3, 5))
    return sum(ckm_squared(up, quark) for up in (2, 4))


def brute_force(quarks, higgs, theta):
    """The sum over flavours and helicities, one after the other, with antiquark lines written backwards."""
    densities, energy = wbf_amplitudes.PartonDensities.load(), wbf.ENERGY
    beams = incoming(quarks, higgs)
    x = [2 * beam[:, 0] / energy for beam in beams]
    flavours = [f for f in range(-5, 6) if f]
    f = [dict(zip(flavours, (densities.all(v, M_W**2, flavours) / v[:, None]).T, strict=True)) for v in x]
    k = [beams[line] - quarks[:, line] for line in (0, 1)]
    virtuality = [minkowski_product(k[line], k[line]) for line in (0, 1)]

    def current(line, flavour, chirality):
        ends = (beams[line], quarks[:, line])
        return fermion_current(*(ends if flavour > 0 else ends[::-1]), chirality)

    def amplitude(lines, bosons):
        (j1, c1), (j2, c2) = lines
        vertex = "".join(bosons)
        strength = c1 * c2 * (propagator(bosons[0], virtuality[0]) * propagator(bosons[1], virtuality[1])).real
        if vertex == "AZ":
            structures = higgs_amplitude(j2, k[1], j1, k[0], "ZA")
        else:
            structures = higgs_amplitude(j1, k[0], j2, k[1], vertex)
        return strength * (structures @ np.array([1.0, *theta]))

    total = 0.0
    for a in flavours:
        for b in flavours:
            for h1 in (-1, 1):
                for h2 in (-1, 1):
                    currents = current(0, a, h1), current(1, b, h2)
                    lines = [
                        [(j, fermion_coupling(v, q, h)) for j, q, h in zip(currents, (a, b), (h1, h2), strict=True)]
                        for v in "ZA"
                    ]
                    neutral = sum(
                        amplitude((lines[i][0], lines[j][1]), "ZA"[i] + "ZA"[j]) for i in (0, 1) for j in (0, 1)
                    )
                    total = total + f[0][a] * f[1][b] * np.abs(neutral) ** 2
            plus = [(q % 2 == 0) == (q > 0) for q in (a, b)]  # emits a W+
            if plus[0] != plus[1]:
                mixing = np.prod([mixed(abs(q)) for q in (a, b)])
                coupling = fermion_coupling("W", 2, -1)
                one = amplitude(((current(0, a, -1), coupling), (current(1, b, -1), coupling)), "WW")
                total = total + mixing * f[0][a] * f[1][b] * np.abs(one) ** 2
    return PICOBARN / 4 / (8 * (2 * np.pi) ** 5) / (x[0] * x[1] * energy**4) * total


def test_coefficients_against_direct_evaluation(points):
    quarks, higgs = points[0][:4], points[1][:4]
    coefficients = wbf.differential(quarks, higgs)
    for theta in np.random.default_rng(4).uniform(-2, 2, (2, 2)):
        direct = brute_force(quarks, higgs, theta)
        np.testing.assert_allclose(coefficients @ monomials(theta[None])[0], direct, rtol=1e-10)
    np.testing.assert_allclose(
        wbf_amplitudes.differential(quarks, higgs, channels=True).sum(1), coefficients, rtol=1e-12
    )


def test_phase_space_volume():
    """The integral over x1, x2 and three-body phase space of a function of tau = x1 x2, with m_H > 0 in closed form."""
    quarks, higgs, volume = wbf.phase_space(N, seed=5)
    total = quarks.sum(1) + higgs
    tau = mass(total) ** 2 / wbf.ENERGY**2
    inside = (total[:, 0] + np.abs(total[:, 3]) < wbf.ENERGY).astype(float)

    def weight(tau):  # falls like a cross-section
        return np.exp(-((np.log(tau) + 5) ** 2))

    # dx1 dx2 = 2 dE dpz / s, and d^3p / E = pT dpT deta dphi twice, d^2pT dy once
    found = volume * inside * weight(tau) / tau * 2 / wbf.ENERGY**2 / (8 * (2 * np.pi) ** 5)
    log_tau = np.linspace(2 * np.log(125.25 / wbf.ENERGY), 0, 4001)[:-1]
    s, r = np.exp(log_tau) * wbf.ENERGY**2, 125.25**2 / (np.exp(log_tau) * wbf.ENERGY**2)
    three_body = s / (128 * np.pi**3) * ((1 - r**2) / 2 + r * np.log(r))
    expected = np.trapezoid(weight(np.exp(log_tau)) * three_body * -log_tau, log_tau)
    assert abs(found.sum() - expected) < 4 * np.sqrt(N) * found.std() and found.std() * np.sqrt(N) < 0.06 * expected


def test_phase_space_against_rambo():
    """Mean transverse momentum of the third particle at fixed tau and rapidity, all three massless."""
    energy = 600.0
    flat = rambo(N, 3, energy, seed=6)
    assert abs(phase_space_volume(3, energy) / (energy**2 / (256 * np.pi**3)) - 1) < 1e-12
    quarks, higgs, volume = wbf.phase_space(4 * N, seed=7, mass=1e-6)
    total = quarks.sum(1) + higgs
    near = np.abs(np.log(mass(total) / energy)) < 0.3
    values = pt(higgs) / mass(total)
    expected = pt(flat[:, 2]).mean() / energy
    # weights per d ln tau dy, over tau: phase space itself grows like tau
    weight = (volume / mass(total) ** 4)[near]
    mean = np.average(values[near], weights=weight)
    error = np.sqrt((weight**2 * (values[near] - mean) ** 2).sum()) / weight.sum()
    assert abs(mean - expected) < 4 * error and error < 0.02


def test_cross_section_against_pythia(monkeypatch):
    """Pythia 8.317, 40,000 events with our constants, scale and densities; it takes antiquarks for quarks."""

    def emission(x, densities, scale=wbf.SCALE):
        quarks = sum(densities.all(x, scale**2, tuple(sign * q for q in wbf_amplitudes.QUARKS)) for sign in (1, -1))
        charged, _ = original(x, densities, scale)
        charged = np.stack([charged.sum(2), np.zeros((len(x), 2))], 2)
        couplings = wbf_amplitudes._COUPLINGS
        return charged, np.tensordot(quarks / x[:, None], couplings[..., :, None] * couplings[..., None, :], 1)

    original = wbf_amplitudes.emission
    monkeypatch.setattr(wbf_amplitudes, "emission", emission)
    quarks, higgs, volume = wbf.phase_space(2 * N, seed=8)
    rows = np.flatnonzero(wbf.inside(quarks))
    values = np.zeros((2 * N, 4))
    values[rows] = wbf_amplitudes.differential(quarks[rows], higgs[rows], channels=True)[..., 0] * volume[rows, None]
    kept = cuts(quarks, higgs)
    for channels, everywhere, selected in (((0, 1), 2.435, 1.441), ((2, 3), 0.912, 0.559)):
        one = values[:, channels].sum(1)
        for value, expected, relative in ((one, everywhere, 0.0035), (one * kept, selected, 0.007)):
            error = np.hypot(np.sqrt(2 * N) * value.std(), relative * expected)
            assert abs(value.sum() - expected) < 3.5 * error and error < 0.02 * expected


def test_exchange_of_the_outgoing_quarks_may_be_left_out(points):
    """Interference of t- and u-channel for u u, left-handed, colour 1/3, under the cuts."""
    quarks, higgs, volume = wbf.phase_space(N, seed=9)
    kept = cuts(quarks, higgs)
    quarks, higgs, volume = quarks[kept], higgs[kept], volume[kept]
    direct, exchanged = (
        wbf_amplitudes.helicity_amplitudes(order, higgs)[1][0, :, 0, 0] for order in (quarks, quarks[:, ::-1])
    )
    total = quarks.sum(1) + higgs
    steep = volume * (mass(total) / 1000.0) ** -6  # in place of flux and parton densities
    interference = 2 / 3 * (steep * (direct * exchanged.conj()).real).sum()
    assert abs(interference) < 0.01 * (steep * np.abs(direct) ** 2).sum()


def test_morphed_cross_section_against_direct_integration(events):
    basis = optimize_benchmarks([(-1.0, 1.0), (-1.0, 1.0)], seed=1)
    morphing = Morphing(basis)
    values = events.coefficients @ monomials(np.asarray(morphing.benchmarks)).T  # each benchmark integrated by itself
    theta = np.random.default_rng(10).uniform(-1, 1, (5, 2))
    direct = (events.coefficients @ monomials(theta).T).sum(0)
    np.testing.assert_allclose(morphing.weights(theta) @ values.sum(0), direct, rtol=1e-9)
    other = wbf.cross_section(N, seed=11)
    errors = np.hypot(np.sqrt(N) * events.coefficients.std(0), other[1])
    assert (np.abs(events.coefficients.sum(0) - other[0]) < 4 * errors).all()
    assert 3.2 < other[0][0] < 3.45 and (other[1][0] < 0.03)


def test_thinned_events_and_their_score():
    made = wbf.generate(4000, seed=12, benchmarks=SQUARE)
    assert len(made.quarks) == len(made.higgs) == len(made.coefficients) == 4000
    value, error = wbf.cross_section(N, seed=13)
    assert (np.abs(made.coefficients.sum(0) - value) < 5 * np.hypot(error, 0.03 * value[0])).all()
    weights = made.coefficients @ monomials(np.array(SQUARE)).T
    assert (weights > 0).all()
    assert (weights.sum(0) ** 2 / (weights**2).sum(0) > 0.5 * 4000).all()  # no theta is badly covered
    # E[joint score] = d ln sigma / d theta, with the expectation taken over events that are drawn
    probability = made.coefficients[:, 0] / made.coefficients[:, 0].sum()
    drawn = np.random.default_rng(14).choice(4000, 4000, p=probability)
    score = made.coefficients[drawn, 1:3] / made.coefficients[drawn, :1]
    error = score.std(0) / np.sqrt(4000 / 2) + np.hypot(*error[[0, 1]]) / value[0]
    assert (np.abs(score.mean(0) - value[1:3] / value[0]) < 4 * error).all()


def test_azimuth_between_jets(events):
    """Nearly flat in the Standard Model; field strengths alone suppress 90 degrees: hep-ph/0105325."""
    kept = cuts(events.quarks, events.higgs)
    phi = cylindrical(events.quarks)[2]
    cosine = np.cos(2 * (phi[:, 0] - phi[:, 1]))[kept]
    standard, square = events.coefficients[kept][:, 0], events.coefficients[kept][:, 5]
    assert abs(np.average(cosine, weights=standard)) < 0.1
    assert np.average(cosine, weights=square) > 0.3
    # and the interference is positive for quarks on the same side, negative back to back, or the other way round
    side = np.cos(phi[:, 0] - phi[:, 1])[kept]
    interference = events.coefficients[kept][:, 2]
    assert interference[side > 0.5].sum() * interference[side < -0.5].sum() < 0


def test_bad_input(points):
    with pytest.raises(ValueError, match="benchmarks"):
        wbf.generate(10, benchmarks=[0.0, 1.0])
    with pytest.raises(ValueError, match="higgs"):
        wbf.differential(points[0], points[1][:, None])
    with pytest.raises(ValueError, match="energy"):
        wbf.generate(10, energy=-1.0)
    far = boost(np.concatenate([points[0], points[1][:, None]], 1), np.array([0.0, 0.0, 0.9999]))
    assert (wbf.differential(far[:, :2], far[:, 2])[far.sum(1)[:, 0] > wbf.ENERGY] == 0).all()
