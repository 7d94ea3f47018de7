"""Estimators on the toy, where the true ratio, score and likelihood are known in closed form."""

import numpy as np
import pytest
import torch

from hepml_labs.physics.morphing import monomials
from hepml_labs.sbi.density import ConditionalDensity
from hepml_labs.sbi.estimators import DensityEstimator, RatioEstimator, ScoreEstimator
from hepml_labs.sbi.gold import augment
from hepml_labs.sbi.networks import RatioNetwork
from hepml_labs.sbi.quadratic import QuadraticRatioNetwork
from hepml_labs.sbi.toy import ToySimulator

TOY = ToySimulator()
SHORT = {"hidden": (32, 32), "epochs": 6, "batch_size": 128, "seed": 3}


@pytest.fixture(scope="module")
def sample():
    return TOY.training_sample(6000, seed=1)


@pytest.fixture(scope="module")
def truth():
    x, _ = TOY.sample(1.0, 500, seed=7)
    theta = np.linspace(-4, 4, 17)[:, None]
    return x, theta, TOY.log_ratio(x, theta)


@pytest.fixture(scope="module")
def alices(sample):
    return RatioEstimator("alices", **SHORT).fit(sample)


@pytest.mark.parametrize("activation", ["tanh", "silu"])
@pytest.mark.parametrize("hidden", [(5,), (6, 7), (4, 5, 6)])
def test_score_and_its_gradient_are_those_of_automatic_differentiation(hidden, activation):
    generator = torch.Generator().manual_seed(2)
    network = RatioNetwork(3, 2, hidden, activation).double()
    x, theta, target, factor = (
        torch.randn(9, size, generator=generator, dtype=torch.float64) for size in (3, 2, 2, 1)
    )  # fmt: skip
    theta.requires_grad_()
    value = network(x, theta)
    (score,) = torch.autograd.grad(value.sum(), theta, create_graph=True)
    found = network.with_score(x, theta.detach())
    assert torch.allclose(found[0], value, atol=1e-12)
    assert torch.allclose(found[1], score, atol=1e-12)
    gradients = [
        torch.autograd.grad((factor[:, 0] * f).square().sum() + (t - target).square().sum(), list(network.parameters()))
        for f, t in ((value, score), found)
    ]
    assert all(torch.allclose(a, b, atol=1e-11) for a, b in zip(*gradients, strict=True))


def test_alices_learns_the_ratio_and_its_score(alices, truth):
    x, theta, log_ratio = truth
    found = alices.log_ratio(x, theta)
    assert found.shape == (17, 500)
    assert ((found - log_ratio) ** 2).mean() < 0.1  # of a log ratio with the mean square 2
    score = alices.score(x, np.array([1.0]))
    assert ((score - TOY.score(x, 1.0)) ** 2).mean() < 0.02  # of a score with the variance 0.2
    step = np.array([[1.01], [0.99]])
    up, down = alices.log_ratio(x, step)
    assert score[:, 0] == pytest.approx((up - down) / 0.02, abs=2e-3)


@pytest.mark.parametrize(
    ("method", "bound"), [("carl", 0.4), ("rolr", 0.8), ("alice", 0.15), ("cascal", 0.15), ("rascal", 0.4)]
)
def test_every_loss_learns_the_ratio(method, bound, sample, truth):
    x, theta, log_ratio = truth
    found = RatioEstimator(method, **SHORT).fit(sample).log_ratio(x, theta)
    assert ((found - log_ratio) ** 2).mean() < bound  # of a log ratio with the mean square 2


def test_same_seed_same_result_in_the_type_of_the_input(sample, truth):
    x, theta, _ = truth
    short = {**SHORT, "epochs": 1}
    first, second, other = (
        RatioEstimator("alice", **{**short, "seed": seed}).fit(sample).log_ratio(x, theta) for seed in (0, 0, 1)
    )
    assert (first == second).all()
    assert (first != other).any()
    single = sample._replace(**{name: value.astype(np.float32) for name, value in sample._asdict().items()})
    ratio = RatioEstimator("alice", **short).fit(single)
    assert ratio.log_ratio(x.astype(np.float32), theta).dtype == np.float32
    assert ratio.score(x, theta[0]).dtype == np.float64


