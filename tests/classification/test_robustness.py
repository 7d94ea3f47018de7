"""Attacks against the closed form of a linear classifier, the divergence against torch, and varied jets."""

import numpy as np
import pytest
import torch

from hepml_labs.classification.losses import binary_cross_entropy
from hepml_labs.classification.robustness import (
    adversarial_loss,
    bernoulli_divergence,
    fast_gradient_sign,
    normed_gradient,
    vary_constituents,
)
from hepml_labs.nn import MLP
from hepml_labs.physics.kinematics import mass, pt
from hepml_labs.training import fit

WEIGHT = torch.tensor([[2.0, -1.0, 0.5]])


@pytest.fixture
def linear():
    model = torch.nn.Linear(3, 1)
    model.weight.data, model.bias.data = WEIGHT.clone(), torch.tensor([0.3])
    return model


@pytest.fixture
def events():
    torch.manual_seed(1)
    return torch.randn(20, 3), (torch.arange(20) % 2).float()


def test_linear_classifier(linear, events):
    """The log-odds w x + b of a signal are lowered, those of a background raised, by eps |w|_1 or eps |w|_2."""
    x, label = events
    direction = (1 - 2 * label)[:, None]
    assert torch.allclose(fast_gradient_sign(linear, x, label, 0.1), x + 0.1 * direction * WEIGHT.sign())
    assert torch.allclose(normed_gradient(linear, x, label, 0.1), x + 0.1 * direction * WEIGHT / WEIGHT.norm())
    change = (linear(normed_gradient(linear, x, label, 0.1)) - linear(x))[:, 0]
    assert torch.allclose(change, 0.1 * direction[:, 0] * WEIGHT.norm(), atol=1e-6)


@pytest.mark.parametrize("attack", [fast_gradient_sign, normed_gradient])
def test_attack_of_a_network(attack, events):
    x, label = events
    torch.manual_seed(0)
    model = MLP(3, 1)
    model(x).sum().backward()
    before = [parameter.grad.clone() for parameter in model.parameters()]
    attacked = attack(model, x, label, 0.01)
    assert not attacked.requires_grad and not x.requires_grad
    for parameter, gradient in zip(model.parameters(), before, strict=True):
        assert torch.equal(parameter.grad, gradient)
    for one in range(20):  # no event knows of the others
        alone = attack(model, x[one : one + 1], label[one : one + 1], 0.01)
        assert torch.allclose(alone[0], attacked[one], atol=1e-6)

    def losses(inputs):
        return [float(binary_cross_entropy(model(inputs[i])[None, 0], label[i, None])) for i in range(20)]

    nominal, harmed = np.array(losses(x)), np.array(losses(attacked))
    assert (harmed > nominal).all()
    torch.manual_seed(2)
    for _ in range(20):  # nothing else within reach does more harm, to first order
        step = torch.randn(20, 3)
        step = step.sign() if attack is fast_gradient_sign else step / step.norm(dim=1, keepdim=True)
        assert (np.array(losses(x + 0.01 * step)) <= harmed + 1e-5).all()
    assert torch.equal(attack(model, x, label, 0.0), x)


def test_length_of_the_step(events):
    x, label = events
    torch.manual_seed(0)
    step = normed_gradient(MLP(3, 1), x, label, 0.3) - x
    assert torch.allclose(step.norm(dim=1), torch.full((20,), 0.3), atol=1e-5)
    flat = torch.nn.Linear(3, 1)
    torch.nn.init.zeros_(flat.weight)
    assert torch.equal(normed_gradient(flat, x, label, 0.3), x)


def test_divergence_equals_torch():
    torch.manual_seed(0)
    p, q = 3 * torch.randn(2, 50, dtype=torch.float64)
    bernoulli = torch.distributions.Bernoulli
    expected = torch.distributions.kl_divergence(bernoulli(logits=p), bernoulli(logits=q))
    assert torch.allclose(bernoulli_divergence(p, q), expected, atol=1e-12)
    far = bernoulli_divergence(torch.tensor([200.0]), torch.tensor([-200.0]))
    assert float(far) == pytest.approx(200, rel=1e-3)


def test_loss(events):
    x, label = events
    torch.manual_seed(0)
    model = MLP(3, 1)
    nominal = model(x).squeeze(-1)
    assert float(adversarial_loss(0.0, 3.0)(model, x, label)) == pytest.approx(
        float(binary_cross_entropy(nominal, label)), rel=1e-6
    )
    attacked = model(normed_gradient(model, x, label, 0.2)).squeeze(-1)
    expected = binary_cross_entropy(attacked, label) + 3 * bernoulli_divergence(nominal, attacked).mean()
    assert float(adversarial_loss(0.2, 3.0)(model, x, label)) == pytest.approx(float(expected), rel=1e-6)


