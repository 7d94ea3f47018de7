"""The data sets: what each holds, who made it, and how to make it again."""

import importlib
from dataclasses import dataclass, field

from hepml_labs.datasets.calorimeter import COLUMNS

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
    columns : dict of str to str
        Shape, unit and meaning of each column.
    recipe : str
        Module with ``generate(n, seed, **settings)``, which returns a dictionary of columns. If it also has
        ``pack(columns)`` and ``unpack(stored)``, files hold the packed columns.
    settings : dict
        Passed to ``generate``.
    sizes : dict of str to int
        Samples of each bundled split.
    seed : int
        Seed of the training split; validation and test use the next two.
    generator, licence : str
        What made the data, and the terms of use.
    citation : tuple of str
        Keys of ``book/references.bib``.
    """

    name: str
    title: str
    description: str
    columns: dict
    recipe: str
    sizes: dict
    seed: int
    generator: str
    citation: tuple = ()
    settings: dict = field(default_factory=dict)
    licence: str = "CC-BY-4.0"

    def generate(self, n, split="train", seed=None):
        """Make `n` samples of a split by the recipe.

        Parameters
        ----------
        n : int
            Number of samples.
        split : {"train", "validation", "test"}
            Chooses the seed when none is given.
        seed : int, optional
            Any other seed.

        Returns
        -------
        dict of str to numpy.ndarray
            Columns of first dimension `n`.

        Examples
        --------
        >>> CATALOGUE["gluons_3g"].generate(5)["momenta"].shape
        (5, 5, 4)
        """
        seed = self.seed + SPLITS.index(split) if seed is None else seed
        return self._module().generate(n, seed, **self.settings)

    def pack(self, columns):
        """Turn columns into what is stored; :meth:`unpack` turns it back."""
        module = self._module()
        return module.pack(columns) if hasattr(module, "pack") else columns

    def unpack(self, stored):
        """Turn what is stored back into columns."""
        module = self._module()
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

    def _module(self):
        return importlib.import_module(self.recipe)


def _gluons(outgoing, sizes, seed):
    legs = outgoing + 2
    unit = f"GeV^{8 - 2 * legs}"
    return Entry(
        name=f"gluons_{outgoing}g",
        title=f"Tree-level amplitudes of gg to {outgoing} gluons",
        description=(
            f"Points of flat {outgoing}-body phase space of two gluons that collide at 1 TeV in their centre of mass; "
            "each outgoing gluon has pT > 50 GeV and |eta| < 5, each pair Delta R > 0.4. The label is the squared "
            "matrix element with full colour, summed over final and averaged over initial helicities and colours, "
            "without the factor for identical gluons, at alpha_s = 0.118."
        ),
        columns={
            "momenta": f"(n, {legs}, 4), GeV: E, px, py, pz; the two incoming gluons first, with positive energy",
            "amplitude": f"(n,), {unit}: squared matrix element, full colour",
            "leading_color": f"(n,), {unit}: the same at leading colour",
        },
        recipe="hepml_labs.datasets.gluons",
        settings={"outgoing": outgoing},
        sizes=sizes,
        seed=seed,
        generator="hepml_labs.physics: RAMBO phase space, Berends-Giele currents, colour basis of Del Duca et al.",
        citation=("kleiss1986rambo", "berends1988recursive", "delduca1999color"),
    )


_CLUSTERS = Entry(
    name="calorimeter_clusters",
    title="Calorimeter clusters of single photons and charged pions",
    description=(
        "Particles of 1 GeV to 1 TeV, flat in ln E, flat in pseudorapidity within 2.5, two thirds charged pions and "
        "one third photons, in 20 to 60 simultaneous interactions, in a sampling calorimeter of three electromagnetic "
        "and three hadronic layers with noise, dead material and leakage; one cluster above 0.3 GeV each."
    ),
    columns=COLUMNS,
    recipe="hepml_labs.datasets.calorimeter",
    sizes={"train": 60_000, "validation": 15_000, "test": 25_000},
    seed=50,
    generator="hepml_labs.physics.clusters: parametrised shower profiles, sampling, noise and zero suppression",
    citation=("bock1981showers", "groom2007energy", "grindhammer2000showers"),
)

_ENTRIES = (
    _gluons(3, {"train": 100_000, "validation": 10_000, "test": 20_000}, seed=30),
    _gluons(4, {"train": 80_000, "validation": 10_000, "test": 20_000}, seed=40),
    _CLUSTERS,
)

#: All data sets by name.
CATALOGUE = {entry.name: entry for entry in _ENTRIES}
