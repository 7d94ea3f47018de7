"""The vertices against the Lagrangian itself, gauge invariance, textbook cross-section and spinor identities."""

import numpy as np
import pytest

from hepml_labs.physics.electroweak import COS, M_H, M_W, M_Z, SIN, G, V, ckm_squared, fermion_coupling, propagator
from hepml_labs.physics.higgs_vertices import fermion_current, higgs_amplitude, quadratic_coefficients
from hepml_labs.physics.kinematics import minkowski_product

METRIC = np.diag([1.0, -1.0, -1.0, -1.0])
PAULI = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
LEVI_CIVITA = np.zeros((3, 3, 3))
for a, b, c in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
    LEVI_CIVITA[a, b, c], LEVI_CIVITA[b, a, c] = 1.0, -1.0


def lagrangian(w, dw, b, higgs, d_higgs):
    """Standard Model, O_W and O_WW (without f / Lambda^2) from fields and derivatives at a point, lower indices.

    Plane waves are complex, so the hermitian conjugate of the doublet is written out: H stays, i changes its sign.
    """
    prime = G * SIN / COS
    phi, d_phi = np.array([0, V + higgs]) / np.sqrt(2), np.outer(d_higgs, [0, 1]) / np.sqrt(2)
    matrix = 0.5j * (G * np.einsum("am,aij->mij", w, PAULI) + prime * b[:, None, None] * np.eye(2))
    right, left = d_phi + matrix @ phi, d_phi - phi @ matrix
    strength = dw - dw.swapaxes(1, 2) - G * np.einsum("abc,bm,cn->amn", LEVI_CIVITA, w, w)
    upper = np.einsum("amn,mr,ns->ars", strength, METRIC, METRIC)
    sandwich = np.einsum("mi,aij,nj->amn", left, PAULI, right)
    return np.array(
        [
            np.einsum("mi,mn,ni->", left, METRIC, right),
            0.5j * G * np.einsum("amn,amn->", sandwich, upper),
            -(G**2) / 4 * (phi @ phi) * np.einsum("amn,amn->", strength, upper),
        ]
    )


def vertex_from_lagrangian(vertex, first, k1, second, k2):
    """Coefficient of (field 1) (field 2) (Higgs) in the Lagrangian, found with roots of unity as amplitudes."""
    roots = np.exp(2j * np.pi * np.arange(6) / 6)  # the Lagrangian has degree below 6 in each field
    into = {
        "+": ([1 / np.sqrt(2), 1j / np.sqrt(2), 0], 0),
        "-": ([1 / np.sqrt(2), -1j / np.sqrt(2), 0], 0),
        "Z": ([0, 0, COS], -SIN),
        "A": ([0, 0, SIN], COS),
    }
    kinds = "+-" if vertex == "WW" else vertex
    total = 0
    for a1 in roots:
        for a2 in roots:
            for h in roots:
                w, dw, b = np.zeros((3, 4), complex), np.zeros((3, 4, 4), complex), np.zeros(4, complex)
                for kind, size, field, k in zip(kinds, (a1, a2), (first, second), (k1, k2), strict=True):
                    components, hypercharge = into[kind]
                    wave = size * (METRIC @ field)
                    w += np.outer(components, wave)
                    dw += np.einsum("a,m,n->amn", components, -1j * (METRIC @ k), wave)
                    b += hypercharge * wave
                value = lagrangian(w, dw, b, h, 1j * h * (METRIC @ (k1 + k2)))  # leaving: exp(+iqx)
                total = total + value / (a1 * a2 * h)
    return total / len(roots) ** 3 / np.array([1, V**2, V**2])


@pytest.mark.parametrize("vertex", ["WW", "ZZ", "ZA", "AA"])
def test_vertices_are_those_of_the_lagrangian(vertex):
    random = np.random.default_rng(1)
    first, second = random.normal(size=(2, 4)) + 1j * random.normal(size=(2, 4))
    k1, k2 = 100 * random.normal(size=(2, 4))
    expected = vertex_from_lagrangian(vertex, first, k1, second, k2)
    found = higgs_amplitude(first, k1, second, k2, vertex)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-9 * np.abs(expected).max())


