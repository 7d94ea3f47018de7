"""CATHODE: the sampled background is the known one in a window where no event was seen, and the classifier finds it."""

import numpy as np
import pytest
from scipy.stats import ks_2samp, kstest, norm
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from test_anode import centre, toy

from hepml_labs.anomaly.anode import bounded_flow
from hepml_labs.anomaly.cathode import CATHODE, smooth_masses
from hepml_labs.anomaly.classifiers import classifier
from hepml_labs.anomaly.regions import Regions


class Known(BaseEstimator):
    """The exact background density."""

    def fit(self, x, context):
        assert Regions().sideband(context[:, 0]).all(), "an event of the window was used for the background"
        return self

    def sample(self, context, seed):
        return np.random.default_rng(seed).normal(size=(len(context), 1)) + centre(context)


def quick(seed=0):
    return classifier("trees", members=2, trees=40, leaves=8, seed=seed)


def test_known_density_gives_the_optimal_score():
    x, mass, _ = toy(10_000)
    detector = CATHODE(Known(), quick(), oversampling=4).fit(x, mass, Regions())
    grid = np.array([[-1.0], [0.0], [2.5]])
    score = detector.score_samples(grid, np.full(3, 3500.0))
    exact = np.log(0.8 + 0.2 * norm.pdf(grid[:, 0], 2.5, 0.3) / norm.pdf(grid[:, 0]))
    np.testing.assert_allclose(score, exact, atol=0.4)  # 10,000 events and a few trees; at 2.5 it is 2.7
    assert len(detector.background_) == 4 * Regions().inside(mass).sum()


def test_sampled_background_follows_the_mass_through_the_window():
    x, mass, _ = toy(12_000, fraction=0.6)  # however much signal is inside
    density = bounded_flow(x, layers=2, hidden=(24,), epochs=12)
    detector = CATHODE(density, quick()).fit(x, mass, Regions())
    for at in (3320.0, 3680.0):
        drawn = detector.density_.sample(context=np.full((4000, 1), at), seed=3)[:, 0]
        assert abs(drawn.mean() - centre(at)) < 0.1 < abs(centre(3680.0))  # a density without the mass fails
        assert abs(drawn.std() - 1) < 0.1


def test_same_seed_same_scores():
    x, mass, _ = toy(2000)
    score = [CATHODE(Known(), quick(), seed=s).fit(x, mass, Regions()).score_samples(x, mass) for s in (1, 1, 2)]
    np.testing.assert_array_equal(score[0], score[1])
    assert not np.array_equal(score[0], score[2])


def test_smoothed_masses_keep_density_and_edges():
    random = np.random.default_rng(4)
    mass = 3300 + 400 * random.power(0.7, size=3000)
    drawn = smooth_masses(mass, 3000, seed=5)
    assert drawn.min() >= mass.min() and drawn.max() <= mass.max()
    assert ks_2samp(mass, drawn).pvalue > 1e-3
    assert len(np.unique(drawn)) == len(drawn)
    uniform = random.uniform(3300, 3700, size=5000)
    assert kstest((smooth_masses(uniform, 5000) - 3300) / 400, "uniform").pvalue > 1e-3  # no pile-up at the edges


def test_bad_input_is_named():
    x, mass, _ = toy(500)
    with pytest.raises(ValueError, match="oversampling"):
        CATHODE(Known(), oversampling=0).fit(x, mass, Regions())
    with pytest.raises(ValueError, match="classifier"):
        CATHODE(Known(), LogisticRegression()).fit(x, mass, Regions())
    with pytest.raises(ValueError, match="regions"):
        CATHODE(Known()).fit(x, mass, Regions(signal=(5000, 5100)))
