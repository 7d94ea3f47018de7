"""Scalers: Jacobians by autograd, round trips, edges, and densities that stay normalised."""

import math

import numpy as np
import pytest
import torch
from torch.autograd.functional import jacobian

from hepml_labs.flows.flow import Flow
from hepml_labs.flows.scalers import Angle, Columns, Log, Logit, Standardize
from hepml_labs.flows.transforms import Chain


def data():
    """Columns as an experiment has them: a pt above 20 GeV, a rapidity, an azimuth, a fraction."""
    random = np.random.default_rng(0)
    pt, eta = 20 + random.exponential(40, 500), random.normal(0, 2, 500)
    phi, fraction = random.uniform(-np.pi, np.pi, 500), random.beta(0.5, 0.8, 500)
    return torch.tensor(np.column_stack([pt, eta, phi, fraction]))


SCALERS = {
    "standardize": lambda: Standardize.fit(data()),
    "log": lambda: Columns([Log(20.0), None, None, Log()]),
    "logit": lambda: Columns([Logit(20.0, 2000.0), Logit(-50, 50), None, Logit(0.0, 1.0)]),
    "angle": lambda: Columns([None, None, Angle(2.5), None]),
    "all": lambda: Chain([Columns([Log(20.0), None, Angle.fit(data()[:, 2]), Logit(0, 1)]), Standardize.fit(data())]),
}


@pytest.mark.parametrize("name", SCALERS)
def test_jacobian_and_inverse_are_exact(name):
    scaler, x = SCALERS[name](), data()
    z, log_det = scaler(x)
    for i in range(0, 500, 25):
        matrix = jacobian(lambda point: scaler(point[None])[0][0], x[i])
        assert torch.linalg.slogdet(matrix)[1].item() == pytest.approx(log_det[i].item(), abs=1e-10)
        matrix = jacobian(lambda point: scaler.inverse(point[None])[0][0], z[i])
        assert torch.linalg.slogdet(matrix)[1].item() == pytest.approx(-log_det[i].item(), abs=1e-8)
    back, inverse_log_det = scaler.inverse(z)
    torch.testing.assert_close(back, x, atol=1e-11, rtol=1e-11)
    torch.testing.assert_close(inverse_log_det, -log_det, atol=1e-8, rtol=0)  # cancellation beside the edges
    assert not list(scaler.parameters())
    assert scaler(x.float())[0].dtype == scaler.inverse(z.float())[0].dtype == torch.float32


@pytest.mark.parametrize(
    ("scaler", "low", "high"),
    [(Log(20.0), 20, 1e6), (Logit(-1, 3), -1, 3), (Angle(1.0), -math.pi, math.pi), (Angle(0.3, 1.0), -0.5, 0.5)],
)
def test_density_behind_a_scaler_integrates_to_one(scaler, low, high):
    x = torch.linspace(low, high, 200_002, dtype=torch.float64)[1:-1, None]
    if isinstance(scaler, Log):
        x = low + torch.logspace(-6, 6, 20_001, dtype=torch.float64)[:, None]
    density = Flow(scaler, 1).log_prob(x).exp()
    assert torch.trapezoid(density, x[:, 0]).item() == pytest.approx(1, abs=5e-5)


def test_standardized_data_have_mean_zero_and_width_one():
    x = data()
    x[:, 1] = 91.19
    z, log_det = Standardize.fit(x.numpy())(x)
    torch.testing.assert_close(z.mean(0), torch.zeros(4, dtype=z.dtype), atol=1e-12, rtol=0)
    torch.testing.assert_close(z[:, [0, 2, 3]].std(0, correction=0), torch.ones(3, dtype=z.dtype))
    expected = -x[:, [0, 2, 3]].std(0, correction=0).log().sum()
    torch.testing.assert_close(log_det, expected.expand(500))


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_logit_never_leaves_the_open_interval(kind):
    scaler = Logit(-1.0, 3.0)
    z = torch.tensor([[-1e6], [-800.0], [-30.0], [0.0], [30.0], [800.0], [1e6]], dtype=kind, requires_grad=True)
    x, log_det = scaler.inverse(z)
    assert ((x > -1) & (x < 3)).all()
    assert torch.isfinite(scaler(x)[1]).all()
    (x.sum() + log_det.sum()).backward()
    assert torch.isfinite(z.grad).all()


def test_angle_knows_the_circle():
    scaler = Angle(center=3.0)
    phi = torch.tensor([[3.0], [3.1], [-3.1], [-0.2], [0.0]], dtype=torch.float64)
    z, log_det = scaler(phi)
    turned, same_log_det = scaler(phi + 4 * math.pi)
    torch.testing.assert_close(turned, z, atol=1e-12, rtol=1e-12)
    torch.testing.assert_close(same_log_det, log_det, atol=1e-12, rtol=1e-12)
    assert z[0].item() == pytest.approx(0, abs=1e-12)
    # across pi without a jump: the slope of the logit in the middle is 4, over a turn of 2 pi
    assert (z[2] - z[1]).item() == pytest.approx(4 / (2 * math.pi) * (2 * math.pi - 6.2), rel=1e-2)
    on_the_cut = torch.tensor([[3.0 - math.pi]], dtype=torch.float64)
    assert torch.isfinite(scaler(on_the_cut)[0]).all()
    assert torch.isfinite(scaler(on_the_cut.float())[1]).all()


def test_angle_is_cut_where_the_events_are_not():
    random = np.random.default_rng(1)
    back_to_back = np.remainder(random.vonmises(np.pi, 4, 5000) + np.pi, 2 * np.pi) - np.pi
    scaler = Angle.fit(back_to_back)
    cut = np.remainder(scaler.center, 2 * np.pi) - np.pi
    assert abs(cut) < 1
    z = scaler(torch.tensor(back_to_back)[:, None])[0]
    assert z.abs().max() < 6  # a cut at pi would tear the peak apart


def test_runs_on_the_meta_device():
    with torch.device("meta"):
        scaler = Columns([Log(20.0), None, Angle(), Logit(0, 1)])
        assert scaler(torch.zeros(5, 4))[0].is_meta
        assert scaler.inverse(torch.zeros(5, 4))[1].is_meta


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda x: Log(20.0)(x),
            r"found 2 of 4 values outside of the open interval \(20, inf\), such as \[20.0, 3.0\]",
        ),
        (lambda x: Logit(0, 100)(x), r"found 1 of 4 values outside of the open interval \(0, 100\), such as \[400.0\]"),
        (lambda x: Columns([Log(50.0), None])(x), r"column 0: x: found 1 of 2 .* \[20.0\]"),
        (lambda x: Columns([None, Log()])(x * float("nan")), r"column 1: x: found 2 of 2 .*\[nan, nan\]"),
        (lambda x: Columns([None])(x), r"x: found shape \(2, 2\), expected \(n, 1\)"),
        (lambda x: Columns([]), "scalers: found 0"),
        (lambda x: Standardize.fit(x)(x[:, :1]), r"x: found shape \(2, 1\), expected \(n, 2\)"),
        (lambda x: Standardize.fit(x * float("inf")), "x: found 4 of 4 entries NaN or infinite"),
        (lambda x: Logit(1.0, 1.0), r"high: found 1.0"),
        (lambda x: Log(float("nan")), "low: found nan"),
        (lambda x: Angle(period=0.0), "period: found 0.0"),
        (lambda x: Angle.fit(x.long()), "x: found type torch.int64"),
        (lambda x: Angle.fit(x, bins=0), "bins: found 0"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(torch.tensor([[20.0, 3.0], [70.0, 400.0]]))
