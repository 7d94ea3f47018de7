r"""The density of measured events by brute force: the matrix element method for weak-boson fusion.

For one measured event x the latent momenta z are integrated out,

.. math::

    \frac{d\sigma(x|\theta)}{dx} = \int dz\, \frac{d\sigma(z|\theta)}{dz}\, p(x|z) ,

with `wbf.differential` and the transfer functions of `smearing`. It is a quadratic polynomial in theta because the
cross-section of each z is; so one integration of its six coefficients :cite:`kondo1988dynamical,abazov2004precision`
gives likelihood ratio and score for all theta. Directions of photons are exact and the mass of H is known, so seven of
the eleven dimensions are left: ln pT, eta and phi of the two quarks, and how the photons share the energy.
"""

from typing import NamedTuple

import numpy as np

from hepml_labs.physics import wbf
from hepml_labs.physics.electroweak import M_H
from hepml_labs.physics.smearing import Resolution, cylindrical, jet_log_density, massless, transverse_boost
from hepml_labs.validation import check_array, check_count

_FREEDOM, _WIDENED = 10.0, 1.1  # of the proposals: Student's t, somewhat wider than the transfer functions
_POINTS = 20_000  # of all events that are integrated at a time


class SmearedDensity(NamedTuple):
    """Integrals for n measured events.

    Attributes
    ----------
    coefficients : array, (n, 6)
        Of d sigma / dx in pb, in the variables (ln pT, eta, phi) of jets and (ln E, eta, phi) of photons.
    covariance : array, (n, 6, 6)
        Of the coefficients of an event: the statistical error of the integration.
    effective : array, (n,)
        Effective number of points in the Standard Model, (sum w)^2 / sum w^2.
    """

    coefficients: np.ndarray
    covariance: np.ndarray
    effective: np.ndarray


