r"""A muon spectrometer in closed form: what it finds, and the density of what it measures.

It measures the curvature of a track, that is 1/pT, and the quality q = ln(chi^2/ndf) of the fit; directions are exact
and efficiency and resolution depend on pT and eta. With the true pT in TeV, r = curvature times true pT is distributed
as

.. math::

    t(r, q\,|\,p_T, \eta) = (1-f)\,\mathcal N(r|1, \sigma^2)\,\mathcal N(q|q_0, \tau_0^2)
    + f\,\mathcal N(r|1+\sigma, (3\sigma)^2)\,\mathcal N(q|q_1, \tau_1^2) , \qquad
    \sigma^2 = a^2 + b(\eta)^2 p_T^2 .

The second term are muons that shower in the iron: more often at high pT, badly measured, and with a bad fit, so that q
is a warning. The curvature of a stiff track may come out with the wrong sign: r < 0 is a muon of the wrong charge.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hepml_labs.physics.muon_pairs import observables
from hepml_labs.validation import check_array

MEASURED = ("curvature", "quality")


class Spectrometer(NamedTuple):
    """Constants of the detector; the defaults are several times worse than at ATLAS and CMS, as before an
    alignment.

    Attributes
    ----------
    scattering : float
        Relative resolution a at low momentum.
    sagitta : float
        Relative resolution b at 1 TeV and eta = 0, growing with eta^2 to twice that at \\|eta\\| = 2.4.
    shower, stiffness : float
        Share f of muons that shower: `shower` at pT = 0, and `stiffness` more at very high pT.
    quality, spread : tuples of two floats
        Means and standard deviations of q for good tracks and showers.
    """

    scattering: float = 0.02
    sagitta: float = 0.3
    shower: float = 0.05
    stiffness: float = 0.3
    quality: tuple = (0.0, 0.8)
    spread: tuple = (0.3, 0.4)

    def resolution(self, truth):
        """Standard deviation of r of good tracks.

        Parameters
        ----------
        truth : array, (n, 2)
            ln pT with pT in GeV, and eta.

        Returns
        -------
        array, (n,)

        Examples
        --------
        >>> Spectrometer().resolution(np.array([[np.log(100), 0.0], [np.log(1000), 0.0]])).round(3)
        array([0.036, 0.301])
        """
        return np.hypot(self.scattering, self.sagitta * (1 + (truth[:, 1] / 2.4) ** 2) * np.exp(truth[:, 0]) / 1000)

    def share(self, truth):
        """Share f (n,) of muons that shower, for truth (n, 2) as in `resolution`."""
        pt = np.exp(truth[:, 0]) / 1000
        return self.shower + self.stiffness * pt / (1 + pt)

    def efficiency(self, truth):
        """Probability that a muon is found: there is a crack at \\|eta\\| = 1, and showers hide muons.

        Parameters
        ----------
        truth : array, (n, 2)
            As in `resolution`.

        Returns
        -------
        array, (n,)

        Examples
        --------
        >>> Spectrometer().efficiency(np.array([[np.log(100), 0.0], [np.log(100), 1.0]])).round(2)
        array([0.95, 0.65])
        """
        crack = 0.3 * np.exp(-0.5 * ((np.abs(truth[:, 1]) - 1.0) / 0.15) ** 2)
        return 0.97 - crack - 0.2 * self.share(truth)

    def measure(self, truth, seed=None):
        """Draw what the detector makes of muons.

        Parameters
        ----------
        truth : array, (n, 2)
            ln pT with pT in GeV, and eta.
        seed : int or numpy.random.Generator, optional

        Returns
        -------
        measured : array, (n, 2)
            Columns as `MEASURED`: curvature in 1/TeV, negative for a wrong charge, and q.
        found : array of bool, (n,)
            Whether there is a muon at all. Rows of `measured` are drawn for all.

        Raises
        ------
        ValueError
            If `truth` has another shape, or entries that are not finite.

        Examples
        --------
        >>> measured, found = Spectrometer().measure(np.full((1000, 2), [np.log(500.0), 0.0]), seed=1)
        >>> bool(abs(np.median(measured[:, 0]) - 2.0) < 0.05)
        True
        """
        check_array("truth", truth, ("n", 2))
        random = np.random.default_rng(seed)
        found = random.random(len(truth)) < self.efficiency(truth)
        showers = (random.random(len(truth)) < self.share(truth)).astype(int)
        sigma = self.resolution(truth)
        r = 1 + sigma * (showers + (1 + 2 * showers) * random.normal(size=len(truth)))
        q = np.take(self.quality, showers) + np.take(self.spread, showers) * random.normal(size=len(truth))
        return np.stack([r * 1000 * np.exp(-truth[:, 0]), q], -1), found

    def log_density(self, measured, truth):
        """Logarithm of the density of what is measured, the transfer function of one muon.

        Parameters
        ----------
        measured, truth : arrays, (n, 2)
            As in `measure`.

        Returns
        -------
        array, (n,)
            In units of TeV (the density of the curvature).

        Examples
        --------
        >>> round(float(Spectrometer().log_density(np.array([[2.0, 0.0]]), np.array([[np.log(500.0), 0.0]]))[0]), 2)
        0.4
        """
        check_array("truth", truth, ("n", 2))
        check_array("measured", measured, (len(truth), 2))
        sigma, share = self.resolution(truth), self.share(truth)
        r = measured[:, 0] * np.exp(truth[:, 0]) / 1000
        parts = []
        for kind, (weight, shift, width) in enumerate(((1 - share, 0.0, 1.0), (share, 1.0, 3.0))):
            pull = ((r - 1) / sigma - shift) / width
            other = (measured[:, 1] - self.quality[kind]) / self.spread[kind]
            norm = 2 * np.pi * width * sigma * self.spread[kind]
            parts.append(np.log(weight / norm) - (pull**2 + other**2) / 2)
        return np.logaddexp(*parts) + truth[:, 0] - np.log(1000)  # dr = pT d curvature


def measure_pairs(z, spectrometer=None, seed=None):
    """Measure pairs of `muon_pairs`, and select them.

    Parameters
    ----------
    z : array, (n, 5)
        Columns as `muon_pairs.TRUTH`.
    spectrometer : Spectrometer, optional
    seed : int or numpy.random.Generator, optional

    Returns
    -------
    x : array, (n, 7)
        Curvature (1/TeV) and quality of the negative, then of the positive muon, then eta-, eta+, delta phi.
    selected : array of bool, (n,)
        Both found with their charge, pT > 53 GeV, and a measured mass above 300 GeV.

    Examples
    --------
    >>> from hepml_labs.physics.muon_pairs import generate
    >>> x, selected = measure_pairs(generate(1000, seed=1), seed=2)
    >>> x.shape, bool(0.1 < selected.mean() < 0.4)
    ((1000, 7), True)
    """
    spectrometer, random = spectrometer or Spectrometer(), np.random.default_rng(seed)
    tracks = [spectrometer.measure(z[:, [k, 2 + k]], random) for k in (0, 1)]
    x = np.concatenate([tracks[0][0], tracks[1][0], z[:, 2:]], axis=1)
    return x, select(x) & tracks[0][1] & tracks[1][1]


def as_truth(x):
    """What the event would be if the measured momenta were true: (n, 5), columns as `muon_pairs.TRUTH`.

    Wrong charges are not looked at.

    Examples
    --------
    >>> as_truth(np.array([[2.0, 0.0, 2.5, 0.0, 0.1, -0.1, 3.0]])).round(3)
    array([[ 6.215,  5.991,  0.1  , -0.1  ,  3.   ]])
    """
    return np.concatenate([np.log(1000 / np.abs(x[:, [0, 2]])), x[:, 4:]], axis=1)


def select(x):
    """Opposite charges, pT > 53 GeV and a mass above 300 GeV, all as measured: array of bool (n,)."""
    right = (x[:, 0] > 0) & (x[:, 2] > 0)
    z = as_truth(np.where(right[:, None], x, 1.0))
    return right & (z[:, :2] > np.log(53)).all(axis=1) & (observables(z).mass > 300)


def complete(log_pt, x):
    """Events (n, 5), columns as `muon_pairs.TRUTH`, from the true ln pT (n, 2) and the exact directions in x (n, 7)."""
    return np.concatenate([log_pt, x[:, 4:]], axis=1)


def log_transfer(x, z, density, efficiency):
    """Logarithm of efficiency times transfer function of pairs, from those of single muons.

    Parameters
    ----------
    x : array, (n, 7)
        As `measure_pairs`.
    z : array, (n, 5)
        Truth with the same directions.
    density, efficiency : callables
        ``density(measured, truth)`` and ``efficiency(truth)`` of one muon, those of a `Spectrometer` or learned ones.

    Returns
    -------
    array, (n,)
    """
    truth = np.concatenate([z[:, [0, 2]], z[:, [1, 3]]])
    measured = np.concatenate([x[:, :2], x[:, 2:4]])
    both = density(measured, truth) + np.log(efficiency(truth))
    return both[: len(x)] + both[len(x) :]
