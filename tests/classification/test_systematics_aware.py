"""Systematics-aware training: closed forms, pyhf's fit, the best observable on a grid, and a measured gain."""

from copy import deepcopy

import numpy as np
import pytest
import torch

from hepml_labs.classification.losses import binary_cross_entropy
from hepml_labs.classification.systematics_aware import (
    asimov_information,
    efficient_score,
    expected_uncertainty,
    profiled_variance,
    soft_histogram,
    uncertainty_loss,
)
from hepml_labs.nn import MLP
from hepml_labs.training import fit, predict

SIGNAL, BACKGROUND, SHIFT, RATE = 100.0, 1000.0, 0.2, 0.1
EDGES = torch.linspace(0, 1, 9)[1:-1]


def double(*values):
    return torch.tensor(values, dtype=torch.float64)


def events(n, seed):
    """Two Gaussians in the plane, one unit apart in both directions; the scale of the first feature is uncertain."""
    label = np.arange(n) % 2
    x = np.random.default_rng(seed).normal(size=(n, 2)) + label[:, None]
    shift = np.array([SHIFT, 0.0])
    x, up, down = (torch.tensor(value, dtype=torch.float32) for value in (x, x + shift, x - shift))
    return x, torch.tensor(label, dtype=torch.float32), up[:, None], down[:, None]


def plane():
    """Expected events in small cells of the plane, and their scores by strength, shift and rate, in closed form."""
    line = torch.linspace(-6, 7, 131, dtype=torch.float64)
    x = torch.cartesian_prod(line, line)
    signal, background = (
        total * torch.exp(-((x - centre) ** 2).sum(1) / 2) / (2 * torch.pi) * 0.01
        for total, centre in ((SIGNAL, 1.0), (BACKGROUND, 0.0))
    )
    moved = SHIFT * (x[:, 0] * background + (x[:, 0] - 1) * signal)
    expected = signal + background
    return x, expected, torch.stack([signal, moved, RATE * background]) / expected


def binned(statistic, expected, score, bins):
    """Uncertainty from bins of equal contents of a statistic."""
    order = statistic.argsort()
    index = torch.empty_like(order)
    index[order] = (expected[order].cumsum(0) / expected.sum() * bins).long().clamp(max=bins - 1)

    def add(values):
        return torch.zeros(bins, dtype=values.dtype).index_add(0, index, values)

    derivatives = torch.stack([add(expected * column) for column in score])
    return float(profiled_variance(asimov_information(add(expected), derivatives)).sqrt())


@pytest.mark.parametrize(("signal", "background", "error"), [(100.0, 800.0, 0.05), (3.0, 50.0, 0.3), (7.0, 1e4, 0.0)])
def test_counting_experiment(signal, background, error):
    """Counts alone: sigma^2 = (s + b + (error b)^2) / s^2, statistics and background in quadrature."""
    information = asimov_information(double(signal + background), double([signal], [error * background]))
    exact = (signal + background + (error * background) ** 2) / signal**2
    assert float(profiled_variance(information)) == pytest.approx(exact, rel=1e-12)


def test_a_side_band_measures_the_background():
    """A bin without signal constrains the rate better than the constraint: 1 / k^2 = 1 / error^2 + counts."""
    information = asimov_information(double(130.0, 4000.0), double([30.0, 0.0], [0.2 * 100, 0.2 * 4000]))
    relative = 1 / (1 / 0.2**2 + 4000)  # variance of the rate from constraint and side band
    assert float(profiled_variance(information)) == pytest.approx((130 + relative * 100**2) / 30**2, rel=1e-12)


@pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")
def test_profile_of_pyhf():
    """The full likelihood, profiled numerically, with templates that are interpolated."""
    pyhf = pytest.importorskip("pyhf")
    signal, background = np.array([4.0, 9.0, 25.0, 30.0]), np.array([400.0, 200.0, 90.0, 25.0])
    shift, rate = np.array([-30.0, 5.0, 16.0, 9.0]), 0.1 * background

    def variation(name, size):
        data = {"hi_data": (background + size).tolist(), "lo_data": (background - size).tolist()}
        return {"name": name, "type": "histosys", "data": data}

    strength = [{"name": "mu", "type": "normfactor", "data": None}]
    samples = [
        {"name": "signal", "data": signal.tolist(), "modifiers": strength},
        {
            "name": "background",
            "data": background.tolist(),
            "modifiers": [variation("shift", shift), variation("rate", rate)],
        },
    ]
    model = pyhf.Model({"channels": [{"name": "channel", "samples": samples}]}, poi_name="mu")
    data = (signal + background).tolist() + model.config.auxdata
    _, best = pyhf.infer.mle.fit(data, model, return_fitted_val=True)
    profile = [pyhf.infer.mle.fixed_poi_fit(1 + h, data, model, return_fitted_val=True)[1] for h in (0.05, -0.05)]
    peer = 0.05 / (np.mean(profile) - best) ** 0.5  # twice the negative logarithm grows by (h / sigma)^2
    information = asimov_information(double(*(signal + background)), double(list(signal), list(shift), list(rate)))
    assert float(profiled_variance(information)) ** 0.5 == pytest.approx(float(peer), rel=2e-3)


