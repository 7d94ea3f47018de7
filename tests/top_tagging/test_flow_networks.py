"""Particle-flow and energy-flow networks: against deep sets and plain loops, order, padding, safety, closed forms."""

import numpy as np
import pytest
import torch

from hepml_labs.datasets import load
from hepml_labs.nn import DeepSets
from hepml_labs.physics.kinematics import mass, pt
from hepml_labs.top_tagging.augmentation import turned
from hepml_labs.top_tagging.energy_flow import EnergyFlowNetwork
from hepml_labs.top_tagging.inputs import momentum_shares, particle_features, real_particles, relative_angles
from hepml_labs.top_tagging.particle_flow import ParticleFlowNetwork
from hepml_labs.top_tagging.safety import add_soft, collinear_split


def particle_flow(momenta):
    features, _, mask = particle_features(momenta)
    return features, mask


def energy_flow(momenta):
    return momentum_shares(momenta), relative_angles(momenta), real_particles(momenta)


NETWORKS = {
    "particle flow": (lambda **options: ParticleFlowNetwork(7, **options), particle_flow),
    "energy flow": (lambda **options: EnergyFlowNetwork(**options), energy_flow),
}
each = pytest.mark.parametrize("name", NETWORKS)


@pytest.fixture(scope="module")
def jets():
    data = load("top_tagging", split="validation", n=40)
    return torch.as_tensor(data["constituents"]).double()


def built(name, **options):
    torch.manual_seed(0)
    make, inputs = NETWORKS[name]
    network = make(**options).double().eval()
    # with the weights of the start all scores are alike; three times as large they differ from jet to jet
    with torch.no_grad():
        for parameter in network.f.parameters():
            parameter *= 3
    return network, inputs


def size(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_sizes_of_the_published_networks():
    assert size(ParticleFlowNetwork(3, outputs=2)) == 82_458
    assert size(EnergyFlowNetwork(outputs=2)) == 82_358


def test_particle_flow_against_deep_sets_with_the_same_weights(jets):
    network, inputs = built("particle flow", latent=16, hidden=(12,), head=(12,))
    features, mask = inputs(jets)
    peer = DeepSets(7, 1, latent=16, hidden=(12,), activation=torch.nn.ReLU).double()
    peer.phi.load_state_dict(network.phi[0].state_dict())
    peer.phi.append(torch.nn.ReLU())
    peer.f.load_state_dict(network.f.state_dict())
    with torch.no_grad():
        peer.f[0].weight /= network.typical
    torch.testing.assert_close(network(features, mask), peer(features, mask), rtol=1e-12, atol=1e-12)


def test_energy_flow_against_a_loop_over_particles(jets):
    network, inputs = built("energy flow", latent=8)
    shares, angles, mask = inputs(jets[:3])
    for jet in range(3):
        total = sum(z * network.filters(angle) for z, angle in zip(shares[jet], angles[jet], strict=True))
        torch.testing.assert_close(network.f(total), network(shares, angles, mask)[jet], rtol=1e-12, atol=1e-12)


def test_energy_flow_can_be_the_jet_mass():
    """For small angles (m / pT)^2 = sum z theta^2 - (sum z theta)^2: three observables, and a function of them."""
    random = torch.Generator().manual_seed(1)
    share = torch.rand(5, 7, generator=random, dtype=torch.float64)
    share = share / share.sum(1, keepdim=True)
    angles = 1e-3 * torch.randn(5, 7, 2, generator=random, dtype=torch.float64)
    eta, phi = angles.unbind(-1)
    momenta = (share * 500)[..., None] * torch.stack([eta.cosh(), phi.cos(), phi.sin(), eta.sinh()], dim=-1)

    class Mass(EnergyFlowNetwork):
        def filters(self, angles):
            return torch.cat([angles, (angles**2).sum(-1, keepdim=True)], dim=-1)

    sums = Mass(latent=3).observables(share, angles, torch.ones(5, 7, dtype=torch.bool))
    found = (sums[:, 2] - sums[:, 0] ** 2 - sums[:, 1] ** 2).sqrt() * 500
    torch.testing.assert_close(found, mass(momenta.sum(1)), rtol=1e-4, atol=0)


@each
def test_order_does_not_matter(jets, name):
    network, inputs = built(name)
    order = torch.randperm(jets.shape[1], generator=torch.Generator().manual_seed(2))
    expected = network(*inputs(jets))
    assert expected.std() > 0.01
    torch.testing.assert_close(network(*inputs(jets[:, order])), expected, rtol=0, atol=1e-12)


@each
def test_padding_does_not_matter_even_if_it_is_not_a_number(jets, name):
    network, inputs = built(name)
    *tensors, mask = inputs(jets)
    expected = network(*tensors, mask)
    spoiled = [tensor.clone() for tensor in tensors]
    for tensor in spoiled:
        tensor[~mask] = torch.nan
    longer = [torch.nn.functional.pad(tensor, (0, 0) * (tensor.ndim - 2) + (3, 5)) for tensor in (*spoiled, mask)]
    found = network(*longer)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-13)
    found.sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())


