r"""B mesons against continuum at a B factory: :math:`B^+ \to K^{*0}\rho^+` candidates, or whole events.

Electrons and positrons collide at 10.58 GeV. One event in four or so makes an Upsilon(4S), which decays to two B mesons
almost at rest; the rest of the hadronic events, the continuum, are pairs of light or charm quarks, two jets back to
back. The recipe follows BaBar's first observation of :math:`B^+ \to K^{*0}\rho^+` :cite:`aubert2004kstarrho`, which
fought continuum with a neural network of six variables.

*Signal.* :math:`e^+e^- \to B^+B^-` with the angular distribution :math:`\sin^2\theta`; one B decays to
:math:`K^{*0}(\to K^+\pi^-)\,\rho^+(\to\pi^+\pi^0)` with the longitudinal polarisation that BaBar measured, the other as
Pythia's table says. *Continuum.* :math:`e^+e^- \to \gamma^*/Z \to u\bar u, d\bar d, s\bar s, c\bar c` in their natural
shares, with parton shower and string fragmentation. *Detector.* Tracks and photons with about the acceptance,
efficiency and resolution of BaBar :cite:`aubert2001babar`, see `b_reconstruction.DETECTOR`. *Candidates.* An
identified kaon, two pions and two photons of the right charges, with the mass windows of that module, and two more
particles in the event; of several the one whose photons are nearest to the mass of the neutral pion, at random where
that leaves a choice. The window of m_ES and Delta E is wide: most of it is sideband, where background can be studied.

Simplified: the centre-of-mass frame stands for the laboratory, so there is no boost and no decay vertex; no radiation
off the beams, no beam background; long-lived neutral hadrons are not seen, kaons are identified with one efficiency at
all momenta; the beam energy's spread is put on the value used in the analysis and not on the collision, which gives
m_ES the same width. B mesons as background to the signal are left out.
"""

import numpy as np

from hepml_labs.datasets.b_reconstruction import ENERGY, candidate_columns, event_columns, flatten, polarised
from hepml_labs.datasets.packing import dequantize, quantize
from hepml_labs.datasets.pythia import events, mixture
from hepml_labs.validation import check_between, check_count

CHUNK = 1000
FISHER = (2.09, 0.569, -1.658)  # constant, of L0 and of L2; the latter per GeV

_EVENT = {
    "r2": "ratio H_2 / H_0 of the Fox-Wolfram moments of all particles",
    "thrust": "thrust of all particles",
    "sphericity": "sphericity of all particles",
    "tracks": "int8: number of tracks",
    "photons": "int8: number of photons",
}
_TRUTH = {
    "flavor": "int8, truth: quark of a continuum event (1 d, 2 u, 3 s, 4 c), 0 for B mesons",
    "signal": "int8: 1 for B mesons, 0 for continuum",
}
COLUMNS = {
    "m_es": "GeV: beam-energy substituted mass, sqrt(s / 4 - p_B^2)",
    "delta_e": "GeV: energy of the candidate less half the collision energy",
    "mass_kstar": "GeV: mass of kaon and pion",
    "mass_rho": "GeV: mass of pion and neutral pion",
    "helicity_kstar": "cosine between kaon and direction opposite to the B, in the frame of the K*0",
    "helicity_rho": "cosine between charged pion and direction opposite to the B, in the frame of the rho",
    "l0": "GeV: sum of abs(p) over the rest of the event",
    "l2": "GeV: sum of abs(p) cos^2 over the rest, angles to the candidate's thrust axis",
    "fisher": "Fisher discriminant of l0 and l2",
    "cos_b_beam": "abs(cos) between candidate and beam",
    "cos_thrust_beam": "abs(cos) between the candidate's thrust axis and the beam",
    "cos_thrust_thrust": "abs(cos) between the thrust axes of the candidate and of the rest",
    "cos_pi0": "abs(cos) between a photon and the direction of the neutral pion, in the frame of the latter",
    "sum_pt": "GeV: sum of transverse momenta, relative to the beam, over the rest",
    "cones": "(n, 9), GeV: sum of abs(p) of the rest in intervals of 10 degrees from the candidate's thrust axis",
    **_EVENT,
    "correct": "int8, truth: 1 if all five particles of the candidate come from the signal decay",
    **_TRUTH,
}
"""Column name: shape if not (n,), type if not float32, unit and meaning."""

