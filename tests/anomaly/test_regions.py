"""Windows and sidebands: each event in exactly one, no matter where its mass lies."""

import numpy as np
import pytest

from hepml_labs.anomaly.regions import Regions


def test_window_and_sidebands_share_no_event_and_fill_the_range():
    regions = Regions((3300, 3700), (2600, 6000))
    mass = np.array([2599.9, 2600.0, 3299.9, 3300.0, 3699.9, 3700.0, 5999.9, 6000.0], dtype=np.float32)
    inside, sideband = regions.inside(mass), regions.sideband(mass)
    assert inside.tolist() == [False, False, False, True, True, False, False, False]
    assert sideband.tolist() == [False, True, True, False, False, True, True, False]
    assert not (inside & sideband).any()


def test_shift_keeps_the_range_and_the_relative_width():
    regions = Regions()
    moved = regions.shift(4200.0)
    assert moved.centre == pytest.approx(4200) and moved.range == regions.range
    widths = [(r.signal[1] - r.signal[0]) / r.centre for r in (regions, moved)]
    assert widths[0] == pytest.approx(widths[1])
    assert moved.shift(regions.centre).signal == pytest.approx(regions.signal)


def test_regions_are_values():
    assert Regions((3300, 3700)) == Regions((3300.0, 3700.0)) and len({Regions(), Regions()}) == 1
    with pytest.raises(AttributeError):
        Regions().signal = (1, 2)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("signal", {"signal": (3700, 3300)}),
        ("signal", {"signal": 3500}),
        ("signal", {"signal": (2600, 3000)}),
        ("signal", {"signal": (5800, 6000)}),
        ("range", {"range": (2600, np.nan)}),
    ],
)
def test_bad_windows_are_named(name, arguments):
    with pytest.raises(ValueError, match=f"^{name}: found"):
        Regions(**arguments)


def test_a_window_cannot_be_shifted_out_of_the_range():
    with pytest.raises(ValueError, match="^centre: "):
        Regions().shift(7000)
    with pytest.raises(ValueError, match="^signal: "):
        Regions().shift(5900)