@each
def test_gradients_reach_every_parameter(jets, name):
    network, inputs = built(name)
    network.train()
    network(*inputs(jets)).sum().backward()
    assert all((parameter.grad != 0).any() for parameter in network.parameters())


@each
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_types_and_outputs(jets, name, dtype):
    make, inputs = NETWORKS[name]
    found = make(outputs=3).to(dtype)(*inputs(jets.to(dtype)))
    assert (found.shape, found.dtype) == ((40, 3), dtype)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@each
def test_on_a_gpu(jets, name):
    network, inputs = built(name)
    expected = network(*inputs(jets))
    found = network.cuda()(*(tensor.cuda() for tensor in inputs(jets)))
    torch.testing.assert_close(found.cpu(), expected, rtol=0, atol=1e-10)


def test_energy_flow_is_collinear_safe(jets):
    network, inputs = built("energy flow")
    expected = network(*inputs(jets))
    for splittings in (1, 30):
        found = network(*inputs(collinear_split(jets, splittings, seed=3)))
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    single, expected = network.float(), expected.float()
    found = single(*inputs(collinear_split(jets.float(), 30, seed=3)))
    torch.testing.assert_close(found, expected, rtol=0, atol=3e-5)


def test_energy_flow_is_infrared_safe(jets):
    """The change falls in proportion to the momentum that was added."""
    network, inputs = built("energy flow")
    expected = network(*inputs(jets))
    shares = 10.0 ** -np.arange(3, 9)
    changes = [
        (network(*inputs(add_soft(jets, 5, share=share, seed=4))) - expected).abs().max().item() for share in shares
    ]
    assert changes[0] > 1e-4
    np.testing.assert_allclose(changes[2:] / shares[2:], changes[-1] / shares[-1], rtol=0.05)
    torch.testing.assert_close(network(*inputs(add_soft(jets, 5, share=1e-14))), expected, rtol=0, atol=1e-11)


def test_particle_flow_is_neither(jets):
    network, inputs = built("particle flow")
    expected = network(*inputs(jets))
    for changed in (collinear_split(jets), add_soft(jets, share=1e-6)):
        change = (network(*inputs(changed)) - expected).abs()
        assert change.median() > 0.01 * expected.std()


@pytest.mark.parametrize(
    "call, name",
    [
        (lambda: ParticleFlowNetwork(7, latent=0), "latent"),
        (lambda: ParticleFlowNetwork(7, typical=0.0), "typical"),
        (lambda: ParticleFlowNetwork(0), "inputs"),
        (lambda: ParticleFlowNetwork(7)(torch.zeros(2, 3, 6), torch.ones(2, 3, dtype=torch.bool)), "features"),
        (lambda: ParticleFlowNetwork(7)(torch.zeros(2, 3, 7), torch.ones(2, 4, dtype=torch.bool)), "mask"),
        (lambda: ParticleFlowNetwork(7)(torch.zeros(2, 3, 7), torch.zeros(2, 3, dtype=torch.bool)), "mask"),
        (lambda: EnergyFlowNetwork(latent=1.5), "latent"),
        (lambda: EnergyFlowNetwork(angle=-1.0), "angle"),
        (lambda: EnergyFlowNetwork()(torch.ones(2, 3), torch.ones(2, 3, 3), torch.ones(2, 3, dtype=bool)), "angles"),
        (lambda: EnergyFlowNetwork()(torch.ones(2, 4), torch.ones(2, 3, 2), torch.ones(2, 3, dtype=bool)), "shares"),
        (lambda: EnergyFlowNetwork()(torch.ones(2, 3), torch.ones(2, 3, 2), torch.ones(2, 3)), "mask"),
    ],
)
def test_bad_input_is_named(call, name):
    with pytest.raises(ValueError, match=f"^{name}: found"):
        call()


def test_shares_and_transverse_momentum_of_a_jet(jets):
    shares, angles, mask = energy_flow(jets)
    torch.testing.assert_close(shares.sum(1), torch.ones(len(jets)).double())
    torch.testing.assert_close(shares * pt(jets).sum(1, keepdim=True), pt(jets))
    assert (shares[~mask] == 0).all() and (angles[~mask] == 0).all()


def test_turned_jets_are_the_same_jets_in_all_directions():
    torch.manual_seed(3)
    angles = torch.randn(1, 4, 2, dtype=torch.float64).expand(20_000, 4, 2)
    found = turned(angles)
    torch.testing.assert_close(torch.cdist(found, found), torch.cdist(angles, angles), rtol=0, atol=1e-7)
    # evenly over the circle, and half of them reflected
    direction = torch.atan2(found[:, 0, 1], found[:, 0, 0])
    assert abs(direction.cos().mean()) < 0.03 and abs(direction.sin().mean()) < 0.03
    (a, b), (x, y) = found[:, :2].unbind(1), angles[0, :2]
    same = torch.sign(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) == torch.sign(x[0] * y[1] - x[1] * y[0])
    assert abs(same.double().mean() - 0.5) < 0.02
    with pytest.raises(ValueError, match="^angles: found"):
        turned(angles[..., :1])
