"""Helices against the equation of motion, signs, resolutions and pulls, and the numbering of vertices."""

import numpy as np
import pytest
from scipy.sparse.csgraph import connected_components

from hepml_labs.physics.tracking import (
    Perigee,
    Resolution,
    lifetime_sign,
    number_vertices,
    perigee,
    position,
    smear,
    wrap,
)

RANDOM = np.random.default_rng(3)
N = 40
VERTEX = RANDOM.uniform(-30, 30, (N, 3))
MOMENTUM = RANDOM.uniform(-3, 3, (N, 3)) + np.where(RANDOM.uniform(size=(N, 3)) < 0.5, -0.5, 0.5)
CHARGE = np.where(np.arange(N) % 2 == 0, 1.0, -1.0)


def lorentz_force(point, momentum, charge, field, step):
    """One step of Runge-Kutta 4 along the path: dr/ds = p / |p|, dp/ds = q p / |p| x B."""
    size = np.linalg.norm(momentum, axis=1, keepdims=True)
    push = 0.299792458e-3 * charge[:, None] * np.array([0.0, 0.0, field])

    def slope(p):
        return p / size, np.cross(p / size, push)

    k1 = slope(momentum)
    k2 = slope(momentum + step / 2 * k1[1])
    k3 = slope(momentum + step / 2 * k2[1])
    k4 = slope(momentum + step * k3[1])
    change = [step * (a + 2 * b + 2 * c + d) / 6 for a, b, c, d in zip(k1, k2, k3, k4, strict=True)]
    return point + change[0], momentum + change[1]


def test_perigee_is_the_closest_point_of_the_integrated_motion():
    reference = np.array([1.0, -2.0, 3.0])
    track = perigee(VERTEX, MOMENTUM, CHARGE, reference, field=3.0)
    best, at_best = np.full(N, np.inf), np.zeros((N, 6))
    for direction in (-1.0, 1.0):
        point, momentum = VERTEX - reference, MOMENTUM
        for _ in range(4000):  # steps of 0.05 mm, 200 mm both ways
            distance = np.hypot(point[:, 0], point[:, 1])
            closer = distance < best
            best[closer] = distance[closer]
            at_best[closer] = np.concatenate([point, momentum], axis=1)[closer]
            point, momentum = lorentz_force(point, momentum, CHARGE, 3.0, direction * 0.05)
    x, y, z, px, py, pz = at_best.T
    np.testing.assert_allclose(np.abs(track.d0), best, atol=1e-3)
    np.testing.assert_allclose(track.z0, z, atol=0.2)  # half a step times the largest slope
    np.testing.assert_allclose(wrap(track.phi - np.arctan2(py, px)), 0.0, atol=2e-3)
    np.testing.assert_allclose(-track.d0 * np.sin(track.phi), x, atol=0.06)
    np.testing.assert_allclose(track.d0 * np.cos(track.phi), y, atol=0.06)
    np.testing.assert_allclose(track.theta, np.arctan2(np.hypot(px, py), pz), atol=1e-9)
    np.testing.assert_allclose(track.q_over_p, CHARGE / np.linalg.norm(MOMENTUM, axis=1))


def test_closed_form_for_a_circle_and_its_straight_limit():
    # a positive charge of 3 GeV at (0, b) along +x: centre R below, closest point to the origin on the y axis
    radius = 3.0 / (0.299792458e-3 * 2.0)
    track = perigee(np.array([0.0, 4.0, 1.0]), np.array([3.0, 0.0, 1.0]), np.array(1.0))
    assert track.d0 == pytest.approx(4.0, abs=1e-12) and track.phi == pytest.approx(0.0, abs=1e-12)
    # made a quarter of a turn later it is the same track
    later = perigee(
        np.array([radius, 4.0 - radius, 1.0 + radius * np.pi / 6]), np.array([0.0, -3.0, 1.0]), np.array(1.0)
    )
    np.testing.assert_allclose(later, track, atol=1e-9)
    line = perigee(VERTEX, MOMENTUM, 0 * CHARGE)
    stiff = perigee(VERTEX, MOMENTUM * 1e7, CHARGE)
    direction = MOMENTUM[:, :2] / np.linalg.norm(MOMENTUM[:, :2], axis=1, keepdims=True)
    np.testing.assert_allclose(line.d0, direction[:, 0] * VERTEX[:, 1] - direction[:, 1] * VERTEX[:, 0])
    slope = MOMENTUM[:, 2] / np.linalg.norm(MOMENTUM[:, :2], axis=1)
    np.testing.assert_allclose(line.z0, VERTEX[:, 2] - slope * (VERTEX[:, :2] * direction).sum(1))
    for one, other in zip(line[:4], stiff[:4], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)


