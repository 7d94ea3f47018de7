"""What to make of a flavour tagger's answers: discriminants, vertices from pairs of tracks, and how many are right."""

from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp, softmax

from hepml_labs.datasets.heavy_flavor import ORIGINS
from hepml_labs.top_tagging.flavour_tagger import FLAVOURS
from hepml_labs.validation import check_array, check_between

__all__ = ["VertexCount", "connected_tracks", "discriminant", "heavy_vertices", "match_vertices", "true_heavy_vertices"]

HEAVY = [ORIGINS.index(name) for name in ("from b", "from b to c", "from c")]


def discriminant(log_probability, target="b", fraction=0.05):
    r"""One number for a cut: the logarithm of how much likelier one flavour is than a mixture of the others.

    Parameters
    ----------
    log_probability : array, (n, 3)
        Logarithms of the probabilities in the order of `FLAVOURS`, up to a constant for each jet: logits will do.
    target : {"b", "c"}
        Which flavour is wanted.
    fraction : float
        Share of the other heavy flavour in the background, in [0, 1]: f_c for b tagging, f_b for c tagging.

    Returns
    -------
    array, (n,)
        :math:`D_b = \ln\{p_b / [f_c\, p_c + (1 - f_c)\, p_l]\}`, and likewise :math:`D_c` with b and c exchanged.

    Raises
    ------
    ValueError
        If the shape, the target or the fraction is none of these.

    Notes
    -----
    As in GN1 :cite:`atlas2022graph`, with f_c = 0.05 there. It is the optimal test (Neyman and Pearson) of a b jet
    against a background with that share of c jets, if the probabilities are exact for equal numbers in all classes.

    Examples
    --------
    >>> discriminant(np.log([[0.1, 0.1, 0.8]])).round(3), discriminant(np.log([[0.1, 0.1, 0.8]]), "c", 1.0).round(3)
    (array([2.079]), array([-2.079]))
    """
    check_array("log_probability", log_probability, ("n", len(FLAVOURS)))
    check_between("fraction", fraction, 0, 1, include_low=True, include_high=True)
    if target not in ("b", "c"):
        raise ValueError(f"target: found {target!r}, expected 'b' or 'c'")
    light, wanted, other = 0, FLAVOURS.index(target), FLAVOURS.index("c" if target == "b" else "b")
    background = logsumexp(log_probability[:, [light, other]], axis=1, b=np.array([1 - fraction, fraction]))
    return (log_probability[:, wanted] - background).astype(log_probability.dtype)


def connected_tracks(compatible, mask):
    """Group the tracks of each jet: who is compatible with a member of a group belongs to it.

    Parameters
    ----------
    compatible : bool array, (n, tracks, tracks)
        Pairs that seem to share a vertex; (i, j) counts as (j, i), the diagonal and the padding do not matter.
    mask : bool array, (n, tracks)
        True for real tracks.

    Returns
    -------
    int array, (n, tracks)
        The group of each track, counted from zero in the order of their first tracks; -1 in the padding.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Notes
    -----
    These are the connected components of a graph, of all jets at once: every track takes over the smallest number
    among its neighbours until nothing changes. A union-find does the same for one jet after the other.

    Examples
    --------
    >>> compatible = np.zeros((1, 4, 4), dtype=bool)
    >>> compatible[0, 0, 2] = compatible[0, 2, 3] = True
    >>> connected_tracks(compatible, np.ones((1, 4), dtype=bool))
    array([[0, 1, 0, 0]])
    """
    check_array("mask", mask, ("n", "tracks"), floating=False)
    check_array("compatible", compatible, (*mask.shape, mask.shape[1]), floating=False)
    touch = (compatible | np.swapaxes(compatible, 1, 2)) & mask[:, :, None] & mask[:, None]
    own = np.arange(mask.shape[1])
    first = np.broadcast_to(own, mask.shape)
    while True:
        smallest = np.minimum(first, np.where(touch, first[:, None, :], mask.shape[1]).min(axis=2))
        if (smallest == first).all():
            break
        first = smallest
    opens = mask & (first == own)
    number = np.take_along_axis(np.cumsum(opens, axis=1) - 1, first, axis=1)
    return np.where(mask, number, -1)


