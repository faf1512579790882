"""Layer by head: one statistic of every head as a heat map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from backends.errors import Refused
from viz.figures.scale import Scale, beyond, coloraxis, finish, heading, limits, quantity
from viz.figures.words import names, plain

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from backends.results import Result

FIRST = False
STATISTICS = {
    "entropy": ("entropy, mean over queries", "nat"),
    "distance": ("mean distance from query to key", "token"),
    "to_first": ("weight on the first token, mean over queries", "probability"),
    "induction": ("induction score", "probability"),
    "previous": ("weight on the previous token", "probability"),
}
"""What each statistic of a head is called, and its unit."""


_HEADS = (("layer", "head"), ("all_layer", "all_head"))


def accepts(result: Result) -> bool:
    """Whether the result holds any number for each (layer, head)."""
    return bool(statistics(result))


def statistics(result: Result) -> list[str]:
    """The arrays with one number a head, in the order of the result."""
    return [name for name, axes in result.axes.items() if tuple(axes) in _HEADS]


def describe(result: Result, statistic: str) -> tuple[str, str]:
    """What a statistic is called and its unit; the main array has the result's own."""
    noun, unit = STATISTICS.get(statistic, (statistic.replace("_", " "), ""))
    if statistic == "distance":
        unit = str(result.facts.get("distance_unit", unit))
    return (noun, result.unit) if statistic == result.main else (noun, unit)


def draw(
    result: Result,
    statistic: str | None = None,
    scale: Scale | None = None,
    colours: str | None = None,
    dark: bool = False,
) -> Figure:
    """One statistic of every head, layers down (the first on top), heads across."""
    import plotly.graph_objects as go

    there = statistics(result)
    if statistic is not None and statistic not in there:
        raise Refused(f"no head statistic {str(statistic)[:40]!r}; there are: {', '.join(there)}")
    name = statistic or there[0]
    values = np.asarray(result.arrays[name], np.float32)
    noun, unit = describe(result, name)
    signed = result.signed if name == result.main else bool((values < 0).any())
    ends = scale or limits(values, signed)
    figure = go.Figure(
        go.Heatmap(
            z=values,
            x=[plain(n) for n in names(result, result.axes[name][1], values.shape[1])],
            y=[plain(n) for n in names(result, result.axes[name][0], values.shape[0])],
            coloraxis="coloraxis",
            hovertemplate="layer %{y}, head %{x}<br>%{z:.4f} " + plain(unit) + "<extra></extra>",
        )
    )
    figure.update_layout(coloraxis=coloraxis(signed, ends, quantity(noun, unit), colours))
    figure.update_xaxes(title_text="head (index)", type="category", showgrid=False)
    figure.update_yaxes(title_text="layer (index)", type="category", autorange="reversed", showgrid=False)
    return finish(figure, heading(result, noun), [beyond(values, ends)], dark)
