"""Amplitude regression: preprocessing, invariants, and the symmetries that the networks promise."""

from itertools import permutations

import numpy as np
import pytest
import torch

from hepml_labs.datasets.gluons import generate
from hepml_labs.nn import MLP, Standardizer
from hepml_labs.physics.kinematics import boost, rotate
from hepml_labs.regression import amplitudes
from hepml_labs.regression.amplitudes import (
    InvariantSets,
    canonical_order,
    log_invariants,
    log_standardize,
    pairwise_invariants,
    sum_over_partners,
    undo_log_standardize,
)
from hepml_labs.training import fit, predict


@pytest.fixture(scope="module")
def events():
    columns = generate(2600, seed=5, outgoing=3)
    return {name: torch.from_numpy(values) for name, values in columns.items()}


@pytest.fixture
def momenta(events):
    return events["momenta"][:50]


def lorentz(momenta):
    return rotate(boost(momenta, [0.3, -0.2, 0.5]), [1.0, 2.0, -0.5], 0.8)


def exchanged(momenta):
    return momenta[:, [1, 0, 3, 4, 2]]


def test_log_standardize_and_back(events):
    amplitude = events["amplitude"]
    mean, width = amplitude.log().mean().item(), amplitude.log().std().item()
    z = log_standardize(amplitude, mean, width)
    assert abs(z.mean()) < 1e-12 and z.std() == pytest.approx(1)
    torch.testing.assert_close(undo_log_standardize(z, mean, width), amplitude)
    # a small error of z is a relative error of A, width times as large
    shifted = undo_log_standardize(z + 1e-4, mean, width)
    torch.testing.assert_close(shifted / amplitude - 1, torch.full_like(z, 1e-4 * width), rtol=1e-3, atol=0)


def test_invariants_of_crossed_momenta_sum_to_zero_for_each_gluon(momenta):
    # sum_j s_ij = 2 p_i.(sum_j p_j) - 0 = 0, because all outgoing momenta add up to zero
    each = sum_over_partners(pairwise_invariants(momenta)[..., None], 5)
    assert each.abs().max() < 1e-6 * 1e6


def test_invariants_do_not_change_with_the_frame_and_know_crossing(momenta):
    torch.testing.assert_close(
        pairwise_invariants(lorentz(momenta)), pairwise_invariants(momenta), rtol=1e-8, atol=1e-6
    )
    s = pairwise_invariants(momenta)
    assert (s[:, 0] > 0).all() and (s[:, 1:7] < 0).all() and (s[:, 7:] > 0).all()
    features = log_invariants(momenta)
    assert (features[:, 0] == 0).all() and (features[:, 1:] < 0).all()
    torch.testing.assert_close(log_invariants(3 * momenta), features)  # no unit


def test_numpy_and_torch_agree(momenta):
    np.testing.assert_allclose(pairwise_invariants(momenta.numpy()), pairwise_invariants(momenta).numpy())
    assert pairwise_invariants(momenta.float()).dtype == torch.float32


def test_sum_over_partners_against_a_loop():
    pairs = torch.randn(3, 10, 2, dtype=torch.float64)
    expected, k = torch.zeros(3, 5, 2, dtype=torch.float64), 0
    for i in range(5):
        for j in range(i + 1, 5):
            expected[:, i] += pairs[:, k]
            expected[:, j] += pairs[:, k]
            k += 1
    torch.testing.assert_close(sum_over_partners(pairs, 5), expected)


def test_canonical_order_is_one_for_all_permutations_and_frames(momenta):
    expected = log_invariants(canonical_order(momenta))
    for order in permutations((2, 3, 4)):
        for incoming in ((0, 1), (1, 0)):
            found = log_invariants(canonical_order(lorentz(momenta[:, [*incoming, *order]])))
            torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-7)
    assert not torch.allclose(log_invariants(momenta), expected)
    energies = canonical_order(momenta)[:, 2:, 0]
    assert (energies.diff(dim=1) <= 0).all()


