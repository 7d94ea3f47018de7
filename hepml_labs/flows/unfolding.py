r"""Unfolding: from what was measured back to what was generated, event by event and in bins.

A conditional flow learns the posterior of one event, Bellagente et al., arXiv:2006.06685,

.. math::

    p(z|x) = \frac{p(x|z)\,p_0(z)}{\int dz'\,p(x|z')\,p_0(z')} ,

with the spectrum :math:`p_0` of the training sample as its prior. Averaged over data it gives a spectrum that still
remembers :math:`p_0`. Taking that spectrum as the next prior, and so on, is an expectation-maximisation of the
likelihood: in bins it is D'Agostini's method (`binned_unfolding`), without bins that of Backes et al.,
arXiv:2212.08674. There a flow is trained anew in each iteration; here the same draws get new weights, since a
new prior changes a posterior by the factor w(z) only.
"""

from typing import NamedTuple

import numpy as np
from scipy.stats import chi2
from sklearn.base import clone

from hepml_labs.flows.estimator import FlowEstimator
from hepml_labs.validation import check_array, check_count, to_numpy

__all__ = [
    "GenerativeUnfolding",
    "RankTest",
    "iterate_prior",
    "posterior_weights",
    "rank_statistic",
    "rank_test",
]


class Plain:
    """Nothing known: the flow learns z itself, conditional on x itself."""

    def context(self, x):
        """Give x back."""
        return x

    def forward(self, z, x):
        """Give z back, and no Jacobian."""
        return z, 0.0

    def inverse(self, y, x):
        """Give y back."""
        return y


class GenerativeUnfolding:
    """The posterior p(z | x) of single events, by a conditional flow.

    Parameters
    ----------
    residual : object, optional
        With ``context(x)``, ``forward(z, x)`` and ``inverse(y, x)`` as `residuals.MomentumResidual`; by default the
        flow learns z and sees x as they are.
    flow : FlowEstimator, optional
        Untrained.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> z = random.normal(size=(2000, 1))
    >>> x = z + random.normal(size=(2000, 1))
    >>> unfolding = GenerativeUnfolding(flow=FlowEstimator(layers=2, hidden=(16,), epochs=10)).fit(z, x)
    >>> draws = unfolding.sample(np.array([[2.0]]), 2000, seed=1)     # exactly: N(1, 1/2)
    >>> draws.shape, bool(abs(draws.mean() - 1) < 0.2)
    ((1, 2000, 1), True)
    """

    def __init__(self, residual=None, flow=None):
        self.residual, self.flow = residual or Plain(), flow or FlowEstimator()

    def fit(self, z, x, sample_weight=None):
        """Train on simulated events.

        Parameters
        ----------
        z : array, (n, d)
            Generator level.
        x : array, (n, m)
            Detector level.
        sample_weight : array, (n,), optional
            Of the events, for another prior.

        Returns
        -------
        GenerativeUnfolding
            Itself.

        Raises
        ------
        ValueError
            If the arrays disagree in length or have entries that are not finite.
        """
        z = to_numpy("z", z, ("n", "d"))
        x = to_numpy("x", x, (len(z), "m"))
        self.flow.fit(self.residual.forward(z, x)[0], self.residual.context(x), sample_weight)
        return self

    def log_density(self, z, x):
        """Logarithm of p(z | x), (n,), in units of z, for z (n, d) and x (n, m)."""
        y, log_det = self.residual.forward(z, x)
        return self.flow.score_samples(y, self.residual.context(x)) + log_det

    def sample(self, x, draws, seed=0):
        """Draw from the posterior of each event.

        Parameters
        ----------
        x : array, (n, m)
        draws : int
            For each event.
        seed : int

        Returns
        -------
        array, (n, draws, d)
        """
        check_count("draws", draws)
        repeated = np.repeat(to_numpy("x", x, ("n", "m")), draws, axis=0)
        y = self.flow.sample(context=self.residual.context(repeated), seed=seed)
        return self.residual.inverse(y, repeated).reshape(len(x), draws, -1)


class RankTest(NamedTuple):
    """Histogram of ranks and its test against a flat one.

    Attributes
    ----------
    counts : array, (bins,)
    chi_squared : float
        With ``bins - 1`` degrees of freedom.
    p_value : float
    """

    counts: np.ndarray
    chi_squared: float
    p_value: float


def rank_statistic(truth, draws):
    """Rank of the truth among draws from its posterior: how many of them are smaller.

    If the draws come from the posterior, the ranks 0 ... m are equally frequent, Talts et al., arXiv:1804.06788.

    Parameters
    ----------
    truth : array, (n,)
        One quantity of simulated events.
    draws : array, (n, m)
        The same quantity, drawn from the posterior of each event.

    Returns
    -------
    array of int, (n,)

    Raises
    ------
    ValueError
        If the arrays disagree in length.

    Examples
    --------
    >>> rank_statistic(np.array([0.5, 9.0]), np.array([[0.1, 0.2, 0.7], [1.0, 2.0, 3.0]]))
    array([2, 3])
    """
    check_array("truth", truth, ("n",))
    check_array("draws", draws, (len(truth), "m"))
    return (draws < truth[:, None]).sum(axis=1)


