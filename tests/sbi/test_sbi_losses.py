"""Losses of simulation-based inference: their minimum on an exact discrete simulator, and MadMiner's functions."""

from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest
import torch

from hepml_labs.sbi import losses

P = 2


class Discrete:
    """A simulator with 5 values of x and 4 of z: p(x, z|theta) as a table, with its gradient in theta."""

    def __init__(self, seed=0):
        generator = torch.Generator().manual_seed(seed)
        table = torch.rand(3, 5, 4, generator=generator, dtype=torch.float64) + 0.1
        slopes = torch.randn(P, 5, 4, generator=generator, dtype=torch.float64)
        self.numerator, self.reference = table[0] / table[0].sum(), table[1] / table[1].sum()
        self.gradient = slopes - slopes.mean(dim=(1, 2), keepdim=True)  # keeps the norm
        self.joint_log_ratio = (self.numerator / self.reference).log()
        self.joint_score = self.gradient / self.numerator  # (P, 5, 4)
        self.log_ratio = (self.numerator.sum(1) / self.reference.sum(1)).log()
        self.score = (self.gradient.sum(2) / self.numerator.sum(1)).T  # (5, P)

    def expectation(self, loss, log_ratio, score):
        """Expected loss of a network with output log_ratio (5,) and score (5, P): a sum over all x, z and labels."""
        total = 0.0
        for label, density in ((1.0, self.numerator), (0.0, self.reference)):
            for x in range(5):
                for z in range(4):
                    value = loss(
                        log_ratio[x, None], torch.full((1,), label, dtype=torch.float64),
                        self.joint_log_ratio[x, z, None], score[x, None], self.joint_score[:, x, z][None], 0.7,
                    )  # fmt: skip
                    total = total + 0.5 * density[x, z] * value
        return total


@pytest.mark.parametrize("name", losses.LOSSES)
def test_minimum_is_the_likelihood_ratio_and_the_score(name):
    simulator, loss = Discrete(), losses.LOSSES[name]
    log_ratio = simulator.log_ratio.clone().requires_grad_()
    score = simulator.score.clone().requires_grad_()
    at_truth = simulator.expectation(loss, log_ratio, score)
    gradients = torch.autograd.grad(at_truth, (log_ratio, score), allow_unused=True)
    assert gradients[0].abs().max() < 1e-12
    if name in losses.SCORE_TERM:
        assert gradients[1].abs().max() < 1e-12
    else:
        assert gradients[1] is None
    # a minimum: convex along the coordinates, and any other function costs more
    generator = torch.Generator().manual_seed(1)
    for size in (0.01, 0.3):
        for _ in range(3):
            shift = size * torch.randn(5, 1 + P, generator=generator, dtype=torch.float64)
            moved = simulator.expectation(loss, simulator.log_ratio + shift[:, 0], simulator.score + shift[:, 1:])
            assert moved > at_truth
    # the joint ratio itself, averaged in the wrong way, is not the minimum
    wrong = (simulator.joint_log_ratio * simulator.numerator).sum(1) / simulator.numerator.sum(1)
    assert simulator.expectation(loss, wrong, simulator.score) > at_truth


def test_minimum_of_sally_and_scandal():
    simulator = Discrete(1)
    score = simulator.score.clone().requires_grad_()
    log_density = simulator.numerator.sum(1).log().requires_grad_()

    def expectation(loss):
        return sum(
            simulator.numerator[x, z] * loss(x, simulator.joint_score[:, x, z][None])
            for x in range(5)
            for z in range(4)
        )

    sally = expectation(lambda x, true: losses.sally(score[x, None], true))
    assert torch.autograd.grad(sally, score)[0].abs().max() < 1e-12

    def normalised(x, true):  # densities: the softmax of free numbers
        return losses.scandal(log_density.log_softmax(0)[x, None], score[x, None], true, alpha=0.3)

    gradients = torch.autograd.grad(expectation(normalised), (log_density, score))
    assert max(gradient.abs().max() for gradient in gradients) < 1e-12


