r"""Shapes of whole events: thrust, sphericity, Fox-Wolfram moments, momentum flow around an axis.

All functions take padded momenta, (n, m, 3) with (px, py, pz) or (n, m, 4) with (E, px, py, pz), in GeV; rows of zeros
are no particles. An event without any particle has zeros for all its shapes.
"""

import numpy as np

from hepml_labs.validation import check_array, check_count

CELLS = 4_000_000  # numbers in the largest array that `thrust` makes at a time: 32 MB


def _three_momenta(momenta):
    momenta = np.asarray(momenta)
    check_array("momenta", momenta, ndim=3)
    if momenta.shape[2] not in (3, 4):
        raise ValueError(f"momenta: found shape {momenta.shape}, expected (n, m, 3) or (n, m, 4)")
    return momenta[..., -3:].astype(np.float64)


def _axis(axis, n):
    axis = np.asarray(axis)
    check_array("axis", axis, (n, 3))
    return _over(axis.astype(np.float64), np.linalg.norm(axis, axis=1)[:, None])


def _over(numerator, denominator):
    """Ratio, zero where the denominator is."""
    return numerator / np.where(denominator > 0, denominator, 1.0)


def thrust(momenta):
    r"""Thrust and its axis, exactly.

    :math:`T = \max_n \sum_i |p_i \cdot n| / \sum_i |p_i|`: 1 for two narrow jets, 1/2 for a uniform sphere. The maximum
    is the longest of all sums :math:`|\sum_i s_i p_i|` with signs s; the best signs belong to a plane through the
    origin, and every such division is reached by turning the plane until it holds two of the momenta. So it is enough
    to try, for each pair, the plane through both, with all four signs of the two.

    Parameters
    ----------
    momenta : array, (n, m, 3) or (n, m, 4)
        In GeV, zeros for no particle. The time grows as m^3.

    Returns
    -------
    thrust : array, (n,)
    axis : array, (n, 3)
        Unit vectors. Both signs are as good; the component largest in magnitude is positive.

    Raises
    ------
    ValueError
        If the shape is another, or an entry is not finite.

    Notes
    -----
    Definition: :cite:`farhi1977thrust`. Search over pairs of particles: :cite:`brandt1979axes`.

    Examples
    --------
    >>> value, axis = thrust(np.array([[[0.0, 0.0, 2.0], [0.0, 0.0, -2.0], [0.0, 0.0, 0.0]]]))
    >>> value, axis
    (array([1.]), array([[0., 0., 1.]]))
    """
    momenta = _three_momenta(momenta)
    size = np.linalg.norm(momenta, axis=2)
    # particles first, padding last, then events of like multiplicity together: no time is spent on zeros
    momenta = np.take_along_axis(momenta, np.argsort(-size, axis=1)[..., None], axis=1)
    count = (size > 0).sum(1)
    order = np.argsort(count, kind="stable")
    best = np.zeros((len(momenta), 3))
    start = 0
    while start < len(order):
        m = max(2, count[order[start]])
        # grow the block while it stays small and no event has many more particles than the first
        rows = order[start : start + max(1, 2 * CELLS // (m * m * (m - 1)))]
        rows = rows[count[rows] <= m + 1]
        best[rows] = _longest_sum(momenta[rows, : count[rows].max()])
        start += len(rows)
    axis = _over(best, np.linalg.norm(best, axis=1)[:, None])
    along = np.abs(np.einsum("nmk,nk->nm", momenta, axis)).sum(1)
    leading = np.take_along_axis(axis, np.abs(axis).argmax(1)[:, None], 1)
    return _over(along, size.sum(1)), axis * np.where(leading < 0, -1.0, 1.0)


def _longest_sum(momenta):
    """Longest of the sums of momenta (n, m, 3) with signs, one for each event."""
    n, m, _ = momenta.shape
    if m < 2:
        return momenta.sum(1)
    first, second = np.triu_indices(m, 1)
    # Flat events have all particles in each plane. Tilting each by a part in 10^9 decides on which side they are, and
    # costs no more than that in the result.
    tilt = np.random.default_rng(0).normal(size=(m, 3)) * 1e-9
    tilted = momenta + tilt * np.linalg.norm(momenta, axis=2, keepdims=True)
    normal = np.cross(tilted[:, first], tilted[:, second])
    side = np.sign(normal @ tilted.swapaxes(1, 2))
    pair = np.arange(len(first))
    side[:, pair, first] = side[:, pair, second] = 0.0
    others = side @ momenta
    plus, minus = momenta[:, first] + momenta[:, second], momenta[:, first] - momenta[:, second]
    sums = np.concatenate([others + plus, others - plus, others + minus, others - minus], axis=1)
    return sums[np.arange(n), (sums**2).sum(2).argmax(1)]


def sphericity_eigenvalues(momenta):
    r"""Eigenvalues of the sphericity tensor, largest first.

    :math:`S^{ab} = \sum_i p_i^a p_i^b / \sum_i |p_i|^2`. The sphericity is 3/2 of the sum of the two smaller
    eigenvalues (0 for two narrow jets, 1 for a sphere), the aplanarity 3/2 of the smallest.

    Parameters
    ----------
    momenta : array, (n, m, 3) or (n, m, 4)
        In GeV, zeros for no particle.

    Returns
    -------
    array, (n, 3)
        They add up to 1.

    Raises
    ------
    ValueError
        If the shape is another, or an entry is not finite.

    Notes
    -----
    :cite:`bjorken1970statistical`.

    Examples
    --------
    >>> sphericity_eigenvalues(np.array([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-1.0, -1.0, 0.0]]])).round(3)
    array([[0.75, 0.25, 0.  ]])
    """
    momenta = _three_momenta(momenta)
    tensor = _over(momenta.swapaxes(1, 2) @ momenta, (momenta**2).sum((1, 2))[:, None, None])
    return np.linalg.eigvalsh(tensor)[:, ::-1].clip(0.0)


def fox_wolfram(momenta, highest=4):
    r"""Fox-Wolfram moments H_0 to H_highest.

    :math:`H_l = \sum_{ij} |p_i| |p_j| P_l(\cos\theta_{ij}) / E^2`, where E is the sum of the energies, or of the
    momenta if no energies are given.

    Parameters
    ----------
    momenta : array, (n, m, 3) or (n, m, 4)
        In GeV, zeros for no particle.
    highest : int
        Order of the last moment.

    Returns
    -------
    array, (n, highest + 1)

    Raises
    ------
    ValueError
        If the shape is another, an entry is not finite, or `highest` is below zero.

    Notes
    -----
    :cite:`fox1978observables`.

    Examples
    --------
    >>> fox_wolfram(np.array([[[0.0, 0.0, 2.0], [0.0, 0.0, -2.0]]]))
    array([[1., 0., 1., 0., 1.]])
    """
    three = _three_momenta(momenta)
    check_count("highest", highest, minimum=0)
    size = np.linalg.norm(three, axis=2)
    energy = np.asarray(momenta)[..., 0].astype(np.float64) if np.shape(momenta)[2] == 4 else size
    unit = _over(three, size[..., None])
    cosine = unit @ unit.swapaxes(1, 2)
    before, legendre, moments = np.zeros_like(cosine), np.ones_like(cosine), []
    for order in range(highest + 1):
        moments.append(np.einsum("ni,nij,nj->n", size, legendre, size))
        # Bonnet's recursion
        before, legendre = legendre, ((2 * order + 1) * cosine * legendre - order * before) / (order + 1)
    return _over(np.stack(moments, axis=1), (energy.sum(1) ** 2)[:, None])


def fox_wolfram_ratios(momenta, highest=4):
    """Ratios R_k = H_k / H_0 of Fox-Wolfram moments; R_2 is the classic of the B factories.

    Parameters
    ----------
    momenta : array, (n, m, 3) or (n, m, 4)
        In GeV, zeros for no particle.
    highest : int
        Order of the last moment.

    Returns
    -------
    array, (n, highest + 1)
        Entry k is R_k; the first is 1.

    Raises
    ------
    ValueError
        As `fox_wolfram`.

    Examples
    --------
    >>> fox_wolfram_ratios(np.array([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]), highest=2)
    array([[1.  , 0.5 , 0.25]])
    """
    moments = fox_wolfram(momenta, highest)
    return _over(moments, moments[:, :1])


def momentum_cones(momenta, axis, cones=9):
    """Momentum flow into cones around an axis, as CLEO introduced for rare B decays.

    Parameters
    ----------
    momenta : array, (n, m, 3) or (n, m, 4)
        In GeV, zeros for no particle; for instance all particles but those of a B candidate.
    axis : array, (n, 3)
        Any length; for instance the thrust axis of the candidate.
    cones : int
        Intervals of equal angle between 0 and 90 degrees; the angle is that to the nearer end of the axis.

    Returns
    -------
    array, (n, cones)
        Sum of abs(p) in each, in GeV, the one around the axis first.

    Raises
    ------
    ValueError
        If a shape is another, an entry is not finite, or `cones` is below 1.

    Notes
    -----
    CLEO's search for rare B decays, :cite:`asner1996search`.

    Examples
    --------
    >>> momenta = np.array([[[0.0, 0.0, 2.0], [0.1, 0.0, -1.0], [0.0, 3.0, 0.0]]])
    >>> momentum_cones(momenta, np.array([[0.0, 0.0, 1.0]]), cones=3).round(3)
    array([[3.005, 0.   , 3.   ]])
    """
    momenta = _three_momenta(momenta)
    check_count("cones", cones)
    size = np.linalg.norm(momenta, axis=2)
    cosine = np.abs(np.einsum("nmk,nk->nm", momenta, _axis(axis, len(momenta))))
    angle = np.arccos(_over(cosine, size).clip(0.0, 1.0))
    chosen = np.minimum((angle * cones / (np.pi / 2)).astype(int), cones - 1)
    return np.stack([(size * (chosen == cone)).sum(1) for cone in range(cones)], axis=1)


def momentum_monomials(momenta, axis, orders=(0, 2)):
    r"""Sums :math:`L_j = \sum_i |p_i| |\cos\theta_i|^j` over particles, with angles to an axis.

    BaBar's Fisher discriminant is a linear combination of L_0 and L_2, over the rest of the event and with angles to
    the thrust axis of the B candidate.

    Parameters
    ----------
    momenta : array, (n, m, 3) or (n, m, 4)
        In GeV, zeros for no particle.
    axis : array, (n, 3)
        Any length.
    orders : sequence of int

    Returns
    -------
    array, (n, len(orders))
        In GeV.

    Raises
    ------
    ValueError
        If a shape is another, or an entry is not finite.

    Notes
    -----
    :cite:`bevan2014physics`, chapter 9. Some papers have the Legendre polynomial in the place of
    the square, which is the linear combination (3 L_2 - L_0) / 2 of these.

    Examples
    --------
    >>> momentum_monomials(np.array([[[0.0, 0.0, 2.0], [3.0, 0.0, 4.0]]]), np.array([[0.0, 0.0, 1.0]])).round(3)
    array([[7. , 5.2]])
    """
    momenta = _three_momenta(momenta)
    size = np.linalg.norm(momenta, axis=2)
    cosine = _over(np.abs(np.einsum("nmk,nk->nm", momenta, _axis(axis, len(momenta)))), size)
    return np.stack([(size * cosine**order).sum(1) for order in orders], axis=1)
