"""CWoLa hunting: weights, decorrelation, the optimal order on known densities, and sculpting with its cure."""

import numpy as np
import pytest

from hepml_labs.anomaly.base import default_classifier
from hepml_labs.anomaly.classifiers import classifier
from hepml_labs.anomaly.cwola_hunting import CWoLaHunting, MassDecorrelation, sideband_weights
from hepml_labs.anomaly.folding import cross_scores, select_in_folds
from hepml_labs.anomaly.regions import Regions
from hepml_labs.anomaly.samples import all_events, inject
from hepml_labs.datasets import load
from hepml_labs.evaluation import significance_improvement

REGIONS = Regions()


def falling(n=20_000, seed=0):
    random = np.random.default_rng(seed)
    mass = 3000 - 500 * np.log(1 - random.random(n) * (1 - np.exp(-2.4)))  # between 3.0 and 4.2 TeV
    return random, mass


def trees(**options):
    return classifier("trees", **{"members": 2, "leaves": 8, **options})


def test_both_sidebands_weigh_half_of_the_window():
    _, mass = falling()
    weight = sideband_weights(mass, REGIONS, width=200)
    inside, near = REGIONS.inside(mass), (mass >= 3100) & (mass < 3900)
    assert (weight[inside] == 1).all() and (weight[~near] == 0).all()
    for side in (near & (mass < 3300), near & (mass >= 3700)):
        assert weight[side].sum() == pytest.approx(inside.sum() / 2)
        assert np.ptp(weight[side]) == 0
    everywhere = sideband_weights(mass, REGIONS)
    assert (everywhere > 0).all() and everywhere.sum() == pytest.approx(2 * inside.sum())


def test_equal_weights_cancel_what_is_linear_in_the_mass():
    mass = np.arange(3000.5, 4000)  # flat, so that only the weights matter
    uneven = np.concatenate([mass, mass[mass < 3300], mass[mass < 3300]])
    weight, side = sideband_weights(uneven, REGIONS, width=200), ~REGIONS.inside(uneven)
    assert np.average(uneven[side], weights=weight[side]) == pytest.approx(3500)
    assert uneven[side].mean() < 3400


def test_decorrelation_removes_trend_and_forgets_units():
    random, mass = falling()
    z = random.normal(size=(len(mass), 2))
    t = np.log(mass / 3500)[:, None]
    features = 100 + 80 * t + 50 * t**2 + (10 + 5 * t) * z
    flat = MassDecorrelation(degree=2).fit(features, mass).transform(features, mass)
    assert np.abs(flat * np.sqrt(2 / np.pi) - z).mean() < 0.05  # in units of the mean absolute deviation
    units = features * [1e-3, 1e3] + [7, -5]
    assert np.allclose(MassDecorrelation(degree=2).fit(units, mass).transform(units, mass), flat)
    assert (
        MassDecorrelation().fit(features.astype(np.float32), mass).transform(features.astype(np.float32), mass).dtype
        == np.float32
    )


def test_decorrelation_does_not_extrapolate():
    random, mass = falling(2000)
    features = random.normal(size=(2000, 1)) + mass[:, None] / 1000
    fitted = MassDecorrelation().fit(features, mass)
    same = np.zeros((2, 1))
    ends = fitted.transform(same, np.array([mass.min(), mass.max()]))
    assert np.array_equal(fitted.transform(same, np.array([1000.0, 9000.0])), ends)


def test_keeps_the_signal_that_the_best_classifier_keeps():
    # Not by the area under the curve: where p_S << p_B the log ratio of the mixtures is flat, log(1 - f), and noise
    # decides the order there (without any order at p_S < p_B the best area, 0.979, would be 0.962). Cuts that a search
    # makes lie at the other end: 94 to 98 % of the best efficiency with 20,000 events, 99.5 % with 320,000.
    random, mass = falling()
    x = random.normal(size=(len(mass), 2))
    bump = REGIONS.inside(mass) & (random.random(len(mass)) < 0.1)
    x[bump] = random.normal(1.5, 0.5, size=(bump.sum(), 2))
    hunter = CWoLaHunting(trees(members=4)).fit(x, mass, REGIONS)
    new, signal = random.normal(size=(6000, 2)), random.normal(1.5, 0.5, size=(3000, 2))

    def kept(score):
        return (score(signal) > np.quantile(score(new), 0.97)).mean()

    def best(z):
        return (z**2).sum(axis=1) / 2 - ((z - 1.5) ** 2).sum(axis=1) / 0.5

    found = kept(lambda z: hunter.score_samples(z, np.full(len(z), 3500.0)))
    assert found > 0.9 * kept(best)


def test_default_classifier_is_that_of_the_chapter():
    random, mass = falling(300)
    hunter = CWoLaHunting(seed=3).fit(random.normal(size=(300, 1)), mass, REGIONS)
    assert hunter.classifier_.get_params() == default_classifier(3).get_params()


def test_sculpting_by_a_shifted_feature_and_its_cure():
    random, mass = falling()
    x = random.normal(size=(len(mass), 1)) + mass[:, None] / 200  # the sidebands' centres are 3 widths apart
    inside, near = REGIONS.inside(mass), (mass > 3100) & (mass < 3900) & ~REGIONS.inside(mass)
    ratio = {}
    for name, cure in (("seen", None), ("cured", MassDecorrelation())):
        hunter = CWoLaHunting(trees(), decorrelation=cure)
        found = cross_scores(hunter, x, mass, REGIONS, folds=2)
        passed = select_in_folds(found.score, found.fold, 0.1)
        ratio[name] = passed[inside].mean() / passed[near].mean()
    assert ratio["seen"] > 1.8
    assert ratio["cured"] == pytest.approx(1, abs=0.2)


def test_finds_the_resonance_of_the_bundled_dijets():
    events = inject(load("lhco_dijets", "train"), seed=0)
    test = all_events(load("lhco_dijets", "test"))
    test = test.select(REGIONS.inside(test.mass))
    hunter = CWoLaHunting(trees(leaves=31)).fit(events.features, events.mass, REGIONS)
    curve = significance_improvement(test.label, hunter.score_samples(test.features, test.mass))
    assert curve.value.max() > 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sideband_weights(np.array([3400.0, 3200.0]), REGIONS), "sideband above"),
        (lambda: sideband_weights(np.array([3400.0, 3200.0, 3800.0]), REGIONS, width=-1.0), "width: found -1.0"),
        (lambda: MassDecorrelation(degree=0).fit(np.ones((9, 1)), np.arange(9.0) + 1), "degree: found 0"),
        (lambda: MassDecorrelation().fit(np.ones((99, 1)), np.arange(99.0) + 1), "does not vary"),
        (lambda: MassDecorrelation().fit(np.ones((3, 1)), np.arange(3.0) + 1), "expected more"),
        (lambda: CWoLaHunting(object()).fit(np.ones((99, 1)), np.linspace(3000, 4000, 99), REGIONS), "classifier"),
    ],
)
def test_refused(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()
