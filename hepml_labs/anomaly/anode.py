"""ANODE: two densities of the same features, one interpolated from the sidebands, and their ratio."""

import numpy as np
from sklearn.base import clone

from hepml_labs.anomaly.base import AnomalyDetector
from hepml_labs.flows.estimator import FlowEstimator
from hepml_labs.flows.scalers import Columns, Logit

__all__ = ["ANODE", "bounded_flow"]


def bounded_flow(features, seed=0, margin=1e-3, **options):
    """Return a flow for features between hard edges: those of the sample, and a little beyond.

    Parameters
    ----------
    features : array, (n, d)
        All events of the fit, so that none is outside.
    seed : int
        Of the flow.
    margin : float
        Distance of the edges from the extremes, in units of the range.
    **options
        Of `FlowEstimator`, in place of the defaults here.

    Returns
    -------
    FlowEstimator
        Unfitted. A logit takes each feature to the real line.

    Notes
    -----
    The preparation of CATHODE :cite:`hallin2022cathode`: scale to (0, 1), logit, standardise. Without it a flow
    of jet masses puts density below zero. A wide margin would do the same: where the density has a step, as that of
    a mass difference at zero, the flow smears it over the margin, and a classifier finds that at once.

    Examples
    --------
    >>> x = np.random.default_rng(0).uniform(size=(1000, 2))
    >>> sample = bounded_flow(x, epochs=1).fit(x).sample(1000)
    >>> bool(sample.min() > -0.02 and sample.max() < 1.02)
    True
    """
    low, high = features.min(axis=0).astype(np.float64), features.max(axis=0).astype(np.float64)
    room = margin * np.where(high > low, high - low, 1.0)  # a feature that does not vary gets room as well
    scaler = Columns([Logit(a, b) for a, b in zip(low - room, high + room, strict=True)])
    settings = {"layers": 4, "hidden": (48, 48), "epochs": 8, "batch_size": 512, "learning_rate": 5e-3}
    return FlowEstimator(scaler=scaler, seed=seed, **{**settings, **options})


class ANODE(AnomalyDetector):
    r"""Anomaly detection with density estimation.

    Two conditional densities are learned. Outside of the signal region, where all is background,
    :math:`p_{\text{background}}(x|m)`, which is interpolated into the region; and inside :math:`p_{\text{data}}(x|m)`.
    The score is the logarithm of their ratio.

    Parameters
    ----------
    background, data : estimator, optional
        The two densities, ``fit(x, context)`` and ``score_samples(x, context=)``: a `FlowEstimator`, or a
        `FlowMatching` from the chapter on generative networks. Copies are fitted; one that has been fitted, such as
        CATHODE's, goes into a :class:`sklearn.frozen.FrozenEstimator`. None: `bounded_flow`.
    seed : int
        Of the default background density; that of the data gets the next.

    Attributes
    ----------
    background_, data_ : estimator
        The two fitted densities.

    Notes
    -----
    Nachman and Shih, arXiv:2001.04990 :cite:`nachman2020anode`. Features beyond the
    range of the fit are scored at its edge: of the tails of two densities neither knows anything.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> window = SimpleNamespace(inside=lambda m: abs(m - 3500) < 200, sideband=lambda m: abs(m - 3500) >= 200)
    >>> random = np.random.default_rng(1)
    >>> mass = random.uniform(2500, 4500, size=6000)
    >>> x = random.normal(size=(6000, 1))
    >>> bump = window.inside(mass) & (random.uniform(size=6000) < 0.3)
    >>> x[bump] = random.normal(2.5, 0.3, size=(bump.sum(), 1))
    >>> low, high = ANODE().fit(x, mass, window).score_samples(np.array([[-1.0], [2.5]]), np.array([3500.0, 3500.0]))
    >>> bool(high - low > 1)
    True
    """

    def __init__(self, background=None, data=None, seed=0):
        self.background = background
        self.data = data
        self.seed = seed

    def fit(self, features, mass, regions):
        """Learn both densities from data.

        Parameters
        ----------
        features : array, (n, d)
            Without the mass.
        mass : array, (n,)
            GeV.
        regions : Regions
            Signal region and sidebands.

        Returns
        -------
        ANODE
            Itself.

        Raises
        ------
        ValueError
            If an array is malformed or a region has too few events.
        """
        features, mass, inside, sideband = self._prepare(features, mass, regions)
        used = features[inside | sideband]
        self.low_, self.high_ = used.min(axis=0), used.max(axis=0)
        self.background_, self.data_ = (
            (bounded_flow(used, self.seed + k) if density is None else clone(density)).fit(
                features[rows], mass[rows, None]
            )
            for k, (density, rows) in enumerate(((self.background, sideband), (self.data, inside)))
        )
        return self

    def score_samples(self, features, mass):
        """Log p_data(x|m)/p_background(x|m) of features (n, d) and masses (n,) in GeV; shape (n,)."""
        features, mass = self._check(features, mass)
        x = np.clip(features, self.low_, self.high_)
        data, background = (d.score_samples(x, context=mass[:, None]) for d in (self.data_, self.background_))
        return data - background
