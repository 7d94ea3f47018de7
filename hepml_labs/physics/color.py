"""Colour of multi-gluon amplitudes: the basis of Del Duca, Dixon and Maltoni and its colour sums."""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations, permutations

import numpy as np


def structure_constants():
    r"""Structure constants of SU(3), normalised as :math:`\tilde f^{abc} = \sqrt2 f^{abc}`.

    Returns
    -------
    array, shape (8, 8, 8)
        Real and totally antisymmetric; :math:`\tilde f^{acd} \tilde f^{bcd} = 2 N \delta^{ab}` with N = 3.

    Examples
    --------
    >>> f = structure_constants()
    >>> bool(np.allclose(np.einsum("acd,bcd->ab", f, f), 6 * np.eye(8)))
    True
    """
    gell_mann = np.zeros((8, 3, 3), dtype=complex)
    for index, (row, column) in zip((0, 3, 5), ((0, 1), (0, 2), (1, 2)), strict=True):
        gell_mann[index, row, column] = gell_mann[index, column, row] = 1
        gell_mann[index + 1, row, column], gell_mann[index + 1, column, row] = -1j, 1j
    # The order of the generators is irrelevant for colour sums.
    gell_mann[2] = np.diag([1, -1, 0])
    gell_mann[7] = np.diag([1, 1, -2]) / np.sqrt(3)
    generators = gell_mann / 2
    products = np.einsum("aij,bjk->abik", generators, generators)
    commutators = products - products.swapaxes(0, 1)
    return (np.sqrt(2) * -2j * np.einsum("abij,cji->abc", commutators, generators)).real


def orderings(legs):
    """Orderings (0, sigma, 1) of the Del Duca-Dixon-Maltoni basis: the two incoming legs stay at the ends.

    Parameters
    ----------
    legs : int
        Number of gluons, incoming and outgoing together.

    Returns
    -------
    list of tuples of int, length (legs - 2)!

    Examples
    --------
    >>> orderings(4)
    [(0, 2, 3, 1), (0, 3, 2, 1)]
    """
    return [(0, *sigma, 1) for sigma in permutations(range(2, legs))]


@lru_cache
def color_matrix(legs):
    r"""Full-colour sums between the orderings of the Del Duca-Dixon-Maltoni basis.

    The tree amplitude is :math:`g^{n-2}\sum_\sigma (F^{a_{\sigma_3}}\cdots F^{a_{\sigma_n}})_{a_1 a_2}
    A(1, \sigma, 2)`, with the generators of the adjoint representation; the entries are the products
    of two such colour factors, summed over all colours (hep-ph/9910563, equation 1.2).

    Parameters
    ----------
    legs : int
        Number of gluons, 4 to 8.

    Returns
    -------
    array, shape ((legs - 2)!, (legs - 2)!)
        In the order of `orderings`.

    Examples
    --------
    >>> color_matrix(4)                                       # N^2 (N^2 - 1) times ((4, 2), (2, 4))
    array([[288., 144.],
           [144., 288.]])
    """
    f = structure_constants()
    chain = f.transpose(1, 0, 2)  # (left colour, emitted gluon, right colour)
    for _ in range(legs - 3):
        chain = np.einsum("...x,xbr->...br", chain, f.transpose(1, 0, 2), optimize=True)
    middle = list(permutations(range(legs - 2)))
    # A common relabelling of the summed colours changes nothing: only the relative permutation counts.
    sums = {}
    for sigma in middle:
        axes = (0, *(1 + i for i in sigma), legs - 1)
        sums[sigma] = np.vdot(chain, chain.transpose(axes))
    matrix = [[sums[tuple(np.argsort(row)[list(column)])] for column in middle] for row in middle]
    return np.round(np.array(matrix), 6)


@lru_cache
def leading_color_matrix(legs):
    r"""Leading-colour sums in the same basis.

    Leading colour keeps the squares :math:`|A(1, \tau)|^2` of all (n-1)! colour orderings and drops
    the interferences between them, suppressed by 1/N^2: the weight is :math:`N^{n-2}(N^2-1)`. Orderings that
    do not end in leg 1 (counted from zero) follow from the basis by the relation of Kleiss and Kuijf,
    :math:`A(1, \alpha, n, \beta) = (-1)^{|\beta|} \sum A(1, \alpha ⧢ \beta^T, n)`.

    Parameters
    ----------
    legs : int
        Number of gluons.

    Returns
    -------
    array, shape ((legs - 2)!, (legs - 2)!)

    Examples
    --------
    >>> np.allclose(leading_color_matrix(4), color_matrix(4))
    True
    """
    middle = list(permutations(range(2, legs)))
    position = {sigma: i for i, sigma in enumerate(middle)}
    matrix = np.zeros((len(middle), len(middle)))
    for sigma in middle:
        for cut in range(legs - 1):
            alpha, beta = sigma[:cut], sigma[cut:][::-1]
            row = np.zeros(len(middle))
            for places in combinations(range(legs - 2), cut):
                first, second = iter(alpha), iter(beta)
                row[position[tuple(next(first) if i in places else next(second) for i in range(legs - 2))]] += 1
            matrix += np.outer(row, row)
    return 3.0 ** (legs - 2) * 8 * matrix
