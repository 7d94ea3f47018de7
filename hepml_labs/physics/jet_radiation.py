"""Jets radiated one after the other, as in a parton shower, with an exact density: Poisson and staircase scaling.

Emissions fill the Lund plane. Ordered in ln pT from a hard scale down to the threshold of jets, the next one comes with
the rate (primary + k secondary) d ln(1 / pT) after k jets: the hard process radiates, and so does each jet.
"""

import numpy as np
from scipy.stats import nbinom, norm, poisson, vonmises

from hepml_labs.validation import check_between, check_count, to_numpy

__all__ = ["JetRadiation", "count_jets"]


def count_jets(jets):
    """Count the real jets of each event, rows of pT above zero that must open the event.

    Parameters
    ----------
    jets : array, (n, rows, 3)
        pT in GeV, rapidity, azimuth; rows of zeros fill up.

    Returns
    -------
    array of int, (n,)

    Raises
    ------
    ValueError
        If a row of zeros is followed by a jet, or the array has another shape.

    Examples
    --------
    >>> count_jets(np.array([[[50.0, 1.0, 0.3], [0.0, 0.0, 0.0]]]))
    array([1])
    """
    jets = to_numpy("jets", jets, ("n", "rows", 3))
    real = jets[..., 0] > 0
    if (real[:, 1:] & ~real[:, :-1]).any():
        raise ValueError("jets: found a jet after a row of zeros, expected the padding at the end")
    return real.sum(axis=1)


class JetRadiation:
    """A shower of jets in (ln pT, rapidity, azimuth) whose density is known in closed form.

    Parameters
    ----------
    primary, secondary : float
        Emissions per unit of ln pT: of the hard process, and of each jet that is there already.
    minimum_pt, maximum_pt : float
        GeV; threshold of jets and hard scale.
    maximum_rapidity : float
        Jets have rapidities between plus and minus this.
    spread : float
        Width in rapidity of secondary jets around their mother (a Gaussian, cut at the edges); in azimuth they follow
        a von Mises density of concentration 1 / spread^2. Primary jets are flat in both.

    Raises
    ------
    ValueError
        If `primary` or a range is not above zero, or `secondary` is negative.

    Notes
    -----
    The number of jets is a birth process in ln pT. Without secondary emission it is Poisson, R = nbar / (n + 1); with
    equal rates geometric, R = 1 - exp(-rate ln(maximum_pt / minimum_pt)), which is staircase scaling; else negative
    binomial. Compare Gerwick, Plehn, Schumann, Schichtel, arXiv:1208.3676.

    Examples
    --------
    >>> staircase = JetRadiation(primary=0.25, secondary=0.25)
    >>> p = staircase.multiplicity(np.arange(4))
    >>> (p[1:] / p[:-1]).round(3)
    array([0.5, 0.5, 0.5])
    >>> jets = staircase.sample(5, seed=1)
    >>> jets.shape, staircase.log_prob(jets).shape
    ((5, 12, 3), (5,))
    """

    def __init__(self, primary, secondary=0.0, minimum_pt=20.0, maximum_pt=320.0, maximum_rapidity=4.0, spread=0.8):
        check_between("primary", primary, 0, np.inf)
        check_between("secondary", secondary, 0, np.inf, include_low=True)
        check_between("minimum_pt", minimum_pt, 0, maximum_pt)
        check_between("maximum_rapidity", maximum_rapidity, 0, np.inf)
        check_between("spread", spread, 0, np.inf)
        self.primary, self.secondary = primary, secondary
        self.minimum_pt, self.maximum_pt = minimum_pt, maximum_pt
        self.maximum_rapidity, self.spread = maximum_rapidity, spread
        self.log_range = float(np.log(maximum_pt / minimum_pt))

    def multiplicity(self, number):
        """Give the probability of `number` jets, an array of whole numbers."""
        if self.secondary == 0:
            return poisson(self.primary * self.log_range).pmf(number)
        stay = np.exp(-self.secondary * self.log_range)
        return nbinom(self.primary / self.secondary, stay).pmf(number)

    def sample(self, n, seed=0, maximum=12):
        """Draw events.

        Parameters
        ----------
        n : int
            Number of events.
        seed : int or numpy.random.Generator
            Of the draws.
        maximum : int
            Rows of jets; the shower is cut after so many.

        Returns
        -------
        array, (n, maximum, 3)
            pT in GeV (falling), rapidity and azimuth in (-pi, pi]; rows of zeros fill up.

        Raises
        ------
        ValueError
            If a number is no positive whole one.
        """
        check_count("n", n)
        check_count("maximum", maximum)
        random = np.random.default_rng(seed)
        jets = np.zeros((n, maximum, 3))
        left = np.full(n, self.log_range)  # ln pT above the threshold
        alive = np.arange(n)
        for k in range(maximum):
            rate = self.primary + k * self.secondary
            left[alive] -= random.exponential(1 / rate, size=len(alive))
            alive = alive[left[alive] > 0]
            mother = random.uniform(0, rate, size=len(alive)) - self.primary
            y, phi = random.uniform(-1, 1, size=(2, len(alive))) * [[self.maximum_rapidity], [np.pi]]
            second = mother > 0
            if second.any():
                which = np.minimum((mother[second] / self.secondary).astype(int), k - 1)
                _, y_mother, phi_mother = jets[alive[second], which].T
                low, high = (norm.cdf((side - y_mother) / self.spread) for side in self._edges)
                y[second] = y_mother + self.spread * norm.ppf(random.uniform(low, high))
                phi[second] = random.vonmises(phi_mother, self.spread**-2)
            jets[alive, k] = np.column_stack([self.minimum_pt * np.exp(left[alive]), y, phi])
        return jets

    @property
    def _edges(self):
        return -self.maximum_rapidity, self.maximum_rapidity

    def log_prob(self, jets):
        """Logarithm of the density of events, per GeV, unit of rapidity and radian for each jet.

        Parameters
        ----------
        jets : array, (n, rows, 3)
            As from `sample`, ordered in pT.

        Returns
        -------
        array, (n,)
            Summed over all numbers of jets and integrated over them, its exponential gives one; minus infinity for
            events that this shower cannot radiate.

        Raises
        ------
        ValueError
            If a row of zeros is followed by a jet, or the array has another shape.
        """
        number = count_jets(jets)
        total, above = np.zeros(len(jets)), np.full(len(jets), self.log_range)
        for k in range(int(number.max()) + 1):
            done, more = number == k, number > k
            rate = self.primary + k * self.secondary
            total[done] -= rate * above[done]  # nothing more down to the threshold
            if not more.any():
                continue
            pt, y, phi = jets[more, k].T
            here = np.log(pt / self.minimum_pt)
            possible = (here > 0) & (here < above[more]) & (np.abs(y) < self.maximum_rapidity)
            flat = self.primary / (4 * np.pi * self.maximum_rapidity)
            density = flat + sum(self._secondary(y, phi, *jets[more, m, 1:].T) for m in range(k))
            total[more] += np.where(possible, np.log(density / pt) - rate * (above[more] - here), -np.inf)
            above[more] = here
        return total

    def _secondary(self, y, phi, y_mother, phi_mother):
        low, high = (norm.cdf((side - y_mother) / self.spread) for side in self._edges)
        rapidity = norm.pdf((y - y_mother) / self.spread) / self.spread / (high - low)
        return self.secondary * rapidity * vonmises.pdf(phi - phi_mother, self.spread**-2)
