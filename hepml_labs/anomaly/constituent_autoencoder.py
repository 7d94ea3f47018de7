"""The autoencoder of the constituents of a jet: a deep set, and the energy distance as its error."""

import torch
from sklearn.utils.validation import check_is_fitted
from torch import nn

from hepml_labs.anomaly.autoencoder import train
from hepml_labs.anomaly.jet_autoencoder import JetAutoencoder
from hepml_labs.nn import MLP
from hepml_labs.top_tagging.images import centre, flip, rotate
from hepml_labs.top_tagging.inputs import momentum_shares, relative_angles
from hepml_labs.training import predict
from hepml_labs.validation import check_array, check_count

__all__ = ["ConstituentAutoencoder", "SetAutoencoder", "energy_distance"]


def energy_distance(angles, shares, points, weights):
    r"""Squared energy distance of two jets, each a sum of points with shares of the momentum.

    .. math:: D^2 = 2\sum_{ij} z_i w_j |\theta_i-\phi_j| - \sum_{ij} z_i z_j |\theta_i-\theta_j|
              - \sum_{ij} w_i w_j |\phi_i-\phi_j|

    It is zero if and only if both have the same flow of momentum, however it is cut into particles: splitting a
    particle in two that go the same way, or adding one without momentum, changes nothing.

    Parameters
    ----------
    angles, points : tensor, (n, particles, 2) and (n, others, 2)
        Radians.
    shares, weights : tensor, (n, particles) and (n, others)
        Of sum one in each jet; zero for padding.

    Returns
    -------
    tensor, (n,)
        Radians.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Notes
    -----
    Székely and Rizzo, J. Stat. Plan. Inference 143 (2013) 1249, for densities; as for the energy mover's distance of
    jets (arXiv:1902.02346) the densities are flows of momentum, but nothing has to be transported.

    Examples
    --------
    >>> one, other = torch.zeros(1, 1, 2), torch.tensor([[[0.3, 0.4]]])
    >>> energy_distance(one, torch.ones(1, 1), other, torch.ones(1, 1))
    tensor([1.])
    """
    for name, place, weight in (("angles", angles, shares), ("points", points, weights)):
        check_array(name, place, (len(angles), name, 2), finite=False)
        check_array("shares" if name == "angles" else "weights", weight, tuple(place.shape[:2]), finite=False)
    cross = _mean_distance(angles, shares, points, weights)
    return 2 * cross - _mean_distance(angles, shares) - _mean_distance(points, weights)


def _mean_distance(angles, shares, points=None, weights=None):
    """Mean distance of a particle of the one jet and a particle of the other (or the same), by momentum: ``(n,)``."""
    points, weights = (angles, shares) if points is None else (points, weights)
    # torch.cdist has a gradient of zero, not NaN, at a distance of zero
    distance = torch.cdist(angles, points, compute_mode="donot_use_mm_for_euclid_dist")
    return torch.einsum("ni,nij,nj->n", shares, distance, weights)


class SetAutoencoder(nn.Module):
    """A deep set that sums up the flow of momentum, a bottleneck, and a jet of few particles made of it.

    Parameters
    ----------
    latent : int
        Numbers in the middle.
    particles : int
        Of the jets that come out; those that go in may have any number.
    hidden : int
        Width of the hidden layers and of the sum.

    Notes
    -----
    Shapes: angles ``(n, M, 2)`` in radians and shares ``(n, M)`` to angles ``(n, particles, 2)`` and shares
    ``(n, particles)`` of sum one. The sum over particles is weighted with the shares, as in the energy-flow network of
    arXiv:1810.05165: the code is safe under splittings, as the error is.

    Examples
    --------
    >>> points, weights = SetAutoencoder(latent=3, particles=5)(torch.zeros(2, 7, 2), torch.full((2, 7), 1 / 7))
    >>> points.shape, weights.sum(1)
    (torch.Size([2, 5, 2]), tensor([1., 1.], grad_fn=<SumBackward1>))
    """

    def __init__(self, latent=8, particles=12, hidden=64):
        super().__init__()
        for name, value in (("latent", latent), ("particles", particles)):
            check_count(name, value)
        self.particles = particles
        self.each = MLP(2, hidden, (hidden,))
        self.encoder = MLP(hidden, latent, (hidden,))
        self.decoder = MLP(latent, 3 * particles, (hidden, hidden))

    def forward(self, angles, shares):
        """Reconstruct jets: angles and shares."""
        check_array("shares", shares, tuple(angles.shape[:2]), finite=False)
        summed = (shares[..., None] * self.each(angles)).sum(1)
        numbers = self.decoder(self.encoder(summed)).unflatten(1, (self.particles, 3))
        return numbers[..., :2], numbers[..., 2].softmax(1)


class ConstituentAutoencoder(JetAutoencoder):
    """Energy distance between a jet and its reconstruction, from constituents without pixels.

    Parameters
    ----------
    latent, epochs, batch_size, learning_rate, validation_fraction, seed, progress
        As of `ImageAutoencoder`.
    leading : int
        Constituents of highest transverse momentum that are looked at.

    Attributes
    ----------
    network_ : SetAutoencoder
    history_ : hepml_labs.training.History

    Notes
    -----
    The jets are centred, turned and flipped as the images are. Distances of optimal transport as an anomaly score,
    beside autoencoders: Fraser et al., arXiv:2110.06948.

    Examples
    --------
    >>> momenta = torch.rand(50, 6, 3, generator=torch.Generator().manual_seed(1)) + torch.tensor([9.0, 0.0, 0.0])
    >>> momenta = torch.cat([momenta.norm(dim=-1, keepdim=True), momenta], dim=-1)
    >>> ConstituentAutoencoder(latent=2, epochs=2).fit(momenta).score_samples(momenta).shape
    (50,)
    """

    def __init__(
        self,
        latent=8,
        epochs=10,
        batch_size=128,
        learning_rate=3e-3,
        validation_fraction=0.1,
        seed=0,
        progress=False,
        leading=40,
    ):
        super().__init__(latent, epochs, batch_size, learning_rate, validation_fraction, seed, progress)
        self.leading = leading

    def fit(self, momenta):
        """Train on padded constituents, a tensor ``(n, particles, 4)``: (E, px, py, pz) in GeV, highest pT first."""
        check_count("leading", self.leading)
        self.network_ = self._start(SetAutoencoder, self.latent)
        self.history_ = train(self, _flow_error, *self._flow(momenta))
        return self

    def score_samples(self, momenta):
        """Energy distance of each jet and its reconstruction, in radians: a numpy array, (n,)."""
        check_is_fitted(self, "network_")
        angles, shares = self._flow(momenta)
        return energy_distance(angles, shares, *predict(self.network_, angles, shares)).numpy()

    def _flow(self, momenta):
        """Preprocessed angles and shares of the leading constituents."""
        check_array("momenta", momenta, ("n", "particles", 4))
        momenta = momenta[:, : self.leading].float()
        angles, shares = relative_angles(momenta), momentum_shares(momenta)
        return flip(rotate(centre(angles, shares), shares), shares), shares


def _flow_error(network, angles, shares):
    """Energy distance of a batch of jets and their reconstructions."""
    return energy_distance(angles, shares, *network(angles, shares))
