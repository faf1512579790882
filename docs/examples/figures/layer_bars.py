"""One number for each layer as bars, the first layer at the bottom, as information flows."""

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
    """Whether the result holds an effect of each layer."""
    return result.axes.get("effect") == ("layer",)


def draw(result: Result, dark: bool = False) -> Figure:
    """Bars to the right where the number rises, to the left where it falls."""
    import plotly.graph_objects as go

    values = np.asarray(result.arrays["effect"], np.float32)
    layers = [plain(name) for name in names(result, "layer", len(values))]
    figure = go.Figure(
        go.Bar(x=values, y=layers, orientation="h", marker_color=theme.palette(dark)[0],
               hovertemplate="layer %{y}: %{x:.4f}<extra></extra>")
    )  # fmt: skip
    figure.update_yaxes(title_text="layer", type="category")
    figure.update_xaxes(title_text=quantity("effect", result.unit), zeroline=True)
    largest = layers[int(np.abs(values).argmax())]
    return finish(figure, heading(result), [f"layer {largest} matters most"], dark, 140 + 28 * len(values))
