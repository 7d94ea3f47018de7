"""`lab.explore`, `lab.expect` and `lab.show` outside of a kernel; in one: test_in_kernel.py."""

import html
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest

from hepml_labs.teaching import explore, lab, show


def draw(width):
    figure, axes = plt.subplots(figsize=(3, 2))
    axes.plot(np.linspace(-1, 1), np.linspace(-1, 1) ** 2 * width)
    return figure


def test_explore_draws_small_frames_of_one_size_and_closes_them():
    before = plt.get_fignums()
    frames = [explore._frame(draw, width) for width in (1.0, 100000.0)]
    sizes = {(int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")) for png, _ in frames}
    assert sizes == {(3 * explore.DPI, 2 * explore.DPI)}
    assert all(len(png) < 20_000 for png, _ in frames)
    assert plt.get_fignums() == before


def test_slider_is_self_contained():
    images = [f'<img alt="a &quot;curve&quot; (w = {i})" src="data:," style="">' for i in range(3)]
    markup = explore.slider_html(images, ["0", "1", 'a "b" <c>'], "width [GeV]")
    assert markup.count("<img") == 3
    assert len(re.findall(r"style=\"display:none", markup)) == 2
    assert 'type="range" min="0" max="2"' in markup
    assert 'aria-label="width [GeV]"' in markup
    assert not re.search(r"\bid=|<script|https?:|require", markup)
    labels = re.search(r'data-labels="([^"]*)"', markup).group(1)
    assert html.unescape(labels) == '["0", "1", "a \\"b\\" <c>"]'


@pytest.mark.parametrize(
    ("arguments", "parameter", "message"),
    [
        ((draw, ""), {"w": [1, 2]}, "alt: found ''"),
        ((draw, "A curve."), {}, "expected one keyword"),
        ((draw, "A curve."), {"w": [1, 2], "v": [1, 2]}, "expected one keyword"),
        ((draw, "A curve."), {"w": [1]}, "w: found 1 values"),
        ((draw, "A curve."), {"w": range(26)}, "w: found 26 values"),
        ((lambda w: None, "A curve."), {"w": [1, 2]}, "draw: returned NoneType"),
    ],
)
def test_explore_refuses(arguments, parameter, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        lab.explore(*arguments, **parameter)


def test_explore_takes_the_values_in_a_tuple_of_one_and_says_them(capsys):
    lab.explore(draw, "A curve.", w=(np.array([1.0, 2.5]),), label="width")
    assert capsys.readouterr().out == "A curve. (slider: width = 1, 2.5)\n"


def test_explore_draws_the_ends_only_at_smoke_scale(monkeypatch, capsys):
    monkeypatch.setenv("HEPML_SCALE", "smoke")
    lab.explore(draw, "A curve.", w=[1, 2, 3])
    assert "w = 1, 3" in capsys.readouterr().out


def test_explore_warns_of_large_frames(monkeypatch):
    monkeypatch.setattr(explore, "MAX_BYTES", 1000)
    with pytest.warns(UserWarning, match="expected at most"):
        lab.explore(draw, "A curve.", w=[1, 2])


@pytest.mark.parametrize("value", [0.1, 2.1, float("nan"), float("inf")])
def test_expect_stops_outside_of_the_band(value, monkeypatch, capsys):
    with pytest.raises(lab.OutOfBand, match="width: found"):
        lab.expect("width", value, low=1, high=2)
    monkeypatch.setenv("HEPML_SCALE", "smoke")
    lab.expect("width", value, low=1, high=2)
    assert "not enforced" in capsys.readouterr().out


def test_expect_takes_open_bands(capsys):
    lab.expect("ratio", np.float32(30), low=10, published=28.5)
    lab.expect("error", 0.1, high=0.2, published="0.15 (other data)")
    assert capsys.readouterr().out.splitlines() == [
        "ratio: 30, expected at least 10, published 28.5: ✓ inside",
        "error: 0.1, expected at most 0.2, published 0.15 (other data): ✓ inside",
    ]
    with pytest.raises(lab.OutOfBand):
        lab.expect("error", 0.3, high=0.2)


@pytest.mark.parametrize("band", [{}, {"low": 2, "high": 1}, {"low": float("nan"), "high": 1}])
def test_expect_needs_a_band(band):
    with pytest.raises(ValueError, match="low, high"):
        lab.expect("ratio", 1.5, **band)


@pytest.mark.parametrize(("scale", "value", "without_smoke"), [("lab", 1, 1), ("full", 2, 2), ("smoke", 3, 1)])
def test_at_scale(scale, value, without_smoke, monkeypatch):
    monkeypatch.setenv("HEPML_SCALE", scale)
    assert lab.at_scale(lab=1, full=2, smoke=3) == value
    assert lab.at_scale(lab=1, full=2) == without_smoke


class Documented:
    """Cut this."""

    constant = 3

    def method(self):
        """Cut this too,

        all of it.
        """
        text = """keep this"""
        return text

    def empty(self):
        """Cut this as well."""


def test_show_cuts_docstrings_and_nothing_else():
    source = show.source_without_docstrings(Documented)
    assert "ut this" not in source
    assert '"""keep this"""' in source
    assert "constant = 3" in source
    assert source.endswith("def empty(self):\n        ...")
    compile(source, "shown", "exec")


@pytest.mark.parametrize("thing", [3, len, np.float64, None])
def test_show_refuses_what_has_no_source(thing):
    with pytest.raises(ValueError, match="thing: found"):
        lab.show(thing)
