"""Scores of a variational autoencoder: in its latent space, of its reconstruction, and of its density."""

import numpy as np
import torch
from sklearn.base import clone

from hepml_labs.anomaly.base import AnomalyDetector
from hepml_labs.diffusion.vae import VAE
from hepml_labs.validation import to_numpy

__all__ = ["LatentScore", "surprise_in"]


def _divergence(vae, x):
    """Kullback-Leibler divergence of q(z|x) from the prior, in nats: how much must be said to name the code."""
    mean, sigma = (part.astype(np.float64) for part in vae.encode(x))
    return (0.5 * (mean**2 + sigma**2 - 1) - np.log(sigma)).sum(axis=1)


def _radius(vae, x):
    """Squared distance of the code from the origin, in standard deviations of the prior."""
    return (vae.encode(x)[0].astype(np.float64) ** 2).sum(axis=1)


def _reconstruction(vae, x):
    """Squared error of the reconstruction at the mean of the code, in standard deviations of the features."""
    pair = x, vae.decode(vae.encode(x)[0])
    there, back = (vae.scaler_(torch.tensor(part, dtype=torch.float64))[0] for part in pair)
    return ((there - back) ** 2).sum(1).numpy()


def _surprise(vae, x):
    """Minus log p(x), in nats, with p in units of the features."""
    return -vae.score_samples(x, draws=20).astype(np.float64)


SCORES = {
    "divergence": _divergence,
    "radius": _radius,
    "reconstruction": _reconstruction,
    "surprise": _surprise,
}
"""Name: function of a fitted VAE and features (n, d), to (n,)."""


class LatentScore(AnomalyDetector):
    """Anomaly score of a variational autoencoder that was trained on the sidebands.

    Parameters
    ----------
    score : {"divergence", "radius", "reconstruction", "surprise"}
        Divergence of the code q(z|x) from the prior; squared length of the mean of the code; squared error of the
        reconstruction; or minus log p(x) by the importance-weighted bound.
    vae : VAE, optional
        Unfitted. None: `VAE` with two latent directions, and the `epochs` and `seed` below.
    epochs : int
        Of the default VAE.
    seed : int
        Of the default VAE.

    Attributes
    ----------
    vae_ : VAE
        The fitted copy. Change `score` and call `score_samples` again: nothing has to be trained anew.

    Raises
    ------
    ValueError
        If `score` is none of these.

    Notes
    -----
    Variational autoencoders in searches: Cerri et al., arXiv:1811.10276; scores of the latent space, and latent spaces
    made for them: Dillon et al., arXiv:2104.08291. None of the four estimates log p_data / p_background, and the last
    two depend on the coordinates of x: see `surprise_in`.

    Examples
    --------
    >>> from hepml_labs.anomaly.regions import Regions
    >>> x = np.random.default_rng(1).normal(size=(1000, 2))
    >>> detector = LatentScore(epochs=5).fit(x, np.linspace(2600.0, 5900.0, 1000), Regions())
    >>> middle, far = detector.set_params(score="surprise").score_samples(np.array([[0.0, 0], [4, 4]]), np.full(2, 3e3))
    >>> bool(far > middle + 3)
    True
    """

    def __init__(self, score="divergence", vae=None, epochs=20, seed=0):
        self.score = score
        self.vae = vae
        self.epochs = epochs
        self.seed = seed

    def fit(self, features, mass, regions):
        """Train on the events in the sidebands; `features` (n, d), `mass` (n,) in GeV, and the regions."""
        self._check_score()
        features, _, _, sideband = self._prepare(features, mass, regions)
        vae = VAE(epochs=self.epochs, batch_size=512, seed=self.seed) if self.vae is None else clone(self.vae)
        self.vae_ = vae.fit(features[sideband])
        return self

    def score_samples(self, features, mass):
        """Score (n,): nats, squared standard deviations of the prior or of the features, or nats."""
        self._check_score()
        features, _ = self._check(features, mass)
        return SCORES[self.score](self.vae_, features).astype(features.dtype)

    def _check_score(self):
        if self.score not in SCORES:
            raise ValueError(f"score: found {self.score!r}, expected one of {list(SCORES)}")


def surprise_in(surprise, log_jacobian):
    r"""Minus the logarithm of the density of the same events in other coordinates y(x).

    .. math:: -\log p_y(y) = -\log p_x(x) + \log\left|\det\frac{\partial y}{\partial x}\right|

    Parameters
    ----------
    surprise : array, (n,)
        Minus log p_x(x), nats.
    log_jacobian : array, (n,)
        Logarithm of the absolute value of the determinant of dy/dx, at each event.

    Returns
    -------
    array, (n,)
        The order of the events is another one, unless the Jacobian is the same for all. With the choice
        log_jacobian = -surprise all events are equally surprising.

    Raises
    ------
    ValueError
        If the arrays differ in shape or are not finite.

    Notes
    -----
    Le Lan and Dinh, arXiv:2012.03808; Kasieczka et al., arXiv:2209.06225.

    Examples
    --------
    A density that falls like 1/m^2 is constant in y = 1/m:

    >>> m = np.array([1.0, 2.0, 4.0])
    >>> surprise_in(2 * np.log(m), -2 * np.log(m)).tolist()
    [0.0, 0.0, 0.0]
    """
    surprise = to_numpy("surprise", surprise, ("n",))
    return surprise + to_numpy("log_jacobian", log_jacobian, (len(surprise),))
