"""Building blocks that more than one chapter uses."""

from hepml_labs.nn.deep_sets import DeepSets
from hepml_labs.nn.ensemble import Ensemble, bootstrap_counts
from hepml_labs.nn.mlp import MLP
from hepml_labs.nn.standardizer import Standardizer

__all__ = ["MLP", "DeepSets", "Ensemble", "Standardizer", "bootstrap_counts"]
