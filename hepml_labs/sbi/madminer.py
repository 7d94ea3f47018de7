"""Our events in MadMiner's files: HDF5 for its analysis chain, LHE for its reader.

Importing this module also makes MadMiner 0.9.6 run with NumPy 1.24 and newer, whose `histogramdd` has no keyword
`normed` any more. It is the only place of the project that touches MadMiner's inside.

Sources: MadMiner, arXiv:1907.10621; Les Houches event files, arXiv:hep-ph/0609017 and hep-ph/0109068.
"""

import shutil
from types import SimpleNamespace

import numpy as np

try:
    import madminer.likelihood.histo
    import madminer.utils.histo
    from madminer.models import Observable
    from madminer.utils.interfaces.hdf5 import load_madminer_settings, save_events
except ImportError as error:
    raise ImportError("MadMiner is not installed (or lacks a package of its own): pip install madminer") from error

from hepml_labs.physics.morphing import monomials
from hepml_labs.sbi.gold import TrainingSample
from hepml_labs.validation import to_numpy

#: Sampling index of events that stand for no benchmark in particular (MadMiner: "background events").
NO_BENCHMARK = -1
INCOMING, FINAL, INTERMEDIATE = -1, 1, 2


def _histogramdd(*arguments, normed=None, **keywords):
    return np.histogramdd(*arguments, density=bool(normed), **keywords)


def _mend():
    """Give MadMiner's two histogram modules a numpy whose `histogramdd` takes `normed`."""
    mended = SimpleNamespace(**{**vars(np), "histogramdd": _histogramdd})
    madminer.utils.histo.np = madminer.likelihood.histo.np = mended


_mend()


def benchmarks(setup):
    """Benchmarks of a MadMiner file, in MadMiner's order.

    Parameters
    ----------
    setup : str or path
        File that `madminer.core.MadMiner.save` wrote, or any file made from it.

    Returns
    -------
    dict
        From the name of each benchmark to its parameters, an array of shape (p,).

    Raises
    ------
    ValueError
        When the file holds no benchmarks.
    """
    found = load_madminer_settings(str(setup), include_nuisance_benchmarks=False)[1]
    if not found:
        raise ValueError(f"setup: found no benchmarks in {setup}, expected a file that MadMiner.save() wrote")
    return {name: np.array(list(benchmark.values.values())) for name, benchmark in found.items()}


def benchmark_weights(setup, coefficients):
    """Weights of events at the benchmarks of a MadMiner file: all that MadMiner needs to know of the matrix element.

    Parameters
    ----------
    setup : str or path
        MadMiner file with the benchmarks.
    coefficients : array of shape (n, K)
        Quadratic coefficients of the events in pb, in the order of :func:`hepml_labs.physics.morphing.monomials`.

    Returns
    -------
    dict
        From the name of each benchmark to the weights in pb, an array of shape (n,); they add up to the cross-section.

    Raises
    ------
    ValueError
        When the coefficients do not fit the number of parameters, or give a negative weight at a benchmark: a squared
        amplitude cannot.
    """
    points = benchmarks(setup)
    at_benchmarks = monomials(np.stack(list(points.values())))
    coefficients = to_numpy("coefficients", coefficients, ("n", at_benchmarks.shape[1])).astype(np.float64)
    weights = coefficients @ at_benchmarks.T
    # Coefficients in single precision may cancel to a little less than nothing.
    if weights.min() < -1e-5 * weights.max():
        event, point = np.unravel_index(weights.argmin(), weights.shape)
        name = list(points)[point]
        found = f"weight {weights.min():.3g} pb of event {event} at benchmark {name!r}"
        raise ValueError(f"coefficients: found {found}, expected no negative ones")
    return dict(zip(points, np.maximum(weights, 0.0).T, strict=True))


def write_events(setup, file, observables, coefficients):
    """Write observables and weights to a MadMiner file, for `SampleAugmenter`, `FisherInformation`, `AsymptoticLimits`.

    MadMiner takes its training, validation and test events by their *position* in the file: give events in random
    order, or training events first and test events last. They are marked as belonging to no benchmark, so that MadMiner
    uses each of them at every parameter point, as it should with events that were drawn from a mixture.

    Parameters
    ----------
    setup : str or path
        File with parameters, benchmarks and morphing, as `madminer.core.MadMiner.save` writes it.
    file : str or path
        File to write; an existing one is replaced.
    observables : dict
        From the name of each observable to its values, an array of shape (n,), in any units.
    coefficients : array of shape (n, K)
        Quadratic coefficients of the events in pb, in the order of :func:`hepml_labs.physics.morphing.monomials`;
        summed over the events they give the cross-section.

    Raises
    ------
    ValueError
        When there are no observables, when the arrays do not fit together, and as :func:`benchmark_weights`.
    """
    if not observables:
        raise ValueError("observables: found none, expected at least one")
    weights = benchmark_weights(setup, coefficients)
    n = len(coefficients)
    values = {name: to_numpy(name, value, (n,)).astype(np.float64) for name, value in observables.items()}
    shutil.copyfile(setup, file)
    save_events(
        file_name=str(file),
        file_override=True,
        observables={name: Observable(name, name) for name in values},
        observations=values,
        weights=weights,
        sampling_benchmarks=np.full(n, NO_BENCHMARK),
        num_signal_events=[n] + [0] * (len(weights) - 1),  # none at all would make it divide by zero
        num_background_events=0,
    )


