"""A few changes side by side: what each does alone, and all together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from viz import theme
from viz.figures.scale import finish, heading, quantity
from viz.figures.words import names, plain

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from backends.results import Result

FIRST = True


def accepts(result: Result) -> bool:
    """Whether the result has an effect for each of a few changes."""
    return result.axes.get("effect") == ("change",)


def draw(result: Result, dark: bool = False) -> Figure:
    """One bar a change."""
    import plotly.graph_objects as go

    values = np.asarray(result.arrays["effect"], np.float32)
    figure = go.Figure(
        go.Bar(
            x=[plain(n) for n in names(result, "change", len(values))],
            y=values,
            marker_color=theme.palette(dark)[0],
            hovertemplate="%{x}: %{y:.4f} " + plain(result.unit) + "<extra></extra>",
        )
    )
    figure.update_xaxes(title_text="change (layer.head.query.key, or head)", type="category")
    figure.update_yaxes(title_text=quantity("change of the answer", result.unit))
    after = result.facts.get("after") or [{}]
    note = f"then the first answer is {plain(after[0]['label'])}" if "label" in after[0] else ""
    return finish(figure, heading(result), [note], dark, 360)
