r"""Amplitudes with one Higgs boson between two fermion currents, with the dimension-6 coefficients f_W and f_WW.

.. math::

    \mathcal{L} \supset \frac{f_W}{\Lambda^2}\,\frac{ig}{2}(D^\mu\phi)^\dagger\sigma^a D^\nu\phi\,W^a_{\mu\nu}
    - \frac{f_{WW}}{\Lambda^2}\,\frac{g^2}{4}\,\phi^\dagger\phi\,W^a_{\mu\nu}W^{a\,\mu\nu},
    \qquad D_\mu = \partial_\mu + \tfrac{ig}{2}\sigma^aW^a_\mu + \tfrac{ig'}{2}B_\mu .

In unitary gauge the terms with one Higgs boson and two vector bosons are, with :math:`m = g\,m_W`,

.. math::

    \frac{f_W}{\Lambda^2}\,\frac{m}{2}\,\partial^\nu H \left[ W^{-\mu}W^+_{\mu\nu} + W^{+\mu}W^-_{\mu\nu}
    + Z^\mu\left(Z_{\mu\nu} + \tfrac{s}{c} A_{\mu\nu}\right)\right]
    - \frac{f_{WW}}{\Lambda^2}\,\frac{m}{2}\,H \left[ 2 W^+_{\mu\nu}W^{-\mu\nu} + c^2 Z_{\mu\nu}Z^{\mu\nu}
    + 2sc\,Z_{\mu\nu}A^{\mu\nu} + s^2 A_{\mu\nu}A^{\mu\nu}\right],

as in Hagiwara, Ishihara, Szalapski and Zeppenfeld, Phys. Rev. D 48 (1993) 2182, and in hep-ph/9902321.
Parameters are :math:`\theta = (f_W, f_{WW})\,v^2/\Lambda^2`, without dimension.
"""

import numpy as np

from hepml_labs.physics.electroweak import COS, M_W, SIN, G, V
from hepml_labs.physics.kinematics import minkowski_product
from hepml_labs.physics.spinors import spinors

# For each pair of bosons, in units of g m_W: the Standard Model's coupling; the strength of O_W with the field
# strength of the first and of the second boson; and that of O_WW. Equal bosons have two assignments of the fields.
_STRENGTHS = {
    "WW": (1.0, 1 / 2, 1 / 2, 2.0),
    "ZZ": (1 / COS**2, 1 / 2, 1 / 2, 2 * COS**2),
    "ZA": (0.0, 0.0, SIN / (2 * COS), 2 * SIN * COS),
    "AA": (0.0, 0.0, 0.0, 2 * SIN**2),
}


def fermion_current(incoming, outgoing, helicity):
    r"""Current :math:`\bar u(p')\gamma^\mu P_h u(p)` of a line of massless fermions.

    Parameters
    ----------
    incoming, outgoing : arrays, shape (..., 4)
        Momenta p and p' at the start and the end of the line (along the fermion's arrow), with positive energy. For
        an antifermion too it is the physical momentum: in q qbar annihilation q starts and qbar ends the line, in
        W- to l- nubar the antineutrino starts and the lepton ends it. (A massless spinor v of one chirality is the
        spinor u, up to a phase.)
    helicity : {-1, 1}
        Chirality of the line, -1 for left-handed.

    Returns
    -------
    complex array, shape (..., 4)
        Contravariant components, in GeV. The current is conserved: its product with p' - p, or with p' + p for
        annihilation and creation, is zero.

    Raises
    ------
    ValueError
        If `helicity` is another number.

    Examples
    --------
    With one momentum twice the current is 2 p.

    >>> p = np.array([[5.0, 3.0, 0.0, 4.0]])
    >>> fermion_current(p, p, -1).real.round(12) + 0.0
    array([[10.,  6.,  0.,  8.]])
    """
    if helicity not in (-1, 1):
        raise ValueError(f"helicity: found {helicity}, expected -1 or 1")
    first, last = (outgoing, incoming) if helicity == -1 else (incoming, outgoing)
    # <p'| gamma^mu |p] for left-handed lines, <p| gamma^mu |p'] for right-handed ones
    a0, a1 = np.moveaxis(spinors(first)[0], -1, 0)
    b0, b1 = np.moveaxis(spinors(last)[1], -1, 0)
    return np.stack([a0 * b0 + a1 * b1, a0 * b1 + a1 * b0, 1j * (a0 * b1 - a1 * b0), a0 * b0 - a1 * b1], -1)


