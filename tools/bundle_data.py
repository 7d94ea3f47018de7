"""Make the bundled samples of `data/` again, with their checksums and their README.

Run with ``python tools/bundle_data.py [NAME ...] [--workers 2]``. After an interruption the same command goes on with
what is missing. Without names only what the cards say is brought up to date, in the files and in the README.
"""

import argparse
import json

from hepml_labs import paths
from hepml_labs.datasets import CATALOGUE, generation, store
from hepml_labs.datasets.entry import SPLITS

HEADER = """# Bundled samples

Written by `python tools/bundle_data.py` from the cards in `hepml_labs/datasets/catalogue.py`; do not edit.
`hepml data verify` recomputes the checksums, `hepml data card NAME` prints a card, and
`hepml_labs.datasets.load(NAME, split=...)` loads a sample. The files are HDF5 with one group for each split, and
each carries its card. To make one again: `python tools/bundle_data.py NAME --workers 2`.

Beside the samples lie `weights/`, networks that were trained beforehand, each with a header that holds the command that
made it, and `top_tagging_scores.h5`, their scores on the test jets (`hepml train top_tagging --evaluate` writes them).
"""


def bundle(entry, workers):
    """Generate all splits of an entry and write its file and checksum."""
    path = paths.data() / f"{entry.name}.h5"
    splits = {}
    for number, split in enumerate(SPLITS):
        kept = paths.home() / "bundle" / f"{entry.name}-{split}.chunks"
        splits[split] = generation.generate(entry, entry.sizes[split], entry.seed + number, workers=workers, kept=kept)
    save(path, {**entry.card(), "made_with": generation.versions(entry)}, splits)


def describe(entry):
    """Put the present text of an entry's card into its file, if only the text has changed."""
    path = paths.data() / f"{entry.name}.h5"
    splits, new = {}, entry.card()
    for split in SPLITS:
        card, splits[split] = store.read(path, split)
    for name in ("recipe", "settings", "sizes", "seed"):
        if new[name] != card[name]:
            raise SystemExit(f"{entry.name}: {name} was {card[name]} and is {new[name]}: make the sample again")
    new["made_with"] = card["made_with"]
    if new != card:
        save(path, new, splits)


def save(path, card, splits):
    """Write a file and record its checksum."""
    store.write(path, card, splits)
    record = paths.data() / "checksums.json"
    known = json.loads(record.read_text()) if record.exists() else {}
    known[path.name] = {"sha256": store.sha256(path), "bytes": path.stat().st_size}
    record.write_text(json.dumps(dict(sorted(known.items())), indent=2) + "\n")
    print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")


def readme(checksums):
    """Return the text of data/README.md."""
    text = HEADER
    for entry in CATALOGUE.values():
        file = checksums[f"{entry.name}.h5"]
        text += f"\n## {entry.name}\n\n{entry.title}. {entry.description}\n\n| column | what |\n|---|---|\n"
        text += "".join(f"| `{name}` | {meaning} |\n" for name, meaning in entry.columns.items())
        sizes = ", ".join(f"{size:,} {split}" for split, size in entry.sizes.items())
        card, _ = store.read(paths.data() / f"{entry.name}.h5", "train", 0)
        packages = ", ".join(f"{name} {version}" for name, version in card["made_with"].items())
        text += f"\n- samples: {sizes}; {file['bytes'] / 1e6:.1f} MB\n- made by: {entry.generator}; {packages}\n"
        text += f"- recipe: `{entry.recipe}.generate` with {entry.settings or 'its defaults'}; seed {entry.seed}"
        text += ", and the next two for validation and test\n"
        text += f"- licence: {entry.licence}; cite: {', '.join(entry.citation)}\n- SHA-256: `{file['sha256']}`\n"
    return text


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--workers", type=int, default=1)
    chosen = parser.parse_args()
    for name in chosen.names:
        bundle(CATALOGUE[name], chosen.workers)
    for entry in CATALOGUE.values():
        describe(entry)
    checksums = json.loads((paths.data() / "checksums.json").read_text())
    (paths.data() / "README.md").write_text(readme(checksums))
