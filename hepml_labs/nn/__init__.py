"""Building blocks that more than one chapter uses."""

from hepml_labs.nn.bayesian import BayesianLinear, gaussian_kl
from hepml_labs.nn.deep_sets import DeepSets
from hepml_labs.nn.ensemble import Ensemble, bootstrap_counts
from hepml_labs.nn.mlp import MLP
from hepml_labs.nn.sets import Packing, check_mask, cut, in_buckets, trim
from hepml_labs.nn.standardizer import Standardizer
from hepml_labs.nn.time import TimeMLP

__all__ = [
    "MLP",
    "BayesianLinear",
    "DeepSets",
    "Ensemble",
    "Packing",
    "Standardizer",
    "TimeMLP",
    "bootstrap_counts",
    "check_mask",
    "cut",
    "gaussian_kl",
    "in_buckets",
    "trim",
]
