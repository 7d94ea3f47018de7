"""The adversarial games at their known solutions."""

import math

import numpy as np
import pytest
import torch

from hepml_labs.diffusion.adversarial import AdversarialPair, critic_loss, generator_loss, gradient_penalty
from hepml_labs.diffusion.gan import GAN


def normal_quantiles(n, mean=0.0):
    """Return a standard normal sample without fluctuations, ``(n, 1)``."""
    return mean + torch.special.ndtri((torch.arange(n, dtype=torch.float64) + 0.5) / n)[:, None]


def minimise(parameters, loss):
    optimizer = torch.optim.LBFGS(parameters, max_iter=200, line_search_fn="strong_wolfe", tolerance_grad=1e-10)

    def closure():
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    optimizer.step(closure)
    return loss().item()


def test_losses_at_equilibrium_and_their_gradients():
    even = torch.zeros(4)
    assert critic_loss(even, even).mean().item() == pytest.approx(2 * math.log(2))
    assert generator_loss(even).mean().item() == pytest.approx(math.log(2))
    assert generator_loss(even, "minimax").mean().item() == pytest.approx(-math.log(2))
    logit = torch.linspace(-6, 6, 13, dtype=torch.float64, requires_grad=True)
    probability = torch.sigmoid(logit.detach())
    for loss, expected in {
        "minimax": -probability,
        "non-saturating": probability - 1,
        "wasserstein": -torch.ones_like(probability),
    }.items():
        (gradient,) = torch.autograd.grad(generator_loss(logit, loss).sum(), logit)
        torch.testing.assert_close(gradient, expected)


def test_best_critic_of_two_known_densities():
    """N(0, 1) against N(1, 1): the logit is 1/2 - x, and the loss 2 log 2 - 2 Jensen-Shannon."""
    real, generated = normal_quantiles(20_000), normal_quantiles(20_000, mean=1.0)
    pair = AdversarialPair(1, latent=1, hidden=()).double()
    value = minimise(
        pair.critic.parameters(), lambda: critic_loss(pair.criticise(real), pair.criticise(generated)).mean()
    )
    assert pair.critic[0].weight.item() == pytest.approx(-1.0, abs=2e-3)
    assert pair.critic[0].bias.item() == pytest.approx(0.5, abs=2e-3)
    x = torch.linspace(-9, 10, 20_001, dtype=torch.float64)
    p, q = (torch.exp(-((x - m) ** 2) / 2) / math.sqrt(2 * math.pi) for m in (0.0, 1.0))
    divergence = ((p * (2 * p / (p + q)).log() + q * (2 * q / (p + q)).log()) / 2).sum() * (x[1] - x[0])
    assert value == pytest.approx(2 * math.log(2) - 2 * divergence.item(), abs=1e-4)


def test_penalty_of_a_linear_critic():
    slope = torch.tensor([1.0, -2.0, 2.0])
    x = torch.randn(5, 3)
    for target in (0.0, 1.0):
        torch.testing.assert_close(
            gradient_penalty(lambda x: x @ slope, x, target), torch.full((5,), (3 - target) ** 2)
        )


@pytest.mark.parametrize("strength", [1.0, 10.0])
def test_wasserstein_critic_measures_the_shift(strength):
    """A linear critic of two Gaussians that are a distance D apart has the slope 1 + D / (2 strength)."""
    shift = 1.5
    real, generated = normal_quantiles(2000), normal_quantiles(2000, mean=shift)
    pair = AdversarialPair(1, latent=1, hidden=()).double()
    torch.nn.init.constant_(pair.critic[0].weight, -0.5)  # a positive slope would have to climb over zero

    def loss():
        value = critic_loss(pair.criticise(real), pair.criticise(generated), "wasserstein")
        return (value + strength * gradient_penalty(pair.criticise, real, target=1.0)).mean()

    minimise(pair.critic.parameters(), loss)
    slope = 1 + shift / (2 * strength)
    assert pair.critic[0].weight.item() == pytest.approx(-slope, rel=1e-3)
    assert (pair.criticise(real) - pair.criticise(generated)).mean().item() == pytest.approx(slope * shift, rel=1e-3)


