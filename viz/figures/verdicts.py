"""How often each method's maps held, could not be told, or failed over a table, with the pass rate's interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from viz import theme
from viz.figures.scale import finish
from viz.figures.words import plain

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SIDES = (("holds", "holds", "good", ""), ("cannot_tell", "cannot tell", "warn", "/"), ("fails", "fails", "bad", "x"))
"""The column of a row, its name, its colour and its pattern: colour never tells alone."""


def bars(table: Sequence[Mapping[str, Any]], titles: Mapping[str, str], dark: bool = False) -> Figure:
    """One bar a method, shares of its rows; the dot is the pass rate, its line the 95 % interval (Wilson)."""
    from plotly.graph_objects import Figure

    names = [f"{plain(titles.get(row['method'], row['method']), 30)} " for row in table]
    places = list(range(len(table)))
    colours = theme.colours(dark)
    figure = Figure()
    for column, name, colour, pattern in SIDES:
        counts = np.array([row[column] for row in table], np.float32)
        many = np.array([max(row["rows"], 1) for row in table], np.float32)
        figure.add_bar(
            x=100 * counts / many, y=places, orientation="h", name=name, marker_color=colours[colour],
            marker_pattern={"shape": pattern, "fillmode": "overlay", "fgcolor": colours["surface"], "solidity": 0.25},
            marker_line={"width": 1, "color": colours["surface"]},
            customdata=np.stack([counts, many], 1), hovertemplate="%{customdata[0]} of %{customdata[1]} rows"
            "<extra>" + name + "</extra>",
        )  # fmt: skip
    _rates(figure, table, places, colours)
    axis = {"tickmode": "array", "tickvals": places, "ticktext": names, "autorange": "reversed", "showgrid": False}
    figure.update_layout(
        barmode="stack", bargap=0.45, yaxis=axis, xaxis={"title": {"text": "rows (%)"}, "range": [-1, 101]},
        legend={"orientation": "h", "yref": "container", "y": 0.01, "yanchor": "bottom", "x": 0},
        margin_b=96,
    )  # fmt: skip
    return finish(figure, "How often the maps hold", [], dark, 200 + 38 * len(places))


def _rates(figure: Any, table: Sequence[Mapping[str, Any]], places: Sequence[int], colours: Mapping[str, str]) -> None:
    rates = np.array([100 * row["rate"] for row in table], np.float32)
    low, high = (np.array([100 * row[end] for row in table], np.float32) for end in ("low", "high"))
    error = {"type": "data", "array": high - rates, "arrayminus": rates - low, "color": colours["ink"], "thickness": 2}
    told = [
        f"pass rate {r:.0f} % (95 % interval {a:.0f} to {b:.0f} %, n = {row['rows']})"
        for r, a, b, row in zip(rates, low, high, table, strict=True)
    ]
    figure.add_scatter(
        x=rates, y=[place - 0.34 for place in places], mode="markers", name="pass rate with 95 % interval",
        error_x=error, marker={"color": colours["ink"], "size": 7, "symbol": "diamond"}, hovertext=told,
        hoverinfo="text",
    )  # fmt: skip
