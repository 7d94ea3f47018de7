"""Jet algorithms and jet observables by hand: short numpy versions to read, to teach and to check others with.

:mod:`hepml_labs.physics.jets` does the same on millions of jets with FastJet.
"""

import numpy as np

from hepml_labs.physics.kinematics import mass, phi, pt
from hepml_labs.validation import check_alike, check_array, check_between, check_count


def rapidity(momenta):
    """Rapidity, ln((E + pz) / (E - pz)) / 2; the same as pseudorapidity for massless particles.

    Parameters
    ----------
    momenta : array, (..., 4)
        (E, px, py, pz) in GeV.

    Returns
    -------
    array, (...)

    Examples
    --------
    >>> round(float(rapidity(np.array([5.0, 0.0, 3.0, 4.0]))), 4)
    1.0986
    """
    energy, along = momenta[..., 0], momenta[..., 3]
    # E - pz cancels for fast particles, the transverse mass does not
    return np.sign(along) * np.log((energy + np.abs(along)) / np.hypot(pt(momenta), mass(momenta)))


def separation(first, second):
    """Distance in the plane of rapidity and azimuth, as jet algorithms measure it.

    Parameters
    ----------
    first, second : arrays, (..., 4)
        (E, px, py, pz) in GeV.

    Returns
    -------
    array, (...)

    Examples
    --------
    >>> round(float(separation(np.array([1.0, -1.0, 0.01, 0.0]), np.array([1.0, -1.0, -0.01, 0.0]))), 4)
    0.02
    """
    return np.hypot(rapidity(first) - rapidity(second), _turn(phi(first), phi(second)))


def _turn(first, second):
    """Difference of two azimuths, in [-pi, pi)."""
    return (first - second + np.pi) % (2 * np.pi) - np.pi


def recombination_distances(pt, rapidity, phi, radius, power=-1):
    """Distances between particles, and of each from the beam, for the generalised kT algorithms.

    Parameters
    ----------
    pt, rapidity, phi : arrays, (n,)
        In GeV, 1 and radians.
    radius : float
        The jets' radius R.
    power : int
        -1 for anti-kT, 0 for Cambridge/Aachen, 1 for kT.

    Returns
    -------
    pair : array, (n, n)
        ``min(pt_i^(2p), pt_j^(2p)) (Delta R_ij / R)^2`` in GeV^(2p), infinite on the diagonal.
    beam : array, (n,)
        ``pt_i^(2p)``.

    Raises
    ------
    ValueError
        If shapes differ, a transverse momentum or the radius is not above zero.

    Notes
    -----
    Cacciari, Salam and Soyez, arXiv:0802.1189, equations 1 and 2.

    Examples
    --------
    >>> pair, beam = recombination_distances(np.array([2.0, 1.0]), np.zeros(2), np.array([0.0, 0.5]), radius=1.0)
    >>> float(pair[0, 1]), beam
    (0.0625, array([0.25, 1.  ]))
    """
    check_alike(("n",), pt=pt, rapidity=rapidity, phi=phi)
    check_array("pt", pt, positive=True)
    check_between("radius", radius, 0, np.inf)
    beam = pt ** (2.0 * power)
    squared = (rapidity[:, None] - rapidity[None, :]) ** 2 + _turn(phi[:, None], phi[None, :]) ** 2
    pair = np.minimum(beam[:, None], beam[None, :]) * squared / radius**2
    np.fill_diagonal(pair, np.inf)
    return pair, beam


