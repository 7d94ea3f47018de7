"""Exercises of the lab "Calibrating a calorimeter"."""

from itertools import pairwise

import numpy as np
from scipy.optimize import nnls

from hepml_labs.regression.closure import closure_and_resolution, log_response, quadrature_fit, response_pull
from hepml_labs.teaching import Exercise, Mistake


def _energies(rng, n=40):
    energy_true = np.exp(rng.uniform(0, 6, n))
    return energy_true * np.exp(rng.normal(-0.3, 0.2, n)), energy_true


def _binned_inputs(rng):
    edges = np.array([2.0, 10.0, 40.0, 300.0])
    energy, energy_true = _energies(rng, 600)
    return energy_true, energy, edges


def _pull_inputs(rng):
    energy, energy_true = _energies(rng)
    return energy, energy_true, np.exp(rng.normal(-0.3, 0.2, 40)), rng.uniform(0.05, 0.4, 40)


def _resolution_inputs(rng):
    energy = np.geomspace(5, 800, 9) * rng.uniform(0.95, 1.05, 9)
    stochastic, noise, constant = rng.uniform(0.3, 0.7), rng.uniform(0.6, 1.2), rng.uniform(0.03, 0.06)
    resolution = np.sqrt(stochastic**2 / energy + (noise / energy) ** 2 + constant**2)
    error = resolution * rng.uniform(0.01, 0.04, 9)
    return energy, resolution + 0.7 * error * rng.choice([-1, 1], 9), error


def _binned_with(summary, variable=None):
    """Return closure_and_resolution with other statistics, or with other bins."""

    def wrong(energy_true, energy, edges):
        bins = energy_true if variable is None else energy
        rows = []
        for low, high in pairwise(edges):
            inside = (bins >= low) & (bins < high)
            rows.append(summary(energy[inside], energy_true[inside]))
        return tuple(np.array(rows).T)

    return wrong


def _quantiles(ratio):
    low, median, high = np.quantile(ratio, [0.16, 0.5, 0.84])
    return median, (high - low) / 2


def _terms(energy):
    return np.stack([1 / energy, 1 / energy**2, np.ones_like(energy)], axis=1)


def _fit_with(error_of_square, change=np.sqrt):
    """Return quadrature_fit with another weight, or with something else done to the squares."""

    def wrong(energy, resolution, error):
        weight = 1 / error_of_square(resolution, error)
        squares, _ = nnls(_terms(energy) * weight[:, None], resolution**2 * weight)
        return change(squares)

    return wrong


def _linear_sum(energy, resolution, error):
    terms = np.sqrt(_terms(energy))
    return nnls(terms / error[:, None], resolution / error)[0]


