"""Flavour tagging by hand: likelihood ratios of impact parameters, and features of displaced tracks."""

import numpy as np
from scipy.ndimage import gaussian_filter

from hepml_labs.datasets.heavy_flavor import FEATURES
from hepml_labs.physics.kinematics import mass
from hepml_labs.top_tagging.flavour_tagger import FLAVOURS
from hepml_labs.validation import check_array, check_count

__all__ = ["HAND_MADE", "ImpactParameterLikelihood", "displaced_features"]

PION = 0.13957  # GeV
DISPLACED = 2.5  # standard deviations: a track with a larger signed impact parameter counts as displaced

HAND_MADE = (
    *("ln pT(jet)", "abs eta(jet)", "tracks", "displaced tracks", "share of pT in displaced tracks"),
    *("mass of displaced tracks", "largest s(d0)", "second largest s(d0)", "third largest s(d0)"),
    *("largest s(z0)", "largest d0 of displaced tracks", "mean distance of displaced tracks from the axis"),
)
"""The columns of `displaced_features`."""


class ImpactParameterLikelihood:
    """Tag a jet by its tracks one by one, as if they did not know of each other.

    The density of (s(d0), s(z0 sin theta)) of a track is learned for each flavour as a smoothed histogram, and the
    logarithms are summed over the tracks of a jet.

    Parameters
    ----------
    bins : int
        Of each axis, equal in arsinh of the significance between -100 and 100; what is beyond goes to the ends.
    smoothing : float
        Width of the Gaussian that smooths the histograms, in bins; 0 for none.

    Notes
    -----
    The idea of ATLAS' IP3D :cite:`atlas2016optimisation`, which has histograms for each quality of tracks.

    Examples
    --------
    >>> significance, mask = np.zeros((3, 2, 2)), np.ones((3, 2), dtype=bool)
    >>> tagger = ImpactParameterLikelihood(bins=10).fit(significance, mask, np.array([0, 1, 2]))
    >>> bool(np.ptp(tagger.log_likelihood(significance, mask)) < 1e-9)
    True
    """

    def __init__(self, bins=40, smoothing=1.0):
        check_count("bins", bins)
        self.bins, self.smoothing = bins, smoothing

    def fit(self, significance, mask, flavour):
        """Learn the densities.

        Parameters
        ----------
        significance : array, (n, tracks, 2)
            Signed impact parameters over their uncertainties; the padding is not looked at.
        mask : bool array, (n, tracks)
        flavour : int array, (n,)
            Index in `FLAVOURS`.

        Returns
        -------
        ImpactParameterLikelihood
            Itself.
        """
        first, second = self._places(significance, mask)
        label = np.broadcast_to(np.asarray(flavour)[:, None], mask.shape)
        counts = np.zeros((len(FLAVOURS), self.bins, self.bins))
        np.add.at(counts, (label[mask], first[mask], second[mask]), 1.0)
        # half a track in each bin, so that no empty one vetoes a jet
        counts = gaussian_filter(counts + 0.5, (0, self.smoothing, self.smoothing), mode="nearest")
        self.log_density = np.log(counts / counts.sum(axis=(1, 2), keepdims=True))
        return self

    def log_likelihood(self, significance, mask):
        """Return the sums of the logarithms of densities, (n, 3), in the order of `FLAVOURS`."""
        first, second = self._places(significance, mask)
        return (self.log_density[:, first, second] * mask).sum(-1).T

    def _places(self, significance, mask):
        check_array("significance", significance, (*np.shape(mask), 2), finite=False)
        end = np.arcsinh(100.0)
        place = np.floor((np.arcsinh(np.where(mask[..., None], significance, 0)) + end) / (2 * end) * self.bins)
        return np.moveaxis(place.clip(0, self.bins - 1).astype(int), -1, 0)


def displaced_features(jets):
    """Numbers that physicists look at, for boosted trees.

    Parameters
    ----------
    jets : dict of arrays
        Of the set ``heavy_flavor``.

    Returns
    -------
    array, (n, 12)
        Columns `HAND_MADE`. The mass is that of all displaced tracks together, each with the mass of a pion: a coarse
        stand-in for that of a fitted secondary vertex.

    Examples
    --------
    >>> from hepml_labs.datasets import load
    >>> displaced_features(load("heavy_flavor", split="test", n=20)).shape
    (20, 12)
    """
    mask = jets["origin"] >= 0
    track = dict(zip(FEATURES, np.moveaxis(np.asarray(jets["tracks"], dtype=np.float64), -1, 0), strict=True))
    _, px, py, pz = np.asarray(jets["jet"], dtype=np.float64).T
    pt = np.hypot(px, py)
    eta = np.arcsinh(pz / pt)
    momentum = np.where(mask, 1 / np.where(mask, np.abs(track["q/p"]), 1.0), 0.0)
    track_eta = eta[:, None] + track["d eta"]
    track_pt = momentum / np.cosh(track_eta)
    vectors = np.stack(
        [
            np.hypot(momentum, PION),
            track_pt * np.cos(track["d phi"]),
            track_pt * np.sin(track["d phi"]),
            track_pt * np.sinh(track_eta),
        ],
        axis=-1,
    )
    displaced = mask & (track["s(d0)"] > DISPLACED)
    combined = (vectors * displaced[..., None]).sum(1)
    count = displaced.sum(1)
    three = -np.sort(-np.where(mask, track["s(d0)"], -10.0), axis=1)[:, :3]
    along_beam = np.where(mask, track["s(z0 sin theta)"], -10.0).max(1)
    distance = np.hypot(track["d eta"], track["d phi"])
    return np.column_stack(
        [
            *(np.log(pt), np.abs(eta), mask.sum(1), count, (track_pt * displaced).sum(1) / pt),
            *(
                np.where(count > 1, mass(combined), 0.0),
                *three.T,
                along_beam,
            ),
            *((np.abs(track["d0"]) * displaced).max(1), (distance * displaced).sum(1) / np.maximum(count, 1)),
        ]
    )
