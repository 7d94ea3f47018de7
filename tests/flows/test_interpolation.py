"""Interpolation into a hole: known densities come back, with errors that mean what they say."""

import numpy as np
import pytest
from sklearn.gaussian_process.kernels import RBF

from hepml_labs.flows.estimator import FlowEstimator
from hepml_labs.flows.exercises.interpolation import process_prediction
from hepml_labs.flows.interpolation import Interpolation, MassInterpolation

LOW, HIGH = 60.0, 220.0


def hole(m1, m2):
    return np.hypot(m1 - 130, m2 - 120) < 22


def everywhere(m1, m2):
    return np.ones(len(m1), dtype=bool)


def rate(m1, m2):
    """A smooth density without units: falls in both masses, with a correlation."""
    return np.exp(-(m1 - LOW) / 110 - (m2 - LOW) / 180 - (m1 - 140) * (m2 - 140) / 3e4)


def draw(n, random):
    """Draw a Poisson number of masses, n on average, from the rate."""
    n = random.poisson(n)
    masses = random.uniform(LOW, HIGH, size=(4 * n, 2))
    return masses[random.uniform(0, 1.3, 4 * n) < rate(*masses.T)][:n]


def share(region):
    axis = np.linspace(LOW, HIGH, 801)[1:] - 0.1
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    density = rate(*grid.T)
    return density[region(*grid.T)].sum() / density.sum()


def test_yield_in_the_hole_and_pulls_of_toys():
    truth = 20_000 * share(hole)
    pulls = []
    for seed in range(30):
        found = MassInterpolation(bins=10).fit(draw(20_000, np.random.default_rng(seed)), hole).expected_yield()
        assert 0.005 < found.error / truth < 0.06
        pulls.append((found.value - truth) / found.error)
    assert abs(np.mean(pulls)) < 0.55  # three standard deviations of a mean of 30
    assert 0.65 < np.std(pulls) < 1.4


def test_exact_calibration_where_the_prior_is_true():
    """Functions drawn from the prior, with the noise that the fit assumes: pulls of width one by construction."""
    random = np.random.default_rng(3)
    model = MassInterpolation(bins=8, length_scale=(60.0, 90.0), optimize=False)
    model.fit(random.uniform(LOW, HIGH, size=(20_000, 2)), hole)
    points, area = model._covered(hole)
    kernel = RBF((60.0, 90.0))
    together = np.concatenate([model.points_, points])
    root = np.linalg.cholesky(kernel(together) + 1e-8 * np.eye(len(together)))
    pulls = []
    for _ in range(300):
        function = model._trend(together) * (1 + root @ random.normal(size=len(together)))
        data = function[: len(model.points_)] + model.density_error_ * random.normal(size=len(model.points_))
        model.process_.fit(model.points_, data / model._trend(model.points_) - 1)
        found = model.expected_yield()
        pulls.append((found.value - area @ function[len(model.points_) :]) / found.error)
    assert abs(np.mean(pulls)) < 0.2
    assert 0.88 < np.std(pulls) < 1.12


def test_prediction_is_the_textbook_formula():
    masses = draw(8000, np.random.default_rng(5))
    model = MassInterpolation(bins=8).fit(masses, hole)
    new = np.random.default_rng(6).uniform(LOW, HIGH, size=(50, 2))
    trend = model._trend(new)
    kernel, noise = model.process_.kernel_, model.process_.alpha
    value = model.density_ / model._trend(model.points_) - 1
    expected = process_prediction(
        kernel(model.points_), kernel(new, model.points_), np.full(50, kernel.k1.constant_value), noise, value
    )
    mean, error = model.density(new)
    np.testing.assert_allclose(mean, trend * np.maximum(1 + expected[0], 0), rtol=1e-6)
    np.testing.assert_allclose(error, trend * expected[1], rtol=1e-5)


def test_nothing_inside_is_looked_at():
    masses = draw(5000, np.random.default_rng(7))
    signal = np.random.default_rng(8).normal((130, 120), 3, size=(3000, 2))
    signal = signal[hole(*signal.T)]
    alone, both = (MassInterpolation(bins=8).fit(m, hole) for m in (masses, np.concatenate([masses, signal])))
    assert alone.expected_yield() == both.expected_yield()


