"""Showers: how much of a particle's energy lands in which slab of the calorimeter, without loss."""

import numpy as np
from scipy.special import gammainc

from hepml_labs.physics.calorimeter import Calorimeter, checked_particles


def mean_electromagnetic_fraction(energy, scale=1.0, power=0.82):
    """Mean fraction of a hadron's energy that goes into photons, 1 - (E/E0)^(k-1); zero below E0.

    In every generation of the cascade about a third of the energy turns into neutral pions and leaves the hadronic
    cascade for good, so the hadronic fraction falls as a power of the energy.

    Parameters
    ----------
    energy : array
        Energy of the hadron, GeV.
    scale, power : float
        E0 in GeV (about 1 for pions) and k (0.80 to 0.87).

    Returns
    -------
    array
        Between 0 and 1.

    References
    ----------
    T. A. Gabriel et al., Nucl. Instrum. Meth. A 338 (1994) 336; D. E. Groom, Nucl. Instrum. Meth. A 572 (2007) 633.

    Examples
    --------
    >>> mean_electromagnetic_fraction(np.array([1.0, 10.0, 100.0])).round(2)
    array([0.  , 0.34, 0.56])
    """
    return 1 - np.maximum(np.asarray(energy, dtype=float) / scale, 1.0) ** (power - 1)


def slab_fractions(boundaries, start, shape, rate):
    """Share of a shower in every slab when dE/dt is a gamma density in the depth behind its starting point.

    dE/dt = E b (bt)^(a-1) exp(-bt) / Gamma(a) integrates to the regularised incomplete gamma function P(a, bt); its
    mean depth is a/b and its maximum lies at (a-1)/b.

    Parameters
    ----------
    boundaries : array, (n, slabs)
        Depth at which each slab ends; one more slab, without end, follows the last.
    start : array, (n,)
        Depth of the shower's starting point, same unit.
    shape, rate : arrays, (n,)
        a and b of the gamma density.

    Returns
    -------
    array, (n, slabs + 1)
        Rows sum to one.

    References
    ----------
    E. Longo and I. Sestili, Nucl. Instrum. Meth. 128 (1975) 283.

    Examples
    --------
    >>> one = np.ones(1)
    >>> slab_fractions(np.array([[0.0, np.log(2.0)]]), 0 * one, one, one)    # an exponential: half within ln 2
    array([[0. , 0.5, 0.5]])
    """
    depth = np.maximum(boundaries - np.asarray(start)[:, None], 0.0)
    contained = gammainc(np.asarray(shape)[:, None], np.asarray(rate)[:, None] * depth)
    return np.diff(contained, axis=1, prepend=0.0, append=1.0)


