"""The catalogue: the cards of all data sets that this project makes."""

from dataclasses import replace

from hepml_labs.datasets.entry import Entry


def _gluons(outgoing, sizes, seed):
    return Entry(
        name=f"gluons_{outgoing}g",
        title=f"Tree-level amplitudes of gg to {outgoing} gluons",
        description=(
            f"Points of flat {outgoing}-body phase space of two gluons that collide at 1 TeV in their centre of mass; "
            "each outgoing gluon has pT > 50 GeV and |eta| < 5, each pair Delta R > 0.4. The label is the squared "
            "matrix element with full colour, summed over final and averaged over initial helicities and colours, "
            "without the factor for identical gluons, at alpha_s = 0.118."
        ),
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
    recipe="hepml_labs.datasets.calorimeter",
    sizes={"train": 60_000, "validation": 15_000, "test": 25_000},
    seed=50,
    generator="hepml_labs.physics.clusters: parametrised shower profiles, sampling, noise and zero suppression",
    citation=("bock1981showers", "groom2007energy", "grindhammer2000showers"),
)

_GENERATORS = ("pythia8mc", "fastjet", "awkward")

_TOP_TAGGING = Entry(
    name="top_tagging",
    title="Top and QCD jets, after the recipe of the top-tagging landscape",
    description=(
        "Anti-kT jets of R = 0.8, 550 < pT < 650 GeV and abs(eta) < 2 from proton collisions at 14 TeV, half of them "
        "from hadronic top quarks whose quarks all lie within the jet, half from light quarks and gluons; energy-flow "
        "constituents of a fast detector; no pile-up, no multiple interactions. The two leading jets of an event; hard "
        "scatterings from 400 GeV (QCD) and 450 GeV (top) on."
    ),
    recipe="hepml_labs.datasets.top_tagging",
    sizes={"train": 40_000, "validation": 6_000, "test": 14_000},
    seed=80,
    packages=_GENERATORS,
    generator="Pythia 8, energy-flow detector with the numbers of the ATLAS card of Delphes, FastJet",
    citation=("kasieczka2019landscape", "bierlich2022pythia", "defavereau2014delphes", "cacciari2011fastjet"),
)

_QUARK_GLUON = Entry(
    name="quark_gluon",
    title="Quark and gluon jets, after the recipe of the Energy Flow Networks",
    description=(
        "Anti-kT jets of R = 0.4, 500 < pT < 550 GeV and abs(y) < 1.7 beside a Z boson that decays to neutrinos, in "
        "proton collisions at 14 TeV with multiple interactions; half of them light-quark (u, d, s) and half gluon "
        "jets; stable particles with their kinds, without a detector."
    ),
    recipe="hepml_labs.datasets.quark_gluon",
    sizes={"train": 7_000, "validation": 1_000, "test": 2_000},
    seed=90,
    packages=_GENERATORS,
    generator="Pythia 8, FastJet",
    citation=("komiske2018energyflow", "komiske2019quarkgluon", "bierlich2022pythia", "cacciari2011fastjet"),
)

_Z_JETS = Entry(
    name="z_jets",
    title="Z bosons that decay to muons, with jets",
    description=(
        "Proton collisions at 13 TeV: q qbar to mu- mu+ with 76 < m < 106 GeV and all anti-kT jets of R = 0.4 with pT "
        "> 20 GeV and abs(eta) < 5, at least one, each two of them Delta R > 0.4 apart. Stable particles "
        "without a detector, without multiple interactions and without photon radiation off the muons."
    ),
    recipe="hepml_labs.datasets.z_jets",
    sizes={"train": 100_000, "validation": 15_000, "test": 35_000},
    seed=100,
    packages=_GENERATORS,
    generator="Pythia 8, FastJet",
    citation=("butter2023jetgpt", "bierlich2022pythia", "cacciari2011fastjet"),
)

_Z_JETS_ALTERNATIVE = replace(
    _Z_JETS,
    name="z_jets_alternative",
    title="Z bosons that decay to muons, with jets, from another simulation",
    description=(
        "As z_jets, with other settings of Pythia in the place of another generator: initial-state showers that recoil "
        "within dipoles, a smaller strong coupling in both showers, fewer soft emissions, more primordial transverse "
        "momentum, other parton densities. Made to be told from z_jets by a classifier, with difficulty: the densities "
        "differ by less than a factor of five nearly everywhere."
    ),
    settings={"variation": "alternative"},
    sizes={"train": 60_000, "validation": 10_000, "test": 30_000},
    seed=150,
)

