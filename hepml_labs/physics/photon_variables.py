"""Variables of a photon in a calorimeter: their names, and the forms in which a network likes them."""

import numpy as np

from hepml_labs.validation import to_numpy

__all__ = [
    "CONDITIONS",
    "CRACK",
    "SHAPES",
    "SPIKES",
    "check_conditions",
    "condition_features",
    "from_smooth",
    "to_smooth",
]

#: Columns of the conditions: transverse momentum in GeV, pseudorapidity, azimuth in radians, and the density of
#: transverse momentum from pile-up in GeV per unit of area.
CONDITIONS = ("pt", "eta", "phi", "rho")
#: Columns of the variables: the share of energy in the 3x3 crystals, the width in eta, the estimated relative energy
#: resolution, hadronic over electromagnetic energy, and the isolation sums of photons and charged hadrons in GeV.
SHAPES = ("r9", "sigma_ieta_ieta", "sigma_e_over_e", "h_over_e", "photon_isolation", "charged_isolation")
#: Columns with a spike: a finite share of photons has exactly zero.
SPIKES = (3, 5)

_ENDPOINT = 1.01  # of R9: noise can lift it a little above one
_UNIT = {3: 0.02, 5: 0.5}  # of H/E (a ratio) and of the charged isolation (GeV): linear below, logarithmic above
#: Pseudorapidity between barrel and endcap, where no photons are measured.
CRACK = (1.44, 1.57)


def check_conditions(conditions, n="n"):
    """Raise a ValueError unless conditions are finite, of shape (n, 4), with pt and rho above zero.

    Parameters
    ----------
    conditions : array, (n, 4)
        Columns `CONDITIONS`.
    n : int or str
        Expected number of rows; any by default.

    Returns
    -------
    array, (n, 4)
        The same.

    Raises
    ------
    ValueError
        Naming the argument, what was found and what is expected.

    Examples
    --------
    >>> check_conditions(np.array([[50.0, 0.5, 0.0, 20.0]])).shape
    (1, 4)
    """
    conditions = to_numpy("conditions", conditions, (n, len(CONDITIONS)))
    smallest = conditions[:, [0, 3]].min(0)
    if not (smallest > 0).all():
        raise ValueError(f"conditions: found smallest pt {smallest[0]:.4g} and rho {smallest[1]:.4g}, expected above 0")
    return conditions


def from_smooth(smooth):
    """Turn smooth variables into shapes with their units and ranges, and negative energies into zeros.

    Parameters
    ----------
    smooth : array, (n, 6)
        Any real numbers.

    Returns
    -------
    array, (n, 6)
        Columns `SHAPES`, in the type of `smooth`.

    Raises
    ------
    ValueError
        If the shape does not fit or entries are not finite.

    Examples
    --------
    >>> from_smooth(np.array([[2.5, -4.6, -4.5, -0.3, 0.5, 1.0]])).round(3)
    array([[0.933, 0.01 , 0.011, 0.   , 1.649, 0.859]])
    """
    smooth = to_numpy("smooth", smooth, ("n", len(SHAPES)))
    shapes = np.exp(smooth)
    shapes[:, 0] = _ENDPOINT / (1 + np.exp(-smooth[:, 0]))
    for k in SPIKES:
        shapes[:, k] = _UNIT[k] * np.expm1(np.maximum(smooth[:, k], 0))
    return shapes


def to_smooth(shapes):
    """Turn shapes into variables without sharp edges, except for the spikes, which stay at exactly zero.

    The logit of R9 over its endpoint; logarithms of the width, the resolution and the photon
    isolation; log(1 + x / unit) of H/E and the charged isolation. `from_smooth` is the inverse.

    Parameters
    ----------
    shapes : array, (n, 6)
        Columns `SHAPES`.

    Returns
    -------
    array, (n, 6)
        In the type of `shapes`.

    Raises
    ------
    ValueError
        If the shape does not fit, entries are not finite or outside of their physical range.

    Examples
    --------
    >>> shapes = np.array([[0.95, 0.01, 0.012, 0.0, 2.0, 0.7]])
    >>> from_smooth(to_smooth(shapes))
    array([[0.95 , 0.01 , 0.012, 0.   , 2.   , 0.7  ]])
    """
    shapes = to_numpy("shapes", shapes, ("n", len(SHAPES)))
    inside = shapes > 0
    inside[:, 0] &= shapes[:, 0] < _ENDPOINT
    for k in SPIKES:
        inside[:, k] = shapes[:, k] >= 0
    bad = [name for name, good in zip(SHAPES, inside.all(0), strict=True) if not good]
    if bad:
        raise ValueError(f"shapes: found values outside of the physical range in {', '.join(bad)}")
    smooth = np.empty_like(shapes)
    for k, column in enumerate(shapes.T):
        smooth[:, k] = np.log1p(column / column.dtype.type(_UNIT[k])) if k in SPIKES else np.log(column)
    smooth[:, 0] -= np.log(_ENDPOINT - shapes[:, 0])
    return smooth


def condition_features(conditions):
    """Conditions as a network likes them: log pt, eta, endcap or barrel, cosine and sine of phi, log rho.

    Parameters
    ----------
    conditions : array, (n, 4)
        Columns `CONDITIONS`.

    Returns
    -------
    array, (n, 6)
        In the type of `conditions`. No step at phi = ±pi, and the step between barrel and endcap is one feature.

    Raises
    ------
    ValueError
        If the shape does not fit, entries are not finite, or pt or rho is not above zero.

    Examples
    --------
    >>> condition_features(np.array([[50.0, 2.0, np.pi, 20.0]])).round(2)
    array([[ 3.91,  2.  ,  1.  , -1.  ,  0.  ,  3.  ]])
    """
    pt, eta, phi, rho = check_conditions(conditions).T
    endcap = (np.abs(eta) > CRACK[0]).astype(conditions.dtype)
    return np.stack([np.log(pt), eta, endcap, np.cos(phi), np.sin(phi), np.log(rho)], axis=1)
