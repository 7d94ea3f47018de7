"""The flow estimator against densities that are known, in units of the data."""

import numpy as np
import pytest
import torch
from scipy.stats import kstest, multivariate_normal, norm
from sklearn.base import clone

from hepml_labs.flows.estimator import FlowEstimator
from hepml_labs.flows.scalers import Angle, Columns, Log, Logit

SMALL = {"layers": 2, "hidden": (24,), "epochs": 12, "batch_size": 128, "learning_rate": 1e-2}


def truth():
    """A mass (GeV) and an angle, correlated, on very different scales."""
    return multivariate_normal([500.0, 0.1], [[50.0**2, 0.7 * 50 * 0.02], [0.7 * 50 * 0.02, 0.02**2]])


@pytest.fixture(scope="module", params=["coupling", "autoregressive"])
def gaussian(request):
    """A flow of each kind, trained on the correlated Gaussian."""
    return FlowEstimator(request.param, **SMALL).fit(truth().rvs(4000, random_state=0))


@pytest.fixture(scope="module")
def bumps():
    """A flow of one variable with an edge and two bumps: logarithmically normal around 30 and 90 GeV."""
    random = np.random.default_rng(1)
    x = np.exp(np.where(random.random(4000) < 0.4, random.normal(3.4, 0.15, 4000), random.normal(4.5, 0.1, 4000)))
    return FlowEstimator(scaler=Log(), **SMALL).fit(x[:, None])


def test_correlated_gaussian(gaussian):
    x = truth().rvs(5000, random_state=1)
    divergence = truth().logpdf(x) - gaussian.score_samples(x)
    assert -3 * divergence.std() / np.sqrt(5000) < divergence.mean() < 0.02
    sample = gaussian.sample(20_000, seed=2)
    np.testing.assert_allclose(np.corrcoef(sample.T)[0, 1], 0.7, atol=0.02)
    np.testing.assert_allclose(sample.std(0), [50.0, 0.02], rtol=0.03)


def test_base_variables_are_standard_normal_and_go_back(gaussian):
    x = truth().rvs(5000, random_state=3)
    z = gaussian.transform(x)
    assert all(kstest(column, "norm").pvalue > 1e-4 for column in z.T)
    assert abs(np.corrcoef(z.T)[0, 1]) < 0.05
    np.testing.assert_allclose(gaussian.inverse_transform(z), x, rtol=2e-4)


def test_density_in_gev_integrates_to_one_and_is_that_of_the_samples(bumps):
    # the tails of the flow are exact Gaussians in log x, so that nothing is left beyond this range
    x = np.geomspace(1, 3000, 20_001)
    density = np.exp(bumps.score_samples(x[:, None]))
    assert np.trapezoid(density, x) == pytest.approx(1, abs=1e-3)
    expected = (0.4 * norm.pdf(np.log(x), 3.4, 0.15) + 0.6 * norm.pdf(np.log(x), 4.5, 0.1)) / x
    seen = expected > 0
    divergence = np.trapezoid(expected[seen] * np.log(expected[seen] / density[seen]), x[seen])
    assert 0 < divergence < 0.03
    cumulative = np.append(0, np.cumsum(0.5 * (density[1:] + density[:-1]) * np.diff(x)))
    sample = bumps.sample(5000, seed=4)[:, 0]
    assert kstest(sample, lambda points: np.interp(points, x, cumulative)).pvalue > 1e-4


@pytest.mark.parametrize("kind", ["coupling", "autoregressive"])
def test_conditional_gaussian(kind):
    random = np.random.default_rng(5)
    context = random.uniform(-1000, 1000, (4000, 1))  # GeV
    mean, width = context / 500, 1 + 0.5 * context / 1000
    x = random.normal(mean, width)
    flow = FlowEstimator(kind, **SMALL).fit(x, context)
    test = random.uniform(-900, 900, (4000, 1))
    drawn = random.normal(test / 500, 1 + 0.5 * test / 1000)
    divergence = norm.logpdf(drawn, test / 500, 1 + 0.5 * test / 1000)[:, 0] - flow.score_samples(drawn, test)
    assert -3 * divergence.std() / np.sqrt(4000) < divergence.mean() < 0.03
    pulls = (flow.sample(context=test, seed=1) - test / 500) / (1 + 0.5 * test / 1000)
    assert abs(pulls.mean()) < 0.08
    assert pulls.std() == pytest.approx(1, abs=0.08)


