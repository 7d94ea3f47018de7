"""Deep ensembles of Gaussian regressors, with or without a force that keeps them apart."""

import math

import torch

from hepml_labs.nn import Ensemble
from hepml_labs.regression.predictive import total_variance
from hepml_labs.validation import check_array, check_between, check_count

__all__ = ["GaussianEnsemble", "ensemble_nll", "kernel_repulsion", "repulsive_loss"]


class GaussianEnsemble(Ensemble):
    """Ensemble of networks with two outputs, mean and log sigma of the target.

    Parameters, errors and the pass (n, inputs) to (members, n, 2) are those of :class:`hepml_labs.nn.Ensemble`.

    Examples
    --------
    >>> ensemble = GaussianEnsemble(lambda: torch.nn.Linear(3, 2), members=5)
    >>> mean, sigma_syst, sigma_stat = ensemble.predict_distribution(torch.zeros(10, 3))
    >>> mean.shape, bool((sigma_stat > 0).all())
    (torch.Size([10]), True)
    """

    @torch.no_grad()
    def predict_distribution(self, x):
        """Mean, systematic and statistical uncertainty, each of shape (n,), for inputs of shape (n, inputs).

        See :func:`hepml_labs.regression.predictive.total_variance`. One member has no spread. Raises a ValueError
        if `x` is not a finite floating-point tensor of two dimensions.
        """
        check_array("x", x, ndim=2)
        outputs = self(x)
        return total_variance(outputs[..., 0], outputs[..., 1].exp())


def ensemble_nll(model, x, target, weight=None):
    """Gaussian negative log-likelihood of each member: mean over the batch, sum over the members.

    Parameters
    ----------
    model : GaussianEnsemble
        Outputs of shape (members, n, 2).
    x : tensor of shape (n, inputs)
        Inputs.
    target : tensor of shape (n,) or (n, members)
        Targets, the same for all members or a column for each.
    weight : tensor of shape (n, members), optional
        Weights of the points, for example :func:`hepml_labs.nn.bootstrap_counts`.

    Returns
    -------
    tensor
        Scalar without the constant log(2 pi) / 2. The sum gives each member the gradient that it would have alone.

    Raises
    ------
    ValueError
        If `target` or `weight` has another shape.

    Examples
    --------
    >>> ensemble = GaussianEnsemble(lambda: torch.nn.Linear(3, 2), members=5)
    >>> ensemble_nll(ensemble, torch.zeros(8, 3), torch.zeros(8)).ndim
    0
    """
    return _nll(model(x), target, weight)


def _nll(output, target, weight=None):
    members, n, _ = output.shape
    if target.shape not in ((n,), (n, members)):
        raise ValueError(f"target: found shape {tuple(target.shape)}, expected ({n},) or ({n}, {members})")
    if weight is not None and weight.shape != (n, members):
        raise ValueError(f"weight: found shape {tuple(weight.shape)}, expected ({n}, {members})")
    mean, log_sigma = output.unbind(dim=-1)
    columns = target if target.ndim == 1 else target.mT
    loss = log_sigma + 0.5 * ((columns - mean) * torch.exp(-log_sigma)) ** 2
    return (loss if weight is None else loss * weight.mT).mean(dim=1).sum()


def kernel_repulsion(functions):
    """Kernel term that pushes functions apart: sum_i [ sum_j k(f_i, f_j) / sum_j k(f_i, f_j) ].

    Its value is always the number of functions; only its gradient matters, because f_j and the denominator are held
    fixed in the derivative. That gradient is the repulsion in arXiv:2106.11642, section 3.

    Parameters
    ----------
    functions : tensor of shape (members, n)
        Predictions of at least two members at the same n points.

    Returns
    -------
    tensor
        Scalar. The kernel is k = exp(-|f_i - f_j|^2 / h), with h the median of the squared distances between
        different members, divided by log(members).

    Raises
    ------
    ValueError
        If there are fewer than two functions.

    Examples
    --------
    >>> f = torch.tensor([[0.0], [1.0]], requires_grad=True)
    >>> kernel_repulsion(f).backward()
    >>> bool(f.grad[0] > 0), bool(f.grad[1] < 0)  # descent moves the lower one down and the upper one up
    (True, True)
    """
    check_array("functions", functions, finite=False)
    if functions.ndim != 2 or len(functions) < 2:
        raise ValueError(f"functions: found shape {tuple(functions.shape)}, expected (members, n) with members > 1")
    fixed = functions.detach()
    squared = ((functions[:, None] - fixed[None]) ** 2).sum(dim=-1)
    i, j = torch.triu_indices(len(fixed), len(fixed), offset=1)
    width = squared.detach()[i, j].median() / math.log(len(fixed))
    kernel = torch.exp(-squared / width.clamp_min(torch.finfo(width.dtype).tiny))
    return (kernel.sum(dim=1) / kernel.detach().sum(dim=1)).sum()


def repulsive_loss(model, x, target, train_size, repulsion=1.0, prior_sigma=1.0):
    """Loss of a repulsive ensemble: likelihood, kernel and prior, the last two divided by the training size N.

    The sum over members i of NLL_i + (repulsion / N) sum_j k(f_i, f_j) / sum_j k(f_i, f_j)
    + |theta_i|^2 / (2 N prior_sigma^2), where f_i are the predicted means on the batch (arXiv:2412.12069).

    Parameters
    ----------
    model : GaussianEnsemble
        Outputs of shape (members, n, 2).
    x, target : tensor of shape (n, inputs) and (n,)
        Batch.
    train_size : int
        Points in the whole training set, N.
    repulsion : float
        1 for the gradient flow towards the posterior; 0 switches the force off.
    prior_sigma : float
        Width of the Gaussian prior of the weights.

    Returns
    -------
    tensor
        Scalar.

    Raises
    ------
    ValueError
        If `train_size` or `prior_sigma` is not positive, or `repulsion` is negative.

    Examples
    --------
    >>> ensemble = GaussianEnsemble(lambda: torch.nn.Linear(3, 2), members=5)
    >>> repulsive_loss(ensemble, torch.randn(8, 3), torch.zeros(8), train_size=1000).ndim
    0
    """
    check_count("train_size", train_size)
    check_between("repulsion", repulsion, 0, math.inf, include_low=True)
    check_between("prior_sigma", prior_sigma, 0, math.inf)
    output = model(x)
    squared_weights = sum((parameter**2).sum() for parameter in model.parameters())
    extra = repulsion * kernel_repulsion(output[..., 0]) + squared_weights / (2 * prior_sigma**2)
    return _nll(output, target) + extra / train_size
