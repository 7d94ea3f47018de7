"""The convolutional autoencoder of jet images.

It is fitted to jets, not to events: ``fit(images)`` without mass and regions; ``score_samples(images)`` gives the
reconstruction error, higher for the more anomalous.
"""

from itertools import pairwise

import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from torch import nn

from hepml_labs.anomaly.autoencoder import squared_error, train
from hepml_labs.training import predict
from hepml_labs.validation import check_array, check_count

__all__ = ["ConvolutionalAutoencoder", "ImageAutoencoder", "JetAutoencoder"]


class ConvolutionalAutoencoder(nn.Module):
    """Convolutions that halve the side of an image, a bottleneck, and the same steps back.

    Parameters
    ----------
    pixels : int
        Along each side; a multiple of two to the power of the number of stages.
    latent : int
        Numbers in the middle.
    channels : tuple of int
        Of each stage.

    Raises
    ------
    ValueError
        Naming the argument.

    Notes
    -----
    Shapes: ``(n, 1, pixels, pixels)`` to the same. Those of arXiv:1808.08979 (figure 1) and arXiv:1808.08992 are larger
    networks of this kind. The output is linear: a pixel may come out below zero, and the error says so.

    Examples
    --------
    >>> network = ConvolutionalAutoencoder(pixels=20, latent=8)
    >>> network(torch.rand(3, 1, 20, 20)).shape, sum(parameter.numel() for parameter in network.parameters())
    (torch.Size([3, 1, 20, 20]), 11193)
    """

    def __init__(self, pixels=20, latent=8, channels=(8, 16)):
        super().__init__()
        for name, value in [("pixels", pixels), ("latent", latent), *(("channels", width) for width in channels)]:
            check_count(name, value)
        step = 2 ** len(channels)
        if pixels % step:
            raise ValueError(f"pixels: found {pixels}, expected a multiple of {step} for {len(channels)} stages")
        self.pixels, side = pixels, pixels // step
        down, up = [], []
        for before, after in pairwise((1, *channels)):
            down += [nn.Conv2d(before, after, kernel_size=4, stride=2, padding=1), nn.SiLU()]
            up = [nn.SiLU(), nn.ConvTranspose2d(after, before, kernel_size=4, stride=2, padding=1), *up]
        size = channels[-1] * side**2
        self.encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(size, latent))
        self.decoder = nn.Sequential(nn.Linear(latent, size), nn.Unflatten(1, (channels[-1], side, side)), *up)

    def forward(self, images):
        """Reconstruct images."""
        check_array("images", images, ("n", 1, self.pixels, self.pixels), finite=False)
        return self.decoder(self.encoder(images))


class JetAutoencoder(BaseEstimator):
    """Options of the training, which all autoencoders of jets share; a subclass has `fit` and `score_samples`."""

    def __init__(
        self,
        latent=8,
        epochs=10,
        batch_size=128,
        learning_rate=3e-3,
        validation_fraction=0.1,
        seed=0,
        progress=False,
    ):
        self.latent = latent
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.seed = seed
        self.progress = progress

    def _start(self, network, *sizes):
        """Return a network with weights that depend on the seed alone."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return network(*sizes)


class ImageAutoencoder(JetAutoencoder):
    """Sum of the squared errors of the pixels, for images of one kind of jet.

    Parameters
    ----------
    latent : int
        Numbers in the middle.
    epochs, batch_size, learning_rate
        Passed to :func:`hepml_labs.training.fit`.
    validation_fraction : float
        Share of the images, in (0, 1), that chooses the best epoch.
    seed : int
        Of the start, the images held back, and the batches.
    progress : bool
        Show a progress bar and a line at the end.

    Attributes
    ----------
    network_ : ConvolutionalAutoencoder
    scale_ : float
        The images are divided by it: root of the mean sum of the squared pixels, so that an empty reconstruction has
        the error one on average.
    history_ : hepml_labs.training.History

    Notes
    -----
    The choice of what a pixel holds is a choice of coordinates. A share of the momentum leaves all but the brightest
    pixels out of the error; its root lets the dim ones count (arXiv:2104.09051 remaps intensities for this reason).

    Examples
    --------
    >>> images = torch.rand(200, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    >>> ImageAutoencoder(latent=2, epochs=2).fit(images).score_samples(images).shape
    (200,)
    """

    def fit(self, images):
        """Train on images, a tensor ``(n, 1, pixels, pixels)`` of at least two, as from `jet_images`."""
        check_array("images", images, ("n", 1, "pixels", "pixels"))
        self.pixels_ = images.shape[-1]
        self.scale_ = float((images**2).sum((1, 2, 3)).mean().sqrt())
        if self.scale_ == 0:
            raise ValueError("images: found nothing but zeros")
        self.network_ = self._start(ConvolutionalAutoencoder, self.pixels_, self.latent)
        self.history_ = train(self, squared_error, images.float() / self.scale_)
        return self

    def reconstruct(self, images):
        """Images behind the bottleneck, ``(n, 1, pixels, pixels)``, in the units of the given ones."""
        check_is_fitted(self, "network_")
        check_array("images", images, ("n", 1, self.pixels_, self.pixels_))
        return predict(self.network_, images.float() / self.scale_) * self.scale_

    def score_samples(self, images):
        """Reconstruction error of images ``(n, 1, pixels, pixels)``: a numpy array, (n,)."""
        error = (self.reconstruct(images) - images) / self.scale_
        return (error**2).flatten(1).sum(1).numpy()
