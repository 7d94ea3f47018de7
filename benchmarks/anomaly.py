"""All anomaly detectors beside each other: the largest significance improvement over many trainings, and CPU time.

Run with ``python benchmarks/anomaly.py`` (ten trainings); ``--source public`` takes the published events, with
``--signal 1000``. The data are as many background events as in the training set of `lhco_dijets` and 280 signal events,
about 10,049 and 220 of them in the window 3.3 to 3.7 TeV: S/B = 2.2 %, S / sqrt(B) = 2.2 as published (772 in 121,352,
0.6 %). The idealised detector is given 13,500 other background events of the window, the supervised one the labels of
the data and all other signal events. *For each training all background events are dealt anew* to data, template and
test, and the signal is drawn anew: with one template for all, its fluctuations would be common to all trainings. All
classifiers are ensembles of ten with the same settings. CATHODE and ANODE share the density of the sidebands, and its
time is counted for both.

Printed are median and central 68 % interval over the trainings, the error of the test sample (some 13,500 background
events of the window, at least ten of them above the cut), CPU seconds, the ratio of CATHODE to the idealised detector,
and the AUC of sampled against true background.
``--noise 10`` adds columns of Gaussian noise. ``--append results.jsonl`` keeps each training, so that they can be
made in several runs (``--first 5``); asserts nothing.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from sklearn.frozen import FrozenEstimator

from hepml_labs.anomaly.anode import ANODE, bounded_flow
from hepml_labs.anomaly.bounds import Idealised, Supervised
from hepml_labs.anomaly.cathode import CATHODE
from hepml_labs.anomaly.classifiers import classifier
from hepml_labs.anomaly.cwola_hunting import CWoLaHunting
from hepml_labs.anomaly.regions import Regions
from hepml_labs.anomaly.samples import SIGNAL_EVENTS, all_events, inject, together
from hepml_labs.datasets import load
from hepml_labs.evaluation import classifier_two_sample_test, significance_improvement

REGIONS = Regions()
SPLITS = tuple(enumerate(("train", "validation", "test")))
NAMES = ("supervised", "idealised", "CATHODE", "CWoLa hunting", "ANODE")


def with_noise(events, columns, seed):
    """Add columns of Gaussian noise to the features."""
    noise = np.random.default_rng(seed).normal(size=(len(events.mass), columns))
    return events._replace(features=np.column_stack([events.features, noise]).astype(np.float32))


def deal(pool, sizes, seed):
    """Deal events at random to samples of given sizes, and the rest."""
    order = np.random.default_rng(seed).permutation(len(pool.mass))
    return [pool.select(rows) for rows in np.split(order, np.cumsum(sizes))]


def make_samples(pools, sizes, signal, seed):
    """Deal everything: data, signal that is left, true background of the window, test events of the window."""
    inside, template, test = deal(pools["window"], sizes[:2], seed)
    beside, _ = deal(pools["sideband"], sizes[2:], seed)
    data, rest = inject(together(inside, beside, pools["signal"]), signal, seed, with_rest=True)
    return data, rest, template.features, together(test, pools["test signal"])


def train_all(arguments, pools, sizes, seed):
    """Train each detector once: {name: (largest improvement, its error, efficiency, CPU seconds)}."""
    data, rest, background, test = make_samples(pools, sizes, arguments.signal, seed)

    def new():
        kind = arguments.classifier
        options = {"leaves": 15} if kind == "trees" else {"hidden": (64, 64, 32), "epochs": 40, "batch_size": 256}
        return classifier(kind, members=10, seed=seed, **options)

    known, shared = together(data, rest), 0.0
    flow = bounded_flow(data.features, seed)
    if {"CATHODE", "ANODE"} & set(arguments.only):
        start, sideband = time.process_time(), REGIONS.sideband(data.mass)
        flow.fit(data.features[sideband], data.mass[sideband, None])
        shared = time.process_time() - start
    density = FrozenEstimator(flow)
    every = {  # detector, its sample, what it knows, seconds spent on it before
        "supervised": (Supervised(new()), known, {"label": known.label}, 0.0),
        "idealised": (Idealised(new()), data, {"background": background}, 0.0),
        "CATHODE": (CATHODE(density, new(), seed=seed), data, {}, shared),
        "CWoLa hunting": (CWoLaHunting(new()), data, {}, 0.0),
        "ANODE": (ANODE(density, seed=seed), data, {}, shared),
    }
    results = {}
    for name in arguments.only:
        detector, sample, truth, before = every[name]
        start = time.process_time()
        detector.fit(sample.features, sample.mass, REGIONS, **truth)
        seconds = before + time.process_time() - start
        curve = significance_improvement(test.label, detector.score_samples(test.features, test.mass))
        best = curve.value.argmax()
        results[name] = [float(part[best]) for part in (curve.value, curve.error, curve.signal_efficiency)] + [seconds]
        if name == "CATHODE":
            closure = classifier_two_sample_test(detector.background_[: len(background)], background)
            results["closure"] = [float(closure.auc), float(closure.error)]
        print(
            f"training {seed}: {name:14s} {results[name][0]:6.2f} ± {results[name][1]:.2f}, {seconds:5.1f} s",
            flush=True,
        )
    return results


def report(rows):
    print(f"\nlargest significance improvement over {len(rows)} trainings")
    print(f"{'':14s} median   68 % of trainings   test sample   efficiency   CPU seconds")
    for name in (name for name in NAMES if all(name in row for row in rows)):
        value, error, efficiency, seconds = np.array([row[name] for row in rows]).T
        low, middle, high = np.quantile(value, [0.16, 0.5, 0.84])
        numbers = f"{middle:6.2f}   {low:6.2f} to {high:5.2f}     ± {np.median(error):4.2f}"
        print(f"{name:14s} {numbers}       {np.median(efficiency):4.2f}        {np.median(seconds):6.1f}")
    if all({"CATHODE", "idealised"} <= set(row) for row in rows):
        ratio = np.array([row["CATHODE"][0] / row["idealised"][0] for row in rows])
        spread = ratio.std(ddof=1) / np.sqrt(len(ratio)) if len(ratio) > 1 else np.nan
        print(f"CATHODE / idealised: mean {ratio.mean():.2f} ± {spread:.2f}, median {np.median(ratio):.2f}")
    if all("closure" in row for row in rows):
        area, error = np.array([row["closure"] for row in rows]).T
        print(f"AUC of sampled against true background: {area.mean():.3f} ± {error.mean():.3f} (each)")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trainings", type=int, default=10)
    parser.add_argument("--first", type=int, default=0, help="seed of the first training")
    parser.add_argument("--signal", type=int, default=SIGNAL_EVENTS, help="signal events at all masses")
    parser.add_argument("--classifier", choices=("trees", "network"), default="trees")
    parser.add_argument("--noise", type=int, default=0, help="columns of Gaussian noise")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--source", default="bundled")
    parser.add_argument("--append", type=Path, help="file of results, a line for each training")
    arguments = parser.parse_args()
    dijets, window = (
        [with_noise(all_events(load(name, split, source=arguments.source)), arguments.noise, k) for k, split in SPLITS]
        for name in ("lhco_dijets", "lhco_window")
    )
    background = together(*dijets, *window)
    background = background.select(background.label == 0)
    inside, sideband = REGIONS.inside(background.mass), REGIONS.sideband(background.mass)
    pools = {"window": background.select(inside), "sideband": background.select(sideband)}
    pools["signal"] = dijets[0].select(dijets[0].label == 1)
    held = together(*dijets[1:])
    pools["test signal"] = held.select((held.label == 1) & REGIONS.inside(held.mass))
    mine = dijets[0].label == 0
    sizes = [(mine & REGIONS.inside(dijets[0].mass)).sum(), len(window[0].mass) + len(window[1].mass)]
    sizes.append((mine & REGIONS.sideband(dijets[0].mass)).sum())
    rows = []
    if arguments.append and arguments.append.exists():
        rows = [json.loads(line) for line in arguments.append.read_text(encoding="utf-8").splitlines()]
    for seed in range(arguments.first, arguments.first + arguments.trainings):
        rows.append(train_all(arguments, pools, sizes, seed))
        if arguments.append:
            with arguments.append.open("a", encoding="utf-8") as file:
                file.write(json.dumps(rows[-1]) + "\n")
    report(rows)


if __name__ == "__main__":
    main()
