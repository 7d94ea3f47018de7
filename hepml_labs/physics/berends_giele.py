"""Colour-ordered tree amplitudes of gluons, by the recursion of Berends and Giele, vectorised over events."""

from __future__ import annotations

from functools import cache

import numpy as np

from hepml_labs.physics.spinors import polarization_vectors, spinor_product, spinors


def _dot(a, b):
    return a[0] * b[0] - a[1] * b[1] - a[2] * b[2] - a[3] * b[3]


class _Currents:
    r"""Off-shell currents J of ordered lists of legs, each computed once however many orderings share it.

    With the momenta P and currents J of the sub-lists of a list L = XY = XYZ, the recursion
    (Nucl. Phys. B306 (1988) 759, equation 2.19) reads, a factor 1/sqrt(2) per leg beyond the first set aside,

    .. math:: P_L^2 J_L = \sum_{XY} 2 (P_Y\cdot J_X) J_Y - 2 (P_X\cdot J_Y) J_X + (P_X - P_Y) (J_X\cdot J_Y)
              + \sum_{XYZ} 2 (J_X\cdot J_Z) J_Y - (J_X\cdot J_Y) J_Z - (J_Y\cdot J_Z) J_X .

    The last two terms of the four-gluon vertex multiply the last and the first sub-list, as the first two of
    the three-gluon vertex do: with the scalar S_L = sum_XY J_X.J_Y they come at almost no cost.

    Arrays: momenta (4, events); currents (4, 2^k, events), the helicities of the k legs in binary,
    the first leg's the most significant digit; scalars (2^k, events).
    """

    def __init__(self, momenta, polarizations):
        self.momenta, self.polarizations = momenta, polarizations
        for name in ("momentum", "current", "contact", "scalar"):  # memory that dies with the object
            setattr(self, name, cache(getattr(self, name)))

    def momentum(self, legs):
        return sum(self.momenta[leg] for leg in legs)

    def contact(self, x, y):
        """J_X.J_Y for all helicities of both, (2^x, 2^y, events)."""
        if x[0] > y[0]:
            return self.contact(y, x).swapaxes(0, 1)
        return _dot(self.current(x)[:, :, None], self.current(y)[:, None])

    def scalar(self, legs):
        """S_L, the sum of J_X.J_Y over the ways to cut the list in two; zero for a single leg."""
        contacts = (self.contact(legs[:cut], legs[cut:]) for cut in range(1, len(legs)))
        return sum((contact.reshape(2 ** len(legs), -1) for contact in contacts), np.zeros((2 ** len(legs), 1)))

    def current(self, legs):
        if len(legs) == 1:
            return self.polarizations[legs[0]]
        if legs[0] > legs[-1]:  # reflection: J(n...1) = (-1)^(n+1) J(1...n)
            mirrored = self.current(legs[::-1]).reshape(4, *len(legs) * [2], -1)
            axes = (0, *range(len(legs), 0, -1), len(legs) + 1)
            return (-1) ** (len(legs) + 1) * mirrored.transpose(axes).reshape(4, 2 ** len(legs), -1)
        total = 0.0
        for cut in range(1, len(legs)):
            x, y = legs[:cut], legs[cut:]
            jx, jy, px, py = self.current(x), self.current(y), self.momentum(x), self.momentum(y)
            first, last = 2 * _dot(px, jy) + self.scalar(y), 2 * _dot(py, jx) - self.scalar(x)
            term = last[:, None] * jy[:, None] - jx[:, :, None] * first
            term += (px - py)[:, None, None] * self.contact(x, y)
            total = total + term.reshape(4, 2 ** len(legs), -1)
            for end in range(cut + 1, len(legs)):
                y, z = legs[cut:end], legs[end:]
                term = 2 * self.contact(x, z)[:, None] * self.current(y)[:, None, :, None]
                total += term.reshape(4, 2 ** len(legs), -1)
        momentum = self.momentum(legs)
        return total / _dot(momentum, momentum)


class _Root:
    """An end V of the amplitude V.(P^2 J), into which the currents of all other legs run.

    J is contracted with V term by term: such scalar products are shared by many orderings, and the
    longest currents, with most helicities, are never formed.
    """

    def __init__(self, currents, momentum, vector):
        self.currents, self.momentum, self.vector = currents, momentum, vector  # vector: (4, 1 or 2, events)
        for name in ("along", "project", "weight"):
            setattr(self, name, cache(getattr(self, name)))

    def attach(self, leg):
        """Root made of this one and the leg before it, joined by a three-gluon vertex and a propagator."""
        momentum, vector = self.currents.momentum((leg,)), self.currents.current((leg,))
        total = momentum + self.momentum
        joined = 2 * _dot(self.momentum, vector) * self.vector - 2 * _dot(momentum, self.vector) * vector
        joined += (momentum - self.momentum)[:, None] * _dot(vector, self.vector)
        return _Root(self.currents, total, joined / _dot(total, total))

    def along(self, x):
        """(P_X - P_Y).V, where P_Y is minus the rest."""
        return _dot(2 * self.currents.momentum(x) + self.momentum, self.vector)

    def project(self, x):
        """V.J_X for the helicities of the legs and of the root."""
        return _dot(self.currents.current(x)[:, :, None], self.vector[:, None])

    def weight(self, x, sign):
        """What multiplies V.J_Y in a cut X|Y (sign +1) or Y|X (sign -1), as 2 P_Y.J_X = -2 P.J_X."""
        return -2 * sign * _dot(self.momentum, self.currents.current(x)) - self.currents.scalar(x)

    def contract(self, legs, row, root, longest):
        """V.(P^2 J) for chosen helicities: rows row(legs) of the legs' arrays, `root` of the root's.

        Three-gluon vertices of the root with a sub-list of more than `longest` legs are left out.
        """
        contact, scalar = self.currents.contact, self.currents.scalar
        total = 0.0
        for cut in range(1, len(legs)):
            x, y = legs[:cut], legs[cut:]
            if len(x) > longest:
                total = total - scalar(x)[row(x)] * self.project(y)[row(y), root]
            elif len(y) > longest:
                total = total - scalar(y)[row(y)] * self.project(x)[row(x), root]
            else:
                total = total + self.weight(x, +1)[row(x)] * self.project(y)[row(y), root]
                total += self.weight(y, -1)[row(y)] * self.project(x)[row(x), root]
                total += self.along(x)[root] * contact(x, y)[row(x), row(y)]
            for end in range(cut + 1, len(legs)):
                y, z = legs[cut:end], legs[end:]
                total += 2 * contact(x, z)[row(x), row(z)] * self.project(y)[row(y), root]
        return total


