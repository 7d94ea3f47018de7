"""Flavour taggers from impact parameters by hand to a transformer with auxiliary tasks, on the same jets.

Run with ``python benchmarks/flavour_tagging.py MODELS --jets 40000 --epochs 8 --seeds 0 1 2``. Models:

- ``likelihood``   product of the densities of the tracks' impact parameters, as IP3D;
- ``trees``        boosted trees on the likelihoods and on features of displaced tracks;
- ``recurrent``    a recurrent network, as RNNIP;
- ``deep-sets``    a deep set, as DIPS;
- ``stack``        boosted trees on what ``trees`` sees and on the answers of the recurrent network, as DL1r; trained on
                   the validation jets, which the network has not seen;
- ``alone``        the transformer with the flavour as its only task;
- ``auxiliary``    the transformer with track origins and vertices as further tasks, as GN1 and GN2.

Prints a line of JSON for each: cross-entropy and rejections on the test jets with statistical errors, and the CPU time
of the training; for ``auxiliary`` also how many vertices of heavy hadrons are found,
and ``--save FOLDER`` keeps its weights. Asserts nothing.
"""

import argparse
import json
import sys
import time
from types import SimpleNamespace

import numpy as np
import torch
import torch.nn.functional as F
from scipy.special import log_softmax
from sklearn.ensemble import HistGradientBoostingClassifier

from hepml_labs.datasets import load
from hepml_labs.datasets.heavy_flavor import COLUMNS
from hepml_labs.evaluation import background_rejection, mean_with_error
from hepml_labs.nn import DeepSets, Standardizer, trim
from hepml_labs.top_tagging.flavour_results import discriminant, heavy_vertices, match_vertices, true_heavy_vertices
from hepml_labs.top_tagging.flavour_tagger import FlavourTagger, flavour_loss, jet_tensors
from hepml_labs.top_tagging.impact_parameters import ImpactParameterLikelihood, displaced_features
from hepml_labs.top_tagging.recurrent_tagger import RecurrentTagger
from hepml_labs.top_tagging.weights import save_tagger
from hepml_labs.training import fit, predict

SETTINGS = {"batch_size": 100, "schedule": "one-cycle", "gradient_clip": 1.0, "weight_decay": 1e-4, "progress": False}


def read(split, n=None):
    jets = load("heavy_flavor", split=split, n=n)
    some = (jets["origin"] >= 0).any(1)
    return {name: jets[name][some] for name in COLUMNS}


def flavour_alone(model, tracks, mask, flavour, *_):
    return F.cross_entropy(model(*reversed(trim(mask, tracks))), flavour)


def train_network(name, data, epochs, seed):
    torch.manual_seed(seed)
    if name in ("alone", "auxiliary"):
        network = FlavourTagger(width=32, heads=4, layers=2)
        loss = flavour_loss() if name == "auxiliary" else flavour_loss(0.0, 0.0)
    else:
        network = DeepSets(14, 3) if name == "deep-sets" else RecurrentTagger(14)
        loss = flavour_alone
    fit(network, loss, data, epochs=epochs, learning_rate=3e-3, seed=seed, **SETTINGS)
    return network


def by_hand(train, jets):
    tracks, flavour = train["tracks"], np.searchsorted([0, 4, 5], train["flavor"])
    likelihood = ImpactParameterLikelihood().fit(tracks[..., 10:], train["origin"] >= 0, flavour)
    return [likelihood.log_likelihood(part["tracks"][..., 10:], part["origin"] >= 0) for part in jets]


