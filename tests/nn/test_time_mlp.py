"""The network of x, t and context."""

import pytest
import torch

from hepml_labs.nn import TimeMLP


def test_every_input_counts_and_every_weight_gets_a_gradient():
    torch.manual_seed(0)
    network = TimeMLP(3, context=2, hidden=(16, 16))
    x, t, context = torch.randn(7, 3), torch.rand(7), torch.randn(7, 2)
    inputs = [value.requires_grad_() for value in (x, t, context)]
    network(*inputs).square().sum().backward()
    assert all((value.grad != 0).all() for value in inputs)
    assert all(parameter.grad.abs().sum() > 0 for parameter in network.parameters())
    alone = network(x[:1], t[:1], context[:1])
    torch.testing.assert_close(network(x, t, context)[:1], alone)


def test_no_two_times_of_the_unit_interval_look_alike():
    """With whole periods, 2 pi k t, the ends would be told apart by t alone."""
    network = TimeMLP(1, frequencies=3)
    phase = torch.linspace(0, 1, 201)[:, None] * network.angular
    seen = torch.cat([phase.cos(), phase.sin()], 1)
    nearest = torch.cdist(seen, seen) + 10 * torch.eye(201)
    assert nearest.min() > 0.01


@pytest.mark.parametrize("context", [0, 2])
def test_precision_and_meta_device(context):
    x, t = torch.zeros(4, 3, dtype=torch.float64), torch.zeros(4, dtype=torch.float64)
    given = torch.zeros(4, context, dtype=torch.float64) if context else None
    assert TimeMLP(3, context).double()(x, t, given).dtype == torch.float64
    with torch.device("meta"):
        network = TimeMLP(3, context)
    given = None if given is None else given.float().to("meta")
    assert network(x.float().to("meta"), t.float().to("meta"), given).is_meta


def test_bad_input():
    network = TimeMLP(3, context=1)
    x, t, context = torch.zeros(4, 3), torch.zeros(4), torch.zeros(4, 1)
    for arguments, name in [
        ((x[:, :2], t, context), "x"),
        ((x, t[:, None], context), "t"),
        ((x, t, None), "context"),
        ((x, t, context[:3]), "context"),
    ]:
        with pytest.raises(ValueError, match=f"^{name}: "):
            network(*arguments)
    with pytest.raises(ValueError, match="^context: "):
        TimeMLP(3)(x, t, context)
    with pytest.raises(ValueError, match="^frequencies: "):
        TimeMLP(3, frequencies=-1)
