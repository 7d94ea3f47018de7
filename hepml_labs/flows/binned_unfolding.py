r"""Iterative Bayesian unfolding in bins, the rival of everything without bins.

D'Agostini, Nucl. Instrum. Meth. A 362 (1995) 487; as an algorithm to find the maximum of a Poisson likelihood it is
older (Richardson and Lucy in astronomy, Shepp and Vardi in tomography).
"""

import numpy as np

from hepml_labs.validation import check_array, check_count

__all__ = ["bayes_step", "iterative_bayesian_unfolding"]


def bayes_step(response, observed, prior):
    r"""One step of iterative Bayesian unfolding.

    .. math::

        \lambda_i' = \frac{1}{\varepsilon_i}\sum_j n_j\,\frac{R_{ji}\lambda_i}{\sum_k R_{jk}\lambda_k} ,\qquad
        \varepsilon_i = \sum_j R_{ji}

    Parameters
    ----------
    response : array, (measured bins, true bins)
        R_ji, the probability that an event of true bin i is selected and measured in bin j.
    observed : array, (measured bins,)
        Numbers n_j of measured events.
    prior : array, (true bins,)
        Expected numbers of events before the step, above zero.

    Returns
    -------
    array, (true bins,)

    Raises
    ------
    ValueError
        If the shapes disagree, or a measured bin with events cannot be reached.

    Examples
    --------
    >>> response = np.array([[0.8, 0.2], [0.2, 0.8]])
    >>> bayes_step(response, np.array([70.0, 50.0]), np.array([60.0, 60.0]))
    array([66., 54.])
    """
    check_array("response", response, ("measured", "true"))
    check_array("observed", np.asarray(observed, dtype=float), (len(response),))
    check_array("prior", prior, (response.shape[1],), positive=True)
    joint = response * prior
    folded = joint.sum(axis=1)
    if ((folded <= 0) & (np.asarray(observed) > 0)).any():
        raise ValueError("response: found a measured bin with events and no probability, expected some in each")
    posterior = joint / np.where(folded > 0, folded, 1.0)[:, None]
    efficiency = response.sum(axis=0)
    return np.asarray(observed) @ posterior / np.where(efficiency > 0, efficiency, 1.0)


def iterative_bayesian_unfolding(response, observed, prior, iterations):
    """Iterate `bayes_step`, each result the prior of the next.

    Parameters
    ----------
    response, observed, prior : arrays
        As in `bayes_step`.
    iterations : int

    Returns
    -------
    array, (iterations + 1, true bins)
        The prior and the result of each iteration.

    Examples
    --------
    The folded truth is a fixed point, reached slowly where migrations are large:

    >>> response = np.array([[0.8, 0.2], [0.2, 0.8]])
    >>> observed = response @ np.array([80.0, 40.0])
    >>> iterative_bayesian_unfolding(response, observed, np.array([60.0, 60.0]), 4).round(1)
    array([[60. , 60. ],
           [67.2, 52.8],
           [71.8, 48.2],
           [74.7, 45.3],
           [76.5, 43.5]])
    """
    check_count("iterations", iterations, minimum=0)
    results = [np.asarray(prior, dtype=float)]
    for _ in range(iterations):
        results.append(bayes_step(response, observed, results[-1]))
    return np.stack(results)
