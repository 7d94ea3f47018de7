"""Events from Pythia 8: a stream of awkward arrays, and what recipes need to turn streams into rows."""

import awkward as ak
import numpy as np

from hepml_labs.validation import check_count

QUIET = ("Print:quiet = on", "Next:numberShowEvent = 0", "Random:setSeed = on")


def events(settings, seed, batch=200, source=None, hooks=None):
    """Generate events without end, some at a time.

    Parameters
    ----------
    settings : sequence of str
        Pythia's own settings, such as ``"HardQCD:all = on"``.
    seed : int or numpy.random.Generator
        Together with `batch` it decides the events.
    batch : int
        Events in one array. A stream does not remember how many of them were used, so a recipe that keeps this number
        fixed gives the same rows whether few or many are asked for.
    source : pythia8mc.LHAup, optional
        Where hard processes come from, if Pythia does not make them itself.
    hooks : pythia8mc.UserHooks, optional
        What looks at events while they are made, and may drop them.

    Yields
    ------
    awkward.Array, `batch` events
        With the fields ``prt`` (for each particle ``id``, ``status``, ``mother1``, ..., ``p`` with ``px, py, pz, e``
        in GeV, ``vProd`` in mm) and ``info``.

    Raises
    ------
    ValueError
        If Pythia does not understand a setting or cannot begin with them.

    Examples
    --------
    >>> stream = events(["WeakSingleBoson:ffbar2gmZ = on", "PartonLevel:all = off"], seed=1, batch=10)
    >>> batch = next(stream)
    >>> len(batch), batch.info.fields[:4]
    (10, ['id1', 'id2', 'x1', 'x2'])
    """
    import pythia8mc  # here, so that recipes can be imported, and their files read, where there is no Pythia

    check_count("batch", batch)
    generator = pythia8mc.Pythia("", False)
    number = int(np.random.default_rng(seed).integers(1, 900_000_000))  # Pythia's own limit
    for setting in (*QUIET, f"Random:seed = {number}", *settings):
        if not generator.readString(setting):
            raise ValueError(f"settings: Pythia does not understand {setting!r}")
    if source is not None:
        generator.readString("Beams:frameType = 5")
        generator.setLHAupPtr(source)
    if hooks is not None:
        generator.setUserHooksPtr(hooks)
    if not generator.init():
        raise ValueError(f"settings: Pythia cannot start with {list(settings)}")
    while True:
        yield generator.nextBatch(batch)


def momentum_records(particles):
    """Give Pythia's particles the fields that jets and detector know.

    Parameters
    ----------
    particles : awkward array of Pythia's particles, (events, particles)
        Such as ``batch.prt[batch.prt.status > 0]`` of a batch of `events`.

    Returns
    -------
    awkward array of records {px, py, pz, E, id}, (events, particles)
        In GeV.

    Examples
    --------
    >>> one = {"id": 22, "status": 1, "p": {"px": 0.0, "py": 3.0, "pz": 4.0, "e": 5.0}}
    >>> momentum_records(ak.Array([[one]])).to_list()
    [[{'px': 0.0, 'py': 3.0, 'pz': 4.0, 'E': 5.0, 'id': 22}]]
    """
    p = particles.p
    return ak.zip({"px": p.px, "py": p.py, "pz": p.pz, "E": p.e, "id": particles.id})


def take(n, stream):
    """Collect rows from a stream.

    Parameters
    ----------
    n : int
        Number of rows.
    stream : iterator of dict of numpy arrays
        Each dictionary holds columns of one length, which may be zero.

    Returns
    -------
    dict of numpy arrays, first dimension n

    Examples
    --------
    >>> import itertools
    >>> take(5, ({"x": np.arange(3) + 10 * i} for i in itertools.count()))
    {'x': array([ 0,  1,  2, 10, 11])}
    """
    check_count("n", n)
    parts, found = [], 0
    while found < n:
        parts.append(next(stream))
        found += len(next(iter(parts[-1].values())))
    return {name: np.concatenate([part[name] for part in parts])[:n] for name in parts[0]}


def mixture(n, seed, sources):
    """Draw the class of each row at random and take the row from the stream of that class.

    Parameters
    ----------
    n : int
        Number of rows.
    seed : int or numpy.random.Generator
    sources : dict of label to (share, function)
        For each integer label its share of the rows (normalised here) and a function that takes a
        numpy.random.Generator and returns a stream for `take`. The order of the dictionary matters to the seed.

    Returns
    -------
    labels : int8 array, (n,)
    columns : dict of numpy arrays, first dimension n

    Examples
    --------
    >>> import itertools
    >>> constant = lambda value: (lambda random: itertools.repeat({"x": np.full(4, value)}))
    >>> labels, columns = mixture(6, 1, {0: (1.0, constant(0.5)), 1: (1.0, constant(7.5))})
    >>> bool((columns["x"] == np.where(labels == 1, 7.5, 0.5)).all())
    True
    """
    check_count("n", n)
    random, *randoms = np.random.default_rng(seed).spawn(1 + len(sources))
    shares = np.array([share for share, _ in sources.values()], dtype=float)
    # one uniform number for each row, so that the labels of a smaller n open those of a larger one
    chosen = np.searchsorted(np.cumsum(shares / shares.sum())[:-1], random.uniform(size=n), side="right")
    columns = {}
    for number, ((_, stream), own) in enumerate(zip(sources.values(), randoms, strict=True)):
        rows = np.flatnonzero(chosen == number)
        if len(rows) == 0:
            continue
        for name, values in take(len(rows), stream(own)).items():
            columns.setdefault(name, np.empty((n, *values.shape[1:]), values.dtype))[rows] = values
    return np.array(list(sources), dtype=np.int8)[chosen], columns
