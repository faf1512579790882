"""Layer by layer: how alike the residual streams of two layers are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from viz.figures.scale import Scale, beyond, coloraxis, finish, heading
from viz.figures.words import names, plain

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from backends.results import Result

FIRST = False


def accepts(result: Result) -> bool:
    """Whether the result compares layers with layers."""
    return result.axes.get("similarity") == ("layer", "layer")


def draw(result: Result, scale: Scale | None = None, colours: str | None = None, dark: bool = False) -> Figure:
    """The similarity of every two layers, 0 to 1, or −1 to 1 where some are negative."""
    import plotly.graph_objects as go

    values = np.asarray(result.arrays["similarity"], np.float32)
    signed = bool((values < -1e-6).any())
    ends = scale or ((-1.0, 1.0) if signed else (0.0, 1.0))
    kind = str(result.facts.get("similarity") or ("cosine" if "similarity_note" in result.facts else "linear CKA"))
    layer_names = [plain(n) for n in names(result, "layer", len(values))]
    figure = go.Figure(
        go.Heatmap(
            z=values,
            x=layer_names,
            y=layer_names,
            coloraxis="coloraxis",
            hovertemplate="layers %{y} and %{x}<br>%{z:.4f}<extra></extra>",
        )
    )
    bar = f"{plain(kind, 60)} ({ends[0]:g} to {ends[1]:g}, 1 = the same)"
    figure.update_layout(coloraxis=coloraxis(signed, ends, bar, colours))
    title = "layer (0 = embedding)"
    figure.update_xaxes(title_text=title, type="category", showgrid=False, constrain="domain")
    figure.update_yaxes(title_text=title, type="category", scaleanchor="x", showgrid=False, constrain="domain")
    return finish(figure, heading(result, f"{kind} of layers"), [beyond(values, ends)], dark, 520)
