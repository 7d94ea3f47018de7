"""JetGPT: causality and normalisation exactly, and a shower with a known density."""

import numpy as np
import pytest
import torch
from scipy.stats import kstest, norm, vonmises

from hepml_labs.diffusion.jet_coordinates import JetRepresentation
from hepml_labs.diffusion.jet_generator import JetGenerator
from hepml_labs.diffusion.jet_gpt import JetGPT
from hepml_labs.diffusion.mixture_chain import MixtureChain
from hepml_labs.physics.jet_radiation import JetRadiation, count_jets


def network(hard=0, minimum_jets=0, **options):
    """A network with weights far from their start."""
    torch.manual_seed(1)
    made = JetGPT(hard, minimum_jets, width=16, components=3, **options).double()
    for parameter in made.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    return made


def events(n=40, rows=4, hard=0, seed=0):
    random = torch.Generator().manual_seed(seed)
    number = torch.randint(hard, rows + 1, (n, 1), generator=random)
    mask = torch.arange(rows) < number
    return torch.randn(n, rows, 3, generator=random).double() * mask[..., None], mask


@pytest.mark.parametrize("options", [{}, {"hard": 1}, {"positions": 6}])
def test_later_jets_do_not_change_earlier_conditionals(options):
    x, _ = events()
    model = network(**options)
    changed = x.clone()
    changed[:, 2:] += 5.0
    before, after = model.encode(x), model.encode(changed)
    torch.testing.assert_close(before[:, :3], after[:, :3], rtol=0, atol=0)
    assert (before[:, 3:] != after[:, 3:]).any(-1).all()


@pytest.mark.parametrize("hard", [0, 1])
def test_padding_is_never_seen(hard):
    x, mask = events(hard=hard)
    model = network(hard)
    filled = torch.where(mask[..., None], x, torch.randn_like(x))
    longer = torch.cat([filled, torch.randn(len(x), 3, 3).double()], 1)
    wider = torch.nn.functional.pad(mask, (0, 3))
    torch.testing.assert_close(model.log_prob(longer, wider), model.log_prob(x, mask), rtol=1e-12, atol=1e-12)


def test_each_mixture_is_normalised():
    torch.manual_seed(2)
    chain = MixtureChain(5, components=4).double()
    context = torch.randn(1, 5).double()
    line, circle = torch.linspace(-60, 60, 6001).double(), torch.linspace(-np.pi, np.pi, 401).double()
    for parameter in chain.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    # the last coordinates integrated out one after the other, at fixed values of the ones before
    for j, grid in ((0, line), (1, line), (2, circle)):
        x = torch.full((len(grid), 3), 0.3).double()
        x[:, j] = grid
        one = MixtureChain.log_prob(_first(chain, j + 1), x, context.expand(len(grid), -1))
        before = MixtureChain.log_prob(_first(chain, j), x, context.expand(len(grid), -1)) if j else 0.0
        assert torch.trapezoid((one - before).exp(), grid).item() == pytest.approx(1, abs=1e-6)


def _first(chain, coordinates):
    """The same chain for its first coordinates only."""
    shorter = MixtureChain.__new__(MixtureChain)
    torch.nn.Module.__init__(shorter)
    shorter.circular, shorter.networks = chain.circular[:coordinates], chain.networks
    return shorter


def test_stopping_is_normalised_over_the_numbers_of_jets():
    """Given the jets, the probabilities to stop after 0, 1, 2 of them and to go on beyond sum to one."""
    x, _ = events(rows=3)
    model = network()
    every = torch.ones(len(x), 3, dtype=torch.bool)
    kinematics = model.kinematics.log_prob(x, model.encode(x)[:, :-1])
    total = 0.0
    for k in range(4):
        open_end = torch.full((len(x),), k == 3)
        stop = model.log_prob(x, every & (torch.arange(3) < k), open_end)
        total = total + (stop - kinematics[:, :k].sum(1)).exp()
    torch.testing.assert_close(total, torch.ones_like(total))


def test_samples_follow_the_density():
    """E[q(x) / p(x)] = 1 for x from p, for the density q of another network; and each decision by itself."""
    model, other = network(hard=1, minimum_jets=1), network(hard=1, minimum_jets=1)
    for parameter in other.parameters():
        parameter.data += 0.005 * torch.randn_like(parameter)
    for each in (model, other):
        each.split[-1].bias.data -= 2.0  # short events
    x, mask = model.sample(2000, torch.zeros(1).double(), seed=3, maximum=20)
    ratio = (other.log_prob(x, mask) - model.log_prob(x, mask)).exp().detach().numpy()
    assert 0.02 < ratio.std() < 1
    assert abs(ratio.mean() - 1) < 4 * ratio.std() / np.sqrt(len(ratio))
    assert mask[:, :2].all() and not (x[~mask] != 0).any()
    go_on = model.split(model.encode(x))[..., 0].sigmoid().detach().numpy()
    for k in (2, 3):  # rows so far
        at_risk = mask[:, k - 1].numpy()
        p, went_on = go_on[at_risk, k], mask[at_risk, k].numpy()
        assert abs(went_on.mean() - p.mean()) < 4 * np.sqrt((p * (1 - p)).sum()) / len(p)


