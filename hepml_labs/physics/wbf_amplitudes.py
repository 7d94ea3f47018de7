r"""Amplitudes and cross-section of weak-boson fusion, q q' to q q' H, with the coefficients f_W and f_WW.

The flavours of the quarks enter through couplings alone. So amplitudes are computed once for each pair of helicities
and vertex, and what the protons emit is a small matrix: `emission`.

In the Standard Model the squares are those of Pythia's ``HiggsSM:ff2Hff(t:WW)`` and ``(t:ZZ)``, except that Pythia
takes the formula for two quarks for antiquarks as well, where p2 and p4 should be exchanged: that gives 1 % more.
"""

from math import pi

import numpy as np

from hepml_labs.physics.electroweak import M_W, PICOBARN, ckm_squared, fermion_coupling, propagator
from hepml_labs.physics.higgs_vertices import fermion_current, higgs_amplitude, quadratic_coefficients
from hepml_labs.physics.kinematics import minkowski_product
from hepml_labs.physics.parton_densities import PartonDensities
from hepml_labs.validation import check_array

ENERGY = 13_000.0  # GeV, of the collision
SCALE = M_W  # GeV, of the parton densities
QUARKS = (1, 2, 3, 4, 5)
CHANNELS = ("W W, like helicities", "W W, unlike helicities", "Z and gamma, like", "Z and gamma, unlike")
"""What no detector sees: the bosons that fuse, and whether both quark lines have the same helicity."""

_NEUTRAL = ("ZZ", "ZA", "AZ", "AA")


def _sum_down(up):
    return sum(ckm_squared(up, down) for down in (1, 3, 5))


def _sum_up(down):
    return sum(ckm_squared(up, down) for up in (2, 4))


_MIXING = {quark: (_sum_down if quark % 2 == 0 else _sum_up)(quark) for quark in QUARKS}
# couplings of a line's left- and right-handed helicity to (Z, A), (quarks, helicities, bosons)
_COUPLINGS = np.array([[[fermion_coupling(boson, q, h) for boson in "ZA"] for h in (-1, 1)] for q in QUARKS])


def helicity_amplitudes(quarks, higgs):
    """Amplitudes without couplings for left-handed first lines, for all vertices.

    The mirror images of these helicities have the complex conjugate amplitudes (up to a common phase).

    Parameters
    ----------
    quarks : array, (n, 2, 4)
        Of the outgoing quarks in GeV, first that of the proton along +z.
    higgs : array, (n, 4)

    Returns
    -------
    charged : complex array, (2, n, 3)
        W W fusion with propagators: second line left- or right-handed; Standard Model, f_W, f_WW.
    neutral : complex array, (2, n, 4, 3)
        The same for Z Z, Z gamma (Z from the first line), gamma Z, gamma gamma.
    """
    total = quarks.sum(1) + higgs
    ones = np.ones(len(total))
    incoming = [np.outer((total[:, 0] + sign * total[:, 3]) / 2, [1.0, 0.0, 0.0, sign]) for sign in (1, -1)]
    k1, k2 = (incoming[line] - quarks[:, line] for line in (0, 1))
    first = fermion_current(incoming[0], quarks[:, 0], -1)
    second = np.stack([fermion_current(incoming[1], quarks[:, 1], helicity) for helicity in (-1, 1)])
    virtuality = minkowski_product(k1, k1), minkowski_product(k2, k2)
    emitted = {boson: [propagator(boson, v).real for v in virtuality] for boson in "WZA"}

    def fused(vertex):
        strength = (emitted[vertex[0]][0] * emitted[vertex[1]][1] * ones)[:, None]
        if vertex == "AZ":
            return strength * higgs_amplitude(second, k2, first, k1, "ZA")
        return strength * higgs_amplitude(first, k1, second, k2, vertex)

    return fused("WW"), np.stack([fused(vertex) for vertex in _NEUTRAL], -2)


