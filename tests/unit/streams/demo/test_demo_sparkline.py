from __future__ import annotations

from streams.demo.sparkline import sparkline


def test_low_values_are_low_bars_and_high_ones_high() -> None:
    """A rising curve looks like one."""
    assert sparkline([0.0, 0.5, 1.0], 0.0, 1.0, 10) == "▁▅█"


def test_values_beyond_the_scale_are_drawn_at_its_ends() -> None:
    """An outlier does not break the picture."""
    assert sparkline([-3.0, 7.0], 0.0, 1.0, 10) == "▁█"


def test_long_curves_are_averaged_to_the_width() -> None:
    """However long the stream, the curve fits its place and keeps its course."""
    curve = sparkline([0.0] * 500 + [1.0] * 500, 0.0, 1.0, 10)
    assert curve == "▁▁▁▁▁█████"
    assert sparkline([0.0, 1.0] * 50, 0.0, 1.0, 2) == "▅▅"


def test_no_values_are_no_curve() -> None:
    """Before the first point there is nothing to draw."""
    assert sparkline([], 0.0, 1.0, 10) == ""
