"""Flow matching: the identity of its gradients, densities in closed form, conditions, weights, seeds."""

import numpy as np
import pytest
import torch

from hepml_labs.diffusion.flow_matching import FlowMatching, flow_matching_loss
from hepml_labs.diffusion.paths import GaussianMixture, Linear, VariancePreserving, pair_optimally
from hepml_labs.flows.scalers import Columns, Log

SMALL = {"hidden": (64, 64), "batch_size": 256}


def mixture():
    means = torch.tensor([[-1.5, 0.0], [1.0, 1.0], [0.5, -1.5]], dtype=torch.float64)
    return GaussianMixture(torch.tensor([0.5, 0.3, 0.2]).double(), means, torch.tensor([0.4, 0.6, 0.5]).double())


@pytest.fixture(scope="module")
def trained():
    """Mixture with its first column exponentiated, and a model that knows of the positive column."""
    x = mixture().sample(40_000, torch.Generator().manual_seed(5)).numpy()
    x[:, 0] = np.exp(x[:, 0])
    # the targets are noisy: at this many steps, small batches or steps leave five times the error in the density
    recipe = {"epochs": 50, "hidden": (64, 64, 64), "batch_size": 1024, "learning_rate": 1e-2}
    return FlowMatching(scaler=Columns([Log(), None]), **recipe).fit(x)


class Polynomial(torch.nn.Module):
    """A velocity with three parameters, too stiff to be right."""

    def __init__(self):
        super().__init__()
        self.coefficients = torch.nn.Parameter(torch.tensor([0.3, -0.5, 0.2], dtype=torch.float64))

    def forward(self, x, t, context=None):
        a, b, c = self.coefficients
        return a * x + b * t[:, None] + c


@pytest.mark.parametrize("path", [Linear(), VariancePreserving()], ids=["linear", "variance preserving"])
def test_conditional_and_marginal_loss_have_one_gradient(path):
    """Discrete data: the marginal velocity is a finite sum, its loss a grid integral; ours is a random average."""
    atoms, probability = torch.tensor([-1.0, 0.5, 2.0]).double(), torch.tensor([0.2, 0.5, 0.3]).double()
    network = Polynomial()
    t, x = torch.linspace(0.0025, 0.9975, 200).double(), torch.linspace(-7, 7, 2801).double()
    alpha, sigma = path.alpha(t)[:, None, None], path.sigma(t)[:, None, None]
    place = x[None, :, None]
    joint = probability * torch.exp(-(((place - alpha * atoms) / sigma) ** 2) / 2) / sigma / np.sqrt(2 * np.pi)
    eps = (place - alpha * atoms) / sigma  # the noise that leads from each atom to x
    conditional = path.alpha_rate(t)[:, None, None] * atoms + path.sigma_rate(t)[:, None, None] * eps
    density = joint.sum(2)
    marginal = (joint * conditional).sum(2) / density.clamp_min(1e-300)
    points, times = x.repeat(200)[:, None], t.repeat_interleave(2801)
    squared = (network(points, times) - marginal.reshape(-1, 1)).square()[:, 0] * density.reshape(-1)
    loss = squared.sum() * (x[1] - x[0]) / 200
    (expected,) = torch.autograd.grad(loss, network.coefficients)

    generator = torch.Generator().manual_seed(0)
    losses, gradients = [], []
    for _ in range(30):
        data = atoms[torch.multinomial(probability, 20_000, replacement=True, generator=generator)][:, None]
        value = flow_matching_loss(network, data, path=path, generator=generator)
        gradients.append(torch.autograd.grad(value, network.coefficients)[0])
        losses.append(value.item())
    gradients = torch.stack(gradients)
    pulls = (gradients.mean(0) - expected) / (gradients.std(0) / 30**0.5)
    assert pulls.abs().max() < 4 and expected.abs().min() > 20 * gradients.std(0).max() / 30**0.5
    assert np.mean(losses) > loss.item() + 0.2  # the losses differ, by what no network can learn


