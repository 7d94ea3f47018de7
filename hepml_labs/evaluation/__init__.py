"""Honest measurement: every number with its statistical uncertainty. Arrays or tensors in, numpy out."""

from hepml_labs.evaluation.auc import Area, area_difference, area_under_curve
from hepml_labs.evaluation.generator_events import (
    ClassifierWeights,
    NeighborScores,
    classifier_weights,
    copied_fraction,
    neighbor_scores,
    weight_tails,
)
from hepml_labs.evaluation.generator_moments import (
    frechet_distance,
    gaussian_kernel,
    kernel_distance,
    polynomial_kernel,
)
from hepml_labs.evaluation.generators import (
    Distance,
    correlation_distance,
    sliced_wasserstein,
    wasserstein_distances,
)
from hepml_labs.evaluation.intervals import CentralInterval, central_interval, mean_with_error
from hepml_labs.evaluation.regression import (
    AccuracySummary,
    accuracy_summary,
    mean_squared_error,
    relative_accuracy,
)
from hepml_labs.evaluation.reliability import (
    CalibrationError,
    Reliability,
    expected_calibration_error,
    reliability,
)
from hepml_labs.evaluation.response import BinnedResponse, binned_response
from hepml_labs.evaluation.roc import Rejection, RocBand, RocCurve, background_rejection, roc_band, roc_curve
from hepml_labs.evaluation.scoring import Score, brier_score, log_loss
from hepml_labs.evaluation.significance import SignificanceImprovement, asimov_significance, significance_improvement
from hepml_labs.evaluation.two_sample import TwoSampleTest, classifier_two_sample_test
from hepml_labs.evaluation.uncertainty import (
    CalibrationCurve,
    Coverage,
    PullSummary,
    calibration_curve,
    coverage,
    pull_summary,
    pulls,
    sigma_scale,
)

__all__ = [
    "AccuracySummary",
    "Area",
    "BinnedResponse",
    "CalibrationCurve",
    "CalibrationError",
    "CentralInterval",
    "ClassifierWeights",
    "Coverage",
    "Distance",
    "NeighborScores",
    "PullSummary",
    "Rejection",
    "Reliability",
    "RocBand",
    "RocCurve",
    "Score",
    "SignificanceImprovement",
    "TwoSampleTest",
    "accuracy_summary",
    "area_difference",
    "area_under_curve",
    "asimov_significance",
    "background_rejection",
    "binned_response",
    "brier_score",
    "calibration_curve",
    "central_interval",
    "classifier_two_sample_test",
    "classifier_weights",
    "copied_fraction",
    "correlation_distance",
    "coverage",
    "expected_calibration_error",
    "frechet_distance",
    "gaussian_kernel",
    "kernel_distance",
    "log_loss",
    "mean_squared_error",
    "mean_with_error",
    "neighbor_scores",
    "polynomial_kernel",
    "pull_summary",
    "pulls",
    "relative_accuracy",
    "reliability",
    "roc_band",
    "roc_curve",
    "sigma_scale",
    "significance_improvement",
    "sliced_wasserstein",
    "wasserstein_distances",
    "weight_tails",
]
