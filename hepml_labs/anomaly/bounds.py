"""What no search without a signal model can beat: a perfect background sample, and labels."""

import numpy as np

from hepml_labs.anomaly.base import TemplateDetector
from hepml_labs.validation import check_array

__all__ = ["Idealised", "Supervised"]


class Idealised(TemplateDetector):
    """The idealised detector: a classifier of the data against *true* background of the signal region.

    Where other methods make a template from data, this one is given events of the very density of the background,
    as only a perfect simulation would have them. What is left is the difficulty of learning from so few
    signal events.

    Parameters
    ----------
    classifier : estimator, optional
        See `TemplateDetector`.
    seed : int
        Of the default classifier.

    Notes
    -----
    The "idealized anomaly detector" of :cite:`hallin2022cathode`.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> window = SimpleNamespace(inside=lambda m: abs(m - 3500) < 200, sideband=lambda m: abs(m - 3500) >= 200)
    >>> random = np.random.default_rng(1)
    >>> mass, x = random.uniform(2500, 4500, size=10_000), random.normal(size=(10_000, 1))
    >>> bump = window.inside(mass) & (random.uniform(size=10_000) < 0.3)
    >>> x[bump] = random.normal(2.5, 0.3, size=(bump.sum(), 1))
    >>> detector = Idealised().fit(x, mass, window, background=random.normal(size=(8000, 1)))
    >>> low, high = detector.score_samples(np.array([[-1.0], [2.5]]), np.array([3500.0, 3500.0]))
    >>> bool(high - low > 1)
    True
    """

    def fit(self, features, mass, regions, *, background):
        """Learn from data and from what no experiment has.

        Parameters
        ----------
        features, mass, regions
            As for every detector.
        background : array, (k, d)
            Features of true background events in the signal region, none of them among the data.

        Returns
        -------
        Idealised
            Itself.

        Raises
        ------
        ValueError
            If an array is malformed or the signal region has too few events.
        """
        features, mass, inside, _ = self._prepare(features, mass, regions)
        check_array("background", background, ("k", self.n_features_in_))
        return self._classify(background, features[inside])


class Supervised(TemplateDetector):
    """The supervised bound: a classifier of labelled signal against labelled background in the signal region.

    Parameters
    ----------
    classifier : estimator, optional
        See `TemplateDetector`.
    seed : int
        Of the default classifier.

    Notes
    -----
    By Neyman and Pearson's lemma its limit, log p_signal/p_background, is the best score of any detector for *this*
    signal. It was trained for this signal, and for another it may be blind.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> window = SimpleNamespace(inside=lambda m: abs(m - 3500) < 200, sideband=lambda m: abs(m - 3500) >= 200)
    >>> random = np.random.default_rng(1)
    >>> label = random.integers(2, size=4000)
    >>> x, mass = random.normal(size=(4000, 1)) + 2 * label[:, None], random.uniform(2500, 4500, size=4000)
    >>> detector = Supervised().fit(x, mass, window, label=label)
    >>> low, high = detector.score_samples(np.array([[0.0], [2.0]]), np.array([3500.0, 3500.0]))
    >>> bool(abs(high - low - 4) < 1)  # log r = 2 x - 2
    True
    """

    def fit(self, features, mass, regions, *, label):
        """Learn from labelled events.

        Parameters
        ----------
        features, mass, regions
            As for every detector; only events in the signal region count.
        label : array, (n,)
            1 for signal, 0 for background.

        Returns
        -------
        Supervised
            Itself.

        Raises
        ------
        ValueError
            If an array is malformed, the signal region has too few events, or only one of the classes.
        """
        features, mass, inside, _ = self._prepare(features, mass, regions)
        label = np.asarray(label)
        if label.shape != mass.shape or not np.isin(label, (0, 1)).all():
            found = f"shape {label.shape} with values {np.unique(label)[:4]}"
            raise ValueError(f"label: found {found}, expected shape {mass.shape} of 0 and 1")
        signal = label == 1
        for name, mask in (("signal", signal & inside), ("background", ~signal & inside)):
            if not mask.any():
                raise ValueError(f"label: found no {name} in the signal region, expected both")
        return self._classify(features[~signal & inside], features[signal & inside])
