"""The expected significance against its limits and against the median of toy experiments."""

import numpy as np
import pytest
from scipy.stats import poisson

from hepml_labs.evaluation import asimov_significance


def test_limit_of_small_signals():
    assert asimov_significance(1.0, 1e6) == pytest.approx(1e-3, rel=1e-3)
    assert asimov_significance(10.0, 1e6, 1e3) == pytest.approx(10 / np.sqrt(2e6), rel=1e-3)


@pytest.mark.parametrize(("signal", "background"), [(5, 1), (10, 10), (3, 0.2), (40, 100)])
def test_close_to_the_median_of_experiments(signal, background):
    """The median count of S + B, turned into the significance of its likelihood ratio."""
    n = poisson.median(signal + background)
    observed = np.sqrt(2 * (n * np.log(n / background) - (n - background)))
    step = np.sqrt(2 * ((n + 1) * np.log((n + 1) / background) - (n + 1 - background))) - observed
    assert abs(asimov_significance(signal, background) - observed) < step
    assert asimov_significance(signal, background) < signal / np.sqrt(background)


def test_uncertain_background_is_the_profile_likelihood():
    """Side measurement of m = tau b events with tau = b / sigma^2: profile b numerically."""
    signal, background, sigma = 12.0, 20.0, 6.0
    tau = background / sigma**2
    n, m = signal + background, tau * background

    def minus_log(b, s):
        return (s + b) - n * np.log(s + b) + tau * b - m * np.log(tau * b)

    grid = np.linspace(10, 50, 400_001)
    profiled = np.sqrt(2 * (minus_log(grid, 0.0).min() - minus_log(background, signal)))
    assert asimov_significance(signal, background, sigma) == pytest.approx(profiled, rel=1e-6)


def test_published_example():
    """50 signals on 100 +- 7 backgrounds: 3.72 in the note's own code (github.com/cranmer/fast-asimov-utils)."""
    assert asimov_significance(50, 100, 7) == pytest.approx(3.72, abs=0.005)


def test_known_background_is_the_limit_of_a_small_error():
    assert asimov_significance(10.0, 20.0, 1e-3) == pytest.approx(asimov_significance(10.0, 20.0), rel=1e-6)
    found = asimov_significance(np.array([0.0, 10.0]), 20.0, np.array([[0.0], [5.0]]))
    assert found.shape == (2, 2) and (found[:, 0] == 0).all() and found[1, 1] < found[0, 1]


@pytest.mark.parametrize(
    ("arguments", "name"), [((-1, 1), "signal"), ((1, 0), "background"), ((1, 1, -1), "background_error")]
)
def test_bad_input_is_named(arguments, name):
    with pytest.raises(ValueError, match=f"^{name}: "):
        asimov_significance(*arguments)
