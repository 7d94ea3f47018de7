"""Exercises of the lab "Background from data"."""

import numpy as np

from hepml_labs.classification.abcd import abcd
from hepml_labs.classification.transfer import transfer_weights
from hepml_labs.physics.higgs_pairs import x_hh
from hepml_labs.teaching import Exercise, Mistake

CENTRE = 124.0, 117.0  # GeV


def abcd_estimate(count_b, count_c, count_d):
    """Expected events in A and their error, from the counts in B, C and D.

    Parameters
    ----------
    count_b, count_c, count_d : int
        Events in the regions that share a side with A (B, C) and in the one opposite (D), all above zero.

    Returns
    -------
    value, error : float
        N_B N_C / N_D with its error by linear propagation.

    Raises
    ------
    ValueError
        As :func:`hepml_labs.classification.abcd.abcd`.

    Examples
    --------
    >>> value, error = abcd_estimate(40, 50, 100)
    >>> value, round(error, 2)
    (20.0, 4.69)
    """
    estimate = abcd(count_b, count_c, count_d)
    return estimate.value, estimate.error


def bootstrap_covariance(histograms):
    """Mean histogram of bootstrap members and the covariance between its bins.

    Parameters
    ----------
    histograms : array of shape (members, bins)
        One predicted histogram per member.

    Returns
    -------
    mean : array of shape (bins,)
    covariance : array of shape (bins, bins)

    Examples
    --------
    >>> mean, covariance = bootstrap_covariance(np.array([[1.0, 4.0], [3.0, 2.0]]))
    >>> mean, covariance
    (array([2., 3.]), array([[ 2., -2.],
           [-2.,  2.]]))
    """
    return histograms.mean(axis=0), np.cov(histograms.T)


def _masses(rng):
    n = int(rng.integers(5, 9))
    return rng.uniform(60, 200, size=n), rng.uniform(60, 200, size=n)


def _x_hh_with(scale_1=lambda m1, m2: 0.1 * m1, scale_2=lambda m1, m2: 0.1 * m2, centre=CENTRE, combine=np.hypot):
    def wrong(m1, m2):
        return combine((m1 - centre[0]) / scale_1(m1, m2), (m2 - centre[1]) / scale_2(m1, m2))

    return wrong


def _counts(rng):
    return tuple(int(count) for count in rng.integers((20, 50, 200), (200, 400, 900)))


def _abcd_with(value=lambda b, c, d: b * c / d, relative=lambda b, c, d: np.sqrt(1 / b + 1 / c + 1 / d)):
    def wrong(count_b, count_c, count_d):
        estimate = value(count_b, count_c, count_d)
        return estimate, estimate * relative(count_b, count_c, count_d)

    return wrong


def _ratios(rng):
    events, control = rng.integers(4, 9, size=2)
    return rng.normal(size=(3, events)), rng.normal(size=(3, control + 9)), float(rng.integers(20, 90))


def _histograms(rng):
    members, bins = int(rng.integers(6, 10)), int(rng.integers(3, 6))
    together = rng.normal(size=(members, 1))
    return (rng.uniform(20, 40, size=bins) + rng.normal(size=(members, bins)) + 2 * together,)


def _covariance_with(covariance):
    def wrong(histograms):
        return histograms.mean(axis=0), covariance(histograms)

    return wrong


