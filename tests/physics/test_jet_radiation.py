"""The toy shower: its density and its multiplicities in closed form."""

import numpy as np
import pytest
from scipy.stats import kstest

from hepml_labs.physics.jet_radiation import JetRadiation, count_jets

POISSON, STAIRCASE, BETWEEN = JetRadiation(0.5), JetRadiation(0.3, 0.3), JetRadiation(0.4, 0.1)


def test_poisson_and_staircase_ratios():
    n = np.arange(8)
    poisson, staircase = POISSON.multiplicity(n), STAIRCASE.multiplicity(n)
    nbar = 0.5 * np.log(16)
    np.testing.assert_allclose(poisson[1:] / poisson[:-1], nbar / (n[:-1] + 1))
    np.testing.assert_allclose(staircase[1:] / staircase[:-1], 1 - np.exp(-0.3 * np.log(16)))


@pytest.mark.parametrize("shower", [POISSON, STAIRCASE, BETWEEN])
def test_sampled_multiplicities(shower):
    number = count_jets(shower.sample(40_000, seed=1, maximum=25))
    expected = shower.multiplicity(np.arange(6))
    found = np.bincount(number, minlength=6)[:6] / len(number)
    error = np.sqrt(expected * (1 - expected) / len(number))
    assert (np.abs(found - expected) < 4 * error).all()


@pytest.mark.parametrize("shower", [POISSON, STAIRCASE])
def test_density_integrates_to_the_multiplicity(shower):
    """For n jets, the mean of density / proposal over ordered, flat jets is P(n)."""
    random = np.random.default_rng(2)
    for n in (1, 2, 3):
        fraction = np.sort(random.random((20_000, n)), axis=1)[:, ::-1]
        pt = 20.0 * 16.0**fraction
        y, phi = random.uniform(-4, 4, (20_000, n)), random.uniform(-np.pi, np.pi, (20_000, n))
        log_proposal = np.log(np.arange(1, n + 1)).sum() - np.log(pt * np.log(16) * 8 * 2 * np.pi).sum(1)
        weight = np.exp(shower.log_prob(np.stack([pt, y, phi], -1)) - log_proposal)
        assert abs(weight.mean() - shower.multiplicity(n)) < 4 * weight.std() / np.sqrt(len(weight)) + 1e-9


def test_samples_follow_the_density():
    """E[p2(x) / p1(x)] = 1 for x from p1: another shower's density, which has the same support."""
    jets = STAIRCASE.sample(20_000, seed=3, maximum=25)
    ratio = np.exp(BETWEEN.log_prob(jets) - STAIRCASE.log_prob(jets))
    assert abs(ratio.mean() - 1) < 4 * ratio.std() / np.sqrt(len(ratio))
    one = POISSON.sample(20_000, seed=4)
    first = np.log(one[one[:, 0, 0] > 0, 0, 0] / 20.0)
    # first emission: exponential below the hard scale, given that there is one
    cumulative = np.expm1(0.5 * first) / np.expm1(0.5 * np.log(16))
    assert kstest(cumulative, "uniform").pvalue > 1e-4


def test_impossible_events_and_bad_input():
    event = np.zeros((1, 3, 3))
    event[0, :2, 0] = 50.0, 60.0
    assert STAIRCASE.log_prob(event)[0] == -np.inf
    event[0, :3, 0] = 50.0, 0.0, 30.0
    with pytest.raises(ValueError, match="jets: found a jet after a row of zeros"):
        count_jets(event)
    with pytest.raises(ValueError, match="primary"):
        JetRadiation(0.0)
    with pytest.raises(ValueError, match="minimum_pt"):
        JetRadiation(0.5, minimum_pt=400.0)