def test_photons_are_transverse_and_equal_bosons_symmetric():
    random = np.random.default_rng(2)
    first, second, k1, k2 = 100 * random.normal(size=(4, 20, 4))
    size = np.abs(higgs_amplitude(first, k1, second, k2, "ZA")).max(axis=0)
    assert (np.abs(higgs_amplitude(first, k1, k2, k2, "ZA"))[:, 1:] < 1e-11 * size[1:] * 100).all()
    assert (np.abs(higgs_amplitude(k1, k1, second, k2, "AA"))[:, 2] < 1e-11 * size[2] * 100).all()
    # O_WW is gauge invariant for W and Z bosons too, O_W is not (the Higgs field carries the charge)
    assert (np.abs(higgs_amplitude(k1, k1, second, k2, "WW"))[:, 2] < 1e-11 * size[2] * 100).all()
    for vertex in ("WW", "ZZ", "AA"):
        swapped = higgs_amplitude(second, k2, first, k1, vertex)
        np.testing.assert_allclose(swapped, higgs_amplitude(first, k1, second, k2, vertex), rtol=1e-12)


def massless(random, n):
    three = 50 * random.normal(size=(n, 3))
    return np.concatenate([np.linalg.norm(three, axis=1, keepdims=True), three], axis=1)


@pytest.mark.parametrize("helicity", [-1, 1])
def test_currents(helicity):
    random = np.random.default_rng(3)
    p1, p2, p3, p4 = (massless(random, 30) for _ in range(4))
    p1[0] = [7.0, 0.0, 0.0, -7.0]  # along the beams
    p2[0] = [9.0, 0.0, 0.0, 9.0]
    current = fermion_current(p1, p2, helicity)
    for k in (p1 - p2, p1 + p2):
        assert (np.abs(minkowski_product(current, k)) < 1e-9).all()
    reverse = fermion_current(p2, p1, helicity)
    np.testing.assert_allclose(reverse, current.conj(), atol=1e-9)
    # trace of gamma matrices: J_mu J*_nu = 2 (p1_mu p2_nu + p2_mu p1_nu - g p1.p2 -+ i epsilon), hence
    other = fermion_current(p3, p4, helicity)
    found = np.abs(minkowski_product(current, other)) ** 2
    np.testing.assert_allclose(found, 16 * minkowski_product(p1, p3) * minkowski_product(p2, p4), rtol=1e-9)
    opposite = np.abs(minkowski_product(current, fermion_current(p3, p4, -helicity))) ** 2
    np.testing.assert_allclose(opposite, 16 * minkowski_product(p1, p4) * minkowski_product(p2, p3), rtol=1e-9)


def test_left_handed_current_carries_left_handed_spin():
    """A lepton along +z (spin -1/2) and an antineutrino along -z (again -1/2 along z): from a boson of spin -1."""
    neutrino, lepton = np.array([[1.0, 0, 0, -1]]), np.array([[1.0, 0, 0, 1]])
    current = fermion_current(neutrino, lepton, -1)[0]
    # sigma_bar = (1, -sigma): lower component to upper one; annihilates a boson with the polarisation conj(J)
    # J is contracted with the polarisation vector of the boson, (0, 1, -i, 0) for spin -1: J.e is largest for this one
    overlap = [abs(minkowski_product(current, np.array([0, 1, sign * 1j, 0]))) for sign in (1, -1)]
    np.testing.assert_allclose(current[[0, 3]], 0, atol=1e-12)
    assert overlap[0] < 1e-12 < 1 < overlap[1]


