"""The dense autoencoder of a table of features."""

import torch
from torch import nn

from hepml_labs.anomaly.base import AnomalyDetector
from hepml_labs.nn import MLP, Standardizer
from hepml_labs.training import fit, predict
from hepml_labs.validation import check_between, check_count

__all__ = ["Autoencoder", "DenseAutoencoder"]


class DenseAutoencoder(nn.Module):
    """Two fully connected networks: d features to k numbers, and back.

    Parameters
    ----------
    features, latent : int
        d and k.
    hidden : tuple of int
        Hidden widths of the encoder; the decoder has them in reverse. An empty tuple makes both linear.

    Notes
    -----
    Shapes: ``(n, features)`` to ``(n, features)``.

    Examples
    --------
    >>> DenseAutoencoder(features=4, latent=2)(torch.zeros(5, 4)).shape
    torch.Size([5, 4])
    """

    def __init__(self, features, latent=2, hidden=(64, 64)):
        super().__init__()
        check_count("latent", latent)
        self.encoder = MLP(features, latent, hidden)
        self.decoder = MLP(latent, features, tuple(hidden)[::-1])

    def forward(self, x):
        """Reconstruct x."""
        return self.decoder(self.encoder(x))


def squared_error(network, x):
    """Sum of the squared differences of each event and its reconstruction: ``(n, ...)`` to ``(n,)``."""
    return ((network(x) - x) ** 2).flatten(1).sum(1)


class Autoencoder(AnomalyDetector):
    """Reconstruction error of a network that has learned to compress the events of the sidebands.

    Parameters
    ----------
    latent : int
        Numbers in the middle. With as many as features there need be no error at all.
    hidden : tuple of int
        Hidden widths, see `DenseAutoencoder`.
    epochs, batch_size, learning_rate
        Passed to :func:`hepml_labs.training.fit`.
    validation_fraction : float
        Share of the sidebands, in (0, 1), that chooses the best epoch.
    seed : int
        Of the start, the events held back, and the batches.
    progress : bool
        Show a progress bar and a line at the end.

    Attributes
    ----------
    network_ : DenseAutoencoder
        Of the standardised features.
    scaler_ : Standardizer
    history_ : hepml_labs.training.History

    Notes
    -----
    The mass is used to find the sidebands and for nothing else. The score is no estimate of a density or of a ratio.
    Sources: Heimel et al., arXiv:1808.08979; Farina, Nakai and Shih, arXiv:1808.08992; for the features of a dijet
    search, Collins et al., arXiv:2104.02092.

    Examples
    --------
    >>> import numpy as np
    >>> from hepml_labs.anomaly.regions import Regions
    >>> angle = np.random.default_rng(1).uniform(0, 2, 2000)
    >>> arc = np.column_stack([np.cos(angle), np.sin(angle)])
    >>> detector = Autoencoder(latent=1, hidden=(32,), epochs=10, batch_size=100)
    >>> _ = detector.fit(arc, np.linspace(2600.0, 5900.0, 2000), Regions())
    >>> on_the_arc, in_the_middle = detector.score_samples(np.array([[0.0, 1.0], [0.0, 0.0]]), np.full(2, 3500.0))
    >>> bool(in_the_middle > 5 * on_the_arc)
    True
    """

    def __init__(
        self,
        latent=2,
        hidden=(64, 64),
        epochs=20,
        batch_size=512,
        learning_rate=3e-3,
        validation_fraction=0.2,
        seed=0,
        progress=False,
    ):
        self.latent = latent
        self.hidden = hidden
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.seed = seed
        self.progress = progress

    def fit(self, features, mass, regions):
        """Train on the events in the sidebands; `features` (n, d), `mass` (n,) in GeV, and the regions."""
        features, _, _, sideband = self._prepare(features, mass, regions)
        self.scaler_ = Standardizer.fit(torch.tensor(features[sideband], dtype=torch.float64))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self.network_ = DenseAutoencoder(self.n_features_in_, self.latent, self.hidden)
        self.history_ = train(self, squared_error, self._scaled(features[sideband]))
        return self

    def score_samples(self, features, mass):
        """Squared reconstruction error, (n,), in standard deviations of the features."""
        features, _ = self._check(features, mass)
        scaled = self._scaled(features)
        return ((predict(self.network_, scaled) - scaled) ** 2).sum(1).numpy().astype(features.dtype)

    def _scaled(self, features):
        return self.scaler_(torch.tensor(features, dtype=torch.float64)).float()


def train(estimator, error, *columns):
    """Train the network of an estimator so that the mean of an error by event is small, best epoch kept.

    Parameters
    ----------
    estimator : object
        With `network_`, and the options `epochs`, `batch_size`, `learning_rate`, `validation_fraction`, `seed` and
        `progress`.
    error : callable
        ``error(network, *columns)`` returns one number for each event.
    *columns : tensor
        Of one length: the events, at least two.

    Returns
    -------
    hepml_labs.training.History

    Raises
    ------
    ValueError
        Naming the option that is out of range, also if no event is left to train on.
    """
    check_between("validation_fraction", estimator.validation_fraction, 0, 1)
    check_count("seed", estimator.seed, minimum=0)
    n = len(columns[0])
    held = max(1, int(estimator.validation_fraction * n))
    if held >= n:
        raise ValueError(
            f"validation_fraction: found {estimator.validation_fraction} of {n} event(s), one must be left"
        )
    order = torch.randperm(n, generator=torch.Generator().manual_seed(estimator.seed))
    return fit(
        estimator.network_,
        lambda network, *batch: error(network, *batch).mean(),
        tuple(column[order[held:]] for column in columns),
        tuple(column[order[:held]] for column in columns),
        epochs=estimator.epochs,
        batch_size=estimator.batch_size,
        learning_rate=estimator.learning_rate,
        seed=estimator.seed,
        progress=estimator.progress,
        label=type(estimator).__name__,
    )
