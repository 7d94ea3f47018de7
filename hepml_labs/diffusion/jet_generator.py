"""JetGPT as an estimator: arrays of pT, rapidity and azimuth in, densities and events out."""

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from hepml_labs.diffusion.jet_coordinates import JetRepresentation
from hepml_labs.diffusion.jet_gpt import JetGPT
from hepml_labs.physics.jet_radiation import count_jets
from hepml_labs.training import fit, predict
from hepml_labs.validation import check_between, check_count, to_numpy

__all__ = ["JetGenerator"]


def _loss(network, x, mask, open_end, weight):
    return -(weight * network.log_prob(x, mask, open_end)).mean()


class _Density(torch.nn.Module):
    """The density as the forward pass of a module, for `predict`."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x, mask):
        return self.network.log_prob(x, mask)


class JetGenerator(BaseEstimator):
    """Learn the density of events with any number of jets, and generate more of them.

    Parameters
    ----------
    hard : int
        Rows of each event before the jets, always there and not ordered.
    minimum_jets : int
        Jets that the selection asks for.
    largest : int, optional
        Only the first so many jets of each event are shown to the network. It is not told whether an event with that
        many went on: their likelihood lacks the factor 1 - p_split. None: all jets, with the end of every event.
    minimum_pt, maximum_pt, maximum_rapidity : float
        See `JetRepresentation`; GeV.
    width, heads, layers, components, positions : int
        See `JetGPT`.
    epochs, batch_size, learning_rate, seed, progress
        As in `hepml_labs.flows.estimator.FlowEstimator`.

    Attributes
    ----------
    network : JetGPT
    representation_ : JetRepresentation
    history_ : hepml_labs.training.History
        Mean -log p in the latent coordinates.

    Notes
    -----
    arXiv:2412.12074; `largest` on events without a cut on the number of jets is an inclusive last bin, on events that
    were cut there it is that paper's truncated loss.

    Examples
    --------
    >>> from hepml_labs.physics.jet_radiation import JetRadiation
    >>> truth = JetRadiation(primary=0.4)
    >>> x = truth.sample(2000, seed=1, maximum=6)
    >>> generator = JetGenerator(maximum_pt=320.0, maximum_rapidity=4.0, epochs=2, width=8).fit(x)
    >>> generator.score_samples(x[:3]).shape, generator.sample(4, seed=2).shape
    ((3,), (4, 12, 3))
    """

    def __init__(
        self,
        hard=0,
        minimum_jets=0,
        largest=None,
        minimum_pt=20.0,
        maximum_pt=6500.0,
        maximum_rapidity=5.0,
        width=32,
        heads=2,
        layers=1,
        components=6,
        positions=0,
        epochs=20,
        batch_size=256,
        learning_rate=3e-3,
        seed=0,
        progress=False,
    ):
        self.hard = hard
        self.minimum_jets = minimum_jets
        self.largest = largest
        self.minimum_pt = minimum_pt
        self.maximum_pt = maximum_pt
        self.maximum_rapidity = maximum_rapidity
        self.width = width
        self.heads = heads
        self.layers = layers
        self.components = components
        self.positions = positions
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.seed = seed
        self.progress = progress

    def fit(self, x, sample_weight=None, validation=0.2):
        """Train on events.

        Parameters
        ----------
        x : array, (n, rows, 3)
            pT in GeV, rapidity and azimuth of the hard particles and the jets, in order of pT; then rows of zeros.
        sample_weight : array, (n,), optional
            Their sum is above zero.
        validation : float
            Share of the events, in (0, 1), held back; the weights of the best epoch on them are kept.

        Returns
        -------
        JetGenerator
            Itself.

        Raises
        ------
        ValueError
            If an array has not this shape, jets are not ordered or violate the cuts, or an option is out of range.
        """
        x = to_numpy("x", x, ("n", "rows", 3))
        check_between("validation", validation, 0, 1)
        check_count("seed", self.seed, minimum=0)
        weight = np.ones(len(x)) if sample_weight is None else to_numpy("sample_weight", sample_weight, (len(x),))
        if not weight.sum() > 0:
            raise ValueError(f"sample_weight: found a sum of {weight.sum():.4g}, expected it above zero")
        self.representation_ = JetRepresentation(self.hard, self.minimum_pt, self.maximum_pt, self.maximum_rapidity)
        number = count_jets(x) - self.hard
        if number.min() < self.minimum_jets:
            raise ValueError(f"x: found an event of {number.min()} jets, expected at least {self.minimum_jets}")
        open_end = np.zeros(len(x), dtype=bool)
        shown = number.max()
        if self.largest is not None:
            check_count("largest", self.largest, minimum=max(1, self.minimum_jets))
            open_end, shown = number >= self.largest, min(shown, self.largest)
        x = x[:, : self.hard + max(shown, 1)]
        latent, _ = self.representation_.forward(x.astype(np.float64))
        weight = weight / weight.mean()
        columns = [torch.tensor(latent).float(), torch.tensor(x[..., 0] > 0), torch.tensor(open_end)]
        columns.append(torch.tensor(weight).float())
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self.network = JetGPT(
                self.hard,
                self.minimum_jets,
                self.representation_.log_range,
                self.width,
                self.heads,
                self.layers,
                self.components,
                self.positions,
            )
        order = torch.tensor(np.random.default_rng(self.seed).permutation(len(x)))
        held, kept = order.tensor_split([max(1, int(validation * len(x)))])
        self.history_ = fit(
            self.network,
            _loss,
            tuple(column[kept] for column in columns),
            tuple(column[held] for column in columns),
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            schedule="one-cycle",
            gradient_clip=5.0,
            seed=self.seed,
            progress=self.progress,
            label="JetGPT",
        )
        self.type_ = x.dtype
        return self

    def score_samples(self, x):
        """Logarithm of the density of events (n, rows, 3), per GeV, unit of rapidity and radian for each real row."""
        check_is_fitted(self, "network")
        x = to_numpy("x", x, ("n", "rows", 3))
        latent, log_det = self.representation_.forward(x.astype(np.float64))
        log_prob = predict(_Density(self.network), torch.tensor(latent).float(), torch.tensor(x[..., 0] > 0))
        return (log_prob.numpy() + log_det).astype(x.dtype)

    def sample(self, n, seed=0, maximum=12):
        """Draw events.

        Parameters
        ----------
        n : int
            Number of events.
        seed : int
            Of the draws.
        maximum : int
            Most jets.

        Returns
        -------
        array, (n, hard + maximum, 3)
            As in `fit`, in its floating-point type.

        Raises
        ------
        ValueError
            If a number is no positive whole one.
        """
        check_is_fitted(self, "network")
        check_count("n", n)
        check_count("maximum", maximum)
        check_count("seed", seed, minimum=0)
        latent, real = self.network.sample(n, next(self.network.parameters()), seed, maximum)
        return self.representation_.inverse(latent.cpu().double().numpy(), real.cpu().numpy()).astype(self.type_)
