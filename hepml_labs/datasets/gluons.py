"""Multi-gluon events with their tree-level squared amplitudes: what the sets gluons_3g and gluons_4g hold."""

from __future__ import annotations

import numpy as np

from hepml_labs.physics.gluons import squared_amplitude
from hepml_labs.physics.kinematics import delta_r, eta, pt
from hepml_labs.physics.phase_space import rambo
from hepml_labs.validation import check_between, check_count

ENERGY = 1000.0  # GeV, partonic centre of mass
MINIMUM_PT = 50.0  # GeV
MINIMUM_DELTA_R = 0.4
MAXIMUM_ETA = 5.0
ALPHA_S = 0.118


def columns(outgoing):
    """Describe the columns of `generate`: shape, unit and meaning by name.

    Parameters
    ----------
    outgoing : int
        Gluons in the final state.

    Returns
    -------
    dict of str to str

    Examples
    --------
    >>> columns(3)["leading_color"]
    '(n,), GeV^-2: the same at leading colour'
    """
    unit = f"GeV^{4 - 2 * outgoing}"
    return {
        "momenta": f"(n, {outgoing + 2}, 4), GeV: E, px, py, pz; the two incoming gluons first, with positive energy",
        "amplitude": f"(n,), {unit}: squared matrix element, full colour",
        "leading_color": f"(n,), {unit}: the same at leading colour",
    }


def generate(n, seed, outgoing):
    r"""Draw gg to n gluons uniformly in phase space, with cuts, and compute the amplitudes.

    Parameters
    ----------
    n : int
        Number of events.
    seed : int or numpy.random.Generator
        With an integer, the events of a smaller set open the larger one.
    outgoing : int
        Gluons in the final state, 2 to 6.

    Returns
    -------
    dict of arrays
        `momenta`, shape (n, 2 + outgoing, 4): (E, px, py, pz) in GeV at a centre-of-mass energy of 1000 GeV;
        the two incoming gluons come first, along +z and -z, with positive energies. Every outgoing gluon has
        pT > 50 GeV and abs(eta) < 5, each two of them Delta R > 0.4.
        `amplitude`, shape (n,): :math:`|M|^2` in full colour, summed over final and averaged over initial helicities
        and colours, without the factor for identical gluons, :math:`\alpha_s = 0.118`; in GeV^(4 - 2 outgoing),
        so GeV^-2 for three and GeV^-4 for four outgoing gluons.
        `leading_color`, shape (n,): the same at leading colour.

    Raises
    ------
    ValueError
        If `n` or `outgoing` is out of range.

    Notes
    -----
    All but the last outgoing three-momenta are rounded to single precision before anything else is
    computed, so that a compact file (`pack`) holds the exact momenta that belong to the amplitudes.

    Examples
    --------
    >>> events = generate(5, seed=1, outgoing=3)
    >>> events["momenta"].shape, events["amplitude"].shape
    ((5, 5, 4), (5,))
    """
    check_count("n", n)
    check_between("outgoing", outgoing, 2, 6, include_low=True, include_high=True)
    random = np.random.default_rng(seed)
    accepted, count = [], 0
    while count < n:
        three = rambo(4096, outgoing, ENERGY, random)[:, :-1, 1:].astype(np.float32)
        momenta = momenta_from(three)
        accepted.append(three[_passes(momenta[:, 2:])])
        count += len(accepted[-1])
    momenta = momenta_from(np.concatenate(accepted)[:n])
    amplitude = squared_amplitude(momenta, ALPHA_S)
    return {"momenta": momenta, "amplitude": amplitude.full_color, "leading_color": amplitude.leading_color}


def _passes(gluons):
    first, second = np.triu_indices(gluons.shape[1], 1)
    return (
        (pt(gluons) > MINIMUM_PT).all(axis=1)
        & (np.abs(eta(gluons)) < MAXIMUM_ETA).all(axis=1)
        & (delta_r(gluons[:, first], gluons[:, second]) > MINIMUM_DELTA_R).all(axis=1)
    )


def momenta_from(three_momenta):
    """Complete the outgoing three-momenta to whole events in their centre-of-mass frame.

    Parameters
    ----------
    three_momenta : array, shape (n, outgoing - 1, 3)
        All but the last outgoing gluon, in GeV.

    Returns
    -------
    array of float64, shape (n, 2 + outgoing, 4)
        The last gluon balances the others, energies follow from the mass shell, and the incoming gluons
        share the energy along the z axis.

    Examples
    --------
    >>> momenta_from(np.array([[[3.0, 0.0, 4.0]]]))[0, [0, 3]]
    array([[ 5.,  0.,  0.,  5.],
           [ 5., -3., -0., -4.]])
    """
    three = np.asarray(three_momenta, dtype=np.float64)
    three = np.concatenate([three, -three.sum(axis=1, keepdims=True)], axis=1)
    gluons = np.concatenate([np.sqrt((three**2).sum(axis=2, keepdims=True)), three], axis=2)
    beams = np.zeros((len(gluons), 2, 4))
    beams[..., 0] = gluons[..., 0].sum(axis=1, keepdims=True) / 2
    beams[..., 3] = beams[..., 0] * [1.0, -1.0]
    return np.concatenate([beams, gluons], axis=1)


def pack(columns):
    """Compact form of the columns of `generate`, for a file.

    Parameters
    ----------
    columns : mapping
        As returned by `generate`.

    Returns
    -------
    dict of arrays
        `three_momenta`, float32 (n, outgoing - 1, 3); `amplitude`, float64 (n,); `leading_color`, float32 (n,).

    Raises
    ------
    ValueError
        If the momenta are not those of `generate`, so that the file would not give them back.
    """
    momenta = np.asarray(columns["momenta"])
    three = momenta[:, 2:-1, 1:].astype(np.float32)
    if not np.array_equal(momenta_from(three), momenta):
        raise ValueError("momenta: found some that a file would not give back, expected those of `generate`")
    return {
        "three_momenta": three,
        "amplitude": np.asarray(columns["amplitude"], dtype=np.float64),
        "leading_color": np.asarray(columns["leading_color"], dtype=np.float32),
    }


def unpack(packed):
    """Columns of `generate` from their compact form.

    Parameters
    ----------
    packed : mapping
        As returned by `pack`.

    Returns
    -------
    dict of arrays
        `momenta`, `amplitude`, `leading_color`, as float64 (the last with single precision).

    Examples
    --------
    >>> events = generate(5, seed=1, outgoing=3)
    >>> np.array_equal(unpack(pack(events))["momenta"], events["momenta"])
    True
    """
    return {
        "momenta": momenta_from(packed["three_momenta"]),
        "amplitude": np.asarray(packed["amplitude"], dtype=np.float64),
        "leading_color": np.asarray(packed["leading_color"], dtype=np.float64),
    }
