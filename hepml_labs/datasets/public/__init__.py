"""The published data sets: where they are, how they come here safely, and how they become our columns."""

from hepml_labs.datasets.public.fetching import fetch, load_public
from hepml_labs.datasets.public.pickles import refuse_pickle
from hepml_labs.datasets.public.sources import PUBLIC, PublicSource

__all__ = ["PUBLIC", "PublicSource", "fetch", "load_public", "refuse_pickle"]
