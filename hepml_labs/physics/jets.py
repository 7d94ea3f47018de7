"""Jets and their substructure: FastJet on whole batches of events, and the observables of jet tagging.

Particles and jets are awkward arrays of records with the fields px, py, pz, E (GeV); padded arrays are numpy arrays of
shape (jets, particles, 4) with (E, px, py, pz) last and zeros after the last particle. FastJet and fastjet-contrib do
the work :cite:`cacciari2011fastjet`; :mod:`hepml_labs.physics.recombination` shows how, one jet at a time.
"""

from __future__ import annotations

import awkward as ak
import fastjet
import numpy as np

from hepml_labs.validation import check_array, check_between, check_count

ALGORITHMS = {"antikt": fastjet.antikt_algorithm, "ca": fastjet.cambridge_algorithm, "kt": fastjet.kt_algorithm}
"""Name: algorithm, the generalised kT family with exponents -1, 0 and 1."""

FIELDS = ("E", "px", "py", "pz")
WHOLE_JET = 100.0  # a radius that clusters any jet into one

fastjet._swig.ClusterSequence.set_fastjet_banner_stream(None)  # the banner would otherwise open every first clustering


def cluster(particles, radius, minimum_pt, algorithm="antikt"):
    """Cluster the particles of each event into jets (E-scheme).

    Parameters
    ----------
    particles : awkward array of records, (events, particles)
        With the fields px, py, pz, E in GeV, and any others.
    radius : float
        Jet radius R in rapidity and azimuth.
    minimum_pt : float
        Smallest transverse momentum of a jet, GeV.
    algorithm : {"antikt", "ca", "kt"}
        Anti-kT :cite:`cacciari2008antikt`, Cambridge/Aachen or kT.

    Returns
    -------
    jets : awkward array of records {px, py, pz, E}, (events, jets)
        Highest transverse momentum first.
    constituents : awkward array, (events, jets, particles)
        The particles of each jet with all the fields of the input, in no particular order.

    Raises
    ------
    ValueError
        Naming the argument, if `particles` has no momenta or a number is out of range.

    Examples
    --------
    >>> event = [{"px": 50.0, "py": y, "pz": 0.0, "E": 50.1, "id": 211} for y in (0.0, 1.0)]
    >>> jets, constituents = cluster(ak.Array([event, []]), radius=0.4, minimum_pt=20.0)
    >>> jets.px.tolist(), constituents.id.tolist()
    ([[100.0], []], [[[211, 211]], []])
    """
    particles = _events(particles)
    check_between("radius", radius, 0, WHOLE_JET, include_high=True)
    check_between("minimum_pt", minimum_pt, 0, np.inf, include_low=True)
    if algorithm not in ALGORITHMS:
        raise ValueError(f"algorithm: found {algorithm!r}, expected one of {sorted(ALGORITHMS)}")
    if ak.sum(ak.num(particles)) == 0:  # FastJet would call each such event one of its own kind
        nothing = ak.Array(ak.contents.ListOffsetArray(ak.index.Index64([0] * (len(particles) + 1)), particles.layout))
        return ak.flatten(nothing, axis=2)[["px", "py", "pz", "E"]], nothing
    sequence = fastjet.ClusterSequence(particles, fastjet.JetDefinition(ALGORITHMS[algorithm], float(radius)))
    jets, members = sequence.inclusive_jets(minimum_pt), sequence.constituent_index(minimum_pt)
    order = ak.argsort(jets.px**2 + jets.py**2, axis=1, ascending=False)
    return jets[order], _members(particles, members[order])


def pad(particles, n):
    """Give lists of particles a fixed length: highest transverse momentum first, zeros at the end.

    Parameters
    ----------
    particles : awkward array of records {px, py, pz, E}, (rows, particles)
    n : int
        Particles kept in each row.

    Returns
    -------
    numpy array of float64, (rows, n, 4)
        (E, px, py, pz) in GeV.

    Raises
    ------
    ValueError
        Naming the argument.

    Examples
    --------
    >>> event = [{"px": 1.0, "py": 0.0, "pz": 0.0, "E": 1.0}, {"px": 0.0, "py": 5.0, "pz": 0.0, "E": 5.0}]
    >>> pad(ak.Array([event]), 3)[0, :, 0]
    array([5., 1., 0.])
    """
    particles = _events(particles)
    check_count("n", n)
    counts = ak.num(particles).to_numpy()
    flat = to_array(ak.flatten(particles))
    row = np.repeat(np.arange(len(counts)), counts)
    order = np.lexsort((-np.hypot(flat[:, 1], flat[:, 2]), row))  # a stable sort, row by row
    rank = np.arange(len(flat)) - np.repeat(np.cumsum(counts) - counts, counts)
    padded, kept = np.zeros((len(counts), n, 4)), rank < n
    padded[row[kept], rank[kept]] = flat[order[kept]]
    return padded


def to_array(records):
    """Four-momenta as a plain array.

    Parameters
    ----------
    records : awkward array of records {px, py, pz, E}
        Of any regular shape, such as one jet of each event.

    Returns
    -------
    numpy array of float64, (..., 4)
        (E, px, py, pz), GeV.

    Raises
    ------
    ValueError
        If a field is missing.

    Examples
    --------
    >>> to_array(ak.Array([{"px": 3.0, "py": 0.0, "pz": 4.0, "E": 5.0}]))
    array([[5., 3., 0., 4.]])
    """
    _check_fields("records", records)
    return np.stack([ak.to_numpy(records[name]).astype(np.float64) for name in FIELDS], axis=-1)


