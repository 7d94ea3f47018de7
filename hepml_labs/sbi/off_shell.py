r"""Learned density ratios for signal strengths with interference.

With :math:`\kappa = \sqrt\mu` the differential cross-section is a polynomial, :math:`d\sigma = \mu\,d\sigma_S
+ \sqrt\mu\,d\sigma_I + d\sigma_B`, and also a sum of positive *components* (densities that can be simulated),
:math:`d\sigma = \sum_c \nu_c(\mu)\,p_c`, with yields :math:`\nu_c` that may be negative. The network learns
:math:`r_c(x) = p_c(x)/p'(x)`; the likelihood is in `mixture_likelihood`. ATLAS, arXiv:2412.01600, section 3.
"""

import numpy as np
import torch
from torch import nn

from hepml_labs.nn import MLP, Ensemble, Standardizer
from hepml_labs.physics.morphing import Morphing
from hepml_labs.training import fit, predict
from hepml_labs.validation import to_numpy

__all__ = ["MixtureRatio", "benchmark_yields", "network_inputs"]


def network_inputs(x):
    """Inputs of a network: symmetric events made alike, the mass as a logarithm, azimuths as sines and cosines.

    Exchanging the two protons or the two Z bosons changes no density. So events are turned round until rapidity and
    scattering angle are positive: a network need not learn what is known.

    Parameters
    ----------
    x : array, (n, 9)
        Columns as :data:`hepml_labs.physics.off_shell_zz.FEATURES`.

    Returns
    -------
    array, (n, 13)

    Examples
    --------
    >>> network_inputs(np.ones((2, 9))).shape
    (2, 13)
    """
    x = to_numpy("x", x, ("n", 9)).copy()
    turned = x[:, 1] < 0  # the protons
    x[turned, 1], x[turned, 4], x[turned, 7:] = -x[turned, 1], -x[turned, 4], x[turned, 7:] + np.pi
    turned = x[:, 4] < 0  # the Z bosons
    x[turned, 4], x[turned, 7:] = -x[turned, 4], x[turned, 7:] + np.pi
    for first in (2, 5, 7):
        x[turned, first], x[turned, first + 1] = x[turned, first + 1], x[turned, first].copy()
    first, second = x[:, 7], x[:, 8]
    angles = [f(angle) for angle in (first, second, first + second) for f in (np.cos, np.sin)]
    return np.column_stack([np.log(x[:, 0]), x[:, 1:7], *angles])


def benchmark_yields(mu, benchmarks, totals):
    r"""Yields of benchmarks whose sum has any signal strength: :math:`\nu_b(\mu) = w_b(\sqrt\mu)\,\sigma_b`.

    Parameters
    ----------
    mu : array, (m,)
        Signal strengths, not negative.
    benchmarks : sequence of three floats
        Signal strengths of the benchmarks; `numpy.inf` stands for the signal alone.
    totals : array, (3,)
        Cross-section, or events, of each benchmark; of the signal at mu = 1 for `numpy.inf`.

    Returns
    -------
    array, (m, 3)
        Each row sums to the total at mu.

    Raises
    ------
    ValueError
        If `mu` is negative, or two benchmarks are the same.

    Examples
    --------
    Signal alone, all at mu = 1, background: the weights are mu - sqrt(mu), sqrt(mu), 1 - sqrt(mu).

    >>> benchmark_yields(np.array([4.0]), (np.inf, 1.0, 0.0), np.ones(3))
    array([[ 2.,  2., -1.]])
    """
    mu = to_numpy("mu", mu, ("m",))
    totals = to_numpy("totals", totals, (3,))
    if (mu < 0).any():
        raise ValueError(f"mu: found {mu.min():.4g}, expected none below zero")
    strengths = np.asarray(benchmarks, dtype=float)
    if strengths.shape != (3,) or len(np.unique(strengths)) < 3 or (strengths < 0).any():
        raise ValueError(f"benchmarks: found {benchmarks}, expected three different numbers, none below zero")
    kappa, infinite = np.sqrt(mu)[:, None], np.isinf(strengths)
    if not infinite.any():
        return Morphing(np.sqrt(strengths)[:, None]).weights(kappa) * totals
    # a line through two benchmarks, and the signal takes what is missing of the parabola
    low, high = np.sqrt(strengths[~infinite])
    weights = np.empty((len(mu), 3))
    weights[:, ~infinite] = np.hstack([high - kappa, kappa - low]) / (high - low)
    weights[:, infinite] = (kappa - low) * (kappa - high)
    return weights * totals


