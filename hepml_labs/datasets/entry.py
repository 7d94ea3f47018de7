"""A data set of the catalogue: what it holds, who made it, and how to make it again."""

import importlib
from dataclasses import dataclass, field

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Entry:
    """A data set in the catalogue.

    Attributes
    ----------
    name : str
        Name under which it is loaded; its bundled file is ``data/<name>.h5``.
    title : str
        One line.
    description : str
        Process, cuts, objects and labels.
    recipe : str
        Module with ``generate(n, seed, **settings)``, which returns a dictionary of columns, and with ``COLUMNS``:
        shape, unit and meaning of each (or a function ``columns(**settings)`` that returns those). If it also has
        ``pack(columns)`` and ``unpack(stored)``, files hold the packed columns. If it has ``CHUNK``, larger samples
        are made in units of work of that many rows (`hepml_labs.datasets.generation`).
    settings : dict
        Passed to ``generate``.
    sizes : dict of str to int
        Samples of each bundled split.
    seed : int
        Seed of the training split; validation and test use the next two.
    generator, licence : str
        What made the data, and the terms of use.
    packages : tuple of str
        Packages beside numpy whose versions are written into the files.
    citation : tuple of str
        Keys of ``book/references.bib``.
    """

    name: str
    title: str
    description: str
    recipe: str
    sizes: dict
    seed: int
    generator: str
    citation: tuple = ()
    settings: dict = field(default_factory=dict)
    packages: tuple = ()
    licence: str = "CC-BY-4.0"

    @property
    def columns(self):
        """Shape, unit and meaning of each column, by name (dict of str to str)."""
        module = importlib.import_module(self.recipe)
        return module.columns(**self.settings) if hasattr(module, "columns") else module.COLUMNS

    def unpack(self, stored):
        """Turn what is stored back into columns."""
        module = importlib.import_module(self.recipe)
        return module.unpack(stored) if hasattr(module, "unpack") else stored

    def card(self):
        """Return what is known about the data set as a dictionary that JSON can hold."""
        return {
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "columns": self.columns,
            "generator": self.generator,
            "recipe": self.recipe,
            "settings": self.settings,
            "sizes": self.sizes,
            "seed": self.seed,
            "licence": self.licence,
            "citation": list(self.citation),
        }
