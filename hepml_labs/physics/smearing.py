r"""A detector in closed form: soft radiation, jets and photons measured with a known density.

.. math::

    p(x|z) = \mathcal{N}(k|0, \sigma_k^2)\;
    \prod_{\rm jets} p(\ln p_T', \eta', \phi' | p_T, \eta, \phi)\; \prod_{\rm photons} p(\ln E'|E)

*Soft radiation.* The collision recoils against radiation that is not seen: the final state of the leading order is
boosted in the transverse plane until its transverse momentum is k, as in :cite:`alwall2011radiation`. *Jets.* The
logarithm of pT, eta and phi are Gaussian; the resolution of pT is that of a hadron collider's detector, three terms in
quadrature. *Photons.* The logarithm of the energy is Gaussian, directions are exact. Nothing here depends on the
parameters of the theory, which is why joint ratios and scores need the truth z only.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hepml_labs.physics.kinematics import boost, pt
from hepml_labs.validation import check_array

RECOIL = 12.0  # GeV, of each component of k
NOISE, STOCHASTIC, CONSTANT = 3.0, 0.8, 0.05  # GeV, GeV^(1/2) and none: relative resolution of a jet's pT
ANGLE = 0.03  # of a jet's eta and phi
PHOTON = 0.015  # of ln E


class Resolution(NamedTuple):
    """What the detector resolves; the defaults are near those of ATLAS and CMS.

    Attributes
    ----------
    recoil : float
        Standard deviation in GeV of each component of the transverse momentum k of unseen soft radiation.
    noise, stochastic, constant : float
        In GeV, GeV^(1/2) and 1: terms N / pT, S / sqrt(pT), C of a jet's relative resolution, added in quadrature.
    angle : float
        Of a jet's eta and phi.
    photon : float
        Of the logarithm of a photon's energy.
    """

    recoil: float = RECOIL
    noise: float = NOISE
    stochastic: float = STOCHASTIC
    constant: float = CONSTANT
    angle: float = ANGLE
    photon: float = PHOTON

    def jet(self, transverse):
        """Relative resolution of pT.

        Parameters
        ----------
        transverse : array
            True pT in GeV.

        Returns
        -------
        array

        Examples
        --------
        >>> Resolution().jet(np.array([30.0, 100.0])).round(3)
        array([0.184, 0.099])
        """
        return np.sqrt(self.noise**2 / transverse**2 + self.stochastic**2 / transverse + self.constant**2)


def transverse_boost(momenta, recoil):
    """Boost events that have no transverse momentum until they have a given one.

    The boost goes along the transverse momentum asked for, so that mass and longitudinal momentum of the event stay.
    With the opposite sign, for events that have it, it is undone.

    Parameters
    ----------
    momenta : array, (n, m, 4)
        All particles of each event, in GeV.
    recoil : array, (n, 2)
        Transverse momentum (k_x, k_y) in GeV that is added to that of the event, which must be zero or minus that.

    Returns
    -------
    array, (n, m, 4)

    Raises
    ------
    ValueError
        For arrays of other shapes.

    Examples
    --------
    >>> pair = np.array([[[50.0, 30.0, 0.0, 40.0], [50.0, -30.0, 0.0, -40.0]]])
    >>> moved = transverse_boost(pair, np.array([[0.0, 10.0]]))
    >>> moved.sum(1).round(3) + 0.0
    array([[100.499,   0.   ,  10.   ,   0.   ]])
    >>> np.allclose(transverse_boost(moved, np.array([[0.0, -10.0]])), pair)
    True
    """
    check_array("momenta", momenta, ("n", "m", 4))
    check_array("recoil", recoil, (len(momenta), 2))
    total = momenta.sum(1)
    present = np.hypot(total[:, 1], total[:, 2]) > 0.5 * np.hypot(recoil[:, 0], recoil[:, 1])
    energy = np.sqrt(total[:, 0] ** 2 + np.where(present, 0.0, (recoil**2).sum(1)))
    velocity = np.concatenate([recoil / energy[:, None], np.zeros((len(recoil), 1))], -1)
    return boost(momenta, velocity[:, None, :])


def decay_to_photons(higgs, seed=None):
    """Let a spinless particle decay to two photons, isotropically in its rest frame.

    Parameters
    ----------
    higgs : array, (n, 4)
        In GeV.
    seed : int or numpy.random.Generator, optional

    Returns
    -------
    array, (n, 2, 4)
        (E, px, py, pz) in GeV.

    Examples
    --------
    >>> higgs = np.array([[130.0, 0.0, 0.0, 50.0]])
    >>> decay_to_photons(higgs, seed=1).sum(1).round(9) + 0.0
    array([[130.,   0.,   0.,  50.]])
    """
    check_array("higgs", higgs, ("n", 4))
    random = np.random.default_rng(seed)
    direction = random.normal(size=(len(higgs), 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    half = np.sqrt(higgs[:, 0] ** 2 - (higgs[:, 1:] ** 2).sum(1))[:, None] / 2
    photons = np.stack([np.concatenate([half, sign * half * direction], 1) for sign in (1, -1)], 1)
    return boost(photons, (higgs[:, 1:] / higgs[:, :1])[:, None, :])


def massless(transverse, eta, phi):
    """Massless four-vectors (..., 4) from pT in GeV, pseudorapidity and azimuth.

    Examples
    --------
    >>> massless(np.array(3.0), np.array(0.0), np.array(0.0))
    array([3., 3., 0., 0.])
    """
    return np.stack(
        [transverse * np.cosh(eta), transverse * np.cos(phi), transverse * np.sin(phi), transverse * np.sinh(eta)], -1
    )


def cylindrical(momenta):
    """Transverse momentum, pseudorapidity and azimuth (three arrays (...)) of momenta (..., 4).

    Examples
    --------
    >>> [float(value) for value in cylindrical(np.array([5.0, 5.0, 0.0, 0.0]))]
    [5.0, 0.0, 0.0]
    """
    transverse = pt(momenta)
    return transverse, np.arcsinh(momenta[..., 3] / transverse), np.arctan2(momenta[..., 2], momenta[..., 1])


def smear_jets(quarks, seed=None, *, resolution=None):
    """Measure jets.

    Parameters
    ----------
    quarks : array, (..., 4)
        True momenta in GeV, massless.
    seed : int or numpy.random.Generator, optional
    resolution : Resolution, optional

    Returns
    -------
    array, (..., 4)
        Massless jets.

    Examples
    --------
    >>> jets = smear_jets(np.tile([100.0, 100.0, 0.0, 0.0], (10_000, 1)), seed=1)
    >>> bool(abs(np.log(pt(jets)).std() - Resolution().jet(100.0)) < 2e-3)
    True
    """
    resolution = resolution or Resolution()
    random = np.random.default_rng(seed)
    transverse, eta, phi = cylindrical(np.asarray(quarks, dtype=float))
    sigma = resolution.jet(transverse)
    return massless(
        transverse * np.exp(sigma * random.normal(size=sigma.shape) - sigma**2 / 2),
        eta + resolution.angle * random.normal(size=sigma.shape),
        phi + resolution.angle * random.normal(size=sigma.shape),
    )


def jet_log_density(jets, quarks, *, resolution=None):
    """Logarithm of the density of measured jets, in (ln pT, eta, phi), given the true momenta.

    Parameters
    ----------
    jets, quarks : arrays, (..., 4)
        Measured and true, in GeV; leading dimensions are broadcast.
    resolution : Resolution, optional

    Returns
    -------
    array, (...)

    Examples
    --------
    >>> jet = np.array([100.0, 100.0, 0.0, 0.0])
    >>> bool(jet_log_density(jet, jet) > jet_log_density(1.2 * jet, jet))
    True
    """
    resolution = resolution or Resolution()
    measured, true = cylindrical(np.asarray(jets, dtype=float)), cylindrical(np.asarray(quarks, dtype=float))
    sigma = resolution.jet(true[0])
    turned = (measured[2] - true[2] + np.pi) % (2 * np.pi) - np.pi
    pulls = (np.log(measured[0] / true[0]) + sigma**2 / 2) / sigma
    angles = ((measured[1] - true[1]) ** 2 + turned**2) / resolution.angle**2
    return -(pulls**2 + angles) / 2 - np.log(sigma * resolution.angle**2) - 1.5 * np.log(2 * np.pi)


class Measured(NamedTuple):
    """An event as measured: ``jets`` and ``photons``, (n, 2, 4) each, in GeV, higher pT first."""

    jets: np.ndarray
    photons: np.ndarray


def measure(quarks, higgs, seed=None, *, resolution=None):
    """Let the Higgs boson decay to photons and measure the event: soft radiation, jets, photons.

    Parameters
    ----------
    quarks : array, (n, 2, 4)
        In GeV.
    higgs : array, (n, 4)
        The transverse momenta must add to zero.
    seed : int or numpy.random.Generator, optional
    resolution : Resolution, optional

    Returns
    -------
    Measured

    Raises
    ------
    ValueError
        For arrays of other shapes.

    Examples
    --------
    >>> from hepml_labs.physics import wbf
    >>> event = wbf.generate(10, seed=1)
    >>> measure(event.quarks, event.higgs, seed=2).photons.shape
    (10, 2, 4)
    """
    check_array("quarks", quarks, ("n", 2, 4))
    resolution = resolution or Resolution()
    random = np.random.default_rng(seed)
    recoil = resolution.recoil * random.normal(size=(len(quarks), 2))
    moved = transverse_boost(np.concatenate([quarks, higgs[:, None]], 1), recoil)
    jets = smear_jets(moved[:, :2], random, resolution=resolution)
    photons = decay_to_photons(moved[:, 2], random)
    photons = photons * np.exp(resolution.photon * random.normal(size=(len(photons), 2)))[..., None]
    return Measured(*(np.take_along_axis(p, np.argsort(-pt(p), 1)[..., None], 1) for p in (jets, photons)))