def rank_test(ranks, draws, bins=20):
    """Histogram ranks 0 ... m, and test whether they are equally frequent.

    Parameters
    ----------
    ranks : array of int, (n,)
    draws : int
        Their largest value m.
    bins : int
        Must divide m + 1, so that all bins hold equally many ranks.

    Returns
    -------
    RankTest

    Raises
    ------
    ValueError
        If `bins` does not divide m + 1, or a rank is out of range.

    Examples
    --------
    >>> rank_test(np.arange(100), draws=99, bins=10).counts
    array([10, 10, 10, 10, 10, 10, 10, 10, 10, 10])
    """
    check_count("bins", bins, minimum=2)
    if (draws + 1) % bins:
        raise ValueError(f"bins: found {bins}, expected a divisor of {draws + 1}")
    ranks = np.asarray(ranks)
    if ranks.min() < 0 or ranks.max() > draws:
        raise ValueError(f"ranks: found {ranks.min()} to {ranks.max()}, expected 0 to {draws}")
    counts = np.bincount(ranks * bins // (draws + 1), minlength=bins)
    expected = len(ranks) / bins
    chi_squared = float(((counts - expected) ** 2).sum() / expected)
    return RankTest(counts, chi_squared, float(chi2.sf(chi_squared, bins - 1)))


def posterior_weights(ratio):
    r"""Weights that turn draws from a posterior into draws from that of another prior.

    .. math::

        p'(z|x) = \frac{w(z)\,p(z|x)}{\int dz'\,w(z')\,p(z'|x)} ,\qquad w = p_0'/p_0

    Parameters
    ----------
    ratio : array, (n, m)
        w at the m draws of each event.

    Returns
    -------
    array, (n, m)
        Of sum one for each event.

    Examples
    --------
    >>> posterior_weights(np.array([[1.0, 3.0]]))
    array([[0.25, 0.75]])
    """
    check_array("ratio", ratio, ("n", "m"))
    return ratio / ratio.sum(axis=1, keepdims=True)


def iterate_prior(prior, draws, classifier, iterations):
    """Remove the prior of the training sample: reweight it to the unfolded data, unfold anew, and so on.

    Parameters
    ----------
    prior : array, (n_prior, k)
        Observables of the *selected* generator-level events of the training sample, in which the prior may change.
    draws : array, (n, m, k)
        The same observables of m draws from the posterior of each of n events of data.
    classifier : scikit-learn classifier
        With ``fit(X, y)`` and ``predict_proba``. It learns p' / p_0, so it should be smooth: its freedom is the
        regularisation.
    iterations : int

    Returns
    -------
    array, (iterations + 1, n, m)
        Weights of the draws, of sum one for each event; first for the prior of the training sample.

    Raises
    ------
    ValueError
        If shapes disagree.

    Notes
    -----
    The classifier sees one draw of each event, chosen by the weights: any classifier will do, as none has to take
    weights. The random numbers of the choice are the same in all iterations. Draws can only be reweighted where there
    are some: with m draws of each event the prior can move by about a factor m, and less per event than the posterior
    is wide. Beyond that, train anew with `sample_weight`.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> random = np.random.default_rng(1)
    >>> draws = random.normal(0.5, 0.7, size=(1000, 10, 1))
    >>> weights = iterate_prior(random.normal(size=(1000, 1)), draws, LogisticRegression(), iterations=2)
    >>> weights.shape, bool(np.allclose(weights.sum(2), 1))
    ((3, 1000, 10), True)
    """
    check_array("prior", prior, ("n", "k"))
    check_array("draws", draws, ("n_data", "m", prior.shape[1]))
    check_count("iterations", iterations, minimum=0)
    n, m = draws.shape[:2]
    uniform = np.random.default_rng(0).random((n, 1))
    label = np.repeat([0, 1], [len(prior), n])
    results = [np.full((n, m), 1 / m)]
    for _ in range(iterations):
        chosen = (results[-1].cumsum(axis=1) < uniform).sum(axis=1).clip(max=m - 1)
        x = np.concatenate([prior, draws[np.arange(n), chosen]])
        fitted = clone(classifier).fit(x, label)
        probability = fitted.predict_proba(draws.reshape(n * m, -1))[:, 1].clip(1e-9, 1 - 1e-9)
        results.append(posterior_weights((probability / (1 - probability)).reshape(n, m)))
    return np.stack(results)
