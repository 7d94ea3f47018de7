import pytest
import torch
from torch import nn

from hepml_labs.nn import Ensemble, Standardizer


def _build():
    scaler = Standardizer(torch.rand(3), torch.rand(3) + 0.5)
    return nn.Sequential(scaler, nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))


def test_members_keep_their_buffers_and_can_be_taken_out():
    ensemble = Ensemble(_build, members=3, seed=5)
    x = torch.randn(7, 3, generator=torch.Generator().manual_seed(1))
    together = ensemble(x)
    for m in range(3):
        torch.manual_seed(5 + m)
        torch.testing.assert_close(together[m], _build()(x))
        alone = ensemble.member(m)
        torch.testing.assert_close(together[m], alone(x))
        assert all(parameter.requires_grad for parameter in alone.parameters())
    with torch.no_grad():
        alone[1].weight.zero_()
    torch.testing.assert_close(ensemble(x), together)  # a member is a copy
    assert ensemble.double().member(0)(x.double()).dtype == torch.float64


def test_each_member_can_see_data_of_its_own():
    ensemble = Ensemble(_build, members=3)
    x = torch.randn(3, 7, 3, generator=torch.Generator().manual_seed(2))
    own = ensemble(x, own_inputs=True)
    for m in range(3):
        torch.testing.assert_close(own[m], ensemble.member(m)(x[m]))


def test_mode_and_random_numbers_reach_the_members():
    ensemble = Ensemble(lambda: nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5)), members=2)
    x = torch.ones(50, 2)
    first, second = ensemble(x)
    assert not torch.equal(first == 0, second == 0)
    ensemble.eval()
    assert torch.equal(ensemble(x), ensemble(x)) and not ensemble.member(0).training


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="members"):
        Ensemble(_build, members=0)