def test_loss_pairs_weights_and_conditions():
    x1 = torch.randn(64, 2, generator=torch.Generator().manual_seed(0))
    still = lambda x, t, context: torch.zeros_like(x)  # noqa: E731
    draw = lambda **others: flow_matching_loss(still, x1, generator=torch.Generator().manual_seed(1), **others)  # noqa: E731
    eps = torch.randn(64, 2, generator=torch.Generator().manual_seed(1))
    assert draw().item() == pytest.approx((x1 - eps).square().mean().item())
    assert draw(pairing="optimal").item() == pytest.approx((x1 - pair_optimally(x1, eps)).square().mean().item())
    weight = torch.linspace(0, 2, 64)
    expected = (weight[:, None] * (x1 - eps).square()).mean().item()
    assert draw(weight=weight).item() == pytest.approx(expected)
    context = torch.randn(64, 2)
    follow = lambda x, t, context: context  # noqa: E731
    value = flow_matching_loss(follow, x1, context, generator=torch.Generator().manual_seed(1))
    assert value.item() == pytest.approx((context - x1 + eps).square().mean().item())
    assert flow_matching_loss(still, x1.to("meta")).is_meta


def test_times_are_uniform_whatever_the_order_of_the_events():
    seen = []
    look = lambda x, t, context: seen.append(t) or x  # noqa: E731
    for seed in range(400):
        flow_matching_loss(look, torch.zeros(8, 1), generator=torch.Generator().manual_seed(seed))
    t = torch.stack(seen)
    assert ((t >= 0) & (t < 1)).all()
    assert (t.mean(0) - 0.5).abs().max() < 4 / np.sqrt(12 * 400)  # each event on its own
    assert (t.mean(1) - 0.5).abs().max() < 1 / 16 + 1e-6  # every batch


def test_learned_density_against_the_known_one(trained):
    x = mixture().sample(4000, torch.Generator().manual_seed(6)).numpy()
    truth = mixture().log_prob(torch.tensor(x)).numpy() - x[:, 0]  # d log(x)/dx = 1/x
    x[:, 0] = np.exp(x[:, 0])
    found = trained.score_samples(x, steps=8)
    assert abs(np.mean(truth - found)) < 0.02  # nats
    assert np.abs(truth - found).mean() < 0.15
    rough = trained.score_samples(x, steps=8, exact=False, seed=2)
    spread = (rough - found).std()
    assert spread > 0.01 and abs((rough - found).mean()) < 4 * spread / np.sqrt(4000)


def test_learned_density_is_normalised(trained):
    u, v = np.meshgrid(np.linspace(-4.5, 4.5, 70), np.linspace(-4.5, 4.5, 70), indexing="ij")
    x = np.column_stack([np.exp(u.ravel()), v.ravel()])
    density = np.exp(trained.score_samples(x, steps=8)) * x[:, 0]  # dx = x du
    assert density.sum() * (u[1, 0] - u[0, 0]) ** 2 == pytest.approx(1, abs=0.003)


def test_samples_follow_the_density(trained):
    x = trained.sample(20_000, seed=7)
    truth = mixture().sample(20_000, torch.Generator().manual_seed(8)).numpy()
    x[:, 0] = np.log(x[:, 0])
    for statistic in (lambda y: y, lambda y: y**2, lambda y: y[:, :1] * y[:, 1:], lambda y: y > 0):
        first, second = statistic(x), statistic(truth)
        error = np.hypot(first.std(0), second.std(0)) / np.sqrt(20_000)
        assert (np.abs(first.mean(0) - second.mean(0)) < 4 * error + 0.02).all()