_LHCO = {
    "recipe": "hepml_labs.datasets.lhco",
    "packages": _GENERATORS,
    "generator": "Pythia 8, energy-flow detector with the numbers of the CMS card of Delphes, FastJet",
    "citation": (
        "kasieczka2021lhco",
        "hallin2022cathode",
        "bierlich2022pythia",
        "defavereau2014delphes",
        "cacciari2011fastjet",
    ),
}
_LHCO_EVENTS = (
    "Proton collisions at 13 TeV with at least one anti-kT jet of R = 1.0, pT > 1.2 TeV and abs(eta) < 2.5: QCD "
    "dijets and W'(3.5 TeV) to X(500 GeV) Y(100 GeV), X and Y to two quarks, after the research-and-development set "
    "of the LHC Olympics 2020."
)

_LHCO_DIJETS = Entry(
    name="lhco_dijets",
    title="Dijets and a hidden resonance, as in the LHC Olympics: features",
    description=_LHCO_EVENTS + " Of the events 6 % are signal.",
    sizes={"train": 80_000, "validation": 10_000, "test": 26_000},
    seed=60,
    **_LHCO,
)

_LHCO_WINDOW = Entry(
    name="lhco_window",
    title="Dijets as in the LHC Olympics: more background in the signal region",
    description=(
        "QCD dijets of the recipe of lhco_dijets with 3.3 < mjj < 3.7 TeV, none of them in lhco_dijets: the true "
        "background of the window, which an experiment lacks, for the idealised bound and for tests with small errors."
    ),
    settings={"signal_share": 0.0, "mass_range": [3300, 3700]},
    sizes={"train": 12_000, "validation": 1_500, "test": 9_000},
    seed=210,
    **_LHCO,
)

_LHCO_CONSTITUENTS = Entry(
    name="lhco_constituents",
    title="Dijets and a hidden resonance, as in the LHC Olympics: constituents",
    description=_LHCO_EVENTS
    + " Fewer events than in lhco_dijets, 30 % of them signal, with the constituents of the jets.",
    settings={"constituents": 80, "signal_share": 0.3},
    sizes={"train": 5_000, "validation": 1_000, "test": 2_000},
    seed=70,
    **_LHCO,
)

_HIGGS_DIPHOTON = Entry(
    name="higgs_diphoton",
    title="Higgs bosons that decay to two photons, and the diphoton continuum",
    description=(
        "Proton collisions at 13 TeV with two isolated photons, 100 < m < 180 GeV: half Higgs bosons from all "
        "production modes, with masses of 110, 120, 125 (three times as many), 130 and 140 GeV, half continuum from "
        "quarks and from the gluon box, with a mass hypothesis drawn from the same list. Photons, their resolutions "
        "and up to three jets as low-level, masses and angles as high-level features."
    ),
    recipe="hepml_labs.datasets.higgs_diphoton",
    settings={"masses": [110, 120, 125, 125, 125, 130, 140]},
    sizes={"train": 32_000, "validation": 4_000, "test": 14_000},
    seed=120,
    packages=_GENERATORS,
    generator="Pythia 8, parametrised photons and jets with the resolution of CMS, FastJet",
    citation=("cms2012observation", "cms2014diphoton", "baldi2014exotic", "baldi2016parameterized", "cms2013ecal"),
)

_B_FACTORY = Entry(
    name="b_factory",
    title="Candidates for B+ to K*0 rho+ and continuum at a B factory",
    description=(
        "Electrons and positrons at 10.58 GeV: half B+ B- with one B+ to K*0(K+ pi-) rho+(pi+ pi0), half candidates "
        "from u, d, s, c quark pairs, in a wide window of m_ES and Delta E; BaBar's six variables against the "
        "continuum, momentum cones and the shape of the whole event; a parametrised detector."
    ),
    recipe="hepml_labs.datasets.b_factory",
    sizes={"train": 14_000, "validation": 2_000, "test": 4_000},
    seed=130,
    packages=("pythia8mc", "awkward"),
    generator="Pythia 8 with a source of B pairs of its own, parametrised detector with the resolution of BaBar",
    citation=("aubert2004kstarrho", "aubert2001babar", "asner1996search", "bierlich2022pythia"),
)

_B_FACTORY_EVENTS = Entry(
    name="b_factory_events",
    title="Shapes of whole events at a B factory",
    description=(
        "Electrons and positrons at 10.58 GeV: half B+ B- and B0 B0bar with all their decays, half u, d, s, c quark "
        "pairs in their natural shares; shapes of the event after a parametrised detector."
    ),
    recipe="hepml_labs.datasets.b_factory",
    settings={"candidates": False},
    sizes={"train": 40_000, "validation": 10_000, "test": 10_000},
    seed=140,
    packages=("pythia8mc", "awkward"),
    generator="Pythia 8 with a source of B pairs of its own, parametrised detector with the resolution of BaBar",
    citation=("aubert2004kstarrho", "fox1978observables", "farhi1977thrust", "bierlich2022pythia"),
)

