"""All anomaly detectors beside each other: the largest significance improvement over many trainings, and CPU time.

Run with ``python benchmarks/anomaly.py`` (ten trainings); ``--source public`` takes the published events, with
``--signal 1000``. For each training, signal events and halves are drawn anew. One half of the background of
`lhco_dijets` are the data, with 198 signal events: about 5,000 and 156 in the window 3.3 to 3.7 TeV, S/B = 3.1 %,
S / sqrt(B) = 2.2 as published (772 in 121,352, 0.6 %). The other half is the true background of the bounds, which an
experiment lacks. All classifiers are ensembles of ten.

Printed are median and central 68 % interval over the trainings, the error of the test sample (all validation and test
events in the window, at least ten background events above the cut), CPU seconds, the ratio of CATHODE to the
idealised bound, and the AUC of sampled against true background. ``--noise 10`` adds columns of Gaussian noise.
``--append results.jsonl`` keeps each training, so that they can be made in several runs (``--first 5``); asserts
nothing.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from hepml_labs.anomaly.anode import ANODE
from hepml_labs.anomaly.bounds import Idealised, Supervised
from hepml_labs.anomaly.cathode import CATHODE
from hepml_labs.anomaly.classifiers import classifier
from hepml_labs.anomaly.cwola_hunting import CWoLaHunting
from hepml_labs.anomaly.regions import Regions
from hepml_labs.anomaly.samples import Events, all_events, inject
from hepml_labs.datasets import load
from hepml_labs.evaluation import classifier_two_sample_test, significance_improvement

REGIONS = Regions()
NAMES = ("supervised", "idealised", "CATHODE", "CWoLa hunting", "ANODE")


def together(*samples):
    return Events(*(np.concatenate(columns) for columns in zip(*samples, strict=True)))


def with_noise(events, columns, seed):
    """Add columns of Gaussian noise to the features."""
    noise = np.random.default_rng(seed).normal(size=(len(events.mass), columns))
    return events._replace(features=np.column_stack([events.features, noise]).astype(np.float32))


def make_samples(train, signal, seed):
    """Data, true background in the window that is not among them, and all events with labels."""
    events, rest = inject(train, signal, seed, with_rest=True)
    first = np.random.default_rng(seed).random(len(events.label)) < 0.5
    mine = first | (events.label == 1)
    data, reserve = events.select(mine), events.select(~mine)
    return data, reserve.select(REGIONS.inside(reserve.mass)), together(data, rest)


def detectors(kind, seed, wanted):
    """Untrained detectors by name, in the published order."""

    def new():
        options = {"leaves": 15} if kind == "trees" else {"hidden": (64, 64, 32), "epochs": 40, "batch_size": 256}
        return classifier(kind, members=10, seed=seed, **options)

    every = {
        "supervised": Supervised(new()),
        "idealised": Idealised(new()),
        "CATHODE": CATHODE(classifier=new(), seed=seed),
        "CWoLa hunting": CWoLaHunting(new()),
        "ANODE": ANODE(seed=seed),
    }
    return {name: every[name] for name in wanted}


def train_all(arguments, train, test, seed):
    """Train each detector once: {name: (largest improvement, its error, efficiency, CPU seconds)}."""
    data, reserve, known = make_samples(train, arguments.signal, seed)
    truths = {"supervised": {"label": known.label}, "idealised": {"background": reserve.features}}
    results = {}
    for name, detector in detectors(arguments.classifier, seed, arguments.only).items():
        start = time.process_time()
        sample = known if name == "supervised" else data
        detector.fit(sample.features, sample.mass, REGIONS, **truths.get(name, {}))
        seconds = time.process_time() - start
        curve = significance_improvement(test.label, detector.score_samples(test.features, test.mass))
        best = curve.value.argmax()
        results[name] = [float(part[best]) for part in (curve.value, curve.error, curve.signal_efficiency)] + [seconds]
        if name == "CATHODE" and not arguments.noise:
            closure = classifier_two_sample_test(detector.background_, reserve.features)
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
    parser.add_argument("--signal", type=int, default=198, help="signal events at all masses")
    parser.add_argument("--classifier", choices=("trees", "network"), default="trees")
    parser.add_argument("--noise", type=int, default=0, help="columns of Gaussian noise")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--source", default="bundled")
    parser.add_argument("--append", type=Path, help="file of results, a line for each training")
    arguments = parser.parse_args()
    train, *held = (
        with_noise(all_events(load("lhco_dijets", split, source=arguments.source)), arguments.noise, k)
        for k, split in enumerate(("train", "validation", "test"))
    )
    test = together(*held)
    test = test.select(REGIONS.inside(test.mass))
    rows = []
    if arguments.append and arguments.append.exists():
        rows = [json.loads(line) for line in arguments.append.read_text(encoding="utf-8").splitlines()]
    for seed in range(arguments.first, arguments.first + arguments.trainings):
        rows.append(train_all(arguments, train, test, seed))
        if arguments.append:
            with arguments.append.open("a", encoding="utf-8") as file:
                file.write(json.dumps(rows[-1]) + "\n")
    report(rows)


if __name__ == "__main__":
    main()
