"""In how many directions the tokens of each layer spread: the intrinsic dimension."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from viz import theme
from viz.figures.scale import finish, heading
from viz.figures.words import names, plain

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from backends.results import Result

FIRST = False


def accepts(result: Result) -> bool:
    """Whether the result holds one dimension a layer."""
    return result.axes.get("dimension") == ("layer",)


def draw(result: Result, dark: bool = False) -> Figure:
    """The estimate at each layer, from the input on the left to the last layer."""
    import plotly.graph_objects as go

    values = np.asarray(result.arrays["dimension"], np.float32)
    layers = [plain(name) for name in names(result, "layer", len(values))]
    compared = result.facts.get("positions_compared")
    figure = go.Figure(
        go.Scatter(
            x=np.arange(len(values), dtype=np.float32),
            y=values,
            name="intrinsic dimension",
            mode="lines+markers",
            line={"color": theme.palette(dark)[0], "width": 2},
            marker={"size": 8},
            customdata=layers,
            hovertemplate="layer %{customdata}<br>%{y:.3g} directions<extra></extra>",
        )
    )
    figure.update_xaxes(title_text="layer (0 = embedding)", tickvals=np.arange(len(values)), ticktext=layers)
    figure.update_yaxes(title_text="intrinsic dimension (directions)", rangemode="tozero")
    notes = [f"TwoNN, from {compared} positions"] if compared else ["TwoNN"]
    return finish(figure, heading(result, "intrinsic dimension"), notes, dark, 420)
