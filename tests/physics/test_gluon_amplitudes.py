"""Gluon amplitudes: Parke-Taylor, closed forms, gauge, Lorentz and Bose symmetry, the collinear limit."""

from itertools import permutations, product

import numpy as np
import pytest

from hepml_labs.physics.berends_giele import ordered_amplitudes, parke_taylor
from hepml_labs.physics.color import color_matrix, leading_color_matrix, orderings, structure_constants
from hepml_labs.physics.gluons import squared_amplitude
from hepml_labs.physics.kinematics import boost, invariants, minkowski_product, rotate
from hepml_labs.physics.phase_space import rambo
from hepml_labs.physics.spinors import polarization_vectors, spinor_product, spinors

COUPLING = 4 * np.pi * 0.118


def events(n, outgoing, seed=1, energy=1000.0):
    beams = np.broadcast_to(energy / 2 * np.array([[1.0, 0, 0, 1], [1.0, 0, 0, -1]]), (n, 2, 4))
    return np.concatenate([beams, rambo(n, outgoing, energy, seed)], axis=1)


def all_outgoing(momenta):
    return np.concatenate([-momenta[:, :2], momenta[:, 2:]], axis=1)


def all_helicities(legs):
    return np.array(list(product((-1, 1), repeat=legs)))


def test_spinor_products_square_to_invariants():
    p = all_outgoing(events(20, 4))
    angle, square = spinors(p)
    found = spinor_product(angle[:, :, None], angle[:, None]) * -spinor_product(square[:, None], square[:, :, None])
    np.testing.assert_allclose(found, invariants(p), atol=1e-6)


def test_polarizations_are_complete():
    p, q = events(20, 4)[:, 2], np.array([1.0, 0.0, 0.6, -0.8])
    minus, plus = polarization_vectors(p, q)
    outer = lambda a, b: a[:, :, None] * b[:, None]  # noqa: E731
    metric = np.diag([1.0, -1, -1, -1])
    qs = np.broadcast_to(q, p.shape)
    expected = -metric + (outer(p, qs) + outer(qs, p)) / minkowski_product(p, qs)[:, None, None]
    np.testing.assert_allclose(outer(plus, plus.conj()) + outer(minus, minus.conj()), expected, atol=1e-9)
    np.testing.assert_allclose(plus.conj(), minus, atol=1e-12)


@pytest.mark.parametrize("legs", [4, 5, 6, 7])
def test_recursion_gives_parke_taylor_and_the_vanishing_amplitudes(legs):
    p = all_outgoing(events(3, legs - 2))
    table, order = all_helicities(legs), orderings(legs)[:: max(1, (legs - 5) * 7)]
    amplitudes = ordered_amplitudes(p, table, order)
    scale = np.abs(amplitudes).max()
    minus = (table < 0).sum(1)
    assert np.abs(amplitudes[:, (minus < 2) | (minus > legs - 2)]).max() < 1e-12 * scale
    angle = spinors(p)[0]
    for configuration in np.flatnonzero(minus == 2):
        i, j = np.flatnonzero(table[configuration] < 0)
        expected = spinor_product(angle[:, i], angle[:, j]) ** 4 * parke_taylor(p, order)
        phase = amplitudes[:, configuration] / expected  # of the little group: the same for all orderings
        np.testing.assert_allclose(np.abs(phase), 1, rtol=1e-8)
        np.testing.assert_allclose(phase, np.broadcast_to(phase[:1], phase.shape), rtol=1e-8)


@pytest.mark.parametrize("legs", [4, 5, 6])
def test_amplitudes_do_not_depend_on_the_gauge(legs):
    p = all_outgoing(events(4, legs - 2))
    one = ordered_amplitudes(p, all_helicities(legs), orderings(legs))
    other = ordered_amplitudes(p, all_helicities(legs), orderings(legs), reference=np.array([1.0, 0.6, 0.0, 0.8]))
    np.testing.assert_allclose(np.abs(one), np.abs(other), atol=1e-11 * np.abs(one).max())


