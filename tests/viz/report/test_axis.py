"""Values and names along an axis."""

from __future__ import annotations

import math

import pytest

from viz.report.axis import axes_of, nice, plain_text


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3.7, 12.2), (1e-6, 5e-6), (0, 1e9), (-0.1, 0)])
def test_ticks_are_round_and_inside(low: float, high: float) -> None:
    found = nice(low, high)
    assert 2 <= len(found) <= 9
    assert all(low - 1e-9 * abs(low) <= v <= high + 1e-9 * abs(high) for v in found)


def test_no_ticks_of_what_is_none() -> None:
    assert nice(math.nan, 1) == []
    assert nice(2, 2) == [2]


def test_markup_of_plotly_is_words() -> None:
    assert plain_text("<b>a</b><br>&lt;b&gt; %{\u200bz}") == "a <b> %{z}"


def figure(**layout: object):  # type: ignore[no-untyped-def]
    import plotly.graph_objects as go

    made = go.Figure(go.Scatter(x=["a", "b", "c"], y=[1.0, 10.0, 100.0]))
    made.update_layout(**layout)
    return made


def test_names_and_numbers_find_their_pixels() -> None:
    axes = axes_of(figure())
    for axis in axes.values():
        axis.place((100, 50, 300, 200))
    assert [axes["x"].at(n) for n in "abc"] == [150, 250, 350]
    assert axes["y"].at(100) < axes["y"].at(1)
    assert math.isnan(axes["x"].at("unknown"))


def test_a_log_axis_and_a_turned_one() -> None:
    axes = axes_of(figure(yaxis={"type": "log", "autorange": "reversed"}))
    axes["y"].place((0, 0, 100, 200))
    middle = axes["y"].at(10)
    assert middle == pytest.approx((axes["y"].at(1) + axes["y"].at(100)) / 2)
    assert axes["y"].at(1) < axes["y"].at(100)
    assert math.isnan(axes["y"].at(-1))


def test_ticks_that_would_touch_are_thinned() -> None:
    import plotly.graph_objects as go

    axes = axes_of(go.Figure(go.Bar(x=[f"w{i}" for i in range(500)], y=[1.0] * 500)))
    axes["x"].place((0, 0, 300, 200))
    assert len(axes["x"].marks()) < 30
