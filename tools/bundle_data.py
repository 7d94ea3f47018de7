"""Make the bundled samples of `data/` again, with their checksums and their README.

Run with ``python tools/bundle_data.py [NAME ...]``; without names only the README is written.
"""

import json
import sys

from hepml_labs import paths
from hepml_labs.datasets import CATALOGUE, store
from hepml_labs.datasets.catalogue import SPLITS

HEADER = """# Bundled samples

Written by `python tools/bundle_data.py` from the cards in `hepml_labs/datasets/catalogue.py`; do not edit.
`hepml data verify` recomputes the checksums, `hepml data card NAME` prints a card, and
`hepml_labs.datasets.load(NAME, split=...)` loads a sample. The files are HDF5 with one group for each split.
"""


def bundle(entry):
    """Generate all splits of an entry and write its file and checksum."""
    splits = {split: entry.pack(entry.generate(entry.sizes[split], split)) for split in SPLITS}
    path = paths.data() / f"{entry.name}.h5"
    store.write(path, entry.card(), splits)
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
        text += f"\n- samples: {sizes}; {file['bytes'] / 1e6:.1f} MB\n- made by: {entry.generator}\n"
        text += f"- recipe: `{entry.recipe}.generate` with {entry.settings or 'its defaults'}; seed {entry.seed}"
        text += ", and the next two for validation and test\n"
        text += f"- licence: {entry.licence}; cite: {', '.join(entry.citation)}\n- SHA-256: `{file['sha256']}`\n"
    return text


if __name__ == "__main__":
    for name in sys.argv[1:]:
        bundle(CATALOGUE[name])
    checksums = json.loads((paths.data() / "checksums.json").read_text())
    (paths.data() / "README.md").write_text(readme(checksums))