def test_color_ordered_amplitudes_obey_the_relations_of_the_color_algebra():
    p, table = all_outgoing(events(4, 4)), all_helicities(6)
    one = lambda order: ordered_amplitudes(p, table, [order], reference=np.array([1.0, 0.6, 0.0, 0.8]))[0]  # noqa: E731
    rest = (1, 2, 3, 4)
    photon = sum(one((*rest[:cut], 0, *rest[cut:], 5)) for cut in range(5))  # decoupling of a U(1) gluon
    scale = np.abs(one((0, *rest, 5))).max()
    assert np.abs(photon).max() < 1e-10 * scale
    np.testing.assert_allclose(one((0, 1, 2, 3, 4, 5)), one((4, 3, 2, 1, 0, 5)), atol=1e-10 * scale)  # reflection


def test_four_gluons_against_the_textbook():
    p = events(50, 2)
    s = invariants(p)
    s, t, u = s[:, 0, 1], -s[:, 0, 2], -s[:, 0, 3]
    expected = COUPLING**2 * 4.5 * (3 - t * u / s**2 - s * u / t**2 - s * t / u**2)
    np.testing.assert_allclose(squared_amplitude(p).full_color, expected, rtol=1e-9)


def test_five_gluons_against_the_closed_form():
    # Mangano and Parke, Phys. Rept. 200 (1991) 301: for n = 4, 5 leading colour is exact, and
    # sum |M|^2 = 2 g^6 N^3 (N^2 - 1) sum_(i<j) s_ij^4 sum over (n-1)! orders of 1 / (s_12 s_23 ... s_51).
    p = events(20, 3)
    s = invariants(all_outgoing(p))
    cycles = sum(
        1 / np.prod([s[:, a, b] for a, b in zip((0, *c), (*c, 0), strict=True)], axis=0)
        for c in permutations((1, 2, 3, 4))
    )
    powers = (np.triu(s, 1) ** 4).sum((1, 2))
    expected = 2 * COUPLING**3 * 27 * 8 * powers * cycles / 256
    np.testing.assert_allclose(squared_amplitude(p).full_color, expected, rtol=1e-9)


@pytest.mark.parametrize("outgoing", [2, 3, 4])
def test_parke_taylor_short_cut_equals_the_full_helicity_sum(outgoing):
    p = events(5, outgoing)
    legs = outgoing + 2
    amplitudes = ordered_amplitudes(all_outgoing(p), all_helicities(legs), orderings(legs))
    for matrix, found in zip((color_matrix(legs), leading_color_matrix(legs)), squared_amplitude(p), strict=True):
        summed = np.einsum("ahe,ab,bhe->e", amplitudes.conj(), matrix, amplitudes).real
        np.testing.assert_allclose(found, COUPLING**outgoing * summed / 256, rtol=1e-9)


def test_leading_color_is_the_sum_over_all_orderings():
    p, table = all_outgoing(events(3, 4)), all_helicities(6)
    every = [(*order, 5) for order in permutations(range(5))]
    amplitudes = ordered_amplitudes(p, table, every)
    expected = COUPLING**4 * 3**4 * 8 * (np.abs(amplitudes) ** 2).sum((0, 1)) / 256
    np.testing.assert_allclose(squared_amplitude(events(3, 4)).leading_color, expected, rtol=1e-9)


def test_color_matrix_against_casimirs():
    f = structure_constants()
    np.testing.assert_allclose(np.einsum("abc,dbc->ad", f, f), 6 * np.eye(8), atol=1e-12)
    for legs in (4, 5, 6):  # a chain times itself is a ladder of C_A, 2 N in this normalisation
        assert color_matrix(legs)[0, 0] == pytest.approx(8 * 6.0 ** (legs - 2))
        assert np.linalg.eigvalsh(color_matrix(legs)).min() > -1e-6


@pytest.mark.parametrize("outgoing", [3, 4])
def test_lorentz_and_bose_symmetry(outgoing):
    p = events(20, outgoing)
    expected = squared_amplitude(p)
    random = np.random.default_rng(3)
    moved = rotate(boost(p, [0.4, -0.3, 0.5]), random.normal(size=(20, 1, 3)), random.uniform(-3, 3, (20, 1)))
    exchanged = np.concatenate([p[:, 1::-1], p[:, 2:][:, random.permutation(outgoing)]], axis=1)
    for other in (moved, exchanged):
        for found, value in zip(squared_amplitude(other), expected, strict=True):
            np.testing.assert_allclose(found, value, rtol=1e-8)


def test_dimension_and_coupling():
    p = events(5, 4)
    np.testing.assert_allclose(squared_amplitude(2 * p).full_color, squared_amplitude(p).full_color / 16, rtol=1e-9)
    np.testing.assert_allclose(
        squared_amplitude(p, alpha_s=0.236).full_color, 16 * squared_amplitude(p).full_color, rtol=1e-9
    )