def n_subjettiness(constituents, counts=(1, 2, 3), radius=0.8, beta=1.0, axes="OnePass_WTA_KT_Axes"):
    r"""N-subjettiness of jets, computed by fastjet-contrib.

    .. math:: \tau_N = \frac{\sum_i p_{T,i} \min_k \Delta R_{ik}^\beta}{\sum_i p_{T,i} R_0^\beta}

    Parameters
    ----------
    constituents : awkward array of records {px, py, pz, E}, (jets, particles), or padded numpy array, (jets, m, 4)
    counts : tuple of int
        The numbers N of axes.
    radius : float
        R_0.
    beta : float
        Angular exponent.
    axes : str
        fastjet-contrib's name of the choice of axes; the default takes winner-take-all kT axes and improves them once.

    Returns
    -------
    numpy array, (jets, len(counts))
        Zero where a jet has no more particles than axes.

    Raises
    ------
    ValueError
        Naming the argument.

    Notes
    -----
    :cite:`thaler2010nsubjettiness`, equations 2.1 and 2.2; the exponent: :cite:`thaler2011minimizing`. The improved
    axes are found to about 1e-4, tau to a part in a thousand.

    Examples
    --------
    >>> momenta = np.array([[[50.0, 50, 0, 0], [50.0, 50 * np.cos(0.4), 50 * np.sin(0.4), 0]]])
    >>> n_subjettiness(momenta, counts=(1, 2)).round(6)  # half of the momentum lies 0.4 away from the axis
    array([[0.25, 0.  ]])
    """
    particles = _jets(constituents)
    for count in counts:
        check_count("counts", count)
    check_between("radius", radius, 0, WHOLE_JET)
    check_between("beta", beta, 0, np.inf)
    tau = _whole_jet(particles).njettiness(
        measure_definition="NormalizedMeasure", axes_definition=axes, njets=list(counts), beta=beta, R0=radius
    )
    return np.asarray(tau, dtype=np.float64).reshape(len(particles), len(counts))


def soft_drop_mass(constituents, radius, z_cut=0.1, beta=0.0):
    r"""Mass of jets after soft drop, computed by fastjet-contrib.

    The Cambridge/Aachen tree of the jet is opened from its end; the softer branch is dropped until
    :math:`\min(p_{T,1}, p_{T,2}) / (p_{T,1} + p_{T,2}) > z_{cut} (\Delta R_{12} / R)^\beta`.

    Parameters
    ----------
    constituents : awkward array of records {px, py, pz, E}, (jets, particles), or padded numpy array, (jets, m, 4)
    radius : float
        R, the radius of the jets.
    z_cut, beta : float
        Of the condition; beta = 0 is the modified mass drop tagger.

    Returns
    -------
    numpy array, (jets,)
        GeV.

    Raises
    ------
    ValueError
        Naming the argument.

    Notes
    -----
    :cite:`larkoski2014softdrop`, equation 1.1.

    Examples
    --------
    >>> momenta = np.array([[[50.0, 50, 0, 0], [50.0, 50 * np.cos(0.4), 50 * np.sin(0.4), 0], [2.0, 0, 2, 0]]])
    >>> soft_drop_mass(momenta, radius=0.8).round(4)  # 100 sin(0.2) without the soft particle at a right angle
    array([19.8669])
    """
    particles = _jets(constituents)
    check_between("radius", radius, 0, WHOLE_JET)
    check_between("z_cut", z_cut, 0, 0.5, include_low=True)
    check_between("beta", beta, -np.inf, np.inf)
    groomed = _whole_jet(particles).exclusive_jets_softdrop_grooming(
        njets=1, beta=beta, symmetry_cut=z_cut, R0=float(radius)
    )
    return np.asarray(groomed.msoftdrop, dtype=np.float64).clip(0)  # FastJet gives -sqrt(-m^2) for rounding errors


def _whole_jet(particles):
    return fastjet.ClusterSequence(particles, fastjet.JetDefinition(fastjet.cambridge_algorithm, WHOLE_JET))


def _members(particles, members):
    """Particles by their index in the event: (events, jets, particles)."""
    shifted = ak.flatten(members) + np.repeat(_starts(particles), ak.num(members).to_numpy())
    chosen = ak.flatten(particles)[ak.flatten(shifted)]
    return ak.unflatten(ak.unflatten(chosen, ak.num(shifted)), ak.num(members))


def _starts(particles):
    counts = ak.num(particles).to_numpy()
    return np.cumsum(counts) - counts


def _check_fields(name, records):
    missing = [field for field in FIELDS if field not in ak.fields(records)]
    if missing:
        raise ValueError(f"{name}: found fields {ak.fields(records)}, expected {list(FIELDS)}; {missing} missing")


def _events(particles):
    if not isinstance(particles, ak.Array) or particles.ndim != 2:
        found = f"{particles.ndim} dimensions" if isinstance(particles, ak.Array) else type(particles).__name__
        raise ValueError(f"particles: found {found}, expected an awkward array of records, (events, particles)")
    _check_fields("particles", particles)
    return ak.Array(ak.to_packed(particles).layout.to_ListOffsetArray64(True))


def _jets(constituents):
    """Records of either kind of input; every jet has at least one particle."""
    if isinstance(constituents, ak.Array):
        particles = _events(constituents)
    else:
        check_array("constituents", constituents, ("jets", "particles", 4))
        values = np.asarray(constituents, dtype=np.float64)
        real = values[..., 0] > 0
        flat = values[real]
        records = ak.zip({name: flat[:, k] for k, name in enumerate(FIELDS)})
        particles = ak.unflatten(records, real.sum(axis=1))
    if len(particles) == 0 or ak.any(ak.num(particles) == 0):
        raise ValueError("constituents: found none or an empty jet, expected at least one particle in each jet")
    return particles
