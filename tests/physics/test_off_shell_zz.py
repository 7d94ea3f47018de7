"""The off-shell model: loop integrals, spin correlations, known cross-sections, unitarity."""

import numpy as np
import pytest

from hepml_labs.physics.electroweak import M_Z
from hepml_labs.physics.higgs_vertices import fermion_current
from hepml_labs.physics.kinematics import minkowski_product
from hepml_labs.physics.off_shell_events import accepted, differential, generate, parton_density
from hepml_labs.physics.off_shell_zz import (
    FEATURES,
    _decay,
    gluon_parts,
    lepton_factor,
    leptons,
    production_amplitudes,
    quark_amplitudes,
)
from hepml_labs.physics.quark_loops import (
    box_integral,
    goldstone_box,
    higgs_form_factor,
    massless_box,
    triangle_integral,
)

RANDOM = np.random.default_rng(3)


def events(n, m_4l=None, cosine=None, z_mass=None):
    """Points of phase space without cuts."""
    x = np.empty((n, len(FEATURES)))
    x[:, 0] = RANDOM.uniform(240, 1400, n) if m_4l is None else m_4l
    x[:, 1] = RANDOM.uniform(-1.5, 1.5, n)
    x[:, 2:4] = RANDOM.uniform(80, 102, (n, 2)) if z_mass is None else z_mass
    x[:, 4] = RANDOM.uniform(-0.95, 0.95, n) if cosine is None else cosine
    x[:, 5:7] = RANDOM.uniform(-1, 1, (n, 2))
    x[:, 7:9] = RANDOM.uniform(-np.pi, np.pi, (n, 2))
    return x


def test_triangle_against_feynman_integral():
    y, weight = np.polynomial.legendre.leggauss(2000)
    y, weight = (y + 1) / 2, weight / 2
    for s in (-30.0, -0.5, 3.0, 60.0):
        integrand = np.log(np.abs(1 - s * y * (1 - y))) / y / s
        assert triangle_integral(s).real == pytest.approx(weight @ integrand, rel=3e-3)
    # the imaginary part is the phase space of two on-shell quarks
    beta = np.sqrt(1 - 4 / 60)
    assert triangle_integral(60.0).imag == pytest.approx(-np.pi / 60 * np.log((1 + beta) / (1 - beta)))


@pytest.mark.parametrize(("s", "t"), [(3.5, -2.0), (-5.0, -9.0), (2.0, -0.5)])
def test_box_against_three_feynman_parameters(s, t):
    node, weight = np.polynomial.legendre.leggauss(48)
    node, weight = (node + 1) / 2, weight / 2
    a, x, y = np.meshgrid(node, node, node, indexing="ij")
    weights = weight[:, None, None] * weight[None, :, None] * weight
    denominator = 1 - s * a**2 * x * (1 - x) - t * (1 - a) ** 2 * y * (1 - y)
    assert box_integral(s, t).real == pytest.approx((weights * a * (1 - a) / denominator**2).sum(), rel=1e-6)
    assert abs(box_integral(s, t).imag) < 1e-12


def test_heavy_and_light_quarks():
    s, t = np.array([0.02]), np.array([-0.007])
    # low-energy theorem: ln|H|^2 couples one Higgs boson and two Goldstone bosons alike
    assert goldstone_box(s, t)[0] / s == pytest.approx(4 / 3, rel=0.01)
    assert higgs_form_factor(s) == pytest.approx(4 / 3, rel=0.01)
    # far above threshold the triangle grows like a squared logarithm, the box does not
    s = np.array([1e3, 1e5])
    triangle, box = s * higgs_form_factor(s), goldstone_box(s, -s / 2)[0]
    assert (np.abs(triangle) > 8 * np.abs(box)).all()
    assert abs(triangle[1]) > 2 * abs(triangle[0])
    assert np.abs(box[1] / box[0]) == pytest.approx(1, abs=0.15)


