"""The published data sets: files by split, readers, terms and papers."""

from dataclasses import dataclass, field

from hepml_labs.datasets.entry import SPLITS
from hepml_labs.datasets.public import files

LANES = 20  # a file that serves several splits is dealt out by row number modulo this
ALL = tuple(range(LANES))


@dataclass(frozen=True)
class PublicSource:
    """A published data set.

    Attributes
    ----------
    name, title, description : str
    files : dict of str to tuple of PublicFile
        By split.
    reader : str
        Module with ``COLUMNS`` and ``read(paths, n, lanes, **settings)``.
    splits : str
        Who made the splits, and how.
    homepage, generator, licence : str
    citation : tuple of str
        Keys of ``book/references.bib``.
    rows : int, optional
        Rows that are loaded when no number is asked for; all of the split where None.
    lanes : dict of str to tuple of int
        Row numbers, modulo 20, that belong to a split; all where the split is not named.
    settings : dict
        Passed to the reader.
    """

    name: str
    title: str
    description: str
    files: dict
    reader: str
    splits: str
    homepage: str
    generator: str
    citation: tuple
    licence: str = "CC-BY-4.0"
    rows: int | None = None
    lanes: dict = field(default_factory=dict)
    settings: dict = field(default_factory=dict)

    def all_files(self):
        """Return every file once, in the order of the splits.

        Examples
        --------
        >>> [file.name for file in PUBLIC["top_tagging"].all_files()]
        ['train.h5', 'val.h5', 'test.h5']
        """
        return list(dict.fromkeys(file for split in SPLITS for file in self.files[split]))

    def card(self):
        """Return what is known about the data set as a dictionary that JSON can hold."""
        card = {name: getattr(self, name) for name in ("name", "title", "description", "generator", "licence")}
        card |= {"homepage": self.homepage, "splits": self.splits, "citation": list(self.citation)}
        return card | {"reader": self.reader, "settings": self.settings}


#: For sets whose licence is not confirmed from the record itself.
UNCONFIRMED = "CC-BY-4.0 to our knowledge; the page of the record decides"


def _same(listed):
    return dict.fromkeys(SPLITS, listed)


_LHCO = {
    "splits": "ours: row number modulo 20, 0 to 15 for training, 16 and 17 for validation, 18 and 19 for the test",
    "lanes": {"train": tuple(range(16)), "validation": (16, 17), "test": (18, 19)},
    "reader": "hepml_labs.datasets.public.lhco",
    "homepage": "https://zenodo.org/records/6466204",
    "generator": "Pythia 8 and Delphes 3.4.1, without pile-up and multiple interactions",
    "citation": ("kasieczka2021lhco",),
}
_LHCO_EVENTS = (
    "A million QCD dijets and 100,000 W'(3.5 TeV) to X(500 GeV) Y(100 GeV), X and Y to two quarks, in proton "
    "collisions at 13 TeV; trigger: one anti-kT jet of R = 1.0 with pT > 1.2 TeV. "
)


def _jetnet(particles, listed):
    return PublicSource(
        name=f"jetnet_{particles}",
        title=f"JetNet: jets of gluons, quarks, tops, W and Z bosons, {particles} particles",
        description=(
            f"Anti-kT jets of about 1 TeV from gluons, light quarks, top quarks, W and Z bosons; up to {particles} "
            "particles with angles and momenta relative to the jet. The standard of generative models for jets."
        ),
        files=_same(listed),
        reader="hepml_labs.datasets.public.jetnet",
        splits="ours: row number modulo 20, 0 to 13 for training, 14 to 16 for validation, 17 to 19 for the test",
        lanes={"train": tuple(range(14)), "validation": (14, 15, 16), "test": (17, 18, 19)},
        homepage=f"https://zenodo.org/records/{listed[0].record}",
        generator="MadGraph5_aMC@NLO and Pythia 8",
        citation=("kansal2021jetnet",),
        licence=UNCONFIRMED,
    )


def _calochallenge(name, title, geometry, rows=None):
    listed = files.CALOCHALLENGE[name]
    return PublicSource(
        name=f"calochallenge_{name}",
        title=f"CaloChallenge: {title}",
        description=f"Showers of single {title.split(' ')[0]} in Geant4, energies deposited in voxels: {geometry}.",
        files=listed,
        reader="hepml_labs.datasets.public.calochallenge",
        splits="test as published; ours: row number modulo 20 of the training files, 19 for validation",
        lanes={"train": tuple(range(19)), "validation": (19,)},
        homepage="https://calochallenge.github.io/homepage/",
        generator="Geant4",
        citation=("krause2024calochallenge",),
        licence="CC-BY-4.0" if name == "2" else UNCONFIRMED,
        rows=rows,
    )