def heavy_vertices(vertex, origin, mask, threshold=0.5):
    """Find the vertices of b and c hadrons from the logits of the auxiliary tasks.

    Parameters
    ----------
    vertex : array, (n, tracks, tracks)
        Logits of pairs.
    origin : array, (n, tracks, 7)
        Logits of tracks.
    mask : bool array, (n, tracks)
        True for real tracks.
    threshold : float
        A pair is compatible above this probability.

    Returns
    -------
    int array, (n, tracks)
        Number of the group of each track in a found vertex, -1 for all others. A group is one if it has at least two
        tracks and the mean probability that they come from b or c hadrons is above one half.

    Examples
    --------
    >>> vertex, origin = np.full((1, 3, 3), -9.0), np.zeros((1, 3, 7))
    >>> vertex[0, 1, 2] = vertex[0, 2, 1] = 9.0
    >>> origin[..., 3] = 9.0
    >>> heavy_vertices(vertex, origin, np.ones((1, 3), dtype=bool))
    array([[-1,  1,  1]])
    """
    check_between("threshold", threshold, 0, 1)
    group = connected_tracks(vertex > np.log(threshold / (1 - threshold)), mask)
    heavy = softmax(origin, axis=-1)[..., HEAVY].sum(-1)
    together = (group[:, :, None] == group[:, None]) & mask[:, None]
    size = together.sum(-1)
    mean = (together * heavy[:, None]).sum(-1) / np.maximum(size, 1)
    return np.where(mask & (size >= 2) & (mean > 0.5), group, -1)


def true_heavy_vertices(vertex, origin):
    """Keep the true vertices with at least two tracks of b or c hadrons, apart from the primary vertex.

    Parameters
    ----------
    vertex, origin : int array, (n, tracks)
        The columns of the set ``heavy_flavor``.

    Returns
    -------
    int array, (n, tracks)
        Number of the vertex, -1 for tracks of none of these.

    Examples
    --------
    >>> true_heavy_vertices(np.array([[0, 1, 1, 2, -1]]), np.array([[2, 3, 3, 4, 0]]))
    array([[-1,  1,  1, -1, -1]])
    """
    kept = np.where((vertex > 0) & np.isin(origin, HEAVY), vertex, -1)
    alike = (kept[:, :, None] == kept[:, None]).sum(-1)
    return np.where(alike >= 2, kept, -1)


class VertexCount(NamedTuple):
    """How many vertices were found, and how many that were found are right.

    Attributes
    ----------
    efficiency, efficiency_error : float
        Share of the true vertices that were found, and its standard deviation (binomial). NaN if there are none.
    purity, purity_error : float
        Share of the found vertices that are true.
    true, found : int
        Number of vertices.
    """

    efficiency: float
    efficiency_error: float
    purity: float
    purity_error: float
    true: int
    found: int


def match_vertices(found, true, recall=0.65, purity=0.5):
    """Match found to true vertices by their tracks.

    Parameters
    ----------
    found, true : int array, (n, tracks)
        Number of the vertex of each track, -1 for none.
    recall : float
        A true vertex counts as found if one found vertex has at least this share of its tracks, and ...
    purity : float
        ... at least this share of the found vertex's tracks are its own.

    Returns
    -------
    VertexCount

    Raises
    ------
    ValueError
        If the shapes differ.

    Notes
    -----
    The two thresholds are those of GN1 :cite:`atlas2022graph`.

    Examples
    --------
    >>> match_vertices(np.array([[1, 1, 1, 2, 2]]), np.array([[5, 5, -1, -1, -1]])).purity
    0.5
    """
    check_array("found", found, ("n", "tracks"), floating=False)
    check_array("true", true, found.shape, floating=False)
    counts = np.zeros((len(found), found.max() + 2, true.max() + 2), dtype=int)  # the last of each kind: none
    np.add.at(counts, (np.arange(len(found))[:, None], found, true), 1)
    found_sizes, true_sizes = counts[:, :-1].sum(2), counts[:, :, :-1].sum(1)
    number_found, number_true = int((found_sizes > 0).sum()), int((true_sizes > 0).sum())
    common = counts[:, :-1, :-1]
    match = (common > 0) & (common >= recall * true_sizes[:, None]) & (common >= purity * found_sizes[..., None])
    efficiency = _share(match.any(1).sum(), number_true)
    return VertexCount(*efficiency, *_share(match.any(2).sum(), number_found), number_true, number_found)


def _share(part, whole):
    """Return a binomial proportion and its standard deviation."""
    if whole == 0:
        return float("nan"), float("nan")
    share = float(part / whole)
    return share, float(np.sqrt(share * (1 - share) / whole))
