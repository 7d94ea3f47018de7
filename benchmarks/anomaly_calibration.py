"""False alarms of a whole anomaly search: global p-values of background-only pseudo-experiments, which must be uniform.

Run with ``python benchmarks/anomaly_calibration.py [searches] [first seed]``, about a second of CPU for each search.
Each scans four windows at two working points with CWoLa hunting, trained anew, as the lab "The whole search" does. The
events are thinned from all background of `lhco_dijets`, so that no event is in a pseudo-experiment twice; two of them
share 9 % of their events.

Merged folds can make the local significances wider than one. The width that enters a p-value is measured on *other*
searches: that of the odd ones serves the even ones, and the other way round.
"""

import sys
import time

import numpy as np
from scipy.stats import kstest, norm

from hepml_labs.anomaly.classifiers import classifier
from hepml_labs.anomaly.cwola_hunting import CWoLaHunting, MassDecorrelation
from hepml_labs.anomaly.regions import Regions
from hepml_labs.anomaly.samples import all_events, thin, together
from hepml_labs.anomaly.search import ScanTable, global_p_value, nested_correlation, scan, tile
from hepml_labs.datasets import load

SIZE = 10_000
EFFICIENCIES = np.array([0.02, 0.005])


def background():
    """Return all background events."""
    parts = [all_events(load("lhco_dijets", split)) for split in ("train", "validation", "test")]
    events = together(*parts)
    return events.select(events.label == 0)


def detector():
    """Return the detector of the lab."""
    trees = classifier("trees", members=2, trees=40, leaves=8)
    return CWoLaHunting(trees, sideband_width=None, decorrelation=MassDecorrelation())


def global_p_values(significance, width):
    """Return the global p-values of searches: significances (searches, windows, efficiencies) to (searches,)."""
    empty = dict.fromkeys(ScanTable._fields)
    tables = [ScanTable(**{**empty, "efficiency": EFFICIENCIES, "p_value": norm.sf(z)}) for z in significance]
    return np.array([global_p_value(table, seed=1, width=width).value for table in tables])


def report(p_values):
    """Print how uniform p-values are."""
    print(f"  KS test of uniformity: p = {kstest(p_values, 'uniform').pvalue:.3f}")
    for level in (0.5, 0.1, 0.05, 0.01):
        error = np.sqrt(level * (1 - level) / len(p_values))
        print(f"  share below {level:4.2f}: {(p_values <= level).mean():.3f}, expected {level:.3f} ± {error:.3f}")


def main(searches=120, first=0):
    """Run the searches and print the tests of their p-values."""
    events, windows, start = background(), tile(Regions()), time.process_time()
    z = np.array(
        [
            scan(detector(), thin(events, SIZE, seed), windows, EFFICIENCIES, seed=seed).significance
            for seed in range(first, first + searches)
        ]
    )
    seconds = time.process_time() - start
    print(f"{searches} searches of {SIZE:,} background events, {seconds / searches:.2f} s of CPU each")
    independent = z.size / (1 + nested_correlation(EFFICIENCIES)[0, 1] ** 2)
    print(f"local significances: mean {z.mean():+.3f}, width {z.std():.3f} ± {z.std() / np.sqrt(2 * independent):.3f}")
    print("  mean by window and cut: ", np.array2string(z.mean(axis=0), precision=2, sign="+").replace("\n", ""))
    print("  width by window and cut:", np.array2string(z.std(axis=0), precision=2).replace("\n", ""))
    found = np.corrcoef(z[..., 0].ravel(), z[..., 1].ravel())[0, 1]
    print(f"correlation of the cuts {found:.2f}, derived {nested_correlation(EFFICIENCIES)[0, 1]:.2f}")
    neighbours = np.corrcoef(z[:, :-1].ravel(), z[:, 1:].ravel())[0, 1]
    print(f"correlation of neighbouring windows {neighbours:+.2f}, assumed 0")
    common, scatter = (z.mean(axis=0) ** 2).mean(), z.var() / searches  # means vary by more if searches share events
    error = np.sqrt(2 / (independent / searches)) * common
    shared = SIZE / len(events.mass)
    print(f"correlation of two searches {common - scatter:+.3f} ± {error:.3f}, with fixed cuts {shared:.3f}")
    print("global p-values, width of one:")
    report(global_p_values(z, 1.0))
    print("global p-values, width measured on the other half:")
    halves = [z[k::2] for k in (0, 1)]
    p_values = np.empty(searches)
    for k in (0, 1):
        p_values[k::2] = global_p_values(halves[k], halves[1 - k].std())
    report(p_values)
    print("p-values:", " ".join(f"{value:.4f}" for value in p_values))


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
