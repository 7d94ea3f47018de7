"""What a lab notebook uses, in one import: `from hepml_labs.teaching import lab`."""

from hepml_labs.plotting import use_style
from hepml_labs.settings import scale, set_threads
from hepml_labs.teaching.check import check, score
from hepml_labs.teaching.expect import OutOfBand, expect
from hepml_labs.teaching.explore import explore
from hepml_labs.teaching.quiz import quiz
from hepml_labs.teaching.show import show

__all__ = ["OutOfBand", "at_scale", "check", "expect", "explore", "quiz", "score", "show"]

use_style()
set_threads()


def at_scale(lab, full, smoke=None):
    """Choose a value by the size at which the labs run.

    Parameters
    ----------
    lab : object
        For a laptop, the default.
    full : object
        For a GPU and time, `HEPML_SCALE=full`.
    smoke : object, optional
        For a quick look whether everything runs, `HEPML_SCALE=smoke`; the same as `lab` by default.

    Returns
    -------
    object
        One of the three.

    Examples
    --------
    >>> at_scale(lab=10, full=200) in (10, 200)
    True
    """
    return {"lab": lab, "full": full, "smoke": lab if smoke is None else smoke}[scale()]