def test_weights_are_honoured_and_their_unit_is_not_seen():
    random = np.random.default_rng(6)
    side = random.integers(0, 2, 4000)
    x = random.normal(2 * side - 1, 0.3)[:, None]
    weight = np.where(side, 3.0, 1.0)
    flow = FlowEstimator(**{**SMALL, "epochs": 10}).fit(x, sample_weight=weight)
    assert (flow.sample(20_000) > 0).mean() == pytest.approx(0.75, abs=0.03)
    same = clone(flow).fit(x, sample_weight=1024 * weight)  # a power of two: the same bits
    np.testing.assert_array_equal(same.score_samples(x), flow.score_samples(x))
    pairs = np.column_stack([x[:, 0], np.full(4000, 91.19)])  # a feature that does not vary is no error
    assert np.isfinite(FlowEstimator(**{**SMALL, "epochs": 1}).fit(pairs).score_samples(pairs)).all()


def test_types_seeds_and_early_stopping():
    random = np.random.default_rng(7)
    x = np.column_stack([random.exponential(30, 1000) + 20, random.uniform(-3, 3, 1000), random.random(1000)])
    x = x.astype(np.float32)
    options = {**SMALL, "scaler": Columns([Log(20.0), Angle(), Logit(0, 1)]), "epochs": 60, "patience": 3}
    flow = FlowEstimator(**options).fit(x)
    history = flow.history_
    assert len(history.train_loss) - 1 - history.best_epoch == 3  # it stopped, and kept the best
    assert flow.score_samples(x).dtype == flow.sample(5).dtype == flow.transform(x).dtype == np.float32
    tensor = torch.tensor(x, dtype=torch.float64)
    scores = flow.score_samples(tensor)
    assert scores.dtype == np.float64
    again = clone(flow).fit(x)
    np.testing.assert_array_equal(again.score_samples(tensor), scores)
    np.testing.assert_array_equal(again.sample(5, seed=3), flow.sample(5, seed=3))
    assert (again.sample(5, seed=4) != flow.sample(5, seed=3)).all()
    sample = flow.sample(2000)
    assert (sample[:, 0] > 20).all()
    assert ((sample[:, 2] > 0) & (sample[:, 2] < 1)).all()


X = np.random.default_rng(8).normal(size=(50, 2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda new, old: new().fit(X[:, 0]), r"x: found shape \(50,\), expected \(n, d\)"),
        (lambda new, old: new().fit(X * np.nan), "x: found 100 of 100 entries NaN"),
        (lambda new, old: new().fit(X[:1]), "x: found 1 event"),
        (lambda new, old: new().fit(X, X[:9]), r"context: found shape \(9, 2\), expected \(50, c\)"),
        (lambda new, old: new().fit(X, sample_weight=-np.ones(50)), "sample_weight: found a sum of -50"),
        (lambda new, old: new().fit(X, sample_weight=np.ones(9)), r"sample_weight: found shape \(9,\)"),
        (lambda new, old: new().fit(X, validation=0.0), "validation: found 0.0"),
        (lambda new, old: new(kind="glow").fit(X), "kind: found 'glow'"),
        (lambda new, old: new(scaler=Columns([None, Log(5.0)])).fit(X), "column 1: x: found .* outside"),
        (lambda new, old: old.score_samples(X[:, :1]), r"x: found shape \(50, 1\), expected \(n, 2\)"),
        (lambda new, old: old.score_samples(X, X), "context: found ndarray, expected 0 features"),
        (lambda new, old: old.sample(), "n: found None"),
        (lambda new, old: old.sample(0), "n: found 0"),
        (lambda new, old: old.inverse_transform(X[:0]), "z: found shape|z: found an empty"),
        (lambda new, old: new().score_samples(X), "not fitted"),
        (lambda new, old: new().fit(X, X).sample(3, context=X), r"context: found shape \(50, 2\), expected \(3, 2\)"),
        (lambda new, old: new().fit(X, X).sample(), "n: found None"),
    ],
)
def test_bad_input_is_named(call, message):
    def new(**options):
        return FlowEstimator(**{"layers": 1, "hidden": (4,), "epochs": 1, **options})

    with pytest.raises(ValueError, match=message):
        call(new, new().fit(X))
