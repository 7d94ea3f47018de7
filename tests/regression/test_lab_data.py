"""The toy detectors of the lab "Fits and losses": their densities and kinematics are known."""

import numpy as np
import pytest
import torch
from scipy import stats

from hepml_labs.physics.kinematics import mass
from hepml_labs.regression import hadron_response as hadrons
from hepml_labs.regression import w_decay
from hepml_labs.regression.preprocessing import mean_from_log


@pytest.mark.parametrize("pileup", [0.0, 0.1, 0.6])
@pytest.mark.parametrize("energy", [10.0, 300.0])
def test_density_is_normalised_and_has_the_right_mean(pileup, energy):
    grid = np.linspace(-2, 60, 400_001)
    density = np.exp(hadrons.log_density(np.full_like(grid, energy), grid, pileup))
    assert np.trapezoid(density, grid) == pytest.approx(1, abs=1e-6)
    mean = hadrons.mean_response(np.array([energy]))[0] + pileup * hadrons.PILEUP_ENERGY / energy
    assert np.trapezoid(density * grid, grid) == pytest.approx(mean, rel=1e-5)


@pytest.mark.parametrize("pileup", [0.0, 0.3])
def test_draws_follow_the_density(pileup):
    energy, response = hadrons.draw_hadrons(20_000, pileup, seed=1)
    assert 10 <= energy.min() and energy.max() <= 1000
    # Probability integral transform, from the closed form of the cumulative distributions.
    mean, sigma = hadrons.mean_response(energy), hadrons.resolution(energy)
    core = stats.norm.cdf(response, mean, sigma)
    shift = hadrons.PILEUP_ENERGY / energy
    tail = stats.exponnorm.cdf(response, shift / sigma, loc=mean, scale=sigma)
    assert stats.kstest((1 - pileup) * core + pileup * tail, "uniform").pvalue > 1e-3
    gain = hadrons.log_density(energy, response, pileup) - hadrons.log_density(energy, response, 0.2)
    assert gain.mean() > 0  # the true density beats another one


def test_beam_measurements_scatter_as_their_sigma():
    pulls = []
    for seed in range(200):
        energy, response, sigma = hadrons.beam_measurements(seed)
        pulls.append((response - hadrons.mean_response(energy)) / sigma)
    assert np.std(pulls) == pytest.approx(1, abs=0.06)


def test_same_seed_same_draws():
    for draw in (lambda s: hadrons.draw_hadrons(50, 0.2, s)[1], lambda s: w_decay.draw_w_decays(50, s)["delta_phi"]):
        assert np.array_equal(draw(3), draw(np.random.default_rng(3))) and not np.array_equal(draw(3), draw(4))


def massless(pt, eta, phi):
    return np.stack([pt * np.cosh(eta), pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)], axis=-1)


def test_both_rapidities_give_the_mass_of_the_w():
    rng = np.random.default_rng(5)
    pt, pt_neutrino = rng.uniform(25, 38, (2, 500))
    eta, angle = rng.uniform(-2.5, 2.5, 500), rng.uniform(0, np.pi, 500)
    solutions = w_decay.neutrino_rapidities(pt, eta, pt_neutrino, angle)
    assert solutions.shape == (500, 2) and (solutions[:, 0] <= solutions[:, 1]).all()
    lepton = massless(pt, eta, np.zeros(500))
    for column in solutions.T:
        total = lepton + massless(pt_neutrino, column, angle)
        np.testing.assert_allclose(mass(total), w_decay.W_MASS, rtol=1e-10)
    # The forbidden average has the transverse mass.
    middle = lepton + massless(pt_neutrino, solutions.mean(1), angle)
    np.testing.assert_allclose(mass(middle), w_decay.transverse_mass(pt, pt_neutrino, angle), rtol=1e-6)


def test_no_real_solution_above_the_mass():
    high = [np.array([value]) for value in (60.0, 0.3, 60.0, np.pi)]
    assert w_decay.neutrino_rapidities(*high).tolist() == [[0.3, 0.3]]


def test_decays_without_smearing_hit_one_of_the_solutions():
    events = w_decay.draw_w_decays(20_000, seed=2, smearing=0.0)
    truth = events.pop("eta_neutrino")
    solutions = w_decay.neutrino_rapidities(**events)
    distance = np.abs(solutions - truth[:, None])
    below = w_decay.transverse_mass(events["pt_lepton"], events["pt_neutrino"], events["delta_phi"]) < 60
    # Only the width of the W is left.
    assert np.median(distance.min(1)[below]) < 0.05
    assert distance[below].argmin(1).mean() == pytest.approx(0.5, abs=0.03)  # either is as likely
    assert np.median(distance.max(1)[below]) > 2
    pair = massless(events["pt_lepton"], events["eta_lepton"], 0 * truth)
    pair = pair + massless(events["pt_neutrino"], truth, events["delta_phi"])
    assert np.median(mass(pair)) == pytest.approx(w_decay.W_MASS, abs=0.1)
    assert (events["pt_lepton"] > 25).all() and (np.abs(events["eta_lepton"]) < 2.5).all()


def test_mean_from_log_against_a_sample():
    m, s = torch.tensor([1.0, -3.0]).double(), torch.tensor([0.5, 1.0]).double()
    sample = np.exp(np.random.default_rng(0).normal(m, s, (1_000_000, 2)))
    np.testing.assert_allclose(mean_from_log(m, s.log()), sample.mean(0), rtol=0.01)


GOOD = np.array([30.0, 40.0])


@pytest.mark.parametrize(
    "call, name",
    [
        (lambda: hadrons.mean_response(-GOOD), "energy"),
        (lambda: hadrons.mean_response(30.0), "energy"),
        (lambda: hadrons.resolution(GOOD * np.nan), "energy"),
        (lambda: hadrons.resolution(np.array([1, 2])), "energy"),
        (lambda: hadrons.draw_hadrons(0), "n"),
        (lambda: hadrons.draw_hadrons(10, pileup=1.0), "pileup"),
        (lambda: hadrons.log_density(GOOD, GOOD[:0]), "response"),
        (lambda: hadrons.log_density(GOOD, GOOD, pileup=-0.1), "pileup"),
        (lambda: w_decay.draw_w_decays(1.5), "n"),
        (lambda: w_decay.draw_w_decays(5, smearing=-1), "smearing"),
        (lambda: w_decay.transverse_mass(-GOOD, GOOD, GOOD), "pt_lepton"),
        (lambda: w_decay.transverse_mass(GOOD, GOOD[:0], GOOD), "pt_neutrino"),
        (lambda: w_decay.neutrino_rapidities(GOOD, GOOD[:1], GOOD, GOOD), "eta_lepton"),
        (lambda: w_decay.neutrino_rapidities(GOOD, GOOD, GOOD, GOOD * np.nan), "delta_phi"),
        (lambda: w_decay.neutrino_rapidities(GOOD, GOOD, GOOD, GOOD, mass=0), "mass"),
        (lambda: mean_from_log(torch.ones(2), torch.ones(3)), "log_sigma"),
        (lambda: mean_from_log(torch.ones(2, dtype=torch.int64), torch.ones(2)), "log_mean"),
    ],
)
def test_bad_input_is_named(call, name):
    with pytest.raises(ValueError, match=f"^{name}: "):
        call()
