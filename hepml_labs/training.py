"""The one training loop of the project, over Lightning Fabric."""

import math
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from lightning_fabric import Fabric
from tqdm.auto import tqdm

from hepml_labs.checkpoint import load_checkpoint, save_checkpoint
from hepml_labs.settings import scale
from hepml_labs.validation import check_count

SMOKE_STEPS = 3

SCHEDULES = {
    None: lambda progress: 1.0,
    "cosine": lambda progress: 0.5 * (1 + math.cos(math.pi * progress)),
    # a linear rise over the first 30 % of the steps, then half a cosine down to zero
    "one-cycle": lambda progress: (
        progress / 0.3 if progress < 0.3 else 0.5 * (1 + math.cos(math.pi * (progress - 0.3) / 0.7))
    ),
}


@dataclass
class History:
    """What happened in a training, one entry per epoch.

    Attributes
    ----------
    train_loss, validation_loss : list of float
        Mean losses. The validation list is empty when no validation set was given.
    learning_rate : list of float
        Learning rate at the end of each epoch.
    seconds : list of float
        Wall-clock time of each epoch.
    steps : int
        Optimisation steps taken in all.
    best_epoch : int or None
        Epoch (counted from zero) with the lowest validation loss.
    """

    train_loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    steps: int = 0
    best_epoch: int | None = None

    def __repr__(self):
        return f"History({_summary(self, '')})" if self.train_loss else "History()"


def _check_tensors(name, tensors):
    """Return the common length of a tuple of tensors, or say which of them cannot be trained on."""
    if not isinstance(tensors, tuple | list) or not tensors:
        raise ValueError(f"{name}: found {type(tensors).__name__}, expected a non-empty tuple of tensors")
    for i, tensor in enumerate(tensors):
        if not isinstance(tensor, torch.Tensor):
            raise ValueError(f"{name}[{i}]: found {type(tensor).__name__}, expected a torch.Tensor")
        if tensor.ndim == 0 or len(tensor) != len(tensors[0]) or len(tensor) == 0:
            lengths = [tuple(t.shape) for t in tensors]
            raise ValueError(f"{name}: found shapes {lengths}, expected one equal first dimension above zero")
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            bad = (~torch.isfinite(tensor)).sum().item()
            raise ValueError(f"{name}[{i}]: {bad} of {tensor.numel()} values are NaN or infinite")
    return len(tensors[0])


def _mean_loss(model, loss, tensors, batch_size):
    model.eval()
    total, n = 0.0, len(tensors[0])
    with torch.no_grad():
        for start in range(0, n, batch_size):
            batch = [tensor[start : start + batch_size] for tensor in tensors]
            total = total + loss(model, *batch) * len(batch[0])
    return float(total) / n


