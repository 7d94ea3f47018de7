"""`hepml data`: list, verify, describe, generate and fetch data sets."""

import argparse
import json

from hepml_labs import paths
from hepml_labs.datasets import store
from hepml_labs.datasets.catalogue import CATALOGUE
from hepml_labs.datasets.entry import SPLITS
from hepml_labs.datasets.public import PUBLIC, fetch
from hepml_labs.datasets.public.checks import is_verified


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
    commands.add_parser("verify", help="recompute the checksums of bundled and of fetched files")
    card = commands.add_parser("card", help="print what is known about a data set")
    card.add_argument("name", choices=sorted({*CATALOGUE, *PUBLIC}))
    generate = commands.add_parser("generate", help="make a sample with the recipe of a data set")
    generate.add_argument("name", choices=sorted(CATALOGUE))
    generate.add_argument("--n", type=int, required=True, help="number of samples")
    generate.add_argument("--split", choices=SPLITS, default="train", help="chooses the seed")
    generate.add_argument("--seed", type=int, help="another seed")
    generate.add_argument("--workers", type=int, default=1, help="processes (default: 1)")
    generate.add_argument("--scheduler", help="address of a Dask scheduler whose workers do the work")
    public = commands.add_parser("fetch", help="download a published data set, or go on with an interrupted download")
    public.add_argument("name", choices=sorted(PUBLIC))
    public.add_argument("--split", choices=SPLITS, help="one split (default: all)")
    public.add_argument("--full", action="store_true", help="all files; else those that load() reads by default")
    public.add_argument("--files", nargs="+", metavar="FILE", help="these files only, such as one part of JetClass")
    chosen = parser.parse_args(arguments)
    if chosen.command == "list":
        return _list()
    if chosen.command == "verify":
        return _verify()
    if chosen.command == "card":
        return _card(CATALOGUE.get(chosen.name), PUBLIC.get(chosen.name))
    if chosen.command == "fetch":
        return _fetch(chosen)
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


def downloads():
    """Return whether each file that was fetched is still the published one, by its path.

    Returns
    -------
    dict of pathlib.Path to bool

    Examples
    --------
    >>> all(downloads().values())
    True
    """
    files = {
        paths.home() / "public" / source.name / file.name: file
        for source in PUBLIC.values()
        for file in source.all_files()
    }
    return {
        path: is_verified(path, size=file.size, md5=file.md5, sha256=file.sha256, again=True)
        for path, file in files.items()
        if path.exists()
    }


def _list():
    print("Bundled, and generated on demand (`hepml data generate`):")
    for entry in CATALOGUE.values():
        sizes = ", ".join(f"{size:,} {split}" for split, size in entry.sizes.items())
        print(f"  {entry.name:24s} {entry.title} ({sizes})")
    print("Published, downloaded on demand (`hepml data fetch`):")
    for source in PUBLIC.values():
        print(f"  {source.name:24s} {source.title}")
    return 0


def _verify():
    bad = damaged()
    for name, expected in checksums().items():
        print(f"{'DAMAGED' if name in bad else 'good':8s} {name} ({expected['bytes'] / 1e6:.1f} MB)")
    if bad:
        print("Bring damaged files back with `git checkout data/` or by installing the package again.")
    fetched = downloads()
    for path, good in fetched.items():
        print(f"{'good' if good else 'DAMAGED':8s} {path}")
    if not all(fetched.values()):
        print("Bring damaged downloads back with `hepml data fetch`.")
    return 1 if bad or not all(fetched.values()) else 0


def _card(entry, source):
    if entry:
        print(f"{entry.title} ({entry.name})\n{entry.description}")
        for name, meaning in entry.columns.items():
            print(f"  {name}: {meaning}")
        print(f"generator: {entry.generator}\nsettings: {entry.settings}\nseed: {entry.seed}\nlicence: {entry.licence}")
    if source:
        print(f"published: {source.title}, {source.homepage}\n{source.description}\nsplits: {source.splits}")
        print(f"generator: {source.generator}\nlicence: {source.licence}")
    return 0


def _fetch(chosen):
    try:
        found = fetch(chosen.name, chosen.split, full=chosen.full, files=chosen.files)
    except KeyboardInterrupt:
        print("Stopped. What has arrived is kept: the same command goes on from there.")
        return 130
    print("\n".join(str(path) for path in found))
    return 0


def _generate(chosen):
    from hepml_labs.datasets.dataset import load

    how = {"n": chosen.n, "seed": chosen.seed, "workers": chosen.workers, "scheduler": chosen.scheduler}
    try:
        data = load(chosen.name, chosen.split, source="generated", **how)
    except KeyboardInterrupt:
        print("Stopped. Finished chunks are kept: the same command goes on from there.")
        return 130
    print(f"{data}\ncached in {paths.home() / 'generated'}")
    return 0
