"""Drell-Yan against closed forms and the fitted grid."""

import math

import numpy as np
import pytest
import torch

from hepml_labs.physics.drell_yan import DrellYan, parton_density, partonic
from hepml_labs.physics.electroweak import GAMMA_Z, M_Z, PICOBARN, fermion_coupling
from hepml_labs.physics.parton_densities import PartonDensities


@pytest.mark.parametrize("flavour", [1, 2, 3, 4, 5, -1, -2])
def test_fit_of_parton_densities(flavour):
    try:
        grid = PartonDensities.load()
    except ValueError:
        pytest.skip("the grids of Pythia are not installed")
    x = np.geomspace(1e-4, 0.4, 60)
    expected = grid.xf(np.full(60, flavour), x, np.full(60, M_Z**2))
    found = parton_density(flavour, torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(found, expected, rtol=0.11, atol=2e-4)


def partial_width(flavour):
    return M_Z / (24 * math.pi) * sum(fermion_coupling("Z", flavour, h) ** 2 for h in (-1, 1))


@pytest.mark.parametrize("flavour", [1, 2])
def test_peak_cross_section(flavour):
    """12 pi Gamma_in Gamma_out / (m Gamma)^2, with three colours in the initial state; the photon adds a per mille."""
    c = torch.linspace(-1, 1, 2001, dtype=torch.float64)
    found = torch.trapezoid(partonic(flavour, torch.full_like(c, M_Z**2), c), c).item()
    expected = 12 * math.pi / M_Z**2 * partial_width(flavour) * partial_width(11) / GAMMA_Z**2 / 3 * PICOBARN
    assert found == pytest.approx(expected, rel=5e-3)


def test_asymmetry_changes_sign_below_the_peak():
    def asymmetry(mass):
        up, down = (partonic(2, torch.tensor([mass**2]), torch.tensor([c])).item() for c in (0.5, -0.5))
        return (up - down) / (up + down)

    assert asymmetry(70.0) < -0.2
    assert asymmetry(120.0) > 0.2


def test_symmetry_cuts_and_edges():
    process = DrellYan(13_000.0, pt_min=25.0, eta_max=2.5)
    x = torch.tensor([[90.0**2, 0.7, 0.3], [90.0**2, -0.7, -0.3]], dtype=torch.float64)
    torch.testing.assert_close(process(x)[0], process(x)[1])  # protons exchanged
    assert process(torch.tensor([[60.0**2, 0.0, 0.8]])).item() == 0  # pT = 18 GeV
    assert process(torch.tensor([[90.0**2, 2.4, 0.3]])).item() == 0  # one lepton at 2.7
    assert DrellYan(100.0)(torch.tensor([[90.0**2, 1.0, 0.0]])).item() == 0  # x above one


def test_bad_input():
    with pytest.raises(ValueError, match="energy"):
        DrellYan(-1.0)
    with pytest.raises(ValueError, match="flavour"):
        parton_density(6, torch.tensor([0.1]))
    with pytest.raises(ValueError, match="x: found"):
        DrellYan()(torch.zeros(3, 2))
