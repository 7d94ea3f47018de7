"""`hepml data`: list, verify, print and generate data sets."""

import argparse
import json

from hepml_labs import paths
from hepml_labs.datasets import store
from hepml_labs.datasets.catalogue import CATALOGUE, SPLITS


def main(arguments=None):
    """Run ``hepml data`` with a list of arguments and return the exit code.

    Examples
    --------
    >>> main(["card", "gluons_3g"])
    Tree-level amplitudes of gg to 3 gluons (gluons_3g)
    ...
    0
    """
    parser = argparse.ArgumentParser(prog="hepml data", description="The data sets of HEPML Labs.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="print the catalogue")
    commands.add_parser("verify", help="recompute the checksums of the bundled files")
    card = commands.add_parser("card", help="print what is known about a data set")
    card.add_argument("name", choices=sorted(CATALOGUE))
    generate = commands.add_parser("generate", help="make a sample with the recipe of a data set")
    generate.add_argument("name", choices=sorted(CATALOGUE))
    generate.add_argument("--n", type=int, required=True, help="number of samples")
    generate.add_argument("--split", choices=SPLITS, default="train", help="chooses the seed")
    generate.add_argument("--seed", type=int, help="another seed")
    chosen = parser.parse_args(arguments)
    if chosen.command == "list":
        return _list()
    if chosen.command == "verify":
        return _verify()
    if chosen.command == "card":
        return _card(CATALOGUE[chosen.name])
    return _generate(chosen)


def checksums():
    """Return the SHA-256 checksum and size in bytes of each bundled file, as recorded when it was made.

    Returns
    -------
    dict of str to dict

    Examples
    --------
    >>> sorted(checksums()["gluons_3g.h5"])
    ['bytes', 'sha256']
    """
    return json.loads((paths.data() / "checksums.json").read_text())


def damaged():
    """Return the names of bundled files that are missing or differ from their checksum.

    Returns
    -------
    list of str

    Examples
    --------
    >>> damaged()
    []
    """
    folder = paths.data()
    bad = []
    for name, expected in checksums().items():
        path = folder / name
        if not path.exists() or store.sha256(path) != expected["sha256"]:
            bad.append(name)
    return bad


def _list():
    for entry in CATALOGUE.values():
        sizes = ", ".join(f"{size:,} {split}" for split, size in entry.sizes.items())
        print(f"{entry.name:24s} {entry.title} ({sizes})")
    return 0


def _verify():
    bad = damaged()
    for name, expected in checksums().items():
        print(f"{'DAMAGED' if name in bad else 'good':8s} {name} ({expected['bytes'] / 1e6:.1f} MB)")
    if bad:
        print("Bring damaged files back with `git checkout data/` or by installing the package again.")
    return 1 if bad else 0


def _card(entry):
    print(f"{entry.title} ({entry.name})\n{entry.description}")
    for name, meaning in entry.columns.items():
        print(f"  {name}: {meaning}")
    print(f"generator: {entry.generator}\nsettings: {entry.settings}\nseed: {entry.seed}\nlicence: {entry.licence}")
    return 0


def _generate(chosen):
    from hepml_labs.datasets.dataset import load

    data = load(chosen.name, chosen.split, source="generated", n=chosen.n, seed=chosen.seed)
    print(f"{data}\ncached in {paths.home() / 'generated'}")
    return 0