def training_sample(x, theta0, y, r_xz, t_xz):
    """Translate what `SampleAugmenter.sample_train_ratio` returns into our conventions.

    MadMiner labels the events of the numerator (theta0) by y = 0 and those of the reference (theta1) by y = 1; we do
    the opposite. It gives the ratio itself; we use its logarithm. The score is at the numerator in both.

    Parameters
    ----------
    x : array of shape (n, d)
        Observables.
    theta0 : array of shape (n, p)
        Parameters of the numerator.
    y : array of shape (n, 1)
        MadMiner's labels.
    r_xz : array of shape (n, 1)
        Joint likelihood ratios p(x, z | theta0) / p(x, z | theta1).
    t_xz : array of shape (n, p)
        Joint scores at theta0.

    Returns
    -------
    hepml_labs.sbi.gold.TrainingSample

    Raises
    ------
    ValueError
        When the shapes do not fit or a ratio is not positive.

    Examples
    --------
    >>> one = np.ones((2, 1))
    >>> sample = training_sample(np.zeros((2, 3)), one, np.array([[0.0], [1.0]]), np.e * one, one)
    >>> sample.label, sample.log_ratio
    (array([1., 0.]), array([1., 1.]))
    """
    x, theta0 = to_numpy("x", x, ("n", "d")), to_numpy("theta0", theta0, ("n", "p"))
    y, t_xz = to_numpy("y", y, (len(x), 1)), to_numpy("t_xz", t_xz, theta0.shape)
    r_xz = to_numpy("r_xz", r_xz, (len(x), 1), positive=True)
    return TrainingSample(x=x, theta=theta0, label=1 - y[:, 0], log_ratio=np.log(r_xz[:, 0]), score=t_xz)


_HEADER = """<LesHouchesEvents version="3.0">
<header>
<MGRunCard>
<![CDATA[
  {n} = nevents ! number of events
  average = event_norm ! the average of the weights is the cross-section
]]>
</MGRunCard>
</header>
<init>
2212 2212 {beam:.8e} {beam:.8e} 0 0 0 0 -4 1
{total:.8e} {error:.8e} {total:.8e} 1
</init>
"""


def write_lhe(setup, file, particles, coefficients, *, sampled_from, beam_energy=6500.0, scale=-1.0):
    """Write events with their weights at every benchmark as a Les Houches event file that MadMiner's `LHEReader` reads.

    The reader wants to know from a MadGraph run card how many events there are and how their weights are normalised,
    and finds the benchmarks' weights in a block `<rwgt>` per event. Colour lines are not written: the file is for
    programs that read momenta, not for a parton shower.

    Parameters
    ----------
    setup : str or path
        MadMiner file with the benchmarks.
    file : str or path
        File to write (`.lhe`); an existing one is replaced.
    particles : list of tuples (pdg, status, momenta)
        Particle by particle: its PDG number, one for all events or an array of shape (n,); its status (-1 incoming, 1
        final, 2 intermediate); its momenta (E, px, py, pz) in GeV, an array of shape (n, 4).
    coefficients : array of shape (n, K)
        Quadratic coefficients in pb, as in :func:`write_events`.
    sampled_from : str
        Name of the benchmark whose weight becomes the event's own weight.
    beam_energy : float
        Energy of each proton beam in GeV.
    scale : float
        Scale of the parton densities in GeV; -1 stands for unknown.

    Raises
    ------
    ValueError
        When the arrays do not fit together, for an unknown benchmark, and as :func:`benchmark_weights`.
    """
    weights = benchmark_weights(setup, coefficients)
    if sampled_from not in weights:
        raise ValueError(f"sampled_from: found {sampled_from!r}, expected one of {list(weights)}")
    n = len(coefficients)
    rows = [_particle_rows(number, *particle, n) for number, particle in enumerate(particles)]
    own = weights[sampled_from]
    head = _HEADER.format(n=n, beam=beam_energy, total=own.sum(), error=np.sqrt((own**2).sum()))
    with open(file, "w", encoding="utf-8") as output:
        output.write(head)
        for k in range(n):
            output.write(f"<event>\n {len(rows)} 1 {n * own[k]:.10e} {scale:.6e} 7.8125e-03 1.18e-01\n")
            output.write("".join(particle[k] for particle in rows))
            named = "".join(f"<wgt id='{name}'> {n * weight[k]:.16e} </wgt>\n" for name, weight in weights.items())
            output.write(f"<rwgt>\n{named}</rwgt>\n</event>\n")
        output.write("</LesHouchesEvents>\n")


def _particle_rows(number, pdg, status, momenta, n):
    """Return the lines of one particle in all events: id, status, mothers, colours, px py pz E m, lifetime, spin."""
    momenta = to_numpy(f"momenta of particle {number}", momenta, (n, 4)).astype(np.float64)
    if status not in (INCOMING, FINAL, INTERMEDIATE):
        raise ValueError(f"status of particle {number}: found {status!r}, expected -1, 1 or 2")
    mothers = "0 0" if status == INCOMING else "1 2"
    energy, px, py, pz = momenta.T
    mass = np.sqrt(np.maximum(energy**2 - px**2 - py**2 - pz**2, 0.0))
    columns = np.column_stack([px, py, pz, energy, mass])
    pdg = np.broadcast_to(np.asarray(pdg, dtype=int), (n,))
    return [
        f" {kind} {status} {mothers} 0 0 " + " ".join(f"{value:.12e}" for value in row) + " 0 9\n"
        for kind, row in zip(pdg, columns, strict=True)
    ]