def emission(x, densities, scale=SCALE):
    """Strengths with which a proton's quarks and antiquarks emit bosons.

    An antiquark's line has the couplings of its quark for the other helicity.

    Parameters
    ----------
    x : array, (n,)
        Momentum fractions of the quarks.
    densities : PartonDensities
    scale : float
        Factorisation scale in GeV.

    Returns
    -------
    charged : array, (n, 2, 2)
        Sum of densities times coupling squared: boson W+ or W-, line's helicity left or right.
    neutral : array, (n, 2, 2, 2)
        The same for the line's helicity and the products of the couplings to (Z, gamma) in the amplitude and in its
        conjugate.
    """
    quarks, antiquarks = (
        densities.all(x, scale**2, tuple(sign * quark for quark in QUARKS)) / x[:, None] for sign in (1, -1)
    )
    mixing = np.array([_MIXING[quark] for quark in QUARKS]) * fermion_coupling("W", 1, -1) ** 2
    up = np.array([quark % 2 == 0 for quark in QUARKS])
    plus_left, minus_left = quarks @ (mixing * up), quarks @ (mixing * ~up)
    plus_right, minus_right = antiquarks @ (mixing * ~up), antiquarks @ (mixing * up)
    charged = np.stack([np.stack([plus_left, plus_right], -1), np.stack([minus_left, minus_right], -1)], 1)
    products = _COUPLINGS[..., :, None] * _COUPLINGS[..., None, :]
    neutral = np.tensordot(quarks, products, 1) + np.tensordot(antiquarks, products[:, ::-1], 1)
    return charged, neutral


def differential(quarks, higgs, *, channels=False, energy=ENERGY, scale=SCALE, densities=None):
    r"""Differential cross-section of one assignment of the outgoing quarks to the protons.

    .. math::

        \frac{d\sigma}{dz} = \frac{1}{8 (2\pi)^5}\, \frac{f(x_1) f(x_2)}{x_1 x_2 s^2}\, \overline{|\mathcal{M}|^2},
        \qquad dz = dy_H \prod_{i=1,2} p_{T,i}\,dp_{T,i}\,d\eta_i\,d\phi_i ,

    summed over flavours and helicities, as a quadratic polynomial in theta.

    Parameters
    ----------
    quarks : array, (n, 2, 4)
        In GeV, first the one from the proton along +z. Transverse momenta of quarks and Higgs boson must add to zero.
    higgs : array, (n, 4)
    channels : bool
        Keep the `CHANNELS` apart.
    energy : float
        Of the collision in GeV.
    scale : float
        Factorisation scale in GeV.
    densities : PartonDensities, optional
        `PartonDensities.load()` by default.

    Returns
    -------
    array, (n, 6) or (n, 4, 6)
        In pb / GeV^4; zero where the protons' energy does not suffice.

    Raises
    ------
    ValueError
        For arrays of another shape.
    """
    check_array("quarks", quarks, ("n", 2, 4))
    check_array("higgs", higgs, (len(quarks), 4))
    densities = densities or PartonDensities.load()
    total = quarks.sum(1) + higgs
    x1, x2 = ((total[:, 0] + sign * total[:, 3]) / energy for sign in (1, -1))
    possible = (x1 < 1) & (x2 < 1)
    result = np.zeros((len(quarks), len(CHANNELS), 6))
    if possible.any():
        quarks, higgs, x1, x2 = quarks[possible], higgs[possible], x1[possible], x2[possible]
        charged, neutral = helicity_amplitudes(quarks, higgs)
        (charged1, neutral1), (charged2, neutral2) = (emission(x, densities, scale) for x in (x1, x2))
        squared = np.empty((len(quarks), len(CHANNELS), 6))
        for other in (0, 1):  # helicity of the second line: that of the first, or the other
            opposite = charged2[:, ::-1, ::-1] if other else charged2[:, ::-1]  # boson of opposite charge
            strength = (charged1 * opposite).sum((1, 2))
            squared[:, other] = strength[:, None] * quadratic_coefficients(charged[other])
            lines = neutral2[:, ::-1] if other else neutral2
            weight = np.einsum("nhac,nhbd->nabcd", neutral1, lines).reshape(-1, 4, 4)
            squared[:, 2 + other] = _contract(neutral[other], weight)
        # 1/4: mean over the helicities of the incoming quarks; colours give 1
        factor = PICOBARN / 4 / (8 * (2 * pi) ** 5) / (x1 * x2 * energy**4)
        result[possible] = factor[:, None, None] * squared
    return result if channels else result.sum(1)


def _contract(amplitudes, weight):
    """Coefficients of sum_kl weight_kl Re(A_k* A_l), for amplitudes (n, 4, 3) and symmetric weights (n, 4, 4)."""
    first, second = np.triu_indices(3)
    parts = sum(part.swapaxes(1, 2) @ (weight @ part) for part in (amplitudes.real, amplitudes.imag))
    return parts[:, first, second] * np.where(first == second, 1.0, 2.0)
