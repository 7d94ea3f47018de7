"""A few latent numbers that describe a jet, tell quark from gluon, and do not repeat each other.

The disentangled latent classifier of Vent, Winterhalder and Plehn, arXiv:2507.21214.
"""

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from hepml_labs.nn import MLP
from hepml_labs.validation import check_array, check_same_shape

__all__ = ["DisentangledClassifier", "disentangled_loss"]


class DisentangledClassifier(nn.Module):
    """An auto-encoder whose few latent numbers must describe the input *and* tell the classes apart.

    Parameters
    ----------
    inputs : int
        Features of the input: the hidden layer of a trained tagger, standardised, or observables.
    latent : int
        Latent dimensions.
    hidden : tuple of int
        Hidden widths of encoder and (in reverse) decoder.
    head : tuple of int
        Hidden widths of the classifier that sees the latent numbers; empty for a linear one.

    Raises
    ------
    ValueError
        If a size is no positive whole number, or the input does not fit.

    Notes
    -----
    Vent, Winterhalder and Plehn, arXiv:2507.21214, section on the disentangled latent classifier. The latent numbers
    are standardised over the batch (batch normalisation without free parameters). Otherwise their covariance could be
    made small by shrinking them, with a decoder that stretches them again.

    Examples
    --------
    >>> network = DisentangledClassifier(inputs=20, latent=3)
    >>> [tuple(part.shape) for part in network(torch.randn(8, 20))]
    [(8, 3), (8, 20), (8, 1)]
    """

    def __init__(self, inputs, latent, hidden=(64, 32), head=(32,)):
        super().__init__()
        self.encoder = nn.Sequential(MLP(inputs, latent, hidden), nn.BatchNorm1d(latent, affine=False))
        self.decoder = MLP(latent, inputs, tuple(hidden)[::-1])
        self.head = MLP(latent, 1, head)

    def forward(self, x):
        """Map x ``(n, inputs)`` to the latent ``(n, latent)``, the reconstruction of x, and logits ``(n, 1)``."""
        latent = self.encoder(x)
        return latent, self.decoder(latent), self.head(latent)


def disentangled_loss(x, label, latent, reconstruction, logits, class_weight=1.0, disentangle_weight=1.0):
    r"""Loss of the disentangled latent classifier.

    .. math:: \mathcal L = \langle (x - \hat x)^2 \rangle + \lambda_c\, \mathrm{BCE}(\mathrm{logit}, y)
        + \lambda_d \sum_{j \ne k} \mathrm{Cov}(z_j, z_k)^2

    Parameters
    ----------
    x, reconstruction : tensor, (n, inputs)
    label : tensor, (n,)
        1 or 0, floating-point.
    latent : tensor, (n, latent)
    logits : tensor, (n, 1)
    class_weight, disentangle_weight : float
        Strengths of the second and the third term.

    Returns
    -------
    tensor
        Scalar. The first term is the mean over events and features, the second over events.

    Raises
    ------
    ValueError
        If shapes do not fit.

    Notes
    -----
    arXiv:2507.21214. The covariances are those of the batch, so it should hold many events.

    Examples
    --------
    >>> z = torch.tensor([[1.0, 1.0], [-1.0, -1.0]])  # two latent numbers that are one: covariance 1, twice
    >>> disentangled_loss(z, torch.zeros(2), z, z, torch.full((2, 1), -100.0))
    tensor(2.)
    """
    check_same_shape(x=x, reconstruction=reconstruction)
    check_array("latent", latent, (len(x), "latent"), finite=False)
    check_array("logits", logits, (len(x), 1), finite=False)
    check_array("label", label, (len(x),), finite=False)
    centred = latent - latent.mean(0)
    covariance = centred.T @ centred / len(x)
    off_diagonal = (covariance - torch.diag(covariance.diagonal())).square().sum()
    separation = binary_cross_entropy_with_logits(logits[:, 0], label)
    return (x - reconstruction).square().mean() + class_weight * separation + disentangle_weight * off_diagonal
