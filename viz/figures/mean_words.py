"""The words that speak most for and against the answer, over all rows of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from viz.figures.scale import Scale, coloraxis, finish, heading, limits, quantity
from viz.figures.words import plain

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from backends.results import Result

FIRST = True
MOST = 24


def accepts(result: Result) -> bool:
    """Whether the result is one mean a word, with counts."""
    return result.axes.get("mean") == ("word",) and "count" in result.arrays


def strongest(result: Result, most: int = MOST, least: int | None = None) -> list[int]:
    """The places of the words with the largest mean, of those that occur `least` times: rare ones prove little."""
    count = result.arrays["count"]
    wanted = least or (2 if int(result.facts.get("mean_of", 0)) >= 10 else 1)
    there = np.flatnonzero(count >= wanted) if (count >= wanted).any() else np.arange(len(count))
    order = there[np.argsort(-np.abs(result.arrays["mean"][there]), kind="stable")][:most]
    return sorted(order.tolist(), key=lambda i: -float(result.arrays["mean"][i]))


def draw(result: Result, scale: Scale | None = None, dark: bool = False) -> Figure:
    """Bars, the largest mean on top, coloured on the same scale as a map of the method."""
    from plotly.graph_objects import Bar, Figure

    places = strongest(result)
    words, mean, count = result.labels["word"], result.arrays["mean"], result.arrays["count"]
    names = [f"{plain(words[i], 30)} (×{count[i]})" for i in places]
    values = [float(mean[i]) for i in places]
    ends = scale or limits(np.array(values), result.signed)
    title = quantity("mean attribution", result.unit)
    bars = Bar(
        x=values, y=list(range(len(places))), orientation="h",
        marker={"color": values, "coloraxis": "coloraxis", "line": {"width": 1, "color": "#7b8696"}},
        hovertext=[f"{n}: {v:+.4g} {plain(result.unit, 40)}" for n, v in zip(names, values, strict=True)],
        hoverinfo="text",
    )  # fmt: skip
    figure = Figure(bars)
    figure.update_layout(
        coloraxis={**coloraxis(result.signed, ends, title), "showscale": False},
        xaxis={"title": {"text": title}},
        yaxis={
            "tickmode": "array", "tickvals": list(range(len(places))), "ticktext": names, "autorange": "reversed",
            "title": {"text": "word (how often)"},
        },
    )  # fmt: skip
    note = f"mean over every place of the word in {result.facts.get('mean_of', 0)} rows"
    return finish(figure, heading(result), [note], dark, 170 + 21 * len(places))
