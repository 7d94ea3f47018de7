"""Everything that trains a flow also runs on a GPU, and gives there what it gives on a CPU."""

import numpy as np
import pytest
import torch

from hepml_labs.flows.autoregressive import autoregressive_flow
from hepml_labs.flows.bayesian import BayesianFlow
from hepml_labs.flows.contours import Contour, train_contour
from hepml_labs.flows.coupling import coupling_flow
from hepml_labs.flows.elementwise import RationalQuadraticSpline
from hepml_labs.flows.estimator import FlowEstimator
from hepml_labs.flows.madnis import MadNIS
from hepml_labs.flows.morphing import FlowMorphing
from hepml_labs.flows.one_loop import triangle
from hepml_labs.flows.optimal_transport import OptimalTransport

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

X = np.random.default_rng(0).normal(size=(2000, 3)) @ np.array([[1, 0.5, 0], [0, 1, 0.3], [0, 0, 1]])
C = X[:, :1] + np.random.default_rng(1).normal(size=(2000, 1))
SHORT = {"epochs": 3, "batch_size": 200}


@pytest.mark.parametrize("tails", ["linear", "circular"])
@pytest.mark.parametrize("make", [coupling_flow, autoregressive_flow])
def test_densities_and_draws_are_those_of_the_cpu(make, tails):
    flow = make(3, context=1, layers=4, elementwise=RationalQuadraticSpline(tails=tails)).double()
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, dtype=torch.float64))
    x, c, z = (torch.tensor(a[:100]) for a in (X, C, X))
    expected, drawn = flow(x, c), flow.transform.inverse(z, c)[0]
    flow = flow.cuda()
    assert torch.allclose(flow(x.cuda(), c.cuda()).cpu(), expected, atol=1e-9)
    assert torch.allclose(flow.transform.inverse(z.cuda(), c.cuda())[0].cpu(), drawn, atol=1e-8)
    assert flow.sample(100, c.cuda(), generator=1).is_cuda


def test_estimators_train_there_and_give_arrays():
    density = FlowEstimator(layers=2, **SHORT).fit(X, C)
    assert next(density.flow.parameters()).is_cuda
    assert np.isfinite(density.score_samples(X, C)).all()
    z = density.transform(X, C)
    assert np.allclose(density.inverse_transform(z, C), X, atol=1e-3)
    assert density.sample(context=C, seed=1).shape == X.shape
    morphing = FlowMorphing(layers=2, **SHORT).fit(X, X + 0.5, C, C)
    assert np.isfinite(morphing.transform(X, C)).all()
    carrier = OptimalTransport(hidden=(8,), steps=5).fit(X[:, :2], X[:, :2] + 0.5)
    assert np.isfinite(carrier.transform(X[:, :2])).all()


def test_a_posterior_over_flows():
    model = BayesianFlow(coupling_flow(3, layers=2)).cuda()
    log_probs = model.posterior_log_prob(torch.tensor(X[:50]).float().cuda(), draws=3, seed=0)
    assert log_probs.is_cuda and log_probs.shape == (3, 50)
    assert model.kl().is_cuda
    assert model.posterior_sample(20, draws=2, seed=0).shape == (2, 20, 3)


def test_integrators():
    with torch.device("cuda"):
        integrator = MadNIS(lambda x: 4 * x.prod(1), features=2)
    found = integrator.train(20, batch_size=512).integrate(20_000)
    assert abs(found.value - 1) < 5 * found.error
    with torch.device("cuda"):
        contour = Contour.with_flow(triangle(20.0, 1.0))
        train_contour(contour, steps=3)
