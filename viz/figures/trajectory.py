"""The residual stream's path through the layers, seen along two principal components."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from backends.errors import Refused
from viz import theme
from viz.figures.scale import finish, heading
from viz.figures.words import index, names, plain, token_names

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from backends.results import Result

FIRST = True
MOST_PATHS = 24


def accepts(result: Result) -> bool:
    """Whether the result holds a path (layer, position, component)."""
    return result.axes.get("path") == ("layer", "position", "component")


def draw(
    result: Result,
    components: Sequence[int] = (0, 1),
    positions: Sequence[int | str] = (),
    hide_sink: bool = True,
    dark: bool = False,
) -> Figure:
    """One line a position, from the first layer (small mark) to the last (large), marks coloured by layer.

    `components` are the two shown; both axes have one scale, so that distances are true. Without `positions`
    the last ones are drawn; `hide_sink` leaves out the first, whose norm often dwarfs the others.
    """
    import plotly.graph_objects as go

    path = np.asarray(result.arrays["path"], np.float32)
    layers, count, size = path.shape
    if len(components) != 2 or not all(0 <= int(c) < size for c in components):
        raise Refused(f"a path is drawn along two of its {size} components, not {tuple(components)}")
    one, other = (int(c) for c in components)
    chosen = [index(result, "position", count, p) for p in positions]
    notes = []
    if not chosen:
        hidden = 1 if hide_sink and count > 1 else 0
        chosen = list(range(max(hidden, count - MOST_PATHS), count))
        if hidden:
            notes.append("first token hidden")
        if len(chosen) < count - hidden:
            notes.append(f"the last {len(chosen)} of {count} positions")
    tokens, layer_names = token_names(result, count), names(result, "layer", layers)
    sizes = np.full(layers, 7, np.float32)
    sizes[-1] = 13
    bar = {"title": {"text": "layer (index)", "side": "right"}, "thickness": 14, "outlinewidth": 0}
    marks = {"color": np.arange(layers, dtype=np.float32), "colorscale": theme.scale("viridis"), "size": sizes}
    marks |= {"cmin": 0, "cmax": max(layers - 1, 1), "line": {"width": 0.7, "color": theme.colours(dark)["edge"]}}
    figure = go.Figure()
    for i, p in enumerate(chosen):
        name = plain(f"{tokens[p]}", 24)
        figure.add_scatter(
            x=path[:, p, one],
            y=path[:, p, other],
            name=f"{name} ({p})",
            mode="lines+markers+text",
            line={"color": theme.palette(dark)[i % 6], "dash": theme.DASHES[(i // 6) % 6], "width": 1.5},
            marker=marks | ({"colorbar": bar, "showscale": True} if i == 0 else {"showscale": False}),
            text=[""] * (layers - 1) + [name],
            textposition="top center",
            customdata=[plain(n) for n in layer_names],
            hovertemplate=f"{name} ({p}), layer %{{customdata}}<br>%{{x:.3g}}, %{{y:.3g}}<extra></extra>",
        )
    figure.update_xaxes(title_text=_component(result, one))
    figure.update_yaxes(title_text=_component(result, other), scaleanchor="x", scaleratio=1)
    figure.update_layout(showlegend=False)
    return finish(figure, heading(result, "residual path"), notes, dark, 560)


def _component(result: Result, number: int) -> str:
    """An axis title: which component, how much of the variance it holds, and the unit."""
    shares = result.facts.get("explained") or result.facts.get("explained_variance") or ()
    held = f"{float(shares[number]):.0%} of the variance, " if number < len(shares) else ""
    return f"principal component {number + 1} ({held}{plain(result.unit or 'activation', 40)})"
