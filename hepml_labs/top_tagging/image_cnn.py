"""A convolutional network on jet images."""

from itertools import pairwise

import torch
from torch import nn

from hepml_labs.validation import check_array, check_between, check_count

BRIGHTNESS = 300.0  # pixels above one part in 300 are compressed


class ImageCNN(nn.Module):
    """Convolutions on a jet image, halving its side with each stage, and a dense layer on what is left.

    The first convolution moves in steps of two pixels: jet images are almost empty, and a full-size layer would spend
    most of the time of the network on zeros. Each later stage is a convolution of 3 x 3 pixels and a maximum over
    2 x 2. Those of Kasieczka et al., arXiv:1701.08784, and of Macaluso and Shih, arXiv:1803.00107, are larger networks
    of this kind.

    Parameters
    ----------
    pixels : int
        Pixels along each side of the images.
    channels : tuple of int
        Channels of the stages; each stage halves the side.
    hidden : int
        Width of the dense layer.
    dropout : float
        Probability to drop a feature before and after the dense layer in training.
    outputs : int
        Number of outputs (logits).

    Raises
    ------
    ValueError
        Naming the argument, also if the image is too small for so many stages or the forward pass gets another shape.

    Notes
    -----
    Shapes: images ``(n, 1, pixels, pixels)``, each of sum one, as from
    `hepml_labs.top_tagging.images.jet_images`; result ``(n, outputs)``.

    Examples
    --------
    >>> network = ImageCNN()
    >>> network(torch.rand(2, 1, 40, 40)).shape, sum(parameter.numel() for parameter in network.parameters())
    (torch.Size([2, 1]), 62025)
    """

    def __init__(self, pixels=40, channels=(16, 24, 32), hidden=64, dropout=0.2, outputs=1):
        super().__init__()
        for name, value in [("pixels", pixels), ("hidden", hidden), ("outputs", outputs)]:
            check_count(name, value)
        for width in channels:
            check_count("channels", width)
        check_between("dropout", dropout, 0, 1, include_low=True)
        side = pixels // 2 ** len(channels)
        if side < 1:
            raise ValueError(f"channels: found {len(channels)} stages for {pixels} pixels, expected a smaller number")
        self.pixels = pixels
        layers = [nn.Conv2d(1, channels[0], kernel_size=4, stride=2, padding=1), nn.ReLU()]
        for before, after in pairwise(channels):
            layers += [nn.Conv2d(before, after, kernel_size=3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        # memory in the order (n, row, column, channel) makes the convolutions a quarter faster on a CPU
        self.convolutions = nn.Sequential(*layers).to(memory_format=torch.channels_last)
        self.head = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(channels[-1] * side**2, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, outputs),
        )

    def forward(self, images):
        """Map images ``(n, 1, pixels, pixels)`` to logits ``(n, outputs)``."""
        check_array("images", images, ("n", 1, self.pixels, self.pixels), finite=False)
        # soft particles carry as much of the pattern as hard ones: compress the five decades of brightness
        compressed = torch.log1p(BRIGHTNESS * images)
        return self.head(self.convolutions(compressed.contiguous(memory_format=torch.channels_last)).flatten(1))
