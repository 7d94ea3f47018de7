"""The map that opens the edges of Z + jets events, for generators that start from Gaussian noise."""

import math

import torch

from hepml_labs.datasets.z_jets import MASS_RANGE, MAXIMUM_ETA, MINIMUM_DELTA_R, MINIMUM_PT
from hepml_labs.diffusion.edges import Interval, Pareto, Positive, Probit
from hepml_labs.diffusion.event_coordinates import BOSON, TURN, names, of_jets
from hepml_labs.diffusion.radial import Asinh, Magnifier
from hepml_labs.flows.channels import BreitWigner
from hepml_labs.flows.scalers import Columns
from hepml_labs.flows.transforms import Chain, Transform
from hepml_labs.physics.electroweak import GAMMA_Z, M_Z
from hepml_labs.validation import check_array

__all__ = ["EventEdges", "event_map"]

TYPICAL = 100.0  # sum of the pT of jets in GeV where the imbalance keeps its size
BALANCE = [BOSON.index("imbalance_x"), BOSON.index("imbalance_y")]


class EventEdges(Transform):
    """Take apart the edges that depend on other coordinates, so that each column has edges of its own, or none.

    Jets in order of pT: differences of neighbours replace all but the last pT, and are above zero. Jets further apart
    than Delta R: at its azimuth, each earlier jet closes an interval of pseudorapidity for the next one; we count the
    *open* range only. Jet masses are divided by their pT, and the imbalance by the root of the sum of all pT, in
    units of 100 GeV.

    Parameters
    ----------
    jets : int
        Number of jets.

    Raises
    ------
    ValueError
        If the number of columns disagrees, or a jet lies where none may.

    Notes
    -----
    With c = (eta_i) the earlier jets and h_i = sqrt(max(0, R^2 - dphi_i^2)), the closed set is the union U of the
    intervals eta_i +- h_i within (-5, 5), and v(eta) = 10 |(-5, eta) without U| / |(-5, 5) without U| - 5: monotone,
    onto (-5, 5), and both rims of a hole are one point. v goes to the real line by `Interval`, and for all but the
    leading jet the place of that jet's own hole is subtracted: jets around it stand around zero. The Jacobian is
    triangular, log det = sum_j (log dz/dv_j + log(10 / |open range|_j) - log pT_j) - log(sum_j pT_j / 100 GeV).

    Examples
    --------
    >>> x = torch.tensor([[91.0, 0.0, 0.0, 1.0, 0.0, 0.0, 50.0, 0.0, 5.0, 30.0, 0.5, 0.0, 6.0]], dtype=torch.float64)
    >>> edges = EventEdges(2)
    >>> y, log_det = edges(x)  # 0.1 from the rim of the hole, and 9.2 of 10 are open
    >>> round(float(y[0, 10]), 4) == round(0.1 * 10 / 9.2, 4), torch.allclose(edges.inverse(y)[0], x)
    (True, True)
    """

    def __init__(self, jets):
        super().__init__()
        self.features = len(names(jets))
        self.pt, self.eta, self.dphi, self.mass = of_jets(jets)
        self.interval = Interval(-MAXIMUM_ETA, MAXIMUM_ETA, 0.5)

    def _closed(self, x, j):
        """Lower and upper ends (n, j) of disjoint closed intervals for jet j, in rising order."""
        angles = torch.cat([torch.zeros_like(x[:, :1]), x[:, self.dphi]], dim=1)
        turn = torch.remainder(angles[:, :j] - angles[:, [j]] + math.pi, TURN) - math.pi
        half = (MINIMUM_DELTA_R**2 - turn**2).clamp(min=0).sqrt()
        center = x[:, self.eta[:j]]
        low, order = (center - half).sort(dim=1)
        high = (center + half).gather(1, order)
        reached = torch.cummax(high, dim=1).values
        before = torch.cat([torch.full_like(reached[:, :1], -MAXIMUM_ETA), reached[:, :-1]], dim=1)
        low = torch.maximum(low, before).clamp(-MAXIMUM_ETA, MAXIMUM_ETA)
        return low, torch.maximum(high.clamp(-MAXIMUM_ETA, MAXIMUM_ETA), low)

    @staticmethod
    def _open_place(eta, low, high):
        """v(eta), and the factor 10 / |open range|."""
        below = (eta - low).clamp(min=0).minimum(high - low).sum(1, keepdim=True)
        factor = 2 * MAXIMUM_ETA / (2 * MAXIMUM_ETA - (high - low).sum(1, keepdim=True))
        return ((eta + MAXIMUM_ETA - below) * factor - MAXIMUM_ETA).clamp(-MAXIMUM_ETA, MAXIMUM_ETA), factor

    def forward(self, x, context=None):
        """Coordinates ``(n, 5 + 4 jets)`` to others of which each has its own edges, and the log-determinant."""
        check_array("x", x, ("n", self.features), finite=False)
        y = x.clone()
        y[:, self.mass] = x[:, self.mass] / x[:, self.pt]
        hardness = x[:, self.pt].sum(1, keepdim=True) / TYPICAL
        y[:, BALANCE] = x[:, BALANCE] / hardness.sqrt()
        log_det = -x[:, self.pt].log().sum(1) - hardness[:, 0].log()
        y[:, self.pt[:-1]] = x[:, self.pt[:-1]] - x[:, self.pt[1:]]
        leading = x[:, self.eta[:1]]
        for j, column in enumerate(self.eta):
            place, origin = x[:, [column]], 0.0
            if j:
                low, high = self._closed(x, j)
                if not x.is_meta and ((place > low) & (place < high)).any():
                    raise ValueError(
                        f"x: found events with jet {j + 1} within Delta R = {MINIMUM_DELTA_R} of a harder one, "
                        "expected none"
                    )
                place, factor = self._open_place(place, low, high)
                origin = self.interval(self._open_place(leading, low, high)[0])[0]
                log_det = log_det + factor[:, 0].log()
            z, log_slope = self.interval(place)
            y[:, column], log_det = (z - origin)[:, 0], log_det + log_slope
        return y, log_det

    def inverse(self, z, context=None):
        """Back to coordinates."""
        check_array("z", z, ("n", self.features), finite=False)
        x = z.clone()
        x[:, self.pt] = z[:, self.pt].flip(1).cumsum(1).flip(1)
        x[:, self.mass] = z[:, self.mass] * x[:, self.pt]
        hardness = x[:, self.pt].sum(1, keepdim=True) / TYPICAL
        x[:, BALANCE] = z[:, BALANCE] * hardness.sqrt()
        log_det = x[:, self.pt].log().sum(1) + hardness[:, 0].log()
        for j, column in enumerate(self.eta):
            if not j:
                place, log_slope = self.interval.inverse(z[:, [column]])
            else:
                low, high = self._closed(x, j)
                origin, factor = self._open_place(x[:, self.eta[:1]], low, high)
                place, log_slope = self.interval.inverse(z[:, [column]] + self.interval(origin)[0])
                place = (place + MAXIMUM_ETA) / factor - MAXIMUM_ETA
                for i in range(j):  # from left to right, jump over what is closed
                    place = torch.where(place >= low[:, [i]], place + (high - low)[:, [i]], place)
                log_det = log_det - factor[:, 0].log()
            x[:, column], log_det = place[:, 0], log_det + log_slope
        return x, log_det


