"""False alarms of a whole anomaly search: global p-values of background-only pseudo-experiments, which must be uniform.

Run with ``python benchmarks/anomaly_calibration.py [searches] [first seed]``. Each search scans four windows at two
working points with CWoLa hunting. The events are thinned from all background of `lhco_dijets`, so that no event is in a
pseudo-experiment twice; two of them share a tenth of their events.
"""

import sys
import time

import numpy as np
from scipy.stats import kstest
from sklearn.ensemble import HistGradientBoostingClassifier

from hepml_labs.anomaly.cwola_hunting import CWoLaHunting
from hepml_labs.anomaly.regions import Regions
from hepml_labs.anomaly.samples import Events, all_events, ranked, scale_free, thin
from hepml_labs.anomaly.search import global_p_value, nested_correlation, scan, tile
from hepml_labs.classification.density_ratio import ClassifierRatio
from hepml_labs.datasets import load

SIZE = 10_000
EFFICIENCIES = np.array([0.02, 0.005])


def background():
    """Return all background events, with features as ranks of ratios."""
    parts = [all_events(load("lhco_dijets", split)) for split in ("train", "validation", "test")]
    events = Events(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    events = scale_free(events.select(events.label == 0))
    return ranked(events, events)


def detector():
    """Return the detector of the lab."""
    trees = HistGradientBoostingClassifier(max_leaf_nodes=8, min_samples_leaf=40, max_iter=40, early_stopping=False)
    return CWoLaHunting(ClassifierRatio(trees), sideband_width=None)


def main(searches=120, first=0):
    """Run the searches and print the tests of their p-values."""
    events, windows, start = background(), tile(Regions()), time.process_time()
    significance, p_values = [], []
    for seed in range(first, first + searches):
        table = scan(detector(), thin(events, SIZE, seed), windows, EFFICIENCIES, seed=seed)
        significance.append(table.significance)
        p_values.append(global_p_value(table, seed=seed).value)
    seconds = time.process_time() - start
    z, p = np.array(significance), np.array(p_values)
    print(f"{searches} searches of {SIZE:,} background events, {seconds / searches:.2f} s of CPU each")
    print(f"global p-values: KS test of uniformity p = {kstest(p, 'uniform').pvalue:.3f}")
    for level in (0.5, 0.1, 0.05):
        error = np.sqrt(level * (1 - level) / searches)
        print(f"  share below {level:4.2f}: {(p < level).mean():.3f}, expected {level:.3f} ± {error:.3f}")
    print(f"local significances: mean {z.mean():+.3f}, standard deviation {z.std():.3f}")
    print("  by window and cut:", np.array2string(z.mean(axis=0), precision=2, sign="+").replace("\n", ""))
    found = np.corrcoef(z[..., 0].ravel(), z[..., 1].ravel())[0, 1]
    print(f"correlation of the cuts {found:.2f}, derived {nested_correlation(EFFICIENCIES)[0, 1]:.2f}")
    neighbours = np.corrcoef(z[:, :-1].ravel(), z[:, 1:].ravel())[0, 1]
    print(f"correlation of neighbouring windows {neighbours:+.2f}, assumed 0")
    print("p-values:", " ".join(f"{value:.4f}" for value in p))


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
