"""Exercises of the lab "Off-shell Higgs bosons"."""

import numpy as np

from hepml_labs.teaching import Exercise, Mistake


def interference_mixture(mu, signal, interference, background):
    """Differential cross-section at the signal strength mu.

    Parameters
    ----------
    mu : float
        Signal strength, not negative.
    signal, interference, background : arrays of shape (n,)
        Differential cross-sections at mu = 1.

    Returns
    -------
    array of shape (n,)

    Examples
    --------
    >>> interference_mixture(4.0, np.array([1.0]), np.array([-1.0]), np.array([3.0]))
    array([5.])
    """
    return mu * signal + np.sqrt(mu) * interference + background


def benchmark_weights(mu):
    """Weights of the samples S (signal alone), SBI (all at mu = 1) and B (mu = 0) whose sum has the strength mu.

    Parameters
    ----------
    mu : float
        Signal strength, not negative.

    Returns
    -------
    array of shape (3,)
        In the order S, SBI, B.

    Examples
    --------
    >>> benchmark_weights(4.0)
    array([ 2.,  2., -1.])
    """
    return np.array([mu - np.sqrt(mu), np.sqrt(mu), 1 - np.sqrt(mu)])


def extended_nll(ratios, yields):
    """Extended negative log-likelihood of events under a mixture, without constants.

    Parameters
    ----------
    ratios : array of shape (n, C)
        p_c(x_i) / p'(x_i) of each event and component.
    yields : array of shape (C,)
        Expected events of each component; some may be negative.

    Returns
    -------
    float

    Examples
    --------
    >>> float(extended_nll(np.ones((3, 2)), np.array([2.0, 1.0])).round(3))      # 3 - 3 ln 3
    -0.296
    """
    return yields.sum() - np.log(ratios @ yields).sum()


def _mixture_inputs(rng):
    signal, background = rng.uniform(0.5, 2, size=(2, 6))
    return float(rng.uniform(0.2, 4)), signal, -rng.uniform(0.2, 1, size=6), background


def _nll_inputs(rng):
    return rng.uniform(0.5, 2, size=(7, 3)), np.array([12.0, 4.0, -1.0]) * rng.uniform(0.8, 1.2)


EXERCISES = [
    Exercise(
        name="sbi.interference_mixture",
        reference=interference_mixture,
        inputs=_mixture_inputs,
        mistakes=(
            Mistake(
                "The interference has one Higgs amplitude, not two: it grows like the root of mu.",
                lambda mu, s, i, b: mu * s + mu * i + b,
            ),
            Mistake("The interference is missing.", lambda mu, s, i, b: mu * s + b),
            Mistake(
                "The interference does depend on mu: it vanishes with the signal.",
                lambda mu, s, i, b: mu * s + i + b,
            ),
            Mistake(
                "mu multiplies the rate, and the amplitude by its root: the signal is proportional to mu.",
                lambda mu, s, i, b: mu**2 * s + mu * i + b,
            ),
            Mistake(
                "The sign of the interference is in its values already.",
                lambda mu, s, i, b: mu * s - np.sqrt(mu) * i + b,
            ),
        ),
        hints=(
            "The amplitude is sqrt(mu) A_H + A_B. Square it.",
            "Three terms: mu |A_H|^2, then twice a real part with one factor sqrt(mu), then |A_B|^2.",
            "mu * signal + np.sqrt(mu) * interference + background",
        ),
    ),
    Exercise(
        name="sbi.benchmark_weights",
        reference=benchmark_weights,
        inputs=lambda rng: (float(rng.uniform(0.1, 4)),),
        mistakes=(
            Mistake(
                "This is right without interference only: SBI contains the signal once, so take it off again.",
                lambda mu: np.array([mu, np.sqrt(mu), 1 - np.sqrt(mu)]),
            ),
            Mistake(
                "SBI must bring the interference with the factor sqrt(mu).",
                lambda mu: np.array([0.0, mu, 1 - mu]),
            ),
            Mistake(
                "SBI contains the background too: less of B is needed.",
                lambda mu: np.array([mu - np.sqrt(mu), np.sqrt(mu), 1.0]),
            ),
            Mistake(
                "The order is S, SBI, B.",
                lambda mu: np.array([1 - np.sqrt(mu), np.sqrt(mu), mu - np.sqrt(mu)]),
            ),
        ),
        hints=(
            "SBI = S + I + B, so I = SBI - S - B. Put it into mu S + sqrt(mu) I + B.",
            "Collect what multiplies S, SBI and B. At mu = 1 the weights are (0, 1, 0), at mu = 0 they are (0, 0, 1).",
            "np.array([mu - np.sqrt(mu), np.sqrt(mu), 1 - np.sqrt(mu)])",
        ),
    ),
    Exercise(
        name="sbi.extended_nll",
        reference=extended_nll,
        inputs=_nll_inputs,
        mistakes=(
            Mistake(
                "Without the expected number of events the likelihood is not extended, and grows with the yields.",
                lambda r, y: -np.log(r @ y).sum(),
            ),
            Mistake(
                "The rate is lost: with yields divided by their sum this is the likelihood of the shape alone.",
                lambda r, y: -np.log(r @ (y / y.sum())).sum(),
            ),
            Mistake(
                "The logarithm of a sum is not the sum of logarithms: add the components first.",
                lambda r, y: y.sum() - (np.log(r) @ y).sum(),
            ),
            Mistake("The sign is that of the log-likelihood.", lambda r, y: np.log(r @ y).sum() - y.sum()),
            Mistake("Sum over the events, do not average.", lambda r, y: y.sum() - np.log(r @ y).mean()),
        ),
        hints=(
            "Poisson times densities: exp(-nu) times the product of nu p(x_i). Take minus the logarithm.",
            "nu = yields.sum(), and nu p(x_i) / p'(x_i) is the sum of the components at event i.",
            "yields.sum() - np.log(ratios @ yields).sum()",
        ),
    ),
]
