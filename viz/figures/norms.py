"""How long the residual stream's vector is, at each layer and position."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from viz.figures.scale import Scale, beyond, coloraxis, finish, heading, limits, quantity
from viz.figures.words import names, places, plain, token_names

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from backends.results import Result

FIRST = False


def accepts(result: Result) -> bool:
    """Whether the result holds norms (layer, position)."""
    return result.axes.get("norm") == ("layer", "position")


def draw(
    result: Result,
    hide_sink: bool = True,
    scale: Scale | None = None,
    colours: str | None = None,
    dark: bool = False,
) -> Figure:
    """The norm of the residual stream, layers up (the last on top), positions across.

    `hide_sink` blanks the first position, whose norm often hides the rest.
    """
    import plotly.graph_objects as go

    values = np.array(result.arrays["norm"], np.float32)
    layers, positions = values.shape
    notes = []
    if hide_sink and positions > 1:
        notes.append(f"first token hidden (its largest norm is {np.nanmax(values[:, 0]):.3g})")
        values[:, 0] = np.nan
    ends = scale or limits(values, signed=False)
    figure = go.Figure(
        go.Heatmap(
            z=values,
            x=places(token_names(result, positions)),
            y=[plain(n) for n in names(result, "layer", layers)],
            coloraxis="coloraxis",
            hovertemplate="layer %{y}, %{x}<br>norm %{z:.4g}<extra></extra>",
            hoverongaps=False,
        )
    )
    bar = quantity("residual norm", result.unit or "activation")
    figure.update_layout(coloraxis=coloraxis(False, ends, bar, colours))
    figure.update_xaxes(title_text="input token (position)", tickangle=-60, showgrid=False)
    figure.update_yaxes(title_text="layer (0 = embedding)", type="category", showgrid=False)
    return finish(figure, heading(result, "norms"), [*notes, beyond(values, ends)], dark, 460)