def test_training_against_attacks_helps_against_attacks():
    random = np.random.default_rng(1)
    label = torch.tensor(np.arange(4000) % 2).float()
    # one strong feature and twenty weak ones, which together tempt the classifier and are cheap to attack
    shift = torch.tensor([1.0] + 20 * [0.2])
    x = torch.tensor(random.normal(size=(4000, 21))).float() + label[:, None] * shift
    harm = {}
    losses = {"plain": adversarial_loss(0.0, 0.0), "trained": adversarial_loss(0.3, 2.0, fast_gradient_sign)}
    for name, loss in losses.items():
        torch.manual_seed(0)
        model = MLP(21, 1, hidden=(16,))
        fit(model, loss, (x[:3000], label[:3000]), epochs=6, learning_rate=5e-3, progress=False)
        inputs, truth = x[3000:], label[3000:]
        attacked = fast_gradient_sign(model, inputs, truth, 0.3)
        harm[name] = [float(binary_cross_entropy(model(v).squeeze(-1), truth)) for v in (inputs, attacked)]
    assert harm["trained"][1] < harm["plain"][1]
    assert harm["trained"][1] - harm["trained"][0] < 0.7 * (harm["plain"][1] - harm["plain"][0])


def jets(n=200, seed=0):
    random = np.random.default_rng(seed)
    momenta = random.normal(size=(n, 12, 3)) * 5 + np.array([40.0, 0, 0])
    constituents = np.concatenate([np.linalg.norm(momenta, axis=-1, keepdims=True), momenta], axis=-1)
    constituents[:, 9:] = 0
    return constituents


def test_common_scale_scales_the_mass():
    nominal = jets()
    assert mass(vary_constituents(nominal, scale=1.03).sum(axis=1)) == pytest.approx(1.03 * mass(nominal.sum(axis=1)))
    assert np.array_equal(vary_constituents(nominal), nominal)
    assert vary_constituents(nominal.astype(np.float32), scale=1.1, resolution=0.1).dtype == np.float32


def test_smearing_keeps_the_mean_and_the_directions():
    nominal = jets(3000)
    varied = vary_constituents(nominal, resolution=0.2, seed=1)
    ratio = varied[:, :9, 0] / nominal[:, :9, 0]
    assert ratio.mean() == pytest.approx(1, abs=0.01)
    assert np.log(ratio).std() == pytest.approx(0.2, abs=0.01)
    assert varied[:, :9, 1:] / varied[:, :9, :1] == pytest.approx(nominal[:, :9, 1:] / nominal[:, :9, :1])
    assert np.array_equal(varied, vary_constituents(nominal, resolution=0.2, seed=1))


def test_lost_constituents():
    nominal = jets(3000)
    varied = vary_constituents(nominal, efficiency=0.8)
    kept = (varied[:, :9, 0] > 0).mean()
    assert kept == pytest.approx((8 * 0.8 + 1) / 9, abs=0.01)  # the leading one always
    assert ((varied == nominal) | (varied == 0)).all()
    cut = vary_constituents(nominal, threshold=40.0)
    assert (pt(cut).max(axis=1) == pt(nominal).max(axis=1)).all()
    assert ((pt(cut) >= 40) | (pt(cut) == 0) | (pt(cut) == pt(cut).max(axis=1, keepdims=True))).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: vary_constituents(np.zeros((2, 3))), "constituents"),
        (lambda: vary_constituents(jets(), scale=0.0), "scale"),
        (lambda: vary_constituents(jets(), efficiency=1.5), "efficiency"),
        (lambda: vary_constituents(jets(), resolution=-0.1), "resolution"),
        (lambda: adversarial_loss(-0.1, 1.0), "size"),
        (lambda: adversarial_loss(0.1, -1.0), "strength"),
        (lambda: normed_gradient(torch.nn.Linear(2, 1), torch.zeros(3, 2), torch.zeros(3), -1.0), "size"),
        (lambda: normed_gradient(torch.nn.Linear(2, 1), torch.zeros(3, 2), torch.zeros(4), 1.0), "x: found shape"),
        (lambda: bernoulli_divergence(torch.zeros(3), torch.zeros(4)), "other_log_odds"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
