"""Building blocks that more than one chapter uses."""

from hepml_labs.nn.deep_sets import DeepSets
from hepml_labs.nn.mlp import MLP
from hepml_labs.nn.standardizer import Standardizer

__all__ = ["MLP", "DeepSets", "Standardizer"]