def test_the_vertex_lies_on_the_track():
    track = perigee(VERTEX, MOMENTUM, CHARGE, field=2.0)
    pt = np.hypot(MOMENTUM[:, 0], MOMENTUM[:, 1])
    turned = wrap(track.phi - np.arctan2(MOMENTUM[:, 1], MOMENTUM[:, 0]))
    length = turned / (0.299792458e-3 * 2.0 * CHARGE / pt)
    np.testing.assert_allclose(position(track, length), VERTEX, atol=1e-9)
    line = perigee(VERTEX, MOMENTUM, 0 * CHARGE)
    along = (VERTEX[:, :2] * MOMENTUM[:, :2]).sum(1) / pt
    np.testing.assert_allclose(position(line, along), VERTEX, atol=1e-9)


def test_signs():
    positive = perigee(np.zeros(3), np.array([1.0, 0.0, 0.0]), np.array(1.0))
    assert position(positive, np.array(100.0))[1] < 0  # clockwise seen from +z
    left = perigee(np.array([0.0, 1.0, 0.0]), np.array([1.0, 0.0, 0.0]), np.array(1.0))
    assert left.d0 > 0  # the beam line to the right of the track


@pytest.mark.parametrize("flight", [5.0, -5.0])
def test_decays_along_the_axis_have_the_sign_of_the_flight(flight):
    random = np.random.default_rng(1)
    jet_eta, jet_phi = random.uniform(-2, 2, 500), random.uniform(-np.pi, np.pi, 500)
    axis = np.stack([np.cos(jet_phi), np.sin(jet_phi), np.sinh(jet_eta)], axis=-1)
    phi, eta = jet_phi + random.uniform(-0.4, 0.4, 500), jet_eta + random.uniform(-0.4, 0.4, 500)
    momentum = np.stack([np.cos(phi), np.sin(phi), np.sinh(eta)], axis=-1)
    track = perigee(flight * axis, momentum, np.zeros(500))
    transverse, longitudinal = lifetime_sign(track, jet_eta, jet_phi)
    assert (transverse == np.sign(flight)).all()
    steep = np.abs(eta - jet_eta) > 0.1  # else the detour in azimuth counts for more: the radius is not the path
    assert (longitudinal == np.sign(flight))[steep].all() and steep.sum() > 300


def tracks(n, pt, theta=np.pi / 2):
    return Perigee(np.zeros(n), np.zeros(n), np.zeros(n), np.full(n, theta), np.full(n, np.sin(theta) / pt))


@pytest.mark.parametrize("theta", [np.pi / 2, 0.4])
def test_pulls_have_width_one_and_the_tail_is_as_large_as_said(theta):
    truth = tracks(100_000, 3.0, theta)
    sigma = Resolution().uncertainty(truth)
    for resolution, core, beyond in ((Resolution(tail_fraction=0.0), 1.0, 0.0027), (Resolution(), 1.18, 0.0184)):
        measured = smear(truth, np.random.default_rng(2), resolution)
        pulls = [(found - true) / error for found, true, error in zip(measured, truth, sigma, strict=True)]
        pulls[1] = (measured.z0 - truth.z0) * np.sin(theta) / sigma.z0_sin_theta
        for pull in pulls:
            assert pull.mean() == pytest.approx(0.0, abs=0.015)
            assert pull.std() == pytest.approx(core, abs=0.01)  # sqrt(0.95 + 0.05 * 9) = 1.18
            assert (np.abs(pull) > 3).mean() == pytest.approx(beyond, rel=0.1)  # 0.95 * 0.0027 + 0.05 * 0.3173
        correlation = np.corrcoef(pulls)
        assert np.abs(correlation - np.eye(5)).max() < 0.015


