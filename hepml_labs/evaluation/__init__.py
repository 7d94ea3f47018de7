"""Honest measurement: every number with its statistical uncertainty. Arrays or tensors in, numpy out."""

from hepml_labs.evaluation.auc import Area, area_under_curve
from hepml_labs.evaluation.intervals import CentralInterval, central_interval, mean_with_error
from hepml_labs.evaluation.regression import (
    AccuracySummary,
    accuracy_summary,
    mean_squared_error,
    relative_accuracy,
)
from hepml_labs.evaluation.response import BinnedResponse, binned_response
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
    "CentralInterval",
    "Coverage",
    "PullSummary",
    "accuracy_summary",
    "area_under_curve",
    "binned_response",
    "calibration_curve",
    "central_interval",
    "coverage",
    "mean_squared_error",
    "mean_with_error",
    "pull_summary",
    "pulls",
    "relative_accuracy",
    "sigma_scale",
]