def test_soft_histogram():
    random = np.random.default_rng(1)
    score, weight = (torch.tensor(random.uniform(0.01, 0.99, 500)) for _ in range(2))
    edges = EDGES.double()
    hard, _ = np.histogram(score, bins=np.r_[-np.inf, edges, np.inf], weights=weight)
    assert soft_histogram(score, edges, 0.0, weight).numpy() == pytest.approx(hard)
    assert soft_histogram(score, edges, 1e-8, weight).numpy() == pytest.approx(hard, abs=0.1)
    soft = soft_histogram(score, edges, 0.1, weight)
    assert abs(soft.numpy() - hard).max() > 1 and soft.sum() == pytest.approx(weight.sum())


def test_gradient_is_that_of_the_uncertainty():
    random = np.random.default_rng(2)
    score, up, down = (torch.tensor(random.uniform(size=shape)) for shape in (20, (20, 2), (20, 2)))
    label = torch.arange(20).double() % 2
    options = dict(signal=20.0, background=90.0, edges=double(0.3, 0.7), rate_error=0.2, temperature=0.2)

    def uncertainty(*scores):
        return expected_uncertainty(scores[0], label, *scores[1:], **options)

    assert torch.autograd.gradcheck(uncertainty, tuple(s.requires_grad_() for s in (score, up, down)))


def test_one_number_is_enough_and_it_is_not_the_likelihood_ratio():
    """Fine bins of the efficient score reach the bound of the whole plane; those of the ratio stay far above."""
    x, expected, score = plane()
    bound = float(profiled_variance(asimov_information(expected, expected * score)).sqrt())
    best = efficient_score(score.T, expected)
    assert binned(best, expected, score, 200) == pytest.approx(bound, rel=1e-3)
    ratio = x.sum(dim=1)  # of two unit Gaussians: the log-likelihood ratio up to a constant
    assert binned(ratio, expected, score, 200) > 1.2 * bound
    statistical = score.clone()
    statistical[1:] *= 1e-6  # without systematic uncertainties the ratio is best
    assert binned(ratio, expected, statistical, 200) == pytest.approx(
        float((expected * score[0] ** 2).sum()) ** -0.5, rel=1e-3
    )


def test_training_for_the_uncertainty_beats_cross_entropy():
    options = dict(signal=SIGNAL, background=BACKGROUND, rate_error=RATE, edges=EDGES)
    train, test = events(10_000, 1), events(40_000, 2)

    def measure(model):
        nominal, up, down = (torch.sigmoid(predict(model, x)) for x in (test[0], test[2][:, 0], test[3][:, 0]))
        return float(expected_uncertainty(nominal[:, 0], test[1], up, down, **options))

    torch.manual_seed(0)
    plain = MLP(2, 1, hidden=(16, 16))
    fit(
        plain,
        lambda model, x, label, *_: binary_cross_entropy(model(x).squeeze(-1), label),
        train,
        epochs=5,
        batch_size=256,
        learning_rate=5e-3,
        progress=False,
    )
    aware = deepcopy(plain)
    loss = uncertainty_loss(**options, temperature=0.05)
    fit(aware, loss, train, epochs=25, batch_size=2500, learning_rate=1e-2, progress=False)
    _, expected, score = plane()
    bound = float(profiled_variance(asimov_information(expected, expected * score)).sqrt())
    assert 0.31 < measure(plain) < 0.36
    assert 0.99 * bound < measure(aware) < 0.88 * measure(plain)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(label=torch.ones(4)), "label: found 4 signal events of 4"),
        (dict(up=torch.rand(3, 1)), "up: found shape"),
        (dict(edges=torch.tensor([0.5, 0.4])), "edges: found"),
        (dict(temperature=-1.0), "temperature"),
        (dict(signal=0.0), "signal"),
    ],
)
def test_bad_input(change, message):
    good = dict(score=torch.rand(4), label=torch.tensor([0.0, 1.0, 0.0, 1.0]), up=torch.rand(4, 1))
    good |= dict(down=torch.rand(4, 1), signal=1.0, background=1.0, edges=torch.tensor([0.5]))
    with pytest.raises(ValueError, match=message):
        expected_uncertainty(**good | change)
