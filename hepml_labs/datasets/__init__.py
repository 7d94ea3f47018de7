"""What there is to learn from: a catalogue of data sets, bundled with the project or generated on this machine."""

from hepml_labs.datasets.catalogue import CATALOGUE, Entry
from hepml_labs.datasets.dataset import Dataset, load
from hepml_labs.datasets.store import DamagedFile

__all__ = ["CATALOGUE", "DamagedFile", "Dataset", "Entry", "load"]
