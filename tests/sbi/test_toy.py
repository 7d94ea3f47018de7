"""The toy simulator: the closed forms against brute force, and the properties that gold must have."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from hepml_labs.sbi.toy import ToySimulator

TOY = ToySimulator(latent_width=1.7, detector_width=0.6)


def pooled(x, values, edges):
    """Mean of values in bins of x, with its standard error."""
    index = np.digitize(x, edges)
    cells = [values[index == k] for k in range(1, len(edges))]
    return np.array([(c.mean(), c.std(ddof=1) / np.sqrt(len(c))) for c in cells]).T


@pytest.mark.parametrize("x", [-2.0, 0.3, 4.1])
@pytest.mark.parametrize("theta", [-1.0, 2.5])
def test_the_likelihood_is_the_integral_over_the_latent_variable(x, theta):
    event = np.array([[x]])
    brute_force, _ = quad(lambda z: np.exp(TOY.joint_log_prob(event, np.array([[z]]), theta)[0]), -25, 25)
    np.testing.assert_allclose(TOY.log_likelihood(event, np.array([[theta]])), np.log(brute_force), rtol=1e-9)


def test_scores_are_derivatives():
    x, z = TOY.sample(0.5, 50, seed=1)
    theta, step = np.linspace(-3, 3, 50)[:, None], 1e-4
    up, down = (np.diagonal(TOY.log_likelihood(x, theta + shift)) for shift in (step, -step))
    np.testing.assert_allclose(TOY.score(x, theta)[:, 0], (up - down) / (2 * step), atol=1e-7)
    up, down = (TOY.joint_log_prob(x, z, theta + shift) for shift in (step, -step))
    np.testing.assert_allclose(TOY.joint_score(z, theta)[:, 0], (up - down) / (2 * step), atol=1e-7)


def test_ratios_in_closed_form():
    x, z = TOY.sample(0.5, 40, seed=2)
    theta, reference = 1.4, -0.8
    slope, middle = theta - reference, (theta + reference) / 2
    expected = slope * (x[:, 0] - middle) / (1.7**2 + 0.6**2)
    np.testing.assert_allclose(TOY.log_ratio(x, np.array([[theta]]), reference)[0], expected, atol=1e-12)
    expected = slope * (z[:, 0] - middle) / 1.7**2
    np.testing.assert_allclose(TOY.joint_log_ratio(x, z, theta, reference), expected, atol=1e-12)


def test_events_follow_the_density():
    x, z = TOY.sample(1.2, 40_000, seed=3)
    grid = np.linspace(-3, 6, 10)
    for values, width in ((x, TOY.width), (z, 1.7)):
        found = (values < grid).mean(axis=0)
        np.testing.assert_allclose(found, norm.cdf(grid, 1.2, width), atol=4 * 0.5 / 200)
    assert np.corrcoef(x[:, 0], z[:, 0])[0, 1] == pytest.approx(1.7 / TOY.width, abs=0.01)


def test_gold_averages_to_the_truth():
    """E[t(x,z)|x, theta] = t(x|theta) and E[r(x,z)|x, reference] = r(x)."""
    theta, edges = 0.7, np.linspace(-3, 3, 13)
    x, z = TOY.sample(theta, 200_000, seed=4)
    difference = TOY.joint_score(z, theta) - TOY.score(x, theta)
    mean, error = pooled(x[:, 0], difference[:, 0], edges)
    assert np.all(np.abs(mean) < 4 * error) and np.mean((mean / error) ** 2) < 2.5
    x, z = TOY.sample(0.0, 200_000, seed=5)
    ratio = np.exp(TOY.joint_log_ratio(x, z, theta)) - np.exp(TOY.log_ratio(x, np.array([[theta]]))[0])
    mean, error = pooled(x[:, 0], ratio, edges)
    assert np.all(np.abs(mean) < 4 * error) and np.mean((mean / error) ** 2) < 2.5
    # the mistake of the tutorial: x where z belongs
    wrong = TOY.joint_score(x, theta) - TOY.score(x, theta)
    mean, error = pooled(x[:, 0], wrong[:, 0], edges)
    assert np.abs(mean / error).max() > 10


def test_the_information_of_the_histories_is_larger():
    """Var t(x,z) = Var t(x) + E Var(t(x,z)|x): what the detector loses."""
    x, z = TOY.sample(-0.4, 400_000, seed=6)
    joint, marginal = TOY.joint_score(z, -0.4), TOY.score(x, -0.4)
    assert joint.var() == pytest.approx(1 / 1.7**2, rel=0.01)
    assert marginal.var() == pytest.approx(1 / TOY.width**2, rel=0.01)
    assert (joint - marginal).var() == pytest.approx(joint.var() - marginal.var(), rel=0.02)


def test_training_sample():
    sample = TOY.training_sample(40_000, low=-2.0, high=3.0, reference=0.5, seed=7)
    x, theta, label, log_ratio, score = sample
    assert x.shape == theta.shape == score.shape == (40_000, 1) and label.shape == log_ratio.shape == (40_000,)
    numerator, denominator = label == 1, label == 0
    np.testing.assert_array_equal(theta[numerator], theta[denominator])
    assert theta.min() >= -2 and theta.max() <= 3 and theta.std() == pytest.approx(5 / np.sqrt(12), rel=0.02)
    assert (x - theta)[numerator].std() == pytest.approx(TOY.width, rel=0.02)
    assert (x - 0.5)[denominator].std() == pytest.approx(TOY.width, rel=0.02)
    # both are of one and the same z: log r = (theta - reference) (t + (theta - reference) / (2 s^2))
    step = (theta - 0.5)[:, 0]
    np.testing.assert_allclose(log_ratio, step * (score[:, 0] + step / (2 * 1.7**2)), atol=1e-10)
    assert score[numerator].mean() == pytest.approx(0, abs=0.02)
    again = TOY.training_sample(40_000, low=-2.0, high=3.0, reference=0.5, seed=7)
    np.testing.assert_array_equal(x, again.x)


def test_tutorial_test():
    x, theta, log_ratio = ToySimulator().tutorial_test(seed=1)
    assert x.shape == (1000, 1) and theta.shape == (100, 1) and log_ratio.shape == (100, 1000)
    assert (theta[0, 0], theta[-1, 0]) == (-5, 5)
    np.testing.assert_allclose(log_ratio, theta * (x[:, 0] - theta / 2) / 5, atol=1e-12)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: ToySimulator(latent_width=0.0), "latent_width"),
        (lambda: ToySimulator(detector_width=np.inf), "detector_width"),
        (lambda: TOY.sample(1.0, 0), "n"),
        (lambda: TOY.sample(np.zeros((3, 1)), 4), "theta"),
        (lambda: TOY.log_likelihood(np.zeros(3), np.zeros((1, 1))), "x"),
        (lambda: TOY.log_likelihood(np.full((3, 1), np.nan), np.zeros((1, 1))), "x"),
        (lambda: TOY.log_ratio(np.zeros((3, 1)), np.zeros(1)), "theta"),
        (lambda: TOY.score(np.zeros((3, 1)), np.nan), "theta"),
        (lambda: TOY.joint_log_prob(np.zeros((3, 1)), np.zeros((1, 1)), 0.0), "z"),
        (lambda: TOY.joint_score(np.zeros(3), 0.0), "z"),
        (lambda: TOY.training_sample(11), "n"),
        (lambda: TOY.training_sample(10, low=4.0, high=-4.0), "low"),
    ],
)
def test_bad_input_is_named(call, name):
    with pytest.raises(ValueError, match=f"^{name}: found"):
        call()
