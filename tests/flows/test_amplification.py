import numpy as np
import pytest
from scipy import integrate, stats

from hepml_labs.flows.amplification import (
    amplification,
    cell_fractions,
    parametric_mse,
    posterior_mse,
    quantile_mse,
    sample_mse,
)
from hepml_labs.flows.closed_forms import CamelBack, Ramp, Ring


def gaussian_gradient(quantiles):
    """Derivatives of the quantiles' probabilities with respect to mean and log width, in units of the width."""
    t = stats.norm.ppf(np.linspace(0, 1, quantiles + 1))
    density = stats.norm.pdf(t)
    return np.stack([-np.diff(density), -np.diff(np.nan_to_num(t) * density)], axis=1)


def test_fractions_of_true_events_scatter_as_binomials_in_any_dimension():
    rng = np.random.default_rng(1)
    for dimensions, per_axis in ((1, 20), (2, 5)):
        cells = per_axis**dimensions
        mse = [quantile_mse(cell_fractions(rng.random((200, dimensions)), per_axis)) for _ in range(400)]
        assert np.mean(mse) == pytest.approx(sample_mse(200, cells), rel=0.06)
        same = amplification(np.array(mse), cells, train_size=200)
        assert abs(same.factor - 1) < 4 * same.error and same.error < 0.03
    fractions = cell_fractions(np.array([[0.1, 0.9], [0.6, 0.2], [1.0, 0.0]]), 2)
    np.testing.assert_allclose(fractions, [0, 1 / 3, 2 / 3, 0])


def test_amplification_of_a_gaussian_fit_is_the_propagated_one():
    """Mean and width of 100 events are measured 4,000 times; error propagation gives the factor without any of them."""
    rng, n, quantiles = np.random.default_rng(2), 100, 20
    samples = rng.normal(size=(4000, n))
    edges = stats.norm.ppf(np.linspace(0, 1, quantiles + 1))
    cumulative = stats.norm.cdf((edges - samples.mean(1)[:, None]) / samples.std(1)[:, None])
    measured = amplification(quantile_mse(np.diff(cumulative, axis=1)), quantiles, n)
    propagated = parametric_mse(gaussian_gradient(quantiles), np.diag([1.0, 2.0]), n)
    # the propagation holds for n to infinity: a part of 1 / n is left
    assert measured.factor == pytest.approx(sample_mse(n, quantiles) / propagated, rel=0.04)


def test_a_smooth_fit_gains_quantiles_minus_one_over_parameters():
    """For narrow cells quantiles * sum of the variances is the trace of I I^-1, the number of parameters, over n."""
    for quantiles, tolerance in ((20, 0.2), (2000, 0.01)):
        mse = parametric_mse(gaussian_gradient(quantiles), np.diag([1.0, 2.0]), 100)
        gain = sample_mse(100, quantiles) / mse
        assert gain == pytest.approx((quantiles - 1) / 2, rel=tolerance)
        assert gain >= (quantiles - 1) / 2  # cells see a part of the information only


def test_a_true_posterior_claims_the_error_that_it_has():
    """Gaussian mean with known width: posterior of width 1 / sqrt(n) around the sample mean."""
    rng, n, quantiles, flows = np.random.default_rng(3), 50, 10, 60
    edges = stats.norm.ppf(np.linspace(0, 1, quantiles + 1))
    centers = rng.normal(size=(300, 1)) / np.sqrt(n)
    drawn = centers + rng.normal(size=(300, flows)) / np.sqrt(n)
    fractions = np.diff(stats.norm.cdf(edges - drawn[..., None]), axis=-1)
    claimed = amplification(posterior_mse(fractions), quantiles, n)
    true = amplification(quantile_mse(np.diff(stats.norm.cdf(edges - centers), axis=-1)), quantiles, n)
    assert abs(claimed.factor - true.factor) < 3 * true.error and true.error / true.factor < 0.1


@pytest.mark.parametrize("toy", [Ramp(), Ring(), Ring(1.0, 0.7), CamelBack()], ids=lambda toy: type(toy).__name__)
def test_toys_are_uniform_in_their_unit_box_and_normalised(toy):
    x = toy.sample(20_000, seed=4)
    unit = toy.to_unit(x)
    assert x.shape == unit.shape == (20_000, toy.features)
    for column in unit.T:
        assert stats.kstest(column, "uniform").pvalue > 1e-3
    box = (-9, 9) if toy.features == 1 else ((0, 1) if isinstance(toy, Ramp) else (-9, 9))
    grid = np.linspace(*box, 801)
    points = np.stack(np.meshgrid(*[grid] * toy.features, indexing="ij"), axis=-1).reshape(-1, toy.features)
    if isinstance(toy, Ring):
        points = points[np.hypot(*points.T) > 0]  # the density has a pole of measure zero
    total = toy.density(points).sum() * (grid[1] - grid[0]) ** toy.features
    assert total == pytest.approx(1, abs=0.01)


def test_density_of_the_ring_is_the_slope_of_its_cumulative():
    ring = Ring(1.5, 1.0)
    probability, _ = integrate.quad(lambda r: 2 * np.pi * r * ring.density(np.array([[r, 0.0]]))[0], 0.5, 2.0)
    low, high = ring.to_unit(np.array([[0.5, 0.0], [2.0, 0.0]]))[:, 0]
    assert probability == pytest.approx(high - low, rel=1e-8)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("unit", lambda: cell_fractions(np.array([[1.1]]), 2)),
        ("unit", lambda: cell_fractions(np.array([[np.nan]]), 2)),
        ("unit", lambda: cell_fractions(np.zeros(3), 2)),
        ("per_axis", lambda: cell_fractions(np.zeros((3, 1)), 0)),
        ("fractions", lambda: quantile_mse(np.array([np.nan, 1.0]))),
        ("fractions", lambda: posterior_mse(np.ones((1, 4)))),
        ("n", lambda: sample_mse(0, 4)),
        ("cells", lambda: sample_mse(4, 0)),
        ("fisher", lambda: parametric_mse(np.ones((3, 2)), np.eye(3), 10)),
        ("mse", lambda: amplification(np.ones(1), 10, 100)),
        ("mse", lambda: amplification(np.zeros(3), 10, 100)),
        ("train_size", lambda: amplification(np.ones(3), 10, 0)),
        ("width", lambda: Ring(1.0, 0.0)),
        ("distance", lambda: CamelBack(-1.0)),
        ("x", lambda: Ramp().density(np.zeros((3, 1)))),
    ],
)
def test_bad_input_is_named(name, call):
    with pytest.raises(ValueError, match=name):
        call()