def test_deep_sets_do_not_see_frame_or_order(momenta):
    torch.manual_seed(0)
    network = InvariantSets(5).double()
    value = network(log_invariants(momenta))
    torch.testing.assert_close(network(log_invariants(lorentz(exchanged(momenta)))), value, rtol=1e-7, atol=1e-9)
    assert value.std() > 1e-4  # and it does see the event
    plain = MLP(10, 1).double()
    moved = plain(log_invariants(exchanged(momenta))) - plain(log_invariants(momenta))
    assert moved.std() > 1e-4  # a plain network does see the order


def test_deep_sets_see_which_pairs_share_a_gluon():
    # The same numbers dealt to other pairs are another event; a sum over all pairs alone could not tell.
    torch.manual_seed(0)
    network = InvariantSets(6).double()
    x = torch.randn(20, 15, dtype=torch.float64)
    dealt = x.clone()
    dealt[:, [10, 14]] = x[:, [14, 10]]  # only the pairs (2, 4) and (4, 5): no relabelling of gluons does this
    assert (network(dealt) - network(x)).abs().mean() > 0.05 * network(x).std()


def test_deep_sets_treat_incoming_gluons_by_crossing():
    torch.manual_seed(0)
    network = InvariantSets(6)
    assert network.crossing.flatten().tolist() == [1.0] + 8 * [-1.0] + 6 * [1.0]
    gradient = torch.autograd.grad(network(torch.randn(4, 15)).sum(), list(network.parameters()))
    assert all(part.abs().sum() > 0 for part in gradient)


def test_networks_learn_three_gluons_and_invariants_beat_raw_momenta(events):
    mean, width = events["amplitude"].log().mean().item(), events["amplitude"].log().std().item()
    z = log_standardize(events["amplitude"], mean, width).float()[:, None]

    def error(features, body, rate):
        x = features(events["momenta"]).float()
        torch.manual_seed(0)
        network = torch.nn.Sequential(Standardizer.fit(x), body())
        squared = lambda model, a, b: ((model(a) - b) ** 2).mean()  # noqa: E731
        fit(network, squared, (x[:2000], z[:2000]), epochs=12, batch_size=64, learning_rate=rate, progress=False)
        return ((predict(network, x[2000:]) - z[2000:]) ** 2).mean().item()

    raw = error(lambda p: p[:, 2:].flatten(1), lambda: MLP(12, 1), 5e-3)
    ordered = error(lambda p: log_invariants(canonical_order(p)), lambda: MLP(10, 1), 5e-3)
    assert ordered < 0.01 < raw / 5


def test_meta_device():
    with torch.device("meta"):
        assert InvariantSets(6)(torch.zeros(3, 15)).shape == (3, 1)


@pytest.mark.parametrize(
    "call, name",
    [
        (lambda p: pairwise_invariants(p[..., :3]), "momenta"),
        (lambda p: pairwise_invariants(p[:0]), "momenta"),
        (lambda p: log_invariants(p * float("nan")), "momenta"),
        (lambda p: canonical_order(p[0]), "momenta"),
        (lambda p: log_standardize(-p[:, 0, 0], 0.0, 1.0), "amplitude"),
        (lambda p: log_standardize(p[:, 0, 0], 0.0, 0.0), "width"),
        (lambda p: undo_log_standardize(p[:, 0, 0] * float("nan"), 0.0, 1.0), "z"),
        (lambda p: sum_over_partners(p, 5), "pairs"),
        (lambda p: InvariantSets(5)(torch.zeros(3, 15)), "x"),
        (lambda p: InvariantSets(5, hidden=0), "hidden"),
    ],
)
def test_bad_input_is_named(momenta, call, name):
    with pytest.raises(ValueError, match=f"^{name}: found"):
        call(momenta)


def test_everything_public_is_listed():
    assert all(getattr(amplitudes, name).__doc__ for name in amplitudes.__all__)
