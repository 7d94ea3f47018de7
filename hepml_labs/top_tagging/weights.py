"""Trained weights of the taggers: files that say how they were made.

A file ``data/weights/top_tagging/<name>-<jets>-<seed>.safetensors`` has a header of texts: the command that made it,
the seed, the CPU time, the number of jets and epochs, the versions of the packages, and what it reaches on test jets.
``hepml train top_tagging`` writes such files.
"""

import os
import re
from pathlib import Path
from typing import NamedTuple

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from hepml_labs import paths
from hepml_labs.datasets import store
from hepml_labs.top_tagging.taggers import TAGGERS, Tagger

__all__ = ["Weights", "load_tagger", "read_facts", "rounded", "save_tagger", "shipped"]

FOLDER = "weights/top_tagging"  # within data/


class Weights(NamedTuple):
    """A file of weights: name of the tagger, number of training jets, seed, and where it is."""

    name: str
    jets: int
    seed: int
    path: Path

    @property
    def key(self):
        """Name of the file without its ending, such as ``"pfn-15000-0"``."""
        return f"{self.name}-{self.jets}-{self.seed}"


def rounded(state):
    """Round matrices and kernels to 16 bits, which is far below what training leaves open; keep the rest as it is.

    Vectors (biases, scales and running statistics of normalisations) are few, and small errors in them are common to
    all jets.

    Parameters
    ----------
    state : dict of str to tensor
        A ``state_dict``.

    Returns
    -------
    dict of str to tensor

    Examples
    --------
    >>> import torch
    >>> {name: str(value.dtype) for name, value in rounded(torch.nn.Linear(2, 2).state_dict()).items()}
    {'weight': 'torch.float16', 'bias': 'torch.float32'}
    """
    return {
        name: value.half() if value.is_floating_point() and value.ndim > 1 else value for name, value in state.items()
    }


def save_tagger(path, tagger, facts, half=False):
    """Write the weights of a tagger to a safetensors file, with what is known about them in its header.

    Parameters
    ----------
    path : path
        The file, replaced as a whole once the new one is complete.
    tagger : Tagger
    facts : dict
        Written as texts.
    half : bool
        Store matrices in 16 bits, see `rounded`: half the size.

    Raises
    ------
    ValueError
        If a weight is not finite (in 16 bits).

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_tagger(f"{folder}/pfn-10-0.safetensors", Tagger("pfn"), {"jets": 10})
    ...     read_facts(f"{folder}/pfn-10-0.safetensors")["jets"]
    '10'
    """
    state = {name: value.detach().cpu().contiguous() for name, value in tagger.network.state_dict().items()}
    state = rounded(state) if half else state
    for name, value in state.items():
        if not value.isfinite().all():
            raise ValueError(f"tagger: found NaN or infinite numbers in the weights {name!r}, expected none")
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        save_file(state, partial, metadata={"name": tagger.name, **{name: str(fact) for name, fact in facts.items()}})
        partial.chmod(0o644)  # save_file lets nobody else read it
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def read_facts(path):
    """Return the header of a file of weights.

    Parameters
    ----------
    path : path

    Returns
    -------
    dict of str to str

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    hepml_labs.datasets.store.DamagedFile
        If it is not a file of weights of ours, or cut off.
    """
    return _open(path, tensors=False)[0]


def load_tagger(tagger, jets=None, seed=0, folder=None):
    """Build a tagger and put trained weights into it.

    Parameters
    ----------
    tagger : str or path
        A key of `TAGGERS`, for weights that ship with the project; or a file that `save_tagger` wrote.
    jets : int, optional
        Number of training jets; the largest that there is by default. For shipped weights only.
    seed : int
        For shipped weights only.
    folder : path, optional
        Another folder than the project's ``data/``.

    Returns
    -------
    Tagger
        On the CPU, in evaluation mode.

    Raises
    ------
    ValueError
        If the name is not known, or the weights belong to another network.
    FileNotFoundError
        If there are no such weights; the message lists those that there are.
    hepml_labs.datasets.store.DamagedFile
        If the file is cut off or changed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_tagger(f"{folder}/mine.safetensors", Tagger("pfn"), {})
    ...     load_tagger(f"{folder}/mine.safetensors").name
    'pfn'
    """
    path = Path(tagger)
    if path.suffix != ".safetensors":
        path = _find(str(tagger), jets, seed, folder)
    facts, state = _open(path)
    found = Tagger(facts["name"])
    try:
        found.network.load_state_dict(state)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise ValueError(
            f"tagger: the weights in {path} are not those of a {found.name!r} of today: {reason}"
        ) from error
    return found.eval()


def _find(name, jets, seed, folder):
    if name not in TAGGERS:
        raise ValueError(f"tagger: found {name!r}, expected one of {', '.join(TAGGERS)}, or a .safetensors file")
    there = [weights for weights in shipped(folder) if weights.name == name]
    fits = [weights for weights in there if weights.seed == seed and jets in (None, weights.jets)]
    if not fits:
        known = ", ".join(f"jets={weights.jets} seed={weights.seed}" for weights in there) or "none"
        raise FileNotFoundError(f"no weights of {name!r} with jets={jets} seed={seed}; there are: {known}")
    return max(fits, key=lambda weights: weights.jets).path


def _open(path, tensors=True):
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: there is no such file of weights")
    try:
        with safe_open(path, framework="pt") as file:
            facts = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()} if tensors else {}
    except (SafetensorError, OSError) as error:
        raise store.DamagedFile(
            f"{path} is no file of weights, or cut off ({error}). Files of the project come back with `git checkout`."
        ) from error
    if "name" not in facts:
        raise store.DamagedFile(f"{path} was not written by save_tagger: its header does not name a tagger")
    return facts, state


def shipped(folder=None):
    """Return the weights that ship with the project.

    Parameters
    ----------
    folder : path, optional
        Another folder than the project's ``data/``.

    Returns
    -------
    list of Weights
        In order of the taggers in `TAGGERS`, the training jets, and the seeds.

    Examples
    --------
    >>> all(weights.name in TAGGERS for weights in shipped())
    True
    """
    found = []
    for path in (Path(folder or paths.data()) / FOLDER).glob("*.safetensors"):
        match = re.fullmatch(r"(.+)-(\d+)-(\d+)", path.stem)
        if match and match[1] in TAGGERS:
            found.append(Weights(match[1], int(match[2]), int(match[3]), path))
    names = list(TAGGERS)
    return sorted(found, key=lambda weights: (names.index(weights.name), weights.jets, weights.seed))
