import math

import numpy as np
import pytest
import torch
from torch import nn

from hepml_labs.nn import MLP, bootstrap_counts
from hepml_labs.regression.ensembles import GaussianEnsemble, ensemble_nll, kernel_repulsion, repulsive_loss
from hepml_labs.regression.losses import gaussian_nll
from hepml_labs.training import fit


def _build():
    return MLP(3, 2, hidden=(8, 8))


def _two():
    return GaussianEnsemble(_build, members=2)


def _data(n, seed=1):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 3, generator=generator)
    return x, x[:, 0] - x[:, 1] ** 2 + 0.1 * torch.randn(n, generator=generator)


def test_members_equal_networks_trained_alone():
    """Same start, same batches: the vectorised training is the separate trainings, member by member."""
    x, target = _data(64)
    ensemble = GaussianEnsemble(_build, members=3, seed=10)
    options = dict(epochs=5, batch_size=16, learning_rate=0.01, seed=4, progress=False)
    fit(ensemble, ensemble_nll, (x, target), **options)
    together = ensemble(x)
    for member in range(3):
        torch.manual_seed(10 + member)
        network = _build()
        fit(network, lambda model, x, y: gaussian_nll(*model(x).unbind(-1), y), (x, target), **options)
        torch.testing.assert_close(together[member], network(x), rtol=1e-3, atol=1e-4)
    assert not torch.allclose(together[0], together[1], atol=0.01)


def test_a_column_of_targets_and_of_weights_for_each_member():
    x, target = _data(20)
    ensemble = GaussianEnsemble(_build, members=2)
    columns = torch.stack([target, target + 1], dim=1)
    weight = bootstrap_counts(20, 2, seed=3)
    mean, log_sigma = ensemble(x).unbind(-1)
    expected = 0.0
    for m in range(2):
        # repeating a point is what its weight means
        index = torch.repeat_interleave(torch.arange(20), weight[:, m].long())
        expected += gaussian_nll(mean[m, index], log_sigma[m, index], columns[index, m])
    torch.testing.assert_close(ensemble_nll(ensemble, x, columns, weight), expected)
    torch.testing.assert_close(
        ensemble_nll(ensemble, x, target), ensemble_nll(ensemble, x, target[:, None].repeat(1, 2))
    )


def test_bootstrap_of_straight_lines_gives_their_known_error_and_shared_data_none():
    """Least squares has one optimum: members that share their data agree, bootstrapped ones spread by the error."""
    n, members, sigma = 400, 300, 0.5
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(n, 1, generator=generator, dtype=torch.float64)
    target = 2 * x[:, 0] + 1 + sigma * torch.randn(n, generator=generator).double()
    design = torch.cat([x, torch.ones(n, 1)], dim=1)
    grid = torch.tensor([[-1.0, 1.0], [0.0, 1.0], [2.0, 1.0]]).double()
    error = (sigma**2 * (grid @ torch.linalg.inv(design.T @ design) * grid).sum(1)).sqrt()

    def spread(weight):
        ensemble = GaussianEnsemble(lambda: nn.Linear(1, 2).double(), members)
        with torch.no_grad():  # sigma fixed at one: the likelihood is least squares
            ensemble.stacked["weight"][:, 1] = 0
            ensemble.stacked["bias"][:, 1] = 0

        def loss(model, x, target, weight):
            output = model(x).clone()
            return 0.5 * (weight.T * (output[..., 0] - target) ** 2).mean(1).sum()

        optimizer = torch.optim.LBFGS(ensemble.parameters(), lr=1, max_iter=100, line_search_fn="strong_wolfe")

        def closure():
            optimizer.zero_grad()
            value = loss(ensemble, x, target, weight)
            value.backward()
            return value

        optimizer.step(closure)
        return ensemble.predict_distribution(grid[:, :1])[2]

    assert (spread(torch.ones(n, members).double()) < 0.02 * error).all()
    bootstrapped = spread(bootstrap_counts(n, members, seed=6).double())
    torch.testing.assert_close(bootstrapped, error, rtol=0.2, atol=0)


def test_repulsive_force_of_two_members_is_the_formula_by_hand():
    """With two members h = |d|^2 / log 2, so k = 1/2 and the force on the first is (2/3) log 2 d / |d|^2."""
    f = torch.tensor([[0.3, -1.0, 2.0], [1.1, 0.5, -0.4]], dtype=torch.float64, requires_grad=True)
    kernel_repulsion(f).backward()
    difference = (f[0] - f[1]).detach()
    force = 2 / 3 * math.log(2) * difference / (difference**2).sum()
    torch.testing.assert_close(-f.grad[0], force)
    torch.testing.assert_close(-f.grad[1], -force)