@pytest.mark.parametrize("outgoing", [3, 4])
def test_collinear_limit(outgoing):
    # |M_(n+1)|^2 -> 8 pi alpha_s / s_ab  P(z) |M_n|^2, P = 2 N (z / (1-z) + (1-z) / z + z (1-z)), once the spin
    # correlation is averaged out by turning the pair about its axis. Here: the last gluon splits, gently.
    parent = events(3, outgoing - 1, seed=5)
    z, ratio = 0.3, []
    for turn in np.linspace(0, np.pi, 8, endpoint=False):
        ratio.append(_split(parent, z, 1e-5, turn))
    kernel = 6 * (z / (1 - z) + (1 - z) / z + z * (1 - z))
    np.testing.assert_allclose(np.mean(ratio, axis=0), kernel, rtol=1e-3)


def _split(parent, z, opening, turn):
    """Let the last gluon split into fractions z and 1 - z; return |M|^2 s_ab / (8 pi alpha_s |M_parent|^2)."""
    last, spectator = parent[:, -1], parent[:, -2]
    across = np.cross(last[:, 1:], [0.3, 0.5, 0.8])
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    kt = np.concatenate([np.zeros((len(last), 1)), across], axis=1)
    kt = rotate(kt, last[:, 1:], turn)
    # Sudakov decomposition with the spectator as the light-like direction that takes the recoil (Catani-Seymour):
    # k_T must be orthogonal to both; subtracting a multiple of `last` and of the spectator makes it so.
    both = minkowski_product(last, spectator)[:, None]
    kt = (
        kt
        - last * minkowski_product(kt, spectator)[:, None] / both
        - spectator * minkowski_product(kt, last)[:, None] / both
    )
    kt *= opening * last[:, :1] / np.sqrt(-minkowski_product(kt, kt))[:, None]
    y = -minkowski_product(kt, kt)[:, None] / (2 * z * (1 - z) * both)
    a = z * last + y * (1 - z) * spectator + kt
    b = (1 - z) * last + y * z * spectator - kt
    momenta = np.concatenate([parent[:, :-2], ((1 - y) * spectator)[:, None], a[:, None], b[:, None]], axis=1)
    s_ab = 2 * minkowski_product(a, b)
    full = squared_amplitude(momenta).full_color
    return full * s_ab / (8 * np.pi * 0.118 * squared_amplitude(parent).full_color)


def test_leading_color_is_exact_up_to_five_gluons_and_close_for_six():
    for outgoing in (2, 3):
        found = squared_amplitude(events(50, outgoing))
        np.testing.assert_allclose(found.leading_color, found.full_color, rtol=1e-9)
    found = squared_amplitude(events(1000, 4))
    ratio = found.leading_color / found.full_color
    assert ratio.mean() == pytest.approx(0.989, abs=0.003) and ratio.std() == pytest.approx(0.018, abs=0.004)
    assert ratio.max() < 1 + 1e-9


def test_chunks_change_nothing():
    p = events(7, 4)
    np.testing.assert_allclose(squared_amplitude(p, chunk=3).full_color, squared_amplitude(p).full_color, rtol=1e-12)


def _broken(kind):
    p = events(4, 3)
    if kind == "shape":
        return p[..., :3]
    if kind == "empty":
        return p[:0]
    if kind == "too few":
        return p[:, :3]
    if kind == "NaN":
        p[1, 2, 3] = np.nan
    if kind == "sign":
        p[:, :2] *= -1
    if kind == "mass":
        p[:, 2, 0] *= 1.1
    if kind == "unbalanced":
        p[:, 2] *= 1.1
    return p


@pytest.mark.parametrize("kind", ["shape", "empty", "too few", "NaN", "sign", "mass", "unbalanced"])
def test_bad_momenta_are_named(kind):
    with pytest.raises(ValueError, match=r"^momenta: "):
        squared_amplitude(_broken(kind))


def test_orderings_with_different_ends_are_refused():
    with pytest.raises(ValueError, match=r"^orderings: found last legs \[2, 3\]"):
        ordered_amplitudes(all_outgoing(events(2, 2)), all_helicities(4), [(0, 1, 2, 3), (0, 1, 3, 2)])
