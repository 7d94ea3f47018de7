"""Load a data set by name, from the project's files or from its generator."""

import html
from difflib import get_close_matches

from hepml_labs import paths
from hepml_labs.datasets import store
from hepml_labs.datasets.catalogue import CATALOGUE, SPLITS

SOURCES = ("bundled", "generated")


class Dataset:
    """Columns of equal length, with a card that says what they are.

    Parameters
    ----------
    columns : dict of str to numpy.ndarray
        Arrays of one equal first dimension.
    card : dict
        Title, description, units, citation, licence, generator, settings, seed, split and source.

    Examples
    --------
    >>> data = load("gluons_3g", split="test", n=100)
    >>> data["momenta"].shape, len(data)
    ((100, 5, 4), 100)
    >>> data.card["licence"]
    'CC-BY-4.0'
    """

    def __init__(self, columns, card):
        self._columns = columns
        self.card = card

    def __getitem__(self, name):
        if name not in self._columns:
            raise KeyError(f"{name!r} is not a column of {self.card['name']}, which has {list(self._columns)}")
        return self._columns[name]

    def __contains__(self, name):
        return name in self._columns

    def __len__(self):
        """Number of samples (rows)."""
        return len(next(iter(self._columns.values())))

    @property
    def columns(self):
        """Names of the columns."""
        return list(self._columns)

    def __repr__(self):
        card = self.card
        lines = [
            f"{card['title']} ({card['name']})",
            f"{len(self):,} samples, {card['split']} split, {card['source']}, seed {card['seed']}",
            card["description"],
        ]
        lines += [f"  {name}: {meaning}" for name, meaning in card["columns"].items()]
        lines += [f"generator: {card['generator']}", f"licence: {card['licence']}"]
        return "\n".join(lines)

    def _repr_html_(self):
        card = self.card
        rows = "".join(
            f"<tr><td><code>{name}</code></td><td style='text-align:left'>{html.escape(meaning)}</td></tr>"
            for name, meaning in card["columns"].items()
        )
        return (
            f"<p><strong>{html.escape(card['title'])}</strong>: {len(self):,} samples, {card['split']} split, "
            f"{card['source']}, seed {card['seed']}.<br>{html.escape(card['description'])}</p>"
            f"<table>{rows}</table>"
            f"<p>Generator: {html.escape(card['generator'])}. Licence: {html.escape(card['licence'])}.</p>"
        )


def load(name, split="train", source="bundled", n=None, seed=None):
    """Load a data set.

    Parameters
    ----------
    name : str
        A name in the catalogue; ``hepml data list`` prints them.
    split : {"train", "validation", "test"}
        Independent samples of the same distribution.
    source : {"bundled", "generated"}
        The file that ships with the project, or the same recipe run on this machine and cached.
    n : int, optional
        Number of samples; by default those of the bundled split.
    seed : int, optional
        For generated samples only: another seed than the bundled file's.

    Returns
    -------
    Dataset
        The same columns and units for each source.

    Raises
    ------
    ValueError
        If a name, split or source is not known, or a bundled file has fewer than `n` samples.
    DamagedFile
        If the file is truncated or changed.

    Examples
    --------
    >>> load("gluons_4g", split="test", n=2)["amplitude"].shape
    (2,)
    """
    if name not in CATALOGUE:
        close = get_close_matches(name, CATALOGUE, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"name: {name!r} is not in the catalogue {sorted(CATALOGUE)}{hint}")
    entry = CATALOGUE[name]
    if split not in SPLITS:
        raise ValueError(f"split: found {split!r}, expected one of {SPLITS}")
    if source not in SOURCES:
        raise ValueError(f"source: found {source!r}, expected one of {SOURCES}")
    if n is not None and n < 1:
        raise ValueError(f"n: found {n}, expected at least 1")
    if source == "bundled":
        if seed is not None:
            raise ValueError(f"seed: bundled samples have seed {entry.seed}; use source='generated' for others")
        if n is not None and n > entry.sizes[split]:
            raise ValueError(
                f"n: found {n:,}, but {entry.sizes[split]:,} samples of {name!r} ({split}) are bundled; "
                "source='generated' makes more"
            )
        card, stored = store.read(paths.data() / f"{name}.h5", split, n)
    else:
        card, stored = _generated(entry, split, n or entry.sizes[split], seed)
    return Dataset(entry.unpack(stored), {**card, "split": split, "source": source})


def _generated(entry, split, n, seed):
    seed = entry.seed + SPLITS.index(split) if seed is None else seed
    path = paths.home() / "generated" / f"{entry.name}-{n}-seed{seed}.h5"
    if not path.exists():
        columns = entry.pack(entry.generate(n, seed=seed))
        store.write(path, {**entry.card(), "seed": seed, "sizes": {split: n}}, {"samples": columns})
    return store.read(path, "samples")