class _MassSquared(Transform):
    """m to m^2, since a Breit-Wigner density is one of m^2."""

    def forward(self, x, context=None):
        return x**2, (2 * x).log().sum(1)

    def inverse(self, z, context=None):
        return z.sqrt(), -(2 * z.sqrt()).log().sum(1)


class _Planes(Transform):
    """One map for each of several pairs of columns."""

    def __init__(self, pairs, transform):
        super().__init__()
        self.pairs, self.transform = [list(pair) for pair in pairs], transform

    def _apply(self, x, direction):
        z, log_det = x.clone(), x.new_zeros(len(x))
        for pair in self.pairs:
            z[:, pair], change = direction(x[:, pair])
            log_det = log_det + change
        return z, log_det

    def forward(self, x, context=None):
        return self._apply(x, self.transform.forward)

    def inverse(self, z, context=None):
        return self._apply(z, self.transform.inverse)


def event_map(jets=2):
    """Invertible map from coordinates to real numbers without edges, each one nearly Gaussian.

    Parameters
    ----------
    jets : int
        Number of jets.

    Returns
    -------
    hepml_labs.flows.transforms.Chain
        From ``(n, 5 + 4 jets)`` coordinates to as many numbers, with the log-determinant; `scaler` of a generator.

    Raises
    ------
    ValueError
        If `jets` is no positive whole number.

    Notes
    -----
    Before the flow: the Z boson's mass through the primitive of its Breit-Wigner density, pT above thresholds through
    that of a power law, bounded variables and angles through the normal quantile. Power laws are roughly those of the
    sample; what they miss, the generator learns. The seam of azimuths lies at pi, where nothing is sharp;
    next to each other, jets have a hole between them, which `EventEdges` closes, and a dense rim, which is magnified.
    The imbalance is in units of the root of the jets' pT, and its length compressed.

    Examples
    --------
    >>> x = torch.tensor([[91.2, 0.5, 0.3, 1.0, 3.0, -2.0, 60.0, 1.0, 8.0]], dtype=torch.float64)
    >>> z, log_det = event_map(1)(x)
    >>> x_again, back = event_map(1).inverse(z)
    >>> torch.allclose(x_again, x), bool(abs(log_det + back) < 1e-9)
    (True, True)
    """
    low, high = MASS_RANGE
    peak = BreitWigner(M_Z, GAMMA_Z, low**2, high**2)
    columns = [
        Chain([_MassSquared(), peak, Probit(0.0, 1.0)]),
        Probit(-MAXIMUM_ETA, MAXIMUM_ETA),  # the boson's rapidity lies between those of its muons
        Probit(-1.0, 1.0),
        Probit(0.0, TURN),
        None,
        None,
    ]
    for name in names(jets)[len(BOSON) :]:
        kind, _, number = name.partition("_")
        threshold = Pareto(MINIMUM_PT, 65.0, 5.5) if int(number) == jets else Pareto(0.0, 125.0, 6.0)
        scalers = {"pt": threshold, "eta": None, "dphi": Probit(-math.pi, math.pi), "mass": Positive(0.02)}
        columns.append(scalers[kind])
    _, (_, *others), azimuths, _ = of_jets(jets)
    near = _Planes(zip(others, azimuths, strict=True), Magnifier(1.2, 0.7, math.pi))
    return Chain([EventEdges(jets), near, _Planes([BALANCE], Asinh(20.0)), Columns(columns)])