def shower(energy, eta, hadron, detector=None, seed=0):
    """Share the energy of each particle between the slabs.

    Photons convert after an exponential depth (mean 9/7 X0); behind it they develop like an electron: rate b = 0.5 and
    maximum at ln(E/Ec) - 0.5 (Particle Data Group, "Passage of particles through matter", electromagnetic cascades).
    Hadrons interact after an exponential depth of mean one nuclear length; their electromagnetic fraction follows a
    Beta distribution around the power law, that part develops in radiation lengths and the rest in nuclear lengths
    with the parameters of R. K. Bock, T. Hansl-Kozanecka and T. P. Shah, Nucl. Instrum. Meth. 186 (1981) 533, where a
    constant stands in place of the fluctuating fraction. `lump` makes the hadrons' profiles fluctuate.

    Parameters
    ----------
    energy : array, (n,)
        GeV.
    eta : array, (n,)
        Pseudorapidity.
    hadron : boolean array, (n,)
        True for a charged pion, False for a photon.
    detector : Calorimeter, optional
    seed : int or numpy.random.Generator

    Returns
    -------
    electromagnetic, hadronic : arrays, (n, 9)
        Energy in the slabs of `SLABS`; the two together sum to `energy`.

    Raises
    ------
    ValueError
        If an energy is not positive and finite, or the lengths differ.

    Examples
    --------
    >>> electromagnetic, hadronic = shower(np.array([50.0, 50.0]), np.zeros(2), np.array([False, True]), seed=1)
    >>> print((electromagnetic + hadronic).sum(axis=1).round(6), hadronic.sum(axis=1)[0])
    [50. 50.] 0.0
    """
    detector = detector or Calorimeter()
    random = np.random.default_rng(seed)
    energy, eta, hadron = checked_particles(energy, eta, hadron)
    radiation, interaction = (np.cumsum(slabs, axis=1) for slabs in detector.slabs(eta))
    mean = mean_electromagnetic_fraction(energy, detector.fraction_scale, detector.fraction_power).clip(0.02)
    alpha = detector.fraction_concentration * mean
    fraction = np.where(hadron, random.beta(alpha, detector.fraction_concentration - alpha), 1.0)
    start_interaction = random.exponential(1.0, len(energy))
    start_radiation = np.where(
        hadron,
        radiation_depth(start_interaction, radiation, interaction),
        random.exponential(9 / 7, len(energy)),
    )
    hadron_shape = 0.6165 + 0.3183 * np.log(np.maximum(energy, 1.0))
    photon_shape = 1 + 0.5 * np.maximum(np.log(energy / detector.critical_energy) - 0.5, 0.1)
    photon_shape *= np.exp(detector.shape_spread * random.standard_normal(len(energy)))
    electromagnetic_shares = slab_fractions(
        radiation, start_radiation, np.where(hadron, hadron_shape, photon_shape), np.where(hadron, 0.2198, 0.5)
    )
    hadronic_rate = 0.9099 - 0.0237 * np.log(np.maximum(energy, 1.0))
    hadronic_shares = slab_fractions(interaction, start_interaction, hadron_shape, hadronic_rate)
    lumpy = lump(electromagnetic_shares, detector.profile_concentration, random)
    electromagnetic_shares = np.where(hadron[:, None], lumpy, electromagnetic_shares)
    hadronic_shares = lump(hadronic_shares, detector.profile_concentration, random)
    electromagnetic = (energy * fraction)[:, None] * electromagnetic_shares
    return electromagnetic, (energy * (1 - fraction))[:, None] * hadronic_shares


def lump(shares, concentration, seed=0):
    """Let shares fluctuate around their means and still sum to one: a draw from a Dirichlet distribution.

    It is what `concentration` lumps of equal size, thrown into the slabs, would give on average:
    the variance is s (1 - s) / (concentration + 1).

    Parameters
    ----------
    shares : array, (n, slabs)
        Mean shares, each row summing to one.
    concentration : float
        Effective number of lumps.
    seed : int or numpy.random.Generator

    Returns
    -------
    array, (n, slabs)
        Rows sum to one.

    Examples
    --------
    >>> lump(np.array([[0.25, 0.75]]), 20.0, seed=1).sum()
    np.float64(1.0)
    """
    lumps = np.random.default_rng(seed).standard_gamma(concentration * shares)
    return lumps / np.maximum(lumps.sum(axis=1, keepdims=True), np.finfo(float).tiny)


def radiation_depth(depth, radiation, interaction):
    """Translate a depth in nuclear lengths into radiation lengths.

    Parameters
    ----------
    depth : array, (n,)
        In nuclear lengths from the front of the detector.
    radiation, interaction : arrays, (n, slabs)
        Depth at which each slab ends, in the two units. Behind the last slab its ratio goes on.

    Returns
    -------
    array, (n,)
        In radiation lengths.

    Examples
    --------
    >>> radiation_depth(np.array([0.5, 1.5]), np.array([[10.0, 12.0]] * 2), np.array([[1.0, 2.0]] * 2))
    array([ 5., 11.])
    """
    first = np.diff(interaction, axis=1, prepend=0.0)
    inside = (depth[:, None] - interaction + first) / first  # 0 at the slab's front, 1 at its back
    inside[:, :-1] = inside[:, :-1].clip(max=1.0)
    return (inside.clip(min=0.0) * np.diff(radiation, axis=1, prepend=0.0)).sum(axis=1)
