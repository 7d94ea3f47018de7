"""Longer training of the generator of Z + jets events; writes the weights that come with the course.

Run with ``python benchmarks/collider_events.py --jets 2 --epochs 110``. Trains conditional flow matching on the
bundled training events and their mirror images, one thread, and judges it on the test events: a classifier's area
and W1 of each observable with its bootstrap floor. Times are CPU times.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from hepml_labs.datasets import load
from hepml_labs.diffusion.event_coordinates import coordinates, momenta
from hepml_labs.diffusion.event_map import event_map
from hepml_labs.diffusion.event_weights import load_generator, read_facts, save_generator, weights_path
from hepml_labs.diffusion.events import mirror_images, observables, passes_cuts, select
from hepml_labs.diffusion.flow_matching import FlowMatching
from hepml_labs.evaluation import classifier_two_sample_test
from hepml_labs.evaluation.generators import wasserstein_distances
from hepml_labs.settings import set_threads


def train(jets, epochs, width, learning_rate, seed):
    """Return a trained generator and what is known about it."""
    events = select(load("z_jets", "train"), jets)
    held = np.random.default_rng(seed).random(len(events)) < 0.05  # with all their mirror images
    start = time.process_time()
    generator = FlowMatching(
        scaler=event_map(jets),
        hidden=(width,) * 3,
        epochs=epochs,
        batch_size=512,
        learning_rate=learning_rate,
        seed=seed,
    ).fit(coordinates(mirror_images(events)), validation=np.tile(held, 4))
    return generator, {
        "command": f"python benchmarks/collider_events.py --jets {jets} --epochs {epochs} --width {width} "
        f"--learning-rate {learning_rate} --seed {seed} --output FILE",
        "training_events": len(events),
        "steps": generator.history_.steps,
        "cpu_seconds": f"{time.process_time() - start:.0f}",
    }


def judge(generator, jets, seed=1):
    """Compare generated with test events; return a classifier's area and the W1 of each observable."""
    test = select(load("z_jets", "test"), jets)
    start = time.process_time()
    events = momenta(generator.sample(int(1.1 * len(test)), seed=seed), seed=seed + 1)
    kept = passes_cuts(events)
    truth, found = observables(test), observables(events[kept][: len(test)])
    print(f"{kept.mean():.2%} pass the cuts; {time.process_time() - start:.1f} s")
    both = [np.stack(list(sample.values()), axis=1) for sample in (truth, found)]
    test_result = classifier_two_sample_test(*both)
    distances = wasserstein_distances(*both)
    print(f"AUC {test_result.auc:.4f} +- {test_result.error:.4f}")
    for name, value, floor, error in zip(truth, distances.value, distances.floor, distances.floor_error, strict=True):
        print(f"{name:12s} W1 {value:8.4f}   floor {floor:.4f} +- {error:.4f}   ratio {value / floor:.2f}")
    return test_result, distances


def main():
    """Train and judge, or only judge the weights that are there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jets", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=110)
    parser.add_argument("--width", type=int, default=160)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--evaluate", action="store_true", help="judge the weights that come with the course")
    parser.add_argument("--output", type=Path, help="file for the weights (default: print the figures only)")
    chosen = parser.parse_args()
    set_threads()
    if chosen.evaluate:
        print(read_facts(weights_path(chosen.jets)))
        judge(load_generator(chosen.jets), chosen.jets)
        return
    generator, facts = train(chosen.jets, chosen.epochs, chosen.width, chosen.learning_rate, chosen.seed)
    print(facts)
    if chosen.output is not None:
        save_generator(chosen.output, generator, facts)  # first of all: what is judged is what is stored
        generator = load_generator(path=chosen.output)
    result, distances = judge(generator, chosen.jets)
    if chosen.output is not None:
        facts |= {"auc": f"{result.auc:.4f} +- {result.error:.4f}", "largest_w1_ratio": f"{distances.ratio.max():.2f}"}
        save_generator(chosen.output, generator, facts)


if __name__ == "__main__":
    main()