LAWS = {  # what is measured, and the power of 1 / sin(theta) in the variance
    "d0": (lambda track, theta: track.d0, 1),
    "z0_sin_theta": (lambda track, theta: track.z0 * np.sin(theta), 1),
    "phi": (lambda track, theta: track.phi, 1),
    "cot_theta": (lambda track, theta: 1 / np.tan(track.theta), 3),
    "inverse_pt": (lambda track, theta: track.q_over_p / np.sin(theta), 1),
}


@pytest.mark.parametrize("name", LAWS)
def test_the_law_is_recovered_from_smeared_tracks(name):
    """A straight-line fit of the variance against 1 / (pT^2 sin(theta)^power) gives a^2 and b^2."""
    random, resolution = np.random.default_rng(4), Resolution(tail_fraction=0.0)
    measure, power = LAWS[name]
    rows = []
    for pt in (1.0, 2.0, 5.0, 20.0, 100.0):
        for theta in (np.pi / 2, 0.5, 2.8):
            value = measure(smear(tracks(20_000, pt, theta), random, resolution), theta)
            rows.append((1 / (pt**2 * np.sin(theta) ** power), value.var()))
    x, variance = np.array(rows).T
    b, a = np.sqrt(np.polyfit(x, variance, 1, w=1 / variance))
    np.testing.assert_allclose((a, b), getattr(resolution, name), rtol=0.02)


def test_vertices_are_the_connected_components():
    random = np.random.default_rng(5)
    points = random.normal(0, 0.3, (200, 12, 3))
    real = random.uniform(size=(200, 12)) < 0.8
    vertex, vertices = number_vertices(points, real, distance=0.25, count=13)
    for k in range(200):
        all_points = np.concatenate([np.zeros((1, 3)), points[k, real[k]]])
        distance = np.linalg.norm(all_points[:, None] - all_points[None], axis=-1)
        number, label = connected_components(distance < 0.25)
        found = np.concatenate([[0], vertex[k, real[k]]])
        assert number == found.max() + 1 and len(set(zip(label, found, strict=True))) == number
        nearest = [np.linalg.norm(all_points[found == i], axis=1).min() for i in range(number)]
        assert nearest == sorted(nearest)
        np.testing.assert_allclose(np.linalg.norm(vertices[k, :number], axis=1), nearest)
        assert not vertices[k, number:].any()
    assert (vertex[~real] == -1).all()
    order = random.permutation(12)
    shuffled, _ = number_vertices(points[:, order], real[:, order], distance=0.25, count=3)
    assert np.array_equal(shuffled, vertex[:, order])


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="^vertex: found shape"):
        perigee(np.zeros((2, 2)), np.ones((2, 3)), np.ones(2))
    with pytest.raises(ValueError, match="^momentum: found shape"):
        perigee(np.zeros((2, 3)), np.ones((3, 3)), np.ones(2))
    with pytest.raises(ValueError, match="^charge: found shape"):
        perigee(np.zeros((2, 3)), np.ones((2, 3)), np.array(1.0))
    with pytest.raises(ValueError, match="^transverse momentum: found a smallest entry of 0"):
        perigee(np.zeros((1, 3)), np.array([[0.0, 0.0, 1.0]]), np.ones(1))
    with pytest.raises(ValueError, match="^momentum: found 1 of 3 entries NaN"):
        perigee(np.zeros((1, 3)), np.array([[1.0, 0.0, np.nan]]), np.ones(1))
    with pytest.raises(ValueError, match="^tail_fraction: found 2"):
        Resolution(tail_fraction=2.0)
    with pytest.raises(ValueError, match="^real: found shape"):
        number_vertices(np.zeros((2, 3, 3)), np.ones((2, 4), bool), 0.1, 2)
