r"""Off-shell Higgs bosons in :math:`pp \to e^+e^-\mu^+\mu^-`: signal, interference and backgrounds event by event.

Exact at leading order: :math:`gg \to H^* \to ZZ` through the top loop, :math:`q\bar q \to ZZ`, both Z decays with all
spin correlations. The continuum :math:`gg \to ZZ` is a model, right at high mass: transverse Z bosons from the massless
quark box, with :math:`t, u` of massive bosons; longitudinal ones from the top box with Goldstone bosons. Left out:
mixed polarisations, the top quark's part of the transverse ones, virtual photons, higher orders, the detector (leptons
are cut, not smeared). Rates are therefore those of a model, not predictions. Events come from `off_shell_events`.
"""

from __future__ import annotations

import numpy as np

from hepml_labs.physics.electroweak import GAMMA_Z, M_H, M_Z, V, fermion_coupling
from hepml_labs.physics.kinematics import boost
from hepml_labs.physics.quark_loops import goldstone_box, higgs_form_factor, massless_box
from hepml_labs.physics.spinors import spinor_product, spinors

FEATURES = ("m_4l", "rapidity", "m_1", "m_2", "cos_theta_star", "cos_theta_1", "cos_theta_2", "phi_1", "phi_2")
"""What describes an event: mass (GeV) and rapidity of the four leptons; masses of the two Z bosons, 1 to electrons;
angle of Z1 in the rest frame of the four; polar and azimuthal angles of the electron in the rest frame of Z1, and of
the muon in that of Z2, against the flight of the boson and the production plane."""

M_TOP, GAMMA_H = 172.69, 4.1e-3  # GeV: Particle Data Group 2022, and the Standard Model's width
ALPHA_S = 0.103  # strong coupling at 250 GeV


def production_amplitudes(m_4l, m_1, m_2, cosine):
    r"""Helicity amplitudes of :math:`gg \to ZZ` through the Higgs boson and of the continuum.

    Parameters
    ----------
    m_4l, m_1, m_2 : arrays, (n,)
        Masses of the pair and of the two Z bosons in GeV.
    cosine : array, (n,)
        Cosine of the scattering angle.

    Returns
    -------
    signal, continuum : complex arrays, (2, 3, 3, n)
        Gluon helicities (+, +) and (+, -); then the helicities -1, 0, 1 of the two bosons. Without the colour factor
        :math:`\delta^{ab}`. The other gluon helicities follow by parity: turn the helicities of the bosons round.

    Notes
    -----
    The second boson's axes are those of the first one turned by pi about the normal of the production plane.

    .. math:: \mathcal{M}^S_{\lambda\lambda} = \frac{\alpha_s s}{8\pi v} A_{1/2}\;\frac{1}{s - m_H^2 + i m_H\Gamma_H}\;
        \frac{2 m_Z^2}{v}\,\{1,\; k_1\!\cdot\!k_2/(m_1 m_2),\; 1\}

    .. math:: \mathcal{M}^B_{00} = \frac{\alpha_s m_t^2}{8\pi v^2}\,(F_{++} - S A_{1/2})\,
        \frac{2 m_Z^2}{s}\frac{k_1\!\cdot\!k_2}{m_1 m_2},\qquad
        \mathcal{M}^B_{TT} = 4\alpha_s \sum_q \frac{g_L^2 + g_R^2}{8\pi}\, M^{\gamma\gamma}

    The second follows from the equivalence of longitudinal and Goldstone bosons: signal and continuum together are the
    box and the small triangle with a Higgs boson, :math:`F_{++} + S A_{1/2}\, m_H^2/(s - m_H^2)`. Amplitudes whose
    helicities forbid the forward direction are multiplied by :math:`\beta^2\sin^2\theta/(1-\beta^2\cos^2\theta)`,
    which is 1 for massless bosons.
    """
    s = m_4l**2
    momentum = z_momentum(m_4l, m_1, m_2)
    beta = 2 * momentum / m_4l
    product = (s - m_1**2 - m_2**2) / 2
    longitudinal = product / (m_1 * m_2)
    zero = np.zeros((2, 3, 3, len(s)), dtype=complex)

    signal, triangle = zero.copy(), higgs_form_factor(s / M_TOP**2)
    higgs = ALPHA_S * s / (8 * np.pi * V) * triangle / (s - M_H**2 + 1j * M_H * GAMMA_H) * 2 * M_Z**2 / V
    signal[0, 0, 0] = signal[0, 2, 2] = higgs
    signal[0, 1, 1] = higgs * longitudinal

    t = -s / 2 * (1 - beta * cosine)
    forward = beta**2 * (1 - cosine**2) / (1 - beta**2 * cosine**2)
    equal, same, exchanged = massless_box(s, t)
    coupling = sum(fermion_coupling("Z", quark, h) ** 2 for quark in range(1, 6) for h in (-1, 1)) / (8 * np.pi)
    continuum = zero
    continuum[0, 2, 2], continuum[0, 0, 0] = equal, 1.0
    continuum[0, 0, 2] = continuum[0, 2, 0] = continuum[1, 0, 0] = continuum[1, 2, 2] = forward
    continuum[1, 2, 0], continuum[1, 0, 2] = same, exchanged
    continuum *= 4 * ALPHA_S * coupling
    box = goldstone_box(s / M_TOP**2, t / M_TOP**2)
    yukawa = ALPHA_S * M_TOP**2 / (8 * np.pi * V**2) * 2 * M_Z**2 / s * longitudinal
    continuum[0, 1, 1] = yukawa * (box[0] - s / M_TOP**2 * triangle)
    continuum[1, 1, 1] = yukawa * box[1] * forward
    return signal, continuum


