import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression as Peer

from hepml_labs.classification.calibrators import HistogramCalibration, PlattScaling, TemperatureScaling

ALL = [TemperatureScaling, PlattScaling, HistogramCalibration]


def events(n=20_000, seed=0):
    random = np.random.default_rng(seed)
    log_odds = 1.5 * random.normal(size=n)
    return log_odds, (random.random(n) < expit(log_odds)).astype(int)


@pytest.mark.parametrize("true", [0.02, 0.5, 1.0, 4.0, 300.0])
def test_temperature_is_found(true):
    log_odds, label = events()
    assert TemperatureScaling().fit(true * log_odds, label).temperature_ == pytest.approx(true, rel=0.03)


def test_temperature_is_the_minimum_and_scales_with_the_logits():
    log_odds, label = events()
    fitted = TemperatureScaling().fit(log_odds, label)

    def loss(temperature):
        return np.mean(np.logaddexp(0, log_odds / temperature) - label * log_odds / temperature)

    best = loss(fitted.temperature_)
    assert best < loss(fitted.temperature_ * 1.01) and best < loss(fitted.temperature_ / 1.01)
    assert TemperatureScaling().fit(5 * log_odds, label).temperature_ == pytest.approx(5 * fitted.temperature_)
    # two logits are one log-odds
    logits = np.stack([-0.3 * log_odds, 0.7 * log_odds], axis=1)
    both = TemperatureScaling().fit(logits, label)
    assert both.temperature_ == pytest.approx(fitted.temperature_, rel=1e-9)
    np.testing.assert_allclose(both.predict_proba(logits), fitted.predict_proba(log_odds), atol=1e-12)


def test_temperature_of_many_classes():
    random = np.random.default_rng(3)
    logits = 2 * random.normal(size=(30_000, 4))
    label = (logits + random.gumbel(size=logits.shape)).argmax(1)  # draws from the softmax
    fitted = TemperatureScaling().fit(2.5 * logits, label)
    assert fitted.temperature_ == pytest.approx(2.5, rel=0.03)
    assert (fitted.predict_proba(logits).argmax(1) == logits.argmax(1)).all()


def test_platt_is_logistic_regression_and_finds_class_shares():
    log_odds, label = events()
    weight = np.where(label == 1, 0.1, 1.0)  # a tenth of the signal
    fitted = PlattScaling().fit(20 * log_odds + 7, label, weight)
    peer = Peer(C=np.inf, tol=1e-10).fit(log_odds[:, None], label, weight)
    np.testing.assert_allclose(
        fitted.predict_proba(20 * log_odds + 7), peer.predict_proba(log_odds[:, None]), atol=1e-5
    )
    shift = fitted.intercept_ + 7 * fitted.slope_
    assert shift == pytest.approx(np.log(0.1), abs=0.1) and 20 * fitted.slope_ == pytest.approx(1, abs=0.05)


def test_histogram_counts():
    log_odds, label = events()
    fitted = HistogramCalibration(bins=20).fit(log_odds, label)
    assert len(fitted.probability_) == 20 and np.isinf(fitted.edges_[[0, -1]]).all()
    inside = (log_odds >= fitted.edges_[7]) & (log_odds < fitted.edges_[8])
    assert inside.sum() == pytest.approx(1000, abs=1)
    assert fitted.probability_[7] == pytest.approx(label[inside].mean())
    # calibrated on its own events: in total and in each bin
    assert fitted.predict_proba(log_odds)[:, 1].mean() == pytest.approx(label.mean())
    other, truth = events(seed=1)
    error = fitted.predict_proba(other)[:, 1] - expit(other)
    assert np.sqrt(np.mean(error**2)) < 0.04 and truth.mean() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("calibrator", ALL)
def test_a_weight_is_a_number_of_events(calibrator):
    log_odds, label = events(2000)
    weight = np.random.default_rng(1).integers(1, 4, 2000)
    if calibrator is HistogramCalibration:  # the edges follow the events; take scores whose edges do not move
        log_odds = np.round(expit(log_odds)).astype(float)
    weighted = calibrator().fit(log_odds, label, weight)
    repeated = calibrator().fit(np.repeat(log_odds, weight), np.repeat(label, weight))
    np.testing.assert_allclose(weighted.predict_proba(log_odds), repeated.predict_proba(log_odds), atol=1e-7)


@pytest.mark.parametrize("calibrator", ALL)
def test_probabilities(calibrator):
    log_odds, label = events(2000)
    for kind in (np.float32, np.float64):
        probability = calibrator().fit(log_odds.astype(kind), label).predict_proba(log_odds.astype(kind))
        assert probability.shape == (2000, 2) and probability.dtype == kind
        np.testing.assert_allclose(probability.sum(1), 1, rtol=1e-6)
        assert (np.diff(probability[np.argsort(log_odds), 1]) >= -0.2).all()


def test_ties_make_fewer_bins():
    score, label = np.repeat([0.2, 0.6], 50), np.tile([0, 1, 1, 1, 0], 20)
    fitted = HistogramCalibration(bins=10).fit(score, label)
    assert len(fitted.probability_) == 2 and np.isfinite(fitted.probability_).all()


def test_bad_input():
    log_odds, label = events(100)
    chance = np.tile([1.0, -1.0], 50)
    cases = [
        (lambda: TemperatureScaling().fit(-log_odds, label), "score"),
        (lambda: TemperatureScaling().fit(np.zeros(100), label), "score"),
        (lambda: TemperatureScaling().fit(chance, (chance > 0).astype(int)), "score"),
        (lambda: HistogramCalibration(bins=101).fit(log_odds, label), "bins"),
        (lambda: PlattScaling().fit(np.zeros((100, 2)), label), "score"),
    ]
    for calibrator in ALL:
        cases += [
            (lambda c=calibrator: c().fit(logit(label), label), "score"),
            (lambda c=calibrator: c().fit(log_odds, label + 1), "label"),
            (lambda c=calibrator: c().fit(log_odds, np.zeros(100)), "label"),
            (lambda c=calibrator: c().fit(log_odds, label[:50]), "label"),
            (lambda c=calibrator: c().fit(log_odds, label, -np.ones(100)), "sample_weight"),
            (lambda c=calibrator: c().fit(log_odds, label, np.ones(99)), "sample_weight"),
        ]
    for broken, argument in cases:
        with pytest.raises(ValueError, match=rf"^{argument}: "):
            broken()
