"""What there is to learn from: data sets that come with the project, are made on this machine, or were published."""

from hepml_labs.datasets.catalogue import CATALOGUE
from hepml_labs.datasets.dataset import Dataset, load
from hepml_labs.datasets.entry import Entry
from hepml_labs.datasets.store import DamagedFile

__all__ = ["CATALOGUE", "DamagedFile", "Dataset", "Entry", "load"]
