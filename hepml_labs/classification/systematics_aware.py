r"""Training for the measurement itself: the loss is the expected uncertainty, with systematic effects profiled.

A binned measurement of a signal strength :math:`\mu` expects :math:`\nu_b(\mu,\theta)` events in bin b; each nuisance
parameter :math:`\theta_k` is known to one standard deviation, :math:`\theta_k = 0 \pm 1`. The Fisher information at
the expected data, its Schur complement and a histogram with soft edges make :math:`\sigma_\mu` a differentiable
function of the classifier: de Castro and Dorigo, arXiv:1806.04743; Wunsch et al., arXiv:2003.07186. Derivations, and
why one number per event is enough: the lecture page "The uncertainty as the loss".
"""

import torch

from hepml_labs.validation import check_array, check_between, check_same_shape

__all__ = [
    "asimov_information",
    "efficient_score",
    "expected_uncertainty",
    "profiled_variance",
    "soft_histogram",
    "uncertainty_loss",
]


def soft_histogram(score, edges, temperature=0.05, weight=None):
    r"""Histogram of scores whose bins have soft edges, so that it has a gradient.

    Each event is shared between bins, :math:`m_b = g(s-e_{b-1}) - g(s-e_b)` with :math:`g(d) = 1/(1+e^{-d/T})`. The
    outermost bins are open, so that the shares of an event always sum to one.

    Parameters
    ----------
    score : tensor, (n,)
        Scores.
    edges : tensor, (bins - 1,)
        Rising inner edges.
    temperature : float
        Width T of an edge, in the units of the score. Zero gives an ordinary histogram, without a gradient.
    weight : tensor, (n,), optional
        Weights of the events, one by default.

    Returns
    -------
    tensor, (bins,)

    Raises
    ------
    ValueError
        If shapes differ, the edges do not rise, or the temperature is negative.

    Examples
    --------
    >>> soft_histogram(torch.tensor([0.2, 0.5]), torch.tensor([0.5]), temperature=0.1)
    tensor([1.4526, 0.5474])
    """
    check_array("score", score, ("n",))
    check_array("edges", edges, ("bins - 1",))
    check_between("temperature", temperature, 0, float("inf"), include_low=True)
    if not (edges.diff() > 0).all():
        raise ValueError(f"edges: found {edges[:5].tolist()}, expected each larger than the one before")
    distance = score[:, None] - edges
    above = torch.sigmoid(distance / temperature) if temperature else (distance >= 0).to(score.dtype)
    one = torch.ones_like(score[:, None])
    share = torch.cat([one, above], dim=1) - torch.cat([above, 0 * one], dim=1)
    if weight is None:
        return share.sum(dim=0)
    check_same_shape(weight=weight, score=score)
    return weight @ share


def asimov_information(expected, derivatives):
    r"""Fisher information of a binned measurement, with unit Gaussian constraints on all parameters but the first.

    .. math:: I_{ij} = \sum_b \frac{\partial_i\nu_b\,\partial_j\nu_b}{\nu_b} + \delta_{ij}\,[i>0]

    Parameters
    ----------
    expected : tensor, (bins,)
        Expected numbers of events. Bins that expect nothing are left out.
    derivatives : tensor, (1 + k, bins)
        By the signal strength, then by k nuisance parameters in units of their standard deviation.

    Returns
    -------
    tensor, (1 + k, 1 + k)
        Minus the second derivatives of the logarithm of the likelihood at the expected ("Asimov") data.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Examples
    --------
    100 signal events over 800 of background, which is known to 5 per cent:

    >>> asimov_information(torch.tensor([900.0]), torch.tensor([[100.0], [40.0]]))
    tensor([[11.1111,  4.4444],
            [ 4.4444,  2.7778]])
    """
    check_array("expected", expected, ("bins",))
    check_array("derivatives", derivatives, ("1 + k", len(expected)))
    filled = expected > 0
    slope = derivatives[:, filled] / expected[filled].sqrt()
    constraint = torch.ones(len(derivatives), dtype=slope.dtype, device=slope.device)
    constraint[0] = 0
    return slope @ slope.T + torch.diag(constraint)


def profiled_variance(information):
    r"""Variance of the first parameter with all others profiled: one over the Schur complement.

    .. math:: \sigma_\mu^2 = (I^{-1})_{\mu\mu} = 1 / (I_{\mu\mu} - I_{\mu\theta} I_{\theta\theta}^{-1} I_{\theta\mu})

    Parameters
    ----------
    information : tensor, (1 + k, 1 + k)

    Returns
    -------
    tensor
        Scalar.

    Raises
    ------
    ValueError
        If the matrix is not square.

    Examples
    --------
    The counting experiment above: the variance is (900 + 40^2) / 100^2.

    >>> information = asimov_information(torch.tensor([900.0]), torch.tensor([[100.0], [40.0]]))
    >>> profiled_variance(information)
    tensor(0.2500)
    """
    check_array("information", information, ("1 + k", "1 + k"))
    cross = information[1:, :1]
    return 1 / (information[:1, :1] - cross.T @ torch.linalg.solve(information[1:, 1:], cross)).squeeze()


