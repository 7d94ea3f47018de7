"""Load a data set by name: from the project's files, from its generator, or as it was published."""

import html
from difflib import get_close_matches

from hepml_labs import paths
from hepml_labs.datasets import generation, store
from hepml_labs.datasets.catalogue import CATALOGUE
from hepml_labs.datasets.entry import SPLITS
from hepml_labs.datasets.public import PUBLIC, load_public
from hepml_labs.validation import check_count

SOURCES = ("bundled", "generated", "public")


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
            f"{len(self):,} samples, {card['split']} split, {_origin(card)}",
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
            f"{_origin(card)}.<br>{html.escape(card['description'])}</p>"
            f"<table>{rows}</table>"
            f"<p>Generator: {html.escape(card['generator'])}. Licence: {html.escape(card['licence'])}.</p>"
        )


def _origin(card):
    return f"{card['source']}, seed {card['seed']}" if "seed" in card else card["source"]


def load(name, split="train", source="bundled", n=None, seed=None, workers=1, scheduler=None):
    """Load a data set.

    Parameters
    ----------
    name : str
        A name in the catalogue; ``hepml data list`` prints them.
    split : {"train", "validation", "test"}
        Independent samples of the same distribution.
    source : {"bundled", "generated", "public"}
        The file that ships with the project; the same recipe run on this machine and cached; or the published
        full-size set, downloaded once (``hepml data fetch`` does that beforehand) and cached.
    n : int, optional
        Number of samples; by default those of the bundled split, and for public sets all, or as many as fit into the
        memory of a laptop where all do not.
    seed : int, optional
        For generated samples only: another seed than the bundled file's.
    workers : int
        For generated samples: processes to make them with.
    scheduler : str, optional
        For generated samples: address of a Dask scheduler whose workers make them.

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
    OSError
        If a public set cannot be downloaded; the message says why and what works without a network.

    Examples
    --------
    >>> load("gluons_4g", split="test", n=2)["amplitude"].shape
    (2,)
    """
    if name not in CATALOGUE and name not in PUBLIC:
        known = sorted({*CATALOGUE, *PUBLIC})
        close = get_close_matches(name, known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"name: {name!r} is not in the catalogue {known}{hint}")
    if split not in SPLITS:
        raise ValueError(f"split: found {split!r}, expected one of {SPLITS}")
    if source not in SOURCES:
        raise ValueError(f"source: found {source!r}, expected one of {SOURCES}")
    if n is not None:
        check_count("n", n)
    if source == "public":
        if name not in PUBLIC:
            raise ValueError(f"source: {name!r} has no published counterpart; public are {sorted(PUBLIC)}")
        card, columns = load_public(name, split, n)
        return Dataset(columns, {**card, "split": split, "source": source})
    if name not in CATALOGUE:
        raise ValueError(f"source: {name!r} exists as a published set only; source='public' downloads it")
    entry = CATALOGUE[name]
    if source == "bundled":
        card, stored = _bundled(entry, split, n, seed)
    else:
        card, stored = _generated(entry, split, n or entry.sizes[split], seed, workers, scheduler)
    return Dataset(entry.unpack(stored), {**card, "split": split, "source": source})


def _bundled(entry, split, n, seed):
    if seed is not None:
        raise ValueError(f"seed: bundled samples have seed {entry.seed}; use source='generated' for others")
    if n is not None and n > entry.sizes[split]:
        raise ValueError(
            f"n: found {n:,}, but {entry.sizes[split]:,} samples of {entry.name!r} ({split}) are bundled; "
            "source='generated' makes more"
        )
    return store.read(paths.data() / f"{entry.name}.h5", split, n)


def _generated(entry, split, n, seed, workers, scheduler):
    seed = entry.seed + SPLITS.index(split) if seed is None else seed
    # changed code or settings must not find the file that the old ones made
    mark = generation.fingerprint(entry)
    path = paths.home() / "generated" / f"{entry.name}-{n}-seed{seed}-{mark}.h5"
    if not path.exists():
        kept = path.with_suffix(".chunks")
        columns = generation.generate(entry, n, seed, workers=workers, scheduler=scheduler, kept=kept)
        card = {**entry.card(), "seed": seed, "sizes": {split: n}, "made_with": generation.versions(entry)}
        store.write(path, card, {"samples": columns})
    return store.read(path, "samples")
