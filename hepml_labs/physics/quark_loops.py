r"""Quark loops between two gluons and two bosons: triangle, massless box, and top box for longitudinal Z bosons.

Massive loops depend on :math:`S = s/m^2, T = t/m^2, U = u/m^2` only. The scalar integrals are
:math:`m^2 C_0(s)` and :math:`m^4 D_0(s, t)` with massless legs; an invariant above :math:`4 m^2` has :math:`+i0`.
"""

import numpy as np

from hepml_labs.validation import check_array

_NODE, _WEIGHT = np.polynomial.legendre.leggauss(16)
_NODE, _WEIGHT = (_NODE + 1) / 2, _WEIGHT / 2
# a step with flat ends, so that the logarithm at the threshold is met by many nodes
_STEP, _STEP_WEIGHT = _NODE**2 * (3 - 2 * _NODE), _WEIGHT * 6 * _NODE * (1 - _NODE)


def _invariants(**values):
    """Check that all are arrays of one shape with finite entries, and return them as floats."""
    arrays = np.broadcast_arrays(*(np.asarray(value, dtype=float) for value in values.values()))
    for name, array in zip(values, arrays, strict=True):
        check_array(name, np.atleast_1d(array))
    return arrays


def triangle_integral(s):
    r"""Scalar triangle :math:`m^2 C_0(0, 0, s)` with three propagators of mass m.

    .. math:: m^2 C_0 = -\frac{2}{S} f(S),\qquad f = \begin{cases} \arcsin^2(\sqrt{S}/2) & 0 < S \le 4 \\
        -\tfrac14\left[\ln\frac{1+\beta}{1-\beta} - i\pi\right]^2 & S > 4 \end{cases},\quad \beta = \sqrt{1 - 4/S}

    and :math:`-\mathrm{arsinh}^2(\sqrt{-S}/2)` for :math:`S < 0`.

    Parameters
    ----------
    s : array, shape (...)
        Invariant in units of m^2, not zero.

    Returns
    -------
    complex array, shape (...)

    Raises
    ------
    ValueError
        If an entry is not finite.

    References
    ----------
    Spira, Djouadi, Graudenz and Zerwas, hep-ph/9504378, equation (3).

    Examples
    --------
    A heavy quark: -1/2.

    >>> triangle_integral(np.array([1e-4])).real.round(4)
    array([-0.5])
    """
    (s,) = _invariants(s=s)
    beta = np.sqrt(np.where(s > 4, 1 - 4 / np.where(s > 4, s, 8.0), 0.0))
    above = -0.25 * (2 * np.arctanh(beta) - 1j * np.pi) ** 2
    below = np.arcsin(np.sqrt(np.clip(s, 0, 4)) / 2) ** 2
    space_like = -(np.arcsinh(np.sqrt(np.clip(-s, 0, None)) / 2) ** 2)
    return -2 / s * np.where(s > 4, above, np.where(s > 0, below, space_like))


def higgs_form_factor(s):
    r"""Form factor of gluon fusion, :math:`A_{1/2} = 2[\tau + (\tau - 1) f]/\tau^2` with :math:`\tau = S/4`.

    Parameters
    ----------
    s : array, shape (...)
        Squared mass of the (virtual) Higgs boson in units of the quark's squared mass.

    Returns
    -------
    complex array, shape (...)
        4/3 for a heavy quark; :math:`-\ln^2(-S) / (S/2)` and less far above its threshold.

    Examples
    --------
    >>> higgs_form_factor(np.array([1e-3])).real.round(3)
    array([1.333])
    """
    integral = triangle_integral(s)
    return (8 + (16 - 4 * np.asarray(s)) * integral) / s


def box_integral(s, t):
    r"""Scalar box :math:`m^4 D_0(s, t)` with four massless legs and four propagators of mass m.

    .. math:: m^4 D_0 = \frac{1}{ST}\int_0^1\!dy\,
        \frac{\ln[1 - S y(1-y)] + \ln[1 - T y(1-y)]}{y(1-y) - 1/S - 1/T}

    The imaginary part above :math:`S = 4` is elementary, the real part is integrated by Gauss and Legendre.

    Parameters
    ----------
    s, t : arrays, shape (...)
        Invariants in units of m^2, not zero; t negative, s of either sign, and s + t of the sign of s.

    Returns
    -------
    complex array, shape (...)

    Raises
    ------
    ValueError
        If an entry is not finite, or the invariants are not those of physical scattering.

    References
    ----------
    B. De Tollis, Nuovo Cimento 35 (1965) 1182.

    Examples
    --------
    A heavy quark: 1/6.

    >>> box_integral(np.array([1e-3]), np.array([-5e-4])).real.round(4)
    array([0.1667])
    """
    s, t = _invariants(s=s, t=t)
    if (t >= 0).any() or (s * (s + t) <= 0).any():
        raise ValueError("s, t: expected t < 0, and s + t of the sign of s, as in physical scattering")
    pole = 1 / s + 1 / t
    beta = np.sqrt(np.where(s > 4, 1 - 4 / np.where(s > 4, s, 8.0), 0.0))
    threshold = np.where(s > 4, (1 - beta) / 2, 0.25)[..., None]
    y = np.concatenate([threshold * _STEP, threshold + (0.5 - threshold) * _STEP], axis=-1)
    weight = np.concatenate([threshold * _STEP_WEIGHT, (0.5 - threshold) * _STEP_WEIGHT], axis=-1)
    product = y * (1 - y)
    logarithms = np.log(np.abs((1 - s[..., None] * product) * (1 - t[..., None] * product)))
    real = 2 * (weight * logarithms / (product - pole[..., None])).sum(-1)
    width = np.sqrt(0.25 - pole)
    imaginary = -np.pi / width * np.log((width + beta / 2) / (width - beta / 2))
    return (real + 1j * imaginary) / (s * t)


