"""The taggers of the chapter by name: what each one sees, how it is built, and how it is trained."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pkgutil import resolve_name

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from hepml_labs.top_tagging.augmentation import turned
from hepml_labs.top_tagging.images import jet_images
from hepml_labs.top_tagging.inputs import momentum_shares, particle_features, real_particles, relative_angles
from hepml_labs.training import fit, predict
from hepml_labs.validation import check_count

HERE = "hepml_labs.top_tagging"


def _images(momenta):
    return (jet_images(momenta),)


def _set(momenta):
    features, _, mask = particle_features(momenta)
    return features, mask


def _energy_flow(momenta):
    return momentum_shares(momenta), relative_angles(momenta), real_particles(momenta)


def _cloud(momenta):
    features, angles, mask = particle_features(momenta)
    return angles, features, mask


def _sequence(momenta):
    features, _, mask = particle_features(momenta)
    return features, momenta, mask


def _four_vectors(momenta):
    return momenta, real_particles(momenta)


def _turned_set(features, mask):
    return torch.cat([turned(features[..., :2]), features[..., 2:]], dim=-1), mask


def _turned_flow(shares, angles, mask):
    return shares, turned(angles), mask


@dataclass(frozen=True)
class Recipe:
    """How a tagger is made and trained.

    Attributes
    ----------
    network : str
        Where its class is, ``"module:name"``.
    arguments : dict
        What the class is called with.
    inputs : callable
        Maps padded constituents ``(n, particles, 4)`` in GeV to the tuple of tensors that the network takes.
    particles : int
        How many constituents it sees, the hardest first.
    settings : dict
        Keyword arguments of `hepml_labs.training.fit`.
    citation : str
        Key of the paper in the bibliography.
    augment : callable, optional
        Maps the inputs of a batch to other ones that are as likely, drawn anew at each step of the training.
    """

    network: str
    arguments: dict
    inputs: Callable
    particles: int
    settings: dict = field(default_factory=dict)
    citation: str = ""
    augment: Callable | None = None


_FAST = {"batch_size": 128, "schedule": "one-cycle", "weight_decay": 1e-4, "validation_batch_size": 256}

TAGGERS = {
    "cnn": Recipe(
        f"{HERE}.image_cnn:ImageCNN", {}, _images, 100,
        _FAST | {"epochs": 12, "learning_rate": 2e-3}, "macaluso2018pulling",
    ),
    "lola": Recipe(
        f"{HERE}.lola:LoLa", {}, _four_vectors, 40, _FAST | {"epochs": 30, "learning_rate": 2e-3}, "butter2017lola",
    ),
    "pfn": Recipe(
        f"{HERE}.particle_flow:ParticleFlowNetwork", {"inputs": 7}, _set, 100,
        _FAST | {"epochs": 60, "learning_rate": 4e-3, "weight_decay": 1e-2}, "komiske2018energyflow", _turned_set,
    ),
    "efn": Recipe(
        f"{HERE}.energy_flow:EnergyFlowNetwork", {}, _energy_flow, 100,
        _FAST | {"epochs": 60, "learning_rate": 4e-3, "weight_decay": 1e-2}, "komiske2018energyflow", _turned_flow,
    ),
    "particlenet": Recipe(
        f"{HERE}.particle_net:ParticleNet", {}, _cloud, 100,
        _FAST | {"epochs": 20, "learning_rate": 3e-3}, "qu2019particlenet",
    ),
    "particlenet-lite": Recipe(
        f"{HERE}.particle_net:ParticleNet.lite", {}, _cloud, 100,
        _FAST | {"epochs": 10, "learning_rate": 5e-3}, "qu2019particlenet",
    ),
    "part": Recipe(
        f"{HERE}.particle_transformer:ParticleTransformer", {}, _sequence, 100,
        _FAST | {"epochs": 20, "learning_rate": 1e-3}, "qu2022transformer",
    ),
    "part-small": Recipe(
        f"{HERE}.particle_transformer:ParticleTransformer",
        {"width": 48, "heads": 4, "layers": 2, "class_layers": 1, "pair_hidden": (16, 16)}, _sequence, 60,
        _FAST | {"epochs": 10, "learning_rate": 2e-3}, "qu2022transformer",
    ),
    "lorentznet": Recipe(
        f"{HERE}.lorentz_net:LorentzNet", {"beams": True}, _four_vectors, 100,
        _FAST | {"epochs": 35, "learning_rate": 1e-3, "weight_decay": 1e-2}, "gong2022lorentznet",
    ),
    "lorentznet-small": Recipe(
        f"{HERE}.lorentz_net:LorentzNet", {"beams": True, "width": 16, "layers": 3}, _four_vectors, 60,
        _FAST | {"epochs": 8, "learning_rate": 5e-3}, "gong2022lorentznet",
    ),
    "pelican": Recipe(
        f"{HERE}.pelican:Pelican", {"beams": True}, _four_vectors, 100,
        _FAST | {"epochs": 35, "learning_rate": 2.5e-3, "weight_decay": 5e-3}, "bogatskiy2022pelican",
    ),
    "pelican-small": Recipe(
        f"{HERE}.pelican:Pelican", {"beams": True, "width": 16, "layers": 4}, _four_vectors, 60,
        _FAST | {"epochs": 8, "learning_rate": 5e-3}, "bogatskiy2022pelican",
    ),
    "lgatr": Recipe(
        f"{HERE}.lgatr_tagger:LGATrTagger", {}, _four_vectors, 100,
        _FAST | {"epochs": 20, "learning_rate": 3e-4, "weight_decay": 0.1}, "brehmer2024lgatr",
    ),
    "lgatr-slim": Recipe(
        f"{HERE}.lgatr_tagger:LGATrTagger", {"channels": 16, "scalars": 32, "blocks": 2, "heads": 4, "slim": True},
        _four_vectors, 60, _FAST | {"epochs": 40, "learning_rate": 3e-3}, "brehmer2024lgatr",
    ),
}  # fmt: skip
"""Every tagger by its name; the names without an ending are the published sizes, the others were made smaller."""


class Tagger(nn.Module):
    """A network together with the inputs that it takes from a jet.

    Parameters
    ----------
    name : str
        A key of `TAGGERS`.

    Raises
    ------
    ValueError
        For a name that is not there.

    Examples
    --------
    >>> _ = torch.manual_seed(0)
    >>> jet = torch.tensor([[[5.0, 3.0, 4.0, 0.0], [15.0, 9.0, 12.0, 0.0]]])
    >>> Tagger("pfn").eval()(jet).shape
    torch.Size([1])
    """

    def __init__(self, name):
        super().__init__()
        if name not in TAGGERS:
            raise ValueError(f"name: found {name!r}, expected one of {', '.join(TAGGERS)}")
        self.name, self.recipe = name, TAGGERS[name]
        self.network = resolve_name(self.recipe.network)(**self.recipe.arguments)

    def inputs(self, momenta):
        """Return the tuple of tensors that the network takes, from constituents ``(n, particles, 4)`` in GeV."""
        return self.recipe.inputs(momenta[:, : self.recipe.particles])

    def forward(self, momenta):
        """Map constituents ``(n, particles, 4)`` in GeV to the logit of being a top jet, ``(n,)``."""
        return self.network(*self.inputs(momenta))[:, 0]

    def score(self, momenta, batch_size=256):
        """Evaluate without gradients, batch by batch.

        Parameters
        ----------
        momenta : array or tensor
            Shape ``(n, particles, 4)``, GeV, zeros for padding.
        batch_size : int
            Jets at a time.

        Returns
        -------
        array
            Shape ``(n,)``: the logits, numpy.
        """
        return predict(self, torch.as_tensor(momenta), batch_size=batch_size).numpy()


def logit_loss(network, *batch, augment=None):
    """Binary cross-entropy of a batch ``(*inputs, label)``, the label last; a scalar."""
    *inputs, label = batch
    if augment is not None and network.training:
        inputs = augment(*inputs)
    return binary_cross_entropy_with_logits(network(*inputs)[:, 0], label)


def train_tagger(
    name, train, validation, *, seed=0, jets=None, epochs=None, fabric=None, checkpoint=None, precision="32-true",
    progress=True,
):  # fmt: skip
    """Train one of `TAGGERS` by its recipe.

    Parameters
    ----------
    name : str
        A key of `TAGGERS`.
    train, validation : Dataset
        With columns ``constituents`` and ``is_top``; the weights with the best validation loss are kept. Of the
        validation jets no more are used than training jets: who has few jets has few for both.
    seed : int
        Of the initial weights, the order of the jets, and dropout.
    jets : int, optional
        Use only so many training jets, the first ones.
    epochs : int, optional
        Another number than the recipe's.
    fabric, checkpoint, precision, progress
        As in `hepml_labs.training.fit`.

    Returns
    -------
    tagger : Tagger
    history : hepml_labs.training.History

    Raises
    ------
    ValueError
        For an unknown name, or more jets than there are.

    Examples
    --------
    >>> from hepml_labs.datasets import load
    >>> train, validation = load("top_tagging", n=200), load("top_tagging", split="validation", n=100)
    >>> tagger, history = train_tagger("pfn", train, validation, epochs=1, progress=False)
    >>> len(history.train_loss)
    1
    """
    jets = len(train) if jets is None else jets
    check_count("jets", jets)
    if jets > len(train):
        raise ValueError(f"jets: found {jets}, expected at most the {len(train)} training jets")
    torch.manual_seed(seed)
    tagger = Tagger(name)
    settings = tagger.recipe.settings | ({} if epochs is None else {"epochs": epochs})
    history = fit(
        tagger.network,
        partial(logit_loss, augment=tagger.recipe.augment),
        _tensors(tagger, train, jets),
        _tensors(tagger, validation, min(jets, len(validation))),
        fabric=fabric,
        checkpoint=checkpoint,
        precision=precision,
        progress=progress,
        seed=seed,
        label=name,
        **settings,
    )
    return tagger, history


def _tensors(tagger, data, jets, chunk=2000):
    """Inputs of the network for the first `jets` of a sample, and their labels: made once, not at every step."""
    momenta = torch.as_tensor(data["constituents"][:jets])
    parts = zip(*(tagger.inputs(momenta[start : start + chunk]) for start in range(0, jets, chunk)), strict=True)
    label = torch.as_tensor(data["is_top"][:jets], dtype=torch.float32)
    return (*map(torch.cat, parts), label)
