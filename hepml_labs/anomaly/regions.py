"""Where a resonance is looked for: a window of a mass, and the sidebands that know the background."""

from dataclasses import dataclass, replace

import numpy as np

from hepml_labs.validation import check_between

__all__ = ["Regions"]


@dataclass(frozen=True)
class Regions:
    """A window of the mass and the sidebands on both sides of it.

    Parameters
    ----------
    signal : (float, float)
        Edges of the window, GeV: the default is that of the LHC Olympics' research-and-development set.
    range : (float, float)
        Edges of all that is used, GeV; what lies between them and not in the window is sideband. The trigger of
        `lhco_dijets` (a jet above 1.2 TeV) shapes the spectrum below 2.6 TeV.

    Raises
    ------
    ValueError
        If an interval is empty, or the window is not inside `range` with room on both sides.

    Notes
    -----
    Intervals contain their lower edge and not the upper one, so that neighbouring windows share no event.

    Examples
    --------
    >>> regions = Regions()
    >>> mass = np.array([2500.0, 3000.0, 3300.0, 3700.0])
    >>> regions.inside(mass).tolist(), regions.sideband(mass).tolist()
    ([False, False, True, False], [False, True, False, True])
    """

    signal: tuple = (3300.0, 3700.0)
    range: tuple = (2600.0, 6000.0)

    def __post_init__(self):
        for name in ("signal", "range"):
            value = getattr(self, name)
            try:
                low, high = (float(edge) for edge in value)
            except (TypeError, ValueError):
                raise ValueError(f"{name}: found {value!r}, expected two masses in GeV") from None
            if not 0 <= low < high < np.inf:
                raise ValueError(f"{name}: found {value!r}, expected two masses in GeV, the lower one first")
            object.__setattr__(self, name, (low, high))
        if not (self.range[0] < self.signal[0] and self.signal[1] < self.range[1]):
            raise ValueError(f"signal: found {self.signal}, expected a window inside {self.range} with sidebands")

    @property
    def centre(self):
        """Middle of the window, GeV (float)."""
        return sum(self.signal) / 2

    def inside(self, mass):
        """Return which events lie in the window.

        Parameters
        ----------
        mass : array, (n,)
            GeV.

        Returns
        -------
        array of bool, (n,)
        """
        return (mass >= self.signal[0]) & (mass < self.signal[1])

    def sideband(self, mass):
        """Return which events lie in the range and not in the window.

        Parameters
        ----------
        mass : array, (n,)
            GeV.

        Returns
        -------
        array of bool, (n,)
        """
        return (mass >= self.range[0]) & (mass < self.range[1]) & ~self.inside(mass)

    def shift(self, centre):
        """Return the regions with the window around another mass, in the same range.

        The width grows in proportion to the mass, as the resolution of jets does.

        Parameters
        ----------
        centre : float
            GeV.

        Returns
        -------
        Regions

        Raises
        ------
        ValueError
            If the new window leaves no sideband on one side.

        Examples
        --------
        >>> Regions().shift(4200).signal
        (3960.0, 4440.0)
        """
        check_between("centre", centre, *self.range)
        return replace(self, signal=tuple(float(edge * centre / self.centre) for edge in self.signal))
