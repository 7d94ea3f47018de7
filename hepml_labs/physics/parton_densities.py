"""Densities of partons in the proton, interpolated in the grid files that come with Pythia 8.

Nothing of the files is copied into this project: they are read from the installed package ``pythia8mc`` (or from a
path), in the text format ``lhagrid1`` of LHAPDF 6 :cite:`buckley2015lhapdf`.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import metadata
from pathlib import Path

import numpy as np

from hepml_labs.validation import check_array

DEFAULT = "NNPDF23_lo_as_0130_qed_0000"
"""NNPDF2.3 QCD+QED, leading order, alpha_s(M_Z) = 0.130: the default of Pythia 8 :cite:`ball2013qed`."""


class PartonDensities:
    r"""Momentum densities x f(x, Q^2) of the partons in a proton.

    Between the grid's points x f is a cubic polynomial (Lagrange's, through four points) in ln x and in ln Q^2, as in
    Pythia; a negative density counts as none, and outside of the grid the nearest edge counts.

    Parameters
    ----------
    x : array, (n_x,)
        Grid points, growing.
    blocks : list of (array (n_q,), array (n_q, n_x, flavours))
        For each range between thresholds of heavy quarks the Q of the grid in GeV, and x f.
    flavours : sequence of int
        PDG codes of the last axis.

    Examples
    --------
    Quarks and gluons carry all of the proton's momentum:

    >>> densities = PartonDensities.load()
    >>> x = np.exp(np.linspace(np.log(1e-7), 0, 2000))
    >>> total = densities.all(x, np.full(2000, 1e4)).sum(1)
    >>> bool(abs(np.trapezoid(total * x, np.log(x)) - 1) < 0.01)
    True
    """

    def __init__(self, x, blocks, flavours):
        self.x, self.blocks, self.flavours = np.asarray(x), blocks, tuple(flavours)
        self._log_x = np.log(self.x)
        self._columns = {flavour: column for column, flavour in enumerate(self.flavours)}

    @classmethod
    def load(cls, name=DEFAULT):
        """Read a grid file, once per process.

        Parameters
        ----------
        name : str or path
            Name of one of Pythia's files in this format without its ending, or the path of a file.

        Returns
        -------
        PartonDensities

        Raises
        ------
        ValueError
            If there is no such file, or it is of another format.
        """
        return _load(str(name))

    def all(self, x, q2, flavours=None):
        """Densities of all partons at once.

        Parameters
        ----------
        x : array, (n,)
            Momentum fractions.
        q2 : array, (n,) or float
            Squared scale in GeV^2.
        flavours : sequence of int, optional
            PDG codes of the columns, all of the grid by default.

        Returns
        -------
        array, (n, flavours)
            x f(x, Q^2), in the order of `flavours`.

        Raises
        ------
        ValueError
            For an unknown flavour, and x not in (0, 1].

        Examples
        --------
        The proton has twice as many up as down valence quarks, and they are harder:

        >>> u, d = PartonDensities.load().all(np.array([0.3]), 1e4, (2, 1))[0]
        >>> bool(2 < u / d < 5)
        True
        """
        x = np.asarray(x, dtype=float)
        check_array("x", x, ("n",), positive=True)
        if x.max() > 1:
            raise ValueError(f"x: found {x.max():.6g}, expected at most 1")
        columns = slice(None) if flavours is None else self._lookup(flavours)
        weights, first = _cubic(self._log_x, np.log(x))
        q = np.sqrt(np.asarray(q2, dtype=float))
        if q.ndim == 0:  # one scale for all: interpolate the grid first, which is small
            table = self._table(float(q))[:, columns]
            return np.maximum(sum(weights[:, k, None] * table[first + k] for k in range(weights.shape[1])), 0.0)
        edges = [block_q[-1] for block_q, _ in self.blocks[:-1]]
        number = np.searchsorted(edges, q, side="right")
        result = np.empty((len(x), np.arange(len(self.flavours))[columns].size))
        for k in np.unique(number):
            block_q, values = self.blocks[k]
            here = number == k
            weights_q, first_q = _cubic(np.log(block_q), np.log(q[here]))
            result[here] = sum(
                (weights[here, i] * weights_q[:, j])[:, None] * values[first_q + j, first[here] + i][:, columns]
                for i in range(weights.shape[1])
                for j in range(weights_q.shape[1])
            )
        return np.maximum(result, 0.0)

    def xf(self, flavour, x, q2):
        """Density of one flavour for each point.

        Parameters
        ----------
        flavour : int or array of int, (n,)
            PDG code: 1 to 5 for d, u, s, c, b, negative for antiquarks, 21 for the gluon, 22 for the photon.
        x, q2 : arrays, (n,)
            Momentum fraction, and squared scale in GeV^2.

        Returns
        -------
        array, (n,)
            x f(x, Q^2).

        Raises
        ------
        ValueError
            As `all`.

        Examples
        --------
        >>> densities = PartonDensities.load()
        >>> densities.xf(np.array([2, -2]), np.array([0.1, 0.1]), np.array([1e4, 1e4])).round(3)
        array([0.588, 0.072])
        """
        columns = self._lookup(np.broadcast_to(flavour, np.shape(x)))
        return np.take_along_axis(self.all(x, q2), columns[:, None], axis=1)[:, 0]

    def _lookup(self, flavours):
        unknown = set(np.unique(flavours).tolist()) - set(self.flavours)
        if unknown:
            raise ValueError(f"flavours: found {sorted(unknown)}, expected some of {self.flavours}")
        return np.array([self._columns[int(flavour)] for flavour in flavours])

    @lru_cache(maxsize=16)  # noqa: B019 (the few objects there are live as long as the process)
    def _table(self, q):
        edges = [block_q[-1] for block_q, _ in self.blocks[:-1]]
        block_q, values = self.blocks[int(np.searchsorted(edges, q, side="right"))]
        weights, first = _cubic(np.log(block_q), np.log([q]))
        return np.tensordot(weights[0], values[first[0] : first[0] + weights.shape[1]], 1)


def _cubic(grid, points):
    """Lagrange's weights (n, 4) of the four neighbours of each point in a grid, and the number of the first (n,)."""
    points = np.clip(points, grid[0], grid[-1])
    order = min(4, len(grid))
    first = np.clip(np.searchsorted(grid, points) - order // 2, 0, len(grid) - order)
    nodes = grid[first[:, None] + np.arange(order)]
    weights = np.ones_like(nodes)
    for k in range(order):
        for other in range(order):
            if other != k:
                weights[:, k] *= (points - nodes[:, other]) / (nodes[:, k] - nodes[:, other])
    return weights, first


@lru_cache(maxsize=4)
def _load(name):
    path = Path(name)
    if not path.is_file():
        path = _installed(name)
    header, *texts = path.read_text().split("---")
    if "lhagrid1" not in header:
        raise ValueError(f"name: found a file {path.name} of another format, expected lhagrid1")
    blocks = []
    for text in texts:
        lines = text.strip().splitlines()
        if len(lines) > 3:
            x, q = (np.array(line.split(), dtype=float) for line in lines[:2])
            flavours = [int(word) for word in lines[2].split()]
            values = np.array(" ".join(lines[3:]).split(), dtype=float).reshape(len(x), len(q), len(flavours))
            blocks.append((q, np.ascontiguousarray(values.swapaxes(0, 1))))
    return PartonDensities(x, blocks, flavours)


def _installed(name):
    """Path of a grid in the installed distribution of Pythia."""
    try:
        files = metadata.files("pythia8mc") or []
    except metadata.PackageNotFoundError as error:
        raise ValueError(
            f"name: found no file {name}; the grids come with pythia8mc: pip install 'hepml-labs[generate]'"
        ) from error
    for file in files:
        if file.name == f"{name}.dat" and file.parent.name == "pdfdata":
            return Path(file.locate())
    raise ValueError(f"name: found {name}, expected a path or a grid of pythia8mc's folder pdfdata")