def fit(
    model,
    loss,
    train,
    validation=None,
    *,
    epochs,
    batch_size=256,
    validation_batch_size=4096,
    learning_rate=1e-3,
    weight_decay=0.0,
    optimizer=None,
    schedule="cosine",
    patience=None,
    gradient_clip=None,
    precision="32-true",
    fabric=None,
    seed=0,
    checkpoint=None,
    progress=True,
    label="",
):
    """Train a model on tensors that fit in memory, on a GPU when there is one.

    The tensors move to the device once and are shuffled and cut into batches there, without a Python call per
    sample: for small networks that is most of the time. The model is trained in place.

    Parameters
    ----------
    model : torch.nn.Module
        The model. It ends on the device that it was trained on, with the best weights if there is a
        `validation` set.
    loss : callable
        ``loss(model, *batch)`` returns a scalar tensor, the mean over the batch.
    train, validation : tuple of torch.Tensor
        Tensors with one equal first dimension. With several batches, a last one that is not full is left out
        of that epoch (the samples in it change with every shuffle).
    epochs : int
        Passes over the training set. At ``HEPML_SCALE=smoke`` the training stops after three steps.
    batch_size : int
        Samples per step, over all devices together.
    validation_batch_size : int
        Samples at a time on the validation set; fewer where a network needs much memory for each.
    learning_rate, weight_decay : float
        Passed to AdamW, unless `optimizer` is given.
    optimizer : callable, optional
        ``optimizer(parameters)`` returns a torch optimizer.
    schedule : {"cosine", "one-cycle", None}
        Factor on the learning rate over the whole training.
    patience : int, optional
        Stop after so many epochs without a lower validation loss.
    gradient_clip : float, optional
        Largest norm of the gradient.
    precision : str
        Lightning Fabric's name: "32-true", "64-true", "16-mixed", "bf16-mixed".
    fabric : lightning_fabric.Fabric, optional
        A launched Fabric, for several devices or nodes. By default one GPU, or the CPU where there is none.
    seed : int
        Fixes the order of the batches and the noise of dropout and Bayesian layers.
        Two runs on one machine agree.
    checkpoint : path, optional
        A file, written after each epoch. If it exists the training goes on from there and ends where an
        unbroken one would have ended.
    progress : bool
        Show a progress bar (never where ``HEPML_PROGRESS=0``) and print one line at the end.
    label : str
        Name of the training in that line.

    Returns
    -------
    History
        Losses, learning rates and times.

    Raises
    ------
    ValueError
        If the tensors are empty, not finite or of different lengths, or an option is out of range.
    FloatingPointError
        If the loss becomes NaN or infinite.

    Examples
    --------
    >>> x = torch.linspace(-1, 1, 64)[:, None]
    >>> line = torch.nn.Linear(1, 1)
    >>> mse = lambda model, x, y: ((model(x) - y) ** 2).mean()
    >>> train = (x, 2 * x + 1)
    >>> history = fit(line, mse, train, epochs=200, batch_size=16, learning_rate=0.05, progress=False)
    >>> round(line.weight.item(), 3), round(line.bias.item(), 3)
    (2.0, 1.0)
    """
    n = _check_tensors("train", train)
    if validation is not None:
        _check_tensors("validation", validation)
    for name, value in [
        ("epochs", epochs),
        ("batch_size", batch_size),
        ("validation_batch_size", validation_batch_size),
    ]:
        check_count(name, value)
    if schedule not in SCHEDULES:
        raise ValueError(f"schedule: found {schedule!r}, expected one of {list(SCHEDULES)}")
    if patience is not None and validation is None:
        raise ValueError("patience: early stopping needs a validation set")

    # on one device in full precision there is nothing for Fabric to wrap, and its wrappers cost a fifth of a small step
    bare = fabric is None and precision == "32-true"
    if fabric is None:
        accelerator = "cuda" if torch.cuda.is_available() else "cpu"
        fabric = Fabric(accelerator=accelerator, devices=1, precision=precision)
    elif batch_size % fabric.world_size:
        raise ValueError(f"batch_size: {batch_size} is not a multiple of the {fabric.world_size} devices")
    model.to(fabric.device)
    if optimizer is None:
        optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=weight_decay, fused=True)
    else:
        optimizer = optimizer(model.parameters())
    base_rates = [group["lr"] for group in optimizer.param_groups]
    wrapped = model
    if not bare:
        wrapped, optimizer = fabric.setup(model, optimizer)
    train = [fabric.to_device(tensor) for tensor in train]
    validation = validation and [fabric.to_device(tensor) for tensor in validation]

    batch_size = min(batch_size, n // fabric.world_size * fabric.world_size)
    share = batch_size // fabric.world_size
    batches = n // batch_size
    total_steps = epochs * batches
    if scale() == "smoke":
        total_steps = min(total_steps, SMOKE_STEPS)
    history, best_state = History(), None
    if checkpoint is not None and Path(checkpoint).exists():
        past, best_state = load_checkpoint(checkpoint, model, optimizer)
        history = History(**past)

    quiet = not progress or fabric.global_rank > 0
    bar = tqdm(
        total=total_steps,
        initial=history.steps,
        desc=label,
        unit="step",
        leave=False,
        mininterval=0.5,
        disable=quiet or os.environ.get("HEPML_PROGRESS") == "0",
    )
    devices = [fabric.device] if fabric.device.type == "cuda" else []
    with bar, torch.random.fork_rng(devices=devices):
        while history.steps < total_steps and not _has_stalled(history, patience):
            epoch, start = len(history.train_loss), time.perf_counter()
            # seeds depend on the epoch only, so that a resumed training sees the same shuffles and noise
            shuffle = torch.Generator().manual_seed(1_000_003 * seed + epoch)
            order = fabric.to_device(torch.randperm(n, generator=shuffle))
            torch.manual_seed(1_000_003 * seed + epoch + 7919 * fabric.global_rank)
            shuffled = [tensor[order] for tensor in train]
            steps = min(batches, total_steps - history.steps)
            wrapped.train()
            total = 0.0
            for step in range(steps):
                factor = SCHEDULES[schedule](history.steps / total_steps)
                for group, rate in zip(optimizer.param_groups, base_rates, strict=True):
                    group["lr"] = rate * factor
                first = step * batch_size + fabric.global_rank * share
                value = loss(wrapped, *[tensor[first : first + share] for tensor in shuffled])
                optimizer.zero_grad()
                if bare:
                    value.backward()
                else:
                    fabric.backward(value)
                if gradient_clip is not None and bare:
                    torch.nn.utils.clip_grad_norm_(model.parameters(), gradient_clip)
                elif gradient_clip is not None:
                    fabric.clip_gradients(wrapped, optimizer, max_norm=gradient_clip)
                optimizer.step()
                total = total + value.detach()
                history.steps += 1
                bar.update()
            history.train_loss.append(float(fabric.all_reduce(total)) / steps)
            history.learning_rate.append(optimizer.param_groups[0]["lr"])
            if not math.isfinite(history.train_loss[-1]):
                raise FloatingPointError(
                    f"the training loss became {history.train_loss[-1]} in epoch {epoch}: "
                    "try a lower learning rate, gradient_clip, or look for extreme inputs"
                )
            if validation:
                history.validation_loss.append(_mean_loss(wrapped, loss, validation, validation_batch_size))
                if history.validation_loss[-1] == min(history.validation_loss):
                    history.best_epoch = epoch
                    best_state = {k: v.detach().clone() for k, v in model.state_dict().items()}
            history.seconds.append(time.perf_counter() - start)
            if checkpoint is not None and fabric.global_rank == 0:
                save_checkpoint(checkpoint, model, optimizer, asdict(history), best_state)
            fabric.barrier()

    if best_state is not None:
        model.load_state_dict(best_state)
    if not quiet:
        print(_summary(history, label))
    return history


def _has_stalled(history, patience):
    if patience is None or history.best_epoch is None:
        return False
    return len(history.validation_loss) - 1 - history.best_epoch >= patience


def _summary(history, label):
    text = f"{label or 'training'}: {len(history.train_loss)} epochs, {history.steps} steps, "
    text += f"{sum(history.seconds):.1f} s, training loss {history.train_loss[-1]:.4g}"
    if history.best_epoch is not None:
        lowest = history.validation_loss[history.best_epoch]
        text += f", best validation loss {lowest:.4g} (epoch {history.best_epoch + 1})"
    return text


def predict(model, *inputs, batch_size=8192):
    """Evaluate a model on large inputs, batch by batch, without gradients.

    Parameters
    ----------
    model : torch.nn.Module
        Called as ``model(*batch)`` in evaluation mode, on the device of its parameters; its mode is put back.
    *inputs : torch.Tensor
        Tensors with one equal first dimension, on any device.
    batch_size : int
        Samples per call.

    Returns
    -------
    torch.Tensor or tuple of torch.Tensor
        The model's output for all samples, on the CPU.

    Raises
    ------
    ValueError
        If the inputs are empty, not finite or of different lengths.

    Examples
    --------
    >>> predict(torch.nn.Linear(3, 2), torch.zeros(10, 3)).shape
    torch.Size([10, 2])
    """
    n = _check_tensors("inputs", inputs)
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    was_training = model.training
    model.eval()
    outputs = []
    with torch.no_grad():
        for start in range(0, n, batch_size):
            batch = [tensor[start : start + batch_size].to(device) for tensor in inputs]
            outputs.append(model(*batch))
    model.train(was_training)
    if isinstance(outputs[0], tuple):
        return tuple(torch.cat(parts).cpu() for parts in zip(*outputs, strict=True))
    return torch.cat(outputs).cpu()