def answers(name, train, test, epochs, seed):
    """Log-probabilities of the test jets, and the network if there is one."""
    flavour = np.searchsorted([0, 4, 5], train["flavor"])
    if name == "likelihood":
        return log_softmax(by_hand(train, [test])[0], axis=1), None
    if name == "trees":
        inputs = [np.column_stack([displaced_features(x), y - y[:, :1]]) for x, y in
                  zip((train, test), by_hand(train, (train, test)), strict=True)]  # fmt: skip
        trees = HistGradientBoostingClassifier(early_stopping=True, random_state=seed).fit(inputs[0], flavour)
        return np.log(trees.predict_proba(inputs[1]).clip(1e-9)), None
    data, (tracks, mask, *_) = jet_tensors(train), jet_tensors(test)
    if name in ("alone", "auxiliary"):
        network = train_network(name, data, epochs, seed)
        return predict(network, tracks, mask, batch_size=500)[0].log_softmax(1).numpy(), network
    scale = Standardizer.fit(data[0][data[1]])

    def standardised(tracks, mask):
        return scale(tracks).masked_fill(~mask[..., None], 0)

    network = train_network(
        "deep-sets" if name == "deep-sets" else "recurrent",
        (standardised(*data[:2]), *data[1:]),
        epochs,
        seed,
    )

    def evaluate(tracks, mask):
        return predict(network, standardised(tracks, mask), mask).log_softmax(1).numpy()

    if name != "stack":
        return evaluate(tracks, mask), network
    other = read("validation")
    inputs = [np.column_stack([displaced_features(x), y - y[:, :1], evaluate(*jet_tensors(x)[:2])]) for x, y in
              zip((other, test), by_hand(train, (other, test)), strict=True)]  # fmt: skip
    other_flavour = np.searchsorted([0, 4, 5], other["flavor"])
    trees = HistGradientBoostingClassifier(early_stopping=True, random_state=seed).fit(inputs[0], other_flavour)
    return np.log(trees.predict_proba(inputs[1]).clip(1e-9)), None


def measure(log_probability, flavour):
    numbers = {"cross-entropy": mean_with_error(-log_probability[np.arange(len(flavour)), flavour].astype(float))}
    for target, efficiency, fraction in (("b", 0.7, 0.05), ("c", 0.4, 0.2)):
        score, wanted = discriminant(log_probability, target, fraction), "lcb".index(target)
        for other in {"l", "b", "c"} - {target}:
            chosen = (flavour == wanted) | (flavour == "lcb".index(other))
            found = background_rejection((flavour[chosen] == wanted).astype(int), score[chosen], efficiency)
            numbers[f"{target} {efficiency:.0%}: {other} rejection"] = (found.value, found.error)
    return {name: [float(f"{x:.5g}") for x in pair] for name, pair in sorted(numbers.items())}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    models = ("likelihood", "trees", "recurrent", "deep-sets", "stack", "alone", "auxiliary")
    parser.add_argument("models", nargs="+", choices=models)
    parser.add_argument("--jets", type=int, default=40_000)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--save", metavar="FOLDER")
    options = parser.parse_args()
    train, test = read("train", options.jets), read("test")
    for seed in options.seeds:
        for name in options.models:
            print(json.dumps(run(name, train, test, seed, options)), flush=True)


def run(name, train, test, seed, options):
    """Train and test one tagger, and return what is to be known of it."""
    start = time.process_time()
    log_probability, network = answers(name, train, test, options.epochs, seed)
    seconds = time.process_time() - start
    facts = {"model": name, "jets": options.jets, "epochs": options.epochs, "seed": seed}
    facts |= {"cpu_seconds": round(seconds, 1), **measure(log_probability, np.searchsorted([0, 4, 5], test["flavor"]))}
    if name not in ("alone", "auxiliary"):
        return facts
    facts["parameters"] = sum(parameter.numel() for parameter in network.parameters())
    if name == "auxiliary":
        tracks, mask, *_, origin, vertex = jet_tensors(test)
        _, origins, pairs = (x.numpy() for x in predict(network, tracks, mask, batch_size=500))
        found = heavy_vertices(pairs, origins, mask.numpy())
        facts["vertices"] = match_vertices(found, true_heavy_vertices(vertex.numpy(), origin.numpy()))
        if options.save:
            header = {"command": " ".join(["python", *sys.argv]), "torch": torch.__version__, **facts}
            path = f"{options.save}/flavour-{options.jets}-{seed}.safetensors"
            save_tagger(path, SimpleNamespace(name="flavour", network=network), header, half=True)
    return facts


if __name__ == "__main__":
    main()
