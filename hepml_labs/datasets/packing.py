"""Compact storage: real numbers as whole steps in 16 bits, with the step said in each recipe."""

import numpy as np

from hepml_labs.validation import check_array

PT_STEP = 1e-3  # of ln(pT): a part in a thousand, a tenth of the best momentum resolution of a jet's constituent
ANGLE_STEP = 5e-4  # of eta and phi: a quarter of the angle that a track's pixel hits resolve, 1/200 of a tower
SOFTEST = 1e-3  # GeV: the pT of step 1; step 0 means that there is no particle


def quantize(values, step, dtype=np.int16):
    """Round values to whole steps.

    Parameters
    ----------
    values : array
    step : float
        The error of a stored value is at most half a step.
    dtype : numpy integer type

    Returns
    -------
    array of `dtype`

    Raises
    ------
    ValueError
        If a value is not finite or further from zero than the type can count.

    Examples
    --------
    >>> quantize(np.array([0.1, -0.25]), step=0.01)
    array([ 10, -25], dtype=int16)
    """
    values = np.asarray(values, dtype=np.float64)
    check_array("values", values)
    steps = np.rint(values / step)
    limits = np.iinfo(dtype)
    if steps.min() < limits.min or steps.max() > limits.max:
        raise ValueError(
            f"values: found {values.min():.6g} to {values.max():.6g}, expected {limits.min * step:.6g} to "
            f"{limits.max * step:.6g} for {np.dtype(dtype)} steps of {step:g}"
        )
    return steps.astype(dtype)


def dequantize(stored, step, dtype=np.float32):
    """Give rounded values back.

    Parameters
    ----------
    stored : integer array
        From `quantize`.
    step : float
    dtype : numpy floating-point type

    Returns
    -------
    array of `dtype`

    Examples
    --------
    >>> dequantize(np.array([10, -25], dtype=np.int16), step=0.5)
    array([  5. , -12.5], dtype=float32)
    """
    return np.asarray(stored).astype(dtype) * dtype(step)


def pack_constituents(momenta, jet):
    """Store massless constituents as 16-bit pT, eta and phi relative to their jet.

    Parameters
    ----------
    momenta : array, (n, m, 4)
        (E, px, py, pz) in GeV, massless; rows of zeros where there is no constituent.
    jet : array, (n, 4)
        Four-momentum of the jet; the axis that angles are counted from, as it will be known when reading.

    Returns
    -------
    dict of arrays, (n, m)
        ``pt`` (uint16: whole steps of 1e-3 in ln pT above 1 MeV, 0 for no constituent), ``eta`` and ``phi``
        (int16: steps of 5e-4 from the jet's).

    Raises
    ------
    ValueError
        If shapes do not fit, or a constituent is softer than 1 MeV.

    Examples
    --------
    >>> jet = np.array([[5.0, 3.0, 4.0, 0.0]])
    >>> stored = pack_constituents(np.array([[[5.0, 3.0, 4.0, 0.0], [0.0, 0.0, 0.0, 0.0]]]), jet)
    >>> stored["eta"].tolist(), unpack_constituents(stored, jet).round(2).tolist()
    ([[0, 0]], [[[5.0, 3.0, 4.0, 0.0], [0.0, 0.0, 0.0, 0.0]]])
    """
    momenta, jet = np.asarray(momenta, dtype=np.float64), np.asarray(jet, dtype=np.float64)
    check_array("momenta", momenta, ("n", "m", 4))
    check_array("jet", jet, (len(momenta), 4))
    pt = np.hypot(momenta[..., 1], momenta[..., 2])
    present = momenta[..., 0] > 0
    if (pt[present] < SOFTEST).any():
        raise ValueError(f"momenta: found a pT of {pt[present].min():.3g} GeV, expected none below {SOFTEST:g} GeV")
    safe = np.where(present, pt, 1.0)
    axis_eta, axis_phi = _direction(jet)
    eta = np.arcsinh(momenta[..., 3] / safe) - axis_eta[:, None]
    phi = np.arctan2(momenta[..., 2], momenta[..., 1]) - axis_phi[:, None]
    phi = (phi + np.pi) % (2 * np.pi) - np.pi
    return {
        "pt": quantize(np.where(present, np.log(safe / SOFTEST) + PT_STEP, 0.0), PT_STEP, np.uint16),
        "eta": quantize(np.where(present, eta, 0.0), ANGLE_STEP),
        "phi": quantize(np.where(present, phi, 0.0), ANGLE_STEP),
    }


def unpack_constituents(stored, jet):
    """Give stored constituents back as massless four-momenta.

    Parameters
    ----------
    stored : mapping of arrays, (n, m)
        From `pack_constituents`.
    jet : array, (n, 4)
        The same momenta as when packing, to single precision.

    Returns
    -------
    float32 array, (n, m, 4)
        (E, px, py, pz) in GeV.

    Examples
    --------
    >>> nothing = {name: np.zeros((1, 2), dtype=np.int16) for name in ("pt", "eta", "phi")}
    >>> unpack_constituents(nothing, np.array([[5.0, 3.0, 4.0, 0.0]])).shape
    (1, 2, 4)
    """
    axis_eta, axis_phi = (angle.astype(np.float32)[:, None] for angle in _direction(jet))
    steps = np.asarray(stored["pt"])
    table = np.float32(SOFTEST) * np.exp(np.float32(PT_STEP) * np.arange(-1, np.iinfo(np.uint16).max, dtype=np.float32))
    table[0] = 0.0  # a look-up is ten times faster than that many exponentials
    pt = table[steps]
    eta = dequantize(stored["eta"], ANGLE_STEP) + axis_eta
    phi = dequantize(stored["phi"], ANGLE_STEP) + axis_phi
    momenta = np.empty((*steps.shape, 4), dtype=np.float32)
    momenta[..., 1] = pt * np.cos(phi)
    momenta[..., 2] = pt * np.sin(phi)
    momenta[..., 3] = pt * np.sinh(eta)
    momenta[..., 0] = pt * np.cosh(eta)
    return momenta


def _direction(jet):
    """Pseudorapidity and azimuth of jets (n, 4), rounded like a file's single precision."""
    jet = np.asarray(jet, dtype=np.float32).astype(np.float64)
    return np.arcsinh(jet[:, 3] / np.hypot(jet[:, 1], jet[:, 2])), np.arctan2(jet[:, 2], jet[:, 1])
