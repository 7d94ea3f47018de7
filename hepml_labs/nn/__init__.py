"""Building blocks that more than one chapter uses."""

from hepml_labs.nn.deep_sets import DeepSets
from hepml_labs.nn.ensemble import Ensemble, bootstrap_counts
from hepml_labs.nn.mlp import MLP
from hepml_labs.nn.sets import Packing, check_mask, in_buckets, trim
from hepml_labs.nn.standardizer import Standardizer

__all__ = [
    "MLP",
    "DeepSets",
    "Ensemble",
    "Packing",
    "Standardizer",
    "bootstrap_counts",
    "check_mask",
    "in_buckets",
    "trim",
]
