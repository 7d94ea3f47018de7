"""Optimal transport: the Gaussian solution on paper, convexity by construction, learned maps against exact ones."""

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.optimize import linear_sum_assignment

from hepml_labs.flows.convex import ConvexNetwork, transport
from hepml_labs.flows.optimal_transport import OptimalTransport, gaussian_transport


def covariance(rng, size=3):
    root = rng.normal(size=(size, size))
    return root @ root.T + 0.1 * np.eye(size)


def test_gaussian_transport_is_symmetric_closes_and_costs_least():
    rng = np.random.default_rng(1)
    c0, c1, m0, m1 = covariance(rng), covariance(rng), rng.normal(size=3), rng.normal(size=3)
    best = gaussian_transport(m0, c0, m1, c1)
    np.testing.assert_allclose(best.matrix, best.matrix.T, atol=1e-12)
    assert np.linalg.eigvalsh(best.matrix).min() > 0
    np.testing.assert_allclose(best.matrix @ c0 @ best.matrix, c1, atol=1e-9)
    np.testing.assert_allclose(best.matrix @ m0 + best.offset, m1, atol=1e-12)

    def cost(matrix):
        moves = matrix - np.eye(3)
        return ((m1 - m0) ** 2).sum() + np.trace(moves @ c0 @ moves.T)

    assert best.cost == pytest.approx(cost(best.matrix), rel=1e-9)
    # every other linear map between the two is L1 R L0^-1 with an orthogonal R
    l0, l1 = np.linalg.cholesky(c0), np.linalg.cholesky(c1)
    others = [cost(l1 @ r @ np.linalg.inv(l0)) for r in stats.ortho_group(3, seed=2).rvs(300)]
    assert min(others) > best.cost and min(others) < 1.3 * best.cost


def test_gaussian_cost_is_that_of_the_best_assignment_of_points():
    rng = np.random.default_rng(2)
    c0, c1, m1 = np.diag([1.0, 0.3]), np.array([[1.0, 0.5], [0.5, 0.6]]), np.array([2.0, 1.0])
    x, y = rng.multivariate_normal([0, 0], c0, size=600), rng.multivariate_normal(m1, c1, size=600)
    squares = ((x[:, None] - y[None]) ** 2).sum(2)
    found = squares[linear_sum_assignment(squares)].mean()
    cost = gaussian_transport(x.mean(0), np.cov(x.T), y.mean(0), np.cov(y.T)).cost
    assert found == pytest.approx(cost, rel=0.02)


@pytest.mark.parametrize("context", [0, 2])
def test_network_is_convex_in_its_input_for_any_weights(context):
    torch.manual_seed(1)
    network = ConvexNetwork(3, context, hidden=(16, 8)).double()
    for scale in (0.0, 0.5, 2.0):
        with torch.no_grad():
            for parameter in network.parameters():
                parameter += scale * torch.randn_like(parameter)
            network.parabola.bias.fill_(-12)  # all that is left of the curvature is that of the layers
            for weight in network.positive:
                weight.normal_()
        for x in 0.3 * torch.randn(5, 3, dtype=torch.float64):
            given = torch.randn(1, context, dtype=torch.float64) if context else None
            hessian = torch.autograd.functional.hessian(lambda x, c=given: network(x[None], c)[0], x)
            assert torch.linalg.eigvalsh(hessian).min() > 0
    given = torch.randn(4, context, dtype=torch.float64) if context else None
    if context:  # the context is not constrained
        x, other = torch.randn(4, 3, dtype=torch.float64), given + 1
        assert not torch.allclose(transport(network, x, given), transport(network, x, other))


def test_network_starts_near_the_parabola_and_trains_every_weight():
    matrix = torch.tensor([[2.0, 0.5], [0.5, 1.0]])
    network = ConvexNetwork(2, 1, matrix=matrix)
    x, context = torch.randn(50, 2), torch.randn(50, 1)
    moved = transport(network, x, context)
    assert (moved - x @ matrix).abs().max() < 0.5
    (moved**2).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for name, p in network.named_parameters() if moves(name))
    with torch.device("meta"):
        assert ConvexNetwork(2, 1)(torch.empty(3, 2), torch.empty(3, 1)).shape == (3,)


def moves(name):
    """Say whether a weight can change the gradient in x at the start: all but those that multiply a zero."""
    return name.startswith(("gates", "direct", "bias", "positive", "parabola", "slope"))


def test_learned_map_in_one_dimension_is_the_quantile_map():
    rng = np.random.default_rng(3)
    source, target = rng.normal(size=(20_000, 1)), rng.gamma(3.0, size=(20_000, 1))
    learned = OptimalTransport(steps=150, inner=4, learning_rate=1e-2, seed=1).fit(source, target)
    x = np.linspace(-2, 2, 41)[:, None]
    exact = stats.gamma(3.0).ppf(stats.norm.cdf(x))
    moved = learned.transform(x)
    assert (np.diff(moved[:, 0]) > 0).all()
    assert np.abs(moved - exact).mean() < 0.2  # the Gaussian start is off by 0.33


def test_learned_conditional_map_between_gaussians():
    rng = np.random.default_rng(4)

    def exact(x, c):
        stretch = np.exp(0.5 * c)
        return np.hstack([x[:, :1] * stretch + c, x[:, 1:] / stretch])  # diagonal and positive: optimal

    c, c_target = rng.uniform(-1, 1, size=(2, 10_000, 1))
    x, y = rng.normal(size=(10_000, 2)), exact(rng.normal(size=(10_000, 2)), c_target)
    learned = OptimalTransport(hidden=(16,), steps=150, inner=2, learning_rate=1e-2).fit(x, y, c, c_target)
    error = np.sqrt(((learned.transform(x, c) - exact(x, c)) ** 2).sum(1).mean())
    assert error < 0.2  # without the context 0.75
    assert learned.transform(x.astype(np.float32), c).dtype == np.float32


def test_weights_draw_the_source():
    rng = np.random.default_rng(5)
    source = np.concatenate([rng.normal(size=(5000, 1)), rng.normal(50, 1, size=(5000, 1))])
    target = rng.normal(10, 1, size=(5000, 1))
    weight = np.repeat([1.0, 0.0], 5000)
    learned = OptimalTransport(steps=20, inner=1, seed=1).fit(source, target, source_weight=weight)
    assert learned.transform(source[:2000]).mean() == pytest.approx(10, abs=3)  # without weights -15


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda x: gaussian_transport(np.zeros(2), np.eye(2), np.zeros(3), np.eye(2)), "mean_1:"),
        (lambda x: gaussian_transport(np.zeros(2), np.eye(2), np.zeros(2), -np.eye(2)), "covariance_1:"),
        (lambda x: ConvexNetwork(0), "features:"),
        (lambda x: ConvexNetwork(2)(torch.zeros(5, 3)), "x:"),
        (lambda x: ConvexNetwork(2, 1)(torch.zeros(5, 2), torch.zeros(5, 2)), "context:"),
        (lambda x: OptimalTransport().fit(x, x[:, :1]), "target:"),
        (lambda x: OptimalTransport().fit(x, x * np.nan), "target:"),
        (lambda x: OptimalTransport().fit(x, x, x[:5], x), "source_context:"),
        (lambda x: OptimalTransport(steps=0).fit(x, x), "steps:"),
        (lambda x: OptimalTransport().fit(x, x, source_weight=-np.ones(len(x))), "source_weight:"),
    ],
)
def test_bad_input_is_named(call, argument):
    with pytest.raises(ValueError, match=f"^{argument}"):
        call(np.random.default_rng(0).normal(size=(100, 2)))