def test_massless_box():
    s, t = np.full(5, 3.0), np.linspace(-2.5, -0.5, 5)
    equal, same, _ = massless_box(s, t)
    mirrored = massless_box(s, -s - t)
    assert np.allclose(equal, mirrored[0])
    assert np.allclose(same, mirrored[2])
    # optical theorem: forward scattering absorbs; a flip of both helicities is forbidden there
    forward = massless_box(np.array([1.0]), np.array([-1e-4]))
    assert forward[1].imag > 20
    assert abs(forward[2]) < 1e-3


def test_signal_is_the_product_of_lepton_currents():
    """Rotation functions against explicit four-vectors: the decay of a scalar is |J1.J2|^2."""
    x = events(40)
    electron, positron, muon, antimuon = np.moveaxis(leptons(x, laboratory=False), 1, 0)
    expected = np.zeros(len(x))
    factors = lepton_factor(x[:, 2]) / (2 * x[:, 2] ** 2), lepton_factor(x[:, 3]) / (2 * x[:, 3] ** 2)
    for first, h in enumerate((-1, 1)):
        for second, g in enumerate((-1, 1)):
            one, two = fermion_current(positron, electron, h), fermion_current(antimuon, muon, g)
            product = one[:, 0] * two[:, 0] - (one[:, 1:] * two[:, 1:]).sum(-1)
            expected += np.abs(product) ** 2 * factors[0][first] * factors[1][second]
    scalar = production_amplitudes(*x[:, [0, 2, 3, 4]].T)[0][0, 0, 0]
    assert np.allclose(gluon_parts(x)[:, 2], 2 * expected * np.abs(scalar) ** 2 / 32)


def test_rotation_functions_are_products_of_polarisations_and_currents():
    """Phases included, for both bosons: sqrt(2) m times the function is the product of four-vectors."""
    x = events(6, 400.0, 1.0, 91.0)
    momenta = leptons(x, laboratory=False)
    energy, momentum, half = 200.0, np.sqrt(200.0**2 - 91.0**2), 2**-0.5
    metric = np.array([1, -1, -1, -1])
    for boson, sign in ((0, 1), (1, -1)):  # the axes x and z of the second one are reversed
        transverse = [np.array([0, -h * sign * half, -1j * half, 0]) for h in (-1, 1)]
        longitudinal = np.array([momentum, 0, 0, sign * energy]) / 91.0
        vectors = np.stack([transverse[0], longitudinal, transverse[1]])
        functions = _decay(x[:, 5 + boson], x[:, 7 + boson])
        for number, h in enumerate((-1, 1)):
            current = fermion_current(momenta[:, 2 * boson + 1], momenta[:, 2 * boson], h)
            ratio = (vectors * metric) @ current.T / functions[number]
            assert np.allclose(np.abs(ratio), np.sqrt(2) * 91)
            assert np.allclose(ratio, ratio[1])


def test_leptons_have_the_masses_and_the_rapidity():
    x = events(30)
    momenta = leptons(x)
    total = momenta.sum(1)
    assert np.allclose(minkowski_product(momenta, momenta), 0, atol=1e-6)
    assert np.allclose(np.sqrt(minkowski_product(total, total)), x[:, 0])
    assert np.allclose(np.arctanh(total[:, 3] / total[:, 0]), x[:, 1])
    for first, column in ((0, 2), (2, 3)):
        pair = momenta[:, first] + momenta[:, first + 1]
        assert np.allclose(np.sqrt(minkowski_product(pair, pair)), x[:, column])


def test_quark_background_against_the_closed_form():
    """Averaged over the decays: Brown and Mikaelian's formula for on-shell Z bosons, in s, t and u."""
    values, formula = [], []
    for m_4l, cosine in ((250.0, 0.2), (400.0, -0.6), (900.0, 0.85)):
        x = events(20_000, m_4l, cosine, M_Z)
        values.append(quark_amplitudes(x).sum((0, 1)).mean())
        s, square = m_4l**2, M_Z**2
        beta = np.sqrt(1 - 4 * square / s)
        t, u = (square - s / 2 * (1 + sign * beta * cosine) for sign in (-1, 1))
        formula.append(t / u + u / t + 4 * square * s / (t * u) - square**2 * (1 / t**2 + 1 / u**2))
    ratio = np.array(values) / formula
    # per helicity of the quark 4 times the formula, 2 m^2 / 3 of each current, four helicities of the leptons
    assert np.allclose(ratio / M_Z**4, 4 * 4 * (2 / 3) ** 2, rtol=0.03)


