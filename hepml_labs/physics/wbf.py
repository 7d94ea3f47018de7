r"""Higgs bosons from weak-boson fusion, pp to H j j at leading order, with the dimension-6 coefficients f_W and f_WW.

Two quarks or antiquarks emit a vector boson each, and W W, Z Z, Z gamma or gamma gamma fuse to a Higgs boson.
Tree-level diagrams with the bosons in the t-channel, massless quarks of five flavours (no top quarks, so that b quarks
take part in neutral exchange only), a Higgs boson of zero width. Left out are the s-channel diagrams (V H with V to
q q'), which live at m_jj = m_V, and the interference of diagrams that differ by an exchange of the two outgoing quarks:
with cuts on m_jj and delta eta both are small :cite:`ciccolini2008fusion`, the latter 2e-4 for u d.
Amplitudes: `wbf_amplitudes`; parton densities: `parton_densities`, at mu_F = m_W.
"""

from math import lgamma, log, pi
from typing import NamedTuple

import numpy as np

from hepml_labs.physics.electroweak import M_H
from hepml_labs.physics.morphing import monomials
from hepml_labs.physics.smearing import massless
from hepml_labs.physics.wbf_amplitudes import ENERGY, SCALE, differential
from hepml_labs.validation import check_array, check_between, check_count

__all__ = ["Events", "cross_section", "differential", "generate", "inside", "phase_space"]

MINIMUM_PT = 10.0  # GeV, of the quarks: photon exchange, through f_WW, diverges at zero
MAXIMUM_ETA = 6.0

# Proposals: Student's t in (ln pT1, ln pT2, eta1, eta2, y_H). Shares, means and covariances: a fit by eye to samples
# with theta on the edges of the square |theta| <= 1. A common boost makes the correlations of the last three variables;
# the second component is for the large momenta that amplitudes of dimension 6 favour.
_FREEDOM, _SHARES = 10.0, (0.85, 0.15)
_MEANS = np.array([[4.1, 4.1, 2.2, -2.2, 0.0], [5.6, 5.6, 1.1, -1.1, 0.0]])
_RAPIDITIES = [[2.8, 1.0, 1.3], [1.0, 2.8, 1.3], [1.3, 1.3, 2.3]], [[1.1, 0.3, 0.5], [0.3, 1.1, 0.5], [0.5, 0.5, 1.1]]
_MOMENTA = [[0.65, 0.0], [0.0, 0.65]], [[0.55, 0.15], [0.15, 0.55]]
_MIXED = [[-0.4, -0.1, -0.1], [0.1, 0.4, 0.1]], [[-0.25, 0.0, 0.0], [0.0, 0.25, 0.0]]
_ROOTS = np.stack(
    [
        np.linalg.cholesky(np.block([[np.array(m), np.array(x)], [np.array(x).T, np.array(r)]]))
        for m, x, r in zip(_MOMENTA, _MIXED, _RAPIDITIES, strict=True)
    ]
)


class Events(NamedTuple):
    """Events before the detector.

    Attributes
    ----------
    quarks : array, (n, 2, 4)
        (E, px, py, pz) in GeV of the outgoing quarks, first the one whose partner came from the proton along +z.
    higgs : array, (n, 4)
        Of the Higgs boson.
    coefficients : array, (n, 6)
        In pb; an event's weight at theta is ``coefficients @ monomials(theta)``, and their sum is the cross-section.
    """

    quarks: np.ndarray
    higgs: np.ndarray
    coefficients: np.ndarray


def inside(quarks):
    """Say which events have both quarks within `MINIMUM_PT` and `MAXIMUM_ETA`, the definition of this process.

    Parameters
    ----------
    quarks : array, (n, 2, 4)
        In GeV.

    Returns
    -------
    array of bool, (n,)
    """
    transverse = np.hypot(quarks[..., 1], quarks[..., 2])
    return ((transverse > MINIMUM_PT) & (np.abs(quarks[..., 3]) < np.sinh(MAXIMUM_ETA) * transverse)).all(1)


def phase_space(n, seed=None, *, mass=M_H):
    r"""Points z of the phase space, where weak-boson fusion has its events.

    Azimuths are uniform; ln pT and pseudorapidity of the quarks and the rapidity of the Higgs boson follow a
    multivariate Student's t, whose tails are longer than the cross-section's.

    Parameters
    ----------
    n : int
        Number of points.
    seed : int or numpy.random.Generator, optional
    mass : float
        Of the Higgs boson, in GeV.

    Returns
    -------
    quarks : array, (n, 2, 4)
        In GeV; the sum of all transverse momenta is zero, the protons' energy is not looked at.
    higgs : array, (n, 4)
    volume : array, (n,)
        1 / (n times the density of the points) in the variables of `differential`, in GeV^4: the sum over points of
        volume times a function is an estimate of its integral.

    Examples
    --------
    >>> quarks, higgs, volume = phase_space(100, seed=1)
    >>> bool(np.allclose((quarks.sum(1) + higgs)[:, 1:3], 0)), quarks.shape
    (True, (100, 2, 4))
    """
    check_count("n", n)
    random = np.random.default_rng(seed)
    component = random.choice(len(_SHARES), n, p=_SHARES)
    normal = random.normal(size=(n, 5)) / np.sqrt(random.chisquare(_FREEDOM, n) / _FREEDOM)[:, None]
    shift = _MEANS[component] + (_ROOTS[component] @ normal[..., None])[..., 0]
    pt, eta, rapidity = np.exp(shift[:, :2]), shift[:, 2:4], shift[:, 4]
    phi = random.uniform(-pi, pi, (n, 2))
    quarks = massless(pt, eta, phi)
    px, py = -quarks[..., 1].sum(1), -quarks[..., 2].sum(1)
    transverse_mass = np.sqrt(mass**2 + px**2 + py**2)
    higgs = np.stack([transverse_mass * np.cosh(rapidity), px, py, transverse_mass * np.sinh(rapidity)], -1)
    volume = (pt**2).prod(1) * (2 * pi) ** 2 / (n * _proposal_density(shift))
    return quarks, higgs, volume