def z_momentum(m_4l, m_1, m_2):
    """Momentum of either Z boson in the rest frame of the pair, in GeV.

    Parameters
    ----------
    m_4l, m_1, m_2 : arrays, (n,)
        Masses of the pair and of the two bosons in GeV.

    Returns
    -------
    array, (n,)
    """
    return np.sqrt((m_4l**2 - (m_1 + m_2) ** 2) * (m_4l**2 - (m_1 - m_2) ** 2)) / (2 * m_4l)


def _decay(cosine, azimuth):
    """Rotation functions (lepton helicity -1 or 1, Z helicity -1, 0, 1, n) of Z to two massless leptons."""
    plus, minus, sine = (1 + cosine) / 2, (1 - cosine) / 2, np.sqrt((1 - cosine**2) / 2)
    phase = np.exp(1j * np.stack([-azimuth, 0 * azimuth, azimuth]))
    return np.stack([np.stack([plus, -sine, minus]), np.stack([minus, sine, plus])]) * phase


def lepton_factor(m):
    """Squared couplings, propagator and lepton current of one Z boson, without its angles.

    Parameters
    ----------
    m : array, (n,)
        Mass of the lepton pair in GeV.

    Returns
    -------
    array, (2, n)
        For the lepton helicities -1 and 1, in GeV^-2.
    """
    couplings = np.array([fermion_coupling("Z", 11, h) for h in (-1, 1)]) ** 2
    return couplings[:, None] * 2 * m**2 / ((m**2 - M_Z**2) ** 2 + (M_Z * GAMMA_Z) ** 2)


def gluon_parts(x):
    """Squared amplitudes of gluon fusion: continuum, interference, signal.

    Parameters
    ----------
    x : array, (n, 9)
        Events, columns as `FEATURES`.

    Returns
    -------
    array, (n, 3)
        Averaged over the gluons' colours and helicities, summed over those of the leptons, in GeV^-4.
    """
    m_4l, _, m_1, m_2, cosine, cosine_1, cosine_2, phi_1, phi_2 = x.T
    productions = np.stack(production_amplitudes(m_4l, m_1, m_2, cosine))
    first, second = _decay(cosine_1, phi_1), _decay(cosine_2, phi_2)
    leptons = lepton_factor(m_1)[:, None] * lepton_factor(m_2)[None]
    result = np.zeros((3, len(x)))
    for amplitudes in (productions, productions[:, :, ::-1, ::-1]):  # the second time with all helicities reversed
        half = np.einsum("pgabn,kan->pgkbn", amplitudes, first)
        signal, continuum = np.einsum("pgkbn,lbn->pgkln", half, second)
        result[0] += (np.abs(continuum) ** 2 * leptons).sum((0, 1, 2))
        result[1] += 2 * ((signal * continuum.conj()).real * leptons).sum((0, 1, 2))
        result[2] += (np.abs(signal) ** 2 * leptons).sum((0, 1, 2))
    return result.T / 32  # 8 colours, over 4 helicities and 64 colours


