"""The vertex fit: closed form of straight lines, true helices, pulls, implicit gradients."""

import numpy as np
import pytest
import torch

from hepml_labs.physics.tracking import BENDING, FIELD, perigee
from hepml_labs.top_tagging.vertex_fit import Tracks, fit_vertex, jet_tracks


def make(n, tracks, seed, point, noise=True):
    """Helices through a point, with errors of 0.02, 0.1 mm and 0.5 mrad."""
    random = np.random.default_rng(seed)
    pt, phi, eta = (
        random.uniform(1, 20, (n, tracks)),
        random.normal(0.5, 0.3, (n, tracks)),
        random.normal(0, 0.5, (n, tracks)),
    )
    momentum = np.stack([pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)], axis=-1)
    charge = random.choice([-1.0, 1.0], (n, tracks))
    track = perigee(np.broadcast_to(point, (n, tracks, 3)).copy(), momentum, charge)
    sizes = 0.02, 0.1, 0.0005
    d0, z0, phi = track.d0, track.z0 * np.sin(track.theta), track.phi
    if noise:
        d0, z0, phi = (
            value + size * random.normal(size=value.shape) for value, size in zip((d0, z0, phi), sizes, strict=True)
        )
    curvature = BENDING * FIELD * track.q_over_p / np.sin(track.theta)
    errors = [np.full_like(d0, size) for size in sizes]
    return Tracks(*(torch.as_tensor(value) for value in (d0, z0, phi, track.theta, curvature, *errors)))


def test_helices_meet_where_they_were_made():
    tracks = make(20, 4, 1, np.array([3.0, 1.5, -2.0]), noise=False)
    found = fit_vertex(tracks, torch.ones(20, 4, dtype=torch.float64), prior=1e5).position
    assert (found - torch.tensor([3.0, 1.5, -2.0])).abs().max() < 2e-4  # second order in the curvature


def test_pulls_are_standard_normal():
    truth = np.array([3.0, 1.5, -2.0])
    fit = fit_vertex(make(3000, 4, 2, truth), torch.ones(3000, 4, dtype=torch.float64), prior=1e5)
    off = fit.position - torch.as_tensor(truth)
    chi2 = (off[:, None] @ torch.linalg.inv(fit.covariance) @ off[..., None]).flatten()
    assert abs(chi2.mean() - 3) < 4 * np.sqrt(6 / 3000)
    assert abs(chi2.var() - 6) < 1


def test_straight_tracks_have_a_closed_form():
    tracks = make(5, 3, 3, np.array([1.0, 0.5, 0.3]))._replace(curvature=torch.zeros(5, 3), sigma_phi=torch.zeros(5, 3))
    weight = torch.rand(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found = fit_vertex(tracks, weight, prior=1e6).position
    for k in range(5):
        rows, targets = [], []
        for j in range(3):
            phi, theta = float(tracks.phi[k, j]), float(tracks.theta[k, j])
            for direction, value, error in (
                ([-np.sin(phi), np.cos(phi), 0], tracks.d0, tracks.sigma_d0),
                (
                    [-np.cos(theta) * np.cos(phi), -np.cos(theta) * np.sin(phi), np.sin(theta)],
                    tracks.z0_sin_theta,
                    tracks.sigma_z0,
                ),
            ):
                scale = float(weight[k, j]) ** 0.5 / float(error[k, j])
                rows.append(scale * np.array(direction))
                targets.append(scale * float(value[k, j]))
        expected = np.linalg.lstsq(np.array(rows), np.array(targets))[0]
        np.testing.assert_allclose(found[k].numpy(), expected, rtol=1e-6)


def test_implicit_gradients_are_those_of_the_whole_fit():
    """Bent tracks, the minimum moves: against central differences through all iterations."""
    tracks = make(2, 4, 4, np.array([8.0, 4.0, 1.0]))
    tracks = tracks._replace(curvature=20 * tracks.curvature, sigma_phi=torch.zeros(2, 4))
    weight = torch.tensor([[0.9, 0.2, 0.7, 0.4], [0.1, 1.0, 0.5, 0.5]], dtype=torch.float64)

    def position(weight, d0):
        return fit_vertex(tracks._replace(d0=d0), weight, steps=40).position

    assert torch.autograd.gradcheck(position, (weight.requires_grad_(), tracks.d0.clone().requires_grad_()), atol=1e-6)


def test_a_track_without_weight_has_no_say():
    tracks = make(1, 4, 5, np.array([3.0, 1.5, -2.0]))
    weight = torch.tensor([[1.0, 1.0, 1.0, 0.0]], dtype=torch.float64)
    moved = tracks._replace(d0=tracks.d0 + torch.tensor([0, 0, 0, 5.0]))
    assert torch.equal(fit_vertex(tracks, weight).position, fit_vertex(moved, weight).position)


def test_perigees_of_the_bundled_tracks():
    from hepml_labs.datasets import load

    jets = load("heavy_flavor", "test", n=300)
    tracks, mask = jet_tracks(jets)
    assert torch.equal(mask, torch.as_tensor(jets["origin"] >= 0))
    # tracks of one true vertex, fitted, lie at that vertex
    b = jets["flavor"] == 5
    weight = torch.as_tensor((jets["vertex"] == 1) & mask.numpy() & b[:, None]).double()
    some = weight.sum(1) >= 3
    fit = fit_vertex(Tracks(*(column[some] for column in tracks)), weight[some])
    off = fit.position - torch.as_tensor(jets["vertices"][some.numpy(), 1]).double()
    chi2 = (off[:, None] @ torch.linalg.inv(fit.covariance) @ off[..., None]).flatten()
    assert 1.5 < chi2.median() < 4  # 2.4 for three degrees of freedom


def test_weights_are_checked():
    tracks = make(1, 2, 6, np.array([1.0, 0.0, 0.0]))
    with pytest.raises(ValueError, match=r"weight: found -1, expected none below zero"):
        fit_vertex(tracks, -torch.ones(1, 2, dtype=torch.float64))
    with pytest.raises(ValueError, match=r"weight"):
        fit_vertex(tracks, torch.ones(1, 3, dtype=torch.float64))
