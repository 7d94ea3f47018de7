"""Uniform phase space of massless particles."""

from __future__ import annotations

from math import factorial, pi

import numpy as np

from hepml_labs.validation import check_between, check_count


def rambo(n, particles, energy, seed=None):
    r"""Momenta of massless particles, uniform in the phase space of their centre-of-mass frame.

    The algorithm RAMBO: independent isotropic momenta with energies distributed as :math:`E e^{-E}` are
    boosted into their common rest frame and scaled to the energy asked for. Every event has the same weight,
    `phase_space_volume`.

    Parameters
    ----------
    n : int
        Number of events.
    particles : int
        Particles per event, at least 2.
    energy : float
        Centre-of-mass energy in GeV.
    seed : int or numpy.random.Generator, optional

    Returns
    -------
    array, shape (n, particles, 4)
        (E, px, py, pz) in GeV.

    Raises
    ------
    ValueError
        For fewer than two particles or an energy that is not positive.

    References
    ----------
    Kleiss, Stirling and Ellis, Comput. Phys. Commun. 40 (1986) 359.

    Examples
    --------
    >>> rambo(1000, 4, energy=100.0, seed=1).sum(axis=1).mean(axis=0).round(6) + 0.0
    array([100.,   0.,   0.,   0.])
    """
    check_count("n", n)
    check_count("particles", particles, minimum=2)
    check_between("energy", energy, 0, np.inf)
    random = np.random.default_rng(seed)
    cosine = random.uniform(-1, 1, (n, particles))
    azimuth = random.uniform(-pi, pi, (n, particles))
    size = random.gamma(2.0, size=(n, particles))
    sine = np.sqrt(1 - cosine**2)
    direction = np.stack([sine * np.cos(azimuth), sine * np.sin(azimuth), cosine], axis=-1)
    three = size[..., None] * direction

    total = three.sum(axis=1, keepdims=True)
    total_energy = size.sum(axis=1)[:, None]
    mass = np.sqrt(total_energy**2 - (total**2).sum(axis=-1))
    velocity = -total / mass[..., None]  # times gamma
    gamma = total_energy / mass
    along = (velocity * three).sum(axis=-1)
    boosted = three + velocity * (size + along / (1 + gamma))[..., None]
    boosted *= (energy / mass)[..., None]
    return np.concatenate([np.linalg.norm(boosted, axis=-1, keepdims=True), boosted], axis=-1)


def phase_space_volume(particles, energy):
    r"""Volume of massless n-body phase space, the integral of
    :math:`\prod_i \frac{d^3p_i}{(2\pi)^3 2E_i}\,(2\pi)^4\delta^4(P - \sum_i p_i)`.

    Parameters
    ----------
    particles : int
        Number of particles, at least 2.
    energy : float
        Centre-of-mass energy in GeV.

    Returns
    -------
    float
        :math:`\frac{(2\pi)^{4-3n}}{\Gamma(n)\Gamma(n-1)} \left(\frac{\pi}{2}\right)^{n-1} s^{n-2}`, in GeV^(2n-4).

    Raises
    ------
    ValueError
        As `rambo`.

    Examples
    --------
    Two particles: 1 / (8 pi).

    >>> round(phase_space_volume(2, 1000.0) * 8 * pi, 12)
    1.0
    """
    check_count("particles", particles, minimum=2)
    check_between("energy", energy, 0, np.inf)
    gammas = factorial(particles - 1) * factorial(particles - 2)
    return (2 * pi) ** (4 - 3 * particles) * (pi / 2) ** (particles - 1) * energy ** (2 * particles - 4) / gammas
