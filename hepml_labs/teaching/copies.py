"""The reader's own copies of the labs, which are never overwritten."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

from hepml_labs.teaching.student import find_notebooks, reader_text

_MANIFEST = ".hepml_labs.json"


@dataclass
class Copies:
    """What `copy_labs` did.

    Parameters
    ----------
    folder : pathlib.Path
        Where the copies are.
    new, kept, newer : list of str
        Labs copied now, labs that were there already, and those among them that have a newer version upstream.
    """

    folder: Path
    new: list = field(default_factory=list)
    kept: list = field(default_factory=list)
    newer: list = field(default_factory=list)


def copy_labs(source, directory, solutions=False):
    """Copy the labs that are not there yet.

    Parameters
    ----------
    source : pathlib.Path
        Folder of the full notebooks.
    directory : pathlib.Path
        The reader's folder. Student versions go to `exercises/`, full ones to `solutions/` in it.
    solutions : bool
        Whether to copy the full versions in the place of the student versions.

    Returns
    -------
    Copies
        A file that exists is kept as it is, whatever it holds.
    """
    folder = Path(directory) / ("solutions" if solutions else "exercises")
    folder.mkdir(parents=True, exist_ok=True)
    copies, copied_from = Copies(folder), _read_manifest(folder)
    for file, relative in find_notebooks([Path(source)]):
        name, target = relative.as_posix(), folder / relative
        text = reader_text(file, solutions)
        version = hashlib.sha256(text.encode()).hexdigest()
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with open(target, "x", encoding="utf-8") as handle:  # "x": fails where the file exists
                handle.write(text)
        except FileExistsError:
            copies.kept.append(name)
            if copied_from.get(name, version) != version:
                copies.newer.append(name)
            continue
        copies.new.append(name)
        copied_from[name] = version
    (folder / _MANIFEST).write_text(json.dumps(copied_from, indent=1, sort_keys=True), encoding="utf-8")
    return copies


def _read_manifest(folder):
    """Read which version each copy was made from; empty when the list is missing or damaged."""
    try:
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return manifest if isinstance(manifest, dict) else {}
