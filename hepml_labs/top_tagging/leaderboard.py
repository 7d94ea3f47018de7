"""The trained taggers that ship with the project, on the bundled test jets: their scores and their table.

``hepml train top_tagging`` trains taggers (`hepml_labs.top_tagging.weights` are the files), and
``hepml train top_tagging --evaluate`` writes their scores on all test jets to ``data/top_tagging_scores.h5``, so that a
table with all of them takes a second.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from hepml_labs import paths
from hepml_labs.datasets import load, store
from hepml_labs.evaluation import area_under_curve, roc_band
from hepml_labs.top_tagging.weights import Weights, load_tagger, read_facts, save_tagger, shipped

__all__ = [
    "Estimate",
    "Row",
    "Weights",
    "leaderboard",
    "load_tagger",
    "measure",
    "read_facts",
    "save_tagger",
    "scores",
    "shipped",
    "write_scores",
]

SCORES = "top_tagging_scores.h5"  # within data/
STEP = 1e-3  # scores are stored as 16-bit multiples of this, up to 32.8: far below any effect on a rejection


class Estimate(NamedTuple):
    """A number measured for several seeds on the same test jets.

    Attributes
    ----------
    mean : float
        Over the seeds.
    spread : float
        Standard deviation over the seeds; NaN for a single one.
    error : float
        Standard deviation from the finite number of test jets. All seeds share the test jets: their mean has it too.
    """

    mean: float
    spread: float
    error: float


class Row(NamedTuple):
    """A line of the table: a tagger trained on a number of jets, with `Estimate` s over its seeds."""

    name: str
    jets: int
    seeds: tuple
    parameters: int
    accuracy: Estimate
    auc: Estimate
    rejection_50: Estimate
    rejection_30: Estimate
    cpu_seconds: Estimate


def write_scores(folder=None, progress=print):
    """Evaluate the shipped weights on the test jets and store the scores; files already scored are not done again.

    Parameters
    ----------
    folder : path, optional
        Another folder than the project's ``data/``, with the weights and the scores.
    progress : callable
        Called with a line of text for each file evaluated.

    Returns
    -------
    pathlib.Path
        The file of scores. It holds the SHA-256 checksum of each file of weights.
    """
    path = Path(folder or paths.data()) / SCORES
    known, columns = store.read(path, "test") if path.exists() else ({"sha256": {}}, {})
    jets, sums, kept = None, {}, {}
    for weights in shipped(folder):
        sums[weights.key] = store.sha256(weights.path)
        kept[weights.key] = columns.get(weights.key)
        if known["sha256"].get(weights.key) == sums[weights.key]:
            continue
        jets = load("top_tagging", "test")["constituents"] if jets is None else jets
        score = load_tagger(weights.path).score(jets)
        kept[weights.key] = np.clip(np.rint(score / STEP), -32767, 32767).astype(np.int16)
        progress(f"{weights.key}: evaluated on {len(jets):,} test jets")
    card = {"name": path.stem, "description": f"logits in units of {STEP} on the bundled test jets", "sha256": sums}
    store.write(path, card, {"test": kept})
    return path


def scores(folder=None):
    """Return the stored scores of the shipped weights on the bundled test jets.

    Parameters
    ----------
    folder : path, optional
        Another folder than the project's ``data/``.

    Returns
    -------
    dict of str to array, (n,)
        Logits, float32, by the key of the weights, such as ``"pfn-15000-0"``.

    Raises
    ------
    ValueError
        If a file of weights has changed since it was scored, or was never scored; the message names the command.
    """
    path = Path(folder or paths.data()) / SCORES
    card, columns = store.read(path, "test") if path.exists() else ({"sha256": {}}, {})
    there = {weights.key: store.sha256(weights.path) for weights in shipped(folder)}
    if there != card["sha256"]:
        differ = sorted(key for key in {**there, **card["sha256"]} if there.get(key) != card["sha256"].get(key))
        raise ValueError(
            f"{path}: no scores for the present weights of {differ}; run `hepml train top_tagging --evaluate`"
        )
    return {key: columns[key] * np.float32(STEP) for key in there}


def measure(label, score):
    """Measure one tagger by the figures of the landscape.

    Parameters
    ----------
    label : array, (n,)
        1 for a top jet, 0 for a QCD jet.
    score : array, (n,)
        Logits.

    Returns
    -------
    dict of str to (float, float)
        Value and statistical error of ``accuracy`` (at a logit of zero), ``auc``, and the background efficiencies
        ``background_50`` and ``background_30`` at signal efficiencies of 50 % and 30 %. Their inverses are the
        rejections; the efficiencies are what can be averaged, and they exist where no background is left.

    Raises
    ------
    ValueError
        If shapes differ, a score is not finite, labels are not 0 and 1, or a class has fewer than two jets.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> label = random.integers(0, 2, 2000)
    >>> value, error = measure(label, random.normal(size=2000) + 4 * label - 2)["accuracy"]
    >>> round(value, 2), round(error, 3)
    (0.98, 0.003)
    """
    area = area_under_curve(label, score)
    accuracy = float(((score > 0) == (label == 1)).mean())
    band = roc_band(label, score, np.array([0.5, 0.3]))
    half, third = zip(band.background_efficiency.tolist(), ((band.high - band.low) / 2).tolist(), strict=True)
    return {
        "accuracy": (accuracy, float(np.sqrt(accuracy * (1 - accuracy) / len(label)))),
        "auc": (area.value, area.error),
        "background_50": half,
        "background_30": third,
    }


def leaderboard(folder=None):
    """Return the table of the shipped taggers on the bundled test jets.

    Parameters
    ----------
    folder : path, optional
        Another folder than the project's ``data/``.

    Returns
    -------
    list of Row
        One for each tagger and number of training jets. A rejection over several seeds is one over the mean of their
        background efficiencies: the mean of rejections is too high where few background jets are left.

    Raises
    ------
    ValueError
        If the stored scores are not those of the present weights.

    Examples
    --------
    >>> [row.name for row in leaderboard() if row.auc.mean < 0.9]
    []
    """
    label, logits, groups = load("top_tagging", "test")["is_top"], scores(folder), {}
    for weights in shipped(folder):
        groups.setdefault((weights.name, weights.jets), []).append(weights)
    rows = []
    for (name, jets), members in groups.items():
        facts = [read_facts(weights.path) for weights in members]
        found = [measure(label, logits[weights.key]) for weights in members]
        accuracy, auc, half, third = (_estimate([one[figure] for one in found]) for figure in found[0])
        cpu_seconds = _estimate([(float(one["cpu_seconds"]), 0.0) for one in facts])
        seeds = tuple(weights.seed for weights in members)
        parameters = int(facts[0]["parameters"])
        rows.append(Row(name, jets, seeds, parameters, accuracy, auc, _inverse(half), _inverse(third), cpu_seconds))
    return rows


def _estimate(pairs):
    values, errors = np.array(pairs).T
    spread = values.std(ddof=1) if len(values) > 1 else np.nan
    return Estimate(float(values.mean()), float(spread), float(errors.mean()))


def _inverse(efficiency):
    """Turn an estimate of a background efficiency into one of the rejection, errors to first order."""
    if efficiency.mean == 0:
        return Estimate(np.inf, np.nan, np.nan)
    return Estimate(1 / efficiency.mean, *(error / efficiency.mean**2 for error in efficiency[1:]))