def efficient_score(score, weight):
    r"""Score of the signal strength less what the nuisance parameters imitate: the best single observable.

    .. math:: t^* = t_\mu - c\cdot t_\theta, \qquad c = I_{\theta\theta}^{-1} I_{\theta\mu}

    Parameters
    ----------
    score : tensor, (n, 1 + k)
        Derivatives :math:`t_i = \partial_i \log\nu(x)` of the density of events, of signal strength and nuisances.
    weight : tensor, (n,)
        Expected number of events that each one stands for.

    Returns
    -------
    tensor, (n,)
        Fine bins of it measure the strength as well as all of x does (proof: the lecture page).

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Examples
    --------
    Two cells; the nuisance moves the first only. Its part of the score is taken away, up to the constraint.

    >>> efficient_score(torch.tensor([[1.0, 1.0], [1.0, 0.0]]), torch.tensor([9.0, 9.0]))
    tensor([0.1000, 1.0000])
    """
    check_array("score", score, ("n", "1 + k"))
    check_array("weight", weight, (len(score),))
    information = asimov_information(weight, (weight[:, None] * score).T)
    return score[:, 0] - score[:, 1:] @ torch.linalg.solve(information[1:, 1:], information[1:, 0])


def expected_uncertainty(score, label, up, down, *, signal, background, edges, rate_error=0.0, temperature=0.0):
    """Expected uncertainty of the signal strength from a histogram of scores.

    Parameters
    ----------
    score, label : tensor, (n,)
        Scores, and 1 for signal, 0 for background.
    up, down : tensor, (n, k)
        Scores of the *same* events with each nuisance parameter at plus and minus one standard deviation.
    signal, background : float
        Expected numbers of events, which the two classes are weighted to.
    edges : tensor, (bins - 1,)
        Inner edges of the histogram.
    rate_error : float
        Relative uncertainty of the background's rate, one more nuisance parameter.
    temperature : float
        As in `soft_histogram`; zero for the honest number.

    Returns
    -------
    tensor
        Scalar, for a strength of one.

    Raises
    ------
    ValueError
        If shapes differ, a number is negative, or a class is missing.

    Examples
    --------
    >>> score, label = torch.tensor([0.9, 0.9, 0.1, 0.1]), torch.tensor([1.0, 0.0, 0.0, 0.0])
    >>> none = torch.empty(4, 0)
    >>> expected_uncertainty(score, label, none, none, signal=30, background=1800, edges=torch.tensor([0.5]))
    tensor(0.8367)
    """
    check_same_shape(label=label, score=score)
    if up.ndim != 2 or len(up) != len(score):
        raise ValueError(f"up: found shape {tuple(up.shape)}, expected ({len(score)}, k)")
    check_same_shape(down=down, up=up)
    for name, value in (("signal", signal), ("background", background), ("rate_error", rate_error)):
        check_between(name, value, 0, float("inf"), include_low=name == "rate_error")
    number = label.sum()
    if not 0 < number < len(label):
        raise ValueError(f"label: found {int(number)} signal events of {len(label)}, expected some of both classes")
    from_signal, from_background = label * signal / number, (1 - label) * background / (len(label) - number)

    def histogram(values, weight):
        return soft_histogram(values, edges, temperature, weight)

    signal_bins, background_bins = histogram(score, from_signal), histogram(score, from_background)
    total = from_signal + from_background
    shifts = [(histogram(u, total) - histogram(d, total)) / 2 for u, d in zip(up.T, down.T, strict=True)]
    rate = [rate_error * background_bins] if rate_error else []
    derivatives = torch.stack([signal_bins, *shifts, *rate])
    return profiled_variance(asimov_information(signal_bins + background_bins, derivatives)).sqrt()


def uncertainty_loss(**options):
    """Make the loss of systematics-aware training, for `hepml_labs.training.fit`.

    Parameters
    ----------
    **options
        Keywords of `expected_uncertainty`; a temperature above zero is needed for a gradient.

    Returns
    -------
    callable
        ``loss(model, x, label, up, down)`` with features x of shape ``(n, d)``, labels ``(n,)`` and varied features
        ``(n, k, d)``; the model gives log-odds ``(n, 1)``. A batch must fill every bin with both classes: the
        logarithm of a noisy histogram's uncertainty is no mean over events, and small batches flatter themselves.

    Examples
    --------
    >>> loss = uncertainty_loss(signal=10, background=100, edges=torch.tensor([0.5]), temperature=0.1)
    >>> x, label = torch.zeros(6, 2), torch.arange(6) % 2
    >>> loss(torch.nn.Linear(2, 1), x, label.float(), x[:, None], x[:, None]).shape
    torch.Size([])
    """

    def loss(model, x, label, up, down):
        shape = up.shape[:2]
        every = torch.cat([x, up.flatten(0, 1), down.flatten(0, 1)])
        score = torch.sigmoid(model(every).squeeze(-1))
        nominal, raised, lowered = score.split([len(x), up[..., 0].numel(), up[..., 0].numel()])
        return expected_uncertainty(nominal, label, raised.view(shape), lowered.view(shape), **options).log()

    return loss