def test_weights_have_no_unit():
    masses = draw(5000, np.random.default_rng(9))
    one = MassInterpolation(bins=8).fit(masses, hole).expected_yield()
    two = MassInterpolation(bins=8).fit(masses, hole, sample_weight=np.full(len(masses), 2.0)).expected_yield()
    np.testing.assert_allclose(two, 2 * np.array(one), rtol=1e-4)


def test_samples_follow_the_density():
    model = MassInterpolation(bins=10).fit(draw(20_000, np.random.default_rng(1)), hole)
    masses = model.sample(20_000, seed=2)
    assert hole(*masses.T).all()
    points, area = model._covered(hole)
    weight = area * model.density(points)[0]
    mean = (weight[:, None] * points).sum(axis=0) / weight.sum()
    np.testing.assert_allclose(masses.mean(axis=0), mean, atol=4 * 10 / np.sqrt(20_000) + 0.1)
    assert np.array_equal(masses, model.sample(20_000, seed=2))
    assert not np.array_equal(masses, model.sample(20_000, seed=3))


def test_moments_in_the_hole():
    """x is normal with a mean and a width that are known functions of the masses, and the hole is cut out."""

    def moments(masses):
        u, v = (masses.T - 140) / 80
        return 2 * u - v + u * v, 0.5 + 0.3 * u**2 + 0.2 * v

    random = np.random.default_rng(4)
    masses = draw(24_000, random)
    mean, width = moments(masses)
    x = (mean + width * random.normal(size=len(masses)))[:, None]
    flow = FlowEstimator(kind="autoregressive", layers=1, bins=4, hidden=(32, 32), epochs=10, learning_rate=1e-2)
    model = Interpolation(MassInterpolation(bins=10), flow).fit(x, masses, hole)
    events = model.sample(20_000, seed=5)
    assert events.weight.sum() == pytest.approx(model.expected_yield().value)
    mean, width = moments(events.masses)
    pull = (events.x[:, 0] - mean) / width
    assert abs(pull.mean()) < 0.12  # 0.03 is one standard deviation of what the neighbourhood of the hole tells
    assert abs(pull.std() - 1) < 0.08
    slope = np.polyfit(events.masses[:, 0] - 130, events.x[:, 0] - mean, 1)[0]
    assert abs(slope) < 0.1 * 2 / 80  # the mean still moves with the mass
    # density of events: at one place of the plane its integral over x is the density of the masses
    grid = np.linspace(-6, 6, 601)
    place = np.tile([[128.0, 122.0]], (601, 1))
    density = np.exp(model.score_samples(grid[:, None], place)).sum() * (grid[1] - grid[0])
    assert density == pytest.approx(model.masses.density(place[:1])[0][0], rel=0.01)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(bins=2), "bins: found 2"),
        (dict(window=(220.0, 60.0)), r"window\[0\]"),
        (dict(length_scale=(0.0, 10.0)), r"length_scale\[0\]"),
    ],
)
def test_bad_options(arguments, message):
    with pytest.raises(ValueError, match=message):
        MassInterpolation(**arguments)


def test_bad_input():
    masses = draw(2000, np.random.default_rng(1))
    with pytest.raises(ValueError, match="masses: found .* expected all in the window of 60 to 220 GeV"):
        MassInterpolation().fit(1000 * masses, hole)
    with pytest.raises(ValueError, match="masses: found shape"):
        MassInterpolation().fit(masses[:, :1], hole)
    with pytest.raises(ValueError, match="region: leaves 0 of"):
        MassInterpolation().fit(masses, everywhere)
    with pytest.raises(ValueError, match="sample_weight: found shape"):
        MassInterpolation().fit(masses, hole, np.ones(3))
    model = MassInterpolation(bins=8).fit(masses, hole)
    with pytest.raises(ValueError, match="region: covers nothing"):
        model.sample(10, lambda m1, m2: m1 > 1000)
    with pytest.raises(ValueError, match="x: found shape"):
        Interpolation(model, None).fit(np.zeros((5, 2)), masses, hole)
