"""Generators of Z + jets events that were trained beforehand: ``data/weights/diffusion/events-<jets>.safetensors``.

The header of a file says by which command, on how many events and in what time it was made, and what it reaches.
``python benchmarks/collider_events.py --output FILE`` writes such files.
"""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from hepml_labs import paths
from hepml_labs.diffusion.event_coordinates import names
from hepml_labs.diffusion.event_map import event_map
from hepml_labs.diffusion.flow_matching import FlowMatching
from hepml_labs.flows.scalers import Standardize
from hepml_labs.flows.transforms import Chain
from hepml_labs.nn import TimeMLP
from hepml_labs.validation import check_count

__all__ = ["load_generator", "read_facts", "save_generator", "weights_path"]


def weights_path(jets):
    """Path of the weights that come with the project.

    Parameters
    ----------
    jets : int
        Number of jets.

    Returns
    -------
    pathlib.Path

    Examples
    --------
    >>> weights_path(2).name
    'events-2.safetensors'
    """
    return Path(paths.data()) / "weights" / "diffusion" / f"events-{jets}.safetensors"


def save_generator(path, generator, facts):
    """Write a trained generator of events: matrices in 16 bits, and what is known about it in the header.

    Parameters
    ----------
    path : path
    generator : FlowMatching
        Trained on `coordinates` with the scaler `event_map`.
    facts : dict
        Written as texts.

    Raises
    ------
    ValueError
        If a weight is not finite in 16 bits.
    """
    state = {
        name: value.half() if value.ndim > 1 else value for name, value in generator.network.cpu().state_dict().items()
    }
    for name, value in state.items():
        if not value.isfinite().all():
            raise ValueError(f"generator: found NaN or infinite numbers in the weights {name!r}, expected none")
    standardize = generator.scaler_.transforms[-1]
    state |= {"mean": standardize.mean, "scale": standardize.scale}
    jets = (generator.n_features_in_ - 5) // 4
    settings = json.dumps({"jets": jets, "hidden": generator.hidden, "frequencies": generator.frequencies})
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    facts = {name: str(fact) for name, fact in facts.items()}
    save_file({name: value.contiguous() for name, value in state.items()}, path, {"settings": settings, **facts})
    Path(path).chmod(0o644)  # save_file lets nobody else read it


def _open(path):
    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata(), {name: file.get_tensor(name) for name in file.keys()}
    except SafetensorError as error:
        raise ValueError(
            f"path: found a damaged file {path} ({error}), expected weights of `save_generator`"
        ) from error


def read_facts(path):
    """Header of a file of weights: how it was made, and what it reaches.

    Parameters
    ----------
    path : path

    Returns
    -------
    dict of str to str

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    return _open(path)[0]


def load_generator(jets=2, path=None):
    """Build a generator of Z + jets events with trained weights.

    Parameters
    ----------
    jets : int
        2, for the weights that come with the project.
    path : path, optional
        Another file, of `save_generator`.

    Returns
    -------
    FlowMatching
        Its ``sample`` returns coordinates; `momenta` makes four-momenta of them.

    Raises
    ------
    FileNotFoundError
        If there are no weights for so many jets.
    ValueError
        If the file is damaged.
    """
    check_count("jets", jets)
    path = weights_path(jets) if path is None else Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"found no file {path}; python benchmarks/collider_events.py --output FILE writes one")
    facts, state = _open(path)
    settings = json.loads(facts["settings"])
    jets, hidden, frequencies = settings["jets"], tuple(settings["hidden"]), settings["frequencies"]
    generator = FlowMatching(scaler=event_map(jets), hidden=hidden, frequencies=frequencies)
    generator.scaler_ = Chain([generator.scaler, Standardize(state.pop("mean"), state.pop("scale"))])
    generator.context_scaler_, generator.type_ = None, np.dtype(np.float64)
    generator.n_features_in_, generator.n_context_ = len(names(jets)), 0
    with torch.random.fork_rng(devices=[]):
        generator.network = TimeMLP(generator.n_features_in_, 0, hidden, frequencies)
    generator.network.load_state_dict({name: value.float() for name, value in state.items()})
    return generator