def leptons(x, laboratory=True):
    """Momenta of the four leptons.

    Parameters
    ----------
    x : array, (n, 9)
        Events, columns as `FEATURES`; the production plane is the xz plane.
    laboratory : bool
        In the laboratory frame, else in the rest frame of the four leptons.

    Returns
    -------
    array, (n, 4, 4)
        Electron, positron, muon, antimuon: (E, px, py, pz) in GeV.
    """
    m_4l, rapidity, m_1, m_2, cosine, cosine_1, cosine_2, phi_1, phi_2 = x.T
    momentum, sine = z_momentum(m_4l, m_1, m_2), np.sqrt(1 - cosine**2)
    result = np.empty((len(x), 4, 4))
    for z, (m, c, phi, sign) in enumerate(((m_1, cosine_1, phi_1, 1), (m_2, cosine_2, phi_2, -1))):
        energy, transverse = np.sqrt(momentum**2 + m**2), np.sqrt(1 - c**2) * m / 2
        for k, direction in enumerate((1, -1)):
            across, out = direction * transverse * np.cos(phi), direction * transverse * np.sin(phi)
            along = (energy * direction * c + momentum) / 2
            # axes of Z2: x and z are those of Z1 reversed
            across, along = sign * across, sign * along
            total = (energy + momentum * direction * c) / 2
            parallel = (cosine * across + sine * along, out, cosine * along - sine * across)
            result[:, 2 * z + k] = np.stack([total, *parallel], axis=-1)
    if laboratory:
        velocity = np.zeros((len(x), 1, 3))
        velocity[:, 0, 2] = np.tanh(rapidity)
        result = boost(result, velocity)
    return result


def quark_amplitudes(x):
    r"""Squared chain of :math:`q\bar q \to ZZ \to` leptons for a left-handed quark along +z.

    Parameters
    ----------
    x : array, (n, 9)
        Events, columns as `FEATURES`.

    Returns
    -------
    array, (2, 2, n)
        :math:`|\bar v\,\gamma J_2\,\gamma Q\,\gamma J_1\,P_L u/t + (1 \leftrightarrow 2)/u|^2` for the helicities
        -1, 1 of electron and muon, couplings and propagators left out, in GeV^4. A right-handed quark, or one along -z,
        has the lepton helicities reversed.
    """
    momenta = leptons(x, laboratory=False)
    beams = x[:, :1, None] / 2 * np.array([[1.0, 0, 0, 1], [1.0, 0, 0, -1]])
    angle, square = (np.moveaxis(values, 1, 0) for values in spinors(np.concatenate([beams, momenta], axis=1)))

    def chain(i, j, k, l, pair):
        """<2 i>[j| p1 - (momentum of the pair) |k>[l 1] over the virtuality of the quark."""
        middle = sum(
            sign * spinor_product(square[j], square[a]) * spinor_product(angle[a], angle[k])
            for a, sign in ((0, 1), (pair, -1), (pair + 1, -1))
        )
        ends = spinor_product(angle[1], angle[i]) * spinor_product(square[l], square[0])
        transfer = beams[:, 0] - momenta[:, pair - 2] - momenta[:, pair - 1]
        return 4 * ends * middle / (transfer[:, 0] ** 2 - (transfer[:, 1:] ** 2).sum(-1))

    electrons, muons = {-1: (2, 3), 1: (3, 2)}, {-1: (4, 5), 1: (5, 4)}
    result = np.empty((2, 2, len(x)))
    for e, (a, b) in enumerate(electrons.values()):
        for m, (c, d) in enumerate(muons.values()):
            result[e, m] = np.abs(chain(c, d, a, b, 2) + chain(a, b, c, d, 4)) ** 2
    return result