def _proposal_density(shift):
    """Density of the mixture of Student's t at points (n, 5)."""
    power, density = (_FREEDOM + 5) / 2, 0.0
    for share, mean, root in zip(_SHARES, _MEANS, _ROOTS, strict=True):
        constant = lgamma(power) - lgamma(_FREEDOM / 2) - 2.5 * log(_FREEDOM * pi) - np.log(np.diag(root)).sum()
        distance = (np.linalg.solve(root, (shift - mean).T) ** 2).sum(0)
        density = density + share * np.exp(constant) * (1 + distance / _FREEDOM) ** -power
    return density


def generate(n, seed=None, *, benchmarks=None, energy=ENERGY, scale=SCALE, densities=None):
    """Make events, as they come from phase space or thinned out to a mixture of benchmarks.

    Parameters
    ----------
    n : int
        Number of events.
    seed : int or numpy.random.Generator, optional
    benchmarks : array, (m, 2), optional
        Parameters theta. If given, events follow the mean of the normalised densities at these points, up to few
        whose weight is larger than the bound of the rejection: their coefficients make up for it exactly.
    energy, scale, densities
        As for `differential`.

    Returns
    -------
    Events
        Quarks have pT > `MINIMUM_PT` and abs(eta) < `MAXIMUM_ETA`. Without benchmarks points outside or beyond the
        protons' energy stay in the sample, with coefficients of zero.

    Raises
    ------
    ValueError
        For n < 1 or benchmarks of another shape.

    Examples
    --------
    >>> events = generate(1000, seed=1)
    >>> bool(3.0 < events.coefficients[:, 0].sum() < 3.7)             # pb, in the Standard Model
    True
    """
    check_count("n", n)
    check_between("energy", energy, 0, np.inf)
    settings = {"energy": energy, "scale": scale, "densities": densities}
    random = np.random.default_rng(seed)
    if benchmarks is None:
        return _weighted(n, random, settings)
    benchmarks = np.asarray(benchmarks, dtype=float)
    check_array("benchmarks", benchmarks, ("m", 2))
    values = monomials(benchmarks)
    pilot = _weighted(20_000, random, settings).coefficients @ values.T
    totals = pilot.sum(0)
    bound = np.quantile((pilot / totals).mean(1), 0.9995) * 20_000
    kept, tried, found = [], 0, 0
    while found < n:
        batch = _weighted(10_000, random, settings)
        probability = np.minimum((batch.coefficients @ values.T / totals).mean(1) * 10_000 / bound, 1.0)
        accepted = random.random(10_000) < probability
        weights = batch.coefficients[accepted] * (10_000 / probability[accepted, None])
        kept.append(Events(batch.quarks[accepted], batch.higgs[accepted], weights))
        found, tried = found + accepted.sum(), tried + 10_000
    quarks, higgs, coefficients = (np.concatenate(parts) for parts in zip(*kept, strict=True))
    # the sample that was found estimates the cross-section; its first n events are as good as any
    return Events(quarks[:n], higgs[:n], coefficients[:n] * (found / n / tried))


def _weighted(n, random, settings):
    """Events of all of phase space, in batches that fit a processor's cache."""
    quarks, higgs, volume = phase_space(n, random)
    coefficients = np.zeros((n, 6))
    rows = np.flatnonzero(inside(quarks))
    for part in np.array_split(rows, len(rows) // 5000 + 1):
        if len(part):
            coefficients[part] = volume[part, None] * differential(quarks[part], higgs[part], **settings)
    return Events(quarks, higgs, coefficients)


def cross_section(n, seed=None, *, selection=None, **settings):
    """Cross-section as a quadratic polynomial in theta.

    Parameters
    ----------
    n : int
        Points of the integration.
    seed : int or numpy.random.Generator, optional
    selection : callable, optional
        (quarks (n, 2, 4), higgs (n, 4)) -> array of bool (n,): events that count.
    **settings
        ``energy``, ``scale`` and ``densities``, as for `differential`.

    Returns
    -------
    coefficients : array, (6,)
        In pb.
    errors : array, (6,)
        Their standard errors; those of different coefficients are correlated.

    Raises
    ------
    ValueError
        As `generate`.

    Examples
    --------
    >>> value, error = cross_section(2000, seed=1)
    >>> bool(abs(value[0] - 3.32) < 4 * error[0])
    True
    """
    events = generate(n, seed, **settings)
    values = events.coefficients
    if selection is not None:
        values = values * selection(events.quarks, events.higgs)[:, None]
    return values.sum(0), np.sqrt(n) * values.std(0)