def goldstone_box(s, t):
    r"""Top box of :math:`gg \to \phi\phi` with massless pseudoscalars, for equal and opposite gluon helicities.

    .. math:: F_{++} = 8 + 16\,C_s + 4S\,(D_{st} + D_{su} + D_{tu})

    .. math:: F_{+-} = \frac{4}{TU}\Big[S(T^2 + U^2)C_s + T^3 C_t + U^3 C_u
        + \tfrac12 ST(2U - T^2) D_{st} + \tfrac12 SU(2T - U^2) D_{su} + STU\,D_{tu}\Big]

    with :math:`C_s = m^2C_0(s)` and so on. In the same normalisation the triangle is :math:`S A_{1/2}`, and both are
    4S/3 for a heavy quark.

    Parameters
    ----------
    s, t : arrays, shape (...)
        Invariants in units of the quark's squared mass; s > 0, -s < t < 0.

    Returns
    -------
    tuple of two complex arrays, shape (...)
        Form factors of gluons with equal and opposite helicities.

    References
    ----------
    Plehn, Spira and Zerwas, hep-ph/9603205, appendix A, in the limit of massless pseudoscalars.

    Examples
    --------
    >>> equal, opposite = goldstone_box(np.array([0.03]), np.array([-0.01]))
    >>> bool(abs(equal[0] / 0.04 - 1) < 0.01 and abs(opposite[0]) < 1e-4)
    True
    """
    s, t = _invariants(s=s, t=t)
    u = -s - t
    c_s, c_t, c_u = (triangle_integral(value) for value in (s, t, u))
    d_st, d_su, d_tu = box_integral(s, t), box_integral(s, u), box_integral(t, u)
    equal = 8 + 16 * c_s + 4 * s * (d_st + d_su + d_tu)
    opposite = s * (t**2 + u**2) * c_s + t**3 * c_t + u**3 * c_u + s * t * u * d_tu
    opposite = opposite + 0.5 * s * t * (2 * u - t**2) * d_st + 0.5 * s * u * (2 * t - u**2) * d_su
    return equal, 4 * opposite / (t * u)


def massless_box(s, t):
    r"""Helicity amplitudes of :math:`gg \to \gamma\gamma` through a massless quark, in units of its coupling.

    Parameters
    ----------
    s, t : arrays, shape (...)
        Invariants, s > 0 and -s < t < 0, in any unit.

    Returns
    -------
    tuple of three complex arrays, shape (...)
        :math:`M_{++\to++}`, :math:`M_{+-\to+-}` and :math:`M_{+-\to-+}`, helicities incoming to outgoing. All others
        that do not follow by parity are 1.

    References
    ----------
    Bern, De Freitas and Dixon, hep-ph/0109078, section 3.

    Examples
    --------
    >>> equal, same, exchanged = massless_box(np.array([2.0]), np.array([-1.0]))
    >>> equal.real.round(4), bool(np.isclose(same[0], exchanged[0]))          # -1 - pi^2 / 4 at 90 degrees
    (array([-3.4674]), True)
    """
    s, t = _invariants(s=s, t=t)
    u = -s - t

    def crossed(t, u):
        """The amplitude that is large where t is small, with the absorptive part of the open channel s."""
        logarithm = np.log(-t / s)
        real = -0.5 * (t**2 + s**2) / u**2 * logarithm**2 - (t - s) / u * logarithm - 1
        return real - 1j * np.pi * ((t**2 + s**2) / u**2 * logarithm + (t - s) / u)

    logarithm = np.log(t / u)
    equal = -0.5 * (t**2 + u**2) / s**2 * (logarithm**2 + np.pi**2) - (t - u) / s * logarithm - 1
    return equal + 0j, crossed(t, u), crossed(u, t)
