"""ANODE: with known densities its score is the known ratio; with learned ones it is close."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator

from hepml_labs.anomaly.anode import ANODE, bounded_flow
from hepml_labs.anomaly.regions import Regions

FRACTION, PLACE, WIDTH = 0.2, 2.5, 0.3


def centre(mass):
    """Mean of the background feature: it moves with the mass."""
    return (mass - 3500) / 1000


def toy(n=6000, seed=1, fraction=FRACTION):
    """Background x ~ N(centre(m), 1); in the window a share of signal, x ~ N(centre(m) + 2.5, 0.3)."""
    random = np.random.default_rng(seed)
    mass = random.uniform(2600, 4600, size=n)
    signal = Regions().inside(mass) & (random.uniform(size=n) < fraction)
    x = np.where(signal, random.normal(PLACE, WIDTH, n), random.normal(size=n)) + centre(mass)
    return x[:, None], mass, signal


class Known(BaseEstimator):
    """The exact density of whatever it is fitted to, which it recognises by the masses; it remembers what it saw."""

    def fit(self, x, context):
        self.seen_ = context[:, 0]
        self.fraction_ = FRACTION if Regions().inside(self.seen_).all() else 0.0
        return self

    def score_samples(self, x, context):
        z = x[:, 0] - centre(context[:, 0])
        return np.log((1 - self.fraction_) * norm.pdf(z) + self.fraction_ * norm.pdf(z, PLACE, WIDTH))


def exact_ratio(x, mass):
    z = x[:, 0] - centre(mass)
    return np.log(1 - FRACTION + FRACTION * norm.pdf(z, PLACE, WIDTH) / norm.pdf(z))


def test_known_densities_give_the_known_ratio():
    x, mass, _ = toy()
    detector = ANODE(Known(), Known()).fit(x, mass, Regions())
    inside = Regions().inside(mass)
    np.testing.assert_allclose(
        detector.score_samples(x[inside], mass[inside]), exact_ratio(x[inside], mass[inside]), atol=1e-10
    )


def test_each_density_sees_its_own_region():
    x, mass, _ = toy()
    detector = ANODE(Known(), Known()).fit(x, mass, Regions())
    assert Regions().inside(detector.data_.seen_).all()
    assert Regions().sideband(detector.background_.seen_).all()
    assert len(detector.data_.seen_) + len(detector.background_.seen_) == len(mass)


def test_a_frozen_density_is_not_fitted_again():
    x, mass, _ = toy(500)
    known = Known().fit(x, mass[:, None])
    detector = ANODE(FrozenEstimator(known), Known()).fit(x, mass, Regions())
    assert detector.background_.estimator is known
    assert len(known.seen_) == 500 > len(detector.data_.seen_)


def test_learned_densities_come_close():
    x, mass, _ = toy(12_000)
    flow = bounded_flow(x, layers=2, hidden=(24,), epochs=12)
    detector = ANODE(flow, flow).fit(x, mass, Regions())
    new, at, signal = toy(6000, seed=2)
    rows = Regions().inside(at)
    score, exact = detector.score_samples(new[rows], at[rows]), exact_ratio(new[rows], at[rows])
    assert score[signal[rows]].mean() - score[~signal[rows]].mean() > 0.7 * (
        exact[signal[rows]].mean() - exact[~signal[rows]].mean()
    )
    # a score without the interpolation in the mass is off by the slope: here the background stays near zero
    assert abs(np.median(score - exact)) < 0.25


def test_scores_beyond_the_range_are_those_of_the_edge():
    x, mass, _ = toy()
    detector = ANODE(Known(), Known()).fit(x, mass, Regions())
    far, edge = (np.array([[value]]) for value in (1e6, x.max()))
    at = np.array([3500.0])
    assert detector.score_samples(far, at) == detector.score_samples(edge, at)


def test_score_before_fit_and_wrong_number_of_features():
    x, mass, _ = toy(500)
    detector = ANODE(Known(), Known())
    with pytest.raises(Exception, match="not fitted"):
        detector.score_samples(x, mass)
    detector.fit(x, mass, Regions())
    with pytest.raises(ValueError, match="features: found shape"):
        detector.score_samples(np.zeros((3, 2)), np.full(3, 3500.0))