_HEAVY_FLAVOR = Entry(
    name="heavy_flavor",
    title="Jets with b hadrons, with c hadrons and with neither, and their tracks",
    description=(
        "Anti-kT jets of R = 0.4, 20 < pT < 250 GeV (nearly flat in ln pT for all classes) and abs(eta) < 2.5 from "
        "hard b bbar, c cbar and light QCD scattering at 13 TeV, a third of each; up to 40 tracks with impact "
        "parameters, their uncertainties, true origin and true vertex; parametrised tracker, pile-up tracks, fakes."
    ),
    recipe="hepml_labs.datasets.heavy_flavor",
    sizes={"train": 40_000, "validation": 4_000, "test": 6_000},
    seed=110,
    packages=_GENERATORS,
    generator="Pythia 8 with a bias in pT, FastJet, hepml_labs.physics.tracking",
    citation=("atlas2022graph", "atlas2025transformer", "bierlich2022pythia", "cacciari2011fastjet"),
)

_MULTIJETS = Entry(
    name="multijets",
    title="Four-jet events with emulated tags, and pairs of Higgs bosons among them",
    description=(
        "Proton collisions at 13 TeV with at least four anti-kT jets of R = 0.4, pT > 40 GeV and abs(eta) < 2.5: hard "
        "QCD processes, and 3 % X(500 GeV) to H H to four b quarks. The four leading jets make two Higgs candidates of "
        "60 to 220 GeV each. The tags are an emulation: no b quark is looked for, each jet is tagged with a known "
        "probability that depends on its pT, its eta and its nearest neighbour, another one for signal. Kept are "
        "events with two, three or four tags, so that the ratio of the densities with four and with two is known."
    ),
    recipe="hepml_labs.datasets.multijets",
    sizes={"train": 36_000, "validation": 2_000, "test": 14_000},
    seed=160,
    packages=_GENERATORS,
    generator="Pythia 8, parametrised jet resolution, FastJet",
    citation=("atlas2023bbbb", "atlas2022resonantbbbb", "bierlich2022pythia", "cacciari2011fastjet"),
)

_HIGGS_WBF = Entry(
    name="higgs_wbf",
    title="Weak-boson fusion with f_W and f_WW, with exact weights",
    description=(
        "p p to H j j with H to two photons at 13 TeV, from leading-order amplitudes with the coefficients f_W and "
        "f_WW; parametric detector: soft recoil, jets and photons with known resolution; m_jj > 300 GeV, "
        "abs(delta eta_jj) > 2. Events of a mixture of benchmarks within abs(theta) <= 1. The weights of all "
        "rows that are loaded add to the cross-section after the selection, with the Standard Model's branching ratio."
    ),
    recipe="hepml_labs.datasets.higgs_wbf",
    sizes={"train": 48_000, "validation": 6_000, "test": 16_000},
    seed=190,
    packages=("pythia8mc",),
    generator="hepml_labs.physics: t-channel amplitudes, NNPDF2.3 LO parton densities as installed with Pythia 8",
    citation=("brehmer2018constraining", "hagiwara1993anomalous", "ball2013qed"),
)

_HIGGS_WH = Entry(
    name="higgs_wh",
    title="W H to l nu b b with the weight of each event at every f_W and f_WW",
    description=(
        "Proton collisions at 13 TeV, leading order: W H with W to e or mu and H to b b, a detector of known "
        "resolution, no background. Events come in equal parts from the Standard Model and six benchmarks with abs(f_W "
        "v^2 / Lambda^2) and abs(f_WW v^2 / Lambda^2) of 0.5 or 0, so that weights in that square are of comparable "
        "size. Decays of the Higgs boson are those of the Standard Model at every theta."
    ),
    recipe="hepml_labs.datasets.higgs_wh",
    sizes={"train": 32_000, "validation": 4_000, "test": 14_000},
    seed=170,
    packages=("pythia8mc",),
    generator="hepml_labs.physics.wh: tree-level amplitudes; parton densities NNPDF2.3 LO from Pythia 8",
    citation=("brehmer2018constraining", "brehmer2018guide", "hagiwara1993anomalous", "ball2013qed"),
)

_ENTRIES = (
    _gluons(3, {"train": 100_000, "validation": 10_000, "test": 20_000}, seed=30),
    _gluons(4, {"train": 80_000, "validation": 10_000, "test": 20_000}, seed=40),
    _CLUSTERS,
    _TOP_TAGGING,
    _QUARK_GLUON,
    _Z_JETS,
    _Z_JETS_ALTERNATIVE,
    _LHCO_DIJETS,
    _LHCO_WINDOW,
    _LHCO_CONSTITUENTS,
    _HIGGS_DIPHOTON,
    _B_FACTORY,
    _B_FACTORY_EVENTS,
    _HEAVY_FLAVOR,
    _MULTIJETS,
    _HIGGS_WH,
    _HIGGS_WBF,
)

#: All data sets by name.
CATALOGUE = {entry.name: entry for entry in _ENTRIES}
