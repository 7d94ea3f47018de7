"""Coordinates in which order, thresholds and circles of jets are exact, with their Jacobian."""

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import norm

from hepml_labs.physics.jet_radiation import count_jets
from hepml_labs.validation import check_between, check_count

__all__ = ["JetRepresentation"]

SMALLEST = 1e-9  # of a fraction, and its distance from one: rounded data may reach the ends


class JetRepresentation:
    """Coordinates without hard edges for events of hard particles and jets that are ordered in pT.

    Parameters
    ----------
    hard : int
        Rows before the jets: they become (ln(pT / minimum_pt), rapidity, azimuth).
    minimum_pt, maximum_pt : float
        GeV; threshold of the jets, and a bound on the first.
    maximum_rapidity : float
        Jets lie between plus and minus this.

    Raises
    ------
    ValueError
        If an option is out of range.

    Notes
    -----
    Jet i gets z = Phi^-1(ln(pT_i / minimum_pt) / ln(pT_(i-1) / minimum_pt)), with maximum_pt above the first, and
    w = Phi^-1((1 + rapidity / maximum_rapidity) / 2); Phi is the normal distribution function. Whatever z and w are,
    the jets are ordered and inside the cuts. Azimuths are counted from that of the first row.

    Examples
    --------
    >>> representation = JetRepresentation(minimum_pt=20.0, maximum_pt=320.0)
    >>> event = np.array([[[80.0, 0.0, 1.0], [40.0, 1.0, -2.0], [0.0, 0.0, 0.0]]])
    >>> latent, log_det = representation.forward(event)
    >>> latent[0, :2].round(3)  # half of the logarithmic range, in the middle of the rapidities
    array([[ 0.   ,  0.   ,  1.   ],
           [ 0.   ,  0.253, -3.   ]])
    >>> np.allclose(representation.inverse(latent, event[..., 0] > 0), event)
    True
    """

    def __init__(self, hard=0, minimum_pt=20.0, maximum_pt=6500.0, maximum_rapidity=5.0):
        check_count("hard", hard, minimum=0)
        check_between("minimum_pt", minimum_pt, 0, maximum_pt)
        check_between("maximum_rapidity", maximum_rapidity, 0, np.inf)
        self.hard, self.minimum_pt, self.maximum_rapidity = hard, minimum_pt, maximum_rapidity
        self.log_range = float(np.log(maximum_pt / minimum_pt))

    def forward(self, x):
        """Map events (n, rows, 3) to latent ones of the same shape, zero in the padding, and log abs det (n,).

        Raises
        ------
        ValueError
            For jets that are not in order of pT or outside of the cuts, or an event without its hard rows.
        """
        number = count_jets(x)
        if number.min() < self.hard:
            raise ValueError(f"x: found an event of {number.min()} rows, expected at least {self.hard} hard ones")
        real = np.arange(x.shape[1]) < number[:, None]
        jets, jet = x[:, self.hard :], real[:, self.hard :]
        scale = np.log(np.where(real, x[..., 0], self.minimum_pt) / self.minimum_pt)
        above = np.concatenate([np.full((len(x), 1), self.log_range), scale[:, self.hard : -1]], axis=1)
        below = scale[:, self.hard :]
        if (jet & ((below < 0) | (below > above))).any():
            low, high = self.minimum_pt, self.minimum_pt * np.exp(self.log_range)
            raise ValueError(f"x: found jets out of order or outside {low:g} to {high:g} GeV, expected falling pT")
        if (jet & (np.abs(jets[..., 1]) > self.maximum_rapidity)).any():
            raise ValueError(f"x: found jets beyond a rapidity of {self.maximum_rapidity}, expected none")

        latent = np.stack([scale, x[..., 1], x[..., 2]], axis=-1)
        with np.errstate(invalid="ignore", divide="ignore"):
            z = ndtri((below / above).clip(SMALLEST, 1 - SMALLEST))
            w = ndtri(((1 + jets[..., 1] / self.maximum_rapidity) / 2).clip(SMALLEST, 1 - SMALLEST))
            log_det = -np.log(above) - norm.logpdf(z) - np.log(2 * self.maximum_rapidity) - norm.logpdf(w)
        latent[:, self.hard :, :2] = np.stack([z, w], axis=-1)
        latent[:, 1:, 2] = _turn(latent[:, 1:, 2] - latent[:, :1, 2])
        # dln(pT) / dpT = 1 / pT, for all rows
        log_det = np.where(jet, log_det, 0.0).sum(1) - np.log(np.where(real, x[..., 0], 1.0)).sum(1)
        return np.where(real[..., None], latent, 0.0), log_det

    def inverse(self, latent, real):
        """Map latent events (n, rows, 3) with the mask `real` (n, rows) back to events (n, rows, 3)."""
        x = latent.copy()
        jets = latent[:, self.hard :]
        x[:, self.hard :, 0] = self.log_range * ndtr(jets[..., 0]).cumprod(1)
        x[..., 0] = self.minimum_pt * np.exp(x[..., 0])
        x[:, self.hard :, 1] = self.maximum_rapidity * (2 * ndtr(jets[..., 1]) - 1)
        x[:, 1:, 2] = _turn(x[:, 1:, 2] + x[:, :1, 2])
        return np.where(real[..., None], x, 0.0)


def _turn(angle):
    return np.pi - (np.pi - angle) % (2 * np.pi)