def test_sally_learns_the_score(truth):
    x, z = TOY.sample(0.0, 6000, seed=4)
    sally = ScoreEstimator(**SHORT).fit(x, TOY.joint_score(z, 0.0))
    grid = np.linspace(-5, 5, 21)[:, None]
    assert np.abs(sally.score(grid) - TOY.score(grid, 0.0)).max() < 0.2
    assert sally.score(grid.astype(np.float32)).dtype == np.float32


def test_scandal_learns_the_likelihood(sample, truth):
    x, theta, log_ratio = truth
    density = DensityEstimator(components=3, hidden=(24,), epochs=10, batch_size=128, learning_rate=1e-2).fit(sample)
    assert ((density.log_prob(x, theta) - TOY.log_likelihood(x, theta)) ** 2).mean() < 0.1
    assert ((density.log_ratio(x, theta, np.array([0.0])) - log_ratio) ** 2).mean() < 0.1
    grid = np.linspace(-30, 30, 4001)[:, None]
    assert np.exp(density.log_prob(grid, theta[:2])).sum(axis=1) * 0.015 == pytest.approx([1, 1], abs=1e-3)


def test_density_of_two_observables_is_normalised_and_knows_its_score():
    torch.manual_seed(0)
    density = ConditionalDensity(2, 2, components=3, hidden=(8,)).double()
    axis = torch.linspace(-15, 15, 301, dtype=torch.float64)
    x = torch.cartesian_prod(axis, axis)
    theta = torch.tensor([[0.3, -0.4]], dtype=torch.float64).expand(len(x), -1)
    values = density(x, theta).exp()
    assert values.sum().item() * 0.01 == pytest.approx(1, abs=1e-3)
    log_density, score = density.with_score(x, theta)  # its mean over the density vanishes
    assert (values[:, None] * score).sum(0).abs().max() * 0.01 < 1e-3
    assert torch.allclose(log_density, values.log())


def test_two_parameters_and_events_with_weights():
    """Weights 1 + (1 + theta . z)^2 with x = z: the log ratio is known, and the network finds it."""
    z = np.random.default_rng(0).normal(size=(20_000, 2))
    squares = np.stack([z[:, 0] ** 2, 2 * z[:, 0] * z[:, 1], z[:, 1] ** 2], axis=1)
    coefficients = np.hstack([np.full((len(z), 1), 2.0), 2 * z, squares])
    thetas = np.random.default_rng(1).uniform(-1, 1, size=(5000, 2))
    gold = augment(z, coefficients, thetas, np.zeros(2), 8000, seed=1)
    ratio = RatioEstimator("alices", **{**SHORT, "epochs": 10, "learning_rate": 1e-2}).fit(gold)
    x, theta = z[:500], np.array([[0.7, 0.7], [0.0, 0.9], [-0.5, 0.8]])
    exact = np.log(1 + (1 + theta @ x.T) ** 2) - np.log(2 + (theta**2).sum(axis=1, keepdims=True))
    error = ((ratio.log_ratio(x, theta) - exact) ** 2).mean()
    assert error < 0.1 * (exact**2).mean()