EXERCISES = [
    Exercise(
        name="classification.x_hh",
        reference=x_hh,
        inputs=_masses,
        mistakes=(
            Mistake(
                "The root is missing: this is the square of the distance.", _x_hh_with(combine=lambda a, b: a**2 + b**2)
            ),
            Mistake(
                "The resolution is 10 % of the measured mass of the candidate, not of the centre.",
                _x_hh_with(lambda m1, m2: 0.1 * CENTRE[0], lambda m1, m2: 0.1 * CENTRE[1]),
            ),
            Mistake(
                "The centre is at 124 GeV for the first candidate and 117 GeV for the second.",
                _x_hh_with(centre=CENTRE[::-1]),
            ),
            Mistake(
                "You add the two distances. They are the legs of a right-angled triangle.",
                _x_hh_with(combine=lambda a, b: np.abs(a) + np.abs(b)),
            ),
            Mistake(
                "The resolution of 10 % is missing: divide by 0.1 m.", _x_hh_with(lambda m1, m2: m1, lambda m1, m2: m2)
            ),
        ),
        hints=(
            "How far is each mass from its centre, in units of its resolution?",
            "(m1 - 124) / (0.1 * m1) is one leg; the other is the same for m2 with its own centre.",
            "np.sqrt(((m1 - 124) / (0.1 * m1)) ** 2 + (...) ** 2)",
        ),
    ),
    Exercise(
        name="classification.abcd_estimate",
        reference=abcd_estimate,
        inputs=_counts,
        mistakes=(
            Mistake(
                "B and C share a side with A, D does not: A / B = C / D.", _abcd_with(value=lambda b, c, d: b * d / c)
            ),
            Mistake(
                "The value is right, the error is not: independent relative errors add in quadrature.",
                _abcd_with(relative=lambda b, c, d: b**-0.5 + c**-0.5 + d**-0.5),
            ),
            Mistake(
                "The error of a quotient does not shrink because N_D fluctuates: all three variances add.",
                _abcd_with(relative=lambda b, c, d: np.sqrt(np.abs(1 / b + 1 / c - 1 / d))),
            ),
            Mistake(
                "This is the relative error. Multiply it by the estimate.",
                lambda b, c, d: (b * c / d, np.sqrt(1 / b + 1 / c + 1 / d)),
            ),
            Mistake(
                "The root of the estimate is how much a count in A would fluctuate. The error of the *expected* events "
                "comes from the three counts that you used.",
                lambda b, c, d: (b * c / d, np.sqrt(b * c / d)),
            ),
            Mistake("This is the variance: take the root.", lambda b, c, d: (b * c / d, _abcd_with()(b, c, d)[1] ** 2)),
        ),
        hints=(
            "If the two variables are independent, the fraction that passes one cut does not depend on the other.",
            "N_A / N_B = N_C / N_D. A count N has the relative error 1 / sqrt(N).",
            "value * np.sqrt(1 / count_b + 1 / count_c + ...)",
        ),
    ),
    Exercise(
        name="classification.transfer_weights",
        reference=transfer_weights,
        inputs=_ratios,
        mistakes=(
            Mistake(
                "The ratio of normalised densities is not yet a number of events: nothing fixes the normalisation.",
                lambda log_ratio, control, target: np.exp(log_ratio),
            ),
            Mistake(
                "You fix the sum of the weights in the signal region. How many events are there is what we want to "
                "know; the control region must give the normalisation.",
                lambda log_ratio, control, target: (
                    np.exp(log_ratio) * target / np.exp(log_ratio).sum(axis=-1, keepdims=True)
                ),
            ),
            Mistake(
                "The network gives the *logarithm* of the ratio.",
                lambda log_ratio, control, target: log_ratio * target / control.sum(axis=-1, keepdims=True),
            ),
            Mistake(
                "You divide by the sum over all members. Each has its own normalisation: sum over the last axis.",
                lambda log_ratio, control, target: np.exp(log_ratio) * target / np.exp(control).sum(),
            ),
            Mistake(
                "With the mean in place of the sum the weights of the control region add up to the wrong number.",
                lambda log_ratio, control, target: (
                    np.exp(log_ratio) * target / np.exp(control).mean(axis=-1, keepdims=True)
                ),
            ),
            Mistake(
                "This only scales by the numbers of events: what was learned about each event is forgotten.",
                lambda log_ratio, control, target: np.full_like(log_ratio, target / control.shape[-1]),
            ),
        ),
        hints=(
            "In the control region the weighted 2-tag events must add up to the 4-tag events. Which factor does it?",
            "w = r * N_target / (sum of r over the control region), with r = exp(log r).",
            "np.exp(log_ratio) * control_target / np.exp(control_log_ratio).sum(axis=..., keepdims=True)",
        ),
    ),
    Exercise(
        name="classification.bootstrap_covariance",
        reference=bootstrap_covariance,
        inputs=_histograms,
        mistakes=(
            Mistake(
                "The members are a sample: divide by their number minus one.",
                _covariance_with(lambda histograms: np.cov(histograms.T, ddof=0)),
            ),
            Mistake(
                "Divided by the number of members this is the error of the mean over members. Each member stands for "
                "one repetition of the experiment: their spread is the error.",
                _covariance_with(lambda histograms: np.cov(histograms.T) / len(histograms)),
            ),
            Mistake(
                "Your covariance is between members. Between bins it must have the shape (bins, bins).",
                _covariance_with(np.cov),
            ),
            Mistake(
                "Only the diagonal is there, but the bins move together: one network predicts them all.",
                _covariance_with(lambda histograms: np.diag(histograms.var(axis=0, ddof=1))),
            ),
            Mistake(
                "This is the correlation matrix; the covariance has the units of events squared.",
                _covariance_with(lambda histograms: np.corrcoef(histograms.T)),
            ),
            Mistake(
                "The average of the products is not the covariance before the means are taken off.",
                _covariance_with(lambda histograms: histograms.T @ histograms / len(histograms)),
            ),
        ),
        hints=(
            "Take the mean over the members (axis 0), and look at how far each member is from it.",
            "C_kl = sum over members of (h_k - mean_k) (h_l - mean_l), over (members - 1).",
            "np.cov expects one row per variable: the bins, not the members.",
        ),
    ),
]
