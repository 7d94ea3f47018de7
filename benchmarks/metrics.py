"""Time the measures of a classifier beside scikit-learn's on 400,000 scores, in one run, and compare the values.

Run with ``python benchmarks/metrics.py``. Ours return statistical errors as well.
"""

import time

import numpy as np
from sklearn import calibration, metrics

from hepml_labs import evaluation

N = 400_000


def pairs(label, score, probability, weight):
    """Return our call and scikit-learn's for each measure: both give an array to compare."""
    kept = {"drop_intermediate": False}
    return {
        "roc_curve": (
            lambda: np.stack(evaluation.roc_curve(label, score)[:2]),
            lambda: np.stack(metrics.roc_curve(label, score, **kept)[:2]),
        ),
        "roc_curve, weighted": (
            lambda: np.stack(evaluation.roc_curve(label, score, weight)[:2]),
            lambda: np.stack(metrics.roc_curve(label, score, sample_weight=weight, **kept)[:2]),
        ),
        "area_under_curve": (
            lambda: evaluation.area_under_curve(label, score).value,
            lambda: metrics.roc_auc_score(label, score),
        ),
        "area_under_curve, weighted": (
            lambda: evaluation.area_under_curve(label, score, weight).value,
            lambda: metrics.roc_auc_score(label, score, sample_weight=weight),
        ),
        "reliability": (
            lambda: np.stack(evaluation.reliability(label, probability)[1::-1]),
            lambda: np.stack(calibration.calibration_curve(label, probability, n_bins=15)),
        ),
        "brier_score": (
            lambda: evaluation.brier_score(label, probability).value,
            lambda: metrics.brier_score_loss(label, probability),
        ),
        "log_loss": (
            lambda: evaluation.log_loss(label, probability).value,
            lambda: metrics.log_loss(label, probability),
        ),
    }


def cpu_time(call):
    start = time.process_time()
    call()
    return time.process_time() - start


def main(rounds=7):
    random = np.random.default_rng(1)
    label = random.integers(0, 2, N)
    score = random.normal(size=N) + label
    print(f"{'':30s} {'ours':>8s} {'sklearn':>8s} {'ratio':>6s} {'largest difference':>20s}")
    for ties, values in (("", score), ("ties: ", np.round(score, 2))):
        calls = pairs(label, values, 1 / (1 + np.exp(0.5 - values)), random.gamma(2, size=N))
        for name, (ours, peer) in calls.items():
            difference = np.abs(ours() - peer()).max()  # the first call of each loads libraries
            times = [(cpu_time(ours), cpu_time(peer)) for _ in range(rounds)]  # alternate, so that load hits both
            mine, theirs = 1e3 * np.min(times, axis=0)
            print(f"{ties + name:30s} {mine:5.0f} ms {theirs:5.0f} ms {theirs / mine:6.1f} {difference:20.1e}")


if __name__ == "__main__":
    main()