EVENT_COLUMNS = {
    **_EVENT,
    "energy": "GeV: visible energy, all tracks taken as pions",
    "cones": "(n, 9), GeV: sum of abs(p) in intervals of 10 degrees from the event's thrust axis",
    "charged": "int8, truth: 1 for B+ B-, 0 for neutral B mesons and for continuum",
    **_TRUTH,
}
"""The columns with ``candidates=False``."""

SIX = ("fisher", "cos_b_beam", "cos_thrust_beam", "cos_thrust_thrust", "cos_pi0", "sum_pt")
"""The six inputs of BaBar's network."""

_STEPS = {name: 1e-3 for name in COLUMNS} | {"m_es": 1e-4, "mass_kstar": 5e-4}
_STEPS |= {"l0": 5e-3, "l2": 5e-3, "sum_pt": 5e-3, "cones": 5e-3, "energy": 5e-3}
_SIGNED = dict.fromkeys(("delta_e", "helicity_kstar", "helicity_rho"), np.int16)
_LEPTONS = ("PDF:lepton = off", "PartonLevel:ISR = off", "PartonLevel:MPI = off")


def columns(candidates=True):
    """Describe the columns of `generate` with the same setting: unit and meaning by name (dict of str to str)."""
    return COLUMNS if candidates else EVENT_COLUMNS


def generate(n, seed, *, candidates=True, signal=0.5):
    """Make candidates for B+ to K*0 rho+ (or its conjugate), or whole events.

    Parameters
    ----------
    n : int
        Number of rows.
    seed : int or numpy.random.Generator
        With an integer, the rows of a smaller set open the larger one.
    candidates : bool
        True: one candidate of each event that has some, as in `COLUMNS`. False: all events with at least three tracks,
        B mesons half charged and half neutral with all their decays, as in `EVENT_COLUMNS`.
    signal : float
        Share of B mesons among the rows.

    Returns
    -------
    dict of arrays, first dimension n
        float32 and int8; the columns of `COLUMNS` or `EVENT_COLUMNS`.

    Raises
    ------
    ValueError
        If n < 1, or `signal` is not between 0 and 1.

    Examples
    --------
    >>> events = generate(50, seed=1, candidates=False)
    >>> events["cones"].shape, bool((events["flavor"][events["signal"] == 1] == 0).all())
    ((50, 9), True)
    """
    check_count("n", n)
    check_between("signal", signal, 0, 1, include_low=True, include_high=True)
    reconstruct, names = (candidate_columns, COLUMNS) if candidates else (event_columns, EVENT_COLUMNS)
    decay = ("521:onMode = 3", "521:onPosIfMatch = 313 213") if candidates else ()  # 3: on for B- alone
    continuum = (*_LEPTONS, "Beams:idA = 11", "Beams:idB = -11", f"Beams:eCM = {ENERGY}")
    continuum += ("WeakSingleBoson:ffbar2gmZ = on", "23:onMode = off", "23:onIfAny = 1 2 3 4")

    def background(random):
        for batch in events(continuum, random, batch=2000):
            yield from reconstruct(flatten(batch.prt), random)

    def b_mesons(random):
        source = _upsilon(random.spawn(1)[0], charged=1.0 if candidates else 0.5)
        for batch in events((*_LEPTONS, "PartonLevel:FSR = off", *decay), random, batch=500, source=source):
            particles = flatten(batch.prt)
            yield from reconstruct(polarised(particles, random) if candidates else particles, random)

    sources = {0: (1 - signal, background), 1: (signal, b_mesons)}
    labels, columns = mixture(n, seed, sources)
    columns["signal"] = labels
    if candidates:
        columns["fisher"] = fisher(columns["l0"], columns["l2"])
    return {name: columns[name].astype(np.int8 if "int8" in names[name] else np.float32) for name in names}