def test_total_cross_section_of_associated_production():
    """Q qbar' to W H: G_F^2 m_W^4 / (72 pi s) sqrt(lam) (lam + 12 m^2 / s) / (1 - m^2 / s)^2 (hep-ph/0503172)."""
    s = 400.0**2
    lam = (1 - M_W**2 / s - M_H**2 / s) ** 2 - 4 * M_W**2 * M_H**2 / s**2
    fermi = 1 / (np.sqrt(2) * V**2)
    textbook = fermi**2 * M_W**4 / (72 * np.pi * s) * np.sqrt(lam) * (lam + 12 * M_W**2 / s) / (1 - M_W**2 / s) ** 2
    half = np.sqrt(s) / 2
    nodes, weights = np.polynomial.legendre.leggauss(8)
    energy, momentum = (s + M_W**2 - M_H**2) / (4 * half), np.sqrt(s * lam) / 2
    sine = np.sqrt(1 - nodes**2)
    zero = np.zeros(8)
    w = np.stack([energy + zero, momentum * sine, zero, momentum * nodes], 1)
    polarisations = [
        np.stack([zero, nodes, zero, -sine], 1),
        np.stack([zero, zero, zero + 1, zero], 1),
        np.stack([momentum + zero, energy * sine, zero, energy * nodes], 1) / M_W,
    ]
    quark, antiquark = np.array([half, 0, 0, half]), np.array([half, 0, 0, -half])
    current = np.broadcast_to(fermion_current(quark, antiquark, -1), (8, 4))
    initial = np.broadcast_to(quark + antiquark, (8, 4))
    amplitude = [higgs_amplitude(current, initial, e, -w, "WW")[:, 0] for e in polarisations]
    squared = (np.abs(amplitude) ** 2).sum(0) * G**2 / 2 / (s - M_W**2) ** 2 / 12
    total = (weights * squared).sum() / 2 * np.sqrt(lam) / (8 * np.pi) / (2 * s)
    assert np.isclose(total, textbook, rtol=1e-12)
    # the operators relative to the Standard Model, by hand: two transverse polarisations, then the longitudinal one
    ratios = [higgs_amplitude(current, initial, e, -w, "WW") for e in polarisations]
    ratios = np.array([(part[:, 1:] / part[:, :1]).real for part in ratios])
    transverse = np.array([-(M_H**2) / (2 * V**2), -(s + M_W**2 - M_H**2) / V**2])
    first = -(2 * momentum**2 * np.sqrt(s) / energy + M_H**2) / (2 * V**2)
    longitudinal = np.array([first, -2 * M_W**2 * np.sqrt(s) / (energy * V**2)])
    for found, expected in zip(ratios, (transverse, transverse, longitudinal), strict=True):
        np.testing.assert_allclose(found, np.tile(expected, (8, 1)), rtol=1e-10)


def test_quadratic_coefficients():
    random = np.random.default_rng(4)
    amplitudes = random.normal(size=(50, 3)) + 1j * random.normal(size=(50, 3))
    theta = random.normal(size=2)
    direct = np.abs(amplitudes @ np.concatenate([[1], theta])) ** 2
    t1, t2 = theta
    polynomial = quadratic_coefficients(amplitudes) @ [1, t1, t2, t1**2, t1 * t2, t2**2]
    np.testing.assert_allclose(polynomial, direct, rtol=1e-12)


def test_parameters():
    assert np.isclose(V, 246.22, atol=0.01)
    assert np.isclose(M_W, M_Z * COS)
    # the width of the W boson at tree level: 3 lepton pairs and 2 x 3 quark pairs; PDG: 2.085 with QCD corrections
    lepton = fermion_coupling("W", 11, -1) ** 2 * M_W / (24 * np.pi)
    assert np.isclose(lepton / 2.085, 0.1086, rtol=0.005)
    assert np.isclose(fermion_coupling("Z", 12, -1), G / COS / 2)
    assert fermion_coupling("W", 2, 1) == fermion_coupling("A", 14, 1) == 0
    assert propagator("W", -(M_W**2)) == -1 / (2 * M_W**2)
    assert np.isclose(sum(ckm_squared(2, down) for down in (1, 3, 5)), 1, atol=1e-3)


@pytest.mark.parametrize(
    "call",
    [
        lambda: fermion_current(np.ones((1, 4)), np.ones((1, 4)), 0),
        lambda: higgs_amplitude(np.ones(4), np.ones(4), np.ones(4), np.ones(4), "AZ"),
        lambda: fermion_coupling("H", 2, -1),
        lambda: fermion_coupling("Z", 21, -1),
        lambda: propagator("H", 1.0),
        lambda: ckm_squared(1, 2),
    ],
)
def test_bad_arguments(call):
    with pytest.raises(ValueError, match="found"):
        call()
