"""Observables for quark and gluon jets: closed forms, special cases of each other, and invariants."""

import numpy as np
import pytest

from hepml_labs.datasets import load
from hepml_labs.physics.fragmentation import (
    angularity,
    charged_energy_share,
    fragmentation_entropy,
    species_entropy,
)
from hepml_labs.physics.kinematics import pt
from hepml_labs.physics.substructure import (
    energy_correlations,
    multiplicity,
    pair_correlation,
    pt_dispersion,
    width,
)

DATA = load("quark_gluon", split="validation", n=120)
JETS, PID = DATA["constituents"].astype(np.float64), DATA["pid"]
SHARES = pt(JETS) / pt(JETS).sum(axis=1, keepdims=True)


def equal_particles(k, padding=2):
    """One jet of k particles of equal momentum, then zeros."""
    angle = np.linspace(-0.2, 0.2, k)
    particles = 10 * np.stack([np.ones(k), np.cos(angle), np.sin(angle), np.zeros(k)], axis=-1)
    return np.concatenate([particles, np.zeros((padding, 4))])[None]


def test_angularities_hold_the_known_observables():
    np.testing.assert_allclose(angularity(JETS, 0, 0), multiplicity(JETS))
    np.testing.assert_allclose(angularity(JETS, 1, 0), 1)
    np.testing.assert_allclose(angularity(JETS, 2, 0), pt_dispersion(JETS) ** 2)
    np.testing.assert_allclose(angularity(JETS, 1, 1), width(JETS))


@pytest.mark.parametrize("beta", [0.2, 1.0])
def test_pair_correlation_is_that_of_two_particles(beta):
    np.testing.assert_allclose(pair_correlation(JETS, beta), energy_correlations(JETS, beta)[0], rtol=1e-12)


def test_pair_correlation_of_small_exponent_is_the_dispersion():
    # equal directions have distance zero, whose small power is not one, hence the tolerance
    np.testing.assert_allclose(pair_correlation(JETS, 1e-4), (1 - pt_dispersion(JETS) ** 2) / 2, rtol=2e-3)


@pytest.mark.parametrize("k", [1, 2, 7])
def test_entropies_of_equal_shares(k):
    np.testing.assert_allclose(fragmentation_entropy(equal_particles(k)), np.log(k), atol=1e-12)
    species = np.concatenate([np.repeat(np.arange(1, k + 1), 3), [0, 0]])[None]
    np.testing.assert_allclose(species_entropy(species), np.log(k), atol=1e-12)


def test_entropies_by_hand():
    np.testing.assert_allclose(fragmentation_entropy(JETS[:1])[0], -sum(z * np.log(z) for z in SHARES[0] if z > 0))
    kinds, counts = np.unique(PID[0][PID[0] != 0], return_counts=True)
    assert len(kinds) > 3
    shares = counts / counts.sum()
    np.testing.assert_allclose(species_entropy(PID[:1])[0], -(shares * np.log(shares)).sum())


def test_entropy_is_bounded_by_dispersion_and_number():
    # Renyi entropies fall with their order: log n (order 0), Shannon's (order 1), -2 log pTD (order 2)
    entropy = fragmentation_entropy(JETS)
    assert (entropy <= np.log(multiplicity(JETS))).all()
    assert (entropy >= -2 * np.log(pt_dispersion(JETS))).all()


def test_charged_energy():
    charged = np.isin(np.abs(PID), [211, 321, 2212, 11, 13])
    by_hand = [jet[c, 0].sum() / jet[:, 0].sum() for jet, c in zip(JETS, charged, strict=True)]
    np.testing.assert_allclose(charged_energy_share(JETS, PID), by_hand)
    assert charged_energy_share(JETS, PID).mean() == pytest.approx(0.62, abs=0.04)  # isospin alone would give 2/3
    np.testing.assert_allclose(charged_energy_share(JETS, np.where(PID != 0, 22, 0)), 0)


OBSERVABLES = {
    "C": lambda jets, pid: pair_correlation(jets, 0.2),
    "angularity": lambda jets, pid: angularity(jets, 2, 1),
    "S_frag": lambda jets, pid: fragmentation_entropy(jets),
    "S_PID": lambda jets, pid: species_entropy(pid),
    "E_Q": charged_energy_share,
}


@pytest.mark.parametrize("name", OBSERVABLES)
def test_order_padding_and_rotation_do_not_matter(name):
    observable = OBSERVABLES[name]
    random = np.random.default_rng(3)
    expected = observable(JETS, PID)
    order = random.permutation(JETS.shape[1])
    np.testing.assert_allclose(observable(JETS[:, order], PID[:, order]), expected, rtol=1e-9)
    padded = np.pad(JETS, ((0, 0), (0, 7), (0, 0))), np.pad(PID, ((0, 0), (0, 7)))
    np.testing.assert_allclose(observable(*padded), expected, rtol=1e-12)
    turn = np.eye(4)
    turn[1:3, 1:3] = [[np.cos(2), -np.sin(2)], [np.sin(2), np.cos(2)]]
    np.testing.assert_allclose(observable(JETS @ turn.T, PID), expected, rtol=1e-9)


@pytest.mark.parametrize("name", OBSERVABLES)
def test_empty_jets_are_named(name):
    jets, pid = JETS.copy(), PID.copy()
    jets[1], pid[1] = 0, 0
    with pytest.raises(ValueError, match="1 empty jets"):
        OBSERVABLES[name](jets, pid)


def test_bad_arguments():
    for call in (
        lambda: pair_correlation(JETS, beta=0.0),
        lambda: angularity(JETS, kappa=-1.0),
        lambda: charged_energy_share(JETS, PID[:, :5]),
        lambda: species_entropy(PID[0]),
    ):
        with pytest.raises(ValueError, match=r"beta|kappa|pid|species"):
            call()
