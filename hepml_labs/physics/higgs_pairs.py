"""Pairs of Higgs bosons in four jets: which jets belong together, mass regions, and variables for classifiers.

After the search of ATLAS for two Higgs bosons that decay to four b quarks :cite:`atlas2023bbbb`.
"""

import numpy as np

from hepml_labs.physics.kinematics import delta_r, eta, mass, phi, pt
from hepml_labs.validation import check_array, check_same_shape

FEATURES = (
    "log_pt_2",
    "log_pt_4",
    "log_dr_close",
    "log_dr_other",
    "mean_abs_eta",
    "log_pt_hh",
    "dr_hh",
    "dphi_1",
    "dphi_2",
    "number",
)
"""Columns of `features`; momenta in GeV, natural logarithms."""

CENTRE = 124.0, 117.0  # GeV: masses of the two candidates in the middle of the signal region
PAIRINGS = np.array([[[0, 1], [2, 3]], [[0, 2], [1, 3]], [[0, 3], [1, 2]]])


def candidates(jets):
    """Pair four jets to two Higgs candidates.

    Of the three pairings the one is taken whose candidate of higher pT has the smaller distance between its jets.

    Parameters
    ----------
    jets : array, (n, 4, 4)
        (E, px, py, pz) in GeV, in any order.

    Returns
    -------
    array of float64, (n, 2, 4)
        The candidate of higher pT first.

    Raises
    ------
    ValueError
        If the shape is another.

    Notes
    -----
    The pairing of :cite:`atlas2023bbbb`.

    Examples
    --------
    >>> first = [[100.0, 80.0, 60.0, 0.0], [100.0, 80.0, -60.0, 0.0]]
    >>> second = [[60.0, -36.0, 48.0, 0.0], [60.0, -36.0, -48.0, 0.0]]
    >>> candidates(np.array([first + second])).tolist()
    [[[200.0, 160.0, 0.0, 0.0], [120.0, -72.0, 0.0, 0.0]]]
    """
    jets = _checked(jets)
    return jets[np.arange(len(jets))[:, None, None], _pairing(jets)].sum(axis=2)


def _pairing(jets):
    """Numbers of the jets of the two candidates, (n, 2, 2)."""
    pairs = jets[:, PAIRINGS]  # (n, pairing, candidate, jet, 4)
    harder = pt(pairs.sum(axis=3)).argmax(axis=2)
    distance = delta_r(pairs[..., 0, :], pairs[..., 1, :])
    row = np.arange(len(jets))
    chosen = np.take_along_axis(distance, harder[..., None], axis=2)[..., 0].argmin(axis=1)
    first = harder[row, chosen]
    return np.stack([PAIRINGS[chosen, first], PAIRINGS[chosen, 1 - first]], axis=1)


def m_hh(jets):
    """Invariant mass of the four jets, the variable that the search fits.

    Parameters
    ----------
    jets : array, (n, 4, 4)
        (E, px, py, pz) in GeV.

    Returns
    -------
    array of float64, (n,)
        GeV.

    Raises
    ------
    ValueError
        If the shape is another.

    Examples
    --------
    >>> m_hh(np.array([[[50.0, 50, 0, 0], [50.0, -50, 0, 0], [50.0, 0, 50, 0], [50.0, 0, -50, 0]]]))
    array([200.])
    """
    return mass(_checked(jets).sum(axis=1))


def x_hh(m1, m2):
    r"""Distance of two candidate masses from the middle of the signal region, in units of a resolution of 10 %.

    .. math:: X_{HH} = \sqrt{\left(\frac{m_1 - 124}{0.1\, m_1}\right)^2 + \left(\frac{m_2 - 117}{0.1\, m_2}\right)^2}

    Parameters
    ----------
    m1, m2 : arrays
        Masses of the candidates of higher and of lower pT, GeV.

    Returns
    -------
    array

    Raises
    ------
    ValueError
        If the shapes differ or a mass is not above zero.

    Notes
    -----
    :cite:`atlas2023bbbb`, where the masses of the middle are where simulated pairs of Higgs bosons peak.

    Examples
    --------
    >>> x_hh(np.array([124.0, 155.0]), np.array([117.0, 117.0])).tolist()
    [0.0, 2.0]
    """
    for name, value in (("m1", m1), ("m2", m2)):
        check_array(name, value, positive=True)
    check_same_shape(m1=m1, m2=m2)
    return np.hypot((m1 - CENTRE[0]) / (0.1 * m1), (m2 - CENTRE[1]) / (0.1 * m2))