def recombine(momenta, radius, power=-1):
    """Cluster particles step by step, and say what became of them in each step.

    Parameters
    ----------
    momenta : array, (n, 4)
        (E, px, py, pz) in GeV.
    radius : float
    power : int
        -1 for anti-kT, 0 for Cambridge/Aachen, 1 for kT.

    Yields
    ------
    first, second : int
        Numbers of what is merged. Particles are 0 to n - 1, and the k-th merger makes the pseudojet number n + k.
        The second is -1 where the first is finished: a jet.
    momentum : array, (4,)
        Of the pseudojet or jet.

    Examples
    --------
    >>> three = np.array([[1.0, 1.0, 0.0, 0.0], [2.0, 2.0, 0.0, 0.0], [5.0, -5.0, 0.0, 0.0]])
    >>> [(int(first), int(second)) for first, second, _ in recombine(three, radius=0.8)]
    [(0, 1), (2, -1), (3, -1)]
    """
    check_array("momenta", momenta, ("n", 4))
    numbers, made = list(range(len(momenta))), len(momenta)
    while numbers:
        pair, beam = recombination_distances(pt(momenta), rapidity(momenta), phi(momenta), radius, power)
        first, second = np.unravel_index(pair.argmin(), pair.shape)
        if beam.min() <= pair[first, second]:
            first = beam.argmin()
            yield numbers.pop(first), -1, momenta[first]
            momenta = np.delete(momenta, first, axis=0)
        else:
            merged = momenta[first] + momenta[second]
            yield numbers[first], numbers[second], merged
            momenta = np.concatenate([np.delete(momenta, [first, second], axis=0), merged[None]])
            numbers = [number for k, number in enumerate(numbers) if k not in (first, second)] + [made]
            made += 1


def snapshots(momenta, radius, power=-1):
    """Show the state of a clustering before the first step and after each one.

    Parameters
    ----------
    momenta : array, (n, 4)
        (E, px, py, pz) in GeV.
    radius : float
    power : int
        -1 for anti-kT, 0 for Cambridge/Aachen, 1 for kT.

    Yields
    ------
    active : array, (k, 4)
        Particles and pseudojets that still take part.
    jets : array, (l, 4)
        Finished jets, in the order in which they were found.

    Examples
    --------
    >>> three = np.array([[1.0, 1.0, 0.0, 0.0], [2.0, 2.0, 0.0, 0.0], [5.0, -5.0, 0.0, 0.0]])
    >>> [(len(active), len(jets)) for active, jets in snapshots(three, radius=0.8)]
    [(3, 0), (2, 0), (1, 1), (0, 2)]
    """
    active, jets, made = dict(enumerate(momenta)), [], len(momenta)
    yield momenta, np.empty((0, 4))
    for first, second, momentum in recombine(momenta, radius, power):
        del active[first]
        if second < 0:
            jets.append(momentum)
        else:
            del active[second]
            active[made] = momentum
            made += 1
        yield np.array(list(active.values())).reshape(-1, 4), np.array(jets).reshape(-1, 4)


def cluster_by_hand(momenta, radius, power=-1):
    """Cluster particles into jets.

    Parameters
    ----------
    momenta : array, (n, 4)
        (E, px, py, pz) in GeV.
    radius : float
    power : int
        -1 for anti-kT, 0 for Cambridge/Aachen, 1 for kT.

    Returns
    -------
    array, (jets, 4)
        All jets, by falling transverse momentum.

    Examples
    --------
    >>> three = np.array([[1.0, 1.0, 0.0, 0.0], [2.0, 2.0, 0.0, 0.0], [5.0, -5.0, 0.0, 0.0]])
    >>> pt(cluster_by_hand(three, radius=0.8))
    array([5., 3.])
    """
    *_, (_, jets) = snapshots(momenta, radius, power)
    return jets[np.argsort(-pt(jets))]


def declusterings(momenta, radius):
    """Undo the Cambridge/Aachen clustering of one jet along its harder branch.

    Parameters
    ----------
    momenta : array, (n, 4)
        Constituents of one jet, (E, px, py, pz) in GeV.
    radius : float
        Large enough for all of them: half as much again as the jet's.

    Returns
    -------
    list of (harder, softer), arrays (4,)
        The two parts of each splitting, from wide to narrow angle.

    Notes
    -----
    The sequence of the Lund plane (arXiv:1807.04758, section 2) and of soft drop (arXiv:1402.2657, section 2.1).

    Examples
    --------
    >>> two = np.array([[1.0, 1.0, 0.0, 0.0], [2.0, 1.6, 1.2, 0.0]])
    >>> [(float(hard[0]), float(soft[0])) for hard, soft in declusterings(two, radius=1.5)]
    [(2.0, 1.0)]
    """
    known, parents = dict(enumerate(momenta)), {}
    for first, second, momentum in recombine(momenta, radius, power=0):
        if second < 0:
            jet = first
        else:
            parents[len(known)] = (first, second)
            known[len(known)] = momentum
    splittings = []
    while jet in parents:
        jet, softer = sorted(parents[jet], key=lambda number: -pt(known[number]))
        splittings.append((known[jet], known[softer]))
    return splittings


