"""Early decisions: events that cannot give a jet in the window are dropped while Pythia still works on them."""

import math

import pythia8mc


class PartonJets(pythia8mc.UserHooks):
    """Drop events while they are made, as soon as it is clear that they have no jet with 550 GeV < pT < 650 GeV.

    Most of the time goes into the late shower and hadronisation. Jets of partons are known before: at a shower scale of
    20 GeV, where tops have not yet decayed, and after the shower. Both windows in pT (GeV) are wide enough to
    lose less than one jet in a hundred.

    Parameters
    ----------
    radius : float
        Of the jets, anti-kT.
    tops : bool
        Whether one of the jets must hold the three quarks of a top's decay.
    """

    EARLY, LATE, WIDE_ETA, WIDE_RADIUS = (485.0, 815.0), (510.0, 770.0), 2.3, 0.9

    def __init__(self, radius, tops):
        super().__init__()
        self.tops = tops
        antikt, visible_only, own_masses, fjcore = -1, 2, 2, False  # Pythia's own code: fjcore would print a banner
        self.jets = pythia8mc.SlowJet(antikt, radius, self.EARLY[0], 3.0, visible_only, own_masses, None, fjcore)

    def canVetoPT(self):
        """Ask to be called once on the way down of the shower."""
        return True

    def scaleVetoPT(self):
        """Scale at which to be called, GeV."""
        return 20.0

    def doVetoPT(self, position, event):
        """Whether to drop the event here; position 5 means the decays of tops."""
        return position != 5 and not self._candidates(event, self.EARLY)

    def canVetoPartonLevel(self):
        """Ask to be called after the shower."""
        return True

    def doVetoPartonLevel(self, event):
        """Whether to drop the event here."""
        jets = self._candidates(event, self.LATE)
        if not self.tops:
            return not jets
        tops = [_quarks(event, event[number].iBotCopyId()) for number in (5, 6)]
        return not any(
            all(math.hypot(y - quark.y(), _turn(angle - quark.phi())) < self.WIDE_RADIUS for quark in quarks)
            for y, angle in jets
            for quarks in tops
        )

    def _candidates(self, event, window):
        jets = self.jets
        jets.analyze(event)
        found = [k for k in range(jets.sizeJet()) if window[0] < jets.pT(k) < window[1]]
        return [(jets.y(k), jets.phi(k)) for k in found if abs(jets.y(k)) < self.WIDE_ETA]


class FourPartonJets(pythia8mc.UserHooks):
    """Drop events while they are made, as soon as it is clear that they have no four jets.

    Parameters
    ----------
    radius : float
        Of the jets, anti-kT.
    early, late : float
        Smallest pT of the fourth jet of partons, GeV: at a shower scale of 20 GeV, and after the shower.
    """

    WIDE_ETA = 3.0

    def __init__(self, radius, early, late):
        super().__init__()
        self.early, self.late = (
            pythia8mc.SlowJet(-1, radius, least, self.WIDE_ETA, 2, 2, None, False) for least in (early, late)
        )

    def canVetoPT(self):
        """Ask to be called once on the way down of the shower."""
        return True

    def scaleVetoPT(self):
        """Scale at which to be called, GeV."""
        return 20.0

    def doVetoPT(self, position, event):
        """Whether to drop the event here."""
        self.early.analyze(event)
        return self.early.sizeJet() < 4

    def canVetoPartonLevel(self):
        """Ask to be called after the shower."""
        return True

    def doVetoPartonLevel(self, event):
        """Whether to drop the event here."""
        self.late.analyze(event)
        return self.late.sizeJet() < 4


def _quarks(event, top):
    """Three quarks of the decay of a top in Pythia's event record."""
    first, second = event[top].daughter1(), event[top].daughter2()
    w, b = (first, second) if event[first].idAbs() == 24 else (second, first)
    w = event[event[w].iBotCopyId()]
    return event[b], event[w.daughter1()], event[w.daughter2()]


def _turn(angle):
    return (angle + math.pi) % (2 * math.pi) - math.pi
