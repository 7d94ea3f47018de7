"""Channels: Jacobians by autograd, inverses, densities, and the grid of VEGAS."""

import numpy as np
import pytest
import torch

from hepml_labs.flows.channels import BreitWigner, Flat, Grid, PowerLaw
from hepml_labs.flows.four_leptons import FourLeptons
from hepml_labs.flows.scalers import Columns
from hepml_labs.flows.vegas_baseline import vegas_channel, vegas_integral
from hepml_labs.physics.electroweak import M_H

EDGES = torch.tensor([[0.0, 0.1, 0.15, 1.0], [2.0, 3.0, 4.5, 5.0]], dtype=torch.float64)
CHANNELS = {
    "flat": (Flat(-1.0, 3.0), 2),
    "breit-wigner": (BreitWigner(91.2, 2.5, 60.0**2, 120.0**2), 2),
    "power": (PowerLaw(1.7, 0.1, 8.0), 2),
    "logarithm": (PowerLaw(1.0, 0.1, 8.0), 2),
    "rising": (PowerLaw(-2.0, 0.1, 8.0), 2),
    "columns": (Columns([Flat(0.0, 2.0), PowerLaw(0.5, 1.0, 2.0)]), 2),
    "grid": (Grid(EDGES), 2),
    **{f"four leptons {boson}": (FourLeptons(boson), 5) for boson in range(4)},
}


@pytest.mark.parametrize("name", CHANNELS)
def test_jacobian_and_inverse(name):
    channel, features = CHANNELS[name]
    z = torch.rand(40, features, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    x, log_det = channel.inverse(z)
    back, log_det_forward = channel(x)
    torch.testing.assert_close(back, z, atol=1e-10, rtol=0)
    torch.testing.assert_close(log_det_forward, -log_det, atol=1e-9, rtol=0)
    for point, value in zip(z[:6], log_det, strict=False):
        jacobian = torch.autograd.functional.jacobian(lambda u: channel.inverse(u[None])[0][0], point)
        assert torch.linalg.slogdet(jacobian).logabsdet.item() == pytest.approx(value.item(), abs=1e-9)
    single, log_det_single = channel.inverse(z.float())
    assert single.dtype == log_det_single.dtype == torch.float32
    torch.testing.assert_close(single.double(), x, rtol=1e-3, atol=1e-3 * x.abs().max().item())


@pytest.mark.parametrize(
    ("channel", "density"),
    [
        (BreitWigner(91.2, 2.5, 60.0**2, 120.0**2), lambda s: 1 / ((s - 91.2**2) ** 2 + (91.2 * 2.5) ** 2)),
        (PowerLaw(1.7, 60.0**2, 120.0**2), lambda s: s**-1.7),
        (PowerLaw(1.0, 60.0**2, 120.0**2), lambda s: 1 / s),
    ],
)
def test_density_is_the_one_asked_for(channel, density):
    s = torch.linspace(60.0**2, 120.0**2, 20_001, dtype=torch.float64)[:, None]
    found = channel(s)[1].exp()
    expected = density(s[:, 0])
    torch.testing.assert_close(found, expected / torch.trapezoid(expected, s[:, 0]), rtol=1e-4, atol=0)
    ends, _ = channel(s[[0, -1]])
    torch.testing.assert_close(ends[:, 0], torch.tensor([0.0, 1.0], dtype=torch.float64), atol=1e-12, rtol=0)


def test_edges_of_the_cube_stay_inside():
    ends = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    for channel in (BreitWigner(91.2, 2.5, 60.0**2, 120.0**2), PowerLaw(1.7, 0.1, 8.0)):
        x, log_det = channel.inverse(ends)
        assert x.min() >= channel.low
        assert x.max() <= channel.high
        assert log_det.isfinite().all()
    x, log_det = FourLeptons(2).inverse(torch.tensor([[0.0] * 5, [1.0] * 5, [0.5] * 5]))
    assert x.isfinite().all()
    assert not log_det.isnan().any()


def test_grid_is_the_map_of_vegas():
    vegas = pytest.importorskip("vegas")
    grid = vegas.AdaptiveMap([[0, 1], [0, 1]], ninc=8)
    random = np.random.default_rng(1)
    for _ in range(4):
        y = random.random((2000, 2))
        x, jacobian = np.empty_like(y), np.empty(2000)
        grid.map(y, x, jacobian)
        grid.add_training_data(y, (jacobian * x[:, 0] ** 3 * np.exp(-x[:, 1])) ** 2)
        grid.adapt(alpha=0.5)
    grid.map(y, x, jacobian)
    ours, log_det = Grid.from_vegas(grid).double().inverse(torch.from_numpy(y))
    np.testing.assert_allclose(ours.numpy(), x, atol=2e-6)
    np.testing.assert_allclose(log_det.exp().numpy(), jacobian, rtol=2e-5)


def test_vegas_on_a_channel():
    pytest.importorskip("vegas")

    def ramp(x):
        return 4 * x.prod(1)

    found = vegas_integral(ramp, None, 2, train_calls=5000, n=5000)
    assert found.value == pytest.approx(1, abs=5 * found.error)
    line = vegas_channel(ramp, Columns([Flat(0, 1), PowerLaw(-1.0, 0.001, 1.0)]), 2)
    x, log_det = line.inverse(torch.rand(4000, 2, generator=torch.Generator().manual_seed(2)))
    weights = ramp(x) * log_det.exp()
    assert weights.mean().item() == pytest.approx(1, abs=0.02)
    assert weights.std() < 0.15


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: Flat(1.0, 1.0), "high"),
        (lambda: PowerLaw(1.0, 0.0, 1.0), "low"),
        (lambda: BreitWigner(91.0, 0.0, 0.0, M_H), "width"),
        (lambda: Grid(torch.tensor([[0.0, 0.0, 1.0]])), "widths"),
        (lambda: FourLeptons(4), "boson"),
        (lambda: Columns([Flat(0, 1)])(torch.zeros(3, 2)), "x"),
    ],
)
def test_bad_input(call, name):
    with pytest.raises(ValueError, match=f"^{name}"):
        call()


def test_meta_device():
    with torch.device("meta"):
        for channel in (Columns([Flat(0, 1), BreitWigner(1.0, 0.1, 0.0, 4.0)]), Grid(EDGES.to("meta"))):
            x, log_det = channel.inverse(torch.rand(7, 2))
            assert (x.shape, log_det.shape) == ((7, 2), (7,))