def exclusive_subjets(momenta, n):
    """Cluster the constituents of a jet with the kT algorithm until n pseudojets are left.

    Parameters
    ----------
    momenta : array, (m, 4)
        (E, px, py, pz) in GeV, m not below n.
    n : int

    Returns
    -------
    array, (n, 4)
        In no particular order.

    Examples
    --------
    >>> three = np.array([[1.0, 1.0, 0.0, 0.0], [2.0, 2.0, 0.0, 0.0], [5.0, -5.0, 0.0, 0.0]])
    >>> exclusive_subjets(three, 2)[:, 0]
    array([5., 3.])
    """
    check_count("n", n)
    check_array("momenta", momenta, ("m", 4))
    if len(momenta) < n:
        raise ValueError(f"momenta: found {len(momenta)} particles, expected at least n = {n}")
    wide = 100.0  # nothing is finished before all is one
    return next(active for active, _ in snapshots(momenta, wide, power=1) if len(active) == n)


def passes_soft_drop(pt_first, pt_second, delta_r, radius, z_cut=0.1, beta=0.0):
    """Whether a splitting is hard enough to stop the grooming.

    Parameters
    ----------
    pt_first, pt_second : floats or arrays
        Transverse momenta of the two branches in GeV, in any order.
    delta_r : float or array
        Their distance.
    radius : float
        Of the jet.
    z_cut, beta : float
        Threshold, and how it falls towards small angles.

    Returns
    -------
    bool or array of bool

    Notes
    -----
    Larkoski, Marzani, Soyez and Thaler, arXiv:1402.2657, equation 1.1. With beta = 0 it is the modified mass drop of
    arXiv:1307.0007.

    Examples
    --------
    >>> passes_soft_drop(np.array([90.0, 95.0]), np.array([10.5, 5.0]), 0.4, radius=0.8)
    array([ True, False])
    """
    share = np.minimum(pt_first, pt_second) / (pt_first + pt_second)
    return share > z_cut * (delta_r / radius) ** beta


def jet_mass(constituents):
    """Invariant mass of jets.

    Parameters
    ----------
    constituents : array, (..., m, 4)
        (E, px, py, pz) in GeV; rows of zeros where there is no constituent.

    Returns
    -------
    array, (...)
        In GeV.

    Examples
    --------
    >>> float(jet_mass(np.array([[5.0, 3.0, 4.0, 0.0], [5.0, -3.0, 4.0, 0.0], [0.0, 0.0, 0.0, 0.0]])))
    6.0
    """
    check_array("constituents", constituents, (..., "m", 4))
    return mass(constituents.sum(axis=-2))


def subjettiness(constituents, axes, radius):
    """How far a jet is from consisting of N narrow subjets along given axes: tau_N.

    Parameters
    ----------
    constituents : array, (m, 4)
        Of one jet, (E, px, py, pz) in GeV.
    axes : array, (N, 4)
        Four-momenta whose directions are the axes.
    radius : float
        Of the jet.

    Returns
    -------
    float
        Sum of pt_i min_k Delta R_ik over sum of pt_i R, between 0 and about 1.

    Notes
    -----
    Thaler and Van Tilburg, arXiv:1011.2268, equations 2.1 and 2.2 (beta = 1).

    Examples
    --------
    >>> two = np.array([[1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0], [2.0, 1.6, 1.2, 0.0]])
    >>> round(float(subjettiness(two, two[:1], radius=0.8)), 4), float(subjettiness(two, two[1:], radius=0.8))
    (0.4022, 0.0)
    """
    check_array("constituents", constituents, ("m", 4))
    check_array("axes", axes, ("N", 4))
    distance = separation(constituents[:, None], axes[None])
    return (pt(constituents) * distance.min(axis=1)).sum() / (pt(constituents).sum() * radius)