def exact_coefficients(jets, photons, samples=500, seed=None, *, resolution=None, densities=None):
    r"""Integrate the smeared density of measured events, as coefficients of a quadratic polynomial in theta.

    Proposals for a measured event: the photons' energies from the product of their two Gaussians, given the mass of H;
    the jets' momenta from their transfer functions times that of the recoil, both linearised around what was measured,
    with a Student's t for its longer tails.

    Parameters
    ----------
    jets, photons : arrays, (n, 2, 4)
        As measured, in GeV: `smearing.measure`, or the columns of the data set ``higgs_wbf``.
    samples : int
        Points for each event, at least 2.
    seed : int or numpy.random.Generator, optional
    resolution : smearing.Resolution, optional
        Of the detector that made the events.
    densities : PartonDensities, optional

    Returns
    -------
    SmearedDensity

    Raises
    ------
    ValueError
        For arrays of other shapes.

    Examples
    --------
    >>> from hepml_labs.physics import smearing
    >>> events = wbf.generate(50, seed=1, benchmarks=[(0.0, 0.0)])
    >>> density = exact_coefficients(*smearing.measure(events.quarks, events.higgs, seed=2), samples=100, seed=3)
    >>> density.coefficients.shape, bool((density.coefficients[:, 0] > 0).all())
    ((50, 6), True)
    """
    jets, photons = (np.asarray(momenta, dtype=np.float64) for momenta in (jets, photons))
    check_array("jets", jets, ("n", 2, 4))
    check_array("photons", photons, (len(jets), 2, 4))
    check_count("samples", samples, minimum=2)
    random, resolution = np.random.default_rng(seed), resolution or Resolution()
    parts = []
    for rows in np.array_split(np.arange(len(jets)), len(jets) * samples // _POINTS + 1):
        if len(rows):
            parts.append(_integrate(jets[rows], photons[rows], samples, random, resolution, densities))
    return SmearedDensity(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def score_error(density, theta):
    """Standard error of the score at theta that the integration leaves.

    Parameters
    ----------
    density : SmearedDensity
    theta : array, (2,)

    Returns
    -------
    array, (n, 2)
        To first order, from the covariance of the coefficients.

    Examples
    --------
    Two percent on the linear coefficient alone:

    >>> covariance = np.zeros((1, 6, 6))
    >>> covariance[0, 1, 1] = 0.02**2
    >>> score_error(SmearedDensity(np.ones((1, 6)), covariance, np.ones(1)), (0.0, 0.0))
    array([[0.02, 0.  ]])
    """
    a, b = theta
    monomials = np.array([1.0, a, b, a * a, a * b, b * b])
    gradients = np.array([[0.0, 1.0, 0.0, 2 * a, b, 0.0], [0.0, 0.0, 1.0, 0.0, a, 2 * b]])
    value = density.coefficients @ monomials
    score = density.coefficients @ gradients.T / value[:, None]
    slope = (gradients - score[..., None] * monomials) / value[:, None, None]
    return np.sqrt(np.einsum("npk,nkl,npl->np", slope, density.covariance, slope).clip(0))


def _integrate(jets, photons, samples, random, resolution, densities):
    """The integrals of some events; points are (events, samples)."""
    shape = (len(jets), samples)
    higgs, log_weight = _photon_points(photons, shape, random, resolution)
    quarks, log_proposal = _jet_points(jets, higgs, random, resolution)
    recoil = quarks[..., 1:3].sum(2) + higgs[..., 1:3]
    log_weight = log_weight - log_proposal + jet_log_density(jets[:, None], quarks, resolution=resolution).sum(-1)
    log_weight -= (recoil**2).sum(-1) / (2 * resolution.recoil**2) + np.log(2 * np.pi * resolution.recoil**2)
    log_weight += 2 * np.log(cylindrical(quarks)[0]).sum(-1)  # pT dpT = pT^2 d ln pT

    event = np.concatenate([quarks, higgs[:, :, None]], 2).reshape(-1, 3, 4)
    collinear = transverse_boost(event, -recoil.reshape(-1, 2))
    # the invariant phase space does not change in the boost, but d k dE = (E' / E) d k dE' at fixed k
    weight = np.exp(log_weight.reshape(-1)) * event[:, :, 0].sum(1) / collinear[:, :, 0].sum(1)
    weight = weight * wbf.inside(collinear[:, :2])
    # either jet may come from the proton along +z
    squared = sum(
        wbf.differential(collinear[:, order], collinear[:, 2], densities=densities) for order in ([0, 1], [1, 0])
    )
    values = (weight[:, None] * squared).reshape(*shape, 6)
    mean = values.mean(1)
    deviation = values - mean[:, None]
    covariance = deviation.swapaxes(1, 2) @ deviation / (samples * (samples - 1))
    effective = values[..., 0].sum(1) ** 2 / (values[..., 0] ** 2).sum(1)
    return mean, covariance, effective


def _photon_points(photons, shape, random, resolution):
    r"""Momenta of H (events, samples, 4) on the mass shell, and the logarithm of weight over proposal.

    With :math:`\frac{d^3p_H}{E_H}\frac{d\Omega^*}{4\pi} = \frac{m^2}{4\pi(1-\cos)^2}\,d\Omega_1d\Omega_2\,d\ln E_1`;
    the product of the Gaussians of ln E_1 and of ln E_2 = const - ln E_1 is their evidence times a Gaussian.
    """
    direction = photons[..., 1:] / photons[..., :1]
    separation = ((direction[:, 0] - direction[:, 1]) ** 2).sum(-1) / 2  # 1 - cos
    first, second = np.log(photons[..., 0]).T
    total = np.log(M_H**2 / (2 * separation))
    sigma = resolution.photon
    drawn = random.normal(((first + total - second) / 2)[:, None], sigma / np.sqrt(2), shape)
    energies = np.exp(np.stack([drawn, total[:, None] - drawn], -1))
    higgs = (energies[..., None] * (photons / photons[..., :1])[:, None]).sum(2)
    log_evidence = -((first + second - total) ** 2) / (4 * sigma**2) - np.log(2 * np.sqrt(np.pi) * sigma)
    angles = -2 * np.log(np.cosh(cylindrical(photons)[1])).sum(1)  # d Omega = d eta d phi / cosh^2 eta
    # twice, since either photon may be the first
    log_weight = np.log(2 * M_H**2 / (4 * np.pi * separation**2)) + log_evidence + angles
    return higgs, np.broadcast_to(log_weight[:, None], shape).copy()


def _jet_points(jets, higgs, random, resolution):
    """Momenta of quarks (events, samples, 2, 4) and the logarithm of their density in (ln pT, eta, phi)."""
    events, samples = higgs.shape[:2]
    pt, eta, phi = cylindrical(jets)
    along, across = (
        pt[..., None] * np.stack(parts, -1) for parts in ((np.cos(phi), np.sin(phi)), (-np.sin(phi), np.cos(phi)))
    )
    slope = np.concatenate([along, across], 1)  # of the recoil in (ln pT1, ln pT2, phi1, phi2): (events, 4, 2)
    spread = np.concatenate([resolution.jet(pt), np.full_like(pt, resolution.angle)], 1)
    precision = slope @ slope.swapaxes(1, 2) / resolution.recoil**2 + np.eye(4) / spread[:, :, None] ** 2
    covariance = np.linalg.inv(precision)
    recoil = along.sum(1)[:, None] + higgs[..., 1:3]  # if the jets were as measured
    mean = -recoil @ (slope.swapaxes(1, 2) @ covariance) / resolution.recoil**2
    root = _WIDENED * np.linalg.cholesky(covariance)
    normal = random.normal(size=(events, samples, 4))
    normal /= np.sqrt(random.chisquare(_FREEDOM, (events, samples, 1)) / _FREEDOM)
    shift = mean + normal @ root.swapaxes(1, 2)
    log_density = -(_FREEDOM + 4) / 2 * np.log1p((normal**2).sum(-1) / _FREEDOM)
    log_density -= np.log(root[:, np.arange(4), np.arange(4)]).sum(1)[:, None]
    # constant of a t in four dimensions: Gamma(nu / 2 + 2) / (Gamma(nu / 2) (nu pi)^2)
    log_density += np.log(_FREEDOM / 2 * (_FREEDOM / 2 + 1) / (_FREEDOM * np.pi) ** 2)
    turned = resolution.angle * random.normal(size=(events, samples, 2))
    log_density -= (turned**2).sum(-1) / (2 * resolution.angle**2) + np.log(2 * np.pi * resolution.angle**2)
    quarks = massless(pt[:, None] * np.exp(shift[..., :2]), eta[:, None] + turned, phi[:, None] + shift[..., 2:])
    return quarks, log_density