def ordered_amplitudes(momenta, helicities, orderings, reference=None):
    r"""Colour-ordered tree amplitudes A(1, 2, ..., n) of n gluons.

    Normalised for colour factors :math:`g^{n-2} \mathrm{Tr}(T^{a_1} \cdots T^{a_n})` with
    :math:`\mathrm{Tr}(T^a T^b) = \delta^{ab}` (L. Dixon, hep-ph/9601359); a common phase is dropped.

    Parameters
    ----------
    momenta : array, shape (events, n, 4)
        Light-like momenta in GeV, all outgoing (incoming ones with reversed sign), which sum to zero.
    helicities : integer array, shape (configurations, n)
        Helicities -1 or +1 of the outgoing gluons.
    orderings : sequence of tuples of int
        The cyclic orders wanted, as permutations of 0 ... n-1 with the same last leg; n is at least 4.
    reference : array, shape (4,), optional
        Light-like reference vector of all polarisations. By default each gluon takes the momentum of the
        last leg, and the last leg that of the first leg of the first ordering. The result does not depend on it.

    Returns
    -------
    complex array, shape (orderings, configurations, events)
        In GeV^(4-n).

    Raises
    ------
    ValueError
        If the orderings do not all end with the same leg.

    Examples
    --------
    The amplitude with helicities (--++) from Parke and Taylor, <12>^4 / (<12><23><34><41>):

    >>> p = 5.0 * np.array([[[-1, 0, 0, -1], [-1, 0, 0, 1], [1, 0.6, 0, 0.8], [1, -0.6, 0, -0.8]]])
    >>> amplitude = ordered_amplitudes(p, np.array([[-1, -1, 1, 1]]), [(0, 1, 2, 3)])
    >>> s, t = 100.0, -2 * 25 * (1 + 0.8)                              # here |A| = |s / t|
    >>> bool(np.isclose(abs(amplitude).item(), abs(s / t)))
    True
    """
    orderings = [tuple(order) for order in orderings]
    events, legs = momenta.shape[:2]
    last = orderings[0][-1]
    if any(order[-1] != last for order in orderings):
        raise ValueError(f"orderings: found last legs {sorted({o[-1] for o in orderings})}, expected one and the same")
    if reference is None:
        reference = np.repeat(momenta[:, [last]], legs, axis=1)
        reference[:, last] = momenta[:, orderings[0][0]]
        reference *= np.sign(reference[..., :1])
    polarizations = polarization_vectors(momenta, reference).transpose(2, 3, 0, 1)  # (legs, 4, 2, events)
    currents = _Currents(momenta.transpose(1, 2, 0).astype(complex), np.ascontiguousarray(polarizations))

    bits = (np.atleast_2d(helicities) > 0).astype(int)
    result = np.empty((len(orderings), len(bits), events), dtype=complex)
    for helicity in np.unique(bits[:, last]):
        chosen = np.flatnonzero(bits[:, last] == helicity)
        rows = cache(lambda x, table=bits[chosen]: table[:, x] @ (1 << np.arange(len(x))[::-1]))
        root = _Root(currents, currents.momenta[last], currents.polarizations[last][:, [helicity]])
        joined = cache(root.attach)
        for number, order in enumerate(orderings):
            body = order[:-1]
            amplitude = root.contract(body, rows, 0, longest=legs - 3)
            amplitude += joined(body[-1]).contract(body[:-1], rows, rows(body[-1:]), longest=legs)
            amplitude -= joined(body[0]).contract(body[1:], rows, rows(body[:1]), longest=legs)
            result[number, chosen] = amplitude
    return result / np.sqrt(2) ** (legs - 2)


def parke_taylor(momenta, orderings):
    r"""Parke-Taylor denominators :math:`1 / (\langle12\rangle\langle23\rangle\cdots\langle n1\rangle)`.

    Times :math:`\langle ij\rangle^4` they are the amplitudes in which only gluons i and j have helicity -1
    (Phys. Rev. Lett. 56 (1986) 2459), in the normalisation of `ordered_amplitudes`.

    Parameters
    ----------
    momenta : array, shape (events, n, 4)
        As in `ordered_amplitudes`.
    orderings : sequence of tuples of int

    Returns
    -------
    complex array, shape (orderings, events)

    Examples
    --------
    >>> p = 5.0 * np.array([[[-1, 0, 0, -1], [-1, 0, 0, 1], [1, 0.6, 0, 0.8], [1, -0.6, 0, -0.8]]])
    >>> abs(parke_taylor(p, [(0, 1, 2, 3)])).round(6)                      # 1 / |s t|
    array([[0.000111]])
    """
    angle, _ = spinors(momenta)
    product = spinor_product(angle[:, :, None], angle[:, None]).transpose(1, 2, 0)
    orderings = np.array(orderings)
    return 1 / product[orderings, np.roll(orderings, -1, axis=1)].prod(axis=1)
