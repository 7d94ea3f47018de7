"""Splittings and soft particles made by hand: what they must keep, and what they must change."""

import numpy as np
import pytest
import torch

from hepml_labs.datasets import load
from hepml_labs.physics.kinematics import delta_r, mass, pt
from hepml_labs.physics.substructure import multiplicity, pt_dispersion, width
from hepml_labs.top_tagging.safety import add_soft, collinear_split


@pytest.fixture(scope="module")
def jets():
    return torch.as_tensor(load("top_tagging", split="validation", n=60)["constituents"]).double()


def test_splitting_keeps_the_jet_and_adds_particles(jets):
    split = collinear_split(jets, 7, seed=1)
    torch.testing.assert_close(split.sum(1), jets.sum(1), rtol=1e-12, atol=1e-9)
    np.testing.assert_array_equal(multiplicity(split.numpy()), multiplicity(jets.numpy()) + 7)
    np.testing.assert_allclose(width(split.numpy()), width(jets.numpy()), rtol=1e-10)
    assert (pt_dispersion(split.numpy()) < pt_dispersion(jets.numpy())).all()


def test_the_two_halves_are_parallel_and_share_the_momentum_evenly(jets):
    split = collinear_split(jets)
    new, changed = split[:, -1], (split[:, :-1] != jets).any(-1)
    assert (changed.sum(1) == 1).all()
    old, parent = split[:, :-1][changed], jets[changed]
    torch.testing.assert_close(old + new, parent, rtol=1e-12, atol=0)
    for half in (old, new):
        torch.testing.assert_close(half / half[:, :1], parent / parent[:, :1], rtol=1e-10, atol=1e-12)
    fraction = (old[:, 0] / parent[:, 0]).numpy()
    assert 0 < fraction.min() and fraction.max() < 1
    assert abs(fraction.mean() - 0.5) < 4 * np.sqrt(1 / 12 / len(jets))


def test_any_particle_may_be_split_but_no_padding():
    jet = torch.zeros(3000, 4, 4)
    jet[:, [0, 2, 3]] = torch.tensor([5.0, 3.0, 4.0, 0.0])
    count = (collinear_split(jet)[:, :4] != jet).any(-1).sum(0)
    assert count[1] == 0
    assert ((count[[0, 2, 3]] - 1000).abs() < 4 * np.sqrt(3000 * 2 / 9)).all()


def test_soft_particles_are_massless_soft_and_in_the_jet(jets):
    soft = add_soft(jets, 40, share=1e-3, radius=0.8)[:, jets.shape[1] :]
    axis = jets.sum(1, keepdim=True)
    assert mass(soft).max() < 1e-6
    torch.testing.assert_close(pt(soft), (1e-3 * pt(axis)).expand(-1, 40))
    distance = delta_r(soft, axis)
    assert distance.max() < 0.8
    # evenly over the disc: the mean of the squared distance is half of the squared radius
    assert abs((distance**2).mean() / 0.32 - 1) < 4 * np.sqrt(1 / 3 / distance.numel())


def test_soft_directions_depend_on_the_seed_only(jets):
    first, second = (add_soft(jets, 2, share=share, seed=5)[:, -2:] for share in (1e-2, 1e-5))
    torch.testing.assert_close(first, 1e3 * second)
    assert not torch.allclose(add_soft(jets, 2, seed=6), add_soft(jets, 2, seed=5))


@pytest.mark.parametrize("change", [collinear_split, add_soft])
def test_the_input_is_left_alone_and_types_are_kept(jets, change):
    before = jets.clone()
    assert change(jets).dtype == torch.float64 and change(jets.float()).dtype == torch.float32
    torch.testing.assert_close(change(jets, seed=2), change(jets, seed=2), rtol=0, atol=0)
    assert (jets == before).all()


@pytest.mark.parametrize(
    "call, name",
    [
        (lambda jets: collinear_split(jets, 0), "splittings"),
        (lambda jets: collinear_split(jets[..., :3]), "momenta"),
        (lambda jets: collinear_split(0 * jets), "momenta"),
        (lambda jets: add_soft(jets, 0), "particles"),
        (lambda jets: add_soft(jets, share=0.0), "share"),
        (lambda jets: add_soft(jets, radius=-1.0), "radius"),
        (lambda jets: add_soft(jets * torch.nan), "momenta"),
    ],
)
def test_bad_input_is_named(jets, call, name):
    with pytest.raises(ValueError, match=f"^{name}: found"):
        call(jets)