def test_quadratic_network_is_the_positive_polynomial_over_the_cross_section():
    """Any squared amplitude has the form, with its score; the ratio at the reference is one whatever the weights."""
    torch.manual_seed(1)
    total, reference, scale = np.array([2.0, 0.3, -0.2, 1.5, 0.4, 0.9]), np.array([0.2, -0.1]), np.array([0.5, 2.0])
    network = QuadraticRatioNetwork(3, total, reference, scale, hidden=(8,)).double()
    x, delta = torch.randn(7, 3, dtype=torch.float64), torch.randn(7, 2, dtype=torch.float64, requires_grad=True)
    log_ratio, score = network.with_score(x, delta)
    assert torch.allclose(torch.autograd.grad(log_ratio.sum(), delta)[0], score)
    assert network(x, torch.zeros_like(delta)).abs().max() < 1e-12
    a, lower = (part.detach().numpy() for part in network._factors(x))
    step = delta.detach().numpy()
    weight = (1 + (a * step).sum(1)) ** 2 + (np.einsum("nij,ni->nj", lower, step) ** 2).sum(1)
    sigma = (monomials(reference + scale * step) @ total) / (monomials(reference[None]) @ total)
    assert np.allclose(log_ratio.detach().numpy(), np.log(weight / sigma), atol=1e-4)


def test_two_parameters_with_the_quadratic_built_in():
    """Weights 1 + (theta . z)^2, which a network with theta as an input does not learn in this time."""
    z = np.random.default_rng(0).normal(size=(20_000, 2))
    squares = np.stack([z[:, 0] ** 2, 2 * z[:, 0] * z[:, 1], z[:, 1] ** 2], axis=1)
    coefficients = np.hstack([np.ones((len(z), 1)), np.zeros_like(z), squares])
    reference, thetas = np.array([0.3, 0.0]), np.random.default_rng(1).uniform(-1, 1, size=(5000, 2))
    gold = augment(z, coefficients, thetas, reference, 8000, seed=1)
    options = {**SHORT, "epochs": 6, "learning_rate": 1e-2}
    x, theta = z[:500], np.array([[0.7, 0.7], [0.0, 0.9], [-1.5, 0.8]])

    def log_weight(theta):
        return np.log(1 + (theta @ x.T) ** 2) - np.log(1 + (theta**2).sum(axis=1, keepdims=True))

    exact, error = log_weight(theta) - log_weight(reference[None]), []
    for extra in ({"total": coefficients.sum(axis=0), "reference": reference}, {}):
        ratio = RatioEstimator("alices", **options, **extra).fit(gold)
        error.append(((ratio.log_ratio(x, theta) - exact) ** 2).mean() / (exact**2).mean())
    assert error[0] < 0.02 and error[0] < 0.3 * error[1], error


def test_bad_input(sample, alices, truth):
    x, theta, _ = truth
    bad_label = sample._replace(label=sample.label + 0.5)
    reference_only = type(sample)(*(part[sample.label == 0] for part in sample))
    for message, call in {
        "method: found 'bolr'": lambda: RatioEstimator("bolr").fit(sample),
        "alpha: found -1": lambda: RatioEstimator(alpha=-1).fit(sample),
        "validation_fraction: found 2": lambda: RatioEstimator(validation_fraction=2).fit(sample),
        "activation: found 'relu'": lambda: RatioEstimator(activation="relu").fit(sample),
        "total: found a cross-section": lambda: RatioEstimator(total=[-1.0, 0.0, 0.0]).fit(sample),
        "reference: found shape": lambda: RatioEstimator(total=[1.0, 0, 0], reference=[0.0, 0.0]).fit(sample),
        "hidden layers: found 0": lambda: RatioEstimator(hidden=()).fit(sample),
        "label: found values other": lambda: RatioEstimator().fit(bad_label),
        "score: found shape": lambda: RatioEstimator().fit(sample._replace(score=sample.score[:, 0])),
        "x: found shape": lambda: alices.log_ratio(x[:, 0], theta),
        "theta: found shape": lambda: alices.log_ratio(x, theta[:, 0]),
        "theta: found shape .1, 1.": lambda: alices.score(x, theta[:1]),
        "joint_score: found shape": lambda: ScoreEstimator().fit(x, x[:3]),
        "label: found no event": lambda: DensityEstimator().fit(reference_only),
        "x: found 500 of 500": lambda: alices.log_ratio(x * np.nan, theta),
    }.items():
        with pytest.raises(ValueError, match=message):
            call()