def tensors(n=200):
    generator = torch.Generator().manual_seed(5)
    log_ratio, joint = 3 * torch.randn(2, n, generator=generator)
    label = (torch.rand(n, generator=generator) < 0.5).float()
    score, joint_score = torch.randn(2, n, P, generator=generator)
    return log_ratio, label, joint, score, joint_score


def madminer_losses():
    """MadMiner's module of losses alone: importing the whole package takes seconds."""
    package = find_spec("madminer")
    if package is None:
        pytest.skip("madminer is not installed")
    path = Path(package.origin).parent / "utils" / "ml" / "losses.py"
    spec = spec_from_file_location("madminer_losses", path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_values_are_those_of_madminer():
    theirs = madminer_losses()
    f, y, j, t, t_xz = tensors()
    arguments = None, f[:, None], t, None, 1 - y[:, None], torch.exp(j)[:, None], t_xz, None  # labels the other way
    score = theirs.ratio_score_mse_num(*arguments)
    base = {"carl": theirs.ratio_xe, "alice": theirs.ratio_augmented_xe, "rolr": theirs.ratio_mse}
    for name, with_score in {"carl": "cascal", "alice": "alices", "rolr": "rascal"}.items():
        expected = base[name](*arguments)
        assert losses.LOSSES[name](f, y, j).item() == pytest.approx(expected.item(), rel=1e-5)
        found = losses.LOSSES[with_score](f, y, j, t, t_xz, alpha=0.3).item()
        assert found == pytest.approx((expected + 0.3 * score).item(), rel=1e-5)
    assert losses.sally(t, t_xz).item() == pytest.approx(theirs.local_score_mse(t, t_xz).item())
    expected = theirs.flow_nll(f, t, t_xz) + 2.0 * theirs.flow_score_mse(f, t, t_xz)
    assert losses.scandal(f, t, t_xz, alpha=2.0).item() == pytest.approx(expected.item())


def test_variance_of_the_gradient_falls_with_gold():
    """At the truth the gradient of ALICE fluctuates less than that of CARL: the label has been averaged over."""
    simulator = Discrete()
    spread = {}
    for name in ("carl", "alice"):
        squares = 0.0
        for label, density in ((1.0, simulator.numerator), (0.0, simulator.reference)):
            f = simulator.log_ratio[:, None].expand(5, 4).flatten().clone().requires_grad_()
            y = torch.full_like(f, label)
            value = losses.LOSSES[name](f, y, simulator.joint_log_ratio.flatten())
            squares += 0.5 * (density.flatten() * (20 * torch.autograd.grad(value, f)[0]).square()).sum()
        spread[name] = float(squares)
    assert spread["alice"] < 0.5 * spread["carl"]


def test_extreme_values_stay_finite():
    f = torch.tensor([-1e4, 1e4], requires_grad=True)
    for loss in losses.LOSSES.values():
        value = loss(f, torch.tensor([1.0, 0.0]), -f.detach(), torch.zeros(2, 1), torch.zeros(2, 1))
        assert torch.isfinite(value)
        assert torch.isfinite(torch.autograd.grad(value, f)[0]).all()


def test_bad_input():
    f, y, j, t, t_xz = tensors(4)
    for message, call in {
        "label: found shape": lambda: losses.carl(f, y[:, None]),
        "joint_log_ratio: found None": lambda: losses.alice(f, y),
        "score: found None": lambda: losses.alices(f, y, j),
        "joint_score: found None": lambda: losses.cascal(f, y, j, t),
        "joint_score: found shape": lambda: losses.rascal(f, y, j, t, t_xz[:, :1]),
        "log_ratio: found shape": lambda: losses.rolr(f[:, None], y, j),
        "score: found shape": lambda: losses.sally(t[0], t_xz[0]),
        "log_density: found shape": lambda: losses.scandal(f[:2], t, t_xz),
    }.items():
        with pytest.raises(ValueError, match=message):
            call()
    assert np.isclose(float(losses.alice(f.double(), y.double(), j.double())), float(losses.alice(f, y, j)), rtol=1e-5)
