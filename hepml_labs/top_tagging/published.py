"""Published results on the top tagging reference dataset :cite:`kasieczka2019landscape`: 1.2 million training jets."""

from typing import NamedTuple

__all__ = ["FRACTIONS", "PUBLISHED", "SIZES", "TRAINING_JETS", "Published"]

TRAINING_JETS = 1_211_000
"""Jets in the training set of the landscape; 403,000 for validation and 404,000 for the test come on top."""


class Published(NamedTuple):
    """A published result; None where the paper gives no number.

    Attributes
    ----------
    name : str
        As in the paper.
    year : int
        Of the first preprint with this number.
    parameters : int
        Of the network, rounded as in the paper.
    accuracy, auc : float
        Share of the test jets that are classified correctly, and area under the ROC curve.
    rejection_50, rejection_30 : float
        Background rejection at signal efficiencies of 50 % and 30 %.
    error_50, error_30 : float
        Spread of the rejections over trainings. It contains no error from the finite test set.
    built_in : str
        What the network knows before it has seen a jet: ``"image"``, ``"set"``, ``"neighbours"``, ``"pairs"`` or
        ``"Lorentz"``.
    pretrained : bool
        Whether it was trained before on other, larger samples of jets.
    fraction : float
        Share of the training set that was used.
    citation : str
        Key in the bibliography.
    arxiv : str
        Number of the preprint.
    """

    name: str
    year: int
    parameters: int | None
    accuracy: float | None
    auc: float
    rejection_50: float | None
    error_50: float | None
    rejection_30: float
    error_30: float | None
    built_in: str
    citation: str
    arxiv: str
    pretrained: bool = False
    fraction: float = 1.0


_LANDSCAPE = "kasieczka2019landscape", "1902.09914"
_PARTICLE_NET = "qu2019particlenet", "1902.08570"
_TRANSFORMER = "qu2022transformer", "2202.03772"
_LORENTZ_NET = "gong2022lorentznet", "2201.08187"
_PELICAN = "bogatskiy2023explainable", "2307.16506"
_LGATR = "spinner2024lgatr", "2405.14806"

PUBLISHED = [
    Published("TopoDNN", 2017, 59_000, 0.916, 0.972, None, None, 295, 5, "set", *_LANDSCAPE),
    Published("LoLa", 2017, 127_000, 0.929, 0.980, None, None, 722, 17, "Lorentz", *_LANDSCAPE),
    Published("P-CNN", 2019, 348_000, 0.930, 0.9803, 201, 4, 759, 24, "set", *_PARTICLE_NET),
    Published("PFN", 2018, 82_000, 0.932, 0.9819, 247, 3, 888, 17, "set", *_PARTICLE_NET),
    Published("ResNeXt-50", 2019, 1_460_000, 0.936, 0.9837, 302, 5, 1147, 58, "image", *_PARTICLE_NET),
    Published("ParticleNet-lite", 2019, 26_000, 0.937, 0.9844, 325, 5, 1262, 49, "neighbours", *_PARTICLE_NET),
    Published("ParticleNet", 2019, 366_000, 0.940, 0.9858, 397, 7, 1615, 93, "neighbours", *_PARTICLE_NET),
    Published("ParT", 2022, 2_140_000, 0.940, 0.9858, 413, 16, 1602, 81, "pairs", *_TRANSFORMER),
    Published("LorentzNet", 2022, 224_000, 0.942, 0.9868, 498, 18, 2195, 173, "Lorentz", *_LORENTZ_NET),
    Published("PELICAN", 2023, 208_000, 0.9426, 0.9870, None, None, 2250, 75, "Lorentz", *_PELICAN),
    Published("L-GATr", 2024, 1_100_000, 0.9423, 0.9870, 540, 20, 2240, 70, "Lorentz", *_LGATR),
    Published("ParT, fine-tuned", 2022, 2_140_000, 0.944, 0.9877, 691, None, 2766, None, "pairs", *_TRANSFORMER, True),
    Published(
        "L-GATr, fine-tuned", 2024, 1_100_000, 0.9446, 0.9879, 651, None, 2894, None, "Lorentz",
        "brehmer2024lgatr", "2411.00446", True,
    ),
    Published(
        "OmniLearned-L", 2025, 423_000_000, 0.944, 0.9880, 688, None, 3486, None, "pairs",
        "bhimji2025omnilearned", "2510.24066", True,
    ),
]  # fmt: skip
"""Trained on the full training set, in the order of the area under the curve, without pretraining first."""

SIZES = [
    Published("PELICAN 1k", 2023, 1_000, None, 0.9835, None, None, 1145, 74, "Lorentz", *_PELICAN),
    Published("PELICAN 3k", 2023, 3_000, None, 0.9850, None, None, 1494, 43, "Lorentz", *_PELICAN),
    Published("PELICAN 11k", 2023, 11_000, None, 0.9858, None, None, 1879, 103, "Lorentz", *_PELICAN),
]
"""One network in smaller sizes."""


def _part(name, fraction, accuracy, auc, half, half_error, third, third_error):
    built_in = {"ParticleNet": "neighbours", "LorentzNet": "Lorentz"}[name]
    rejections = half, half_error, third, third_error
    return Published(name, 2022, None, accuracy, auc, *rejections, built_in, *_LORENTZ_NET, fraction=fraction)


FRACTIONS = [
    _part("ParticleNet", 0.005, 0.913, 0.9687, 77, 4, 199, 14),
    _part("ParticleNet", 0.01, 0.919, 0.9734, 103, 5, 287, 19),
    _part("ParticleNet", 0.05, 0.931, 0.9807, 195, 4, 609, 35),
    _part("ParticleNet", 1.0, 0.940, 0.9858, 397, 7, 1615, 93),
    _part("LorentzNet", 0.005, 0.932, 0.9793, 176, 14, 562, 72),
    _part("LorentzNet", 0.01, 0.932, 0.9812, 209, 5, 697, 58),
    _part("LorentzNet", 0.05, 0.937, 0.9839, 293, 12, 1108, 84),
    _part("LorentzNet", 1.0, 0.942, 0.9868, 498, 18, 2195, 173),
]
"""Trained on a part of the training set, :cite:`gong2022lorentznet`, table 3."""