class MixtureRatio:
    r"""Ratios of several densities to their mean, learned by one network with a softmax.

    At equal total weights the best output for class c is :math:`p_c(x) / \sum_{c'} p_{c'}(x)`, so C times the output is
    :math:`p_c/p'` with the reference :math:`p' = \frac1C\sum_c p_c`: positive, below C, and never without support.

    Parameters
    ----------
    hidden : tuple of int
        Widths of the hidden layers.
    epochs, batch_size, learning_rate
        Passed to :func:`hepml_labs.training.fit`.
    members : int
        Networks of the ensemble; their ratios are averaged.
    seed : int
    progress : bool

    Attributes
    ----------
    network_ : torch.nn.Module
        Maps (n, d) to (members, n, C).

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> label = np.repeat([0, 1], 4000)
    >>> x = random.normal(size=(8000, 1)) + label[:, None]
    >>> mixture = MixtureRatio(hidden=(16,), epochs=10, batch_size=256, members=1).fit(x, np.eye(2)[label])
    >>> mixture.ratios(np.array([[0.5]])).round(1)                                      # where the densities cross
    array([[1., 1.]])
    """

    def __init__(
        self, hidden=(96, 96), epochs=12, batch_size=1024, learning_rate=3e-3, members=1, seed=0, progress=False
    ):
        self.hidden, self.epochs, self.batch_size, self.learning_rate = hidden, epochs, batch_size, learning_rate
        self.members, self.seed, self.progress = members, seed, progress

    def fit(self, x, weights):
        """Train on events.

        Parameters
        ----------
        x : array, (n, d)
            Inputs.
        weights : array, (n, C)
            Weight of each event in each component, none negative: one column above zero in samples that were simulated
            one by one, several where each event knows its weights ("gold"). Columns are brought to equal sums.

        Returns
        -------
        MixtureRatio
            Itself.

        Raises
        ------
        ValueError
            If shapes do not fit, or weights are negative, or a column is zero.
        """
        x = to_numpy("x", x, ("n", "d"))
        weights = to_numpy("weights", weights, (len(x), "C"))
        if (weights < 0).any() or (weights.sum(0) <= 0).any():
            raise ValueError("weights: expected none below zero, and a positive sum in each column")
        weights = weights / weights.mean(0) / weights.shape[1]
        x, weights = (torch.tensor(values, dtype=torch.float32) for values in (x, weights))

        def loss(model, x, weights):
            # the sum over the members gives each the gradient that it would have alone
            return -(weights * torch.log_softmax(model(x), dim=-1)).sum((0, 2)).mean()

        def network():
            return MLP(x.shape[1], weights.shape[1], self.hidden)

        self.network_ = nn.Sequential(Standardizer.fit(x), Ensemble(network, self.members, self.seed))
        options = dict(epochs=self.epochs, batch_size=self.batch_size, learning_rate=self.learning_rate)
        self.history_ = fit(
            self.network_, loss, (x, weights), **options, seed=self.seed, progress=self.progress, label="mixture"
        )
        return self

    def ratios(self, x):
        """Estimates of p_c(x)/p'(x).

        Parameters
        ----------
        x : array, (n, d)

        Returns
        -------
        array, (n, C)
            Positive; each row sums to C.
        """
        x = torch.tensor(to_numpy("x", x, ("n", "d")), dtype=torch.float32)
        outputs = predict(nn.Sequential(self.network_, _MembersLast()), x).numpy().astype(np.float64)
        return outputs.mean(-1) * outputs.shape[1]


class _MembersLast(nn.Module):
    def forward(self, output):
        return output.softmax(-1).permute(1, 2, 0)
