"""Write and read the state of a training as one safetensors file: tensors and JSON, never a pickle."""

import json
import os
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file


def save_checkpoint(path, model, optimizer, history, best_state=None):
    """Write weights, optimiser state and history to one file; a reader never sees half of it.

    Parameters
    ----------
    path : path
        The file, replaced as a whole once the new one is complete.
    model : torch.nn.Module
        Its ``state_dict`` is saved.
    optimizer : torch.optim.Optimizer
        Its ``state_dict`` is saved: tensors as tensors, everything else as JSON.
    history : dict
        Anything that JSON can hold.
    best_state : dict of str to torch.Tensor, optional
        The best weights so far.

    Examples
    --------
    >>> import tempfile
    >>> model = torch.nn.Linear(2, 1)
    >>> optimizer = torch.optim.Adam(model.parameters())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_checkpoint(f"{folder}/run.safetensors", model, optimizer, {"steps": 7})
    ...     load_checkpoint(f"{folder}/run.safetensors", model, optimizer)
    ({'steps': 7}, None)
    """
    state = optimizer.state_dict()
    tensors = {f"model.{k}": v for k, v in model.state_dict().items()}
    tensors |= {f"best.{k}": v for k, v in (best_state or {}).items()}
    scalars = {}
    for index, entries in state["state"].items():
        for key, value in entries.items():
            if isinstance(value, torch.Tensor):
                tensors[f"optimizer.{index}.{key}"] = value
            else:
                scalars[f"{index}.{key}"] = value
    header = {
        "history": json.dumps(history),
        "groups": json.dumps(state["param_groups"]),
        "scalars": json.dumps(scalars),
    }
    # clones, because safetensors refuses tensors that share memory
    tensors = {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    save_file(tensors, partial, metadata=header)
    os.replace(partial, path)


def load_checkpoint(path, model, optimizer):
    """Put a saved state back into a model and its optimiser.

    Parameters
    ----------
    path : path
        A file written by :func:`save_checkpoint`.
    model, optimizer
        Built as they were when the file was written; changed in place.

    Returns
    -------
    history : dict
        As given to :func:`save_checkpoint`.
    best_state : dict of str to torch.Tensor or None
        The best weights so far.

    Raises
    ------
    ValueError
        If the file is not a checkpoint, or belongs to another model.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata()
            tensors = {key: file.get_tensor(key) for key in file.keys()}
        history = json.loads(header["history"])
        groups, scalars = json.loads(header["groups"]), json.loads(header["scalars"])
        model.load_state_dict(_with_prefix("model.", tensors))
    except Exception as error:
        raise ValueError(
            f"checkpoint: {path} is not a checkpoint of this model ({error}); delete it to start afresh"
        ) from error
    state = {}
    for key, value in (_with_prefix("optimizer.", tensors) | scalars).items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    return history, _with_prefix("best.", tensors) or None


def _with_prefix(prefix, tensors):
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