def test_each_turn_moves_one_player():
    pair, x = AdversarialPair(2, latent=3, hidden=(8,)), torch.randn(20, 2)
    for loss in ("non-saturating", "minimax", "wasserstein"):
        for turn, moves, rests in (
            (pair.critic_turn, pair.critic, pair.generator),
            (pair.generator_turn, pair.generator, pair.critic),
        ):
            pair.zero_grad()
            turn(x, loss=loss).mean().backward()
            assert all(weight.grad is None for weight in rests.parameters())
            # a difference of values does not see the last bias of the critic
            assert all(weight.grad is not None for name, weight in moves.named_parameters() if weight.ndim > 1)
            assert all(weight.requires_grad for weight in pair.parameters())


@pytest.mark.parametrize(
    ("options", "tolerance"),
    [
        ({"penalty": 0.5}, 0.15),
        # one step of the generator in four, and a game that circles longer: two seeds end within 0.4
        ({"loss": "wasserstein", "critic_steps": 3, "epochs": 120}, 0.5),
    ],
)
def test_a_correlated_gaussian_is_learned(options, tolerance):
    covariance = np.array([[100.0, 0.6], [0.6, 0.01]])  # GeV, radians
    x = np.random.default_rng(0).multivariate_normal([100.0, 0.0], covariance, size=4000).astype(np.float32)
    gan = GAN(**{"epochs": 60, "hidden": (24,), "latent": 4, "batch_size": 400, "learning_rate": 5e-3, **options}).fit(
        x
    )
    events = gan.sample(10_000, seed=1)
    assert events.dtype == np.float32
    np.testing.assert_allclose((events.mean(0) - x.mean(0)) / x.std(0), 0, atol=tolerance)
    np.testing.assert_allclose(events.std(0) / x.std(0), 1, atol=tolerance)
    assert np.corrcoef(events.T)[0, 1] == pytest.approx(0.6, abs=tolerance / 2)
    assert np.array_equal(events[:50], gan.sample(10_000, seed=1)[:50])
    steps = len(gan.critic_loss_), len(gan.generator_loss_)
    assert steps[0] == gan.critic_steps * steps[1] and sum(steps) == 10 * gan.epochs
    assert gan.decision_function(x[:5]).shape == (5,)


def test_context():
    random = np.random.default_rng(0)
    context = random.uniform(-1, 1, size=(4000, 1))
    x = 3 * context + 0.3 * random.normal(size=(4000, 1))
    gan = GAN(hidden=(24,), latent=2, epochs=40, batch_size=400, learning_rate=5e-3, penalty=0.5).fit(x, context)
    low, high = (gan.sample(context=np.full((2000, 1), c), seed=1).mean() for c in (-0.5, 0.5))
    assert high - low == pytest.approx(3.0, abs=0.7)


def test_meta_device():
    with torch.device("meta"):
        pair, x = AdversarialPair(3, latent=2, context=1), torch.zeros(5, 3)
        assert pair.critic_turn(x, torch.zeros(5, 1), "wasserstein", 1.0).shape == (5,)
        assert pair.generator_turn(x, torch.zeros(5, 1)).shape == (5,)


@pytest.mark.parametrize(
    ("options", "given", "match"),
    [
        ({"loss": "least squares"}, {}, "loss"),
        ({"critic_steps": 0}, {}, "critic_steps"),
        ({"penalty": -1.0}, {}, "penalty"),
        ({}, {"x": np.full((50, 2), np.nan)}, "x"),
        ({}, {"context": np.ones((3, 1))}, "context"),
        ({}, {"sample_weight": -np.ones(50)}, "sample_weight"),
    ],
)
def test_bad_input(options, given, match):
    with pytest.raises(ValueError, match=match):
        GAN(epochs=1, **options).fit(**{"x": np.random.default_rng(0).normal(size=(50, 2)), **given})