def test_repulsive_force_of_many_members_is_minus_the_gradient_of_the_log_density_estimate():
    generator = torch.Generator().manual_seed(7)
    f = torch.randn(5, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    kernel_repulsion(f).backward()
    fixed = f.detach()
    width = torch.pdist(fixed).square().median() / math.log(5)
    for i in range(5):
        point = fixed[i].clone().requires_grad_()
        density = torch.exp(-((point - fixed) ** 2).sum(1) / width).sum()
        density.log().backward()
        torch.testing.assert_close(f.grad[i], point.grad)


def test_two_repelled_lines_settle_where_force_and_likelihood_balance():
    """Constant functions c_i under unit noise: equilibrium n (c_1 - c_2)^2 = (4/3) log 2 repulsion sigma^2."""
    n, target = 50, torch.zeros(50, dtype=torch.float64)
    x = torch.zeros(n, 1, dtype=torch.float64)
    for repulsion in (1.0, 4.0):
        ensemble = GaussianEnsemble(lambda: nn.Linear(1, 2).double(), members=2)
        with torch.no_grad():
            ensemble.stacked["weight"].zero_()
            ensemble.stacked["bias"].copy_(torch.tensor([[0.5, 0.0], [-0.4, 0.0]]))
        for _ in range(200):
            loss = repulsive_loss(ensemble, x, target, train_size=n, repulsion=repulsion, prior_sigma=1e6)
            (gradient,) = torch.autograd.grad(loss, ensemble.stacked["bias"])
            with torch.no_grad():
                ensemble.stacked["bias"][:, 0] -= 0.3 * gradient[:, 0]  # sigma stays at one
        first, second = ensemble.stacked["bias"][:, 0].tolist()
        assert n * (first - second) ** 2 == pytest.approx(4 / 3 * math.log(2) * repulsion, rel=1e-3)


def test_repulsive_loss_adds_the_prior_and_without_force_is_an_ensemble():
    x, target = _data(16)
    ensemble = GaussianEnsemble(_build, members=3)
    squares = sum((p**2).sum() for p in ensemble.parameters())
    plain = ensemble_nll(ensemble, x, target)
    found = repulsive_loss(ensemble, x, target, train_size=100, repulsion=0.0, prior_sigma=0.5)
    torch.testing.assert_close(found, plain + squares / (2 * 100 * 0.25))
    found = repulsive_loss(ensemble, x, target, train_size=100, repulsion=2.0, prior_sigma=0.5)
    torch.testing.assert_close(found, plain + squares / (2 * 100 * 0.25) + 2.0 * 3 / 100)


def test_prediction_is_the_law_of_total_variance():
    ensemble = GaussianEnsemble(_build, members=4)
    x, _ = _data(5)
    mean, sigma_syst, sigma_stat = ensemble.predict_distribution(x)
    means, sigmas = ensemble(x)[..., 0].detach().numpy(), ensemble(x)[..., 1].exp().detach().numpy()
    np.testing.assert_allclose(mean, means.mean(0), rtol=1e-5)
    np.testing.assert_allclose(sigma_syst, np.sqrt((sigmas**2).mean(0)), rtol=1e-5)
    np.testing.assert_allclose(sigma_stat, means.std(0, ddof=1), rtol=1e-4)
    assert (GaussianEnsemble(_build, members=1).predict_distribution(x)[2] == 0).all()


def test_state_dict_round_trip_and_gradients():
    x, target = _data(12)
    ensemble, other = GaussianEnsemble(_build, 3, seed=1), GaussianEnsemble(_build, 3, seed=2)
    other.load_state_dict(ensemble.state_dict())
    assert torch.equal(ensemble(x), other(x))
    repulsive_loss(ensemble, x, target, 12).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in ensemble.parameters())
    assert sum(p.numel() for p in ensemble.parameters()) == 3 * sum(p.numel() for p in _build().parameters())


def test_runs_on_the_meta_device():
    ensemble = GaussianEnsemble(_build, 3).to("meta")
    x, target = torch.zeros(5, 3, device="meta"), torch.zeros(5, device="meta")
    assert ensemble(x).device.type == "meta"
    assert repulsive_loss(ensemble, x, target, 10).device.type == "meta"


def test_building_leaves_the_callers_random_numbers_alone():
    state = torch.random.get_rng_state()
    GaussianEnsemble(_build, 3)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("members", lambda: GaussianEnsemble(_build, 0)),
        ("n", lambda: bootstrap_counts(0, 2)),
        ("members", lambda: bootstrap_counts(5, 0)),
        ("target", lambda: ensemble_nll(_two(), torch.zeros(4, 3), torch.zeros(4, 1))),
        (
            "weight",
            lambda: ensemble_nll(_two(), torch.zeros(4, 3), torch.zeros(4), torch.ones(4, 3)),
        ),
        ("x", lambda: _two().predict_distribution(torch.zeros(4))),
        ("x", lambda: _two().predict_distribution(torch.zeros(4, 5))),
        ("x", lambda: _two().predict_distribution(torch.full((4, 3), torch.nan))),
        ("functions", lambda: kernel_repulsion(torch.zeros(1, 4))),
        ("train_size", lambda: repulsive_loss(_two(), torch.zeros(4, 3), torch.zeros(4), 0)),
        (
            "repulsion",
            lambda: repulsive_loss(_two(), torch.zeros(4, 3), torch.zeros(4), 9, repulsion=-1),
        ),
        (
            "prior_sigma",
            lambda: repulsive_loss(_two(), torch.zeros(4, 3), torch.zeros(4), 9, 1.0, 0.0),
        ),
    ],
)
def test_bad_input_is_named(name, call):
    with pytest.raises(ValueError, match=name):
        call()
