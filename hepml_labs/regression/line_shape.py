"""The line shape of the Z boson in e+ e- to hadrons: a regression problem in one dimension."""

import numpy as np

from hepml_labs.validation import check_array

# LEP and SLD combination, hep-ex/0509008 (GeV, GeV, nb)
Z_MASS, Z_WIDTH, PEAK_CROSS_SECTION = 91.1875, 2.4952, 41.540


def breit_wigner(energy, mass=Z_MASS, width=Z_WIDTH, peak=PEAK_CROSS_SECTION):
    """Return the cross-section of e+ e- to Z to hadrons in nb, at tree level with an s-dependent width.

    ``sigma(s) = peak s width^2 / ((s - mass^2)^2 + s^2 width^2 / mass^2)`` with ``s = energy^2``
    (hep-ex/0509008). Radiation from the initial state, photon exchange and their interference are left out:
    in the real data the peak is lower by about a quarter, with a long tail above the resonance.

    Parameters
    ----------
    energy : float or array
        Centre-of-mass energy in GeV.
    mass, width : float
        In GeV.
    peak : float
        Cross-section at ``s = mass^2``, in nb.

    Examples
    --------
    >>> float(breit_wigner(91.1875))
    41.54
    """
    energy = np.asarray(energy)
    check_array("energy", energy, floating=False, positive=True)
    s = np.square(energy)
    return peak * s * width**2 / ((s - mass**2) ** 2 + s**2 * width**2 / mass**2)


def energy_scan(energies, luminosity=20.0, seed=0):
    """Return a measurement of the line shape: Poisson counts at each energy, over the luminosity.

    Parameters
    ----------
    energies : array, shape (n,)
        Centre-of-mass energies in GeV.
    luminosity : float
        Integrated luminosity per energy in nb^-1; 20 gives 830 events at the peak.
    seed : int or numpy Generator

    Returns
    -------
    cross_section, uncertainty : arrays, shape (n,)
        In nb; the uncertainty is the square root of the count over the luminosity.

    Examples
    --------
    >>> cross_section, uncertainty = energy_scan(np.array([91.2, 91.2]), luminosity=1e6, seed=1)
    >>> bool(np.all(abs(cross_section - 41.54) < 0.05))
    True
    """
    energies = np.asarray(energies, dtype=np.float64)
    check_array("energies", energies, ("n",), positive=True)
    if not luminosity > 0:
        raise ValueError(f"luminosity: found {luminosity} nb^-1, expected a positive number")
    counts = np.random.default_rng(seed).poisson(luminosity * breit_wigner(energies))
    if counts.min() == 0:
        raise ValueError(f"luminosity: found {luminosity} nb^-1, expected more: an energy has no event")
    return counts / luminosity, np.sqrt(counts) / luminosity