def test_each_mixture_is_sampled():
    """The cumulative distribution of each coordinate, from scipy, is uniform over the samples."""
    torch.manual_seed(4)
    chain = MixtureChain(3, components=3).double()
    for parameter in chain.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    context = torch.randn(20_000, 3).double()
    x = chain.sample(context, np.random.default_rng(4))
    for j, angle in enumerate(chain.circular):
        log_weight, mean, log_scale = (part.detach().numpy() for part in chain.parameters_of(j, x, context))
        value, scale = x[:, j, None].numpy(), np.exp(log_scale)
        if angle:
            below = vonmises.cdf(value, scale, mean) - vonmises.cdf(-np.pi, scale, mean)
        else:
            below = norm.cdf(value, mean, scale)
        assert kstest((np.exp(log_weight) * below).sum(axis=1), "uniform").pvalue > 1e-4


def test_gradient_reaches_all_weights_and_meta_device():
    x, mask = events(n=200, hard=1)
    model = network(hard=1, positions=8)
    model.log_prob(x, mask, torch.arange(200) % 2 == 0).sum().backward()
    for name, parameter in model.named_parameters():
        gradient = parameter.grad[:5] if name == "places" else parameter.grad
        assert gradient.isfinite().all() and (gradient != 0).any(), name
    with torch.device("meta"):
        model = JetGPT(hard=1)
        assert model.log_prob(torch.randn(5, 4, 3), torch.ones(5, 4, dtype=torch.bool)).shape == (5,)


def test_representation_round_trip_and_jacobian():
    random = np.random.default_rng(5)
    shower = JetRadiation(0.6, 0.2)
    jets = shower.sample(300, seed=5, maximum=20)
    hard = np.column_stack([random.exponential(50, 300), random.normal(size=300), random.uniform(-3.1, 3.1, 300)])
    x = np.concatenate([hard[:, None], jets], axis=1)
    representation = JetRepresentation(1, 20.0, 320.0, 4.0)
    latent, _ = representation.forward(x)
    back = representation.inverse(latent, x[..., 0] > 0)
    assert np.abs(back - x)[x[..., 0] > 0].max() < 1e-6
    full = np.flatnonzero(count_jets(x) >= 3)[:5]
    for event in full:
        rows = x[event, :3]

        def flat(values):
            made = np.concatenate([values.reshape(1, 3, 3), np.zeros((1, 1, 3))], axis=1)
            return representation.forward(made)[0][0, :3].ravel()

        step = 1e-5
        jacobian = [(flat(rows.ravel() + d) - flat(rows.ravel() - d)) / (2 * step) for d in step * np.eye(9)]
        expected = representation.forward(np.pad(rows, ((0, 1), (0, 0)))[None])[1][0]
        assert np.linalg.slogdet(jacobian)[1] == pytest.approx(expected, abs=1e-4)


@pytest.fixture(scope="module")
def trained():
    """Poisson emissions, of which the network sees the first three of each event."""
    shower = JetRadiation(0.5)
    options = {"maximum_pt": 320.0, "maximum_rapidity": 4.0, "width": 16, "components": 3}
    x = shower.sample(8000, seed=1)
    return shower, JetGenerator(largest=3, epochs=8, batch_size=400, learning_rate=1e-2, **options).fit(x)


def test_density_of_independent_emissions(trained):
    shower, generator = trained
    x = shower.sample(6000, seed=2)
    x = x[count_jets(x) <= 2]
    difference = shower.log_prob(x) - generator.score_samples(x)
    assert abs(difference.mean()) < 0.06
    assert generator.score_samples(x.astype(np.float32)).dtype == np.float32


def test_more_jets_than_it_was_trained_on(trained):
    shower, generator = trained
    sample = generator.sample(20_000, seed=3)
    assert (np.diff(sample[..., 0], axis=1) <= 0).all() and (sample[sample[..., 0] > 0] >= [20, -4, -np.pi]).all()
    found = np.bincount(count_jets(sample), minlength=13) / len(sample)
    np.testing.assert_allclose(found[:3], shower.multiplicity(np.arange(3)), atol=0.045)
    assert found[4:].sum() == pytest.approx(1 - shower.multiplicity(np.arange(4)).sum(), rel=0.4)
    np.testing.assert_array_equal(generator.sample(50, seed=7), generator.sample(50, seed=7))


def test_bad_input(trained):
    _, generator = trained
    x = np.zeros((2, 2, 3))
    x[:, 0, 0], x[:, 1, 0] = 40.0, 60.0
    with pytest.raises(ValueError, match="x: found jets out of order"):
        generator.score_samples(x)
    x[:, 1] = 0.0
    x[:, 0, 1] = 4.5
    with pytest.raises(ValueError, match="beyond a rapidity"):
        generator.score_samples(x)
    with pytest.raises(ValueError, match="found an event of 1 jets"):
        JetGenerator(minimum_jets=2).fit(x)
    with pytest.raises(ValueError, match="hard ones"):
        JetRepresentation(hard=2).forward(x)
    with pytest.raises(ValueError, match="sample_weight"):
        JetGenerator().fit(x, sample_weight=np.array([-1.0, 0.5]))
