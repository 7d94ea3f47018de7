"""Deep evidential regression: a network that predicts the parameters of a distribution over Gaussians."""

import math

import torch
from torch import nn
from torch.nn import functional

from hepml_labs.nn import MLP
from hepml_labs.validation import check_alike, check_array, check_between

__all__ = ["EvidentialMLP", "evidential_loss", "evidential_split", "student_t_nll"]


def evidential_split(nu, alpha, beta):
    """Systematic and statistical uncertainty of a normal-inverse-gamma distribution (arXiv:1910.02600, eq. 5).

    Parameters
    ----------
    nu, alpha, beta : tensor
        Parameters, with nu > 0, alpha > 1, beta > 0.

    Returns
    -------
    sigma_syst : tensor
        sqrt(E[sigma^2]) = sqrt(beta / (alpha - 1)), called aleatoric in the paper.
    sigma_stat : tensor
        sqrt(Var[mu]) = sqrt(beta / (nu (alpha - 1))), called epistemic in the paper.

    Raises
    ------
    ValueError
        If a parameter is outside of its range: both expectations would be infinite or meaningless.

    Examples
    --------
    >>> syst, stat = evidential_split(torch.tensor(4.0), torch.tensor(3.0), torch.tensor(2.0))
    >>> syst.item(), stat.item()
    (1.0, 0.5)
    """
    for name, value, lowest in (("nu", nu, 0), ("alpha", alpha, 1), ("beta", beta, 0)):
        check_array(name, value, finite=False)
        if value.device.type != "meta" and not (value > lowest).all():
            raise ValueError(f"{name}: found {value.min().item():.4g}, expected values above {lowest}")
    sigma_syst = torch.sqrt(beta / (alpha - 1))
    return sigma_syst, sigma_syst / torch.sqrt(nu)


def student_t_nll(gamma, nu, alpha, beta, target):
    """Negative log-likelihood of the target when mean and variance of its Gaussian are integrated out.

    Under mu ~ N(gamma, sigma^2 / nu) and sigma^2 ~ InverseGamma(alpha, beta) the target follows a Student-t with
    2 alpha degrees of freedom, location gamma and squared scale beta (1 + nu) / (nu alpha)
    (arXiv:1910.02600, equations 7 and 8). Data constrain only these three of the four parameters.

    Parameters
    ----------
    gamma, nu, alpha, beta, target : tensor of shape (n,)
        Parameters of the normal-inverse-gamma distribution, and the targets.

    Returns
    -------
    tensor of shape (n,)
        Negative log-likelihood of each point, with all constants.

    Examples
    --------
    >>> one = torch.ones(1)
    >>> round(student_t_nll(0 * one, one, one, one, 0 * one).item(), 4)  # density 1/4
    1.3863
    """
    check_alike(finite=False, gamma=gamma, nu=nu, alpha=alpha, beta=beta, target=target)
    omega = 2 * beta * (1 + nu)
    return (
        0.5 * torch.log(math.pi / nu)
        - alpha * torch.log(omega)
        + (alpha + 0.5) * torch.log(nu * (target - gamma) ** 2 + omega)
        + torch.lgamma(alpha)
        - torch.lgamma(alpha + 0.5)
    )


class EvidentialMLP(nn.Module):
    """A network that predicts gamma, nu, alpha, beta of a normal-inverse-gamma distribution for each input.

    Parameters
    ----------
    inputs : int
        Number of input features.
    hidden : tuple of int
        Widths of the hidden layers.
    activation : class
        Activation between the layers.

    Notes
    -----
    Amini et al., arXiv:1910.02600; for amplitudes arXiv:2509.00155; on what it can and cannot tell arXiv:2205.10060.

    Examples
    --------
    >>> model = EvidentialMLP(inputs=4, hidden=(16, 16))
    >>> mean, sigma_syst, sigma_stat = model.predict_distribution(torch.zeros(10, 4))
    >>> mean.shape
    torch.Size([10])
    """

    def __init__(self, inputs, hidden=(64, 64, 64), activation=nn.SiLU):
        super().__init__()
        self.network = MLP(inputs, 4, hidden=hidden, activation=activation)

    def forward(self, x):
        """Map (n, inputs) to (n, 4): gamma, nu > 0, alpha > 1, beta > 0."""
        gamma, nu, alpha, beta = self.network(x).unbind(dim=-1)
        positive = functional.softplus
        return torch.stack([gamma, positive(nu), 1 + positive(alpha), positive(beta)], dim=-1)

    @torch.no_grad()
    def predict_distribution(self, x):
        """Mean, systematic and statistical uncertainty, each of shape (n,), for inputs of shape (n, inputs).

        Raises a ValueError if `x` is not a finite floating-point tensor of two dimensions.
        """
        check_array("x", x, ndim=2)
        gamma, nu, alpha, beta = self(x).unbind(dim=-1)
        return gamma, *evidential_split(nu, alpha, beta)


def evidential_loss(model, x, target, strength=0.01):
    """Student-t likelihood plus the penalty on evidence for wrong predictions.

    Parameters
    ----------
    model : EvidentialMLP
        Outputs of shape (n, 4).
    x : tensor of shape (n, inputs)
        Inputs.
    target : tensor of shape (n,)
        Targets.
    strength : float
        Weight lambda of the penalty |target - gamma| (2 nu + alpha) (arXiv:1910.02600, equations 9 and 10).

    Returns
    -------
    tensor
        Scalar, the mean over the batch.

    Raises
    ------
    ValueError
        If `strength` is negative or the shapes differ.

    Examples
    --------
    >>> evidential_loss(EvidentialMLP(inputs=2), torch.zeros(8, 2), torch.zeros(8)).ndim
    0
    """
    check_between("strength", strength, 0, math.inf, include_low=True)
    check_array("target", target, (len(x),), finite=False)
    gamma, nu, alpha, beta = model(x).unbind(dim=-1)
    penalty = torch.abs(target - gamma) * (2 * nu + alpha)
    return (student_t_nll(gamma, nu, alpha, beta, target) + strength * penalty).mean()