def region(m1, m2):
    """Regions in the plane of the candidate masses.

    Parameters
    ----------
    m1, m2 : arrays
        Masses of the candidates of higher and of lower pT, GeV.

    Returns
    -------
    dict of bool arrays
        ``"signal"``: X_HH < 1.6. ``"validation"``: outside of it, less than 30 GeV from 1.03 (124, 117) GeV.
        ``"control"``: outside of both, less than 45 GeV from 1.05 (124, 117) GeV. An event is in one of them at most.

    Raises
    ------
    ValueError
        As `x_hh`.

    Notes
    -----
    Signal region and outer circle are those of :cite:`atlas2023bbbb`. That search cuts the ring between them into
    quadrants to validate its estimate; an inner ring, as here, is how the search for resonances before it
    :cite:`atlas2022resonantbbbb` did it.

    Examples
    --------
    >>> masks = region(np.array([124.0, 124.0, 124.0, 124.0]), np.array([117.0, 145.0, 160.0, 200.0]))
    >>> {name: mask.tolist() for name, mask in masks.items()}
    {'signal': [True, False, False, False],
     'validation': [False, True, False, False],
     'control': [False, False, True, False]}
    """
    signal = x_hh(m1, m2) < 1.6
    inner, outer = (
        np.hypot(m1 - factor * CENTRE[0], m2 - factor * CENTRE[1]) < radius
        for factor, radius in ((1.03, 30.0), (1.05, 45.0))
    )
    return {"signal": signal, "validation": inner & ~signal, "control": outer & ~inner & ~signal}


def features(data):
    """Variables of events for classifiers.

    Parameters
    ----------
    data : mapping with ``jets`` and ``number``
        From `generate` or `hepml_labs.datasets.load`.

    Returns
    -------
    array of float32, (n, 10)
        The columns of `FEATURES`: ln pT of the second and the fourth jet, ln Delta R of the closest two jets and of the
        other two, mean abs(eta), ln pT of all four, Delta R of the candidates, abs(Delta phi) of the jets in each
        candidate, number of jets.

    Raises
    ------
    ValueError
        If a column is missing or has another shape.

    Notes
    -----
    The list of :cite:`atlas2023bbbb` without the variable that recognises top quarks and the trigger.

    Examples
    --------
    >>> first = [[100.0, 80.0, 60.0, 0.0], [100.0, 80.0, -60.0, 0.0]]
    >>> second = [[60.0, -36.0, 48.0, 0.0], [60.0, -36.0, -48.0, 0.0]]
    >>> row = features({"jets": np.array([first + second]), "number": np.array([4])})[0]
    >>> {name: round(float(value), 2) for name, value in zip(FEATURES, row) if name.startswith("d")}
    {'dr_hh': 3.14, 'dphi_1': 1.29, 'dphi_2': 1.85}
    """
    for name in ("jets", "number"):
        if name not in data:
            raise ValueError(f"data: column {name!r} is missing")
    jets, number = _checked(data["jets"]), np.asarray(data["number"])
    check_array("number", number, (len(jets),), floating=False)
    transverse = -np.sort(-pt(jets), axis=1)
    pairs = np.stack([jets[:, PAIRINGS[:, k]] for k in (0, 1)], axis=1).reshape(len(jets), 6, 2, 4)
    distance = delta_r(pairs[:, :, 0], pairs[:, :, 1])  # a pair and the other two are three places apart
    close = distance.argmin(axis=1)
    row = np.arange(len(jets))
    pairing = _pairing(jets)
    chosen = jets[row[:, None, None], pairing]
    higgs = chosen.sum(axis=2)
    angle = phi(chosen)
    dphi = np.abs((angle[..., 0] - angle[..., 1] + np.pi) % (2 * np.pi) - np.pi)
    columns = (
        np.log(transverse[:, 1]),
        np.log(transverse[:, 3]),
        np.log(distance[row, close]),
        np.log(distance[row, (close + 3) % 6]),
        np.abs(eta(jets)).mean(axis=1),
        np.log(np.maximum(pt(jets.sum(axis=1)), 1e-3)),  # perfect balance has no logarithm
        delta_r(higgs[:, 0], higgs[:, 1]),
        *dphi.T,
        number,
    )
    return np.stack(columns, axis=1).astype(np.float32)


def _checked(jets):
    jets = np.asarray(jets)
    check_array("jets", jets, ("n", 4, 4))
    return jets.astype(np.float64)