def pack(columns):
    """Store in 16-bit steps: cosines and event shapes 0.001, sums of momenta 5 MeV, masses 0.1 to 1 MeV.

    Parameters
    ----------
    columns : dict of arrays

    Returns
    -------
    dict of arrays
        ``fisher`` is left out: it follows from ``l0`` and ``l2``.
    """
    stored = {}
    for name, values in columns.items():
        if name != "fisher":
            whole = np.issubdtype(values.dtype, np.integer)
            stored[name] = values if whole else quantize(values, _STEPS[name], _SIGNED.get(name, np.uint16))
    return stored


def unpack(stored):
    """Give the columns back.

    Parameters
    ----------
    stored : dict of arrays

    Returns
    -------
    dict of arrays
        float32 and int8.
    """
    read = {
        name: values if values.dtype == np.int8 else dequantize(values, _STEPS[name]) for name, values in stored.items()
    }
    if "l0" not in read:
        return read
    read["fisher"] = fisher(read["l0"], read["l2"])
    return {name: read[name] for name in COLUMNS}


def fisher(l0, l2):
    """Fisher discriminant of the two momentum sums: 0 on average for continuum, 2 for B mesons, a spread of 1 in each.

    Parameters
    ----------
    l0, l2 : arrays, (n,)
        In GeV.

    Returns
    -------
    array, (n,)
        The coefficients `FISHER` are those of a linear discriminant analysis of 6,000 candidates of this recipe.

    Examples
    --------
    >>> fisher(np.array([4.0, 4.0]), np.array([3.0, 1.5])).round(2)
    array([-0.61,  1.88], dtype=float32)
    """
    constant, first, second = FISHER
    return (constant + first * l0 + second * l2).astype(np.float32)


def _upsilon(random, charged):
    """Source of e+ e- to B Bbar events for Pythia, which has no Upsilon(4S)."""
    import pythia8mc

    class Upsilon(pythia8mc.LHAup):
        def setInit(self):
            self.setBeamA(11, ENERGY / 2)
            self.setBeamB(-11, ENERGY / 2)
            self.setStrategy(3)
            self.addProcess(9999, 1.0, 0.0, 1.0)
            return True

        def setEvent(self, idProcess=0):
            code, b_mass = (521, 5.27925) if random.random() < charged else (511, 5.27958)
            # the cumulative distribution of sin^2(theta) inverted: c^3 - 3 c = 2 - 4 u
            cosine = 2 * np.cos((np.arccos(1 - 2 * random.random()) + 4 * np.pi) / 3)
            size, phi = np.sqrt(ENERGY**2 / 4 - b_mass**2), 2 * np.pi * random.random()
            x, y = size * np.sqrt(1 - cosine**2) * np.array([np.cos(phi), np.sin(phi)])
            z, half = size * cosine, ENERGY / 2
            self.setProcess(9999, 1.0, ENERGY, 1 / 137.0, 0.2)
            self.addParticle(11, -1, 0, 0, 0, 0, 0.0, 0.0, half, half, 0.0, 0.0, 9.0)
            self.addParticle(-11, -1, 0, 0, 0, 0, 0.0, 0.0, -half, half, 0.0, 0.0, 9.0)
            self.addParticle(code, 1, 1, 2, 0, 0, x, y, z, half, b_mass, 0.0, 9.0)
            self.addParticle(-code, 1, 1, 2, 0, 0, -x, -y, -z, half, b_mass, 0.0, 9.0)
            return True

    return Upsilon()