def test_conditional_density():
    random = np.random.default_rng(0)
    context = random.uniform(0, 2, size=(20_000, 1))
    x = random.normal(3 * context, 0.5 + context)
    model = FlowMatching(epochs=24, **SMALL).fit(x, context=context)
    test = random.uniform(0.1, 1.9, size=(1000, 1))
    y = random.normal(3 * test, 0.5 + test)
    width = (0.5 + test)[:, 0]
    truth = -(((y - 3 * test)[:, 0] / width) ** 2) / 2 - np.log(width * np.sqrt(2 * np.pi))
    assert abs(np.mean(truth - model.score_samples(y, context=test, steps=8))) < 0.03
    for at in (0.3, 1.7):
        drawn = model.sample(context=np.full((5000, 1), at), seed=1)
        assert drawn.mean() == pytest.approx(3 * at, abs=0.12 * (0.5 + at))
        assert drawn.std() == pytest.approx(0.5 + at, rel=0.1)


def test_weights_are_honoured():
    """Half of the events at +2 with weight 3, half at -2 with weight 1: three quarters of the density at +2."""
    random = np.random.default_rng(1)
    sign = np.tile([1.0, -1.0], 5000)
    x = random.normal(2 * sign, 0.5)[:, None]
    weight = np.where(sign > 0, 3.0, 1.0)
    model = FlowMatching(epochs=12, **SMALL).fit(x, sample_weight=weight)
    assert (model.sample(5000, seed=1) > 0).mean() == pytest.approx(0.75, abs=0.03)
    assert (FlowMatching(epochs=12, **SMALL).fit(x).sample(5000, seed=1) > 0).mean() == pytest.approx(0.5, abs=0.03)


def test_seeds_and_kinds():
    x = np.random.default_rng(2).normal(size=(500, 3)).astype(np.float32)
    torch.manual_seed(3)
    state = torch.random.get_rng_state()
    model, twin = [FlowMatching(epochs=2, hidden=(8,), seed=4).fit(x) for _ in range(2)]
    other = FlowMatching(epochs=2, hidden=(8,), seed=5).fit(x)
    np.testing.assert_array_equal(model.sample(5, seed=1), twin.sample(5, seed=1))
    assert (model.sample(5, seed=1) != other.sample(5, seed=1)).any()
    assert (model.sample(5, seed=1) != model.sample(5, seed=2)).any()
    assert torch.equal(state, torch.random.get_rng_state())
    assert model.sample(5).dtype == np.float32 and model.score_samples(x).dtype == np.float32
    assert FlowMatching(epochs=1, hidden=(8,)).fit(x.astype(np.float64)).sample(2).dtype == np.float64
    np.testing.assert_allclose(model.score_samples(x)[:10], model.score_samples(x[:10]), rtol=1e-5)


def test_bad_input():
    x = np.random.default_rng(3).normal(size=(50, 2))
    model = FlowMatching(epochs=1, hidden=(4,)).fit(x)
    context = np.zeros((50, 1))
    for call, name in [
        (lambda: FlowMatching().fit(x[:, 0]), "x"),
        (lambda: FlowMatching().fit(x[:1]), "x"),
        (lambda: FlowMatching().fit(x * np.nan), "x"),
        (lambda: FlowMatching().fit(x, context=context[:3]), "context"),
        (lambda: FlowMatching().fit(x, sample_weight=np.zeros(50)), "sample_weight"),
        (lambda: FlowMatching().fit(x, validation=1.0), "validation"),
        (lambda: FlowMatching(seed=-1).fit(x), "seed"),
        (lambda: FlowMatching(pairing="best").fit(x), "pairing"),
        (lambda: FlowMatching(pairing="optimal").fit(x, sample_weight=np.ones(50)), "pairing"),
        (lambda: FlowMatching(pairing="optimal").fit(x, context=context), "pairing"),
        (lambda: model.sample(), "n"),
        (lambda: model.sample(50, context=context), "context"),
        (lambda: model.sample(5, method="heun"), "method"),
        (lambda: model.score_samples(x[:, :1]), "x"),
        (lambda: model.score_samples(x, steps=0), "steps"),
    ]:
        with pytest.raises(ValueError, match=f"^{name}: "):
            call()