def higgs_amplitude(first_current, first_momentum, second_current, second_momentum, vertex):
    r"""Two currents joined by the vertex of two vector bosons and a Higgs boson.

    With :math:`q = k_1 + k_2` and in units of :math:`g\,m_W`, for two W bosons

    .. math::

        A_0 = J_1\cdot J_2,\qquad
        A_W = \tfrac{1}{2v^2}\left[(k_2 J_1)(q J_2) + (k_1 J_2)(q J_1) - q^2\,J_1 J_2\right],\qquad
        A_{WW} = \tfrac{2}{v^2}\left[(k_1k_2)(J_1J_2) - (k_1J_2)(k_2J_1)\right].

    Parameters
    ----------
    first_current, second_current : complex arrays, shape (..., 4)
        From `fermion_current`, contravariant; or polarisation vectors.
    first_momentum, second_momentum : arrays, shape (..., 4)
        Momenta k of the bosons that flow INTO the vertex, in GeV: p - p' for scattering, p + p' for annihilation,
        -(p + p') for a boson that leaves and decays to p and p'.
    vertex : {"WW", "ZZ", "ZA", "AA"}
        For "ZA" the first current is the Z boson's, the second the photon's.

    Returns
    -------
    complex array, shape (..., 3)
        Standard Model, f_W, f_WW: the amplitude at theta is ``result @ (1, theta_1, theta_2)``. Fermion couplings and
        propagators are not in it; with `electroweak.fermion_coupling` and `electroweak.propagator` it is
        c_1 c_2 P_1 P_2 times the result, and diagrams of one final state add with these signs.

    Raises
    ------
    ValueError
        If `vertex` is not known.

    Examples
    --------
    A photon's polarisation vector may be shifted by its momentum.

    >>> random = np.random.default_rng(1)
    >>> z, photon, k1, k2 = random.normal(size=(4, 4))
    >>> np.abs(higgs_amplitude(z, k1, k2, k2, "ZA")).max() < 1e-15
    np.True_
    """
    if vertex not in _STRENGTHS:
        raise ValueError(f"vertex: found {vertex!r}, expected one of {tuple(_STRENGTHS)}")
    standard, field_first, field_second, both = _STRENGTHS[vertex]
    total = first_momentum + second_momentum
    currents = minkowski_product(first_current, second_current)
    crossed_first = minkowski_product(second_momentum, first_current)
    crossed_second = minkowski_product(first_momentum, second_current)
    # d^nu H V_1^mu V_2,mu nu, and the same with the field strength of the first boson
    second_field = crossed_first * minkowski_product(total, second_current)
    second_field = second_field - minkowski_product(total, second_momentum) * currents
    first_field = crossed_second * minkowski_product(total, first_current)
    first_field = first_field - minkowski_product(total, first_momentum) * currents
    two_fields = minkowski_product(first_momentum, second_momentum) * currents - crossed_first * crossed_second
    return (G * M_W) * np.stack(
        [
            standard * currents,
            (field_first * first_field + field_second * second_field) / V**2,
            both * two_fields / V**2,
        ],
        -1,
    )


def quadratic_coefficients(amplitudes):
    r"""Coefficients of :math:`|A\cdot(1, \theta)|^2`, a quadratic polynomial in theta.

    Parameters
    ----------
    amplitudes : array, shape (..., p + 1)
        Standard Model first, then one for each parameter.

    Returns
    -------
    float array, shape (..., K)
        For the monomials (1, t1, ..., tp, t1^2, t1 t2, ..., tp^2), K = (p + 1)(p + 2) / 2: the squared amplitude of
        the Standard Model, interferences, squares. Sums over helicities are sums of these.

    Examples
    --------
    >>> quadratic_coefficients(np.array([1.0, 2.0j, 1.0 + 1.0j]))         # |1 + 2i t1 + (1 + i) t2|^2
    array([1., 0., 2., 4., 4., 2.])
    """
    amplitudes = np.asarray(amplitudes)
    first, second = np.triu_indices(amplitudes.shape[-1])
    products = (amplitudes[..., first].conj() * amplitudes[..., second]).real
    return products * np.where(first == second, 1.0, 2.0)