EXERCISES = [
    Exercise(
        name="regression.log_response",
        reference=log_response,
        inputs=_energies,
        mistakes=(
            Mistake(
                "That is the logarithm of the inverse, the factor to multiply with. The response is what the detector "
                "shows of what was there.",
                lambda energy, energy_true: np.log(energy_true / energy),
            ),
            Mistake(
                "That is the response itself, without the logarithm.", lambda energy, energy_true: energy / energy_true
            ),
            Mistake(
                "That is the logarithm to base 10; a width of ln R is a relative uncertainty, one of log10 R is not.",
                lambda energy, energy_true: np.log10(energy / energy_true),
            ),
            Mistake(
                "That is the relative shift R - 1. It is near ln R only when R is near 1.",
                lambda energy, energy_true: energy / energy_true - 1,
            ),
        ),
        hints=(
            "The response compares the observed energy with the true one.",
            "R = E_obs / E_true, and a natural logarithm around it.",
            "np.log(energy / energy_true).",
        ),
    ),
    Exercise(
        name="regression.closure_and_resolution",
        reference=closure_and_resolution,
        inputs=_binned_inputs,
        points=2,
        mistakes=(
            Mistake(
                "The bins are in the reconstructed energy. Then the spectrum decides how many clusters migrate in from "
                "either side; closure is asked for at a given true energy.",
                _binned_with(
                    lambda energy, truth: (lambda m, w: (m, w / m))(*_quantiles(energy / truth)), variable="energy"
                ),
            ),
            Mistake(
                "Mean and standard deviation follow the tails. Use the quantiles.",
                _binned_with(lambda energy, truth: ((r := energy / truth).mean(), r.std() / r.mean())),
            ),
            Mistake(
                "The median is right. The width is not divided by it: a calibration that halves all energies would "
                "seem to halve the resolution.",
                _binned_with(lambda energy, truth: _quantiles(energy / truth)),
            ),
            Mistake(
                "The median is right. The distance of the two quantiles is the full width; a resolution is half of it.",
                _binned_with(lambda energy, truth: (lambda m, w: (m, 2 * w / m))(*_quantiles(energy / truth))),
            ),
            Mistake(
                "The ratio is upside down: it should be the reconstructed energy over the true one.",
                _binned_with(lambda energy, truth: (lambda m, w: (m, w / m))(*_quantiles(truth / energy))),
            ),
        ),
        hints=(
            "For each bin: which clusters have a true energy inside of it? Then look at their ratio E / E_true.",
            "np.quantile(ratio, [0.16, 0.5, 0.84]) gives the three numbers that you need.",
            "median = middle; resolution = (upper - lower) / 2 / middle. Collect both, one entry per bin.",
        ),
    ),
    Exercise(
        name="regression.response_pull",
        reference=response_pull,
        inputs=_pull_inputs,
        mistakes=(
            Mistake(
                "The sign is flipped: the pull is prediction minus truth.",
                lambda energy, truth, response, sigma: (np.log(energy / truth) - np.log(response)) / sigma,
            ),
            Mistake(
                "sigma belongs to ln R, so the difference must be one of logarithms.",
                lambda energy, truth, response, sigma: (response - energy / truth) / sigma,
            ),
            Mistake(
                "Divide by sigma, not by its square: a pull has no unit and no extra factor.",
                lambda energy, truth, response, sigma: (np.log(response) - np.log(energy / truth)) / sigma**2,
            ),
            Mistake(
                "That is the residual. It still has to be measured in units of the predicted uncertainty.",
                lambda energy, truth, response, sigma: np.log(response) - np.log(energy / truth),
            ),
            Mistake(
                "The true response is E_obs / E_true, not its inverse.",
                lambda energy, truth, response, sigma: (np.log(response) - np.log(truth / energy)) / sigma,
            ),
        ),
        hints=(
            "A pull is a residual in units of its uncertainty. The network predicts ln R and the uncertainty of ln R.",
            "Residual: ln of the predicted response minus ln of the true one, E_obs / E_true.",
            "(np.log(response) - np.log(energy / energy_true)) / sigma.",
        ),
    ),
    Exercise(
        name="regression.quadrature_fit",
        reference=quadrature_fit,
        inputs=_resolution_inputs,
        points=2,
        rtol=1e-3,
        mistakes=(
            Mistake(
                "The terms are added linearly. Independent fluctuations add in quadrature: fit the squares.",
                _linear_sum,
            ),
            Mistake(
                "Those are the squares of a, b and c.", _fit_with(lambda s, ds: 2 * s * ds, lambda squares: squares)
            ),
            Mistake(
                "The weight uses the error of sigma/E, but the fit is to its square: d(s^2) = 2 s ds.",
                _fit_with(lambda s, ds: ds),
            ),
            Mistake("All bins weigh the same: divide each row by its error.", _fit_with(lambda s, ds: np.ones_like(s))),
            Mistake(
                "a and b are exchanged: the stochastic term goes with 1/sqrt(E), the noise term with 1/E.",
                _fit_with(lambda s, ds: 2 * s * ds, lambda squares: np.sqrt(squares[[1, 0, 2]])),
            ),
        ),
        hints=(
            "(sigma/E)^2 = a^2 / E + b^2 / E^2 + c^2 is linear in the unknowns a^2, b^2, c^2.",
            "Divide each row of the matrix, and each (sigma/E)^2, by the error of the square: 2 * resolution * error.",
            "np.stack([1 / energy, 1 / energy**2, np.ones_like(energy)], axis=1) is the matrix; nnls(matrix, right)[0] "
            "gives the squares; take the root.",
        ),
    ),
]