_SOURCES = (
    PublicSource(
        name="top_tagging",
        title="Top Quark Tagging Reference Dataset",
        description=(
            "Anti-kT jets of R = 0.8, 550 < pT < 650 GeV, abs(eta) < 2, from hadronic tops and from light quarks and "
            "gluons in proton collisions at 14 TeV; of up to 200 energy-flow constituents the hardest 100 are kept."
        ),
        files=files.LANDSCAPE,
        reader="hepml_labs.datasets.public.landscape",
        splits="as published: 1.2 million, 400,000 and 400,000 jets",
        homepage="https://zenodo.org/records/2603256",
        generator="Pythia 8 and Delphes (ATLAS card), without pile-up and multiple interactions",
        citation=("kasieczka2019landscape", "butter2017lola"),
    ),
    PublicSource(
        name="quark_gluon",
        title="Pythia 8 quark and gluon jets for Energy Flow",
        description=(
            "Anti-kT jets of R = 0.4, 500 < pT < 550 GeV, abs(y) < 1.7, from a light quark or a gluon beside an "
            "invisible Z in proton collisions at 14 TeV; stable particles with their kinds, without a detector."
        ),
        files={"train": files.QUARK_GLUON[:16], "validation": files.QUARK_GLUON[16:18], "test": files.QUARK_GLUON[18:]},
        reader="hepml_labs.datasets.public.energyflow",
        splits="ours, in the sizes that the authors advise: files 0 to 15 for training, 16 and 17, 18 and 19",
        homepage="https://zenodo.org/records/3164691",
        generator="Pythia 8.226",
        citation=("komiske2018energyflow", "komiske2019quarkgluon"),
        licence=UNCONFIRMED,
        rows=100_000,
    ),
    PublicSource(
        name="lhco_dijets",
        title="LHC Olympics 2020, research and development: features of the two leading jets",
        description=_LHCO_EVENTS + "Jets and N-subjettiness as published.",
        files=_same((files.LHCO_FEATURES,)),
        **_LHCO,
    ),
    PublicSource(
        name="lhco_window",
        title="LHC Olympics 2020, research and development: additional background in the signal region",
        description=(
            "More QCD dijets of the same recipe with 3.3 < mjj < 3.7 TeV, for the idealised bound and for tests. "
            "Jets and N-subjettiness as published."
        ),
        files=_same((files.LHCO_BACKGROUND,)),
        settings={"label": False},
        **_LHCO
        | {"homepage": "https://zenodo.org/records/8370758", "citation": ("kasieczka2021lhco", "hallin2022cathode")},
    ),
    PublicSource(
        name="lhco_constituents",
        title="LHC Olympics 2020, research and development: constituents of the two leading jets",
        description=_LHCO_EVENTS + "The published particles of the event, up to 700, clustered when they are read.",
        files=_same((files.LHCO_PARTICLES,)),
        rows=10_000,
        settings={"constituents": 80},
        **_LHCO,
    ),
    PublicSource(
        name="jetclass",
        title="JetClass: ten kinds of jets",
        description=(
            "Anti-kT jets of R = 0.8, 500 < pT < 1000 GeV, abs(eta) < 2, from light quarks and gluons and from H, W, Z "
            "and top decays; up to 128 particles with kinds, charges and displacements. The classes come in turn."
        ),
        files=files.JETCLASS,
        reader="hepml_labs.datasets.public.jetclass",
        splits="as published: 100 million jets in ten files, 5 and 20 million in one each",
        homepage="https://zenodo.org/records/6619768",
        generator="MadGraph5_aMC@NLO, Pythia 8 and Delphes (CMS card)",
        citation=("qu2022transformer",),
        licence=UNCONFIRMED,
        rows=100_000,
    ),
    _jetnet(30, files.JETNET_30),
    _jetnet(150, files.JETNET_150),
    _calochallenge("1_photons", "photons, data set 1", "5 layers, 368 voxels of unequal size"),
    _calochallenge("1_pions", "pions, data set 1", "7 layers, 533 voxels of unequal size"),
    _calochallenge("2", "electrons, data set 2", "45 layers of 16 x 9 voxels (angle, radius)", rows=20_000),
    _calochallenge("3", "electrons, data set 3", "45 layers of 50 x 18 voxels (angle, radius)", rows=5_000),
)

#: Published data sets by name.
PUBLIC = {source.name: source for source in _SOURCES}
