"""Honest measurement: every number with its statistical uncertainty. Arrays or tensors in, numpy out."""

from hepml_labs.evaluation.auc import Area, area_difference, area_under_curve
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
    "Coverage",
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
    "coverage",
    "expected_calibration_error",
    "log_loss",
    "mean_squared_error",
    "mean_with_error",
    "pull_summary",
    "pulls",
    "relative_accuracy",
    "reliability",
    "roc_band",
    "roc_curve",
    "sigma_scale",
    "significance_improvement",
]
