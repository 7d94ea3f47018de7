"""The decay to four leptons: the known width of unequal pairs, and the symmetries."""

import math

import numpy as np
import torch

from hepml_labs.flows.four_leptons import FourLeptons
from hepml_labs.physics.electroweak import GAMMA_Z, M_H, M_Z, V, fermion_coupling
from hepml_labs.physics.higgs_four_leptons import exchange, invariants, phase_space, propagators, squared_amplitude


def points(n, boson=0, seed=1):
    u = torch.rand(n, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return FourLeptons(boson).inverse(u)


def test_invariants_are_those_of_momenta():
    """Build the four momenta by boosts and square their sums."""
    x, _ = points(200)
    s12, s34, c1, c2, phi = x.numpy().T
    total, momenta = M_H**2 - s12 - s34, []
    momentum = np.sqrt(total**2 - 4 * s12 * s34) / (2 * M_H)
    for mass, cosine, angle, sign in ((np.sqrt(s12), c1, 0 * phi, 1), (np.sqrt(s34), c2, phi, -1)):
        gamma, velocity = np.sqrt(1 + (momentum / mass) ** 2), momentum / mass
        sine = np.sqrt(1 - cosine**2)
        for side in (1, -1):
            energy, along = mass / 2 * (gamma + velocity * side * cosine), mass / 2 * (velocity + gamma * side * cosine)
            across = mass / 2 * side * sine
            momenta.append(np.stack([energy, across * np.cos(angle), across * np.sin(angle), sign * along], axis=1))
    found = invariants(x).numpy()
    for column, (i, j) in enumerate([(0, 1), (2, 3), (0, 2), (1, 3), (0, 3), (1, 2)]):
        pair = momenta[i] + momenta[j]
        np.testing.assert_allclose(found[:, column], pair[:, 0] ** 2 - (pair[:, 1:] ** 2).sum(1), atol=1e-6)


def test_width_of_unequal_leptons():
    """The double integral over the masses is known: polarisation sum times decays, Djouadi, hep-ph/0503172, 2.3.2."""
    width = M_Z * sum(fermion_coupling("Z", 11, h) ** 2 for h in (-1, 1)) / (24 * math.pi)
    axis = (np.arange(1500) + 0.5) / 1500
    ends = [math.atan((s - M_Z**2) / (M_Z * GAMMA_Z)) for s in (0.0, M_H**2)]
    s = M_Z**2 + M_Z * GAMMA_Z * np.tan(ends[0] + axis * (ends[1] - ends[0]))  # the propagator becomes flat
    first, second = np.meshgrid(s, s)
    kaellen = np.maximum((M_H**2 - first - second) ** 2 - 4 * first * second, 0) / M_H**4
    kaellen = np.where(np.sqrt(first) + np.sqrt(second) < M_H, kaellen, 0)
    polarisations = (2 * M_Z**2 / V) ** 2 * (kaellen * M_H**4 + 12 * first * second) / 4  # times 1 / (s s')
    spectral = (width / M_Z / math.pi * (ends[1] - ends[0]) / (M_Z * GAMMA_Z)) ** 2  # times s s', per unit square
    expected = (np.sqrt(kaellen) / (16 * math.pi * M_H) * polarisations).mean() * spectral
    x, log_det = points(200_000)
    weights = (squared_amplitude(x, identical=False) * phase_space(x) * log_det.exp()).numpy()
    other, log_det = points(200_000, boson=1, seed=2)
    # each channel takes the half of the plane where its boson is the heavier one
    halves = [np.where(x[:, 0] > x[:, 1], weights, 0.0)]
    weights = squared_amplitude(other, identical=False) * phase_space(other) * log_det.exp()
    halves.append((weights * (other[:, 1] >= other[:, 0])).numpy())
    found, error = sum(h.mean() for h in halves), np.sqrt(sum(h.var() / len(h) for h in halves))
    assert abs(found - expected) < 4 * error
    assert error < 0.01 * expected
    # h -> e e mu mu: about 1.2e-4 / 2 of 4.1 MeV for both lepton pairs known
    assert 1.5e-7 < expected < 3.5e-7


def test_exchange_is_its_own_inverse_and_a_symmetry():
    x, _ = points(500, boson=2)
    twice = exchange(exchange(x))
    torch.testing.assert_close(twice, x, atol=1e-6, rtol=1e-7)
    torch.testing.assert_close(squared_amplitude(exchange(x)), squared_amplitude(x), rtol=1e-8, atol=0)
    torch.testing.assert_close(propagators(exchange(x)), propagators(x)[:, [2, 3, 0, 1]], rtol=1e-8, atol=0)
    s = invariants(x)
    torch.testing.assert_close(s.sum(1), torch.full((500,), M_H**2, dtype=torch.float64))
    assert (s > -1e-6).all()
