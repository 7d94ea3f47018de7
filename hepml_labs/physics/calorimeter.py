"""A simple sampling calorimeter: its geometry, its material and the numbers of its read-out.

A particle meets nine slabs: dead material in front, three electromagnetic layers, a cryostat wall (dead), three
hadronic layers, and whatever lies behind (leakage). `hepml_labs.physics.showers` shares its energy between the slabs
and `hepml_labs.physics.clusters` turns that into cells and clusters. The numbers resemble those of the ATLAS
calorimeters; this is a teaching model and not a simulation of ATLAS. It leaves out the magnetic field, ionisation
before the first interaction, correlated noise and neighbouring particles.
"""

from dataclasses import dataclass

import numpy as np

SLABS = ("front", "em1", "em2", "em3", "cryostat", "had1", "had2", "had3", "leakage")
ACTIVE = np.array([1, 2, 3, 5, 6, 7])  # the slabs that are read out
ELECTROMAGNETIC = np.array([True, True, True, False, False, False])  # which of the active ones are electromagnetic


@dataclass(frozen=True)
class Calorimeter:
    """All numbers of the detector model. Lengths at normal incidence; energies in GeV.

    The non-compensation of the two sections is measured: e/h = 1.74 for lead and liquid argon (hep-ex/9911033) and
    e/h = 1.36 for iron and scintillating tiles (hep-ex/0004009 uses the same two sections together). The power law of
    the electromagnetic fraction is Gabriel et al., NIM A 338 (1994) 336. The rest is of a realistic size, our choice.
    """

    radiation_lengths: tuple = (2.0, 4.5, 15.0, 3.0, 3.0, 15.0, 40.0, 18.0)  # X0 of each slab but the last
    interaction_lengths: tuple = (0.2, 0.25, 0.8, 0.15, 0.4, 1.5, 4.0, 1.8)  # the same slabs in nuclear lengths
    barrel_end: float = 1.475  # |eta| where the barrel (a cylinder) ends and the end-cap (a disc) begins
    crack_eta: float = 1.45  # centre of the region where cables and supports pass
    crack_width: float = 0.08
    crack_radiation_lengths: float = 2.5  # extra dead material at the centre of the crack, 10 X0 per nuclear length
    critical_energy: float = 0.010
    hadron_to_electron: tuple = (1 / 1.74, 1 / 1.36)  # h/e of the electromagnetic and of the hadronic section
    fraction_scale: float = 1.0  # E0 of the power law: about 1 GeV for pions in iron
    fraction_power: float = 0.82  # k of the power law
    fraction_concentration: float = 12.0  # alpha + beta of the Beta distribution around the mean fraction
    shape_spread: float = 0.15  # width of ln(a) of photon showers: no two showers have the same profile
    profile_concentration: float = 20.0  # hadron showers: few secondaries carry the energy, so profiles are lumpy
    sampling: tuple = (0.10, 0.40)  # stochastic terms of electromagnetic energy in the two sections, in sqrt(GeV)
    hadronic_sampling: float = 0.45  # the same for hadronic energy: sampling and nuclear fluctuations together
    constant: tuple = (0.005, 0.03)  # cell-to-cell miscalibration of the two sections
    electronic_noise: tuple = (0.03, 0.04)  # per cell
    pileup_noise: tuple = (0.05, 0.03)  # per cell at eta = 0 and 40 interactions; grows as cosh(eta) sqrt(interactions)
    expected_interactions: float = 40.0  # the noise that the cluster thresholds assume
    cell: float = 5.0  # side of a square cell, cm
    cells: int = 7  # cells along each side of the read-out window
    radius: tuple = (1.3, 5.0)  # half the energy lies within this radius: electromagnetic and hadronic part, cm
    radius_spread: tuple = (0.1, 0.3)  # width of ln(radius), shower to shower

    def __post_init__(self):
        if min(*self.electronic_noise, self.cell, self.critical_energy, *self.radius) <= 0:
            raise ValueError("electronic_noise, cell, critical_energy, radius: found zero or less, expected positive")
        if self.cells < 3 or self.cells % 2 == 0:
            raise ValueError(f"cells: found {self.cells}, expected an odd number of at least 3")
        if len(self.radiation_lengths) != 8 or len(self.interaction_lengths) != 8:
            raise ValueError("radiation_lengths, interaction_lengths: expected eight slabs each")

    def slabs(self, eta):
        """Thickness of the eight slabs along the particle's path.

        The path through a cylinder grows as 1/sin(theta) = cosh(eta), the path through a disc as 1/|cos(theta)|.

        Parameters
        ----------
        eta : array, (n,)
            Pseudorapidity.

        Returns
        -------
        radiation, interaction : arrays, (n, 8)
            In radiation lengths and in nuclear interaction lengths.

        Examples
        --------
        >>> radiation, interaction = Calorimeter().slabs(np.array([0.0, 1.0]))
        >>> print(radiation[0, :4].round(2), (radiation[1] / radiation[0]).round(3)[1:3])
        [ 2.   4.5 15.   3. ] [1.543 1.543]
        """
        eta = np.abs(np.asarray(eta, dtype=float))
        path = np.where(eta < self.barrel_end, np.cosh(eta), 1 / np.tanh(np.maximum(eta, 0.1)))
        radiation = path[:, None] * np.array(self.radiation_lengths)
        interaction = path[:, None] * np.array(self.interaction_lengths)
        crack = self.crack_radiation_lengths * np.exp(-0.5 * ((eta - self.crack_eta) / self.crack_width) ** 2)
        radiation[:, 0] += crack
        interaction[:, 0] += crack / 10
        return radiation, interaction


def checked_particles(energy, eta, hadron):
    """Return the three columns as arrays, or raise a ValueError that says which one is wrong and how."""
    energy, eta = np.asarray(energy, dtype=float), np.asarray(eta, dtype=float)
    hadron = np.asarray(hadron, dtype=bool)
    if energy.ndim != 1 or len(energy) == 0:
        raise ValueError(f"energy: found shape {energy.shape}, expected a column (n,) with n > 0")
    for name, column in (("eta", eta), ("hadron", hadron)):
        if column.shape != energy.shape:
            raise ValueError(f"{name}: found shape {column.shape}, expected {energy.shape} like energy")
    if not np.all(np.isfinite(energy) & (energy > 0)):
        raise ValueError(f"energy: found a value of {energy.min()}, expected positive, finite energies in GeV")
    if not np.all(np.abs(eta) <= 3):
        raise ValueError(f"eta: found |eta| up to {np.abs(eta).max()}, expected at most 3, where the detector ends")
    return energy, eta, hadron