def test_rates_do_not_depend_on_reflections():
    x = events(50)
    turned = x * [1, 1, 1, 1, 1, 1, 1, -1, -1]  # parity and rotation: the amplitude squared has no T-odd tree terms
    assert np.allclose(quark_amplitudes(turned), quark_amplitudes(x))
    mirrored = x * [1, -1, 1, 1, -1, 1, 1, 1, 1]
    mirrored[:, 7:] += np.pi
    assert np.allclose(differential(mirrored), differential(x), rtol=1e-9, atol=0)  # the two protons are alike
    exchanged = x[:, [0, 1, 3, 2, 4, 6, 5, 8, 7]] * [1, 1, 1, 1, -1, 1, 1, 1, 1]
    exchanged[:, 7:] += np.pi
    assert np.allclose(differential(exchanged), differential(x), rtol=1e-9, atol=0)  # and so are electrons and muons


def test_unitarity():
    """Longitudinal amplitudes: the sum stays bounded where signal and continuum grow without limit."""
    mass = np.array([500.0, 1000.0, 2000.0, 8000.0])
    signal, continuum = (
        amplitude[0, 1, 1]
        for amplitude in production_amplitudes(mass, np.full(4, M_Z), np.full(4, M_Z), np.full(4, 0.3))
    )
    assert (np.diff(np.abs(signal)) > 0).all()
    share = np.abs(signal + continuum) / np.abs(signal)
    assert (np.diff(share) < 0).all()
    assert share[-1] < 0.1


def test_interference_obeys_schwarz_and_sums_are_positive():
    parts = generate(4000, seed=5).parts
    assert (parts[:, 2] ** 2 <= 4 * parts[:, 1] * parts[:, 3] * (1 + 1e-9)).all()
    for kappa in (0.3, 1.0, 2.0):
        assert (parts[:, 1:] @ [1, kappa, kappa**2] >= 0).all()


def test_events_have_the_density_of_the_generator():
    """Another proposal gives the same cross-sections: weights are densities over proposal densities."""
    drawn = generate(20_000, seed=6)
    n = 30_000
    x = events(n)
    low, high = 250.0, 700.0
    x[:, 0], x[:, 1] = RANDOM.uniform(low, high, n), RANDOM.uniform(-2.4, 2.4, n)
    x[:, 2:4], x[:, 4] = RANDOM.uniform(88, 94, (n, 2)), RANDOM.uniform(-1, 1, n)
    x = x[accepted(x)]
    weight = (high - low) * 4.8 * 36 * 2 * 4 * (2 * np.pi) ** 2 / n * differential(x)
    inside = ((drawn.x[:, 2:4] > 88) & (drawn.x[:, 2:4] < 94)).all(1) & (drawn.x[:, 0] > low) & (drawn.x[:, 0] < high)
    found = drawn.parts[inside].sum(0)
    error = np.sqrt((drawn.parts[inside] ** 2).sum(0) + (weight**2).sum(0))
    assert (np.abs(weight.sum(0) - found) < 4 * error).all()
    assert (error[[0, 1, 3]] < 0.08 * found[[0, 1, 3]]).all()


def test_parton_densities_against_the_grid():
    parton_densities = pytest.importorskip("hepml_labs.physics.parton_densities")
    pytest.importorskip("pythia8mc")
    x, flavours = np.geomspace(2e-4, 0.3, 30), (21, 1, 2, 3, 4, 5, -1, -2)
    grid = parton_densities.PartonDensities.load().all(x, 250.0**2, flavours)
    found = np.stack([parton_density(flavour, x) for flavour in flavours], axis=1)
    assert np.abs(found / grid - 1).max() < 0.06


def test_bad_input():
    with pytest.raises(ValueError, match="x: found shape"):
        differential(np.zeros((4, 3)))
    with pytest.raises(ValueError, match="n: found 0"):
        generate(0)
    with pytest.raises(ValueError, match="s, t: expected"):
        box_integral(np.array([1.0]), np.array([2.0]))
