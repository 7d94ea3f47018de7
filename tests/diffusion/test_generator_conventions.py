"""What all generators of the chapter promise: tensors are welcome, the caller's random numbers are left alone."""

import numpy as np
import pytest
import torch

from hepml_labs.diffusion.ddpm import Diffusion
from hepml_labs.diffusion.flow_matching import FlowMatching
from hepml_labs.diffusion.gan import GAN
from hepml_labs.diffusion.jet_generator import JetGenerator
from hepml_labs.diffusion.schedules import CosineSchedule
from hepml_labs.diffusion.sde import sample_ode, sample_sde
from hepml_labs.diffusion.steps import sample_ddim
from hepml_labs.diffusion.vae import VAE
from hepml_labs.physics.jet_radiation import JetRadiation

X = np.random.default_rng(1).normal([100.0, 0.0], [10.0, 0.1], size=(400, 2))


@pytest.mark.parametrize(
    ("estimator", "methods"),
    [
        (FlowMatching, ["score_samples"]),
        (VAE, ["score_samples", "encode"]),
        (GAN, ["decision_function"]),
        (Diffusion, []),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_tables_may_be_tensors_and_the_global_generator_stays(estimator, methods):
    state = torch.random.get_rng_state()
    model = estimator(hidden=(8,), epochs=1).fit(torch.tensor(X))
    assert torch.equal(state, torch.random.get_rng_state())
    assert model.sample(3).shape == (3, 2)
    for method in methods:
        first, second = (getattr(model, method)(x) for x in (torch.tensor(X[:5]), X[:5]))
        np.testing.assert_array_equal(first, second)


def test_jets_leave_the_global_generator_alone():
    state = torch.random.get_rng_state()
    JetGenerator(width=8, components=2, epochs=1).fit(JetRadiation(0.5).sample(200, seed=1))
    assert torch.equal(state, torch.random.get_rng_state())


@pytest.mark.parametrize("sampler", [sample_ode, sample_sde, sample_ddim])
@pytest.mark.parametrize("times", [[0.5], [0.5, 0.2]])
def test_times_of_a_sampler_rise(sampler, times):
    with pytest.raises(ValueError, match="times: found"):
        sampler(lambda x, t: (x, x), CosineSchedule(), torch.zeros(2, 2), torch.tensor(times))
