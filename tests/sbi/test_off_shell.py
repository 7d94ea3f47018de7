"""Mixtures with interference: weights, likelihoods against pyhf, learned ratios against exact ones."""

import numpy as np
import pyhf
import pytest

from hepml_labs.physics.off_shell_events import differential, generate
from hepml_labs.sbi.limits import expected_statistic
from hepml_labs.sbi.mixture_likelihood import mixture_log_ratio, negative_log_likelihood, profile_likelihood
from hepml_labs.sbi.off_shell import MixtureRatio, benchmark_yields, network_inputs

MU = np.array([0.0, 0.2, 1.0, 2.5, 6.0])


@pytest.fixture(scope="module")
def events():
    return generate(12_000, seed=1, mass_range=(350.0, 1500.0))


@pytest.mark.parametrize("benchmarks", [(0.0, 1.0, np.inf), (np.inf, 0.3, 4.0), (0.0, 1.0, 9.0)])
def test_any_three_benchmarks_give_every_event_its_weight(events, benchmarks):
    background, interference, signal = events.coefficients.T
    samples = np.stack(
        [signal if np.isinf(mu) else background + np.sqrt(mu) * interference + mu * signal for mu in benchmarks], axis=1
    )
    yields = benchmark_yields(MU, benchmarks, samples.sum(0))
    found = samples / samples.sum(0) @ yields.T
    expected = events.coefficients @ np.stack([MU**0, np.sqrt(MU), MU])
    assert np.allclose(found, expected, rtol=1e-9, atol=1e-12 * expected.max())
    # the mixture of ratios to any reference is the density, and it is normalised
    reference = samples.sum(1)
    log_ratio = mixture_log_ratio(samples / samples.sum(0) / reference[:, None], yields)
    assert np.allclose(np.exp(log_ratio) * reference, (expected / expected.sum(0)).T)


def test_likelihood_of_events_agrees_with_the_extended_one_of_limits(events):
    ratios = events.parts / events.parts.sum(0)
    kappa = np.sqrt(MU)
    yields = 3e6 * events.parts.sum(0) * np.column_stack([kappa**0, kappa**0, kappa, MU])
    weight = 3e6 * events.parts.sum(1)
    value = 2 * negative_log_likelihood(ratios, yields, weight)
    total = yields.sum(1)
    other = expected_statistic(mixture_log_ratio(ratios, yields), weight, weight.sum(), total)
    assert np.allclose(value - value.min(), other, atol=1e-6)
    assert value.argmin() == 2  # Asimov data of mu = 1


def test_binned_likelihood_agrees_with_pyhf(events):
    bins = np.digitize(events.x[:, 0], [400, 500, 600, 800, 1000])
    parts = np.stack([np.bincount(bins, 3e6 * part) for part in events.parts.T])
    names = ("quark", "gluon", "interference", "signal")
    modifiers = {name: [] for name in names}
    modifiers["quark"] = [{"name": "rate", "type": "normsys", "data": {"hi": 1.1, "lo": 1 / 1.1}}]
    modifiers["interference"] = [{"name": "root", "type": "normfactor", "data": None}]
    modifiers["signal"] = [{"name": "mu", "type": "normfactor", "data": None}]
    samples = [
        {"name": name, "data": list(p), "modifiers": modifiers[name]} for name, p in zip(names, parts, strict=True)
    ]
    settings = {"normsys": {"interpcode": "code1"}, "histosys": {"interpcode": "code0"}}
    model = pyhf.Model(
        {"channels": [{"name": "m", "samples": samples}]}, poi_name="mu", modifier_settings=settings, validate=False
    )
    observed = np.random.default_rng(2).poisson(parts.sum(0)).astype(float)
    yields = parts.sum(1) * np.column_stack([MU**0, MU**0, np.sqrt(MU), MU])
    templates = (parts / parts.sum(1, keepdims=True)).T
    ours, pull = profile_likelihood(templates, yields, 0, 0.1, observed)
    theirs = []
    for mu, alpha in zip(MU, pull, strict=True):
        values = {"mu": mu, "root": np.sqrt(mu), "rate": alpha}
        # at our pull, and a little off it: the value agrees, and the pull is the minimum
        near = []
        for shift in (0.0, -0.05, 0.05):
            parameters = np.zeros(model.config.npars)
            for name, value in values.items():
                parameters[model.config.par_slice(name)] = value + shift * (name == "rate")
            near.append(-float(model.logpdf(parameters, list(observed) + model.config.auxdata)[0]))
        assert near[0] < min(near[1:])
        theirs.append(near[0])
    assert np.allclose(ours - ours[0], np.array(theirs) - theirs[0], atol=1e-6)


def test_profiling_without_uncertainty_changes_nothing(events):
    ratios = events.parts / events.parts.sum(0)
    yields = 3e6 * events.parts.sum(0) * np.column_stack([MU**0, MU**0, np.sqrt(MU), MU])
    weight = 3e6 * events.parts.sum(1)
    fixed = negative_log_likelihood(ratios, yields, weight)
    profiled, pull = profile_likelihood(ratios, yields, 0, 1e-4, weight)
    assert np.allclose(profiled, fixed, atol=1e-2)
    assert np.abs(pull).max() < 0.05
    assert (profile_likelihood(ratios, yields, 0, 0.1, weight)[0] <= fixed + 1e-9).all()


def test_inputs_know_the_symmetries(events):
    x = events.x[:50]
    protons = x * [1, -1, 1, 1, -1, 1, 1, 1, 1]
    bosons = x[:, [0, 1, 3, 2, 4, 6, 5, 8, 7]] * [1, 1, 1, 1, -1, 1, 1, 1, 1]
    for other in (protons, bosons):
        other[:, 7:] += np.pi
        assert np.allclose(differential(other), differential(x), rtol=1e-9, atol=0)
        assert np.allclose(network_inputs(other), network_inputs(x))


def test_learned_ratios_of_a_known_pair():
    random = np.random.default_rng(0)
    label = np.repeat([0, 1, 2], 5000)
    means = np.array([0.0, 1.0, -1.0])
    x = random.normal(size=(15_000, 1)) + means[label][:, None]
    mixture = MixtureRatio(hidden=(32,), epochs=12, batch_size=256, members=2).fit(x, np.eye(3)[label])
    grid = np.linspace(-2, 2, 9)[:, None]
    density = np.exp(-((grid - means) ** 2) / 2)
    exact = density / density.mean(1, keepdims=True)
    found = mixture.ratios(grid)
    assert np.allclose(found.sum(1), 3)
    assert np.abs(found - exact).max() < 0.12


def test_bad_input():
    with pytest.raises(ValueError, match="mu: found -1"):
        benchmark_yields(np.array([-1.0]), (0, 1, 4), np.ones(3))
    with pytest.raises(ValueError, match="benchmarks: found"):
        benchmark_yields(np.array([1.0]), (0, 1, 1), np.ones(3))
    with pytest.raises(ValueError, match="yields: found a sum"):
        mixture_log_ratio(np.ones((2, 2)), np.array([[1.0, -1.0]]))
    with pytest.raises(ValueError, match="weights: expected none below zero"):
        MixtureRatio().fit(np.zeros((4, 1)), np.array([[1.0, 0], [0, 1], [1, -1], [1, 1]]))
    with pytest.raises(ValueError, match="uncertainty: found"):
        profile_likelihood(np.ones((2, 1)), np.ones((1, 1)), 0, -0.1)
